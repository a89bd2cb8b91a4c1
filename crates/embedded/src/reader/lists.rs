//! Operators' lists: filters put together into one statement, newest first.
//!
//! Which index serves a filter is chosen here, by what was asked: the planner keeps no statistics.

use std::collections::BTreeSet;

use canonical::{Fact, System};
use intake::{Decision, DecisionKind, Message};
use ledger::{Obligation, State};
use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};
use store::Change;
use store::browse::{DecisionFilter, DeliveryFilter, EventFilter, LIST_ROWS_MAX, MessageFilter};

use super::Reader;
use crate::book::Desk;
use crate::fault::Outcome;
use crate::rows::message::{message, state_number as message_state};
use crate::rows::obligation::obligation;
use crate::rows::record::fact;
use crate::rows::{from_text, state_number};
use crate::sql::{self, Sql};

/// From which end a list is read, and beyond which position.
pub(super) enum From {
    /// The newest first, of those before.
    Newest(Option<i64>),
    /// The oldest first, of those after.
    Oldest(Option<i64>),
}

/// A statement being put together.
pub(super) struct Filter {
    text: String,
    values: Vec<Value>,
}

impl Filter {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), values: Vec::new() }
    }

    /// Adds a condition; each `?` stands for the next value.
    pub(super) fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.text.push_str(if self.text.contains(" WHERE ") { " AND " } else { " WHERE " });
        self.text.push_str(condition);
        self.values.extend(values);
    }

    fn and_any(&mut self, column: &str, numbers: &[i64]) {
        let marks = vec!["?"; numbers.len()].join(", ");
        self.and(&format!("{column} IN ({marks})"), numbers.iter().copied().map(Value::from));
    }

    /// From the first on.
    pub(super) fn first(&mut self, limit: usize) {
        self.text.push_str(" ORDER BY seq LIMIT ?");
        self.values.push(Value::from(i64::try_from(limit.min(LIST_ROWS_MAX)).unwrap_or(0)));
    }

    pub(super) fn page(&mut self, before: Option<i64>, limit: usize) {
        if let Some(before) = before {
            self.and("seq < ?", [Value::from(before)]);
        }
        self.text.push_str(" ORDER BY seq DESC LIMIT ?");
        self.values.push(Value::from(i64::try_from(limit.min(LIST_ROWS_MAX)).unwrap_or(0)));
    }
}

