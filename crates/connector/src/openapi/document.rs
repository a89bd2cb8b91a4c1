//! An OpenAPI document, with its references followed.

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

    /// The first server, without what varies.
    fn server(&self) -> Option<url::Url> {
        let text = self.root["servers"][0]["url"].as_str()?;
        url::Url::parse(text).ok()
    }

    /// The first server's origin.
    pub(super) fn origin(&self) -> Option<String> {
        self.server().map(|url| url.origin().ascii_serialization())
    }

    /// What every path begins with: the path of the first server.
    pub(super) fn prefix(&self) -> String {
        let text = self.root["servers"][0]["url"].as_str().unwrap_or_default();
        let path = match self.server() {
            Some(url) => url.path().to_owned(),
            // A server that is only a path.
            None if text.starts_with('/') => text.to_owned(),
            None => String::new(),
        };
        path.trim_end_matches('/').to_owned()
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

    /// The schema of an operation's JSON body.
    pub(super) fn sent<'d>(&'d self, operation: &'d Value) -> Option<&'d Value> {
        self.json_of(self.at(&operation["requestBody"]))
    }

    /// The schema of an operation's first success.
    pub(super) fn answered<'d>(&'d self, operation: &'d Value) -> Option<&'d Value> {
        let responses = operation["responses"].as_object()?;
        let success = responses.iter().find(|(status, _)| status.starts_with('2'))?;
        self.json_of(self.at(success.1))
    }

    fn json_of<'d>(&'d self, holder: &'d Value) -> Option<&'d Value> {
        let content = holder["content"].as_object()?;
        let json = content.iter().find(|(media, _)| media.contains("json"))?;
        Some(self.at(&json.1["schema"]))
    }

    /// The properties of an object's schema, those of its parts included.
    pub(super) fn properties(&self, schema: &Value) -> Map<String, Value> {
        let mut all = Map::new();
        self.collect(schema, 0, &mut all);
        all
    }

    fn collect(&self, schema: &Value, depth: usize, all: &mut Map<String, Value>) {
        if depth > HOPS_MAX {
            return;
        }
        let schema = self.at(schema);
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            all.insert(name.clone(), self.at(property).clone());
        }
        for part in ["allOf", "oneOf", "anyOf"] {
            for part in schema[part].as_array().into_iter().flatten() {
                self.collect(part, depth + 1, all);
            }
        }
    }

    /// The parameters of an operation that stand in the query.
    pub(super) fn query<'d>(&'d self, path: &'d Value, operation: &'d Value) -> Vec<(&'d str, &'d Value)> {
        let lists = [&path["parameters"], &operation["parameters"]];
        let all = lists.into_iter().filter_map(Value::as_array).flatten().map(|one| self.at(one));
        let in_query = all.filter(|one| one["in"] == "query");
        in_query.filter_map(|one| Some((one["name"].as_str()?, self.at(&one["schema"])))).collect()
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
