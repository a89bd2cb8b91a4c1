//! The registry: takes marks, keeps every figure, writes the `/metrics` text.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use canonical::{System, Tenant};
use hub::Mark;
use ledger::{Class, Lane};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry as Series;

use crate::catalogue::{Catalogue, Refused, bounded};
use crate::snapshot::{Cell, Gauges, Snapshot, TotalCells, more, one};
use crate::voice;

/// All figures of one tenant. Shared by reference; every method may be called from any thread.
#[derive(Debug)]
pub struct Registry {
    series: Series,
    catalogue: Catalogue,
    totals: TotalCells,
    systems: RwLock<BTreeMap<System, Arc<Cell>>>,
    /// Whose, in log lines.
    tenant: Option<Tenant>,
}

impl Registry {
    /// An empty registry whose series all carry the tenant.
    #[must_use]
    pub fn new(tenant: &Tenant) -> Self {
        Self::of(Some(tenant.clone()))
    }

    /// An empty registry for what is no tenant's: the store that several share, and requests that belong to none.
    #[must_use]
    pub fn of_nobody() -> Self {
        Self::of(None)
    }

    fn of(tenant: Option<Tenant>) -> Self {
        let label = tenant.as_ref().map(|tenant| ("tenant".into(), tenant.as_str().to_owned().into()));
        let mut series = Series::with_prefix_and_labels("concord", label.into_iter());
        let catalogue = Catalogue::register(&mut series);
        Self { series, catalogue, totals: TotalCells::default(), systems: RwLock::default(), tenant }
    }

    /// Keeps what happened: metrics, live counters, and a log line where a person must hear of it.
    pub fn note(&self, mark: &Mark) {
        voice::tell(self.tenant.as_ref().map_or("", Tenant::as_str), mark);
        if !(self.note_intake(mark) || self.note_delivery(mark) || self.note_system(mark)) {
            self.catalogue.unmapped_marks.one([]);
        }
    }

    /// What sources said. Tells whether the mark is one of these.
    fn note_intake(&self, mark: &Mark) -> bool {
        let (c, t) = (&self.catalogue, &self.totals);
        match mark {
            Mark::Accepted { source, count } => {
                let count = u64::try_from(*count).unwrap_or(u64::MAX);
                c.messages_accepted.add([source.as_str()], count);
                more(&t.accepted, count);
                more(&self.cell(source).figures.accepted, count);
            }
            Mark::Duplicate { source } => {
                c.messages_duplicate.one([source.as_str()]);
                one(&t.duplicates);
                one(&self.cell(source).figures.duplicates);
            }
            Mark::Quarantined { source, class, .. } => {
                c.messages_quarantined.one([source.as_str(), bounded(class)]);
                one(&t.quarantined);
                one(&self.cell(source).figures.quarantined);
            }
            Mark::MessageParked { source } => {
                c.messages_parked.one([source.as_str()]);
                one(&t.messages_parked);
            }
            Mark::Refused { source, cause } => {
                c.offers_refused.one([source.as_str(), cause]);
                one(&t.refused);
            }
            Mark::Rests { source, object, cause, .. } => {
                c.reads_rested.one([source.as_str(), object.as_str(), cause]);
                c.reads_resting.set([source.as_str(), object.as_str()], 1);
            }
            Mark::Silent { system, what, .. } => c.silent.set([system.as_str(), what], 1),
            Mark::HeardAgain { system, what } => c.silent.set([system.as_str(), what], 0),
            Mark::ReadsOn { source, object } => c.reads_resting.set([source.as_str(), object.as_str()], 0),
            Mark::Merged { entity, source, .. } => {
                c.records_merged.one([entity.as_str(), source.as_str()]);
                one(&t.merged);
            }
            Mark::Decided { kind, entity, source } => {
                c.decisions.one([kind, entity.as_str(), source.as_str()]);
                match *kind {
                    "rejected" => one(&t.rejected),
                    "reverted" => one(&t.reverted),
                    "frozen" => one(&t.frozen),
                    "stale" => one(&t.stale),
                    "echo" => one(&t.echoes),
                    _ => {}
                }
            }
            Mark::Happened { kind } => {
                c.events.one([kind]);
                one(&t.events);
            }
            Mark::DecidedAgain => {
                c.decided_again.one([]);
                one(&t.decided_again);
            }
            _ => return false,
        }
        true
    }

