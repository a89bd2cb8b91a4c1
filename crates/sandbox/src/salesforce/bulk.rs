//! Bulk API 2.0: jobs that are made empty, filled with CSV, closed, and tell afterwards what came of each row.
//!
//! What is simpler here than there: the rows are written when the job is closed, and its state tells so a while later;
//! rows go one by one; there is no multipart form, and no query jobs. Rows come back in another order than they were
//! sent: the vendor promises none [doc].

use std::collections::BTreeMap;

use csv::{ReaderBuilder, StringRecord, WriterBuilder};
use http::Method;
use serde_json::{Map, Value, json};

use super::record::{integration, locked};
use super::{LOCKED, Outcome, Refused, Salesforce, id, moment};
use crate::call::Call;
use crate::fault::Rule;
use crate::request::{Response, empty, json as answer, typed};
use crate::system::Desk;

/// Longest CSV of a job, before base64 [doc].
const BYTES_MAX: usize = 100_000_000;
/// What stands for null [doc].
const NULL: &str = "#N/A";

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Its rows are written; it says so from then on.
    Closed {
        until_ms: u64,
        failed: bool,
    },
    Aborted,
}

#[derive(Debug, Clone)]
pub(super) struct Job {
    kind: String,
    operation: String,
    external: String,
    line_end: String,
    made_ms: u64,
    state: State,
    uploads: u32,
    csv: Vec<u8>,
    rules: Vec<Rule>,
    partial: Option<f64>,
    columns: StringRecord,
    /// With its id and whether it was made.
    done: Vec<(String, bool, StringRecord)>,
    /// With what it was refused for.
    refused: Vec<(String, StringRecord)>,
    unprocessed: Vec<StringRecord>,
    error: Option<String>,
}

pub(super) type Jobs = BTreeMap<String, Job>;

impl Salesforce {
    pub(super) fn bulk(&mut self, desk: &mut Desk, call: &Call<'_>, rest: &[&str]) -> Outcome<Response> {
        match (call.request.method(), rest) {
            (&Method::POST, []) => self.new_job(desk, call),
            (&Method::GET, [id]) => self.shown_job(call, id, false),
            (&Method::PUT, [id, "batches"]) => self.fill(call, id),
            (&Method::PATCH, [id]) => self.move_on(desk, call, id),
            (&Method::DELETE, [id]) => {
                let found = self.job(id)?;
                if matches!(found.state, State::Open) {
                    return Err(wrong_state("Cannot delete a job that is open"));
                }
                self.jobs.remove(*id);
                Ok(empty(204))
            }
            (&Method::GET, [id, list]) => {
                let found = self.job(id)?;
                if !matches!(found.state, State::Closed { until_ms, .. } if until_ms <= call.now_ms)
                    && found.state != State::Aborted
                {
                    return Err(wrong_state("The job is not over"));
                }
                let text = found.list(list).ok_or_else(Refused::missing)?;
                Ok(typed(200, "text/csv", text))
            }
            _ => Err(Refused::missing()),
        }
    }

    fn job(&mut self, id: &str) -> Outcome<&mut Job> {
        self.jobs.get_mut(id).ok_or_else(Refused::missing)
    }

    fn new_job(&mut self, desk: &mut Desk, call: &Call<'_>) -> Outcome<Response> {
        let invalid = |why: String| Refused::new(400, "INVALIDJOB", why);
        let body = call.body().map_err(|why| Refused::new(400, "JSON_PARSER_ERROR", why))?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let named = text("object");
        let unknown = || {
            Refused::new(400, "INVALIDENTITY", format!("Entity '{named}' is not supported by the Bulk API."))
        };
        let kind = self.schema.object(&named).ok_or_else(unknown)?;
        let (operation, external) = (text("operation"), text("externalIdFieldName"));
        if !matches!(operation.as_str(), "insert" | "update" | "upsert" | "delete") {
            return Err(invalid(format!("Unable to parse operation {operation}")));
        }
        if operation == "upsert" {
            if external.is_empty() {
                return Err(invalid("External ID field name is required for upsert".to_owned()));
            }
            self.holders(desk, &kind, &external, "")?;
        }
        let line_end = if text("lineEnding").is_empty() { "LF".to_owned() } else { text("lineEnding") };
        if !matches!(text("contentType").as_str(), "" | "CSV") || !matches!(line_end.as_str(), "LF" | "CRLF")
        {
            return Err(invalid("only CSV with LF or CRLF is taken".to_owned()));
        }
        let id = id::write("750", desk.fresh_number());
        let job = Job {
            kind,
            operation,
            external,
            line_end,
            made_ms: call.now_ms,
            state: State::Open,
            uploads: 0,
            csv: Vec::new(),
            rules: Vec::new(),
            partial: None,
            columns: StringRecord::new(),
            done: Vec::new(),
            refused: Vec::new(),
            unprocessed: Vec::new(),
            error: None,
        };
        self.jobs.insert(id.clone(), job);
        self.shown_job(call, &id, true)
    }

