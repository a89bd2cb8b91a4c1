//! Scenarios about breakers.

use std::time::Duration;

use canonical::Mono;
use ledger::Class;

use super::script::check;
use super::{limits, plain};
use crate::{BreakerSpec, Dispatcher, Forced, Limits};

#[test]
fn i12_a_breaker_opens_tries_and_closes() {
    let script = "
        0    offer a op=create
        0    offer b op=create
        0    offer c op=create
        0    offer d op=create
        0    admit -> a b c d
        1    end a retryable
        2    end b applied
        3    end c applied
        4    events -> nothing
        5    end d uncertain
        5    events -> open:create
        # Another operation goes on.
        5    offer e op=create
        5    offer s1 op=create safe
        5    offer s2 op=create safe
        5    offer s3 op=create safe
        5    offer p op=create safe poison
        5    offer other op=update
        5    admit -> other
        5    lines -> in_flight=1 ready=[0, 5, 0] waiting=0 blocked=0 create:open
        5    wake -> 1005
        1004.999 admit -> nothing
        1004.999 events -> nothing
        1005 admit -> s1 s2
        1005 events -> half-open:create
        1005 wake -> none
        1010 end s1 applied
        1010 admit -> nothing
        1011 end s2 absent
        1011 events -> closed:create
        1011 admit -> e s3 p";
    check(limits(), script);
}

#[test]
fn i12_a_failed_trial_doubles_the_open_time_up_to_its_bound() {
    let script = "
        0    offer a
        0    offer b
        0    offer c
        0    offer d
        0    admit -> a b c d
        0    end a uncertain
        0    end b uncertain
        0    end c uncertain
        0    end d uncertain
        0    offer s safe
        1000 admit -> s
        1000 end s uncertain
        1000 offer s safe
        2999 admit -> nothing
        3000 admit -> s
        3000 end s uncertain
        3000 offer s safe
        5999 admit -> nothing
        6000 admit -> s
        6000 end s applied
        6000 offer s safe
        6000 admit -> s
        6000 end s applied
        6000 events -> open:upsert half-open:upsert open:upsert half-open:upsert open:upsert half-open:upsert closed:upsert";
    check(limits(), script);
}

#[test]
fn an_operation_without_safe_work_is_tried_with_patience() {
    let script = "
        0    offer a
        0    offer b
        0    offer c
        0    offer d
        0    admit -> a b c d
        0    end a uncertain
        0    end b uncertain
        0    end c uncertain
        0    end d uncertain
        0    offer plain1
        0    offer plain2
        0    offer poison poison
        0    wake -> 2000
        1999 admit -> nothing
        # One at a time.
        2000 admit -> plain1
        2010 end plain1 validation
        2010 admit -> plain2
        2020 end plain2 validation
        # Refusals neither close nor open it.
        2020 wake -> 3000
        3000 admit -> poison";
    check(limits(), script);
}

#[test]
fn only_health_counts() {
    let script = "
        0 offer a
        0 offer b
        0 offer c
        0 offer d
        0 admit -> a b c d
        0 end a uncertain
        0 end b retryable
        0 end c retryable
        0 answer d validation
        0 answer d auth_expired
        0 answer d auth_revoked
        0 answer d permission
        0 answer d conflict
        0 answer d duplicate
        0 answer d not_found
        0 answer d locked
        0 events -> nothing
        0 answer d uncertain
        0 events -> open:upsert";
    check(limits(), script);
}

#[test]
fn old_failures_leave_the_window() {
    let script = "
        0     offer a
        0     offer b
        0     offer c
        0     offer d
        0     admit -> a b c d
        0     end a uncertain
        0     end b uncertain
        0     end c uncertain
        10000 end d uncertain
        10000 events -> nothing";
    check(limits(), script);
}

#[test]
fn answers_from_before_the_breaker_opened_say_nothing_about_now() {
    let script = "
        0    offer a
        0    offer b
        0    offer c
        0    offer d
        0    offer old
        0    admit -> a b c d old
        0    end a uncertain
        0    end b uncertain
        0    end c uncertain
        0    end d uncertain
        0    offer s safe
        1000 admit -> s
        1000 end old uncertain
        1000 end s applied
        1000 offer s safe
        1000 admit -> s
        1000 end s applied
        1000 events -> open:upsert half-open:upsert closed:upsert";
    check(Limits { concurrency: 5, ..limits() }, script);
}

