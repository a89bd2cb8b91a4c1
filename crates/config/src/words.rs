//! Words that several files share: periods of time, and references to secrets.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time as it is written: `500ms`, `30s`, `5m`, `12h`, `7d`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Period(pub Duration);

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl Period {
    /// So many seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// So many days.
    #[must_use]
    pub const fn days(days: u64) -> Self {
        Self(Duration::from_secs(days * 86_400))
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().ok()?;
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
        number.checked_mul(*millis).map(|millis| Self(Duration::from_millis(millis)))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let fits = UNITS.iter().rev().find(|(_, unit)| millis > 0 && millis.is_multiple_of(*unit));
        let (name, unit) = fits.unwrap_or(&("s", 1_000));
        write!(f, "{}{name}", millis / unit)
    }
}

struct PeriodVisitor;

impl Visitor<'_> for PeriodVisitor {
    type Value = Period;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a period such as `500ms`, `30s`, `5m`, `12h` or `7d`")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Period, E> {
        Period::parse(text).ok_or_else(|| {
            let unit = "write a whole number and a unit: `500ms`, `30s`, `5m`, `12h` or `7d`";
            E::custom(format_args!("`{text}` is not a period: {unit}"))
        })
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PeriodVisitor)
    }
}
impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A time of day as it is written: `06:00`, or `24:00` for the end of the day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Hour(pub(crate) jiff::civil::Time);

impl<'de> Deserialize<'de> for Hour {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parts = text.split_once(':').filter(|(hour, minute)| hour.len() == 2 && minute.len() == 2);
        let parts =
            parts.and_then(|(hour, minute)| Some((hour.parse::<i8>().ok()?, minute.parse::<i8>().ok()?)));
        let parts = if parts == Some((24, 0)) { Some((0, 0)) } else { parts };
        let time = parts.and_then(|(hour, minute)| jiff::civil::Time::new(hour, minute, 0, 0).ok());
        time.map(Self).ok_or_else(|| {
            D::Error::custom(format_args!(
                "`{text}` is not a time of day: write it in quotes, like \"22:00\""
            ))
        })
    }
}

/// A day of the week as it is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl From<Day> for jiff::civil::Weekday {
    fn from(day: Day) -> Self {
        match day {
            Day::Mon => Self::Monday,
            Day::Tue => Self::Tuesday,
            Day::Wed => Self::Wednesday,
            Day::Thu => Self::Thursday,
            Day::Fri => Self::Friday,
            Day::Sat => Self::Saturday,
            Day::Sun => Self::Sunday,
        }
    }
}

/// Where a secret is: `{env: NAME}` or `{file: PATH}`. Never the secret itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretRef {
    /// In an environment variable.
    Env(String),
    /// In a file; a path that is not absolute starts at the configuration folder.
    File(PathBuf),
}

/// Whether a text is the name of an environment variable, and not the secret itself: upper-case, as is usual, so that
/// a token pasted in its place is noticed.
pub(crate) fn is_variable(name: &str) -> bool {
    let plain = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    plain && name.bytes().next().is_some_and(|b| !b.is_ascii_digit())
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    //! Periods are read exactly.
    use super::{Period, is_variable};

    #[test]
    fn periods_are_read_and_shown() {
        for (text, shown) in
            [("500ms", "500ms"), ("30s", "30s"), ("90s", "90s"), ("120s", "2m"), ("24h", "1d"), ("0s", "0s")]
        {
            assert_eq!(Period::parse(text).unwrap().to_string(), shown);
        }
        for text in
            ["", "5", "s", "-1s", "1.5s", "5 m", "5min", "99999999999999999999s", "999999999999999999d"]
        {
            assert_eq!(Period::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_secret_in_place_of_a_name_is_noticed() {
        for secret in ["pat-na1-3f", "sk_live_4eC39HqL", "1A", ""] {
            assert!(!is_variable(secret), "{secret}");
        }
        assert!(is_variable("HUBSPOT_TOKEN") && is_variable("_A1"));
    }
}
