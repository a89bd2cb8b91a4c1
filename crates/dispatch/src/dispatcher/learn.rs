//! Learning from answers: cool-downs, quota headers, breakers, and how much of a shared limit is ours.
//!
//! **Whom a throttled answer stops (I12).** Everybody, unless it is known to be about limits of single operations
//! (`Scope::Named`) only: then those limits close, and whoever draws from none of them goes on. It is known
//! - when the answer names such a limit, one the call drew from, with nothing left in it; or
//! - when it is `rate_limited` and the call drew from such limits alone: the manifest says that it does not count at
//!   the account's.
//!
//! An exhausted quota that is not named is taken for the account's, and so is quiet asked for by a server in trouble.

use std::time::Duration;

use canonical::Mono;
use ledger::Class;
use planted::Bug;

use super::{Change, Dispatcher, Permit, WAIT_MAX};
use crate::breaker::{Fitness, Forced, Health, State};
use crate::bucket::Throttling;
use crate::draw::BucketSet;
use crate::limits::Scope;

/// First cool-down of a target that throttles without saying for how long; doubles while it goes on.
const COOL_DOWN: Duration = Duration::from_secs(1);
/// The longest of these.
const COOL_DOWN_MAX: Duration = Duration::from_secs(60);
/// Cool-down of a target whose long quota is gone and that does not say until when.
const QUOTA_COOL_DOWN: Duration = Duration::from_secs(15 * 60);

impl<T: Clone + Ord> Dispatcher<T> {
    /// Takes in what an answer says, before its permit is given back.
    ///
    /// `wait` is how long the target asked to be left alone; `remaining` the name of a limit, the calls left in it,
    /// and how long until it is full again, as its headers say; `took` how long the call took. A replayed answer (a
    /// stored one, under a native key) says nothing about the target's health: give its permit back without this, unless
    /// it throttles.
    pub fn learn(
        &mut self,
        permit: &Permit,
        class: Class,
        wait: Option<Duration>,
        remaining: Option<(&str, u64, Option<Duration>)>,
        took: Duration,
        now: Mono,
    ) {
        self.advance(now);
        self.pace(permit, class, took, now);
        if let Some((name, left, reset)) = remaining {
            self.count_down(permit, name, left, reset, now);
        }
        match class {
            Class::RateLimited | Class::QuotaExhausted => {
                if planted::is(Bug::ThrottlingIsIll) {
                    self.weigh(permit, Health::Ill, now);
                }
                self.throttle(permit, class, wait, remaining.map(|(name, left, _)| (name, left)), now);
            }
            Class::Retryable | Class::Uncertain => {
                if let Some(wait) = wait {
                    self.close_until(None, now + wait.min(WAIT_MAX));
                }
                self.weigh(permit, Health::Ill, now);
            }
            Class::Applied | Class::Absent => {
                self.recover(permit, now);
                // What a look finds says that the target reads, not that it does what is asked of it.
                if class == Class::Applied
                    && let Some(breaker) = self.breakers.get_mut(permit.operation)
                {
                    breaker.serve(permit.epoch, now);
                }
                let pace =
                    self.breakers.get(permit.operation).map_or(Health::Good, |breaker| breaker.pace(took));
                self.weigh(permit, pace, now);
            }
            // An answer, so that the limit had room; but nothing about health.
            _ => self.recover(permit, now),
        }
    }

    /// How long it took, beside what is usual for its operation. No answer at all is the slowest of all. Who is refused
    /// by a limit, or by a server in trouble, may be so at once: that says nothing about how others fare.
    fn pace(&mut self, permit: &Permit, class: Class, took: Duration, now: Mono) {
        // A call for several takes as long as they are many: it is compared with nothing.
        if self.is_shared(permit) {
            return;
        }
        let Some(usual) = self.usual.get_mut(permit.operation) else { return };
        let slow = match class {
            Class::RateLimited | Class::QuotaExhausted | Class::Retryable => return,
            Class::Uncertain => true,
            _ => usual.learn(took),
        };
        self.slots.learn(permit.id, slow, self.permits, now);
    }

    /// Closes a limit, or all, until then: a cool-down for everybody who draws from it, never shortened
    /// (I12). A limit
    /// that every call draws from, or one that is not known, means all.
    pub fn close_until(&mut self, bucket: Option<&str>, until: Mono) {
        match bucket.and_then(|name| self.bucket_named(name)) {
            Some(number) => self.close_bucket(number, until),
            None => self.close_all(until),
        }
    }

