//! What ingress is started with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use canonical::System;
use config::{Configuration, Secrets};
use connector::Connector;
use guard::Secret;
use web::{Scope, Token, Tokens};

/// The path under which webhooks come in.
pub const WEBHOOKS: &str = "/v1/webhooks";

/// A tenant among many can still have so many of the largest bodies at once.
const BODIES_MIN: usize = 8;

/// Everything ingress needs.
pub struct Options {
    /// How sources reach this listener, without a slash at the end: part of what some of them sign.
    pub public_url: String,
    /// The sources that push, by the part of the address that names them.
    pub sources: BTreeMap<String, Source>,
    /// The connectors of the systems in whose name events may be posted.
    pub speakers: BTreeMap<System, Arc<Connector>>,
    /// The systems that a post may wait for.
    pub systems: BTreeSet<System>,
    /// Who may post events.
    pub tokens: Tokens,
    /// Bounds.
    pub limits: Limits,
}

/// A source that pushes.
pub struct Source {
    /// Its system.
    pub system: System,
    /// How it signs, and how its messages are read.
    pub connector: Arc<Connector>,
    /// Its signing secrets, any of which is taken; of a source that does not sign: the secret part of its address.
    pub secrets: Vec<Secret>,
}

/// Bounds of what comes in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Largest body, in bytes.
    pub body_bytes_max: usize,
    /// Most bytes of all bodies that are being read or wait to be taken in.
    pub bodies_bytes_max: usize,
    /// Longest wait for a body.
    pub body_within: Duration,
    /// Deepest nesting of JSON.
    pub depth_max: usize,
    /// Most events in one batch.
    pub events_max: usize,
    /// Requests per second and source, on the average.
    pub rate_per_second: u32,
    /// Requests of a source at once.
    pub burst: u32,
    /// Idempotency keys remembered; the oldest finished ones go first.
    pub keys_max: usize,
    /// How long a key is remembered.
    pub keys_for: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 1024 * 1024,
            bodies_bytes_max: 64 * 1024 * 1024,
            body_within: Duration::from_secs(10),
            depth_max: 64,
            events_max: 500,
            rate_per_second: 500,
            burst: 1_000,
            keys_max: 10_000,
            keys_for: Duration::from_secs(24 * 3600),
        }
    }
}

impl Options {
    /// The same for one of so many tenants: what all bodies together may take is split.
    #[must_use]
    pub fn one_of(mut self, tenants: usize) -> Self {
        let limits = &mut self.limits;
        let least = limits.bodies_bytes_max.min(limits.body_bytes_max.saturating_mul(BODIES_MIN));
        limits.bodies_bytes_max = (limits.bodies_bytes_max / tenants.max(1)).max(least);
        self
    }

    /// As the configuration says.
    #[must_use]
    pub fn of(configuration: &Configuration, secrets: &Secrets) -> Self {
        let mut sources = BTreeMap::new();
        for (system, settings) in &configuration.systems {
            let Some(webhook) = &settings.webhook else { continue };
            let source = Source {
                system: system.clone(),
                connector: Arc::clone(&settings.connector),
                secrets: secrets.systems.get(system).map(|own| own.webhook.clone()).unwrap_or_default(),
            };
            sources.insert(webhook.path.clone(), source);
        }
        let intake = &configuration.settings.intake;
        let mut tokens = Vec::new();
        let mut speakers = BTreeMap::new();
        for client in &intake.clients {
            if let Some(token) = secrets.clients.get(&client.name) {
                let token = Token::new(client.name.clone(), token, [Scope::Ingest]);
                tokens.push(token.of_system(client.system.clone()));
            }
            if let Some(system) = configuration.systems.get(&client.system) {
                speakers.insert(client.system.clone(), Arc::clone(&system.connector));
            }
        }
        let limits = Limits {
            body_bytes_max: intake.body_bytes_max,
            rate_per_second: intake.rate_per_second,
            burst: intake.burst,
            ..Limits::default()
        };
        let public_url = configuration.settings.public_url.trim_end_matches('/').to_owned();
        let systems = configuration.systems.keys().cloned().collect();
        Self { public_url, sources, speakers, systems, tokens: Tokens::new(tokens), limits }
    }
}

/// The address to give to a source; with the secret as its last part where the source does not sign.
#[must_use]
pub fn webhook_address(public_url: &str, path: &str, secret: Option<&str>) -> String {
    let base = public_url.trim_end_matches('/');
    match secret {
        None => format!("{base}{WEBHOOKS}/{path}"),
        Some(secret) => format!("{base}{WEBHOOKS}/{path}/{secret}"),
    }
}
