//! What is told of mistakes in manifests and parameters: place, what, and what would be right.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Manifest;

const SOUND: &str = "\
connector: toy
version: '1'
about: a toy
parameters:
  list: {about: the list, kind: text, required: true}
  mode: {about: the mode, kind: text, default: fast, choices: [fast, slow]}
limits:
  buckets: {calls: {size: 5, per: 1s}}
kinds:
  thing:
    shape: {id: id}
    writes:
      put:
        for: [create]
        idempotency: {class: upsert}
        request: {method: PUT, path: '/{parameter.list}/{key}', json: {'...': '{fields}'}, limits: [calls]}
objects:
  things: {kind: thing}
";

fn refused(from: &str, to: &str) -> Vec<String> {
    assert!(SOUND.contains(from), "{from}");
    let errors = Manifest::parse("toy.yaml", &SOUND.replacen(from, to, 1)).map(|_| ()).unwrap_err();
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn the_sound_one_is_sound() {
    Manifest::parse("toy.yaml", SOUND).unwrap();
}

#[test]
fn mistakes_are_told_with_their_place_and_what_would_be_right() {
    for (from, to, told) in [
        ("about: a toy", "abuot: a toy", "toy.yaml:3:1: unknown key `abuot`; did you mean `about`?"),
        (
            "things: {kind: thing}",
            "things: {kind: thnig, shape: {id: id}}",
            "toy.yaml:18:18: there is no kind `thnig`; did you mean `thing`?",
        ),
        ("{key}", "{kye}", "toy.yaml:16:38: there is no `{kye}` here; did you mean `key`?"),
        (
            "{parameter.list}",
            "{parameter.lits}",
            "toy.yaml:16:38: there is no parameter `lits`; did you mean `list`?",
        ),
        (
            "{fields}",
            "{fields|text_s}",
            "toy.yaml:16:79: ...: there is no encoder `text_s`; did you mean `texts`?",
        ),
        ("'{fields}'", "'x'", "toy.yaml:16:79: ...: `...` needs one slot; write `\"...\": \"{fields}\"`"),
        (
            "limits: [calls]",
            "limits: [cals]",
            "toy.yaml:16:101: there is no limit `cals`; did you mean `calls`?",
        ),
        ("method: PUT", "method: PTU", "toy.yaml:16:27: unknown word `PTU`; did you mean `PUT`?"),
        ("class: upsert", "class: upset", "toy.yaml:15:30: unknown word `upset`; did you mean `upsert`?"),
        (
            "class: upsert",
            "class: upsert, replayed: {header: x-again}",
            "toy.yaml:15:48: `upsert` takes no `replayed`; remove it, or choose the class that it belongs to",
        ),
        (
            "per: 1s",
            "per: 1",
            "toy.yaml:8:35: `1` is not a span of time: write a number and a unit, such as `250ms`, `30s`, `5m`, `2h` or `1d`",
        ),
        (
            "'/{parameter.list}/",
            "'x{parameter.list}/",
            "toy.yaml:16:38: the path `x{parameter.list}/{key}` does not start with `/`; write it from the connection's base address on",
        ),
        (
            "{id: id}",
            "{id: a..b}",
            "toy.yaml:11:17: `a..b` is not a path: a path must not hold an empty key: two dots meet, or one stands at its start or end",
        ),
        (
            "shape: {id: id}",
            "shape: {id: id, false_is_null: {booleans: [a], parameter: lost}}",
            "toy.yaml:11:63: there is no parameter `lost`; did you mean `list`?",
        ),
        (
            "shape: {id: id}",
            "shape: {id: id, deleted: {path: of, equals: '{parameter.lst}'}}",
            "toy.yaml:11:37: there is no parameter `lst`; did you mean `list`?",
        ),
        (
            "shape: {id: id}",
            "shape: {id: id}\n    poll: {every: 1m, request: {method: GET, path: /x, query: {'p?': '{page}'}}, mark: {path: at}, sorting: id, page: {link_token: {path: next, parameter: cursor}}, size: 2}",
            "toy.yaml:12:52: objects.things.poll: `page` does not go with `sorting: id`; ascending pages by `offset`, `number`, `after_id`, `token`, `link`, `link_header`, `link_token` or `cursor`, descending by `token`, `number`, `after_id`, `link`, `link_header` or `link_token`, id by `after_id`",
        ),
        (
            "shape: {id: id}",
            "paths: [id]",
            "toy.yaml: objects.things has no `shape`; say where the object's id stands: `shape: {id: id}`, or name a `kind` that does",
        ),
        (
            "connector: toy",
            "connector: A Toy",
            "toy.yaml:1:12: `A Toy` is not a connector's name; use lower-case letters, digits, `_` and `-`",
        ),
        (
            "{key}",
            "{key",
            "toy.yaml:16:38: a `{` without its `}`; write `{{` for a brace that is meant as text",
        ),
        (
            "class: upsert",
            "class: search_first, index_lag_ms: 1",
            "toy.yaml:15:30: `put` is `search_first` and has no `probe`; say how its effect is found, or choose another class",
        ),
    ] {
        assert_eq!(refused(from, to), [told], "{to}");
    }
}

#[test]
fn sql_and_unsigned_webhooks_are_held_to_their_rules() {
    let told = refused("{'...': '{fields}'}", "{q: 'sql: SELECT 1 WHERE a = {key}'}");
    assert_eq!(
        told,
        [
            "toy.yaml:16:75: q: `{key}` in SQL has no encoder that keeps its value in place; end it with `|sql`, \
          `|integer`, `|from_one`, `|word`, `|names`, `|guid`, `|rfc3339`, `|ms`, `|s`, `|date_time`, `|date_time_us`, `|md5_hex` or \
          `|md5_lower_hex`"
        ]
    );
    let told = refused("path: '/{parameter.list}/{key}'", "path: 'odata:/{parameter.list}(k={key})'");
    assert_eq!(
        told,
        [
            "toy.yaml:16:38: `{key}` in OData has no encoder that keeps its value in place; end it with `|odata`, \
          `|integer`, `|from_one`, `|word`, `|names`, `|guid`, `|rfc3339`, `|ms`, `|s`, `|md5_hex` or `|md5_lower_hex`"
        ]
    );
    let told = refused(
        "objects:",
        "webhook:\n  scheme: {none: nothing is signed}\n  kind: type\n  object_id: id\n  rules: [{match: '*', object: things, seen: state}]\nobjects:",
    );
    assert_eq!(
        told,
        [
            "toy.yaml:18:11: webhook: messages are not signed, so anybody can send them; add `hint: true`, so that each is \
          fetched before it is believed"
        ]
    );
}

#[test]
fn objects_of_a_map_have_a_constant_each_and_parents_are_constants_too() {
    let yaml = SOUND
        .replace("  mode:", "  more: {about: more of them, kind: map, default: {}}\n  mode:")
        .replace("        for: [create]", "        for: [create]\n        serial_by: \"{value.parent}\"")
        .replace(
            "    shape: {id: id}",
            "    values: {id: thing_id, parent: \"\"}\n    shape: {id: \"{value.id}\"}",
        )
        + "  lines: {kind: thing, values: {parent: order_id}}\nmore_objects: {parameter: more, kind: thing, value: id}\n";
    let manifest = Manifest::parse("toy.yaml", &yaml).unwrap_or_else(|errors| panic!("{}", errors[0]));
    let parameters = BTreeMap::from([
        ("list".to_owned(), json!("a")),
        ("more".to_owned(), json!({"new_plans": "new_planid", "new_odd": "odd\\x"})),
    ]);
    let told = manifest.with_parameters(&parameters).map(|_| ()).unwrap_err();
    assert_eq!(
        told.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "toy.yaml:13:17: `{value.id}` is not a path: a backslash in a path must stand before a dot or another backslash"
        ]
    );
    let parameters = BTreeMap::from([
        ("list".to_owned(), json!("a")),
        ("more".to_owned(), json!({"new_plans": "new_planid"})),
    ]);
    let connector = manifest.with_parameters(&parameters).unwrap();
    let of = |object: &str| connector.object(&canonical::Object::new(object).unwrap()).unwrap();
    assert_eq!(of("new_plans").shape.id.as_str(), "new_planid");
    assert_eq!(of("things").shape.id.as_str(), "thing_id");
    let parent = |object: &str| of(object).writes[0].spec.serial_by.clone();
    assert_eq!((parent("things"), parent("lines").as_deref()), (None, Some("order_id")));
}

