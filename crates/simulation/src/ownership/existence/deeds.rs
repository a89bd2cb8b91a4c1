//! What people do in each round, and how it is told.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::history::CALM;
use super::super::table::{Dice, SYSTEMS};
use super::oracle::{Ending, Round};
use super::rules::Rules;
use super::{Done, ROUND, key};
use crate::driver::Simulation;
use crate::estate::system;

/// What is done in the same moment is done within so many microseconds.
const MOMENT: u64 = 1_500_000;

/// Within so many microseconds a second object has been heard of.
const TWIN_HEARD: u64 = 12_000_000;

/// What somebody does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Act {
    /// The thing is made.
    Create,
    /// A field of it is edited: its value by its owner, else its note.
    Touch(&'static str),
    Delete,
    /// A second object of it is made there.
    Twin,
    /// The first of the two is deleted.
    DeleteFirst,
    /// It comes out of the bin.
    Restore,
    /// Another object is made there, which stands for nothing.
    Stray,
    /// That one and the thing's become one: that one, or the thing's.
    Merge {
        into_stray: bool,
    },
}

/// Something that will be done.
#[derive(Clone, Debug)]
pub(super) struct Deed {
    pub(super) at: u64,
    pub(super) place: usize,
    pub(super) thing: usize,
    pub(super) act: Act,
    /// Tells it from all others.
    number: usize,
}

impl Deed {
    /// The value that it says.
    pub(super) fn value(&self) -> Value {
        json!(100 + self.number)
    }
}

/// All that people will do.
pub(super) fn plan(rules: &Rules, things: &[(Vec<Round>, Vec<Ending>)], dice: &mut Dice) -> Vec<Deed> {
    let mut out = Vec::new();
    for (thing, (rounds, _)) in things.iter().enumerate() {
        for (number, round) in (0..).zip(rounds) {
            let at = CALM + number * ROUND + dice.below(1_000_000);
            let mut deed = |at: u64, place: usize, act: Act| {
                out.push(Deed { at, place, thing, act, number: out.len() });
            };
            let soon = |dice: &mut Dice| if dice.in_hundred(50) { 0 } else { dice.below(MOMENT) };
            let field = |place: usize, dice: &mut Dice| {
                if place == rules.owner && dice.in_hundred(50) { "value" } else { "note" }
            };
            match round {
                Round::Create(places) => {
                    places.iter().for_each(|place| deed(at + soon(dice), *place, Act::Create));
                }
                Round::Touch(place) => deed(at, *place, Act::Touch(field(*place, dice))),
                Round::Delete { at: place, touched } => {
                    if *touched {
                        deed(at, *place, Act::Touch(field(*place, dice)));
                    }
                    deed(at + 1_000 + dice.below(400_000), *place, Act::Delete);
                }
                Round::DeleteBoth(one, other) => {
                    deed(at + soon(dice), *one, Act::Delete);
                    deed(at + soon(dice), *other, Act::Delete);
                }
                Round::Race { deletes, touches } => {
                    deed(at + soon(dice), *deletes, Act::Delete);
                    deed(at + soon(dice), *touches, Act::Touch(field(*touches, dice)));
                }
                Round::Merge { at: place, into_stray } => {
                    deed(at, *place, Act::Stray);
                    let after = if dice.in_hundred(50) { 100_000 } else { 5_000_000 };
                    deed(at + 1 + dice.below(after), *place, Act::Merge { into_stray: *into_stray });
                }
                Round::Twin { at: place, touches } => {
                    deed(at, *place, Act::Twin);
                    // It was heard of by then.
                    let later = at + TWIN_HEARD;
                    deed(later + soon(dice), *place, Act::DeleteFirst);
                    if let Some(touches) = touches {
                        deed(later + soon(dice), *touches, Act::Touch(field(*touches, dice)));
                    }
                }
                Round::Restore(place) => deed(at, *place, Act::Restore),
                Round::Flicker(place) => {
                    deed(at, *place, Act::Delete);
                    deed(at + 1_000 + dice.below(MOMENT), *place, Act::Restore);
                }
            }
        }
    }
    out
}

