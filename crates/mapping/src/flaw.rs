//! Why a value could not be brought over. Names kinds, paths and rules, never the value itself (I15).

use std::borrow::Cow;
use std::fmt;

use canonical::Field;
use canonical::value::kind_of;
use serde_json::Value;

/// The rule that a value broke. A closed list: part of a quarantined message's fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// It is of another kind than the row expects.
    Kind,
    /// It is of the right kind, but does not have the form.
    Form,
    /// It cannot be carried over without losing something.
    Inexact,
    /// It is too large or too small.
    Range,
    /// It is not one of the field's choices.
    Choice,
    /// The text is too long.
    TooLong,
    /// It is not an email address.
    Email,
    /// The lookup table does not have it.
    Unmapped,
    /// It is not there, and the row says `fail`.
    Missing,
    /// It is null, and the row says `fail`.
    Null,
    /// Something on the way to it is neither an object nor a list.
    Blocked,
    /// A local time that the zone skips, or has twice.
    Ambiguous,
    /// A part holds the separator.
    Separator,
    /// An expression would do more than one evaluation may.
    Budget,
}

impl Why {
    /// Its stable name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Form => "form",
            Self::Inexact => "inexact",
            Self::Range => "range",
            Self::Choice => "choice",
            Self::TooLong => "too_long",
            Self::Email => "email",
            Self::Unmapped => "unmapped",
            Self::Missing => "missing",
            Self::Null => "null",
            Self::Blocked => "blocked",
            Self::Ambiguous => "ambiguous",
            Self::Separator => "separator",
            Self::Budget => "budget",
        }
    }

    /// What to do about it.
    fn remedy(self) -> &'static str {
        match self {
            Self::Kind => "correct the value, or give the row a transform that reads this kind",
            Self::Form => "correct the value, or the form that the row declares",
            Self::Inexact => "give the row more digits, or allow it to round",
            Self::Range => "correct the value: it is outside of what can be held",
            Self::Choice => "correct the value, add it to the field's choices, or map it with a lookup",
            Self::TooLong => "shorten the value, or allow longer ones in the schema",
            Self::Email => "correct the address",
            Self::Unmapped => "add it to the lookup table, or declare `on_unmapped`",
            Self::Missing => "send the value, or declare `on_missing`",
            Self::Null => "send a value, or declare `on_null`",
            Self::Blocked => "correct the row's path: it leads through something that holds no keys",
            Self::Ambiguous => "send an offset with the time, or declare `ambiguous`",
            Self::Separator => "choose a separator that no part holds",
            Self::Budget => "shorten the value, or let the expression do less",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A broken rule, before it is known where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) expected: Cow<'static, str>,
    pub(crate) found: &'static str,
    pub(crate) why: Why,
}

impl Flaw {
    pub(crate) fn new(expected: impl Into<Cow<'static, str>>, found: &'static str, why: Why) -> Self {
        Self { expected: expected.into(), found, why }
    }

    /// For a value that is of another kind; of the right kind when it is a text, but of another form.
    pub(crate) fn of(expected: impl Into<Cow<'static, str>>, value: &Value) -> Self {
        let why = if value.is_string() { Why::Form } else { Why::Kind };
        Self::new(expected, kind_of(value), why)
    }

    pub(crate) fn reading(self, path: &str, field: &Field) -> Misfit {
        Misfit {
            path: path.to_owned(),
            field: field.clone(),
            expected: self.expected,
            found: self.found,
            why: self.why,
        }
    }

    pub(crate) fn writing(self, path: &str, field: &Field) -> ProjectError {
        ProjectError {
            path: path.to_owned(),
            field: field.clone(),
            expected: self.expected,
            found: self.found,
            why: self.why,
        }
    }
}

/// An observed object that does not fit. The message goes to quarantine, whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read `{path}` into `{field}`: expected {expected}, found {found} ({why}); {}", .why.remedy())]
pub struct Misfit {
    /// Where it stands in the system's object.
    pub path: String,
    /// The field it was meant for.
    pub field: Field,
    /// What the row or the field asks for.
    pub expected: Cow<'static, str>,
    /// The kind of thing that came, never its content.
    pub found: &'static str,
    /// The rule it broke.
    pub why: Why,
}

impl Misfit {
    /// Equal for equal causes, whatever the values: groups what a person has to look at.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!("normalise:{}:{}:{}", self.field, self.path, self.why)
    }
}

/// A record that cannot be written in a system's form. The delivery goes to the dead letters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot write `{field}` to `{path}`: expected {expected}, found {found} ({why}); {}", .why.remedy())]
pub struct ProjectError {
    /// Where it was meant for in the system's object.
    pub path: String,
    /// The field it comes from; the first one when the row joins several.
    pub field: Field,
    /// What the row asks for.
    pub expected: Cow<'static, str>,
    /// The kind of thing that the record holds, never its content.
    pub found: &'static str,
    /// The rule it broke.
    pub why: Why,
}

impl ProjectError {
    /// Equal for equal causes, whatever the values.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!("project:{}:{}:{}", self.field, self.path, self.why)
    }
}
