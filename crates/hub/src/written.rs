//! What an intent writes, read back from what was kept of it.

use connector::{Call, Write};
use ledger::Intent;

/// The write as it was rendered; `None` when it is not kept any more, or can't be read.
pub(crate) fn written(intent: &Intent) -> Option<Write> {
    match serde_json::from_slice(&intent.call) {
        Ok(Call::Write(write)) => Some(write),
        _ => None,
    }
}
