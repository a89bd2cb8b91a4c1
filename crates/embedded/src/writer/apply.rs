//! Applies units in the writer's transaction: what is required first, then the operations in order.
//!
//! After its requirements nothing in a unit can fail for a reason of its own, except a sealed key that can't be read:
//! then the writer does the batch again with a savepoint per commit.

use std::collections::BTreeMap;

use canonical::{ExternalRef, Fact, Record, RecordId, Tenant, Wall};
use intake::{Link, Message, MessageState};
use ledger::{Intent, IntentState, Shadow, Subject};
use store::standing::CHANGES_KEPT;
use store::{Attempt, Change, Epoch, Fetch, Head, Op, Receipt, SystemState, Unit, Version, rules};

use super::known::Known;
use super::seal::Sealer;
use crate::book::Book;
use crate::fault::Outcome;
use crate::journal::Journal;
use crate::rows::{self, intent, message, record, shadow};
use crate::sql::Sql;

/// What one transaction works with.
pub(crate) struct Desk<'w, 'c> {
    pub(crate) book: &'w mut Book<'c>,
    pub(crate) sealer: &'w mut Sealer,
    /// (tenant, system, state) → how many more obligations.
    pub(crate) tally: &'w mut BTreeMap<(i64, i64, i64), i64>,
    pub(crate) waits: &'w mut Waits,
    pub(crate) journal: &'w mut Journal,
    pub(crate) known: &'w mut Known,
}

/// Whether anything waits for a link. Mostly nothing does: then a new link wakes nobody, without a look.
#[derive(Clone, Copy, Default)]
pub(crate) struct Waits(Option<(bool, bool)>);

impl Waits {
    /// What was parked may be awake again, or its transaction undone: look anew, unless nothing was parked.
    pub(crate) fn look_again(&mut self) {
        self.0 = self.0.filter(|waits| *waits == (false, false));
    }

    /// The transaction is undone.
    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }

    pub(super) fn obligation(&mut self) {
        self.0 = self.0.map(|(_, messages)| (true, messages));
    }

    fn message(&mut self) {
        self.0 = self.0.map(|(obligations, _)| (obligations, true));
    }
}

impl Desk<'_, '_> {
    pub(crate) fn unit(&mut self, unit: &Unit) -> Outcome<Receipt> {
        for require in &unit.require {
            if !self.holds(require)? {
                return Ok(Receipt::Conflict);
            }
        }
        let mut heads = Vec::new();
        for op in &unit.ops {
            self.op(op, &mut heads)?;
        }
        Ok(Receipt::Done(heads))
    }

