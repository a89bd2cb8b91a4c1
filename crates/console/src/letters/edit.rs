//! Edit and retry. What came, or what would have been said, is kept beside what a person put in its place, with who and
//! why.
//!
//! Of a quarantined message a correction is made, which is taken in by the rules that held for what came: an owner's
//! word, and a newer one, count as ever. A dead delivery says other values at some paths, for the level that is wanted of it.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State as Shared;
use canonical::{Fields, Object};
use connector::{Observation, Seen};
use http::HeaderMap;
use hub::{Delivery, MachineId, Order};
use intake::{Message, MessageState};
use ledger::Obligation;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::browse::RecordSheet;
use web::{Caller, Problem, kinds};

use super::{LetterSheet, moved_on, sheet};
use crate::asked::Named;
use crate::desk::{Desk, nothing};
use crate::keys::{self, Letter};
use crate::mask::Mask;
use crate::order::{self, Given};
use crate::rows::time;

/// What is to be different.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Different {
    #[serde(default)]
    reason: Option<String>,
    /// Path → value: of the source's object for a message, of the target's for a delivery.
    #[serde(default)]
    set: Fields,
    /// Paths that a message should not have.
    #[serde(default)]
    unset: Vec<String>,
    /// Of a message that could not be read: the kind of object it is about.
    #[serde(default)]
    object: Option<String>,
    /// And its id.
    #[serde(default)]
    external_id: Option<String>,
}

