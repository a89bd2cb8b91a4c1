//! After a restore from a backup: the world has moved on since the backup was taken, and the store does not know.
//!
//! First every system lists again what changed since the backup, and nothing is delivered before all have done so (or
//! for a bounded time: a sick system must not hold the others for ever). Then, before the first write to an object, the
//! object is read, with whatever else its record is linked to. What would be made anew may be there already: where the
//! target tells by an id of ours that outlived the restore, or can be looked through by content, or has just been
//! listed, that is safe; else a person looks. The same holds for events that may have been told.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use canonical::{Alive, Fact, Mono, Now, Object, Record, System, Wall};
use connector::{Cursor, WriteSpec};
use ledger::{IdempotencyClass, Intent, Obligation, OnExit, Reason, Route, RouteKind, Shadow, State};
use mapping::Mapping;
use store::{Epoch, Head, Op, Reread, Restored, SpokeRow, Unit};

use crate::mark::Mark;
use crate::spoke::Spoke;
use crate::spoke::plan::{Plan, Rest, reason};
use crate::spoke::settle::After;
use crate::turn::{Effect, MachineId, Notice, Turn};

/// Deliveries wait at most so long for the other systems' listings, counted from the start of the process.
const REREAD_WAIT_MAX: Duration = Duration::from_secs(900);
/// After its last listing, what the listing only hinted at has so long to come up.
const HINTS_COME_UP: Duration = Duration::from_secs(1);
/// How often an object is asked for before its write goes without having seen it: 1, 2, 4 … 32 seconds apart; and how
/// often while other objects of the system still wait to be read.
const ROUNDS_MAX: u8 = 6;
const ROUNDS_BEHIND_MAX: u8 = 24;
/// What a system that is not listed sends so long after a restore, it may have sent before: vendors send again what
/// was not taken for about three days.
const PUSHED_AGAIN: Duration = Duration::from_secs(3 * 24 * 3600);

/// What a spoke keeps in mind of a restore.
#[derive(Debug)]
pub(crate) struct Restore {
    pub(crate) epoch: Epoch,
    reread: Reread,
    /// When things were made that may be at the targets under other ids, after earlier restores.
    renamed: Vec<(Wall, Wall)>,
    /// Deliveries wait no longer.
    until: Mono,
    /// Since when all of its own listings are through.
    passed: Option<Mono>,
    /// Whether the others were told that it has read.
    told: bool,
    /// What can be read by id, and is read in.
    fetchable: Vec<(System, Object)>,
}

impl Spoke {
    /// The store was restored, at some time.
    pub(crate) fn learn_of_restore(&mut self, restored: Option<Restored>, turn: &mut Turn<'_>) {
        let Some(Restored { epoch, reread, renamed }) = restored else { return };
        let mut fetchable = Vec::new();
        for (system, settings) in &self.config.systems {
            let objects = self.config.inbound_objects(system);
            let read = objects.filter(|object| settings.connector.can_fetch(object));
            fetchable.extend(read.map(|object| (system.clone(), object.clone())));
        }
        self.restore = Some(Restore {
            epoch,
            reread,
            renamed,
            until: *self.reread_until.get_or_insert(turn.now.mono + REREAD_WAIT_MAX),
            passed: None,
            told: false,
            fetchable,
        });
        if reread == Reread::default() {
            // So that it is told from one that joins later, and has missed nothing.
            self.keep_reread(epoch, reread);
        }
        if self.is_rereading() {
            turn.note(Mark::Rereading { system: self.system.clone() });
        }
    }

    /// Where a listing goes on: after a restore, from the start of the listing that was under way.
    pub(crate) fn rewound(&self, cursor: Cursor) -> Cursor {
        if self.is_unread_since_restore() { Cursor { page: None, seen: None, ..cursor } } else { cursor }
    }

    /// Whether its own listings were not read again yet.
    pub(crate) fn is_unread_since_restore(&self) -> bool {
        self.restore.as_ref().is_some_and(|restore| restore.reread.read_at.is_none())
    }

    /// Whether deliveries wait until everything was read again.
    pub(crate) fn is_rereading(&self) -> bool {
        self.restore.as_ref().is_some_and(|restore| restore.reread.open_at.is_none())
    }

