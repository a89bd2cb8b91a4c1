//! From decisions to units: one unit per record, folded, so that units of a commit touch disjoint keys.

use std::collections::{BTreeMap, BTreeSet};

use canonical::{EventId, ExternalRef, MessageId, RecordId, System, Wall};
use config::Configuration;
use intake::{Accepted, Context, Incoming, Link, Message, MessageState, Verdict, View};
use ledger::{Reason, Route};
use planted::Bug;
use store::{Fetch, Head, Op, Receipt, Require, Unit};

use super::prepare::{CREATE_PATIENCE, Item, PARK_FOR, Task, reason};
use crate::mark::Mark;
use crate::turn::{Order, Origin, Raised, Taken, TakenAs, Turn};
use crate::written::written;

/// How soon an object that waits for an open create is judged again.
const CREATE_WAIT: std::time::Duration = std::time::Duration::from_secs(2);

/// A decided batch on its way to the store.
#[derive(Debug, Default)]
pub(super) struct Batch {
    built: Vec<Built>,
    /// What the view does not say enough about: to be asked about once more.
    unasked: Vec<Item>,
}

/// One unit under construction, and whom it answers.
#[derive(Debug, Default)]
struct Built {
    require: Vec<Require>,
    ops: Vec<Op>,
    /// Place of the record's newest `PutRecord` and `PutShadow` in `ops`: later ones replace it.
    record_at: Option<usize>,
    shadow_at: BTreeMap<(System, canonical::Object), usize>,
    items: Vec<(Item, Taken)>,
    linked: bool,
    fetches: BTreeSet<System>,
    marks: Vec<Mark>,
}

/// What a commit led to.
#[derive(Debug, Default)]
pub(super) struct Concluded {
    /// Durable arrivals: (offer, place, how).
    pub(super) done: Vec<(u64, usize, Taken)>,
    /// To be decided again.
    pub(super) again: Vec<Item>,
    /// Obligations raised or woken, per system, in order.
    pub(super) raised: BTreeMap<System, Vec<Head>>,
    /// Systems that have something to fetch.
    pub(super) fetches: BTreeSet<System>,
    /// Whether links were made: parked messages may be ready.
    pub(super) linked: bool,
}

/// Decides a batch on its view.
pub(super) fn decide_batch(
    config: &Configuration,
    view: &mut View,
    items: Vec<Item>,
    turn: &mut Turn<'_>,
) -> Batch {
    let mut batch = Batch::default();
    let mut by_record: BTreeMap<RecordId, usize> = BTreeMap::new();
    // What is being written right now must be known again when it comes back (I6).
    for intent in view.intents.values_mut() {
        intent.fields = written(intent).map(|write| write.fields).unwrap_or_default();
    }
    for item in items {
        if let Some(taken) = seen_before(view, &item, turn) {
            let mut built = Built::default();
            built.origin(&item, turn.now.wall);
            built.items.push((item, taken));
            batch.built.push(built);
            continue;
        }
        remember(view, &item);
        decide_item(config, view, item, &mut batch, &mut by_record, turn);
    }
    batch
}

/// Dedupe by (source, event id) with a content hash: same id and other content is quarantined, not dropped.
fn seen_before(view: &View, item: &Item, turn: &mut Turn<'_>) -> Option<Taken> {
    if item.stored {
        return None;
    }
    let seen = view.seen.get(&(item.source.clone(), item.name()?.to_owned()));
    let hash = seen.filter(|_| !planted::is(Bug::SeenAgainIsNew))?;
    if *hash != item.hash {
        return None;
    }
    turn.note(Mark::Duplicate { source: item.source.clone() });
    Some(Taken { message: None, how: TakenAs::Duplicate, raised: Vec::new() })
}

fn remember(view: &mut View, item: &Item) {
    if let (Some(event), false) = (&item.message.event_id, item.stored) {
        view.seen.entry((item.source.clone(), event.clone())).or_insert(item.hash);
    }
}

