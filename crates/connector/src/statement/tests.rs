//! Names and values in statements: names are quoted, values stay outside, and what is written otherwise is refused.

use crate::tests::first_write;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{Call, Connector, Manifest};

/// A manifest with this request, for objects with constants of their own.
fn manifest(request: &str) -> Result<Manifest, Vec<String>> {
    let yaml = format!(
        "connector: base
version: \"1\"
about: A database.
parameters: {{tables: {{about: Tables., kind: constants, required: true}}}}
kinds:
  row:
    values: {{table: things, mark: \"\", id: id}}
    shape: {{id: \"{{value.id}}\", deleted: {{path: \"{{value.mark}}\"}}}}
    paths_always: [\"{{value.id}}\", \"{{value.mark}}\"]
    writes:
      put: {{for: [create], idempotency: {{class: upsert}}, request: {request}}}
      hide: {{for: [archive], with: [mark], idempotency: {{class: upsert}}, request: {request}}}
      keep: {{for: [delete], without: [mark], idempotency: {{class: upsert}}, request: {request}}}
more_objects: {{parameter: tables, kind: row}}
"
    );
    let told = |errors: Vec<crate::ManifestError>| -> Vec<String> {
        errors.into_iter().map(|error| error.what).collect()
    };
    let manifest = Manifest::parse("base", &yaml).map_err(told)?;
    bound(&manifest, &json!({"things": {}})).map_err(told)?;
    Ok(manifest)
}

fn bound(manifest: &Manifest, tables: &Value) -> Result<Connector, Vec<crate::ManifestError>> {
    manifest.with_parameters(&BTreeMap::from([("tables".to_owned(), tables.clone())]))
}

fn rendered(connector: &Connector, object: &str, fields: &Value) -> Result<Value, String> {
    let write = first_write(object, "put", 1, fields.as_object().unwrap().clone());
    let request = connector.render(&Call::Write(write)).map_err(|error| error.to_string())?;
    assert_eq!((request.method.as_str(), request.path.as_str(), request.headers.len()), ("SQL", "/", 0));
    Ok(serde_json::from_slice(&request.body).unwrap())
}

const PUT: &str = r#"{sql: {statement: "PUT {value.table|identifier} ({fields|each:@ = r.@}{value.mark|each:, @}) $1 $2",
  binds: [{type: json, value: "{fields}"}, {type: any, value: "{id}", optional: true}]}}"#;

#[test]
fn names_are_quoted_and_values_stay_outside() {
    let manifest = manifest(PUT).unwrap();
    let tables = json!({"things": {}, "odd": {"table": "o\"dd; --", "mark": "gone at"}});
    let connector = bound(&manifest, &tables).unwrap();
    let evil = "'; DROP TABLE x; -- $1 \" {key}";
    assert_eq!(
        rendered(&connector, "things", &json!({"a": evil, "b\" = 1; --": null})).unwrap(),
        json!({
            "statement": "PUT \"things\" (\"a\" = r.\"a\", \"b\"\" = 1; --\" = r.\"b\"\" = 1; --\") $1 $2",
            "binds": [{"type": "json", "value": {"a": evil, "b\" = 1; --": null}}, {"type": "any", "value": null}],
        })
    );
    let odd = rendered(&connector, "odd", &json!({"a": 1})).unwrap();
    assert_eq!(odd["statement"], "PUT \"o\"\"dd; --\" (\"a\" = r.\"a\", \"gone at\") $1 $2");
}

#[test]
fn what_cannot_be_a_column_is_refused() {
    let manifest = manifest(PUT).unwrap();
    let connector = bound(&manifest, &json!({"things": {}})).unwrap();
    for (fields, why) in [
        (json!({}), "has no value"),
        (json!({"address.city": "x"}), "written in parts"),
        (json!({"a\u{0}b": 1}), "null character"),
        (json!({"x".repeat(64): 1}), "63 bytes"),
        (json!({"\u{e4}".repeat(32): 1}), "63 bytes"),
    ] {
        let said = rendered(&connector, "things", &fields).unwrap_err();
        let missing = said.contains("fields|each") || said.contains(why);
        assert!(missing && (fields == json!({}) || said.contains(why)), "{said}");
    }
}

#[test]
fn objects_have_constants_of_their_own() {
    let manifest = manifest(PUT).unwrap();
    let connector = bound(&manifest, &json!({"things": {}, "odd": {"mark": "gone"}})).unwrap();
    let chosen = |object: &str, exit: &str| {
        let object = canonical::Object::new(object).unwrap();
        connector.choose(&object, true, Some(exit)).map(|spec| spec.name.to_string())
    };
    assert_eq!((chosen("things", "archive"), chosen("things", "delete")), (None, Some("keep".to_owned())));
    assert_eq!((chosen("odd", "archive"), chosen("odd", "delete")), (Some("hide".to_owned()), None));
    assert!(connector.asks_database());
    for (tables, what) in [
        (json!({"things": {"tabel": "x"}}), "`things` has no setting `tabel`"),
        (json!({"things": {"kind": "rows"}}), "there is no kind `rows`"),
        (json!({"things": "x"}), "must be a table of tables"),
        (json!({"things": {"id": 1}}), "must be a table of tables"),
    ] {
        let errors = bound(&manifest, &tables).unwrap_err();
        assert!(errors.iter().any(|error| error.what.contains(what)), "{errors:?}");
    }
}

#[test]
fn values_in_the_text_are_mistakes() {
    for (request, what) in [
        (r#"{sql: {statement: "SELECT {key}"}}"#, "`{key}` in a statement has no encoder"),
        (r#"{sql: {statement: "SELECT {key|sql}"}}"#, "`{key|sql}` in a statement has no encoder"),
        (r#"{sql: {statement: "SELECT {fields.a|integer}"}}"#, "has no encoder"),
        // Not even what the system itself sets.
        (r#"{sql: {statement: "SELECT {value.table}"}}"#, "`{value.table}` in a statement has no encoder"),
        (r#"{sql: {statement: "SELECT {object}"}}"#, "`{object}` in a statement has no encoder"),
        (r#"{sql: {statement: "SELECT {fields|each:x}"}}"#, "there is no encoder `each:x`"),
        (r#"{sql: {statement: "SELECT $1"}}"#, "names 1 values (`$1`, …), and 0 are bound"),
        (r#"{sql: {statement: "SELECT 1", binds: [{type: text, value: "{key}"}]}}"#, "names 0 values"),
        (r#"{method: POST, path: /x, sql: {statement: "SELECT 1"}}"#, "a statement is the whole request"),
        (r#"{sql: {statement: "SELECT 1"}, json: {}}"#, "a statement is the whole request"),
        ("{method: GET}", "a request without `method` or `path`"),
        ("{path: /x}", "a request without `method` or `path`"),
        (
            r#"{method: POST, path: /x, json: {a: "{fields|each:@}", b: "sql:{key|identifier}"}}"#,
            "has no encoder",
        ),
    ] {
        let errors = manifest(request).unwrap_err();
        assert!(errors.iter().any(|error| error.contains(what)), "{request}: {errors:?}");
    }
}
