//! A row's expression, ready to run: where its inputs stand, its tables, its links.

use std::cell::Cell as Slot;
use std::collections::BTreeMap;

use canonical::value::{kind_of, normal};
use canonical::{Entity, Field, FieldType, Fields, Object, RecordId};
use expression::{Budget, Cause, Inputs, Outcome, Program, Seen, Stop};
use serde_json::Value;

use crate::flaw::{Flaw, Why};
use crate::path::{Found, Path};
use crate::project::{Links, MissingLink};
use crate::row::Origin;

/// A compiled expression and what its slots stand for. `T` is where an input stands: a path or a field.
#[derive(Debug)]
pub(crate) struct Cell<T> {
    pub(crate) program: Program,
    /// By slot.
    pub(crate) inputs: Vec<T>,
    /// By slot: what each text of one column is in another.
    pub(crate) tables: Vec<BTreeMap<String, String>>,
    /// By slot.
    pub(crate) links: Vec<Link>,
    /// What it gives, as a field would hold it.
    pub(crate) gives: FieldType,
}

/// Which id of which record an expression asks for.
#[derive(Debug, PartialEq)]
pub(crate) struct Link {
    pub(crate) field: Field,
    pub(crate) entity: Entity,
    pub(crate) object: Object,
}

impl<T> Cell<T> {
    fn run(&self, inputs: &dyn Inputs) -> Result<Origin, Stop> {
        Ok(match self.program.run(inputs, &mut Budget::default())? {
            Outcome::Missing => Origin::Missing,
            Outcome::Value(value) => Origin::of(Some(&value)),
        })
    }

    /// A value in the system's form as this expression would give it: `"12.50"` is `"12.5"`.
    pub(crate) fn meaning(&self, value: Value) -> Option<Value> {
        normal(&self.gives, value).ok()
    }
}

impl Cell<Path> {
    /// What an object says.
    pub(crate) fn read(&self, object: &Fields) -> Result<Origin, Flaw> {
        for path in &self.inputs {
            if let Found::Blocked { found } = path.find(object) {
                return Err(Flaw::new("an object on the way there", found, Why::Blocked));
            }
        }
        let find = |slot: usize| match self.inputs.get(slot).map(|path| path.find(object)) {
            Some(Found::Value(value)) => Some(value),
            _ => None,
        };
        self.run(&Reading { find: &find, tables: &self.tables }).map_err(|stop| flaw(stop, "`reads`"))
    }

    /// What a flat memory of an object says. Where it lacks an input it says nothing, whatever is asked of it.
    pub(crate) fn recall(&self, memory: &Fields) -> Result<Origin, Flaw> {
        let find = |slot: usize| self.inputs.get(slot).and_then(|path| memory.get(path.as_str()));
        if (0..self.inputs.len()).any(|slot| find(slot).is_none()) {
            return Ok(Origin::Missing);
        }
        self.run(&Reading { find: &find, tables: &self.tables }).map_err(|stop| flaw(stop, "`reads`"))
    }
}

impl Cell<Field> {
    /// What is written of a record. `None`: it needs the id of a record that has none yet, which was noted.
    pub(crate) fn write(
        &self,
        record: &Fields,
        links: Links<'_>,
        path: &str,
        missing: &mut Vec<MissingLink>,
    ) -> Result<Option<Origin>, Flaw> {
        let mut ids = Vec::with_capacity(self.links.len());
        for link in &self.links {
            let value = record.get(link.field.as_str()).and_then(Value::as_str);
            let record = value.and_then(|text| text.parse::<RecordId>().ok());
            let id = record.as_ref().and_then(|record| links(&link.entity, &link.object, record));
            ids.push((record, id));
        }
        let writing = Writing { cell: self, record, ids: &ids, unlinked: Slot::new(None) };
        match self.run(&writing) {
            Ok(origin) => Ok(Some(origin)),
            Err(stop) if stop.why == Cause::Unlinked => {
                let slot = writing.unlinked.get().unwrap_or_default();
                let (Some(link), Some((Some(record), _))) = (self.links.get(slot), ids.get(slot)) else {
                    return Err(Flaw::new("the id of a record", "a text", Why::Form));
                };
                missing.push(MissingLink {
                    field: link.field.clone(),
                    entity: link.entity.clone(),
                    object: link.object.clone(),
                    record: *record,
                    path: path.to_owned(),
                    late: false,
                });
                Ok(None)
            }
            Err(stop) => Err(flaw(stop, "the schema")),
        }
    }
}

/// An object, or a memory of one.
struct Reading<'a> {
    find: &'a dyn Fn(usize) -> Option<&'a Value>,
    tables: &'a [BTreeMap<String, String>],
}

impl Inputs for Reading<'_> {
    fn input(&self, slot: u16) -> Seen<'_> {
        (self.find)(usize::from(slot)).map_or(Seen::Missing, Seen::Value)
    }

    fn lookup(&self, slot: u16, key: &str) -> Option<&str> {
        found(self.tables, slot, key)
    }

    fn link(&self, _: u16, _: &str) -> Option<&str> {
        None
    }
}

/// A record, and the ids that its references have in the system.
struct Writing<'a> {
    cell: &'a Cell<Field>,
    record: &'a Fields,
    ids: &'a [(Option<RecordId>, Option<String>)],
    /// The link that was asked for and is not there.
    unlinked: Slot<Option<usize>>,
}

impl Inputs for Writing<'_> {
    fn input(&self, slot: u16) -> Seen<'_> {
        let field = self.cell.inputs.get(usize::from(slot));
        let value = field.and_then(|field| self.record.get(field.as_str()));
        value.map_or(Seen::Missing, Seen::Value)
    }

    fn lookup(&self, slot: u16, key: &str) -> Option<&str> {
        found(&self.cell.tables, slot, key)
    }

    fn link(&self, slot: u16, _: &str) -> Option<&str> {
        let slot = usize::from(slot);
        let id = self.ids.get(slot).and_then(|(_, id)| id.as_deref());
        if id.is_none() {
            self.unlinked.set(Some(slot));
        }
        id
    }
}

fn found<'a>(tables: &'a [BTreeMap<String, String>], slot: u16, key: &str) -> Option<&'a str> {
    tables.get(usize::from(slot))?.get(key).map(String::as_str)
}

/// A stop as what it asks for. `types` is where the inputs' types are said.
fn flaw(stop: Stop, types: &str) -> Flaw {
    let (asked, found, why) = match stop.why {
        Cause::Kind => (format!("a value of the type that {types} says"), "another", Why::Kind),
        Cause::Form => ("a text in the form that is read".to_owned(), "a text of another form", Why::Form),
        Cause::Range => ("a result that can be held".to_owned(), "one that is out of range", Why::Range),
        Cause::Inexact => ("a decimal that keeps its digits".to_owned(), "one with more", Why::Inexact),
        Cause::DivideByZero => ("a divisor".to_owned(), "zero", Why::Range),
        Cause::Budget => ("a result within its budget".to_owned(), "too much work", Why::Budget),
        Cause::Unmapped => ("a value of the lookup table".to_owned(), "another", Why::Unmapped),
        Cause::Unlinked => ("a linked record".to_owned(), "one without a link", Why::Missing),
    };
    Flaw::new(format!("{asked} at character {} of `expr`", stop.at + 1), found, why)
}

/// A value that an example or a default gives for a cell that writes.
pub(crate) fn plain(gives: &FieldType, value: &Value) -> Result<Value, Flaw> {
    normal(gives, value.clone()).map_err(|misfit| Flaw::new(misfit.expected, kind_of(value), Why::Kind))
}
