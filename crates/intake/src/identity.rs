//! Which record is it? Link first, then declared match keys, else create. Two matches quarantine.

use std::collections::BTreeSet;
use std::convert::Infallible;

use canonical::schema::OnRecreate;
use canonical::{Alive, EntitySchema, ExternalRef, Field, RecordId, Wall, stands_for};
use ledger::Reason;
use planted::Bug;

use crate::decide::link_for;
use crate::grave::{Grave, Risen};
use crate::link::Link;
use crate::merge::superseded;
use crate::revive::Return;
use crate::verdict::{Context, Incoming};
use crate::view::View;

/// Who a message is about.
pub(crate) enum Identity {
    /// This record; with the link it gets, when it had none, and the one that its object had to a record that was merged
    /// into this one.
    Record { record: RecordId, link: Option<Link>, former: Option<Link> },
    /// This record, which was deleted, is there again: another object has its match key.
    Again { record: RecordId, link: Link },
    /// A further object of this record, which has another one there: it came with a record that was merged into it.
    Second { record: RecordId, link: Link, first: String },
    /// This record, whose object there is gone: this one, which was a duplicate beside it, goes on as its own.
    Next { record: RecordId, link: Link },
    /// Nobody: a deletion of something never linked, or a late sight of what is no longer linked.
    Nobody,
    /// Only a look at the object can tell.
    Look,
    /// A create of that entity is open there.
    Wait,
    /// A person must say.
    Quarantine(Reason),
    /// A person must say: the record has this object there already.
    Duplicate(Reason, ExternalRef),
}

fn quarantine(class: &str, message: String) -> Identity {
    Identity::Quarantine(Reason { class: class.to_owned(), message, ..Reason::default() })
}

/// A person has to choose among records.
fn between(class: &str, message: String, candidates: Vec<RecordId>) -> Identity {
    Identity::Quarantine(Reason { class: class.to_owned(), message, candidates, ..Reason::default() })
}

/// Finds the record a message is about.
pub(crate) fn resolve(context: Context<'_>, view: &View, incoming: &Incoming) -> Identity {
    let about = &incoming.about;
    if let Some(link) = view.links.get(about) {
        if !link.instance.is_empty() && !incoming.instance.is_empty() && link.instance != incoming.instance {
            return quarantine(
                "other_account",
                format!(
                    "{about} is linked in account {}, but {} now speaks for account {}: \
                     reconnect the right account, then retry",
                    link.instance, about.system, incoming.instance
                ),
            );
        }
        // What it said when it came is old by now.
        if incoming.waited && incoming.fetchable && !incoming.deleted {
            return Identity::Look;
        }
        return linked(context, view, incoming, link);
    }
    if incoming.deleted {
        return Identity::Nobody;
    }
    if let Some(grave) = Grave::seen(view, about) {
        match grave.risen(incoming) {
            Risen::Yes => {}
            Risen::No => return Identity::Nobody,
            Risen::Unclear if incoming.fetchable => return Identity::Look,
            Risen::Unclear => {
                return quarantine(
                    "gone",
                    format!(
                        "{about} is known to be gone, and this does not say whether it is from before or after: \
                         see in {} whether it is there; retry if it is, discard if not",
                        about.system
                    ),
                );
            }
        }
    }
    unlinked(context, view, incoming)
}

/// Its object is linked to nobody who counts: its match keys say whose it is, or it is new.
fn unlinked(context: Context<'_>, view: &View, incoming: &Incoming) -> Identity {
    let about = &incoming.about;
    let (ended, found): (Vec<RecordId>, Vec<RecordId>) =
        matching(context.schema, view, incoming).into_iter().partition(|id| ended_at(view, *id).is_some());
    let revives = context.schema.on_recreate == OnRecreate::Revive;
    let last = ended.into_iter().filter(|_| revives).max_by_key(|id| (ended_at(view, *id), *id));
    match (found.as_slice(), last) {
        // What it said when it came is old by now.
        ([] | [_, _, ..], _) if incoming.waited && incoming.fetchable => Identity::Look,
        ([], Some(record)) => again(context, view, incoming, record),
        ([], None) => create(context, view, incoming),
        ([record], _) => matched(context, view, incoming, *record),
        _ => between("ambiguous_match", ambiguous(context, about, &found), found),
    }
}

