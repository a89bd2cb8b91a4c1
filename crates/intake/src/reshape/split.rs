//! A record that was merged into another is one of its own again.
//!
//! It has what it had, and what its own objects said since; the survivor has what it had, and what everybody else said since.

use std::collections::{BTreeMap, BTreeSet};

use canonical::{Absorbed, Alive, ExternalRef, Field, Fields, Open, Provenance, Record, System, Taken, Wall};
use ledger::{FieldLine, Obligation, Route, RouteKind, Side, State, Subject};
use serde_json::Value;

use super::{Carried, Order, Reshaped, is_at, show};
use crate::link::Link;
use crate::raise;
use crate::verdict::{Context, DecisionKind, Incoming};

/// A record that was merged into another is one of its own again.
///
/// # Errors
/// Why it can't be: above all, Concord takes back only what was merged in Concord.
pub fn split(context: Context<'_>, order: Order<'_>, carried: &Carried<'_>) -> Result<Reshaped, String> {
    let absorbed = may_split(order)?;
    let (keep, gone) = (&order.keep.record, &order.gone.record);
    let since = Since::of(order, absorbed);
    let (mut kept, mut back) = (keep.clone(), gone.clone());
    kept.absorbed.remove(&gone.id);
    back.alive = Alive::Live;
    objects_since(absorbed, &mut back);
    since.ends(context, order, absorbed, &mut kept, &mut back);
    let lines = since.fields(order, absorbed, &mut kept, &mut back);
    since.marks(order, absorbed, &mut kept, &mut back);
    since.extensions(order, absorbed, &mut kept, &mut back);
    settle_open(absorbed, gone, &mut kept);
    occurred(absorbed, keep, &mut kept, &mut back);

    let mut out = Reshaped::default();
    let incoming = Incoming::of_order(&super::spokesman(context, order, &[]), context.now, order.trace);
    let version = keep.version.max(gone.version);
    // As it was known to those who were told of it.
    let standing = Record { version, alive: Alive::Live, ..gone.clone() };
    out.change(context, &incoming, (&standing, gone.version), back, None);
    owes_again(context, &incoming, order, &mut out);
    let data = [("from".to_owned(), Value::String(keep.id.to_string()))].into_iter().collect();
    if let Some((record, _)) = out.records.first().cloned() {
        out.found_by_all(context, &record);
        out.tell(context, &incoming, &record, ("split", 2), data);
    }
    // The events of one order have ids of their own.
    let other = Context { event: sibling(context), ..context };
    out.change(other, &incoming, (keep, keep.version), kept, None);
    since.carry(order, context.now, &mut out);
    let rule = format!("split from {}: {}", keep.id, order.why);
    out.decide(context, &incoming, gone, DecisionKind::Split, &rule, &lines);
    let rule = format!("{} was split from it: {}", gone.id, order.why);
    out.decide(context, &incoming, keep, DecisionKind::Split, &rule, &lines);
    out.shown.fields = lines;
    show::split(order, absorbed, carried, context, &mut out);
    Ok(out)
}

/// What was still to reach its objects when it was merged, and made way for the survivor's, is to reach them after all. That it had
/// left a filter, above all, nothing else says again (I8).
fn owes_again(context: Context<'_>, incoming: &Incoming, order: Order<'_>, out: &mut Reshaped) {
    let Some((record, _)) = out.records.first().cloned() else { return };
    let owed = |route: &&&Route| {
        let of = |row: &Obligation| row.state == State::Superseded && row.key.route == route.id;
        route.kind == RouteKind::Sync && order.gone.obligations.iter().any(of)
    };
    for route in context.routes.iter().filter(owed) {
        if !out.raises.iter().any(|raise| raise.record == record.id && raise.key.route == route.id) {
            let subject = Subject::Record(record.id);
            out.raises.push(raise::raise(context, incoming, &record, route, subject, true));
        }
    }
}

fn sibling(context: Context<'_>) -> canonical::EventId {
    canonical::EventId(uuid::Uuid::from_u128(context.event.0.as_u128() ^ (3 << 32)))
}

fn may_split(order: Order<'_>) -> Result<&Absorbed, String> {
    let (keep, gone) = (&order.keep.record, &order.gone.record);
    let only = "Concord takes back only what was merged with `concord record merge`; objects that were merged at a vendor \
                stay one";
    match &gone.alive {
        Alive::Merged { into } if *into == keep.id => {}
        Alive::Merged { into } => {
            return Err(format!(
                "{} was merged into {into}, and not into {}: name that one",
                gone.id, keep.id
            ));
        }
        Alive::Live | Alive::Deleted { .. } => {
            return Err(format!("{} was not merged into another record: {only}", gone.id));
        }
    }
    if let Alive::Merged { into } = &keep.alive {
        return Err(format!("{} was merged into {into} after that: split it from {into} first", keep.id));
    }
    let absorbed = keep.absorbed.get(&gone.id);
    let absorbed = absorbed.ok_or_else(|| format!("{} does not know {}: {only}", keep.id, gone.id))?;
    // What the survivor had before is told from what came with this one, and not from what came with another since.
    let last = keep.absorbed.iter().max_by_key(|(_, absorbed)| absorbed.version);
    if let Some((later, _)) = last.filter(|(id, later)| **id != gone.id && later.version > absorbed.version) {
        return Err(format!(
            "{later} was merged into {} after {}: split that one first (concord record split {}/{later})",
            keep.id, gone.id, keep.entity
        ));
    }
    Ok(absorbed)
}

