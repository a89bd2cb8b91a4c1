//! Before the batch: read an arrival, normalise it, and list what must be known to decide it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use canonical::{EntitySchema, ExternalRef, MessageId, Object, OrderToken, System, Wall};
use config::Configuration;
use connector::{Observation, Seen};
use intake::{Ask, Incoming, Message, MessageState};
use ledger::{IdempotencyClass, Reason};
use mapping::Mapping;

use super::item::{Item, Merge, Task, blank};
use crate::stated::Stated;
use crate::turn::{Arrival, Origin, Turn};

/// How long a message waits for an object it refers to.
pub(super) const PARK_FOR: Duration = Duration::from_secs(600);
/// The same while all of a system is read for the first time.
pub(super) const PARK_FOR_HISTORY: Duration = Duration::from_secs(24 * 3600);
/// How long an unlinked object waits for an open create in its system that nobody can be in doubt about.
const CREATE_PATIENCE: Duration = Duration::from_secs(60);

/// The class of what waited for a link in vain: it goes on by itself when the link comes.
pub(super) const MISSING_LINK: &str = "missing_link";

/// Why a message is quarantined that is about a second object of a record.
pub(super) const DUPLICATE: &str = "duplicate_there";

/// How long an unlinked object of that kind waits for an open create there, in all: longer than a create whose answer was
/// lost can stay in doubt. What it made is there, and would be taken for something new.
pub(super) fn patience(config: &Configuration, system: &System, object: &Object) -> Duration {
    let system = config.systems.get(system);
    let create = system.and_then(|system| system.connector.choose(object, false, None));
    let doubt = create.map_or(Duration::ZERO, |create| {
        let lag = match create.idempotency {
            IdempotencyClass::SearchFirst { index_lag_ms }
            | IdempotencyClass::MarkerField { index_lag_ms } => Duration::from_millis(index_lag_ms),
            _ => Duration::ZERO,
        };
        create.timeout.saturating_add(create.processing_max).saturating_add(lag)
    });
    doubt.saturating_add(CREATE_PATIENCE)
}

/// Reads and normalises one arrival.
#[expect(clippy::too_many_arguments, reason = "each is a different fact about the arrival")]
pub(super) fn prepare(
    config: &Arc<Configuration>,
    instance: &str,
    source: &System,
    origin: &Origin,
    as_of: Wall,
    offer: u64,
    index: usize,
    arrival: Arrival,
    turn: &mut Turn<'_>,
) -> Item {
    let trace = format!("{:032x}", turn.wide_entropy());
    let mut message = blank(config.tenant.clone(), source.clone(), as_of);
    message.id = MessageId::from_parts(turn.now.wall, turn.wide_entropy());
    message.received_at = turn.now.wall;
    message.trace = trace;
    let mut item = Item {
        config: Arc::clone(config),
        offer: Some(offer),
        index,
        source: source.clone(),
        message,
        stored: false,
        pushed: *origin == Origin::Pushed,
        read_key: None,
        hash: [0; 32],
        task: Task::Nothing,
        ask: Ask::default(),
        origin: None,
        tries: 0,
        watched: false,
        history: false,
        moves: false,
    };
    match arrival {
        Arrival::Read(observation) => {
            item.message.raw = serde_json::to_vec(&observation).unwrap_or_default();
            item.message.read = true;
            // What a read brings has no event id; the same state read twice changes nothing by itself.
            item.message.event_id = observation.event_id.clone();
            item.hash = content_hash(&observation);
            let read = *origin != Origin::Pushed;
            if read {
                item.read_key = name_of_read(&observation, item.hash);
                item.moves = item.read_key.is_some() && observation.order.is_none();
            }
            fill(config, instance, &mut item, observation, read, as_of, turn.now.wall);
        }
        Arrival::Stated(stated) => {
            item.message.raw = stated.to_kept();
            item.message.read = true;
            item.hash = hash(&item.message.raw);
            item.message.event_id = Some(stated.name(item.hash));
            fill_stated(config, instance, &mut item, *stated);
        }
        Arrival::Garbled { why, raw, event_id } => {
            item.hash = hash(&raw);
            item.message.raw = raw;
            item.message.event_id = event_id.clone();
            item.read_key = (!item.pushed).then(|| read_key("garbled", item.hash));
            item.task = Task::Quarantine(reason("garbled", format!("{why}: see what the source sends")));
        }
    }
    if let Some(name) = item.name() {
        item.ask.event = Some((source.clone(), name.to_owned()));
    }
    item
}

