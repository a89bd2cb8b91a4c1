//! `GET …/explain`: of each field of a record, what it is, whose, where it came from, what each system has, what was
//! refused and why, and what is not settled.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use canonical::{EntitySchema, Field, FieldSpec, Open, PiiClass, Record, Wall};
use intake::Decision;
use ledger::Shadow;
use serde::Serialize;
use serde_json::Value;
use store::browse::RecordSheet;
use web::{Caller, Problem};

use crate::asked::{Asked, Named, bad};
use crate::desk::Desk;
use crate::mask::Mask;
use crate::rows::time;

/// Counter-writes are counted over this window.
const WINDOW: Duration = Duration::from_secs(3600);
/// Decisions that are shown of a field.
const DECISIONS_MAX: usize = 20;

/// Why a record is as it is.
#[derive(Serialize)]
pub(crate) struct Explained {
    record: String,
    entity: String,
    version: i64,
    /// `live`, `deleted` or `merged`.
    alive: &'static str,
    /// The record that was asked for was merged into this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_for: Option<super::MergedRow>,
    /// Whose objects may make one; empty: any.
    creators: Vec<String>,
    /// Whose deletions count; empty: none.
    deleters: Vec<String>,
    fields: Vec<FieldWhy>,
    /// Decisions about the whole record, the newest first.
    decisions: Vec<Decided>,
    /// What each system has said last, in its own order: whatever is older changes nothing.
    watermarks: BTreeMap<String, i64>,
}

#[derive(Serialize)]
struct FieldWhy {
    field: String,
    value: Value,
    masked: bool,
    pii: PiiClass,
    /// Whose value wins just now; null: any that may write it.
    owner: Option<String>,
    /// Why just now, where that depends on the record.
    owner_when: Option<String>,
    on_conflict: &'static str,
    /// The system that said it.
    source: Option<String>,
    event: Option<String>,
    at: Option<String>,
    /// When it changed there, by that system's clock.
    changed_at: Option<String>,
    /// The mapping that read it, and its version.
    mapping: Option<String>,
    /// The newest word of its source on the field, in that source's own order.
    watermark: Option<i64>,
    /// Automatic counter-writes within the hour, and how many it bears.
    counter_writes: u32,
    counter_writes_max: u32,
    /// What is not settled.
    open: Option<OpenRow>,
    /// What each system has.
    systems: Vec<AtSystem>,
    /// What was not simply merged, the newest first.
    decisions: Vec<Decided>,
}

#[derive(Serialize)]
struct OpenRow {
    /// `frozen`, `proposed` or `conflict`.
    kind: &'static str,
    /// The system that says otherwise.
    system: String,
    value: Value,
    since: String,
}

#[derive(Serialize)]
struct AtSystem {
    system: String,
    object: String,
    path: String,
    value: Value,
    /// False after a write that ended in doubt.
    known: bool,
    written_at: Option<String>,
    seen_at: Option<String>,
}

/// A decision.
#[derive(Serialize)]
pub(crate) struct Decided {
    at: String,
    kind: &'static str,
    record: String,
    field: Option<String>,
    system: String,
    version: i64,
    rule: String,
}

impl Decided {
    /// As shown.
    pub(crate) fn of(row: &Decision) -> Self {
        Self {
            at: time(row.at),
            kind: row.kind.name(),
            record: row.record.to_string(),
            field: row.field.as_ref().map(ToString::to_string),
            system: row.system.to_string(),
            version: row.version,
            rule: row.rule.clone(),
        }
    }
}

pub(crate) async fn get(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Named(id): Named,
    RawQuery(query): RawQuery,
) -> Result<Json<Explained>, Problem> {
    let asked = Asked::read(query.as_deref(), &["unmask", "field"])?;
    let mask = Mask::asked(&desk.configuration, &asked, &caller, &id)?;
    let (found, alias) = desk.record_standing(&id).await?;
    let entity = &found.record.entity;
    let schema = desk.configuration.entities.get(entity).ok_or_else(|| {
        bad("id", format!("the configuration has no entity {entity} any more: see the record itself"))
    })?;
    let wanted = match asked.text("field") {
        None => None,
        Some(name) => {
            let known = schema.fields.keys().find(|field| field.as_str() == name);
            let names: Vec<&str> = schema.fields.keys().map(Field::as_str).collect();
            let none = || bad("field", format!("{entity} has no field {name}: it has {}", names.join(", ")));
            Some(known.ok_or_else(none)?)
        }
    };
    let now = desk.hub.now().wall;
    let why = Why { desk: &desk, found: &found, schema, mask: &mask, now };
    let asked_for = desk.alias(alias.as_deref(), &mask).await?;
    Ok(Json(Explained { asked_for, ..why.explained(wanted) }))
}

struct Why<'a> {
    desk: &'a Desk,
    found: &'a RecordSheet,
    schema: &'a EntitySchema,
    mask: &'a Mask<'a>,
    now: Wall,
}

