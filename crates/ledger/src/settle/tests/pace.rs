//! When it is tried again, and what that spends.

use super::*;

#[test]
fn resends_slow_down_and_throttled_ones_cost_nothing() {
    let intent = Intent { sends: 40, ..create(IdempotencyClass::Upsert) };
    let at = Settling { jitter: u64::MAX, now: MADE + seconds(100), ..write(&intent) };
    let wait = |intent: &Intent| {
        let at = Settling { intent, ..at };
        due(&settle(at, &Outcome::of(Class::Uncertain))).unwrap().since(at.now).as_millis().div_ceil(1000)
    };
    assert_eq!(wait(&Intent { sends: 4, ..intent.clone() }), 16);
    // I12: forty throttled sends, and no attempt spent.
    assert_eq!(wait(&intent), 600);
    assert_eq!(name(&settle(at, &Outcome::of(Class::Uncertain))), "resend");
}

#[test]
fn waits_are_kept_and_believed_up_to_their_bound() {
    let intent = create(KEYED);
    let asks = |class, wait| Outcome { wait: Some(wait), ..Outcome::of(class) };
    let now = write(&intent).now;
    let check = |outcome: Outcome, least: Duration, most: Duration| {
        for jitter in [0, u64::MAX / 3, u64::MAX] {
            let due = due(&settle(Settling { jitter, ..write(&intent) }, &outcome)).unwrap();
            assert!(due >= now + least && due <= now + most, "{outcome:?}: {:?}", due.since(now));
        }
    };
    check(asks(Class::RateLimited, Wait::For(seconds(30))), seconds(30), seconds(33));
    check(asks(Class::RateLimited, Wait::Until(now + seconds(30))), seconds(30), seconds(33));
    check(asks(Class::RateLimited, Wait::Until(MADE)), seconds(0), seconds(0));
    check(asks(Class::QuotaExhausted, Wait::For(seconds(86_400))), seconds(3600), seconds(3960));
    check(Outcome::of(Class::RateLimited), seconds(10), seconds(11));
    check(Outcome::of(Class::QuotaExhausted), seconds(900), seconds(990));
    check(asks(Class::Retryable, Wait::For(seconds(20))), seconds(20), seconds(20));
    check(Outcome::of(Class::Retryable), seconds(0), seconds(2));
    check(Outcome::of(Class::Locked), seconds(1), seconds(2));
    check(asks(Class::Uncertain, Wait::For(seconds(60))), seconds(60), seconds(60));
    check(Outcome::of(Class::Uncertain), seconds(25), seconds(25));
}

#[test]
fn back_off_doubles_up_to_its_cap() {
    let intent = create(KEYED);
    let policy = RetryPolicy { attempts_max: 100, ..POLICY };
    let longest: Vec<u64> = [0, 1, 2, 8, 9, 60]
        .into_iter()
        .map(|attempts| {
            let at = Settling { attempts, policy, jitter: u64::MAX, ..write(&intent) };
            let wait = due(&settle(at, &Outcome::of(Class::Retryable))).unwrap().since(at.now);
            u64::try_from(wait.as_millis().div_ceil(1000)).unwrap()
        })
        .collect();
    assert_eq!(longest, [2, 4, 8, 512, 600, 600]);
}

/// I10, I12: a target that is not there, or has done nothing for anybody since it fell ill, uses up half of a record's
/// attempts at most, however long it takes.
#[test]
fn i10_an_outage_uses_up_no_attempts() {
    let not_there = Outcome { unreached: true, ..Outcome::of(Class::Retryable) };
    let ill = Outcome::of(Class::Retryable);
    for class in [KEYED, IdempotencyClass::Upsert, SEARCHED, MARKED, IdempotencyClass::None] {
        let intent = create(class);
        for attempts in 0..9 {
            let at = Settling { attempts, ..write(&intent) };
            for next in [settle(at, &not_there), settle(Settling { trial: true, ..at }, &ill)] {
                assert!(matches!(next, Next::Retry { spent, .. } if spent == (attempts < 2)), "{next:?}");
            }
        }
    }
    // In doubt it stays in doubt, and nobody is called.
    let doubtful = Intent { sends: 3, ..create(IdempotencyClass::Upsert) };
    for outcome in [Class::Uncertain, Class::Retryable] {
        let at = Settling { attempts: 4, ..write(&doubtful) };
        assert_eq!(name(&settle(at, &Outcome::of(outcome))), "person");
        assert_eq!(name(&settle(Settling { trial: true, ..at }, &Outcome::of(outcome))), "resend");
    }
    // What the target says of the record is the record's.
    let at = Settling { attempts: 4, trial: true, ..write(&doubtful) };
    assert_eq!(name(&settle(at, &Outcome::of(Class::Validation))), "dead");
}
