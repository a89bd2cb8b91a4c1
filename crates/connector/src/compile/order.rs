//! Rules that cannot be meant: those that match every answer, none, or only what an earlier one takes.

use serde_json::Value;
use serde_saphyr::Location;

use super::Compiler;
use crate::source::{BodyTest, RuleSource, When};

/// What an HTTP status can be.
const STATUS: std::ops::RangeInclusive<u16> = 100..=599;

impl Compiler<'_> {
    /// A condition asks something that an answer can be.
    pub(super) fn check_when(&mut self, when: &When, at: Location) {
        if !asks(when) {
            self.error(
                at,
                "a rule that asks nothing takes every answer, also a success",
                "say which it is for: `status`, `body`, `text`, `header`, `json` or `transport`",
            );
        }
        if let Some(status) = when.status.iter().find(|status| !STATUS.contains(status)) {
            self.error(at, format!("no answer has the status {status}"), "from 100 to 599");
        }
        if !when.transport.is_empty()
            && (when.body.is_some() || !when.status.is_empty() || !when.text.is_empty())
        {
            self.error(
                at,
                "a rule about `transport` asks of an answer, too, and there is none",
                "write a rule for each",
            );
        }
    }

    /// No rule of a list stands behind one that takes all that it would take.
    pub(super) fn check_order(&mut self, rules: &[RuleSource]) {
        for (index, rule) in rules.iter().enumerate() {
            let earlier =
                rules.iter().take(index).position(|earlier| takes(&earlier.when.value, &rule.when.value));
            if let Some(earlier) = earlier {
                self.error(
                    rule.when.referenced,
                    format!(
                        "this rule never matches: rule {} of the list takes all that it would",
                        earlier + 1
                    ),
                    "put it before that one, or make that one narrower",
                );
            }
        }
    }
}

/// Whether a condition asks anything of an answer, or of there being none.
fn asks(when: &When) -> bool {
    !when.status.is_empty()
        || when.body.is_some()
        || !when.text.is_empty()
        || when.header.is_some()
        || when.json.is_some()
        || !when.transport.is_empty()
}

/// Whether whatever meets the second condition meets the first. One that asks nothing is told by itself.
fn takes(wide: &When, narrow: &When) -> bool {
    if !asks(wide) {
        return false;
    }
    let body = match (&wide.body, &narrow.body) {
        (None, _) => true,
        (Some(wide), Some(narrow)) => takes_body(wide, narrow),
        (Some(_), None) => false,
    };
    let header = match (&wide.header, &narrow.header) {
        (None, _) => true,
        (Some(wide), Some(narrow)) => {
            wide.name.eq_ignore_ascii_case(&narrow.name)
                && (wide.equals.is_none() || wide.equals == narrow.equals)
        }
        (Some(_), None) => false,
    };
    body && header
        && among(&wide.status, &narrow.status)
        && among(&wide.transport, &narrow.transport)
        && among(&wide.calls, &narrow.calls)
        && (wide.text.is_empty() || wide.text == narrow.text)
        && (wide.json.is_none() || wide.json == narrow.json)
}

fn takes_body(wide: &BodyTest, narrow: &BodyTest) -> bool {
    let values = |test: &BodyTest| -> Vec<Value> { test.among.iter().chain(&test.equals).cloned().collect() };
    wide.path.value == narrow.path.value
        && among(&values(wide), &values(narrow))
        && (wide.contains.is_empty() || wide.contains == narrow.contains)
}

/// Whether a list of choices, empty for any, holds all of another.
fn among<T: PartialEq>(wide: &[T], narrow: &[T]) -> bool {
    wide.is_empty() || (!narrow.is_empty() && narrow.iter().all(|one| wide.contains(one)))
}
