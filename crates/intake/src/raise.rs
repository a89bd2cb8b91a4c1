//! What follows from a change: facts with occurrence keys, and the levels that systems must now reach.

use std::collections::BTreeMap;

use canonical::schema::FactRule;
use canonical::{Alive, EventId, Fact, Fields, Record, RouteId, System};
use ledger::{ObligationKey, OnExit, Route, RouteKind, Subject};
use planted::Bug;

use crate::restored;
use crate::verdict::{Accepted, Context, DecisionKind, Incoming, Raise};

/// The generic event of the change, and the declared domain events whose conditions have come true.
pub(crate) fn facts(
    context: Context<'_>,
    incoming: &Incoming,
    before: Option<&Record>,
    after: &mut Record,
) -> Vec<Fact> {
    if incoming.silent {
        // What holds has happened before, and is not to happen once more when a flapping value comes back to it.
        let known = context.schema.facts.iter().filter(|rule| holds(rule, &after.fields));
        let known: Vec<String> = known.map(|rule| occurrence(rule, &after.fields)).collect();
        if after.alive == Alive::Live {
            after.occurrences.extend(known);
        }
        return Vec::new();
    }
    let prefix = context.schema.event_prefix();
    let what = match (before, &after.alive) {
        (None, _) => "created",
        (Some(_), Alive::Deleted { .. }) => "deleted",
        _ => "updated",
    };
    let none = Fields::new();
    let old = before.map_or(&none, |record| &record.fields);
    let data = after.fields.iter().filter(|(name, value)| old.get(*name) != Some(*value));
    let data: Fields = data.map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut facts =
        vec![fact(context, incoming, after, context.event, format!("{prefix}.{what}"), None, data)];
    if after.alive != Alive::Live {
        return facts;
    }
    for (index, rule) in context.schema.facts.iter().enumerate() {
        if !holds(rule, &after.fields) || (before.is_some() && holds(rule, old)) {
            continue;
        }
        let occurrence = occurrence(rule, &after.fields);
        if !after.occurrences.insert(occurrence.clone()) {
            continue;
        }
        let carried = rule.carries.iter();
        let carried: Fields = carried
            .filter_map(|field| Some((field.as_str().to_owned(), after.fields.get(field.as_str())?.clone())))
            .collect();
        let data = if rule.carries.is_empty() { after.fields.clone() } else { carried };
        let key = format!("{}/{occurrence}", after.id);
        facts.push(fact(
            context,
            incoming,
            after,
            sibling(context.event, index),
            rule.event.clone(),
            Some(key),
            data,
        ));
    }
    facts
}

fn holds(rule: &FactRule, fields: &Fields) -> bool {
    rule.when.iter().all(|condition| condition.holds(fields))
}

/// Tells one happening from the next.
fn occurrence(rule: &FactRule, fields: &Fields) -> String {
    let parts = rule.occurrence.iter();
    let parts: Vec<String> =
        parts.map(|field| fields.get(field.as_str()).map(ToString::to_string).unwrap_or_default()).collect();
    format!("{}/{}", rule.event, parts.join("\u{1f}"))
}

/// A further id of the same turn: the last bytes count up, so that ids stay ordered and unique.
fn sibling(id: EventId, index: usize) -> EventId {
    let number = id.0.as_u128();
    let low = u64::try_from(index).unwrap_or(u64::MAX).wrapping_add(1);
    EventId(uuid::Uuid::from_u128(number ^ u128::from(low)))
}

pub(crate) fn fact(
    context: Context<'_>,
    incoming: &Incoming,
    record: &Record,
    id: EventId,
    kind: String,
    occurrence: Option<String>,
    data: Fields,
) -> Fact {
    Fact {
        id,
        tenant: context.tenant.clone(),
        kind,
        entity: record.entity.clone(),
        record: record.id,
        version: record.version,
        schema: record.schema,
        mappings: BTreeMap::new(),
        source: incoming.about.system.clone(),
        at: incoming.occurred_at.unwrap_or_else(|| context.now.min(incoming.as_of)),
        occurrence,
        trace: incoming.trace.clone(),
        data,
    }
}

/// Raises every route the change concerns.
pub(crate) fn raises(
    context: Context<'_>,
    incoming: &Incoming,
    before: Option<&Record>,
    after: &Record,
    accepted: &mut Accepted,
) {
    for route in context.routes {
        match route.kind {
            RouteKind::Sync => {
                let own = route.system == incoming.about.system && route.object == incoming.about.object;
                if own || !concerned(context, route, before, after) {
                    continue;
                }
                accepted.raises.push(raise(
                    context,
                    incoming,
                    after,
                    route,
                    Subject::Record(after.id),
                    false,
                ));
            }
            RouteKind::Notify => {
                let wanted = accepted.facts.iter().filter(|fact| route.events.contains(&fact.kind));
                let passes = route.filter.iter().all(|condition| condition.holds(&after.fields));
                let wanted = wanted.filter(|_| passes).map(|fact| Subject::Event(fact.id));
                let raised: Vec<Raise> =
                    wanted.map(|subject| raise(context, incoming, after, route, subject, false)).collect();
                accepted.raises.extend(raised);
            }
        }
    }
}

