//! Rows with an expression: what they read and write, what they say about themselves, what is refused.

use canonical::RecordId;
use serde_json::{Value, json};

use super::support::{compile, error, fields, lookups, normalise, project, schema, try_compile};
use crate::{Direction, Mapping, MappingError};

const READS: &str =
    "\nreads: {first: text, last: text?, cents: int?, 'a.b': text, tags: list(text), day: text}";

fn reading(row: &str) -> Mapping {
    let used = "- {field: other, direction: in, expr: \"object.first + coalesce(object.last, '') + object.a.b + \
                join(object.tags, '') + object.day + text(coalesce(object.cents, 0))\"}";
    compile(&format!("{row}\n{used}{READS}"))
}

/// What an `in` row gives its field from an object.
fn read(field: &str, options: &str, object: Value) -> Value {
    let mapping = reading(&format!("- {{field: {field}, direction: in, {options}}}"));
    match normalise(&mapping, object) {
        Ok(patch) => patch.fields.get(field).cloned().unwrap_or(json!("nothing")),
        Err(misfit) => json!(misfit.to_string()),
    }
}

/// What an `out` row writes to `x` from a record.
fn write(options: &str, record: Value) -> Value {
    let mapping = compile(&format!("- {{path: x, direction: out, {options}}}"));
    match project(&mapping, record) {
        Ok(projection) => projection.fields.get("x").cloned().unwrap_or(json!("nothing")),
        Err(error) => json!(error.to_string()),
    }
}

fn first(rows: &str) -> MappingError {
    try_compile(rows).expect_err(rows).remove(0)
}

#[test]
fn an_object_is_read() {
    let name = "expr: \"object.last == null ? object.first : object.first + ' ' + object.last\"";
    assert_eq!(read("text", name, json!({"first": "Ada", "last": "King"})), json!("Ada King"));
    assert_eq!(read("text", name, json!({"first": "Ada", "last": null})), json!("Ada"));
    let cents = "expr: 'object.cents == null ? null : div(decimal(object.cents), 100.0, 2)'";
    assert_eq!(read("decimal", cents, json!({"cents": 1250})), json!("12.5"));
    let tags = "expr: 'object.tags.map(t, lower(trim(t)))'";
    assert_eq!(read("tags", tags, json!({"tags": ["b ", "A", "b"]})), json!(["a", "b"]), "a set is sorted");
    assert_eq!(read("lines", tags, json!({"tags": ["b ", "A"]})), json!(["b", "a"]));
    let day = "expr: \"date(object.day, '%d.%m.%Y')\"";
    assert_eq!(read("date", day, json!({"day": "22.11.2026"})), json!("2026-11-22"));
    assert_eq!(read("text", "expr: 'object.a.b + object[\"a\"].b'", json!({"a": {"b": "x"}})), json!("xx"));
    let stage = "expr: \"lookup('stages', 'crm', 'canonical', object.first, 'lost')\"";
    assert_eq!(read("stage", stage, json!({"first": "Won"})), json!("customer"));
    assert_eq!(read("stage", stage, json!({"first": "Unheard"})), json!("lost"));
}

#[test]
fn what_is_absent_follows_the_policies_of_the_row() {
    let name = "expr: \"object.first + coalesce(object.last, '')\"";
    assert_eq!(
        read("text", name, json!({"first": "Ada"})),
        json!("nothing"),
        "a part of an object computes nothing"
    );
    assert_eq!(read("text", &format!("{name}, on_missing: null"), json!({"first": "Ada"})), json!(null));
    let absent = "default: none, on_missing: default, on_null: default, on_empty: default";
    assert_eq!(read("text", &format!("{name}, {absent}"), json!({})), json!("none"));
    let last = format!("expr: object.last, {absent}");
    assert_eq!(read("text", &last, json!({"last": null})), json!("none"));
    assert_eq!(read("text", &last, json!({"last": " "})), json!("none"));
    assert_eq!(read("text", "expr: object.last", json!({"last": null})), json!("nothing"));
    assert_eq!(read("text", "expr: object.last, on_null: null", json!({"last": null})), json!(null));
    let asked = "expr: \"has(object.last) ? 'known' : 'unknown'\"";
    assert_eq!(read("text", asked, json!({})), json!("unknown"));
}

