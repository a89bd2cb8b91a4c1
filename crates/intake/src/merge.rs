//! The merge, field by field: the source's order, then ownership, then the field's policy.

use canonical::value::is_empty;
use canonical::{
    Alive, Field, Fields, OnConflict, OpenKind, OrderToken, Provenance, Record, RecordId, System,
};
use planted::Bug;
use serde_json::Value;

use crate::conflict::{self, Judgement, Word};
use crate::decide::decision;
use crate::raise;
use crate::restored;
use crate::revive::{revive, unheard};
use crate::sight::see;
use crate::verdict::{Accepted, Context, Decision, DecisionKind, Incoming};
use crate::view::View;

/// Merges a message into the record. Returns the record when anything changed.
pub(crate) fn merge(
    context: Context<'_>,
    view: &View,
    incoming: &Incoming,
    references: Vec<(Field, RecordId)>,
    mut record: Record,
    accepted: &mut Accepted,
) -> Option<Record> {
    let fresh = record.version == 0;
    let lives = |record: &Record| record.alive == Alive::Live;
    // It may have come back just now.
    let mut changed =
        fresh || lives(&record) && view.records.get(&record.id).is_some_and(|known| !lives(known));
    if !revive(context, view, incoming, &mut record, &mut changed, accepted) {
        unheard(context, view, incoming, record.id, accepted);
        return None;
    }
    if see(context, view, incoming, &record, accepted) {
        accepted.refetch = incoming.fetchable;
    }
    let order = incoming.order;
    let sight = Sight {
        superseded: superseded(view, incoming, record.id),
        crossed: crossed(view, incoming, record.id),
        first: restored::first_sight(context, view, incoming, &record),
    };
    let mut stale = false;
    let before = (!conditional(context).is_empty()).then(|| record.fields.clone());
    for (field, value) in said(context, incoming, &references) {
        let Some(spec) = context.schema.fields.get(field) else { continue };
        let (name, value) = (field.as_str(), &value);
        let known = record.fields.get(name);
        // A record that was merged into another is called by both names.
        let value = known.filter(|known| same_record(view, spec, known, value)).unwrap_or(value);
        let value = &value.clone();
        let mark = record.marks.get(&incoming.about.system).and_then(|marks| marks.of(field));
        let age = age(order, mark, incoming.read);
        if age == Age::Older && known.is_some() {
            stale = stale || known != Some(value);
            continue;
        }
        if age == Age::Tie && known.is_some_and(|known| known != value) {
            // The source's clock is too coarse to tell: look at what is there now.
            accepted.refetch = accepted.refetch || incoming.fetchable;
            if incoming.fetchable {
                continue;
            }
        }
        let word = Word { context, incoming, field, spec, value };
        if known == Some(value) {
            conflict::agrees(&word, sight.superseded, &mut record, accepted);
            continue;
        }
        // Our own write there may come after it: then what counts is said there again.
        let crosses = crosses(view, incoming, &record, field, value);
        remember_judged(incoming, name, value, accepted);
        match judge(&word, sight, &mut record, accepted) {
            Judgement::Take(value) => {
                conflict::answered(&word, &value, &mut record, accepted);
                accepted.untold |= crosses;
                take(context, incoming, &mut record, field, value);
                changed = true;
            }
            Judgement::Leave => {}
        }
    }
    if let Some(before) = before.filter(|_| changed && !fresh) {
        moved_ownership(context, incoming, sight, &before, &record, accepted);
    }
    if stale {
        accepted.decisions.push(decision(
            context,
            incoming,
            &record,
            DecisionKind::Stale,
            "older than what is known",
        ));
    }
    changed |= extend(incoming, &mut record);
    let moved = advance(context, incoming, &mut record);
    // Watermarks and counters must stand even when no value changed, but make no version of their own: they are
    // written with the record under its old version number.
    if !changed && (moved || !accepted.decisions.is_empty()) && !fresh {
        if moved && restored::tell_again(context, &record) {
            raise::again(context, incoming, &record, accepted);
        }
        let version = record.version;
        accepted.record = Some((record, version));
        return None;
    }
    changed.then_some(record)
}

/// How far a system has been heard of the record, of whatever field.
pub(crate) fn heard_to(record: &Record, source: &System) -> Option<OrderToken> {
    let marks = record.marks.get(source)?;
    marks.fields.values().copied().chain(marks.object).max()
}

