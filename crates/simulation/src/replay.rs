//! A person who orders bulk work: plans, applies the plan, and looks again until the job is done. What was ordered
//! while the hub was down was not heard, and is ordered again.

use std::time::Duration;

use canonical::System;
use hub::{Input, MachineId, Notice, Order, Ticket};
use ledger::{Action, Job, JobState, Scope};
use store::browse::{JobFilter, Look, Page};

use crate::driver::{Event, Simulation, micros};

/// The person looks again after so many microseconds.
const LOOK_EVERY: u64 = 400_000;
/// Deliveries a second: several pages in a scenario.
const PACE: u32 = 2;
/// The same in an estate.
const PACE_OF_MANY: u32 = 20;
/// Tickets of these orders begin here.
const TICKETS: u64 = 1 << 50;

impl Simulation {
    /// At `after`, a person has everything for a target replayed, for the `round`th time.
    pub fn replay_at(&mut self, after: Duration, system: &System, round: u32, anew: bool) {
        self.at(micros(after), Event::Replay { system: system.clone(), round, anew });
    }

    pub(crate) fn order_replay(&mut self, system: &System, round: u32, anew: bool) {
        let by = format!("ann: {system} {round}");
        let live = |job: &Job| job.planned_by == by && job.state != JobState::Cancelled;
        let known = self.jobs().into_iter().find(live);
        let order = match known {
            None => {
                let scope = Scope { target: Some(system.clone()), ..Scope::default() };
                Some(Order::Plan { action: Action::Replay { anew }, scope, by })
            }
            Some(job) if job.state == JobState::Planned => {
                let reason = "ann: it lost something".to_owned();
                let pace = if self.estate.is_some() { PACE_OF_MANY } else { PACE };
                // A plan that went stale is made anew.
                if job.may_start(&self.config.digest, self.clock().wall).is_err() {
                    Some(Order::CancelJob { job: job.id, reason })
                } else {
                    Some(Order::Apply { job: job.id, pace, reason })
                }
            }
            Some(job) if job.state == JobState::Done => return,
            Some(_) => None,
        };
        if let Some(order) = order {
            let input = Input::Told(Notice::Do(Ticket(TICKETS + u64::from(round)), order));
            self.at(self.now + 50, Event::Input(MachineId::Jobs, input));
        }
        self.at(self.now + LOOK_EVERY, Event::Replay { system: system.clone(), round, anew });
    }

    /// Every plan and job in the store.
    #[must_use]
    pub fn jobs(&self) -> Vec<Job> {
        match self.page(Look::Jobs(JobFilter { limit: 1000, ..JobFilter::default() })) {
            Some(Page::Jobs(rows)) => rows.into_iter().map(|(_, job, _)| job).collect(),
            _ => Vec::new(),
        }
    }
}
