//! What the tests of scenarios share: a run without faults, one target and its run, and what must hold after any.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use canonical::System;
use config::Configuration;
use connector::Observation;

use crate::{Class, Faults, Options, Simulation, Vendor, judge};

/// Nothing goes wrong.
pub(crate) fn calm(seed: u64) -> Options {
    Options {
        seed,
        crash_at: Vec::new(),
        renew_at: None,
        faults: Faults::default(),
        heal_after: Duration::from_secs(10),
        end_after: Duration::from_secs(150),
    }
}

/// The name of a class's target.
pub(crate) fn name(class: Class) -> System {
    System::new(class.name()).unwrap()
}

/// Runs one target to the end; with it, the effects that were performed.
pub(crate) fn run_one(
    vendor: Vendor,
    class: Class,
    config: Arc<Configuration>,
    said: Vec<(Duration, Observation)>,
    options: Options,
) -> (Simulation, u64) {
    let targets: BTreeMap<System, Vendor> = [(name(class), vendor)].into_iter().collect();
    let mut run = Simulation::new(options, config, said, targets);
    let effects = run.run();
    assert_eq!(run.stopped(), None);
    (run, effects)
}

/// I1 to I4. `excused`: what nobody answers for, and nothing can look for, may wait for a person, never for a second
/// create.
#[track_caller]
pub(crate) fn assert_holds(run: &Simulation, what: &str, excused: bool) {
    let verdict = judge(run);
    let held = if excused {
        verdict.duplicates + verdict.backwards + verdict.unacknowledged + verdict.impatient == 0
            && verdict.lost <= verdict.for_people
    } else {
        verdict.holds()
    };
    // What goes again says what it said.
    let held = held && run.targets.values().all(|target| target.torn == 0);
    assert!(held, "{what}: {verdict:?}; marks {:?}", run.marks);
}