/// A name for what was read of an object.
fn read_key(what: &str, hash: [u8; 32]) -> String {
    let hex = blake3::Hash::from_bytes(hash).to_hex();
    format!("read/{what}/{}", &hex[..16])
}

/// Without an order a state may come back as it was, and then it is news: the name is the object's, and stands for what was read
/// of it last. That an object is gone says nothing of when: it has none.
fn name_of_read(observation: &Observation, hash: [u8; 32]) -> Option<String> {
    let object = format!("{}/{}", observation.object, observation.external_id);
    match (&observation.order, &observation.seen) {
        (Some(_), _) => Some(read_key(&object, hash)),
        (None, Seen::State { .. }) => Some(format!("read/{object}")),
        (None, _) => None,
    }
}

/// A kept message is taken in again: its link came, its deadline passed, or a person asked.
pub(super) fn again(
    config: &Arc<Configuration>,
    instance: &str,
    message: Message,
    turn: &mut Turn<'_>,
) -> Item {
    let mut item = Item {
        config: Arc::clone(config),
        offer: None,
        index: 0,
        source: message.source.clone(),
        message: message.clone(),
        stored: true,
        pushed: true,
        read_key: None,
        hash: [0; 32],
        task: Task::Nothing,
        ask: Ask::default(),
        origin: None,
        tries: 0,
        watched: false,
        history: false,
        moves: false,
    };
    let late = message.deadline.is_some_and(|deadline| deadline <= turn.now.wall);
    if message.state == MessageState::Parked
        && late
        && let Some(waiting) = &message.waiting
    {
        let who = message.about.as_ref().map_or_else(|| "it".to_owned(), ToString::to_string);
        let text = format!(
            "{who} refers to {waiting}, which was not linked in time: \
             see why that object does not arrive. This goes on by itself when it does"
        );
        item.task = Task::Quarantine(reason(MISSING_LINK, text));
        return item;
    }
    if let Some(stated) = Stated::from_kept(&message) {
        fill_stated(config, instance, &mut item, stated);
        return item;
    }
    match serde_json::from_slice::<Observation>(&message.raw) {
        Ok(observation) if message.read => {
            let as_of = message.as_of;
            // Pushed without an order of its own, it would have been fetched; parked, it was read. So was what is known by the
            // name of a read: the same read again would be its repetition, and tell nothing.
            item.hash = content_hash(&observation);
            item.read_key = name_of_read(&observation, item.hash);
            let named = item.read_key.is_some() && message.event_id == item.read_key;
            if item.read_key.is_some() && message.event_id == item.late_key() {
                item.read_key = message.event_id;
            } else if !named {
                item.read_key = None;
            }
            item.ask.event = item.read_key.clone().map(|name| (item.source.clone(), name));
            // A duplicate was read, too: pushed, it would have been looked at first.
            let unplaced = message.state == MessageState::Parked && observation.order.is_none();
            let read = named || unplaced || item.message.is_duplicate();
            fill(config, instance, &mut item, observation, read, as_of, turn.now.wall);
        }
        _ => {
            let text = "it could not be read when it came, and still cannot: see what the source sends";
            item.task = Task::Quarantine(reason("garbled", text.to_owned()));
        }
    }
    item
}

