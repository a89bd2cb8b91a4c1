//! What goes into a decision on one message, and what comes out.

use std::collections::BTreeSet;
use std::sync::Arc;

use canonical::{
    EntitySchema, EventId, ExternalRef, Fact, Field, Fields, OrderToken, Record, RecordId, System, Tenant,
    Wall,
};
use ledger::{Lane, ObligationKey, Reason, Route, Shadow};
use serde::{Deserialize, Serialize};

use crate::grave::Grave;
use crate::link::Link;

/// What became of one field's value, or of a whole message, that was not simply merged. Recorded, never a log
/// line only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// A non-owner's edit was refused.
    Rejected,
    /// A non-owner's edit was refused and the owner's value is written back.
    Reverted,
    /// Counter-writes stopped: too many in the window. An item opens.
    Frozen,
    /// Older than what is known: only fields never seen were filled.
    Stale,
    /// The owner has no value: another system's was taken.
    Filled,
    /// Brought together with what the record had, by the field's policy.
    Merged,
    /// The owner is told what another system proposes. An item opens.
    Proposed,
    /// The owner took what was proposed.
    Accepted,
    /// The owner did not take what was proposed: the proposer is told what counts.
    Declined,
    /// Nobody can tell which of two values is the newer one. An item opens.
    Conflict,
    /// What was open about a field is no more: a person said so, or the systems agree again.
    Settled,
    /// The field has another owner from now on.
    Moved,
    /// A person ordered a delivery to say something else than the record.
    Edited,
    /// The object was merged into another one there: the link follows it.
    Repointed,
    /// A person linked an object.
    Linked,
    /// A person took a link away.
    Unlinked,
    /// Two records became one: on either of them.
    Absorbed,
    /// A record that was merged into another is one of its own again: on either of them.
    Split,
}

impl DecisionKind {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Rejected,
        Self::Reverted,
        Self::Frozen,
        Self::Stale,
        Self::Filled,
        Self::Merged,
        Self::Proposed,
        Self::Accepted,
        Self::Declined,
        Self::Conflict,
        Self::Settled,
        Self::Moved,
        Self::Edited,
        Self::Repointed,
        Self::Linked,
        Self::Unlinked,
        Self::Absorbed,
        Self::Split,
    ];

    /// Its name, as stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Reverted => "reverted",
            Self::Frozen => "frozen",
            Self::Stale => "stale",
            Self::Filled => "filled",
            Self::Merged => "merged",
            Self::Proposed => "proposed",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Conflict => "conflict",
            Self::Settled => "settled",
            Self::Moved => "moved",
            Self::Edited => "edited",
            Self::Repointed => "repointed",
            Self::Linked => "linked",
            Self::Unlinked => "unlinked",
            Self::Absorbed => "absorbed",
            Self::Split => "split",
        }
    }
}

/// A recorded decision. Holds no values.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// Whose.
    pub tenant: Tenant,
    /// The record.
    pub record: RecordId,
    /// The field, when it is about one.
    pub field: Option<Field>,
    /// The system whose message it was.
    pub system: System,
    /// What was decided.
    pub kind: DecisionKind,
    /// The version of the record it was judged at.
    pub version: i64,
    /// The rule behind it, for people.
    pub rule: String,
    /// When.
    pub at: Wall,
}

/// A level to be raised.
#[derive(Clone, PartialEq, Debug)]
pub struct Raise {
    /// The obligation.
    pub key: ObligationKey,
    /// The target.
    pub system: System,
    /// The kind of object there.
    pub object: canonical::Object,
    /// The record's type.
    pub entity: canonical::Entity,
    /// The record.
    pub record: RecordId,
    /// Its lane.
    pub lane: Lane,
    /// The version to reach.
    pub version: i64,
    /// Say it again even if this version was said: the generation counts up.
    pub again: bool,
    /// Not before.
    pub due: Wall,
    /// When it was raised.
    pub at: Wall,
    /// Follows the change.
    pub trace: String,
    /// Raised by a job, not by a change.
    pub replay: Option<Replay>,
}

