//! What may run now: lanes, buckets, caps, breaker, order.
//!
//! One [`Dispatcher`] per tenant and system holds what is wanted of it and decides, call by call, which may go. It
//! does no I/O and reads no clock: wishes, answers and time come in, permits come out.
//!
//! | question | answered by |
//! |---|---|
//! | whose turn is it? | `flows`: weighted lanes, per set of limits drawn from; none starves |
//! | which of that flow? | `queue`: by due time, then sequence; one in flight per record and object |
//! | may the system be called at all? | pause, cool-down: `dispatcher`; calls at once: `slots` |
//! | is the operation ill? | `breaker` |
//! | are these the lane's hours? | `window`; the spoke says so to the dispatcher |
//! | is there budget? | `bucket`, one per window of the vendor's limits; a call draws from some of them: `draw` |
//! | who may go along in one call? | `dispatcher::party`: those of its party that are ready and as urgent |
//! | what may not go at once? | `serial`: calls about the same key, such as a parent |
//! | when will so many calls be through? | `dispatcher::forecast` |
//! | who may pass one that waits for budget? | `dispatcher::choice`: whoever does not make it wait longer |
//!
//! Admission asks all of them and takes everything at once, or nothing: no call waits while holding anything.

mod breaker;
mod bucket;
mod dispatcher;
mod draw;
mod flows;
mod limits;
mod queue;
mod serial;
mod slots;
mod snapshot;
#[cfg(test)]
mod tests;
mod window;

pub use breaker::Forced;
pub use dispatcher::{Binds, Change, Dispatcher, Forecast, Party, Permit, WAIT_MAX, Wanted};
pub use draw::BucketSet;
pub use limits::{BreakerSpec, BucketSpec, Limits, Scope};
pub use snapshot::{BreakerState, BreakerView, BucketView, Snapshot};
pub use window::{Span, Windows};
