//! The judgement of records that are one: exactly as many records as there should be, each with the objects that stand for
//! it and no others; each field what its owner has, everywhere; nothing that nobody was told of.

use canonical::{Alive, OnConflict, RecordId, System};
use intake::DecisionKind;
use ledger::{Action, JobState};
use serde_json::Value;
use store::browse::{Look, Page, RecordFilter, RecordSheet};

use super::super::history::alike;
use super::super::table::{Kind, Rule, SYSTEMS, Table};
use super::deeds::Act;
use super::{Done, Merging, PAIRS, Pair};
use crate::Violation;
use crate::driver::{START, Simulation};
use crate::estate::system;

type Found = (&'static str, String);

/// A record, and the object that speaks for each system.
struct Case<'a> {
    table: &'a Table,
    merging: &'a Merging,
    number: usize,
    sheet: &'a RecordSheet,
    objects: [u64; 3],
}

impl Simulation {
    /// What does not hold in the end.
    pub(super) fn judge_merging(&mut self) -> Option<Violation> {
        let shared = self.shared.take()?;
        let found = shared.merging.as_ref().and_then(|merging| {
            let pair = |number| {
                let found = self.judge_pair(&shared.table, merging, number);
                found.map(|found| (found, format!("pair-{number}")))
            };
            let whole = || self.judge_all(merging).map(|found| (found, String::new()));
            (0..PAIRS).find_map(pair).or_else(whole)
        });
        self.shared = Some(shared);
        let ((invariant, what), about) = found?;
        Some(Violation { invariant, at: self.now, what: format!("{about}: {what}"), about })
    }

    /// How many records and objects there are, what is open, and what waits.
    fn judge_all(&self, merging: &Merging) -> Option<Found> {
        if let Some(found) = self.open_deliveries() {
            return Some(found);
        }
        let waits = self.quarantined_by(merging);
        waits.or_else(|| {
            let standing = |place: usize| -> usize {
                let of = |pair: &Pair| if pair.ending.has_both(place) { 2 } else { 1 };
                merging.pairs.iter().map(of).sum()
            };
            SYSTEMS.iter().enumerate().find_map(|(place, name)| {
                let vendor = self.targets.get(&system(name))?;
                let there = vendor.objects.values().filter(|item| !item.gone).count();
                let wanted = standing(place);
                (there != wanted).then(|| ("I3", format!("{name} has {there} objects instead of {wanted}")))
            })
        })
    }

    /// A message that waits for a person in vain: all but those of objects of which there are still two.
    fn quarantined_by(&self, merging: &Merging) -> Option<Found> {
        let second = |message: &intake::Message| {
            let class = message.reason.as_ref().map(|reason| reason.class.as_str());
            let Some(about) = &message.about else { return false };
            class == Some("duplicate_there")
                && merging.pairs.iter().any(|pair| {
                    let place = SYSTEMS.iter().position(|name| *name == about.system.as_str());
                    let Some(place) = place.filter(|place| pair.ending.one && pair.ending.has_both(*place))
                    else {
                        return false;
                    };
                    pair.objects
                        .get(place)
                        .is_some_and(|both| both.iter().any(|id| id.to_string() == about.id))
                })
        };
        let waiting = self.quarantined_of_pairs();
        let message = waiting.iter().find(|message| !second(message))?;
        let why = message.reason.as_ref().map_or("", |reason| reason.message.as_str());
        let since = message.received_at.micros() - START.0;
        Some(("I1", format!("a message of {} of {since} waits for a person: {why}", message.source)))
    }

    fn records(&self) -> Vec<RecordId> {
        match self.page(Look::Records(RecordFilter { limit: 1_000, ..RecordFilter::default() })) {
            Some(Page::Records(rows, _)) => rows.into_iter().map(|(record, _)| record.id).collect(),
            _ => Vec::new(),
        }
    }

    fn judge_pair(&self, table: &Table, merging: &Merging, number: usize) -> Option<Found> {
        let records = self.records();
        let known: Vec<RecordId> = merging.pairs.iter().flat_map(|pair| pair.records).flatten().collect();
        if let Some(other) = records.iter().find(|id| !known.contains(id)) {
            return Some(("I3", format!("{other} is a record of nothing: {} there are", records.len())));
        }
        let pair = merging.pairs.get(number)?;
        let sheets = pair.records.map(|id| match self.page(Look::Record(id?)) {
            Some(Page::Record(sheet)) => sheet,
            _ => None,
        });
        let [Some(one), Some(other)] = sheets else {
            return Some(("I1", "one of them is not known".to_owned()));
        };
        let sheets = [&*one, &*other];
        let lives = |sheet: &RecordSheet| sheet.record.alive == Alive::Live;
        let stays: Vec<usize> =
            (0..2).filter(|side| sheets.get(*side).is_some_and(|sheet| lives(sheet))).collect();
        let wanted = if pair.ending.one { 1 } else { 2 };
        let as_said = pair.ending.stays.is_none_or(|side| !pair.ending.one || stays == [side]);
        if stays.len() != wanted || !as_said {
            let alive = sheets.map(|sheet| format!("{:?}", sheet.record.alive));
            return Some(("I1", format!("{alive:?} after {:?}", pair.rounds)));
        }
        stays.iter().find_map(|side| {
            let sheet = sheets.get(*side)?;
            let speaks = |place: usize| {
                let speaks = if pair.ending.one { pair.ending.speaks(place, *side) } else { *side };
                pair.objects.get(place).and_then(|both| both.get(speaks)).copied().unwrap_or(0)
            };
            let objects = [0, 1, 2].map(speaks);
            let case = Case { table, merging, number, sheet, objects };
            let told =
                |(invariant, what)| (invariant, format!("side {side}: {what}; after {:?}", pair.rounds));
            self.judge_case(&case).map(told)
        })
    }

