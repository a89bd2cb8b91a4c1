//! Lags: a distribution of times that costs one atomic addition to feed and can be subtracted from a later one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Slots per doubling: a quantile is right to within 1/8.
const SLOTS: usize = 8;
/// Doublings covered, from 1 µs: the last holds everything from about 9.5 h.
const DOUBLINGS: usize = 36;
const CELLS: usize = SLOTS * DOUBLINGS;

/// A distribution of times at one moment. Subtract an earlier one for that of an interval.
#[derive(Clone, PartialEq, Eq)]
pub struct Lags {
    cells: Box<[u64; CELLS]>,
}

/// The growing distribution behind [`Lags`].
#[derive(Debug)]
pub(crate) struct LagCells(Box<[AtomicU64; CELLS]>);

fn cell_of(lag: Duration) -> usize {
    let micros = u64::try_from(lag.as_micros()).unwrap_or(u64::MAX).max(1);
    let doubling = micros.ilog2() as usize;
    // The three bits under the highest one choose the slot.
    let below = if doubling >= 3 { micros >> (doubling - 3) } else { micros << (3 - doubling) };
    let slot = usize::try_from(below & 7).unwrap_or(0);
    (doubling * SLOTS + slot).min(CELLS - 1)
}

/// The upper end of a cell.
fn end_of(cell: usize) -> Duration {
    let (doubling, slot) = (cell / SLOTS, cell % SLOTS);
    let eighth = f64::from(u32::try_from(slot + 1).unwrap_or(8)) / 8.0;
    let base = f64::from(u32::try_from(doubling).unwrap_or(36)).exp2();
    Duration::from_secs_f64(base * (1.0 + eighth) / 1e6)
}

impl LagCells {
    pub(crate) fn new() -> Self {
        Self(Box::new(std::array::from_fn(|_| AtomicU64::new(0))))
    }

    pub(crate) fn add(&self, lag: Duration) {
        self.0[cell_of(lag)].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Lags {
        Lags { cells: Box::new(std::array::from_fn(|i| self.0[i].load(Ordering::Relaxed))) }
    }
}

impl Default for Lags {
    fn default() -> Self {
        Self { cells: Box::new([0; CELLS]) }
    }
}

impl Lags {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.cells.iter().sum()
    }

    /// What came since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut cells = self.cells.clone();
        for (now, then) in cells.iter_mut().zip(earlier.cells.iter()) {
            *now = now.saturating_sub(*then);
        }
        Self { cells }
    }

    /// Both together.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        let mut cells = self.cells.clone();
        for (cell, more) in cells.iter_mut().zip(other.cells.iter()) {
            *cell += more;
        }
        Self { cells }
    }

    /// The time that a share `q` (0 to 1) of all are at or under, at most 1/8 too long; `None` when there are none.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let wanted = ((count as f64 * q.clamp(0.0, 1.0)).ceil() as u64).max(1);
        let mut passed = 0;
        for (cell, n) in self.cells.iter().enumerate() {
            passed += n;
            if passed >= wanted {
                return Some(end_of(cell));
            }
        }
        None
    }
}

impl std::fmt::Debug for Lags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lags({} times, p50 {:?}, p99 {:?})", self.count(), self.quantile(0.5), self.quantile(0.99))
    }
}

#[cfg(test)]
mod tests;
