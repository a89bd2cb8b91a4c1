//! Walks over what a job covers.

use intake::MessageState;
use ledger::{Obligation, Page, Scope, Subject};

use super::tables::Tables;
use crate::query::{Walk, Walked, WalkedMessage};

impl Tables {
    pub(super) fn walk(&self, walk: &Walk) -> Walked {
        let mut walked = Walked::default();
        if walk.limit == 0 {
            walked.next = Some(walk.page);
            return walked;
        }
        if !walk.page.messages {
            let from = walk.page.after.saturating_add(1)..=walk.upto.0.max(walk.page.after.saturating_add(1));
            let rows = self.obligations.rows.range(from).filter(|(at, _)| **at <= walk.upto.0);
            let rows = rows.map(|(_, row)| row).filter(|row| row.key.tenant == walk.tenant);
            let rows = rows.filter(|row| walk.scope.holds(row) && self.caused(&walk.scope, row));
            walked.deliveries = rows.take(walk.limit).cloned().collect();
            walked.next = match walked.deliveries.last() {
                Some(last) if walked.deliveries.len() == walk.limit => {
                    Some(Page { messages: false, after: last.seq })
                }
                _ => walk.messages.then(Page::of_messages),
            };
            return walked;
        }
        let rows = self.messages.rows.range(walk.page.after.saturating_add(1)..);
        let rows = rows.take_while(|(at, _)| **at <= walk.upto.1).filter(|(_, message)| {
            message.tenant == walk.tenant
                && message.state == MessageState::Quarantined
                && walk.scope.holds_message(message.reason.as_ref(), &message.source, message.received_at)
        });
        let found = |(at, message): (&i64, &intake::Message)| WalkedMessage {
            seq: *at,
            id: message.id,
            source: message.source.clone(),
        };
        walked.messages = rows.take(walk.limit).map(found).collect();
        walked.next = match walked.messages.last() {
            Some(last) if walked.messages.len() == walk.limit => {
                Some(Page { messages: true, after: last.seq })
            }
            _ => None,
        };
        walked
    }

    /// Whether the event that the scope asks for, or a change by its source or in its time, is behind a delivery.
    fn caused(&self, scope: &Scope, row: &Obligation) -> bool {
        let changed = match row.key.subject {
            Subject::Event(event) => self.facts.get(&event).map(|fact| fact.at),
            Subject::Record(record) => self.records.get(&record).map(|record| record.updated_at),
        };
        let in_time = scope.from.is_none_or(|from| changed.is_some_and(|at| at >= from))
            && scope.until.is_none_or(|until| changed.is_some_and(|at| at < until));
        if !in_time {
            return false;
        }
        if scope.event.is_none() && scope.source.is_none() {
            return true;
        }
        let (fact, is_event) = match row.key.subject {
            Subject::Event(event) => (self.facts.get(&event), true),
            Subject::Record(record) => {
                let newest = self.facts.rows.values().rev().find(|fact| fact.record == record);
                (newest, false)
            }
        };
        let Some(fact) = fact else { return false };
        scope.event.as_ref().is_none_or(|kind| is_event && fact.kind == *kind)
            && scope.source.as_ref().is_none_or(|source| fact.source == *source)
    }
}
