//! What egress is told about a system: where it is, how to prove who calls, what may be dialled, how long to wait.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use canonical::System;
use connector::AuthKind;
use guard::Secret;
use guard::address::AllowList;

/// One system's connection. Secrets are values here: whoever reads the configuration has resolved the references.
#[derive(Clone)]
pub struct Connection {
    /// `https://api.example.test` or `https://host/prefix`: requests are relative to it and stay below it.
    pub base_url: String,
    /// The connector's way to authenticate; it names secrets.
    pub auth: AuthKind,
    /// The secrets by those names. Of a rotating refresh token: the newest that was kept.
    pub secrets: BTreeMap<String, Secret>,
    /// Addresses besides the public internet.
    pub allow: AllowList,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// The system's cap of calls at once: so many connections stay open.
    pub concurrency: usize,
}

/// How long an exchange may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands: name, TCP and TLS together.
    pub connect: Duration,
    /// The whole exchange, from asking for a connection to the answer's last byte. A request's own
    /// `timeout_ms` can only shorten it.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), total: Duration::from_secs(30) }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("base_url", &self.base_url)
            .field("auth", &self.auth)
            .field("secrets", &self.secrets.keys())
            .field("allow", &self.allow)
            .field("timeouts", &self.timeouts)
            .field("concurrency", &self.concurrency)
            .finish()
    }
}

/// Why a connection cannot be used as described.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("system {system}: {flaw}")]
pub struct RegisterError {
    /// Which system.
    pub system: System,
    /// What is wrong, and what would be right.
    pub flaw: String,
}
