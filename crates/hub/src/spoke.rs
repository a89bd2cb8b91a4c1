//! The spoke machine: one per system. It alone owns the system's admission, so that deliveries, polls, fetches,
//! probes and token refreshes share one budget.
//!
//! A delivery's way: head (in memory) → admitted → view (found) → rendered intent (committed) → sent → answered →
//! settled (committed). Nothing is sent before its intent is durable; an intent that may have reached the target is
//! finished as it was rendered before anything newer goes.

mod adopt;
mod again;
mod answers;
mod associate;
mod awaited;
mod batch;
mod bulk;
mod draw;
mod edit;
mod fetch;
mod fill;
mod first;
mod flight;
mod gauges;
mod heads;
mod held;
mod look;
mod many;
mod orders;
mod paths;
mod plan;
mod reader;
mod renew;
mod resend;
mod rest;
mod restored;
mod settle;
mod silence;
mod snapshot;
mod sort;
mod source;
mod standing;
mod start;
#[cfg(test)]
mod tests;
mod token;
mod version;
mod wait;
mod write;

pub use reader::{Expected, Foreseen, Load};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use canonical::{ExternalRef, IntentId, Mono, Now, Object, System};
use config::{Configuration, SystemConfig};
use connector::{Charge, Connector};
use dispatch::{Dispatcher, Permit};
use ledger::ObligationKey;
use store::{Head, Query, SystemState};

use crate::mark::Mark;
use crate::turn::{Ack, Effect, Input, Machine, Notice, Ticket, Turn};
pub(crate) use awaited::Await;
use batch::Gathered;
use draw::Draw;
pub(crate) use first::waits_for_plan;
use flight::{Doubt, Flight};
use heads::Claim;
use held::Held;
use renew::Renewal;
use settle::After;
use sort::Sort;
use source::Poll;

/// The group of calls that a breaker knows reads by.
pub(crate) const READ: &str = "read";

/// By what the dispatcher's wishes are found again.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Token {
    /// Resend or probe an intent in doubt.
    Intent(IntentId),
    /// Deliver an obligation.
    Deliver(ObligationKey),
    /// Read one object.
    Fetch(ExternalRef),
    /// Read changes.
    Poll(Object),
    /// Look at a job.
    Bulk(u64),
}

/// How far the connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Reading its own state.
    Loading,
    /// Getting a token.
    Authorising,
    /// Asking for the account's identity.
    Identifying,
    /// At work.
    Running,
    /// Could not connect: tries again then.
    Waiting(Mono),
    /// The breaker of reads lets nothing go, not even the question whose account it is: connects when it does.
    Shut,
}

