//! A plan: a comparison with numbers from the store, and what follows for records and traffic.

use std::collections::{BTreeMap, BTreeSet};

use canonical::{Entity, RouteId, System};
use config::{Change, Checked, Comparison, RouteChange};
use serde::Serialize;
use store::browse::{FOOTPRINT_MAX, Footprint, Look, Page, SystemCounts};
use web::{Flaw, Problem, kinds};

use crate::desk::{Desk, crossed};

/// What applying a folder would do.
#[derive(Serialize)]
pub(crate) struct Plan {
    /// Names this plan: of what runs and of the folder.
    pub(crate) plan: String,
    /// The digest of what runs.
    runs: String,
    /// The digest of the folder.
    digest: String,
    changes: Vec<Change>,
    /// What it means, a sentence each.
    effects: Vec<String>,
    routes: Vec<RouteRow>,
    connected: BTreeSet<System>,
    disconnected: BTreeSet<System>,
    renewed: BTreeSet<System>,
    /// Why it cannot be applied; empty when it can.
    refusals: Vec<Refusal>,
    warnings: Vec<String>,
}

/// A `sync` or `notify` route that is not as it was.
#[derive(Serialize)]
struct RouteRow {
    route: String,
    change: RouteChange,
    entity: String,
    system: String,
    /// Records of its entity; more than 200,000 are not counted.
    records: u64,
    /// Its open deliveries.
    open: u64,
}

/// Why it cannot be applied.
#[derive(Serialize)]
struct Refusal {
    file: String,
    line: u32,
    column: u32,
    what: String,
    hint: Option<String>,
    /// All of it as a compiler would say it.
    shown: String,
}

impl Refusal {
    fn of(problem: &config::Problem) -> Self {
        Self {
            file: problem.file.clone(),
            line: problem.line,
            column: problem.column,
            what: problem.what.clone(),
            hint: problem.hint.clone(),
            shown: problem.to_string(),
        }
    }
}

impl Plan {
    /// Whether it may be applied.
    ///
    /// # Errors
    /// With everything that is in the way.
    pub(crate) fn permitted(&self) -> Result<(), Problem> {
        if self.refusals.is_empty() {
            return Ok(());
        }
        let flaw = |refusal: &Refusal| Flaw {
            detail: refusal.shown.clone(),
            pointer: format!("{}:{}:{}", refusal.file, refusal.line, refusal.column),
        };
        let detail = "this change cannot be made to a running hub: see `concord plan`; nothing was changed";
        Err(Problem::new(kinds::CONFLICT, detail).errors(self.refusals.iter().map(flaw).collect()))
    }
}

/// A count, as it is said.
fn about(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count if count >= FOOTPRINT_MAX => format!("more than {FOOTPRINT_MAX} {}", many(what)),
        count => format!("{count} {}", many(what)),
    }
}

fn many(what: &str) -> String {
    match what.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{what}s"),
    }
}

impl Desk {
    /// Puts numbers to a comparison.
    pub(super) async fn plan_of(&self, next: &Checked, comparison: &Comparison) -> Result<Plan, Problem> {
        let numbers = self.footprint(comparison).await?;
        let counts = if comparison.disconnected.is_empty() { Vec::new() } else { self.systems().await? };
        let counts: BTreeMap<System, SystemCounts> =
            counts.into_iter().map(|(state, counts)| (state.system, counts)).collect();
        let mut refusals: Vec<Refusal> = comparison.refusals.iter().map(Refusal::of).collect();
        refusals.extend(self.held_fast(comparison, &numbers, &counts).iter().map(Refusal::of));
        let (runs, digest) = (&self.configuration.digest, &next.configuration.digest);
        let row = |(id, (change, entity, system)): (&RouteId, &(RouteChange, Entity, System))| RouteRow {
            route: id.to_string(),
            change: *change,
            entity: entity.to_string(),
            system: system.to_string(),
            records: numbers.records.get(entity).copied().unwrap_or_default(),
            open: numbers.open.get(id).copied().unwrap_or_default(),
        };
        Ok(Plan {
            plan: id(runs, digest),
            runs: runs.clone(),
            digest: digest.clone(),
            changes: comparison.changes.clone(),
            effects: effects(comparison, &numbers),
            routes: comparison.routes.iter().map(row).collect(),
            connected: comparison.connected.clone(),
            disconnected: comparison.disconnected.clone(),
            renewed: comparison.renewed.clone(),
            refusals,
            warnings: next.warnings.iter().map(ToString::to_string).collect(),
        })
    }

