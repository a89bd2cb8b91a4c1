//! What is awaited: what each outstanding effect was for, and who goes on with its answer.

use std::time::Duration;

use canonical::{ExternalRef, Object, Wall};
use connector::{Call, Failure, Response};
use dispatch::Permit;
use ledger::Lane;
use store::{Head, Rows, StoreError};

use super::flight::{Doubt, Flight};
use super::orders::Decision;
use super::settle::{After, Settlement};
use super::{Spoke, look, many, start};
use crate::turn::{Effect, Ticket, Turn};
use crate::versions;

/// What an outstanding effect was for.
#[derive(Debug)]
pub(crate) enum Await {
    /// The system's own state, at start.
    System,
    /// Intents found open, at start.
    Intents,
    /// How deliveries stand whose intents were found open.
    Recovered(Box<start::TakeUp>),
    /// A lane's due obligations.
    Claim(Lane),
    /// A page of what an operator holds back.
    Held,
    /// Due fetches.
    Fetches,
    /// What must be known to render these.
    View(Vec<(Head, Permit)>),
    /// What must be known before an intent in doubt is sent again.
    Resend(Box<Doubt>, Permit),
    /// What must be known to settle this again: its unit conflicted.
    Resettle(Box<Settlement>),
    /// Units, with what follows each.
    Commit(Vec<After>),
    /// An answer to a write or probe.
    Answer(Box<Flight>),
    /// An answer to several writes that went together.
    Batch(Vec<Flight>),
    /// What must be known before a batch in doubt is sent again.
    ResendBatch(Vec<(Doubt, Permit)>),
    /// How a job stands, or what came of its records.
    Look(u64, Permit, Call),
    /// What must be known to settle what a job held.
    BulkOver(Box<look::Over>),
    /// The object a duplicate answer named.
    Adopt(Box<Flight>, Call, String),
    /// An object read by id.
    FetchAnswer(ExternalRef, Wall, Permit, Call),
    /// Objects read in one call.
    FetchedTogether(Box<many::Reading>),
    /// A page of a listing.
    PollAnswer(Object, Wall, Permit, Call),
    /// Which account is this?
    Identity,
    /// A token.
    Token,
    /// How a delivery stands that a person has other values for.
    Edit(Ticket, canonical::Fields, String),
    /// The delivery that an operator decided about: whom to answer, what was decided, and why.
    Order(Ticket, Decision, String),
}

impl Spoke {
    pub(super) fn found(&mut self, ticket: Ticket, rows: Result<Rows, StoreError>, turn: &mut Turn<'_>) {
        let Some(what) = self.awaiting.remove(&ticket) else { return };
        let rows = match rows {
            Ok(rows) => rows,
            Err(StoreError::Closed) if self.draining => return,
            Err(error) => return turn.effect(Effect::Stop(error.to_string())),
        };
        let rows = match rows {
            Rows::Spoke(mut rows) => {
                rows.iter_mut().for_each(|row| versions::read_row(&self.config, row));
                Rows::Spoke(rows)
            }
            other => other,
        };
        match (what, rows) {
            (Await::System, Rows::System(state, cursors, restored)) => {
                self.learn_of_restore(restored, turn);
                self.loaded(state, cursors, turn);
            }
            (Await::Intents, Rows::Intents(intents)) => self.recovered(intents, turn),
            (Await::Recovered(found), Rows::Spoke(rows)) => self.taken_up(*found, rows, turn),
            (Await::Claim(lane), Rows::Claim(claimed)) => self.claimed(lane, claimed, turn),
            (Await::Held, Rows::Held(heads)) => self.held(&heads, turn),
            (Await::Fetches, Rows::Fetches(fetches, next)) => self.fetches(fetches, next, turn),
            (Await::View(admitted), Rows::Spoke(rows)) => {
                for ((head, permit), row) in admitted.into_iter().zip(rows) {
                    self.plan(head, permit, row, turn);
                }
                self.form_batches(turn);
            }
            (Await::BulkOver(over), Rows::Spoke(rows)) => self.settle_bulk(*over, rows, turn),
            (Await::ResendBatch(doubts), Rows::Spoke(rows)) => self.resend_batch(doubts, rows, turn),
            (Await::Resend(doubt, permit), Rows::Spoke(rows)) => {
                if let Some(row) = rows.first() {
                    self.resend(*doubt, permit, row, turn);
                }
            }
            (Await::Order(outside, decision, why), Rows::Spoke(mut rows)) => {
                if let Some(row) = rows.pop() {
                    self.decide(outside, decision, &why, row, turn);
                }
            }
            (Await::Edit(outside, values, why), Rows::Spoke(rows)) => {
                self.edit(outside, values, why, rows, turn);
            }
            (Await::Resettle(settlement), Rows::Spoke(mut rows)) => {
                if let Some(row) = rows.pop() {
                    self.resettle(*settlement, row, turn);
                }
            }
            _ => {}
        }
    }

    pub(super) fn answered(
        &mut self,
        ticket: Ticket,
        answer: &Result<Response, Failure>,
        took: Duration,
        turn: &mut Turn<'_>,
    ) {
        match self.awaiting.remove(&ticket) {
            Some(Await::Answer(flight)) => self.landed(*flight, answer, took, turn),
            Some(Await::Look(number, permit, call)) => {
                self.looked_at_bulk(number, permit, &call, answer, took, turn);
            }
            Some(Await::Batch(flights)) => self.landed_batch(flights, answer, took, turn),
            Some(Await::Adopt(flight, call, external_id)) => {
                self.adopt(*flight, &call, external_id, answer, turn)
            }
            Some(Await::FetchAnswer(external, started, permit, call)) => {
                self.fetched(external, started, permit, &call, answer, took, turn);
            }
            Some(Await::FetchedTogether(reading)) => self.fetched_together(*reading, answer, took, turn),
            Some(Await::PollAnswer(object, started, permit, call)) => {
                self.polled(&object, started, permit, &call, answer, took, turn);
            }
            Some(Await::Identity) => self.identified(answer, turn),
            _ => {}
        }
    }
}
