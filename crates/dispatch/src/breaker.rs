//! Circuit breaker of one operation: stops calling what is ill, and tries carefully.
//!
//! **Closed**: calls go; a rolling window counts good, slow and ill answers. **Open** when there were enough calls and
//! too many of them ill or slow: nothing goes. **Half-open** after its time: a few trials go; enough good answers close
//! it, one that is ill or slow opens it for twice as long.
//!
//! An operator can **force** it open or closed: then answers are counted, and move nothing. When the word is taken back,
//! one that was forced open tries carefully, one that was forced closed starts afresh.
//!
//! Trials are reads or writes that can be repeated, of records that have not failed before. If none such is wanted
//! for as long as the breaker stays open the first time, any write may try, one at a time; after twice that, a
//! record that failed before too: an operation with no safe work would otherwise never come back.
//!
//! Only answers about the target's health count. Throttling, stale tokens and refusals are neither good nor ill. A good
//! answer that took too long is slow: it holds a slot that others wait for, and is often the last before none come. An
//! answer to a call admitted before the last change of state says nothing about now.

use std::time::Duration;

use canonical::Mono;
use planted::Bug;

use crate::limits::BreakerSpec;

/// The rolling window is kept in so many slices.
const SLICES: usize = 10;
/// Doublings of the open time; beyond, `open_for_max` has long been reached.
const DOUBLINGS_MAX: u32 = 20;

/// What a call can serve as when the breaker is half-open, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Fitness {
    /// A read or a repeatable write of a record that has not failed.
    Safe = 0,
    /// Another write.
    Plain = 1,
    /// Failed before: perhaps its own fault.
    Poison = 2,
}

impl Fitness {
    pub(crate) const ALL: [Self; 3] = [Self::Safe, Self::Plain, Self::Poison];
}

/// What an answer says about the target's health.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Health {
    Good,
    /// Good, but late.
    Slow,
    Ill,
}

/// What an operator says of a breaker, whatever it would do by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forced {
    /// Nothing goes.
    Open,
    /// Everything goes.
    Closed,
}

/// Answers in the rolling window.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Counts {
    pub(crate) good: u32,
    pub(crate) slow: u32,
    pub(crate) ill: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Closed,
    Open { until: Mono },
    HalfOpen { since: Mono, in_flight: u32, good: u32 },
}

#[derive(Clone, Copy, Default, Debug)]
struct Slice {
    /// Which slice of time it holds.
    number: u64,
    counts: Counts,
}

#[derive(Clone, Debug)]
pub(crate) struct Breaker {
    spec: BreakerSpec,
    state: State,
    /// Counts changes of state.
    epoch: u64,
    /// Times it opened since it was last closed.
    opened: u32,
    forced: Option<Forced>,
    /// When it last served somebody while it was half-open.
    served_at: Option<Mono>,
    slices: [Slice; SLICES],
}

impl Breaker {
    pub(crate) fn new(spec: BreakerSpec) -> Self {
        Self {
            spec,
            state: State::Closed,
            epoch: 0,
            opened: 0,
            forced: None,
            served_at: None,
            slices: [Slice::default(); SLICES],
        }
    }

    pub(crate) const fn state(&self) -> State {
        self.state
    }

    /// Whether it tries out an operation that has served nobody of late since it fell ill: a failure then says nothing of
    /// the record. One that fails where others are served may be its own illness.
    pub(crate) fn is_out(&self, now: Mono) -> bool {
        let late = self.spec.open_for_max.max(self.spec.open_for) * 2;
        let served = self.served_at.is_some_and(|at| at.until(now) < late);
        matches!(self.state, State::HalfOpen { .. }) && !served
    }

    /// A call that went in `epoch` did for a record what it was to do: somebody is served.
    pub(crate) fn serve(&mut self, epoch: u64, now: Mono) {
        if epoch == self.epoch && matches!(self.state, State::HalfOpen { .. }) {
            self.served_at = Some(now);
        }
    }

    pub(crate) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// From when on a call of this fitness may go; `None` while only an answer can change that.
    pub(crate) fn admits_at(&self, fitness: Fitness) -> Option<Mono> {
        let patience = self.spec.open_for * fitness as u32;
        match self.state {
            _ if self.forced == Some(Forced::Open) => None,
            State::Closed => Some(Mono(0)),
            State::Open { .. } if planted::is(Bug::OpenBreakerLeaks) => Some(Mono(0)),
            State::Open { until } => Some(until + patience),
            State::HalfOpen { since, in_flight, good } => {
                let most = if fitness == Fitness::Safe { self.probes() } else { 1 };
                (in_flight < most && in_flight + good < self.probes()).then(|| since + patience)
            }
        }
    }

    /// Lets time pass; true when it became half-open.
    pub(crate) fn advance(&mut self, now: Mono) -> bool {
        match self.state {
            State::Open { until } if until <= now && self.forced.is_none() => {
                self.enter(State::HalfOpen { since: until, in_flight: 0, good: 0 });
                true
            }
            _ => false,
        }
    }

