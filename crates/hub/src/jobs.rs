//! The jobs machine: what a person orders for many deliveries at once, as plan, then job.
//!
//! A plan is a walk over what it would cover, counted and kept. Applied, it is walked again: what does not fit what
//! was shown is refused. Then it is a job that sets its deliveries going page after page. A page is one unit: what is
//! raised or decided, and how far the job has come; so that a job that is taken up after a crash does nothing twice.
//! The spokes do the rest, each in its own order, on the lane `bulk`.

mod draft;
mod page;
mod reshape;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use canonical::{JobId, Mono, Now};
use config::Configuration;
use ledger::{Action, Job, JobState, PACE_MAX, Scope};
use planted::Bug;
use store::{Op, Query, Receipt, Require, Rows, StoreError, Unit};

use crate::mark::Mark;
use crate::turn::{Ack, Effect, Input, Machine, Notice, Order, Ticket, Turn};
use draft::Draft;

pub(crate) use draft::repeats;

/// Rows asked for at once, where nothing is done with them but counting.
const COUNTED_AT_ONCE: usize = 1000;
/// Walks that only count, at the same time: each may go over everything, beside those who deliver.
const DRAFTS_MAX: usize = 1;
/// How long a job waits after the disk was full.
const FULL_WAIT: Duration = Duration::from_secs(5);

/// Carries out what is ordered for many.
#[derive(Debug)]
pub struct Jobs {
    config: Arc<Configuration>,
    next_ticket: u64,
    /// Plans, and jobs at work or held.
    known: BTreeMap<JobId, Known>,
    /// Whether what is in the store is known.
    loaded: bool,
    /// Orders that came before that.
    early: Vec<(Ticket, Order)>,
    awaiting: BTreeMap<Ticket, Await>,
    draining: bool,
    drained: bool,
}

/// A plan or job, and what it is doing.
#[derive(Debug)]
struct Known {
    job: Job,
    /// Not before this.
    due: Mono,
    /// A question or a commit of it is under way.
    busy: bool,
    /// How often in a row something moved while it was written.
    conflicts: u32,
    /// What was ordered meanwhile.
    ordered: Vec<(Ticket, JobState, String)>,
}

impl Known {
    const fn new(job: Job, due: Mono, busy: bool) -> Self {
        Self { job, due, busy, conflicts: 0, ordered: Vec::new() }
    }
}

/// What an outstanding effect was for.
#[derive(Debug)]
enum Await {
    /// What is in the store.
    Jobs,
    /// The next rows to be counted.
    Count(Box<Draft>),
    /// Two records, to be seen before they are merged or split.
    Look(Box<Draft>),
    /// A plan is kept.
    Planned(Ticket, JobId),
    /// The next page of a job.
    Page(JobId),
    /// A job's row, as it is from then on, who waits to hear it, and what has happened then.
    Kept(Box<Job>, Option<Ticket>, Vec<Mark>),
    /// Old plans are dropped.
    Dropped,
}

impl Jobs {
    /// A machine that knows nothing yet.
    #[must_use]
    pub fn new(config: Arc<Configuration>) -> Self {
        Self {
            config,
            next_ticket: 0,
            known: BTreeMap::new(),
            loaded: false,
            early: Vec::new(),
            awaiting: BTreeMap::new(),
            draining: false,
            drained: false,
        }
    }

    fn ask(&mut self, query: Query, what: Await, turn: &mut Turn<'_>) {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.awaiting.insert(ticket, what);
        turn.effect(Effect::Find(ticket, query));
    }

    fn commit(&mut self, unit: Unit, what: Await, turn: &mut Turn<'_>) {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.awaiting.insert(ticket, what);
        turn.effect(Effect::Commit(ticket, vec![unit]));
    }

    fn load(&mut self, turn: &mut Turn<'_>) {
        let tenant = self.config.tenant.clone();
        self.ask(Query::Jobs { tenant }, Await::Jobs, turn);
    }

    fn loaded(&mut self, jobs: Vec<Job>, turn: &mut Turn<'_>) {
        for job in jobs {
            // What is known already may be at work: it knows better.
            self.known.entry(job.id).or_insert_with(|| Known::new(job, turn.now.mono, false));
        }
        self.loaded = true;
        for (outside, order) in std::mem::take(&mut self.early) {
            self.order(outside, order, turn);
        }
    }

