//! What it costs to map a record of 25 fields, out and in, beside the same written by hand. CPU time, as JSON.
//!
//! `cargo run --release -p mapping --example cost`

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, run by hand")]

use std::collections::BTreeMap;
use std::hint::black_box;

use canonical::schema::{OnDelete, PiiClass};
use canonical::{Entity, EntitySchema, Field, FieldSpec, FieldType, Fields};
use mapping::{Mapping, MappingSource};
use serde_json::{Value, json};

const ROUNDS: u32 = 200_000;
/// Field, path there, transforms; by kind of field.
const TEXTS: [(&str, &str, &str); 13] = [
    ("given_name", "properties.firstname", "[trim]"),
    ("family_name", "properties.lastname", "[trim]"),
    ("email", "properties.email", "[trim, lower]"),
    ("phone", "properties.phone", "[trim]"),
    ("job_title", "properties.jobtitle", "[]"),
    ("company", "properties.company", "[trim]"),
    ("street", "properties.address.street", "[]"),
    ("city", "properties.address.city", "[]"),
    ("zip", "properties.address.zip", "[trim]"),
    ("region", "properties.address.region", "[]"),
    ("country", "properties.address.country", "[upper]"),
    ("website", "properties.website", "[lower]"),
    ("note", "properties.note", "[]"),
];
const OTHERS: [(&str, &str, FieldType); 12] = [
    ("employees", "properties.employees", FieldType::Integer),
    ("seats", "properties.seats", FieldType::Integer),
    ("score", "properties.score", FieldType::Integer),
    ("revenue", "properties.revenue", FieldType::Decimal),
    ("discount", "properties.discount", FieldType::Decimal),
    ("customer", "properties.is_customer", FieldType::Boolean),
    ("newsletter", "properties.newsletter", FieldType::Boolean),
    ("born", "properties.born", FieldType::Date),
    ("since", "properties.since", FieldType::Date),
    ("seen", "properties.seen_at", FieldType::Time),
    ("changed", "properties.changed_at", FieldType::Time),
    ("tags", "properties.tags", FieldType::List { set: true }),
];

fn schema() -> EntitySchema {
    let spec = |kind| FieldSpec { pii: PiiClass::Basic, ..FieldSpec::of(kind) };
    let texts = TEXTS.iter().map(|(name, _, _)| (*name, spec(FieldType::Text)));
    let others = OTHERS.iter().map(|(name, _, kind)| (*name, spec(kind.clone())));
    EntitySchema {
        entity: Entity::new("Contact").unwrap(),
        version: 1,
        fields: texts.chain(others).map(|(name, spec)| (Field::new(name).unwrap(), spec)).collect(),
        required: Vec::new(),
        match_keys: Vec::new(),
        creators: Vec::new(),
        deleters: Vec::new(),
        on_delete: OnDelete::Archive,
        facts: Vec::new(),
        document: json!({}),
        counter_writes_max: 3,
        clock_skew: std::time::Duration::from_secs(5),
    }
}

fn mapping() -> Mapping {
    let mut text =
        "mapping: contact.crm\nversion: 1\nentity: Contact\nsystem: crm\nobject: contacts\nfields:\n"
            .to_owned();
    for (field, path, transform) in TEXTS {
        let equal = if transform == "[]" { "" } else { ", equal: folded" };
        text.push_str(&format!("  - {{field: {field}, path: {path}, transform: {transform}{equal}}}\n"));
    }
    for (field, path, _) in OTHERS {
        text.push_str(&format!("  - {{field: {field}, path: {path}}}\n"));
    }
    let source: MappingSource = serde_saphyr::from_str(&text).unwrap();
    Mapping::compile(&source, &schema(), &BTreeMap::new()).unwrap()
}

fn record() -> Fields {
    let mut fields = Fields::new();
    for (name, _, _) in TEXTS {
        fields.insert(name.to_owned(), json!(format!("Value of {name}, as people write it")));
    }
    let others = [
        json!(250),
        json!(12),
        json!(87),
        json!("1250000.50"),
        json!("12.5"),
        json!(true),
        json!(false),
        json!("1815-12-10"),
        json!("2024-02-29"),
        json!("2026-11-18T11:06:42Z"),
        json!("2026-11-18T11:06:42Z"),
        json!(["gold", "north"]),
    ];
    for ((name, _, _), value) in OTHERS.iter().zip(others) {
        fields.insert((*name).to_owned(), value);
    }
    fields
}

/// What the mapping does on the way out, by hand.
fn by_hand(record: &Fields) -> Fields {
    let mut out = Fields::new();
    for (name, path, transform) in TEXTS {
        let Some(text) = record.get(name).and_then(Value::as_str) else { continue };
        let trimmed = if transform.contains("trim") { text.trim() } else { text };
        let text = if transform.contains("lower") {
            trimmed.to_lowercase()
        } else if transform.contains("upper") {
            trimmed.to_uppercase()
        } else {
            trimmed.to_owned()
        };
        out.insert(path.to_owned(), Value::String(text));
    }
    for (name, path, _) in OTHERS {
        if let Some(value) = record.get(name) {
            out.insert(path.to_owned(), value.clone());
        }
    }
    out
}

/// As the system would show it.
fn nested(flat: &Fields) -> Fields {
    let mut root = json!({});
    for (path, value) in flat {
        let mut at = &mut root;
        for part in path.split('.') {
            at = &mut at[part];
        }
        *at = value.clone();
    }
    root.as_object().unwrap().clone()
}

fn cost(mut once: impl FnMut()) -> f64 {
    let start = cpu_us();
    for _ in 0..ROUNDS {
        once();
    }
    (cpu_us() - start) / f64::from(ROUNDS)
}

fn main() {
    let (mapping, record) = (mapping(), record());
    let links = |_: &Entity, _: &canonical::Object, _: &canonical::RecordId| None;
    let there = mapping.project(&record, &links).unwrap().fields;
    assert_eq!(there.len(), 25);
    let observed = nested(&there);
    assert_eq!(mapping.normalise(&observed).unwrap().fields.len(), 25);
    let out = cost(|| drop(black_box(mapping.project(black_box(&record), &links))));
    let into = cost(|| drop(black_box(mapping.normalise(black_box(&observed)))));
    let hand = cost(|| drop(black_box(by_hand(black_box(&record)))));
    println!(
        "{}",
        json!({"fields": 25, "out_us": out, "in_us": into, "by_hand_out_us": hand, "out_to_hand": out / hand})
    );
}

/// CPU time of this process so far, in microseconds, to the hundredth of a second.
fn cpu_us() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks * 10_000.0
}
