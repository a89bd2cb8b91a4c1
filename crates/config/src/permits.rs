//! What a system must permit for what its routes, polls and mappings do there, and what of it was granted.

use std::collections::{BTreeMap, BTreeSet};

use canonical::{Object, System};
use connector::{Connector, Needed, Use};
use ledger::{Route, RouteKind, Step};
use mapping::Mapping;

use crate::configuration::{Configuration, SystemConfig};

/// One scope that something needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Permit {
    /// Its name, in the vendor's words; `a or b` where one of several is enough.
    pub scope: String,
    /// The operations that need it, such as `contacts/upsert`.
    pub operations: Vec<String>,
    /// Whether the system's file lists it, or one that covers it; `None`: the file lists none at all.
    pub granted: Option<bool>,
}

/// All scopes of a system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Permits {
    /// Where at the vendor they are given.
    pub given: String,
    /// Those that are needed, by name.
    pub needed: Vec<Permit>,
    /// Those that the file lists, and that nothing needs.
    pub surplus: Vec<String>,
}

impl Configuration {
    /// What a system must permit. `None` where there is no such system, or its connector does not say.
    #[must_use]
    pub fn permits(&self, system: &System) -> Option<Permits> {
        let config = self.systems.get(system)?;
        let connector = &*config.connector;
        if !connector.tells_scopes() {
            return None;
        }
        let mappings = self.mappings.values().map(|mapping| (&**mapping, ()));
        let routes = self.routes.iter().map(|route| (&**route, ()));
        let wants: Vec<Needed> =
            uses(config, mappings, routes, &()).into_iter().map(|(one, ())| one).collect();
        let granted = config.scopes.as_deref();
        let mut needed: BTreeMap<String, Permit> = BTreeMap::new();
        for one in &wants {
            let granted = granted.map(|granted| connector.is_granted(one, granted));
            let permit = needed.entry(one.words()).or_insert_with(|| Permit {
                scope: one.words(),
                operations: Vec::new(),
                granted,
            });
            if !permit.operations.contains(&one.operation) {
                permit.operations.push(one.operation.clone());
            }
        }
        let list = granted.unwrap_or_default();
        let wide = with_describing(connector, wants);
        let known = known(connector, &wide);
        let surplus = list.iter().filter(|scope| connector.surplus(scope, list, &wide, &known).is_some());
        Some(Permits {
            given: connector.scopes_given().to_owned(),
            surplus: surplus.cloned().collect(),
            needed: needed.into_values().collect(),
        })
    }
}

/// What is needed in a system, each with who needs it: the whole system, one of the `mappings`, or one of the `routes`.
pub(crate) fn uses<'c, By: Clone>(
    config: &SystemConfig,
    mappings: impl Iterator<Item = (&'c Mapping, By)>,
    routes: impl Iterator<Item = (&'c Route, By)>,
    whole: &By,
) -> Vec<(Needed, By)> {
    let connector = &*config.connector;
    let mut wants = Vec::new();
    let mut put = |of: Use<'_>, by: &By| {
        wants.extend(connector.needed(of).into_iter().map(|needed| (needed, by.clone())));
    };
    put(Use::Any, whole);
    put(Use::Identity, whole);
    let here = |(mapping, _): &(&Mapping, By)| {
        *mapping.system() == config.system && mapping.in_fields().next().is_some()
    };
    let mappings: Vec<(&Mapping, By)> = mappings.collect();
    for (mapping, by) in mappings.iter().filter(|one| here(one)) {
        let object = mapping.object();
        if config.poll.contains_key(object) {
            put(Use::List(object), by);
        }
        if config.webhook.is_some() {
            put(Use::Webhook(object), by);
        }
        put(Use::Fetch(object), by);
    }
    for (route, by) in routes.filter(|(route, _)| route.system == config.system) {
        let mut operations: BTreeSet<&str> = route.operation.as_deref().into_iter().collect();
        if route.kind == RouteKind::Sync {
            let ends = [route.on_exit.operation(), route.on_delete.operation()];
            let chosen =
                [connector.choose(&route.object, false, None), connector.choose(&route.object, true, None)];
            let ends = ends.into_iter().flatten().map(|end| connector.choose(&route.object, true, Some(end)));
            operations.extend(chosen.into_iter().chain(ends).flatten().map(|spec| &*spec.name));
            let mapping =
                mappings.iter().map(|(mapping, _)| *mapping).find(|one| *one.id() == *route.mapping);
            for path in mapping.into_iter().flat_map(Mapping::out_paths) {
                let steps = [Step::Associate, Step::Dissociate];
                let made =
                    steps.into_iter().filter_map(|step| connector.associating(&route.object, path, step));
                operations.extend(made.map(|spec| &*spec.name));
            }
            // What was restored, or is owned elsewhere, is read before it is written.
            put(Use::Fetch(&route.object), &by);
        }
        operations.into_iter().for_each(|operation| put(Use::Write(&route.object, operation), &by));
    }
    wants
}

/// What is needed, and what whoever asks which fields there are needs: that is no surplus.
pub(crate) fn with_describing(connector: &Connector, mut needed: Vec<Needed>) -> Vec<Needed> {
    needed.extend(connector.objects().flat_map(|object| connector.needed(Use::Describe(object))));
    needed
}

/// All that the connector could need, whatever the folder asks of it.
pub(crate) fn known(connector: &Connector, needed: &[Needed]) -> Vec<Needed> {
    let mut known = needed.to_vec();
    let objects: Vec<&Object> = connector.objects().collect();
    for object in objects {
        for of in [Use::List(object), Use::Fetch(object), Use::Webhook(object)] {
            known.extend(connector.needed(of));
        }
        for operation in connector.operations(object) {
            known.extend(connector.needed(Use::Write(object, operation)));
        }
    }
    known
}
