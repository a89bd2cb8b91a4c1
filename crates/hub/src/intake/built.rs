//! One unit under construction: the operations of the messages about one record, folded, and whom they answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use canonical::{EventId, ExternalRef, RouteId, System, Wall};
use config::Configuration;
use intake::{Accepted, Incoming, Link, Message, MessageState, Raise};
use ledger::{Reason, Subject};
use planted::Bug;
use store::{Fetch, Op, Require};

use super::item::{Item, Task};
use super::prepare::{DUPLICATE, MISSING_LINK, PARK_FOR, PARK_FOR_HISTORY};
use crate::mark::Mark;
use crate::turn::{Origin, Taken, TakenAs, Turn};

/// One unit under construction, and whom it answers.
#[derive(Debug, Default)]
pub(super) struct Built {
    pub(super) require: Vec<Require>,
    pub(super) ops: Vec<Op>,
    /// Place of the record's newest `PutRecord` and `PutShadow` in `ops`: later ones replace it.
    pub(super) record_at: Option<usize>,
    pub(super) shadow_at: BTreeMap<(System, canonical::Object), usize>,
    pub(super) items: Vec<(Item, Taken)>,
    /// Objects that it unlinks.
    pub(super) dropped: BTreeSet<ExternalRef>,
    pub(super) linked: bool,
    pub(super) fetches: BTreeSet<System>,
    pub(super) marks: Vec<Mark>,
}

impl Built {
    /// The operations of one accepted message, folded with the earlier ones about the same record.
    pub(super) fn merge(
        &mut self,
        config: &Configuration,
        entity: &canonical::Entity,
        incoming: Option<&Incoming>,
        accepted: Accepted,
        now: Wall,
    ) {
        let tenant = &config.tenant;
        let trace = incoming.map(|incoming| incoming.trace.clone()).unwrap_or_default();
        if let Some(incoming) = incoming {
            self.ends(tenant, incoming, &accepted, now);
        }
        let Some(id) = accepted.about else { return };
        for decision in &accepted.decisions {
            let (entity, source) = (entity.clone(), decision.system.clone());
            self.marks.push(Mark::Decided { kind: decision.kind.name(), entity, source });
        }
        if let Some((record, before)) = accepted.record {
            if record.version != before {
                let source = incoming.map(|incoming| incoming.about.system.clone());
                let (entity, trace) = (record.entity.clone(), trace.clone());
                self.marks.extend(source.map(|source| Mark::Merged { entity, source, trace }));
            }
            let entity = record.entity.clone();
            match self.record_at {
                Some(at) => self.replace(at, Op::PutRecord(record)),
                None => {
                    self.require.push(Require::RecordAt { record: id, version: before });
                    self.record_at = Some(self.ops.len());
                    self.ops.push(Op::PutRecord(record));
                }
            }
            for (key, value) in accepted.matches_dropped {
                let (tenant, entity) = (tenant.clone(), entity.clone());
                self.ops.push(Op::DropMatch { tenant, entity, key, value, record: id });
            }
            for (key, value) in accepted.matches_added {
                let (tenant, entity) = (tenant.clone(), entity.clone());
                self.ops.push(Op::PutMatch { tenant, entity, key, value, record: id });
            }
        }
        if let Some(link) = accepted.link.as_ref().filter(|_| accepted.alone) {
            let (record, system, object) = (link.record, link.system.clone(), link.object.clone());
            self.require.push(Require::NotYetLinked { record, system, object });
        }
        self.link(accepted.link, accepted.unlink, now);
        if let Some(link) = accepted.rehomed {
            // It was linked to a record that was merged into this one: that goes by the record's version.
            self.ops.push(Op::PutLink(link));
            self.linked = true;
        }
        if let Some((shadow, before)) = accepted.shadow {
            let key = (shadow.system.clone(), shadow.object.clone());
            match self.shadow_at.get(&key) {
                Some(at) => self.replace(*at, Op::PutShadow(shadow)),
                None => {
                    let (system, object) = key.clone();
                    self.require.push(Require::ShadowAt { record: id, system, object, revision: before });
                    self.shadow_at.insert(key, self.ops.len());
                    self.ops.push(Op::PutShadow(shadow));
                }
            }
        }
        for mut fact in accepted.facts {
            fact.mappings = told_by(config, &accepted.raises, fact.id);
            self.marks.push(Mark::Happened { kind: fact.kind.clone() });
            self.ops.push(Op::PutFact(fact));
        }
        self.ops.extend(accepted.raises.into_iter().map(Op::Raise));
        self.ops.extend(accepted.decisions.into_iter().map(Op::PutDecision));
        let objects: Vec<_> = accepted.reread.iter().flat_map(|system| readable(config, system)).collect();
        if !objects.is_empty() {
            self.fetches.extend(accepted.reread);
            self.ops.push(Op::WantFetchOf { tenant: tenant.clone(), record: id, objects, at: now, trace });
        }
    }

