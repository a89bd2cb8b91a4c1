//! Orders about a system that stand until they are taken back: pauses, holds, forced breakers; and its journal.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use canonical::{Entity, RecordId, RouteId};
use dispatch::Forced;
use http::HeaderMap;
use hub::{MachineId, Order};
use serde::{Deserialize, Serialize};
use store::{Change, HeldPart};
use web::{Caller, Problem, kinds};

use crate::asked::{Asked, Named, expect};
use crate::desk::Desk;
use crate::order::{self, Given};
use crate::rows::{Items, time};

/// What is paused or goes on: all of the system, or a part.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    entity: Option<String>,
    #[serde(default)]
    route: Option<String>,
    #[serde(default)]
    record: Option<String>,
}

impl Given for Part {
    const WANTED: &'static str = "the body must be a JSON object with `reason`, a text, and at most one of `entity`, \
        `route` and `record` for a part of the system's work";
    fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

/// What is ordered of a breaker.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Breaker {
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    operation: Option<String>,
    #[serde(default)]
    to: String,
}

impl Given for Breaker {
    const WANTED: &'static str = "the body must be a JSON object with `to` (`open`, `closed` or `auto`), `reason`, and perhaps `operation`";
    fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

/// What became of an order.
#[derive(Serialize)]
pub(crate) struct Ordered {
    system: String,
    paused: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<String>,
}

/// What became of an order about a breaker.
#[derive(Serialize)]
pub(crate) struct Forcing {
    system: String,
    operation: Option<String>,
    to: String,
}

/// A line of a system's journal.
#[derive(Serialize)]
pub(crate) struct ChangeRow {
    at: String,
    system: String,
    what: String,
    about: Option<String>,
    why: Option<String>,
}

impl ChangeRow {
    fn of(change: &Change) -> Self {
        let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Self {
            at: time(change.at),
            system: change.system.to_string(),
            what: change.what.clone(),
            about: text(&change.about),
            why: text(&change.why),
        }
    }
}

impl Part {
    /// The part, checked against the configuration: a slip would hold nothing back. What is no longer configured can
    /// still be released.
    fn scope(&self, desk: &Desk, system: &str, known: bool) -> Result<Option<HeldPart>, Problem> {
        let configuration = &desk.configuration;
        match (&self.entity, &self.route, &self.record) {
            (None, None, None) => Ok(None),
            (Some(name), None, None) => {
                let entities = configuration.entities.keys().map(Entity::as_str);
                expect("entity", Some(name.as_str()).filter(|_| known), entities)?;
                let entity = Entity::new(name);
                entity.map(|entity| Some(HeldPart::Entity(entity))).map_err(|_| malformed("entity"))
            }
            (None, Some(name), None) => {
                let routes = configuration.routes.iter().filter(|route| route.system.as_str() == system);
                let routes = routes.map(|route| route.id.as_str());
                expect("route", Some(name.as_str()).filter(|_| known), routes)?;
                Ok(Some(HeldPart::Route(RouteId::from(name.as_str()))))
            }
            (None, None, Some(id)) => {
                let record: RecordId = id.parse().map_err(|_| malformed("record"))?;
                Ok(Some(HeldPart::Record(record)))
            }
            _ => Err(Problem::new(kinds::MALFORMED, Self::WANTED)),
        }
    }
}

fn malformed(what: &str) -> Problem {
    let wanted = match what {
        "record" => "write a record's id: `rec_` and 32 hexadecimal digits",
        _ => "write the name of a type, such as `Contact`",
    };
    Problem::new(kinds::MALFORMED, format!("`{what}`: {wanted}"))
}

pub(crate) async fn pause(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Named(name): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Ordered>, Problem> {
    let system = desk.named(&name)?;
    let (part, reason) = order::read::<Part>(&caller, &headers, body).await?;
    let scope = part.scope(&desk, &name, true)?;
    let shown = scope.as_ref().map(HeldPart::to_string);
    let order = match scope {
        None => Order::Pause { reason },
        Some(scope) => Order::Hold { scope, reason },
    };
    desk.order(&MachineId::Spoke(system), order).await?;
    Ok(Json(Ordered { system: name, paused: true, part: shown }))
}

pub(crate) async fn resume(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Named(name): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Ordered>, Problem> {
    let system = desk.named(&name)?;
    let (part, reason) = order::optional::<Part>(&caller, &headers, body).await?;
    let reason = reason.unwrap_or_else(|| caller.name.clone());
    let scope = part.scope(&desk, &name, false)?;
    let shown = scope.as_ref().map(HeldPart::to_string);
    let order = match scope {
        None => Order::Resume { reason },
        Some(scope) => Order::Release { scope, reason },
    };
    desk.order(&MachineId::Spoke(system), order).await?;
    Ok(Json(Ordered { system: name, paused: false, part: shown }))
}

pub(crate) async fn breaker(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Named(name): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Forcing>, Problem> {
    let system = desk.named(&name)?;
    let (given, reason) = order::read::<Breaker>(&caller, &headers, body).await?;
    let forced = match given.to.as_str() {
        "open" => Some(Forced::Open),
        "closed" => Some(Forced::Closed),
        "auto" => None,
        _ => return Err(Problem::new(kinds::MALFORMED, Breaker::WANTED)),
    };
    let operation = given.operation.filter(|operation| !operation.is_empty());
    if let Some(operation) = operation.as_deref().filter(|_| forced.is_some()) {
        let described = desk.described(&system, None).await?;
        let met = described.snapshot.iter().flat_map(|snapshot| &snapshot.breakers);
        let met: Vec<&str> = met.map(|breaker| breaker.operation.as_str()).collect();
        let connector = desk.configuration.systems.get(&system).map(|settings| &settings.connector);
        let writes = connector.into_iter().flat_map(|connector| connector.objects());
        let writes: Vec<String> = writes.map(|object| format!("write {object}")).collect();
        let known = writes.iter().map(String::as_str).chain(["read"]).chain(met);
        let known: std::collections::BTreeSet<&str> = known.collect();
        expect("operation", Some(operation), known.into_iter())?;
    }
    let order = Order::Force { operation: operation.clone(), forced, reason };
    desk.order(&MachineId::Spoke(system), order).await?;
    Ok(Json(Forcing { system: name, operation, to: given.to }))
}

/// What changed about systems, newest first.
pub(crate) async fn journal(
    State(desk): State<Arc<Desk>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Items<ChangeRow>>, Problem> {
    let asked = Asked::read(query.as_deref(), &["system", "before", "limit"])?;
    let (system, part) = (asked.system("system")?, asked.part()?);
    let rows = desk.changes(system.clone(), part.before, part.limit).await?;
    if rows.is_empty() {
        let systems = desk.configuration.systems.keys().map(canonical::System::as_str);
        expect("system", system.as_ref().map(canonical::System::as_str), systems)?;
    }
    let next = part.next(&rows);
    Ok(Json(Items { items: rows.iter().map(|(_, change)| ChangeRow::of(change)).collect(), next }))
}
