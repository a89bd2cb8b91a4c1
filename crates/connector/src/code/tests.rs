//! A manifest with code of the binary.

use std::collections::BTreeMap;

use canonical::{Object, Wall};
use serde_json::json;

use super::*;
use crate::tests::first_write;
use crate::{Call, Connector, Credential, Manifest, Response};

/// Bodies are sent and answered backwards.
#[derive(Debug)]
struct Turned;

impl Code for Turned {
    fn name(&self) -> &'static str {
        "turned"
    }

    fn request(&self, mut request: Request) -> Result<Request, String> {
        if request.body.len() > 100 {
            return Err("it is too long to be turned".to_owned());
        }
        request.body.reverse();
        Ok(Request { operation: "other".to_owned(), credential: Credential::Anonymous, cost: 99, ..request })
    }

    fn document(&self, raw: &[u8]) -> Option<Result<Value, String>> {
        let turned: Vec<u8> = raw.iter().rev().copied().collect();
        Some(serde_json::from_slice(&turned).map_err(|_| "it does not read backwards".to_owned()))
    }
}

const MANIFEST: &str = r#"
connector: desk
version: "1.0.0"
about: A test.
code: turned
auth: {default: {bearer: {secret: token}}}
errors:
  - {when: {body: {path: code, in: [BUSY]}}, class: rate_limited}
objects:
  people:
    shape: {id: id}
    fetch: {request: {method: GET, path: "/people/{id}"}}
    writes:
      put:
        for: [create]
        idempotency: {class: upsert}
        request: {method: PUT, path: "/people/{key}", json: "{fields}"}
        answer: {id: {path: id}}
"#;

fn refusal(manifest: &str) -> String {
    Manifest::parse("desk.yaml", manifest).unwrap_err().remove(0).to_string()
}

fn write(name: &str) -> Call {
    Call::Write(first_write("people", "put", 1, json!({ "name": name }).as_object().unwrap().clone()))
}

fn answer(connector: &Connector, status: u16, body: &str) -> ledger::Outcome {
    let response = Response { status, headers: Vec::new(), body: body.bytes().rev().collect() };
    connector.classify(&write("Ann"), &Ok(response), Wall(0))
}

/// Whoever runs these in one process says the same again.
fn provided() {
    let _again = provide(&[&Turned]);
}

#[test]
fn what_it_makes_of_requests_and_bodies_is_what_counts() {
    provided();
    let connector =
        Manifest::parse("desk.yaml", MANIFEST).unwrap().with_parameters(&BTreeMap::new()).unwrap();
    let request = connector.render(&write("Ann")).unwrap();
    assert_eq!(request.body, br#"}"nnA":"eman"{"#);
    // Limits, breaker and credential are none of its business.
    assert_eq!((request.operation.as_str(), request.cost), ("put", 1));
    assert_eq!(request.credential, Credential::Connection);
    let refused = connector.render(&write(&"n".repeat(100))).unwrap_err().to_string();
    assert!(refused.contains("`turned`") && refused.contains("it is too long to be turned"), "{refused}");

    let applied = answer(&connector, 200, r#"{"id":"7"}"#);
    assert_eq!((applied.class.name(), applied.external_id.as_deref()), ("applied", Some("7")));
    assert_eq!(answer(&connector, 500, r#"{"code":"BUSY"}"#).class.name(), "rate_limited");
    assert_eq!(answer(&connector, 200, "7").class.name(), "uncertain");
    let fetch = Call::Fetch { object: Object::new("people").unwrap(), external_id: "7".to_owned() };
    let read = |body: &[u8]| {
        connector.read_object(&fetch, &Response { status: 200, headers: Vec::new(), body: body.to_vec() })
    };
    assert_eq!(read(br#"}"7":"di"{"#).unwrap().unwrap().external_id, "7");
    assert!(read(br#"{"id":"7"}"#).unwrap_err().to_string().contains("it does not read backwards"));
}

#[test]
fn what_the_binary_does_not_hold_has_its_place() {
    provided();
    let unknown = refusal(&MANIFEST.replace("code: turned", "code: turnd"));
    assert!(unknown.contains("desk.yaml:5:7"), "{unknown}");
    assert!(unknown.contains("no code `turnd`") && unknown.contains("did you mean `turned`?"), "{unknown}");
    let batch = "        batch:\n          records_max: 10\n          request: {method: POST, path: /all, json: {all: \"{records}\"}}\n          \
                 record: \"{fields}\"\n          results: all\n          correlate: position\n          answer: {id: {path: id}}\n";
    let batched = refusal(&format!("{MANIFEST}{batch}"));
    assert!(batched.contains("has `code`, and an operation of it a `batch`"), "{batched}");
}
