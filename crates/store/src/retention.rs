//! Retention: what may go when its time is over, how it is found, and how far the walk has come.
//!
//! Only what is closed goes, and each row is judged again in the commit that takes it away: what was opened meanwhile
//! stays. Records, links, shadows and deliveries of a record's state are no history: they never go. Hashes of messages
//! go with the last of their message, so that they outlive what they protect. The newest row of a table stays, so that
//! positions are never given twice.

use std::collections::BTreeMap;

use canonical::{EventId, IntentId, JobId, MessageId, RecordId, Tenant, Wall};
use intake::MessageState;
use ledger::{
    Group, GroupKind, Intent, IntentState, Job, JobState, Obligation, ObligationKey, State, Subject,
};
use serde::{Deserialize, Serialize};

/// Orders that are kept with the state of the walk, the newest.
const ORDERS_MAX: usize = 20;
/// Rows of a record that one page looks at, of each kind: bounds what a record with a long history costs.
pub const RECORD_ROWS_MAX: usize = 1_000;

/// A walk of a round, in the order in which they are taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What messages said, by position. Goes on over rounds: what it has passed is passed.
    #[default]
    Payloads,
    /// Messages with their hashes, by position.
    Messages,
    /// Failed attempts, by position.
    Attempts,
    /// What is kept beside records: events, deliveries of events, intents, decisions; by record.
    Records,
    /// Groups of failures in which nothing is left.
    Groups,
    /// Jobs that have ended.
    Jobs,
}

impl Part {
    /// The one after it; `None` after the last.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::Payloads => Some(Self::Messages),
            Self::Messages => Some(Self::Attempts),
            Self::Attempts => Some(Self::Records),
            Self::Records => Some(Self::Groups),
            Self::Groups => Some(Self::Jobs),
            Self::Jobs => None,
        }
    }
}

/// How far a walk has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Nowhere yet.
    #[default]
    Start,
    /// After this position.
    Position(i64),
    /// After this record.
    Record(RecordId),
}

impl Place {
    /// The position that it is after.
    #[must_use]
    pub const fn position(self) -> i64 {
        match self {
            Self::Position(at) => at,
            Self::Start | Self::Record(_) => 0,
        }
    }
}

/// What is from before these times goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Horizons {
    /// What messages said.
    pub messages: Wall,
    /// Hashes, and what else is kept of messages. Not after `messages`.
    pub seen: Wall,
    /// Events and decisions.
    pub events: Wall,
    /// Deliveries of events that rest, closed intents and attempts. Not before `events`.
    pub deliveries: Wall,
    /// Groups in which nothing is left.
    pub groups: Wall,
    /// Jobs that have ended.
    pub jobs: Wall,
}

/// A step of a walk.
#[derive(Clone, PartialEq, Debug)]
pub struct OldAsk {
    /// Whose.
    pub tenant: Tenant,
    /// Which walk.
    pub part: Part,
    /// How far it has come.
    pub after: Place,
    /// What is old.
    pub horizons: Horizons,
    /// At most about so many rows, and so many records.
    pub limit: usize,
    /// Where lines are wanted: no further message once they have so many bytes.
    pub bytes: usize,
    /// Whether each row is also wanted as a line of JSON for an archive. What is sealed stays sealed in it.
    pub lines: bool,
}

/// The answer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OldFound {
    /// What may go, with its lines. A line that is empty holds nothing worth keeping.
    pub rows: Vec<(OldRow, String)>,
    /// Where to go on; `None`: nothing older than its time is left on this walk.
    pub next: Option<Place>,
    /// Some rows of the record after `next` are among these, and it has more: it is asked about again only when these
    /// have gone, or they would be found once more.
    pub cut: bool,
    /// Of messages, the lowest position that was passed over because nobody has decided about it yet.
    pub open: Option<i64>,
    /// Why rows can't be read, which are passed over: they stay. No values.
    pub unreadable: Vec<String>,
}

/// A row that may go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OldRow {
    /// What a message said. Of one without an id at its source, the message.
    Payload(MessageId),
    /// A message, and the hash that tells its repetition.
    Message(MessageId),
    /// An event.
    Event(EventId),
    /// A delivery of an event.
    Delivery(ObligationKey),
    /// A closed intent.
    Intent(RecordId, IntentId),
    /// An attempt, by its position.
    Attempt(i64),
    /// A decision about a record, by its number there.
    Decision(RecordId, i64),
    /// A group.
    Group(GroupKind, String),
    /// A job.
    Job(JobId),
}

