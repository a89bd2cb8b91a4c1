//! The judgement of three systems: the record and every system are as the table says, each violation is recorded, none is
//! that nobody committed, and no field was written more often than people edited.

use std::collections::BTreeSet;

use canonical::{Fact, OnConflict, System};
use intake::{Decision, DecisionKind};
use ledger::State;
use serde_json::Value;

use store::browse::{DeliveryFilter, Look, MessageFilter, Page, RecordSheet};

use super::Shared;
use super::history::{Edit, RECORDS, alike, initial, key};
use super::moving::Tenure;
use super::oracle::{Word, wrong};
use super::table::{Rule, STATE, SYSTEMS};
use crate::Violation;
use crate::driver::{START, Simulation};
use crate::estate::system;
use crate::vendor::{Item, Vendor};

/// One field of one record, with all that is known of it.
struct Case<'a> {
    rule: &'a Rule,
    record: usize,
    words: Vec<Word<'a>>,
    sheet: &'a RecordSheet,
    /// Where the owner moves: who owned it when.
    tenure: Option<Tenure>,
}

impl Simulation {
    /// What does not hold in the end.
    pub(super) fn judge_shared(&mut self) -> Option<Violation> {
        let shared = self.shared.take()?;
        let found = self
            .unrest()
            .or_else(|| (0..RECORDS).find_map(|record| self.judge_shared_record(&shared, record)));
        self.shared = Some(shared);
        let (invariant, what) = found?;
        // `FIELD of KEY (…): …`
        let about = what.split(" (").next().unwrap_or_default().to_owned();
        Some(Violation { invariant, at: self.now, what, about })
    }

    /// What did not come to rest.
    fn unrest(&self) -> Option<(&'static str, String)> {
        if let Some(found) = self.open_deliveries() {
            return Some(found);
        }
        let states = vec![intake::MessageState::Quarantined, intake::MessageState::Parked];
        let filter = MessageFilter { states, limit: 10, ..MessageFilter::default() };
        let Some(Page::Messages(rows)) = self.page(Look::Messages(filter)) else { return None };
        rows.first().map(|(_, row)| {
            let why = row.reason.as_ref().map_or("", |reason| reason.message.as_str());
            ("I1", format!("a message of {} is {:?}: {why}", row.source, row.state))
        })
    }

    /// A delivery that has not come to its end.
    pub(super) fn open_deliveries(&self) -> Option<(&'static str, String)> {
        let states = vec![State::Pending, State::Retrying, State::Parked, State::Uncertain, State::Dead];
        let open = DeliveryFilter { states, limit: 10, ..DeliveryFilter::default() };
        let Some(Page::Deliveries(rows)) = self.page(Look::Deliveries(open)) else { return None };
        rows.first().map(|(_, row)| {
            let why = row.reason.as_ref().map_or("", |reason| reason.message.as_str());
            ("I1", format!("a delivery to {} is {}: {why}", row.system, row.state.name()))
        })
    }

