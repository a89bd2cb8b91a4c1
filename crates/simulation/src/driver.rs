//! The scheduler: one heap of things to happen, ordered by virtual time; machines are driven one input at a time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use canonical::{Mono, Now, System, Wall};
use config::Configuration;
use connector::{Observation, Request};
use hub::steady::{Heard, Steady};
use hub::{Effect, Input, Intake, Jobs, Machine, MachineId, Mark, Retention, Spoke, Ticket, Turn};
use store::memory::Memory;

use crate::estate::{Estate, Happening};
use crate::ownership::Shared;
use crate::vendor::{Faults, Vendor};

/// Virtual wall-clock time at the start: 2026-01-01T00:00:00Z.
pub(crate) const START: Wall = Wall(1_767_225_600_000_000);
/// The hub starts again so long after a crash.
const DOWN_FOR: Duration = Duration::from_millis(200);

/// How a run goes.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Everything random comes from it.
    pub seed: u64,
    /// Crash right before performing these effects, counted over the whole run.
    pub crash_at: Vec<u64>,
    /// Right before this effect every machine is told a configuration, and starts again once it is quiet.
    pub renew_at: Option<u64>,
    /// What the targets do wrong, until `heal_after`.
    pub faults: Faults,
    /// Virtual time after which nothing goes wrong any more.
    pub heal_after: Duration,
    /// Virtual time at which the run ends whatever stands.
    pub end_after: Duration,
}

/// Something that happens at a time.
#[derive(Debug)]
pub(crate) enum Event {
    /// A machine gets an input.
    Input(MachineId, Input),
    /// A machine's timer.
    Timer(MachineId),
    /// The disk has synced.
    Sync,
    /// A request arrives at a target.
    Arrive { system: System, ticket: Ticket, request: Request, life: u64 },
    /// An effect that a target performs late.
    Late { system: System, request: Request },
    /// The source says something (again, if need be).
    Say(usize),
    /// Somebody at a target writes its note on every object, and the target says so.
    Annotate { system: System, note: String },
    /// Somebody changes an object at a system, which says nothing of it itself.
    Change { system: System, id: u64, value: u64 },
    /// A person edits a field in one of three systems.
    Edit(usize),
    /// Ann looks at what waits for her.
    Ann,
    /// A person tries everything again that is uncertain at a target.
    Retry(System),
    /// A person passes over everything that is open at a target.
    Skip(System),
    /// A person has everything for a target replayed: plans, applies the plan, and persists until a job of that round
    /// is done.
    Replay { system: System, round: u32, anew: bool },
    /// A person has the records of two objects of the source merged, or split again, and persists until it is done.
    Reshape { keep: String, gone: String, split: bool },
    /// Something happens in the estate.
    Happen(Happening),
    /// The hub starts.
    Start,
}

/// A moment, in virtual microseconds, and how much a hub that does not spin may do within one.
const MOMENT: u64 = 100_000;
const SPINS_AT: u64 = 50_000;

/// What a source wants to tell, and whether it has been acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Saying {
    pub(crate) at: Duration,
    pub(crate) source: System,
    pub(crate) observation: Observation,
    pub(crate) acknowledged: bool,
}

/// A run.
pub struct Simulation {
    pub(crate) options: Options,
    pub(crate) config: Arc<Configuration>,
    pub(crate) store: Arc<Memory>,
    pub(crate) machines: BTreeMap<MachineId, Box<dyn DebugMachine>>,
    queue: BinaryHeap<Reverse<(u64, u64, Slot)>>,
    events: BTreeMap<u64, Event>,
    sequence: u64,
    busy: u64,
    pub(crate) now: u64,
    rng: u64,
    /// Answers of the store, until they are queued.
    pub(crate) answers: Arc<Mutex<Vec<(MachineId, Input)>>>,
    pub(crate) targets: BTreeMap<System, Vendor>,
    /// The long run's world, if it is one.
    pub(crate) estate: Option<Box<Estate>>,
    /// The world of three systems that both say and are told, if it is one.
    pub(crate) shared: Option<Box<Shared>>,
    /// How far the system's wall clock is off, in microseconds.
    pub(crate) clock_off: i64,
    /// Calls on their way to each system, and the most there were at once.
    pub(crate) wire: BTreeMap<System, (u64, u64)>,
    /// What the hub takes it for.
    steady: Steady,
    /// Objects at targets that a person annotated.
    pub(crate) annotated: Vec<u64>,
    /// Targets that say what became of every write.
    pub(crate) talkative: BTreeSet<System>,
    /// Targets with faults of their own, instead of everybody's.
    pub(crate) sick: BTreeMap<System, Faults>,
    pub(crate) sayings: Vec<Saying>,
    /// Counts up with each start of the hub: what belongs to an earlier life is not answered.
    pub(crate) life: u64,
    pub(crate) effects: u64,
    pub(crate) crashes: u64,
    timers: BTreeMap<MachineId, u64>,
    pub(crate) marks: BTreeMap<String, u64>,
    trace: u64,
    pub(crate) stopped: Option<String>,
}

