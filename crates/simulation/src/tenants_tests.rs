//! Tenants apart: two tenants' machines over one store, with the same names, objects, events and failures. What one of
//! them does, at random and with ids of the other, changes nothing of the other and shows it nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use canonical::{Mono, Now, System, Tenant, Wall};
use connector::{Failure, FailureKind, Observation, Reached, Request, Seen};
use guard::seal::RootKey;
use hub::{
    Arrival, Delivery, Effect, Input, Intake, Jobs, MachineId, Notice, Offer, Order, Origin, Spoke, Ticket,
    Turn,
};
use ledger::{Action, Lane, ObligationKey, Scope};
use serde_json::json;
use store::browse::*;
use store::conformance::Backend;
use store::{
    Browse, HeldPart, Memory, Query, Receipt, Reply as Answer, Rows, SpokeAsk, Stats, Store, StoreError,
    Unit, Walk,
};

use crate::driver::{DebugMachine, micros};
use crate::scenario::{Class, configuration_of, sayings};
use crate::vendor::Reply;
use crate::{Faults, Vendor};

const START: i64 = 1_767_225_600_000_000;
const END: Duration = Duration::from_secs(40);
const THINGS: usize = 5;
const CLASSES: [Class; 2] = [Class::Upsert, Class::SearchFirst];

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
struct World {
    tenant: Tenant,
    machines: BTreeMap<MachineId, Box<dyn DebugMachine>>,
    targets: BTreeMap<System, Vendor>,
    queue: BTreeMap<(u64, u64), Event>,
    timers: BTreeMap<MachineId, u64>,
    now: u64,
    sequence: u64,
    dice: u64,
    tickets: u64,
    /// What its machines heard and did, and what its people were answered, without the store's own positions.
    diary: Vec<String>,
    /// Whose ids its people use, besides their own.
    pries: Option<Tenant>,
}

