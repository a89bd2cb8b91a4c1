//! Connecting: own state, intents found open, token, the account's identity; and waiting when that fails.

use std::collections::BTreeMap;
use std::time::Duration;

use canonical::{Mono, Now, Object, Wall};
use connector::{Call, Cursor, Failure, Response};
use dispatch::{BucketSet, Dispatcher, WAIT_MAX};
use ledger::{Class, Intent, Recovery, State};
use planted::Bug;
use store::{Op, Query, SpokeRow, SystemState, Unit};

use crate::mark::Mark;
use crate::spoke::bulk::Bulk;
use crate::spoke::flight::{Action, Doubt};
use crate::spoke::settle::After;
use crate::spoke::source::Poll;
use crate::spoke::{Await, Phase, READ, Spoke, Token};
use crate::turn::{Effect, MachineId, Notice, Ticket, Turn};

/// Shorter cool-downs are over before a start is.
const COOL_DOWN_MIN: Duration = Duration::from_millis(100);
/// The wall clock may have been set by so much since they were written down (I17).
const CLOCK_SLACK: Duration = Duration::from_secs(2);
/// First and longest wait between tries to connect.
const CONNECT_RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Of so many deliveries at once it is asked how they stand.
const TAKE_UP_MAX: usize = 256;

/// Intents that were found open, and when each may go on.
#[derive(Debug)]
pub(crate) struct TakeUp {
    /// How these stand is asked.
    asked: Vec<(Doubt, Wall)>,
    rest: Vec<(Doubt, Wall)>,
    /// Jobs, with what was found of them.
    bulks: Vec<Bulk>,
}

impl Spoke {
    pub(crate) fn start(&mut self, turn: &mut Turn<'_>) {
        self.dispatcher = Some(Dispatcher::new(self.settings.limits.clone(), turn.now.mono));
        let (tenant, system) = (self.config.tenant.clone(), self.system.clone());
        self.find(Query::System { tenant, system }, Await::System, turn);
    }

    pub(crate) fn loaded(
        &mut self,
        state: Option<SystemState>,
        cursors: BTreeMap<Object, String>,
        turn: &mut Turn<'_>,
    ) {
        if let Some(state) = state {
            self.state = state;
        }
        // Gauges may tell of a former life.
        self.said_idle = false;
        self.cool_down(turn.now);
        self.obey_standing(turn.now);
        let cursors: BTreeMap<Object, Cursor> = cursors
            .into_iter()
            .map(|(object, text)| (object, serde_json::from_str(&text).unwrap_or_default()))
            .collect();
        self.learn_of_first_listings(&cursors, turn);
        if let (Some(reason), Some(dispatcher)) = (&self.state.paused, &mut self.dispatcher) {
            dispatcher.pause(reason.clone());
            turn.note(Mark::Paused { system: self.system.clone(), reason: reason.clone() });
        }
        for (object, every) in &self.settings.poll {
            let cursor = cursors.get(object).cloned().unwrap_or_default();
            let poll = Poll::new(*every, self.rewound(cursor), turn.now.mono);
            self.polls.insert(object.clone(), poll);
        }
        if self.reads_only {
            // What may have been sent is finished by whoever delivers.
            return self.recovered(Vec::new(), turn);
        }
        self.listen(turn.now);
        let (tenant, system) = (self.config.tenant.clone(), self.system.clone());
        self.find(Query::Intents { tenant, system }, Await::Intents, turn);
    }

    /// Intents found open may have reached the target: each is finished before anything newer of its record goes.
    pub(crate) fn recovered(&mut self, intents: Vec<Intent>, turn: &mut Turn<'_>) {
        let scope = self.state.credential_generation.to_string();
        let mut bulks = self.kept_bulks();
        let mut found = Vec::new();
        for mut intent in intents {
            // Whether a look of an earlier life counts is not known: none does.
            intent.probes = 0;
            self.may_have_been_sent(&mut intent);
            let waits = bulks.iter().any(|bulk| bulk.is_waited_for_by(&intent));
            let recovery = if waits || self.went_nowhere(&intent, &mut bulks, turn.now.wall) {
                Recovery::Resend { not_before: turn.now.wall }
            } else {
                ledger::recover(&intent, &scope, turn.now.wall)
            };
            let (action, not_before) = match recovery {
                Recovery::Resend { not_before } => (Action::Send, not_before),
                Recovery::Probe { not_before } => (Action::Probe, not_before),
                Recovery::Person(reason) => {
                    self.give_to_person(&intent, reason, turn);
                    continue;
                }
            };
            let Some(write) = crate::written::written(&intent) else {
                let reason =
                    super::plan::reason("unreadable", "the stored call can't be read: discard or retry it");
                self.give_to_person(&intent, reason, turn);
                continue;
            };
            intent.fields.clone_from(&write.fields);
            let (head, matches, durable, half) = (None, Vec::new(), false, None);
            found.push((Doubt { intent, write, head, action, matches, durable, half }, not_before));
        }
        // What is raised of them from now on waits until they are settled.
        self.active.extend(found.iter().map(|(doubt, _)| doubt.intent.obligation.clone()));
        self.take_up(TakeUp { asked: Vec::new(), rest: found, bulks }, turn);
    }

