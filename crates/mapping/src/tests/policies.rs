//! Absent, null and empty values: every policy, both ways; and paths that lead nowhere.

use serde_json::{Value, json};

use super::support::{compile, normalise, project};

const FAILS: &str = "fails";

/// What reading and writing make of a value under a row with `options`: `Err` becomes `"fails"`.
fn outcomes(options: &str, absent: &Value) -> (Value, Value) {
    let mapping = compile(&format!("- {{field: text, path: x, {options}}}"));
    let side = |key: &str| match absent {
        Value::String(word) if word == "missing" => json!({}),
        value => json!({ key: value }),
    };
    let read = normalise(&mapping, side("x")).map(|patch| patch.fields.get("text").cloned());
    let written = project(&mapping, side("text")).map(|projection| projection.fields.get("x").cloned());
    let show = |value: Option<Value>| value.unwrap_or(json!("kept"));
    (read.map_or(json!(FAILS), show), written.map_or(json!(FAILS), show))
}

#[test]
fn every_policy_does_what_it_says_both_ways() {
    let words =
        [("keep", json!("kept")), ("null", json!(null)), ("default", json!("d")), ("fail", json!(FAILS))];
    for (key, absent) in [
        ("on_missing", json!("missing")),
        ("on_null", json!(null)),
        ("on_empty", json!("")),
        ("on_empty", json!(" \t\u{a0}")),
        ("on_empty", json!([])),
        ("on_empty", json!({})),
    ] {
        assert_eq!(outcomes("direction: both", &absent), (json!("kept"), json!("kept")), "{key} unsaid");
        for (word, expected) in &words {
            if key == "on_empty" && *word == "fail" {
                continue;
            }
            let default = if *word == "default" { ", default: d" } else { "" };
            let (read, written) = outcomes(&format!("{key}: {word}{default}"), &absent);
            assert_eq!((&read, &written), (expected, expected), "{key}: {word} of {absent}");
        }
    }
}

#[test]
fn a_policy_speaks_only_of_its_own_case() {
    let options = "on_missing: fail, on_null: 'null', on_empty: default, default: d";
    assert_eq!(outcomes(options, &json!("missing")).0, json!(FAILS));
    assert_eq!(outcomes(options, &json!(null)).0, json!(null));
    assert_eq!(outcomes(options, &json!(" ")).0, json!("d"));
    assert_eq!(outcomes(options, &json!("x")).0, json!("x"));
}

#[test]
fn false_and_zero_are_values() {
    let mapping = compile("- {field: boolean, path: b}\n- {field: integer, path: i}");
    let patch = normalise(&mapping, json!({"b": false, "i": 0})).unwrap();
    assert_eq!(json!(patch.fields), json!({"boolean": false, "integer": 0}));
    let projection = project(&mapping, json!({"boolean": false, "integer": 0})).unwrap();
    assert_eq!(json!(projection.fields), json!({"b": false, "i": 0}));
}

#[test]
fn a_default_is_written_in_the_systems_form() {
    let mapping = compile(
        "- {field: decimal, path: cents, on_missing: default, default: 12.5, transform: [{decimal: {minor_units: 2}}]}",
    );
    assert_eq!(json!(normalise(&mapping, json!({})).unwrap().fields), json!({"decimal": "12.5"}));
    assert_eq!(json!(project(&mapping, json!({})).unwrap().fields), json!({"cents": 1250}));
}

#[test]
fn what_a_transform_empties_counts_as_empty() {
    let row = "- {field: text, path: x, direction: in, on_empty: 'null', transform: [{prefix: {text: 'a'}}]}";
    assert_eq!(json!(normalise(&compile(row), json!({"x": "a"})).unwrap().fields), json!({"text": null}));
}

