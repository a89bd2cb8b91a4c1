//! Schemas of OpenAPI 2.0 and 3.0 as JSON Schemas of today, and closed: a name that the vendor does not know is an error.

use std::collections::BTreeSet;

use serde_json::{Value, json};

const NAMED: [&str; 2] = ["/components/schemas", "/definitions"];

/// All schemas of a document.
pub(crate) fn prepare(root: &mut Value, open: &[&str]) {
    let mut parts: BTreeSet<String> = open.iter().map(|name| (*name).to_owned()).collect();
    parts_of_others(root, &mut parts);
    for place in NAMED {
        let named = root.pointer_mut(place).and_then(Value::as_object_mut);
        for (name, schema) in named.into_iter().flatten() {
            normalise(schema, !parts.contains(name));
            if open.contains(&name.as_str()) {
                schema.as_object_mut().unwrap().remove("required");
            }
        }
    }
    let items = root["paths"].as_object_mut().into_iter().flatten().map(|(_, item)| item);
    for part in items.filter_map(Value::as_object_mut).flatten().map(|(_, part)| part) {
        let list = if part.is_array() { Some(part) } else { each_body(part) };
        for parameter in list.and_then(Value::as_array_mut).into_iter().flatten() {
            parameter.get_mut("schema").into_iter().for_each(|schema| normalise(schema, true));
        }
    }
}

/// The bodies of an operation; its parameters are returned.
fn each_body(operation: &mut Value) -> Option<&mut Value> {
    let content = operation.pointer_mut("/requestBody/content").and_then(Value::as_object_mut);
    for (_, media) in content.into_iter().flatten() {
        media.get_mut("schema").into_iter().for_each(|schema| normalise(schema, true));
    }
    operation.get_mut("parameters")
}

/// Names of schemas that are parts of others: they can't be closed by themselves.
fn parts_of_others(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Array(list) => list.iter().for_each(|one| parts_of_others(one, names)),
        Value::Object(map) => {
            let all = map.get("allOf").and_then(Value::as_array).into_iter().flatten();
            let references = all.filter_map(|one| one["$ref"].as_str());
            names.extend(references.filter_map(|one| Some(one.rsplit_once('/')?.1.to_owned())));
            map.values().for_each(|one| parts_of_others(one, names));
        }
        _ => {}
    }
}

fn normalise(schema: &mut Value, close: bool) {
    let Some(map) = schema.as_object_mut() else { return };
    for key in ["properties", "patternProperties"] {
        let inner = map.get_mut(key).and_then(Value::as_object_mut);
        inner.into_iter().flatten().for_each(|(_, schema)| normalise(schema, true));
    }
    for key in ["items", "additionalProperties", "not"] {
        map.get_mut(key).into_iter().for_each(|schema| normalise(schema, true));
    }
    let own = map.contains_key("properties");
    for (key, close) in [("anyOf", close && !own), ("oneOf", close && !own), ("allOf", false)] {
        let list = map.get_mut(key).and_then(Value::as_array_mut);
        list.into_iter().flatten().for_each(|schema| normalise(schema, close));
    }
    if close && (own || map.contains_key("allOf")) && !map.contains_key("additionalProperties") {
        map.insert("unevaluatedProperties".to_owned(), json!(false));
    }
    if map.remove("nullable") == Some(json!(true)) {
        if let Some(values) = map.get_mut("enum").and_then(Value::as_array_mut) {
            values.push(Value::Null);
        }
        match map.get("type").cloned() {
            Some(kind) => {
                map.insert("type".to_owned(), json!([kind, "null"]));
            }
            None => *schema = json!({"anyOf": [schema.clone(), {"type": "null"}]}),
        }
    }
}

/// One schema with all that it refers to. What else a parameter of version 2.0 says of itself is no part of it.
pub(crate) fn alone(schema: &Value, root: &Value) -> Value {
    let mut alone = schema.clone();
    for key in ["required", "in", "name", "collectionFormat"] {
        if schema.get("in").is_some() {
            alone.as_object_mut().unwrap().remove(key);
        }
    }
    for key in ["components", "definitions"] {
        if let Some(named) = root.get(key) {
            alone[key] = named.clone();
        }
    }
    alone
}

#[test]
fn unknown_names_are_found_and_null_is_taken_where_it_may_be() {
    let mut root = json!({
        "components": {"schemas": {
            "Base": {"type": "object", "properties": {"a": {"type": "string", "nullable": true}}},
            "Whole": {"allOf": [{"$ref": "#/components/schemas/Base"}], "properties": {"b": {"type": "object"}}},
        }},
        "paths": {},
    });
    prepare(&mut root, &[]);
    let whole = alone(&json!({"$ref": "#/components/schemas/Whole"}), &root);
    let validator = jsonschema::draft202012::new(&whole).unwrap();
    for (value, fits) in
        [(json!({"a": null, "b": {"any": 1}}), true), (json!({"a": 1}), false), (json!({"c": 1}), false)]
    {
        assert_eq!(validator.is_valid(&value), fits, "{value}");
    }
}
