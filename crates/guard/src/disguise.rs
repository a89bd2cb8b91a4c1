//! Disguise: what was really answered, without anybody's values, in the form it had.
//!
//! Texts and numbers become others of the same form: a date stays a date, an address an address, letters stay letters
//! and digits digits. The same value becomes the same again, and two values never become one, so that ids still meet.
//! Words and names that the reader of the answer is known to look for are kept; so are names that look like a field's. What
//! else stands where a name does (an address as a table's key) is somebody's, too.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Number, Value};

/// Whole numbers below this say how many or which status, not who.
const SMALL: u64 = 1000;
/// A moment in 2026, as seconds.
const SOME_SECONDS: u64 = 1_795_348_800;

/// One disguise, for everything that belongs together.
#[derive(Debug, Default)]
pub struct Disguise {
    kept: BTreeSet<String>,
    names: BTreeSet<String>,
    known: BTreeMap<String, String>,
    /// Numbers that may be moments, each with the place at which it came.
    moments: BTreeMap<u64, u64>,
    given: BTreeSet<String>,
}

impl Disguise {
    /// One that keeps these words where a whole text is one of them.
    #[must_use]
    pub fn keeping(words: impl IntoIterator<Item = String>) -> Self {
        Self { kept: words.into_iter().collect(), ..Self::default() }
    }

    /// The same, which also keeps these names of fields, whatever they look like.
    #[must_use]
    pub fn naming(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.names.extend(names);
        self
    }

    /// A document with its names, its shape, and nobody's values.
    #[must_use]
    pub fn document(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Number(number) => self.number(number),
            Value::Array(items) => items.iter().map(|item| self.document(item)).collect(),
            Value::Object(entries) => Value::Object(
                entries.iter().map(|(name, value)| (self.name(name), self.document(value))).collect(),
            ),
            Value::Null | Value::Bool(_) => value.clone(),
        }
    }

    /// The name of a field as it is; what is none, as a text of the same form.
    pub fn name(&mut self, name: &str) -> String {
        if self.names.contains(name) || is_name(name) { name.to_owned() } else { self.text(name) }
    }

    /// A text of the same form. One that only says yes or no, or a small number, says nothing of anybody.
    pub fn text(&mut self, text: &str) -> String {
        let plain = matches!(text, "true" | "false") || text.parse::<u64>().is_ok_and(|whole| whole < SMALL);
        if text.is_empty() || plain || self.kept.contains(text) {
            return text.to_owned();
        }
        if let Some(known) = self.known.get(text) {
            return known.clone();
        }
        let free = (0..).map(|number| form(text, number)).find(|disguised| !self.given.contains(disguised));
        // There is always a next one.
        let disguised = free.unwrap_or_default();
        self.given.insert(disguised.clone());
        self.known.insert(text.to_owned(), disguised.clone());
        disguised
    }

    fn number(&mut self, number: &Number) -> Value {
        if number.as_u64().is_some_and(|whole| whole < SMALL) {
            return Value::Number(number.clone());
        }
        match number.as_u64() {
            // What may be a moment stays one.
            Some(seconds @ 1_000_000_000..=9_999_999_999) => Value::from(SOME_SECONDS + self.place(seconds)),
            Some(ms @ 1_000_000_000_000..=9_999_999_999_999) => {
                Value::from(SOME_SECONDS * 1000 + self.place(ms))
            }
            _ => serde_json::from_str(&self.text(&number.to_string())).unwrap_or(Value::from(1)),
        }
    }
}

impl Disguise {
    /// The place at which a number came, so that two never become one.
    fn place(&mut self, number: u64) -> u64 {
        let next = self.moments.len() as u64;
        *self.moments.entry(number).or_insert(next)
    }
}

/// Whether a key looks like a field's name: no words, no address, and no number of anybody's.
fn is_name(key: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:$#/+@[]()*".contains(&byte);
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    // OData says something about a field behind an `@`: `parentid@odata.bind`.
    let is_address = key.split_once('@').is_some_and(|(local, domain)| {
        let about = ["odata.", "OData.", "Microsoft."].iter().any(|prefix| domain.starts_with(prefix));
        !local.is_empty() && !about
    });
    key.len() <= 64 && key.bytes().all(inside) && digits <= 5 && !is_address
}

/// The so-manieth text of the form of another.
fn form(text: &str, number: usize) -> String {
    if let Some(domain) = text.split_once('@').map(|(_, domain)| domain)
        && domain.contains('.')
        && !text.contains(char::is_whitespace)
    {
        return format!("person{}@example.test", number + 1);
    }
    if is_time(text) {
        return time(text, number);
    }
    let slots = text.chars().filter(char::is_ascii_alphanumeric).count();
    let short = slots < 4;
    let shaped: String = text.chars().map(|one| shape(one, if short { 0 } else { number })).collect();
    // Where the form has no room for a number of its own, it grows.
    let wraps = number >= 9 || (short && number > 0);
    if wraps && text.chars().all(|one| one.is_ascii_digit()) {
        return format!("{shaped}{number}");
    }
    if wraps { format!("{shaped}-{number}") } else { shaped }
}

