//! Events: what happened.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use canonical::{Entity, System};
use http::header::CONTENT_TYPE;
use store::browse::EventFilter;
use web::{Caller, Problem};

use crate::asked::{Asked, Named, expect};
use crate::desk::{Desk, nothing};
use crate::mask::Mask;
use crate::rows::{EventRow, Items};

pub(crate) async fn list(
    State(desk): State<Arc<Desk>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Items<EventRow>>, Problem> {
    let allowed = ["kind", "entity", "record", "source", "before", "limit"];
    let asked = Asked::read(query.as_deref(), &allowed)?;
    let part = asked.part()?;
    let filter = EventFilter {
        kind: asked.text("kind").map(str::to_owned),
        entity: asked.entity("entity")?,
        record: asked.record("record")?,
        source: asked.system("source")?,
        before: part.before,
        limit: part.limit,
    };
    let (entity, source) = (filter.entity.clone(), filter.source.clone());
    let rows = desk.events(filter).await?;
    if rows.is_empty() {
        let (systems, entities) = (&desk.configuration.systems, &desk.configuration.entities);
        expect("source", source.as_ref().map(System::as_str), systems.keys().map(System::as_str))?;
        expect("entity", entity.as_ref().map(Entity::as_str), entities.keys().map(Entity::as_str))?;
    }
    let next = part.next(&rows);
    Ok(Json(Items { items: rows.iter().map(|(_, fact)| EventRow::of(fact)).collect(), next }))
}

/// One event, as a CloudEvent.
pub(crate) async fn get(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Named(id): Named,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let asked = Asked::read(query.as_deref(), &["unmask"])?;
    let mask = Mask::asked(&desk.configuration, &asked, &caller, &id)?;
    let id = id.parse().map_err(|_| nothing("event"))?;
    let mut fact = desk.event(id).await?.ok_or_else(|| nothing("event"))?;
    fact.data = mask.fields(&fact.entity, &fact.data);
    let event = Json(fact.cloud_event().to_json());
    Ok(([(CONTENT_TYPE, "application/cloudevents+json")], event).into_response())
}
