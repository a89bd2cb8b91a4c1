//! Problem documents (RFC 9457): one form for every error a caller meets.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

/// A kind of problem. Its `type` is `/problems/{slug}`, which both listeners serve as a short text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    /// The last part of its `type`; stable.
    pub slug: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The same for every occurrence.
    pub title: &'static str,
    /// What to do about it, for people.
    pub help: &'static str,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $status:literal $slug:literal $title:literal $help:literal;)*) => {
        /// Every kind there is.
        pub mod kinds {
            use super::Kind;
            $($(#[$doc])* pub const $name: Kind = Kind { slug: $slug, status: $status, title: $title, help: $help };)*
            /// All of them.
            pub const ALL: &[Kind] = &[$($name),*];
        }
    };
}

kinds! {
    /// What was sent cannot be read.
    MALFORMED = 400 "malformed" "The request cannot be read"
        "The body, a header or a parameter is not of the form that is asked for. `errors` names the places. Correct \
         it; the same request will be refused again.";
    /// No token, or not one that is known.
    UNAUTHORISED = 401 "unauthorised" "A valid token is needed"
        "Send `Authorization: Bearer TOKEN` with a token that is configured for this listener.";
    /// The signature does not hold.
    FORGED = 401 "forged-signature" "The signature does not hold"
        "No configured secret reproduces the signature over the bytes that arrived. Compare the secret with the \
         sender's; where the address is signed, compare `public_url` with the address the sender was given. Nothing \
         was taken in.";
    /// Authentic, but too old or from the future.
    STALE = 401 "stale-timestamp" "The message was signed too long ago"
        "The signature holds, but its time is outside the replay window. It is a replay, or a clock is wrong: check \
         the clocks of both sides. Nothing was taken in.";
    /// The token may not do this.
    FORBIDDEN = 403 "forbidden" "The token may not do this"
        "The token is known, but has not the scope that is needed. Use another token, or have the scope added.";
    /// No such source.
    UNKNOWN_SOURCE = 404 "unknown-source" "There is no such source"
        "No system with webhooks has this path. Compare the address given to the sender with `webhook.path` of the \
         system's file.";
    /// No such thing.
    NOT_FOUND = 404 "not-found" "There is nothing here"
        "The address names nothing that this hub has. Ids are complete and case-sensitive.";
    /// Not this method.
    METHOD = 405 "method-not-allowed" "This address does not take that method"
        "The header `Allow` lists the methods that it takes.";
    /// The body did not come in time.
    SLOW = 408 "slow-body" "The body did not arrive in time"
        "Send the whole body at once. A connection that drips is cut off.";
    /// The same key is being worked on.
    KEY_IN_FLIGHT = 409 "key-in-flight" "A request with this idempotency key is under way"
        "Wait for its answer, then send again with the same key: the stored answer is replayed.";
    /// An order that does not fit how things stand.
    CONFLICT = 409 "conflict" "That cannot be done as things stand"
        "What the order is about has moved on, or is not in a state that the order applies to. Look again, then \
         decide.";
    /// Too many bytes.
    TOO_LARGE = 413 "too-large" "The body is too large"
        "Send less at once. The limit is `intake.body_bytes_max` of `concord.yaml`.";
    /// A format that is not taken.
    MEDIA_TYPE = 415 "unsupported-media-type" "That format is not taken"
        "Events are taken as JSON: `application/cloudevents+json`, `application/cloudevents-batch+json`, or any JSON \
         body with the attributes in `ce-` headers.";
    /// A folder that is not in order.
    UNUSABLE = 422 "unusable-folder" "The folder cannot be used"
        "Files of the configuration folder have errors. `errors` says each with file, line and column, as `concord \
         check` does. What runs goes on as it was.";
    /// The key was used for something else.
    KEY_REUSED = 422 "key-reused" "The idempotency key was used for another request"
        "A key belongs to one request, byte for byte. Use a new key for a new request.";
    /// Too fast.
    RATE_LIMITED = 429 "rate-limited" "Too many requests"
        "This source sends faster than `intake.rate_per_second` allows. Wait as long as `Retry-After` says; nothing \
         of this request was taken in.";
    /// A defect.
    INTERNAL = 500 "internal" "The hub failed to answer"
        "This is a defect in the hub or its store. The log has a line with the request's id.";
    /// Deliveries must get through first.
    BACKLOG = 503 "backlog" "Too many deliveries wait"
        "What this would set going goes to systems for which more deliveries wait than `intake.backlog` of \
         `concord.yaml` allows. Send again after `Retry-After`; nothing of this request was acknowledged. `concord \
         system list` shows what waits, and for whom.";
    /// No room, or on its way down.
    BUSY = 503 "busy" "The hub takes nothing in just now"
        "It is under pressure, its disk is full, or it is stopping. Send again after `Retry-After`; nothing of this \
         request was acknowledged.";
}

/// One flaw of several, with its place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Flaw {
    /// What is wrong and what would be right; no values.
    pub detail: String,
    /// JSON Pointer into the body, or the name of a header or parameter.
    pub pointer: String,
}

/// An error as its caller sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem(Box<Parts>);

#[derive(Clone, PartialEq, Eq, Debug)]
struct Parts {
    kind: Kind,
    detail: String,
    errors: Vec<Flaw>,
    retry_after: Option<Duration>,
    allow: Option<HeaderValue>,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Flaw],
}

impl Problem {
    /// A problem with what is particular about this occurrence: what, where, why and what to do, without values.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            allow: None,
        }))
    }

    /// With places.
    #[must_use]
    pub fn errors(mut self, errors: Vec<Flaw>) -> Self {
        self.0.errors = errors;
        self
    }

    /// With a time after which it is worth another try.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// With the methods that the address takes.
    pub(crate) fn allow(mut self, methods: Option<HeaderValue>) -> Self {
        self.0.allow = methods;
        self
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What is particular about it.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The document with the request's id.
    pub(crate) fn answer(&self, request_id: Option<&str>) -> Response {
        let document = Document {
            kind: format!("/problems/{}", self.0.kind.slug),
            title: self.0.kind.title,
            status: self.0.kind.status,
            detail: &self.0.detail,
            request_id,
            errors: &self.0.errors,
        };
        // Texts and numbers only: it cannot fail.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        (self.status(), self.headers(), body).into_response()
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers
            .insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
        if let Some(wait) = self.0.retry_after {
            // Rounded up: earlier would be too early.
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_millis().div_ceil(1000).max(1) as u64));
        }
        if self.0.kind.slug == kinds::UNAUTHORISED.slug {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(methods) = &self.0.allow {
            headers.insert(http::header::ALLOW, methods.clone());
        }
        headers
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.answer(None);
        // The outermost layer knows the request's id, and writes the document again with it.
        response.extensions_mut().insert(self);
        response
    }
}
