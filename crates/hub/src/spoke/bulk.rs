//! Bulk jobs: batches whose request only begins a job at the target, which works on it for minutes.
//!
//! The answer to the request is the job's id. It is durable, with the system's state, before anything else is done
//! about it; then the call's slot is free, and the deliveries wait here, each with its intent open and its record
//! locked. The job is looked at now and then, by a read that is admitted like any other. When it is done, what came of
//! each is read and settled like the answer to a batch: all ends that are known at once are one commit, and with it goes the job.
//!
//! A job may begin empty: then it is filled and closed by requests of their own. Before it is closed nothing of it is
//! applied, so that nothing is in doubt when one of them is lost, or a start finds such a job: it is given up, and what
//! it was to hold goes again. That it may be closed is durable before it is.
//!
//! A restart finds jobs and intents in the store, and goes on looking: nothing is sent again. What a job does not tell
//! (it ended before its time, is not known any more, or does not end) leaves its deliveries in doubt, each as its class
//! says; their intents count on the longest that a job lasts before anything goes again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use canonical::{IntentId, Object, Wall};
use connector::{Call, JobSpec, JobStep, Part, Response, Together};
use ledger::{Class, Intent, IntentState, Outcome};
use store::{BulkJob, Op, Unit};

use crate::mark::Mark;
use crate::spoke::Spoke;
use crate::spoke::flight::{Action, Doubt, Flight};
use crate::spoke::settle::After;
use crate::turn::Turn;

/// A job that runs.
#[derive(Debug)]
pub(crate) struct Bulk {
    pub(super) known: BulkJob,
    /// What it holds, by place in the batch.
    pub(super) members: BTreeMap<u32, Doubt>,
    /// What is done about it, or read of it, next.
    pub(super) step: JobStep,
    /// Looks that said that it runs.
    pub(super) looks: u32,
    /// Looks that said that it waits to be closed.
    pub(super) open: u32,
    /// What was read of what came of its records.
    pub(super) read: Vec<(JobStep, Response)>,
    /// It ended before its time.
    pub(super) failed: bool,
    /// It is given up, and this is what came of each.
    pub(super) given_up: Option<Outcome>,
    /// Looks in a row that told nothing.
    pub(super) failures: u32,
    /// Of them, those in a row that said that there is no such job.
    pub(super) unknown: u32,
    /// What the target called its state last.
    pub(super) state: String,
}

impl Bulk {
    /// A job as it was kept, of which it is not known yet what it holds.
    pub(crate) const fn kept(known: BulkJob) -> Self {
        Self {
            known,
            members: BTreeMap::new(),
            step: JobStep::Status,
            looks: 0,
            open: 0,
            read: Vec::new(),
            failed: false,
            given_up: None,
            failures: 0,
            unknown: 0,
            state: String::new(),
        }
    }

    pub(super) fn call(&self) -> Call {
        Call::Job {
            object: self.known.object.clone(),
            operation: self.known.operation.clone(),
            job: self.known.job.clone(),
            step: self.step,
        }
    }

    /// Whether an intent that was found open is one that went in it.
    pub(crate) fn is_waited_for_by(&self, intent: &Intent) -> bool {
        let batch = intent.batch.filter(|_| intent.state == IntentState::Open);
        batch.is_some_and(|batch| {
            self.known.batch == batch.id
                && self.is_of(&intent.object, &intent.operation)
                && self.known.seat(batch.place).is_some()
        })
    }

    /// At a start: it is one of the job's.
    pub(crate) fn put_back(&mut self, doubt: Doubt) {
        if let Some(batch) = doubt.intent.batch {
            self.members.insert(batch.place, doubt);
        }
    }

    fn is_of(&self, object: &Object, operation: &str) -> bool {
        self.known.object == *object && self.known.operation == operation
    }

    /// Whether it holds that intent.
    pub(crate) fn holds(&self, intent: IntentId) -> bool {
        self.members.values().any(|doubt| doubt.intent.id == intent)
    }

