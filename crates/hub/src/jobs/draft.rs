//! Drafts: a scope walked and counted, to be shown as a plan, or to see whether a plan still fits. Nothing of it is
//! stored before its end: after a crash it is ordered again.

use canonical::Wall;
use connector::WriteSpec;
use ledger::{
    Action, GroupKind, IdempotencyClass, Job, JobState, Kept, Obligation, Page, Portion, RouteKind, Sample,
    Subject,
};
use planted::Bug;
use store::{Query, Walk, Walked};

use super::{Await, COUNTED_AT_ONCE, Jobs, Known, refuse};
use crate::turn::{Ticket, Turn};

/// A walk that counts.
#[derive(Debug)]
pub(super) struct Draft {
    /// Who waits for it.
    pub(super) outside: Ticket,
    /// The plan.
    pub(super) job: Job,
    /// With what it is to be applied; `None` while it is planned.
    pub(super) apply: Option<(u32, String)>,
    page: Page,
    kept: Kept,
}

impl Draft {
    pub(super) fn plan(outside: Ticket, job: Job) -> Self {
        Self { outside, job, apply: None, page: Page::default(), kept: Kept::default() }
    }

    /// Whether it is about two records, and nothing is counted.
    pub(super) fn reshapes(&self) -> bool {
        self.job.action.reshapes()
    }

    pub(super) fn check(outside: Ticket, job: Job, pace: u32, reason: String) -> Self {
        Self { apply: Some((pace, reason)), ..Self::plan(outside, job) }
    }
}

impl Jobs {
    /// Asks for the next rows of a draft.
    pub(super) fn count_on(&mut self, draft: Draft, turn: &mut Turn<'_>) {
        let upto = if draft.apply.is_some() { draft.job.kept.upto } else { (i64::MAX, i64::MAX) };
        let walk = Walk {
            tenant: self.config.tenant.clone(),
            scope: draft.job.scope.clone(),
            messages: draft.job.action.takes_messages() && draft.job.scope.may_hold_messages(),
            page: draft.page,
            upto,
            limit: COUNTED_AT_ONCE,
        };
        self.ask(Query::Walk(walk), Await::Count(Box::new(draft)), turn);
    }

    pub(super) fn counted(&mut self, mut draft: Draft, walked: &Walked, turn: &mut Turn<'_>) {
        if self.draining {
            return refuse(draft.outside, "the hub is stopping: order it again when it is back", turn);
        }
        for row in &walked.deliveries {
            match self.covers(draft.job.action, row) {
                Ok(()) => {
                    let portion = Portion {
                        kind: GroupKind::Delivery,
                        system: row.system.clone(),
                        route: Some(row.key.route.clone()),
                        entity: Some(row.entity.clone()),
                        count: 0,
                    };
                    draft.kept.take(portion, &Sample::Delivery(row.key.clone()), row.seq);
                }
                Err(why) => draft.kept.leave_out(why),
            }
        }
        for message in &walked.messages {
            let (kind, system) = (GroupKind::Message, message.source.clone());
            let portion = Portion { kind, system, route: None, entity: None, count: 0 };
            draft.kept.take(portion, &Sample::Message(message.id), message.seq);
        }
        match walked.next {
            Some(next) => {
                draft.page = next;
                self.count_on(draft, turn);
            }
            None => self.conclude(draft, turn),
        }
    }

    /// All of it is counted.
    fn conclude(&mut self, draft: Draft, turn: &mut Turn<'_>) {
        let Draft { outside, mut job, apply, kept, .. } = draft;
        let Some((pace, reason)) = apply else {
            job.kept = kept;
            self.known.insert(job.id, Known::new(job.clone(), turn.now.mono, true));
            let unit = store::Unit { require: Vec::new(), ops: vec![store::Op::PutJob(job.clone())] };
            return self.commit(unit, Await::Planned(outside, job.id), turn);
        };
        // It may have been applied, or cancelled, while it was counted.
        let Some(known) = self.known.get_mut(&job.id) else {
            return refuse(outside, "the plan is gone: make a new one", turn);
        };
        if known.busy {
            return refuse(outside, "something else is being ordered of it: look at it again", turn);
        }
        if let Err(unfit) = known.job.fits(&kept, &self.config.digest, turn.now.wall) {
            return refuse(outside, &unfit.to_string(), turn);
        }
        known.busy = true;
        known.due = turn.now.mono;
        let mut job = known.job.clone();
        started(&mut job, pace, &reason, turn.now.wall);
        self.keep(job, Vec::new(), Some(outside), turn);
    }

    /// Whether an action covers a delivery; if not, under which name it is left out.
    pub(super) fn covers(&self, action: Action, row: &Obligation) -> Result<(), &'static str> {
        action.takes(row.state)?;
        let Action::Replay { anew } = action else { return Ok(()) };
        let Some(route) = self.config.route(&row.key.route) else { return Err("no_route") };
        let once = matches!(row.key.subject, Subject::Event(_)) && route.kind == RouteKind::Notify;
        // A second send of an event is no second effect only where the target can tell.
        if once && !anew && row.reached.version >= row.wanted.version {
            let spec =
                self.config.systems.get(&route.system).and_then(|system| {
                    system.connector.operation(route.operation.as_deref()?, &route.object)
                });
            if !spec.is_some_and(repeats) {
                return Err("delivered_once");
            }
        }
        Ok(())
    }
}

/// Whether an operation that was carried out can be carried out again without a second effect, however late.
pub(crate) fn repeats(spec: &WriteSpec) -> bool {
    matches!(spec.idempotency, IdempotencyClass::Upsert | IdempotencyClass::SearchFirst { .. })
        || planted::is(Bug::ReplayTellsTwice)
}

pub(super) fn started(job: &mut Job, pace: u32, reason: &str, now: Wall) {
    job.state = JobState::Running;
    job.pace = pace;
    job.reason = Some(reason.to_owned());
    job.started_at = Some(now);
    job.ordered(&format!("applied: {reason}"), now);
}
