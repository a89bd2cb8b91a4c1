//! The hub on a virtual clock: a seeded scheduler, a store that loses unsynced writes, vendors that lose answers,
//! apply late, throttle and fail. Sees no tokio, no sockets, no clock.

#[cfg(test)]
mod association_tests;
#[cfg(test)]
mod backlog_tests;
#[cfg(test)]
mod batch_tests;
mod batches;
mod campaign;
mod checks;
#[cfg(test)]
mod circle_tests;
mod driver;
mod estate;
mod hints;
#[cfg(test)]
mod intake_tests;
#[cfg(test)]
mod job_tests;
mod jobs;
mod outside;
mod overtaken;
mod ownership;
#[cfg(test)]
mod ownership_tests;
mod replay;
#[cfg(test)]
mod replay_tests;
mod reshape;
#[cfg(test)]
mod reshape_tests;
mod said;
mod scenario;
#[cfg(test)]
mod tenants_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod vendor;

pub use campaign::{
    HUNT_SEEDS, Hunt, SOMETIMES_AFTER, SeedReport, differs, explain, explain_hunt, hunt, never_happened,
    run_seed,
};
pub use checks::{Verdict, judge};
pub use driver::{Options, Simulation};
pub use estate::{Mode, Violation};
pub use scenario::{Class, batching, batching_in_turn, by_jobs, coded, configuration, in_turn, sayings};
pub use vendor::{Faults, Moods, Vendor};
