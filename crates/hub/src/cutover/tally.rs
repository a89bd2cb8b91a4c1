//! Counts what a reading came to: message by message, record by record, delivery by delivery.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use canonical::value::is_empty;
use canonical::{
    Alive, Entity, EntitySchema, ExternalRef, Field, Fields, MessageId, Object, Record, RecordId, System,
    Wall,
};
use config::Configuration;
use connector::{Observation, Seen};
use intake::{Ask, Link, Message, MessageState, View};
use ledger::{Obligation, Reason, State, Waiting};
use mapping::{Mapping, Patch};
use serde_json::Value;
use store::Op;

use super::report::{
    Agreed, Clash, Example, Examples, Finding, FirstSync, Held, Missing, Named, PathCount, Report, Side,
    Spread, Verdict,
};
use super::{Listing, order};
use crate::spoke::{Foreseen, Load};

/// Until a person has looked.
const FAR: Duration = Duration::from_secs(10 * 365 * 86_400);

type Place = (System, Object);
/// How often each path would be written.
type Paths = BTreeMap<String, u64>;
/// Type, field, who says it, who owns it, whose counts, whether it is empty.
type ClashKey = (Entity, Field, System, Option<System>, Option<System>, bool);

/// A message as it is counted: what it was read as.
#[derive(Debug)]
pub struct Told {
    message: Message,
    read: Option<Read>,
}

/// The state of an object.
#[derive(Debug)]
struct Read {
    schema: Arc<EntitySchema>,
    patch: Patch,
    gone: bool,
}

/// Counts, and says of each that is not simply matched why.
#[derive(Debug)]
pub struct Tally {
    sides: BTreeMap<Place, Side>,
    /// Objects that were counted: messages come newest first, and the newest of each counts.
    counted: HashSet<[u8; 16]>,
    agreed: BTreeMap<(Entity, System, Option<String>), u64>,
    spread: BTreeMap<(Entity, BTreeSet<System>), u64>,
    missing: BTreeMap<(Entity, System), Examples>,
    clashes: BTreeMap<ClashKey, (&'static str, Examples)>,
    held: BTreeMap<(System, String, Option<String>), Examples>,
    syncs: BTreeMap<(System, Object, Entity), (FirstSync, Paths)>,
    listed: Vec<Listing>,
    /// Records that an object may stand for which does not stand for any: no second one is made there meanwhile.
    unsettled: BTreeMap<Place, HashMap<RecordId, ExternalRef>>,
}

impl Told {
    /// Reads a kept message.
    #[must_use]
    pub fn of(config: &Configuration, message: Message) -> Self {
        let read = read(config, &message);
        Self { message, read }
    }

    /// Its id, where it was merged: once it is counted, nothing is left to do about it.
    #[must_use]
    pub fn merged(&self) -> Option<MessageId> {
        (self.message.state == MessageState::Accepted).then_some(self.message.id)
    }

    /// What must be known to count it.
    #[must_use]
    pub fn ask(&self) -> Ask {
        let about = self.message.about.iter().cloned();
        let references = self.read.iter().flat_map(|read| read.patch.references.values());
        let system = &self.message.source;
        let references = references.map(|reference| ExternalRef {
            system: system.clone(),
            object: reference.object.clone(),
            id: reference.external_id.clone(),
        });
        let matches = if self.merged().is_some() { Vec::new() } else { self.matches() };
        Ask { objects: about.chain(references).collect(), matches, ..Ask::default() }
    }

    /// By which values its record would be found.
    fn matches(&self) -> Vec<(Entity, String, String)> {
        let Some(read) = &self.read else { return Vec::new() };
        let matches = intake::match_values(&read.schema, &read.patch.fields).into_iter();
        matches.map(|(key, value)| (read.schema.entity.clone(), key, value)).collect()
    }
}

fn read(config: &Configuration, message: &Message) -> Option<Read> {
    let about = message.about.as_ref()?;
    let (mapping, schema) = config.inbound(&about.system, &about.object)?;
    let mapping: &Mapping = mapping;
    let observation: Observation = serde_json::from_slice(&message.raw).ok()?;
    let (patch, gone) = match &observation.seen {
        Seen::State { fields } => (mapping.normalise(fields).unwrap_or_default(), false),
        Seen::Deleted | Seen::Merged { .. } => (Patch::default(), true),
        Seen::Hint => return None,
    };
    Some(Read { schema: Arc::clone(schema), patch, gone })
}

impl Tally {
    /// Nothing is counted yet.
    #[must_use]
    pub fn new(config: &Configuration) -> Self {
        let listed = order(config).read;
        let side = |of: &Listing| {
            let place = (of.system.clone(), of.object.clone());
            (place, Side::of(of.entity.clone(), of.system.clone(), of.object.clone()))
        };
        let sides = listed.iter().map(side).collect();
        Self {
            sides,
            counted: HashSet::new(),
            agreed: BTreeMap::new(),
            spread: BTreeMap::new(),
            missing: BTreeMap::new(),
            clashes: BTreeMap::new(),
            held: BTreeMap::new(),
            syncs: BTreeMap::new(),
            listed,
            unsettled: BTreeMap::new(),
        }
    }

