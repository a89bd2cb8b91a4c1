//! The system's own books: what it holds, who called when, which side effects happened. The oracle's only source.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::shelf::{Action, Object, Shelf, text_of};

/// Calls remembered one by one; older ones stay only in the sums.
const RING: usize = 1 << 20;

/// A copy of everything the oracle may ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Books {
    /// The instance's identity.
    pub account: String,
    /// Objects by type and id, archived ones included.
    pub objects: BTreeMap<String, BTreeMap<String, Object>>,
    /// Live objects of one type that share a business id.
    pub duplicates: Vec<Duplicate>,
    /// Writes by integrations whose version was lower than one already applied to the object.
    pub backwards: Vec<Backwards>,
    /// Side effects that can't be taken back, by counter and business id: `invoice_numbers_used`, `mails_sent`; of a
    /// HubSpot-shaped CRM also `associations_made` and `associations_ended`, by the two objects.
    pub effects: BTreeMap<String, BTreeMap<String, u64>>,
    /// Calls received.
    pub calls: Calls,
    /// Webhooks sent.
    pub webhooks: WebhookBook,
    /// Faults that fired, by kind.
    pub faults: BTreeMap<String, u64>,
    /// Books of the sink's lanes; empty elsewhere.
    pub lanes: BTreeMap<String, LaneBook>,
}

/// Live objects of one type that share a business id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicate {
    /// Object type.
    pub object_type: String,
    /// The shared id.
    pub business_id: String,
    /// The vendor's ids of the objects, two at least.
    pub ids: Vec<String>,
}

/// One write that carried an older version than its object had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backwards {
    /// Object type.
    pub object_type: String,
    /// The vendor's id.
    pub id: String,
    /// The highest version before.
    pub had: String,
    /// The version written.
    pub got: String,
    /// When.
    pub at_ms: u64,
}

/// Calls received, throttled ones included; the admin API is not counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    /// How many.
    pub total: u64,
    /// By operation, such as `search`.
    pub by_operation: BTreeMap<String, u64>,
    /// By status answered; 0 is no answer.
    pub by_status: BTreeMap<u16, u64>,
    /// By second of the world's time.
    pub per_second: BTreeMap<u64, u64>,
    /// Most requests in service at one moment.
    pub peak_concurrency: u64,
}

/// Webhooks sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookBook {
    /// Events that happened.
    pub events: u64,
    /// Events nobody had subscribed to when they happened.
    pub unheard: u64,
    /// Requests sent, retries included.
    pub sent: u64,
    /// Requests answered with 2xx.
    pub acked: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Events lost: attempts spent, queue full, or dropped by a fault.
    pub given_up: u64,
    /// Events waiting.
    pub pending: u64,
}

/// What one lane of the sink received.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneBook {
    /// Writes that took effect, repeats included.
    pub received: u64,
    /// Different keys.
    pub unique: u64,
    /// Writes of a key with the version it already had (POST: of a key seen before).
    pub duplicates: u64,
    /// Writes of a key with a lower version than it had.
    pub backwards: u64,
    /// Answers replayed for a known idempotency key; they had no effect.
    pub replayed: u64,
    /// Business id to the keys that hold it, each with its version. Two keys are one record made twice.
    #[serde(default)]
    pub records: BTreeMap<String, BTreeMap<String, Option<String>>>,
}

/// Running sums behind [`Calls`] and the effect counters.
#[derive(Debug, Default)]
pub(crate) struct Log {
    total: u64,
    by_operation: BTreeMap<&'static str, u64>,
    by_status: BTreeMap<u16, u64>,
    per_second: BTreeMap<u64, u64>,
    ring: VecDeque<(u64, &'static str)>,
    pub(crate) peak: u64,
    effects: BTreeMap<&'static str, BTreeMap<String, u64>>,
}

impl Log {
    pub(crate) fn call(&mut self, now_ms: u64, operation: &'static str, status: u16) {
        self.total += 1;
        *self.by_operation.entry(operation).or_default() += 1;
        *self.by_status.entry(status).or_default() += 1;
        *self.per_second.entry(now_ms / 1000).or_default() += 1;
        if self.ring.len() == RING {
            self.ring.pop_front();
        }
        self.ring.push_back((now_ms, operation));
    }

    pub(crate) fn effect(&mut self, counter: &'static str, business_id: &str) {
        *self.effects.entry(counter).or_default().entry(business_id.to_owned()).or_default() += 1;
    }

    /// The most calls in any window of this length (I9), of one operation or of all.
    pub(crate) fn busiest(&self, window_ms: u64, operation: Option<&str>) -> u64 {
        let mut window: VecDeque<u64> = VecDeque::new();
        let mut most = 0;
        for (at_ms, name) in &self.ring {
            if operation.is_some_and(|wanted| wanted != *name) {
                continue;
            }
            while window.front().is_some_and(|first| first.saturating_add(window_ms) <= *at_ms) {
                window.pop_front();
            }
            window.push_back(*at_ms);
            most = most.max(window.len());
        }
        most as u64
    }

    /// When calls came, oldest first, with their operation; the last million at most.
    pub(crate) fn times(&self) -> impl Iterator<Item = (u64, &'static str)> {
        self.ring.iter().copied()
    }

    pub(crate) fn calls(&self) -> Calls {
        Calls {
            total: self.total,
            by_operation: self
                .by_operation
                .iter()
                .map(|(name, count)| ((*name).to_owned(), *count))
                .collect(),
            by_status: self.by_status.clone(),
            per_second: self.per_second.clone(),
            peak_concurrency: self.peak,
        }
    }

    pub(crate) fn effects(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        self.effects.iter().map(|(name, counts)| ((*name).to_owned(), counts.clone())).collect()
    }
}

/// Live objects that share a business id.
pub(crate) fn duplicates(shelf: &Shelf, business_id: &str) -> Vec<Duplicate> {
    let mut found = Vec::new();
    for kind in shelf.kinds() {
        let mut by_id: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for object in shelf.all(kind).filter(|object| object.live()) {
            if let Some(id) = text_of(&object.values, business_id) {
                by_id.entry(id).or_default().push(object.id.clone());
            }
        }
        found.extend(
            by_id.into_iter().filter(|(_, ids)| ids.len() > 1).map(|(business_id, ids)| Duplicate {
                object_type: kind.to_owned(),
                business_id,
                ids,
            }),
        );
    }
    found
}

/// Writes that carried an older version than their object already had (I4).
pub(crate) fn backwards(shelf: &Shelf) -> Vec<Backwards> {
    let mut found = Vec::new();
    for kind in shelf.kinds() {
        for object in shelf.all(kind) {
            let mut high: Option<&str> = None;
            let versions = object
                .history
                .iter()
                .filter(|entry| entry.action != Action::Archive)
                .filter_map(|entry| entry.version.as_deref().map(|version| (entry.at_ms, version)));
            for (at_ms, version) in versions {
                match high {
                    Some(had) if order(version, had).is_lt() => found.push(Backwards {
                        object_type: kind.to_owned(),
                        id: object.id.clone(),
                        had: had.to_owned(),
                        got: version.to_owned(),
                        at_ms,
                    }),
                    _ => high = Some(version),
                }
            }
        }
    }
    found
}

/// Orders versions: as numbers where both are, else as text.
pub(crate) fn order(left: &str, right: &str) -> std::cmp::Ordering {
    match (left.parse::<i128>(), right.parse::<i128>()) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        _ => left.cmp(right),
    }
}
