//! What systems make of the values that they are given: a vendor trims texts, lowers addresses, cuts what is too long.
//!
//! A connector says so ([`Rewrite`], by path), and values are compared in the form that is left of them there
//! ([`Rewrites`]): two that a system cannot tell apart are the same in it. Nothing is ever sent in that form.

use std::collections::BTreeMap;

use rust_decimal::RoundingStrategy;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::value::{decimal, decimal_of};

/// So often a list is gone through, at most: what one rewrite leaves may be another one's work (a cut that ends in a space).
const ROUNDS_MAX: usize = 8;

/// One thing that a system makes of a value. Of a list, of each of its items. A value of another kind stays as it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rewrite {
    /// Nothing: what is said of all paths does not hold for this one. Stands alone.
    AsIs,
    /// White space around a text goes: all that Unicode calls so (`White_Space`).
    Trim,
    /// White space around a text goes, and all within it becomes one space.
    Collapse,
    /// A text's letters become small ones, as Unicode maps them.
    Lower,
    /// A text's letters become capitals, as Unicode maps them.
    Upper,
    /// Capitals and small letters of a text do not count: the system keeps its own way to write it.
    Case,
    /// Line ends of a text become one kind, whichever.
    LineEnds,
    /// A text that is a telephone number with `+` or `00` before it becomes `+` and its digits. One without stays as it is:
    /// the system knows of which country it is, Concord does not.
    E164,
    /// A text of items with this text between them is a set: order and repeats do not count.
    Set(String),
    /// A decimal (a number, or a text that is one) is rounded to so many places, a half away from zero.
    Decimals(u32),
    /// A decimal is cut to so many places.
    DecimalsCut(u32),
    /// A text is cut to so many characters (Unicode scalar values).
    Length(usize),
    /// A text is cut to so many bytes of UTF-8, between two characters.
    Bytes(usize),
    /// A moment (a text as RFC 3339 has it) is cut to whole ones of these, in UTC.
    To(Precision),
}

/// How exactly a system keeps moments.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// To the millisecond.
    Milliseconds,
    /// To the second.
    Seconds,
    /// To the minute.
    Minutes,
    /// To the day.
    Days,
}

impl Precision {
    /// Its name, as in manifests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Milliseconds => "milliseconds",
            Self::Seconds => "seconds",
            Self::Minutes => "minutes",
            Self::Days => "days",
        }
    }

    const fn nanoseconds(self) -> i128 {
        match self {
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
            Self::Minutes => 60_000_000_000,
            Self::Days => 86_400_000_000_000,
        }
    }
}

impl Rewrite {
    /// In a few words, for people.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::AsIs => "kept as it is".to_owned(),
            Self::Trim => "trimmed".to_owned(),
            Self::Collapse => "trimmed, white space within becomes one space".to_owned(),
            Self::Lower => "in lower case".to_owned(),
            Self::Upper => "in upper case".to_owned(),
            Self::Case => "case does not count".to_owned(),
            Self::LineEnds => "its own line ends".to_owned(),
            Self::E164 => "a telephone number as E.164".to_owned(),
            Self::Set(separator) => format!("a set, with {separator:?} between its items"),
            Self::Decimals(places) => format!("rounded to {places} decimals"),
            Self::DecimalsCut(places) => format!("cut to {places} decimals"),
            Self::Length(most) => format!("cut to {most} characters"),
            Self::Bytes(most) => format!("cut to {most} bytes"),
            Self::To(precision) => format!("cut to {}", precision.name()),
        }
    }

    /// What two of a path may not both be, by the same word: one of a kind makes the other moot.
    const fn kind(&self) -> &'static str {
        match self {
            Self::AsIs => "`as_is`",
            Self::Trim | Self::Collapse => "`trim`, `collapse`",
            Self::Lower | Self::Upper | Self::Case => "`lower`, `upper`, `case`",
            Self::LineEnds => "`line_ends`",
            Self::E164 => "`e164`",
            Self::Set(_) => "`set`",
            Self::Decimals(_) | Self::DecimalsCut(_) => "`decimals`, `decimals_cut`",
            Self::Length(_) => "`length`",
            Self::Bytes(_) => "`bytes`",
            Self::To(_) => "`to`",
        }
    }

    /// What is wrong with a path's list, and what would be right.
    #[must_use]
    pub fn flaw(all: &[Self]) -> Option<(String, &'static str)> {
        if all.is_empty() {
            return Some(("it names nothing".to_owned(), "write `as_is`, or leave the path out"));
        }
        for (at, one) in all.iter().enumerate() {
            if all.iter().skip(at + 1).any(|other| other.kind() == one.kind()) {
                return Some((format!("one of {} is enough", one.kind()), "keep one of them"));
            }
            match one {
                Self::AsIs if all.len() > 1 => {
                    return Some(("`as_is` stands beside others".to_owned(), "let it stand alone"));
                }
                Self::Length(0) | Self::Bytes(0) => {
                    return Some(("nothing would be left".to_owned(), "say how much of a text is kept"));
                }
                Self::Set(separator) if separator.is_empty() => {
                    return Some(("the separator is empty".to_owned(), "say what stands between two items"));
                }
                Self::Decimals(places) | Self::DecimalsCut(places) if *places > 28 => {
                    return Some(("no decimal has so many places".to_owned(), "say at most 28"));
                }
                _ => {}
            }
        }
        None
    }

    fn of(&self, value: Value) -> Value {
        match (self, value) {
            (_, Value::Array(items)) => Value::Array(items.into_iter().map(|item| self.of(item)).collect()),
            (Self::Decimals(places), value) => {
                rounded(value, *places, RoundingStrategy::MidpointAwayFromZero)
            }
            (Self::DecimalsCut(places), value) => rounded(value, *places, RoundingStrategy::ToZero),
            (_, Value::String(text)) => Value::String(self.text(text)),
            (_, other) => other,
        }
    }

    fn text(&self, text: String) -> String {
        match self {
            Self::AsIs | Self::Decimals(_) | Self::DecimalsCut(_) => text,
            Self::Trim if text.trim().len() == text.len() => text,
            Self::Trim => text.trim().to_owned(),
            Self::Collapse => text.split_whitespace().collect::<Vec<_>>().join(" "),
            Self::Lower => text.to_lowercase(),
            Self::Upper => text.to_uppercase(),
            Self::Case => fold(&text),
            Self::LineEnds => text.replace("\r\n", "\n").replace('\r', "\n"),
            Self::E164 => e164(&text).unwrap_or(text),
            Self::Set(separator) => {
                let items = text.split(separator.as_str()).map(str::trim).filter(|item| !item.is_empty());
                let items: std::collections::BTreeSet<&str> = items.collect();
                items.into_iter().collect::<Vec<_>>().join(separator)
            }
            Self::Length(most) => text.chars().take(*most).collect(),
            Self::Bytes(most) => {
                let end = (0..=*most.min(&text.len())).rev().find(|at| text.is_char_boundary(*at));
                text.get(..end.unwrap_or_default()).unwrap_or_default().to_owned()
            }
            Self::To(precision) => cut(&text, *precision).unwrap_or(text),
        }
    }
}

