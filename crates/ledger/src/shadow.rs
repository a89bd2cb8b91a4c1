//! Shadows: the last projection written to and seen at an object, per field confirmed or unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use canonical::{ExternalRef, Fields, Object, OrderToken, RecordId, RouteId, System, Tenant, Wall};
use planted::Bug;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::obligation::{Level, Obligation, State, Subject};

/// Writes that are remembered, and for how long: within that, what comes back of one is no edit.
const RECENT_MAX: usize = 8;
const RECENT_FOR: Duration = Duration::from_secs(600);
/// Edits that are kept with an object.
const EDITS_MAX: usize = 8;

/// A write whose answer brought no version token: only its values tell it when it comes back. Kept as digests, which
/// are enough to compare.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Recent {
    /// When it was settled.
    pub at: Wall,
    /// Target path → digest of the value.
    pub values: BTreeMap<String, u64>,
}

/// What a person ordered a delivery to say at some paths, in place of what its record says. It counts for one level:
/// what is wanted later is said as the record has it. Kept with the object, sealed as its values are.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Edit {
    /// The delivery's route.
    pub route: RouteId,
    /// What the delivery is about.
    pub subject: Subject,
    /// The level it counts for.
    pub level: Level,
    /// Target path → value to be said.
    pub values: Fields,
    /// What would have been said there; a path that would not have been said is missing.
    pub before: Fields,
    /// Who, and why.
    pub why: String,
    /// When.
    pub at: Wall,
}

impl Edit {
    /// Whether it is of that delivery.
    #[must_use]
    pub fn is_of(&self, row: &Obligation) -> bool {
        self.route == row.key.route && self.subject == row.key.subject
    }

    /// Whether it will not be said any more. `row` is its delivery as it stands: it is gone, at rest, or another level
    /// is wanted of it.
    #[must_use]
    pub fn is_past(&self, row: Option<&Obligation>) -> bool {
        row.is_none_or(|row| {
            let rests = !row.state.is_open() && !matches!(row.state, State::Dead | State::Uncertain);
            rests || row.wanted != self.level || row.reached.covers(self.level)
        })
    }
}

/// What Concord knows of one object at a target. The basis of echo suppression, no-op skipping, minimal patches
/// and "why".
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Shadow {
    /// Whose.
    pub tenant: Tenant,
    /// The record.
    pub record: RecordId,
    /// The system.
    pub system: System,
    /// The kind of object there.
    pub object: Object,
    /// The object's id there, once known.
    pub external_id: Option<String>,
    /// Target path → last value written or seen, in the target's form.
    pub fields: Fields,
    /// Paths whose value at the target is not known (an intent about them ended in doubt).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unknown: BTreeSet<String>,
    /// Association's path → ids of others that Concord associated there, or found and replaced, and has not taken back since:
    /// besides the one in `fields` they may be there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub associated: BTreeMap<String, BTreeSet<String>>,
    /// The record's field → what was said of it there in the version `token`, and judged, while a write of something else was
    /// on its way: nobody knows until that is settled what stands there, but in that version it is no other word.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub meanwhile: Fields,
    /// The version token the last write returned, or the newest seen: at or below it is an echo.
    pub token: Option<OrderToken>,
    /// The opaque version last shown there, such as an `ETag`: what a change is sent with. One that is out of date is refused
    /// there, and then the object is read again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When the last write was settled.
    pub written_at: Option<Wall>,
    /// The last writes that brought no token, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<Recent>,
    /// When its values were last read from the target.
    pub seen_at: Option<Wall>,
    /// What persons ordered deliveries to say here, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
    /// The level last brought there.
    pub level: Level,
    /// Counts up with each change of this row: its compare-and-set.
    pub revision: i64,
}

impl Shadow {
    /// A shadow that knows nothing yet.
    #[must_use]
    pub fn blank(tenant: Tenant, record: RecordId, system: System, object: Object) -> Self {
        Self {
            tenant,
            record,
            system,
            object,
            external_id: None,
            fields: Fields::new(),
            unknown: BTreeSet::new(),
            associated: BTreeMap::new(),
            meanwhile: Fields::new(),
            token: None,
            version: None,
            written_at: None,
            recent: Vec::new(),
            seen_at: None,
            edits: Vec::new(),
            level: Level::default(),
            revision: 0,
        }
    }

