//! Changing the configuration: what runs, what a folder would change, applying it, and the history.
//!
//! A plan is made from files that the caller sends. Applying sends none: the hub reads the folder it was started with,
//! and takes it only when its bytes are those that were planned. So the operator API reads no file by name, and a
//! restart finds what was applied.

mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use canonical::{RouteId, System};
use config::{Checked, Comparison, Files, RouteChange, Versioned};
use http::HeaderMap;
use ledger::{Action, RouteKind, Scope};
use runtime::BoxFuture;
use serde::{Deserialize, Serialize};
use store::Applied;
use store::browse::{JobFilter, Look, Page};
use web::body::Bound;
use web::{Caller, Flaw, Problem, kinds};

use crate::asked::Asked;
use crate::desk::Desk;
use crate::order::{self, Given};
use crate::rows::{Items, time};
use plan::Plan;

/// Bounds of a folder that is sent to be planned.
const FOLDER: Bound = Bound { bytes_max: 16 * 1024 * 1024, within: Duration::from_secs(30) };

/// What a hub can do to itself: read its own folder, and go on with what is in it.
pub trait Changer: Send + Sync {
    /// The files of the folder that the hub was started with.
    ///
    /// # Errors
    /// What cannot be read.
    fn folder(&self) -> Result<Files, Vec<config::Problem>>;

    /// What this hub cannot take besides what no hub can, with the place in the files.
    fn refuses(&self, _next: &Checked, _files: &Files) -> Vec<config::Problem> {
        Vec::new()
    }

    /// Goes on with `next`, read from `files`, which differs from what runs as `comparison` says; who wants it and why
    /// is kept. It is done, or nothing is changed, also when the caller goes away.
    fn change(
        self: Arc<Self>,
        next: Checked,
        files: Files,
        comparison: Comparison,
        reason: String,
    ) -> BoxFuture<Result<Changed, Unchanged>>;
}

/// What a change did to systems.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Changed {
    /// Connected.
    pub connected: BTreeSet<System>,
    /// Disconnected.
    pub disconnected: BTreeSet<System>,
    /// Finished what was under way, and started again.
    pub renewed: BTreeSet<System>,
    /// Whether a secret is another one under the same reference.
    pub secrets: bool,
}

/// Why nothing was changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unchanged {
    /// Another change was made in between: plan again.
    Stale,
    /// Secrets cannot be used.
    Secrets(Vec<config::Problem>),
    /// Something in it must be one tenant's alone, and is another's.
    Taken(Vec<config::Problem>),
    /// It could not be done now; the text says why and what to do.
    NotNow(String),
    /// It cannot be done to a running hub.
    Impossible(String),
}

/// What runs.
#[derive(Serialize)]
pub(crate) struct Runs {
    tenant: String,
    digest: String,
    systems: usize,
    entities: usize,
    mappings: usize,
    routes: usize,
}

