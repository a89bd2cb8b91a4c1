//! What intake must know to decide a batch.

use std::collections::BTreeSet;
use std::sync::Arc;

use canonical::{Alive, ExternalRef, RecordId, System, Tenant};
use intake::{Ask, Link, View};
use ledger::Intent;
use store::rules;

use super::Reader;
use crate::fault::{Fault, Outcome};
use crate::rows::record::link;
use crate::rows::shadow::shadow;
use crate::rows::subject_parts;
use crate::sql::Sql;

impl Reader<'_> {
    pub(super) fn view(&mut self, tenant: Tenant, asks: &[Ask]) -> Outcome<View> {
        let mut view = View::default();
        if let Some(number) = self.name(tenant.as_str())? {
            let mut systems = BTreeSet::new();
            for ask in asks {
                self.add_seen(number, ask, &mut systems, &mut view)?;
                for record in &ask.records {
                    self.add_record(number, *record, &mut view)?;
                }
                for external in &ask.objects {
                    systems.insert(&external.system);
                    self.add_link(number, external, &mut view)?;
                }
                self.add_matches(&tenant, number, ask, &mut view)?;
                self.add_creates(&tenant, number, ask, &mut view)?;
                self.add_beside(number, ask, &mut view)?;
            }
            self.add_surroundings(&tenant, number, &systems, &mut view)?;
        }
        view.restored_at = self.restored_at()?;
        view.tenant = Some(tenant);
        Ok(view)
    }

    fn add_seen<'a>(
        &mut self,
        tenant: i64,
        ask: &'a Ask,
        systems: &mut BTreeSet<&'a System>,
        view: &mut View,
    ) -> Outcome<()> {
        for (source, event_id) in ask.event.iter().chain(&ask.late).chain(&ask.grave) {
            systems.insert(source);
            let Some(number) = self.name(source.as_str())? else { continue };
            let hash = self.book.one(Sql::SeenHash, (tenant, number, event_id), |row, _| Ok(row.get(0)?))?;
            if let Some(hash) = hash {
                view.seen.insert((source.clone(), event_id.clone()), hash);
            }
        }
        Ok(())
    }

    fn add_beside(&mut self, tenant: i64, ask: &Ask, view: &mut View) -> Outcome<()> {
        let Some(ending) = &ask.ending else { return Ok(()) };
        let (Some(system), Some(object)) =
            (self.name(ending.system.as_str())?, self.name(ending.object.as_str())?)
        else {
            return Ok(());
        };
        let key = (tenant, system, object, &ending.id);
        if self.book.one(Sql::AnyBeside, key, |_, _| Ok(()))?.is_some() {
            view.beside.insert(ending.clone());
        }
        Ok(())
    }

    fn add_link(&mut self, tenant: i64, external: &ExternalRef, view: &mut View) -> Outcome<()> {
        if view.links.contains_key(external) {
            return Ok(());
        }
        let (Some(system), Some(object)) =
            (self.name(external.system.as_str())?, self.name(external.object.as_str())?)
        else {
            return Ok(());
        };
        let links = self.book.all(Sql::LinksOfObject, (tenant, system, &external.id, object), link)?;
        // Of the account it was linked in last, when there are several.
        let order = |link: &Link| (link.created_at, link.instance.clone());
        if let Some(link) = links.into_iter().max_by_key(order) {
            self.add_record(tenant, link.record, view)?;
            view.links.insert(external.clone(), link);
        }
        Ok(())
    }

    fn add_matches(&mut self, tenant: &Tenant, number: i64, ask: &Ask, view: &mut View) -> Outcome<()> {
        for key in &ask.matches {
            if view.matches.contains_key(key) {
                continue;
            }
            let (entity, name, value) = key;
            let hash = match self.book.desk.keys.vault.match_hash(tenant, [entity.as_str(), name], value) {
                Ok(hash) => hash,
                Err(error) => match Fault::from(error) {
                    // A tenant without keys has nothing stored.
                    Fault::NewTenant(_) => continue,
                    other => return Err(other),
                },
            };
            let having =
                self.book.all(Sql::MatchRecords, (number, hash), |row, _| crate::rows::record_id(row, 0))?;
            for record in &having {
                self.add_record(number, *record, view)?;
            }
            if !having.is_empty() {
                view.matches.insert(key.clone(), having);
            }
        }
        Ok(())
    }

    fn add_creates(&mut self, tenant: &Tenant, number: i64, ask: &Ask, view: &mut View) -> Outcome<()> {
        let Some(create) = &ask.creating else { return Ok(()) };
        if view.creates_open.contains_key(create) {
            return Ok(());
        }
        let (entity, system, object) = create;
        let Some(entity) = self.name(entity.as_str())? else { return Ok(()) };
        let open = Arc::clone(&self.open);
        let mut count = 0;
        for intent in open.creates(tenant, system, object) {
            let key = &intent.obligation;
            let Some(route) = self.name(key.route.as_str())? else { continue };
            let (kind, subject) = subject_parts(&key.subject);
            let params = (subject, route, number, kind);
            let of = self.book.one(Sql::EntityOfObligation, params, |row, _| Ok(row.get::<_, i64>(0)?))?;
            count += u64::from(of == Some(entity));
        }
        if count > 0 {
            view.creates_open.insert(create.clone(), count);
        }
        Ok(())
    }

    /// The record, and those that stand for it.
    fn add_record(&mut self, tenant: i64, id: RecordId, view: &mut View) -> Outcome<()> {
        let mut next = Some(id);
        for _ in 0..=rules::ALIAS_HOPS_MAX {
            let Some(id) = next.filter(|id| !view.records.contains_key(id)) else { break };
            let Some(record) = self.record(tenant, id)? else { break };
            next = match record.alive {
                Alive::Merged { into } => Some(into),
                Alive::Live | Alive::Deleted { .. } => None,
            };
            view.records.insert(id, record);
        }
        Ok(())
    }

    /// Links, shadows and unfinished intents of the records in the asked systems.
    fn add_surroundings(
        &mut self,
        tenant: &Tenant,
        number: i64,
        systems: &BTreeSet<&System>,
        view: &mut View,
    ) -> Outcome<()> {
        let mut numbers = Vec::with_capacity(systems.len());
        for system in systems {
            numbers.extend(self.name(system.as_str())?);
        }
        let ids: Vec<RecordId> = view.records.keys().copied().collect();
        for id in ids {
            for link in self.book.all(Sql::LinksOfRecord, (id.as_bytes(), number), link)? {
                if systems.contains(&link.system) {
                    view.linked.insert((id, link.system, link.object), link.external_id);
                }
            }
            for system in &numbers {
                let shadows = self.book.all(Sql::ShadowsInSystem, (id.as_bytes(), system, number), shadow)?;
                for shadow in shadows {
                    view.shadows.insert((id, shadow.system.clone(), shadow.object.clone()), shadow);
                }
            }
            let open = Arc::clone(&self.open);
            for intent in open.of_record(tenant, id).filter(|intent| systems.contains(&intent.system)) {
                // One that has just ended is in its shadow already.
                let params = (id.as_bytes(), intent.id.0.as_bytes());
                if self.book.one(Sql::EndedIntent, params, |_, _| Ok(()))?.is_none() {
                    let key = (id, intent.system.clone(), intent.object.clone());
                    view.intents.entry(key).or_insert_with(|| Intent::clone(intent));
                }
            }
        }
        Ok(())
    }
}
