//! The ledger: what level a system must reach (obligations), what is on its way (intents), and how each ended.
//!
//! Pure: outcomes and time come in, decisions come out.

mod fingerprint;
mod intent;
mod obligation;
mod outcome;
mod recover;
mod route;
mod settle;
mod shadow;
#[cfg(test)]
mod tests;
mod words;

pub use fingerprint::{FINGERPRINT_VERSION, fingerprint};
pub use intent::{IdempotencyClass, Intent, IntentState};
pub use obligation::{Lane, Level, Obligation, ObligationKey, Reason, State, Subject, Waiting};
pub use outcome::{Class, Outcome, Refusal, Wait};
pub use recover::{Recovery, recover};
pub use route::{OnExit, Route, RouteKind};
pub use settle::{Next, RetryPolicy, Settling, settle};
pub use shadow::{Recent, Shadow};
pub use words::unprobed;
