//! Answers operators' questions: plain filters over all rows, newest first.

use std::collections::BTreeMap;
use std::ops::Bound;

use canonical::{Entity, RecordId, System, Tenant};
use ledger::{Intent, ObligationKey, State};

use super::tables::Tables;
use crate::browse::{
    DecisionFilter, DeliveryFilter, EventFilter, FOOTPRINT_MAX, Footprint, LIST_ROWS_MAX, Look,
    MessageFilter, OPEN_COUNT_MAX, Page, RecordFilter, RecordSheet, SHEET_ROWS_MAX, SystemCounts,
};
use crate::op::Applied;
use crate::system::SystemState;

impl Tables {
    pub(super) fn look(&self, tenant: &Tenant, look: Look) -> Page {
        match look {
            Look::Deliveries(filter) => Page::Deliveries(self.deliveries(tenant, &filter)),
            Look::Delivery(key) => Page::Delivery(self.delivery(tenant, &key)),
            Look::Events(filter) => Page::Events(self.events(tenant, &filter)),
            Look::Event(event) => {
                let at =
                    self.facts.at.get(&event).and_then(|at| Some((*at, self.facts.rows.get(at)?.clone())));
                Page::Events(at.into_iter().filter(|(_, fact)| fact.tenant == *tenant).collect())
            }
            Look::Decisions(filter) => Page::Decisions(self.decided(tenant, &filter)),
            Look::Messages(filter) => Page::Messages(self.messages(tenant, &filter)),
            Look::Message(id) => {
                let at = self.messages.at.get(&id);
                let row = at.and_then(|at| Some((*at, self.messages.rows.get(at)?.clone())));
                Page::Messages(row.into_iter().filter(|(_, message)| message.tenant == *tenant).collect())
            }
            Look::Record(record) => Page::Record(self.sheet(tenant, record).map(Box::new)),
            Look::RecordByLink { system, object, external_id } => {
                let link = self.links.values().find(|link| {
                    link.tenant == *tenant
                        && link.system == system
                        && link.external_id == external_id
                        && object.as_ref().is_none_or(|object| link.object == *object)
                });
                Page::Record(link.and_then(|link| self.sheet(tenant, link.record)).map(Box::new))
            }
            Look::Changes { system, before, limit } => {
                Page::Changes(newest(&self.changes, before, limit, |change: &crate::Change| {
                    change.tenant == *tenant && system.as_ref().is_none_or(|system| change.system == *system)
                }))
            }
            Look::ChangesAfter { system, after, limit } => {
                let above =
                    self.changes.range((after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded));
                let own = above.filter(|(_, change)| {
                    change.tenant == *tenant && system.as_ref().is_none_or(|system| change.system == *system)
                });
                let rows = own.take(limit.min(LIST_ROWS_MAX)).map(|(at, change)| (*at, change.clone()));
                Page::Changes(rows.collect())
            }
            Look::Systems => Page::Systems(self.all_systems(tenant)),
            Look::Groups(filter) => Page::Groups(newest(
                &self.groups.rows,
                filter.before,
                filter.limit,
                |group: &ledger::Group| {
                    group.tenant == *tenant
                        && filter.system.as_ref().is_none_or(|system| group.system == *system)
                        && filter.fingerprint.as_ref().is_none_or(|name| group.fingerprint == *name)
                        && filter.open.is_none_or(|open| open != group.is_empty())
                },
            )),
            Look::Jobs(filter) => {
                let wanted =
                    |job: &ledger::Job| job.tenant == *tenant && filter.id.is_none_or(|id| job.id == id);
                let jobs = newest(&self.jobs.rows, filter.before, filter.limit, wanted);
                let tally = |job: &ledger::Job| self.tallies.get(&job.id).copied().unwrap_or_default();
                Page::Jobs(jobs.into_iter().map(|(at, job)| (at, job.clone(), tally(&job))).collect())
            }
            Look::Applied { before, limit } => {
                let own = |applied: &Applied| applied.tenant == *tenant;
                Page::Applied(newest(&self.applied, before, limit, own))
            }
            Look::Versions { after } => {
                let own = self.versions.iter().filter(|((owner, key), _)| {
                    owner == tenant && after.as_ref().is_none_or(|after| key > after)
                });
                let page = own.take(crate::VERSIONS_PAGE_MAX);
                Page::Versions(page.map(|(_, version)| version.clone()).collect())
            }
            Look::Footprint { entities, systems } => {
                Page::Footprint(self.footprint(tenant, &entities, &systems))
            }
            Look::Records(filter) => self.records_page(tenant, &filter),
            Look::Retention(horizons) => self.retention(tenant, &horizons),
        }
    }

