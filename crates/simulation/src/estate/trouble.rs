//! What goes wrong: vendors, the disk, the process, the clock.

use canonical::System;

use super::{Estate, Happening, files, system};
use crate::driver::{Event, Simulation};
use crate::vendor::Faults;

/// The wall clock is set by at most so many microseconds, either way.
const JUMP_MAX: u64 = 1_500_000;
/// It lies by at most so many, for at most so many; and the machine sleeps at most so long.
const LIE_MAX: u64 = 8 * 3_600_000_000;
const LIES_FOR: u64 = 200_000_000;
const SLEEP_MAX: u64 = 3_600_000_000;
/// After the hub was down, or its disk full, a delay is excused for so many microseconds.
const EXCUSED: u64 = 20_000_000;

/// Once there is room on the disk, what could not be written is, within so many microseconds.
const WRITTEN_BY: u64 = 3_000_000;

impl Estate {
    /// There is room on the disk.
    fn room(&mut self, now: u64) {
        if std::mem::take(&mut self.full) {
            self.was_full.1 = now;
        }
    }
}

impl Simulation {
    pub(super) fn count(&mut self, name: &'static str) {
        if let Some(estate) = &mut self.estate {
            estate.fault(name);
        }
    }

    /// Something happened that is no fault.
    pub(super) fn did(&mut self, name: &str) {
        *self.marks.entry(name.to_owned()).or_default() += 1;
    }

    /// Work stood still until now, and has to catch up.
    pub(super) fn excuse(&mut self, from: u64) {
        if let Some(estate) = &mut self.estate {
            estate.unfair_until = estate.unfair_until.max(from + EXCUSED);
        }
    }

    /// The hub was down.
    pub(crate) fn was_down(&mut self) {
        self.count("crash");
        let now = self.now;
        if let Some(estate) = &mut self.estate {
            estate.crashed_at.push(now);
            estate.room(now);
            if estate.was_full.1 > 0 && now <= estate.was_full.1 + WRITTEN_BY {
                estate.unwritten = (estate.was_full.0, now);
            }
            estate.trying.clear();
            estate.open.clear();
            estate.fail_sync = false;
        }
        self.excuse(self.now);
    }

    fn some_ill(&mut self) -> System {
        let healthy = self.estate.as_ref().map(|estate| estate.healthy.clone());
        let names = [files::UP, files::KEYED, files::FINDER, files::MARKED, files::BLIND, files::SOURCE];
        loop {
            let place = usize::try_from(self.between(0, names.len() as u64)).unwrap_or(0);
            let chosen = system(names[place]);
            if Some(&chosen) != healthy.as_ref() {
                return chosen;
            }
        }
    }

    /// A vendor is ill for a while; sometimes two are.
    pub(super) fn fall_ill(&mut self) {
        let two = self.between(0, 4) == 0;
        for _ in 0..=u64::from(two) {
            let chosen = self.some_ill();
            let (name, faults) = match self.between(0, 7) {
                0 => ("down", Faults { refuse: 1000, ..Faults::default() }),
                1 => {
                    ("brownout", Faults { fail_before: 300, fail_after: 150, lose: 150, ..Faults::default() })
                }
                2 => ("late_effects", Faults { late: 400, lose: 100, ..Faults::default() }),
                3 => ("throttling", Faults { throttle: 850, ..Faults::default() }),
                4 => ("slow", Faults { slow: 900, ..Faults::default() }),
                5 => ("answers_lost", Faults { lose: 700, ..Faults::default() }),
                _ => ("hanging", Faults { vanish: 800, ..Faults::default() }),
            };
            self.count(name);
            self.remember(&format!("! {chosen} falls ill: {name}"));
            self.sick.insert(chosen.clone(), faults);
            // What happens there just now has to wait, in its order.
            if chosen.as_str() == files::KEYED && self.between(0, 2) == 0 {
                let soon = self.between(500_000, 5_000_000);
                self.at(self.now + soon, Event::Happen(Happening::Swing));
            }
            let last = self.between(5_000_000, 110_000_000);
            self.at(self.now + last, Event::Happen(Happening::Well(chosen)));
        }
    }

    pub(super) fn well(&mut self, chosen: &System) {
        self.sick.remove(chosen);
        self.remember(&format!("! {chosen} is well"));
    }

    /// Somebody at a target throws an object away.
    pub(super) fn throw_away(&mut self) {
        let place = usize::try_from(self.between(0, 3)).unwrap_or(0);
        let chosen = system([files::UP, files::KEYED, files::FINDER][place]);
        let Some(vendor) = self.targets.get(&chosen) else { return };
        let live = vendor.objects.iter().filter(|(_, item)| item.kind == "items" && !item.gone);
        let live: Vec<u64> = live.map(|(id, _)| *id).collect();
        let place = usize::try_from(self.between(0, (live.len() as u64).max(1))).unwrap_or(0);
        let Some(id) = live.get(place).copied() else { return };
        let Some(item) = self.targets.get_mut(&chosen).and_then(|vendor| vendor.objects.get_mut(&id)) else {
            return;
        };
        item.gone = true;
        self.count("thrown_away");
        self.remember(&format!("! somebody throws items/{id}/ away at {chosen}"));
    }

    /// The token of a target is over before its time.
    pub(super) fn expire(&mut self) {
        let place = usize::try_from(self.between(0, files::TOKENS.len() as u64)).unwrap_or(0);
        let chosen = system(files::TOKENS[place]);
        self.count("token_expired");
        self.remember(&format!("! the token of {chosen} is over"));
        if let Some(vendor) = self.targets.get_mut(&chosen) {
            vendor.expire(true);
        }
    }

