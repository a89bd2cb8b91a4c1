//! Moments in the forms vendors write them, read to microseconds and written back; spans such as `30s`.

use std::time::Duration;

use canonical::Wall;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// How a vendor writes a moment (or another thing that orders states).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Form {
    /// RFC 3339 with an offset, or ISO 8601 without one, which then means UTC.
    #[default]
    Rfc3339,
    /// Milliseconds since 1970.
    Ms,
    /// Seconds since 1970.
    S,
    /// A version or sequence number: a whole number that only orders.
    Number,
    /// RFC 3339, or a whole number that only orders: for sources whose form is not known beforehand.
    Any,
    /// Tryton's typed JSON: `{"__class__": "datetime", …}`, in UTC with microseconds.
    Tryton,
    /// `/Date(1573755038314+0000)/`: milliseconds since 1970 in a text, as older Microsoft JSON has them (Xero, OData 2). What
    /// stands behind a sign says in which zone it is to be shown, and is nothing to add.
    SlashDate,
}

/// The unit of an order token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// Microseconds.
    Us,
    /// Milliseconds.
    #[default]
    Ms,
    /// Seconds.
    S,
}

impl Unit {
    /// Microseconds in this unit, rounded down.
    pub(crate) const fn of_micros(self, micros: i64) -> i64 {
        match self {
            Self::Us => micros,
            Self::Ms => micros.div_euclid(1_000),
            Self::S => micros.div_euclid(1_000_000),
        }
    }
}

impl Form {
    /// Reads a value to microseconds since 1970 (a number stays as it is).
    pub(crate) fn read(self, value: &Value) -> Option<i64> {
        match self {
            Self::Rfc3339 => read_text(value.as_str()?),
            Self::Ms => whole(value)?.checked_mul(1_000),
            Self::S => whole(value)?.checked_mul(1_000_000),
            Self::Number => whole(value),
            Self::Any => whole(value).or_else(|| read_text(value.as_str()?)),
            Self::Tryton => crate::typed::datetime(value),
            Self::SlashDate => slash_date(value.as_str()?)?.checked_mul(1_000),
        }
    }

    /// Writes microseconds since 1970 the same way.
    pub(crate) fn write(self, micros: i64) -> Value {
        match self {
            Self::Rfc3339 => Value::String(Wall(micros).to_string()),
            Self::Ms => Value::from(micros.div_euclid(1_000)),
            Self::S => Value::from(micros.div_euclid(1_000_000)),
            Self::Number | Self::Any => Value::from(micros),
            Self::Tryton => crate::typed::to_datetime(micros),
            Self::SlashDate => Value::String(format!("/Date({})/", micros.div_euclid(1_000))),
        }
    }

    /// Its coarsest step, in microseconds.
    pub(crate) const fn step(self) -> i64 {
        match self {
            Self::S => 1_000_000,
            Self::Ms | Self::SlashDate => 1_000,
            Self::Rfc3339 | Self::Number | Self::Any | Self::Tryton => 1,
        }
    }

    /// Whether it is a moment, so that spans can be added to it.
    pub(crate) const fn is_time(self) -> bool {
        !matches!(self, Self::Number | Self::Any)
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The number in `/Date(…)/`, before a zone.
fn slash_date(text: &str) -> Option<i64> {
    let inside = text.trim().strip_prefix("/Date(")?.strip_suffix(")/")?;
    let (sign, rest) = inside.strip_prefix('-').map_or((1, inside), |rest| (-1, rest));
    let number = match rest.split_once(['+', '-']) {
        Some((number, zone)) => {
            let written = zone.len() == 4 && zone.bytes().all(|digit| digit.is_ascii_digit());
            written.then_some(number)?
        }
        None => rest,
    };
    let digits = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
    number.parse::<i64>().ok().filter(|_| digits)?.checked_mul(sign)
}

/// RFC 3339, or a date and time without offset, which then is UTC; a space may stand for the `T`.
pub(crate) fn read_text(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(at.as_microsecond());
    }
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|at| at.timestamp().as_microsecond())
}

/// A span of time as manifests write it: `250ms`, `30s`, `5m`, `2h`, `1d`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Span(pub(crate) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        span(&text).map(Span).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{text}` is not a span of time: write a number and a unit, such as `250ms`, `30s`, `5m`, `2h` or `1d`"
            ))
        })
    }
}

fn span(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let ms = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let ms = number.checked_mul(ms)?;
    // A hundred years: beyond it something was mistyped, and arithmetic on times would overflow.
    (ms <= 3_155_760_000_000).then(|| Duration::from_millis(ms))
}

#[cfg(test)]
mod tests;
