//! Permits: the right to make one call, how it is given back, and who keeps the record's lock after it.

use canonical::{Mono, Object, RecordId};

use super::{Dispatcher, Flight};
use crate::draw::BucketSet;

/// The right to make one call. Must be given back with [`Dispatcher::release`] or
/// [`Dispatcher::release_keeping_lock`], whatever came of the call.
#[derive(PartialEq, Eq, Debug)]
#[must_use = "a permit that is not given back keeps its slot for ever"]
pub struct Permit {
    pub(super) id: u64,
    /// The first permit of the call: its own, unless it went along with another.
    pub(super) party: u64,
    pub(super) operation: usize,
    /// The breaker's epoch when the call went.
    pub(super) epoch: u64,
    /// Whether it tries out an operation that has served nobody since it fell ill.
    pub(super) trial: bool,
    pub(super) buckets: BucketSet,
    pub(super) cost: u32,
    pub(super) given_at: Mono,
    /// What its present call draws from: what an answer may be about.
    pub(super) call: BucketSet,
}

impl Permit {
    /// Whether it was given to try if an operation works again that has served nobody since it fell ill: a failure is the
    /// target's, not the record's.
    #[must_use]
    pub const fn is_trial(&self) -> bool {
        self.trial
    }

    /// Whether it has been charged at least so much in each of these limits.
    #[must_use]
    pub const fn covers(&self, buckets: BucketSet, cost: u32) -> bool {
        self.buckets.covers(buckets) && self.cost >= cost
    }

    /// Says that the call now made draws from these of its limits only: one permit may pay for a look and the write
    /// that follows, and an answer to the look says nothing about the write's limits.
    pub const fn use_for(&mut self, buckets: BucketSet) {
        self.call = self.buckets.both(buckets);
    }
}

impl<T: Clone + Ord> Dispatcher<T> {
    /// Gives a permit back, and the record's lock. `now` is when the call ended.
    pub fn release(&mut self, permit: Permit, now: Mono) {
        if let Some(Flight { lock: Some(key), .. }) = self.land(permit, true, now) {
            self.queue.unlock(&key);
        }
    }

    /// Gives a permit back, and the record's lock, when no call was made: what it was charged comes back, as far as
    /// the limits would still have it (I9).
    pub fn release_unused(&mut self, permit: Permit, now: Mono) {
        if self.is_last_unused(&permit) {
            for (number, bucket) in self.buckets.iter_mut().enumerate() {
                if permit.buckets.has(number) {
                    bucket.give_back(permit.cost, permit.given_at, now);
                }
            }
        }
        if let Some(Flight { lock: Some(key), .. }) = self.land(permit, false, now) {
            self.queue.unlock(&key);
        }
    }

    /// Gives a permit back and keeps the record's lock: the delivery is not at its end (it is in doubt, or waits for
    /// its next attempt), and no other of that record and object may pass it. A wish with the same token, or without
    /// a lock, may go on under it. Ends with [`Self::unlock`], or with the release of a call of the same token.
    pub fn release_keeping_lock(&mut self, permit: Permit, now: Mono) {
        if let Some(Flight { lock: Some(key), token }) = self.land(permit, true, now) {
            self.queue.keep(&key, token);
        }
    }

    /// Keeps a lock for the work of `token` without a call, as for intents found open after a restart. False when a
    /// call holds it.
    pub fn hold(&mut self, record: RecordId, object: &Object, token: T) -> bool {
        self.queue.hold(&(record, object.clone()), token)
    }

    /// Ends the keeping of a lock. A call in flight keeps its own.
    pub fn unlock(&mut self, record: RecordId, object: &Object) {
        let key = (record, object.clone());
        if self.queue.is_kept(&key) {
            self.queue.unlock(&key);
        }
    }

    fn land(&mut self, permit: Permit, used: bool, now: Mono) -> Option<Flight<T>> {
        let flight = self.in_flight.remove(&permit.id)?;
        if !self.is_over(permit.party, used) {
            return Some(flight);
        }
        for woken in self.serials.over(permit.party) {
            self.queue.insert(woken);
        }
        self.advance(now);
        for (number, bucket) in self.buckets.iter_mut().enumerate() {
            if permit.buckets.has(number) {
                bucket.in_flight = bucket.in_flight.saturating_sub(u64::from(permit.cost));
            }
        }
        if let Some(breaker) = self.breakers.get_mut(permit.operation) {
            breaker.over(permit.epoch);
        }
        Some(flight)
    }
}
