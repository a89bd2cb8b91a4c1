//! One store for several tenants, shared fairly: each has a booth, and the booths take turns.
//!
//! A backend has one queue for commits and one for questions, first come, first served: a tenant that fills them would
//! make all others wait. A booth lets only so much of its tenant into these queues; what is more waits in the booth, and
//! whoever has room goes in turn. So a commit finds at most a [bounded](Bounds) number of any other tenant's before it.
//!
//! What waits in a booth is bounded by whoever asks: machines by their open tickets, operators by their connections.
//!
//! A booth also shows a tenant only what is its own: figures of its own commits and questions, [hidden](Cover) positions,
//! since those of the backend count the rows of all, and no count that is taken from them.

mod turns;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use canonical::Tenant;

pub use turns::{Most, Turn, Turns};

use crate::browse::{Browse, Look, Page, Stats};
use crate::{Query, Receipt, Reply, Rows, Store, StoreError, Unit};

/// How much of one tenant may be in the backend's queues at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Commits, and operations in them. A commit with more operations goes alone.
    pub commits: Most,
    /// Questions of machines.
    pub finds: usize,
    /// Questions of operators: they may read many rows.
    pub looks: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { commits: Most { count: 64, weight: 1024 }, finds: 32, looks: 2 }
    }
}

/// The backend's queues take so many commits, and so many questions, before whoever asks has to wait.
const QUEUED_MAX: usize = 4096;

impl Bounds {
    /// For so many tenants: all of them together never fill the backend's queues, since whoever hands over must not
    /// have to wait there.
    #[must_use]
    pub fn among(tenants: usize) -> Self {
        let Self { commits, finds, looks } = Self::default();
        let each = (QUEUED_MAX / 2 / tenants.max(1)).max(1);
        Self {
            commits: Most { count: commits.count.min(each), ..commits },
            finds: finds.min((each / 2).max(1)),
            looks: looks.min((each / 2).max(1)),
        }
    }
}

/// Positions as a tenant sees them: another order, another distance, the same one for the same.
pub trait Cover: Send + Sync {
    /// As shown.
    fn hide(&self, position: i64) -> i64;
    /// The position that is shown so.
    fn find(&self, shown: i64) -> i64;
    /// Whether counts that come from positions are told.
    fn counts(&self) -> bool {
        false
    }
}

/// A tenant's place before the store.
pub struct Booth<S> {
    fair: Arc<Fair<S>>,
    number: usize,
    cover: Arc<dyn Cover>,
    own: Arc<Own>,
}

/// What one tenant has asked of the store.
#[derive(Default)]
struct Own {
    commits: AtomicU64,
    units: AtomicU64,
    conflicts: AtomicU64,
    finds: AtomicU64,
}

struct Fair<S> {
    store: Arc<S>,
    queues: Mutex<Queues>,
}

struct Queues {
    commits: Turns<Job>,
    finds: Turns<Job>,
    looks: Turns<Job>,
    /// Somebody hands jobs over: in order, one after the other.
    handing: bool,
}

/// Which of the three.
#[derive(Clone, Copy)]
enum Kind {
    Commit,
    Find,
    Look,
}

enum Job {
    Commit(Vec<Unit>, Reply<Vec<Receipt>>),
    Find(Query, Reply<Rows>),
    Look(Tenant, Look, Reply<Page>),
}

/// A booth for each cover, in that order.
#[must_use]
pub fn booths<S: Store + Browse + 'static>(
    store: Arc<S>,
    covers: Vec<Arc<dyn Cover>>,
    bounds: Bounds,
) -> Vec<Booth<S>> {
    let count = covers.len();
    let by_count = |count| Most { count, weight: usize::MAX };
    let queues = Queues {
        commits: Turns::new(count, bounds.commits),
        finds: Turns::new(count, by_count(bounds.finds)),
        looks: Turns::new(count, by_count(bounds.looks)),
        handing: false,
    };
    let fair = Arc::new(Fair { store, queues: Mutex::new(queues) });
    let booth = |(number, cover)| Booth { fair: Arc::clone(&fair), number, cover, own: Arc::default() };
    covers.into_iter().enumerate().map(booth).collect()
}

impl Queues {
    fn turns(&mut self, kind: Kind) -> &mut Turns<Job> {
        match kind {
            Kind::Commit => &mut self.commits,
            Kind::Find => &mut self.finds,
            Kind::Look => &mut self.looks,
        }
    }

    fn next(&mut self) -> Option<(Kind, Turn, Job)> {
        [Kind::Commit, Kind::Find, Kind::Look].into_iter().find_map(|kind| {
            let (turn, job) = self.turns(kind).take()?;
            Some((kind, turn, job))
        })
    }
}

impl<S> Fair<S> {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Store + Browse + 'static> Fair<S> {
    fn enter(self: &Arc<Self>, kind: Kind, turn: Turn, job: Job) {
        self.lock().turns(kind).enter(turn, job);
        self.hand_over();
    }

