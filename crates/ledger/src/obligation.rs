//! Obligations: the level a system must reach. One row per route and record however many updates; one per
//! route and event for `notify`.
//!
//! Two hands write a row and never the same columns: intake raises `wanted`, `lane` and `raised_at`; the spoke
//! moves `reached`, `state`, `attempts`, `due`, `waiting` and `reason`. The store merges both without conflict.

use std::fmt;

use canonical::{Entity, EventId, JobId, Object, RecordId, RouteId, System, Tenant, Wall};
use serde::{Deserialize, Serialize};

/// Priority class per system; the smaller is served first, none starves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Lane {
    /// Billing, fulfilment, consent.
    Critical = 0,
    /// The rest.
    #[default]
    Standard = 1,
    /// Campaign backfill, repair.
    Bulk = 2,
}

impl Lane {
    /// All lanes, most urgent first.
    pub const ALL: [Self; 3] = [Self::Critical, Self::Standard, Self::Bulk];

    /// As stored.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// From its stored number; unknown numbers are `standard`.
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Critical,
            2 => Self::Bulk,
            _ => Self::Standard,
        }
    }

    /// Its name, as in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Standard => "standard",
            Self::Bulk => "bulk",
        }
    }
}

/// What an obligation is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Level-triggered: this record's newest state (`sync` routes).
    Record(RecordId),
    /// Edge-triggered: this event, once (`notify` routes).
    Event(EventId),
}

/// An obligation's identity.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ObligationKey {
    /// Whose.
    pub tenant: Tenant,
    /// By which route.
    pub route: RouteId,
    /// About what.
    pub subject: Subject,
}

/// How far: a version of the record, and a generation that counts re-deliveries of the same version (a changed
/// mapping, a repair, a revert, a resync).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Level {
    /// The record's version. For `notify`: the version the event was made at.
    pub version: i64,
    /// Counts up with each demand to say the same again.
    pub generation: i64,
}

impl Level {
    /// Whether reaching `self` satisfies `wanted`.
    #[must_use]
    pub const fn covers(self, wanted: Self) -> bool {
        self.version >= wanted.version && self.generation >= wanted.generation
    }

    /// The least level that covers both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self { version: self.version.max(other.version), generation: self.generation.max(other.generation) }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.version)?;
        if self.generation > 0 { write!(f, "+{}", self.generation) } else { Ok(()) }
    }
}

/// Where an obligation stands. `in_flight` is not stored: it is an open intent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for its turn.
    Pending,
    /// Failed for now; tries again when due.
    Retrying,
    /// May have reached the target, and what can be read there does not tell: needs a person.
    Uncertain,
    /// Waits for a link, a window or an operator.
    Parked,
    /// Needs a person.
    Dead,
    /// The target has reached the wanted level.
    Delivered,
    /// A newer level took its place before it was delivered.
    Superseded,
    /// Nothing to say to the target, or a filter keeps it out.
    Skipped,
    /// A named person gave it up, with a reason.
    Discarded,
    /// Erased with its subject.
    Erased,
}

impl State {
    /// Whether the hub still has work to do by itself.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Retrying | Self::Parked)
    }

    /// Its name, as stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Retrying => "retrying",
            Self::Uncertain => "uncertain",
            Self::Parked => "parked",
            Self::Dead => "dead",
            Self::Delivered => "delivered",
            Self::Superseded => "superseded",
            Self::Skipped => "skipped",
            Self::Discarded => "discarded",
            Self::Erased => "erased",
        }
    }

    /// From its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Pending,
            Self::Retrying,
            Self::Uncertain,
            Self::Parked,
            Self::Dead,
            Self::Delivered,
            Self::Superseded,
            Self::Skipped,
            Self::Discarded,
            Self::Erased,
        ]
        .into_iter()
        .find(|state| state.name() == name)
    }
}

/// What a parked obligation waits for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Waiting {
    /// The link of this record in the same system, as this kind of object.
    Link {
        /// The record that must be linked first.
        record: RecordId,
        /// The kind of object it will be there.
        object: Object,
        /// When waiting becomes a dead letter. Moves on while the parent's own delivery lives.
        until: Wall,
    },
    /// An operator.
    Operator,
}

/// The class of the reason with which a person passed a delivery over.
pub const PASSED_OVER: &str = "passed_over";

/// Why a delivery is retrying, parked, dead, skipped or discarded. Carries no field values.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Reason {
    /// The outcome class, such as `validation`.
    pub class: String,
    /// The vendor's code, when it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The field it is about, in the target's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// For people: what happened and what to do.
    pub message: String,
    /// Groups alike failures; empty when not a failure.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fingerprint: String,
    /// Records among which a person has to choose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<RecordId>,
}

/// One row of what must happen.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Obligation {
    /// Its identity.
    pub key: ObligationKey,
    /// Order of claims; given by the store when first raised, 0 before.
    pub seq: i64,
    /// The target.
    pub system: System,
    /// The kind of object there.
    pub object: Object,
    /// The record's type.
    pub entity: Entity,
    /// The record (for `notify`: the one the event is about). Deliveries of one record and object keep order.
    pub record: RecordId,
    /// The highest lane of the levels it covers.
    pub lane: Lane,
    /// What the target must reach.
    pub wanted: Level,
    /// What it has reached.
    pub reached: Level,
    /// Where it stands.
    pub state: State,
    /// Attempts spent since it was last at rest.
    pub attempts: u32,
    /// Not before this.
    pub due: Wall,
    /// When the oldest level not yet reached was raised: lag counts from here.
    pub raised_at: Wall,
    /// Levels folded into it since it was last at rest; more than 1 means updates were coalesced.
    pub folded: u32,
    /// What it waits for, when parked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// Why it stands where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The trace of the newest change it covers.
    pub trace: String,
    /// What is true of few deliveries only.
    #[serde(default, skip_serializing_if = "Aside::is_blank")]
    pub aside: Aside,
}

/// What is true of few deliveries only: kept apart, so that the many pay nothing for it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Aside {
    /// The group of the failure it has not come out of yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// Below this generation nothing counts as said: all of the newest state goes, whatever the shadow holds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub resay: i64,
    /// Below this generation a `notify` that was delivered goes as a new intent: a second effect was asked for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub anew: i64,
    /// The job that set it going last, until it rests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
}

impl Aside {
    /// Whether nothing of it is true.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form serde asks for")]
const fn is_zero(number: &i64) -> bool {
    *number == 0
}
