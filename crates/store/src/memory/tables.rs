//! The tables and their indexes. Every change of an indexed row goes through one of the `put_` functions.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use canonical::{
    Entity, EventId, ExternalRef, Fact, IntentId, JobId, MessageId, Object, Record, RecordId, RouteId,
    System, Tenant, Wall,
};
use intake::{Decision, Link, Message, MessageState};
use ledger::{Group, GroupKind, Intent, Job, Lane, Obligation, ObligationKey, Shadow, Tally};

use crate::epoch::{Epoch, Reread};
use crate::groups::{self, Step};
use crate::op::{Applied, Attempt, Fetch};
use crate::retention::Retained;
use crate::rules;
use crate::standing::Change;
use crate::system::SystemState;

/// Rows by position, with the position of each key.
#[derive(Clone)]
pub(super) struct Rows<K, V> {
    pub(super) rows: BTreeMap<i64, V>,
    pub(super) at: BTreeMap<K, i64>,
}

impl<K, V> Default for Rows<K, V> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), at: BTreeMap::new() }
    }
}

impl<K: Ord + Clone, V> Rows<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(self.at.get(key)?)
    }

    /// The key's position, a new one when it has none.
    pub(super) fn position(&mut self, key: &K) -> i64 {
        if let Some(at) = self.at.get(key) {
            return *at;
        }
        let at = self.rows.last_key_value().map_or(1, |(last, _)| last + 1);
        self.at.insert(key.clone(), at);
        at
    }

    pub(super) fn put(&mut self, key: &K, value: V) -> Option<V> {
        let at = self.position(key);
        self.rows.insert(at, value)
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.at.remove(key)?;
        self.rows.remove(&at)
    }
}

/// Rows of a record, per system and kind of object there.
#[derive(Clone)]
pub(super) struct PerObject<V>(BTreeMap<RecordId, BTreeMap<(System, Object), V>>);

impl<V> Default for PerObject<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<V> PerObject<V> {
    pub(super) fn get(&self, record: RecordId, system: &System, object: &Object) -> Option<&V> {
        self.0.get(&record)?.get(&(system.clone(), object.clone()))
    }

    pub(super) fn slot(
        &mut self,
        record: RecordId,
        system: &System,
        object: &Object,
    ) -> Entry<'_, (System, Object), V> {
        self.0.entry(record).or_default().entry((system.clone(), object.clone()))
    }

    pub(super) fn put(&mut self, record: RecordId, system: &System, object: &Object, value: V) -> Option<V> {
        self.0.entry(record).or_default().insert((system.clone(), object.clone()), value)
    }

    pub(super) fn remove(&mut self, record: RecordId, system: &System, object: &Object) -> Option<V> {
        self.0.get_mut(&record)?.remove(&(system.clone(), object.clone()))
    }

    pub(super) fn of(&self, record: RecordId) -> impl Iterator<Item = (&(System, Object), &V)> {
        self.0.get(&record).into_iter().flatten()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &V> {
        self.0.values().flat_map(BTreeMap::values)
    }
}

/// Where a link is: the object, and the account it was made in.
pub(super) type LinkKey = (Tenant, ExternalRef, String);
/// What notify deliveries keep order by.
pub(super) type Line = (Tenant, RouteId, RecordId);
/// The order of claims.
pub(super) type Turn = (Tenant, System, Lane, Wall, i64);

/// Decisions by their positions among all.
type DecidedAt = BTreeMap<i64, (RecordId, i64)>;