/// Key into `events`; ordered by nothing but its number.
type Slot = u64;

pub(crate) trait DebugMachine: Machine + std::fmt::Debug {}
impl<T: Machine + std::fmt::Debug> DebugMachine for T {}

impl Simulation {
    /// A run over `config`, whose source says `sayings` and whose targets are `targets`.
    #[must_use]
    pub fn new(
        options: Options,
        config: Arc<Configuration>,
        sayings: Vec<(Duration, Observation)>,
        targets: BTreeMap<System, Vendor>,
    ) -> Self {
        let rng = options.seed ^ 0x5851_f42d_4c95_7f2d;
        let source = source(&config, &targets);
        let saying =
            |(at, observation)| Saying { at, source: source.clone(), observation, acknowledged: false };
        let sayings: Vec<Saying> = sayings.into_iter().map(saying).collect();
        let mut run = Self {
            options,
            config,
            store: Arc::new(Memory::holding()),
            machines: BTreeMap::new(),
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            sequence: 0,
            busy: 0,
            now: 0,
            rng,
            answers: Arc::default(),
            targets,
            estate: None,
            shared: None,
            clock_off: 0,
            wire: BTreeMap::new(),
            steady: Steady::new(Mono(0), START),
            annotated: Vec::new(),
            talkative: BTreeSet::new(),
            sick: BTreeMap::new(),
            sayings,
            life: 0,
            effects: 0,
            crashes: 0,
            timers: BTreeMap::new(),
            marks: BTreeMap::new(),
            trace: 0xcbf2_9ce4_8422_2325,
            stopped: None,
        };
        run.at(0, Event::Start);
        for index in 0..run.sayings.len() {
            let at = micros(run.sayings.get(index).map_or(Duration::ZERO, |saying| saying.at));
            run.at(at, Event::Say(index));
        }
        run
    }

    /// Runs to the end; gives how many effects were performed.
    pub fn run(&mut self) -> u64 {
        let end = micros(self.options.end_after);
        while let Some(Reverse((at, _, slot))) = self.queue.pop() {
            if at > end || self.stopped.is_some() || self.is_broken() {
                break;
            }
            self.breathe(at);
            if let Some(event) = self.events.remove(&slot) {
                self.happen(event);
            }
        }
        // Jobs go on when nobody looks.
        let now = self.now;
        self.targets.values_mut().for_each(|target| target.work(now));
        self.effects
    }

    /// Time goes on. A hub that does ever more within one moment waits for nothing: it spins.
    fn breathe(&mut self, at: u64) {
        let moment = at / MOMENT;
        if moment != self.now / MOMENT {
            self.busy = 0;
        }
        self.busy += 1;
        self.now = at;
        let system = self.system_wall();
        if let Some(heard) = self.steady.look(Mono(at), system)
            && self.estate.is_some()
        {
            let name = if matches!(heard, Heard::Jumped(_)) { "ClockJumped" } else { "ClockFollowed" };
            *self.marks.entry(name.to_owned()).or_default() += 1;
            self.remember(&format!("! {heard:?}"));
        }
        if self.busy == SPINS_AT {
            let who: Vec<String> = self.timers.keys().map(|id| format!("{id:?}")).collect();
            let what = format!("the hub spins: one of {} wants its turn again and again", who.join(", "));
            self.violated("I19", "", what);
        }
    }

    fn is_broken(&self) -> bool {
        self.estate.as_ref().is_some_and(|estate| !estate.violations.is_empty())
    }

