//! A delivery that comes to rest, or waits, without a call.

use std::collections::BTreeSet;
use std::time::Duration;

use canonical::{EntitySchema, ExternalRef, Field, Record, Wall};
use ledger::{Level, Obligation, State, Waiting};
use mapping::Mapping;
use store::{Fetch, Head, Op, Unit};

use crate::mark::Mark;
use crate::spoke::Spoke;
use crate::spoke::paths::paths_of;
use crate::spoke::plan::{Beside, Plan, Rest, reason};
use crate::spoke::settle::After;
use crate::turn::Turn;

/// When to look again whether intake has judged.
pub(super) const JUDGED_WITHIN: Duration = Duration::from_secs(1);

impl Spoke {
    /// The target has it already. Where that is what another system proposes to it as the owner, its own word is the answer:
    /// nothing was written that would bring it, so that the object is read.
    pub(super) fn nothing_to_say(
        &self,
        record: &Record,
        schema: &EntitySchema,
        mapping: &Mapping,
        link: Option<String>,
    ) -> Plan {
        let proposed: BTreeSet<&Field> =
            record.proposed_to(&self.system, schema).map(|(field, _)| field).collect();
        let object = mapping.object();
        let asks = !paths_of(mapping, |field| proposed.contains(field)).is_empty()
            && self.connector.can_fetch(object)
            && self.config.inbound(&self.system, object).is_some();
        let look = link.filter(|_| asks).map(|id| ExternalRef {
            system: self.system.clone(),
            object: object.clone(),
            id,
        });
        let why = reason("no_change", "the target has it already");
        Plan::Rest(Rest { reached: true, look, ..Rest::of(State::Skipped, why) })
    }

    /// The record's object there is gone, and intake judges whether the one that was a duplicate beside it is its own now: until
    /// that is known, nothing is made, since it would be a third one.
    pub(super) fn judged_first(&self, obligation: &Obligation, Beside { gone, next }: Beside) -> Rest {
        let text = format!(
            "its object there is gone, and {next} was a duplicate beside it: whether that goes on as its own is judged first"
        );
        let (system, object) = (self.system.clone(), obligation.object.clone());
        Rest {
            waiting: super::wait::still(obligation),
            beside: Some(ExternalRef { system, object, id: gone }),
            ..Rest::of(State::Pending, reason("duplicate_there", text))
        }
    }

    /// Writes down that an obligation rests or waits.
    pub(crate) fn come_to_rest(
        &mut self,
        head: Head,
        obligation: &Obligation,
        resting: Rest,
        due: Option<Wall>,
        turn: &mut Turn<'_>,
    ) {
        let system = self.system.clone();
        match resting.state {
            State::Skipped => turn.note(Mark::Skipped { system }),
            State::Parked => turn.note(Mark::Parked { system }),
            State::Dead => {
                let why = resting.reason.clone().unwrap_or_default();
                let trace = obligation.trace.clone();
                turn.note(Mark::Dead { system, class: why.class, message: why.message, trace });
            }
            _ => {}
        }
        let level = Level { version: obligation.wanted.version, generation: obligation.wanted.generation };
        let due_or_deadline = match &resting.waiting {
            Some(Waiting::Link { until, .. }) if resting.state == State::Parked => *until,
            _ => due.unwrap_or(turn.now.wall),
        };
        let op = Op::Settle {
            key: obligation.key.clone(),
            level,
            reached: resting.reached,
            state: resting.state,
            attempts: obligation.attempts,
            due: due_or_deadline,
            waiting: resting.waiting,
            reason: resting.reason,
            at: turn.now.wall,
        };
        let again = !resting.require.is_empty();
        let hasten = resting.hasten.map(|(key, lane)| Op::Hasten { key, lane, at: turn.now.wall });
        let at = turn.now.wall;
        let look = resting.look.map(|external| {
            let (tenant, trace) = (obligation.key.tenant.clone(), obligation.trace.clone());
            Op::WantFetch(Fetch { tenant, external, hinted_at: at, due: at, attempts: 0, trace })
        });
        let wake = resting.beside.map(|external| {
            let tenant = obligation.key.tenant.clone();
            Op::WakeMessages { tenant, external, at }
        });
        let (looks, wakes) = (look.is_some(), wake.is_some());
        let ops = std::iter::once(op).chain(hasten).chain(look).chain(wake).collect();
        self.outbox
            .push((Unit { require: resting.require, ops }, After::Rested { head, due, again, looks, wakes }));
    }
}
