//! What was granted at a vendor against what the folder's routes and polls need there.

use std::collections::{BTreeMap, BTreeSet};

use canonical::{Object, System};
use connector::{Connector, Needed, Surplus, Use};
use ledger::RouteKind;
use mapping::suggest;

use crate::check::Checks;
use crate::check::mapping::DeclaredMapping;
use crate::check::route::DeclaredRoute;
use crate::check::system::DeclaredSystem;
use crate::document::Document;

/// The list in a system's file.
const LIST: [&str; 2] = ["connection", "scopes"];

/// What is needed, and what in the folder needs it: words with file and line.
type Wants = Vec<(Needed, String)>;

impl Checks {
    /// Missing and surplus scopes are doubts: only the vendor knows what it granted, and it decides.
    pub(super) fn scopes_are_granted(
        &mut self,
        mappings: &BTreeMap<String, DeclaredMapping>,
        routes: &[DeclaredRoute],
        systems: &BTreeMap<System, DeclaredSystem>,
    ) {
        for (system, declared) in systems {
            let Some(granted) = &declared.config.scopes else { continue };
            let (document, connector) = (&declared.document, &*declared.config.connector);
            if !connector.tells_scopes() {
                let what = format!("the connector `{}` does not say which scopes it needs", connector.name());
                let hint = "remove the list: there is nothing to compare it with";
                self.problems.push(document.key_problem(&LIST, what).hint(hint).warning());
                continue;
            }
            let wants = wants(system, declared, mappings, routes);
            self.missing(document, connector, granted, &wants);
            self.surplus(document, connector, granted, &wants);
        }
    }

    fn missing(&mut self, document: &Document, connector: &Connector, granted: &[String], wants: &Wants) {
        let mut missing: BTreeMap<String, (BTreeSet<&str>, BTreeSet<&str>)> = BTreeMap::new();
        for (needed, by) in wants.iter().filter(|(needed, _)| !connector.is_granted(needed, granted)) {
            let (operations, places) = missing.entry(needed.words()).or_default();
            operations.insert(&needed.operation);
            places.insert(by);
        }
        for (scope, (operations, places)) in missing {
            let operations: Vec<String> = operations.iter().map(|name| format!("`{name}`")).collect();
            let what = format!(
                "the scope `{scope}` is not granted, and {} {} it: {}",
                operations.join(", "),
                if operations.len() == 1 { "needs" } else { "need" },
                places.into_iter().collect::<Vec<_>>().join("; "),
            );
            let hint = format!("grant it at the vendor ({}), then add it here", connector.scopes_given());
            self.problems.push(document.key_problem(&LIST, what).hint(hint).warning());
        }
    }

    fn surplus(&mut self, document: &Document, connector: &Connector, granted: &[String], wants: &Wants) {
        let mut needed: Vec<Needed> = wants.iter().map(|(needed, _)| needed.clone()).collect();
        // Whoever asks which fields there are needs that, too.
        needed.extend(connector.objects().flat_map(|object| connector.needed(Use::Describe(object))));
        let known = known(connector, &needed);
        for (at, scope) in granted.iter().enumerate() {
            let Some(surplus) = connector.surplus(scope, granted, &needed, &known) else { continue };
            let (what, hint) = match surplus {
                Surplus::Unused => (
                    format!("no route and no poll needs the scope `{scope}`"),
                    format!("take it away at the vendor ({}), then from here", connector.scopes_given()),
                ),
                Surplus::Wider(enough) => (
                    format!("the scope `{scope}` allows more than routes and polls need"),
                    format!("grant {} instead ({})", quoted(&enough), connector.scopes_given()),
                ),
                Surplus::Unknown => (
                    format!("no operation of the connector `{}` needs a scope `{scope}`", connector.name()),
                    suggest::hint(scope, names(&known)),
                ),
            };
            let path = [LIST[0], LIST[1], &at.to_string()];
            self.problems.push(document.problem(&path, what).hint(hint).warning());
        }
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
}

/// All that the folder asks of a system.
fn wants(
    system: &System,
    declared: &DeclaredSystem,
    mappings: &BTreeMap<String, DeclaredMapping>,
    routes: &[DeclaredRoute],
) -> Wants {
    let connector = &*declared.config.connector;
    let mut wants = Wants::new();
    let mut put = |of: Use<'_>, by: &str| {
        wants.extend(connector.needed(of).into_iter().map(|needed| (needed, by.to_owned())));
    };
    let whole = format!("the system `{system}` ({})", place(&declared.document, &["connector"]));
    put(Use::Any, &whole);
    put(Use::Identity, &whole);
    for mapped in mappings.values().filter(|mapped| mapped.mapping.system() == system) {
        if mapped.mapping.in_fields().next().is_none() {
            continue;
        }
        let object = mapped.mapping.object();
        let by = format!("the mapping `{}` ({})", mapped.mapping.id(), place(&mapped.document, &["mapping"]));
        if declared.config.poll.contains_key(object) {
            put(Use::List(object), &by);
        }
        if declared.config.webhook.is_some() {
            put(Use::Webhook(object), &by);
        }
        put(Use::Fetch(object), &by);
    }
    for written in routes.iter().filter(|written| written.route.system == *system) {
        let route = &written.route;
        let by = format!("the route `{}` ({})", route.id, place(&written.document, &written.path("route")));
        let mut operations: BTreeSet<&str> = route.operation.as_deref().into_iter().collect();
        if route.kind == RouteKind::Sync {
            let ends = [route.on_exit.operation(), route.on_delete.operation()];
            let chosen =
                [connector.choose(&route.object, false, None), connector.choose(&route.object, true, None)];
            let ends = ends.into_iter().flatten().map(|end| connector.choose(&route.object, true, Some(end)));
            operations.extend(chosen.into_iter().chain(ends).flatten().map(|spec| &*spec.name));
            // What was restored, or is owned elsewhere, is read before it is written.
            put(Use::Fetch(&route.object), &by);
        }
        operations.into_iter().for_each(|operation| put(Use::Write(&route.object, operation), &by));
    }
    wants
}

/// All that the connector could need, whatever the folder asks of it.
fn known(connector: &Connector, needed: &[Needed]) -> Vec<Needed> {
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

/// Their names, each once.
fn names(known: &[Needed]) -> BTreeSet<&str> {
    known.iter().flat_map(|one| one.any_of.iter().map(String::as_str)).collect()
}

/// File and line.
fn place(document: &Document, path: &[&str]) -> String {
    let problem = document.problem(path, "");
    format!("{}:{}", problem.file, problem.line)
}
