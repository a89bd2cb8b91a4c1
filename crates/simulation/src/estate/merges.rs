//! People who take two records for one, and see some time later that they are two. Both things stand at the source all the while:
//! what the second one says is nobody's word until they are split, and then all must agree again.

use std::collections::{BTreeMap, BTreeSet};

use canonical::{Alive, Object, Record, RecordId, System};
use hub::Order;
use ledger::{Action, Job, JobState};
use serde_json::Value;
use store::browse::{Look, Page};

use super::{Estate, Happening, files, system};
use crate::driver::{Event, Simulation};

/// They are taken for one for at least and at most so many microseconds.
const FOR_ONE: (u64, u64) = (2_000_000, 90_000_000);
/// When the first two are.
const FIRST: u64 = 30_000_000;

/// What is merged just now, and what ever was.
#[derive(Debug, Default)]
pub(super) struct Merges {
    pair: Option<Pair>,
    count: u32,
    /// Keys of all things that ever were one of two.
    keys: BTreeSet<String>,
}

/// Two things of the source whose records are one, or are to be.
#[derive(Clone, Debug)]
struct Pair {
    number: u32,
    things: [u64; 2],
    keep: RecordId,
    gone: RecordId,
    /// Once they are one: until when.
    until: Option<u64>,
}

impl Estate {
    /// Whether a thing is one of two that are, or are to be, one record.
    pub(super) fn is_one_of_two(&self, id: u64) -> bool {
        let pair = self.merges.as_ref().and_then(|merges| merges.pair.as_ref());
        pair.is_some_and(|pair| pair.things.contains(&id))
    }

    /// What is owed of them is not late: nobody hears the second one.
    pub(super) fn forgive_the_merged(&mut self) {
        if let Some(pair) = self.merges.as_ref().and_then(|merges| merges.pair.as_ref()) {
            self.owed.retain(|id, _| !pair.things.contains(id));
        }
    }
}

impl Simulation {
    /// From now on people merge records, too.
    pub(crate) fn let_people_merge(&mut self) {
        if let Some(estate) = &mut self.estate {
            estate.merges = Some(Merges::default());
        }
        self.at(FIRST, Event::Happen(Happening::Merge));
    }

    /// Whether an object at a target has stood, or may have stood, for another record meanwhile.
    pub(super) fn was_one_of_two(&self, target: &System, id: u64) -> bool {
        let item = self.targets.get(target).and_then(|vendor| vendor.objects.get(&id));
        let key = item.and_then(|item| item.fields.get("key")).and_then(Value::as_str);
        let merges = self.estate.as_ref().and_then(|estate| estate.merges.as_ref());
        merges.zip(key).is_some_and(|(merges, key)| merges.keys.contains(key))
    }

    /// Whether an object that stood for two records that were one belongs to the other one again, and has not been told yet: so it
    /// still has the key of the first, who has none there and is to get one. Which record it belongs to is durable. In the end
    /// each must be there once, with its own values.
    pub(super) fn is_anothers_again(&self, target: &System, id: u64) -> bool {
        let item = self.targets.get(target).and_then(|vendor| vendor.objects.get(&id));
        let key = item.and_then(|item| item.fields.get("key"));
        let object = item.and_then(|item| Object::new(&item.kind).ok());
        let Some((key, object)) = key.zip(object).filter(|_| self.was_one_of_two(target, id)) else {
            return false;
        };
        let (system, object, external_id) = (target.clone(), Some(object), id.to_string());
        let look = Look::RecordByLink { system, object, external_id };
        match self.page(look) {
            Some(Page::Record(Some(sheet))) => {
                sheet.record.alive == Alive::Live && sheet.record.fields.get("key") != Some(key)
            }
            _ => false,
        }
    }

    /// For tests: these keys are of things that were one.
    #[cfg(test)]
    pub(super) fn now_one(&mut self, keys: [&str; 2]) {
        let merges = self.estate.as_mut().and_then(|estate| estate.merges.as_mut());
        merges.unwrap().keys.extend(keys.map(str::to_owned));
    }

    fn pair(&self) -> Option<&Pair> {
        self.estate.as_ref()?.merges.as_ref()?.pair.as_ref()
    }

