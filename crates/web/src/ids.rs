//! Ids of requests: one source for the whole process.
//!
//! An id is shown to whoever asks, and tells nothing but itself: not how many requests there were before it, not when
//! the process started, and not which router answered. It is a number of the process's own, under a key that nobody has.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

struct Ids {
    key: [u8; 32],
    next: AtomicU64,
}

static IDS: LazyLock<Ids> = LazyLock::new(|| {
    let mut key = [0; 32];
    // Without randomness no machine is started: there would be nobody to answer.
    let _none = getrandom::fill(&mut key).is_err();
    Ids { key, next: AtomicU64::new(0) }
});

/// The next id.
pub(crate) fn next() -> String {
    let number = IDS.next.fetch_add(1, Ordering::Relaxed);
    let hash = blake3::keyed_hash(&IDS.key, &number.to_le_bytes());
    let shown = hash.as_bytes().iter().take(12).map(|byte| format!("{byte:02x}"));
    ["req_".to_owned()].into_iter().chain(shown).collect()
}
