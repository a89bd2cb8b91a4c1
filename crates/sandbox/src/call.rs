//! One request as a vendor's code reads it: path cut into segments, query, JSON body.

use std::borrow::Cow;

use http::header;
use serde_json::Value;

use crate::fault::Rule;
use crate::request::{Request, decode, parameter};

/// A request being served.
#[derive(Debug)]
pub(crate) struct Call<'r> {
    pub(crate) request: &'r Request,
    pub(crate) now_ms: u64,
    /// Probability with which each record of a batch fails.
    pub(crate) partial: Option<f64>,
    /// A job ends before its time, after this share of its records.
    pub(crate) failed_job: Option<f64>,
    /// Rules of the customer's own that refuse records.
    pub(crate) rules: &'r [Rule],
    /// A late effect: authentication and quotas were passed when it was sent.
    pub(crate) late: bool,
    /// The static credential is refused this once.
    pub(crate) expired: bool,
}

impl<'r> Call<'r> {
    pub(crate) fn path(&self) -> &'r str {
        self.request.uri().path()
    }

    pub(crate) fn segments(&self) -> Vec<Cow<'r, str>> {
        let trimmed = self.path().trim_matches('/');
        if trimmed.is_empty() {
            return Vec::new();
        }
        let plain = |part: &'r str| {
            if part.contains('%') { Cow::Owned(decode(part, false)) } else { Cow::Borrowed(part) }
        };
        trimmed.split('/').map(plain).collect()
    }

    pub(crate) fn query(&self, name: &str) -> Option<String> {
        parameter(self.request.uri().query()?, name)
    }

    /// A whole number from the query; a value that is none, or is out of bounds, is the error.
    pub(crate) fn count(&self, name: &str, default: u64, max: u64) -> Result<u64, String> {
        let Some(given) = self.query(name) else { return Ok(default) };
        match given.parse::<u64>() {
            Ok(count) if count <= max => Ok(count),
            _ => Err(format!("{name} must be a whole number of at most {max}, not {given:?}")),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&'r str> {
        self.request.headers().get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn bearer(&self) -> Option<&'r str> {
        let value = self.header(header::AUTHORIZATION.as_str())?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    pub(crate) fn body(&self) -> Result<Value, String> {
        serde_json::from_slice(self.request.body()).map_err(|error| format!("the body is no JSON: {error}"))
    }

    pub(crate) fn form(&self) -> Cow<'r, str> {
        String::from_utf8_lossy(self.request.body())
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.header("host").unwrap_or("sandbox.invalid"))
    }
}
