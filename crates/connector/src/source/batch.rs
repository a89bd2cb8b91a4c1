//! How several records of one operation go in one request or job, and how each gets its own answer.

use std::collections::BTreeMap;

use ledger::Lane;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::answer::{AnswerSource, BodyTest, RuleSource};
use super::{RequestSource, Tree};
use crate::moment::Span;

/// The batch form of a write operation. A single record goes by the operation itself.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchSource {
    /// Most records in one request.
    pub(crate) records_max: u32,
    /// Most bytes of the body.
    #[serde(default = "bytes_max_default")]
    pub(crate) bytes_max: usize,
    /// The request. Its JSON body holds `{records}` where the list goes; `{intent}` is the batch's own id.
    pub(crate) request: RequestSource,
    /// One record in that list.
    pub(crate) record: Spanned<Tree>,
    /// The list of results; the empty path is the whole body. Absent: whoever is in no error was taken.
    #[serde(default)]
    pub(crate) results: Option<Spanned<String>>,
    /// The list of errors, where those that failed have one of their own.
    #[serde(default)]
    pub(crate) errors: Option<Spanned<String>>,
    /// How a result or error finds its record.
    pub(crate) correlate: CorrelateSource,
    /// What a success looks like, inside one result.
    #[serde(default)]
    pub(crate) answer: AnswerSource,
    /// Which results and errors mean what; their bodies are one result or error.
    #[serde(default)]
    pub(crate) rules: Vec<RuleSource>,
    /// With these the whole was refused and nothing of it applied.
    #[serde(default = "rejects_default")]
    pub(crate) rejects: Vec<u16>,
    /// A 2xx in which this holds is no success: the whole was refused, as with another status.
    #[serde(default)]
    pub(crate) refused: Option<BodyTest>,
    /// Of `bulk`: the request only begins a job at the vendor; what came of each record is read when that is done.
    #[serde(default)]
    pub(crate) job: Option<JobSource>,
}

/// A job that a batch's request begins.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobSource {
    /// Fewer records go in batches, or each alone.
    #[serde(default = "records_min_default")]
    pub(crate) records_min: u32,
    /// Only what is on these lanes goes this way.
    #[serde(default = "lanes_default")]
    pub(crate) lanes: Vec<Lane>,
    /// The job's id in the answer to the request.
    pub(crate) id: Spanned<String>,
    /// What fills it, as CSV; absent: the request that begins it holds the records.
    #[serde(default)]
    pub(crate) upload: Option<RequestSource>,
    /// Says that it is filled. Before that the vendor works on nothing of it.
    #[serde(default)]
    pub(crate) close: Option<RequestSource>,
    /// Gives it up.
    #[serde(default)]
    pub(crate) abort: Option<RequestSource>,
    /// How it is asked how the job stands.
    pub(crate) status: StatusSource,
    /// Between the begin and the first look, and between two looks.
    #[serde(default = "every_default")]
    pub(crate) every: Span,
    /// The time between two looks doubles up to this one; absent: it stays the same.
    #[serde(default)]
    pub(crate) every_max: Option<Span>,
    /// No job works longer than that.
    pub(crate) lasts_max: Span,
    /// Jobs of this operation at once.
    #[serde(default = "at_once_default")]
    pub(crate) at_once: u32,
    /// Where what came of each is read; absent: in the last answer about its state.
    #[serde(default)]
    pub(crate) results: Option<RequestSource>,
    /// Where those are read that were refused; absent: in the same answer.
    #[serde(default)]
    pub(crate) errors: Option<RequestSource>,
    /// Where those are read that the job did not come to before it ended: nothing of them was applied.
    #[serde(default)]
    pub(crate) unprocessed: Option<RequestSource>,
    /// These answers are CSV.
    #[serde(default)]
    pub(crate) csv: Option<CsvAnswerSource>,
}

/// Answers that are CSV: a list of tables, with the first line as their keys and texts as values.
#[derive(Deserialize, Debug, Clone, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct CsvAnswerSource {
    /// Columns that hold several things, and how they are told apart.
    #[serde(default)]
    pub(crate) split: BTreeMap<String, SplitSource>,
}

/// A column that holds several things.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct SplitSource {
    /// What stands between them.
    pub(crate) at: String,
    /// What they are called, in their order; the last one is all that is left.
    pub(crate) into: Vec<String>,
}

/// A body of CSV that holds a job's records: the first line names the columns.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct CsvSource {
    /// What stands for null, and for an empty text, which CSV can't tell from what is not there.
    pub(crate) null_as: String,
    /// How lines end.
    #[serde(default)]
    pub(crate) line_end: LineEnd,
}

/// How lines of CSV end.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LineEnd {
    #[default]
    Lf,
    Crlf,
}

/// How a job stands.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct StatusSource {
    pub(crate) request: RequestSource,
    /// Where its state stands in the answer. What is in none of these lists still runs.
    pub(crate) state: Spanned<String>,
    /// It waits to be closed.
    #[serde(default)]
    pub(crate) open: Vec<String>,
    /// Over: what came of each can be read.
    pub(crate) done: Vec<String>,
    /// Refused whole: nothing of it was applied.
    #[serde(default)]
    pub(crate) rejected: Vec<String>,
    /// Over before its time: some of it may have been applied, and nothing more of it will be.
    #[serde(default)]
    pub(crate) failed: Vec<String>,
}

/// How a result finds its record.
#[derive(Deserialize, Debug, Clone)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum CorrelateSource {
    /// By its place in the list: there is one for each record, in their order.
    Position,
    /// By what comes back of what was sent.
    Echo(Box<EchoSource>),
    /// By its place in what was sent, from 0 on, which stands there in each error. Whoever is in no error was taken.
    Place(Spanned<String>),
}

/// What comes back of what was sent.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct EchoSource {
    /// What a record is told from the others by: a template over its call.
    pub(crate) sent: Spanned<String>,
    /// Where that stands in a result.
    #[serde(default)]
    pub(crate) result: Option<Spanned<String>>,
    /// Where that stands in an error: a text, or a list of texts.
    #[serde(default)]
    pub(crate) error: Option<Spanned<String>>,
}

const fn records_min_default() -> u32 {
    2
}

fn lanes_default() -> Vec<Lane> {
    vec![Lane::Bulk]
}

const fn every_default() -> Span {
    Span(std::time::Duration::from_secs(5))
}

const fn at_once_default() -> u32 {
    1
}

const fn bytes_max_default() -> usize {
    1 << 20
}

fn rejects_default() -> Vec<u16> {
    vec![400, 403, 404, 409, 413, 422]
}
