//! What compiling refuses, with the key and the way out.

use super::support::{error, lookups, schema, source, try_compile};
use crate::Mapping;

#[test]
fn rows_that_make_no_sense_are_refused() {
    for (row, key, says) in [
        ("{field: emial, path: x}", "field", "did you mean `email`?"),
        ("{field: nonsense_word, path: x}", "field", "use one of: account,"),
        ("{path: x}", "field", "it is missing"),
        ("{field: text}", "path", "it is missing"),
        ("{field: text, path: ''}", "path", "must not be empty"),
        ("{field: text, path: a..b}", "path", "an empty key"),
        ("{field: text, path: 'a\\b'}", "path", "a backslash"),
        ("{path: x, constant: 1}", "direction", "add `direction: out`"),
        ("{path: x, constant: 1, direction: out, transform: [trim]}", "constant", "keep only `path`"),
        ("{field: text, path: x, constant: 1, direction: out}", "constant", "keep only `path`"),
        ("{constant: 1, direction: out}", "path", "it is missing"),
        ("{path: a., constant: 1, direction: out}", "path", "an empty key"),
        ("{field: text, path: x, default: 1}", "default", "it is never used"),
        ("{field: text, path: x, on_null: default}", "on_null", "add `default: value`"),
        ("{field: text, path: x, on_empty: default}", "on_empty", "add `default: value`"),
        ("{field: text, path: x, on_missing: default, default: null}", "default", "it is null"),
        (
            "{field: integer, path: x, on_missing: default, default: many}",
            "default",
            "expected a whole number",
        ),
        (
            "{field: stage, path: x, on_missing: default, default: led}",
            "default",
            "one of the field's choices",
        ),
        (
            "{field: decimal, path: x, on_missing: default, default: '0.001', transform: [{decimal: {scale: 2}}]}",
            "default",
            "at most 2 digits",
        ),
        ("{field: account, path: x}", "ref", "add `ref: {entity: Account"),
        (
            "{field: account, path: x, ref: {entity: Lead, object: o}}",
            "ref.entity",
            "write `entity: Account`",
        ),
        ("{field: text, path: x, ref: {entity: Account, object: o}}", "ref", "not a reference"),
        (
            "{field: account, path: x, ref: {entity: Account, object: o}, on_null: default, default: a}",
            "default",
            "a reference has no default",
        ),
        (
            "{field: account, path: x, ref: {entity: Account, object: o}, lookup: {table: stages, from: crm, to: canonical}}",
            "lookup",
            "resolved by links",
        ),
    ] {
        let error = error(&format!("- {row}"));
        assert!(error.starts_with(&format!("`fields[0].{key}`: ")), "{row}: {error}");
        assert!(error.contains(says), "{row}: {error}");
    }
}

#[test]
fn types_are_followed_through_the_row() {
    for (row, key, says) in [
        (
            "{field: text, path: x, transform: [decimal]}",
            "transform[0]",
            "gives a decimal, but `text` is a text",
        ),
        ("{field: integer, path: x, transform: [trim]}", "transform[0]", "add `number` after it"),
        ("{field: decimal, path: x, transform: [trim, number]}", "transform[1]", "use `decimal`"),
        (
            "{field: boolean, path: x, transform: [date]}",
            "transform[0]",
            "gives a date, but `boolean` is true or false",
        ),
        (
            "{field: date, path: x, transform: [decimal, trim]}",
            "transform[1]",
            "`trim` reads a text, but here it gets a decimal",
        ),
        ("{field: tags, path: x, transform: [trim]}", "transform[0]", "add `list` after it"),
        (
            "{field: integer, path: x, direction: out, transform: [trim]}",
            "transform[0]",
            "`integer` is a whole number",
        ),
        (
            "{field: decimal, path: x, transform: [{prefix: {text: E}}, {decimal: {as: number}}]}",
            "transform[0]",
            "as: text",
        ),
        (
            "{field: account, path: x, transform: [number], ref: {entity: Account, object: o}}",
            "transform[0]",
            "use `text`",
        ),
        (
            "{field: stage, path: x, transform: [decimal], lookup: {table: stages, from: crm, to: canonical}}",
            "lookup",
            "cannot look up a decimal",
        ),
        (
            "{field: stage, path: x, direction: out, transform: [number], lookup: {table: stages, from: crm, to: canonical}}",
            "transform[0]",
            "writes from a whole number",
        ),
    ] {
        let error = error(&format!("- {row}"));
        assert!(error.starts_with(&format!("`fields[0].{key}`: ")), "{row}: {error}");
        assert!(error.contains(says), "{row}: {error}");
    }
    for fine in [
        "{field: any, path: x, transform: [decimal]}",
        "{field: any, path: x, direction: out, transform: [number]}",
        "{field: text, path: x, direction: in, transform: [trim, {split: {separator: ' ', index: 0}}, upper]}",
    ] {
        assert!(try_compile(&format!("- {fine}")).is_ok(), "{fine}");
    }
}

