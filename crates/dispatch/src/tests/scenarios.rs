//! Scenarios, one behaviour each.

use super::script::check;
use super::{bucket, limits};
use crate::{BucketSpec, Limits};

#[test]
fn in_order_of_due_time_then_sequence() {
    let script = "
        0  offer late due=20 seq=1
        0  offer second due=10 seq=2
        0  offer first due=10 seq=1
        0  admit -> nothing
        0  wake -> 10
        10 admit -> first second
        10 wake -> 20
        20 admit -> late
        20 wake -> none";
    check(limits(), script);
}

#[test]
fn never_more_in_flight_than_the_cap() {
    let script = "
        0 offer a
        0 offer b
        0 offer c
        0 admit -> a b
        0 wake -> none
        1 release a
        1 wake -> 1
        1 admit -> c";
    check(Limits { concurrency: 2, ..limits() }, script);
}

#[test]
fn i4_one_in_flight_per_record_and_object() {
    let script = "
        0 offer a1 lock=r1 seq=1
        0 offer a2 lock=r1 seq=2
        0 offer a3 lock=r1 seq=3 critical
        0 offer b1 lock=r2 seq=4
        0 lines -> in_flight=0 ready=[1, 2, 0] waiting=0 blocked=1
        0 admit -> a3 b1
        0 wake -> none
        1 release a3
        1 admit -> a1
        1 lines -> in_flight=2 ready=[0, 0, 0] waiting=0 blocked=1
        2 release a1
        2 admit -> a2";
    check(limits(), script);
}

#[test]
fn i4_a_kept_lock_lets_only_its_own_work_pass() {
    let script = "
        0 offer a1 lock=r1
        0 admit -> a1
        0 offer a2 lock=r1
        1 keep a1
        1 admit -> nothing
        1 wake -> none
        # The same delivery, once more, later.
        1 offer a1 lock=r1 due=50
        1 wake -> 50
        50 admit -> a1
        51 release a1
        51 admit -> a2
        52 keep a2
        # A probe of it needs no lock of its own.
        52 offer a3 lock=r1
        52 offer look
        52 admit -> look
        53 release look
        53 unlock r1
        53 admit -> a3
        53 unlock r1
        53 offer a4 lock=r1
        53 admit -> nothing";
    check(limits(), script);
}

#[test]
fn after_a_restart_open_intents_hold_their_records() {
    let script = "
        0 offer a2 lock=r1
        0 hold r1 a1 -> true
        0 admit -> nothing
        0 offer a1 lock=r1 due=5
        5 admit -> a1
        5 hold r1 a9 -> false
        6 release a1
        6 admit -> a2";
    check(limits(), script);
}

#[test]
fn an_offer_replaces_and_a_withdrawal_removes() {
    let script = "
        0 offer a lock=r1 due=100
        0 offer a lock=r2 due=5 critical
        0 offer b lock=r1 due=5
        0 lines -> in_flight=0 ready=[0, 0, 0] waiting=2 blocked=0
        5 withdraw b
        5 withdraw nobody
        5 admit -> a
        200 admit -> nothing";
    check(limits(), script);
}

#[test]
fn lanes_share_by_weight() {
    let script = "
        0 offer c1 critical
        0 offer c2 critical
        0 offer c3 critical
        0 offer c4 critical
        0 offer c5 critical
        0 offer s1
        0 offer s2
        0 offer s3
        0 offer b1 bulk
        0 offer b2 bulk
        # Four, two and one of seven.
        0 admit -> c1 s1 b1 c2 c3 s2 c4 c5 s3 b2";
    check(Limits { concurrency: 100, ..limits() }, script);
}

#[test]
fn a_lane_that_slept_earns_no_credit() {
    let script = "
        0 offer s1
        0 offer s2
        0 offer s3
        0 offer s4
        0 admit -> s1 s2 s3 s4
        1 offer s5
        1 offer s6
        1 offer b1 bulk
        1 offer b2 bulk
        1 admit -> b1 s5 s6 b2";
    check(Limits { concurrency: 100, ..limits() }, script);
}

#[test]
fn i9_a_bucket_starts_empty_and_fills_up() {
    let script = "
        0    offer a
        0    offer b
        0    offer c cost=2
        0    offer d
        0    admit -> nothing
        0    wake -> 100
        100  admit -> a
        199.999 admit -> nothing
        200  admit -> b
        200  wake -> 400
        400  admit -> c
        # Full after half a second, however long it takes.
        9000 tokens -> burst=5
        9000 admit -> d
        9000 tokens -> burst=4";
    check(Limits { buckets: vec![bucket("burst", 5, 10, 1000)], ..limits() }, script);
}

