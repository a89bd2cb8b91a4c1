//! Where in the new folder something is said: so that a refusal points to a line, as other problems do.

use std::collections::BTreeMap;

use crate::document::Document;
use crate::files::{Files, TOP};
use crate::problem::Problem;
use crate::tree::Yaml;

/// The new folder's files by what they declare.
pub(crate) struct Places {
    concord: Option<Document>,
    /// By kind and name: the file, and the place in it under which its keys stand.
    declared: BTreeMap<(&'static str, String), (Document, Vec<String>)>,
    /// Files of older versions, by what they are versions of.
    kept: Vec<(String, Document)>,
}

impl Places {
    pub(crate) fn of(files: &Files) -> Self {
        let concord = files.get(TOP).and_then(|text| Document::parse(TOP, text).ok());
        let mut places = Self { concord, declared: BTreeMap::new(), kept: Vec::new() };
        for (folder, kind) in [("model", "entity"), ("systems", "system"), ("mappings", "mapping")] {
            for (path, text) in files.of(folder) {
                let Ok(document) = Document::parse(path, text) else { continue };
                places.declare(kind, &document, &[]);
            }
        }
        for (path, text) in files.of("routes") {
            let Ok(document) = Document::parse(path, text) else { continue };
            let Some(Yaml::List(items)) = document.root().get("routes").map(|node| &node.value) else {
                continue;
            };
            for at in 0..items.len() {
                places.declare("route", &document, &["routes".to_owned(), at.to_string()]);
            }
        }
        places
    }

    fn declare(&mut self, kind: &'static str, document: &Document, under: &[String]) {
        let node = under.iter().try_fold(document.root(), |node, key| node.get(key));
        if let Some(Yaml::Text(name)) = node.and_then(|node| node.get(kind)).map(|node| &node.value) {
            let number = |document: &Document| {
                document.root().get("version").and_then(|node| node.to_json().as_u64()).unwrap_or(0)
            };
            let place = (document.clone(), under.to_vec());
            match self.declared.get_mut(&(kind, name.clone())) {
                // Of several versions the newest is meant.
                Some((newest, _)) if number(newest) > number(document) => {
                    self.kept.push((name.clone(), place.0))
                }
                Some(known) => self.kept.push((name.clone(), std::mem::replace(known, place).0)),
                None => drop(self.declared.insert((kind, name.clone()), place)),
            }
        }
    }

    /// A problem with an older version of an entity that is kept.
    pub(crate) fn kept(&self, name: &str, number: u32, what: String, hint: String) -> Problem {
        let is = |document: &Document| {
            document.root().get("version").and_then(|node| node.to_json().as_u64()) == Some(number.into())
        };
        match self.kept.iter().find(|(known, document)| known == name && is(document)) {
            Some((_, document)) => document.problem(&["version"], what).hint(hint),
            None => Problem::of_file("", what, hint),
        }
    }

    /// A problem with a key of `concord.yaml`, such as `store.folder`.
    pub(crate) fn concord(&self, key: &str, what: String, hint: String) -> Problem {
        let path: Vec<&str> = key.split('.').collect();
        match &self.concord {
            Some(document) => document.problem(&path, what).hint(hint),
            None => Problem::of_file(TOP, what, hint),
        }
    }

    /// A problem with a key of what a file declares.
    pub(crate) fn key(
        &self,
        kind: &'static str,
        name: &str,
        key: &str,
        what: String,
        hint: String,
    ) -> Problem {
        self.at(kind, name, &[key], what, hint)
    }

    /// A problem with something under its keys.
    pub(crate) fn at(
        &self,
        kind: &'static str,
        name: &str,
        path: &[&str],
        what: String,
        hint: String,
    ) -> Problem {
        match self.declared.get(&(kind, name.to_owned())) {
            Some((document, under)) => {
                let path: Vec<&str> = under.iter().map(String::as_str).chain(path.iter().copied()).collect();
                document.problem(&path, what).hint(hint)
            }
            None => Problem::of_file("", what, hint),
        }
    }
}
