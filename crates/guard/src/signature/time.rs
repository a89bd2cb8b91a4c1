//! Timestamps in signature headers: seconds, milliseconds or ISO 8601 with an offset.

use canonical::Wall;
use canonical::jiff::Timestamp;

use super::TimeUnit;

/// Reads a timestamp; `None` when it is not one.
pub(super) fn read(text: &str, unit: TimeUnit) -> Option<Wall> {
    // `parse` would take a sign and the like: a signed number has one spelling.
    let digits = || text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<i64>().ok()).flatten();
    match unit {
        TimeUnit::S => digits()?.checked_mul(1_000_000).map(Wall),
        TimeUnit::Ms => digits()?.checked_mul(1_000).map(Wall),
        TimeUnit::Iso => text.parse::<Timestamp>().ok().map(Wall::from_timestamp),
    }
}

/// Writes a timestamp as [`read`] reads it.
pub(super) fn write(at: Wall, unit: TimeUnit) -> String {
    match unit {
        TimeUnit::S => at.millis().div_euclid(1000).to_string(),
        TimeUnit::Ms => at.millis().to_string(),
        TimeUnit::Iso => Wall::from_millis(at.millis().div_euclid(1000) * 1000).to_string(),
    }
}