    fn order(&mut self, outside: Ticket, order: Order, turn: &mut Turn<'_>) {
        if self.draining {
            return refuse(outside, "the hub is stopping: order it again when it is back", turn);
        }
        if !self.loaded {
            return self.early.push((outside, order));
        }
        match order {
            Order::Plan { action, scope, by } => self.plan(outside, action, scope, by, turn),
            Order::Reshape { action, keep, gone, prefer, by } => {
                self.plan_reshape(outside, action, (keep, gone), prefer, by, turn);
            }
            Order::Apply { job, pace, reason } => self.apply(outside, job, pace, reason, turn),
            Order::HoldJob { job, reason } => self.move_to(outside, job, JobState::Paused, &reason, turn),
            Order::ResumeJob { job, reason } => self.move_to(outside, job, JobState::Running, &reason, turn),
            Order::CancelJob { job, reason } => {
                self.move_to(outside, job, JobState::Cancelled, &reason, turn)
            }
            _ => refuse(outside, "this order is not for jobs", turn),
        }
    }

    fn plan(&mut self, outside: Ticket, action: Action, scope: Scope, by: String, turn: &mut Turn<'_>) {
        if scope.is_empty() {
            let why = "an empty filter is refused: say which deliveries, by time, type, system, route, event, group \
                       or record";
            return refuse(outside, why, turn);
        }
        self.drop_old(turn);
        let mut scope = scope;
        if scope.from.is_some() {
            // What changes from now on can only leave it.
            scope.until.get_or_insert(turn.now.wall);
        }
        let job = self.blank(action, scope, by, turn);
        self.draft(Draft::plan(outside, job), turn);
    }

    /// A plan that covers nothing yet.
    fn blank(&self, action: Action, scope: Scope, by: String, turn: &mut Turn<'_>) -> Job {
        Job {
            id: JobId::from_parts(turn.now.wall, turn.wide_entropy()),
            tenant: self.config.tenant.clone(),
            action,
            scope,
            state: JobState::Planned,
            kept: ledger::Kept::default(),
            configuration: self.config.digest.clone(),
            planned_by: by,
            planned_at: turn.now.wall,
            reason: None,
            pace: 0,
            started_at: None,
            ended_at: None,
            done: 0,
            messages_done: 0,
            page: ledger::Page::default(),
            orders: Vec::new(),
            reshape: None,
            revision: 0,
        }
    }

    fn apply(&mut self, outside: Ticket, id: JobId, pace: u32, reason: String, turn: &mut Turn<'_>) {
        if !(1..=PACE_MAX).contains(&pace) {
            return refuse(outside, "the pace must be from 1 to 10000 deliveries a second", turn);
        }
        let Some(known) = self.known.get(&id) else {
            return refuse(outside, "there is no such plan, or it is a job that has ended", turn);
        };
        if let Err(unfit) = known.job.may_start(&self.config.digest, turn.now.wall) {
            return refuse(outside, &unfit.to_string(), turn);
        }
        let draft = Draft::check(outside, known.job.clone(), pace, reason);
        self.draft(draft, turn);
    }

    fn draft(&mut self, draft: Draft, turn: &mut Turn<'_>) {
        let drafts = |what: &&Await| matches!(what, Await::Count(_) | Await::Look(_));
        let counting = self.awaiting.values().filter(drafts).count();
        if counting >= DRAFTS_MAX {
            return refuse(
                draft.outside,
                "another plan is being counted: see `concord job list`, then try again",
                turn,
            );
        }
        if draft.reshapes() {
            return self.look_at_both(draft, turn);
        }
        self.count_on(draft, turn);
    }

    /// Plans that can't be applied any more go.
    fn drop_old(&mut self, turn: &mut Turn<'_>) {
        let old: Vec<JobId> = self
            .known
            .values()
            .filter(|known| known.job.state == JobState::Planned && !known.busy)
            .filter(|known| turn.now.wall.since(known.job.planned_at) > ledger::PLAN_LIVES)
            .map(|known| known.job.id)
            .collect();
        if old.is_empty() {
            return;
        }
        for id in &old {
            self.known.remove(id);
        }
        let ops = old.into_iter().map(Op::DropJob).collect();
        self.commit(Unit { require: Vec::new(), ops }, Await::Dropped, turn);
    }

