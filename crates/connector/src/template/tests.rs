//! Slots, alternatives, encoders and escaping.

use std::collections::BTreeMap;

use canonical::Wall;
use serde_json::{Value, json};

use super::{Allowed, Environment, Flaw, Place, Scope, Template};
use crate::Write;
use crate::body::Node;

fn write() -> Write {
    serde_json::from_value(json!({
        "object": "things", "operation": "put", "key": "rec_1", "external_id": null,
        "fields": {"a.b": "x", "a.c": 2, "n": null, "list": ["p", "q"]},
        "whole": {"email": " Ann@Example.test ", "amount": "1250.50", "when": "2026-11-22T10:00:00.5Z",
                  "quoted": "O'Hara' or 1 eq 1", "guid": "6A9b6c1e-0000-4000-8000-000000000001", "lines": "a\nb",
                  "breaking": "6a9b6c1e-0000-4000-8000-00000000000)", "relation": "Account.Owner.Name"},
        "known": {}, "expected": "1795341600000000", "intent": "int_1"
    }))
    .unwrap()
}

fn scope<'a>(
    write: &'a Write,
    paths: &'a [String],
    types: &'a BTreeMap<String, crate::typed::Typed>,
) -> Scope<'a> {
    Scope {
        object: "things",
        write: Some(write),
        id: None,
        ids: &[],
        since: None,
        page: None,
        now: Wall(0),
        paths,
        associations: &[],
        types,
        job: None,
    }
}

fn environment<'a>(
    parameters: &'a BTreeMap<String, Value>,
    values: &'a BTreeMap<String, String>,
) -> Environment<'a> {
    Environment { parameters, values, allowed: Allowed::Write }
}

fn render(text: &str, place: Place) -> Result<String, String> {
    let parameters =
        BTreeMap::from([("base".to_owned(), json!("/a b/c/")), ("none".to_owned(), Value::Null)]);
    let values = BTreeMap::from([("empty".to_owned(), String::new()), ("kind".to_owned(), "k/1".to_owned())]);
    let template =
        Template::parse(text, place, &environment(&parameters, &values)).map_err(|fault| fault.what)?;
    let (write, types) = (write(), BTreeMap::new());
    template.render(&scope(&write, &[], &types)).map_err(|flaw| match flaw {
        Flaw::Missing { slot } => format!("missing {slot}"),
        Flaw::Unfit { slot, why } => format!("{slot}: {why}"),
        Flaw::Paths { one, other } => format!("{one} against {other}"),
        Flaw::NoPath { path, why } => format!("{path}: {why}"),
    })
}

