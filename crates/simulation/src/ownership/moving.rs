//! Fields whose owner depends on the record's own state: who owned one when, and what it may be in the end.

use serde_json::Value;

use super::history::{alike, initial};
use super::oracle::{SEEN_WITHIN, Word};
use super::table::{Rule, STATE, Table};
use crate::vendor::Item;

/// Who owned a field, and since when, by the state that its owner said. The hub hears of each within the time in which
/// anything is seen: in between nobody can know who it takes for the owner.
#[derive(Clone, Debug)]
pub(super) struct Tenure(Vec<(u64, usize)>);

impl Tenure {
    /// Of a field whose owner moves, by all that was said of the record's state.
    pub(super) fn of(table: &Table, rule: &Rule, states: &[Word<'_>]) -> Option<Self> {
        let governs = table.rules.iter().find(|rule| rule.field == STATE)?;
        let fixed = rule.owner.filter(|_| !rule.owners.is_empty())?;
        let owner = |state: &Value| {
            let mut owners = rule.owners.iter().filter(|(named, _)| state.as_str() == Some(named));
            owners.next().map_or(fixed, |(_, owner)| *owner)
        };
        let mut out = vec![(0, owner(&initial(governs)))];
        for word in states.iter().filter(|word| Some(word.edit.system) == governs.owner) {
            let now = owner(&word.edit.value);
            if out.last().is_none_or(|(_, last)| *last != now) {
                out.push((word.edit.at, now));
            }
        }
        Some(Self(out))
    }

    /// How often it moved.
    pub(super) fn moves(&self) -> u64 {
        self.0.len() as u64 - 1
    }

    /// Since when it has had the owner that it has.
    pub(super) fn last(&self) -> (u64, usize) {
        self.0.last().copied().unwrap_or_default()
    }

    /// Whether a system owned it at some time between two.
    fn owned(&self, system: usize, from: u64, until: u64) -> bool {
        let ends = self.0.iter().skip(1).map(|(at, _)| *at).chain([u64::MAX]);
        let mut spans = self.0.iter().zip(ends);
        spans.any(|((since, owner), end)| *owner == system && *since <= until && end >= from)
    }

    /// Whether an edit is surely one by somebody who did not own it.
    pub(super) fn is_foreign(&self, word: &Word<'_>) -> bool {
        let at = word.edit.at;
        !self.owned(word.edit.system, at.saturating_sub(SEEN_WITHIN), at + SEEN_WITHIN)
    }

    /// What counts in the end is what its owner said last since the hub surely takes it for the owner; if that is nothing,
    /// what stood there by then: it was asked for it. `past`: how the object there stood.
    pub(super) fn wrong(
        &self,
        rule: &Rule,
        words: &[Word<'_>],
        past: &[Item],
        found: &Value,
    ) -> Option<String> {
        let (since, owner) = self.last();
        let surely = since + SEEN_WITHIN;
        let said = words.iter().rev().find(|word| word.edit.system == owner && word.edit.at >= surely);
        let stood = past.iter().rev().find(|item| item.changed <= surely);
        let stood = stood.and_then(|item| item.fields.get(rule.field));
        let wanted = said.map(|word| &word.edit.value).or(stood)?;
        if !alike(owner, rule.field, wanted, found) {
            return Some(format!("{wanted}, the last owner's"));
        }
        // Whoever said it owned it at some time while it stood there.
        let counted = |word: &Word<'_>| {
            let until = word.stood_until.map_or(u64::MAX, |until| until + SEEN_WITHIN);
            // What it was told under its former owner it has in its own spelling.
            alike(owner, rule.field, found, &word.edit.value)
                && self.owned(word.edit.system, word.edit.at.saturating_sub(SEEN_WITHIN), until)
        };
        let known = alike(owner, rule.field, found, &initial(rule)) || words.iter().any(counted);
        (!known).then(|| "something that an owner said".to_owned())
    }
}
