//! What may happen to a dispatcher: steps and limits, drawn at random.

use std::sync::Arc;

use canonical::{Mono, Object, RecordId, Wall};
use ledger::{Class, Lane};
use proptest::prelude::*;

use super::{bucket, limits};
use crate::{BucketSet, BucketSpec, Limits, Party, Scope, Wanted};

pub(super) const MS: u64 = 1000;

/// What an answer says of a limit: its name, what is left, how long until it is full.
pub(super) type Left = (&'static str, u64, Option<u64>);

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// With the limits it names; without, it draws from those that it says.
    Offer(Wanted<u32>, Option<Vec<&'static str>>),
    Admit,
    /// Others go along with the n-th call in flight, if it has just been admitted.
    Join,
    /// The n-th call in flight takes a turn.
    Turn(usize, u8),
    /// Learn and release the n-th call in flight.
    End(usize, Class, Option<u64>, Option<Left>),
    /// Release without learning, as for a replayed answer.
    Release(usize),
    /// Release without having called.
    Unused(usize),
    Keep(usize),
    Unlock(u8),
    Hold(u8, u32),
    Withdraw(u32),
    Sleep(u64),
    Pause,
    Resume,
    Close(u64),
    Crash,
}

pub(super) fn lock(number: u8) -> (RecordId, Object) {
    (RecordId::from_parts(Wall(0), u128::from(number)), Object::new("contacts").unwrap())
}

/// What no two calls may be about at once.
pub(super) fn key_of(number: u8) -> Arc<str> {
    format!("parent {number}").into()
}

fn wish() -> impl Strategy<Value = Step> {
    let operation = prop::sample::select(vec!["create", "update", "list"]);
    let lane = prop::sample::select(Lane::ALL.to_vec());
    (
        (0_u32..40, lane, prop::option::of(0_u8..5), 0_u64..3000, -3_i64..3),
        (operation, 1_u32..4, any::<bool>(), prop::bool::weighted(0.2), names()),
        (prop::option::of(0_u64..2), prop::option::weighted(0.3, 0_u8..3)),
    )
        .prop_map(
            |((token, lane, number, due, seq), (operation, cost, safe, poison, names), (kind, key))| {
                let wanted = Wanted {
                    token,
                    lane,
                    lock: number.map(lock),
                    // Made absolute when it is offered.
                    due: Mono(due * MS),
                    seq,
                    operation: operation.into(),
                    buckets: BucketSet::ALL,
                    cost,
                    safe,
                    poison,
                    party: kind.map(|kind| Party { kind, most: 3 }),
                    serial: key.map(key_of),
                };
                Step::Offer(wanted, names)
            },
        )
}

/// What calls name: the account's limit, an operation's, both, none, or nothing is known of them.
fn names() -> impl Strategy<Value = Option<Vec<&'static str>>> {
    let names =
        [Some(vec!["burst"]), Some(vec!["search"]), Some(vec!["burst", "search"]), Some(vec![]), None];
    prop::sample::select(names.to_vec())
}

fn left() -> impl Strategy<Value = Option<Left>> {
    let name = prop::sample::select(vec!["burst", "search", "minute"]);
    prop::option::weighted(0.2, (name, 0_u64..3, prop::option::of(0_u64..2000)))
}

fn class() -> impl Strategy<Value = Class> {
    prop_oneof![
        6 => Just(Class::Applied),
        1 => Just(Class::Absent),
        3 => Just(Class::Uncertain),
        3 => Just(Class::Retryable),
        1 => Just(Class::RateLimited),
        1 => Just(Class::QuotaExhausted),
        1 => Just(Class::Validation),
        1 => Just(Class::AuthExpired),
    ]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => wish(),
        12 => Just(Step::Admit),
        6 => Just(Step::Join),
        1 => (0_usize..4, 0_u8..3).prop_map(|(n, key)| Step::Turn(n, key)),
        8 => (0_usize..4, class(), prop::option::weighted(0.2, 0_u64..4000), left())
            .prop_map(|(n, class, wait, left)| Step::End(n, class, wait, left)),
        1 => (0_usize..4).prop_map(Step::Release),
        1 => (0_usize..4).prop_map(Step::Unused),
        2 => (0_usize..4).prop_map(Step::Keep),
        2 => (0_u8..5).prop_map(Step::Unlock),
        1 => (0_u8..5, 0_u32..40).prop_map(|(number, token)| Step::Hold(number, token)),
        1 => (0_u32..40).prop_map(Step::Withdraw),
        6 => (0_u64..1500).prop_map(Step::Sleep),
        1 => Just(Step::Pause),
        2 => Just(Step::Resume),
        1 => (0_u64..3000).prop_map(Step::Close),
        1 => Just(Step::Crash),
    ]
}

pub(super) fn some_limits() -> impl Strategy<Value = Limits> {
    let buckets = prop_oneof![
        1 => Just(Vec::new()),
        2 => (3_u32..20, 1_u32..30).prop_map(|(size, refill)| vec![bucket("burst", size, refill, 1000)]),
        2 => (3_u32..20, 1_u32..30, 5_u32..60).prop_map(|(size, refill, long)| vec![
            BucketSpec { shared: true, ..bucket("burst", size, refill, 1000) },
            bucket("minute", long, long, 60_000),
        ]),
        3 => (3_u32..20, 1_u32..30, 3_u32..6, 1_u32..6, 5_u32..60).prop_map(|(size, refill, few, slow, long)| vec![
            BucketSpec { scope: Scope::Account, ..bucket("burst", size, refill, 1000) },
            BucketSpec { shared: true, scope: Scope::Named, ..bucket("search", few, slow, 1000) },
            bucket("minute", long, long, 60_000),
        ]),
    ];
    (1_u32..6, buckets, [1_u32..9, 1_u32..9, 1_u32..9], 0_u8..60).prop_map(
        |(concurrency, buckets, weights, pct)| Limits {
            concurrency,
            buckets,
            lane_weights: weights,
            reserve_critical_pct: pct,
            ..limits()
        },
    )
}
