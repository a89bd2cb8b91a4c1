//! What people do in each round, and how it is told.

use std::collections::BTreeMap;

use ledger::Action;
use serde_json::{Value, json};

use super::super::history::{CALM, alike, key};
use super::super::table::{Dice, SYSTEMS, Table};
use super::ann::Wish;
use super::oracle::Round;
use super::{Done, PAIRS, Pair, ROUND, number};
use crate::driver::Simulation;
use crate::estate::system;

/// What is done in the same moment is done within so many microseconds.
const MOMENT: u64 = 1_500_000;

/// What somebody does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Act {
    /// A field of one's object is edited.
    Edit { place: usize, side: usize, field: &'static str, value: Value },
    /// One's object is the other's from now on.
    Merge { place: usize, lost: usize },
    /// Ann is told that one is the other, or is not.
    Ask(Wish),
}

/// Something that will be done.
#[derive(Clone, Debug)]
pub(super) struct Deed {
    pub(super) at: u64,
    pub(super) pair: usize,
    pub(super) act: Act,
}

/// All that people will do.
pub(super) fn plan(table: &Table, pairs: &[Pair], dice: &mut Dice) -> Vec<Deed> {
    let mut out = Vec::new();
    for (pair, of) in pairs.iter().enumerate() {
        for (count, round) in (0..).zip(&of.rounds) {
            let at = CALM + count * ROUND + MOMENT + dice.below(1_000_000);
            let mut deed = |at: u64, act: Act| out.push(Deed { at, pair, act });
            let soon = |dice: &mut Dice| if dice.in_hundred(30) { 0 } else { dice.below(MOMENT) };
            match round {
                Round::Edits => {}
                Round::There(merges) => {
                    for (place, lost) in merges {
                        deed(at + soon(dice), Act::Merge { place: *place, lost: *lost });
                    }
                }
                Round::Here { lost, there } => {
                    let wish = Wish { action: Action::Merge, keep: 1 - lost, gone: *lost };
                    deed(at, Act::Ask(wish));
                    if let Some((place, lost)) = there {
                        deed(at + soon(dice), Act::Merge { place: *place, lost: *lost });
                    }
                }
                Round::Split => deed(at, Act::Ask(Wish { action: Action::Split, keep: 0, gone: 0 })),
            }
            let edits = if *round == Round::Edits { 1 + dice.below(3) } else { dice.below(4) };
            for _ in 0..edits {
                // Around the moment, or while nobody does anything else.
                let at = match dice.below(3) {
                    0 => at - dice.below(MOMENT),
                    1 => at + dice.below(MOMENT),
                    _ => at + dice.below(ROUND / 3),
                };
                let fields = u64::try_from(table.rules.len()).unwrap_or(1);
                let rule = usize::try_from(dice.below(fields)).ok().and_then(|place| table.rules.get(place));
                let Some(rule) = rule else { continue };
                let (place, side) = (dice.system(), usize::from(dice.in_hundred(50)));
                let value = rule.kind.value(10 + dice.below(300));
                deed(at, Act::Edit { place, side, field: rule.field, value });
            }
        }
    }
    out
}

/// The creator makes both of each pair, each with values of its own.
pub(super) fn begin(run: &mut Simulation, table: &Table) {
    let name = system(SYSTEMS.get(table.creator).copied().unwrap_or_default());
    for record in 0..2 * PAIRS {
        let Some(vendor) = run.targets.get_mut(&name) else { return };
        let id = vendor.insert("items", key(record), 0);
        let mut fields = BTreeMap::from([("key".to_owned(), json!(key(record)))]);
        let values =
            table.rules.iter().map(|rule| (rule.field.to_owned(), rule.kind.value(5 + record as u64)));
        fields.extend(values);
        vendor.change(id, &fields, 0);
        run.says(table.creator, id, &[]);
    }
}

impl Simulation {
    /// Which objects are whose, once everything is there: keys may change later.
    pub(super) fn learn_pairs(&mut self) {
        for pair in 0..PAIRS {
            for side in 0..2 {
                for (place, name) in SYSTEMS.iter().enumerate() {
                    let name = system(name);
                    let id =
                        self.targets.get(&name).and_then(|vendor| vendor.object_of(&key(number(pair, side))));
                    let record = id.and_then(|id| self.sheet_of(&name, id)).map(|sheet| sheet.record.id);
                    let Some(of) = self.pair_mut(pair) else { continue };
                    if let Some(object) = of.objects.get_mut(place).and_then(|both| both.get_mut(side)) {
                        *object = id.unwrap_or(0);
                    }
                    if let Some(known) = of.records.get_mut(side) {
                        *known = record;
                    }
                }
            }
        }
    }

    pub(super) fn pair_mut(&mut self, pair: usize) -> Option<&mut Pair> {
        self.shared.as_mut()?.merging.as_mut()?.pairs.get_mut(pair)
    }

    /// Somebody does the so-manieth deed.
    pub(in super::super) fn does_of_pairs(&mut self, index: usize) {
        let Some(merging) = self.shared.as_ref().and_then(|shared| shared.merging.as_ref()) else { return };
        let Some(deed) = merging.deeds.get(index).cloned() else { return };
        let Some(pair) = merging.pairs.get(deed.pair).cloned() else { return };
        let object = |place: usize, side: usize| pair.objects.get(place)?.get(side).copied();
        let now = self.now;
        match &deed.act {
            Act::Edit { place, side, field, value } => {
                let name = system(SYSTEMS.get(*place).copied().unwrap_or_default());
                let (Some(id), Some(vendor)) = (object(*place, *side), self.targets.get_mut(&name)) else {
                    return;
                };
                let stands = vendor.objects.get(&id).is_some_and(|item| !item.gone);
                let before = vendor.value(id, field).unwrap_or_default();
                if !stands || alike(*place, field, value, &before) {
                    return;
                }
                vendor.change(id, &BTreeMap::from([((*field).to_owned(), value.clone())]), now);
                self.remember(&format!(
                    "! {field} of {id} at {name}, {}: {before} to {value}",
                    called(&deed, *side)
                ));
                self.says(*place, id, &[*field]);
            }
            Act::Merge { place, lost } => {
                let name = system(SYSTEMS.get(*place).copied().unwrap_or_default());
                let ids = object(*place, *lost).zip(object(*place, 1 - lost));
                let (Some((lost, into)), Some(vendor)) = (ids, self.targets.get_mut(&name)) else { return };
                vendor.merge(lost, into, now);
                self.remember(&format!("! {lost} is {into} at {name}, pair-{}", deed.pair));
                self.says(*place, lost, &[]);
                self.says(*place, into, &[]);
            }
            Act::Ask(wish) => {
                self.remember(&format!("! Ann is asked for {wish:?}, pair-{}", deed.pair));
                self.asks_ann(deed.pair, wish.clone());
            }
        }
        if let Some(merging) = self.shared.as_mut().and_then(|shared| shared.merging.as_mut()) {
            merging.done.push(Done { at: now, deed });
        }
    }
}

fn called(deed: &Deed, side: usize) -> String {
    format!("pair-{} side {side}", deed.pair)
}
