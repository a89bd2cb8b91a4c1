//! Two records are one, or are two again: what a person orders about records by name. Pure: both come in as they stand, and
//! what is to be written comes out, with what a plan shows of it.
//!
//! A merge takes nothing away. The record that is merged stays as an alias for ever, with all that it had; the survivor keeps
//! what it had before. So a split gives both back, and what was said since goes to the one whose object said it.

mod fields;
mod show;
mod split;

use std::collections::{BTreeMap, BTreeSet};

use canonical::{
    ABSORBED_MAX, ALIAS_HOPS_MAX, Absorbed, Alive, Before, EventId, ExternalRef, Fact, Field, Fields,
    IntentId, JobId, Object, Record, RecordId, System, Taken,
};
use ledger::{FieldLine, Level, Obligation, ObligationKey, RouteKind, Shadow, Shown, Side, Subject};
use serde_json::Value;

use crate::decide::{changed, decision};
use crate::key::kept_keys;
use crate::link::Link;
use crate::raise;
use crate::verdict::{Accepted, Context, Decision, DecisionKind, Incoming, Raise};

pub use split::split;

/// A record with what hangs on it.
#[derive(Clone, PartialEq, Debug)]
pub struct Whole {
    /// The record itself, not the one that stands for it.
    pub record: Record,
    /// Its links.
    pub links: Vec<Link>,
    /// Its shadows.
    pub shadows: Vec<Shadow>,
    /// Deliveries of its own state.
    pub obligations: Vec<Obligation>,
    /// What is on its way about it, or in doubt, and where to.
    pub open: Vec<(IntentId, System)>,
}

/// What a record's objects are known to have, read as fields, by system.
pub type There = BTreeMap<System, Fields>;

/// What is ordered about two records.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The one that stays.
    pub keep: &'a Whole,
    /// The one that is merged into it, or was.
    pub gone: &'a Whole,
    /// What the objects of either are known to have, read as fields.
    pub there: [&'a There; 2],
    /// Whose value counts where no rule says it.
    pub prefer: &'a BTreeMap<Field, Side>,
    /// The job that carries it out.
    pub job: JobId,
    /// Who, and why.
    pub why: &'a str,
    /// Follows the change.
    pub trace: &'a str,
}

/// What is to be written, all or nothing, in this order.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Reshaped {
    /// The records as they then stand, with the versions that they had.
    pub records: Vec<(Record, i64)>,
    /// Match keys that a record newly has.
    pub matches_added: Vec<(RecordId, (String, String))>,
    /// Match keys that a record no longer has.
    pub matches_dropped: Vec<(RecordId, (String, String))>,
    /// Links as they then stand. Those that stay as they are, too: what waits for the other record's id is woken.
    pub links: Vec<Link>,
    /// Shadows as they then stand, with the revisions that they had.
    pub shadows: Vec<(Shadow, i64)>,
    /// What happened.
    pub facts: Vec<Fact>,
    /// What must now be reached.
    pub raises: Vec<Raise>,
    /// Deliveries that somebody else's take the place of, with the level that was wanted.
    pub superseded: Vec<(ObligationKey, Level)>,
    /// Who and why, and what was decided about each field.
    pub decisions: Vec<Decision>,
    /// Objects that are to be read, where they can be.
    pub wanted: Vec<ExternalRef>,
    /// What a plan shows of it.
    pub shown: Shown,
}

/// Which fields a route writes of a record: what its mapping carries, without what the target owns.
pub type Carried<'a> = dyn Fn(&ledger::Route, &Record) -> BTreeSet<Field> + 'a;

