//! One row: what it may say, and what it becomes.

use std::collections::BTreeMap;

use canonical::{EntitySchema, Field, FieldSpec, FieldType};
use serde_json::Value;

use super::table::{self, Tables};
use super::{Fault, types};
use crate::check::Check;
use crate::flaw::Flaw;
use crate::lookup::Lookup;
use crate::path::Path;
use crate::row::{InRow, Joined, Origin, OutRow, Policies, Reads, Source};
use crate::shape::Shape;
use crate::source::{ConcatForm, Direction, OnAbsent, OnEmpty, RowSource, Transform};
use crate::step::Step;
use crate::suggest;

pub(super) const PATH_HINT: &str =
    r"write keys with dots between them (`properties.email`), and `\.` for a dot in a key";

/// What a row becomes.
#[derive(Default)]
pub(super) struct Compiled {
    pub(super) constant: Option<(Path, Value)>,
    pub(super) read: Option<InRow>,
    pub(super) write: Option<OutRow>,
}

/// Compiles a row, collecting what can be seen at once.
pub(super) fn compile(
    row: &RowSource,
    schema: &EntitySchema,
    lookups: &BTreeMap<String, Lookup>,
) -> Result<Compiled, Vec<Fault>> {
    if let Some(value) = &row.constant {
        return constant(row, value);
    }
    let mut draft = Draft { row, schema, faults: Vec::new(), steps: Vec::new(), concat: None };
    draft.transforms();
    draft.one_way();
    draft.defaults();
    let path = draft.path();
    let field = draft.field();
    let (Some(path), Some((field, spec))) = (path, field) else { return Err(draft.faults) };
    draft.reference(field, &spec);
    if !draft.faults.is_empty() {
        return Err(draft.faults);
    }
    draft.assemble(path, field, &spec, lookups).map_err(|fault| vec![fault])
}

fn constant(row: &RowSource, value: &Value) -> Result<Compiled, Vec<Fault>> {
    let mut faults = Vec::new();
    if row.direction != Direction::Out {
        faults.push(Fault::new("direction", "a constant is only written", "add `direction: out`"));
    }
    let plain = RowSource { path: row.path.clone(), direction: row.direction, ..RowSource::default() };
    if *row != (RowSource { constant: Some(value.clone()), ..plain }) {
        let hint = "keep only `path` and `direction: out` beside it";
        faults.push(Fault::new(
            "constant",
            "it stands beside keys that have no meaning for a constant",
            hint,
        ));
    }
    match row.path.as_deref().map(Path::parse) {
        None => faults.push(Fault::new("path", "it is missing", "say where the constant goes")),
        Some(Err(error)) => faults.push(Fault::new("path", error.to_string(), PATH_HINT)),
        Some(Ok(path)) if faults.is_empty() => {
            return Ok(Compiled { constant: Some((path, value.clone())), ..Compiled::default() });
        }
        Some(Ok(_)) => {}
    }
    Err(faults)
}

/// A row that carries values, on its way.
struct Draft<'a> {
    row: &'a RowSource,
    schema: &'a EntitySchema,
    faults: Vec<Fault>,
    /// As written, without a leading `concat`.
    steps: Vec<Step>,
    concat: Option<&'a ConcatForm>,
}

impl<'a> Draft<'a> {
    fn fault(&mut self, key: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) {
        self.faults.push(Fault::new(key, message, hint));
    }

    fn transforms(&mut self) {
        for (k, transform) in self.row.transform.iter().enumerate() {
            match (Step::compile(transform), transform) {
                (Ok(Some(step)), _) => self.steps.push(step),
                (Ok(None), Transform::Concat(form)) if k == 0 => self.concat = Some(form),
                (Ok(None), _) => {
                    let hint = "its parts are what the row starts from: make it the first";
                    self.fault(format!("transform[{k}]"), "`concat` must be the first transform", hint);
                }
                (Err(bad), _) => {
                    let key = format!("transform[{k}].{}.{}", transform.name(), bad.option);
                    self.fault(key, bad.message, bad.hint);
                }
            }
        }
        if self.concat.is_some_and(|form| form.parts.len() < 2) {
            self.fault("transform[0].concat.parts", "there is nothing to join", "name at least two parts");
        }
    }

    fn one_way(&mut self) {
        if self.row.direction != Direction::Both {
            return;
        }
        let offset = usize::from(self.concat.is_some());
        let step = self.steps.iter().position(Step::is_one_way).map(|k| k + offset);
        let found = if self.concat.is_some() { Some(0) } else { step };
        if let Some(k) = found {
            let name = self.row.transform.get(k).map_or("", Transform::name);
            let message = format!("`{name}` goes one way only: what it does cannot be undone");
            let hint = "set `direction: in` or `direction: out`, and use a row of its own for the way back";
            self.fault(format!("transform[{k}]"), message, hint);
        }
    }

