//! The way out: it alone holds secrets, completes requests with them, and dials other systems, by HTTP or as databases.
//!
//! A request comes in relative to its system's base address and without a credential; it leaves with both. Every
//! address is judged where it is resolved, every exchange ends at its time limit, every answer has a size bound,
//! and a failure says whether anything can have reached the target. What a vendor repeats of a credential goes no further.

mod auth;
mod client;
mod connection;
mod database;
mod door;
mod egress;
mod failure;
mod gate;
mod line;
mod resolve;
mod veils;

pub use auth::{Asked, Authorised, Consented};
pub use client::operator;
pub use connection::{Connection, RegisterError, Timeouts};
pub use egress::{AuthoriseError, Egress, Options, OptionsError};

#[cfg(test)]
mod tests;
