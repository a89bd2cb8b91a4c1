//! What may go when its time is over: by position where rows come in the order of time, else by record. Nothing is
//! opened for it: what is sealed goes into an archive as it is.

use std::ops::ControlFlow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use canonical::{EventId, IntentId, MessageId, RecordId, Tenant, Wall};
use intake::Decision;
use ledger::{Group, Job, Obligation};
use rusqlite::Row;
use store::Attempt;
use store::retention::{
    self, Horizons, Kept, OldAsk, OldFound, OldRow, Part, Place, RECORD_ROWS_MAX, Retained,
};

use super::Reader;
use crate::fault::{Fault, Outcome};
use crate::rows::intent::intent;
use crate::rows::message::{shell, state as message_state};
use crate::rows::obligation::obligation;
use crate::rows::record::fact_shell;
use crate::rows::{blob, from_text, record_id, state, state_number, subject_parts, uuid, wall};
use crate::sql::Sql;

const ROWS_OF_RECORD: i64 = RECORD_ROWS_MAX as i64;
/// Closed groups and ended jobs are counted up to here when an operator asks.
const COUNTED_MAX: i64 = 10_000;

impl Reader<'_> {
    pub(super) fn retained(&mut self, tenant: &Tenant) -> Outcome<Retained> {
        let Some(number) = self.name(tenant.as_str())? else { return Ok(Retained::default()) };
        let found = self
            .book
            .one(Sql::Retained, [number], |row, _| from_text(&row.get::<_, String>(0)?, "retention"))?;
        Ok(found.unwrap_or_default())
    }

    pub(super) fn old(&mut self, ask: &OldAsk) -> Outcome<OldFound> {
        let Some(tenant) = self.name(ask.tenant.as_str())? else { return Ok(OldFound::default()) };
        match ask.part {
            Part::Payloads | Part::Messages => self.old_messages(tenant, ask),
            Part::Attempts => self.old_attempts(ask),
            Part::Records => self.old_records(tenant, ask),
            Part::Groups => self.old_groups(tenant, ask),
            Part::Jobs => self.old_jobs(tenant, ask),
        }
    }

    fn last(&mut self, of: Sql) -> Outcome<i64> {
        Ok(self.book.one(of, [], |row, _| Ok(row.get::<_, Option<i64>>(0)?))?.flatten().unwrap_or(0))
    }

    fn old_messages(&mut self, tenant: i64, ask: &OldAsk) -> Outcome<OldFound> {
        let last = self.last(Sql::LastMessage)?;
        let payloads = ask.part == Part::Payloads;
        let before = if payloads { ask.horizons.messages } else { ask.horizons.seen };
        // (position, id, what it said is still there) of those that may go.
        let mut going: Vec<(i64, MessageId, bool)> = Vec::new();
        let (mut looked, mut at, mut over) = (0, ask.after.position(), true);
        let mut found = OldFound::default();
        self.book.each(Sql::OldMessages, (at, limit(ask)), |row, _| {
            let seq = row.get(0)?;
            let card = sound(message_card(row), &mut found.unreadable)?;
            if card.as_ref().is_some_and(|card| card.received_at >= before) {
                over = true;
                return Ok(ControlFlow::Break(()));
            }
            looked += 1;
            over = false;
            at = seq;
            let Some(card) = card.filter(|card| card.tenant == tenant) else {
                return Ok(ControlFlow::Continue(()));
            };
            let goes = if payloads { card.said && (card.named || at != last) } else { at != last };
            if !card.rests {
                found.open = found.open.or(Some(at));
            } else if goes {
                going.push((at, card.id, card.said));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let more = !over && looked >= ask.limit;
        found.next = more.then_some(Place::Position(at));
        let (mut bytes, mut passed) = (0, ask.after.position());
        for (seq, id, said) in going {
            if bytes >= ask.bytes {
                found.next = Some(Place::Position(passed));
                break;
            }
            passed = seq;
            let wanted = ask.lines && said;
            let line = if wanted { self.message_line(seq) } else { Ok(String::new()) };
            let Some(line) = sound(line, &mut found.unreadable)? else { continue };
            bytes += line.len();
            let row = if payloads { OldRow::Payload(id) } else { OldRow::Message(id) };
            found.rows.push((row, line));
        }
        Ok(found)
    }

    fn message_line(&mut self, seq: i64) -> Outcome<String> {
        let line = self.book.one(Sql::MessageAt, [seq], |row, desk| {
            let (_, message) = shell(row, desk)?;
            line("message", &message, Some(blob(row, 18)?))
        })?;
        Ok(line.unwrap_or_default())
    }

    fn old_attempts(&mut self, ask: &OldAsk) -> Outcome<OldFound> {
        let (last, before) = (self.last(Sql::LastAttempt)?, ask.horizons.deliveries);
        let mut rows: Vec<(i64, Attempt)> = Vec::new();
        let (mut looked, mut at, mut over) = (0, ask.after.position(), true);
        let mut found = OldFound::default();
        self.book.each(Sql::OldAttempts, (at, limit(ask)), |row, _| {
            let seq = row.get(0)?;
            let attempt: Option<Attempt> = sound(text(row, "attempt"), &mut found.unreadable)?;
            if attempt.as_ref().is_some_and(|attempt| attempt.at >= before) {
                over = true;
                return Ok(ControlFlow::Break(()));
            }
            looked += 1;
            over = false;
            at = seq;
            rows.extend(attempt.map(|attempt| (at, attempt)));
            Ok(ControlFlow::Continue(()))
        })?;
        let more = !over && looked >= ask.limit;
        found.next = more.then_some(Place::Position(at));
        for (seq, attempt) in rows {
            let own = attempt.obligation.tenant == ask.tenant && seq != last;
            let settled = if own { self.is_settled(&attempt.obligation) } else { Ok(false) };
            if sound(settled, &mut found.unreadable)? == Some(true) {
                let line = if ask.lines { line("attempt", &attempt, None)? } else { String::new() };
                found.rows.push((OldRow::Attempt(seq), line));
            }
        }
        Ok(found)
    }

    fn is_settled(&mut self, key: &ledger::ObligationKey) -> Outcome<bool> {
        let (Some(route), Some(tenant)) = (self.name(key.route.as_str())?, self.name(key.tenant.as_str())?)
        else {
            return Ok(true);
        };
        let (kind, subject) = subject_parts(&key.subject);
        let params = (subject, route, tenant, kind);
        let stands = self.book.one(Sql::StateOfObligation, params, |row, _| state(row.get(0)?))?;
        Ok(stands.is_none_or(retention::rests))
    }

    fn old_records(&mut self, tenant: i64, ask: &OldAsk) -> Outcome<OldFound> {
        let from = match ask.after {
            Place::Record(record) => record.as_bytes().to_vec(),
            Place::Start | Place::Position(_) => Vec::new(),
        };
        let records = self.book.all(Sql::RecordsAfter, (from, limit(ask)), |row, _| record_id(row, 0))?;
        let lasts = (self.last(Sql::LastObligation)?, self.last(Sql::LastFact)?);
        let more = records.len() >= ask.limit;
        let mut found = OldFound::default();
        let mut before = ask.after;
        for record in records {
            if found.rows.len() >= ask.limit || bytes(&found) >= ask.bytes {
                found.next = Some(before);
                return Ok(found);
            }
            let start = found.rows.len();
            let read = self.old_of_record(record, (tenant, lasts), ask, &mut found);
            if sound(read, &mut found.unreadable)?.is_none() {
                // What is beside such a record stays with it.
                found.rows.truncate(start);
            }
            // One with more than that is taken again.
            if is_enough(&found, start, ask) {
                found.rows.truncate(start + ask.limit);
                (found.next, found.cut) = (Some(before), true);
                return Ok(found);
            }
            before = Place::Record(record);
        }
        found.next = more.then_some(before);
        Ok(found)
    }

    fn old_of_record(
        &mut self,
        record: RecordId,
        (tenant, lasts): (i64, (i64, i64)),
        ask: &OldAsk,
        found: &mut OldFound,
    ) -> Outcome<()> {
        let start = found.rows.len();
        self.old_deliveries(record, lasts.0, (ask, start), found)?;
        self.old_events(record, (tenant, lasts.1), (ask, start), found)?;
        self.old_intents(record, tenant, (ask, start), found)?;
        self.old_decisions(record, (ask, start), found)
    }

    fn old_deliveries(
        &mut self,
        record: RecordId,
        last: i64,
        (ask, start): (&OldAsk, usize),
        found: &mut OldFound,
    ) -> Outcome<()> {
        let before = ask.horizons.deliveries;
        self.book.each(Sql::OldDeliveries, (record.as_bytes(), ROWS_OF_RECORD), |row, desk| {
            let delivery: Obligation = obligation(row, desk)?;
            // They come in the order in which they were raised; one that was raised again is younger than its place.
            if is_enough(found, start, ask) || delivery.raised_at >= before && delivery.wanted.generation == 0
            {
                return Ok(ControlFlow::Break(()));
            }
            let own = delivery.key.tenant == ask.tenant && delivery.seq != last;
            if own && retention::delivery_is_old(&delivery, before) {
                let line = if ask.lines { line("delivery", &delivery, None)? } else { String::new() };
                found.rows.push((OldRow::Delivery(delivery.key), line));
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    fn old_events(
        &mut self,
        record: RecordId,
        (tenant, last): (i64, i64),
        (ask, start): (&OldAsk, usize),
        found: &mut OldFound,
    ) -> Outcome<()> {
        let mut going: Vec<(i64, EventId)> = Vec::new();
        self.book.each(Sql::OldFacts, (record.as_bytes(), ROWS_OF_RECORD), |row, _| {
            let (seq, id) = (row.get(0)?, EventId(uuid(row, 1)?));
            if id.made_at() >= ask.horizons.events {
                return Ok(ControlFlow::Break(()));
            }
            if row.get::<_, i64>(2)? == tenant && seq != last && !row.get::<_, bool>(3)? {
                going.push((seq, id));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        for (seq, id) in going {
            if is_enough(found, start, ask) {
                break;
            }
            let line = if ask.lines { self.event_line(seq)? } else { String::new() };
            found.rows.push((OldRow::Event(id), line));
        }
        Ok(())
    }

    fn event_line(&mut self, seq: i64) -> Outcome<String> {
        let line = self.book.one(Sql::FactAt, [seq], |row, desk| {
            let (_, fact) = fact_shell(row, desk)?;
            line("event", &fact, Some(blob(row, 11)?))
        })?;
        Ok(line.unwrap_or_default())
    }

    fn old_intents(
        &mut self,
        record: RecordId,
        tenant: i64,
        (ask, start): (&OldAsk, usize),
        found: &mut OldFound,
    ) -> Outcome<()> {
        let before = ask.horizons.deliveries;
        let mut going: Vec<IntentId> = Vec::new();
        self.book.each(Sql::OldIntents, (record.as_bytes(), ROWS_OF_RECORD), |row, _| {
            let id = IntentId(uuid(row, 0)?);
            if id.made_at() >= before {
                return Ok(ControlFlow::Break(()));
            }
            let stands = row.get::<_, Option<i64>>(3)?.map(state).transpose()?;
            let settled = stands.is_none_or(retention::rests);
            if row.get::<_, i64>(1)? == tenant && wall(row, 2)? < before && settled {
                going.push(id);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        for id in going {
            if is_enough(found, start, ask) {
                break;
            }
            let line = if ask.lines { self.intent_line(record, id)? } else { String::new() };
            found.rows.push((OldRow::Intent(record, id), line));
        }
        Ok(())
    }

    fn intent_line(&mut self, record: RecordId, id: IntentId) -> Outcome<String> {
        let params = (record.as_bytes(), id.as_bytes());
        let line = self
            .book
            .one(Sql::IntentOfRecord, params, |row, desk| line("intent", &intent(row, desk)?, None))?;
        Ok(line.unwrap_or_default())
    }

    fn old_decisions(
        &mut self,
        record: RecordId,
        (ask, start): (&OldAsk, usize),
        found: &mut OldFound,
    ) -> Outcome<()> {
        let before = ask.horizons.events;
        self.book.each(Sql::OldDecisions, (record.as_bytes(), ROWS_OF_RECORD), |row, _| {
            let decision: Decision = from_text(&row.get::<_, String>(1)?, "decision")?;
            if is_enough(found, start, ask) || decision.at >= before {
                return Ok(ControlFlow::Break(()));
            }
            if decision.tenant == ask.tenant {
                let line = if ask.lines { line("decision", &decision, None)? } else { String::new() };
                found.rows.push((OldRow::Decision(record, row.get(0)?), line));
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    fn old_groups(&mut self, tenant: i64, ask: &OldAsk) -> Outcome<OldFound> {
        let last = self.last(Sql::LastGroup)?;
        let (mut found, params) = (OldFound::default(), (tenant, ask.after.position(), limit(ask)));
        let rows: Vec<(i64, Option<Group>)> = self.book.all(Sql::OldGroups, params, |row, _| {
            Ok((row.get(0)?, sound(text(row, "group"), &mut found.unreadable)?))
        })?;
        found.next = next(&rows, ask);
        for (seq, group) in rows.into_iter().filter_map(|(seq, group)| Some((seq, group?))) {
            if seq != last && retention::group_is_old(&group, ask.horizons.groups) {
                let line = if ask.lines { line("group", &group, None)? } else { String::new() };
                found.rows.push((OldRow::Group(group.kind, group.fingerprint), line));
            }
        }
        Ok(found)
    }

    fn old_jobs(&mut self, tenant: i64, ask: &OldAsk) -> Outcome<OldFound> {
        let last = self.last(Sql::LastJob)?;
        let (mut found, params) = (OldFound::default(), (tenant, ask.after.position(), limit(ask)));
        let rows: Vec<(i64, Option<Job>)> = self.book.all(Sql::OldJobs, params, |row, _| {
            Ok((row.get(0)?, sound(text(row, "job"), &mut found.unreadable)?))
        })?;
        found.next = next(&rows, ask);
        for (seq, job) in rows.into_iter().filter_map(|(seq, job)| Some((seq, job?))) {
            if seq != last && retention::job_is_old(&job, ask.horizons.jobs) {
                let line = if ask.lines { line("job", &job, None)? } else { String::new() };
                found.rows.push((OldRow::Job(job.id), line));
            }
        }
        Ok(found)
    }

    /// What is stored of each kind: ends of positions, the counts that are kept, and a search by halves for where a time
    /// stands. Positions are those of all tenants: where there are several, they say nothing of one, and must not.
    pub(super) fn kept(&mut self, tenant: Option<i64>, horizons: &Horizons) -> Outcome<Vec<Kept>> {
        let Some(tenant) = tenant else { return Ok(Vec::new()) };
        let received = |row: &Row<'_>| wall(row, 0);
        let made = |row: &Row<'_>| Ok(EventId(uuid(row, 0)?).made_at());
        let tried = |row: &Row<'_>| Ok(from_text::<Attempt>(&row.get::<_, String>(0)?, "attempt")?.at);
        let of = |kind| Kept { kind, ..Kept::default() };
        let shared =
            self.book.one(Sql::OtherTenants, [tenant], |row, _| Ok(row.get::<_, bool>(0)?))? != Some(false);
        let messages = (Sql::MessageEnds, Sql::MessageTime);
        let messages = self.in_order(of("messages"), messages, horizons.messages, received)?;
        let events = self.in_order(of("events"), (Sql::FactEnds, Sql::FactTime), horizons.events, made)?;
        let attempts = (Sql::AttemptEnds, Sql::AttemptTime);
        let attempts = self.in_order(of("attempts"), attempts, horizons.deliveries, tried)?;
        let alone = |kept: Kept| if shared { of(kept.kind) } else { kept };
        let [messages, events, attempts] = [messages, events, attempts].map(alone);
        let mut resting = 0_i64;
        let least = state_number(ledger::State::Delivered);
        self.book.each(Sql::Tallies, [tenant], |row, _| {
            if row.get::<_, i64>(1)? >= least {
                resting += row.get::<_, i64>(2)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let deliveries = Kept { rows: Some(resting.unsigned_abs()), ..of("deliveries") };
        let groups: Vec<(i64, Group)> =
            self.book.all(Sql::OldGroups, (tenant, 0, COUNTED_MAX), body("group"))?;
        let past = groups.iter().filter(|(_, group)| group.moved_at < horizons.groups).count();
        let groups = Kept {
            rows: Some(groups.len() as u64),
            oldest: groups.iter().map(|(_, group)| group.moved_at).min(),
            past: Some(past as u64),
            ..of("groups")
        };
        let jobs: Vec<(i64, Job)> = self.book.all(Sql::OldJobs, (tenant, 0, COUNTED_MAX), body("job"))?;
        let ended: Vec<Wall> = jobs.iter().filter_map(|(_, job)| job.ended_at).collect();
        let jobs = Kept {
            rows: Some(jobs.len() as u64),
            oldest: ended.iter().min().copied(),
            past: Some(ended.iter().filter(|at| **at < horizons.jobs).count() as u64),
            ..of("jobs")
        };
        Ok(vec![messages, events, deliveries, attempts, groups, jobs])
    }

    /// A table whose positions are in the order of time.
    fn in_order(
        &mut self,
        kept: Kept,
        (ends, time): (Sql, Sql),
        horizon: Wall,
        read: impl Fn(&Row<'_>) -> Outcome<Wall>,
    ) -> Outcome<Kept> {
        let ends = self
            .book
            .one(ends, [], |row, _| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?)))?;
        let Some((Some(first), Some(last))) = ends else {
            return Ok(Kept { rows: Some(0), past: Some(0), ..kept });
        };
        let mut at = |seq: i64| self.book.one(time, [seq], |row, _| read(row));
        let oldest = at(first)?;
        let (mut low, mut high) = (first, last.saturating_add(1));
        while low < high {
            let middle = low + (high - low) / 2;
            match at(middle)? {
                Some(time) if time < horizon => low = middle + 1,
                _ => high = middle,
            }
        }
        let span = |upto: i64| Some((upto - first).unsigned_abs());
        Ok(Kept { rows: span(last + 1), oldest, past: span(low), ..kept })
    }
}

/// What retention must know of a message.
struct Card {
    tenant: i64,
    id: MessageId,
    rests: bool,
    received_at: Wall,
    /// It has an id at its source.
    named: bool,
    /// What it said is still there.
    said: bool,
}

fn message_card(row: &Row<'_>) -> Outcome<Card> {
    Ok(Card {
        tenant: row.get(1)?,
        id: MessageId(uuid(row, 2)?),
        rests: retention::message_rests(message_state(row.get(3)?)?),
        received_at: wall(row, 4)?,
        named: row.get(5)?,
        said: row.get::<_, i64>(6)? > 0,
    })
}

/// One row that can't be read keeps nothing behind it from going: why is kept, and the row is passed over.
fn sound<T>(read: Outcome<T>, unreadable: &mut Vec<String>) -> Outcome<Option<T>> {
    match read {
        Err(fault) if fault.is_local() => {
            unreadable.push(fault.detail());
            Ok(None)
        }
        other => other.map(Some),
    }
}

/// The bytes of the lines of a page.
fn bytes(found: &OldFound) -> usize {
    found.rows.iter().map(|(_, line)| line.len()).sum()
}

/// Whether a page need not hold more: of the record whose rows begin there, or in bytes.
fn is_enough(found: &OldFound, start: usize, ask: &OldAsk) -> bool {
    found.rows.len() - start > ask.limit || bytes(found) >= ask.bytes
}

fn limit(ask: &OldAsk) -> i64 {
    i64::try_from(ask.limit).unwrap_or(i64::MAX)
}

fn next<T>(rows: &[(i64, T)], ask: &OldAsk) -> Option<Place> {
    rows.last().filter(|_| rows.len() >= ask.limit).map(|(seq, _)| Place::Position(*seq))
}

/// A position, and what stands beside it.
fn body<T: serde::de::DeserializeOwned>(
    what: &'static str,
) -> impl Fn(&Row<'_>, &mut crate::book::Desk<'_>) -> Outcome<(i64, T)> {
    move |row, _| Ok((row.get(0)?, text(row, what)?))
}

/// What stands beside a position.
fn text<T: serde::de::DeserializeOwned>(row: &Row<'_>, what: &'static str) -> Outcome<T> {
    from_text(&row.get::<_, String>(1)?, what)
}

fn line(kind: &str, row: &impl serde::Serialize, sealed: Option<&[u8]>) -> Outcome<String> {
    retention::line(kind, row, sealed.map(|sealed| STANDARD.encode(sealed))).map_err(|error| {
        Fault::Refused(format!("a row can't be written for an archive (line {})", error.line()))
    })
}
