//! Accept decisions: dedupe, identity, order, ownership, facts; what waits for a backlog. Pure: a view comes in, a verdict goes out.

mod conflict;
mod decide;
mod grave;
mod identity;
mod key;
mod link;
mod merge;
mod message;
mod pressure;
mod raise;
mod reference;
mod repoint;
mod reshape;
mod restored;
mod revive;
mod second;
mod sight;
mod verdict;
mod view;

#[cfg(test)]
mod tests;

pub use conflict::{Choice, compare, settle};
pub use decide::decide;
pub use grave::Grave;
pub use identity::{referred, subject};
pub use key::{kept_keys, match_values, match_values_named};
pub use link::Link;
pub use message::{Message, MessageState};
pub use pressure::{Bounds, Cause, Door, Feed, Pressure, Waiting};
pub use reference::referenced;
pub use reshape::{Carried, Order, Reshaped, There, Whole, merge, split};
pub use restored::unverified;
pub use verdict::{Accepted, Context, Decision, DecisionKind, Incoming, Raise, Replay, Verdict};
pub use view::{Ask, View};