#[test]
fn i9_every_window_has_its_bucket() {
    let buckets = vec![bucket("burst", 2, 10, 1000), bucket("daily", 3, 1, 1000)];
    let script = "
        3000 offer a
        3000 offer b
        3000 offer c
        3000 offer d
        3000 tokens -> burst=2 daily=3
        3000 admit -> a b
        3000 wake -> 3100
        3100 admit -> c
        3100 wake -> 4000
        4000 admit -> d";
    check(Limits { buckets, ..limits() }, script);
}

#[test]
fn critical_work_has_a_reserve() {
    let limits = Limits {
        buckets: vec![bucket("burst", 10, 10, 1000)],
        reserve_critical_pct: 20,
        concurrency: 100,
        ..limits()
    };
    let script = "
        1000 offer s1 cost=8
        1000 offer s2
        1000 admit -> s1
        1000 tokens -> burst=2
        # The reserve is full, so that the whole flow is common.
        1000 wake -> 1100
        1000 offer c1 critical
        1000 admit -> c1
        1000 offer c2 critical cost=5
        1000 admit -> nothing
        # What is left of the reserve is not for others; their share of the flow is.
        1000 lines -> in_flight=2 ready=[1, 1, 0] waiting=0 blocked=0";
    check(limits, script);
}

#[test]
fn a_dear_call_keeps_its_turn() {
    let limits = Limits { buckets: vec![bucket("burst", 10, 10, 1000)], concurrency: 100, ..limits() };
    let script = "
        100 offer b1 bulk cost=5
        100 offer s1
        100 admit -> s1
        100 offer s2
        200 admit -> nothing
        500 admit -> nothing
        500 wake -> 600
        600 admit -> b1
        600 wake -> 700
        700 admit -> s2";
    check(limits, script);
}

#[test]
fn i12_throttling_closes_for_all_and_opens_no_breaker() {
    let script = "
        0 offer a
        0 offer b
        0 offer c
        0 offer d
        0 admit -> a b c d
        1 end a rate_limited wait=500
        2 end b rate_limited wait=100
        3 end c rate_limited
        4 end d quota_exhausted wait=200
        4 events -> cool-down:501
        4 offer e critical safe
        4 lines -> in_flight=0 ready=[1, 0, 0] waiting=0 blocked=0 closed:501
        4 wake -> 501
        500 admit -> nothing
        501 admit -> e
        501 events -> reopened";
    check(limits(), script);
}

#[test]
fn i12_a_server_error_may_ask_for_quiet_too() {
    let script = "
        0 offer a
        0 admit -> a
        1 end a retryable wait=30000
        1 offer b
        30000 admit -> nothing
        30001 admit -> b
        # A day at most is believed.
        30001 end b rate_limited wait=999999999
        30001 events -> cool-down:30001 reopened cool-down:86430001";
    check(limits(), script);
}

#[test]
fn a_target_that_does_not_say_how_long_is_left_alone_longer_each_time() {
    let script = "
        0 offer a
        0 admit -> a
        0 end a rate_limited
        0 offer a
        1000 admit -> a
        1000 end a rate_limited
        1000 offer a
        2999 admit -> nothing
        3000 admit -> a
        3000 end a applied
        3000 offer a
        3000 admit -> a
        3000 end a rate_limited
        3000 events -> cool-down:1000 reopened cool-down:3000 reopened cool-down:4000
        4000 offer a
        4000 admit -> a
        4000 end a quota_exhausted
        4000 events -> reopened cool-down:904000";
    check(Limits { concurrency: 1, ..limits() }, script);
}

#[test]
fn throttling_without_a_bucket_lowers_the_cap() {
    let script = "
        0    offer a
        0    offer b
        0    offer c
        0    offer d
        0    admit -> a b c d
        1    end a rate_limited wait=9
        1    end b rate_limited wait=9
        1    end c rate_limited wait=9
        1    end d rate_limited wait=9
        10   offer e
        10   offer f
        10   offer g
        10   admit -> e f
        # It grows back by one a second while answers come.
        500  end e applied
        500  admit -> g
        1500 end f applied
        1500 offer h
        1500 offer i
        1500 offer j
        1500 admit -> h i";
    check(limits(), script);
}

#[test]
fn quota_headers_shrink_the_bucket() {
    let limits =
        Limits { buckets: vec![bucket("burst", 10, 10, 1000), bucket("daily", 100, 1, 1000)], ..limits() };
    let script = "
        1000 offer a
        # Long enough for both to be full.
        200000 offer b
        200000 admit -> a b
        200000 tokens -> burst=8 daily=98
        # Two are left, and b may not be counted yet.
        200000 answer a applied left=burst:2
        200000 tokens -> burst=1 daily=98
        # More than we thought is not believed.
        200000 answer a applied left=burst:9
        200000 answer a applied left=other:0
        200000 tokens -> burst=1 daily=98
        200000 end b applied left=daily:0:5000
        200000 events -> cool-down:205000
        200000 offer c
        200000 admit -> nothing
        200000 wake -> 205000
        205000 admit -> c";
    check(limits, script);
}

