//! A batch in doubt goes again: together, with the same bytes, as far as nothing moved meanwhile.
//!
//! The parts of an upsert can go again in any company. A key stands for all bytes of its batch: it goes again whole or
//! not at all, and then each is looked for.

use std::time::Duration;

use canonical::IntentId;
use dispatch::Permit;
use ledger::{IdempotencyClass, OnExit, Subject};
use store::{Query, SpokeRow};

use crate::spoke::flight::{Action, Doubt, Flight};
use crate::spoke::resend::{GATE_AGAIN, found_nothing};
use crate::spoke::{Await, Spoke, Token};
use crate::turn::Turn;

/// For so long what goes under one key waits for those of it that can't go yet.
const TOGETHER_WITHIN: Duration = Duration::from_secs(120);

fn is_keyed(doubt: &Doubt) -> bool {
    matches!(doubt.intent.class, IdempotencyClass::NativeKey { .. })
}

/// An intent of which nothing moved, and what is known of its record.
type Standing = (Doubt, Permit, Option<OnExit>, SpokeRow);

impl Spoke {
    /// Intents in doubt may go on: by themselves, or together where they are of one batch.
    pub(crate) fn go_on_with(
        &mut self,
        id: IntentId,
        permit: Permit,
        along: Vec<(Token, Permit)>,
        turn: &mut Turn<'_>,
    ) {
        let mut admitted = Vec::with_capacity(1 + along.len());
        for (token, permit) in std::iter::once((Token::Intent(id), permit)).chain(along) {
            match token {
                // A person may have decided about one meanwhile.
                Token::Intent(id) if self.doubts.contains_key(&id) => admitted.push((id, permit)),
                _ => self.unused(permit, turn),
            }
        }
        let of_batch = |id: &IntentId| {
            let doubt = self.doubts.get(id);
            doubt.is_some_and(|doubt| doubt.intent.batch.is_some() && doubt.action == Action::Send)
        };
        if admitted.first().is_some_and(|(id, _)| of_batch(id)) {
            return self.go_on_together(admitted, turn);
        }
        for (id, permit) in admitted {
            self.go_on(id, permit, turn);
        }
    }

    /// What goes under one key goes whole, if all of it is still to be sent: those of it that were not admitted with the
    /// others go along, whatever line they stand in. False when one of them has to wait: then all do, for the same
    /// moment. Not for ever: then each is looked for.
    fn brings_the_rest(&mut self, admitted: &mut Vec<(IntentId, Permit)>, turn: &mut Turn<'_>) -> bool {
        let first = admitted.first().and_then(|(id, _)| self.doubts.get(id));
        let Some(batch) = first.filter(|doubt| is_keyed(doubt)).and_then(|doubt| doubt.intent.batch) else {
            return true;
        };
        if usize::try_from(batch.of).is_ok_and(|of| of == admitted.len()) {
            return true;
        }
        let is_of_it = |doubt: &&Doubt| {
            doubt.intent.batch.is_some_and(|of| of.id == batch.id) && doubt.action == Action::Send
        };
        let members: Vec<(IntentId, Token)> = self
            .doubts
            .values()
            .filter(is_of_it)
            .map(|doubt| (doubt.intent.id, Self::intent_token(&doubt.intent)))
            .collect();
        let mut whole = true;
        for (id, token) in &members {
            let Some((_, permit)) = admitted.first() else { break };
            if admitted.iter().any(|(other, _)| other == id) {
                continue;
            }
            match self.dispatcher.as_mut().and_then(|all| all.bring(permit, token, turn.now.mono)) {
                Some((_, permit)) => admitted.push((*id, permit)),
                None => whole = false,
            }
        }
        let waited = |(id, _): &(IntentId, Token)| {
            self.doubts.get(id).is_some_and(|doubt| turn.now.wall > doubt.intent.due + TOGETHER_WITHIN)
        };
        if whole || members.iter().all(waited) {
            return true;
        }
        for (_, permit) in std::mem::take(admitted) {
            self.unused(permit, turn);
        }
        for (id, token) in members {
            if let Some(dispatcher) = &mut self.dispatcher {
                dispatcher.withdraw(&token);
            }
            if let Some(doubt) = self.doubts.remove(&id) {
                self.doubt(doubt, turn.now.wall + GATE_AGAIN, turn.now);
            }
        }
        false
    }

