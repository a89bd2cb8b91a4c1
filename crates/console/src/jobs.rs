//! Bulk work: plans, the jobs they become, and a person's orders about both. Nothing is done before a plan is applied
//! with a reason.

mod forecast;
mod reshape;

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State as Shared};
use canonical::{Entity, JobId, RecordId, System, Wall};
use http::HeaderMap;
use hub::{MachineId, Order};
use ledger::{Action, GroupKind, Job, JobState, PACE_MAX, Scope, Tally};
use serde::{Deserialize, Serialize};
use store::browse::{GroupFilter, JobFilter, LIST_ROWS_MAX};
use web::{Caller, Flaw, Problem, kinds};

use crate::asked::{Asked, Named};
use crate::desk::{Desk, nothing};
use crate::letters::groups::{GroupRow, sample};
use crate::mask::Mask;
use crate::order::{self, Given};
use crate::rows::{Items, time};

/// Deliveries a second, where nothing else is asked for.
const PACE: u32 = 100;
/// Groups of new failures that are shown with a job.
const NEW_GROUPS_MAX: usize = 20;

/// A plan or job.
#[derive(Serialize)]
pub(crate) struct JobRow {
    id: String,
    action: &'static str,
    /// Of a replay: whether events that were delivered get a new intent.
    #[serde(skip_serializing_if = "Option::is_none")]
    new_intent: Option<bool>,
    state: &'static str,
    scope: ScopeRow,
    /// How many it covers.
    total: u64,
    /// How many it has set going.
    done: u64,
    /// Of those: delivered; in need of a person; skipped, given up or taken over; and not at rest yet.
    delivered: u32,
    failed: u32,
    other: u32,
    under_way: u64,
    pace: u32,
    planned_by: String,
    planned_at: String,
    reason: Option<String>,
    started_at: Option<String>,
    ended_at: Option<String>,
}

/// One with everything known of it.
#[derive(Serialize)]
pub(crate) struct JobSheet {
    #[serde(flatten)]
    job: JobRow,
    /// What it covers, by target, route and type.
    portions: Vec<PortionRow>,
    /// Covered, and not told apart in `portions`.
    elsewhere: u64,
    /// What fits the scope and is left out, by why.
    left_out: std::collections::BTreeMap<String, u64>,
    samples: Vec<String>,
    /// Seconds that setting everything going takes at this pace. Sends take their own time, within each system's limits.
    seconds: u64,
    /// Calls at least: one for each delivery.
    calls: u64,
    /// When they would be through, by each system's own limits.
    forecasts: Vec<forecast::ForecastRow>,
    /// Of a merge or a split of records: what it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    reshape: Option<reshape::ReshapeRow>,
    /// The moment from which a plan is refused.
    expires_at: Option<String>,
    orders: Vec<OrderRow>,
    /// Groups of failures of the systems it touches that came up, or came back, since it began.
    new_failures: Vec<GroupRow>,
}

#[derive(Serialize)]
struct PortionRow {
    kind: &'static str,
    system: String,
    route: Option<String>,
    entity: Option<String>,
    count: u64,
}

#[derive(Serialize)]
struct OrderRow {
    at: String,
    what: String,
}

/// A scope, in the words of the API.
#[derive(Serialize, Deserialize, Default, Debug)]
#[serde(deny_unknown_fields)]
struct ScopeRow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entity: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    route: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    record: Option<String>,
}

/// What is to be planned.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    action: String,
    #[serde(default)]
    scope: ScopeRow,
    #[serde(default)]
    new_intent: bool,
    /// Of a merge or a split: the record that stays, and the one that is merged into it, or was.
    #[serde(default)]
    keep: Option<String>,
    #[serde(default)]
    gone: Option<String>,
    /// Of a merge: by field, whose value counts where no rule says it.
    #[serde(default)]
    prefer: std::collections::BTreeMap<String, String>,
}

/// How a plan is to be applied.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Applied {
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    pace: Option<u32>,
}

impl Given for Applied {
    const WANTED: &'static str =
        "the body must be a JSON object with `reason`, a text, and `pace`, a number, and nothing else";
    fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

impl ScopeRow {
    fn of(scope: &Scope) -> Self {
        Self {
            from: scope.from.map(time),
            until: scope.until.map(time),
            entity: scope.entity.as_ref().map(ToString::to_string),
            source: scope.source.as_ref().map(ToString::to_string),
            target: scope.target.as_ref().map(ToString::to_string),
            route: scope.route.as_ref().map(ToString::to_string),
            event: scope.event.clone(),
            group: scope.group.clone(),
            record: scope.record.map(|record| record.to_string()),
        }
    }

