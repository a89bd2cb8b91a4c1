//! Tryton's typed JSON: values JSON has no type for are objects with a `__class__`.
//!
//! Measured against trytond 8: `{"__class__": "Decimal", "decimal": "1.00"}`, and `date` and `datetime` by their
//! parts, in UTC with microseconds.

use canonical::jiff;
use serde::Deserialize;
use serde_json::{Value, json};

/// A type that a field must be sent in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Typed {
    /// A decimal, from its text form.
    Decimal,
    /// A date, from `2026-11-22`.
    Date,
    /// A moment, from RFC 3339.
    Datetime,
    /// A whole number, also from its text form: the ids of other records.
    Integer,
    /// True or false; some databases answer 1 or 0 (measured on `SQLite`).
    Boolean,
}

impl Typed {
    /// The typed form of a canonical value; `None` when the value is not of that type. Null stays null.
    pub(crate) fn write(self, value: &Value) -> Option<Value> {
        if value.is_null() {
            return Some(Value::Null);
        }
        match self {
            Self::Decimal => {
                let number = canonical::value::decimal_of(value)?;
                Some(json!({"__class__": "Decimal", "decimal": number.to_string()}))
            }
            Self::Date => {
                let date: jiff::civil::Date = value.as_str()?.parse().ok()?;
                Some(json!({
                    "__class__": "date", "year": date.year(), "month": date.month(), "day": date.day()
                }))
            }
            Self::Datetime => Some(to_datetime(crate::moment::read_text(value.as_str()?)?)),
            Self::Integer => match value {
                Value::Number(number) if number.is_i64() => Some(value.clone()),
                Value::String(text) => text.parse::<i64>().ok().map(Value::from),
                _ => None,
            },
            Self::Boolean => value.as_bool().map(Value::from),
        }
    }

    /// The canonical form of a value as it was read, beyond what [`plain`] does.
    pub(crate) fn read(self, value: Value) -> Value {
        match (self, value.as_i64()) {
            (Self::Boolean, Some(number @ (0 | 1))) => Value::Bool(number == 1),
            _ => value,
        }
    }
}

/// A moment in its typed form.
pub(crate) fn to_datetime(micros: i64) -> Value {
    let at = canonical::Wall(micros).timestamp().to_zoned(jiff::tz::TimeZone::UTC).datetime();
    json!({
        "__class__": "datetime", "year": at.year(), "month": at.month(), "day": at.day(), "hour": at.hour(),
        "minute": at.minute(), "second": at.second(), "microsecond": at.subsec_nanosecond() / 1_000,
    })
}

/// The microseconds of a typed moment.
pub(crate) fn datetime(value: &Value) -> Option<i64> {
    let map = value.as_object()?;
    if map.get("__class__")? != "datetime" {
        return None;
    }
    let part = |name: &str| map.get(name).map_or(Some(0), Value::as_i64);
    let at = jiff::civil::DateTime::new(
        i16::try_from(part("year")?).ok()?,
        i8::try_from(part("month")?).ok()?,
        i8::try_from(part("day")?).ok()?,
        i8::try_from(part("hour")?).ok()?,
        i8::try_from(part("minute")?).ok()?,
        i8::try_from(part("second")?).ok()?,
        i32::try_from(part("microsecond")?.checked_mul(1_000)?).ok()?,
    )
    .ok()?;
    at.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|at| at.timestamp().as_microsecond())
}

/// Brings typed values inside `value` into canonical form; what is not understood stays as it is.
pub(crate) fn plain(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(plain).collect()),
        Value::Object(map) => match map.get("__class__").and_then(Value::as_str) {
            Some("Decimal") => match map.get("decimal").and_then(canonical::value::decimal_of) {
                Some(number) => canonical::value::decimal(number),
                None => Value::Object(map),
            },
            Some("datetime") => match datetime(&Value::Object(map.clone())) {
                Some(micros) => Value::String(canonical::Wall(micros).to_string()),
                None => Value::Object(map),
            },
            Some("date") => match date(&map) {
                Some(text) => Value::String(text),
                None => Value::Object(map),
            },
            _ => Value::Object(map.into_iter().map(|(key, value)| (key, plain(value))).collect()),
        },
        other => other,
    }
}

fn date(map: &canonical::Fields) -> Option<String> {
    let part = |name: &str| map.get(name).and_then(Value::as_i64);
    let date = jiff::civil::Date::new(
        i16::try_from(part("year")?).ok()?,
        i8::try_from(part("month")?).ok()?,
        i8::try_from(part("day")?).ok()?,
    )
    .ok()?;
    Some(date.to_string())
}
