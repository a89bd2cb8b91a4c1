//! `POST /v1/events`: `CloudEvents` 1.0 over HTTP, in binary, structured and batched mode; the answer may wait for a
//! delivery.

mod envelope;
mod wait;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use canonical::{CloudEvent, System};
use connector::Connector;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hub::{Arrival, Busy, Taken, TakenAs};
use serde::Serialize;
use telemetry::Refused;
use web::body::Held;
use web::{Caller, Problem, RequestId, kinds};

use crate::app::{App, Speaker};
use crate::keys::{self, Begun};
use wait::{Delivered, Wanted};

/// When to try to wait again.
const WAITS_AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// The answer to a request that was taken in.
#[derive(Serialize)]
struct Receipt<'a> {
    request_id: &'a str,
    /// One per event, in their order.
    results: Vec<Outcome>,
}

/// What became of one event.
#[derive(Serialize)]
struct Outcome {
    /// The event's own id.
    id: String,
    /// `accepted`, `duplicate` or `quarantined`.
    outcome: &'static str,
    /// The stored message, when one was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    /// Why it needs a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// How it stands at the systems that were waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<Vec<Delivered>>,
}

pub(crate) async fn post(
    State(app): State<Arc<App>>,
    id: RequestId,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let (system, speaker) = app.speaker(&caller)?;
    app.paced(system, &speaker.pace)?;
    let (parts, raw) = request.into_parts();
    let (raw, room) = app.body(system, &parts, raw).await?;
    let events =
        envelope::read(&parts.headers, &raw, app.limits).map_err(|problem| app.unread(system, problem))?;
    let wanted =
        Wanted::read(parts.uri.query(), &app.systems).map_err(|problem| app.unread(system, problem))?;
    let now = app.hub.now().mono;
    let begun = match keys::key(&parts.headers).map_err(|problem| app.unread(system, problem))? {
        None => None,
        Some(key) => match app.keys.begin(system, key, fingerprint(&parts.headers, &raw), now) {
            Ok(Begun::First(open)) => Some(open),
            Ok(Begun::Replay(answer)) => return Ok(answered(StatusCode::ACCEPTED, answer, true)),
            Err(problem) => {
                let busy = problem.kind() == kinds::BUSY;
                app.refused(Some(system), if busy { Refused::Busy } else { Refused::KeyReused });
                return Err(problem);
            }
        },
    };
    let ids: Vec<String> = events.iter().map(|event| event.id.clone()).collect();
    let arrivals: Vec<Arrival> = events.into_iter().map(|event| arrival(&speaker.connector, event)).collect();
    let (taken, deliveries) = app.take(system, arrivals, (raw, room), wanted).await?;
    let status = match &deliveries {
        Some(deliveries) if Delivered::all(deliveries) => StatusCode::OK,
        _ => StatusCode::ACCEPTED,
    };
    let mut deliveries = deliveries.map(Vec::into_iter);
    let results = ids.into_iter().zip(taken).map(|(id, taken)| {
        let deliveries = deliveries.as_mut().and_then(Iterator::next);
        outcome(id, taken, deliveries)
    });
    let results = results.collect();
    // Texts only: it cannot fail.
    let answer = Bytes::from(serde_json::to_vec(&Receipt { request_id: &id.0, results }).unwrap_or_default());
    if let Some(open) = begun {
        open.finish(answer.clone(), app.hub.now().mono);
    }
    Ok(answered(status, answer, false))
}

/// An event as the connector reads it. One that it cannot place is kept for a person: the sender's part was right.
fn arrival(connector: &Connector, event: CloudEvent) -> Arrival {
    match connector.read_cloud_event(&event) {
        Ok(observation) => Arrival::Read(observation),
        Err(why) => {
            let raw = serde_json::to_vec(&event.to_json()).unwrap_or_default();
            // As the connector makes it: unique together (CloudEvents 1.0, section 3.1.1).
            let event_id = Some(format!("{}#{}", event.source, event.id));
            Arrival::Garbled { why, raw, event_id }
        }
    }
}

fn outcome(id: String, taken: Taken, deliveries: Option<Vec<Delivered>>) -> Outcome {
    let (outcome, message) = match taken.how {
        TakenAs::Accepted => ("accepted", None),
        TakenAs::Duplicate => ("duplicate", None),
        TakenAs::Quarantined(why) => ("quarantined", Some(why)),
    };
    Outcome { id, outcome, message_id: taken.message.map(|id| id.to_string()), message, deliveries }
}

fn answered(status: StatusCode, answer: Bytes, replayed: bool) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if replayed {
        headers.insert(HeaderName::from_static("idempotent-replayed"), HeaderValue::from_static("true"));
    }
    (status, headers, answer).into_response()
}

/// What makes two requests the same: the body, and what else says something about the events.
fn fingerprint(headers: &HeaderMap, raw: &[u8]) -> blake3::Hash {
    let mut parts: Vec<(&str, &[u8])> = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("ce-") || *name == CONTENT_TYPE)
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    parts.sort_unstable();
    let mut hash = blake3::Hasher::new();
    for (name, value) in parts {
        for part in [name.as_bytes(), value] {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    hash.update(raw);
    hash.finalize()
}

impl App {
    /// Offers to the hub; waits for what is wanted of it.
    async fn take(
        &self,
        system: &System,
        arrivals: Vec<Arrival>,
        (raw, room): (Bytes, Held),
        wanted: Option<Wanted>,
    ) -> Result<(Vec<Taken>, Option<Vec<Vec<Delivered>>>), Problem> {
        if arrivals.is_empty() {
            return Ok((Vec::new(), None));
        }
        let Some(wanted) = wanted else {
            let taken = self.hub.offer_posted(system, arrivals, raw.len()).await;
            return Ok((taken.map_err(|busy| self.busy(system, busy))?, None));
        };
        let watch = self.hub.watch().ok_or_else(|| {
            let why = "too many requests wait for deliveries: send it again, or without `wait`".to_owned();
            self.busy(system, Busy { why, retry_after: WAITS_AGAIN, backlog: false })
        })?;
        let taken = self.hub.offer_watched(&watch, system, arrivals, raw.len()).await;
        let taken = taken.map_err(|busy| self.busy(system, busy))?;
        // Whoever waits long for a delivery takes no room from others meanwhile (I10).
        drop((raw, room));
        let deliveries = wanted.of(watch, &taken).await;
        Ok((taken, Some(deliveries)))
    }

    /// In whose name the caller speaks.
    fn speaker(&self, caller: &Caller) -> Result<(&System, &Speaker), Problem> {
        let system = caller.system.as_ref().and_then(|system| self.speakers.get_key_value(system));
        let (system, speaker) = system.ok_or_else(|| {
            self.refused(caller.system.as_ref(), Refused::Unauthorised);
            let detail =
                format!("token `{}` speaks for no system: give it one under `intake.clients`", caller.name);
            Problem::new(kinds::FORBIDDEN, detail)
        })?;
        if !speaker.connector.takes_cloud_events() {
            self.refused(Some(system), Refused::Unauthorised);
            let detail = format!(
                "the connector `{}` of system `{system}` reads no CloudEvents: use `cloudevents` for it",
                speaker.connector.name()
            );
            return Err(Problem::new(kinds::FORBIDDEN, detail));
        }
        Ok((system, speaker))
    }
}