    /// What became of deliveries.
    fn note_delivery(&self, mark: &Mark) -> bool {
        let (c, t) = (&self.catalogue, &self.totals);
        match mark {
            Mark::Delivered { system, object, lane, lag, folded, .. } => {
                self.delivered(system, object.as_str(), *lane, *lag, *folded);
            }
            Mark::Skipped { system } => {
                c.deliveries_skipped.one([system.as_str()]);
                one(&self.cell(system).figures.skipped);
            }
            Mark::Retrying { system, class } => {
                c.deliveries_retried.one([system.as_str(), class.name()]);
                one(&t.retried);
                one(&self.cell(system).figures.retried);
            }
            Mark::Doubtful { system, class } => {
                c.deliveries_doubtful.one([system.as_str(), class]);
                one(&t.doubtful);
                one(&self.cell(system).figures.doubtful);
            }
            Mark::Resolved { system, how } => {
                c.doubts_resolved.one([system.as_str(), how]);
                one(&t.resolved);
                one(&self.cell(system).figures.resolved);
            }
            Mark::NeedsPerson { system, .. } => {
                c.doubts_open.one([system.as_str()]);
                one(&t.needs_person);
                one(&self.cell(system).figures.needs_person);
            }
            Mark::Dead { system, class, .. } => {
                c.deliveries_dead.one([system.as_str(), bounded(class)]);
                one(&t.dead);
                one(&self.cell(system).figures.dead);
            }
            Mark::Parked { system } => {
                c.deliveries_parked.one([system.as_str()]);
                one(&self.cell(system).figures.parked);
            }
            _ => return false,
        }
        true
    }

    fn delivered(&self, system: &System, object: &str, lane: Lane, lag: Duration, folded: u32) {
        let c = &self.catalogue;
        let coalesced = u64::from(folded.saturating_sub(1));
        c.deliveries.one([system.as_str(), object, lane.name()]);
        c.delivery_lag.observe([system.as_str(), lane.name()], lag);
        let cell = self.cell(system);
        one(&cell.figures.delivered);
        one(&self.totals.delivered);
        cell.lags.add(lag);
        if coalesced > 0 {
            c.levels_coalesced.add([system.as_str()], coalesced);
            more(&cell.figures.coalesced, coalesced);
            more(&self.totals.coalesced, coalesced);
        }
    }

    /// How systems behave and stand.
    fn note_system(&self, mark: &Mark) -> bool {
        let (c, t) = (&self.catalogue, &self.totals);
        match mark {
            Mark::Sent { system, operation } => {
                c.requests_sent.one([system.as_str(), operation]);
                one(&self.cell(system).figures.sent);
            }
            Mark::Answered { system, operation, class, took } => {
                c.request_duration.observe([system.as_str(), operation, class.name()], *took);
                if matches!(class, Class::RateLimited | Class::QuotaExhausted) {
                    one(&self.cell(system).figures.rate_limited);
                }
            }
            Mark::Batch { system, operation, sent, applied, unknown } => {
                c.batches.one([system.as_str(), operation]);
                let refused = sent.saturating_sub(*applied).saturating_sub(*unknown);
                for (outcome, count) in [("applied", *applied), ("refused", refused), ("unknown", *unknown)] {
                    let count = u64::try_from(count).unwrap_or(u64::MAX);
                    c.batched.add([system.as_str(), operation, outcome], count);
                }
            }
            Mark::BulkBegan { system, operation, records } => {
                self.bulk((system, operation), "begun", *records)
            }
            Mark::BulkEnded { system, operation, how, records, .. } => {
                self.bulk((system, operation), how, *records);
            }
            Mark::Split { system, .. } => c.batches_split.one([system.as_str()]),
            Mark::Throttled { system } => {
                c.throttles.one([system.as_str()]);
                one(&t.throttles);
                one(&self.cell(system).figures.throttles);
            }
            Mark::Breaker { system, operation, state } => {
                c.breaker_transitions.one([system.as_str(), operation, state]);
                if *state == "open" {
                    one(&t.breaker_opens);
                    one(&self.cell(system).figures.breaker_opens);
                }
            }
            Mark::Paused { system, .. } => c.pauses.one([system.as_str(), "paused"]),
            Mark::Resumed { system, .. } => c.pauses.one([system.as_str(), "resumed"]),
            Mark::Ordered { system, what, .. } => c.pauses.one([system.as_str(), what]),
            Mark::Job { action, state, .. } => c.job_steps.one([*action, *state]),
            Mark::Forgotten { kind, count } => c.rows_forgotten.add([*kind], *count as u64),
            Mark::Archived { rows, .. } => c.rows_archived.add([], *rows as u64),
            Mark::ArchiveFailed { .. } => c.retention_failures.one(["archive"]),
            Mark::RetentionFailed { .. } => c.retention_failures.one(["forget"]),
            Mark::Configured { system, renewed } => {
                c.configured.one([system.as_str(), if *renewed { "renewed" } else { "in_place" }]);
            }
            Mark::Authorised { system, ok } => {
                c.authorisations.one([system.as_str(), if *ok { "granted" } else { "refused" }]);
            }
            Mark::Unconnected { system, .. } => c.connects_failed.one([system.as_str()]),
            Mark::PollFailed { system, object, class, .. } => {
                c.polls_failed.one([system.as_str(), object.as_str(), class.name()]);
            }
            Mark::Polled { system, object, count } => {
                let count = u64::try_from(*count).unwrap_or(u64::MAX);
                c.objects_polled.add([system.as_str(), object.as_str()], count);
                more(&self.cell(system).figures.polled, count);
            }
            Mark::Fetched { system } => {
                c.objects_fetched.one([system.as_str()]);
                one(&self.cell(system).figures.fetched);
            }
            Mark::Reread { system } => c.objects_reread.one([system.as_str()]),
            Mark::FirstListing { system, object, step, .. } => {
                c.first_listings.one([system.as_str(), object.as_str(), step]);
            }
            Mark::Rereading { system } => c.restore_steps.one([system.as_str(), "reading"]),
            Mark::Reopened { system, whole } => {
                c.restore_steps.one([system.as_str(), if *whole { "reopened" } else { "reopened_late" }]);
            }
            Mark::LinkRot { system } => c.links_rotten.one([system.as_str()]),
            Mark::Gauges {
                system,
                in_flight,
                held,
                behind,
                doubtful,
                jobs,
                breaker,
                throttled,
                paused,
                silent,
            } => {
                let gauges = Gauges {
                    in_flight: *in_flight,
                    held: *held,
                    behind: *behind,
                    doubtful: *doubtful,
                    jobs: *jobs,
                    breaker: *breaker,
                    throttled: *throttled,
                    paused: *paused,
                    silent: *silent,
                };
                self.gauges(system, gauges);
            }
            _ => return false,
        }
        true
    }

