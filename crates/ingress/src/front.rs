//! Several tenants behind the public listener: each under the path of its own `public_url`.
//!
//! What is reached under no tenant's path is answered as a tenant would answer that has no sources and knows no token:
//! from outside, a tenant that is not there looks like one that does not know the caller.

use std::sync::Arc;

use axum::extract::State;
use axum::{Json, Router};
use runtime::Handle;
use runtime::clock::Clock;
use serde_json::{Value, json};
use telemetry::{Refused, Registry};
use tokio::task::JoinSet;
use web::{Access, Door, Problem, Routes, Scope, Tokens, kinds};

use crate::health::{self, RETRY};

/// What is before all tenants.
struct Nobody {
    hubs: Vec<Handle>,
    telemetry: Arc<Registry>,
}

/// The router of a public listener with several tenants, each with the path that it is reached under. `telemetry` is
/// told of what belongs to none of them; `places` are connections.
pub fn front(
    tenants: Vec<(String, Door, Handle)>,
    clock: Clock,
    telemetry: Arc<Registry>,
    places: usize,
) -> Router {
    let hubs = tenants.iter().map(|(_, _, hub)| hub.clone()).collect();
    let doors = tenants.into_iter().map(|(path, door, _)| (path, door)).collect();
    let nobody = Arc::new(Nobody { hubs, telemetry: Arc::clone(&telemetry) });
    let routes = Routes::of_nobody(clock, telemetry, Tokens::default())
        .post("/v1/webhooks/{path}", Access::Signed, unknown)
        .post("/v1/webhooks/{path}/{secret}", Access::Signed, unknown)
        .get("/v1/webhooks/{path}", Access::Signed, unknown)
        .get("/v1/webhooks/{path}/{secret}", Access::Signed, unknown)
        // There is no token that opens it.
        .post("/v1/events", Access::Token(Scope::Ingest), unknown)
        .get("/healthz", Access::Open("says only that the process answers"), health::alive)
        .get("/readyz", Access::Open("says only whether messages are taken; load balancers ask it"), ready);
    web::by_path(doors, routes.build(nobody), places)
}

async fn unknown(State(nobody): State<Arc<Nobody>>) -> Problem {
    nobody.telemetry.note_refused(None, Refused::Unknown);
    unknown_source()
}

/// No system with webhooks is reached there.
pub(crate) fn unknown_source() -> Problem {
    Problem::new(kinds::UNKNOWN_SOURCE, "no source with webhooks has this path")
}

/// Ready as long as messages of one tenant are taken: what keeps all from it is the same for all. All are asked at once,
/// so that who asks waits for the first good answer, or as long as for one tenant.
async fn ready(State(nobody): State<Arc<Nobody>>) -> Result<Json<Value>, Problem> {
    let mut asked = JoinSet::new();
    for hub in &nobody.hubs {
        let hub = hub.clone();
        asked.spawn(async move { hub.ready().await });
    }
    let mut why = "there is no tenant".to_owned();
    while let Some(answer) = asked.join_next().await {
        match answer {
            Ok(Ok(())) => return Ok(Json(json!({ "status": "ready" }))),
            Ok(Err(refused)) => why = refused.to_string(),
            Err(_) => "the question broke off".clone_into(&mut why),
        }
    }
    Err(Problem::new(kinds::BUSY, why).retry_after(RETRY))
}
