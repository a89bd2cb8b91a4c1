//! GraphQL: a request whose text is the manifest's own, and values only in its variables.
//!
//! A server says errors inside a 200. Rules look at them first (`errors.0.extensions.code`); what none matches is judged
//! here: an answer with errors is never a success (GraphQL, section 7.1). Without `data` nothing was carried out; with it,
//! something may have been.

use std::collections::BTreeSet;

use ledger::Class;
use serde_json::Value;

use crate::source::CallKind;

/// What is wrong with a request's text and its variables.
pub(crate) enum Mismatch {
    /// The text is no operation.
    NoOperation,
    /// The text uses a variable that is not given.
    NotGiven(String),
    /// A variable is given that the text does not use.
    NotUsed(String),
    /// The text has a slot, as other texts of a manifest have.
    Slot(String),
}

/// The names that stand behind a `$` in the text, without those in strings and comments.
pub(crate) fn variables(query: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut rest = query;
    while let Some(at) = rest.find(['$', '"', '#']) {
        let (found, behind) = (&rest[at..=at], &rest[at + 1..]);
        rest = match found {
            "#" => behind.find('\n').map_or("", |end| &behind[end..]),
            "\"" => behind_string(behind),
            _ => {
                let end =
                    behind.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(behind.len());
                if end > 0 {
                    names.insert(behind[..end].to_owned());
                }
                &behind[end..]
            }
        };
    }
    names
}

/// What follows a string of which the first quote was read.
fn behind_string(text: &str) -> &str {
    if let Some(block) = text.strip_prefix("\"\"") {
        return block.find("\"\"\"").map_or("", |end| &block[end + 3..]);
    }
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' | '\n' => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

/// What looks like a slot: in a string `{fields.email}` and the like, elsewhere what no selection of fields can be.
pub(crate) fn slot(query: &str) -> Option<String> {
    let mut rest = query;
    while let Some(at) = rest.find(['{', '"', '#']) {
        let (found, behind) = (&rest[at..=at], &rest[at + 1..]);
        rest = match found {
            "#" => behind.find('\n').map_or("", |end| &behind[end..]),
            "\"" => {
                let after = behind_string(behind);
                let text = &behind[..behind.len() - after.len()];
                if let Some(slot) = slots(text).find(|slot| is_slot(slot)) {
                    return Some(slot.to_owned());
                }
                after
            }
            _ => {
                let inner = slots(&rest[at..]).next().filter(|inner| behind.starts_with(inner));
                let odd =
                    |inner: &&str| is_slot(inner) && inner.contains(['.', '|']) && !inner.contains("...");
                if let Some(slot) = inner.filter(odd) {
                    return Some(slot.to_owned());
                }
                behind
            }
        };
    }
    None
}

/// What stands between braces, without braces inside.
fn slots(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0))
}

/// Whether it begins with what a slot can be filled from.
fn is_slot(inner: &str) -> bool {
    let head = inner.trim().split(['.', '|', ' ']).next().unwrap_or_default();
    SOURCES.contains(&head)
}

/// What slots are filled from elsewhere.
const SOURCES: [&str; 15] = [
    "parameter",
    "value",
    "object",
    "key",
    "id",
    "intent",
    "expected",
    "version",
    "fields",
    "whole",
    "known",
    "since",
    "page",
    "now",
    "paths",
];

/// Compares a text with the names of the variables that go with it; `optional` ones may be left out of the request.
pub(crate) fn check(query: &str, given: &BTreeSet<String>) -> Option<Mismatch> {
    let first = query.trim_start();
    let word = first.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    if !matches!(word, "query" | "mutation") && !first.starts_with('{') && !first.starts_with('#') {
        return Some(Mismatch::NoOperation);
    }
    if let Some(slot) = slot(query) {
        return Some(Mismatch::Slot(slot));
    }
    let used = variables(query);
    if let Some(name) = used.difference(given).next() {
        return Some(Mismatch::NotGiven(name.clone()));
    }
    given.difference(&used).next().map(|name| Mismatch::NotUsed(name.clone()))
}

/// What a 2xx with errors means where no rule says it; `None`: it has none.
pub(crate) fn refused(body: &Value, kind: CallKind) -> Option<Class> {
    body.get("errors").and_then(Value::as_array).filter(|errors| !errors.is_empty())?;
    Some(match (body.get("data"), kind) {
        // The text or its variables are not what the server takes: it began nothing. (A `data` of null is another matter: it
        // began, and something failed.)
        (None, _) => Class::Validation,
        (Some(_), CallKind::Write) => Class::Uncertain,
        (Some(_), _) => Class::Retryable,
    })
}

#[cfg(test)]
mod tests;
