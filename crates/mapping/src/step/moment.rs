//! Dates and times. A time always has an offset: in its text, or by a zone that the row declares.

use canonical::jiff::civil::Date;
use canonical::jiff::fmt::strtime::{self, BrokenDownTime};
use canonical::jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use canonical::jiff::{Timestamp, Zoned};
use canonical::value::kind_of;
use expression::pattern;
use serde_json::Value;

use super::{BadStep, whole};
use crate::flaw::{Flaw, Why};
use crate::source::{Ambiguous, DateForm, TimeForm, Written};

const DAY_MS: i64 = 86_400_000;

/// How a system writes dates.
#[derive(Debug, Clone)]
pub(crate) enum Day {
    Iso,
    EpochMs,
    Custom(String),
}

impl Day {
    pub(super) fn compile(form: &DateForm) -> Result<Self, BadStep> {
        match form.format.as_str() {
            "%Y-%m-%d" | "%F" => return Ok(Self::Iso),
            "epoch_ms" => return Ok(Self::EpochMs),
            text if !text.contains('%') => {
                let hint = "use `epoch_ms`, or directives such as `%d.%m.%Y`";
                return Err(BadStep::new("format", "it holds no directive", hint));
            }
            _ => {}
        }
        pattern::reads_dates(&form.format).map_err(|bad| unusable("format", bad))?;
        Ok(Self::Custom(form.format.clone()))
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::EpochMs)
    }

    pub(super) fn read(&self, value: &Value) -> Result<Value, Flaw> {
        let date = match (self, value) {
            (Self::EpochMs, value) => return epoch_day(value),
            (Self::Iso, Value::String(text)) => iso_date(text),
            (Self::Custom(format), Value::String(text)) => {
                BrokenDownTime::parse(format, text).and_then(|parsed| parsed.to_date()).ok()
            }
            (_, other) => return Err(Flaw::of(self.expected(), other)),
        };
        date.map(|date| Value::String(date.to_string())).ok_or_else(|| Flaw::of(self.expected(), value))
    }

    pub(super) fn write(&self, value: &Value) -> Result<Value, Flaw> {
        let flaw = || Flaw::of("a date (2026-11-22)", value);
        let date = value.as_str().and_then(iso_date).ok_or_else(flaw)?;
        match self {
            Self::Iso => Ok(value.clone()),
            Self::EpochMs => {
                let midnight = date.to_zoned(TimeZone::UTC).map_err(|_| flaw())?;
                Ok(Value::from(midnight.timestamp().as_millisecond()))
            }
            Self::Custom(format) => strtime::format(format, date).map(Value::String).map_err(|_| flaw()),
        }
    }

    fn expected(&self) -> String {
        match self {
            Self::Iso => "a date (2026-11-22)".to_owned(),
            Self::EpochMs => "milliseconds of a midnight in UTC".to_owned(),
            Self::Custom(format) => format!("a date like `{format}`"),
        }
    }
}

/// A date in the extended ISO form and nothing beside it: a time of day would be lost in silence.
pub(crate) fn iso_date(text: &str) -> Option<Date> {
    if text.bytes().any(|b| !(b.is_ascii_digit() || matches!(b, b'-' | b'+'))) || !text.contains('-') {
        return None;
    }
    text.parse().ok()
}

fn epoch_day(value: &Value) -> Result<Value, Flaw> {
    let expected = "milliseconds of a midnight in UTC";
    let ms = whole(value, expected)?;
    if ms.rem_euclid(DAY_MS) != 0 {
        return Err(Flaw::new(expected, kind_of(value), Why::Inexact));
    }
    let at = Timestamp::from_millisecond(ms).map_err(|_| Flaw::new(expected, kind_of(value), Why::Range))?;
    Ok(Value::String(at.to_zoned(TimeZone::UTC).date().to_string()))
}

/// How a system writes times.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    form: Form,
    zone: Option<TimeZone>,
    ambiguous: Ambiguous,
    number: bool,
}

#[derive(Debug, Clone)]
enum Form {
    Rfc3339,
    EpochS,
    EpochMs,
    Custom { format: String, offset: bool, whole: bool },
}

impl Moment {
    pub(super) fn compile(form: &TimeForm) -> Result<Self, BadStep> {
        let zone =
            form.zone.as_deref().map(pattern::zone).transpose().map_err(|bad| unusable("zone", bad))?;
        let epoch = matches!(form.format.as_str(), "epoch_s" | "epoch_ms");
        if form.written.is_some() && !epoch {
            let hint = "this format is always a text: drop `as`";
            return Err(BadStep::new("as", "only `epoch_s` and `epoch_ms` can be numbers", hint));
        }
        if zone.is_some() && epoch {
            let hint = "seconds since 1970 mean the same everywhere: drop `zone`";
            return Err(BadStep::new("zone", "an epoch has no zone", hint));
        }
        if form.ambiguous != Ambiguous::Fail && zone.is_none() {
            let hint = "only local times can be ambiguous: drop it, or declare their `zone`";
            return Err(BadStep::new("ambiguous", "it stands without `zone`", hint));
        }
        let compiled = match form.format.as_str() {
            "rfc3339" => Form::Rfc3339,
            "epoch_s" => Form::EpochS,
            "epoch_ms" => Form::EpochMs,
            text if text.contains('%') => {
                let holds =
                    pattern::reads_times(text, zone.is_some()).map_err(|bad| unusable("format", bad))?;
                Form::Custom { format: text.to_owned(), offset: holds.offset, whole: holds.whole }
            }
            _ => {
                let hint =
                    "use `rfc3339`, `epoch_s`, `epoch_ms`, or directives such as `%d.%m.%Y %H:%M:%S %z`";
                return Err(BadStep::new("format", "it is no known format and holds no directive", hint));
            }
        };
        let number = epoch && form.written != Some(Written::Text);
        Ok(Self { form: compiled, zone, ambiguous: form.ambiguous, number })
    }

