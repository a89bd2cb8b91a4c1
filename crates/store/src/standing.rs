//! What operators have ordered of a system that stands until it is taken back, and the journal of what changed there.

use canonical::{Entity, RecordId, RouteId, System, Tenant, Wall};
use serde::{Deserialize, Serialize};

use crate::query::Head;

/// A system has at most so many holds.
pub const HOLDS_MAX: usize = 1_000;
/// So many of a system's newest changes are kept.
pub const CHANGES_KEPT: i64 = 5_000;

/// Orders that stand. Kept with the system's state.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StandingOrders {
    /// What is held back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// A hold was released, and not yet all that it held is back in line.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub releasing: bool,
    /// Breakers that an operator forced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forced: Vec<ForcedBreaker>,
}

/// Deliveries that are held back until an operator releases them. What may have reached the target is finished first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hold {
    /// Which.
    pub scope: HeldPart,
    /// Who, and why.
    pub why: String,
    /// Since when.
    pub since: Wall,
}

/// Part of what is for a system.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldPart {
    /// Everything about records of this type.
    Entity(Entity),
    /// Everything by this route.
    Route(RouteId),
    /// Everything about this record.
    Record(RecordId),
}

impl HeldPart {
    /// Whether a delivery belongs to it.
    #[must_use]
    pub fn covers(&self, head: &Head) -> bool {
        match self {
            Self::Entity(entity) => head.entity == *entity,
            Self::Route(route) => head.key.route == *route,
            Self::Record(record) => head.record == *record,
        }
    }
}

impl std::fmt::Display for HeldPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Entity(entity) => write!(f, "entity {entity}"),
            Self::Route(route) => write!(f, "route {route}"),
            Self::Record(record) => write!(f, "record {record}"),
        }
    }
}

/// What an operator says of a breaker.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ForcedBreaker {
    /// The operation; `None`: all of which nothing else is said.
    pub operation: Option<String>,
    /// Open, or else closed.
    pub open: bool,
    /// Who, and why.
    pub why: String,
    /// Since when.
    pub since: Wall,
}

/// Something that changed about a system: by itself, or because somebody ordered it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Change {
    /// Whose.
    pub tenant: Tenant,
    /// Which.
    pub system: System,
    /// When.
    pub at: Wall,
    /// What: `paused`, `resumed`, `held`, `released`, `breaker_opened`, `breaker_half_open`, `breaker_closed`,
    /// `breaker_forced_open`, `breaker_forced_closed`, `breaker_let_go`, `silent`, `heard_again`.
    pub what: String,
    /// The part it is about: an operation, or the scope of a hold; empty for all of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// Who ordered it and why, or what led to it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}
