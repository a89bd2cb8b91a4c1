//! What `check` refuses because it cannot work, or cannot keep what its class promises.

use std::collections::BTreeMap;
use std::sync::Arc;

use canonical::Fields;
use serde_json::{Value, json};

use crate::{Call, Manifest, Write};

const SOUND: &str = "\
connector: toy
version: '1'
about: a toy
auth:
  default: {bearer: {secret: token}}
errors:
  - {when: {status: [409], body: {path: code, in: [a, b]}}, class: conflict}
  - {when: {status: [404]}, class: not_found}
objects:
  things:
    shape: {id: id}
    fetch: {request: {method: GET, path: '/things/{id}'}}
    poll:
      every: 30s
      request: {method: GET, path: /things, query: {since: '{since|rfc3339}', 'page?': '{page}'}}
      mark: {path: at}
      sorting: ascending
      page: {token: next}
      size: 50
    writes:
      make:
        for: [create]
        idempotency: {class: native_key, ttl_s: 86400}
        request: {method: POST, path: /things, headers: {idempotency-key: '{intent}'}, json: {ref: '{key}', a: '{fields}'}}
        probe:
          request: {method: GET, path: /things, query: {ref: '{key}'}}
          answer: {found: list, id: id}
      change:
        for: [update]
        idempotency: {class: upsert}
        request: {method: PUT, path: '/things/{id}', json: '{fields}'}
";

#[track_caller]
fn told(from: &str, to: &str, expected: &str) {
    assert!(SOUND.contains(from), "{from}");
    let errors = Manifest::parse("toy.yaml", &SOUND.replacen(from, to, 1)).map(|_| ()).unwrap_err();
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors, [expected], "{to}");
}

#[test]
fn the_sound_one_is_sound() {
    Manifest::parse("toy.yaml", SOUND).unwrap();
}

#[test]
fn a_class_whose_promise_the_request_cannot_keep() {
    told(
        ", headers: {idempotency-key: '{intent}'}, json: {ref: '{key}', a: '{fields}'}}\n        probe:\n          request: {method: GET, path: /things, query: {ref: '{key}'}}\n          answer: {found: list, id: id}",
        ", json: {ref: '{key}', a: '{fields}'}}",
        "toy.yaml:23:30: `make` is `native_key` and sends no key; put `{intent}` where the vendor takes it, such as `headers: \
         {idempotency-key: \"{intent}\"}`, or choose another class",
    );
    told(
        "ttl_s: 86400",
        "ttl_s: 0",
        "toy.yaml:23:49: `make`: a key that lives for no time is none; say for how many seconds the vendor \
         keeps a key, such as `ttl_s: 86400`",
    );
    told(
        "{class: native_key, ttl_s: 86400}\n        request: {method: POST, path: /things, headers: {idempotency-key: '{intent}'}, json: {ref: '{key}', a: '{fields}'}}\n        probe:\n          request: {method: GET, path: /things, query: {ref: '{key}'}}\n          answer: {found: list, id: id}",
        "{class: upsert}\n        request: {method: POST, path: /things, json: '{fields}'}",
        "toy.yaml:23:30: `make` is `upsert`, and nothing in it names the object that it makes; put `{key}` or a `{fields.NAME}` into \
         the path, the query or a key of its own, where the vendor tells objects apart; or choose another class",
    );
    for class in ["native_key, ttl_s: 86400", "search_first, index_lag_ms: 0"] {
        let from = "native_key, ttl_s: 86400";
        let yaml = SOUND.replacen(from, class, 1);
        for (from, to, expected) in [
            (
                "query: {ref: '{key}'}",
                "query: {ref: x}",
                "toy.yaml:26:40: the probe of `make` does not look for the record; search for `{key}`, where the write leaves it, for \
                 a `{fields.NAME}`, or for the object's `{id}`",
            ),
            (
                "ref: '{key}', ",
                "",
                "toy.yaml:26:40: the probe of `make` looks for `{key}`, which `make` writes nowhere; put `{key}` into a field of the \
                 request, such as `concord_id: \"{key}\"`, and look there",
            ),
        ] {
            let errors = Manifest::parse("toy.yaml", &yaml.replacen(from, to, 1)).map(|_| ()).unwrap_err();
            assert_eq!(
                errors.iter().map(ToString::to_string).collect::<Vec<_>>(),
                [expected],
                "{class} {to}"
            );
        }
    }
}

#[test]
fn a_call_that_does_not_say_what_it_is_about() {
    told(
        "path: '/things/{id}', json: '{fields}'",
        "path: /things, json: '{fields}'",
        "toy.yaml:31:38: `change` is for `update`, and does not say for which object; put `{id}`, the vendor's id, or `{key}` into \
         its path or body",
    );
    told(
        "json: '{fields}'}",
        "json: {a: b}}",
        "toy.yaml:31:38: `change` writes nothing of the record; put `{fields}` into its body, or single ones, `{fields.NAME}`",
    );
    told(
        "path: '/things/{id}'}",
        "path: /things}",
        "toy.yaml:12:42: objects.things.fetch does not say which object it reads; put `{id}` into its path or query",
    );
    told(
        "for: [update]",
        "for: []",
        "toy.yaml:30:30: `change` is chosen for nothing: `for` is empty; say what it is for: `for: [create]`, or `[notify]` where \
         only routes name it",
    );
    told(
        "for: [create]",
        "for: [create, update]",
        "toy.yaml:24:39: objects.things: `change` and `make` are both for `update`; leave it to one of them",
    );
}

