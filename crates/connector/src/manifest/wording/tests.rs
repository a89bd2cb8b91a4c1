//! Places and words of what cannot be read.

use crate::{Fixtures, Manifest};

const SOUND: &str = "\
connector: toy
version: '1'
about: a toy
auth: {default: {header: {name: x-key, secret: key}}}
objects:
  things:
    shape: {id: id}
    poll:
      every: 30s
      request: {method: GET, path: /things, query: {since: '{since|rfc3339}', skip: '{page}'}}
      mark: {path: at}
      sorting: ascending
      page: {offset: {}}
      size: 50
    writes:
      make:
        for: [create]
        idempotency: {class: search_first, index_lag_ms: 5}
        request:
          method: POST
          path: /things
          json:
            first: a
            deep:
              - {ref: '{key}'}
              - '{fields}'
        probe:
          request: {method: GET, path: /things, query: {ref: '{key}'}}
          answer: {found: list, id: id}
";

#[track_caller]
fn told(from: &str, to: &str, expected: &str) {
    assert!(SOUND.contains(from), "{from}");
    let errors = Manifest::parse("toy.yaml", &SOUND.replacen(from, to, 1)).map(|_| ()).unwrap_err();
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors, [expected.replace("@", "toy.yaml:")], "{to}");
}

#[test]
fn the_sound_one_is_sound() {
    Manifest::parse("toy.yaml", SOUND).unwrap();
}

#[test]
fn words_are_those_of_people() {
    told("about: a toy", "abuot: a toy", "@3:1: unknown key `abuot`; did you mean `about`?");
    told("ascending", "ascnding", "@12:16: unknown word `ascnding`; did you mean `ascending`?");
    told("size: 50", "size: many", "@14:13: expected a whole number from 0 to 4294967295");
    told("size: 50", "size: -5", "@14:13: expected a whole number from 0 to 4294967295");
    told("for: [create]", "for: create", "@17:14: expected a list");
    told("shape: {id: id}", "shape: 5", "@7:12: expected a table");
    told(
        "{default: {header",
        "{default: {bearer: {secret: a}, header",
        "@4:39: expected exactly one key, found another; choose one of them, and remove the other",
    );
    told("about: a toy", "about: a toy\nabout: b", "@4:1: the key `about` stands here twice");
    told(
        "about: a toy",
        "\tabout: a toy",
        "@3:2: it is not YAML: tabs disallowed within this context (block indentation)",
    );
    let errors = Manifest::parse("toy.yaml", "").map(|_| ()).unwrap_err();
    assert_eq!(errors[0].what, "the file ends before it says anything, or in the middle of something");
    let error =
        Fixtures::parse("x.yaml", "cases:\n  - name: a\n    call: {fetch: {object: a}}\n").unwrap_err();
    assert_eq!(error.to_string(), "x.yaml:3:19: the key `external_id` is missing");
}

#[test]
fn what_is_missing_is_missed_where_its_table_begins() {
    told(
        "        idempotency: {class: search_first, index_lag_ms: 5}\n",
        "",
        "@16:7: the key `idempotency` is missing",
    );
    told(", secret: key", "", "@4:26: the key `secret` is missing");
    told("version: '1'\n", "", "@1:1: the key `version` is missing");
    told("page: {offset: {}}", "page: offset", "@13:13: expected a table");
    let flow = "mark: {path: at}\n      page: {offset: {}}\n      size: 50";
    told(
        "mark: {path: at}\n      sorting: ascending\n      page: {offset: {}}\n      size: 50",
        flow,
        "@8:5: the key `sorting` is missing",
    );
}

#[test]
fn what_is_in_a_body_has_its_own_line() {
    told("first: a", "first: '{kye}'", "@23:20: first: there is no `{kye}` here; did you mean `key`?");
    told(
        "{ref: '{key}'}",
        "{ref: '{kye}'}",
        "@25:23: deep.0.ref: there is no `{kye}` here; did you mean `key`?",
    );
    told(
        "              - '{fields}'",
        "              - '{feilds}'",
        "@26:17: deep.1: there is no `{feilds}` here; did you mean `fields`?",
    );
}

#[test]
fn a_class_and_its_keys_have_places_of_their_own() {
    told("index_lag_ms: 5", "index_lag: 2s", "@18:44: unknown key `index_lag`; did you mean `index_lag_ms`?");
    told("search_first", "serach_first", "@18:30: unknown word `serach_first`; did you mean `search_first`?");
    told(
        ", index_lag_ms: 5",
        "",
        "@18:30: `search_first` needs `index_lag_ms`; say how many milliseconds the vendor's search is behind",
    );
    told(
        "index_lag_ms: 5",
        "index_lag_ms: 5, ttl_s: 7",
        "@18:68: `search_first` takes no `ttl_s`; remove it, or choose the class that it belongs to",
    );
}
