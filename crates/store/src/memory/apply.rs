//! Applies units: what is required first, then the operations in order.

use canonical::{ExternalRef, Object, RecordId, System, Tenant, Wall};
use intake::{Link, MessageState, Raise};
use ledger::{JobState, ObligationKey, Subject};
use planted::Bug;

use super::tables::{self, Tables};
use crate::Receipt;
use crate::op::{Decided, Fetch, Op, Unit};
use crate::query::Head;
use crate::require::Require;
use crate::rules::{self, Settled};
use crate::standing::{CHANGES_KEPT, Change};
use crate::system::SystemState;

impl Tables {
    pub(super) fn apply(&mut self, units: Vec<Unit>) -> Vec<Receipt> {
        units.into_iter().map(|unit| self.apply_unit(unit)).collect()
    }

    fn apply_unit(&mut self, unit: Unit) -> Receipt {
        if !unit.require.iter().all(|require| self.holds(require)) {
            return Receipt::Conflict;
        }
        let mut heads = Vec::new();
        for op in unit.ops {
            self.apply_op(op, &mut heads);
        }
        Receipt::Done(heads)
    }

    fn holds(&self, require: &Require) -> bool {
        match require {
            Require::Unseen { tenant, source, event_id } => {
                planted::is(Bug::SeenAgainIsNew)
                    || !self.seen.contains_key(&(tenant.clone(), source.clone(), event_id.clone()))
            }
            Require::RecordAt { record, version } => {
                self.records.get(record).map_or(0, |found| found.version) == *version
            }
            Require::Unlinked { tenant, external } => self.link(tenant, external).is_none(),
            Require::NotYetLinked { record, system, object } => {
                let free = |record| self.linked(record, system, object).is_none();
                free(*record) && free(self.stands_for(*record))
            }
            Require::LinkedTo { record, external } => self
                .linked(*record, &external.system, &external.object)
                .is_some_and(|link| link.external_id == external.id),
            Require::ShadowAt { record, system, object, revision } => {
                self.revision(*record, system, object) == *revision
            }
            Require::Wanted { key, level, state } => {
                self.obligations.get(key).is_some_and(|row| row.wanted == *level && row.state == *state)
            }
            Require::Quarantined { tenant, message } => self
                .messages
                .get(message)
                .is_some_and(|found| found.tenant == *tenant && found.state == MessageState::Quarantined),
            Require::JobAt { job, revision } => {
                self.jobs.get(job).map_or(0, |found| found.revision) == *revision
            }
            Require::Stands { record } => !self.is_merged(*record),
            Require::NoOpenIntent { record } => self.unfinished.of(*record).all(|(_, open)| open.is_empty()),
        }
    }

