//! What answers look like: successes, refusals, and the rules that tell them apart.

use ledger::Class;
use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;

use super::listing::OrderSource;
use crate::moment::Span;

/// What a successful write answers. A part that is named here must be there: an empty 2xx is not a success.
#[derive(Deserialize, Debug, Clone, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerSource {
    /// The object's id.
    #[serde(default)]
    pub(crate) id: Option<IdFrom>,
    /// The version it now has.
    #[serde(default)]
    pub(crate) order: Option<OrderSource>,
    /// The opaque version it now has, such as an `ETag`: `{version}` of the next write.
    #[serde(default)]
    pub(crate) version: Option<VersionFrom>,
    /// Whether it was made anew.
    #[serde(default)]
    pub(crate) created: Option<CreatedFrom>,
    /// Per-record results, where the operation is a batch of one.
    #[serde(default)]
    pub(crate) batch: Option<BatchAnswer>,
    /// Paths that must be there; null counts.
    #[serde(default)]
    pub(crate) needs: Vec<Spanned<String>>,
}

/// Where an id comes from.
#[derive(Deserialize, Debug, Clone)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum IdFrom {
    /// A place in the body.
    Path(Spanned<String>),
    /// What stands behind the last slash of a header.
    Header(String),
    /// It is known before: a template over the call.
    Known(Spanned<String>),
}

/// Where an opaque version stands.
#[derive(Deserialize, Debug, Clone)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum VersionFrom {
    /// A place in the body; of a shape, inside the object.
    Path(Spanned<String>),
    /// A header: of a shape, in the answer to `fetch`.
    Header(Spanned<String>),
}

/// How an answer says that it made a new object.
#[derive(Deserialize, Debug, Clone)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum CreatedFrom {
    /// A boolean in the body.
    Path(Spanned<String>),
    /// This status.
    Status(u16),
}

/// Lists of results and errors, which must add up to what was sent.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchAnswer {
    pub(crate) results: Spanned<String>,
    pub(crate) errors: Spanned<String>,
}

/// What a probe finds.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProbeAnswer {
    /// The list of what was found; absent: the answer is the one object, and 404 means none.
    #[serde(default)]
    pub(crate) found: Option<Spanned<String>>,
    /// What stands in an answer that found nothing and so has no list.
    #[serde(default)]
    pub(crate) empty: Option<Spanned<String>>,
    /// The id, inside what was found.
    pub(crate) id: Spanned<String>,
    /// The version, inside what was found.
    #[serde(default)]
    pub(crate) order: Option<OrderSource>,
    /// The opaque version: inside what was found, or a header of the answer.
    #[serde(default)]
    pub(crate) version: Option<VersionFrom>,
}

/// Where refusals keep their parts; the first path that holds something counts.
#[derive(Deserialize, Debug, Clone, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefusalSource {
    #[serde(default)]
    pub(crate) code: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) field: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) message: Vec<Spanned<String>>,
}

/// One rule.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleSource {
    /// All of it must hold.
    pub(crate) when: Spanned<When>,
    /// What the answer then means.
    pub(crate) class: Class,
    /// How long to leave the target alone.
    #[serde(default)]
    pub(crate) wait: Option<WaitSource>,
    /// The id of the object that is there already.
    #[serde(default)]
    pub(crate) existing_id: Option<ExistingSource>,
    /// What to tell people, when the vendor's own words do not help.
    #[serde(default)]
    pub(crate) say: Option<String>,
}

/// A condition on an answer. What is not said is not asked.
#[derive(Deserialize, Debug, Clone, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct When {
    /// One of these.
    #[serde(default)]
    pub(crate) status: Vec<u16>,
    /// A place in the body.
    #[serde(default)]
    pub(crate) body: Option<BodyTest>,
    /// The body holds one of these texts, without case.
    #[serde(default)]
    pub(crate) text: Vec<String>,
    /// A header.
    #[serde(default)]
    pub(crate) header: Option<HeaderTest>,
    /// Whether the body is JSON.
    #[serde(default)]
    pub(crate) json: Option<bool>,
    /// There is no answer, for one of these reasons.
    #[serde(default)]
    pub(crate) transport: Vec<Transport>,
    /// Only for these calls.
    #[serde(default)]
    pub(crate) calls: Vec<CallKind>,
}

/// A test of a place in a body; without `in` and `equals` it must only be there and not be null.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct BodyTest {
    pub(crate) path: Spanned<String>,
    #[serde(default)]
    pub(crate) equals: Option<Value>,
    #[serde(default, rename = "in")]
    pub(crate) among: Vec<Value>,
    /// Its text holds one of these, without case.
    #[serde(default)]
    pub(crate) contains: Vec<String>,
}

/// A test of a header; without `equals` it must only be there.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeaderTest {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) equals: Option<String>,
}

/// Where the id of an existing object stands.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExistingSource {
    pub(crate) path: Spanned<String>,
    /// It stands in that text, right behind these words.
    #[serde(default)]
    pub(crate) after: Option<String>,
    /// It stands in that text, right before these words.
    #[serde(default)]
    pub(crate) before: Option<String>,
}

/// How long to wait.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaitSource {
    /// The header that says it; `retry-after` where neither it nor `path` is named.
    #[serde(default)]
    pub(crate) header: Option<String>,
    /// The place in the body that says it.
    #[serde(default)]
    pub(crate) path: Option<Spanned<String>>,
    /// The header is a list such as `"default";r=50;t=30` or `limit=100, reset=30`: the entry that says it. Of several
    /// named lists `daily;t` is the entry `t` of the one called `daily`.
    #[serde(default)]
    pub(crate) item: Option<String>,
    /// How it is written there.
    #[serde(default)]
    pub(crate) form: WaitForm,
    /// When nothing says it.
    #[serde(default)]
    pub(crate) default: Option<Span>,
    /// The longest that is believed.
    #[serde(default)]
    pub(crate) max: Option<Span>,
}

/// How a wait is written.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WaitForm {
    /// Seconds, or an HTTP date: `Retry-After` as RFC 9110 has it.
    #[default]
    RetryAfter,
    /// Seconds, with or without fraction.
    Seconds,
    /// Milliseconds.
    Ms,
    /// Seconds since 1970.
    Epoch,
    /// Milliseconds since 1970.
    EpochMs,
    /// Minutes, with or without fraction.
    Minutes,
    /// A number with its unit, or several: `30s`, `1m30s`, `500ms`, `PT30S`.
    Duration,
    /// A moment as RFC 3339 has it.
    DateTime,
}

/// Why there is no answer.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Transport {
    Dns,
    Connect,
    Tls,
    Timeout,
    Reset,
    TooLarge,
}

/// The kind of call.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CallKind {
    Write,
    Probe,
    List,
    Fetch,
    Identity,
    /// Asking which fields an object has.
    Describe,
    /// A look at a job, or at what came of it.
    Job,
}
