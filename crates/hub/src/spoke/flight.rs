//! Requests on the wire, and intents in doubt: sent, answered, sent or probed again.

use std::time::Duration;

use canonical::{Now, Wall};
use connector::{Call, Failure, Request, Response, Write};
use dispatch::{Party, Permit, Wanted};
use ledger::{
    Class, Intent, IntentState, Lane, Next, Obligation, OnExit, Outcome, Reason, Settling, Shadow, State,
    Wait,
};
use store::{Attempt, Head, Op, SpokeAsk, Unit};

use crate::mark::Mark;
use crate::spoke::plan::reason;
use crate::spoke::settle::{After, Ending, Settlement};
use crate::spoke::sort::Sort;
use crate::spoke::{Await, Spoke};
use crate::turn::Turn;

/// Between making a send durable and the send itself at most so much may pass, or it is made durable again.
pub(crate) const ARRIVAL_SLACK: Duration = Duration::from_secs(2);
/// Why the system pauses then.
pub(crate) const REFUSED: &str = "the target refuses its credential: renew it, then resume the system";

/// What an intent needs next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// Its bytes go out.
    Send,
    /// Look whether they arrived.
    Probe,
}

/// A write or probe on its way, with everything needed to settle it.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) intent: Intent,
    pub(crate) write: Write,
    /// Empty once it was sent.
    pub(crate) request: Request,
    /// `None` when nothing is wanted of its delivery any more.
    pub(crate) head: Option<Head>,
    pub(crate) obligation: Option<Obligation>,
    pub(crate) shadow: Option<Shadow>,
    pub(crate) matches: Vec<(String, String)>,
    pub(crate) mapping: (String, u32),
    pub(crate) exit: Option<OnExit>,
    pub(crate) permit: Permit,
    pub(crate) action: Action,
    /// The stored intent covers this send: it counts it, and its bytes' last possible arrival.
    pub(crate) durable: bool,
    /// Its intent is not durable yet: nothing of it was sent.
    pub(crate) begins: bool,
    /// The half of its batch in which it goes on.
    pub(crate) half: Option<Party>,
}

/// An intent that may have been applied, waiting to be sent or probed again. Its record's lock is kept.
#[derive(Debug)]
pub(crate) struct Doubt {
    pub(crate) intent: Intent,
    pub(crate) write: Write,
    pub(crate) head: Option<Head>,
    pub(crate) action: Action,
    pub(crate) matches: Vec<(String, String)>,
    /// The stored intent counts its next send already: nothing has been sent since.
    pub(crate) durable: bool,
    /// The half of its batch in which it goes on.
    pub(crate) half: Option<Party>,
}

impl Doubt {
    /// How its delivery and its record stand, without what the record refers to.
    pub(crate) fn ask(&self) -> SpokeAsk {
        SpokeAsk {
            key: self.intent.obligation.clone(),
            record: self.intent.record,
            object: self.intent.object.clone(),
            references: Vec::new(),
        }
    }
}

impl Flight {
    /// The same, waiting for its turn, and the permit that it had.
    pub(crate) fn into_doubt(self, action: Action, durable: bool) -> (Doubt, Permit) {
        let Self { intent, write, head, matches, permit, half, .. } = self;
        (Doubt { intent, write, head, action, matches, durable, half }, permit)
    }
}

