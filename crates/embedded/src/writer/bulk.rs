//! Groups of failures and jobs in the writer's transaction, and how messages come into groups and leave them.

use canonical::{JobId, MessageId, Tenant, Wall};
use intake::{Message, MessageState};
use ledger::{Group, GroupKind, Job, JobState, Obligation, Reason};
use store::Decided;
use store::groups::{self, Step};

use super::apply::Desk;
use crate::fault::Outcome;
use crate::rows::{self, message};
use crate::sql::Sql;

impl Desk<'_, '_> {
    /// Keeps groups and jobs up with a delivery that moved.
    pub(super) fn count_failures(
        &mut self,
        before: &Obligation,
        after: &Obligation,
        moved: Wall,
    ) -> Outcome<()> {
        if let Some((job, more)) = groups::of_job(before, after) {
            let row = (job.as_bytes(), more.delivered, more.failed, more.other);
            self.book.run(Sql::AddJobTally, row)?;
        }
        self.group(&after.key.tenant, &groups::of_delivery(before, after), moved)
    }

    fn group(&mut self, tenant: &Tenant, steps: &[Step], moved: Wall) -> Outcome<()> {
        for step in steps {
            let key = (self.name(tenant.as_str())?, kind_number(step.kind), &step.fingerprint);
            let known = self.book.one(Sql::Group, key, |row, _| {
                Ok((row.get::<_, i64>(0)?, rows::from_text::<Group>(&row.get::<_, String>(1)?, "group")?))
            })?;
            let (seq, group) = known.map_or((None, None), |(seq, group)| (Some(seq), Some(group)));
            let Some(group) = groups::apply(group, step, moved) else { continue };
            let (left, body) = (i64::from(!group.is_empty()), rows::to_text(&group, "group")?);
            match seq {
                Some(seq) => self.book.run(Sql::MoveGroup, (seq, left, body))?,
                None => {
                    let system = self.name(group.system.as_str())?;
                    self.book.run(Sql::PutGroup, (key.0, key.1, key.2, system, left, body))?
                }
            };
        }
        Ok(())
    }

    /// What is known of a message that is there, without what it said.
    pub(super) fn message_card(&mut self, id: MessageId) -> Outcome<Option<Message>> {
        self.book.one(Sql::MessageCard, [id.as_bytes()], |row, desk| {
            Ok(Message {
                id,
                tenant: desk.names.tenant(row.get(0)?)?,
                source: desk.names.system(row.get(1)?)?,
                event_id: None,
                about: rows::external(row, [4, 5, 6], desk)?,
                state: message::state(row.get(2)?)?,
                raw: Vec::new(),
                read: false,
                lacking: false,
                reason: rows::reason_out(row, 3)?,
                waiting: None,
                deadline: None,
                received_at: rows::wall(row, 7)?,
                as_of: rows::wall(row, 7)?,
                trace: String::new(),
            })
        })
    }

    /// A message that is put, as it is to be kept; its groups are kept up.
    pub(super) fn mark_message(&mut self, message: &Message) -> Outcome<Message> {
        let before = self.message_card(message.id)?;
        let before = before.as_ref().map(|before| (before.state, before.reason.as_ref()));
        let marked = groups::marked(before, message.clone());
        self.group(&marked.tenant, &groups::of_message(before, &marked), marked.received_at)?;
        Ok(marked)
    }

    pub(super) fn move_message(
        &mut self,
        tenant: &Tenant,
        id: MessageId,
        state: MessageState,
        reason: Option<Reason>,
        at: Wall,
    ) -> Outcome<()> {
        let Some(known) = self.message_card(id)?.filter(|known| known.tenant == *tenant) else {
            return Ok(());
        };
        let before = Some((known.state, known.reason.as_ref()));
        let marked = groups::marked(before, Message { state, reason, ..known.clone() });
        let params = (id.as_bytes(), message::state_number(state), rows::reason_in(marked.reason.as_ref())?);
        self.book.run(Sql::MessageState, params)?;
        self.group(&marked.tenant, &groups::of_message(before, &marked), at)
    }

    pub(super) fn decide_message(
        &mut self,
        tenant: &Tenant,
        id: MessageId,
        decided: &Decided,
    ) -> Outcome<()> {
        match self.message_card(id)? {
            Some(known) if known.state == MessageState::Quarantined => {
                let state = if decided.again { MessageState::Ready } else { MessageState::Discarded };
                self.move_message(tenant, id, state, Some(decided.reason.clone()), decided.at)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn job_revision(&mut self, id: JobId) -> Outcome<i64> {
        let found = self.book.one(Sql::JobRevision, [id.as_bytes()], |row, _| Ok(row.get(0)?))?;
        Ok(found.unwrap_or(0))
    }

    pub(super) fn put_job(&mut self, job: &Job) -> Outcome<()> {
        let revision = self.job_revision(job.id)? + 1;
        let planned = job.state == JobState::Planned;
        let body = rows::to_text(&Job { revision, ..job.clone() }, "job")?;
        let live = planned || job.state.is_open();
        let row = (job.id.as_bytes(), self.name(job.tenant.as_str())?, live, planned, revision, body);
        self.book.run(Sql::PutJob, row).map(drop)
    }
}

pub(super) const fn kind_number(kind: GroupKind) -> i64 {
    match kind {
        GroupKind::Delivery => 0,
        GroupKind::Message => 1,
    }
}
