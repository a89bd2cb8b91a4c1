//! `POST …/settle`: a person says what counts of a field that two systems do not agree about. `GET /decisions`: what was
//! refused, reverted, proposed or left open, of all records.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use canonical::{Field, System};
use http::HeaderMap;
use hub::{MachineId, Order};
use intake::{Choice, DecisionKind};
use serde::Deserialize;
use store::browse::DecisionFilter;
use web::{Caller, Problem, kinds};

use super::Sheet;
use super::explain::Decided;
use crate::asked::{Asked, Named, expect};
use crate::desk::Desk;
use crate::order::{self, Given};
use crate::rows::Items;

/// What counts.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settle {
    #[serde(default)]
    field: String,
    /// `record`: what it has; `other`: what the system says that says otherwise.
    #[serde(default)]
    take: String,
    #[serde(default)]
    reason: Option<String>,
}

impl Given for Settle {
    const WANTED: &'static str =
        "the body must be a JSON object with `field`, `take` (record or other) and `reason`";
    fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

pub(crate) async fn post(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Named(id): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Sheet>, Problem> {
    let (given, reason): (Settle, String) = order::read(&caller, &headers, body).await?;
    let malformed = |detail: String| Problem::new(kinds::MALFORMED, detail);
    let choice = match given.take.as_str() {
        "record" => Choice::Record,
        "other" => Choice::Other,
        _ => return Err(malformed("`take` says what counts: record, or other".to_owned())),
    };
    let field = Field::new(&given.field).map_err(|error| malformed(format!("`field`: {error}")))?;
    let found = desk.record_named(&id).await?;
    if !found.record.open.contains_key(&field) {
        let detail = format!("nothing is open about {field} of this record");
        return Err(Problem::new(kinds::CONFLICT, detail));
    }
    let order =
        Order::Settle { record: found.record.id, field: field.clone(), choice, reason: reason.clone() };
    desk.order(&MachineId::Intake, order).await?;
    let tenant = desk.hub.tenant();
    tracing::info!(target: "concord", %tenant, class = "settled", record = %id, %field, detail = reason, "a person settled a field");
    desk.record_as_shown(&id).await
}

/// Decisions of all records, the newest first.
pub(crate) async fn decisions(
    State(desk): State<Arc<Desk>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Items<Decided>>, Problem> {
    let asked = Asked::read(query.as_deref(), &["kind", "system", "before", "limit"])?;
    let part = asked.part()?;
    let names: Vec<&str> = DecisionKind::ALL.iter().map(|kind| kind.name()).collect();
    let kind = |word: &str| DecisionKind::ALL.iter().find(|kind| kind.name() == word).copied();
    let filter = DecisionFilter {
        kinds: asked.words("kind", kind, &names)?,
        system: asked.system("system")?,
        before: part.before,
        limit: part.limit,
    };
    let system = filter.system.clone();
    let rows = desk.decisions(filter).await?;
    if rows.is_empty() {
        let systems = desk.configuration.systems.keys().map(System::as_str);
        expect("system", system.as_ref().map(System::as_str), systems)?;
    }
    let next = part.next(&rows);
    Ok(Json(Items { items: rows.iter().map(|(_, row)| Decided::of(row)).collect(), next }))
}