    /// What is gone is buried, and what only a look can tell is to be read.
    pub(super) fn ends(
        &mut self,
        tenant: &canonical::Tenant,
        incoming: &Incoming,
        accepted: &Accepted,
        now: Wall,
    ) {
        if let Some(grave) = accepted.buried {
            let (system, name) = (incoming.about.system.clone(), intake::Grave::name(&incoming.about));
            self.ops.push(Op::Bury { tenant: tenant.clone(), system, name, grave: grave.bytes(), at: now });
        }
        if let Some((former, grave)) = &accepted.replaced {
            let (system, name) = (former.system.clone(), intake::Grave::name(former));
            self.ops.push(Op::Bury { tenant: tenant.clone(), system, name, grave: grave.bytes(), at: now });
            // Another object takes its place, without an end of its link.
            self.ops.push(Op::WakeMessages { tenant: tenant.clone(), external: former.clone(), at: now });
            self.linked = true;
        }
        let again = accepted.refetch.then_some(&incoming.about);
        for external in again.into_iter().chain(&accepted.wanted) {
            self.fetch(tenant.clone(), external.clone(), incoming.trace.clone(), now);
        }
    }

    pub(super) fn link(&mut self, link: Option<Link>, unlink: Option<Link>, now: Wall) {
        if let Some(link) = unlink {
            self.dropped.insert(link.external());
            match planted::is(Bug::TwinIsForgotten) {
                true => self.ops.push(Op::DropLink(link)),
                false => self.ops.extend(store::unlinked(link, now)),
            }
            self.linked = true;
        }
        if let Some(link) = link {
            // What this unit itself unlinks was linked before it, and is free by then.
            if !self.dropped.contains(&link.external()) {
                let (tenant, external) = (link.tenant.clone(), link.external());
                self.require.push(Require::Unlinked { tenant, external });
            }
            self.ops.push(Op::PutLink(link));
            self.linked = true;
        }
    }

    pub(super) fn replace(&mut self, at: usize, op: Op) {
        if let Some(slot) = self.ops.get_mut(at) {
            *slot = op;
        }
    }

    /// The item's message waits for an object to be linked, which is read where it can be.
    pub(super) fn await_link(
        &mut self,
        config: &Configuration,
        mut item: Item,
        waiting: ExternalRef,
        now: Wall,
    ) -> Item {
        let system = config.systems.get(&waiting.system);
        if system.is_some_and(|system| system.connector.can_fetch(&waiting.object)) {
            self.want_fetch(&item, waiting.clone(), now);
        }
        // A link that comes before this is kept would wake nobody.
        let (tenant, external) = (item.message.tenant.clone(), waiting.clone());
        self.require.push(Require::Unlinked { tenant, external });
        let wait = if item.history { PARK_FOR_HISTORY } else { PARK_FOR };
        item.message.deadline = Some(item.message.deadline.unwrap_or(now + wait));
        item.message.waiting = Some(waiting);
        self.marks.push(Mark::MessageParked { source: item.source.clone() });
        item
    }

    /// The item's message waits for its record's object to be gone: it is a duplicate beside that one.
    pub(super) fn await_end(&mut self, item: &mut Item, reason: &Reason, first: ExternalRef) {
        // An end that comes before this is kept would wake nobody.
        let external = first.clone();
        self.require
            .extend(reason.candidates.first().map(|record| Require::LinkedTo { record: *record, external }));
        item.message.deadline = None;
        item.message.waiting = Some(first);
    }

    pub(super) fn want_fetch(&mut self, item: &Item, external: ExternalRef, now: Wall) {
        self.fetch(item.message.tenant.clone(), external, item.message.trace.clone(), now);
    }

    pub(super) fn fetch(
        &mut self,
        tenant: canonical::Tenant,
        external: ExternalRef,
        trace: String,
        now: Wall,
    ) {
        self.fetches.insert(external.system.clone());
        self.ops.push(Op::WantFetch(Fetch {
            tenant,
            external,
            hinted_at: now,
            due: now,
            attempts: 0,
            trace,
        }));
    }

    /// Keeps the cursor that came with the item, or ends its fetch.
    pub(super) fn origin(&mut self, item: &Item, now: Wall) {
        let tenant = &item.message.tenant;
        match &item.origin {
            Some(Origin::Polled { object, cursor }) => self.ops.push(Op::PutCursor {
                tenant: tenant.clone(),
                system: item.source.clone(),
                object: object.clone(),
                cursor: cursor.clone(),
                at: now,
            }),
            Some(Origin::Fetched { external }) => self.ops.push(Op::DoneFetch {
                tenant: tenant.clone(),
                external: external.clone(),
                started: item.message.as_of,
                lag: read_lag(&item.config, external),
            }),
            Some(Origin::Pushed) | None => {}
        }
    }

