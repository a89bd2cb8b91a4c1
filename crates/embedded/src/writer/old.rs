//! What is old goes: each row is judged again here, in the transaction that takes it away.

use canonical::{EventId, IntentId, JobId, MessageId, RecordId, Tenant, Wall};
use intake::Decision;
use ledger::{Group, GroupKind, Job, ObligationKey};
use store::Attempt;
use store::retention::{self, OldRow};

use super::apply::Desk;
use super::bulk::kind_number;
use crate::fault::Outcome;
use crate::rows::{self, message, state_number, subject_parts, wall};
use crate::sql::Sql;

impl Desk<'_, '_> {
    pub(super) fn forget(&mut self, tenant: &Tenant, row: &OldRow, before: Wall) -> Outcome<()> {
        match row {
            OldRow::Payload(id) => self.forget_payload(tenant, *id, before),
            OldRow::Message(id) => self.forget_message(tenant, *id, before),
            OldRow::Event(id) => self.forget_event(tenant, *id, before),
            OldRow::Delivery(key) => self.forget_delivery(tenant, key, before),
            OldRow::Intent(record, id) => self.forget_intent(tenant, *record, *id, before),
            OldRow::Attempt(seq) => self.forget_attempt(tenant, *seq, before),
            OldRow::Decision(record, seq) => self.forget_decision(tenant, *record, *seq, before),
            OldRow::Group(kind, name) => self.forget_group(tenant, *kind, name, before),
            OldRow::Job(id) => self.forget_job(tenant, *id, before),
        }
    }

    fn last(&mut self, of: Sql) -> Outcome<i64> {
        Ok(self.book.one(of, [], |row, _| Ok(row.get::<_, Option<i64>>(0)?))?.flatten().unwrap_or(0))
    }

    fn forget_payload(&mut self, tenant: &Tenant, id: MessageId, before: Wall) -> Outcome<()> {
        let Some(found) = self.old_message(tenant, id, before)? else { return Ok(()) };
        if found.bytes == 0 {
            return Ok(());
        }
        if found.event_id.is_some() {
            return self.book.run(Sql::EmptyMessage, [found.seq]).map(drop);
        }
        if found.seq == self.last(Sql::LastMessage)? {
            return Ok(());
        }
        self.book.run(Sql::DropMessage, [found.seq]).map(drop)
    }

    fn forget_message(&mut self, tenant: &Tenant, id: MessageId, before: Wall) -> Outcome<()> {
        let Some(found) = self.old_message(tenant, id, before)? else { return Ok(()) };
        if found.seq == self.last(Sql::LastMessage)? {
            return Ok(());
        }
        self.book.run(Sql::DropMessage, [found.seq])?;
        if let Some(event_id) = found.event_id {
            self.book.run(Sql::DropSeen, (found.tenant, found.source, event_id))?;
        }
        Ok(())
    }

    fn old_message(&mut self, tenant: &Tenant, id: MessageId, before: Wall) -> Outcome<Option<OldMessage>> {
        let tenant = self.name(tenant.as_str())?;
        let found = self.book.one(Sql::MessageAge, [id.as_bytes()], |row, _| {
            let rests = retention::message_rests(message::state(row.get(2)?)?);
            let found = OldMessage {
                seq: row.get(0)?,
                tenant: row.get(1)?,
                source: row.get(4)?,
                event_id: row.get(5)?,
                bytes: row.get(6)?,
            };
            Ok((rests && wall(row, 3)? < before).then_some(found))
        })?;
        Ok(found.flatten().filter(|found| found.tenant == tenant))
    }

