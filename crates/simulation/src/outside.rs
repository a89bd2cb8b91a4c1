//! What the hub's effects do outside of it: in the store, at the targets, for whoever waits to be acknowledged.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use canonical::System;
use connector::{Failure, FailureKind, Observation, Reached, Request, Response};
use hub::{Ack, Arrival, Effect, Input, MachineId, Mark, Offer, Origin, TakenAs, Ticket};
use store::Store as _;

use crate::driver::{Event, Simulation, micros};
use crate::vendor::{Faults, Reply};

/// The source offers again what was not acknowledged within this time.
const OFFER_AGAIN: Duration = Duration::from_secs(3);
/// The ticket of what is said once, whoever hears it.
pub(crate) const HEEDLESS: u64 = u64::MAX;

impl Simulation {
    pub(crate) fn perform(&mut self, id: &MachineId, effect: Effect) {
        match effect {
            Effect::Find(ticket, query) => {
                let answers = Arc::clone(&self.answers);
                let to = id.clone();
                let reply = Box::new(move |rows| queue(&answers, to, Input::Found(ticket, rows)));
                self.store.find(query, reply);
                self.collect();
            }
            Effect::Commit(ticket, units) => {
                self.remember(&format!("{id:?} commits {} units", units.len()));
                self.watch_commit(&units);
                let answers = Arc::clone(&self.answers);
                let to = id.clone();
                let reply = Box::new(move |receipts| queue(&answers, to, Input::Committed(ticket, receipts)));
                self.store.commit(units, reply);
                let latency = self.between(200, 3_000);
                self.at(self.now + latency, Event::Sync);
            }
            Effect::Send(ticket, request) => {
                let MachineId::Spoke(system) = id.clone() else { return };
                self.watch_send(&system, &request);
                let (now, most) = self.wire.entry(system.clone()).or_default();
                *now += 1;
                *most = (*most).max(*now);
                self.remember(&format!("{system} sends {} {}/", request.method, request.path));
                let latency = self.between(300, 20_000);
                let life = self.life;
                self.at(self.now + latency, Event::Arrive { system, ticket, request, life });
            }
            Effect::Authorise(ticket) => {
                if let MachineId::Spoke(system) = id
                    && let Some(vendor) = self.targets.get_mut(system)
                {
                    vendor.expire(false);
                }
                let input = Input::Authorised { ticket, result: Ok(Ok(1)) };
                self.at(self.now + 1_000, Event::Input(id.clone(), input));
            }
            Effect::Archive(ticket, archive) => {
                let bytes = archive.lines.iter().map(|line| line.len() as u64).sum();
                let input = Input::Archived(ticket, Ok(bytes));
                self.at(self.now + 2_000, Event::Input(id.clone(), input));
            }
            Effect::Ack(ticket, ack) => self.acknowledged(ticket, &ack),
            Effect::Offer(offer) => {
                self.at(self.now + 10, Event::Input(MachineId::Intake, Input::Offer(offer)))
            }
            Effect::Tell(to, notice) => self.at(self.now + 10, Event::Input(to, Input::Told(notice))),
            Effect::Note(mark) => self.note(&mark),
            // A supervisor starts it again.
            Effect::Stop(_) if self.estate.is_some() => self.crash(),
            Effect::Stop(reason) => self.stopped = Some(reason),
            Effect::Drained => {}
        }
    }

    /// Queues what the store has answered.
    pub(crate) fn collect(&mut self) {
        let answers =
            self.answers.lock().map(|mut answers| std::mem::take(&mut *answers)).unwrap_or_default();
        for (id, input) in answers {
            let latency = self.between(5, 200);
            self.at(self.now + latency, Event::Input(id, input));
        }
    }

    fn note(&mut self, mark: &Mark) {
        let text = format!("{mark:?}");
        let name = text.split([' ', '{', '(']).next().unwrap_or_default().to_owned();
        self.remember(&name);
        if let Mark::Decided { kind, .. } = mark {
            *self.marks.entry(format!("Decided {kind}")).or_default() += 1;
        }
        if let Mark::Job { action, state, .. } = mark {
            *self.marks.entry(format!("Job {action} {state}")).or_default() += 1;
        }
        *self.marks.entry(name).or_default() += 1;
    }

