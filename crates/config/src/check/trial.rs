//! Mappings tried by themselves: compiled, their examples run, their rows proven, whatever else the folder lacks.

use std::collections::BTreeMap;
use std::sync::Arc;

use canonical::EntitySchema;
use mapping::{Mapping, MappingSource};

use crate::check::{Checks, Written};
use crate::files::Files;
use crate::problem::Problem;
use crate::shape::Shape;
use crate::source::SystemSource;

/// The mappings of a folder, each by itself, and what is wrong with the files that they need.
#[derive(Clone, Debug, Default)]
pub struct Trials {
    /// In the order of their files.
    pub mappings: Vec<Trial>,
    /// What is wrong with the files of `model/` and `lookups/`, and with files of mappings that cannot be read.
    pub problems: Vec<Problem>,
}

/// One mapping, tried.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Its file, from the folder.
    pub file: String,
    /// Its name.
    pub name: String,
    /// It, where it compiles, with the entity it is for.
    pub compiled: Option<(Arc<Mapping>, Arc<EntitySchema>)>,
    /// What keeps it from compiling, examples that do not come out, and rows that do not come back.
    pub problems: Vec<Problem>,
}

/// Tries the mappings of a folder. Routes and `concord.yaml` are not looked at, and of systems only their names.
#[must_use]
pub fn trials(files: &Files) -> Trials {
    let mut checks = Checks::default();
    // Only what they are called counts here: what is wrong with them is not about mappings.
    checks.read_all::<SystemSource>(files, "systems", Shape::System, "system");
    checks.problems.clear();
    let written: Vec<Written<MappingSource>> = checks.read_all(files, "mappings", Shape::Mapping, "mapping");
    let entities = checks.read_all(files, "model", Shape::Entity, "entity");
    let lookups = checks.lookups(files);
    let entities = checks.entities(entities);
    let needed = std::mem::take(&mut checks.problems);
    let mut mappings = Vec::new();
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    for Written { document, value: source } in &written {
        let mapping = checks.mapping(document, source, &entities, &lookups);
        let schema = entities.get(&source.entity).map(|declared| declared.schema.clone());
        if let Some(other) = first.insert(&source.mapping, document.file()) {
            checks.twice(document, &source.mapping, other);
        }
        mappings.push(Trial {
            file: document.file().to_owned(),
            name: source.mapping.clone(),
            compiled: mapping.map(Arc::new).zip(schema),
            problems: std::mem::take(&mut checks.problems),
        });
    }
    Trials { mappings, problems: needed.into_iter().filter(Problem::is_error).collect() }
}
