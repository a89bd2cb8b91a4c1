//! Values while an expression runs, and the way in from and out to their normal form.

use std::cmp::Ordering;
use std::ops::{Deref, Range};
use std::rc::Rc;

use canonical::value::{decimal, decimal_of, normal};
use canonical::{Decimal, FieldType};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use crate::budget::Budget;
use crate::program::Cause;
use crate::types::{Kind, Type};

/// A value of an evaluation.
#[derive(Debug, Clone)]
pub(crate) enum Val<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Text(Text<'a>),
    Date(Date),
    Time(Timestamp),
    List(Vec<Val<'a>>),
}

/// A text: lent by an input or by the expression, or made here. Copies share it.
#[derive(Debug, Clone)]
pub(crate) enum Text<'a> {
    Lent(&'a str),
    Made(Rc<str>),
}

impl Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        match self {
            Self::Lent(text) => text,
            Self::Made(text) => text,
        }
    }
}

impl<'a> Text<'a> {
    /// A part of it, which is lent on when it was lent.
    pub(crate) fn part(self, range: Range<usize>, budget: &mut Budget) -> Result<Val<'a>, Cause> {
        if range == (0..self.len()) {
            return Ok(Val::Text(self));
        }
        match &self {
            Self::Lent(text) => Ok(Val::Text(Self::Lent(text.get(range).unwrap_or_default()))),
            Self::Made(text) => {
                budget.produce(range.len())?;
                Ok(Val::made(text.get(range).unwrap_or_default()))
            }
        }
    }
}

impl<'a> Val<'a> {
    /// A text that was made, and paid for, here.
    pub(crate) fn made(text: &str) -> Self {
        Self::Text(Text::Made(Rc::from(text)))
    }

    pub(crate) fn flag(self) -> Result<bool, Cause> {
        if let Self::Bool(flag) = self { Ok(flag) } else { Err(Cause::Kind) }
    }

    pub(crate) fn int(self) -> Result<i64, Cause> {
        if let Self::Int(number) = self { Ok(number) } else { Err(Cause::Kind) }
    }

    pub(crate) fn decimal(self) -> Result<Decimal, Cause> {
        if let Self::Decimal(number) = self { Ok(number) } else { Err(Cause::Kind) }
    }

    pub(crate) fn text(self) -> Result<Text<'a>, Cause> {
        if let Self::Text(text) = self { Ok(text) } else { Err(Cause::Kind) }
    }

    pub(crate) fn date(self) -> Result<Date, Cause> {
        if let Self::Date(date) = self { Ok(date) } else { Err(Cause::Kind) }
    }

    pub(crate) fn time(self) -> Result<Timestamp, Cause> {
        if let Self::Time(time) = self { Ok(time) } else { Err(Cause::Kind) }
    }

    pub(crate) fn list(self) -> Result<Vec<Val<'a>>, Cause> {
        if let Self::List(items) = self { Ok(items) } else { Err(Cause::Kind) }
    }

    /// Bytes that looking at it reads.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::List(items) => items.iter().map(|item| item.size().saturating_add(1)).sum(),
            _ => 0,
        }
    }

    /// The order of two values of one kind: null comes first, texts go by code point. Decimals compare as numbers,
    /// whatever their digits. `None`: they are of two kinds.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        Some(match (self, other) {
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Less,
            (_, Self::Null) => Ordering::Greater,
            (Self::Bool(left), Self::Bool(right)) => left.cmp(right),
            (Self::Int(left), Self::Int(right)) => left.cmp(right),
            (Self::Decimal(left), Self::Decimal(right)) => left.cmp(right),
            (Self::Text(left), Self::Text(right)) => (**left).cmp(&**right),
            (Self::Date(left), Self::Date(right)) => left.cmp(right),
            (Self::Time(left), Self::Time(right)) => left.cmp(right),
            (Self::List(left), Self::List(right)) => {
                for (left, right) in left.iter().zip(right) {
                    match left.compare(right)? {
                        Ordering::Equal => {}
                        order => return Some(order),
                    }
                }
                left.len().cmp(&right.len())
            }
            _ => return None,
        })
    }

    /// What an input holds, as its type. Each item of a list is a step.
    pub(crate) fn read(value: &'a Value, ty: &Type, budget: &mut Budget) -> Result<Self, Cause> {
        match (value, &ty.kind) {
            (Value::Null, _) if ty.null => Ok(Self::Null),
            (Value::Bool(flag), Kind::Bool) => Ok(Self::Bool(*flag)),
            // A whole number that is written with a point is one, as it is for fields.
            (Value::Number(_), Kind::Int) => {
                let whole = normal(&FieldType::Integer, value.clone()).ok();
                whole.and_then(|whole| whole.as_i64()).map(Self::Int).ok_or(Cause::Kind)
            }
            (Value::String(_) | Value::Number(_), Kind::Decimal) => {
                decimal_of(value).map(Self::Decimal).ok_or(Cause::Kind)
            }
            (Value::String(text), Kind::Text | Kind::Ref(_)) => Ok(Self::Text(Text::Lent(text))),
            (Value::String(text), Kind::Date) => iso_date(text).map(Self::Date).ok_or(Cause::Kind),
            (Value::String(text), Kind::Time) => text.parse().map(Self::Time).map_err(|_| Cause::Kind),
            (Value::Array(items), Kind::List(item)) => {
                budget.step(items.len())?;
                budget.list(items.len())?;
                items
                    .iter()
                    .map(|value| Self::read(value, item, budget))
                    .collect::<Result<_, _>>()
                    .map(Self::List)
            }
            _ => Err(Cause::Kind),
        }
    }

    /// The normal form. What was lent is copied here, so it is paid for here.
    pub(crate) fn write(&self, budget: &mut Budget) -> Result<Value, Cause> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Int(number) => Value::from(*number),
            Self::Decimal(number) => decimal(*number),
            Self::Text(text) => {
                if matches!(text, Text::Lent(_)) {
                    budget.produce(text.len())?;
                }
                Value::String((**text).to_owned())
            }
            Self::Date(date) => Value::String(date.to_string()),
            Self::Time(time) => Value::String(time.to_string()),
            Self::List(items) => {
                Value::Array(items.iter().map(|item| item.write(budget)).collect::<Result<_, _>>()?)
            }
        })
    }
}

/// A date in its plain form and nothing beside it: a time of day would be lost in silence.
pub(crate) fn iso_date(text: &str) -> Option<Date> {
    text.parse::<Date>().ok().filter(|date| date.to_string() == text)
}