impl World {
    fn new(name: &str, seed: u64, pries: Option<&str>) -> Self {
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

    fn next_at(&self) -> u64 {
        self.queue.first_key_value().map_or(u64::MAX, |((at, _), _)| *at)
    }

    fn wall(&self) -> Wall {
        Wall(START + i64::try_from(self.now).unwrap())
    }

    /// The next thing happens.
    fn step(&mut self, store: &Backend) {
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
    fn effects(&self) -> String {
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

/// Ids of a tenant.
struct Known {
    jobs: Vec<canonical::JobId>,
    messages: Vec<canonical::MessageId>,
    records: Vec<canonical::RecordId>,
    deliveries: Vec<(ObligationKey, canonical::RecordId)>,
    events: Vec<canonical::EventId>,
    groups: Vec<String>,
}

impl Known {
    fn of(store: &Backend, tenant: &Tenant) -> Self {
        let mut known = Self {
            jobs: Vec::new(),
            messages: Vec::new(),
            records: Vec::new(),
            deliveries: Vec::new(),
            events: Vec::new(),
            groups: Vec::new(),
        };
        for look in lists() {
            match store.look(tenant, look) {
                Page::Deliveries(rows) => {
                    known.deliveries = rows.into_iter().map(|(_, row)| (row.key, row.record)).collect();
                    let records: BTreeSet<_> = known.deliveries.iter().map(|(_, record)| *record).collect();
                    known.records = records.into_iter().collect();
                }
                Page::Messages(rows) => known.messages = rows.into_iter().map(|(_, row)| row.id).collect(),
                Page::Events(rows) => known.events = rows.into_iter().map(|(_, row)| row.id).collect(),
                Page::Jobs(rows) => known.jobs = rows.into_iter().map(|(_, row, _)| row.id).collect(),
                Page::Groups(rows) => {
                    known.groups = rows.into_iter().map(|(_, row)| row.fingerprint).collect();
                }
                _ => {}
            }
        }
        known
    }
}

const MANY: usize = 1000;

/// Every question of an operator that names no row.
fn lists() -> Vec<Look> {
    let systems: Vec<System> = CLASSES.iter().map(|class| System::new(class.name()).unwrap()).collect();
    vec![
        Look::Deliveries(DeliveryFilter { limit: MANY, ..DeliveryFilter::default() }),
        Look::Events(EventFilter { limit: MANY, ..EventFilter::default() }),
        Look::Messages(MessageFilter { limit: MANY, ..MessageFilter::default() }),
        Look::Changes { system: None, before: None, limit: MANY },
        Look::Systems,
        Look::Groups(GroupFilter { limit: MANY, ..GroupFilter::default() }),
        Look::Jobs(JobFilter { limit: MANY, ..JobFilter::default() }),
        Look::Applied { before: None, limit: MANY },
        Look::Footprint { entities: vec![canonical::Entity::new("Thing").unwrap()], systems },
    ]
}

/// Every question of an operator about a row that is known.
fn about(known: &Known) -> Vec<Look> {
    let mut looks = Vec::new();
    looks.extend(known.deliveries.iter().map(|(key, _)| Look::Delivery(key.clone())));
    looks.extend(known.records.iter().map(|record| Look::Record(*record)));
    looks.extend(known.events.iter().map(|event| Look::Event(*event)));
    looks.extend(known.messages.iter().map(|message| Look::Message(*message)));
    for record in &known.records {
        let of = DeliveryFilter { record: Some(*record), limit: MANY, ..DeliveryFilter::default() };
        looks.push(Look::Deliveries(of));
        let of = EventFilter { record: Some(*record), limit: MANY, ..EventFilter::default() };
        looks.push(Look::Events(of));
    }
    for job in &known.jobs {
        looks.push(Look::Jobs(JobFilter { id: Some(*job), limit: MANY, ..JobFilter::default() }));
    }
    looks
}

/// Every set question that a machine asks, as that tenant, about rows that are known.
fn questions(tenant: &Tenant, known: &Known) -> Vec<Query> {
    let (tenant, late) = (|| tenant.clone(), Wall(START + 86_400_000_000));
    let mut all =
        vec![Query::Jobs { tenant: tenant() }, Query::Ready { tenant: tenant(), now: late, limit: MANY }];
    let walk = |scope| {
        let (page, upto) = (ledger::Page::default(), (i64::MAX, i64::MAX));
        Query::Walk(Walk { tenant: tenant(), scope, messages: true, page, upto, limit: MANY })
    };
    all.extend(known.records.iter().map(|id| walk(Scope { record: Some(*id), ..Scope::default() })));
    let group = |name: &String| walk(Scope { group: Some(name.clone()), ..Scope::default() });
    all.extend(known.groups.iter().map(group));
    for class in CLASSES {
        let system = || System::new(class.name()).unwrap();
        all.push(Query::System { tenant: tenant(), system: system() });
        all.push(Query::Intents { tenant: tenant(), system: system() });
        all.push(Query::Held { tenant: tenant(), system: system(), after: 0, limit: MANY });
        all.push(Query::Fetches { tenant: tenant(), system: system(), due_by: late, limit: MANY });
        for lane in [Lane::Critical, Lane::Standard, Lane::Bulk] {
            let (after, due_by, limit) = (None, late, MANY);
            all.push(Query::Claim { tenant: tenant(), system: system(), lane, after, due_by, limit });
        }
        let ask = |(key, record): &(ObligationKey, canonical::RecordId)| SpokeAsk {
            key: ObligationKey { tenant: tenant(), ..key.clone() },
            record: *record,
            object: canonical::Object::new("items").unwrap(),
            references: Vec::new(),
        };
        let asks = known.deliveries.iter().map(ask).collect();
        all.push(Query::Spoke { tenant: tenant(), system: system(), asks });
    }
    let objects = (0..THINGS).map(|number| canonical::ExternalRef {
        system: System::new("src").unwrap(),
        object: canonical::Object::new("things").unwrap(),
        id: format!("thing-{number}"),
    });
    let ask = intake::Ask {
        event: Some((System::new("src").unwrap(), "thing-0/1".to_owned())),
        objects: objects.collect(),
        ..intake::Ask::default()
    };
    all.push(Query::Intake { tenant: tenant(), asks: vec![ask] });
    all
}

/// Everything that a tenant can see, in words.
fn seen_by(store: &Backend, tenant: &Tenant) -> Vec<String> {
    let known = Known::of(store, tenant);
    let looks = lists().into_iter().chain(about(&known));
    let mut seen: Vec<String> = looks.map(|look| format!("{:?}", store.look(tenant, look))).collect();
    seen.extend(questions(tenant, &known).into_iter().map(|query| format!("{:?}", store.find(query))));
    seen.into_iter().map(|text| without_positions(&text)).collect()
}

/// Positions count over all tenants: all else must be the same. Numbers after these words are positions, and so are
/// the first of the pairs of a page.
fn without_positions(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let words = [
        "seq: ",
        "upto: (",
        "seal: ",
        "messages: false, after: ",
        "messages: true, after: ",
        "after: Some((Wall(",
    ];
    while let Some((at, word)) = words.iter().filter_map(|word| Some((rest.find(word)?, *word))).min() {
        let (before, after) = rest.split_at(at + word.len());
        out.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
        if word.ends_with('(') {
            // A pair: both are positions, or a time and a position.
            rest = rest.trim_start_matches([')', ',', ' ']);
            rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
        }
    }
    out.push_str(rest);
    for kind in ["Deliveries([(", "Events([(", "Messages([(", "Changes([(", "Groups([(", "Jobs([("] {
        if let Some(at) = out.find(kind) {
            let listed = out.split_off(at + kind.len());
            out += &unnumbered(&listed);
        }
    }
    out
}

/// The rows of a page without their positions.
fn unnumbered(listed: &str) -> String {
    let digits = |text: &str| text.trim_start_matches(|c: char| c.is_ascii_digit()).to_owned();
    let mut rows = listed.split("), (").map(digits);
    let first = rows.next().unwrap_or_default();
    rows.fold(first, |all, row| all + "), (" + &row)
}

/// Runs tenants over a store; gives them as they are in the end.
fn run(store: &Backend, mut worlds: Vec<World>) -> Vec<World> {
    while let Some(next) = worlds.iter_mut().min_by_key(|world| world.next_at()) {
        if next.next_at() > micros(END) {
            break;
        }
        next.step(store);
    }
    worlds
}

/// What differs first, with what came before it.
#[track_caller]
fn assert_same(with: &[String], without: &[String], what: &str) {
    let differs = with.iter().zip(without).position(|(one, other)| one != other);
    if let Some(at) = differs {
        panic!(
            "{what}: line {at}\nwith the other tenant: {}\nwithout it:            {}",
            with[at], without[at]
        );
    }
    assert_eq!(with.len(), without.len(), "{what}");
}

/// The other's rows cannot be told from rows that are not there.
fn sees_nothing(store: &Backend, who: &Tenant, of: &Tenant) {
    let theirs = Known::of(store, of);
    assert!(!theirs.records.is_empty() && !theirs.messages.is_empty(), "there is nothing to be seen");
    for look in about(&theirs) {
        let found = store.look(who, look.clone());
        let nothing = match &found {
            Page::Deliveries(rows) => rows.is_empty(),
            Page::Delivery(row) => row.is_none(),
            Page::Events(rows) => rows.is_empty(),
            Page::Messages(rows) => rows.is_empty(),
            Page::Record(sheet) => sheet.is_none(),
            Page::Jobs(rows) => rows.is_empty(),
            _ => false,
        };
        assert!(nothing, "{who} sees of {of}: {look:?}: {found:?}");
    }
    let ids: Vec<String> = theirs.records.iter().map(ToString::to_string).collect();
    let ids: Vec<String> = ids.into_iter().chain(theirs.messages.iter().map(ToString::to_string)).collect();
    // What somebody ordered names the ids that it was ordered by.
    let ordered = |query: &Query| matches!(query, Query::Jobs { .. } | Query::System { .. });
    for query in questions(who, &theirs).into_iter().filter(|query| !ordered(query)) {
        let found = format!("{:?}", store.find(query.clone()));
        let shown = ids.iter().find(|id| found.contains(id.as_str()));
        assert_eq!(shown, None, "{who} is told of {of}: {query:?}: {found}");
    }
}

fn isolated(make: &dyn Fn() -> Backend, seeds: std::ops::Range<u64>) {
    let (mut decided, mut dead, mut jobs) = (0, 0, 0);
    for seed in seeds {
        let alone = make();
        let without = run(&alone, vec![World::new("globex", seed, None)]).remove(0);
        let both = make();
        let worlds = vec![World::new("acme", seed + 1_000, Some("globex")), World::new("globex", seed, None)];
        let mut worlds = run(&both, worlds);
        let (with, other) = (worlds.remove(1), worlds.remove(0));
        assert_same(&with.diary, &without.diary, &format!("seed {seed}: what it heard and did"));
        assert_eq!(with.effects(), without.effects(), "seed {seed}: what its targets saw");
        let seen = |store: &Backend| seen_by(store, &with.tenant);
        assert_same(&seen(&both), &seen(&alone), &format!("seed {seed}: what it sees in the end"));
        sees_nothing(&both, &other.tenant, &with.tenant);
        sees_nothing(&both, &with.tenant, &other.tenant);
        let count = |word: &str| other.diary.iter().filter(|line| line.contains(word)).count();
        decided += count("Ack(Ticket(2") + count("Refused(\"");
        dead += count("Dead {");
        jobs += count("Planned(");
    }
    assert!(decided > 10 && dead > 0 && jobs > 0, "too little was done: {decided} {dead} {jobs}");
}

/// Random work of one tenant changes and shows nothing of another, in memory.
#[test]
fn tenants_are_apart_in_memory() {
    isolated(&|| Backend::new(Memory::new()), 0..12);
}

/// The same in the embedded store.
#[test]
fn tenants_are_apart_in_the_embedded_store() {
    isolated(
        &|| {
            let folder = tempfile::tempdir().unwrap();
            let mut key = [7; 32];
            key[0] = 1;
            let options = embedded::Options { readers: 1, page_cache_mb: 2, ..embedded::Options::default() };
            let store = embedded::Embedded::open(folder.path(), RootKey::new(key).unwrap(), options).unwrap();
            Backend { store: Arc::new(Shared(store)), keep: Box::new(folder) }
        },
        0..3,
    );
}

/// What the suite's backends are.
struct Shared(Arc<embedded::Embedded>);

impl Store for Shared {
    fn find(&self, query: Query, reply: Answer<Rows>) {
        self.0.find(query, reply);
    }
    fn commit(&self, units: Vec<Unit>, reply: Answer<Vec<Receipt>>) {
        self.0.commit(units, reply);
    }
}

impl Browse for Shared {
    fn look(&self, tenant: Tenant, look: Look, reply: Answer<Page>) {
        self.0.look(tenant, look, reply);
    }
    fn stats(&self) -> Stats {
        self.0.stats()
    }
    fn copy_to(&self, path: &std::path::Path) -> Result<(), StoreError> {
        self.0.copy_to(path)
    }
}
