//! A person says which object stands for which record: `POST …/records/{id}/link` and `…/unlink`, and
//! `POST …/dead-letters/{key}/link` for a message that waits for just that. Candidates are shown with what they are linked
//! to and their match keys.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use canonical::{ExternalRef, Fields, Object, RecordId, System};
use http::HeaderMap;
use hub::{MachineId, Order};
use intake::{Link, MessageState};
use serde::{Deserialize, Serialize};
use store::browse::RecordSheet;
use web::{Caller, Problem, kinds};

use super::{LinkRow, Sheet, link_row};
use crate::asked::Named;
use crate::desk::{Desk, nothing};
use crate::keys::{self, Letter};
use crate::letters::{LetterSheet, moved_on, sheet as letter_sheet};
use crate::mask::Mask;
use crate::order::{self, Given};

/// Candidates that are shown of a letter.
const CANDIDATES_MAX: usize = 10;

/// A record among which a person has to choose.
#[derive(Serialize)]
pub(crate) struct Candidate {
    record: String,
    entity: String,
    version: i64,
    /// The fields by which it was found.
    fields: Fields,
    links: Vec<LinkRow>,
}

/// The records that a letter names.
pub(crate) async fn candidates(
    desk: &Desk,
    ids: &[RecordId],
    mask: &Mask<'_>,
) -> Result<Vec<Candidate>, Problem> {
    let mut out = Vec::new();
    for id in ids.iter().take(CANDIDATES_MAX) {
        if let Some(found) = desk.record(*id).await? {
            out.push(candidate(desk, &found, mask));
        }
    }
    Ok(out)
}

fn candidate(desk: &Desk, found: &RecordSheet, mask: &Mask<'_>) -> Candidate {
    let record = &found.record;
    let schema = desk.configuration.entities.get(&record.entity);
    let by = |name: &str| {
        let keys = schema.into_iter().flat_map(|schema| &schema.match_keys);
        keys.flat_map(|key| &key.fields).any(|field| field.as_str() == name)
    };
    let named = record.fields.iter().filter(|(name, _)| by(name));
    let named: Fields = named.map(|(name, value)| (name.clone(), value.clone())).collect();
    Candidate {
        record: record.id.to_string(),
        entity: record.entity.to_string(),
        version: record.version,
        fields: mask.fields(&record.entity, &named),
        links: found.links.iter().map(|row| link_row(row, mask)).collect(),
    }
}

/// Which object.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    #[serde(default)]
    system: String,
    #[serde(default)]
    object: String,
    #[serde(default)]
    external_id: String,
    #[serde(default)]
    reason: Option<String>,
}

impl Given for Which {
    const WANTED: &'static str =
        "the body must be a JSON object with `system`, `object`, `external_id` and `reason`";
    fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

/// To which record.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct To {
    #[serde(default)]
    record: String,
    #[serde(default)]
    reason: Option<String>,
}

