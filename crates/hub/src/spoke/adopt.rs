//! A target says that it has an object already, or no more: it is read before it is believed to be the record's, and before
//! another one takes its place.

use std::time::Duration;

use canonical::{Mono, Wall};
use connector::{Call, Failure, Response, Seen};
use ledger::{Class, Outcome, Reason};
use planted::Bug;

use crate::mark::Mark;
use crate::spoke::flight::Flight;
use crate::spoke::settle::Ending;
use crate::spoke::{Await, READ, Spoke};
use crate::turn::Turn;

/// So much longer with each try a delivery waits until it is heard what became of its object.
const GONE_WAIT: Duration = Duration::from_secs(1);
/// Tries after which a write that finds nothing is believed, whatever intake made of what was read.
const GONE_LOOKS_MAX: u32 = 5;

/// How long it waits for a breaker of reads that does not open by time alone.
const SHUT_WAIT: Duration = Duration::from_secs(30);

impl Spoke {
    /// The target says it is there already: read it before believing that it is ours. Or that it is there no more: read it
    /// before another one is made.
    pub(super) fn ask_to_adopt(&mut self, flight: Flight, external_id: String, turn: &mut Turn<'_>) {
        let call = Call::Fetch { object: flight.intent.object.clone(), external_id: external_id.clone() };
        if let Some(until) = self.unreadable_until(&call, turn.now.mono) {
            // The target asked to be left alone meanwhile, or its reads fell ill (I12). It was not applied: it is offered
            // again then.
            let lost = flight.intent.external_id.as_ref() == Some(&external_id);
            let class = if lost { Class::NotFound } else { Class::Duplicate };
            let (outcome, due) = (Outcome::of(class), turn.now.wall + turn.now.mono.until(until));
            let attempt = self.attempt(&flight, &outcome, Duration::ZERO, turn.now.wall);
            return self.end(flight, outcome, Ending::Retry { due, spent: false }, Some(attempt), turn);
        }
        match self.connector.render(&call) {
            Ok(request) => {
                self.spend(self.draw_of(&call), turn);
                self.send(request, Await::Adopt(Box::new(flight), call, external_id), turn);
            }
            Err(error) => self.refuse_adoption(flight, &external_id, &error.to_string(), turn),
        }
    }

    /// Until when, at least, the target is not read.
    pub(super) fn unreadable_until(&self, call: &Call, now: Mono) -> Option<Mono> {
        let dispatcher = self.dispatcher.as_ref()?;
        let quiet = dispatcher.quiet_until(self.draw_of(call).buckets, now);
        let opens = dispatcher.opens_at(READ).unwrap_or(now + SHUT_WAIT);
        quiet.max((opens > now).then_some(opens))
    }

    /// Before another object is made in place of one that is not found, it is asked for once more, whatever intake made of
    /// it: one that was merged into another record's object is not made anew, a person is to say whether the two are one.
    pub(super) fn before_another(&mut self, flight: Flight, outcome: Outcome, turn: &mut Turn<'_>) {
        let lost = flight.intent.external_id.clone();
        let reads = matches!(outcome.class, Class::NotFound | Class::Gone)
            && self.connector.can_fetch(&flight.intent.object)
            && !planted::is(Bug::LostIsReplaced);
        match lost.filter(|_| reads) {
            Some(lost) => self.ask_to_adopt(flight, lost, turn),
            None => {
                let attempt = self.attempt(&flight, &outcome, Duration::ZERO, turn.now.wall);
                self.end(flight, outcome, Ending::LinkRot, Some(attempt), turn);
            }
        }
    }

    /// What became of an object that a write did not find.
    fn lost(&mut self, flight: Flight, call: &Call, answer: &Result<Response, Failure>, turn: &mut Turn<'_>) {
        let read = self.connector.classify(call, answer, turn.now.wall);
        let told = matches!(read.class, Class::Applied | Class::NotFound | Class::Gone);
        if !told && !matches!(read.class, Class::Permission | Class::Permanent | Class::Validation) {
            let (object, lost) =
                (&flight.intent.object, flight.intent.external_id.as_deref().unwrap_or_default());
            let what = format!("{} does not find {object}/{lost}, and to read it gave: ", self.system);
            return self.once_more(flight, &read, what, turn);
        }
        let seen =
            answer.as_ref().ok().and_then(|response| self.connector.read_object(call, response).ok()?);
        let outcome = Outcome::of(Class::NotFound);
        let attempt = self.attempt(&flight, &outcome, Duration::ZERO, turn.now.wall);
        let ending = match seen.map(|observation| observation.seen) {
            Some(Seen::Merged { into }) => Ending::Dead(self.merged_there(&flight, &into)),
            // It is there again.
            Some(Seen::State { .. } | Seen::Hint) => Ending::Retry { due: turn.now.wall, spent: true },
            Some(Seen::Deleted) | None => Ending::LinkRot,
        };
        self.end(flight, outcome, ending, Some(attempt), turn);
    }

