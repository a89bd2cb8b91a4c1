//! What must hold of a bucket alone.

use std::time::Duration;

use canonical::Mono;
use proptest::prelude::*;

use crate::BucketSpec;
use crate::bucket::{Bucket, Purse};

fn spec() -> impl Strategy<Value = BucketSpec> {
    (1_u32..50, 1_u64..200_000, 1_u32..50, any::<bool>()).prop_map(|(size, per, refill, shared)| BucketSpec {
        name: "burst".into(),
        size,
        per: Duration::from_micros(per),
        refill,
        shared,
        told: false,
        scope: crate::Scope::Every,
    })
}

fn purse() -> impl Strategy<Value = Purse> {
    prop_oneof![Just(Purse::Common), Just(Purse::All), Just(Purse::Reserve)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

    #[test]
    fn payable_to_the_microsecond_and_never_above_its_bound(
        spec in spec(), pct in 0_u8..=100, calls in prop::collection::vec((1_u32..8, purse(), 0_u64..50_000), 1..60),
    ) {
        let size = spec.size;
        let mut bucket = Bucket::new(spec.clone(), pct, Mono(0));
        let (mut now, mut paid) = (Mono(0), Vec::new());
        for (cost, purse, pause) in calls {
            let cost = cost.min(size);
            now = Mono(now.0 + pause);
            let Some(at) = bucket.payable_at(cost, purse, now) else {
                prop_assert_eq!(purse, Purse::Reserve);
                continue;
            };
            prop_assert!(at >= now);
            if at > now {
                let early = bucket.payable_at(cost, purse, Mono(at.0 - 1));
                prop_assert!(early.is_some_and(|early| early >= at), "payable at {at:?}, or at {early:?}");
                prop_assert_eq!(bucket.payable_at(cost, purse, at), Some(at));
            }
            now = at;
            bucket.pay(cost, purse, now);
            paid.push((now.0, u128::from(cost)));
        }
        let per = spec.per.as_micros();
        for (first, (start, _)) in paid.iter().enumerate() {
            let mut sum = 0;
            for (end, cost) in &paid[first..] {
                sum += cost;
                let flowed = u128::from(spec.refill) * u128::from(end - start);
                prop_assert!(sum * per <= u128::from(size) * per + flowed, "{sum} in {} µs", end - start);
            }
        }
    }

    #[test]
    fn looking_changes_nothing(spec in spec(), pct in 0_u8..=100, looks in prop::collection::vec(0_u64..90_000, 1..20)) {
        // Letting time pass in one step or in many comes to the same.
        let mut often = Bucket::new(spec, pct, Mono(0));
        let once = often.clone();
        let mut now = Mono(0);
        for look in looks {
            now = Mono(now.0 + look);
            often.pay(0, Purse::All, now);
        }
        for purse in [Purse::Common, Purse::All, Purse::Reserve] {
            for cost in [1, 3, 50] {
                prop_assert_eq!(often.payable_at(cost, purse, now), once.payable_at(cost, purse, now));
            }
        }
        prop_assert_eq!(often.tokens(now), once.tokens(now));
    }

    #[test]
    fn a_throttled_share_never_dries_up_and_comes_back(
        spec in spec(), cuts in 0_u64..12, pct in 0_u8..=100,
    ) {
        let mut bucket = Bucket::new(BucketSpec { shared: true, ..spec }, pct, Mono(0));
        for permit in 1..=cuts {
            bucket.cut(permit, permit, Mono(0));
            bucket.cut(permit, permit, Mono(0));
        }
        let expect = [100, 50, 25, 12, 6][usize::try_from(cuts.min(4)).unwrap()];
        prop_assert_eq!(bucket.share_pct(), expect);
        for second in 1..=60 {
            bucket.recover(Mono(second * 1_000_000));
        }
        prop_assert_eq!(bucket.share_pct(), 100);
    }
}
