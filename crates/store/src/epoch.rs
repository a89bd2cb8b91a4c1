//! Epochs: a store that was restored from a backup knows less than the world does.
//!
//! Each restore mints one, durably. Whatever was stored before it says how things stood when the backup was taken: of
//! links, shadows and open intents it is not known whether they still hold, until they were read. Rows carry no epoch of
//! their own: what was written or seen at or before `restored_at` is of an earlier one.

use canonical::Wall;
use serde::{Deserialize, Serialize};

/// The newest restore, and how far one system is with reading again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restored {
    /// The restore.
    pub epoch: Epoch,
    /// How far the system is.
    pub reread: Reread,
    /// Of earlier restores, oldest first: from when to when what was made had other ids before (after the one, up to the
    /// other). The end is that of all times where the system never delivered again.
    pub renamed: Vec<(Wall, Wall)>,
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

/// What is kept of one restore for one system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RestoreRow {
    /// The restore.
    pub epoch: Epoch,
    /// How far the system is; `None`: nothing is kept of it.
    pub reread: Option<Reread>,
    /// Whether another system delivers again since.
    pub others_open: bool,
}

impl RestoreRow {
    /// How far the system is. Each says at its first start after a restore that it is behind: one that does not, while
    /// others deliver again, joined since, and has missed nothing.
    fn reread(self) -> Reread {
        let since = Some(self.epoch.restored_at).filter(|_| self.others_open);
        self.reread.unwrap_or(Reread { read_at: since, open_at: since })
    }
}

impl Restored {
    /// The newest of some restores, in any order. `None` without any.
    #[must_use]
    pub fn newest(mut all: Vec<RestoreRow>) -> Option<Self> {
        all.sort_unstable_by_key(|kept| kept.epoch.number);
        let newest = all.pop()?;
        let until = |kept: RestoreRow| kept.reread().open_at.unwrap_or(Wall(i64::MAX));
        let renamed = all.into_iter().map(|kept| (kept.epoch.restored_at, until(kept))).collect();
        Some(Self { epoch: newest.epoch, reread: newest.reread(), renamed })
    }
}

impl Epoch {
    /// Whether something of that time is of an earlier epoch.
    #[must_use]
    pub fn is_after(&self, at: Wall) -> bool {
        at <= self.restored_at
    }
}