impl<'c> Reader<'c> {
    pub(super) fn list<T>(
        &mut self,
        filter: Filter,
        mut read: impl FnMut(&Row<'_>, &mut Desk<'c>) -> Outcome<T>,
    ) -> Outcome<Vec<T>> {
        // Few shapes occur; the connection's own cache of statements keeps them prepared.
        let mut statement = self.book.connection.prepare_cached(&filter.text)?;
        let mut rows = statement.query(params_from_iter(filter.values))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row, &mut self.book.desk)?);
        }
        Ok(found)
    }

    pub(super) fn deliveries(
        &mut self,
        tenant: Option<i64>,
        wanted: &DeliveryFilter,
    ) -> Outcome<Vec<(i64, Obligation)>> {
        let Some(tenant) = tenant else { return Ok(vec![]) };
        let system = match &wanted.system {
            Some(name) => Some(self.name(name.as_str())?),
            None => None,
        };
        let route = match &wanted.route {
            Some(name) => Some(self.name(name)?),
            None => None,
        };
        if system == Some(None) || route == Some(None) {
            return Ok(vec![]);
        }
        let numbers: Vec<i64> = wanted.states.iter().map(|state| state_number(*state)).collect();
        let trouble =
            |state: &State| matches!(state, State::Retrying | State::Parked | State::Uncertain | State::Dead);
        let index = if wanted.record.is_some() {
            ""
        } else if wanted.fingerprint.is_some() {
            " INDEXED BY obligation_group"
        } else if !numbers.is_empty() && wanted.states.iter().all(trouble) {
            " INDEXED BY obligation_trouble"
        } else {
            // Newest first by position: what is asked for is mostly near the top.
            " NOT INDEXED"
        };
        let columns = sql::obligation!();
        let mut filter = Filter::new(&format!("SELECT {columns} FROM obligation{index}"));
        filter.and("tenant = ?", [Value::from(tenant)]);
        if let Some(record) = wanted.record {
            let id = || Value::Blob(record.as_bytes().to_vec());
            filter.and(
                "seq IN (SELECT seq FROM obligation WHERE subject = ? AND kind = 0 \
                 UNION ALL SELECT seq FROM obligation WHERE record = ? AND kind = 1)",
                [id(), id()],
            );
        }
        if let Some(group) = &wanted.fingerprint {
            filter.and("fingerprint = ? AND fingerprint IS NOT NULL", [Value::from(group.clone())]);
        }
        if !numbers.is_empty() {
            filter.and_any("state", &numbers);
            if index.ends_with("trouble") {
                filter.and("state BETWEEN 1 AND 4", []);
            }
        }
        if let Some(system) = system.flatten() {
            filter.and("system = ?", [Value::from(system)]);
        }
        if let Some(route) = route.flatten() {
            filter.and("route = ?", [Value::from(route)]);
        }
        filter.page(wanted.before, wanted.limit);
        self.list(filter, |row, desk| Ok((row.get(0)?, obligation(row, desk)?)))
    }

    pub(super) fn events(&mut self, tenant: Option<i64>, wanted: &EventFilter) -> Outcome<Vec<(i64, Fact)>> {
        let Some(tenant) = tenant else { return Ok(vec![]) };
        let index = if wanted.record.is_some() { "INDEXED BY fact_record" } else { "NOT INDEXED" };
        let mut filter = Filter::new(&format!("{}{index}", sql::fact!()));
        filter.and("tenant = ?", [Value::from(tenant)]);
        if let Some(record) = wanted.record {
            filter.and("record = ?", [Value::Blob(record.as_bytes().to_vec())]);
        }
        let names = [
            ("kind", wanted.kind.as_deref()),
            ("entity", wanted.entity.as_ref().map(canonical::Entity::as_str)),
            ("source", wanted.source.as_ref().map(canonical::System::as_str)),
        ];
        for (column, name) in names {
            let Some(name) = name else { continue };
            let Some(number) = self.name(name)? else { return Ok(vec![]) };
            filter.and(&format!("{column} = ?"), [Value::from(number)]);
        }
        filter.page(wanted.before, wanted.limit);
        self.list(filter, fact)
    }

    pub(super) fn decided(
        &mut self,
        tenant: Option<i64>,
        wanted: &DecisionFilter,
    ) -> Outcome<Vec<(i64, Decision)>> {
        let Some(tenant) = tenant else { return Ok(vec![]) };
        if wanted.system.is_none() && wanted.kinds.is_empty() {
            let mut filter = Filter::new("SELECT seq, body FROM decision NOT INDEXED");
            filter.and("tenant = ?", [Value::from(tenant)]);
            filter.page(wanted.before, wanted.limit);
            let read = |row: &Row<'_>| Ok((row.get(0)?, from_text(&row.get::<_, String>(1)?, "decision")?));
            return self.list(filter, |row, _| read(row));
        }
        let systems = match &wanted.system {
            Some(system) => self.name(system.as_str())?.into_iter().collect(),
            None => self.deciders(tenant)?,
        };
        let kinds: &[DecisionKind] = if wanted.kinds.is_empty() { &DecisionKind::ALL } else { &wanted.kinds };
        let limit = wanted.limit.min(LIST_ROWS_MAX);
        let most = i64::try_from(limit).unwrap_or(0);
        let before = wanted.before.unwrap_or(i64::MAX);
        // The newest of each line, by which a rare kind is found as soon as a frequent one.
        let mut newest: BTreeSet<i64> = BTreeSet::new();
        for (system, kind) in systems.iter().flat_map(|system| kinds.iter().map(move |kind| (system, kind))) {
            let params = (tenant, system, kind.name(), before, most);
            newest.extend(self.book.all(Sql::DecisionLine, params, |row, _| Ok(row.get::<_, i64>(0)?))?);
        }
        let mut found = Vec::with_capacity(limit.min(newest.len()));
        for seq in newest.into_iter().rev().take(limit) {
            let body = |row: &Row<'_>| from_text(&row.get::<_, String>(0)?, "decision");
            found
                .extend(self.book.one(Sql::DecisionBody, [seq], |row, _| body(row))?.map(|body| (seq, body)));
        }
        Ok(found)
    }

    /// The systems about whose messages anything was decided.
    fn deciders(&mut self, tenant: i64) -> Outcome<Vec<i64>> {
        let mut systems = Vec::new();
        let mut last = i64::MIN;
        while let Some(next) =
            self.book.one(Sql::NextDecider, (tenant, last), |row, _| Ok(row.get::<_, i64>(0)?))?
        {
            systems.push(next);
            last = next;
        }
        Ok(systems)
    }

    pub(super) fn messages(
        &mut self,
        tenant: Option<i64>,
        wanted: &MessageFilter,
    ) -> Outcome<Vec<(i64, Message)>> {
        let Some(tenant) = tenant else { return Ok(vec![]) };
        let numbers: Vec<i64> = wanted.states.iter().map(|state| message_state(*state)).collect();
        let rest = !numbers.is_empty() && !numbers.contains(&0);
        let index = if rest { "INDEXED BY message_rest" } else { "NOT INDEXED" };
        let mut filter = Filter::new(&format!("{}{index}", sql::message!()));
        filter.and("tenant = ?", [Value::from(tenant)]);
        if rest {
            filter.and("state > 0", []);
        }
        if !numbers.is_empty() {
            filter.and_any("state", &numbers);
        }
        if let Some(source) = &wanted.source {
            let Some(number) = self.name(source.as_str())? else { return Ok(vec![]) };
            filter.and("source = ?", [Value::from(number)]);
        }
        filter.page(wanted.before, wanted.limit);
        self.list(filter, message)
    }

    pub(super) fn changes(
        &mut self,
        tenant: Option<i64>,
        system: Option<&System>,
        from: From,
        limit: usize,
    ) -> Outcome<Vec<(i64, Change)>> {
        let Some(tenant) = tenant else { return Ok(vec![]) };
        let mut filter = Filter::new("SELECT seq, body FROM change");
        filter.and("tenant = ?", [Value::from(tenant)]);
        if let Some(system) = system {
            let Some(number) = self.name(system.as_str())? else { return Ok(vec![]) };
            filter.and("system = ?", [Value::from(number)]);
        }
        match from {
            From::Newest(before) => filter.page(before, limit),
            From::Oldest(after) => {
                if let Some(after) = after {
                    filter.and("seq > ?", [Value::from(after)]);
                }
                filter.first(limit);
            }
        }
        self.list(filter, |row, _| Ok((row.get(0)?, from_text(&row.get::<_, String>(1)?, "change")?)))
    }
}
