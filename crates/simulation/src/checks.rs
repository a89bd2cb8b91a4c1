//! The judgement: what the targets' own books say, against what the source said. The hub is not asked.

use std::collections::{BTreeMap, BTreeSet};

use connector::Seen;
use serde_json::Value;

use crate::driver::Simulation;
use crate::vendor::Item;

/// What a run came to. All but the last must be zero.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verdict {
    /// Acknowledged and not at a target in the end (I1).
    pub lost: u64,
    /// Live objects with one key beyond the first (I3).
    pub duplicates: u64,
    /// Effects that brought an older value after a newer one (I4).
    pub backwards: u64,
    /// Never acknowledged, although the run went on long enough.
    pub unacknowledged: u64,
    /// Calls within the time a target asked to be left alone (I12).
    pub impatient: u64,
    /// Records shown to a person, which excuses what is open about them.
    pub for_people: u64,
}

impl Verdict {
    /// Whether everything that must be zero is.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.lost + self.duplicates + self.backwards + self.unacknowledged + self.impatient == 0
    }
}

/// Judges a run that has ended.
#[must_use]
pub fn judge(run: &Simulation) -> Verdict {
    let mut verdict = Verdict { for_people: run.marked("NeedsPerson"), ..Verdict::default() };
    let mut newest: BTreeMap<String, i64> = BTreeMap::new();
    for saying in &run.sayings {
        if !saying.acknowledged {
            verdict.unacknowledged += 1;
        }
        if let Seen::State { fields } = &saying.observation.seen
            && let Some(value) = fields.get("value").and_then(Value::as_i64)
        {
            let top = newest.entry(saying.observation.external_id.clone()).or_insert(value);
            *top = (*top).max(value);
        }
    }
    for target in run.targets.values() {
        let held: BTreeSet<i64> = target.objects.values().filter_map(value).collect();
        for value in newest.values() {
            // Values are unique over the whole scenario, so that they name the record.
            if !held.contains(value) {
                verdict.lost += 1;
            }
        }
        let names: BTreeSet<&String> = target.objects.values().map(|item| &item.name).collect();
        verdict.duplicates += (target.objects.len() - names.len()) as u64;
        let mut last: BTreeMap<&String, i64> = BTreeMap::new();
        for effect in &target.effects {
            let Some(value) = effect.value() else { continue };
            let top = last.entry(&effect.name).or_insert(value);
            if value < *top {
                verdict.backwards += 1;
            }
            *top = (*top).max(value);
        }
        // What a target said as the hub died was not heard.
        if run.crashes() == 0 {
            verdict.impatient += target.impatient;
        }
    }
    verdict
}

fn value(item: &Item) -> Option<i64> {
    item.fields.get("value").and_then(Value::as_i64)
}
