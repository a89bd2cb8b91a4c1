//! Upcasters: what was written under an older version of an entity's schema, read under the newer one.
//!
//! A step leads from one version to the next. It only adds: a field gets another name, or a new field is made of older ones;
//! what the newer version does not name is kept. So nothing is lost by a step that turns out to be wrong. Steps see no table,
//! no link and no clock: the same gives the same for ever.

mod compile;

use canonical::value::{is_empty, normal};
use canonical::{Before, EntitySchema, Field, FieldType, Fields, Provenance, Record};
use expression::{Budget, Inputs, Outcome, Program, Seen};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::check::Check;
pub use compile::UpcastError;

/// A step as it is written under `upcast:` in an entity's file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepSource {
    /// The version that it reads. It leads to that of the next step, the last one to the file's own.
    pub from: u32,
    /// What changes; everything else stays.
    #[serde(default)]
    pub rows: Vec<StepRow>,
    /// Its tests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<StepExample>,
}

/// One field of the newer version.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepRow {
    /// Its name there.
    pub field: Field,
    /// It had this name before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<Field>,
    /// It is made of older fields: one line of CEL syntax over `record.FIELD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expr: Option<String>,
    /// What it is where a record says nothing, or where the expression gives nothing that fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
}

/// A test of a step.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepExample {
    /// What it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A record of the older version.
    pub record: Fields,
    /// All that the newer version finds in it.
    pub gives: Fields,
}

/// All steps of an entity, checked.
#[derive(Clone, Debug)]
pub struct Upcaster {
    to: u32,
    steps: Vec<Step>,
    /// The types of the newest version.
    kinds: Vec<(Field, FieldType)>,
}

#[derive(Clone, Debug)]
struct Step {
    from: u32,
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
struct Row {
    field: Field,
    source: Source,
    /// Not empty.
    default: Option<Value>,
}

#[derive(Clone, Debug)]
enum Source {
    /// Whatever it holds already.
    Itself,
    Renamed(Field),
    Made(Box<Made>),
}

#[derive(Clone, Debug)]
struct Made {
    program: Program,
    /// By slot.
    inputs: Vec<Field>,
    check: Check,
}

impl Upcaster {
    /// One without steps: values come into the form of the newest types, and that is all.
    #[must_use]
    pub fn plain(schema: &EntitySchema) -> Self {
        let kinds = schema.fields.iter().map(|(name, spec)| (name.clone(), spec.kind.clone())).collect();
        Self { to: schema.version, steps: Vec::new(), kinds }
    }

    /// The version it leads to.
    #[must_use]
    pub const fn to(&self) -> u32 {
        self.to
    }

    /// The version in which a field last became something else than what was said of it: made of others, renamed, or given a
    /// default. `None`: in none.
    #[must_use]
    pub fn remade_in(&self, field: &Field) -> Option<u32> {
        let ends = self.steps.iter().skip(1).map(|step| step.from).chain([self.to]);
        let remade = |step: &Step| step.rows.iter().any(|row| row.field == *field);
        self.steps.iter().zip(ends).filter(|(step, _)| remade(step)).map(|(_, end)| end).last()
    }

    /// Reads a record under the newest version, with what it keeps of merges. It goes on naming the version it was last written
    /// under, until it is written again; to read it once more changes nothing.
    pub fn record(&self, record: &mut Record) {
        self.before_merges(record);
        let written = record.schema;
        if written >= self.to {
            return;
        }
        for step in self.since(written) {
            // Before names move.
            let known: Vec<Option<Provenance>> = step
                .rows
                .iter()
                .map(|row| row.inputs().find_map(|input| record.provenance.get(input)).cloned())
                .collect();
            let kept: Vec<bool> = step.rows.iter().map(|row| row.stands(record)).collect();
            let given = step.apply(&mut record.fields, true, &kept);
            for ((row, known), given) in step.rows.iter().zip(known).zip(given) {
                match &row.source {
                    Source::Renamed(was) if given => rename(record, was, &row.field),
                    Source::Made(_) if given => {
                        record.provenance.extend(known.map(|known| (row.field.clone(), known)));
                    }
                    _ => {}
                }
            }
        }
        self.settle(&mut record.fields);
    }

    /// What it had before another was merged into it comes back with a split, whenever that is.
    fn before_merges(&self, record: &mut Record) {
        let mut absorbed = std::mem::take(&mut record.absorbed);
        let kept = absorbed.values_mut().map(|absorbed| &mut absorbed.before);
        for before in kept.filter(|before| before.schema < self.to) {
            let mut then = before.as_record(record);
            self.record(&mut then);
            *before = Before::of(&then, self.to);
        }
        record.absorbed = absorbed;
    }

    /// Reads what an event carries, which is a part of a record: what is made of several fields is only there where all of
    /// them are, and what a record says nothing about gets no value by it.
    pub fn event(&self, written: u32, data: &mut Fields) {
        self.read(written, data, false);
    }

    /// Reads the fields of a record that was written under an older version.
    pub fn fields(&self, written: u32, fields: &mut Fields) {
        self.read(written, fields, true);
    }

