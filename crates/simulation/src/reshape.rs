//! A person who has two records merged, and split again: plans, applies the plan, and looks again until it is done. What was
//! ordered while the hub was down was not heard, and is ordered again; a plan that went stale is made anew.

use std::collections::BTreeMap;
use std::time::Duration;

use canonical::{Object, System};
use hub::{Input, MachineId, Notice, Order, Ticket};
use intake::MessageState;
use ledger::{Action, Job, JobState};
use store::browse::{Look, MessageFilter, Page, RecordSheet};

use crate::driver::{Event, Simulation, micros};

/// The person looks again after so many microseconds.
const LOOK_EVERY: u64 = 170_000;
/// Tickets of these orders begin here.
const TICKETS: u64 = 1 << 51;

impl Simulation {
    /// At `after`, a person has the record of an object of the source merged into another one's, or split from it again.
    pub fn reshape_at(&mut self, after: Duration, (keep, gone): (&str, &str), split: bool) {
        let event = Event::Reshape { keep: keep.to_owned(), gone: gone.to_owned(), split };
        self.at(micros(after), event);
    }

    pub(crate) fn order_reshape(&mut self, keep: &str, gone: &str, split: bool) {
        let again = Event::Reshape { keep: keep.to_owned(), gone: gone.to_owned(), split };
        let (Some(one), Some(other)) = (self.of_source(keep), self.of_source(gone)) else {
            return self.at(self.now + LOOK_EVERY, again);
        };
        let action = if split { Action::Split } else { Action::Merge };
        let by = format!("ann: {} {keep} {gone}", action.name());
        let live = |job: &Job| job.planned_by == by && job.state != JobState::Cancelled;
        let known = self.jobs().into_iter().find(live);
        let reason = "ann: they are one, or not".to_owned();
        let order = match known {
            // What was merged before is split only once it is merged.
            None if split && !matches!(other.record.alive, canonical::Alive::Merged { .. }) => None,
            None => {
                let (keep, gone, prefer) = (one.record.id, other.record.id, BTreeMap::new());
                Some(Order::Reshape { action, keep, gone, prefer, by })
            }
            Some(job) if job.state == JobState::Planned => {
                let planned = job.reshape.as_ref().map(|reshape| reshape.versions);
                let stale = planned != Some((one.record.version, other.record.version));
                if stale || job.may_start(&self.config.digest, self.clock().wall).is_err() {
                    Some(Order::CancelJob { job: job.id, reason })
                } else {
                    Some(Order::Apply { job: job.id, pace: 1, reason })
                }
            }
            Some(job) if job.state == JobState::Done && !split => return,
            Some(job) if job.state == JobState::Done => {
                // What the duplicate said meanwhile is taken in, now that it is none.
                match self.quarantined() {
                    Some(message) => {
                        let order = Order::Retake { message, reason };
                        let input = Input::Told(Notice::Do(Ticket(TICKETS + 2), order));
                        self.at(self.now + 50, Event::Input(MachineId::Intake, input));
                    }
                    None => return,
                }
                None
            }
            Some(_) => None,
        };
        if let Some(order) = order {
            let input = Input::Told(Notice::Do(Ticket(TICKETS + u64::from(split)), order));
            self.at(self.now + 50, Event::Input(MachineId::Jobs, input));
        }
        self.at(self.now + LOOK_EVERY, again);
    }

    fn quarantined(&self) -> Option<canonical::MessageId> {
        let filter =
            MessageFilter { states: vec![MessageState::Quarantined], limit: 1, ..MessageFilter::default() };
        match self.page(Look::Messages(filter)) {
            Some(Page::Messages(rows)) => rows.into_iter().next().map(|(_, message)| message.id),
            _ => None,
        }
    }

    /// The record that an object of the source is linked to, itself.
    pub(crate) fn of_source(&self, id: &str) -> Option<Box<RecordSheet>> {
        let (system, object) = (System::new("src").ok()?, Object::new("things").ok());
        let look = Look::RecordByLink { system, object, external_id: id.to_owned() };
        match self.page(look) {
            Some(Page::Record(sheet)) => sheet,
            _ => None,
        }
    }
}