    /// Gives one target faults of its own, until everything heals.
    pub fn make_sick(&mut self, system: &System, faults: Faults) {
        self.sick.insert(system.clone(), faults);
    }

    /// When a target saw its last effect, in virtual microseconds.
    #[must_use]
    pub fn last_effect(&self, system: &System) -> u64 {
        self.targets.get(system).and_then(|target| target.effects.last()).map_or(0, |effect| effect.at)
    }

    /// The most calls that were on their way to a target at once.
    #[must_use]
    pub fn calls_at_once(&self, system: &System) -> u64 {
        self.wire.get(system).map_or(0, |(_, most)| *most)
    }

    /// A digest of everything that happened, in order (I18).
    #[must_use]
    pub const fn trace(&self) -> u64 {
        self.trace
    }

    /// How often a mark was made.
    #[must_use]
    pub fn marked(&self, name: &str) -> u64 {
        self.marks.get(name).copied().unwrap_or(0)
    }

    /// Why the hub stopped itself, if it did.
    #[must_use]
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// How often the hub crashed.
    #[must_use]
    pub const fn crashes(&self) -> u64 {
        self.crashes
    }

    pub(crate) fn clock(&self) -> Now {
        Now { mono: Mono(self.now), wall: self.steady.wall(Mono(self.now)) }
    }

    /// Whether the hub that starts reads a later time than the one before it would: what that one had to wait for until
    /// some time may be over too early, and nobody can know.
    fn starts_by_another_clock(&mut self) {
        let (before, now) = (self.clock().wall, self.system_wall());
        if now.since(before) > hub::steady::STEP_MAX
            && let Some(estate) = &mut self.estate
        {
            estate.another_clock_at = self.now;
        }
    }

    /// What the system's clock says.
    fn system_wall(&self) -> Wall {
        Wall(START.0 + i64::try_from(self.now).unwrap_or(i64::MAX) + self.clock_off)
    }

    pub(crate) fn at(&mut self, time: u64, event: Event) {
        self.sequence += 1;
        self.events.insert(self.sequence, event);
        self.queue.push(Reverse((time.max(self.now), self.sequence, self.sequence)));
    }

    pub(crate) fn random(&mut self) -> u64 {
        self.rng = self.rng.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.rng;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.random() % (high - low).max(1)
    }

    pub(crate) fn remember(&mut self, what: &str) {
        if let Some(estate) = &mut self.estate {
            estate.note_down(self.now, what);
        }
        if let Some(shared) = &mut self.shared {
            shared.diary.push((self.now, what.to_owned()));
        }
        for byte in what.bytes().chain(self.now.to_le_bytes()) {
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Start => self.start(),
            Event::Input(id, input) => {
                if let (MachineId::Spoke(system), Input::Answered { .. }) = (&id, &input)
                    && let Some((now, _)) = self.wire.get_mut(system)
                {
                    *now = now.saturating_sub(1);
                }
                self.write_down(&id, &input);
                self.drive(&id, input);
            }
            Event::Timer(id) => {
                let due = self.timers.get(&id).is_some_and(|due| *due <= self.now);
                if due {
                    if self.busy + 20 > SPINS_AT {
                        self.remember(&format!("! it is the turn of {id:?}"));
                    }
                    self.timers.remove(&id);
                    self.drive(&id, Input::Tick);
                }
            }
            Event::Sync => {
                self.sync();
                self.collect();
            }
            Event::Arrive { system, ticket, request, life } => self.arrive(&system, ticket, &request, life),
            Event::Late { system, request } => {
                let now = self.now;
                if let Some(target) = self.targets.get_mut(&system) {
                    target.apply(&request, now);
                }
                self.watch_effects(&system);
                self.tell(&system);
            }
            Event::Annotate { system, note } => self.annotate(&system, &note),
            Event::Change { system, id, value } => self.change_there(&system, id, value),
            Event::Edit(index) => self.edits(index),
            Event::Ann => self.ann_looks(),
            Event::Retry(system) => self.retry(&system),
            Event::Skip(system) => self.skip(&system),
            Event::Replay { system, round, anew } => self.order_replay(&system, round, anew),
            Event::Reshape { keep, gone, split } => self.order_reshape(&keep, &gone, split),
            Event::Say(index) => self.say(index),
            Event::Happen(happening) => self.happening(happening),
        }
    }

