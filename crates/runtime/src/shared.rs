//! What the drivers and the handle of one runtime share.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use canonical::{Mono, System, Tenant};
use hub::{Input, MachineId};
use telemetry::Registry;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::driver::Driver;
use crate::options::CrashHook;
use crate::outside::Outside;
use crate::ports::{Network, Storage};
use crate::watch::Watches;

/// How a runtime ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended {
    /// It was asked to, and everything under way was finished.
    Drained,
    /// It must not go on: the text says why and what to do.
    Stopped(String),
}

/// How long a refusal of the store counts. Nobody may be sending any more because of it, so it must age.
const FULL_FOR: Duration = Duration::from_secs(10);

/// Whether the store's disk is full for messages. Outcomes are still taken from a reserve, and say nothing.
#[derive(Debug, Default)]
pub(crate) struct Fullness {
    /// When it last refused, in microseconds of the monotonic clock and one; 0 when it has room.
    refused: AtomicU64,
}

impl Fullness {
    /// The store refused for want of room. Says whether that is news.
    pub(crate) fn refuse(&self, now: Mono) -> bool {
        self.refused.swap(now.0 + 1, Ordering::Relaxed) == 0
    }

    /// The store took messages. Says whether that is news.
    pub(crate) fn clear(&self) -> bool {
        self.refused.load(Ordering::Relaxed) != 0 && self.refused.swap(0, Ordering::Relaxed) != 0
    }

    /// Whether it is full, as far as is known.
    pub(crate) fn holds(&self, now: Mono) -> bool {
        match self.refused.load(Ordering::Relaxed) {
            0 => false,
            at => now.since(Mono(at - 1)) < FULL_FOR,
        }
    }
}

/// One runtime's common things.
pub(crate) struct Shared {
    pub(crate) tenant: Tenant,
    pub(crate) store: Arc<dyn Storage>,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) telemetry: Arc<Registry>,
    pub(crate) clock: Clock,
    pub(crate) outside: Outside,
    pub(crate) crash: Option<CrashHook>,
    /// Where paths that are not absolute start.
    pub(crate) folder: PathBuf,
    /// The machines that run. One that leaves the configuration leaves this, which ends its task.
    inboxes: RwLock<BTreeMap<MachineId, UnboundedSender<Input>>>,
    /// Takes drivers of machines that join a running hub.
    pub(crate) joining: mpsc::Sender<Driver>,
    pub(crate) fullness: Fullness,
    pub(crate) watches: Watches,
    pub(crate) draining: AtomicBool,
    /// The credential generations known to be durable.
    pub(crate) generations: Mutex<BTreeMap<System, i64>>,
    stopping: AtomicBool,
    drained: Mutex<BTreeSet<MachineId>>,
    pub(crate) drained_count: watch::Sender<usize>,
    pub(crate) ended: watch::Sender<Option<Ended>>,
}

impl Shared {
    #[expect(clippy::too_many_arguments, reason = "the parts of the options, and what start makes")]
    pub(crate) fn new(
        tenant: Tenant,
        store: Arc<dyn Storage>,
        network: Arc<dyn Network>,
        telemetry: Arc<Registry>,
        clock: Clock,
        outside: Outside,
        crash: Option<CrashHook>,
        folder: PathBuf,
        inboxes: BTreeMap<MachineId, UnboundedSender<Input>>,
        joining: mpsc::Sender<Driver>,
    ) -> Self {
        Self {
            tenant,
            store,
            network,
            telemetry,
            clock,
            outside,
            crash,
            folder,
            inboxes: RwLock::new(inboxes),
            joining,
            fullness: Fullness::default(),
            watches: Watches::default(),
            draining: AtomicBool::new(false),
            generations: Mutex::default(),
            stopping: AtomicBool::new(false),
            drained: Mutex::default(),
            drained_count: watch::Sender::new(0),
            ended: watch::Sender::new(None),
        }
    }

    /// Puts an input into a machine's queue. False when there is no such machine, or it has ended.
    pub(crate) fn post(&self, to: &MachineId, input: Input) -> bool {
        let inboxes = self.inboxes.read().unwrap_or_else(PoisonError::into_inner);
        inboxes.get(to).is_some_and(|inbox| inbox.send(input).is_ok())
    }

    /// The machines that run.
    pub(crate) fn machines(&self) -> Vec<MachineId> {
        self.inboxes.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Enters a machine's queue; false when it has one.
    pub(crate) fn join(&self, id: MachineId, inbox: UnboundedSender<Input>) -> bool {
        let mut inboxes = self.inboxes.write().unwrap_or_else(PoisonError::into_inner);
        let free = !inboxes.contains_key(&id);
        if free {
            inboxes.insert(id, inbox);
        }
        free
    }

    /// Takes a machine's queue away: its task ends when it has handled what is in it.
    pub(crate) fn leave(&self, id: &MachineId) {
        self.inboxes.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Whether nothing may be performed any more.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Ends everything; the first reason stays. Nobody outside is acknowledged after this.
    pub(crate) fn end(&self, how: Ended) {
        self.stopping.store(true, Ordering::Release);
        self.outside.close();
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            if first {
                if let Ended::Stopped(reason) = &how {
                    let tenant = &self.tenant;
                    tracing::error!(target: "concord", %tenant, class = "stopped", detail = reason, "the hub stops");
                }
                *ended = Some(how);
            }
            first
        });
    }

    /// A machine has nothing under way any more.
    pub(crate) fn drained(&self, machine: &MachineId) {
        let mut drained = self.drained.lock().unwrap_or_else(PoisonError::into_inner);
        drained.insert(machine.clone());
        self.drained_count.send_replace(drained.len());
    }

    /// The machines that have not finished.
    pub(crate) fn undrained(&self) -> Vec<MachineId> {
        let drained = self.drained.lock().unwrap_or_else(PoisonError::into_inner);
        self.machines().into_iter().filter(|id| !drained.contains(id)).collect()
    }
}
