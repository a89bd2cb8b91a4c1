//! Deliveries: what each system must still reach, and what it has.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State as Shared};
use canonical::System;
use http::HeaderMap;
use hub::{Delivery, MachineId, Order};
use ledger::{IntentState, State};
use serde::Serialize;
use store::browse::DeliveryFilter;
use web::{Caller, Problem};

use crate::asked::{Asked, Named, expect};
use crate::desk::{Desk, nothing};
use crate::keys;
use crate::mask::Mask;
use crate::order;
use crate::rows::{AttemptRow, DeliveryRow, IntentRow, Items};

/// The states a delivery is stored in, for filters.
const STATES: [&str; 10] = [
    "pending",
    "retrying",
    "uncertain",
    "parked",
    "dead",
    "delivered",
    "superseded",
    "skipped",
    "discarded",
    "erased",
];

/// One delivery with what was done for it, newest first.
#[derive(Serialize)]
pub(crate) struct DeliverySheet {
    #[serde(flatten)]
    delivery: DeliveryRow,
    /// Whether something of it may be on the wire now.
    in_flight: bool,
    intents: Vec<IntentRow>,
    /// Sends and probes that did not simply succeed.
    attempt_log: Vec<AttemptRow>,
}

pub(crate) async fn list(
    Shared(desk): Shared<Arc<Desk>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Items<DeliveryRow>>, Problem> {
    let allowed = ["system", "state", "record", "route", "fingerprint", "before", "limit"];
    let asked = Asked::read(query.as_deref(), &allowed)?;
    let part = asked.part()?;
    let filter = DeliveryFilter {
        system: asked.system("system")?,
        states: asked.words("state", State::from_name, &STATES)?,
        record: asked.record("record")?,
        route: asked.text("route").map(str::to_owned),
        fingerprint: asked.text("fingerprint").map(str::to_owned),
        before: part.before,
        limit: part.limit,
    };
    let (system, route) = (filter.system.clone(), filter.route.clone());
    let rows = desk.deliveries(filter).await?;
    if rows.is_empty() {
        let configuration = &desk.configuration;
        expect(
            "system",
            system.as_ref().map(System::as_str),
            configuration.systems.keys().map(System::as_str),
        )?;
        expect("route", route.as_deref(), configuration.routes.iter().map(|route| route.id.as_str()))?;
    }
    let next = part.next(&rows);
    Ok(Json(Items { items: rows.iter().map(|(_, row)| DeliveryRow::of(row)).collect(), next }))
}

pub(crate) async fn get(
    Shared(desk): Shared<Arc<Desk>>,
    caller: Caller,
    Named(text): Named,
    RawQuery(query): RawQuery,
) -> Result<Json<DeliverySheet>, Problem> {
    let asked = Asked::read(query.as_deref(), &["unmask"])?;
    let mask = Mask::asked(&desk.configuration, &asked, &caller, &text)?;
    let key = keys::read(desk.hub.tenant(), &text).ok_or_else(|| nothing("delivery"))?;
    let (row, intents, attempts) = desk.delivery(key).await?.ok_or_else(|| nothing("delivery"))?;
    Ok(Json(DeliverySheet {
        delivery: DeliveryRow::of(&row),
        in_flight: intents.iter().any(|intent| intent.state == IntentState::Open),
        intents: intents.iter().map(|intent| IntentRow::of(intent, &mask)).collect(),
        attempt_log: attempts.iter().map(AttemptRow::of).collect(),
    }))
}

/// Passes over a delivery that is not at rest, and answers with it as it then stands.
pub(crate) async fn skip(
    Shared(desk): Shared<Arc<Desk>>,
    caller: Caller,
    Named(text): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<DeliveryRow>, Problem> {
    let reason = order::reason(&caller, &headers, body).await?;
    let key = keys::read(desk.hub.tenant(), &text).ok_or_else(|| nothing("delivery"))?;
    let (row, _, _) = desk.delivery(key.clone()).await?.ok_or_else(|| nothing("delivery"))?;
    let delivery = Delivery { key: key.clone(), record: row.record, object: row.object };
    let order = Order::Skip { delivery, reason: reason.clone() };
    desk.order(&MachineId::Spoke(row.system), order).await?;
    let tenant = desk.hub.tenant();
    tracing::info!(target: "concord", %tenant, delivery = text, detail = reason, "a person passed over a delivery");
    let (row, _, _) = desk.delivery(key).await?.ok_or_else(|| nothing("delivery"))?;
    Ok(Json(DeliveryRow::of(&row)))
}