    fn apply_op(&mut self, op: Op, heads: &mut Vec<Head>) {
        match op {
            Op::Seen { tenant, source, event_id, hash, at: _ } => {
                self.seen.entry((tenant, source, event_id)).or_insert(hash);
            }
            Op::Unsee { tenant, source, event_id } => {
                self.seen.remove(&(tenant, source, event_id));
            }
            Op::Bury { tenant, system, name, grave, at: _ } => {
                let known = self.seen.entry((tenant, system, name)).or_insert(grave);
                *known = (*known).max(grave);
            }
            Op::PutMessage(message) => {
                let at = message.received_at;
                self.put_message(message, at);
            }
            Op::MessageState { tenant, id, state, reason, at } => {
                let own = |message: &&intake::Message| message.tenant == tenant;
                if let Some(message) = self.messages.get(&id).filter(own).cloned() {
                    self.put_message(intake::Message { state, reason, ..message }, at);
                }
            }
            Op::PutRecord(record) => self.put_record(record),
            Op::PutLink(link) => {
                self.put_link(link.clone());
                self.wake(&link, heads);
            }
            Op::DropLink(link) => self.drop_link(&link),
            Op::WakeMessages { tenant, external, at } => self.wake_messages(tenant, external, at),
            Op::PutMatch { tenant, entity, key, value, record } => {
                self.matches.entry((tenant, entity, key, value)).or_default().insert(record);
            }
            Op::DropMatch { tenant, entity, key, value, record } => {
                let key = (tenant, entity, key, value);
                let having = self.matches.entry(key.clone()).or_default();
                having.remove(&record);
                if having.is_empty() {
                    self.matches.remove(&key);
                }
            }
            Op::DropMatches(tenant) => self.matches.retain(|(whose, ..), _| *whose != tenant),
            Op::PutFact(fact) => {
                if self.facts.get(&fact.id).is_none() {
                    self.facts.put(&fact.id.clone(), fact);
                }
            }
            Op::Raise(raise) => self.raise(&raise, heads),
            Op::PutDecision(decision) => {
                let all = (decision.record, i64::MIN)..=(decision.record, i64::MAX);
                let last = self.decisions.range(all).next_back().map_or(0, |((_, last), _)| *last);
                let newest = self.decided.values().filter_map(|line| line.last_key_value());
                let position = newest.map(|(at, _)| at + 1).max().unwrap_or(1);
                let key = (decision.record, last + 1);
                let line = (decision.tenant.clone(), decision.system.clone(), decision.kind.name());
                self.decided.entry(line).or_default().insert(position, key);
                self.decisions.insert((decision.record, last + 1), decision);
            }
            Op::PutIntent(intent) => self.put_intent(intent),
            Op::Settle { key, level, reached, state, attempts, due, waiting, reason, at } => {
                let (waiting, reason) = (waiting.as_ref(), reason.as_ref());
                let settled = Settled { level, reached, state, attempts, due, waiting, reason, at };
                self.settle(&key, &settled, heads);
            }
            Op::Hold { key, reason, at } => {
                self.move_held(&key, at, |row| rules::hold(row, &reason), heads);
            }
            Op::Release { key, at } => self.move_held(&key, at, |row| rules::release(row, at), heads),
            Op::Hasten { key, lane, at } => {
                self.move_held(&key, at, |row| rules::hasten(row, lane, at), heads);
            }
            Op::PutShadow(shadow) => {
                let before = self.revision(shadow.record, &shadow.system, &shadow.object);
                let (record, system, object) = (shadow.record, shadow.system.clone(), shadow.object.clone());
                self.shadows.put(record, &system, &object, rules::next_shadow(before, shadow));
            }
            Op::PutAttempt(attempt) => {
                let record = match attempt.obligation.subject {
                    Subject::Record(record) => Some(record),
                    Subject::Event(_) => self.obligations.get(&attempt.obligation).map(|row| row.record),
                };
                let at = self.attempts.last_key_value().map_or(1, |(last, _)| last + 1);
                self.attempts.insert(at, (record, attempt));
            }
            other => self.apply_work(other, heads),
        }
    }

