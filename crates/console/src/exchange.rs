//! Export: records with their versions, where each value came from, what each source last said by its own order, and
//! links. (Putting them back: `import`.)

pub(crate) mod import;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use canonical::{Alive, Field, Fields, Marks, Record, RecordId, System, Wall};
use intake::Link;
use serde::{Deserialize, Serialize};
use store::browse::{Look, Page, RecordFilter};
use web::{Caller, Problem};

use crate::asked::{Asked, bad, expect};
use crate::desk::{Desk, crossed};
use crate::mask::Mask;

/// Records looked at for one page.
const LOOKED_AT: usize = 200;

/// A page.
#[derive(Serialize)]
pub(crate) struct Exported {
    items: Vec<ExportRow>,
    /// `after` of the next page; nothing at the end.
    next: Option<String>,
}

/// A record as it is exported, and put back.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct ExportRow {
    /// `record`.
    kind: String,
    id: String,
    entity: String,
    version: i64,
    schema: u32,
    /// `live`, `deleted` or `merged`.
    alive: String,
    /// Whether values are hidden: then it can't be put back.
    masked: bool,
    created_at: String,
    updated_at: String,
    fields: Fields,
    provenance: BTreeMap<String, FromRow>,
    /// What each source last said, in its own order.
    marks: BTreeMap<System, Marks>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    extensions: BTreeMap<System, Fields>,
    links: Vec<LinkRow>,
}

/// Where a value came from.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct FromRow {
    system: System,
    event: String,
    at: String,
    mapping: u32,
}

/// An object that it is linked to.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct LinkRow {
    system: System,
    object: canonical::Object,
    id: String,
    instance: String,
}

pub(crate) async fn export(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Exported>, Problem> {
    let asked = Asked::read(query.as_deref(), &["entity", "from", "until", "after", "unmask"])?;
    let mask = Mask::asked(&desk.configuration, &asked, &caller, "an export of records")?;
    let moment = |name: &str| -> Result<Option<Wall>, Problem> {
        let wrong = || bad(name, "write a moment in RFC 3339, such as 2026-03-01T00:00:00Z");
        asked.text(name).map(|text| Wall::from_rfc3339(text).ok_or_else(wrong)).transpose()
    };
    let filter = RecordFilter {
        entity: asked.entity("entity")?,
        from: moment("from")?,
        until: moment("until")?,
        after: asked.record("after")?,
        limit: LOOKED_AT,
    };
    let types = desk.configuration.entities.keys().map(canonical::Entity::as_str);
    expect("entity", filter.entity.as_ref().map(canonical::Entity::as_str), types)?;
    let (rows, next) = match desk.look(Look::Records(filter)).await? {
        Page::Records(rows, next) => (rows, next),
        other => return Err(crossed(&other)),
    };
    let masked = !asked.flag("unmask")?;
    let items = rows.iter().map(|(record, links)| exported(record, links, &mask, masked)).collect();
    Ok(Json(Exported { items, next: next.map(|id: RecordId| id.to_string()) }))
}

fn exported(record: &Record, links: &[Link], mask: &Mask<'_>, masked: bool) -> ExportRow {
    let alive = match record.alive {
        Alive::Live => "live",
        Alive::Deleted { .. } => "deleted",
        Alive::Merged { .. } => "merged",
    };
    let from = |(field, from): (&Field, &canonical::Provenance)| {
        let (event, at) = (from.event.to_string(), from.at.to_string());
        (field.to_string(), FromRow { system: from.system.clone(), event, at, mapping: from.mapping })
    };
    let link = |link: &Link| LinkRow {
        system: link.system.clone(),
        object: link.object.clone(),
        id: mask.external_id(&link.external_id),
        instance: link.instance.clone(),
    };
    let undeclared = |(system, of): (&System, &Fields)| (system.clone(), mask.undeclared(of));
    ExportRow {
        kind: "record".to_owned(),
        id: record.id.to_string(),
        entity: record.entity.to_string(),
        version: record.version,
        schema: record.schema,
        alive: alive.to_owned(),
        masked,
        created_at: record.created_at.to_string(),
        updated_at: record.updated_at.to_string(),
        fields: mask.fields(&record.entity, &record.fields),
        provenance: record.provenance.iter().map(from).collect(),
        marks: record.marks.clone(),
        extensions: record.extensions.iter().map(undeclared).collect(),
        links: links.iter().map(link).collect(),
    }
}
