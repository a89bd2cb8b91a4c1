//! Epochs: a store that was restored from a backup knows less than the world does.
//!
//! Each restore mints one, durably. Whatever was stored before it says how things stood when the backup was taken: of
//! links, shadows and open intents it is not known whether they still hold, until they were read. Rows carry no epoch of
//! their own: what was written or seen at or before `restored_at` is of an earlier one.

use canonical::Wall;
use serde::{Deserialize, Serialize};

/// The newest restore, and how far one system is with reading again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Restored {
    /// The restore.
    pub epoch: Epoch,
    /// How far the system is.
    pub reread: Reread,
}

/// A restore.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Epoch {
    /// Counts up with each restore.
    pub number: i64,
    /// When the backup was taken.
    pub taken_at: Wall,
    /// When it was restored.
    pub restored_at: Wall,
}

/// How far a system is with reading again what it may have missed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reread {
    /// Since when all its listings have been read once.
    pub read_at: Option<Wall>,
    /// Since when it delivers again.
    pub open_at: Option<Wall>,
}

impl Epoch {
    /// Whether something of that time is of an earlier epoch.
    #[must_use]
    pub fn is_after(&self, at: Wall) -> bool {
        at <= self.restored_at
    }
}
