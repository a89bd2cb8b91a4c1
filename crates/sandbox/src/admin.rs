//! The admin API under `/_admin/`: faults, the oracle's read-out, people's edits, tokens, limits, webhooks.
//!
//! It has no credentials of its own: what protects it is that the sandbox listens on loopback. It is never counted as
//! a call and no fault touches it, except that a refused port refuses it too.
//!
//! | request | does |
//! |---|---|
//! | `GET /_admin/books[?history=0]` | everything the oracle may ask ([`Books`](crate::Books)) |
//! | `GET /_admin/busiest?window_ms=10000[&operation=search]` | `{"calls": n}`, the most calls in any such window |
//! | `GET /_admin/faults` | faults in force by number |
//! | `POST /_admin/faults` | puts a [`Fault`] in force; `for_ms` sets its end from now; answers `{"id": n}` |
//! | `DELETE /_admin/faults[/{id}]` | ends one or all |
//! | `POST /_admin/edits` | makes an [`Edit`] as a person; answers `{"id": …}` |
//! | `POST /_admin/tokens` | `{"do": "expire"}`, `"revoke"` or `"restore"` |
//! | `GET`, `PATCH /_admin/limits` | reads or changes [`Limits`] |
//! | `PUT`, `DELETE /_admin/webhook` | sets or stops the [`WebhookTarget`] |
//! | `POST /_admin/properties` | declares a [`Property`] (CRM) |

use http::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::fault::{Fault, FaultKind};
use crate::options::{Limits, Property, WebhookTarget};
use crate::person::{Edit, EditError};
use crate::request::{Request, Response, empty, json as answer, parameter};
use crate::world::World;

/// An admin request that can't be done: status and what to do about it.
type Refused = (u16, String);

