//! The queue: what is wanted, by lane, operation, limits drawn from and due time, and what waits behind a
//! record's lock.
//!
//! Only the heads of a lock's waiters stand in line, at most one per lane, and none while the lock is held: a hot
//! record with a thousand wishes costs an admission no more than one. Every operation takes logarithmic time.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use canonical::{Mono, Object, RecordId};

use crate::breaker::Fitness;
use crate::dispatcher::{Party, Wanted};
use crate::draw::BucketSet;

/// What deliveries of one record and object share.
pub(crate) type LockKey = (RecordId, Object);

/// For each that may go along, so many in line are looked at.
const LOOKED_AT: usize = 4;

/// A wish's place in line: by due time, then sequence, then order of arrival.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    pub(crate) due: Mono,
    seq: i64,
    arrival: u64,
    slot: usize,
}

/// Lines of one operation whose calls draw from the same limits.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    pub(crate) operation: usize,
    /// The number of the set of limits.
    pub(crate) set: usize,
    /// Per lane and fitness.
    places: [[BTreeSet<Place>; 3]; 3],
}

#[derive(Clone, Debug)]
struct Held<T> {
    wanted: Wanted<T>,
    place: Place,
    /// Which lines it belongs to.
    lines: usize,
}

/// Who holds a lock.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Holder<T> {
    Nobody,
    /// A call in flight.
    Call,
    /// No call; the work of this token may go on under it.
    Kept(T),
}

#[derive(Clone, Debug)]
struct Lock<T> {
    holder: Holder<T>,
    /// Who waits for it, by lane.
    waiters: [BTreeSet<Place>; 3],
    /// Those of them that stand in line.
    in_line: [Option<Place>; 3],
}

#[derive(Clone, Debug)]
pub(crate) struct Queue<T> {
    slots: Vec<Option<Held<T>>>,
    free: Vec<usize>,
    by_token: BTreeMap<T, usize>,
    by_operation: BTreeMap<String, usize>,
    /// The limits there are.
    every: BucketSet,
    /// The sets of limits that calls draw from.
    sets: Vec<BucketSet>,
    lines: Vec<Lines>,
    locks: BTreeMap<LockKey, Lock<T>>,
    per_lane: [usize; 3],
    arrivals: u64,
}

