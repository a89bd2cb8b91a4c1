//! Cutting a vendor's document down to the operations in use: names, types and limits stay, prose goes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::document::{Document, Operation};

/// What says something about values, and not to people.
const OF_SCHEMAS: [&str; 26] = [
    "$ref",
    "type",
    "properties",
    "required",
    "items",
    "enum",
    "anyOf",
    "oneOf",
    "allOf",
    "not",
    "additionalProperties",
    "patternProperties",
    "nullable",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];
const OF_PARAMETERS: [&str; 7] = ["name", "in", "required", "style", "explode", "collectionFormat", "schema"];

/// The part of `document` that these operations need. `source` says where it is from.
pub(crate) fn cut(document: &Document, operations: &[Operation<'_>], source: Value) -> Value {
    let root = document.root();
    let mut out = json!({"x-source": source});
    for key in ["openapi", "swagger", "servers", "basePath"] {
        if let Some(value) = root.get(key) {
            out[key] = value.clone();
        }
    }
    out["info"] = json!({"title": root["info"]["title"], "version": root["info"]["version"]});
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in operations {
        let method = operation.method.to_lowercase();
        paths.entry(operation.template).or_default().insert(method, of_operation(document, operation));
    }
    let mut names = BTreeSet::new();
    let paths = json!(paths);
    references(&paths, root, &mut names);
    out["paths"] = paths;
    for pointer in &names {
        put(&mut out, pointer, schema(root.pointer(pointer).unwrap()));
    }
    out
}

fn of_operation(document: &Document, operation: &Operation<'_>) -> Value {
    let body = operation.body;
    let mut out = json!({});
    let parameters = document.parameters(operation);
    out["parameters"] = parameters.into_iter().map(parameter).collect();
    if let Some(consumes) = body.get("consumes") {
        out["consumes"] = consumes.clone();
    }
    if let Some(sent) = body.get("requestBody").map(|sent| document.at(sent)) {
        let content = sent["content"].as_object().into_iter().flatten();
        let content: Map<String, Value> =
            content.map(|(media, one)| (media.clone(), json!({"schema": schema(&one["schema"])}))).collect();
        out["requestBody"] = json!({"required": sent["required"] == true, "content": content});
    }
    if let Some(scopes) = body.get("x-klaviyo-scopes") {
        out["x-scopes"] = scopes.clone();
    }
    if let Some(limit) = body.get("x-klaviyo-ratelimit") {
        out["x-ratelimit"] = limit.clone();
    }
    // Marketo says it in its prose.
    let prose = body["description"].as_str().unwrap_or_default();
    if let Some((_, permissions)) = prose.split_once("Required Permissions: ") {
        let names = permissions.split(['\n', '.']).next().unwrap_or_default();
        out["x-any-of-scopes"] = names.split(',').map(|name| json!(name.trim())).collect();
    }
    out
}

fn parameter(parameter: &Value) -> Value {
    let mut out = match parameter.get("schema") {
        Some(_) => json!({}),
        // In version 2.0 a parameter is its own schema.
        None => schema(parameter),
    };
    for key in OF_PARAMETERS {
        match parameter.get(key) {
            Some(value) if key == "schema" => out[key] = schema(value),
            Some(value) => out[key] = value.clone(),
            None => {}
        }
    }
    out
}

fn schema(value: &Value) -> Value {
    let Some(map) = value.as_object() else { return value.clone() };
    let kept = map.iter().filter(|(key, _)| OF_SCHEMAS.contains(&key.as_str()));
    let kept = kept.map(|(key, value)| {
        let value = match key.as_str() {
            "properties" | "patternProperties" => {
                let inner = value.as_object().into_iter().flatten();
                Value::Object(inner.map(|(name, one)| (name.clone(), schema(one))).collect())
            }
            "items" | "additionalProperties" | "not" => schema(value),
            "anyOf" | "oneOf" | "allOf" => value.as_array().into_iter().flatten().map(schema).collect(),
            _ => value.clone(),
        };
        (key.clone(), value)
    });
    Value::Object(kept.collect())
}

/// Where all references lead, and those of what is there.
fn references(value: &Value, root: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Array(list) => list.iter().for_each(|one| references(one, root, names)),
        Value::Object(map) => {
            if let Some(pointer) =
                map.get("$ref").and_then(Value::as_str).and_then(|one| one.strip_prefix('#'))
                && names.insert(pointer.to_owned())
            {
                references(&schema(root.pointer(pointer).unwrap()), root, names);
            }
            map.values().for_each(|one| references(one, root, names));
        }
        _ => {}
    }
}

fn put(out: &mut Value, pointer: &str, value: Value) {
    let mut at = out;
    for key in pointer.trim_start_matches('/').split('/') {
        at = at.as_object_mut().unwrap().entry(key).or_insert_with(|| json!({}));
    }
    *at = value;
}

/// A document as text, with a line for each path and each schema.
pub(crate) fn lines(document: &Value) -> String {
    let mut text = String::from("{\n");
    let parts: Vec<String> =
        document.as_object().unwrap().iter().map(|(key, part)| part_of(key, part)).collect();
    text.push_str(&parts.join(",\n"));
    text + "\n}\n"
}

fn part_of(key: &str, part: &Value) -> String {
    let (inner, ends) = match (key, part) {
        ("paths" | "definitions", Value::Object(inner)) => (inner, ["{", "}"]),
        ("components", _) => (part["schemas"].as_object().unwrap(), ["{\"schemas\": {", "}}"]),
        _ => return format!("{}: {part}", json!(key)),
    };
    let inner: Vec<String> = inner.iter().map(|(name, one)| format!("{}: {one}", json!(name))).collect();
    format!("{}: {}\n{}\n{}", json!(key), ends[0], inner.join(",\n"), ends[1])
}