    fn judge_shared_record(&self, shared: &Shared, record: usize) -> Option<(&'static str, String)> {
        let look = || {
            let name = system(SYSTEMS.get(shared.table.creator)?);
            let id = self.targets.get(&name)?.object_of(&key(record))?;
            self.page(Look::RecordByLink { system: name, object: None, external_id: id.to_string() })
        };
        let Some(Page::Record(Some(sheet))) = look() else {
            return Some(("I1", format!("{} is not known", key(record))));
        };
        let words_on = |field: &str| -> Vec<Word<'_>> {
            let of_it = |edit: &&Edit| edit.record == record && edit.field == field;
            shared.edits.iter().filter(of_it).map(|edit| self.word(edit)).collect()
        };
        let states = words_on(STATE);
        shared.table.rules.iter().find_map(|rule| {
            let tenure = Tenure::of(&shared.table, rule, &states);
            let owner = tenure.as_ref().map_or(rule.owner, |tenure| Some(tenure.last().1));
            let rule = &Rule { owner, ..rule.clone() };
            let case = Case { rule, record, words: words_on(rule.field), sheet: &sheet, tenure };
            self.judge_field(&case).map(|(invariant, what)| {
                let owner = rule.owner.and_then(|owner| SYSTEMS.get(owner)).copied().unwrap_or("nobody");
                let about = format!("{} of {} ({owner}'s, {})", rule.field, key(record), rule.policy.name());
                (invariant, format!("{about}: {what}"))
            })
        })
    }

    /// An edit, and how long it stood.
    fn word<'a>(&self, edit: &'a Edit) -> Word<'a> {
        let name = system(SYSTEMS.get(edit.system).copied().unwrap_or_default());
        let vendor = self.targets.get(&name);
        let id = vendor.and_then(|vendor| vendor.object_of(&key(edit.record)));
        let past = vendor.zip(id).and_then(|(vendor, id)| vendor.past.get(&id));
        let mut word = Word { edit, stood_until: None, touched: edit.at, changes: 0 };
        for item in past.into_iter().flatten().filter(|item| item.changed >= edit.at) {
            let value = item.fields.get(edit.field).unwrap_or(&Value::Null);
            if item.changed > edit.at && !alike(edit.system, edit.field, value, &edit.value) {
                word.stood_until = Some(item.changed);
                break;
            }
            word.changes += u64::from(item.changed > edit.at);
            word.touched = item.changed;
        }
        word
    }

    fn judge_field(&self, case: &Case<'_>) -> Option<(&'static str, String)> {
        let first = initial(case.rule);
        let found = case.sheet.record.fields.get(case.rule.field).cloned().unwrap_or_default();
        let wanted = match &case.tenure {
            Some(tenure) => tenure.wrong(case.rule, &case.words, self.past_at(case, tenure.last().1), &found),
            None => wrong(case.rule, &first, &case.words, &found),
        };
        if let Some(wanted) = wanted {
            return Some(("I5", format!("the record has {found} instead of {wanted}")));
        }
        (0..SYSTEMS.len())
            .find_map(|place| {
                let name = system(SYSTEMS.get(place)?);
                let vendor = self.targets.get(&name)?;
                case.stands(place, vendor, &found)
                    .or_else(|| case.recorded(place, &name))
                    .or_else(|| case.unfounded(place, &name, vendor.mishaps))
            })
            .or_else(|| self.ping_pong(case))
    }

    /// How the record's object in a system stood.
    fn past_at(&self, case: &Case<'_>, place: usize) -> &[Item] {
        let vendor = SYSTEMS.get(place).and_then(|name| self.targets.get(&system(name)));
        let past = vendor.and_then(|vendor| vendor.past.get(&vendor.object_of(&key(case.record))?));
        past.map_or(&[], Vec::as_slice)
    }

    /// Writes per field: at most one per edit and other system, one more for each edit that is put right or crossed a write,
    /// and what was sent again because an answer did not come.
    fn ping_pong(&self, case: &Case<'_>) -> Option<(&'static str, String)> {
        let (mut writes, mut mishaps) = (0, 0);
        for name in SYSTEMS {
            let Some(vendor) = self.targets.get(&system(name)) else { continue };
            let id = vendor.object_of(&key(case.record));
            let of_it = vendor.effects.iter().filter(|effect| Some(effect.id) == id && !effect.created);
            writes += of_it.filter(|effect| effect.fields.contains_key(case.rule.field)).count() as u64;
            mishaps += vendor.mishaps;
        }
        // Whom it moves to is asked, and what is heard there is told to all.
        let edits = case.words.len() as u64 + case.tenure.as_ref().map_or(0, Tenure::moves);
        let most = edits * SYSTEMS.len() as u64 + mishaps;
        (writes > most).then(|| ("I6", format!("{writes} writes for {edits} edits, {mishaps} in doubt")))
    }
}

