//! What an intent writes: how it is kept, and read back.

use std::sync::Arc;

use connector::Write;
use ledger::Intent;
use serde::{Deserialize, Serialize};

/// A write as it is kept. Where it says everything, that is not kept twice.
#[derive(Serialize, Deserialize)]
struct Kept<W> {
    write: W,
    /// `whole` is the same as `fields`, and was left out.
    everything: bool,
}

/// The bytes to keep of a write, which is as before afterwards.
pub(crate) fn keep(write: &mut Write) -> Vec<u8> {
    let everything = Arc::ptr_eq(&write.fields, &write.whole) || write.fields == write.whole;
    let whole = if everything { std::mem::take(&mut write.whole) } else { Arc::default() };
    let kept = serde_json::to_vec(&Kept { write: &*write, everything }).unwrap_or_default();
    if everything {
        write.whole = whole;
    }
    kept
}

/// The write as it was rendered; `None` when it is not kept any more, or can't be read.
pub(crate) fn written(intent: &Intent) -> Option<Write> {
    let Kept { mut write, everything } = serde_json::from_slice::<Kept<Write>>(&intent.call).ok()?;
    if everything {
        write.whole.clone_from(&write.fields);
    }
    Some(write)
}