    fn merged_there(&self, flight: &Flight, into: &str) -> Reason {
        let (object, lost) =
            (&flight.intent.object, flight.intent.external_id.as_deref().unwrap_or_default());
        let message = format!(
            "{}:{object}/{lost} was merged into {object}/{into} there, which does not stand for record {}: if the two records \
             are one, merge them (concord record merge); if not, take the link of {object}/{lost} away (concord record \
             unlink), so that another object is made; then retry",
            self.system, flight.intent.record
        );
        let refusal = ledger::Refusal { message: message.clone(), ..ledger::Refusal::default() };
        let (mapping, version) = &flight.mapping;
        let fingerprint = ledger::fingerprint(&self.system, "merged_there", &refusal, mapping, *version);
        Reason { class: "merged_there".to_owned(), message, fingerprint, ..Reason::default() }
    }

    /// What a write does not find was deleted or merged there: a read tells which, and whoever did so is heard before anything
    /// is made in its place. `None`: that is believed as it is.
    pub(super) fn look_for_lost(&self, flight: &Flight, outcome: &Outcome, now: Wall) -> Option<Ending> {
        let tries = flight.head.as_ref()?.attempts;
        let lost =
            matches!(outcome.class, Class::NotFound | Class::Gone) && flight.intent.external_id.is_some();
        let looks = lost && tries < GONE_LOOKS_MAX && self.connector.can_fetch(&flight.intent.object);
        (looks && !planted::is(Bug::LostIsReplaced))
            .then(|| Ending::Refetch { due: now + GONE_WAIT * (tries + 1) })
    }

    /// Adopts only what has one of the record's match keys, is unlinked (the commit checks), and of this account.
    pub(crate) fn adopt(
        &mut self,
        flight: Flight,
        call: &Call,
        external_id: String,
        answer: &Result<Response, Failure>,
        turn: &mut Turn<'_>,
    ) {
        if flight.intent.external_id.as_ref() == Some(&external_id) {
            return self.lost(flight, call, answer, turn);
        }
        let read = self.connector.classify(call, answer, turn.now.wall);
        if !matches!(read.class, Class::Applied | Class::Permission | Class::Permanent | Class::Validation) {
            return self.adopt_later(flight, &external_id, &read, turn);
        }
        let agrees = answer.as_ref().ok().and_then(|response| {
            let observation = self.connector.read_object(call, response).ok()??;
            let Seen::State { fields } = observation.seen else { return None };
            let (mapping, schema) = self.config.inbound(&self.system, &flight.intent.object)?;
            let patch = mapping.normalise(&fields).ok()?;
            let found = intake::match_values(schema, &patch.fields);
            Some(found.iter().any(|pair| flight.matches.contains(pair)))
        });
        match agrees {
            Some(true) => {
                let mut outcome = Outcome::of(Class::Applied);
                outcome.external_id = Some(external_id);
                turn.note(Mark::Resolved { system: self.system.clone(), how: "adopted" });
                self.end(flight, outcome, Ending::Found, None, turn);
            }
            Some(false) => self.refuse_adoption(flight, &external_id, "none of its match keys agree", turn),
            None => self.refuse_adoption(flight, &external_id, "it could not be read to compare", turn),
        }
    }

    /// It could not be read just now, or is gone again: a duplicate was not applied, so that it may be offered again.
    fn adopt_later(&mut self, flight: Flight, external_id: &str, read: &Outcome, turn: &mut Turn<'_>) {
        let what = format!(
            "{} says {}/{external_id} is there already, and to read it to compare gave: ",
            self.system, flight.intent.object
        );
        self.once_more(flight, read, what, turn);
    }

    fn once_more(&mut self, flight: Flight, read: &Outcome, what: String, turn: &mut Turn<'_>) {
        let mut outcome = Outcome::of(Class::Retryable);
        outcome.wait = read.wait;
        outcome.refusal.message = what + read.class.name();
        let next = ledger::settle(self.settling(&flight, turn), &outcome);
        self.act(flight, outcome, next, Duration::ZERO, turn);
    }

    fn refuse_adoption(&mut self, flight: Flight, external_id: &str, why: &str, turn: &mut Turn<'_>) {
        let message = format!(
            "{} says {}/{external_id} is there already, but it was not adopted: {why}; link or merge them by hand, then retry",
            self.system, flight.intent.object
        );
        let refusal = ledger::Refusal { message: message.clone(), ..ledger::Refusal::default() };
        let (mapping, version) = &flight.mapping;
        let fingerprint = ledger::fingerprint(&self.system, "duplicate", &refusal, mapping, *version);
        let why = Reason { class: "duplicate".to_owned(), message, fingerprint, ..Reason::default() };
        let outcome = Outcome::of(Class::Duplicate);
        let attempt = self.attempt(&flight, &outcome, Duration::ZERO, turn.now.wall);
        self.end(flight, outcome, Ending::Dead(why), Some(attempt), turn);
    }
}
