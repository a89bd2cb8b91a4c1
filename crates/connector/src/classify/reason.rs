//! By what an answer was judged: for people who write manifests.

use std::fmt;

use crate::call::Call;
use crate::connector::Connector;
use crate::exchange::{Failure, Response};
use crate::plan::Rule;
use crate::source::CallKind;

/// Where in a manifest a rule stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// With the write operation.
    Operation,
    /// With the object, or its kind.
    Object,
    /// With the whole manifest.
    Manifest,
}

/// By what an answer was judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// By a rule: the so-manieth of those at that place, from 1.
    Rule(Level, usize),
    /// It is a success, and holds what the manifest's `answer` names, or lacks it.
    Success,
    /// It is a success in which a GraphQL server says errors.
    Errors,
    /// No rule matches: by what HTTP says.
    Status,
    /// There is no answer: by how far the request got.
    Failure,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(level, number) => {
                let whose = match level {
                    Level::Operation => "operation",
                    Level::Object => "object",
                    Level::Manifest => "manifest",
                };
                write!(f, "rule {number} of the {whose}'s `errors`")
            }
            Self::Success => f.write_str("a success, judged by what `answer` and `shape` name"),
            Self::Errors => f.write_str("no rule matches: by the errors inside of a success"),
            Self::Status => f.write_str("no rule matches: by what HTTP says of the status"),
            Self::Failure => f.write_str("no answer: by how far the request got"),
        }
    }
}

impl Connector {
    /// The rules for a call, in their order, each with its place.
    pub(super) fn placed_rules<'a>(&'a self, call: &Call) -> impl Iterator<Item = (Level, usize, &'a Rule)> {
        let kind = call.kind();
        let operation = self.write_plan(call).filter(|_| kind == CallKind::Write);
        let object = self.object_of(call);
        let numbered = |level| move |(index, rule)| (level, index + 1, rule);
        let operation = operation.into_iter().flat_map(|write| &write.errors).enumerate();
        let object = object.into_iter().flat_map(|object| &object.errors).enumerate();
        let manifest = self.plan.errors.iter().enumerate();
        operation
            .map(numbered(Level::Operation))
            .chain(object.map(numbered(Level::Object)))
            .chain(manifest.map(numbered(Level::Manifest)))
            .filter(move |(_, _, rule)| rule.calls.is_empty() || rule.calls.contains(&kind))
    }

    /// By what [`Self::classify`] judges that answer.
    #[must_use]
    pub fn reason(&self, call: &Call, answer: &Result<Response, Failure>) -> Reason {
        let found = match answer {
            Ok(response) => {
                let answer = self.answer(response);
                if self.holds_objects(call, &answer) && self.errors_inside(call, &answer).is_none() {
                    return Reason::Success;
                }
                self.placed_rules(call).find(|(_, _, rule)| rule.matches(&answer))
            }
            Err(failure) => {
                let transport = super::transport(failure.kind);
                transport
                    .and_then(|t| self.placed_rules(call).find(|(_, _, rule)| rule.transport.contains(&t)))
            }
        };
        match (found, answer) {
            (Some((level, number, _)), _) => Reason::Rule(level, number),
            (None, Ok(response))
                if self.errors_inside(call, &self.answer(response)).is_some()
                    && (200..300).contains(&response.status) =>
            {
                Reason::Errors
            }
            (None, Ok(response)) if (200..300).contains(&response.status) => Reason::Success,
            (None, Ok(_)) => Reason::Status,
            (None, Err(_)) => Reason::Failure,
        }
    }
}
