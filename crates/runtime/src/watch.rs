//! Who waits outside for a delivery to end. Told by the commits that settle it, never by asking the store again and
//! again; bounded in number (I19).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hub::Raised;
use ledger::{ObligationKey, State};
use store::browse::{Look, Page};
use store::{Op, Receipt, Unit};
use tokio::sync::Notify;

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
    by_key: Mutex<BTreeMap<ObligationKey, Vec<Arc<Waiter>>>>,
}

#[derive(Debug, Default)]
struct Waiter {
    news: Mutex<Vec<Settled>>,
    notify: Notify,
}

/// A delivery that a commit settles.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    unit: usize,
    key: ObligationKey,
    version: i64,
    standing: Standing,
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
                let Op::Settle { key, level, reached, state, reason, .. } = op else { continue };
                let class = reason.as_ref().map(|reason| reason.class.clone());
                let standing = Standing { state: *state, reached: *reached, class };
                found.push(Settled { unit, key: key.clone(), version: level.version, standing });
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
            let waiting = self.table().get(&one.key).cloned().unwrap_or_default();
            for waiter in waiting {
                waiter.news().push(one.clone());
                waiter.notify.notify_one();
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<ObligationKey, Vec<Arc<Waiter>>>> {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    fn news(&self) -> MutexGuard<'_, Vec<Settled>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keys under which a waiter is entered; taken out when dropped, also when the caller goes away.
struct Entered<'w> {
    watches: &'w Watches,
    keys: Vec<ObligationKey>,
    waiter: Arc<Waiter>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut table = self.watches.table();
        for key in &self.keys {
            if let Some(waiting) = table.get_mut(key) {
                waiting.retain(|waiter| !Arc::ptr_eq(waiter, &self.waiter));
                if waiting.is_empty() {
                    table.remove(key);
                }
            }
        }
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
        let waiter = Arc::new(Waiter::default());
        let keys: Vec<ObligationKey> = raised.iter().map(|one| one.key.clone()).collect();
        for key in &keys {
            watches.table().entry(key.clone()).or_default().push(Arc::clone(&waiter));
        }
        let _entered = Entered { watches, keys, waiter: Arc::clone(&waiter) };
        let mut standing = Vec::with_capacity(raised.len());
        // What ended before it was entered is seen in the store, once.
        for one in raised {
            standing.push(self.look(one).await);
        }
        let ended = async {
            loop {
                for news in std::mem::take(&mut *waiter.news()) {
                    for (one, stands) in raised.iter().zip(&mut standing) {
                        if one.key == news.key && news.version >= one.version {
                            *stands = Some(news.standing.clone());
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