    /// Reads it, against the configuration: a name that nothing here has is a slip, and would cover nothing.
    fn read(&self, desk: &Desk) -> Result<Scope, Problem> {
        let known = &desk.configuration;
        let system = |name: &str, text: &Option<String>| -> Result<Option<System>, Problem> {
            let Some(text) = text else { return Ok(None) };
            let found = known.systems.get_key_value(text.as_str()).map(|(system, _)| system.clone());
            let names: Vec<&str> = known.systems.keys().map(System::as_str).collect();
            let wrong = || flawed(name, &format!("there is no such system; there are {}", names.join(", ")));
            found.ok_or_else(wrong).map(Some)
        };
        let entity = self.entity.as_deref().map(|text| {
            let found = known.entities.keys().find(|entity| entity.as_str() == text);
            let names: Vec<&str> = known.entities.keys().map(Entity::as_str).collect();
            let wrong =
                || flawed("entity", &format!("there is no such type; there are {}", names.join(", ")));
            found.cloned().ok_or_else(wrong)
        });
        let route = self.route.as_deref().map(|text| {
            let found = known.routes.iter().find(|route| route.id.as_str() == text);
            let names: Vec<&str> = known.routes.iter().map(|route| route.id.as_str()).collect();
            let wrong =
                || flawed("route", &format!("there is no such route; there are {}", names.join(", ")));
            found.map(|route| route.id.clone()).ok_or_else(wrong)
        });
        let record = self.record.as_deref().map(|text| {
            let wrong = |_| flawed("record", "write a record's id: `rec_` and 32 hexadecimal digits");
            text.parse::<RecordId>().map_err(wrong)
        });
        Ok(Scope {
            from: moment("from", self.from.as_deref())?,
            until: moment("until", self.until.as_deref())?,
            entity: entity.transpose()?,
            source: system("source", &self.source)?,
            target: system("target", &self.target)?,
            route: route.transpose()?,
            event: self.event.clone(),
            group: self.group.clone(),
            record: record.transpose()?,
        })
    }
}

fn moment(name: &str, text: Option<&str>) -> Result<Option<Wall>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let wrong = || flawed(name, "write a moment in RFC 3339, such as 2026-03-01T00:00:00Z");
    Wall::from_rfc3339(text).ok_or_else(wrong).map(Some)
}

fn flawed(name: &str, detail: &str) -> Problem {
    let flaw = Flaw { detail: detail.to_owned(), pointer: format!("/scope/{name}") };
    Problem::new(kinds::MALFORMED, format!("`{name}`: {detail}")).errors(vec![flaw])
}

impl JobRow {
    fn of(job: &Job, tally: Tally) -> Self {
        let ended = u64::from(tally.delivered) + u64::from(tally.failed) + u64::from(tally.other);
        // What is given up rests at once; messages are taken in again and are not counted on.
        let followed = if job.action == Action::Discard || job.action.reshapes() { 0 } else { job.done };
        Self {
            id: job.id.to_string(),
            action: job.action.name(),
            new_intent: match job.action {
                Action::Replay { anew } => Some(anew),
                Action::Retry | Action::Discard | Action::Merge | Action::Split => None,
            },
            state: job.state.name(),
            scope: ScopeRow::of(&job.scope),
            total: job.kept.total,
            done: job.done,
            delivered: tally.delivered,
            failed: tally.failed,
            other: tally.other,
            under_way: followed.saturating_sub(ended).saturating_sub(job.messages_done),
            pace: job.pace,
            planned_by: job.planned_by.clone(),
            planned_at: time(job.planned_at),
            reason: job.reason.clone(),
            started_at: job.started_at.map(time),
            ended_at: job.ended_at.map(time),
        }
    }
}

/// Messages that a job covers.
fn messages(job: &Job) -> u64 {
    let of_messages = job.kept.portions.iter().filter(|portion| portion.kind == GroupKind::Message);
    of_messages.map(|portion| portion.count).sum()
}

