//! What mappings read and write against what a live system says of its fields.
//!
//! Pure: whoever has a description (`concord connector describe`, or a watch for drift) hands it in. An error is what will
//! break a delivery or a message; a warning is what may. What a vendor does not say of a field is never held against it.

mod row;

use canonical::{Object, System};
use connector::{Described, FieldSeen, Known};
use ledger::RouteKind;
use mapping::{MappingSource, suggest};

use crate::check::table;
use crate::configuration::Configuration;
use crate::document::Document;
use crate::files::Files;
use crate::problem::Problem;
use crate::shape::Shape;

/// A mapping in force, with its file.
struct Held<'a> {
    document: Document,
    source: MappingSource,
    configuration: &'a Configuration,
    files: &'a Files,
}

/// What of the folder's mappings does not fit the fields of a system's object, by file and line. `files` are those that
/// `configuration` was loaded of.
#[must_use]
pub fn fits(
    configuration: &Configuration,
    files: &Files,
    system: &System,
    object: &Object,
    described: &Described,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for held in of(configuration, files, system, object) {
        held.paths(object, described, &mut problems);
        held.required(object, described, &mut problems);
    }
    problems.sort();
    problems.dedup();
    problems
}

/// Which mappings name a field, for people.
#[must_use]
pub fn mapped(
    configuration: &Configuration,
    files: &Files,
    system: &System,
    object: &Object,
    described: &Described,
) -> Vec<(String, Vec<String>)> {
    let held = of(configuration, files, system, object);
    let names = |field: &FieldSeen| -> Vec<String> {
        let naming = held.iter().filter(|held| {
            held.named().iter().any(|(_, path)| match described.find(path) {
                Known::Field(known) | Known::Beyond(known) => known.path == field.path,
                Known::No => false,
            })
        });
        naming.map(|held| held.source.mapping.clone()).collect()
    };
    described.fields.iter().map(|field| (field.path.clone(), names(field))).collect()
}

fn of<'a>(
    configuration: &'a Configuration,
    files: &'a Files,
    system: &System,
    object: &Object,
) -> Vec<Held<'a>> {
    let mut held = Vec::new();
    for (path, text) in files.of("mappings") {
        let Ok(document) = Document::parse(path, text) else { continue };
        let Ok(source) = document.read::<MappingSource>(Shape::Mapping) else { continue };
        let in_force = configuration.mappings.get(&source.mapping);
        if source.system == *system
            && source.object == *object
            && in_force.is_some_and(|mapping| mapping.version() == source.version)
        {
            held.push(Held { document, source, configuration, files });
        }
    }
    held
}

impl Held<'_> {
    /// Every path that it names, with its place.
    fn named(&self) -> Vec<(Vec<String>, &str)> {
        let mut named = Vec::new();
        let place = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
        for (at, row) in self.source.fields.iter().enumerate() {
            let at = at.to_string();
            named.extend(row.path.as_deref().map(|path| (place(&["fields", &at, "path"]), path)));
            if row.path.is_none() && row.direction.reads() {
                for (step, transform) in row.transform.iter().enumerate() {
                    let mapping::Transform::Concat(concat) = transform else { continue };
                    for (part, path) in concat.parts.iter().enumerate() {
                        let (step, part) = (step.to_string(), part.to_string());
                        let parts = ["fields", &at, "transform", &step, "concat", "parts", &part];
                        named.push((place(&parts), path.as_str()));
                    }
                }
            }
        }
        named.extend(self.source.reads.keys().map(|path| (place(&["reads", path]), path.as_str())));
        let extensions = self.source.extensions.iter().enumerate();
        named.extend(extensions.map(|(at, path)| (place(&["extensions", &at.to_string()]), path.as_str())));
        named
    }

    fn is_association(&self, object: &Object, path: &str) -> bool {
        let system = self.configuration.systems.get(&self.source.system);
        system.is_some_and(|system| system.connector.association(object, path).is_some())
    }

    fn paths(&self, object: &Object, described: &Described, problems: &mut Vec<Problem>) {
        for (place, path) in self.named() {
            // What is an association is none of its fields.
            if described.find(path) != Known::No || self.is_association(object, path) {
                continue;
            }
            let place: Vec<&str> = place.iter().map(String::as_str).collect();
            let what = format!("`{object}` of `{}` has no field `{path}`", self.source.system);
            let hint = suggest::hint(path, described.paths());
            let hint = format!("{hint} (what the credential may not see is not shown either)");
            problems.push(self.document.problem(&place, what).hint(hint));
        }
        let entity = self.configuration.entities.get(&self.source.entity);
        for (at, row) in self.source.fields.iter().enumerate() {
            let Some(Known::Field(field)) = row.path.as_deref().map(|path| described.find(path)) else {
                continue;
            };
            let spec = row.field.as_ref().and_then(|name| entity.and_then(|schema| schema.fields.get(name)));
            let table = row.lookup.as_ref().and_then(|used| {
                let path = format!("lookups/{}.csv", used.table);
                table(&path, &used.table, self.files.get(&path)?).ok()
            });
            for flaw in row::flaws(row, spec, table.as_ref(), field) {
                let at = at.to_string();
                let mut problem = self.document.problem(&["fields", &at, flaw.key], flaw.what);
                problem.hint = Some(flaw.hint);
                problems.push(if flaw.breaks { problem } else { problem.warning() });
            }
        }
    }

    /// What a new object must have and nobody writes. The connector may fill it in, or the vendor: a doubt.
    fn required(&self, object: &Object, described: &Described, problems: &mut Vec<Problem>) {
        let makes = |route: &ledger::Route| {
            let connector = self.configuration.systems.get(&route.system).map(|system| &system.connector);
            route.kind == RouteKind::Sync
                && route.mapping == self.source.mapping
                && connector.is_some_and(|connector| connector.choose(object, false, None).is_some())
        };
        let routes = self.configuration.routes_to(&self.source.system);
        let Some(route) = routes.iter().find(|route| makes(route)) else { return };
        let written: Vec<&str> = self
            .source
            .fields
            .iter()
            .filter(|row| row.direction.writes())
            .filter_map(|row| match described.find(row.path.as_deref()?) {
                Known::Field(field) | Known::Beyond(field) => Some(field.path.as_str()),
                Known::No => None,
            })
            .collect();
        let needed = described.fields.iter().filter(|field| {
            field.required == Some(true)
                && field.writable != Some(false)
                && !written.contains(&field.path.as_str())
        });
        for field in needed {
            let what = format!(
                "a new `{object}` of `{}` needs `{}`, and the route `{}` makes them without",
                self.source.system, field.path, route.id
            );
            let hint = "write it (`direction: out`, if need be a `constant`), unless the vendor fills it in";
            problems.push(self.document.problem(&["mapping"], what).hint(hint).warning());
        }
    }
}
