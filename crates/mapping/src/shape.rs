//! What kind of value stands between two steps of a row: the types that compiling checks.

use std::fmt;

use canonical::FieldType;

/// A kind of value on its way through a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    /// Not known before it runs: what a system sends, or a field of any kind.
    Raw,
    /// A text.
    Text,
    /// A whole number.
    Integer,
    /// A canonical decimal.
    Decimal,
    /// A JSON number in the system's form.
    Number,
    /// A boolean.
    Boolean,
    /// A canonical date.
    Date,
    /// A canonical time.
    Time,
    /// A list of texts.
    List,
}

impl Shape {
    /// Of a field's values.
    pub(crate) fn of(kind: &FieldType) -> Self {
        match kind {
            FieldType::Text | FieldType::Reference(_) => Self::Text,
            FieldType::Integer => Self::Integer,
            FieldType::Decimal => Self::Decimal,
            FieldType::Boolean => Self::Boolean,
            FieldType::Date => Self::Date,
            FieldType::Time => Self::Time,
            FieldType::List { .. } => Self::List,
            FieldType::Any => Self::Raw,
        }
    }

    /// Whether values of this kind may go where `wanted` is asked for.
    pub(crate) fn fits(self, wanted: Self) -> bool {
        self == wanted || self == Self::Raw || wanted == Self::Raw
    }

    /// The transform that leads from a system's value to this kind.
    pub(crate) fn transform(self) -> Option<&'static str> {
        match self {
            Self::Raw | Self::Number => None,
            Self::Text => Some("text"),
            Self::Integer => Some("number"),
            Self::Decimal => Some("decimal"),
            Self::Boolean => Some("boolean"),
            Self::Date => Some("date"),
            Self::Time => Some("time"),
            Self::List => Some("list"),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "any value",
            Self::Text => "a text",
            Self::Integer => "a whole number",
            Self::Decimal => "a decimal",
            Self::Number => "a number in the system's form",
            Self::Boolean => "true or false",
            Self::Date => "a date",
            Self::Time => "a time",
            Self::List => "a list of texts",
        })
    }
}
