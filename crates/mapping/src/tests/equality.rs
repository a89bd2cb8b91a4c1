//! When values count as the same although they differ.

use canonical::Field;
use serde_json::{Value, json};

use super::support::{compile, fields, project};

/// Whether two values at the written path `x` mean the same under a row, asked both ways.
fn compare(row: &str, table: Vec<(Value, Value, bool)>) {
    let mapping = compile(row);
    for (one, other, same) in table {
        assert_eq!(mapping.equal_at("x", &one, &other), same, "{row}: {one} {other}");
        assert_eq!(mapping.equal_at("x", &other, &one), same, "{row}: {other} {one}");
        assert_eq!(mapping.form("x", &one) == mapping.form("x", &other), same, "{row}: {one} {other}");
    }
}

#[test]
fn written_numbers_are_compared_by_what_they_mean() {
    let scale = "- {field: decimal, path: x, transform: [{decimal: {scale: 2}}]}";
    compare(
        scale,
        vec![
            (json!("12.50"), json!("12.5"), true),
            (json!("12.50"), json!(12.5), true),
            (json!("12.50"), json!("12.51"), false),
            (json!("12.50"), json!("much"), false),
        ],
    );
    let rounded =
        "- {field: decimal, path: x, transform: [{decimal: {scale: 1, round: half_up}}], equal: rounded}";
    compare(rounded, vec![(json!("1.2"), json!("1.24"), true), (json!("1.2"), json!("1.3"), false)]);
    let epoch = "- {field: time, path: x, transform: [{time: {format: epoch_s}}], equal: rounded}";
    compare(epoch, vec![(json!(5), json!("5"), true), (json!(5), json!(6), false)]);
    let time = "- {field: time, path: x, transform: [time]}";
    compare(time, vec![(json!("2026-11-22T10:00:00Z"), json!("2026-11-22T11:00:00+01:00"), true)]);
}

#[test]
fn written_texts_are_compared_by_what_they_mean() {
    let row = |rest: &str| format!("- {{field: text, path: x{rest}}}");
    compare(
        &row(", transform: [lower], equal: case_insensitive"),
        vec![(json!("straße"), json!("STRASSE"), true)],
    );
    compare(
        &row(", equal: case_insensitive"),
        vec![(json!("a"), json!("A"), true), (json!("a"), json!(" A"), false)],
    );
    compare(
        &row(", equal: trimmed"),
        vec![(json!("a"), json!(" a"), true), (json!("a"), json!(" A"), false)],
    );
    compare(&row(", transform: [trim, lower], equal: folded"), vec![(json!("a"), json!(" A"), true)]);
    compare(
        &row(""),
        vec![
            (json!("a"), json!("A"), false),
            (json!(null), json!(""), true),
            (json!(null), json!("a"), false),
        ],
    );
    let list = "- {field: tags, path: x, transform: [{list: {separator: ;}}]}";
    compare(list, vec![(json!("a;b"), json!("a; b"), true), (json!("a;b"), json!("a;c"), false)]);
    compare("- {path: x, direction: out, constant: a}", vec![(json!("a"), json!("b"), false)]);
    assert!(!compile(&row("")).equal_at("y", &json!(1), &json!(2)), "unknown paths differ");
}

#[test]
fn codes_that_a_table_reads_alike_are_the_same() {
    for direction in ["both", "out"] {
        let many = "lookup: {table: many, from: crm, to: canonical}";
        compare(
            &format!("- {{field: stage, path: x, direction: {direction}, {many}}}"),
            vec![
                (json!("Lead"), json!("Subscriber"), true),
                (json!("Lead"), json!("Won"), false),
                (json!("Lead"), json!("Unheard"), false),
            ],
        );
    }
}

#[test]
fn read_values_are_compared_as_the_row_says() {
    let text = |name| Field::new(name).unwrap();
    let mapping = compile(concat!(
        "- {field: email, path: e, transform: [lower], equal: case_insensitive}\n",
        "- {field: decimal, path: d, transform: [{decimal: {scale: 2, round: half_even}}], equal: rounded}\n",
        "- {field: time, path: t, transform: [{time: {format: epoch_s}}], equal: rounded}\n",
        "- {field: text, path: x}\n",
        "- {field: tags, path: g, transform: [lower, {list: {separator: ;}}], equal: case_insensitive}\n",
        "- {field: lines, path: l, transform: [lower, {list: {separator: ;}}], equal: case_insensitive}",
    ));
    for (field, one, other, same) in [
        ("tags", json!(["B", "a"]), json!(["a", "b"]), true),
        ("tags", json!(["A", "a"]), json!(["a"]), true),
        ("tags", json!(["A", "c"]), json!(["a"]), false),
        ("lines", json!(["B", "a"]), json!(["a", "b"]), false),
        ("lines", json!(["B", "a"]), json!(["b", "A"]), true),
        ("email", json!("Ada@x.io"), json!("ada@X.io"), true),
        ("decimal", json!("12.345"), json!("12.34"), true),
        ("decimal", json!("12.345"), json!("12.35"), false),
        ("time", json!("2026-11-22T10:00:00.9Z"), json!("2026-11-22T10:00:00Z"), true),
        ("time", json!("2026-11-22T10:00:01Z"), json!("2026-11-22T10:00:00Z"), false),
        ("text", json!("a"), json!("A"), false),
        ("other", json!("a"), json!("b"), false),
        ("text", json!(null), json!("A"), false),
    ] {
        assert_eq!(mapping.equal_on(&text(field), &one, &other), same, "{field} {one} {other}");
    }
}

#[test]
fn what_the_system_holds_stands_where_it_means_the_same() {
    let mapping = compile(concat!(
        "- {field: decimal, path: d, transform: [{decimal: {scale: 2}}]}\n",
        "- {field: stage, path: s, lookup: {table: many, from: crm, to: canonical}}\n",
        "- {field: text, path: t}",
    ));
    let mut projection =
        project(&mapping, json!({"decimal": "1.5", "stage": "lead", "text": "new"})).unwrap();
    let seen = fields(json!({"d": 1.5, "s": "Subscriber", "t": "old", "more": 1}));
    mapping.keep_seen(&mut projection, &seen);
    assert_eq!(json!(projection.fields), json!({"d": 1.5, "s": "Subscriber", "t": "new"}));
}
