//! Rows whose path is an association at the system: what they must be, so that each can be made there and taken back.

use std::collections::BTreeMap;

use canonical::{Object, System};
use connector::{AssociationSpec, Connector};
use ledger::{RouteKind, Step};
use mapping::RowSource;

use crate::check::Checks;
use crate::check::mapping::DeclaredMapping;
use crate::check::route::DeclaredRoute;
use crate::check::system::DeclaredSystem;

/// Under which key of the row it stands, what is wrong, and what would be right.
type Flaw = (&'static str, String, String);

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
                if let Some((key, what, hint)) = flaw(connector, object, spec, row, told) {
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

fn flaw(
    connector: &Connector,
    object: &Object,
    spec: &AssociationSpec,
    row: &RowSource,
    told: Option<&DeclaredRoute>,
) -> Option<Flaw> {
    let (path, to) = (&spec.path, &spec.to);
    let can = |step| connector.associating(object, path, step).is_some();
    let writes = row.direction.writes();
    if writes && !(can(Step::Associate) && can(Step::Dissociate)) {
        let what = format!(
            "the connector `{}` can only read it: `{path}` of `{object}` is an association that nothing makes",
            connector.name()
        );
        let hint = "say `direction: in`, or add operations `for: [associate]` and `for: [dissociate]` to the connector";
        return Some(("path", what, hint.to_owned()));
    }
    if row.reference.as_ref().is_none_or(|used| used.object != *to) {
        let key = if row.reference.is_some() { "ref" } else { "path" };
        let what = format!(
            "`{path}` of `{object}` is an association with `{to}`, and the row is no reference to one"
        );
        return Some((key, what, format!("write `ref: {{entity: …, object: {to}}}`")));
    }
    let route = told.filter(|_| writes)?;
    let what = format!(
        "`{path}` of `{object}` is an association, and the `notify` route `{}` writes with this mapping",
        route.route.id
    );
    let hint = "associations are kept by `sync` routes: give that route a mapping of its own";
    Some(("path", what, hint.to_owned()))
}
