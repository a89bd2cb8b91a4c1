//! Ann, who does what Concord asks of a person: merges the records of two objects that were merged at a vendor, takes in
//! again what waited for that, and splits what was merged by mistake. A plan that went stale is made anew.

use std::collections::BTreeMap;

use canonical::{Alive, Record, RecordId};
use hub::{Input, MachineId, Notice, Order, Ticket};
use intake::{Message, MessageState};
use ledger::{Action, Job, JobState};
use store::browse::{Look, MessageFilter, Page};

use super::super::table::SYSTEMS;
use super::{PAIRS, Pair};
use crate::driver::{Event, Simulation, micros};

/// She looks so often, in microseconds.
const LOOK_EVERY: u64 = 700_000;
/// What waits in vain is tried again after so many.
const AGAIN_AFTER: u64 = 4_000_000;
/// Tickets of her orders begin here.
const TICKETS: u64 = 1 << 50;

/// What she has in mind for two records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Wish {
    pub(super) action: Action,
    /// Whose record stays; of a split it is known from the records.
    pub(super) keep: usize,
    pub(super) gone: usize,
}

impl Simulation {
    /// She looks at what waits for her, and at what she has under way.
    pub(crate) fn ann_looks(&mut self) {
        if self.shared.as_ref().is_none_or(|shared| shared.merging.is_none()) {
            return;
        }
        if self.pair_of(0).is_some_and(|pair| pair.records == [None; 2]) {
            self.learn_pairs();
        }
        for pair in 0..PAIRS {
            self.goes_on_with(pair);
        }
        for message in self.quarantined_of_pairs() {
            self.sees_to(&message);
        }
        if self.now + LOOK_EVERY < micros(self.options.end_after) {
            self.at(self.now + LOOK_EVERY, Event::Ann);
        }
    }

    pub(super) fn pair_of(&self, pair: usize) -> Option<&Pair> {
        self.shared.as_ref()?.merging.as_ref()?.pairs.get(pair)
    }

    /// She wants that, unless she is at something else.
    pub(super) fn wishes(&mut self, pair: usize, wish: Wish) {
        if let Some(pair) = self.pair_mut(pair).filter(|pair| pair.wish.is_none()) {
            pair.wish = Some(wish);
        }
    }

    /// She is asked for that: she comes to it when she is done with what she is at.
    pub(super) fn asks_ann(&mut self, pair: usize, wish: Wish) {
        if let Some(pair) = self.pair_mut(pair) {
            pair.asked.push_back(wish);
            if pair.wish.is_none() {
                pair.wish = pair.asked.pop_front();
            }
        }
    }

