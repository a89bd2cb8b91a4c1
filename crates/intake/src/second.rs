//! Second objects: a record that was merged into another left an object where the survivor has one of its own. Both are known,
//! one speaks. What the other says is nobody's word: it changes nothing, and a person is told, until one of the two is gone.

use canonical::{ExternalRef, Marks, NoSecond, Record, RecordId};
use ledger::{Reason, Shadow};
use planted::Bug;

use crate::decide::decision;
use crate::grave::Grave;
use crate::identity::survivor;
use crate::link::Link;
use crate::raise;
use crate::verdict::{Accepted, Context, DecisionKind, Incoming, Verdict};
use crate::view::View;

/// A second object says something, or is gone.
pub(crate) fn said(
    context: Context<'_>,
    view: &View,
    incoming: &Incoming,
    record: RecordId,
    link: &Link,
    first: &str,
) -> Verdict {
    let about = &incoming.about;
    if incoming.deleted {
        return gone(context, view, incoming, record, link);
    }
    // A late word looks the same as a new one: what is there now counts.
    if !incoming.read && incoming.fetchable {
        return Verdict::Accept(Box::new(Accepted { refetch: true, ..Accepted::default() }));
    }
    if is_known(view, incoming, link) {
        return Verdict::Accept(Box::default());
    }
    let message = format!(
        "{about} is a second object of record {record}, into which {} was merged, and {}/{first} speaks for it there: merge \
         the two in {}, or delete the one that is wrong, then retry this message",
        link.record, about.object, about.system
    );
    let candidates = vec![record];
    Verdict::Quarantine(Reason {
        class: "duplicate_there".to_owned(),
        message,
        candidates,
        ..Reason::default()
    })
}

/// Whether that is how it stood when the records were merged: it says nothing new.
fn is_known(view: &View, incoming: &Incoming, link: &Link) -> bool {
    let key = (link.record, link.system.clone(), link.object.clone());
    let shadow = view.shadows.get(&key).filter(|shadow| shadow.is_of(&incoming.about.id));
    if let Some(shadow) = shadow.filter(|_| !incoming.seen_paths.is_empty()) {
        let mut paths = incoming.seen_paths.iter();
        return paths
            .all(|(path, value)| shadow.fields.get(path) == Some(value) && !shadow.unknown.contains(path));
    }
    // Nothing is written there: what the alias has is what was read.
    let Some(alias) = view.records.get(&link.record) else { return false };
    let fields = incoming.fields.iter().all(|(name, value)| alias.fields.get(name) == Some(value));
    let refers = |field: &canonical::Field, object: &ExternalRef| {
        let named = view.links.get(object).map(|link| survivor(view, link.record));
        let had = alias.fields.get(field.as_str()).and_then(serde_json::Value::as_str);
        let had = had.and_then(|text| text.parse().ok()).map(|id| survivor(view, id));
        named == had
    };
    fields && incoming.references.iter().all(|(field, object)| refers(field, object))
}

/// A second object is gone: one is left, as it should be.
fn gone(context: Context<'_>, view: &View, incoming: &Incoming, record: RecordId, link: &Link) -> Verdict {
    let buried = Some(Grave { at: incoming.as_of, order: incoming.version() });
    let mut accepted =
        Accepted { about: Some(record), unlink: Some(link.clone()), buried, ..Accepted::default() };
    if let Some(known) = view.records.get(&record) {
        let rule = "its second object there is gone";
        accepted.decisions.push(decision(context, incoming, known, DecisionKind::Unlinked, rule));
        let mut known = known.clone();
        if known.not_second(&incoming.about, NoSecond::Deleted) {
            accepted.record = Some((known.clone(), known.version));
        }
    }
    Verdict::Accept(Box::new(accepted))
}

