//! The handle: how ingress, the console and the command line reach the machines.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use canonical::{Field, JobId, Now, RecordId, System, Tenant};
use hub::{Ack, Arrival, Busy, Description, Input, MachineId, Notice, Offer, Order, Origin, Taken};
use ledger::{Action, Lane, Scope, Side};
use store::browse::{Look, Page};
use store::{Query, StoreError};
use telemetry::Registry;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::shared::{Ended, Shared};
use crate::watch::Watch;

/// How soon an offer refused at the handle should come again.
const BUSY_RETRY: Duration = Duration::from_secs(1);
/// The same, when the hub is on its way down: a restart takes longer.
const STOPPING_RETRY: Duration = Duration::from_secs(5);
/// How long the store may take to answer the question whether it is there.
const READY_WAIT: Duration = Duration::from_secs(2);

/// Reaches a running hub. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
}

/// Why an order was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// There is no such machine.
    #[error("there is no system {0:?} here: see the list of systems")]
    Unknown(MachineId),
    /// The machine refused, with its reason.
    #[error("{0}")]
    Refused(String),
    /// The hub is on its way down.
    #[error("the hub is stopping: try again when it is back")]
    Stopping,
}

/// Why the hub does not take messages now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// On its way down.
    #[error("the hub is stopping")]
    Stopping,
    /// The store does not answer, or not in time.
    #[error("the store does not answer ({0})")]
    Store(String),
    /// The store's disk is full.
    #[error("the store's disk is full: free space; work goes on by itself")]
    Full,
}

