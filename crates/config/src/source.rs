//! Entities, routes and systems as they are written in their files.

use std::collections::{BTreeMap, BTreeSet};

use canonical::schema::{Compatibility, FactRule, MatchKey, OnDelete, OnRecreate};
use canonical::{Condition, Entity, Field, Object, OnConflict, Ownership, PiiClass, System};
use guard::address::Allowed;
use ledger::{Lane, OnExit, RouteKind};
use mapping::upcast::StepSource;
use serde::Deserialize;
use serde_json::Value;

use crate::configuration::History;
use crate::settings::LaneWeights;
use crate::words::{Day, Hour, Period, SecretRef};

/// `model/*.yaml`: one entity.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntitySource {
    pub(crate) entity: Entity,
    pub(crate) version: u32,
    /// A JSON Schema document; read from the tree, where its places are.
    pub(crate) schema: Value,
    #[serde(default)]
    pub(crate) fields: BTreeMap<Field, FieldSource>,
    #[serde(default)]
    pub(crate) compatibility: Compatibility,
    #[serde(default)]
    pub(crate) upcast: Vec<StepSource>,
    #[serde(default)]
    pub(crate) retired: BTreeSet<Field>,
    #[serde(default)]
    pub(crate) match_keys: Vec<MatchKey>,
    #[serde(default)]
    pub(crate) rules: Vec<RuleSource>,
    #[serde(default)]
    pub(crate) creators: Vec<System>,
    #[serde(default)]
    pub(crate) deleters: Vec<System>,
    #[serde(default)]
    pub(crate) on_delete: OnDelete,
    #[serde(default)]
    pub(crate) on_recreate: OnRecreate,
    #[serde(default)]
    pub(crate) events: Vec<FactRule>,
    #[serde(default = "counter_writes")]
    pub(crate) counter_writes_max: u32,
    #[serde(default)]
    pub(crate) clock_skew: Option<Period>,
}

/// Who decides about a field, and how personal it is.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldSource {
    #[serde(default)]
    pub(crate) owner: Option<System>,
    /// Whose it is while the record is in some state, before `owner`.
    #[serde(default)]
    pub(crate) owners: Vec<Ownership>,
    #[serde(default)]
    pub(crate) on_conflict: Option<OnConflict>,
    #[serde(default)]
    pub(crate) prefer: Vec<System>,
    #[serde(default)]
    pub(crate) pii: PiiClass,
}

/// What a field's values must be one of.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleSource {
    pub(crate) name: String,
    pub(crate) field: Field,
    #[serde(default, rename = "in")]
    pub(crate) one_of: Option<ColumnSource>,
    #[serde(default)]
    pub(crate) exists: Option<KeySource>,
}

/// A column of a table.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ColumnSource {
    pub(crate) table: String,
    pub(crate) column: String,
}

/// A match key of an entity.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeySource {
    pub(crate) entity: Entity,
    pub(crate) key: String,
}

/// `routes/*.yaml`: some routes.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoutesSource {
    pub(crate) routes: Vec<RouteSource>,
}

/// One route.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteSource {
    pub(crate) route: String,
    pub(crate) kind: RouteKind,
    pub(crate) entity: Entity,
    pub(crate) system: System,
    pub(crate) mapping: String,
    #[serde(default)]
    pub(crate) object: Option<Object>,
    #[serde(default)]
    pub(crate) events: Vec<String>,
    #[serde(default)]
    pub(crate) operation: Option<String>,
    #[serde(default)]
    pub(crate) lane: Lane,
    #[serde(default)]
    pub(crate) filter: Vec<Condition>,
    #[serde(default)]
    pub(crate) on_exit: Option<OnExit>,
    #[serde(default)]
    pub(crate) on_delete: Option<OnExit>,
}

/// `systems/*.yaml`: one connected system.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SystemSource {
    pub(crate) system: System,
    pub(crate) connector: String,
    #[serde(default)]
    pub(crate) parameters: BTreeMap<String, Value>,
    pub(crate) connection: ConnectionSource,
    #[serde(default)]
    pub(crate) webhook: Option<WebhookSource>,
    #[serde(default)]
    pub(crate) poll: BTreeMap<Object, Period>,
    #[serde(default)]
    pub(crate) history: History,
    #[serde(default)]
    pub(crate) heard_within: HeardWithinSource,
    #[serde(default)]
    pub(crate) limits: LimitsSource,
    #[serde(default)]
    pub(crate) lanes: Option<LaneWeights>,
    #[serde(default)]
    pub(crate) bulk_window: Option<WindowSource>,
    #[serde(default)]
    pub(crate) breaker: BreakerSource,
    #[serde(default)]
    pub(crate) retry: RetrySource,
}

/// How a system is reached.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectionSource {
    pub(crate) base_url: String,
    #[serde(default)]
    pub(crate) secrets: BTreeMap<String, SecretRef>,
    #[serde(default)]
    pub(crate) allow: Vec<Allowed>,
    #[serde(default)]
    pub(crate) scopes: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) timeouts: TimeoutsSource,
}

/// How long to wait.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TimeoutsSource {
    pub(crate) connect: Period,
    pub(crate) request: Period,
}

/// How a system's webhooks come in.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookSource {
    #[serde(default)]
    pub(crate) path: Option<String>,
    #[serde(default)]
    pub(crate) secrets: Vec<SecretRef>,
    #[serde(default)]
    pub(crate) unsigned: bool,
}

/// How often something is expected to be heard of a system.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HeardWithinSource {
    pub(crate) messages: Option<Period>,
    pub(crate) listings: Option<Period>,
}

/// What a system's file changes of its connector's limits.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsSource {
    pub(crate) concurrency: Option<u32>,
    pub(crate) reserve_critical_pct: Option<u8>,
    pub(crate) window: Option<usize>,
    pub(crate) buckets: BTreeMap<String, BucketSource>,
}

/// What a system's file changes of one rate limit.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BucketSource {
    pub(crate) size: Option<u32>,
    pub(crate) refill: Option<u32>,
    pub(crate) per: Option<Period>,
    pub(crate) shared: Option<bool>,
}

/// The hours in which the bulk lane goes.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WindowSource {
    pub(crate) zone: String,
    pub(crate) open: Vec<SpanSource>,
}

/// Hours of some weekdays.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpanSource {
    #[serde(default)]
    pub(crate) days: Vec<Day>,
    pub(crate) from: Hour,
    pub(crate) to: Hour,
}

/// What a system's file changes of the breaker.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BreakerSource {
    pub(crate) failure_ratio_pct: Option<u8>,
    pub(crate) slow_ratio_pct: Option<u8>,
    pub(crate) slow_after: Option<Period>,
    pub(crate) calls_min: Option<u32>,
    pub(crate) window: Option<Period>,
    pub(crate) open_for: Option<Period>,
    pub(crate) open_for_max: Option<Period>,
    pub(crate) half_open_probes: Option<u32>,
}

/// How often and how slowly to try again.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RetrySource {
    pub(crate) base: Option<Period>,
    pub(crate) cap: Option<Period>,
    pub(crate) attempts_max: Option<u32>,
    pub(crate) wait_max: Option<Period>,
}

impl Default for TimeoutsSource {
    fn default() -> Self {
        Self { connect: Period::seconds(5), request: Period::seconds(30) }
    }
}

/// A field bears this many automatic counter-writes before it freezes.
fn counter_writes() -> u32 {
    5
}
