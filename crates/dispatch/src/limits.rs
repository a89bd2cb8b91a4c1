//! Limits: what a system's configuration says about how it may be called.

use std::time::Duration;

/// All limits of one system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Most calls in flight; at least 1.
    pub concurrency: u32,
    /// The vendor's rate limits; each call is charged to those that it draws from.
    pub buckets: Vec<BucketSpec>,
    /// Shares of critical, standard and bulk when all have work; at least 1 each.
    pub lane_weights: [u32; 3],
    /// Per cent of each bucket, of its size and of its flow, that only critical work may use; at most 90.
    pub reserve_critical_pct: u8,
    /// How many wishes are to be held in memory; see `Dispatcher::room_for`.
    pub window: usize,
    /// When an operation counts as ill.
    pub breaker: BreakerSpec,
}

/// One rate limit, as the vendor counts it: in any window W, calls ≤ `size` + `refill`·W/`per` (I9).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BucketSpec {
    /// Its name, as in the vendor's headers where they name it.
    pub name: String,
    /// Most calls at once, in units of cost; at least 1.
    pub size: u32,
    /// The time in which `refill` units come back; at least 1 µs.
    pub per: Duration,
    /// Units that come back in `per`; at least 1.
    pub refill: u32,
    /// Whether others spend from the same limit: then throttling halves the flow, and it recovers slowly.
    pub shared: bool,
    /// Whether the target counts the whole window for all of them, and says with its answers what is left: the first one
    /// since the start says what was spent before.
    pub told: bool,
    /// Which calls draw from it.
    pub scope: Scope,
}

/// Which calls draw from a limit.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Scope {
    /// All, whatever they name.
    #[default]
    Every,
    /// All that name no other: the account's own limit.
    Account,
    /// Only those that name it: a limit of single operations, such as a search.
    Named,
}

/// When the breaker of an operation opens and how it closes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BreakerSpec {
    /// Opens when at least this many per cent of the calls in the window failed; 1 to 100.
    pub failure_ratio_pct: u8,
    /// …or, unless this is 0, when at least this many per cent took `slow_after` or longer.
    pub slow_ratio_pct: u8,
    /// From here on a good answer counts as slow.
    pub slow_after: Duration,
    /// …and there were at least this many calls; at least 1.
    pub calls_min: u32,
    /// The rolling window in which calls are counted.
    pub window: Duration,
    /// How long it stays open the first time. Doubles with each failed trial.
    pub open_for: Duration,
    /// The longest it stays open.
    pub open_for_max: Duration,
    /// Good answers that close it; at most so many trials are in flight. At least 1.
    pub half_open_probes: u32,
}
