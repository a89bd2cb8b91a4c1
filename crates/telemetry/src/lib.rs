//! What happened, told outside: the catalogue of metrics, the registry, live counters and logs.
//!
//! The hub notes facts ([`hub::Mark`]); [`Registry::note`] maps every one of them to a metric, to the live
//! counters, and the few that a person must hear of to a log line. Nothing here reads a clock or prints.

mod catalogue;
mod lags;
pub mod logs;
mod registry;
mod snapshot;
mod voice;

pub use catalogue::Refused;
pub use lags::Lags;
pub use registry::Registry;
pub use snapshot::{Gauges, Snapshot, SystemFigures, Totals};
