//! The closed list of transforms, as they are written: `trim`, or `{decimal: {scale: 2}}`.

use std::fmt;

use serde::de::{DeserializeOwned, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::word;

/// One difference between the system's form and the record's.
#[derive(Clone, PartialEq, Debug)]
pub enum Transform {
    /// White space around a text goes, either way. Loses it.
    Trim,
    /// A text passes in lower case, either way. Loses the case.
    Lower,
    /// A text passes in upper case, either way. Loses the case.
    Upper,
    /// Words of a text pass with a capital first letter, either way. Loses the case.
    Title,
    /// The system's text starts with something that the record's does not have.
    Prefix(EdgeForm),
    /// The system's text ends with something that the record's does not have.
    Suffix(EdgeForm),
    /// One part of a text. One-way.
    Split(SplitForm),
    /// Several texts as one. One-way, and first in its row.
    Concat(ConcatForm),
    /// The system has a text of digits, the record a whole number.
    Number,
    /// The system has a whole number, the record a text of digits.
    Text,
    /// The system has a number or a text, the record an exact decimal.
    Decimal(DecimalForm),
    /// The system has two values of its own for true and false.
    Boolean(BooleanForm),
    /// The system has another form of date.
    Date(DateForm),
    /// The system has another form of time.
    Time(TimeForm),
    /// The system has one text with separators, the record a list of texts.
    List(ListForm),
    /// The system writes telephone numbers in one of many ways, the record has E.164; either way. Loses how they were
    /// written.
    Phone(PhoneForm),
}

/// What `prefix` and `suffix` take off when reading and put on when writing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeForm {
    /// The text there.
    pub text: String,
    /// A value without it is taken, too; else it is an error. One-way.
    #[serde(default)]
    pub optional: bool,
}

/// Which part of a text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitForm {
    /// What stands between the parts.
    pub separator: String,
    /// Which part, from 0. A part that is not there counts as empty.
    pub index: usize,
    /// At most so many parts: the last one holds the rest, separators and all. At least 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Which texts become one. Those that are absent, null or empty are left out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConcatForm {
    /// Fields of the entity in an `out` row, paths of the object in an `in` row.
    pub parts: Vec<String>,
    /// What stands between them.
    pub separator: String,
}

/// How the system writes something that could be a text or a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// As a JSON text.
    Text,
    /// As a JSON number.
    Number,
}

/// What to do with digits that do not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// Half goes to the even neighbour.
    HalfEven,
    /// Half goes away from zero.
    HalfUp,
}

/// How the system writes a decimal. Either form is read.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecimalForm {
    /// `text` unless `minor_units` is set.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub written: Option<Written>,
    /// So many digits after the point are written (0 to 18); more are an error unless `round` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<u32>,
    /// The system counts the smallest unit: 2 for cents (0 to 18).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minor_units: Option<u32>,
    /// Round what does not fit when writing. Loses digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<Rounding>,
}

/// How the system writes true and false.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BooleanForm {
    /// True there: a text, a number or a boolean.
    #[serde(rename = "true")]
    pub yes: Value,
    /// False there.
    #[serde(rename = "false")]
    pub no: Value,
}

impl Default for BooleanForm {
    fn default() -> Self {
        Self { yes: Value::from("true"), no: Value::from("false") }
    }
}

/// How the system writes a date.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DateForm {
    /// `epoch_ms` (its midnight in UTC), or directives such as `%d.%m.%Y`.
    pub format: String,
}

impl Default for DateForm {
    fn default() -> Self {
        Self { format: "%Y-%m-%d".to_owned() }
    }
}

/// What to do with a local time that a zone has twice (when clocks go back).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ambiguous {
    /// It is an error.
    #[default]
    Fail,
    /// The first of the two.
    Earlier,
    /// The second of the two.
    Later,
}

/// How the system writes a time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeForm {
    /// `rfc3339`, `epoch_s`, `epoch_ms`, or directives such as `%Y-%m-%d %H:%M:%S%:z`. Directives must hold
    /// the offset (`%z`, `%:z`) unless `zone` says where the clock hangs.
    pub format: String,
    /// The zone that times without an offset are in, and that times are written in: `Europe/Berlin`, `UTC`,
    /// `+02:00`. Absent: times are written in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What to do with a local time that `zone` has twice.
    #[serde(default)]
    pub ambiguous: Ambiguous,
    /// For `epoch_s` and `epoch_ms`: `number` unless said. Either form is read.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub written: Option<Written>,
}

impl Default for TimeForm {
    fn default() -> Self {
        Self { format: "rfc3339".to_owned(), zone: None, ambiguous: Ambiguous::Fail, written: None }
    }
}

/// How the system writes a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListForm {
    /// What stands between the items. Items are trimmed when read, and empty ones left out.
    pub separator: String,
}

