//! From steps as they are written to ones that run: every name is known in the version it is of, every type fits, and the
//! examples come out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use canonical::{Entity, EntitySchema, Field, FieldSpec, Fields};
use expression::{Input, Key, Names, Type, Unknown};

use super::{Made, Row, Source, Step, StepExample, StepRow, StepSource, Upcaster};
use crate::check::Check;
use crate::suggest;

/// Something that is wrong with `upcast`. These texts speak of configuration, never of records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct UpcastError {
    /// The keys under `upcast` that lead there: `0`, `rows`, `2`, `expr`.
    pub at: Vec<String>,
    /// The characters of the text that are meant, from 0, when it is about a part of it.
    pub within: Option<Range<u32>>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
}

impl fmt::Display for UpcastError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`upcast.{}`: {}", self.at.join("."), self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

/// The schemas of an entity's versions by their numbers.
type Versions<'a> = BTreeMap<u32, &'a EntitySchema>;

impl Upcaster {
    /// Checks the steps of an entity. `earlier`: the older versions that are known.
    ///
    /// # Errors
    /// With everything that is wrong, examples that do not come out included.
    pub fn compile(
        sources: &[StepSource],
        newest: &EntitySchema,
        earlier: &[&EntitySchema],
    ) -> Result<Self, Vec<UpcastError>> {
        let mut versions: Versions<'_> = earlier.iter().map(|schema| (schema.version, *schema)).collect();
        versions.insert(newest.version, newest);
        let mut compiler = Compiler { errors: Vec::new() };
        let mut steps: Vec<Step> = Vec::new();
        for (at, source) in sources.iter().enumerate() {
            let to = sources.get(at + 1).map_or(newest.version, |next| next.from);
            let Some((before, after)) = compiler.ends(at, source, to, newest, &versions) else { continue };
            if steps.last().is_some_and(|last| last.from >= source.from) {
                let hint = "write the steps in the order of their versions, each once";
                compiler.fault(&[&at, &"from"], "it does not follow on the step before it", hint);
                continue;
            }
            let rows = compiler.rows(at, &source.rows, before, after);
            let step = Self { steps: vec![Step { from: source.from, rows }], ..Self::plain(after) };
            if compiler.errors.is_empty() {
                source.examples.iter().enumerate().for_each(|(i, example)| {
                    compiler.example(&[&at, &"examples", &i], &step, source.from, example, before, after);
                });
            }
            steps.extend(step.steps);
        }
        if compiler.errors.is_empty() {
            Ok(Self { steps, ..Self::plain(newest) })
        } else {
            Err(compiler.errors)
        }
    }
}

struct Compiler {
    errors: Vec<UpcastError>,
}

impl Compiler {
    fn fault(&mut self, at: &[&dyn fmt::Display], message: impl Into<String>, hint: impl Into<String>) {
        let at = at.iter().map(ToString::to_string).collect();
        self.errors.push(UpcastError { at, within: None, message: message.into(), hint: Some(hint.into()) });
    }

