//! Walking, nesting, and what contradicts.

use canonical::Fields;
use serde_json::{Value, json};

use super::{Clash, Path, is_flat, nest, under};

fn fields(value: Value) -> Fields {
    let Value::Object(fields) = value else { unreachable!() };
    fields
}

#[test]
fn paths_walk_objects_and_lists() {
    let value = json!({"a": {"b": [1, {"c": "x"}], "0": true}, "d.e": 2, "n": null, "empty": ""});
    for (path, expected) in [
        ("", Some(value.clone())),
        ("a.b.0", Some(json!(1))),
        ("a.b.1.c", Some(json!("x"))),
        ("a.0", Some(json!(true))),
        (r"d\.e", Some(json!(2))),
        ("n", Some(Value::Null)),
        ("n.x", None),
        ("a.b.9", None),
        ("a.b.c", None),
        ("empty", Some(json!(""))),
    ] {
        let path = Path::parse(path).unwrap();
        assert_eq!(path.find(&value).cloned(), expected, "{path:?}");
        assert_eq!(path.take(value.clone()), expected, "{path:?}");
    }
    assert_eq!(Path::parse("n").unwrap().find_filled(&value), None);
    assert_eq!(Path::parse("empty").unwrap().text_at(&value), None);
    assert_eq!(Path::parse("a.b.0").unwrap().text_at(&value).as_deref(), Some("1"));
    for text in ["a.", ".a", "a..b", r"a\b", r"a\"] {
        assert!(Path::parse(text).is_err(), "{text}");
    }
}

#[test]
fn target_paths_nest_and_contradictions_are_named() {
    let build = |value: Value| nest(fields(value).iter().map(|(key, value)| (key, value.clone())));
    assert_eq!(
        build(json!({"a.b": 1, "a.c.d": 2, r"e\.f": 3})).unwrap(),
        fields(json!({"a": {"b": 1, "c": {"d": 2}}, "e.f": 3}))
    );
    let clash = |one: &str, other: &str| Err(Clash::Inside { one: one.to_owned(), other: other.to_owned() });
    assert_eq!(build(json!({"a": 1, "a.b": 2})), clash("a.b", "a"));
    assert_eq!(build(json!({"a.b": 2, "a.b.c": 1})), clash("a.b.c", "b"));
    let why = "a path must not hold an empty key: two dots meet, or one stands at its start or end";
    assert_eq!(build(json!({"": 1})), Err(Clash::NoPath { path: String::new(), why }));
    assert!(is_flat(&fields(json!({"a": 1}))) && !is_flat(&fields(json!({"a.b": 1}))));
}

#[test]
fn a_part_of_flat_paths_is_found_by_its_path() {
    let flat = fields(json!({"a.b": 1, "a.c": 2, "ab": 3, "x": 4}));
    assert_eq!(under(&flat, "a"), Some(json!({"b": 1, "c": 2})));
    assert_eq!(under(&flat, "x"), Some(json!(4)));
    assert_eq!(under(&flat, "y"), None);
}