pub(crate) fn is_for(path: &str) -> bool {
    path.strip_prefix("/_admin").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub(crate) fn serve(world: &mut World, request: &Request, now_ms: u64) -> Response {
    match route(world, request, now_ms) {
        Ok(Value::Null) => empty(204),
        Ok(body) => answer(200, &body),
        Err((status, error)) => answer(status, &json!({ "error": error })),
    }
}

fn route(world: &mut World, request: &Request, now_ms: u64) -> Result<Value, Refused> {
    let path = request.uri().path().trim_start_matches("/_admin").trim_matches('/');
    let query = request.uri().query().unwrap_or("");
    match (request.method(), path) {
        (&Method::GET, "books") => {
            let history = parameter(query, "history").as_deref() != Some("0");
            let books = if history { world.books() } else { world.books_without_history() };
            to_json(&books)
        }
        (&Method::GET, "busiest") => {
            let window_ms = parameter(query, "window_ms").and_then(|text| text.parse().ok()).unwrap_or(1000);
            let operation = parameter(query, "operation");
            Ok(json!({ "calls": world.busiest(window_ms, operation.as_deref()) }))
        }
        (&Method::GET, "faults") => to_json(&world.faults()),
        (&Method::POST, "faults") => add_fault(world, request, now_ms),
        (&Method::DELETE, "faults") => {
            world.clear_faults();
            Ok(Value::Null)
        }
        (&Method::DELETE, path) if path.starts_with("faults/") => {
            let id = path.trim_start_matches("faults/").parse().ok();
            match id.filter(|id| world.remove_fault(*id)) {
                Some(_) => Ok(Value::Null),
                None => {
                    Err((404, format!("no fault in force under {path}: list them with GET /_admin/faults")))
                }
            }
        }
        (&Method::POST, "edits") => match world.person(body::<Edit>(request)?, now_ms) {
            Ok(id) => Ok(json!({ "id": id })),
            Err(error @ EditError::Missing { .. }) => Err((404, error.to_string())),
            Err(error) => Err((400, error.to_string())),
        },
        (&Method::POST, "tokens") => tokens(world, request),
        (&Method::GET, "limits") => to_json(world.limits()),
        (&Method::PATCH, "limits") => limits(world, request),
        (&Method::PUT, "webhook") => {
            let target: WebhookTarget = body(request)?;
            world.set_webhook(Some(target), now_ms);
            Ok(Value::Null)
        }
        (&Method::DELETE, "webhook") => {
            world.set_webhook(None, now_ms);
            Ok(Value::Null)
        }
        (&Method::POST, "properties") => {
            world.define_property(body::<Property>(request)?).map_err(|reason| (409, reason))?;
            Ok(Value::Null)
        }
        (method, path) => Err((
            404,
            format!("the admin API has no {method} {path:?}: see the documentation of sandbox::admin"),
        )),
    }
}

fn add_fault(world: &mut World, request: &Request, now_ms: u64) -> Result<Value, Refused> {
    let mut given: Value = body(request)?;
    let for_ms = given.as_object_mut().and_then(|object| object.remove("for_ms"));
    let mut fault: Fault =
        serde_json::from_value(given.clone()).map_err(|error| (400, format!("this is no fault: {error}")))?;
    // A flattened kind can't refuse unknown keys by itself, and a typo must not widen a fault.
    let known = to_json(&fault)?;
    if let Some(key) =
        given.as_object().and_then(|given| given.keys().find(|key| known.get(key.as_str()).is_none()))
    {
        return Err((
            400,
            format!("a {:?} fault has no key {key:?}: it knows {}", fault.kind.name(), keys(&known)),
        ));
    }
    if !(0.0..=1.0).contains(&fault.chance) {
        return Err((400, format!("chance must lie between 0 and 1, not {}", fault.chance)));
    }
    if let Some(for_ms) = for_ms {
        let Some(for_ms) = for_ms.as_u64() else {
            return Err((400, format!("for_ms must be a whole number of milliseconds, not {for_ms}")));
        };
        fault.until_ms = Some(now_ms + for_ms);
    }
    if fault.kind == FaultKind::Refuse && fault.until_ms.is_none() {
        return Err((
            400,
            "a refused port refuses this API too: give the fault an end with for_ms".to_owned(),
        ));
    }
    if matches!(fault.kind, FaultKind::Rule { .. }) && fault.body.as_deref().is_none_or(str::is_empty) {
        return Err((400, "a rule needs a body: the text of the records that it refuses".to_owned()));
    }
    Ok(json!({ "id": world.add_fault(fault) }))
}

fn tokens(world: &mut World, request: &Request) -> Result<Value, Refused> {
    let given: Value = body(request)?;
    match given.get("do").and_then(Value::as_str) {
        Some("expire") => {
            if !world.expire_tokens() {
                let why = "this system has a standing credential and issues no tokens: use {\"do\": \"revoke\"}, \
                           or an expire_tokens fault for one 401";
                return Err((409, why.to_owned()));
            }
        }
        Some("revoke") => world.revoke_credential(true),
        Some("restore") => world.revoke_credential(false),
        _ => return Err((400, format!("\"do\" must be expire, revoke or restore, not {given}"))),
    }
    Ok(Value::Null)
}

fn limits(world: &mut World, request: &Request) -> Result<Value, Refused> {
    let mut all = to_json(world.limits())?;
    let patch: serde_json::Map<String, Value> = body(request)?;
    if let Some(object) = all.as_object_mut() {
        object.extend(patch);
    }
    let limits: Limits =
        serde_json::from_value(all).map_err(|error| (400, format!("these are no limits: {error}")))?;
    world.set_limits(limits);
    to_json(world.limits())
}

fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Refused> {
    serde_json::from_slice(request.body()).map_err(|error| {
        (400, format!("the body of {} {} is wrong: {error}", request.method(), request.uri().path()))
    })
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<Value, Refused> {
    serde_json::to_value(value)
        .map_err(|error| (500, format!("the answer can't be written as JSON: {error}")))
}

fn keys(value: &Value) -> String {
    value.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>().join(", ")).unwrap_or_default()
}
