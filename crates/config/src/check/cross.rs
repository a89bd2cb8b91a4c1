//! What only shows when everything is seen together: owners that are never read, references that never link, things
//! that nothing uses.

use std::collections::{BTreeMap, BTreeSet};

use canonical::{Entity, Field, FieldSpec, Object, OnConflict, System};
use ledger::RouteKind;
use mapping::{Direction, RowSource, suggest};

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
        self.associations(mappings, routes, systems);
        if complete {
            self.owners_are_read(entities, mappings);
            self.references_link(mappings, routes);
            self.references_end(mappings, routes);
            self.keys_are_whole(entities, mappings);
            self.late_follows(mappings, systems, routes);
            self.sources_are_heard(mappings, systems);
            self.lookups_are_used(entities, mappings, files);
        }
        self.nothing_written_to_owners_only(entities, mappings);
        if complete && !self.problems.iter().any(Problem::is_error) {
            self.scopes_are_granted(mappings, routes, systems);
            self.natural_keys_hold(entities, mappings, routes, systems);
            self.policies_reach(entities, mappings, routes);
            self.deletions_reach(entities, routes);
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
                for (place, owner) in owners(spec) {
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
                        let path: Vec<&str> = ["fields", field.as_str()]
                            .into_iter()
                            .chain(place.iter().map(String::as_str))
                            .collect();
                        self.problems.push(declared.document.problem(&path, what).hint(hint));
                    }
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

    /// Records that wait for each other would wait for ever: of what routes bring to a system, some reference of every
    /// circle must be one that nobody waits for. A kind of object that refers to itself is no circle: its records make a tree.
    fn references_end(&mut self, mappings: &BTreeMap<String, DeclaredMapping>, routes: &[DeclaredRoute]) {
        let brought = |declared: &DeclaredMapping| {
            routes
                .iter()
                .any(|r| r.route.kind == RouteKind::Sync && r.route.mapping == *declared.mapping.id())
        };
        let waits: Vec<Waits<'_>> = mappings
            .values()
            .filter(|declared| brought(declared))
            .flat_map(|declared| {
                declared.mapping.waits_for().map(|(path, used)| Waits {
                    declared,
                    path,
                    to: (declared.mapping.system(), used.entity, used.object),
                })
            })
            .filter(|edge| edge.from() != edge.to)
            .collect();
        for edge in &waits {
            if !leads_to(&waits, edge.to, edge.from()) {
                continue;
            }
            let (system, entity, object) = edge.to;
            let what = format!(
                "{} and {entity} refer to each other in `{system}`, so that two such records would wait for each other for ever",
                edge.declared.mapping.entity()
            );
            let (at, key) = edge.row();
            let hint = if key == "ref" {
                format!(
                    "add `late: true` to one reference of the circle, such as this one: it is then written without, and the id of `{object}` follows"
                )
            } else {
                "write one reference of the circle as a row with `ref: {…, late: true}`, which is then written without, and follows; \
                 what `link()` asks for is always waited for"
                    .to_owned()
            };
            let path = ["fields", &at.to_string(), key];
            self.problems.push(edge.declared.document.problem(&path, what).hint(hint));
        }
    }

    /// What a record is found by must be there when it is looked for.
    fn keys_are_whole(
        &mut self,
        entities: &BTreeMap<Entity, DeclaredEntity>,
        mappings: &BTreeMap<String, DeclaredMapping>,
    ) {
        for declared in mappings.values() {
            let Some(entity) = entities.get(declared.mapping.entity()) else { continue };
            for (at, row) in declared.source.fields.iter().enumerate() {
                let late = row.direction.reads() && row.reference.as_ref().is_some_and(|used| used.late);
                let Some(field) = row.field.as_ref().filter(|_| late) else { continue };
                let mut keys = entity.schema.match_keys.iter();
                let Some(key) = keys.find(|key| key.fields.contains(field)) else { continue };
                let what = format!(
                    "`{field}` is part of the match key `{}`: a record could not be found before it is there",
                    key.name
                );
                let path = ["fields", &at.to_string(), "ref", "late"];
                let hint = "drop `late`, or take the field out of the key";
                self.problems.push(declared.document.problem(&path, what).hint(hint));
            }
        }
    }

    /// What is written without a reference is found again for it by the id that its making answered: without one it would be
    /// made once more (I3).
    fn late_follows(
        &mut self,
        mappings: &BTreeMap<String, DeclaredMapping>,
        systems: &BTreeMap<System, DeclaredSystem>,
        routes: &[DeclaredRoute],
    ) {
        for declared in mappings.values() {
            let brings = |r: &&DeclaredRoute| {
                r.route.kind == RouteKind::Sync && r.route.mapping == *declared.mapping.id()
            };
            let (Some(route), Some(system)) =
                (routes.iter().find(brings), systems.get(declared.mapping.system()))
            else {
                continue;
            };
            let object = &route.route.object;
            let Some(spec) = system.config.connector.choose(object, false, None).filter(|spec| !spec.names)
            else {
                continue;
            };
            let late = |row: &RowSource| {
                row.direction.writes() && row.reference.as_ref().is_some_and(|used| used.late)
            };
            let rows = declared.source.fields.iter().enumerate().filter(|(_, row)| late(row));
            for (at, _) in rows {
                let what = format!(
                    "`{object}` of `{}` is made by `{}`, whose answer names no id: what was written without this reference \
                     could not be found again for it, and would be made once more",
                    declared.mapping.system(),
                    spec.name
                );
                let path = ["fields", &at.to_string(), "ref", "late"];
                let hint = "say in the connector where the answer names it (`answer: {id: …}`, in its `batch` too), or drop `late`";
                self.problems.push(declared.document.problem(&path, what).hint(hint));
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

    fn lookups_are_used(
        &mut self,
        entities: &BTreeMap<Entity, DeclaredEntity>,
        mappings: &BTreeMap<String, DeclaredMapping>,
        files: &Files,
    ) {
        let ruled = entities.values().flat_map(|declared| &declared.rules);
        let ruled = ruled.filter_map(|rule| Some(rule.one_of.as_ref()?.table.clone()));
        let tables = mappings.values().flat_map(|declared| declared.source.tables());
        let tables = tables.chain(ruled);
        let used: BTreeSet<String> = tables.map(|table| format!("lookups/{table}.csv")).collect();
        for (path, _) in files.of("lookups").filter(|(path, _)| !used.contains(*path)) {
            self.problems.push(
                Problem::of_file(path, "no mapping and no rule uses this table", "remove it, or use it")
                    .warning(),
            );
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
                let mut owners = spec.possible_owners().peekable();
                let system = declared.mapping.system();
                let own = owners.peek().is_some() && owners.all(|owner| owner == system);
                let written = spec.on_conflict.merges()
                    || matches!(spec.on_conflict, OnConflict::Revert | OnConflict::Propose);
                if own && row.direction == Direction::Out && !written {
                    let what = "this row writes a field to the system that owns it: that happens when the object is \
                                created, and never again";
                    let hint = "remove the row, or let it read (`direction: both`)";
                    let path = ["fields", &i.to_string(), "field"];
                    self.problems.push(declared.document.problem(&path, what).hint(hint).warning());
                }
            }
        }
    }

    /// What is to be reverted must be writable where it is edited; what is proposed, where its owner is.
    fn policies_reach(
        &mut self,
        entities: &BTreeMap<Entity, DeclaredEntity>,
        mappings: &BTreeMap<String, DeclaredMapping>,
        routes: &[DeclaredRoute],
    ) {
        let written = |entity: &Entity, field: &Field, system: &System| {
            routes.iter().any(|r| {
                let route = &r.route;
                let mapping = mappings.get(&route.mapping).map(|declared| &declared.mapping);
                route.kind == RouteKind::Sync
                    && (&route.entity, &route.system) == (entity, system)
                    && mapping.is_some_and(|mapping| mapping.out_fields().any(|out| out == field))
            })
        };
        for (entity, declared) in entities {
            for (field, spec) in &declared.schema.fields {
                let owners: Vec<&System> = spec.possible_owners().collect();
                let editors = mappings.values().map(|declared| &declared.mapping).filter(|mapping| {
                    mapping.entity() == entity && mapping.in_fields().any(|read| read == field)
                });
                let what = match spec.on_conflict {
                    OnConflict::Revert => editors
                        .map(|mapping| mapping.system())
                        .find(|system| !owners.contains(system) && !written(entity, field, system))
                        .map(|system| {
                            format!(
                                "an edit in `{system}` cannot be reverted: no route writes `{field}` there"
                            )
                        }),
                    OnConflict::Propose => {
                        owners.into_iter().find(|owner| !written(entity, field, owner)).map(|owner| {
                            format!("nothing can be proposed to `{owner}`: no route writes `{field}` there")
                        })
                    }
                    _ => None,
                };
                if let Some(what) = what {
                    let hint = "add a sync route whose mapping writes it there, or say `on_conflict: reject`";
                    let path = ["fields", field.as_str(), "on_conflict"];
                    let problem = declared.document.problem(&path, what).hint(hint);
                    let nobody_hears = spec.on_conflict == OnConflict::Propose;
                    self.problems.push(if nobody_hears { problem } else { problem.warning() });
                }
            }
        }
    }

    /// Where a system may delete records, each route says what becomes of their objects.
    fn deletions_reach(&mut self, entities: &BTreeMap<Entity, DeclaredEntity>, routes: &[DeclaredRoute]) {
        for declared in routes {
            let route = &declared.route;
            let Some(entity) = entities.get(&route.entity).map(|entity| &entity.schema) else { continue };
            let others = entity.deleters.iter().any(|deleter| *deleter != route.system);
            let archives = entity.on_delete == canonical::schema::OnDelete::Archive;
            if route.kind == RouteKind::Sync && others && archives && !declared.ends {
                let what = format!(
                    "a deleted {} stays in `{}`: the route does not say what becomes of it there",
                    route.entity, route.system
                );
                let hint = "say it: `on_delete:` with `keep`, `archive`, `delete` or `unsubscribe`";
                let problem = declared.document.problem(&declared.path("route"), what);
                self.problems.push(problem.hint(hint).warning());
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

/// All who may own a field, with the places where they are named.
fn owners(spec: &FieldSpec) -> Vec<(Vec<String>, &System)> {
    let moving = spec.owners.iter().enumerate();
    let moving =
        moving.map(|(i, rule)| (vec!["owners".to_owned(), i.to_string(), "owner".to_owned()], &rule.owner));
    moving.chain(spec.owner.iter().map(|owner| (vec!["owner".to_owned()], owner))).collect()
}

/// A kind of object of a system, as a type of record.
type Kind<'a> = (&'a System, &'a Entity, &'a Object);

/// A row whose object waits for another.
struct Waits<'a> {
    declared: &'a DeclaredMapping,
    path: &'a str,
    to: Kind<'a>,
}

impl<'a> Waits<'a> {
    fn from(&self) -> Kind<'a> {
        let mapping = &self.declared.mapping;
        (mapping.system(), mapping.entity(), mapping.object())
    }

    /// The row that waits, and the key that makes it.
    fn row(&self) -> (usize, &'static str) {
        let rows = &self.declared.source.fields;
        let is = |row: &RowSource| row.direction.writes() && row.path.as_deref() == Some(self.path);
        let at = rows.iter().position(is).unwrap_or(0);
        let refers = rows.get(at).is_some_and(|row| row.reference.is_some());
        (at, if refers { "ref" } else { "expr" })
    }
}

/// Whether waiting for one kind of object means to wait for the other.
fn leads_to(waits: &[Waits<'_>], from: Kind<'_>, to: Kind<'_>) -> bool {
    let mut reached = BTreeSet::from([from]);
    loop {
        let before = reached.len();
        for edge in waits {
            if reached.contains(&edge.from()) {
                reached.insert(edge.to);
            }
        }
        if reached.contains(&to) || reached.len() == before {
            return reached.contains(&to);
        }
    }
}
