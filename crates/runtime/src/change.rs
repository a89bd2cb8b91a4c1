//! Changing a running hub: machines are held, told another configuration, join and leave, while the others go on.

use std::sync::Arc;

use config::Configuration;
use hub::{Input, Machine, MachineId};

use crate::handle::{Handle, OrderError};
use crate::start::{StartError, driver, queue};

impl Handle {
    /// A machine finishes what is under way and starts nothing until it is [configured](Self::configure). Answers
    /// when nothing is under way.
    ///
    /// # Errors
    /// When the machine is unknown or cannot be held, or the hub is on its way down.
    pub async fn hold(&self, machine: &MachineId) -> Result<(), OrderError> {
        self.ask(machine, Input::Hold).await
    }

    /// A machine works by `configuration` from now on. Answers when nothing of it is decided by the former one any
    /// more.
    ///
    /// # Errors
    /// When the machine is unknown or has no part in it, or the hub is on its way down.
    pub async fn configure(
        &self,
        machine: &MachineId,
        configuration: Arc<Configuration>,
    ) -> Result<(), OrderError> {
        self.ask(machine, |ticket| Input::Configure(ticket, configuration)).await
    }

    /// A machine joins.
    ///
    /// # Errors
    /// When it is there already, the hub is on its way down, or the operating system gives no randomness.
    pub async fn join(&self, id: MachineId, machine: Box<dyn Machine>) -> Result<(), StartError> {
        let (inbox, inputs) = queue();
        let driver = driver((id.clone(), machine, inputs), &self.shared)?;
        if !self.shared.join(id.clone(), inbox) {
            return Err(StartError::Twice(id));
        }
        if self.shared.joining.send(driver).await.is_err() {
            self.shared.leave(&id);
            return Err(StartError::Stopping);
        }
        Ok(())
    }

    /// A machine leaves. It should be [held](Self::hold) before, so that nothing of it is under way.
    pub fn leave(&self, machine: &MachineId) {
        self.shared.leave(machine);
    }
}
