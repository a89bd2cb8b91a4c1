//! The catalogue: every metric that Concord shows, in one place.
//!
//! Names follow the Prometheus rules: `concord_<thing>_<unit>[_total]`, base units, one quantity per name, and no
//! label that grows with traffic. A label whose value comes from a vendor or a rule passes [`bounded`].

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry as Series, Unit};

type Labels<const N: usize> = [(&'static str, String); N];

/// A counter with named labels; the number of values is checked by the compiler.
#[derive(Debug)]
pub(crate) struct Count<const N: usize> {
    keys: [&'static str; N],
    family: Family<Labels<N>, Counter>,
}

/// A gauge with named labels.
#[derive(Debug)]
pub(crate) struct Level<const N: usize> {
    keys: [&'static str; N],
    family: Family<Labels<N>, Gauge>,
}

/// A distribution of times, in seconds, with named labels.
#[derive(Debug)]
pub(crate) struct Times<const N: usize> {
    keys: [&'static str; N],
    family: Family<Labels<N>, Histogram>,
}

/// Why ingress refused a request before it became an offer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// No such source.
    Unknown,
    /// The signature does not match, or is missing.
    Forged,
    /// Authentic, but outside the replay window.
    Stale,
    /// Too large.
    TooLarge,
    /// Not readable.
    Malformed,
    /// Over the source's own rate.
    RateLimited,
    /// No token, or one that may not do this.
    Unauthorised,
    /// The body did not arrive in time.
    Slow,
    /// No room: the hub is busy, draining, or its disk is full.
    Busy,
    /// Too many deliveries wait for those it would go to.
    Backlog,
    /// An idempotency key was used again in a way that cannot be served.
    KeyReused,
}

impl Refused {
    /// Its name, as the label's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown_source",
            Self::Forged => "forged",
            Self::Stale => "stale",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::RateLimited => "rate_limited",
            Self::Unauthorised => "unauthorised",
            Self::Slow => "slow",
            Self::Busy => "busy",
            Self::Backlog => "backlog",
            Self::KeyReused => "key_reused",
        }
    }
}

macro_rules! catalogue {
    ($($kind:ident $field:ident $name:literal [$($key:literal),*] $help:literal;)*) => {
        /// All metrics.
        #[derive(Debug)]
        pub(crate) struct Catalogue {
            $(pub(crate) $field: catalogue!(@type $kind $($key),*),)*
        }

        impl Catalogue {
            /// Registers every metric with `series`.
            pub(crate) fn register(series: &mut Series) -> Self {
                Self { $($field: $kind::register(series, $name, [$($key),*], $help),)* }
            }

            /// Names, labels and meanings, for the documentation and its test.
            #[cfg(test)]
            pub(crate) const ROWS: &[(&str, &[&str], &str)] = &[$(($name, &[$($key),*], $help)),*];
        }
    };
    (@type $kind:ident $($key:literal),*) => { $kind<{
        const KEYS: &[&str] = &[$($key),*];
        KEYS.len()
    }> };
}

catalogue! {
    Count messages_accepted "messages_accepted" ["source"] "Messages of sources taken in durably";
    Count messages_duplicate "messages_duplicate" ["source"] "Messages seen before";
    Count messages_quarantined "messages_quarantined" ["source", "class"] "Messages kept for a person";
    Count messages_parked "messages_parked" ["source"] "Messages that wait for a link";
    Count offers_refused "offers_refused" ["source", "cause"] "Offers refused because of pressure, by what was full";
    Count reads_rested "reads_rested" ["source", "object", "cause"] "Listings that were put to rest because deliveries wait";
    Count records_merged "records_merged" ["entity", "source"] "New versions of records";
    Count decisions "decisions" ["kind", "entity", "source"] "Values or messages that were not simply merged";
    Count events "domain_events" ["kind"] "Domain events made";
    Count decided_again "units_decided_again" [] "Units that conflicted in the store and were decided again";
    Count requests_sent "requests_sent" ["system", "operation"] "Requests that left";
    Times request_duration "request_duration" ["system", "operation", "class"] "From send to answer or giving up";
    Count deliveries "deliveries" ["system", "object", "lane"] "Targets that reached a level";
    Times delivery_lag "delivery_lag" ["system", "lane"] "From the oldest level covered until the target has it";
    Count levels_coalesced "levels_coalesced" ["system"] "Levels that a newer one carried along";
    Count deliveries_skipped "deliveries_skipped" ["system"] "Deliveries with nothing to say to the target";
    Count deliveries_retried "deliveries_retried" ["system", "class"] "Deliveries put off for another try";
    Count deliveries_doubtful "deliveries_doubtful" ["system", "idempotency"] "Deliveries in doubt";
    Count doubts_resolved "doubts_resolved" ["system", "how"] "Doubts resolved without a person";
    Count doubts_open "doubts_for_people" ["system"] "Doubts that need a person";
    Count deliveries_dead "deliveries_dead" ["system", "class"] "Dead letters made";
    Count deliveries_parked "deliveries_parked" ["system"] "Deliveries that wait for a link";
    Count throttles "throttles" ["system"] "Times that a target closed its bucket";
    Count breaker_transitions "breaker_transitions" ["system", "operation", "state"] "Moves of breakers";
    Count pauses "system_pauses" ["system", "state"] "Orders that stand: systems paused and resumed, parts held and released, breakers forced";
    Count job_steps "job_steps" ["action", "state"] "Moves of plans and jobs, pages included";
    Count rows_forgotten "rows_forgotten" ["kind"] "Rows past their time that were taken away";
    Count rows_archived "rows_archived" [] "Rows written to the archive before they went";
    Count retention_failures "retention_failures" ["step"] "Tries to archive or take away that failed";
    Count configured "systems_configured" ["system", "how"] "Systems that went on with another configuration";
    Count authorisations "authorisations" ["system", "outcome"] "Tokens asked for";
    Count connects_failed "connects_failed" ["system"] "Systems that could not be connected, per try";
    Count polls_failed "polls_failed" ["system", "object", "class"] "Listings that failed, per try";
    Count objects_polled "objects_polled" ["system", "object"] "Objects read by listings";
    Count objects_fetched "objects_fetched" ["system"] "Objects read by id";
    Count objects_reread "objects_reread" ["system"] "Objects read before they were written, after a restore of the store";
    Count first_listings "first_listings" ["system", "object", "step"] "First listings that deliveries wait for: waits, fails, over";
    Count restore_steps "restore_steps" ["system", "step"] "Systems after a restore: reading again, delivering again, or that with something unread";
    Count batches "batches" ["system", "operation"] "Calls that took several deliveries";
    Count batched "batched_deliveries" ["system", "operation", "outcome"] "Deliveries in batches, by what was said of each";
    Count batches_split "batches_split" ["system"] "Batches refused for one of their records: they went on in halves";
    Count bulk_jobs "bulk_jobs" ["system", "operation", "how"] "Jobs at targets that began, and how they came to their end";
    Count bulk_records "bulk_records" ["system", "operation", "how"] "Records that were given to jobs at targets, and how those ended";
    Count links_rotten "links_rotten" ["system"] "Links that pointed at nothing and were dropped";
    Count unmapped_marks "unmapped_marks" [] "Facts of the hub that have no metric: a defect when not 0";
    Level reads_resting "reads_resting" ["source", "object"] "1 while a listing rests because deliveries wait";
    Level silent "source_silent" ["system", "of"] "1 while a source is not heard that should be: its messages, or a listing of it";
    Level in_flight "requests_in_flight" ["system"] "Requests on the wire";
    Level held "deliveries_held" ["system", "lane"] "Deliveries ready or waiting in memory";
    Level behind "backlog_in_store" ["system"] "1 when more is in the store than in memory";
    Level doubtful "intents_doubtful" ["system"] "Intents in doubt now";
    Level bulk_jobs_running "bulk_jobs_running" ["system"] "Jobs that run at the target now";
    Level breaker "breaker_state" ["system"] "The worst of the system's breakers: 0 closed, 1 half-open, 2 open";
    Level throttled "system_throttled" ["system"] "1 while the target has closed its bucket";
    Level paused "system_paused" ["system"] "1 while the system is paused";
    Count store_commits "store_commits" [] "Commits to the store";
    Count store_units "store_units" [] "Units in those commits";
    Count store_conflicts "store_conflicts" [] "Units that required what did not hold";
    Count store_syncs "store_syncs" [] "Syncs of the store to disk";
    Count store_checkpoints "store_checkpoints" [] "Times the store's log was moved into its file";
    Count store_finds "store_finds" [] "Questions the store answered";
    Level store_log_pages "store_log_pages" [] "Pages in the store's log at its last checkpoint";
    Level store_full "store_full" [] "1 while the store's disk is full";
    Count http_requests "http_requests" ["route", "status"] "Requests answered by Concord's own listeners";
    Times http_duration "http_request_duration" ["route"] "From a request's head to its answer, on own listeners";
    Count http_refused "http_refused" ["source", "reason"] "Requests refused before they became an offer";
}

/// Buckets for times: 1 ms to about 4.5 h, each 4 × the last.
fn buckets() -> impl Iterator<Item = f64> {
    prometheus_client::metrics::histogram::exponential_buckets(0.001, 4.0, 13)
}

fn labels<const N: usize>(keys: [&'static str; N], values: [&str; N]) -> Labels<N> {
    std::array::from_fn(|i| (keys[i], values[i].to_owned()))
}

impl<const N: usize> Count<N> {
    fn register(series: &mut Series, name: &str, keys: [&'static str; N], help: &str) -> Self {
        let family = Family::<Labels<N>, Counter>::default();
        series.register(name, help, family.clone());
        Self { keys, family }
    }

    /// Counts `by` more.
    pub(crate) fn add(&self, values: [&str; N], by: u64) {
        self.family.get_or_create(&labels(self.keys, values)).inc_by(by);
    }

    /// A count that is kept elsewhere stands at `total` now.
    pub(crate) fn stand_at(&self, values: [&str; N], total: u64) {
        let counter = self.family.get_or_create(&labels(self.keys, values));
        counter.inner().store(total, std::sync::atomic::Ordering::Relaxed);
    }

    /// Counts one more.
    pub(crate) fn one(&self, values: [&str; N]) {
        self.add(values, 1);
    }
}

impl<const N: usize> Level<N> {
    fn register(series: &mut Series, name: &str, keys: [&'static str; N], help: &str) -> Self {
        let family = Family::<Labels<N>, Gauge>::default();
        series.register(name, help, family.clone());
        Self { keys, family }
    }

    /// Stands at `value` now.
    pub(crate) fn set(&self, values: [&str; N], value: usize) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        self.family.get_or_create(&labels(self.keys, values)).set(value);
    }
}

impl<const N: usize> Times<N> {
    fn register(series: &mut Series, name: &str, keys: [&'static str; N], help: &str) -> Self {
        let family = Family::<Labels<N>, Histogram>::new_with_constructor(|| Histogram::new(buckets()));
        series.register_with_unit(name, help, Unit::Seconds, family.clone());
        Self { keys, family }
    }

    /// One more of `took`.
    pub(crate) fn observe(&self, values: [&str; N], took: Duration) {
        self.family.get_or_create(&labels(self.keys, values)).observe(took.as_secs_f64());
    }
}

/// A label's value that does not come from the configuration: what does not look like a name becomes `other`, so
/// that no vendor's text can grow the number of series or carry a value out.
pub(crate) fn bounded(value: &str) -> &str {
    let plain = |b: u8| b.is_ascii_lowercase() || b == b'_';
    if !value.is_empty() && value.len() <= 40 && value.bytes().all(plain) { value } else { "other" }
}
