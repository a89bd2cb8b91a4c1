//! Starting: queues, drivers, and a watch over them.

use std::collections::BTreeMap;
use std::sync::Arc;

use hub::{Input, Machine, MachineId};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::{JoinError, JoinSet};

use crate::driver::{Driver, Left};
use crate::entropy::Entropy;
use crate::handle::Handle;
use crate::options::Options;
use crate::outside::Outside;
use crate::shared::{Ended, Shared};

/// Machines that join a running hub and are not driven yet, at most.
const JOINING_MAX: usize = 16;

/// A running hub.
#[derive(Debug)]
pub struct Runtime;

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The machines make no hub.
    #[error("the machine {0:?} is there twice: each is driven once")]
    Twice(MachineId),
    /// The hub is on its way down.
    #[error("the hub is stopping")]
    Stopping,
    /// No randomness.
    #[error("{0}")]
    Entropy(String),
}

impl Runtime {
    /// Starts a task per machine on the current async runtime.
    ///
    /// # Errors
    /// When a machine is given twice, or the operating system gives no randomness.
    pub fn start(options: Options) -> Result<Handle, StartError> {
        let mut inboxes = BTreeMap::new();
        let mut waiting = Vec::new();
        for (id, machine) in options.machines {
            let (inbox, queue) = queue();
            if inboxes.insert(id.clone(), inbox).is_some() {
                return Err(StartError::Twice(id));
            }
            waiting.push((id, machine, queue));
        }
        let (joining, joined) = mpsc::channel(JOINING_MAX);
        let shared = Arc::new(Shared::new(
            options.tenant,
            options.store,
            options.network,
            options.telemetry,
            options.clock,
            Outside::new(options.limits),
            options.crash,
            options.folder,
            inboxes,
            joining,
        ));
        let drivers = waiting.into_iter().map(|part| driver(part, &shared)).collect::<Result<Vec<_>, _>>()?;
        let mut tasks = JoinSet::new();
        for driver in drivers {
            tasks.spawn(driver.run());
        }
        tokio::spawn(watch(tasks, joined, Arc::clone(&shared)));
        Ok(Handle::new(shared))
    }
}

pub(crate) type Part = (MachineId, Box<dyn Machine>, UnboundedReceiver<Input>);

pub(crate) fn driver((id, machine, inbox): Part, shared: &Arc<Shared>) -> Result<Driver, StartError> {
    let entropy = Entropy::new().map_err(|none| StartError::Entropy(none.to_string()))?;
    Ok(Driver { id, machine, inbox, shared: Arc::clone(shared), entropy })
}

#[expect(clippy::disallowed_methods, reason = "bounded by open tickets: see the crate's first page (I19)")]
pub(crate) fn queue() -> (UnboundedSender<Input>, UnboundedReceiver<Input>) {
    tokio::sync::mpsc::unbounded_channel()
}

/// Waits for the end of everything. A machine that ends by a panic ends all: what it knew is gone, and only a start
/// from the store makes it whole.
async fn watch(mut tasks: JoinSet<Left>, mut joined: mpsc::Receiver<Driver>, shared: Arc<Shared>) {
    let mut ended = shared.ended.subscribe();
    loop {
        tokio::select! {
            _ = ended.wait_for(Option::is_some) => break,
            Some(driver) = joined.recv() => {
                tasks.spawn(driver.run());
            }
            next = tasks.join_next() => match next {
                // It left the configuration.
                Some(Ok(Left::Dismissed)) => {}
                Some(Ok(Left::Ended)) if !shared.is_stopping() => {
                    shared.end(Ended::Stopped("a machine has ended by itself: start again".to_owned()));
                }
                Some(Ok(Left::Ended)) => {}
                Some(Err(error)) => shared.end(Ended::Stopped(failed(error))),
                None => break,
            },
        }
    }
    tasks.abort_all();
    while tasks.join_next().await.is_some() {}
}

fn failed(error: JoinError) -> String {
    let said = error.try_into_panic().ok().and_then(|panic| {
        panic
            .downcast::<String>()
            .map(|text| *text)
            .or_else(|panic| panic.downcast::<&str>().map(|t| (*t).to_owned()))
            .ok()
    });
    let said = said.unwrap_or_else(|| "no message".to_owned());
    format!("a machine failed ({said}): this is a defect; start again, nothing that was acknowledged is lost")
}
