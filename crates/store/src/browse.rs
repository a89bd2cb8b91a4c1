//! Lists for operators: filtered, newest first, paged by position. A second trait, so that the console's filters
//! don't fatten the hot port.

use std::collections::BTreeMap;

use canonical::{
    Entity, EventId, Fact, JobId, MessageId, Object, Record, RecordId, RouteId, System, Tenant, Wall,
};
use intake::{Decision, DecisionKind, Link, Message, MessageState};
use ledger::{Group, Intent, Job, Obligation, ObligationKey, Shadow, State, Tally};
use serde::{Deserialize, Serialize};

use crate::op::{Applied, Attempt};
use crate::retention::{Horizons, Kept, Retained};
use crate::standing::Change;
use crate::system::SystemState;
use crate::version::{Version, VersionKey};
use crate::{Reply, StoreError};

/// At most so many rows on one page.
pub const LIST_ROWS_MAX: usize = 1000;
/// At most so many of the newest rows of each kind on one sheet.
pub const SHEET_ROWS_MAX: usize = 200;
/// Open obligations are counted up to here.
pub const OPEN_COUNT_MAX: u64 = 1_000_000;
/// Records of a type, and open obligations of a system, are counted up to here when a plan asks.
pub const FOOTPRINT_MAX: u64 = 200_000;

/// A filter over obligations. `None` means any.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct DeliveryFilter {
    /// Target.
    pub system: Option<System>,
    /// States.
    pub states: Vec<State>,
    /// Record.
    pub record: Option<RecordId>,
    /// Route.
    pub route: Option<String>,
    /// Failure group.
    pub fingerprint: Option<String>,
    /// Positions below this one (newest first); `None` from the newest.
    pub before: Option<i64>,
    /// At most so many; the store caps it at 1000.
    pub limit: usize,
}

/// A filter over events.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct EventFilter {
    /// Kind.
    pub kind: Option<String>,
    /// Type of record.
    pub entity: Option<Entity>,
    /// Record.
    pub record: Option<RecordId>,
    /// Source.
    pub source: Option<System>,
    /// Positions below this one.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: usize,
}

/// A filter over messages.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct MessageFilter {
    /// Source.
    pub source: Option<System>,
    /// States.
    pub states: Vec<MessageState>,
    /// Positions below this one.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: usize,
}

/// A filter over decisions.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct DecisionFilter {
    /// Kinds; empty means any.
    pub kinds: Vec<DecisionKind>,
    /// The system whose message it was.
    pub system: Option<System>,
    /// Positions below this one.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: usize,
}

/// A filter over groups of failures.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct GroupFilter {
    /// The target of deliveries, the source of messages.
    pub system: Option<System>,
    /// Its name.
    pub fingerprint: Option<String>,
    /// Only those in which something is left (`true`), or nothing (`false`).
    pub open: Option<bool>,
    /// Positions below this one.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: usize,
}

/// A filter over plans and jobs.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct JobFilter {
    /// Only this one.
    pub id: Option<JobId>,
    /// Positions below this one.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: usize,
}

/// Records of an export.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RecordFilter {
    /// Of this type.
    pub entity: Option<Entity>,
    /// Last changed at or after this.
    pub from: Option<Wall>,
    /// Last changed before this.
    pub until: Option<Wall>,
    /// After this one.
    pub after: Option<RecordId>,
    /// So many are looked at, at most; the store caps it at 1000.
    pub limit: usize,
}

impl RecordFilter {
    /// Whether a record fits.
    #[must_use]
    pub fn holds(&self, entity: &Entity, changed: Wall) -> bool {
        self.entity.as_ref().is_none_or(|wanted| wanted == entity)
            && self.from.is_none_or(|from| changed >= from)
            && self.until.is_none_or(|until| changed < until)
    }
}

/// Everything known of one record.
#[derive(Clone, PartialEq, Debug)]
pub struct RecordSheet {
    /// The record.
    pub record: Record,
    /// Its links.
    pub links: Vec<Link>,
    /// Its shadows.
    pub shadows: Vec<Shadow>,
    /// Its events, newest first, at most 200.
    pub facts: Vec<Fact>,
    /// Its obligations.
    pub obligations: Vec<Obligation>,
    /// Its intents, newest first, at most 200.
    pub intents: Vec<Intent>,
    /// Attempts that did not simply succeed, newest first, at most 200.
    pub attempts: Vec<Attempt>,
    /// Decisions, newest first, at most 200.
    pub decisions: Vec<Decision>,
}

