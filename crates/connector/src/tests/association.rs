//! Associations: what a manifest must say of them, what is sent, and what reads show.

use std::collections::BTreeMap;

use canonical::Object;
use serde_json::{Value, json};

use crate::{Call, Connector, Manifest, Response, Seen, Write};

const SOUND: &str = "\
connector: toy
version: '1'
about: a toy
auth:
  default: {bearer: {secret: token}}
errors:
  - {when: {status: [409]}, class: conflict}
objects:
  people:
    shape: {id: id, fields: data}
    fetch: {request: {method: GET, path: '/people/{id}', query: {'with?': '{associations|comma}', 'fields?': '{paths|comma}'}}}
    associations:
      links.firm: {to: firms, seen: {at: links.firms, id: ref}}
      tag: {to: tags, moving: replaced, seen: {at: tags}}
    writes:
      make:
        for: [create]
        idempotency: {class: upsert}
        request: {method: PUT, path: '/people/{key}', json: '{fields}'}
        answer: {id: {path: id}}
      change:
        for: [update]
        idempotency: {class: upsert}
        request: {method: PUT, path: '/people/by-id/{id}', json: '{fields}'}
      join:
        for: [associate]
        idempotency: {class: upsert}
        request: {method: POST, path: '/people/{id}/{to}', json: {ref: '{other}'}}
      part:
        for: [dissociate]
        idempotency: {class: upsert}
        request: {method: DELETE, path: '/people/{id}/{to}/{other}'}
";

fn object(name: &str) -> Object {
    Object::new(name).unwrap()
}

fn bound(paths: &[&str]) -> Connector {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let paths: BTreeMap<Object, Vec<String>> = [(object("people"), paths)].into();
    Manifest::parse("toy.yaml", SOUND).unwrap().bind(&BTreeMap::new(), &paths).unwrap()
}

#[track_caller]
fn told(from: &str, to: &str, expected: &str) {
    assert!(SOUND.contains(from), "{from}");
    let errors = Manifest::parse("toy.yaml", &SOUND.replacen(from, to, 1)).map(|_| ()).unwrap_err();
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors, [expected], "{to}");
}

#[test]
fn one_association_goes_in_a_call_that_says_both_ends() {
    let connector = bound(&[]);
    let sent = |operation: &str, path: &str, other: &str| {
        let association = connector.association_by(&object("people"), operation, path, other).unwrap();
        let write = Write {
            external_id: Some("7".to_owned()),
            association: Some(association.into()),
            ..super::first_write("people", operation, 1, canonical::Fields::new())
        };
        let request = connector.render(&Call::Write(write)).unwrap();
        (format!("{} {}", request.method, request.path), String::from_utf8(request.body).unwrap())
    };
    assert_eq!(
        sent("join", "links.firm", "a/b"),
        ("POST /people/7/firms".to_owned(), r#"{"ref":"a/b"}"#.to_owned())
    );
    assert_eq!(sent("part", "tag", "a/b"), ("DELETE /people/7/tags/a%2Fb".to_owned(), String::new()));
    let refused = connector.association_by(&object("people"), "join", "links.firms", "1").unwrap_err();
    assert_eq!(refused, "`join` of `people` has no association `links.firms`; did you mean `links.firm`?");
    let refused = connector.association_by(&object("people"), "change", "tag", "1").unwrap_err();
    assert_eq!(refused, "`change` of `people` is about no association");
    let write = super::first_write("people", "join", 1, canonical::Fields::new());
    let write = Write { external_id: Some("7".to_owned()), ..write };
    assert!(connector.render(&Call::Write(write)).is_err(), "nobody says with whom");
}

/// Only what is mapped is asked for; one is the value, none is null, several say nothing.
#[test]
fn a_read_shows_what_is_mapped_and_certain() {
    let fetch = Call::Fetch { object: object("people"), external_id: "7".to_owned() };
    let read = |connector: &Connector, body: Value| {
        let response = Response { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() };
        match connector.read_object(&fetch, &response).unwrap().unwrap().seen {
            Seen::State { fields } => Value::Object(fields),
            other => panic!("{other:?}"),
        }
    };
    let both = bound(&["name", "links.firm", "tag"]);
    assert_eq!(both.render(&fetch).unwrap().path, "/people/7?fields=name&with=firms%2Ctags");
    let body =
        |links: Value, tags: Value| json!({"id": "7", "data": {"name": "Ann"}, "links": links, "tags": tags});
    for (links, tags, firm, tag) in [
        (json!(null), json!([]), Some(json!(null)), Some(json!(null))),
        (json!({"firms": [{"ref": 9}, {"ref": "9"}]}), json!(["x"]), Some(json!("9")), Some(json!("x"))),
        (json!({"firms": [{"ref": "9"}, {"ref": "8"}]}), json!(["x", "y"]), None, None),
        // What can't be told says nothing.
        (json!({"firms": [{"id": "9"}]}), json!("x"), None, None),
    ] {
        let mut expected = json!({"name": "Ann"});
        if let Some(firm) = firm {
            expected["links"] = json!({"firm": firm});
        }
        if let Some(tag) = tag {
            expected["tag"] = tag;
        }
        assert_eq!(read(&both, body(links, tags)), expected);
    }
    let none = bound(&["name"]);
    assert_eq!(none.render(&fetch).unwrap().path, "/people/7?fields=name");
    assert_eq!(read(&none, body(json!({"firms": [{"ref": "9"}]}), json!(["x"]))), json!({"name": "Ann"}));
}

#[test]
fn what_could_not_be_kept_is_refused() {
    told(
        "for: [dissociate]\n        idempotency: {class: upsert}",
        "for: [dissociate]\n        idempotency: {class: none}",
        "toy.yaml:31:30: `part` is about associations, and not `upsert`; it is sent again when its answer is lost: associations can \
         be declared where that changes nothing more",
    );
    told(
        "path: '/people/{id}/{to}/{other}'",
        "path: '/people/{id}/{to}'",
        "toy.yaml:32:41: `part` does not say with which other one it was associated; put `{other}` into its path or body",
    );
    told(
        "path: '/people/{id}/{to}', json",
        "path: '/people/{key}/{to}', json",
        "toy.yaml:28:39: `join` does not say which object it is about; put `{id}` into its path or body",
    );
    told(
        "        answer: {id: {path: id}}\n",
        "",
        "toy.yaml:13:24: objects.people: `make` makes it and answers no id, so that `links.firm` could not follow; say where its \
         answer names it (`answer: {id: …}`, in its `batch` too)",
    );
    told(
        "for: [dissociate]",
        "for: [dissociate]\n        associations: [tag]",
        "toy.yaml:13:24: objects.people: nothing takes it back, the association `links.firm`; add an operation `for: [dissociate]`; \
         or say where it is `seen`, where it is only read",
    );
    told(
        "for: [associate]",
        "for: [associate]\n        associations: [links.firm, tag, tga]",
        "toy.yaml:27:41: `join`: there is no association `tga`; did you mean `tag`?",
    );
    told(
        "json: {ref: '{other}'}}",
        "json: {ref: '{other}'}}\n        answer: {id: {path: id}}",
        "toy.yaml:28:39: `join` is about associations, and has `answer.id`; leave it out: one association goes in a call, and its \
         answer says nothing of the object itself",
    );
    told(
        "for: [update]",
        "for: [update]\n        associations: [tag]",
        "toy.yaml:23:24: `change` names associations, and is for none; leave them out, or say `for: [associate]` or `for: \
         [dissociate]`",
    );
}
