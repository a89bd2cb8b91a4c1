//! The answer to a batch is read for each of it: every one has its own end, all in one commit.

use std::collections::BTreeMap;
use std::time::Duration;

use canonical::Wall;
use connector::{Call, Failure, Part, Response, Together};
use dispatch::Party;
use ledger::{Class, IdempotencyClass, Intent, IntentState, Next, Outcome, Reason, Settling};
use planted::Bug;

use crate::mark::Mark;
use crate::spoke::Spoke;
use crate::spoke::flight::{Action, Flight, REFUSED};
use crate::spoke::settle::Ending;
use crate::turn::Turn;

impl Spoke {
    /// The answer to a batch, or its absence: each of it is settled by what it says of it.
    pub(crate) fn landed_batch(
        &mut self,
        flights: Vec<Flight>,
        answer: &Result<Response, Failure>,
        took: Duration,
        turn: &mut Turn<'_>,
    ) {
        let calls: Vec<Call> = flights.iter().map(|flight| Call::Write(flight.write.clone())).collect();
        let Some(first) = flights.first() else { return };
        let form = Part::form_of(&first.intent.request);
        let mut verdicts = self.connector.classify_batch(&calls, form, answer, turn.now.wall);
        let operation = format!("{}.{}", first.intent.operation, form.name());
        self.learn(&first.permit, &operation, &verdicts.call, took, turn);
        if let Some(job) = verdicts.job {
            if !planted::is(Bug::SubmittedIsDone) {
                return self.began(flights, job, turn);
            }
            verdicts.each.fill(Outcome::of(Class::Applied));
        }
        let answered = answer.as_ref().is_ok_and(|response| (200..300).contains(&response.status));
        self.settle_batch(flights, verdicts.each, answered, took, turn);
    }

    /// What came of each that went together is known. `answered`: the target says so, nobody refused the whole.
    pub(crate) fn settle_batch(
        &mut self,
        flights: Vec<Flight>,
        mut each: Vec<Outcome>,
        answered: bool,
        took: Duration,
        turn: &mut Turn<'_>,
    ) {
        let Some(first) = flights.first() else { return };
        let operation = first.intent.operation.clone();
        let (bulk, chunk) = self.smaller_than(&first.intent);
        let count = |class| each.iter().filter(|outcome| outcome.class == class).count();
        let (sent, applied, unknown) = (flights.len(), count(Class::Applied), count(Class::Uncertain));
        let system = self.system.clone();
        turn.note(Mark::Batch { system, operation, sent, applied, unknown });
        let jitter = turn.entropy();
        let now = turn.now.wall;
        let mut nexts: Vec<Next> = Vec::with_capacity(sent);
        for (flight, outcome) in flights.iter().zip(&mut each) {
            if planted::is(Bug::PartIsWhole) && applied > 0 && flight.intent.external_id.is_some() {
                outcome.class = Class::Applied;
            }
            // Alone it is judged by itself.
            if sent == 1 && outcome.class == Class::BatchRejected {
                outcome.class = if bulk { Class::Retryable } else { Class::Validation };
            }
            let attempts = flight.head.as_ref().map_or(0, |head| head.attempts);
            let policy = self.settings.retry;
            let at = Settling {
                intent: &flight.intent,
                attempts,
                probe: false,
                trial: flight.permit.is_trial(),
                policy,
                now,
                jitter,
            };
            nexts.push(ledger::settle(at, outcome));
        }
        // What a key has answered with is answered again, however often: that tells no more. Each is looked for.
        for (flight, next) in flights.iter().zip(&mut nexts) {
            let keyed = matches!(flight.intent.class, IdempotencyClass::NativeKey { .. });
            if let Next::Resend { due } = *next
                && answered
                && keyed
            {
                *next = Next::Probe { due };
            }
        }
        together(&mut nexts);
        let halves = self.halves(&nexts, chunk, turn);
        let (mut pause, mut stale, mut adopts) = (None, false, false);
        // Said once for all of them: the first one's refusal is not another's.
        let fresher = self.has_fresher_token(took, turn.now.mono);
        let may = fresher || self.may_reauthorise(turn.now.mono);
        for (((mut flight, outcome), next), half) in flights.into_iter().zip(each).zip(nexts).zip(halves) {
            match next {
                Next::Split { due, kept } => self.split(flight, outcome, half, (due, kept), took, turn),
                Next::PauseSystem(Reason { message, .. }) => {
                    let attempt = self.attempt(&flight, &outcome, took, now);
                    self.hold_over_pause(flight, outcome, attempt, turn);
                    pause = Some(message);
                }
                Next::Reauthorise if may => {
                    self.unauthorised.push(flight);
                    stale = true;
                }
                Next::Reauthorise => {
                    let attempt = self.attempt(&flight, &outcome, took, now);
                    self.hold_over_pause(flight, outcome, attempt, turn);
                    pause = Some(REFUSED.to_owned());
                }
                // Each is read before it is adopted, by a call of its own: one under this permit, the others alone
                // under theirs (I9).
                Next::Adopt { .. } if std::mem::replace(&mut adopts, true) => {
                    flight.half = Some(self.new_party(2));
                    self.goes_alone(flight, outcome, took, turn);
                }
                next => self.act(flight, outcome, next, took, turn),
            }
        }
        if stale && fresher {
            self.go_on_with_token(turn);
        } else if stale {
            self.ask_for_token(turn);
        }
        // Once for all of them.
        if let Some(why) = pause {
            self.pause(why, turn);
        }
    }

