//! The live view: counters that cost an atomic addition to feed and nothing to anybody when they are read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};

use canonical::System;

use crate::lags::{LagCells, Lags};

macro_rules! figures {
    ($(#[$doc:meta])* $public:ident behind $cells:ident { $($(#[$meaning:meta])* $field:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize)]
        pub struct $public {
            $($(#[$meaning])* pub $field: u64,)*
        }

        #[derive(Debug, Default)]
        pub(crate) struct $cells {
            $(pub(crate) $field: AtomicU64,)*
        }

        impl $cells {
            pub(crate) fn read(&self) -> $public {
                $public { $($field: self.$field.load(Ordering::Relaxed),)* }
            }
        }

        impl $public {
            /// What came since `earlier`.
            #[must_use]
            pub fn since(&self, earlier: &Self) -> Self {
                Self { $($field: self.$field.saturating_sub(earlier.$field),)* }
            }
        }
    };
}

figures! {
    /// Counts over all systems since the start of the process.
    Totals behind TotalCells {
        /// Messages taken in durably.
        accepted,
        /// Messages seen before.
        duplicates,
        /// Messages kept for a person.
        quarantined,
        /// Messages that waited for a link.
        messages_parked,
        /// Offers refused because of pressure.
        refused,
        /// New versions of records.
        merged,
        /// Non-owners' edits refused.
        rejected,
        /// Non-owners' edits written back.
        reverted,
        /// Fields frozen because of too many counter-writes.
        frozen,
        /// Messages older than what was known.
        stale,
        /// Our own writes coming back.
        echoes,
        /// Domain events made.
        events,
        /// Units that conflicted and were decided again.
        decided_again,
        /// Deliveries: targets that reached a level.
        delivered,
        /// Levels that a newer one carried along.
        coalesced,
        /// Deliveries put off for another try.
        retried,
        /// Dead letters made.
        dead,
        /// Intents that fell into doubt.
        doubtful,
        /// Doubts resolved without a person.
        resolved,
        /// Doubts that need a person.
        needs_person,
        /// Times a target closed its bucket.
        throttles,
        /// Times a breaker opened.
        breaker_opens,
    }
}

figures! {
    /// Counts of one system since the start of the process.
    SystemFigures behind SystemCells {
        /// Messages taken in from it.
        accepted,
        /// Messages of it seen before.
        duplicates,
        /// Messages of it kept for a person.
        quarantined,
        /// Objects read from it by listings.
        polled,
        /// Objects read from it by id.
        fetched,
        /// Requests sent to it.
        sent,
        /// Levels it reached.
        delivered,
        /// Levels that a newer one carried along.
        coalesced,
        /// Deliveries with nothing to say to it.
        skipped,
        /// Deliveries put off for another try.
        retried,
        /// Dead letters made.
        dead,
        /// Intents that fell into doubt.
        doubtful,
        /// Doubts resolved without a person.
        resolved,
        /// Doubts that need a person.
        needs_person,
        /// Deliveries that waited for a link.
        parked,
        /// Times it closed its bucket.
        throttles,
        /// Answers that said: too fast.
        rate_limited,
        /// Times one of its breakers opened.
        breaker_opens,
    }
}

/// How a system stands now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Gauges {
    /// Requests on the wire.
    pub in_flight: usize,
    /// Deliveries ready or waiting in memory: critical, standard, bulk.
    pub held: [usize; 3],
    /// Whether more is in the store than in memory.
    pub behind: bool,
    /// Intents in doubt.
    pub doubtful: usize,
    /// Bulk jobs that run at the target.
    pub jobs: usize,
    /// 0 closed, 1 half-open, 2 open: the worst of its breakers.
    pub breaker: u8,
    /// Whether the target has closed its bucket.
    pub throttled: bool,
    /// Whether it is paused.
    pub paused: bool,
    /// How much that is expected to be heard of it is not.
    pub silent: usize,
}

/// Everything the live view shows, at one moment.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Snapshot {
    /// Over all systems.
    pub totals: Totals,
    /// Per system: counts, how it stands, and the lags of its deliveries since the start.
    pub systems: BTreeMap<System, (SystemFigures, Gauges, Lags)>,
}

impl Snapshot {
    /// Counts and lags since `earlier`; the gauges stay those of now.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let systems = self.systems.iter().map(|(system, (figures, gauges, lags))| {
            let difference = match earlier.systems.get(system) {
                Some((then, _, before)) => (figures.since(then), *gauges, lags.since(before)),
                None => (figures.clone(), *gauges, lags.clone()),
            };
            (system.clone(), difference)
        });
        Self { totals: self.totals.since(&earlier.totals), systems: systems.collect() }
    }

    /// The lags of all systems together.
    #[must_use]
    pub fn lags(&self) -> Lags {
        self.systems.values().fold(Lags::default(), |all, (_, _, lags)| all.with(lags))
    }
}

/// The growing counters of one system.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) figures: SystemCells,
    pub(crate) lags: LagCells,
    pub(crate) gauges: GaugeCells,
}

#[derive(Debug, Default)]
pub(crate) struct GaugeCells {
    in_flight: AtomicUsize,
    held: [AtomicUsize; 3],
    behind: AtomicBool,
    doubtful: AtomicUsize,
    jobs: AtomicUsize,
    breaker: AtomicU8,
    throttled: AtomicBool,
    paused: AtomicBool,
    silent: AtomicUsize,
}

impl Cell {
    pub(crate) fn new() -> Self {
        Self { figures: SystemCells::default(), lags: LagCells::new(), gauges: GaugeCells::default() }
    }

    pub(crate) fn read(&self) -> (SystemFigures, Gauges, Lags) {
        (self.figures.read(), self.gauges.read(), self.lags.read())
    }
}

impl GaugeCells {
    pub(crate) fn set(&self, gauges: Gauges) {
        self.in_flight.store(gauges.in_flight, Ordering::Relaxed);
        for (cell, value) in self.held.iter().zip(gauges.held) {
            cell.store(value, Ordering::Relaxed);
        }
        self.behind.store(gauges.behind, Ordering::Relaxed);
        self.doubtful.store(gauges.doubtful, Ordering::Relaxed);
        self.jobs.store(gauges.jobs, Ordering::Relaxed);
        self.breaker.store(gauges.breaker, Ordering::Relaxed);
        self.throttled.store(gauges.throttled, Ordering::Relaxed);
        self.paused.store(gauges.paused, Ordering::Relaxed);
        self.silent.store(gauges.silent, Ordering::Relaxed);
    }

    fn read(&self) -> Gauges {
        Gauges {
            in_flight: self.in_flight.load(Ordering::Relaxed),
            held: std::array::from_fn(|lane| self.held[lane].load(Ordering::Relaxed)),
            behind: self.behind.load(Ordering::Relaxed),
            doubtful: self.doubtful.load(Ordering::Relaxed),
            jobs: self.jobs.load(Ordering::Relaxed),
            breaker: self.breaker.load(Ordering::Relaxed),
            throttled: self.throttled.load(Ordering::Relaxed),
            paused: self.paused.load(Ordering::Relaxed),
            silent: self.silent.load(Ordering::Relaxed),
        }
    }
}

/// One more.
pub(crate) fn one(cell: &AtomicU64) {
    more(cell, 1);
}

/// `by` more.
pub(crate) fn more(cell: &AtomicU64, by: u64) {
    cell.fetch_add(by, Ordering::Relaxed);
}
