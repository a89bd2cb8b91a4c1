//! What an operator orders of a spoke about deliveries: retry, discard, skip; and how the system stands. Each is
//! answered when it is durable. (What stands until it is taken back: `standing`.)

use std::sync::Arc;

use canonical::IntentId;
use ledger::{Intent, IntentState, Lane, Level, Obligation, State, Subject, Waiting};
use store::{Head, Op, Query, Require, SpokeAsk, SpokeRow, SystemState, Unit};

use crate::spoke::plan::reason;
use crate::spoke::settle::After;
use crate::spoke::{Await, Phase, Spoke, Token};
use crate::turn::{Ack, Description, Effect, Order, Planned, Ticket, Turn};

/// What becomes of a delivery that needs a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Decision {
    /// It goes again, with the newest level.
    Retry,
    /// It is given up.
    Discard,
    /// It is passed over, wherever it stands.
    Skip,
}

impl Decision {
    const fn class(self) -> &'static str {
        match self {
            Self::Retry => "retried",
            Self::Discard => "discarded",
            Self::Skip => ledger::PASSED_OVER,
        }
    }
}

impl Spoke {
    /// An operator's order.
    pub(crate) fn order(&mut self, outside: Ticket, order: Order, turn: &mut Turn<'_>) {
        // What is not known yet would be written over.
        if self.phase == Phase::Loading && !matches!(order, Order::Describe { .. }) {
            return self.early.push((outside, order));
        }
        let (delivery, decision, why) = match order {
            Order::Pause { reason } => return self.pause_for(reason, Some(outside), turn),
            Order::Resume { reason } => return self.go(&reason, outside, turn),
            Order::Hold { scope, reason } => return self.hold_scope(scope, reason, outside, turn),
            Order::Release { scope, reason } => return self.release_scope(&scope, &reason, outside, turn),
            Order::Force { operation, forced, reason } => {
                return self.force(operation, forced, reason, outside, turn);
            }
            Order::Describe { forecast } => return self.describe(forecast, outside, turn),
            Order::Edit { delivery, values, reason } => {
                return self.order_edit(outside, delivery, values, reason, turn);
            }
            Order::Skip { delivery, reason } => (delivery, Decision::Skip, reason),
            Order::Retry { delivery, reason } => (delivery, Decision::Retry, reason),
            Order::Discard { delivery, reason } => (delivery, Decision::Discard, reason),
            _ => {
                return Self::answer(outside, Err("this order is for another machine".to_owned()), turn);
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
            Some(obligation) => match self.refusal(&obligation, decision) {
                None => obligation,
                Some(text) => return Self::answer(outside, Err(text), turn),
            },
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
        let key = obligation.key.clone();
        let head = store::rules::head(&obligation);
        if decision == Decision::Skip {
            // It may wait in memory: it does not go while this becomes durable.
            self.heads.remove(&key);
            if let Some(dispatcher) = &mut self.dispatcher {
                dispatcher.withdraw(&Token::Deliver(key.clone()));
            }
            self.active.insert(key);
        }
        let because = if decision == Decision::Retry && super::restored::was_asked(&obligation) {
            self.looked(why)
        } else {
            reason(decision.class(), why)
        };
        unit.ops.push(Op::Settle {
            key: obligation.key,
            // What is raised while this is decided is not part of the decision.
            level: Level { ..obligation.wanted },
            reached: decision == Decision::Skip,
            state: match decision {
                Decision::Retry => State::Pending,
                Decision::Discard => State::Discarded,
                Decision::Skip => State::Skipped,
            },
            attempts: 0,
            due: now,
            waiting: None,
            reason: Some(because),
            at: now,
        });
        self.outbox.push((unit, After::Ordered(outside, decision, Box::new(head))));
    }

    /// A decision is durable, or could not be made.
    pub(crate) fn decided(&mut self, decision: Decision, head: &Head) {
        let key = &head.key;
        match decision {
            Decision::Discard => self.forget(key),
            Decision::Retry => {
                self.call_back(head);
                self.look_in_store();
            }
            Decision::Skip => {
                self.active.remove(key);
                self.forget(key);
                self.raised_again.remove(key);
                // Whatever is wanted of it beyond what was passed over.
                self.look_in_store();
            }
        }
    }

    /// Why a delivery can't be decided about as it stands.
    pub(super) fn refusal(&self, obligation: &Obligation, decision: Decision) -> Option<String> {
        let state = obligation.state;
        let stands = match decision {
            Decision::Retry | Decision::Discard => {
                matches!(state, State::Dead | State::Uncertain | State::Parked)
            }
            Decision::Skip => state.is_open() || matches!(state, State::Dead | State::Uncertain),
        };
        if !stands {
            let which = match decision {
                Decision::Retry | Decision::Discard => {
                    "one that is dead, uncertain or parked can be decided about"
                }
                Decision::Skip => "one that is not at rest can be passed over",
            };
            return Some(format!("the delivery is {} by now: only {which}", state.name()));
        }
        // What is in doubt and waits to be tried again can be passed over: an outage may keep it waiting for long.
        let waits = decision == Decision::Skip
            && self.doubts.values().any(|doubt| doubt.intent.obligation == obligation.key);
        if self.active.contains(&obligation.key) && !waits {
            let text = "it is on its way right now: see what becomes of it, then order it again";
            return Some(text.to_owned());
        }
        let held = obligation.waiting == Some(Waiting::Operator) && decision == Decision::Retry;
        held.then(|| {
            let why = obligation.reason.as_ref().map_or("", |reason| reason.message.as_str());
            format!("an operator holds it back ({why}): release the hold instead")
        })
    }

    /// How the system stands, and when planned calls would be through.
    fn describe(&self, forecast: Option<(u64, Lane)>, outside: Ticket, turn: &mut Turn<'_>) {
        let forecast = forecast.zip(self.dispatcher.as_ref()).map(|((calls, lane), dispatcher)| {
            // What the usual write draws; of several kinds of objects the dearest.
            let draws = self.connector.objects().map(|object| self.draw_of_update(object));
            let draw = draws.max_by_key(|draw| draw.cost).unwrap_or_default();
            let found = dispatcher.forecast(calls, draw.cost, draw.buckets, lane, turn.now.mono);
            let windows = self.settings.bulk_window.as_ref().filter(|_| lane == Lane::Bulk);
            let through = match windows {
                Some(windows) => windows.through(turn.now.wall, found.takes),
                None => Some(turn.now.wall + found.takes),
            };
            Planned { takes: found.takes, through, by: found.by }
        });
        let snapshot = self.dispatcher.as_ref().map(|dispatcher| dispatcher.snapshot(turn.now.mono));
        let state = SystemState { credential: None, ..self.state.clone() };
        let jobs = self.bulks.values().map(super::bulk::Bulk::described).collect();
        let resting = self.resting.iter().filter(|object| self.rests(object)).cloned().collect();
        let (listings, trouble) = (self.listings(), self.trouble.clone());
        let unlisted = self.awaited_first().cloned().collect();
        let description = Description {
            now: turn.now,
            snapshot,
            state,
            forecast,
            jobs,
            resting,
            snapshots: self.snapshots(),
            unlisted,
            listings,
            trouble,
            hearings: self.hearings(),
        };
        turn.effect(Effect::Ack(outside, Ack::Described(Box::new(description))));
    }

    /// Whether an intent is on the wire, or just about to go.
    fn is_under_way(&self, id: IntentId) -> bool {
        let goes = |after: &After| match after {
            After::Launch(flight) => flight.intent.id == id,
            After::LaunchBatch(flights) => flights.iter().any(|flight| flight.intent.id == id),
            _ => false,
        };
        let awaited = self.awaiting.values().any(|what| match what {
            Await::Answer(flight) | Await::Adopt(flight, ..) => flight.intent.id == id,
            Await::Batch(flights) => flights.iter().any(|flight| flight.intent.id == id),
            Await::Resend(doubt, _) => doubt.intent.id == id,
            Await::ResendBatch(doubts) => doubts.iter().any(|(doubt, _)| doubt.intent.id == id),
            Await::Commit(after) => after.iter().any(goes),
            _ => false,
        });
        awaited
            || self.bulks.values().any(|bulk| bulk.holds(id))
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
            crate::spoke::associate::doubt(&mut shadow, &intent, &write.fields);
            // When it shows there after all, it is nobody's edit (I6).
            shadow.remember(&self.forms(&intent, &write.fields), turn.now.wall);
            unit.ops.push(Op::PutShadow(shadow));
        }
        if self.doubts.remove(&intent.id).is_some()
            && let Some(dispatcher) = &mut self.dispatcher
        {
            dispatcher.withdraw(&Self::intent_token(&intent));
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