/// Counts per system, kept incrementally or read from small indexes: never a scan of the backlog.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SystemCounts {
    /// Open obligations, capped at 1,000,000 (then it means "at least").
    pub open: u64,
    /// Dead ones.
    pub dead: u64,
    /// Uncertain ones.
    pub uncertain: u64,
    /// Parked ones.
    pub parked: u64,
    /// When the oldest open level was raised.
    pub oldest: Option<Wall>,
}

/// How much hangs on parts of a configuration. Each count stops at [`FOOTPRINT_MAX`]: then it means "at least".
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Footprint {
    /// Records by type; those without any are left out.
    pub records: BTreeMap<Entity, u64>,
    /// Open obligations by route; those without any are left out.
    pub open: BTreeMap<RouteId, u64>,
}

/// What a store has done since it was opened.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Commits.
    pub commits: u64,
    /// Units in them.
    pub units: u64,
    /// Units that conflicted.
    pub conflicts: u64,
    /// Questions answered, operators' included.
    pub finds: u64,
    /// Its work on the disk; `None` where only a part of the store is shown, since it is done for all together.
    pub disk: Option<Disk>,
    /// Why not everything is taken; `None` while there is room.
    pub full: Option<String>,
}

/// What a store has done on its disk since it was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Disk {
    /// Transactions, each for a group of commits.
    pub groups: u64,
    /// Syncs: for the embedded store one per transaction that wrote, two per checkpoint that moved pages.
    pub syncs: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Pages in the log at the last checkpoint.
    pub log_pages: u64,
}

/// A question of an operator.
#[derive(Clone, PartialEq, Debug)]
pub enum Look {
    /// Obligations; answered with [`Page::Deliveries`].
    Deliveries(DeliveryFilter),
    /// One obligation with its intents and attempts; answered with [`Page::Delivery`].
    Delivery(ObligationKey),
    /// Events; answered with [`Page::Events`].
    Events(EventFilter),
    /// One event; answered with [`Page::Events`].
    Event(EventId),
    /// Decisions about all records; answered with [`Page::Decisions`].
    Decisions(DecisionFilter),
    /// Messages; answered with [`Page::Messages`].
    Messages(MessageFilter),
    /// One message; answered with [`Page::Messages`].
    Message(MessageId),
    /// One record: by id, or by an external id; answered with [`Page::Record`].
    Record(RecordId),
    /// The record an object is linked to; answered with [`Page::Record`].
    RecordByLink {
        /// The system.
        system: System,
        /// The kind of object; without, the first of its name that has the id.
        object: Option<Object>,
        /// The object's id there.
        external_id: String,
    },
    /// Changes of systems, newest first; answered with [`Page::Changes`].
    Changes {
        /// Of this system only.
        system: Option<System>,
        /// Positions below this one.
        before: Option<i64>,
        /// At most so many; the store caps it at 1000.
        limit: usize,
    },
    /// Changes of systems as they came, oldest first; answered with [`Page::Changes`].
    ChangesAfter {
        /// Of this system only.
        system: Option<System>,
        /// Positions above this one; `None`: from the oldest that is kept.
        after: Option<i64>,
        /// At most so many; the store caps it at 1000.
        limit: usize,
    },
    /// Systems with their counts; answered with [`Page::Systems`].
    Systems,
    /// Groups of failures; answered with [`Page::Groups`].
    Groups(GroupFilter),
    /// Plans and jobs; answered with [`Page::Jobs`].
    Jobs(JobFilter),
    /// Configurations that were applied, newest first; answered with [`Page::Applied`].
    Applied {
        /// Positions below this one.
        before: Option<i64>,
        /// At most so many.
        limit: usize,
    },
    /// Versions that count or once did, in the order of their keys, at most [`crate::VERSIONS_PAGE_MAX`]; answered with
    /// [`Page::Versions`].
    Versions {
        /// Those after this one; `None`: from the first.
        after: Option<VersionKey>,
    },
    /// What hangs on parts of a configuration; answered with [`Page::Footprint`].
    Footprint {
        /// Count the records of these types.
        entities: Vec<Entity>,
        /// Count the open obligations of these systems, by route.
        systems: Vec<System>,
    },
    /// Records in the order of their ids, for an export; answered with [`Page::Records`].
    Records(RecordFilter),
    /// What is stored of each kind, what is past its time, and how far retention has come; answered with
    /// [`Page::Retention`].
    Retention(Horizons),
}