/// Whether a field that refers to a record names the same one as before, by the name of one that was merged into it.
fn same_record(view: &View, spec: &canonical::FieldSpec, known: &Value, said: &Value) -> bool {
    let id = |value: &Value| -> Option<RecordId> { value.as_str()?.parse().ok() };
    let refers = matches!(spec.kind, canonical::FieldType::Reference(_));
    let (Some(known), Some(said)) = (id(known).filter(|_| refers), id(said)) else { return false };
    view.records.get(&said).is_some_and(|record| record.stands_for(known))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    Newer,
    Tie,
    Older,
}

fn age(order: Option<OrderToken>, mark: Option<OrderToken>, read: bool) -> Age {
    match (order, mark) {
        _ if planted::is(Bug::ArrivalOrder) => Age::Newer,
        (Some(order), Some(mark)) if order < mark => Age::Older,
        (Some(order), Some(mark)) if order == mark && !read => Age::Tie,
        _ => Age::Newer,
    }
}

/// Whether our own last write there may have come after the state that this message shows.
pub(crate) fn superseded(view: &View, incoming: &Incoming, record: RecordId) -> bool {
    let shadow = view.shadow_of(record, &incoming.about);
    let Some(shadow) = shadow.filter(|_| !planted::is(Bug::LateEchoIsEdit)) else { return false };
    match incoming.version().zip(shadow.token) {
        Some((order, token)) => order < token,
        None => incoming.read && shadow.written_at.is_some_and(|written| incoming.as_of <= written),
    }
}

/// Whether it is a read that began before our own last write there was settled: the next one will show what stands there.
fn crossed(view: &View, incoming: &Incoming, record: RecordId) -> bool {
    let written = view.shadow_of(record, &incoming.about).and_then(|shadow| shadow.written_at);
    incoming.read && written.is_some_and(|written| incoming.as_of <= written)
}

/// What a message can show of the object as it is now.
#[derive(Clone, Copy)]
struct Sight {
    /// Our own last write there may have come after it.
    superseded: bool,
    /// It was read while that write was on its way.
    crossed: bool,
    /// It is the first since the store was restored.
    first: bool,
}

/// Who may say this? The owner's value wins; a blank owner value accepts the first that is not blank.
fn judge(word: &Word<'_>, sight: Sight, record: &mut Record, accepted: &mut Accepted) -> Judgement {
    let Word { context, incoming, field, spec, value } = *word;
    let source = &incoming.about.system;
    let name = field.as_str();
    let blank = record.fields.get(name).is_none_or(is_empty);
    let lately = incoming.lately.get(name) == Some(value);
    if lately && incoming.fetchable && !incoming.read {
        // An own write that comes back late, or an edit back to it: what stands there now decides.
        accepted.refetch = true;
        return Judgement::Leave;
    }
    let owns = spec.owner_in(&record.fields) == Some(source);
    let own = owns && !spec.on_conflict.merges()
        || planted::is(Bug::CreatorOwns) && context.schema.creators.contains(source);
    if own && heard(word, sight, record, accepted) {
        return Judgement::Take(value.clone());
    }
    // What is brought together is written to its owner, too.
    let brings = owns && spec.on_conflict.merges();
    if is_ours(incoming, name, value) && !(brings && planted::is(Bug::OwnersEchoIsWord)) {
        // Nobody edited anything (I6).
        return Judgement::Leave;
    }
    if sight.first && !blank && restored::stays(context, record, field, spec) {
        let rule = "the first sight since the restore: it may be what was written there after the backup";
        let stale = decision(context, incoming, record, DecisionKind::Stale, rule);
        accepted.decisions.push(Decision { field: Some(field.clone()), ..stale });
        accepted.untold = true;
        return Judgement::Leave;
    }
    if sight.superseded && brings && !incoming.fetchable {
        // Nobody can look: it counts, and what comes of it is said there again.
        accepted.untold = true;
    } else if sight.superseded && !blank {
        // Older than our last write: one of our earlier writes, most likely. What stands there now decides.
        // A version that was read after our own write and is behind it comes from a replica that lags, and will not be newer
        // at once: that it is read again is seen to where such a lag is declared. One that was read before says nothing.
        let worth_a_look = !incoming.read || incoming.version().is_none() || sight.crossed;
        accepted.refetch = accepted.refetch || incoming.fetchable && worth_a_look;
        return Judgement::Leave;
    }
    if incoming.silent && said_later(incoming, record, field) {
        let stale = decision(context, incoming, record, DecisionKind::Stale, "another system said it later");
        accepted.decisions.push(Decision { field: Some(field.clone()), ..stale });
        return Judgement::Leave;
    }
    // What is brought together is replaced by another word of the owner, not by the same again.
    if brings && spec.on_conflict != OnConflict::Latest && incoming.known.contains_key(name) {
        return Judgement::Take(value.clone());
    }
    if !blank {
        return word.judge(record, accepted);
    }
    let Some(owner) = spec.owner_in(&record.fields) else { return Judgement::Take(value.clone()) };
    if is_empty(value) {
        return Judgement::Leave;
    }
    if record.version > 0 {
        let rule = format!("{owner} owns {field} and has none: the first value counts");
        let filled = decision(context, incoming, record, DecisionKind::Filled, &rule);
        accepted.decisions.push(Decision { field: Some(field.clone()), ..filled });
    }
    Judgement::Take(value.clone())
}

