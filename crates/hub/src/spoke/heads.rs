//! Which obligations are held in memory: a bounded window of due ones, refilled from the store by walking a cursor.

use std::sync::Arc;
use std::time::Duration;

use canonical::{Mono, Now, Wall};
use dispatch::Wanted;
use ledger::{Lane, ObligationKey, State};
use store::{Claimed, Head, Query, SpokeAsk};

use crate::spoke::sort::{Sort, is_half};
use crate::spoke::standing::HOLDING_MAX;
use crate::spoke::{Await, Spoke, Token};
use crate::turn::Turn;

/// Heads due later than this are left to the store.
const HOLD_AHEAD: Duration = Duration::from_secs(2);
/// Heads asked for at once.
const CLAIM_MAX: usize = 256;
/// So many deliveries that wait in the store are remembered to be of a half of a batch.
const HALVES_MAX: usize = 10_000;
/// A lane is looked over from its start this often, whatever is believed.
const SWEEP_EVERY: Duration = Duration::from_secs(30);

/// How far a lane has been read.
#[derive(Debug)]
pub(crate) struct Claim {
    /// Due obligations may be in the store that are not in memory.
    pub(crate) behind: bool,
    /// Where the walk goes on.
    after: Option<(Wall, i64)>,
    /// A question is out.
    asking: bool,
    /// For so many at most.
    asked: usize,
    /// Something was raised or set back while the question was out.
    stale: bool,
    /// The next obligation in the store is due then.
    due: Option<Mono>,
    /// The next walk from the start.
    sweep: Mono,
}

impl Default for Claim {
    fn default() -> Self {
        Self { behind: true, after: None, asking: false, asked: 0, stale: false, due: None, sweep: Mono(0) }
    }
}

impl Claim {
    pub(crate) fn wakeup(&self) -> Option<Mono> {
        if self.asking {
            return None;
        }
        Some(self.due.map_or(self.sweep, |due| due.min(self.sweep)))
    }

    /// Something in this lane will be due then, and memory does not hold it.
    pub(crate) fn later(&mut self, due: Mono) {
        self.due = Some(self.due.map_or(due, |at| at.min(due)));
    }
}

/// The breaker's group of writes to a kind of object: where one of a system's parts is ill, the others go on.
pub(crate) fn write_operation(object: &canonical::Object) -> String {
    format!("write {object}")
}

impl Spoke {
    /// Asks the store for more heads, for fetches, for polls that are due.
    pub(crate) fn look_for_work(&mut self, turn: &mut Turn<'_>) {
        for lane in Lane::ALL {
            self.claim(lane, turn);
        }
        self.let_gathered_go();
        self.look_for_held(turn);
        self.look_for_fetches(turn);
        self.look_at_marks(turn);
        self.offer_polls(turn.now);
    }

    fn claim(&mut self, lane: Lane, turn: &mut Turn<'_>) {
        // What is being written down as held is written first.
        let dispatcher = self.dispatcher.as_ref().filter(|_| self.holding < HOLDING_MAX);
        let room = dispatcher.map_or(0, |dispatcher| dispatcher.refill_for(lane));
        let stays = self.waits_to_deliver() || self.reads_only;
        let Some(claim) = self.claims.get_mut(usize::from(lane.number())) else { return };
        let now = turn.now.mono;
        if claim.asking || stays {
            return;
        }
        if claim.sweep <= now || claim.due.is_some_and(|due| due <= now) {
            // Said once, also while there is no room: the turn that makes room asks.
            claim.behind = true;
            claim.sweep = now + SWEEP_EVERY;
            claim.due = None;
            claim.after = None;
        }
        if !claim.behind || room == 0 {
            return;
        }
        claim.asked = room.min(CLAIM_MAX);
        claim.asking = true;
        claim.stale = false;
        let query = Query::Claim {
            tenant: self.config.tenant.clone(),
            system: self.system.clone(),
            lane,
            after: claim.after,
            due_by: turn.now.wall,
            limit: claim.asked,
        };
        self.find(query, Await::Claim(lane), turn);
    }

    pub(crate) fn claimed(&mut self, lane: Lane, claimed: Claimed, turn: &mut Turn<'_>) {
        let asked = self.claims.get(usize::from(lane.number())).map_or(CLAIM_MAX, |claim| claim.asked);
        let more = claimed.heads.len() >= asked;
        let last = claimed.heads.last().map(|head| (head.due, head.seq));
        if let Some(claim) = self.claims.get_mut(usize::from(lane.number())) {
            claim.asking = false;
            claim.behind = more || claim.stale;
            claim.after = if more { last } else { None };
            if let Some(next) = claimed.next_due {
                claim.later(turn.now.mono_of(next));
            }
        }
        for head in claimed.heads {
            self.hold(head, turn.now);
        }
    }

    /// Obligations were raised or woken; they go straight into memory unless older ones are still in the store.
    pub(crate) fn raised(&mut self, heads: Vec<Head>, now: Now) {
        if self.reads_only {
            return;
        }
        for head in heads {
            if !matches!(head.state, State::Pending | State::Retrying) {
                continue;
            }
            if self.active.contains(&head.key) {
                self.raised_again.insert(head.key.clone());
                continue;
            }
            // Also where there is no room for it just now.
            self.call_back(&head);
            let room = self.dispatcher.as_ref().is_some_and(|dispatcher| dispatcher.has_room_for(head.lane));
            let waits = self.waits_to_deliver();
            let Some(claim) = self.claims.get_mut(usize::from(head.lane.number())) else { continue };
            if claim.asking {
                claim.stale = true;
            }
            if claim.behind || claim.asking || waits || !room || self.phase != crate::spoke::Phase::Running {
                claim.behind = true;
                continue;
            }
            self.hold(head, now);
        }
    }

