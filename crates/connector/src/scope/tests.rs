//! What operations need, and how that is compared with what was granted.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::{Manifest, Response};

const MANIFEST: &str = r#"
connector: desk
version: "1.0.0"
about: A test.
auth: {default: {bearer: {secret: token}}}
parameters:
  lists: {about: whether lists are used, kind: text, default: ""}
scopes:
  given: Settings → API
  always: [api or full]
  covers: {full: ["*"], "write_*": ["read_*"]}
  beside: [openid]
  told: [api, full, "read_*"]
identity: {request: {method: GET, path: /me, scopes: [read_me]}, path: id, scopes: granted}
webhook:
  scheme: {none: "a test"}
  hint: true
  kind: kind
  object_id: id
  scopes: ["hooks_{object}"]
  rules: [{match: "*", object: people, seen: hint}]
objects:
  people:
    shape: {id: id}
    fetch: {request: {method: GET, path: "/people/{id}", scopes: ["read_{object}"]}}
    writes:
      put:
        for: [create]
        idempotency: {class: upsert}
        request: {method: PUT, path: "/people/{key}", json: "{fields}", scopes: ["write_{object}", "{parameter.lists}"]}
        probe:
          request: {method: GET, path: /people, query: {key: "{key}"}, scopes: ["read_{object}"]}
          answer: {id: id}
"#;

fn people() -> Object {
    Object::new("people").unwrap()
}

fn connector() -> Connector {
    let manifest = Manifest::parse("desk.yaml", MANIFEST).unwrap();
    manifest.with_parameters(&BTreeMap::new()).unwrap()
}

fn texts(found: &[Needed]) -> Vec<String> {
    found.iter().map(|one| format!("{}: {}", one.operation, one.words())).collect()
}

fn list(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn each_use_names_its_scopes_with_the_operation() {
    let (connector, people) = (connector(), people());
    assert_eq!(texts(&connector.needed(Use::Any)), ["every request: api or full"]);
    assert_eq!(texts(&connector.needed(Use::Identity)), ["identity: read_me"]);
    assert_eq!(texts(&connector.needed(Use::Webhook(&people))), ["webhook: hooks_people"]);
    assert_eq!(texts(&connector.needed(Use::Fetch(&people))), ["people/fetch: read_people"]);
    assert_eq!(texts(&connector.needed(Use::List(&people))), Vec::<String>::new());
    // The parameter is empty, and so names none.
    let writes = connector.needed(Use::Write(&people, "put"));
    assert_eq!(texts(&writes), ["people/put: write_people", "people/put.probe: read_people"]);
    let call = Call::Fetch { object: people, external_id: "1".to_owned() };
    assert_eq!(texts(&connector.needed_by(&call)), ["every request: api or full", "fetch: read_people"]);
}

#[test]
fn a_wider_scope_is_enough_and_told_as_wider() {
    let (connector, people) = (connector(), people());
    let needed = [connector.needed(Use::Any), connector.needed(Use::Fetch(&people))].concat();
    let missing = |granted: &[&str]| -> Vec<String> {
        let granted = list(granted);
        let missing: Vec<Needed> =
            needed.iter().filter(|one| !connector.is_granted(one, &granted)).cloned().collect();
        texts(&missing)
    };
    assert_eq!(missing(&["api", "read_people"]), Vec::<String>::new());
    assert_eq!(missing(&["full"]), Vec::<String>::new());
    assert_eq!(missing(&["api", "write_people"]), Vec::<String>::new());
    assert_eq!(missing(&["api", "write_places"]), ["people/fetch: read_people"]);
    assert_eq!(missing(&["openid"]), ["every request: api or full", "people/fetch: read_people"]);

    let known = [needed.clone(), connector.needed(Use::Write(&people, "put"))].concat();
    let surplus = |scope: &str, granted: &[&str]| connector.surplus(scope, &list(granted), &needed, &known);
    assert_eq!(surplus("api", &["api", "full"]), None);
    assert_eq!(surplus("openid", &["openid"]), None);
    assert_eq!(
        surplus("write_people", &["api", "write_people"]),
        Some(Surplus::Wider(list(&["read_people"])))
    );
    assert_eq!(surplus("write_people", &["api", "write_people", "read_people"]), Some(Surplus::Unused));
    assert_eq!(surplus("raed_people", &["raed_people"]), Some(Surplus::Unknown));
}

#[test]
fn only_what_the_vendor_would_tell_can_be_missed() {
    let connector = connector();
    let told: Vec<bool> = [Use::Any, Use::Fetch(&people()), Use::Write(&people(), "put")]
        .into_iter()
        .map(|of| connector.is_told(&connector.needed(of)[0]))
        .collect();
    assert_eq!(told, [true, true, false]);
}

#[test]
fn an_identity_may_tell_what_is_granted() {
    let connector = connector();
    let said = |body: serde_json::Value| {
        let response = Response { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() };
        connector.granted(&response)
    };
    assert_eq!(said(json!({"granted": "api read_me"})), Some(list(&["api", "read_me"])));
    assert_eq!(said(json!({"granted": ["api"]})), Some(list(&["api"])));
    assert_eq!(said(json!({"id": 1})), None);
}

#[test]
fn what_is_wrong_has_a_place_and_a_way_out() {
    let wrong = |from: &str, to: &str| -> Vec<String> {
        assert!(MANIFEST.contains(from), "{from}");
        let errors = Manifest::parse("desk.yaml", &MANIFEST.replacen(from, to, 1)).map(|_| ()).unwrap_err();
        errors.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        wrong("  given: Settings → API\n", "  gievn: x\n"),
        ["desk.yaml:9:3: unknown key `gievn`; did you mean `given`?"]
    );
    assert_eq!(
        wrong("hooks_{object}", "hooks_{objct}"),
        ["desk.yaml:20:12: there is no `{objct}` here; did you mean `object`?"]
    );
    assert_eq!(
        wrong("told: [api", "told: [\"*a*\""),
        ["desk.yaml:13:10: `*a*` has more than one `*`; write one name for each"]
    );
    assert_eq!(
        wrong("full: [\"*\"]", "full: [\"*_*\"]"),
        ["desk.yaml:9:3: scopes.covers: `*_*` has more than one `*`"]
    );
    let (start, rest) = MANIFEST.split_once("scopes:\n").unwrap();
    let (_, end) = rest.split_once("identity:").unwrap();
    let errors = Manifest::parse("desk.yaml", &format!("{start}identity:{end}")).map(|_| ()).unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "desk.yaml:8:55: a request needs scopes, and the manifest does not say where they are given; add `scopes: \
         {given: …}` beside `auth`: the vendor's menu, for whoever has to grant them"
    );
}