impl JobSheet {
    async fn of(desk: &Desk, job: &Job, tally: Tally) -> Result<Self, Problem> {
        let pace = if job.pace == 0 { PACE } else { job.pace };
        let portion = |portion: &ledger::Portion| PortionRow {
            kind: portion.kind.name(),
            system: portion.system.to_string(),
            route: portion.route.as_ref().map(ToString::to_string),
            entity: portion.entity.as_ref().map(ToString::to_string),
            count: portion.count,
        };
        let order = |(at, what): &(Wall, String)| OrderRow { at: time(*at), what: what.clone() };
        let calls = match (&job.reshape, job.action) {
            // At most: where nothing differs, nothing is sent.
            (Some(reshape), _) => reshape.shown.writes.len() as u64,
            (None, Action::Discard) => 0,
            _ => job.kept.total - messages(job),
        };
        Ok(Self {
            job: JobRow::of(job, tally),
            portions: job.kept.portions.iter().map(portion).collect(),
            elsewhere: job.kept.elsewhere,
            left_out: job.kept.left_out.clone(),
            samples: job.kept.samples.iter().map(sample).collect(),
            seconds: job.kept.total.div_ceil(u64::from(pace)),
            calls,
            forecasts: forecast::of(desk, job).await,
            reshape: reshape::ReshapeRow::of(job, &Mask::closed(&desk.configuration)),
            expires_at: (job.state == JobState::Planned).then(|| time(job.planned_at + ledger::PLAN_LIVES)),
            orders: job.orders.iter().map(order).collect(),
            new_failures: new_failures(desk, job).await?,
        })
    }
}

/// Groups of the systems a job touches that came up or came back since it began.
async fn new_failures(desk: &Desk, job: &Job) -> Result<Vec<GroupRow>, Problem> {
    let Some(since) = job.started_at else { return Ok(Vec::new()) };
    let filter = GroupFilter { open: Some(true), limit: LIST_ROWS_MAX, ..GroupFilter::default() };
    let groups = desk.groups(filter).await?;
    let touched = |system: &System| job.kept.portions.iter().any(|portion| portion.system == *system);
    let now = desk.hub.now().wall;
    let news = groups.iter().map(|(_, group)| group).filter(|group| {
        touched(&group.system) && group.reopened_at.map_or(group.first_seen, |at| at) >= since
    });
    Ok(news.take(NEW_GROUPS_MAX).map(|group| GroupRow::of(group, now)).collect())
}

