//! What is spoken besides JSON: GraphQL requests, and answers that are XML.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;

/// A GraphQL request: its text is sent as it stands here, and values go in its variables alone.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct GraphQlSource {
    /// The text.
    pub(crate) query: Spanned<String>,
    /// The operation of the text that is meant, where it has several.
    #[serde(default)]
    pub(crate) operation: Option<String>,
    /// A JSON object with slots, by the names of the variables; `?` likewise.
    #[serde(default)]
    pub(crate) variables: BTreeMap<String, Value>,
}

/// How answers and webhooks are written.
#[derive(Deserialize, Debug, Clone, Default)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum AnswersSource {
    /// JSON.
    #[default]
    Json,
    /// XML, unless a body begins otherwise. It is read as if it were JSON.
    Xml(XmlSource),
}

/// How XML is read: an element is a text, or an object of its attributes (`@name`), its elements by their names without
/// prefix, and its text (`#text`).
#[derive(Deserialize, Debug, Clone, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct XmlSource {
    /// The elements that are lists even if there is one of them.
    #[serde(default)]
    pub(crate) lists: Vec<String>,
}
