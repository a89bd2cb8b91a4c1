//! What a system rewrites counts for every row, beside the row's own `equal`.

use std::collections::BTreeMap;

use canonical::rewrite::{Precision, Rewrite, Rewrites};
use canonical::{Field, Fields};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::support::{compile, fields, project};
use crate::Mapping;

fn words(pairs: &[(&str, &[Rewrite])]) -> Rewrites {
    Rewrites::new(
        pairs.iter().map(|(path, all)| ((*path).to_owned(), all.to_vec())).collect::<BTreeMap<_, _>>(),
    )
}

fn field(name: &str) -> Field {
    Field::new(name).unwrap()
}

/// At the written path `x` and in the read field, asked both ways.
fn compare(mapping: &Mapping, name: &str, table: Vec<(Value, Value, bool)>) {
    for (one, other, same) in table {
        for (one, other) in [(&one, &other), (&other, &one)] {
            assert_eq!(mapping.equal_at("x", one, other), same, "written: {one} {other}");
            assert_eq!(mapping.form("x", one) == mapping.form("x", other), same, "form: {one} {other}");
            assert_eq!(mapping.equal_on(&field(name), one, other), same, "read: {one} {other}");
        }
    }
}

#[test]
fn a_row_without_equal_takes_the_vendors_word() {
    let plain = compile("- {field: text, path: x}");
    compare(&plain, "text", vec![(json!("Ada"), json!(" Ada"), false)]);
    let trims = plain.under(&words(&[("*", &[Rewrite::Trim])]));
    compare(
        &trims,
        "text",
        vec![
            (json!("Ada"), json!(" Ada "), true),
            (json!("Ada"), json!("ada"), false),
            (json!("  "), json!(null), true),
            (json!(null), json!("Ada"), false),
        ],
    );
    let cuts = compile("- {field: text, path: x}").under(&words(&[("x", &[Rewrite::Length(3)])]));
    compare(
        &cuts,
        "text",
        vec![
            (json!("Concord"), json!("Con"), true),
            (json!("Concord"), json!("Consul"), true),
            (json!("Concord"), json!("Co"), false),
        ],
    );
    let other = compile("- {field: text, path: x}").under(&words(&[("y", &[Rewrite::Trim])]));
    compare(&other, "text", vec![(json!("Ada"), json!(" Ada"), false)]);
}

#[test]
fn it_counts_beside_the_rows_own_equal_and_through_its_steps() {
    let folded = compile("- {field: text, path: x, equal: case_insensitive}")
        .under(&words(&[("*", &[Rewrite::Trim])]));
    compare(
        &folded,
        "text",
        vec![(json!("Ada"), json!(" ADA "), true), (json!("Ada"), json!("A da"), false)],
    );
    let tagged = compile("- {field: text, path: x, transform: [{prefix: {text: 'ID-'}}]}")
        .under(&words(&[("x", &[Rewrite::Length(5)])]));
    assert!(tagged.equal_at("x", &json!("ID-1234"), &json!("ID-12")));
    assert!(tagged.equal_on(&field("text"), &json!("1234"), &json!("12")), "two characters are left of it");
    assert!(!tagged.equal_on(&field("text"), &json!("1234"), &json!("13")));
    let amount = compile("- {field: decimal, path: x}").under(&words(&[("x", &[Rewrite::Decimals(2)])]));
    compare(
        &amount,
        "decimal",
        vec![(json!("12.345"), json!("12.35"), true), (json!("12.345"), json!("12.34"), false)],
    );
    assert!(amount.equal_at("x", &json!("12.345"), &json!(12.35)), "a number comes back for a text");
    let time = compile("- {field: time, path: x, transform: [time]}")
        .under(&words(&[("x", &[Rewrite::To(Precision::Seconds)])]));
    compare(
        &time,
        "time",
        vec![
            (json!("2026-11-22T10:00:00.9Z"), json!("2026-11-22T10:00:00Z"), true),
            (json!("2026-11-22T10:00:01Z"), json!("2026-11-22T10:00:00Z"), false),
        ],
    );
    let tags = compile("- {field: tags, path: x, transform: [{list: {separator: ;}}]}")
        .under(&words(&[("x", &[Rewrite::Set(";".into()), Rewrite::Lower])]));
    assert!(tags.equal_at("x", &json!("b;A"), &json!("a;b")));
    assert!(tags.equal_on(&field("tags"), &json!(["A", "b"]), &json!(["a", "b"])));
}