    /// Nothing runs for a system any more: its gauges say so. What was counted stays.
    pub fn rest(&self, system: &System) {
        self.gauges(system, Gauges::default());
    }

    fn gauges(&self, system: &System, gauges: Gauges) {
        let (c, name) = (&self.catalogue, system.as_str());
        c.in_flight.set([name], gauges.in_flight);
        for lane in Lane::ALL {
            c.held.set([name, lane.name()], gauges.held[usize::from(lane.number())]);
        }
        c.behind.set([name], usize::from(gauges.behind));
        c.doubtful.set([name], gauges.doubtful);
        c.bulk_jobs_running.set([name], gauges.jobs);
        c.breaker.set([name], usize::from(gauges.breaker));
        c.throttled.set([name], usize::from(gauges.throttled));
        c.paused.set([name], usize::from(gauges.paused));
        self.cell(system).gauges.set(gauges);
    }

    /// A request that one of Concord's own listeners has answered. `route` is the route's pattern, never the path.
    pub fn note_request(&self, route: &str, status: u16, took: Duration) {
        self.catalogue.http_requests.one([route, &status.to_string()]);
        self.catalogue.http_duration.observe([route], took);
    }

    /// A request refused before it became an offer. `source` is `None` where no configured source was named.
    pub fn note_refused(&self, source: Option<&System>, reason: Refused) {
        self.catalogue.http_refused.one([source.map_or("none", System::as_str), reason.name()]);
    }

    /// What the store has done so far, as it counts itself. What it does not say here is not shown.
    pub fn note_store(&self, stats: &store::Stats) {
        let c = &self.catalogue;
        c.store_commits.stand_at([], stats.commits);
        c.store_units.stand_at([], stats.units);
        c.store_conflicts.stand_at([], stats.conflicts);
        c.store_finds.stand_at([], stats.finds);
        c.store_full.set([], usize::from(stats.full.is_some()));
        if let Some(disk) = stats.disk {
            c.store_syncs.stand_at([], disk.syncs);
            c.store_checkpoints.stand_at([], disk.checkpoints);
            c.store_log_pages.set([], usize::try_from(disk.log_pages).unwrap_or(usize::MAX));
        }
    }

    /// The figures as OpenMetrics text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        match encode(&mut text, &self.series) {
            Ok(()) => text,
            // Writing to a String does not fail; an encoder that did would leave half a text, which is worse
            // than none.
            Err(_) => "# EOF\n".to_owned(),
        }
    }

    /// The live counters now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let systems = self.systems.read().unwrap_or_else(PoisonError::into_inner);
        let systems = systems.iter().map(|(system, cell)| (system.clone(), cell.read())).collect();
        Snapshot { totals: self.totals.read(), systems }
    }

    /// A job at a target began, or is over.
    fn bulk(&self, (system, operation): (&System, &str), how: &str, records: usize) {
        let labels = [system.as_str(), operation, how];
        self.catalogue.bulk_jobs.one(labels);
        self.catalogue.bulk_records.add(labels, u64::try_from(records).unwrap_or(u64::MAX));
    }

    fn cell(&self, system: &System) -> Arc<Cell> {
        let known = self.systems.read().unwrap_or_else(PoisonError::into_inner).get(system).cloned();
        known.unwrap_or_else(|| {
            let mut systems = self.systems.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(systems.entry(system.clone()).or_insert_with(|| Arc::new(Cell::new())))
        })
    }
}

#[cfg(test)]
mod tests;
