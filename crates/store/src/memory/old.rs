//! What may go when its time is over, and how it goes.

use std::ops::Bound;

use canonical::{RecordId, Tenant, Wall};
use intake::Message;
use ledger::{Obligation, ObligationKey, Subject};

use super::tables::Tables;
use crate::browse::Page;
use crate::retention::{self, Horizons, Kept, OldAsk, OldFound, OldRow, Part, Place, RECORD_ROWS_MAX};

impl Tables {
    pub(super) fn old(&self, ask: &OldAsk) -> OldFound {
        match ask.part {
            Part::Payloads => {
                self.walk_messages(ask, |message| self.payload_is_old(message, ask.horizons.messages))
            }
            Part::Messages => {
                self.walk_messages(ask, |message| self.message_is_old(message, ask.horizons.seen))
            }
            Part::Attempts => self.walk_attempts(ask),
            Part::Records => self.walk_records(ask),
            Part::Groups => self.walk_groups(ask),
            Part::Jobs => self.walk_jobs(ask),
        }
    }

    fn walk_messages(&self, ask: &OldAsk, goes: impl Fn(&Message) -> bool) -> OldFound {
        let mut found = OldFound::default();
        let payloads = ask.part == Part::Payloads;
        let horizon = if payloads { ask.horizons.messages } else { ask.horizons.seen };
        let rows = self.messages.rows.range((Bound::Excluded(ask.after.position()), Bound::Unbounded));
        for (looked, (at, message)) in rows.enumerate() {
            if message.received_at >= horizon {
                return found;
            }
            if looked >= ask.limit {
                found.next = Some(Place::Position(at - 1));
                return found;
            }
            if message.tenant == ask.tenant && !retention::message_rests(message.state) {
                found.open = found.open.or(Some(*at));
            }
            if message.tenant == ask.tenant && goes(message) {
                let row = if payloads { OldRow::Payload(message.id) } else { OldRow::Message(message.id) };
                // Nothing is sealed here: what was said is left out of the line.
                let shown = Message { raw: Vec::new(), ..message.clone() };
                let said = ask.lines && !message.raw.is_empty();
                found.rows.push((row, if said { line("message", &shown) } else { String::new() }));
            }
        }
        found
    }

    fn payload_is_old(&self, message: &Message, before: Wall) -> bool {
        retention::message_rests(message.state)
            && message.received_at < before
            && !message.raw.is_empty()
            && (message.event_id.is_some() || !self.is_last_message(message))
    }

    fn message_is_old(&self, message: &Message, before: Wall) -> bool {
        retention::message_rests(message.state)
            && message.received_at < before
            && !self.is_last_message(message)
    }

    fn is_last_message(&self, message: &Message) -> bool {
        self.messages.rows.last_key_value().is_some_and(|(_, last)| last.id == message.id)
    }

    fn walk_attempts(&self, ask: &OldAsk) -> OldFound {
        let mut found = OldFound::default();
        let before = ask.horizons.deliveries;
        let rows = self.attempts.range((Bound::Excluded(ask.after.position()), Bound::Unbounded));
        for (looked, (at, (_, attempt))) in rows.enumerate() {
            if attempt.at >= before {
                return found;
            }
            if looked >= ask.limit {
                found.next = Some(Place::Position(at - 1));
                return found;
            }
            if attempt.obligation.tenant == ask.tenant && self.attempt_is_old(*at, before) {
                found.rows.push((OldRow::Attempt(*at), wanted(ask, "attempt", attempt)));
            }
        }
        found
    }

    fn attempt_is_old(&self, at: i64, before: Wall) -> bool {
        let last = self.attempts.last_key_value().is_some_and(|(last, _)| *last == at);
        let attempt = self.attempts.get(&at).map(|(_, attempt)| attempt);
        !last && attempt.is_some_and(|attempt| attempt.at < before && self.is_settled(&attempt.obligation))
    }

    /// Whether nobody has anything to do about a delivery, or it is gone.
    fn is_settled(&self, key: &ObligationKey) -> bool {
        self.obligations.get(key).is_none_or(|row| retention::rests(row.state))
    }

    fn walk_records(&self, ask: &OldAsk) -> OldFound {
        let mut found = OldFound::default();
        let from = match ask.after {
            Place::Record(record) => Bound::Excluded(record),
            Place::Start | Place::Position(_) => Bound::Unbounded,
        };
        let mut before = ask.after;
        for (looked, record) in self.records.range((from, Bound::Unbounded)).map(|(id, _)| *id).enumerate() {
            if looked >= ask.limit || found.rows.len() >= ask.limit {
                found.next = Some(before);
                return found;
            }
            // One with more than that is taken again.
            if !self.old_of_record(ask, record, &mut found) {
                (found.next, found.cut) = (Some(before), true);
                return found;
            }
            before = Place::Record(record);
        }
        found
    }

