//! The long run: a company's estate over hours. One source and five targets, people who edit, vendors that fall ill,
//! crashes, full disks, failing disks and clock jumps; judged all the while by what is seen from outside.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use canonical::{OrderToken, System};
use hub::{Input, MachineId};
use serde_json::Value;
use store::HeldPart;

use crate::driver::{Event, Options, Simulation, micros};
use crate::scenario::Class;
use crate::vendor::{Faults, Moods, Vendor};

mod backup;
mod bulk;
mod change;
pub(crate) mod files;
mod judge;
mod merges;
mod operators;
mod people;
mod trouble;
mod watch;

/// Lines of the diary that are kept.
const DIARY_MAX: usize = 1_000_000;
/// How long everything has, after the last fault, to come to rest.
pub(crate) const HEALING: Duration = Duration::from_secs(1_500);
/// How long the last two replays have after that, and how much more per time of faults: the estate grows.
pub(crate) const REPLAYING: Duration = Duration::from_secs(600);
const REPLAYING_MORE: u32 = 20;
/// What becomes of jobs at the target that takes some.
const MOODS: Moods = Moods { seed: 0, abort: 60, stick: 20, forget: 20, late: 400_000 };
/// Where the first trouble starts: the estate is loaded by then.
const CALM: u64 = 20_000_000;

/// How long a run is, and what it asks for in the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// Faults to the very end: what must hold at all times does.
    Safety,
    /// Faults stop, and everything must agree afterwards; what must hold at all times holds, too.
    #[default]
    Liveness,
    /// The same, and now and then the store is lost, and an old backup of it restored.
    Restore,
}

/// An invariant that did not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Its number in the design, such as `I4`.
    pub invariant: &'static str,
    /// When it was seen, in virtual microseconds.
    pub at: u64,
    /// What was seen.
    pub what: String,
    /// By what the diary's lines about it are found.
    pub about: String,
}

/// Something that happens in the estate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Happening {
    /// Somebody edits at the source.
    Edit,
    /// One record is edited many times in a row.
    Burst,
    /// One record opens and closes many times in a row.
    Swing,
    /// A token is over.
    Expire,
    /// Many things change at once, among them that one.
    Flurry(u64),
    /// Somebody takes back what was changed at the source.
    TakeBack(u64, BTreeMap<String, Value>),
    /// Somebody edits at a target.
    Person,
    /// And saves a field of an object once more.
    EditThere(System, u64, &'static str),
    /// Somebody takes two records for one.
    Merge,
    /// The source says old things again.
    Replay,
    /// A vendor falls ill.
    Ill,
    /// It is well again.
    Well(System),
    /// A vendor refuses a record, for a while.
    Refuse,
    /// It takes it again.
    Take(System, String),
    /// The hub dies within its next effects.
    Crash,
    /// The disk is full.
    Full,
    /// There is room again.
    Room,
    /// The next sync fails.
    Fail,
    /// The wall clock jumps.
    Jump,
    /// It no longer lies.
    SetClock,
    /// An operator holds a system, or a part of its work, or forces its breakers.
    Stand,
    /// And takes it back.
    Undo(System, Standing),
    /// Another configuration is applied.
    Configure,
    /// An operator looks at what needs a person.
    Operate,
    /// An operator plans bulk work, or goes on with it.
    Bulk,
    /// And decides at once.
    Decide,
    /// Everything is replayed, for the so-manieth time.
    ReplayAll(u32),
    /// Somebody at a target throws an object away.
    ThrowAway,
    /// The store is backed up, to be restored some time later.
    BackUp,
    /// The store is lost, and the backup restored.
    Restore,
    /// The last fault is over.
    Heal,
    /// The healthy target is looked at.
    Look,
}

/// An order that stands until it is taken back.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Standing {
    /// The whole system is paused.
    Paused,
    /// A part of its work is held back.
    Held(HeldPart),
    /// Its breakers are forced open, or closed.
    Forced(bool),
}

