//! A target that tells of an object before the answer to its own create comes, where it may create records itself and
//! does not say by which key the source knows them: only the open create tells that the object is ours.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use canonical::System;
use store::browse::{DeliveryFilter, Look, Page};

use crate::scenario::{Class, where_both_create};
use crate::{Faults, Options, Simulation, Vendor, Violation, sayings};

/// Things that the source tells about.
const THINGS: usize = 6;

/// Runs the scenario of a seed; gives what broke.
pub(crate) fn broken(seed: u64) -> Option<Violation> {
    let class = if seed.is_multiple_of(2) { Class::NativeKey } else { Class::SearchFirst };
    let config = where_both_create(class);
    let system: System = config.systems.keys().find(|system| system.as_str() == class.name())?.clone();
    let options = Options {
        seed,
        faults: Faults { lose: 60, slow: 100, ..Faults::default() },
        heal_after: Duration::from_secs(1),
        end_after: Duration::from_secs(150),
        ..Options::default()
    };
    let targets: BTreeMap<System, Vendor> = [(system.clone(), Vendor::new(class))].into_iter().collect();
    let mut run = Simulation::new(options, config, sayings(THINGS, 2, Duration::from_millis(20)), targets);
    run.make_talkative(&system);
    run.run();
    let all = DeliveryFilter { limit: 1000, ..DeliveryFilter::default() };
    let Some(Page::Deliveries(rows)) = run.page(Look::Deliveries(all)) else { return None };
    let records: BTreeSet<_> = rows.iter().map(|(_, row)| row.record).collect();
    let objects = run.targets.get(&system).map_or(0, |target| target.objects.len());
    let what = match (records.len(), objects) {
        (THINGS, THINGS) => return None,
        (records, objects) => format!("{records} records and {objects} objects there for {THINGS} things"),
    };
    Some(Violation { invariant: "I3", at: run.now, what, about: String::new() })
}
