//! A row with an expression: its inputs, its tables and its links, and the few keys that may stand beside it.

use std::collections::BTreeMap;

use canonical::{Entity, EntitySchema, Field, FieldType, Object};
use expression::{Input, Key, Kind, Names, Program, Type, Unknown};
use serde_json::Value;

use super::Fault;
use super::row::Compiled;
use crate::cell::{Cell, Link, plain};
use crate::check::Check;
use crate::flaw::Flaw;
use crate::lookup::Lookup;
use crate::path::Path;
use crate::row::{InRow, OutRow, Policies, Reads, Source};
use crate::source::{Direction, Equal, MappingSource, OnAbsent, OnEmpty, RowSource};
use crate::suggest;

/// What a mapping says of the paths that its expressions read.
pub(super) struct Declared {
    paths: Vec<(Path, Type)>,
    used: Vec<bool>,
}

impl Declared {
    /// Reads `reads`.
    pub(super) fn new(source: &MappingSource) -> (Self, Vec<Fault>) {
        let (mut paths, mut faults) = (Vec::new(), Vec::new());
        for (text, ty) in &source.reads {
            let key = format!("reads.{text}");
            match (Path::parse(text), Type::parse(ty)) {
                (Err(error), _) => faults.push(Fault::new(key, error.to_string(), super::row::PATH_HINT)),
                (_, None) => {
                    let plain = ty.trim_end_matches('?');
                    let hint = match suggest::nearest(plain, Type::NAMES) {
                        Some(name) => format!("did you mean `{name}`?"),
                        None => {
                            format!("use one of: {}; with `?` when it may be null", Type::NAMES.join(", "))
                        }
                    };
                    faults.push(Fault::new(key, format!("there is no type `{ty}`"), hint));
                }
                (Ok(path), Some(ty)) => paths.push((path, ty)),
            }
        }
        let used = vec![false; paths.len()];
        (Self { paths, used }, faults)
    }

    /// Those that no expression reads: a system would be asked for them for nothing.
    pub(super) fn unused(&self) -> impl Iterator<Item = Fault> {
        let unused = self.paths.iter().zip(&self.used).filter(|(_, used)| !**used);
        unused.map(|((path, _), _)| {
            let hint = format!("drop it, or read it in an `expr`: `object.{}`", path.as_str());
            Fault::new(format!("reads.{}", path.as_str()), "no row reads it", hint)
        })
    }
}

/// Compiles a row with an expression.
pub(super) fn compile(
    row: &RowSource,
    text: &str,
    schema: &EntitySchema,
    declared: &mut Declared,
    lookups: &BTreeMap<String, Lookup>,
) -> Result<Compiled, Vec<Fault>> {
    let faults = beside(row);
    if !faults.is_empty() {
        return Err(faults);
    }
    match row.direction {
        Direction::In => reading(row, text, schema, declared, lookups),
        _ => writing(row, text, schema, lookups),
    }
}

/// The keys that may not stand beside an expression, and those that must.
fn beside(row: &RowSource) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |key: &str, message: &str, hint: &str| faults.push(Fault::new(key, message, hint));
    let whole = "say it in the expression, and drop it";
    for (key, stands) in [
        ("transform", !row.transform.is_empty()),
        ("lookup", row.lookup.is_some()),
        ("ref", row.reference.is_some()),
        ("constant", row.constant.is_some()),
    ] {
        if stands {
            fault(key, "it stands beside `expr`", if key == "constant" { "keep one of them" } else { whole });
        }
    }
    match (row.direction, &row.field, &row.path) {
        (Direction::Both, ..) => {
            let hint = "use two one-way rows: `direction: in` with `field`, `direction: out` with `path`";
            fault("expr", "an expression goes one way only: what it does cannot be undone", hint);
        }
        (Direction::In, None, _) => {
            fault("field", "it is missing", "name the field that the expression gives")
        }
        (Direction::Out, _, None) => fault("path", "it is missing", "say where the result goes"),
        _ => {}
    }
    match (row.direction, &row.field, &row.path) {
        (Direction::In, _, Some(_)) => {
            fault("path", "it stands beside `expr`, which names the paths", "drop it, and write `object.…`");
        }
        (Direction::Out, Some(_), _) => {
            fault(
                "field",
                "it stands beside `expr`, which names the fields",
                "drop it, and write `record.…`",
            );
        }
        _ => {}
    }
    faults
}

