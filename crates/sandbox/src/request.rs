//! What goes over the wire: requests, responses, and the manner in which an answer travels.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;

/// One request as it arrived; the URI needs only path and query.
pub type Request = http::Request<Bytes>;
/// One response, whole.
pub type Response = http::Response<Bytes>;

/// A response and how it reaches the caller.
#[derive(Debug)]
pub struct Answer {
    /// What the system decided to say. For [`Manner::Never`], [`Manner::Reset`] and [`Manner::Refused`] the caller
    /// does not get to see it.
    pub response: Response,
    /// How it travels.
    pub manner: Manner,
    /// Set while the request stays in service after `serve` returned: give it to
    /// [`World::finished`](crate::World::finished) when the caller
    /// goes away early. A simulator that lets planned ends pass needs it only for [`Manner::Never`].
    pub ticket: Option<u64>,
    /// New work for the webhook sender or the timer: ask [`World::next_wakeup`](crate::World::next_wakeup) again.
    pub wake: bool,
}

/// How an answer travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// In one piece, this many milliseconds after the request arrived.
    Whole {
        /// Delay before the first byte.
        after_ms: u64,
    },
    /// Head at once, then the body in small pieces.
    Drip {
        /// Delay before the head.
        after_ms: u64,
        /// Bytes per piece, at least 1.
        chunk: usize,
        /// Milliseconds between pieces.
        every_ms: u64,
    },
    /// Nothing ever comes; the connection stays open until the caller gives up.
    Never,
    /// The connection is cut without an answer.
    Reset {
        /// Delay before the cut.
        after_ms: u64,
    },
    /// The connection was never accepted: the request did not arrive.
    Refused,
}

/// A response with a JSON body.
pub(crate) fn json(status: u16, body: &Value) -> Response {
    typed(status, "application/json;charset=utf-8", body.to_string())
}

/// A response with an `application/problem+json` body.
pub(crate) fn problem(status: u16, body: &Value) -> Response {
    typed(status, "application/problem+json; charset=utf-8", body.to_string())
}

/// A response with a body of the given type.
pub(crate) fn typed(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A response without a body.
pub(crate) fn empty(status: u16) -> Response {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// Adds a header; a value that HTTP can't carry is left out.
pub(crate) fn with_header(mut response: Response, name: &'static str, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// The first value of a query or form parameter, decoded.
pub(crate) fn parameter(encoded: &str, name: &str) -> Option<String> {
    encoded.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key, true) == name).then(|| decode(value, true))
    })
}

/// Percent-decodes; with `plus`, `+` is a space (query and form strings). Broken escapes stay as they are, and bytes
/// that are no UTF-8 become U+FFFD.
pub(crate) fn decode(text: &str, plus: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escape = (byte == b'%').then(|| bytes.get(at + 1..at + 3).and_then(hex_pair)).flatten();
        match escape {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                out.push(if plus && byte == b'+' { b' ' } else { byte });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Percent-encodes everything but unreserved characters (RFC 3986), for form bodies and paths.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(pair).ok()?;
    // `from_str_radix` would take a sign.
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u8::from_str_radix(text, 16).ok()
}