/// Finds the mapping, normalises, and lists what must be known.
fn fill(
    config: &Configuration,
    instance: &str,
    item: &mut Item,
    observation: Observation,
    read: bool,
    as_of: Wall,
    now: Wall,
) {
    let about = ExternalRef {
        system: item.source.clone(),
        object: observation.object.clone(),
        id: observation.external_id.clone(),
    };
    item.message.about = Some(about.clone());
    if let Some(trace) = &observation.trace {
        item.message.trace.clone_from(trace);
    }
    let system = config.systems.get(&item.source);
    let fetchable = system.is_some_and(|system| system.connector.can_fetch(&observation.object));
    let Some((mapping, schema)) = config.inbound(&item.source, &observation.object) else {
        let text = format!(
            "no mapping reads {}/{}: add mappings for it, or leave it out of the subscription at {}",
            item.source, observation.object, item.source
        );
        item.task = Task::Quarantine(reason("no_mapping", text));
        return;
    };
    item.ask.objects.push(about.clone());
    item.ask.grave = Some((about.system.clone(), intake::Grave::name(&about)));
    let empty = canonical::Fields::new();
    let (fields, gone) = match &observation.seen {
        Seen::Hint => {
            item.task = if fetchable {
                Task::Fetch(about)
            } else {
                let text =
                    format!("{about} is only named and cannot be fetched: its connector has no read by id");
                Task::Quarantine(reason("not_fetchable", text))
            };
            return;
        }
        Seen::State { fields } => (fields, false),
        Seen::Deleted | Seen::Merged { .. } => (&empty, true),
    };
    // Pushed state without an order of its own cannot be placed: it is a hint, where the object can be read.
    if !read && !gone && observation.order.is_none() && fetchable {
        item.task = Task::Fetch(about);
        return;
    }
    let merged_into = match &observation.seen {
        Seen::Merged { into } => Some(ExternalRef { id: into.clone(), ..about.clone() }),
        _ => None,
    };
    item.ask.objects.extend(merged_into.clone());
    item.ask.ending = (gone && merged_into.is_none()).then(|| about.clone());
    let patch = match if gone { Ok(mapping::Patch::default()) } else { mapping.normalise(fields) } {
        Ok(patch) => patch,
        Err(misfit) => {
            let mut why = reason("misfit", format!("{about}: {misfit}"));
            why.field = Some(misfit.path.clone());
            item.task = Task::Quarantine(why);
            return;
        }
    };
    let writer = config.outbound(&item.source, &observation.object).map(|(mapping, _)| mapping);
    let late = patch.references.iter().filter(|(_, reference)| reference.late);
    let late: BTreeSet<_> = late.map(|(field, _)| field.clone()).collect();
    let references = patch.references.iter().map(|(field, reference)| {
        let object = reference.object.clone();
        let external = ExternalRef { system: item.source.clone(), object, id: reference.external_id.clone() };
        (field.clone(), external)
    });
    let references: Vec<_> = references.collect();
    let late_key = item.late_key().filter(|_| (item.moves || !late.is_empty()) && !item.stored);
    item.ask.late = late_key.map(|name| (item.source.clone(), name));
    item.ask.objects.extend(references.iter().map(|(_, object)| object.clone()));
    let matches = ask_for_matches(item, schema, &patch.fields);
    if writer.is_some() {
        let creating = (schema.entity.clone(), item.source.clone(), observation.object.clone());
        item.ask.creating = Some(creating);
    }
    // Without a token of its own a state is as new as its reading; a deletion has no place in the source's order.
    let stamped = observation.order.is_none();
    let stamp = || system.map_or(OrderToken(as_of.micros()), |system| system.connector.stamp(as_of));
    let order = observation.order.or_else(|| (!gone).then(stamp));
    let incoming = Incoming {
        deleted: gone && merged_into.is_none(),
        merged_into,
        seen_paths: writer.map_or_else(canonical::Fields::new, |writer| writer.observe(fields)),
        written: writer.map(|writer| writer.written()).unwrap_or_default(),
        fields: patch.fields,
        references,
        late,
        extensions: patch.extensions,
        order,
        stamped,
        etag: observation.version,
        as_of,
        occurred_at: observation.occurred_at,
        changed_at: observation.changed_at.or(observation.occurred_at),
        read,
        complete: read,
        fetchable,
        waited: item.message.is_duplicate(),
        patient: now.since(item.message.received_at) >= patience(config, &item.source, &observation.object),
        matches,
        ..said(item, about, instance, mapping)
    };
    let incoming = if item.message.lacking { only_late(incoming) } else { incoming };
    merge(item, incoming, mapping, schema);
}

/// Of a message that was taken in without them, the references that were not linked then. What else it said is not judged
/// a second time.
fn only_late(mut incoming: Incoming) -> Incoming {
    let late = std::mem::take(&mut incoming.late);
    incoming.references.retain(|(field, _)| late.contains(field));
    Incoming {
        rest: true,
        late,
        fields: canonical::Fields::new(),
        extensions: canonical::Fields::new(),
        seen_paths: canonical::Fields::new(),
        complete: false,
        ..incoming
    }
}