    /// When to look again whether everything was read.
    pub(crate) fn reread_wakeup(&self, now: Mono) -> Option<Mono> {
        let restore = self.restore.as_ref().filter(|_| self.is_rereading())?;
        let hints = restore.passed.map(|passed| passed + HINTS_COME_UP).filter(|due| *due > now);
        Some(hints.map_or(restore.until, |due| due.min(restore.until)))
    }

    /// Another system has read again.
    pub(crate) fn reread_by(&mut self, system: System) {
        self.reread_others.insert(system);
    }

    /// Looks whether its own listings are through, and whether all are.
    pub(crate) fn look_at_rereading(&mut self, turn: &mut Turn<'_>) {
        let fetched = !self.reads_are_behind();
        let passed = self.polls.values().all(super::source::Poll::has_passed);
        let Some(restore) = &mut self.restore else { return };
        let before = restore.reread;
        if before.read_at.is_none() && passed {
            let since = *restore.passed.get_or_insert(turn.now.mono);
            if fetched && turn.now.mono >= since + HINTS_COME_UP || self.polls.is_empty() {
                restore.reread.read_at = Some(turn.now.wall);
            }
        }
        // A paused system reads nothing until a person lets it: it is not waited for.
        if !restore.told && (restore.reread.read_at.is_some() || self.state.paused.is_some()) {
            restore.told = true;
            let others = self.config.systems.keys().filter(|other| **other != self.system);
            for other in others {
                let notice = Notice::Reread(self.system.clone());
                turn.effect(Effect::Tell(MachineId::Spoke(other.clone()), notice));
            }
        }
        if restore.reread.open_at.is_none() {
            let others: BTreeSet<&System> = self.config.systems.keys().collect();
            let all =
                others.iter().all(|other| **other == self.system || self.reread_others.contains(*other));
            let whole = all && restore.reread.read_at.is_some();
            if whole || restore.until <= turn.now.mono {
                restore.reread.open_at = Some(turn.now.wall);
                turn.note(Mark::Reopened { system: self.system.clone(), whole });
            }
        }
        let (epoch, reread) = (restore.epoch, restore.reread);
        if reread != before {
            self.keep_reread(epoch, reread);
        }
    }

    fn keep_reread(&mut self, epoch: Epoch, reread: Reread) {
        let (tenant, system) = (self.config.tenant.clone(), self.system.clone());
        let op = Op::PutReread { tenant, system, epoch: epoch.number, reread };
        self.outbox.push((Unit { require: Vec::new(), ops: vec![op] }, After::Nothing));
    }

    /// Whether an intent was rendered before the store was restored: it may have been sent since, and more after it.
    pub(crate) fn is_of_earlier_epoch(&self, intent: &Intent) -> bool {
        self.restore.as_ref().is_some_and(|restore| restore.epoch.is_after(intent.created_at))
    }

    /// Whether the object of an intent that was open when the backup was taken was read since the restore. What stands there is
    /// known, and an answer that its target stored long ago says nothing newer: whoever took that for what stands there would
    /// take the next sight of what we wrote after the backup for somebody's edit (I6).
    pub(crate) fn was_read_since(&self, intent: &Intent, shadow: &Shadow) -> bool {
        let restored_at = self.restore.as_ref().map(|restore| restore.epoch.restored_at);
        restored_at.is_some() && shadow.seen_at > restored_at && self.is_of_earlier_epoch(intent)
    }

    /// An intent that was open when the backup was taken: whether it was sent since is not known.
    pub(crate) fn may_have_been_sent(&self, intent: &mut Intent) {
        if self.is_of_earlier_epoch(intent) {
            intent.sends = intent.sends.max(1);
        }
    }

    /// A shadow of before the restore says nothing but which object it is of, and what persons ordered.
    pub(crate) fn as_far_as_known(&self, shadow: Shadow) -> Shadow {
        let restored_at = self.restore.as_ref().map(|restore| restore.epoch.restored_at);
        if !intake::unverified(&shadow, restored_at) {
            return shadow;
        }
        let Shadow { external_id, token, version, revision, edits, associated, .. } = shadow;
        Shadow {
            external_id,
            token,
            version,
            revision,
            edits,
            associated,
            ..self.blank(shadow.record, &shadow.object)
        }
    }

