//! Answers about groups of failures and jobs, and walks over what a job covers.

use canonical::MessageId;
use ledger::{Group, Job, Obligation, Page, Reason, Tally};
use rusqlite::types::Value;
use store::browse::{GroupFilter, JobFilter, LIST_ROWS_MAX};
use store::{Walk, Walked, WalkedMessage};

use super::Reader;
use super::lists::Filter;
use crate::fault::Outcome;
use crate::rows::obligation::obligation;
use crate::rows::{from_text, uuid, wall};
use crate::sql::{self, Sql};

/// Positions that one question looks at, where no index tells what fits: bounds how long a reader is taken.
const LOOKED_AT_MAX: i64 = 10_000;

/// When what a delivery is about has changed.
const CHANGED_BETWEEN: &str = "CASE kind WHEN 1 THEN (SELECT at FROM fact WHERE fact.id = obligation.subject) \
    ELSE (SELECT updated_at FROM record WHERE record.id = obligation.subject) END BETWEEN ? AND ?";

impl Reader<'_> {
    pub(super) fn groups(&mut self, tenant: Option<i64>, wanted: &GroupFilter) -> Outcome<Vec<(i64, Group)>> {
        let Some(tenant) = tenant else { return Ok(vec![]) };
        let mut filter = Filter::new("SELECT seq, body FROM failure_group");
        filter.and("tenant = ?", [Value::from(tenant)]);
        if let Some(system) = &wanted.system {
            let Some(number) = self.name(system.as_str())? else { return Ok(vec![]) };
            filter.and("system = ?", [Value::from(number)]);
        }
        if let Some(name) = &wanted.fingerprint {
            filter.and("kind IN (0, 1) AND fingerprint = ?", [Value::from(name.clone())]);
        }
        if let Some(open) = wanted.open {
            filter.and("something = ?", [Value::from(i64::from(open))]);
        }
        filter.page(wanted.before, wanted.limit);
        self.list(filter, |row, _| Ok((row.get(0)?, from_text(&row.get::<_, String>(1)?, "group")?)))
    }

    pub(super) fn jobs(
        &mut self,
        tenant: Option<i64>,
        wanted: &JobFilter,
    ) -> Outcome<Vec<(i64, Job, Tally)>> {
        let Some(tenant) = tenant else { return Ok(vec![]) };
        let read = |row: &rusqlite::Row<'_>, _: &mut crate::book::Desk<'_>| {
            let tally = Tally { delivered: row.get(2)?, failed: row.get(3)?, other: row.get(4)? };
            Ok((row.get(0)?, from_text(&row.get::<_, String>(1)?, "job")?, tally))
        };
        let limit = i64::try_from(wanted.limit.min(LIST_ROWS_MAX)).unwrap_or(0);
        match wanted.id {
            Some(id) => {
                let found: Option<(i64, Job, Tally)> =
                    self.book.one(Sql::JobById, (id.as_bytes(), tenant), read)?;
                let fits = |row: &(i64, Job, Tally)| wanted.before.is_none_or(|before| row.0 < before);
                Ok(found.into_iter().filter(|row| limit > 0 && fits(row)).collect())
            }
            None => self.book.all(Sql::Jobs, (tenant, wanted.before.unwrap_or(i64::MAX), limit), read),
        }
    }

    pub(super) fn live_jobs(&mut self, tenant: Option<i64>) -> Outcome<Vec<Job>> {
        let Some(tenant) = tenant else { return Ok(vec![]) };
        self.book.all(Sql::LiveJobs, [tenant], |row, _| from_text(&row.get::<_, String>(0)?, "job"))
    }

    pub(super) fn walk(&mut self, walk: &Walk) -> Outcome<Walked> {
        if walk.limit == 0 {
            return Ok(Walked { next: Some(walk.page), ..Walked::default() });
        }
        let Some(tenant) = self.name(walk.tenant.as_str())? else { return Ok(Walked::default()) };
        if walk.page.messages { self.walk_messages(tenant, walk) } else { self.walk_deliveries(tenant, walk) }
    }

    fn walk_deliveries(&mut self, tenant: i64, walk: &Walk) -> Outcome<Walked> {
        let over = || Walked { next: walk.messages.then(Page::of_messages), ..Walked::default() };
        let last = self.book.one(Sql::LastObligation, [], |row, _| Ok(row.get::<_, i64>(0)?))?;
        let last = last.unwrap_or(0).min(walk.upto.0);
        if walk.page.after >= last {
            return Ok(over());
        }
        let indexed = walk.scope.record.is_some() || walk.scope.group.is_some();
        let until = if indexed { last } else { last.min(walk.page.after.saturating_add(LOOKED_AT_MAX)) };
        let Some(filter) = self.scope_filter(tenant, walk, until)? else { return Ok(over()) };
        let found: Vec<Obligation> = self.list(filter, obligation)?;
        let next = match found.last() {
            Some(row) if found.len() >= walk.limit => Some(Page { messages: false, after: row.seq }),
            _ if until < last => Some(Page { messages: false, after: until }),
            _ => over().next,
        };
        Ok(Walked { deliveries: found, messages: Vec::new(), next })
    }

    /// The scope as a statement; `None` when it names what nothing stored has.
    fn scope_filter(&mut self, tenant: i64, walk: &Walk, until: i64) -> Outcome<Option<Filter>> {
        let scope = &walk.scope;
        let index = match (&scope.record, &scope.group) {
            (Some(_), _) => "",
            (None, Some(_)) => " INDEXED BY obligation_group",
            (None, None) => " NOT INDEXED",
        };
        let columns = sql::obligation!();
        let mut filter = Filter::new(&format!("SELECT {columns} FROM obligation{index}"));
        filter.and("tenant = ?", [Value::from(tenant)]);
        filter.and("seq > ? AND seq <= ?", [Value::from(walk.page.after), Value::from(until)]);
        if let Some(record) = scope.record {
            let id = || Value::Blob(record.as_bytes().to_vec());
            filter.and(
                "seq IN (SELECT seq FROM obligation WHERE subject = ? AND kind = 0 \
                 UNION ALL SELECT seq FROM obligation WHERE record = ? AND kind = 1)",
                [id(), id()],
            );
        }
        if let Some(group) = &scope.group {
            filter.and("fingerprint = ? AND fingerprint IS NOT NULL", [Value::from(group.clone())]);
        }
        if scope.from.is_some() || scope.until.is_some() {
            let from = scope.from.map_or(i64::MIN, canonical::Wall::micros);
            // The last moment that is covered.
            let until = scope.until.map_or(i64::MAX, |until| until.micros().saturating_sub(1));
            filter.and(CHANGED_BETWEEN, [Value::from(from), Value::from(until)]);
        }
        let names = [
            ("entity = ?", scope.entity.as_ref().map(canonical::Entity::as_str)),
            ("system = ?", scope.target.as_ref().map(canonical::System::as_str)),
            ("route = ?", scope.route.as_ref().map(canonical::RouteId::as_str)),
            (
                "kind = 1 AND EXISTS (SELECT 1 FROM fact WHERE fact.id = obligation.subject AND fact.kind = ?)",
                scope.event.as_deref(),
            ),
            (
                "CASE kind WHEN 1 THEN (SELECT source FROM fact WHERE fact.id = obligation.subject) \
                 ELSE (SELECT source FROM fact WHERE fact.record = obligation.record ORDER BY fact.seq DESC LIMIT 1) \
                 END = ?",
                scope.source.as_ref().map(canonical::System::as_str),
            ),
        ];
        for (condition, name) in names {
            let Some(name) = name else { continue };
            let Some(number) = self.name(name)? else { return Ok(None) };
            filter.and(condition, [Value::from(number)]);
        }
        filter.first(walk.limit);
        Ok(Some(filter))
    }

    fn walk_messages(&mut self, tenant: i64, walk: &Walk) -> Outcome<Walked> {
        let limit = i64::try_from(walk.limit.min(LIST_ROWS_MAX)).unwrap_or(0);
        let params = (tenant, walk.page.after, walk.upto.1, limit);
        let rows = self.book.all(Sql::QuarantinedOnWalk, params, |row, desk| {
            let why: Option<Reason> = crate::rows::reason_out(row, 3)?;
            let found = WalkedMessage {
                seq: row.get(0)?,
                id: MessageId(uuid(row, 1)?),
                source: desk.names.system(row.get(2)?)?,
            };
            Ok((found, why, wall(row, 4)?))
        })?;
        let whole = rows.len() >= walk.limit.min(LIST_ROWS_MAX);
        let next = rows.last().filter(|_| whole).map(|(last, ..)| Page { messages: true, after: last.seq });
        let fits = |(found, why, received): (WalkedMessage, Option<Reason>, canonical::Wall)| {
            walk.scope.holds_message(why.as_ref(), &found.source, received).then_some(found)
        };
        Ok(Walked { deliveries: Vec::new(), messages: rows.into_iter().filter_map(fits).collect(), next })
    }
}
