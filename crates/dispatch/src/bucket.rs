//! Token bucket: one window of the vendor's limits, exact in whole numbers.
//!
//! It starts empty: what was spent before a restart is not known, and an empty bucket is never too generous (I9). Where
//! the target tells what is left of the whole window, its first answer fills it so far: else a quota of a day would go
//! on at its mean pace for hours after each start.
//!
//! Each bucket has two parts. Critical work may spend from both, the rest only from the common one. The flow is split
//! like the size, and what overflows one part runs into the other: nothing is wasted while critical work sleeps, and
//! a long window does not have to fill its reserve before anybody else may start.
//!
//! A shared limit has a share, in 64ths, of its flow: halved when the target throttles, raised step by step while it
//! does not (additive increase, multiplicative decrease).

use std::time::Duration;

use canonical::Mono;
use planted::Bug;

use crate::limits::BucketSpec;

/// The whole share.
const WHOLE: u32 = 64;
/// The least share: one sixteenth of the flow always goes on, to find out when the limit is free again.
const SHARE_MIN: u32 = WHOLE / 16;
/// One step of recovery.
const SHARE_STEP: u32 = WHOLE / 16;
/// Most per cent that can be reserved.
const RESERVE_PCT_MAX: u8 = 90;

/// Which part of a bucket a call may be paid from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purse {
    /// The common part; a call dearer than the whole common part takes the rest from the reserve.
    Common,
    /// Both.
    All,
    /// The reserve only: critical work out of its turn.
    Reserve,
}

/// What a call pays from one bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Price {
    pub(crate) cost: u32,
    pub(crate) purse: Purse,
}

/// Common part and reserve.
type Levels = (i128, i128);

/// One bucket. Levels are in units so small that the flow per microsecond is a whole number of them.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    spec: BucketSpec,
    /// Units in one token.
    unit: i128,
    common_max: i128,
    reserve_max: i128,
    /// Per cent of the flow that goes to the reserve.
    reserve_pct: i128,
    common: i128,
    reserve: i128,
    /// When the levels were true. May lie ahead: nothing flows before.
    at: Mono,
    closed_until: Mono,
    /// 64ths of the flow.
    share: u32,
    /// The last permit given when the share was last cut.
    cut_after: u64,
    raised_at: Mono,
    /// The target has not said what is left since the start, or since it threw away what was: the first answer to a call
    /// after this one says it.
    unheard_since: Option<u64>,
    /// Cost of the calls in flight that drew from it.
    pub(crate) in_flight: u64,
    pub(crate) throttling: Throttling,
}

/// How a limit, or the whole target, throttles.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Throttling {
    /// Throttled answers in a row.
    pub(crate) in_row: u32,
    /// The last permit given when a throttled answer was last news.
    pub(crate) after: u64,
}

impl Bucket {
    pub(crate) fn new(spec: BucketSpec, reserve_pct: u8, now: Mono) -> Self {
        let spec = BucketSpec {
            size: spec.size.max(1),
            refill: spec.refill.max(1),
            per: spec.per.max(Duration::from_micros(1)),
            ..spec
        };
        let unit =
            i128::from(u64::try_from(spec.per.as_micros()).unwrap_or(u64::MAX)) * i128::from(WHOLE) * 100;
        // Whole tokens: a part of one could never be spent.
        let reserved = u64::from(spec.size) * u64::from(reserve_pct.min(RESERVE_PCT_MAX)) / 100;
        let reserve_max = i128::from(reserved) * unit;
        let reserve_pct = if reserved == 0 { 0 } else { i128::from(reserve_pct.min(RESERVE_PCT_MAX)) };
        let common_max = i128::from(spec.size) * unit - reserve_max;
        Self {
            spec,
            unit,
            common_max,
            reserve_max,
            reserve_pct,
            common: if planted::is(Bug::FullBuckets) { common_max } else { 0 },
            reserve: 0,
            at: now,
            closed_until: Mono(0),
            share: WHOLE,
            cut_after: 0,
            raised_at: now,
            unheard_since: Some(0),
            in_flight: 0,
            throttling: Throttling::default(),
        }
    }

    pub(crate) fn spec(&self) -> &BucketSpec {
        &self.spec
    }

    pub(crate) const fn closed_until(&self) -> Mono {
        self.closed_until
    }