impl Spoke {
    /// Keeps an intent in doubt, locks its record, and asks for its turn when it is due.
    pub(crate) fn doubt(&mut self, doubt: Doubt, due: Wall, now: Now) {
        let token = Self::intent_token(&doubt.intent);
        // What may have reached the target is finished whatever the hour: its record is locked for all lanes.
        let lane = doubt.head.as_ref().map_or(Lane::Critical, |head| head.lane.min(Lane::Standard));
        let draw = self.draw_of_doubt(&doubt.intent, doubt.action);
        let sort = self.sort_of_doubt(&doubt);
        if let Some(dispatcher) = &mut self.dispatcher {
            dispatcher.hold(doubt.intent.record, &doubt.intent.object, token.clone());
            dispatcher.offer(Wanted {
                token,
                lane,
                lock: None,
                due: now.mono_of(due),
                seq: 0,
                operation: match doubt.action {
                    Action::Probe => super::READ.to_owned(),
                    Action::Send => super::heads::write_operation(&doubt.intent.object),
                },
                buckets: draw.buckets,
                cost: draw.cost,
                safe: true,
                // Failed several times: perhaps its own fault.
                poison: doubt.head.as_ref().is_some_and(|head| head.attempts > 2),
                party: sort.party,
                serial: sort.serial,
            });
        }
        self.doubts.insert(doubt.intent.id, doubt);
    }

    /// Its intent is durable: it goes.
    pub(crate) fn launch(&mut self, mut flight: Flight, turn: &mut Turn<'_>) {
        flight.begins = false;
        let request = match flight.action {
            Action::Send => {
                let arrives = turn.now.wall + Duration::from_millis(flight.request.timeout_ms);
                if !flight.durable || arrives > flight.intent.arrives_until {
                    flight.intent.sends += u32::from(!flight.durable);
                    // What was looked for before says nothing of this send.
                    flight.intent.probes = 0;
                    flight.intent.arrives_until = arrives + ARRIVAL_SLACK;
                    flight.intent.state = IntentState::Open;
                    flight.durable = true;
                    let unit = Unit { require: Vec::new(), ops: vec![Op::PutIntent(flight.intent.clone())] };
                    return self.outbox.push((unit, After::Launch(Box::new(flight))));
                }
                // Where it must go again, its bytes stand in the intent.
                std::mem::take(&mut flight.request)
            }
            Action::Probe if !self.can_probe(&flight.intent) => {
                self.release(flight.permit, turn);
                return self.give_to_person(&flight.intent, ledger::unprobed(&flight.intent), turn);
            }
            Action::Probe => match self.connector.render(&Call::Probe(flight.write.clone())) {
                Ok(request) => request,
                Err(error) => {
                    let why = reason(
                        "uncertain",
                        format!("no probe can be rendered ({error}): look at the target"),
                    );
                    let intent = flight.intent.clone();
                    self.release(flight.permit, turn);
                    return self.give_to_person(&intent, why, turn);
                }
            },
        };
        flight.permit.use_for(self.draw_of_intent(&flight.intent, flight.action).buckets);
        if self
            .dispatcher
            .as_ref()
            .is_some_and(|dispatcher| !dispatcher.may_go(&flight.permit, turn.now.mono))
        {
            return self.wait_out(flight, turn);
        }
        self.send(request, Await::Answer(Box::new(flight)), turn);
    }

    /// Since it was admitted, the target has asked to be left alone: it asks for its turn again.
    pub(crate) fn wait_out(&mut self, flight: Flight, turn: &mut Turn<'_>) {
        let (action, durable) = (flight.action, flight.durable);
        let (doubt, permit) = flight.into_doubt(action, durable);
        if let Some(dispatcher) = &mut self.dispatcher {
            dispatcher.release_keeping_lock(permit, turn.now.mono);
        }
        self.doubt(doubt, turn.now.wall, turn.now);
    }

    pub(crate) fn can_probe(&self, intent: &Intent) -> bool {
        self.connector.operation(&intent.operation, &intent.object).is_some_and(|spec| spec.probe)
    }

    /// After a fresh token: the same intent goes again.
    pub(crate) fn resume_flight(&mut self, mut flight: Flight, turn: &mut Turn<'_>) {
        if flight.action == Action::Send {
            let Some(request) = Request::from_bytes(&flight.intent.request) else {
                let why = reason("unreadable", "the stored request can't be read: discard or retry it");
                self.release(flight.permit, turn);
                return self.give_to_person(&flight.intent, why, turn);
            };
            flight.request = request;
        }
        // Its permit paid for the call that was refused.
        self.spend(self.draw_of_intent(&flight.intent, flight.action), turn);
        self.launch(flight, turn);
    }

