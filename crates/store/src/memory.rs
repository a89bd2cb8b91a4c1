//! The in-memory backend: the rules of the port without a disk. For tests and for the simulator.
//!
//! Deterministic: ordered maps, no threads, no clock. Answers come before the call returns, except that a backend
//! that holds commits back keeps them, with their replies, until [`Memory::sync`]; [`Memory::crash`] loses them, as
//! a crash loses what was not synced.

use std::sync::{Mutex, MutexGuard, PoisonError};

use canonical::Tenant;

use crate::browse::{Browse, Disk, Look, Page, Stats};
use crate::op::Unit;
use crate::query::{Query, Rows};
use crate::{Receipt, Reply, Store, StoreError};

mod answer;
mod apply;
mod look;
mod old;
mod tables;
mod walk;

use tables::Tables;

/// Rows in memory.
#[derive(Default)]
pub struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    tables: Tables,
    holds: bool,
    held: Vec<(Vec<Unit>, Reply<Vec<Receipt>>)>,
    refuses: Option<StoreError>,
    syncs: u64,
}

type Answer = (Reply<Vec<Receipt>>, Result<Vec<Receipt>, StoreError>);

impl Memory {
    /// An empty one that syncs each commit at once.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one that holds commits back until [`Self::sync`].
    #[must_use]
    pub fn holding() -> Self {
        let memory = Self::default();
        memory.lock().holds = true;
        memory
    }

    /// Applies what is held, in the order it came, as one group commit; then replies. Gives how many commits.
    pub fn sync(&self) -> usize {
        let answers: Vec<Answer> = {
            let mut inner = self.lock();
            let held = std::mem::take(&mut inner.held);
            if !held.is_empty() {
                inner.syncs += 1;
            }
            held.into_iter().map(|(units, reply)| (reply, Ok(inner.tables.apply(units)))).collect()
        };
        let commits = answers.len();
        for (reply, answer) in answers {
            reply(answer);
        }
        commits
    }

    /// Loses what is held; nobody is answered. What was synced stays. Gives how many commits were lost.
    pub fn crash(&self) -> usize {
        self.tear(0)
    }

    /// A crash in the middle of a sync: the first `kept` commits are on the disk, the rest is lost, and nobody is
    /// answered. Gives how many commits were lost.
    pub fn tear(&self, kept: usize) -> usize {
        let mut inner = self.lock();
        let held = std::mem::take(&mut inner.held);
        let lost = held.len().saturating_sub(kept);
        for (units, _) in held.into_iter().take(kept) {
            inner.tables.apply(units);
        }
        lost
    }

    /// The disk fails as it syncs: the first `kept` commits happen to be on it, and everybody who waits is told
    /// `error`, as is whoever comes later.
    pub fn fail(&self, kept: usize, error: &StoreError) {
        let replies: Vec<Reply<Vec<Receipt>>> = {
            let mut inner = self.lock();
            inner.refuses = Some(error.clone());
            let held = std::mem::take(&mut inner.held).into_iter().enumerate();
            held.map(|(place, (units, reply))| {
                if place < kept {
                    inner.tables.apply(units);
                }
                reply
            })
            .collect()
        };
        for reply in replies {
            reply(Err(error.clone()));
        }
    }

    /// A copy of what is synced, as a backup would have it.
    #[must_use]
    pub fn copy(&self) -> Self {
        let inner = self.lock();
        let copied = Inner { tables: inner.tables.clone(), holds: inner.holds, ..Inner::default() };
        Self { inner: Mutex::new(copied) }
    }

    /// How many commits are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.lock().held.len()
    }

    /// From now on answers every commit with this error, or with `None` takes commits again. For
    /// [`StoreError::Full`], outcomes are still taken, as from a reserve.
    pub fn refuse(&self, error: Option<StoreError>) {
        self.lock().refuses = error;
    }

    /// How many syncs a disk would have done.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn refusal(&self, units: &[Unit]) -> Option<StoreError> {
        let error = self.refuses.as_ref()?;
        let outcomes = units.iter().all(|unit| crate::rules::urgency(unit) == crate::rules::Urgency::Outcome);
        let taken = matches!(error, StoreError::Full { .. }) && outcomes;
        (!taken).then(|| error.clone())
    }
}

impl Store for Memory {
    fn find(&self, query: Query, reply: Reply<Rows>) {
        let rows = self.lock().tables.answer(query);
        reply(Ok(rows));
    }

    fn commit(&self, units: Vec<Unit>, reply: Reply<Vec<Receipt>>) {
        let answer = {
            let mut inner = self.lock();
            if let Some(error) = inner.refusal(&units) {
                Err(error)
            } else if inner.holds {
                inner.held.push((units, reply));
                return;
            } else {
                inner.syncs += 1;
                Ok(inner.tables.apply(units))
            }
        };
        reply(answer);
    }
}

impl Browse for Memory {
    fn look(&self, tenant: Tenant, look: Look, reply: Reply<Page>) {
        let page = self.lock().tables.look(&tenant, look);
        reply(Ok(page));
    }

    fn stats(&self) -> Stats {
        Stats { disk: Some(Disk { syncs: self.lock().syncs, ..Disk::default() }), ..Stats::default() }
    }

    fn copy_to(&self, path: &std::path::Path) -> Result<(), StoreError> {
        let detail =
            format!("the in-memory store has no files to copy to {}; use the embedded one", path.display());
        Err(StoreError::Refused { detail })
    }
}

#[cfg(test)]
mod tests;
