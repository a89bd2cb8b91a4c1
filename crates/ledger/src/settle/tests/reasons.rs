//! What is said of an end: what, where, why and what to do, and no values.

use super::*;

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