#[test]
fn codes_stay_what_their_table_says() {
    let many = "- {field: stage, path: x, lookup: {table: many, from: crm, to: canonical}}";
    let mapping = compile(many).under(&words(&[("*", &[Rewrite::Case])]));
    assert!(mapping.equal_at("x", &json!("Lead"), &json!("Subscriber")), "as without");
    assert!(!mapping.equal_at("x", &json!("Lead"), &json!("Won")));
}

#[test]
fn what_the_system_holds_stands_and_constants_too() {
    let mapping = compile(concat!(
        "- {field: text, path: x}\n",
        "- {path: kind, direction: out, constant: ' Customer'}\n",
        "- {field: stage, path: s}",
    ))
    .under(&words(&[("*", &[Rewrite::Trim]), ("x", &[Rewrite::Length(4)])]));
    let mut projection = project(&mapping, json!({"text": "Ada King", "stage": "lead"})).unwrap();
    mapping.keep_seen(&mut projection, &fields(json!({"x": "Ada", "kind": "Customer", "s": "won"})));
    assert_eq!(json!(projection.fields), json!({"x": "Ada", "kind": "Customer", "s": "lead"}));
}

#[test]
fn what_several_paths_say_is_compared_as_the_system_keeps_them() {
    let joined = "- {field: text, direction: in, transform: [{concat: {parts: [a, b], separator: ' '}}]}";
    let (told, seen) = (fields(json!({"a": "Ada ", "b": "King"})), fields(json!({"a": "Ada", "b": "King"})));
    let plain = compile(joined);
    assert!(!plain.said_alike(&field("text"), &told, &seen));
    let trims = plain.under(&words(&[("*", &[Rewrite::Trim])]));
    assert!(trims.said_alike(&field("text"), &told, &seen));
    assert!(!trims.said_alike(&field("text"), &told, &fields(json!({"a": "Ada", "b": "Queen"}))));
    assert!(!trims.said_alike(&field("text"), &told, &Fields::new()), "what is not seen says nothing");
    assert!(!trims.said_alike(&field("other"), &told, &seen));
}

const ROWS: [&str; 6] = [
    "- {field: text, path: x}",
    "- {field: text, path: x, equal: folded}",
    "- {field: text, path: x, transform: [trim], equal: trimmed}",
    "- {field: decimal, path: x}",
    "- {field: stage, path: x, lookup: {table: many, from: crm, to: canonical}}",
    "- {field: text, path: x, transform: [{prefix: {text: 'a'}}]}",
];

fn rewrite() -> impl Strategy<Value = Vec<Rewrite>> {
    prop_oneof![
        Just(vec![Rewrite::Trim]),
        Just(vec![Rewrite::Collapse, Rewrite::Lower]),
        Just(vec![Rewrite::Case]),
        Just(vec![Rewrite::Trim, Rewrite::Length(3)]),
        Just(vec![Rewrite::Decimals(1)]),
        Just(vec![Rewrite::Set(";".into())]),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[ aAbB;]{0,5}".prop_map(Value::from),
        "[0-9]{1,2}\\.[0-9]{1,3}".prop_map(Value::from),
        prop::sample::select(vec!["Lead", "Subscriber", "Won", "lead", " Lead"]).prop_map(Value::from),
        (-20_i64..20).prop_map(Value::from),
        Just(Value::Null),
    ]
}

proptest! {
    /// Two values have one form where they are equal, and only there; and what the system leaves of a value is the value.
    #[test]
    fn a_form_is_an_equality(row in prop::sample::select(&ROWS[..]), all in rewrite(), one in value(), other in value()) {
        let mapping = compile(row).under(&words(&[("x", &all)]));
        let same = mapping.equal_at("x", &one, &other);
        prop_assert_eq!(same, mapping.form("x", &one) == mapping.form("x", &other), "{} {:?}", row, all);
        prop_assert_eq!(same, mapping.equal_at("x", &other, &one));
        let left = canonical::rewrite::rewritten(&all, &one);
        if !row.contains("lookup") {
            prop_assert!(mapping.equal_at("x", &one, &left), "{row} {all:?} {one} {left}");
        }
    }

    /// What was the same without it stays so: a rewrite takes distinctions away and makes none.
    #[test]
    fn nothing_is_told_apart_that_was_the_same(row in prop::sample::select(&ROWS[..]), all in rewrite(),
                                               one in value(), other in value()) {
        let plain = compile(row);
        let under = compile(row).under(&words(&[("x", &all)]));
        for name in ["text", "decimal", "stage"] {
            if plain.equal_on(&field(name), &one, &other) {
                prop_assert!(under.equal_on(&field(name), &one, &other));
            }
        }
    }
}
