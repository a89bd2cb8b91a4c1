//! Batch forms, and those that begin a job: what stands around the records, one record, and how results find them.

use ledger::IdempotencyClass;
use serde_saphyr::Location;

use super::job::spec_of;
use super::{BATCH_PARAMETER, Compiler};
use crate::batch::Together;
use crate::plan::{BatchPlan, Correlate, RequestPlan};
use crate::source::{BatchSource, CorrelateSource, IdFrom, Serves, WriteSource};
use crate::spec::BatchSpec;
use crate::template::{Allowed, Place};

impl Compiler<'_> {
    /// A form of a write operation in which several records go. What a system that does without sent together before is
    /// still understood.
    pub(super) fn batch(
        &mut self,
        write: &str,
        from: &WriteSource,
        source: &BatchSource,
        form: Together,
    ) -> (Option<BatchSpec>, BatchPlan) {
        let name = &format!("{write}.{}", form.name());
        let request = self.request(name, &source.request, Allowed::Batch);
        let at = source.request.path.referenced;
        let filled = source.job.as_ref().is_some_and(|job| job.upload.is_some());
        match (request.body.holes(), filled) {
            (1, false) | (0, true) => {}
            (_, true) => self.error(
                at,
                format!("`{name}`: the request holds the records, and the job's `upload` holds them, too"),
                "leave `{records}` out, or `upload`",
            ),
            (count, false) => self.error(
                at,
                format!("`{name}`: the JSON body has {count} places for the list"),
                "write the text `{records}` once, where the list of records goes",
            ),
        }
        if source.records_max < 2 {
            self.error(
                at,
                format!("`{name}`: `records_max` is {}", source.records_max),
                "a batch has two records or more; leave it out where each goes alone",
            );
        }
        self.has_job(name, source, form, at);
        self.may_go(write, from, source, &request, form);
        let record = self.node(&source.record, Allowed::Write);
        if matches!(from.idempotency.value.class(), IdempotencyClass::MarkerField { .. })
            && !record.names_key()
        {
            self.error(
                at,
                format!("`{write}` is `marker_field`, and the records of `{name}` carry no mark"),
                "put `{key}` into the same field as in the request",
            );
        }
        self.tells(name, source, at);
        self.check_batch_version(source.answer.version.as_ref());
        let plan = BatchPlan {
            request,
            record,
            results: source.results.as_ref().map(|path| self.path(path)),
            errors: source.errors.as_ref().map(|path| self.path(path)),
            correlate: self.correlate(name, source),
            answer: self.answer(&source.answer),
            rules: self.rules(&source.rules),
            rejects: source.rejects.clone(),
            refused: source.refused.as_ref().map(|test| self.test(test)),
            job: source.job.as_ref().map(|job| self.job(write, job, source)),
        };
        let spec = BatchSpec {
            records_max: usize::try_from(source.records_max).unwrap_or(usize::MAX),
            bytes_max: source.bytes_max,
            charge: plan.request.charge.clone(),
            job: source.job.as_ref().zip(plan.job.as_ref()).map(|(source, plan)| spec_of(source, plan)),
        };
        let without = self.parameters.get(BATCH_PARAMETER) == Some(&serde_json::Value::Bool(false));
        (Some(spec).filter(|_| !without), plan)
    }

    /// `bulk` begins a job, `batch` does not.
    fn has_job(&mut self, name: &str, source: &BatchSource, form: Together, at: Location) {
        match (form, &source.job) {
            (Together::Batch, Some(_)) => self.error(
                at,
                format!("`{name}` begins a `job`"),
                "write `bulk` in place of `batch`; an operation may have both",
            ),
            (Together::Bulk, None) => self.error(
                at,
                format!("`{name}` begins no `job`"),
                "say how its job is asked about, or write `batch` in place of `bulk`",
            ),
            _ => {}
        }
    }

    /// Whether the operation's class lets several go together.
    fn may_go(
        &mut self,
        write: &str,
        from: &WriteSource,
        source: &BatchSource,
        request: &RequestPlan,
        form: Together,
    ) {
        let (at, form) = (source.request.path.referenced, form.name());
        match from.idempotency.value.class() {
            IdempotencyClass::SearchFirst { .. } => self.error(
                at,
                format!(
                    "`{write}` is `search_first`, which looks for each record by itself, and has a `{form}`"
                ),
                format!("leave `{form}` out, or choose another class"),
            ),
            IdempotencyClass::NativeKey { .. }
                if !request.headers.iter().any(|pair| pair.value.names_intent()) =>
            {
                self.error(
                    at,
                    format!("`{write}.{form}` carries no key"),
                    "put `{intent}`, the batch's own id, into the header of the key",
                );
            }
            IdempotencyClass::NativeKey { .. }
                if from.probe.is_none()
                    && from.serves.iter().any(|serves| matches!(serves, Serves::Create | Serves::Notify)) =>
            {
                self.error(
                    at,
                    format!("`{write}` is `native_key` with a `{form}`, and has no `probe`"),
                    format!("a key stands for a whole batch: where not all of it can go again, each is looked for; say how, or leave `{form}` out"),
                );
            }
            _ => {}
        }
    }

    /// A list that holds both what was taken and what was not must show which is which.
    fn tells(&mut self, name: &str, source: &BatchSource, at: Location) {
        let answer = &source.answer;
        let shows = matches!(answer.id, Some(IdFrom::Path(_)))
            || !answer.needs.is_empty()
            || !source.rules.is_empty();
        if source.results.is_some() && source.errors.is_none() && !shows {
            self.error(
                at,
                format!("`{name}`: nothing tells a result that was taken from one that was not"),
                "name in `answer.needs` what each result has that was taken, or write `rules` for those that were not",
            );
        }
    }

    fn correlate(&mut self, name: &str, source: &BatchSource) -> Correlate {
        let at = source.request.path.referenced;
        match &source.correlate {
            CorrelateSource::Position => {
                if source.results.is_none() || source.errors.is_some() {
                    self.error(
                        at,
                        format!("`{name}`: results by position need one list, `results`"),
                        "name it and leave `errors` out, or correlate by what is echoed",
                    );
                }
                Correlate::Position
            }
            CorrelateSource::Place(path) => {
                if source.errors.is_none() || source.results.is_some() {
                    self.error(
                        at,
                        format!("`{name}`: places are those of errors, and need one list, `errors`"),
                        "name it and leave `results` out, or correlate by `position` or by what is echoed",
                    );
                }
                Correlate::Place(self.path(path))
            }
            CorrelateSource::Echo(echo) => {
                let named =
                    [(&source.results, &echo.result, "result"), (&source.errors, &echo.error, "error")];
                for (_, _, part) in named.iter().filter(|(list, path, _)| list.is_some() && path.is_none()) {
                    self.error(
                        at,
                        format!("`{name}`: `correlate.echo.{part}` is missing"),
                        format!("say where the echo stands in each {part}"),
                    );
                }
                if source.results.is_none() && source.errors.is_none() {
                    self.error(
                        at,
                        format!("`{name}` names neither `results` nor `errors`"),
                        "name the list in which the answer tells what became of each record",
                    );
                }
                Correlate::Echo {
                    sent: self.template(&echo.sent, Place::Json, Allowed::Write),
                    result: echo.result.as_ref().map(|path| self.path(path)),
                    error: echo.error.as_ref().map(|path| self.path(path)),
                }
            }
        }
    }
}