    /// A target finds a record invalid, for a while.
    pub(super) fn refuse_one(&mut self) {
        let chosen = self.some_ill();
        if chosen.as_str() == files::SOURCE {
            return;
        }
        let Some(id) = self.some_thing() else { return };
        let source = self.targets.get(&system(files::SOURCE));
        let Some(key) = source.and_then(|source| Some(source.objects.get(&id)?.name.clone())) else { return };
        self.count("poison");
        if let Some(vendor) = self.targets.get_mut(&chosen) {
            vendor.refused.insert(key.clone());
        }
        let last = self.between(30_000_000, 300_000_000);
        if chosen.as_str() == files::UP {
            self.refuse_among_others(&chosen, id);
        }
        self.at(self.now + last, Event::Happen(Happening::Take(chosen, key)));
    }

    /// What is found invalid waits with others while its target is down, so that they go together.
    fn refuse_among_others(&mut self, chosen: &System, id: u64) {
        self.count("down");
        self.remember(&format!("! {chosen} falls ill: down"));
        self.sick.insert(chosen.clone(), Faults { refuse: 1000, ..Faults::default() });
        let soon = self.between(1_000_000, 6_000_000);
        self.at(self.now + soon, Event::Happen(Happening::Flurry(id)));
        let last = self.between(10_000_000, 25_000_000);
        self.at(self.now + last, Event::Happen(Happening::Well(chosen.clone())));
    }

    pub(super) fn take(&mut self, chosen: &System, key: &str) {
        if let Some(vendor) = self.targets.get_mut(chosen) {
            vendor.refused.remove(key);
        }
    }

    /// The hub dies right before one of its next effects; sometimes again soon after its start.
    pub(super) fn crash_soon(&mut self) {
        let first = self.effects + self.between(1, 40);
        self.crash_before(first);
        if self.between(0, 3) == 0 {
            let second = first + self.between(1, 60);
            self.crash_before(second);
        }
    }

    /// Whoever is just told to wait dies more often than others.
    pub(crate) fn trouble_comes_in_twos(&mut self) {
        if self.estate.is_some() && !self.healed() && self.between(0, 12) == 0 {
            let soon = self.effects + self.between(4, 14);
            self.crash_before(soon);
        }
    }

    pub(super) fn fill_disk(&mut self) {
        self.count("disk_full");
        self.remember("! the disk is full");
        let error = store::StoreError::Full { detail: "simulated".to_owned() };
        self.store.refuse(Some(error));
        if let Some(estate) = &mut self.estate {
            estate.full = true;
            estate.was_full.0 = self.now;
        }
        let last = self.between(5_000_000, 60_000_000);
        self.excuse(self.now + last);
        self.at(self.now + last, Event::Happen(Happening::Room));
    }

    pub(super) fn room(&mut self) {
        self.store.refuse(None);
        if let Some(estate) = &mut self.estate {
            estate.room(self.now);
        }
        self.remember("! there is room on the disk");
    }

    /// The next sync fails.
    pub(super) fn fail_disk(&mut self) {
        if let Some(estate) = &mut self.estate {
            estate.fail_sync = true;
        }
    }

    /// The disk syncs, or fails to.
    pub(crate) fn sync(&mut self) {
        let fails = self.estate.as_ref().is_some_and(|estate| estate.fail_sync) && self.store.held() > 0;
        if !fails {
            self.store.sync();
            return;
        }
        self.count("disk_failed");
        self.remember("! the disk fails to sync");
        if let Some(estate) = &mut self.estate {
            estate.fail_sync = false;
        }
        let held = self.store.held() as u64;
        let kept = usize::try_from(self.between(0, held + 1)).unwrap_or(0);
        self.store.fail(kept, &store::StoreError::Broken { detail: "simulated".to_owned() });
    }

    /// The wall clock is set a little, lies by minutes or hours for a while, or has stood still with the machine.
    pub(super) fn jump(&mut self) {
        let (either_way, kind) = (self.between(0, 2) == 0, self.between(0, 10));
        let (name, by) = match kind {
            0..6 => ("clock_jump", self.between(0, JUMP_MAX)),
            6..9 => ("clock_lies", self.between(10_000_000, LIE_MAX)),
            _ => ("clock_slept", self.between(10_000_000, SLEEP_MAX)),
        };
        let by = i64::try_from(by).unwrap_or(0);
        let by = if either_way && name != "clock_slept" { -by } else { by };
        self.count(name);
        self.remember(&format!("! {name}: the wall clock jumps by {by} µs"));
        self.clock_off += by;
        if name == "clock_lies" {
            let Some(estate) = &mut self.estate else { return };
            estate.lie += by;
            let last = self.between(1_000_000, LIES_FOR);
            self.at(self.now + last, Event::Happen(Happening::SetClock));
        }
    }

    /// The clock no longer lies.
    pub(crate) fn clock_is_set(&mut self) {
        let lie = self.estate.as_mut().map_or(0, |estate| std::mem::take(&mut estate.lie));
        self.clock_off -= lie;
    }

    /// The last fault is over: everything is well, and the source touches all it has.
    pub(super) fn heal(&mut self) {
        self.remember("! everything is well");
        self.store.refuse(None);
        self.excuse(self.now);
        if let Some(estate) = &mut self.estate {
            estate.room(self.now);
            estate.fail_sync = false;
        }
        let standing = self.estate.as_ref().map(|estate| estate.standing.clone()).unwrap_or_default();
        for (system, standing) in standing {
            self.undo(&system, &standing);
        }
        self.targets.values_mut().for_each(|vendor| vendor.refused.clear());
        self.touch_all();
    }
}
