//! A tenant's world: its machines on a clock of their own, its targets, and people who order at random.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use canonical::{Mono, Now, System, Tenant, Wall};
use connector::{Failure, FailureKind, Observation, Reached, Request, Seen};
use hub::{
    Arrival, Delivery, Effect, Input, Intake, Jobs, MachineId, Notice, Offer, Order, Origin, Spoke, Ticket,
    Turn,
};
use ledger::{Action, ObligationKey, Scope};
use serde_json::json;
use store::HeldPart;
use store::conformance::Backend;

use super::seen::{Known, without_positions};
use super::{CLASSES, END, START, THINGS};
use crate::driver::{DebugMachine, micros};
use crate::scenario::{configuration_of, sayings};
use crate::vendor::Reply;
use crate::{Faults, Vendor};

/// Something that happens in a tenant.
#[derive(Debug)]
enum Event {
    Input(MachineId, Input),
    Timer(MachineId),
    Arrive(System, Ticket, Request),
    Say(Observation),
    Act,
}

/// A tenant: its machines, its targets, and everything that it was told.
pub(super) struct World {
    pub(super) tenant: Tenant,
    machines: BTreeMap<MachineId, Box<dyn DebugMachine>>,
    targets: BTreeMap<System, Vendor>,
    queue: BTreeMap<(u64, u64), Event>,
    timers: BTreeMap<MachineId, u64>,
    now: u64,
    sequence: u64,
    dice: u64,
    tickets: u64,
    /// What its machines heard and did, and what its people were answered, without the store's own positions.
    pub(super) diary: Vec<String>,
    /// Whose ids its people use, besides their own.
    pries: Option<Tenant>,
}

impl World {
    pub(super) fn new(name: &str, seed: u64, pries: Option<&str>) -> Self {
        let config = configuration_of(name, &CLASSES);
        let targets = CLASSES.map(|class| (System::new(class.name()).unwrap(), Vendor::new(class)));
        let mut world = Self {
            tenant: config.tenant.clone(),
            machines: BTreeMap::new(),
            targets: targets.into_iter().collect(),
            queue: BTreeMap::new(),
            timers: BTreeMap::new(),
            now: 0,
            sequence: 0,
            dice: seed,
            tickets: 0,
            diary: Vec::new(),
            pries: pries.map(|name| Tenant::new(name).unwrap()),
        };
        // The last thing is refused there, so that it is dead for the same reason in every tenant.
        let refused = format!("thing-{}", THINGS - 1);
        for vendor in world.targets.values_mut() {
            vendor.refused.insert(refused.clone());
        }
        world.machines.insert(MachineId::Intake, Box::new(Intake::new(Arc::clone(&config))));
        world.machines.insert(MachineId::Jobs, Box::new(Jobs::new(Arc::clone(&config))));
        for system in config.systems.keys() {
            let spoke = Spoke::new(Arc::clone(&config), system.clone()).unwrap();
            world.machines.insert(MachineId::Spoke(system.clone()), Box::new(spoke));
        }
        let ids: Vec<MachineId> = world.machines.keys().cloned().collect();
        ids.into_iter().for_each(|id| world.after(0, Event::Input(id, Input::Start)));
        world.plans_to_say();
        for _ in 0..40 {
            let at = world.below(micros(END) - 10_000_000);
            world.after(at, Event::Act);
        }
        world
    }

    /// The same objects and events in every tenant, at other times and in another order; some of them unreadable.
    fn plans_to_say(&mut self) {
        for (_, said) in sayings(THINGS, 4, Duration::from_millis(1)) {
            for _ in 0..=self.below(2) {
                let at = self.below(20_000_000);
                self.after(at, Event::Say(said.clone()));
            }
        }
        for number in 0..3 {
            let (_, mut said) = sayings(1, 1, Duration::ZERO).remove(0);
            said.event_id = Some(format!("odd {number}"));
            said.order = None;
            let fields = [("id", json!("thing-0")), ("value", json!("no number"))];
            let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            said.seen = Seen::State { fields };
            let at = self.below(20_000_000);
            self.after(at, Event::Say(said));
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) % bound.max(1)
    }