/// Whether an owner's word counts as it is. While something is proposed to it, it may be what stood there before our write.
fn heard(word: &Word<'_>, sight: Sight, record: &Record, accepted: &mut Accepted) -> bool {
    let proposed = record.open.get(word.field).is_some_and(|open| open.kind == OpenKind::Proposed);
    if !proposed || !sight.superseded {
        return true;
    }
    // Where nobody can look, it counts, and what comes of it is said there again.
    accepted.untold |= !word.incoming.fetchable;
    !word.incoming.fetchable
}

/// Whether it is what we last knew there, or wrote lately or are writing there; or was judged before, in this version.
pub(crate) fn is_ours(incoming: &Incoming, name: &str, value: &Value) -> bool {
    let ours = [&incoming.known, &incoming.writing, &incoming.lately, &incoming.judged];
    ours.iter().any(|ours| ours.get(name) == Some(value))
}

/// What is said while a write of something else is on its way there is not known to stand there. That it was judged is kept,
/// or it were another word when the same version is read once more.
fn remember_judged(incoming: &Incoming, name: &str, value: &Value, accepted: &mut Accepted) {
    let crosses = incoming.writing.contains_key(name) && !is_ours(incoming, name, value);
    if let Some((shadow, _)) = accepted.shadow.as_mut().filter(|_| crosses && incoming.version().is_some()) {
        shadow.meanwhile.insert(name.to_owned(), value.clone());
    }
}

/// Whether a write of another value is on its way to the system that says this one, or may be any moment: it does not have
/// what the record had, or nobody knows that it has.
fn crosses(view: &View, incoming: &Incoming, record: &Record, field: &Field, value: &Value) -> bool {
    let name = field.as_str();
    let had = record.fields.get(name);
    let writing = incoming.writing.get(name).is_some_and(|writing| writing != value);
    let due = match incoming.known.get(name) {
        Some(known) => had.is_some_and(|had| known != had),
        // It was never told what is written there: not yet, where it has become the record's own.
        None => {
            let own = view.links.get(&incoming.about).is_some_and(|link| link.record == record.id);
            own && had.is_some() && incoming.written.contains(field)
        }
    };
    (writing || due) && !planted::is(Bug::CrossingWriteStands)
}

/// Fields whose owner depends on the record's state.
fn conditional(context: Context<'_>) -> Vec<&Field> {
    let fields = context.schema.fields.iter();
    fields.filter(|(_, spec)| !spec.owners.is_empty()).map(|(field, _)| field).collect()
}

/// What a message says, by field: first what does not depend on the record's state, so that whose the rest is follows
/// from what the message makes of it, in whatever order its fields stand.
pub(crate) fn said<'a>(
    context: Context<'a>,
    incoming: &Incoming,
    references: &[(Field, RecordId)],
) -> Vec<(&'a Field, Value)> {
    let values = incoming.fields.iter().map(|(name, value)| (name.as_str(), value.clone()));
    let links = references.iter().map(|(field, id)| (field.as_str(), Value::String(id.to_string())));
    let known = values.chain(links).filter_map(|(name, value)| {
        let (field, spec) = context.schema.fields.get_key_value(name)?;
        Some((field, spec, value))
    });
    let (mut first, then): (Vec<_>, Vec<_>) = known.partition(|(_, spec, _)| spec.owners.is_empty());
    first.extend(then);
    first.into_iter().map(|(field, _, value)| (field, value)).collect()
}

