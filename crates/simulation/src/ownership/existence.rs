//! What there is at all: three systems create, delete and merge the same things, at the same moment and in turn, told like
//! everything else: late, twice, out of order, by a message and by a read. What lives where in the end, the rules of who
//! may create and delete alone say.

mod deeds;
mod judge;
mod oracle;
mod rules;
#[cfg(test)]
mod timeline;

use std::time::Duration;

use self::deeds::Deed;
use self::oracle::{Ending, Round};
use self::rules::Rules;
use super::history::CALM;
use super::table::{Dice, SYSTEMS};
use super::{Shared, faults, vendor};
use crate::driver::Event;
use crate::estate::system;
use crate::{Options, Simulation, Violation};

/// Things, each of which has its own history.
const THINGS: usize = 3;
/// Rounds of each.
const ROUNDS: u64 = 4;
/// What happens in a round has been seen everywhere, and what follows from it been said, before the next one begins.
const ROUND: u64 = 30_000_000;

/// The world, what people will do in it and what they did.
#[derive(Debug)]
pub(super) struct Existence {
    rules: Rules,
    /// Of each thing its rounds, and how it may stand after them.
    rounds: Vec<(Vec<Round>, Vec<Ending>)>,
    deeds: Vec<Deed>,
    done: Vec<Done>,
}

/// What was done: to which object.
#[derive(Clone, Debug)]
struct Done {
    at: u64,
    deed: Deed,
    id: u64,
}

/// Runs the scenario of a seed; gives what does not hold.
pub(crate) fn broken(seed: u64) -> Option<Violation> {
    ran(seed).1
}

/// The same, with the run.
pub(crate) fn ran(seed: u64) -> (Simulation, Option<Violation>) {
    let mut dice = Dice(seed ^ 0x0e_2157);
    let rules = Rules::of(&mut dice);
    let until = Duration::from_micros(CALM + ROUNDS * ROUND);
    let options = Options {
        seed,
        faults: faults(&mut dice),
        heal_after: until,
        end_after: until + Duration::from_secs(60),
        ..Options::default()
    };
    let vendors = (0..SYSTEMS.len()).filter_map(|place| {
        let vendor = vendor(place, &mut dice).unique();
        Some((system(SYSTEMS.get(place)?), vendor))
    });
    let vendors = vendors.collect();
    let mut run = Simulation::new(options, rules.configuration(), Vec::new(), vendors);
    let mut shared = Shared::of(rules.table.clone(), Vec::new());
    let rounds: Vec<_> = (0..THINGS).map(|_| oracle::history(&rules, &mut dice)).collect();
    let deeds = deeds::plan(&rules, &rounds, &mut dice);
    for (index, deed) in deeds.iter().enumerate() {
        run.at(deed.at, Event::Edit(index));
    }
    shared.existence = Some(Existence { rules, rounds, deeds, done: Vec::new() });
    run.shared = Some(Box::new(shared));
    run.run();
    let violation = run.judge_existence();
    (run, violation)
}

/// The key of a thing.
fn key(thing: usize) -> String {
    format!("thing-{thing}")
}

/// Which of the three a system is.
#[cfg(test)]
fn place_of(name: &canonical::System) -> Option<usize> {
    SYSTEMS.iter().position(|known| *known == name.as_str())
}
