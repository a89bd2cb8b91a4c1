//! What goes to the wire and comes back: requests with a placeholder for the credential, responses, failures.

use std::fmt;
use std::time::Duration;

use canonical::Wall;
use serde::{Deserialize, Serialize};

/// How a request is to be completed by egress, which alone holds secrets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// As the connection's `auth` says.
    #[default]
    Connection,
    /// None at all.
    Anonymous,
}

/// A rendered request, relative to the connection's base address. Never holds a secret.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Request {
    /// `GET`, `POST`, `PUT`, `PATCH`, `DELETE`; or [`Self::SQL`], a statement for a database.
    pub method: String,
    /// Path and query, percent-encoded, starting with `/`.
    pub path: String,
    /// Header names in lower case, with values.
    pub headers: Vec<(String, String)>,
    /// The body, empty for none.
    #[serde(skip)]
    pub body: Vec<u8>,
    /// What completes it.
    pub credential: Credential,
    /// The manifest's operation, for limits, breaker, metrics and errors.
    pub operation: String,
    /// Longest the whole exchange may take, in milliseconds.
    pub timeout_ms: u64,
    /// What it costs in each of the vendor's limits.
    pub cost: u32,
}

impl Request {
    /// The method of a statement: the body is `{"statement": TEXT, "binds": [{"type": TYPE, "value": VALUE}, …]}`.
    pub const SQL: &str = "SQL";

    /// As it is kept: everything but the body as a line of JSON, then the body as it is.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512 + self.body.len());
        // Writing to memory does not fail, and these are texts and numbers.
        serde_json::to_writer(&mut bytes, self).unwrap_or_default();
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The request of [`Self::to_bytes`]; `None` when these are other bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        // JSON on one line has no end of line inside.
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let (head, body) = bytes.split_at(end);
        let head: Self = serde_json::from_slice(head).ok()?;
        Some(Self { body: body.get(1..)?.to_vec(), ..head })
    }
}

/// A complete answer.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Header names in lower case, with values.
    pub headers: Vec<(String, String)>,
    /// The body, whole.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of that (lower-case) name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// How long its `Retry-After` asks to be left alone (RFC 9110, section 10.2.3), an hour at most.
    #[must_use]
    pub fn retry_after(&self, now: Wall) -> Option<Duration> {
        crate::classify::retry_after(self, now)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Bodies hold personal values.
        write!(f, "Response({}, {} bytes)", self.status, self.body.len())
    }
}

/// How far a request got before it failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reached {
    /// Nothing of it left: certainly no effect.
    NotSent,
    /// It may have arrived: the effect is unknown.
    MaybeSent,
}

/// What kind of failure it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Name not found.
    Dns,
    /// Connection refused or not made in time.
    Connect,
    /// TLS did not come about.
    Tls,
    /// The guard forbids the address. Not retried.
    Blocked,
    /// No complete answer in time.
    Timeout,
    /// The connection broke.
    Reset,
    /// The answer is larger than the cap.
    TooLarge,
    /// No credential, or egress does not know the system. Not retried.
    Misconfigured,
    /// No token is held, or none is to be had at this moment. Authorise, then send again.
    NoToken,
}

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[error("{detail}")]
pub struct Failure {
    /// How far it got.
    pub reached: Reached,
    /// Its kind.
    pub kind: FailureKind,
    /// For people; no secrets, no values.
    pub detail: String,
    /// How long whoever answered in the target's place asked to be left alone.
    pub wait: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_request_is_the_same_to_the_byte() {
        for body in [&b""[..], b"{\"a\":\"\\n\"}", b"two\nlines\n", &[0, 255, 10, 128]] {
            let request = Request {
                method: "POST".to_owned(),
                path: "/a\n?b=\u{fc}".to_owned(),
                headers: vec![("x-note".to_owned(), "one\ntwo".to_owned())],
                body: body.to_vec(),
                credential: Credential::default(),
                operation: "create".to_owned(),
                timeout_ms: 1000,
                cost: 2,
            };
            assert_eq!(Request::from_bytes(&request.to_bytes()), Some(request));
        }
        assert_eq!(Request::from_bytes(b"{}"), None);
        assert_eq!(Request::from_bytes(b"{}\n"), None);
    }
}
