//! Runs a mapping's examples: they are its tests, and `check` runs them all.

use std::collections::{BTreeMap, BTreeSet};

use canonical::value::normal;
use canonical::{Entity, Field, Fields, Object, RecordId};
use serde_json::Value;

use crate::error::ExampleFailure;
use crate::mapping::Mapping;
use crate::path::{Found, Path};
use crate::source::{Direction, ExampleSource};

/// Every difference of every example.
pub(crate) fn run(mapping: &Mapping) -> Vec<ExampleFailure> {
    let mut failures = Vec::new();
    for (index, example) in mapping.inner.examples.iter().enumerate() {
        let mut run = Run { mapping, example, index, way: Direction::In, failures: &mut failures };
        let canonical = run.canonical();
        if let Some(from) = &example.from {
            run.read(from, &canonical);
        }
        if let Some(to) = &example.to {
            run.way = Direction::Out;
            run.write(to, &canonical);
        }
    }
    failures
}

struct Run<'a> {
    mapping: &'a Mapping,
    example: &'a ExampleSource,
    index: usize,
    way: Direction,
    failures: &'a mut Vec<ExampleFailure>,
}

impl Run<'_> {
    fn fail(&mut self, at: &str, message: String) {
        self.failures.push(ExampleFailure {
            example: self.index,
            name: self.example.name.clone(),
            direction: self.way,
            at: at.to_owned(),
            message,
        });
    }

    fn differ(&mut self, at: &str, expected: Option<&Value>, found: Option<&Value>) {
        let show = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
        self.fail(at, format!("expected {}, got {}", show(expected), show(found)));
    }

    /// The canonical side in normal form, so that it may be written as people write it.
    fn canonical(&self) -> Fields {
        let rows = &self.mapping.inner.by_field;
        let kind = |name: &str| {
            rows.get(name).and_then(|at| self.mapping.inner.ins.get(*at)).map(|row| &row.check.kind)
        };
        let fields = self.example.canonical.iter();
        fields
            .map(|(name, value)| {
                let normal = kind(name).and_then(|kind| normal(kind, value.clone()).ok());
                (name.clone(), normal.unwrap_or_else(|| value.clone()))
            })
            .collect()
    }

    fn read(&mut self, from: &Fields, canonical: &Fields) {
        let patch = match (self.mapping.normalise(from), &self.example.fails) {
            (Err(misfit), Some(field)) if misfit.field == *field => return,
            (Err(misfit), _) => return self.fail(&misfit.path.clone(), misfit.to_string()),
            (Ok(_), Some(field)) => {
                return self.fail(field.as_str(), "it must be refused, but was read".to_owned());
            }
            (Ok(patch), None) => patch,
        };
        let mut names: BTreeSet<&str> = canonical.keys().map(String::as_str).collect();
        names.extend(patch.fields.keys().map(String::as_str));
        for name in names {
            let (expected, found) = (canonical.get(name), patch.fields.get(name));
            // A reference that `links` speaks of may be named in `canonical` for writing.
            let linked = self.example.links.contains_key(name);
            if expected != found && !(linked && found.is_none()) {
                self.differ(name, expected, found);
            }
        }
        let mut fields: BTreeSet<&Field> = self.example.links.keys().collect();
        fields.extend(patch.references.keys());
        for field in fields {
            let expected = self.example.links.get(field).map(|id| Value::from(id.as_str()));
            let found = patch.references.get(field).map(|target| Value::from(target.external_id.as_str()));
            if expected != found {
                self.differ(field.as_str(), expected.as_ref(), found.as_ref());
            }
        }
        if let Some(expected) = &self.example.extensions
            && *expected != patch.extensions
        {
            let (expected, found) = (Value::Object(expected.clone()), Value::Object(patch.extensions));
            self.differ("extensions", Some(&expected), Some(&found));
        }
    }

    fn write(&mut self, to: &Fields, canonical: &Fields) {
        let (record, answers) = self.linked(canonical);
        let links = |_: &Entity, _: &Object, record: &RecordId| answers.get(record).cloned();
        let fails = self.example.fails.as_ref().filter(|_| self.example.from.is_none());
        let projection = match (self.mapping.project(&record, &links), fails) {
            (Err(error), Some(field)) if error.field == *field => return,
            (Err(error), _) => return self.fail(&error.path.clone(), error.to_string()),
            (Ok(_), Some(field)) => {
                return self.fail(field.as_str(), "it must be refused, but was written".to_owned());
            }
            (Ok(projection), None) => projection,
        };
        for path in self.mapping.out_paths() {
            let (expected, found) = (expected_at(to, path), projection.fields.get(path));
            if expected != found {
                self.differ(path, expected, found);
            }
        }
        let missing: BTreeSet<&Field> = projection.missing.iter().map(|link| &link.field).collect();
        let expected: BTreeSet<&Field> = self.example.missing.iter().collect();
        for field in missing.symmetric_difference(&expected) {
            let how = if missing.contains(*field) {
                "it has no link: name its id in `links`, or the field in `missing`"
            } else {
                "it must be missing, but is not"
            };
            self.fail(field.as_str(), how.to_owned());
        }
        let known: Vec<Path> = self.mapping.out_paths().filter_map(|path| Path::parse(path).ok()).collect();
        let rest: Fields =
            to.iter().filter(|(key, _)| !is_flat(&known, key)).map(|(k, v)| (k.clone(), v.clone())).collect();
        let mut unknown = Vec::new();
        leaves(&Value::Object(rest), &mut Vec::new(), &known, &mut unknown);
        for path in unknown {
            self.fail(&path, "this mapping never writes it".to_owned());
        }
    }

    /// The record with an id in every reference that the example speaks of, and what links answer for them.
    fn linked(&self, canonical: &Fields) -> (Fields, BTreeMap<RecordId, String>) {
        let mut record = canonical.clone();
        let mut answers = BTreeMap::new();
        let named = self.example.links.keys().chain(&self.example.missing);
        for (entropy, field) in (1_u128..).zip(named) {
            let given = record.get(field.as_str()).and_then(Value::as_str).and_then(|text| text.parse().ok());
            let id = given.unwrap_or_else(|| RecordId::from_parts(canonical::Wall(0), entropy));
            record.insert(field.as_str().to_owned(), Value::String(id.to_string()));
            if let Some(answer) = self.example.links.get(field) {
                answers.insert(id, answer.clone());
            }
        }
        (record, answers)
    }
}

/// What an example expects at a path: under the path itself as a key, or nested.
fn expected_at<'a>(to: &'a Fields, path: &str) -> Option<&'a Value> {
    if let Some(value) = to.get(path) {
        return Some(value);
    }
    match Path::parse(path).ok()?.find(to) {
        Found::Value(value) => Some(value),
        Found::Missing | Found::Blocked { .. } => None,
    }
}

fn is_flat(known: &[Path], key: &str) -> bool {
    known.iter().any(|path| path.as_str() == key)
}

/// The paths of all leaves that none of these covers.
pub(crate) fn leaves(value: &Value, keys: &mut Vec<String>, known: &[Path], unknown: &mut Vec<String>) {
    let here = || keys.iter().map(String::as_str);
    if !keys.is_empty() && known.iter().any(|path| path.keys().eq(here())) {
        return;
    }
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(i, value)| (i.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    if children.is_empty() && !keys.is_empty() {
        unknown.push(Path::written(keys));
    }
    for (key, child) in children {
        keys.push(key);
        leaves(child, keys, known, unknown);
        keys.pop();
    }
}
