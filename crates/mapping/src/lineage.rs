//! Lineage: which path feeds which field, which field feeds which path, and how.

use std::fmt;

use canonical::{Entity, Field};

use crate::mapping::Mapping;
use crate::source::{Direction, RowSource, Transform};

/// One arrow between a path and a field.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Lineage<'a> {
    /// In the system's object.
    pub path: &'a str,
    /// In the entity. `None`: a constant, or a path that is kept as an extension.
    pub field: Option<&'a Field>,
    /// Which way values go.
    pub direction: Direction,
    /// What happens to them on the way.
    pub how: How<'a>,
}

/// What happens to a value between a path and a field.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum How<'a> {
    /// A row carries it.
    Row {
        /// It is one of several that become one text.
        joined: bool,
        /// The row's transforms in the order they are written, without `concat`.
        transforms: &'a [Transform],
        /// The table that translates it.
        lookup: Option<&'a str>,
        /// It is the id of another object, which stands for a record of this type.
        refers: Option<&'a Entity>,
    },
    /// An expression makes it, of this and perhaps others.
    Expression,
    /// It is written whatever the record holds.
    Constant,
    /// It is kept in the record's extension map, under its path.
    Extension,
}

impl Lineage<'_> {
    /// Whether it leads into the extension map, which has no fields.
    #[must_use]
    pub fn is_extension(&self) -> bool {
        self.how == How::Extension
    }
}

impl Mapping {
    /// Every arrow between a path and a field, in the order of the file: which field feeds what, and which
    /// path fed it. Rows that join several give one arrow each. Paths that are kept as extensions come last.
    #[must_use]
    pub fn lineage(&self) -> Vec<Lineage<'_>> {
        let inner = &self.inner;
        let mut arrows = Vec::with_capacity(inner.rows.len() + inner.extensions.len());
        for (at, row) in inner.rows.iter().enumerate() {
            let (direction, how) = (row.direction, How::of(row));
            let arrow = |path, field| Lineage { path, field: Some(field), direction, how };
            let read = inner.ins_at.binary_search(&at).ok().and_then(|place| inner.ins.get(place));
            let written = inner.outs_at.binary_search(&at).ok().and_then(|place| inner.outs.get(place));
            if let Some(read) = read {
                arrows.extend(read.paths().iter().map(|path| arrow(path.as_str(), &read.field)));
            } else if let Some(written) = written {
                arrows.extend(written.fields().iter().map(|field| arrow(written.path.as_str(), field)));
            } else if let Some(path) = &row.path {
                arrows.push(Lineage { path, field: None, direction, how });
            }
        }
        arrows.extend(inner.extensions.iter().map(|path| Lineage {
            path: path.as_str(),
            field: None,
            direction: Direction::In,
            how: How::Extension,
        }));
        arrows
    }
}

impl<'a> How<'a> {
    fn of(row: &'a RowSource) -> Self {
        if row.constant.is_some() {
            return Self::Constant;
        }
        if row.expr.is_some() {
            return Self::Expression;
        }
        let (joined, transforms) = match row.transform.split_first() {
            Some((Transform::Concat(_), rest)) => (true, rest),
            _ => (false, row.transform.as_slice()),
        };
        Self::Row {
            joined,
            transforms,
            lookup: row.lookup.as_ref().map(|used| used.table.as_str()),
            refers: row.reference.as_ref().map(|used| &used.entity),
        }
    }
}

/// In a few words: `direct`, `trim, lower`, `lookup stages`, `joined`, `reference to Account`.
impl fmt::Display for How<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (joined, transforms, lookup, refers) = match *self {
            Self::Constant => return f.write_str("constant"),
            Self::Expression => return f.write_str("expression"),
            Self::Extension => return f.write_str("extension"),
            Self::Row { joined, transforms, lookup, refers } => (joined, transforms, lookup, refers),
        };
        let mut words: Vec<String> = Vec::new();
        words.extend(joined.then(|| "joined".to_owned()));
        words.extend(transforms.iter().map(|transform| transform.name().to_owned()));
        words.extend(lookup.map(|table| format!("lookup {table}")));
        words.extend(refers.map(|entity| format!("reference to {entity}")));
        if words.is_empty() {
            return f.write_str("direct");
        }
        f.write_str(&words.join(", "))
    }
}