    fn op(&mut self, op: &Op, heads: &mut Vec<Head>) -> Outcome<()> {
        match op {
            Op::Seen { tenant, source, event_id, hash, at } => {
                let (tenant, source) = (self.name(tenant.as_str())?, self.name(source.as_str())?);
                self.book.run(Sql::PutSeen, (tenant, source, event_id, hash, at.micros())).map(drop)
            }
            Op::Unsee { tenant, source, event_id } => {
                let (tenant, source) = (self.name(tenant.as_str())?, self.name(source.as_str())?);
                self.book.run(Sql::DropSeen, (tenant, source, event_id)).map(drop)
            }
            Op::Bury { tenant, system, name, grave, at } => {
                let (tenant, system) = (self.name(tenant.as_str())?, self.name(system.as_str())?);
                self.book.run(Sql::PutGrave, (tenant, system, name, grave, at.micros())).map(drop)
            }
            Op::PutMessage(message) => self.put_message(message),
            Op::MessageState { tenant, id, state, reason, at } => {
                self.move_message(tenant, *id, *state, reason.clone(), *at)
            }
            Op::Decide { key, decided } => self.decide(key, decided, heads),
            Op::DecideMessage { tenant, id, decided } => self.decide_message(tenant, *id, decided),
            Op::PutJob(job) => self.put_job(job),
            Op::DropJob(id) => self.book.run(Sql::DropPlan, [id.as_bytes()]).map(drop),
            Op::PutRecord(record) => self.put_record(record),
            Op::PutLink(link) => self.put_link(link, heads),
            Op::DropLink(link) => self.drop_link(link),
            Op::WakeMessages { tenant, external, at } => self.wake_messages(tenant, external, *at),
            Op::PutMatch { tenant, entity, key, value, record } => {
                let hash = self.book.desk.keys.vault.match_hash(tenant, [entity.as_str(), key], value)?;
                let params = (self.name(tenant.as_str())?, hash, record.as_bytes());
                self.book.run(Sql::PutMatch, params).map(drop)
            }
            Op::DropMatch { tenant, entity, key, value, record } => {
                let hash = self.book.desk.keys.vault.match_hash(tenant, [entity.as_str(), key], value)?;
                let params = (self.name(tenant.as_str())?, hash, record.as_bytes());
                self.book.run(Sql::DropMatch, params).map(drop)
            }
            Op::DropMatches(tenant) => {
                let tenant = self.name(tenant.as_str())?;
                self.book.run(Sql::DropMatches, [tenant]).map(drop)
            }
            Op::PutFact(fact) => self.put_fact(fact),
            Op::Raise(raise) => self.raise(raise, heads),
            Op::PutDecision(decision) => {
                let body = rows::to_text(decision, "decision")?;
                let tenant = self.name(decision.tenant.as_str())?;
                let system = self.name(decision.system.as_str())?;
                let params = (tenant, system, decision.kind.name(), decision.record.as_bytes(), body);
                self.book.run(Sql::PutDecision, params).map(drop)
            }
            Op::PutIntent(intent) => self.put_intent(intent),
            Op::Settle { key, level, reached, state, attempts, due, waiting, reason, at } => {
                let settled = rules::Settled {
                    level: *level,
                    reached: *reached,
                    state: *state,
                    attempts: *attempts,
                    due: *due,
                    waiting: waiting.as_ref(),
                    reason: reason.as_ref(),
                    at: *at,
                };
                self.settle(key, &settled, heads)
            }
            Op::Hold { key, reason, at } => self.move_held(key, *at, |row| rules::hold(row, reason), heads),
            Op::Release { key, at } => self.move_held(key, *at, |row| rules::release(row, *at), heads),
            Op::Hasten { key, lane, at } => {
                self.move_held(key, *at, |row| rules::hasten(row, *lane, *at), heads)
            }
            Op::PutChange(change) => self.put_change(change),
            Op::PutShadow(shadow) => self.put_shadow(shadow),
            Op::PutAttempt(attempt) => self.put_attempt(attempt),
            Op::WantFetch(hint) => self.want_fetch(hint),
            Op::DoneFetch { tenant, external, started, lag } => {
                self.done_fetch(tenant, external, *started, *lag)
            }
            Op::DelayFetch { tenant, external, due, attempts } => {
                let Some((seq, row)) = self.fetch(tenant, external)? else { return Ok(()) };
                self.move_fetch(seq, &Fetch { due: *due, attempts: *attempts, ..row })
            }
            Op::PutCursor { tenant, system, object, cursor, at } => {
                let (tenant, system) = (self.name(tenant.as_str())?, self.name(system.as_str())?);
                let params = (tenant, system, self.name(object.as_str())?, cursor, at.micros());
                self.book.run(Sql::PutCursor, params).map(drop)
            }
            Op::PutSystem(state) => self.put_system(state),
            Op::PutApplied(applied) => {
                let tenant = self.name(applied.tenant.as_str())?;
                let body = rows::to_text(applied, "applied")?;
                self.book.run(Sql::PutApplied, (tenant, body)).map(drop)
            }
            Op::PutVersion(Version { tenant, key, digest, meaning, at }) => {
                let meaning = rows::to_text(meaning, "version")?;
                let (tenant, number) = (self.name(tenant.as_str())?, key.number);
                let row = (tenant, &key.kind, &key.name, number, digest, at.micros(), meaning);
                self.book.run(Sql::PutVersion, row).map(drop)
            }
            Op::PutEpoch(Epoch { number, taken_at, restored_at }) => {
                self.book.run(Sql::PutEpoch, (number, taken_at.micros(), restored_at.micros())).map(drop)
            }
            Op::PutReread { tenant, system, epoch, reread } => {
                let (tenant, system) = (self.name(tenant.as_str())?, self.name(system.as_str())?);
                let at = |time: Option<canonical::Wall>| time.map(canonical::Wall::micros);
                let row = (tenant, system, epoch, at(reread.read_at), at(reread.open_at));
                self.book.run(Sql::PutReread, row).map(drop)
            }
            Op::WantFetchOf { tenant, record, objects, at, trace } => {
                self.want_fetch_of(tenant, *record, objects, *at, trace)
            }
            Op::PutCredential { tenant, system, credential, generation } => {
                let (tenant, system) = (self.name(tenant.as_str())?, self.name(system.as_str())?);
                self.book.run(Sql::PutCredential, (tenant, system, credential, generation)).map(drop)
            }
            Op::Forget { tenant, row, before } => self.forget(tenant, row, *before),
            Op::PutRetained(tenant, retained) => {
                let row = (self.name(tenant.as_str())?, rows::to_text(retained, "retention")?);
                self.book.run(Sql::PutRetained, row).map(drop)
            }
        }
    }

