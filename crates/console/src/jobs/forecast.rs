//! When a plan's calls would be through, by each system's own limits.

use std::collections::BTreeMap;

use canonical::System;
use ledger::{GroupKind, Job, JobState, Lane};
use serde::Serialize;

use crate::desk::Desk;
use crate::rows::time;
use crate::systems::binds;

/// Systems that are asked, at most.
const SYSTEMS_MAX: usize = 20;

/// What a system says of its share.
#[derive(Serialize)]
pub(crate) struct ForecastRow {
    system: String,
    /// A call for each delivery, at least.
    calls: u64,
    /// Seconds at work: by its limits without the reserve for critical work, its slots and its pace.
    takes_s: u64,
    /// When they are through; nothing when not within the bulk windows of the next years.
    through: Option<String>,
    /// What binds.
    by: String,
}

/// Of what is planned, or still at work. A system that does not answer is left out.
pub(super) async fn of(desk: &Desk, job: &Job) -> Vec<ForecastRow> {
    if !(job.state == JobState::Planned || job.state.is_open()) || job.action == ledger::Action::Discard {
        return Vec::new();
    }
    let mut calls: BTreeMap<&System, u64> = BTreeMap::new();
    for portion in job.kept.portions.iter().filter(|portion| portion.kind == GroupKind::Delivery) {
        *calls.entry(&portion.system).or_default() += portion.count;
    }
    let mut rows = Vec::new();
    for (system, calls) in calls.into_iter().take(SYSTEMS_MAX) {
        let Ok(described) = desk.described(system, Some((calls, Lane::Bulk))).await else { continue };
        let Some(planned) = described.forecast else { continue };
        rows.push(ForecastRow {
            system: system.to_string(),
            calls,
            takes_s: planned.takes.as_secs(),
            through: planned.through.map(time),
            by: binds(&planned.by),
        });
    }
    rows
}
