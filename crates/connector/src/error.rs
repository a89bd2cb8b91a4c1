//! Errors a person meets: in manifests, parameters and rendering.

use std::fmt;

/// What is wrong in a manifest, where, and what would be right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ManifestError {
    /// The manifest's file or name.
    pub file: String,
    /// Line, from 1; 0 when it is about the whole.
    pub line: u64,
    /// Column, from 1; 0 when it is about the whole.
    pub column: u64,
    /// What is wrong.
    pub what: String,
    /// What would be right, when that is known.
    pub hint: Option<String>,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}: {}", self.file, self.what)?;
        } else {
            write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.what)?;
        }
        self.hint.iter().try_for_each(|hint| write!(f, "; {hint}"))
    }
}

impl std::error::Error for ManifestError {}

/// Why a call cannot be turned into a request. Names places, never values.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RenderError {
    /// The manifest has no such object.
    #[error("connector `{connector}` has no object `{object}`; use one of: {known}")]
    Object {
        /// The connector.
        connector: String,
        /// The object asked for.
        object: String,
        /// Those it has.
        known: String,
    },
    /// The object has no such operation.
    #[error("object `{object}` of connector `{connector}` has no operation `{operation}`; it has: {known}")]
    Operation {
        /// The connector.
        connector: String,
        /// The object.
        object: String,
        /// What was asked for.
        operation: String,
        /// What there is.
        known: String,
    },
    /// A value that the request is built from is absent or null.
    #[error(
        "`{slot}` has no value, and {place} of operation `{operation}` is built from it; map a field to it or make it required"
    )]
    Missing {
        /// The operation.
        operation: String,
        /// The slot, as written in the manifest.
        slot: String,
        /// The part of the request.
        place: String,
    },
    /// A value cannot stand where the manifest puts it.
    #[error("`{slot}` cannot stand in {place} of operation `{operation}`: {why}")]
    Unfit {
        /// The operation.
        operation: String,
        /// The slot, as written in the manifest.
        slot: String,
        /// The part of the request.
        place: String,
        /// Why, without the value.
        why: String,
    },
    /// The connector's code refuses the request.
    #[error("the code `{code}` refuses the request of operation `{operation}`: {why}")]
    Code {
        /// The operation.
        operation: String,
        /// The code.
        code: &'static str,
        /// Why, without values.
        why: String,
    },
    /// Two target paths cannot both be written.
    #[error(
        "target paths `{one}` and `{other}` contradict each other: one lies inside the other; change the mapping"
    )]
    Paths {
        /// The one.
        one: String,
        /// The other.
        other: String,
    },
}