    /// Counts a message. They come newest first.
    pub fn message(&mut self, told: Told, view: &View) -> Option<Finding> {
        let fits = if told.merged().is_some() { Vec::new() } else { told.matches() };
        let Told { message, read } = told;
        let Some(about) = message.about.clone() else { return self.unread(&message) };
        let mark = blake3::hash(about.to_string().as_bytes());
        let mark = mark.as_bytes().first_chunk::<16>().copied().unwrap_or_default();
        if !self.counted.insert(mark) {
            return None;
        }
        let entity = read.as_ref().map(|read| read.schema.entity.clone());
        if let Some(side) = self.sides.get_mut(&(about.system.clone(), about.object.clone())) {
            side.read += 1;
        }
        let fits = fits.iter().filter_map(|key| view.matches.get(key)).flatten();
        let named = message.reason.iter().flat_map(|reason| &reason.candidates);
        self.unsettle(&about, fits.chain(named));
        match message.state {
            MessageState::Quarantined => self.quarantined(&message, about, entity),
            MessageState::Parked | MessageState::Ready => {
                let on = message.waiting.as_ref().filter(|_| !message.is_duplicate());
                let why = on.map(|on| format!("it refers to {on}, which was not found"));
                self.at(&about, |side| &mut side.waiting);
                self.hold(&about, "missing_link", None);
                let why = why.unwrap_or_else(|| "it waits".to_owned());
                Some(Finding {
                    entity,
                    objects: vec![about.to_string()],
                    why,
                    ..Finding::of(Verdict::Waiting)
                })
            }
            MessageState::Accepted | MessageState::Discarded => {
                let read = read?;
                let record = intake::referred(view, &about).and_then(|id| view.records.get(&id));
                match record.filter(|_| !read.gone) {
                    Some(record) => self.linked(&about, &read, record, view),
                    None => {
                        self.at(&about, |side| &mut side.gone);
                        None
                    }
                }
            }
        }
    }

    /// An object that stands for none may stand for these.
    fn unsettle<'r>(&mut self, about: &ExternalRef, records: impl Iterator<Item = &'r RecordId>) {
        for record in records {
            let there = self.unsettled.entry((about.system.clone(), about.object.clone())).or_default();
            there.entry(*record).or_insert_with(|| about.clone());
        }
    }

    /// A page, or a part of one, of which not even the object is known.
    fn unread(&mut self, message: &Message) -> Option<Finding> {
        let reason = message.reason.as_ref()?;
        let held = (message.source.clone(), reason.class.clone(), reason.field.clone());
        self.held.entry(held).or_default().take(Example::Object(message.id.to_string()));
        let objects = vec![message.source.to_string()];
        Some(Finding { objects, why: reason.message.clone(), ..Finding::of(Verdict::Unreadable) })
    }

    fn at(&mut self, about: &ExternalRef, count: impl FnOnce(&mut Side) -> &mut u64) {
        if let Some(side) = self.sides.get_mut(&(about.system.clone(), about.object.clone())) {
            *count(side) += 1;
        }
    }

    fn hold(&mut self, about: &ExternalRef, class: &str, field: Option<String>) {
        let held = self.held.entry((about.system.clone(), class.to_owned(), field)).or_default();
        held.take(Example::Object(about.to_string()));
    }

    fn quarantined(
        &mut self,
        message: &Message,
        about: ExternalRef,
        entity: Option<Entity>,
    ) -> Option<Finding> {
        let reason = message.reason.clone().unwrap_or_default();
        let kind = match reason.class.as_str() {
            "ambiguous_match" => Verdict::Ambiguous,
            "duplicate_there" => Verdict::Duplicate,
            "not_a_creator" => Verdict::Refused,
            "missing_link" => Verdict::Waiting,
            _ => Verdict::Unreadable,
        };
        self.at(&about, |side| match kind {
            Verdict::Ambiguous => &mut side.ambiguous,
            Verdict::Duplicate => &mut side.duplicates,
            Verdict::Refused => &mut side.refused,
            Verdict::Waiting => &mut side.waiting,
            _ => &mut side.unreadable,
        });
        self.hold(&about, &reason.class, reason.field);
        let (objects, candidates) =
            (vec![about.to_string()], reason.candidates.into_iter().map(Named).collect());
        Some(Finding { entity, objects, candidates, why: reason.message, ..Finding::of(kind) })
    }

