//! The sandbox's one look at the wall clock; everything else is told the time.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01T00:00:00Z; 0 if the machine's clock stands before that.
#[expect(
    clippy::disallowed_methods,
    reason = "the sandbox stands outside the product and has a clock of its own"
)]
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
