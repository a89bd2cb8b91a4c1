//! From a mapping as written to one that runs: names resolved, types checked, nothing left to guess.

mod cell;
mod row;
mod table;
mod types;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use canonical::{EntitySchema, Field};

use crate::error::MappingError;
use crate::lookup::Lookup;
use crate::mapping::Inner;
use crate::meaning::{self, Meaning};
use crate::path::Path;
use crate::row::{InRow, OutRow};
use crate::source::{ExampleSource, MappingSource};
use crate::suggest;

/// What is wrong with one key of a row: the key, what, and what would be right.
pub(crate) struct Fault {
    key: String,
    within: Option<Range<u32>>,
    message: String,
    hint: Option<String>,
}

impl Fault {
    pub(crate) fn new(key: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { key: key.into(), within: None, message: message.into(), hint: Some(hint.into()) }
    }

    /// A part of a row's expression.
    pub(crate) fn within(fault: expression::Fault) -> Self {
        let expression::Fault { at, message, hint } = fault;
        Self { key: "expr".to_owned(), within: Some(at), message, hint }
    }

    fn at(self, row: Option<usize>) -> MappingError {
        MappingError { row, key: self.key, within: self.within, message: self.message, hint: self.hint }
    }
}

/// Compiles, collecting every error.
pub(crate) fn compile(
    source: &MappingSource,
    schema: &EntitySchema,
    lookups: &BTreeMap<String, Lookup>,
) -> Result<Inner, Vec<MappingError>> {
    let mut compiler = Compiler { source, schema, errors: Vec::new(), ins: Vec::new(), outs: Vec::new() };
    compiler.head();
    let (mut declared, faults) = cell::Declared::new(source);
    compiler.errors.extend(faults.into_iter().map(|fault| fault.at(None)));
    let mut constants = Vec::new();
    for (index, written) in source.fields.iter().enumerate() {
        let compiled = match &written.expr {
            Some(text) => cell::compile(written, text, schema, &mut declared, lookups),
            None => row::compile(written, schema, lookups),
        };
        match compiled {
            Ok(compiled) => {
                if let Some((path, value)) = compiled.constant {
                    compiler.outs.push((index, None, path.clone()));
                    constants.push((path, value));
                }
                compiler.rows(index, compiled.read, compiled.write);
            }
            Err(faults) => compiler.errors.extend(faults.into_iter().map(|fault| fault.at(Some(index)))),
        }
    }
    // Where something is wrong it may be what would have read them.
    if compiler.errors.is_empty() {
        compiler.errors.extend(declared.unused().map(|fault| fault.at(None)));
    }
    compiler.overlaps();
    compiler.removed();
    let extensions = compiler.extensions();
    compiler.examples();
    compiler.finish(constants, extensions, lookups)
}

struct Compiler<'a> {
    source: &'a MappingSource,
    schema: &'a EntitySchema,
    errors: Vec<MappingError>,
    /// With the index of the row in the file.
    ins: Vec<(usize, InRow)>,
    /// Everything written; constants without a row.
    outs: Vec<(usize, Option<OutRow>, Path)>,
}

