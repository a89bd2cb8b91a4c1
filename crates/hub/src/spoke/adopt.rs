//! A target says that it has an object already, or no more: it is read before it is believed to be the record's, and before
//! another one takes its place.

use std::time::Duration;

use canonical::Wall;
use connector::{Call, Failure, Response, Seen};
use ledger::{Class, Outcome, Reason};
use planted::Bug;

use crate::mark::Mark;
use crate::spoke::flight::Flight;
use crate::spoke::settle::Ending;
use crate::spoke::{Await, Spoke};
use crate::turn::Turn;

/// So much longer with each try a delivery waits until it is heard what became of its object.
const GONE_WAIT: Duration = Duration::from_secs(1);
/// Tries after which a write that finds nothing is believed, whatever is read.
const GONE_LOOKS_MAX: u32 = 5;

impl Spoke {
    /// The target says it is there already: read it before believing that it is ours.
    pub(super) fn ask_to_adopt(&mut self, flight: Flight, external_id: String, turn: &mut Turn<'_>) {
        let call = Call::Fetch { object: flight.intent.object.clone(), external_id: external_id.clone() };
        let quiet = self
            .dispatcher
            .as_ref()
            .and_then(|dispatcher| dispatcher.quiet_until(self.draw_of(&call).buckets, turn.now.mono));
        if let Some(until) = quiet {
            // The target asked to be left alone meanwhile (I12). A duplicate was not applied: it is offered again then.
            let (outcome, due) = (Outcome::of(Class::Duplicate), turn.now.wall + turn.now.mono.until(until));
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
        let mut outcome = Outcome::of(Class::Retryable);
        outcome.wait = read.wait;
        outcome.refusal.message = format!(
            "{} says {}/{external_id} is there already, and to read it to compare gave: {}",
            self.system,
            flight.intent.object,
            read.class.name()
        );
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
