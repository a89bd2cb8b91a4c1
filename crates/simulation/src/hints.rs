//! A source that only hints at what changed and takes its time to answer: what is hinted at while an object is read must be
//! read again.

use std::collections::BTreeMap;
use std::time::Duration;

use canonical::{Object, System};
use connector::{Observation, Seen};
use serde_json::json;

use crate::driver::{Event, micros};
use crate::estate::system;
use crate::scenario::{Class, hinting};
use crate::{Faults, Options, Simulation, Vendor, Violation};

/// Things at the source, and how often each changes.
const THINGS: u64 = 6;
const CHANGES: u64 = 5;
/// The time between two changes of anything.
const APART: Duration = Duration::from_millis(70);
const SOURCE: &str = "src";

/// Runs the scenario of a seed; gives what the target was not told.
pub(crate) fn broken(seed: u64) -> Option<Violation> {
    let mut source = Vendor::new(Class::None);
    let ids: Vec<u64> =
        (0..THINGS).map(|place| source.insert("things", format!("thing-{place}"), 0)).collect();
    let plan: Vec<(Duration, u64, u64)> = (0..CHANGES)
        .flat_map(|round| ids.iter().map(move |id| (round, *id)))
        .zip(1..)
        .map(|((_, id), value)| (APART * u32::try_from(value).unwrap_or(u32::MAX), id, value))
        .collect();
    let hints = plan.iter().map(|(at, id, value)| (*at, hint(*id, *value))).collect();
    let target = Class::Upsert;
    let targets = BTreeMap::from([(system(SOURCE), source), (system(target.name()), Vendor::new(target))]);
    let options = Options {
        seed,
        heal_after: Duration::from_secs(20),
        end_after: Duration::from_secs(150),
        ..Options::default()
    };
    let mut run = Simulation::new(options, hinting(target), hints, targets);
    run.make_sick(&system(SOURCE), Faults { slow: 800, ..Faults::default() });
    for (at, id, value) in plan {
        run.at(micros(at), Event::Change { system: system(SOURCE), id, value });
    }
    run.run();
    let (source, there) = (run.targets.get(&system(SOURCE))?, run.targets.get(&system(target.name()))?);
    let untold = source.objects.iter().find(|(id, item)| {
        let id = json!(id.to_string());
        let mut told = there.objects.values().filter(|held| held.fields.get("key") == Some(&id));
        !told.any(|held| held.fields.get("value") == item.fields.get("value"))
    });
    let (id, item) = untold?;
    let what = format!("{} is not told of {:?} of things/{id}", target.name(), item.fields.get("value"));
    Some(Violation { invariant: "I1", at: run.now, what, about: String::new() })
}

#[expect(clippy::expect_used, reason = "a literal that is a name")]
fn hint(id: u64, value: u64) -> Observation {
    Observation {
        version: None,
        object: Object::new("things").expect("a name"),
        external_id: id.to_string(),
        seen: Seen::Hint,
        order: None,
        event_id: Some(format!("{id}/{value}")),
        occurred_at: None,
        changed_at: None,
        trace: None,
    }
}

impl Simulation {
    /// Somebody writes the value of an object there.
    pub(crate) fn change_there(&mut self, system: &System, id: u64, value: u64) {
        let now = self.now;
        if let Some(vendor) = self.targets.get_mut(system) {
            vendor.change(id, &BTreeMap::from([("value".to_owned(), json!(value))]), now);
        }
    }
}
