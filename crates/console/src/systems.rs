//! Systems: how each stands, and holding one.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use canonical::System;
use http::HeaderMap;
use hub::{MachineId, Order};
use serde::Serialize;
use store::SystemState;
use store::browse::SystemCounts;
use telemetry::Gauges;
use web::{Caller, Problem};

use crate::asked::{Asked, Named};
use crate::desk::Desk;
use crate::order;
use crate::rows::{Items, time};

/// A system.
#[derive(Serialize)]
pub(crate) struct SystemRow {
    system: String,
    /// The connector's name; null when the system is not in the configuration any more.
    connector: Option<String>,
    connector_version: Option<String>,
    /// `running`, `paused`, `throttled` or `removed`.
    state: &'static str,
    /// Who paused it, and why.
    paused: Option<String>,
    /// The worst of its breakers: `closed`, `half_open` or `open`.
    breaker: &'static str,
    /// The account it is connected to, once known.
    instance: Option<String>,
    open: u64,
    parked: u64,
    uncertain: u64,
    dead: u64,
    /// When the oldest open level was raised.
    oldest: Option<String>,
    /// Requests on the wire.
    in_flight: usize,
}

/// What became of an order.
#[derive(Serialize)]
pub(crate) struct Ordered {
    system: String,
    paused: bool,
}

pub(crate) const fn breaker(number: u8) -> &'static str {
    match number {
        0 => "closed",
        1 => "half_open",
        _ => "open",
    }
}

pub(crate) async fn list(
    State(desk): State<Arc<Desk>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Items<SystemRow>>, Problem> {
    Asked::read(query.as_deref(), &[])?;
    let mut known: BTreeMap<System, (Option<SystemState>, SystemCounts)> = BTreeMap::new();
    for system in desk.configuration.systems.keys() {
        known.entry(system.clone()).or_default();
    }
    for (state, counts) in desk.systems().await? {
        known.insert(state.system.clone(), (Some(state), counts));
    }
    let figures = desk.hub.telemetry().snapshot().systems;
    let gauges = |system: &System| figures.get(system).map(|(_, gauges, _)| *gauges).unwrap_or_default();
    let rows = known.into_iter().map(|(system, (state, counts))| {
        let gauges = gauges(&system);
        row(&desk, &system, state, &counts, gauges)
    });
    Ok(Json(Items { items: rows.collect(), next: None }))
}

fn row(
    desk: &Desk,
    system: &System,
    state: Option<SystemState>,
    counts: &SystemCounts,
    gauges: Gauges,
) -> SystemRow {
    let settings = desk.configuration.systems.get(system);
    let (paused, instance) = state.map(|state| (state.paused, state.instance)).unwrap_or_default();
    let standing = match () {
        () if settings.is_none() => "removed",
        () if paused.is_some() || gauges.paused => "paused",
        () if gauges.throttled => "throttled",
        () => "running",
    };
    SystemRow {
        system: system.to_string(),
        connector: settings.map(|settings| settings.connector.name().to_owned()),
        connector_version: settings.map(|settings| settings.connector.version().to_owned()),
        state: standing,
        paused,
        breaker: breaker(gauges.breaker),
        instance,
        open: counts.open,
        parked: counts.parked,
        uncertain: counts.uncertain,
        dead: counts.dead,
        oldest: counts.oldest.map(time),
        in_flight: gauges.in_flight,
    }
}

pub(crate) async fn pause(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Named(name): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Ordered>, Problem> {
    let system = desk.named(&name)?;
    let reason = order::reason(&caller, &headers, body).await?;
    desk.order(&MachineId::Spoke(system), Order::Pause { reason }).await?;
    Ok(Json(Ordered { system: name, paused: true }))
}

pub(crate) async fn resume(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Named(name): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Ordered>, Problem> {
    let system = desk.named(&name)?;
    let reason =
        order::optional_reason(&caller, &headers, body).await?.unwrap_or_else(|| caller.name.clone());
    desk.order(&MachineId::Spoke(system), Order::Resume { reason }).await?;
    Ok(Json(Ordered { system: name, paused: false }))
}
