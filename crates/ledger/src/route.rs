//! Routes: which records or events go to which system, on which lane, behind which filter and mapping.

use canonical::{Condition, Entity, Object, RouteId, System};
use serde::{Deserialize, Serialize};

use crate::obligation::Lane;

/// Level- or edge-triggered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteKind {
    /// The system must reach at least version v of the record.
    Sync,
    /// Each event once.
    Notify,
}

/// What happens to an object whose record leaves the filter. There is no default: it must be said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnExit {
    /// It stays as it is.
    Keep,
    /// It is archived there.
    Archive,
    /// It is deleted there.
    Delete,
    /// Its consent is withdrawn there.
    Unsubscribe,
}

impl OnExit {
    /// The manifest's write operation that carries it out, if any.
    #[must_use]
    pub const fn operation(self) -> Option<&'static str> {
        match self {
            Self::Keep => None,
            Self::Archive => Some("archive"),
            Self::Delete => Some("delete"),
            Self::Unsubscribe => Some("unsubscribe"),
        }
    }
}

/// One route, checked.
#[derive(Clone, PartialEq, Debug)]
pub struct Route {
    /// Its immutable name.
    pub id: RouteId,
    /// Its kind.
    pub kind: RouteKind,
    /// The records it is about.
    pub entity: Entity,
    /// For `notify`: the kinds of event. For `sync`: empty.
    pub events: Vec<String>,
    /// The target.
    pub system: System,
    /// The kind of object there.
    pub object: Object,
    /// The mapping's id.
    pub mapping: String,
    /// For `notify`: the manifest's write operation. For `sync` the connector chooses by what is known.
    pub operation: Option<String>,
    /// Its lane.
    pub lane: Lane,
    /// All must hold for a record to go; judged at admission on the newest version.
    pub filter: Vec<Condition>,
    /// What happens when they no longer hold.
    pub on_exit: OnExit,
    /// What happens to an object whose record is deleted.
    pub on_delete: OnExit,
}

impl Route {
    /// What happens to the object of a record that is no longer to be there: the record stands, or is deleted.
    #[must_use]
    pub const fn exit(&self, stands: bool) -> OnExit {
        if stands { self.on_exit } else { self.on_delete }
    }

    /// The ways in which an object may have to leave.
    pub fn exits(&self) -> impl Iterator<Item = OnExit> {
        [self.on_exit, self.on_delete].into_iter().filter(|exit| *exit != OnExit::Keep)
    }
}
