//! What it costs to read an account of 25 fields into 20 and an extension map, beside the same written by hand on
//! serde_json and jiff. CPU time of both in one run, after both gave the same.
//!
//! `cargo xtask bench mapping`

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, run by hand")]

use std::collections::BTreeMap;
use std::hint::black_box;

use canonical::jiff::Timestamp;
use canonical::jiff::fmt::strtime::BrokenDownTime;
use canonical::schema::{OnDelete, PiiClass};
use canonical::{Decimal, Entity, EntitySchema, Field, FieldSpec, FieldType, Fields};
use mapping::{Lookup, Mapping, MappingSource};
use serde_json::{Value, json};

/// Runs of each, in groups that take turns, so that a change of the machine's pace meets both.
const GROUPS: u32 = 20;
const RUNS: u32 = 10_000;

const MAPPING: &str = r#"
mapping: account.crm
version: 1
entity: Account
system: crm
object: Account
fields:
  - {field: number, path: AccountNumber, direction: in}
  - {field: name, path: Name, direction: in, transform: [trim]}
  - {field: email, path: Email__c, direction: in, transform: [trim, lower]}
  - {field: website, path: Website, direction: in, transform: [trim, lower]}
  - {field: phone, path: Phone, direction: in}
  - {field: fax, path: Fax, direction: in}
  - {field: description, path: Description, direction: in}
  - {field: owner, path: Owner.Alias, direction: in}
  - {field: parent, path: Parent.Number__c, direction: in}
  - {field: currency, path: CurrencyIsoCode, direction: in}
  - {field: kind, path: Type, direction: in, lookup: {table: kinds, from: crm, to: kind}}
  - {field: industry, path: Industry, direction: in, lookup: {table: industries, from: crm, to: industry}}
  - {field: size, path: Size_Band__c, direction: in, lookup: {table: sizes, from: crm, to: size}}
  - {field: rating, path: Rating, direction: in, on_null: default, default: unrated}
  - field: address
    direction: in
    transform: [{concat: {parts: [BillingStreet, BillingCity, BillingState, BillingPostalCode, BillingCountry], separator: ", "}}]
  - {field: created, path: CreatedDate, direction: in, transform: [{time: {format: "%Y-%m-%dT%H:%M:%S%.f%z"}}]}
  - {field: changed, path: LastModifiedDate, direction: in, transform: [{time: {format: "%Y-%m-%dT%H:%M:%S%.f%z"}}]}
  - {field: employees, path: NumberOfEmployees, direction: in}
  - {field: revenue, path: AnnualRevenue, direction: in}
  - {field: active, path: IsActive__c, direction: in}
extensions: [Region__c.Code__c]
"#;

const KINDS: [(&str, &str); 4] =
    [("Customer - Direct", "customer"), ("Prospect", "prospect"), ("Partner", "partner"), ("Other", "other")];
const INDUSTRIES: [(&str, &str); 5] = [
    ("Energy", "energy"),
    ("Banking", "finance"),
    ("Insurance", "finance"),
    ("Retail", "retail"),
    ("Technology", "software"),
];
const SIZES: [(&str, &str); 4] =
    [("1-10", "micro"), ("11-50", "small"), ("51-250", "medium"), ("251+", "large")];
const ADDRESS: [&str; 5] =
    ["BillingStreet", "BillingCity", "BillingState", "BillingPostalCode", "BillingCountry"];