    /// The schemas that a step lies between.
    fn ends<'a>(
        &mut self,
        at: usize,
        source: &StepSource,
        to: u32,
        newest: &EntitySchema,
        versions: &Versions<'a>,
    ) -> Option<(&'a EntitySchema, &'a EntitySchema)> {
        if source.from >= newest.version {
            let message =
                format!("a step reads an older version, and this file is version {}", newest.version);
            self.fault(&[&at, &"from"], message, "name the version that records were written under");
            return None;
        }
        match (versions.get(&source.from), versions.get(&to)) {
            (Some(before), Some(after)) => Some((before, after)),
            (before, _) => {
                let lacking = if before.is_none() { source.from } else { to };
                let entity = &newest.entity;
                let hint = format!(
                    "keep the file as it was beside this one under another name: model/{}@{lacking}.yaml",
                    entity.as_str().to_ascii_lowercase()
                );
                let message = format!("the folder has no version {lacking} of {entity}");
                self.fault(&[&at, &"from"], message, hint);
                None
            }
        }
    }

    fn rows(&mut self, at: usize, rows: &[StepRow], before: &EntitySchema, after: &EntitySchema) -> Vec<Row> {
        let (mut fields, mut sources) = (BTreeSet::new(), BTreeSet::new());
        let mut out = Vec::new();
        for (i, row) in rows.iter().enumerate() {
            if !fields.insert(&row.field) {
                let message = format!("`{}` is given by another row of this step", row.field);
                self.fault(&[&at, &"rows", &i, &"field"], message, "keep one of them");
            }
            if let Some(was) = row.was.as_ref().filter(|was| !sources.insert(*was)) {
                let message = format!("`{was}` already goes to another field");
                self.fault(&[&at, &"rows", &i, &"was"], message, "make the second of it: `expr: record.…`");
            }
            out.extend(self.row(&[&at, &"rows", &i], row, before, after));
        }
        out
    }

    fn row(
        &mut self,
        at: &[&dyn fmt::Display],
        row: &StepRow,
        before: &EntitySchema,
        after: &EntitySchema,
    ) -> Option<Row> {
        let faults = self.errors.len();
        let under = |key: &'static &'static str| -> Vec<&dyn fmt::Display> {
            at.iter().copied().chain([key as &dyn fmt::Display]).collect()
        };
        let name = &row.field;
        let Some(spec) = after.fields.get(name) else {
            let hint = suggest::hint(name.as_str(), after.fields.keys().map(Field::as_str));
            let message = format!("version {} has no field `{name}`", after.version);
            self.fault(&under(&"field"), message, hint);
            return None;
        };
        let there = before.fields.contains_key(name);
        if (row.was.is_some() || row.expr.is_some()) && there {
            let message =
                format!("version {} has a field `{name}`, too, whose values would be lost", before.version);
            self.fault(&under(&"field"), message, "give the new field another name, and retire the old one");
        }
        let source = match (&row.was, &row.expr) {
            (Some(_), Some(_)) => {
                self.fault(&under(&"expr"), "it stands beside `was`", "keep one of them");
                return None;
            }
            (Some(was), None) => {
                self.renamed(&under(&"was"), (was, spec), before, after);
                Source::Renamed(was.clone())
            }
            (None, Some(text)) => Source::Made(Box::new(self.made(&under(&"expr"), text, before, spec)?)),
            (None, None) if row.default.is_none() => {
                let hint = "say where it comes from: `was`, `expr` or `default`";
                self.fault(&under(&"field"), "nothing is said of it", hint);
                return None;
            }
            (None, None) => Source::Itself,
        };
        let default = match row.default.clone().map(|value| Check::new(spec).apply(value)) {
            None => None,
            Some(Ok(value)) if !canonical::value::is_empty(&value) => Some(value),
            Some(Ok(_)) => {
                self.fault(&under(&"default"), "it is empty", "say a value, or drop it");
                None
            }
            Some(Err(flaw)) => {
                let message = format!("it does not fit: expected {}, found {}", flaw.expected, flaw.found);
                self.fault(&under(&"default"), message, "write a value that the field may hold");
                None
            }
        };
        (self.errors.len() == faults).then(|| Row { field: name.clone(), source, default })
    }

    fn renamed(
        &mut self,
        at: &[&dyn fmt::Display],
        (was, spec): (&Field, &FieldSpec),
        before: &EntitySchema,
        after: &EntitySchema,
    ) {
        let Some(known) = before.fields.get(was) else {
            let hint = suggest::hint(was.as_str(), before.fields.keys().map(Field::as_str));
            return self.fault(at, format!("version {} has no field `{was}`", before.version), hint);
        };
        if !spec.kind.reads(&known.kind) {
            let message = format!("`{was}` holds {}, and the field is {}", known.kind, spec.kind);
            self.fault(at, message, "make it of the older one with `expr`");
        }
        if after.fields.contains_key(was) {
            let hint = format!("make the other of it: `expr: record.{was}`");
            self.fault(at, format!("version {} still has the field `{was}`", after.version), hint);
        }
    }

    fn made(
        &mut self,
        at: &[&dyn fmt::Display],
        text: &str,
        before: &EntitySchema,
        spec: &FieldSpec,
    ) -> Option<Made> {
        let wanted = Type::of_field(&spec.kind, true);
        let mut names = OfOlder { schema: before, inputs: Vec::new() };
        let program = expression::parse(text)
            .map_err(|fault| vec![fault])
            .and_then(|ast| expression::compile(&ast, &mut names, wanted.as_ref()));
        match program {
            Ok(_) if names.inputs.is_empty() => {
                self.fault(at, "it reads nothing of the record", "what is always the same is a `default`");
                None
            }
            Ok(program) => Some(Made { program, inputs: names.inputs, check: Check::new(spec) }),
            Err(faults) => {
                let at: Vec<String> = at.iter().map(ToString::to_string).collect();
                let error = |fault: expression::Fault| UpcastError {
                    at: at.clone(),
                    within: Some(fault.at),
                    message: fault.message,
                    hint: fault.hint,
                };
                self.errors.extend(faults.into_iter().map(error));
                None
            }
        }
    }

    /// An example that is no record of the older version, or does not come out.
    fn example(
        &mut self,
        at: &[&dyn fmt::Display],
        step: &Upcaster,
        from: u32,
        example: &StepExample,
        before: &EntitySchema,
        after: &EntitySchema,
    ) {
        let under = |side: &str, name: &str| -> Vec<String> {
            at.iter().map(ToString::to_string).chain([side.to_owned(), name.to_owned()]).collect()
        };
        let mut fault = |at: Vec<String>, message: String, hint: &str| {
            self.errors.push(UpcastError { at, within: None, message, hint: Some(hint.to_owned()) });
        };
        for (side, fields, schema) in [("record", &example.record, before), ("gives", &example.gives, after)]
        {
            for (name, value) in fields {
                let Some(spec) = schema.fields.get(name.as_str()) else {
                    let hint = suggest::hint(name, schema.fields.keys().map(Field::as_str));
                    fault(
                        under(side, name),
                        format!("version {} has no field `{name}`", schema.version),
                        &hint,
                    );
                    continue;
                };
                if !value.is_null() && Check::new(spec).apply(value.clone()).ok().as_ref() != Some(value) {
                    let message =
                        format!("version {} would not hold this: it has {}", schema.version, spec.kind);
                    fault(under(side, name), message, "write it as records have it");
                }
            }
        }
        let mut found = example.record.clone();
        step.fields(from, &mut found);
        let named = found.into_iter().filter(|(name, _)| after.fields.contains_key(name.as_str()));
        let found: Fields = named.collect();
        let names: BTreeSet<&String> = found.keys().chain(example.gives.keys()).collect();
        for name in names {
            let (is, wanted) = (found.get(name), example.gives.get(name));
            if is != wanted {
                let shown = |value: Option<&serde_json::Value>| {
                    value.map_or_else(|| "nothing".to_owned(), ToString::to_string)
                };
                let message = format!(
                    "the example does not come out: `{name}` is {}, not {}",
                    shown(is),
                    shown(wanted)
                );
                fault(under("gives", name), message, "correct the example, or the row it tests");
            }
        }
    }
}

