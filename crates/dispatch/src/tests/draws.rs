//! Calls that draw from different limits: each is held to its own, and none waits for another's.

use std::time::Duration;

use canonical::Mono;
use ledger::{Class, Lane};
use proptest::prelude::*;

use super::script::check;
use super::{bucket, limits, plain};
use crate::{BucketSet, BucketSpec, Dispatcher, Limits, Scope, Wanted};

/// 20 calls a second for the account, and 2 searches, which do not count there.
fn crm() -> Limits {
    Limits {
        buckets: vec![
            BucketSpec { scope: Scope::Account, ..bucket("burst", 20, 20, 1000) },
            BucketSpec { scope: Scope::Named, ..bucket("search", 2, 2, 1000) },
        ],
        ..limits()
    }
}

#[test]
fn i10_searches_that_wait_hold_no_write_up() {
    let script = "
        1000 offer s1 draw=search
        1000 offer s2 draw=search
        1000 offer s3 draw=search
        1000 offer w1 draw=burst
        1000 offer c1 draw=burst,search
        1000 offer w2 draw=burst
        1000 tokens -> burst=20 search=2
        1000 admit -> s1 w1 c1 w2
        1000 tokens -> burst=17 search=0
        1000 wake -> none
        1000 end s1 applied
        1000 end w1 applied
        1000 end c1 applied
        1000 end w2 applied
        1000 offer w3 draw=burst
        1000 admit -> w3
        1000 wake -> 1500
        1500 admit -> s2
        1500 offer c2 draw=burst,search
        2000 admit -> c2
        2500 admit -> s3";
    check(crm(), script);
}

#[test]
fn i10_a_critical_search_that_waits_holds_no_bulk_write_up() {
    let script = "
        1000 offer s1 critical cost=2 draw=search
        1000 offer s2 critical cost=2 draw=search
        1000 admit -> s1
        1000 offer w1 bulk draw=burst
        1000 offer w2 draw=burst
        1000 admit -> w2 w1
        1000 wake -> 2000
        2000 admit -> s2";
    check(crm(), script);
}

#[test]
fn what_waits_for_two_limits_is_not_overtaken_at_either() {
    let mut limits = crm();
    limits.buckets[0].refill = 1;
    limits.buckets[0].size = 1;
    limits.concurrency = 9;
    let script = "
        1000 offer s1 cost=2 draw=search
        1000 admit -> s1
        1000 offer both draw=burst,search
        # Back in time for it.
        1000 offer w1 draw=burst
        1000 wake -> 1500
        1499 admit -> nothing
        1500 admit -> both
        1500 offer s2 draw=search
        1500 wake -> 2000
        2000 admit -> s2
        2000 wake -> 2500
        2500 admit -> w1";
    check(limits, script);
}

#[test]
fn i12_a_throttled_search_stops_searches_only() {
    let script = "
        1000 offer s1 draw=search
        1000 offer w1 draw=burst
        1000 admit -> s1 w1
        1000 end s1 rate_limited wait=3000
        1000 events -> cool-down:4000
        1000 offer s2 draw=search
        1000 offer c2 draw=burst,search
        1000 offer w2 draw=burst
        1000 admit -> w2
        1000 lines -> in_flight=2 ready=[0, 2, 0] waiting=0 blocked=0
        1000 wake -> 4500
        4499 admit -> nothing
        4499 events -> reopened
        4500 admit -> c2
        # A call that counts at the account, and no word of which limit it was: all.
        4500 end w1 rate_limited wait=2000
        4500 events -> cool-down:6500
        4500 lines -> in_flight=2 ready=[0, 1, 0] waiting=0 blocked=0 closed:6500";
    check(crm(), script);
}

#[test]
fn i12_an_answer_that_names_the_empty_limit_is_believed() {
    let script = "
        1000 offer c1 draw=burst,search
        1000 offer c2 draw=burst,search
        1000 offer c3 draw=burst
        1000 admit -> c1 c3 c2
        1000 end c1 rate_limited wait=3000 left=search:0
        1000 offer w1 draw=burst
        1000 admit -> w1
        # The look before a create says nothing about the account.
        1000 end c2 rate_limited wait=4000 for=search
        1000 offer w2 draw=burst
        1000 admit -> w2
        # A limit it does not draw from can't be what stopped it.
        1000 end w1 rate_limited wait=100 left=search:0
        1000 lines -> in_flight=2 ready=[0, 0, 0] waiting=0 blocked=0 closed:1100
        # An exhausted quota is the account's unless it is named.
        6000 offer s1 draw=search
        6000 admit -> s1
        6000 end s1 quota_exhausted wait=9000
        6000 lines -> in_flight=2 ready=[0, 0, 0] waiting=0 blocked=0 closed:15000";
    check(crm(), script);
}

