//! Tests of the whole crate.

mod batch;
mod builtin;
pub(crate) mod fixture;
mod hostile;
mod listing;
mod manifest;
