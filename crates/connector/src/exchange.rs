//! What goes to the wire and comes back: requests with a placeholder for the credential, responses, failures.

use std::fmt;

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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Request {
    /// `GET`, `POST`, `PUT`, `PATCH`, `DELETE`.
    pub method: String,
    /// Path and query, percent-encoded, starting with `/`.
    pub path: String,
    /// Header names in lower case, with values.
    pub headers: Vec<(String, String)>,
    /// The body, empty for none.
    #[serde(with = "body_text")]
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
}

/// Bodies are text in stored intents where they can be: shorter and readable after unsealing.
mod body_text {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    enum Body<'a> {
        #[serde(rename = "t")]
        Text(std::borrow::Cow<'a, str>),
        #[serde(rename = "b")]
        Base64(String),
    }

    pub(super) fn serialize<S: Serializer>(body: &[u8], to: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(body) {
            Ok(text) => Body::Text(text.into()).serialize(to),
            Err(_) => Body::Base64(STANDARD.encode(body)).serialize(to),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        match Body::deserialize(from)? {
            Body::Text(text) => Ok(text.into_owned().into_bytes()),
            Body::Base64(text) => STANDARD.decode(text).map_err(serde::de::Error::custom),
        }
    }
}