impl OldRow {
    /// The names of all kinds.
    pub const KINDS: [&'static str; 9] =
        ["payload", "message", "event", "delivery", "intent", "attempt", "decision", "group", "job"];

    /// Its kind's name, as shown and counted.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Payload(_) => "payload",
            Self::Message(_) => "message",
            Self::Event(_) => "event",
            Self::Delivery(_) => "delivery",
            Self::Intent(..) => "intent",
            Self::Attempt(_) => "attempt",
            Self::Decision(..) => "decision",
            Self::Group(..) => "group",
            Self::Job(_) => "job",
        }
    }

    /// Before which time it must be.
    #[must_use]
    pub const fn horizon(&self, horizons: &Horizons) -> Wall {
        match self {
            Self::Payload(_) => horizons.messages,
            Self::Message(_) => horizons.seen,
            Self::Event(_) | Self::Decision(..) => horizons.events,
            Self::Delivery(_) | Self::Intent(..) | Self::Attempt(_) => horizons.deliveries,
            Self::Group(..) => horizons.groups,
            Self::Job(_) => horizons.jobs,
        }
    }
}

/// How far retention has come, and what it has done.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Retained {
    /// The walk it is on; `None` between two rounds.
    pub part: Option<Part>,
    /// How far on it.
    pub place: Place,
    /// Up to where messages have lost what they said: the next round goes on there.
    pub payloads: i64,
    /// The lowest position that this round has passed over because nobody has decided about it: the next one begins
    /// before it.
    pub undecided: Option<i64>,
    /// When the last round began.
    pub began_at: Option<Wall>,
    /// When the last round that is over was over.
    pub ended_at: Option<Wall>,
    /// What was taken away since the store was made, by kind.
    pub removed: BTreeMap<String, u64>,
    /// Who ordered a round and why, the oldest first.
    pub orders: Vec<(Wall, String)>,
}

impl Retained {
    /// Somebody ordered a round.
    pub fn ordered(&mut self, at: Wall, why: String) {
        self.orders.push((at, why));
        let more = self.orders.len().saturating_sub(ORDERS_MAX);
        self.orders.drain(..more);
    }
}

/// What is stored of a kind, as far as it is told without looking at all of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Kept {
    /// `messages`, `events`, `deliveries`, `attempts`, `groups` or `jobs`.
    pub kind: &'static str,
    /// Rows, or a bound of them; `None` where it cannot be told.
    pub rows: Option<u64>,
    /// From when the oldest is.
    pub oldest: Option<Wall>,
    /// How many are from before their time, those included that are not closed; a bound.
    pub past: Option<u64>,
}

/// Whether nothing is left to do about a message.
#[must_use]
pub const fn message_rests(state: MessageState) -> bool {
    matches!(state, MessageState::Accepted | MessageState::Discarded)
}

/// Whether a delivery rests: nobody has anything to do about it.
#[must_use]
pub const fn rests(state: State) -> bool {
    matches!(state, State::Delivered | State::Superseded | State::Skipped | State::Discarded | State::Erased)
}

/// Whether a delivery may go: one of an event, at rest since before that.
#[must_use]
pub fn delivery_is_old(row: &Obligation, before: Wall) -> bool {
    matches!(row.key.subject, Subject::Event(_)) && rests(row.state) && row.raised_at.max(row.due) < before
}

/// Whether an intent ended before that.
#[must_use]
pub fn intent_is_old(intent: &Intent, before: Wall) -> bool {
    intent.state == IntentState::Closed && intent.closed_at.unwrap_or(intent.created_at) < before
}

/// Whether nothing is left in a group since before that.
#[must_use]
pub fn group_is_old(group: &Group, before: Wall) -> bool {
    group.is_empty() && group.moved_at < before
}

/// Whether a job ended before that.
#[must_use]
pub fn job_is_old(job: &Job, before: Wall) -> bool {
    matches!(job.state, JobState::Done | JobState::Cancelled)
        && job.ended_at.is_some_and(|ended| ended < before)
}

/// A row as a line for an archive: its own fields, its kind, and what is sealed of it.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn line(kind: &str, row: &impl Serialize, sealed: Option<String>) -> serde_json::Result<String> {
    let mut map = match serde_json::to_value(row)? {
        serde_json::Value::Object(map) => map,
        other => [("row".to_owned(), other)].into_iter().collect(),
    };
    // A row may have a field of that name: the archive's word comes first.
    if let Some(own) = map.remove("kind") {
        map.insert("of".to_owned(), own);
    }
    map.insert("kind".to_owned(), kind.into());
    if let Some(sealed) = sealed {
        map.insert("sealed".to_owned(), sealed.into());
    }
    serde_json::to_string(&map)
}
