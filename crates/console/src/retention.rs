//! Retention: what is kept for how long, what is past its time, how far the round has come; and a person's order for
//! a round at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State as Shared};
use http::HeaderMap;
use hub::{MachineId, Order, retention};
use serde::Serialize;
use store::browse::{Look, Page};
use store::retention::{Kept, Retained};
use web::{Caller, Problem};

use crate::asked::Asked;
use crate::desk::{Desk, crossed};
use crate::order;
use crate::rows::time;

/// How retention stands.
#[derive(Serialize)]
pub(crate) struct Sheet {
    kinds: Vec<KindRow>,
    /// The folder of the archive, as configured.
    archive: Option<String>,
    round: Round,
    /// What was taken away since the store was made, by kind of row.
    removed: BTreeMap<String, u64>,
    /// Who ordered a round and why, the oldest first.
    orders: Vec<OrderRow>,
}

#[derive(Serialize)]
struct KindRow {
    kind: &'static str,
    /// For how long.
    keeps: String,
    /// How many there are, at most.
    rows: Option<u64>,
    oldest: Option<String>,
    /// How many are past their time, at most; what is not closed stays all the same.
    past: Option<u64>,
}

#[derive(Serialize)]
struct Round {
    /// The walk that it is on; nothing between two rounds.
    part: Option<store::retention::Part>,
    began_at: Option<String>,
    /// When the last one that is over was over.
    ended_at: Option<String>,
}

#[derive(Serialize)]
struct OrderRow {
    at: String,
    reason: String,
}

pub(crate) async fn get(
    Shared(desk): Shared<Arc<Desk>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Sheet>, Problem> {
    Asked::read(query.as_deref(), &[])?;
    sheet(&desk).await.map(Json)
}

pub(crate) async fn run(
    Shared(desk): Shared<Arc<Desk>>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Sheet>, Problem> {
    let reason = order::reason(&caller, &headers, body).await?;
    desk.order(&MachineId::Retention, Order::Sweep { reason: reason.clone() }).await?;
    let tenant = desk.hub.tenant();
    tracing::info!(target: "concord", %tenant, class = "retention", detail = reason, "a person ordered a round");
    sheet(&desk).await.map(Json)
}

async fn sheet(desk: &Desk) -> Result<Sheet, Problem> {
    let horizons = retention::horizons(&desk.configuration, desk.hub.now().wall);
    let (kept, state) = match desk.look(Look::Retention(horizons)).await? {
        Page::Retention(kept, state) => (kept, state),
        other => return Err(crossed(&other)),
    };
    Ok(shown(desk, kept, state))
}

fn shown(desk: &Desk, kept: Vec<Kept>, state: Retained) -> Sheet {
    let keeps = &desk.configuration.settings.retention;
    let period = |kind: &str| match kind {
        "messages" => format!("{}, hashes {}", keeps.messages, keeps.seen),
        "events" => keeps.events.to_string(),
        "groups" => keeps.groups.to_string(),
        "jobs" => keeps.jobs.to_string(),
        _ => keeps.deliveries.to_string(),
    };
    let kind = |kept: Kept| KindRow {
        keeps: period(kept.kind),
        kind: kept.kind,
        rows: kept.rows,
        oldest: kept.oldest.map(time),
        past: kept.past,
    };
    Sheet {
        kinds: kept.into_iter().map(kind).collect(),
        archive: keeps.archive.as_ref().map(|folder| folder.display().to_string()),
        round: Round {
            part: state.part,
            began_at: state.began_at.map(time),
            ended_at: state.ended_at.map(time),
        },
        removed: state.removed,
        orders: state.orders.into_iter().map(|(at, reason)| OrderRow { at: time(at), reason }).collect(),
    }
}