#[test]
fn a_poll_that_stands_still() {
    told(
        "'page?': '{page}'",
        "page: '{page}'",
        "toy.yaml:15:36: objects.things.poll: the first page has no `{page}`, and the request needs one; let it go where it is \
         missing: `\"NAME?\": \"{page}\"`",
    );
    for page in
        ["{token: next}", "{offset: {}}", "{after_id: {}}", "{link_token: {path: next, parameter: p}}"]
    {
        let yaml = SOUND.replacen("{token: next}", page, 1).replacen(", 'page?': '{page}'", "", 1);
        let errors = Manifest::parse("toy.yaml", &yaml).map(|_| ()).unwrap_err();
        let expected = "toy.yaml:15:36: objects.things.poll: nothing says which page is asked for; put `{page}` where the vendor \
                        takes it, or choose `page: none`";
        assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected], "{page}");
    }
    told(
        "since: '{since|rfc3339}', ",
        "",
        "toy.yaml:15:36: objects.things.poll: nothing says from which mark on it lists; put `{since}` where the vendor takes it: each \
         page asks anew from the highest mark seen",
    );
    told(
        "page: {token: next}",
        "page: {cursor: {start: {method: GET, path: /start}, token: next, more: more}}",
        "toy.yaml:18:50: objects.things.poll: its cursor begins at no mark; put `{since}` into `start`, or each poll reads everything",
    );
    told(
        "page: {token: next}",
        "page: {cursor: {start: {method: GET, path: /start, query: {s: '{since}', p: '{page}'}}, token: next, more: more}}",
        "toy.yaml:18:50: objects.things.poll: its cursor begins without a `{page}`, and `start` needs one; leave it out of `start`",
    );
    told(
        "every: 30s",
        "every: 0s",
        "toy.yaml:14:14: objects.things.poll: `every` is too short; at least 100 ms",
    );
}

#[test]
fn an_address_or_header_that_cannot_be_sent() {
    let wrong = "which is neither a path nor an `https` address; write a path from the connection's base address on, \
                 `/oauth/token`, or a whole `https` address: credentials go there";
    for (way, key, shown) in [
        (
            "oauth2_refresh: {token: 'http://x.test/t', client_id: a, refresh_token: b}",
            "token",
            "http://x.test/t",
        ),
        ("oauth2_refresh: {token: 'https://', client_id: a, refresh_token: b}", "token", "https://"),
        ("oauth2_refresh: {token: //x.test/t, client_id: a, refresh_token: b}", "token", "//x.test/t"),
        (
            "oauth2_refresh: {token: /t, client_id: a, refresh_token: b, consent: {address: 'http://x.test'}}",
            "consent.address",
            "http://x.test",
        ),
        (
            "session: {path: login, user: u, json: {p: '{secret.p}'}, credential: '{answer.t}'}",
            "session.path",
            "login",
        ),
        ("session: {path: '/a b', user: u, credential: '{answer.t}'}", "session.path", "/a b"),
    ] {
        let expected = format!("toy.yaml:5:12: `{key}` is `{shown}`, {wrong}");
        told("bearer: {secret: token}", way, &expected);
        // A system may choose any of them.
        let other = format!("bearer: {{secret: token}}}}\n  other: {{{way}");
        told("bearer: {secret: token}", &other, &expected.replace(":5:12:", ":6:10:"));
    }
    for (way, told_of) in [
        (
            "header: {name: X Kennel, secret: key}",
            "`header.name`: `X Kennel` is not a header's name; letters, digits and `-`",
        ),
        (
            "header: {name: host, secret: key}",
            "`header.name`: the header `host` can't carry it; leave it out: it is the system's `base_url`",
        ),
        (
            "header: {name: x-key, prefix: \"a\\r\\nb\", secret: key}",
            "`header.prefix`: only printable ASCII can stand in a header",
        ),
        ("basic: {secret: key}", "`basic` has no user; add `user`, or `user_secret` where it is a secret"),
    ] {
        told("bearer: {secret: token}", way, &format!("toy.yaml:5:12: {told_of}"));
    }
    for (header, told_of) in [
        ("host: x", "93: the header `host` can't be set here; leave it out: it is the system's `base_url`"),
        (
            "Content-Length: '1'",
            "103: the header `content-length` can't be set here; leave it out: it is counted when the request is sent",
        ),
        (
            "authorization: x",
            "102: the header `authorization` can't be set here; say under `auth` how requests prove who sends them",
        ),
        ("a b: x", "92: `a b` is not a header's name; letters, digits and `-`"),
        (
            "x-a: \"b\\r\\nc: d\"",
            "92: the header `x-a`: only printable ASCII can stand in a header; a line break in it would begin another header",
        ),
    ] {
        let to = format!("idempotency-key: '{{intent}}', {header}");
        told("idempotency-key: '{intent}'", &to, &format!("toy.yaml:24:{told_of}"));
    }
}

