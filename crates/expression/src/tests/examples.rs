//! The table of functions: every example runs and gives what it says, and every form is a form.

use serde_json::Value;

use super::support::{World, value};
use crate::{Arg, FUNCTIONS, Outcome};

#[test]
fn every_example_gives_what_it_says() {
    for function in FUNCTIONS {
        let said: Value = serde_json::from_str(function.gives).expect(function.name);
        assert_eq!(World::default().run(function.example), Ok(Outcome::Value(said)), "{}", function.example);
        assert!(function.example.contains(function.name), "{}", function.name);
    }
}

#[test]
fn every_function_is_described_once() {
    let mut names: Vec<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
    names.sort_unstable();
    let before = names.len();
    names.dedup();
    assert_eq!(names.len(), before);
    for function in FUNCTIONS {
        assert!(function.about.ends_with('.') && function.about.len() < 170, "{}", function.about);
        assert_eq!(function.signatures().len(), function.forms.len());
    }
}

#[test]
fn signatures_are_written_as_they_are_called() {
    let of = |name| FUNCTIONS.iter().find(|function| function.name == name).unwrap().signatures();
    assert_eq!(of("trim"), ["trim(text) text"]);
    assert_eq!(of("round"), ["round(decimal, int, \"half_even or half_up\") decimal"]);
    assert_eq!(of("map"), ["list(T).map(x, U) list(U)"]);
    assert_eq!(of("coalesce"), ["coalesce(T?, …) T"]);
}

#[test]
fn methods_are_calls() {
    for (method, call) in [
        ("'abc'.size()", "size('abc')"),
        ("'abc'.contains('b')", "contains('abc', 'b')"),
        ("'abc'.startsWith('b')", "startsWith('abc', 'b')"),
        ("'abc'.endsWith('c')", "endsWith('abc', 'c')"),
        ("'abc'.replace('b', 'x')", "replace('abc', 'b', 'x')"),
        ("'abc'.substring(1)", "substring('abc', 1)"),
        ("'abc'.split('b')", "split('abc', 'b')"),
        ("['a', 'b'].join('-')", "join(['a', 'b'], '-')"),
        ("' abc '.trim()", "trim(' abc ')"),
    ] {
        assert_eq!(value(method), value(call), "{method}");
    }
    let methods = FUNCTIONS.iter().filter(|function| function.method && !function.each()).count();
    assert_eq!(methods, 9, "a method without a line above");
    assert!(FUNCTIONS.iter().all(|f| f.each() == f.forms.iter().any(|form| form.takes.contains(&Arg::Name))));
}