/// A record is merged into another.
///
/// # Errors
/// Why it can't be.
pub fn merge(context: Context<'_>, order: Order<'_>, carried: &Carried<'_>) -> Result<Reshaped, String> {
    let (keep, gone) = (&order.keep.record, &order.gone.record);
    may_merge(order)?;
    let version = keep.version.max(gone.version);
    let objects = taken(order);
    let mut after = keep.clone();
    let lines = fields::merge(context, order, &mut after)?;
    unite(order, &objects, &mut after);
    let aliases = gone.absorbed.iter().flat_map(|(id, absorbed)| absorbed.aliases.iter().chain([id]));
    let absorbed = Absorbed {
        at: context.now,
        version: version + 1,
        job: order.job,
        why: order.why.to_owned(),
        objects: objects.clone(),
        aliases: aliases.copied().collect(),
        hops: gone.alias_hops() + 1,
        before: Before::of(keep, read_under(context, keep)),
        ended: None,
    };
    after.absorbed.insert(gone.id, absorbed);
    let mut out = Reshaped::default();
    let incoming = Incoming::of_order(&spokesman(context, order, &lines), context.now, order.trace);
    // The greater of both versions goes on, so that nothing that either was told counts as newer.
    let standing = Record { version, ..keep.clone() };
    out.change(context, &incoming, (&standing, keep.version), after, Some(gone));
    alias(context, order, &incoming, &mut out);
    out.carry(order, &objects, context.now);
    for row in order.gone.obligations.iter().filter(|row| row.state.is_open() || needs_person(row)) {
        out.superseded.push((row.key.clone(), row.wanted));
    }
    let rule = format!("{} was merged into it: {}", gone.id, order.why);
    out.decide(context, &incoming, keep, DecisionKind::Absorbed, &rule, &lines);
    let rule = format!("merged into {}: {}", keep.id, order.why);
    out.decide(context, &incoming, gone, DecisionKind::Absorbed, &rule, &[]);
    out.shown.fields = lines;
    show::merge(order, &objects, carried, context, &mut out);
    Ok(out)
}

fn needs_person(row: &Obligation) -> bool {
    matches!(row.state, ledger::State::Dead | ledger::State::Uncertain)
}

fn may_merge(order: Order<'_>) -> Result<(), String> {
    let (keep, gone) = (&order.keep.record, &order.gone.record);
    if keep.id == gone.id {
        return Err(format!("{} can't be merged into itself: name two records", keep.id));
    }
    if keep.entity != gone.entity {
        return Err(format!(
            "{} is of the type {}, {} of the type {}: only records of one type are merged",
            keep.id, keep.entity, gone.id, gone.entity
        ));
    }
    for record in [keep, gone] {
        match &record.alive {
            Alive::Live => {}
            Alive::Deleted { by, .. } => {
                return Err(format!("{} was deleted by {by}: only records that stand are merged", record.id));
            }
            Alive::Merged { into } => {
                return Err(format!("{} was merged into {into} already: name that one", record.id));
            }
        }
    }
    if keep.absorbed.len() >= ABSORBED_MAX {
        let other = "merge it into the other one instead";
        return Err(format!("{ABSORBED_MAX} records were merged into {} already: {other}", keep.id));
    }
    if gone.alias_hops() >= ALIAS_HOPS_MAX {
        let what = if keep.alias_hops() < ALIAS_HOPS_MAX {
            format!("merge {} into it instead", keep.id)
        } else {
            "split what was merged into one of the two last".to_owned()
        };
        return Err(format!(
            "{ALIAS_HOPS_MAX} merges, one after the other, lead to {} already, and an alias is followed no further: {what}",
            gone.id
        ));
    }
    Ok(())
}

/// The objects that come with the record that goes. Those of a kind that the survivor has there are duplicates, and so are
/// those that were before: they stay linked to their aliases.
fn taken(order: Order<'_>) -> Vec<Taken> {
    let (of, links) = (order.gone.record.id, order.gone.links.iter());
    let own = |link: &Link| order.keep.links.iter().any(|own| same_kind(own, link));
    let own = links.map(|link| Taken { object: link.external(), of, second: own(link), ended: false });
    let before = order.gone.record.absorbed.values().flat_map(|absorbed| &absorbed.objects);
    own.chain(before.filter(|taken| taken.second).cloned()).collect()
}

