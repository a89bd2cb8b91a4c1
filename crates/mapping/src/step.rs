//! Compiled transforms: each reads the system's form and writes it.

mod decimal;
mod moment;
mod phone;
mod text;

use canonical::value::kind_of;
use serde_json::Value;

use crate::flaw::{Flaw, Why};
use crate::shape::Shape;
use crate::source::{Equal, Transform};

pub(crate) use canonical::rewrite::fold;
pub(crate) use decimal::{Amount, exact};
pub(crate) use moment::{Day, Moment, iso_date};
pub(crate) use phone::Phone;

/// One transform, ready to run.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Trim,
    Lower,
    Upper,
    Title,
    Prefix { text: String, optional: bool },
    Suffix { text: String, optional: bool },
    Split { separator: String, index: usize, limit: usize },
    Number,
    Text,
    Decimal(Amount),
    Boolean { yes: Value, no: Value },
    Date(Day),
    Time(Moment),
    List { separator: String },
    Phone(Phone),
}

/// Why a transform cannot be compiled: which option, what, and what would be right.
pub(crate) struct BadStep {
    pub(crate) option: &'static str,
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl BadStep {
    pub(crate) fn new(option: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { option, message: message.into(), hint: hint.into() }
    }
}

impl Step {
    /// Checks a transform's options. `concat` is not a step: it is where a row's value comes from.
    pub(crate) fn compile(transform: &Transform) -> Result<Option<Self>, BadStep> {
        let filled = |option, text: &str| {
            if text.is_empty() {
                return Err(BadStep::new(option, "it is empty", "say which text"));
            }
            Ok(text.to_owned())
        };
        Ok(Some(match transform {
            Transform::Trim => Self::Trim,
            Transform::Lower => Self::Lower,
            Transform::Upper => Self::Upper,
            Transform::Title => Self::Title,
            Transform::Prefix(form) => {
                Self::Prefix { text: filled("text", &form.text)?, optional: form.optional }
            }
            Transform::Suffix(form) => {
                Self::Suffix { text: filled("text", &form.text)?, optional: form.optional }
            }
            Transform::Split(form) => {
                let limit = form.limit.unwrap_or(usize::MAX);
                if limit < 2 || form.index >= limit {
                    let hint = "`limit` counts the parts: make it at least 2 and greater than `index`";
                    return Err(BadStep::new("limit", "there is no such part", hint));
                }
                Self::Split { separator: filled("separator", &form.separator)?, index: form.index, limit }
            }
            Transform::Concat(_) => return Ok(None),
            Transform::Number => Self::Number,
            Transform::Text => Self::Text,
            Transform::Decimal(form) => Self::Decimal(Amount::compile(form)?),
            Transform::Boolean(form) => Self::boolean(&form.yes, &form.no)?,
            Transform::Date(form) => Self::Date(Day::compile(form)?),
            Transform::Time(form) => Self::Time(Moment::compile(form)?),
            Transform::Phone(form) => Self::Phone(Phone::compile(form)?),
            Transform::List(form) => {
                let separator = filled("separator", &form.separator)?;
                if separator.trim().is_empty() {
                    let hint = "items are trimmed: use a separator that is more than white space";
                    return Err(BadStep::new("separator", "it is white space", hint));
                }
                Self::List { separator }
            }
        }))
    }

