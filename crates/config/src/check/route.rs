//! `routes/*.yaml`: which records or events go where.

use std::collections::BTreeMap;

use canonical::{Entity, EntitySchema, RouteId, System};
use ledger::{OnExit, Route, RouteKind};
use mapping::suggest;

use crate::check::entity::DeclaredEntity;
use crate::check::mapping::DeclaredMapping;
use crate::check::system::DeclaredSystem;
use crate::check::{Checks, Written};
use crate::document::Document;
use crate::source::{RouteSource, RoutesSource};

/// A route and where it is declared.
pub(crate) struct DeclaredRoute {
    pub(crate) document: Document,
    /// Its position in its file.
    pub(crate) at: String,
    pub(crate) route: Route,
    /// It says what becomes of objects whose record is no longer to be there.
    pub(crate) ends: bool,
}

/// What happens to records in general, as events: `contact.created`.
const GENERIC: [&str; 5] = ["created", "updated", "deleted", "merged", "split"];

impl DeclaredRoute {
    /// The place of one of its keys.
    pub(crate) fn path<'a>(&'a self, key: &'a str) -> [&'a str; 3] {
        ["routes", &self.at, key]
    }
}

impl Checks {
    /// Checks all routes; those with problems are left out.
    pub(super) fn routes(
        &mut self,
        written: Vec<Written<RoutesSource>>,
        entities: &BTreeMap<Entity, DeclaredEntity>,
        mappings: &BTreeMap<String, DeclaredMapping>,
        systems: &BTreeMap<System, DeclaredSystem>,
    ) -> Vec<DeclaredRoute> {
        let mut routes: Vec<DeclaredRoute> = Vec::new();
        for Written { document, value } in written {
            for (i, source) in value.routes.into_iter().enumerate() {
                let at = i.to_string();
                if let Some(other) = routes.iter().find(|other| other.route.id.as_str() == source.route) {
                    let what = format!("the route `{}` is declared twice", source.route);
                    let hint = format!("it stands in {} too: give each its own name", other.document.file());
                    self.problems.push(document.problem(&["routes", &at, "route"], what).hint(hint));
                    continue;
                }
                let ends = source.on_delete.is_some() || source.on_exit.is_some();
                if let Some(route) = self.route(&document, &at, source, entities, mappings) {
                    routes.push(DeclaredRoute { document: document.clone(), at, route, ends });
                }
            }
        }
        self.targets(&routes, systems);
        routes
    }

    fn route(
        &mut self,
        document: &Document,
        at: &str,
        mut source: RouteSource,
        entities: &BTreeMap<Entity, DeclaredEntity>,
        mappings: &BTreeMap<String, DeclaredMapping>,
    ) -> Option<Route> {
        let before = self.problems.len();
        let path = |key: &'static str| ["routes", at, key];
        self.known_system(document, &path("system"), &source.system);
        if let Some((what, hint)) = self.entities.lacks("entity", source.entity.as_str()) {
            self.problems.push(document.problem(&path("entity"), what).hint(hint));
        }
        if let Some((what, hint)) = self.mappings.lacks("mapping", &source.mapping) {
            self.problems.push(document.problem(&path("mapping"), what).hint(hint));
        }
        // Where the entity or the mapping itself has problems, they have been said.
        let schema = entities.get(&source.entity).map(|declared| declared.schema.clone());
        let mapping = mappings.get(&source.mapping);
        if let Some(declared) = mapping {
            self.fits_mapping(document, at, &source, declared);
        }
        if let Some(schema) = &schema {
            let mut filter = std::mem::take(&mut source.filter);
            self.conditions(document, &path("filter"), &mut filter, schema);
            source.filter = filter;
            self.kind(document, at, &source, schema);
        }
        self.exit(document, at, &source);
        let object =
            source.object.clone().or_else(|| mapping.map(|declared| declared.mapping.object().clone()));
        if self.problems[before..].iter().any(|problem| problem.is_error()) || schema.is_none() {
            return None;
        }
        Some(Route {
            id: RouteId::from(source.route.as_str()),
            kind: source.kind,
            entity: source.entity,
            events: source.events,
            system: source.system,
            object: object?,
            mapping: source.mapping,
            operation: source.operation,
            lane: source.lane,
            filter: source.filter,
            on_exit: source.on_exit.unwrap_or(OnExit::Keep),
            on_delete: source.on_delete.or(source.on_exit).unwrap_or(OnExit::Keep),
        })
    }