    /// An answer, or its absence.
    pub(crate) fn landed(
        &mut self,
        mut flight: Flight,
        answer: &Result<Response, Failure>,
        took: Duration,
        turn: &mut Turn<'_>,
    ) {
        let probe = flight.action == Action::Probe;
        let call = if probe { Call::Probe(flight.write) } else { Call::Write(flight.write) };
        let outcome = self.connector.classify(&call, answer, turn.now.wall);
        let (Call::Probe(write) | Call::Write(write)) = call else { return };
        flight.write = write;
        self.learn(&flight.permit, &flight.intent.operation, &outcome, took, turn);
        let next = ledger::settle(self.settling(&flight, turn), &outcome);
        self.act(flight, outcome, next, took, turn);
    }

    /// What an answer about it is judged by.
    pub(crate) fn settling<'f>(&self, flight: &'f Flight, turn: &mut Turn<'_>) -> Settling<'f> {
        Settling {
            intent: &flight.intent,
            attempts: flight.head.as_ref().map_or(0, |head| head.attempts),
            probe: flight.action == Action::Probe,
            trial: flight.permit.is_trial(),
            policy: self.settings.retry,
            now: turn.now.wall,
            jitter: turn.entropy(),
        }
    }

    pub(crate) fn learn(
        &mut self,
        permit: &Permit,
        operation: &str,
        outcome: &Outcome,
        took: Duration,
        turn: &mut Turn<'_>,
    ) {
        turn.note(Mark::Answered {
            system: self.system.clone(),
            operation: operation.to_owned(),
            class: outcome.class,
            took,
        });
        // How it was when the answer was stored does not weigh on how it is: neither a breaker nor the pace learns of it.
        if !outcome.tells_of_now() {
            return;
        }
        let span = |wait: Wait| wait.from(turn.now.wall);
        let remaining = outcome.remaining.as_ref();
        let remaining = remaining.map(|(name, left, reset)| (name.as_str(), *left, reset.map(span)));
        if let Some(dispatcher) = &mut self.dispatcher {
            dispatcher.learn(permit, outcome.class, outcome.wait.map(span), remaining, took, turn.now.mono);
        }
    }

    pub(crate) fn act(
        &mut self,
        flight: Flight,
        outcome: Outcome,
        next: Next,
        took: Duration,
        turn: &mut Turn<'_>,
    ) {
        if next == Next::Delivered {
            return self.delivered(flight, outcome, turn);
        }
        let attempt = self.attempt(&flight, &outcome, took, turn.now.wall);
        if let Some(ending) = self.misread(&flight, &next, &outcome, turn.now.wall) {
            return self.end(flight, outcome, ending, Some(attempt), turn);
        }
        match next {
            // Above: nothing of it is kept as an attempt.
            Next::Delivered => {}
            Next::Retry { due, spent } => {
                turn.note(Mark::Retrying { system: self.system.clone(), class: outcome.class });
                self.end(flight, outcome, Ending::Retry { due, spent }, Some(attempt), turn);
            }
            Next::Resend { due } => {
                if flight.action == Action::Probe {
                    turn.note(Mark::Resolved { system: self.system.clone(), how: "absent" });
                }
                self.keep_doubt(flight, Action::Send, due, &outcome, attempt, turn);
            }
            // Only what went in a batch, which is settled together.
            Next::Split { due, .. } => {
                self.end(flight, outcome, Ending::Retry { due, spent: false }, Some(attempt), turn);
            }
            Next::Probe { due } => self.keep_doubt(flight, Action::Probe, due, &outcome, attempt, turn),
            Next::Person(why) => {
                turn.note(Mark::NeedsPerson { system: self.system.clone(), message: why.message.clone() });
                self.end(flight, outcome, Ending::Person(why), Some(attempt), turn);
            }
            Next::Dead(mut why) => {
                let (mapping, version) = &flight.mapping;
                why.fingerprint = ledger::fingerprint(
                    &self.system,
                    outcome.class.name(),
                    &outcome.refusal,
                    mapping,
                    *version,
                );
                self.end(flight, outcome, Ending::Dead(why), Some(attempt), turn);
            }
            Next::Adopt { external_id } => self.ask_to_adopt(flight, external_id, turn),
            Next::LinkRot => {
                turn.note(Mark::LinkRot { system: self.system.clone() });
                match self.look_for_lost(&flight, &outcome, turn.now.wall) {
                    Some(ending) => self.end(flight, outcome, ending, Some(attempt), turn),
                    None => self.before_another(flight, outcome, turn),
                }
            }
            Next::Refetch => {
                self.end(flight, outcome, Ending::Refetch { due: turn.now.wall }, Some(attempt), turn);
            }
            Next::Reauthorise if self.has_fresher_token(took, turn.now.mono) => {
                self.unauthorised.push(flight);
                self.go_on_with_token(turn);
            }
            Next::Reauthorise if self.may_reauthorise(turn.now.mono) => {
                self.unauthorised.push(flight);
                self.ask_for_token(turn);
            }
            Next::Reauthorise => {
                self.hold_over_pause(flight, outcome, attempt, turn);
                self.pause(REFUSED.to_owned(), turn);
            }
            Next::PauseSystem(why) => {
                self.hold_over_pause(flight, outcome, attempt, turn);
                self.pause(why.message, turn);
            }
        }
    }

