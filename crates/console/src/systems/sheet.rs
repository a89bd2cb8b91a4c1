//! One system as shown: what is held in memory, and why what waits, waits.

use canonical::{Mono, Wall};
use config::{Permit, Permits};
use dispatch::{Binds, BreakerState, Snapshot};
use hub::Description;
use ledger::Lane;
use serde::Serialize;
use store::{ForcedBreaker, HeldPart, Hold};

use super::SystemRow;
use crate::rows::time;

/// Everything about one system.
#[derive(Serialize)]
pub(crate) struct Sheet {
    #[serde(flatten)]
    row: SystemRow,
    /// Most requests on the wire just now.
    concurrency: Option<u32>,
    /// The same as configured.
    concurrency_most: Option<u32>,
    /// Nothing goes before, by the target's own word.
    closed_until: Option<String>,
    /// In memory and not yet due.
    waiting: usize,
    /// In memory, behind another delivery of the same record and object.
    blocked: usize,
    lanes: Vec<LaneRow>,
    limits: Vec<LimitRow>,
    breakers: Vec<BreakerRow>,
    held: Vec<HoldRow>,
    /// Whether what was held is just going back into line.
    releasing: bool,
    forced: Vec<ForcedRow>,
    /// Bulk jobs that run there.
    jobs: Vec<JobRow>,
    /// Kinds of object that are not read from it: those for whom they would be read do not keep up.
    resting: Vec<String>,
    /// Kinds of object without whose first listing nothing is delivered there (`history: plan`).
    unlisted: Vec<String>,
    /// What is expected to be heard of it.
    heard: Vec<HeardRow>,
    /// Why the last try to connect or to read failed; null once one got through.
    trouble: Option<String>,
    /// What the vendor must permit for what the configuration does there; null where the connector does not say.
    scopes: Option<ScopesRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forecast: Option<ForecastRow>,
}

#[derive(Serialize)]
struct HeardRow {
    /// `messages`, or the kind of object whose listing gets through.
    of: String,
    /// When it was last heard, or when the hub began to listen.
    at: String,
    /// So many seconds after that it is missed.
    within_s: u64,
    silent: bool,
}

#[derive(Serialize)]
struct ScopesRow {
    /// Where at the vendor they are given.
    given: String,
    needed: Vec<ScopeRow>,
    /// Listed in the system's file, and needed by nothing.
    surplus: Vec<String>,
}

#[derive(Serialize)]
struct ScopeRow {
    scope: String,
    operations: Vec<String>,
    /// Whether the system's file lists it, or one that covers it; null where it lists none.
    granted: Option<bool>,
}

#[derive(Serialize)]
struct LaneRow {
    lane: &'static str,
    /// In memory and due.
    ready: usize,
    /// Outside its window until then.
    closed_until: Option<String>,
}

#[derive(Serialize)]
struct LimitRow {
    limit: String,
    tokens: u64,
    size: u32,
    /// Per cent of the configured flow in use.
    flow_pct: u32,
    closed_until: Option<String>,
}

#[derive(Serialize)]
struct BreakerRow {
    operation: String,
    state: &'static str,
    until: Option<String>,
    /// By an operator: `open` or `closed`.
    forced: Option<&'static str>,
    good: u32,
    slow: u32,
    ill: u32,
    /// How long answers take of late, in milliseconds.
    typical_ms: Option<u64>,
}

#[derive(Serialize)]
struct HoldRow {
    /// `entity`, `route` or `record`.
    part: &'static str,
    of: String,
    why: String,
    since: String,
}

#[derive(Serialize)]
struct ForcedRow {
    /// Null for all of which nothing else is said.
    operation: Option<String>,
    to: &'static str,
    why: String,
    since: String,
}

#[derive(Serialize)]
struct JobRow {
    /// The system's own id of it.
    job: String,
    object: String,
    operation: String,
    /// Deliveries that wait for it.
    records: usize,
    since: String,
    /// What the system called its state last; null before the first look.
    state: Option<String>,
}

#[derive(Serialize)]
struct ForecastRow {
    calls: u64,
    lane: &'static str,
    /// At work, in seconds.
    takes_s: u64,
    /// Null when not within the windows of the next years.
    through: Option<String>,
    /// What binds: `limit NAME`, `concurrency`, `cool_down`, `unknown`.
    by: String,
}

