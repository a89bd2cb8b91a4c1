//! Mappings of other versions, kept for events that were raised for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledger::{Route, RouteKind};
use mapping::Mapping;

use super::{VersionKind, Versioned};
use crate::configuration::Configuration;

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
            let Some(again) = self.again(one) else { continue };
            let of = kept.entry(one.name.clone()).or_default();
            of.insert(one.number, Arc::new(again));
            if of.len() > KEPT_MAX {
                of.pop_first();
            }
        }
        self.kept = kept;
        self
    }

    /// The mapping of another version, where it fits what counts now.
    fn again(&self, one: &Versioned) -> Option<Mapping> {
        let newest = self.mappings.get(&one.name).filter(|newest| newest.version() != one.number)?;
        let schema = self.entities.get(newest.entity())?;
        let again = Mapping::again(&one.meaning, one.number, schema).ok()?;
        let same = again.system() == newest.system() && again.object() == newest.object();
        same.then_some(again)
    }

    pub(crate) fn notifying(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.routes.iter().filter(|route| route.kind == RouteKind::Notify)
    }
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
            Some(_) => format!(
                "route {id}: events that were raised so far are told by version {number} of {mapping}, those from now on by \
                 version {is}"
            ),
            None => format!(
                "route {id}: version {number} of {mapping} does not fit the new schema of {}: all events are told by version \
                 {is}, also those that were raised so far",
                route.entity
            ),
        });
    }
    out
}
