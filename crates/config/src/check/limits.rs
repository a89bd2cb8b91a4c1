//! Limits of a system: what its connector says, changed by its file.

use std::time::Duration;

use dispatch::{BreakerSpec, BucketSpec, Scope, Span, Windows};
use ledger::RetryPolicy;

use crate::settings::LaneWeights;
use crate::source::{BreakerSource, RetrySource, SystemSource, WindowSource};
use crate::words::Period;

/// Calls in flight where neither connector nor file limits them.
const CONCURRENCY: u32 = 8;
/// Per cent of each bucket that is kept for critical work.
const RESERVE_CRITICAL_PCT: u8 = 20;
/// Deliveries held in memory per system.
const WINDOW: usize = 1_024;

/// What is wrong with limits: where, what, and a hint.
type Flaw = (Vec<String>, String, String);

/// The limits in force. `job_max`: the most records that go in one job there.
pub(super) fn limits(
    source: &SystemSource,
    own: &connector::Limits,
    job_max: usize,
    lanes: LaneWeights,
) -> dispatch::Limits {
    let changes = &source.limits;
    let mut buckets: Vec<BucketSpec> = own.buckets.iter().map(bucket).collect();
    for (name, change) in &changes.buckets {
        let at = buckets.iter().position(|bucket| bucket.name == *name).unwrap_or_else(|| {
            buckets.push(BucketSpec {
                name: name.clone(),
                size: change.size.or(change.refill).unwrap_or(1),
                refill: change.refill.or(change.size).unwrap_or(1),
                per: Duration::from_secs(1),
                shared: false,
                told: false,
                // No operation names it: the connector does not know it.
                scope: Scope::Every,
            });
            buckets.len() - 1
        });
        let bucket = &mut buckets[at];
        bucket.size = change.size.unwrap_or(bucket.size);
        bucket.refill = change.refill.unwrap_or(bucket.refill);
        bucket.per = change.per.map_or(bucket.per, |period| period.0);
        bucket.shared = change.shared.unwrap_or(bucket.shared);
    }
    dispatch::Limits {
        concurrency: changes.concurrency.or(own.concurrency).unwrap_or(CONCURRENCY).max(1),
        buckets,
        lane_weights: source.lanes.unwrap_or(lanes).array(),
        reserve_critical_pct: changes.reserve_critical_pct.unwrap_or(RESERVE_CRITICAL_PCT),
        // What goes in jobs is gathered here first.
        window: changes.window.unwrap_or_else(|| WINDOW.max(job_max * 2)),
        breaker: breaker(&source.breaker, source.connection.timeouts.request.0),
    }
}

fn bucket(own: &connector::Bucket) -> BucketSpec {
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).max(1);
    BucketSpec {
        name: own.name.to_string(),
        size: small(own.size),
        refill: small(own.refill),
        per: Duration::from_millis(own.per_ms.max(1)),
        shared: own.shared,
        told: own.told,
        scope: if own.every_call { Scope::Account } else { Scope::Named },
    }
}

/// A good answer counts as slow from two thirds of the time on that it is waited for.
fn breaker(source: &BreakerSource, timeout: Duration) -> BreakerSpec {
    let or = |period: Option<Period>, seconds| period.map_or(Duration::from_secs(seconds), |period| period.0);
    BreakerSpec {
        failure_ratio_pct: source.failure_ratio_pct.unwrap_or(50),
        // Off unless asked for: of a system that is always slow, and works, little would be let through.
        slow_ratio_pct: source.slow_ratio_pct.unwrap_or(0),
        slow_after: source.slow_after.map_or(timeout * 2 / 3, |period| period.0),
        calls_min: source.calls_min.unwrap_or(10),
        window: or(source.window, 30),
        open_for: or(source.open_for, 5),
        open_for_max: or(source.open_for_max, 300),
        half_open_probes: source.half_open_probes.unwrap_or(2),
    }
}

/// The hours of the bulk lane; or what is wrong with them.
pub(super) fn bulk_window(source: &WindowSource) -> Result<Windows, Flaw> {
    let flaw = |path: &[&str], what: String, hint: &str| {
        (path.iter().map(|key| (*key).to_owned()).collect(), what, hint.to_owned())
    };
    let span = |span: &crate::source::SpanSource| Span {
        days: span.days.iter().map(|day| (*day).into()).collect(),
        from: span.from.0,
        to: span.to.0,
    };
    Windows::new(&source.zone, source.open.iter().map(span).collect()).ok_or_else(|| {
        let what = format!("there is no time zone `{}`", source.zone);
        flaw(
            &["bulk_window", "zone"],
            what,
            "use a name of the IANA database, such as `Europe/Berlin` or `UTC`",
        )
    })
}

/// The retry policy in force. Twelve attempts between one second and a quarter of an hour last about two hours;
/// an outage (not reached, or ill with its breaker open) uses up half of them at most.
pub(super) fn retry(source: &RetrySource) -> RetryPolicy {
    let or = |period: Option<Period>, seconds| period.map_or(Duration::from_secs(seconds), |period| period.0);
    RetryPolicy {
        base: or(source.base, 1),
        cap: or(source.cap, 900),
        attempts_max: source.attempts_max.unwrap_or(12),
        wait_max: or(source.wait_max, 6 * 3_600),
    }
}

/// What does not fit together.
pub(super) fn flaws(source: &SystemSource, own: &connector::Limits, limits: &dispatch::Limits) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let mut flaw = |path: &[&str], what: String, hint: &str| {
        flaws.push((path.iter().map(|key| (*key).to_owned()).collect(), what, hint.to_owned()));
    };
    let retry = retry(&source.retry);
    if retry.base.is_zero() || retry.base > retry.cap {
        flaw(
            &["retry", "base"],
            "`base` must lie between 1ms and `cap`".to_owned(),
            "write for example `base: 1s, cap: 15m`",
        );
    }
    let breaker = limits.breaker;
    if breaker.open_for > breaker.open_for_max {
        flaw(&["breaker", "open_for"], "`open_for` is longer than `open_for_max`".to_owned(), "swap them");
    }
    if breaker.slow_ratio_pct > 0 && breaker.slow_after > source.connection.timeouts.request.0 {
        let what = "no answer is waited for so long: nothing would ever count as slow".to_owned();
        flaw(&["breaker", "slow_after"], what, "make it shorter than `connection.timeouts.request`");
    }
    if breaker.window.is_zero() || breaker.open_for.is_zero() {
        let key = if breaker.window.is_zero() { "window" } else { "open_for" };
        flaw(&["breaker", key], "this must be longer than nothing".to_owned(), "write for example `5s`");
    }
    for (name, change) in &source.limits.buckets {
        let known = own.buckets.iter().any(|bucket| *bucket.name == **name);
        if !known && (change.size.is_none() || change.refill.is_none() || change.per.is_none()) {
            let what = format!("`{name}` is a limit of its own: it needs `size`, `refill` and `per`");
            let names: Vec<&str> = own.buckets.iter().map(|bucket| &*bucket.name).collect();
            let hint = mapping::suggest::hint(name, names);
            flaw(&["limits", "buckets", name], what, &hint);
        }
        if change.per.is_some_and(|per| per.0.is_zero()) {
            flaw(
                &["limits", "buckets", name, "per"],
                "this must be longer than nothing".to_owned(),
                "write for example `1s`",
            );
        }
    }
    if let (Some(own), Some(changed)) = (own.concurrency, source.limits.concurrency)
        && changed > own
    {
        let what = format!("the connector's vendor takes {own} calls at once");
        flaw(&["limits", "concurrency"], what, "say in `parameters` if the account has more");
    }
    flaws
}