#[test]
fn what_does_not_fit_is_refused_without_its_value() {
    let secret = "Zw8ü";
    for (field, options, object, wanted) in [
        (
            "text",
            "expr: object.first",
            json!({"first": {"x": secret}}),
            "cannot read `first` into `text`: expected a value of the type that `reads` says at character 1 of \
             `expr`, found another (kind); correct the value, or give the row a transform that reads this kind",
        ),
        (
            "integer",
            "expr: 'int(object.first)'",
            json!({"first": secret}),
            "cannot read `first` into `integer`: expected a text in the form that is read at character 1 of `expr`, \
             found a text of another form (form); correct the value, or the form that the row declares",
        ),
        (
            "stage",
            "expr: object.first",
            json!({"first": secret}),
            "cannot read `first` into `stage`: expected one of the field's choices, found a text (choice); correct \
             the value, add it to the field's choices, or map it with a lookup",
        ),
        (
            "text",
            "expr: 'object.a.b'",
            json!({"a": secret}),
            "cannot read `a.b` into `text`: expected an object on the way there, found a text (blocked); correct the \
             row's path: it leads through something that holds no keys",
        ),
        (
            "text",
            "expr: 'pad_left(object.first, 1000000, object.first)'",
            json!({"first": "x"}),
            "cannot read `first` into `text`: expected a result within its budget at character 1 of `expr`, found too \
             much work (budget); shorten the value, or let the expression do less",
        ),
    ] {
        assert_eq!(read(field, options, object), json!(wanted));
    }
    let why = |options: &str, record: Value| write(options, record).as_str().unwrap_or_default().to_owned();
    let said = why("expr: 'record.integer == null ? 0 : 1 / record.integer'", json!({"integer": 0}));
    assert!(said.contains("expected a divisor at character 30 of `expr`, found zero (range)"), "{said}");
    let said = why(
        "expr: \"lookup('stages', 'crm', 'canonical', coalesce(record.text, ''))\"",
        json!({"text": secret}),
    );
    assert!(said.contains("(unmapped)") && !said.contains(secret), "{said}");
    let said = why("expr: 'record.decimal == null ? 0 : to_int(record.decimal)'", json!({"decimal": "1.5"}));
    assert!(said.contains("(inexact)"), "{said}");
}

#[test]
fn a_record_is_written() {
    let name = "expr: \"join([record.text, record.other], ' ')\"";
    assert_eq!(write(name, json!({"text": "Ada", "other": "King"})), json!("Ada King"));
    assert_eq!(write(name, json!({"text": "Ada", "other": null})), json!("Ada"));
    assert_eq!(write(name, json!({"text": "Ada"})), json!("nothing"), "what was never said is not written");
    assert_eq!(write(name, json!({"text": "", "other": null})), json!("nothing"), "empty never overwrites");
    assert_eq!(write(&format!("{name}, on_empty: null"), json!({"text": "", "other": null})), json!(null));
    let late = "expr: \"record.boolean == true ? 'yes' : 'no'\"";
    assert_eq!(write(late, json!({"boolean": null})), json!("no"));
    let sum = "expr: 'record.decimal == null ? null : record.decimal * 1.19'";
    assert_eq!(write(sum, json!({"decimal": "100"})), json!("119"));
    assert_eq!(write(&format!("{sum}, on_null: null"), json!({"decimal": null})), json!(null));
    let day = "expr: \"record.date == null ? null : format(record.date, '%d.%m.%Y')\"";
    assert_eq!(write(day, json!({"date": "2026-11-22"})), json!("22.11.2026"));
    assert_eq!(write("expr: 'size(coalesce(record.tags, []))'", json!({"tags": ["a", "b"]})), json!(2));
}