/// Everything.
#[derive(Clone, Default)]
pub(super) struct Tables {
    pub(super) seen: BTreeMap<(Tenant, System, String), [u8; 32]>,
    pub(super) messages: Rows<MessageId, Message>,
    pub(super) ready: BTreeSet<(Tenant, i64)>,
    pub(super) parked: BTreeSet<(Tenant, Option<Wall>, i64)>,
    /// Messages, parked or given up, by the link that they wait for.
    pub(super) await_link: BTreeMap<(Tenant, ExternalRef), BTreeSet<i64>>,
    pub(super) records: BTreeMap<RecordId, Record>,
    /// Which records were merged into one, each into that one itself.
    pub(super) merged: BTreeMap<RecordId, BTreeSet<RecordId>>,
    pub(super) links: BTreeMap<LinkKey, Link>,
    pub(super) linked: PerObject<LinkKey>,
    pub(super) matches: BTreeMap<(Tenant, Entity, String, String), BTreeSet<RecordId>>,
    pub(super) facts: Rows<EventId, Fact>,
    pub(super) obligations: Rows<ObligationKey, Obligation>,
    /// The same by record.
    pub(super) owed: BTreeMap<RecordId, BTreeSet<i64>>,
    pub(super) turns: BTreeSet<Turn>,
    pub(super) lines: BTreeMap<Line, BTreeSet<i64>>,
    pub(super) waiting: PerObject<BTreeSet<i64>>,
    pub(super) intents: Rows<IntentId, Intent>,
    pub(super) unfinished: PerObject<BTreeSet<i64>>,
    pub(super) shadows: PerObject<Shadow>,
    /// With the record each was about, as far as its obligation was known.
    pub(super) attempts: BTreeMap<i64, (Option<RecordId>, Attempt)>,
    /// By record, and the number there.
    pub(super) decisions: BTreeMap<(RecordId, i64), Decision>,
    /// The same by whose, by system and kind: a rare kind is found without a walk over the others.
    pub(super) decided: BTreeMap<(Tenant, System, &'static str), DecidedAt>,
    pub(super) fetches: Rows<(Tenant, ExternalRef), Fetch>,
    pub(super) cursors: BTreeMap<(Tenant, System, Object), String>,
    pub(super) systems: BTreeMap<(Tenant, System), SystemState>,
    pub(super) changes: BTreeMap<i64, Change>,
    pub(super) groups: Rows<(Tenant, GroupKind, String), Group>,
    pub(super) jobs: Rows<JobId, Job>,
    pub(super) tallies: BTreeMap<JobId, Tally>,
    pub(super) applied: BTreeMap<i64, Applied>,
    pub(super) versions: BTreeMap<(Tenant, crate::VersionKey), crate::Version>,
    pub(super) epochs: BTreeMap<i64, Epoch>,
    pub(super) rereads: BTreeMap<(Tenant, System, i64), Reread>,
    pub(super) retained: BTreeMap<Tenant, Retained>,
}

impl Tables {
    /// Puts a row that moved at `moved`.
    pub(super) fn put_obligation(&mut self, mut row: Obligation, moved: Wall) -> i64 {
        let at = self.obligations.position(&row.key);
        row.seq = at;
        if let Some(before) = self.obligations.rows.get(&at) {
            let steps = groups::of_delivery(before, &row);
            let ended = groups::of_job(before, &row);
            self.group(&row.key.tenant, steps, moved);
            if let Some((job, more)) = ended {
                let tally = self.tallies.entry(job).or_default();
                *tally = groups::sum(*tally, more);
            }
        }
        if let Some(before) = self.obligations.rows.get(&at) {
            self.turns.remove(&turn(before));
            if let Some((record, object)) = rules::awaits(before) {
                self.waiting.slot(record, &before.system, object).or_default().remove(&at);
            }
            if let Some(open) = self.lines.get_mut(&line(before)) {
                open.remove(&at);
            }
        }
        if rules::claimable(&row) {
            self.turns.insert(turn(&row));
        }
        if let Some((record, object)) = rules::awaits(&row) {
            self.waiting.slot(record, &row.system, object).or_default().insert(at);
        }
        if rules::in_line(&row) && row.state.is_open() {
            self.lines.entry(line(&row)).or_default().insert(at);
        }
        self.owed.entry(row.record).or_default().insert(at);
        self.obligations.rows.insert(at, row);
        at
    }

