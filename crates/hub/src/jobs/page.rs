//! Pages of a job: what is raised or decided, and how far the job has come, in one unit.

use std::collections::BTreeMap;

use canonical::{JobId, System};
use intake::{Raise, Replay};
use ledger::{Action, Job, JobState, Lane, Obligation, Reason};
use store::{Decided, Head, Op, Query, Walk, Walked};

use super::{Await, Jobs, next_due};
use crate::turn::{Effect, MachineId, Notice, Turn};

/// Rows of a page, at most: bounds a unit.
const PAGE_MAX: u32 = 200;

impl Jobs {
    pub(super) fn look_for_page(&mut self, id: JobId, turn: &mut Turn<'_>) {
        let Some(known) = self.known.get_mut(&id) else { return };
        known.busy = true;
        let job = &known.job;
        if let Some(reshape) = &job.reshape {
            let (tenant, records) = (job.tenant.clone(), vec![reshape.keep, reshape.gone]);
            return self.ask(Query::Whole { tenant, records }, Await::Page(id), turn);
        }
        let walk = Walk {
            tenant: job.tenant.clone(),
            scope: job.scope.clone(),
            messages: job.action.takes_messages() && job.scope.may_hold_messages(),
            page: job.page,
            upto: job.kept.upto,
            limit: job.pace.clamp(1, PAGE_MAX) as usize,
        };
        self.ask(Query::Walk(walk), Await::Page(id), turn);
    }

    pub(super) fn page_found(&mut self, id: JobId, walked: &Walked, turn: &mut Turn<'_>) {
        // It is found again after the next start.
        if self.draining {
            return;
        }
        let Some(known) = self.known.get(&id) else { return };
        let mut job = known.job.clone();
        let mut ops: Vec<Op> = Vec::new();
        for row in &walked.deliveries {
            if self.covers(job.action, row).is_ok() && !came_later(&job, row) {
                ops.push(order(&job, row, turn));
            }
        }
        if let (true, true, Some(next)) = (ops.is_empty(), walked.messages.is_empty(), walked.next) {
            // Nothing to write down but how far it has looked: the next page says that, too.
            if let Some(known) = self.known.get_mut(&id) {
                known.job.page = next;
                known.busy = false;
            }
            return;
        }
        job.messages_done += walked.messages.len() as u64;
        let told = |message: &store::WalkedMessage| Op::DecideMessage {
            tenant: job.tenant.clone(),
            id: message.id,
            decided: decided(&job, turn),
        };
        ops.extend(walked.messages.iter().map(told));
        let count = ops.len();
        job.done += count as u64;
        // What was in doubt when it was counted, and is so no longer, goes too.
        job.kept.total = job.kept.total.max(job.done);
        match walked.next {
            Some(next) => job.page = next,
            None => {
                job.state = JobState::Done;
                job.ended_at = Some(turn.now.wall);
            }
        }
        if let Some(known) = self.known.get_mut(&id) {
            known.due = next_due(turn.now.mono, count, job.pace);
        }
        self.keep(job, ops, None, turn);
    }
}

/// Whether a failure is newer than the job: nobody who decided was shown it.
fn came_later(job: &Job, row: &Obligation) -> bool {
    !matches!(job.action, Action::Replay { .. }) && job.started_at.is_some_and(|at| row.due > at)
}

/// What is done with one delivery.
fn order(job: &Job, row: &Obligation, turn: &Turn<'_>) -> Op {
    let Action::Replay { anew } = job.action else {
        return Op::Decide { key: row.key.clone(), decided: decided(job, turn) };
    };
    Op::Raise(Raise {
        key: row.key.clone(),
        system: row.system.clone(),
        object: row.object.clone(),
        entity: row.entity.clone(),
        record: row.record,
        lane: Lane::Bulk,
        // What was raised beyond that meanwhile stays wanted.
        version: row.wanted.version,
        again: true,
        due: turn.now.wall,
        at: turn.now.wall,
        trace: row.trace.clone(),
        replay: Some(Replay { job: job.id, anew }),
    })
}

fn decided(job: &Job, turn: &Turn<'_>) -> Decided {
    let again = job.action == Action::Retry;
    let class = if again { "retried" } else { "discarded" };
    let message = format!("{} ({})", job.reason.as_deref().unwrap_or_default(), job.id);
    Decided {
        again,
        job: job.id,
        reason: Reason { class: class.to_owned(), message, ..Reason::default() },
        failed_by: job.started_at.unwrap_or(turn.now.wall),
        at: turn.now.wall,
    }
}

/// Tells the spokes what was set going, and intake that messages may be ready.
pub(super) fn spread(heads: Vec<Head>, messages: bool, turn: &mut Turn<'_>) {
    let mut by_system: BTreeMap<System, Vec<Head>> = BTreeMap::new();
    for head in heads {
        by_system.entry(head.system.clone()).or_default().push(head);
    }
    for (system, heads) in by_system {
        turn.effect(Effect::Tell(MachineId::Spoke(system), Notice::Raised(heads)));
    }
    if messages {
        turn.effect(Effect::Tell(MachineId::Intake, Notice::Linked));
    }
}
