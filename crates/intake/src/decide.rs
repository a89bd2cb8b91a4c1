//! The decision on one message: identity, then order, then existence, then the merge field by field.

use canonical::{Alive, ExternalRef, Fields, Marks, Record, RecordId};
use planted::Bug;

use crate::grave::Grave;
use crate::identity::{self, Identity};
use crate::key::kept_keys;
use crate::link::Link;
use crate::merge;
use crate::raise;
use crate::reference;
use crate::repoint::repoint;
use crate::restored;
use crate::second;
use crate::verdict::{Accepted, Context, Decision, DecisionKind, Incoming, Verdict};
use crate::view::View;

/// Decides on one message and updates the view, so that the next message of the batch sees its effects.
#[must_use]
pub fn decide(context: Context<'_>, view: &mut View, incoming: &Incoming) -> Verdict {
    if let Some(into) = &incoming.merged_into {
        return merged_there(context, view, incoming, into);
    }
    if incoming.rest && !view.links.contains_key(&incoming.about) {
        return Verdict::Accept(Box::default());
    }
    let mut revives = false;
    let (id, link, former) = match identity::resolve(context, view, incoming) {
        Identity::Record { record, link, former } => (record, link, former),
        Identity::Again { record, link } => {
            revives = true;
            (record, Some(link), None)
        }
        Identity::Second { record, link, first } => {
            let verdict = second::said(context, view, incoming, record, &link, &first);
            if let Verdict::Accept(accepted) = &verdict {
                apply(view, incoming, accepted);
            }
            return verdict;
        }
        Identity::Next { record, link } => {
            let accepted = second::goes_on(context, view, incoming, record, link);
            apply(view, incoming, &accepted);
            return Verdict::Accept(Box::new(accepted));
        }
        Identity::Nobody => return nobody(view, incoming),
        Identity::Look => {
            return Verdict::Accept(Box::new(Accepted { refetch: true, ..Accepted::default() }));
        }
        Identity::Wait => return Verdict::Wait,
        Identity::Quarantine(reason) => return Verdict::Quarantine(reason),
        Identity::Duplicate(reason, first) => return Verdict::Duplicate { reason, first },
    };
    let references = match identity::references(view, incoming) {
        Ok(references) => references,
        Err(waiting) => return Verdict::Park { waiting },
    };
    let before = view.records.get(&id).cloned();
    if let Some(why) = reference::broken(context.schema, view, incoming, before.as_ref()) {
        return Verdict::Quarantine(why);
    }
    let mut accepted = Accepted { about: Some(id), awaited: references.awaited, ..Accepted::default() };
    let mut record = before.clone().unwrap_or_else(|| blank(context, incoming, id));
    if let Some(former) = former.as_ref().filter(|_| !incoming.deleted) {
        second::comes_home(view, former, &mut record);
        // Written down even if nothing else of it is.
        accepted.record = Some((record.clone(), record.version));
        accepted.unlink = Some(former.clone());
        // It has what its former record said.
        accepted.untold = !planted::is(Bug::SecondStaysSecond);
    }
    if revives {
        comes_back(view, incoming, &mut record, &mut accepted);
    }
    let after = if incoming.deleted {
        delete(context, view, incoming, record, &mut accepted)
    } else {
        merge::merge(context, view, incoming, references.known, record, &mut accepted)
    };
    if let Some(after) = after {
        changed(context, incoming, before.as_ref(), after, &mut accepted);
    }
    let stands = accepted.record.as_ref().map(|(record, _)| record.clone()).or_else(|| before.clone());
    if let Some(record) = stands {
        raise::revert(context, incoming, &record, &mut accepted);
        raise::tell(context, incoming, &record, &mut accepted);
    }
    // A link is only worth having to a record that stands; a new object that changed nothing still links.
    if let Some(link) = link
        && !incoming.deleted
        && (before.is_some() || accepted.record.is_some())
    {
        accepted.link = Some(link);
    }
    apply(view, incoming, &accepted);
    Verdict::Accept(Box::new(accepted))
}

/// Another object has the match key of a record that was deleted: the record comes back, with that object.
fn comes_back(view: &View, incoming: &Incoming, record: &mut Record, accepted: &mut Accepted) {
    let source = &incoming.about.system;
    let ended = match &record.alive {
        Alive::Deleted { at, .. } => *at,
        Alive::Live | Alive::Merged { .. } => return,
    };
    let key = (record.id, source.clone(), incoming.about.object.clone());
    if let Some(former) = view.linked.get(&key).filter(|id| **id != incoming.about.id) {
        // Its former object has no link any more: what was said of it before its end makes nothing new.
        let former = ExternalRef { id: former.clone(), ..incoming.about.clone() };
        let order = record.marks.get(source).and_then(|marks| marks.object);
        accepted.replaced = Some((former, Grave { at: ended, order: order.filter(|_| !incoming.stamped) }));
    }
    // Another object, another order.
    record.marks.remove(source);
    record.alive = Alive::Live;
}