fn same_kind(one: &Link, other: &Link) -> bool {
    one.system == other.system && one.object == other.object
}

/// Which record's object speaks for a system after a merge.
fn speaker(order: Order<'_>, system: &System) -> Option<Side> {
    let of = |whole: &Whole| whole.links.iter().any(|link| link.system == *system);
    if of(order.keep) {
        return Some(Side::Keep);
    }
    of(order.gone).then_some(Side::Gone)
}

/// What each system said last, what only it knows, what is not settled, and what has fired.
fn unite(order: Order<'_>, objects: &[Taken], after: &mut Record) {
    let gone = &order.gone.record;
    let moves = |system: &System| speaker(order, system) == Some(Side::Gone);
    for (system, marks) in &gone.marks {
        // Its order is its object's: who speaks from now on.
        if moves(system) || !after.marks.contains_key(system) {
            after.marks.insert(system.clone(), marks.clone());
        }
    }
    for (system, values) in &gone.extensions {
        let kept = after.extensions.entry(system.clone()).or_default();
        for (name, value) in values {
            if moves(system) || !kept.contains_key(name) {
                kept.insert(name.clone(), value.clone());
            }
        }
    }
    for (field, open) in &gone.open {
        let comes = objects.iter().any(|taken| !taken.second && taken.object.system == open.system);
        if comes && !after.open.contains_key(field) && after.fields.get(field.as_str()) != Some(&open.value) {
            after.open.insert(field.clone(), open.clone());
        }
    }
    after.occurrences.extend(gone.occurrences.iter().cloned());
}

/// The version of the schema under which a record was read, and is written.
fn read_under(context: Context<'_>, record: &Record) -> u32 {
    context.schema.version.max(record.schema)
}

/// The record that goes stays as an alias: with all that it had, at its last version.
fn alias(context: Context<'_>, order: Order<'_>, incoming: &Incoming, out: &mut Reshaped) {
    let (keep, gone) = (&order.keep.record, &order.gone.record);
    let after = Record {
        version: gone.version + 1,
        schema: read_under(context, gone),
        alive: Alive::Merged { into: keep.id },
        updated_at: context.now,
        ..gone.clone()
    };
    let data = [("into".to_owned(), Value::String(keep.id.to_string()))].into_iter().collect();
    out.tell(context, incoming, &after, ("merged", 1), data);
    if gone.schema != after.schema {
        // Another schema may have had other keys.
        out.found_by_all(context, &after);
    }
    out.records.push((after, gone.version));
}

impl Reshaped {
    /// A record has all of its match keys, whatever it had of them.
    fn found_by_all(&mut self, context: Context<'_>, record: &Record) {
        let keys = kept_keys(context.schema, record).into_iter().map(|pair| (record.id, pair));
        let new: Vec<_> = keys.filter(|key| !self.matches_added.contains(key)).collect();
        self.matches_added.extend(new);
    }

    /// A new version of a record, which is to be reached wherever it, or the other one, is to be.
    fn change(
        &mut self,
        context: Context<'_>,
        incoming: &Incoming,
        (before, stored): (&Record, i64),
        after: Record,
        other: Option<&Record>,
    ) {
        let id = after.id;
        let mut accepted = Accepted::default();
        changed(context, incoming, Some(before), after, &mut accepted);
        let Some((after, _)) = accepted.record.take() else { return };
        if let Some(other) = other {
            raise::also(context, incoming, other, &after, &mut accepted);
        }
        self.records.push((after, stored));
        self.matches_added.extend(accepted.matches_added.into_iter().map(|pair| (id, pair)));
        self.matches_dropped.extend(accepted.matches_dropped.into_iter().map(|pair| (id, pair)));
        self.facts.extend(accepted.facts);
        self.raises.extend(accepted.raises);
    }