    fn done(self: &Arc<Self>, kind: Kind, turn: Turn) {
        self.lock().turns(kind).done(turn);
        self.hand_over();
    }

    /// Hands over whatever may go. One hand at a time, so that a tenant's jobs stay in their order; a backend that
    /// answers at once comes back in here, finds that hand at work, and leaves the rest to it.
    fn hand_over(self: &Arc<Self>) {
        if std::mem::replace(&mut self.lock().handing, true) {
            return;
        }
        let mut hand = Hand { fair: self, at_work: true };
        while let Some((kind, turn, job)) = hand.next() {
            self.pass(kind, turn, job);
        }
    }

    fn pass(self: &Arc<Self>, kind: Kind, turn: Turn, job: Job) {
        match job {
            Job::Commit(units, reply) => self.store.commit(units, self.counted(kind, turn, reply)),
            Job::Find(query, reply) => self.store.find(query, self.counted(kind, turn, reply)),
            Job::Look(tenant, look, reply) => {
                self.store.look(tenant, look, self.counted(kind, turn, reply));
            }
        }
    }

    /// The reply, which also makes room for what waits.
    fn counted<T: 'static>(self: &Arc<Self>, kind: Kind, turn: Turn, reply: Reply<T>) -> Reply<T> {
        let fair = Arc::clone(self);
        Box::new(move |answer| {
            fair.done(kind, turn);
            reply(answer);
        })
    }
}

/// The hand that hands over.
struct Hand<'f, S> {
    fair: &'f Fair<S>,
    at_work: bool,
}

impl<S> Hand<'_, S> {
    /// What goes next. Where nothing may go the hand rests from the same moment on: what comes later finds it so.
    fn next(&mut self) -> Option<(Kind, Turn, Job)> {
        let mut queues = self.fair.lock();
        let next = queues.next();
        self.at_work = next.is_some();
        queues.handing = self.at_work;
        next
    }
}

impl<S> Drop for Hand<'_, S> {
    /// A backend that panics takes the hand's task with it, and must not keep all tenants' jobs for ever.
    fn drop(&mut self) {
        if self.at_work {
            self.fair.lock().handing = false;
        }
    }
}

impl<S: Store + Browse + 'static> Booth<S> {
    fn enter(&self, kind: Kind, weight: usize, job: Job) {
        self.fair.enter(kind, Turn { tenant: self.number, weight }, job);
    }
}

impl<S: Store + Browse + 'static> Store for Booth<S> {
    fn find(&self, query: Query, reply: Reply<Rows>) {
        self.own.finds.fetch_add(1, Ordering::Relaxed);
        self.enter(Kind::Find, 1, Job::Find(query, reply));
    }

    fn commit(&self, units: Vec<Unit>, reply: Reply<Vec<Receipt>>) {
        let own = Arc::clone(&self.own);
        let counted: Reply<Vec<Receipt>> = Box::new(move |answer| {
            if let Ok(receipts) = &answer {
                own.count(receipts);
            }
            reply(answer);
        });
        let weight = units.iter().map(|unit| unit.ops.len()).sum::<usize>().max(1);
        self.enter(Kind::Commit, weight, Job::Commit(units, counted));
    }
}

impl Own {
    fn count(&self, receipts: &[Receipt]) {
        let conflicts = receipts.iter().filter(|one| **one == Receipt::Conflict).count();
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.units.fetch_add(receipts.len() as u64, Ordering::Relaxed);
        self.conflicts.fetch_add(conflicts as u64, Ordering::Relaxed);
    }
}

impl<S: Store + Browse + 'static> Browse for Booth<S> {
    fn look(&self, tenant: Tenant, mut look: Look, reply: Reply<Page>) {
        self.own.finds.fetch_add(1, Ordering::Relaxed);
        let cover = Arc::clone(&self.cover);
        if let Some(position) = look.position() {
            *position = cover.find(*position);
        }
        let hidden: Reply<Page> = Box::new(move |page: Result<Page, StoreError>| {
            reply(page.map(|mut page| {
                for position in page.positions() {
                    *position = cover.hide(*position);
                }
                if !cover.counts() {
                    page.uncounted();
                }
                page
            }));
        });
        self.enter(Kind::Look, 1, Job::Look(tenant, look, hidden));
    }

    /// Of this tenant's own commits and questions. What the store does for all together is not among it.
    fn stats(&self) -> Stats {
        let own = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Stats {
            commits: own(&self.own.commits),
            units: own(&self.own.units),
            conflicts: own(&self.own.conflicts),
            finds: own(&self.own.finds),
            full: self.fair.store.stats().full,
            ..Stats::default()
        }
    }

    fn copy_to(&self, _: &Path) -> Result<(), StoreError> {
        let detail = "a copy would hold every tenant's rows: it is made of the whole store".to_owned();
        Err(StoreError::Refused { detail })
    }
}

#[cfg(test)]
mod tests;