    fn go_on_together(&mut self, mut admitted: Vec<(IntentId, Permit)>, turn: &mut Turn<'_>) {
        if !self.brings_the_rest(&mut admitted, turn) {
            return;
        }
        let mut doubts = Vec::with_capacity(admitted.len());
        for (id, permit) in admitted {
            match self.doubts.remove(&id) {
                Some(doubt) => doubts.push((doubt, permit)),
                None => self.unused(permit, turn),
            }
        }
        if self.is_rereading() {
            for (doubt, permit) in doubts {
                self.unused(permit, turn);
                self.doubt(doubt, turn.now.wall + GATE_AGAIN, turn.now);
            }
            return;
        }
        let asks = doubts.iter().map(|(doubt, _)| self.ask_about(doubt)).collect();
        let query = Query::Spoke { tenant: self.config.tenant.clone(), system: self.system.clone(), asks };
        self.find(query, Await::ResendBatch(doubts), turn);
    }

    /// What is known of their records now: who moved makes way, the others go as they were.
    pub(crate) fn resend_batch(
        &mut self,
        doubts: Vec<(Doubt, Permit)>,
        rows: Vec<SpokeRow>,
        turn: &mut Turn<'_>,
    ) {
        let mut standing = Vec::with_capacity(doubts.len());
        for ((doubt, permit), row) in doubts.into_iter().zip(rows) {
            let sync = matches!(doubt.intent.obligation.subject, Subject::Record(_));
            let exit = if sync { self.exit_of(&doubt.intent) } else { None };
            if sync && self.moved(&doubt.intent, exit, &row).is_some() {
                self.resend(doubt, permit, &row, turn);
            } else {
                standing.push((doubt, permit, exit, row));
            }
        }
        if self.must_be_whole(&standing, turn) {
            for (doubt, permit, exit, _) in standing {
                self.look_for(doubt, permit, exit, turn);
            }
            return;
        }
        let mut flights: Vec<Flight> = Vec::with_capacity(standing.len());
        for (doubt, permit, exit, row) in standing {
            let (record, link) = (doubt.intent.record, row.link.as_deref());
            let shadow = self.fitting_shadow(record, &doubt.intent.object, row.shadow, |shadow| {
                shadow.external_id.as_deref() == link
            });
            // What is known now settles it then, unless it moves meanwhile.
            let known = |flight| Flight { obligation: row.obligation, shadow: Some(shadow), ..flight };
            flights.extend(self.flight_of(doubt, permit, exit, turn).map(known));
        }
        if !flights.is_empty() {
            self.launch_batch(flights, turn);
        }
    }

    /// Whether it goes under one key, and not all of it may: the key stands for all of its bytes.
    fn must_be_whole(&self, standing: &[Standing], turn: &Turn<'_>) -> bool {
        let scope = self.state.credential_generation.to_string();
        standing.iter().any(|(doubt, ..)| {
            let whole = doubt
                .intent
                .batch
                .is_none_or(|batch| usize::try_from(batch.of).is_ok_and(|of| of == standing.len()));
            is_keyed(doubt)
                && !(whole && doubt.intent.key_lives(&scope, turn.now.wall) && !found_nothing(doubt))
        })
    }

    /// It can't go again: it is looked for, and goes anew when nothing was found. What changes an object that is known
    /// is followed by the newest level.
    fn look_for(&mut self, doubt: Doubt, permit: Permit, exit: Option<OnExit>, turn: &mut Turn<'_>) {
        if found_nothing(&doubt) {
            let why = "its batch does not go again, and nothing of it was found";
            return self.converge(doubt, permit, exit, why, turn);
        }
        if doubt.intent.external_id.is_some() {
            return self.converge(doubt, permit, exit, "its batch does not go again", turn);
        }
        // Each look is a call of its own.
        self.unused(permit, turn);
        self.doubt(Doubt { action: Action::Probe, ..doubt }, turn.now.wall, turn.now);
    }
}
