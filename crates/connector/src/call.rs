//! Calls: what the hub wants of a system, before a manifest turns it into a request.

use std::sync::Arc;

use canonical::{Fields, Object, Wall};
use ledger::Association;
use serde::{Deserialize, Serialize};

/// A write, as the hub decided it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Write {
    /// The kind of object.
    pub object: Object,
    /// The manifest's write operation, chosen by [`crate::Connector::choose`].
    pub operation: String,
    /// The immutable Concord id: the record's (sync) or the event's (notify). Upsert keys and markers are this.
    pub key: String,
    /// The vendor's id, once linked.
    pub external_id: Option<String>,
    /// Target path → value: the difference, or the whole projection where the operation is not partial.
    pub fields: Arc<Fields>,
    /// The whole projection: natural keys, searches and derived ids (such as a hash of the address) are built
    /// from it.
    pub whole: Arc<Fields>,
    /// What was last known there, for operations that need it (such as the old address of a member).
    pub known: Arc<Fields>,
    /// The version expected at the target, where the operation has a precondition.
    pub expected: Option<String>,
    /// The opaque version that was last shown there, for operations that are sent with it (`If-Match`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The association that it makes or takes back; `None`: it writes fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub association: Option<Box<Association>>,
    /// The intent's id: idempotency key and correlation id.
    pub intent: String,
}

/// Where a listing continues. Opaque to the hub; the manifest reads and writes it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// The low-water mark: everything changed at or after it is still to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The vendor's token of the next page, inside one listing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// The highest mark seen in the listing under way: becomes `since` at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// Not changes are listed but all that is there: the mark at which that began, and from which changes are read when it
    /// is over. Empty: it begins with the next call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
}

/// One call to a system.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Change something.
    Write(Write),
    /// Look whether that write arrived.
    Probe(Write),
    /// Changes since a cursor.
    List {
        /// The kind of object.
        object: Object,
        /// Where to go on.
        cursor: Cursor,
        /// When the listing is asked for: bounds look-backs.
        now: Wall,
    },
    /// One object by id.
    Fetch {
        /// The kind of object.
        object: Object,
        /// Its id there.
        external_id: String,
    },
    /// Several objects by their ids.
    FetchMany {
        /// The kind of object.
        object: Object,
        /// Their ids there, each once.
        ids: Vec<String>,
    },
    /// Which account is this?
    Identity,
    /// Which fields does such an object have?
    Describe {
        /// The kind of object.
        object: Object,
    },
    /// A request about a job: it is filled, it is asked how it stands, or what came of its records.
    Job {
        /// The kind of object.
        object: Object,
        /// The write operation whose batch began it.
        operation: String,
        /// The vendor's id of it.
        job: String,
        /// What is done or read.
        step: JobStep,
    },
}

/// What is done about a job, or read of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStep {
    /// Its records go into it.
    Upload,
    /// It is filled: from now on the vendor works on it.
    Close,
    /// It is given up.
    Abort,
    /// How it stands.
    Status,
    /// What came of each of its records, or of those that were taken.
    Results,
    /// Those that were refused.
    Errors,
    /// Those that it did not come to.
    Unprocessed,
}

impl JobStep {
    /// Its name, as in the names of operations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Close => "close",
            Self::Abort => "abort",
            Self::Status => "job",
            Self::Results => "results",
            Self::Errors => "errors",
            Self::Unprocessed => "unprocessed",
        }
    }
}