    /// Keeps the message itself, its dedupe row and its cursor, and answers for it.
    pub(super) fn keep(
        &mut self,
        mut item: Item,
        state: MessageState,
        why: Option<Reason>,
        seen: &mut BTreeMap<(System, String), [u8; 32]>,
        turn: &mut Turn<'_>,
    ) {
        let now = turn.now.wall;
        self.origin(&item, now);
        let mut how = TakenAs::Accepted;
        let waits = why.as_ref().is_none_or(|why| [MISSING_LINK, DUPLICATE].contains(&why.class.as_str()));
        if !waits {
            item.message.waiting = None;
        }
        if let Some(why) = &why {
            how = TakenAs::Quarantined(why.message.clone());
            self.marks.push(Mark::Quarantined {
                source: item.source.clone(),
                class: why.class.clone(),
                message: why.message.clone(),
            });
        }
        let waits_as = item.message.event_id.is_none().then(|| name_of_what_waits(state, &item)).flatten();
        self.name(&item, waits_as.as_deref(), seen, now);
        let id = item.message.id;
        // A read that was merged needs no message of its own: the source still has it. Everything pushed, and
        // everything that waits or needs a person, is kept. Of what is read for a cutover all is, until it is reported.
        let told = item.history && matches!(item.task, Task::Merge(_));
        let keep = state != MessageState::Accepted || item.pushed || told;
        if item.stored && state == MessageState::Accepted {
            let tenant = item.message.tenant.clone();
            self.ops.push(Op::MessageState { tenant, id, state, reason: None, at: now });
            self.waits_no_more(&item, seen);
        } else if keep {
            // The item stays as it is: it may have to be decided again.
            let event_id = item.message.event_id.clone().or(waits_as);
            self.ops.push(Op::PutMessage(Message { event_id, state, reason: why, ..item.message.clone() }));
        }
        let taken = Taken { message: keep.then_some(id), how, raised: Vec::new() };
        self.items.push((item, taken));
    }

    /// By what the item is known again: its source's own id, or as what it waits. An object's name stands for what was read of it
    /// last, and for nothing once that does not wait.
    fn name(
        &mut self,
        item: &Item,
        waits_as: Option<&str>,
        seen: &mut BTreeMap<(System, String), [u8; 32]>,
        at: Wall,
    ) {
        if item.stored {
            return;
        }
        let (tenant, source, hash) = (&item.message.tenant, &item.source, item.hash);
        let known_as = |event_id: &str| (tenant.clone(), source.clone(), event_id.to_owned());
        let mut seen_as = item.message.event_id.as_deref();
        if item.moves {
            for name in item.read_key.iter().cloned().chain(item.late_key()) {
                let key = (source.clone(), name.clone());
                if seen.get(&key).is_some_and(|known| *known != hash) {
                    seen.remove(&key);
                    let (tenant, source, event_id) = known_as(&name);
                    self.ops.push(Op::Unsee { tenant, source, event_id });
                }
            }
        } else {
            seen_as = seen_as.or(waits_as);
        }
        if let Some(name) = seen_as {
            let (tenant, source, event_id) = known_as(name);
            self.require.push(Require::Unseen { tenant, source, event_id });
        }
        if let Some(name) = seen_as.or(waits_as) {
            let (tenant, source, event_id) = known_as(name);
            seen.insert((source.clone(), event_id.clone()), hash);
            self.ops.push(Op::Seen { tenant, source, event_id, hash, at });
        }
    }

    /// The same read again, which may have been asked for, is judged by itself. Where something newer of the object waits by its
    /// name, that does so still.
    fn waits_no_more(&mut self, item: &Item, seen: &mut BTreeMap<(System, String), [u8; 32]>) {
        let Some(event_id) = item.read_key.clone() else { return };
        let key = (item.source.clone(), event_id.clone());
        if seen.get(&key).is_none_or(|hash| *hash == item.hash) {
            seen.remove(&key);
            let (tenant, source) = (item.message.tenant.clone(), item.source.clone());
            self.ops.push(Op::Unsee { tenant, source, event_id });
        }
    }
}

/// The name of a read that waits, for a link or for a person: read again as it was, it would wait once more, and say no more
/// than it does. Where nothing but a late reference waits, that has a name of its own: all else that a read says counts.
fn name_of_what_waits(state: MessageState, item: &Item) -> Option<String> {
    match state {
        MessageState::Parked if item.message.lacking => item.late_key(),
        MessageState::Parked | MessageState::Quarantined => item.read_key.clone(),
        _ => None,
    }
}

/// How far behind the writes a read of an object may be.
fn read_lag(config: &Configuration, external: &ExternalRef) -> Duration {
    let system = config.systems.get(&external.system);
    system.map_or(Duration::ZERO, |system| system.connector.read_lag(&external.object))
}

/// The kinds of objects of a system that can be read by id.
fn readable(config: &Configuration, system: &System) -> Vec<(System, canonical::Object)> {
    let Some(known) = config.systems.get(system) else { return Vec::new() };
    let objects = config.inbound_objects(system).filter(|object| known.connector.can_fetch(object));
    objects.map(|object| (system.clone(), object.clone())).collect()
}

/// By which version of its mapping each `notify` route tells an event that it is raised for.
pub(crate) fn told_by(config: &Configuration, raises: &[Raise], event: EventId) -> BTreeMap<RouteId, u32> {
    let routes = raises.iter().filter(|raise| raise.key.subject == Subject::Event(event));
    let version = |raise: &Raise| {
        let route = config.route(&raise.key.route)?;
        Some((route.id.clone(), config.mapping_of(route)?.version()))
    };
    routes.filter_map(version).collect()
}
