//! Answers the set questions of the hot port.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use canonical::{Alive, Entity, ExternalRef, Field, Object, Record, RecordId, System, Tenant, Wall};
use intake::{Ask, Message, MessageState, View, Whole};
use ledger::{Intent, Lane, Obligation, Subject, Waiting};

use super::tables::Tables;
use crate::epoch::{RestoreRow, Restored};
use crate::op::Fetch;
use crate::query::{Backlog, Claimed, Query, Rows, SpokeAsk, SpokeRow};
use crate::rules;
use crate::system::SystemState;

impl Tables {
    pub(super) fn answer(&self, query: Query) -> Rows {
        match query {
            Query::Intake { tenant, asks } => Rows::Intake(Box::new(self.view(tenant, &asks))),
            Query::Spoke { tenant, system, asks } => {
                Rows::Spoke(asks.iter().map(|ask| self.spoke(&tenant, &system, ask)).collect())
            }
            Query::Claim { tenant, system, lane, after, due_by, limit } => {
                Rows::Claim(self.claim(&tenant, &system, lane, (after, due_by), limit))
            }
            Query::Backlog { tenant } => Rows::Backlog(self.backlog(&tenant)),
            Query::Held { tenant, system, after, limit } => {
                let rows = self.obligations.rows.range(after.saturating_add(1)..).map(|(_, row)| row);
                let held = rows.filter(|row| {
                    row.key.tenant == tenant && row.system == system && row.waiting == Some(Waiting::Operator)
                });
                let held = held.filter(|row| row.state == ledger::State::Parked);
                Rows::Held(held.take(limit).map(rules::head).collect())
            }
            Query::Intents { tenant, system } => Rows::Intents(self.unfinished_of(&tenant, &system)),
            Query::Fetches { tenant, system, due_by, limit } => {
                let (fetches, next) = self.fetches_due(&tenant, &system, due_by, limit);
                Rows::Fetches(fetches, next)
            }
            Query::System { tenant, system } => {
                let (state, cursors) = self.system(&tenant, &system);
                Rows::System(state, cursors, self.restored(&tenant, &system))
            }
            Query::Jobs { tenant } => {
                let open = |job: &&ledger::Job| {
                    job.tenant == tenant && (job.state.is_open() || job.state == ledger::JobState::Planned)
                };
                Rows::Jobs(self.jobs.rows.values().filter(open).cloned().collect())
            }
            Query::Walk(walk) => Rows::Walk(self.walk(&walk)),
            Query::Whole { tenant, records } => {
                Rows::Whole(records.iter().map(|id| self.whole(&tenant, *id)).collect())
            }
            Query::Retained { tenant } => {
                Rows::Retained(self.retained.get(&tenant).cloned().unwrap_or_default())
            }
            Query::Old(ask) => Rows::Old(self.old(&ask)),
            Query::Ready { tenant, now, limit } => {
                let (messages, next) = self.messages_ready(&tenant, now, limit);
                Rows::Ready(messages, next)
            }
        }
    }

    fn view(&self, tenant: Tenant, asks: &[Ask]) -> View {
        let mut view = View::default();
        let mut systems = BTreeSet::new();
        for ask in asks {
            for (source, event_id) in ask.event.iter().chain(&ask.late).chain(&ask.grave) {
                systems.insert(source.clone());
                let key = (tenant.clone(), source.clone(), event_id.clone());
                if let Some(hash) = self.seen.get(&key) {
                    view.seen.insert((source.clone(), event_id.clone()), *hash);
                }
            }
            ask.records.iter().for_each(|record| self.add_record(&tenant, *record, &mut view));
            for external in &ask.objects {
                systems.insert(external.system.clone());
                if let Some(link) = self.link(&tenant, external) {
                    view.links.insert(external.clone(), link.clone());
                    self.add_record(&tenant, link.record, &mut view);
                }
            }
            for (entity, key, value) in &ask.matches {
                let full = (tenant.clone(), entity.clone(), key.clone(), value.clone());
                if let Some(having) = self.matches.get(&full) {
                    let key = (entity.clone(), key.clone(), value.clone());
                    view.matches.insert(key, having.iter().copied().collect());
                    having.iter().for_each(|record| self.add_record(&tenant, *record, &mut view));
                }
            }
            if let Some(ending) = &ask.ending
                && self.beside(&tenant, ending).is_some()
            {
                view.beside.insert(ending.clone());
            }
            if let Some(create) = &ask.creating {
                let count = self.creates_open(&tenant, create);
                if count > 0 {
                    view.creates_open.insert(create.clone(), count);
                }
            }
        }
        self.add_surroundings(&systems, &mut view);
        view.tenant = Some(tenant);
        view.restored_at = self.epochs.last_key_value().map(|(_, epoch)| epoch.restored_at);
        view
    }

