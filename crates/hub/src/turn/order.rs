//! Orders: what an operator wants done.

use canonical::{JobId, MessageId, Object, RecordId};
use dispatch::Forced;
use ledger::{Action, Lane, ObligationKey, Scope};
use store::HeldPart;

/// A delivery that an operator decides about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Its obligation.
    pub key: ObligationKey,
    /// The record it is about.
    pub record: RecordId,
    /// The kind of object at the target.
    pub object: Object,
}

/// What an operator wants done. Carries who, for the record.
#[derive(Clone, PartialEq, Debug)]
pub enum Order {
    /// Hold everything to and from the system. Nothing is dropped.
    Pause {
        /// Who and why.
        reason: String,
    },
    /// Go on.
    Resume {
        /// Who and why.
        reason: String,
    },
    /// Hold part of what is for the system back. Nothing is dropped; what may have reached the target is finished.
    Hold {
        /// Which part.
        scope: HeldPart,
        /// Who and why.
        reason: String,
    },
    /// What a hold kept back goes on.
    Release {
        /// Which part.
        scope: HeldPart,
        /// Who and why.
        reason: String,
    },
    /// Force a breaker, or let it go.
    Force {
        /// The operation; `None`: all of which nothing else is said.
        operation: Option<String>,
        /// To what; `None` lets it go.
        forced: Option<Forced>,
        /// Who and why.
        reason: String,
    },
    /// Pass over a delivery that is not at its end: the target counts as having reached its level; a newer version
    /// goes as ever.
    Skip {
        /// Which.
        delivery: Delivery,
        /// Who and why.
        reason: String,
    },
    /// Say how the system stands. Answered with [`Ack::Described`](super::Ack::Described).
    Describe {
        /// When so many calls would be through, on this lane.
        forecast: Option<(u64, Lane)>,
    },
    /// Try a dead, uncertain or parked delivery again, with the newest level.
    Retry {
        /// Which.
        delivery: Delivery,
        /// Who and why.
        reason: String,
    },
    /// Give a delivery up.
    Discard {
        /// Which.
        delivery: Delivery,
        /// Who and why.
        reason: String,
    },
    /// Take a quarantined message in again.
    Retake {
        /// Which.
        message: MessageId,
        /// Who and why.
        reason: String,
    },
    /// A person's correction takes the place of a quarantined message, and is taken in. What came is kept with it.
    /// Answered with [`Ack::Taken`](super::Ack::Taken), which names the correction.
    Correct {
        /// Which.
        message: MessageId,
        /// The corrected one: its id, state and time of receipt are given to it.
        corrected: Box<intake::Message>,
        /// Who and why.
        reason: String,
    },
    /// Settle what is open about a field of a record: what counts is what the record has, or what the other system says.
    Settle {
        /// The record.
        record: RecordId,
        /// The field.
        field: canonical::Field,
        /// What counts.
        choice: intake::Choice,
        /// Who and why.
        reason: String,
    },
    /// Say that an object stands for a record; a message that waited for a person to say so is taken in again.
    Link {
        /// The link.
        link: Box<intake::Link>,
        /// The record's version as it was seen.
        version: i64,
        /// The message.
        message: Option<MessageId>,
        /// The object can be read: what it says is asked for.
        reads: bool,
        /// Who and why.
        reason: String,
    },
    /// Say that an object does not stand for a record.
    Unlink {
        /// The link as it was seen.
        link: Box<intake::Link>,
        /// The record's version as it was seen.
        version: i64,
        /// Who and why.
        reason: String,
    },
    /// Try a dead delivery again, with other values at some paths for the level that is wanted of it.
    Edit {
        /// Which.
        delivery: Delivery,
        /// Target path → value.
        values: canonical::Fields,
        /// Who and why.
        reason: String,
    },
    /// Give a quarantined message up.
    DiscardMessage {
        /// Which.
        message: MessageId,
        /// Who and why.
        reason: String,
    },
    /// Count what bulk work would do, and keep it as a plan; answered with [`Ack::Planned`](super::Ack::Planned).
    Plan {
        /// What would be done.
        action: Action,
        /// With which.
        scope: Scope,
        /// Who asks.
        by: String,
    },
    /// See what merging a record into another, or splitting it off again, would do, and keep it as a plan; answered with
    /// [`Ack::Planned`](super::Ack::Planned).
    Reshape {
        /// [`Action::Merge`] or [`Action::Split`].
        action: Action,
        /// The record that stays.
        keep: RecordId,
        /// The record that is merged into it, or was.
        gone: RecordId,
        /// Whose value counts where no rule says it.
        prefer: std::collections::BTreeMap<canonical::Field, ledger::Side>,
        /// Who asks.
        by: String,
    },
    /// Start the job of a plan, if the plan still fits.
    Apply {
        /// The plan.
        job: JobId,
        /// Set going a second, at most; from 1 to [`ledger::PACE_MAX`].
        pace: u32,
        /// Who and why.
        reason: String,
    },
    /// Hold a job.
    HoldJob {
        /// Which.
        job: JobId,
        /// Who and why.
        reason: String,
    },
    /// Let a job go on.
    ResumeJob {
        /// Which.
        job: JobId,
        /// Who and why.
        reason: String,
    },
    /// End a plan or a job; what it has set going goes on.
    CancelJob {
        /// Which.
        job: JobId,
        /// Who and why.
        reason: String,
    },
    /// Take away now what is past its time.
    Sweep {
        /// Who and why.
        reason: String,
    },
}