    fn delivered(&mut self, flight: Flight, outcome: Outcome, turn: &mut Turn<'_>) {
        let probe = flight.action == Action::Probe;
        if flight.intent.sends > u32::from(!probe) {
            let how = if probe { "found" } else { "resent" };
            turn.note(Mark::Resolved { system: self.system.clone(), how });
        }
        // Found before it was ever sent: an earlier create left it there, with older values. One of before a restore may
        // have been followed by newer ones.
        let sync = matches!(flight.intent.obligation.subject, ledger::Subject::Record(_));
        let stale = probe && flight.intent.sends == 0 || sync && self.is_of_earlier_epoch(&flight.intent);
        let ending = if stale { Ending::Found } else { Ending::Delivered };
        self.end(flight, outcome, ending, None, turn);
    }

    /// The system pauses. What was certainly not applied is rendered anew afterwards; what is in doubt stays so.
    pub(crate) fn hold_over_pause(
        &mut self,
        flight: Flight,
        outcome: Outcome,
        attempt: Attempt,
        turn: &mut Turn<'_>,
    ) {
        let now = turn.now.wall;
        let doubt = flight.intent.state == IntentState::Doubtful
            || flight.intent.sends > u32::from(flight.action == Action::Send);
        if doubt {
            let action = flight.action;
            self.keep_doubt(flight, action, now, &outcome, attempt, turn);
        } else {
            self.end(flight, outcome, Ending::Retry { due: now, spent: false }, Some(attempt), turn);
        }
    }