/// A state of an export: its values are canonical already. It is placed by the order that its source had.
fn fill_stated(config: &Configuration, instance: &str, item: &mut Item, stated: Stated) {
    let Stated { about, mut fields, schema: written, extensions, order, as_of, .. } = stated;
    item.message.about = Some(about.clone());
    item.message.as_of = as_of;
    if about.system != item.source {
        let text = format!("{} says it about {about}: a system speaks for itself only (I5)", item.source);
        item.task = Task::Quarantine(reason("foreign", text));
        return;
    }
    let Some((mapping, schema)) = config.inbound(&about.system, &about.object) else {
        let text = format!("no mapping reads {}/{}: add one, then retry", about.system, about.object);
        item.task = Task::Quarantine(reason("no_mapping", text));
        return;
    };
    if let Some(upcaster) = config.upcaster(&schema.entity) {
        // It may have waited for a person over a change of the schema.
        upcaster.event(written, &mut fields);
    }
    // What that mapping does not read, that system cannot have said.
    let read: BTreeSet<&str> = mapping.in_fields().map(canonical::Field::as_str).collect();
    fields.retain(|name, _| read.contains(name.as_str()));
    let fetchable =
        config.systems.get(&about.system).is_some_and(|system| system.connector.can_fetch(&about.object));
    item.ask.objects.push(about.clone());
    item.ask.grave = Some((about.system.clone(), intake::Grave::name(&about)));
    let matches = ask_for_matches(item, schema, &fields);
    item.ask.creating = Some((schema.entity.clone(), about.system.clone(), about.object.clone()));
    let writer = config.outbound(&about.system, &about.object);
    let incoming = Incoming {
        fields,
        extensions,
        written: writer.map(|(writer, _)| writer.written()).unwrap_or_default(),
        stamped: order.is_none(),
        order: Some(order.unwrap_or(OrderToken(as_of.micros()))),
        as_of,
        fetchable,
        patient: true,
        matches,
        silent: true,
        ..said(item, about, instance, mapping)
    };
    merge(item, incoming, mapping, schema);
}

/// By which values a record is to be looked for.
fn ask_for_matches(
    item: &mut Item,
    schema: &EntitySchema,
    fields: &canonical::Fields,
) -> Vec<(String, String)> {
    let matches = intake::match_values(schema, fields);
    let entity = &schema.entity;
    item.ask.matches =
        matches.iter().map(|(key, value)| (entity.clone(), key.clone(), value.clone())).collect();
    item.ask.matches.extend(intake::referenced(schema, fields));
    matches
}

/// An object of which nothing is said yet.
fn said(item: &Item, about: ExternalRef, instance: &str, mapping: &Mapping) -> Incoming {
    Incoming {
        about,
        instance: instance.to_owned(),
        deleted: false,
        merged_into: None,
        seen_paths: canonical::Fields::new(),
        written: Arc::default(),
        fields: canonical::Fields::new(),
        references: Vec::new(),
        late: BTreeSet::new(),
        rest: false,
        extensions: canonical::Fields::new(),
        order: None,
        stamped: false,
        etag: None,
        as_of: item.message.as_of,
        occurred_at: None,
        changed_at: None,
        read: false,
        complete: false,
        fetchable: false,
        waited: false,
        patient: false,
        mapping: mapping.version(),
        matches: Vec::new(),
        known: canonical::Fields::new(),
        writing: canonical::Fields::new(),
        lately: canonical::Fields::new(),
        judged: canonical::Fields::new(),
        lately_paths: BTreeSet::new(),
        silent: false,
        trace: item.message.trace.clone(),
    }
}

fn merge(item: &mut Item, incoming: Incoming, mapping: &Arc<Mapping>, schema: &Arc<EntitySchema>) {
    let merge = Merge { incoming, schema: Arc::clone(schema), mapping: Arc::clone(mapping) };
    item.task = Task::Merge(Box::new(merge));
}

pub(super) fn reason(class: &str, message: String) -> Reason {
    Reason { class: class.to_owned(), message, ..Reason::default() }
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

/// The content without what differs between two deliveries of the same message.
fn content_hash(observation: &Observation) -> [u8; 32] {
    let content = (&observation.object, &observation.external_id, &observation.seen, observation.order);
    let mut bytes = serde_json::to_vec(&content).unwrap_or_default();
    // The same content in another version is read anew, or a change would go on being sent with the old one.
    bytes.extend(observation.version.iter().flat_map(|version| version.bytes()));
    hash(&bytes)
}
