//! Words about a record that is deleted: which one brings it back, and what becomes of the others.

use canonical::{Alive, Field, Record, RecordId};
use serde_json::Value;

use crate::decide::decision;
use crate::grave::{Grave, Risen};
use crate::merge::{heard_to, is_ours, said};
use crate::restored;
use crate::verdict::{Accepted, Context, DecisionKind, Incoming};
use crate::view::View;

/// What a word of its own object is to a tombstone.
pub(crate) struct Return {
    /// It is from after the end, by who may create: the object is there again.
    pub(crate) newer: bool,
    /// It is further in its source's order than what was heard before the end.
    ahead: bool,
    /// Whether it is from after the end, a look tells.
    unclear: bool,
}

impl Return {
    pub(crate) fn of(context: Context<'_>, view: &View, incoming: &Incoming, record: &Record) -> Self {
        let Alive::Deleted { by, at } = &record.alive else {
            return Self { newer: false, ahead: false, unclear: false };
        };
        let source = &incoming.about.system;
        let may = context.schema.creators.is_empty() || context.schema.creators.contains(source);
        let ahead = match (incoming.order, heard_to(record, source)) {
            (Some(order), mark) => mark.is_none_or(|mark| order > mark),
            (None, _) => incoming.read,
        };
        let time = if incoming.read { Some(incoming.as_of) } else { incoming.occurred_at };
        let after = match time {
            Some(time) => time > *at,
            // Where it was deleted itself, its place in that system's order tells.
            None => {
                let grave = Grave::seen(view, &incoming.about).filter(|_| by == source);
                grave.is_some_and(|grave| matches!(grave.risen(incoming), Risen::Yes))
            }
        };
        let newer = may && after && ahead && is_news(context, incoming, record);
        Self { newer, ahead, unclear: may && ahead && !after && time.is_none() && incoming.fetchable }
    }
}

/// A tombstone hears only what is newer, from who may create. Returns whether to go on.
pub(crate) fn revive(
    context: Context<'_>,
    view: &View,
    incoming: &Incoming,
    record: &mut Record,
    changed: &mut bool,
    accepted: &mut Accepted,
) -> bool {
    if record.alive == Alive::Live {
        return true;
    }
    let Return { newer, ahead, unclear } = Return::of(context, view, incoming, record);
    if newer {
        record.alive = Alive::Live;
        *changed = true;
        // What was said to it meanwhile did not reach it.
        accepted.untold = true;
        return true;
    }
    if unclear {
        accepted.refetch = true;
        return false;
    }
    // The state it had when it was deleted, listed again, is no news.
    if ahead {
        let stale = decision(context, incoming, record, DecisionKind::Stale, "the record is deleted");
        accepted.decisions.push(stale);
    }
    false
}

/// Nobody hears what is said of a record that is deleted; but what stands there is not what is known any more, and is put right
/// if the record comes back.
pub(crate) fn unheard(
    context: Context<'_>,
    view: &View,
    incoming: &Incoming,
    record: RecordId,
    accepted: &mut Accepted,
) {
    let about = &incoming.about;
    let key = (record, about.system.clone(), about.object.clone());
    let Some(known) = view.shadows.get(&key).filter(|shadow| shadow.is_of(&about.id)) else { return };
    if incoming.seen_paths.is_empty() {
        return;
    }
    let seen = incoming.seen_paths.iter();
    let differing =
        seen.filter(|(path, value)| known.fields.get(*path) != Some(*value)).map(|(path, _)| path);
    let mut shadow = known.clone();
    shadow.unknown.extend(differing.cloned());
    // That it was seen counts, too: for a write on its way, whose answer would make it known again, and for a restore, since
    // which only what was read there is known. Of what is known to be gone, it may be a late word.
    let unverified = restored::unverified(known, context.restored_at);
    if Grave::seen(view, about).is_none() && (incoming.read || !unverified) {
        shadow.seen_at = shadow.seen_at.max(Some(incoming.as_of));
        shadow.token = shadow.token.max(incoming.version());
    }
    let moved = unverified != restored::unverified(&shadow, context.restored_at)
        || shadow.unknown != known.unknown
        || shadow.token != known.token
        || view.crosses_a_write(incoming, record);
    accepted.shadow = moved.then_some((shadow, known.revision));
}

/// Whether it says more of a record that is deleted than that an object of it is still there, which another system's deletion
/// leaves: nor is what we wrote there a word of anybody. Where it was deleted, that it is there is news enough.
fn is_news(context: Context<'_>, incoming: &Incoming, record: &Record) -> bool {
    let source = &incoming.about.system;
    let here = matches!(&record.alive, Alive::Deleted { by, .. } if by == source);
    let differs = |(field, value): &(&Field, Value)| {
        let name = field.as_str();
        record.fields.get(name) != Some(value) && !is_ours(incoming, name, value)
    };
    let kept = record.extensions.get(source);
    here || said(context, incoming, &[]).iter().any(differs)
        || incoming.extensions.iter().any(|(name, value)| kept.and_then(|kept| kept.get(name)) != Some(value))
}
