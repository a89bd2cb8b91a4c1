//! Calls a world in tests: builds requests with the kind's credentials, reads JSON answers.

use bytes::Bytes;
use http::Request;
use serde_json::Value;

use crate::options::{Kind, Options};
use crate::request::{Answer, Manner};
use crate::world::World;

pub(crate) const NOW: u64 = 1_795_000_000_123;

/// A world, the time, and the credentials that calls carry.
pub(crate) struct Trial {
    pub(crate) world: World,
    pub(crate) now: u64,
    pub(crate) authorization: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) answer: Answer,
}

impl Trial {
    pub(crate) fn new(kind: Kind, adjust: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::of(kind);
        options.limits.service_ms = 0;
        adjust(&mut options);
        let authorization = match kind {
            // base64 of "any:sandbox-us1".
            Kind::Mailchimp => "Basic YW55OnNhbmRib3gtdXMx".to_owned(),
            _ => format!("Bearer {}", options.credential),
        };
        Self { world: World::new(kind, options), now: NOW, authorization, headers: Vec::new() }
    }

    pub(crate) fn call(&mut self, method: &str, path: &str, body: &Value) -> Said {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        self.raw(method, path, body)
    }

    pub(crate) fn get(&mut self, path: &str) -> Said {
        self.raw("GET", path, Bytes::new())
    }

    pub(crate) fn raw(&mut self, method: &str, path: &str, body: impl Into<Bytes>) -> Said {
        let mut request = Request::builder().method(method).uri(path).header("host", "vendor.test");
        if !self.authorization.is_empty() {
            request = request.header("authorization", &self.authorization);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let answer = self.world.serve(&request.body(body.into()).unwrap(), self.now);
        let body = serde_json::from_slice(answer.response.body()).unwrap_or(Value::Null);
        Said { status: answer.response.status().as_u16(), body, answer }
    }
}

impl Said {
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.answer.response.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether the caller got to see the answer.
    pub(crate) fn seen(&self) -> bool {
        matches!(self.answer.manner, Manner::Whole { .. } | Manner::Drip { .. })
    }

    #[track_caller]
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.body
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no text at {pointer}: {}", self.body))
    }
}