impl Given for To {
    const WANTED: &'static str = "the body must be a JSON object with `record`, its id, and `reason`";
    fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

pub(crate) async fn link(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Named(id): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Sheet>, Problem> {
    let (which, reason): (Which, String) = order::read(&caller, &headers, body).await?;
    let found = desk.record_named(&id).await?;
    let about = external(&desk, &which)?;
    let link = new_link(&desk, &found, &about).await?;
    let version = found.record.version;
    let order = Order::Link {
        link: Box::new(link),
        version,
        message: None,
        reads: reads(&desk, &about),
        reason: reason.clone(),
    };
    carry_out(&desk, order, &about, "linked", &reason).await?;
    desk.record_as_shown(&id).await
}

pub(crate) async fn unlink(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Named(id): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Sheet>, Problem> {
    let (which, reason): (Which, String) = order::read(&caller, &headers, body).await?;
    let found = desk.record_named(&id).await?;
    let about = external(&desk, &which)?;
    let Some(link) = found.links.iter().find(|link| link.external() == about).cloned() else {
        return Err(Problem::new(kinds::CONFLICT, format!("{about} is not linked to this record")));
    };
    let order = Order::Unlink { link: Box::new(link), version: found.record.version, reason: reason.clone() };
    carry_out(&desk, order, &about, "unlinked", &reason).await?;
    desk.record_as_shown(&id).await
}

/// Of a quarantined message: its object stands for that record, and it is taken in again.
pub(crate) async fn link_letter(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Named(key): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<LetterSheet>, Problem> {
    let (to, reason): (To, String) = order::read(&caller, &headers, body).await?;
    let letter = keys::letter(desk.hub.tenant(), &key).ok_or_else(|| nothing("dead letter"))?;
    let Letter::Message(id) = letter else {
        let detail = "a delivery's object is linked by its record: POST /api/v1/records/{id}/link";
        return Err(Problem::new(kinds::CONFLICT, detail));
    };
    let message = desk.message(id).await?.ok_or_else(|| nothing("dead letter"))?;
    if message.state != MessageState::Quarantined {
        return Err(moved_on("message", message.state.name(), "quarantined"));
    }
    let Some(about) = message.about.clone() else {
        let detail = "it does not say which object it is about: correct it first";
        return Err(Problem::new(kinds::CONFLICT, detail));
    };
    let found = desk.record_named(&to.record).await?;
    let link = new_link(&desk, &found, &about).await?;
    let version = found.record.version;
    let order = Order::Link {
        link: Box::new(link),
        version,
        message: Some(id),
        reads: false,
        reason: reason.clone(),
    };
    carry_out(&desk, order, &about, "linked", &reason).await?;
    letter_sheet(&desk, &key, &Mask::closed(&desk.configuration)).await.map(Json)
}

fn external(desk: &Desk, which: &Which) -> Result<ExternalRef, Problem> {
    let malformed = |detail: String| Problem::new(kinds::MALFORMED, detail);
    let system = desk.named(&which.system)?;
    let object = Object::new(&which.object).map_err(|error| malformed(format!("`object`: {error}")))?;
    if which.external_id.is_empty() {
        return Err(malformed("`external_id`: write the object's id there".to_owned()));
    }
    Ok(ExternalRef { system, object, id: which.external_id.clone() })
}

/// The link, if such an object can stand for such a record.
async fn new_link(desk: &Desk, found: &RecordSheet, about: &ExternalRef) -> Result<Link, Problem> {
    let config = &desk.configuration;
    let record = &found.record;
    let entity = &record.entity;
    if record.alive != canonical::Alive::Live {
        return Err(Problem::new(kinds::CONFLICT, "the record does not live any more"));
    }
    let read =
        config.inbound(&about.system, &about.object).is_some_and(|(_, schema)| schema.entity == *entity);
    let written = config
        .routes_of(entity)
        .iter()
        .any(|route| route.system == about.system && route.object == about.object);
    if !read && !written {
        let detail = format!(
            "{}/{} never stands for a {entity}: no mapping reads it as one, and no route writes one there",
            about.system, about.object
        );
        return Err(Problem::new(kinds::CONFLICT, detail));
    }
    free(desk, found, about).await?;
    Ok(Link {
        tenant: config.tenant.clone(),
        system: about.system.clone(),
        instance: instance(desk, &about.system).await?,
        object: about.object.clone(),
        external_id: about.id.clone(),
        entity: entity.clone(),
        record: record.id,
        created_at: desk.hub.now().wall,
    })
}

/// Refused where either of the two is linked to another already. What comes in between is found by the commit.
async fn free(desk: &Desk, found: &RecordSheet, about: &ExternalRef) -> Result<(), Problem> {
    let conflict = |detail| Err(Problem::new(kinds::CONFLICT, detail));
    let of_kind = |link: &&Link| link.system == about.system && link.object == about.object;
    if let Some(link) = found.links.iter().find(of_kind) {
        let (system, object) = (&about.system, &about.object);
        if link.external_id == about.id {
            return conflict(format!("this {object} of {system} stands for this record already"));
        }
        return conflict(format!(
            "another {object} of {system} stands for this record already (concord record get shows it): if both are one, \
             merge them in {system}; if that one is wrong, unlink it first (concord record unlink)"
        ));
    }
    let ExternalRef { system, object, id } = about;
    match desk.record_linked(system.clone(), Some(object.clone()), id.clone()).await? {
        Some(other) => conflict(format!(
            "that {object} of {system} stands for {} already: if both records are one, merge them (concord record merge); if \
             the link is wrong, unlink it first (concord record unlink)",
            other.record.id
        )),
        None => Ok(()),
    }
}

/// Whether the object can be read.
fn reads(desk: &Desk, about: &ExternalRef) -> bool {
    let system = desk.configuration.systems.get(&about.system);
    system.is_some_and(|system| system.connector.can_fetch(&about.object))
}

/// The account that the system speaks for.
async fn instance(desk: &Desk, system: &System) -> Result<String, Problem> {
    let systems = desk.systems().await?;
    let state = systems.into_iter().map(|(state, _)| state).find(|state| state.system == *system);
    Ok(state.and_then(|state| state.instance).unwrap_or_default())
}

async fn carry_out(
    desk: &Desk,
    order: Order,
    about: &ExternalRef,
    class: &str,
    reason: &str,
) -> Result<(), Problem> {
    desk.order(&MachineId::Intake, order).await?;
    let tenant = desk.hub.tenant();
    tracing::info!(
        target: "concord", %tenant, class, system = %about.system, object = %about.object, detail = reason,
        "a person said which record an object stands for"
    );
    Ok(())
}

impl Desk {
    /// A record as it stands after an order.
    pub(super) async fn record_as_shown(&self, id: &str) -> Result<Json<Sheet>, Problem> {
        let found = self.record_named(id).await?;
        let mask = Mask::closed(&self.configuration);
        Ok(Json(self.sheet(found, None, &mask).await?))
    }
}
