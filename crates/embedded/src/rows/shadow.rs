//! Shadows.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use canonical::{Fields, OrderToken, Wall};
use ledger::{Edit, Level, Recent, Shadow};
use rusqlite::Row;
use serde::{Deserialize, Serialize};

use super::{blob, document, from_document, record_id, shadow_place};
use crate::book::Desk;
use crate::fault::{Fault, Outcome};

/// The sealed part of a shadow.
#[derive(Serialize, Deserialize)]
struct ShadowDocument<'s> {
    external_id: Cow<'s, Option<String>>,
    fields: Cow<'s, Fields>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    unknown: Cow<'s, BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    associated: Cow<'s, BTreeMap<String, BTreeSet<String>>>,
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    meanwhile: Cow<'s, Fields>,
    token: Option<OrderToken>,
    #[serde(default, skip_serializing_if = "is_none")]
    version: Cow<'s, Option<String>>,
    written_at: Option<Wall>,
    #[serde(default, skip_serializing_if = "<[Recent]>::is_empty")]
    recent: Cow<'s, [Recent]>,
    seen_at: Option<Wall>,
    #[serde(default, skip_serializing_if = "<[Edit]>::is_empty")]
    edits: Cow<'s, [Edit]>,
}

fn is_none(version: &Option<String>) -> bool {
    version.is_none()
}

/// What is sealed of a shadow.
pub(crate) fn shadow_document(shadow: &Shadow) -> Outcome<Vec<u8>> {
    let sealed = ShadowDocument {
        external_id: Cow::Borrowed(&shadow.external_id),
        fields: Cow::Borrowed(&shadow.fields),
        unknown: Cow::Borrowed(&shadow.unknown),
        associated: Cow::Borrowed(&shadow.associated),
        meanwhile: Cow::Borrowed(&shadow.meanwhile),
        token: shadow.token,
        version: Cow::Borrowed(&shadow.version),
        written_at: shadow.written_at,
        recent: Cow::Borrowed(&shadow.recent),
        seen_at: shadow.seen_at,
        edits: Cow::Borrowed(&shadow.edits),
    };
    document(&sealed, "shadow")
}

/// Reads a shadow.
pub(crate) fn shadow(row: &Row<'_>, desk: &mut Desk<'_>) -> Outcome<Shadow> {
    let record = record_id(row, 0)?;
    let system = desk.names.system(row.get(1)?)?;
    let object = desk.names.object(row.get(2)?)?;
    let tenant = desk.names.tenant(row.get(3)?)?;
    let corrupt = |fault: Fault| Fault::corrupt(&format!("shadow of {record} in {system}"), fault.detail());
    let place = shadow_place(&tenant, record, system.as_str(), object.as_str());
    let opened = desk.keys.open(&tenant, &place, blob(row, 7)?).map_err(corrupt)?;
    let sealed: ShadowDocument<'_> = from_document(&opened, "shadow").map_err(corrupt)?;
    Ok(Shadow {
        external_id: sealed.external_id.into_owned(),
        fields: sealed.fields.into_owned(),
        unknown: sealed.unknown.into_owned(),
        associated: sealed.associated.into_owned(),
        meanwhile: sealed.meanwhile.into_owned(),
        token: sealed.token,
        version: sealed.version.into_owned(),
        written_at: sealed.written_at,
        recent: sealed.recent.into_owned(),
        seen_at: sealed.seen_at,
        edits: sealed.edits.into_owned(),
        tenant,
        record,
        system,
        object,
        level: Level { version: row.get(5)?, generation: row.get(6)? },
        revision: row.get(4)?,
    })
}