/// What was spent before the start is known as soon as the target says it; later, as ever, only less is believed.
#[test]
fn a_quota_of_which_the_target_tells_all_is_filled_by_its_first_answer() {
    let told = BucketSpec { told: true, ..bucket("daily", 100, 1, 1000) };
    let limits = Limits { buckets: vec![told], concurrency: 4, ..limits() };
    let script = "
        0    offer a
        0    offer b
        0    offer c
        0    admit -> nothing
        # It starts empty, and flows.
        1000 admit -> a
        1000 tokens -> daily=0
        1000 end a applied left=daily:61
        1000 tokens -> daily=61
        1000 admit -> b c
        1000 end b applied left=daily:90
        1000 tokens -> daily=59
        1000 end c applied left=daily:7
        1000 tokens -> daily=7";
    check(limits, script);
}

/// Too many at once, say: the quota is as it was, and fewer go at once.
#[test]
fn a_quota_of_which_something_is_left_is_not_what_throttles() {
    let told = BucketSpec { told: true, ..bucket("daily", 100, 1, 1000) };
    let limits = Limits { buckets: vec![told], concurrency: 4, ..limits() };
    let script = "
        0    offer a
        0    offer b
        0    offer c
        0    offer d
        1000 admit -> a
        1000 answer a applied left=daily:60
        1000 end a applied
        1000 admit -> b c d
        1000 end b rate_limited wait=500 left=daily:57
        1000 tokens -> daily=55
        1000 end c applied left=daily:57
        1000 end d applied left=daily:57
        1000 offer e
        1000 offer f
        1000 offer g
        1000 admit -> nothing
        1500 admit -> e f
        1500 end e quota_exhausted wait=1000 left=daily:0
        1500 end f applied left=daily:0
        2500 tokens -> daily=0
        # It slides: the next answer says what there is again.
        3500 admit -> g
        3500 end g applied left=daily:30
        3500 tokens -> daily=30";
    check(limits, script);
}

#[test]
fn a_quota_that_is_spent_is_not_filled() {
    let told = BucketSpec { told: true, ..bucket("daily", 100, 1, 1000) };
    let limits = Limits { buckets: vec![told], concurrency: 4, ..limits() };
    let script = "
        0    offer a
        3000 admit -> a
        3000 tokens -> daily=2
        3000 end a applied left=daily:0
        3000 tokens -> daily=0
        4000 tokens -> daily=1";
    check(limits, script);
}

#[test]
fn throttling_empties_the_bucket_that_was_hit() {
    let limits =
        Limits { buckets: vec![bucket("daily", 100, 1, 1000), bucket("burst", 10, 10, 1000)], ..limits() };
    let script = "
        200000 offer a
        200000 admit -> a
        200000 end a rate_limited wait=1000
        200000 tokens -> daily=99 burst=0
        200000 offer b
        201000 admit -> nothing
        201000 wake -> 201100
        201100 admit -> b
        201100 end b rate_limited wait=1000 left=daily:50
        201100 tokens -> daily=0 burst=0";
    check(limits, script);
}

#[test]
fn a_shared_limit_is_halved_and_recovers() {
    let shared = BucketSpec { shared: true, ..bucket("burst", 10, 8, 1000) };
    let script = "
        10000 offer a
        10000 offer b
        10000 admit -> a b
        10000 end a rate_limited wait=0
        # The same news again.
        10000 end b rate_limited wait=0
        10000 offer c
        10000 wake -> 10250
        10250 admit -> c
        11500 end c applied
        # 36/64 of the flow now.
        11500 offer d cost=10
        11500 tokens -> burst=5
        11500 wake -> 12611.112";
    check(Limits { buckets: vec![shared], ..limits() }, script);
}

#[test]
fn a_pause_holds_and_drops_nothing() {
    let script = "
        0 offer a
        0 admit -> a
        0 offer b
        0 pause
        0 admit -> nothing
        0 wake -> none
        0 lines -> in_flight=1 ready=[0, 1, 0] waiting=0 blocked=0 paused:by hand
        1 end a applied
        5 resume
        5 wake -> 5
        5 admit -> b";
    check(limits(), script);
}

#[test]
fn a_cool_down_is_never_shortened() {
    let script = "
        0  offer a
        0  close 50
        0  close 20
        0  close 30 burst
        0  events -> cool-down:50
        20 admit -> nothing
        50 admit -> a";
    check(Limits { buckets: vec![bucket("burst", 1, 1, 1)], ..limits() }, script);
}