/// How telephone numbers are read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhoneForm {
    /// The country that numbers without a calling code are of: two letters of ISO 3166, such as `DE`.
    pub country: String,
}

/// The names of all transforms.
pub(crate) const NAMES: &[&str] = &[
    "trim", "lower", "upper", "title", "prefix", "suffix", "split", "concat", "number", "text", "decimal",
    "boolean", "date", "time", "list", "phone",
];

impl Transform {
    /// Its name as it is written.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Trim => "trim",
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::Title => "title",
            Self::Prefix(_) => "prefix",
            Self::Suffix(_) => "suffix",
            Self::Split(_) => "split",
            Self::Concat(_) => "concat",
            Self::Number => "number",
            Self::Text => "text",
            Self::Decimal(_) => "decimal",
            Self::Boolean(_) => "boolean",
            Self::Date(_) => "date",
            Self::Time(_) => "time",
            Self::List(_) => "list",
            Self::Phone(_) => "phone",
        }
    }

    /// The transform written as a bare word: all options left at their defaults.
    fn bare<E: Error>(name: &'static str) -> Result<Self, E> {
        Ok(match name {
            "trim" => Self::Trim,
            "lower" => Self::Lower,
            "upper" => Self::Upper,
            "title" => Self::Title,
            "number" => Self::Number,
            "text" => Self::Text,
            "decimal" => Self::Decimal(DecimalForm::default()),
            "boolean" => Self::Boolean(BooleanForm::default()),
            "date" => Self::Date(DateForm::default()),
            "time" => Self::Time(TimeForm::default()),
            "split" => {
                return Err(E::custom("`split` needs options: `{split: {separator: \" \", index: 0}}`"));
            }
            "concat" => {
                return Err(E::custom(
                    "`concat` needs options: `{concat: {parts: [a, b], separator: \" \"}}`",
                ));
            }
            "list" => return Err(E::custom("`list` needs options: `{list: {separator: \";\"}}`")),
            "phone" => return Err(E::custom("`phone` needs options: `{phone: {country: DE}}`")),
            _ => {
                return Err(E::custom(format_args!("`{name}` needs options: `{{{name}: {{text: \"x\"}}}}`")));
            }
        })
    }

    /// The transform written with options.
    fn with<'de, A: MapAccess<'de>>(name: &'static str, map: &mut A) -> Result<Self, A::Error> {
        fn options<'de, A: MapAccess<'de>, T: DeserializeOwned>(map: &mut A) -> Result<T, A::Error> {
            map.next_value::<T>()
        }
        Ok(match name {
            "prefix" => Self::Prefix(options(map)?),
            "suffix" => Self::Suffix(options(map)?),
            "split" => Self::Split(options(map)?),
            "concat" => Self::Concat(options(map)?),
            "decimal" => Self::Decimal(options(map)?),
            "boolean" => Self::Boolean(options(map)?),
            "date" => Self::Date(options(map)?),
            "time" => Self::Time(options(map)?),
            "list" => Self::List(options(map)?),
            "phone" => Self::Phone(options(map)?),
            _ => {
                return Err(A::Error::custom(format_args!("`{name}` takes no options: write only its name")));
            }
        })
    }
}

struct TransformVisitor;

impl<'de> Visitor<'de> for TransformVisitor {
    type Value = Transform;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a transform: its name, or `{name: {options}}`")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Transform, E> {
        Transform::bare(word::unknown(text, NAMES)?)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Transform, A::Error> {
        let Some(name) = map.next_key::<String>()? else {
            return Err(A::Error::custom("a transform must have a name"));
        };
        let transform = Transform::with(word::unknown(&name, NAMES)?, &mut map)?;
        match map.next_key::<String>()? {
            None => Ok(transform),
            Some(other) => Err(A::Error::custom(format_args!(
                "one transform has two names, `{name}` and `{other}`: make them two items of the list"
            ))),
        }
    }
}

impl<'de> Deserialize<'de> for Transform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TransformVisitor)
    }
}

impl Serialize for Transform {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = self.name();
        match self {
            Self::Trim | Self::Lower | Self::Upper | Self::Title | Self::Number | Self::Text => {
                serializer.serialize_str(name)
            }
            Self::Prefix(form) | Self::Suffix(form) => serializer.collect_map([(name, form)]),
            Self::Split(form) => serializer.collect_map([(name, form)]),
            Self::Concat(form) => serializer.collect_map([(name, form)]),
            Self::Decimal(form) => serializer.collect_map([(name, form)]),
            Self::Boolean(form) => serializer.collect_map([(name, form)]),
            Self::Date(form) => serializer.collect_map([(name, form)]),
            Self::Time(form) => serializer.collect_map([(name, form)]),
            Self::List(form) => serializer.collect_map([(name, form)]),
            Self::Phone(form) => serializer.collect_map([(name, form)]),
        }
    }
}
