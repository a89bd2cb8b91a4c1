//! What one evaluation may still do. Counted, never timed: the same expression stops at the same place everywhere.

use crate::limits::{BYTES_MAX, READ_BYTES_PER_STEP, STEPS_MAX};
use crate::program::Cause;

/// The steps and bytes that are left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    steps: u32,
    bytes: u32,
}

impl Default for Budget {
    /// A whole evaluation's: [`STEPS_MAX`] and [`BYTES_MAX`].
    fn default() -> Self {
        Self { steps: STEPS_MAX, bytes: BYTES_MAX }
    }
}

impl Budget {
    /// Steps that are left.
    #[must_use]
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// Bytes that are left.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        self.bytes
    }

    /// Takes so many steps.
    pub(crate) fn step(&mut self, count: usize) -> Result<(), Cause> {
        take(&mut self.steps, count)
    }

    /// Takes the steps that reading so many bytes costs.
    pub(crate) fn read(&mut self, bytes: usize) -> Result<(), Cause> {
        self.step(bytes / READ_BYTES_PER_STEP)
    }

    /// Takes so many bytes, before they are allocated.
    pub(crate) fn produce(&mut self, bytes: usize) -> Result<(), Cause> {
        take(&mut self.bytes, bytes)
    }

    /// Takes the bytes of a list.
    pub(crate) fn list(&mut self, items: usize) -> Result<(), Cause> {
        self.produce(items.saturating_mul(8))
    }
}

/// What is not there is not taken, and nothing is left: whoever goes on stops again.
fn take(left: &mut u32, count: usize) -> Result<(), Cause> {
    match u32::try_from(count).ok().and_then(|count| left.checked_sub(count)) {
        Some(rest) => {
            *left = rest;
            Ok(())
        }
        None => {
            *left = 0;
            Err(Cause::Budget)
        }
    }
}
