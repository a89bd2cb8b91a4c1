//! Who waits outside for a delivery to end, for an object to be read, or for something to change about a system. Told by
//! the commits that settle it, never by asking the store again and again; bounded in number (I19).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use canonical::{ExternalRef, System, Wall};
use hub::{Input, MachineId, Notice, Raised};
use ledger::{ObligationKey, State};
use store::browse::{Look, Page};
use store::{Change, Fetch, Op, Receipt, StoreError, Unit};
use tokio::sync::{Notify, oneshot};

use crate::handle::Handle;

/// Requests that wait at once, at most.
const WATCHES_MAX: usize = 256;
/// Deliveries that one request waits for, at most.
pub const WATCHED_MAX: usize = 32;

/// How a delivery stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    state: State,
    /// Whether the version that was raised is done with.
    reached: bool,
    /// The class of reason, where there is one.
    pub class: Option<String>,
}

impl Standing {
    /// Its state's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.state.name()
    }

    /// Whether the target has what was raised: delivered, or there was nothing to say to it.
    #[must_use]
    pub const fn arrived(&self) -> bool {
        self.reached && matches!(self.state, State::Delivered | State::Skipped)
    }

    /// Whether it comes to nothing else by itself.
    const fn is_final(&self) -> bool {
        self.reached
            || matches!(self.state, State::Dead | State::Discarded | State::Erased | State::Uncertain)
    }
}

/// The table of those who wait.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    /// Those who wait or will: while there are none, commits are not looked at.
    count: AtomicUsize,
    by_thing: Mutex<BTreeMap<Thing, Vec<Arc<Waiter>>>>,
}

/// What is waited for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Thing {
    Delivery(ObligationKey),
    Read(ExternalRef),
    /// Any system's journal.
    Journal,
}

/// What became of it.
#[derive(Clone, Debug)]
enum News {
    Stands(Standing),
    /// An object was read, and taken in or kept aside.
    Read {
        aside: bool,
    },
    /// It could not be read; it is tried again later.
    Delayed,
    /// The journal has another line.
    Changed,
}

/// What a read of one object came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReadThrough {
    /// It was read after it was asked for, and is taken in.
    Fresh(Wall),
    /// It was read, and waits: for an object it refers to, or for a person.
    Aside,
    /// The system did not give it; it is tried again later.
    Failed,
    /// Not in time: the read stays asked for.
    Late,
    /// It could not be asked for; the text says why.
    Unasked(String),
}

#[derive(Debug, Default)]
struct Waiter {
    news: Mutex<Vec<Settled>>,
    notify: Notify,
}

/// What a commit settles.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    unit: usize,
    thing: Thing,
    /// A record's version, or when a read began.
    version: i64,
    news: News,
}

