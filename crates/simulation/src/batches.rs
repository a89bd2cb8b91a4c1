//! A target that applies some of what it is sent after nobody waits for the answer any more: what was sent anew meanwhile,
//! in parts or newer, is overtaken by it.

use std::collections::BTreeMap;
use std::time::Duration;

use canonical::System;
use connector::Observation;

use crate::scenario::{Class, batching};
use crate::{Faults, Options, Simulation, Vendor, Violation, judge, sayings};

/// Bursts: something waits while the first is on its way.
pub(crate) fn bursts(records: usize, updates: usize, apart: Duration) -> Vec<(Duration, Observation)> {
    let said = sayings(records, updates, Duration::ZERO);
    let at = |place: usize| {
        let round = u32::try_from(place / records).unwrap_or(u32::MAX);
        apart * round + Duration::from_millis(5 + 2 * (place % records) as u64)
    };
    said.into_iter().enumerate().map(|(place, (_, said))| (at(place), said)).collect()
}

/// Runs the scenario of a seed; gives what went backwards.
pub(crate) fn broken(seed: u64) -> Option<Violation> {
    let class = Class::Upsert;
    let config = batching(&[class]);
    let system: System = config.systems.keys().find(|system| system.as_str() == class.name())?.clone();
    let options = Options {
        seed,
        faults: Faults { late: 400, ..Faults::default() },
        heal_after: Duration::from_secs(3),
        end_after: Duration::from_secs(150),
        ..Options::default()
    };
    let targets: BTreeMap<System, Vendor> = [(system, Vendor::new(class))].into_iter().collect();
    let mut run = Simulation::new(options, config, bursts(8, 5, Duration::from_millis(500)), targets);
    run.run();
    let backwards = judge(&run).backwards;
    let what = format!("{backwards} objects went back to what they were");
    (backwards > 0).then_some(Violation { invariant: "I4", at: run.now, what, about: String::new() })
}
