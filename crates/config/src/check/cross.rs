//! What only shows when everything is seen together: owners that are never read, references that never link, things
//! that nothing uses.

use std::collections::{BTreeMap, BTreeSet};

use canonical::{Entity, Object, OnConflict, System};
use ledger::RouteKind;
use mapping::{Direction, suggest};

use crate::check::Checks;
use crate::check::entity::DeclaredEntity;
use crate::check::mapping::DeclaredMapping;
use crate::check::route::DeclaredRoute;
use crate::check::system::DeclaredSystem;
use crate::files::Files;
use crate::problem::Problem;

impl Checks {
    /// The checks over all files. They would only repeat themselves where a file could not be read, so that they
    /// look at what stands and is complete.
    pub(super) fn together(
        &mut self,
        entities: &BTreeMap<Entity, DeclaredEntity>,
        mappings: &BTreeMap<String, DeclaredMapping>,
        routes: &[DeclaredRoute],
        systems: &BTreeMap<System, DeclaredSystem>,
        files: &Files,
    ) {
        let complete = self.mappings.count() == Some(mappings.len());
        self.objects(mappings, systems);
        if complete {
            self.owners_are_read(entities, mappings);
            self.references_link(mappings, routes);
            self.sources_are_heard(mappings, systems);
            self.lookups_are_used(mappings, files);
        }
        self.nothing_written_to_owners_only(entities, mappings);
        if complete && !self.problems.iter().any(Problem::is_error) {
            self.everything_is_used(entities, mappings, routes, systems);
        }
    }

    /// A mapping's object is one that the connector knows.
    fn objects(
        &mut self,
        mappings: &BTreeMap<String, DeclaredMapping>,
        systems: &BTreeMap<System, DeclaredSystem>,
    ) {
        for declared in mappings.values() {
            let Some(system) = systems.get(declared.mapping.system()) else { continue };
            let (connector, object) = (&system.config.connector, declared.mapping.object());
            if !connector.has_object(object) {
                let what = format!("the connector `{}` has no object `{object}`", connector.name());
                let hint = suggest::hint(object.as_str(), connector.objects().map(Object::as_str));
                self.problems.push(declared.document.problem(&["object"], what).hint(hint));
            }
        }
    }

    /// An owner's value must be able to come in; else the field could never have one.
    fn owners_are_read(
        &mut self,
        entities: &BTreeMap<Entity, DeclaredEntity>,
        mappings: &BTreeMap<String, DeclaredMapping>,
    ) {
        for (entity, declared) in entities {
            for (field, spec) in &declared.schema.fields {
                let Some(owner) = &spec.owner else { continue };
                let reads = mappings.values().any(|m| {
                    m.mapping.entity() == entity
                        && m.mapping.system() == owner
                        && m.mapping.in_fields().any(|read| read == field)
                });
                if !reads {
                    let what = format!("`{owner}` owns `{field}`, but no mapping reads it from there");
                    let hint = format!(
                        "add a row for `{field}` to a mapping of {entity} and `{owner}`, or change the owner"
                    );
                    let path = ["fields", field.as_str(), "owner"];
                    self.problems.push(declared.document.problem(&path, what).hint(hint));
                }
            }
        }
    }

    /// A reference needs a link in its system: by a route that creates the object, or a mapping that reads it.
    fn references_link(&mut self, mappings: &BTreeMap<String, DeclaredMapping>, routes: &[DeclaredRoute]) {
        for declared in mappings.values() {
            let system = declared.mapping.system();
            for reference in declared.mapping.references() {
                let routed = routes.iter().any(|r| {
                    let route = &r.route;
                    route.kind == RouteKind::Sync
                        && route.system == *system
                        && route.entity == *reference.entity
                        && route.object == *reference.object
                });
                let read = mappings.values().any(|m| {
                    m.mapping.system() == system
                        && m.mapping.entity() == reference.entity
                        && m.mapping.object() == reference.object
                        && m.mapping.in_fields().next().is_some()
                });
                if routed || read {
                    continue;
                }
                let rows = &declared.source.fields;
                let row = rows.iter().position(|row| {
                    let object = row.reference.as_ref().map(|used| &used.object);
                    row.field.as_ref() == Some(reference.field) && object == Some(reference.object)
                });
                let asked = format!("record.{}", reference.field);
                let asks = |text: &String| text.contains("link(") && text.contains(&asked);
                let (row, key) = match row {
                    Some(row) => (row, "ref"),
                    None => {
                        (rows.iter().position(|row| row.expr.as_ref().is_some_and(asks)).unwrap_or(0), "expr")
                    }
                };
                let row = row.to_string();
                let what = format!(
                    "nothing links {} to `{}` of `{system}`, so that this reference would wait for ever",
                    reference.entity, reference.object
                );
                let hint =
                    format!("add a route that brings {} there, or a mapping that reads it", reference.entity);
                self.problems.push(declared.document.problem(&["fields", &row, key], what).hint(hint));
            }
        }
    }

