//! From files to a configuration: every file by itself, then all of them together.

mod associations;
mod concord;
mod condition;
mod cross;
mod database;
mod document_schema;
mod entity;
mod keys;
mod limits;
mod lookup;
mod mapping;
mod route;
mod rules;
mod scopes;
mod system;
mod target;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::configuration::{Checked, Configuration, Index};
use crate::document::{Document, Place};
use crate::files::{Files, TOP};
use crate::problem::Problem;
use crate::shape::Shape;
use crate::tree::Yaml;
use crate::words::SecretRef;
use ::mapping::suggest;
pub(crate) use lookup::table;
pub use trial::{Trial, Trials, trials};

/// A file read as its type.
pub(crate) struct Written<T> {
    pub(crate) document: Document,
    pub(crate) value: T,
}

/// What the checks share: what is declared anywhere, and what was found wrong so far.
#[derive(Default)]
pub(crate) struct Checks {
    pub(crate) problems: Vec<Problem>,
    /// Names of systems, also of those whose files have problems: so that one mistake is said once.
    pub(crate) systems: Names,
    /// Names of entities, likewise.
    pub(crate) entities: Names,
    /// Names of mappings, likewise.
    pub(crate) mappings: Names,
    /// Tables that could not be read.
    pub(crate) lookups_broken: BTreeSet<String>,
    pub(crate) secret_places: Vec<(SecretRef, Place)>,
}

/// Names of one kind that are declared.
#[derive(Default)]
pub(crate) struct Names {
    known: BTreeSet<String>,
    /// A file could not be read so far as to know the name in it: then any name may be right.
    unsure: bool,
}

impl Names {
    /// What is wrong with a name that is not declared, with a hint.
    pub(crate) fn lacks(&self, what: &str, name: &str) -> Option<(String, String)> {
        let lacks = !self.unsure && !self.known.contains(name);
        lacks.then(|| {
            let hint = suggest::hint(name, self.known.iter().map(String::as_str));
            (format!("there is no {what} `{name}`"), hint)
        })
    }

    /// How many there are; `None` when that is not known.
    pub(crate) fn count(&self) -> Option<usize> {
        (!self.unsure).then_some(self.known.len())
    }
}

/// Reads a folder from disk and checks it.
///
/// # Errors
/// With everything that is wrong, by file and line.
pub fn load_folder(folder: &Path) -> Result<Checked, Vec<Problem>> {
    load(&Files::read(folder)?)
}

/// Checks a folder's files.
///
/// # Errors
/// With everything that is wrong, by file and line. Doubts (warnings) are said only where nothing is wrong: they may
/// be mere consequences.
pub fn load(files: &Files) -> Result<Checked, Vec<Problem>> {
    let mut checks = Checks::default();
    let settings = files.get(TOP).map(|text| checks.read(TOP, text, Shape::Concord));
    if settings.is_none() {
        let hint = "create it; examples/subscription-business/ of the repository is a complete folder";
        checks.problems.push(Problem::of_file("", format!("the folder has no {TOP}"), hint));
    }
    let entities = checks.read_all(files, "model", Shape::Entity, "entity");
    let systems = checks.read_all(files, "systems", Shape::System, "system");
    let mappings = checks.read_all(files, "mappings", Shape::Mapping, "mapping");
    let routes = checks.read_all(files, "routes", Shape::Routes, "routes");

    let settings = settings.flatten().and_then(|written| checks.settings(written));
    let lookups = checks.lookups(files);
    let systems = checks.systems(files, systems, &mappings, settings.as_ref());
    let mut entities = checks.entities(entities);
    checks.rules(&mut entities, &lookups);
    let mappings = checks.compile(mappings, &entities, &lookups, &systems);
    let routes = checks.routes(routes, &entities, &mappings, &systems);
    let secret_places = std::mem::take(&mut checks.secret_places);
    checks.together(&entities, &mappings, &routes, &systems, files);

    let mut problems = checks.problems;
    problems.sort();
    problems.dedup();
    let wrong = problems.iter().any(Problem::is_error);
    let Some(settings) = settings.filter(|_| !wrong) else {
        problems.retain(Problem::is_error);
        return Err(problems);
    };
    let (mut plain_entities, mut pasts) = (BTreeMap::new(), BTreeMap::new());
    for (name, declared) in entities {
        pasts.insert(name.clone(), declared.past);
        plain_entities.insert(name, declared.schema);
    }
    let entities = plain_entities;
    let mappings = plain(mappings, |declared| declared.mapping);
    let mut routes: Vec<_> = routes.into_iter().map(|declared| Arc::new(declared.route)).collect();
    routes.sort_by(|one, other| one.id.cmp(&other.id));
    let configuration = Configuration {
        tenant: settings.tenant.clone(),
        index: Index::of(&entities, &mappings, &routes),
        settings,
        systems: plain(systems, |declared| declared.config),
        entities,
        pasts,
        kept: BTreeMap::new(),
        mappings,
        routes,
        digest: digest(files),
        secret_places,
    };
    Ok(Checked { configuration, warnings: problems })
}

fn plain<K: Ord, T, U>(declared: BTreeMap<K, T>, of: impl Fn(T) -> U) -> BTreeMap<K, U> {
    declared.into_iter().map(|(name, declared)| (name, of(declared))).collect()
}

/// Over every path and text, with their lengths, so that nothing can move from one to the other unseen.
fn digest(files: &Files) -> String {
    let mut hasher = blake3::Hasher::new();
    for (path, text) in files.iter() {
        for part in [path, text] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
    }
    hasher.finalize().to_hex().to_string()
}

impl Checks {
    /// Reads one file; what is wrong with it is kept.
    fn read<T: DeserializeOwned>(&mut self, path: &str, text: &str, shape: Shape) -> Option<Written<T>> {
        let document = match Document::parse(path, text) {
            Ok(document) => document,
            Err(problem) => {
                self.problems.push(problem);
                self.declare(None, shape);
                return None;
            }
        };
        self.declare(Some(&document), shape);
        match document.read(shape) {
            Ok(value) => Some(Written { document, value }),
            Err(problems) => {
                self.problems.extend(problems);
                None
            }
        }
    }

    fn read_all<T: DeserializeOwned>(
        &mut self,
        files: &Files,
        folder: &str,
        shape: Shape,
        what: &str,
    ) -> Vec<Written<T>> {
        let mut found: Vec<Written<T>> = Vec::new();
        let mut none = true;
        for (path, text) in files.of(folder) {
            none = false;
            found.extend(self.read(path, text, shape));
        }
        if none {
            let hint = format!("add {folder}/*.yaml, or remove what refers to it");
            self.problems
                .push(Problem::of_file("", format!("the folder has no {what} files"), hint).warning());
        }
        found
    }

    /// Notes the name that a file gives to what it holds, however wrong the rest of it is.
    fn declare(&mut self, document: Option<&Document>, shape: Shape) {
        let (key, names) = match shape {
            Shape::Entity => ("entity", &mut self.entities),
            Shape::System => ("system", &mut self.systems),
            Shape::Mapping => ("mapping", &mut self.mappings),
            Shape::Concord | Shape::Routes | Shape::Connector | Shape::Fixtures => return,
        };
        match document.and_then(|document| document.root().get(key)).map(|node| &node.value) {
            Some(Yaml::Text(name)) => {
                names.known.insert(name.clone());
            }
            _ => names.unsure = true,
        }
    }

    /// Keeps a secret's reference with its place.
    fn secret(&mut self, document: &Document, path: &[&str], reference: &SecretRef) {
        self.secret_places.push((reference.clone(), document.place(path)));
    }
}
