//! Rules about answers: tests, what a match means, and how long to wait.

use std::time::Duration;

use ledger::Class;
use serde_json::Value;

use crate::path::Path;
use crate::source::{CallKind, Transport, WaitForm};

#[derive(Debug, Default)]
pub(crate) struct RefusalPlan {
    pub(crate) code: Vec<Path>,
    pub(crate) field: Vec<Path>,
    pub(crate) message: Vec<Path>,
}

/// A test of a place in a body.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) path: Path,
    pub(crate) among: Vec<Value>,
    pub(crate) contains: Vec<String>,
}

impl Test {
    pub(crate) fn holds(&self, body: &Value) -> bool {
        let Some(value) = self.path.find(body).filter(|value| !value.is_null()) else { return false };
        let listed = self.among.is_empty() || self.among.contains(value);
        let contained = self.contains.is_empty() || {
            let text = crate::path::text_of(value).unwrap_or_default().to_lowercase();
            self.contains.iter().any(|part| text.contains(part.as_str()))
        };
        listed && contained
    }
}

/// A header of an answer, in lower case, and what it must say; without that it must only be there.
#[derive(Debug)]
pub(crate) struct HeaderPlan {
    pub(crate) name: Box<str>,
    pub(crate) equals: Option<Box<str>>,
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) status: Vec<u16>,
    pub(crate) body: Option<Test>,
    pub(crate) text: Vec<String>,
    pub(crate) header: Option<HeaderPlan>,
    pub(crate) json: Option<bool>,
    pub(crate) transport: Vec<Transport>,
    pub(crate) calls: Vec<CallKind>,
    pub(crate) class: Class,
    pub(crate) wait: Option<WaitPlan>,
    pub(crate) existing_id: Option<ExistingPlan>,
    pub(crate) say: Option<Box<str>>,
}

/// Where a refusal names the object that is there already.
#[derive(Debug)]
pub(crate) struct ExistingPlan {
    pub(crate) path: Path,
    pub(crate) after: Option<Box<str>>,
    pub(crate) before: Option<Box<str>>,
}

impl ExistingPlan {
    /// The id, when it is there.
    pub(crate) fn read(&self, body: &Value) -> Option<String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let text = self.path.text_at(body)?;
        let mut rest = text.as_str();
        if let Some(words) = &self.after {
            rest = &rest[rest.find(&**words)? + words.len()..];
        }
        let id = match &self.before {
            Some(words) => rest[..rest.find(&**words)?].trim_end().rsplit(|c| !plain(c)).next()?,
            None => rest.trim_start().split(|c| !plain(c)).next()?,
        };
        (1..=200).contains(&id.len()).then(|| id.to_owned())
    }
}

#[derive(Debug, Clone)]
pub(crate) struct WaitPlan {
    pub(crate) header: Option<Box<str>>,
    pub(crate) path: Option<Path>,
    pub(crate) item: Option<Box<str>>,
    pub(crate) form: WaitForm,
    pub(crate) default: Option<Duration>,
    pub(crate) max: Duration,
}
