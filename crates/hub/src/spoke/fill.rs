//! Filling jobs that begin empty: their records go into them, they are closed, or given up.
//!
//! | lost or refused | what is known | what follows |
//! |---|---|---|
//! | the begin | there may be an empty job that nobody knows: it does nothing | the records go again |
//! | the upload, certainly without effect | the job is empty | it is filled again |
//! | the upload, otherwise | the job is not closed, so nothing of it is applied | it is given up, and the records go again |
//! | the close | it may be at work | its state tells: where it waits still, it is closed again |
//! | giving it up, not closed | as above: it does nothing, and the vendor takes it away some day | the records go again |
//!
//! What refuses the upload for good, or lets a job wait however often it is closed, refuses the job: its records go
//! another way, in batches where the operation has them.

use connector::JobStep;
use dispatch::Permit;
use ledger::{Class, Outcome};

use crate::spoke::Spoke;
use crate::spoke::look::How;
use crate::spoke::source::backoff;
use crate::turn::Turn;

/// A job that waits still after so many tries to close it is given up.
const OPEN_MAX: u32 = 8;

impl Spoke {
    /// Its records are in it, or not.
    pub(super) fn uploaded(&mut self, number: u64, permit: Permit, outcome: Outcome, turn: &mut Turn<'_>) {
        let Some(bulk) = self.bulks.get_mut(&number) else { return self.release(permit, turn) };
        match outcome.class {
            Class::Applied => {
                // From the moment on that it may be closed, what it holds may be at work: that is durable before.
                bulk.known.at_work = true;
                (bulk.step, bulk.failures) = (JobStep::Close, 0);
                self.release(permit, turn);
                self.keep_bulk(number);
            }
            Class::RateLimited | Class::QuotaExhausted | Class::AuthExpired | Class::AuthRevoked => {
                self.look_later(number, permit, &outcome, turn);
            }
            _ if outcome.unreached => self.look_later(number, permit, &outcome, turn),
            class => {
                let class = match class {
                    Class::Uncertain | Class::Retryable | Class::Locked => Class::Retryable,
                    _ => Class::BatchRejected,
                };
                let why = format!("its job could not be filled: {}", outcome.refusal.message);
                bulk.give_up(Outcome::because(class, why));
                self.release(permit, turn);
                self.offer_look(number, turn.now.mono);
            }
        }
    }

    /// It was closed, or perhaps was: its state tells.
    pub(super) fn closed(&mut self, number: u64, permit: Permit, outcome: &Outcome, turn: &mut Turn<'_>) {
        let Some(bulk) = self.bulks.get_mut(&number) else { return self.release(permit, turn) };
        bulk.step = JobStep::Status;
        if outcome.class != Class::Applied {
            return self.look_later(number, permit, outcome, turn);
        }
        (bulk.failures, bulk.looks) = (0, 0);
        let pause = self.until_next_look(number);
        self.release(permit, turn);
        self.offer_look(number, turn.now.mono + pause);
    }

    /// It waits to be closed. Where that does no good however often, it is given up.
    pub(super) fn close_again(&mut self, number: u64, permit: Permit, turn: &mut Turn<'_>) {
        let entropy = turn.entropy();
        let Some(bulk) = self.bulks.get_mut(&number) else { return self.release(permit, turn) };
        bulk.open += 1;
        let pause = backoff(bulk.open, entropy);
        if bulk.open > OPEN_MAX {
            bulk.give_up(Outcome::because(
                Class::BatchRejected,
                "the target does not take its job as filled",
            ));
        } else {
            bulk.step = JobStep::Close;
        }
        self.release(permit, turn);
        self.offer_look(number, turn.now.mono + pause);
    }

    /// It is given up, or not. One that was never closed does nothing, whether the target heard it or not.
    pub(super) fn aborted(&mut self, number: u64, permit: Permit, outcome: &Outcome, turn: &mut Turn<'_>) {
        let Some(bulk) = self.bulks.get_mut(&number) else { return self.release(permit, turn) };
        match bulk.given_up.take() {
            Some(each) if !bulk.known.at_work || outcome.class == Class::Applied => {
                self.over(number, permit, How::GivenUp, each, turn);
            }
            _ => {
                (bulk.step, bulk.open) = (JobStep::Status, 0);
                self.look_later(number, permit, outcome, turn);
            }
        }
    }
}