    fn defaults(&mut self) {
        let row = self.row;
        let mut said = row.on_empty == OnEmpty::Default;
        for (key, policy) in [("on_missing", row.on_missing), ("on_null", row.on_null)] {
            said |= policy == OnAbsent::Default;
            if policy == OnAbsent::Default && row.default.is_none() {
                self.fault(key, "it says `default`, but the row has none", "add `default: value`");
            }
        }
        if row.on_empty == OnEmpty::Default && row.default.is_none() {
            self.fault("on_empty", "it says `default`, but the row has none", "add `default: value`");
        }
        match &row.default {
            Some(_) if !said => {
                self.fault(
                    "default",
                    "it is never used",
                    "say when: `on_missing: default`, or `on_null`, `on_empty`",
                );
            }
            Some(Value::Null) => {
                self.fault("default", "it is null", "say `null` in the policy itself, and drop it")
            }
            Some(_) if row.reference.is_some() => {
                self.fault("default", "a reference has no default", "drop it: references come from links");
            }
            _ => {}
        }
    }

    /// Where it stands in the object: the path, or the first of those that are joined.
    fn path(&mut self) -> Option<Path> {
        let joined = self.concat.filter(|_| self.row.direction == Direction::In);
        match (&self.row.path, joined) {
            (Some(_), Some(_)) => {
                self.fault("path", "it stands beside `concat`, which names the paths", "drop it");
                None
            }
            (None, Some(form)) => {
                let key = "transform[0].concat.parts";
                let paths: Vec<_> = form.parts.iter().map(|text| self.parsed(key, text)).collect();
                paths.into_iter().collect::<Option<Vec<_>>>()?.into_iter().next()
            }
            (Some(text), None) => self.parsed("path", text),
            (None, None) => {
                self.fault("path", "it is missing", PATH_HINT);
                None
            }
        }
    }

    fn parsed(&mut self, key: &str, text: &str) -> Option<Path> {
        match Path::parse(text) {
            Ok(path) => Some(path),
            Err(error) => {
                self.fault(key, error.to_string(), PATH_HINT);
                None
            }
        }
    }

    /// The field, or the first of those that are joined.
    fn field(&mut self) -> Option<(&'a Field, FieldSpec)> {
        let joined = self.concat.filter(|_| self.row.direction == Direction::Out);
        match (&self.row.field, joined) {
            (Some(_), Some(_)) => {
                self.fault("field", "it stands beside `concat`, which names the fields", "drop it");
                None
            }
            (None, Some(form)) => {
                let parts: Vec<_> = form.parts.iter().map(|name| self.joinable(name)).collect();
                parts.into_iter().collect::<Option<Vec<_>>>()?.into_iter().next()
            }
            (Some(field), None) => self.known("field", field.as_str()),
            (None, None) => {
                let hint = "name a field of the entity; a row without one needs `constant` or `concat`";
                self.fault("field", "it is missing", hint);
                None
            }
        }
    }

    fn known(&mut self, key: &str, name: &str) -> Option<(&'a Field, FieldSpec)> {
        if let Some((field, spec)) = self.schema.fields.get_key_value(name) {
            return Some((field, spec.clone()));
        }
        let hint = suggest::hint(name, self.schema.fields.keys().map(Field::as_str));
        self.fault(key, format!("{} has no field `{name}`", self.schema.entity), hint);
        None
    }

    fn joinable(&mut self, name: &str) -> Option<(&'a Field, FieldSpec)> {
        let key = "transform[0].concat.parts";
        let (field, spec) = self.known(key, name)?;
        if matches!(spec.kind, FieldType::Boolean | FieldType::Reference(_) | FieldType::List { .. }) {
            let message = format!("`{name}` is {}, which cannot be joined", spec.kind);
            self.fault(key, message, "join texts, whole numbers, decimals, dates and times only");
            return None;
        }
        Some((field, spec))
    }

    fn reference(&mut self, field: &Field, spec: &FieldSpec) {
        match (&self.row.reference, &spec.kind) {
            (Some(used), FieldType::Reference(entity)) if used.entity != *entity => {
                let message = format!("`{field}` refers to {entity}, not to {}", used.entity);
                self.fault("ref.entity", message, format!("write `entity: {entity}`"));
            }
            (Some(_), FieldType::Reference(_)) if self.row.lookup.is_some() => {
                self.fault(
                    "lookup",
                    "a reference is resolved by links, not by a table",
                    "drop `lookup` or `ref`",
                );
            }
            (None, FieldType::Reference(entity)) if self.concat.is_none() || self.row.direction.reads() => {
                let hint =
                    format!("add `ref: {{entity: {entity}, object: ...}}` with the system's kind of object");
                self.fault(
                    "ref",
                    format!("`{field}` is a reference, and the row does not say to what"),
                    hint,
                );
            }
            (Some(_), FieldType::Reference(_)) | (None, _) => {}
            (Some(_), kind) => {
                let hint = "drop it, or make the field a reference in the schema (`format: record`)";
                self.fault("ref", format!("`{field}` is {kind}, not a reference"), hint);
            }
        }
    }