impl Compiler<'_> {
    fn fault(&mut self, row: Option<usize>, key: impl Into<String>, message: impl Into<String>, hint: &str) {
        self.errors.push(Fault::new(key, message, hint).at(row));
    }

    fn head(&mut self) {
        if self.source.mapping.trim().is_empty() {
            self.fault(None, "mapping", "it has no name", "name it, such as `contact.crm`");
        }
        if self.source.version == 0 {
            self.fault(None, "version", "versions count from 1", "write `version: 1`");
        }
        if self.source.entity != self.schema.entity {
            let message =
                format!("it maps `{}`, but the schema is of `{}`", self.source.entity, self.schema.entity);
            self.fault(None, "entity", message, "name the entity whose schema it is checked against");
        }
        if self.source.fields.is_empty() {
            self.fault(
                None,
                "fields",
                "it maps nothing",
                "add a row: `{field: email, path: properties.email}`",
            );
        }
    }

    fn rows(&mut self, index: usize, read: Option<InRow>, write: Option<OutRow>) {
        if let Some(mut read) = read {
            let places = self.outs.iter().filter(|(_, row, _)| row.is_some()).count();
            read.twin = write.is_some().then_some(places);
            self.ins.push((index, read));
        }
        if let Some(write) = write {
            let path = write.path.clone();
            self.outs.push((index, Some(write), path));
        }
    }

    /// One row per field that is read, one per path that is written, and no path inside another.
    fn overlaps(&mut self) {
        let mut faults = Vec::new();
        let mut fields: BTreeMap<&Field, usize> = BTreeMap::new();
        for (index, row) in &self.ins {
            if let Some(first) = fields.insert(&row.field, *index) {
                let message = format!("`{}` is already read by fields[{first}]", row.field);
                let hint = "read each field from one place: make one of them `direction: out`, or drop it";
                faults.push(Fault::new("field", message, hint).at(Some(*index)));
            }
        }
        for (at, (index, _, path)) in self.outs.iter().enumerate() {
            let keys: Vec<&str> = path.keys().collect();
            for (first, _, other) in &self.outs[..at] {
                let others: Vec<&str> = other.keys().collect();
                let shared = keys.iter().zip(&others).take_while(|(one, other)| one == other).count();
                if shared == keys.len().min(others.len()) {
                    let same = keys.len() == others.len();
                    let how = if same { "is already written" } else { "overlaps what is written" };
                    let message = format!("`{}` {how} by fields[{first}]", path.as_str());
                    let hint = "write each place once: make one of them `direction: in`, or drop it";
                    faults.push(Fault::new("path", message, hint).at(Some(*index)));
                    break;
                }
            }
        }
        self.errors.extend(faults);
    }

    fn extensions(&mut self) -> Vec<Path> {
        let mut paths: Vec<Path> = Vec::new();
        for (i, text) in self.source.extensions.iter().enumerate() {
            let key = format!("extensions[{i}]");
            match Path::parse(text) {
                Err(error) => self.fault(None, key, error.to_string(), row::PATH_HINT),
                Ok(path) if paths.contains(&path) => {
                    self.fault(None, key, format!("`{text}` stands there twice"), "drop one of them");
                }
                Ok(path) => paths.push(path),
            }
        }
        paths
    }

    /// What is written is not removed.
    fn removed(&mut self) {
        for text in self.source.removed.keys() {
            let key = format!("removed.{text}");
            match Path::parse(text) {
                Err(error) => self.fault(None, key, error.to_string(), row::PATH_HINT),
                Ok(path) if self.outs.iter().any(|(_, _, other)| other.as_str() == path.as_str()) => {
                    let message = format!("`{text}` is written by a row of this mapping");
                    self.fault(None, key, message, "drop the row, or this line");
                }
                Ok(_) => {}
            }
        }
    }

    fn examples(&mut self) {
        for (i, example) in self.source.examples.iter().enumerate() {
            if example.from.is_none() && example.to.is_none() {
                let hint = "add `from` (the object that is read) or `to` (what is written)";
                self.fault(None, format!("examples[{i}]"), "it shows nothing", hint);
            }
            for (key, field) in named(example) {
                if !self.schema.fields.contains_key(field) {
                    let hint = suggest::hint(field, self.schema.fields.keys().map(Field::as_str));
                    let message = format!("{} has no field `{field}`", self.schema.entity);
                    self.fault(None, format!("examples[{i}].{key}"), message, &hint);
                }
            }
        }
    }

    fn finish(
        mut self,
        constants: Vec<(Path, serde_json::Value)>,
        extensions: Vec<Path>,
        lookups: &BTreeMap<String, Lookup>,
    ) -> Result<Inner, Vec<MappingError>> {
        if !self.errors.is_empty() {
            self.errors.sort_by_key(|error| error.row);
            return Err(self.errors);
        }
        let (ins_at, ins): (Vec<usize>, Vec<InRow>) = self.ins.into_iter().unzip();
        let outs = self.outs.into_iter().filter_map(|(at, row, _)| Some((at, row?)));
        let (outs_at, outs): (Vec<usize>, Vec<OutRow>) = outs.unzip();
        let source = self.source;
        let used: BTreeSet<&Field> =
            ins.iter().map(|row| &row.field).chain(outs.iter().flat_map(OutRow::fields)).collect();
        let meaning = Meaning::of(source, lookups);
        Ok(Inner {
            id: source.mapping.clone(),
            version: source.version,
            entity: source.entity.clone(),
            system: source.system.clone(),
            object: source.object.clone(),
            digest: meaning::digest(&meaning, self.schema, &used),
            meaning,
            by_path: outs.iter().enumerate().map(|(i, row)| (row.path.as_str().to_owned(), i)).collect(),
            written: Arc::new(outs.iter().flat_map(|row| row.fields()).cloned().collect()),
            by_field: ins.iter().enumerate().map(|(i, row)| (row.field.clone(), i)).collect(),
            ins,
            outs,
            constants,
            extensions,
            removed: source.removed.clone(),
            examples: source.examples.clone(),
            rows: source.fields.clone(),
            ins_at,
            outs_at,
        })
    }
}

/// The fields an example names, each with the key it stands under.
fn named(example: &ExampleSource) -> impl Iterator<Item = (&'static str, &str)> {
    let canonical = example.canonical.keys().map(|name| ("canonical", name.as_str()));
    let links = example.links.keys().map(|field| ("links", field.as_str()));
    let missing = example.missing.iter().map(|field| ("missing", field.as_str()));
    canonical.chain(links).chain(missing).chain(example.fails.iter().map(|field| ("fails", field.as_str())))
}
