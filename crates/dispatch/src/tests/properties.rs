//! What must hold of any sequence of inputs, with crashes in between.

use canonical::Mono;
use ledger::{Class, Lane};
use proptest::prelude::*;

use super::steps::{MS, Step, lock, some_limits, step};
use super::world::World;
use super::{bucket, limits};
use crate::{BucketSet, BucketSpec, Change, Dispatcher, Limits, Scope, Wanted};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn any_interleaving_keeps_i4_i9_i12_and_leaks_nothing(
        limits in some_limits(), steps in prop::collection::vec(step(), 1..250),
    ) {
        let mut world = World::run(&limits, &steps)?;
        world.drain()?;
        world.judge_rates()?;
    }

    #[test]
    fn i9_under_pressure_and_crashes(
        limits in some_limits(), naps in prop::collection::vec((0_u64..2500, prop::bool::weighted(0.1)), 1..120),
    ) {
        let mut world = World::new(&limits);
        for (round, (nap, crash)) in naps.into_iter().enumerate() {
            world.step(&Step::Sleep(nap))?;
            if crash {
                world.step(&Step::Crash)?;
            }
            for token in 0..30_u32 {
                let lane = Lane::ALL[usize::try_from(token).unwrap() % 3];
                let wanted = Wanted {
                    token, lane, lock: None, due: Mono(0), seq: i64::try_from(round).unwrap(),
                    operation: "create".into(), buckets: BucketSet::ALL, cost: token % 3 + 1, safe: true, poison: false, party: None, serial: None,
                };
                world.step(&Step::Offer(wanted, [None, Some(vec!["burst"]), Some(vec!["search"])][token as usize % 4 % 3].clone()))?;
            }
            loop {
                let before = world.trace.len();
                world.admit()?;
                if world.trace.len() == before {
                    break;
                }
                world.end(0, Class::Applied, None, None)?;
            }
        }
        world.judge_rates()?;
    }

    #[test]
    fn i18_the_same_inputs_give_the_same_decisions(
        limits in some_limits(), steps in prop::collection::vec(step(), 1..150),
    ) {
        prop_assert_eq!(World::run(&limits, &steps)?.trace, World::run(&limits, &steps)?.trace);
    }

    #[test]
    fn no_lane_starves_while_all_have_work(
        weights in [1_u32..20, 1_u32..20, 1_u32..20], costs in [1_u32..6, 1_u32..6, 1_u32..6], tight: bool,
    ) {
        let buckets = if tight { vec![bucket("burst", 6, 50, 1000)] } else { Vec::new() };
        let limits = Limits { lane_weights: weights, buckets, concurrency: 1, ..limits() };
        let mut dispatcher = Dispatcher::new(limits, Mono(0));
        let mut now = Mono(0);
        let wish = |lane: Lane, seq| Wanted {
            token: (lane, seq), lane, lock: None, due: Mono(0), seq, operation: "create".into(), buckets: BucketSet::ALL,
            cost: costs[usize::from(lane.number())], safe: true, poison: false, party: None, serial: None,
        };
        for lane in Lane::ALL {
            (0..2).for_each(|seq| dispatcher.offer(wish(lane, seq)));
        }
        // What the others spent since the lane's last turn.
        let mut since = [0_u32; 3];
        let mut spent = [0_u64; 3];
        for _ in 0..600 {
            let (wanted, permit) = loop {
                match dispatcher.admit(now) {
                    Some(admitted) => break admitted,
                    None => now = dispatcher.next_wakeup(now).unwrap(),
                }
            };
            dispatcher.release(permit, now);
            let lane = usize::from(wanted.lane.number());
            dispatcher.offer(wish(wanted.lane, wanted.seq + 2));
            spent[lane] += u64::from(wanted.cost);
            since[lane] = 0;
            for other in (0..3).filter(|other| *other != lane) {
                since[other] += wanted.cost;
                let fair: u32 = (0..3).filter(|third| *third != other)
                    .map(|third| costs[other] * weights[third] / weights[other] + costs[third] + 1).sum();
                prop_assert!(since[other] <= fair, "lane {other} waited for {} of {fair}", since[other]);
            }
        }
        // And in the long run each has its share.
        let (all, weight) = (spent.iter().sum::<u64>(), weights.iter().sum::<u32>());
        for lane in 0..3 {
            let fair = all * u64::from(weights[lane]) / u64::from(weight);
            prop_assert!(spent[lane].abs_diff(fair) <= 40 + all / 50, "{spent:?} for {weights:?}");
        }
    }
}

