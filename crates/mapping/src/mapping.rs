//! A compiled mapping: immutable, cheap to clone, and what it says about itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use canonical::{Entity, EntitySchema, Field, Object, Rewrites, System};
use serde_json::Value;

use crate::error::{ExampleFailure, MappingError};
use crate::lookup::Lookup;
use crate::meaning::Meaning;
use crate::path::Path;
use crate::row::{InRow, OutRow, Source};
use crate::source::{ExampleSource, MappingSource, OnRemoved, RowSource};
use crate::vendor::Vendor;
use crate::{compile, example};

/// A field table, checked against its entity and resolved. Clones share it.
#[derive(Clone)]
pub struct Mapping {
    pub(crate) inner: Arc<Inner>,
    /// What the system makes of the values at its paths.
    pub(crate) vendor: Arc<Vendor>,
}

/// What compiling leaves.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) id: String,
    pub(crate) version: u32,
    pub(crate) entity: Entity,
    pub(crate) system: System,
    pub(crate) object: Object,
    pub(crate) digest: String,
    pub(crate) meaning: Meaning,
    pub(crate) ins: Vec<InRow>,
    pub(crate) outs: Vec<OutRow>,
    pub(crate) constants: Vec<(Path, Value)>,
    pub(crate) extensions: Vec<Path>,
    /// No longer written.
    pub(crate) removed: BTreeMap<String, OnRemoved>,
    pub(crate) examples: Vec<ExampleSource>,
    /// The fields that `outs` carry.
    pub(crate) written: Arc<BTreeSet<Field>>,
    /// Written path to its place in `outs`.
    pub(crate) by_path: BTreeMap<String, usize>,
    /// Read field to its place in `ins`.
    pub(crate) by_field: BTreeMap<Field, usize>,
    /// The rows as they are written, and where in the file those of `ins` and `outs` stand.
    pub(crate) rows: Vec<RowSource>,
    pub(crate) ins_at: Vec<usize>,
    pub(crate) outs_at: Vec<usize>,
}

/// A field that refers to a record by another object's id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Reference<'a> {
    /// The field.
    pub field: &'a Field,
    /// The type of the record it refers to.
    pub entity: &'a Entity,
    /// The system's kind of object that stands for it.
    pub object: &'a Object,
    /// Nobody waits for it.
    pub late: bool,
}

impl Mapping {
    /// Checks a mapping against its entity and its lookup tables, and resolves it.
    ///
    /// # Errors
    /// With everything that is wrong, in the order of the file.
    pub fn compile(
        source: &MappingSource,
        schema: &EntitySchema,
        lookups: &BTreeMap<String, Lookup>,
    ) -> Result<Self, Vec<MappingError>> {
        compile::compile(source, schema, lookups).map(Self::of)
    }

    pub(crate) fn of(inner: Inner) -> Self {
        Self { inner: Arc::new(inner), vendor: Arc::default() }
    }

    /// The same, for a system that makes that of what it is given: values that it cannot tell apart are then the same in
    /// every comparison, besides those that a row's `equal` makes the same. Nothing is written or read otherwise.
    #[must_use]
    pub fn under(mut self, rewrites: &Rewrites) -> Self {
        self.vendor = Arc::new(Vendor::new(&self.inner, rewrites));
        self
    }

    /// Its immutable name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// Its version; counts up.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.inner.version
    }

    /// The canonical type.
    #[must_use]
    pub fn entity(&self) -> &Entity {
        &self.inner.entity
    }

    /// The system.
    #[must_use]
    pub fn system(&self) -> &System {
        &self.inner.system
    }

    /// The system's kind of object.
    #[must_use]
    pub fn object(&self) -> &Object {
        &self.inner.object
    }

    /// A text that changes when anything changes that could change a result: rows, the fields they use, the
    /// tables they look up. Examples and the version do not count. The same on every machine.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.inner.digest
    }

    /// The fields it can say something about when reading.
    pub fn in_fields(&self) -> impl Iterator<Item = &Field> {
        self.inner.ins.iter().map(|row| &row.field)
    }

    /// The fields it writes, each once.
    pub fn out_fields(&self) -> impl Iterator<Item = &Field> {
        self.inner.written.iter()
    }

    /// The same, to be kept.
    #[must_use]
    pub fn written(&self) -> Arc<BTreeSet<Field>> {
        Arc::clone(&self.inner.written)
    }

    /// The paths it can write.
    pub fn out_paths(&self) -> impl Iterator<Item = &str> {
        let constants = self.inner.constants.iter().map(|(path, _)| path.as_str());
        self.inner.outs.iter().map(|row| row.path.as_str()).chain(constants)
    }

    /// What becomes of what stands at a path that it does not write any more, where the file says so.
    #[must_use]
    pub fn on_removed(&self, path: &str) -> Option<OnRemoved> {
        self.inner.removed.get(path).copied()
    }

    /// The fields that refer to other records, read or written, each once per kind of object.
    pub fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        let read = self.inner.ins.iter().filter_map(|row| {
            let used = row.reference.as_ref()?;
            Some(Reference { field: &row.field, entity: &used.entity, object: &used.object, late: used.late })
        });
        let written = self.inner.outs.iter().filter_map(|row| match &row.source {
            Source::Link(used) => Some(Reference {
                field: &row.field,
                entity: &used.entity,
                object: &used.object,
                late: used.late,
            }),
            Source::Field | Source::Joined(_) | Source::Cell(_) => None,
        });
        let cells = self.inner.outs.iter().filter_map(|row| match &row.source {
            Source::Cell(cell) => Some(&cell.links),
            _ => None,
        });
        let asked = cells.flatten().map(|link| Reference {
            field: &link.field,
            entity: &link.entity,
            object: &link.object,
            late: false,
        });
        let all: std::collections::BTreeSet<Reference<'_>> = read.chain(written).chain(asked).collect();
        all.into_iter()
    }

    /// What its writing waits for, by the path of the row that asks for it.
    pub fn waits_for(&self) -> impl Iterator<Item = (&str, Reference<'_>)> {
        self.inner.outs.iter().flat_map(|row| {
            let links = match &row.source {
                Source::Cell(cell) => cell.links.as_slice(),
                _ => &[],
            };
            let asked = links.iter().map(|link| (&link.field, &link.entity, &link.object));
            let used = match &row.source {
                Source::Link(used) if !used.late => Some((&row.field, &used.entity, &used.object)),
                _ => None,
            };
            used.into_iter().chain(asked).map(|(field, entity, object)| {
                (row.path.as_str(), Reference { field, entity, object, late: false })
            })
        })
    }

    /// How many examples the file has.
    #[must_use]
    pub fn examples(&self) -> usize {
        self.inner.examples.len()
    }

    /// Runs the examples of the file. Empty: all come out as they say.
    #[must_use]
    pub fn run_examples(&self) -> Vec<ExampleFailure> {
        example::run(self)
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{} ({})", self.inner.id, self.inner.version, self.inner.digest)
    }
}
