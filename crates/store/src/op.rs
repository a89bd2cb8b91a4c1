//! Units and operations: everything that changes stored state.

use std::collections::BTreeSet;
use std::time::Duration;

use canonical::{
    Entity, ExternalRef, Fact, IntentId, JobId, MessageId, Object, Record, RecordId, System, Tenant, Wall,
};
use intake::{Decision, Link, Message, MessageState, Raise};
use ledger::{Class, Intent, Job, Lane, Level, ObligationKey, Reason, Shadow, State, Waiting};
use serde::{Deserialize, Serialize};

use crate::epoch::{Epoch, Reread};
use crate::require::Require;
use crate::retention::{OldRow, Retained};
use crate::standing::Change;
use crate::system::SystemState;

/// All or nothing.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Unit {
    /// What must hold, or the unit conflicts.
    pub require: Vec<Require>,
    /// What to do, in order.
    pub ops: Vec<Op>,
}

/// An object stands for no record any more, and what was a duplicate beside it is judged again.
#[must_use]
pub fn unlinked(link: Link, at: Wall) -> [Op; 2] {
    let (tenant, external) = (link.tenant.clone(), link.external());
    [Op::DropLink(link), Op::WakeMessages { tenant, external, at }]
}

/// One change.
#[derive(Clone, PartialEq, Debug)]
pub enum Op {
    /// A message of a source was seen: outlives the message itself. The first hash stands.
    Seen {
        /// Whose.
        tenant: Tenant,
        /// The source.
        source: System,
        /// Its id of the message.
        event_id: String,
        /// Hash of the content.
        hash: [u8; 32],
        /// When.
        at: Wall,
    },
    /// A message of a source is not known by that name any more: what comes by it is news. Nothing happens when it never was.
    Unsee {
        /// Whose.
        tenant: Tenant,
        /// The source.
        source: System,
        /// Its name.
        event_id: String,
    },
    /// An object is gone and no link says so: kept beside the names of seen messages, and as long. The greater stands.
    Bury {
        /// Whose.
        tenant: Tenant,
        /// The system.
        system: System,
        /// The grave's name.
        name: String,
        /// What it says.
        grave: [u8; 32],
        /// When.
        at: Wall,
    },
    /// Keep a message. One that is put as accepted is new, or was accepted before.
    PutMessage(Message),
    /// A kept message moved on. Nothing happens when it is not there. One that goes again keeps the name of the group
    /// it failed in, until it is through.
    MessageState {
        /// Whose: another tenant's message is not there.
        tenant: Tenant,
        /// Which.
        id: MessageId,
        /// Where to.
        state: MessageState,
        /// Why.
        reason: Option<Reason>,
        /// When.
        at: Wall,
    },
    /// Insert or replace a record.
    PutRecord(Record),
    /// Link; replaces what the object or the record was linked to before, and wakes what waits for it: obligations
    /// parked for the record, or for one that was merged into it, or dead for want of it, become `pending`, due at the link's
    /// `created_at`, and messages parked for the object, or quarantined for want of it, become `ready`.
    PutLink(Link),
    /// Unlink.
    DropLink(Link),
    /// Messages that are quarantined, and wait for this object to be no record's any more, become `ready`.
    WakeMessages {
        /// Whose.
        tenant: Tenant,
        /// The object.
        external: ExternalRef,
        /// When.
        at: Wall,
    },
    /// The record has a match key (stored as a keyed hash).
    PutMatch {
        /// Whose.
        tenant: Tenant,
        /// The entity.
        entity: Entity,
        /// The key's name.
        key: String,
        /// The value in comparing form.
        value: String,
        /// The record.
        record: RecordId,
    },
    /// The record no longer has it.
    DropMatch {
        /// Whose.
        tenant: Tenant,
        /// The entity.
        entity: Entity,
        /// The key's name.
        key: String,
        /// The value in comparing form.
        value: String,
        /// The record.
        record: RecordId,
    },
    /// No record of the tenant has any match key: they are about to be put anew.
    DropMatches(Tenant),
    /// Keep an event. Events are immutable: one that is there already stays as it is.
    PutFact(Fact),
    /// Raise an obligation (intake's columns): wanted and lane go up, a resting one opens again when what is wanted
    /// went up beyond what was reached. See [`crate::rules::raise_again`].
    Raise(Raise),
    /// Keep a decision.
    PutDecision(Decision),
    /// Insert an intent, or move it on: what was rendered stays as it was put first (same key, same bytes), what
    /// happens to it moves (see [`crate::rules::next_intent`]). Its request is dropped with its end; `fields` is not
    /// stored. A closed intent stays as it ended: its id is never put again as one that is open.
    PutIntent(Intent),
    /// Move an obligation (the spoke's columns). If `level` no longer covers what is wanted, the row stays open:
    /// `pending`, due at once, attempts from zero, whatever `state` says. What is parked for the object that an ended one
    /// would have brought becomes `pending`. Nothing happens when it is not there.
    Settle {
        /// Which.
        key: ObligationKey,
        /// The level that was judged.
        level: Level,
        /// Whether the target has reached it.
        reached: bool,
        /// Where it stands.
        state: State,
        /// Attempts spent.
        attempts: u32,
        /// Not before.
        due: Wall,
        /// What it waits for.
        waiting: Option<Waiting>,
        /// Why.
        reason: Option<Reason>,
        /// When it was settled.
        at: Wall,
    },
    /// An operator holds an open obligation back: `parked`, out of the claims, with its turn and attempts as they are.
    /// Nothing happens to one that is not open, or not there.
    Hold {
        /// Which.
        key: ObligationKey,
        /// Who and why.
        reason: Reason,
        /// When.
        at: Wall,
    },
    /// What an operator held goes on: `pending`, due at `at`. Nothing happens to one that is not held.
    Release {
        /// Which.
        key: ObligationKey,
        /// When.
        at: Wall,
    },
    /// Something in a higher lane waits for what an obligation brings: it takes that lane (see [`crate::rules::hasten`]).
    /// Nothing happens to one that is not open, is held, or is not there.
    Hasten {
        /// Which.
        key: ObligationKey,
        /// The lane.
        lane: Lane,
        /// When.
        at: Wall,
    },
    /// Keep a change of a system in its journal; of each system the newest [`crate::standing::CHANGES_KEPT`] stay.
    PutChange(Change),
    /// What a person decided about a delivery, carried out by a job: unless it is dead, and was when the job began, nothing
    /// happens to it, and it counts for the job as otherwise at rest.
    Decide {
        /// Which.
        key: ObligationKey,
        /// What.
        decided: Decided,
    },
    /// The same about a message: nothing happens unless it is quarantined.
    DecideMessage {
        /// Whose.
        tenant: Tenant,
        /// Which.
        id: MessageId,
        /// What.
        decided: Decided,
    },
    /// Insert or replace a job; its revision counts up by one.
    PutJob(Job),
    /// Drop a plan that was never applied. Nothing happens when it is a job by now.
    DropJob(JobId),
    /// Insert or replace a shadow; its revision counts up by one.
    PutShadow(Shadow),
    /// Keep an attempt that did not simply succeed.
    PutAttempt(Attempt),
    /// An object is to be fetched: keeps the newest hint; a fetch that backs off goes on backing off.
    WantFetch(Fetch),
    /// It was fetched by a call that began at `started`, and whose answer may be behind by `lag`: gone, unless a hint came
    /// after that; then it is due again.
    DoneFetch {
        /// Whose.
        tenant: Tenant,
        /// The object.
        external: ExternalRef,
        /// When the fetch began.
        started: Wall,
        /// How far behind the writes it may be.
        lag: Duration,
    },
    /// A fetch failed for now.
    DelayFetch {
        /// Whose.
        tenant: Tenant,
        /// The object.
        external: ExternalRef,
        /// Not before.
        due: Wall,
        /// Attempts so far.
        attempts: u32,
    },
    /// Where a poll continues.
    PutCursor {
        /// Whose.
        tenant: Tenant,
        /// The system.
        system: System,
        /// The kind of object.
        object: Object,
        /// A serialised `connector::Cursor`.
        cursor: String,
        /// When.
        at: Wall,
    },
    /// A system's own state. Of a row that is there, the credential and its generation stay as they are: another
    /// hand moves them (see [`Op::PutCredential`]).
    PutSystem(SystemState),
    /// One more line of the history of configurations.
    PutApplied(Applied),
    /// A version of a schema or a mapping counts from now on. One that is there stays as it is.
    PutVersion(crate::Version),
    /// The store was restored from a backup. An epoch that is there stays as it is.
    PutEpoch(Epoch),
    /// How far a system is with reading again after a restore.
    PutReread {
        /// Whose.
        tenant: Tenant,
        /// Which.
        system: System,
        /// After which restore.
        epoch: i64,
        /// How far.
        reread: Reread,
    },
    /// Everything that a record is linked to, as far as it is of these kinds, is to be fetched.
    WantFetchOf {
        /// Whose.
        tenant: Tenant,
        /// The record.
        record: RecordId,
        /// What can be fetched.
        objects: Vec<(System, Object)>,
        /// When it came to be wanted: due at once.
        at: Wall,
        /// Follows the change.
        trace: String,
    },
    /// A system's credential and its generation, and nothing else of its row, which is made when there is none.
    PutCredential {
        /// Whose.
        tenant: Tenant,
        /// Which.
        system: System,
        /// The rotated credential, sealed; `None` leaves the one that is kept.
        credential: Option<Vec<u8>>,
        /// The key scope from now on.
        generation: i64,
    },
    /// What is old goes: nothing happens unless it is still closed, and from before that (see [`crate::retention`]).
    Forget {
        /// Whose.
        tenant: Tenant,
        /// What.
        row: OldRow,
        /// From before this.
        before: Wall,
    },
    /// How far retention has come.
    PutRetained(Tenant, Retained),
}

