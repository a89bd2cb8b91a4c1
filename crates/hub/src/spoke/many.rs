//! Objects that are read together: hints of one kind that are due at the same time go in one call.
//!
//! Who is due when one is admitted goes along; nobody is waited for, and whoever is alone goes by the single fetch.
//! Together they take one slot and are charged once. Each object of the answer is offered to intake by itself, as read
//! when the call began: what is hinted at during the call is read again.
//!
//! | the answer | what follows |
//! |---|---|
//! | says what one is, or that it is gone | as after a fetch of it alone |
//! | says nothing of one, or nothing of use | it is fetched alone |
//! | refuses the whole for good | its halves go at once, until the one that it was for is alone; no try is counted |
//! | never came, or says later | all are tried again together; after each failure half as many go in one call |
//!
//! Nothing of this is kept: what was not taken in is due in the store, also after a restart.

use std::time::Duration;

use canonical::{ExternalRef, Object, Wall};
use connector::{Call, Failure, Response};
use dispatch::{Party, Permit};
use ledger::Class;

use crate::mark::Mark;
use crate::spoke::draw::Draw;
use crate::spoke::fetch::{Fetching, Goes, fetch_call};
use crate::spoke::{Await, Spoke, Token};
use crate::turn::Turn;

/// Most that go in one call, whatever a connector allows: all of them are held in memory (I19).
const LOT_MAX: usize = 500;

/// A call that reads several.
#[derive(Debug)]
pub(crate) struct Reading {
    externals: Vec<ExternalRef>,
    started: Wall,
    permits: Vec<Permit>,
    call: Call,
}

impl Spoke {
    /// Most that go in one call of any kind; 1: each goes alone.
    pub(super) fn fetch_lot(&self) -> usize {
        let objects = self.config.inbound_objects(&self.system);
        objects.filter_map(|object| self.most_of(object)).max().unwrap_or(1)
    }

    fn most_of(&self, object: &Object) -> Option<usize> {
        self.connector.many(object).map(|many| many.records_max.min(LOT_MAX))
    }

    /// With whom it may be read.
    pub(super) fn party_of(&self, external: &ExternalRef, fetching: &Fetching) -> Option<Party> {
        let most = self.most_of(&external.object)?;
        match fetching.goes {
            Goes::Alone => None,
            Goes::Half(half) => Some(half),
            // What no answer comes for, or a garbled one, may be there for one of them: fewer go with each try.
            Goes::Along => {
                let most = most.checked_shr(fetching.attempts).filter(|most| *most >= 2)?;
                Some(Party { kind: kind_of(&external.object, fetching.attempts), most })
            }
        }
    }

    /// What it draws, by itself or with others: it is not known before it goes.
    pub(super) fn draw_of_fetch(&self, external: &ExternalRef, along: bool) -> Draw {
        let single = self.draw_of(&fetch_call(external));
        let many = self.connector.many(&external.object).filter(|_| along);
        many.map_or(single, |many| single.or(self.drawn(Some(&many.charge))))
    }

    /// Fetches are admitted under one permit each: they go in one call, as far as they fit.
    pub(super) fn fetch(
        &mut self,
        first: ExternalRef,
        permit: Permit,
        along: Vec<(Token, Permit)>,
        turn: &mut Turn<'_>,
    ) {
        let object = first.object.clone();
        let mut going = vec![(first, permit)];
        for (token, permit) in along {
            match token {
                Token::Fetch(external) if external.object == object => going.push((external, permit)),
                Token::Fetch(external) => self.stays(external, permit, None, turn),
                _ => self.unused(permit, turn),
            }
        }
        if going.len() < 2 {
            return going.into_iter().for_each(|(external, permit)| self.fetch_alone(external, permit, turn));
        }
        let ids: Vec<String> = going.iter().map(|(external, _)| external.id.clone()).collect();
        let (call, request) = match self.connector.render_many(&object, &ids) {
            Ok(Some(made)) => made,
            // Not even two fit.
            Ok(None) => {
                let rest = going.split_off(1);
                rest.into_iter().for_each(|(external, permit)| {
                    self.stays(external, permit, Some(Goes::Alone), turn);
                });
                return going
                    .into_iter()
                    .for_each(|(external, permit)| self.fetch_alone(external, permit, turn));
            }
            // One of them cannot stand in it.
            Err(_) => {
                let (externals, permits): (Vec<_>, Vec<_>) = going.into_iter().unzip();
                permits.into_iter().for_each(|permit| self.unused(permit, turn));
                return self.halve(externals, turn);
            }
        };
        let taken = if let Call::FetchMany { ids, .. } = &call { ids.len() } else { 0 };
        for (external, permit) in going.split_off(taken.min(going.len())) {
            self.stays(external, permit, None, turn);
        }
        let (externals, permits) = going.into_iter().unzip();
        let reading = Reading { externals, started: turn.now.wall, permits, call };
        self.send(request, Await::FetchedTogether(Box::new(reading)), turn);
    }

    /// It does not go in this call, but in the next.
    fn stays(&mut self, external: ExternalRef, permit: Permit, goes: Option<Goes>, turn: &Turn<'_>) {
        self.unused(permit, turn);
        self.read_next(external, goes, turn);
    }

    fn read_next(&mut self, external: ExternalRef, goes: Option<Goes>, turn: &Turn<'_>) {
        let Some(known) = self.fetching.remove(&external) else { return };
        self.offer_fetch(external, Fetching { goes: goes.unwrap_or(known.goes), ..known }, turn);
    }

    /// Each half is read by itself.
    fn halve(&mut self, mut externals: Vec<ExternalRef>, turn: &Turn<'_>) {
        let rest = externals.split_off(externals.len().div_ceil(2));
        for half in [externals, rest] {
            let goes = if half.len() < 2 { Goes::Alone } else { Goes::Half(self.new_party(half.len())) };
            half.into_iter().for_each(|external| self.read_next(external, Some(goes), turn));
        }
    }

    /// The answer to a call that reads several, or its absence.
    pub(super) fn fetched_together(
        &mut self,
        reading: Reading,
        answer: &Result<Response, Failure>,
        took: Duration,
        turn: &mut Turn<'_>,
    ) {
        let Reading { externals, started, permits, call } = reading;
        let outcome = self.connector.classify(&call, answer, turn.now.wall);
        if let Some(first) = permits.first() {
            self.learn(first, "fetch.many", &outcome, took, turn);
        }
        permits.into_iter().for_each(|permit| self.release(permit, turn));
        match (outcome.class, answer) {
            (Class::Applied, Ok(response)) => match self.connector.read_many(&call, response) {
                Ok(each) => {
                    for (external, seen) in externals.into_iter().zip(each) {
                        match seen {
                            Some(observation) => {
                                turn.note(Mark::Fetched { system: self.system.clone() });
                                self.offer_object(external, observation, started, turn);
                            }
                            None => self.read_next(external, Some(Goes::Alone), turn),
                        }
                    }
                }
                Err(_) => self.delay_fetches(externals, Class::Retryable, None, turn),
            },
            (
                Class::Permission
                | Class::Validation
                | Class::TooLarge
                | Class::Duplicate
                | Class::NotFound
                | Class::Gone
                | Class::Conflict
                | Class::BatchRejected
                | Class::Permanent,
                _,
            ) => self.halve(externals, turn),
            (class, _) => self.delay_fetches(externals, class, outcome.wait, turn),
        }
    }
}

/// Equal for those that may be read together.
fn kind_of(object: &Object, attempts: u32) -> u64 {
    let named = object.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (named ^ u64::from(attempts)) >> 2
}
