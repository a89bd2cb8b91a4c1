//! Formats of dates and times, and time zones, checked before they are used.
//!
//! Zones come from the database in the program, so that a name means the same on every machine.

use jiff::Timestamp;
use jiff::Zoned;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

use canonical::suggest;

/// Two moments that tell formats apart: after noon with nine digits of a second, and in another century.
const SAMPLES: [&str; 2] = ["2026-11-22T13:45:56.123456789Z", "1955-03-04T01:02:03.004005006Z"];
/// Where the samples are written, so that a lost offset shows.
const SAMPLE_OFFSET_SECONDS: i32 = 5 * 3600 + 1800;
/// Nanoseconds that a format for times may drop: seconds and parts of them, never minutes.
const LOST_NANOSECONDS: std::ops::Range<i128> = 0..60_000_000_000;

/// Why a format or a zone cannot be used, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: String,
}

impl Unusable {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }

    fn format(format: &str, reason: &str) -> Self {
        let hint = "use directives that can be read and written: %Y %m %d %H %M %S %.f %z %:z %p %b";
        Self::new(format!("`{format}` cannot be used: {reason}"), hint)
    }
}

/// What a format for times holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holds {
    /// The offset, so that no zone is needed to read it.
    pub offset: bool,
    /// Every nanosecond.
    pub whole: bool,
}

/// A zone by its name or its offset.
///
/// # Errors
/// When there is none of that name.
pub fn zone(name: &str) -> Result<TimeZone, Unusable> {
    if name == "UTC" {
        return Ok(TimeZone::UTC);
    }
    if let Some(offset) = BrokenDownTime::parse("%:z", name).ok().and_then(|parsed| parsed.offset()) {
        return Ok(TimeZone::fixed(offset));
    }
    let known = TimeZoneDatabase::bundled();
    known.get(name).map_err(|_| {
        let names: Vec<String> = known.available().map(|name| name.to_string()).collect();
        let hint = match suggest::nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "use a name such as `Europe/Berlin`, `UTC`, or an offset such as `+02:00`".to_owned(),
        };
        Unusable::new(format!("there is no time zone `{name}`"), hint)
    })
}

/// Tries a format for dates on the samples: it must hold a whole date, and no time of day, which would be lost.
///
/// # Errors
/// When it does not, or holds a directive that cannot be read.
pub fn reads_dates(format: &str) -> Result<(), Unusable> {
    for sample in samples() {
        let date = sample.date();
        let text = strtime::format(format, date).map_err(|e| Unusable::format(format, &e.to_string()))?;
        let parsed =
            BrokenDownTime::parse(format, &text).map_err(|e| Unusable::format(format, &e.to_string()))?;
        if parsed.hour().is_some() || parsed.offset().is_some() || parsed.timestamp().is_some() {
            let hint = "drop it, or make the field a time";
            return Err(Unusable::new("it holds a time of day, which a date would lose", hint));
        }
        if parsed.to_date().ok() != Some(date) {
            let hint = "it must hold day, month and a year of four digits: `%d.%m.%Y`";
            return Err(Unusable::new(format!("`{format}` does not hold a whole date"), hint));
        }
    }
    Ok(())
}

/// Tries a format for times on the samples: it must hold a whole time, and its offset unless there is a zone.
///
/// # Errors
/// When it does not, or holds a directive that cannot be read.
pub fn reads_times(format: &str, zoned: bool) -> Result<Holds, Unusable> {
    let mut holds = Holds { offset: true, whole: true };
    for sample in samples() {
        let text = strtime::format(format, &sample).map_err(|e| Unusable::format(format, &e.to_string()))?;
        let parsed =
            BrokenDownTime::parse(format, &text).map_err(|e| Unusable::format(format, &e.to_string()))?;
        let with_offset = parsed.to_timestamp().is_ok();
        if !with_offset && !zoned {
            let hint = "add `%z` (+0200) or `%:z` (+02:00) to the format, or declare the `zone` the times are \
                        in (`zone: UTC`); a letter Z in a format is only a letter";
            return Err(Unusable::new("it has no offset, so the time it means is not known", hint));
        }
        let local = parsed.to_datetime().ok();
        let read = match parsed.to_timestamp() {
            Ok(at) => Some(at),
            Err(_) => local.and_then(|at| sample.time_zone().to_ambiguous_timestamp(at).unambiguous().ok()),
        };
        let lost = read.map(|at| sample.timestamp().as_nanosecond() - at.as_nanosecond());
        if !lost.is_some_and(|lost| LOST_NANOSECONDS.contains(&lost)) {
            let hint = "it must hold year (four digits), month, day, hour (with `%p` when it counts to 12) \
                        and minute: `%Y-%m-%d %H:%M:%S%:z`";
            return Err(Unusable::new(format!("`{format}` does not hold a whole time"), hint));
        }
        holds.offset &= with_offset;
        holds.whole &= lost == Some(0);
    }
    Ok(holds)
}

/// Tries whether a format can be written, of dates or of times. What it leaves out is the writer's wish.
pub(crate) fn writes(format: &str, times: bool) -> Result<(), Unusable> {
    if !format.contains('%') {
        return Err(Unusable::new("it holds no directive", "use directives such as `%d.%m.%Y`"));
    }
    for sample in samples() {
        let text =
            if times { strtime::format(format, &sample) } else { strtime::format(format, sample.date()) };
        text.map_err(|error| Unusable::format(format, &error.to_string()))?;
    }
    Ok(())
}

fn samples() -> impl Iterator<Item = Zoned> {
    let zone = Offset::from_seconds(SAMPLE_OFFSET_SECONDS).unwrap_or(Offset::UTC).to_time_zone();
    SAMPLES.iter().filter_map(|text| text.parse::<Timestamp>().ok()).map(move |at| at.to_zoned(zone.clone()))
}
