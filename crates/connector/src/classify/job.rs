//! What answers about a job mean: that it began, how it stands, and what came of each of its records.

use canonical::Wall;
use ledger::{Class, Outcome};
use serde_json::Value;

use super::Answer;
use super::batch::{Seats, Verdicts};
use crate::call::{Call, JobStep};
use crate::connector::Connector;
use crate::exchange::Response;
use crate::path::Path;
use crate::plan::JobPlan;

/// A vendor's id of a job is no longer than that.
const ID_CHARS_MAX: usize = 200;
/// So much of what a vendor calls a state is shown.
const STATE_CHARS_MAX: usize = 40;

/// How a job stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stands {
    /// Not over.
    Runs,
    /// Over: what came of each record can be read. `apart`: by a request of its own, else in the same answer.
    Done {
        /// Whether [`JobStep::Results`] reads it.
        apart: bool,
    },
    /// Refused whole: nothing of it was applied.
    Rejected,
    /// Over before its time: some of it may have been applied, and nothing more of it will be.
    Failed,
}

impl Connector {
    /// The answer to a batch that begins a job: durable at the vendor, if it says under which id.
    pub(super) fn began(&self, plan: &JobPlan, calls: &[Call], answer: &Answer<'_>) -> Verdicts {
        let id = answer.json().and_then(|body| plan.id.text_at(body));
        let job = id.filter(|id| !id.is_empty() && id.chars().count() <= ID_CHARS_MAX);
        let say = match &job {
            Some(_) => "its job at the target is not done yet",
            None => "the answer is a success without the job's id",
        };
        let mut each = Outcome::because(Class::Uncertain, say);
        each.refusal.status = Some(answer.response.status);
        Verdicts { job, call: Outcome::of(Class::Applied), each: vec![each; calls.len()] }
    }

    /// Whether the answer to a look holds what was asked for.
    pub(super) fn is_about_job(&self, call: &Call, answer: &Answer<'_>) -> bool {
        let Call::Job { step, .. } = call else { return false };
        let Some((batch, job)) = self.batch_of_job(call).and_then(|batch| Some((batch, batch.job.as_ref()?)))
        else {
            return false;
        };
        let Some(body) = answer.json() else { return false };
        let lists = |path: &Path| path.find(body).is_some_and(Value::is_array);
        match step {
            JobStep::Status => job.state.text_at(body).is_some(),
            JobStep::Results => batch.results.iter().chain(&batch.errors).any(lists),
        }
    }

    /// How the job stands that was looked at, and what the vendor calls that; `None` when the answer does not say.
    #[must_use]
    pub fn job_stands(&self, call: &Call, response: &Response) -> Option<(Stands, String)> {
        let plan = self.job_plan(call)?;
        let answer = self.answer(response);
        let state = plan.state.text_at(answer.json()?)?;
        let among = |states: &[String]| states.contains(&state);
        let stands = if among(&plan.done) {
            Stands::Done { apart: plan.results.is_some() }
        } else if among(&plan.rejected) {
            Stands::Rejected
        } else if among(&plan.failed) {
            Stands::Failed
        } else {
            Stands::Runs
        };
        let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' ' | '.');
        Some((stands, state.chars().filter(plain).take(STATE_CHARS_MAX).collect()))
    }

    /// What came of each of these writes of a job that is done, each with its place among the `of` that were sent.
    /// `None` when the answer to that look does not hold it: it is to be read again.
    #[must_use]
    pub fn classify_job(
        &self,
        look: &Call,
        writes: &[Call],
        (places, of): (Vec<usize>, usize),
        response: &Response,
        now: Wall,
    ) -> Option<Vec<Outcome>> {
        let batch = self.batch_of_job(look)?;
        let answer = self.answer(response);
        let Call::Job { object, operation, job, .. } = look else { return None };
        let results = Call::Job {
            object: object.clone(),
            operation: operation.clone(),
            job: job.clone(),
            step: JobStep::Results,
        };
        if !self.is_about_job(&results, &answer) {
            return None;
        }
        Some(self.each(batch, writes, &Seats { places, of }, &answer, now))
    }
}