    /// Its calls, and their places in what it was given.
    pub(super) fn writes(&self) -> (Vec<Call>, Vec<usize>) {
        let calls = self.members.values().map(|doubt| Call::Write(doubt.write.clone())).collect();
        let seat = |place: &u32| self.known.seat(*place).unwrap_or(usize::MAX);
        (calls, self.members.keys().map(seat).collect())
    }

    /// Nothing of it was applied: it is given up, and this comes of each.
    pub(super) fn give_up(&mut self, outcome: Outcome) {
        (self.step, self.given_up, self.failures) = (JobStep::Abort, Some(outcome), 0);
    }

    /// For whoever asks how the system stands.
    pub(crate) fn described(&self) -> crate::turn::RunningJob {
        crate::turn::RunningJob {
            object: self.known.object.clone(),
            operation: self.known.operation.clone(),
            job: self.known.job.clone(),
            records: self.members.len(),
            since: self.known.since,
            state: self.state.clone(),
        }
    }
}

/// What no two submissions of an operation have at once, and none while as many jobs run as may. No value of a record is
/// equal to it.
pub(crate) fn job_key(object: &Object, operation: &str) -> Arc<str> {
    Arc::from(format!("\u{0}job {object} {operation}"))
}

impl Spoke {
    /// The job that batches of an operation begin, if they do.
    pub(crate) fn job_spec(&self, object: &Object, operation: &str) -> Option<&JobSpec> {
        self.connector.operation(operation, object)?.bulk.as_ref()?.job.as_ref()
    }

    /// The target has taken a batch as a job.
    pub(crate) fn began(&mut self, flights: Vec<Flight>, job: String, turn: &mut Turn<'_>) {
        let Some((first, batch)) = flights.first().and_then(|first| Some((first, first.intent.batch?)))
        else {
            return;
        };
        let places: Vec<u32> =
            flights.iter().filter_map(|flight| flight.intent.batch).map(|of| of.place).collect();
        let of = u32::try_from(flights.len()).unwrap_or(u32::MAX);
        let all = places.iter().copied().eq(0..of);
        let job_spec = self.job_spec(&first.intent.object, &first.intent.operation);
        let (every, filled) = job_spec.map_or((Duration::ZERO, false), |spec| (spec.every, spec.filled));
        let known = BulkJob {
            batch: batch.id,
            object: first.intent.object.clone(),
            operation: first.intent.operation.clone(),
            job,
            since: turn.now.wall,
            at_work: !filled,
            of,
            places: if all { Vec::new() } else { places },
        };
        turn.note(Mark::BulkBegan {
            system: self.system.clone(),
            operation: known.operation.clone(),
            records: flights.len(),
        });
        self.state.jobs.push(known.clone());
        let mut bulk = Bulk::kept(known);
        if filled {
            bulk.step = JobStep::Upload;
        }
        let number = self.add_bulk(bulk);
        if filled {
            self.keep_bulk(number);
        } else {
            self.keep_state(None);
            self.offer_look(number, turn.now.mono + every);
        }
        for flight in flights {
            let place = flight.intent.batch.map_or(0, |batch| batch.place);
            let (doubt, permit) = flight.into_doubt(Action::Send, false);
            if let Some(dispatcher) = &mut self.dispatcher {
                dispatcher.release_keeping_lock(permit, turn.now.mono);
            }
            self.wait_for_bulk(number, place, doubt);
        }
    }

    /// A job runs from now on.
    fn add_bulk(&mut self, bulk: Bulk) -> u64 {
        self.bulk_number += 1;
        let number = self.bulk_number;
        let (object, operation) = (bulk.known.object.clone(), bulk.known.operation.clone());
        self.bulks.insert(number, bulk);
        self.keep_at_once(&object, &operation);
        number
    }

