//! Dead letters: what needs a person (dead and uncertain deliveries, quarantined messages), and the person's
//! decision. Deliveries come first, then messages, each newest first; groups show causes, not rows. Messages that still wait
//! for a link, and for nobody, are shown when asked for.

mod differs;
pub(crate) mod edit;
pub(crate) mod groups;

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State as Shared};
use canonical::System;
use http::HeaderMap;
use hub::{Delivery, MachineId, Order};
use intake::{Message, MessageState};
use ledger::{Obligation, State};
use serde::Serialize;
use store::browse::{DeliveryFilter, MessageFilter};
use web::{Caller, Problem, kinds};

use crate::asked::{Asked, Named, Part, bad, expect};
use crate::desk::{Desk, nothing};
use crate::keys::{self, Letter};
use crate::mask::Mask;
use crate::order;
use crate::records::link::{Candidate, candidates};
use crate::rows::{AttemptRow, IntentRow, Why, time};
use groups::{GroupRow, groups};

/// Messages looked at for one question: their content is unsealed with them, though it is not shown.
const MESSAGES_AT_ONCE: usize = 100;
/// Messages looked through for one page with a filter that the store does not know.
const MESSAGES_SEARCHED_MAX: usize = 2_000;

/// A dead letter.
#[derive(Serialize)]
pub(crate) struct LetterRow {
    key: String,
    /// `delivery` or `message`.
    kind: &'static str,
    /// The target of a delivery, the source of a message.
    system: String,
    state: &'static str,
    /// When the oldest level not yet reached was raised, or the message was received.
    since: String,
    #[serde(flatten)]
    why: Why,
    object: Option<String>,
    external_id: Option<String>,
    entity: Option<String>,
    record: Option<String>,
    route: Option<String>,
    attempts: Option<u32>,
    trace: String,
}

/// One with what was done about it.
#[derive(Serialize)]
pub(crate) struct LetterSheet {
    #[serde(flatten)]
    letter: LetterRow,
    #[serde(skip_serializing_if = "Option::is_none")]
    intents: Option<Vec<IntentRow>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt_log: Option<Vec<AttemptRow>>,
    /// Of a delivery: what persons ordered it to say, the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    edits: Vec<edit::EditRow>,
    /// Of a message: the names of what it said, which can be corrected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    said: Vec<String>,
    /// Records among which a person has to choose.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<Candidate>,
}

/// A page. The first also has the groups in which something needs a person.
#[derive(Serialize)]
pub(crate) struct LetterPage {
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<GroupRow>>,
    items: Vec<LetterRow>,
    next: Option<i64>,
}

/// What is asked for.
pub(crate) struct Wanted {
    system: Option<System>,
    fingerprint: Option<String>,
    deliveries: bool,
    messages: bool,
    /// Messages that wait for a link, in place of what needs a person.
    waiting: bool,
}

impl LetterRow {
    fn of_delivery(row: &Obligation) -> Self {
        Self {
            key: keys::shown(&row.key),
            kind: "delivery",
            system: row.system.to_string(),
            state: row.state.name(),
            since: time(row.raised_at),
            why: Why::of(row.reason.as_ref()),
            object: Some(row.object.to_string()),
            external_id: None,
            entity: Some(row.entity.to_string()),
            record: Some(row.record.to_string()),
            route: Some(row.key.route.to_string()),
            attempts: Some(row.attempts),
            trace: row.trace.clone(),
        }
    }

    fn of_message(message: &Message, mask: &Mask<'_>) -> Self {
        let about = message.about.as_ref();
        Self {
            key: message.id.to_string(),
            kind: "message",
            system: message.source.to_string(),
            state: message.state.name(),
            since: time(message.received_at),
            why: Why { reason: waits(message, mask), ..Why::of(message.reason.as_ref()) },
            object: about.map(|about| about.object.to_string()),
            external_id: about.map(|about| mask.external_id(&about.id)),
            entity: None,
            record: None,
            route: None,
            attempts: None,
            trace: message.trace.clone(),
        }
    }
}

/// Why a message is not taken in: what it waits for, or what was said of it.
fn waits(message: &Message, mask: &Mask<'_>) -> Option<String> {
    if message.state != MessageState::Parked {
        return Why::of(message.reason.as_ref()).reason;
    }
    let until = message.deadline.map(|deadline| format!(", until {}", time(deadline))).unwrap_or_default();
    let awaited = message.waiting.as_ref();
    let awaited = awaited.map(|to| format!("{}:{}/{}", to.system, to.object, mask.external_id(&to.id)));
    Some(match awaited {
        Some(awaited) if message.lacking => {
            format!(
                "it is taken in but for its reference to {awaited}, which is not linked yet: it waits for that{until}"
            )
        }
        Some(awaited) => format!("it refers to {awaited}, which is not linked yet: it waits for that{until}"),
        None => format!("it waits for a create that is under way there{until}"),
    })
}