impl<T: Clone + Ord> Queue<T> {
    /// A queue for calls of a system with so many limits.
    pub(crate) fn new(buckets: usize) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_token: BTreeMap::new(),
            by_operation: BTreeMap::new(),
            every: BucketSet::first(buckets),
            sets: Vec::new(),
            lines: Vec::new(),
            locks: BTreeMap::new(),
            per_lane: [0; 3],
            arrivals: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_token.len()
    }

    /// How many wishes of each lane are held.
    pub(crate) const fn per_lane(&self) -> [usize; 3] {
        self.per_lane
    }

    pub(crate) fn contains(&self, token: &T) -> bool {
        self.by_token.contains_key(token)
    }

    /// Operations by name, with their numbers.
    pub(crate) fn operations(&self) -> impl Iterator<Item = (&str, usize)> {
        self.by_operation.iter().map(|(name, number)| (name.as_str(), *number))
    }

    pub(crate) fn operation_count(&self) -> usize {
        self.by_operation.len()
    }

    /// The sets of limits that calls draw from, by their numbers. There are as few as operations.
    pub(crate) fn sets(&self) -> &[BucketSet] {
        &self.sets
    }

    /// All lines there are: a few per operation.
    pub(crate) fn lines(&self) -> &[Lines] {
        &self.lines
    }

    /// Adds a wish, in place of one with an equal token.
    pub(crate) fn insert(&mut self, wanted: Wanted<T>) {
        self.remove(&wanted.token);
        let lines = self.lines_for(&wanted);
        let slot = self.free.pop().unwrap_or(self.slots.len());
        self.arrivals += 1;
        let place = Place { due: wanted.due, seq: wanted.seq, arrival: self.arrivals, slot };
        let lane = lane(&wanted);
        self.by_token.insert(wanted.token.clone(), slot);
        self.per_lane[lane] += 1;
        let lock = wanted.lock.clone();
        let held = Some(Held { wanted, place, lines });
        if slot == self.slots.len() {
            self.slots.push(held);
        } else {
            self.slots[slot] = held;
        }
        match lock {
            None => self.enter_line(place),
            Some(key) => {
                self.locks.entry(key.clone()).or_insert_with(Lock::free).waiters[lane].insert(place);
                self.line_up(&key);
            }
        }
    }

    /// Takes a wish out, if it is held.
    pub(crate) fn remove(&mut self, token: &T) -> Option<Wanted<T>> {
        let slot = *self.by_token.get(token)?;
        self.take(slot, |lock| lock)
    }

    /// Takes the wish at `place` out, and its lock, for a call.
    pub(crate) fn start(&mut self, place: Place) -> Option<Wanted<T>> {
        self.take(place.slot, |_| Holder::Call)
    }

    /// The call or the keeping is over.
    pub(crate) fn unlock(&mut self, key: &LockKey) {
        self.pass_lock(key, Holder::Nobody);
    }

    /// The call is over, the lock stays for the work of `token`.
    pub(crate) fn keep(&mut self, key: &LockKey, token: T) {
        self.pass_lock(key, Holder::Kept(token));
    }

    /// Keeps a lock that no call holds; false when one does.
    pub(crate) fn hold(&mut self, key: &LockKey, token: T) -> bool {
        if self.locks.get(key).is_some_and(|lock| lock.holder == Holder::Call) {
            return false;
        }
        self.locks.entry(key.clone()).or_insert_with(Lock::free);
        self.keep(key, token);
        true
    }

    /// The keeping goes over into a call; false when nobody keeps the lock, and then nothing changes.
    pub(crate) fn resume(&mut self, key: &LockKey) -> bool {
        let kept = self.is_kept(key);
        if kept {
            self.pass_lock(key, Holder::Call);
        }
        kept
    }

    /// Whether the lock is kept without a call.
    pub(crate) fn is_kept(&self, key: &LockKey) -> bool {
        self.locks.get(key).is_some_and(|lock| matches!(lock.holder, Holder::Kept(_)))
    }

    /// Takes the wish at `place` out; its lock stays as it is.
    pub(crate) fn take_out(&mut self, place: Place) -> Option<Wanted<T>> {
        self.take(place.slot, |lock| lock)
    }

    /// What no other call may be about while that wish's is under way.
    pub(crate) fn serial(&self, place: Place) -> Option<&Arc<str>> {
        self.slots.get(place.slot)?.as_ref()?.wanted.serial.as_ref()
    }

    /// Where a wish stands in line, if it does.
    pub(crate) fn standing(&self, token: &T) -> Option<Place> {
        let slot = *self.by_token.get(token)?;
        let held = self.slots.get(slot)?.as_ref()?;
        let line = &self.lines.get(held.lines)?.places[lane(&held.wanted)][fitness(&held.wanted) as usize];
        line.contains(&held.place).then_some(held.place)
    }

    /// Those that stand in line with a wish, are ready, and may go along with it: the first of them.
    pub(crate) fn companions(&self, first: &Wanted<T>, party: Party, now: Mono) -> Vec<Place> {
        let drawn = first.buckets.both(self.every);
        let Some(operation) = self.by_operation.get(&first.operation) else { return Vec::new() };
        let of = |lines: &&Lines| lines.operation == *operation && self.sets.get(lines.set) == Some(&drawn);
        let Some(lines) = self.lines.iter().find(of) else { return Vec::new() };
        let fits = |place: &&Place| {
            let held = self.slots.get(place.slot).and_then(Option::as_ref);
            held.is_some_and(|held| held.wanted.party == Some(party) && held.wanted.cost == first.cost)
        };
        let ready =
            lines.places[lane(first)][fitness(first) as usize].iter().take_while(|place| place.due <= now);
        // Others stand between them: those are looked at, but not without end.
        let looked_at = ready.take(party.most.saturating_mul(LOOKED_AT));
        looked_at.filter(fits).take(party.most.saturating_sub(1)).copied().collect()
    }

    /// What the wish at `place` costs.
    pub(crate) fn cost(&self, place: Place) -> u32 {
        self.slots.get(place.slot).and_then(Option::as_ref).map_or(0, |held| held.wanted.cost)
    }

    /// Due and not yet due in line, per lane. Walks all that is due.
    pub(crate) fn in_line(&self, now: Mono) -> ([usize; 3], usize) {
        let mut due = [0; 3];
        let mut all = 0;
        for lines in &self.lines {
            for (lane, lines) in lines.places.iter().enumerate() {
                for line in lines {
                    all += line.len();
                    due[lane] += line.iter().take_while(|place| place.due <= now).count();
                }
            }
        }
        (due, all - due.iter().sum::<usize>())
    }

    /// The operation has a number from now on.
    pub(crate) fn know(&mut self, name: &str) {
        self.operation(name);
    }

    /// The number of an operation, new or known. Their names come from the manifest: there are few.
    fn operation(&mut self, name: &str) -> usize {
        if let Some(number) = self.by_operation.get(name) {
            return *number;
        }
        let number = self.by_operation.len();
        self.by_operation.insert(name.to_owned(), number);
        number
    }

    /// The lines that a wish belongs to, new or known.
    fn lines_for(&mut self, wanted: &Wanted<T>) -> usize {
        let operation = self.operation(&wanted.operation);
        let drawn = wanted.buckets.both(self.every);
        let set = self.sets.iter().position(|set| *set == drawn).unwrap_or_else(|| {
            self.sets.push(drawn);
            self.sets.len() - 1
        });
        let known = self.lines.iter().position(|lines| lines.operation == operation && lines.set == set);
        known.unwrap_or_else(|| {
            self.lines.push(Lines { operation, set, places: Default::default() });
            self.lines.len() - 1
        })
    }

    /// The name of an operation.
    pub(crate) fn operation_name(&self, number: usize) -> &str {
        self.operations().find(|(_, n)| *n == number).map_or("", |(name, _)| name)
    }

    fn take(&mut self, slot: usize, holder: impl FnOnce(Holder<T>) -> Holder<T>) -> Option<Wanted<T>> {
        let held = self.slots.get_mut(slot)?;
        let (place, wanted_lock, in_lane) = {
            let held = held.as_ref()?;
            (held.place, held.wanted.lock.clone(), lane(&held.wanted))
        };
        match wanted_lock {
            None => self.leave_line(place),
            Some(key) => {
                if let Some(lock) = self.locks.get_mut(&key) {
                    lock.waiters[in_lane].remove(&place);
                    let next = holder(lock.holder.clone());
                    // It stands in line, perhaps: out first, while its slot still says where.
                    self.pass_lock_keeping(&key, next);
                }
            }
        }
        let held = self.slots.get_mut(slot).and_then(Option::take)?;
        self.free.push(slot);
        self.by_token.remove(&held.wanted.token);
        self.per_lane[in_lane] -= 1;
        Some(held.wanted)
    }

    fn pass_lock(&mut self, key: &LockKey, holder: Holder<T>) {
        if self.locks.contains_key(key) {
            self.pass_lock_keeping(key, holder);
        }
    }

    fn pass_lock_keeping(&mut self, key: &LockKey, holder: Holder<T>) {
        if let Some(lock) = self.locks.get_mut(key) {
            lock.holder = holder;
        }
        self.line_up(key);
    }

    /// Puts in line who may stand there for this lock, and forgets a lock that nobody holds or wants.
    fn line_up(&mut self, key: &LockKey) {
        let Entry::Occupied(mut entry) = self.locks.entry(key.clone()) else { return };
        let lock = entry.get_mut();
        let mut wanted = [None; 3];
        match &lock.holder {
            Holder::Nobody => wanted = [0, 1, 2].map(|lane| lock.waiters[lane].first().copied()),
            Holder::Call => {}
            Holder::Kept(token) => {
                let slot = self.by_token.get(token).copied();
                let held = slot.and_then(|slot| self.slots[slot].as_ref());
                if let Some(held) = held.filter(|held| held.wanted.lock.as_ref() == Some(key)) {
                    let lane = lane(&held.wanted);
                    wanted[lane] = lock.waiters[lane].get(&held.place).copied();
                }
            }
        }
        let before = std::mem::replace(&mut lock.in_line, wanted);
        if lock.holder == Holder::Nobody && lock.waiters.iter().all(BTreeSet::is_empty) {
            entry.remove();
        }
        for lane in 0..3 {
            if before[lane] != wanted[lane] {
                before[lane].into_iter().for_each(|place| self.leave_line(place));
                wanted[lane].into_iter().for_each(|place| self.enter_line(place));
            }
        }
    }

    fn enter_line(&mut self, place: Place) {
        if let Some(line) = self.line_of(place) {
            line.insert(place);
        }
    }

    fn leave_line(&mut self, place: Place) {
        if let Some(line) = self.line_of(place) {
            line.remove(&place);
        }
    }

    fn line_of(&mut self, place: Place) -> Option<&mut BTreeSet<Place>> {
        let held = self.slots.get(place.slot)?.as_ref()?;
        let (lane, fitness) = (lane(&held.wanted), fitness(&held.wanted));
        Some(&mut self.lines[held.lines].places[lane][fitness as usize])
    }
}

impl Lines {
    /// First in line of a lane and fitness.
    pub(crate) fn head(&self, lane: usize, fitness: Fitness) -> Option<Place> {
        self.places[lane][fitness as usize].first().copied()
    }
}

impl<T> Lock<T> {
    fn free() -> Self {
        Self { holder: Holder::Nobody, waiters: Default::default(), in_line: [None; 3] }
    }
}

fn lane<T>(wanted: &Wanted<T>) -> usize {
    usize::from(wanted.lane.number())
}

fn fitness<T>(wanted: &Wanted<T>) -> Fitness {
    match (wanted.poison, wanted.safe) {
        (true, _) => Fitness::Poison,
        (false, true) => Fitness::Safe,
        (false, false) => Fitness::Plain,
    }
}