    /// What is known of a job is written down; it goes on when that is durable.
    pub(super) fn keep_bulk(&mut self, number: u64) {
        if let Some(bulk) = self.bulks.get(&number) {
            for kept in self.state.jobs.iter_mut().filter(|kept| kept.job == bulk.known.job) {
                kept.clone_from(&bulk.known);
            }
        }
        let unit = Unit { require: Vec::new(), ops: vec![Op::PutSystem(self.state.clone())] };
        self.outbox.push((unit, After::Bulk(number)));
    }

    /// A delivery waits for a job; its record's lock is kept.
    fn wait_for_bulk(&mut self, number: u64, place: u32, doubt: Doubt) {
        if let Some(dispatcher) = &mut self.dispatcher {
            let token = Self::intent_token(&doubt.intent);
            dispatcher.hold(doubt.intent.record, &doubt.intent.object, token);
        }
        // It does not come to memory again meanwhile.
        self.active.insert(doubt.intent.obligation.clone());
        if let Some(bulk) = self.bulks.get_mut(&number) {
            bulk.members.insert(place, doubt);
        }
    }

    /// No more jobs of an operation at once than it may have: what waits for one sleeps.
    pub(super) fn keep_at_once(&mut self, object: &Object, operation: &str) {
        let most = self.job_spec(object, operation).map_or(1, |spec| spec.at_once);
        let running = self.bulks.values().filter(|bulk| bulk.is_of(object, operation)).count();
        let key = job_key(object, operation);
        match &mut self.dispatcher {
            Some(dispatcher) if running >= most => dispatcher.shut(&key),
            Some(dispatcher) => dispatcher.reopen(&key),
            None => {}
        }
    }

    /// At a start: the jobs that were kept, as far as the connector still knows how to ask about them.
    pub(crate) fn kept_bulks(&self) -> Vec<Bulk> {
        let known = self.state.jobs.iter().filter(|job| self.job_spec(&job.object, &job.operation).is_some());
        known.cloned().map(Bulk::kept).collect()
    }

    /// At a start: whether an intent was to go in a job that is not known. Whatever was begun for it is empty, so that
    /// nothing of it is at work: it is put with others of its batch, as with a job that is given up.
    pub(crate) fn went_nowhere(&self, intent: &Intent, bulks: &mut Vec<Bulk>, now: Wall) -> bool {
        let filled = self.job_spec(&intent.object, &intent.operation).is_some_and(|spec| spec.filled);
        let once =
            intent.sends <= 1 && intent.state == IntentState::Open && !self.is_of_earlier_epoch(intent);
        let Some(batch) = intent.batch.filter(|_| filled && once) else { return false };
        if Part::form_of(&intent.request) != Together::Bulk {
            return false;
        }
        if !bulks.iter().any(|bulk| bulk.is_waited_for_by(intent)) {
            bulks.push(Bulk::kept(BulkJob {
                batch: batch.id,
                object: intent.object.clone(),
                operation: intent.operation.clone(),
                job: String::new(),
                since: now,
                at_work: false,
                of: batch.of,
                places: Vec::new(),
            }));
        }
        true
    }

    /// At a start: jobs that still hold something are looked at; the others are forgotten.
    pub(crate) fn resume_bulks(&mut self, bulks: Vec<Bulk>, turn: &Turn<'_>) {
        let before = self.state.jobs.len();
        self.state.jobs.clear();
        for mut bulk in bulks.into_iter().filter(|bulk| !bulk.members.is_empty()) {
            if !bulk.known.job.is_empty() {
                self.state.jobs.push(bulk.known.clone());
            }
            if !bulk.known.at_work {
                bulk.give_up(Outcome::because(Class::Retryable, "its job was not closed before a restart"));
            }
            let members = std::mem::take(&mut bulk.members);
            let number = self.add_bulk(bulk);
            self.offer_look(number, turn.now.mono);
            for (place, doubt) in members {
                self.wait_for_bulk(number, place, doubt);
            }
        }
        if self.state.jobs.len() != before {
            self.keep_state(None);
        }
    }
}
