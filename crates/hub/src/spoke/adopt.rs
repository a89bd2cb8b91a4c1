//! Adoption: a target says that it has the object already. It is read before it is believed to be the record's.

use std::time::Duration;

use connector::{Call, Failure, Response, Seen};
use ledger::{Class, Outcome, Reason};

use crate::mark::Mark;
use crate::spoke::flight::Flight;
use crate::spoke::settle::Ending;
use crate::spoke::{Await, Spoke};
use crate::turn::Turn;

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

    /// Adopts only what has one of the record's match keys, is unlinked (the commit checks), and of this account.
    pub(crate) fn adopt(
        &mut self,
        flight: Flight,
        call: &Call,
        external_id: String,
        answer: &Result<Response, Failure>,
        turn: &mut Turn<'_>,
    ) {
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
