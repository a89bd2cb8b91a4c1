//! Merges and splits of records, as they are planned and shown. Names and rules only, no values (I15).

use std::collections::BTreeMap;

use canonical::{Alive, ExternalRef, Field, RecordId};
use ledger::{Action, Job, Reshape, Side};
use serde::Serialize;
use web::{Problem, kinds};

use super::Wanted;
use crate::desk::Desk;
use crate::mask::Mask;

/// What a plan about two records shows.
#[derive(Serialize)]
pub(super) struct ReshapeRow {
    /// The record that stays.
    keep: String,
    /// The record that is merged into it, or was.
    gone: String,
    /// Fields for which whoever planned it chose.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    prefer: BTreeMap<String, &'static str>,
    /// The versions that the plan was made for.
    versions: [i64; 2],
    /// What the job waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits: Option<String>,
    fields: Vec<FieldRow>,
    objects: Vec<ObjectRow>,
    writes: Vec<WriteRow>,
    events: Vec<EventRow>,
    by_hand: Vec<String>,
    irreversible: Vec<String>,
}

#[derive(Serialize)]
struct FieldRow {
    record: String,
    field: String,
    /// `keep`, `gone` or `both`.
    takes: &'static str,
    why: String,
}

#[derive(Serialize)]
struct ObjectRow {
    object: String,
    /// `stays`, `moves`, `duplicate_there`, `returns` or `lost`.
    becomes: &'static str,
    record: String,
}

#[derive(Serialize)]
struct WriteRow {
    record: String,
    route: String,
    system: String,
    object: String,
    /// Null: one is made.
    id: Option<String>,
    fields: Vec<String>,
}

#[derive(Serialize)]
struct EventRow {
    event: String,
    record: String,
    /// By which routes, each as `route → system`.
    told: Vec<String>,
}

impl ReshapeRow {
    /// As shown: an object's id may be somebody's address.
    pub(super) fn of(job: &Job, mask: &Mask<'_>) -> Option<Self> {
        let Reshape { keep, gone, prefer, versions, shown, waits } = job.reshape.as_deref()?;
        let field = |line: &ledger::FieldLine| FieldRow {
            record: line.record.to_string(),
            field: line.field.to_string(),
            takes: line.takes.map_or("both", Side::name),
            why: line.why.clone(),
        };
        let object = |line: &ledger::ObjectLine| ObjectRow {
            object: named(&line.object, mask),
            becomes: line.fate.name(),
            record: line.record.to_string(),
        };
        let write = |line: &ledger::WriteLine| WriteRow {
            record: line.record.to_string(),
            route: line.route.to_string(),
            system: line.system.to_string(),
            object: line.object.to_string(),
            id: line.external_id.as_deref().map(|id| mask.external_id(id)),
            fields: line.fields.clone(),
        };
        let event = |line: &ledger::EventLine| EventRow {
            event: line.kind.clone(),
            record: line.record.to_string(),
            told: line.told.iter().map(|(route, system)| format!("{route} → {system}")).collect(),
        };
        Some(Self {
            keep: keep.to_string(),
            gone: gone.to_string(),
            prefer: prefer.iter().map(|(field, side)| (field.to_string(), side.name())).collect(),
            versions: [versions.0, versions.1],
            waits: waits.clone(),
            fields: shown.fields.iter().map(field).collect(),
            objects: shown.objects.iter().map(object).collect(),
            writes: shown.writes.iter().map(write).collect(),
            events: shown.events.iter().map(event).collect(),
            by_hand: shown.by_hand.iter().map(|text| masked(text, job, mask)).collect(),
            irreversible: shown.irreversible.iter().map(|text| masked(text, job, mask)).collect(),
        })
    }
}

fn named(object: &ExternalRef, mask: &Mask<'_>) -> String {
    format!("{}:{}/{}", object.system, object.object, mask.external_id(&object.id))
}

/// A text in which objects are named by their ids.
fn masked(text: &str, job: &Job, mask: &Mask<'_>) -> String {
    let objects = job.reshape.iter().flat_map(|reshape| &reshape.shown.objects);
    objects.fold(text.to_owned(), |text, line| {
        let id = &line.object.id;
        let shown = mask.external_id(id);
        if shown == *id { text } else { text.replace(id, &shown) }
    })
}

/// What is to be planned about two records.
pub(super) struct Asked {
    pub(super) records: (RecordId, RecordId),
    pub(super) prefer: BTreeMap<Field, Side>,
}

/// Reads it. Of a split the record that stays need not be named: it is the one that the other was merged into.
pub(super) async fn read(desk: &Desk, action: Action, wanted: &Wanted) -> Result<Asked, Problem> {
    let malformed = |detail: String| Problem::new(kinds::MALFORMED, detail);
    let record = |name: &str, text: &Option<String>| -> Result<Option<RecordId>, Problem> {
        let Some(text) = text else { return Ok(None) };
        let wrong = |_| malformed(format!("`{name}`: write a record's id: `rec_` and 32 hexadecimal digits"));
        text.parse().map(Some).map_err(wrong)
    };
    let needed = |name: &str| malformed(format!("`{name}`: name the record"));
    let gone = record("gone", &wanted.gone)?.ok_or_else(|| needed("gone"))?;
    let keep = match (record("keep", &wanted.keep)?, action) {
        (Some(keep), _) => keep,
        (None, Action::Split) => into(desk, gone).await?,
        (None, _) => return Err(needed("keep")),
    };
    let mut prefer = BTreeMap::new();
    for (name, side) in &wanted.prefer {
        let field = Field::new(name).map_err(|error| malformed(format!("`prefer`: {error}")))?;
        let side = match side.as_str() {
            "keep" => Side::Keep,
            "gone" => Side::Gone,
            other => return Err(malformed(format!("`prefer`: {name}: write keep or gone, not {other:?}"))),
        };
        prefer.insert(field, side);
    }
    if action == Action::Split && !prefer.is_empty() {
        return Err(malformed("`prefer`: a split gives back what each had: nothing is chosen".to_owned()));
    }
    Ok(Asked { records: (keep, gone), prefer })
}

/// The record that another was merged into. One that was not is its own: the plan says what is wrong with that.
async fn into(desk: &Desk, gone: RecordId) -> Result<RecordId, Problem> {
    let found = desk.record_named(&gone.to_string()).await?;
    Ok(match found.record.alive {
        Alive::Merged { into } => into,
        Alive::Live | Alive::Deleted { .. } => gone,
    })
}