#[test]
fn options_are_checked() {
    for (field, transform, key, says) in [
        ("text", "{prefix: {text: ''}}", "prefix.text", "it is empty"),
        ("text", "{split: {separator: '', index: 0}}", "split.separator", "it is empty"),
        ("text", "{split: {separator: x, index: 2, limit: 2}}", "split.limit", "no such part"),
        ("text", "{split: {separator: x, index: 0, limit: 1}}", "split.limit", "no such part"),
        ("tags", "{list: {separator: ' '}}", "list.separator", "it is white space"),
        ("decimal", "{decimal: {scale: 19}}", "decimal.scale", "it is too large"),
        ("decimal", "{decimal: {scale: 2, minor_units: 2}}", "decimal.scale", "drop `scale`"),
        ("decimal", "{decimal: {round: half_up}}", "decimal.round", "nothing to round to"),
        ("boolean", "{boolean: {true: a, false: a}}", "boolean.false", "the same as `true`"),
        ("boolean", "{boolean: {true: [a], false: b}}", "boolean.true", "it is a list"),
    ] {
        let error = error(&format!("- {{field: {field}, path: x, direction: in, transform: [{transform}]}}"));
        assert!(error.starts_with(&format!("`fields[0].transform[0].{key}`: ")), "{transform}: {error}");
        assert!(error.contains(says), "{transform}: {error}");
    }
}

#[test]
fn concat_has_its_place() {
    for (row, key, says) in [
        (
            "{field: text, path: x, direction: out, transform: [{concat: {parts: [text, other], separator: x}}]}",
            "field",
            "drop it",
        ),
        (
            "{path: x, direction: out, transform: [{concat: {parts: [text], separator: x}}]}",
            "transform[0].concat.parts",
            "at least two",
        ),
        (
            "{path: x, direction: out, transform: [{concat: {parts: [text, otter], separator: x}}]}",
            "transform[0].concat.parts",
            "did you mean `other`?",
        ),
        (
            "{path: x, direction: out, transform: [{concat: {parts: [text, tags], separator: x}}]}",
            "transform[0].concat.parts",
            "cannot be joined",
        ),
        (
            "{path: x, direction: out, transform: [upper, {concat: {parts: [text, other], separator: x}}]}",
            "transform[1]",
            "must be the first",
        ),
        (
            "{field: text, path: x, direction: in, transform: [{concat: {parts: [a, b], separator: x}}]}",
            "path",
            "drop it",
        ),
        (
            "{field: text, direction: in, transform: [{concat: {parts: [a, b..c], separator: x}}]}",
            "transform[0].concat.parts",
            "an empty key",
        ),
        (
            "{field: date, direction: in, transform: [{concat: {parts: [a, b], separator: x}}]}",
            "transform[0]",
            "add `date` after it",
        ),
        (
            "{field: text, path: x, transform: [{concat: {parts: [a, b], separator: x}}]}",
            "transform[0]",
            "one way only",
        ),
    ] {
        let error = error(&format!("- {row}"));
        assert!(error.starts_with(&format!("`fields[0].{key}`: ")), "{row}: {error}");
        assert!(error.contains(says), "{row}: {error}");
    }
    let date =
        "- {field: date, direction: in, transform: [{concat: {parts: [y, m, d], separator: '-'}}, date]}";
    assert!(try_compile(date).is_ok());
}

#[test]
fn what_cannot_be_undone_goes_one_way() {
    for transform in ["{split: {separator: ' ', index: 0}}", "{prefix: {text: a, optional: true}}"] {
        let row = |direction: &str| {
            format!(
                "- {{field: text, path: x, direction: {direction}, transform: [trim, {transform}], equal: trimmed}}"
            )
        };
        let error = error(&row("both"));
        assert!(
            error.starts_with("`fields[0].transform[1]`: ") && error.contains("direction: in"),
            "{error}"
        );
        assert!(try_compile(&row("in")).is_ok());
        assert!(try_compile(&row("out")).is_ok());
    }
}

