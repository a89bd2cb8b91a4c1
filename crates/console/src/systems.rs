//! Systems: how each stands. (Orders about them: `standing`.)

mod sheet;

pub(crate) use sheet::binds;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use canonical::System;
use config::History;
use ledger::Lane;
use serde::Serialize;
use store::SystemState;
use store::browse::SystemCounts;
use telemetry::Gauges;
use web::Problem;

use crate::asked::{Asked, Named, bad};
use crate::desk::Desk;
use crate::rows::{Items, time};

/// A system.
#[derive(Serialize)]
pub(crate) struct SystemRow {
    system: String,
    /// The connector's name; null when the system is not in the configuration any more.
    connector: Option<String>,
    connector_version: Option<String>,
    /// `running`, `paused`, `unlisted` (nothing is delivered before it was listed for the first time), `throttled`, `silent`
    /// (something that is expected to be heard of it is not) or `removed`.
    state: &'static str,
    /// Who paused it, and why.
    paused: Option<String>,
    /// How many parts of its work an operator holds back.
    holds: usize,
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

/// One system with why what waits, waits; and, where `calls` is given, when so many would be through on a `lane`.
pub(crate) async fn get(
    State(desk): State<Arc<Desk>>,
    Named(name): Named,
    RawQuery(query): RawQuery,
) -> Result<Json<sheet::Sheet>, Problem> {
    let asked = Asked::read(query.as_deref(), &["calls", "lane"])?;
    let lane = asked.words("lane", |word| Lane::ALL.into_iter().find(|lane| lane.name() == word), &LANES)?;
    let lane = match lane.as_slice() {
        [] => Lane::Bulk,
        [lane] => *lane,
        _ => return Err(bad("lane", "write one lane")),
    };
    let calls = asked.text("calls").map(|text| {
        text.parse::<u64>().map_err(|_| bad("calls", "write how many calls are planned, such as 20000"))
    });
    let forecast = calls.transpose()?.map(|calls| (calls, lane));
    let system = desk.named(&name)?;
    let (state, counts) = {
        let mut all = desk.systems().await?.into_iter();
        all.find(|(state, _)| state.system == system)
            .map_or_else(|| (None, SystemCounts::default()), |(state, counts)| (Some(state), counts))
    };
    let figures = desk.hub.telemetry().snapshot().systems;
    let gauges = figures.get(&system).map(|(_, gauges, _)| *gauges).unwrap_or_default();
    let described = desk.described(&system, forecast).await?;
    let row = row(&desk, &system, state, &counts, gauges);
    let permits = desk.configuration.permits(&system);
    Ok(Json(sheet::Sheet::of(row, &described, permits, forecast)))
}

const LANES: [&str; 3] = ["critical", "standard", "bulk"];

fn row(
    desk: &Desk,
    system: &System,
    state: Option<SystemState>,
    counts: &SystemCounts,
    gauges: Gauges,
) -> SystemRow {
    let settings = desk.configuration.systems.get(system);
    let holds = state.as_ref().map_or(0, |state| state.standing.holds.len());
    let unlisted = settings.zip(state.as_ref()).is_some_and(|(settings, state)| {
        settings.history == History::Plan && state.first_listings.values().any(|first| !first.approved)
    });
    let (paused, instance) = state.map(|state| (state.paused, state.instance)).unwrap_or_default();
    let standing = match () {
        () if settings.is_none() => "removed",
        () if paused.is_some() || gauges.paused => "paused",
        () if unlisted => "unlisted",
        () if gauges.throttled => "throttled",
        () if gauges.silent > 0 => "silent",
        () => "running",
    };
    SystemRow {
        system: system.to_string(),
        connector: settings.map(|settings| settings.connector.name().to_owned()),
        connector_version: settings.map(|settings| settings.connector.version().to_owned()),
        state: standing,
        paused,
        holds,
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