/// What is known of what was said since the merge, and by whose object.
struct Since<'a> {
    /// Links that go back.
    returning: Vec<&'a Link>,
    /// Systems of which every object goes back: what they said since is the other record's.
    theirs: BTreeSet<System>,
}

impl<'a> Since<'a> {
    fn of(order: Order<'a>, absorbed: &Absorbed) -> Self {
        let taken = |link: &Link| absorbed.objects.iter().any(|taken| taken.object == link.external());
        let returning: Vec<&Link> = order.keep.links.iter().filter(|link| taken(link)).collect();
        let stays =
            |system: &System| order.keep.links.iter().any(|link| link.system == *system && !taken(link));
        let systems = returning.iter().map(|link| &link.system);
        let theirs = systems.filter(|system| !stays(system)).cloned().collect();
        Self { returning, theirs }
    }

    /// So does the end of each: whose object was deleted since, by a system that may, is deleted.
    fn ends(
        &self,
        context: Context<'_>,
        order: Order<'_>,
        absorbed: &Absorbed,
        kept: &mut Record,
        back: &mut Record,
    ) {
        let schema = context.schema;
        let counts = |system: &System| {
            schema.deleters.contains(system) && schema.on_delete == canonical::schema::OnDelete::Archive
        };
        let ended = |by: &System| Alive::Deleted { by: by.clone(), at: context.now };
        if let Alive::Deleted { by, .. } = &order.keep.record.alive
            && self.theirs.contains(by)
        {
            // It was the other record's object that ended.
            (back.alive, kept.alive) = (order.keep.record.alive.clone(), Alive::Live);
        }
        let own = |system: &System| order.gone.links.iter().any(|link| link.system == *system);
        let own_ended = |taken: &&Taken| taken.of == back.id && taken.ended && counts(&taken.object.system);
        // One that was a second one of it before goes on in its place.
        let goes_on = |lost: &Taken| {
            let mut others = absorbed.objects.iter().filter(|taken| taken.of != back.id && !taken.ended);
            others.any(|taken| taken.is_like(&lost.object))
        };
        let lost = absorbed.objects.iter().filter(own_ended).filter(|lost| !goes_on(lost));
        if let Some(lost) = lost.map(|taken| &taken.object.system).find(|system| !own(system)) {
            back.alive = ended(lost);
            // The survivor had none there, and ended with it.
            let with_it = matches!(&kept.alive, Alive::Deleted { by, .. } if by == lost);
            let had = order.keep.links.iter().any(|link| link.system == *lost);
            if with_it && !had && absorbed.ended.as_ref() != Some(lost) {
                kept.alive = Alive::Live;
            }
        }
        if let Some(by) = absorbed.ended.as_ref().filter(|by| self.theirs.contains(*by) && counts(by))
            && kept.alive == Alive::Live
        {
            kept.alive = ended(by);
        }
    }

    /// Each value goes to whom it belongs. Gives a line for each that is another one from now on.
    fn fields(
        &self,
        order: Order<'_>,
        absorbed: &Absorbed,
        kept: &mut Record,
        back: &mut Record,
    ) -> Vec<FieldLine> {
        let (keep, gone) = (&order.keep.record, &order.gone.record);
        let before = &absorbed.before;
        let all = keep.fields.keys().chain(before.fields.keys()).chain(gone.fields.keys());
        let names: BTreeSet<&String> = all.collect();
        let mut lines = Vec::new();
        for field in names.into_iter().filter_map(|name| Field::new(name).ok()) {
            let name = field.as_str();
            let from = keep.provenance.get(&field);
            // Where nobody is known to have said it, the value tells.
            let is = |value: Option<&Value>, said: Option<&Provenance>| {
                from == said && (from.is_some() || keep.fields.get(name) == value)
            };
            let untouched = is(before.fields.get(name), before.provenance.get(&field))
                || is(gone.fields.get(name), gone.provenance.get(&field));
            let said_there = from.is_some_and(|from| self.theirs.contains(&from.system));
            let mut line = |record, takes, why: &str| {
                let (field, takes, why) = (field.clone(), Some(takes), why.to_owned());
                lines.push(FieldLine { record, field, takes, why });
            };
            if !untouched && !said_there {
                // Somebody else said it since: the survivor's.
                continue;
            }
            if !untouched {
                put(back, &field, keep.fields.get(name), from);
                line(gone.id, Side::Keep, "its own object said it since the merge");
            }
            if keep.fields.get(name) != before.fields.get(name) {
                line(keep.id, Side::Keep, "what it had before the merge");
            }
            put(kept, &field, before.fields.get(name), before.provenance.get(&field));
        }
        lines
    }

