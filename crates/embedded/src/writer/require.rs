//! What a unit requires, judged in the transaction that applies it; and which record stands for which.

use std::collections::BTreeSet;

use canonical::RecordId;
use intake::MessageState;
use store::{Require, rules};

use super::apply::Desk;
use crate::fault::Outcome;
use crate::rows;
use crate::sql::Sql;

impl Desk<'_, '_> {
    pub(super) fn holds(&mut self, require: &Require) -> Outcome<bool> {
        match require {
            Require::Unseen { tenant, source, event_id } => {
                let params = (self.name(tenant.as_str())?, self.name(source.as_str())?, event_id);
                Ok(self.book.one(Sql::SeenHash, params, |_, _| Ok(()))?.is_none())
            }
            Require::RecordAt { record, version } => {
                let found =
                    self.book.one(Sql::RecordVersion, [record.as_bytes()], |row, _| Ok(row.get(0)?))?;
                Ok(found.unwrap_or(0) == *version)
            }
            Require::Unlinked { tenant, external } => {
                let (system, object) =
                    (self.name(external.system.as_str())?, self.name(external.object.as_str())?);
                let params = (self.name(tenant.as_str())?, system, &external.id, object);
                Ok(self.book.one(Sql::AnyLinkOfObject, params, |_, _| Ok(()))?.is_none())
            }
            Require::NotYetLinked { record, system, object } => {
                let (system, object) = (self.name(system.as_str())?, self.name(object.as_str())?);
                let survivor = self.stands_for(*record)?;
                for record in std::iter::once(*record).chain((survivor != *record).then_some(survivor)) {
                    let params = (record.as_bytes(), system, object);
                    if self.book.one(Sql::AnyLinkOfRecord, params, |_, _| Ok(()))?.is_some() {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Require::LinkedTo { record, external } => {
                let (system, object) =
                    (self.name(external.system.as_str())?, self.name(external.object.as_str())?);
                let params = (record.as_bytes(), system, object, &external.id);
                Ok(self.book.one(Sql::ThatLinkOfRecord, params, |_, _| Ok(()))?.is_some())
            }
            Require::ShadowAt { record, system, object, revision } => {
                let params = (record.as_bytes(), self.name(system.as_str())?, self.name(object.as_str())?);
                let found = self.book.one(Sql::ShadowRevision, params, |row, _| Ok(row.get(0)?))?;
                Ok(found.unwrap_or(0) == *revision)
            }
            Require::Wanted { key, level, state } => Ok(self
                .obligation(key)?
                .is_some_and(|found| found.row.wanted == *level && found.row.state == *state)),
            Require::Quarantined { tenant, message } => Ok(self
                .message_card(*message)?
                .is_some_and(|found| found.tenant == *tenant && found.state == MessageState::Quarantined)),
            Require::JobAt { job, revision } => Ok(self.job_revision(*job)? == *revision),
            Require::Stands { record } => Ok(self.merged_into(*record)?.is_none()),
            Require::NoOpenIntent { record } => Ok(!self.journal.holds_open(*record)),
        }
    }

    /// What a record was merged into.
    fn merged_into(&mut self, id: RecordId) -> Outcome<Option<RecordId>> {
        self.book.one(Sql::MergedInto, [id.as_bytes()], |row, _| rows::record_id(row, 0))
    }

    fn stands_for(&mut self, id: RecordId) -> Outcome<RecordId> {
        rules::stands_for(id, |id| self.merged_into(id))
    }

    /// All records that were merged into one.
    pub(super) fn aliases(&mut self, id: RecordId) -> Outcome<BTreeSet<RecordId>> {
        rules::aliases(id, |id| {
            self.book.all(Sql::MergedRecords, [id.as_bytes()], |row, _| rows::record_id(row, 0))
        })
    }
}