    /// The number of a name, given when it has none.
    pub(super) fn name(&mut self, text: &str) -> Outcome<i64> {
        self.book.desk.names.intern(text)
    }

    fn place_of(&mut self, external: Option<&ExternalRef>) -> Outcome<(Option<i64>, Option<i64>)> {
        let Some(external) = external else { return Ok((None, None)) };
        Ok((Some(self.name(external.system.as_str())?), Some(self.name(external.object.as_str())?)))
    }

    fn put_message(&mut self, message: &Message) -> Outcome<()> {
        if message.waiting.is_some() {
            self.waits.message();
        }
        // One that is kept as accepted is new: nothing is known of it.
        let marked;
        let message = if message.state == MessageState::Accepted {
            message
        } else {
            marked = self.mark_message(message)?;
            &marked
        };
        let place = rows::message_place(&message.tenant, message.id);
        let sealed =
            self.sealer.of_day(self.book, &message.tenant, message.received_at, &place, &message.raw)?;
        let (about_system, about_object) = self.place_of(message.about.as_ref())?;
        let (wait_system, wait_object) = self.place_of(message.waiting.as_ref())?;
        let (tenant, source) = (self.name(message.tenant.as_str())?, self.name(message.source.as_str())?);
        self.book.run(
            Sql::PutMessage,
            rusqlite::params![
                message.id.as_bytes(),
                tenant,
                source,
                message::state_number(message.state),
                message::read_bits(message),
                message.event_id,
                about_system,
                about_object,
                message.about.as_ref().map(|about| &about.id),
                wait_system,
                wait_object,
                message.waiting.as_ref().map(|waiting| &waiting.id),
                message.deadline.map(canonical::Wall::micros),
                message.received_at.micros(),
                message.as_of.micros(),
                rows::trace_in(&message.trace),
                rows::reason_in(message.reason.as_ref())?,
                sealed,
            ],
        )?;
        Ok(())
    }

    fn put_record(&mut self, record: &Record) -> Outcome<()> {
        let place = rows::record_place(&record.tenant, record.id);
        let plain = record::record_document(record)?;
        if record.version == 1 {
            // Without a look: it has no key yet.
            self.sealer.expect_new(self.book, &record.tenant, record.id)?;
        }
        let sealed = self.sealer.of_record(self.book, &record.tenant, record.id, &place, &plain)?;
        self.known.sealed(record.id, record.version, &sealed);
        let (tenant, entity) = (self.name(record.tenant.as_str())?, self.name(record.entity.as_str())?);
        self.book.run(
            Sql::PutRecord,
            rusqlite::params![
                record.id.as_bytes(),
                tenant,
                record.version,
                entity,
                record.schema,
                record::merged_into(&record.alive).map(|into| *into.as_bytes()),
                record.created_at.micros(),
                record.updated_at.micros(),
                sealed,
            ],
        )?;
        Ok(())
    }

