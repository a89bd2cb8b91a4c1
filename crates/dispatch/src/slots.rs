//! How many calls may be in flight: the configured cap, and less while the target has trouble with so many.
//!
//! Additive increase, multiplicative decrease, on two signals: a target without rate limits throttles, or its answers
//! take much longer than they used to. Answers are compared with those of their own operation, whose usual time
//! follows quickly what is usual and slowly what is not: a target that is slow for good gets its calls back.

use std::time::Duration;

use canonical::Mono;

/// How soon a lowered cap rises by one.
const STEP: Duration = Duration::from_secs(1);
/// Answers that are looked at together, at least.
const ANSWERS_MIN: u32 = 8;
/// Slower than usual by less is no sign of anything.
const MARGIN: Duration = Duration::from_millis(50);

/// How long answers of an operation take.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Usual {
    mean: Option<Duration>,
    /// The mean of how far answers are from the mean.
    spread: Duration,
}

impl Usual {
    /// The typical time, once there was an answer.
    pub(crate) const fn mean(&self) -> Option<Duration> {
        self.mean
    }

    /// Takes one in. Gives whether it took much longer than usual.
    pub(crate) fn learn(&mut self, took: Duration) -> bool {
        let Some(mean) = self.mean else {
            (self.mean, self.spread) = (Some(took), took / 2);
            return false;
        };
        let slow = took > mean + mean.max(self.spread.saturating_mul(3)).max(MARGIN);
        let weight = if slow { 32 } else { 8 };
        let drawn = |old: Duration, new: Duration| old.saturating_mul(weight - 1) / weight + new / weight;
        self.mean = Some(drawn(mean, took));
        self.spread = drawn(self.spread, took.abs_diff(mean));
        slow
    }
}

/// The cap in force.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    most: u32,
    now: u32,
    moved_at: Mono,
    /// Of the calls that went since the cap last moved: how many were answered, and how many of them slowly.
    answers: u32,
    slow: u32,
    /// Calls up to this one went before that.
    after: u64,
}

impl Slots {
    pub(crate) fn new(most: u32, now: Mono) -> Self {
        let most = most.max(1);
        Self { most, now: most, moved_at: now, answers: 0, slow: 0, after: 0 }
    }

    /// The cap in force; at least 1.
    pub(crate) const fn now(&self) -> u32 {
        self.now
    }

    /// The configured one.
    pub(crate) const fn most(&self) -> u32 {
        self.most
    }

    /// An answer came to the call of this number; `newest` is the number of the newest call.
    pub(crate) fn learn(&mut self, call: u64, slow: bool, newest: u64, now: Mono) {
        if call <= self.after {
            return;
        }
        self.answers += 1;
        self.slow += u32::from(slow);
        if self.answers < self.now.max(ANSWERS_MIN) {
            return;
        }
        if self.slow * 2 > self.answers && self.now > 1 {
            self.lower(self.now * 3 / 4, newest, now);
        } else {
            (self.answers, self.slow) = (0, 0);
        }
    }

    /// The target throttled, and has no other limit that could be lowered.
    pub(crate) fn halve(&mut self, newest: u64, now: Mono) {
        self.lower(self.now / 2, newest, now);
    }

    fn lower(&mut self, to: u32, newest: u64, now: Mono) {
        (self.now, self.moved_at, self.after) = (to.max(1), now, newest);
        (self.answers, self.slow) = (0, 0);
    }

    /// The target took the call of this number well: after a while, one more. One that went before the cap was lowered
    /// says nothing.
    pub(crate) fn recover(&mut self, call: u64, now: Mono) {
        let well = call > self.after && self.slow * 4 <= self.answers;
        if well && self.now < self.most && now.since(self.moved_at) >= STEP {
            (self.now, self.moved_at) = (self.now + 1, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    fn used_to(took: Duration) -> Usual {
        let mut usual = Usual::default();
        for _ in 0..50 {
            assert!(!usual.learn(took));
        }
        usual
    }

    #[test]
    fn an_answer_is_slow_beside_those_before_it() {
        assert!(!used_to(ms(100)).learn(ms(190)));
        assert!(used_to(ms(100)).learn(ms(250)));
        assert!(!used_to(ms(2)).learn(ms(40)), "a few milliseconds are no sign");
        let mut wild = Usual::default();
        for n in 0..100 {
            wild.learn(if n % 2 == 0 { ms(100) } else { ms(500) });
        }
        assert!(!wild.learn(ms(900)), "its answers have always differed");
    }

    #[test]
    fn what_is_slow_for_good_becomes_usual() {
        let mut usual = used_to(ms(100));
        let turn = (0..500).position(|_| !usual.learn(ms(600)));
        assert!(turn.is_some_and(|answers| answers >= 8), "{turn:?}");
    }

    #[test]
    fn slow_answers_lower_the_cap_and_quick_ones_raise_it() {
        let mut slots = Slots::new(16, Mono(0));
        let (mut call, mut at) = (0, Mono(0));
        let mut answer = |slots: &mut Slots, slow: bool| {
            call += 1;
            at = at + ms(100);
            slots.learn(call, slow, call, at);
            if !slow {
                slots.recover(call, at);
            }
            slots.now()
        };
        let mut caps: Vec<u32> = (0..80).map(|_| answer(&mut slots, true)).collect();
        caps.dedup();
        assert_eq!(caps, [16, 12, 9, 6, 4, 3, 2, 1]);
        let mut caps: Vec<u32> = (0..200).map(|_| answer(&mut slots, false)).collect();
        caps.dedup();
        assert_eq!(caps, (1..=16).collect::<Vec<u32>>());
        for n in 0..64 {
            assert_eq!(answer(&mut slots, n % 2 == 0), 16, "as many quick ones as slow ones are no sign");
        }
    }

    /// The answers of a burst all say the same once.
    #[test]
    fn calls_that_went_before_say_nothing_more() {
        let mut slots = Slots::new(16, Mono(0));
        for call in 1..=64 {
            slots.learn(call, true, 64, Mono(0));
        }
        assert_eq!(slots.now(), 12);
    }
}
