//! How long to wait: the target's own word, and jittered back-off. All from entropy that came in.

use std::time::Duration;

use canonical::Wall;

use super::{RetryPolicy, Settling};
use crate::outcome::Outcome;

/// A throttled target that does not say for how long: ten seconds, the most common short window.
const THROTTLE_DEFAULT: Duration = Duration::from_secs(10);
/// A target whose long quota is gone and that does not say until when.
const QUOTA_DEFAULT: Duration = Duration::from_secs(15 * 60);

/// What the target asked for, at most `wait_max`.
pub(super) fn asked(at: Settling<'_>, outcome: &Outcome) -> Option<Duration> {
    outcome.wait.map(|wait| wait.from(at.now).min(at.policy.wait_max))
}

/// When a throttled call may be made again: never earlier than asked, a little later so that not all come at once.
pub(super) fn throttled(at: Settling<'_>, outcome: &Outcome, long: bool) -> Wall {
    let default = if long { QUOTA_DEFAULT } else { THROTTLE_DEFAULT };
    let wait = asked(at, outcome).unwrap_or(default.min(at.policy.wait_max));
    at.now + wait + part(wait / 10, at.jitter)
}

/// Full-jitter exponential back-off: anywhere up to `base × 2^attempts`, at most `cap`.
pub(super) fn back_off(at: Settling<'_>, outcome: &Outcome) -> Wall {
    let wait = part(ceiling(at.policy, tries(at)), at.jitter);
    at.now + wait.max(asked(at, outcome).unwrap_or_default())
}

/// Short, for locks: they are held for a moment, so the ceiling grows three times only, and half of it is sure.
pub(super) fn short(at: Settling<'_>, outcome: &Outcome) -> Wall {
    let wait = half_sure(ceiling(at.policy, tries(at).min(3)), at.jitter);
    at.now + wait.max(asked(at, outcome).unwrap_or_default())
}

/// For another look: as back-off, but half of it is sure, because nothing else slows a chain of looks down.
pub(super) fn look_again(at: Settling<'_>, outcome: &Outcome) -> Wall {
    let wait = half_sure(ceiling(at.policy, tries(at).max(at.intent.probes)), at.jitter);
    at.now + wait.max(asked(at, outcome).unwrap_or_default())
}

/// How often it was tried before: the obligation's attempts, or the intent's own earlier sends.
fn tries(at: Settling<'_>) -> u32 {
    at.attempts.max(at.intent.sends.saturating_sub(1))
}

fn ceiling(policy: RetryPolicy, attempts: u32) -> Duration {
    policy.base.saturating_mul(2_u32.saturating_pow(attempts)).min(policy.cap)
}

fn half_sure(ceiling: Duration, jitter: u64) -> Duration {
    ceiling / 2 + part(ceiling / 2, jitter)
}

/// The share of `whole` that `jitter` is of its range.
fn part(whole: Duration, jitter: u64) -> Duration {
    let micros = (whole.as_micros().min(u128::from(u64::MAX)) * u128::from(jitter)) >> 64;
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}