/// A line of the history.
#[derive(Serialize)]
pub(crate) struct AppliedRow {
    at: String,
    digest: String,
    /// Who, and why.
    reason: String,
    changes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    files: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Ordered {
    /// Of the files that are to be applied.
    digest: String,
    /// The plan that was looked at.
    #[serde(default)]
    plan: Option<String>,
    /// Plan to say again what the changed routes say.
    #[serde(default)]
    resync: bool,
    reason: String,
}

impl Given for Ordered {
    const WANTED: &'static str = "the body must be a JSON object with `digest`, `reason` and perhaps `plan`, all texts, and `resync`, true or false";
    fn reason(&self) -> Option<&str> {
        Some(&self.reason)
    }
}

/// What applying did.
#[derive(Serialize)]
pub(crate) struct Done {
    digest: String,
    plan: String,
    /// Whether anything was different.
    changed: bool,
    #[serde(flatten)]
    systems: Changed,
    changes: Vec<config::Change>,
    /// For each `sync` route that says something else now: the plan to say it again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resync: Vec<ResyncRow>,
}

/// What is said again of a route, once its plan is applied.
#[derive(Serialize)]
pub(crate) struct ResyncRow {
    route: String,
    /// The plan, for `concord job apply`.
    plan: Option<String>,
    /// How many deliveries it covers.
    total: u64,
    /// Why there is no plan.
    not: Option<String>,
}

pub(crate) async fn runs(
    State(desk): State<Arc<Desk>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Runs>, Problem> {
    Asked::read(query.as_deref(), &[])?;
    let runs = &desk.configuration;
    Ok(Json(Runs {
        tenant: runs.tenant.to_string(),
        digest: runs.digest.clone(),
        systems: runs.systems.len(),
        entities: runs.entities.len(),
        mappings: runs.mappings.len(),
        routes: runs.routes.len(),
    }))
}

pub(crate) async fn history(
    State(desk): State<Arc<Desk>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Items<AppliedRow>>, Problem> {
    let part = Asked::read(query.as_deref(), &["before", "limit"])?.part()?;
    let rows = desk.applied(part.before, part.limit).await?;
    let next = part.next(&rows);
    let row = |(_, applied): (i64, Applied)| AppliedRow {
        at: time(applied.at),
        digest: applied.digest,
        reason: applied.reason,
        changes: applied.changes,
    };
    Ok(Json(Items { items: rows.into_iter().map(row).collect(), next }))
}

pub(crate) async fn plan(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Plan>, Problem> {
    let bytes = web::body::read(&headers, body, FOLDER).await?;
    let wanted =
        "the body must be a JSON object with `files`, each path from the folder with the file's text";
    let sent: Sent = serde_json::from_slice(&bytes).map_err(|_| Problem::new(kinds::MALFORMED, wanted))?;
    let mut files = Files::new();
    for (path, text) in sent.files {
        files.put(&path, text);
    }
    let (next, files) = load(files).await?;
    let comparison = desk.compare(&next, &files).await?;
    Ok(Json(desk.plan_of(&next, &comparison).await?))
}

pub(crate) async fn apply(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, Problem> {
    let (ordered, reason) = order::read::<Ordered>(&caller, &headers, body).await?;
    let changer = desk.changer.clone().ok_or_else(|| {
        Problem::new(kinds::CONFLICT, "this hub was not started from a folder: nothing can be applied to it")
    })?;
    let files = {
        let changer = Arc::clone(&changer);
        let read = tokio::task::spawn_blocking(move || changer.folder()).await;
        read.map_err(|_| Problem::new(kinds::INTERNAL, "the folder could not be read"))?.map_err(unusable)?
    };
    let (next, files) = load(files).await?;
    if next.configuration.digest != ordered.digest {
        let detail = "the folder that the hub was started with holds other files than those that are to be applied: put \
                      them there first, so that a restart finds them, too";
        return Err(Problem::new(kinds::CONFLICT, detail));
    }
    let comparison = desk.compare(&next, &files).await?;
    let plan = desk.plan_of(&next, &comparison).await?;
    if ordered.plan.as_ref().is_some_and(|wanted| *wanted != plan.plan) {
        let detail = "the plan is stale: what runs, or the folder, has changed since it was made; plan again";
        return Err(Problem::new(kinds::CONFLICT, detail));
    }
    plan.permitted()?;
    let (id, digest) = (plan.plan, next.configuration.digest.clone());
    let changes = comparison.changes.clone();
    let rendered = if ordered.resync { rendered(&next.configuration, &comparison) } else { Vec::new() };
    let systems = changer.change(next, files, comparison, reason).await.map_err(refused)?;
    let changed = !changes.is_empty() || systems != Changed::default();
    let mut resync = Vec::new();
    for route in rendered {
        resync.push(desk.resync(route, &caller.name).await);
    }
    Ok(Json(Done { digest, plan: id, changed, systems, changes, resync }))
}

/// The `sync` routes that say something else than before.
fn rendered(next: &config::Configuration, comparison: &Comparison) -> Vec<RouteId> {
    let routes = comparison.routes.iter().filter(|(_, (change, ..))| *change == RouteChange::Rendered);
    let sync = |id: &RouteId| next.route(id).is_some_and(|route| route.kind == RouteKind::Sync);
    routes.map(|(id, _)| id.clone()).filter(sync).collect()
}

/// Checks a folder as `concord check` does, off the tasks that answer.
async fn load(files: Files) -> Result<(Checked, Files), Problem> {
    let loaded =
        tokio::task::spawn_blocking(move || config::load(&files).map(|checked| (checked, files))).await;
    loaded.map_err(|_| Problem::new(kinds::INTERNAL, "the folder could not be checked"))?.map_err(unusable)
}

/// The folder has flaws, each with its place.
fn unusable(problems: Vec<config::Problem>) -> Problem {
    let count = problems.iter().filter(|problem| problem.is_error()).count();
    let errors = if count == 1 { "error" } else { "errors" };
    let detail = format!("{count} {errors} in the folder: what runs goes on as it was");
    Problem::new(kinds::UNUSABLE, detail).errors(flaws(&problems))
}

fn flaws(problems: &[config::Problem]) -> Vec<Flaw> {
    let place = |problem: &config::Problem| format!("{}:{}:{}", problem.file, problem.line, problem.column);
    problems.iter().map(|problem| Flaw { detail: problem.to_string(), pointer: place(problem) }).collect()
}

fn refused(why: Unchanged) -> Problem {
    match why {
        Unchanged::Stale => Problem::new(
            kinds::CONFLICT,
            "the plan is stale: another change was applied meanwhile; plan again",
        ),
        Unchanged::Secrets(problems) => unusable(problems),
        Unchanged::Taken(problems) => {
            let detail = "this change cannot be made to a running hub; nothing was changed";
            Problem::new(kinds::CONFLICT, detail).errors(flaws(&problems))
        }
        Unchanged::NotNow(why) => Problem::new(kinds::BUSY, why).retry_after(Duration::from_secs(10)),
        Unchanged::Impossible(why) => Problem::new(kinds::CONFLICT, why),
    }
}

impl Desk {
    /// How a folder differs from what runs, and what this hub cannot take of that.
    async fn compare(&self, next: &Checked, files: &Files) -> Result<Comparison, Problem> {
        let applied = self.versions().await?;
        let mut comparison = config::compare(&self.configuration, &next.configuration, files, &applied);
        if let Some(changer) = &self.changer {
            comparison.refusals.extend(changer.refuses(next, files));
        }
        Ok(comparison)
    }

    /// Everything that has a version and counts, or once did.
    async fn versions(&self) -> Result<Vec<Versioned>, Problem> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = match self.look(Look::Versions { after }).await? {
                Page::Versions(page) => page,
                other => return Err(crate::desk::crossed(&other)),
            };
            after = page.last().map(|last| last.key.clone());
            if after.is_none() {
                return Ok(all);
            }
            all.extend(page.into_iter().filter_map(hub::versions::known));
        }
    }

    /// Plans to say all of a route again: nothing is said before the plan is applied.
    async fn resync(&self, route: RouteId, by: &str) -> ResyncRow {
        let scope = Scope { route: Some(route.clone()), ..Scope::default() };
        let route = route.to_string();
        let planned = self.plan(Action::Replay { anew: false }, scope, by.to_owned()).await;
        match planned {
            Ok(id) => {
                let filter = JobFilter { id: Some(id), before: None, limit: 1 };
                let found = self.jobs(filter).await.ok().and_then(|mut rows| rows.pop());
                let total = found.map_or(0, |(_, job, _)| job.kept.total);
                ResyncRow { route, plan: Some(id.to_string()), total, not: None }
            }
            Err(problem) => ResyncRow { route, plan: None, total: 0, not: Some(problem.detail().to_owned()) },
        }
    }

    async fn applied(&self, before: Option<i64>, limit: usize) -> Result<Vec<(i64, Applied)>, Problem> {
        match self.look(Look::Applied { before, limit }).await? {
            Page::Applied(rows) => Ok(rows),
            other => Err(crate::desk::crossed(&other)),
        }
    }
}
