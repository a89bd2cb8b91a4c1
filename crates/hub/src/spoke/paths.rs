//! Paths of a mapping by the fields that they carry: those that a write does not touch.

use std::collections::BTreeSet;

use canonical::{EntitySchema, Record};
use mapping::Mapping;

use crate::spoke::Spoke;

impl Spoke {
    /// Paths of this mapping that carry a field which the target's system owns, in that record or in any. What is brought
    /// together by a rule, and what is proposed to the owner, is written there all the same.
    pub(crate) fn own_paths<'a>(
        &self,
        mapping: &'a Mapping,
        schema: &EntitySchema,
        record: Option<&Record>,
    ) -> BTreeSet<&'a str> {
        paths_of(mapping, |field| {
            let Some(spec) = schema.fields.get(field).filter(|spec| !spec.on_conflict.merges()) else {
                return false;
            };
            let Some(record) = record else {
                return spec.possible_owners().any(|owner| *owner == self.system);
            };
            let proposed =
                record.open.get(field).is_some_and(|open| open.kind == canonical::OpenKind::Proposed);
            spec.owner_in(&record.fields) == Some(&self.system) && !proposed
        })
    }

    /// Paths of this mapping whose field is not settled at the target's system.
    pub(crate) fn held_paths<'a>(&self, mapping: &'a Mapping, record: &Record) -> BTreeSet<&'a str> {
        if record.open.is_empty() {
            return BTreeSet::new();
        }
        let held: BTreeSet<&canonical::Field> = record.held_at(&self.system).collect();
        paths_of(mapping, |field| held.contains(field))
    }
}

/// Paths that carry such a field.
pub(crate) fn paths_of(mapping: &Mapping, is: impl Fn(&canonical::Field) -> bool) -> BTreeSet<&str> {
    let rows = mapping.lineage().into_iter().filter(|row| row.direction.writes());
    rows.filter(|row| row.field.is_some_and(&is)).map(|row| row.path).collect()
}
