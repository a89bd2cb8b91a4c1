//! Looks at bulk jobs: how each is filled and closed, how it stands, what came of its records, and its end.

use std::time::Duration;

use canonical::{Mono, Wall};
use connector::{Call, Failure, JobStep, Part, Response, Stands};
use dispatch::{Permit, Wanted};
use ledger::{Class, Intent, Lane, Outcome};
use store::{Query, SpokeRow};

use crate::mark::Mark;
use crate::spoke::bulk::Bulk;
use crate::spoke::flight::{Doubt, Flight};
use crate::spoke::heads::write_operation;
use crate::spoke::resend::GATE_AGAIN;
use crate::spoke::source::backoff;
use crate::spoke::{Await, READ, Spoke, Token};
use crate::turn::Turn;

/// A job of which the target says so often in a row that it does not know it is gone: just begun, it may not show yet.
const UNKNOWN_MAX: u32 = 4;
/// The time between looks is doubled so often at most.
const DOUBLINGS_MAX: u32 = 20;
/// When a job should be over, so many looks that told nothing are made before its deliveries are in doubt.
const LOOKS_MAX: u32 = 10;

/// A job is over: what came of each of its deliveries, on the way to being settled.
#[derive(Debug)]
pub(crate) struct Over {
    number: u64,
    permit: Permit,
    how: How,
    each: Vec<Outcome>,
    took: Duration,
}

/// How a job came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum How {
    /// What came of each was read.
    Done,
    /// Refused whole.
    Rejected,
    /// Over before its time.
    Failed,
    /// The target does not know it any more.
    Gone,
    /// It does not end, or nobody tells.
    Overdue,
    /// It was given up before anything of it was applied.
    GivenUp,
}

impl How {
    const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Gone => "gone",
            Self::Overdue => "overdue",
            Self::GivenUp => "given_up",
        }
    }

    /// Whether nothing of it is at work any more.
    const fn is_at_rest(self) -> bool {
        matches!(self, Self::Done | Self::Rejected | Self::Failed | Self::GivenUp)
    }
}

impl Spoke {
    pub(super) fn offer_look(&mut self, number: u64, due: Mono) {
        let Some(bulk) = self.bulks.get(&number) else { return };
        let (draw, failures) = (self.draw_of(&bulk.call()), bulk.failures);
        let operation = match bulk.step {
            JobStep::Upload | JobStep::Close => write_operation(&bulk.known.object),
            _ => READ.to_owned(),
        };
        let Some(dispatcher) = &mut self.dispatcher else { return };
        dispatcher.offer(Wanted {
            token: Token::Bulk(number),
            lane: Lane::Standard,
            lock: None,
            due,
            seq: 0,
            operation,
            buckets: draw.buckets,
            cost: draw.cost,
            safe: true,
            poison: failures > 0,
            party: None,
            serial: None,
        });
    }

    /// A look at a job is admitted.
    pub(crate) fn look_at_bulk(&mut self, number: u64, permit: Permit, turn: &mut Turn<'_>) {
        let Some(bulk) = self.bulks.get(&number) else { return self.unused(permit, turn) };
        let call = bulk.call();
        if self.is_rereading() {
            self.unused(permit, turn);
            return self.offer_look(number, turn.now.mono + GATE_AGAIN);
        }
        if let Some(outcome) = bulk.given_up.clone()
            && (bulk.known.job.is_empty() || !self.connector.can_abort(&call))
        {
            return self.over(number, permit, How::GivenUp, outcome, turn);
        }
        let rendered = match bulk.step {
            JobStep::Upload => {
                let part = |doubt: &Doubt| Part::from_bytes(&doubt.intent.request);
                let parts: Vec<Part> = bulk.members.values().filter_map(part).collect();
                self.connector.render_upload(&call, &parts)
            }
            _ => self.connector.render(&call),
        };
        match rendered {
            Ok(request) => self.send(request, Await::Look(number, permit, call), turn),
            Err(error) => {
                let why = format!("its job can't be asked about: {error}");
                self.over(number, permit, How::Gone, Outcome::because(Class::Uncertain, why), turn);
            }
        }
    }

