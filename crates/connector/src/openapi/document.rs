//! An OpenAPI document, with its references followed.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::ScaffoldError;

/// Most references that are followed for one thing.
const HOPS_MAX: usize = 16;

/// A document.
#[derive(Debug)]
pub(super) struct Document {
    root: Value,
}

/// The methods that operations can have.
pub(super) const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

impl Document {
    pub(super) fn new(root: Value) -> Result<Self, ScaffoldError> {
        match (root["openapi"].as_str(), root.get("swagger")) {
            (Some(version), _) if version.starts_with("3.") => Ok(Self { root }),
            (Some(version), _) => Err(ScaffoldError::Version(format!("openapi {version}"))),
            (None, Some(version)) => Err(ScaffoldError::Version(format!("swagger {version}"))),
            (None, None) => Err(ScaffoldError::Version("it has no key `openapi`".to_owned())),
        }
    }

    pub(super) fn title(&self) -> &str {
        self.root["info"]["title"].as_str().unwrap_or_default()
    }

    pub(super) fn version(&self) -> &str {
        self.root["info"]["version"].as_str().unwrap_or_default()
    }

    /// The page that documents it, if it names one.
    pub(super) fn page(&self) -> Option<&str> {
        self.root["externalDocs"]["url"].as_str()
    }

    /// The first server.
    pub(super) fn server(&self) -> &Value {
        &self.root["servers"][0]
    }

    /// What an operation asks for, or all of them: alternatives, each a table of schemes with their scopes.
    pub(super) fn security<'d>(&'d self, operation: Option<&'d Value>) -> Option<&'d Vec<Value>> {
        let own = operation.and_then(|operation| operation["security"].as_array());
        own.or_else(|| self.root["security"].as_array())
    }

    /// The names of the messages that it sends by itself (OpenAPI 3.1).
    pub(super) fn webhooks(&self) -> impl Iterator<Item = &str> {
        self.root["webhooks"].as_object().into_iter().flatten().map(|(name, _)| name.as_str())
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.root["paths"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(path, item)| (path.as_str(), self.at(item)))
    }

    pub(super) fn security_schemes(&self) -> impl Iterator<Item = (&str, &Value)> {
        let schemes = self.root["components"]["securitySchemes"].as_object();
        schemes.into_iter().flatten().map(|(name, scheme)| (name.as_str(), self.at(scheme)))
    }

    /// What a value refers to, or itself.
    pub(super) fn at<'d>(&'d self, value: &'d Value) -> &'d Value {
        let mut value = value;
        for _ in 0..HOPS_MAX {
            let Some(reference) = value["$ref"].as_str() else { return value };
            match reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer)) {
                Some(found) => value = found,
                None => return value,
            }
        }
        value
    }

    /// The media types of an operation's body, each with its schema as it is written.
    pub(super) fn bodies<'d>(&'d self, operation: &'d Value) -> Vec<(&'d str, &'d Value)> {
        let content = self.at(&operation["requestBody"])["content"].as_object();
        content.into_iter().flatten().map(|(media, one)| (media.as_str(), &one["schema"])).collect()
    }

    /// An operation's first success, and its status where that is one number.
    pub(super) fn success<'d>(&'d self, operation: &'d Value) -> Option<(Option<u16>, &'d Value)> {
        let responses = operation["responses"].as_object()?;
        let (status, answer) = responses.iter().find(|(status, _)| status.starts_with('2'))?;
        Some((status.parse().ok(), self.at(answer)))
    }

    /// The schema of an operation's first success.
    pub(super) fn answered<'d>(&'d self, operation: &'d Value) -> Option<&'d Value> {
        let content = self.success(operation)?.1["content"].as_object()?;
        let json = content.iter().find(|(media, _)| media.contains("json") || *media == "*/*")?;
        Some(self.at(&json.1["schema"]))
    }

    /// Whether a property of a schema is that schema again.
    pub(super) fn leads_back(&self, schema: &Value, property: &str) -> bool {
        let schema = self.at(schema);
        std::ptr::eq(self.at(&schema["properties"][property]), schema)
    }

    /// The properties of an object's schema, those of its parts included.
    pub(super) fn properties(&self, schema: &Value) -> Map<String, Value> {
        let mut all = Map::new();
        self.collect(schema, 0, &mut BTreeSet::new(), &mut all);
        all
    }

    /// Each schema counts once, wherever it is named: they may lead back to themselves, and to each other many times.
    fn collect(
        &self,
        schema: &Value,
        depth: usize,
        seen: &mut BTreeSet<*const Value>,
        all: &mut Map<String, Value>,
    ) {
        let schema = self.at(schema);
        if depth > HOPS_MAX || !seen.insert(std::ptr::from_ref(schema)) {
            return;
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            all.insert(name.clone(), self.at(property).clone());
        }
        for part in ["allOf", "oneOf", "anyOf"] {
            for part in schema[part].as_array().into_iter().flatten() {
                self.collect(part, depth + 1, seen, all);
            }
        }
    }

    /// The parameters of an operation that stand in the query.
    pub(super) fn query<'d>(&'d self, path: &'d Value, operation: &'d Value) -> Vec<(&'d str, &'d Value)> {
        let in_query = self.parameters(path, operation).filter(|one| one["in"] == "query");
        in_query.filter_map(|one| Some((one["name"].as_str()?, self.at(&one["schema"])))).collect()
    }

    /// Its headers, and whether each must be there.
    pub(super) fn headers<'d>(&'d self, path: &'d Value, operation: &'d Value) -> Vec<(&'d str, bool)> {
        let in_headers = self.parameters(path, operation).filter(|one| one["in"] == "header");
        in_headers.filter_map(|one| Some((one["name"].as_str()?, one["required"] == true))).collect()
    }

    fn parameters<'d>(&'d self, path: &'d Value, operation: &'d Value) -> impl Iterator<Item = &'d Value> {
        let lists = [&path["parameters"], &operation["parameters"]];
        lists.into_iter().filter_map(Value::as_array).flatten().map(|one| self.at(one))
    }
}

/// Whether a schema is of that type (in OpenAPI 3.1 it may be one of several).
pub(super) fn is(schema: &Value, kind: &str) -> bool {
    match &schema["type"] {
        Value::String(one) => one == kind,
        Value::Array(several) => several.iter().any(|one| one == kind),
        // A schema with properties is an object, one with items a list.
        _ => match kind {
            "object" => ["properties", "allOf", "oneOf", "anyOf"].iter().any(|key| schema.get(key).is_some()),
            "array" => schema.get("items").is_some(),
            _ => false,
        },
    }
}