#[test]
fn ways_to_authenticate_are_filled_and_what_is_used_needs_its_header() {
    let yaml = SOUND.replace(
        "limits:\n",
        "auth:\n  default:\n    oauth2_jwt_bearer:\n      token: '/{parameter.mode}/token'\n      client_id: id\n      subject: user\n      \
         assertion: {algorithm: RS256, private_key: key, audience: 'https://{parameter.list}.test'}\n      scopes: ['{parameter.list}/.default']\n  \
         credentials:\n    oauth2_client_credentials:\n      token: 'https://x.test/{parameter.list}/token'\n      client_id: id\n      client_secret: secret\n      \
         scopes: ['https://{parameter.list}/.default']\n      audience: '{parameter.list}'\nlimits:\n",
    );
    let manifest = Manifest::parse("toy.yaml", &yaml).unwrap_or_else(|errors| panic!("{}", errors[0]));
    let auth = |way: &str| {
        let parameters = BTreeMap::from([("list".to_owned(), json!("a")), ("auth".to_owned(), json!(way))]);
        let connector = manifest.with_parameters(&parameters).unwrap();
        (serde_json::to_value(connector.auth()).unwrap(), connector.auth().secrets().join(" "))
    };
    let (bearer, secrets) = auth("default");
    let bearer = &bearer["oauth2_jwt_bearer"];
    assert_eq!(
        (&bearer["token"], &bearer["assertion"]["audience"], &bearer["scopes"][0]),
        (&json!("/fast/token"), &json!("https://a.test"), &json!("a/.default"))
    );
    assert_eq!(secrets, "id user key");
    let (credentials, secrets) = auth("credentials");
    let credentials = &credentials["oauth2_client_credentials"];
    assert_eq!(
        (&credentials["token"], &credentials["scopes"][0], &credentials["audience"]),
        (&json!("https://x.test/a/token"), &json!("https://a/.default"), &json!("a"))
    );
    assert_eq!(secrets, "id secret");

    assert_eq!(
        refused("{size: 5, per: 1s}", "{size: 5, per: 1s, used: api-usage}"),
        [
            "toy.yaml:8:20: limits.buckets.calls: `used` is about a header, and there is none; add `remaining: HEADER`"
        ]
    );
    assert_eq!(
        refused("{size: 5, per: 1s}", "{size: 5, per: 1s, told: true}"),
        [
            "toy.yaml:8:20: limits.buckets.calls: `told` is about a header, and there is none; add `remaining: HEADER`"
        ]
    );
}