fn decide_item(
    config: &Configuration,
    view: &mut View,
    mut item: Item,
    batch: &mut Batch,
    by_record: &mut BTreeMap<RecordId, usize>,
    turn: &mut Turn<'_>,
) {
    let known = item.message.event_id.as_ref().and_then(|event| {
        view.seen
            .get(&(item.source.clone(), event.clone()))
            .filter(|hash| **hash != item.hash && !item.stored)
    });
    if known.is_some() {
        let text = "a message with this id was taken in before with other content: \
                    see why the source uses one id twice, then retry or discard";
        item.task = Task::Quarantine(reason("id_reused", text.to_owned()));
        // The first message keeps the id.
        item.message.event_id = None;
    }
    let (state, why) = match item.task.clone() {
        Task::Quarantine(why) => (MessageState::Quarantined, Some(why)),
        Task::Nothing => {
            let mut built = Built::default();
            built.origin(&item, turn.now.wall);
            let taken = Taken { message: None, how: TakenAs::Accepted, raised: Vec::new() };
            built.items.push((item, taken));
            batch.built.push(built);
            return;
        }
        Task::Fetch(external) => {
            let mut built = Built::default();
            built.want_fetch(&item, external, turn.now.wall);
            built.keep(item, MessageState::Accepted, None, turn);
            batch.built.push(built);
            return;
        }
        Task::Merge(merge) => {
            let merge = *merge;
            let mut incoming = merge.incoming;
            if names_referred(view, &merge.schema, &mut incoming, &mut item) {
                batch.unasked.push(item);
                return;
            }
            let writer = config.outbound(&item.source, &incoming.about.object).map(|(mapping, _)| mapping);
            let mappings = (&*merge.mapping, writer.map(|writer| &**writer));
            recall(view, &merge.schema, mappings, &mut incoming, turn.now.wall);
            let routes: Vec<&Route> = config.routes_of(&merge.schema.entity).iter().map(|r| &**r).collect();
            let context = Context {
                tenant: &config.tenant,
                schema: &merge.schema,
                routes: &routes,
                now: turn.now.wall,
                event: EventId::from_parts(turn.now.wall, turn.wide_entropy()),
                fresh: RecordId::from_parts(turn.now.wall, turn.wide_entropy()),
                restored_at: view.restored_at,
            };
            match intake::decide(context, view, &incoming) {
                Verdict::Accept(accepted) => {
                    let entity = &merge.schema.entity;
                    return accept(config, entity, item, &incoming, *accepted, batch, by_record, turn);
                }
                Verdict::Park { waiting } => {
                    return park(config, item, Some(waiting), batch, turn);
                }
                Verdict::Wait => return park(config, item, None, batch, turn),
                Verdict::Quarantine(why) => (MessageState::Quarantined, Some(why)),
            }
        }
    };
    let mut built = Built::default();
    built.keep(item, state, why, turn);
    batch.built.push(built);
}

/// A match key may name the record that a field refers to, which only the view tells. Says whether the store has to be
/// asked who has such a key.
fn names_referred(
    view: &View,
    schema: &canonical::EntitySchema,
    incoming: &mut Incoming,
    item: &mut Item,
) -> bool {
    let refers = |field: &canonical::Field| {
        let kind = schema.fields.get(field).map(|spec| &spec.kind);
        matches!(kind, Some(canonical::FieldType::Reference(_)))
    };
    let by_reference = schema.match_keys.iter().any(|key| key.fields.iter().any(refers));
    if !by_reference || incoming.references.is_empty() || view.links.contains_key(&incoming.about) {
        return false;
    }
    let mut fields = incoming.fields.clone();
    for (field, object) in &incoming.references {
        if let Some(record) = intake::referred(view, object) {
            fields.insert(field.as_str().to_owned(), record.to_string().into());
        }
    }
    incoming.matches = intake::match_values(schema, &fields);
    let entity = &schema.entity;
    let asked = incoming.matches.iter().map(|(key, value)| (entity.clone(), key.clone(), value.clone()));
    let lacking: Vec<_> = asked.filter(|key| !item.ask.matches.contains(key)).collect();
    item.ask.matches.extend(lacking.iter().cloned());
    !lacking.is_empty()
}

