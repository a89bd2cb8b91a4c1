//! Groups of dead letters: alike failures, counted by the store as they come and go.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State as Shared};
use canonical::Wall;
use ledger::{Group, GroupKind, Sample};
use serde::Serialize;
use store::browse::{GroupFilter, LIST_ROWS_MAX};
use web::Problem;

use super::Wanted;
use super::differs::{self, Compared};
use crate::asked::{Asked, Named, bad};
use crate::desk::{Desk, nothing};
use crate::keys;
use crate::rows::{Items, Why, time};

/// A group as shown.
#[derive(Serialize)]
pub(crate) struct GroupRow {
    kind: &'static str,
    system: String,
    /// `open`: something needs a person; `retrying`: nothing does, and something is not through yet; `closed`.
    state: &'static str,
    /// Of the newest.
    #[serde(flatten)]
    why: Why,
    entity: Option<String>,
    object: Option<String>,
    route: Option<String>,
    /// How many need a person now.
    count: u64,
    /// How many are on their way again.
    retrying: u64,
    /// How often something came into it.
    seen: u64,
    /// How many got through in the end.
    through: u64,
    /// How many were given up.
    discarded: u64,
    /// When the first and the newest came.
    first: String,
    last: String,
    closed_at: Option<String>,
    /// How often it came back after it was closed, and when it last did.
    reopened: u32,
    reopened_at: Option<String>,
    /// How many came in the last 24 hours, this one included.
    last_day: u64,
    trend: TrendRow,
    /// The key of the newest.
    sample: String,
}

/// How many came, the newest last.
#[derive(Serialize)]
struct TrendRow {
    /// By the hour of the clock, 24 of them.
    hours: Vec<u32>,
    /// By the day (UTC), 14 of them.
    days: Vec<u32>,
}

/// One group, and what differs between what is in it and what got through.
#[derive(Serialize)]
pub(crate) struct GroupSheet {
    #[serde(flatten)]
    group: GroupRow,
    /// Null for messages, and when there is nothing to compare with.
    differs: Option<Compared>,
}

impl GroupRow {
    pub(crate) fn of(group: &Group, now: Wall) -> Self {
        let hours = group.trend.hours(now);
        Self {
            kind: group.kind.name(),
            system: group.system.to_string(),
            state: match (group.waiting, group.again) {
                (0, 0) => "closed",
                (0, _) => "retrying",
                _ => "open",
            },
            why: Why { fingerprint: Some(group.fingerprint.clone()), ..Why::of(Some(&group.why)) },
            entity: group.entity.as_ref().map(ToString::to_string),
            object: group.object.as_ref().map(ToString::to_string),
            route: group.route.as_ref().map(ToString::to_string),
            count: group.waiting,
            retrying: group.again,
            seen: group.seen,
            through: group.through,
            discarded: group.given_up,
            first: time(group.first_seen),
            last: time(group.last_seen),
            closed_at: group.closed_at.map(time),
            reopened: group.reopened,
            reopened_at: group.reopened_at.map(time),
            last_day: hours.iter().copied().map(u64::from).sum(),
            trend: TrendRow { hours, days: group.trend.days(now) },
            sample: sample(&group.sample),
        }
    }
}

/// A sample's key, as shown.
pub(crate) fn sample(sample: &Sample) -> String {
    match sample {
        Sample::Delivery(key) => keys::shown(key),
        Sample::Message(id) => id.to_string(),
    }
}

pub(crate) async fn list(
    Shared(desk): Shared<Arc<Desk>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Items<GroupRow>>, Problem> {
    let asked = Asked::read(query.as_deref(), &["system", "closed", "before", "limit"])?;
    let part = asked.part()?;
    let open = match asked.text("closed") {
        None => Some(true),
        Some("true") => Some(false),
        Some("all") => None,
        Some(_) => {
            return Err(bad("closed", "write `true` for closed groups, `all` for all, or leave it out"));
        }
    };
    let filter = GroupFilter {
        system: asked.system("system")?,
        fingerprint: None,
        open,
        before: part.before,
        limit: part.limit,
    };
    let rows = desk.groups(filter).await?;
    let now = desk.hub.now().wall;
    let items = rows.iter().map(|(_, group)| GroupRow::of(group, now)).collect();
    Ok(Json(Items { items, next: part.next(&rows) }))
}

pub(crate) async fn get(
    Shared(desk): Shared<Arc<Desk>>,
    Named(name): Named,
) -> Result<Json<GroupSheet>, Problem> {
    let group = desk.group(&name).await?.ok_or_else(|| nothing("group"))?;
    let differs = match group.kind {
        GroupKind::Delivery => differs::compare(&desk, &group).await?,
        GroupKind::Message => None,
    };
    Ok(Json(GroupSheet { group: GroupRow::of(&group, desk.hub.now().wall), differs }))
}

/// The groups behind a list of dead letters: those in which something needs a person, the largest first.
pub(super) async fn groups(desk: &Desk, wanted: &Wanted) -> Result<Vec<GroupRow>, Problem> {
    let filter = GroupFilter {
        system: wanted.system.clone(),
        fingerprint: wanted.fingerprint.clone(),
        open: Some(true),
        before: None,
        limit: LIST_ROWS_MAX,
    };
    let mut found = desk.groups(filter).await?;
    let kinds = |kind| match kind {
        GroupKind::Delivery => wanted.deliveries,
        GroupKind::Message => wanted.messages,
    };
    found.retain(|(_, group)| group.waiting > 0 && kinds(group.kind));
    found.sort_by(|(_, a), (_, b)| (b.waiting, &a.fingerprint).cmp(&(a.waiting, &b.fingerprint)));
    let now = desk.hub.now().wall;
    Ok(found.iter().map(|(_, group)| GroupRow::of(group, now)).collect())
}