    /// How long it takes to fill: the length of the window it stands for.
    pub(crate) fn fills_in(&self) -> Duration {
        self.spec.per.saturating_mul(self.spec.size) / self.spec.refill
    }

    /// Whole tokens at `now`; none while it is in debt.
    pub(crate) fn tokens(&self, now: Mono) -> u64 {
        let (common, reserve) = self.levels(now);
        u64::try_from((common + reserve) / self.unit).unwrap_or(0)
    }

    /// Per cent of the configured flow that is in use.
    pub(crate) const fn share_pct(&self) -> u32 {
        self.share * 100 / WHOLE
    }

    /// Whether it costs more than the whole common part.
    pub(crate) fn is_dear(&self, cost: u32) -> bool {
        i128::from(cost) * self.unit > self.common_max
    }

    /// How long until so many units, more than it holds at once perhaps, have flowed to a purse, with what is there now.
    pub(crate) fn flows_in(&self, units: u64, purse: Purse, now: Mono) -> Duration {
        let (common, reserve) = self.levels(now);
        let to_reserve = self.flow() * self.reserve_pct / 100;
        let (there, flow) = match purse {
            Purse::All => (common + reserve, self.flow()),
            Purse::Common | Purse::Reserve => (common, self.flow() - to_reserve),
        };
        let missing = i128::from(units).saturating_mul(self.unit).saturating_sub(there);
        wait(missing, flow) + now.until(self.closed_until.max(self.at))
    }

    /// When `cost` can be paid from `purse`; `None` for never.
    pub(crate) fn payable_at(&self, cost: u32, purse: Purse, now: Mono) -> Option<Mono> {
        self.payable_from(self.levels(now), cost, purse, now)
    }

    /// The same, were `first` paid at `now`.
    pub(crate) fn payable_after(&self, first: Price, then: Price, now: Mono) -> Option<Mono> {
        let levels = self.less(self.levels(now), first.cost, first.purse);
        self.payable_from(levels, then.cost, then.purse, now)
    }

    fn payable_from(&self, levels: Levels, cost: u32, purse: Purse, now: Mono) -> Option<Mono> {
        let cost = i128::from(cost) * self.unit;
        let (common, reserve) = levels;
        // A call dearer than the bucket goes when the bucket is full, and leaves a debt.
        let whole = cost.min(self.common_max + self.reserve_max) - common - reserve;
        let to_reserve = self.flow() * self.reserve_pct / 100;
        let to_common = self.flow() - to_reserve;
        let wait = match purse {
            Purse::All => wait(whole, self.flow()),
            Purse::Common => {
                let part = cost.min(self.common_max) - common;
                let part = part_wait(part, to_common, self.reserve_max - reserve, to_reserve);
                part.max(wait(whole, self.flow()))
            }
            Purse::Reserve if cost > self.reserve_max => return None,
            Purse::Reserve => part_wait(cost - reserve, to_reserve, self.common_max - common, to_common),
        };
        Some((now.max(self.at) + wait).max(self.closed_until))
    }

    /// Takes `cost`, for a call that is now in flight. The caller has asked [`Self::payable_at`].
    pub(crate) fn pay(&mut self, cost: u32, purse: Purse, now: Mono) {
        self.flow_in(now);
        (self.common, self.reserve) = self.less((self.common, self.reserve), cost, purse);
    }

    /// What is left of these levels.
    fn less(&self, (common, reserve): Levels, cost: u32, purse: Purse) -> Levels {
        let cost = i128::from(cost) * self.unit;
        if purse == Purse::Reserve {
            return (common, reserve - cost);
        }
        let from_common = cost.min(common.max(0));
        let from_reserve = (cost - from_common).min(reserve);
        (common - (cost - from_reserve), reserve - from_reserve)
    }

    /// Gives back what was paid then for a call that was not made, less all that may have flowed in since: where the
    /// bucket was full meanwhile, that would have been lost. So it never holds more than if nothing had been paid.
    pub(crate) fn give_back(&mut self, cost: u32, paid_at: Mono, now: Mono) {
        self.flow_in(now);
        let flowed = i128::from(now.0.saturating_sub(paid_at.0)).saturating_mul(self.full_flow());
        let back = (i128::from(cost) * self.unit).saturating_sub(flowed).max(0);
        let to_common = back.min(self.common_max - self.common);
        self.common += to_common;
        self.reserve = (self.reserve + back - to_common).min(self.reserve_max);
    }

