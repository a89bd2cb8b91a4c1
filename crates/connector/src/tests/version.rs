//! Opaque versions: where they are read, how they are sent, and what a manifest cannot say of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use canonical::{Object, Wall};
use ledger::{Class, Outcome};
use serde_json::json;

use crate::{Call, Connector, Manifest, Response, Write};

const SHELF: &str = r#"
connector: shelf
version: '1'
about: a shelf
objects:
  books:
    shape: {id: id, version: {header: ETag}}
    fetch: {request: {method: GET, path: "/books/{id}"}}
    writes:
      add:
        for: [create]
        idempotency: {class: none}
        request: {method: POST, path: /books, json: {"...": "{fields}", key: "{key}"}}
        answer: {id: {path: id}, version: {header: etag}}
        probe:
          request: {method: GET, path: /books, query: {key: "{key}"}}
          answer: {found: items, id: id, version: {path: rev}}
      change:
        for: [update]
        idempotency: {class: none}
        request: {method: PUT, path: "/books/{id}", headers: {if-match: "{version}"}, json: "{fields}"}
        answer: {version: {path: rev}}
      mark:
        for: [notify]
        idempotency: {class: none}
        request: {method: POST, path: "/books/{id}/mark", headers: {"if-match?": "{version}"}}
"#;

fn shelf() -> Connector {
    Manifest::parse("shelf", SHELF).unwrap().with_parameters(&BTreeMap::new()).unwrap()
}

fn write(operation: &str, version: Option<&str>) -> Write {
    Write {
        object: Object::new("books").unwrap(),
        operation: operation.to_owned(),
        key: "rec_1".to_owned(),
        external_id: Some("7".to_owned()),
        fields: Arc::new(json!({"title": "Emma"}).as_object().cloned().unwrap()),
        whole: Arc::default(),
        known: Arc::default(),
        expected: None,
        version: version.map(str::to_owned),
        association: None,
        intent: "int_1".to_owned(),
    }
}

fn answer(status: u16, etag: &str, body: &serde_json::Value) -> Response {
    let headers = vec![("etag".to_owned(), etag.to_owned())];
    Response { status, headers, body: body.to_string().into_bytes() }
}

fn classified(call: &Call, response: Response) -> Outcome {
    shelf().classify(call, &Ok(response), Wall(0))
}

#[test]
fn a_version_is_read_where_the_manifest_says() {
    let fetch = Call::Fetch { object: Object::new("books").unwrap(), external_id: "7".to_owned() };
    let read = |etag: &str| {
        shelf().read_object(&fetch, &answer(200, etag, &json!({"id": 7}))).unwrap().unwrap().version
    };
    assert_eq!(read("W/\"a\"").as_deref(), Some("W/\"a\""));
    assert_eq!(read(""), None);
    assert_eq!(read(&"x".repeat(1025)), None, "no version is that long");

    let made = classified(&Call::Write(write("add", None)), answer(201, "\"b\"", &json!({"id": 7})));
    assert_eq!((made.class, made.version.as_deref()), (Class::Applied, Some("\"b\"")));
    let found = json!({"items": [{"id": 7, "rev": 12}]});
    let found = classified(&Call::Probe(write("add", None)), answer(200, "\"of the list\"", &found));
    assert_eq!((found.class, found.version.as_deref()), (Class::Applied, Some("12")));
    let changed = classified(&Call::Write(write("change", Some("x"))), answer(200, "", &json!({"rev": "c"})));
    assert_eq!(changed.version.as_deref(), Some("c"));
}

#[test]
fn a_version_is_sent_as_it_was_shown_and_a_stale_one_is_a_conflict() {
    let connector = shelf();
    let call = Call::Write(write("change", Some("W/\"a\"")));
    let request = connector.render(&call).unwrap();
    assert!(request.headers.contains(&("if-match".to_owned(), "W/\"a\"".to_owned())), "{request:?}");
    assert_eq!(classified(&call, answer(412, "", &json!({}))).class, Class::Conflict);

    let missing = connector.render(&Call::Write(write("change", None))).unwrap_err().to_string();
    assert!(missing.contains("version"), "{missing}");
    let without = connector.render(&Call::Write(write("mark", None))).unwrap();
    assert!(without.headers.iter().all(|(name, _)| name != "if-match"));

    let books = Object::new("books").unwrap();
    let versioned = |name: &str| connector.operation(name, &books).unwrap().versioned;
    assert_eq!((versioned("add"), versioned("change"), versioned("mark")), (false, true, true));
    let bad = connector.render(&Call::Write(write("change", Some("a\r\nx: y"))));
    assert!(bad.is_err(), "nothing breaks out of the header");
}

#[test]
fn a_version_that_comes_from_nowhere_is_told() {
    let refused = |from: &str, to: &str| {
        assert!(SHELF.contains(from));
        let errors = Manifest::parse("shelf", &SHELF.replace(from, to)).err().unwrap_or_default();
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let said = refused(", version: {header: ETag}}\n    fetch", "}\n    fetch");
    assert!(
        said.contains("`change` sends `{version}`, and the shape does not say where it stands"),
        "{said}"
    );
    assert!(said.starts_with("shelf:"), "{said}");
    let said = refused("    fetch: {request: {method: GET, path: \"/books/{id}\"}}\n", "");
    assert!(said.contains("header `ETag` is read with `fetch`, and there is none"), "{said}");
    let said = refused("version: {header: ETag}", "version: {haeder: ETag}");
    assert!(said.contains("header"), "{said}");
    let said = refused("\"{version}\"", "\"{verison}\"");
    assert!(said.contains("did you mean `version`?"), "{said}");
    let batch = "answer: {version: {path: rev}}\n        batch: {records_max: 9, request: {method: PUT, path: /books, json: {all: \"{records}\"}}, record: {id: \"{id}\", rev: \"{version}\"}, results: done, correlate: position, answer: {id: {path: id}, version: {header: etag}}}";
    let said = refused("answer: {version: {path: rev}}", batch);
    assert!(said.contains("header `etag` cannot be the version of each record in a batch"), "{said}");
}
