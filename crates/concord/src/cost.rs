//! What a piece of work costs: CPU time of this thread, so that a busy machine does not count.

use std::hint::black_box;

use rustix::time::{ClockId, clock_gettime};

/// Runs are timed in so many groups, and the middle one counts.
const GROUPS: usize = 15;
/// A group takes at least so long, in microseconds, so that reading the clock does not count.
const GROUP_US_MIN: f64 = 500.0;
/// Most runs in a group.
const RUNS_MAX: u32 = 1 << 16;

/// The median CPU time of one run, in microseconds.
pub(crate) fn median_us<T>(mut run: impl FnMut() -> T) -> f64 {
    let mut runs = 1_u32;
    while runs < RUNS_MAX && group(&mut run, runs) < GROUP_US_MIN {
        runs *= 2;
    }
    let mut groups: Vec<f64> = (0..GROUPS).map(|_| group(&mut run, runs) / f64::from(runs)).collect();
    groups.sort_by(f64::total_cmp);
    groups.get(GROUPS / 2).copied().unwrap_or_default()
}

fn group<T>(run: &mut impl FnMut() -> T, runs: u32) -> f64 {
    let before = cpu_us();
    for _ in 0..runs {
        drop(black_box(run()));
    }
    cpu_us() - before
}

/// CPU time of this thread so far, in microseconds.
fn cpu_us() -> f64 {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "seconds of CPU time are few")]
    let us = spent.tv_sec as f64 * 1e6 + spent.tv_nsec as f64 / 1e3;
    us
}

#[cfg(test)]
mod tests {
    //! More work costs more.
    use super::median_us;

    #[test]
    fn more_work_costs_more() {
        let work = |rounds: u64| median_us(move || (0..rounds).fold(1_u64, |sum, n| sum.rotate_left(3) ^ n));
        let (little, much) = (work(100), work(10_000));
        assert!(little > 0.0 && much > 5.0 * little, "{little} {much}");
    }
}