    /// An object that stands for a record: by which key, and what it says otherwise.
    fn linked(&mut self, about: &ExternalRef, read: &Read, record: &Record, view: &View) -> Option<Finding> {
        let schema = &read.schema;
        let said = said(about, &read.patch, view);
        let others = record.marks.keys().any(|system| *system != about.system);
        if !others {
            self.at(about, |side| &mut side.alone);
            return None;
        }
        self.at(about, |side| &mut side.matched);
        let known = intake::match_values(schema, &record.fields);
        let here = intake::match_values(schema, &said);
        let key = here.into_iter().find(|pair| known.contains(pair)).map(|(key, _)| key);
        *self.agreed.entry((schema.entity.clone(), about.system.clone(), key)).or_default() += 1;
        let mut fields = BTreeMap::new();
        for (name, value) in &said {
            let Some((field, spec)) = schema.fields.get_key_value(name.as_str()) else { continue };
            let counts = record.fields.get(name);
            let none = counts.is_none_or(is_empty);
            if counts == Some(value) || none && is_empty(value) {
                continue;
            }
            let from = record.provenance.get(field).map(|from| from.system.clone());
            let wins = from.filter(|from| *from != about.system);
            let (entity, owner) = (schema.entity.clone(), spec.owner_in(&record.fields).cloned());
            let key = (entity, field.clone(), about.system.clone(), owner, wins.clone(), is_empty(value));
            let clash = self.clashes.entry(key);
            let (_, records) = clash.or_insert_with(|| (spec.on_conflict.name(), Examples::default()));
            records.take(Example::Record(Named(record.id)));
            fields.insert(field.clone(), wins);
        }
        (!fields.is_empty()).then(|| Finding {
            entity: Some(schema.entity.clone()),
            record: Some(Named(record.id)),
            objects: vec![about.to_string()],
            fields,
            ..Finding::of(Verdict::Conflict)
        })
    }

    /// Counts a record by where it is.
    pub fn record(&mut self, record: &Record, links: &[Link]) -> Option<Finding> {
        if record.alive != Alive::Live {
            return None;
        }
        let entity = &record.entity;
        let systems: BTreeSet<System> = links.iter().map(|link| link.system.clone()).collect();
        let all = self.listed.iter().filter(|listing| listing.entity == *entity);
        let absent: BTreeSet<System> =
            all.map(|listing| listing.system.clone()).filter(|system| !systems.contains(system)).collect();
        for system in &absent {
            let missing = self.missing.entry((entity.clone(), system.clone())).or_default();
            missing.take(Example::Record(Named(record.id)));
        }
        *self.spread.entry((entity.clone(), systems)).or_default() += 1;
        (!absent.is_empty()).then(|| Finding {
            entity: Some(entity.clone()),
            record: Some(Named(record.id)),
            objects: links.iter().map(|link| link.external().to_string()).collect(),
            systems: absent,
            ..Finding::of(Verdict::Missing)
        })
    }

    /// Counts a delivery by what it would come to. One that would make an object while another there may be the record
    /// already waits for a person, by the operation that comes with it.
    pub fn delivery(
        &mut self,
        obligation: &Obligation,
        foreseen: Foreseen,
        now: Wall,
    ) -> (Option<Finding>, Option<Op>) {
        let creates = matches!(foreseen, Foreseen::Create | Foreseen::Waits { creates: true, .. });
        let there = self.unsettled.get(&(obligation.system.clone(), obligation.object.clone()));
        let other = there.filter(|_| creates).and_then(|there| there.get(&obligation.record)).cloned();
        if let Some(other) = other {
            self.sync(obligation).0.held += 1;
            return (None, Some(wait_for_person(obligation, &other, now)));
        }
        (self.foreseen(obligation, foreseen), None)
    }

    fn sync(&mut self, obligation: &Obligation) -> &mut (FirstSync, Paths) {
        let (system, object, entity) = (&obligation.system, &obligation.object, &obligation.entity);
        let key = (system.clone(), object.clone(), entity.clone());
        let blank = || (FirstSync::of(system.clone(), object.clone(), entity.clone()), BTreeMap::new());
        self.syncs.entry(key).or_insert_with(blank)
    }