impl Sheet {
    pub(super) fn of(
        row: SystemRow,
        described: &Description,
        permits: Option<Permits>,
        asked: Option<(u64, Lane)>,
    ) -> Self {
        let now = described.now;
        let wall = |at: Mono| -> Wall { now.wall + now.mono.until(at) };
        let at = |at: Option<Mono>| at.map(|at| time(wall(at)));
        let snapshot = described.snapshot.as_ref();
        let standing = &described.state.standing;
        let forecast = described.forecast.as_ref().zip(asked).map(|(planned, (calls, lane))| ForecastRow {
            calls,
            lane: lane.name(),
            takes_s: planned.takes.as_secs(),
            through: planned.through.map(time),
            by: binds(&planned.by),
        });
        Self {
            row,
            concurrency: snapshot.map(|snapshot| snapshot.concurrency),
            concurrency_most: snapshot.map(|snapshot| snapshot.concurrency_most),
            closed_until: at(snapshot.and_then(|snapshot| snapshot.closed_until)),
            waiting: snapshot.map_or(0, |snapshot| snapshot.waiting),
            blocked: snapshot.map_or(0, |snapshot| snapshot.blocked),
            lanes: snapshot.map_or_else(Vec::new, |snapshot| lanes(snapshot, &at)),
            limits: snapshot.map_or_else(Vec::new, |snapshot| limits(snapshot, &at)),
            breakers: snapshot.map_or_else(Vec::new, |snapshot| breakers(snapshot, &at)),
            held: standing.holds.iter().map(HoldRow::of).collect(),
            releasing: standing.releasing,
            forced: standing.forced.iter().map(ForcedRow::of).collect(),
            jobs: described.jobs.iter().map(JobRow::of).collect(),
            resting: described.resting.iter().map(ToString::to_string).collect(),
            unlisted: described.unlisted.iter().map(ToString::to_string).collect(),
            heard: described.hearings.iter().map(HeardRow::of).collect(),
            trouble: described.trouble.clone(),
            scopes: permits.map(ScopesRow::of),
            forecast,
        }
    }
}

impl HeardRow {
    fn of(hearing: &hub::Hearing) -> Self {
        Self {
            of: hearing.of.as_ref().map_or_else(|| "messages".to_owned(), ToString::to_string),
            at: time(hearing.at),
            within_s: hearing.within.as_secs(),
            silent: hearing.silent,
        }
    }
}

impl ScopesRow {
    fn of(permits: Permits) -> Self {
        let row = |permit: Permit| ScopeRow {
            scope: permit.scope,
            operations: permit.operations,
            granted: permit.granted,
        };
        Self {
            given: permits.given,
            needed: permits.needed.into_iter().map(row).collect(),
            surplus: permits.surplus,
        }
    }
}

impl JobRow {
    fn of(job: &hub::RunningJob) -> Self {
        Self {
            job: job.job.clone(),
            object: job.object.to_string(),
            operation: job.operation.clone(),
            records: job.records,
            since: time(job.since),
            state: Some(job.state.clone()).filter(|state| !state.is_empty()),
        }
    }
}

fn lanes(snapshot: &Snapshot, at: &dyn Fn(Option<Mono>) -> Option<String>) -> Vec<LaneRow> {
    let lanes = Lane::ALL.into_iter().zip(snapshot.ready).zip(snapshot.lanes_closed_until);
    lanes
        .map(|((lane, ready), closed)| LaneRow { lane: lane.name(), ready, closed_until: at(closed) })
        .collect()
}

fn limits(snapshot: &Snapshot, at: &dyn Fn(Option<Mono>) -> Option<String>) -> Vec<LimitRow> {
    let limit = |bucket: &dispatch::BucketView| LimitRow {
        limit: bucket.name.clone(),
        tokens: bucket.tokens,
        size: bucket.size,
        flow_pct: bucket.flow_pct,
        closed_until: at(bucket.closed_until),
    };
    snapshot.buckets.iter().map(limit).collect()
}

fn breakers(snapshot: &Snapshot, at: &dyn Fn(Option<Mono>) -> Option<String>) -> Vec<BreakerRow> {
    let breaker = |view: &dispatch::BreakerView| BreakerRow {
        operation: view.operation.clone(),
        state: view.state.name(),
        until: match view.state {
            BreakerState::Open { until } if view.forced.is_none() => at(Some(until)),
            _ => None,
        },
        forced: view.forced.map(dispatch::Forced::name),
        good: view.good,
        slow: view.slow,
        ill: view.ill,
        typical_ms: view.typical.map(|typical| u64::try_from(typical.as_millis()).unwrap_or(u64::MAX)),
    };
    snapshot.breakers.iter().map(breaker).collect()
}

impl HoldRow {
    fn of(hold: &Hold) -> Self {
        let (part, of) = match &hold.scope {
            HeldPart::Entity(entity) => ("entity", entity.to_string()),
            HeldPart::Route(route) => ("route", route.to_string()),
            HeldPart::Record(record) => ("record", record.to_string()),
        };
        Self { part, of, why: hold.why.clone(), since: time(hold.since) }
    }
}

impl ForcedRow {
    fn of(forced: &ForcedBreaker) -> Self {
        Self {
            operation: forced.operation.clone(),
            to: if forced.open { "open" } else { "closed" },
            why: forced.why.clone(),
            since: time(forced.since),
        }
    }
}

pub(crate) fn binds(by: &Binds) -> String {
    match by {
        Binds::Limit(name) => format!("limit {name}"),
        Binds::Concurrency => "concurrency".to_owned(),
        Binds::CoolDown => "cool_down".to_owned(),
        Binds::Unknown => "unknown".to_owned(),
    }
}
