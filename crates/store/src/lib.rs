//! The storage port: units of operations to commit, set questions to ask, rows to browse.
//!
//! Submit and reply: nothing here blocks. One sync per commit; a receipt per unit. Reads see only synced units.

pub mod browse;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod epoch;
pub mod fair;
pub mod groups;
pub mod memory;
mod op;
mod query;
mod require;
pub mod retention;
pub mod rules;
pub mod standing;
mod system;
mod version;

pub use browse::{Browse, Stats};
pub use epoch::{Epoch, Reread, RestoreRow, Restored};
pub use memory::Memory;
pub use op::{Applied, Attempt, Decided, Fetch, Op, Unit, unlinked};
pub use query::{Backlog, Claimed, Head, Query, Rows, SpokeAsk, SpokeRow, Walk, Walked, WalkedMessage};
pub use require::Require;
pub use standing::{Change, ForcedBreaker, HeldPart, Hold, StandingOrders};
pub use system::{BulkJob, FirstListing, SystemState};
pub use version::{VERSIONS_PAGE_MAX, Version, VersionKey};

/// Called once with the answer, on any thread.
pub type Reply<T> = Box<dyn FnOnce(Result<T, StoreError>) + Send>;

/// What the store says of one unit.
#[derive(Clone, PartialEq, Debug)]
pub enum Receipt {
    /// Applied and synced. Holds the heads of the obligations that can be gone on with at once, in the order of the
    /// ops that made them so: raised (and still open), woken by a link, put back into line because more is wanted
    /// than was judged, opened again, or next in line after a `notify` that came to rest. A `notify` obligation
    /// behind an open one is not among them, nor is a parked one.
    Done(Vec<Head>),
    /// Something it required does not hold: nothing of it was applied. Decide again on a fresh view.
    Conflict,
}

/// Why the store did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No room: intake stops first, then sends; a reserve keeps room for outcomes. Heals by itself.
    #[error("the store's disk is full ({detail}): free space; work goes on by itself")]
    Full {
        /// Which limit was met.
        detail: String,
    },
    /// The disk failed to sync or to write: nothing may be trusted any more, the process stops.
    #[error(
        "the store failed to write durably ({detail}): the process stops; check the disk, then start again"
    )]
    Broken {
        /// What the system said.
        detail: String,
    },
    /// A stored row can't be read.
    #[error("a stored row can't be read ({detail})")]
    Corrupt {
        /// Which, and why; no values.
        detail: String,
    },
    /// The store can't do this, whatever its state.
    #[error("the store refuses: {detail}")]
    Refused {
        /// What, and why.
        detail: String,
    },
    /// The store is closing.
    #[error("the store is closing")]
    Closed,
}

/// The hot port.
pub trait Store: Send + Sync {
    /// Answers a set question from synced state.
    fn find(&self, query: Query, reply: Reply<Rows>);
    /// Applies units, each all or nothing, and syncs once. Units of one commit touch disjoint keys.
    fn commit(&self, units: Vec<Unit>, reply: Reply<Vec<Receipt>>);
}
