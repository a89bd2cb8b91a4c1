//! Set questions: a handful, each answered for a whole batch at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use canonical::{Entity, Fact, Field, MessageId, Object, Record, RecordId, System, Tenant, Wall};
use intake::{Ask, Message, View, Whole};
use ledger::{Intent, Job, Lane, Obligation, ObligationKey, Page, Scope, Shadow, State};

use crate::epoch::Restored;
use crate::op::Fetch;
use crate::retention::{OldAsk, OldFound, Retained};
use crate::system::SystemState;

/// A question.
#[derive(Clone, PartialEq, Debug)]
pub enum Query {
    /// What intake must know to decide a batch.
    Intake {
        /// Whose.
        tenant: Tenant,
        /// The batch.
        asks: Vec<Ask>,
    },
    /// What a spoke must know to render a batch.
    Spoke {
        /// Whose.
        tenant: Tenant,
        /// The target.
        system: System,
        /// The batch.
        asks: Vec<SpokeAsk>,
    },
    /// Open obligations of a system and lane that are due, in the order (due, seq), after a cursor. A `notify`
    /// obligation is left out while an earlier one of the same route and record is open; one that an operator
    /// parked is left out; one parked for a link is handed out when its `due` has passed.
    Claim {
        /// Whose.
        tenant: Tenant,
        /// The target.
        system: System,
        /// The lane.
        lane: Lane,
        /// Strictly after this.
        after: Option<(Wall, i64)>,
        /// Due at or before this.
        due_by: Wall,
        /// At most so many.
        limit: usize,
    },
    /// How much waits for each system, and since when. Costs the same however much it is.
    Backlog {
        /// Whose.
        tenant: Tenant,
    },
    /// Obligations of a system that an operator holds back, in the order of `seq`, after one.
    Held {
        /// Whose.
        tenant: Tenant,
        /// The target.
        system: System,
        /// Strictly after this.
        after: i64,
        /// At most so many.
        limit: usize,
    },
    /// Open and doubtful intents of a system, oldest first (by id).
    Intents {
        /// Whose.
        tenant: Tenant,
        /// The target.
        system: System,
    },
    /// Objects of a system to be fetched that are due.
    Fetches {
        /// Whose.
        tenant: Tenant,
        /// The system.
        system: System,
        /// Due at or before this.
        due_by: Wall,
        /// At most so many.
        limit: usize,
    },
    /// A system's state, its poll cursors (object → serialised cursor), and the newest restore of the store.
    System {
        /// Whose.
        tenant: Tenant,
        /// The system.
        system: System,
    },
    /// Jobs at work or held, and plans, in the order they were put.
    Jobs {
        /// Whose.
        tenant: Tenant,
    },
    /// What a job covers, page after page.
    Walk(Walk),
    /// Messages to be taken in again: those whose link came, in the order they were put, then parked ones past
    /// their deadline, the longest past first.
    Ready {
        /// Whose.
        tenant: Tenant,
        /// Now.
        now: Wall,
        /// At most so many.
        limit: usize,
    },
    /// Records by themselves, not by who stands for them, with everything that hangs on them.
    Whole {
        /// Whose.
        tenant: Tenant,
        /// Which.
        records: Vec<RecordId>,
    },
    /// How far retention has come.
    Retained {
        /// Whose.
        tenant: Tenant,
    },
    /// What may go, page after page.
    Old(OldAsk),
}

/// A step of a walk over what a job covers: deliveries by position, whatever their state, then quarantined messages.
#[derive(Clone, PartialEq, Debug)]
pub struct Walk {
    /// Whose.
    pub tenant: Tenant,
    /// What is covered.
    pub scope: Scope,
    /// Whether messages are covered: those of the group, of the target as a source, received in time.
    pub messages: bool,
    /// How far the walk has come.
    pub page: Page,
    /// Positions up to these, of deliveries and of messages.
    pub upto: (i64, i64),
    /// At most so many rows. Fewer do not mean that there are no more.
    pub limit: usize,
}

/// The answer to [`Query::Walk`].
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Walked {
    /// Deliveries, in the order of their positions (`seq`).
    pub deliveries: Vec<Obligation>,
    /// Messages with their positions.
    pub messages: Vec<WalkedMessage>,
    /// Where to go on; `None` at the end.
    pub next: Option<Page>,
}

