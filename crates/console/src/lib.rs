//! The operator API: how things stand, why they do, and a person's decisions about what needs one.
//!
//! JSON over a listener of its own, behind bearer tokens: `read` looks, `operate` orders, `pii` sees personal values.
//! Whatever a schema does not declare free of personal data is masked by default; raw messages are never shown.
//! Lists are newest first, at most 1000 rows a page; `next` of an answer is `before` of the next question.

mod asked;
mod change;
mod deliveries;
mod desk;
mod events;
mod exchange;
mod feed;
mod figures;
mod front;
mod jobs;
mod keys;
mod letters;
mod mask;
mod order;
mod records;
mod retention;
mod rows;
mod standing;
mod systems;

use std::sync::Arc;

use axum::Router;
use config::Configuration;
use runtime::Handle;
use web::{Access, Routes, Scope, Tokens};

pub use change::{Changed, Changer, Unchanged};
pub use desk::Desk;
pub use front::{Nobody, front};

/// Every route, with who may call it.
#[must_use]
pub fn routes(hub: Handle, tokens: Tokens) -> Routes<Arc<Desk>> {
    let (read, operate) = (Access::Token(Scope::Read), Access::Token(Scope::Operate));
    Routes::new(hub, tokens)
        .get("/metrics", read, figures::metrics)
        .get("/api/v1/status", read, figures::status)
        .get("/api/v1/systems", read, systems::list)
        .get("/api/v1/systems/{system}", read, systems::get)
        .post("/api/v1/systems/{system}/pause", operate, standing::pause)
        .post("/api/v1/systems/{system}/resume", operate, standing::resume)
        .post("/api/v1/systems/{system}/breaker", operate, standing::breaker)
        .get("/api/v1/journal", read, standing::journal)
        .get("/api/v1/feed", read, feed::get)
        .get("/api/v1/configuration", read, change::runs)
        .get("/api/v1/configuration/history", read, change::history)
        .post("/api/v1/configuration/plan", operate, change::plan)
        .post("/api/v1/configuration/apply", operate, change::apply)
        .get("/api/v1/events", read, events::list)
        .get("/api/v1/events/{id}", read, events::get)
        .get("/api/v1/records", read, records::find)
        .get("/api/v1/records/{id}", read, records::get)
        .get("/api/v1/records/{id}/explain", read, records::explain::get)
        .post("/api/v1/records/{id}/settle", operate, records::settle::post)
        .post("/api/v1/records/{id}/link", operate, records::link::link)
        .post("/api/v1/records/{id}/unlink", operate, records::link::unlink)
        .get("/api/v1/decisions", read, records::settle::decisions)
        .get("/api/v1/deliveries", read, deliveries::list)
        .get("/api/v1/deliveries/{key}", read, deliveries::get)
        .post("/api/v1/deliveries/{key}/skip", operate, deliveries::skip)
        .get("/api/v1/dead-letters", read, letters::list)
        .get("/api/v1/dead-letters/groups", read, letters::groups::list)
        .get("/api/v1/dead-letters/groups/{group}", read, letters::groups::get)
        .get("/api/v1/dead-letters/{key}", read, letters::get)
        .post("/api/v1/dead-letters/{key}/retry", operate, letters::retry)
        .post("/api/v1/dead-letters/{key}/discard", operate, letters::discard)
        .post("/api/v1/dead-letters/{key}/edit", operate, letters::edit::edit)
        .post("/api/v1/dead-letters/{key}/link", operate, records::link::link_letter)
        .get("/api/v1/export", read, exchange::export)
        .post("/api/v1/import", operate, exchange::import::import)
        .get("/api/v1/retention", read, retention::get)
        .post("/api/v1/retention/run", operate, retention::run)
        .get("/api/v1/jobs", read, jobs::list)
        .post("/api/v1/jobs", operate, jobs::plan)
        .get("/api/v1/jobs/{job}", read, jobs::get)
        .post("/api/v1/jobs/{job}/apply", operate, jobs::apply)
        .post("/api/v1/jobs/{job}/pause", operate, jobs::pause)
        .post("/api/v1/jobs/{job}/resume", operate, jobs::resume)
        .post("/api/v1/jobs/{job}/cancel", operate, jobs::cancel)
}

/// The router of the operator listener.
pub fn router(hub: Handle, configuration: Arc<Configuration>, tokens: Tokens) -> Router {
    routes(hub.clone(), tokens).build(Arc::new(Desk::new(hub, configuration)))
}

/// The same for a hub that can change its configuration.
pub fn changing_router(
    hub: Handle,
    configuration: Arc<Configuration>,
    changer: Arc<dyn Changer>,
    tokens: Tokens,
) -> Router {
    let desk = Desk { changer: Some(changer), ..Desk::new(hub.clone(), configuration) };
    routes(hub, tokens).build(Arc::new(desk))
}

#[cfg(test)]
mod tests;