/// A vendor merged an object into another: the link follows, and what is left is told what the record says.
fn merged_there(context: Context<'_>, view: &mut View, incoming: &Incoming, into: &ExternalRef) -> Verdict {
    let mut verdict = repoint(context, view, incoming, into);
    if let Verdict::Accept(accepted) = &mut verdict {
        let record = accepted.about.and_then(|id| view.records.get(&id)).cloned();
        if let Some(record) = record.filter(|record| record.alive == Alive::Live) {
            raise::revert(context, incoming, &record, accepted);
        }
        apply(view, incoming, accepted);
    }
    verdict
}

/// It is about an object that no record has: of its end, it is kept that it ended.
fn nobody(view: &mut View, incoming: &Incoming) -> Verdict {
    let mut accepted = Accepted::default();
    if incoming.deleted {
        accepted.buried = Some(Grave { at: incoming.as_of, order: incoming.version() });
        apply(view, incoming, &accepted);
    }
    Verdict::Accept(Box::new(accepted))
}

/// A record that nobody has said anything about.
fn blank(context: Context<'_>, incoming: &Incoming, id: RecordId) -> Record {
    Record {
        tenant: context.tenant.clone(),
        entity: context.schema.entity.clone(),
        id,
        version: 0,
        schema: context.schema.version,
        alive: Alive::Live,
        fields: Fields::new(),
        provenance: Default::default(),
        marks: Default::default(),
        extensions: Default::default(),
        counter_writes: Default::default(),
        open: Default::default(),
        occurrences: Default::default(),
        absorbed: Default::default(),
        // When it was first heard of, however long the message then waited.
        created_at: context.now.min(incoming.as_of),
        updated_at: context.now,
    }
}

/// A new version: number it, derive its facts, raise what must be reached, move its match keys.
pub(crate) fn changed(
    context: Context<'_>,
    incoming: &Incoming,
    before: Option<&Record>,
    mut after: Record,
    accepted: &mut Accepted,
) {
    after.version = before.map_or(0, |record| record.version) + 1;
    if planted::is(Bug::MergeLowersVersion) && after.version > 2 {
        after.version -= 2;
    }
    after.schema = context.schema.version;
    after.updated_at = context.now;
    accepted.facts = raise::facts(context, incoming, before, &mut after);
    raise::raises(context, incoming, before, &after, accepted);
    // Another schema may have had other keys.
    let known = before.is_some_and(|record| record.schema == context.schema.version);
    let old = before.map(|record| kept_keys(context.schema, record)).unwrap_or_default();
    let new = kept_keys(context.schema, &after);
    accepted.matches_added = new.iter().filter(|pair| !known || !old.contains(pair)).cloned().collect();
    accepted.matches_dropped = old.into_iter().filter(|pair| !new.contains(pair)).collect();
    accepted.record = Some((after, before.map_or(0, |record| record.version)));
}

/// A proven deletion. Returns the tombstone, when it counts.
fn delete(
    context: Context<'_>,
    view: &View,
    incoming: &Incoming,
    mut record: Record,
    accepted: &mut Accepted,
) -> Option<Record> {
    let source = &incoming.about.system;
    let link = view.links.get(&incoming.about)?;
    let mark = merge::heard_to(&record, source);
    if let (Some(order), Some(mark)) = (incoming.order, mark)
        && order < mark
    {
        accepted.decisions.push(decision(
            context,
            incoming,
            &record,
            DecisionKind::Stale,
            "an older deletion",
        ));
        return None;
    }
    if record.alive == Alive::Live
        && let Some(next) = next_object(&record, &incoming.about)
    {
        second::takes_over(context, view, incoming, record, link, &next, accepted);
        return None;
    }
    let grave = Grave { at: incoming.as_of, order: incoming.version() };
    if record.alive != Alive::Live {
        // Said again, or ended there, too. It stays linked, so that what was said before its end and comes late makes nothing
        // new.
        let here = matches!(&record.alive, Alive::Deleted { by, .. } if by == source);
        accepted.buried = Some(grave).filter(|_| !here);
        // After a restore it is not: another one may have taken its place since the backup, and is to end, too.
        let replaced = !here && restored::may_be_replaced(context, view, incoming, &record);
        accepted.unlink = replaced.then(|| link.clone());
        return None;
    }
    accepted.buried = Some(grave);
    if gone_since(view, incoming, &record) {
        // It ended with the record, which another's word brought back: its end is no news.
        accepted.unlink = Some(link.clone());
        return None;
    }
    let marks: &mut Marks = record.marks.entry(source.clone()).or_default();
    marks.object = marks.object.max(incoming.order);
    let beside = view.beside.contains(&incoming.about);
    let counts = context.schema.deleters.contains(source)
        && context.schema.on_delete == canonical::schema::OnDelete::Archive
        && !beside;
    if !counts {
        accepted.unlink = Some(link.clone());
        let entity = &context.schema.entity;
        let rule = if beside {
            // A person was asked to merge the two, or to delete one of them.
            "one of two objects of the record there is gone: the other one is judged, the record stays"
                .to_owned()
        } else if context.schema.deleters.contains(source) {
            format!("a deletion of a {entity} only unlinks: the record stays")
        } else {
            format!("{source} may not delete a {entity}: the object is unlinked, the record stays")
        };
        accepted.decisions.push(decision(context, incoming, &record, DecisionKind::Rejected, &rule));
        return None;
    }
    accepted.unlink = planted::is(Bug::DeletedIsForgotten).then(|| link.clone());
    record.alive = Alive::Deleted { by: source.clone(), at: context.now };
    Some(record)
}

