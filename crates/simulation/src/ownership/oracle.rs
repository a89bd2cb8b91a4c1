//! What a field may be in the end, from the ownership table and what people did. The hub is not asked.

use std::cmp::Ordering;

use canonical::OnConflict;
use serde_json::Value;

use super::history::{Edit, alike};
use super::table::{Kind, Rule, SKEW, Table};

/// Within so many microseconds what stands in a system has been seen, and what follows from it been said.
pub(super) const SEEN_WITHIN: u64 = 25_000_000;

/// An edit of one field of one record, and until when it stood there: until then a read would show it.
#[derive(Clone, Debug)]
pub(super) struct Word<'a> {
    pub(super) edit: &'a Edit,
    /// `None`: to the end.
    pub(super) stood_until: Option<u64>,
    /// When its object was last touched while it stood: its system says then that it changed then.
    pub(super) touched: u64,
    /// How often something else of its object changed while it stood.
    pub(super) changes: u64,
}

impl Word<'_> {
    /// Whether it says that, as its system has it.
    pub(super) fn says(&self, value: &Value) -> bool {
        alike(self.edit.system, self.edit.field, &self.edit.value, value)
    }

    /// Whether the hub cannot have missed it.
    pub(super) fn is_certain(&self) -> bool {
        self.stood_until.is_none_or(|until| until >= self.edit.at + SEEN_WITHIN)
    }
}

/// What may stand in the record in the end: `None` where it is as it must be, else what it should have been.
pub(super) fn wrong(rule: &Rule, initial: &Value, words: &[Word<'_>], found: &Value) -> Option<String> {
    let heard: Vec<&Word<'_>> = words.iter().filter(|word| rule.hears(word.edit.system)).collect();
    match (rule.policy, rule.owner) {
        (OnConflict::Reject | OnConflict::Revert, Some(owner)) => {
            let wanted = owners_last(owner, &heard).unwrap_or(initial);
            (!alike(owner, rule.field, found, wanted)).then(|| format!("{wanted}, the owner's last"))
        }
        (OnConflict::Propose, Some(_)) => said(initial, &heard, found),
        (OnConflict::Min | OnConflict::Max | OnConflict::Union, owner) => {
            brought(rule, owner, initial, &heard, found)
        }
        (OnConflict::Latest, _) => latest(initial, &heard, found),
        (_, None) => newest(initial, &heard, found),
    }
}

fn owners_last<'a>(owner: usize, heard: &[&Word<'a>]) -> Option<&'a Value> {
    heard.iter().rev().find(|word| word.edit.system == owner).map(|word| &word.edit.value)
}

/// Anything that was said.
fn said(initial: &Value, heard: &[&Word<'_>], found: &Value) -> Option<String> {
    let known = found == initial || heard.iter().any(|word| word.says(found));
    (!known).then(|| "something that somebody said".to_owned())
}

/// Nobody's field: what was said last. Of two that came within the time in which each is seen, either.
fn newest(initial: &Value, heard: &[&Word<'_>], found: &Value) -> Option<String> {
    let surely = heard.iter().filter(|word| word.is_certain()).map(|word| word.edit.at).max();
    let Some(surely) = surely else { return said(initial, heard, found) };
    let may = |word: &&&Word<'_>| word.edit.at + SEEN_WITHIN >= surely;
    let fits = heard.iter().filter(may).any(|word| word.says(found));
    (!fits).then(|| "what somebody said last".to_owned())
}

/// What changed last, as far as the systems' clocks tell. A system's clock tells of the whole object.
fn latest(initial: &Value, heard: &[&Word<'_>], found: &Value) -> Option<String> {
    let surely = heard.iter().filter(|word| word.is_certain());
    let surely = surely.map(|word| clock(word, word.edit.at)).max();
    let Some(surely) = surely else { return said(initial, heard, found) };
    let may = |word: &&&Word<'_>| clock(word, word.touched) + SKEW.cast_signed() >= surely;
    let fits = heard.iter().filter(may).any(|word| word.says(found));
    (!fits).then(|| "what changed last".to_owned())
}

/// What the word's system says when it is asked for that time.
fn clock(word: &Word<'_>, at: u64) -> i64 {
    at.cast_signed() + Table::clock_off(word.edit.system)
}

/// The least, the greatest or all of what was said since the owner last said anything.
fn brought(
    rule: &Rule,
    owner: Option<usize>,
    initial: &Value,
    heard: &[&Word<'_>],
    found: &Value,
) -> Option<String> {
    let owners = heard.iter().filter(|word| Some(word.edit.system) == owner);
    let certain = owners.clone().filter(|word| word.is_certain()).map(|word| word.edit.at).max();
    let mut bases: Vec<(u64, &Value)> = owners
        .filter(|word| certain.is_none_or(|certain| word.edit.at >= certain))
        .map(|word| (word.edit.at, &word.edit.value))
        .collect();
    if certain.is_none() {
        bases.push((0, initial));
    }
    let others: Vec<&&Word<'_>> = heard.iter().filter(|word| Some(word.edit.system) != owner).collect();
    let fits = bases.iter().any(|(since, base)| {
        let may = others.iter().filter(|word| word.edit.at + SEEN_WITHIN >= *since);
        let must = others.iter().filter(|word| word.is_certain() && word.edit.at >= since + SEEN_WITHIN);
        let may: Vec<&Value> = may.map(|word| &word.edit.value).collect();
        let must: Vec<&Value> = must.map(|word| &word.edit.value).collect();
        between(rule, base, &must, &may, found)
    });
    (!fits).then(|| format!("the {} of what was said", rule.policy.name()))
}

/// Whether a value is what a base and all of `must` and some of `may` come to.
fn between(rule: &Rule, base: &Value, must: &[&Value], may: &[&Value], found: &Value) -> bool {
    if rule.policy == OnConflict::Union {
        let has = |set: &Value, item: &Value| set.as_array().is_some_and(|set| set.contains(item));
        let all = |value: &Value, is: &dyn Fn(&Value) -> bool| {
            value.as_array().is_some_and(|items| items.iter().all(is))
        };
        return all(base, &|item| has(found, item))
            && must.iter().all(|value| all(value, &|item| has(found, item)))
            && all(found, &|item| has(base, item) || may.iter().any(|value| has(value, item)));
    }
    let beyond = |one: &Value, other: &Value| {
        let order = compare(rule.kind, one, other);
        if rule.policy == OnConflict::Min { order == Ordering::Less } else { order == Ordering::Greater }
    };
    let is_one = found == base || may.contains(&found);
    is_one && !beyond(base, found) && must.iter().all(|value| !beyond(value, found))
}

/// How two values stand to each other.
fn compare(kind: Kind, one: &Value, other: &Value) -> Ordering {
    match kind {
        Kind::Integer => one.as_i64().cmp(&other.as_i64()),
        Kind::Decimal => {
            let number = |value: &Value| value.as_str().and_then(|text| text.parse::<f64>().ok());
            number(one).partial_cmp(&number(other)).unwrap_or(Ordering::Equal)
        }
        Kind::Text | Kind::Set | Kind::Date | Kind::State => one.as_str().cmp(&other.as_str()),
    }
}
