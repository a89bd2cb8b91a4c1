//! What no two calls may be about at once, beside a record: such as the parent of several records, where the vendor
//! locks its row.
//!
//! A key is taken by a call, and free when the call is over. Wishes that are known to need a key sleep while another
//! call has it: they are held, and in no line. A key that comes free wakes them all, since nobody knows who of them may
//! go; who finds it taken again sleeps on. That is as much work as is held in memory, once for each call. A key can be
//! shut: then no call gets it, and who needs it sleeps, until it is opened again.

use std::collections::BTreeMap;
use std::sync::Arc;

use canonical::Mono;

use crate::dispatcher::Wanted;

/// Among sleepers: by due time, then sequence, then order of arrival.
type Turn = (Mono, i64, u64);

#[derive(Clone, Debug)]
struct Serial<T> {
    /// The call that has it.
    held_by: Option<u64>,
    /// Nobody gets it.
    shut: bool,
    asleep: BTreeMap<Turn, Wanted<T>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Serials<T> {
    keys: BTreeMap<Arc<str>, Serial<T>>,
    /// Where a sleeper is.
    places: BTreeMap<T, (Arc<str>, Turn)>,
    /// What each call has.
    taken: BTreeMap<u64, Vec<Arc<str>>>,
    per_lane: [usize; 3],
    arrivals: u64,
}

impl<T> Default for Serials<T> {
    fn default() -> Self {
        Self {
            keys: BTreeMap::new(),
            places: BTreeMap::new(),
            taken: BTreeMap::new(),
            per_lane: [0; 3],
            arrivals: 0,
        }
    }
}

impl<T: Clone + Ord> Serials<T> {
    /// How many sleep, per lane.
    pub(crate) const fn per_lane(&self) -> [usize; 3] {
        self.per_lane
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn contains(&self, token: &T) -> bool {
        self.places.contains_key(token)
    }

    /// Whether the call may have the key, or has it.
    pub(crate) fn is_free_for(&self, key: &str, call: u64) -> bool {
        self.keys.get(key).is_none_or(|serial| match serial.held_by {
            Some(holder) => holder == call,
            None => !serial.shut,
        })
    }

    pub(crate) fn is_free(&self, key: &str) -> bool {
        self.keys.get(key).is_none_or(|serial| serial.held_by.is_none() && !serial.shut)
    }

    /// The call has the key until it is over.
    pub(crate) fn take(&mut self, key: &Arc<str>, call: u64) {
        let serial = self.entry(key);
        if serial.held_by.replace(call) != Some(call) {
            self.taken.entry(call).or_default().push(Arc::clone(key));
        }
    }

    /// A wish sleeps until the key is free.
    pub(crate) fn sleep(&mut self, key: &Arc<str>, wanted: Wanted<T>) {
        self.arrivals += 1;
        let turn = (wanted.due, wanted.seq, self.arrivals);
        self.per_lane[usize::from(wanted.lane.number())] += 1;
        self.places.insert(wanted.token.clone(), (Arc::clone(key), turn));
        self.entry(key).asleep.insert(turn, wanted);
    }

    /// Takes a sleeper out.
    pub(crate) fn remove(&mut self, token: &T) -> Option<Wanted<T>> {
        let (key, turn) = self.places.remove(token)?;
        let serial = self.keys.get_mut(&key)?;
        let wanted = serial.asleep.remove(&turn)?;
        self.per_lane[usize::from(wanted.lane.number())] -= 1;
        Some(wanted)
    }

    /// The call is over: its keys are free, unless they are shut. Who is woken, each key's in their order.
    pub(crate) fn over(&mut self, call: u64) -> Vec<Wanted<T>> {
        let mut woken = Vec::new();
        for key in self.taken.remove(&call).into_iter().flatten() {
            match self.keys.get_mut(&key) {
                Some(serial) if serial.shut => serial.held_by = None,
                _ => woken.extend(self.wake(&key)),
            }
        }
        woken
    }

    /// Nobody gets the key any more. A call that has it keeps it.
    pub(crate) fn shut(&mut self, key: &Arc<str>) {
        self.entry(key).shut = true;
    }

    /// The key can be had again. Who is woken, in their order: nobody while a call has it.
    pub(crate) fn reopen(&mut self, key: &Arc<str>) -> Vec<Wanted<T>> {
        match self.keys.get_mut(key) {
            Some(serial) if serial.held_by.is_some() => {
                serial.shut = false;
                Vec::new()
            }
            Some(_) => self.wake(key),
            None => Vec::new(),
        }
    }

    /// Forgets the key; those that slept for it are awake.
    fn wake(&mut self, key: &Arc<str>) -> Vec<Wanted<T>> {
        let Some(serial) = self.keys.remove(key) else { return Vec::new() };
        let woken: Vec<Wanted<T>> = serial.asleep.into_values().collect();
        for wanted in &woken {
            self.places.remove(&wanted.token);
            self.per_lane[usize::from(wanted.lane.number())] -= 1;
        }
        woken
    }

    fn entry(&mut self, key: &Arc<str>) -> &mut Serial<T> {
        self.keys.entry(Arc::clone(key)).or_insert_with(|| Serial {
            held_by: None,
            shut: false,
            asleep: BTreeMap::new(),
        })
    }
}
