//! What must hold of every decision, whatever comes in.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::tests::{POLICY, due, reason};
use crate::tests::{ALL, MADE, create, seconds};
use crate::{Class, IdempotencyClass, Intent, IntentState, Next, Outcome, Refusal, Settling, Wait, settle};

fn idempotency() -> impl Strategy<Value = IdempotencyClass> {
    prop_oneof![
        (0_u64..2000).prop_map(|ttl_s| IdempotencyClass::NativeKey { ttl_s }),
        Just(IdempotencyClass::Upsert),
        (0_u64..60_000).prop_map(|index_lag_ms| IdempotencyClass::SearchFirst { index_lag_ms }),
        (0_u64..60_000).prop_map(|index_lag_ms| IdempotencyClass::MarkerField { index_lag_ms }),
        Just(IdempotencyClass::None),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let wait = prop_oneof![
        Just(None),
        (0_u64..10_000).prop_map(|s| Some(Wait::For(seconds(s)))),
        (0_u64..10_000).prop_map(|s| Some(Wait::Until(MADE + seconds(s)))),
    ];
    let flags = any::<(Option<bool>, bool, bool)>();
    (prop::sample::select(ALL.to_vec()), wait, prop::option::of("[0-9]{0,3}"), flags).prop_map(
        |(class, wait, external_id, (created, unreached, replayed))| Outcome {
            unreached,
            replayed,
            wait,
            external_id,
            created,
            ..Outcome::of(class)
        },
    )
}

fn intent() -> impl Strategy<Value = Intent> {
    (idempotency(), 0_u32..4, 0_u32..4, any::<bool>(), any::<bool>(), 0_u64..500).prop_map(
        |(class, sends, probes, doubtful, known, due)| Intent {
            sends,
            probes,
            state: if doubtful { IntentState::Doubtful } else { IntentState::Open },
            external_id: known.then(|| "42".into()),
            due: MADE + seconds(due),
            ..create(class)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2048) })]

    #[test]
    fn i3_nothing_is_ever_resent_blindly(
        intent in intent(), outcome in outcome(), attempts in 0_u32..7, probe: bool, trial: bool, after in 0_u64..600, jitter: u64,
    ) {
        let now = MADE + seconds(after);
        let next = settle(Settling { intent: &intent, attempts, probe, trial, policy: POLICY, now, jitter }, &outcome);
        if let Next::Resend { due } = &next {
            match intent.class {
                IdempotencyClass::None => prop_assert_eq!(intent.sends, 0, "resent a `none`"),
                IdempotencyClass::SearchFirst { .. } | IdempotencyClass::MarkerField { .. } => {
                    prop_assert!(probe && outcome.class == Class::Absent && now >= intent.visible_from());
                }
                IdempotencyClass::NativeKey { .. } if !probe => prop_assert!(intent.key_lives("g1", *due)),
                _ => {}
            }
            prop_assert!(*due >= intent.quiet_from());
        }
        // To ask for a stored failure again is to hear it again.
        let keyed = matches!(intent.class, IdempotencyClass::NativeKey { .. });
        if keyed && !probe && outcome.is_stored_failure() {
            prop_assert!(matches!(next, Next::Person(_)), "{next:?}");
        }
        // What ends or starts anew does so only where nothing is in doubt.
        let doubtful = if probe { intent.sends > 0 } else { outcome.class == Class::Uncertain };
        let certain = matches!(outcome.class, Class::Absent);
        if doubtful && !certain {
            prop_assert!(!matches!(next, Next::Dead(_) | Next::Retry { .. } | Next::Refetch), "{next:?}");
        }
    }

    #[test]
    fn i12_never_earlier_than_asked_and_throttling_costs_nothing(
        intent in intent(), outcome in outcome(), attempts in 0_u32..7, probe: bool, trial: bool, after in 0_u64..600, jitter: u64,
    ) {
        let now = MADE + seconds(after);
        let next = settle(Settling { intent: &intent, attempts, probe, trial, policy: POLICY, now, jitter }, &outcome);
        let asked = match outcome.wait {
            Some(Wait::For(wait)) => wait,
            Some(Wait::Until(then)) => then.since(now),
            None => Duration::ZERO,
        };
        let counted = !(probe && outcome.class == Class::Absent);
        if let Some(due) = due(&next).filter(|_| counted) {
            prop_assert!(due >= now + asked.min(POLICY.wait_max), "{next:?}");
        }
        if matches!(outcome.class, Class::RateLimited | Class::QuotaExhausted) {
            prop_assert!(matches!(
                next,
                Next::Retry { spent: false, .. } | Next::Resend { .. } | Next::Probe { .. }
            ), "{next:?}");
        }
        if let Next::Retry { spent, .. } = next {
            let counts = matches!(
                outcome.class,
                Class::Conflict | Class::Locked | Class::Uncertain | Class::Retryable
            );
            let ill = matches!(outcome.class, Class::Uncertain | Class::Retryable);
            let outage = ill && (trial || outcome.unreached);
            let stored = ill && outcome.replayed;
            prop_assert_eq!(spent, counts && !stored && (!outage || attempts < (POLICY.attempts_max / 2).max(1)));
        }
    }

    #[test]
    fn i15_reasons_carry_no_values(
        outcome in outcome(), class in idempotency(), probe: bool, trial: bool, attempts in 0_u32..7,
        secret in "[a-z0-9][a-z0-9äöü .+-]{3,19}", before in "[A-Z]{0,9}", status: Option<u16>,
    ) {
        let secret = format!("zq{}", secret.trim());
        let mut intent = create(class);
        Arc::make_mut(&mut intent.fields).insert("nested".into(), json!({"list": [secret, 987_654_321]}));
        let mut outcome = outcome;
        outcome.refusal = Refusal {
            status,
            code: None,
            field: Some("nested".into()),
            message: format!("{before}{}{before} and 987654321 and {secret}", secret.to_ascii_uppercase()),
        };
        let now = intent.visible_from();
        let next = settle(Settling { intent: &intent, attempts, probe, trial, policy: POLICY, now, jitter: 1 }, &outcome);
        if let Some(reason) = reason(&next) {
            let text = serde_json::to_string(reason).unwrap().to_ascii_lowercase();
            prop_assert!(!text.contains(&secret), "{}", text);
            prop_assert!(!text.contains("987654321"), "{}", text);
            prop_assert!(text.contains("erp") && !reason.fingerprint.is_empty());
        }
    }
}
