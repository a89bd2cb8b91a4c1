//! What an operator orders of a spoke: pause, resume, retry, discard. Each is answered when it is durable.

use std::sync::Arc;

use canonical::IntentId;
use ledger::{Intent, IntentState, Level, Obligation, State, Subject};
use store::{Op, Query, Require, SpokeAsk, SpokeRow, Unit};

use crate::spoke::plan::reason;
use crate::spoke::settle::After;
use crate::spoke::{Await, Spoke};
use crate::turn::{Order, Ticket, Turn};

/// What becomes of a delivery that needs a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Decision {
    /// It goes again, with the newest level.
    Retry,
    /// It is given up.
    Discard,
}

impl Decision {
    const fn class(self) -> &'static str {
        match self {
            Self::Retry => "retried",
            Self::Discard => "discarded",
        }
    }
}

impl Spoke {
    /// An operator's order.
    pub(crate) fn order(&mut self, outside: Ticket, order: Order, turn: &mut Turn<'_>) {
        let (delivery, decision, why) = match order {
            Order::Pause { reason } => return self.pause_for(reason, Some(outside), turn),
            Order::Resume { reason } => return self.go(&reason, outside, turn),
            Order::Retry { delivery, reason } => (delivery, Decision::Retry, reason),
            Order::Discard { delivery, reason } => (delivery, Decision::Discard, reason),
            Order::Retake { .. } | Order::DiscardMessage { .. } => {
                return Self::answer(outside, Err("this order is for intake".to_owned()), turn);
            }
        };
        let ask = SpokeAsk {
            key: delivery.key,
            record: delivery.record,
            object: delivery.object,
            references: Vec::new(),
        };
        let (tenant, system) = (self.config.tenant.clone(), self.system.clone());
        self.find(
            Query::Spoke { tenant, system, asks: vec![ask] },
            Await::Order(outside, decision, why),
            turn,
        );
    }

    /// How the delivery stands now: the order fits, or it has moved on.
    pub(crate) fn decide(
        &mut self,
        outside: Ticket,
        decision: Decision,
        why: &str,
        row: SpokeRow,
        turn: &mut Turn<'_>,
    ) {
        let obligation = match row.obligation {
            Some(obligation) if self.needs_person(&obligation) => obligation,
            Some(obligation) => {
                let text = format!(
                    "the delivery is {} by now: only one that is dead, uncertain or parked can be decided about",
                    obligation.state.name()
                );
                return Self::answer(outside, Err(text), turn);
            }
            None => return Self::answer(outside, Err("there is no such delivery".to_owned()), turn),
        };
        let mut unit = Unit::default();
        // The object's unfinished intent may be another delivery's: that is not the person's word to end.
        if let Some(intent) = row.intent.filter(|intent| intent.obligation == obligation.key) {
            if self.is_under_way(intent.id) {
                let text =
                    "it is being sent or looked for right now: see what becomes of it, then order it again";
                return Self::answer(outside, Err(text.to_owned()), turn);
            }
            self.close_unfinished(intent, row.shadow, decision, why, &mut unit, turn);
        }
        let now = turn.now.wall;
        let class = if decision == Decision::Retry && super::restored::was_asked(&obligation) {
            super::restored::LOOKED
        } else {
            decision.class()
        };
        unit.ops.push(Op::Settle {
            key: obligation.key,
            // What is raised while this is decided is not part of the decision.
            level: Level { ..obligation.wanted },
            reached: false,
            state: if decision == Decision::Retry { State::Pending } else { State::Discarded },
            attempts: 0,
            due: now,
            waiting: None,
            reason: Some(reason(class, why)),
            at: now,
        });
        self.outbox.push((unit, After::Ordered(outside, decision)));
    }

    fn needs_person(&self, obligation: &Obligation) -> bool {
        matches!(obligation.state, State::Dead | State::Uncertain | State::Parked)
            && !self.active.contains(&obligation.key)
    }

    /// Whether an intent is on the wire, or just about to go (found doubtful at a start, its delivery still waits).
    fn is_under_way(&self, id: IntentId) -> bool {
        let goes = |after: &After| matches!(after, After::Launch(flight) if flight.intent.id == id);
        let awaited = self.awaiting.values().any(|what| match what {
            Await::Answer(flight) | Await::Adopt(flight, ..) => flight.intent.id == id,
            Await::Resend(doubt, _) => doubt.intent.id == id,
            Await::Commit(after) => after.iter().any(goes),
            _ => false,
        });
        awaited
            || self.outbox.iter().any(|(_, after)| goes(after))
            || self.unauthorised.iter().any(|flight| flight.intent.id == id)
    }

    /// The person has looked at the target: what was in doubt is so no longer. What the intent said is not known to
    /// be there, so that the next difference says it again.
    fn close_unfinished(
        &mut self,
        mut intent: Intent,
        shadow: Option<ledger::Shadow>,
        decision: Decision,
        why: &str,
        unit: &mut Unit,
        turn: &Turn<'_>,
    ) {
        let sync = matches!(intent.obligation.subject, Subject::Record(_));
        if let Some(write) = crate::written::written(&intent).filter(|_| sync) {
            let mut shadow = shadow.unwrap_or_else(|| self.blank(intent.record, &intent.object));
            unit.require.push(Require::ShadowAt {
                record: intent.record,
                system: self.system.clone(),
                object: intent.object.clone(),
                revision: shadow.revision,
            });
            shadow.doubt(&write.fields);
            // When it shows there after all, it is nobody's edit (I6).
            shadow.remember(&write.fields, turn.now.wall);
            unit.ops.push(Op::PutShadow(shadow));
        }
        if self.doubts.remove(&intent.id).is_some()
            && let Some(dispatcher) = &mut self.dispatcher
        {
            dispatcher.unlock(intent.record, &intent.object);
        }
        intent.state = IntentState::Closed;
        intent.closed_at = Some(turn.now.wall);
        intent.call = Arc::default();
        intent.request = Arc::default();
        intent.reason = Some(reason(decision.class(), why));
        unit.ops.push(Op::PutIntent(intent));
    }
}