    pub(super) fn quarantined_of_pairs(&self) -> Vec<Message> {
        let states = vec![MessageState::Quarantined];
        let filter = MessageFilter { states, limit: 200, ..MessageFilter::default() };
        match self.page(Look::Messages(filter)) {
            Some(Page::Messages(rows)) => rows.into_iter().map(|(_, message)| message).collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn record_of(&self, id: Option<RecordId>) -> Option<Record> {
        match self.page(Look::Record(id?)) {
            Some(Page::Record(sheet)) => sheet.map(|sheet| sheet.record),
            _ => None,
        }
    }

    fn goes_on_with(&mut self, number: usize) {
        let Some((pair, wish)) =
            self.pair_of(number).and_then(|pair| Some((pair.clone(), pair.wish.clone()?)))
        else {
            return;
        };
        let [Some(one), Some(other)] = pair.records.map(|id| self.record_of(id)) else { return };
        let merged = |record: &Record| matches!(record.alive, Alive::Merged { .. });
        let is_one = merged(&one) || merged(&other);
        if is_one == (wish.action == Action::Merge) {
            self.remember(&format!("! {} of pair-{number} is done", wish.action.name()));
            if let Some(pair) = self.pair_mut(number) {
                pair.wish = pair.asked.pop_front();
            }
            return;
        }
        let gone_is_first = if wish.action == Action::Merge { wish.gone == 0 } else { merged(&one) };
        let (keep, gone) = if gone_is_first { (other, one) } else { (one, other) };
        self.press_for(number, wish.action, &keep, &gone);
    }

    /// Plans it, applies the plan, or sees that it went stale.
    fn press_for(&mut self, pair: usize, action: Action, keep: &Record, gone: &Record) {
        let by = format!("ann: {} of pair-{pair}", action.name());
        let open = |job: &Job| job.state.is_open() || job.state == JobState::Planned;
        let of_both = |job: &Job| {
            job.reshape.as_ref().is_some_and(|reshape| (reshape.keep, reshape.gone) == (keep.id, gone.id))
        };
        let live = |job: &Job| job.planned_by == by && open(job) && of_both(job);
        let reason = "ann: they are one, or two".to_owned();
        let order = match self.jobs().into_iter().find(live) {
            None => Order::Reshape { action, keep: keep.id, gone: gone.id, prefer: BTreeMap::new(), by },
            Some(job) if job.state == JobState::Planned => {
                let planned = job.reshape.as_ref().map(|reshape| reshape.versions);
                let stale = planned != Some((keep.version, gone.version));
                if stale || job.may_start(&self.config.digest, self.clock().wall).is_err() {
                    Order::CancelJob { job: job.id, reason }
                } else {
                    Order::Apply { job: job.id, pace: 1, reason }
                }
            }
            Some(_) => return,
        };
        self.orders(MachineId::Jobs, order);
    }

    fn orders(&mut self, whom: MachineId, order: Order) {
        let Some(merging) = self.shared.as_mut().and_then(|shared| shared.merging.as_mut()) else { return };
        merging.orders += 1;
        let ticket = Ticket(TICKETS + merging.orders);
        self.at(self.now + 50, Event::Input(whom, Input::Told(Notice::Do(ticket, order))));
    }

    /// What a message says is to be done: two records are merged; and it is taken in again once that, or what was to be
    /// done at the vendor, is done.
    fn sees_to(&mut self, message: &Message) {
        let Some(reason) = &message.reason else { return };
        let ready = match (reason.class.as_str(), reason.candidates.as_slice()) {
            ("merged_there", [lost, into]) => {
                let Some((pair, wish)) = self.wish_for(*lost, *into) else { return };
                let live = |id: &RecordId| {
                    self.record_of(Some(*id)).is_some_and(|record| record.alive == Alive::Live)
                };
                let two = live(lost) && live(into);
                if two {
                    self.wishes(pair, wish);
                }
                !two
            }
            ("duplicate_there", _) => self.is_none_of_two(message),
            _ => false,
        };
        let now = self.now;
        let Some(merging) = self.shared.as_mut().and_then(|shared| shared.merging.as_mut()) else { return };
        let lately = merging.retaken.get(&message.id).is_some_and(|at| now < at + AGAIN_AFTER);
        if ready && !lately {
            merging.retaken.insert(message.id, now);
            let reason = "ann: that is seen to".to_owned();
            self.orders(MachineId::Intake, Order::Retake { message: message.id, reason });
        }
    }

    /// Which pair two records are, and that the one is the other.
    fn wish_for(&self, lost: RecordId, into: RecordId) -> Option<(usize, Wish)> {
        (0..PAIRS).find_map(|number| {
            let records = self.pair_of(number)?.records;
            let side = |id: RecordId| records.iter().position(|known| *known == Some(id));
            let wish = Wish { action: Action::Merge, keep: side(into)?, gone: side(lost)? };
            Some((number, wish))
        })
    }

    /// Whether the object that a message is about is no second one any more: its place has one, or there are two records.
    pub(super) fn is_none_of_two(&self, message: &Message) -> bool {
        let Some(about) = &message.about else { return false };
        let place = SYSTEMS.iter().position(|name| *name == about.system.as_str());
        let Some((place, id)) = place.zip(about.id.parse::<u64>().ok()) else { return false };
        let of = |number: &usize| {
            self.pair_of(*number)
                .and_then(|pair| pair.objects.get(place))
                .is_some_and(|both| both.contains(&id))
        };
        let Some(pair) = (0..PAIRS).find(of).and_then(|number| self.pair_of(number)) else { return false };
        let vendor = self.targets.get(&about.system);
        let stands =
            |id: &&u64| vendor.and_then(|vendor| vendor.objects.get(*id)).is_some_and(|item| !item.gone);
        let standing = pair.objects.get(place).map_or(0, |both| both.iter().filter(stands).count());
        let two = pair
            .records
            .iter()
            .all(|id| self.record_of(*id).is_some_and(|record| record.alive == Alive::Live));
        standing < 2 || two && pair.wish.is_none()
    }
}