    async fn footprint(&self, comparison: &Comparison) -> Result<Footprint, Problem> {
        let routes = comparison.routes.values();
        let entities: BTreeSet<Entity> = routes
            .clone()
            .map(|(_, entity, _)| entity)
            .chain(&comparison.entities_removed)
            .cloned()
            .collect();
        let systems: BTreeSet<System> = routes.map(|(_, _, system)| system.clone()).collect();
        if entities.is_empty() && systems.is_empty() {
            return Ok(Footprint::default());
        }
        let (entities, systems) = (entities.into_iter().collect(), systems.into_iter().collect());
        match self.look(Look::Footprint { entities, systems }).await? {
            Page::Footprint(found) => Ok(found),
            other => Err(crossed(&other)),
        }
    }

    /// What cannot go because of what is stored.
    fn held_fast(
        &self,
        comparison: &Comparison,
        numbers: &Footprint,
        counts: &BTreeMap<System, SystemCounts>,
    ) -> Vec<config::Problem> {
        let mut out = Vec::new();
        for entity in &comparison.entities_removed {
            let records = numbers.records.get(entity).copied().unwrap_or_default();
            if records > 0 {
                let what = format!("{} of {entity} would lose their type", about(records, "stored record"));
                let hint = "keep its file in model/; without mappings and routes nothing comes or goes";
                out.push(config::Problem::of_file("", what, hint));
            }
        }
        for system in &comparison.disconnected {
            let routes: Vec<&str> =
                self.configuration.routes_to(system).iter().map(|route| route.id.as_str()).collect();
            if !routes.is_empty() {
                let what = format!("routes lead to the system `{system}`: {}", routes.join(", "));
                let hint = "take these routes out first and apply that: what is open of them comes to rest as skipped; \
                            then take the system out";
                out.push(config::Problem::of_file("", what, hint));
            }
            let counts = counts.get(system).cloned().unwrap_or_default();
            let (open, doubtful) = (counts.open, counts.uncertain);
            if open + doubtful > 0 {
                let what = format!(
                    "the system `{system}` has {} and {} in doubt",
                    about(open, "open delivery"),
                    about(doubtful, "delivery")
                );
                let hint = format!(
                    "wait until they have ended, or decide about them: `concord delivery list --system {system} --state \
                     pending,retrying,parked,uncertain`"
                );
                out.push(config::Problem::of_file("", what, hint));
            }
        }
        out
    }
}

/// Names a plan: what it starts from, and what it leads to.
fn id(runs: &str, digest: &str) -> String {
    format!("plan_{}-{}", runs.get(..12).unwrap_or(runs), digest.get(..12).unwrap_or(digest))
}

/// What a change means for records and traffic.
fn effects(comparison: &Comparison, numbers: &Footprint) -> Vec<String> {
    let mut out = Vec::new();
    for system in &comparison.connected {
        out.push(format!("{system} is connected"));
    }
    for system in &comparison.renewed {
        out.push(format!(
            "{system} finishes the calls under way, then starts again; nothing else waits for it, and its limits begin \
             empty"
        ));
    }
    for system in &comparison.disconnected {
        out.push(format!("{system} is disconnected; its links and history stay"));
    }
    for (id, (change, entity, system)) in &comparison.routes {
        let records = numbers.records.get(entity).copied().unwrap_or_default();
        let open = numbers.open.get(id).copied().unwrap_or_default();
        let records = about(records, "record");
        out.push(match change {
            RouteChange::Added => format!(
                "route {id}: from now on changes of {entity} go to {system}; the {records} that are stored go with their \
                 next change"
            ),
            RouteChange::Removed => {
                format!("route {id}: {} to {system} come to rest as skipped; what is held does when it is released", about(open, "open delivery"))
            }
            RouteChange::Rendered => format!(
                "route {id}: up to {records} of {entity} may look different in {system}; each is brought over with its \
                 next change, none is sent because of this one; {} render with the new mapping",
                about(open, "open delivery")
            ),
        });
    }
    out.extend(comparison.told.iter().cloned());
    if !comparison.is_empty() {
        out.push("requests that are rendered already go, or go again, as they are".to_owned());
    }
    out
}
