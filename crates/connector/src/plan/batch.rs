//! Several records of an operation in one request, or in a job.

use super::{AnswerPlan, BodyPlan, RequestPlan, Rule, Test};
use crate::body::Node;
use crate::csv::{CsvAnswer, CsvBody};
use crate::path::Path;
use crate::template::Template;

/// Several records of an operation in one request.
#[derive(Debug)]
pub(crate) struct BatchPlan {
    pub(crate) request: RequestPlan,
    pub(crate) record: Node,
    pub(crate) results: Option<Path>,
    pub(crate) errors: Option<Path>,
    pub(crate) correlate: Correlate,
    pub(crate) answer: AnswerPlan,
    pub(crate) rules: Vec<Rule>,
    pub(crate) rejects: Vec<u16>,
    /// A 2xx in which this holds is a refusal of the whole.
    pub(crate) refused: Option<Test>,
    pub(crate) job: Option<JobPlan>,
}

/// A job that a batch's request begins.
#[derive(Debug)]
pub(crate) struct JobPlan {
    /// Its id in the answer.
    pub(crate) id: Path,
    /// What fills it: a request with CSV. `None`: the records went with the request that began it.
    pub(crate) upload: Option<RequestPlan>,
    /// Says that it is filled.
    pub(crate) close: Option<RequestPlan>,
    pub(crate) abort: Option<RequestPlan>,
    pub(crate) status: RequestPlan,
    /// Its state in the answer to that.
    pub(crate) state: Path,
    /// It waits to be closed.
    pub(crate) open: Vec<String>,
    pub(crate) done: Vec<String>,
    pub(crate) rejected: Vec<String>,
    pub(crate) failed: Vec<String>,
    /// `None`: the answer about its state holds what came of each.
    pub(crate) results: Option<RequestPlan>,
    /// `None`: those that were refused stand in the same answer.
    pub(crate) errors: Option<RequestPlan>,
    /// Those that it did not come to.
    pub(crate) unprocessed: Option<RequestPlan>,
    /// These answers are CSV.
    pub(crate) csv: Option<CsvAnswer>,
}

impl JobPlan {
    /// All requests about it.
    pub(crate) fn requests(&self) -> impl Iterator<Item = &RequestPlan> {
        let filling = self.upload.iter().chain(&self.close).chain(&self.abort);
        let reading = self.results.iter().chain(&self.errors).chain(&self.unprocessed);
        filling.chain([&self.status]).chain(reading)
    }

    /// How its records are written, where they go apart from the request that begins it.
    pub(crate) fn csv_body(&self) -> Option<&CsvBody> {
        match &self.upload.as_ref()?.body {
            BodyPlan::Csv(csv) => Some(csv),
            _ => None,
        }
    }
}

/// How a result or error finds its record.
#[derive(Debug)]
pub(crate) enum Correlate {
    /// By its place.
    Position,
    /// By what comes back of what was sent.
    Echo { sent: Template, result: Option<Path>, error: Option<Path> },
    /// By the place in what was sent that each error names.
    Place(Path),
}