#[test]
fn a_path_that_leads_elsewhere() {
    for (path, told_of) in [
        (
            "/things/{id}?x=1",
            "holds a `?`; put what follows it into `query: {NAME: VALUE}`; as a character of the path it is `%3F`",
        ),
        (
            "/things/{id}#x",
            "holds a `#`, and what follows one is never sent; as a character of the path it is `%23`",
        ),
        ("//evil.test/{id}", "starts with `//`, which begins another host's address; start with one `/`"),
        ("/v3/../{id}", "climbs by `.` or `..`; write the path that it leads to"),
        (
            "/a b/{id}",
            "holds ` `, which no path can carry as it is; write it as it goes on the wire, such as `%20` for a space",
        ),
    ] {
        let to = format!("path: '{path}'}}");
        told("path: '/things/{id}'}", &to, &format!("toy.yaml:12:42: the path {told_of}"));
    }
}

#[test]
fn a_rule_that_takes_everything_or_nothing() {
    told(
        "when: {status: [404]}",
        "when: {}",
        "toy.yaml:8:12: a rule that asks nothing takes every answer, also a success; say which it is for: `status`, `body`, `text`, \
         `header`, `json` or `transport`",
    );
    told(
        "status: [404]",
        "status: [404, 999]",
        "toy.yaml:8:12: no answer has the status 999; from 100 to 599",
    );
    told(
        "when: {status: [404]}",
        "when: {status: [404], transport: [reset]}",
        "toy.yaml:8:12: a rule about `transport` asks of an answer, too, and there is none; write a rule for each",
    );
    for narrow in [
        "{status: [409], body: {path: code, equals: b}}",
        "{status: [409], body: {path: code, in: [b, a]}, text: [x]}",
    ] {
        told(
            "{status: [404]}",
            narrow,
            "toy.yaml:8:12: this rule never matches: rule 1 of the list takes all that it would; put it before that one, or make that \
             one narrower",
        );
    }
    for other in [
        "{body: {path: code, in: [a]}}",
        "{status: [409]}",
        "{status: [409], body: {path: code, in: [a, c]}}",
    ] {
        Manifest::parse("toy.yaml", &SOUND.replacen("{status: [404]}", other, 1)).unwrap();
    }
}

#[test]
fn what_has_no_entries_is_not_spread() {
    let body = "json: {'...': '{fields.v}', a: '{fields.a}'}";
    let yaml = SOUND.replacen("json: '{fields}'", body, 1);
    let connector = Manifest::parse("toy.yaml", &yaml).unwrap().with_parameters(&BTreeMap::new()).unwrap();
    let body = |value: Value| {
        let fields: Fields = json!({"v": value, "a": 1}).as_object().unwrap().clone();
        let write = Write {
            object: canonical::Object::new("things").unwrap(),
            operation: "change".to_owned(),
            key: "rec_1".to_owned(),
            external_id: Some("7".to_owned()),
            whole: fields.clone().into(),
            fields: fields.into(),
            known: Arc::default(),
            expected: None,
            version: None,
            association: None,
            intent: "int_1".to_owned(),
        };
        let request = connector.render(&Call::Write(write)).map_err(|error| error.to_string())?;
        Ok::<_, String>(String::from_utf8(request.body).unwrap())
    };
    assert_eq!(body(json!({"b": 2})), Ok(r#"{"b":2,"a":1}"#.to_owned()));
    assert_eq!(body(Value::Null), Ok(r#"{"a":1}"#.to_owned()));
    let unfit = |what: &str| {
        Err(format!(
            "`fields.v` cannot stand in the body of operation `change`: {what}: `...` takes its entries"
        ))
    };
    assert_eq!(body(json!("b")), unfit("it is a text, and an object is needed"));
    assert_eq!(body(json!([{"b": 2}])), unfit("it is a list, and an object is needed"));
    assert_eq!(
        body(json!(7)),
        Err("`fields.v` cannot stand in the body of operation `change`: it is no object: `...` takes the entries of one".to_owned())
    );
    told(
        "json: '{fields}'",
        "json: {'...': '{key}', a: '{fields}'}",
        "toy.yaml:31:68: ...: `...` takes the entries of an object, and this is none; write `\"...\": \"{fields}\"`",
    );
}

#[test]
fn a_call_that_there_is_not_is_named() {
    let connector = Manifest::parse("toy.yaml", SOUND).unwrap().with_parameters(&BTreeMap::new()).unwrap();
    let told = |call: &Call| connector.render(call).unwrap_err().to_string();
    assert_eq!(
        told(&Call::Identity),
        "connector `toy` has no `identity`: its manifest does not say how the account is asked for"
    );
    let object = canonical::Object::new("things").unwrap();
    assert_eq!(
        told(&Call::Describe { object }),
        "object `things` of connector `toy` has no operation `describe`; it has: list, fetch, change, make"
    );
}