pub(crate) async fn list(
    Shared(desk): Shared<Arc<Desk>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Items<JobRow>>, Problem> {
    let part = Asked::read(query.as_deref(), &["before", "limit"])?.part()?;
    let rows = desk.jobs(JobFilter { id: None, before: part.before, limit: part.limit }).await?;
    let next = rows.last().filter(|_| rows.len() >= part.limit).map(|(position, ..)| *position);
    Ok(Json(Items { items: rows.iter().map(|(_, job, tally)| JobRow::of(job, *tally)).collect(), next }))
}

pub(crate) async fn get(
    Shared(desk): Shared<Arc<Desk>>,
    Named(id): Named,
) -> Result<Json<JobSheet>, Problem> {
    sheet(&desk, named(&id)?).await
}

pub(crate) async fn plan(
    Shared(desk): Shared<Arc<Desk>>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<JobSheet>, Problem> {
    let bytes = web::body::read(&headers, body, order::BOUND).await?;
    let wanted: Wanted = serde_json::from_slice(&bytes).map_err(|error| {
        let said = format!(
            "the body must be a JSON object with `action` and `scope`, for a replay `new_intent`, for a merge or split of records \
             `keep`, `gone` and `prefer` (line {}, column {})",
            error.line(),
            error.column()
        );
        Problem::new(kinds::MALFORMED, said)
    })?;
    let action = match wanted.action.as_str() {
        "replay" => Action::Replay { anew: wanted.new_intent },
        "retry" if !wanted.new_intent => Action::Retry,
        "discard" if !wanted.new_intent => Action::Discard,
        "merge" if !wanted.new_intent => Action::Merge,
        "split" if !wanted.new_intent => Action::Split,
        "retry" | "discard" | "merge" | "split" => {
            return Err(Problem::new(kinds::MALFORMED, "`new_intent`: only a replay can ask for it"));
        }
        _ => {
            return Err(Problem::new(
                kinds::MALFORMED,
                "`action`: write replay, retry, discard, merge or split",
            ));
        }
    };
    if action.reshapes() {
        return plan_of_two(&desk, &caller, action, &wanted).await;
    }
    if wanted.keep.is_some() || wanted.gone.is_some() || !wanted.prefer.is_empty() {
        let said = "`keep`, `gone`, `prefer`: only a merge or a split of records takes them";
        return Err(Problem::new(kinds::MALFORMED, said));
    }
    let scope = wanted.scope.read(&desk)?;
    if scope.is_empty() {
        let said = "`scope`: an empty filter is refused: say which deliveries, by from, until, entity, source, target, \
                    route, event, group or record";
        return Err(Problem::new(kinds::MALFORMED, said));
    }
    let id = desk.plan(action, scope, caller.name.clone()).await?;
    sheet(&desk, id).await
}

async fn plan_of_two(
    desk: &Desk,
    caller: &Caller,
    action: Action,
    wanted: &Wanted,
) -> Result<Json<JobSheet>, Problem> {
    if !wanted.scope.read(desk)?.is_empty() {
        let said = "`scope`: a merge or a split is about two records: name them as `keep` and `gone`";
        return Err(Problem::new(kinds::MALFORMED, said));
    }
    let asked = reshape::read(desk, action, wanted).await?;
    let id = desk.plan_reshape(action, asked.records, asked.prefer, caller.name.clone()).await?;
    sheet(desk, id).await
}

pub(crate) async fn apply(
    Shared(desk): Shared<Arc<Desk>>,
    caller: Caller,
    Named(id): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<JobSheet>, Problem> {
    let job = named(&id)?;
    let (given, reason) = order::read::<Applied>(&caller, &headers, body).await?;
    let pace = given.pace.unwrap_or(PACE);
    if !(1..=PACE_MAX).contains(&pace) {
        let said = format!("`pace`: write deliveries a second, from 1 to {PACE_MAX}");
        return Err(Problem::new(kinds::MALFORMED, said));
    }
    exists(&desk, job).await?;
    desk.order(&MachineId::Jobs, Order::Apply { job, pace, reason: reason.clone() }).await?;
    let tenant = desk.hub.tenant();
    tracing::info!(target: "concord", %tenant, class = "applied", job = id, detail = reason, "a person applied a plan");
    sheet(&desk, job).await
}

pub(crate) async fn pause(
    Shared(desk): Shared<Arc<Desk>>,
    caller: Caller,
    Named(id): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<JobSheet>, Problem> {
    moved(&desk, &caller, &id, (&headers, body), |job, reason| Order::HoldJob { job, reason }).await
}

pub(crate) async fn resume(
    Shared(desk): Shared<Arc<Desk>>,
    caller: Caller,
    Named(id): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<JobSheet>, Problem> {
    moved(&desk, &caller, &id, (&headers, body), |job, reason| Order::ResumeJob { job, reason }).await
}

pub(crate) async fn cancel(
    Shared(desk): Shared<Arc<Desk>>,
    caller: Caller,
    Named(id): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<JobSheet>, Problem> {
    moved(&desk, &caller, &id, (&headers, body), |job, reason| Order::CancelJob { job, reason }).await
}

async fn moved(
    desk: &Desk,
    caller: &Caller,
    id: &str,
    (headers, body): (&HeaderMap, Body),
    order: impl FnOnce(JobId, String) -> Order,
) -> Result<Json<JobSheet>, Problem> {
    let job = named(id)?;
    let reason = order::reason(caller, headers, body).await?;
    exists(desk, job).await?;
    desk.order(&MachineId::Jobs, order(job, reason.clone())).await?;
    let tenant = desk.hub.tenant();
    tracing::info!(target: "concord", %tenant, class = "ordered", job = id, detail = reason, "a person ordered about a job");
    sheet(desk, job).await
}

/// A job's id in an address.
fn named(text: &str) -> Result<JobId, Problem> {
    text.starts_with("job_").then(|| text.parse().ok()).flatten().ok_or_else(|| nothing("plan or job"))
}

async fn exists(desk: &Desk, id: JobId) -> Result<(), Problem> {
    found(desk, id).await.map(drop)
}

async fn found(desk: &Desk, id: JobId) -> Result<(Job, Tally), Problem> {
    let filter = JobFilter { id: Some(id), before: None, limit: 1 };
    let row = desk.jobs(filter).await?.pop();
    row.map(|(_, job, tally)| (job, tally)).ok_or_else(|| nothing("plan or job"))
}

async fn sheet(desk: &Desk, id: JobId) -> Result<Json<JobSheet>, Problem> {
    let (job, tally) = found(desk, id).await?;
    JobSheet::of(desk, &job, tally).await.map(Json)
}
