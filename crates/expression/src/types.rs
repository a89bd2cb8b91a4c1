//! The types of values. Whether a value may be null is part of its type; nothing turns into another kind unasked.

use std::fmt;

use canonical::{Entity, FieldType};

/// A kind of value, and whether it may be null instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    /// The kind.
    pub kind: Kind,
    /// Whether it may be null: written `text?`.
    pub null: bool,
}

/// A kind of value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// True or false.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// A decimal number of at most 28 digits, exact.
    Decimal,
    /// A text.
    Text,
    /// A day.
    Date,
    /// A moment.
    Time,
    /// A list of such items. There are no lists of lists.
    List(Box<Type>),
    /// Another record of this type.
    Ref(Entity),
    /// No kind of its own: `null`, or the item of a list that is always empty.
    Null,
}

impl Type {
    /// Never null.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        Self { kind, null: false }
    }

    /// A list of such items, which is never null itself.
    #[must_use]
    pub fn list(item: Self) -> Self {
        Self::of(Kind::List(Box::new(item)))
    }

    /// The same, or null.
    #[must_use]
    pub fn or_null(mut self) -> Self {
        self.null = true;
        self
    }

    /// The type of a field. `None`: it may hold any JSON, which has no type.
    #[must_use]
    pub fn of_field(field: &FieldType, null: bool) -> Option<Self> {
        let kind = match field {
            FieldType::Text => Kind::Text,
            FieldType::Integer => Kind::Int,
            FieldType::Decimal => Kind::Decimal,
            FieldType::Boolean => Kind::Bool,
            FieldType::Date => Kind::Date,
            FieldType::Time => Kind::Time,
            FieldType::Reference(entity) => Kind::Ref(entity.clone()),
            FieldType::List { .. } => Kind::List(Box::new(Self::of(Kind::Text))),
            FieldType::Any => return None,
        };
        Some(Self { kind, null })
    }

    /// The type that a text names, as people write it: `text`, `decimal?`, `list(text)`. `None`: it names none.
    /// References and null are not written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(text) = text.strip_suffix('?') {
            return Self::parse(text).filter(|ty| !ty.null).map(Self::or_null);
        }
        if let Some(item) = text.strip_prefix("list(").and_then(|rest| rest.strip_suffix(')')) {
            let item = Self::parse(item).filter(|item| !matches!(item.kind, Kind::List(_)))?;
            return Some(Self::list(item));
        }
        let kinds = [Kind::Bool, Kind::Int, Kind::Decimal, Kind::Text, Kind::Date, Kind::Time];
        kinds.into_iter().find(|kind| kind.to_string() == text).map(Self::of)
    }

    /// The names of types, for hints.
    pub const NAMES: [&str; 7] = ["text", "int", "decimal", "bool", "date", "time", "list(text)"];

    /// Whether every value of this type is one of `wanted`.
    #[must_use]
    pub fn fits(&self, wanted: &Self) -> bool {
        self.kind.fits(&wanted.kind) && (!self.null || wanted.null)
    }

    /// The type that both fit, when they are of one kind.
    pub(crate) fn join(&self, other: &Self) -> Option<Self> {
        let kind = match (&self.kind, &other.kind) {
            (Kind::Null, kind) | (kind, Kind::Null) => kind.clone(),
            (Kind::List(left), Kind::List(right)) => Kind::List(Box::new(left.join(right)?)),
            (left, right) if left == right => left.clone(),
            _ => return None,
        };
        Some(Self { kind, null: self.null || other.null })
    }
}

impl Kind {
    /// Whether every value of this kind is one of `wanted`.
    pub(crate) fn fits(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::Null, _) => true,
            (Self::List(item), Self::List(wanted)) => item.fits(wanted),
            (kind, wanted) => kind == wanted,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.kind, self.null) {
            (kind, true) if *kind != Kind::Null => write!(f, "{kind}?"),
            (kind, _) => write!(f, "{kind}"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Decimal => f.write_str("decimal"),
            Self::Text => f.write_str("text"),
            Self::Date => f.write_str("date"),
            Self::Time => f.write_str("time"),
            Self::List(item) if item.kind == Kind::Null => f.write_str("list()"),
            Self::List(item) => write!(f, "list({item})"),
            Self::Ref(entity) => write!(f, "ref({entity})"),
            Self::Null => f.write_str("null"),
        }
    }
}