    fn put_link(&mut self, link: &Link, heads: &mut Vec<Head>) -> Outcome<()> {
        let (tenant, system) = (self.name(link.tenant.as_str())?, self.name(link.system.as_str())?);
        let (object, entity) = (self.name(link.object.as_str())?, self.name(link.entity.as_str())?);
        let (record, at) = (link.record.as_bytes(), link.created_at.micros());
        let row = (tenant, system, &link.external_id, object, &link.instance, entity, record, at);
        self.book.run(Sql::PutLink, row)?;
        let (obligations, messages) = self.waiting()?;
        if obligations {
            self.wake(link, (tenant, system, object), heads)?;
        }
        if messages {
            let params = (tenant, system, object, &link.external_id);
            self.book.run(Sql::WakeMessages, params)?;
            self.wake_quarantined(Sql::WaitingQuarantined, &link.tenant, params, link.created_at)?;
        }
        Ok(())
    }

    /// What is quarantined as a duplicate beside this object goes on.
    fn wake_messages(&mut self, tenant: &Tenant, external: &ExternalRef, at: Wall) -> Outcome<()> {
        if !self.waiting()?.1 {
            return Ok(());
        }
        let (system, object) = (self.name(external.system.as_str())?, self.name(external.object.as_str())?);
        let params = (self.name(tenant.as_str())?, system, object, &external.id);
        self.wake_quarantined(Sql::Duplicates, tenant, params, at)
    }

    fn wake_quarantined(
        &mut self,
        which: Sql,
        tenant: &Tenant,
        params: (i64, i64, i64, &String),
        at: Wall,
    ) -> Outcome<()> {
        for id in self.book.all(which, params, |row, _| rows::uuid(row, 0))? {
            self.move_message(tenant, canonical::MessageId(id), MessageState::Ready, None, at)?;
        }
        Ok(())
    }