    fn boolean(yes: &Value, no: &Value) -> Result<Self, BadStep> {
        for (option, value) in [("true", yes), ("false", no)] {
            if !matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_)) {
                let message = format!("it is {}", kind_of(value));
                return Err(BadStep::new(option, message, "use a text, a number or a boolean"));
            }
        }
        if yes == no {
            return Err(BadStep::new("false", "it is the same as `true`", "give the two different values"));
        }
        Ok(Self::Boolean { yes: yes.clone(), no: no.clone() })
    }

    /// The kinds that reading takes and gives.
    pub(crate) fn read_shapes(&self) -> (Shape, Shape) {
        match self {
            Self::Trim | Self::Lower | Self::Upper | Self::Title => (Shape::Text, Shape::Text),
            Self::Prefix { .. } | Self::Suffix { .. } | Self::Split { .. } => (Shape::Text, Shape::Text),
            Self::Phone(_) => (Shape::Text, Shape::Text),
            Self::Number => (Shape::Text, Shape::Integer),
            Self::Text => (Shape::Number, Shape::Text),
            Self::Decimal(_) => (Shape::Text, Shape::Decimal),
            Self::Boolean { yes: Value::String(_), no: Value::String(_) } => (Shape::Text, Shape::Boolean),
            Self::Boolean { .. } => (Shape::Raw, Shape::Boolean),
            Self::Date(_) => (Shape::Text, Shape::Date),
            Self::Time(_) => (Shape::Text, Shape::Time),
            Self::List { .. } => (Shape::Text, Shape::List),
        }
    }

    /// The kinds that writing takes and gives.
    pub(crate) fn write_shapes(&self) -> (Shape, Shape) {
        let (there, here) = self.read_shapes();
        let numeric = match self {
            Self::Decimal(amount) => amount.is_number(),
            Self::Date(day) => day.is_number(),
            Self::Time(moment) => moment.is_number(),
            _ => false,
        };
        (here, if numeric { Shape::Number } else { there })
    }

    /// Whether writing undoes reading for every value that is read.
    pub(crate) fn is_one_way(&self) -> bool {
        match self {
            Self::Split { .. } => true,
            Self::Prefix { optional, .. } | Self::Suffix { optional, .. } => *optional,
            _ => false,
        }
    }

    /// What a value loses here, as the comparison under which it loses nothing.
    pub(crate) fn loses(&self) -> Option<Equal> {
        match self {
            Self::Trim => Some(Equal::Trimmed),
            Self::Lower | Self::Upper | Self::Title => Some(Equal::CaseInsensitive),
            Self::Phone(_) => Some(Equal::Phone),
            Self::Decimal(amount) if amount.rounds() => Some(Equal::Rounded),
            Self::Time(moment) if moment.is_coarse() => Some(Equal::Rounded),
            _ => None,
        }
    }

    /// From the system's side to the record's.
    pub(crate) fn read(&self, value: Value) -> Result<Value, Flaw> {
        match self {
            Self::Trim | Self::Lower | Self::Upper | Self::Title => self.pass(value),
            Self::Prefix { text, optional } => text::strip(
                value,
                *optional,
                |t| t.strip_prefix(text.as_str()),
                || format!("starts with {text:?}"),
            ),
            Self::Suffix { text, optional } => text::strip(
                value,
                *optional,
                |t| t.strip_suffix(text.as_str()),
                || format!("ends with {text:?}"),
            ),
            Self::Split { .. } => self.pass(value),
            Self::Number => text::integer_from(value),
            Self::Text => text::digits_from(value),
            Self::Decimal(amount) => amount.read(&value),
            Self::Boolean { yes, no } => match value {
                value if value == *yes => Ok(Value::Bool(true)),
                value if value == *no => Ok(Value::Bool(false)),
                other => Err(Flaw::of(format!("{yes} or {no}"), &other)),
            },
            Self::Date(day) => day.read(&value),
            Self::Time(moment) => moment.read(&value),
            Self::List { separator } => text::list_from(value, separator),
            Self::Phone(phone) => phone.bring(value),
        }
    }

    /// From the record's side to the system's.
    pub(crate) fn write(&self, value: Value) -> Result<Value, Flaw> {
        match self {
            Self::Trim | Self::Lower | Self::Upper | Self::Title | Self::Split { .. } => self.pass(value),
            Self::Prefix { text, .. } => {
                text::text_of(value).map(|rest| Value::String(format!("{text}{rest}")))
            }
            Self::Suffix { text, .. } => {
                text::text_of(value).map(|rest| Value::String(format!("{rest}{text}")))
            }
            Self::Number => match value {
                Value::Number(number) if number.is_i64() => Ok(Value::String(number.to_string())),
                other => Err(Flaw::of("a whole number", &other)),
            },
            Self::Text => text::digits_to(&value),
            Self::Decimal(amount) => amount.write(&value),
            Self::Boolean { yes, no } => match value {
                Value::Bool(true) => Ok(yes.clone()),
                Value::Bool(false) => Ok(no.clone()),
                other => Err(Flaw::of("true or false", &other)),
            },
            Self::Date(day) => day.write(&value),
            Self::Time(moment) => moment.write(&value),
            Self::List { separator } => text::list_to(&value, separator),
            Self::Phone(phone) => phone.bring(value),
        }
    }

    /// What is the same either way.
    fn pass(&self, value: Value) -> Result<Value, Flaw> {
        let text = text::text_of(value)?;
        Ok(Value::String(match self {
            Self::Trim if text.trim().len() == text.len() => text,
            Self::Trim => text.trim().to_owned(),
            Self::Lower => text.to_lowercase(),
            Self::Upper => text.to_uppercase(),
            Self::Title => text::title(&text),
            Self::Split { separator, index, limit } => {
                text.splitn(*limit, separator.as_str()).nth(*index).unwrap_or_default().to_owned()
            }
            _ => text,
        }))
    }
}

/// The telephone numbers that a row brings into one form, where it does.
pub(crate) fn phone(steps: &[Step]) -> Option<&Phone> {
    steps.iter().find_map(|step| match step {
        Step::Phone(phone) => Some(phone),
        _ => None,
    })
}

/// A whole number, from either of its forms.
fn whole(value: &Value, expected: &'static str) -> Result<i64, Flaw> {
    match value {
        Value::Number(number) => number.as_i64().ok_or_else(|| Flaw::new(expected, "a number", Why::Range)),
        Value::String(text) => text::integer(text).ok_or_else(|| Flaw::of(expected, value)),
        other => Err(Flaw::of(expected, other)),
    }
}
