//! Jobs that batches begin: how they are filled and asked about.

use serde_saphyr::Location;

use super::Compiler;
use crate::csv::{CsvAnswer, Split};
use crate::plan::{JobPlan, RequestPlan};
use crate::source::{BatchSource, CorrelateSource, CsvAnswerSource, JobSource, RequestSource};
use crate::spec::JobSpec;
use crate::template::Allowed;

/// More jobs of one operation are not kept in mind at once.
const AT_ONCE_MAX: u32 = 100;

/// What the hub goes by.
pub(super) fn spec_of(source: &JobSource, plan: &JobPlan) -> JobSpec {
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let filling = plan.upload.iter().chain(&plan.close);
    let reading = plan.results.iter().chain(&plan.errors).chain(&plan.unprocessed);
    JobSpec {
        records_min: count(source.records_min),
        lanes: source.lanes.clone(),
        filled: plan.upload.is_some(),
        every: source.every.0,
        every_max: source.every_max.unwrap_or(source.every).0,
        // The one that begins it, and at least one look.
        calls_min: 2 + filling.chain(reading).count() as u64,
        lasts_max: source.lasts_max.0,
        at_once: count(source.at_once),
    }
}

impl Compiler<'_> {
    /// The job that an operation's `bulk` begins.
    pub(super) fn job(&mut self, name: &str, source: &JobSource, batch: &BatchSource) -> JobPlan {
        let before = self.errors.len();
        let mut step = |what: &str, from: &Option<RequestSource>| {
            from.as_ref().map(|from| self.request(&format!("{name}.{what}"), from, Allowed::Job))
        };
        let upload = step("upload", &source.upload);
        let close = step("close", &source.close);
        let abort = step("abort", &source.abort);
        let results = step("results", &source.results);
        let errors = step("errors", &source.errors);
        let unprocessed = step("unprocessed", &source.unprocessed);
        let status = self.request(&format!("{name}.job"), &source.status.request, Allowed::Job);
        let plan = JobPlan {
            id: self.path(&source.id),
            upload,
            close,
            abort,
            status,
            state: self.path(&source.status.state),
            open: source.status.open.clone(),
            done: source.status.done.clone(),
            rejected: source.status.rejected.clone(),
            failed: source.status.failed.clone(),
            results,
            errors,
            unprocessed,
            csv: source.csv.as_ref().map(|csv| self.csv_answer(csv, source.id.referenced)),
        };
        self.check_job(name, source, batch.records_max);
        self.check_states(name, source);
        self.check_filling(name, source, batch, &plan);
        if self.errors.len() == before {
            plan.requests()
                .filter(|request| !request.names_job())
                .for_each(|request| self.names_no_job(source.id.referenced, request));
        }
        plan
    }

    fn names_no_job(&mut self, at: Location, request: &RequestPlan) {
        self.error(
            at,
            format!("`{}` does not say which job it is about", request.operation),
            "put `{job}` into its path or query",
        );
    }

    fn csv_answer(&mut self, source: &CsvAnswerSource, at: Location) -> CsvAnswer {
        let splits = source.split.iter().map(|(column, split)| {
            if split.at.is_empty() || split.into.len() < 2 {
                let what = format!("the column `{column}` is split into {} parts", split.into.len());
                self.error(
                    at,
                    what,
                    "name what stands `at` their borders, and two names or more under `into`",
                );
            }
            let (column, at) = (column.as_str().into(), split.at.as_str().into());
            Split { column, at, into: split.into.clone() }
        });
        CsvAnswer { splits: splits.collect() }
    }

    /// A job is filled, closed and asked about in one way or the other, not half.
    fn check_filling(&mut self, name: &str, source: &JobSource, batch: &BatchSource, plan: &JobPlan) {
        let at = source.id.referenced;
        let mut wrong = |what: String, hint: &str| self.error(at, what, hint);
        if plan.upload.is_some() && plan.csv_body().is_none() {
            wrong(format!("`{name}.upload` holds no records"), "give it a body: `csv: {null_as: \"\"}`");
        }
        let others = plan.close.iter().chain(&plan.abort).chain([&plan.status]);
        if others.chain(&plan.results).any(|request| matches!(request.body, crate::plan::BodyPlan::Csv(_))) {
            wrong(format!("`{name}`: another request than `upload` has a `csv` body"), "write `json` there");
        }
        if plan.upload.is_some() != plan.close.is_some() {
            wrong(
                format!("`{name}.bulk.job` has one of `upload` and `close`"),
                "what is filled by a request of its own is closed by another: write both, or none",
            );
        }
        if plan.close.is_some() == source.status.open.is_empty() {
            wrong(
                format!("`{name}.bulk.job.status`: `open` and `close` belong together"),
                "name in `open` the states in which a job waits to be closed",
            );
        }
        if plan.upload.is_some() && matches!(batch.correlate, CorrelateSource::Position) {
            wrong(
                format!("`{name}.bulk`: results by position, and the job is filled with CSV"),
                "correlate by what is echoed: such answers keep no order",
            );
        }
        if plan.results.is_none()
            && (plan.errors.is_some() || plan.unprocessed.is_some() || plan.csv.is_some())
        {
            wrong(
                format!("`{name}.bulk.job` has no `results`"),
                "say where those are read that were taken, too",
            );
        }
    }

    fn check_job(&mut self, name: &str, source: &JobSource, records_max: u32) {
        let at = source.id.referenced;
        if source.records_min < 2 || source.records_min > records_max {
            self.error(
                at,
                format!("`{name}.bulk.job`: `records_min` is {}", source.records_min),
                format!("write a number from 2 to `records_max`, which is {records_max}"),
            );
        }
        if source.lanes.is_empty() {
            self.error(
                at,
                format!("`{name}.bulk.job`: `lanes` is empty"),
                "name the lanes that go this way, such as `[bulk]`; leave `bulk` out where none does",
            );
        }
        let longest = source.every_max.unwrap_or(source.every).0;
        if source.every.0.is_zero() || longest < source.every.0 || source.lasts_max.0 < longest {
            self.error(
                at,
                format!("`{name}.bulk.job`: a job is looked at less often than it lasts"),
                "`every` is the time between two looks, at most `every_max`, and `lasts_max`, the longest that a job works, is longer",
            );
        }
        if !(1..=AT_ONCE_MAX).contains(&source.at_once) {
            self.error(
                at,
                format!("`{name}.bulk.job`: `at_once` is {}", source.at_once),
                format!("write a number from 1 to {AT_ONCE_MAX}"),
            );
        }
    }

    fn check_states(&mut self, name: &str, source: &JobSource) {
        let status = &source.status;
        if status.done.is_empty() {
            self.error(
                status.state.referenced,
                format!("`{name}.bulk.job.status`: `done` is empty"),
                "name the states in which what came of each record can be read",
            );
        }
        let mut known = std::collections::BTreeSet::new();
        let all = status.open.iter().chain(&status.done).chain(&status.rejected).chain(&status.failed);
        if let Some(twice) = all.into_iter().find(|state| !known.insert(state.as_str())) {
            self.error(
                status.state.referenced,
                format!("`{name}.bulk.job.status`: the state `{twice}` is named twice"),
                "a state means one thing: `open`, `done`, `rejected` or `failed`",
            );
        }
    }
}
