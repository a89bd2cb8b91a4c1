//! Batches: several records of one operation in one request or job.
//!
//! Each record has a [`Part`]: its own bytes, and what stands around the list. Parts of one batch, put together in
//! their order, are the request; each can be kept by itself, and the request made again to the byte as long as all are
//! there. Of a job that is filled by a request of its own, they are what that one holds.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::body::HOLE;
use crate::call::{Call, Write};
use crate::connector::Connector;
use crate::csv::Cells;
use crate::error::RenderError;
use crate::exchange::Request;
use crate::plan::JobPlan;

pub use crate::classify::Verdicts;

/// How several records of an operation go together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Together {
    /// In one request, whose answer says what came of each.
    #[default]
    Batch,
    /// In a job.
    Bulk,
}

impl Together {
    /// Its name, as in the names of operations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Bulk => "bulk",
        }
    }
}

/// What stands around a batch's records.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
struct Frame {
    /// The request without its body.
    request: Request,
    /// The body before the first record.
    before: String,
    /// …and behind the last.
    after: String,
    /// How they go together.
    #[serde(default)]
    form: Together,
    /// The records do not stand in this request: a job is filled with them by another.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    apart: bool,
}

/// One record's part of a batch's request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    frame: Frame,
    record: Vec<u8>,
}

impl Part {
    /// As it is kept: the frame as a line of JSON, then the record as it is.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512 + self.record.len());
        // Writing to memory does not fail, and these are texts and numbers.
        serde_json::to_writer(&mut bytes, &self.frame).unwrap_or_default();
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.record);
        bytes
    }

    /// The part of [`Self::to_bytes`]; `None` when these are other bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let (head, record) = bytes.split_at(end);
        Some(Self { frame: serde_json::from_slice(head).ok()?, record: record.get(1..)?.to_vec() })
    }

    /// The whole request of these parts, in their order; `None` where they are not of one batch, or none.
    #[must_use]
    pub fn join(parts: &[Self]) -> Option<Request> {
        let frame = &parts.first()?.frame;
        if parts.iter().any(|part| part.frame != *frame) {
            return None;
        }
        let records: usize = parts.iter().map(|part| part.record.len() + 1).sum();
        let mut body = Vec::with_capacity(frame.before.len() + records + frame.after.len());
        body.extend_from_slice(frame.before.as_bytes());
        for (index, part) in parts.iter().enumerate().filter(|_| !frame.apart) {
            if index > 0 {
                body.push(b',');
            }
            body.extend_from_slice(&part.record);
        }
        body.extend_from_slice(frame.after.as_bytes());
        Some(Request { body, ..frame.request.clone() })
    }

    /// How the record of these bytes went with others, without reading all of them.
    #[must_use]
    pub fn form_of(bytes: &[u8]) -> Together {
        #[derive(Deserialize)]
        struct Peek {
            #[serde(default)]
            form: Together,
        }
        let head = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        serde_json::from_slice::<Peek>(head).map_or(Together::Batch, |peek| peek.form)
    }

    /// The bytes of the record in the body.
    #[must_use]
    pub const fn record_bytes(&self) -> usize {
        self.record.len()
    }

    /// The bytes around the records.
    #[must_use]
    pub const fn frame_bytes(&self) -> usize {
        self.frame.before.len() + self.frame.after.len()
    }

    /// Longest the whole exchange may take, in milliseconds.
    #[must_use]
    pub const fn timeout_ms(&self) -> u64 {
        self.frame.request.timeout_ms
    }

    /// The exchange may take so long at most.
    pub fn limit_timeout(&mut self, timeout_ms: u64) {
        self.frame.request.timeout_ms = self.frame.request.timeout_ms.min(timeout_ms);
    }
}

impl Connector {
    /// Renders one record's part of the batch with that id. The same call always gives the same bytes.
    ///
    /// # Errors
    /// As [`Self::render`]; also when the operation has no such form, or a value has no form in CSV, where that is how
    /// the records go.
    pub fn render_part(&self, call: &Call, batch: &str, form: Together) -> Result<Part, RenderError> {
        let plan = self.batch_plan(call, form).ok_or_else(|| self.unknown(call))?;
        let mut record = Vec::with_capacity(512);
        let scope = self.scope(call, None, None);
        plan.record
            .write(&scope, &mut record)
            .map_err(|flaw| plan.request.refused(flaw, "a record of the batch"))?;
        let csv = plan.job.as_ref().and_then(JobPlan::csv_body);
        if let Some(csv) = csv {
            let read = serde_json::from_slice(&record).unwrap_or_default();
            let cells = csv.cells(&read).map_err(|flaw| plan.request.refused(flaw, "a record of the job"))?;
            record = serde_json::to_vec(&cells).unwrap_or_default();
        }
        let Call::Write(write) = call else { return Err(self.unknown(call)) };
        // Nothing of a record stands around the list: the batch's own id is the only one there.
        let around = Call::Write(Write {
            object: write.object.clone(),
            operation: write.operation.clone(),
            key: String::new(),
            external_id: None,
            fields: Arc::default(),
            whole: Arc::default(),
            known: Arc::default(),
            expected: None,
            version: None,
            association: None,
            intent: batch.to_owned(),
        });
        let mut request = plan.request.render(&self.scope(&around, None, None))?;
        let body = std::mem::take(&mut request.body);
        let at = body.iter().position(|byte| *byte == HOLE).unwrap_or(body.len());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (before, after) = (text(&body[..at]), text(body.get(at + 1..).unwrap_or_default()));
        Ok(Part { frame: Frame { request, before, after, form, apart: csv.is_some() }, record })
    }

    /// The request that fills a job with these parts; `call` is about it, with [`crate::JobStep::Upload`].
    ///
    /// # Errors
    /// As [`Self::render`]; also when these are no parts of a job that is filled.
    pub fn render_upload(&self, call: &Call, parts: &[Part]) -> Result<Request, RenderError> {
        let job = self.job_plan(call).ok_or_else(|| self.unknown(call))?;
        let csv = job.csv_body().ok_or_else(|| self.unknown(call))?;
        let cells: Option<Vec<Cells>> =
            parts.iter().map(|part| serde_json::from_slice(&part.record).ok()).collect();
        let body = cells.and_then(|cells| csv.write(&cells).ok());
        let body = body.ok_or_else(|| RenderError::Unfit {
            operation: format!("{}.upload", self.operation_of(call)),
            slot: "records".to_owned(),
            place: "the CSV".to_owned(),
            why: "they are no parts of a job".to_owned(),
        })?;
        Ok(Request { body, ..self.render(call)? })
    }

    fn operation_of<'c>(&self, call: &'c Call) -> &'c str {
        match call {
            Call::Job { operation, .. } => operation,
            _ => "",
        }
    }
}
