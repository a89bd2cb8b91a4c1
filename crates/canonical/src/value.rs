//! Values in normal form: plain JSON, so that equality is equality and storage is export.
//!
//! | type | normal form |
//! |---|---|
//! | text | a JSON string, as it is |
//! | integer | a JSON number without fraction, within 64 signed bits |
//! | decimal (money) | a JSON string such as `"1250.5"`: no exponent, no trailing zeros; never a float |
//! | boolean | `true`, `false` |
//! | date | `"2026-11-22"` |
//! | time | RFC 3339 in UTC with `Z`, sub-seconds only when not zero |
//! | reference | the text form of a record id |
//! | list of text | an array of strings; a set when the schema says `uniqueItems`: sorted, no repeats |
//!
//! `null` means "known to be empty". An absent field means "never said".

use rust_decimal::Decimal;
use serde_json::Value;

use crate::schema::FieldType;

/// Field name to value; ordered by name, so that bytes and hashes are stable.
pub type Fields = serde_json::Map<String, Value>;

/// Why a value does not fit a type. Never shows the value: it may be personal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub struct Misfit {
    /// What the type asks for.
    pub expected: String,
    /// The kind of thing that came, without its content.
    pub found: &'static str,
}

/// Names the JSON kind of a value, for messages.
#[must_use]
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Whether a value counts as empty: null, a text of white space, an empty list or object.
#[must_use]
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Brings a value into the normal form of its type. `null` passes unchanged.
///
/// # Errors
/// When the value is of another kind, or would lose something (a float with more digits than it can hold).
pub fn normal(kind: &FieldType, value: Value) -> Result<Value, Misfit> {
    if value.is_null() {
        return Ok(value);
    }
    let misfit = |value: &Value| Misfit { expected: kind.to_string(), found: kind_of(value) };
    match kind {
        FieldType::Text | FieldType::Reference(_) => match value {
            Value::String(_) => Ok(value),
            other => Err(misfit(&other)),
        },
        FieldType::Integer => match &value {
            Value::Number(number) if number.is_i64() => Ok(value),
            Value::Number(number)
                if number.as_f64().is_some_and(|f| f.fract() == 0.0 && f.abs() < 9.0e15) =>
            {
                let whole = number.as_f64().unwrap_or_default();
                #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53 by the guard")]
                Ok(Value::from(whole as i64))
            }
            other => Err(misfit(other)),
        },
        FieldType::Decimal => decimal_of(&value).map(decimal).ok_or_else(|| misfit(&value)),
        FieldType::Boolean => match value {
            Value::Bool(_) => Ok(value),
            other => Err(misfit(&other)),
        },
        FieldType::Date => match &value {
            Value::String(text) => {
                let date: jiff::civil::Date = text.parse().map_err(|_| misfit(&value))?;
                // Only the plain form: a time of day or another notation would be dropped in silence.
                if date.to_string() == *text { Ok(value) } else { Err(misfit(&value)) }
            }
            other => Err(misfit(other)),
        },
        FieldType::Time => match &value {
            Value::String(text) => {
                let at: jiff::Timestamp = text.parse().map_err(|_| misfit(&value))?;
                Ok(Value::String(at.to_string()))
            }
            other => Err(misfit(other)),
        },
        FieldType::List { set } => match value {
            Value::Array(items) if items.iter().all(Value::is_string) => {
                let mut items = items;
                if *set {
                    items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
                    items.dedup();
                }
                Ok(Value::Array(items))
            }
            other => Err(misfit(&other)),
        },
        FieldType::Any => Ok(value),
    }
}

/// Reads a decimal from its text form or from a JSON number that holds it exactly.
#[must_use]
pub fn decimal_of(value: &Value) -> Option<Decimal> {
    match value {
        Value::String(text) if text.contains('_') => None,
        Value::String(text) => Decimal::from_str_exact(text.trim()).ok(),
        Value::Number(number) => {
            let text = number.to_string();
            // A float of more than 15 significant digits may already have lost some.
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            if number.is_f64() && (digits > 15 || text.contains(['e', 'E'])) {
                return None;
            }
            Decimal::from_str_exact(&text).ok()
        }
        _ => None,
    }
}

/// A decimal in normal form.
#[must_use]
pub fn decimal(value: Decimal) -> Value {
    Value::String(value.normalize().to_string())
}