    /// Asks how the next deliveries stand whose intents were found; when no more are left, the spoke connects.
    fn take_up(&mut self, mut found: TakeUp, turn: &mut Turn<'_>) {
        if found.rest.is_empty() {
            self.resume_bulks(found.bulks, turn);
            self.connect(turn);
            for (outside, order) in std::mem::take(&mut self.early) {
                self.order(outside, order, turn);
            }
            return;
        }
        found.asked = found.rest.split_off(found.rest.len().saturating_sub(TAKE_UP_MAX));
        let asks = found.asked.iter().map(|(doubt, _)| doubt.ask()).collect();
        let query = Query::Spoke { tenant: self.config.tenant.clone(), system: self.system.clone(), asks };
        self.find(query, Await::Recovered(Box::new(found)), turn);
    }

    /// How deliveries stand whose intents were found: attempts go on from what was counted before. What was given to a
    /// person stays with him.
    pub(crate) fn taken_up(&mut self, mut found: TakeUp, rows: Vec<SpokeRow>, turn: &mut Turn<'_>) {
        for ((mut doubt, not_before), row) in std::mem::take(&mut found.asked).into_iter().zip(rows) {
            let key = &doubt.intent.obligation;
            let of_job = found.bulks.iter_mut().find(|bulk| bulk.is_waited_for_by(&doubt.intent));
            let given = row.obligation.as_ref().is_some_and(|row| row.state == State::Uncertain);
            let wanted = row.obligation.as_ref().filter(|row| store::rules::ready(row));
            doubt.head = wanted.map(store::rules::head);
            if wanted.is_none() {
                self.active.remove(key);
                self.raised_again.remove(key);
            } else if wanted.is_some_and(|row| row.wanted != doubt.intent.level) {
                self.raised_again.insert(key.clone());
            }
            if given && of_job.is_none() {
                continue;
            }
            doubt.matches = self.matches_of(&row);
            match of_job.filter(|_| !planted::is(Bug::RunningJobForgotten)) {
                Some(bulk) => bulk.put_back(doubt),
                None => {
                    turn.note(Mark::Doubtful {
                        system: self.system.clone(),
                        class: doubt.intent.class.name(),
                    });
                    self.doubt(doubt, not_before, turn.now);
                }
            }
        }
        self.take_up(found, turn);
    }

    /// By what a record is found at the target.
    pub(crate) fn matches_of(&self, row: &SpokeRow) -> Vec<(String, String)> {
        let record = row.record.as_ref();
        let found = record.and_then(|record| Some((record, self.config.entities.get(&record.entity)?)));
        found.map_or_else(Vec::new, |(record, schema)| intake::match_values(schema, &record.fields))
    }

    pub(crate) fn connect(&mut self, turn: &mut Turn<'_>) {
        if self.state.paused.is_some() {
            self.phase = Phase::Running;
            return;
        }
        if self.connector.has_identity() && self.is_shut(turn.now.mono) {
            return self.wait_for_reads();
        }
        if super::needs_token(self.connector.auth()) {
            return self.authorise(turn);
        }
        self.identify(turn);
    }

    /// The target has asked to be left alone by calls that draw from these limits (I12): the spoke connects when that is
    /// over.
    pub(crate) fn is_left_alone(&mut self, drawn: BucketSet, turn: &Turn<'_>) -> bool {
        let dispatcher = self.dispatcher.as_ref();
        let until = dispatcher.and_then(|dispatcher| dispatcher.quiet_until(drawn, turn.now.mono));
        if let Some(until) = until {
            self.phase = Phase::Waiting(until);
        }
        until.is_some()
    }

    /// Whether the breaker of reads lets nothing go just now (I12).
    pub(crate) fn is_shut(&mut self, now: Mono) -> bool {
        self.dispatcher.as_mut().is_some_and(|dispatcher| !dispatcher.lets_go(READ, now))
    }