    /// A person holds a job, lets it go on, or ends it.
    fn move_to(&mut self, outside: Ticket, id: JobId, to: JobState, why: &str, turn: &mut Turn<'_>) {
        let Some(known) = self.known.get_mut(&id) else {
            return refuse(outside, "there is no such job, or it has ended", turn);
        };
        // A page of it is being found or written: right after that.
        if known.busy {
            return known.ordered.push((outside, to, why.to_owned()));
        }
        let fits = matches!(
            (known.job.state, to),
            (JobState::Running, JobState::Paused)
                | (JobState::Paused, JobState::Running)
                | (JobState::Running | JobState::Paused | JobState::Planned, JobState::Cancelled)
        );
        if !fits {
            let why = format!("it is {}: that can't be ordered of it", known.job.state.name());
            return refuse(outside, &why, turn);
        }
        let mut job = known.job.clone();
        job.state = to;
        job.ordered(&format!("{}: {why}", to.name()), turn.now.wall);
        job.ended_at = (to == JobState::Cancelled).then_some(turn.now.wall);
        known.busy = true;
        known.due = turn.now.mono;
        self.keep(job, Vec::new(), Some(outside), turn);
    }

    /// Writes a job's row, with what goes with it, in one unit.
    fn keep(&mut self, job: Job, ops: Vec<Op>, outside: Option<Ticket>, turn: &mut Turn<'_>) {
        self.keep_if(job, Vec::new(), ops, outside, Vec::new(), turn);
    }

    /// The same, if all of that holds. The marks are noted when it is durable.
    fn keep_if(
        &mut self,
        job: Job,
        mut require: Vec<Require>,
        mut ops: Vec<Op>,
        outside: Option<Ticket>,
        marks: Vec<Mark>,
        turn: &mut Turn<'_>,
    ) {
        require.push(Require::JobAt { job: job.id, revision: job.revision });
        let mut written = job.clone();
        if planted::is(Bug::JobForgetsItsPlace) {
            written.page = ledger::Page::default();
        }
        ops.push(Op::PutJob(written));
        self.commit(Unit { require, ops }, Await::Kept(Box::new(job), outside, marks), turn);
    }

    fn kept(
        &mut self,
        mut job: Job,
        outside: Option<Ticket>,
        marks: Vec<Mark>,
        receipt: Receipt,
        turn: &mut Turn<'_>,
    ) {
        let Receipt::Done(heads) = receipt else {
            if job.action.reshapes() && outside.is_none() {
                return self.decide_anew(&job, turn);
            }
            // Somebody else moves this row, which nobody does: what is in the store counts.
            if let Some(outside) = outside {
                refuse(outside, "the job has moved meanwhile: look at it again", turn);
            }
            let ordered = self.known.remove(&job.id).map(|known| known.ordered).unwrap_or_default();
            for (late, ..) in ordered {
                refuse(late, "the job has moved meanwhile: look at it again", turn);
            }
            return self.load(turn);
        };
        job.revision += 1;
        page::spread(heads, job.action.takes_messages() || job.action.reshapes(), turn);
        self.read_again(&job, turn);
        marks.into_iter().for_each(|mark| turn.note(mark));
        turn.note(Mark::Job { action: job.action.name(), state: job.state.name(), done: job.done });
        match self.known.get_mut(&job.id) {
            Some(_) if !(job.state.is_open() || job.state == JobState::Planned) => {
                let over = self.known.remove(&job.id).map(|known| known.ordered).unwrap_or_default();
                for (late, ..) in over {
                    refuse(late, "the job has ended", turn);
                }
            }
            Some(known) => {
                known.busy = false;
                known.conflicts = 0;
                known.job = job;
            }
            None => {}
        }
        if let Some(outside) = outside {
            turn.effect(Effect::Ack(outside, Ack::Done));
        }
    }

    fn found(&mut self, ticket: Ticket, rows: Result<Rows, StoreError>, turn: &mut Turn<'_>) {
        let Some(what) = self.awaiting.remove(&ticket) else { return };
        match (what, rows) {
            (Await::Jobs, Ok(Rows::Jobs(jobs))) => self.loaded(jobs, turn),
            (Await::Count(draft), Ok(Rows::Walk(walked))) => self.counted(*draft, &walked, turn),
            (Await::Page(id), Ok(Rows::Walk(walked))) => self.page_found(id, &walked, turn),
            (Await::Look(draft), Ok(Rows::Whole(both))) => self.seen(*draft, both, turn),
            (Await::Page(id), Ok(Rows::Whole(both))) => self.both_found(id, both, turn),
            (_, Err(StoreError::Closed)) if self.draining => {}
            (_, Err(error)) => turn.effect(Effect::Stop(error.to_string())),
            _ => {}
        }
    }

