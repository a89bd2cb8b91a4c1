//! A source's rate: a token bucket on the hub's clock.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use canonical::Mono;

/// Lets `rate` requests per second through on the average, and `burst` at once.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Microseconds between two requests at the average rate.
    every: u64,
    /// How far the schedule may run ahead of the clock.
    ahead_max: u64,
    /// When, at the average rate, the requests so far would have been done (the form of the bucket that needs one
    /// number: the generic cell rate algorithm).
    done_at: Mutex<Mono>,
}

impl Pace {
    /// A full bucket.
    pub(crate) fn new(rate: u32, burst: u32, now: Mono) -> Self {
        let every = 1_000_000 / u64::from(rate.max(1));
        let ahead_max = every * u64::from(burst.max(1));
        Self { every, ahead_max, done_at: Mutex::new(now) }
    }

    /// Takes one, or says how long to wait.
    pub(crate) fn take(&self, now: Mono) -> Result<(), Duration> {
        let mut done_at = self.done_at.lock().unwrap_or_else(PoisonError::into_inner);
        let next = done_at.0.max(now.0) + self.every;
        let latest = now.0 + self.ahead_max;
        if next > latest {
            return Err(Duration::from_micros(next - latest));
        }
        *done_at = Mono(next);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    //! Bursts and averages.
    use super::*;

    #[test]
    fn a_burst_passes_then_the_average_holds() {
        let pace = Pace::new(10, 5, Mono(0));
        assert_eq!((0..20).filter(|_| pace.take(Mono(0)).is_ok()).count(), 5);
        let wait = pace.take(Mono(0)).expect_err("empty");
        assert_eq!(wait, Duration::from_millis(100));
        assert!(pace.take(Mono(0) + wait).is_ok(), "the wait that was named is enough");
        assert!(pace.take(Mono(0) + wait).is_err());
        let passed = (0..10_000_u64).filter(|ms| pace.take(Mono(200_000 + ms * 1000)).is_ok()).count();
        assert!((100..=106).contains(&passed), "{passed} in 10 s at 10 per second");
    }
}
