//! What a system's books say about one field of one object: every value it took, when, and by whose hand.

use std::collections::BTreeMap;

use sandbox::shelf::{Action, Actor, Object, Values};
use serde_json::Value;

/// How a value of a system's object becomes the text the business thinks in. Written from the vendors' own formats,
/// and sharing nothing with the mappings under proof.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Read {
    /// As it is.
    Text,
    /// Without case.
    Lower,
    /// An amount: the same number in any spelling.
    Amount,
    /// Yes or no, in any spelling.
    Truth,
    /// The opposite of what is asked.
    Untruth,
    /// What stands behind this.
    Behind(&'static str),
    /// One word for another: theirs, ours.
    Word(&'static [(&'static str, &'static str)]),
    /// Another object of this type, by its vendor's id: a text, or `{"id": …}`.
    Ref(&'static str),
}

/// One value that a field took.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Step {
    pub(crate) at_ms: u64,
    pub(crate) by: Actor,
    pub(crate) created: bool,
    pub(crate) value: Option<String>,
}

/// Every value of the field at `path`, oldest first; repeats are left out.
pub(crate) fn of(object: &Object, path: &str, read: Read) -> Vec<Step> {
    let mut state = Values::new();
    let mut steps: Vec<Step> = Vec::new();
    for entry in &object.history {
        for (name, value) in &entry.changed {
            if value.is_null() {
                state.remove(name);
            } else {
                state.insert(name.clone(), value.clone());
            }
        }
        let value = look(&state, path, read);
        if steps.last().map(|step| &step.value) != Some(&value) && !(steps.is_empty() && value.is_none()) {
            let created = entry.action == Action::Create;
            steps.push(Step { at_ms: entry.at_ms, by: entry.actor, created, value });
        }
    }
    steps
}

/// The field at `path` now.
pub(crate) fn look(values: &Values, path: &str, read: Read) -> Option<String> {
    read.normal(at(values, path)?)
}

fn at<'v>(values: &'v BTreeMap<String, Value>, path: &str) -> Option<&'v Value> {
    let mut parts = path.split('.');
    let first = values.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

impl Read {
    fn normal(self, value: &Value) -> Option<String> {
        let text = match (self, value) {
            (Self::Ref(_), Value::Object(reference)) => return reference.get("id").and_then(plain),
            _ => plain(value)?,
        };
        Some(match self {
            Self::Text | Self::Ref(_) => text,
            Self::Lower => text.to_lowercase(),
            Self::Amount => amount(&text),
            Self::Truth => truth(&text).to_string(),
            Self::Untruth => (!truth(&text)).to_string(),
            Self::Behind(before) => text.strip_prefix(before).unwrap_or(&text).to_owned(),
            Self::Word(words) => {
                words.iter().find(|(theirs, _)| *theirs == text).map_or(text, |(_, ours)| (*ours).to_owned())
            }
        })
    }
}

fn plain(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn truth(text: &str) -> bool {
    matches!(text.to_lowercase().as_str(), "true" | "t" | "yes" | "1")
}

/// `12`, `12.0` and `12.00` are one amount.
fn amount(text: &str) -> String {
    match text.split_once('.') {
        Some((whole, cents)) => {
            let cents = cents.trim_end_matches('0');
            if cents.is_empty() { whole.to_owned() } else { format!("{whole}.{cents}") }
        }
        None => text.to_owned(),
    }
}
