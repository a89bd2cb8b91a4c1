//! Shadows: the last projection written to and seen at an object, per field confirmed or unknown.

use std::collections::BTreeSet;

use canonical::{ExternalRef, Fields, Object, OrderToken, RecordId, System, Tenant, Wall};
use serde::{Deserialize, Serialize};

use crate::obligation::Level;

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
    /// The version token the last write returned, or the newest seen: at or below it is an echo.
    pub token: Option<OrderToken>,
    /// When the last write was settled.
    pub written_at: Option<Wall>,
    /// When its values were last read from the target.
    pub seen_at: Option<Wall>,
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
            token: None,
            written_at: None,
            seen_at: None,
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

    /// A write of `fields` was confirmed.
    pub fn confirm(&mut self, fields: &Fields) {
        for (path, value) in fields {
            self.unknown.remove(path);
            self.fields.insert(path.clone(), value.clone());
        }
    }

    /// A write of `fields` ended in doubt.
    pub fn doubt(&mut self, fields: &Fields) {
        self.unknown.extend(fields.keys().cloned());
    }

    /// Where it points, once known.
    #[must_use]
    pub fn external(&self) -> Option<ExternalRef> {
        let id = self.external_id.clone()?;
        Some(ExternalRef { system: self.system.clone(), object: self.object.clone(), id })
    }
}
