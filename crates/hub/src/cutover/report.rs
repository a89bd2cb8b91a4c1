//! What a cutover found, as it is kept, shown and given to scripts. Names, ids and counts: no values.

use std::collections::{BTreeMap, BTreeSet};

use canonical::{Entity, Field, Object, RecordId, System};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// So many of each kind are named as examples.
const EXAMPLES_MAX: usize = 5;

/// The first few of many.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Examples {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub examples: Vec<Example>,
}

/// A record's id as people see it everywhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Named(pub RecordId);

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map(Self).map_err(D::Error::custom)
    }
}

/// A record, or an object that stands for none.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Example {
    /// A record.
    Record(Named),
    /// An object, as `system:object/id`.
    Object(String),
}

impl Examples {
    /// One more.
    pub fn take(&mut self, example: Example) {
        self.count += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(example);
        }
    }
}

/// What one listing came to. Each object counts once, by what was read of it last.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Side {
    /// The type.
    pub entity: Entity,
    /// The system.
    pub system: System,
    /// The kind of object.
    pub object: Object,
    /// Objects that were read.
    pub read: u64,
    /// They stand for a record that another system has, too.
    pub matched: u64,
    /// They stand for a record that no other system has.
    pub alone: u64,
    /// They fit several records.
    pub ambiguous: u64,
    /// They fit a record that another object of this system stands for.
    pub duplicates: u64,
    /// They fit no record, and this system may not create any.
    pub refused: u64,
    /// What they say cannot be taken in.
    pub unreadable: u64,
    /// They refer to an object that was not found.
    pub waiting: u64,
    /// Deleted or archived there.
    pub gone: u64,
}

impl Side {
    /// A listing of which nothing was read.
    #[must_use]
    pub const fn of(entity: Entity, system: System, object: Object) -> Self {
        let (read, matched, alone, ambiguous) = (0, 0, 0, 0);
        let (duplicates, refused, unreadable, waiting, gone) = (0, 0, 0, 0, 0);
        Self {
            entity,
            system,
            object,
            read,
            matched,
            alone,
            ambiguous,
            duplicates,
            refused,
            unreadable,
            waiting,
            gone,
        }
    }
}

/// Objects of a system that are matched, and agree with their record by this match key, the first in the schema's order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Agreed {
    /// The type.
    pub entity: Entity,
    /// The system.
    pub system: System,
    /// The key's name; `None`: the owner of the key's field says something else now.
    pub key: Option<String>,
    /// How many.
    pub count: u64,
}

/// Records by the systems that have them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Spread {
    /// The type.
    pub entity: Entity,
    /// The systems.
    pub systems: BTreeSet<System>,
    /// How many records.
    pub count: u64,
}

/// Records that a system does not have.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Missing {
    /// The type.
    pub entity: Entity,
    /// The system.
    pub system: System,
    /// Which.
    #[serde(flatten)]
    pub records: Examples,
}

/// A system says another value of a field than what counts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Clash {
    /// The type.
    pub entity: Entity,
    /// The field.
    pub field: Field,
    /// Who says it.
    pub system: System,
    /// Who owns the field in that record; `None`: nobody, and what was read last counts.
    pub owner: Option<System>,
    /// Whose value counts; `None`: it was brought together by the field's policy.
    pub wins: Option<System>,
    /// The field's policy.
    pub policy: String,
    /// It says that the field is empty.
    pub empty: bool,
    /// In which records.
    #[serde(flatten)]
    pub records: Examples,
}

/// What needs a person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Held {
    /// The system that said it.
    pub system: System,
    /// Why, as a class.
    pub class: String,
    /// The field, where it is about one.
    pub field: Option<String>,
    /// Which objects.
    #[serde(flatten)]
    pub objects: Examples,
}

/// How often a path would be written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PathCount {
    /// The target's path.
    pub path: String,
    /// In how many objects.
    pub count: u64,
}

/// What the first sync would come to for one route.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FirstSync {
    /// The target.
    pub system: System,
    /// The kind of object.
    pub object: Object,
    /// The type.
    pub entity: Entity,
    /// New objects. Those that first wait for what they refer to are among them.
    pub creates: u64,
    /// Objects that change.
    pub updates: u64,
    /// Of both, those that wait until a record that they refer to is there.
    pub waits: u64,
    /// New objects that are not made before a person says so: something there may be the record already.
    pub held: u64,
    /// Objects that leave, by the route's `on_exit`.
    pub leaves: u64,
    /// Nothing to do, by why.
    pub nothing: BTreeMap<String, u64>,
    /// They would fail, by class and field.
    pub fails: BTreeMap<String, u64>,
    /// What changes.
    pub paths: Vec<PathCount>,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// Listing by listing, in the order in which they were read.
    pub sides: Vec<Side>,
    /// By which key.
    pub agreed: Vec<Agreed>,
    /// Where records are.
    pub spread: Vec<Spread>,
    /// Where they are not.
    pub missing: Vec<Missing>,
    /// Where values differ.
    pub conflicts: Vec<Clash>,
    /// What needs a person.
    pub held: Vec<Held>,
    /// What the first sync would write.
    pub first_sync: Vec<FirstSync>,
}

impl Report {
    /// Whether anything needs a person, before it is linked or when it is written, or values differ.
    #[must_use]
    pub fn has_open_items(&self) -> bool {
        let at_writing = |sync: &FirstSync| sync.held > 0 || !sync.fails.is_empty();
        !self.held.is_empty() || !self.conflicts.is_empty() || self.first_sync.iter().any(at_writing)
    }
}

/// Why something is not simply matched.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It fits several records.
    Ambiguous,
    /// It fits a record that another object of its system stands for.
    Duplicate,
    /// It fits none, and its system may not create one.
    Refused,
    /// It cannot be taken in.
    Unreadable,
    /// It refers to an object that was not found.
    Waiting,
    /// Values differ.
    Conflict,
    /// A system does not have it.
    Missing,
    /// Its first delivery would fail.
    Fails,
}

/// One that is not simply matched: a line of the plan's list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// Why it is here.
    pub kind: Verdict,
    /// The type, as far as is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<Entity>,
    /// The record, if it stands for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Named>,
    /// The object, as `system:object/id`; of a missing record, those that stand for it.
    pub objects: Vec<String>,
    /// The system that is missing it, or where it would fail.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub systems: BTreeSet<System>,
    /// Records that it fits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Named>,
    /// Fields whose values differ, with whose counts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<Field, Option<System>>,
    /// Why, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
}

impl Finding {
    /// Of which nothing else is known.
    pub(crate) fn of(kind: Verdict) -> Self {
        Self {
            kind,
            entity: None,
            record: None,
            objects: Vec::new(),
            systems: BTreeSet::new(),
            candidates: Vec::new(),
            fields: BTreeMap::new(),
            why: String::new(),
        }
    }
}
