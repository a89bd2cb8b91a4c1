//! Reading from the system: polls with cursors, and fetches of objects that were only hinted at.

use std::time::Duration;

use canonical::{ExternalRef, Mono, Now, Object, Wall};
use connector::{Call, Cursor, Failure, Observation, Response, Seen};
use dispatch::{Permit, Wanted};
use ledger::{Class, Lane, Wait};
use store::{Fetch, Op, Query, Unit};

use crate::mark::Mark;
use crate::spoke::settle::After;
use crate::spoke::{Await, READ, Spoke, Token};
use crate::turn::{Arrival, Effect, Offer, Origin, Turn};

/// Fetches asked for at once.
const FETCH_MAX: usize = 128;
/// A read that is refused so soon after a token came says nothing of that one.
const FRESH_TOKEN: Duration = Duration::from_secs(5);
/// First and longest wait after a failed read.
const READ_RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));
/// Failed fetches of one object before a person must look.
const FETCH_ATTEMPTS_MAX: u32 = 20;

/// One object's listing.
#[derive(Debug)]
pub(crate) struct Poll {
    every: Duration,
    cursor: Cursor,
    due: Mono,
    /// Offered, on the wire, or with intake.
    busy: bool,
    failures: u32,
    /// It was at its end once.
    passed: bool,
    /// Objects that are durable with intake, in this life.
    read: u64,
}

impl Poll {
    pub(crate) fn new(every: Duration, cursor: Cursor, now: Mono) -> Self {
        Self { every, cursor, due: now, busy: false, failures: 0, passed: false, read: 0 }
    }

    /// Whether it was at its end once in this life.
    pub(crate) const fn has_passed(&self) -> bool {
        self.passed
    }

    /// Objects read in this life.
    pub(crate) const fn read(&self) -> u64 {
        self.read
    }

    pub(crate) fn wakeup(&self) -> Option<Mono> {
        (!self.busy).then_some(self.due)
    }

    /// Nothing of what it named is taken in for now: it is asked again as ever.
    pub(crate) fn set_back(&mut self, now: Mono) {
        self.busy = false;
        self.due = now + self.every;
    }

    fn call(&self, object: &Object, now: Wall) -> Call {
        Call::List { object: object.clone(), cursor: self.cursor.clone(), now }
    }
}

/// What an offer to intake was about.
#[derive(Debug)]
pub(crate) enum Offered {
    /// A page: the cursor it moves to, whether another follows at once, and how many objects it has.
    Page(Object, Cursor, bool, u64),
    /// An object.
    Object(ExternalRef),
}

impl Spoke {
    /// Whether a listing is not read just now. Its cursor stays, so that nothing is missed. After a restore everything is
    /// read all the same, and so is what was never listed: deliveries wait for it.
    pub(crate) fn rests(&self, object: &Object) -> bool {
        self.resting.contains(object) && !self.is_rereading() && !self.is_first(object)
    }

    pub(crate) fn offer_polls(&mut self, now: Now) {
        let due = self.polls.iter().filter(|(_, poll)| !poll.busy && poll.due <= now.mono);
        let due = due.filter(|(object, _)| !self.rests(object));
        let due: Vec<_> =
            due.map(|(object, poll)| (object.clone(), self.draw_of(&poll.call(object, now.wall)))).collect();
        let Some(dispatcher) = &mut self.dispatcher else { return };
        for (object, draw) in due {
            let Some(poll) = self.polls.get_mut(&object) else { continue };
            poll.busy = true;
            dispatcher.offer(Wanted {
                token: Token::Poll(object),
                lane: Lane::Standard,
                lock: None,
                due: poll.due,
                seq: 0,
                operation: READ.to_owned(),
                buckets: draw.buckets,
                cost: draw.cost,
                safe: true,
                poison: poll.failures > 0,
                party: None,
                serial: None,
            });
        }
    }