#[test]
fn what_loses_something_both_ways_must_say_what_is_equal() {
    for (field, transform, needed) in [
        ("text", "trim", "trimmed"),
        ("text", "lower", "case_insensitive"),
        ("text", "upper", "case_insensitive"),
        ("text", "title", "case_insensitive"),
        ("text", "trim, upper", "folded"),
        ("lines", "lower, {list: {separator: ;}}", "case_insensitive"),
        ("decimal", "{decimal: {scale: 2, round: half_even}}", "rounded"),
        ("decimal", "{decimal: {minor_units: 2, round: half_up}}", "rounded"),
        ("time", "{time: {format: epoch_s}}", "rounded"),
        ("time", "{time: {format: '%Y-%m-%d %H:%M%:z'}}", "rounded"),
        (
            "time",
            "{time: {format: '%Y-%m-%d %H:%M:%S%.f', zone: Europe/Berlin, ambiguous: later}}",
            "rounded",
        ),
    ] {
        let row = |rest: &str| format!("- {{field: {field}, path: x, transform: [{transform}]{rest}}}");
        let error = error(&row(""));
        assert!(error.starts_with("`fields[0].equal`: "), "{error}");
        assert!(error.contains(&format!("`equal: {needed}`")), "{error}");
        for equal in ["trimmed", "case_insensitive", "folded", "rounded"] {
            let fits = equal == needed || (equal == "folded" && needed != "rounded");
            assert_eq!(try_compile(&row(&format!(", equal: {equal}"))).is_ok(), fits, "{transform} {equal}");
        }
        assert!(try_compile(&row(", direction: in")).is_ok(), "{transform}");
        // Out rows apply their transforms as they are written: a list is joined before its text is lowered.
        assert_eq!(try_compile(&row(", direction: out")).is_ok(), field != "lines", "{transform}");
    }
    for exact in [
        "{field: decimal, path: x, transform: [trim, decimal]}",
        "{field: decimal, path: x, transform: [{decimal: {minor_units: 2}}]}",
        "{field: time, path: x, transform: [time]}",
        "{field: time, path: x, transform: [{time: {format: '%Y-%m-%dT%H:%M:%S%.f%:z'}}]}",
        "{field: date, path: x, transform: [{date: {format: epoch_ms}}]}",
        "{field: stage, path: x, transform: [trim, title], lookup: {table: stages, from: crm, to: canonical}}",
        "{field: text, path: x, transform: [{prefix: {text: a}}]}",
        "{field: text, path: x, equal: folded}",
    ] {
        assert!(try_compile(&format!("- {exact}")).is_ok(), "{exact}");
    }
    for (row, says) in [
        ("{field: decimal, path: x, transform: [decimal], equal: rounded}", "nothing is rounded"),
        ("{field: integer, path: x, equal: trimmed}", "compares texts"),
    ] {
        let error = error(&format!("- {row}"));
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn rows_must_not_meet() {
    for (rows, index, says) in [
        ("- {field: text, path: a}\n- {field: text, path: b}", 1, "`text` is already read by fields[0]"),
        ("- {field: text, path: a}\n- {field: other, path: a}", 1, "`a` is already written by fields[0]"),
        (
            "- {field: text, path: a}\n- {field: other, path: a.b}",
            1,
            "`a.b` overlaps what is written by fields[0]",
        ),
        ("- {field: text, path: a.b.c}\n- {field: other, path: a.b}", 1, "`a.b` overlaps"),
        (
            "- {field: text, path: a, direction: in}\n- {path: b, direction: out, constant: 1}\n- {field: other, path: b}",
            2,
            "by fields[1]",
        ),
    ] {
        let errors = try_compile(rows).unwrap_err();
        assert_eq!(errors[0].row, Some(index), "{rows}: {errors:?}");
        assert!(errors[0].message.contains(says), "{}", errors[0]);
    }
    for fine in [
        "- {field: text, path: a, direction: in}\n- {field: text, path: b, direction: out}",
        "- {field: text, path: a, direction: in}\n- {field: other, path: a, direction: in}",
        "- {field: text, path: a, direction: out}\n- {field: text, path: b, direction: out}",
        "- {field: text, path: ab}\n- {field: other, path: a.b}",
        "- {field: text, path: 'a\\.b'}\n- {field: other, path: a.b}",
    ] {
        assert!(try_compile(fine).is_ok(), "{fine}");
    }
}

#[test]
fn the_head_is_checked_and_all_errors_come_at_once() {
    let mut written = source(
        "- {field: emial, path: x}\n- {field: text}\n- {field: decimal, path: y, transform: [{decimal: {scale: 99}}], on_null: default}",
    );
    written.version = 0;
    written.mapping = " ".to_owned();
    written.entity = canonical::Entity::new("Lead").unwrap();
    let errors = Mapping::compile(&written, &schema(), &lookups()).unwrap_err();
    let keys: Vec<(Option<usize>, &str)> =
        errors.iter().map(|error| (error.row, error.key.as_str())).collect();
    assert_eq!(
        keys,
        [
            (None, "mapping"),
            (None, "version"),
            (None, "entity"),
            (Some(0), "field"),
            (Some(1), "path"),
            (Some(2), "transform[0].decimal.scale"),
            (Some(2), "on_null"),
        ]
    );
    assert!(errors.iter().all(|error| error.hint.is_some()));
    let empty = Mapping::compile(&source("  []"), &schema(), &lookups()).unwrap_err();
    assert_eq!(empty[0].key, "fields");
}
