//! Forms: `a[b][0]=x` as the objects and texts that are meant.

use serde_json::{Map, Value, json};

/// A form's body, with nothing but texts at its ends.
pub(crate) fn nested(body: &[u8]) -> Value {
    let mut root = Map::new();
    for (name, value) in url::form_urlencoded::parse(body) {
        put(&mut root, &name, &value);
    }
    Value::Object(root)
}

/// Puts one pair where its name leads.
pub(crate) fn put(root: &mut Map<String, Value>, name: &str, value: &str) {
    let (first, rest) = name.split_once('[').unwrap_or((name, ""));
    let mut keys = vec![first];
    keys.extend(rest.split('[').filter_map(|key| key.strip_suffix(']')));
    let mut at = root;
    for (index, key) in keys.iter().enumerate() {
        if index + 1 == keys.len() {
            at.insert((*key).to_owned(), json!(value));
            return;
        }
        let next = at.entry((*key).to_owned()).or_insert_with(|| json!({}));
        at = next.as_object_mut().unwrap_or_else(|| panic!("`{name}` leads through a text"));
    }
}

/// Objects whose names are 0, 1, 2, … as the lists that they are.
pub(crate) fn lists(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    let is_list = !map.is_empty() && (0..map.len()).all(|at| map.contains_key(&at.to_string()));
    match is_list {
        true => (0..map.len()).map(|at| lists(map[&at.to_string()].clone())).collect(),
        false => Value::Object(map.into_iter().map(|(name, one)| (name, lists(one))).collect()),
    }
}

/// All that a text can be taken for; what has parts only for itself.
pub(crate) fn readings(given: &Value) -> Vec<Value> {
    let Some(text) = given.as_str() else { return vec![given.clone()] };
    let mut all = vec![json!(text)];
    all.extend(text.parse::<i64>().map(Value::from));
    all.extend(text.parse::<bool>().map(Value::from));
    all.extend(text.parse::<f64>().map(Value::from));
    // Lists with commas between, in one parameter.
    let parts: Vec<&str> = text.split(',').collect();
    all.push(json!(parts));
    let numbers: Result<Vec<i64>, _> = parts.iter().map(|part| part.parse()).collect();
    all.extend(numbers.map(|numbers| json!(numbers)));
    all
}

#[test]
fn names_lead_into_objects() {
    let read = nested(b"a%5Bb%5D%5B0%5D=x&a%5Bb%5D%5B1%5D=y+z&c=");
    assert_eq!(read, json!({"a": {"b": {"0": "x", "1": "y z"}}, "c": ""}));
}
