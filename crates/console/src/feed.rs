//! What changes about systems, as CloudEvents: a feed that whoever listens asks for again and again, from where the last
//! answer ended. It is the journal, oldest first, so that nothing is missed while a listener or the hub is down.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use canonical::{CloudEvent, System};
use serde::Serialize;
use serde_json::{Value, json};
use store::Change;
use web::{Problem, kinds};

use crate::asked::{Asked, bad, expect};
use crate::desk::Desk;
use crate::rows::time;

/// Longest wait for the first event, in seconds.
const WAIT_MAX: u64 = 25;
/// When to ask again where too many wait.
const AGAIN: Duration = Duration::from_secs(2);

/// Events and where to go on.
#[derive(Serialize)]
pub(crate) struct Feed {
    /// In the order in which they came to be.
    events: Vec<Value>,
    /// `after` of the next question.
    next: i64,
}

/// What came after a position; without one, what comes from now on.
pub(crate) async fn get(
    State(desk): State<Arc<Desk>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Feed>, Problem> {
    let asked = Asked::read(query.as_deref(), &["system", "after", "limit", "wait"])?;
    let (system, limit) = (asked.system("system")?, asked.part()?.limit);
    let (after, wait) = (asked.after()?, wait(&asked)?);
    let systems = desk.configuration.systems.keys().map(System::as_str);
    expect("system", system.as_ref().map(System::as_str), systems)?;
    let after = match after {
        Some(after) => after,
        None => desk.changes(None, None, 1).await?.first().map_or(0, |(newest, _)| *newest),
    };
    let Some(watch) = desk.hub.watch() else {
        let detail = "too many requests wait already: ask again, or without `wait`";
        return Err(Problem::new(kinds::BUSY, detail).retry_after(AGAIN));
    };
    // 0 is before all that is kept.
    let rows = watch.changes(system, Some(after).filter(|after| *after > 0), limit, wait).await;
    let rows = rows.map_err(|error| Problem::new(kinds::BUSY, error.to_string()).retry_after(AGAIN))?;
    let next = rows.last().map_or(after, |(position, _)| *position);
    let events = rows.iter().map(|(position, change)| event(*position, change).to_json()).collect();
    Ok(Json(Feed { events, next }))
}

fn wait(asked: &Asked) -> Result<Duration, Problem> {
    match asked.text("wait").map(str::parse::<u64>) {
        None => Ok(Duration::ZERO),
        Some(Ok(seconds)) if seconds <= WAIT_MAX => Ok(Duration::from_secs(seconds)),
        Some(_) => Err(bad("wait", format!("write a whole number of seconds, at most {WAIT_MAX}"))),
    }
}

/// A line of the journal as a CloudEvent.
fn event(position: i64, change: &Change) -> CloudEvent {
    CloudEvent {
        id: position.to_string(),
        source: format!("concord/{}", change.tenant),
        kind: format!("concord.system.{}", change.what),
        subject: Some(change.system.to_string()),
        time: Some(time(change.at)),
        datacontenttype: Some("application/json".to_owned()),
        dataschema: None,
        sequence: None,
        partitionkey: None,
        traceparent: None,
        data: Some(json!({
            "system": change.system.as_str(),
            "about": Some(&change.about).filter(|about| !about.is_empty()),
            "why": Some(&change.why).filter(|why| !why.is_empty()),
        })),
    }
}
