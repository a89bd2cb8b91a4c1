//! What answers about a job mean: that it began, how it stands, and what came of each of its records.

use canonical::Wall;
use ledger::{Class, Outcome};
use serde_json::Value;

use super::Answer;
use super::batch::{Lists, Seats, Verdicts};
use crate::call::{Call, JobStep};
use crate::connector::Connector;
use crate::exchange::Response;
use crate::path::Path;
use crate::plan::{BatchPlan, JobPlan};

/// A vendor's id of a job is no longer than that.
const ID_CHARS_MAX: usize = 200;
/// So much of what a vendor calls a state is shown.
const STATE_CHARS_MAX: usize = 40;

/// How a job stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stands {
    /// It waits to be closed: nothing of it is worked on.
    Open,
    /// Not over.
    Runs,
    /// Over: what came of each record can be read. `apart`: by a request of its own, else in the same answer.
    Done {
        /// Whether [`JobStep::Results`] reads it.
        apart: bool,
    },
    /// Refused whole: nothing of it was applied.
    Rejected,
    /// Over before its time: some of it may have been applied, and nothing more of it will be. `apart`: what came of
    /// each can be read all the same.
    Failed {
        /// Whether [`JobStep::Results`] reads it.
        apart: bool,
    },
}

impl Connector {
    /// The answer to a batch that begins a job: durable at the vendor, if it says under which id.
    pub(super) fn began(&self, plan: &JobPlan, calls: &[Call], answer: &Answer<'_>) -> Verdicts {
        let id = answer.json().and_then(|body| plan.id.text_at(body));
        let job = id.filter(|id| !id.is_empty() && id.chars().count() <= ID_CHARS_MAX);
        let (class, say) = match (&job, &plan.upload) {
            (Some(_), _) => (Class::Uncertain, "its job at the target is not done yet"),
            (None, None) => (Class::Uncertain, "the answer is a success without the job's id"),
            (None, Some(_)) => {
                (Class::Retryable, "the answer is a success without the id of its job, which is empty")
            }
        };
        let mut each = Outcome::because(class, say);
        each.refusal.status = Some(answer.response.status);
        Verdicts { job, call: Outcome::of(Class::Applied), each: vec![each; calls.len()] }
    }

    /// Whether the answer to a call about a job holds what was asked for.
    pub(super) fn is_about_job(&self, call: &Call, answer: &Answer<'_>) -> bool {
        let Call::Job { step, .. } = call else { return false };
        let Some((batch, job)) = self.batch_of_job(call).and_then(|batch| Some((batch, batch.job.as_ref()?)))
        else {
            return false;
        };
        match step {
            // What it says of itself is not asked: that it was taken is enough.
            JobStep::Upload | JobStep::Close | JobStep::Abort => true,
            JobStep::Status => answer.json().is_some_and(|body| job.state.text_at(body).is_some()),
            JobStep::Results | JobStep::Errors | JobStep::Unprocessed => {
                self.list_of(batch, job, *step, answer).is_some()
            }
        }
    }

    /// The list that an answer holds, read as the job says.
    fn list_of(&self, batch: &BatchPlan, job: &JobPlan, step: JobStep, answer: &Answer<'_>) -> Option<Value> {
        let read = match &job.csv {
            Some(csv) => csv.read(&answer.response.body)?,
            None => answer.json()?.clone(),
        };
        let lists = |path: &Path| path.find(&read).is_some_and(Value::is_array);
        let found = match step {
            JobStep::Errors => batch.errors.iter().any(lists),
            JobStep::Unprocessed => batch.results.iter().chain(&batch.errors).any(lists),
            _ => batch.results.iter().chain(batch.errors.iter().filter(|_| job.errors.is_none())).any(lists),
        };
        found.then_some(read)
    }

    /// What is read next about a job that is over, after that step; `None`: all of it was read.
    #[must_use]
    pub fn next_of_job(&self, call: &Call) -> Option<JobStep> {
        let (plan, Call::Job { step, .. }) = (self.job_plan(call)?, call) else { return None };
        let all = [
            (JobStep::Results, plan.results.is_some()),
            (JobStep::Errors, plan.errors.is_some()),
            (JobStep::Unprocessed, plan.unprocessed.is_some()),
        ];
        let mut there = all.into_iter().filter(|(_, there)| *there).map(|(step, _)| step);
        match step {
            JobStep::Results | JobStep::Errors | JobStep::Unprocessed => {
                there.by_ref().find(|one| one == step);
            }
            _ => {}
        }
        there.next()
    }

    /// Whether a job that is not wanted any more can be given up.
    #[must_use]
    pub fn can_abort(&self, call: &Call) -> bool {
        self.job_plan(call).is_some_and(|plan| plan.abort.is_some())
    }

    /// How the job stands that was looked at, and what the vendor calls that; `None` when the answer does not say.
    #[must_use]
    pub fn job_stands(&self, call: &Call, response: &Response) -> Option<(Stands, String)> {
        let plan = self.job_plan(call)?;
        let answer = self.answer(response);
        let state = plan.state.text_at(answer.json()?)?;
        let among = |states: &[String]| states.contains(&state);
        let stands = if among(&plan.open) {
            Stands::Open
        } else if among(&plan.done) {
            Stands::Done { apart: plan.results.is_some() }
        } else if among(&plan.rejected) {
            Stands::Rejected
        } else if among(&plan.failed) {
            Stands::Failed { apart: plan.unprocessed.is_some() }
        } else {
            Stands::Runs
        };
        let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' ' | '.');
        Some((stands, state.chars().filter(plain).take(STATE_CHARS_MAX).collect()))
    }

    /// What came of each of these writes of a job that is over, each with its place among the `of` that were sent.
    /// `read` are the answers that hold it, each with what it answers; `look` is about the job. `None` when they do not
    /// hold it: it is to be read again.
    #[must_use]
    pub fn classify_job(
        &self,
        look: &Call,
        writes: &[Call],
        (places, of): (Vec<usize>, usize),
        read: &[(JobStep, Response)],
        now: Wall,
    ) -> Option<Vec<Outcome>> {
        let batch = self.batch_of_job(look)?;
        let job = batch.job.as_ref()?;
        let answer_to = |wanted: &[JobStep]| {
            let (step, response) = read.iter().find(|(step, _)| wanted.contains(step))?;
            self.list_of(batch, job, *step, &self.answer(response))
        };
        let results = answer_to(&[JobStep::Results, JobStep::Status])?;
        let errors = if job.errors.is_some() { Some(answer_to(&[JobStep::Errors])?) } else { None };
        let unprocessed = match job.unprocessed {
            Some(_) => Some(answer_to(&[JobStep::Unprocessed])?),
            None => None,
        };
        let lists = Lists {
            results: Some(&results),
            errors: errors.as_ref().or(Some(&results)),
            unprocessed: unprocessed.as_ref(),
        };
        let (_, response) = read.first()?;
        Some(self.each(batch, writes, &Seats { places, of }, &lists, &self.answer(response), now))
    }
}
