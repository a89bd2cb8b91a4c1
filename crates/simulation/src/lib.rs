//! The hub on a virtual clock: a seeded scheduler, a store that loses unsynced writes, targets that lose answers,
//! apply late and fail. Sees no tokio, no sockets, no clock.

mod checks;
mod driver;
#[cfg(test)]
mod intake_tests;
mod said;
mod scenario;
mod target;
#[cfg(test)]
mod tests;

pub use checks::{Verdict, judge};
pub use driver::{Options, Simulation};
pub use scenario::{Class, configuration, sayings};
pub use target::{Faults, Target};