    pub(crate) fn arrive(&mut self, system: &System, ticket: Ticket, request: &Request, life: u64) {
        let own = self.sick.get(system).copied().unwrap_or(self.options.faults);
        let ill = self.now < micros(self.options.heal_after) && !self.begins();
        let faults = if ill { own } else { Faults::default() };
        let (now, random) = (self.now, self.random());
        let Some(target) = self.targets.get_mut(system) else { return };
        let reply = target.serve(request, now, random, &faults);
        self.watch_effects(system);
        self.tell(system);
        let (answer, after) = match reply {
            Reply::Answer(_, after) if after > request.timeout_ms * 1_000 => {
                (Err(failure(Reached::MaybeSent, FailureKind::Timeout)), request.timeout_ms * 1_000)
            }
            Reply::Answer(response, after) => (Ok(response), after),
            Reply::Refused => (Err(failure(Reached::NotSent, FailureKind::Connect)), 100),
            Reply::Lost(after) => (Err(failure(Reached::MaybeSent, FailureKind::Reset)), after),
            Reply::Late(after) => {
                // The answer never comes; the effect does, within what the operation may take.
                let event = Event::Late { system: system.clone(), request: request.clone() };
                self.at(self.now + after, event);
                let timeout = request.timeout_ms * 1_000;
                (Err(failure(Reached::MaybeSent, FailureKind::Timeout)), timeout)
            }
        };
        if life != self.life {
            return;
        }
        let took = Duration::from_micros(after);
        let input = Input::Answered { ticket, answer, took };
        self.at(self.now + after, Event::Input(MachineId::Spoke(system.clone()), input));
    }

    /// Something is pushed to the hub, and arrives after so many microseconds. The ticket is a saying's number, or
    /// [`HEEDLESS`].
    pub(crate) fn push(&mut self, ticket: u64, source: &System, observation: Observation, after: u64) {
        let offer = Offer {
            ticket: Ticket(ticket),
            origin: Origin::Pushed,
            source: source.clone(),
            as_of: self.clock().wall,
            arrivals: vec![Arrival::Read(observation)],
            watched: false,
            posted: false,
        };
        self.at(self.now + after, Event::Input(MachineId::Intake, Input::Offer(offer)));
    }

    pub(crate) fn say(&mut self, index: usize) {
        let Some(saying) = self.sayings.get(index) else { return };
        if saying.acknowledged {
            return;
        }
        let (source, observation) = (saying.source.clone(), saying.observation.clone());
        self.push(index as u64, &source, observation, 50);
        self.at(self.now + micros(OFFER_AGAIN), Event::Say(index));
    }

    fn acknowledged(&mut self, ticket: Ticket, ack: &Ack) {
        self.watch_order(ticket, ack);
        let taken = match ack {
            Ack::Taken(taken) => taken,
            Ack::Done | Ack::Refused(_) => {
                let name = if *ack == Ack::Done { "OrderDone" } else { "OrderRefused" };
                *self.marks.entry(name.to_owned()).or_default() += 1;
                return;
            }
            Ack::Planned(_) => {
                *self.marks.entry("Planned".to_owned()).or_default() += 1;
                return;
            }
            Ack::Busy(_) | Ack::Described(_) => return,
        };
        self.remember("ack");
        let fine = taken.iter().all(|taken| matches!(taken.how, TakenAs::Accepted | TakenAs::Duplicate));
        let index = usize::try_from(ticket.0).unwrap_or(usize::MAX);
        self.watch_ack(index, taken);
        if let Some(saying) = self.sayings.get_mut(index) {
            saying.acknowledged = true;
            if !fine {
                *self.marks.entry("SayingQuarantined".to_owned()).or_default() += 1;
            }
        }
    }
}

fn queue(answers: &Arc<Mutex<Vec<(MachineId, Input)>>>, to: MachineId, input: Input) {
    if let Ok(mut answers) = answers.lock() {
        answers.push((to, input));
    }
}

fn failure(reached: Reached, kind: FailureKind) -> Failure {
    Failure { reached, kind, detail: "simulated".to_owned(), wait: None }
}

/// An answer of a target.
pub(crate) fn response(status: u16, body: &serde_json::Value) -> Response {
    Response {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: serde_json::to_vec(body).unwrap_or_default(),
    }
}
