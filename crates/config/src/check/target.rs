//! Routes against the systems they lead to: what the connector can write there.

use std::collections::BTreeMap;

use canonical::{Object, System};
use ledger::RouteKind;
use mapping::suggest;

use crate::check::Checks;
use crate::check::route::DeclaredRoute;
use crate::check::system::DeclaredSystem;

impl Checks {
    /// Checks every route whose system could be read.
    pub(super) fn targets(&mut self, routes: &[DeclaredRoute], systems: &BTreeMap<System, DeclaredSystem>) {
        let mut taken: BTreeMap<_, &str> = BTreeMap::new();
        for declared in routes {
            let route = &declared.route;
            if let Some(system) = systems.get(&route.system) {
                self.target(declared, system);
            }
            if route.kind == RouteKind::Sync {
                let key = (&route.entity, &route.system, &route.object);
                if let Some(other) = taken.insert(key, route.id.as_str()) {
                    let what = format!(
                        "two routes bring {} to `{}` of `{}`",
                        route.entity, route.object, route.system
                    );
                    let hint = format!("`{other}` does it too: one object follows one route");
                    let problem = declared.document.problem(&declared.path("route"), what);
                    self.problems.push(problem.hint(hint));
                }
            }
        }
    }

    fn target(&mut self, declared: &DeclaredRoute, system: &DeclaredSystem) {
        let route = &declared.route;
        let connector = &system.config.connector;
        // That the connector has the object at all is said of the mapping.
        if !connector.has_object(&route.object) {
            return;
        }
        let can_exit = |operation| connector.choose(&route.object, true, Some(operation)).is_some();
        match (&route.operation, route.kind) {
            (Some(name), RouteKind::Notify) => {
                if connector.operation(name, &route.object).is_none() {
                    let what = format!(
                        "the connector `{}` has no operation `{name}` on `{}`",
                        connector.name(),
                        route.object
                    );
                    let hint = "the connector's manifest lists its operations";
                    let problem = declared.document.problem(&declared.path("operation"), what);
                    self.problems.push(problem.hint(hint));
                }
            }
            _ => {
                let writes = [false, true]
                    .iter()
                    .any(|linked| connector.choose(&route.object, *linked, None).is_some());
                if !writes {
                    let what =
                        format!("the connector `{}` cannot write `{}`", connector.name(), route.object);
                    let writable = |object: &&Object| {
                        [false, true].iter().any(|linked| connector.choose(object, *linked, None).is_some())
                    };
                    let hint = suggest::hint(
                        route.object.as_str(),
                        connector.objects().filter(writable).map(Object::as_str),
                    );
                    let problem = declared.document.problem(&declared.path("mapping"), what);
                    self.problems.push(problem.hint(hint));
                }
                for (key, exit) in [("on_exit", route.on_exit), ("on_delete", route.on_delete)] {
                    let lacking = exit.operation().filter(|operation| !can_exit(operation));
                    let Some(operation) = lacking.filter(|_| key == "on_exit" || exit != route.on_exit)
                    else {
                        continue;
                    };
                    let what = format!(
                        "the connector `{}` has no `{operation}` on `{}`",
                        connector.name(),
                        route.object
                    );
                    let can: Vec<&str> = ["archive", "delete", "unsubscribe"]
                        .into_iter()
                        .filter(|operation| can_exit(operation))
                        .collect();
                    let hint =
                        format!("use {}", can.into_iter().chain(["keep"]).collect::<Vec<_>>().join(" or "));
                    let problem = declared.document.problem(&declared.path(key), what);
                    self.problems.push(problem.hint(hint));
                }
            }
        }
    }
}
