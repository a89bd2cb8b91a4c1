//! Jobs that batches begin: how they are asked about.

use super::Compiler;
use crate::plan::JobPlan;
use crate::source::JobSource;
use crate::spec::JobSpec;
use crate::template::Allowed;

/// More jobs of one operation are not kept in mind at once.
const AT_ONCE_MAX: u32 = 100;

/// What the hub goes by.
pub(super) fn spec_of(source: &JobSource) -> JobSpec {
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    JobSpec {
        records_min: count(source.records_min),
        lanes: source.lanes.clone(),
        every: source.every.0,
        lasts_max: source.lasts_max.0,
        at_once: count(source.at_once),
    }
}

impl Compiler<'_> {
    /// The job that an operation's batch begins. `records_max` is the batch's.
    pub(super) fn job(&mut self, name: &str, source: &JobSource, records_max: u32) -> JobPlan {
        let status = self.request(&format!("{name}.job"), &source.status.request, Allowed::Job);
        let results = source.results.as_ref();
        let results = results.map(|from| self.request(&format!("{name}.results"), from, Allowed::Job));
        self.check_job(name, source, records_max);
        for request in std::iter::once(&status).chain(&results) {
            if !request.names_job() {
                self.error(
                    source.id.referenced,
                    format!("`{}` does not say which job it is about", request.operation),
                    "put `{job}` into its path or query",
                );
            }
        }
        JobPlan {
            id: self.path(&source.id),
            status,
            state: self.path(&source.status.state),
            done: source.status.done.clone(),
            rejected: source.status.rejected.clone(),
            failed: source.status.failed.clone(),
            results,
        }
    }

    fn check_job(&mut self, name: &str, source: &JobSource, records_max: u32) {
        let at = source.id.referenced;
        if source.records_min < 2 || source.records_min > records_max {
            self.error(
                at,
                format!("`{name}.batch.job`: `records_min` is {}", source.records_min),
                format!("write a number from 2 to `records_max`, which is {records_max}"),
            );
        }
        if source.lanes.is_empty() {
            self.error(
                at,
                format!("`{name}.batch.job`: `lanes` is empty"),
                "name the lanes that go this way, such as `[bulk]`; leave `job` out where none does",
            );
        }
        if source.every.0.is_zero() || source.lasts_max.0 < source.every.0 {
            self.error(
                at,
                format!("`{name}.batch.job`: a job is looked at less often than it lasts"),
                "`every` is the time between two looks, and `lasts_max`, the longest that a job works, is longer",
            );
        }
        if !(1..=AT_ONCE_MAX).contains(&source.at_once) {
            self.error(
                at,
                format!("`{name}.batch.job`: `at_once` is {}", source.at_once),
                format!("write a number from 1 to {AT_ONCE_MAX}"),
            );
        }
        let status = &source.status;
        if status.done.is_empty() {
            self.error(
                status.state.referenced,
                format!("`{name}.batch.job.status`: `done` is empty"),
                "name the states in which what came of each record can be read",
            );
        }
        let mut known = std::collections::BTreeSet::new();
        let all = status.done.iter().chain(&status.rejected).chain(&status.failed);
        if let Some(twice) = all.into_iter().find(|state| !known.insert(state.as_str())) {
            self.error(
                status.state.referenced,
                format!("`{name}.batch.job.status`: the state `{twice}` is named twice"),
                "a state means one thing: `done`, `rejected` or `failed`",
            );
        }
    }
}