    /// Not applied with the others: it goes again by itself, as it was where an earlier send is in doubt.
    fn goes_alone(&mut self, flight: Flight, outcome: Outcome, took: Duration, turn: &mut Turn<'_>) {
        let due = turn.now.wall;
        let doubt = flight.intent.sends > 1 || flight.intent.state == IntentState::Doubtful;
        let action = match flight.intent.class {
            IdempotencyClass::NativeKey { .. } => Action::Probe,
            _ => Action::Send,
        };
        if doubt {
            let attempt = self.attempt(&flight, &outcome, took, due);
            return self.keep_doubt(flight, action, due, &outcome, attempt, turn);
        }
        self.end(flight, outcome, Ending::Retry { due, spent: false }, None, turn);
    }

    /// Whether it went in a job, and in which number what the job refuses goes on, where not in halves: as the batches
    /// that the operation has besides.
    fn smaller_than(&self, intent: &Intent) -> (bool, Option<usize>) {
        let bulk = intent.batch.is_some() && Part::form_of(&intent.request) == Together::Bulk;
        let spec = self.connector.operation(&intent.operation, &intent.object);
        let batch = spec.and_then(|spec| spec.batch.as_ref()).filter(|_| bulk);
        (bulk, batch.map(|batch| batch.records_max.max(2)))
    }

    /// The parties of the halves, where a batch is to go on in halves, or in pieces of that size: one for each of it.
    fn halves(&mut self, nexts: &[Next], chunk: Option<usize>, turn: &mut Turn<'_>) -> Vec<Option<Party>> {
        let splits = nexts.iter().filter(|next| matches!(next, Next::Split { .. })).count();
        if splits == 0 {
            return vec![None; nexts.len()];
        }
        turn.note(Mark::Split { system: self.system.clone(), records: nexts.len() });
        if let Some(chunk) = chunk {
            let parties: Vec<Party> = (0..splits.div_ceil(chunk)).map(|_| self.new_party(chunk)).collect();
            let mut places = 0..splits;
            let party = |next: &Next| match next {
                Next::Split { .. } => parties.get(places.next()? / chunk).copied(),
                _ => None,
            };
            return nexts.iter().map(party).collect();
        }
        let first = nexts.len().div_ceil(2);
        let (one, other) = (self.new_party(first), self.new_party(nexts.len() - first));
        (0..nexts.len()).map(|place| Some(if place < first { one } else { other })).collect()
    }

    /// On in a half: anew, or, where an earlier send is in doubt, as it was.
    fn split(
        &mut self,
        mut flight: Flight,
        outcome: Outcome,
        half: Option<Party>,
        (due, kept): (Wall, bool),
        took: Duration,
        turn: &mut Turn<'_>,
    ) {
        if kept {
            flight.half = half;
            let attempt = self.attempt(&flight, &outcome, took, turn.now.wall);
            return self.keep_doubt(flight, Action::Send, due, &outcome, attempt, turn);
        }
        flight.half = half;
        // Of a delivery in a batch with a bad one nothing failed: nothing is kept as an attempt.
        self.end(flight, outcome, Ending::Retry { due, spent: false }, None, turn);
    }

    /// After a fresh token: the same intents go again, those of a batch together.
    pub(crate) fn resume_flights(&mut self, flights: Vec<Flight>, turn: &mut Turn<'_>) {
        let mut batches: BTreeMap<u64, Vec<Flight>> = BTreeMap::new();
        for flight in flights {
            if flight.intent.batch.is_some() && flight.action == Action::Send {
                batches.entry(flight.permit.party()).or_default().push(flight);
            } else {
                self.resume_flight(flight, turn);
            }
        }
        for flights in batches.into_values() {
            // A key stands for all of its batch: what is not there any more was ended meanwhile.
            let torn = |flight: &Flight| {
                let keyed = matches!(flight.intent.class, IdempotencyClass::NativeKey { .. });
                keyed
                    && flight.intent.batch.is_some_and(|batch| usize::try_from(batch.of) != Ok(flights.len()))
            };
            if flights.iter().any(torn) {
                for flight in flights {
                    self.wait_out(flight, turn);
                }
                continue;
            }
            // Their permits paid for the call that was refused.
            if let Some(first) = flights.first() {
                self.spend(self.draw_of_intent(&first.intent, Action::Send), turn);
            }
            self.launch_batch(flights, turn);
        }
    }
}

/// Those of one batch that are sent again go again at once: when the last of them may.
fn together(nexts: &mut [Next]) {
    let resent = |next: &Next| match next {
        Next::Resend { due } | Next::Split { due, .. } => Some(*due),
        _ => None,
    };
    let Some(last) = nexts.iter().filter_map(resent).max() else { return };
    for next in nexts {
        if let Next::Resend { due } | Next::Split { due, .. } = next {
            *due = last;
        }
    }
}
