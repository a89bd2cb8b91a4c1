//! Answers to the set questions of the hot port.

use std::collections::BTreeMap;
use std::sync::Arc;

use canonical::{Alive, Fact, Field, Object, Record, RecordId, System, Tenant, Wall};
use intake::Whole;
use ledger::{Intent, Lane, Subject};
use rusqlite::params;
use store::{
    Backlog, Claimed, Epoch, Fetch, Query, Reread, RestoreRow, Restored, Rows, SpokeAsk, SpokeRow,
    SystemState, rules,
};

use super::{Reader, names_or};
use crate::fault::Outcome;
use crate::rows::message::message;
use crate::rows::obligation::{head, obligation};
use crate::rows::record::{fact, link, record, shared_record};
use crate::rows::shadow::shadow;
use crate::rows::{state, subject_parts, wall, work};
use crate::sql::Sql;

impl Reader<'_> {
    pub(super) fn find(&mut self, query: Query) -> Outcome<Rows> {
        match query {
            Query::Intake { tenant, asks } => Ok(Rows::Intake(Box::new(self.view(tenant, &asks)?))),
            Query::Spoke { tenant, system, asks } => asks
                .iter()
                .map(|ask| self.spoke(&tenant, &system, ask))
                .collect::<Outcome<_>>()
                .map(Rows::Spoke),
            Query::Claim { tenant, system, lane, after, due_by, limit } => {
                self.claim(&tenant, &system, lane, (after, due_by), limit).map(Rows::Claim)
            }
            Query::Backlog { tenant } => self.backlog(&tenant).map(Rows::Backlog),
            Query::Held { tenant, system, after, limit } => {
                let (tenant, system) = names_or!(self, Rows::Held(vec![]); tenant.as_str(), system.as_str());
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                Ok(Rows::Held(self.book.all(Sql::Held, (tenant, system, after, limit), head)?))
            }
            Query::Intents { tenant, system } => Ok(Rows::Intents(self.open.of_system(&tenant, &system))),
            Query::Fetches { tenant, system, due_by, limit } => {
                let (fetches, later) = self.fetches(&tenant, &system, due_by, limit)?;
                Ok(Rows::Fetches(fetches, later))
            }
            Query::System { tenant, system } => {
                let (state, cursors) = self.system(&tenant, &system)?;
                Ok(Rows::System(state, cursors, self.restored(&tenant, &system)?))
            }
            Query::Jobs { tenant } => {
                let number = self.name(tenant.as_str())?;
                self.live_jobs(number).map(Rows::Jobs)
            }
            Query::Walk(walk) => self.walk(&walk).map(Rows::Walk),
            Query::Whole { tenant, records } => {
                records.iter().map(|id| self.whole(&tenant, *id)).collect::<Outcome<_>>().map(Rows::Whole)
            }
            Query::Retained { tenant } => self.retained(&tenant).map(Rows::Retained),
            Query::Old(ask) => self.old(&ask).map(Rows::Old),
            Query::Ready { tenant, now, limit } => {
                let (messages, later) = self.ready(&tenant, now, limit)?;
                Ok(Rows::Ready(messages, later))
            }
        }
    }

    fn spoke(&mut self, tenant: &Tenant, system: &System, ask: &SpokeAsk) -> Outcome<SpokeRow> {
        let Some(number) = self.name(tenant.as_str())? else { return Ok(SpokeRow::default()) };
        let mut found = SpokeRow { record: self.survivor(number, ask.record)?, ..SpokeRow::default() };
        let (kind, subject) = subject_parts(&ask.key.subject);
        if let Some(route) = self.name(ask.key.route.as_str())? {
            let params = (subject, route, number, kind);
            found.obligation = self.book.one(Sql::Obligation, params, obligation)?;
        }
        if let Subject::Event(event) = ask.key.subject {
            let fact = self.book.one(Sql::Fact, (event.as_bytes(), number), fact)?;
            found.fact = fact.map(|(_, fact)| fact);
        }
        let open =
            self.open.of_record_in(tenant, ask.record, system).find(|intent| intent.object == ask.object);
        found.intent = open.map(|intent| Intent::clone(intent));
        let (Some(there), Some(object)) = (self.name(system.as_str())?, self.name(ask.object.as_str())?)
        else {
            return Ok(found);
        };
        let key = (ask.record.as_bytes(), there, object, number);
        found.shadow = self.book.one(Sql::Shadow, key, shadow)?;
        let survivor = found.record.as_ref().map(|record| record.id).filter(|id| *id != ask.record);
        for record in survivor.into_iter().chain([ask.record]) {
            let key = (record.as_bytes(), there, object, number);
            found.link = self.book.one(Sql::LinkOfRecord, key, |row, _| Ok(row.get(0)?))?;
            if found.link.is_some() {
                break;
            }
        }
        if let (None, Some(former)) =
            (&found.link, found.shadow.as_ref().and_then(|known| known.external_id.as_ref()))
        {
            let key = (number, there, object, former);
            found.next = self.book.one(Sql::NextObject, key, |row, _| Ok(row.get(0)?))?;
        }
        for (field, object) in &ask.references {
            for referred in referred(field, found.record.as_deref(), found.fact.as_ref()) {
                self.add_reference(number, there, (referred, object), &mut found)?;
            }
        }
        if let (Subject::Event(_), Some(record)) = (&ask.key.subject, &found.record) {
            let record = record.id;
            self.add_reference(number, there, (record, &ask.object), &mut found)?;
        }
        Ok(found)
    }

    /// The link of a record there, or what brings it there.
    fn add_reference(
        &mut self,
        tenant: i64,
        system: i64,
        (record, object): (RecordId, &Object),
        found: &mut SpokeRow,
    ) -> Outcome<()> {
        if let Some(id) = self.link_of_reference(tenant, record, system, object)? {
            found.links.insert((record, object.clone()), id);
            return Ok(());
        }
        let Some(name) = self.name(object.as_str())? else { return Ok(()) };
        let bringer = self.survivor_id(tenant, record)?.unwrap_or(record);
        let rows = self.book.all(Sql::Bringers, (bringer.as_bytes(), tenant, system, name), obligation)?;
        found.bringers.extend(rules::bringer(rows).map(|row| ((record, object.clone()), row)));
        Ok(())
    }

    /// The record itself, or the one that stands for it.
    fn survivor(&mut self, tenant: i64, id: RecordId) -> Outcome<Option<Arc<Record>>> {
        let Some(mut found) = self.shared(tenant, id)? else { return Ok(None) };
        for _ in 0..rules::ALIAS_HOPS_MAX {
            let Alive::Merged { into } = found.alive else { break };
            let Some(next) = self.shared(tenant, into)? else { break };
            found = next;
        }
        Ok(Some(found))
    }

    fn shared(&mut self, tenant: i64, id: RecordId) -> Outcome<Option<Arc<Record>>> {
        self.book.one(Sql::Record, (id.as_bytes(), tenant), shared_record)
    }

    pub(super) fn record(&mut self, tenant: i64, id: RecordId) -> Outcome<Option<Record>> {
        self.book.one(Sql::Record, (id.as_bytes(), tenant), record)
    }

    fn whole(&mut self, tenant: &Tenant, id: RecordId) -> Outcome<Option<Whole>> {
        let Some(number) = self.name(tenant.as_str())? else { return Ok(None) };
        let Some(record) = self.record(number, id)? else { return Ok(None) };
        let mut links = self.book.all(Sql::LinksOfRecord, (id.as_bytes(), number), link)?;
        links.sort_by(|a, b| (&a.system, &a.object).cmp(&(&b.system, &b.object)));
        let mut shadows = self.book.all(Sql::ShadowsOfRecord, (id.as_bytes(), number), shadow)?;
        shadows.sort_by(|a, b| (&a.system, &a.object).cmp(&(&b.system, &b.object)));
        let mut obligations = self.book.all(Sql::ObligationsOfRecord, [id.as_bytes()], obligation)?;
        obligations.retain(|row| row.key.subject == Subject::Record(id));
        let mut open = Vec::new();
        for intent in Arc::clone(&self.open).of_record(tenant, id) {
            // One that has just ended is no longer open.
            let params = (id.as_bytes(), intent.id.0.as_bytes());
            if self.book.one(Sql::EndedIntent, params, |_, _| Ok(()))?.is_none() {
                open.push((intent.id, intent.system.clone()));
            }
        }
        Ok(Some(Whole { record, links, shadows, obligations, open }))
    }

    /// The link of the record that stands for it, else its own.
    fn link_of_reference(
        &mut self,
        tenant: i64,
        record: RecordId,
        system: i64,
        object: &Object,
    ) -> Outcome<Option<String>> {
        let Some(object) = self.name(object.as_str())? else { return Ok(None) };
        let there = |reader: &mut Self, record: RecordId| {
            let key = (record.as_bytes(), system, object, tenant);
            reader.book.one(Sql::LinkOfRecord, key, |row, _| Ok(row.get(0)?))
        };
        // Mostly it was not merged, which is told at little cost.
        let merged = self.book.one(Sql::MergedInto, [record.as_bytes()], |_, _| Ok(()))?.is_some();
        if merged
            && let Some(survivor) = self.survivor_id(tenant, record)?
            && let Some(theirs) = there(self, survivor)?
        {
            return Ok(Some(theirs));
        }
        there(self, record)
    }

    fn survivor_id(&mut self, tenant: i64, id: RecordId) -> Outcome<Option<RecordId>> {
        let Some(mut next) = self.alias(tenant, id)? else { return Ok(None) };
        let mut found = id;
        for _ in 0..rules::ALIAS_HOPS_MAX {
            let Some(into) = next else { break };
            let Some(after) = self.alias(tenant, into)? else { break };
            (found, next) = (into, after);
        }
        Ok(Some(found))
    }

    /// What a stored record was merged into, if it was; `None` without the record.
    fn alias(&mut self, tenant: i64, id: RecordId) -> Outcome<Option<Option<RecordId>>> {
        self.book.one(Sql::RecordAlias, (id.as_bytes(), tenant), |row, _| {
            let into: Option<[u8; 16]> = row.get(0)?;
            Ok(into.map(|bytes| RecordId(uuid::Uuid::from_bytes(bytes))))
        })
    }

    fn claim(
        &mut self,
        tenant: &Tenant,
        system: &System,
        lane: Lane,
        (after, due_by): (Option<(Wall, i64)>, Wall),
        limit: usize,
    ) -> Outcome<Claimed> {
        let (tenant, system) = names_or!(self, Claimed::default(); tenant.as_str(), system.as_str());
        let (due, seq) = after.map_or((i64::MIN, i64::MIN), |(due, seq)| (due.micros(), seq));
        let limit_rows = i64::try_from(limit).unwrap_or(i64::MAX);
        let heads = self.book.all(
            Sql::Claim,
            params![tenant, system, lane.number(), due_by.micros(), due, seq, limit_rows],
            head,
        )?;
        let next_due = if heads.len() < limit {
            let params = params![tenant, system, lane.number(), due_by.micros(), due, seq];
            self.book.one(Sql::NextDue, params, |row, _| wall(row, 0))?
        } else {
            None
        };
        Ok(Claimed { heads, next_due })
    }

    fn backlog(&mut self, tenant: &Tenant) -> Outcome<Vec<Backlog>> {
        let Some(number) = self.name(tenant.as_str())? else { return Ok(vec![]) };
        let tallies = self.book.all(Sql::Tallies, [number], |row, desk| {
            let name: i64 = row.get(0)?;
            Ok((name, desk.names.system(name)?, state(row.get(1)?)?, row.get::<_, i64>(2)?))
        })?;
        let mut found: BTreeMap<System, Backlog> = BTreeMap::new();
        for (name, system, state, count) in tallies {
            if !state.is_open() || count <= 0 {
                continue;
            }
            if let Some(known) = found.get_mut(&system) {
                known.open += count.unsigned_abs();
                continue;
            }
            let mut due = [None; 3];
            for (due, lane) in due.iter_mut().zip(Lane::ALL) {
                let params = (number, name, lane.number());
                *due = self.book.one(Sql::FirstDue, params, |row, _| wall(row, 0))?;
            }
            found.insert(system.clone(), Backlog { system, open: count.unsigned_abs(), due });
        }
        Ok(found.into_values().collect())
    }

    fn fetches(
        &mut self,
        tenant: &Tenant,
        system: &System,
        due_by: Wall,
        limit: usize,
    ) -> Outcome<(Vec<Fetch>, Option<Wall>)> {
        let (tenant, system) = names_or!(self, (vec![], None); tenant.as_str(), system.as_str());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let due = self.book.all(Sql::DueFetches, (tenant, system, due_by.micros(), limit), work::fetch)?;
        let later =
            self.book.one(Sql::NextFetch, (tenant, system, due_by.micros()), |row, _| wall(row, 0))?;
        Ok((due.into_iter().map(|(_, fetch)| fetch).collect(), later))
    }

    fn system(
        &mut self,
        tenant: &Tenant,
        system: &System,
    ) -> Outcome<(Option<SystemState>, BTreeMap<Object, String>)> {
        let (tenant, system) = names_or!(self, (None, BTreeMap::new()); tenant.as_str(), system.as_str());
        let state = self.book.one(Sql::System, (tenant, system), work::system)?;
        let cursors = self.book.all(Sql::Cursors, (tenant, system), |row, desk| {
            Ok((desk.names.object(row.get(0)?)?, row.get(1)?))
        })?;
        Ok((state, cursors.into_iter().collect()))
    }

    /// When the store was restored last, if it ever was.
    pub(super) fn restored_at(&mut self) -> Outcome<Option<Wall>> {
        self.book.one(Sql::RestoredAt, [], |row, _| wall(row, 0))
    }

    fn restored(&mut self, tenant: &Tenant, system: &System) -> Outcome<Option<Restored>> {
        // Before the system has a name, nothing is kept of it.
        let tenant = self.name(tenant.as_str())?.unwrap_or(-1);
        let system = self.name(system.as_str())?.unwrap_or(-1);
        let all = self.book.all(Sql::Epochs, (tenant, system), |row, _| {
            let epoch = Epoch { number: row.get(0)?, taken_at: wall(row, 1)?, restored_at: wall(row, 2)? };
            let at = |time: Option<i64>| time.map(Wall);
            let known = row.get::<_, Option<i64>>(3)?.is_some();
            let reread = Reread { read_at: at(row.get(4)?), open_at: at(row.get(5)?) };
            Ok(RestoreRow { epoch, reread: known.then_some(reread), others_open: row.get(6)? })
        })?;
        Ok(Restored::newest(all))
    }

    fn ready(
        &mut self,
        tenant: &Tenant,
        now: Wall,
        limit: usize,
    ) -> Outcome<(Vec<intake::Message>, Option<Wall>)> {
        let tenant = names_or!(self, (vec![], None); tenant.as_str());
        let rows = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let mut found = self.book.all(Sql::ReadyMessages, (tenant, rows(limit)), message)?;
        let left = limit.saturating_sub(found.len());
        if left > 0 {
            found.extend(self.book.all(Sql::LateMessages, (tenant, now.micros(), rows(left)), message)?);
        }
        let later = self.book.one(Sql::NextDeadline, (tenant, now.micros()), |row, _| wall(row, 0))?;
        Ok((found.into_iter().map(|(_, message)| message).collect(), later))
    }
}

/// The records that a reference field names: in the record, and in the event's data.
fn referred(field: &Field, record: Option<&Record>, fact: Option<&Fact>) -> Vec<RecordId> {
    let bags = record.map(|record| &record.fields).into_iter().chain(fact.map(|fact| &fact.data));
    bags.filter_map(|fields| fields.get(field.as_str())?.as_str()?.parse().ok()).collect()
}