/// Somebody who will wait. Announced before the offer, so that nothing that settles is missed.
#[must_use]
pub struct Watch {
    hub: Handle,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.hub.shared.watches.count.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Watches {
    /// What a commit settles, if anybody waits for anything.
    pub(crate) fn settled(&self, units: &[Unit]) -> Vec<Settled> {
        if self.count.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (unit, ops) in units.iter().map(|unit| &unit.ops).enumerate() {
            for op in ops {
                let Some((thing, version, news)) = settles(op, ops) else { continue };
                found.push(Settled { unit, thing, version, news });
            }
        }
        found
    }

    /// The commit is durable: those who wait are told.
    pub(crate) fn tell(&self, settled: Vec<Settled>, receipts: &[Receipt]) {
        for one in settled {
            if !matches!(receipts.get(one.unit), Some(Receipt::Done(_))) {
                continue;
            }
            let waiting = self.table().get(&one.thing).cloned().unwrap_or_default();
            for waiter in waiting {
                waiter.news().push(one.clone());
                waiter.notify.notify_one();
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<Thing, Vec<Arc<Waiter>>>> {
        self.by_thing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an operation settles; `all` is its whole unit.
fn settles(op: &Op, all: &[Op]) -> Option<(Thing, i64, News)> {
    Some(match op {
        Op::Settle { key, level, reached, state, reason, .. } => {
            let class = reason.as_ref().map(|reason| reason.class.clone());
            let standing = Standing { state: *state, reached: *reached, class };
            (Thing::Delivery(key.clone()), level.version, News::Stands(standing))
        }
        Op::DoneFetch { external, started, .. } => {
            let aside = all.iter().any(Op::keeps_aside);
            (Thing::Read(external.clone()), started.micros(), News::Read { aside })
        }
        Op::DelayFetch { external, .. } => (Thing::Read(external.clone()), i64::MAX, News::Delayed),
        Op::PutChange(_) => (Thing::Journal, i64::MAX, News::Changed),
        _ => return None,
    })
}

impl Waiter {
    fn news(&self) -> MutexGuard<'_, Vec<Settled>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Things under which a waiter is entered; taken out when dropped, also when the caller goes away.
struct Entered<'w> {
    watches: &'w Watches,
    things: Vec<Thing>,
    waiter: Arc<Waiter>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut table = self.watches.table();
        for thing in &self.things {
            if let Some(waiting) = table.get_mut(thing) {
                waiting.retain(|waiter| !Arc::ptr_eq(waiter, &self.waiter));
                if waiting.is_empty() {
                    table.remove(thing);
                }
            }
        }
    }
}

impl Watches {
    fn enter(&self, things: Vec<Thing>) -> Entered<'_> {
        let waiter = Arc::new(Waiter::default());
        for thing in &things {
            self.table().entry(thing.clone()).or_default().push(Arc::clone(&waiter));
        }
        Entered { watches: self, things, waiter }
    }
}

impl Handle {
    /// Announces that the caller will wait for what its next offer raises; `None` when too many wait already.
    #[must_use]
    pub fn watch(&self) -> Option<Watch> {
        let count = &self.shared.watches.count;
        let room = |count: usize| (count < WATCHES_MAX).then_some(count + 1);
        count.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).ok()?;
        Some(Watch { hub: self.clone() })
    }
}

impl Watch {
    /// Waits until each of these deliveries has ended, at most so long; of more than [`WATCHED_MAX`] the first. Gives
    /// how each stands then, in their order; `None` where the store did not say.
    pub async fn until(self, raised: &[Raised], longest: Duration) -> Vec<Option<Standing>> {
        let raised = raised.get(..raised.len().min(WATCHED_MAX)).unwrap_or_default();
        let watches = &self.hub.shared.watches;
        let entered = watches.enter(raised.iter().map(|one| Thing::Delivery(one.key.clone())).collect());
        let waiter = &entered.waiter;
        let mut standing = vec![None; raised.len()];
        let ended = async {
            // What ended before it was entered is seen in the store, once.
            for (one, stands) in raised.iter().zip(&mut standing) {
                *stands = self.look(one).await;
            }
            loop {
                for news in std::mem::take(&mut *waiter.news()) {
                    let (Thing::Delivery(key), News::Stands(now)) = (&news.thing, &news.news) else {
                        continue;
                    };
                    for (one, stands) in raised.iter().zip(&mut standing) {
                        if one.key == *key && news.version >= one.version {
                            *stands = Some(now.clone());
                        }
                    }
                }
                if standing.iter().all(|stands| stands.as_ref().is_some_and(Standing::is_final)) {
                    return;
                }
                waiter.notify.notified().await;
            }
        };
        let _in_time = tokio::time::timeout(longest, ended).await.is_ok();
        standing
    }

    /// Asks for one object through its system's own admission (limits, breaker, pause), and waits until what was read
    /// is taken in, at most so long. What comes later is taken in all the same.
    pub async fn read(self, external: ExternalRef, longest: Duration) -> ReadThrough {
        let shared = &self.hub.shared;
        let entered = shared.watches.enter(vec![Thing::Read(external.clone())]);
        let asked = self.hub.now().wall;
        let waiter = &entered.waiter;
        let ended = async {
            if let Err(error) = self.want(external.clone(), asked).await {
                return ReadThrough::Unasked(error.to_string());
            }
            let spoke = MachineId::Spoke(external.system.clone());
            if !shared.post(&spoke, Input::Told(Notice::FetchWanted)) {
                return ReadThrough::Unasked(format!("nothing runs for the system {}", external.system));
            }
            loop {
                for news in std::mem::take(&mut *waiter.news()) {
                    match news.news {
                        // A read that began before it was asked for says nothing about now.
                        News::Read { aside } if news.version >= asked.micros() => {
                            let at = Wall(news.version);
                            return if aside { ReadThrough::Aside } else { ReadThrough::Fresh(at) };
                        }
                        News::Delayed => return ReadThrough::Failed,
                        News::Read { .. } | News::Stands(_) | News::Changed => {}
                    }
                }
                waiter.notify.notified().await;
            }
        };
        tokio::time::timeout(longest, ended).await.unwrap_or(ReadThrough::Late)
    }

    /// What changed about systems after a position, oldest first; where nothing has yet, waits for the first that does, at
    /// most so long.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn changes(
        self,
        system: Option<System>,
        after: Option<i64>,
        limit: usize,
        longest: Duration,
    ) -> Result<Vec<(i64, Change)>, StoreError> {
        let entered = self.hub.shared.watches.enter(vec![Thing::Journal]);
        let waiter = &entered.waiter;
        let look = async || {
            let look = Look::ChangesAfter { system: system.clone(), after, limit };
            Ok(match self.hub.look(look).await? {
                Page::Changes(rows) => rows,
                _ => Vec::new(),
            })
        };
        // However short the wait, what is there already is given.
        let known = look().await?;
        if !known.is_empty() {
            return Ok(known);
        }
        let come = async {
            loop {
                waiter.notify.notified().await;
                waiter.news().clear();
                let rows: Vec<(i64, Change)> = look().await?;
                if !rows.is_empty() {
                    return Ok(rows);
                }
            }
        };
        tokio::time::timeout(longest, come).await.unwrap_or(Ok(Vec::new()))
    }

    /// The wish for a read is durable, as a source's own hint is.
    async fn want(&self, external: ExternalRef, asked: Wall) -> Result<(), StoreError> {
        let tenant = self.hub.tenant().clone();
        let fetch =
            Fetch { tenant, external, hinted_at: asked, due: asked, attempts: 0, trace: String::new() };
        let (tell, told) = oneshot::channel();
        let reply = Box::new(move |receipts: Result<Vec<Receipt>, StoreError>| {
            let _gone = tell.send(receipts.map(|_| ())).is_err();
        });
        let unit = Unit { require: Vec::new(), ops: vec![Op::WantFetch(fetch)] };
        self.hub.shared.store.commit(vec![unit], reply);
        told.await.unwrap_or(Err(StoreError::Closed))
    }

    async fn look(&self, raised: &Raised) -> Option<Standing> {
        match self.hub.look(Look::Delivery(raised.key.clone())).await {
            Ok(Page::Delivery(Some((row, _, _)))) => Some(Standing {
                state: row.state,
                reached: row.reached.version >= raised.version,
                class: row.reason.map(|reason| reason.class),
            }),
            _ => None,
        }
    }
}