    pub(crate) fn poll(&mut self, object: Object, permit: Permit, turn: &mut Turn<'_>) {
        let rests = self.rests(&object);
        let Some(poll) = self.polls.get_mut(&object) else { return self.unused(permit, turn) };
        if rests {
            poll.busy = false;
            return self.unused(permit, turn);
        }
        let call = poll.call(&object, turn.now.wall);
        match self.connector.render(&call) {
            Ok(request) => self.send(request, Await::PollAnswer(object, turn.now.wall, permit, call), turn),
            Err(error) => {
                self.unused(permit, turn);
                self.polls.remove(&object);
                self.trouble = Some(error.to_string());
                self.pause(format!("its listing of {object} can't be rendered: {error}"), turn);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "each is a different fact about the answer")]
    pub(crate) fn polled(
        &mut self,
        object: &Object,
        started: Wall,
        permit: Permit,
        call: &Call,
        answer: &Result<Response, Failure>,
        took: Duration,
        turn: &mut Turn<'_>,
    ) {
        let outcome = self.connector.classify(call, answer, turn.now.wall);
        self.learn(&permit, "list", &outcome, took, turn);
        self.release(permit, turn);
        let page = match (outcome.class, answer) {
            (Class::Applied, Ok(response)) => {
                self.connector.read_page(call, response).map_err(|error| error.to_string())
            }
            _ => Err(outcome.refusal.message.clone()),
        };
        let page = match page {
            Ok(page) => page,
            Err(why) => return self.poll_failed(object, outcome.class, outcome.wait, &why, turn),
        };
        if self.is_unplanned(object, &page) {
            return self.wait_for_plan(object, turn);
        }
        turn.note(Mark::Polled {
            system: self.system.clone(),
            object: object.clone(),
            count: page.observations.len(),
        });
        let cursor = serde_json::to_string(&page.cursor).unwrap_or_default();
        let mut arrivals: Vec<Arrival> = page.observations.into_iter().map(Arrival::Read).collect();
        arrivals.extend(page.garbled.into_iter().map(|(position, what, raw)| Arrival::Garbled {
            why: connector::Garbled { what, place: format!("item {position} of a listing of {object}") },
            raw,
            event_id: None,
        }));
        let origin = Origin::Polled { object: object.clone(), cursor };
        let offered = Offered::Page(object.clone(), page.cursor, page.more, arrivals.len() as u64);
        self.trouble = None;
        self.offer(offered, origin, started, arrivals, turn);
    }

    fn poll_failed(
        &mut self,
        object: &Object,
        class: Class,
        wait: Option<Wait>,
        why: &str,
        turn: &mut Turn<'_>,
    ) {
        let entropy = turn.entropy();
        let Some(poll) = self.polls.get_mut(object) else { return };
        poll.failures = poll.failures.saturating_add(1);
        let mut pause = backoff(poll.failures, entropy).max(poll.every.min(READ_RETRY.1));
        if let Some(asked) = wait {
            pause = pause.max(asked.from(turn.now.wall));
        }
        poll.due = turn.now.mono + pause;
        poll.busy = false;
        self.trouble = Some(why.to_owned());
        turn.note(Mark::PollFailed {
            system: self.system.clone(),
            object: object.clone(),
            class,
            why: why.to_owned(),
        });
        self.first_listing_failed(object, why, turn);
        self.auth_trouble(class, turn);
    }

    /// A read met a stale or dead credential.
    pub(crate) fn auth_trouble(&mut self, class: Class, turn: &mut Turn<'_>) {
        match class {
            // It may have gone out with the one before; it is read again soon.
            Class::AuthExpired if self.has_fresher_token(FRESH_TOKEN, turn.now.mono) => {}
            Class::AuthExpired if self.phase == crate::spoke::Phase::Running => {
                if self.may_reauthorise(turn.now.mono) {
                    self.ask_for_token(turn);
                } else {
                    self.pause(
                        "the target refuses its credential: renew it, then resume the system".to_owned(),
                        turn,
                    );
                }
            }
            Class::AuthRevoked => {
                self.pause(
                    "the target no longer takes its credential: renew it, then resume the system".to_owned(),
                    turn,
                );
            }
            _ => {}
        }
    }

    fn offer(
        &mut self,
        what: Offered,
        origin: Origin,
        as_of: Wall,
        arrivals: Vec<Arrival>,
        turn: &mut Turn<'_>,
    ) {
        let ticket = self.ticket();
        self.offers.insert(ticket, what);
        let source = self.system.clone();
        turn.effect(Effect::Offer(Offer {
            ticket,
            origin,
            source,
            as_of,
            arrivals,
            watched: false,
            posted: false,
        }));
    }

    /// Intake has it durably, or could not take it.
    pub(crate) fn taken(&mut self, ticket: crate::turn::Ticket, ok: bool, turn: &mut Turn<'_>) {
        let entropy = turn.entropy();
        match self.offers.remove(&ticket) {
            Some(Offered::Page(object, cursor, more, count)) => {
                if ok {
                    self.heard(Some(&object), turn);
                }
                if ok && !more {
                    self.first_listing_over(&object, turn);
                }
                let Some(poll) = self.polls.get_mut(&object) else { return };
                poll.busy = false;
                if ok {
                    poll.failures = 0;
                    poll.read += count;
                    poll.cursor = cursor;
                    poll.passed |= !more;
                    poll.due = if more { turn.now.mono } else { turn.now.mono + poll.every };
                } else {
                    poll.due = turn.now.mono + backoff(2, entropy);
                }
            }
            Some(Offered::Object(external)) => {
                self.fetching.remove(&external);
                if !ok {
                    self.fetch_due = Some(turn.now.mono + backoff(2, entropy));
                }
                // A hint that came during the fetch re-armed it in the store.
                self.fetch_wanted = true;
            }
            None => {}
        }
    }

    pub(crate) fn look_for_fetches(&mut self, turn: &mut Turn<'_>) {
        if self.fetch_due.is_some_and(|due| due <= turn.now.mono) {
            self.fetch_wanted = true;
            self.fetch_due = None;
        }
        if !self.fetch_wanted || self.fetch_looking || self.fetching.len() >= FETCH_MAX {
            return;
        }
        self.fetch_wanted = false;
        self.fetch_looking = true;
        let query = Query::Fetches {
            tenant: self.config.tenant.clone(),
            system: self.system.clone(),
            due_by: turn.now.wall,
            limit: FETCH_MAX * 2,
        };
        self.find(query, Await::Fetches, turn);
    }

    pub(crate) fn fetches(&mut self, fetches: Vec<Fetch>, next: Option<Wall>, turn: &mut Turn<'_>) {
        self.fetch_looking = false;
        if let Some(next) = next {
            let due = turn.now.mono_of(next);
            self.fetch_due = Some(self.fetch_due.map_or(due, |at| at.min(due)));
        }
        for fetch in fetches {
            if self.fetching.contains_key(&fetch.external) {
                continue;
            }
            if self.fetching.len() >= FETCH_MAX {
                self.fetch_wanted = true;
                break;
            }
            let draw = self.draw_of(&fetch_call(&fetch.external));
            let Some(dispatcher) = &mut self.dispatcher else { return };
            dispatcher.offer(Wanted {
                token: Token::Fetch(fetch.external.clone()),
                lane: Lane::Standard,
                lock: None,
                due: turn.now.mono,
                seq: fetch.hinted_at.micros(),
                operation: READ.to_owned(),
                buckets: draw.buckets,
                cost: draw.cost,
                safe: true,
                poison: fetch.attempts > 0,
                party: None,
                serial: None,
            });
            self.fetching.insert(fetch.external, fetch.attempts);
        }
    }

    pub(crate) fn fetch(&mut self, external: ExternalRef, permit: Permit, turn: &mut Turn<'_>) {
        let call = fetch_call(&external);
        match self.connector.render(&call) {
            Ok(request) => {
                self.send(request, Await::FetchAnswer(external, turn.now.wall, permit, call), turn)
            }
            Err(error) => {
                self.unused(permit, turn);
                let why = connector::Garbled { what: error.to_string(), place: external.to_string() };
                self.give_up_fetch(external, why, turn.now.wall, turn);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "each is a different fact about the answer")]
    pub(crate) fn fetched(
        &mut self,
        external: ExternalRef,
        started: Wall,
        permit: Permit,
        call: &Call,
        answer: &Result<Response, Failure>,
        took: Duration,
        turn: &mut Turn<'_>,
    ) {
        let outcome = self.connector.classify(call, answer, turn.now.wall);
        self.learn(&permit, "fetch", &outcome, took, turn);
        self.release(permit, turn);
        turn.note(Mark::Fetched { system: self.system.clone() });
        match (outcome.class, answer) {
            (Class::Applied | Class::NotFound | Class::Gone, Ok(response)) => {
                match self.connector.read_object(call, response) {
                    Ok(observation) => {
                        let observation = observation.unwrap_or_else(|| gone(&external));
                        self.offer_object(external, observation, started, turn);
                    }
                    Err(garbled) => self.give_up_fetch(external, garbled, started, turn),
                }
            }
            (Class::Permission | Class::Validation | Class::Permanent | Class::TooLarge, _) => {
                let why = connector::Garbled { what: outcome.refusal.message, place: external.to_string() };
                self.give_up_fetch(external, why, started, turn);
            }
            (class, _) => self.delay_fetch(external, class, outcome.wait, turn),
        }
    }

    fn offer_object(
        &mut self,
        external: ExternalRef,
        mut observation: Observation,
        started: Wall,
        turn: &mut Turn<'_>,
    ) {
        // A deletion seen by id is as new as the read itself.
        if matches!(observation.seen, Seen::Deleted) {
            observation.order = None;
        }
        let origin = Origin::Fetched { external: external.clone() };
        self.offer(Offered::Object(external), origin, started, vec![Arrival::Read(observation)], turn);
    }

    /// It cannot be read, and trying again will not help: the hint is quarantined with the reason.
    fn give_up_fetch(
        &mut self,
        external: ExternalRef,
        why: connector::Garbled,
        started: Wall,
        turn: &mut Turn<'_>,
    ) {
        let raw = external.to_string().into_bytes();
        let origin = Origin::Fetched { external: external.clone() };
        let arrival = Arrival::Garbled { why, raw, event_id: None };
        self.offer(Offered::Object(external), origin, started, vec![arrival], turn);
    }

    fn delay_fetch(&mut self, external: ExternalRef, class: Class, wait: Option<Wait>, turn: &mut Turn<'_>) {
        let attempts = self.fetching.get(&external).copied().unwrap_or(0);
        let free = matches!(class, Class::RateLimited | Class::QuotaExhausted | Class::AuthExpired);
        let attempts = attempts + u32::from(!free);
        if attempts > FETCH_ATTEMPTS_MAX {
            let what =
                format!("it could not be read in {attempts} tries: see the system's state, then retry");
            let place = external.to_string();
            return self.give_up_fetch(external, connector::Garbled { what, place }, turn.now.wall, turn);
        }
        let mut pause = backoff(attempts.max(1), turn.entropy());
        if let Some(asked) = wait {
            pause = pause.max(asked.from(turn.now.wall).min(READ_RETRY.1));
        }
        let due = turn.now.wall + pause;
        self.fetching.remove(&external);
        let at = turn.now.mono_of(due);
        self.fetch_due = Some(self.fetch_due.map_or(at, |known| known.min(at)));
        let tenant = self.config.tenant.clone();
        let unit =
            Unit { require: Vec::new(), ops: vec![Op::DelayFetch { tenant, external, due, attempts }] };
        self.outbox.push((unit, After::Nothing));
        self.auth_trouble(class, turn);
    }
}

fn fetch_call(external: &ExternalRef) -> Call {
    Call::Fetch { object: external.object.clone(), external_id: external.id.clone() }
}

/// An object that is not there.
fn gone(external: &ExternalRef) -> Observation {
    Observation {
        version: None,
        object: external.object.clone(),
        external_id: external.id.clone(),
        seen: Seen::Deleted,
        order: None,
        event_id: None,
        occurred_at: None,
        changed_at: None,
        trace: None,
    }
}

/// Full jitter under a doubling ceiling.
pub(crate) fn backoff(failures: u32, entropy: u64) -> Duration {
    let ceiling = READ_RETRY.0.saturating_mul(1 << failures.min(10)).min(READ_RETRY.1);
    let ceiling = u64::try_from(ceiling.as_micros()).unwrap_or(u64::MAX).max(1);
    Duration::from_micros(READ_RETRY.0.as_micros() as u64 / 2 + entropy % ceiling)
}
