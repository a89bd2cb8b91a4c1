//! Mappings of other versions, kept for events that were raised for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use canonical::Entity;
use ledger::{Route, RouteKind};
use mapping::{Mapping, MappingError};

use super::{VersionKind, Versioned};
use crate::compare::Places;
use crate::configuration::Configuration;
use crate::files::Files;
use crate::problem::Problem;

/// So many other versions of a mapping are kept, the newest ones: what they were raised for has long been told.
const KEPT_MAX: usize = 16;

impl Configuration {
    /// The same, with the mappings of other versions by which `notify` routes still have to tell events. A mapping that does
    /// not fit the entity's schema any more is not kept: what was raised for it is told by the newest.
    #[must_use]
    pub fn keeping(mut self, applied: &[Versioned]) -> Self {
        let told: BTreeSet<&str> = self.notifying().map(|route| route.mapping.as_str()).collect();
        let mut kept: BTreeMap<String, BTreeMap<u32, Arc<Mapping>>> = BTreeMap::new();
        for one in
            applied.iter().filter(|one| one.kind == VersionKind::Mapping && told.contains(one.name.as_str()))
        {
            let Some(Ok(again)) = self.again(one) else { continue };
            let of = kept.entry(one.name.clone()).or_default();
            of.insert(one.number, Arc::new(again));
            if of.len() > KEPT_MAX {
                of.pop_first();
            }
        }
        self.kept = kept;
        self
    }

    /// The mapping of another version, or why it does not fit what counts now. `None`: it is no other version of any.
    fn again(&self, one: &Versioned) -> Option<Result<Mapping, String>> {
        let newest = self.mappings.get(&one.name).filter(|newest| newest.version() != one.number)?;
        let schema = self.entities.get(newest.entity())?;
        let said = |errors: Vec<MappingError>| {
            errors.into_iter().next().map_or_else(String::new, |error| error.message)
        };
        let again = match Mapping::again(&one.meaning, one.number, schema) {
            Ok(again) if again.system() == newest.system() && again.object() == newest.object() => Ok(again),
            Ok(again) => Err(format!("it is for {} of {}", again.object(), again.system())),
            Err(errors) => Err(said(errors)),
        };
        Some(again)
    }

    pub(crate) fn notifying(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.routes.iter().filter(|route| route.kind == RouteKind::Notify)
    }
}

/// Which versions of mappings, by which events may have to be told yet, do not fit a schema that is another one than was
/// applied last: such events are told by the newest. Warnings, each with its place.
#[must_use]
pub fn unkept(next: &Configuration, files: &Files, applied: &[Versioned]) -> Vec<Problem> {
    let last = |entity: &Entity| {
        let of = applied.iter().filter(|one| one.kind == VersionKind::Entity && one.name == entity.as_str());
        of.map(|one| one.number).max()
    };
    let mut problems = Vec::new();
    let told: BTreeSet<&str> = next.notifying().map(|route| route.mapping.as_str()).collect();
    let names = told.into_iter().filter_map(|name| next.mappings.get(name));
    for newest in names {
        let moved = next
            .entities
            .get(newest.entity())
            .is_some_and(|schema| last(&schema.entity).is_some_and(|number| number != schema.version));
        let mut older: Vec<&Versioned> = applied
            .iter()
            .filter(|one| moved && one.kind == VersionKind::Mapping && one.name == newest.id())
            .collect();
        older.sort_by_key(|one| std::cmp::Reverse(one.number));
        for one in older.into_iter().take(KEPT_MAX) {
            let Some(Err(why)) = next.again(one) else { continue };
            let (name, number, entity) = (newest.id(), one.number, newest.entity());
            let what = format!(
                "version {number} of `{name}`, by which events were told, does not fit the schema of {entity} any more \
                 ({why}): events that were raised for it and wait are told by version {}",
                newest.version()
            );
            let hint = "let them through under the schema before (`concord delivery list --state pending,retrying,parked`), or \
                        keep in the schema what that version needs; `concord plan` says the same before an apply";
            let at = Places::of(files).key("mapping", name, "version", what, hint.to_owned());
            problems.push(at.warning());
        }
    }
    problems
}

/// By what events are told that were raised so far, where a change gives their mapping another version.
pub(crate) fn told(runs: &Configuration, next: &Configuration) -> Vec<String> {
    let running = runs.versions();
    let mut out = Vec::new();
    for route in next.notifying() {
        let was = running.iter().find(|one| one.kind == VersionKind::Mapping && one.name == route.mapping);
        let is = next.mapping_of(route).map(|mapping| mapping.version());
        let (Some(was), Some(is)) = (was.filter(|was| Some(was.number) != is), is) else { continue };
        let (id, mapping, number) = (&route.id, &route.mapping, was.number);
        out.push(match next.again(was) {
            Some(Ok(_)) => format!(
                "route {id}: events that were raised so far are told by version {number} of {mapping}, those from now on by \
                 version {is}"
            ),
            _ => format!(
                "route {id}: version {number} of {mapping} does not fit the new schema of {}: all events are told by version \
                 {is}, also those that were raised so far",
                route.entity
            ),
        });
    }
    out
}