    /// The target says in the answer to a call that only so many are left: never more than we thought, but for the first
    /// time where its word is about the whole window.
    pub(crate) fn shrink(&mut self, left: u64, permit: u64, now: Mono) {
        self.flow_in(now);
        if self.spec.told && self.unheard_since.is_some_and(|last| permit > last) {
            self.unheard_since = None;
            let told = (i128::from(left) * self.unit).min(self.common_max + self.reserve_max);
            if told > self.common + self.reserve {
                // Divided as the flow is.
                self.reserve = (told * self.reserve_pct / 100).min(self.reserve_max);
                self.common = told - self.reserve;
            }
        }
        let excess = (self.common + self.reserve - i128::from(left) * self.unit).max(0);
        let from_common = excess.min(self.common.max(0));
        self.common -= from_common;
        self.reserve -= (excess - from_common).min(self.reserve);
    }

    /// Empties it; nothing flows before `until`. What is left then, the target says: to calls after the `last` one.
    pub(crate) fn drain(&mut self, until: Mono, last: u64, now: Mono) {
        self.flow_in(now);
        self.common = self.common.min(0);
        self.reserve = 0;
        self.unheard_since = Some(last);
        self.at = self.at.max(until);
    }

    /// Nothing is paid from it before then, or later where that was said before.
    pub(crate) fn close(&mut self, until: Mono) {
        self.closed_until = self.closed_until.max(until);
    }

    /// The target throttled the call of `permit`; `last` is the last one given. Calls that went before the last cut
    /// say nothing new.
    pub(crate) fn cut(&mut self, permit: u64, last: u64, now: Mono) {
        if !self.spec.shared || permit <= self.cut_after {
            return;
        }
        self.flow_in(now);
        self.share = (self.share / 2).max(SHARE_MIN);
        self.cut_after = last;
        self.raised_at = now;
    }

    /// The target took a call.
    pub(crate) fn recover(&mut self, now: Mono) {
        let step = self.spec.per.clamp(Duration::from_secs(1), Duration::from_secs(60));
        if self.share < WHOLE && now.since(self.raised_at) >= step {
            self.flow_in(now);
            self.share = (self.share + SHARE_STEP).min(WHOLE);
            self.raised_at = now;
        }
    }

    /// Units per microsecond.
    fn flow(&self) -> i128 {
        i128::from(self.spec.refill) * i128::from(self.share) * 100
    }

    /// The same, were the whole share ours.
    fn full_flow(&self) -> i128 {
        i128::from(self.spec.refill) * i128::from(WHOLE) * 100
    }

    fn flow_in(&mut self, now: Mono) {
        (self.common, self.reserve) = self.levels(now);
        self.at = self.at.max(now);
    }

    /// Common and reserve at `now`.
    fn levels(&self, now: Mono) -> (i128, i128) {
        let micros = i128::from(now.0.saturating_sub(self.at.0));
        let into_reserve = self.flow() * self.reserve_pct / 100 * micros;
        let into_common = self.flow() * micros - into_reserve;
        let reserve = self.reserve + into_reserve;
        let over = (reserve - self.reserve_max).max(0);
        let common = self.common + into_common + over;
        let back = (common - self.common_max).max(0);
        ((common - back), (reserve - over + back).min(self.reserve_max))
    }
}

/// How long until `missing` has flowed in, rounded up to a microsecond.
fn wait(missing: i128, flow: i128) -> Duration {
    if missing <= 0 {
        return Duration::ZERO;
    }
    let micros = missing / flow.max(1) + i128::from(missing % flow.max(1) != 0);
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

/// How long until `missing` has come into one part of a bucket: by its `own` flow, and by all of it once the `room`
/// in the other part, with its own flow, is full.
fn part_wait(missing: i128, own: i128, room: i128, other: i128) -> Duration {
    let fill = if room <= 0 { Duration::ZERO } else { wait(room, other) };
    if missing <= 0 || own > 0 && wait(missing, own) <= fill {
        return wait(missing, own);
    }
    let micros = i128::from(u64::try_from(fill.as_micros()).unwrap_or(u64::MAX));
    // What runs over in the last microsecond of filling is ours already.
    let over = other * micros - room.max(0);
    fill + wait(missing - own * micros - over, own + other)
}