    /// Whether what goes first is a look: the create may have been made after the backup was taken.
    pub(crate) fn looks_after_restore(&self, record: &Record, shadow: Option<&Shadow>) -> bool {
        let listed = self.is_listed(record.provenance.values().map(|from| &from.system));
        self.restore.as_ref().is_some_and(|restore| restore.is_in_doubt(record.created_at, shadow, listed))
    }

    /// The same of an event that may have been told.
    pub(crate) fn looks_for_event(&self, fact: &Fact) -> bool {
        let at = fact.id.made_at().min(fact.at);
        let listed = self.is_listed(std::iter::once(&fact.source));
        self.restore.as_ref().is_some_and(|restore| restore.is_in_doubt(at, None, listed))
    }

    /// Whether any of these systems is listed: what it said since the backup has been read again. Others may say it
    /// again.
    fn is_listed<'a>(&self, mut systems: impl Iterator<Item = &'a System>) -> bool {
        systems.any(|system| self.config.systems.get(system).is_some_and(|of| !of.poll.is_empty()))
    }

    /// What must come before the delivery because of a restore; `None`: nothing.
    pub(crate) fn after_restore(
        &self,
        obligation: &Obligation,
        route: &Route,
        mapping: &Mapping,
        row: &SpokeRow,
    ) -> Option<Plan> {
        let restore = self.restore.as_ref()?;
        let told_to = restore.was_looked_at(obligation);
        match (route.kind, row.record.as_deref()) {
            (RouteKind::Sync, Some(record)) if row.link.is_some() => {
                self.reread_first(restore, record, obligation, row)
            }
            (RouteKind::Sync, Some(record)) if !told_to => {
                self.made_before(restore, record, route, row.shadow.as_ref(), mapping)
            }
            (RouteKind::Notify, _) if !told_to => {
                let fact = row.fact.as_ref()?;
                self.told_before(restore, fact, route, row.link.is_some(), mapping)
            }
            _ => None,
        }
    }

    fn reread_first(
        &self,
        restore: &Restore,
        record: &Record,
        obligation: &Obligation,
        row: &SpokeRow,
    ) -> Option<Plan> {
        let restored_at = Some(restore.epoch.restored_at);
        // Linked since, and never written: its sight made the link.
        let unverified = match &row.shadow {
            Some(shadow) => intake::unverified(shadow, restored_at),
            None => restore.epoch.is_after(record.created_at),
        };
        let place = (self.system.clone(), obligation.object.clone());
        let most = if self.reads_are_behind() { ROUNDS_BEHIND_MAX } else { ROUNDS_MAX };
        let ask = unverified && restore.rounds_of(obligation) < most && restore.fetchable.contains(&place);
        ask.then_some(Plan::Reread)
    }

    fn made_before(
        &self,
        restore: &Restore,
        record: &Record,
        route: &Route,
        shadow: Option<&Shadow>,
        mapping: &Mapping,
    ) -> Option<Plan> {
        let object = &route.object;
        if !self.looks_after_restore(record, shadow) {
            return None;
        }
        let goes = record.alive == Alive::Live
            && route.filter.iter().all(|condition| condition.holds(&record.fields));
        // What is not to be there, and would be left there if it were, is nobody's question. Nor is everything that a
        // source which is not listed says for days: of what has left the filter by then, most never was within.
        let listed = self.is_listed(record.provenance.values().map(|from| &from.system));
        if !goes && (route.exit(record.alive == Alive::Live) == OnExit::Keep || !listed) {
            return None;
        }
        let spec = self.connector.choose(object, false, None)?;
        let listed = self.settings.poll.contains_key(object)
            && self.config.inbound(&self.system, object).is_some()
            && restore.reread.read_at.is_some();
        let blind =
            matches!(spec.idempotency, IdempotencyClass::Upsert) && self.may_be_edited(route, mapping);
        // A look is for what is to be there, not for what is to leave.
        if listed || goes && !blind && restore.can_tell_of(spec, record) {
            return None;
        }
        let ask = if goes {
            "may have it already, and nothing there can tell; look for it, then retry (it is made) or discard"
        } else {
            "may have an object of it that is to leave, and nothing here knows which; look for it, take it out \
             there, then discard"
        };
        let text = format!("the store was restored from a backup: {} {ask}", self.system);
        Some(self.for_person(text, mapping))
    }

    /// Whether a write to an object that was not read could go over what somebody said there (I5, I6).
    fn may_be_edited(&self, route: &Route, mapping: &Mapping) -> bool {
        let Some(schema) = self.config.entities.get(&route.entity) else { return true };
        let read = self.config.inbound(&self.system, &route.object).is_some();
        let written = mapping.lineage().into_iter().filter(|row| row.direction.writes());
        let mut specs = written.filter_map(|row| schema.fields.get(row.field?));
        specs.any(|spec| {
            let mut owners = spec.possible_owners();
            let nobody = spec.possible_owners().next().is_none();
            if nobody { read } else { owners.any(|owner| *owner == self.system) }
        })
    }

    fn told_before(
        &self,
        restore: &Restore,
        fact: &Fact,
        route: &Route,
        linked: bool,
        mapping: &Mapping,
    ) -> Option<Plan> {
        let made = fact.id.made_at();
        if !self.looks_for_event(fact) {
            return None;
        }
        let spec = self.connector.operation(route.operation.as_deref()?, &route.object)?;
        // An object that is known there is not looked for.
        let looks = matches!(spec.idempotency, IdempotencyClass::Upsert) || !linked;
        if looks && restore.can_tell(spec, made) {
            return None;
        }
        let text = format!(
            "the store was restored from a backup: {} may have been told already, and nothing there can tell; look, \
             then retry (it is told) or discard",
            self.system
        );
        Some(self.for_person(text, mapping))
    }

    fn for_person(&self, text: String, mapping: &Mapping) -> Plan {
        Plan::Rest(Rest::of(State::Uncertain, self.failure(ASKED, text, mapping)))
    }

    /// Why a delivery goes on that a person was asked about.
    pub(crate) fn looked(&self, why: &str) -> Reason {
        let code = self.restore.as_ref().map(|restore| restore.epoch.number.to_string());
        Reason { code, ..reason(LOOKED, why) }
    }

    /// Everything the record is linked to is read; then the delivery is judged again.
    pub(crate) fn reread(&mut self, head: Head, obligation: &Obligation, turn: &mut Turn<'_>) {
        let Some(restore) = &self.restore else { return };
        turn.note(Mark::Reread { system: self.system.clone() });
        let rounds = restore.rounds_of(obligation);
        let due = turn.now.wall + Duration::from_secs(1 << rounds.min(ROUNDS_MAX - 1));
        let why = Reason {
            code: Some(format!("{}/{}", restore.epoch.number, rounds + 1)),
            ..reason(READING, "the store was restored from a backup: the object is read before it is written")
        };
        let want = Op::WantFetchOf {
            tenant: self.config.tenant.clone(),
            record: obligation.record,
            objects: restore.fetchable.clone(),
            at: turn.now.wall,
            trace: obligation.trace.clone(),
        };
        let wait = Op::Settle {
            key: obligation.key.clone(),
            level: obligation.wanted,
            reached: false,
            state: State::Pending,
            attempts: obligation.attempts,
            due,
            waiting: super::wait::still(obligation),
            reason: Some(why),
            at: turn.now.wall,
        };
        let unit = Unit { require: Vec::new(), ops: vec![want, wait] };
        self.outbox.push((unit, After::Rereading { head, due }));
    }

    /// The objects are durably wanted: whoever reads them hears of it.
    pub(crate) fn rereading(&mut self, turn: &mut Turn<'_>) {
        self.fetch_wanted = true;
        let Some(restore) = &self.restore else { return };
        let others: BTreeSet<&System> = restore.fetchable.iter().map(|(system, _)| system).collect();
        for other in others.into_iter().filter(|other| **other != self.system) {
            turn.effect(Effect::Tell(MachineId::Spoke(other.clone()), Notice::FetchWanted));
        }
    }

    /// It waits in the store, not in memory: a whole backlog may have to be read first.
    pub(crate) fn set_aside(&mut self, head: Head, due: Wall, now: Now) {
        let lane = usize::from(head.lane.number());
        self.settled(head, None, now);
        if let Some(claim) = self.claims.get_mut(lane) {
            claim.later(now.mono_of(due));
        }
    }

    /// Whether objects of this system wait to be read.
    fn reads_are_behind(&self) -> bool {
        !self.fetching.is_empty() || self.fetch_wanted || self.fetch_looking || self.fetch_due.is_some()
    }
}

