//! Systems: what is known of one besides its configuration.

use std::collections::BTreeMap;

use canonical::{IntentId, Object, System, Tenant, Wall};
use serde::{Deserialize, Serialize};

use crate::standing::StandingOrders;

/// What is known of a system besides its configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SystemState {
    /// Whose.
    pub tenant: Tenant,
    /// Which.
    pub system: System,
    /// The account it was connected to, once probed.
    pub instance: Option<String>,
    /// Why it is paused, and by whom; `None` when it is not.
    pub paused: Option<String>,
    /// A rotating credential, sealed by egress' own means before it gets here. Stored as it is.
    pub credential: Option<Vec<u8>>,
    /// Counts up with each credential change: the key scope.
    pub credential_generation: i64,
    /// Until when it asked to be left alone: a limit's name, or all of them.
    pub closed: Vec<(Option<String>, Wall)>,
    /// What operators have ordered that stands.
    pub standing: Box<StandingOrders>,
    /// Jobs that run there: what they hold is waited for, and not sent again.
    pub jobs: Vec<BulkJob>,
    /// Kinds of objects whose first listing is not over, where what it shows needs a plan.
    #[serde(default)]
    pub first_listings: BTreeMap<Object, FirstListing>,
}

/// The first listing of a kind of object, until it has come to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FirstListing {
    /// When it was to be read for the first time: what changed before was there before.
    pub since: Wall,
    /// An operator has said that what was there before is taken in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approved: bool,
}

impl SystemState {
    /// The state of a system of which nothing is known yet.
    #[must_use]
    pub fn blank(tenant: Tenant, system: System) -> Self {
        Self {
            tenant,
            system,
            instance: None,
            paused: None,
            credential: None,
            credential_generation: 0,
            closed: Vec::new(),
            standing: Box::default(),
            jobs: Vec::new(),
            first_listings: BTreeMap::new(),
        }
    }
}

/// A job that runs at a target for the records of a batch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BulkJob {
    /// The batch: its intents name it.
    pub batch: IntentId,
    /// The kind of object.
    pub object: Object,
    /// The write operation.
    pub operation: String,
    /// The target's id of it.
    pub job: String,
    /// When the target answered that it began.
    pub since: Wall,
    /// What it holds may be at work. Before, it waits to be filled and closed, and nothing of it is applied.
    #[serde(default = "yes")]
    pub at_work: bool,
    /// How many records it was given.
    pub of: u32,
    /// Their places in the batch, in their order, which is the one in which they were sent; empty: all, from 0 on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<u32>,
}

/// Jobs that were kept before they could be filled are at work from their begin.
const fn yes() -> bool {
    true
}

impl BulkJob {
    /// Which of its records, from 0 on, has that place in the batch; `None`: it is not among them.
    #[must_use]
    pub fn seat(&self, place: u32) -> Option<usize> {
        if self.places.is_empty() {
            return (place < self.of).then(|| usize::try_from(place).ok())?;
        }
        self.places.binary_search(&place).ok()
    }
}