#[test]
fn i12_a_breaker_that_is_forced_open_stays_open() {
    let script = "
        0    offer a op=create
        0    offer b op=update
        0    force create open
        0    admit -> b
        0    wake -> none
        90000 admit -> nothing
        90000 lines -> in_flight=1 ready=[0, 1, 0] waiting=0 blocked=0 create:open
        # Let go, it tries carefully.
        90000 force create auto
        90000 offer s1 op=create safe
        90000 offer s2 op=create safe
        90000 admit -> s1 s2
        90000 end s1 applied
        90000 end s2 applied
        90000 admit -> a
        90000 events -> open:create half-open:create closed:create";
    check(limits(), script);
}

#[test]
fn i12_a_word_about_all_breakers_holds_for_operations_met_later() {
    let script = "
        0 force all open
        0 force poll closed
        0 offer a op=create
        0 offer p op=poll
        0 admit -> p
        0 events -> open:create
        0 force all auto
        0 offer s op=create safe
        0 admit -> s";
    check(limits(), script);
}

#[test]
fn a_breaker_that_is_forced_closed_lets_everything_go() {
    let script = "
        0 offer a
        0 offer b
        0 offer c
        0 offer d
        0 admit -> a b c d
        0 end a uncertain
        0 end b uncertain
        0 end c uncertain
        0 end d uncertain
        0 offer e
        0 admit -> nothing
        0 force upsert closed
        0 force unknown closed
        0 admit -> e
        0 events -> open:upsert closed:upsert
        # It counts, and does not open.
        0 answer e uncertain
        0 answer e uncertain
        0 answer e uncertain
        0 answer e uncertain
        0 events -> nothing
        # What was counted counts when the word is taken back.
        0 force upsert auto
        0 events -> nothing
        0 answer e uncertain
        0 events -> open:upsert";
    check(limits(), script);
}

#[test]
fn a_target_that_answers_too_slowly_is_ill() {
    let slow = BreakerSpec { slow_ratio_pct: 75, slow_after: Duration::from_secs(2), ..limits().breaker };
    let script = "
        0    offer a
        0    offer b
        0    offer c
        0    offer d
        0    admit -> a b c d
        0    end a applied took=1999
        0    end b applied took=2000
        0    end c applied took=9000
        0    events -> nothing
        0    end d applied took=2000
        0    events -> open:upsert
        0    offer s1 safe
        0    offer s2 safe
        # A slow trial is no good one.
        1000 admit -> s1 s2
        1000 end s1 applied took=2000
        1000 events -> half-open:upsert open:upsert";
    check(Limits { breaker: slow, ..limits() }, script);
}

#[test]
fn a_lane_outside_its_window_waits_and_holds_nobody_up() {
    let script = "
        0    lane bulk 5000
        0    offer b1 bulk lock=r1
        0    offer b2 bulk
        0    offer a  lock=r1
        0    admit -> a
        0    release a
        0    wake -> 5000
        4999 admit -> nothing
        5000 offer c
        5000 admit -> b1 c b2";
    check(limits(), script);
}

/// I10: a trial tells of an outage only as long as nobody was served since the breaker opened: a record that fails where
/// others are served may be its own illness.
#[test]
fn i10_a_trial_is_an_outage_until_somebody_is_served() {
    let mut dispatcher = Dispatcher::new(limits(), Mono(0));
    let (mut now, mut token) = (Mono(0), 0_u32);
    let mut call = |later: u64, class: Class| {
        now = now + Duration::from_secs(later);
        token += 1;
        dispatcher.offer(plain(token, i64::from(token), now));
        let (_, permit) = dispatcher.admit(now).unwrap();
        let trial = permit.is_trial();
        dispatcher.learn(&permit, class, None, None, Duration::ZERO, now);
        dispatcher.release(permit, now);
        trial
    };
    let (good, ill) = (Class::Applied, Class::Uncertain);
    // The second time, what was counted before is out of its window.
    for start in [0, 20] {
        assert_eq!([start, 0, 0, 0].map(|later| call(later, ill)), [false; 4], "it opens");
        assert_eq!([4; 3].map(|later| call(later, ill)), [true; 3], "nobody is served");
        assert!(call(4, Class::Absent), "a look that finds nothing serves nobody");
        assert!(call(0, ill));
        assert!(call(4, good));
        assert_eq!(
            [(0, ill), (4, ill)].map(|(later, class)| call(later, class)),
            [false; 2],
            "it serves others"
        );
        assert!(call(8, ill), "but not of late");
        assert_eq!([(4, good), (0, good)].map(|(later, class)| call(later, class)), [true, false]);
        assert!(!call(0, good), "it is closed");
    }
}