impl Restore {
    /// How often a delivery's object was asked for since the restore. Kept with the delivery: however many wait, each is
    /// counted (I19).
    fn rounds_of(&self, obligation: &Obligation) -> u8 {
        let reading = obligation.reason.as_ref().filter(|reason| reason.class == READING);
        let counted = reading.and_then(|reason| reason.code.as_deref()?.split_once('/'));
        let of_this = counted.filter(|(epoch, _)| *epoch == self.epoch.number.to_string());
        of_this.and_then(|(_, rounds)| rounds.parse().ok()).unwrap_or(0)
    }

    /// Whether a person has looked because of this restore. Whoever only retries what had failed before it has not; nor
    /// has whoever looked because of an earlier one: what he then let go may have been made after the backup was taken.
    fn was_looked_at(&self, obligation: &Obligation) -> bool {
        let looked = obligation.reason.as_ref().filter(|reason| reason.class == LOOKED);
        looked.is_some_and(|reason| reason.code.as_deref() == Some(&*self.epoch.number.to_string()))
    }

    /// Whether something of that time may have been told after the backup was taken, and forgotten: what is made after
    /// the listings were read again was not. A shadow that was read or written since knows better.
    fn is_in_doubt(&self, at: Wall, shadow: Option<&Shadow>, listed: bool) -> bool {
        let known = shadow.is_some_and(|shadow| !intake::unverified(shadow, Some(self.epoch.restored_at)));
        let again = !listed && at <= self.epoch.restored_at + PUSHED_AGAIN;
        !known && (again || self.reread.open_at.is_none_or(|open| at <= open))
    }