    fn add_record(&self, tenant: &Tenant, id: RecordId, view: &mut View) {
        let mut next = Some(id);
        for _ in 0..=rules::ALIAS_HOPS_MAX {
            let Some(record) = next.and_then(|id| self.record(tenant, id)) else { break };
            next = match &record.alive {
                Alive::Merged { into } => Some(*into),
                Alive::Live | Alive::Deleted { .. } => None,
            };
            view.records.insert(record.id, record.clone());
        }
    }

    /// Links, shadows and unfinished intents of the records in the asked systems.
    fn add_surroundings(&self, systems: &BTreeSet<System>, view: &mut View) {
        let ids: Vec<RecordId> = view.records.keys().copied().collect();
        for id in ids {
            let full = |key: &(System, Object)| (id, key.0.clone(), key.1.clone());
            for (key, at) in self.linked.of(id).filter(|(key, _)| systems.contains(&key.0)) {
                view.linked.insert(full(key), at.1.id.clone());
            }
            for (key, shadow) in self.shadows.of(id).filter(|(key, _)| systems.contains(&key.0)) {
                view.shadows.insert(full(key), shadow.clone());
            }
            for (key, _) in self.unfinished.of(id).filter(|(key, _)| systems.contains(&key.0)) {
                let oldest = self.intent(id, &key.0, &key.1);
                view.intents.extend(oldest.map(|intent| (full(key), intent.clone())));
            }
        }
    }

    fn creates_open(&self, tenant: &Tenant, create: &(Entity, System, Object)) -> u64 {
        let (entity, system, object) = create;
        let counts = |intent: &&Intent| {
            intent.tenant() == tenant
                && intent.system == *system
                && intent.object == *object
                && intent.external_id.is_none()
                && self.obligations.get(&intent.obligation).is_some_and(|row| row.entity == *entity)
        };
        self.unfinished.all().flatten().filter_map(|at| self.intents.rows.get(at)).filter(counts).count()
            as u64
    }

    fn spoke(&self, tenant: &Tenant, system: &System, ask: &SpokeAsk) -> SpokeRow {
        let fact = match ask.key.subject {
            Subject::Event(event) => self.facts.get(&event).filter(|fact| fact.tenant == *tenant).cloned(),
            Subject::Record(_) => None,
        };
        let record = self.survivor(tenant, ask.record).cloned().map(Arc::new);
        let (mut links, mut bringers) = (BTreeMap::new(), BTreeMap::new());
        let mut look_for = |record: RecordId, object: &Object| match self
            .link_of_reference(tenant, record, system, object)
        {
            Some(id) => drop(links.insert((record, object.clone()), id)),
            None => {
                let found = self.bringer(tenant, record, system, object);
                bringers.extend(found.map(|found| ((record, object.clone()), found)));
            }
        };
        for (field, object) in &ask.references {
            for referred in referred(field, record.as_deref(), fact.as_ref()) {
                look_for(referred, object);
            }
        }
        if let (Subject::Event(_), Some(record)) = (&ask.key.subject, &record) {
            look_for(record.id, &ask.object);
        }
        let shadow =
            self.shadows.get(ask.record, system, &ask.object).filter(|shadow| shadow.tenant == *tenant);
        let link = self.link_of_reference(tenant, ask.record, system, &ask.object);
        let former = shadow.and_then(|shadow| shadow.external_id.as_ref()).filter(|_| link.is_none());
        let next = former.and_then(|id| {
            let (system, object) = (system.clone(), ask.object.clone());
            self.next_object(tenant, ExternalRef { system, object, id: id.clone() })
        });
        SpokeRow {
            obligation: self.obligations.get(&ask.key).filter(|row| row.key.tenant == *tenant).cloned(),
            shadow: shadow.cloned(),
            link,
            intent: self
                .intent(ask.record, system, &ask.object)
                .filter(|intent| intent.tenant() == tenant)
                .cloned(),
            record,
            fact,
            links,
            bringers,
            next,
        }
    }