impl Case<'_> {
    /// What stands in a system in the end.
    fn stands(&self, place: usize, vendor: &Vendor, found: &Value) -> Option<(&'static str, String)> {
        let id = vendor.object_of(&key(self.record))?;
        let value = vendor.value(id, self.rule.field).unwrap_or_default();
        if alike(place, self.rule.field, &value, found) {
            return None;
        }
        let name = SYSTEMS.get(place).copied().unwrap_or_default();
        let last = self.words.iter().rev().find(|word| word.edit.system == place);
        let last = last.filter(|word| word.edit.value == value);
        let own = last.is_some();
        let keeps = self.rule.policy == OnConflict::Reject && self.rule.is_foreign(place)
            || !self.rule.hears(place)
            || self.decisions(name).any(|decision| decision.kind == DecisionKind::Frozen)
            // Nothing of it is said anywhere until that is settled.
            || self.sheet.record.open.keys().any(|field| field.as_str() == self.rule.field);
        // An edit of which nothing was made was taken for an echo.
        let unheard = last.is_some_and(|word| {
            let since = START.0 + word.edit.at.cast_signed();
            !self.decisions(name).any(|decision| decision.at.micros() >= since)
        });
        let invariant = if unheard { "I6" } else { "I5" };
        (!(own && keeps)).then(|| (invariant, format!("{name} has {value} in the end, the record {found}")))
    }

    /// Decisions about the field and what a system said of it.
    fn decisions(&self, name: &str) -> impl Iterator<Item = &Decision> {
        self.sheet.decisions.iter().filter(move |decision| {
            let about = decision.field.as_ref().is_some_and(|field| field.as_str() == self.rule.field);
            let of_edit = !matches!(
                decision.kind,
                DecisionKind::Accepted
                    | DecisionKind::Declined
                    | DecisionKind::Settled
                    | DecisionKind::Edited
                    | DecisionKind::Moved
            );
            about && of_edit && decision.system.as_str() == name
        })
    }

    /// I5: who edited what is not its own, and was seen, has a decision.
    fn recorded(&self, place: usize, name: &System) -> Option<(&'static str, String)> {
        let policy = self.rule.policy;
        let refuses = matches!(policy, OnConflict::Reject | OnConflict::Revert | OnConflict::Propose);
        let foreign = |word: &&Word<'_>| match &self.tenure {
            Some(tenure) => tenure.is_foreign(word),
            None => self.rule.is_foreign(place),
        };
        if !refuses || !self.rule.hears(place) {
            return None;
        }
        let others = self.words.iter().filter(|word| word.edit.system != place);
        let mut agreed: Vec<Value> = others.map(|word| word.edit.value.clone()).collect();
        agreed.push(initial(self.rule));
        if policy == OnConflict::Propose {
            // What was taken once is the record's, until something else is.
            agreed.extend(self.words.iter().enumerate().filter_map(|(place, word)| {
                let before = self.words.iter().take(place).any(|before| before.edit.value == word.edit.value);
                before.then(|| word.edit.value.clone())
            }));
        }
        if self.tenure.is_some() {
            // What it said as its owner may be the record's still.
            agreed
                .extend(self.words.iter().filter(|word| !foreign(word)).map(|word| word.edit.value.clone()));
        }
        let mine = self.words.iter().filter(|word| word.edit.system == place && word.is_certain());
        let mine = mine.filter(foreign);
        let differs = |word: &&Word<'_>| {
            !agreed.iter().any(|value| alike(place, self.rule.field, value, &word.edit.value))
        };
        let missing = mine.filter(differs).find(|word| {
            let since = START.0 + self.first_said(word).cast_signed();
            !self.decisions(name.as_str()).any(|decision| decision.at.micros() >= since)
        })?;
        let (at, value) = (missing.edit.at, &missing.edit.value);
        Some(("I5", format!("no decision about {value}, which {name} says since {at}")))
    }

    /// Since when it may have been seen that its system says that: since the edit, or, where something else stood there for too
    /// short a time to be surely seen, since the one before that said the same.
    fn first_said(&self, word: &Word<'_>) -> u64 {
        let mut since = word.edit.at;
        let mine = |other: &&Word<'_>| other.edit.system == word.edit.system && other.edit.at < word.edit.at;
        for before in self.words.iter().filter(mine).rev() {
            if before.says(&word.edit.value) {
                since = before.edit.at;
            }
            if before.is_certain() {
                break;
            }
        }
        since
    }

    /// How often an object changed in something else while what was edited there stood.
    fn seen_again(&self, place: usize) -> u64 {
        self.words.iter().filter(|word| word.edit.system == place).map(|word| word.changes).sum()
    }

    /// I6: nobody decides about an edit that nobody made, and no value comes from where nobody edited.
    fn unfounded(&self, place: usize, name: &System, mishaps: u64) -> Option<(&'static str, String)> {
        let edits = self.words.iter().filter(|word| word.edit.system == place);
        let edits = edits.filter(|_| self.rule.hears(place)).count();
        let kinds: BTreeSet<&str> =
            self.decisions(name.as_str()).map(|decision| decision.kind.name()).collect();
        // Two things may be said of one edit, and it may be seen once more while a write of ours is on its way there.
        let decided = self.decisions(name.as_str()).count();
        let moves = self.tenure.as_ref().map_or(0, Tenure::moves);
        // Where a write is in doubt or waits for long, it is so with each further change of the object.
        let doubts = self.tenure.as_ref().map_or(0, |_| mishaps.min(edits as u64));
        let again = doubts.max(self.seen_again(place));
        if decided as u64 > 2 * edits as u64 + moves + again {
            let what = format!("{decided} decisions ({kinds:?}) about {edits} edits at {name}");
            return Some(("I6", what));
        }
        // Nor is a value taken from there that nobody wrote. What an owner takes of a proposal it says, too.
        let asked = self.rule.policy == OnConflict::Propose && !self.rule.is_foreign(place);
        let says = |fact: &&Fact| fact.source == *name && fact.data.contains_key(self.rule.field);
        let taken = self.sheet.facts.iter().filter(|fact| fact.version > 1).filter(says).count();
        // Whom a field moves to is asked what it has: that may be what it was told under its former owner.
        (taken > edits + usize::try_from(moves).unwrap_or(0) && !asked)
            .then(|| ("I6", format!("{taken} values are taken from {name}, where {edits} edits were made")))
    }
}
