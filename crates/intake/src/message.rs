//! Inbound messages as stored: raw, with what became of them.

use canonical::{ExternalRef, MessageId, System, Tenant, Wall};
use serde::{Deserialize, Serialize};

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// Merged, or found to change nothing.
    Accepted,
    /// Needs a person; replayable.
    Quarantined,
    /// Waits for the link of an object it refers to.
    Parked,
    /// Its link has come: to be taken in again.
    Ready,
    /// A named person gave it up, with a reason.
    Discarded,
}

impl MessageState {
    /// Its name, as stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Quarantined => "quarantined",
            Self::Parked => "parked",
            Self::Ready => "ready",
            Self::Discarded => "discarded",
        }
    }

    /// From its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Accepted, Self::Quarantined, Self::Parked, Self::Ready, Self::Discarded]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// One inbound message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Whose.
    pub tenant: Tenant,
    /// The system it came from.
    pub source: System,
    /// The source's own id of it, when it has one.
    pub event_id: Option<String>,
    /// The object it is about, when that could be read.
    pub about: Option<ExternalRef>,
    /// What became of it.
    pub state: MessageState,
    /// The bytes: a serialised `connector::Observation` once it was read, else as they came. Sealed at rest under
    /// a key per tenant and day.
    pub raw: Vec<u8>,
    /// Whether `raw` is what the hub wrote of it once it was read: a serialised observation, or a state of an export.
    pub read: bool,
    /// Whether all of it was taken in but its late references, which it waits for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lacking: bool,
    /// Why it stands where it stands; no values.
    pub reason: Option<ledger::Reason>,
    /// The object whose link it waits for; of a duplicate, the object that is to be gone first.
    pub waiting: Option<ExternalRef>,
    /// When waiting becomes quarantine.
    pub deadline: Option<Wall>,
    /// When it was received.
    pub received_at: Wall,
    /// When its state of the object was read at the source (fetch or poll start; receipt for pushed ones).
    pub as_of: Wall,
    /// Follows the change across systems.
    pub trace: String,
}

impl Message {
    /// Whether it was told apart from the object that its record had there, and waits for that one to be gone. What waits for a
    /// link does so until a deadline.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        let beside = |about: &ExternalRef, first: &ExternalRef| {
            about.system == first.system && about.object == first.object && about.id != first.id
        };
        self.deadline.is_none()
            && self
                .about
                .as_ref()
                .zip(self.waiting.as_ref())
                .is_some_and(|(about, first)| beside(about, first))
    }
}