/// What a person is to do about an object that fits several records.
fn ambiguous(context: Context<'_>, about: &ExternalRef, found: &[RecordId]) -> String {
    let entity = &context.schema.entity;
    let named: Vec<String> = found.iter().take(2).map(|id| format!("{entity}/{id}")).collect();
    format!(
        "{about} matches {} records by its match keys: see them, and say which it is (concord dead-letter link); or, if they \
         are one, merge them (concord record merge {}), then retry this message",
        found.len(),
        named.join(" ")
    )
}

/// Its object is linked: to the record itself, or to one that was merged into it.
fn linked(context: Context<'_>, view: &View, incoming: &Incoming, link: &Link) -> Identity {
    let record = survivor(view, link.record);
    if record == link.record {
        let new = context.schema.on_recreate == OnRecreate::New && !incoming.deleted;
        let known = view.records.get(&record).filter(|_| new);
        if !known.is_some_and(|known| Return::of(context, view, incoming, known).newer) {
            return Identity::Record { record, link: None, former: None };
        }
        // The deleted record stays as it is. Another of its objects may have made the new one already.
        return match unlinked(context, view, incoming) {
            Identity::Record { record, link: own, .. } => {
                Identity::Record { record, link: own, former: Some(link.clone()) }
            }
            other => other,
        };
    }
    let about = &incoming.about;
    if planted::is(Bug::AbsorbedIsNew) && !incoming.deleted {
        let own = Some(link_for(context, incoming, context.fresh));
        return Identity::Record { record: context.fresh, link: own, former: Some(link.clone()) };
    }
    match view.linked.get(&(record, about.system.clone(), about.object.clone())) {
        Some(_) if planted::is(Bug::SecondObjectSpeaks) => {
            Identity::Record { record, link: None, former: None }
        }
        Some(first) if *first != about.id => {
            Identity::Second { record, link: link.clone(), first: first.clone() }
        }
        // The survivor has none there, or none any more: this one is its own from now on.
        _ => {
            let (own, former) = (link_for(context, incoming, record), link.clone());
            Identity::Record { record, link: Some(own), former: Some(former) }
        }
    }
}

/// The record a message will turn out to be about, as far as the view tells: by its link, else by a match key that only
/// one record has. `None` where it is new, unclear, or must wait.
#[must_use]
pub fn subject(schema: &EntitySchema, view: &View, incoming: &Incoming) -> Option<RecordId> {
    if let Some(link) = view.links.get(&incoming.about) {
        return Some(survivor(view, link.record));
    }
    let mut found = matching(schema, view, incoming).into_iter();
    found.next().filter(|_| found.next().is_none())
}

fn matching(schema: &EntitySchema, view: &View, incoming: &Incoming) -> BTreeSet<RecordId> {
    let having = incoming
        .matches
        .iter()
        .filter_map(|(key, value)| view.matches.get(&(schema.entity.clone(), key.clone(), value.clone())));
    having.flatten().map(|id| survivor(view, *id)).collect()
}