impl Simulation {
    /// Somebody does the so-manieth deed.
    pub(in super::super) fn does(&mut self, index: usize) {
        let Some(existence) = self.shared.as_ref().and_then(|shared| shared.existence.as_ref()) else {
            return;
        };
        let Some(deed) = existence.deeds.get(index).cloned() else { return };
        let owner = existence.rules.owner;
        let before = |act: Act| {
            let of_it = |done: &&Done| {
                done.deed.thing == deed.thing && done.deed.place == deed.place && done.deed.act == act
            };
            existence.done.iter().rev().find(of_it).map(|done| done.id)
        };
        let (deleted, stray, twin) = (before(Act::Delete), before(Act::Stray), before(Act::Twin));
        let name = system(SYSTEMS.get(deed.place).copied().unwrap_or_default());
        let now = self.now;
        let Some(vendor) = self.targets.get_mut(&name) else { return };
        let stands = vendor.object_of(&key(deed.thing));
        let fields = |values: &[(&str, Value)]| -> BTreeMap<String, Value> {
            values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
        };
        let (note, value) = (json!(format!("note {}", deed.number)), deed.value());
        let mut told = Vec::new();
        let id = match deed.act {
            // It came there by us in the very moment: there is nothing left to be made.
            Act::Create if stands.is_some() => None,
            Act::Create => {
                let id = vendor.insert("items", key(deed.thing), now);
                let mut made = fields(&[("key", json!(key(deed.thing))), ("note", note)]);
                // What its owner says is the owner's to say.
                made.extend((deed.place == owner).then(|| ("value".to_owned(), value)));
                vendor.change(id, &made, now);
                Some(id)
            }
            Act::Touch(field) => {
                let value = if field == "value" { value } else { note };
                stands.inspect(|id| {
                    vendor.change(*id, &fields(&[(field, value)]), now);
                    told.push(field);
                })
            }
            Act::Delete => stands.inspect(|id| vendor.remove(*id, now)),
            Act::Twin => stands.map(|first| {
                let id = vendor.insert("items", format!("twin-{}", deed.number), now);
                let mut made = fields(&[("key", json!(key(deed.thing))), ("note", note)]);
                // Of its owner it would be its word that there is none.
                let copied = vendor.value(first, "value").filter(|_| deed.place == owner);
                made.extend(copied.map(|value| ("value".to_owned(), value)));
                vendor.change(id, &made, now);
                id
            }),
            // The first that was made; the other one stays.
            Act::DeleteFirst => {
                stands.filter(|id| twin.is_some_and(|twin| twin != *id)).inspect(|id| vendor.remove(*id, now))
            }
            Act::Restore => deleted.inspect(|id| vendor.restore(*id, now)),
            Act::Stray => {
                let id = vendor.insert("items", format!("stray-{}", deed.number), now);
                vendor.change(id, &fields(&[("key", json!(format!("stray-{}", deed.number)))]), now);
                Some(id)
            }
            Act::Merge { into_stray } => stands.zip(stray).map(|(stands, stray)| {
                let (lost, into) = if into_stray { (stands, stray) } else { (stray, stands) };
                vendor.merge(lost, into, now);
                lost
            }),
        };
        let Some(id) = id else { return };
        self.remember(&format!("! {:?} of {} at {name}: object {id}", deed.act, key(deed.thing)));
        let (place, act) = (deed.place, deed.act);
        if let Some(existence) = self.shared.as_mut().and_then(|shared| shared.existence.as_mut()) {
            existence.done.push(Done { at: now, deed, id });
        }
        self.says(place, id, &told);
        // A create is heard twice: by a message and by what it makes us read.
        if act == Act::Create && self.between(0, 2) == 0 {
            self.says(place, id, &told);
        }
    }
}