    fn fits_mapping(
        &mut self,
        document: &Document,
        at: &str,
        source: &RouteSource,
        declared: &DeclaredMapping,
    ) {
        let mapping = &declared.mapping;
        let pairs = [
            ("entity", source.entity.as_str(), mapping.entity().as_str()),
            ("system", source.system.as_str(), mapping.system().as_str()),
            (
                "object",
                source.object.as_ref().map_or(mapping.object().as_str(), |o| o.as_str()),
                mapping.object().as_str(),
            ),
        ];
        for (key, said, mapped) in pairs {
            if said != mapped {
                let what = format!("the mapping `{}` is for {key} `{mapped}`, not `{said}`", source.mapping);
                let hint = "use the mapping that fits, or correct this line";
                self.problems.push(document.problem(&["routes", at, key], what).hint(hint));
            }
        }
        if mapping.out_paths().next().is_none() {
            let what = format!("the mapping `{}` writes nothing", source.mapping);
            let hint = "give some of its rows `direction: both` or `out`";
            self.problems.push(document.problem(&["routes", at, "mapping"], what).hint(hint));
        }
    }

    /// What belongs to one kind of route and not to the other.
    fn kind(&mut self, document: &Document, at: &str, source: &RouteSource, schema: &EntitySchema) {
        match source.kind {
            RouteKind::Sync => {
                for (key, given) in
                    [("events", !source.events.is_empty()), ("operation", source.operation.is_some())]
                {
                    if given {
                        let what = format!("`{key}` means nothing on a `sync` route");
                        let hint = "remove it, or make the route `kind: notify`";
                        self.problems.push(document.key_problem(&["routes", at, key], what).hint(hint));
                    }
                }
            }
            RouteKind::Notify => {
                for (key, missing) in
                    [("events", source.events.is_empty()), ("operation", source.operation.is_none())]
                {
                    if missing {
                        let what = format!("a `notify` route needs `{key}`");
                        let hint = match key {
                            "events" => "name the kinds of event: `events: [PaymentOverdue]`",
                            _ => "name the connector's write operation: `operation: event`",
                        };
                        self.problems.push(document.problem(&["routes", at, "route"], what).hint(hint));
                    }
                }
                self.known_events(document, at, source, schema);
            }
        }
    }

    fn known_events(&mut self, document: &Document, at: &str, source: &RouteSource, schema: &EntitySchema) {
        let prefix = schema.event_prefix();
        let generic = GENERIC.iter().map(|what| format!("{prefix}.{what}"));
        let known: Vec<String> = schema.facts.iter().map(|rule| rule.event.clone()).chain(generic).collect();
        for (i, event) in source.events.iter().enumerate() {
            if !known.contains(event) {
                let what = format!("{} has no event `{event}`", schema.entity);
                let hint = suggest::hint(event, known.iter().map(String::as_str));
                self.problems
                    .push(document.problem(&["routes", at, "events", &i.to_string()], what).hint(hint));
            }
        }
    }

    fn exit(&mut self, document: &Document, at: &str, source: &RouteSource) {
        let filtered = !source.filter.is_empty();
        match (source.kind, filtered, source.on_exit) {
            (RouteKind::Sync, true, None) => {
                let what = "the route has a filter but does not say what happens to records that leave it";
                let hint = "add `on_exit:` with `keep`, `archive`, `delete` or `unsubscribe`";
                self.problems.push(document.key_problem(&["routes", at, "filter"], what).hint(hint));
            }
            (RouteKind::Sync, false, Some(_)) => {
                let what = "`on_exit` means nothing without a filter";
                self.problems.push(document.key_problem(&["routes", at, "on_exit"], what).hint("remove it"));
            }
            (RouteKind::Notify, _, Some(_)) => {
                let what = "`on_exit` means nothing on a `notify` route: an event is over when it was told";
                self.problems.push(document.key_problem(&["routes", at, "on_exit"], what).hint("remove it"));
            }
            _ => {}
        }
        if source.kind == RouteKind::Notify && source.on_delete.is_some() {
            let what = "`on_delete` means nothing on a `notify` route: an event is over when it was told";
            self.problems.push(document.key_problem(&["routes", at, "on_delete"], what).hint("remove it"));
        }
    }
}
