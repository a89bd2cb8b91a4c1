//! The thin driver: machines on tasks, effects performed, drain and stop.
//!
//! One task per machine. A task waits for inputs or for the machine's next wake-up, hands over everything that is
//! queued with one reading of the clocks, then performs the effects in order. Nothing here decides: what a machine
//! wants is done as it says, and each answer comes back as an input.
//!
//! Memory stays bounded (I19) because a machine's queue holds only what is bounded elsewhere: offers from outside by
//! the handle's permits, answers by the effects that asked for them, notices by the commits that raised them.

mod archive;
mod change;
pub mod clock;
mod credential;
mod driver;
mod entropy;
mod handle;
mod options;
mod outside;
mod perform;
mod ports;
mod shared;
mod start;
mod watch;

pub use connector::{Failure, Request, Response};
pub use handle::{DrainError, Handle, NotReady, OrderError};
pub use options::{CrashHook, CrashPoint, Limits, Options};
pub use ports::{AuthoriseError, BoxFuture, Fresh, Network, Seal, Storage, Wire};
pub use shared::Ended;
pub use start::{Runtime, StartError};
pub use watch::{ReadThrough, Standing, WATCHED_MAX, Watch};

#[cfg(test)]
mod tests;
