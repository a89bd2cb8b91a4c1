//! The long run: a company's estate over hours. One source and five targets, people who edit, vendors that fall ill,
//! crashes, full disks, failing disks and clock jumps; judged all the while by what is seen from outside.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use canonical::System;
use hub::{Input, MachineId};

use crate::driver::{Options, Simulation, micros};
use crate::scenario::Class;
use crate::vendor::{Faults, Moods, Vendor};
pub(crate) use happening::{Happening, Standing};

mod backup;
mod bulk;
mod change;
pub(crate) mod files;
mod happening;
mod judge;
mod merges;
mod notes;
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
    /// As `Liveness`, and people take two records for one now and then, and take it back.
    Merging,
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
    /// Notes that their owner wrote and the hub acknowledged.
    notes: notes::Notes,
    /// What is known already of each target's effects.
    read: BTreeMap<System, usize>,
    /// The last value that was written to an object.
    values: BTreeMap<(System, u64), i64>,
    /// Why work may stand still: until when that excuses a delay.
    unfair_until: u64,
    /// When the hub died.
    crashed_at: Vec<u64>,
    full: bool,
    /// When the disk was full last: from when on, and until when.
    was_full: (u64, u64),
    /// When the hub died last before it could write down what it had heard with a full disk: since when that is, and until when.
    unwritten: (u64, u64),
    fail_sync: bool,
    /// What operators ordered that stands.
    standing: BTreeSet<(System, Standing)>,
    /// The last backup, and what was acknowledged until then.
    backup: Option<backup::Backup>,
    /// Sayings that were acknowledged after it, and are forgotten since it was restored.
    forgotten: BTreeSet<usize>,
    /// What the source made after a backup that was restored: what of it has gone before it was read again, nobody knows.
    unborn: BTreeSet<String>,
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
        notes: notes::Notes::default(),
        read: BTreeMap::new(),
        values: BTreeMap::new(),
        // The first load takes its time.
        unfair_until: 3 * CALM,
        crashed_at: Vec::new(),
        full: false,
        was_full: (0, 0),
        unwritten: (0, 0),
        fail_sync: false,
        standing: BTreeSet::new(),
        backup: None,
        forgotten: BTreeSet::new(),
        unborn: BTreeSet::new(),
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

    /// Whether the faults are over.
    pub(crate) fn healed(&self) -> bool {
        self.estate.as_ref().is_none_or(|estate| self.now >= estate.until)
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