/// A message on a walk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WalkedMessage {
    /// Its position.
    pub seq: i64,
    /// Its id.
    pub id: MessageId,
    /// Its source.
    pub source: System,
}

/// One obligation a spoke was admitted for.
#[derive(Clone, PartialEq, Debug)]
pub struct SpokeAsk {
    /// Which.
    pub key: ObligationKey,
    /// Its record.
    pub record: RecordId,
    /// The kind of object there.
    pub object: Object,
    /// Reference fields of the mapping, with the kind of object they become: their links are needed.
    pub references: Vec<(Field, Object)>,
}

/// What the store knows of it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SpokeRow {
    /// The obligation as it stands now; `None` when it is gone.
    pub obligation: Option<Obligation>,
    /// The record's newest version. For a merged record: the survivor.
    pub record: Option<Arc<Record>>,
    /// The event, for `notify`.
    pub fact: Option<Fact>,
    /// The shadow.
    pub shadow: Option<Shadow>,
    /// The record's link there; of one that was merged, that of the record that stands for it, else its own.
    pub link: Option<String>,
    /// Links of the records its reference fields name: (record, object) → external id. Of one that was merged, those of
    /// the record that stands for it, else its own.
    pub links: BTreeMap<(RecordId, Object), String>,
    /// Of those that have none, and of the record itself where the delivery is an event's and it has none: the delivery
    /// that brings it there, if there is one (see [`crate::rules::bringer`]).
    pub bringers: BTreeMap<(RecordId, Object), Obligation>,
    /// An open or doubtful intent of this record and object.
    pub intent: Option<Intent>,
    /// Where the record has no link there, and had one: an object of that kind that is about to be judged, since it waited for
    /// the former one to be gone.
    pub next: Option<String>,
}

/// The head of an obligation: what admission needs.
#[derive(Clone, PartialEq, Debug)]
pub struct Head {
    /// Which.
    pub key: ObligationKey,
    /// Order of claims.
    pub seq: i64,
    /// Target.
    pub system: System,
    /// Kind of object there.
    pub object: Object,
    /// Type of the record.
    pub entity: Entity,
    /// Record.
    pub record: RecordId,
    /// Lane.
    pub lane: Lane,
    /// Not before.
    pub due: Wall,
    /// Where it stands.
    pub state: State,
    /// Attempts spent.
    pub attempts: u32,
    /// When the oldest level not yet reached was raised.
    pub raised_at: Wall,
}

/// The answer to [`Query::Claim`].
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Claimed {
    /// The heads.
    pub heads: Vec<Head>,
    /// When fewer than the limit were found: the earliest due time after `due_by` of what can be claimed in that
    /// lane, which is when to look again.
    pub next_due: Option<Wall>,
}

/// What waits for a system: part of the answer to [`Query::Backlog`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backlog {
    /// The target.
    pub system: System,
    /// Open obligations, held and parked ones included.
    pub open: u64,
    /// Per lane: the `due` of the first that can be claimed, or could be if it were due.
    pub due: [Option<Wall>; 3],
}

/// An answer.
#[derive(Clone, PartialEq, Debug)]
pub enum Rows {
    /// To [`Query::Intake`].
    Intake(Box<View>),
    /// To [`Query::Spoke`]: in the order of the asks.
    Spoke(Vec<SpokeRow>),
    /// To [`Query::Claim`].
    Claim(Claimed),
    /// To [`Query::Backlog`]: systems for which something is open, by name.
    Backlog(Vec<Backlog>),
    /// To [`Query::Held`].
    Held(Vec<Head>),
    /// To [`Query::Intents`].
    Intents(Vec<Intent>),
    /// To [`Query::Fetches`], with the earliest later due time.
    Fetches(Vec<Fetch>, Option<Wall>),
    /// To [`Query::System`].
    System(Option<SystemState>, BTreeMap<Object, String>, Option<Restored>),
    /// To [`Query::Jobs`].
    Jobs(Vec<Job>),
    /// To [`Query::Walk`].
    Walk(Walked),
    /// To [`Query::Whole`], in the order of the question; `None` where there is no such record.
    Whole(Vec<Option<Whole>>),
    /// To [`Query::Ready`], with the earliest later deadline.
    Ready(Vec<Message>, Option<Wall>),
    /// To [`Query::Retained`].
    Retained(Retained),
    /// To [`Query::Old`].
    Old(OldFound),
}
