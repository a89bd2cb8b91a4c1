//! What a person orders about two records: that they are one, or that they are two again. The order, and what it was shown to
//! do. Names only, no values (I15).

use std::collections::BTreeMap;

use canonical::{ExternalRef, Field, Object, RecordId, RouteId, System};
use serde::{Deserialize, Serialize};

/// Which of two records.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The one that stays.
    Keep,
    /// The one that is merged into it, or was.
    Gone,
}

impl Side {
    /// Its name, as written and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Gone => "gone",
        }
    }
}

/// An order about two records, and what the plan showed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reshape {
    /// The record that stays.
    pub keep: RecordId,
    /// The record that is merged into it, or was.
    pub gone: RecordId,
    /// Whose value counts where no rule says it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prefer: BTreeMap<Field, Side>,
    /// At which versions the two were looked at.
    pub versions: (i64, i64),
    /// What it would do.
    pub shown: Shown,
    /// What it waits for, once it is applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
}

/// What an order about two records does, for people.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Shown {
    /// Which value each record has afterwards, where it is not the one that it has.
    pub fields: Vec<FieldLine>,
    /// What becomes of each object.
    pub objects: Vec<ObjectLine>,
    /// What is written.
    pub writes: Vec<WriteLine>,
    /// Which events go out.
    pub events: Vec<EventLine>,
    /// What a person does at vendors.
    pub by_hand: Vec<String>,
    /// What nothing takes back.
    pub irreversible: Vec<String>,
}

/// A field whose value moves.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FieldLine {
    /// The record that takes it.
    pub record: RecordId,
    /// The field.
    pub field: Field,
    /// Whose value it takes. `None`: both are brought together.
    pub takes: Option<Side>,
    /// By which rule.
    pub why: String,
}

/// What becomes of an object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ObjectLine {
    /// The object.
    pub object: ExternalRef,
    /// The record that it stands for afterwards.
    pub record: RecordId,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It stays with its record.
    Stays,
    /// It stands for the other record from then on.
    Moves,
    /// Its record has another object there: it is a duplicate.
    Duplicate,
    /// It stands for the record that it came with again.
    Returns,
    /// It is not linked any more, and stays so.
    Lost,
}

impl Fate {
    /// Its name, as shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stays => "stays",
            Self::Moves => "moves",
            Self::Duplicate => "duplicate_there",
            Self::Returns => "returns",
            Self::Lost => "lost",
        }
    }
}

/// What a route writes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WriteLine {
    /// The record.
    pub record: RecordId,
    /// By which route.
    pub route: RouteId,
    /// Where to.
    pub system: System,
    /// The kind of object.
    pub object: Object,
    /// The object; `None`: one is made.
    pub external_id: Option<String>,
    /// Fields whose values may be others than the object has. Empty: most likely nothing is sent.
    pub fields: Vec<String>,
}

/// An event that goes out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EventLine {
    /// Its kind.
    pub kind: String,
    /// Of which record.
    pub record: RecordId,
    /// By which routes, each with its system. Empty: it is only kept.
    pub told: Vec<(RouteId, System)>,
}
