//! Rows whose path is an association at the system: what they must be, so that each can be made there and taken back.

use std::collections::BTreeMap;

use canonical::{Object, System};
use ledger::{RouteKind, Step};
use mapping::RowSource;

use crate::check::Checks;
use crate::check::mapping::DeclaredMapping;
use crate::check::route::DeclaredRoute;
use crate::check::system::DeclaredSystem;

impl Checks {
    /// What is written at an association's path is a reference to its kind of object, and the object can be associated.
    pub(super) fn associations(
        &mut self,
        mappings: &BTreeMap<String, DeclaredMapping>,
        routes: &[DeclaredRoute],
        systems: &BTreeMap<System, DeclaredSystem>,
    ) {
        for (name, declared) in mappings {
            let Some(system) = systems.get(declared.mapping.system()) else { continue };
            let connector = &system.config.connector;
            let object = declared.mapping.object();
            let told = |r: &&DeclaredRoute| r.route.kind == RouteKind::Notify && r.route.mapping == *name;
            let told = routes.iter().find(told);
            for (at, row) in declared.source.fields.iter().enumerate() {
                let Some(spec) = row.path.as_deref().and_then(|path| connector.association(object, path))
                else {
                    continue;
                };
                let at = at.to_string();
                let can = |step| connector.associating(object, &spec.path, step).is_some();
                let writes = row.direction.writes();
                let flaw = if writes && !(can(Step::Associate) && can(Step::Dissociate)) {
                    Some(("path", format!("the connector `{}` can only read it: `{}` of `{object}` is an association that nothing makes", connector.name(), spec.path), "say `direction: in`, or add operations `for: [associate]` and `for: [dissociate]` to the connector".to_owned()))
                } else if !leads_to(row, &spec.to) {
                    Some((
                        if row.reference.is_some() { "ref" } else { "path" },
                        format!(
                            "`{}` of `{object}` is an association with `{}`, and the row is no reference to one",
                            spec.path, spec.to
                        ),
                        format!("write `ref: {{entity: …, object: {}}}`", spec.to),
                    ))
                } else if let Some(route) = told.filter(|_| writes) {
                    Some((
                        "path",
                        format!(
                            "`{}` of `{object}` is an association, and the `notify` route `{}` writes with this mapping",
                            spec.path, route.route.id
                        ),
                        "associations are kept by `sync` routes: give that route a mapping of its own"
                            .to_owned(),
                    ))
                } else {
                    None
                };
                if let Some((key, what, hint)) = flaw {
                    self.problems.push(declared.document.problem(&["fields", &at, key], what).hint(hint));
                } else if row.direction.reads() && !spec.seen {
                    let what = format!(
                        "nothing shows the association `{}` of `{object}`: the row reads nothing",
                        spec.path
                    );
                    let problem = declared.document.problem(&["fields", &at, "path"], what);
                    self.problems.push(problem.hint("say `direction: out`").warning());
                }
            }
        }
    }
}

fn leads_to(row: &RowSource, to: &Object) -> bool {
    row.reference.as_ref().is_some_and(|used| used.object == *to)
}