    /// Adds what may go of a record. Says whether that is all.
    fn old_of_record(&self, ask: &OldAsk, record: RecordId, found: &mut OldFound) -> bool {
        let start = found.rows.len();
        let horizons = &ask.horizons;
        let of_tenant = |row: &&Obligation| row.key.tenant == ask.tenant;
        let events = |row: &&Obligation| matches!(row.key.subject, Subject::Event(_));
        let rows = self.owed(record).filter(of_tenant).filter(events).take(RECORD_ROWS_MAX);
        for row in rows.filter(|row| self.delivery_is_old(row, horizons.deliveries)) {
            found.rows.push((OldRow::Delivery(row.key.clone()), wanted(ask, "delivery", row)));
        }
        let facts = self.facts.rows.iter().filter(|(_, fact)| fact.record == record).take(RECORD_ROWS_MAX);
        for (at, fact) in facts.filter(|(_, fact)| fact.tenant == ask.tenant) {
            if self.event_is_old(*at, horizons.events) {
                let shown = canonical::Fact { data: canonical::Fields::new(), ..fact.clone() };
                found.rows.push((OldRow::Event(fact.id), wanted(ask, "event", &shown)));
            }
        }
        let mut intents: Vec<&ledger::Intent> =
            self.intents.rows.values().filter(|intent| intent.record == record).collect();
        intents.sort_by_key(|intent| intent.id);
        for intent in intents.into_iter().take(RECORD_ROWS_MAX) {
            if *intent.tenant() == ask.tenant && self.intent_is_old(intent, horizons.deliveries) {
                found.rows.push((OldRow::Intent(record, intent.id), wanted(ask, "intent", intent)));
            }
        }
        let decisions = self.decisions.range((record, i64::MIN)..=(record, i64::MAX)).take(RECORD_ROWS_MAX);
        for ((_, number), decision) in decisions.filter(|(_, decision)| decision.tenant == ask.tenant) {
            if decision.at < horizons.events {
                found.rows.push((OldRow::Decision(record, *number), wanted(ask, "decision", decision)));
            }
        }
        let all = found.rows.len() - start <= ask.limit;
        if !all {
            found.rows.truncate(start + ask.limit);
        }
        all
    }

    fn delivery_is_old(&self, row: &Obligation, before: Wall) -> bool {
        let last = self.obligations.rows.last_key_value().is_some_and(|(last, _)| *last == row.seq);
        !last && retention::delivery_is_old(row, before)
    }

    /// An event stays as long as a delivery of it.
    fn event_is_old(&self, at: i64, before: Wall) -> bool {
        let last = self.facts.rows.last_key_value().is_some_and(|(last, _)| *last == at);
        self.facts.rows.get(&at).is_some_and(|fact| {
            let subject = Subject::Event(fact.id);
            !last
                && fact.id.made_at() < before
                && self.obligations.rows.values().all(|row| row.key.subject != subject)
        })
    }

    fn intent_is_old(&self, intent: &ledger::Intent, before: Wall) -> bool {
        retention::intent_is_old(intent, before) && self.is_settled(&intent.obligation)
    }

    fn walk_groups(&self, ask: &OldAsk) -> OldFound {
        let mut found = OldFound::default();
        for (at, group) in &self.groups.rows {
            if *at > ask.after.position()
                && group.tenant == ask.tenant
                && self.group_is_old(*at, ask.horizons.groups)
            {
                let row = OldRow::Group(group.kind, group.fingerprint.clone());
                found.rows.push((row, wanted(ask, "group", group)));
            }
            if found.rows.len() >= ask.limit {
                found.next = Some(Place::Position(*at));
                return found;
            }
        }
        found
    }

    fn group_is_old(&self, at: i64, before: Wall) -> bool {
        let last = self.groups.rows.last_key_value().is_some_and(|(last, _)| *last == at);
        let group = self.groups.rows.get(&at);
        !last && group.is_some_and(|group| retention::group_is_old(group, before))
    }

    fn walk_jobs(&self, ask: &OldAsk) -> OldFound {
        let mut found = OldFound::default();
        for (at, job) in self.jobs.rows.range((Bound::Excluded(ask.after.position()), Bound::Unbounded)) {
            if found.rows.len() >= ask.limit {
                found.next = Some(Place::Position(at - 1));
                return found;
            }
            if job.tenant == ask.tenant && self.job_is_old(*at, ask.horizons.jobs) {
                found.rows.push((OldRow::Job(job.id), wanted(ask, "job", job)));
            }
        }
        found
    }

    fn job_is_old(&self, at: i64, before: Wall) -> bool {
        let last = self.jobs.rows.last_key_value().is_some_and(|(last, _)| *last == at);
        !last && self.jobs.rows.get(&at).is_some_and(|job| retention::job_is_old(job, before))
    }

