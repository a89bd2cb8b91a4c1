//! Requests whose text no value can change, and errors inside a 200.

use std::collections::BTreeMap;

use canonical::{Object, Wall};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::tests::first_write;
use crate::{Call, Connector, Manifest, Response};

const MANIFEST: &str = r#"
connector: desk
version: "1.0.0"
about: A test.
auth: {default: {bearer: {secret: token}}}
errors:
  - {when: {body: {path: errors.0.extensions.code, in: [THROTTLED]}}, class: rate_limited, wait: {default: 2s}}
refusal: {code: [errors.0.extensions.code], message: [errors.0.message]}
objects:
  people:
    shape: {id: id}
    fetch:
      request:
        method: POST
        path: /graphql
        graphql: {query: "query ($id: ID!) { person(id: $id) { id } }", variables: {id: "{id}"}}
      at: data.person
    writes:
      put:
        for: [create]
        idempotency: {class: upsert}
        request:
          method: POST
          path: /graphql
          graphql:
            operation: Put
            query: |
              # $commented
              mutation Put($input: PersonInput!, $note: String) {
                put(input: $input, note: $note, fixed: "$no") { id }
              }
            variables: {input: {"...": "{fields}", ref: "{key}"}, "note?": "{fields.note}"}
        answer: {id: {path: data.put.id}}
"#;

fn connector() -> Connector {
    Manifest::parse("desk.yaml", MANIFEST).unwrap().with_parameters(&BTreeMap::new()).unwrap()
}

fn write_of(fields: Value) -> Call {
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    Call::Write(first_write("people", "put", 1, fields))
}

fn sent(fields: Value) -> Value {
    serde_json::from_slice(&connector().render(&write_of(fields)).unwrap().body).unwrap()
}

#[test]
fn values_stand_in_variables_alone() {
    let body = sent(json!({"name": "Ann"}));
    assert_eq!(body["operationName"], json!("Put"));
    assert_eq!(body["variables"], json!({"input": {"name": "Ann", "ref": "rec_1"}}));
    assert!(body["query"].as_str().unwrap().starts_with("# $commented\nmutation Put("));
    let fetch = Call::Fetch { object: Object::new("people").unwrap(), external_id: "7\") { x }".to_owned() };
    let body: Value = serde_json::from_slice(&connector().render(&fetch).unwrap().body).unwrap();
    assert_eq!(
        body,
        json!({
            "query": "query ($id: ID!) { person(id: $id) { id } }", "variables": {"id": "7\") { x }"}
        })
    );
}

proptest! {
    /// Whatever a value holds, the text is the manifest's, and the value is itself.
    #[test]
    fn no_value_breaks_out(name in any::<String>(), note in "[\"\\\\{}$()#\n a]{1,30}") {
        let body = sent(json!({"name": name, "note": note}));
        let still = sent(json!({"name": "x", "note": "y"}));
        prop_assert_eq!(&body["query"], &still["query"]);
        prop_assert_eq!(body["variables"]["input"]["name"].as_str(), Some(name.as_str()));
        prop_assert_eq!(body["variables"]["note"].as_str(), Some(note.as_str()));
        prop_assert_eq!(body.as_object().unwrap().len(), 3);
    }

    /// Any text has variables or none.
    #[test]
    fn reading_a_text_is_total(text in "[\"\\\\{}$()#\n a-c_é]{0,60}") {
        drop((variables(&text), slot(&text)));
    }
}