/// The names of an expression: fields of the older version, any of which may be empty.
struct OfOlder<'a> {
    schema: &'a EntitySchema,
    inputs: Vec<Field>,
}

impl Names for OfOlder<'_> {
    fn input(&mut self, path: &[Key]) -> Result<Input, Unknown> {
        let unknown = |message: String, hint: String| Unknown { message, hint: Some(hint) };
        let [Key::Name(root), Key::Name(name)] = path else {
            return Err(unknown("this is no field".to_owned(), "write `record.NAME`".to_owned()));
        };
        if root != "record" {
            return Err(unknown(format!("there is no `{root}` here"), format!("write `record.{name}`")));
        }
        let Some((field, spec)) = self.schema.fields.get_key_value(name.as_str()) else {
            let hint = suggest::hint(name, self.schema.fields.keys().map(Field::as_str));
            return Err(unknown(format!("version {} has no field `{name}`", self.schema.version), hint));
        };
        let Some(ty) = Type::of_field(&spec.kind, true) else {
            let message = format!("`{name}` may hold anything, which has no type");
            return Err(unknown(message, "rename it with `was`".to_owned()));
        };
        let place = self.inputs.iter().position(|known| known == field).unwrap_or_else(|| {
            self.inputs.push(field.clone());
            self.inputs.len() - 1
        });
        Ok(Input { slot: u16::try_from(place).unwrap_or(u16::MAX), ty, choices: None })
    }

    fn table(&mut self, _: &str, _: &str, _: &str) -> Result<u16, Unknown> {
        let message =
            "an upcast looks nothing up: a table may change, and what is old must be read alike for ever";
        let hint = "write the cases out: `record.x == 'a' ? 'b' : 'c'`";
        Err(Unknown { message: message.to_owned(), hint: Some(hint.to_owned()) })
    }

    fn link(&mut self, _: u16, _: &Entity, _: &str) -> Result<u16, Unknown> {
        Err(Unknown { message: "an upcast asks for no links: they may change".to_owned(), hint: None })
    }
}
