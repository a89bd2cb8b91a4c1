//! Quota planning: when so many calls will be through, by the limits as they stand, and which of them binds.

use std::time::Duration;

use canonical::Mono;
use ledger::Lane;

use super::Dispatcher;
use crate::bucket::Purse;
use crate::draw::BucketSet;
use crate::slots::Usual;

/// When planned work would be through, were there no other work of its lane or a more urgent one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Forecast {
    /// How long the calls take from now, at least. Cool-downs count; windows of lanes don't.
    pub takes: Duration,
    /// What binds.
    pub by: Binds,
}

/// What makes planned work take as long as it does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Binds {
    /// A limit of the vendor, by its name.
    Limit(String),
    /// Calls in flight, at the pace of answers of late.
    Concurrency,
    /// The target's own word to stay away.
    CoolDown,
    /// Nothing that is known: the system answered no call yet and has no limits.
    Unknown,
}

impl<T: Clone + Ord> Dispatcher<T> {
    /// When `calls` calls of `cost` each that draw from these limits would be through on a lane. Work that is not
    /// critical leaves the reserve alone: critical work is taken to use it up.
    #[must_use]
    pub fn forecast(&self, calls: u64, cost: u32, buckets: BucketSet, lane: Lane, now: Mono) -> Forecast {
        let purse = if lane == Lane::Critical { Purse::All } else { Purse::Common };
        let units = calls.saturating_mul(u64::from(cost));
        let limits = self.buckets.iter().enumerate().filter(|(number, _)| buckets.has(*number));
        let limits = limits.map(|(_, bucket)| {
            (bucket.flows_in(units, purse, now), Binds::Limit(bucket.spec().name.clone()))
        });
        let slots = u64::from(self.slots.now());
        let pace = self.usual.iter().filter_map(Usual::mean).max();
        let pace = pace.map(|pace| (times(pace, calls.div_ceil(slots)), Binds::Concurrency));
        let quiet = now.until(self.closed_until);
        let longest =
            limits.chain(pace).max_by_key(|(takes, _)| *takes).unwrap_or((Duration::ZERO, Binds::Unknown));
        let takes = longest.0.saturating_add(quiet);
        Forecast { takes, by: if quiet > longest.0 { Binds::CoolDown } else { longest.1 } }
    }
}

/// So many times as long.
fn times(one: Duration, count: u64) -> Duration {
    let micros = one.as_micros().saturating_mul(u128::from(count));
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}