impl Wanted {
    fn deliveries(&self, part: Part) -> DeliveryFilter {
        DeliveryFilter {
            system: self.system.clone(),
            states: vec![State::Dead, State::Uncertain],
            fingerprint: self.fingerprint.clone(),
            before: part.before,
            limit: part.limit,
            ..DeliveryFilter::default()
        }
    }

    fn messages(&self, part: Part) -> MessageFilter {
        MessageFilter {
            source: self.system.clone(),
            states: vec![if self.waiting { MessageState::Parked } else { MessageState::Quarantined }],
            before: part.before,
            limit: part.limit,
        }
    }

    fn takes(&self, message: &Message) -> bool {
        let group = || message.reason.as_ref().map(|reason| reason.fingerprint.as_str());
        self.fingerprint.as_deref().is_none_or(|wanted| group() == Some(wanted))
    }
}

/// Positions of deliveries and of messages are counted apart: a page's number says which it means by being even or
/// odd.
const fn delivery_place(position: i64) -> i64 {
    position.saturating_mul(2)
}
const fn message_place(position: i64) -> i64 {
    position.saturating_mul(2).saturating_add(1)
}

pub(crate) async fn list(
    Shared(desk): Shared<Arc<Desk>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<LetterPage>, Problem> {
    let allowed = ["system", "kind", "fingerprint", "waiting", "before", "limit", "unmask"];
    let asked = Asked::read(query.as_deref(), &allowed)?;
    let mask = Mask::asked(&desk.configuration, &asked, &caller, "dead letters")?;
    let waiting = asked.flag("waiting")?;
    let (deliveries, messages) = match asked.text("kind") {
        None => (!waiting, true),
        Some("delivery") if waiting => {
            return Err(bad(
                "waiting",
                "it lists messages: deliveries that wait are /api/v1/deliveries?state=parked",
            ));
        }
        Some("delivery") => (true, false),
        Some("message") => (false, true),
        Some(_) => return Err(bad("kind", "write `delivery` or `message`, or leave it out for both")),
    };
    let fingerprint = asked.text("fingerprint").map(str::to_owned);
    let wanted = Wanted { system: asked.system("system")?, fingerprint, deliveries, messages, waiting };
    let part = asked.part()?;
    let (items, next) = page(&desk, &wanted, part, &mask).await?;
    if items.is_empty() {
        let systems = desk.configuration.systems.keys().map(System::as_str);
        expect("system", wanted.system.as_ref().map(System::as_str), systems)?;
    }
    let groups = match part.before {
        None if !waiting => Some(groups(&desk, &wanted).await?),
        _ => None,
    };
    Ok(Json(LetterPage { groups, items, next }))
}

async fn page(
    desk: &Desk,
    wanted: &Wanted,
    part: Part,
    mask: &Mask<'_>,
) -> Result<(Vec<LetterRow>, Option<i64>), Problem> {
    let in_messages = part.before.is_some_and(|place| place % 2 == 1);
    let before = part.before.map(|place| place / 2);
    let mut items = Vec::new();
    if wanted.deliveries && !in_messages {
        let rows = desk.deliveries(wanted.deliveries(Part { before, ..part })).await?;
        items.extend(rows.iter().map(|(_, row)| LetterRow::of_delivery(row)));
        if let Some(last) = part.next(&rows) {
            return Ok((items, Some(delivery_place(last))));
        }
    }
    if !wanted.messages {
        return Ok((items, None));
    }
    let mut before = before.filter(|_| in_messages);
    let mut searched = 0;
    loop {
        let step = Part { before, limit: MESSAGES_AT_ONCE };
        let rows = desk.messages(wanted.messages(step)).await?;
        let more = step.next(&rows);
        for (position, message) in &rows {
            if wanted.takes(message) {
                items.push(LetterRow::of_message(message, mask));
            }
            if items.len() >= part.limit {
                return Ok((items, Some(message_place(*position))));
            }
        }
        searched += rows.len();
        match more {
            None => return Ok((items, None)),
            Some(last) if searched >= MESSAGES_SEARCHED_MAX => return Ok((items, Some(message_place(last)))),
            Some(last) => before = Some(last),
        }
    }
}

pub(crate) async fn get(
    Shared(desk): Shared<Arc<Desk>>,
    caller: Caller,
    Named(key): Named,
    RawQuery(query): RawQuery,
) -> Result<Json<LetterSheet>, Problem> {
    let asked = Asked::read(query.as_deref(), &["unmask"])?;
    let mask = Mask::asked(&desk.configuration, &asked, &caller, &key)?;
    sheet(&desk, &key, &mask).await.map(Json)
}

pub(crate) async fn sheet(desk: &Desk, key: &str, mask: &Mask<'_>) -> Result<LetterSheet, Problem> {
    let letter = keys::letter(desk.hub.tenant(), key).ok_or_else(|| nothing("dead letter"))?;
    match letter {
        Letter::Delivery(key) => {
            let (row, intents, attempts) = desk.delivery(key).await?.ok_or_else(|| nothing("dead letter"))?;
            let record = desk.record(row.record).await?;
            Ok(LetterSheet {
                edits: edit::edits(&row, record.as_deref(), mask),
                said: Vec::new(),
                candidates: Vec::new(),
                letter: LetterRow::of_delivery(&row),
                intents: Some(intents.iter().map(|intent| IntentRow::of(intent, mask)).collect()),
                attempt_log: Some(attempts.iter().map(AttemptRow::of).collect()),
            })
        }
        Letter::Message(id) => {
            let message = desk.message(id).await?.ok_or_else(|| nothing("dead letter"))?;
            let named =
                message.reason.as_ref().map(|reason| reason.candidates.as_slice()).unwrap_or_default();
            Ok(LetterSheet {
                candidates: candidates(desk, named, mask).await?,
                letter: LetterRow::of_message(&message, mask),
                intents: None,
                attempt_log: None,
                edits: Vec::new(),
                said: edit::paths(&message),
            })
        }
    }
}

pub(crate) async fn retry(
    Shared(desk): Shared<Arc<Desk>>,
    caller: Caller,
    Named(key): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<LetterSheet>, Problem> {
    decide(&desk, &caller, &key, &headers, body, Decision::Retry).await
}

pub(crate) async fn discard(
    Shared(desk): Shared<Arc<Desk>>,
    caller: Caller,
    Named(key): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<LetterSheet>, Problem> {
    decide(&desk, &caller, &key, &headers, body, Decision::Discard).await
}

#[derive(Clone, Copy)]
enum Decision {
    Retry,
    Discard,
}

/// Carries a decision out, and answers with the letter as it then stands.
async fn decide(
    desk: &Desk,
    caller: &Caller,
    key: &str,
    headers: &HeaderMap,
    body: Body,
    decision: Decision,
) -> Result<Json<LetterSheet>, Problem> {
    let reason = order::reason(caller, headers, body).await?;
    let letter = keys::letter(desk.hub.tenant(), key).ok_or_else(|| nothing("dead letter"))?;
    let (machine, order) = match letter {
        Letter::Delivery(delivery) => {
            let file = desk.delivery(delivery.clone()).await?;
            let (row, _, _) = file.ok_or_else(|| nothing("dead letter"))?;
            if !matches!(row.state, State::Dead | State::Uncertain | State::Parked) {
                return Err(moved_on("delivery", row.state.name(), "dead, uncertain or parked"));
            }
            let delivery = Delivery { key: delivery, record: row.record, object: row.object };
            let reason = reason.clone();
            let order = match decision {
                Decision::Retry => Order::Retry { delivery, reason },
                Decision::Discard => Order::Discard { delivery, reason },
            };
            (MachineId::Spoke(row.system), order)
        }
        Letter::Message(id) => {
            let message = desk.message(id).await?.ok_or_else(|| nothing("dead letter"))?;
            if message.state != MessageState::Quarantined {
                return Err(moved_on("message", message.state.name(), "quarantined"));
            }
            let order = match decision {
                Decision::Retry => Order::Retake { message: id, reason: reason.clone() },
                Decision::Discard => Order::DiscardMessage { message: id, reason: reason.clone() },
            };
            (MachineId::Intake, order)
        }
    };
    desk.order(&machine, order).await?;
    let class = match decision {
        Decision::Retry => "retried",
        Decision::Discard => "discarded",
    };
    let tenant = desk.hub.tenant();
    tracing::info!(target: "concord", %tenant, class, letter = key, detail = reason, "a person decided about a dead letter");
    sheet(desk, key, &Mask::closed(&desk.configuration)).await.map(Json)
}

pub(crate) fn moved_on(what: &str, state: &str, needed: &str) -> Problem {
    let detail = format!("the {what} is {state}: only one that is {needed} can be decided about");
    Problem::new(kinds::CONFLICT, detail)
}
