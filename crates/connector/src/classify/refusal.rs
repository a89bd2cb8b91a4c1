//! What a target said when it refused, in a form that may be shown (I15).

use guard::redact;
use ledger::{Class, Outcome, Refusal};
use serde_json::Value;

use super::Answer;
use crate::call::Call;
use crate::connector::Connector;
use crate::path::{Path, text_of};

/// The longest message, in characters, with the sign that it was cut.
const MESSAGE_CHARS_MAX: usize = 500;

/// Values shorter than this stay in a message: hiding every `a` would leave nothing to read.
const VALUE_CHARS_MIN: usize = 3;

impl Connector {
    /// A refusal of that class, with what the answer says about it.
    pub(super) fn refused(
        &self,
        class: Class,
        call: &Call,
        answer: &Answer<'_>,
        say: Option<&str>,
    ) -> Outcome {
        let plan = &self.plan.refusal;
        let find = |paths: &[Path]| {
            let body = answer.json()?;
            paths.iter().find_map(|path| text_of(path.find_filled(body)?))
        };
        let said = find(&plan.message).map(|text| message(&text, call));
        let message = match (say, said) {
            (Some(say), Some(said)) => cut(format!("{say} ({said})")),
            (Some(say), None) => cut(say.to_owned()),
            (None, Some(said)) => said,
            (None, None) => default_message(answer),
        };
        let mut outcome = Outcome::of(class);
        outcome.refusal = Refusal {
            status: Some(answer.response.status),
            code: find(&plan.code).and_then(|text| token(&text, call)),
            field: find(&plan.field).and_then(|text| token(&text, call)),
            message,
        };
        outcome
    }
}

/// A vendor's words as they may be shown: without the call's own values, without what looks like a person or a
/// credential, and not too long.
pub(super) fn message(raw: &str, call: &Call) -> String {
    let mut text: String =
        raw.chars().take(4 * MESSAGE_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if let Call::Write(write) | Call::Probe(write) = call {
        let mut values = Vec::new();
        for value in write.fields.values().chain(write.whole.values()).chain(write.known.values()) {
            texts(value, &mut values);
        }
        // Longest first, so that a value that holds another is hidden whole.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        for value in values {
            if text.contains(value) {
                text = text.replace(value, "[value]");
            }
        }
    }
    cut(redact::text(&text, MESSAGE_CHARS_MAX - 1))
}

fn texts<'a>(value: &'a Value, out: &mut Vec<&'a str>) {
    match value {
        Value::String(text) if text.chars().count() >= VALUE_CHARS_MIN => out.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, out)),
        Value::Object(map) => map.values().for_each(|item| texts(item, out)),
        _ => {}
    }
}

fn cut(text: String) -> String {
    if text.chars().count() <= MESSAGE_CHARS_MAX {
        return text;
    }
    let mut cut: String = text.chars().take(MESSAGE_CHARS_MAX - 1).collect();
    cut.push('…');
    cut
}

/// A code or field name as it may be shown, spaces as `_` (Mailchimp's codes are titles). What holds one of the
/// call's values, or does not look like a name, is not one.
fn token(text: &str, call: &Call) -> Option<String> {
    let plain = |b: u8| {
        b.is_ascii_alphanumeric() || matches!(b, b' ' | b'_' | b'-' | b'.' | b'/' | b'[' | b']' | b':')
    };
    if is_result_code(text) {
        return Some(text.to_owned());
    }
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let named = !text.is_empty() && text.len() <= 80 && text.bytes().all(plain) && digits <= 5;
    (named && message(text, call) == text).then(|| text.replace(' ', "_"))
}

/// A result code such as `0x80048d19` (Dataverse): many digits, and no number of anybody's.
fn is_result_code(text: &str) -> bool {
    let hex = text.strip_prefix("0x").filter(|hex| hex.len() == 8);
    hex.is_some_and(|hex| hex.starts_with('8') && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn default_message(answer: &Answer<'_>) -> String {
    let response = answer.response;
    let kind = match (response.body.is_empty(), answer.json().is_some()) {
        (true, _) => "no body",
        (false, true) if answer.is_xml() => "an XML body without a message where one was looked for",
        (false, true) => "a JSON body without a message where one was looked for",
        (false, false) => "a body that is not JSON",
    };
    format!("the target answered {} with {kind}", response.status)
}
