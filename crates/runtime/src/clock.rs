//! The one clock. Everything else is told what time it is.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use canonical::{Mono, Now, Wall};
use hub::steady::{Heard, Steady};
use tokio::time::Instant;

/// Both clocks are read within so long, or the reading says nothing about a jump.
const READ_WITHIN: Duration = Duration::from_millis(100);

/// Reads both clocks: a monotonic one from the start of the process, and the wall's, as far as it does not jump (I17,
/// see [`hub::steady`]).
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
    /// The system's, without its jumps. One for the whole process, which lasts as long.
    System(&'static Mutex<Steady>),
    /// This at the origin, moving with the monotonic clock.
    From(Wall),
}

impl Clock {
    /// The system's clocks, the monotonic one from now.
    #[must_use]
    pub fn system() -> Self {
        let steady = Steady::new(Mono::default(), system_wall());
        let wall = WallClock::System(Box::leak(Box::new(Mutex::new(steady))));
        Self { origin: Instant::now(), wall }
    }

    /// A wall clock that reads `start` now and moves with the monotonic clock: for tests.
    #[must_use]
    pub fn starting_at(start: Wall) -> Self {
        Self { origin: Instant::now(), wall: WallClock::From(start) }
    }

    /// Both clocks now.
    #[must_use]
    pub fn now(&self) -> Now {
        match self.wall {
            WallClock::System(steady) => self.steadily(steady),
            WallClock::From(start) => {
                let elapsed = self.origin.elapsed();
                Now { mono: Mono::default() + elapsed, wall: start + elapsed }
            }
        }
    }

    /// The system's own wall clock, with its jumps: for what others judge by the true time, such as the times that
    /// are signed in messages and in requests for tokens. Never for rows.
    #[must_use]
    pub fn others_wall(&self) -> Wall {
        match self.wall {
            WallClock::System(_) => system_wall(),
            WallClock::From(start) => start + self.origin.elapsed(),
        }
    }

    fn steadily(&self, steady: &Mutex<Steady>) -> Now {
        let mut steady = steady.lock().unwrap_or_else(PoisonError::into_inner);
        let mono = Mono::default() + self.origin.elapsed();
        let system = system_wall();
        let after = Mono::default() + self.origin.elapsed();
        // Stopped between the two, they do not belong together.
        let heard = (mono.until(after) <= READ_WITHIN).then(|| steady.look(mono, system)).flatten();
        let wall = steady.wall(mono);
        drop(steady);
        heard.into_iter().for_each(tell);
        Now { mono, wall }
    }

    /// Waits until the monotonic clock reads `at`.
    pub async fn sleep_until(&self, at: Mono) {
        tokio::time::sleep_until(self.origin + Mono::default().until(at)).await;
    }
}

fn tell(heard: Heard) {
    let seconds = |micros: i64| micros / 1_000_000;
    match heard {
        Heard::Jumped(by) => tracing::warn!(
            target: "concord", class = "clock", seconds = seconds(by),
            "the system's clock jumped; what is stored goes on by the hub's own: forwards it follows when that stands \
             for 5 minutes, back after a restart"
        ),
        Heard::Followed(by) => tracing::info!(
            target: "concord", class = "clock", seconds = seconds(by), "the hub follows the system's clock again"
        ),
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the system's wall clock")]
fn system_wall() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