fn schema() -> EntitySchema {
    let spec = |kind| FieldSpec { pii: PiiClass::Basic, ..FieldSpec::of(kind) };
    let texts = [
        "number",
        "name",
        "email",
        "website",
        "phone",
        "fax",
        "description",
        "owner",
        "parent",
        "currency",
        "kind",
        "industry",
        "size",
        "rating",
        "address",
    ];
    let others = [
        ("created", FieldType::Time),
        ("changed", FieldType::Time),
        ("employees", FieldType::Integer),
        ("revenue", FieldType::Decimal),
        ("active", FieldType::Boolean),
    ];
    let fields = texts.iter().map(|name| (*name, FieldType::Text)).chain(others);
    EntitySchema {
        entity: Entity::new("Account").unwrap(),
        version: 1,
        fields: fields.map(|(name, kind)| (Field::new(name).unwrap(), spec(kind))).collect(),
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

fn mapping() -> Mapping {
    let table = |name: &str, to: &str, pairs: &[(&str, &str)]| {
        let rows = pairs.iter().map(|(from, to)| vec![(*from).to_owned(), (*to).to_owned()]).collect();
        (name.to_owned(), Lookup::from_rows(name, vec!["crm".to_owned(), to.to_owned()], rows).unwrap())
    };
    let lookups = BTreeMap::from([
        table("kinds", "kind", &KINDS),
        table("industries", "industry", &INDUSTRIES),
        table("sizes", "size", &SIZES),
    ]);
    let source: MappingSource = serde_saphyr::from_str(MAPPING).unwrap();
    Mapping::compile(&source, &schema(), &lookups).unwrap()
}

/// An account of 25 fields, as its API shows it.
fn account() -> Fields {
    let account = json!({
        "AccountNumber": "A-100417",
        "Name": " Nordlicht Energie GmbH ",
        "Email__c": "Billing@Nordlicht.example",
        "Website": "HTTPS://Nordlicht.example ",
        "Phone": "+49 40 1234567",
        "Fax": "+49 40 1234568",
        "Description": "Wind parks in the north; framework contract since 2019, renewed twice.",
        "Owner": {"Alias": "jsmith"},
        "Parent": {"Number__c": "A-100001"},
        "CurrencyIsoCode": "EUR",
        "Type": "Customer - Direct",
        "Industry": "Energy",
        "Size_Band__c": "51-250",
        "Rating": null,
        "BillingStreet": "Hafenstrasse 12",
        "BillingCity": "Hamburg",
        "BillingState": null,
        "BillingPostalCode": "20457",
        "BillingCountry": "Germany",
        "CreatedDate": "2019-03-04T14:22:31.000+0100",
        "LastModifiedDate": "2026-11-20T09:05:00.250+0100",
        "NumberOfEmployees": 180,
        "AnnualRevenue": 12_500_000.5,
        "IsActive__c": true,
        "Region__c": {"Code__c": "north"},
    });
    account.as_object().unwrap().clone()
}

/// What the mapping does, by hand: the fields, and the extension map.
fn by_hand(account: &Fields) -> (Fields, Fields) {
    let mut out = Fields::new();
    let text = |path: &str| account.get(path).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let inner = |path: &str, key: &str| account.get(path).and_then(|inner| inner.get(key));
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    for (name, path) in [
        ("number", "AccountNumber"),
        ("phone", "Phone"),
        ("fax", "Fax"),
        ("description", "Description"),
        ("currency", "CurrencyIsoCode"),
    ] {
        text(path).map(|text| put(name, Value::from(text)));
    }
    text("Name").map(|text| put("name", Value::from(text.trim())));
    text("Email__c").map(|text| put("email", Value::from(text.trim().to_lowercase())));
    text("Website").map(|text| put("website", Value::from(text.trim().to_lowercase())));
    inner("Owner", "Alias").map(|alias| put("owner", alias.clone()));
    inner("Parent", "Number__c").map(|number| put("parent", number.clone()));
    for (name, path, table) in [
        ("kind", "Type", &KINDS[..]),
        ("industry", "Industry", &INDUSTRIES),
        ("size", "Size_Band__c", &SIZES),
    ] {
        let found = text(path).and_then(|text| table.iter().find(|(from, _)| *from == text));
        found.map(|(_, to)| put(name, Value::from(*to)));
    }
    put("rating", Value::from(text("Rating").unwrap_or("unrated")));
    let parts: Vec<&str> = ADDRESS.iter().filter_map(|path| text(path)).collect();
    put("address", Value::from(parts.join(", ")));
    for (name, path) in [("created", "CreatedDate"), ("changed", "LastModifiedDate")] {
        text(path).and_then(time).map(|at| put(name, Value::from(at.to_string())));
    }
    account
        .get("NumberOfEmployees")
        .and_then(Value::as_i64)
        .map(|count| put("employees", Value::from(count)));
    account.get("AnnualRevenue").and_then(money).map(|amount| put("revenue", Value::from(amount)));
    account.get("IsActive__c").and_then(Value::as_bool).map(|active| put("active", Value::from(active)));
    let mut kept = Fields::new();
    inner("Region__c", "Code__c").map(|code| kept.insert("Region__c.Code__c".to_owned(), code.clone()));
    (out, kept)
}

fn time(text: &str) -> Option<Timestamp> {
    BrokenDownTime::parse("%Y-%m-%dT%H:%M:%S%.f%z", text).ok()?.to_timestamp().ok()
}

fn money(value: &Value) -> Option<String> {
    let amount = Decimal::from_str_exact(&value.as_number()?.to_string()).ok()?;
    Some(amount.normalize().to_string())
}

/// CPU time of one group of runs, in microseconds.
fn group(mut once: impl FnMut()) -> f64 {
    let start = cpu_us();
    for _ in 0..RUNS {
        once();
    }
    cpu_us() - start
}

fn main() {
    let (mapping, account) = (mapping(), account());
    let patch = mapping.normalise(&account).unwrap();
    assert_eq!((patch.fields.clone(), patch.extensions), by_hand(&account), "both give the same");
    assert_eq!((account.len(), patch.fields.len()), (25, 20));
    let (mut into, mut hand) = (0.0, 0.0);
    for _ in 0..GROUPS {
        into += group(|| drop(black_box(mapping.normalise(black_box(&account)))));
        hand += group(|| drop(black_box(by_hand(black_box(&account)))));
    }
    let runs = f64::from(GROUPS * RUNS);
    let (into, hand) = (into / runs, hand / runs);
    if std::env::args().any(|argument| argument == "json") {
        println!("{}", json!({"fields": 25, "in_us": into, "by_hand_us": hand, "ratio": into / hand}));
    } else {
        println!(
            "an account of 25 fields: {into:.2} µs of CPU; by hand {hand:.2} µs; ratio {:.2}",
            into / hand
        );
    }
}

/// CPU time of this process so far, in microseconds, to the hundredth of a second.
fn cpu_us() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks * 10_000.0
}
