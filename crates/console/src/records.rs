//! Records: all that is known of one, for people who ask why.

pub(crate) mod explain;
mod fresh;
pub(crate) mod link;
pub(crate) mod settle;
mod timeline;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use canonical::{Absorbed, Alive, Entity, Fields, PiiClass, Record, RecordId};
use intake::Link;
use ledger::Shadow;
use serde::Serialize;
use serde_json::Value;
use store::browse::{RecordSheet, SHEET_ROWS_MAX};
use web::{Caller, Problem};

use crate::asked::{Asked, Named, bad};
use crate::desk::{Desk, nothing};
use crate::mask::Mask;
use crate::rows::{AttemptRow, DeliveryRow, IntentRow, time};
use fresh::{FreshRow, Wanted};
use timeline::{Moment, timeline};

/// Everything about a record.
#[derive(Serialize)]
pub(crate) struct Sheet {
    record: RecordRow,
    /// The record that was asked for was merged into this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_for: Option<MergedRow>,
    /// Records that were merged into it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    absorbed: Vec<MergedRow>,
    links: Vec<LinkRow>,
    shadows: Vec<ShadowRow>,
    deliveries: Vec<DeliveryRow>,
    intents: Vec<IntentRow>,
    attempts: Vec<AttemptRow>,
    /// What happened to it, the oldest first.
    timeline: Vec<Moment>,
    /// What a read through to a system came to, where one was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fresh: Vec<FreshRow>,
    /// False when it has more events, intents, attempts or decisions than fit: the newest of each are here.
    complete: bool,
}

#[derive(Serialize)]
struct RecordRow {
    id: String,
    entity: String,
    version: i64,
    schema: u32,
    /// `live`, `deleted` or `merged`.
    alive: &'static str,
    deleted_by: Option<String>,
    deleted_at: Option<String>,
    merged_into: Option<String>,
    created_at: String,
    updated_at: String,
    fields: Fields,
    /// Where each value came from, and who owns the field.
    provenance: BTreeMap<String, FieldRow>,
    /// What only one system knows, kept for it.
    extensions: BTreeMap<String, Fields>,
}

/// A record that was merged into another.
#[derive(Serialize)]
pub(crate) struct MergedRow {
    /// The record that was merged.
    record: String,
    /// Into which: directly, if that one was merged on.
    into: String,
    /// When, and by whom and why.
    at: String,
    why: String,
    /// Objects that came with it and are duplicates there: `system:object/id`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    duplicates: Vec<String>,
}

#[derive(Serialize)]
struct FieldRow {
    /// The system whose value wins; null: any that may write it.
    owner: Option<String>,
    /// The system that said it.
    system: Option<String>,
    event: Option<String>,
    at: Option<String>,
    /// Version of the mapping that read it.
    mapping: Option<u32>,
    pii: PiiClass,
    masked: bool,
}

#[derive(Serialize)]
pub(crate) struct LinkRow {
    system: String,
    object: String,
    id: String,
    instance: String,
    created_at: String,
}

/// One value at one object, as last written or seen.
#[derive(Serialize)]
struct ShadowRow {
    system: String,
    object: String,
    id: Option<String>,
    /// The path there.
    field: String,
    value: Value,
    /// False after a write that ended in doubt.
    known: bool,
    level: String,
    written_at: Option<String>,
    seen_at: Option<String>,
}

pub(crate) async fn get(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Named(id): Named,
    RawQuery(query): RawQuery,
) -> Result<Json<Sheet>, Problem> {
    let asked = Asked::read(query.as_deref(), &["unmask", "fresh", "timeout"])?;
    let wanted = Wanted::read(&desk, &asked)?;
    let mask = Mask::asked(&desk.configuration, &asked, &caller, &id)?;
    let (found, alias) = desk.record_standing(&id).await?;
    let mut sheet = desk.sheet(found, wanted, &mask).await?;
    sheet.asked_for = desk.alias(alias.as_deref(), &mask).await?;
    Ok(Json(sheet))
}

