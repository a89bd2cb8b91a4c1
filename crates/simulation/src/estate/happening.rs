//! What happens in the estate: what begins it, and how each brings its next.

use std::collections::BTreeMap;
use std::time::Duration;

use canonical::System;
use serde_json::Value;
use store::HeldPart;

use super::{CALM, HEALING, Mode, bulk, replaying};
use crate::driver::{Event, Simulation, micros};

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

impl Simulation {
    /// First happenings; each brings its next.
    pub(super) fn begin(&mut self) {
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
