//! Objects that are to be fetched: wanted, put off, and done.

use std::time::Duration;

use canonical::{ExternalRef, Object, RecordId, System, Tenant, Wall};
use store::{Fetch, rules};

use super::apply::Desk;
use crate::fault::Outcome;
use crate::rows::{self, record, work};
use crate::sql::Sql;

impl Desk<'_, '_> {
    pub(super) fn fetch(&mut self, tenant: &Tenant, external: &ExternalRef) -> Outcome<Option<(i64, Fetch)>> {
        let (tenant, system, object) = self.fetch_place(tenant, &external.system, &external.object)?;
        self.book.one(Sql::Fetch, (tenant, system, object, &external.id), work::fetch)
    }

    fn fetch_place(&mut self, tenant: &Tenant, system: &System, object: &Object) -> Outcome<(i64, i64, i64)> {
        Ok((self.name(tenant.as_str())?, self.name(system.as_str())?, self.name(object.as_str())?))
    }

    pub(super) fn want_fetch(&mut self, hint: &Fetch) -> Outcome<()> {
        let external = &hint.external;
        if let Some((seq, mut row)) = self.fetch(&hint.tenant, external)? {
            rules::hint_again(&mut row, hint);
            return self.move_fetch(seq, &row);
        }
        let (tenant, system, object) = self.fetch_place(&hint.tenant, &external.system, &external.object)?;
        let (hinted, due) = (hint.hinted_at.micros(), hint.due.micros());
        let trace = rows::trace_in(&hint.trace);
        let row = (tenant, system, object, &external.id, hinted, due, hint.attempts, trace);
        self.book.run(Sql::PutFetch, row).map(drop)
    }

    pub(super) fn want_fetch_of(
        &mut self,
        tenant: &Tenant,
        record: RecordId,
        objects: &[(System, Object)],
        at: Wall,
        trace: &str,
    ) -> Outcome<()> {
        let params = (record.as_bytes(), self.name(tenant.as_str())?);
        let links = self.book.all(Sql::LinksOfRecord, params, record::link)?;
        for link in links {
            if objects.iter().any(|(system, object)| *system == link.system && *object == link.object) {
                let (tenant, external, trace) = (tenant.clone(), link.external(), trace.to_owned());
                self.want_fetch(&Fetch { tenant, external, hinted_at: at, due: at, attempts: 0, trace })?;
            }
        }
        Ok(())
    }

    pub(super) fn done_fetch(
        &mut self,
        tenant: &Tenant,
        external: &ExternalRef,
        started: Wall,
        lag: Duration,
    ) -> Outcome<()> {
        let Some((seq, mut row)) = self.fetch(tenant, external)? else { return Ok(()) };
        if rules::fetched(&mut row, started, lag) {
            self.book.run(Sql::DropFetch, [seq]).map(drop)
        } else {
            self.move_fetch(seq, &row)
        }
    }

    pub(super) fn move_fetch(&mut self, seq: i64, row: &Fetch) -> Outcome<()> {
        let (hinted, due, trace) = (row.hinted_at.micros(), row.due.micros(), rows::trace_in(&row.trace));
        self.book.run(Sql::MoveFetch, (seq, hinted, due, row.attempts, trace)).map(drop)
    }
}