fn reading(
    row: &RowSource,
    text: &str,
    schema: &EntitySchema,
    declared: &mut Declared,
    lookups: &BTreeMap<String, Lookup>,
) -> Result<Compiled, Vec<Fault>> {
    let name = row.field.as_ref().map_or("", Field::as_str);
    let Some((field, spec)) = schema.fields.get_key_value(name) else {
        let hint = suggest::hint(name, schema.fields.keys().map(Field::as_str));
        return Err(vec![Fault::new("field", format!("{} has no field `{name}`", schema.entity), hint)]);
    };
    let wanted = match &spec.kind {
        FieldType::Reference(_) => {
            let hint = "read it by a row with `path` and `ref`: an id is resolved by links";
            return Err(vec![Fault::new("field", format!("`{field}` is {}", spec.kind), hint)]);
        }
        kind => Type::of_field(kind, true),
    };
    let mut names = OfObject { declared, tables: Tables { lookups, found: Vec::new() }, inputs: Vec::new() };
    let program = parsed(text, &mut names, wanted.as_ref())?;
    let (inputs, tables) = (names.inputs, names.tables.found);
    let places: Vec<Path> = inputs.iter().filter_map(|at| Some(declared.paths.get(*at)?.0.clone())).collect();
    let Some(path) = places.first().cloned() else { return Err(vec![reads_nothing("the object")]) };
    let check = Check::new(spec);
    let policies = policies(row, |value| check.apply(value)).map_err(|fault| vec![fault])?;
    equal(row, program.ty()).map_err(|fault| vec![fault])?;
    let tables = tables.into_iter().map(|(_, pairs)| pairs).collect();
    let cell = Cell { program, inputs: places, tables, links: Vec::new(), gives: spec.kind.clone() };
    let read = InRow {
        field: field.clone(),
        path,
        reads: Reads::Cell(Box::new(cell)),
        steps: Vec::new(),
        table: None,
        check,
        settled: false,
        reference: None,
        policies,
        equal: row.equal,
        twin: None,
    };
    Ok(Compiled { read: Some(read), ..Compiled::default() })
}

fn writing(
    row: &RowSource,
    text: &str,
    schema: &EntitySchema,
    lookups: &BTreeMap<String, Lookup>,
) -> Result<Compiled, Vec<Fault>> {
    let path = Path::parse(row.path.as_deref().unwrap_or_default())
        .map_err(|error| vec![Fault::new("path", error.to_string(), super::row::PATH_HINT)])?;
    let tables = Tables { lookups, found: Vec::new() };
    let mut names = OfRecord { schema, tables, inputs: Vec::new(), links: Vec::new() };
    let program = parsed(text, &mut names, None)?;
    let (inputs, tables, links) = (names.inputs, names.tables.found, names.links);
    let Some(field) = inputs.first().cloned() else { return Err(vec![reads_nothing("the record")]) };
    let gives = held(program.ty());
    let policies = policies(row, |value| plain(&gives, &value)).map_err(|fault| vec![fault])?;
    equal(row, program.ty()).map_err(|fault| vec![fault])?;
    let tables = tables.into_iter().map(|(_, pairs)| pairs).collect();
    let cell = Cell { program, inputs, tables, links, gives };
    let write = OutRow {
        path,
        field,
        source: Source::Cell(Box::new(cell)),
        table: None,
        steps: Vec::new(),
        back: None,
        policies,
        equal: row.equal,
    };
    Ok(Compiled { write: Some(write), ..Compiled::default() })
}

fn parsed(text: &str, names: &mut dyn Names, wanted: Option<&Type>) -> Result<Program, Vec<Fault>> {
    let program = expression::parse(text)
        .map_err(|fault| vec![fault])
        .and_then(|ast| expression::compile(&ast, names, wanted));
    program.map_err(|faults| faults.into_iter().map(Fault::within).collect())
}

fn reads_nothing(of: &str) -> Fault {
    let hint = "what is always the same is a `constant` (`out`), or needs no row";
    Fault::new("expr", format!("it reads nothing of {of}"), hint)
}

/// As a field would hold it.
fn held(ty: &Type) -> FieldType {
    match &ty.kind {
        Kind::Bool => FieldType::Boolean,
        Kind::Int => FieldType::Integer,
        Kind::Decimal => FieldType::Decimal,
        Kind::Text => FieldType::Text,
        Kind::Date => FieldType::Date,
        Kind::Time => FieldType::Time,
        Kind::List(item) if item.kind == Kind::Text && !item.null => FieldType::List { set: false },
        Kind::List(_) | Kind::Ref(_) | Kind::Null => FieldType::Any,
    }
}