    /// The part of `projection` that the target does not certainly have: differing, never said, or unknown.
    /// `open` are paths of an intent still in doubt: they are unknown too.
    #[must_use]
    pub fn difference(&self, projection: &Fields, open: &BTreeSet<String>) -> Fields {
        projection
            .iter()
            .filter(|(path, value)| {
                self.unknown.contains(*path) || open.contains(*path) || self.fields.get(*path) != Some(*value)
            })
            .map(|(path, value)| (path.clone(), value.clone()))
            .collect()
    }

    /// Whether there is room for one more edit only when another goes.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.edits.len() >= EDITS_MAX
    }

    /// A person ordered a delivery to say something else. Of too many, the oldest goes that `is_past`; where none is,
    /// there is no room, and nothing is ordered: what was promised before is not dropped for it. Says whether there was.
    #[must_use]
    pub fn edit(&mut self, edit: Edit, is_past: impl Fn(&Edit) -> bool) -> bool {
        if self.is_crowded() {
            let Some(at) = self.edits.iter().position(is_past) else { return false };
            self.edits.remove(at);
        }
        self.edits.push(edit);
        true
    }

    /// What a person ordered this delivery to say at the level that is wanted of it.
    #[must_use]
    pub fn ordered(&self, row: &Obligation) -> Option<&Fields> {
        let fits = |edit: &&Edit| edit.is_of(row) && edit.level == row.wanted;
        self.edits.iter().rev().find(fits).map(|edit| &edit.values)
    }

    /// A write of `fields` was confirmed.
    pub fn confirm(&mut self, fields: &Fields) {
        for (path, value) in fields {
            self.unknown.remove(path);
            self.fields.insert(path.clone(), value.clone());
        }
    }

    /// A write of `fields` ended in doubt.
    pub fn doubt(&mut self, fields: &Fields) {
        if planted::is(Bug::LostRevert) {
            return self.confirm(fields);
        }
        self.unknown.extend(fields.keys().cloned());
    }

    /// A write of `fields` that brought no token was made, or may have been.
    pub fn remember(&mut self, fields: &Fields, at: Wall) {
        self.recent.retain(|write| at.since(write.at) <= RECENT_FOR);
        if self.recent.len() >= RECENT_MAX {
            self.recent.remove(0);
        }
        let mut text = Vec::with_capacity(256);
        let values = fields.iter().map(|(path, value)| (path.clone(), digest(value, &mut text))).collect();
        self.recent.push(Recent { at, values });
    }

    /// Whether that value was written there lately, as far as is remembered.
    #[must_use]
    pub fn wrote_lately(&self, path: &str, value: &Value, now: Wall) -> bool {
        let lately = self.recent.iter().filter(|write| now.since(write.at) <= RECENT_FOR);
        let mut digests = lately.filter_map(|write| write.values.get(path)).peekable();
        digests.peek().is_some() && {
            let wanted = digest(value, &mut Vec::new());
            digests.any(|known| *known == wanted)
        }
    }

    /// Whether it is about that object: until its id is known, it is about whichever turns out to be the record's.
    /// Versions and values of another object say nothing of this one.
    #[must_use]
    pub fn is_of(&self, external_id: &str) -> bool {
        self.external_id.as_deref().is_none_or(|known| known == external_id)
    }

    /// Where it points, once known.
    #[must_use]
    pub fn external(&self) -> Option<ExternalRef> {
        let id = self.external_id.clone()?;
        Some(ExternalRef { system: self.system.clone(), object: self.object.clone(), id })
    }
}

/// The digest of a value's JSON, for which `text` is used.
fn digest(value: &Value, text: &mut Vec<u8>) -> u64 {
    text.clear();
    // Writing to memory does not fail, and a value of strings, numbers and lists is always JSON.
    serde_json::to_writer(&mut *text, value).unwrap_or_default();
    let hash = blake3::hash(text);
    let mut short = [0; 8];
    short.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_le_bytes(short)
}
