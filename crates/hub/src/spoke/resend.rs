//! Before an intent in doubt is sent again: is what it says still what the target should hear?
//!
//! Between its first send and now, the record may have been linked, deleted or merged, may have left the filter, and an
//! owner may have spoken. Then its bytes are not sent again. By now they can no longer arrive by themselves (a doubt
//! rests until then), so that the newest level may go next.

use connector::Request;
use dispatch::Permit;
use ledger::{Class, IdempotencyClass, Intent, OnExit, Outcome, Route, RouteKind, Subject};
use planted::Bug;
use store::{Query, SpokeAsk, SpokeRow};

use crate::mark::Mark;
use crate::spoke::flight::{Action, Doubt, Flight};
use crate::spoke::plan::reason;
use crate::spoke::restored::{RESTORED, makes_way};
use crate::spoke::settle::Ending;
use crate::spoke::{Await, Spoke};
use crate::turn::Turn;

/// While everything is read again after a restore, a doubt asks this often whether it may go.
pub(crate) const GATE_AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// Whether a look that counts, after its last send, found nothing: only then is it to be sent after one.
pub(crate) const fn found_nothing(doubt: &Doubt) -> bool {
    matches!(doubt.action, Action::Send) && doubt.intent.probes > 0
}

impl Spoke {
    /// An intent in doubt may go on. A record's is judged again before its bytes go.
    pub(crate) fn go_on(&mut self, id: canonical::IntentId, permit: Permit, turn: &mut Turn<'_>) {
        let Some(doubt) = self.doubts.remove(&id) else { return self.release(permit, turn) };
        if self.is_rereading() {
            self.unused(permit, turn);
            return self.doubt(doubt, turn.now.wall + GATE_AGAIN, turn.now);
        }
        let sync = matches!(doubt.intent.obligation.subject, Subject::Record(_));
        // Of a batch under a key that does not go again: a change of a known object can't be looked for.
        let keyed = matches!(doubt.intent.class, IdempotencyClass::NativeKey { .. });
        if doubt.action == Action::Probe
            && keyed
            && sync
            && doubt.intent.batch.is_some()
            && doubt.intent.external_id.is_some()
        {
            let exit = self.exit_of(&doubt.intent);
            return self.converge(doubt, permit, exit, "its batch does not go again", turn);
        }
        if doubt.action == Action::Probe || !sync {
            return self.go_on_as_it_was(doubt, permit, None, turn);
        }
        let ask = self.ask_about(&doubt);
        let query =
            Query::Spoke { tenant: self.config.tenant.clone(), system: self.system.clone(), asks: vec![ask] };
        self.find(query, Await::Resend(Box::new(doubt), permit), turn);
    }

    /// How its delivery and its record stand, and what the record refers to.
    pub(crate) fn ask_about(&self, doubt: &Doubt) -> SpokeAsk {
        SpokeAsk { references: self.references_of(&doubt.intent.obligation.route), ..doubt.ask() }
    }

    /// What is known of its record now: it goes as it was, or makes way for the newest level.
    pub(crate) fn resend(&mut self, doubt: Doubt, permit: Permit, row: &SpokeRow, turn: &mut Turn<'_>) {
        let exit = self.exit_of(&doubt.intent);
        let Some(moved) = self.moved(&doubt.intent, exit, row) else {
            return self.go_on_as_it_was(doubt, permit, exit, turn);
        };
        // A create may have made an object that nothing points at: only a look can tell.
        let keyed = matches!(doubt.intent.class, IdempotencyClass::NativeKey { .. });
        let upsert = matches!(doubt.intent.class, IdempotencyClass::Upsert);
        let creates = (keyed || upsert) && doubt.intent.external_id.is_none();
        if !creates || row.link.is_some() || found_nothing(&doubt) {
            return self.converge(doubt, permit, exit, moved, turn);
        }
        if self.can_probe(&doubt.intent) {
            return self.look_instead(doubt, permit, turn);
        }
        if upsert {
            return self.converge(doubt, permit, exit, moved, turn);
        }
        self.release(permit, turn);
        let text =
            format!("it may have been created, and {moved} since: look at the target, then retry or discard");
        self.give_to_person(&doubt.intent, reason("uncertain", text), turn);
    }

