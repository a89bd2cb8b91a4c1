//! An OpenAPI document (3.0, or 2.0): which of its operations a request is, and whether it is as that operation says.

use std::collections::BTreeMap;

use connector::Request;
use serde_json::{Map, Value, json};

use crate::{form, schema};

/// A document whose schemas are JSON Schemas.
pub(crate) struct Document {
    root: Value,
}

/// An operation of it.
pub(crate) struct Operation<'d> {
    pub(crate) template: &'d str,
    pub(crate) method: String,
    pub(crate) item: &'d Value,
    pub(crate) body: &'d Value,
    /// What stands in the places of its path.
    pub(crate) values: BTreeMap<&'d str, String>,
}

impl Document {
    /// Reads it. Objects are closed, so that a name it does not know is found, except the `open` ones.
    pub(crate) fn new(mut root: Value, open: &[&str]) -> Self {
        schema::prepare(&mut root, open);
        Self { root }
    }

    /// As it is written.
    pub(crate) fn raw(root: Value) -> Self {
        Self { root }
    }

    pub(crate) fn root(&self) -> &Value {
        &self.root
    }

    /// The operation that a request is; of several the one with the fewest places in its path.
    pub(crate) fn find(&self, method: &str, path: &str) -> Option<Operation<'_>> {
        let path = path.split('?').next().unwrap_or_default();
        let path = path.strip_prefix(self.prefix().as_str())?;
        let found = self.root["paths"].as_object()?.iter().filter_map(|(template, item)| {
            let body = item.get(method.to_lowercase())?;
            let values = places(template, path)?;
            Some(Operation { template, method: method.to_owned(), item, body, values })
        });
        found.min_by_key(|operation| operation.values.len())
    }

    fn prefix(&self) -> String {
        let of_server = self.root["servers"][0]["url"].as_str().and_then(|url| url::Url::parse(url).ok());
        let path = of_server.map(|url| url.path().to_owned());
        let path = path.or_else(|| self.root["basePath"].as_str().map(str::to_owned)).unwrap_or_default();
        path.trim_end_matches('/').to_owned()
    }

    /// What a value refers to, or itself.
    pub(crate) fn at<'v>(&'v self, value: &'v Value) -> &'v Value {
        let Some(reference) = value["$ref"].as_str() else { return value };
        let found = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        self.at(found.unwrap_or_else(|| panic!("{reference} leads nowhere")))
    }

    /// The parameters of an operation, those of its path included.
    pub(crate) fn parameters<'d>(&'d self, operation: &Operation<'d>) -> Vec<&'d Value> {
        let lists = [&operation.item["parameters"], &operation.body["parameters"]];
        lists.into_iter().filter_map(Value::as_array).flatten().map(|one| self.at(one)).collect()
    }

    /// Its body: media types, the schema of each, and whether it must be there. Version 2.0 has it among the parameters.
    fn sent(&self, operation: &Operation<'_>) -> Option<(Vec<(String, Value)>, bool)> {
        if let Some(body) = self.parameters(operation).into_iter().find(|one| one["in"] == "body") {
            let consumed = operation.body["consumes"].as_array().cloned().unwrap_or_default();
            let media = consumed.iter().filter_map(Value::as_str);
            let media = media.map(|media| (media.to_owned(), body["schema"].clone())).collect();
            return Some((media, body["required"] == true));
        }
        let body = self.at(operation.body.get("requestBody")?);
        let content = body["content"].as_object()?;
        let media = content.iter().map(|(media, one)| (media.clone(), one["schema"].clone())).collect();
        Some((media, body["required"] == true))
    }

    /// Where a request is not as its operation says; nothing where it is.
    pub(crate) fn check(&self, operation: &Operation<'_>, request: &Request) -> Vec<String> {
        let mut told = Vec::new();
        for parameter in self.parameters(operation).into_iter().filter(|one| one["in"] == "path") {
            let name = parameter["name"].as_str().unwrap_or_default();
            match operation.values.get(name) {
                Some(text) => self.fits(parameter, &json!(text), &format!("the path's {name}"), &mut told),
                None => told.push(format!("the path has no place {name}")),
            }
        }
        self.check_query(operation, &request.path, &mut told);
        self.check_headers(operation, request, &mut told);
        self.check_body(operation, request, &mut told);
        told
    }

    fn check_query(&self, operation: &Operation<'_>, path: &str, told: &mut Vec<String>) {
        let query = path.split_once('?').map_or("", |(_, query)| query);
        let parameters = self.parameters(operation);
        let known: BTreeMap<&str, &Value> = parameters
            .iter()
            .filter(|one| one["in"] == "query")
            .filter_map(|one| Some((one["name"].as_str()?, *one)))
            .collect();
        let mut given = Map::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if known.contains_key(&*name) {
                given.insert(name.into_owned(), json!(value));
            } else {
                // `created[gte]`: a part of `created`.
                form::put(&mut given, &name, &value);
            }
        }
        for (name, value) in &given {
            match known.get(name.as_str()) {
                Some(parameter) => self.fits(parameter, value, &format!("`{name}` of the query"), told),
                None => told.push(format!("the query has `{name}`, which is not known there")),
            }
        }
        let needed =
            known.iter().filter(|(name, one)| one["required"] == true && !given.contains_key(**name));
        told.extend(needed.map(|(name, _)| format!("the query lacks `{name}`")));
    }

    fn check_headers(&self, operation: &Operation<'_>, request: &Request, told: &mut Vec<String>) {
        for parameter in self.parameters(operation).into_iter().filter(|one| one["in"] == "header") {
            let name = parameter["name"].as_str().unwrap_or_default().to_lowercase();
            // Who is asking is added by egress.
            let header = request.headers.iter().find(|(known, _)| *known == name && name != "authorization");
            match header {
                Some((_, value)) => self.fits(parameter, &json!(value), &format!("header {name}"), told),
                None if parameter["required"] == true => told.push(format!("header {name} is missing")),
                None => {}
            }
        }
    }

    fn check_body(&self, operation: &Operation<'_>, request: &Request, told: &mut Vec<String>) {
        let Some((media, required)) = self.sent(operation) else {
            if !request.body.is_empty() {
                told.push("it has a body, and none is known there".to_owned());
            }
            return;
        };
        if request.body.is_empty() {
            if required {
                told.push("it has no body".to_owned());
            }
            return;
        }
        let said =
            request.headers.iter().find(|(name, _)| name == "content-type").map_or("", |(_, value)| value);
        let Some((_, schema)) = media.iter().find(|(media, _)| media == said) else {
            told.push(format!("the body is {said}, and only {media:?} are known there"));
            return;
        };
        let body = match said.ends_with("x-www-form-urlencoded") {
            true => self.read(schema, &form::nested(&request.body)),
            false => serde_json::from_slice(&request.body).unwrap(),
        };
        told.extend(
            self.validator(schema)
                .iter_errors(&body)
                .map(|error| format!("the body's {}: {error}", error.instance_path())),
        );
    }

    /// Whether the text of a parameter, or the texts of its parts, are what it takes.
    fn fits(&self, parameter: &Value, given: &Value, what: &str, told: &mut Vec<String>) {
        // In version 2.0 a parameter is its own schema.
        let schema = parameter.get("schema").unwrap_or(parameter);
        let value = self.read(schema, given);
        let errors = self.validator(schema);
        told.extend(errors.iter_errors(&value).map(|error| format!("{what}: {error}")));
    }

    fn validator(&self, schema: &Value) -> jsonschema::Validator {
        jsonschema::draft202012::new(&schema::alone(schema, &self.root))
            .unwrap_or_else(|error| panic!("no schema: {error}: {schema}"))
    }

    /// Texts as what a schema takes them for: a form has nothing but texts.
    fn read(&self, schema: &Value, given: &Value) -> Value {
        let readings = form::readings(given);
        let fit = readings.iter().position(|reading| self.validator(schema).is_valid(reading));
        if let Some(fit) = fit {
            return readings[fit].clone();
        }
        let schema = self.at(schema);
        let Value::Object(parts) = given else { return given.clone() };
        let branches = ["anyOf", "oneOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
        let branch = branches.map(|one| self.at(one)).find(|one| {
            one.get("properties").is_some()
                || one.get("items").is_some()
                || one.get("additionalProperties").is_some()
        });
        let schema = branch.unwrap_or(schema);
        if let Some(items) = schema.get("items") {
            return parts.values().map(|part| self.read(items, part)).collect();
        }
        let of = |name: &str| schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
        let read = parts.iter().map(|(name, part)| match of(name) {
            Some(schema) if schema.is_object() => (name.clone(), self.read(schema, part)),
            _ => (name.clone(), part.clone()),
        });
        Value::Object(read.collect())
    }
}

/// What stands in the places of a path's template; `None`: it is another path.
fn places<'t>(template: &'t str, path: &str) -> Option<BTreeMap<&'t str, String>> {
    let (wanted, found) = (template.split('/'), path.split('/'));
    if wanted.clone().count() != found.clone().count() {
        return None;
    }
    let mut values = BTreeMap::new();
    for (wanted, found) in wanted.zip(found) {
        match wanted.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?))) {
            None if wanted == found => {}
            None => return None,
            Some((before, (name, after))) => {
                let value = found.strip_prefix(before)?.strip_suffix(after)?;
                let pair = format!("v={}", value.replace('+', "%2B"));
                let decoded = url::form_urlencoded::parse(pair.as_bytes()).next()?.1.into_owned();
                values.insert(name, (!decoded.is_empty()).then_some(decoded)?);
            }
        }
    }
    Some(values)
}
