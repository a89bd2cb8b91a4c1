//! A picture of a dispatcher, for the console, metrics and `system get`.

use std::time::Duration;

use canonical::Mono;

use crate::breaker::Forced;

/// What a dispatcher holds and why what waits, waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// Calls under way.
    pub in_flight: usize,
    /// Most calls under way just now: the configured cap, or less while the target throttles or is
    /// slower than usual.
    pub concurrency: u32,
    /// The configured one.
    pub concurrency_most: u32,
    /// Due and in line, per lane: critical, standard, bulk.
    pub ready: [usize; 3],
    /// In line, not yet due.
    pub waiting: usize,
    /// Behind another delivery of the same record and object.
    pub blocked: usize,
    /// The rate limits, as configured.
    pub buckets: Vec<BucketView>,
    /// The breakers, by operation.
    pub breakers: Vec<BreakerView>,
    /// Why it is paused, if it is.
    pub paused: Option<String>,
    /// Nothing goes before, by the target's own word.
    pub closed_until: Option<Mono>,
    /// Until when each lane is outside its window: critical, standard, bulk.
    pub lanes_closed_until: [Option<Mono>; 3],
}

/// One bucket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BucketView {
    /// Its name.
    pub name: String,
    /// Whole tokens in it.
    pub tokens: u64,
    /// Most it can hold.
    pub size: u32,
    /// Per cent of the configured flow in use: less than 100 while a shared limit recovers from throttling.
    pub flow_pct: u32,
    /// Closed until then.
    pub closed_until: Option<Mono>,
}

/// One operation and its breaker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BreakerView {
    /// The operation it guards.
    pub operation: String,
    /// Where it stands.
    pub state: BreakerState,
    /// Good answers in the rolling window.
    pub good: u32,
    /// Good answers in the rolling window that came late.
    pub slow: u32,
    /// Ill answers in the rolling window.
    pub ill: u32,
    /// What an operator says of it.
    pub forced: Option<Forced>,
    /// How long its answers take of late; `None` before the first.
    pub typical: Option<Duration>,
}

/// Where a breaker stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BreakerState {
    /// Calls go.
    Closed,
    /// Nothing goes until then.
    Open {
        /// When trials start.
        until: Mono,
    },
    /// Trials go.
    HalfOpen,
}

impl BreakerState {
    /// Its name, as shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen => "half-open",
        }
    }
}