impl Given for Different {
    const WANTED: &'static str = "the body must be a JSON object with `reason`, `set` (path → value) and perhaps `unset`, \
                                  `object` and `external_id`";
    fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

/// What a person ordered a delivery to say.
#[derive(Serialize)]
pub(crate) struct EditRow {
    at: String,
    /// Who, and why.
    reason: String,
    level: String,
    /// Whether it is of the level that is wanted now.
    counts: bool,
    values: Vec<ValueRow>,
}

#[derive(Serialize)]
struct ValueRow {
    path: String,
    value: Value,
    /// What would have been said; nothing when nothing was.
    before: Value,
}

/// The edits of a delivery, the newest first.
pub(super) fn edits(row: &Obligation, record: Option<&RecordSheet>, mask: &Mask<'_>) -> Vec<EditRow> {
    let here = (&row.system, &row.object);
    let shadows = record.into_iter().flat_map(|sheet| &sheet.shadows);
    let edits = shadows.filter(|shadow| (&shadow.system, &shadow.object) == here).flat_map(|of| &of.edits);
    let shown = |edit: &ledger::Edit| EditRow {
        at: time(edit.at),
        reason: edit.why.clone(),
        level: edit.level.to_string(),
        counts: edit.level == row.wanted,
        values: edit
            .values
            .iter()
            .map(|(path, value)| ValueRow {
                path: path.clone(),
                value: mask.at_target(&row.entity, here, path, value),
                before: mask.at_target(
                    &row.entity,
                    here,
                    path,
                    edit.before.get(path).unwrap_or(&Value::Null),
                ),
            })
            .collect(),
    };
    edits.filter(|edit| edit.is_of(row)).rev().map(shown).collect()
}

/// The names of what a message said, without values: what can be corrected.
pub(super) fn paths(message: &Message) -> Vec<String> {
    match said(message) {
        Some(Observation { seen: Seen::State { fields }, .. }) => {
            let mut names = Vec::new();
            named("", &fields, &mut names);
            names
        }
        _ => Vec::new(),
    }
}

fn named(above: &str, fields: &Fields, names: &mut Vec<String>) {
    for (name, value) in fields {
        let path = format!("{above}{name}");
        match value {
            Value::Object(inner) if !inner.is_empty() => named(&format!("{path}."), inner, names),
            _ => names.push(path),
        }
    }
}

fn said(message: &Message) -> Option<Observation> {
    message.read.then(|| serde_json::from_slice(&message.raw).ok()).flatten()
}

pub(crate) async fn edit(
    Shared(desk): Shared<Arc<Desk>>,
    caller: Caller,
    Named(key): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<LetterSheet>, Problem> {
    let (given, reason) = order::read::<Different>(&caller, &headers, body).await?;
    let letter = keys::letter(desk.hub.tenant(), &key).ok_or_else(|| nothing("dead letter"))?;
    if given.set.is_empty() && given.unset.is_empty() {
        return Err(malformed("`set`: say what should be different"));
    }
    let (machine, order) = match letter {
        Letter::Delivery(delivery) => {
            if !given.unset.is_empty() || given.object.is_some() || given.external_id.is_some() {
                let said = "of a delivery only values can be set: `set`, with null for nothing";
                return Err(malformed(said));
            }
            let file = desk.delivery(delivery.clone()).await?;
            let (row, _, _) = file.ok_or_else(|| nothing("dead letter"))?;
            let delivery = Delivery { key: delivery, record: row.record, object: row.object };
            let order = Order::Edit { delivery, values: given.set, reason: reason.clone() };
            (MachineId::Spoke(row.system), order)
        }
        Letter::Message(id) => {
            let message = desk.message(id).await?.ok_or_else(|| nothing("dead letter"))?;
            if message.state != MessageState::Quarantined {
                return Err(moved_on("message", message.state.name(), "quarantined"));
            }
            let corrected = Box::new(corrected(&desk, message, given)?);
            (MachineId::Intake, Order::Correct { message: id, corrected, reason: reason.clone() })
        }
    };
    desk.order(&machine, order).await?;
    let tenant = desk.hub.tenant();
    tracing::info!(target: "concord", %tenant, class = "edited", letter = key, detail = reason, "a person edited a dead letter");
    sheet(&desk, &key, &Mask::closed(&desk.configuration)).await.map(Json)
}

/// The message as it should have been.
fn corrected(desk: &Desk, message: Message, given: Different) -> Result<Message, Problem> {
    if hub::Stated::from_kept(&message).is_some() {
        let said =
            "it is a line of an import: retry or discard it, and import a line that is as it should be";
        return Err(Problem::new(kinds::CONFLICT, said));
    }
    let mut observation = match said(&message) {
        Some(_) if given.object.is_some() || given.external_id.is_some() => {
            return Err(malformed(
                "what the message is about could be read, and stays: leave `object` and `external_id` out",
            ));
        }
        Some(observation) => observation,
        None => by_hand(&message, &given)?,
    };
    let Seen::State { fields } = &mut observation.seen else {
        let said = "the message says no values (it is a hint, a deletion or a merge): retry or discard it";
        return Err(Problem::new(kinds::CONFLICT, said));
    };
    for path in &given.unset {
        if !unset(fields, path) {
            return Err(malformed(&format!("`unset`: the message has nothing at {path}")));
        }
    }
    for (path, value) in given.set {
        set(fields, &path, value)?;
    }
    let inbound = desk.configuration.inbound(&message.source, &observation.object);
    let Some((mapping, _)) = inbound else {
        let said = format!("no mapping reads {}/{}: add one first", message.source, observation.object);
        return Err(Problem::new(kinds::CONFLICT, said));
    };
    if let Err(misfit) = mapping.normalise(fields) {
        return Err(Problem::new(
            kinds::CONFLICT,
            format!("corrected like this it still does not fit: {misfit}"),
        ));
    }
    let raw = serde_json::to_vec(&observation)
        .map_err(|_| Problem::new(kinds::INTERNAL, "the correction can't be written as JSON"))?;
    let about = canonical::ExternalRef {
        system: message.source.clone(),
        object: observation.object,
        id: observation.external_id,
    };
    Ok(Message { raw, read: true, about: Some(about), ..message })
}

/// What could not be read is said by hand.
fn by_hand(message: &Message, given: &Different) -> Result<Observation, Problem> {
    let wanted = "the message could not be read: say with `object` and `external_id` what it is about, and all of its values with \
                  `set`";
    let (Some(object), Some(external_id)) = (&given.object, &given.external_id) else {
        return Err(malformed(wanted));
    };
    let object = Object::new(object).map_err(|error| malformed(&format!("`object`: {error}")))?;
    Ok(Observation {
        version: None,
        object,
        external_id: external_id.clone(),
        seen: Seen::State { fields: Fields::new() },
        order: None,
        event_id: None,
        occurred_at: None,
        changed_at: None,
        trace: Some(message.trace.clone()),
    })
}

fn set(fields: &mut Fields, path: &str, value: Value) -> Result<(), Problem> {
    match path.split_once('.') {
        None => drop(fields.insert(path.to_owned(), value)),
        Some((name, rest)) => {
            let inner = fields.entry(name).or_insert_with(|| Value::Object(Fields::new()));
            let Value::Object(inner) = inner else {
                return Err(malformed(&format!(
                    "`set`: there is a single value at {name}: nothing can be inside it"
                )));
            };
            set(inner, rest, value)?;
        }
    }
    Ok(())
}

fn unset(fields: &mut Fields, path: &str) -> bool {
    match path.split_once('.') {
        None => fields.remove(path).is_some(),
        Some((name, rest)) => {
            fields.get_mut(name).and_then(Value::as_object_mut).is_some_and(|inner| unset(inner, rest))
        }
    }
}

fn malformed(detail: &str) -> Problem {
    Problem::new(kinds::MALFORMED, detail)
}
