//! Quota planning: when so many calls are through.

use std::time::Duration;

use canonical::Mono;
use ledger::Lane;

use super::{bucket, limits};
use crate::{Binds, BucketSet, Dispatcher, Limits};

const START: Mono = Mono(1_000_000);

fn forecast(limits: Limits, calls: u64, lane: Lane) -> (u64, Binds) {
    let dispatcher: Dispatcher<u32> = Dispatcher::new(limits, START);
    let forecast = dispatcher.forecast(calls, 1, BucketSet::ALL, lane, START);
    (u64::try_from(forecast.takes.as_millis()).unwrap(), forecast.by)
}

#[test]
fn the_tightest_limit_binds() {
    let limits = || Limits {
        buckets: vec![bucket("burst", 10, 10, 1_000), bucket("day", 2_000, 2_000, 3_600_000)],
        ..limits()
    };
    // Of 10 a second the first ten come in a second; in an hour 2,000.
    assert_eq!(forecast(limits(), 10, Lane::Bulk), (18_000, Binds::Limit("day".to_owned())));
    assert_eq!(forecast(limits(), 4_000, Lane::Bulk), (7_200_000, Binds::Limit("day".to_owned())));
    assert_eq!(forecast(limits(), 0, Lane::Bulk).0, 0);
}

#[test]
fn the_reserve_is_not_counted_on() {
    let limits =
        || Limits { buckets: vec![bucket("b", 100, 100, 1_000)], reserve_critical_pct: 20, ..limits() };
    assert_eq!(forecast(limits(), 800, Lane::Bulk).0, 10_000);
    assert_eq!(forecast(limits(), 800, Lane::Critical).0, 8_000);
}

#[test]
fn a_cool_down_comes_first() {
    let mut dispatcher: Dispatcher<u32> = Dispatcher::new(limits(), START);
    dispatcher.close_until(None, START + Duration::from_secs(60));
    let forecast = dispatcher.forecast(5, 1, BucketSet::ALL, Lane::Standard, START);
    assert_eq!((forecast.takes, forecast.by), (Duration::from_secs(60), Binds::CoolDown));
}

#[test]
fn calls_are_as_many_as_slots_and_as_slow_as_answers() {
    use canonical::{Object, RecordId, Wall};
    let mut dispatcher: Dispatcher<u32> = Dispatcher::new(limits(), START);
    let wanted = crate::Wanted {
        token: 1,
        lane: Lane::Standard,
        lock: Some((RecordId::from_parts(Wall(0), 1), Object::new("contacts").unwrap())),
        due: START,
        seq: 1,
        operation: "write".to_owned(),
        buckets: BucketSet::ALL,
        cost: 1,
        safe: true,
        poison: false,
        party: None,
        serial: None,
    };
    dispatcher.offer(wanted);
    let (_, permit) = dispatcher.admit(START).unwrap();
    dispatcher.learn(&permit, ledger::Class::Applied, None, None, Duration::from_millis(200), START);
    dispatcher.release(permit, START);
    let forecast = dispatcher.forecast(1_001, 1, BucketSet::ALL, Lane::Standard, START);
    assert_eq!((forecast.takes, forecast.by), (Duration::from_millis(251 * 200), Binds::Concurrency));
}