    fn assemble(
        self,
        path: Path,
        field: &Field,
        spec: &FieldSpec,
        lookups: &BTreeMap<String, Lookup>,
    ) -> Result<Compiled, Fault> {
        let row = self.row;
        let first = usize::from(self.concat.is_some());
        let joins_fields = self.concat.is_some() && row.direction == Direction::Out;
        let shape = if joins_fields { Shape::Text } else { Shape::of(&spec.kind) };
        if row.direction.reads() {
            types::reading(row, &self.steps, first, field, shape)?;
        }
        let written = self.writing_order(first);
        if row.direction.writes() {
            types::writing(row, &written, field, shape)?;
        }
        types::losses(row, &self.steps, shape)?;
        let check = if joins_fields { Check::any_text() } else { Check::new(spec) };
        let tables = match &row.lookup {
            Some(used) => table::compile(used, row.direction, &check, lookups)?,
            None => Tables::default(),
        };
        let policies = self.policies(&check)?;
        let reference = row.reference.clone();
        let write = if row.direction.writes() {
            let source = match (self.concat, reference.clone()) {
                (Some(form), _) => Source::Joined(joined(form, |name| Field::new(name).ok())),
                (None, Some(used)) => Source::Link(used),
                (None, None) => Source::Field,
            };
            let steps = written.into_iter().map(|(_, step)| step).collect();
            let mut out = OutRow {
                path: path.clone(),
                field: field.clone(),
                source,
                table: tables.write,
                steps,
                back: tables.back,
                policies: policies.clone(),
                equal: row.equal,
            };
            out.policies.default = written_default(&out, row)?;
            Some(out)
        } else {
            None
        };
        let read = row.direction.reads().then(|| InRow {
            field: field.clone(),
            path,
            reads: self
                .concat
                .map_or(Reads::One, |form| Reads::Joined(joined(form, |text| Path::parse(text).ok()))),
            settled: self.settled(shape),
            steps: self.steps,
            table: tables.read,
            check,
            reference,
            policies,
            equal: row.equal,
            twin: None,
        });
        Ok(Compiled { constant: None, read, write })
    }

    /// Whether the last step gives the field's normal form: parsed values do, texts and lists need more.
    fn settled(&self, shape: Shape) -> bool {
        let parsed = !matches!(shape, Shape::Raw | Shape::Text | Shape::List);
        parsed && self.steps.last().is_some_and(|step| step.read_shapes().1 == shape)
    }

    /// The steps as they write, each with its place in the row: `both` rows go through them backwards.
    fn writing_order(&self, first: usize) -> Vec<(usize, Step)> {
        let steps = self.steps.iter().enumerate().map(|(k, step)| (k + first, step.clone()));
        if self.row.direction == Direction::Both { steps.rev().collect() } else { steps.collect() }
    }

    fn policies(&self, check: &Check) -> Result<Policies, Fault> {
        let row = self.row;
        let default = match &row.default {
            None => Value::Null,
            Some(value) => check.apply(value.clone()).map_err(|flaw| misfitting_default(&flaw))?,
        };
        Ok(Policies { missing: row.on_missing, null: row.on_null, empty: row.on_empty, default })
    }
}

pub(super) fn misfitting_default(flaw: &Flaw) -> Fault {
    let message = format!("it does not fit: expected {}, found {}", flaw.expected, flaw.found);
    Fault::new("default", message, "give a value in the record's form")
}

/// The default in the system's form.
fn written_default(out: &OutRow, row: &RowSource) -> Result<Value, Fault> {
    if row.default.is_none() {
        return Ok(Value::Null);
    }
    match out.render(out.policies.default.clone()) {
        Ok(Origin::Value(value)) => Ok(value),
        Ok(Origin::Empty) => Ok(Value::from("")),
        Ok(Origin::Null | Origin::Missing) => Ok(Value::Null),
        Err(flaw) => Err(misfitting_default(&flaw)),
    }
}

/// The parts of a `concat`, which were all checked.
fn joined<T>(form: &ConcatForm, part: impl Fn(&str) -> Option<T>) -> Joined<T> {
    let parts = form.parts.iter().filter_map(|text| part(text)).collect();
    Joined { parts, separator: form.separator.clone() }
}