    /// What waits for an object to be gone that is no record's any more.
    fn next_object(&self, tenant: &Tenant, former: ExternalRef) -> Option<String> {
        self.beside(tenant, &former).filter(|_| self.link(tenant, &former).is_none())
    }

    /// What waits, as a duplicate beside it, for an object to be gone.
    fn beside(&self, tenant: &Tenant, first: &ExternalRef) -> Option<String> {
        let waits = self.await_link.get(&(tenant.clone(), first.clone()))?;
        let messages = waits.iter().filter_map(|at| self.messages.rows.get(at));
        let mut beside = messages
            .filter(|message| message.state != MessageState::Parked && message.is_duplicate())
            .filter_map(|message| message.about.as_ref());
        beside.next().map(|about| about.id.clone())
    }

    /// The delivery that brings a record, or the one that stands for it, there.
    fn bringer(
        &self,
        tenant: &Tenant,
        record: RecordId,
        system: &System,
        object: &Object,
    ) -> Option<Obligation> {
        let record = self.survivor(tenant, record).map_or(record, |record| record.id);
        let rows = self.owed(record).filter(|row| {
            row.key.subject == Subject::Record(record)
                && row.key.tenant == *tenant
                && row.system == *system
                && row.object == *object
        });
        rules::bringer(rows.cloned())
    }

    fn whole(&self, tenant: &Tenant, id: RecordId) -> Option<Whole> {
        let record = self.record(tenant, id)?.clone();
        let of_record = |row: &&Obligation| row.key.subject == Subject::Record(id);
        let open = self.unfinished.of(id).flat_map(|(_, open)| open);
        let open = open.filter_map(|at| self.intents.rows.get(at));
        let mut open: Vec<_> = open.map(|intent| (intent.id, intent.system.clone())).collect();
        open.sort_unstable();
        Some(Whole {
            record,
            links: self.linked.of(id).filter_map(|(_, at)| self.links.get(at)).cloned().collect(),
            shadows: self.shadows.of(id).map(|(_, shadow)| shadow.clone()).collect(),
            obligations: self.owed(id).filter(of_record).cloned().collect(),
            open,
        })
    }

    /// The link of the record that stands for it, else its own.
    fn link_of_reference(
        &self,
        tenant: &Tenant,
        record: RecordId,
        system: &System,
        object: &Object,
    ) -> Option<String> {
        let survivor = self.survivor(tenant, record);
        let link = survivor.and_then(|survivor| self.linked(survivor.id, system, object));
        let link = link.or_else(|| self.linked(record, system, object))?;
        (link.tenant == *tenant).then(|| link.external_id.clone())
    }

    fn claim(
        &self,
        tenant: &Tenant,
        system: &System,
        lane: Lane,
        (after, due_by): (Option<(Wall, i64)>, Wall),
        limit: usize,
    ) -> Claimed {
        let (due, seq) = after.unwrap_or((Wall(i64::MIN), i64::MIN));
        let from = (tenant.clone(), system.clone(), lane, due, seq);
        let mut turns = self
            .turns
            .range((std::ops::Bound::Excluded(from), std::ops::Bound::Unbounded))
            .take_while(|turn| turn.0 == *tenant && turn.1 == *system && turn.2 == lane)
            .filter_map(|turn| self.obligations.rows.get(&turn.4))
            .filter(|row| self.claimable(row))
            .peekable();
        let mut heads = Vec::new();
        while heads.len() < limit {
            let Some(row) = turns.next_if(|row| row.due <= due_by) else { break };
            heads.push(rules::head(row));
        }
        let next_due = if heads.len() < limit { turns.next().map(|row| row.due) } else { None };
        Claimed { heads, next_due }
    }

