//! Trust and privacy decisions: webhook signatures, sealing, redaction, veils over credentials, covered positions, address
//! ranges, databases' addresses, size limits.
//!
//! Pure: bytes in, a decision out. Time, nonces and keys are arguments; nothing here does I/O.

pub mod address;
pub mod cover;
pub mod database;
pub mod disguise;
pub mod limits;
pub mod redact;
pub mod seal;
pub mod secret;
pub mod signature;
pub mod veil;

pub use secret::{Redacted, Secret};
