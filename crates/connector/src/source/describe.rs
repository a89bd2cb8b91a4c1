//! How a live system says which fields an object has.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{BodyTest, RequestSource};
use crate::describe::FieldKind;

/// Reading the fields of an object.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct DescribeSource {
    pub(crate) request: RequestSource,
    /// Where the fields stand in the answer: a list, or a table by their names. Absent: it is the answer.
    #[serde(default)]
    pub(crate) fields: Option<Spanned<String>>,
    /// The field's name, inside one; absent: its key in the table.
    #[serde(default)]
    pub(crate) name: Option<Spanned<String>>,
    /// What other paths stand for the same field: its name in place of the `*`.
    #[serde(default)]
    pub(crate) aliases: Vec<Spanned<String>>,
    /// The name by which paths lead on from it to another object. What lies there is not described.
    #[serde(default)]
    pub(crate) through: Option<Spanned<String>>,
    /// The vendor's type, inside one.
    #[serde(default, rename = "type")]
    pub(crate) kind: Option<Spanned<String>>,
    /// What the vendor's types are; one that is not named here fits anything.
    #[serde(default)]
    pub(crate) types: BTreeMap<String, FieldKind>,
    /// Fields that there are, and that the answer leaves out.
    #[serde(default)]
    pub(crate) also: Vec<String>,
    /// A new object must have it when all of these hold. Absent: the vendor does not say.
    #[serde(default)]
    pub(crate) required: Vec<BodyTest>,
    /// It can be written when one of these holds. Absent: the vendor does not say.
    #[serde(default)]
    pub(crate) writable: Vec<BodyTest>,
    /// It can't be written when one of these holds, whatever `writable` says.
    #[serde(default)]
    pub(crate) read_only: Vec<BodyTest>,
    /// Longest text in characters, inside one; nothing and 0 mean no limit.
    #[serde(default)]
    pub(crate) chars_max: Option<Spanned<String>>,
    /// The values that there are, of fields that are a `choice`.
    #[serde(default)]
    pub(crate) values: Option<ValuesSource>,
    /// Somebody added it to the vendor's own when this holds.
    #[serde(default)]
    pub(crate) custom: Option<BodyTest>,
}

/// The values of a choice.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct ValuesSource {
    /// Where the list stands, inside a field.
    pub(crate) at: Spanned<String>,
    /// The value, inside an item; absent: the item itself.
    #[serde(default)]
    pub(crate) value: Option<Spanned<String>>,
    /// They stand in one text, a line each (Frappe).
    #[serde(default)]
    pub(crate) lines: bool,
    /// Others are refused when this holds; absent: always.
    #[serde(default)]
    pub(crate) closed: Option<BodyTest>,
}
