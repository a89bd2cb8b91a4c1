//! A target that takes batches as jobs, some of which end half-way, while the hub crashes now and then: what each job left
//! behind is judged by the target's own books.

use std::collections::BTreeMap;
use std::time::Duration;

use canonical::System;
use connector::Observation;
use planted::Bug;

use crate::scenario::{Class, by_jobs};
use crate::{Moods, Options, Simulation, Vendor, Violation, judge, sayings};

/// Things that the source tells about, and how often.
const THINGS: usize = 8;
const ROUNDS: usize = 4;
const ROUND: Duration = Duration::from_millis(900);

/// Rounds of one word about each record, close together, so that many wait while the first is on its way.
pub(crate) fn rounds(records: usize, updates: usize, apart: Duration) -> Vec<(Duration, Observation)> {
    let said = sayings(records, updates, Duration::ZERO);
    let at = |place: usize| {
        let round = u32::try_from(place / records).unwrap_or(u32::MAX);
        apart * round + Duration::from_millis(5 + (place % records) as u64)
    };
    said.into_iter().enumerate().map(|(place, (_, said))| (at(place), said)).collect()
}

/// Runs the scenario of a seed; gives what the bug broke.
pub(crate) fn broken(bug: Bug, seed: u64) -> Option<Violation> {
    let class = if bug == Bug::RunningJobForgotten { Class::Marker } else { Class::Upsert };
    let config = by_jobs(class);
    let system: System = config.systems.keys().find(|system| system.as_str() == class.name())?.clone();
    let options = Options {
        seed,
        crash_at: vec![60 + seed % 40 * 7, 140 + seed % 30 * 5],
        end_after: Duration::from_secs(400),
        ..Options::default()
    };
    let moods = Moods { seed, abort: 400, ..Moods::default() };
    let vendor = Vendor::new(class).with_moods(moods);
    let targets: BTreeMap<System, Vendor> = [(system, vendor)].into_iter().collect();
    let mut run = Simulation::new(options, config, rounds(THINGS, ROUNDS, ROUND), targets);
    run.run();
    let verdict = judge(&run);
    let (invariant, count, what) = match bug {
        Bug::RunningJobForgotten => ("I3", verdict.duplicates, "objects are there twice"),
        _ => ("I8", verdict.lost, "records are delivered and not there"),
    };
    let what = format!("{count} {what}");
    (count > 0).then_some(Violation { invariant, at: run.now, what, about: String::new() })
}