    fn marks(&self, order: Order<'_>, absorbed: &Absorbed, kept: &mut Record, back: &mut Record) {
        for system in order.keep.record.marks.keys() {
            if self.theirs.contains(system) {
                let said = order.keep.record.marks.get(system).cloned();
                back.marks.extend(said.map(|marks| (system.clone(), marks)));
            }
            let inherited = order.gone.record.marks.get(system) == order.keep.record.marks.get(system);
            if self.theirs.contains(system) || inherited && !absorbed.before.marks.contains_key(system) {
                restore(&mut kept.marks, system, absorbed.before.marks.get(system));
            }
        }
    }

    fn extensions(&self, order: Order<'_>, absorbed: &Absorbed, kept: &mut Record, back: &mut Record) {
        let none = Fields::new();
        for (system, now) in &order.keep.record.extensions {
            let before = absorbed.before.extensions.get(system).unwrap_or(&none);
            let had = order.gone.record.extensions.get(system).unwrap_or(&none);
            if self.theirs.contains(system) {
                let said = now
                    .iter()
                    .filter(|(name, value)| had.contains_key(*name) || before.get(*name) != Some(*value));
                let said: Vec<_> = said.map(|(name, value)| (name.clone(), value.clone())).collect();
                if !said.is_empty() {
                    back.extensions.entry(system.clone()).or_default().extend(said);
                }
                restore(&mut kept.extensions, system, absorbed.before.extensions.get(system));
                continue;
            }
            let Some(bag) = kept.extensions.get_mut(system) else { continue };
            bag.retain(|name, value| before.contains_key(name) || had.get(name) != Some(&*value));
            if bag.is_empty() && !absorbed.before.extensions.contains_key(system) {
                kept.extensions.remove(system);
            }
        }
    }

    /// Links and shadows go back with their objects. What the two still have, and what is read, is up to date then.
    fn carry(&self, order: Order<'_>, now: Wall, out: &mut Reshaped) {
        let (keep, gone) = (order.keep, order.gone);
        for link in &keep.links {
            let returns = self.returning.contains(&link);
            if !returns {
                out.links.push(link.clone());
                continue;
            }
            out.links.push(Link { record: gone.record.id, created_at: now, ..link.clone() });
            out.wanted.push(link.external());
            let shadow = keep.shadows.iter().find(|shadow| is_at(shadow, &link.system, &link.object));
            if let Some(shadow) = shadow {
                out.move_shadow(shadow, gone);
            }
        }
        for link in &gone.links {
            out.links.push(link.clone());
            // What it said as a duplicate was nobody's word.
            out.wanted.push(link.external());
        }
    }
}

/// What became of its objects, and of the second ones that it had, while they were the survivor's.
fn objects_since(taken: &Absorbed, back: &mut Record) {
    let id = back.id;
    let ended = |object: &ExternalRef| taken.objects.iter().any(|now| now.ended && now.object == *object);
    let own_ended =
        |like: &Taken| taken.objects.iter().any(|own| own.of == id && own.ended && own.is_like(&like.object));
    for (child, absorbed) in &mut back.absorbed {
        absorbed.objects.retain(|taken| !taken.second);
        for taken in &mut absorbed.objects {
            taken.ended |= ended(&taken.object);
        }
        let theirs = |taken: &&Taken| taken.of == *child || absorbed.aliases.contains(&taken.of);
        let seconds: Vec<Taken> = taken.objects.iter().filter(theirs).cloned().collect();
        let mut own = seconds.iter().filter(|taken| !taken.second && !taken.ended);
        if let Some(own) = own.find(|taken| own_ended(taken)) {
            absorbed.ended = Some(own.object.system.clone());
        }
        absorbed.objects.extend(seconds);
    }
}

fn put(record: &mut Record, field: &Field, value: Option<&Value>, from: Option<&Provenance>) {
    match value {
        Some(value) => drop(record.fields.insert(field.as_str().to_owned(), value.clone())),
        None => drop(record.fields.remove(field.as_str())),
    }
    match from {
        Some(from) => drop(record.provenance.insert(field.clone(), from.clone())),
        None => drop(record.provenance.remove(field)),
    }
}

fn restore<V: Clone>(all: &mut BTreeMap<System, V>, system: &System, before: Option<&V>) {
    match before {
        Some(before) => drop(all.insert(system.clone(), before.clone())),
        None => drop(all.remove(system)),
    }
}

/// What came unsettled with the other record is the other record's again.
fn settle_open(absorbed: &Absorbed, gone: &Record, kept: &mut Record) {
    let came = |field: &Field, open: &Open| {
        absorbed.before.open.get(field) != Some(open) && gone.open.get(field) == Some(open)
    };
    kept.open.retain(|field, open| !came(field, open));
}

/// What fired since has fired for both: once is enough.
fn occurred(absorbed: &Absorbed, keep: &Record, kept: &mut Record, back: &mut Record) {
    let before = &absorbed.before.occurrences;
    kept.occurrences.retain(|name| before.contains(name) || !back.occurrences.contains(name));
    let since = keep.occurrences.iter().filter(|name| !before.contains(*name));
    let since: Vec<String> = since.cloned().collect();
    back.occurrences.extend(since);
}
