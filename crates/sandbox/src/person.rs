//! What people do in the vendor's own screens: edits that need no credentials and count as theirs.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::shelf::Values;

/// One edit by a person. Object types are the vendor's (`companies`, `customer`, a Mailchimp audience id).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "lowercase", deny_unknown_fields)]
pub enum Edit {
    /// A new object.
    Create {
        /// Object type.
        object_type: String,
        /// Field values.
        values: Values,
    },
    /// New values for some fields; null clears.
    Update {
        /// Object type.
        object_type: String,
        /// The vendor's id.
        id: String,
        /// Changed fields.
        values: Values,
    },
    /// Away with it.
    Delete {
        /// Object type.
        object_type: String,
        /// The vendor's id.
        id: String,
    },
    /// Two objects become one (CRM only).
    Merge {
        /// Object type.
        object_type: String,
        /// Id that stays.
        keep: String,
        /// Id that goes and from then on stands for `keep`.
        gone: String,
    },
}

/// Why an edit was not made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EditError {
    /// No such live object.
    #[error("no live {object_type} with id {id:?} in this sandbox: read /_admin/books for the ids it holds")]
    Missing {
        /// Object type.
        object_type: String,
        /// Id asked for.
        id: String,
    },
    /// The vendor's own screens would refuse it.
    #[error("the edit of {object_type} is refused: {reason}")]
    Refused {
        /// Object type.
        object_type: String,
        /// The vendor's message.
        reason: String,
    },
    /// This system has no such edit.
    #[error("this sandbox has no {edit} edit: use create, update or delete where it holds objects")]
    Unsupported {
        /// Name of the edit.
        edit: &'static str,
    },
}

impl EditError {
    pub(crate) fn refused(object_type: &str, reason: impl Into<String>) -> Self {
        Self::Refused { object_type: object_type.to_owned(), reason: reason.into() }
    }

    pub(crate) fn missing(object_type: &str, id: &str) -> Self {
        Self::Missing { object_type: object_type.to_owned(), id: id.to_owned() }
    }
}
