//! A mapping as it is written in `mappings/*.yaml`.

mod transform;
mod word;

use std::collections::{BTreeMap, BTreeSet};

use canonical::{Entity, Field, Fields, Object, System};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[cfg(test)]
pub(crate) use transform::NAMES;
pub use transform::{
    Ambiguous, BooleanForm, ConcatForm, DateForm, DecimalForm, EdgeForm, ListForm, PhoneForm, Rounding,
    SplitForm, TimeForm, Transform, Written,
};

/// A versioned field table between an entity and one kind of object in one system.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingSource {
    /// Its immutable name, such as `contact.crm`.
    pub mapping: String,
    /// Counts up with each change of meaning; from 1.
    pub version: u32,
    /// The canonical type.
    pub entity: Entity,
    /// The system.
    pub system: System,
    /// The system's kind of object.
    pub object: Object,
    /// The paths of the object that expressions read, each with its type: `text`, `int`, `decimal`, `bool`, `date`,
    /// `time`, `list(text)`; with `?` when it may be null.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reads: BTreeMap<String, String>,
    /// The table.
    #[serde(default)]
    pub fields: Vec<RowSource>,
    /// Paths whose values no entity field has: kept as they are in the record's extension map of this system,
    /// under the path as it is written here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<String>,
    /// Paths that an earlier version wrote and this one does not, each with what becomes of the value that stands
    /// there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub removed: BTreeMap<String, OnRemoved>,
    /// Its tests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<ExampleSource>,
}

impl MappingSource {
    /// The names of the lookup tables that its rows use.
    #[must_use]
    pub fn tables(&self) -> BTreeSet<String> {
        let mut tables = BTreeSet::new();
        for row in &self.fields {
            tables.extend(row.lookup.as_ref().map(|used| used.table.clone()));
            let parsed = row.expr.as_deref().and_then(|text| expression::parse(text).ok());
            tables.extend(parsed.iter().flat_map(|ast| ast.tables()).map(str::to_owned));
        }
        tables
    }
}

/// One row of the table.
///
/// Transforms are applied in the order written: an `in` or `both` row reads with them first to last, an `out`
/// row writes with them first to last, and a `both` row writes with their inverses last to first. A lookup
/// stands at the record's end: after the transforms when reading, before them when writing.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowSource {
    /// The entity's field. Absent for constants and for rows that write a `concat` of several fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<Field>,
    /// Where it stands in the system's object: keys with dots between them (`properties.email`). A key of
    /// digits is also a position in a list; a dot inside a key is written `\.`, a backslash `\\`. Absent for
    /// rows that read a `concat` of several paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Which way values go.
    #[serde(default)]
    pub direction: Direction,
    /// What a table cannot say, in one line of CEL syntax: of `object.PATH` for a field (`in`), of `record.FIELD`
    /// for a path (`out`). An input that was never said ends it, and the row does what `on_missing` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expr: Option<String>,
    /// How the system's form differs from the record's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transform: Vec<Transform>,
    /// A table that translates values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<LookupUse>,
    /// The value is the id of another object of the same system.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<RefUse>,
    /// Written as it is, whatever the record holds (`out` only).
    #[serde(default, deserialize_with = "word::present", skip_serializing_if = "Option::is_none")]
    pub constant: Option<Value>,
    /// The field's value, in the record's form, wherever a policy of this row says `default`.
    #[serde(default, deserialize_with = "word::present", skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// What an absent value means.
    #[serde(default)]
    pub on_missing: OnAbsent,
    /// What a null means.
    #[serde(default)]
    pub on_null: OnAbsent,
    /// What an empty text or list means.
    #[serde(default)]
    pub on_empty: OnEmpty,
    /// When two values count as the same although they differ. Must be said where a transform that goes both
    /// ways loses something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equal: Option<Equal>,
}

/// Which way a row's values go.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Read and written.
    #[default]
    Both,
    /// Only read from the system.
    In,
    /// Only written to the system.
    Out,
}

impl Direction {
    /// Whether it is read from the system.
    #[must_use]
    pub fn reads(self) -> bool {
        self != Self::Out
    }

    /// Whether it is written to the system.
    #[must_use]
    pub fn writes(self) -> bool {
        self != Self::In
    }
}

/// What an absent or null value does to the other side.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnAbsent {
    /// Nothing: the other side keeps what it has.
    #[default]
    Keep,
    /// It becomes null there.
    Null,
    /// It becomes the row's `default`.
    Default,
    /// It is an error.
    Fail,
}
word::words!(OnAbsent { Keep = "keep", Null = "null", Default = "default", Fail = "fail" });

/// What an empty text (white space counts as empty) or an empty list does to the other side.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnEmpty {
    /// Nothing: empty never overwrites.
    #[default]
    Keep,
    /// It becomes null there.
    Null,
    /// It becomes the row's `default`.
    Default,
}
word::words!(OnEmpty { Keep = "keep", Null = "null", Default = "default" });

/// What becomes of a value that Concord wrote to a path which the mapping does not write any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnRemoved {
    /// It stays as it is; from now on it is the system's own.
    Leave,
    /// It becomes null, once, with the record's next delivery.
    Clear,
}

/// When two values of a row count as the same although they differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Equal {
    /// Upper and lower case do not matter.
    CaseInsensitive,
    /// White space around does not matter.
    Trimmed,
    /// Neither case nor white space around matter.
    Folded,
    /// Digits beyond what the row writes do not matter.
    Rounded,
    /// How a telephone number is written does not matter, read with the row's `phone`.
    Phone,
}

impl Equal {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CaseInsensitive => "case_insensitive",
            Self::Trimmed => "trimmed",
            Self::Folded => "folded",
            Self::Rounded => "rounded",
            Self::Phone => "phone",
        }
    }
}

/// How a row uses a lookup table.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookupUse {
    /// The table's name: `lookups/NAME.csv`.
    pub table: String,
    /// The column with the system's values.
    pub from: String,
    /// The column with the record's values.
    pub to: String,
    /// What becomes of a value that the table does not have.
    #[serde(default)]
    pub on_unmapped: OnUnmapped,
}

/// What becomes of a value that a lookup table does not have.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum OnUnmapped {
    /// It is an error.
    #[default]
    Fail,
    /// It passes as it is; an error where the other column has it, as it could not be told apart on the way back.
    Pass,
    /// It becomes null.
    Null,
    /// It becomes this: in the record's form when reading, in the system's when writing. Not on `both` rows,
    /// which would write it over the value it stands for.
    Default(Value),
}

/// The value is the id of another object of the same system: linked to a record of `entity`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefUse {
    /// The type of the record it points at.
    pub entity: Entity,
    /// The system's kind of object that holds it there.
    pub object: Object,
    /// Nobody waits for it: the object is written, or taken in, without it, and it follows when its link is there. What
    /// breaks a cycle of references.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
}

/// A test of the mapping: `from` with `canonical` reads, `canonical` with `to` writes, all three do both.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExampleSource {
    /// What it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The system's object as it is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Fields>,
    /// The record's fields: all that reading gives, and what writing starts from. References stand in `links`.
    #[serde(default)]
    pub canonical: Fields,
    /// All that is written: nested like the system's object, or flat with paths as keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Fields>,
    /// Reference fields, each with the id that the object has in this system.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<Field, String>,
    /// Reference fields that are set but not linked in this system: writing must say so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Field>,
    /// What reading keeps in the extension map. Absent: not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Fields>,
    /// The field that must be refused, by reading when there is a `from`, else by writing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fails: Option<Field>,
}