/// The estate's own state, and its judges'.
#[derive(Debug)]
pub(crate) struct Estate {
    mode: Mode,
    /// When the faults stop.
    until: u64,
    /// The target that is always well.
    pub(crate) healthy: System,
    pub(crate) violations: Vec<Violation>,
    /// Source ids of groups and things.
    groups: Vec<u64>,
    things: Vec<u64>,
    /// Counts up over all edits: what is written names its record and its order.
    serial: i64,
    /// Things of which the healthy target was told late, if at all: source id → value, since.
    owed: BTreeMap<u64, (i64, u64)>,
    /// Requests by system, in virtual microseconds.
    sent: BTreeMap<System, Vec<u64>>,
    /// Open breakers, since when.
    open: BTreeMap<(System, String), u64>,
    /// Those that try carefully.
    trying: BTreeSet<(System, String)>,
    /// Notes that their owner wrote and the hub acknowledged: object at the owner → note, since, its order there.
    notes: BTreeMap<u64, (String, u64, Option<OrderToken>)>,
    /// What is known already of each target's effects.
    read: BTreeMap<System, usize>,
    /// The last value that was written to an object.
    values: BTreeMap<(System, u64), i64>,
    /// Why work may stand still: until when that excuses a delay.
    unfair_until: u64,
    /// When the hub died.
    crashed_at: Vec<u64>,
    full: bool,
    fail_sync: bool,
    /// What operators ordered that stands.
    standing: BTreeSet<(System, Standing)>,
    /// The last backup, and what was acknowledged until then.
    backup: Option<backup::Backup>,
    /// Sayings that were acknowledged after it, and are forgotten since it was restored.
    forgotten: BTreeSet<usize>,
    /// Until then the hub reads again what it may have missed.
    behind_until: u64,
    /// When the hub last started by another clock: what was stored by the former one is over too early, or too late.
    pub(crate) another_clock_at: u64,
    /// By how many microseconds the wall clock lies.
    lie: i64,
    /// Until then the healthy target has bulk work to do on the lane of its things.
    busy_until: u64,
    bulk: bulk::Bulk,
    /// Where people merge records, too: which.
    merges: Option<merges::Merges>,
    /// Orders, by ticket, so that their answers are told apart from those to sayings.
    next_order: u64,
    pub(crate) faults: BTreeMap<&'static str, u64>,
    pub(crate) accepted: u64,
    /// What happened, when it is to be told.
    diary: Option<VecDeque<(u64, String)>>,
}

impl Estate {
    /// Writes a line of the diary, when there is one.
    pub(crate) fn note_down(&mut self, now: u64, what: &str) {
        let Some(diary) = &mut self.diary else { return };
        if diary.len() >= DIARY_MAX {
            diary.pop_front();
        }
        diary.push_back((now, what.to_owned()));
    }

    pub(crate) fn fault(&mut self, name: &'static str) {
        *self.faults.entry(name).or_default() += 1;
    }

    /// The diary's lines about something, the last `most` of them.
    pub(crate) fn lines_about(&self, about: &str, most: usize) -> Vec<String> {
        let names: Vec<&str> = about.split(' ').filter(|name| !name.is_empty()).collect();
        let lines = self.diary.iter().flatten();
        let mut found: Vec<String> = lines
            .filter(|(_, line)| names.iter().any(|name| line.contains(name)) || line.starts_with('!'))
            .map(|(at, line)| format!("{:>12.6} s  {line}", *at as f64 / 1e6))
            .collect();
        found.drain(..found.len().saturating_sub(most));
        found
    }
}

