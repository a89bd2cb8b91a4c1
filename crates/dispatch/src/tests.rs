//! How a dispatcher decides: scenarios to read, and what must hold of any sequence of inputs.

mod breakers;
mod buckets;
mod draws;
mod forecasts;
mod parties;
mod properties;
mod scenarios;
mod script;
mod steps;
mod windows;
mod world;

use std::time::Duration;

use canonical::Mono;
use ledger::Lane;

use crate::{BreakerSpec, BucketSet, BucketSpec, Limits, Scope, Wanted};

/// A write that can be repeated, due at once, of a record that has not failed.
fn plain<T>(token: T, seq: i64, now: Mono) -> Wanted<T> {
    Wanted {
        token,
        lane: Lane::Standard,
        lock: None,
        due: now,
        seq,
        operation: "write".to_owned(),
        buckets: BucketSet::NONE,
        cost: 1,
        safe: true,
        poison: false,
        party: None,
        serial: None,
    }
}

/// Four slots, no bucket, a breaker that opens at half of four calls for 1 s.
fn limits() -> Limits {
    Limits {
        concurrency: 4,
        buckets: Vec::new(),
        lane_weights: [4, 2, 1],
        reserve_critical_pct: 0,
        window: 100,
        breaker: BreakerSpec {
            failure_ratio_pct: 50,
            slow_ratio_pct: 0,
            slow_after: Duration::from_secs(1),
            calls_min: 4,
            window: Duration::from_secs(10),
            open_for: Duration::from_secs(1),
            open_for_max: Duration::from_secs(3),
            half_open_probes: 2,
        },
    }
}

/// `size` at once, `refill` per `per_ms`.
fn bucket(name: &str, size: u32, refill: u32, per_ms: u64) -> BucketSpec {
    BucketSpec {
        name: name.into(),
        size,
        per: Duration::from_millis(per_ms),
        refill,
        shared: false,
        told: false,
        scope: Scope::Every,
    }
}