    /// Whether any obligation waits for a link, and any message.
    pub(super) fn waiting(&mut self) -> Outcome<(bool, bool)> {
        if let Some(known) = self.waits.0 {
            return Ok(known);
        }
        let found = self.book.one(Sql::AnyWaiting, [], |row, _| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(*self.waits.0.insert(found.unwrap_or((true, true))))
    }

    fn drop_link(&mut self, link: &Link) -> Outcome<()> {
        let (tenant, system) = (self.name(link.tenant.as_str())?, self.name(link.system.as_str())?);
        let object = self.name(link.object.as_str())?;
        let row = (tenant, system, &link.external_id, object, &link.instance, link.record.as_bytes());
        self.book.run(Sql::DropLink, row).map(drop)
    }

    fn put_fact(&mut self, fact: &Fact) -> Outcome<()> {
        let place = rows::fact_place(&fact.tenant, fact.id);
        let plain = rows::document(&fact.data, "event")?;
        let sealed = self.sealer.of_record(self.book, &fact.tenant, fact.record, &place, &plain)?;
        let (tenant, kind) = (self.name(fact.tenant.as_str())?, self.name(&fact.kind)?);
        let (entity, source) = (self.name(fact.entity.as_str())?, self.name(fact.source.as_str())?);
        let told = Some(&fact.mappings).filter(|mappings| !mappings.is_empty());
        let mappings = told.map(|mappings| rows::to_text(mappings, "event")).transpose()?;
        self.book.run(
            Sql::PutFact,
            rusqlite::params![
                fact.id.as_bytes(),
                tenant,
                kind,
                entity,
                fact.record.as_bytes(),
                fact.version,
                source,
                fact.at.micros(),
                fact.occurrence,
                rows::trace_in(&fact.trace),
                sealed,
                fact.schema,
                mappings,
            ],
        )?;
        Ok(())
    }

    /// Puts an intent, or moves the one that is there: an open one in the journal, a closed one as a row.
    fn put_intent(&mut self, intent: &Intent) -> Outcome<()> {
        let key = (intent.record, intent.id);
        let next = match self.journal.get(key).cloned() {
            Some(before) => rules::next_intent(before, intent.clone()),
            None if self.has_ended(intent)? => return Ok(()),
            None => rules::first_intent(intent.clone()),
        };
        if next.state == IntentState::Closed {
            self.journal.put(key, None);
            return self.put_closed(&next);
        }
        self.sealer.key(self.book, next.tenant(), next.record)?;
        self.journal.put(key, Some(next));
        Ok(())
    }

    /// Whether an intent that is not open has ended. One as it is rendered has not: its id was just drawn.
    fn has_ended(&mut self, intent: &Intent) -> Outcome<bool> {
        let new = intent.state == IntentState::Open && intent.outcome.is_none() && intent.sends <= 1;
        if new && intent.probes == 0 {
            return Ok(false);
        }
        let params = (intent.record.as_bytes(), intent.id.0.as_bytes());
        Ok(self.book.one(Sql::EndedIntent, params, |_, _| Ok(()))?.is_some())
    }

    fn put_closed(&mut self, intent: &Intent) -> Outcome<()> {
        let (kind, subject) = rows::subject_parts(&intent.obligation.subject);
        let (class, class_value) = intent::class_parts(&intent.class);
        let (tenant, route) =
            (self.name(intent.tenant().as_str())?, self.name(intent.obligation.route.as_str())?);
        let (system, object) = (self.name(intent.system.as_str())?, self.name(intent.object.as_str())?);
        let operation = self.name(&intent.operation)?;
        self.book.run(
            Sql::PutIntent,
            rusqlite::params![
                intent.record.as_bytes(),
                intent.id.0.as_bytes(),
                tenant,
                route,
                kind,
                subject,
                system,
                object,
                intent.level.version,
                intent.level.generation,
                operation,
                class,
                class_value,
                intent.full,
                intent.external_id,
                intent.scope,
                intent.sends,
                intent.probes,
                intent.created_at.micros(),
                intent.arrives_until.micros(),
                i64::try_from(intent.processing_max.as_nanos()).unwrap_or(i64::MAX),
                intent.due.micros(),
                intent.outcome.map(rows::class_number),
                rows::reason_in(intent.reason.as_ref())?,
                intent.closed_at.map(canonical::Wall::micros),
                intent.token.map(|token| token.0),
                rows::trace_in(&intent.trace),
                intent.batch.as_ref().map(rows::intent::batch_in),
            ],
        )?;
        Ok(())
    }

    fn put_shadow(&mut self, shadow: &Shadow) -> Outcome<()> {
        let (system, object) = (shadow.system.as_str(), shadow.object.as_str());
        let place = rows::shadow_place(&shadow.tenant, shadow.record, system, object);
        let plain = shadow::shadow_document(shadow)?;
        let sealed = self.sealer.of_record(self.book, &shadow.tenant, shadow.record, &place, &plain)?;
        let (system, object) = (self.name(system)?, self.name(object)?);
        let tenant = self.name(shadow.tenant.as_str())?;
        let level = shadow.level;
        let row = (shadow.record.as_bytes(), system, object, tenant, level.version, level.generation, sealed);
        self.book.run(Sql::PutShadow, row).map(drop)
    }

    fn put_attempt(&mut self, attempt: &Attempt) -> Outcome<()> {
        let record: Option<RecordId> = match attempt.obligation.subject {
            Subject::Record(record) => Some(record),
            Subject::Event(_) => self.obligation(&attempt.obligation)?.map(|found| found.row.record),
        };
        let body = rows::to_text(attempt, "attempt")?;
        self.book.run(Sql::PutAttempt, (record.map(|record| *record.as_bytes()), body)).map(drop)
    }

    fn put_change(&mut self, change: &Change) -> Outcome<()> {
        let (tenant, system) = (self.name(change.tenant.as_str())?, self.name(change.system.as_str())?);
        self.book.run(Sql::PutChange, (tenant, system, rows::to_text(change, "change")?))?;
        self.book.run(Sql::DropChanges, (tenant, system, CHANGES_KEPT)).map(drop)
    }

    fn put_system(&mut self, state: &SystemState) -> Outcome<()> {
        let (tenant, system) = (self.name(state.tenant.as_str())?, self.name(state.system.as_str())?);
        let generation = state.credential_generation;
        let closed = rows::to_text(&state.closed, "system")?;
        let standing = rows::to_text(&state.standing, "system")?;
        let jobs = rows::to_text(&state.jobs, "system")?;
        let first = rows::to_text(&state.first_listings, "system")?;
        let (instance, paused, credential) = (&state.instance, &state.paused, &state.credential);
        let row = (tenant, system, instance, paused, credential, generation, closed, standing, jobs, first);
        self.book.run(Sql::PutSystem, row).map(drop)
    }
}
