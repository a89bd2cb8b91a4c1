//! Figures: metrics for a scraper, and the live view as one document.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use serde::Serialize;
use telemetry::{Gauges, Lags, SystemFigures, Totals};
use web::Problem;

use crate::asked::Asked;
use crate::desk::Desk;
use crate::rows::time;
use crate::systems::breaker;

/// Everything at one moment. Counts are since the start of the process.
#[derive(Serialize)]
pub(crate) struct Status {
    tenant: String,
    region: Option<String>,
    at: String,
    /// Changes with any file of the configuration.
    configuration: String,
    /// Whether messages are taken in now.
    ready: bool,
    /// Why not.
    not_ready: Option<String>,
    totals: Totals,
    lag_ms: LagRow,
    systems: BTreeMap<String, SystemStatus>,
}

#[derive(Serialize)]
struct SystemStatus {
    counts: SystemFigures,
    breaker: &'static str,
    now: Gauges,
    lag_ms: LagRow,
}

/// From a level's raise until the target reached it, in milliseconds, at most an eighth too long.
#[derive(Serialize)]
struct LagRow {
    count: u64,
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
}

impl LagRow {
    fn of(lags: &Lags) -> Self {
        let at = |q| lags.quantile(q).map(|lag| lag.as_secs_f64() * 1000.0);
        Self { count: lags.count(), p50: at(0.5), p95: at(0.95), p99: at(0.99) }
    }
}

/// The type of OpenMetrics text.
pub(crate) const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// OpenMetrics text.
pub(crate) async fn metrics(State(desk): State<Arc<Desk>>) -> Response {
    desk.hub.telemetry().note_store(&desk.hub.browse().stats());
    ([(CONTENT_TYPE, OPENMETRICS)], desk.hub.telemetry().text()).into_response()
}

pub(crate) async fn status(
    State(desk): State<Arc<Desk>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Status>, Problem> {
    Asked::read(query.as_deref(), &[])?;
    let not_ready = desk.hub.ready().await.err().map(|why| why.to_string());
    let snapshot = desk.hub.telemetry().snapshot();
    let lag_ms = LagRow::of(&snapshot.lags());
    let mut all = snapshot.systems;
    for system in desk.configuration.systems.keys() {
        all.entry(system.clone()).or_default();
    }
    let systems = all.into_iter().map(|(system, (counts, now, lags))| {
        let status = SystemStatus { counts, breaker: breaker(now.breaker), now, lag_ms: LagRow::of(&lags) };
        (system.to_string(), status)
    });
    Ok(Json(Status {
        tenant: desk.hub.tenant().to_string(),
        region: desk.configuration.settings.region.clone(),
        at: time(desk.hub.now().wall),
        configuration: desk.configuration.digest.clone(),
        ready: not_ready.is_none(),
        not_ready,
        totals: snapshot.totals,
        lag_ms,
        systems: systems.collect(),
    }))
}
