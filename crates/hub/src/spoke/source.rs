//! Reading from the system: polls with cursors, and what is offered to intake.

use std::time::Duration;

use canonical::{ExternalRef, Mono, Now, Object, Wall};
use connector::{Anew, Call, Cursor, Failure, Response};
use dispatch::{Permit, Wanted};
use ledger::{Class, Lane, Wait};

use crate::mark::Mark;
use crate::spoke::{Await, READ, Spoke, Token};
use crate::turn::{Arrival, Effect, Offer, Origin, Turn};

/// A read that is refused so soon after a token came says nothing of that one.
const FRESH_TOKEN: Duration = Duration::from_secs(5);
/// First and longest wait after a failed read.
pub(crate) const READ_RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

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

    /// How far it is.
    pub(crate) const fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// It goes on from there, with the next call.
    pub(crate) fn walk(&mut self, cursor: Cursor) {
        self.cursor = cursor;
        self.busy = false;
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
        // It may have waited long for this.
        if self.begins_anew(&object, turn) {
            return self.unused(permit, turn);
        }
        let Some(poll) = self.polls.get(&object) else { return self.unused(permit, turn) };
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
            Err(why) => {
                self.poll_failed(object, outcome.class, outcome.wait, &why, turn);
                if answer.as_ref().is_ok_and(|response| self.connector.is_expired(call, response)) {
                    self.snapshot(object, Anew::Refused, turn);
                }
                return;
            }
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

    pub(super) fn offer(
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
                    let before = std::mem::replace(&mut poll.cursor, cursor.clone());
                    poll.passed |= !more;
                    poll.due = if more { turn.now.mono } else { turn.now.mono + poll.every };
                    self.snapshot_over(&object, &before, &cursor, turn);
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
}

/// Full jitter under a doubling ceiling.
pub(crate) fn backoff(failures: u32, entropy: u64) -> Duration {
    let ceiling = READ_RETRY.0.saturating_mul(1 << failures.min(10)).min(READ_RETRY.1);
    let ceiling = u64::try_from(ceiling.as_micros()).unwrap_or(u64::MAX).max(1);
    Duration::from_micros(READ_RETRY.0.as_micros() as u64 / 2 + entropy % ceiling)
}
