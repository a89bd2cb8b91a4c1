//! Observations: what a source said about one of its objects, in its own words.

use canonical::{Fields, Object, OrderToken, Wall};
use serde::{Deserialize, Serialize};

/// What was said.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// Its values.
    State {
        /// The object as the vendor shows it.
        fields: Fields,
    },
    /// Something changed: fetch it. Also what an object without order token, or with a tie, becomes.
    Hint,
    /// It is gone, with proof: a 404/410 by id, or an entry of a deletion feed.
    Deleted,
    /// It was merged into another object there.
    Merged {
        /// The surviving id.
        into: String,
    },
}

/// One thing a source said.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Observation {
    /// The kind of object.
    pub object: Object,
    /// Its id there.
    pub external_id: String,
    /// What was said.
    pub seen: Seen,
    /// The source's own order of this object's states.
    pub order: Option<OrderToken>,
    /// The object's opaque version, such as an `ETag`: it orders nothing, and is shown again with a change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The source's id of the message: with the source it is the key of deduplication.
    pub event_id: Option<String>,
    /// When it happened, as the source says.
    pub occurred_at: Option<Wall>,
    /// When the object last changed, by its system's clock, where that is what orders its states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Wall>,
    /// A W3C trace id, when the source sent one.
    pub trace: Option<String>,
}

/// A page of a listing.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Page {
    /// What it holds.
    pub observations: Vec<Observation>,
    /// Where to go on.
    pub cursor: crate::Cursor,
    /// Whether another page follows at once.
    pub more: bool,
    /// When what changed first of it changed, by the vendor's clock, where its marks are times.
    pub oldest: Option<canonical::Wall>,
    /// Items that could not be read: position in the page, and why. They are quarantined, never skipped in silence.
    pub garbled: Vec<(usize, String, Vec<u8>)>,
}

/// Why a message or answer cannot be read. Names the place, never the values.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what} at {place}")]
pub struct Garbled {
    /// What is wrong.
    pub what: String,
    /// Where in the message: a JSON pointer or a part's name.
    pub place: String,
}
