//! Which call goes next, where calls draw from different limits.
//!
//! Those that are ready are asked in turn: the first of each flow, hindmost flow first. One that cannot be
//! paid for yet
//! gets a reservation: the time at which it can. Another may pass it when that does not make it wait longer; so a
//! call that waits for a dry limit holds up only those that would take from it what it needs by then, and nobody who
//! draws from other limits. Reservations never move back by what passes, and a flow advances only by its own calls:
//! none starves.
//!
//! Flows that draw from the same limits pass each other only at the reserve's expense: among them turns are strict.

use canonical::Mono;

use super::{CRITICAL, Dispatcher};
use crate::breaker::Fitness;
use crate::bucket::{Price, Purse};
use crate::flows::FlowKey;
use crate::queue::Place;

/// What could go, by limits and lane, and when more could.
pub(super) struct Survey {
    /// By number of the set, then by lane.
    pub(super) ready: Vec<[Option<Ready>; 3]>,
    /// When the next becomes ready by time alone.
    pub(super) later: Option<Mono>,
}

/// The first of a flow.
#[derive(Clone, Copy)]
pub(super) struct Ready {
    pub(super) place: Place,
    pub(super) operation: usize,
    pub(super) flow: FlowKey,
}

/// The one that goes.
pub(super) struct Choice {
    pub(super) ready: Ready,
    pub(super) purse: Purse,
    /// How many were before it in turn.
    pub(super) passed: usize,
}

/// One that cannot go yet.
struct Waiting {
    flow: FlowKey,
    price: Price,
    /// Then it can.
    at: Mono,
}

impl Waiting {
    /// The same, as far as it waits for both parts of its limits together. What it waits for in the common
    /// part alone,
    /// the reserve only helps with.
    const fn with_reserve(&self) -> Self {
        Self { flow: self.flow, price: Price { cost: self.price.cost, purse: Purse::All }, at: self.at }
    }
}

impl Survey {
    pub(super) fn has_work(&self) -> impl Iterator<Item = [bool; 3]> {
        self.ready.iter().map(|lanes| lanes.map(|ready| ready.is_some()))
    }
}

impl<T: Clone + Ord> Dispatcher<T> {
    /// Looks at the heads of all lines: there are few, so that the cost does not grow with what is held (I19).
    pub(super) fn survey(&self, now: Mono) -> Survey {
        let mut survey = Survey { ready: vec![[None; 3]; self.queue.sets().len()], later: None };
        for lines in self.queue.lines() {
            let Some(breaker) = self.breakers.get(lines.operation) else { continue };
            for fitness in Fitness::ALL {
                let Some(opens) = breaker.admits_at(fitness) else { continue };
                for lane in 0..3 {
                    let Some(place) = lines.head(lane, fitness) else { continue };
                    let at = place.due.max(opens).max(self.lanes_closed_until[lane]);
                    let best = &mut survey.ready[lines.set][lane];
                    if at > now {
                        survey.later = Some(survey.later.map_or(at, |later| later.min(at)));
                    } else if best.is_none_or(|best| place < best.place) {
                        *best = Some(Ready { place, operation: lines.operation, flow: (lines.set, lane) });
                    }
                }
            }
        }
        survey
    }

    /// Who is asked first: the hindmost flow; of equals the most urgent lane, then the first in line.
    pub(super) fn in_turn(&self, survey: &Survey) -> Vec<Ready> {
        let mut order: Vec<Ready> = survey.ready.iter().flatten().flatten().copied().collect();
        order.sort_by_key(|ready| (self.flows.position(ready.flow), ready.flow.1, ready.place));
        order
    }

    /// Who goes now, or else when somebody may: `None` for not by time alone.
    pub(super) fn choose(&self, order: &[Ready], now: Mono) -> Result<Choice, Option<Mono>> {
        let mut waiting: Vec<Waiting> = Vec::new();
        let mut wakeup: Option<Mono> = None;
        for (passed, &ready) in order.iter().enumerate() {
            let (set, lane) = ready.flow;
            let cost = self.queue.cost(ready.place);
            let purse = if lane == CRITICAL { Purse::All } else { Purse::Common };
            let price = Price { cost, purse };
            let Some(mut at) = self.payable_at(set, price, now) else { continue };
            for before in &waiting {
                // Judged as of when it can be paid, whenever that is asked: from which part it would be paid now says nothing.
                if before.flow.0 == set || self.delays(ready.flow, price, before, at) {
                    at = at.max(before.at);
                }
            }
            if at <= now {
                return Ok(Choice { ready, purse, passed });
            }
            // Critical work need not wait for its turn: it has a reserve. But it may not spend it before those that
            // need it as well and were there first.
            if lane == CRITICAL && !waiting.is_empty() {
                let price = Price { cost, purse: Purse::Reserve };
                let mut others =
                    waiting.iter().filter(|before| before.flow.1 == CRITICAL || self.is_dear(before));
                match self.payable_at(set, price, now) {
                    Some(at) if at > now => wakeup = earlier(wakeup, at),
                    Some(_)
                        if !others
                            .any(|before| self.delays(ready.flow, price, &before.with_reserve(), now)) =>
                    {
                        return Ok(Choice { ready, purse: Purse::Reserve, passed });
                    }
                    _ => {}
                }
            }
            wakeup = earlier(wakeup, at);
            waiting.push(Waiting { flow: ready.flow, price, at });
        }
        Err(wakeup)
    }

    /// When all limits of the set can pay; without limits at once.
    fn payable_at(&self, set: usize, price: Price, now: Mono) -> Option<Mono> {
        let drawn = self.queue.sets()[set];
        let buckets = self.buckets.iter().enumerate().filter(|(number, _)| drawn.has(*number));
        buckets
            .map(|(_, bucket)| bucket)
            .try_fold(now, |at, bucket| Some(at.max(bucket.payable_at(price.cost, price.purse, now)?)))
    }

    /// Whether it is dearer than the whole common part of a limit: then it waits for the reserve too.
    fn is_dear(&self, waiting: &Waiting) -> bool {
        let drawn = self.queue.sets()[waiting.flow.0];
        let mut buckets = self.buckets.iter().enumerate().filter(|(number, _)| drawn.has(*number));
        buckets.any(|(_, bucket)| bucket.is_dear(waiting.price.cost))
    }

    /// Whether paying for one of this flow then makes the other wait longer.
    fn delays(&self, (set, _): FlowKey, price: Price, other: &Waiting, then: Mono) -> bool {
        let common = self.queue.sets()[set].both(self.queue.sets()[other.flow.0]);
        let buckets = self.buckets.iter().enumerate().filter(|(number, _)| common.has(*number));
        let mut times = buckets.map(|(_, bucket)| bucket.payable_after(price, other.price, then));
        times.any(|at| at.is_none_or(|at| at > other.at))
    }
}

fn earlier(wakeup: Option<Mono>, at: Mono) -> Option<Mono> {
    Some(wakeup.map_or(at, |wakeup| wakeup.min(at)))
}