/// The object that goes on in place of one that is gone.
fn next_object(record: &Record, gone: &ExternalRef) -> Option<ExternalRef> {
    record.second_objects(&gone.system, &gone.object).find(|next| *next != gone).cloned()
}

/// Whether an object was known to be gone before, and has not been seen or written to since.
fn gone_since(view: &View, incoming: &Incoming, record: &Record) -> bool {
    let about = &incoming.about;
    let key = (record.id, about.system.clone(), about.object.clone());
    let shadow = view.shadows.get(&key).filter(|shadow| shadow.is_of(&about.id));
    let grave = Grave::seen(view, about);
    grave.zip(shadow).is_some_and(|(grave, shadow)| shadow.seen_at.max(shadow.written_at) <= Some(grave.at))
}

/// A decision about the whole message.
pub(crate) fn decision(
    context: Context<'_>,
    incoming: &Incoming,
    record: &Record,
    kind: DecisionKind,
    rule: &str,
) -> Decision {
    Decision {
        tenant: context.tenant.clone(),
        record: record.id,
        field: None,
        system: incoming.about.system.clone(),
        kind,
        version: record.version,
        rule: rule.to_owned(),
        at: context.now,
    }
}

/// Lets the rest of the batch see this decision.
fn apply(view: &mut View, incoming: &Incoming, accepted: &Accepted) {
    if let Some(grave) = accepted.buried {
        let key = (incoming.about.system.clone(), Grave::name(&incoming.about));
        view.seen.insert(key, grave.bytes());
    }
    if let Some((former, grave)) = &accepted.replaced {
        view.links.remove(former);
        view.seen.insert((former.system.clone(), Grave::name(former)), grave.bytes());
    }
    show(view, accepted);
}

/// The same of its record, links and shadow.
pub(crate) fn show(view: &mut View, accepted: &Accepted) {
    let Some(id) = accepted.about else { return };
    if let Some((record, _)) = &accepted.record {
        let entity = record.entity.clone();
        for (key, value) in &accepted.matches_dropped {
            if let Some(ids) = view.matches.get_mut(&(entity.clone(), key.clone(), value.clone())) {
                ids.retain(|other| *other != id);
            }
        }
        for (key, value) in &accepted.matches_added {
            let ids = view.matches.entry((entity.clone(), key.clone(), value.clone())).or_default();
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        view.records.insert(id, record.clone());
    }
    if let Some(link) = &accepted.unlink {
        view.linked.remove(&(link.record, link.system.clone(), link.object.clone()));
        view.links.remove(&link.external());
    }
    for link in accepted.link.iter().chain(&accepted.rehomed) {
        view.linked.insert((link.record, link.system.clone(), link.object.clone()), link.external_id.clone());
        view.links.insert(link.external(), link.clone());
    }
    if let Some((shadow, _)) = &accepted.shadow {
        let mut shadow = shadow.clone();
        shadow.revision += 1;
        view.shadows.insert((id, shadow.system.clone(), shadow.object.clone()), shadow);
    }
}

/// The link an inbound object gets.
pub(crate) fn link_for(context: Context<'_>, incoming: &Incoming, record: RecordId) -> Link {
    Link {
        tenant: context.tenant.clone(),
        system: incoming.about.system.clone(),
        instance: incoming.instance.clone(),
        object: incoming.about.object.clone(),
        external_id: incoming.about.id.clone(),
        entity: context.schema.entity.clone(),
        record,
        created_at: context.now,
    }
}