/// What our last writes there, and the one on its way, would read as.
fn recall(
    view: &View,
    schema: &canonical::EntitySchema,
    (mapping, writer): (&mapping::Mapping, Option<&mapping::Mapping>),
    incoming: &mut Incoming,
    now: Wall,
) {
    let Some(id) = intake::subject(schema, view, incoming) else { return };
    let key = (id, incoming.about.system.clone(), incoming.about.object.clone());
    let shadow = view.shadows.get(&key).filter(|shadow| shadow.is_of(&incoming.about.id));
    let known = shadow.map(|shadow| mapping.recall(&shadow.fields)).unwrap_or_default();
    let writing = view.intents.get(&key).map(|intent| mapping.recall(&intent.fields)).unwrap_or_default();
    // A value that only looks different there (case, rounding) says nothing new: not to the record, nor to what is proposed
    // or written there.
    let record = view.records.get(&id);
    for (name, value) in &mut incoming.fields {
        let Ok(field) = canonical::Field::new(name) else { continue };
        let proposed = record.and_then(|record| record.open.get(&field)).map(|open| &open.value);
        let held = record.and_then(|record| record.fields.get(name)).into_iter().chain(proposed);
        let mut held = held.chain(known.get(name)).chain(writing.get(name));
        if let Some(held) = held.find(|held| mapping.equal_on(&field, value, held)) {
            value.clone_from(held);
        }
    }
    if let Some(shadow) = shadow {
        incoming.known = recalled(view, mapping, incoming, &shadow.fields, known);
        for (name, known) in &mut incoming.known {
            if let (Some(held), Ok(field)) =
                (record.and_then(|record| record.fields.get(name)), canonical::Field::new(name))
                && incoming.fields.get(name) != Some(known)
                && mapping.equal_on(&field, known, held)
            {
                known.clone_from(held);
            }
        }
        let open = view.intents.get(&key);
        // What is read is there now. Where nothing certain is known, it is ours if we wrote it lately; where another
        // value was certain, somebody has put it back.
        let may_be_ours = |path: &str| {
            let certain = shadow.fields.contains_key(path) && !shadow.unknown.contains(path);
            !incoming.read
                || !certain
                || planted::is(Bug::EditIsEcho)
                || open.is_some_and(|intent| intent.fields.contains_key(path))
        };
        let lately = incoming.seen_paths.iter().filter(|(path, value)| {
            may_be_ours(path)
                && shadow.fields.get(*path) != Some(*value)
                && writer.is_some_and(|writer| shadow.wrote_lately(path, &writer.form(path, value), now))
        });
        let lately = lately.map(|(path, value)| (path.clone(), value.clone())).collect();
        incoming.lately = recalled(view, mapping, incoming, &lately, mapping.recall(&lately));
        if !incoming.read {
            incoming.lately_paths = lately.into_iter().map(|(path, _)| path).collect();
        }
    }
    if let Some(intent) = view.intents.get(&key) {
        incoming.writing = recalled(view, mapping, incoming, &intent.fields, writing);
        if planted::is(Bug::WritingIsForgotten) {
            incoming.writing.clear();
        }
    }
}

/// What a memory of the object reads as, whose plain `fields` are read already. Of its references those that the message has too: they are the same record.
fn recalled(
    view: &View,
    mapping: &mapping::Mapping,
    incoming: &Incoming,
    memory: &canonical::Fields,
    mut fields: canonical::Fields,
) -> canonical::Fields {
    // What only looks different from what is remembered is what is remembered.
    for (name, known) in &mut fields {
        if let (Some(value), Ok(field)) = (incoming.fields.get(name), canonical::Field::new(name.as_str()))
            && value != known
            && mapping.equal_on(&field, value, known)
        {
            known.clone_from(value);
        }
    }
    if incoming.references.is_empty() {
        return fields;
    }
    let referred = mapping.recall_references(memory);
    for (field, object) in &incoming.references {
        if referred.get(field) == Some(&object.id)
            && let Some(record) = intake::referred(view, object)
        {
            fields.insert(field.as_str().to_owned(), record.to_string().into());
        }
    }
    fields
}

