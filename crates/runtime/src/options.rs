//! What a runtime is started with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use canonical::{System, Tenant};
use hub::{Machine, MachineId};
use telemetry::Registry;

use crate::clock::Clock;
use crate::ports::{Network, Storage};

/// Everything a runtime needs. It reads nothing else.
pub struct Options {
    /// Whose hub it is.
    pub tenant: Tenant,
    /// The machines to drive; [`MachineId::Intake`] once.
    pub machines: Vec<(MachineId, Box<dyn Machine>)>,
    /// Where state is kept.
    pub store: Arc<dyn Storage>,
    /// What carries requests.
    pub network: Arc<dyn Network>,
    /// What is told of everything that happens.
    pub telemetry: Arc<Registry>,
    /// The clocks.
    pub clock: Clock,
    /// Where paths that are not absolute start.
    pub folder: PathBuf,
    /// Bounds.
    pub limits: Limits,
    /// Called at named points, so that a test can end the process exactly there.
    pub crash: Option<CrashHook>,
}

/// One of many tenants may still have so many offers waiting.
const OFFERS_MIN: usize = 64;
/// One of many tenants may still have so many bytes of messages waiting.
const OFFER_BYTES_MIN: usize = 8 * 1024 * 1024;

/// Bounds of what is taken from outside (I19).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Offers that may wait for their acknowledgement at once.
    pub offers_max: usize,
    /// Bytes of messages in those offers.
    pub offer_bytes_max: usize,
    /// How long an offer waits for room before it is refused.
    pub offer_wait: Duration,
}

impl Limits {
    /// The same for one of so many tenants: what all of them may have waiting is split, so that one that floods takes
    /// nothing of another's. Each keeps enough for a batch.
    #[must_use]
    pub fn one_of(self, tenants: usize) -> Self {
        let tenants = tenants.max(1);
        Self {
            offers_max: (self.offers_max / tenants).max(OFFERS_MIN.min(self.offers_max)),
            offer_bytes_max: (self.offer_bytes_max / tenants).max(OFFER_BYTES_MIN.min(self.offer_bytes_max)),
            ..self
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { offers_max: 1024, offer_bytes_max: 64 * 1024 * 1024, offer_wait: Duration::from_millis(500) }
    }
}

/// A moment at which a crash must lose nothing and double nothing (I1, I3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CrashPoint {
    /// Messages are durable, and nobody has been told yet.
    AcceptCommitted,
    /// A page of a job is durable, and nobody has been told yet.
    PageCommitted,
    /// An intent is durable, and its request has not left.
    IntentCommitted(System),
    /// A target has answered, and what it said is not durable.
    EffectAnswered {
        /// The target.
        system: System,
        /// The manifest's operation.
        operation: String,
    },
}

/// Called at each crash point.
pub type CrashHook = Arc<dyn Fn(&CrashPoint) + Send + Sync>;

#[cfg(test)]
mod tests {
    //! What tenants share is split, and nobody's part is too small to work with.
    use super::Limits;

    #[test]
    fn bounds_are_split_among_tenants() {
        let all = Limits::default();
        assert_eq!(all.one_of(1), all, "one tenant has all of it");
        let four = all.one_of(4);
        assert_eq!((four.offers_max * 4, four.offer_bytes_max * 4), (all.offers_max, all.offer_bytes_max));
        assert_eq!(four.offer_wait, all.offer_wait);
        let crowd = all.one_of(1000);
        assert_eq!((crowd.offers_max, crowd.offer_bytes_max), (64, 8 * 1024 * 1024));
        let small = Limits { offers_max: 2, offer_bytes_max: 100, ..all };
        assert_eq!(small.one_of(10), small, "never more than there was");
    }
}