/// An answer. Positions are those to pass as `before` for the next page.
#[derive(Clone, PartialEq, Debug)]
#[expect(clippy::large_enum_variant, reason = "one answer at a time, moved once")]
pub enum Page {
    /// Obligations with their positions.
    Deliveries(Vec<(i64, Obligation)>),
    /// One obligation with its intents and attempts, newest first.
    Delivery(Option<(Obligation, Vec<Intent>, Vec<Attempt>)>),
    /// Events with their positions.
    Events(Vec<(i64, Fact)>),
    /// Decisions with their positions.
    Decisions(Vec<(i64, Decision)>),
    /// Messages with their positions.
    Messages(Vec<(i64, Message)>),
    /// A record.
    Record(Option<Box<RecordSheet>>),
    /// Changes with their positions.
    Changes(Vec<(i64, Change)>),
    /// Systems.
    Systems(Vec<(SystemState, SystemCounts)>),
    /// Groups with their positions, the one that came up last first.
    Groups(Vec<(i64, Group)>),
    /// Jobs with their positions, and what became of what they set going.
    Jobs(Vec<(i64, Job, Tally)>),
    /// Configurations with their positions.
    Applied(Vec<(i64, Applied)>),
    /// Versions.
    Versions(Vec<Version>),
    /// Counts.
    Footprint(Footprint),
    /// Records with their links, and after which to go on; `None` at the end. An empty page may have a next one.
    Records(Vec<(Record, Vec<Link>)>, Option<RecordId>),
    /// What is kept, and how far retention has come.
    Retention(Vec<Kept>, Retained),
}

impl Look {
    /// The position from which it looks.
    pub(crate) const fn position(&mut self) -> Option<&mut i64> {
        match self {
            Self::Deliveries(filter) => filter.before.as_mut(),
            Self::Events(filter) => filter.before.as_mut(),
            Self::Decisions(filter) => filter.before.as_mut(),
            Self::Messages(filter) => filter.before.as_mut(),
            Self::Groups(filter) => filter.before.as_mut(),
            Self::Jobs(filter) => filter.before.as_mut(),
            Self::Changes { before, .. } | Self::Applied { before, .. } => before.as_mut(),
            Self::ChangesAfter { after, .. } => after.as_mut(),
            Self::Delivery(_)
            | Self::Event(_)
            | Self::Message(_)
            | Self::Record(_)
            | Self::RecordByLink { .. }
            | Self::Systems
            | Self::Versions { .. }
            | Self::Footprint { .. }
            | Self::Records(_)
            | Self::Retention(_) => None,
        }
    }
}

impl Page {
    /// The positions of its rows.
    pub(crate) fn positions(&mut self) -> Vec<&mut i64> {
        fn all<T>(rows: &mut [(i64, T)]) -> Vec<&mut i64> {
            rows.iter_mut().map(|(position, _)| position).collect()
        }
        match self {
            Self::Deliveries(rows) => all(rows),
            Self::Events(rows) => all(rows),
            Self::Decisions(rows) => all(rows),
            Self::Messages(rows) => all(rows),
            Self::Changes(rows) => all(rows),
            Self::Groups(rows) => all(rows),
            Self::Applied(rows) => all(rows),
            Self::Jobs(rows) => rows.iter_mut().map(|(position, ..)| position).collect(),
            Self::Delivery(_)
            | Self::Record(_)
            | Self::Systems(_)
            | Self::Versions(_)
            | Self::Footprint(_)
            | Self::Records(..)
            | Self::Retention(..) => Vec::new(),
        }
    }
}

impl Page {
    /// The same without counts that a backend takes from positions: whether they are there would tell whether other
    /// tenants are.
    pub(crate) fn uncounted(&mut self) {
        if let Self::Retention(kept, _) = self {
            for kept in kept.iter_mut().filter(|kept| matches!(kept.kind, "messages" | "events" | "attempts"))
            {
                *kept = Kept { kind: kept.kind, ..Kept::default() };
            }
        }
    }
}

/// Lists for operators.
pub trait Browse: Send + Sync {
    /// Answers an operator's question within one tenant.
    fn look(&self, tenant: Tenant, look: Look, reply: Reply<Page>);

    /// What it has done so far.
    fn stats(&self) -> Stats;

    /// Writes a consistent, verified copy of the store to `path` while it runs; backends without files refuse.
    ///
    /// # Errors
    /// When the backend cannot, or the disk does not take it.
    fn copy_to(&self, path: &std::path::Path) -> Result<(), StoreError>;
}
