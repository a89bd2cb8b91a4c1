//! The store is lost, and an old backup of it restored: the targets have moved on, and the hub does not know.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use canonical::{System, Wall};
use store::memory::Memory;
use store::{Epoch, Op, Store as _, Unit};

use super::{Happening, files};
use crate::driver::{Simulation, micros};

/// What is on its way to a target arrives before a person has restored anything.
const RESTORING: Duration = Duration::from_secs(15);
/// A source may be ill for so long before its changes are read again, in microseconds.
const READING_AGAIN: u64 = 240_000_000;

/// A backup of the store.
pub(super) struct Backup {
    store: Memory,
    taken_at: Wall,
    /// The same in virtual microseconds.
    at: u64,
    /// What was acknowledged until then.
    acknowledged: BTreeSet<usize>,
    /// What the source had ever had until then.
    known: BTreeSet<String>,
}

impl std::fmt::Debug for Backup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backup").field("taken_at", &self.taken_at).finish_non_exhaustive()
    }
}

impl Simulation {
    fn acknowledged_so_far(&self) -> BTreeSet<usize> {
        let sayings = self.sayings.iter().enumerate();
        sayings.filter(|(_, saying)| saying.acknowledged).map(|(index, _)| index).collect()
    }

    /// What the source has, or had once.
    fn ever_at_the_source(&self) -> BTreeSet<String> {
        let source = System::new(files::SOURCE).ok().and_then(|source| self.targets.get(&source));
        source.into_iter().flat_map(|vendor| vendor.objects.values().map(|item| item.name.clone())).collect()
    }

    /// The store is backed up; some time later it will be lost.
    pub(super) fn back_up(&mut self) {
        let backup = Backup {
            store: self.store.copy(),
            taken_at: self.clock().wall,
            at: self.now,
            acknowledged: self.acknowledged_so_far(),
            known: self.ever_at_the_source(),
        };
        self.remember("! the store is backed up");
        self.did("BackedUp");
        if let Some(estate) = &mut self.estate {
            estate.backup = Some(backup);
        }
        self.again(Happening::Restore, 120);
    }

    /// The store is lost. A person restores the backup, and starts the hub.
    pub(super) fn restore(&mut self) {
        let (acknowledged, known) = (self.acknowledged_so_far(), self.ever_at_the_source());
        let Some(backup) = self.estate.as_mut().and_then(|estate| estate.backup.take()) else { return };
        self.remember("! the store is lost, and the backup restored");
        self.did("Restored");
        self.events_of_starts();
        self.die(RESTORING);
        let restored_at = self.clock().wall;
        self.store = Arc::new(backup.store);
        let epoch = Epoch { number: restored_at.micros(), taken_at: backup.taken_at, restored_at };
        let unit = Unit { require: Vec::new(), ops: vec![Op::PutEpoch(epoch)] };
        self.store.commit(vec![unit], Box::new(drop));
        self.store.sync();
        let now = self.now;
        if let Some(estate) = &mut self.estate {
            estate.bulk.forget();
            estate.notes.restored(backup.at);
            estate.forgotten.extend(acknowledged.difference(&backup.acknowledged));
            estate.unborn.extend(known.difference(&backup.known).cloned());
            estate.behind_until = now + micros(RESTORING) + READING_AGAIN;
        }
        self.again(Happening::BackUp, 200);
    }
}