/// A level that a job raises: all of the newest state is said again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replay {
    /// The job.
    pub job: canonical::JobId,
    /// Of an event that was delivered: a second effect is asked for.
    pub anew: bool,
}

/// What one message says, normalised by its mapping.
#[derive(Clone, PartialEq, Debug)]
pub struct Incoming {
    /// The object it is about.
    pub about: ExternalRef,
    /// The account it came from.
    pub instance: String,
    /// Deleted there, with proof.
    pub deleted: bool,
    /// Merged there into this object, with proof.
    pub merged_into: Option<ExternalRef>,
    /// Canonical values in normal form.
    pub fields: Fields,
    /// References by the source's ids: field → object there.
    pub references: Vec<(Field, ExternalRef)>,
    /// Fields among them that are not waited for: they follow when what they lead to is linked.
    pub late: BTreeSet<Field>,
    /// All else of it was taken in before: it brings those that are late, and nothing where its object stands for no record
    /// any more.
    pub rest: bool,
    /// What only this system knows.
    pub extensions: Fields,
    /// What it said in its own form per mapped target path, for the shadow; empty when nothing is written there.
    pub seen_paths: Fields,
    /// The fields that are written there: none, where nothing is.
    pub written: Arc<BTreeSet<Field>>,
    /// The source's order.
    pub order: Option<OrderToken>,
    /// The source has none: `order` is when the state was read.
    pub stamped: bool,
    /// The object's opaque version there (its `ETag`), to be shown again with a change.
    pub etag: Option<String>,
    /// When this state was read there (fetch or poll start; receipt for pushed ones).
    pub as_of: Wall,
    /// When it happened there.
    pub occurred_at: Option<Wall>,
    /// When the object last changed, by its system's clock.
    pub changed_at: Option<Wall>,
    /// It is a read of the object as it stands (fetched or polled), not something pushed: ties are taken.
    pub read: bool,
    /// It names the whole object: what it does not name was not touched since.
    pub complete: bool,
    /// A further fetch can settle a doubt.
    pub fetchable: bool,
    /// It has waited long enough for an open create: decide now.
    pub patient: bool,
    /// It was told apart from the object that its record had there, and has waited since. Once that one is gone, this one is
    /// the record's own, however old what it said is.
    pub waited: bool,
    /// The mapping's version.
    pub mapping: u32,
    /// Match keys in comparing form.
    pub matches: Vec<(String, String)>,
    /// What our last write there would read as, through the same mapping: the basis for telling edits from echoes.
    pub known: Fields,
    /// What the open intent there would read as.
    pub writing: Fields,
    /// What of it we wrote there lately ourselves: an own write that comes back late, unless a read says otherwise.
    pub lately: Fields,
    /// What was said there in this same version, and judged, while a write of ours was on its way.
    pub judged: Fields,
    /// The target paths of those that were written lately.
    pub lately_paths: BTreeSet<String>,
    /// Older than every replayable horizon or a snapshot: may carry state, fires no facts.
    pub silent: bool,
    /// Follows the change.
    pub trace: String,
}

impl Incoming {
    /// What a person says in a system's place about a field: nothing but that it is said now.
    pub(crate) fn of_person(system: &System, field: &Field, now: Wall, trace: &str) -> Self {
        // It is about no object of its own: that system has the value already.
        Self::ordered(system, field.as_str(), now, trace)
    }

    /// What a person orders about a record: it is no system's own word, so all of them are told.
    pub(crate) fn of_order(system: &System, now: Wall, trace: &str) -> Self {
        // No kind of object is called so.
        Self::ordered(system, "_/order", now, trace)
    }

