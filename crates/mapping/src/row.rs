//! Compiled rows: where a value comes from, the steps it takes, and what absence means.

use canonical::value::is_empty;
use canonical::{Field, Fields};
use serde_json::Value;

use crate::cell::Cell;
use crate::check::Check;
use crate::flaw::{Flaw, Why};
use crate::lookup::Table;
use crate::path::{Found, Path};
use crate::project::{Links, MissingLink};
use crate::source::{Equal, OnAbsent, OnEmpty, RefUse};
use crate::step::Step;

/// What the other side is told.
#[derive(Debug)]
pub(crate) enum Said {
    /// Nothing.
    Keep,
    /// This value, which may be null.
    Value(Value),
}

/// What absent, null and empty values mean. The default is in its final form.
#[derive(Debug, Clone)]
pub(crate) struct Policies {
    pub(crate) missing: OnAbsent,
    pub(crate) null: OnAbsent,
    pub(crate) empty: OnEmpty,
    pub(crate) default: Value,
}

impl Policies {
    pub(crate) fn missing(&self) -> Result<Said, Flaw> {
        self.absent(self.missing, "nothing", Why::Missing)
    }

    pub(crate) fn null(&self) -> Result<Said, Flaw> {
        self.absent(self.null, "null", Why::Null)
    }

    pub(crate) fn empty(&self) -> Said {
        match self.empty {
            OnEmpty::Keep => Said::Keep,
            OnEmpty::Null => Said::Value(Value::Null),
            OnEmpty::Default => Said::Value(self.default.clone()),
        }
    }

    fn absent(&self, policy: OnAbsent, found: &'static str, why: Why) -> Result<Said, Flaw> {
        match policy {
            OnAbsent::Keep => Ok(Said::Keep),
            OnAbsent::Null => Ok(Said::Value(Value::Null)),
            OnAbsent::Default => Ok(Said::Value(self.default.clone())),
            OnAbsent::Fail => Err(Flaw::new("a value", found, why)),
        }
    }
}

/// What stands at a row's origin.
pub(crate) enum Origin {
    Missing,
    Null,
    Empty,
    Value(Value),
}

impl Origin {
    pub(crate) fn of(value: Option<&Value>) -> Self {
        match value {
            None => Self::Missing,
            Some(Value::Null) => Self::Null,
            Some(value) if is_empty(value) => Self::Empty,
            Some(value) => Self::Value(value.clone()),
        }
    }

    fn at(path: &Path, object: &Fields) -> Result<Self, Flaw> {
        match path.find(object) {
            Found::Missing => Ok(Self::Missing),
            Found::Value(value) => Ok(Self::of(Some(value))),
            Found::Blocked { found } => Err(Flaw::new("an object on the way there", found, Why::Blocked)),
        }
    }
}

/// Joins texts, leaving out those that are absent, null or empty. Whole numbers count as texts.
fn join(parts: impl Iterator<Item = Result<Origin, Flaw>>, separator: &str) -> Result<Origin, Flaw> {
    let mut out: Option<String> = None;
    let (mut null, mut empty) = (false, false);
    for part in parts {
        match part? {
            Origin::Missing => {}
            Origin::Null => null = true,
            Origin::Empty => empty = true,
            Origin::Value(value) => {
                let text = match &value {
                    Value::String(text) => text.clone(),
                    Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
                    other => return Err(Flaw::of("texts to join", other)),
                };
                out = Some(match out {
                    None => text,
                    Some(before) => before + separator + &text,
                });
            }
        }
    }
    Ok(match out {
        Some(text) => Origin::Value(Value::String(text)),
        None if empty => Origin::Empty,
        None if null => Origin::Null,
        None => Origin::Missing,
    })
}

/// A row that reads.
#[derive(Debug)]
pub(crate) struct InRow {
    pub(crate) field: Field,
    /// As written; where several are read, the first.
    pub(crate) path: Path,
    pub(crate) reads: Reads,
    pub(crate) steps: Vec<Step>,
    pub(crate) table: Option<Table>,
    pub(crate) check: Check,
    /// The last step already gives the field's normal form.
    pub(crate) settled: bool,
    pub(crate) reference: Option<RefUse>,
    pub(crate) policies: Policies,
    pub(crate) equal: Option<Equal>,
    /// The same row's other direction.
    pub(crate) twin: Option<usize>,
}

/// How what an object holds becomes one value.
#[derive(Debug)]
pub(crate) enum Reads {
    /// It stands at the row's path.
    One,
    /// Several paths, the row's first.
    Joined(Joined<Path>),
    /// An expression of several paths, the row's first.
    Cell(Box<Cell<Path>>),
}

/// Several origins as one text.
#[derive(Debug)]
pub(crate) struct Joined<T> {
    pub(crate) parts: Vec<T>,
    pub(crate) separator: String,
}

impl InRow {
    /// The paths it comes from.
    pub(crate) fn paths(&self) -> &[Path] {
        match &self.reads {
            Reads::One => std::slice::from_ref(&self.path),
            Reads::Joined(joined) => &joined.parts,
            Reads::Cell(cell) => &cell.inputs,
        }
    }

