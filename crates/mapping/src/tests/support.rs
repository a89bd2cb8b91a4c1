//! An entity with a field of each kind, and short ways to compile and run rows.

use std::collections::BTreeMap;

use canonical::schema::{OnDelete, PiiClass};
use canonical::{Entity, EntitySchema, Field, FieldSpec, FieldType, Fields};
use serde_json::{Value, json};

use crate::{Lookup, Mapping, MappingError, MappingSource, Misfit, Patch, ProjectError, Projection};

/// Fields called by their kind.
pub(super) fn schema() -> EntitySchema {
    let spec = |kind| FieldSpec { pii: PiiClass::Basic, ..FieldSpec::of(kind) };
    let text = || spec(FieldType::Text);
    let fields = [
        ("text", text()),
        ("other", text()),
        ("email", FieldSpec { email: true, ..text() }),
        ("short", FieldSpec { chars_max: Some(5), ..text() }),
        (
            "stage",
            FieldSpec { choices: Some(vec![json!("lead"), json!("customer"), json!("lost")]), ..text() },
        ),
        ("integer", spec(FieldType::Integer)),
        ("decimal", spec(FieldType::Decimal)),
        ("boolean", spec(FieldType::Boolean)),
        ("date", spec(FieldType::Date)),
        ("time", spec(FieldType::Time)),
        ("account", spec(FieldType::Reference(Entity::new("Account").unwrap()))),
        ("tags", spec(FieldType::List { set: true })),
        ("lines", spec(FieldType::List { set: false })),
        ("any", spec(FieldType::Any)),
    ];
    EntitySchema {
        entity: Entity::new("Contact").unwrap(),
        version: 1,
        fields: fields.into_iter().map(|(name, spec)| (Field::new(name).unwrap(), spec)).collect(),
        required: Vec::new(),
        match_keys: Vec::new(),
        retired: std::collections::BTreeSet::new(),
        compatibility: canonical::schema::Compatibility::Backward,
        rules: Vec::new(),
        creators: Vec::new(),
        deleters: Vec::new(),
        on_delete: OnDelete::Archive,
        on_recreate: Default::default(),
        facts: Vec::new(),
        document: json!({}),
        counter_writes_max: 3,
        clock_skew: std::time::Duration::from_secs(5),
    }
}

/// Lookup tables: `stages` is one to one, `many` has two CRM values for one stage, `vague` does not say which.
pub(super) fn lookups() -> BTreeMap<String, Lookup> {
    let table = |name: &str, text: &str| {
        let mut rows = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
        let header = rows.next().unwrap();
        (name.to_owned(), Lookup::from_rows(name, header, rows.collect()).unwrap())
    };
    BTreeMap::from([
        table("stages", "crm,canonical\nLead,lead\nWon,customer\nLost,lost"),
        table("many", "crm,canonical,preferred\nLead,lead,yes\nSubscriber,lead,\nWon,customer,"),
        table("vague", "crm,canonical\nLead,lead\nSubscriber,lead"),
        table("flags", "crm,canonical\n1,true\n0,false"),
        table("sizes", "crm,canonical\nsmall,10\nlarge,1000"),
        table("forms", "crm,canonical\nten,10\nzehn,10.0"),
        table("wrong", "crm,canonical\nLead,laed"),
        table("coarse", "crm,canonical,preferred\nOpen,lead,yes\nOpen,customer,\nLost,lost,"),
        table("padded", "crm,canonical\n01,one\n2,two"),
    ])
}

/// A mapping of `rows`, written as YAML list items.
pub(super) fn source(rows: &str) -> MappingSource {
    let text = format!(
        "mapping: contact.crm\nversion: 1\nentity: Contact\nsystem: crm\nobject: contacts\nfields:\n{rows}\n"
    );
    match serde_saphyr::from_str(&text) {
        Ok(source) => source,
        Err(error) => panic!("{error}\n{text}"),
    }
}

pub(super) fn try_compile(rows: &str) -> Result<Mapping, Vec<MappingError>> {
    Mapping::compile(&source(rows), &schema(), &lookups())
}

pub(super) fn compile(rows: &str) -> Mapping {
    match try_compile(rows) {
        Ok(mapping) => mapping,
        Err(errors) => {
            panic!("{rows}: {}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        }
    }
}

pub(super) fn fields(value: Value) -> Fields {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

/// Reads an object.
pub(super) fn normalise(mapping: &Mapping, object: Value) -> Result<Patch, Misfit> {
    mapping.normalise(&fields(object))
}

/// Writes a record, no reference being linked.
pub(super) fn project(mapping: &Mapping, record: Value) -> Result<Projection, ProjectError> {
    mapping.project(&fields(record), &|_, _, _| None)
}

/// What a row with `options` on `field` reads from a value at `x`: the field's value, or `misfit CODE`.
pub(super) fn read(field: &str, options: &str, value: Value) -> Value {
    let direction = if options.contains("direction") { "" } else { ", direction: in" };
    let mapping = compile(&format!("- {{field: {field}, path: x{direction}, {options}}}"));
    match normalise(&mapping, json!({ "x": value })) {
        Ok(patch) => patch.fields.get(field).cloned().unwrap_or(json!("nothing")),
        Err(misfit) => json!(format!("misfit {}", misfit.why)),
    }
}

/// What a row with `options` on `field` writes to `x` from a canonical value.
pub(super) fn write(field: &str, options: &str, value: Value) -> Value {
    let direction = if options.contains("direction") { "" } else { ", direction: out" };
    let mapping = compile(&format!("- {{field: {field}, path: x{direction}, {options}}}"));
    match project(&mapping, json!({ field: value })) {
        Ok(projection) => projection.fields.get("x").cloned().unwrap_or(json!("nothing")),
        Err(error) => json!(format!("error {}", error.why)),
    }
}

/// The first error of rows that do not compile, as text.
pub(super) fn error(rows: &str) -> String {
    match try_compile(rows) {
        Ok(_) => panic!("it compiles: {rows}"),
        Err(errors) => errors[0].to_string(),
    }
}