#[test]
fn bombs_and_broken_yaml_are_refused() {
    let bomb = format!(
        "connector: &a [x,x,x,x,x,x,x,x]\n{}",
        (0..40).map(|i| format!("k{i}: &k{i} [*a,*a,*a,*a]\n")).collect::<String>()
    );
    for yaml in [
        bomb.as_str(),
        "connector: [",
        "",
        "- a",
        "\u{0}",
        "connector: toy\nconnector: toy\n",
        &"[".repeat(10_000),
    ] {
        let errors = Manifest::parse("bad.yaml", yaml).map(|_| ()).unwrap_err();
        assert_eq!(errors.len(), 1);
    }
    let huge = format!("about: {}", "x".repeat(2 << 20));
    let errors = Manifest::parse("huge.yaml", &huge).map(|_| ()).unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "huge.yaml: the manifest has 2097159 bytes, at most 1048576 are read; split it"
    );
}

#[test]
fn parameters_are_checked() {
    let manifest = Manifest::parse("toy.yaml", SOUND).unwrap();
    let told = |parameters: Value| {
        let parameters: BTreeMap<String, Value> = serde_json::from_value(parameters).unwrap();
        let errors = manifest.with_parameters(&parameters).map(|_| ()).unwrap_err();
        errors.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        told(json!({})),
        [
            "toy.yaml: parameter `list` is required (the list); set it under `parameters` to a text that is not empty"
        ]
    );
    assert_eq!(
        told(json!({"list": 1})),
        ["toy.yaml: parameter `list` must be a text that is not empty, found a number"]
    );
    assert_eq!(
        told(json!({"list": "a", "lst": "b"})),
        ["toy.yaml: connector `toy` has no parameter `lst`; did you mean `list`?"]
    );
    assert_eq!(
        told(json!({"list": "a", "mode": "fats"})),
        ["toy.yaml: parameter `mode` cannot be `fats`; did you mean `fast`?"]
    );
    assert_eq!(
        told(json!({"list": ".."})),
        [
            "toy.yaml:16:38: the value of `{parameter.list}` cannot stand in the path; it would change the path"
        ]
    );
    assert_eq!(
        told(json!({"list": "a", "timeout_ms": "1"})),
        ["toy.yaml: parameter `timeout_ms` must be a whole number of milliseconds, found a text"]
    );
    let tuned = BTreeMap::from([("list".to_owned(), json!("a/b")), ("timeout_ms".to_owned(), json!(250))]);
    let connector = manifest.with_parameters(&tuned).unwrap();
    let object = canonical::Object::new("things").unwrap();
    assert_eq!(connector.choose(&object, false, None).unwrap().timeout.as_millis(), 250);
    assert!(
        connector.choose(&object, true, None).is_none()
            && connector.choose(&object, true, Some("archive")).is_none()
    );
}
