//! Cutover: systems that hold records already are read into an empty store, and what came of it is counted before
//! anything is written anywhere.
//!
//! What is read goes through the intake of every day, in an order that does not depend on who answers first: a type
//! before those that refer to it, and of one type the systems that may create it before those that may not. So the
//! same systems give the same plan, and an object that waits does so for one that was read before it. [`Tally`] then
//! walks what was stored: it decides nothing, and holds no values.

mod report;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use canonical::schema::FieldType;
use canonical::{Entity, EntitySchema, Object, System};
use config::Configuration;

pub use report::{
    Agreed, Clash, Example, Examples, Finding, FirstSync, Held, Missing, Named, PathCount, Report, Side,
    Spread, Verdict,
};
pub use tally::{Tally, Told};

/// The listing of one kind of object, and what its objects become.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Listing {
    /// The type.
    pub entity: Entity,
    /// The system.
    pub system: System,
    /// The kind of object.
    pub object: Object,
}

/// What is read, in this order, and what cannot be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Order {
    /// One after the other.
    pub read: Vec<Listing>,
    /// The connector has no listing of these: what is there is not known.
    pub unlisted: Vec<Listing>,
}

/// Whether a system is paused because nobody has planned for what it holds: with a plan it is not, any more.
#[must_use]
pub fn waits_for_plan(state: &store::SystemState) -> bool {
    crate::spoke::waits_for_plan(state)
}

/// In which order the listings of a configuration are read.
#[must_use]
pub fn order(config: &Configuration) -> Order {
    let mut all: Vec<Listing> = Vec::new();
    for system in config.systems.keys() {
        for object in config.inbound_objects(system) {
            let Some((_, schema)) = config.inbound(system, object) else { continue };
            let entity = schema.entity.clone();
            all.push(Listing { entity, system: system.clone(), object: object.clone() });
        }
    }
    let mut order = Order::default();
    for entity in by_reference(config) {
        let Some(schema) = config.entities.get(entity) else { continue };
        let mut of: Vec<&Listing> = all.iter().filter(|listing| listing.entity == *entity).collect();
        of.sort_by_key(|listing| rank(schema, listing));
        for listing in of {
            let settings = config.systems.get(&listing.system);
            if settings.is_none_or(|settings| settings.connector.poll(&listing.object).is_none()) {
                order.unlisted.push(listing.clone());
                continue;
            }
            order.read.push(listing.clone());
        }
    }
    order
}

/// Who may create comes first, then who owns most, then by name.
fn rank<'l>(schema: &EntitySchema, listing: &'l Listing) -> (bool, std::cmp::Reverse<usize>, &'l Listing) {
    let system = &listing.system;
    let creates = schema.creators.is_empty() || schema.creators.contains(system);
    let owned = schema.fields.values().filter(|spec| spec.owner.as_ref() == Some(system)).count();
    (!creates, std::cmp::Reverse(owned), listing)
}

/// Types before those that refer to them; in a circle, by name.
fn by_reference(config: &Configuration) -> Vec<&Entity> {
    let mut left: BTreeSet<&Entity> = config.entities.keys().collect();
    let mut sorted = Vec::with_capacity(left.len());
    while let Some(first) = left.first().copied() {
        let free = |entity: &&&Entity| {
            let refers = config.entities.get(**entity).into_iter().flat_map(|schema| schema.fields.values());
            !refers.filter_map(|spec| referred(&spec.kind)).any(|to| to != **entity && left.contains(to))
        };
        let next = left.iter().find(free).copied().unwrap_or(first);
        left.remove(next);
        sorted.push(next);
    }
    sorted
}

const fn referred(kind: &FieldType) -> Option<&Entity> {
    match kind {
        FieldType::Reference(entity) => Some(entity),
        _ => None,
    }
}