/// Talks to one system.
#[derive(Debug)]
pub struct Spoke {
    pub(crate) config: Arc<Configuration>,
    pub(crate) system: System,
    pub(crate) settings: SystemConfig,
    pub(crate) connector: Arc<Connector>,
    pub(crate) dispatcher: Option<Dispatcher<Token>>,
    pub(crate) phase: Phase,
    pub(crate) state: SystemState,
    /// Orders that came while it read what it knew before.
    early: Vec<(Ticket, crate::turn::Order)>,
    next_ticket: u64,
    pub(crate) awaiting: BTreeMap<Ticket, Await>,
    /// Offered to the dispatcher, not admitted yet.
    pub(crate) heads: Held,
    /// Admitted and not settled.
    pub(crate) active: BTreeSet<ObligationKey>,
    /// Raised again while active: offered when settled.
    pub(crate) raised_again: BTreeSet<ObligationKey>,
    /// Admitted in this turn, to be found together.
    pub(crate) admitted: Vec<(Head, Permit)>,
    /// What deliveries draw that were found to need more than their permit, until they are admitted again.
    pub(crate) draws: BTreeMap<ObligationKey, Draw>,
    /// What is known of deliveries that were admitted and did not go, until they are admitted again.
    pub(crate) sorts: BTreeMap<ObligationKey, Sort>,
    /// Judged in this turn, under permits that others share.
    pub(crate) gathered: Vec<Gathered>,
    /// Halves of batches so far.
    pub(crate) halves: u64,
    pub(crate) claims: [Claim; 3],
    /// Intents in doubt.
    pub(crate) doubts: BTreeMap<IntentId, Doubt>,
    /// Jobs that run at the target, with what they hold.
    pub(crate) bulks: BTreeMap<u64, bulk::Bulk>,
    /// Jobs so far.
    pub(crate) bulk_number: u64,
    /// What is kept shut while a lane is read, so that all of it that goes in jobs is judged together.
    pub(crate) gathering: BTreeMap<Arc<str>, ledger::Lane>,
    /// Sends that met a stale token: they go on with the fresh one.
    pub(crate) unauthorised: Vec<Flight>,
    /// How often in a row the target refused a token, and when last.
    pub(crate) refusals: u32,
    pub(crate) refused_at: Option<Mono>,
    /// When the token came that is there now.
    pub(crate) authorised_at: Option<Mono>,
    pub(crate) connect_tries: u32,
    pub(crate) polls: BTreeMap<Object, Poll>,
    pub(crate) fetching: BTreeMap<ExternalRef, fetch::Fetching>,
    pub(crate) fetch_wanted: bool,
    pub(crate) fetch_looking: bool,
    pub(crate) fetch_due: Option<Mono>,
    /// Offers to intake not yet durable.
    pub(crate) offers: BTreeMap<Ticket, source::Offered>,
    /// Work to be committed with this turn's other work: units and what follows them.
    pub(crate) outbox: Vec<(store::Unit, After)>,
    pub(crate) hold_until: Option<Mono>,
    /// When its gauges are noted next, while there is work; and whether the last ones said that there was none.
    gauges_due: Mono,
    said_idle: bool,
    /// Whether intake was told that it is at work.
    pub(crate) said_at_work: bool,
    /// What is not read, by intake's word.
    pub(crate) resting: BTreeSet<Object>,
    /// Letting go what no hold covers any more.
    walk: Option<standing::Walk>,
    /// Deliveries that are being written down as held.
    holding: usize,
    /// When the hours of the bulk lane are looked at again.
    hours_due: Option<Mono>,
    /// Cool-downs that are durable, or on their way to be.
    kept_closed: BTreeMap<Option<String>, Mono>,
    /// The newest restore of the store, if there was one.
    pub(crate) restore: Option<restored::Restore>,
    /// Systems that have read again after it.
    pub(crate) reread_others: BTreeSet<System>,
    /// Until when they are waited for, at most; since the process began.
    pub(crate) reread_until: Option<Mono>,
    draining: bool,
    renewal: Renewal,
    /// It delivers nothing, whatever is raised.
    reads_only: bool,
    /// Why the last try to connect or to read failed; `None` once one got through.
    pub(crate) trouble: Option<String>,
    /// What is expected to be heard of it.
    silence: silence::Silence,
}

impl Spoke {
    /// A machine for `system`, which must be in `config`. It reads its own state first.
    #[must_use]
    pub fn new(config: Arc<Configuration>, system: System) -> Option<Self> {
        let settings = config.systems.get(&system)?.clone();
        let connector = Arc::clone(&settings.connector);
        let state = SystemState::blank(config.tenant.clone(), system.clone());
        Some(Self {
            config,
            system,
            settings,
            connector,
            dispatcher: None,
            phase: Phase::Loading,
            state,
            early: Vec::new(),
            next_ticket: 0,
            awaiting: BTreeMap::new(),
            heads: Held::default(),
            active: BTreeSet::new(),
            raised_again: BTreeSet::new(),
            admitted: Vec::new(),
            draws: BTreeMap::new(),
            sorts: BTreeMap::new(),
            gathered: Vec::new(),
            halves: 0,
            claims: Default::default(),
            doubts: BTreeMap::new(),
            bulks: BTreeMap::new(),
            bulk_number: 0,
            gathering: BTreeMap::new(),
            unauthorised: Vec::new(),
            refusals: 0,
            refused_at: None,
            authorised_at: None,
            connect_tries: 0,
            polls: BTreeMap::new(),
            fetching: BTreeMap::new(),
            fetch_wanted: true,
            fetch_looking: false,
            fetch_due: None,
            offers: BTreeMap::new(),
            outbox: Vec::new(),
            hold_until: None,
            gauges_due: Mono::default(),
            said_idle: true,
            said_at_work: false,
            resting: BTreeSet::new(),
            walk: None,
            holding: 0,
            hours_due: None,
            kept_closed: BTreeMap::new(),
            restore: None,
            reread_others: BTreeSet::new(),
            reread_until: None,
            draining: false,
            renewal: Renewal::default(),
            reads_only: false,
            trouble: None,
            silence: silence::Silence::default(),
        })
    }

