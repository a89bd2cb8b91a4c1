//! A wall clock that does not jump (I17): it goes on with the monotonic one, and follows the system's.
//!
//! Small steps are followed at once. A larger one forwards is believed once it has stood for so long that whatever was
//! on its way before it has arrived or never will: waits that were counted by the wall clock are then over by the
//! monotonic one too. A larger one back is not believed at all while the process lives: what was due would be due later
//! than it was.

use std::time::Duration;

use canonical::{Mono, Wall};
use planted::Bug;

/// Steps up to this are followed at once.
pub const STEP_MAX: Duration = Duration::from_secs(2);
/// A larger one forwards is followed after it has stood for so long.
pub const BELIEVED_AFTER: Duration = Duration::from_secs(300);

/// What the hub takes the wall clock for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Steady {
    /// Microseconds that the wall clock is ahead of the monotonic one.
    ahead: i64,
    /// By how much the system's clock is ahead instead, and since when.
    odd: Option<(i64, Mono)>,
}

/// Something about the system's clock that a person should hear of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// It has jumped by so many microseconds, and is not followed for now.
    Jumped(i64),
    /// It is followed again, after it was so many microseconds off.
    Followed(i64),
}

impl Steady {
    /// Begins with what the system's clock says.
    #[must_use]
    pub fn new(mono: Mono, system: Wall) -> Self {
        Self { ahead: ahead(mono, system), odd: None }
    }

    /// The wall clock at that moment.
    #[must_use]
    pub fn wall(&self, mono: Mono) -> Wall {
        Wall(i64::try_from(mono.0).unwrap_or(i64::MAX).saturating_add(self.ahead))
    }

    /// Looks at the system's clock. Says when that is worth a line in the log.
    pub fn look(&mut self, mono: Mono, system: Wall) -> Option<Heard> {
        let now = ahead(mono, system);
        let off = now.saturating_sub(self.ahead);
        if is_small(off) || planted::is(Bug::EveryJumpIsFollowed) {
            self.ahead = now;
            return self.odd.take().map(|_| Heard::Followed(off));
        }
        match self.odd {
            Some((known, since)) if is_small(now.saturating_sub(known)) => {
                if off > 0 && mono.since(since) >= BELIEVED_AFTER {
                    (self.ahead, self.odd) = (now, None);
                    return Some(Heard::Followed(off));
                }
                None
            }
            _ => {
                self.odd = Some((now, mono));
                Some(Heard::Jumped(off))
            }
        }
    }
}

fn ahead(mono: Mono, wall: Wall) -> i64 {
    wall.micros().saturating_sub(i64::try_from(mono.0).unwrap_or(i64::MAX))
}

fn is_small(step: i64) -> bool {
    u128::from(step.unsigned_abs()) <= STEP_MAX.as_micros()
}

#[cfg(test)]
mod tests {
    //! Jumps of every size, and what is made of them.
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    /// The clock after `seconds` of the monotonic one, with the system's so many microseconds off all the while.
    fn run(steady: &mut Steady, from: u64, seconds: u64, off: i64) -> (Vec<Heard>, i64) {
        let mut heard = Vec::new();
        for second in from..from + seconds {
            let mono = Mono(second * 1_000_000);
            let true_wall = i64::try_from(mono.0).unwrap() + HOUR;
            heard.extend(steady.look(mono, Wall(true_wall + off)));
        }
        let end = Mono((from + seconds - 1) * 1_000_000);
        (heard, steady.wall(end).micros() - HOUR - i64::try_from(end.0).unwrap())
    }

    #[test]
    fn i17_small_steps_are_followed_and_large_ones_are_not() {
        let mut steady = Steady::new(Mono(0), Wall(HOUR));
        assert_eq!(run(&mut steady, 1, 10, 0), (vec![], 0));
        for off in [1_500_000, -400_000, 0] {
            assert_eq!(run(&mut steady, 20, 10, off), (vec![], off));
        }
        for off in [HOUR, -HOUR, 26 * HOUR, -90_000_000, 90_000_000] {
            assert_eq!(run(&mut steady, 40, 100, off), (vec![Heard::Jumped(off)], 0), "{off}");
            let (heard, after) = run(&mut steady, 140, 1, 0);
            assert_eq!((heard, after), (vec![Heard::Followed(0)], 0), "it came back");
        }
    }

    #[test]
    fn i17_a_step_forwards_that_stands_is_believed_and_one_back_never() {
        let mut steady = Steady::new(Mono(0), Wall(HOUR));
        let (heard, off) = run(&mut steady, 1, 300, HOUR);
        assert_eq!((heard, off), (vec![Heard::Jumped(HOUR)], 0), "not before its time");
        assert_eq!(run(&mut steady, 301, 2, HOUR), (vec![Heard::Followed(HOUR)], HOUR));
        let (heard, off) = run(&mut steady, 303, 10_000, 0);
        assert_eq!((heard, off), (vec![Heard::Jumped(-HOUR)], HOUR));
    }

    #[test]
    fn i17_one_that_jumps_about_is_not_believed() {
        let mut steady = Steady::new(Mono(0), Wall(HOUR));
        for minute in 0..60 {
            let off = if minute % 2 == 0 { HOUR } else { 2 * HOUR };
            let (_, believed) = run(&mut steady, 1 + minute * 60, 60, off);
            assert_eq!(believed, 0);
        }
    }
}