    fn judge_case(&self, case: &Case<'_>) -> Option<Found> {
        let key = Rule {
            field: "key",
            kind: Kind::Text,
            owner: Some(case.table.creator),
            policy: OnConflict::Reject,
            owners: Vec::new(),
            heard: [true; 3],
        };
        self.judge_links(case)
            .or_else(|| case.table.rules.iter().chain([&key]).find_map(|rule| self.judge_value(case, rule)))
            .or_else(|| self.judge_seconds(case))
            .or_else(|| self.judge_told(case))
    }

    /// Each system's object stands for it; what is gone stands for nothing.
    fn judge_links(&self, case: &Case<'_>) -> Option<Found> {
        let pair = case.merging.pairs.get(case.number)?;
        SYSTEMS.iter().enumerate().find_map(|(place, name)| {
            let (name, own) = (system(name), case.objects.get(place)?.to_string());
            let linked: Vec<&str> = case
                .sheet
                .links
                .iter()
                .filter(|link| link.system == name)
                .map(|link| link.external_id.as_str())
                .collect();
            if linked != [own.as_str()] {
                return Some(("I3", format!("{linked:?} of {name} stand for it instead of {own}")));
            }
            let gone = |id: &&u64| {
                let vendor = self.targets.get(&name);
                vendor.and_then(|vendor| vendor.objects.get(*id)).is_some_and(|item| item.gone)
            };
            let both = pair.objects.get(place)?;
            let left = both.iter().filter(gone).find(|id| self.sheet_of(&name, **id).is_some())?;
            Some(("I3", format!("{name}'s {left} is gone and stands for a record still")))
        })
    }

    /// I5: the record and every object that speaks have what the owner's object has, which is no one's word but its people's.
    fn judge_value(&self, case: &Case<'_>, rule: &Rule) -> Option<Found> {
        let field = rule.field;
        let value = |place: usize| {
            let vendor = self.targets.get(&system(SYSTEMS.get(place)?))?;
            vendor.value(*case.objects.get(place)?, field)
        };
        let found = case.sheet.record.fields.get(field).cloned().unwrap_or_default();
        if let Some(owner) = rule.owner {
            let wanted = value(owner).unwrap_or_default();
            if !alike(owner, field, &wanted, &found) {
                let owner = SYSTEMS.get(owner).copied().unwrap_or_default();
                return Some(("I5", format!("{field} is {found}, and {owner}'s own {wanted}")));
            }
        } else if !case.was_said(field, &found) {
            return Some(("I6", format!("{field} is {found}, which nobody said")));
        }
        let differs = |place: &usize| {
            let there = value(*place).unwrap_or_default();
            !alike(*place, field, &there, &found) && !case.is_left_alone(rule, *place, &there)
        };
        if let Some(place) = (0..SYSTEMS.len()).find(differs) {
            let (name, there) = (SYSTEMS.get(place).copied().unwrap_or_default(), value(place));
            return Some(("I5", format!("{field} is {there:?} at {name}, and {found} in the record")));
        }
        self.judge_writes(case, rule)
    }

    /// I5: no write carries a field to its owner. I6: nothing is written more often than people edit and merge.
    fn judge_writes(&self, case: &Case<'_>, rule: &Rule) -> Option<Found> {
        let pair = case.merging.pairs.get(case.number)?;
        let (mut writes, mut mishaps) = (0, 0);
        for (place, name) in SYSTEMS.iter().enumerate() {
            let Some(vendor) = self.targets.get(&system(name)) else { continue };
            let both = pair.objects.get(place)?;
            let here = vendor.effects.iter().filter(|effect| {
                both.contains(&effect.id) && !effect.created && effect.fields.contains_key(rule.field)
            });
            let here = here.count() as u64;
            if here > 0 && rule.owner == Some(place) {
                return Some(("I5", format!("{} is written to {name}, its owner", rule.field)));
            }
            writes += here;
            mishaps += vendor.mishaps;
        }
        let of_it = |done: &&Done| {
            let counts = match &done.deed.act {
                Act::Edit { field, .. } => *field == rule.field,
                Act::Merge { .. } | Act::Ask(_) => true,
            };
            done.deed.pair == case.number && counts
        };
        // What happens at a vendor is followed by what Ann does.
        let deeds = 2 * case.merging.done.iter().filter(of_it).count() as u64;
        let most = deeds * SYSTEMS.len() as u64 + mishaps;
        let what = || format!("{writes} writes of {} for {deeds} deeds, {mishaps} in doubt", rule.field);
        (writes > most).then(|| ("I6", what()))
    }