    pub(crate) fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    /// Asks the store; the answer comes back as `what`.
    pub(crate) fn find(&mut self, query: Query, what: Await, turn: &mut Turn<'_>) {
        let ticket = self.ticket();
        self.awaiting.insert(ticket, what);
        turn.effect(Effect::Find(ticket, query));
    }

    /// Sends a request; the answer comes back as `what`.
    pub(crate) fn send(&mut self, request: connector::Request, what: Await, turn: &mut Turn<'_>) {
        let ticket = self.ticket();
        self.awaiting.insert(ticket, what);
        turn.note(Mark::Sent { system: self.system.clone(), operation: request.operation.clone() });
        turn.effect(Effect::Send(ticket, request));
    }

    /// Asks for a fresh token. That is a call like others: it counts in the limits that every call draws from.
    pub(crate) fn authorise(&mut self, turn: &mut Turn<'_>) {
        let draw = self.drawn(Some(&Charge { cost: 1, ..Charge::default() }));
        if self.is_left_alone(draw.buckets, turn) {
            return;
        }
        self.phase = Phase::Authorising;
        self.spend(draw, turn);
        let ticket = self.ticket();
        self.awaiting.insert(ticket, Await::Token);
        turn.effect(Effect::Authorise(ticket));
    }

    /// Everything decided in this turn goes to the store in one commit, so that it shares one sync.
    fn flush(&mut self, turn: &mut Turn<'_>) {
        // After a full disk nothing is tried for a while; what has to be written is kept.
        let held = self.hold_until.is_some_and(|until| until > turn.now.mono);
        if self.outbox.is_empty() || held {
            return;
        }
        let (units, after) = std::mem::take(&mut self.outbox).into_iter().unzip();
        let ticket = self.ticket();
        self.awaiting.insert(ticket, Await::Commit(after));
        turn.effect(Effect::Commit(ticket, units));
    }

    /// Whether the disk was full, and is not known to have room again: the next commit tells. Nothing is asked of the target
    /// before, or what it answers, that it wants to be left alone say, would be forgotten by an end (I12).
    fn waits_for_disk(&self, now: Mono) -> bool {
        let tries = || self.awaiting.values().any(|what| matches!(what, Await::Commit(_)));
        self.hold_until.is_some_and(|until| until > now || !self.outbox.is_empty() || tries())
    }

    /// Lets go whatever may go now.
    fn pump(&mut self, turn: &mut Turn<'_>) {
        let held = self.waits_for_disk(turn.now.mono);
        if self.phase == Phase::Shut && !self.draining && !self.is_shut(turn.now.mono) {
            self.connect(turn);
        }
        if self.phase == Phase::Running && !held && !self.draining {
            self.hold_until = None;
            self.keep_hours(turn.now);
            self.look_at_rereading(turn);
            self.look_for_work(turn);
            while let Some((wanted, permit)) = self.dispatcher.as_mut().and_then(|d| d.admit(turn.now.mono)) {
                let along = self.along(&wanted, &permit, turn.now.mono);
                match wanted.token {
                    Token::Deliver(key) => self.let_in(key, permit, along, turn),
                    Token::Intent(id) => self.go_on_with(id, permit, along, turn),
                    Token::Fetch(external) => self.fetch(external, permit, along, turn),
                    Token::Poll(object) => self.poll(object, permit, turn),
                    Token::Bulk(number) => self.look_at_bulk(number, permit, turn),
                }
            }
            self.view(turn);
        }
        self.keep_cool_downs(turn.now);
        self.look_for_silence(turn);
        self.note_changes(turn);
        self.flush(turn);
        self.settle_drain(turn);
    }

    /// Finds, in one question, what must be known to render everything admitted in this turn.
    fn view(&mut self, turn: &mut Turn<'_>) {
        if self.admitted.is_empty() {
            return;
        }
        let admitted = std::mem::take(&mut self.admitted);
        let asks = admitted.iter().map(|(head, _)| self.ask(head)).collect();
        let query = Query::Spoke { tenant: self.config.tenant.clone(), system: self.system.clone(), asks };
        self.find(query, Await::View(admitted), turn);
    }

