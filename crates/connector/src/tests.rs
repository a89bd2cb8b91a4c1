//! Tests of the whole crate.

mod batch;
mod builtin;
pub(crate) mod fixture;
mod hostile;
mod job;
mod listing;
mod manifest;