    /// What the answer to a request about a job tells.
    pub(crate) fn looked_at_bulk(
        &mut self,
        number: u64,
        permit: Permit,
        call: &Call,
        answer: &Result<Response, Failure>,
        took: Duration,
        turn: &mut Turn<'_>,
    ) {
        let outcome = self.connector.classify(call, answer, turn.now.wall);
        let Some(bulk) = self.bulks.get_mut(&number) else { return self.release(permit, turn) };
        let unknown = answer.is_ok() && matches!(outcome.class, Class::NotFound | Class::Gone);
        bulk.unknown = if unknown { bulk.unknown + 1 } else { 0 };
        let gone = bulk.unknown >= UNKNOWN_MAX;
        let step = bulk.step;
        let operation = format!("{}.{}", bulk.known.operation, step.name());
        self.learn(&permit, &operation, &outcome, took, turn);
        match (step, outcome.class, answer) {
            (JobStep::Upload, ..) => self.uploaded(number, permit, outcome, turn),
            (JobStep::Close, ..) => self.closed(number, permit, &outcome, turn),
            (JobStep::Abort, ..) => self.aborted(number, permit, &outcome, turn),
            (JobStep::Results | JobStep::Errors | JobStep::Unprocessed, Class::Applied, Ok(response)) => {
                self.read_on(number, permit, call, response, took, turn);
            }
            (_, Class::Applied, Ok(response)) => {
                let Some((stands, state)) = self.connector.job_stands(call, response) else {
                    return self.look_later(number, permit, &outcome, turn);
                };
                if let Some(bulk) = self.bulks.get_mut(&number) {
                    bulk.state = state;
                }
                self.stands(number, permit, stands, (call, response), took, turn);
            }
            _ if gone => {
                let why = "the target does not know its job any more";
                self.over(number, permit, How::Gone, Outcome::because(Class::Uncertain, why), turn);
            }
            _ => self.look_later(number, permit, &outcome, turn),
        }
    }

    fn stands(
        &mut self,
        number: u64,
        permit: Permit,
        stands: Stands,
        (call, response): (&Call, &Response),
        took: Duration,
        turn: &mut Turn<'_>,
    ) {
        let overdue = self.is_overdue(number, turn.now.wall);
        let Some(bulk) = self.bulks.get_mut(&number) else { return self.release(permit, turn) };
        let state = bulk.state.clone();
        let because = |class, why: &str| Outcome::because(class, format!("{why} ({state})"));
        match stands {
            Stands::Runs | Stands::Open if overdue => {
                let outcome = because(Class::Uncertain, "its job does not end");
                self.over(number, permit, How::Overdue, outcome, turn);
            }
            Stands::Runs => {
                bulk.failures = 0;
                bulk.looks = bulk.looks.saturating_add(1);
                let pause = self.until_next_look(number);
                self.release(permit, turn);
                self.offer_look(number, turn.now.mono + pause);
            }
            // Whoever said so was not heard, or it was lost on its way: it is said again.
            Stands::Open => self.close_again(number, permit, turn),
            Stands::Done { apart: true } | Stands::Failed { apart: true } => {
                bulk.failed = stands == Stands::Failed { apart: true };
                bulk.failures = 0;
                bulk.step = JobStep::Results;
                bulk.read.clear();
                self.release(permit, turn);
                self.offer_look(number, turn.now.mono);
            }
            Stands::Done { apart: false } => self.read_on(number, permit, call, response, took, turn),
            Stands::Rejected => {
                let outcome = because(Class::BatchRejected, "the target refused its job whole");
                self.over(number, permit, How::Rejected, outcome, turn);
            }
            Stands::Failed { apart: false } => {
                let outcome = because(Class::Uncertain, "its job ended before its time");
                self.over(number, permit, How::Failed, outcome, turn);
            }
        }
    }