    pub(super) fn is_number(&self) -> bool {
        self.number
    }

    /// Whether some times are not read back as they were.
    pub(super) fn is_coarse(&self) -> bool {
        match &self.form {
            Form::Rfc3339 => false,
            Form::EpochS | Form::EpochMs => true,
            Form::Custom { offset, whole, .. } => !whole || (!offset && self.ambiguous != Ambiguous::Fail),
        }
    }

    pub(super) fn read(&self, value: &Value) -> Result<Value, Flaw> {
        let range = |_| Flaw::new("a time between the years -9999 and 9999", kind_of(value), Why::Range);
        let at = match (&self.form, value) {
            (Form::EpochS, _) => {
                Timestamp::from_second(whole(value, "seconds since 1970")?).map_err(range)?
            }
            (Form::EpochMs, _) => {
                Timestamp::from_millisecond(whole(value, "milliseconds since 1970")?).map_err(range)?
            }
            (Form::Rfc3339, Value::String(text)) => match text.parse::<Timestamp>() {
                Ok(at) => at,
                Err(_) => self.local(text.parse().ok(), value)?,
            },
            (Form::Custom { format, offset, .. }, Value::String(text)) => {
                let parsed =
                    BrokenDownTime::parse(format, text).map_err(|_| Flaw::of(self.expected(), value))?;
                if *offset {
                    parsed.to_timestamp().map_err(|_| Flaw::of(self.expected(), value))?
                } else {
                    self.local(parsed.to_datetime().ok(), value)?
                }
            }
            (_, other) => return Err(Flaw::of(self.expected(), other)),
        };
        Ok(Value::String(at.to_string()))
    }

    /// A time without an offset, where the zone says which one it is.
    fn local(&self, at: Option<canonical::jiff::civil::DateTime>, value: &Value) -> Result<Timestamp, Flaw> {
        let flaw = || Flaw::of(self.expected(), value);
        let (Some(at), Some(zone)) = (at, &self.zone) else { return Err(flaw()) };
        let found = zone.to_ambiguous_timestamp(at);
        let skipped = || Flaw::new("a local time that exists once in its zone", "a text", Why::Ambiguous);
        match (found.offset(), self.ambiguous) {
            (AmbiguousOffset::Gap { .. }, _) | (AmbiguousOffset::Fold { .. }, Ambiguous::Fail) => {
                Err(skipped())
            }
            (_, Ambiguous::Later) => found.later().map_err(|_| flaw()),
            (_, Ambiguous::Fail | Ambiguous::Earlier) => found.earlier().map_err(|_| flaw()),
        }
    }

    pub(super) fn write(&self, value: &Value) -> Result<Value, Flaw> {
        let flaw = || Flaw::of("a time with a zone (2026-11-22T10:00:00Z)", value);
        let at: Timestamp = value.as_str().and_then(|text| text.parse().ok()).ok_or_else(flaw)?;
        let epoch =
            |count: i64| if self.number { Value::from(count) } else { Value::String(count.to_string()) };
        match &self.form {
            // Rounded down, before 1970 too, so that times keep their order.
            Form::EpochS => {
                Ok(epoch(i64::try_from(at.as_nanosecond().div_euclid(1_000_000_000)).unwrap_or(0)))
            }
            Form::EpochMs => Ok(epoch(i64::try_from(at.as_nanosecond().div_euclid(1_000_000)).unwrap_or(0))),
            Form::Rfc3339 => Ok(match &self.zone {
                None => value.clone(),
                Some(zone) => {
                    let offset = zone.to_offset(at);
                    // Offsets of the age of local mean time have seconds, which this form cannot hold.
                    let offset = if offset.seconds() % 60 == 0 { offset } else { Offset::UTC };
                    Value::String(at.display_with_offset(offset).to_string())
                }
            }),
            Form::Custom { format, offset, .. } => {
                let zoned = at.to_zoned(self.zone.clone().unwrap_or(TimeZone::UTC));
                if !*offset && self.ambiguous == Ambiguous::Fail && is_twice(&zoned) {
                    let expected = "a time that its zone's clock shows only once";
                    return Err(Flaw::new(expected, "a text", Why::Ambiguous));
                }
                strtime::format(format, &zoned).map(Value::String).map_err(|_| flaw())
            }
        }
    }

    fn expected(&self) -> String {
        match &self.form {
            Form::Rfc3339 if self.zone.is_some() => "a time (2026-11-22T10:00:00)".to_owned(),
            Form::Rfc3339 => "a time with an offset (2026-11-22T10:00:00Z)".to_owned(),
            Form::EpochS => "seconds since 1970".to_owned(),
            Form::EpochMs => "milliseconds since 1970".to_owned(),
            Form::Custom { format, .. } => format!("a time like `{format}`"),
        }
    }
}

/// Whether the zone's clock shows this local time twice.
fn is_twice(zoned: &Zoned) -> bool {
    zoned.time_zone().to_ambiguous_timestamp(zoned.datetime()).is_ambiguous()
}

fn unusable(option: &'static str, bad: pattern::Unusable) -> BadStep {
    BadStep::new(option, bad.message, bad.hint)
}
