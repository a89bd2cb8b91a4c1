//! What is noted of a system as it goes: moves of breakers, cool-downs, and how it stands now and then.

use canonical::Now;
use dispatch::Change;

use crate::mark::Mark;
use crate::spoke::{Phase, Spoke};
use crate::turn::{Effect, MachineId, Notice, Turn};

/// While there is work, gauges are noted this often.
const GAUGES_EVERY: std::time::Duration = std::time::Duration::from_millis(500);

impl Spoke {
    pub(super) fn note_changes(&mut self, turn: &mut Turn<'_>) {
        let Some(dispatcher) = &mut self.dispatcher else { return };
        let changes = dispatcher.events();
        // That nothing waits any more is said at once: there may be no later turn to say it in.
        let idle = self.heads.is_empty() && self.active.is_empty();
        let due = if idle { !self.said_idle } else { self.gauges_due <= turn.now.mono };
        if changes.is_empty() && !due {
            return;
        }
        self.said_idle = idle;
        self.gauges_due = turn.now.mono + GAUGES_EVERY;
        for change in changes {
            let system = self.system.clone();
            turn.note(match change {
                Change::BreakerOpened { operation } => self.breaker_moved(operation, "open", turn.now),
                Change::BreakerHalfOpen { operation } => self.breaker_moved(operation, "half_open", turn.now),
                Change::BreakerClosed { operation } => self.breaker_moved(operation, "closed", turn.now),
                Change::BucketClosed { .. } => Mark::Throttled { system },
                Change::BucketReopened => continue,
            });
        }
        let gauges = self.gauges(turn.now);
        if let Mark::Gauges { breaker, paused, .. } = &gauges {
            let ready = self.phase == Phase::Running && !self.waits_to_deliver();
            let at_work = ready && *breaker == 0 && !paused;
            self.say_at_work(at_work, turn);
        }
        turn.note(gauges);
    }

    /// Tells intake, when it is another than it was told: what waits for a system that is not at work does not say that
    /// it is slow.
    fn say_at_work(&mut self, at_work: bool, turn: &mut Turn<'_>) {
        if std::mem::replace(&mut self.said_at_work, at_work) != at_work {
            let notice = Notice::AtWork(self.system.clone(), at_work);
            turn.effect(Effect::Tell(MachineId::Intake, notice));
        }
    }

    /// A breaker moved by itself, or by an operator's word: into the journal.
    fn breaker_moved(&mut self, operation: String, state: &'static str, now: Now) -> Mark {
        let snapshot = self.dispatcher.as_ref().map(|dispatcher| dispatcher.snapshot(now.mono));
        let view = snapshot.into_iter().flat_map(|snapshot| snapshot.breakers);
        let view = view.into_iter().find(|view| view.operation == operation);
        let why = view.filter(|_| state == "open").map_or_else(String::new, |view| {
            if view.forced.is_some() {
                return "an operator forced it".to_owned();
            }
            let of = view.good + view.slow + view.ill;
            format!("of {of} calls of late {} failed and {} were slow", view.ill, view.slow)
        });
        let what = format!("breaker_{}", if state == "open" { "opened" } else { state });
        self.changed(what, operation.clone(), why, now);
        Mark::Breaker { system: self.system.clone(), operation, state }
    }

    /// How it stands, for gauges.
    fn gauges(&self, now: Now) -> Mark {
        let snapshot = self.dispatcher.as_ref().map(|dispatcher| dispatcher.snapshot(now.mono));
        let mut held = [0; 3];
        for head in self.heads.values() {
            if let Some(count) = held.get_mut(usize::from(head.lane.number())) {
                *count += 1;
            }
        }
        let breaker = snapshot.iter().flat_map(|s| &s.breakers).map(|breaker| severity(breaker.state)).max();
        // One that is forced open before anything was wanted of its operation is not among them.
        let mut forced = self.dispatcher.iter().flat_map(dispatch::Dispatcher::forced);
        let breaker =
            if forced.any(|(_, forced)| forced == dispatch::Forced::Open) { Some(2) } else { breaker };
        Mark::Gauges {
            system: self.system.clone(),
            in_flight: snapshot.as_ref().map_or(0, |s| s.in_flight),
            held,
            behind: self.claims.iter().any(|claim| claim.behind),
            doubtful: self.doubts.len(),
            jobs: self.bulks.len(),
            breaker: breaker.unwrap_or(0),
            throttled: snapshot
                .as_ref()
                .is_some_and(|s| s.closed_until.is_some_and(|until| until > now.mono)),
            paused: self.state.paused.is_some(),
            silent: self.silence.count(),
        }
    }
}

/// 0 closed, 1 half-open, 2 open.
const fn severity(state: dispatch::BreakerState) -> u8 {
    match state {
        dispatch::BreakerState::Closed => 0,
        dispatch::BreakerState::HalfOpen => 1,
        dispatch::BreakerState::Open { .. } => 2,
    }
}