#[test]
fn an_operation_that_is_throttled_again_waits_longer_and_others_do_not() {
    let script = "
        10000 offer s1 draw=search
        10000 admit -> s1
        10000 end s1 rate_limited
        10000 events -> cool-down:11000
        12000 offer s2 draw=search
        12000 offer w1 draw=burst
        12000 admit -> w1 s2
        # Good news from elsewhere is none about searches.
        12000 end w1 applied
        12000 end s2 rate_limited
        12000 events -> reopened cool-down:14000
        15000 offer w2 draw=burst
        15000 admit -> w2
        15000 end w2 rate_limited
        15000 events -> reopened cool-down:16000";
    check(crm(), script);
}

#[test]
fn a_used_up_limit_closes_for_those_that_draw_from_it() {
    let script = "
        10000 offer w1 draw=burst
        10000 admit -> w1
        10000 end w1 applied left=burst:0:5000
        10000 offer w2 draw=burst
        10000 offer all
        10000 offer s1 draw=search
        10000 admit -> s1
        10000 tokens -> burst=0 search=1
        15000 admit -> all w2";
    check(crm(), script);
}

#[test]
fn i9_what_was_not_used_comes_back_as_far_as_it_may() {
    let script = "
        10000 offer a cost=10 draw=burst
        10000 offer b draw=burst
        10000 admit -> a b
        10000 tokens -> burst=9 search=2
        10000 unused a
        10000 tokens -> burst=19 search=2
        10000 unused b
        10000 tokens -> burst=20 search=2
        10000 offer c cost=10 draw=burst
        10000 admit -> c
        # 6 flowed in: they would have been lost.
        10300 tokens -> burst=16 search=2
        10300 unused c
        10300 tokens -> burst=20 search=2
        20000 offer d cost=4 draw=burst
        20000 offer e cost=20 draw=burst
        20000 admit -> d
        20100 unused d
        # 16, 2 flowed in, 2 of 4 back.
        20100 admit -> e
        20100 tokens -> burst=0 search=2
        # Without f it had been full when g went: 5 are left either way.
        30000 offer f cost=10 draw=burst
        30000 admit -> f
        30500 offer g cost=15 draw=burst
        30500 admit -> g
        30500 unused f
        30500 tokens -> burst=5 search=2";
    check(crm(), script);
}

#[test]
fn what_is_spent_without_asking_is_owed() {
    let script = "
        0 spend 2
        0 offer w draw=burst
        0 wake -> 150
        150 admit -> w";
    check(crm(), script);
}

#[test]
fn a_call_draws_from_what_it_names_and_from_what_all_draw_from() {
    let mut limits = crm();
    limits.buckets.push(bucket("own", 9, 9, 1000));
    let dispatcher: Dispatcher<u32> = Dispatcher::new(limits, Mono(0));
    let of =
        |numbers: &[usize]| numbers.iter().fold(BucketSet::NONE, |set, number| set | BucketSet::one(*number));
    assert_eq!(dispatcher.draw(["search"]), of(&[1, 2]));
    assert_eq!(dispatcher.draw(["burst", "search"]), of(&[0, 1, 2]));
    assert_eq!(dispatcher.draw([]), of(&[2]));
    assert_eq!(dispatcher.draw(["burst", "misspelt"]), BucketSet::ALL);
}

#[test]
fn more_limits_than_can_be_told_apart_count_as_one() {
    assert_eq!(BucketSet::one(63), BucketSet::one(99));
    assert_eq!(BucketSet::first(80), BucketSet::ALL);
    assert!(
        BucketSet::first(63).covers(BucketSet::one(62)) && !BucketSet::first(63).covers(BucketSet::one(63))
    );
}

/// The sets that the flows below draw from.
const SETS: [&[&str]; 5] =
    [&["burst"], &["search"], &["burst", "search"], &["burst", "search", "slow"], &["slow"]];

type Token = (usize, Lane, i64);

