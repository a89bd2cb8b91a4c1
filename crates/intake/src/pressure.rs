//! Whether something more may be taken in, by the deliveries that already wait. Pure: how much waits comes in, and who
//! must wait because of it goes out.
//!
//! A target's own backlog refuses only what no target that keeps up is waiting for (I10). All backlogs together refuse
//! also what feeds others beside one that makes them up: a message is taken whole or not at all, and the disk is one for
//! all. Reading stops first, then what is posted, then what is pushed, and last whatever feeds a critical route.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use canonical::System;
use ledger::Lane;

/// At so many percent of a bound one more kind is refused: see [`Step`].
const STEPS: [u64; 4] = [80, 85, 90, 100];
/// It is let go on when so many percent fewer wait than it took to refuse it.
const SLACK: u64 = 10;
/// A target that has at least so much of its even share of the total bound, in percent, is one that makes it up. While
/// anything is refused for the total there is one.
const SHARE: u64 = STEPS[0] - SLACK;

/// How much may wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bounds {
    /// How long the first in a target's line may wait beyond its turn, while the target is at work.
    pub age_max: Option<Duration>,
    /// Open deliveries to one target.
    pub open_max: Option<u64>,
    /// Open deliveries to all targets together.
    pub total_max: Option<u64>,
}

/// What waits for one target.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Waiting {
    /// Open deliveries, whatever they wait for.
    pub open: u64,
    /// Per lane: how long the first in line waits beyond its turn. `None` where nothing does, or what does waits for
    /// something else than the pace of the target (it is paused, unreachable, or its breaker is open).
    pub ages: [Option<Duration>; 3],
}

/// How something comes in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Door {
    /// Read from the source: it stays there, and so does the cursor.
    Read,
    /// Posted by a client of one's own, which can hold it.
    Posted,
    /// Pushed by a vendor, which sends it again for some time.
    Pushed,
}

/// A route that something may take.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Feed<'a> {
    /// The target.
    pub system: &'a System,
    /// The route's lane.
    pub lane: Lane,
}

/// Why something is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cause {
    /// Too many deliveries wait for a target.
    Open {
        /// The target.
        system: System,
        /// How many.
        open: u64,
        /// The bound.
        max: u64,
    },
    /// Too many deliveries wait in all.
    Total {
        /// How many.
        open: u64,
        /// The bound.
        max: u64,
        /// A target that makes it up.
        system: System,
    },
    /// A target does not keep up.
    Age {
        /// The target.
        system: System,
        /// How long the first in line waits.
        age: Duration,
        /// The bound.
        max: Duration,
    },
}

/// How far a backlog has come to its bound: how many of [`STEPS`] are passed. At 1 nothing is read for it, at 2 nothing
/// posted, at 3 nothing pushed, at 4 nothing taken at all.
type Step = u8;

/// What is known of the backlogs, and who waits because of them.
#[derive(Clone, Debug, Default)]
pub struct Pressure {
    bounds: Bounds,
    targets: BTreeMap<System, Target>,
    total: u64,
    total_step: Step,
}

#[derive(Clone, Debug, Default)]
struct Target {
    waiting: Waiting,
    step: Step,
    /// Per lane: whether its line is longer than it may be.
    late: [bool; 3],
}

impl Pressure {
    /// Learns how much waits. What was refused is let go on only when clearly less waits than it took to refuse it.
    pub fn learn(&mut self, bounds: Bounds, waiting: BTreeMap<System, Waiting>) {
        self.bounds = bounds;
        self.total = waiting.values().fold(0, |sum, waiting| sum.saturating_add(waiting.open));
        self.total_step = step(self.total, bounds.total_max, self.total_step);
        let mut before = std::mem::take(&mut self.targets);
        for (system, waiting) in waiting {
            let mut target = before.remove(&system).unwrap_or_default();
            target.step = step(waiting.open, bounds.open_max, target.step);
            for (late, age) in target.late.iter_mut().zip(waiting.ages) {
                *late = is_late(age, bounds.age_max, *late);
            }
            // Those whose turn it was to be late by hours may well wait for the hours of their lane.
            target.late[usize::from(Lane::Bulk.number())] = false;
            target.waiting = waiting;
            self.targets.insert(system, target);
        }
    }