    /// Keeps a head in memory and offers it, unless it is already on its way or due much later.
    pub(crate) fn hold(&mut self, head: Head, now: Now) {
        if self.reads_only || self.active.contains(&head.key) || self.holds_back(&head, now.wall) {
            return;
        }
        self.call_back(&head);
        let due = now.mono_of(head.due);
        if now.mono.until(due) > HOLD_AHEAD {
            if let Some(claim) = self.claims.get_mut(usize::from(head.lane.number())) {
                claim.later(due);
            }
            return self.forget_but_half(&head.key);
        }
        let repeatable = self.connector.choose(&head.object, false, None).is_some_and(|spec| spec.safe);
        let draw = self.draw_of_head(&head);
        let mut sort = self.sort_of(&head);
        sort.serial = sort.serial.or_else(|| self.gathers(&head));
        let Some(dispatcher) = &mut self.dispatcher else { return };
        let wanted = Wanted {
            token: Token::Deliver(head.key.clone()),
            lane: head.lane,
            lock: Some((head.record, head.object.clone())),
            due,
            seq: head.seq,
            operation: write_operation(&head.object),
            buckets: draw.buckets,
            cost: draw.cost,
            safe: repeatable && head.attempts == 0,
            poison: head.attempts > 0,
            party: sort.party,
            serial: sort.serial,
        };
        dispatcher.offer(wanted);
        self.heads.insert(head);
    }

    /// Whether more of a lane is about to be read.
    fn is_reading(&self, lane: Lane) -> bool {
        let room = self.dispatcher.as_ref().map_or(0, |dispatcher| dispatcher.refill_for(lane));
        let claim = self.claims.get(usize::from(lane.number()));
        !self.waits_to_deliver() && claim.is_some_and(|claim| claim.asking || claim.behind && room > 0)
    }

    /// What a delivery that may go in a job waits for: that all is read which may go with it.
    fn gathers(&mut self, head: &Head) -> Option<Arc<str>> {
        if self.sorts.contains_key(&head.key) || !self.may_go_in_job(head) || !self.is_reading(head.lane) {
            return None;
        }
        let key: Arc<str> = Arc::from(format!("\u{0}gather {}", head.object));
        if self.gathering.insert(Arc::clone(&key), head.lane).is_none()
            && let Some(dispatcher) = &mut self.dispatcher
        {
            dispatcher.shut(&key);
        }
        Some(key)
    }

    /// Nothing more of a lane is read for now: what was gathered of it goes.
    fn let_gathered_go(&mut self) {
        let over: Vec<Arc<str>> = self
            .gathering
            .iter()
            .filter(|(_, lane)| !self.is_reading(**lane))
            .map(|(key, _)| Arc::clone(key))
            .collect();
        for key in over {
            self.gathering.remove(&key);
            if let Some(dispatcher) = &mut self.dispatcher {
                dispatcher.reopen(&key);
            }
        }
    }

    /// Events of a record go one after the other (I4). One that is back in its line, because a person had it tried again, goes
    /// before the later ones that wait in memory: those are the store's again, which hands them out in order.
    pub(crate) fn call_back(&mut self, head: &Head) {
        let later = self.heads.behind(head);
        if !later.is_empty() {
            self.look_in_store();
        }
        for key in later {
            self.heads.remove(&key);
            self.forget(&key);
            if let Some(dispatcher) = &mut self.dispatcher {
                dispatcher.withdraw(&Token::Deliver(key));
            }
        }
    }

    /// An obligation is settled: it leaves memory, or comes back when it was raised meanwhile or is due again.
    pub(crate) fn settled(&mut self, mut head: Head, due: Option<Wall>, now: Now) {
        self.active.remove(&head.key);
        let again = self.raised_again.remove(&head.key);
        match due {
            Some(due) => {
                head.due = due;
                self.hold(head, now);
            }
            // What was raised meanwhile is in the store, due at once; its attempts count from zero again.
            None if again => {
                head.due = now.wall;
                head.attempts = 0;
                self.hold(head, now);
            }
            None => self.forget(&head.key),
        }
    }

    /// It has left memory for now. The half that it goes in is kept: else a record that nobody takes would be looked for
    /// again from the start whenever a half has to wait.
    fn forget_but_half(&mut self, key: &ObligationKey) {
        let half = self.sorts.get(key).and_then(|sort| sort.party).filter(is_half);
        self.forget(key);
        if half.is_some() && self.sorts.len() < HALVES_MAX {
            self.sorts.insert(key.clone(), Sort { party: half, serial: None });
        }
    }

    /// It has left memory: what was known of what it comes to goes as well.
    pub(crate) fn forget(&mut self, key: &ObligationKey) {
        self.draws.remove(key);
        self.sorts.remove(key);
    }

    pub(crate) fn ask(&self, head: &Head) -> SpokeAsk {
        SpokeAsk {
            key: head.key.clone(),
            record: head.record,
            object: head.object.clone(),
            references: self.references_of(&head.key.route),
        }
    }

    /// The reference fields of a route's mapping, with the kind of object each becomes.
    pub(crate) fn references_of(
        &self,
        route: &canonical::RouteId,
    ) -> Vec<(canonical::Field, canonical::Object)> {
        let route = self.config.route(route);
        let mappings = route.into_iter().flat_map(|route| self.config.mappings_of(route));
        let mut references: Vec<_> = mappings
            .flat_map(|mapping| mapping.references())
            .map(|reference| (reference.field.clone(), reference.object.clone()))
            .collect();
        // Of several versions most are the same.
        references.sort();
        references.dedup();
        references
    }
}