#[test]
fn a_link_that_is_needed_and_missing_is_noted() {
    let row = "- {path: x, direction: out, expr: \"record.account == null || record.boolean == false ? null : \
               'c-' + link(record.account, 'companies')\"}";
    let mapping = compile(row);
    let record = RecordId::from_parts(canonical::Wall(0), 7);
    let put = |value: Value, id: Option<&str>| {
        let links = |_: &canonical::Entity, object: &canonical::Object, asked: &RecordId| {
            assert_eq!((object.as_str(), *asked), ("companies", record));
            id.map(str::to_owned)
        };
        mapping.project(&fields(value), &links).unwrap()
    };
    let linked = put(json!({"account": record.to_string(), "boolean": true}), Some("17"));
    assert_eq!(json!(linked.fields), json!({"x": "c-17"}));
    let missing = put(json!({"account": record.to_string(), "boolean": true}), None);
    assert_eq!(json!(missing.fields), json!({}));
    let noted = &missing.missing[0];
    assert_eq!((noted.field.as_str(), noted.object.as_str(), noted.record), ("account", "companies", record));
    let unneeded = put(json!({"account": record.to_string(), "boolean": false}), None);
    assert!(unneeded.missing.is_empty() && unneeded.fields.is_empty());
    let references: Vec<String> =
        mapping.references().map(|r| format!("{} {} {}", r.field, r.entity, r.object)).collect();
    assert_eq!(references, ["account Account companies"]);
    let odd = project(&mapping, json!({"account": "no id", "boolean": true})).unwrap_err();
    assert_eq!(odd.why.code(), "form");
}

#[test]
fn every_input_is_in_the_lineage() {
    let mapping = compile(
        "- {field: text, direction: in, expr: 'object.a.b + object.c'}\n\
         - {path: x, direction: out, expr: \"join([record.text, record.email], ' ')\"}\nreads: {a.b: text, c: text}",
    );
    let rows: Vec<String> = mapping
        .lineage()
        .iter()
        .map(|row| format!("{} {} {:?}", row.path, row.field.unwrap(), row.direction))
        .collect();
    assert_eq!(rows, ["a.b text In", "c text In", "x text Out", "x email Out"]);
    let names = |fields: Vec<&canonical::Field>| fields.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(mapping.out_fields().collect()), ["email", "text"]);
    assert_eq!(names(mapping.in_fields().collect()), ["text"]);
    assert_eq!(mapping.out_paths().collect::<Vec<_>>(), ["x"]);
}

#[test]
fn a_memory_is_recalled_only_when_it_has_every_input() {
    let mapping = compile(
        "- {field: text, direction: in, expr: \"has(object.b) ? object.a + object.b : object.a\"}\nreads: {a: text, b: text?}",
    );
    let recall = |memory: Value| json!(mapping.recall(&fields(memory)));
    assert_eq!(recall(json!({"a": "1", "b": "2"})), json!({"text": "12"}));
    assert_eq!(recall(json!({"a": "1", "b": null})), json!({"text": "1"}));
    assert_eq!(recall(json!({"a": "1"})), json!({}));
    assert_eq!(recall(json!({"a": 1, "b": "2"})), json!({}), "what does not fit is left out");
}

#[test]
fn the_digest_knows_expressions_and_their_tables() {
    let of = |text: &str| compile(&format!("- {{path: x, direction: out, expr: \"{text}\"}}"));
    let plain = of("coalesce(record.text, '')");
    assert_ne!(plain.digest(), of("coalesce(record.text, ' ')").digest());
    let looked = "lookup('stages', 'crm', 'canonical', coalesce(record.text, ''), 'x')";
    let source = super::support::source(&format!("- {{path: x, direction: out, expr: \"{looked}\"}}"));
    assert_eq!(source.tables().into_iter().collect::<Vec<_>>(), ["stages"]);
    let mut changed = lookups();
    let before = Mapping::compile(&source, &schema(), &changed).unwrap();
    changed.insert("stages".to_owned(), changed["many"].clone());
    assert_ne!(before.digest(), Mapping::compile(&source, &schema(), &changed).unwrap().digest());
}

#[test]
fn a_result_is_the_same_in_whatever_form_it_comes_back() {
    let mapping =
        compile("- {path: x, direction: out, expr: 'record.decimal == null ? 0.0 : record.decimal'}");
    assert!(mapping.equal_at("x", &json!("12.5"), &json!("12.50")));
    assert!(mapping.equal_at("x", &json!("12.5"), &json!(12.5)));
    assert!(!mapping.equal_at("x", &json!("12.5"), &json!("12.51")));
    let folded = compile("- {path: x, direction: out, expr: \"coalesce(record.text, '')\", equal: folded}");
    assert!(folded.equal_at("x", &json!("Ada"), &json!(" ada ")));
}