    /// Whose account it is may not be asked now, and unless that is known, nothing else goes either. All that waits, waits on:
    /// what is due in the store, what met a stale token in memory.
    fn wait_for_reads(&mut self) {
        self.phase = Phase::Shut;
        let why = "the breaker of reads is open, so that nothing can ask whose account it is: it connects when that closes";
        self.trouble = Some(why.to_owned());
    }

    fn identify(&mut self, turn: &mut Turn<'_>) {
        if !self.connector.has_identity() {
            return self.connected(turn);
        }
        // It may have opened while a token was fetched.
        if self.is_shut(turn.now.mono) {
            return self.wait_for_reads();
        }
        let draw = self.draw_of(&Call::Identity);
        if self.is_left_alone(draw.buckets, turn) {
            return;
        }
        match self.connector.render(&Call::Identity) {
            Ok(request) => {
                self.phase = Phase::Identifying;
                self.spend(draw, turn);
                self.send(request, Await::Identity, turn);
            }
            Err(error) => self.pause(format!("its identity request can't be rendered: {error}"), turn),
        }
    }

    /// A fresh token is in place, or not.
    pub(crate) fn authorised(&mut self, result: Result<Result<i64, String>, Failure>, turn: &mut Turn<'_>) {
        turn.note(Mark::Authorised { system: self.system.clone(), ok: matches!(result, Ok(Ok(_))) });
        match result {
            // A fresh token is not another credential: keys at the target live on.
            Ok(Ok(_)) => {
                self.authorised_at = Some(turn.now.mono);
                if self.state.instance.is_some() && !self.unauthorised.is_empty() {
                    self.phase = Phase::Running;
                    let flights = std::mem::take(&mut self.unauthorised);
                    self.resume_flights(flights, turn);
                } else {
                    self.identify(turn);
                }
            }
            Ok(Err(why)) => {
                self.pause(
                    format!("its credential is refused ({why}): renew it, then resume the system"),
                    turn,
                );
            }
            Err(failure) => self.wait_to_connect(&failure.detail, failure.wait, turn),
        }
    }

    pub(crate) fn identified(&mut self, answer: &Result<Response, Failure>, turn: &mut Turn<'_>) {
        let outcome = self.connector.classify(&Call::Identity, answer, turn.now.wall);
        match (outcome.class, answer) {
            (Class::Applied, Ok(response)) => match self.connector.identity(response) {
                Ok(instance) => self.pin(instance, turn),
                Err(garbled) => self.wait_to_connect(&garbled.to_string(), None, turn),
            },
            (Class::AuthExpired, _) if self.may_reauthorise(turn.now.mono) => self.replace_token(turn),
            (Class::AuthExpired | Class::AuthRevoked | Class::Permission, _) => {
                let said = outcome.refusal.message;
                self.pause(
                    format!("its credential is refused ({said}): renew it, then resume the system"),
                    turn,
                );
            }
            _ => {
                let asked = outcome.wait.map(|wait| wait.from(turn.now.wall));
                self.wait_to_connect(&outcome.refusal.message, asked, turn);
            }
        }
    }

    /// Links pin the account: another one than before pauses the system.
    fn pin(&mut self, instance: String, turn: &mut Turn<'_>) {
        match &self.state.instance {
            Some(known) if *known != instance => {
                let why = format!(
                    "it is now account {instance}, but its links belong to account {known}: connect the right account, \
                     or remove the links, then resume the system"
                );
                return self.pause(why, turn);
            }
            Some(_) => {}
            None => {
                self.state.instance = Some(instance);
                self.keep_state(None);
            }
        }
        self.connected(turn);
    }

    fn connected(&mut self, turn: &mut Turn<'_>) {
        self.phase = Phase::Running;
        self.connect_tries = 0;
        self.refusals = 0;
        self.trouble = None;
        if let Some(instance) = &self.state.instance {
            let notice = Notice::Connected(self.system.clone(), instance.clone());
            turn.effect(Effect::Tell(MachineId::Intake, notice));
        }
        let flights = std::mem::take(&mut self.unauthorised);
        self.resume_flights(flights, turn);
    }