/// The first object there is gone: the second one is the record's own from now on, and is told what the record says.
pub(crate) fn takes_over(
    context: Context<'_>,
    view: &View,
    incoming: &Incoming,
    mut record: Record,
    link: &Link,
    next: &ExternalRef,
    accepted: &mut Accepted,
) {
    let rule = "its object there is gone: its second one there goes on as its own";
    accepted.decisions.push(decision(context, incoming, &record, DecisionKind::Repointed, rule));
    accepted.unlink = Some(link.clone());
    accepted.buried = Some(Grave { at: incoming.as_of, order: incoming.version() });
    accepted.rehomed = Some(Link {
        external_id: next.id.clone(),
        record: record.id,
        created_at: context.now,
        ..link.clone()
    });
    accepted.wanted = incoming.fetchable.then(|| next.clone());
    accepted.untold = true;
    accepted.shadow = known_of(view, record.id, next);
    record.not_second(next, NoSecond::FirstDeleted(&incoming.about));
    // Another object, another order.
    record.marks.remove(&next.system);
    accepted.record = Some((record.clone(), record.version));
}

/// What is known of a second object that is its record's own from now on: what its former record wrote there is nobody's edit
/// (I6). Of the row that the record has there only the revision goes on, and what persons ordered to be said.
fn known_of(view: &View, record: RecordId, object: &ExternalRef) -> Option<(Shadow, i64)> {
    let theirs = view.shadow_of(record, object)?.clone();
    let own = view.shadows.get(&(record, object.system.clone(), object.object.clone()));
    let (revision, edits) = own.map(|own| (own.revision, own.edits.clone())).unwrap_or_default();
    Some((Shadow { record, revision, edits, ..theirs }, revision))
}

/// The record's object there is gone, and this one was told apart from it as a duplicate: it is the record's own from now on. It
/// is read anew, since what it said then is old, and is told what the record says.
pub(crate) fn goes_on(
    context: Context<'_>,
    view: &View,
    incoming: &Incoming,
    id: RecordId,
    link: Link,
) -> Accepted {
    let wanted = Some(incoming.about.clone());
    let mut accepted = Accepted {
        about: Some(id),
        link: Some(link),
        alone: true,
        wanted,
        untold: true,
        ..Accepted::default()
    };
    if let Some(known) = view.records.get(&id) {
        let rule = "its object there is gone: the one that was a duplicate beside it goes on as its own";
        accepted.decisions.push(decision(context, incoming, known, DecisionKind::Repointed, rule));
        let mut record = known.clone();
        // Another object, another order.
        record.marks.remove(&incoming.about.system);
        accepted.record = Some((record, known.version));
        raise::revert(context, incoming, known, &mut accepted);
    }
    accepted
}

/// An object that was linked to a record that was merged into this one is this one's own from now on.
pub(crate) fn comes_home(view: &View, former: &Link, record: &mut Record) {
    record.not_second(&former.external(), NoSecond::Own);
    let theirs = view.records.get(&former.record).and_then(|alias| alias.marks.get(&former.system));
    // Another object, another order.
    let marks: Marks = theirs.cloned().unwrap_or_default();
    record.marks.insert(former.system.clone(), marks);
}

/// Of a record's two objects one was merged into the other there: whichever is left is the record's own.
pub(crate) fn repointed(
    context: Context<'_>,
    view: &View,
    known: &Record,
    (lost, into): (&ExternalRef, &ExternalRef),
    accepted: &mut Accepted,
) {
    let mut record = known.clone();
    // What goes on as an object that nobody knew comes back with its record when that is split.
    let mut moved = match accepted.link {
        Some(_) => record.goes_on(lost, into),
        None => record.not_second(lost, NoSecond::Merged),
    };
    if let Some(link) = view.links.get(into).filter(|link| link.record != record.id)
        && view.links.get(lost).is_some_and(|link| link.record == record.id)
    {
        if planted::is(Bug::SecondStaysSecond) {
            return;
        }
        comes_home(view, link, &mut record);
        accepted.shadow = known_of(view, record.id, into);
        accepted.rehomed = Some(Link { record: record.id, created_at: context.now, ..link.clone() });
        moved = true;
    }
    if moved {
        accepted.record = Some((record.clone(), record.version));
    }
}