/// The same for the objects that were another record's before: what concerned that one concerns this one from now on.
pub(crate) fn also(
    context: Context<'_>,
    incoming: &Incoming,
    other: &Record,
    after: &Record,
    accepted: &mut Accepted,
) {
    for route in context.routes.iter().filter(|route| route.kind == RouteKind::Sync) {
        let known = accepted.raises.iter().any(|raise| raise.key.route == route.id);
        if !known && concerned(context, route, Some(other), after) {
            let subject = Subject::Record(after.id);
            accepted.raises.push(raise(context, incoming, after, route, subject, false));
        }
    }
}

/// Whether a sync route has to do with the record before or after the change: leaving a filter is an obligation too, and
/// after a restore the record may have been within it meanwhile.
fn concerned(context: Context<'_>, route: &Route, before: Option<&Record>, after: &Record) -> bool {
    let passes = |fields: &Fields| route.filter.iter().all(|condition| condition.holds(fields));
    let left =
        || before.is_some_and(|record| passes(&record.fields)) && !planted::is(Bug::FilterLeftSilently);
    let forgotten = || route.exits().next().is_some() && restored::may_be_forgotten(context, before);
    // What was kept when it left the filter may still have to go when it is deleted.
    let ended = || {
        let lived = before.is_some_and(|record| record.alive == Alive::Live);
        lived && after.alive != Alive::Live && route.on_delete != OnExit::Keep
    };
    passes(&after.fields) || left() || ended() || forgotten()
}

/// The routes that write the object that a message is about.
fn own<'a>(context: Context<'a>, incoming: &Incoming) -> impl Iterator<Item = &'a &'a Route> {
    let (system, object) = (incoming.about.system.clone(), incoming.about.object.clone());
    context.routes.iter().filter(move |route| {
        route.kind == RouteKind::Sync && route.system == system && route.object == object
    })
}

/// Whether any route writes the object that a message is about.
pub(crate) fn reaches(context: Context<'_>, incoming: &Incoming) -> bool {
    own(context, incoming).next().is_some()
}

/// Whether any route writes the record to that system, as it is.
pub(crate) fn leads_to(context: Context<'_>, system: &System, record: &Record) -> bool {
    let mut routes = context.routes.iter().filter(|route| route.kind == RouteKind::Sync);
    routes.any(|route| route.system == *system && concerned(context, route, None, record))
}

/// Systems that are told once more: proposed to, or turned down.
pub(crate) fn tell(context: Context<'_>, incoming: &Incoming, record: &Record, accepted: &mut Accepted) {
    let told = context.routes.iter().filter(|route| {
        route.kind == RouteKind::Sync
            && accepted.tell.contains(&route.system)
            && concerned(context, route, None, record)
    });
    let raises: Vec<Raise> =
        told.map(|route| raise(context, incoming, record, route, Subject::Record(record.id), true)).collect();
    accepted.raises.extend(raises);
}

/// After a refused edit that is to be reverted: the source's own object must be told again.
pub(crate) fn revert(context: Context<'_>, incoming: &Incoming, record: &Record, accepted: &mut Accepted) {
    let reverted = accepted.decisions.iter().any(|decision| decision.kind == DecisionKind::Reverted);
    if !reverted && !accepted.untold {
        return;
    }
    for route in own(context, incoming) {
        accepted.raises.push(raise(context, incoming, record, route, Subject::Record(record.id), true));
    }
}

/// Every other system that the record goes to is told again, whatever it was told before.
pub(crate) fn again(context: Context<'_>, incoming: &Incoming, record: &Record, accepted: &mut Accepted) {
    for route in context.routes.iter().filter(|route| route.kind == RouteKind::Sync) {
        let own = route.system == incoming.about.system && route.object == incoming.about.object;
        if !own && concerned(context, route, None, record) {
            accepted.raises.push(raise(context, incoming, record, route, Subject::Record(record.id), true));
        }
    }
}

pub(crate) fn raise(
    context: Context<'_>,
    incoming: &Incoming,
    record: &Record,
    route: &Route,
    subject: Subject,
    again: bool,
) -> Raise {
    Raise {
        key: ObligationKey { tenant: context.tenant.clone(), route: RouteId(route.id.0.clone()), subject },
        system: route.system.clone(),
        object: route.object.clone(),
        entity: record.entity.clone(),
        record: record.id,
        lane: route.lane,
        version: record.version,
        again,
        due: context.now,
        at: context.now,
        trace: incoming.trace.clone(),
        replay: None,
    }
}
