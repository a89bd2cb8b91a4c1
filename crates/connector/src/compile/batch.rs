//! Batch forms: what stands around the records, one record, and how results find them.

use ledger::IdempotencyClass;
use serde_saphyr::Location;

use super::job::spec_of;
use super::{BATCH_PARAMETER, Compiler};
use crate::plan::{BatchPlan, Correlate};
use crate::source::{BatchSource, CorrelateSource, IdFrom, Serves, WriteSource};
use crate::spec::BatchSpec;
use crate::template::{Allowed, Place};

impl Compiler<'_> {
    /// The batch form of a write operation. What a system that does without sent together before is still understood.
    pub(super) fn batch(
        &mut self,
        name: &str,
        write: &WriteSource,
        source: &BatchSource,
    ) -> (Option<BatchSpec>, BatchPlan) {
        let request = self.request(&format!("{name}.batch"), &source.request, Allowed::Batch);
        let at = source.request.path.referenced;
        if request.body.holes() != 1 {
            let what =
                format!("`{name}.batch`: the JSON body has {} places for the list", request.body.holes());
            self.error(at, what, "write the text `{records}` once, where the list of records goes");
        }
        if source.records_max < 2 {
            self.error(
                at,
                format!("`{name}.batch`: `records_max` is {}", source.records_max),
                "a batch has two records or more; leave `batch` out where each goes alone",
            );
        }
        match write.idempotency.class() {
            IdempotencyClass::SearchFirst { .. } => self.error(
                at,
                format!(
                    "`{name}` is `search_first`, which looks for each record by itself, and has a `batch`"
                ),
                "leave `batch` out, or choose another class",
            ),
            IdempotencyClass::NativeKey { .. }
                if !request.headers.iter().any(|pair| pair.value.names_intent()) =>
            {
                self.error(
                    at,
                    format!("`{name}.batch` carries no key"),
                    "put `{intent}`, the batch's own id, into the header of the key",
                );
            }
            IdempotencyClass::NativeKey { .. }
                if write.probe.is_none()
                    && write
                        .serves
                        .iter()
                        .any(|serves| matches!(serves, Serves::Create | Serves::Notify)) =>
            {
                self.error(
                    at,
                    format!("`{name}` is `native_key` with a `batch`, and has no `probe`"),
                    "a key stands for a whole batch: where not all of it can go again, each is looked for; say how, or leave `batch` out",
                );
            }
            _ => {}
        }
        let record = self.node(&source.record, Allowed::Write);
        if matches!(write.idempotency.class(), IdempotencyClass::MarkerField { .. }) && !record.names_key() {
            self.error(
                at,
                format!("`{name}` is `marker_field`, and the records of `{name}.batch` carry no mark"),
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
            job: source.job.as_ref().map(|job| self.job(name, job, source.records_max)),
        };
        let spec = BatchSpec {
            records_max: usize::try_from(source.records_max).unwrap_or(usize::MAX),
            bytes_max: source.bytes_max,
            charge: plan.request.charge.clone(),
            job: source.job.as_ref().map(spec_of),
        };
        if write.serial_by.is_some() && source.job.is_some() {
            self.error(
                at,
                format!("`{name}` has `serial_by`, and its batch begins a `job`"),
                "a job goes on after its call, so that no other call waits for it: leave one of the two out",
            );
        }
        let without = self.parameters.get(BATCH_PARAMETER) == Some(&serde_json::Value::Bool(false));
        (Some(spec).filter(|_| !without), plan)
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
                format!("`{name}.batch`: nothing tells a result that was taken from one that was not"),
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
                        format!("`{name}.batch`: results by position need one list, `results`"),
                        "name it and leave `errors` out, or correlate by what is echoed",
                    );
                }
                Correlate::Position
            }
            CorrelateSource::Echo(echo) => {
                let named =
                    [(&source.results, &echo.result, "result"), (&source.errors, &echo.error, "error")];
                for (_, _, part) in named.iter().filter(|(list, path, _)| list.is_some() && path.is_none()) {
                    self.error(
                        at,
                        format!("`{name}.batch`: `correlate.echo.{part}` is missing"),
                        format!("say where the echo stands in each {part}"),
                    );
                }
                if source.results.is_none() && source.errors.is_none() {
                    self.error(
                        at,
                        format!("`{name}.batch` names neither `results` nor `errors`"),
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
