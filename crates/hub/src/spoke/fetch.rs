//! Reading objects by their ids: what was only hinted at, or is wanted for another reason.
//!
//! Those of a kind that are due together are read in one call, where the connector has one for that ([`super::many`]).

use canonical::{ExternalRef, Wall};
use connector::{Call, Failure, Observation, Response, Seen};
use dispatch::{Party, Permit, Wanted};
use ledger::{Class, Lane, Wait};
use store::{Fetch, Op, Query, Unit};

use crate::mark::Mark;
use crate::spoke::settle::After;
use crate::spoke::source::{Offered, READ_RETRY, backoff};
use crate::spoke::{Await, READ, Spoke, Token};
use crate::turn::{Arrival, Origin, Turn};

/// Fetches in memory at once; where several go in one call, as many as two calls hold.
const FETCH_MAX: usize = 128;
/// Failed fetches of one object before a person must look.
const FETCH_ATTEMPTS_MAX: u32 = 20;

/// A fetch that is wanted, on the wire, or with intake.
#[derive(Debug)]
pub(crate) struct Fetching {
    pub(crate) attempts: u32,
    /// When the newest hint came.
    pub(crate) hinted_at: Wall,
    pub(crate) goes: Goes,
}

/// With whom a fetch goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Goes {
    /// With any of its kind that is due.
    Along,
    /// With the half of a call that was refused.
    Half(Party),
    /// By itself.
    Alone,
}

impl Spoke {
    pub(crate) fn look_for_fetches(&mut self, turn: &mut Turn<'_>) {
        if self.fetch_due.is_some_and(|due| due <= turn.now.mono) {
            self.fetch_wanted = true;
            self.fetch_due = None;
        }
        if !self.fetch_wanted || self.fetch_looking {
            return;
        }
        // A window that is full and gives up its fetches one by one is not filled one by one.
        let room = self.fetches_max().saturating_sub(self.fetching.len());
        if room == 0 || room < self.fetch_lot() && self.gives_up_fetches() {
            return;
        }
        self.fetch_wanted = false;
        self.fetch_looking = true;
        let query = Query::Fetches {
            tenant: self.config.tenant.clone(),
            system: self.system.clone(),
            due_by: turn.now.wall,
            limit: self.fetches_max() * 2,
        };
        self.find(query, Await::Fetches, turn);
    }

    /// Whether some of those in memory are on the wire or with intake.
    fn gives_up_fetches(&self) -> bool {
        let reads = |what: &Await| matches!(what, Await::FetchAnswer(..) | Await::FetchedTogether(_));
        let offered = |what: &Offered| matches!(what, Offered::Object(_));
        self.awaiting.values().any(reads) || self.offers.values().any(offered)
    }

    fn fetches_max(&self) -> usize {
        FETCH_MAX.max(self.fetch_lot() * 2)
    }

    pub(crate) fn fetches(&mut self, fetches: Vec<Fetch>, next: Option<Wall>, turn: &mut Turn<'_>) {
        self.fetch_looking = false;
        if let Some(next) = next {
            let due = turn.now.mono_of(next);
            self.fetch_due = Some(self.fetch_due.map_or(due, |at| at.min(due)));
        }
        let most = self.fetches_max();
        for Fetch { external, attempts, hinted_at, .. } in fetches {
            if self.fetching.contains_key(&external) {
                continue;
            }
            if self.fetching.len() >= most {
                self.fetch_wanted = true;
                break;
            }
            self.offer_fetch(external, Fetching { attempts, hinted_at, goes: Goes::Along }, turn);
        }
    }

    /// It is read as soon as it may be.
    pub(super) fn offer_fetch(&mut self, external: ExternalRef, fetching: Fetching, turn: &Turn<'_>) {
        let party = self.party_of(&external, &fetching);
        let draw = self.draw_of_fetch(&external, party.is_some());
        let Some(dispatcher) = &mut self.dispatcher else { return };
        dispatcher.offer(Wanted {
            token: Token::Fetch(external.clone()),
            lane: Lane::Standard,
            lock: None,
            due: turn.now.mono,
            seq: fetching.hinted_at.micros(),
            operation: READ.to_owned(),
            buckets: draw.buckets,
            cost: draw.cost,
            safe: true,
            poison: fetching.attempts > 0,
            party,
            serial: None,
        });
        self.fetching.insert(external, fetching);
    }

    pub(super) fn fetch_alone(&mut self, external: ExternalRef, permit: Permit, turn: &mut Turn<'_>) {
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
        took: std::time::Duration,
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
            (class, _) => self.delay_fetches(vec![external], class, outcome.wait, turn),
        }
    }

    pub(super) fn offer_object(
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

    /// Those of one call are tried again together.
    pub(super) fn delay_fetches(
        &mut self,
        externals: Vec<ExternalRef>,
        class: Class,
        wait: Option<Wait>,
        turn: &mut Turn<'_>,
    ) {
        let free = matches!(class, Class::RateLimited | Class::QuotaExhausted | Class::AuthExpired);
        let tried = |external: &ExternalRef| {
            self.fetching.get(external).map_or(0, |one| one.attempts) + u32::from(!free)
        };
        let tried: Vec<u32> = externals.iter().map(tried).collect();
        let (over, again): (Vec<_>, Vec<_>) =
            externals.into_iter().zip(tried).partition(|(_, attempts)| *attempts > FETCH_ATTEMPTS_MAX);
        for (external, attempts) in over {
            let what =
                format!("it could not be read in {attempts} tries: see the system's state, then retry");
            let place = external.to_string();
            self.give_up_fetch(external, connector::Garbled { what, place }, turn.now.wall, turn);
        }
        let Some(attempts) = again.iter().map(|(_, attempts)| *attempts).max() else { return };
        let mut pause = backoff(attempts.max(1), turn.entropy());
        if let Some(asked) = wait {
            pause = pause.max(asked.from(turn.now.wall).min(READ_RETRY.1));
        }
        let due = turn.now.wall + pause;
        let at = turn.now.mono_of(due);
        self.fetch_due = Some(self.fetch_due.map_or(at, |known| known.min(at)));
        let mut ops = Vec::with_capacity(again.len());
        for (external, attempts) in again {
            self.fetching.remove(&external);
            ops.push(Op::DelayFetch { tenant: self.config.tenant.clone(), external, due, attempts });
        }
        self.outbox.push((Unit { require: Vec::new(), ops }, After::Nothing));
        self.auth_trouble(class, turn);
    }
}

pub(super) fn fetch_call(external: &ExternalRef) -> Call {
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
