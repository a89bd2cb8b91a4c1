//! Proves that what goes both ways comes back: of every two-way row, what is written reads as what it was, up to the
//! equality that the row declares, or is refused.
//!
//! A proof by trial, not by algebra: some 64 values of the field's type, all cells of its lookup table, and what the
//! examples say. The values are made from the mapping's digest, so that a mapping fails on every machine alike.

mod blame;
mod values;

use canonical::{Field, Fields};
use serde_json::Value;

use crate::flaw::Flaw;
use crate::mapping::Mapping;
use crate::row::{InRow, Origin, OutRow, Said, Source};
use crate::shape::Shape;
use crate::source::RowSource;

/// What trying a two-way row came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof<'a> {
    /// The row that reads: its index into `fields`, from zero.
    pub row: usize,
    /// The field.
    pub field: &'a Field,
    /// Where it stands in the system's object.
    pub path: &'a str,
    /// Values that were tried.
    pub values: usize,
    /// Those of them that writing refused: a refusal loses nothing.
    pub refused: usize,
    /// The first value that does not come back.
    pub disproof: Option<Disproof>,
}

/// A two-way row that loses something it does not declare. Shows made-up values and cells of tables, never what an
/// example holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`fields[{row}].{key}`: {message}; {hint}")]
pub struct Disproof {
    /// The row: its index into `fields`, from zero.
    pub row: usize,
    /// The key of the row that does it, such as `transform[0]`.
    pub key: String,
    /// What is lost.
    pub message: String,
    /// What would be right.
    pub hint: String,
}

impl Mapping {
    /// Tries every two-way row: rows of direction `both`, and pairs of an `in` and an `out` row of one field at one
    /// path. References and rows that join several are not tried.
    #[must_use]
    pub fn proofs(&self) -> Vec<Proof<'_>> {
        self.pairs().map(|pair| pair.prove()).collect()
    }

    /// The two-way rows that lose something they do not declare: at most one for each. Empty: all come back.
    #[must_use]
    pub fn prove(&self) -> Vec<Disproof> {
        self.proofs().into_iter().filter_map(|proof| proof.disproof).collect()
    }

    fn pairs(&self) -> impl Iterator<Item = Pair<'_>> {
        let inner = &self.inner;
        let tried = inner.ins.iter().zip(&inner.ins_at);
        let tried = tried.filter(|(read, _)| read.reference.is_none() && read.paths().len() == 1);
        tried.filter_map(|(read, at)| {
            let write = match read.twin {
                Some(twin) => inner.outs.get(twin),
                // Two rows that go one way each, by a transform or by an expression, are one that goes both.
                None => inner.outs.iter().find(|row| {
                    matches!(row.source, Source::Field | Source::Cell(_))
                        && *row.fields() == [read.field.clone()]
                        && read.paths() == [row.path.clone()]
                }),
            }?;
            Some(Pair { mapping: self, read, write, at: *at, row: inner.rows.get(*at)? })
        })
    }
}

/// A way in and a way out that belong together.
struct Pair<'a> {
    mapping: &'a Mapping,
    read: &'a InRow,
    write: &'a OutRow,
    /// The reading row, and its place in the file.
    at: usize,
    row: &'a RowSource,
}

/// Where a value that is tried comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Witness {
    Made,
    Table,
    Example(usize),
}

/// How a value did not come back.
#[derive(Debug)]
enum Loss {
    /// It is written as an empty value, which says nothing.
    Empty,
    /// What is written is not read.
    Unread(Value, Flaw),
    /// What is written reads as nothing.
    Silent(Value),
    /// What is written reads as another value.
    Other(Value, Value),
}

impl<'a> Pair<'a> {
    fn prove(&self) -> Proof<'a> {
        let field = &self.read.field;
        let mut proof = Proof {
            row: self.at,
            field,
            path: self.read.path.as_str(),
            values: 0,
            refused: 0,
            disproof: None,
        };
        for cell in self.read.table.iter().flat_map(|table| table.pairs.iter()) {
            proof.values += 1;
            if let Err(disproof) = self.cell(cell) {
                proof.disproof.get_or_insert(disproof);
            }
        }
        for (from, value) in self.values() {
            proof.values += 1;
            match self.trip(&value) {
                Ok(true) => {}
                Ok(false) => proof.refused += 1,
                Err(loss) => {
                    proof.disproof.get_or_insert_with(|| self.lost(from, &value, &loss));
                }
            }
        }
        proof
    }

    /// A cell of the table, as the system would send it: it must read as its translation.
    fn cell(&self, (key, meaning): (&String, &Value)) -> Result<(), Disproof> {
        let cell = self.keyed(key);
        let sent = self.read.steps.iter().rev().try_fold(cell.clone(), |value, step| step.write(value));
        let loss = match sent {
            Err(flaw) => Loss::Unread(cell.clone(), flaw),
            Ok(sent) => match self.back(&sent) {
                Ok(Said::Value(back)) if self.same(meaning, &back) => return Ok(()),
                Ok(Said::Value(back)) => Loss::Other(sent, back),
                Ok(Said::Keep) => Loss::Silent(sent),
                Err(flaw) => Loss::Unread(sent, flaw),
            },
        };
        Err(self.unreadable(key, &cell, &loss))
    }

    /// A cell in the kind that the steps before the table give.
    fn keyed(&self, key: &str) -> Value {
        let kind = self.read.steps.last().map(|step| step.read_shapes().1);
        let value = match kind {
            Some(Shape::Integer) => key.parse::<i64>().ok().map(Value::from),
            Some(Shape::Boolean) => key.parse::<bool>().ok().map(Value::from),
            _ => None,
        };
        value.unwrap_or_else(|| Value::from(key))
    }

    /// Writes a value and reads it again. `false`: writing refused it.
    fn trip(&self, value: &Value) -> Result<bool, Loss> {
        let (written, declared) = match self.write.render(value.clone()) {
            Err(_) => return Ok(false),
            Ok(Origin::Value(written)) => (written, false),
            // `on_unmapped: null` says so; what null means when it is read is for the policies.
            Ok(Origin::Null | Origin::Missing) => (Value::Null, true),
            Ok(Origin::Empty) => match self.write.policies.empty() {
                Said::Keep => return Err(Loss::Empty),
                Said::Value(written) => (written, false),
            },
        };
        match self.back(&written) {
            Ok(Said::Value(back)) if self.same(value, &back) => Ok(true),
            Ok(Said::Keep) if declared => Ok(true),
            Ok(Said::Value(back)) => Err(Loss::Other(written, back)),
            Ok(Said::Keep) => Err(Loss::Silent(written)),
            Err(flaw) => Err(Loss::Unread(written, flaw)),
        }
    }

    /// What the system would say with this value at the path.
    fn back(&self, sent: &Value) -> Result<Said, Flaw> {
        let mut memory = Fields::new();
        memory.insert(self.read.path.as_str().to_owned(), sent.clone());
        self.read.recall(&memory)
    }

    fn same(&self, one: &Value, other: &Value) -> bool {
        self.mapping.equal_on(&self.read.field, one, other)
    }
}
