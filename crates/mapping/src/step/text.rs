//! Steps on texts: case, edges, digits, lists.

use canonical::value::kind_of;
use serde_json::Value;

use crate::flaw::{Flaw, Why};

/// The text that a value is.
pub(super) fn text_of(value: Value) -> Result<String, Flaw> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(Flaw::new("a text", kind_of(&other), Why::Kind)),
    }
}

/// Each word with a capital first letter. Words end at white space and hyphens.
pub(super) fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut start = true;
    for c in text.chars() {
        if start {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        start = c.is_whitespace() || c == '-';
    }
    out
}

/// A whole number as digits: an optional minus, no other sign, no space, no leading zeros.
pub(super) fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    if plain && text != "-0" { text.parse().ok() } else { None }
}

/// The system's digits (or number) to a whole number.
pub(super) fn integer_from(value: Value) -> Result<Value, Flaw> {
    super::whole(&value, "a whole number, without leading zeros").map(Value::from)
}

/// The system's whole number (or digits) to a text of digits.
pub(super) fn digits_from(value: Value) -> Result<Value, Flaw> {
    match value {
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(Value::String(number.to_string())),
        Value::String(text) if integer(&text).is_some() => Ok(Value::String(text)),
        other => Err(Flaw::of("a whole number", &other)),
    }
}

/// A text of digits to the system's whole number.
pub(super) fn digits_to(value: &Value) -> Result<Value, Flaw> {
    let expected = "a text of digits, without leading zeros";
    match value {
        Value::String(text) => match (integer(text), text.parse::<u64>()) {
            (Some(number), _) => Ok(Value::from(number)),
            (None, Ok(number)) if !text.starts_with(['0', '+']) => Ok(Value::from(number)),
            _ => Err(Flaw::of(expected, value)),
        },
        other => Err(Flaw::of(expected, other)),
    }
}

/// Takes something `off` one end of a text; `edge` says what, for the message.
pub(super) fn strip(
    value: Value,
    optional: bool,
    off: impl Fn(&str) -> Option<&str>,
    edge: impl Fn() -> String,
) -> Result<Value, Flaw> {
    let text = text_of(value)?;
    match off(&text) {
        Some(rest) => Ok(Value::String(rest.to_owned())),
        None if optional => Ok(Value::String(text)),
        None => Err(Flaw::new(format!("a text that {}", edge()), "a text", Why::Form)),
    }
}

/// The system's one text to items.
pub(super) fn list_from(value: Value, separator: &str) -> Result<Value, Flaw> {
    let text = text_of(value)?;
    let items = text.split(separator).map(str::trim).filter(|item| !item.is_empty());
    Ok(Value::Array(items.map(Value::from).collect()))
}

/// Items to the system's one text.
pub(super) fn list_to(value: &Value, separator: &str) -> Result<Value, Flaw> {
    let Value::Array(items) = value else { return Err(Flaw::of("a list of texts", value)) };
    let mut out = String::new();
    for (i, item) in items.iter().enumerate() {
        let Value::String(item) = item else { return Err(Flaw::of("a list of texts", item)) };
        if item.is_empty() || item.trim().len() != item.len() {
            let expected =
                "items that are not empty and have no white space around, which reading would drop";
            return Err(Flaw::new(expected, "a text", Why::Form));
        }
        if item.contains(separator) {
            return Err(Flaw::new(format!("items without {separator:?}"), "a text", Why::Separator));
        }
        if i > 0 {
            out.push_str(separator);
        }
        out.push_str(item);
    }
    Ok(Value::String(out))
}