    /// Deliveries about a record, of its state and of its events.
    pub(super) fn owed(&self, record: RecordId) -> impl DoubleEndedIterator<Item = &Obligation> {
        let places = self.owed.get(&record).into_iter().flatten();
        places.filter_map(|at| self.obligations.rows.get(at))
    }

    pub(super) fn drop_obligation(&mut self, key: &ObligationKey) {
        let at = self.obligations.at.get(key).copied();
        let row = self.obligations.remove(key);
        if let Some((at, places)) = at.zip(row.and_then(|row| self.owed.get_mut(&row.record))) {
            places.remove(&at);
        }
    }

    fn group(&mut self, tenant: &Tenant, steps: Vec<Step>, moved: Wall) {
        for step in steps {
            let key = (tenant.clone(), step.kind, step.fingerprint.clone());
            if let Some(group) = groups::apply(self.groups.get(&key).cloned(), &step, moved) {
                self.groups.put(&key, group);
            }
        }
    }

    /// Obligations that wait for a link, in their order.
    pub(super) fn waiting_for(&self, record: RecordId, system: &System, object: &Object) -> Vec<i64> {
        self.waiting.get(record, system, object).into_iter().flatten().copied().collect()
    }

    /// Whether a claim may hand it out once due.
    pub(super) fn claimable(&self, row: &Obligation) -> bool {
        rules::claimable(row) && (!rules::in_line(row) || self.first_in_line(&line(row)) == Some(row.seq))
    }

    pub(super) fn first_in_line(&self, line: &Line) -> Option<i64> {
        self.lines.get(line)?.first().copied()
    }

    /// Puts a message that moved at `moved`.
    pub(super) fn put_message(&mut self, message: Message, moved: Wall) {
        let before = self.messages.get(&message.id).map(|before| (before.state, before.reason.clone()));
        let before = before.as_ref().map(|(state, why)| (*state, why.as_ref()));
        let message = groups::marked(before, message);
        let steps = groups::of_message(before, &message);
        self.group(&message.tenant, steps, moved);
        let at = self.messages.position(&message.id);
        let tenant = message.tenant.clone();
        let (state, deadline, waits) = (message.state, message.deadline, message.waiting.clone());
        if let Some(before) = self.messages.rows.insert(at, message) {
            self.ready.remove(&(before.tenant.clone(), at));
            self.parked.remove(&(before.tenant.clone(), before.deadline, at));
            if let Some(awaited) = before.waiting
                && let Some(waiting) = self.await_link.get_mut(&(before.tenant, awaited))
            {
                waiting.remove(&at);
            }
        }
        let held = matches!(state, MessageState::Parked | MessageState::Quarantined | MessageState::Ready);
        if let Some(awaited) = waits.filter(|_| held) {
            self.await_link.entry((tenant.clone(), awaited)).or_default().insert(at);
        }
        match state {
            MessageState::Ready => drop(self.ready.insert((tenant, at))),
            MessageState::Parked => drop(self.parked.insert((tenant, deadline, at))),
            MessageState::Accepted | MessageState::Quarantined | MessageState::Discarded => {}
        }
    }

    pub(super) fn put_link(&mut self, link: Link) {
        let here = link_key(&link);
        // Unique both ways: what either key held before goes.
        if let Some(before) = self.links.remove(&here) {
            self.linked.remove(before.record, &before.system, &before.object);
        }
        if let Some(before) = self.linked.put(link.record, &link.system, &link.object, here.clone()) {
            self.links.remove(&before);
        }
        self.links.insert(here, link);
    }

    pub(super) fn drop_link(&mut self, link: &Link) {
        let here = link_key(link);
        if self.links.get(&here).is_some_and(|found| found.record == link.record) {
            self.links.remove(&here);
            self.linked.remove(link.record, &link.system, &link.object);
        }
    }