    /// What keeps a system's own work going: fetches, cursors, its state; and what jobs order.
    fn apply_work(&mut self, op: Op, heads: &mut Vec<Head>) {
        match op {
            Op::Decide { key, decided } => self.decide(&key, &decided, heads),
            Op::DecideMessage { tenant, id, decided } => {
                let quarantined = |message: &&intake::Message| {
                    message.tenant == tenant && message.state == MessageState::Quarantined
                };
                if let Some(message) = self.messages.get(&id).filter(quarantined).cloned() {
                    let state = if decided.again { MessageState::Ready } else { MessageState::Discarded };
                    let reason = Some(decided.reason);
                    self.put_message(intake::Message { state, reason, ..message }, decided.at);
                }
            }
            Op::PutJob(job) => {
                let before = self.jobs.get(&job.id).map_or(0, |before| before.revision);
                self.jobs.put(&job.id.clone(), ledger::Job { revision: before + 1, ..job });
            }
            Op::DropJob(id) if self.jobs.get(&id).is_some_and(|job| job.state == JobState::Planned) => {
                self.jobs.remove(&id);
            }
            Op::WantFetch(hint) => self.want(hint),
            Op::DoneFetch { tenant, external, started, lag } => {
                let key = (tenant, external);
                let Some(mut row) = self.fetches.get(&key).cloned() else { return };
                if rules::fetched(&mut row, started, lag) || planted::is(Bug::LaterHintIsLost) {
                    self.fetches.remove(&key);
                } else {
                    self.fetches.put(&key, row);
                }
            }
            Op::DelayFetch { tenant, external, due, attempts } => {
                let key = (tenant, external);
                let Some(row) = self.fetches.get(&key).cloned() else { return };
                self.fetches.put(&key, Fetch { due, attempts, ..row });
            }
            Op::PutChange(change) => self.put_change(change),
            Op::PutCursor { tenant, system, object, cursor, at: _ } => {
                self.cursors.insert((tenant, system, object), cursor);
            }
            Op::PutSystem(mut state) => {
                let key = (state.tenant.clone(), state.system.clone());
                if let Some(known) = self.systems.get(&key) {
                    state.credential.clone_from(&known.credential);
                    state.credential_generation = known.credential_generation;
                }
                self.systems.insert(key, state);
            }
            Op::PutApplied(applied) => {
                let at = self.applied.last_key_value().map_or(1, |(last, _)| last + 1);
                self.applied.insert(at, applied);
            }
            Op::PutVersion(version) => {
                let key = (version.tenant.clone(), version.key.clone());
                self.versions.entry(key).or_insert(version);
            }
            Op::PutEpoch(epoch) => drop(self.epochs.entry(epoch.number).or_insert(epoch)),
            Op::PutReread { tenant, system, epoch, reread } => {
                self.rereads.insert((tenant, system, epoch), reread);
            }
            Op::WantFetchOf { tenant, record, objects, at, trace } => {
                let linked = self.linked.of(record).filter(|(_, link)| link.0 == tenant);
                let wanted: Vec<canonical::ExternalRef> =
                    linked.filter(|(key, _)| objects.contains(key)).map(|(_, link)| link.1.clone()).collect();
                for external in wanted {
                    let (tenant, trace) = (tenant.clone(), trace.clone());
                    self.want(Fetch { tenant, external, hinted_at: at, due: at, attempts: 0, trace });
                }
            }
            Op::PutCredential { tenant, system, credential, generation } => {
                let key = (tenant.clone(), system.clone());
                let row = self.systems.entry(key).or_insert_with(|| SystemState::blank(tenant, system));
                row.credential = credential.or_else(|| row.credential.take());
                row.credential_generation = generation;
            }
            Op::Forget { tenant, row, before } => self.forget(&tenant, &row, before),
            Op::PutRetained(tenant, retained) => drop(self.retained.insert(tenant, retained)),
            _ => {}
        }
    }

    fn want(&mut self, hint: Fetch) {
        let key = (hint.tenant.clone(), hint.external.clone());
        let row = match self.fetches.get(&key).cloned() {
            None => hint,
            Some(mut row) => {
                rules::hint_again(&mut row, &hint);
                row
            }
        };
        self.fetches.put(&key, row);
    }

    fn raise(&mut self, raise: &Raise, heads: &mut Vec<Head>) {
        let row = match self.obligations.get(&raise.key).cloned() {
            None if rules::may_begin(raise) => rules::first(raise),
            None => {
                // It has gone meanwhile: for a job it has ended.
                if let Some(replay) = raise.replay {
                    self.tallies.entry(replay.job).or_default().other += 1;
                }
                return;
            }
            Some(mut row) => {
                rules::raise_again(&mut row, raise);
                row
            }
        };
        let at = self.put_obligation(row, raise.at);
        self.say(at, heads);
    }

    fn decide(&mut self, key: &ObligationKey, decided: &Decided, heads: &mut Vec<Head>) {
        let Some(mut row) = self.obligations.get(key).cloned() else { return };
        if rules::decide(&mut row, decided) {
            let at = self.put_obligation(row, decided.at);
            self.say(at, heads);
        } else {
            self.tallies.entry(decided.job).or_default().other += 1;
        }
    }

