//! Orders that stand: parts of the system's work held back, breakers forced; the hours of the bulk lane; and the journal
//! of what changed about the system.

use canonical::{Mono, Now, Wall};
use dispatch::Forced;
use ledger::Lane;
use planted::Bug;
use store::{Change, ForcedBreaker, Head, HeldPart, Hold, Op, Query, Unit, standing};

use crate::mark::Mark;
use crate::spoke::plan::reason;
use crate::spoke::settle::After;
use crate::spoke::{Await, Spoke, Token};
use crate::turn::{Ticket, Turn};

/// Held deliveries are let go so many at a time.
const RELEASE_MAX: usize = 256;
/// More are not claimed while so many wait to be written down as held.
pub(crate) const HOLDING_MAX: usize = 512;
/// The hours are looked at again after so long at the latest: the wall clock may be set.
const HOURS_EVERY: std::time::Duration = std::time::Duration::from_secs(60);

/// Letting go what no hold covers any more: a walk over what is held, a page at a time.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    after: i64,
    /// A page is asked for, or on its way to the store.
    busy: bool,
    /// Another hold was released meanwhile: from the start again.
    again: bool,
}

impl Spoke {
    /// What was ordered before the last end still holds.
    pub(crate) fn obey_standing(&mut self, now: Now) {
        if self.state.standing.releasing {
            self.walk = Some(Walk::default());
        }
        let Some(dispatcher) = &mut self.dispatcher else { return };
        for forced in &self.state.standing.forced {
            let to = if forced.open { Forced::Open } else { Forced::Closed };
            dispatcher.force(forced.operation.as_deref(), Some(to), now.mono);
        }
    }

    /// The hold that covers a delivery.
    pub(crate) fn hold_of(&self, head: &Head) -> Option<&Hold> {
        if planted::is(Bug::HoldsNothing) {
            return None;
        }
        self.state.standing.holds.iter().find(|hold| hold.scope.covers(head))
    }

    /// Writes down that a delivery is held back, if a hold covers it. It leaves memory.
    pub(crate) fn holds_back(&mut self, head: &Head, at: Wall) -> bool {
        let Some(hold) = self.hold_of(head) else { return false };
        let why = reason("held", format!("{} is held: {}", hold.scope, hold.why));
        let unit =
            Unit { require: Vec::new(), ops: vec![Op::Hold { key: head.key.clone(), reason: why, at }] };
        self.holding += 1;
        self.forget(&head.key);
        self.outbox.push((unit, After::Held(Box::new(head.clone()))));
        true
    }

    /// A delivery is durably held back. Its hold may have been released while that was on its way: then the walk over what
    /// is held has not seen it, and goes again.
    pub(crate) fn held_back(&mut self, head: &Head) {
        self.holding -= 1;
        if self.hold_of(head).is_some() {
            return;
        }
        self.walk.get_or_insert_default().again = true;
        if !std::mem::replace(&mut self.state.standing.releasing, true) {
            self.keep_state(None);
        }
    }

    /// From now on nothing of this goes, until it is released. What may have reached the target is finished.
    pub(crate) fn hold_scope(&mut self, scope: HeldPart, why: String, outside: Ticket, turn: &mut Turn<'_>) {
        let holds = &self.state.standing.holds;
        if let Some(hold) = holds.iter().find(|hold| hold.scope == scope) {
            let text = format!("{scope} is held already ({})", hold.why);
            return Self::answer(outside, Err(text), turn);
        }
        if holds.len() >= standing::HOLDS_MAX {
            let text =
                format!("there are {} holds: release some first, or pause the system", standing::HOLDS_MAX);
            return Self::answer(outside, Err(text), turn);
        }
        self.journal("held", &scope.to_string(), &why, turn);
        self.state.standing.holds.push(Hold { scope, why, since: turn.now.wall });
        let waiting: Vec<Head> =
            self.heads.values().filter(|head| self.hold_of(head).is_some()).cloned().collect();
        for head in waiting {
            self.heads.remove(&head.key);
            if let Some(dispatcher) = &mut self.dispatcher {
                dispatcher.withdraw(&Token::Deliver(head.key.clone()));
            }
            self.holds_back(&head, turn.now.wall);
        }
        self.keep_state(Some(outside));
    }

    /// What a hold kept back goes on, as far as no other hold covers it.
    pub(crate) fn release_scope(
        &mut self,
        scope: &HeldPart,
        why: &str,
        outside: Ticket,
        turn: &mut Turn<'_>,
    ) {
        let holds = &mut self.state.standing.holds;
        let before = holds.len();
        holds.retain(|hold| hold.scope != *scope);
        if holds.len() == before {
            return Self::answer(outside, Err(format!("{scope} is not held")), turn);
        }
        self.state.standing.releasing = true;
        self.walk.get_or_insert_default().again = true;
        self.journal("released", &scope.to_string(), why, turn);
        self.keep_state(Some(outside));
    }

