//! What an expression asks of the one that holds it: names while it is compiled, values while it runs.

use canonical::Entity;
use serde_json::Value;

use crate::types::Type;

/// One part of a path such as `object.lines[0]["unit price"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A name, after a point or in brackets.
    Name(String),
    /// A position in a list.
    Place(u32),
}

/// An input as it is known when an expression is compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// What it is asked for by, at run time. The same path has the same slot.
    pub slot: u16,
    /// Its type.
    pub ty: Type,
    /// The closed list of its texts, when it has one.
    pub choices: Option<Vec<String>>,
}

/// Why a name cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
}

/// Resolves names, once, when an expression is compiled.
pub trait Names {
    /// What stands at a path. The first key is the root, such as `record`.
    ///
    /// # Errors
    /// When there is no such input.
    fn input(&mut self, path: &[Key]) -> Result<Input, Unknown>;

    /// A table that is read from one column to another: the slot it is asked for by.
    ///
    /// # Errors
    /// When there is no such table or column, or `from` has a value twice.
    fn table(&mut self, table: &str, from: &str, to: &str) -> Result<u16, Unknown>;

    /// The ids that records of `entity` have as `object` in the other system: the slot they are asked for by. The
    /// record is the one that the input at slot `of` refers to.
    ///
    /// # Errors
    /// When the system has no such object, or it does not hold that entity.
    fn link(&mut self, of: u16, entity: &Entity, object: &str) -> Result<u16, Unknown>;
}

/// What an input holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Seen<'a> {
    /// Nothing was ever said. Not null, which means "known to be empty".
    Missing,
    /// This value, which must be of the input's type.
    Value(&'a Value),
}

/// The values of one evaluation.
pub trait Inputs {
    /// The value at a slot that [`Names::input`] gave.
    fn input(&self, slot: u16) -> Seen<'_>;

    /// What the table at a slot that [`Names::table`] gave has for a key. `None`: it does not have it.
    fn lookup(&self, slot: u16, key: &str) -> Option<&str>;

    /// The id that a record has by the slot that [`Names::link`] gave. `None`: it is not linked there.
    fn link(&self, slot: u16, record: &str) -> Option<&str>;
}