    /// A second object is left alone from when the records are one until something is done about it.
    fn judge_seconds(&self, case: &Case<'_>) -> Option<Found> {
        let pair = case.merging.pairs.get(case.number)?;
        let done = |action: Action| {
            let of_it = move |job: &ledger::Job| {
                let wanted = job.action == action && job.state == JobState::Done;
                wanted
                    && job.reshape.as_ref().is_some_and(|reshape| pair.records.contains(&Some(reshape.gone)))
            };
            self.jobs().into_iter().filter(of_it).filter_map(|job| job.ended_at)
        };
        let time = |wall: canonical::Wall| u64::try_from(wall.micros() - START.0).unwrap_or(0);
        let merged: Vec<u64> = done(Action::Merge).map(time).collect();
        let mut ends: Vec<u64> = done(Action::Split).map(time).collect();
        ends.push(u64::MAX);
        SYSTEMS.iter().enumerate().find_map(|(place, name)| {
            let vendor = self.targets.get(&system(name))?;
            let over = |deed: &&Done| {
                let there = matches!(&deed.deed.act, Act::Merge { place: at, .. } if *at == place);
                there && deed.deed.pair == case.number
            };
            let over: Vec<u64> = case.merging.done.iter().filter(over).map(|done| done.at).collect();
            let own = *case.objects.get(place)?;
            let second = pair.objects.get(place)?.iter().find(|id| **id != own)?;
            // Which of the two it was before is known where nothing else was done there.
            let calm = over.is_empty() && merged.len() == 1;
            let (from, until) = (*merged.first()?, *ends.iter().min()?);
            let written = vendor.effects.iter().find(|effect| {
                calm && pair.ending.one && effect.id == *second && effect.at > from && effect.at < until
            })?;
            Some(("I5", format!("{name}'s {second} is a second one, and is written at {}", written.at)))
        })
    }

    /// I5: whatever became one, or two again, is recorded.
    fn judge_told(&self, case: &Case<'_>) -> Option<Found> {
        let missing = case.merging.done.iter().filter(|done| done.deed.pair == case.number).find(|done| {
            let since = START.0 + done.at.cast_signed();
            let recorded = |kind: DecisionKind, at: Option<&System>| {
                case.sheet.decisions.iter().any(|made| {
                    let there = at.is_none_or(|at| made.system == *at);
                    made.kind == kind && made.field.is_none() && there && made.at.micros() >= since
                })
            };
            match &done.deed.act {
                Act::Edit { .. } => false,
                Act::Merge { place, .. } => {
                    let name = SYSTEMS.get(*place).map(|name| system(name));
                    // Where nothing is left at the vendor to be written to, the records' own merge tells of it.
                    let repointed = recorded(DecisionKind::Repointed, name.as_ref());
                    !repointed && !recorded(DecisionKind::Absorbed, None)
                }
                Act::Ask(wish) if wish.action == Action::Split => !recorded(DecisionKind::Split, None),
                Act::Ask(_) => !recorded(DecisionKind::Absorbed, None),
            }
        })?;
        Some(("I5", format!("no decision about {:?}", missing.deed)))
    }
}

impl Case<'_> {
    /// Edits of a field of the pair.
    fn edits<'a>(&'a self, field: &'a str) -> impl Iterator<Item = (usize, u64, &'a Value)> {
        let pair = self.merging.pairs.get(self.number);
        self.merging.done.iter().filter_map(move |done| match &done.deed.act {
            Act::Edit { place, side, field: edited, value }
                if done.deed.pair == self.number && *edited == field =>
            {
                Some((*place, *pair?.objects.get(*place)?.get(*side)?, value))
            }
            _ => None,
        })
    }

    /// Whether anybody said it, or one of the two was made with it.
    fn was_said(&self, field: &str, value: &Value) -> bool {
        let made = (0..2).filter_map(|side| {
            let rule = self.table.rules.iter().find(|rule| rule.field == field)?;
            Some(rule.kind.value(5 + super::number(self.number, side) as u64))
        });
        let mut said =
            self.edits(field).map(|(place, _, said)| (place, said.clone())).chain(made.map(|made| (0, made)));
        said.any(|(place, said)| alike(place, field, &said, value))
    }

    /// An edit that is refused and left alone, or never heard.
    fn is_left_alone(&self, rule: &Rule, place: usize, there: &Value) -> bool {
        let own = self.objects.get(place).copied();
        let last = self.edits(rule.field).filter(|(at, id, _)| *at == place && Some(*id) == own).last();
        let is_it = last.is_some_and(|(_, _, value)| alike(place, rule.field, value, there));
        is_it && (rule.policy == OnConflict::Reject && rule.is_foreign(place) || !rule.hears(place))
    }
}