#[test]
fn nested_paths_missing_null_and_blocked() {
    let mapping = compile(
        "- {field: text, path: a.b.0.c, direction: in, on_null: 'null', on_missing: default, default: gone}",
    );
    for (object, expected) in [
        (json!({"a": {"b": [{"c": "x"}]}}), json!({"text": "x"})),
        (json!({"a": {"b": {"0": {"c": "x"}}}}), json!({"text": "x"})),
        (json!({}), json!({"text": "gone"})),
        (json!({"a": {}}), json!({"text": "gone"})),
        (json!({"a": {"b": []}}), json!({"text": "gone"})),
        (json!({"a": {"b": [{}]}}), json!({"text": "gone"})),
        (json!({"a": null}), json!({"text": null})),
        (json!({"a": {"b": [null]}}), json!({"text": null})),
        (json!({"a": {"b": [{"c": null}]}}), json!({"text": null})),
    ] {
        assert_eq!(json!(normalise(&mapping, object.clone()).unwrap().fields), expected, "{object}");
    }
    for blocked in
        [json!({"a": "text"}), json!({"a": {"b": 1}}), json!({"a": {"b": [true]}}), json!({"a": []})]
    {
        let misfit = normalise(&mapping, blocked.clone()).unwrap_err();
        assert_eq!(misfit.fingerprint(), "normalise:text:a.b.0.c:blocked", "{blocked}");
    }
}

#[test]
fn concat_joins_what_is_there() {
    let out = compile(
        "- {path: name, direction: out, on_missing: 'null', transform: [{concat: {parts: [text, other, integer], separator: ' '}}, upper]}",
    );
    for (record, expected) in [
        (json!({"text": "Ada", "other": "Lovelace"}), json!({"name": "ADA LOVELACE"})),
        (json!({"text": "Ada", "other": null}), json!({"name": "ADA"})),
        (json!({"other": "Lovelace", "text": " "}), json!({"name": "LOVELACE"})),
        (json!({"other": "Lovelace", "integer": 7}), json!({"name": "LOVELACE 7"})),
        (json!({}), json!({"name": null})),
        (json!({"text": null}), json!({})),
        (json!({"text": ""}), json!({})),
    ] {
        assert_eq!(json!(project(&out, record.clone()).unwrap().fields), expected, "{record}");
    }
    let read = compile(
        "- {field: text, direction: in, transform: [{concat: {parts: [a.street, a.no, a.city], separator: ', '}}]}",
    );
    for (object, expected) in [
        (json!({"a": {"street": "Am Markt", "no": 5, "city": "Bonn"}}), json!({"text": "Am Markt, 5, Bonn"})),
        (json!({"a": {"street": "Am Markt", "no": null}}), json!({"text": "Am Markt"})),
        (json!({"a": null}), json!({})),
    ] {
        assert_eq!(json!(normalise(&read, object.clone()).unwrap().fields), expected, "{object}");
    }
    let misfit = normalise(&read, json!({"a": {"street": ["x"]}})).unwrap_err();
    assert_eq!(misfit.fingerprint(), "normalise:text:a.street:kind");
}

#[test]
fn concat_and_split_are_a_pair_of_rows() {
    let mapping = compile(concat!(
        "- {path: name, direction: out, transform: [{concat: {parts: [text, other], separator: ' '}}]}\n",
        "- {field: text, path: name, direction: in, transform: [{split: {separator: ' ', index: 0, limit: 2}}]}\n",
        "- {field: other, path: name, direction: in, transform: [{split: {separator: ' ', index: 1, limit: 2}}]}",
    ));
    let record = json!({"text": "Ludwig", "other": "van Beethoven"});
    let written = project(&mapping, record.clone()).unwrap().fields;
    assert_eq!(json!(written), json!({"name": "Ludwig van Beethoven"}));
    assert_eq!(json!(mapping.normalise(&written).unwrap().fields), record);
}

#[test]
fn constants_are_written_whatever_the_record_holds() {
    let mapping = compile(
        "- {path: source, direction: out, constant: concord}\n- {path: gone, direction: out, constant: null}",
    );
    assert_eq!(
        json!(project(&mapping, json!({})).unwrap().fields),
        json!({"source": "concord", "gone": null})
    );
    assert_eq!(normalise(&mapping, json!({"source": "x"})).unwrap(), crate::Patch::default());
}