    /// The link of an object: of the account it was linked in last, when there are several.
    pub(super) fn link(&self, tenant: &Tenant, external: &ExternalRef) -> Option<&Link> {
        let from = (tenant.clone(), external.clone(), String::new());
        self.links
            .range(from..)
            .take_while(|(key, _)| key.0 == *tenant && key.1 == *external)
            .map(|(_, link)| link)
            .max_by(|a, b| (a.created_at, &a.instance).cmp(&(b.created_at, &b.instance)))
    }

    pub(super) fn linked(&self, record: RecordId, system: &System, object: &Object) -> Option<&Link> {
        self.links.get(self.linked.get(record, system, object)?)
    }

    pub(super) fn put_intent(&mut self, intent: Intent) {
        let before = self.intents.at.get(&intent.id).copied().and_then(|at| self.intents.rows.remove(&at));
        let at = self.intents.position(&intent.id);
        let kept = match before {
            Some(ended) if !rules::unfinished(&ended) => ended,
            Some(before) => {
                self.unfinished.slot(before.record, &before.system, &before.object).or_default().remove(&at);
                rules::next_intent(before, intent)
            }
            None => rules::first_intent(intent),
        };
        if rules::unfinished(&kept) {
            self.unfinished.slot(kept.record, &kept.system, &kept.object).or_default().insert(at);
        }
        self.intents.rows.insert(at, kept);
    }

    /// The oldest unfinished intent of a record and object.
    pub(super) fn intent(&self, record: RecordId, system: &System, object: &Object) -> Option<&Intent> {
        let open = self.unfinished.get(record, system, object)?.iter();
        open.filter_map(|at| self.intents.rows.get(at)).min_by_key(|intent| intent.id)
    }

    /// The record itself, or the one that stands for it.
    pub(super) fn survivor(&self, tenant: &Tenant, record: RecordId) -> Option<&Record> {
        let mut found = self.record(tenant, record)?;
        for _ in 0..rules::ALIAS_HOPS_MAX {
            let canonical::Alive::Merged { into } = &found.alive else { break };
            let Some(next) = self.record(tenant, *into) else { break };
            found = next;
        }
        Some(found)
    }

    pub(super) fn put_record(&mut self, record: Record) {
        if let Some(into) = self.merged_into(record.id)
            && let Some(all) = self.merged.get_mut(&into)
        {
            all.remove(&record.id);
        }
        if let canonical::Alive::Merged { into } = record.alive {
            self.merged.entry(into).or_default().insert(record.id);
        }
        self.records.insert(record.id, record);
    }

    fn merged_into(&self, record: RecordId) -> Option<RecordId> {
        match self.records.get(&record)?.alive {
            canonical::Alive::Merged { into } => Some(into),
            _ => None,
        }
    }

    pub(super) fn is_merged(&self, record: RecordId) -> bool {
        self.merged_into(record).is_some()
    }

    /// The id that stands for this one, whether it is known or not.
    pub(super) fn stands_for(&self, record: RecordId) -> RecordId {
        rules::stands_for(record, |id| Ok::<_, std::convert::Infallible>(self.merged_into(id)))
            .unwrap_or(record)
    }

    /// All records that were merged into one, over several hops.
    pub(super) fn aliases(&self, record: RecordId) -> BTreeSet<RecordId> {
        let merged =
            |id| Ok::<_, std::convert::Infallible>(self.merged.get(&id).into_iter().flatten().copied());
        rules::aliases(record, merged).unwrap_or_default()
    }

    pub(super) fn record(&self, tenant: &Tenant, record: RecordId) -> Option<&Record> {
        self.records.get(&record).filter(|found| found.tenant == *tenant)
    }
}

pub(super) fn turn(row: &Obligation) -> Turn {
    (row.key.tenant.clone(), row.system.clone(), row.lane, row.due, row.seq)
}

pub(super) fn line(row: &Obligation) -> Line {
    (row.key.tenant.clone(), row.key.route.clone(), row.record)
}

fn link_key(link: &Link) -> LinkKey {
    (link.tenant.clone(), link.external(), link.instance.clone())
}