    /// Whether a call that was admitted may still go: the target may have asked since to be left alone, or the breaker of its
    /// operation may have opened (I12).
    #[must_use]
    pub fn may_go(&self, permit: &Permit, now: Mono) -> bool {
        let breaker = self.breakers.get(permit.operation);
        let held = breaker.is_some_and(|breaker| {
            permit.epoch != breaker.epoch() && !matches!(breaker.state(), State::Closed)
        });
        !held && self.quiet_until(permit.call, now).is_none()
    }

    /// Whether a call of an operation that can't be offered, such as one for the account's identity, may go now as far as its
    /// breaker is concerned (I12). It goes beside those that try it out, and nothing is learnt of it.
    pub fn lets_go(&mut self, operation: &str, now: Mono) -> bool {
        self.advance(now);
        self.opens_at(operation).is_some_and(|at| at <= now)
    }

    /// From when on [`Self::lets_go`] may be asked again. `None`: not by time alone: an operator keeps it open, or as many try it
    /// out as may.
    #[must_use]
    pub fn opens_at(&self, operation: &str) -> Option<Mono> {
        let known = self.queue.operations().find(|(name, _)| *name == operation);
        match known.and_then(|(_, number)| self.breakers.get(number)) {
            Some(breaker) => breaker.admits_at(Fitness::Safe),
            // What was not met yet is kept open by an operator only.
            None => (self.word_on(operation) != Some(Forced::Open)).then_some(Mono(0)),
        }
    }

    /// Until when a call that draws from these must leave the target alone, because it asked for that (I12).
    #[must_use]
    pub fn quiet_until(&self, drawn: BucketSet, now: Mono) -> Option<Mono> {
        let of_limits = self.numbers(drawn).into_iter().map(|number| self.buckets[number].closed_until());
        of_limits.chain([self.closed_until]).max().filter(|until| *until > now)
    }

    /// Cool-downs that are not over: a limit's name, or all of them, and until when.
    pub fn closings(&self, now: Mono) -> impl Iterator<Item = (Option<&str>, Mono)> {
        let single =
            self.buckets.iter().map(|bucket| (Some(bucket.spec().name.as_str()), bucket.closed_until()));
        std::iter::once((None, self.closed_until)).chain(single).filter(move |(_, until)| *until > now)
    }

    fn close_bucket(&mut self, number: usize, until: Mono) {
        let bucket = &mut self.buckets[number];
        let before = bucket.closed_until();
        bucket.close(until);
        if bucket.spec().scope == Scope::Every {
            self.close_all(until);
        } else if until > before.max(self.closed_until) {
            // One end is told, the last.
            self.closed.remove(&before);
            self.closed.insert(until);
            self.note(Change::BucketClosed { until });
        }
    }

    fn close_all(&mut self, until: Mono) {
        if until > self.closed_until {
            // One end is told, the last.
            self.closed.remove(&self.closed_until);
            self.closed_until = until;
            self.closed.insert(until);
            self.note(Change::BucketClosed { until });
        }
    }

    fn throttle(
        &mut self,
        permit: &Permit,
        class: Class,
        wait: Option<Duration>,
        remaining: Option<(&str, u64)>,
        now: Mono,
    ) {
        let named = remaining.and_then(|(name, _)| self.bucket_named(name));
        let empty = named.filter(|_| remaining.is_some_and(|(_, left)| left == 0));
        // Whoever counts a whole window, and says that something is left of it, throttles for another reason.
        let spared = named.filter(|number| empty.is_none() && self.buckets[*number].spec().told);
        let long = class == Class::QuotaExhausted;
        let single = self.single_limits(permit.call, empty, long);
        let throttling = self.throttling_of(single);
        let news = permit.id > throttling.after;
        let default = if long {
            QUOTA_COOL_DOWN
        } else {
            COOL_DOWN.saturating_mul(1 << throttling.in_row.min(10)).min(COOL_DOWN_MAX)
        };
        if news || wait.is_some() {
            let wait = if planted::is(Bug::RetryAfterIgnored) { Some(Duration::ZERO) } else { wait };
            let until = now + wait.unwrap_or(default).min(WAIT_MAX);
            let drawn = single.unwrap_or(permit.call);
            let named = named.filter(|number| drawn.has(*number) && spared.is_none());
            let blamed = named.or_else(|| self.likely_bucket(drawn, spared, long));
            if let Some(number) = blamed {
                self.buckets[number].drain(until, self.permits, now);
                self.buckets[number].cut(permit.id, self.permits, now);
            }
            match single {
                Some(single) => {
                    self.numbers(single).into_iter().for_each(|number| self.close_bucket(number, until))
                }
                None => self.close_all(until),
            }
        }
        if news {
            let throttling = Throttling { in_row: throttling.in_row.saturating_add(1), after: self.permits };
            match single {
                Some(single) => self
                    .numbers(single)
                    .into_iter()
                    .for_each(|number| self.buckets[number].throttling = throttling),
                None => self.throttling = throttling,
            }
            if self.numbers(permit.call).into_iter().all(|number| spared == Some(number)) {
                self.slots.halve(self.permits, now);
            }
        }
    }

