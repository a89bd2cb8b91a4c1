//! Rows as JSON: each value from PostgreSQL's binary form to the normal form of the rest of Concord.
//!
//! | type | shown as |
//! |---|---|
//! | `bool` | true or false |
//! | `smallint`, `integer`, `bigint`, `oid` | a number, all its digits |
//! | `numeric` | a text with all its digits, such as `"12.50"`; `"NaN"`, `"Infinity"` |
//! | `real`, `double precision` | a number; `"NaN"`, `"Infinity"` as texts |
//! | `text`, `varchar`, `char`, `name`, `citext`, `xml`, enums | a text; `char(n)` without the blanks that fill it |
//! | `uuid` | a text in lower case |
//! | `timestamptz` | RFC 3339 in UTC; `"infinity"` |
//! | `timestamp` | the same without offset |
//! | `date` | `"2026-11-22"` |
//! | `json`, `jsonb` | what it holds |
//! | an array of these, of one dimension | a list |
//!
//! Domains are their base types. Any other (`bytea`, `interval`, ranges, …) is refused, by the column's name.

use std::error::Error;

use canonical::Wall;
use canonical::jiff::civil::{Date, date};
use serde_json::{Map, Value};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Kind, Type};

/// Seconds from 1970 to 2000, from where PostgreSQL counts.
const EPOCH_S: i64 = 946_684_800;
/// The first and last microsecond (from 1970) that has a form here: the years 0001 to 9999.
const MICROS: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_207_200_000_000 - 1;

/// A value as it came.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A row as an object.
///
/// # Errors
/// Which column cannot be shown, and why.
pub(super) fn row(row: &Row) -> Result<Map<String, Value>, String> {
    let mut fields = Map::new();
    for (index, column) in row.columns().iter().enumerate() {
        let raw: Option<Raw<'_>> = row.try_get(index).map_err(|error| error.to_string())?;
        let value = match raw {
            None => Value::Null,
            Some(Raw(raw)) => shown(column.type_(), raw).map_err(|why| {
                format!("column `{}` is of type {}: {why}", column.name(), column.type_().name())
            })?,
        };
        fields.insert(column.name().to_owned(), value);
    }
    Ok(fields)
}

const UNREAD: &str = "it is not read; leave it out of the mapping, or show it as text in a view";
const BROKEN: &str = "its value cannot be read";

fn shown(kind: &Type, raw: &[u8]) -> Result<Value, &'static str> {
    if let Kind::Array(of) = kind.kind() {
        return array(of, raw);
    }
    let text = || std::str::from_utf8(raw).map_err(|_| BROKEN);
    let found = match *kind {
        Type::BOOL => raw.first().map(|byte| Value::Bool(*byte != 0)),
        Type::INT2 => fixed(raw).map(|bytes| Value::from(i16::from_be_bytes(bytes))),
        Type::INT4 => fixed(raw).map(|bytes| Value::from(i32::from_be_bytes(bytes))),
        Type::INT8 => fixed(raw).map(|bytes| Value::from(i64::from_be_bytes(bytes))),
        Type::OID => fixed(raw).map(|bytes| Value::from(u32::from_be_bytes(bytes))),
        Type::FLOAT4 => fixed(raw).map(|bytes| float4(f32::from_be_bytes(bytes))),
        Type::FLOAT8 => fixed(raw).map(|bytes| float(f64::from_be_bytes(bytes))),
        Type::NUMERIC => numeric(raw).map(Value::String),
        Type::TEXT | Type::VARCHAR | Type::NAME | Type::XML | Type::UNKNOWN => Some(text()?.into()),
        Type::BPCHAR => Some(text()?.trim_end_matches(' ').into()),
        Type::UUID => fixed(raw).map(|bytes| uuid(bytes).into()),
        Type::TIMESTAMPTZ => fixed(raw).map(|bytes| moment(i64::from_be_bytes(bytes), "Z")),
        Type::TIMESTAMP => fixed(raw).map(|bytes| moment(i64::from_be_bytes(bytes), "")),
        Type::DATE => fixed(raw).map(|bytes| day(i32::from_be_bytes(bytes))),
        Type::JSON => serde_json::from_slice(raw).ok(),
        // The first byte is the version of the form.
        Type::JSONB => raw.split_first().and_then(|(_, rest)| serde_json::from_slice(rest).ok()),
        _ if matches!(kind.kind(), Kind::Enum(_)) || kind.name() == "citext" => Some(text()?.into()),
        _ => return Err(UNREAD),
    };
    found.ok_or(BROKEN)
}