    /// What is mapped inwards must come in somehow.
    fn sources_are_heard(
        &mut self,
        mappings: &BTreeMap<String, DeclaredMapping>,
        systems: &BTreeMap<System, DeclaredSystem>,
    ) {
        for declared in mappings.values().filter(|declared| declared.mapping.in_fields().next().is_some()) {
            let Some(system) = systems.get(declared.mapping.system()) else { continue };
            let object = declared.mapping.object();
            let heard = system.config.webhook.is_some() || system.config.poll.contains_key(object);
            if !heard {
                let what = format!(
                    "changes of `{object}` in `{}` come in only when somebody posts them",
                    system.config.system
                );
                let hint = "add `webhook` or `poll` to the system, if its connector can";
                self.problems.push(declared.document.problem(&["object"], what).hint(hint).warning());
            }
        }
    }

    fn lookups_are_used(&mut self, mappings: &BTreeMap<String, DeclaredMapping>, files: &Files) {
        let tables = mappings.values().flat_map(|declared| declared.source.tables());
        let used: BTreeSet<String> = tables.map(|table| format!("lookups/{table}.csv")).collect();
        for (path, _) in files.of("lookups").filter(|(path, _)| !used.contains(*path)) {
            self.problems
                .push(Problem::of_file(path, "no mapping uses this table", "remove it, or use it").warning());
        }
    }

    /// A row that only ever writes a field to its own owner does nothing on updates (I5).
    fn nothing_written_to_owners_only(
        &mut self,
        entities: &BTreeMap<Entity, DeclaredEntity>,
        mappings: &BTreeMap<String, DeclaredMapping>,
    ) {
        for declared in mappings.values() {
            let Some(entity) = entities.get(declared.mapping.entity()) else { continue };
            for (i, row) in declared.source.fields.iter().enumerate() {
                let Some(spec) = row.field.as_ref().and_then(|field| entity.schema.fields.get(field)) else {
                    continue;
                };
                let own = spec.owner.as_ref() == Some(declared.mapping.system());
                if own && row.direction == Direction::Out && spec.on_conflict != OnConflict::Revert {
                    let what = "this row writes a field to the system that owns it: that happens when the object is \
                                created, and never again";
                    let hint = "remove the row, or let it read (`direction: both`)";
                    let path = ["fields", &i.to_string(), "field"];
                    self.problems.push(declared.document.problem(&path, what).hint(hint).warning());
                }
            }
        }
    }

    fn everything_is_used(
        &mut self,
        entities: &BTreeMap<Entity, DeclaredEntity>,
        mappings: &BTreeMap<String, DeclaredMapping>,
        routes: &[DeclaredRoute],
        systems: &BTreeMap<System, DeclaredSystem>,
    ) {
        let mut doubt = |document: &crate::document::Document, key: &str, what: String, hint: &str| {
            self.problems.push(document.problem(&[key], what).hint(hint).warning());
        };
        for (name, declared) in mappings {
            let routed = routes.iter().any(|r| r.route.mapping == *name);
            if !routed && declared.mapping.in_fields().next().is_none() {
                let what = format!(
                    "nothing uses the mapping `{name}`: it reads nothing, and no route writes with it"
                );
                doubt(&declared.document, "mapping", what, "add a route, or remove it");
            }
        }
        for (name, declared) in entities {
            if !mappings.values().any(|m| m.mapping.entity() == name) {
                doubt(
                    &declared.document,
                    "entity",
                    format!("no mapping is about {name}"),
                    "add one, or remove it",
                );
            }
        }
        for (name, declared) in systems {
            if !mappings.values().any(|m| m.mapping.system() == name) {
                doubt(
                    &declared.document,
                    "system",
                    format!("no mapping is about `{name}`"),
                    "add one, or remove it",
                );
            }
        }
    }
}