    /// Whether everything may come in.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.total_step == 0
            && self.targets.values().all(|target| target.step == 0 && target.late == [false; 3])
    }

    /// Why something that comes in by this door and takes these routes must wait; `None`: it need not.
    #[must_use]
    pub fn refuses(&self, door: Door, feeds: &[Feed<'_>]) -> Option<Cause> {
        if self.is_free() || feeds.is_empty() {
            return None;
        }
        let critical = feeds.iter().any(|feed| feed.lane == Lane::Critical);
        let needed = match door {
            _ if critical => 4,
            Door::Read => 1,
            Door::Posted => 2,
            Door::Pushed => 3,
        };
        self.in_all(needed, feeds).or_else(|| {
            // One target that keeps up is reason enough to take it.
            let mut causes = feeds.iter().map(|feed| self.of_target(door, needed, *feed));
            let first = causes.next()?;
            if causes.all(|cause| cause.is_some()) { first } else { None }
        })
    }

    fn in_all(&self, needed: Step, feeds: &[Feed<'_>]) -> Option<Cause> {
        let max = self.bounds.total_max.filter(|_| self.total_step >= needed)?;
        let count = u64::try_from(self.targets.len()).unwrap_or(u64::MAX);
        let makes_up = |feed: &&Feed<'_>| {
            let open = self.targets.get(feed.system).map_or(0, |target| target.waiting.open);
            percent(open.saturating_mul(count), max) >= SHARE
        };
        let feed = feeds.iter().find(makes_up)?;
        Some(Cause::Total { open: self.total, max, system: feed.system.clone() })
    }

    fn of_target(&self, door: Door, needed: Step, feed: Feed<'_>) -> Option<Cause> {
        let (target, system) = (self.targets.get(feed.system)?, || feed.system.clone());
        if let Some(max) = self.bounds.open_max.filter(|_| target.step >= needed) {
            return Some(Cause::Open { system: system(), open: target.waiting.open, max });
        }
        let max = self.bounds.age_max.filter(|_| door == Door::Read)?;
        // Where a lane is late those below it are, too: they get the smaller share.
        let lane = usize::from(feed.lane.number());
        let mut above = target.late.iter().zip(target.waiting.ages).take(lane + 1);
        let (_, age) = above.find(|(late, _)| **late)?;
        Some(Cause::Age { system: system(), age: age.unwrap_or(max), max })
    }
}

/// How far `open` has come to its bound, where it was `before`.
fn step(open: u64, max: Option<u64>, before: Step) -> Step {
    let Some(max) = max else { return 0 };
    let is = percent(open, max);
    let passed = |slack: u64| {
        let passed = STEPS.iter().filter(|at| is >= **at - slack).count();
        Step::try_from(passed).unwrap_or(Step::MAX)
    };
    passed(0).max(before.min(passed(SLACK)))
}

fn percent(open: u64, max: u64) -> u64 {
    u64::try_from(u128::from(open) * 100 / u128::from(max.max(1))).unwrap_or(u64::MAX)
}

/// Late when it is as old as it may be; no more when it is half as old.
fn is_late(age: Option<Duration>, max: Option<Duration>, before: bool) -> bool {
    let (Some(age), Some(max)) = (age, max) else { return false };
    age >= if before { max / 2 } else { max }
}

impl Cause {
    /// Which bound it is, for metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Open { .. } => "backlog",
            Self::Total { .. } => "backlog_total",
            Self::Age { .. } => "backlog_age",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { system, open, max } => write!(
                f,
                "{open} deliveries to `{system}` wait, of {max} that may (`intake.backlog.open_max`): see why \
                 with `concord system get {system}`; it goes on by itself as they get through"
            ),
            Self::Total { open, max, system } => write!(
                f,
                "{open} deliveries wait, of {max} that may (`intake.backlog.total_max`), many of them to \
                 `{system}`: see why with `concord system get {system}`; it goes on by itself as they get through"
            ),
            Self::Age { system, age, max } => write!(
                f,
                "deliveries to `{system}` wait for {} minutes, of {} that they may (`intake.backlog.age_max`): it \
                 goes on by itself as they get through",
                age.as_secs() / 60,
                max.as_secs() / 60
            ),
        }
    }
}

#[cfg(test)]
mod tests;