fn policies(row: &RowSource, form: impl Fn(Value) -> Result<Value, Flaw>) -> Result<Policies, Fault> {
    let mut said = row.on_empty == OnEmpty::Default;
    for (key, policy) in [("on_missing", row.on_missing), ("on_null", row.on_null)] {
        said |= policy == OnAbsent::Default;
        if policy == OnAbsent::Default && row.default.is_none() {
            return Err(Fault::new(key, "it says `default`, but the row has none", "add `default: value`"));
        }
    }
    let default = match &row.default {
        None if row.on_empty == OnEmpty::Default => {
            let message = "it says `default`, but the row has none";
            return Err(Fault::new("on_empty", message, "add `default: value`"));
        }
        None => Value::Null,
        Some(_) if !said => {
            let hint = "say when: `on_missing: default`, or `on_null`, `on_empty`";
            return Err(Fault::new("default", "it is never used", hint));
        }
        Some(Value::Null) => {
            return Err(Fault::new("default", "it is null", "say `null` in the policy itself, and drop it"));
        }
        Some(value) => form(value.clone()).map_err(|flaw| super::row::misfitting_default(&flaw))?,
    };
    Ok(Policies { missing: row.on_missing, null: row.on_null, empty: row.on_empty, default })
}

/// An expression says itself what it rounds, so that only texts can be compared otherwise.
fn equal(row: &RowSource, ty: &Type) -> Result<(), Fault> {
    let textual = match &ty.kind {
        Kind::Text => true,
        Kind::List(item) => item.kind == Kind::Text,
        _ => false,
    };
    match row.equal {
        Some(Equal::Rounded) => {
            Err(Fault::new("equal", "a row with `expr` does not round by itself", "drop it"))
        }
        Some(equal) if !textual => {
            let message = format!("`{}` compares texts, and this is {ty}", equal.as_str());
            Err(Fault::new("equal", message, "drop it"))
        }
        _ => Ok(()),
    }
}

/// A table, and the columns it is read from and to.
type Asked = (String, String, String);

/// Tables by slot, each with the name and columns it was asked for by.
struct Tables<'a> {
    lookups: &'a BTreeMap<String, Lookup>,
    found: Vec<(Asked, BTreeMap<String, String>)>,
}

impl Tables<'_> {
    fn slot(&mut self, table: &str, from: &str, to: &str) -> Result<u16, Unknown> {
        let asked = (table.to_owned(), from.to_owned(), to.to_owned());
        if let Some(slot) = self.found.iter().position(|(known, _)| *known == asked) {
            return Ok(slot_of(slot));
        }
        let unknown = |(message, hint)| Unknown { message, hint: Some(hint) };
        let Some(lookup) = self.lookups.get(table) else {
            let hint = suggest::hint(table, self.lookups.keys().map(String::as_str));
            return Err(unknown((format!("there is no lookup table `{table}`"), hint)));
        };
        let (from, to) = (lookup.column(from).map_err(unknown)?, lookup.column(to).map_err(unknown)?);
        let pairs = lookup.pairs(from, to).map_err(|error| {
            let row = error.row.map_or(String::new(), |row| format!(", row {row}"));
            unknown((format!("in `{}`{row}: {}", error.table, error.message), error.hint))
        })?;
        let pairs = pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        self.found.push((asked, pairs));
        Ok(slot_of(self.found.len() - 1))
    }
}

/// There are at most as many as parts of an expression.
fn slot_of(place: usize) -> u16 {
    u16::try_from(place).unwrap_or(u16::MAX)
}

/// The place of something in a list, at whose end it is put when it is new.
fn placed<T: PartialEq>(list: &mut Vec<T>, item: T) -> u16 {
    let place = list.iter().position(|known| *known == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    });
    slot_of(place)
}

/// The keys of a path as texts.
fn texts(keys: &[Key]) -> Vec<String> {
    let text = |key: &Key| match key {
        Key::Name(name) => name.clone(),
        Key::Place(place) => place.to_string(),
    };
    keys.iter().map(text).collect()
}

fn no_root(keys: &[Key], root: &str, other: &str) -> Unknown {
    let found = texts(keys).first().cloned().unwrap_or_default();
    let message = match found.as_str() {
        found if found == other => format!("there is no `{found}` here: this row reads the {root}"),
        found => format!("there is no `{found}` here"),
    };
    Unknown { message, hint: Some(format!("paths start with `{root}`: `{root}.name`")) }
}

