//! The one clock. Everything else is told what time it is.

use std::time::{SystemTime, UNIX_EPOCH};

use canonical::{Mono, Now, Wall};
use tokio::time::Instant;

/// Reads both clocks: a monotonic one from the start of the process, and the wall's.
///
/// The monotonic one is that of the async runtime, so that timers and readings agree, also where a test has
/// paused it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    wall: WallClock,
}

#[derive(Clone, Copy, Debug)]
enum WallClock {
    /// The system's.
    System,
    /// This at the origin, moving with the monotonic clock.
    From(Wall),
}

impl Clock {
    /// The system's clocks, the monotonic one from now.
    #[must_use]
    pub fn system() -> Self {
        Self { origin: Instant::now(), wall: WallClock::System }
    }

    /// A wall clock that reads `start` now and moves with the monotonic clock: for tests.
    #[must_use]
    pub fn starting_at(start: Wall) -> Self {
        Self { origin: Instant::now(), wall: WallClock::From(start) }
    }

    /// Both clocks now.
    #[must_use]
    pub fn now(&self) -> Now {
        let elapsed = self.origin.elapsed();
        let mono = Mono::default() + elapsed;
        let wall = match self.wall {
            WallClock::System => system_wall(),
            WallClock::From(start) => start + elapsed,
        };
        Now { mono, wall }
    }

    /// Waits until the monotonic clock reads `at`.
    pub async fn sleep_until(&self, at: Mono) {
        tokio::time::sleep_until(self.origin + Mono::default().until(at)).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the system's wall clock")]
fn system_wall() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