    fn start(&mut self) {
        self.life += 1;
        // A machine that boots sets its clock first.
        self.clock_is_set();
        self.starts_by_another_clock();
        self.steady = Steady::new(Mono(self.now), self.system_wall());
        self.machines.insert(MachineId::Intake, Box::new(Intake::new(Arc::clone(&self.config))));
        self.machines.insert(MachineId::Jobs, Box::new(Jobs::new(Arc::clone(&self.config))));
        self.machines.insert(MachineId::Retention, Box::new(Retention::new(Arc::clone(&self.config))));
        let systems: Vec<System> = self.targets.keys().cloned().collect();
        for system in systems {
            if let Some(spoke) = Spoke::new(Arc::clone(&self.config), system.clone()) {
                self.machines.insert(MachineId::Spoke(system), Box::new(spoke));
            }
        }
        let ids: Vec<MachineId> = self.machines.keys().cloned().collect();
        for id in ids {
            self.drive(&id, Input::Start);
        }
    }

    /// Everything that was not synced is lost, and everything in memory.
    pub(crate) fn crash(&mut self) {
        self.die(DOWN_FOR);
    }

    /// The same, to start again so much later.
    pub(crate) fn die(&mut self, down_for: Duration) {
        self.crashes += 1;
        self.remember("! the hub dies");
        self.machines.clear();
        self.timers.clear();
        self.wire.values_mut().for_each(|(now, _)| *now = 0);
        // Of what was being synced, some may have reached the disk.
        let held = self.store.held() as u64;
        let kept = if self.estate.is_some() { self.between(0, held + 1) } else { 0 };
        self.store.tear(usize::try_from(kept).unwrap_or(0));
        self.store.refuse(None);
        self.answers.lock().map(|mut answers| answers.clear()).unwrap_or_default();
        // Requests on the wire go on; inputs and timers of the dead hub do not.
        self.events.retain(|_, event| !matches!(event, Event::Input(..) | Event::Timer(_) | Event::Sync));
        self.at(self.now + micros(down_for), Event::Start);
        self.was_down();
    }

    /// Whoever was about to start the hub leaves it.
    pub(crate) fn events_of_starts(&mut self) {
        self.events.retain(|_, event| !matches!(event, Event::Start));
    }

    /// The hub dies before that effect, counted over the whole run.
    pub(crate) fn crash_before(&mut self, effect: u64) {
        self.options.crash_at.push(effect);
    }

    pub(crate) fn drive(&mut self, id: &MachineId, input: Input) {
        let mut effects = Vec::new();
        let seed = self.random();
        let now = self.clock();
        let Some(machine) = self.machines.get_mut(id) else { return };
        machine.handle(input, &mut Turn::new(now, seed, &mut effects));
        let wakeup = machine.next_wakeup(now);
        // What a turn notes is so for all that it does, whichever comes first.
        for effect in &effects {
            if let Effect::Note(mark) = effect {
                self.watch_mark(mark);
                if matches!(mark, Mark::Throttled { .. }) {
                    self.trouble_comes_in_twos();
                }
            }
        }
        for effect in effects {
            self.effects += 1;
            if self.options.renew_at == Some(self.effects) {
                self.renew_all();
            }
            if self.options.crash_at.contains(&self.effects) {
                return self.crash();
            }
            let crashes = self.crashes;
            self.perform(id, effect);
            // It stopped itself: the dead do nothing more.
            if self.crashes != crashes {
                return;
            }
        }
        if let Some(due) = wakeup {
            let due = due.0.max(self.now + 1);
            if self.timers.get(id).is_none_or(|known| *known != due) {
                self.timers.insert(id.clone(), due);
                self.at(due, Event::Timer(id.clone()));
            }
        } else {
            self.timers.remove(id);
        }
    }
}

/// The system that is no target.
fn source(config: &Configuration, targets: &BTreeMap<System, Vendor>) -> System {
    let known = config.systems.keys().find(|system| !targets.contains_key(*system));
    known.or_else(|| config.systems.keys().next()).cloned().unwrap_or_else(unreachable_system)
}

#[expect(clippy::panic, reason = "a scenario without systems is a broken scenario")]
fn unreachable_system() -> System {
    panic!("the scenario has no systems")
}

pub(crate) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