#[test]
fn a_required_field_is_never_null() {
    let mut schema = schema();
    schema.required.push(canonical::Field::new("text").unwrap());
    let source = super::support::source("- {path: x, direction: out, expr: 'upper(record.text)'}");
    assert!(Mapping::compile(&source, &schema, &lookups()).is_ok());
    assert!(Mapping::compile(&source, &super::support::schema(), &lookups()).is_err());
}

#[test]
fn examples_test_expressions() {
    let mapping = compile(
        "- {field: text, direction: in, expr: 'upper(object.a)'}\n\
         - {path: b, direction: out, expr: \"lower(coalesce(record.text, ''))\"}\n\
         reads: {a: text}\nexamples: [{from: {a: x}, canonical: {text: X}, to: {b: x}}, {from: {a: x}, canonical: {text: Y}}]",
    );
    let failures = mapping.run_examples();
    assert_eq!(failures.len(), 1);
    assert_eq!((failures[0].example, failures[0].direction), (1, Direction::In));
}

#[test]
fn what_may_not_stand_beside_it() {
    for (row, wanted) in [
        (
            "- {field: text, expr: object.a}",
            "`fields[0].expr`: an expression goes one way only: what it does cannot be undone; use two one-way rows: \
             `direction: in` with `field`, `direction: out` with `path`",
        ),
        (
            "- {field: text, path: a, direction: in, expr: object.a}",
            "`fields[0].path`: it stands beside `expr`, which names the paths; drop it, and write `object.…`",
        ),
        (
            "- {field: text, path: a, direction: out, expr: record.a}",
            "`fields[0].field`: it stands beside `expr`, which names the fields; drop it, and write `record.…`",
        ),
        (
            "- {direction: in, expr: object.a}",
            "`fields[0].field`: it is missing; name the field that the expression gives",
        ),
        ("- {direction: out, expr: record.a}", "`fields[0].path`: it is missing; say where the result goes"),
        (
            "- {field: text, direction: in, expr: object.a, transform: [trim]}",
            "`fields[0].transform`: it stands beside `expr`; say it in the expression, and drop it",
        ),
        (
            "- {field: text, direction: in, expr: object.a, lookup: {table: stages, from: crm, to: canonical}}",
            "`fields[0].lookup`: it stands beside `expr`; say it in the expression, and drop it",
        ),
        (
            "- {path: x, direction: out, expr: record.text, constant: 5}",
            "`fields[0].constant`: it stands beside `expr`; keep one of them",
        ),
        (
            "- {field: txt, direction: in, expr: object.a}",
            "`fields[0].field`: Contact has no field `txt`; did you mean `text`?",
        ),
        (
            "- {field: account, direction: in, expr: object.a}",
            "`fields[0].field`: `account` is a reference to Account; read it by a row with `path` and `ref`: an id is \
             resolved by links",
        ),
        (
            "- {path: a..b, direction: out, expr: record.text}",
            "`fields[0].path`: a path must not hold an empty key: two dots meet, or one stands at its start or end; \
             write keys with dots between them (`properties.email`), and `\\.` for a dot in a key",
        ),
        (
            "- {path: x, direction: out, expr: \"'always'\"}",
            "`fields[0].expr`: it reads nothing of the record; what is always the same is a `constant` (`out`), or \
             needs no row",
        ),
        (
            "- {path: x, direction: out, expr: record.text, equal: rounded}",
            "`fields[0].equal`: a row with `expr` does not round by itself; drop it",
        ),
        (
            "- {path: x, direction: out, expr: record.integer, equal: folded}",
            "`fields[0].equal`: `folded` compares texts, and this is int?; drop it",
        ),
        (
            "- {path: x, direction: out, expr: record.integer, default: a, on_null: default}",
            "`fields[0].default`: it does not fit: expected a whole number, found a text; give a value in the record's \
             form",
        ),
        (
            "- {path: x, direction: out, expr: record.integer, default: 1}",
            "`fields[0].default`: it is never used; say when: `on_missing: default`, or `on_null`, `on_empty`",
        ),
        (
            "- {path: x, direction: out, expr: record.integer, on_null: default}",
            "`fields[0].on_null`: it says `default`, but the row has none; add `default: value`",
        ),
    ] {
        assert_eq!(error(row), wanted);
    }
}

