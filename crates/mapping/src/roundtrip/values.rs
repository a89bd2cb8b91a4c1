//! The values that a two-way row is tried with: corners of the field's type, and more of it by a seeded dice.

use canonical::value::is_empty;
use canonical::{Decimal, FieldType, jiff};
use serde_json::{Value, json};

use super::{Pair, Witness};
use crate::check::Check;
use crate::row::Said;
use crate::step::phone;

/// How many values are made for a row.
const MADE: usize = 64;
/// How often the dice is thrown for one of them, where the field takes only some.
const THROWS_MAX: usize = 4;

const TEXTS: [&str; 20] = [
    "a",
    "Zoe Example",
    "SOME NAME",
    "von der Linde",
    " a",
    "b ",
    "0",
    "007",
    "-12",
    "12.50",
    "true",
    "null",
    "straße",
    "Éa é",
    "x;y",
    "x, y",
    "it's \"so\"",
    "2026-11-22",
    "1/2\\3",
    "two\nlines",
];
const LETTERS: [char; 24] = [
    'a', 'b', 'e', 'n', 'o', 'z', 'A', 'K', 'T', 'Z', '0', '7', ' ', ' ', '-', '.', ';', '|', 'ä', 'É', 'ß',
    'Σ', '中', '€',
];
const EMAILS: [&str; 5] =
    ["a@b.co", "zoe@example.com", "Zoe.Example+x@Example.COM", "ü@exämple.de", "o'neil@a-b.example"];
const NUMBERS: [i64; 10] = [0, 1, -1, 7, 10, 1000, (1 << 53) - 1, (1 << 53) + 1, i64::MIN, i64::MAX];
const DECIMALS: [&str; 10] =
    ["0", "1", "-1", "12.5", "12.34", "12.345", "0.005", "-0.1", "99999999.99", "1234567890123456789.5"];
const DATES: [&str; 6] = ["1970-01-01", "1969-12-31", "2024-02-29", "2026-11-22", "1899-12-31", "9999-12-31"];
/// With both sides of the hours that Berlin and New York have twice, and the ends of those they skip.
const TIMES: [&str; 10] = [
    "1970-01-01T00:00:00Z",
    "1969-12-31T23:59:59.9Z",
    "2026-11-22T10:00:00Z",
    "2026-11-22T10:00:00.123456789Z",
    "2026-10-25T00:30:00Z",
    "2026-10-25T01:30:00Z",
    "2026-11-01T05:30:00Z",
    "2026-11-01T06:30:00Z",
    "2026-03-29T01:00:00Z",
    "2024-02-29T23:59:59Z",
];
/// Seconds from 1970 to the year 2100.
const SECONDS: u64 = 4_102_444_800;

impl Pair<'_> {
    /// Everything the row is tried with, cells of the table as the record has them.
    pub(super) fn values(&self) -> Vec<(Witness, Value)> {
        let check = &self.read.check;
        let cells = self.read.table.iter().flat_map(|table| table.pairs.values().cloned());
        let keys = self.write.table.iter().flat_map(|table| table.pairs.keys());
        let keys = keys.filter_map(|key| check.apply(typed(&check.kind, key)).ok());
        let mut tried: Vec<(Witness, Value)> =
            cells.chain(keys).map(|value| (Witness::Table, value)).collect();
        let mut dice = Dice::of(self.mapping.digest(), self.at);
        tried.extend(made(check, &mut dice).into_iter().map(|value| (Witness::Made, value)));
        if let Some(phone) = phone(&self.read.steps) {
            let numbers = phone.samples(|| dice.pick(&['0', '2', '3', '5', '6', '9'], '2'));
            let fitting = numbers.into_iter().filter_map(|number| check.apply(json!(number)).ok());
            tried.extend(fitting.map(|value| (Witness::Made, value)));
        }
        for (index, example) in self.mapping.inner.examples.iter().enumerate() {
            let held = example.canonical.get(self.read.field.as_str()).cloned();
            let held = held.and_then(|value| check.apply(value).ok());
            let seen = example.from.as_ref().and_then(|from| match self.read.take(from) {
                Ok(Said::Value(value)) => Some(value),
                _ => None,
            });
            tried.extend(held.into_iter().chain(seen).map(|value| (Witness::Example(index), value)));
        }
        tried.retain(|(_, value)| !is_empty(value));
        tried
    }
}

/// A cell of the record's column as a value of the field.
fn typed(kind: &FieldType, cell: &str) -> Value {
    let value = match kind {
        FieldType::Integer => cell.parse::<i64>().ok().map(Value::from),
        FieldType::Boolean => cell.parse::<bool>().ok().map(Value::from),
        _ => None,
    };
    value.unwrap_or_else(|| Value::from(cell))
}

