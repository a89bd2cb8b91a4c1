//! The published table, whole.

use std::time::Duration;

use canonical::{EventId, Wall};

use crate::tests::{ALL, KEYED, MADE, MARKED, QUIET, SEARCHED, create, seconds};
use crate::{
    Class, IdempotencyClass, Intent, IntentState, Membership, Next, Outcome, Reason, Refusal, RetryPolicy,
    Settling, Subject, Wait, settle,
};

pub(super) const POLICY: RetryPolicy = RetryPolicy {
    base: seconds_const(2),
    cap: seconds_const(600),
    attempts_max: 5,
    wait_max: seconds_const(3600),
};

const fn seconds_const(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// A write of `intent` answered 5 s after it was made durable, the first attempt.
fn write(intent: &Intent) -> Settling<'_> {
    Settling {
        trial: false,
        intent,
        attempts: 0,
        probe: false,
        policy: POLICY,
        now: MADE + seconds(5),
        jitter: u64::MAX / 2,
    }
}

/// A probe of `intent`, made in time, answered when everything can be seen.
fn probe(intent: &Intent) -> Settling<'_> {
    Settling { probe: true, now: intent.visible_from() + seconds(1), ..write(intent) }
}

fn name(next: &Next) -> &'static str {
    match next {
        Next::Delivered => "delivered",
        Next::Retry { spent: true, .. } => "retry",
        Next::Retry { spent: false, .. } => "wait",
        Next::Resend { .. } => "resend",
        Next::Probe { .. } => "probe",
        Next::Person(_) => "person",
        Next::Split { .. } => "split",
        Next::Dead(_) => "dead",
        Next::Adopt { .. } => "adopt",
        Next::LinkRot => "link-rot",
        Next::Refetch => "refetch",
        Next::Reauthorise => "reauthorise",
        Next::PauseSystem(_) => "pause",
    }
}

pub(super) fn due(next: &Next) -> Option<Wall> {
    match next {
        Next::Retry { due, .. } | Next::Split { due, .. } | Next::Resend { due } | Next::Probe { due } => {
            Some(*due)
        }
        _ => None,
    }
}

pub(super) fn reason(next: &Next) -> Option<&Reason> {
    match next {
        Next::Person(reason) | Next::Dead(reason) | Next::PauseSystem(reason) => Some(reason),
        _ => None,
    }
}

