//! What a sight of an object leaves in its shadow.

use ledger::Shadow;

use canonical::Record;

use crate::grave::Grave;
use crate::restored;
use crate::verdict::{Accepted, Context, Incoming};
use crate::view::View;

/// Brings the shadow up to what was seen there. Returns whether the sight may be older than our own last write, so
/// that only a fetch can tell.
pub(crate) fn see(
    context: Context<'_>,
    view: &View,
    incoming: &Incoming,
    record: &Record,
    accepted: &mut Accepted,
) -> bool {
    if incoming.seen_paths.is_empty() {
        return false;
    }
    // What is pushed may have been said before, of a state that was over when the store was restored: a read tells what
    // stands there now, and until then nothing is known of it.
    if !incoming.read && incoming.fetchable && restored::first_sight(context, view, incoming, record) {
        return true;
    }
    let about = &incoming.about;
    let key = (record.id, about.system.clone(), about.object.clone());
    let old = view.shadows.get(&key);
    let blank =
        || Shadow::blank(context.tenant.clone(), record.id, about.system.clone(), about.object.clone());
    let mut shadow = match old {
        Some(old) if old.is_of(&about.id) => old.clone(),
        // Another object stood there: of its row only the revision goes on, and what persons ordered to be said here. What is
        // known of this one may be another's row, of a record that was merged into it.
        _ => {
            let (revision, edits) = old.map(|old| (old.revision, old.edits.clone())).unwrap_or_default();
            let theirs = view.shadow_of(record.id, about).cloned().unwrap_or_else(blank);
            Shadow { record: record.id, revision, edits, ..theirs }
        }
    };
    let differs = incoming
        .seen_paths
        .iter()
        .any(|(path, value)| shadow.fields.get(path) != Some(value) || shadow.unknown.contains(path));
    let by_token = incoming.version().zip(shadow.token).map(|(order, token)| order.cmp(&token));
    let outdated = match by_token {
        Some(std::cmp::Ordering::Less) => return false,
        Some(std::cmp::Ordering::Equal | std::cmp::Ordering::Greater) => false,
        None => [shadow.written_at, shadow.seen_at.filter(|_| incoming.read)]
            .into_iter()
            .flatten()
            .any(|known| incoming.as_of <= known),
    };
    if outdated {
        return differs;
    }
    // As old as our own last write, by a clock that may be too coarse to tell which was first. What it says is judged
    // now, so it is known from now on, or the same would be judged once more when it is read.
    let coarse = by_token == Some(std::cmp::Ordering::Equal) && !incoming.read;
    let writing = view.intents.get(&key);
    let first = old.is_some_and(|old| restored::unverified(old, context.restored_at));
    if incoming.version() > shadow.token {
        shadow.meanwhile.clear();
    }
    for (path, value) in &incoming.seen_paths {
        // What an open intent is changing right now is not known until it is closed. After a restore, what is open was
        // sent long ago, if at all: what stands there is what is known.
        if !first && writing.is_some_and(|intent| intent.fields.contains_key(path)) {
            continue;
        }
        // Nor does an own write that comes back late say what is there now.
        if incoming.lately_paths.contains(path) {
            continue;
        }
        shadow.unknown.remove(path);
        shadow.fields.insert(path.clone(), value.clone());
    }
    shadow.external_id = Some(about.id.clone());
    shadow.token = shadow.token.max(incoming.version());
    // What does not show it leaves the last one: where that is out of date by now, the target says so.
    if incoming.etag.is_some() {
        shadow.version.clone_from(&incoming.etag);
    }
    shadow.seen_at = Some(incoming.as_of);
    let grave = Grave::seen(view, about);
    let moved = view.crosses_a_write(incoming, record.id)
        || old.is_none_or(|old| {
            // It was gone meanwhile: from now on it is known to be there.
            grave.is_some_and(|grave| old.seen_at.is_none_or(|seen| seen <= grave.at))
                || restored::unverified(old, context.restored_at)
                || old.fields != shadow.fields
                || old.unknown != shadow.unknown
                || old.token != shadow.token
                || old.version != shadow.version
                || old.external_id != shadow.external_id
        });
    if moved {
        let revision = shadow.revision;
        accepted.shadow = Some((shadow, revision));
    }
    coarse && differs
}
