//! Orders: a person's reason, read and checked.

use std::time::Duration;

use axum::body::Body;
use http::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use web::body::Bound;
use web::{Caller, Flaw, Problem, kinds};

/// Bounds of an order's body.
pub(crate) const BOUND: Bound = Bound { bytes_max: 16 * 1024, within: Duration::from_secs(10) };
/// Longest reason, in characters.
const REASON_CHARS_MAX: usize = 500;

/// The body of an order.
pub(crate) trait Given: DeserializeOwned + Default {
    /// What the body must be, for people.
    const WANTED: &'static str;
    /// Why it is ordered.
    fn reason(&self) -> Option<&str>;
}

/// Nothing but a reason.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plain {
    #[serde(default)]
    reason: Option<String>,
}

impl Given for Plain {
    const WANTED: &'static str = "the body must be a JSON object with `reason`, a text, and nothing else";
    fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

/// What is ordered, with who orders it and why.
///
/// # Errors
/// When there is no reason, or the body is not what is asked for.
pub(crate) async fn read<G: Given>(
    caller: &Caller,
    headers: &HeaderMap,
    body: Body,
) -> Result<(G, String), Problem> {
    let (given, reason) = optional(caller, headers, body).await?;
    Ok((given, reason.ok_or_else(missing)?))
}

/// The same, where the body may be larger.
pub(crate) async fn read_within<G: Given>(
    caller: &Caller,
    headers: &HeaderMap,
    body: Body,
    bound: Bound,
) -> Result<(G, String), Problem> {
    let (given, reason) = given::<G>(caller, headers, body, bound).await?;
    Ok((given, reason.ok_or_else(missing)?))
}

/// The reason of an order that needs one, with who gives it.
///
/// # Errors
/// When there is none, or the body is not what is asked for.
pub(crate) async fn reason(caller: &Caller, headers: &HeaderMap, body: Body) -> Result<String, Problem> {
    read::<Plain>(caller, headers, body).await.map(|(_, reason)| reason)
}

/// A reason is wanted, and there is none.
fn missing() -> Problem {
    flawed("write why, for the record: {\"reason\": \"…\"}")
}

/// What is ordered, where a reason may be left out.
pub(crate) async fn optional<G: Given>(
    caller: &Caller,
    headers: &HeaderMap,
    body: Body,
) -> Result<(G, Option<String>), Problem> {
    given(caller, headers, body, BOUND).await
}

async fn given<G: Given>(
    caller: &Caller,
    headers: &HeaderMap,
    body: Body,
    bound: Bound,
) -> Result<(G, Option<String>), Problem> {
    let bytes = web::body::read(headers, body, bound).await?;
    let given = if bytes.is_empty() {
        G::default()
    } else {
        serde_json::from_slice(&bytes).map_err(|_| Problem::new(kinds::MALFORMED, G::WANTED))?
    };
    let reason = checked(caller, given.reason())?;
    Ok((given, reason))
}

/// A reason as it is kept, with who gives it; `None` when it is blank.
fn checked(caller: &Caller, reason: Option<&str>) -> Result<Option<String>, Problem> {
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
