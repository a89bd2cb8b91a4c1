//! Another configuration is applied while everything goes on: spokes first, those that must start again after they
//! fell quiet, and intake last; as a running hub does it.

use std::sync::Arc;

use canonical::System;
use hub::{Input, MachineId, Ticket};

use super::files;
use crate::driver::{Event, Simulation};

/// A system may take so many microseconds to be told, after it was asked to fall quiet.
const TOLD_WITHIN: u64 = 2_000_000;

impl Simulation {
    pub(super) fn configure(&mut self) {
        let which = usize::try_from(self.between(0, files::CONFIGURATIONS as u64)).unwrap_or(0);
        let next = files::configuration(which);
        self.remember(&format!("! configuration {which} is applied"));
        let before = std::mem::replace(&mut self.config, Arc::clone(&next));
        let systems: Vec<System> = self.targets.keys().cloned().collect();
        for system in systems {
            let same = match (next.systems.get(&system), before.systems.get(&system)) {
                (Some(is), Some(was)) => is.works_as(was),
                _ => false,
            };
            let mut at = self.now + self.between(50, 5_000);
            if !same {
                let hold = Input::Hold(self.order_ticket());
                self.at(at, Event::Input(MachineId::Spoke(system.clone()), hold));
                // Sooner than it is quiet, or later.
                at += self.between(50, TOLD_WITHIN);
                if self.estate.as_ref().is_some_and(|estate| estate.healthy == system) {
                    self.excuse(at);
                }
            }
            let told = Input::Configure(self.order_ticket(), Arc::clone(&next));
            self.at(at, Event::Input(MachineId::Spoke(system), told));
        }
        let told = Input::Configure(self.order_ticket(), next);
        self.at(self.now + TOLD_WITHIN + 10_000, Event::Input(MachineId::Intake, told));
        let told = Input::Configure(self.order_ticket(), Arc::clone(&self.config));
        let at = self.now + TOLD_WITHIN + 20_000;
        self.at(at, Event::Input(MachineId::Jobs, told));
        if let Some(estate) = &mut self.estate {
            estate.bulk.told_at = at;
        }
    }

    /// Every machine is held and told the same configuration again, which makes it start again.
    pub(crate) fn renew_all(&mut self) {
        let tickets = Ticket(u64::MAX);
        let systems: Vec<System> = self.targets.keys().cloned().collect();
        for system in systems {
            let spoke = MachineId::Spoke(system);
            self.at(self.now, Event::Input(spoke.clone(), Input::Hold(tickets)));
            let told = Input::Configure(tickets, Arc::clone(&self.config));
            self.at(self.now + 1_000, Event::Input(spoke, told));
        }
        let told = Input::Configure(tickets, Arc::clone(&self.config));
        self.at(self.now + 2_000, Event::Input(MachineId::Intake, told));
    }

    fn order_ticket(&mut self) -> Ticket {
        let Some(estate) = &mut self.estate else { return Ticket(u64::MAX) };
        estate.next_order += 1;
        Ticket(estate.next_order)
    }
}