/// A decision that a job carries out.
#[derive(Clone, PartialEq, Debug)]
pub struct Decided {
    /// It goes again, with the newest level; else it is given up.
    pub again: bool,
    /// The job.
    pub job: JobId,
    /// Who and why.
    pub reason: Reason,
    /// What failed after that is not meant: nobody was shown it.
    pub failed_by: Wall,
    /// When.
    pub at: Wall,
}

impl Op {
    /// Whether it keeps a message that waits, or needs a person.
    #[must_use]
    pub fn keeps_aside(&self) -> bool {
        matches!(self, Self::PutMessage(message) if message.state != MessageState::Accepted)
    }
}

/// A configuration that began to count: one line of the history.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Applied {
    /// Whose.
    pub tenant: Tenant,
    /// The digest over its files.
    pub digest: String,
    /// When.
    pub at: Wall,
    /// Who applied it, and why.
    pub reason: String,
    /// What it changed, a line each.
    pub changes: Vec<String>,
    /// The match keys that all records can be found by: entities and definitions. Else they are to be gone through first.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub findable: BTreeSet<String>,
}

/// A send or probe that did not simply succeed. Holds no values.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Attempt {
    /// The intent.
    pub intent: IntentId,
    /// What it served.
    pub obligation: ObligationKey,
    /// The target.
    pub system: System,
    /// The manifest's operation.
    pub operation: String,
    /// Whether it was a probe.
    pub probe: bool,
    /// How it ended.
    pub class: Class,
    /// What was said.
    pub reason: Reason,
    /// When the answer came or was given up.
    pub at: Wall,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// An object to be fetched.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fetch {
    /// Whose.
    pub tenant: Tenant,
    /// The object.
    pub external: ExternalRef,
    /// When the newest hint came.
    pub hinted_at: Wall,
    /// Not before.
    pub due: Wall,
    /// Attempts so far.
    pub attempts: u32,
    /// Follows the change.
    pub trace: String,
}
