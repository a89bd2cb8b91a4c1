//! `concord.yaml`: what holds for the whole hub.

use std::net::SocketAddr;
use std::path::PathBuf;

use canonical::{System, Tenant};
use serde::{Deserialize, Serialize};

use crate::words::{Period, SecretRef};

/// `concord.yaml`, as written; every optional part filled with its default.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The isolation boundary: stands in every row, key, metric and log line.
    pub tenant: Tenant,
    /// Where the tenant's data may be; shown and logged.
    #[serde(default)]
    pub region: Option<String>,
    /// How sources reach ingress, without a slash at the end. Webhook signatures may cover it, so it must be what
    /// the source was told, also behind a proxy.
    pub public_url: String,
    /// Where state is kept.
    pub store: StoreSettings,
    /// Where it listens.
    pub listeners: Listeners,
    /// What it accepts.
    #[serde(default)]
    pub intake: IntakeSettings,
    /// How long things are kept.
    #[serde(default)]
    pub retention: Retention,
    /// Shares of the lanes when all have work, for systems that do not say their own.
    #[serde(default)]
    pub lanes: LaneWeights,
}

/// Where state is kept.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSettings {
    /// The folder of the embedded store; one that is not absolute starts at the configuration folder.
    pub folder: PathBuf,
    /// The key that seals what is personal at rest: 64 hexadecimal digits, or base64 of 32 bytes.
    pub root_key: SecretRef,
}

/// Where it listens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listeners {
    /// Webhooks and events come in here.
    #[serde(deserialize_with = "socket")]
    pub ingress: SocketAddr,
    /// Metrics, health, and what the command line asks. Not for the public.
    #[serde(deserialize_with = "socket")]
    pub operator: SocketAddr,
}

/// What is accepted.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IntakeSettings {
    /// Largest body, in bytes.
    pub body_bytes_max: usize,
    /// Requests per second and source, on the average.
    pub rate_per_second: u32,
    /// Requests of a source at once.
    pub burst: u32,
    /// Who may post events, and in whose name.
    pub clients: Vec<Client>,
    /// How many deliveries may wait before sources must.
    pub backlog: Backlog,
}

/// How many deliveries may wait, and how long, before sources must. 0 of each: no bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backlog {
    /// How long the first in a target's line may wait while the target is at work; then nothing is read for it.
    pub age_max: Period,
    /// Open deliveries to one target; then what only such targets wait for is refused.
    pub open_max: u64,
    /// Open deliveries to all targets together; then whatever feeds one that makes them up is refused.
    pub total_max: u64,
}

/// One who may post events to `/v1/events`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Its name, for people.
    pub name: String,
    /// The system in whose name it speaks.
    pub system: System,
    /// Its bearer token.
    pub token: SecretRef,
}

/// How long things are kept.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Events and the timeline of a record: never shorter than `deliveries`.
    pub events: Period,
    /// What messages said, once nothing is left to do about them.
    pub messages: Period,
    /// The history of deliveries: those of events that rest, requests that ended, failed attempts.
    pub deliveries: Period,
    /// Hashes that tell a repeated message: never shorter than `messages`.
    pub seen: Period,
    /// Groups of failures in which nothing is left.
    pub groups: Period,
    /// Jobs that have ended.
    pub jobs: Period,
    /// The folder of the archive: what goes is written there first. One that is not absolute starts at the
    /// configuration folder. `None`: nothing is kept of what goes.
    pub archive: Option<PathBuf>,
}

/// Shares of the lanes when all have work; none starves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LaneWeights {
    /// Of `critical`.
    pub critical: u32,
    /// Of `standard`.
    pub standard: u32,
    /// Of `bulk`.
    pub bulk: u32,
}

fn socket<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        serde::de::Error::custom(
            "this is not an address and a port: write it like `127.0.0.1:4000` or `[::1]:4000`",
        )
    })
}

impl Default for IntakeSettings {
    fn default() -> Self {
        Self {
            body_bytes_max: 1024 * 1024,
            rate_per_second: 500,
            burst: 1_000,
            clients: Vec::new(),
            backlog: Backlog::default(),
        }
    }
}

impl Default for Backlog {
    fn default() -> Self {
        Self { age_max: Period::seconds(6 * 3600), open_max: 1_000_000, total_max: 5_000_000 }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            events: Period::days(400),
            messages: Period::days(30),
            deliveries: Period::days(90),
            seen: Period::days(45),
            groups: Period::days(90),
            jobs: Period::days(90),
            archive: None,
        }
    }
}

impl Default for LaneWeights {
    fn default() -> Self {
        Self { critical: 8, standard: 4, bulk: 1 }
    }
}

impl LaneWeights {
    /// Critical, standard, bulk.
    #[must_use]
    pub const fn array(self) -> [u32; 3] {
        [self.critical, self.standard, self.bulk]
    }
}