    fn foreseen(&mut self, obligation: &Obligation, foreseen: Foreseen) -> Option<Finding> {
        let (sync, paths) = self.sync(obligation);
        match foreseen {
            Foreseen::Nothing(why) => *sync.nothing.entry(why).or_default() += 1,
            Foreseen::Create => sync.creates += 1,
            Foreseen::Update(changed) => {
                sync.updates += 1;
                changed.into_iter().for_each(|path| *paths.entry(path).or_default() += 1);
            }
            Foreseen::Waits { creates, .. } => {
                sync.waits += 1;
                *if creates { &mut sync.creates } else { &mut sync.updates } += 1;
            }
            Foreseen::Leave(_) => sync.leaves += 1,
            Foreseen::Fails(class, field) => {
                let named = field.map(|field| format!("{class} ({field})"));
                let why = named.unwrap_or(class);
                *sync.fails.entry(why.clone()).or_default() += 1;
                return Some(Finding {
                    entity: Some(obligation.entity.clone()),
                    record: Some(Named(obligation.record)),
                    systems: [obligation.system.clone()].into(),
                    why,
                    ..Finding::of(Verdict::Fails)
                });
            }
        }
        None
    }

    /// What the first sync would come to, system by system.
    #[must_use]
    pub fn loads(&self) -> BTreeMap<System, Vec<Load>> {
        let mut loads: BTreeMap<System, Vec<Load>> = BTreeMap::new();
        for ((system, object, _), (sync, _)) in &self.syncs {
            let load =
                Load { object: object.clone(), creates: sync.creates, updates: sync.updates + sync.leaves };
            loads.entry(system.clone()).or_default().push(load);
        }
        loads
    }

    /// All of it.
    #[must_use]
    pub fn report(mut self) -> Report {
        let sides = self.listed.iter().map(|of| (of.system.clone(), of.object.clone()));
        let sides = sides.filter_map(|place| self.sides.remove(&place)).collect();
        let agreed = self.agreed.into_iter();
        let agreed = agreed.map(|((entity, system, key), count)| Agreed { entity, system, key, count });
        let spread = self.spread.into_iter();
        let spread = spread.map(|((entity, systems), count)| Spread { entity, systems, count });
        let missing = self.missing.into_iter();
        let missing = missing.map(|((entity, system), records)| Missing { entity, system, records });
        let conflicts = self.clashes.into_iter().map(|(key, (policy, records))| {
            let (entity, field, system, owner, wins, empty) = key;
            Clash { entity, field, system, owner, wins, policy: policy.to_owned(), empty, records }
        });
        let held = self.held.into_iter();
        let held = held.map(|((system, class, field), objects)| Held { system, class, field, objects });
        let first_sync = self.syncs.into_values().map(|(sync, paths)| FirstSync {
            paths: paths.into_iter().map(|(path, count)| PathCount { path, count }).collect(),
            ..sync
        });
        Report {
            sides,
            agreed: agreed.collect(),
            spread: spread.collect(),
            missing: missing.collect(),
            conflicts: conflicts.collect(),
            held: held.collect(),
            first_sync: first_sync.collect(),
        }
    }
}

/// It waits until its record is linked there, which a person does, or a message of that system. A person may also retry
/// it: then a new object is made.
fn wait_for_person(obligation: &Obligation, other: &ExternalRef, now: Wall) -> Op {
    // Without its id, which may be an address.
    let message = format!(
        "an object of {}/{} may be this record already (concord dead-letter list names it): link it (concord dead-letter link), or \
         retry this delivery, and a new object is made",
        other.system, other.object
    );
    let until = now + FAR;
    let (record, object) = (obligation.record, obligation.object.clone());
    Op::Settle {
        key: obligation.key.clone(),
        level: obligation.wanted,
        reached: false,
        state: State::Parked,
        attempts: 0,
        due: until,
        waiting: Some(Waiting::Link { record, object, until }),
        reason: Some(Reason { class: "unsettled_match".to_owned(), message, ..Reason::default() }),
        at: now,
    }
}

/// What an object says, with its references as the records that they lead to.
fn said(about: &ExternalRef, patch: &Patch, view: &View) -> Fields {
    let mut said = patch.fields.clone();
    for (field, reference) in &patch.references {
        let (system, object) = (about.system.clone(), reference.object.clone());
        let there = ExternalRef { system, object, id: reference.external_id.clone() };
        let found: Option<RecordId> = intake::referred(view, &there);
        if let Some(record) = found {
            said.insert(field.as_str().to_owned(), Value::String(record.to_string()));
        }
    }
    said
}

impl FirstSync {
    /// Of which nothing is counted yet.
    fn of(system: System, object: Object, entity: Entity) -> Self {
        let (creates, updates, waits, held, leaves) = (0, 0, 0, 0, 0);
        let (nothing, fails, paths) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { system, object, entity, creates, updates, waits, held, leaves, nothing, fails, paths }
    }
}