/// Values that the field takes: all of its choices, where it has some.
fn made(check: &Check, dice: &mut Dice) -> Vec<Value> {
    if let Some(choices) = check.choices() {
        return choices.to_vec();
    }
    let mut values: Vec<Value> = Vec::new();
    for at in 0..MADE * THROWS_MAX {
        if values.len() == MADE {
            break;
        }
        let fitting = check.apply(one(check, at, dice)).ok().filter(|value| !is_empty(value));
        values.extend(fitting.filter(|value| !values.contains(value)));
    }
    values
}

/// One value of the field's type: a corner while there are some, then by the dice.
fn one(check: &Check, at: usize, dice: &mut Dice) -> Value {
    match &check.kind {
        FieldType::Text | FieldType::Reference(_) if check.is_email() => match EMAILS.get(at) {
            Some(corner) => json!(corner),
            None => json!(format!("{}@example.com", dice.word(1 + at % 12))),
        },
        FieldType::Text | FieldType::Reference(_) => text(check.chars_max(), at, dice),
        FieldType::Integer => NUMBERS.get(at).map_or_else(|| json!(dice.number()), |corner| json!(corner)),
        FieldType::Decimal => match DECIMALS.get(at) {
            Some(corner) => json!(corner),
            None => canonical::value::decimal(Decimal::new(dice.number() % 1_000_000_000_000, dice.below(5))),
        },
        FieldType::Boolean => json!(at.is_multiple_of(2)),
        FieldType::Date => DATES.get(at).map_or_else(|| dice.date(), |corner| json!(corner)),
        FieldType::Time => TIMES.get(at).map_or_else(|| dice.time(), |corner| json!(corner)),
        FieldType::List { .. } => (0..1 + at % 4)
            .map(|k| text(None, if at.is_multiple_of(2) { k } else { usize::MAX }, dice))
            .collect(),
        FieldType::Any => match at % 4 {
            0 => json!(dice.number()),
            1 => json!(at.is_multiple_of(3)),
            2 => json!({ "a": [dice.number(), null] }),
            _ => text(None, at / 4, dice),
        },
    }
}

/// A text. One that fills the field's length is of plain letters: others may become longer in another case.
fn text(chars_max: Option<usize>, at: usize, dice: &mut Dice) -> Value {
    let most = chars_max.unwrap_or(40);
    match TEXTS.get(at) {
        Some(corner) if corner.chars().count() * 2 <= most.max(2) => json!(corner),
        _ if at.is_multiple_of(8) => json!(dice.word(most.min(200))),
        _ if at % 8 < 3 => json!(dice.number().to_string()),
        _ => {
            let length = 1 + dice.below(u32::try_from((most / 2).clamp(1, 24)).unwrap_or(1)) as usize;
            Value::String((0..length).map(|_| dice.pick(&LETTERS, 'a')).collect())
        }
    }
}

/// A sequence of numbers from a seed (SplitMix64): always the same, on every machine.
struct Dice(u64);

impl Dice {
    /// Of a mapping's digest, for one of its rows.
    fn of(digest: &str, row: usize) -> Self {
        let seed = digest
            .bytes()
            .fold(row as u64, |seed, byte| seed.wrapping_mul(0x0000_0100_0000_01b3) ^ u64::from(byte));
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.next() % u64::from(bound.max(1))).unwrap_or(0)
    }

    fn pick<T: Copy>(&mut self, from: &[T], other: T) -> T {
        let at = self.below(u32::try_from(from.len()).unwrap_or(1)) as usize;
        from.get(at).copied().unwrap_or(other)
    }

    /// Small numbers as often as large ones.
    fn number(&mut self) -> i64 {
        let shift = self.below(63);
        self.next().cast_signed() >> shift
    }

    fn word(&mut self, length: usize) -> String {
        (0..length.max(1)).map(|_| self.pick(&['a', 'e', 'k', 'n', 'o', 'S', 'T', 'x', '4'], 'a')).collect()
    }

    fn time(&mut self) -> Value {
        let second = i64::try_from(self.next() % SECONDS).unwrap_or(0);
        let nanos = [0, 0, 500_000_000, 123_000_000, 123_456_789];
        let at = jiff::Timestamp::new(second, self.pick(&nanos, 0));
        at.map_or(Value::Null, |at| json!(at.to_string()))
    }

    fn date(&mut self) -> Value {
        let second = i64::try_from(self.next() % SECONDS).unwrap_or(0);
        let at = jiff::Timestamp::from_second(second);
        at.map_or(Value::Null, |at| json!(at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()))
    }
}
