//! Orders: a person's reason, read and checked.

use std::time::Duration;

use axum::body::Body;
use http::HeaderMap;
use serde::Deserialize;
use web::body::Bound;
use web::{Caller, Flaw, Problem, kinds};

/// Bounds of an order's body.
const BOUND: Bound = Bound { bytes_max: 16 * 1024, within: Duration::from_secs(10) };
/// Longest reason, in characters.
const REASON_CHARS_MAX: usize = 500;
/// What is asked for where there is none.
pub(crate) const REASON_WANTED: &str = "write why, for the record: {\"reason\": \"…\"}";

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Given {
    #[serde(default)]
    reason: Option<String>,
}

/// The reason of an order that needs one, with who gives it.
///
/// # Errors
/// When there is none, or the body is not what is asked for.
pub(crate) async fn reason(caller: &Caller, headers: &HeaderMap, body: Body) -> Result<String, Problem> {
    let missing = || flawed(REASON_WANTED);
    optional_reason(caller, headers, body).await?.ok_or_else(missing)
}

/// The same where a reason may be left out.
pub(crate) async fn optional_reason(
    caller: &Caller,
    headers: &HeaderMap,
    body: Body,
) -> Result<Option<String>, Problem> {
    let bytes = web::body::read(headers, body, BOUND).await?;
    let given: Given = if bytes.is_empty() {
        Given::default()
    } else {
        let wanted = "the body must be a JSON object with `reason`, a text, and nothing else";
        serde_json::from_slice(&bytes).map_err(|_| Problem::new(kinds::MALFORMED, wanted))?
    };
    with_caller(caller, given.reason.as_deref())
}

/// A reason that was read, with who gives it; an empty one counts as none.
pub(crate) fn with_caller(caller: &Caller, reason: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(reason) = reason.map(str::trim).filter(|reason| !reason.is_empty()) else {
        return Ok(None);
    };
    if reason.chars().count() > REASON_CHARS_MAX || reason.chars().any(char::is_control) {
        return Err(flawed(&format!("write at most {REASON_CHARS_MAX} characters on one line")));
    }
    Ok(Some(format!("{}: {reason}", caller.name)))
}

pub(crate) fn flawed(detail: &str) -> Problem {
    let flaw = Flaw { detail: detail.to_owned(), pointer: "/reason".to_owned() };
    Problem::new(kinds::MALFORMED, format!("`reason`: {detail}")).errors(vec![flaw])
}