    /// An event that says what became of a record by itself.
    fn tell(
        &mut self,
        context: Context<'_>,
        incoming: &Incoming,
        record: &Record,
        (what, place): (&str, u128),
        data: canonical::Fields,
    ) {
        // Beside the ids of the events that a change makes.
        let id = EventId(uuid::Uuid::from_u128(context.event.0.as_u128() ^ (place << 32)));
        let kind = format!("{}.{what}", context.schema.event_prefix());
        let fact = raise::fact(context, incoming, record, id, kind, None, data);
        let told = context.routes.iter().filter(|route| {
            route.kind == RouteKind::Notify
                && route.events.contains(&fact.kind)
                && route.filter.iter().all(|condition| condition.holds(&record.fields))
        });
        let raises =
            told.map(|route| raise::raise(context, incoming, record, route, Subject::Event(id), false));
        self.raises.extend(raises.collect::<Vec<_>>());
        self.facts.push(fact);
    }

    /// Links and shadows of the objects that move, and the links that stay.
    fn carry(&mut self, order: Order<'_>, objects: &[Taken], now: canonical::Wall) {
        let (keep, gone) = (order.keep, order.gone);
        self.links.extend(keep.links.iter().cloned());
        for link in &gone.links {
            let object = link.external();
            let second = objects.iter().any(|taken| taken.object == object && taken.second);
            let theirs = gone.shadows.iter().find(|shadow| is_at(shadow, &link.system, &link.object));
            if second {
                continue;
            }
            self.links.push(Link { record: keep.record.id, created_at: now, ..link.clone() });
            let Some(theirs) = theirs else { continue };
            self.move_shadow(theirs, keep);
        }
    }

    /// What is known of an object is known of it under its other record. Its former row counts up too, so that whoever was
    /// about to write it looks again.
    fn move_shadow(&mut self, from: &Shadow, to: &Whole) {
        let there = to.shadows.iter().find(|shadow| is_at(shadow, &from.system, &from.object));
        let (revision, edits) =
            there.map(|shadow| (shadow.revision, shadow.edits.clone())).unwrap_or_default();
        // What persons ordered to be said there was about the other record's deliveries.
        let moved = Shadow { record: to.record.id, revision, edits, ..from.clone() };
        self.shadows.push((moved, revision));
        self.shadows.push((from.clone(), from.revision));
    }

    /// Who and why, and for each field by which rule.
    fn decide(
        &mut self,
        context: Context<'_>,
        incoming: &Incoming,
        record: &Record,
        kind: DecisionKind,
        rule: &str,
        lines: &[FieldLine],
    ) {
        self.decisions.push(decision(context, incoming, record, kind, rule));
        for line in lines.iter().filter(|line| line.record == record.id) {
            let whose = match line.takes {
                Some(Side::Keep) => "its own value stays",
                Some(Side::Gone) => "the other record's value",
                None => "both brought together",
            };
            let of_field = decision(context, incoming, record, kind, &format!("{whose}: {}", line.why));
            self.decisions.push(Decision { field: Some(line.field.clone()), ..of_field });
        }
    }
}

fn is_at(shadow: &Shadow, system: &System, object: &Object) -> bool {
    shadow.system == *system && shadow.object == *object
}

/// The system in whose name it is told: one whose values come in, else one that has an object of either.
fn spokesman(context: Context<'_>, order: Order<'_>, lines: &[FieldLine]) -> System {
    let (keep, gone) = (order.keep, order.gone);
    let came = lines.iter().filter(|line| line.takes == Some(Side::Gone));
    let said = came.filter_map(|line| gone.record.provenance.get(&line.field)).map(|from| &from.system);
    let linked = gone.links.iter().chain(&keep.links).map(|link| &link.system);
    let known = gone.record.provenance.values().chain(keep.record.provenance.values());
    let routed = context.routes.iter().map(|route| &route.system);
    let mut all = said.chain(linked).chain(known.map(|from| &from.system)).chain(routed);
    all.next()
        .cloned()
        .unwrap_or_else(|| System::new("concord").unwrap_or_else(|_| unreachable!("it is made of letters")))
}