    pub(crate) fn release(&mut self, permit: Permit, turn: &Turn<'_>) {
        if let Some(dispatcher) = &mut self.dispatcher {
            dispatcher.release(permit, turn.now.mono);
        }
    }

    fn told(&mut self, notice: Notice, turn: &mut Turn<'_>) {
        match notice {
            Notice::Raised(heads) => self.raised(heads, turn.now),
            Notice::FetchWanted => self.fetch_wanted = true,
            Notice::Heard => self.heard(None, turn),
            Notice::Reread(system) => self.reread_by(system),
            Notice::Taken(ticket, result) => self.taken(ticket, result.is_ok(), turn),
            Notice::Do(outside, order) => self.order(outside, order, turn),
            Notice::Rest(objects) => self.resting = objects,
            Notice::Linked | Notice::Connected(..) | Notice::AtWork(..) => {}
        }
    }

    /// The answer to an operator: done, or why not.
    pub(crate) fn answer(outside: Ticket, result: Result<(), String>, turn: &mut Turn<'_>) {
        let ack = match result {
            Ok(()) => Ack::Done,
            Err(why) => Ack::Refused(why),
        };
        turn.effect(Effect::Ack(outside, ack));
    }
}

/// Whether sends need a token that must first be fetched.
pub(crate) const fn needs_token(auth: &connector::AuthKind) -> bool {
    use connector::AuthKind;
    // Each is named: a new way to authenticate has to be decided on.
    match auth {
        AuthKind::Oauth2ClientCredentials { .. }
        | AuthKind::Oauth2Refresh { .. }
        | AuthKind::Oauth2JwtBearer { .. }
        | AuthKind::Session(_)
        | AuthKind::SessionJsonrpc { .. } => true,
        AuthKind::None
        | AuthKind::Header { .. }
        | AuthKind::Query { .. }
        | AuthKind::Bearer { .. }
        | AuthKind::Basic { .. }
        | AuthKind::Oauth1 { .. }
        | AuthKind::Hmac(_) => false,
    }
}

impl Machine for Spoke {
    fn handle(&mut self, input: Input, turn: &mut Turn<'_>) {
        match input {
            Input::Start => self.start(turn),
            Input::Tick => self.tick(turn),
            Input::Found(ticket, rows) => self.found(ticket, rows, turn),
            Input::Committed(ticket, result) => {
                if let Some(Await::Commit(after)) = self.awaiting.remove(&ticket) {
                    self.committed(after, result, turn);
                }
            }
            Input::Answered { ticket, answer, took } => self.answered(ticket, &answer, took, turn),
            Input::Authorised { ticket, result } => {
                if let Some(Await::Token) = self.awaiting.remove(&ticket) {
                    self.authorised(result, turn);
                }
            }
            Input::Told(notice) => self.told(notice, turn),
            Input::Drain => self.drain(),
            Input::Hold(outside) => self.hold_still(outside, turn),
            Input::Configure(outside, config) => self.configure(outside, config, turn),
            Input::Offer(_) | Input::Archived(..) => {}
        }
        self.pump(turn);
    }

    fn next_wakeup(&self, now: Now) -> Option<Mono> {
        if self.draining {
            return self.hold_until.filter(|_| !self.outbox.is_empty());
        }
        match self.phase {
            Phase::Waiting(until) => return Some(until),
            Phase::Shut => return self.dispatcher.as_ref()?.opens_at(READ),
            Phase::Running => {}
            _ => return None,
        }
        if self.waits_for_disk(now.mono) {
            // Until the commit that tries it is answered, there is nothing to wake up for.
            return self.hold_until.filter(|until| *until > now.mono);
        }
        let mut due: Option<Mono> = None;
        let mut at = |time: Option<Mono>| {
            if let Some(time) = time {
                due = Some(due.map_or(time, |due: Mono| due.min(time)));
            }
        };
        at(self.dispatcher.as_ref().and_then(|dispatcher| dispatcher.next_wakeup(now.mono)));
        if !self.waits_to_deliver() {
            for claim in &self.claims {
                at(claim.wakeup());
            }
        }
        at(self.reread_wakeup(now.mono));
        at(self.fetch_due);
        at(self.silence_wakeup());
        for (_, poll) in self.polls.iter().filter(|(object, _)| !self.rests(object)) {
            at(poll.wakeup());
        }
        due
    }
}