/// I12: a call that was admitted and waited, for a token say, goes when its breaker is still as it was, or closed again. A trial
/// goes; what was admitted before the breaker opened asks for its turn again.
#[test]
fn i12_what_was_admitted_before_a_breaker_opened_does_not_go_while_it_is_open() {
    let mut dispatcher = Dispatcher::new(limits(), Mono(0));
    let mut permits: Vec<_> = (0..4)
        .filter_map(|token| {
            dispatcher.offer(plain(token, i64::from(token), Mono(0)));
            Some(dispatcher.admit(Mono(0))?.1)
        })
        .collect();
    let waits = permits.pop().unwrap();
    assert!(dispatcher.may_go(&waits, Mono(0)));
    let opened = Mono(1_000);
    dispatcher.force(None, Some(Forced::Open), opened);
    assert!(!dispatcher.may_go(&waits, opened), "an operator opened it");
    dispatcher.force(None, Some(Forced::Closed), opened);
    assert!(dispatcher.may_go(&waits, opened), "and closed it again");
    dispatcher.force(None, None, opened);
    for (token, permit) in (10..).zip(permits) {
        dispatcher.release(permit, opened);
        dispatcher.offer(plain(token, i64::from(token), opened));
        let (_, fresh) = dispatcher.admit(opened).unwrap();
        dispatcher.learn(&fresh, Class::Uncertain, None, None, Duration::ZERO, opened);
        dispatcher.release(fresh, opened);
    }
    assert!(dispatcher.may_go(&waits, opened), "three failed: too few");
    dispatcher.offer(plain(20, 20, opened));
    let (_, last) = dispatcher.admit(opened).unwrap();
    dispatcher.learn(&last, Class::Uncertain, None, None, Duration::ZERO, opened);
    dispatcher.release(last, opened);
    assert!(!dispatcher.may_go(&waits, opened), "it opened by itself");
    let over = opened + Duration::from_secs(1);
    assert!(!dispatcher.may_go(&waits, over), "it is no trial");
    dispatcher.offer(plain(30, 30, over));
    let (_, trial) = dispatcher.admit(over).unwrap();
    assert!(dispatcher.may_go(&trial, over));
    dispatcher.release(trial, over);
    dispatcher.release(waits, over);
}

/// I12: when a call may go that can't be offered: by time alone, or only when an operator or an answer says so.
#[test]
fn i12_a_call_that_is_not_offered_keeps_to_the_breaker_too() {
    let mut dispatcher = Dispatcher::new(limits(), Mono(0));
    assert_eq!(dispatcher.opens_at("write"), Some(Mono(0)), "nothing is known of it");
    dispatcher.force(None, Some(Forced::Open), Mono(0));
    assert_eq!(dispatcher.opens_at("write"), None, "an operator keeps all open, also what was not met yet");
    dispatcher.force(Some("write"), Some(Forced::Closed), Mono(0));
    assert_eq!((dispatcher.opens_at("write"), dispatcher.opens_at("read")), (Some(Mono(0)), None));
    dispatcher.force(Some("write"), None, Mono(0));
    dispatcher.force(None, None, Mono(0));
    for token in 0..4 {
        dispatcher.offer(plain(token, i64::from(token), Mono(0)));
        let (_, permit) = dispatcher.admit(Mono(0)).unwrap();
        dispatcher.learn(&permit, Class::Uncertain, None, None, Duration::ZERO, Mono(0));
        dispatcher.release(permit, Mono(0));
    }
    let over = Mono(0) + Duration::from_secs(1);
    assert_eq!(dispatcher.opens_at("write"), Some(over), "it opened by itself");
    assert!(!dispatcher.lets_go("write", Mono(999_999)));
    let trials: Vec<_> = (10..12)
        .filter_map(|token| {
            dispatcher.offer(plain(token, i64::from(token), over));
            Some(dispatcher.admit(over)?.1)
        })
        .collect();
    assert_eq!((trials.len(), dispatcher.opens_at("write")), (2, None), "as many try as may");
    assert!(!dispatcher.lets_go("write", over));
    trials.into_iter().for_each(|trial| dispatcher.release(trial, over));
    assert!(dispatcher.lets_go("write", over));
}
