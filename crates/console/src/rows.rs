//! Rows as shown: flat, with times in RFC 3339 and levels as `v3` (or `v3+1` for the first repetition).

use canonical::{Fact, Wall};
use ledger::{Intent, IntentState, Obligation, Reason, Subject, Waiting};
use serde::Serialize;
use store::Attempt;

use crate::keys;
use crate::mask::{Mask, without_addresses};

/// A page of a list.
#[derive(Serialize)]
pub(crate) struct Items<T> {
    /// The rows, newest first.
    pub(crate) items: Vec<T>,
    /// `before` of the next page; null on the last.
    pub(crate) next: Option<i64>,
}

/// A moment as shown.
pub(crate) fn time(at: Wall) -> String {
    at.to_string()
}

/// Why something stands where it stands.
#[derive(Serialize)]
pub(crate) struct Why {
    /// For people.
    pub(crate) reason: Option<String>,
    pub(crate) class: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) field: Option<String>,
    pub(crate) fingerprint: Option<String>,
}

impl Why {
    pub(crate) fn of(reason: Option<&Reason>) -> Self {
        let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Self {
            reason: reason.and_then(|reason| text(&reason.message)).map(|said| without_addresses(&said)),
            class: reason.and_then(|reason| text(&reason.class)),
            code: reason.and_then(|reason| reason.code.clone()),
            field: reason.and_then(|reason| reason.field.clone()),
            fingerprint: reason.and_then(|reason| text(&reason.fingerprint)),
        }
    }
}

/// What a parked delivery waits for.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "for")]
pub(crate) enum WaitingRow {
    Link { record: String, object: String, until: String },
    Operator,
}

/// A delivery.
#[derive(Serialize)]
pub(crate) struct DeliveryRow {
    pub(crate) key: String,
    pub(crate) system: String,
    pub(crate) object: String,
    pub(crate) entity: String,
    pub(crate) record: String,
    /// The event, when it is about one.
    pub(crate) event: Option<String>,
    pub(crate) route: String,
    pub(crate) state: &'static str,
    pub(crate) lane: &'static str,
    pub(crate) wanted: String,
    pub(crate) reached: String,
    pub(crate) attempts: u32,
    /// Not before.
    pub(crate) due: String,
    /// When the oldest level not yet reached was raised.
    pub(crate) since: String,
    /// Levels folded into one.
    pub(crate) folded: u32,
    pub(crate) waiting: Option<WaitingRow>,
    #[serde(flatten)]
    pub(crate) why: Why,
    pub(crate) trace: String,
}

impl DeliveryRow {
    pub(crate) fn of(row: &Obligation) -> Self {
        let waiting = row.waiting.as_ref().map(|waiting| match waiting {
            Waiting::Link { record, object, until } => WaitingRow::Link {
                record: record.to_string(),
                object: object.to_string(),
                until: time(*until),
            },
            Waiting::Operator => WaitingRow::Operator,
        });
        Self {
            key: keys::shown(&row.key),
            system: row.system.to_string(),
            object: row.object.to_string(),
            entity: row.entity.to_string(),
            record: row.record.to_string(),
            event: match row.key.subject {
                Subject::Event(event) => Some(event.to_string()),
                Subject::Record(_) => None,
            },
            route: row.key.route.to_string(),
            state: row.state.name(),
            lane: row.lane.name(),
            wanted: row.wanted.to_string(),
            reached: row.reached.to_string(),
            attempts: row.attempts,
            due: time(row.due),
            since: time(row.raised_at),
            folded: row.folded,
            waiting,
            why: Why::of(row.reason.as_ref()),
            trace: row.trace.clone(),
        }
    }
}