impl Why<'_> {
    fn explained(&self, wanted: Option<&Field>) -> Explained {
        let record = &self.found.record;
        let fields = self.schema.fields.iter().filter(|(field, _)| wanted.is_none_or(|only| only == *field));
        // Of fields that nobody has said anything about there is nothing to tell, unless they are asked for.
        let told = fields.filter(|(field, _)| wanted.is_some() || self.is_heard_of(field));
        let whole = self.found.decisions.iter().filter(|decision| decision.field.is_none());
        let marks = record.marks.iter();
        Explained {
            record: record.id.to_string(),
            entity: record.entity.to_string(),
            version: record.version,
            alive: alive(record),
            asked_for: None,
            creators: self.schema.creators.iter().map(ToString::to_string).collect(),
            deleters: self.schema.deleters.iter().map(ToString::to_string).collect(),
            fields: told.map(|(field, spec)| self.field(field, spec)).collect(),
            decisions: whole.take(DECISIONS_MAX).map(Decided::of).collect(),
            watermarks: marks
                .filter_map(|(system, marks)| Some((system.to_string(), marks.object?.0)))
                .collect(),
        }
    }

    fn is_heard_of(&self, field: &Field) -> bool {
        let record = &self.found.record;
        record.fields.contains_key(field.as_str())
            || record.open.contains_key(field)
            || self.found.decisions.iter().any(|decision| decision.field.as_ref() == Some(field))
    }

    fn field(&self, field: &Field, spec: &FieldSpec) -> FieldWhy {
        let record = &self.found.record;
        let (entity, name) = (&record.entity, field.as_str());
        let from = record.provenance.get(field);
        let hides = self.mask.hides(entity, name);
        let shown = |value: &Value| self.mask.value(entity, name, value);
        let counted = record.counter_writes.get(field);
        let counted = counted.filter(|(since, _)| self.now.since(*since) <= WINDOW);
        let mark = from.and_then(|from| record.marks.get(&from.system)?.of(field));
        let decisions = self.found.decisions.iter();
        FieldWhy {
            field: name.to_owned(),
            value: shown(record.fields.get(name).unwrap_or(&Value::Null)),
            masked: hides,
            pii: self.mask.class(entity, name),
            owner: spec.owner_in(&record.fields).map(ToString::to_string),
            owner_when: spec.moved_to(&record.fields).map(|rule| words(rule, self.mask, record)),
            on_conflict: spec.on_conflict.name(),
            source: from.map(|from| from.system.to_string()),
            event: from.map(|from| from.event.to_string()),
            at: from.map(|from| time(from.at)),
            changed_at: from.and_then(|from| from.changed).map(time),
            mapping: from.map(|from| self.mapping_of(field, &from.system, from.mapping)),
            watermark: mark.map(|mark| mark.0),
            counter_writes: counted.map_or(0, |(_, count)| *count),
            counter_writes_max: self.schema.counter_writes_max,
            open: record.open.get(field).map(|open| open_row(open, shown(&open.value))),
            systems: self.found.shadows.iter().flat_map(|shadow| self.at_system(field, shadow)).collect(),
            decisions: decisions
                .filter(|decision| decision.field.as_ref() == Some(field))
                .take(DECISIONS_MAX)
                .map(Decided::of)
                .collect(),
        }
    }

    /// The mapping of that system that reads the field, and the version that did.
    fn mapping_of(&self, field: &Field, system: &canonical::System, version: u32) -> String {
        let mappings = self.desk.configuration.mappings.values().filter(|mapping| {
            mapping.system() == system
                && *mapping.entity() == self.found.record.entity
                && mapping.in_fields().any(|read| read == field)
        });
        let names: Vec<&str> = mappings.map(|mapping| mapping.id()).collect();
        match names.as_slice() {
            [name] => format!("{name} v{version}"),
            _ => format!("v{version}"),
        }
    }

    fn at_system(&self, field: &Field, shadow: &Shadow) -> Vec<AtSystem> {
        let entity = &self.found.record.entity;
        let outbound = self.desk.configuration.outbound(&shadow.system, &shadow.object);
        let Some((mapping, _)) = outbound.filter(|(mapping, _)| mapping.entity() == entity) else {
            return Vec::new();
        };
        let lineage = mapping.lineage();
        let paths = lineage
            .iter()
            .filter(|row| row.direction.writes() && row.field == Some(field))
            .map(|row| row.path);
        let there = paths.filter_map(|path| Some((path, shadow.fields.get(path)?)));
        let row = |(path, value): (&str, &Value)| AtSystem {
            system: shadow.system.to_string(),
            object: shadow.object.to_string(),
            path: path.to_owned(),
            value: self.mask.at_target(entity, (&shadow.system, &shadow.object), path, value),
            known: !shadow.unknown.contains(path),
            written_at: shadow.written_at.map(time),
            seen_at: shadow.seen_at.map(time),
        };
        there.map(row).collect()
    }
}

fn alive(record: &Record) -> &'static str {
    match record.alive {
        canonical::Alive::Live => "live",
        canonical::Alive::Deleted { .. } => "deleted",
        canonical::Alive::Merged { .. } => "merged",
    }
}

fn open_row(open: &Open, value: Value) -> OpenRow {
    OpenRow { kind: open.kind.name(), system: open.system.to_string(), value, since: time(open.since) }
}

/// Why a field has that owner just now.
fn words(rule: &canonical::Ownership, mask: &Mask<'_>, record: &Record) -> String {
    let told = rule.when.iter().map(|condition| {
        let name = condition.field.as_str();
        let value = record.fields.get(name).unwrap_or(&Value::Null);
        match mask.value(&record.entity, name, value) {
            Value::Null => format!("{name} is empty"),
            Value::String(text) => format!("{name} is {text}"),
            other => format!("{name} is {other}"),
        }
    });
    told.collect::<Vec<_>>().join(" and ")
}
