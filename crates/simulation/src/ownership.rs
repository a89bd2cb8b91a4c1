//! Three systems that all say and are told, with an ownership table per seed: people edit anywhere, messages come late,
//! twice, out of order or as hints, reads come from replicas that lag, answers are lost. In the end each field must be as
//! the table alone says, everywhere; nothing plays ping-pong, and nobody's echo is an edit.

pub(crate) mod existence;
mod history;
mod judge;
pub(crate) mod merging;
mod moving;
mod oracle;
mod table;
#[cfg(test)]
mod timeline;

use std::collections::BTreeMap;
use std::time::Duration;

use canonical::System;
use connector::Observation;

use self::history::{EDITED_UNTIL, Edit, Planned};
use self::table::{BETA, Dice, GAMMA, SHOUTED, SYSTEMS, Table};
use crate::estate::system;
use crate::scenario::Class;
use crate::vendor::{Habits, Vendor};
use crate::{Faults, Options, Simulation, Violation};

/// How long all has to come to rest after the last fault.
const RESTING: Duration = Duration::from_secs(120);

/// The world of the three systems, and what people did there.
#[derive(Debug)]
pub(crate) struct Shared {
    table: Table,
    plan: Vec<Planned>,
    /// What people did, in order.
    edits: Vec<Edit>,
    /// Messages so far.
    said: u64,
    /// What happened, and what was told when, for who looks into a seed that does not hold.
    pub(crate) diary: Vec<(u64, String)>,
    heard: Vec<(u64, System, Observation)>,
    /// What there is at all, where that is the question.
    existence: Option<existence::Existence>,
    /// Records that turn out to be one, where that is the question.
    merging: Option<merging::Merging>,
}

impl Shared {
    /// Three systems of a table, before anything has happened.
    fn of(table: Table, plan: Vec<Planned>) -> Self {
        Self {
            table,
            plan,
            edits: Vec::new(),
            said: 0,
            diary: Vec::new(),
            heard: Vec::new(),
            existence: None,
            merging: None,
        }
    }
}

/// Runs the scenario of a seed; gives what does not hold.
pub(crate) fn broken(seed: u64) -> Option<Violation> {
    ran(seed).1
}

/// The same, with the run.
pub(crate) fn ran(seed: u64) -> (Simulation, Option<Violation>) {
    ran_by(Table::of(seed), seed)
}

/// The scenario of a seed in which owners depend on the record's state.
pub(crate) fn moved(seed: u64) -> (Simulation, Option<Violation>) {
    ran_by(Table::moving(seed), seed)
}

fn ran_by(table: Table, seed: u64) -> (Simulation, Option<Violation>) {
    let mut dice = Dice(seed ^ 0x0ab1_7500);
    let until = Duration::from_micros(EDITED_UNTIL) + Duration::from_secs(5);
    let options = Options {
        seed,
        faults: faults(&mut dice),
        heal_after: until,
        end_after: until + RESTING,
        ..Options::default()
    };
    let vendors =
        (0..SYSTEMS.len()).filter_map(|place| Some((system(SYSTEMS.get(place)?), vendor(place, &mut dice))));
    let vendors: BTreeMap<_, _> = vendors.collect();
    let mut run = Simulation::new(options, table.configuration(), Vec::new(), vendors);
    let plan = history::plan(&table, seed);
    run.shared = Some(Box::new(Shared::of(table.clone(), plan)));
    history::begin(&mut run, &table);
    run.run();
    let violation = run.judge_shared();
    (run, violation)
}

fn vendor(place: usize, dice: &mut Dice) -> Vendor {
    let class = if place == GAMMA { Class::NativeKey } else { Class::Upsert };
    // Without an order, nobody can tell what a replica shows from what is there.
    let lags = if place != BETA && dice.in_hundred(50) { 300 } else { 0 };
    Vendor::new(class).with_habits(Habits {
        remembers: true,
        stamps: Some(Table::clock_off(place)),
        shouts: Some(SHOUTED).filter(|_| place == GAMMA),
        lags,
    })
}

fn faults(dice: &mut Dice) -> Faults {
    if dice.in_hundred(25) {
        return Faults::default();
    }
    Faults {
        refuse: dice.below(30),
        lose: dice.below(120),
        vanish: dice.below(40),
        fail_before: dice.below(30),
        fail_after: dice.below(60),
        late: dice.below(100),
        slow: dice.below(200),
        ..Faults::default()
    }
}
