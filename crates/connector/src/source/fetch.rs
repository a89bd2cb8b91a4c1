//! Reading objects by their ids: one, or several in one call.

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{RequestSource, RuleSource};
use crate::moment::Span;

/// Reading one object by its id.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct FetchSource {
    pub(crate) request: RequestSource,
    /// Where the object stands in the answer; absent: it is the answer.
    #[serde(default)]
    pub(crate) at: Option<Spanned<String>>,
    /// What it means when nothing stands there.
    #[serde(default)]
    pub(crate) absent: Absent,
    /// How far behind the writes a read may be: a replica that lags answers it. What was hinted at is read at once, and once
    /// more after that time. Needs an order: without one nobody can tell what is older.
    #[serde(default)]
    pub(crate) lag: Option<Span>,
    /// How several are read in one call.
    #[serde(default)]
    pub(crate) many: Option<Spanned<ManySource>>,
}

/// What an empty answer to a fetch means.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Absent {
    /// Nothing: it may be hidden from us.
    #[default]
    Unknown,
    /// Proof that the object is gone.
    Deleted,
}

/// Reading several objects by their ids in one call.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct ManySource {
    /// Most ids in one call.
    pub(crate) records_max: u32,
    /// Most bytes of the body.
    #[serde(default = "bytes_max_default")]
    pub(crate) bytes_max: usize,
    /// Most bytes of the address, with its query.
    #[serde(default = "address_max_default")]
    pub(crate) address_max: usize,
    /// The request; `{ids}` is the list of ids.
    pub(crate) request: RequestSource,
    /// Where the list of objects stands in the answer; absent: it is the answer.
    #[serde(default)]
    pub(crate) items: Option<Spanned<String>>,
    /// Where the object stands in an item; absent: it is the item.
    #[serde(default)]
    pub(crate) object: Option<Spanned<String>>,
    /// What it means when the answer says nothing of an id.
    #[serde(default)]
    pub(crate) absent: AbsentOfMany,
    /// What the answer says of those that it does not hold.
    #[serde(default)]
    pub(crate) errors: Option<ManyErrorsSource>,
}

/// What it means when an answer to several ids says nothing of one.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AbsentOfMany {
    /// Nothing: it is read alone.
    #[default]
    Alone,
    /// Proof that the object is gone.
    Deleted,
}

/// Errors in such an answer, each of one id or several.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct ManyErrorsSource {
    /// Where their list stands.
    pub(crate) at: Spanned<String>,
    /// Where the id stands in one: a text, or a list of texts.
    pub(crate) ids: Spanned<String>,
    /// Which of them mean what; their bodies are one error. What is neither `not_found` nor `gone` is read alone.
    pub(crate) rules: Vec<RuleSource>,
}

const fn bytes_max_default() -> usize {
    1 << 20
}

/// What nginx takes unless told otherwise, and a little less.
const fn address_max_default() -> usize {
    8000
}
