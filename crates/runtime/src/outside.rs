//! Who waits outside for an answer of a machine: offers with their permits, and operators' orders.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hub::{Ack, Ticket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::options::Limits;

/// Bytes per permit: a semaphore counts at most 2^29 or so, bodies are larger than single bytes matter.
const UNIT_BYTES: usize = 1024;

/// Room that an offer takes until it is acknowledged, whether or not somebody still waits for it.
#[derive(Debug)]
pub(crate) struct Room {
    _offer: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Waiter {
    tell: oneshot::Sender<Ack>,
    _room: Option<Room>,
}

/// The table of those who wait.
#[derive(Debug)]
pub(crate) struct Outside {
    offers: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    bytes_max: usize,
    wait: Duration,
    next: AtomicU64,
    waiters: Mutex<Option<BTreeMap<Ticket, Waiter>>>,
}

impl Outside {
    pub(crate) fn new(limits: Limits) -> Self {
        let bytes_max = units(limits.offer_bytes_max);
        Self {
            offers: Arc::new(Semaphore::new(limits.offers_max)),
            bytes: Arc::new(Semaphore::new(bytes_max)),
            bytes_max,
            wait: limits.offer_wait,
            next: AtomicU64::new(0),
            waiters: Mutex::new(Some(BTreeMap::new())),
        }
    }

    /// Room for an offer of `bytes`, waiting a bounded time for it.
    pub(crate) async fn room(&self, bytes: usize) -> Option<Room> {
        // An offer larger than all room takes all of it: it would otherwise wait for ever.
        let wanted = u32::try_from(units(bytes).clamp(1, self.bytes_max)).unwrap_or(u32::MAX);
        let both = async {
            let offer = Arc::clone(&self.offers).acquire_owned().await.ok()?;
            let bytes = Arc::clone(&self.bytes).acquire_many_owned(wanted).await.ok()?;
            Some(Room { _offer: offer, _bytes: bytes })
        };
        tokio::time::timeout(self.wait, both).await.ok().flatten()
    }

    /// Enters somebody who waits; `None` when everything has ended.
    pub(crate) fn enter(&self, room: Option<Room>) -> Option<(Ticket, oneshot::Receiver<Ack>)> {
        let ticket = Ticket(self.next.fetch_add(1, Ordering::Relaxed) + 1);
        let (tell, told) = oneshot::channel();
        self.lock().as_mut()?.insert(ticket, Waiter { tell, _room: room });
        Some((ticket, told))
    }

    /// Tells who waits for `ticket`. Nobody may be listening any more: the room is free all the same.
    pub(crate) fn answer(&self, ticket: Ticket, ack: Ack) {
        let waiter = self.lock().as_mut().and_then(|waiters| waiters.remove(&ticket));
        if let Some(waiter) = waiter {
            let _gone = waiter.tell.send(ack).is_err();
        }
    }

    /// Lets everybody go without an answer, now and later.
    pub(crate) fn close(&self) {
        *self.lock() = None;
        self.offers.close();
        self.bytes.close();
    }

    fn lock(&self) -> MutexGuard<'_, Option<BTreeMap<Ticket, Waiter>>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn units(bytes: usize) -> usize {
    bytes.div_ceil(UNIT_BYTES)
}
