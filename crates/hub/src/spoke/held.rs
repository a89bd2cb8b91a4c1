//! The heads that a spoke holds: offered to the dispatcher, and not admitted yet.

use std::collections::BTreeMap;

use canonical::{RecordId, RouteId};
use ledger::{ObligationKey, Subject};
use store::Head;

/// Heads by delivery. Those of events are found by their line, too: what a route tells of a record goes in order (I4).
#[derive(Debug, Default)]
pub(crate) struct Held {
    heads: BTreeMap<ObligationKey, Head>,
    lines: BTreeMap<(RecordId, RouteId, i64), ObligationKey>,
}

impl Held {
    /// Takes the place of what was held of the same delivery.
    pub(crate) fn insert(&mut self, head: Head) {
        if let Some(place) = place_of(&head) {
            self.lines.insert(place, head.key.clone());
        }
        let seq = head.seq;
        let before = self.heads.insert(head.key.clone(), head);
        if let Some(before) = before.filter(|before| before.seq != seq) {
            self.leave_line(&before);
        }
    }

    pub(crate) fn remove(&mut self, key: &ObligationKey) -> Option<Head> {
        let head = self.heads.remove(key)?;
        self.leave_line(&head);
        Some(head)
    }

    fn leave_line(&mut self, head: &Head) {
        if let Some(place) = place_of(head) {
            self.lines.remove(&place);
        }
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Head> {
        self.heads.values()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Events that stand in the line of this one, behind it.
    pub(crate) fn behind(&self, head: &Head) -> Vec<ObligationKey> {
        let Some((record, route, seq)) = place_of(head) else { return Vec::new() };
        let (from, to) = ((record, route.clone(), seq.saturating_add(1)), (record, route, i64::MAX));
        self.lines.range(from..=to).map(|(_, key)| key.clone()).collect()
    }
}

/// Where an event stands in its line; the state of a record has none.
fn place_of(head: &Head) -> Option<(RecordId, RouteId, i64)> {
    matches!(head.key.subject, Subject::Event(_)).then(|| (head.record, head.key.route.clone(), head.seq))
}

#[cfg(test)]
impl Held {
    pub(crate) fn contains_key(&self, key: &ObligationKey) -> bool {
        self.heads.contains_key(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.heads.len()
    }
}