    fn shown_job(&mut self, call: &Call<'_>, id: &str, fresh: bool) -> Outcome<Response> {
        let version = call.segments().get(2).map(ToString::to_string).unwrap_or_default();
        let job = self.job(id)?;
        let state = match job.state {
            State::Open => "Open",
            State::Aborted => "Aborted",
            State::Closed { until_ms, .. } if until_ms > call.now_ms => "InProgress",
            State::Closed { failed: true, .. } => "Failed",
            State::Closed { .. } => "JobComplete",
        };
        let mut body = json!({
            "id": id, "operation": job.operation, "object": job.kind, "state": state,
            "createdDate": moment(job.made_ms), "systemModstamp": moment(job.made_ms),
            "concurrencyMode": "Parallel", "contentType": "CSV", "lineEnding": job.line_end,
            "columnDelimiter": "COMMA", "jobType": "V2Ingest",
            "contentUrl": format!("services/data/{version}/jobs/ingest/{id}/batches"),
        });
        if job.operation == "upsert" {
            body["externalIdFieldName"] = json!(job.external);
        }
        if !fresh {
            body["numberRecordsProcessed"] = json!(job.done.len() + job.refused.len());
            body["numberRecordsFailed"] = json!(job.refused.len());
        }
        if let Some(error) = &job.error {
            body["errorMessage"] = json!(error);
        }
        Ok(answer(200, &body))
    }

    fn fill(&mut self, call: &Call<'_>, id: &str) -> Outcome<Response> {
        let body = call.request.body();
        let csv = call.header("content-type").is_some_and(|kind| kind.starts_with("text/csv"));
        if !csv {
            return Err(Refused::new(415, "UNSUPPORTED_MEDIA_TYPE", "the data must be text/csv"));
        }
        if body.len() > BYTES_MAX {
            return Err(Refused::new(413, "REQUEST_ENTITY_TOO_LARGE", "the data is larger than 100 MB"));
        }
        let (rules, partial) = (call.rules.to_vec(), call.partial);
        let job = self.job(id)?;
        if job.state != State::Open {
            return Err(wrong_state("Job state is not Open"));
        }
        job.uploads += 1;
        job.csv = body.to_vec();
        (job.rules, job.partial) = (rules, partial);
        Ok(empty(201))
    }

    fn move_on(&mut self, desk: &mut Desk, call: &Call<'_>, id: &str) -> Outcome<Response> {
        let body = call.body().map_err(|why| Refused::new(400, "JSON_PARSER_ERROR", why))?;
        let wanted = body.get("state").and_then(Value::as_str).unwrap_or_default();
        let now_ms = call.now_ms;
        let job = self.job(id)?;
        match (wanted, job.state) {
            ("UploadComplete", State::Open) => {
                let mut job = job.clone();
                let failed = self.work(desk, call, &mut job);
                job.state = State::Closed { until_ms: now_ms + desk.options.limits.job_ms, failed };
                self.jobs.insert(id.to_owned(), job);
            }
            ("Aborted", State::Open) => job.state = State::Aborted,
            ("Aborted", State::Closed { until_ms, .. }) if until_ms > now_ms => job.state = State::Aborted,
            // Which words and status come here is [unverified].
            ("UploadComplete" | "Aborted", _) => {
                return Err(wrong_state("Job state cannot be changed: it was closed, or is over"));
            }
            _ => return Err(Refused::new(400, "INVALIDJOB", "a job is set to UploadComplete or Aborted")),
        }
        self.shown_job(call, id, true)
    }

