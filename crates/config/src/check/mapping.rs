//! `mappings/*.yaml`: field tables, compiled against their entities, their examples run, and their two-way rows proven.

use std::collections::BTreeMap;
use std::sync::Arc;

use canonical::{Entity, Object, System};
use mapping::{Direction, Disproof, ExampleFailure, Lookup, Mapping, MappingError, MappingSource, Transform};

use crate::check::entity::DeclaredEntity;
use crate::check::system::DeclaredSystem;
use crate::check::{Checks, Written};
use crate::document::Document;
use crate::problem::Problem;

/// A mapping and where it is declared.
pub(crate) struct DeclaredMapping {
    pub(crate) document: Document,
    pub(crate) source: MappingSource,
    pub(crate) mapping: Arc<Mapping>,
}

impl Checks {
    /// Compiles all mappings; those with problems are left out.
    pub(super) fn compile(
        &mut self,
        written: Vec<Written<MappingSource>>,
        entities: &BTreeMap<Entity, DeclaredEntity>,
        lookups: &BTreeMap<String, Lookup>,
        systems: &BTreeMap<System, DeclaredSystem>,
    ) -> BTreeMap<String, DeclaredMapping> {
        let mut mappings: BTreeMap<String, DeclaredMapping> = BTreeMap::new();
        for Written { document, value: source } in written {
            if let Some(other) = mappings.get(&source.mapping) {
                self.twice(&document, &source.mapping, other.document.file());
                continue;
            }
            if let Some(mut mapping) = self.mapping(&document, &source, entities, lookups) {
                // What the vendor makes of values counts for every mapping of its object. That the rows come back was proven
                // without: what an account is like may change.
                let system = systems.get(mapping.system());
                let rewrites = system.and_then(|known| known.config.connector.rewrites(mapping.object()));
                if let Some(rewrites) = rewrites.filter(|rewrites| !rewrites.is_empty()) {
                    mapping = mapping.under(rewrites);
                }
                let name = source.mapping.clone();
                mappings.insert(name, DeclaredMapping { document, source, mapping: Arc::new(mapping) });
            }
        }
        self.one_reads(&mappings);
        mappings
    }

    /// A name that another file has given to a mapping.
    pub(super) fn twice(&mut self, document: &Document, name: &str, other: &str) {
        let what = format!("the mapping `{name}` is declared twice");
        let hint = format!("it stands in {other} too: keep one");
        self.problems.push(document.problem(&["mapping"], what).hint(hint));
    }

    /// Compiles one and tests it. One whose tests fail still is one: what refers to it is not wrong.
    pub(super) fn mapping(
        &mut self,
        document: &Document,
        source: &MappingSource,
        entities: &BTreeMap<Entity, DeclaredEntity>,
        lookups: &BTreeMap<String, Lookup>,
    ) -> Option<Mapping> {
        let known = self.known_system(document, &["system"], &source.system);
        if let Some((what, hint)) = self.entities.lacks("entity", source.entity.as_str()) {
            self.problems.push(document.problem(&["entity"], what).hint(hint));
        }
        // Where the entity or a table itself has problems, they have been said.
        if source.tables().iter().any(|table| self.lookups_broken.contains(table)) {
            return None;
        }
        let schema = &entities.get(&source.entity)?.schema;
        match Mapping::compile(source, schema, lookups) {
            Ok(mapping) => {
                let failures = mapping.run_examples();
                let disproofs = mapping.prove();
                self.problems.extend(failures.iter().map(|failure| example_problem(document, failure)));
                self.problems.extend(disproofs.iter().map(|disproof| row_problem(document, disproof)));
                known.then_some(mapping)
            }
            Err(errors) => {
                self.problems.extend(errors.iter().map(|error| mapping_problem(document, error)));
                None
            }
        }
    }

    /// What a system says about one object becomes one record: at most one mapping may read it.
    fn one_reads(&mut self, mappings: &BTreeMap<String, DeclaredMapping>) {
        let mut readers: BTreeMap<(&System, &Object), &str> = BTreeMap::new();
        for (name, declared) in mappings {
            if declared.mapping.in_fields().next().is_none() {
                continue;
            }
            let key = (declared.mapping.system(), declared.mapping.object());
            if let Some(other) = readers.insert(key, name) {
                let what = format!("`{}` of `{}` is read by two mappings", key.1, key.0);
                let hint = format!("`{other}` reads it too: give the rows of one of them `direction: out`");
                self.problems.push(declared.document.problem(&["object"], what).hint(hint));
            }
        }
    }
}

/// The paths that mappings read, per system and object: the connector asks for those.
pub(super) fn read_paths(
    written: &[Written<MappingSource>],
) -> BTreeMap<System, BTreeMap<Object, Vec<String>>> {
    let mut paths: BTreeMap<System, BTreeMap<Object, Vec<String>>> = BTreeMap::new();
    for Written { value: source, .. } in written {
        let of_object =
            paths.entry(source.system.clone()).or_default().entry(source.object.clone()).or_default();
        for row in source.fields.iter().filter(|row| row.direction.reads()) {
            of_object.extend(row.path.clone());
            for transform in &row.transform {
                if let (Direction::In, Transform::Concat(form)) = (row.direction, transform) {
                    of_object.extend(form.parts.iter().cloned());
                }
            }
        }
        of_object.extend(source.reads.keys().cloned());
        of_object.extend(source.extensions.iter().cloned());
        of_object.sort();
        of_object.dedup();
    }
    paths
}

/// Splits `transform[1].format` into its keys.
fn keys(text: &str) -> Vec<&str> {
    text.split(['.', '[']).map(|key| key.trim_end_matches(']')).filter(|key| !key.is_empty()).collect()
}

fn mapping_problem(document: &Document, error: &MappingError) -> Problem {
    let path = row_path(error.row, &error.key);
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let problem = match &error.within {
        Some(part) => document.within(&path, part, error.message.clone()),
        None => document.problem(&path, error.message.clone()),
    };
    match &error.hint {
        Some(hint) => problem.hint(hint.clone()),
        None => problem,
    }
}

/// A row that goes both ways and loses something.
fn row_problem(document: &Document, disproof: &Disproof) -> Problem {
    let path = row_path(Some(disproof.row), &disproof.key);
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    document.problem(&path, disproof.message.clone()).hint(disproof.hint.clone())
}

fn row_path(row: Option<usize>, key: &str) -> Vec<String> {
    let row = row.map(|row| vec!["fields".to_owned(), row.to_string()]).unwrap_or_default();
    row.into_iter().chain(keys(key).into_iter().map(str::to_owned)).collect()
}

fn example_problem(document: &Document, failure: &ExampleFailure) -> Problem {
    let at = failure.example.to_string();
    let side = if failure.direction == Direction::In { "canonical" } else { "to" };
    let path = ["examples", at.as_str(), side, failure.at.as_str()];
    let way = if failure.direction == Direction::In { "reading" } else { "writing" };
    let name = failure.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    let what = format!("the example{name} does not come out: {way}, `{}`: {}", failure.at, failure.message);
    document.problem(&path, what).hint("correct the example, or the row it tests")
}
