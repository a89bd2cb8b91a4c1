//! The dispatcher: one atomic decision per call, over pause, cool-down, cap, breaker, tokens and record lock.

mod choice;
mod forecast;
mod learn;
mod orders;
mod party;
mod permit;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use canonical::{Mono, Object, RecordId};
use ledger::Lane;
use planted::Bug;

use self::choice::{Choice, Ready};
pub use self::forecast::{Binds, Forecast};
use self::party::Members;
pub use self::party::Party;
pub use self::permit::Permit;
use crate::breaker::{Breaker, Counts, Forced, State};
use crate::bucket::{Bucket, Purse, Throttling};
use crate::draw::BucketSet;
use crate::flows::Flows;
use crate::limits::{Limits, Scope};
use crate::queue::{LockKey, Queue};
use crate::serial::Serials;
use crate::slots::{Slots, Usual};
use crate::snapshot::{BreakerState, BreakerView, BucketView, Snapshot};

/// Longest a target's word to stay away is believed.
pub const WAIT_MAX: Duration = Duration::from_secs(24 * 3600);

/// Facts kept for a caller that does not fetch them; the oldest go first.
const CHANGES_MAX: usize = 256;

/// The place of the critical lane in arrays of lanes.
const CRITICAL: usize = Lane::Critical as usize;

/// A wish to call the system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted<T> {
    /// By which the caller finds its work again. One wish per token.
    pub token: T,
    /// Its lane.
    pub lane: Lane,
    /// The record and object whose deliveries keep order; `None` for polls and the like.
    pub lock: Option<(RecordId, Object)>,
    /// Not before.
    pub due: Mono,
    /// Order among equally due ones.
    pub seq: i64,
    /// The manifest's operation: the breaker's group.
    pub operation: String,
    /// The limits that it draws from.
    pub buckets: BucketSet,
    /// What it is charged in each of them.
    pub cost: u32,
    /// A read or a repeatable write: may try out a breaker that is half-open.
    pub safe: bool,
    /// Failed before: does not try out a breaker.
    pub poison: bool,
    /// With whom it may go in one call; `None`: alone.
    pub party: Option<Party>,
    /// What no other call may be about at the same time, as far as that is known: see [`Dispatcher::take_turn`].
    pub serial: Option<Arc<str>>,
}

/// Something that changed by itself, worth noting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// Too many calls of the operation failed: nothing of it goes.
    BreakerOpened {
        /// The operation.
        operation: String,
    },
    /// A few calls try whether the operation works again.
    BreakerHalfOpen {
        /// The operation.
        operation: String,
    },
    /// The operation works again.
    BreakerClosed {
        /// The operation.
        operation: String,
    },
    /// The target asked to be left alone, or a limit of it is used up.
    BucketClosed {
        /// Until then.
        until: Mono,
    },
    /// That time is over.
    BucketReopened,
}

/// What is on its way.
#[derive(Clone, Debug)]
struct Flight<T> {
    token: T,
    lock: Option<LockKey>,
}

/// Decides what may run now, for one tenant and system.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub struct Dispatcher<T> {
    limits: Limits,
    queue: Queue<T>,
    buckets: Vec<Bucket>,
    /// By operation number.
    breakers: Vec<Breaker>,
    /// By operation number: how long answers take.
    usual: Vec<Usual>,
    flows: Flows,
    in_flight: BTreeMap<u64, Flight<T>>,
    /// Calls that were made for several.
    parties: BTreeMap<u64, Members>,
    /// Of those in flight: how many went along with another's call.
    companions: usize,
    serials: Serials<T>,
    permits: u64,
    paused: Option<String>,
    closed_until: Mono,
    /// Ends of cool-downs, of the target or of single limits, that are still to be told.
    closed: BTreeSet<Mono>,
    throttling: Throttling,
    slots: Slots,
    /// What an operator says of breakers: of one operation, or (`None`) of all that nothing else is said of.
    forced: BTreeMap<Option<String>, Forced>,
    /// Until when each lane is outside its window.
    lanes_closed_until: [Mono; 3],
    changes: VecDeque<Change>,
}

impl<T: Clone + Ord> Dispatcher<T> {
    /// A dispatcher with empty buckets: what was spent before is not known (I9 across restarts).
    #[must_use]
    pub fn new(limits: Limits, now: Mono) -> Self {
        let bucket = |spec: &_| Bucket::new(Clone::clone(spec), limits.reserve_critical_pct, now);
        Self {
            queue: Queue::new(limits.buckets.len()),
            buckets: limits.buckets.iter().map(bucket).collect(),
            breakers: Vec::new(),
            usual: Vec::new(),
            flows: Flows::new(limits.lane_weights),
            in_flight: BTreeMap::new(),
            parties: BTreeMap::new(),
            companions: 0,
            serials: Serials::default(),
            permits: 0,
            paused: None,
            closed_until: Mono(0),
            closed: BTreeSet::new(),
            throttling: Throttling::default(),
            slots: Slots::new(limits.concurrency, now),
            forced: BTreeMap::new(),
            lanes_closed_until: [Mono(0); 3],
            changes: VecDeque::new(),
            limits,
        }
    }