    /// Why the intent's bytes must not go again, in words; `None` when nothing moved.
    pub(crate) fn moved(
        &self,
        intent: &Intent,
        exit: Option<OnExit>,
        row: &SpokeRow,
    ) -> Option<&'static str> {
        let Some(record) = row.record.as_ref().filter(|record| record.id == intent.record) else {
            return Some("the record was merged or erased");
        };
        let Some((route, schema)) = self
            .config
            .route(&intent.obligation.route)
            .and_then(|route| Some((route, self.config.entities.get(&route.entity)?)))
        else {
            return Some("its route left the configuration");
        };
        let goes = record.alive == canonical::Alive::Live
            && route.filter.iter().all(|condition| condition.holds(&record.fields));
        match (exit.is_some(), goes) {
            (true, true) => return Some("the record came back"),
            (false, false) => return Some("the record was deleted or left the route's filter"),
            _ => {}
        }
        if self.is_of_earlier_epoch(intent) && makes_way(intent) {
            return Some(RESTORED);
        }
        if row.link != intent.external_id {
            return Some("the record was linked or unlinked there");
        }
        let mapping = self.config.mapping_of(route)?;
        let held = self.held_paths(mapping, record);
        if intent.fields.keys().any(|path| held.contains(path.as_str())) {
            return Some("a field that it says is not settled there");
        }
        let own = self.own_paths(mapping, schema, Some(record));
        let said = intent.fields.keys().any(|path| own.contains(path.as_str()));
        if !said {
            return None;
        }
        let links = |_: &canonical::Entity, object: &canonical::Object, id: &canonical::RecordId| {
            row.links.get(&(*id, object.clone())).cloned()
        };
        let now = mapping.project(&record.said_to(&self.system, schema), &links).ok()?;
        let differs = own.iter().any(|path| match (intent.fields.get(*path), now.fields.get(*path)) {
            (Some(then), Some(now)) => !mapping.equal_at(path, then, now),
            (then, now) => then.is_some() != now.is_some(),
        });
        differs.then_some("an owner spoke")
    }

    /// The exit an intent carries out, if it is one.
    pub(crate) fn exit_of(&self, intent: &Intent) -> Option<OnExit> {
        let route: &Route = self.config.route(&intent.obligation.route)?;
        let mut exits = route.exits().filter(|_| route.kind == RouteKind::Sync);
        exits.find(|exit| {
            let spec =
                exit.operation().and_then(|name| self.connector.choose(&intent.object, true, Some(name)));
            spec.is_some_and(|spec| *spec.name == *intent.operation)
        })
    }

    /// Closed unsent: its fields are unknown there until the newest level has gone.
    pub(crate) fn converge(
        &mut self,
        doubt: Doubt,
        permit: Permit,
        exit: Option<OnExit>,
        why: &str,
        turn: &mut Turn<'_>,
    ) {
        turn.note(Mark::Resolved { system: self.system.clone(), how: "converged" });
        let Some(flight) = self.flight_of(doubt, permit, exit, turn) else { return };
        let outcome =
            Outcome::because(Class::Uncertain, format!("not sent again: {why}; the newest level goes next"));
        let attempt = self.attempt(&flight, &outcome, std::time::Duration::ZERO, turn.now.wall);
        self.end(flight, outcome, Ending::Converge, Some(attempt), turn);
    }

    fn go_on_as_it_was(&mut self, doubt: Doubt, permit: Permit, exit: Option<OnExit>, turn: &mut Turn<'_>) {
        // The wait may have outlasted the key: then only a look is safe, and after it a new key.
        let scope = self.state.credential_generation.to_string();
        if doubt.action == Action::Send && !doubt.intent.key_lives(&scope, turn.now.wall) {
            if found_nothing(&doubt) {
                let why = "its key has expired, and nothing of it was found";
                return self.converge(doubt, permit, exit, why, turn);
            }
            return self.look_instead(doubt, permit, turn);
        }
        if let Some(flight) = self.flight_of(doubt, permit, exit, turn) {
            self.launch(flight, turn);
        }
    }

    /// A look instead of the send; it may need a permit of its own.
    fn look_instead(&mut self, doubt: Doubt, permit: Permit, turn: &mut Turn<'_>) {
        let doubt = Doubt { action: Action::Probe, ..doubt };
        let draw = self.draw_of_doubt(&doubt.intent, doubt.action);
        let shared = self.dispatcher.as_ref().is_some_and(|dispatcher| dispatcher.is_shared(&permit));
        if shared || !permit.covers(draw.buckets, draw.cost) {
            self.unused(permit, turn);
            return self.doubt(doubt, turn.now.wall, turn.now);
        }
        if let Some(flight) = self.flight_of(doubt, permit, None, turn) {
            self.launch(flight, turn);
        }
    }

    /// The doubt as a flight; `None` when its stored request can't be read and a person was told.
    pub(crate) fn flight_of(
        &mut self,
        doubt: Doubt,
        permit: Permit,
        exit: Option<OnExit>,
        turn: &mut Turn<'_>,
    ) -> Option<Flight> {
        // Of a batch each intent has its part.
        let kept = match doubt.intent.batch {
            Some(_) => Some(Request::default()),
            None => Request::from_bytes(&doubt.intent.request),
        };
        let Some(mut request) = kept else {
            self.release(permit, turn);
            let why = reason("unreadable", "the stored request can't be read: discard or retry it");
            self.give_to_person(&doubt.intent, why, turn);
            return None;
        };
        if planted::is(Bug::NewKeyPerAttempt) {
            request.headers.iter_mut().for_each(|(_, value)| value.push('+'));
        }
        Some(Flight {
            intent: doubt.intent,
            write: doubt.write,
            request,
            head: doubt.head,
            obligation: None,
            shadow: None,
            matches: doubt.matches,
            mapping: (String::new(), 0),
            exit,
            permit,
            durable: doubt.durable && doubt.action == Action::Send,
            begins: false,
            action: doubt.action,
            half: doubt.half,
        })
    }
}
