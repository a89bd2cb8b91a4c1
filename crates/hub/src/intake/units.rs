//! From decisions to units: one unit per record, folded, so that units of a commit touch disjoint keys.

use std::collections::{BTreeMap, BTreeSet};

use canonical::{EventId, ExternalRef, RecordId, System};
use config::Configuration;
use intake::{Accepted, Context, Incoming, MessageState, Verdict, View};
use ledger::Route;
use planted::Bug;
use store::{Head, Receipt, Unit};

use super::built::Built;
use super::item::{Item, Settle, Task};
use super::prepare::{patience, reason};
use super::recall::{names_referred, recall, second_goes_on};
use crate::mark::Mark;
use crate::turn::{Ack, Effect, Raised, Taken, TakenAs, Ticket, Turn};
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
    /// Who ordered what is done.
    pub(super) ordered: Vec<Ticket>,
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
    if !item.stored {
        // Decided before, and in vain.
        (item.message.lacking, item.message.waiting, item.message.deadline) = (false, None, None);
    }
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
            built.keep(item, MessageState::Accepted, None, &mut view.seen, turn);
            batch.built.push(built);
            return;
        }
        Task::Settle(wanted) => return settle(config, view, item, &wanted, batch, by_record, turn),
        Task::Merge(merge) => {
            let merge = *merge;
            let mut incoming = merge.incoming;
            if names_referred(view, &merge.schema, &mut incoming, &mut item)
                || second_goes_on(view, &merge.schema, &incoming, &mut item)
            {
                // It is not taken in yet: nothing of the batch is its duplicate.
                if let (Some(event), false) = (&item.message.event_id, item.stored) {
                    view.seen.remove(&(item.source.clone(), event.clone()));
                }
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
                    return accept(config, view, entity, item, &incoming, *accepted, batch, by_record, turn);
                }
                Verdict::Park { waiting } => {
                    return park(config, view, item, Some(waiting), batch, turn);
                }
                Verdict::Wait => return park(config, view, item, None, batch, turn),
                Verdict::Quarantine(why) => {
                    item.message.waiting = None;
                    (MessageState::Quarantined, Some(why))
                }
                Verdict::Duplicate { reason, first } => {
                    let mut built = Built::default();
                    built.await_end(&mut item, &reason, first);
                    built.keep(item, MessageState::Quarantined, Some(reason), &mut view.seen, turn);
                    batch.built.push(built);
                    return;
                }
            }
        }
    };
    let mut built = Built::default();
    built.keep(item, state, why, &mut view.seen, turn);
    batch.built.push(built);
}

/// A person settles a field of a record: decided in line with the messages about it.
fn settle(
    config: &Configuration,
    view: &mut View,
    item: Item,
    wanted: &Settle,
    batch: &mut Batch,
    by_record: &mut BTreeMap<RecordId, usize>,
    turn: &mut Turn<'_>,
) {
    let now = turn.now.wall;
    let entity = view.records.get(&wanted.record).map(|record| record.entity.clone());
    let schema = entity.and_then(|entity| config.entities.get(&entity));
    let Some(schema) = schema else {
        let why = "there is no such record, or its type is not configured any more".to_owned();
        return turn.effect(Effect::Ack(wanted.outside, Ack::Refused(why)));
    };
    let routes: Vec<&Route> = config.routes_of(&schema.entity).iter().map(|route| &**route).collect();
    let context = Context {
        tenant: &config.tenant,
        schema,
        routes: &routes,
        now,
        event: EventId::from_parts(now, turn.wide_entropy()),
        fresh: RecordId::from_parts(now, turn.wide_entropy()),
        restored_at: None,
    };
    let trace = format!("{:032x}", turn.wide_entropy());
    let (field, choice, why) = (&wanted.field, &wanted.choice, wanted.reason.as_str());
    match intake::settle(context, view, wanted.record, field, choice, why, &trace) {
        Err(why) => turn.effect(Effect::Ack(wanted.outside, Ack::Refused(why))),
        Ok(accepted) => {
            let index = *by_record.entry(wanted.record).or_insert_with(|| {
                batch.built.push(Built::default());
                batch.built.len() - 1
            });
            let Some(built) = batch.built.get_mut(index) else { return };
            built.merge(config, &schema.entity, None, accepted, now);
            let taken = Taken { message: None, how: TakenAs::Accepted, raised: Vec::new() };
            built.items.push((item, taken));
        }
    }
}

/// A message that waits: for a link, or for an open create.
fn park(
    config: &Configuration,
    view: &mut View,
    mut item: Item,
    waiting: Option<ExternalRef>,
    batch: &mut Batch,
    turn: &mut Turn<'_>,
) {
    let now = turn.now.wall;
    let mut built = Built::default();
    if let Some(waiting) = waiting {
        item = built.await_link(config, item, waiting, now);
    } else {
        let about = item.message.about.as_ref();
        let longest = about.map_or(CREATE_WAIT, |about| patience(config, &about.system, &about.object));
        item.message.deadline = Some((now + CREATE_WAIT).min(item.message.received_at + longest));
        item.message.waiting = None;
        built.marks.push(Mark::MessageParked { source: item.source.clone() });
    }
    built.keep(item, MessageState::Parked, None, &mut view.seen, turn);
    batch.built.push(built);
}

#[expect(clippy::too_many_arguments, reason = "each is a different fact about the message")]
fn accept(
    config: &Configuration,
    view: &mut View,
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
    let waits = |name: &(System, String)| view.seen.get(name) == Some(&item.hash);
    let awaited =
        accepted.awaited.clone().filter(|_| item.stored || !item.ask.late.as_ref().is_some_and(waits));
    built.merge(config, entity, Some(incoming), accepted, turn.now.wall);
    match awaited {
        None => built.keep(item, MessageState::Accepted, None, &mut view.seen, turn),
        Some(awaited) => {
            let mut item = built.await_link(config, item, awaited, turn.now.wall);
            item.message.lacking = true;
            built.keep(item, MessageState::Parked, None, &mut view.seen, turn);
        }
    }
    if let Some((_, taken)) = built.items.last_mut() {
        taken.raised = raised;
    }
}

/// What a message raised, for the one who watches it.
fn raised(accepted: &Accepted) -> Vec<Raised> {
    let raises = accepted.raises.iter();
    raises
        .map(|raise| Raised { key: raise.key.clone(), system: raise.system.clone(), version: raise.version })
        .collect()
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
                    let orders = built.items.iter().filter_map(|(item, _)| match &item.task {
                        Task::Settle(wanted) => Some(wanted.outside),
                        _ => None,
                    });
                    out.ordered.extend(orders);
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