/// One record has the same match key.
fn matched(context: Context<'_>, view: &View, incoming: &Incoming, record: RecordId) -> Identity {
    let about = &incoming.about;
    if let Some(other) = view.linked.get(&(record, about.system.clone(), about.object.clone())) {
        // A late word about what is gone looks the same: only what is there is a duplicate.
        if !incoming.read && incoming.fetchable {
            return Identity::Look;
        }
        let message = format!(
            "{about} has the match key of record {record}, which is linked to {}/{other} there: one of the two objects is a \
             duplicate; merge them in {}, or delete one (this goes on by itself if {other} is gone; discard it if {} is)",
            about.object, about.system, about.id
        );
        let candidates = vec![record];
        let reason = Reason { class: "duplicate_there".to_owned(), message, candidates, ..Reason::default() };
        return Identity::Duplicate(reason, ExternalRef { id: other.clone(), ..about.clone() });
    }
    if incoming.waited {
        let link = link_for(context, incoming, record);
        return match incoming.fetchable {
            true => Identity::Next { record, link },
            false => Identity::Record { record, link: Some(link), former: None },
        };
    }
    // A sight from before our last write there: it was ours, and is no longer (it was archived).
    if superseded(view, incoming, record) {
        return Identity::Nobody;
    }
    Identity::Record { record, link: Some(link_for(context, incoming, record)), former: None }
}

/// When it was deleted, if it was.
fn ended_at(view: &View, id: RecordId) -> Option<Wall> {
    match view.records.get(&id).map(|record| &record.alive) {
        Some(Alive::Deleted { at, .. }) => Some(*at),
        _ => None,
    }
}

/// Only records that were deleted have the same match key: the last of them comes back, where the source may bring one in.
fn again(context: Context<'_>, view: &View, incoming: &Incoming, record: RecordId) -> Identity {
    // A late word looks the same: only what is there brings it back.
    if !incoming.read && incoming.fetchable {
        return Identity::Look;
    }
    match create(context, view, incoming) {
        Identity::Record { .. } => Identity::Again { record, link: link_for(context, incoming, record) },
        other => other,
    }
}

/// Nobody has it yet.
fn create(context: Context<'_>, view: &View, incoming: &Incoming) -> Identity {
    let about = &incoming.about;
    let key = (context.schema.entity.clone(), about.system.clone(), about.object.clone());
    let open = view.creates_open.get(&key).is_some_and(|open| *open > 0);
    if open && !incoming.patient && !planted::is(Bug::OvertakenIsNew) {
        return Identity::Wait;
    }
    let creators = &context.schema.creators;
    if !creators.is_empty() && !creators.contains(&about.system) {
        let may: Vec<&str> = creators.iter().map(canonical::System::as_str).collect();
        return quarantine(
            "not_a_creator",
            format!(
                "{about} is unknown and {} may not create a {} (only {} may): \
                 create it there, or link this object (concord dead-letter link)",
                about.system,
                context.schema.entity,
                may.join(", ")
            ),
        );
    }
    let link = Some(link_for(context, incoming, context.fresh));
    Identity::Record { record: context.fresh, link, former: None }
}

/// Follows aliases.
pub(crate) fn survivor(view: &View, id: RecordId) -> RecordId {
    let into = |id| match view.records.get(&id).map(|record| &record.alive) {
        Some(Alive::Merged { into }) => Some(*into),
        _ => None,
    };
    stands_for(id, |id| Ok::<_, Infallible>(into(id))).unwrap_or(id)
}

/// The record that an object stands for, as far as it is linked.
#[must_use]
pub fn referred(view: &View, object: &ExternalRef) -> Option<RecordId> {
    view.links.get(object).map(|link| survivor(view, link.record))
}

/// What a message refers to.
#[derive(Default)]
pub(crate) struct Referred {
    pub(crate) known: Vec<(Field, RecordId)>,
    /// The first object that is not linked and that nobody waits for.
    pub(crate) awaited: Option<ExternalRef>,
}

/// Translates the source's ids of referenced objects into records, or names the first that is not linked and must be.
pub(crate) fn references(view: &View, incoming: &Incoming) -> Result<Referred, ExternalRef> {
    let mut out = Referred::default();
    for (field, object) in &incoming.references {
        match referred(view, object) {
            Some(record) => out.known.push((field.clone(), record)),
            None if incoming.late.contains(field) => out.awaited = out.awaited.or(Some(object.clone())),
            None => return Err(object.clone()),
        }
    }
    Ok(out)
}