    fn settle(&mut self, key: &ObligationKey, settled: &Settled<'_>, heads: &mut Vec<Head>) {
        let Some(mut row) = self.obligations.get(key).cloned() else { return };
        let line = tables::line(&row);
        let (first, was_claimable) = (self.first_in_line(&line), rules::claimable(&row));
        let before = row.state;
        let again = rules::settle(&mut row, settled);
        let (at, in_line) = (row.seq, rules::in_line(&row));
        let opened = !was_claimable && rules::claimable(&row);
        let ended = rules::ended(before, &row).then(|| (row.record, row.system.clone(), row.object.clone()));
        self.put_obligation(row, settled.at);
        if again || opened {
            self.say(at, heads);
        }
        let next = self.first_in_line(&line);
        if let Some(next) = next.filter(|_| in_line && first == Some(at) && next != first) {
            self.say(next, heads);
        }
        let Some((record, system, object)) = ended else { return };
        let named = self.aliases(record);
        let waiting: Vec<i64> = std::iter::once(&record)
            .chain(&named)
            .flat_map(|record| self.waiting_for(*record, &system, &object))
            .collect();
        for at in waiting {
            let Some(mut row) = self.obligations.rows.get(&at).cloned() else { continue };
            if rules::rouse(&mut row, settled.at) {
                self.put_obligation(row, settled.at);
                self.say(at, heads);
            }
        }
    }

    /// An operator holds it back, or lets it go: then it can be gone on with.
    fn move_held(
        &mut self,
        key: &ObligationKey,
        moved: Wall,
        change: impl FnOnce(&mut ledger::Obligation) -> bool,
        heads: &mut Vec<Head>,
    ) {
        let Some(mut row) = self.obligations.get(key).cloned() else { return };
        if change(&mut row) {
            let at = self.put_obligation(row, moved);
            self.say(at, heads);
        }
    }

    fn put_change(&mut self, change: Change) {
        let at = self.changes.last_key_value().map_or(1, |(at, _)| at + 1);
        let like = |known: &Change| known.tenant == change.tenant && known.system == change.system;
        let kept = usize::try_from(CHANGES_KEPT - 1).unwrap_or(usize::MAX);
        let old: Vec<i64> = self
            .changes
            .iter()
            .rev()
            .filter(|(_, known)| like(known))
            .skip(kept)
            .map(|(at, _)| *at)
            .collect();
        old.iter().for_each(|at| drop(self.changes.remove(at)));
        self.changes.insert(at, change);
    }

    /// Wakes what waits for a link: deliveries first, then messages.
    fn wake(&mut self, link: &Link, heads: &mut Vec<Head>) {
        if planted::is(Bug::NobodyIsWoken) {
            return;
        }
        let named = self.aliases(link.record);
        let waiting: Vec<i64> = std::iter::once(&link.record)
            .chain(&named)
            .flat_map(|record| self.waiting_for(*record, &link.system, &link.object))
            .collect();
        for at in waiting {
            if let Some(mut row) = self.obligations.rows.get(&at).cloned() {
                rules::wake(&mut row, link);
                self.put_obligation(row, link.created_at);
                self.say(at, heads);
            }
        }
        let awaited = (link.tenant.clone(), link.external());
        for at in self.await_link.get(&awaited).cloned().unwrap_or_default() {
            let waits = |known: &&intake::Message| known.state != MessageState::Ready;
            let Some(message) = self.messages.rows.get(&at).filter(waits) else { continue };
            let reason = message.reason.clone().filter(|_| message.state == MessageState::Parked);
            let message = intake::Message { state: MessageState::Ready, reason, ..message.clone() };
            self.put_message(message, link.created_at);
        }
    }

    /// Wakes what is quarantined until an object is no record's any more.
    fn wake_messages(&mut self, tenant: Tenant, external: ExternalRef, at: Wall) {
        for number in self.await_link.get(&(tenant, external)).cloned().unwrap_or_default() {
            let message = self.messages.rows.get(&number);
            if let Some(message) =
                message.filter(|known| known.state == MessageState::Quarantined && known.is_duplicate())
            {
                let woken = intake::Message { state: MessageState::Ready, reason: None, ..message.clone() };
                self.put_message(woken, at);
            }
        }
    }

    /// Gives the head of an obligation that the hub can go on with.
    fn say(&self, at: i64, heads: &mut Vec<Head>) {
        let row = self.obligations.rows.get(&at).filter(|row| rules::ready(row) && self.claimable(row));
        heads.extend(row.map(rules::head));
    }

    fn revision(&self, record: RecordId, system: &System, object: &Object) -> i64 {
        self.shadows.get(record, system, object).map_or(0, |found| found.revision)
    }
}
