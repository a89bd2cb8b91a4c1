//! A delivery that comes to rest, or waits, without a call.

use std::collections::BTreeSet;
use std::time::Duration;

use canonical::{EntitySchema, ExternalRef, Field, Record, Wall};
use ledger::{Level, Obligation, State, Waiting};
use mapping::Mapping;
use store::{Fetch, Head, Op, Unit};

use crate::mark::Mark;
use crate::spoke::Spoke;
use crate::spoke::plan::{Beside, Plan, Rest, paths_of, reason};
use crate::spoke::settle::After;
use crate::turn::Turn;

/// When to look again whether intake has judged.
const JUDGED_WITHIN: Duration = Duration::from_secs(1);

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
        let why = Some(reason("no_change", "the target has it already"));
        let (waiting, require, hasten) = (None, Vec::new(), None);
        Plan::Rest(Rest { state: State::Skipped, reached: true, reason: why, waiting, require, hasten, look })
    }

    /// The record's object there is gone, and intake judges whether the one that was a duplicate beside it is its own now: until
    /// that is known, nothing is made, since it would be a third one.
    pub(super) fn let_next_be_judged(
        &mut self,
        head: Head,
        obligation: &Obligation,
        beside: Beside,
        turn: &Turn<'_>,
    ) {
        let at = turn.now.wall;
        let due = at + JUDGED_WITHIN;
        let (system, object) = (self.system.clone(), obligation.object.clone());
        let text = format!(
            "its object there is gone, and {} was a duplicate beside it: whether that goes on as its own is judged first",
            beside.next
        );
        let wake = Op::WakeMessages {
            tenant: obligation.key.tenant.clone(),
            external: ExternalRef { system, object, id: beside.gone },
            at,
        };
        let wait = Op::Settle {
            key: obligation.key.clone(),
            level: obligation.wanted,
            reached: false,
            state: State::Pending,
            attempts: obligation.attempts,
            due,
            waiting: super::wait::still(obligation),
            reason: Some(reason("duplicate_there", text)),
            at,
        };
        let unit = Unit { require: Vec::new(), ops: vec![wake, wait] };
        self.outbox.push((unit, After::Judging { head, due }));
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
        let looks = look.is_some();
        let ops = std::iter::once(op).chain(hasten).chain(look).collect();
        self.outbox.push((Unit { require: resting.require, ops }, After::Rested { head, due, again, looks }));
    }
}