    /// Writes the rows of a job; true when it fails before all of them were looked at.
    fn work(&mut self, desk: &mut Desk, call: &Call<'_>, job: &mut Job) -> bool {
        let mut reader = ReaderBuilder::new().from_reader(job.csv.as_slice());
        job.columns = reader.headers().cloned().unwrap_or_default();
        let rows: Result<Vec<StringRecord>, csv::Error> = reader.records().collect();
        job.error = rows.as_ref().err().map(|error| format!("InvalidBatch : {error}"));
        job.error = job.error.take().or_else(|| self.spoilt(job));
        let rows = rows.unwrap_or_default();
        let taken = match call.failed_job {
            _ if job.error.is_some() => 0,
            Some(share) => {
                job.error = Some("InternalServerError : the job ended before its time".to_owned());
                part(rows.len(), share)
            }
            None => rows.len(),
        };
        let (rules, partial) = (job.rules.clone(), job.partial);
        let inner = Call { rules: &rules, partial, ..*call };
        for (place, row) in rows.into_iter().enumerate() {
            if place >= taken {
                job.unprocessed.push(row);
                continue;
            }
            let struck = partial.is_some_and(|share| desk.entropy.chance(share));
            let result = match struck {
                true => Err(locked("001000000000000")),
                false => self.work_row(desk, &inner, job, &row),
            };
            match result {
                Ok((id, created)) => job.done.push((id, created, row)),
                Err(refused) => {
                    if refused.code == LOCKED {
                        desk.faults.note("row_locked");
                    }
                    let fields = refused.fields.unwrap_or_default().join(",");
                    job.refused.push((format!("{}:{}:{fields}--", refused.code, refused.message), row));
                }
            }
        }
        job.error.is_some()
    }

    /// Why none of its rows can be looked at, if there is a reason.
    fn spoilt(&self, job: &Job) -> Option<String> {
        let known = |column: &str| {
            column.contains('.') || column == "Id" || self.schema.field(&job.kind, column).is_some()
        };
        if job.uploads > 1 {
            // Filled twice, it fails in these words [unverified].
            return Some("ClientInputError : Found multiple contents for job".to_owned());
        }
        let unknown = job.columns.iter().find(|column| !known(column))?;
        Some(format!("InvalidBatch : Field name not found : {unknown}"))
    }

    fn work_row(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        job: &Job,
        row: &StringRecord,
    ) -> Outcome<(String, bool)> {
        let mut given = Map::new();
        for (column, text) in job.columns.iter().zip(row) {
            let value = match text {
                // What is empty is not written [doc].
                "" => continue,
                NULL => Value::Null,
                text => json!(text),
            };
            match column.split_once('.') {
                // A parent by its external id [doc].
                Some((relation, field)) => given.insert(relation.to_owned(), json!({field: value})),
                None => given.insert(column.to_owned(), value),
            };
        }
        let mut taken = |name: &str| {
            let name = given.keys().find(|given| given.eq_ignore_ascii_case(name)).cloned();
            let value = name.and_then(|name| given.remove(&name));
            value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
        };
        match job.operation.as_str() {
            "insert" => {
                self.judged(desk, call, &job.kind, None, &given)?;
                Ok((self.create(desk, &job.kind, &given, &integration(call))?, true))
            }
            "upsert" => {
                let key = taken(&job.external);
                if key.is_empty() {
                    let message = format!("{} not specified", job.external);
                    return Err(Refused::write("MISSING_ARGUMENT", message, &[]));
                }
                self.upsert_one(desk, call, &job.kind, &job.external, &key, given)
            }
            operation => {
                let id = self.member(desk, &job.kind, &taken("Id"))?;
                if operation == "delete" {
                    self.remove(desk, call, &job.kind, &id)?;
                } else {
                    self.judged(desk, call, &job.kind, Some(&id), &given)?;
                    self.update(desk, &job.kind, &id, &given, &integration(call))?;
                }
                Ok((id, false))
            }
        }
    }
}

impl Job {
    /// One of its lists, as CSV; `None`: there is no such list.
    fn list(&self, name: &str) -> Option<Vec<u8>> {
        let mut writer = WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
        let head: &[&str] = match name {
            "successfulResults" => &["sf__Id", "sf__Created"],
            "failedResults" => &["sf__Id", "sf__Error"],
            "unprocessedrecords" => &[],
            _ => return None,
        };
        let mut write =
            |more: &[&str], row: &StringRecord| writer.write_record(more.iter().copied().chain(row)).ok();
        write(head, &self.columns)?;
        match name {
            "successfulResults" => {
                for (id, created, row) in self.done.iter().rev() {
                    write(&[id, if *created { "true" } else { "false" }], row)?;
                }
            }
            "failedResults" => {
                for (error, row) in self.refused.iter().rev() {
                    write(&["", error], row)?;
                }
            }
            _ => {
                for row in self.unprocessed.iter().rev() {
                    write(&[], row)?;
                }
            }
        }
        writer.into_inner().ok()
    }
}

/// That share of so many.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of rows, between none and all of them"
)]
fn part(of: usize, share: f64) -> usize {
    (of as f64 * share.clamp(0.0, 1.0)) as usize
}

fn wrong_state(message: &str) -> Refused {
    Refused::new(400, "INVALIDJOBSTATE", message)
}
