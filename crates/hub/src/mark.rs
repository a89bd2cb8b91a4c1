//! Marks: what happened, as data. The runtime maps them to metrics and logs, the simulation to coverage.

use std::time::Duration;

use canonical::{Entity, Object, System, Wall};
use ledger::{Class, Lane};

/// Something that happened. Holds no values and no unbounded labels besides the trace of log-worthy ones.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Mark {
    /// Messages of a source were taken in durably.
    Accepted {
        /// The source.
        source: System,
        /// How many.
        count: usize,
    },
    /// A message was seen before.
    Duplicate {
        /// The source.
        source: System,
    },
    /// A message needs a person.
    Quarantined {
        /// The source.
        source: System,
        /// The class of reason.
        class: String,
        /// For people.
        message: String,
    },
    /// A message waits for a link.
    MessageParked {
        /// The source.
        source: System,
    },
    /// An offer was refused because of pressure.
    Refused {
        /// The source.
        source: System,
        /// `full`, `stopping`, `crowded`; `backlog`, `backlog_total` where deliveries wait.
        cause: &'static str,
    },
    /// Objects are not read any more, until deliveries that wait get through.
    Rests {
        /// The source.
        source: System,
        /// The kind of object.
        object: Object,
        /// `backlog`, `backlog_total`, `backlog_age`.
        cause: &'static str,
        /// For people.
        why: String,
    },
    /// Objects that rested are read again.
    ReadsOn {
        /// The source.
        source: System,
        /// The kind of object.
        object: Object,
    },
    /// Something that is expected to be heard of a system was not.
    Silent {
        /// The system.
        system: System,
        /// `messages`, or the kind of object whose listing does not get through.
        what: String,
        /// When it was last heard.
        since: Wall,
        /// So often it was expected.
        within: Duration,
    },
    /// It is heard again.
    HeardAgain {
        /// The system.
        system: System,
        /// What.
        what: String,
    },
    /// A record got a new version.
    Merged {
        /// Its type.
        entity: Entity,
        /// The source.
        source: System,
        /// Its trace.
        trace: String,
    },
    /// A decision was recorded (rejected, reverted, frozen, stale, echo).
    Decided {
        /// Its name.
        kind: &'static str,
        /// The type of record.
        entity: Entity,
        /// The source.
        source: System,
    },
    /// A domain event was made.
    Happened {
        /// Its kind.
        kind: String,
    },
    /// A unit conflicted and is decided again.
    DecidedAgain,
    /// A request left.
    Sent {
        /// The target.
        system: System,
        /// The operation.
        operation: String,
    },
    /// An answer, or its absence, was classified.
    Answered {
        /// The target.
        system: System,
        /// The operation.
        operation: String,
        /// What it means.
        class: Class,
        /// How long it took.
        took: Duration,
    },
    /// Several deliveries went in one call; of each it is known what became of it, or that nobody knows.
    Batch {
        /// The target.
        system: System,
        /// The operation.
        operation: String,
        /// How many went.
        sent: usize,
        /// Of how many the effect is there.
        applied: usize,
        /// Of how many nobody knows. The others were refused.
        unknown: usize,
    },
    /// A batch was refused for one of its records: its halves go on.
    Split {
        /// The target.
        system: System,
        /// How many there were.
        records: usize,
    },
    /// A target took a batch as a job.
    BulkBegan {
        /// The target.
        system: System,
        /// The operation.
        operation: String,
        /// How many records it was given.
        records: usize,
    },
    /// A job at a target is over.
    BulkEnded {
        /// The target.
        system: System,
        /// The operation.
        operation: String,
        /// `done`, `rejected`, `failed`, `gone`, `overdue`.
        how: &'static str,
        /// How many deliveries waited for it.
        records: usize,
        /// Since it began.
        took: Duration,
    },
    /// A target reached a level.
    Delivered {
        /// The target.
        system: System,
        /// The kind of object.
        object: Object,
        /// Its lane.
        lane: Lane,
        /// From the oldest level it covered to now.
        lag: Duration,
        /// Levels it covered: more than one were coalesced.
        folded: u32,
        /// Its trace.
        trace: String,
    },
    /// Nothing had to be said.
    Skipped {
        /// The target.
        system: System,
    },
    /// A delivery tries again later.
    Retrying {
        /// The target.
        system: System,
        /// Why.
        class: Class,
    },
    /// A delivery is in doubt.
    Doubtful {
        /// The target.
        system: System,
        /// The idempotency class.
        class: &'static str,
    },
    /// A doubt was resolved without a person.
    Resolved {
        /// The target.
        system: System,
        /// `resent`, `found`, `absent`.
        how: &'static str,
    },
    /// A doubt needs a person.
    NeedsPerson {
        /// The target.
        system: System,
        /// For people.
        message: String,
    },
    /// A delivery is dead.
    Dead {
        /// The target.
        system: System,
        /// Why.
        class: String,
        /// For people.
        message: String,
        /// Its trace.
        trace: String,
    },
    /// A delivery waits for a link.
    Parked {
        /// The target.
        system: System,
    },
    /// The bucket closed because the target said so.
    Throttled {
        /// The target.
        system: System,
    },
    /// A breaker moved.
    Breaker {
        /// The target.
        system: System,
        /// The operation group.
        operation: String,
        /// `open`, `half_open`, `closed`.
        state: &'static str,
    },
    /// A system was paused.
    Paused {
        /// Which.
        system: System,
        /// Why.
        reason: String,
    },
    /// An operator let a paused system go on.
    Resumed {
        /// Which.
        system: System,
        /// Who and why.
        reason: String,
    },
    /// An operator ordered something else of a system that stands; it is in its journal.
    Ordered {
        /// Which.
        system: System,
        /// What: see `store::Change`.
        what: String,
        /// The operation, or the part that is held; empty for all.
        about: String,
        /// Who and why.
        why: String,
    },
    /// A plan or job moved.
    Job {
        /// `replay`, `retry`, `discard`.
        action: &'static str,
        /// Where it stands.
        state: &'static str,
        /// How many it has set going.
        done: u64,
    },
    /// Rows past their time were taken away.
    Forgotten {
        /// `payload`, `message`, `event`, `delivery`, `intent`, `attempt`, `decision`, `group`, `job`.
        kind: &'static str,
        /// How many.
        count: usize,
    },
    /// Rows are durable in a file of the archive.
    Archived {
        /// How many.
        rows: usize,
        /// The file's size.
        bytes: u64,
    },
    /// A file of the archive could not be written; nothing goes before it is.
    ArchiveFailed {
        /// Why.
        why: String,
    },
    /// What is past its time could not be taken away; it is tried again.
    RetentionFailed {
        /// Why.
        why: String,
    },
    /// A system works by another configuration from now on.
    Configured {
        /// Which.
        system: System,
        /// Whether it finished what was under way and started again; else only what it renders by changed.
        renewed: bool,
    },
    /// A token was fetched.
    Authorised {
        /// The target.
        system: System,
        /// Whether it worked.
        ok: bool,
    },
    /// A system could not be connected; tries again by itself.
    Unconnected {
        /// Which.
        system: System,
        /// Why.
        why: String,
    },
    /// A listing was read.
    Polled {
        /// The source.
        system: System,
        /// The kind of object.
        object: Object,
        /// How many objects.
        count: usize,
    },
    /// A listing failed; tries again by itself.
    PollFailed {
        /// The source.
        system: System,
        /// The kind of object.
        object: Object,
        /// What it means.
        class: Class,
        /// For people.
        why: String,
    },
    /// An object was read by id.
    Fetched {
        /// The source.
        system: System,
    },
    /// An object was unlinked because it is not where the link pointed.
    LinkRot {
        /// The target.
        system: System,
    },
    /// Deliveries to a system wait for the first listing of a kind of object; or do not any more.
    FirstListing {
        /// Which.
        system: System,
        /// The kind of object.
        object: Object,
        /// `waits`, `fails`, `over`.
        step: &'static str,
        /// Why it failed.
        why: String,
    },
    /// After a restore of the store, an object is read before it is written.
    Reread {
        /// The target.
        system: System,
    },
    /// After a restore of the store, a system delivers nothing until everything was read again.
    Rereading {
        /// Which.
        system: System,
    },
    /// After a restore of the store, a system delivers again.
    Reopened {
        /// Which.
        system: System,
        /// Whether everything was read again; else it was waited for long enough.
        whole: bool,
    },
    /// How a spoke stands, now and then: for gauges.
    Gauges {
        /// Which.
        system: System,
        /// Requests on the wire.
        in_flight: usize,
        /// Ready or waiting in memory, per lane.
        held: [usize; 3],
        /// Whether more is in the store.
        behind: bool,
        /// Doubtful intents.
        doubtful: usize,
        /// Bulk jobs that run at the target.
        jobs: usize,
        /// 0 closed, 1 half-open, 2 open: the worst of its breakers.
        breaker: u8,
        /// Whether the bucket is closed by the target.
        throttled: bool,
        /// Whether it is paused.
        paused: bool,
        /// How much that is expected to be heard of it is not.
        silent: usize,
    },
}
