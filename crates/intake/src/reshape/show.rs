//! What a plan shows: objects, writes, events, what a person does at vendors, and what nothing takes back.

use std::collections::BTreeSet;

use canonical::{Absorbed, Field, Record, Taken};
use ledger::{EventLine, Fate, ObjectLine, Subject, WriteLine};

use super::{Carried, Order, Reshaped, same_kind};
use crate::link::Link;
use crate::verdict::{Context, Raise};

/// What a merge does.
pub(super) fn merge(
    order: Order<'_>,
    objects: &[Taken],
    carried: &Carried<'_>,
    context: Context<'_>,
    out: &mut Reshaped,
) {
    let (keep, gone) = (order.keep, order.gone);
    for link in &keep.links {
        out.object(link, keep.record.id, Fate::Stays);
    }
    for link in &gone.links {
        let second = objects.iter().any(|taken| taken.second && taken.object == link.external());
        out.object(link, keep.record.id, if second { Fate::Duplicate } else { Fate::Moves });
        let Some(first) = keep.links.iter().find(|own| second && same_kind(own, link)) else { continue };
        out.shown.by_hand.push(format!(
            "in {}, merge {}/{} into {}/{}, or delete the one that is wrong: both stand for one record",
            link.system, link.object, link.external_id, first.object, first.external_id
        ));
        out.shown.irreversible.push(format!(
            "what {} merges or deletes there: a split finds no object to give back",
            link.system
        ));
    }
    out.writes(order, carried, context);
    out.events();
}

/// What a split does.
pub(super) fn split(
    order: Order<'_>,
    absorbed: &Absorbed,
    carried: &Carried<'_>,
    context: Context<'_>,
    out: &mut Reshaped,
) {
    let (keep, gone) = (order.keep, order.gone);
    for link in &keep.links {
        let returns = absorbed.objects.iter().any(|taken| taken.object == link.external());
        let (record, fate) =
            if returns { (gone.record.id, Fate::Returns) } else { (keep.record.id, Fate::Stays) };
        out.object(link, record, fate);
    }
    for link in &gone.links {
        out.object(link, gone.record.id, Fate::Returns);
    }
    for (record, _) in &out.records {
        if let canonical::Alive::Deleted { by, .. } = &record.alive {
            let said = format!("{} is deleted: {by} deleted its own object since the merge", record.id);
            out.shown.irreversible.push(said);
        }
    }
    let linked: BTreeSet<_> = keep.links.iter().chain(&gone.links).map(Link::external).collect();
    // What is linked to an alias of the other record stays so.
    let elsewhere = |taken: &&Taken| taken.second && taken.of != gone.record.id;
    let lost = absorbed.objects.iter().filter(|taken| !linked.contains(&taken.object));
    for taken in lost.filter(|taken| !elsewhere(taken)) {
        let (object, record, fate) = (taken.object.clone(), gone.record.id, Fate::Lost);
        out.shown.objects.push(ObjectLine { object, record, fate });
        out.shown
            .irreversible
            .push(format!("{} is linked to neither of the two any more, and stays as it is", taken.object));
    }
    out.writes(order, carried, context);
    out.events();
}

impl Reshaped {
    fn object(&mut self, link: &Link, record: canonical::RecordId, fate: Fate) {
        self.shown.objects.push(ObjectLine { object: link.external(), record, fate });
    }

    /// What each route writes, at most.
    fn writes(&mut self, order: Order<'_>, carried: &Carried<'_>, context: Context<'_>) {
        let mut lines = Vec::new();
        for raise in &self.raises {
            let Subject::Record(id) = raise.key.subject else { continue };
            let Some((after, _)) = self.records.iter().find(|(record, _)| record.id == id) else { continue };
            let Some(route) = context.routes.iter().find(|route| route.id == raise.key.route) else {
                continue;
            };
            let link = self.link_at(raise);
            let had = link.map(|link| formerly(order, link));
            let fields = carried(route, after).into_iter().filter(|field| differs(had, after, field));
            lines.push(WriteLine {
                record: id,
                route: raise.key.route.clone(),
                system: raise.system.clone(),
                object: raise.object.clone(),
                external_id: link.map(|link| link.external_id.clone()),
                fields: fields.map(|field| field.to_string()).collect(),
            });
        }
        for line in &lines {
            let there = format!("{}/{}", line.system, line.object);
            match &line.external_id {
                None => self.shown.irreversible.push(format!("an object may be made as {there}")),
                Some(id) if !line.fields.is_empty() => {
                    self.shown
                        .irreversible
                        .push(format!("{there}/{id} is written: what it had is not kept there"));
                }
                Some(_) => {}
            }
        }
        self.shown.writes = lines;
    }

    fn link_at(&self, raise: &Raise) -> Option<&Link> {
        let mut links = self.links.iter();
        links.find(|link| {
            link.record == raise.record && link.system == raise.system && link.object == raise.object
        })
    }

    fn events(&mut self) {
        for fact in &self.facts {
            let told = self.raises.iter().filter(|raise| raise.key.subject == Subject::Event(fact.id));
            let told: Vec<_> = told.map(|raise| (raise.key.route.clone(), raise.system.clone())).collect();
            for (route, system) in &told {
                let kind = &fact.kind;
                let said =
                    format!("{kind} goes to {system} by {route}, with whatever {system} does about it");
                self.shown.irreversible.push(said);
            }
            self.shown.events.push(EventLine { kind: fact.kind.clone(), record: fact.record, told });
        }
    }
}

/// The record that an object stood for before.
fn formerly<'a>(order: Order<'a>, link: &Link) -> &'a Record {
    let own = |links: &[Link]| links.iter().any(|own| own.external() == link.external());
    if own(&order.gone.links) { &order.gone.record } else { &order.keep.record }
}

fn differs(had: Option<&Record>, after: &Record, field: &Field) -> bool {
    let name = field.as_str();
    had.is_none_or(|had| had.fields.get(name) != after.fields.get(name)) && after.fields.contains_key(name)
        || had.is_some_and(|had| had.fields.contains_key(name) && !after.fields.contains_key(name))
}