    pub(crate) fn attempt(&self, flight: &Flight, outcome: &Outcome, took: Duration, at: Wall) -> Attempt {
        Attempt {
            intent: flight.intent.id,
            obligation: flight.intent.obligation.clone(),
            system: self.system.clone(),
            operation: flight.intent.operation.clone(),
            probe: flight.action == Action::Probe,
            class: outcome.class,
            reason: Reason {
                candidates: Vec::new(),
                class: outcome.class.name().to_owned(),
                code: outcome.refusal.code.clone(),
                field: outcome.refusal.field.clone(),
                message: outcome.refusal.message.clone(),
                fingerprint: String::new(),
            },
            at,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// May have been applied: the intent stays as it is, durably doubtful, until it is sent or probed again.
    pub(crate) fn keep_doubt(
        &mut self,
        mut flight: Flight,
        action: Action,
        due: Wall,
        outcome: &Outcome,
        attempt: Attempt,
        turn: &mut Turn<'_>,
    ) {
        if flight.action == Action::Probe && outcome.class == Class::Absent {
            flight.intent.probes += 1;
        }
        // Nothing was sent yet and the look found nothing: now it goes, under the permit it has.
        if flight.action == Action::Probe && action == Action::Send && flight.intent.sends == 0 {
            flight.action = Action::Send;
            return self.launch(flight, turn);
        }
        turn.note(Mark::Doubtful { system: self.system.clone(), class: flight.intent.class.name() });
        if let Some(head) = &mut flight.head {
            let spends = self.settings.retry.spends(outcome, head.attempts, flight.permit.is_trial());
            head.attempts += u32::from(spends);
        }
        flight.intent.state = IntentState::Doubtful;
        flight.intent.due = due;
        flight.intent.outcome = Some(outcome.class);
        flight.intent.reason = Some(attempt.reason.clone());
        let mut ops = vec![Op::PutIntent(flight.intent.clone()), Op::PutAttempt(attempt)];
        if let Some(head) = &flight.head {
            ops.push(Op::Settle {
                key: head.key.clone(),
                level: flight.intent.level,
                reached: false,
                state: State::Retrying,
                attempts: head.attempts,
                due,
                waiting: None,
                reason: flight.intent.reason.clone(),
                at: turn.now.wall,
            });
        }
        let (doubt, permit) = flight.into_doubt(action, false);
        if let Some(dispatcher) = &mut self.dispatcher {
            dispatcher.release_keeping_lock(permit, turn.now.mono);
        }
        self.outbox.push((Unit { require: Vec::new(), ops }, After::Doubt(Box::new(doubt), due)));
    }

    /// A person must look: the intent stays doubtful, the obligation uncertain, the record free for others to see.
    pub(crate) fn give_to_person(&mut self, intent: &Intent, why: Reason, turn: &mut Turn<'_>) {
        turn.note(Mark::NeedsPerson { system: self.system.clone(), message: why.message.clone() });
        if let Some(dispatcher) = &mut self.dispatcher {
            dispatcher.unlock(intent.record, &intent.object);
        }
        self.active.remove(&intent.obligation);
        self.forget(&intent.obligation);
        self.ask_person(intent.clone(), why, turn.now.wall);
    }

    /// The unit that asks the person.
    pub(crate) fn ask_person(&mut self, mut intent: Intent, why: Reason, now: Wall) {
        intent.state = IntentState::Doubtful;
        intent.reason = Some(why.clone());
        let settle = Op::Settle {
            key: intent.obligation.clone(),
            level: intent.level,
            reached: false,
            state: State::Uncertain,
            attempts: 0,
            due: now,
            waiting: None,
            reason: Some(why.clone()),
            at: now,
        };
        let unit = Unit { require: Vec::new(), ops: vec![Op::PutIntent(intent.clone()), settle] };
        self.outbox.push((unit, After::Person(Box::new((intent, why)))));
    }

    /// Ends an intent: the unit is built from its settlement.
    pub(crate) fn end(
        &mut self,
        flight: Flight,
        outcome: Outcome,
        ending: Ending,
        attempt: Option<Attempt>,
        turn: &mut Turn<'_>,
    ) {
        // What goes again of a half goes in that half, until it has gone by itself.
        if matches!(ending, Ending::Retry { .. }) {
            self.stays_in_half(&flight);
        }
        let settlement =
            Settlement::new(flight, outcome, ending, attempt, self.dispatcher.as_mut(), turn.now.mono);
        self.settle(settlement, turn);
    }

    /// What was in a half of a batch and did not go, or was refused with it, goes in that half when it goes again.
    pub(crate) fn stays_in_half(&mut self, flight: &Flight) {
        if flight.half.is_some() {
            let sort = Sort { party: flight.half, serial: None };
            self.sorts.insert(flight.intent.obligation.clone(), sort);
        }
    }
}