#[test]
fn places_escape_what_stands_in_them() {
    for (text, place, expected) in [
        ("/x/{key}", Place::Path, "/x/rec_1"),
        ("/{parameter.base|segments}/{value.kind}", Place::Path, "/a%20b/c/k%2F1"),
        ("{whole.email}", Place::Path, "%20Ann%40Example.test%20"),
        ("a b={whole.email}", Place::Query, "a%20b%3D%20Ann%40Example.test%20"),
        ("{{{key}}}", Place::Json, "{rec_1}"),
        ("{whole.email|md5_lower_hex}", Place::Path, "51d91289b5d3e08fd6f4c5bb14f6b383"),
        ("{whole.email|lower}", Place::Json, " ann@example.test "),
        ("{key|base64}", Place::Header, "cmVjXzE="),
        ("x = {whole.email|sql}", Place::Sql, "x = ' Ann@Example.test '"),
        ("{value.empty}x", Place::Sql, "x"),
        ("{whole.when|ms}", Place::Json, "1795341600500"),
        ("{whole.when|date_time}", Place::Sql, "2026-11-22 10:00:00"),
        ("{whole.when|date_time_us}", Place::Json, "2026-11-22 10:00:00.500000"),
        ("{expected|date_time_us}", Place::Json, "2026-11-22 10:00:00"),
        ("{expected|rfc3339_us}", Place::Json, "2026-11-22T10:00:00Z"),
        ("{whole.when|rfc3339_us}", Place::Json, "2026-11-22T10:00:00.5Z"),
        ("{whole.when|epoch:numeric}", Place::Json, "1795341600.500000"),
        ("{whole.when|epoch:float}", Place::Json, "1795341600.5"),
        ("{expected|epoch:float}", Place::Json, "1795341600.0"),
        ("{whole.when|epoch:parameter.none or key}", Place::Json, "rec_1"),
        ("{key|spaced}", Place::Path, "rec%201"),
        ("{fields.a.c|from_one}", Place::Query, "3"),
        ("{fields.list|comma}", Place::Query, "p%2Cq"),
        ("{known.email or id or key}", Place::Path, "rec_1"),
        ("{parameter.none or key}", Place::Path, "rec_1"),
        ("{fields.n or key}", Place::Path, "rec_1"),
        ("{fields.a.b}", Place::Json, "x"),
    ] {
        assert_eq!(render(text, place).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn values_stay_values_inside_statements() {
    for (text, place, expected) in [
        ("odata:/accounts(k={key|odata})", Place::Path, "/accounts(k=%27rec_1%27)"),
        (
            "odata:name eq {whole.quoted|odata}",
            Place::Query,
            "name%20eq%20%27O%27%27Hara%27%27%20or%201%20eq%201%27",
        ),
        (
            "odata:a eq {fields.a.c|odata} and n eq {fields.n|odata}",
            Place::Query,
            "a%20eq%202%20and%20n%20eq%20null",
        ),
        (
            "odata:/accounts({whole.guid|guid})",
            Place::Path,
            "/accounts(6A9b6c1e-0000-4000-8000-000000000001)",
        ),
        ("odata: when ge {whole.when|rfc3339}", Place::Query, "when%20ge%202026-11-22T10%3A00%3A00.5Z"),
        ("sql:SELECT {fields.list|names} FROM {object}", Place::Query, "SELECT%20p%2Cq%20FROM%20things"),
        ("sql:{value.empty}Id > '{key|word}'", Place::Query, "Id%20%3E%20%27rec_1%27"),
        ("{whole.relation|names}", Place::Query, "Account.Owner.Name"),
        ("sql:at = '{expected|date_time_us}'", Place::Query, "at%20%3D%20%272026-11-22%2010%3A00%3A00%27"),
        ("odata:n eq {fields.a.c|from_one}", Place::Query, "n%20eq%203"),
        (
            "soql:SELECT {fields.list|names} FROM T WHERE Name = {whole.quoted|soql}",
            Place::Query,
            "SELECT%20p%2Cq%20FROM%20T%20WHERE%20Name%20%3D%20%27O%5C%27Hara%5C%27%20or%201%20eq%201%27",
        ),
        (
            "Name = {whole.lines|soql} AND At > {whole.when|rfc3339}",
            Place::Soql,
            "Name = 'a\\nb' AND At > 2026-11-22T10:00:00.5Z",
        ),
    ] {
        assert_eq!(render(text, place).as_deref(), Ok(expected), "{text}");
    }
    for (text, place, expected) in [
        (
            "odata:/accounts(k='{key}')",
            Place::Path,
            "`{key}` in OData has no encoder that keeps its value in place",
        ),
        (
            "odata:/accounts({id})",
            Place::Path,
            "`{id}` in OData has no encoder that keeps its value in place",
        ),
        (
            "odata:k eq {key|sql}",
            Place::Query,
            "`{key|sql}` in OData has no encoder that keeps its value in place",
        ),
        (
            "sql:k = {key|odata}",
            Place::Query,
            "`{key|odata}` in SQL has no encoder that keeps its value in place",
        ),
        (
            "soql:k = {key|sql}",
            Place::Query,
            "`{key|sql}` in SOQL has no encoder that keeps its value in place",
        ),
        (
            "sql:k = {key|soql}",
            Place::Query,
            "`{key|soql}` in SQL has no encoder that keeps its value in place",
        ),
        ("k = {key}", Place::Soql, "`{key}` in SOQL has no encoder that keeps its value in place"),
        (
            "odata:at ge {expected|date_time_us}",
            Place::Query,
            "`{expected|date_time_us}` in OData has no encoder that keeps its value in place",
        ),
        (
            "sql:k = {key|spaced}",
            Place::Query,
            "`{key|spaced}` in SQL has no encoder that keeps its value in place",
        ),
        (
            "sql:k = {key or fields.list|names}",
            Place::Query,
            "`{key or fields.list|names}` in SQL has no encoder that keeps its value in place",
        ),
        (
            "{key|guid}",
            Place::Path,
            "key|guid: it is not a GUID such as `6a9b6c1e-0000-4000-8000-000000000001`",
        ),
        (
            "{whole.breaking|guid}",
            Place::Path,
            "whole.breaking|guid: it is not a GUID such as `6a9b6c1e-0000-4000-8000-000000000001`",
        ),
        (
            "{whole.when|names}",
            Place::Query,
            "whole.when|names: `2026-11-22T10:00:00.5Z` is not a field's name: letters, digits, `_` and single dots",
        ),
        (
            "{fields.list|odata}",
            Place::Query,
            "fields.list|odata: it is a list or an object, and a single value is needed",
        ),
        (
            "{whole.lines|odata}",
            Place::Query,
            "whole.lines|odata: control characters cannot stand in an OData text",
        ),
    ] {
        assert_eq!(render(text, place).unwrap_err(), expected, "{text}");
    }
}

#[test]
fn what_cannot_stand_there_is_refused() {
    for (text, place, expected) in [
        ("{id}", Place::Path, "missing id"),
        ("{fields.n}", Place::Path, "missing fields.n"),
        ("{parameter.none}", Place::Path, "missing parameter.none"),
        ("{key|integer}", Place::Path, "key|integer: it is not a whole number"),
        (
            "{whole.email|word}",
            Place::Path,
            "whole.email|word: only letters, digits, `_` and single `-` can stand there",
        ),
        ("{fields.list}", Place::Path, "fields.list: it is a list or an object, and a text is needed"),
        ("{whole.email|ms}", Place::Json, "whole.email|ms: it is not a moment"),
        ("{key|from_one}", Place::Query, "key|from_one: it is not a whole number that has a next one"),
        ("{key|date_time_us}", Place::Json, "key|date_time_us: it is not a moment"),
        ("{whole.email", Place::Path, "a `{` without its `}`"),
        ("whole}", Place::Path, "a `}` without its `{`"),
        ("{since}", Place::Path, "there is no `{since}` here"),
        ("{key|shout}", Place::Path, "there is no encoder `shout`"),
        ("{key}", Place::Sql, "`{key}` in SQL has no encoder that keeps its value in place"),
    ] {
        assert_eq!(render(text, place).unwrap_err(), expected, "{text}");
    }
}

fn body(template: Value) -> Result<Value, Flaw> {
    let (parameters, values) = (BTreeMap::from([("n".to_owned(), json!(3))]), BTreeMap::new());
    let node = Node::parse(&template, &environment(&parameters, &values)).unwrap();
    let types = BTreeMap::from([
        ("amount".to_owned(), crate::typed::Typed::Decimal),
        ("when".to_owned(), crate::typed::Typed::Datetime),
    ]);
    let (write, paths) = (write(), vec!["x".to_owned()]);
    let mut out = Vec::new();
    node.write(&scope(&write, &paths, &types), &mut out)?;
    Ok(serde_json::from_slice(&out).unwrap())
}

#[test]
fn bodies_keep_types_spread_and_leave_out() {
    let fields = json!({"a": {"b": "x", "c": 2}, "n": null, "list": ["p", "q"]});
    for (template, expected) in [
        (json!("{fields}"), fields.clone()),
        (
            json!({"...": "{fields}", "n": "{key}"}),
            json!({"a": {"b": "x", "c": 2}, "n": "rec_1", "list": ["p", "q"]}),
        ),
        (json!({"...": "{fields}", "n?": null, "list?": null}), json!({"a": {"b": "x", "c": 2}})),
        (json!({"n": "{parameter.n}", "t": "v{parameter.n}"}), json!({"n": 3, "t": "v3"})),
        (json!({"gone?": "{id}", "null?": "{fields.n}", "kept": 1}), json!({"null": null, "kept": 1})),
        (json!({"...": "{known.none}", "b": true}), json!({"b": true})),
        (json!("{fields|texts}"), json!({"a": {"b": "x", "c": "2"}, "n": "", "list": "p;q"})),
        (json!(["{whole.amount|json_number}", "{fields.list}"]), json!([1250.5, ["p", "q"]])),
        (json!("{fields.a}"), json!({"b": "x", "c": 2})),
        (
            json!({"{object},{key}": 1, "{object} {whole.email}": 2, "of {id}?": 3, "b?": {"{id}": 4}, "c?": {"a": {"{key}": "{id}"}}}),
            json!({"things,rec_1": 1, "things  Ann@Example.test ": 2}),
        ),
        (
            json!({"s?": "{whole.email|not:x,y}", "t?": "{whole.email|only:x}"}),
            json!({"s": " Ann@Example.test "}),
        ),
        (
            json!({"...": "{whole|typed}", "quoted?": null, "guid?": null, "lines?": null, "breaking?": null, "relation?": null}),
            json!({
                "email": " Ann@Example.test ", "amount": {"__class__": "Decimal", "decimal": "1250.50"},
                "when": {"__class__": "datetime", "year": 2026, "month": 11, "day": 22, "hour": 10, "minute": 0,
                         "second": 0, "microsecond": 500_000}
            }),
        ),
    ] {
        assert_eq!(body(template.clone()).unwrap(), expected, "{template}");
    }
    assert_eq!(body(json!({"x": "{id}"})), Err(Flaw::Missing { slot: "id".into() }));
}

/// As trytond 8.0 gave `_timestamp` beside the moment itself, on SQLite.
#[test]
fn seconds_are_written_as_databases_do() {
    let (write, types) = (write(), BTreeMap::new());
    for (micros, digits, expected) in [
        (1_795_958_940_299_728_i64, "float", "1795958940.29973"),
        (1_795_958_940_299_728, "numeric", "1795958940.299728"),
        (1_795_958_940_300_000, "float", "1795958940.3"),
        (1_795_958_940_000_000, "float", "1795958940.0"),
        (1_795_958_940_000_001, "numeric", "1795958940.000001"),
    ] {
        let encoder = super::Encoder::parse(&format!("epoch:{digits}")).unwrap();
        let value = encoder.apply(std::borrow::Cow::Owned(json!(micros)), &scope(&write, &[], &types));
        assert_eq!(*value.unwrap().unwrap(), json!(expected), "{micros} {digits}");
    }
}

#[test]
fn a_value_between_quotes_needs_an_encoder() {
    for text in [
        "name = '{whole.email}'",
        "[[\"a\", \"=\", \"{whole.email}\"]]",
        "x='{key}' AND y LIKE '%{whole.email}%'",
        "things('{id}')",
        "guid'{id}'",
        "'{whole.email|lower}'",
        "'{whole.email|integer or id}'",
    ] {
        for place in [Place::Path, Place::Query, Place::Json] {
            let told = render(text, place).unwrap_err();
            assert!(told.contains("stands between quotes"), "{text}: {told}");
        }
    }
    for text in [
        // Behind them or without an end; of Concord's own, or held by an encoder; an apostrophe.
        "'a'{whole.email}'b'",
        "'{whole.email}",
        "{whole.email}' or '",
        "'{key}' '{intent}' '{object}' '{value.kind}'",
        "'{whole.guid|guid}' '{whole.when|ms}' '{whole.amount|json_number}' '{key|word}'",
        "it's {whole.email} and {whole.email}'s",
        "'{whole.email|text}'",
        "\"it's\" {whole.email}",
    ] {
        render(text, Place::Query).unwrap();
    }
    // One value in any case, and languages that say so have their own rule.
    render("\"{whole.email}\"", Place::Header).unwrap();
    assert!(render("odata:name eq '{whole.email}'", Place::Query).unwrap_err().contains("in OData"));
}