    /// A call went.
    pub(crate) fn went(&mut self) {
        if let State::HalfOpen { in_flight, .. } = &mut self.state {
            *in_flight += 1;
        }
    }

    /// A call that went in `epoch` is over.
    pub(crate) fn over(&mut self, epoch: u64) {
        if let State::HalfOpen { in_flight, .. } = &mut self.state
            && epoch == self.epoch
        {
            *in_flight = in_flight.saturating_sub(1);
        }
    }

    /// An answer to a call that went in `epoch`; true when the state changed.
    pub(crate) fn learn(&mut self, epoch: u64, health: Health, now: Mono) -> bool {
        if epoch != self.epoch {
            return false;
        }
        match (&mut self.state, health) {
            (State::Closed, _) => {
                self.count(health, now);
                let trips = self.forced.is_none() && health != Health::Good && self.too_many(now);
                if trips {
                    self.open(now);
                }
                trips
            }
            (State::HalfOpen { good, .. }, Health::Good) => {
                *good += 1;
                let closes = *good >= self.spec.half_open_probes.max(1);
                if closes {
                    self.close();
                }
                closes
            }
            (State::HalfOpen { .. }, Health::Ill | Health::Slow) => {
                self.open(now);
                true
            }
            (State::Open { .. }, _) => false,
        }
    }

    /// Whether there were enough calls, and too many of them ill or slow.
    fn too_many(&self, now: Mono) -> bool {
        let Counts { good, slow, ill } = self.counts(now);
        let calls = good.saturating_add(slow).saturating_add(ill);
        let reaches =
            |part: u32, pct: u8| u64::from(part) * 100 >= u64::from(pct.clamp(1, 100)) * u64::from(calls);
        let slow = self.spec.slow_ratio_pct > 0 && reaches(slow, self.spec.slow_ratio_pct);
        calls >= self.spec.calls_min.max(1) && (reaches(ill, self.spec.failure_ratio_pct) || slow)
    }

    /// How an answer that is not ill counts.
    pub(crate) fn pace(&self, took: Duration) -> Health {
        if self.spec.slow_ratio_pct > 0 && took >= self.spec.slow_after { Health::Slow } else { Health::Good }
    }

    /// An operator's word, or that it is taken back.
    pub(crate) fn force(&mut self, forced: Option<Forced>, now: Mono) {
        if self.forced == forced {
            return;
        }
        match (std::mem::replace(&mut self.forced, forced), forced) {
            // Let go of an open one, and it tries at once.
            (_, Some(Forced::Open)) | (Some(Forced::Open), None) => self.enter(State::Open { until: now }),
            (_, Some(Forced::Closed)) => self.close(),
            (_, None) => {}
        }
    }

    pub(crate) const fn forced(&self) -> Option<Forced> {
        self.forced
    }

    /// Answers in the rolling window.
    pub(crate) fn counts(&self, now: Mono) -> Counts {
        let number = self.slice_number(now);
        let oldest = number.saturating_sub(SLICES as u64 - 1);
        let live = self.slices.iter().filter(|slice| slice.number >= oldest && slice.number <= number);
        live.fold(Counts::default(), |sum, Slice { counts, .. }| Counts {
            good: sum.good + counts.good,
            slow: sum.slow + counts.slow,
            ill: sum.ill + counts.ill,
        })
    }

    /// Closes it and forgets what was counted.
    pub(crate) fn close(&mut self) {
        self.enter(State::Closed);
        self.opened = 0;
        self.served_at = None;
        self.slices = [Slice::default(); SLICES];
    }

    fn probes(&self) -> u32 {
        self.spec.half_open_probes.max(1)
    }

    fn open(&mut self, now: Mono) {
        let doubled = self.spec.open_for.saturating_mul(1 << self.opened.min(DOUBLINGS_MAX));
        self.opened = self.opened.saturating_add(1);
        let longest = self.spec.open_for_max.max(self.spec.open_for);
        self.enter(State::Open { until: now + doubled.min(longest) });
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }

    fn count(&mut self, health: Health, now: Mono) {
        let number = self.slice_number(now);
        let index = usize::try_from(number % SLICES as u64).unwrap_or(0);
        let slice = &mut self.slices[index];
        if slice.number != number {
            *slice = Slice { number, ..Slice::default() };
        }
        let counter = match health {
            Health::Good => &mut slice.counts.good,
            Health::Slow => &mut slice.counts.slow,
            Health::Ill => &mut slice.counts.ill,
        };
        *counter = counter.saturating_add(1);
    }

    fn slice_number(&self, now: Mono) -> u64 {
        let length = (self.spec.window / u32::try_from(SLICES).unwrap_or(1)).max(Duration::from_micros(1));
        now.0 / u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
    }
}
