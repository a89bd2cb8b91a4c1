//! Several tenants behind the operators' listener: a token is one tenant's, and all that it can reach is that tenant's.
//!
//! No address names a tenant, so that none can be tried out. What comes without a tenant's token is answered alike,
//! whatever it asks for. The hub's own token opens the figures that are no tenant's: those of the store that they share.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use runtime::Storage;
use runtime::clock::Clock;
use telemetry::Registry;
use web::{Access, Door, Routes, Scope, Tokens};

use crate::figures::OPENMETRICS;

/// What is before all tenants.
pub struct Nobody {
    /// The store that they share.
    pub store: Arc<dyn Storage>,
    /// What is told of requests that belong to no tenant.
    pub telemetry: Arc<Registry>,
    /// The hub's own tokens.
    pub tokens: Tokens,
}

/// The router of an operators' listener with several tenants, each with its tokens. `places` are connections.
pub fn front(tenants: Vec<(Tokens, Door)>, nobody: Nobody, clock: Clock, places: usize) -> Router {
    let (telemetry, tokens) = (Arc::clone(&nobody.telemetry), nobody.tokens.clone());
    let routes = Routes::of_nobody(clock, telemetry, tokens)
        .get("/metrics", Access::Token(Scope::Read), metrics)
        .closed();
    web::by_token(tenants, routes.build(Arc::new(nobody)), places)
}

async fn metrics(State(nobody): State<Arc<Nobody>>) -> Response {
    nobody.telemetry.note_store(&nobody.store.stats());
    ([(CONTENT_TYPE, OPENMETRICS)], nobody.telemetry.text()).into_response()
}