/// The names of a row that reads: paths of the object that `reads` declares.
struct OfObject<'a> {
    declared: &'a mut Declared,
    tables: Tables<'a>,
    /// By slot: places in `declared`.
    inputs: Vec<usize>,
}

impl Names for OfObject<'_> {
    fn input(&mut self, path: &[Key]) -> Result<Input, Unknown> {
        let keys = texts(path);
        let Some((_, keys)) = keys.split_first().filter(|(root, _)| *root == "object") else {
            return Err(no_root(path, "object", "record"));
        };
        let found =
            self.declared.paths.iter().position(|(path, _)| path.keys().eq(keys.iter().map(String::as_str)));
        let Some(place) = found else {
            let text = keys.join(".");
            let known = self.declared.paths.iter().map(|(path, _)| path.as_str());
            let hint = match suggest::nearest(&text, known) {
                Some(near) => {
                    format!("did you mean `object.{near}`? else declare it: `reads: {{{text}: text?}}`")
                }
                None => format!("declare it in the mapping: `reads: {{{text}: text?}}`"),
            };
            return Err(Unknown {
                message: format!("nothing says of which type `{text}` is"),
                hint: Some(hint),
            });
        };
        if let Some(used) = self.declared.used.get_mut(place) {
            *used = true;
        }
        let ty = self.declared.paths.get(place).map_or(Type::of(Kind::Text), |(_, ty)| ty.clone());
        Ok(Input { slot: placed(&mut self.inputs, place), ty, choices: None })
    }

    fn table(&mut self, table: &str, from: &str, to: &str) -> Result<u16, Unknown> {
        self.tables.slot(table, from, to)
    }

    fn link(&mut self, _: u16, _: &Entity, _: &str) -> Result<u16, Unknown> {
        Err(Unknown { message: "an object has no links to ask for".to_owned(), hint: None })
    }
}

/// The names of a row that writes: fields of the record. Those that a record needs before it is sent anywhere are
/// never null there.
struct OfRecord<'a> {
    schema: &'a EntitySchema,
    tables: Tables<'a>,
    /// By slot.
    inputs: Vec<Field>,
    links: Vec<Link>,
}

impl Names for OfRecord<'_> {
    fn input(&mut self, path: &[Key]) -> Result<Input, Unknown> {
        let [Key::Name(root), Key::Name(name)] = path else {
            let mut unknown = no_root(path, "record", "object");
            if texts(path).first().is_some_and(|root| root == "record") {
                unknown.message = "a field of the record has no parts".to_owned();
            }
            if let [Key::Name(root), Key::Name(name), Key::Name(last)] = path
                && expression::FUNCTIONS.iter().any(|function| function.name == last)
            {
                unknown.hint = Some(format!("`{last}` is a function: `{last}({root}.{name})`"));
            }
            return Err(unknown);
        };
        if root != "record" {
            return Err(no_root(path, "record", "object"));
        }
        let Some((field, spec)) = self.schema.fields.get_key_value(name.as_str()) else {
            let hint = suggest::hint(name, self.schema.fields.keys().map(Field::as_str));
            let message = format!("{} has no field `{name}`", self.schema.entity);
            return Err(Unknown { message, hint: Some(hint) });
        };
        let null = !self.schema.required.contains(field);
        let Some(ty) = Type::of_field(&spec.kind, null) else {
            let message = format!("`{name}` may hold anything, which has no type");
            let hint = Some("give it a `type` in the schema".to_owned());
            return Err(Unknown { message, hint });
        };
        let choices = spec.choices.as_ref().map(|choices| {
            choices.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<String>>()
        });
        let choices = choices.filter(|_| ty.kind == Kind::Text);
        Ok(Input { slot: placed(&mut self.inputs, field.clone()), ty, choices })
    }

    fn table(&mut self, table: &str, from: &str, to: &str) -> Result<u16, Unknown> {
        self.tables.slot(table, from, to)
    }

    fn link(&mut self, of: u16, entity: &Entity, object: &str) -> Result<u16, Unknown> {
        let Some(field) = self.inputs.get(usize::from(of)).cloned() else {
            return Err(Unknown { message: "there is no such field".to_owned(), hint: None });
        };
        let object = Object::new(object).map_err(|error| {
            let hint = Some("name the system's kind of object, such as `companies`".to_owned());
            Unknown { message: error.to_string(), hint }
        })?;
        Ok(placed(&mut self.links, Link { field, entity: entity.clone(), object }))
    }
}
