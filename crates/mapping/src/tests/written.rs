//! The written form: what YAML says, what it refuses, and that it survives being written again.

use serde_json::json;

use super::support::source;
use crate::{Direction, MappingSource, OnAbsent, OnUnmapped, Transform};

fn refused(row: &str) -> String {
    let text = format!("mapping: m\nversion: 1\nentity: E\nsystem: s\nobject: o\nfields:\n- {row}\n");
    match serde_saphyr::from_str::<MappingSource>(&text) {
        Ok(_) => panic!("taken: {row}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn null_is_a_word_however_it_is_written() {
    for null in ["null", "'null'", "~", ""] {
        let row = format!("- {{field: f, path: p, on_null: {null}, on_missing: {null}, on_empty: {null}}}");
        assert_eq!(source(&row).fields[0].on_null, OnAbsent::Null, "{null}");
    }
    let constants = source("- {path: p, direction: out, constant: null}\n- {path: p, direction: out}");
    assert_eq!(constants.fields[0].constant, Some(json!(null)));
    assert_eq!(constants.fields[1].constant, None);
}

#[test]
fn transforms_are_words_or_have_options() {
    let row = concat!(
        "- {field: f, path: p, direction: in, transform: [trim, decimal, {decimal: {minor_units: 2}}, ",
        "{boolean: {true: 'Y', false: 'N'}}, time, {time: {format: epoch_ms}}, {concat: {parts: [a, b], separator: ' '}}]}"
    );
    let transforms = &source(row).fields[0].transform;
    let names: Vec<&str> = transforms.iter().map(Transform::name).collect();
    assert_eq!(names, ["trim", "decimal", "decimal", "boolean", "time", "time", "concat"]);
    let Transform::Boolean(form) = &transforms[3] else { panic!("{transforms:?}") };
    assert_eq!((&form.yes, &form.no), (&json!("Y"), &json!("N")));
}

#[test]
fn slips_of_the_hand_are_named() {
    for (row, says) in [
        ("{field: f, path: p, transfrom: [trim]}", "transfrom"),
        ("{field: f, path: p, transform: [trimm]}", "did you mean `trim`?"),
        ("{field: f, path: p, transform: [{decimals: {}}]}", "did you mean `decimal`?"),
        ("{field: f, path: p, transform: [{decimal: {scal: 2}}]}", "scal"),
        ("{field: f, path: p, transform: [split]}", "`split` needs options"),
        ("{field: f, path: p, transform: [concat]}", "`concat` needs options"),
        ("{field: f, path: p, transform: [list]}", "`list` needs options"),
        ("{field: f, path: p, transform: [prefix]}", "`prefix` needs options"),
        ("{field: f, path: p, transform: [{trim: {}}]}", "`trim` takes no options"),
        ("{field: f, path: p, transform: [{date: {format: a}, time: {format: b}}]}", "make them two items"),
        ("{field: f, path: p, transform: [3]}", "a transform: its name"),
        ("{field: f, path: p, direction: inn}", "inn"),
        ("{field: f, path: p, on_null: kep}", "did you mean `keep`?"),
        ("{field: f, path: p, on_empty: fail}", "unknown word `fail`"),
        ("{field: f, path: p, equal: casefold}", "casefold"),
        ("{field: f, path: p, lookup: {table: t, from: a, to: b, on_unmapped: default}}", "{default: value}"),
        (
            "{field: f, path: p, lookup: {table: t, from: a, to: b, on_unmapped: {defalt: 1}}}",
            "{default: value}",
        ),
        (
            "{field: f, path: p, lookup: {table: t, from: a, to: b, on_unmapped: {default: 1, x: 2}}}",
            "nothing beside it",
        ),
        ("{field: 'not a name', path: p}", "not a name"),
        ("{field: f, path: p, ref: {entity: E}}", "object"),
    ] {
        let error = refused(row);
        assert!(error.contains(says), "{row}: {error}");
        assert!(error.contains("line 7"), "errors say where: {error}");
    }
}

#[test]
fn what_is_written_again_is_the_same() {
    let rows = concat!(
        "- {field: text, path: a, transform: [trim, {prefix: {text: x}}, {suffix: {text: y}}], equal: trimmed, on_null: null}\n",
        "- {field: decimal, path: b, transform: [{decimal: {scale: 2, round: half_up, as: number}}], equal: rounded}\n",
        "- {field: boolean, path: c, transform: [boolean], default: true, on_missing: default}\n",
        "- {field: time, path: d, direction: in, transform: [{time: {format: rfc3339, zone: UTC, ambiguous: later}}]}\n",
        "- {field: date, path: e, direction: out, transform: [date]}\n",
        "- {field: stage, path: f, lookup: {table: stages, from: crm, to: canonical, on_unmapped: null}}\n",
        "- {field: other, path: g, direction: in, lookup: {table: stages, from: crm, to: canonical, on_unmapped: {default: lost}}}\n",
        "- {path: h, direction: out, constant: null}\n",
        "- {field: tags, path: i, transform: [{list: {separator: ;}}]}\n",
        "- {field: any, path: j, direction: in, transform: [{split: {separator: x, index: 1, limit: 3}}]}\n",
        "- {path: k, direction: out, transform: [{concat: {parts: [text, other], separator: ' '}}]}\n",
        "extensions: [hs.score]\n",
        "examples:\n- {name: n, from: {a: 1}, canonical: {text: x}, links: {account: '1'}, missing: [account], fails: text}",
    );
    let first = source(rows);
    let json = serde_json::to_value(&first).unwrap();
    assert_eq!(serde_json::from_value::<MappingSource>(json.clone()).unwrap(), first, "{json}");
    let yaml = serde_saphyr::to_string(&first).unwrap();
    assert_eq!(serde_saphyr::from_str::<MappingSource>(&yaml).unwrap(), first, "{yaml}");
    assert_eq!(first.fields[0].direction, Direction::Both);
    assert_eq!(first.fields[5].lookup.as_ref().unwrap().on_unmapped, OnUnmapped::Null);
}