#[test]
fn a_window_full_of_bulk_work_keeps_room_for_other_lanes() {
    let mut dispatcher = Dispatcher::new(Limits { window: 9, ..limits() }, Mono(0));
    let wish = |token, lane| Wanted {
        token,
        lane,
        lock: None,
        due: Mono(0),
        seq: 0,
        operation: "create".into(),
        buckets: BucketSet::ALL,
        cost: 1,
        safe: true,
        poison: false,
        party: None,
        serial: None,
    };
    (0..9).for_each(|token| dispatcher.offer(wish(token, Lane::Bulk)));
    assert_eq!(dispatcher.room_for(Lane::Bulk), 0);
    assert!(dispatcher.has_room_for(Lane::Critical) && dispatcher.holds(&8));
    (10..13).for_each(|token| dispatcher.offer(wish(token, Lane::Critical)));
    assert!(!dispatcher.has_room_for(Lane::Critical) && dispatcher.has_room_for(Lane::Standard));
    dispatcher.withdraw(&8);
    assert!(!dispatcher.holds(&8));
}

/// I19: one wish that goes does not make one question for the next.
#[test]
fn a_window_is_filled_in_good_portions() {
    let mut dispatcher = Dispatcher::new(Limits { window: 12, ..limits() }, Mono(0));
    let wish = |token| Wanted {
        token,
        lane: Lane::Bulk,
        lock: None,
        due: Mono(0),
        seq: 0,
        operation: "create".into(),
        buckets: BucketSet::ALL,
        cost: 1,
        safe: true,
        poison: false,
        party: None,
        serial: None,
    };
    (0..12).for_each(|token| dispatcher.offer(wish(token)));
    let refill = [0, 1, 2, 3, 4].map(|token| {
        dispatcher.withdraw(&token);
        dispatcher.refill_for(Lane::Bulk)
    });
    assert_eq!(refill, [0, 0, 3, 4, 5]);
    // A lane of which nothing is held does not wait for a portion.
    (0..4).for_each(|token| dispatcher.offer(wish(token)));
    assert_eq!((dispatcher.refill_for(Lane::Bulk), dispatcher.refill_for(Lane::Critical)), (0, 4));
}

#[test]
fn facts_nobody_fetches_are_bounded() {
    let mut dispatcher: Dispatcher<u32> = Dispatcher::new(limits(), Mono(0));
    (1..1000).for_each(|at| dispatcher.close_until(None, Mono(at)));
    let changes = dispatcher.events();
    assert_eq!(changes.len(), 256);
    assert_eq!(changes.last(), Some(&Change::BucketClosed { until: Mono(999) }));
}

/// Whether one may pass another is judged as of when it can be paid. Judged as of the moment in which it was asked, that
/// changed within a microsecond, with the first that flowed into the common part of a limit: a call went a second late.
#[test]
fn nobody_may_go_sooner_than_was_said() {
    use Lane::{Bulk, Critical, Standard};
    let buckets = vec![
        BucketSpec { scope: Scope::Account, ..bucket("burst", 3, 1, 1_000) },
        BucketSpec { shared: true, scope: Scope::Named, ..bucket("search", 5, 1, 1_000) },
        bucket("minute", 34, 34, 60_000),
    ];
    let limits =
        Limits { concurrency: 1, buckets, lane_weights: [1, 2, 3], reserve_critical_pct: 26, ..limits() };
    let (burst, search, both): (&[_], &[_], &[_]) = (&["burst"], &["search"], &["burst", "search"]);
    let offer = |(token, lane, due, cost, names): (u32, Lane, u64, u32, Option<&[&'static str]>)| {
        let lock = [11, 38].contains(&token).then(|| lock(0));
        let buckets = BucketSet::ALL;
        let wanted = Wanted {
            token,
            lane,
            lock,
            due: Mono(due * MS),
            seq: 0,
            operation: "create".into(),
            buckets,
            cost,
            safe: false,
            poison: false,
            party: None,
            serial: None,
        };
        Step::Offer(wanted, names.map(<[_]>::to_vec))
    };
    let offers = [
        (7, Critical, 1593, 2, Some(both)),
        (14, Bulk, 0, 1, Some(burst)),
        (15, Critical, 0, 3, Some(both)),
        (1, Standard, 0, 1, Some(both)),
        (30, Critical, 0, 1, Some(search)),
        (29, Critical, 2672, 1, Some(search)),
        (27, Critical, 0, 2, Some(search)),
        (35, Bulk, 0, 1, Some(&[])),
        (13, Standard, 0, 2, Some(burst)),
        (11, Standard, 2417, 1, Some(search)),
        (4, Bulk, 0, 2, Some(search)),
        (6, Bulk, 0, 1, Some(&[])),
        (37, Standard, 0, 1, Some(burst)),
        (38, Standard, 0, 3, None),
    ];
    let steps: Vec<Step> = offers.into_iter().map(offer).collect();
    World::run(&limits, &steps).unwrap().drain().unwrap();
}
