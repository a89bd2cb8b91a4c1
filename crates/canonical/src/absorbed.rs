//! Records that were merged into another: what the survivor keeps of each, so that the merge can be taken back.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::ids::{JobId, RecordId};
use crate::name::{Field, Object, System};
use crate::record::{ExternalRef, Marks, Open, Provenance, Record};
use crate::time::Wall;
use crate::value::Fields;

/// Most records that one may absorb: each leaves what it changed in the survivor's row.
pub const ABSORBED_MAX: usize = 64;

/// How far an alias is followed: no merge makes a longer chain.
pub const ALIAS_HOPS_MAX: usize = 16;

/// The id that stands for a record's: itself, or where its alias leads. `into` says what a record was merged into.
///
/// # Errors
/// What `into` fails with.
pub fn stands_for<E>(
    record: RecordId,
    mut into: impl FnMut(RecordId) -> Result<Option<RecordId>, E>,
) -> Result<RecordId, E> {
    let mut found = record;
    for _ in 0..ALIAS_HOPS_MAX {
        match into(found)? {
            Some(next) => found = next,
            None => break,
        }
    }
    Ok(found)
}

/// What a survivor keeps of a merge. What the other record was stands in that record's own row, which stays as an alias.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Absorbed {
    /// When.
    pub at: Wall,
    /// The version of the survivor that the merge made.
    pub version: i64,
    /// The job that carried it out.
    pub job: JobId,
    /// Who, and why.
    pub why: String,
    /// The objects that the other record was linked to, and those that were second ones of it.
    pub objects: Vec<Taken>,
    /// Records that had been merged into the other one before, and lead here through it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub aliases: BTreeSet<RecordId>,
    /// By how many merges the farthest of all these leads here: 1 where it is the other record itself.
    pub hops: usize,
    /// What the survivor had before.
    pub before: Before,
    /// Its own object there was deleted since, and an object of the other record goes on in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<System>,
}

/// An object that came with a record that was merged into another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Taken {
    /// The object.
    pub object: ExternalRef,
    /// The record whose it was: the one that was merged, or one that had been merged into that one before.
    pub of: RecordId,
    /// The survivor has one of its own of that kind there: this one is a duplicate, and stays linked to the alias.
    #[serde(default)]
    pub second: bool,
    /// It was deleted since, while the record had another one: nobody's deletion, unless the records are split.
    #[serde(default)]
    pub ended: bool,
}

impl Taken {
    /// Whether another object is of the same kind in the same system.
    #[must_use]
    pub fn is_like(&self, other: &ExternalRef) -> bool {
        self.object.system == other.system && self.object.object == other.object
    }
}

/// Why an object is no second one any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoSecond<'a> {
    /// It is the record's own from now on: the first one has gone.
    Own,
    /// The same: the first one, which is this, was deleted.
    FirstDeleted(&'a ExternalRef),
    /// It was deleted there.
    Deleted,
    /// It was merged into the first one there.
    Merged,
}

/// What a record had, as far as a merge changes it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Before {
    /// The entity's schema version that names it so.
    pub schema: u32,
    /// Its values.
    pub fields: Fields,
    /// Where they came from.
    pub provenance: BTreeMap<Field, Provenance>,
    /// What each system had said, in its own order.
    pub marks: BTreeMap<System, Marks>,
    /// Values that only one system knows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<System, Fields>,
    /// What was not settled.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub open: BTreeMap<Field, Open>,
    /// Domain events that had fired.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub occurrences: BTreeSet<String>,
}

impl Before {
    /// What a record has, which was read under that version of its schema.
    #[must_use]
    pub fn of(record: &Record, schema: u32) -> Self {
        Self {
            schema,
            fields: record.fields.clone(),
            provenance: record.provenance.clone(),
            marks: record.marks.clone(),
            extensions: record.extensions.clone(),
            open: record.open.clone(),
            occurrences: record.occurrences.clone(),
        }
    }

    /// The record as it was then, as far as is kept.
    #[must_use]
    pub fn as_record(&self, record: &Record) -> Record {
        Record {
            schema: self.schema,
            fields: self.fields.clone(),
            provenance: self.provenance.clone(),
            marks: self.marks.clone(),
            extensions: self.extensions.clone(),
            open: self.open.clone(),
            occurrences: self.occurrences.clone(),
            counter_writes: BTreeMap::new(),
            absorbed: BTreeMap::new(),
            ..record.clone()
        }
    }
}

impl Absorbed {
    /// An object was deleted, and another goes on in its place: it was the other record's own, or the survivor's.
    fn first_deleted(&mut self, first: &ExternalRef, next: &ExternalRef) {
        let mut came = false;
        for taken in self.objects.iter_mut().filter(|taken| taken.object == *first) {
            (taken.second, taken.ended, came) = (false, true, true);
        }
        if !came && self.objects.iter().any(|taken| taken.object == *next) {
            self.ended = Some(first.system.clone());
        }
    }
}

impl Record {
    /// By how many merges the farthest of its aliases leads to it; 0 without any.
    #[must_use]
    pub fn alias_hops(&self) -> usize {
        self.absorbed.values().map(|absorbed| absorbed.hops).max().unwrap_or(0)
    }

    /// Whether another record's id leads to this one: it is its own, or that of one that was merged into it.
    #[must_use]
    pub fn stands_for(&self, id: RecordId) -> bool {
        self.id == id
            || self.absorbed.iter().any(|(gone, absorbed)| *gone == id || absorbed.aliases.contains(&id))
    }

    /// All ids that lead to it: its own first, and those of the records that were merged into it.
    pub fn names(&self) -> impl Iterator<Item = RecordId> {
        let absorbed = self.absorbed.iter();
        let gone = absorbed.flat_map(|(gone, absorbed)| [gone].into_iter().chain(&absorbed.aliases));
        [self.id].into_iter().chain(gone.copied())
    }

    /// Further objects of that kind in a system, which came with records that were merged into this one.
    pub fn second_objects(&self, system: &System, object: &Object) -> impl Iterator<Item = &ExternalRef> {
        let taken = self.absorbed.values().flat_map(|absorbed| &absorbed.objects);
        let of_kind = move |of: &ExternalRef| of.system == *system && of.object == *object;
        taken.filter(move |taken| taken.second && of_kind(&taken.object)).map(|taken| &taken.object)
    }

    /// That object is no second one any more: see [`NoSecond`]. Says whether it was one.
    pub fn not_second(&mut self, object: &ExternalRef, why: NoSecond<'_>) -> bool {
        let mut was = false;
        for absorbed in self.absorbed.values_mut() {
            for taken in absorbed.objects.iter_mut().filter(|taken| taken.object == *object) {
                was |= std::mem::take(&mut taken.second);
                taken.ended |= why == NoSecond::Deleted;
            }
            if why == NoSecond::Merged {
                absorbed.objects.retain(|taken| taken.object != *object);
            }
        }
        if let NoSecond::FirstDeleted(first) = why {
            self.absorbed.values_mut().for_each(|absorbed| absorbed.first_deleted(first, object));
        }
        was
    }

    /// One of the objects that came with a merged record goes on as another one. Says whether it was one of them.
    pub fn goes_on(&mut self, object: &ExternalRef, now: &ExternalRef) -> bool {
        let all = self.absorbed.values_mut().flat_map(|absorbed| &mut absorbed.objects);
        let mut was = false;
        for taken in all.filter(|taken| taken.object == *object) {
            taken.object = now.clone();
            was = true;
        }
        was
    }
}
