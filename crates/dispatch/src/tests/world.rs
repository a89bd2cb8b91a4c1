//! A model beside the dispatcher: it says what may be admitted, and is told only what goes in and what comes out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use canonical::{Mono, Object, RecordId};
use ledger::Class;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::steps::{Left, MS, Step, key_of, lock};
use crate::{BucketSet, Change, Dispatcher, Limits, Permit, Scope, Wanted};

#[derive(Clone, PartialEq, Eq, Debug)]
enum Holder {
    Call,
    Kept(u32),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Breaker {
    Open(Mono),
    HalfOpen(Mono),
}

pub(super) struct World {
    limits: Limits,
    dispatcher: Dispatcher<u32>,
    now: Mono,
    /// Calls in flight, with their numbers in `calls`.
    permits: Vec<(Wanted<u32>, Permit, usize)>,
    held: BTreeMap<u32, Wanted<u32>>,
    locks: BTreeMap<(RecordId, Object), Holder>,
    breakers: BTreeMap<String, Breaker>,
    closed_until: Mono,
    /// Limits that are closed.
    closed: BTreeMap<usize, Mono>,
    paused: bool,
    /// What each call has to itself, by its party.
    turns: BTreeMap<Arc<str>, u64>,
    /// Parties of which a call was made.
    used: BTreeSet<u64>,
    /// The last input was an admission.
    admitted: bool,
    /// Every call ever, with its cost and limits: over crashes too.
    calls: Vec<(Mono, u32, BucketSet)>,
    pub(super) trace: Vec<u32>,
}

pub(super) type Checked = Result<(), TestCaseError>;

impl World {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            dispatcher: Dispatcher::new(limits.clone(), Mono(0)),
            limits: limits.clone(),
            now: Mono(0),
            permits: Vec::new(),
            held: BTreeMap::new(),
            locks: BTreeMap::new(),
            breakers: BTreeMap::new(),
            closed_until: Mono(0),
            closed: BTreeMap::new(),
            paused: false,
            turns: BTreeMap::new(),
            used: BTreeSet::new(),
            admitted: false,
            calls: Vec::new(),
            trace: Vec::new(),
        }
    }

    pub(super) fn run(limits: &Limits, steps: &[Step]) -> Result<Self, TestCaseError> {
        let mut world = Self::new(limits);
        for step in steps {
            world.step(step)?;
        }
        Ok(world)
    }

    pub(super) fn step(&mut self, step: &Step) -> Checked {
        let admitted = std::mem::take(&mut self.admitted);
        match step.clone() {
            Step::Join if admitted => self.join()?,
            Step::Join => {}
            Step::Turn(n, key) => self.take_turn(n, &key_of(key))?,
            Step::Offer(mut wanted, names) => {
                if let Some(mut names) = names {
                    names.retain(|name| self.limits.buckets.iter().any(|spec| spec.name == *name));
                    wanted.buckets = self.dispatcher.draw(names);
                }
                wanted.due = Mono(self.now.0 + wanted.due.0);
                self.held.insert(wanted.token, wanted.clone());
                self.dispatcher.offer(wanted);
            }
            Step::Admit => self.admit()?,
            Step::End(n, class, wait, left) => self.end(n, class, wait, left)?,
            Step::Unused(n) => {
                if let Some((wanted, permit, call)) = self.call(n) {
                    let party = permit.party();
                    self.dispatcher.release_unused(permit, self.now);
                    self.freed(&wanted);
                    if self.is_over(party) && !self.used.contains(&party) {
                        self.calls[call].1 = 0;
                    }
                }
            }
            Step::Release(n) => {
                if let Some((wanted, permit, _)) = self.call(n) {
                    self.used.insert(permit.party());
                    let party = permit.party();
                    self.dispatcher.release(permit, self.now);
                    self.freed(&wanted);
                    self.is_over(party);
                }
            }
            Step::Keep(n) => {
                if let Some((wanted, permit, _)) = self.call(n) {
                    self.used.insert(permit.party());
                    let party = permit.party();
                    self.dispatcher.release_keeping_lock(permit, self.now);
                    self.is_over(party);
                    if let Some(key) = wanted.lock {
                        self.locks.insert(key, Holder::Kept(wanted.token));
                    }
                }
            }
            Step::Unlock(number) => {
                let key = lock(number);
                self.dispatcher.unlock(key.0, &key.1);
                if matches!(self.locks.get(&key), Some(Holder::Kept(_))) {
                    self.locks.remove(&key);
                }
            }
            Step::Hold(number, token) => {
                let key = lock(number);
                let called = self.locks.get(&key) == Some(&Holder::Call);
                prop_assert_eq!(self.dispatcher.hold(key.0, &key.1, token), !called);
                if !called {
                    self.locks.insert(key, Holder::Kept(token));
                }
            }
            Step::Withdraw(token) => {
                self.dispatcher.withdraw(&token);
                self.held.remove(&token);
            }
            Step::Sleep(ms) => self.now = Mono(self.now.0 + ms * MS),
            Step::Pause => {
                self.dispatcher.pause("by hand");
                self.paused = true;
            }
            Step::Resume => {
                self.dispatcher.resume();
                self.paused = false;
            }
            Step::Close(ms) => {
                let until = Mono(self.now.0 + ms * MS);
                self.dispatcher.close_until(None, until);
                self.closed_until = self.closed_until.max(until);
            }
            Step::Crash => {
                let fresh = Self::new(&self.limits);
                let calls = std::mem::take(&mut self.calls);
                let trace = std::mem::take(&mut self.trace);
                let dispatcher = Dispatcher::new(self.limits.clone(), self.now);
                *self = Self { dispatcher, now: self.now, calls, trace, ..fresh };
            }
        }
        self.events(false)
    }

    /// The n-th call in flight is over.
    fn call(&mut self, n: usize) -> Option<(Wanted<u32>, Permit, usize)> {
        (!self.permits.is_empty()).then(|| self.permits.remove(n % self.permits.len()))
    }

    /// Whether no permit of the party is out any more: then what it had to itself is free.
    fn is_over(&mut self, party: u64) -> bool {
        let over = self.permits.iter().all(|(_, permit, _)| permit.party() != party);
        if over {
            self.turns.retain(|_, holder| *holder != party);
        }
        over
    }

    /// Calls under way: one for each party.
    fn parties(&self) -> usize {
        self.permits.iter().map(|(_, permit, _)| permit.party()).collect::<BTreeSet<_>>().len()
    }

    /// Others go along with the call that was admitted last.
    fn join(&mut self) -> Checked {
        let Some((first, permit, call)) = self.permits.last() else { return Ok(()) };
        let (first, party, call) = (first.clone(), permit.party(), *call);
        let joined = self.dispatcher.join(permit, &first, self.now);
        prop_assert!(joined.is_empty() || joined.len() < first.party.unwrap().most, "too many");
        prop_assert_eq!(self.dispatcher.is_shared(&self.permits.last().unwrap().1), !joined.is_empty());
        for (wanted, permit) in joined {
            self.judge_order(&wanted)?;
            self.judge_turn(&wanted, party)?;
            prop_assert_eq!(self.held.remove(&wanted.token), Some(wanted.clone()));
            prop_assert!(wanted.due <= self.now && permit.party() == party);
            prop_assert_eq!(wanted.party, first.party);
            prop_assert_eq!(&wanted.operation, &first.operation);
            prop_assert_eq!((wanted.lane, wanted.cost), (first.lane, first.cost));
            self.trace.push(wanted.token);
            if let Some(key) = wanted.lock.clone() {
                self.locks.insert(key, Holder::Call);
            }
            self.permits.push((wanted, permit, call));
        }
        prop_assert_eq!(self.dispatcher.in_flight(), self.parties());
        Ok(())
    }

    /// What it needs is free, and from now on its party's.
    fn judge_turn(&mut self, wanted: &Wanted<u32>, party: u64) -> Checked {
        if let Some(key) = &wanted.serial {
            let holder = *self.turns.entry(Arc::clone(key)).or_insert(party);
            prop_assert_eq!(holder, party, "two calls about one parent");
        }
        Ok(())
    }

    fn take_turn(&mut self, n: usize, key: &Arc<str>) -> Checked {
        if self.permits.is_empty() {
            return Ok(());
        }
        let permit = &self.permits[n % self.permits.len()].1;
        let party = permit.party();
        let may = *self.turns.get(key).unwrap_or(&party) == party;
        prop_assert_eq!(self.dispatcher.take_turn(permit, key), may);
        if may {
            self.turns.insert(Arc::clone(key), party);
        }
        Ok(())
    }

    fn freed(&mut self, wanted: &Wanted<u32>) {
        if let Some(key) = &wanted.lock {
            self.locks.remove(key);
        }
    }

    pub(super) fn end(&mut self, n: usize, class: Class, wait: Option<u64>, left: Option<Left>) -> Checked {
        let Some((wanted, permit, _)) = self.call(n) else { return Ok(()) };
        let wait = wait.map(Duration::from_millis);
        let left = left.map(|(name, left, reset)| (name, left, reset.map(Duration::from_millis)));
        self.dispatcher.learn(&permit, class, wait, left, Duration::from_millis(3), self.now);
        self.closes(&wanted, class, wait.unwrap_or_default(), left);
        // I12: what is no illness opens no breaker.
        self.events(class.is_illness())?;
        let party = permit.party();
        self.used.insert(party);
        self.dispatcher.release(permit, self.now);
        self.freed(&wanted);
        self.is_over(party);
        Ok(())
    }

    /// Whom an answer stops, said in other words than the dispatcher's.
    fn closes(
        &mut self,
        wanted: &Wanted<u32>,
        class: Class,
        wait: Duration,
        left: Option<(&str, u64, Option<Duration>)>,
    ) {
        let specs = self.limits.buckets.clone();
        let named = |name: &str| specs.iter().position(|spec| spec.name == name);
        let mut close = |number: usize, span: Duration| {
            let until = self.closed.entry(number).or_insert(Mono(0));
            *until = (*until).max(self.now + span);
        };
        if let Some((name, 0, Some(reset))) = left
            && let Some(number) = named(name)
        {
            close(number, reset);
        }
        let drawn: Vec<usize> = (0..specs.len()).filter(|number| wanted.buckets.has(*number)).collect();
        let throttled = matches!(class, Class::RateLimited | Class::QuotaExhausted);
        if throttled
            && let Some((name, 0, _)) = left
            && let Some(number) = named(name).filter(|number| drawn.contains(number))
            && specs[number].scope == Scope::Named
        {
            return close(number, wait);
        }
        let single = drawn.iter().all(|number| specs[*number].scope == Scope::Named) && !drawn.is_empty();
        if class == Class::RateLimited && single {
            drawn.into_iter().for_each(|number| close(number, wait));
        } else if throttled || class.is_illness() {
            self.closed_until = self.closed_until.max(self.now + wait);
        }
    }

    fn events(&mut self, may_open: bool) -> Checked {
        for change in self.dispatcher.events() {
            match change {
                Change::BreakerOpened { operation } => {
                    prop_assert!(may_open, "{operation} opened without illness");
                    self.breakers.insert(operation, Breaker::Open(self.now));
                }
                Change::BreakerHalfOpen { operation } => {
                    let Some(Breaker::Open(since)) = self.breakers.get(&operation).copied() else {
                        return Err(TestCaseError::fail(format!("{operation} was not open")));
                    };
                    prop_assert!(self.now >= since + self.limits.breaker.open_for);
                    self.breakers.insert(operation, Breaker::HalfOpen(since + self.limits.breaker.open_for));
                }
                Change::BreakerClosed { operation } => {
                    prop_assert!(matches!(self.breakers.remove(&operation), Some(Breaker::HalfOpen(_))));
                }
                Change::BucketClosed { until } => prop_assert!(until >= self.now),
                Change::BucketReopened => {}
            }
        }
        Ok(())
    }

    pub(super) fn admit(&mut self) -> Checked {
        match self.dispatcher.admit(self.now) {
            Some((wanted, permit)) => {
                self.events(false)?;
                self.judge(&wanted)?;
                self.held.remove(&wanted.token);
                self.calls.push((self.now, wanted.cost, wanted.buckets));
                self.trace.push(wanted.token);
                if let Some(key) = wanted.lock.clone() {
                    self.locks.insert(key, Holder::Call);
                }
                self.judge_turn(&wanted, permit.party())?;
                self.permits.push((wanted, permit, self.calls.len() - 1));
                self.admitted = true;
                prop_assert!(self.parties() <= usize::try_from(self.limits.concurrency).unwrap());
            }
            None => self.judge_refusal()?,
        }
        prop_assert_eq!(self.dispatcher.in_flight(), self.parties());
        Ok(())
    }

    /// Whether this call may go now.
    fn judge(&self, wanted: &Wanted<u32>) -> Checked {
        prop_assert_eq!(self.held.get(&wanted.token), Some(wanted), "it was not wanted");
        prop_assert!(wanted.due <= self.now, "before it was due");
        prop_assert!(!self.paused, "while paused");
        prop_assert!(self.now >= self.closed_until, "I12: before Retry-After");
        for (number, until) in &self.closed {
            let draws = wanted.buckets.has(*number);
            prop_assert!(!draws || self.now >= *until, "I12: before limit {number} opens");
        }
        self.judge_order(wanted)?;
        match self.breakers.get(&wanted.operation) {
            Some(Breaker::Open(_)) => prop_assert!(false, "I12: through an open breaker"),
            Some(Breaker::HalfOpen(since)) => {
                let patience = match (wanted.safe, wanted.poison) {
                    (_, true) => 2,
                    (true, false) => 0,
                    (false, false) => 1,
                };
                prop_assert!(
                    self.now >= *since + self.limits.breaker.open_for * patience,
                    "not fit for a trial"
                );
            }
            None => {}
        }
        Ok(())
    }

    /// Its record is free, and it is first of those that wait for it. Sleepers wait for something else.
    fn judge_order(&self, wanted: &Wanted<u32>) -> Checked {
        if let Some(key) = &wanted.lock {
            let may = match self.locks.get(key) {
                None => true,
                Some(Holder::Call) => false,
                Some(Holder::Kept(token)) => *token == wanted.token,
            };
            prop_assert!(may, "I4: its record is locked");
            // Within a lane and lock, nothing due before it waits.
            let overtaken = |other: &&Wanted<u32>| {
                other.lock.as_ref() == Some(key)
                    && other.lane == wanted.lane
                    && other.serial.is_none()
                    && (other.due, other.seq) < (wanted.due, wanted.seq)
            };
            if !self.locks.contains_key(key) {
                prop_assert_eq!(self.held.values().find(overtaken), None);
            }
        }
        Ok(())
    }

    /// Nothing went: then the next wake-up lies ahead, and is never late.
    fn judge_refusal(&self) -> Checked {
        let wake = self.dispatcher.next_wakeup(self.now);
        let until = match wake {
            Some(at) => {
                prop_assert!(at > self.now, "woken at once, for nothing");
                at
            }
            None => Mono(self.now.0 + 7 * 24 * 3_600_000 * MS),
        };
        let span = until.0 - self.now.0;
        for at in [1, span / 3, span / 2, span - 1] {
            let mut other = self.dispatcher.clone();
            let early = other.admit(Mono(self.now.0 + at.min(span - 1)));
            prop_assert!(early.is_none(), "{early:?} before {wake:?}");
        }
        Ok(())
    }

    /// Faults stop: everything that is wanted goes, and nothing stays behind.
    pub(super) fn drain(&mut self) -> Checked {
        self.step(&Step::Resume)?;
        (0..5).try_for_each(|number| self.step(&Step::Unlock(number)))?;
        for _ in 0..2000 {
            while !self.permits.is_empty() {
                self.end(0, Class::Applied, None, None)?;
            }
            let before = self.trace.len();
            self.admit()?;
            if self.trace.len() == before {
                if self.held.is_empty() {
                    break;
                }
                // A call above may have kept nothing: only time is missing.
                let wake = self.dispatcher.next_wakeup(self.now);
                prop_assert!(wake.is_some(), "stuck with {:?}", self.held.keys());
                self.now = wake.unwrap();
            }
        }
        prop_assert_eq!(self.held.len(), 0, "starved");
        let view = self.dispatcher.snapshot(self.now);
        prop_assert_eq!((view.in_flight, view.ready, view.waiting, view.blocked), (0, [0; 3], 0, 0));
        prop_assert!(view.breakers.iter().all(|breaker| breaker.state.name() != "open"));
        Ok(())
    }

    /// I9, for each limit of the calls that draw from it: in windows of these lengths, and of all lengths between two
    /// calls.
    pub(super) fn judge_rates(&self) -> Checked {
        for (number, spec) in self.limits.buckets.iter().enumerate() {
            let calls = self.calls.iter().filter(|(.., drawn)| drawn.has(number));
            let calls: Vec<(Mono, u32)> = calls.map(|(at, cost, _)| (*at, *cost)).collect();
            let (per, size) = (spec.per.as_micros(), u128::from(spec.size));
            for (first, (start, _)) in calls.iter().enumerate() {
                let mut sum = 0_u128;
                for (end, cost) in &calls[first..] {
                    sum += u128::from(*cost);
                    let flowed = u128::from(spec.refill) * u128::from(end.0 - start.0);
                    prop_assert!(
                        sum * per <= size * per + flowed,
                        "{}: {sum} in {} µs",
                        spec.name,
                        end.0 - start.0
                    );
                }
                for seconds in [1, 10, 60] {
                    let window = Mono(start.0 + seconds * 1_000_000);
                    let inside = calls[first..].iter().take_while(|(at, _)| *at < window);
                    let sum: u128 = inside.map(|(_, cost)| u128::from(*cost)).sum();
                    let flowed = u128::from(spec.refill) * u128::from(seconds) * 1_000_000;
                    prop_assert!(sum * per <= size * per + flowed, "{}: {sum} in {seconds} s", spec.name);
                }
            }
        }
        Ok(())
    }
}