/// A message that waits: for a link, or for an open create.
fn park(
    config: &Configuration,
    mut item: Item,
    waiting: Option<ExternalRef>,
    batch: &mut Batch,
    turn: &mut Turn<'_>,
) {
    let now = turn.now.wall;
    let mut built = Built::default();
    if let Some(waiting) = &waiting {
        let fetchable = config
            .systems
            .get(&waiting.system)
            .is_some_and(|system| system.connector.can_fetch(&waiting.object));
        if fetchable {
            built.want_fetch(&item, waiting.clone(), now);
        }
        // A link that comes before this is kept would wake nobody.
        let (tenant, external) = (item.message.tenant.clone(), waiting.clone());
        built.require.push(Require::Unlinked { tenant, external });
        item.message.deadline = Some(item.message.deadline.unwrap_or(now + PARK_FOR));
    } else {
        item.message.deadline = Some((now + CREATE_WAIT).min(item.message.received_at + CREATE_PATIENCE));
    }
    item.message.waiting = waiting;
    built.marks.push(Mark::MessageParked { source: item.source.clone() });
    built.keep(item, MessageState::Parked, None, turn);
    batch.built.push(built);
}

#[expect(clippy::too_many_arguments, reason = "each is a different fact about the message")]
fn accept(
    config: &Configuration,
    entity: &canonical::Entity,
    item: Item,
    incoming: &Incoming,
    accepted: Accepted,
    batch: &mut Batch,
    by_record: &mut BTreeMap<RecordId, usize>,
    turn: &mut Turn<'_>,
) {
    let index = match accepted.about.and_then(|id| by_record.get(&id).copied()) {
        Some(index) => index,
        None => {
            batch.built.push(Built::default());
            batch.built.len() - 1
        }
    };
    if let Some(id) = accepted.about {
        by_record.insert(id, index);
    }
    let Some(built) = batch.built.get_mut(index) else { return };
    let raised = if item.watched { raised(&accepted) } else { Vec::new() };
    built.merge(config, entity, Some(incoming), accepted, turn.now.wall);
    built.keep(item, MessageState::Accepted, None, turn);
    if let Some((_, taken)) = built.items.last_mut() {
        taken.raised = raised;
    }
}

/// The kinds of objects of a system that can be read by id.
fn readable(config: &Configuration, system: &System) -> Vec<(System, canonical::Object)> {
    let Some(known) = config.systems.get(system) else { return Vec::new() };
    let objects = config.inbound_objects(system).filter(|object| known.connector.can_fetch(object));
    objects.map(|object| (system.clone(), object.clone())).collect()
}

/// What a message raised, for the one who watches it.
fn raised(accepted: &Accepted) -> Vec<Raised> {
    let raises = accepted.raises.iter();
    raises
        .map(|raise| Raised { key: raise.key.clone(), system: raise.system.clone(), version: raise.version })
        .collect()
}

