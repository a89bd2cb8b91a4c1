//! The published table, whole.

mod pace;
mod reasons;

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
