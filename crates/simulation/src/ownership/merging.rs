//! Two records that turn out to be one. People merge their objects at a vendor, in one system or two at once, in either
//! direction; or they merge the records here, and perhaps split them again. All the while both are edited, and told of like
//! everything else: late, twice, out of order, by a hint, by a replica that lags. Ann does what Concord asks of a person.
//! In the end each field is what its owner has on the object that is left, everywhere.

mod ann;
mod deeds;
mod judge;
mod oracle;
#[cfg(test)]
mod timeline;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use canonical::{MessageId, RecordId};

use self::ann::Wish;
use self::deeds::Deed;
use self::oracle::{Round, Standing};
use super::history::CALM;
use super::table::{Dice, SYSTEMS, Table};
use super::{RESTING, Shared, faults, vendor};
use crate::driver::Event;
use crate::estate::system;
use crate::{Options, Simulation, Violation};

/// Pairs of records that people may take for one, each with its own history.
const PAIRS: usize = 2;
/// Rounds of each.
const ROUNDS: u64 = 5;
/// What happens in a round has been seen everywhere, and what follows from it been done, before the next one begins.
const ROUND: u64 = 30_000_000;

/// Two records: which is which, and what is to become of them.
#[derive(Clone, Debug, Default)]
struct Pair {
    /// Of each system the objects of both.
    objects: [[u64; 2]; 3],
    records: [Option<RecordId>; 2],
    rounds: Vec<Round>,
    /// How it stands after them.
    ending: Standing,
    /// What Ann has in mind for it.
    wish: Option<Wish>,
    /// What she was asked for meanwhile.
    asked: VecDeque<Wish>,
}

/// The world, what people will do in it and what they did.
#[derive(Debug)]
pub(super) struct Merging {
    pairs: Vec<Pair>,
    deeds: Vec<Deed>,
    done: Vec<Done>,
    /// When Ann last had a message taken in again.
    retaken: BTreeMap<MessageId, u64>,
    orders: u64,
}

/// What was done.
#[derive(Clone, Debug)]
struct Done {
    at: u64,
    deed: Deed,
}

/// Runs the scenario of a seed; gives what does not hold.
pub(crate) fn broken(seed: u64) -> Option<Violation> {
    ran(seed).1
}

/// The same, with the run.
pub(crate) fn ran(seed: u64) -> (Simulation, Option<Violation>) {
    let mut dice = Dice(seed ^ 0x003e_26ed);
    let table = Table::of_owners(&mut dice);
    let until = Duration::from_micros(CALM + ROUNDS * ROUND);
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
    let pairs = (0..PAIRS).map(|_| {
        let (rounds, ending) = oracle::history(&mut dice);
        Pair { rounds, ending, ..Pair::default() }
    });
    let pairs: Vec<Pair> = pairs.collect();
    let deeds = deeds::plan(&table, &pairs, &mut dice);
    for (index, deed) in deeds.iter().enumerate() {
        run.at(deed.at, Event::Edit(index));
    }
    run.at(CALM - 1, Event::Ann);
    let mut shared = Shared::of(table.clone(), Vec::new());
    shared.merging = Some(Merging { pairs, deeds, done: Vec::new(), retaken: BTreeMap::new(), orders: 0 });
    run.shared = Some(Box::new(shared));
    deeds::begin(&mut run, &table);
    run.run();
    let violation = run.judge_merging();
    (run, violation)
}

/// The number of one of a pair's records among all.
const fn number(pair: usize, side: usize) -> usize {
    2 * pair + side
}
