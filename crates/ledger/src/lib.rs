//! The ledger: what level a system must reach (obligations), what is on its way (intents), and how each ended; what
//! failed alike (groups), and what was ordered for many at once (jobs).
//!
//! Pure: outcomes and time come in, decisions come out.

mod association;
mod fingerprint;
mod group;
mod intent;
mod job;
mod obligation;
mod outcome;
mod recover;
mod reshape;
mod route;
mod settle;
mod shadow;
#[cfg(test)]
mod tests;
mod words;

pub use association::{Association, Moving, Step};
pub use fingerprint::{FINGERPRINT_VERSION, fingerprint};
pub use group::{Group, GroupKind, Left, Member, Place, Sample, Trend, name_of};
pub use intent::{IdempotencyClass, Intent, IntentState, Membership};
pub use job::{Action, Job, JobState, Kept, PACE_MAX, PLAN_LIVES, Page, Portion, Scope, Tally, Unfit};
pub use obligation::{
    Aside, Lane, Level, Obligation, ObligationKey, PASSED_OVER, Reason, State, Subject, Waiting,
};
pub use outcome::{Class, Outcome, Refusal, Wait};
pub use recover::{Recovery, recover};
pub use reshape::{EventLine, Fate, FieldLine, ObjectLine, Reshape, Shown, Side, WriteLine};
pub use route::{OnExit, Route, RouteKind};
pub use settle::{Next, RetryPolicy, Settling, settle};
pub use shadow::{Edit, Recent, Shadow};
pub use words::unprobed;