/// A field whose owner is another one now: from here on its word counts, which is asked for.
fn moved_ownership(
    context: Context<'_>,
    incoming: &Incoming,
    sight: Sight,
    before: &Fields,
    record: &Record,
    accepted: &mut Accepted,
) {
    for field in conditional(context) {
        let Some(spec) = context.schema.fields.get(field) else { continue };
        let (was, is) = (spec.owner_in(before), spec.owner_in(&record.fields));
        if was == is {
            continue;
        }
        let named = |owner: Option<&System>| owner.map_or_else(|| "nobody".to_owned(), ToString::to_string);
        let rule = format!("it was {}'s, and is {}'s from now on", named(was), named(is));
        let moved = decision(context, incoming, record, DecisionKind::Moved, &rule);
        accepted.decisions.push(Decision { field: Some(field.clone()), ..moved });
        // Its own message that moves it may be of other fields only, or from before our last write there.
        let said = incoming.complete || incoming.fields.contains_key(field.as_str());
        let crossed = crosses_former(incoming, before, field);
        let asks = is.filter(|is| **is != incoming.about.system || !said || sight.superseded || crossed);
        accepted.reread.extend(asks.filter(|_| !planted::is(Bug::NewOwnerIsNotAsked)).cloned());
    }
}

/// Whether what a former owner said is on its way to the system that says this, or about to be: it may come after it, and is not
/// put right there once the field is that system's own.
fn crosses_former(incoming: &Incoming, before: &Fields, field: &Field) -> bool {
    let name = field.as_str();
    let said = incoming.fields.get(name);
    let writing = incoming.writing.get(name).is_some_and(|writing| Some(writing) != said);
    let told = incoming.known.get(name).is_none_or(|known| before.get(name) == Some(known));
    writing || !told && before.get(name) != said
}

/// Whether another system has said this field after that state was known: each source's order places only its own.
fn said_later(incoming: &Incoming, record: &Record, field: &Field) -> bool {
    let here = record.provenance.get(field);
    here.is_some_and(|here| here.system != incoming.about.system && here.at > incoming.as_of)
}

fn take(context: Context<'_>, incoming: &Incoming, record: &mut Record, field: &Field, value: Value) {
    record.fields.insert(field.as_str().to_owned(), value);
    record.provenance.insert(
        field.clone(),
        Provenance {
            system: incoming.about.system.clone(),
            event: context.event,
            // What is said again was said then.
            at: if incoming.silent { incoming.as_of.min(context.now) } else { context.now },
            mapping: incoming.mapping,
            changed: incoming.changed_at,
        },
    );
}

/// Values that only this system knows. They have no order of their own: of a state that comes late only what is missing
/// counts, unless it is newer than all that the system has said.
fn extend(incoming: &Incoming, record: &mut Record) -> bool {
    let mut changed = false;
    let newest = heard_to(record, &incoming.about.system);
    let counts = match (incoming.order, newest) {
        (_, None) => true,
        (Some(order), Some(newest)) => {
            order > newest || order == newest && (incoming.read || !incoming.silent)
        }
        (None, Some(_)) => !incoming.silent,
    };
    if !incoming.extensions.is_empty() {
        let kept = record.extensions.entry(incoming.about.system.clone()).or_default();
        for (name, value) in &incoming.extensions {
            let known = kept.get(name);
            if known != Some(value) && (counts || known.is_none()) {
                kept.insert(name.clone(), value.clone());
                changed = true;
            }
        }
    }
    changed
}

/// Moves the source's watermarks. Returns whether they moved.
fn advance(context: Context<'_>, incoming: &Incoming, record: &mut Record) -> bool {
    let Some(order) = incoming.order else { return false };
    let marks = record.marks.entry(incoming.about.system.clone()).or_default();
    if incoming.complete {
        if marks.object >= Some(order) {
            return false;
        }
        marks.object = Some(order);
        marks.fields.retain(|_, mark| *mark > order);
        return true;
    }
    let mut moved = false;
    let named = incoming.fields.keys().map(String::as_str);
    let named = named.chain(incoming.references.iter().map(|(field, _)| field.as_str()));
    for name in named {
        let Some((field, _)) = context.schema.fields.get_key_value(name) else { continue };
        if marks.of(field) < Some(order) {
            marks.fields.insert(field.clone(), order);
            moved = true;
        }
    }
    moved
}
