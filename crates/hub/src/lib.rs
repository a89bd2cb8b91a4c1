//! The loop logic without I/O: machines that turn inputs into effects.
//!
//! A driver (the runtime's, or the simulation's) performs the effects and returns each answer as an input. A commit
//! is an effect whose answer triggers the send: persist before execute lives here, not in the driver.

pub mod cutover;
pub mod intake;
pub mod jobs;
mod mark;
pub mod retention;
#[cfg(test)]
mod sample;
pub mod spoke;
mod stated;
pub mod steady;
mod turn;
mod written;

pub mod versions;

pub use intake::Intake;
pub use jobs::Jobs;
pub use mark::Mark;
pub use retention::Retention;
pub use spoke::Spoke;
pub use stated::Stated;
pub use turn::{
    Ack, Arrival, Busy, Delivery, Description, Effect, Hearing, Input, Listed, Machine, MachineId, Notice,
    Offer, Order, Origin, Planned, Raised, RunningJob, Taken, TakenAs, Ticket, Turn,
};
