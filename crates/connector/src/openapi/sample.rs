//! First fixtures of a manifest that was made: each operation once, with answers of the form that the document has.

use std::collections::BTreeMap;

use canonical::Object;
use serde_json::{Map, Value, json};

use super::resource::Resource;
use super::server::Server;
use super::text;
use crate::{Call, Connector, Cursor, Manifest, Response, Write, case};

/// What the case of a create is called.
const MADE: &str = "one is made";
/// The value of each parameter.
const PARAMETER: &str = "17";
/// The id of each object.
const ID: &str = "7";
/// When each was changed last.
const CHANGED: &str = "2026-11-22T11:59:00Z";

/// The fixtures, as YAML; `None` when the manifest can't be bound.
pub(super) fn fixtures(manifest: &Manifest, server: &Server, resources: &[Resource]) -> Option<String> {
    let of_server = server.parameters.iter().map(|(name, _)| name.clone());
    let names = text::parameters(resources).into_iter().chain(of_server);
    let parameters: BTreeMap<String, Value> = names.map(|name| (name, json!(PARAMETER))).collect();
    let connector = manifest.with_parameters(&parameters).ok()?;
    let mut page = "# Made from the OpenAPI document: what it says of requests and answers, and nothing of what was seen. Put real ones in\n\
                    # their place (`concord connector try … --fixture`), and add refusals: at least one answer each that is `rate_limited`,\n\
                    # `validation` and `uncertain`.\n"
        .to_owned();
    if !parameters.is_empty() {
        page.push_str("parameters:\n");
        for name in parameters.keys() {
            page.push_str(&format!("  {name}: \"{PARAMETER}\"\n"));
        }
    }
    page.push_str("cases:\n");
    for resource in resources {
        for case in of(resource, &connector) {
            page.push_str(&case);
        }
    }
    Some(page)
}

fn of(resource: &Resource, connector: &Connector) -> Vec<String> {
    let Ok(object) = Object::new(&resource.object) else { return Vec::new() };
    let whole = resource.item_sample();
    let mut cases = Vec::new();
    let mut add = |name: &str, call: Call, status: u16, body: Option<Value>| {
        let located = resource.located && body.is_none() && name == MADE;
        let headers = located.then(|| ("location".to_owned(), format!("{}/{ID}", resource.collection)));
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let response = Response { status, headers: headers.into_iter().collect(), body };
        let name = format!("{}: {name}", resource.object);
        cases.extend(case(&name, connector, &call, &response, None));
    };
    for operation in resource.operations() {
        match operation {
            "list" => {
                let items = resource.list.as_ref().and_then(|list| list.items.clone());
                let body = match items {
                    Some(items) => json!({ items: [whole] }),
                    None => json!([whole]),
                };
                let now = crate::fixture::NOW;
                add(
                    "what changed is listed",
                    Call::List { object: object.clone(), cursor: Cursor::default(), now },
                    200,
                    Some(body),
                );
            }
            "fetch" => {
                let call = Call::Fetch { object: object.clone(), external_id: ID.to_owned() };
                add("one is read", call, 200, Some(resource.wrap(&whole)));
            }
            "create" => {
                let status = resource.create.as_ref().and_then(|change| change.status).unwrap_or(201);
                let call = Call::Write(resource.write(&object, "create", None));
                add(MADE, call, status, (!resource.located).then(|| resource.wrap(&whole)));
            }
            "update" => {
                let call = Call::Write(resource.write(&object, "update", Some(ID)));
                let change = resource.update.as_ref().map(|(_, change)| change);
                let status = change.and_then(|change| change.status).unwrap_or(200);
                let answers = change.is_some_and(|change| change.answers);
                add("one is changed", call, status, answers.then(|| resource.wrap(&whole)));
            }
            _ => {
                let status = resource.delete.as_ref().and_then(|change| change.status).unwrap_or(204);
                add("one is deleted", Call::Write(resource.write(&object, "delete", Some(ID))), status, None);
            }
        }
    }
    cases
}

impl Resource {
    fn sample_fields(&self) -> Map<String, Value> {
        self.fields.iter().cloned().collect()
    }

    fn item_sample(&self) -> Value {
        let mut whole = self.sample_fields();
        whole.insert(self.id.0.clone(), json!(ID));
        whole.extend(self.version.iter().map(|name| (name.clone(), json!(1))));
        whole.extend(self.changed.iter().map(|name| (name.clone(), json!(CHANGED))));
        Value::Object(whole)
    }

    fn wrap(&self, item: &Value) -> Value {
        match &self.wrapped {
            Some(wrapped) => json!({ wrapped: item }),
            None => item.clone(),
        }
    }

    fn write(&self, object: &Object, operation: &str, id: Option<&str>) -> Write {
        let fields = std::sync::Arc::new(self.sample_fields());
        Write {
            object: object.clone(),
            operation: operation.to_owned(),
            key: crate::fixture::key(),
            external_id: id.map(str::to_owned),
            whole: std::sync::Arc::clone(&fields),
            fields,
            known: std::sync::Arc::default(),
            expected: None,
            version: None,
            association: None,
            intent: crate::fixture::intent(),
        }
    }
}
