//! What the threads of one store share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use store::browse::Disk;
use store::{Reply, Stats, StoreError};

use crate::Options;
use crate::journal::OpenIntents;
use crate::lately::Lately;
use crate::syncer::Gate;
use crate::vault::Vault;

/// Counters since the store was opened.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) groups: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) units: AtomicU64,
    pub(crate) conflicts: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) checkpoints: AtomicU64,
    pub(crate) finds: AtomicU64,
    pub(crate) log_pages: AtomicU64,
}

/// A reply that is given in any case: dropped unanswered, it says that the store is closing.
pub(crate) struct Answering<T>(Option<Reply<T>>);

impl<T> Answering<T> {
    pub(crate) const fn new(reply: Reply<T>) -> Self {
        Self(Some(reply))
    }

    pub(crate) fn answer(mut self, answer: Result<T, StoreError>) {
        if let Some(reply) = self.0.take() {
            reply(answer);
        }
    }
}

impl<T> Drop for Answering<T> {
    fn drop(&mut self) {
        if let Some(reply) = self.0.take() {
            reply(Err(StoreError::Closed));
        }
    }
}

/// Shared by the writer, the syncer, the readers and the checkpointer.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) vault: Arc<Vault>,
    pub(crate) counters: Counters,
    pub(crate) gate: Gate,
    broken: OnceLock<String>,
    full: Mutex<Option<String>>,
    open: Mutex<Arc<OpenIntents>>,
    lately: Mutex<Lately>,
}

impl Shared {
    pub(crate) fn new(options: Options, vault: Arc<Vault>, open: Arc<OpenIntents>) -> Self {
        Self {
            options,
            vault,
            counters: Counters::default(),
            gate: Gate::default(),
            broken: OnceLock::new(),
            full: Mutex::new(None),
            open: Mutex::new(open),
            lately: Mutex::default(),
        }
    }

    /// Nothing may be trusted any more (I2). The first reason stands.
    pub(crate) fn break_down(&self, detail: &str) {
        self.broken.get_or_init(|| detail.to_owned());
    }

    /// Why nothing may be trusted any more, if so.
    pub(crate) fn broken(&self) -> Option<&String> {
        self.broken.get()
    }

    pub(crate) fn set_full(&self, detail: Option<String>) {
        *self.full.lock().unwrap_or_else(PoisonError::into_inner) = detail;
    }

    pub(crate) fn full_detail(&self) -> String {
        let full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        full.clone().unwrap_or_else(|| "no room".to_owned())
    }

    /// The intents that are open as of the last commit. To be taken before the rows that go with them are read: then an
    /// intent that has just ended may still be among them (its row says so), but none is missing that was open when
    /// the question was asked.
    pub(crate) fn open(&self) -> Arc<OpenIntents> {
        Arc::clone(&self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// For the writer: what readers will see.
    pub(crate) fn open_mut(&self) -> MutexGuard<'_, Arc<OpenIntents>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records as the last groups left them. While this is held the open intents are of the same group.
    pub(crate) fn lately(&self) -> MutexGuard<'_, Lately> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stats(&self) -> Stats {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        let disk = Disk {
            groups: of(&counters.groups),
            syncs: of(&counters.syncs),
            checkpoints: of(&counters.checkpoints),
            log_pages: of(&counters.log_pages),
        };
        Stats {
            commits: of(&counters.commits),
            units: of(&counters.units),
            conflicts: of(&counters.conflicts),
            finds: of(&counters.finds),
            disk: Some(disk),
            full: self.full.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}