/// Folds case, so that texts which differ only in case become one: lower and upper case have no common form
/// in all of Unicode (`ẞ`, `ß` and `SS`), so it goes there and back.
#[must_use]
pub fn fold(text: &str) -> String {
    text.to_lowercase().to_uppercase().to_lowercase()
}

/// A decimal as a text, so that a number and a text that is one are the same.
fn rounded(value: Value, places: u32, how: RoundingStrategy) -> Value {
    match decimal_of(&value) {
        Some(exact) => decimal(exact.round_dp_with_strategy(places, how)),
        None => value,
    }
}

/// At most 15 digits have meaning (ITU-T E.164), and fewer than 7 are no number with its country.
fn e164(text: &str) -> Option<String> {
    let text = text.trim();
    let rest = text.strip_prefix('+').or_else(|| text.strip_prefix("00"))?.replacen("(0)", "", 1);
    let between = |c: char| c.is_whitespace() || matches!(c, '-' | '.' | '/' | '(' | ')');
    let digits: String = rest.chars().filter(|c| !between(*c)).collect();
    let fits = (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| format!("+{digits}"))
}

fn cut(text: &str, precision: Precision) -> Option<String> {
    let at: jiff::Timestamp = text.trim().parse().ok()?;
    let whole = at.as_nanosecond().div_euclid(precision.nanoseconds()) * precision.nanoseconds();
    jiff::Timestamp::from_nanosecond(whole).ok().map(|at| at.to_string())
}

/// What a system makes of the values at the paths of an object. Paths are as mappings write them; `*` stands for all, and
/// `properties.*` for all that begin so.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rewrites {
    paths: BTreeMap<String, Vec<Rewrite>>,
}

impl Rewrites {
    /// By path.
    #[must_use]
    pub const fn new(paths: BTreeMap<String, Vec<Rewrite>>) -> Self {
        Self { paths }
    }

    /// Whether the system keeps everything as it is given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// As they are written, in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Rewrite])> {
        self.paths.iter().map(|(path, all)| (path.as_str(), all.as_slice()))
    }

    /// What happens to what stands at a path: what is said of all, then of those that begin as it does, then of itself.
    #[must_use]
    pub fn at(&self, path: &str) -> Vec<Rewrite> {
        let own = self.paths.get(path);
        if own.is_some_and(|own| own.contains(&Rewrite::AsIs)) {
            return Vec::new();
        }
        // Shorter patterns sort first.
        let wide = self.paths.iter().filter(|(pattern, _)| {
            pattern.strip_suffix('*').is_some_and(|start| {
                (start.is_empty() || start.ends_with('.')) && path.starts_with(start) && path != *pattern
            })
        });
        let mut all: Vec<Rewrite> = Vec::new();
        for one in wide.flat_map(|(_, all)| all).chain(own.into_iter().flatten()) {
            if *one == Rewrite::AsIs {
                all.clear();
                continue;
            }
            // What is said more closely counts.
            all.retain(|known| known.kind() != one.kind());
            all.push(one.clone());
        }
        all
    }
}

/// What is left of a value where all of that happens to it: two values of the same form are one to that system. Doing it
/// once more changes nothing.
#[must_use]
pub fn rewritten(all: &[Rewrite], value: &Value) -> Value {
    let mut form = value.clone();
    for _ in 0..ROUNDS_MAX {
        let next = all.iter().fold(form.clone(), |value, one| one.of(value));
        if next == form {
            break;
        }
        form = next;
    }
    form
}

#[cfg(test)]
mod tests;