/// Not everything under way was finished in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "after {waited:?} these were still at work: {left:?}; what they had under way is taken up at the next start"
)]
pub struct DrainError {
    /// How long was waited.
    pub waited: Duration,
    /// The machines that had not finished.
    pub left: Vec<MachineId>,
}

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Offers messages of a source; answers when they are durable. `bytes` is their size as received, for the bounds.
    ///
    /// Once an offer is on its way it is decided whether or not the caller still waits.
    ///
    /// # Errors
    /// When there is no room, the hub is on its way down, or its disk is full. Nothing was taken; offer again later.
    pub async fn offer(
        &self,
        source: &System,
        arrivals: Vec<Arrival>,
        bytes: usize,
    ) -> Result<Vec<Taken>, Busy> {
        self.offered(source, arrivals, bytes, (false, false)).await
    }

    /// The same for what a client of one's own posts: under pressure it is refused before what vendors push.
    ///
    /// # Errors
    /// As [`Handle::offer`].
    pub async fn offer_posted(
        &self,
        source: &System,
        arrivals: Vec<Arrival>,
        bytes: usize,
    ) -> Result<Vec<Taken>, Busy> {
        self.offered(source, arrivals, bytes, (true, false)).await
    }

    /// The same for one who posts and then waits for what it raises: the answer says what that is.
    ///
    /// # Errors
    /// As [`Handle::offer`].
    pub async fn offer_watched(
        &self,
        _watch: &Watch,
        source: &System,
        arrivals: Vec<Arrival>,
        bytes: usize,
    ) -> Result<Vec<Taken>, Busy> {
        self.offered(source, arrivals, bytes, (true, true)).await
    }

    async fn offered(
        &self,
        source: &System,
        arrivals: Vec<Arrival>,
        bytes: usize,
        (posted, watched): (bool, bool),
    ) -> Result<Vec<Taken>, Busy> {
        if self.shared.draining.load(Ordering::Acquire) || self.shared.is_stopping() {
            return Err(stopping());
        }
        let Some(room) = self.shared.outside.room(bytes).await else {
            if self.shared.is_stopping() {
                return Err(stopping());
            }
            self.shared.telemetry.note(&hub::Mark::Refused { source: source.clone(), cause: "crowded" });
            let why = "too many messages wait to be taken in".to_owned();
            return Err(Busy { why, retry_after: BUSY_RETRY, backlog: false });
        };
        let Some((ticket, told)) = self.shared.outside.enter(Some(room)) else { return Err(stopping()) };
        let as_of = self.now().wall;
        let source = source.clone();
        let offer = Offer { ticket, origin: Origin::Pushed, source, as_of, arrivals, watched, posted };
        if !self.shared.post(&MachineId::Intake, Input::Offer(offer)) {
            return Err(stopping());
        }
        match told.await {
            Ok(Ack::Taken(taken)) => Ok(taken),
            Ok(Ack::Busy(busy)) => Err(busy),
            Ok(Ack::Refused(why)) => Err(Busy { why, retry_after: BUSY_RETRY, backlog: false }),
            // Whether it was taken is not known: the source sends it again, and it is told apart by its id.
            Ok(Ack::Done | Ack::Described(_) | Ack::Planned(_)) | Err(_) => Err(stopping()),
        }
    }

    /// Gives a machine an operator's order; answers when it is carried out and durable.
    ///
    /// # Errors
    /// When the machine is unknown or refuses, or the hub is on its way down.
    pub async fn order(&self, machine: &MachineId, order: Order) -> Result<(), OrderError> {
        self.ordered(machine, order).await.map(drop)
    }

    /// How a system stands, by its own word; and when so many calls would be through on a lane.
    ///
    /// # Errors
    /// When nothing runs for the system, or the hub is on its way down.
    pub async fn describe(
        &self,
        system: &System,
        forecast: Option<(u64, Lane)>,
    ) -> Result<Description, OrderError> {
        let machine = MachineId::Spoke(system.clone());
        match self.ordered(&machine, Order::Describe { forecast }).await? {
            Ack::Described(description) => Ok(*description),
            _ => {
                Err(OrderError::Refused("the hub answered with something else: this is a defect".to_owned()))
            }
        }
    }

    /// Has bulk work counted and kept as a plan; gives its id.
    ///
    /// # Errors
    /// When it is refused, or the hub is on its way down.
    pub async fn plan(&self, action: Action, scope: Scope, by: String) -> Result<JobId, OrderError> {
        self.planned(Order::Plan { action, scope, by }).await
    }

    /// Has it seen what merging two records, or splitting them again, would do, and kept as a plan; gives its id.
    ///
    /// # Errors
    /// When it is refused, or the hub is on its way down.
    pub async fn plan_reshape(
        &self,
        action: Action,
        (keep, gone): (RecordId, RecordId),
        prefer: BTreeMap<Field, Side>,
        by: String,
    ) -> Result<JobId, OrderError> {
        self.planned(Order::Reshape { action, keep, gone, prefer, by }).await
    }

    async fn planned(&self, order: Order) -> Result<JobId, OrderError> {
        match self.ordered(&MachineId::Jobs, order).await? {
            Ack::Planned(id) => Ok(id),
            _ => Err(OrderError::Refused("the hub answered without a plan: this is a defect".to_owned())),
        }
    }

    async fn ordered(&self, machine: &MachineId, order: Order) -> Result<Ack, OrderError> {
        self.asked(machine, |ticket| Input::Told(Notice::Do(ticket, order))).await
    }

    /// Posts what `input` makes of a ticket, and waits until it is done.
    pub(crate) async fn ask(
        &self,
        machine: &MachineId,
        input: impl FnOnce(hub::Ticket) -> Input,
    ) -> Result<(), OrderError> {
        self.asked(machine, input).await.map(drop)
    }

    /// The same, with the answer.
    async fn asked(
        &self,
        machine: &MachineId,
        input: impl FnOnce(hub::Ticket) -> Input,
    ) -> Result<Ack, OrderError> {
        if !self.shared.machines().contains(machine) {
            return Err(OrderError::Unknown(machine.clone()));
        }
        let Some((ticket, told)) = self.shared.outside.enter(None) else { return Err(OrderError::Stopping) };
        if !self.shared.post(machine, input(ticket)) {
            return Err(OrderError::Stopping);
        }
        match told.await {
            Ok(ack @ (Ack::Done | Ack::Taken(_) | Ack::Described(_) | Ack::Planned(_))) => Ok(ack),
            Ok(Ack::Refused(why)) => Err(OrderError::Refused(why)),
            Ok(Ack::Busy(busy)) => Err(OrderError::Refused(busy.why)),
            Err(_) => Err(OrderError::Stopping),
        }
    }

    /// Answers an operator's question within this hub's tenant.
    ///
    /// # Errors
    /// Whatever the store says.
    pub async fn look(&self, look: Look) -> Result<Page, StoreError> {
        let (tell, told) = oneshot::channel();
        let reply = Box::new(move |page| {
            let _gone = tell.send(page).is_err();
        });
        self.shared.store.as_browse().look(self.shared.tenant.clone(), look, reply);
        told.await.unwrap_or(Err(StoreError::Closed))
    }

    /// The lists themselves, for what is not a question (a copy of the store).
    #[must_use]
    pub fn browse(&self) -> &dyn store::Browse {
        self.shared.store.as_browse()
    }

    /// Whether messages would be taken now: machines run, and the store answers and has room.
    ///
    /// # Errors
    /// What is in the way.
    pub async fn ready(&self) -> Result<(), NotReady> {
        if self.shared.draining.load(Ordering::Acquire) || self.shared.is_stopping() {
            return Err(NotReady::Stopping);
        }
        if self.shared.fullness.holds(self.now().mono) {
            return Err(NotReady::Full);
        }
        let (tell, told) = oneshot::channel();
        let query = Query::Ready { tenant: self.shared.tenant.clone(), now: self.now().wall, limit: 1 };
        let reply = Box::new(move |rows: Result<_, StoreError>| {
            let _gone = tell.send(rows.map(|_| ())).is_err();
        });
        self.shared.store.find(query, reply);
        match tokio::time::timeout(READY_WAIT, told).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => Err(NotReady::Store(error.to_string())),
            Ok(Err(_)) => Err(NotReady::Store("it gave the question up".to_owned())),
            Err(_) => Err(NotReady::Store(format!("nothing within {READY_WAIT:?}"))),
        }
    }

    /// Takes nothing more in, finishes what is under way, then ends the machines.
    ///
    /// # Errors
    /// When that takes longer than `timeout`. The machines are ended all the same: what is open is durable.
    pub async fn drain(&self, timeout: Duration) -> Result<(), DrainError> {
        self.shared.draining.store(true, Ordering::Release);
        let mut drained = self.shared.drained_count.subscribe();
        let machines = self.shared.machines();
        let wanted = machines.len();
        for machine in &machines {
            self.shared.post(machine, Input::Drain);
        }
        let all = drained.wait_for(|count| *count >= wanted);
        let in_time = tokio::time::timeout(timeout, all).await.is_ok_and(|seen| seen.is_ok());
        let left = self.shared.undrained();
        self.shared.end(Ended::Drained);
        if in_time { Ok(()) } else { Err(DrainError { waited: timeout, left }) }
    }

    /// Ends at once, for a reason after which only a start from the store makes it whole. What was acknowledged is
    /// durable. While it drains it ends by that.
    pub fn stop(&self, why: impl Into<String>) {
        if !self.shared.draining.load(Ordering::Acquire) {
            self.shared.end(Ended::Stopped(why.into()));
        }
    }

    /// Waits until the hub has ended, and says how.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.shared.ended.subscribe();
        match ended.wait_for(Option::is_some).await {
            Ok(how) => how.clone().unwrap_or(Ended::Drained),
            Err(_) => Ended::Drained,
        }
    }

    /// Whose hub it is.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.shared.tenant
    }

    /// The figures.
    #[must_use]
    pub fn telemetry(&self) -> &Arc<Registry> {
        &self.shared.telemetry
    }

    /// The machines that run.
    #[must_use]
    pub fn machines(&self) -> Vec<MachineId> {
        self.shared.machines()
    }

    /// The clocks now.
    #[must_use]
    pub fn now(&self) -> Now {
        self.shared.clock.now()
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.shared.clock
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("tenant", &self.shared.tenant).finish_non_exhaustive()
    }
}

fn stopping() -> Busy {
    Busy { why: "the hub is stopping".to_owned(), retry_after: STOPPING_RETRY, backlog: false }
}