    fn backlog(&self, tenant: &Tenant) -> Vec<Backlog> {
        let mut found: BTreeMap<&System, u64> = BTreeMap::new();
        let open = |row: &&Obligation| row.key.tenant == *tenant && row.state.is_open();
        for row in self.obligations.rows.values().filter(open) {
            *found.entry(&row.system).or_default() += 1;
        }
        let ever = Wall(i64::MAX);
        let due = |system: &System, lane| {
            self.claim(tenant, system, lane, (None, ever), 1).heads.first().map(|head| head.due)
        };
        let row = |(system, open): (&System, u64)| Backlog {
            system: system.clone(),
            open,
            due: Lane::ALL.map(|lane| due(system, lane)),
        };
        found.into_iter().map(row).collect()
    }

    fn unfinished_of(&self, tenant: &Tenant, system: &System) -> Vec<Intent> {
        let open = self.unfinished.all().flatten().filter_map(|at| self.intents.rows.get(at));
        let mut found: Vec<Intent> =
            open.filter(|intent| intent.tenant() == tenant && intent.system == *system).cloned().collect();
        found.sort_by_key(|intent| intent.id);
        found
    }

    fn fetches_due(
        &self,
        tenant: &Tenant,
        system: &System,
        due_by: Wall,
        limit: usize,
    ) -> (Vec<Fetch>, Option<Wall>) {
        let mut all: Vec<(Wall, i64)> = self
            .fetches
            .rows
            .iter()
            .filter(|(_, row)| row.tenant == *tenant && row.external.system == *system)
            .map(|(at, row)| (row.due, *at))
            .collect();
        all.sort_unstable();
        let due = all.iter().take_while(|(due, _)| *due <= due_by).take(limit);
        let later = all.iter().map(|(due, _)| *due).find(|due| *due > due_by);
        (due.map(|(_, at)| self.fetches.rows[at].clone()).collect(), later)
    }

    fn system(&self, tenant: &Tenant, system: &System) -> (Option<SystemState>, BTreeMap<Object, String>) {
        let cursors = self.cursors.iter().filter(|((whose, which, _), _)| whose == tenant && which == system);
        let cursors = cursors.map(|((_, _, object), cursor)| (object.clone(), cursor.clone())).collect();
        (self.systems.get(&(tenant.clone(), system.clone())).cloned(), cursors)
    }

    fn restored(&self, tenant: &Tenant, system: &System) -> Option<Restored> {
        let all = self.epochs.values().map(|epoch| {
            let reread = self.rereads.get(&(tenant.clone(), system.clone(), epoch.number)).copied();
            let mut others = self.rereads.iter().filter(|((whose, other, number), _)| {
                whose == tenant && other != system && *number == epoch.number
            });
            let others_open = others.any(|(_, reread)| reread.open_at.is_some());
            RestoreRow { epoch: *epoch, reread, others_open }
        });
        Restored::newest(all.collect())
    }

    fn messages_ready(&self, tenant: &Tenant, now: Wall, limit: usize) -> (Vec<Message>, Option<Wall>) {
        let ready = self.ready.iter().filter(|(whose, _)| whose == tenant).map(|(_, at)| *at);
        let parked = self.parked.iter().filter(|(whose, _, _)| whose == tenant);
        let dated = parked.filter_map(|(_, deadline, at)| deadline.map(|deadline| (deadline, *at)));
        let late = dated.clone().filter(|(deadline, _)| *deadline <= now).map(|(_, at)| at);
        let found = ready.chain(late).take(limit).map(|at| self.messages.rows[&at].clone()).collect();
        let later = dated.map(|(deadline, _)| deadline).find(|deadline| *deadline > now);
        (found, later)
    }
}

/// The records that a reference field names: in the record, and in the event's data.
fn referred(field: &Field, record: Option<&Record>, fact: Option<&canonical::Fact>) -> BTreeSet<RecordId> {
    let bags = record.map(|record| &record.fields).into_iter().chain(fact.map(|fact| &fact.data));
    bags.filter_map(|fields| fields.get(field.as_str())?.as_str()?.parse().ok()).collect()
}