    /// Whether the target tells what is there already from what is new. An id of ours that was given after the backup
    /// was taken is another one now.
    fn can_tell(&self, spec: &WriteSpec, made: Wall) -> bool {
        let tells = match spec.idempotency {
            IdempotencyClass::Upsert => true,
            IdempotencyClass::SearchFirst { .. }
            | IdempotencyClass::MarkerField { .. }
            | IdempotencyClass::NativeKey { .. } => spec.probe,
            IdempotencyClass::None => false,
        };
        let renamed = self.renamed.iter().any(|(from, to)| made > *from && made <= *to);
        tells && (!spec.by_key || self.epoch.is_after(made) && !renamed)
    }

    /// The same of a record's object. Its id is as old as it says: the record itself may have been heard of before the restore,
    /// by a message that was taken in again after it, and went by another id meanwhile.
    fn can_tell_of(&self, spec: &WriteSpec, record: &Record) -> bool {
        self.can_tell(spec, record.id.made_at())
    }
}

/// The class of reason with which a person is asked to look, and with which it goes on afterwards.
const ASKED: &str = "restored";
/// The code is the restore's number.
const LOOKED: &str = "looked";
/// The class of reason of a delivery whose object is read first; its code is the restore's number, and how often it was
/// asked for since.
const READING: &str = "reading_first";

/// Whether a person was asked to look because of a restore.
pub(crate) fn was_asked(obligation: &Obligation) -> bool {
    obligation.reason.as_ref().is_some_and(|reason| reason.class == ASKED)
}

/// Why an intent of an earlier epoch does not go as it was.
pub(crate) const RESTORED: &str = "the store was restored from a backup since";

/// Whether an intent of an earlier epoch makes way for the newest level. A create under a key goes as it was, as long
/// as its key lives: the target knows it.
pub(crate) fn makes_way(intent: &Intent) -> bool {
    !matches!(intent.class, IdempotencyClass::NativeKey { .. }) || intent.external_id.is_some()
}