fn fixed<const N: usize>(raw: &[u8]) -> Option<[u8; N]> {
    raw.try_into().ok()
}

/// What floats say shortest; JSON has no word for what is no number.
fn float(number: f64) -> Value {
    match number {
        _ if number.is_nan() => "NaN".into(),
        _ if number.is_infinite() => if number > 0.0 { "Infinity" } else { "-Infinity" }.into(),
        _ => Value::from(number),
    }
}

/// `0.1` as itself, not as what a wider float makes of it.
fn float4(number: f32) -> Value {
    match number.to_string().parse::<f64>() {
        Ok(wide) if number.is_finite() => Value::from(wide),
        _ => float(f64::from(number)),
    }
}

fn uuid(bytes: [u8; 16]) -> String {
    let number = u128::from_be_bytes(bytes);
    let hex = format!("{number:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Microseconds since 2000; the ends of the range are the infinities.
fn moment(micros: i64, offset: &str) -> Value {
    let since_1970 = micros.checked_add(EPOCH_S * 1_000_000).filter(|at| MICROS.contains(at));
    match since_1970 {
        Some(at) => format!("{}{offset}", Wall(at).to_string().trim_end_matches('Z')).into(),
        None => endless(micros < 0).into(),
    }
}

/// Days since 2000.
fn day(days: i32) -> Value {
    let from = date(2000, 1, 1);
    let found: Option<Date> =
        from.checked_add(canonical::jiff::Span::new().try_days(i64::from(days)).unwrap_or_default()).ok();
    match found.filter(|_| days.unsigned_abs() < 4_000_000) {
        Some(found) => found.to_string().into(),
        None => endless(days < 0).into(),
    }
}

/// What is no moment of our calendar. No field of a mapping takes it: the record is quarantined, not guessed.
const fn endless(before: bool) -> &'static str {
    if before { "-infinity" } else { "infinity" }
}

/// PostgreSQL's `numeric_send`: digits to the base 10 000 with the first one's weight, a sign, and how many decimals are
/// shown.
fn numeric(raw: &[u8]) -> Option<String> {
    let word = |at: usize| raw.get(at..at + 2).and_then(fixed).map(i16::from_be_bytes);
    let (count, weight, scale) = (word(0)?, i32::from(word(2)?), word(6)?);
    let sign = match word(4)?.cast_unsigned() {
        0x0000 => "",
        0x4000 => "-",
        0xC000 => return Some("NaN".to_owned()),
        0xD000 => return Some("Infinity".to_owned()),
        0xF000 => return Some("-Infinity".to_owned()),
        _ => return None,
    };
    let (count, scale) = (usize::try_from(count).ok()?, usize::try_from(scale).ok()?);
    if raw.len() != 8 + 2 * count {
        return None;
    }
    // The digit of 10 000 to the power of `power`.
    let digit = |power: i32| -> i16 {
        usize::try_from(weight - power)
            .ok()
            .filter(|at| *at < count)
            .and_then(|at| word(8 + 2 * at))
            .unwrap_or(0)
    };
    let mut whole: String = (0..=weight.max(0)).rev().map(|power| format!("{:04}", digit(power))).collect();
    let start = whole.len() - whole.trim_start_matches('0').len();
    whole.drain(..start.min(whole.len() - 1));
    let groups = i32::try_from(scale.div_ceil(4)).ok()?;
    let mut part: String = (1..=groups).map(|group| format!("{:04}", digit(-group))).collect();
    part.truncate(scale);
    Some(if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") })
}

/// PostgreSQL's `array_send`: dimensions, flags, the type, each dimension's size and first number, the items.
fn array(of: &Type, raw: &[u8]) -> Result<Value, &'static str> {
    let long = |at: usize| raw.get(at..at + 4).and_then(fixed).map(i32::from_be_bytes).ok_or(BROKEN);
    match long(0)? {
        0 => return Ok(Value::Array(Vec::new())),
        1 => {}
        _ => return Err("arrays of several dimensions are not read; show it as text in a view"),
    }
    let count = long(12)?;
    let mut at = 20;
    let mut items = Vec::new();
    for _ in 0..count {
        let length = long(at)?;
        at += 4;
        let Ok(length) = usize::try_from(length) else {
            items.push(Value::Null);
            continue;
        };
        items.push(shown(of, raw.get(at..at + length).ok_or(BROKEN)?)?);
        at += length;
    }
    Ok(Value::Array(items))
}

#[cfg(test)]
mod tests;
