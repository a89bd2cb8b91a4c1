//! Whether the process lives, and whether it takes messages.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use web::{Problem, kinds};

use crate::app::App;

/// Says when to ask again.
pub(crate) const RETRY: Duration = Duration::from_secs(2);

pub(crate) async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

pub(crate) async fn ready(State(app): State<Arc<App>>) -> Result<Json<Value>, Problem> {
    match app.hub.ready().await {
        Ok(()) => Ok(Json(json!({ "status": "ready" }))),
        Err(why) => Err(Problem::new(kinds::BUSY, why.to_string()).retry_after(RETRY)),
    }
}