impl Built {
    /// The operations of one accepted message, folded with the earlier ones about the same record.
    fn merge(
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
        self.link(accepted.link, accepted.unlink);
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
        for fact in accepted.facts {
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
    fn ends(&mut self, tenant: &canonical::Tenant, incoming: &Incoming, accepted: &Accepted, now: Wall) {
        if let Some(grave) = accepted.buried {
            let (source, event_id) = (incoming.about.system.clone(), intake::Grave::name(&incoming.about));
            let tenant = tenant.clone();
            self.ops.push(Op::Seen { tenant, source, event_id, hash: grave.bytes(), at: now });
        }
        let again = accepted.refetch.then_some(&incoming.about);
        for external in again.into_iter().chain(&accepted.wanted) {
            self.fetch(tenant.clone(), external.clone(), incoming.trace.clone(), now);
        }
    }

    fn link(&mut self, link: Option<Link>, unlink: Option<Link>) {
        if let Some(link) = unlink {
            self.ops.push(Op::DropLink(link));
        }
        if let Some(link) = link {
            self.require.push(Require::Unlinked { tenant: link.tenant.clone(), external: link.external() });
            self.ops.push(Op::PutLink(link));
            self.linked = true;
        }
    }

    fn replace(&mut self, at: usize, op: Op) {
        if let Some(slot) = self.ops.get_mut(at) {
            *slot = op;
        }
    }

    fn want_fetch(&mut self, item: &Item, external: ExternalRef, now: Wall) {
        self.fetch(item.message.tenant.clone(), external, item.message.trace.clone(), now);
    }

    fn fetch(&mut self, tenant: canonical::Tenant, external: ExternalRef, trace: String, now: Wall) {
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
    fn origin(&mut self, item: &Item, now: Wall) {
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
            }),
            Some(Origin::Pushed) | None => {}
        }
    }

    /// Keeps the message itself, its dedupe row and its cursor, and answers for it.
    fn keep(&mut self, mut item: Item, state: MessageState, why: Option<Reason>, turn: &mut Turn<'_>) {
        let now = turn.now.wall;
        self.origin(&item, now);
        let mut how = TakenAs::Accepted;
        if state == MessageState::Quarantined && item.message.event_id.is_none() {
            item.message.event_id.clone_from(&item.read_key);
        }
        if let Some(why) = &why {
            how = TakenAs::Quarantined(why.message.clone());
            self.marks.push(Mark::Quarantined {
                source: item.source.clone(),
                class: why.class.clone(),
                message: why.message.clone(),
            });
        }
        if let (Some(event_id), false) = (&item.message.event_id, item.stored) {
            let (tenant, source) = (item.message.tenant.clone(), item.source.clone());
            self.require.push(Require::Unseen {
                tenant: tenant.clone(),
                source: source.clone(),
                event_id: event_id.clone(),
            });
            self.ops.push(Op::Seen { tenant, source, event_id: event_id.clone(), hash: item.hash, at: now });
        }
        let id = item.message.id;
        item.message.state = state;
        item.message.reason.clone_from(&why);
        // A read that was merged needs no message of its own: the source still has it. Everything pushed, and
        // everything that waits or needs a person, is kept.
        let keep = state != MessageState::Accepted || item.pushed;
        if item.stored && state == MessageState::Accepted {
            let tenant = item.message.tenant.clone();
            self.ops.push(Op::MessageState { tenant, id, state, reason: None, at: turn.now.wall });
        } else if keep {
            self.ops.push(Op::PutMessage(item.message.clone()));
        }
        let taken = Taken { message: keep.then_some(id), how, raised: Vec::new() };
        self.items.push((item, taken));
    }
}

impl Batch {
    /// The units to commit. What was built of them is given away; who asked stays.
    pub(super) fn units(&mut self) -> Vec<Unit> {
        let built = self.built.iter_mut();
        built
            .map(|built| Unit {
                require: std::mem::take(&mut built.require),
                ops: std::mem::take(&mut built.ops),
            })
            .collect()
    }

    /// What is to be asked about once more.
    pub(super) fn unasked(&mut self) -> Vec<Item> {
        std::mem::take(&mut self.unasked)
    }

    /// Everything in it, undecided again.
    pub(super) fn into_items(self) -> Vec<Item> {
        self.built.into_iter().flat_map(|built| built.items).map(|(item, _)| item).collect()
    }