    /// The limits that a call draws from which names these: they, and those that every call draws from. A name that
    /// is not known means all.
    #[must_use]
    pub fn draw<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> BucketSet {
        let specs = || self.buckets.iter().map(Bucket::spec).enumerate();
        let every = specs().filter(|(_, spec)| spec.scope == Scope::Every).map(|(number, _)| number);
        let every = every.fold(BucketSet::NONE, |set, number| set | BucketSet::one(number));
        names.into_iter().fold(every, |set, name| {
            let named = specs().find(|(_, spec)| spec.name == name);
            set | named.map_or(BucketSet::ALL, |(number, _)| BucketSet::one(number))
        })
    }

    /// Takes a wish in, in place of one with an equal token. It is held even when there is no room: the caller, who
    /// keeps the backlog, asks [`Self::has_room_for`] before.
    pub fn offer(&mut self, wanted: Wanted<T>) {
        self.serials.remove(&wanted.token);
        match wanted.serial.clone() {
            Some(key) if !self.serials.is_free(&key) => {
                self.queue.remove(&wanted.token);
                self.queue.know(&wanted.operation);
                self.serials.sleep(&key, wanted);
            }
            _ => self.queue.insert(wanted),
        }
        let known = self.breakers.len();
        while self.breakers.len() < self.queue.operation_count() {
            self.breakers.push(Breaker::new(self.limits.breaker));
            self.usual.push(Usual::default());
        }
        if known < self.breakers.len() && !self.forced.is_empty() {
            self.obey(known, Mono(0));
        }
    }

    /// Takes a wish back. Does nothing about a call in flight, or a wish that is not held.
    pub fn withdraw(&mut self, token: &T) {
        self.serials.remove(token);
        self.queue.remove(token);
    }

    /// Whether the wish is held, not yet admitted.
    #[must_use]
    pub fn holds(&self, token: &T) -> bool {
        self.queue.contains(token) || self.serials.contains(token)
    }

    /// How many more of the lane may be taken in: while there is room at all, or up to the lane's third of the window.
    /// A window full of bulk work must not keep critical work out.
    #[must_use]
    pub fn room_for(&self, lane: Lane) -> usize {
        if planted::is(Bug::HoldsEverything) {
            return usize::MAX;
        }
        let own = self.held_of(lane);
        let third = self.limits.window.div_ceil(Lane::ALL.len());
        let held = self.queue.len() + self.serials.len();
        self.limits.window.saturating_sub(held).max(third.saturating_sub(own))
    }

    /// How many of the lane are worth reading now: as many as there is room for, when that is a good part of the window
    /// or none of the lane is held. A window that is full and gives up its wishes one by one is not filled one by one.
    #[must_use]
    pub fn refill_for(&self, lane: Lane) -> usize {
        let (room, own) = (self.room_for(lane), self.held_of(lane));
        if own == 0 || room >= self.limits.window.div_ceil(4) { room } else { 0 }
    }

    /// Whether the lane may take in more.
    #[must_use]
    pub fn has_room_for(&self, lane: Lane) -> bool {
        self.room_for(lane) > 0
    }

    /// Lets the next call go, if one may: takes its token, slot and lock in one step, or nothing.
    pub fn admit(&mut self, now: Mono) -> Option<(Wanted<T>, Permit)> {
        self.advance(now);
        if self.stopped(now) {
            return None;
        }
        loop {
            let survey = self.survey(now);
            self.flows.look(survey.has_work());
            let order = self.in_turn(&survey);
            let Choice { ready, purse, passed } = self.choose(&order, now).ok()?;
            // Another call has what it needs.
            if self.falls_asleep(ready.place) {
                continue;
            }
            return self.go(ready, purse, passed, &order, now);
        }
    }

    fn go(
        &mut self,
        ready: Ready,
        purse: Purse,
        passed: usize,
        order: &[Ready],
        now: Mono,
    ) -> Option<(Wanted<T>, Permit)> {
        // What goes out of its turn at the reserve's expense has that for free.
        if purse != Purse::Reserve {
            let passed = order.iter().take(passed).map(|ready| ready.flow);
            self.flows.took(ready.flow, self.queue.cost(ready.place), passed);
        }
        self.grant(ready, purse, now)
    }

    /// Charges a call that could not wait for its turn, such as one for the account's identity: those after it wait
    /// longer instead. Not for what can be offered: the limits go into debt (I9).
    pub fn spend(&mut self, buckets: BucketSet, cost: u32, now: Mono) {
        for (number, bucket) in self.buckets.iter_mut().enumerate() {
            if buckets.has(number) {
                bucket.pay(cost, Purse::All, now);
            }
        }
    }

