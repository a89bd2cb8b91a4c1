//! Records: one canonical instance with its fields, where each value came from, and what each source last said.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::absorbed::Absorbed;
use crate::ids::{EventId, RecordId};
use crate::name::{Entity, Field, Object, System, Tenant};
use crate::schema::EntitySchema;
use crate::time::Wall;
use crate::value::Fields;

/// A source's own order of one object's states: a version, a sequence number or a modified time.
///
/// Greater is newer; equal says nothing (a tie makes a message a hint). Comparable only within one object of
/// one system.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderToken(pub i64);

/// An object in a system: what a link points at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExternalRef {
    /// The system that holds it.
    pub system: System,
    /// The kind of object there.
    pub object: Object,
    /// The system's own id.
    pub id: String,
}

impl fmt::Display for ExternalRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.system, self.object, self.id)
    }
}
impl fmt::Debug for ExternalRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a field's value came from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Provenance {
    /// The system that said it.
    pub system: System,
    /// The event that brought it in.
    pub event: EventId,
    /// When it was merged.
    pub at: Wall,
    /// The version of the mapping that read it.
    pub mapping: u32,
    /// When that system says that its object changed, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Wall>,
}

/// Something about a field that is not settled: meanwhile what stands at that system is left alone.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Open {
    /// What.
    pub kind: OpenKind,
    /// The system that says otherwise.
    pub system: System,
    /// What it says.
    pub value: Value,
    /// Since when.
    pub since: Wall,
}

/// Why a field is not settled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenKind {
    /// It was written back too often: somebody or something there keeps changing it. A person must say.
    Frozen,
    /// The owner is told what another proposes, and has not answered.
    Proposed,
    /// Nobody can tell which of two values is the newer one. A person must say.
    Conflict,
}

impl OpenKind {
    /// Its name, as stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frozen => "frozen",
            Self::Proposed => "proposed",
            Self::Conflict => "conflict",
        }
    }
}

/// Whether a record stands.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alive {
    /// It does.
    #[default]
    Live,
    /// A tombstone: deleted by a system that may, with proof.
    Deleted {
        /// Who deleted it.
        by: System,
        /// When the deletion was merged.
        at: Wall,
    },
    /// An alias for ever: merged into another record.
    Merged {
        /// The record that stands for it.
        into: RecordId,
    },
}

/// One canonical instance.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Whose it is.
    pub tenant: Tenant,
    /// Its type.
    pub entity: Entity,
    /// Its id, for ever.
    pub id: RecordId,
    /// Counts up by one with each change; 1 when created.
    pub version: i64,
    /// The entity's schema version it was last written under.
    pub schema: u32,
    /// Whether it stands.
    #[serde(default)]
    pub alive: Alive,
    /// The values, in normal form (see [`crate::value`]). An absent field was never set.
    pub fields: Fields,
    /// Where each value came from.
    pub provenance: BTreeMap<Field, Provenance>,
    /// Watermarks: the newest order token each system has spoken with, per field.
    /// The empty-named entry is the object's own, for whatever is not listed.
    pub marks: BTreeMap<System, Marks>,
    /// Values that only one system knows, kept for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<System, Fields>,
    /// Automatic counter-writes lately: bounds `revert` (per field: window start and count).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counter_writes: BTreeMap<Field, (Wall, u32)>,
    /// What is not settled, by field.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub open: BTreeMap<Field, Open>,
    /// Domain events that have fired, as `kind/occurrence`: a flapping source makes one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub occurrences: BTreeSet<String>,
    /// The records that were merged into it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub absorbed: BTreeMap<RecordId, Absorbed>,
    /// When it was created.
    pub created_at: Wall,
    /// When its newest version was merged.
    pub updated_at: Wall,
}

impl Record {
    /// Fields of which nothing is said to that system, and what stands there is left alone, until somebody settles them.
    pub fn held_at<'a>(&'a self, system: &'a System) -> impl Iterator<Item = &'a Field> {
        self.open.iter().filter(move |(_, open)| open.system == *system).map(|(field, _)| field)
    }

    /// What others propose to that system, for fields that it owns.
    pub fn proposed_to<'a>(
        &'a self,
        system: &'a System,
        schema: &'a EntitySchema,
    ) -> impl Iterator<Item = (&'a Field, &'a Open)> {
        let owns = move |field: &Field| {
            let spec = schema.fields.get(field);
            spec.and_then(|spec| spec.owner_in(&self.fields)) == Some(system)
        };
        self.open.iter().filter(move |(field, open)| open.kind == OpenKind::Proposed && owns(field))
    }

    /// The values that are to be said to that system: the record's, but what others propose to it as the owner.
    #[must_use]
    pub fn said_to(&self, system: &System, schema: &EntitySchema) -> Cow<'_, Fields> {
        let mut fields = Cow::Borrowed(&self.fields);
        for (field, open) in self.proposed_to(system, schema) {
            fields.to_mut().insert(field.as_str().to_owned(), open.value.clone());
        }
        fields
    }
}

/// What one system has said about one record, in that system's own order.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Marks {
    /// The newest token with which the whole object was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<OrderToken>,
    /// Newer tokens of single fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<Field, OrderToken>,
}

impl Marks {
    /// The newest token known for `field`.
    #[must_use]
    pub fn of(&self, field: &Field) -> Option<OrderToken> {
        self.fields.get(field).copied().max(self.object)
    }
}