    /// Reads the receipts.
    pub(super) fn conclude(self, receipts: Vec<Receipt>, turn: &mut Turn<'_>) -> Concluded {
        let mut out = Concluded::default();
        for (built, receipt) in self.built.into_iter().zip(receipts) {
            match receipt {
                Receipt::Done(heads) => {
                    for mark in built.marks {
                        turn.note(mark);
                    }
                    out.linked |= built.linked;
                    out.fetches.extend(built.fetches);
                    for head in heads {
                        out.raised.entry(head.system.clone()).or_default().push(head);
                    }
                    let done = built.items.into_iter();
                    out.done.extend(done.filter_map(|(item, taken)| Some((item.offer?, item.index, taken))));
                }
                Receipt::Conflict => {
                    turn.note(Mark::DecidedAgain);
                    out.again.extend(built.items.into_iter().map(|(mut item, _)| {
                        item.tries += 1;
                        item
                    }));
                }
            }
        }
        out
    }
}

/// The unit of an operator's order to intake, and the message that it makes.
pub(super) fn order(
    config: &Configuration,
    order: Order,
    turn: &mut Turn<'_>,
) -> Result<(Unit, Option<MessageId>), String> {
    let tenant = config.tenant.clone();
    let now = turn.now.wall;
    let op = match order {
        Order::Retake { message, reason: why } => {
            let reason = Some(reason("retried", why));
            Op::MessageState { tenant, id: message, state: MessageState::Ready, reason, at: now }
        }
        Order::DiscardMessage { message, reason: why } => Op::MessageState {
            tenant,
            id: message,
            state: MessageState::Discarded,
            reason: Some(reason("discarded", why)),
            at: now,
        },
        Order::Correct { message, corrected, reason: why } => {
            let id = MessageId::from_parts(now, turn.wide_entropy());
            return Ok((correction(message, *corrected, &why, id, now), Some(id)));
        }
        Order::Settle { record, field, choice, reason } => {
            return Ok((settled(config, &record, &field, &choice, &reason, turn)?, None));
        }
        other => return Err(format!("intake does not take this order: {other:?}")),
    };
    Ok((Unit { require: Vec::new(), ops: vec![op] }, None))
}

/// The unit that settles a field of a record.
fn settled(
    config: &Configuration,
    record: &canonical::Record,
    field: &canonical::Field,
    choice: &intake::Choice,
    why: &str,
    turn: &mut Turn<'_>,
) -> Result<Unit, String> {
    let schema = config
        .entities
        .get(&record.entity)
        .ok_or_else(|| format!("the configuration has no entity {} any more", record.entity))?;
    let routes: Vec<&Route> = config.routes_of(&schema.entity).iter().map(|route| &**route).collect();
    let now = turn.now.wall;
    let context = Context {
        tenant: &config.tenant,
        schema,
        routes: &routes,
        now,
        event: EventId::from_parts(now, turn.wide_entropy()),
        fresh: RecordId::from_parts(now, turn.wide_entropy()),
        restored_at: None,
    };
    let accepted = intake::settle(context, record, field, choice, why)?;
    let mut built = Built::default();
    built.merge(config, &schema.entity, None, accepted, now);
    Ok(Unit { require: built.require, ops: built.ops })
}

/// What came stays as it is, given up for the correction; the correction is taken in as what came would have been.
fn correction(original: MessageId, corrected: Message, why: &str, id: MessageId, now: Wall) -> Unit {
    let require = vec![Require::Quarantined { tenant: corrected.tenant.clone(), message: original }];
    let goes_on = Some(reason("corrected", format!("{why} (goes on as {id})")));
    let corrects = Some(reason("corrected", format!("{why} (corrects {original})")));
    let message = Message {
        id,
        state: MessageState::Ready,
        // The id at the source, and the hash that tells its repetition, are the original's.
        event_id: None,
        read: true,
        reason: corrects,
        waiting: None,
        deadline: None,
        received_at: now,
        ..corrected
    };
    let tenant = message.tenant.clone();
    let given_up =
        Op::MessageState { tenant, id: original, state: MessageState::Discarded, reason: goes_on, at: now };
    Unit { require, ops: vec![given_up, Op::PutMessage(message)] }
}