/// The estate of a seed, with faults for so long.
pub(crate) fn build(seed: u64, mode: Mode, span: Duration, diary: bool) -> Simulation {
    let mut vendors: BTreeMap<System, Vendor> = files::TARGETS
        .iter()
        .map(|(name, class)| {
            let life = Duration::from_secs(files::KEY_LIFE_S);
            let vendor = Vendor::new(*class).forgetting_keys(life);
            let vendor = match *name {
                files::UP => vendor.strict(),
                files::MARKED => vendor.with_moods(Moods { seed, ..MOODS }),
                files::TELLING => {
                    let (size, per) = files::LIMITS[1];
                    vendor.telling(size, per * 1_000_000)
                }
                _ => vendor,
            };
            (system(name), vendor)
        })
        .collect();
    vendors.insert(system(files::SOURCE), Vendor::new(Class::None));
    let end = span + if mode == Mode::Safety { Duration::ZERO } else { HEALING + replaying(span) };
    let options = Options {
        seed,
        crash_at: Vec::new(),
        renew_at: None,
        faults: Faults {
            lose: 8,
            fail_before: 5,
            fail_after: 4,
            late: 5,
            throttle: 6,
            slow: 10,
            refuse: 3,
            vanish: 3,
            partial: 40,
            ..Faults::default()
        },
        heal_after: span,
        end_after: end,
    };
    let mut run = Simulation::new(options, files::configuration(0), Vec::new(), vendors);
    // The two without a filter take turns in being well.
    let healthy = if seed.is_multiple_of(2) { files::UP } else { files::FINDER };
    run.make_sick(&system(healthy), Faults::default());
    let estate = Estate {
        mode,
        until: micros(span),
        healthy: system(healthy),
        violations: Vec::new(),
        groups: Vec::new(),
        things: Vec::new(),
        serial: 0,
        owed: BTreeMap::new(),
        sent: BTreeMap::new(),
        open: BTreeMap::new(),
        trying: BTreeSet::new(),
        notes: BTreeMap::new(),
        read: BTreeMap::new(),
        values: BTreeMap::new(),
        // The first load takes its time.
        unfair_until: 3 * CALM,
        crashed_at: Vec::new(),
        full: false,
        fail_sync: false,
        standing: BTreeSet::new(),
        backup: None,
        forgotten: BTreeSet::new(),
        behind_until: 0,
        another_clock_at: 0,
        lie: 0,
        busy_until: 0,
        bulk: bulk::Bulk::default(),
        merges: None,
        next_order: 1 << 40,
        faults: BTreeMap::new(),
        accepted: 0,
        diary: diary.then(VecDeque::new),
    };
    run.estate = Some(Box::new(estate));
    run.begin();
    run
}

/// How long the last two replays take, after faults for so long.
fn replaying(span: Duration) -> Duration {
    REPLAYING + span / REPLAYING_MORE
}

impl Simulation {
    /// What the diary says of an input.
    pub(crate) fn write_down(&mut self, id: &MachineId, input: &Input) {
        let now = self.now;
        let Some(estate) = self.estate.as_mut().filter(|estate| estate.diary.is_some()) else { return };
        match input {
            Input::Offer(offer) => {
                for arrival in &offer.arrivals {
                    if let hub::Arrival::Read(seen) = arrival {
                        let line = format!(
                            "{} says {}/{}/ {}",
                            offer.source,
                            seen.object,
                            seen.external_id,
                            short(seen)
                        );
                        estate.note_down(now, &line);
                    }
                }
            }
            Input::Answered { answer: Ok(answer), .. } => {
                let body = String::from_utf8_lossy(&answer.body);
                let short: String = body.chars().take(300).collect();
                let listing = body.contains("items") && body.len() > 200;
                estate.note_down(
                    now,
                    &format!("{id:?} hears {} {}", answer.status, if listing { "" } else { &short }),
                );
            }
            Input::Answered { answer: Err(failure), .. } => {
                estate.note_down(now, &format!("{id:?} hears {:?} {:?}", failure.kind, failure.reached));
            }
            _ => {}
        }
    }

    /// First happenings; each brings its next.
    fn begin(&mut self) {
        for _ in 0..6 {
            self.add_group();
        }
        for _ in 0..20 {
            self.add_thing();
        }
        for (happening, first) in [
            (Happening::Edit, 1_000_000),
            (Happening::Burst, CALM),
            (Happening::Person, CALM / 2),
            (Happening::Replay, CALM),
            (Happening::Ill, CALM),
            (Happening::Refuse, CALM),
            (Happening::Expire, CALM),
            // While the first load is under way.
            (Happening::Crash, CALM / 3),
            (Happening::Full, CALM * 3),
            (Happening::Fail, CALM * 4),
            (Happening::Jump, CALM),
            (Happening::Stand, CALM / 2),
            (Happening::Configure, CALM),
            (Happening::ThrowAway, CALM * 5),
            (Happening::Operate, CALM),
            (Happening::Bulk, CALM),
            (Happening::Look, CALM),
        ] {
            let at = first + self.between(0, first);
            self.at(at, Event::Happen(happening));
        }
        if self.estate.as_ref().is_some_and(|estate| estate.mode == Mode::Restore) {
            self.again(Happening::BackUp, 200);
        }
        let until = self.estate.as_ref().map_or(0, |estate| estate.until);
        self.at(until, Event::Happen(Happening::Heal));
        let (healed, half) = (until + micros(HEALING), micros(replaying(Duration::from_micros(until))) / 2);
        for round in bulk::ROUNDS {
            let at = healed + u64::from(round - bulk::ROUNDS[0]) * half;
            self.at(at, Event::Happen(Happening::ReplayAll(round)));
        }
    }