    /// Whose words fields of the newer versions are, in order: the older field, the newer one, and whether the older one is
    /// no more.
    pub fn heirs(&self, written: u32) -> impl Iterator<Item = (&Field, &Field, bool)> {
        let rows = self.since(written).filter(move |_| written < self.to).flat_map(|step| &step.rows);
        rows.filter_map(|row| match &row.source {
            Source::Renamed(was) => Some((was, &row.field, true)),
            Source::Made(made) => Some((made.inputs.first()?, &row.field, false)),
            Source::Itself => None,
        })
    }

    fn read(&self, written: u32, fields: &mut Fields, whole: bool) {
        if written >= self.to {
            return;
        }
        for step in self.since(written) {
            step.apply(fields, whole, &[]);
        }
        self.settle(fields);
    }

    fn since(&self, written: u32) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.from >= written)
    }

    /// Brings values into the normal form of the newest types, where they have one; a value that has none stays what it was.
    fn settle(&self, fields: &mut Fields) {
        for (name, kind) in &self.kinds {
            if let Some(value) = fields.get_mut(name.as_str())
                && let Ok(plain) = normal(kind, value.clone())
            {
                *value = plain;
            }
        }
    }
}

impl Step {
    /// Gives fields their values; says of each row whether it gave one. `whole`: all of a record is there, not a part of it.
    /// `kept`: by row, whether what its field holds stands; where nothing is said of a row, it does not.
    fn apply(&self, fields: &mut Fields, whole: bool, kept: &[bool]) -> Vec<bool> {
        let kept = kept.iter().copied().chain(std::iter::repeat(false));
        let rows = self.rows.iter().zip(kept);
        // All rows read the older version, also where one of them takes a name away.
        let made: Vec<Option<Value>> =
            rows.map(|(row, kept)| if kept { None } else { row.make(fields, whole) }).collect();
        let renamed = self.rows.iter().map(|row| match &row.source {
            Source::Renamed(was) => fields.remove(was.as_str()),
            Source::Itself | Source::Made(_) => None,
        });
        let values: Vec<Option<Value>> = renamed.zip(made).map(|(renamed, made)| renamed.or(made)).collect();
        let mut given = Vec::with_capacity(values.len());
        for (row, value) in self.rows.iter().zip(values) {
            given.push(value.is_some());
            fields.extend(value.map(|value| (row.field.to_string(), value)));
            if let Some(default) = row.default.as_ref().filter(|_| whole)
                && fields.get(row.field.as_str()).is_none_or(is_empty)
            {
                fields.insert(row.field.to_string(), default.clone());
            }
        }
        given
    }
}

impl Row {
    /// The older fields that its expression reads.
    fn inputs(&self) -> impl Iterator<Item = &Field> {
        let made = match &self.source {
            Source::Made(made) => Some(&made.inputs),
            Source::Itself | Source::Renamed(_) => None,
        };
        made.into_iter().flatten()
    }

    /// Whether its field holds a word of the newer version that nothing it is made of came after: the newer version counted
    /// before, an earlier one was put back, and now the newer one counts again.
    fn stands(&self, record: &Record) -> bool {
        let said = |field: &Field| record.provenance.get(field).map(|from| from.at);
        let Some(here) = said(&self.field) else { return false };
        record.fields.contains_key(self.field.as_str())
            && self.inputs().filter_map(said).all(|input| input <= here)
    }

    /// What its expression gives.
    fn make(&self, fields: &Fields, whole: bool) -> Option<Value> {
        let Source::Made(made) = &self.source else { return None };
        let all = || made.inputs.iter().all(|input| fields.contains_key(input.as_str()));
        if whole || all() { made.run(fields) } else { None }
    }
}

impl Made {
    /// What it gives, if that fits the field.
    fn run(&self, fields: &Fields) -> Option<Value> {
        match self.program.run(&Older { fields, inputs: &self.inputs }, &mut Budget::default()) {
            Ok(Outcome::Value(Value::Null)) => Some(Value::Null),
            Ok(Outcome::Value(value)) => self.check.apply(value).ok(),
            Ok(Outcome::Missing) | Err(_) => None,
        }
    }
}

/// What is known of a field goes along with its name.
fn rename(record: &mut Record, was: &Field, is: &Field) {
    fn along<T>(map: &mut std::collections::BTreeMap<Field, T>, was: &Field, is: &Field) {
        if let Some(value) = map.remove(was) {
            map.insert(is.clone(), value);
        }
    }
    along(&mut record.provenance, was, is);
    along(&mut record.counter_writes, was, is);
    along(&mut record.open, was, is);
    record.marks.values_mut().for_each(|marks| along(&mut marks.fields, was, is));
}

/// The fields of an older version.
struct Older<'a> {
    fields: &'a Fields,
    inputs: &'a [Field],
}

impl Inputs for Older<'_> {
    fn input(&self, slot: u16) -> Seen<'_> {
        let field = self.inputs.get(usize::from(slot));
        field.and_then(|field| self.fields.get(field.as_str())).map_or(Seen::Missing, Seen::Value)
    }

    fn lookup(&self, _: u16, _: &str) -> Option<&str> {
        None
    }

    fn link(&self, _: u16, _: &str) -> Option<&str> {
        None
    }
}