    /// Tries again later and later, and not before whoever answered asked for; that also holds over a new start (I12).
    fn wait_to_connect(&mut self, why: &str, asked: Option<Duration>, turn: &mut Turn<'_>) {
        self.connect_tries = self.connect_tries.saturating_add(1);
        let ceiling = CONNECT_RETRY.0.saturating_mul(1 << self.connect_tries.min(6)).min(CONNECT_RETRY.1);
        let ceiling = u64::try_from(ceiling.as_micros()).unwrap_or(u64::MAX).max(2);
        let wait = Duration::from_micros(ceiling / 2 + turn.entropy() % (ceiling / 2));
        turn.note(Mark::Unconnected { system: self.system.clone(), why: why.to_owned() });
        self.trouble = Some(why.to_owned());
        let asked = asked.unwrap_or_default().min(WAIT_MAX);
        if let Some(dispatcher) = self.dispatcher.as_mut().filter(|_| !asked.is_zero()) {
            dispatcher.close_until(None, turn.now.mono + asked);
        }
        self.phase = Phase::Waiting(turn.now.mono + wait.max(asked));
    }

    pub(crate) fn tick(&mut self, turn: &mut Turn<'_>) {
        if let Phase::Waiting(until) = self.phase
            && until <= turn.now.mono
        {
            self.connect(turn);
        }
    }

    /// The system's own state goes to the store.
    pub(crate) fn keep_state(&mut self, outside: Option<Ticket>) {
        let unit = Unit { require: Vec::new(), ops: vec![Op::PutSystem(self.state.clone())] };
        self.outbox.push((unit, After::System(outside)));
    }

    /// What the system asked for before the last end still holds (I12).
    fn cool_down(&mut self, now: Now) {
        let Some(dispatcher) = &mut self.dispatcher else { return };
        for (name, until) in &self.state.closed {
            let until = now.mono_of(*until + CLOCK_SLACK).min(now.mono + WAIT_MAX);
            if until > now.mono && !planted::is(Bug::CoolDownForgotten) {
                dispatcher.close_until(name.as_deref(), until);
                self.kept_closed.insert(name.clone(), until);
            }
        }
    }

    /// A new cool-down is made durable, with whatever else this turn writes.
    pub(crate) fn keep_cool_downs(&mut self, now: Now) {
        let Some(dispatcher) = &self.dispatcher else { return };
        let news = |(name, until): &(Option<&str>, Mono)| {
            now.mono.until(*until) > COOL_DOWN_MIN
                && self.kept_closed.get(&name.map(str::to_owned)).is_none_or(|kept| kept < until)
        };
        if !dispatcher.closings(now.mono).any(|closing| news(&closing)) {
            return;
        }
        let all = dispatcher.closings(now.mono);
        self.kept_closed = all.map(|(name, until)| (name.map(str::to_owned), until)).collect();
        let wall = |until: Mono| now.wall + now.mono.until(until);
        self.state.closed =
            self.kept_closed.iter().map(|(name, until)| (name.clone(), wall(*until))).collect();
        self.keep_state(None);
    }

    /// Holds everything, durably. Nothing is dropped.
    pub(crate) fn pause(&mut self, reason: String, turn: &mut Turn<'_>) {
        self.pause_for(reason, None, turn);
    }

    /// The same, where an operator waits to hear that it is durable.
    pub(crate) fn pause_for(&mut self, reason: String, outside: Option<Ticket>, turn: &mut Turn<'_>) {
        self.phase = Phase::Running;
        if let Some(dispatcher) = &mut self.dispatcher {
            dispatcher.pause(reason.clone());
        }
        turn.note(Mark::Paused { system: self.system.clone(), reason: reason.clone() });
        self.changed("paused", String::new(), reason.clone(), turn.now);
        self.state.paused = Some(reason);
        self.keep_state(outside);
    }

    /// Goes on, because an operator said so.
    pub(crate) fn go(&mut self, why: &str, outside: Ticket, turn: &mut Turn<'_>) {
        let held = self.state.paused.is_some() || self.awaited_first().next().is_some();
        // A person has read why it paused.
        self.approve_first();
        self.state.paused = None;
        self.refusals = 0;
        if let Some(dispatcher) = &mut self.dispatcher {
            dispatcher.resume();
        }
        // Ordered twice it changes nothing more.
        if held {
            turn.note(Mark::Resumed { system: self.system.clone(), reason: why.to_owned() });
            self.changed("resumed", String::new(), why.to_owned(), turn.now);
        }
        self.keep_state(Some(outside));
        self.connect(turn);
    }

    /// The dispatcher's token of an intent in doubt.
    pub(crate) fn intent_token(intent: &Intent) -> Token {
        Token::Intent(intent.id)
    }
}
