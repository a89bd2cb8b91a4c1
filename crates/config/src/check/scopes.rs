//! What was granted at a vendor against what the folder's routes and polls need there.

use std::collections::{BTreeMap, BTreeSet};

use canonical::System;
use connector::{Connector, Needed, Surplus};
use mapping::suggest;

use crate::check::Checks;
use crate::check::mapping::DeclaredMapping;
use crate::check::route::DeclaredRoute;
use crate::check::system::DeclaredSystem;
use crate::document::Document;
use crate::permits::{known, uses, with_describing};

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
        let needed = wants.iter().map(|(needed, _)| needed.clone()).collect();
        let needed = with_describing(connector, needed);
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
    let whole = format!("the system `{system}` ({})", place(&declared.document, &["connector"]));
    let mappings = mappings.values().map(|one| {
        let by = format!("the mapping `{}` ({})", one.mapping.id(), place(&one.document, &["mapping"]));
        (&*one.mapping, by)
    });
    let routes = routes.iter().map(|one| {
        let by = format!("the route `{}` ({})", one.route.id, place(&one.document, &one.path("route")));
        (&one.route, by)
    });
    uses(&declared.config, mappings, routes, &whole)
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