    fn after(&mut self, wait: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now + wait, self.sequence), event);
    }

    pub(super) fn next_at(&self) -> u64 {
        self.queue.first_key_value().map_or(u64::MAX, |((at, _), _)| *at)
    }

    fn wall(&self) -> Wall {
        Wall(START + i64::try_from(self.now).unwrap())
    }

    /// The next thing happens.
    pub(super) fn step(&mut self, store: &Backend) {
        let Some(((at, _), event)) = self.queue.pop_first() else { return };
        self.now = at;
        match event {
            Event::Input(id, input) => self.drive(&id, input, store),
            Event::Timer(id) => {
                if self.timers.get(&id).is_some_and(|due| *due <= at) {
                    self.timers.remove(&id);
                    self.drive(&id, Input::Tick, store);
                }
            }
            Event::Arrive(system, ticket, request) => self.arrive(&system, ticket, &request),
            Event::Say(said) => {
                self.tickets += 1;
                let offer = Offer {
                    ticket: Ticket(1 << 40 | self.tickets),
                    origin: Origin::Pushed,
                    source: System::new("src").unwrap(),
                    as_of: self.wall(),
                    arrivals: vec![Arrival::Read(said)],
                    watched: false,
                    posted: false,
                };
                self.after(20, Event::Input(MachineId::Intake, Input::Offer(offer)));
            }
            Event::Act => self.act(store),
        }
    }

    fn drive(&mut self, id: &MachineId, input: Input, store: &Backend) {
        self.diary.push(without_positions(&format!("{} {id:?} hears {input:?}", self.now)));
        let (seed, now) = (self.below(u64::MAX), Now { mono: Mono(self.now), wall: self.wall() });
        let mut effects = Vec::new();
        let Some(machine) = self.machines.get_mut(id) else { return };
        machine.handle(input, &mut Turn::new(now, seed, &mut effects));
        let wakeup = machine.next_wakeup(now);
        for effect in effects {
            self.diary.push(without_positions(&format!("{} {id:?} does {effect:?}", self.now)));
            self.perform(id, effect, store);
        }
        self.timers.remove(id);
        if let Some(due) = wakeup {
            let due = due.0.max(self.now + 1_000);
            self.timers.insert(id.clone(), due);
            self.after(due - self.now, Event::Timer(id.clone()));
        }
    }

    fn perform(&mut self, id: &MachineId, effect: Effect, store: &Backend) {
        let (to, soon) = (id.clone(), 100 + self.below(2_000));
        match effect {
            Effect::Find(ticket, query) => {
                let rows = store.try_find(query);
                self.after(soon, Event::Input(to, Input::Found(ticket, rows)));
            }
            Effect::Commit(ticket, units) => {
                let receipts = store.try_commit(units);
                self.after(soon, Event::Input(to, Input::Committed(ticket, receipts)));
            }
            Effect::Send(ticket, request) => {
                let MachineId::Spoke(system) = to else { panic!("{to:?} sends") };
                self.after(soon, Event::Arrive(system, ticket, request));
            }
            Effect::Authorise(ticket) => {
                let input = Input::Authorised { ticket, result: Ok(Ok(1)) };
                self.after(soon, Event::Input(to, input));
            }
            Effect::Offer(offer) => self.after(10, Event::Input(MachineId::Intake, Input::Offer(offer))),
            Effect::Tell(to, notice) => self.after(10, Event::Input(to, Input::Told(notice))),
            Effect::Ack(..) | Effect::Note(_) | Effect::Drained => {}
            Effect::Archive(..) => panic!("{} has no machine that archives", self.tenant),
            Effect::Stop(why) => panic!("{} stops: {why}", self.tenant),
        }
    }

    fn arrive(&mut self, system: &System, ticket: Ticket, request: &Request) {
        let (now, random) = (self.now, self.below(1 << 40));
        let faults = Faults { lose: 60, fail_before: 60, throttle: 30, ..Faults::default() };
        let faults = if now < micros(END) / 2 { faults } else { Faults::default() };
        let Some(target) = self.targets.get_mut(system) else { return };
        let (answer, after) = match target.serve(request, now, random, &faults) {
            Reply::Answer(answer, after) => (Ok(answer), after),
            Reply::Refused => (Err(failure(Reached::NotSent, FailureKind::Connect)), 100),
            Reply::Lost(after) | Reply::Late(after) => {
                (Err(failure(Reached::MaybeSent, FailureKind::Reset)), after)
            }
        };
        let input = Input::Answered { ticket, answer, took: Duration::from_micros(after) };
        self.after(after, Event::Input(MachineId::Spoke(system.clone()), input));
    }

    /// A person orders something, at random, by an id that may be another tenant's.
    fn act(&mut self, store: &Backend) {
        let own = self.below(2) == 0;
        let whose = self.pries.clone().filter(|_| !own).unwrap_or_else(|| self.tenant.clone());
        let known = Known::of(store, &whose);
        let place = usize::try_from(self.below(64)).unwrap();
        let system = System::new(CLASSES[place % 2].name()).unwrap();
        let reason = "ann: a test".to_owned();
        let job = pick(&known.jobs, place).copied();
        let message = pick(&known.messages, place).copied();
        let record = pick(&known.records, place).copied();
        let delivery = pick(&known.deliveries, place).map(|(key, record)| Delivery {
            // Whatever is asked for, a person's keys are of the own tenant.
            key: ObligationKey { tenant: self.tenant.clone(), ..key.clone() },
            record: *record,
            object: canonical::Object::new("items").unwrap(),
        });
        let group = pick(&known.groups, place).cloned();
        let spoke = MachineId::Spoke(system.clone());
        let order = match self.below(14) {
            0 => Some((spoke, Order::Pause { reason })),
            1 | 2 => Some((spoke, Order::Resume { reason })),
            3 => record.map(|record| (spoke, Order::Hold { scope: HeldPart::Record(record), reason })),
            4 => record.map(|record| (spoke, Order::Release { scope: HeldPart::Record(record), reason })),
            5 => delivery.map(|delivery| (spoke, Order::Retry { delivery, reason })),
            6 => delivery.map(|delivery| (spoke, Order::Discard { delivery, reason })),
            7 => delivery.map(|delivery| (spoke, Order::Skip { delivery, reason })),
            8 => message.map(|message| (MachineId::Intake, Order::Retake { message, reason })),
            9 => message.map(|message| (MachineId::Intake, Order::DiscardMessage { message, reason })),
            10 => job.map(|job| (MachineId::Jobs, Order::Apply { job, pace: 50, reason })),
            11 => job.map(|job| (MachineId::Jobs, Order::CancelJob { job, reason })),
            12 => {
                let scope = Scope { group, record, ..Scope::default() };
                let action = if place % 3 == 0 { Action::Discard } else { Action::Retry };
                Some((MachineId::Jobs, Order::Plan { action, scope, by: "ann".to_owned() }))
            }
            _ => {
                let scope = Scope { target: Some(system), ..Scope::default() };
                let action = Action::Replay { anew: place % 2 == 0 };
                Some((MachineId::Jobs, Order::Plan { action, scope, by: "ann".to_owned() }))
            }
        };
        if let Some((machine, order)) = order {
            self.tickets += 1;
            let told = Notice::Do(Ticket(1 << 41 | self.tickets), order);
            self.after(30, Event::Input(machine, Input::Told(told)));
        }
    }

    /// What its targets hold and have seen.
    pub(super) fn effects(&self) -> String {
        let seen = |vendor: &Vendor| format!("{:?} {:?}", vendor.objects, vendor.effects);
        self.targets.values().map(seen).collect()
    }
}

fn failure(reached: Reached, kind: FailureKind) -> Failure {
    Failure { reached, kind, detail: "simulated".to_owned(), wait: None }
}

fn pick<T>(all: &[T], place: usize) -> Option<&T> {
    all.get(place.checked_rem(all.len())?)
}