/// The record that an object is linked to.
pub(crate) async fn find(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Sheet>, Problem> {
    let asked = Asked::read(query.as_deref(), &["system", "external_id", "unmask", "fresh", "timeout"])?;
    let wanted = Wanted::read(&desk, &asked)?;
    let missing = |name: &str, what: &str| bad(name, format!("it is needed: {what}"));
    let system =
        asked.system("system")?.ok_or_else(|| missing("system", "the system that holds the object"))?;
    let id =
        asked.text("external_id").ok_or_else(|| missing("external_id", "the object's id in that system"))?;
    let system = desk.named(system.as_str())?;
    let found =
        desk.record_linked(system.clone(), None, id.to_owned()).await?.ok_or_else(|| nothing("record"))?;
    let (found, alias) = desk.standing(found).await?;
    let mask = Mask::asked(&desk.configuration, &asked, &caller, &found.record.id.to_string())?;
    let mut sheet = desk.sheet(found, wanted, &mask).await?;
    sheet.asked_for = desk.alias(alias.as_deref(), &mask).await?;
    Ok(Json(sheet))
}

impl Desk {
    /// What is said of a record that was asked for and stands for itself no more.
    pub(crate) async fn alias(
        &self,
        alias: Option<&RecordSheet>,
        mask: &Mask<'_>,
    ) -> Result<Option<MergedRow>, Problem> {
        let Some(alias) = alias else { return Ok(None) };
        let Alive::Merged { into } = alias.record.alive else { return Ok(None) };
        let Some(survivor) = self.record(into).await? else { return Ok(None) };
        let absorbed = survivor.record.absorbed.get(&alias.record.id);
        Ok(absorbed.map(|absorbed| merged(alias.record.id, &survivor.record, absorbed, mask)))
    }
}

fn merged(id: RecordId, into: &Record, absorbed: &Absorbed, mask: &Mask<'_>) -> MergedRow {
    let duplicates = absorbed.objects.iter().filter(|taken| taken.second);
    let shown = |taken: &canonical::Taken| {
        let object = &taken.object;
        format!("{}:{}/{}", object.system, object.object, mask.external_id(&object.id))
    };
    MergedRow {
        record: id.to_string(),
        into: into.id.to_string(),
        at: time(absorbed.at),
        why: absorbed.why.clone(),
        duplicates: duplicates.map(shown).collect(),
    }
}

fn sheet(desk: &Desk, found: &RecordSheet, fresh: Vec<FreshRow>, mask: &Mask<'_>) -> Sheet {
    let counts = [found.facts.len(), found.intents.len(), found.attempts.len(), found.decisions.len()];
    let entity = &found.record.entity;
    Sheet {
        record: record(desk, &found.record, mask),
        asked_for: None,
        absorbed: found
            .record
            .absorbed
            .iter()
            .map(|(id, absorbed)| merged(*id, &found.record, absorbed, mask))
            .collect(),
        links: found.links.iter().map(|row| link_row(row, mask)).collect(),
        shadows: found.shadows.iter().flat_map(|row| shadow(entity, row, mask)).collect(),
        deliveries: found.obligations.iter().map(DeliveryRow::of).collect(),
        intents: found.intents.iter().map(|intent| IntentRow::of(intent, mask)).collect(),
        attempts: found.attempts.iter().map(AttemptRow::of).collect(),
        timeline: timeline(found),
        fresh,
        complete: counts.into_iter().all(|count| count < SHEET_ROWS_MAX),
    }
}

fn record(desk: &Desk, row: &Record, mask: &Mask<'_>) -> RecordRow {
    let schema = desk.configuration.entities.get(&row.entity);
    let field = |name: &String| {
        let from = row.provenance.get(name.as_str());
        let spec = schema.and_then(|schema| schema.fields.get(name.as_str()));
        let about = FieldRow {
            owner: spec.and_then(|spec| spec.owner_in(&row.fields)).map(ToString::to_string),
            system: from.map(|from| from.system.to_string()),
            event: from.map(|from| from.event.to_string()),
            at: from.map(|from| time(from.at)),
            mapping: from.map(|from| from.mapping),
            pii: mask.class(&row.entity, name),
            masked: mask.hides(&row.entity, name),
        };
        (name.clone(), about)
    };
    let (alive, by, at, into) = match &row.alive {
        Alive::Live => ("live", None, None, None),
        Alive::Deleted { by, at } => ("deleted", Some(by.to_string()), Some(time(*at)), None),
        Alive::Merged { into } => ("merged", None, None, Some(into.to_string())),
    };
    RecordRow {
        id: row.id.to_string(),
        entity: row.entity.to_string(),
        version: row.version,
        schema: row.schema,
        alive,
        deleted_by: by,
        deleted_at: at,
        merged_into: into,
        created_at: time(row.created_at),
        updated_at: time(row.updated_at),
        fields: mask.fields(&row.entity, &row.fields),
        provenance: row.fields.keys().map(field).collect(),
        extensions: row
            .extensions
            .iter()
            .map(|(system, of)| (system.to_string(), mask.undeclared(of)))
            .collect(),
    }
}

fn link_row(row: &Link, mask: &Mask<'_>) -> LinkRow {
    LinkRow {
        system: row.system.to_string(),
        object: row.object.to_string(),
        id: mask.external_id(&row.external_id),
        instance: row.instance.clone(),
        created_at: time(row.created_at),
    }
}

fn shadow(entity: &Entity, row: &Shadow, mask: &Mask<'_>) -> Vec<ShadowRow> {
    let never =
        row.unknown.iter().filter(|path| !row.fields.contains_key(*path)).map(|path| (path, &Value::Null));
    let shown = |(path, value): (&String, &Value)| ShadowRow {
        system: row.system.to_string(),
        object: row.object.to_string(),
        id: row.external_id.as_deref().map(|id| mask.external_id(id)),
        field: path.clone(),
        value: mask.at_target(entity, (&row.system, &row.object), path, value),
        known: !row.unknown.contains(path),
        level: row.level.to_string(),
        written_at: row.written_at.map(time),
        seen_at: row.seen_at.map(time),
    };
    row.fields.iter().chain(never).map(shown).collect()
}
