//! Tokens that the target refuses: whether a fresh one may help, and what a refusal says of the one that is there.

use std::time::Duration;

use canonical::Mono;

use crate::spoke::{Phase, Spoke};
use crate::turn::Turn;

/// How often a token may be refused, one soon after the other, before the system pauses.
const REFUSALS_MAX: u32 = 2;
/// A refusal so long after the last one is no second: a session that ended before its time, as they do.
const REFUSED_AGAIN: Duration = Duration::from_secs(60);

impl Spoke {
    /// The token was refused: a fresh one may help.
    pub(crate) fn ask_for_token(&mut self, turn: &mut Turn<'_>) {
        if self.phase == Phase::Running {
            self.replace_token(turn);
        }
    }

    /// The one that is there was refused, whoever met that: it counts, and another one is asked for.
    pub(crate) fn replace_token(&mut self, turn: &mut Turn<'_>) {
        self.refusals = self.refusals_lately(turn.now.mono) + 1;
        self.refused_at = Some(turn.now.mono);
        self.authorise(turn);
    }

    /// Whether a call that took so long went out before the token came that is there now. That it was refused says nothing
    /// of that one: when a session ends, all that is on the wire is refused.
    pub(crate) fn has_fresher_token(&self, took: Duration, now: Mono) -> bool {
        self.authorised_at.is_some_and(|at| now.since(at) < took)
    }

    /// Sends what met a stale token, unless another one is being asked for.
    pub(crate) fn go_on_with_token(&mut self, turn: &mut Turn<'_>) {
        if self.phase == Phase::Running {
            let flights = std::mem::take(&mut self.unauthorised);
            self.resume_flights(flights, turn);
        }
    }

    /// Whether a fresh token may help.
    pub(crate) fn may_reauthorise(&self, now: Mono) -> bool {
        self.refusals_lately(now) < REFUSALS_MAX && super::needs_token(self.connector.auth())
    }

    /// How often the target refused a token, one soon after the other.
    pub(super) fn refusals_lately(&self, now: Mono) -> u32 {
        let lately = self.refused_at.is_some_and(|at| now.since(at) < REFUSED_AGAIN);
        if lately { self.refusals } else { 0 }
    }
}
