//! Answers to operators' questions about one thing.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use canonical::{Object, RecordId, System, Tenant, Wall};
use ledger::{Intent, Lane, Obligation, ObligationKey, State};
use rusqlite::params;
use store::browse::{
    LIST_ROWS_MAX, Look, OPEN_COUNT_MAX, Page, RecordFilter, RecordSheet, SHEET_ROWS_MAX, SystemCounts,
};
use store::{Attempt, SystemState};

use super::lists::From;
use super::{Reader, names_or};
use crate::fault::Outcome;
use crate::rows::intent::intent;
use crate::rows::message::message;
use crate::rows::obligation::obligation;
use crate::rows::record::{fact, link, record};
use crate::rows::shadow::shadow;
use crate::rows::{from_text, record_id, state, subject_parts, wall, work};
use crate::sql::Sql;

const SHEET_ROWS: i64 = SHEET_ROWS_MAX as i64;

/// An obligation with its intents and attempts.
type Delivery = (Obligation, Vec<Intent>, Vec<Attempt>);

impl Reader<'_> {
    pub(super) fn look(&mut self, tenant: &Tenant, look: Look) -> Outcome<Page> {
        let number = self.name(tenant.as_str())?;
        match look {
            Look::Deliveries(filter) => self.deliveries(number, &filter).map(Page::Deliveries),
            Look::Delivery(key) => {
                let found = if key.tenant == *tenant { self.delivery(&key)? } else { None };
                Ok(Page::Delivery(found))
            }
            Look::Events(filter) => self.events(number, &filter).map(Page::Events),
            Look::Event(event) => {
                let found = self.book.one(Sql::Fact, (event.as_bytes(), number), fact)?;
                Ok(Page::Events(found.into_iter().collect()))
            }
            Look::Decisions(filter) => self.decided(number, &filter).map(Page::Decisions),
            Look::Messages(filter) => self.messages(number, &filter).map(Page::Messages),
            Look::Message(id) => {
                let found = self.book.one(Sql::Message, (id.as_bytes(), number), message)?;
                Ok(Page::Messages(found.into_iter().collect()))
            }
            Look::Record(record) => Ok(Page::Record(self.sheet(number, record)?.map(Box::new))),
            Look::RecordByLink { system, object, external_id } => {
                let found = self.linked_record(number, &system, object.as_ref(), &external_id)?;
                let Some(record) = found else {
                    return Ok(Page::Record(None));
                };
                Ok(Page::Record(self.sheet(number, record)?.map(Box::new)))
            }
            Look::Changes { system, before, limit } => {
                self.changes(number, system.as_ref(), From::Newest(before), limit).map(Page::Changes)
            }
            Look::ChangesAfter { system, after, limit } => {
                self.changes(number, system.as_ref(), From::Oldest(after), limit).map(Page::Changes)
            }
            Look::Systems => self.systems(tenant, number).map(Page::Systems),
            Look::Groups(filter) => self.groups(number, &filter).map(Page::Groups),
            Look::Jobs(filter) => self.jobs(number, &filter).map(Page::Jobs),
            Look::Applied { before, limit } => self.applied(number, before, limit).map(Page::Applied),
            Look::Versions { after } => self.versions(tenant, number, after.as_ref()).map(Page::Versions),
            Look::Footprint { entities, systems } => {
                self.footprint(number, &entities, &systems).map(Page::Footprint)
            }
            Look::Records(filter) => self.records_page(number, &filter),
            Look::Retention(horizons) => {
                let kept = self.kept(number, &horizons)?;
                Ok(Page::Retention(kept, self.retained(tenant)?))
            }
        }
    }

    fn records_page(&mut self, tenant: Option<i64>, filter: &RecordFilter) -> Outcome<Page> {
        let Some(tenant) = tenant else { return Ok(Page::Records(Vec::new(), None)) };
        let limit = filter.limit.min(LIST_ROWS_MAX);
        let after = filter.after.map_or_else(Vec::new, |after| after.as_bytes().to_vec());
        let (mut last, mut looked) = (None, 0);
        let params = (after, tenant, i64::try_from(limit).unwrap_or(0));
        let mut found = Vec::new();
        self.book.each(Sql::RecordsPage, params, |row, desk| {
            looked += 1;
            last = Some(record_id(row, 0)?);
            // What does not fit is not opened.
            if filter.holds(&desk.names.entity(row.get(3)?)?, wall(row, 6)?) {
                found.push(record(row, desk)?);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let mut rows = Vec::with_capacity(found.len());
        for record in found {
            let mut links = self.book.all(Sql::LinksOfRecord, (record.id.as_bytes(), tenant), link)?;
            links.sort_by(|a, b| (&a.system, &a.object).cmp(&(&b.system, &b.object)));
            rows.push((record, links));
        }
        Ok(Page::Records(rows, last.filter(|_| looked >= limit)))
    }

    fn delivery(&mut self, key: &ObligationKey) -> Outcome<Option<Delivery>> {
        let (tenant, route) = names_or!(self, None; key.tenant.as_str(), key.route.as_str());
        let (kind, subject) = subject_parts(&key.subject);
        let Some(row) = self.book.one(Sql::Obligation, (subject, route, tenant, kind), obligation)? else {
            return Ok(None);
        };
        let record = row.record.as_bytes();
        let params = params![record, tenant, route, kind, subject, SHEET_ROWS];
        let closed = self.book.all(Sql::IntentsOfDelivery, params, intent)?;
        let mut intents = self.with_open(&key.tenant, row.record, closed);
        intents.retain(|intent| intent.obligation == *key);
        intents.truncate(SHEET_ROWS_MAX);
        let mut attempts = self.attempts(row.record)?;
        attempts.retain(|attempt| attempt.obligation == *key);
        attempts.truncate(SHEET_ROWS_MAX);
        Ok(Some((row, intents, attempts)))
    }

    /// A record's closed intents with its open ones, newest first.
    fn with_open(&self, tenant: &Tenant, record: RecordId, closed: Vec<Intent>) -> Vec<Intent> {
        let mut all: BTreeMap<_, _> = closed.into_iter().map(|intent| (intent.id, intent)).collect();
        for open in self.open.of_record(tenant, record) {
            // One that has just ended is seen as it ended.
            all.entry(open.id).or_insert_with(|| Intent::clone(open));
        }
        all.into_values().rev().collect()
    }

    fn attempts(&mut self, record: RecordId) -> Outcome<Vec<Attempt>> {
        self.book.all(Sql::AttemptsOfRecord, [record.as_bytes()], |row, _| {
            from_text(&row.get::<_, String>(0)?, "attempt")
        })
    }

    fn sheet(&mut self, tenant: Option<i64>, id: RecordId) -> Outcome<Option<RecordSheet>> {
        let Some(tenant) = tenant else { return Ok(None) };
        let Some(record) = self.record(tenant, id)? else { return Ok(None) };
        let key = id.as_bytes();
        let mut links = self.book.all(Sql::LinksOfRecord, (key, tenant), link)?;
        links.sort_by(|a, b| (&a.system, &a.object).cmp(&(&b.system, &b.object)));
        let mut shadows = self.book.all(Sql::ShadowsOfRecord, (key, tenant), shadow)?;
        shadows.sort_by(|a, b| (&a.system, &a.object).cmp(&(&b.system, &b.object)));
        let facts = self.book.all(Sql::FactsOfRecord, (key, SHEET_ROWS), fact)?;
        let mut attempts = self.attempts(id)?;
        attempts.truncate(SHEET_ROWS_MAX);
        let closed = self.book.all(Sql::IntentsOfRecord, (key, tenant, SHEET_ROWS), intent)?;
        let mut intents = self.with_open(&record.tenant, id, closed);
        intents.truncate(SHEET_ROWS_MAX);
        Ok(Some(RecordSheet {
            record,
            links,
            shadows,
            facts: facts.into_iter().map(|(_, fact)| fact).collect(),
            obligations: self.book.all(Sql::ObligationsOfRecord, [key], obligation)?,
            intents,
            attempts,
            decisions: self.book.all(Sql::DecisionsOfRecord, (key, SHEET_ROWS), |row, _| {
                from_text(&row.get::<_, String>(0)?, "decision")
            })?,
        }))
    }

    fn linked_record(
        &mut self,
        tenant: Option<i64>,
        system: &System,
        object: Option<&Object>,
        external_id: &str,
    ) -> Outcome<Option<RecordId>> {
        let (Some(tenant), Some(system)) = (tenant, self.name(system.as_str())?) else { return Ok(None) };
        let links = self.book.all(Sql::LinksById, (tenant, system, external_id), link)?;
        let links = links.into_iter().filter(|link| object.is_none_or(|object| link.object == *object));
        let first = links.min_by(|a, b| (&a.object, &a.instance).cmp(&(&b.object, &b.instance)));
        Ok(first.map(|link| link.record))
    }

    fn systems(&mut self, tenant: &Tenant, number: Option<i64>) -> Outcome<Vec<(SystemState, SystemCounts)>> {
        let Some(number) = number else { return Ok(vec![]) };
        let mut found: BTreeMap<System, (SystemState, SystemCounts)> = BTreeMap::new();
        for known in self.book.all(Sql::Systems, [number], work::system)? {
            found.insert(known.system.clone(), (known, SystemCounts::default()));
        }
        let tallies = self.book.all(Sql::Tallies, [number], |row, desk| {
            let name: i64 = row.get(0)?;
            Ok((name, desk.names.system(name)?, state(row.get(1)?)?, row.get::<_, i64>(2)?))
        })?;
        for (name, system, state, count) in tallies {
            let blank = || (SystemState::blank(tenant.clone(), system.clone()), SystemCounts::default());
            let (_, counts) = found.entry(system.clone()).or_insert_with(blank);
            add(counts, state, count.max(0).unsigned_abs());
            if state.is_open() && counts.oldest.is_none() && count > 0 {
                counts.oldest = self.oldest(number, name)?;
            }
        }
        let capped = |(state, mut counts): (SystemState, SystemCounts)| {
            counts.open = counts.open.min(OPEN_COUNT_MAX);
            (state, counts)
        };
        Ok(found.into_values().map(capped).collect())
    }

    /// When the oldest open obligation of a system was raised.
    fn oldest(&mut self, tenant: i64, system: i64) -> Outcome<Option<Wall>> {
        let mut oldest = self.book.one(Sql::OldestLate, (tenant, system), |row, _| wall(row, 0))?;
        for lane in Lane::ALL {
            let than = oldest.map_or(i64::MAX, Wall::micros);
            let params = (tenant, system, lane.number(), than);
            let older = self.book.one(Sql::OldestInLane, params, |row, _| wall(row, 0))?;
            oldest = older.or(oldest);
        }
        Ok(oldest)
    }
}

fn add(counts: &mut SystemCounts, state: State, count: u64) {
    if state.is_open() {
        counts.open += count;
    }
    match state {
        State::Dead => counts.dead += count,
        State::Uncertain => counts.uncertain += count,
        State::Parked => counts.parked += count,
        _ => {}
    }
}
