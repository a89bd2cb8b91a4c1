//! Requirements: what must hold for a unit to be applied.

use canonical::{ExternalRef, JobId, MessageId, Object, RecordId, System, Tenant};
use ledger::{Level, ObligationKey, State};

/// What must hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Require {
    /// This message of this source was not seen before.
    Unseen {
        /// Whose.
        tenant: Tenant,
        /// The source.
        source: System,
        /// The source's id of the message.
        event_id: String,
    },
    /// The record stands at this version (0: does not exist).
    RecordAt {
        /// The record.
        record: RecordId,
        /// Its version.
        version: i64,
    },
    /// No record is linked to this object.
    Unlinked {
        /// Whose.
        tenant: Tenant,
        /// The object.
        external: ExternalRef,
    },
    /// The record has no link as this kind of object there, nor has the one that it was merged into (a park checks it in
    /// its own transaction).
    NotYetLinked {
        /// The record.
        record: RecordId,
        /// The system.
        system: System,
        /// The kind of object.
        object: Object,
    },
    /// The record itself is linked to that object, whoever stands for it.
    LinkedTo {
        /// The record.
        record: RecordId,
        /// The object.
        external: ExternalRef,
    },
    /// The shadow stands at this revision (0: does not exist).
    ShadowAt {
        /// The record.
        record: RecordId,
        /// The system.
        system: System,
        /// The kind of object.
        object: Object,
        /// Its revision.
        revision: i64,
    },
    /// The delivery is there, this level is wanted of it, and it is in this state.
    Wanted {
        /// Which.
        key: ObligationKey,
        /// The level.
        level: Level,
        /// The state.
        state: State,
    },
    /// The message is there, and quarantined.
    Quarantined {
        /// Whose.
        tenant: Tenant,
        /// Which.
        message: MessageId,
    },
    /// The job stands at this revision (0: does not exist).
    JobAt {
        /// The job.
        job: JobId,
        /// Its revision.
        revision: i64,
    },
    /// The record stands for itself: it was not merged into another one. What nobody knows does.
    Stands {
        /// The record.
        record: RecordId,
    },
    /// Nothing about the record is on its way, or in doubt.
    NoOpenIntent {
        /// The record.
        record: RecordId,
    },
}
