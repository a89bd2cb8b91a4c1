//! The judgement of what there is at all: exactly one object where there must be one, none where there must be none, one
//! record for all of them with the same values, and a decision about each deletion that was refused.

use canonical::{Alive, System};
use intake::DecisionKind;
use serde_json::Value;
use store::browse::{Look, MessageFilter, Page, RecordSheet};

use super::deeds::Act;
use super::oracle::{Ending, Round, There};
use super::{Done, Existence, THINGS, key};
use crate::Violation;
use crate::driver::{START, Simulation};
use crate::estate::system;

use super::super::table::SYSTEMS;

type Found = (&'static str, String);

impl Simulation {
    /// What does not hold in the end.
    pub(super) fn judge_existence(&mut self) -> Option<Violation> {
        let shared = self.shared.take()?;
        let found = shared.existence.as_ref().and_then(|existence| {
            let thing = |thing| self.judge_thing(existence, thing).map(|found| (found, key(thing)));
            let unrest = || self.restless().map(|found| (found, String::new()));
            (0..THINGS).find_map(thing).or_else(unrest)
        });
        self.shared = Some(shared);
        let ((invariant, what), about) = found?;
        Some(Violation { invariant, at: self.now, what: format!("{about}: {what}"), about })
    }

    /// Deliveries that do not end, and what waits for a person but for an object whose system may not create.
    fn restless(&self) -> Option<Found> {
        if let Some(found) = self.open_deliveries() {
            return Some(found);
        }
        let states = vec![intake::MessageState::Quarantined, intake::MessageState::Parked];
        let filter = MessageFilter { states, limit: 100, ..MessageFilter::default() };
        let Some(Page::Messages(rows)) = self.page(Look::Messages(filter)) else { return None };
        rows.iter().find_map(|(_, row)| {
            let why = row.reason.as_ref().map_or("", |reason| reason.class.as_str());
            let what = format!("a message of {} is {:?}: {why}", row.source, row.state);
            (why != "not_a_creator").then_some(("I1", what))
        })
    }

    fn judge_thing(&self, existence: &Existence, thing: usize) -> Option<Found> {
        let (rounds, endings) = existence.rounds.get(thing)?;
        let mut wrong = endings.iter().map(|ending| self.judge_ending(existence, thing, ending));
        // One of them fits, or the first tells what is wrong.
        let first = wrong.next().flatten();
        let found = first.filter(|_| wrong.all(|wrong| wrong.is_some()));
        let told = |(invariant, what)| (invariant, format!("{what}; after {rounds:?} may be {endings:?}"));
        found
            .or_else(|| self.left_behind(existence, thing))
            .or_else(|| self.unrecorded(existence, thing))
            .map(told)
    }

    /// I3: the object that a thing's own was merged into goes on as the thing's, as long as it is there.
    fn left_behind(&self, existence: &Existence, thing: usize) -> Option<Found> {
        let merged = existence
            .done
            .iter()
            .filter(|done| done.deed.thing == thing && done.deed.act == Act::Merge { into_stray: true });
        merged.into_iter().find_map(|done| {
            let name = system(SYSTEMS.get(done.deed.place)?);
            let vendor = self.targets.get(&name)?;
            let into = vendor.merged_into(done.id)?;
            let stands = vendor.objects.get(&into).is_some_and(|item| !item.gone);
            let what = || format!("{name}'s {into} goes on as {}, and stands for nothing", done.id);
            (stands && self.sheet_of(&name, into).is_none()).then(|| ("I3", what()))
        })
    }

    /// Objects that have the thing's key there.
    fn objects_of(&self, place: usize, thing: usize) -> Vec<u64> {
        let name = system(SYSTEMS.get(place).copied().unwrap_or_default());
        let objects = self.targets.get(&name).into_iter().flat_map(|vendor| &vendor.objects);
        objects.filter(|(_, item)| item.name_is(&key(thing)) && !item.gone).map(|(id, _)| *id).collect()
    }

    fn judge_ending(&self, existence: &Existence, thing: usize, ending: &Ending) -> Option<Found> {
        let mut record = None;
        for (place, name) in SYSTEMS.iter().enumerate() {
            let ids = self.objects_of(place, thing);
            match (ending.at(place), ids.as_slice()) {
                (There::Yes, []) => return Some(("I1", format!("{name} has none"))),
                (There::No, [_, ..]) => return Some(("I3", format!("{name} has one"))),
                (_, [_, _, ..]) => return Some(("I3", format!("{name} has {}", ids.len()))),
                (There::Yes | There::Either, [id]) => {
                    let Some(sheet) = self.sheet_of(&system(name), *id) else {
                        return Some(("I3", format!("{name}'s {id} stands for nothing")));
                    };
                    let id = sheet.record.id;
                    if *record.get_or_insert(id) != id {
                        return Some(("I3", format!("{name} has another record's")));
                    }
                    if (sheet.record.alive == Alive::Live) != ending.lives {
                        let what = format!("the record is {:?}", sheet.record.alive);
                        return Some((if ending.lives { "I1" } else { "I3" }, what));
                    }
                }
                (There::No | There::Either, []) => {}
            }
        }
        // What is kept of a deleted record is left alone.
        if ending.lives { self.judge_values(existence, thing) } else { None }
    }

    /// All have the same, and of the value what its owner said last.
    fn judge_values(&self, existence: &Existence, thing: usize) -> Option<Found> {
        let value = |place: usize, field: &str| {
            let id = *self.objects_of(place, thing).first()?;
            let vendor = self.targets.get(&system(SYSTEMS.get(place)?))?;
            Some(vendor.value(id, field).unwrap_or_default())
        };
        for field in ["value", "note"] {
            let values: Vec<Value> = (0..SYSTEMS.len()).filter_map(|place| value(place, field)).collect();
            if values.windows(2).any(|two| matches!(two, [one, other] if one != other)) {
                return Some(("I5", format!("{field} is {values:?}")));
            }
        }
        let owner = existence.rules.owner;
        let id = *self.objects_of(owner, thing).first()?;
        let says = |done: &&Done| {
            let says = matches!(done.deed.act, Act::Touch("value") | Act::Create);
            done.id == id && done.deed.place == owner && says
        };
        let (said, has) = (existence.done.iter().rev().find(says)?.deed.value(), value(owner, "value")?);
        (said != has).then(|| ("I5", format!("value is {has}, its owner said {said}")))
    }

    pub(in super::super) fn sheet_of(&self, name: &System, id: u64) -> Option<RecordSheet> {
        let look = Look::RecordByLink { system: name.clone(), object: None, external_id: id.to_string() };
        match self.page(look) {
            Some(Page::Record(sheet)) => sheet.map(|sheet| *sheet),
            _ => None,
        }
    }

    /// I5: each deletion that does not count has a decision, and each merge that took an object that stood for it.
    fn unrecorded(&self, existence: &Existence, thing: usize) -> Option<Found> {
        let (rounds, _) = existence.rounds.get(thing)?;
        let sheet = (0..SYSTEMS.len()).find_map(|place| {
            let name = system(SYSTEMS.get(place)?);
            self.objects_of(place, thing).first().and_then(|id| self.sheet_of(&name, *id))
        })?;
        let missing = existence.done.iter().find(|done| {
            let (place, at) = (done.deed.place, START.0 + done.at.cast_signed());
            let wanted = match done.deed.act {
                Act::DeleteFirst => DecisionKind::Rejected,
                Act::Delete if !existence.rules.ends_record(place) => DecisionKind::Rejected,
                Act::Merge { into_stray: true } => DecisionKind::Repointed,
                _ => return false,
            };
            let name = SYSTEMS.get(place).copied().unwrap_or_default();
            let of_it = done.deed.thing == thing && sheet.record.created_at.micros() <= at;
            of_it
                && !sheet.decisions.iter().any(|made| {
                    made.kind == wanted
                        && made.field.is_none()
                        && made.system.as_str() == name
                        && made.at.micros() >= at
                })
        })?;
        // Of two deletions in the same moment the one that counts may come first: then there is nothing to refuse. And an object
        // that is there again right after may never be seen to be gone.
        let unseen = |round: &Round| matches!(round, Round::DeleteBoth(..) | Round::Flicker(_));
        if rounds.iter().any(unseen) {
            return None;
        }
        let name = SYSTEMS.get(missing.deed.place).copied().unwrap_or_default();
        Some(("I5", format!("no decision about {:?} at {name} at {}", missing.deed.act, missing.at)))
    }
}