    /// The next page of what is held is asked for, while a walk is under way.
    pub(crate) fn look_for_held(&mut self, turn: &mut Turn<'_>) {
        let Some(walk) = &mut self.walk else { return };
        if walk.busy {
            return;
        }
        if std::mem::take(&mut walk.again) {
            walk.after = 0;
        }
        walk.busy = true;
        let query = Query::Held {
            tenant: self.config.tenant.clone(),
            system: self.system.clone(),
            after: walk.after,
            limit: RELEASE_MAX,
        };
        self.find(query, Await::Held, turn);
    }

    /// A page of what is held.
    pub(crate) fn held(&mut self, heads: &[Head], turn: &Turn<'_>) {
        let at = turn.now.wall;
        let free = heads.iter().filter(|head| self.hold_of(head).is_none());
        let ops = free.map(|head| Op::Release { key: head.key.clone(), at }).collect();
        let next = heads.last().filter(|_| heads.len() >= RELEASE_MAX).map(|head| head.seq);
        self.outbox.push((Unit { require: Vec::new(), ops }, After::Released(next)));
    }

    /// A page of what was held is durably back in line.
    pub(crate) fn released(&mut self, next: Option<i64>) {
        let Some(walk) = &mut self.walk else { return };
        walk.busy = false;
        match next {
            Some(next) => walk.after = next,
            None if walk.again => {}
            None => {
                self.walk = None;
                self.state.standing.releasing = false;
                self.keep_state(None);
            }
        }
    }

    /// Nothing of a page was written: the same page again.
    pub(crate) fn not_released(&mut self) {
        if let Some(walk) = &mut self.walk {
            walk.busy = false;
        }
    }

    /// An operator's word about a breaker, or that it is taken back.
    pub(crate) fn force(
        &mut self,
        operation: Option<String>,
        forced: Option<Forced>,
        why: String,
        outside: Ticket,
        turn: &mut Turn<'_>,
    ) {
        let Some(dispatcher) = &mut self.dispatcher else { return };
        let standing = &mut self.state.standing.forced;
        let before = standing.len();
        standing.retain(|known| known.operation != operation);
        if forced.is_none() && standing.len() == before {
            let text = match &operation {
                Some(operation) => format!("nobody forced the breaker of `{operation}`"),
                None => "nobody forced all breakers; say which operation".to_owned(),
            };
            return Self::answer(outside, Err(text), turn);
        }
        dispatcher.force(operation.as_deref(), forced, turn.now.mono);
        // Gauges tell of it at once, also where nothing is under way.
        self.said_idle = false;
        let what = match forced {
            Some(Forced::Open) => "breaker_forced_open",
            Some(Forced::Closed) => "breaker_forced_closed",
            None => "breaker_let_go",
        };
        self.journal(what, operation.as_deref().unwrap_or_default(), &why, turn);
        if let Some(forced) = forced {
            let open = forced == Forced::Open;
            let since = turn.now.wall;
            self.state.standing.forced.push(ForcedBreaker { operation, open, why, since });
        }
        self.keep_state(Some(outside));
    }

    /// Keeps the bulk lane to its hours.
    pub(crate) fn keep_hours(&mut self, now: Now) {
        let (Some(windows), Some(dispatcher)) = (&self.settings.bulk_window, &mut self.dispatcher) else {
            return;
        };
        if self.hours_due.is_some_and(|due| due > now.mono) {
            return;
        }
        let closed = windows.closed_until(now.wall);
        dispatcher.close_lane(Lane::Bulk, closed.map(|until| now.mono_of(until)));
        let turns = closed.or_else(|| windows.open_until(now.wall)).map(|at| now.mono_of(at));
        let soon: Mono = now.mono + HOURS_EVERY;
        self.hours_due = Some(turns.map_or(soon, |at| at.min(soon)));
    }

    /// An operator changed something about the system: into its journal, and to the log.
    fn journal(&mut self, what: &str, about: &str, why: &str, turn: &mut Turn<'_>) {
        turn.note(Mark::Ordered {
            system: self.system.clone(),
            what: what.to_owned(),
            about: about.to_owned(),
            why: why.to_owned(),
        });
        self.changed(what, about.to_owned(), why.to_owned(), turn.now);
    }

    /// Something changed about the system: into its journal.
    pub(crate) fn changed(&mut self, what: impl Into<String>, about: String, why: String, now: Now) {
        let (tenant, system) = (self.config.tenant.clone(), self.system.clone());
        self.write_down(Change { tenant, system, at: now.wall, what: what.into(), about, why });
    }

    pub(crate) fn write_down(&mut self, change: Change) {
        let unit = Unit { require: Vec::new(), ops: vec![Op::PutChange(change.clone())] };
        self.outbox.push((unit, After::Changed(Box::new(change))));
    }
}