fn wish(dispatcher: &Dispatcher<Token>, (set, lane, seq): Token, cost: u32) -> Wanted<Token> {
    let buckets = dispatcher.draw(SETS[set].iter().copied());
    Wanted { lane, buckets, cost, ..plain((set, lane, seq), seq, Mono(0)) }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Beside what waits for a limit that stays dry, as much goes as if it were not there.
    #[test]
    fn i10_nobody_waits_for_a_dry_limit_of_others(
        size in 1_u32..20, refill in 1_u32..40, weights in [1_u32..9, 1_u32..9, 1_u32..9],
        dry_lanes in prop::collection::vec(prop::sample::select(Lane::ALL.to_vec()), 1..8),
        naps in prop::collection::vec(0_u64..700, 1..60),
    ) {
        let limits = Limits {
            buckets: vec![
                BucketSpec { scope: Scope::Account, ..bucket("burst", size, refill, 1000) },
                BucketSpec { scope: Scope::Named, ..bucket("search", 5, 5, 1000) },
                BucketSpec { scope: Scope::Named, ..bucket("slow", 5, 5, 1000) },
            ],
            lane_weights: weights,
            concurrency: 1000,
            ..limits()
        };
        let mut beside = Dispatcher::new(limits.clone(), Mono(0));
        let mut alone = Dispatcher::new(limits, Mono(0));
        beside.close_until(Some("search"), Mono(3_600_000_000));
        for (seq, lane) in dry_lanes.into_iter().enumerate() {
            // Writes wait for it too.
            beside.offer(wish(&beside, (1 + seq % 3, lane, -1 - i64::try_from(seq).unwrap()), 1 + u32::try_from(seq).unwrap() % 3));
        }
        let mut now = Mono(0);
        for (round, nap) in naps.into_iter().enumerate() {
            now = Mono(now.0 + nap * 1000);
            let token = (0, Lane::ALL[round % 3], i64::try_from(round).unwrap());
            for dispatcher in [&mut beside, &mut alone] {
                for seq in 0..10 {
                    dispatcher.offer(wish(dispatcher, (token.0, token.1, token.2 * 10 + seq), 1));
                }
            }
            let went = |dispatcher: &mut Dispatcher<Token>| {
                let mut count = 0;
                while let Some((wanted, permit)) = dispatcher.admit(now) {
                    assert_eq!(wanted.token.0, 0, "through a closed limit");
                    dispatcher.release(permit, now);
                    count += 1;
                }
                count
            };
            prop_assert_eq!(went(&mut beside), went(&mut alone));
            if let Some(at) = alone.next_wakeup(now) {
                prop_assert_eq!(beside.next_wakeup(now), Some(at));
            }
        }
    }

    /// While all have work, each flow goes again within the time that a round of all, one after the other, may take.
    #[test]
    fn no_flow_starves_at_limits_it_shares(
        weights in [1_u32..9, 1_u32..9, 1_u32..9], pct in prop::sample::select(vec![0_u8, 20, 90]),
        sizes in [1_u32..8, 1_u32..8, 1_u32..8], refills in [1_u32..50, 1_u32..50, 1_u32..50],
        costs in prop::collection::vec(1_u32..5, 15), absent in prop::collection::vec(any::<bool>(), 15),
    ) {
        let names = ["burst", "search", "slow"];
        let spec = |n: usize| BucketSpec { scope: Scope::Named, ..bucket(names[n], sizes[n], refills[n], 1000) };
        let limits = Limits {
            buckets: (0..3).map(spec).collect(), lane_weights: weights, concurrency: 1, reserve_critical_pct: pct,
            ..limits()
        };
        let mut dispatcher = Dispatcher::new(limits, Mono(0));
        let flows: Vec<(usize, Lane)> = (0..15).map(|n| (n / 3, Lane::ALL[n % 3])).collect();
        let present: Vec<usize> = (0..15).filter(|n| !absent[*n]).collect();
        for n in &present {
            let (set, lane) = flows[*n];
            (0..2).for_each(|seq| dispatcher.offer(wish(&dispatcher, (set, lane, seq), costs[*n])));
        }
        let slowest = u64::from(*refills.iter().min().unwrap());
        let weight = |n: usize| weights[usize::from(flows[n].1.number())];
        // What the others may spend before its turn comes, what was saved up and they may take first, and everything at
        // the pace of the slowest limit; the reserve leaves a tenth of it to the common part.
        let saved_up = *sizes.iter().max().unwrap();
        let fair = |n: usize| {
            let others = present.iter();
            let round: u32 =
                others.map(|other| (costs[n] * weight(*other)).div_ceil(weight(n)) + costs[*other] + 1).sum();
            u64::from(round + saved_up + costs[n]) * 1_000_000 / slowest * if pct == 90 { 10 } else { 2 }
        };
        let mut last = [Mono(0); 15];
        let mut now = Mono(0);
        for _ in 0..if present.is_empty() { 0 } else { 250 } {
            let (wanted, permit) = loop {
                match dispatcher.admit(now) {
                    Some(admitted) => break admitted,
                    None => now = dispatcher.next_wakeup(now).unwrap(),
                }
            };
            dispatcher.release(permit, now);
            let (set, lane, seq) = wanted.token;
            let went = flows.iter().position(|flow| *flow == (set, lane)).unwrap();
            last[went] = now;
            dispatcher.offer(wish(&dispatcher, (set, lane, seq + 2), costs[went]));
            for n in &present {
                let waits = now.since(last[*n]).as_micros();
                prop_assert!(waits <= u128::from(fair(*n)), "{:?} waits for {waits} of {} µs", flows[*n], fair(*n));
            }
        }
    }
}

