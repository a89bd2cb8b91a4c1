//! In what two documents differ, path by path, in the words of the files.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// So many differences are shown; the rest is counted.
const SHOWN_MAX: usize = 6;
/// What is shown of a value at most, in characters.
const VALUE_CHARS_MAX: usize = 60;

/// Every difference, a line each: `path: was → is`, `+ path`, `- path`.
pub(crate) fn differences(was: &Value, is: &Value) -> Vec<String> {
    let mut out = Vec::new();
    compare("", was, is, &mut out);
    out
}

/// The first differences in one line.
pub(crate) fn shown(differences: &[String]) -> String {
    let first: Vec<&str> = differences.iter().take(SHOWN_MAX).map(String::as_str).collect();
    let more = differences.len().saturating_sub(SHOWN_MAX);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}{more}", first.join("; "))
}

fn compare(path: &str, was: &Value, is: &Value, out: &mut Vec<String>) {
    match (was, is) {
        (was, is) if was == is => {}
        (Value::Object(was), Value::Object(is)) => maps(path, was, is, out),
        (Value::Array(was), Value::Array(is)) => lists(path, was, is, out),
        (was, is) => out.push(format!("{path}: {} → {}", short(was), short(is))),
    }
}

fn maps(path: &str, was: &Map<String, Value>, is: &Map<String, Value>, out: &mut Vec<String>) {
    for (key, before) in was {
        match is.get(key) {
            Some(after) => compare(&under(path, key), before, after, out),
            None => out.push(format!("- {}", leaf(&under(path, key), before))),
        }
    }
    for (key, after) in is.iter().filter(|(key, _)| !was.contains_key(*key)) {
        out.push(format!("+ {}", leaf(&under(path, key), after)));
    }
}

/// Items are paired by what names them. What may stand in any order is sorted before it gets here, but for the rows of an
/// upcast: elsewhere an order decides, as that of transforms does.
fn lists(path: &str, was: &[Value], is: &[Value], out: &mut Vec<String>) {
    let (before, after, known) = (named(was), named(is), out.len());
    for (name, old) in &before {
        match after.get(name) {
            Some(new) => compare(&format!("{path}[{name}]"), old, new, out),
            None => out.push(format!("- {path}[{name}]")),
        }
    }
    out.extend(
        after.keys().filter(|name| !before.contains_key(*name)).map(|name| format!("+ {path}[{name}]")),
    );
    if out.len() == known && !(path.starts_with("upcast") && path.ends_with(".rows")) {
        out.push(format!("{path}: in another order"));
    }
}

fn named(items: &[Value]) -> BTreeMap<String, &Value> {
    let mut out = BTreeMap::new();
    for item in items {
        let name = name(item);
        // Two of one name are told apart by their number.
        let mut free = name.clone();
        let mut number = 1;
        while out.contains_key(&free) {
            number += 1;
            free = format!("{name} #{number}");
        }
        out.insert(free, item);
    }
    out
}

/// What names an item of a list: its field and path where it is a row.
fn name(item: &Value) -> String {
    let Value::Object(map) = item else { return short(item) };
    let parts = ["name", "field", "path", "entity", "from"].iter().filter_map(|key| map.get(*key)?.as_str());
    let parts: Vec<&str> = parts.collect();
    if parts.is_empty() { short(item) } else { parts.join(", ") }
}

fn under(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A path with its value, where that is short.
fn leaf(path: &str, value: &Value) -> String {
    match value {
        Value::Object(_) | Value::Array(_) => path.to_owned(),
        plain => format!("{path}: {}", short(plain)),
    }
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= VALUE_CHARS_MAX {
        return text;
    }
    text.chars().take(VALUE_CHARS_MAX).chain(['…']).collect()
}