    fn is_overdue(&self, number: u64, now: Wall) -> bool {
        self.bulks.get(&number).is_none_or(|bulk| {
            let spec = self.job_spec(&bulk.known.object, &bulk.known.operation);
            spec.is_none_or(|spec| now.since(bulk.known.since) > spec.lasts_max)
        })
    }

    /// How long until a job that runs is looked at again: longer each time.
    pub(super) fn until_next_look(&self, number: u64) -> Duration {
        let Some(bulk) = self.bulks.get(&number) else { return GATE_AGAIN };
        let spec = self.job_spec(&bulk.known.object, &bulk.known.operation);
        spec.map_or(GATE_AGAIN, |spec| {
            spec.every.saturating_mul(1 << bulk.looks.min(DOUBLINGS_MAX)).min(spec.every_max)
        })
    }

    /// A part of what came of its records was read: the next is, or all is known.
    fn read_on(
        &mut self,
        number: u64,
        permit: Permit,
        call: &Call,
        response: &Response,
        took: Duration,
        turn: &mut Turn<'_>,
    ) {
        let Some(bulk) = self.bulks.get_mut(&number) else { return self.release(permit, turn) };
        bulk.read.push((bulk.step, response.clone()));
        let next = self.connector.next_of_job(call).filter(|_| bulk.step != JobStep::Status);
        if let Some(next) = next {
            bulk.failures = 0;
            bulk.step = next;
            self.release(permit, turn);
            return self.offer_look(number, turn.now.mono);
        }
        let (writes, places) = bulk.writes();
        let of = usize::try_from(bulk.known.of).unwrap_or(usize::MAX);
        let how = if bulk.failed { How::Failed } else { How::Done };
        let read = std::mem::take(&mut bulk.read);
        match self.connector.classify_job(call, &writes, (places, of), &read, turn.now.wall) {
            Some(each) => self.ask_to_settle(Over { number, permit, how, each, took }, turn),
            None => {
                // All of it is read again.
                bulk.step = if bulk.step == JobStep::Status { JobStep::Status } else { JobStep::Results };
                let why = "the answer does not say what came of its job's records";
                self.look_later(number, permit, &Outcome::because(Class::Retryable, why), turn);
            }
        }
    }

    /// A look told nothing. Nothing is lost, and no attempt of a delivery is spent: it is looked at again, later and later.
    pub(super) fn look_later(&mut self, number: u64, permit: Permit, outcome: &Outcome, turn: &mut Turn<'_>) {
        let entropy = turn.entropy();
        let overdue = self.is_overdue(number, turn.now.wall);
        let Some(bulk) = self.bulks.get_mut(&number) else { return self.release(permit, turn) };
        bulk.failures = bulk.failures.saturating_add(1);
        if overdue && bulk.failures >= LOOKS_MAX {
            let why = format!("what came of its job can't be read: {}", outcome.refusal.message);
            return self.over(number, permit, How::Overdue, Outcome::because(Class::Uncertain, why), turn);
        }
        let asked = outcome.wait.map_or(Duration::ZERO, |wait| wait.from(turn.now.wall));
        let pause = backoff(bulk.failures, entropy).max(asked);
        self.release(permit, turn);
        self.offer_look(number, turn.now.mono + pause);
        self.auth_trouble(outcome.class, turn);
    }

    /// A job is over, and the same is known of all that it holds.
    pub(super) fn over(
        &mut self,
        number: u64,
        permit: Permit,
        mut how: How,
        mut outcome: Outcome,
        turn: &mut Turn<'_>,
    ) {
        if self.bulks.get(&number).is_some_and(|bulk| !bulk.known.at_work) {
            // It was never closed: nothing of it is in doubt.
            how = How::GivenUp;
            outcome.class = if outcome.class == Class::Uncertain { Class::Retryable } else { outcome.class };
        }
        let records = self.bulks.get(&number).map_or(0, |bulk| bulk.members.len());
        let each = vec![outcome; records];
        self.ask_to_settle(Over { number, permit, how, each, took: Duration::ZERO }, turn);
    }