#[test]
fn faults_point_into_the_expression() {
    for (row, within, wanted) in [
        ("- {path: x, direction: out, expr: 'record.txt'}", 0..10, "Contact has no field `txt`"),
        (
            "- {path: x, direction: out, expr: 'size(object.a)'}",
            5..13,
            "there is no `object` here: this row reads the record",
        ),
        (
            "- {path: x, direction: out, expr: 'record.any'}",
            0..10,
            "`any` may hold anything, which has no type",
        ),
        ("- {path: x, direction: out, expr: 'record.text.a'}", 0..13, "a field of the record has no parts"),
        ("- {path: x, direction: out, expr: 'record.account'}", 0..14, "expected text?, found ref(Account)?"),
        (
            "- {path: x, direction: out, expr: \"record.stage == 'leed'\"}",
            16..22,
            "\"leed\" is none of the values that this input has",
        ),
        (
            "- {path: x, direction: out, expr: \"lookup('stages', 'crm', 'canon', 'x')\"}",
            7..31,
            "lookup table `stages` has no column `canon`",
        ),
        (
            "- {path: x, direction: out, expr: \"lookup('stags', 'crm', 'canonical', 'x')\"}",
            7..34,
            "there is no lookup table `stags`",
        ),
        (
            "- {path: x, direction: out, expr: \"lookup('vague', 'canonical', 'crm', 'x')\"}",
            7..34,
            "in `vague`, row 2: its `canonical` stands in row 1 too, with another `crm`",
        ),
        (
            "- {path: x, direction: out, expr: \"record.account == null ? '' : link(record.account, 'no name')\"}",
            51..60,
            "\"no name\" is not a object name: use 1 to 80 characters of letters, digits, `_`, `-`, `.` or `/`, starting with a letter or `_`",
        ),
        (
            "- {field: text, direction: in, expr: 'object.c'}\nreads: {a: text}",
            0..8,
            "nothing says of which type `c` is",
        ),
        (
            "- {field: text, direction: in, expr: 'record.text'}",
            0..11,
            "there is no `record` here: this row reads the object",
        ),
        ("- {field: text, direction: in, expr: 'objct.a'}", 0..7, "there is no `objct` here"),
        (
            "- {field: integer, direction: in, expr: 'object.a'}\nreads: {a: text}",
            0..8,
            "expected int?, found text",
        ),
        (
            "- {field: text, direction: in, expr: 'object.a +'}\nreads: {a: text}",
            10..10,
            "expected a value, found the end",
        ),
    ] {
        let found = first(row);
        assert_eq!(
            (found.key.as_str(), found.within, found.message.as_str()),
            ("expr", Some(within), wanted)
        );
        assert!(found.row == Some(0));
    }
    let shown = first("- {path: x, direction: out, expr: 'upper(record.text)'}").to_string();
    let start = "`fields[0].expr`: expected text, found text?, at character 7; it may be null: ask first";
    assert!(shown.starts_with(start), "{shown}");
}

#[test]
fn what_is_read_is_declared_and_what_is_declared_is_read() {
    for (reads, wanted) in [
        ("{a: txt}", "`reads.a`: there is no type `txt`; did you mean `text`?"),
        (
            "{a: money}",
            "`reads.a`: there is no type `money`; use one of: text, int, decimal, bool, date, time, list(text); with \
             `?` when it may be null",
        ),
        ("{a: text, b: text}", "`reads.b`: no row reads it; drop it, or read it in an `expr`: `object.b`"),
        (
            "{a..b: text}",
            "`reads.a..b`: a path must not hold an empty key: two dots meet, or one stands at its start or end; write \
             keys with dots between them (`properties.email`), and `\\.` for a dot in a key",
        ),
    ] {
        let rows = format!("- {{field: text, direction: in, expr: object.a}}\nreads: {reads}");
        assert_eq!(error(&rows), wanted);
    }
}

#[test]
fn a_function_that_was_not_called_is_named() {
    let found = first("- {path: x, direction: out, expr: 'record.text.size'}");
    assert_eq!(found.message, "a field of the record has no parts");
    assert_eq!(found.hint.as_deref(), Some("`size` is a function: `size(record.text)`"));
    let other = first("- {path: x, direction: out, expr: 'record.text.a'}");
    assert_eq!(other.hint.as_deref(), Some("paths start with `record`: `record.name`"));
}
