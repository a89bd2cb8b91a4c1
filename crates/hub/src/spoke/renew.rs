//! A spoke's end, and its renewal: another configuration takes over between two calls, never within one.
//!
//! Where the system itself is as it was, the new configuration simply counts from this turn on: what is on the wire
//! was rendered and stays as it is. Where the system's connector, limits or connection changed, the spoke finishes
//! what is under way and starts again from the store, exactly as after a restart; its tickets count on, so that a
//! late answer to the former life finds nobody.

use std::sync::Arc;

use config::Configuration;

use crate::mark::Mark;
use crate::spoke::{Await, Spoke};
use crate::turn::{Effect, Ticket, Turn};

/// What a spoke that starts nothing new is to become.
#[derive(Debug, Default)]
pub(crate) struct Renewal {
    /// Those who wait to hear that nothing is under way.
    waiting: Vec<Ticket>,
    /// What it starts again with, and who waits to hear it.
    next: Option<(Ticket, Arc<Configuration>)>,
    /// It is to end instead.
    ending: bool,
    ended: bool,
}

impl Spoke {
    /// Finishes what is under way, and ends.
    pub(crate) fn drain(&mut self) {
        self.draining = true;
        self.renewal.ending = true;
    }

    /// Finishes what is under way and starts nothing until it is configured. A configuration that still waits for that
    /// makes way: whoever holds it configures it, too.
    pub(crate) fn hold_still(&mut self, outside: Ticket, turn: &mut Turn<'_>) {
        self.draining = true;
        if let Some((before, _)) = self.renewal.next.take() {
            Self::answer(before, Err("it is held for another configuration".to_owned()), turn);
        }
        self.renewal.waiting.push(outside);
    }

    /// Works by `config` from now on.
    pub(crate) fn configure(&mut self, outside: Ticket, config: Arc<Configuration>, turn: &mut Turn<'_>) {
        let Some(settings) = config.systems.get(&self.system) else {
            let why = format!("the configuration has no system {}", self.system);
            return Self::answer(outside, Err(why), turn);
        };
        if !self.draining && settings.works_as(&self.settings) {
            self.settings = settings.clone();
            self.config = config;
            turn.note(Mark::Configured { system: self.system.clone(), renewed: false });
            return Self::answer(outside, Ok(()), turn);
        }
        self.draining = true;
        if let Some((before, _)) = self.renewal.next.replace((outside, config)) {
            Self::answer(before, Err("another configuration came before it could count".to_owned()), turn);
        }
    }

    /// When nothing is under way any more: ends, or starts again, or says so.
    pub(crate) fn settle_drain(&mut self, turn: &mut Turn<'_>) {
        if !self.draining || self.renewal.ended || self.is_busy() {
            return;
        }
        for outside in std::mem::take(&mut self.renewal.waiting) {
            Self::answer(outside, Ok(()), turn);
        }
        if self.renewal.ending {
            self.renewal.ended = true;
            turn.effect(Effect::Drained);
        } else if let Some((outside, config)) = self.renewal.next.take() {
            self.renew(outside, config, turn);
        }
    }

    /// Something is on the wire, or on its way to the store. A page or object on its way to intake is waited for only
    /// where the spoke goes on: else the source would be asked for it twice.
    fn is_busy(&self) -> bool {
        let idle = |what: &Await| {
            matches!(
                what,
                Await::Claim(_)
                    | Await::Held
                    | Await::Fetches
                    | Await::System
                    | Await::Intents
                    | Await::Recovered(_)
            )
        };
        !self.outbox.is_empty()
            || !self.awaiting.values().all(idle)
            || (!self.renewal.ending && !self.offers.is_empty())
    }

    /// Forgets everything, as an end would, and starts from the store.
    fn renew(&mut self, outside: Ticket, config: Arc<Configuration>, turn: &mut Turn<'_>) {
        let Some(mut fresh) = Self::new(config, self.system.clone()) else {
            return Self::answer(outside, Err("the configuration has no such system".to_owned()), turn);
        };
        fresh.next_ticket = self.next_ticket;
        fresh.early = std::mem::take(&mut self.early);
        // Others say once that they have read again, and are waited for no longer than before.
        fresh.reread_others = std::mem::take(&mut self.reread_others);
        fresh.reread_until = self.reread_until;
        // What intake was told, and has told.
        fresh.said_at_work = self.said_at_work;
        fresh.resting = std::mem::take(&mut self.resting);
        *self = fresh;
        turn.note(Mark::Configured { system: self.system.clone(), renewed: true });
        Self::answer(outside, Ok(()), turn);
        self.start(turn);
    }
}