fn shape(one: char, number: usize) -> char {
    let nth = |first: u8, of: usize| char::from(first + u8::try_from(number % of).unwrap_or_default());
    match one {
        '0'..='9' => nth(b'1', 9),
        // Six letters only, so that hexadecimal stays that.
        'a'..='z' => nth(b'a', 6),
        'A'..='Z' => nth(b'A', 6),
        other if other.is_alphabetic() => nth(b'a', 6),
        other => other,
    }
}

/// Whether it begins as a date does: `2026-11-22`.
fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 10
        && bytes.iter().take(10).enumerate().all(|(place, byte)| match place {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// Another time in the same writing: its day counts, and every other digit is nought.
fn time(text: &str, number: usize) -> String {
    let day = format!("2026-01-{:02}", number % 28 + 1);
    let rest: String =
        text.chars().skip(10).map(|one| if one.is_ascii_digit() { '0' } else { one }).collect();
    let again = number / 28;
    // A 29th time of one writing: by its hours.
    match (again, rest.get(1..3)) {
        (0, _) | (_, None) => format!("{day}{rest}"),
        (hours, Some(_)) => {
            format!(
                "{day}{}{:02}{}",
                rest.get(..1).unwrap_or_default(),
                hours % 24,
                rest.get(3..).unwrap_or_default()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn forms_stay_and_values_go() {
        let mut disguise = Disguise::keeping(["COMPLETE".to_owned()]);
        let seen = json!({
            "status": "COMPLETE", "id": "50177", "other": "50177", "third": "99812", "vip": true, "none": null,
            "email": "ann.smith@acme.com", "mails": ["bob@acme.com", "ann.smith@acme.com"],
            "at": "2024-03-05T11:22:33.123Z", "then": "2024-03-06", "count": 12, "total": 4_250_000, "ms": 1_709_637_753_123_u64,
            "name": "Zoë O'Neil", "zone": "DE", "zones": "FR",
        });
        assert_eq!(
            disguise.document(&seen),
            json!({
                "status": "COMPLETE", "id": "11111", "other": "11111", "third": "22222", "vip": true, "none": null,
                "email": "person1@example.test", "mails": ["person2@example.test", "person1@example.test"],
                "at": "2026-01-01T00:00:00.000Z", "then": "2026-01-01", "count": 12, "total": 1_111_111,
                "ms": 1_795_348_800_000_u64, "name": "Aaa A'Aaaa", "zone": "AA", "zones": "AA-1",
            })
        );
    }

    #[test]
    fn keys_that_are_somebodys_are_values() {
        let mut disguise = Disguise::default().naming(["First Name".to_owned()]);
        let seen = json!({
            "by": { "ada@example.org": 1, "Jane Doe": { "First Name": "Jane Doe" }, "50177123": true, "Müller": null },
            "@odata.etag": "W", "parentid@odata.bind": "x", "_links": [{ "a.b-c": 7 }], "+1": "7",
        });
        let shown = disguise.document(&seen);
        assert_eq!(
            shown,
            json!({
                "by": { "person1@example.test": 1, "Aaaa Aaa": { "First Name": "Aaaa Aaa" }, "11111111": true, "Aaaaaa": null },
                "@odata.etag": "A", "parentid@odata.bind": "a", "_links": [{ "a.b-c": 7 }], "+1": "7",
            })
        );
    }

    #[test]
    fn two_values_never_become_one_and_every_time_is_one() {
        let mut disguise = Disguise::default();
        let ids: BTreeSet<String> =
            (0..500).map(|number| disguise.text(&format!("{:05}", 10_000 + number))).collect();
        assert_eq!(ids.len(), 500);
        let numbers: BTreeSet<String> =
            (0..50_u64).map(|number| disguise.document(&json!(5_000_000_000 + number)).to_string()).collect();
        assert_eq!(numbers.len(), 50, "ids of ten digits might be moments");
        let short: BTreeSet<String> = ('a'..='z').map(|one| disguise.text(&one.to_string())).collect();
        assert_eq!(short.len(), 26);
        let times = (0..300).map(|number| {
            disguise.text(&format!(
                "2020-{:02}-{:02}T08:{:02}:00Z",
                number % 12 + 1,
                number % 28 + 1,
                number % 60
            ))
        });
        let times: BTreeSet<String> = times.collect();
        assert!(times.len() > 200, "{}", times.len());
        for time in times {
            let (day, hour) = (time[8..10].parse::<u8>().unwrap(), time[11..13].parse::<u8>().unwrap());
            assert!(time.starts_with("2026-01-") && (1..=28).contains(&day) && hour < 24, "{time}");
        }
    }
}