/// One line per outcome class, one column per idempotency class.
#[track_caller]
fn check(of: impl Fn(IdempotencyClass) -> Intent, at: impl Fn(&Intent) -> Settling<'_>, expect: &str) {
    let mut got = String::from("class keyed upsert searched none\n");
    for class in ALL {
        got.push_str(class.name());
        for idempotency in [KEYED, IdempotencyClass::Upsert, SEARCHED, IdempotencyClass::None] {
            let intent = of(idempotency);
            got.push(' ');
            got.push_str(name(&settle(at(&intent), &Outcome::of(class))));
        }
        // One that writes its mark differs from one that looks first only in that it does not look first.
        let [searched, marked] = [SEARCHED, MARKED].map(&of);
        let outcome = Outcome::of(class);
        assert_eq!(
            name(&settle(at(&searched), &outcome)),
            name(&settle(at(&marked), &outcome)),
            "{}",
            class.name()
        );
        got.push('\n');
    }
    let words = |text: &str| -> Vec<String> {
        text.trim().lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    assert_eq!(words(&got), words(expect));
}

fn update(class: IdempotencyClass) -> Intent {
    Intent { external_id: Some("42".into()), ..create(class) }
}

/// Its `due` was stored when the look was planned.
fn looked_for(intent: Intent) -> Intent {
    Intent { state: IntentState::Doubtful, due: intent.visible_from(), ..intent }
}

#[test]
fn a_create_sent_once() {
    let table = "
        class           keyed       upsert      searched    none
        applied         delivered   delivered   delivered   delivered
        absent          resend      resend      probe       person
        rate_limited    wait        wait        wait        wait
        quota_exhausted wait        wait        wait        wait
        auth_expired    reauthorise reauthorise reauthorise reauthorise
        auth_revoked    pause       pause       pause       pause
        permission      dead        dead        dead        dead
        validation      dead        dead        dead        dead
        too_large       dead        dead        dead        dead
        duplicate       dead        dead        dead        dead
        not_found       dead        dead        dead        dead
        gone            link-rot    link-rot    link-rot    link-rot
        conflict        refetch     refetch     refetch     refetch
        locked          retry       retry       retry       retry
        batch_rejected  dead        dead        dead        dead
        uncertain       resend      resend      probe       person
        retryable       retry       retry       retry       retry
        permanent       dead        dead        dead        dead";
    check(create, write, table);
    // An update differs in one line.
    check(
        update,
        write,
        &table.replace(
            "not_found       dead        dead        dead        dead",
            "not_found       link-rot    link-rot    link-rot    link-rot",
        ),
    );
}

/// One of four that went together.
fn member(class: IdempotencyClass) -> Intent {
    let id = canonical::IntentId::from_parts(MADE, 9);
    Intent { batch: Some(Membership { id, place: 1, of: 4 }), ..create(class) }
}

#[test]
fn a_rejected_batch_goes_on_in_halves_and_spends_nothing() {
    let rejected = Outcome::of(Class::BatchRejected);
    for class in [KEYED, IdempotencyClass::Upsert, SEARCHED, MARKED, IdempotencyClass::None] {
        let intent = member(class.clone());
        // Also at the last attempt: it was another's fault, as far as is known.
        for attempts in [0, 4] {
            let next = settle(Settling { attempts, ..write(&intent) }, &rejected);
            assert_eq!(next, Next::Split { due: MADE + seconds(5), kept: false });
        }
        // Alone it is its own.
        let alone = Intent { batch: None, ..intent };
        assert_eq!(name(&settle(write(&alone), &rejected)), "dead");
    }
}

#[test]
fn i4_what_is_in_doubt_is_not_rendered_anew_because_its_batch_is_rejected() {
    let intent = Intent { sends: 2, ..member(IdempotencyClass::Upsert) };
    let next = settle(write(&intent), &Outcome::of(Class::BatchRejected));
    assert_eq!(next, Next::Split { due: intent.quiet_from(), kept: true });
    // A key stands for all of its bytes: under new keys the halves could be second effects (I3).
    let keyed = Intent { sends: 2, ..member(KEYED) };
    let next = settle(write(&keyed), &Outcome::of(Class::BatchRejected));
    assert_eq!(next, Next::Probe { due: keyed.quiet_from() });
    let first = Intent { sends: 1, ..member(KEYED) };
    assert_eq!(name(&settle(write(&first), &Outcome::of(Class::BatchRejected))), "split");
    // Refused, and nobody knows whether some of it was applied: harmless to repeat, in halves.
    let refused = Outcome { whole: Some(Class::Gone), ..Outcome::of(Class::Uncertain) };
    for (member, told) in
        [(member(IdempotencyClass::Upsert), "split"), (member(KEYED), "resend"), (member(MARKED), "probe")]
    {
        assert_eq!(name(&settle(write(&member), &refused)), told);
    }
    let first = member(IdempotencyClass::Upsert);
    assert_eq!(settle(write(&first), &refused), Next::Split { due: first.quiet_from(), kept: true });
    // Nobody knows what became of it: it is not split.
    for class in [Class::Uncertain, Class::Retryable, Class::RateLimited] {
        assert_eq!(name(&settle(write(&intent), &Outcome::of(class))), "resend");
    }
    assert_eq!(name(&settle(write(&member(MARKED)), &Outcome::of(Class::Uncertain))), "probe");
}

#[test]
fn i3_a_write_under_an_earlier_doubt_is_finished_as_it_was_rendered() {
    let table = "
        class           keyed       upsert      searched    none
        applied         delivered   delivered   delivered   delivered
        absent          resend      resend      probe       person
        rate_limited    resend      resend      wait        wait
        quota_exhausted probe       resend      wait        wait
        auth_expired    reauthorise reauthorise reauthorise reauthorise
        auth_revoked    pause       pause       pause       pause
        permission      person      person      dead        dead
        validation      dead        dead        dead        dead
        too_large       dead        dead        dead        dead
        duplicate       person      person      dead        dead
        not_found       person      person      dead        dead
        gone            link-rot    link-rot    link-rot    link-rot
        conflict        resend      refetch     refetch     refetch
        locked          resend      resend      retry       retry
        batch_rejected  dead        dead        dead        dead
        uncertain       resend      resend      probe       person
        retryable       resend      resend      retry       retry
        permanent       person      person      dead        dead";
    // The default wait for a quota outlasts half the key's life: hence the probe.
    check(|class| Intent { sends: 2, ..create(class) }, write, table);
    check(|class| Intent { state: IntentState::Doubtful, ..create(class) }, write, table);
}

#[test]
fn the_last_attempt_of_a_create() {
    let last = |intent| Settling { attempts: 4, ..write(intent) };
    let table = "
        class           keyed       upsert      searched    none
        applied         delivered   delivered   delivered   delivered
        absent          person      person      probe       person
        rate_limited    wait        wait        wait        wait
        quota_exhausted wait        wait        wait        wait
        auth_expired    reauthorise reauthorise reauthorise reauthorise
        auth_revoked    pause       pause       pause       pause
        permission      dead        dead        dead        dead
        validation      dead        dead        dead        dead
        too_large       dead        dead        dead        dead
        duplicate       dead        dead        dead        dead
        not_found       dead        dead        dead        dead
        gone            link-rot    link-rot    link-rot    link-rot
        conflict        dead        dead        dead        dead
        locked          dead        dead        dead        dead
        batch_rejected  dead        dead        dead        dead
        uncertain       person      person      probe       person
        retryable       dead        dead        dead        dead
        permanent       dead        dead        dead        dead";
    check(create, |intent| Settling { attempts: 4, ..write(intent) }, table);

    // Under an earlier doubt nothing ends dead that is not about the content.
    let doubted = Intent { sends: 3, ..create(KEYED) };
    for class in [Class::Retryable, Class::Locked, Class::Uncertain, Class::Conflict] {
        assert_eq!(name(&settle(last(&doubted), &Outcome::of(class))), "person", "{class:?}");
    }
}

#[test]
fn a_look_before_the_first_send() {
    let unsent = |class| Intent { sends: 0, ..create(class) };
    let table = "
        class           keyed       upsert      searched    none
        applied         dead        dead        dead        dead
        absent          resend      resend      resend      resend
        rate_limited    wait        wait        wait        wait
        quota_exhausted wait        wait        wait        wait
        auth_expired    reauthorise reauthorise reauthorise reauthorise
        auth_revoked    pause       pause       pause       pause
        permission      dead        dead        dead        dead
        validation      dead        dead        dead        dead
        too_large       dead        dead        dead        dead
        duplicate       dead        dead        dead        dead
        not_found       dead        dead        dead        dead
        gone            link-rot    link-rot    link-rot    link-rot
        conflict        retry       retry       retry       retry
        locked          retry       retry       retry       retry
        batch_rejected  dead        dead        dead        dead
        uncertain       retry       retry       retry       retry
        retryable       retry       retry       retry       retry
        permanent       dead        dead        dead        dead";
    check(unsent, |intent| Settling { probe: true, ..write(intent) }, table);

    let intent = unsent(SEARCHED);
    let look = Settling { probe: true, now: MADE + seconds(1), ..write(&intent) };
    assert_eq!(settle(look, &Outcome::of(Class::Absent)), Next::Resend { due: MADE + seconds(1) });
    let found = Outcome { external_id: Some("77".into()), ..Outcome::of(Class::Applied) };
    assert_eq!(settle(look, &found), Next::Delivered);
    let last = Settling { attempts: 4, ..look };
    assert_eq!(name(&settle(last, &Outcome::of(Class::Uncertain))), "dead");
}

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
fn a_probe_of_a_create() {
    let table = "
        class           keyed       upsert      searched    none
        applied         person      person      person      person
        absent          resend      resend      resend      person
        rate_limited    probe       probe       probe       probe
        quota_exhausted probe       probe       probe       probe
        auth_expired    reauthorise reauthorise reauthorise reauthorise
        auth_revoked    pause       pause       pause       pause
        permission      person      person      person      person
        validation      person      person      person      person
        too_large       person      person      person      person
        duplicate       person      person      person      person
        not_found       person      person      person      person
        gone            person      person      person      person
        conflict        probe       probe       probe       probe
        locked          probe       probe       probe       probe
        batch_rejected  person      person      person      person
        uncertain       probe       probe       probe       probe
        retryable       probe       probe       probe       probe
        permanent       person      person      person      person";
    check(|class| looked_for(create(class)), probe, table);
    // Of an update: the id is known, and its absence is link rot.
    let table = table
        .replace(
            "applied         person      person      person      person",
            "applied delivered delivered delivered delivered",
        )
        .replace(
            "not_found       person      person      person      person",
            "not_found link-rot link-rot link-rot link-rot",
        )
        .replace(
            "gone            person      person      person      person",
            "gone link-rot link-rot link-rot link-rot",
        );
    check(|class| looked_for(update(class)), probe, &table);
}

#[test]
fn the_last_probe_of_a_create() {
    let intent = looked_for(create(SEARCHED));
    let last = Settling { attempts: 4, ..probe(&intent) };
    assert_eq!(name(&settle(last, &Outcome::of(Class::Uncertain))), "person");
    assert_eq!(name(&settle(last, &Outcome::of(Class::RateLimited))), "probe");
    // Four attempts spent: one send is left. Five: certainly absent, and nothing left.
    assert_eq!(name(&settle(last, &Outcome::of(Class::Absent))), "resend");
    let spent = Settling { attempts: 5, ..last };
    let next = settle(spent, &Outcome::of(Class::Absent));
    assert_eq!(name(&next), "dead");
    assert!(reason(&next).unwrap().message.contains("in 5 attempts"));
}

#[test]
fn a_probe_that_finds_the_object_delivers() {
    let found = Outcome { external_id: Some("77".into()), ..Outcome::of(Class::Applied) };
    for class in [KEYED, IdempotencyClass::Upsert, SEARCHED, IdempotencyClass::None] {
        assert_eq!(settle(probe(&looked_for(create(class))), &found), Next::Delivered);
    }
    let nameless = Outcome { external_id: Some(String::new()), ..found };
    assert_eq!(name(&settle(probe(&create(SEARCHED)), &nameless)), "person");
    // A notification makes nothing that would be linked.
    let mut event = create(SEARCHED);
    event.obligation.subject = Subject::Event(EventId::from_parts(MADE, 3));
    assert_eq!(settle(probe(&event), &nameless), Next::Delivered);
}

#[test]
fn a_duplicate_with_an_id_is_adopted() {
    let known = Outcome { external_id: Some("77".into()), ..Outcome::of(Class::Duplicate) };
    for class in [KEYED, IdempotencyClass::Upsert, SEARCHED, IdempotencyClass::None] {
        for sends in [1, 2] {
            let intent = Intent { sends, ..create(class.clone()) };
            assert_eq!(settle(write(&intent), &known), Next::Adopt { external_id: "77".into() });
        }
    }
}

#[test]
fn an_update_that_creates_is_link_rot() {
    let made = Outcome { created: Some(true), ..Outcome::of(Class::Applied) };
    assert_eq!(settle(write(&update(IdempotencyClass::Upsert)), &made), Next::LinkRot);
    assert_eq!(settle(write(&create(IdempotencyClass::Upsert)), &made), Next::Delivered);
}

#[test]
fn i3_a_look_counts_only_when_nothing_can_arrive_any_more() {
    let lag = seconds(15);
    let absent = Outcome::of(Class::Absent);
    let visible = MADE + QUIET + lag;
    let early = create(SEARCHED);
    let at = |intent, now| settle(Settling { now, ..probe(intent) }, &absent);
    // Answered before everything can be seen.
    assert_eq!(at(&early, MADE + QUIET), Next::Probe { due: visible });
    // Answered later, but the look may have been made before: its due was not the visible moment.
    assert_eq!(name(&at(&early, visible + seconds(1))), "probe");
    // A request lives 10 s: a look answered after that was made in time whatever was stored.
    assert_eq!(name(&at(&early, visible + seconds(10))), "resend");
    let timely = looked_for(create(SEARCHED));
    assert_eq!(at(&timely, visible), Next::Resend { due: visible });
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

#[test]
fn reasons_name_what_where_why_and_what_to_do() {
    let refusal = Refusal {
        status: Some(422),
        code: Some("INVALID_EMAIL".into()),
        field: Some("properties.email".into()),
        message: "Email address ada.lovelace@EXAMPLE.org is invalid.".into(),
    };
    let check = |class, sends, idempotency, expect: &str| {
        let intent = Intent { sends, ..create(idempotency) };
        let outcome = Outcome { refusal: refusal.clone(), ..Outcome::of(class) };
        let next = settle(write(&intent), &outcome);
        assert_eq!(reason(&next).unwrap().message, expect);
        assert!(reason(&next).unwrap().fingerprint.starts_with("fp1_"));
    };
    check(
        Class::Validation,
        1,
        KEYED,
        "erp refused the content of `create` of customers (HTTP 422, code INVALID_EMAIL, field properties.email): \
         Email address […] is invalid. Correct the value where it is owned, or the mapping, then retry",
    );
    check(
        Class::AuthRevoked,
        1,
        KEYED,
        "erp no longer takes Concord's credential, so that the system is paused (HTTP 422, code INVALID_EMAIL, field \
         properties.email): Email address […] is invalid. Renew the credential, then run `concord system resume \
         erp`; nothing is lost meanwhile",
    );
    check(
        Class::Uncertain,
        1,
        IdempotencyClass::None,
        "erp may or may not have carried out `create` of customers; the operation cannot be repeated safely (HTTP \
         422, code INVALID_EMAIL, field properties.email): Email address […] is invalid. Look in erp whether it is \
         there: if so, discard this delivery with that reason; if not, retry it, which uses a new key",
    );
}

#[test]
fn a_stored_server_error_is_named() {
    let intent = Intent { sends: 5, ..create(KEYED) };
    let mut outcome = Outcome::of(Class::Uncertain);
    outcome.refusal.status = Some(500);
    let next = settle(Settling { attempts: 4, ..write(&intent) }, &outcome);
    assert!(reason(&next).unwrap().message.contains("repeating an error it stored"));
}

/// I3: a failure that the target says it has stored is no other answer however often it is asked for. A person looks at
/// once, may make a new intent after that, and no attempt is spent.
#[test]
fn i3_a_replayed_failure_goes_to_a_person_at_once() {
    for class in [Class::Uncertain, Class::Retryable] {
        let mut outcome = Outcome { replayed: true, ..Outcome::of(class) };
        outcome.refusal.status = Some(500);
        for sends in 1..3 {
            let intent = Intent { sends, ..create(KEYED) };
            let Next::Person(reason) = settle(write(&intent), &outcome) else { panic!("{class:?}") };
            assert_eq!(
                reason.message,
                "erp repeats the failure that it stored under the idempotency key of `create` of customers, and will as \
                 long as it knows the key; it may or may not have carried it out (HTTP 500). Look in erp whether it is \
                 there: if so, discard this delivery with that reason; if not, retry it, which uses a new key"
            );
            assert_eq!(reason.class, "uncertain");
        }
        assert!(!POLICY.spends(&outcome, 0, false) && POLICY.spends(&Outcome::of(class), 0, false));
        // A key stands for a whole batch: each of it can be looked for, when a look shows what was done.
        let intent = member(KEYED);
        assert_eq!(settle(write(&intent), &outcome), Next::Probe { due: intent.visible_from() });
        // Fresh ones, and those of targets that know no key, go on as ever.
        let fresh = Outcome { replayed: false, ..outcome.clone() };
        let next = settle(write(&create(KEYED)), &fresh);
        assert!(matches!(next, Next::Resend { .. } | Next::Retry { .. }), "{next:?}");
        let next = settle(write(&create(IdempotencyClass::Upsert)), &outcome);
        assert!(matches!(next, Next::Resend { .. } | Next::Retry { .. }), "{next:?}");
    }
    // What is no failure is what it was at first.
    for (class, is) in
        [(Class::Applied, "delivered"), (Class::Validation, "dead"), (Class::RateLimited, "wait")]
    {
        let outcome = Outcome { replayed: true, ..Outcome::of(class) };
        assert_eq!(name(&settle(write(&create(KEYED)), &outcome)), is, "{class:?}");
    }
}

#[test]
fn i15_a_long_quote_is_cut_and_cleaned() {
    let mut outcome = Outcome::because(Class::Validation, "x\ty".repeat(1000));
    outcome.refusal.code = Some("c".repeat(500));
    outcome.refusal.field = Some("bob@example.org".into());
    let next = settle(write(&create(KEYED)), &outcome);
    let reason = reason(&next).unwrap();
    assert!(reason.message.chars().count() < 800 && !reason.message.contains('\t'));
    assert_eq!(reason.code.as_deref().map(|code| code.chars().count()), Some(129));
    assert_eq!(reason.field.as_deref(), Some("[…]"));
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