    /// The limits of single operations that a throttled answer is about; `None`: it is about the whole target.
    fn single_limits(&self, drawn: BucketSet, empty: Option<usize>, long: bool) -> Option<BucketSet> {
        let is_single = |number: usize| self.buckets[number].spec().scope == Scope::Named;
        if let Some(number) = empty.filter(|number| drawn.has(*number) && is_single(*number)) {
            return Some(BucketSet::one(number));
        }
        let numbers = self.numbers(drawn);
        (!long && !numbers.is_empty() && numbers.into_iter().all(is_single)).then_some(drawn)
    }

    /// The state of what is throttled: of single limits the worst.
    fn throttling_of(&self, single: Option<BucketSet>) -> Throttling {
        let Some(single) = single else { return self.throttling };
        let states = self.numbers(single).into_iter().map(|number| self.buckets[number].throttling);
        states.max_by_key(|state| (state.after, state.in_row)).unwrap_or_default()
    }

    /// The target took a call: throttling is over, shares and cap grow back, as far as the call tried them. A call
    /// that went before the last throttling was answered says nothing about the time since.
    fn recover(&mut self, permit: &Permit, now: Mono) {
        let is_news = |throttling: Throttling| permit.id > throttling.after;
        let about_all = self.single_limits(permit.call, None, false).is_none();
        if is_news(self.throttling) {
            self.slots.recover(permit.id, now);
            if about_all {
                self.throttling.in_row = 0;
            }
        }
        let tried = is_news(self.throttling);
        for number in self.numbers(permit.call) {
            let bucket = &mut self.buckets[number];
            if is_news(bucket.throttling) {
                bucket.throttling.in_row = 0;
                if tried {
                    bucket.recover(now);
                }
            }
        }
    }

    /// Quota headers. The calls still in flight may not be in the target's count: they are taken off.
    fn count_down(&mut self, permit: &Permit, name: &str, left: u64, reset: Option<Duration>, now: Mono) {
        let Some(number) = self.bucket_named(name) else { return };
        let own = if permit.buckets.has(number) { u64::from(permit.cost) } else { 0 };
        let others = self.buckets[number].in_flight.saturating_sub(own);
        self.buckets[number].shrink(left.saturating_sub(others), permit.id, now);
        if let (0, Some(reset)) = (left, reset) {
            self.close_bucket(number, now + reset.min(WAIT_MAX));
        }
    }

    fn weigh(&mut self, permit: &Permit, health: Health, now: Mono) {
        let Some(breaker) = self.breakers.get_mut(permit.operation) else { return };
        if !breaker.learn(permit.epoch, health, now) {
            return;
        }
        let operation = self.queue.operation_name(permit.operation).to_owned();
        self.note(match self.breakers[permit.operation].state() {
            State::Closed => Change::BreakerClosed { operation },
            State::Open { .. } => Change::BreakerOpened { operation },
            State::HalfOpen { .. } => Change::BreakerHalfOpen { operation },
        });
    }

    /// By name; a target with one limit may call it as it likes.
    fn bucket_named(&self, name: &str) -> Option<usize> {
        let found = self.buckets.iter().position(|bucket| bucket.spec().name == name);
        found.or((self.buckets.len() == 1).then_some(0))
    }

    /// Which of these limits was hit, when the target does not say: the one that fills up soonest, or for quotas
    /// latest. It is not the `spared` one.
    fn likely_bucket(&self, drawn: BucketSet, spared: Option<usize>, long: bool) -> Option<usize> {
        let fills = |number: &usize| self.buckets[*number].fills_in();
        let numbers = self.numbers(drawn).into_iter().filter(|number| spared != Some(*number));
        if long { numbers.max_by_key(fills) } else { numbers.min_by_key(fills) }
    }

    /// The places of these limits.
    fn numbers(&self, set: BucketSet) -> Vec<usize> {
        (0..self.buckets.len()).filter(|number| set.has(*number)).collect()
    }
}