    fn forget_event(&mut self, tenant: &Tenant, id: EventId, before: Wall) -> Outcome<()> {
        let found: Option<(i64, i64, bool)> = self
            .book
            .one(Sql::FactAge, [id.as_bytes()], |row, _| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let tenant = self.name(tenant.as_str())?;
        match found {
            Some((seq, whose, false)) if whose == tenant && id.made_at() < before => {
                if seq != self.last(Sql::LastFact)? {
                    self.book.run(Sql::DropFact, [seq])?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn forget_delivery(&mut self, tenant: &Tenant, key: &ObligationKey, before: Wall) -> Outcome<()> {
        let Some(found) = self.obligation(key)? else { return Ok(()) };
        let old = key.tenant == *tenant && retention::delivery_is_old(&found.row, before);
        if !old || found.row.seq == self.last(Sql::LastObligation)? {
            return Ok(());
        }
        self.book.run(Sql::DropObligation, [found.row.seq])?;
        *self.tally.entry((found.tenant, found.system, state_number(found.row.state))).or_insert(0) -= 1;
        Ok(())
    }

    /// Whether nobody has anything to do about a delivery, or it is gone.
    fn is_settled(&mut self, key: &ObligationKey) -> Outcome<bool> {
        let (kind, subject) = subject_parts(&key.subject);
        let params = (subject, self.name(key.route.as_str())?, self.name(key.tenant.as_str())?, kind);
        let state = self.book.one(Sql::StateOfObligation, params, |row, _| rows::state(row.get(0)?))?;
        Ok(state.is_none_or(retention::rests))
    }

    fn forget_intent(
        &mut self,
        tenant: &Tenant,
        record: RecordId,
        id: IntentId,
        before: Wall,
    ) -> Outcome<()> {
        let params = (record.as_bytes(), id.as_bytes());
        // What is a row has ended. Only what tells its age is read: a damaged one goes like any other.
        let old = self.book.one(Sql::IntentAge, params, |row, _| {
            let rests =
                row.get::<_, Option<i64>>(2)?.map(rows::state).transpose()?.is_none_or(retention::rests);
            Ok((row.get::<_, i64>(0)?, wall(row, 1)? < before && rests))
        })?;
        let tenant = self.name(tenant.as_str())?;
        if old == Some((tenant, true)) && !self.journal.holds((record, id)) {
            self.book.run(Sql::DropIntent, params)?;
        }
        Ok(())
    }

    fn forget_attempt(&mut self, tenant: &Tenant, seq: i64, before: Wall) -> Outcome<()> {
        let found: Option<Attempt> = self
            .book
            .one(Sql::AttemptAt, [seq], |row, _| rows::from_text(&row.get::<_, String>(0)?, "attempt"))?;
        let Some(found) = found else { return Ok(()) };
        if found.obligation.tenant == *tenant
            && found.at < before
            && seq != self.last(Sql::LastAttempt)?
            && self.is_settled(&found.obligation)?
        {
            self.book.run(Sql::DropAttempt, [seq])?;
        }
        Ok(())
    }

    fn forget_decision(&mut self, tenant: &Tenant, record: RecordId, seq: i64, before: Wall) -> Outcome<()> {
        let params = (record.as_bytes(), seq);
        let found: Option<Decision> = self
            .book
            .one(Sql::DecisionAt, params, |row, _| rows::from_text(&row.get::<_, String>(0)?, "decision"))?;
        if found.is_some_and(|found| found.tenant == *tenant && found.at < before) {
            self.book.run(Sql::DropDecision, params)?;
        }
        Ok(())
    }

    fn forget_group(&mut self, tenant: &Tenant, kind: GroupKind, name: &str, before: Wall) -> Outcome<()> {
        let key = (self.name(tenant.as_str())?, kind_number(kind), name);
        let found: Option<(i64, Group)> = self.book.one(Sql::Group, key, |row, _| {
            Ok((row.get(0)?, rows::from_text(&row.get::<_, String>(1)?, "group")?))
        })?;
        let Some((seq, group)) = found else { return Ok(()) };
        if retention::group_is_old(&group, before) && seq != self.last(Sql::LastGroup)? {
            self.book.run(Sql::DropGroup, [seq])?;
        }
        Ok(())
    }

    fn forget_job(&mut self, tenant: &Tenant, id: JobId, before: Wall) -> Outcome<()> {
        let found: Option<(i64, Job)> = self.book.one(Sql::JobAt, [id.as_bytes()], |row, _| {
            Ok((row.get(0)?, rows::from_text(&row.get::<_, String>(1)?, "job")?))
        })?;
        let Some((seq, job)) = found else { return Ok(()) };
        let old = job.tenant == *tenant && retention::job_is_old(&job, before);
        if old && seq != self.last(Sql::LastJob)? {
            self.book.run(Sql::DropJob, [seq])?;
            self.book.run(Sql::DropJobTally, [id.as_bytes()])?;
        }
        Ok(())
    }
}

/// What is known of a message that may go.
struct OldMessage {
    seq: i64,
    tenant: i64,
    source: i64,
    event_id: Option<String>,
    bytes: i64,
}