    /// Takes a row away, if it still may go.
    pub(super) fn forget(&mut self, tenant: &Tenant, row: &OldRow, before: Wall) {
        match row {
            OldRow::Payload(id) => {
                let found = self.messages.get(id).filter(|found| found.tenant == *tenant).cloned();
                let Some(message) = found.filter(|found| self.payload_is_old(found, before)) else { return };
                if message.event_id.is_some() {
                    let at = message.received_at;
                    self.put_message(Message { raw: Vec::new(), ..message }, at);
                } else {
                    self.messages.remove(id);
                }
            }
            OldRow::Message(id) => {
                let found = self.messages.get(id).filter(|found| found.tenant == *tenant).cloned();
                let Some(message) = found.filter(|found| self.message_is_old(found, before)) else { return };
                self.messages.remove(id);
                if let Some(event_id) = message.event_id {
                    self.seen.remove(&(message.tenant, message.source, event_id));
                }
            }
            OldRow::Event(id) => {
                let old = self.facts.at.get(id).is_some_and(|at| self.event_is_old(*at, before));
                if old && self.facts.get(id).is_some_and(|fact| fact.tenant == *tenant) {
                    self.facts.remove(id);
                }
            }
            OldRow::Delivery(key) => {
                let old = self.obligations.get(key).is_some_and(|row| self.delivery_is_old(row, before));
                if old && key.tenant == *tenant {
                    self.drop_obligation(key);
                }
            }
            OldRow::Intent(record, id) => {
                let found = self.intents.get(id).filter(|intent| intent.record == *record);
                if found.is_some_and(|found| found.tenant() == tenant && self.intent_is_old(found, before)) {
                    self.intents.remove(id);
                }
            }
            OldRow::Attempt(at) => {
                let own = |attempt: &crate::Attempt| attempt.obligation.tenant == *tenant;
                let own = self.attempts.get(at).is_some_and(|(_, attempt)| own(attempt));
                if own && self.attempt_is_old(*at, before) {
                    self.attempts.remove(at);
                }
            }
            OldRow::Decision(record, number) => {
                let found = self.decisions.get(&(*record, *number));
                if let Some(found) = found.filter(|found| found.tenant == *tenant && found.at < before) {
                    let line = (tenant.clone(), found.system.clone(), found.kind.name());
                    self.decisions.remove(&(*record, *number));
                    if let Some(line) = self.decided.get_mut(&line) {
                        line.retain(|_, key| *key != (*record, *number));
                    }
                }
            }
            OldRow::Group(kind, name) => {
                let key = (tenant.clone(), *kind, name.clone());
                if self.groups.at.get(&key).is_some_and(|at| self.group_is_old(*at, before)) {
                    self.groups.remove(&key);
                }
            }
            OldRow::Job(id) => {
                let old = self.jobs.at.get(id).is_some_and(|at| self.job_is_old(*at, before));
                if old && self.jobs.get(id).is_some_and(|job| job.tenant == *tenant) {
                    self.jobs.remove(id);
                    self.tallies.remove(id);
                }
            }
        }
    }

    pub(super) fn retention(&self, tenant: &Tenant, horizons: &Horizons) -> Page {
        let count = |past: usize| Some(past as u64);
        let messages = self.messages.rows.values().filter(|message| message.tenant == *tenant);
        let facts = self.facts.rows.values().filter(|fact| fact.tenant == *tenant);
        let attempts = self.attempts.values().map(|(_, attempt)| attempt);
        let attempts = attempts.filter(|attempt| attempt.obligation.tenant == *tenant);
        let resting = self.obligations.rows.values();
        let resting = resting.filter(|row| row.key.tenant == *tenant && retention::rests(row.state)).count();
        let groups = self.groups.rows.values().filter(|group| group.tenant == *tenant && group.is_empty());
        let jobs = self.jobs.rows.values().filter(|job| job.tenant == *tenant && job.ended_at.is_some());
        let kept = vec![
            Kept {
                kind: "messages",
                rows: count(messages.clone().count()),
                oldest: messages.clone().map(|message| message.received_at).next(),
                past: count(messages.filter(|message| message.received_at < horizons.messages).count()),
            },
            Kept {
                kind: "events",
                rows: count(facts.clone().count()),
                oldest: facts.clone().map(|fact| fact.id.made_at()).next(),
                past: count(facts.filter(|fact| fact.id.made_at() < horizons.events).count()),
            },
            Kept { kind: "deliveries", rows: count(resting), oldest: None, past: None },
            Kept {
                kind: "attempts",
                rows: count(attempts.clone().count()),
                oldest: attempts.clone().map(|attempt| attempt.at).next(),
                past: count(attempts.filter(|attempt| attempt.at < horizons.deliveries).count()),
            },
            Kept {
                kind: "groups",
                rows: count(groups.clone().count()),
                oldest: groups.clone().map(|group| group.moved_at).min(),
                past: count(groups.filter(|group| group.moved_at < horizons.groups).count()),
            },
            Kept {
                kind: "jobs",
                rows: count(jobs.clone().count()),
                oldest: jobs.clone().filter_map(|job| job.ended_at).min(),
                past: count(jobs.filter(|job| job.ended_at.is_some_and(|at| at < horizons.jobs)).count()),
            },
        ];
        Page::Retention(kept, self.retained.get(tenant).cloned().unwrap_or_default())
    }
}

fn wanted(ask: &OldAsk, kind: &str, row: &impl serde::Serialize) -> String {
    if ask.lines { line(kind, row) } else { String::new() }
}

fn line(kind: &str, row: &impl serde::Serialize) -> String {
    // Rows of memory are made of what JSON can say.
    retention::line(kind, row, None).unwrap_or_default()
}