    fn ordered(system: &System, object: &str, now: Wall, trace: &str) -> Self {
        let object = canonical::Object::new(object);
        let object = object.unwrap_or_else(|_| unreachable!("a field's name is a name"));
        Self {
            about: ExternalRef { system: system.clone(), object, id: String::new() },
            instance: String::new(),
            deleted: false,
            merged_into: None,
            fields: Fields::new(),
            references: Vec::new(),
            late: BTreeSet::new(),
            rest: false,
            extensions: Fields::new(),
            seen_paths: Fields::new(),
            written: Arc::default(),
            order: None,
            stamped: false,
            etag: None,
            as_of: now,
            occurred_at: Some(now),
            changed_at: Some(now),
            read: false,
            complete: false,
            fetchable: false,
            patient: false,
            waited: false,
            mapping: 0,
            matches: Vec::new(),
            known: Fields::new(),
            writing: Fields::new(),
            lately: Fields::new(),
            judged: Fields::new(),
            lately_paths: BTreeSet::new(),
            silent: false,
            trace: trace.to_owned(),
        }
    }

    /// The version of the object that it shows, where the source has versions: to be compared with what our writes
    /// returned.
    #[must_use]
    pub fn version(&self) -> Option<OrderToken> {
        self.order.filter(|_| !self.stamped)
    }
}

/// Everything else a decision needs.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Whose.
    pub tenant: &'a Tenant,
    /// The entity.
    pub schema: &'a EntitySchema,
    /// All routes of the entity.
    pub routes: &'a [&'a Route],
    /// Now.
    pub now: Wall,
    /// The id of the event this message would make.
    pub event: EventId,
    /// The id of the record this message would make.
    pub fresh: RecordId,
    /// When the store was last restored from a backup.
    pub restored_at: Option<Wall>,
}

/// A message that was taken in: everything to be written for it, all or nothing.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Accepted {
    /// The record as it now stands, when it changed; with the version it had before (0: new).
    pub record: Option<(Record, i64)>,
    /// A new link.
    pub link: Option<Link>,
    /// A link that goes.
    pub unlink: Option<Link>,
    /// Match keys that the record newly has, and those it no longer has: (key, value).
    pub matches_added: Vec<(String, String)>,
    /// See above.
    pub matches_dropped: Vec<(String, String)>,
    /// The shadow as it now stands, when it changed; with the revision it had before.
    pub shadow: Option<(Shadow, i64)>,
    /// What happened.
    pub facts: Vec<Fact>,
    /// What must now be reached.
    pub raises: Vec<Raise>,
    /// What was not simply merged.
    pub decisions: Vec<Decision>,
    /// What it said otherwise was left alone, and is to be told there once more.
    pub untold: bool,
    /// Systems that are told once more, whatever they were told before.
    pub tell: BTreeSet<System>,
    /// Systems whose word on the record is asked for: a field is theirs now.
    pub reread: BTreeSet<System>,
    /// A doubt that a fetch settles.
    pub refetch: bool,
    /// Another object whose state is wanted.
    pub wanted: Option<ExternalRef>,
    /// An object that was linked to a record that was merged into this one, and is this one's own from now on.
    pub rehomed: Option<Link>,
    /// The object is gone and no link says so: what was said before that and comes late makes nothing new.
    pub buried: Option<Grave>,
    /// The object that the record had there and has no more, with its grave: the link goes to another one.
    pub replaced: Option<(ExternalRef, Grave)>,
    /// The record it is about, changed or not.
    pub about: Option<RecordId>,
    /// Its link counts only as long as the record has no object there.
    pub alone: bool,
    /// The first object that a late reference leads to and that is not linked yet.
    pub awaited: Option<ExternalRef>,
}

/// The verdict on one message.
#[derive(Clone, PartialEq, Debug)]
pub enum Verdict {
    /// Taken in (possibly changing nothing).
    Accept(Box<Accepted>),
    /// An object it refers to is not linked yet: it waits.
    Park {
        /// The object whose link it waits for.
        waiting: ExternalRef,
    },
    /// A create of that entity is open in that system: it waits until that is closed, then is judged again.
    Wait,
    /// Needs a person.
    Quarantine(Reason),
    /// It is one of two that stand for one record there: a person is told, and it waits until the record's object is gone.
    Duplicate {
        /// What the person is told.
        reason: Reason,
        /// The record's object there.
        first: ExternalRef,
    },
}