    /// Calls under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len() - self.companions
    }

    /// When [`Self::admit`] is to be asked again. `None`: not before the next input (a wish, a release, a resume).
    #[must_use]
    pub fn next_wakeup(&self, now: Mono) -> Option<Mono> {
        if self.paused.is_some() || self.full() {
            return None;
        }
        let survey = self.survey(now);
        let at = match self.choose(&self.in_turn(&survey), now) {
            Ok(_) => Some(now),
            Err(wakeup) => wakeup,
        };
        // A flow that wakes up meanwhile may have the next turn.
        let at = [at, survey.later].into_iter().flatten().min()?;
        Some(at.max(self.closed_until))
    }

    /// What it holds and why what waits, waits.
    #[must_use]
    pub fn snapshot(&self, now: Mono) -> Snapshot {
        let ahead = |until: Mono| (until > now).then_some(until);
        let (ready, waiting) = self.queue.in_line(now);
        let breaker = |(operation, number): (&str, usize)| {
            let breaker = self.breakers.get(number)?;
            let Counts { good, slow, ill } = breaker.counts(now);
            let forced = breaker.forced();
            let state = match breaker.state() {
                State::Closed => BreakerState::Closed,
                State::Open { until } if until > now || forced == Some(Forced::Open) => {
                    BreakerState::Open { until }
                }
                State::Open { .. } | State::HalfOpen { .. } => BreakerState::HalfOpen,
            };
            let typical = self.usual.get(number).and_then(Usual::mean);
            Some(BreakerView { operation: operation.to_owned(), state, good, slow, ill, forced, typical })
        };
        Snapshot {
            in_flight: self.in_flight(),
            concurrency: self.slots.now(),
            concurrency_most: self.slots.most(),
            ready,
            waiting,
            blocked: self.queue.len() + self.serials.len() - waiting - ready.iter().sum::<usize>(),
            buckets: self
                .buckets
                .iter()
                .map(|bucket| BucketView {
                    name: bucket.spec().name.clone(),
                    tokens: bucket.tokens(now),
                    size: bucket.spec().size,
                    flow_pct: bucket.share_pct(),
                    closed_until: ahead(bucket.closed_until()),
                })
                .collect(),
            breakers: self.queue.operations().filter_map(breaker).collect(),
            paused: self.paused.clone(),
            closed_until: ahead(self.closed_until),
            lanes_closed_until: self.lanes_closed_until.map(ahead),
        }
    }

    /// What changed since it was last asked, oldest first.
    pub fn events(&mut self) -> Vec<Change> {
        self.changes.drain(..).collect()
    }

    fn stopped(&self, now: Mono) -> bool {
        self.paused.is_some() || self.full() || self.closed_until > now
    }

    fn full(&self) -> bool {
        self.in_flight() >= usize::try_from(self.slots.now()).unwrap_or(usize::MAX)
    }

    /// Lets time pass: breakers become half-open, the cool-down ends.
    fn advance(&mut self, now: Mono) {
        while self.closed.first().is_some_and(|until| *until <= now) {
            self.closed.pop_first();
            self.note(Change::BucketReopened);
        }
        for number in 0..self.breakers.len() {
            if self.breakers[number].advance(now) {
                let operation = self.queue.operation_name(number).to_owned();
                self.note(Change::BreakerHalfOpen { operation });
            }
        }
    }

    fn grant(&mut self, ready: Ready, purse: Purse, now: Mono) -> Option<(Wanted<T>, Permit)> {
        let wanted = self.start(ready.place, self.permits + 1)?;
        for (number, bucket) in self.buckets.iter_mut().enumerate() {
            if wanted.buckets.has(number) {
                bucket.pay(wanted.cost, purse, now);
                bucket.in_flight += u64::from(wanted.cost);
            }
        }
        let breaker = &mut self.breakers[ready.operation];
        breaker.went();
        let (epoch, trial) = (breaker.epoch(), breaker.is_out(now));
        self.permits += 1;
        let flight = Flight { token: wanted.token.clone(), lock: wanted.lock.clone() };
        self.in_flight.insert(self.permits, flight);
        let permit = Permit {
            id: self.permits,
            party: self.permits,
            operation: ready.operation,
            epoch,
            trial,
            buckets: wanted.buckets,
            cost: wanted.cost,
            given_at: now,
            call: wanted.buckets,
        };
        Some((wanted, permit))
    }

    /// How many of the lane are held.
    fn held_of(&self, lane: Lane) -> usize {
        let lane = usize::from(lane.number());
        self.queue.per_lane()[lane] + self.serials.per_lane()[lane]
    }

    fn note(&mut self, change: Change) {
        if self.changes.len() >= CHANGES_MAX {
            self.changes.pop_front();
        }
        self.changes.push_back(change);
    }
}