    fn committed(&mut self, ticket: Ticket, result: Result<Vec<Receipt>, StoreError>, turn: &mut Turn<'_>) {
        let Some(what) = self.awaiting.remove(&ticket) else { return };
        let receipt = match result {
            Ok(mut receipts) => receipts.pop().unwrap_or(Receipt::Conflict),
            Err(StoreError::Full { .. }) => return self.full(what, turn),
            Err(error) => return turn.effect(Effect::Stop(error.to_string())),
        };
        match what {
            Await::Planned(outside, id) => {
                if let Some(known) = self.known.get_mut(&id) {
                    known.busy = false;
                    known.job.revision += 1;
                }
                turn.effect(Effect::Ack(outside, Ack::Planned(id)));
            }
            Await::Kept(job, outside, marks) => self.kept(*job, outside, marks, receipt, turn),
            Await::Jobs | Await::Count(_) | Await::Look(_) | Await::Page(_) | Await::Dropped => {}
        }
    }

    /// Nothing was written: a job waits and finds its page again; a person is told.
    fn full(&mut self, what: Await, turn: &mut Turn<'_>) {
        let why = "the store's disk is full: free space, then order it again";
        match what {
            Await::Kept(job, outside, _) => {
                if let Some(known) = self.known.get_mut(&job.id) {
                    known.busy = false;
                    known.due = turn.now.mono + FULL_WAIT;
                }
                if let Some(outside) = outside {
                    refuse(outside, why, turn);
                }
            }
            Await::Planned(outside, id) => {
                self.known.remove(&id);
                refuse(outside, why, turn);
            }
            Await::Jobs | Await::Count(_) | Await::Look(_) | Await::Page(_) | Await::Dropped => {}
        }
    }

    /// Starts the next page of every job whose turn it is.
    fn pump(&mut self, turn: &mut Turn<'_>) {
        if self.draining {
            return self.settle_drain(turn);
        }
        let mut ordered = Vec::new();
        for known in self.known.values_mut().filter(|known| !known.busy && !known.ordered.is_empty()) {
            ordered.push((known.job.id, known.ordered.remove(0)));
        }
        for (id, (outside, to, why)) in ordered {
            self.move_to(outside, id, to, &why, turn);
        }
        let due: Vec<JobId> = self
            .known
            .values()
            .filter(|known| known.job.state == JobState::Running && !known.busy || goes_on_held(known))
            .filter(|known| known.due <= turn.now.mono)
            .map(|known| known.job.id)
            .collect();
        for id in due {
            self.look_for_page(id, turn);
        }
    }

    fn settle_drain(&mut self, turn: &mut Turn<'_>) {
        let writing = |what: &Await| matches!(what, Await::Planned(..) | Await::Kept(..) | Await::Dropped);
        if !self.drained && !self.awaiting.values().any(writing) {
            self.drained = true;
            turn.effect(Effect::Drained);
        }
    }
}

/// Known to be wrong: see [`Bug::HeldJobGoesOn`].
fn goes_on_held(known: &Known) -> bool {
    planted::is(Bug::HeldJobGoesOn) && known.job.state == JobState::Paused && !known.busy
}

/// Tells whoever ordered why it is not done.
fn refuse(outside: Ticket, why: &str, turn: &mut Turn<'_>) {
    turn.effect(Effect::Ack(outside, Ack::Refused(why.to_owned())));
}

/// When the next page may go, after one of so many at so many a second.
fn next_due(now: Mono, rows: usize, pace: u32) -> Mono {
    let micros = (rows as u64).saturating_mul(1_000_000) / u64::from(pace.max(1));
    now + Duration::from_micros(micros)
}

impl Machine for Jobs {
    fn handle(&mut self, input: Input, turn: &mut Turn<'_>) {
        match input {
            Input::Start => self.load(turn),
            Input::Found(ticket, rows) => self.found(ticket, rows, turn),
            Input::Committed(ticket, result) => self.committed(ticket, result, turn),
            Input::Told(Notice::Do(outside, order)) => self.order(outside, order, turn),
            Input::Drain => self.draining = true,
            // A page that was found is decided by whichever configuration counts then. Plans fall with the former one.
            Input::Configure(outside, config) => {
                self.config = config;
                turn.effect(Effect::Ack(outside, Ack::Done));
            }
            Input::Hold(outside) => refuse(outside, "jobs are paused one by one", turn),
            Input::Tick
            | Input::Told(_)
            | Input::Offer(_)
            | Input::Answered { .. }
            | Input::Authorised { .. }
            | Input::Archived(..) => {}
        }
        self.pump(turn);
    }

    fn next_wakeup(&self, _: Now) -> Option<Mono> {
        if self.draining {
            return None;
        }
        let at_work = |known: &&Known| known.job.state == JobState::Running && !known.busy;
        self.known.values().filter(at_work).map(|known| known.due).min()
    }
}
