//! Parties: wishes that go in one call; and turns, of which no two calls have the same.
//!
//! Together the wishes of a party take one slot and are charged once; each keeps its own record's lock and its own
//! permit, so that each can be in doubt, or at its end, by itself.

use std::sync::Arc;

use canonical::{Mono, Object, RecordId};

use super::{Dispatcher, Flight, Permit, Wanted};
use crate::queue::Place;

/// With whom a wish may go in one call: with those of the same kind, at most so many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Party {
    /// Equal for wishes that fit together; the caller's to choose.
    pub kind: u64,
    /// Most in one call, from 2 on.
    pub most: usize,
}

/// Permits of one call that are still out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Members {
    out: usize,
    /// Whether one that is back had made a call.
    used: bool,
}

impl<T: Clone + Ord> Dispatcher<T> {
    /// Lets others go along with a wish that was just admitted: as many of its party as are ready and as urgent. Nobody
    /// is waited for. They are charged nothing and take no slot: whoever holds these permits makes one call under all
    /// of them; the slot is free when the last is given back, and the charge comes back when none was used.
    pub fn join(&mut self, permit: &Permit, first: &Wanted<T>, now: Mono) -> Vec<(Wanted<T>, Permit)> {
        let Some(party) = first.party else { return Vec::new() };
        let mut joined = Vec::new();
        for place in self.queue.companions(first, party, now) {
            let serial = self.queue.serial(place);
            if serial.is_some_and(|key| !self.serials.is_free_for(key, permit.party)) {
                continue;
            }
            let Some(wanted) = self.start(place, permit.party) else { continue };
            self.permits += 1;
            let flight = Flight { token: wanted.token.clone(), lock: wanted.lock.clone() };
            self.in_flight.insert(self.permits, flight);
            joined.push((wanted, Permit { id: self.permits, ..permit.again() }));
        }
        if !joined.is_empty() {
            self.parties.insert(permit.party, Members { out: 1 + joined.len(), used: false });
            self.companions += joined.len();
        }
        joined
    }

    /// Lets one more go along under the permit, in whatever line it stands, as long as it is due and nothing else has
    /// what it needs: what can only go whole is put together so. `None` leaves it where it is.
    pub fn bring(&mut self, permit: &Permit, token: &T, now: Mono) -> Option<(Wanted<T>, Permit)> {
        let place = self.queue.standing(token).filter(|place| place.due <= now)?;
        let serial = self.queue.serial(place);
        if serial.is_some_and(|key| !self.serials.is_free_for(key, permit.party)) {
            return None;
        }
        let wanted = self.start(place, permit.party)?;
        self.permits += 1;
        let flight = Flight { token: wanted.token.clone(), lock: wanted.lock.clone() };
        self.in_flight.insert(self.permits, flight);
        self.parties.entry(permit.party).or_insert(Members { out: 1, used: false }).out += 1;
        self.companions += 1;
        Some((wanted, Permit { id: self.permits, ..permit.again() }))
    }

    /// One more permit of the call, for work of `token` that is kept without a wish and is settled by this call's answer:
    /// the lock that is kept for it, whoever kept it, is this permit's until it is given back. None other is touched:
    /// where nothing is kept, the permit is without a lock.
    pub fn lend(&mut self, permit: &Permit, record: RecordId, object: &Object, token: T) -> Permit {
        let key = (record, object.clone());
        let lock = self.queue.resume(&key).then_some(key);
        self.permits += 1;
        self.in_flight.insert(self.permits, Flight { token, lock });
        self.parties.entry(permit.party).or_insert(Members { out: 1, used: false }).out += 1;
        self.companions += 1;
        // What the look tried out is not what these were sent by.
        Permit { id: self.permits, trial: false, ..permit.again() }
    }

    /// Whether the permit's call may have the key: no other call has it, and nobody keeps it shut.
    #[must_use]
    pub fn is_turn_free(&self, permit: &Permit, key: &Arc<str>) -> bool {
        self.serials.is_free_for(key, permit.party)
    }

    /// From now on no call gets the key, until [`Self::reopen`]: who needs it sleeps.
    pub fn shut(&mut self, key: &Arc<str>) {
        self.serials.shut(key);
    }

    /// Calls get the key again, one at a time.
    pub fn reopen(&mut self, key: &Arc<str>) {
        for woken in self.serials.reopen(key) {
            self.queue.insert(woken);
        }
    }

    /// Whether the permit was given for a call that others share.
    #[must_use]
    pub fn is_shared(&self, permit: &Permit) -> bool {
        self.parties.contains_key(&permit.party)
    }

    /// Takes a key for as long as the permit's call lasts: no other call has it meanwhile. False when one does.
    pub fn take_turn(&mut self, permit: &Permit, key: &Arc<str>) -> bool {
        self.serials.is_free_for(key, permit.party) && {
            self.serials.take(key, permit.party);
            true
        }
    }

    /// Takes the wish at `place` out for that call, with what it is known to need.
    pub(super) fn start(&mut self, place: Place, call: u64) -> Option<Wanted<T>> {
        let wanted = self.queue.start(place)?;
        if let Some(key) = &wanted.serial {
            self.serials.take(key, call);
        }
        Some(wanted)
    }

    /// Whether the wish must sleep because another call has what it needs: then it does.
    pub(super) fn falls_asleep(&mut self, place: Place) -> bool {
        let Some(key) = self.queue.serial(place).filter(|key| !self.serials.is_free(key)).cloned() else {
            return false;
        };
        let Some(wanted) = self.queue.take_out(place) else { return false };
        self.serials.sleep(&key, wanted);
        true
    }

    /// Whether nothing was called under any permit of the call, and this is the last one out.
    pub(super) fn is_last_unused(&self, permit: &Permit) -> bool {
        self.parties.get(&permit.party).is_none_or(|members| members.out <= 1 && !members.used)
    }

    /// A permit of a call came back; true when it was the last.
    pub(super) fn is_over(&mut self, party: u64, used: bool) -> bool {
        let Some(members) = self.parties.get_mut(&party) else { return true };
        members.used |= used;
        if members.out <= 1 {
            self.parties.remove(&party);
            return true;
        }
        members.out -= 1;
        self.companions -= 1;
        false
    }
}

impl Permit {
    /// Of which call it is: equal for those that go together.
    #[must_use]
    pub const fn party(&self) -> u64 {
        self.party
    }

    /// The same once more, for another of the same call.
    const fn again(&self) -> Self {
        Self {
            id: self.id,
            party: self.party,
            operation: self.operation,
            epoch: self.epoch,
            trial: self.trial,
            buckets: self.buckets,
            cost: self.cost,
            given_at: self.given_at,
            call: self.call,
        }
    }
}