#[test]
fn errors_inside_a_success_are_none() {
    let connector = connector();
    let write = write_of(json!({"name": "Ann"}));
    let fetch = Call::Fetch { object: Object::new("people").unwrap(), external_id: "7".to_owned() };
    let class = |call: &Call, body: Value| {
        let answer = Ok(Response { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() });
        connector.classify(call, &answer, Wall(0)).class
    };
    let fine = json!({"data": {"put": {"id": "7"}}});
    assert_eq!(class(&write, fine.clone()), Class::Applied);
    assert_eq!(class(&write, json!({"data": {"put": {"id": "7"}}, "errors": []})), Class::Applied);
    // A rule that matches comes first.
    let throttled = json!({"errors": [{"message": "no", "extensions": {"code": "THROTTLED"}}]});
    assert_eq!(class(&write, throttled), Class::RateLimited);
    let failed = json!([{"message": "no"}]);
    assert_eq!(class(&write, json!({"errors": failed})), Class::Validation);
    // With `data`, even of null, it had begun.
    for data in [json!(null), json!({"put": null}), fine["data"].clone()] {
        assert_eq!(class(&write, json!({"data": data, "errors": failed})), Class::Uncertain);
        assert_eq!(class(&fetch, json!({"data": data, "errors": failed})), Class::Retryable);
    }
    // An answer that says nothing of what it made is no success either.
    assert_eq!(class(&write, json!({"data": {"put": null}})), Class::Uncertain);
}

#[test]
fn variables_are_found_where_they_are_used() {
    for (text, found) in [
        ("query ($a: Int) { x(a: $a) }", "a"),
        ("{ x(a: \"$b\", c: \"\\\"$d\", e: \"\"\"$f \" $g\"\"\", h: $i) } # $j\n $k", "i k"),
        ("{ x(a: \"$b", ""),
        ("$ $é $_1", "_1"),
    ] {
        assert_eq!(variables(text).into_iter().collect::<Vec<_>>().join(" "), found, "{text}");
    }
}

#[test]
fn what_would_be_a_slot_elsewhere_is_found() {
    for (text, found) in [
        ("{ x(a: \"{fields.email}\") { id } }", Some("fields.email")),
        ("{ x(a: \"\"\"say {key}\"\"\") { id } }", Some("key")),
        ("{ x(a: {fields.email|text}) { id } }", Some("fields.email|text")),
        ("{ x(a: { whole.email }) { id } }", Some(" whole.email ")),
        // Selections, objects, comments and braces that mean nothing here.
        ("query ($id: ID!){node(id: $id){id}}", None),
        ("{ x { key value fields { id } ...F } }", None),
        ("{ x(a: {fields: [\"a\"], key: 1.5}) {id} }", None),
        ("{x{...key}}", None),
        ("# {fields.email}\n{ x }", None),
        ("{ x(a: \"{name}\") }", None),
        ("{ x(a: \"{", None),
    ] {
        assert_eq!(slot(text).as_deref(), found, "{text}");
    }
}

#[test]
fn what_is_wrong_has_a_place_and_a_way_out() {
    let wrong = |from: &str, to: &str| -> Vec<String> {
        assert!(MANIFEST.contains(from), "{from}");
        let errors = Manifest::parse("desk.yaml", &MANIFEST.replacen(from, to, 1)).map(|_| ()).unwrap_err();
        errors.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        wrong("variables: {id: \"{id}\"}", "variables: {idd: \"{id}\"}"),
        ["desk.yaml:16:26: the text uses the variable `$id`, which is not given; did you mean `idd`?"]
    );
    assert_eq!(
        wrong("person(id: $id)", "person(id: $id, name: \\\"{id}\\\")"),
        [
            "desk.yaml:16:26: the text holds `{id}`, and is sent as it stands: no value gets into it; write `$name` there, and \
             give `variables: {name: \"{id}\"}`"
        ]
    );
    assert_eq!(
        wrong("\"note?\":", "more: 1, \"note?\":"),
        [
            "desk.yaml:26:13: the variable `more` is given, and the text does not use it; use it as `$more`, or remove it"
        ]
    );
    assert_eq!(
        wrong("query: \"query ($id", "query: \"qeury ($id"),
        ["desk.yaml:16:26: the text begins with no operation; write `query`, `mutation` or `{`"]
    );
    assert_eq!(
        wrong(
            "method: POST\n        path: /graphql\n        graphql",
            "method: GET\n        path: /graphql\n        graphql"
        ),
        ["desk.yaml:16:18: a GET has no body; put the values into `query`"]
    );
    assert_eq!(
        wrong("operation: Put", "operaton: Put"),
        ["desk.yaml:26:13: unknown key `operaton`; did you mean `operation`?"]
    );
}