    /// What the object says about the field.
    pub(crate) fn take(&self, object: &Fields) -> Result<Said, Flaw> {
        self.say(match &self.reads {
            Reads::One => Origin::at(&self.path, object)?,
            Reads::Joined(joined) => {
                join(joined.parts.iter().map(|path| Origin::at(path, object)), &joined.separator)?
            }
            Reads::Cell(cell) => cell.read(object)?,
        })
    }

    /// What a memory of the object says about the field: values by path, flat. Nothing where it has none.
    pub(crate) fn recall(&self, memory: &Fields) -> Result<Said, Flaw> {
        let of = |path: &Path| Origin::of(memory.get(path.as_str()));
        let origin = match &self.reads {
            Reads::One => of(&self.path),
            Reads::Joined(joined) => join(joined.parts.iter().map(|path| Ok(of(path))), &joined.separator)?,
            Reads::Cell(cell) => cell.recall(memory)?,
        };
        match origin {
            Origin::Missing => Ok(Said::Keep),
            origin => self.say(origin),
        }
    }

    fn say(&self, origin: Origin) -> Result<Said, Flaw> {
        match origin {
            Origin::Missing => self.policies.missing(),
            Origin::Null => self.policies.null(),
            Origin::Empty => Ok(self.policies.empty()),
            Origin::Value(value) => match self.bring(value)? {
                Origin::Value(value) => Ok(Said::Value(value)),
                Origin::Empty => Ok(self.policies.empty()),
                Origin::Missing | Origin::Null => Ok(Said::Value(Value::Null)),
            },
        }
    }

    /// A value that is there, through the steps and the table into the field's normal form.
    pub(crate) fn bring(&self, mut value: Value) -> Result<Origin, Flaw> {
        for step in &self.steps {
            value = step.read(value)?;
            if is_empty(&value) {
                return Ok(Origin::Empty);
            }
        }
        if let Some(table) = &self.table {
            value = table.translate(value)?;
            if value.is_null() {
                return Ok(Origin::Null);
            }
            if !table.passes() {
                return Ok(Origin::Value(value));
            }
        }
        if self.reference.is_some() {
            return id(value).map(Origin::Value);
        }
        let value = if self.settled { self.check.rules(value) } else { self.check.apply(value) };
        value.map(Origin::Value)
    }
}

/// The id of another object: a text, or a whole number that becomes its digits.
fn id(value: Value) -> Result<Value, Flaw> {
    match value {
        Value::String(_) => Ok(value),
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(Value::String(number.to_string())),
        other => Err(Flaw::of("the id of an object: a text or a whole number", &other)),
    }
}

/// Where a written value comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// The row's field.
    Field,
    /// Several fields, the row's first.
    Joined(Joined<Field>),
    /// The id in the system of the record that the row's field refers to.
    Link(RefUse),
    /// An expression of several fields, the row's first.
    Cell(Box<Cell<Field>>),
}

/// A row that writes.
#[derive(Debug)]
pub(crate) struct OutRow {
    pub(crate) path: Path,
    pub(crate) field: Field,
    pub(crate) source: Source,
    pub(crate) table: Option<Table>,
    /// In the order they write.
    pub(crate) steps: Vec<Step>,
    /// The table that reads what this row writes, where there is one.
    pub(crate) back: Option<Table>,
    pub(crate) policies: Policies,
    pub(crate) equal: Option<Equal>,
}

impl OutRow {
    /// The fields it comes from.
    pub(crate) fn fields(&self) -> &[Field] {
        match &self.source {
            Source::Joined(joined) => &joined.parts,
            Source::Cell(cell) => &cell.inputs,
            Source::Field | Source::Link(..) => std::slice::from_ref(&self.field),
        }
    }

    /// What the record holds for it. `None`: it needs the id of a record that has none yet, which was noted.
    pub(crate) fn origin(
        &self,
        record: &Fields,
        links: Links<'_>,
        missing: &mut Vec<MissingLink>,
    ) -> Result<Option<Origin>, Flaw> {
        let of = |field: &Field| Origin::of(record.get(field.as_str()));
        match &self.source {
            Source::Joined(joined) => {
                join(joined.parts.iter().map(|field| Ok(of(field))), &joined.separator).map(Some)
            }
            Source::Cell(cell) => cell.write(record, links, self.path.as_str(), missing),
            Source::Field | Source::Link(..) => Ok(Some(of(&self.field))),
        }
    }

    /// A value that is there, in the system's form.
    pub(crate) fn render(&self, mut value: Value) -> Result<Origin, Flaw> {
        if let Some(table) = &self.table {
            value = table.translate(value)?;
            if value.is_null() {
                return Ok(Origin::Null);
            }
        }
        for step in &self.steps {
            value = step.write(value)?;
            if is_empty(&value) {
                return Ok(Origin::Empty);
            }
        }
        Ok(Origin::Value(value))
    }

    /// What a value in the system's form means, as far as this row's steps can be read.
    pub(crate) fn meaning(&self, mut value: Value) -> Option<Value> {
        for step in self.steps.iter().rev() {
            value = step.read(value).ok()?;
        }
        match (&self.back, &self.source) {
            (Some(table), _) => table.translate(value).ok(),
            (None, Source::Cell(cell)) => cell.meaning(value),
            (None, _) => Some(value),
        }
    }
}