/// Who was passed while his own limit filled keeps his place before those who stand where the passer stood: else one
/// that draws from several limits takes his, round after round.
#[test]
fn who_was_passed_is_not_overtaken_at_his_own_limit() {
    let spec = |(name, refill)| BucketSpec { scope: Scope::Named, ..bucket(name, 1, refill, 1000) };
    let limits = Limits {
        buckets: [("burst", 29), ("search", 29), ("slow", 23)].map(spec).to_vec(),
        lane_weights: [1, 1, 2],
        concurrency: 1,
        ..limits()
    };
    let mut dispatcher = Dispatcher::new(limits, Mono(0));
    let flows = [(0, Lane::Standard, 4), (1, Lane::Critical, 4), (3, Lane::Standard, 4), (4, Lane::Bulk, 3)];
    for (set, lane, cost) in flows {
        (0..2).for_each(|seq| dispatcher.offer(wish(&dispatcher, (set, lane, seq), cost)));
    }
    let mut now = Mono(0);
    let mut went = [0; 4];
    for _ in 0..200 {
        let (wanted, permit) = loop {
            match dispatcher.admit(now) {
                Some(admitted) => break admitted,
                None => now = dispatcher.next_wakeup(now).unwrap(),
            }
        };
        dispatcher.release(permit, now);
        let (set, lane, seq) = wanted.token;
        let flow = flows.iter().position(|flow| (flow.0, flow.1) == (set, lane)).unwrap();
        went[flow] += 1;
        dispatcher.offer(wish(&dispatcher, (set, lane, seq + 2), flows[flow].2));
    }
    assert!(went.iter().all(|count| *count >= 45), "{went:?}");
}

/// Slow answers of calls that draw from single limits only lower the cap; quick ones of the same raise it again.
#[test]
fn slots_come_back_where_every_call_draws_from_a_single_limit() {
    let named = BucketSpec { scope: Scope::Named, ..bucket("search", 1000, 1000, 1000) };
    let limits = Limits { concurrency: 4, buckets: vec![named], ..limits() };
    let mut dispatcher = Dispatcher::new(limits, Mono(0));
    let (mut now, mut token) = (Mono(2_000_000), 0_u32);
    let mut call = |dispatcher: &mut Dispatcher<u32>, took: Duration| {
        token += 1;
        now = now + Duration::from_millis(300);
        let buckets = dispatcher.draw(["search"]);
        dispatcher.offer(Wanted { operation: "read".into(), buckets, ..plain(token, i64::from(token), now) });
        let (_, permit) = dispatcher.admit(now).unwrap();
        dispatcher.learn(&permit, Class::Applied, None, None, took, now);
        dispatcher.release(permit, now);
        dispatcher.snapshot(now).concurrency
    };
    let (quick, slow) = (Duration::from_millis(20), Duration::from_secs(3));
    for _ in 0..20 {
        call(&mut dispatcher, quick);
    }
    let lowest = (0..12).map(|_| call(&mut dispatcher, slow)).min();
    assert!(lowest < Some(4), "{lowest:?}");
    let highest = (0..100).map(|_| call(&mut dispatcher, quick)).max();
    assert_eq!(highest, Some(4));
}