    fn deliveries(&self, tenant: &Tenant, filter: &DeliveryFilter) -> Vec<(i64, ledger::Obligation)> {
        let fingerprint =
            |row: &ledger::Obligation| row.reason.as_ref().map(|reason| reason.fingerprint.clone());
        newest(&self.obligations.rows, filter.before, filter.limit, |row: &ledger::Obligation| {
            row.key.tenant == *tenant
                && filter.system.as_ref().is_none_or(|system| row.system == *system)
                && (filter.states.is_empty() || filter.states.contains(&row.state))
                && filter.record.is_none_or(|record| row.record == record)
                && filter.route.as_ref().is_none_or(|route| row.key.route.as_str() == route)
                && filter.fingerprint.as_ref().is_none_or(|wanted| fingerprint(row).as_ref() == Some(wanted))
        })
    }

    fn delivery(
        &self,
        tenant: &Tenant,
        key: &ObligationKey,
    ) -> Option<(ledger::Obligation, Vec<ledger::Intent>, Vec<crate::Attempt>)> {
        let row = self.obligations.get(key).filter(|_| key.tenant == *tenant)?;
        let intents = self.newest_intents(|intent| intent.obligation == *key);
        let attempts = self
            .attempts
            .values()
            .rev()
            .map(|(_, attempt)| attempt)
            .filter(|attempt| attempt.obligation == *key);
        Some((row.clone(), intents, attempts.take(SHEET_ROWS_MAX).cloned().collect()))
    }

    fn events(&self, tenant: &Tenant, filter: &EventFilter) -> Vec<(i64, canonical::Fact)> {
        newest(&self.facts.rows, filter.before, filter.limit, |fact: &canonical::Fact| {
            fact.tenant == *tenant
                && filter.kind.as_ref().is_none_or(|kind| fact.kind == *kind)
                && filter.entity.as_ref().is_none_or(|entity| fact.entity == *entity)
                && filter.record.is_none_or(|record| fact.record == record)
                && filter.source.as_ref().is_none_or(|source| fact.source == *source)
        })
    }

    fn decided(&self, tenant: &Tenant, filter: &DecisionFilter) -> Vec<(i64, intake::Decision)> {
        let (before, limit) = (filter.before.unwrap_or(i64::MAX), filter.limit.min(LIST_ROWS_MAX));
        let lines = self.decided.iter().filter(|((whose, system, kind), _)| {
            whose == tenant
                && (filter.kinds.is_empty() || filter.kinds.iter().any(|wanted| wanted.name() == *kind))
                && filter.system.as_ref().is_none_or(|wanted| wanted == system)
        });
        // The newest of each line, and of these the newest.
        let newest: BTreeMap<i64, (RecordId, i64)> = lines
            .flat_map(|(_, line)| line.range(..before).rev().take(limit).map(|(at, key)| (*at, *key)))
            .collect();
        let rows = newest.into_iter().rev().take(limit);
        rows.filter_map(|(at, key)| Some((at, self.decisions.get(&key)?.clone()))).collect()
    }

    fn messages(&self, tenant: &Tenant, filter: &MessageFilter) -> Vec<(i64, intake::Message)> {
        newest(&self.messages.rows, filter.before, filter.limit, |message: &intake::Message| {
            message.tenant == *tenant
                && filter.source.as_ref().is_none_or(|source| message.source == *source)
                && (filter.states.is_empty() || filter.states.contains(&message.state))
        })
    }

    /// By their ids, which are made in the order of time.
    fn newest_intents(&self, wanted: impl Fn(&Intent) -> bool) -> Vec<Intent> {
        let mut intents: Vec<&Intent> = self.intents.rows.values().filter(|intent| wanted(intent)).collect();
        intents.sort_by_key(|intent| std::cmp::Reverse(intent.id));
        intents.into_iter().take(SHEET_ROWS_MAX).cloned().collect()
    }