    /// Whether the faults are over.
    pub(crate) fn healed(&self) -> bool {
        self.estate.as_ref().is_none_or(|estate| self.now >= estate.until)
    }

    /// The same again, about so many seconds later.
    pub(crate) fn again(&mut self, happening: Happening, seconds: u64) {
        let wait = self.between(seconds * 300_000, seconds * 1_700_000);
        self.at(self.now + wait, Event::Happen(happening));
    }

    pub(crate) fn happening(&mut self, happening: Happening) {
        match happening {
            Happening::Operate => {
                self.operate();
                let wait = if self.healed() { 15 } else { 60 };
                self.again(Happening::Operate, wait);
            }
            Happening::Look => {
                self.watch_owed();
                self.again(Happening::Look, 2);
            }
            Happening::Merge => {
                self.take_two_for_one();
                self.again(Happening::Merge, 6);
            }
            Happening::Bulk if self.healed() => {
                self.finish_bulk();
                self.again(Happening::Bulk, 15);
            }
            Happening::Bulk => {
                self.order_bulk();
                self.again(Happening::Bulk, 25);
            }
            Happening::Decide => self.decide_discards(),
            Happening::ReplayAll(round) => self.replay_all(round),
            Happening::Heal => self.heal(),
            Happening::Well(system) => self.well(&system),
            Happening::Take(system, key) => self.take(&system, &key),
            Happening::Room => self.room(),
            Happening::SetClock => self.clock_is_set(),
            Happening::Undo(system, standing) => self.undo(&system, &standing),
            _ if self.healed() => {}
            Happening::BackUp => self.back_up(),
            Happening::Restore => self.restore(),
            Happening::Edit => {
                self.edit();
                self.again(happening, 2);
            }
            Happening::Burst => {
                self.burst();
                self.again(happening, 240);
            }
            Happening::Expire => {
                self.expire();
                self.again(happening, 300);
            }
            Happening::Swing => self.swing(),
            Happening::Flurry(id) => self.flurry(id),
            Happening::TakeBack(id, fields) => self.take_back(id, fields),
            Happening::EditThere(target, id, field) => self.edits_there(&target, id, field),
            Happening::Person => {
                self.person();
                self.again(happening, 25);
            }
            Happening::Replay => {
                self.replay();
                self.again(happening, 200);
            }
            Happening::Ill => {
                self.fall_ill();
                self.again(happening, 150);
            }
            Happening::Refuse => {
                self.refuse_one();
                self.again(happening, 400);
            }
            Happening::Crash => {
                self.crash_soon();
                self.again(happening, 220);
            }
            Happening::Full => {
                self.fill_disk();
                self.again(happening, 1_500);
            }
            Happening::Fail => {
                self.fail_disk();
                self.again(happening, 900);
            }
            Happening::Jump => {
                self.jump();
                self.again(happening, 400);
            }
            Happening::ThrowAway => {
                self.throw_away();
                self.again(happening, 700);
            }
            Happening::Configure => {
                self.configure();
                self.again(happening, 250);
            }
            Happening::Stand => {
                self.stand();
                self.again(happening, 200);
            }
        }
    }
}

/// A system's name.
#[expect(clippy::expect_used, reason = "a literal that is a name")]
pub(crate) fn system(name: &str) -> System {
    System::new(name).expect("a name")
}

/// What was seen, in a few words.
fn short(seen: &connector::Observation) -> String {
    match &seen.seen {
        connector::Seen::State { fields } => {
            let field = |name: &str| fields.get(name).map(ToString::to_string).unwrap_or_default();
            let order = seen.order.map_or(0, |order| order.0);
            format!(
                "{} order {order} value {} stage {} active {} label {} note {} group {}",
                field("key"),
                field("value"),
                field("stage"),
                field("active"),
                field("label"),
                field("note"),
                field("group")
            )
        }
        other => format!("{other:?}"),
    }
}