    /// Goes on with the two that are one, or to be, or finds two others.
    pub(super) fn take_two_for_one(&mut self) {
        let Some(pair) = self.pair().cloned() else { return self.find_two() };
        let (Some(keep), Some(gone)) = (self.record_by_id(pair.keep), self.record_by_id(pair.gone)) else {
            return;
        };
        let merged = matches!(gone.alive, Alive::Merged { .. });
        let now = self.now;
        match (merged, pair.until) {
            (true, None) => {
                self.did("PeopleMerged");
                let until = now + self.between(FOR_ONE.0, FOR_ONE.1);
                self.set_pair(Some(Pair { until: Some(until), ..pair }));
            }
            (true, Some(until)) if now < until && !self.healed() => {}
            (true, Some(_)) => self.press(&pair, Action::Split, (&keep, &gone)),
            (false, Some(_)) => {
                self.did("PeopleSplit");
                self.set_pair(None);
                self.excuse(now);
            }
            (false, None) => {
                let live = keep.alive == Alive::Live && gone.alive == Alive::Live;
                let under_way = self.jobs_of(&pair, Action::Merge).iter().any(|job| job.state.is_open());
                if under_way || live && !self.healed() {
                    self.press(&pair, Action::Merge, (&keep, &gone));
                } else {
                    self.set_pair(None);
                }
            }
        }
    }

    fn set_pair(&mut self, next: Option<Pair>) {
        if let Some(merges) = self.estate.as_mut().and_then(|estate| estate.merges.as_mut()) {
            merges.pair = next;
        }
    }

    fn find_two(&mut self) {
        if self.healed() {
            return;
        }
        let (Some(one), Some(other)) = (self.some_thing(), self.some_thing()) else { return };
        let (Some(keep), Some(gone)) = (self.record_of_thing(one), self.record_of_thing(other)) else {
            return;
        };
        if one == other || keep.alive != Alive::Live || gone.alive != Alive::Live || keep.id == gone.id {
            return;
        }
        let source = self.targets.get(&system(files::SOURCE));
        let name = |id: u64| Some(source?.objects.get(&id)?.name.clone());
        let keys: Vec<String> = [one, other].into_iter().filter_map(name).collect();
        self.remember(&format!("! somebody takes {} and {} for one: {keys:?}", keep.id, gone.id));
        let Some(merges) = self.estate.as_mut().and_then(|estate| estate.merges.as_mut()) else { return };
        merges.count += 1;
        merges.keys.extend(keys);
        let (number, things) = (merges.count, [one, other]);
        merges.pair = Some(Pair { number, things, keep: keep.id, gone: gone.id, until: None });
    }

    /// Plans it, applies the plan, and has it go on where somebody held it.
    fn press(&mut self, pair: &Pair, action: Action, (keep, gone): (&Record, &Record)) {
        let jobs = self.jobs_of(pair, action);
        let reason = "ann: they are one, or two".to_owned();
        let order = match jobs.iter().find(|job| job.state.is_open() || job.state == JobState::Planned) {
            None => Order::Reshape {
                action,
                keep: pair.keep,
                gone: pair.gone,
                prefer: BTreeMap::new(),
                by: named(pair, action),
            },
            Some(job) if job.state == JobState::Planned => {
                let planned = job.reshape.as_ref().map(|reshape| reshape.versions);
                let stale = planned != Some((keep.version, gone.version))
                    || job.may_start(&self.config.digest, self.clock().wall).is_err();
                match stale {
                    true => Order::CancelJob { job: job.id, reason },
                    false => Order::Apply { job: job.id, pace: 1, reason },
                }
            }
            Some(job) if job.state == JobState::Paused => {
                if let Some(estate) = &mut self.estate {
                    estate.bulk.goes_on(job.id);
                }
                Order::ResumeJob { job: job.id, reason }
            }
            Some(_) => return,
        };
        self.order_of_jobs(order, None);
    }

    fn jobs_of(&self, pair: &Pair, action: Action) -> Vec<Job> {
        let by = named(pair, action);
        self.jobs().into_iter().filter(|job| job.planned_by == by).collect()
    }

    fn record_by_id(&self, id: RecordId) -> Option<Record> {
        match self.page(Look::Record(id)) {
            Some(Page::Record(sheet)) => sheet.map(|sheet| sheet.record),
            _ => None,
        }
    }

    fn record_of_thing(&self, id: u64) -> Option<Record> {
        let (system, object) = (system(files::SOURCE), Object::new("things").ok());
        match self.page(Look::RecordByLink { system, object, external_id: id.to_string() }) {
            Some(Page::Record(sheet)) => sheet.map(|sheet| sheet.record),
            _ => None,
        }
    }

    /// In the end nothing is one that was two.
    pub(super) fn judge_merges(&mut self) {
        if let Some(pair) = self.pair().cloned() {
            let what = format!("{} and {} were not split in time", pair.keep, pair.gone);
            self.violated("I1", &pair.gone.to_string(), what);
        }
    }
}

fn named(pair: &Pair, action: Action) -> String {
    format!("ann: {} {}", action.name(), pair.number)
}
