//! What a change of the configuration would touch: counts with a bound, and the history of changes.

use canonical::{Entity, System, Tenant};
use ledger::Lane;
use rusqlite::Row;
use store::browse::{FOOTPRINT_MAX, Footprint, LIST_ROWS_MAX};
use store::{Applied, VERSIONS_PAGE_MAX, Version, VersionKey};

use super::Reader;
use crate::fault::Outcome;
use crate::rows::{count, from_text, wall};
use crate::sql::Sql;

impl Reader<'_> {
    pub(super) fn applied(
        &mut self,
        tenant: Option<i64>,
        before: Option<i64>,
        limit: usize,
    ) -> Outcome<Vec<(i64, Applied)>> {
        let Some(tenant) = tenant else { return Ok(vec![]) };
        let limit = i64::try_from(limit.min(LIST_ROWS_MAX)).unwrap_or(0);
        let before = before.unwrap_or(i64::MAX);
        self.book.all(Sql::Applied, (tenant, before, limit), |row, _| {
            Ok((row.get(0)?, from_text(&row.get::<_, String>(1)?, "applied")?))
        })
    }

    pub(super) fn versions(
        &mut self,
        owner: &Tenant,
        tenant: Option<i64>,
        after: Option<&VersionKey>,
    ) -> Outcome<Vec<Version>> {
        let Some(tenant) = tenant else { return Ok(vec![]) };
        let (kind, name) = after.map_or(("", ""), |after| (after.kind.as_str(), after.name.as_str()));
        let number = after.map_or(0, |after| after.number);
        let limit = i64::try_from(VERSIONS_PAGE_MAX).unwrap_or(i64::MAX);
        self.book.all(Sql::Versions, (tenant, kind, name, number, limit), |row, _| version(owner, row))
    }

    pub(super) fn footprint(
        &mut self,
        tenant: Option<i64>,
        entities: &[Entity],
        systems: &[System],
    ) -> Outcome<Footprint> {
        let mut out = Footprint::default();
        let Some(tenant) = tenant else { return Ok(out) };
        for entity in entities {
            let Some(number) = self.name(entity.as_str())? else { continue };
            let count =
                self.book.one(Sql::CountRecords, (tenant, number, limit(FOOTPRINT_MAX)), |row, _| {
                    Ok(row.get::<_, i64>(0)?.unsigned_abs())
                })?;
            out.records.extend(count.filter(|count| *count > 0).map(|count| (entity.clone(), count)));
        }
        for system in systems {
            self.open_of(tenant, system, &mut out)?;
        }
        Ok(out)
    }

    /// Adds a system's open obligations.
    fn open_of(&mut self, tenant: i64, system: &System, out: &mut Footprint) -> Outcome<()> {
        let Some(number) = self.name(system.as_str())? else { return Ok(()) };
        let mut left = FOOTPRINT_MAX;
        let mut found = Vec::new();
        for lane in Lane::ALL {
            let params = (tenant, number, lane.number(), limit(left));
            let rows = self.book.all(Sql::CountOpen, params, |row, desk| {
                Ok((desk.names.route(row.get(0)?)?, row.get::<_, i64>(1)?.unsigned_abs()))
            })?;
            left = left.saturating_sub(rows.iter().map(|(_, count)| count).sum());
            found.extend(rows);
        }
        found.extend(self.book.all(Sql::CountHeld, (tenant, number, limit(left)), |row, desk| {
            Ok((desk.names.route(row.get(0)?)?, row.get::<_, i64>(1)?.unsigned_abs()))
        })?);
        for (route, count) in found {
            *out.open.entry(route).or_default() += count;
        }
        Ok(())
    }
}

/// Reads a version.
pub(crate) fn version(tenant: &Tenant, row: &Row<'_>) -> Outcome<Version> {
    Ok(Version {
        tenant: tenant.clone(),
        key: VersionKey { kind: row.get(0)?, name: row.get(1)?, number: count(row, 2)? },
        digest: row.get(3)?,
        at: wall(row, 4)?,
        meaning: from_text(&row.get::<_, String>(5)?, "version")?,
    })
}

fn limit(most: u64) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}