/// A rendered request on its way, without its content.
#[derive(Serialize)]
pub(crate) struct IntentRow {
    /// Its text is the idempotency key sent to the target.
    pub(crate) id: String,
    pub(crate) system: String,
    pub(crate) object: String,
    pub(crate) operation: String,
    /// How the operation can be repeated.
    pub(crate) idempotency: &'static str,
    pub(crate) level: String,
    pub(crate) state: &'static str,
    pub(crate) external_id: Option<String>,
    pub(crate) sends: u32,
    pub(crate) probes: u32,
    pub(crate) created_at: String,
    pub(crate) arrives_until: String,
    pub(crate) closed_at: Option<String>,
    pub(crate) outcome: Option<&'static str>,
    pub(crate) reason: Option<String>,
    pub(crate) trace: String,
    /// Which others went in the same request; absent when none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) batch: Option<BatchRow>,
}

/// A request's place in a batch.
#[derive(Serialize)]
pub(crate) struct BatchRow {
    pub(crate) id: String,
    /// From 1.
    pub(crate) place: u32,
    pub(crate) of: u32,
}

impl IntentRow {
    pub(crate) fn of(intent: &Intent, mask: &Mask<'_>) -> Self {
        Self {
            id: intent.id.to_string(),
            system: intent.system.to_string(),
            object: intent.object.to_string(),
            operation: intent.operation.clone(),
            idempotency: intent.class.name(),
            level: intent.level.to_string(),
            state: intent_state(intent.state),
            external_id: intent.external_id.as_deref().map(|id| mask.external_id(id)),
            sends: intent.sends,
            probes: intent.probes,
            created_at: time(intent.created_at),
            arrives_until: time(intent.arrives_until),
            closed_at: intent.closed_at.map(time),
            outcome: intent.outcome.map(ledger::Class::name),
            reason: intent.reason.as_ref().map(|reason| reason.message.clone()),
            trace: intent.trace.clone(),
            batch: intent.batch.map(|batch| BatchRow {
                id: batch.id.to_string(),
                place: batch.place.saturating_add(1),
                of: batch.of,
            }),
        }
    }
}

const fn intent_state(state: IntentState) -> &'static str {
    match state {
        IntentState::Open => "open",
        IntentState::Doubtful => "doubtful",
        IntentState::Closed => "closed",
    }
}

/// A send or probe that did not simply succeed.
#[derive(Serialize)]
pub(crate) struct AttemptRow {
    pub(crate) at: String,
    pub(crate) intent: String,
    pub(crate) delivery: String,
    pub(crate) system: String,
    pub(crate) operation: String,
    pub(crate) probe: bool,
    pub(crate) class: &'static str,
    pub(crate) detail: String,
    pub(crate) code: Option<String>,
    pub(crate) field: Option<String>,
    pub(crate) took_ms: u64,
}

impl AttemptRow {
    pub(crate) fn of(attempt: &Attempt) -> Self {
        Self {
            at: time(attempt.at),
            intent: attempt.intent.to_string(),
            delivery: keys::shown(&attempt.obligation),
            system: attempt.system.to_string(),
            operation: attempt.operation.clone(),
            probe: attempt.probe,
            class: attempt.class.name(),
            detail: attempt.reason.message.clone(),
            code: attempt.reason.code.clone(),
            field: attempt.reason.field.clone(),
            took_ms: attempt.took_ms,
        }
    }
}

/// An event in a list: what changed by name, without values.
#[derive(Serialize)]
pub(crate) struct EventRow {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) entity: String,
    pub(crate) record: String,
    pub(crate) version: i64,
    pub(crate) source: String,
    pub(crate) at: String,
    pub(crate) changed: Vec<String>,
    pub(crate) trace: String,
}

impl EventRow {
    pub(crate) fn of(fact: &Fact) -> Self {
        Self {
            id: fact.id.to_string(),
            kind: fact.kind.clone(),
            entity: fact.entity.to_string(),
            record: fact.record.to_string(),
            version: fact.version,
            source: fact.source.to_string(),
            at: time(fact.at),
            changed: fact.data.keys().cloned().collect(),
            trace: fact.trace.clone(),
        }
    }
}
