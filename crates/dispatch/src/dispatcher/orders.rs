//! What an operator says: pause, breakers forced, lanes kept to their windows. All of it holds until it is taken back.

use canonical::Mono;
use ledger::Lane;

use super::{Change, Dispatcher};
use crate::breaker::{Forced, State};

impl<T: Clone + Ord> Dispatcher<T> {
    /// Holds everything back, in order, until [`Self::resume`]. Calls in flight end as they do.
    pub fn pause(&mut self, reason: impl Into<String>) {
        self.paused = Some(reason.into());
    }

    /// Ends the pause.
    pub fn resume(&mut self) {
        self.paused = None;
    }

    /// Why it is paused, if it is.
    #[must_use]
    pub fn paused(&self) -> Option<&str> {
        self.paused.as_deref()
    }

    /// An operator's word about a breaker, whatever it would do by itself, or (`None`) that the word is taken back;
    /// without an operation about all of which nothing else is said. Holds for operations that were not met yet, too.
    pub fn force(&mut self, operation: Option<&str>, forced: Option<Forced>, now: Mono) {
        let operation = operation.map(str::to_owned);
        match forced {
            Some(forced) => self.forced.insert(operation, forced),
            None => self.forced.remove(&operation),
        };
        self.advance(now);
        self.obey(0, now);
    }

    /// Brings the breakers from this number on to what an operator says of them.
    pub(super) fn obey(&mut self, first: usize, now: Mono) {
        for number in first..self.breakers.len() {
            let operation = self.queue.operation_name(number).to_owned();
            let forced = self.word_on(&operation);
            let before = self.breakers[number].state();
            self.breakers[number].force(forced, now);
            match (before, self.breakers[number].state()) {
                (State::Closed, State::Closed)
                | (State::Open { .. }, State::Open { .. })
                | (_, State::HalfOpen { .. }) => {}
                (_, State::Closed) => self.note(Change::BreakerClosed { operation }),
                (_, State::Open { .. }) => self.note(Change::BreakerOpened { operation }),
            }
        }
    }

    /// What an operator says of an operation's breaker.
    pub(super) fn word_on(&self, operation: &str) -> Option<Forced> {
        let own = self.forced.get(&Some(operation.to_owned()));
        own.or_else(|| self.forced.get(&None)).copied()
    }

    /// What an operator says of breakers, by operation; `None` stands for all of which nothing else is said.
    pub fn forced(&self) -> impl Iterator<Item = (Option<&str>, Forced)> {
        self.forced.iter().map(|(operation, forced)| (operation.as_deref(), *forced))
    }

    /// Keeps a lane back until then: outside of its window nothing of it goes, and waits in order. Other lanes go on,
    /// also for the same records.
    pub fn close_lane(&mut self, lane: Lane, until: Option<Mono>) {
        self.lanes_closed_until[usize::from(lane.number())] = until.unwrap_or_default();
    }

    /// Operations that the breaker knows, by name.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        self.queue.operations().map(|(operation, _)| operation)
    }
}

impl Forced {
    /// Its name, as in orders and as shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}
