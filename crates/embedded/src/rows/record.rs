//! Records, links and events.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use canonical::{
    Alive, EventId, Fact, Field, Fields, Marks, Open, Provenance, Record, RecordId, System, Wall,
};
use intake::Link;
use rusqlite::Row;
use serde::{Deserialize, Serialize};

use super::{
    blob, document, fact_place, from_document, from_text, record_id, record_place, trace_out, uuid, wall,
};
use crate::book::Desk;
use crate::fault::{Fault, Outcome};

/// The sealed part of a record. Fields that came in together share one provenance.
#[derive(Serialize, Deserialize)]
struct RecordDocument<'r> {
    #[serde(default)]
    alive: Cow<'r, Alive>,
    fields: Cow<'r, Fields>,
    sources: Vec<Cow<'r, Provenance>>,
    from: BTreeMap<Cow<'r, Field>, usize>,
    marks: Cow<'r, BTreeMap<System, Marks>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    extensions: Cow<'r, BTreeMap<System, Fields>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    counter_writes: Cow<'r, BTreeMap<Field, (Wall, u32)>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    open: Cow<'r, BTreeMap<Field, Open>>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    occurrences: Cow<'r, BTreeSet<String>>,
}

/// What is sealed of a record.
pub(crate) fn record_document(record: &Record) -> Outcome<Vec<u8>> {
    let mut sources: Vec<Cow<'_, Provenance>> = Vec::new();
    let mut from = BTreeMap::new();
    for (field, provenance) in &record.provenance {
        let known = sources.iter().position(|source| source.as_ref() == provenance);
        let at = known.unwrap_or_else(|| {
            sources.push(Cow::Borrowed(provenance));
            sources.len() - 1
        });
        from.insert(Cow::Borrowed(field), at);
    }
    let sealed = RecordDocument {
        alive: Cow::Borrowed(&record.alive),
        fields: Cow::Borrowed(&record.fields),
        sources,
        from,
        marks: Cow::Borrowed(&record.marks),
        extensions: Cow::Borrowed(&record.extensions),
        counter_writes: Cow::Borrowed(&record.counter_writes),
        open: Cow::Borrowed(&record.open),
        occurrences: Cow::Borrowed(&record.occurrences),
    };
    document(&sealed, "record")
}

/// Reads a record.
pub(crate) fn record(row: &Row<'_>, desk: &mut Desk<'_>) -> Outcome<Record> {
    shared_record(row, desk).map(Arc::unwrap_or_clone)
}

/// Reads a record, or shares the one that was written lately.
pub(crate) fn shared_record(row: &Row<'_>, desk: &mut Desk<'_>) -> Outcome<Arc<Record>> {
    let id = record_id(row, 0)?;
    let tenant = desk.names.tenant(row.get(1)?)?;
    let bytes = blob(row, 7)?;
    let recent = desk.keys.vault.recent().get(bytes);
    if let Some(known) = recent.filter(|known| known.id == id && known.tenant == tenant) {
        return Ok(known);
    }
    let corrupt = |fault: Fault| Fault::corrupt(&id.to_string(), fault.detail());
    let opened = desk.keys.open(&tenant, &record_place(&tenant, id), bytes).map_err(corrupt)?;
    let sealed: RecordDocument<'_> = from_document(&opened, "record").map_err(corrupt)?;
    let source = |at: usize| -> Outcome<Provenance> {
        let source =
            sealed.sources.get(at).ok_or_else(|| Fault::corrupt(&id.to_string(), "a source is missing"))?;
        Ok(source.as_ref().clone())
    };
    let provenance = sealed.from.into_iter().map(|(field, at)| Ok((field.into_owned(), source(at)?)));
    Ok(Arc::new(Record {
        provenance: provenance.collect::<Outcome<_>>()?,
        tenant,
        entity: desk.names.entity(row.get(3)?)?,
        id,
        version: row.get(2)?,
        schema: row.get(4)?,
        alive: sealed.alive.into_owned(),
        fields: sealed.fields.into_owned(),
        marks: sealed.marks.into_owned(),
        extensions: sealed.extensions.into_owned(),
        counter_writes: sealed.counter_writes.into_owned(),
        open: sealed.open.into_owned(),
        occurrences: sealed.occurrences.into_owned(),
        created_at: wall(row, 5)?,
        updated_at: wall(row, 6)?,
    }))
}

/// The record that stands for this one, when it was merged.
pub(crate) const fn merged_into(alive: &Alive) -> Option<RecordId> {
    match alive {
        Alive::Merged { into } => Some(*into),
        Alive::Live | Alive::Deleted { .. } => None,
    }
}

/// Reads a link.
pub(crate) fn link(row: &Row<'_>, desk: &mut Desk<'_>) -> Outcome<Link> {
    Ok(Link {
        tenant: desk.names.tenant(row.get(0)?)?,
        system: desk.names.system(row.get(1)?)?,
        external_id: row.get(2)?,
        object: desk.names.object(row.get(3)?)?,
        instance: row.get(4)?,
        entity: desk.names.entity(row.get(5)?)?,
        record: record_id(row, 6)?,
        created_at: wall(row, 7)?,
    })
}

/// Reads an event with its position.
pub(crate) fn fact(row: &Row<'_>, desk: &mut Desk<'_>) -> Outcome<(i64, Fact)> {
    let (seq, mut fact) = fact_shell(row, desk)?;
    let corrupt = |fault: Fault| Fault::corrupt(&fact.id.to_string(), fault.detail());
    let place = fact_place(&fact.tenant, fact.id);
    let opened = desk.keys.open(&fact.tenant, &place, blob(row, 11)?).map_err(corrupt)?;
    fact.data = from_document(&opened, "event").map_err(corrupt)?;
    Ok((seq, fact))
}

/// The same without its values.
pub(crate) fn fact_shell(row: &Row<'_>, desk: &mut Desk<'_>) -> Outcome<(i64, Fact)> {
    let fact = Fact {
        id: EventId(uuid(row, 1)?),
        tenant: desk.names.tenant(row.get(2)?)?,
        kind: desk.names.text(row.get(3)?)?.as_ref().to_owned(),
        entity: desk.names.entity(row.get(4)?)?,
        record: record_id(row, 5)?,
        version: row.get(6)?,
        source: desk.names.system(row.get(7)?)?,
        at: wall(row, 8)?,
        occurrence: row.get(9)?,
        trace: trace_out(row, 10)?,
        data: Fields::new(),
        schema: row.get(12)?,
        mappings: match row.get_ref(13)?.as_str_or_null().map_err(rusqlite::Error::from)? {
            Some(text) => from_text(text, "event")?,
            None => BTreeMap::new(),
        },
    };
    Ok((row.get(0)?, fact))
}