    /// What is known of their records, in one question: their ends are judged by that.
    fn ask_to_settle(&mut self, over: Over, turn: &mut Turn<'_>) {
        let Some(bulk) = self.bulks.get(&over.number) else { return self.release(over.permit, turn) };
        let asks = bulk.members.values().map(Doubt::ask).collect();
        let query = Query::Spoke { tenant: self.config.tenant.clone(), system: self.system.clone(), asks };
        self.find(query, Await::BulkOver(Box::new(over)), turn);
    }

    /// All that the job held is settled, and the job goes in the same commit.
    pub(crate) fn settle_bulk(&mut self, over: Over, rows: Vec<SpokeRow>, turn: &mut Turn<'_>) {
        let Over { number, permit, how, each, took } = over;
        let Some(Bulk { known, members, .. }) = self.bulks.remove(&number) else {
            return self.release(permit, turn);
        };
        turn.note(Mark::BulkEnded {
            system: self.system.clone(),
            operation: known.operation.clone(),
            how: how.name(),
            records: members.len(),
            took: turn.now.wall.since(known.since),
        });
        let mut flights = Vec::with_capacity(members.len());
        let mut outcomes = Vec::with_capacity(members.len());
        for ((doubt, row), outcome) in members.into_values().zip(rows).zip(each) {
            if let Some(flight) = self.flight_of_bulk(doubt, &permit, how, row, turn) {
                flights.push(flight);
                outcomes.push(outcome);
            }
        }
        self.settle_batch(flights, outcomes, true, took, turn);
        self.release(permit, turn);
        self.state.jobs.retain(|job| *job != known);
        self.keep_state(None);
        self.keep_at_once(&known.object, &known.operation);
    }

    /// What waited for a job, as if its answer had just come.
    fn flight_of_bulk(
        &mut self,
        mut doubt: Doubt,
        permit: &Permit,
        how: How,
        row: SpokeRow,
        turn: &mut Turn<'_>,
    ) -> Option<Flight> {
        let (key, record, object) =
            (doubt.intent.obligation.clone(), doubt.intent.record, doubt.intent.object.clone());
        if doubt.head.is_none() {
            // Found at a start: what is wanted of it comes from the store.
            self.active.remove(&key);
            self.raised_again.remove(&key);
        }
        if how.is_at_rest() {
            let spec = self.connector.operation(&doubt.intent.operation, &object);
            let usual = spec.map_or(doubt.intent.processing_max, |spec| spec.processing_max);
            quiet(&mut doubt.intent, usual, turn.now.wall);
        }
        let token = Self::intent_token(&doubt.intent);
        let permit = self.dispatcher.as_mut()?.lend(permit, record, &object, token);
        let exit = self.exit_of(&doubt.intent);
        let route = self.config.route(&key.route);
        let mapping = route.and_then(|route| self.mapping_for(route, &row));
        let mapping = mapping.map(|mapping| (mapping.id().to_owned(), mapping.version()));
        if doubt.matches.is_empty() {
            doubt.matches = self.matches_of(&row);
        }
        let link = row.link.as_deref();
        // Linked or unlinked meanwhile: it is read again with what came of it.
        let shadow = (link == doubt.intent.external_id.as_deref()).then(|| {
            self.fitting_shadow(record, &object, row.shadow, |shadow| shadow.external_id.as_deref() == link)
        });
        let flight = self.flight_of(doubt, permit, exit, turn)?;
        Some(Flight { obligation: row.obligation, shadow, mapping: mapping.unwrap_or_default(), ..flight })
    }
}

/// Nothing of it is at work any more: what follows waits as after a single write, and not for as long as a job may last.
fn quiet(intent: &mut Intent, usual: Duration, now: Wall) {
    intent.arrives_until = intent.arrives_until.min(now + usual - intent.processing_max);
}