    fn sheet(&self, tenant: &Tenant, id: RecordId) -> Option<RecordSheet> {
        let record = self.record(tenant, id)?.clone();
        let attempts = self.attempts.values().rev().filter(|(record, _)| *record == Some(id));
        let links = self.linked.of(id).filter_map(|(_, at)| self.links.get(at));
        let shadows = self.shadows.of(id).map(|(_, shadow)| shadow);
        let facts = self.facts.rows.values().rev().filter(|fact| fact.record == id);
        let obligations = self.owed(id);
        let intents = self.newest_intents(|intent| intent.record == id);
        let decisions =
            self.decisions.range((id, i64::MIN)..=(id, i64::MAX)).rev().map(|(_, decision)| decision);
        Some(RecordSheet {
            record,
            links: links.cloned().collect(),
            shadows: shadows.cloned().collect(),
            facts: facts.take(SHEET_ROWS_MAX).cloned().collect(),
            obligations: obligations.cloned().collect(),
            intents,
            attempts: attempts.take(SHEET_ROWS_MAX).map(|(_, attempt)| attempt.clone()).collect(),
            decisions: decisions.take(SHEET_ROWS_MAX).cloned().collect(),
        })
    }

    fn records_page(&self, tenant: &Tenant, filter: &RecordFilter) -> Page {
        let from = filter.after.map_or(Bound::Unbounded, Bound::Excluded);
        let limit = filter.limit.min(LIST_ROWS_MAX);
        let looked: Vec<&canonical::Record> = self
            .records
            .range((from, Bound::Unbounded))
            .map(|(_, record)| record)
            .filter(|record| record.tenant == *tenant)
            .take(limit)
            .collect();
        let next = looked.last().filter(|_| looked.len() >= limit).map(|record| record.id);
        let fits = looked.into_iter().filter(|record| filter.holds(&record.entity, record.updated_at));
        let with_links = |record: &canonical::Record| {
            let links = self.linked.of(record.id).filter_map(|(_, at)| self.links.get(at));
            (record.clone(), links.cloned().collect())
        };
        Page::Records(fits.map(with_links).collect(), next)
    }

    fn footprint(&self, tenant: &Tenant, entities: &[Entity], systems: &[System]) -> Footprint {
        let mut out = Footprint::default();
        for record in self.records.values().filter(|record| record.tenant == *tenant) {
            let count = out.records.entry(record.entity.clone()).or_default();
            *count = (*count + 1).min(FOOTPRINT_MAX);
        }
        out.records.retain(|entity, _| entities.contains(entity));
        let mut counted: BTreeMap<&System, u64> = BTreeMap::new();
        for row in self.obligations.rows.values() {
            let of_system = counted.entry(&row.system).or_default();
            let wanted = row.key.tenant == *tenant && row.state.is_open() && systems.contains(&row.system);
            if wanted && *of_system < FOOTPRINT_MAX {
                *of_system += 1;
                *out.open.entry(row.key.route.clone()).or_default() += 1;
            }
        }
        out
    }

    fn all_systems(&self, tenant: &Tenant) -> Vec<(SystemState, SystemCounts)> {
        let mut counts: BTreeMap<System, SystemCounts> = BTreeMap::new();
        for (whose, system) in self.systems.keys() {
            if whose == tenant {
                counts.entry(system.clone()).or_default();
            }
        }
        for row in self.obligations.rows.values().filter(|row| row.key.tenant == *tenant) {
            let of = counts.entry(row.system.clone()).or_default();
            of.open += u64::from(row.state.is_open());
            of.dead += u64::from(row.state == State::Dead);
            of.uncertain += u64::from(row.state == State::Uncertain);
            of.parked += u64::from(row.state == State::Parked);
            if row.state.is_open() {
                of.oldest = Some(of.oldest.map_or(row.raised_at, |oldest| oldest.min(row.raised_at)));
            }
        }
        let with_state = |(system, mut counts): (System, SystemCounts)| {
            counts.open = counts.open.min(OPEN_COUNT_MAX);
            let known = self.systems.get(&(tenant.clone(), system.clone())).cloned();
            (known.unwrap_or_else(|| SystemState::blank(tenant.clone(), system)), counts)
        };
        counts.into_iter().map(with_state).collect()
    }
}

fn newest<V: Clone>(
    rows: &BTreeMap<i64, V>,
    before: Option<i64>,
    limit: usize,
    wanted: impl Fn(&V) -> bool,
) -> Vec<(i64, V)> {
    rows.range(..before.unwrap_or(i64::MAX))
        .rev()
        .filter(|(_, row)| wanted(row))
        .take(limit.min(LIST_ROWS_MAX))
        .map(|(at, row)| (*at, row.clone()))
        .collect()
}
