//! The way out: systems are registered with their connections, then called by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use canonical::{System, Tenant, Wall};
use connector::{Failure, FailureKind, Reached, Request, Response};
use guard::Secret;
use guard::database::is_database;

use crate::auth::{Asked, Authorised, Consented, Moment};
use crate::client;
use crate::connection::{Connection, RegisterError};
use crate::database::Database;
use crate::door::Shared;
use crate::line::Line;

/// What holds for all systems.
#[derive(Debug, Clone)]
pub struct Options {
    /// Certificates trusted besides the web's roots, as PEM.
    pub extra_ca_pem: Option<Vec<u8>>,
    /// Sent as `User-Agent`.
    pub user_agent: String,
    /// Largest answer that is read, in bytes.
    pub answer_bytes_max: usize,
}

/// Why egress cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the extra CA certificates cannot be used: {0}; give a PEM file of certificates")]
pub struct OptionsError(String);

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthoriseError {
    /// The credentials are wrong or revoked. Not to be tried again until they are replaced: servers lock users out.
    #[error("{0}")]
    Refused(String),
    /// Not this time: unreachable, throttled, or not set up. Trying later is right where the failure's kind allows.
    #[error(transparent)]
    Failed(Failure),
}

/// The way out of one tenant: no other tenant's systems or secrets are in it.
pub struct Egress {
    tenant: Tenant,
    shared: Shared,
    ways: RwLock<BTreeMap<System, Way>>,
}

/// How a system is reached.
#[derive(Clone)]
enum Way {
    Http(Arc<Line>),
    Database(Arc<Database>),
}

impl Default for Options {
    fn default() -> Self {
        Self { extra_ca_pem: None, user_agent: "concord".to_owned(), answer_bytes_max: 16 * 1024 * 1024 }
    }
}

impl Egress {
    /// A way out without systems.
    ///
    /// # Errors
    /// When the extra certificates cannot be read.
    pub fn new(tenant: Tenant, options: Options) -> Result<Self, OptionsError> {
        let tls = client::tls(options.extra_ca_pem.as_deref()).map_err(OptionsError)?;
        let Options { user_agent, answer_bytes_max, .. } = options;
        let shared = Shared { tls, user_agent, answer_bytes_max };
        Ok(Self { tenant, shared, ways: RwLock::default() })
    }

    /// Makes a system known, or replaces its connection: calls under way end on the old one.
    ///
    /// # Errors
    /// What is wrong with the connection. The old one, if any, then stays.
    pub fn register(&self, system: System, connection: &Connection) -> Result<(), RegisterError> {
        let way = if is_database(&connection.base_url) {
            Database::open(&system, connection, &self.shared).map(|opened| Way::Database(Arc::new(opened)))
        } else {
            Line::open(&system, connection, &self.shared).map(|opened| Way::Http(Arc::new(opened)))
        };
        let way = way.map_err(|flaw| RegisterError { system: system.clone(), flaw })?;
        self.ways.write().unwrap_or_else(PoisonError::into_inner).insert(system, way);
        Ok(())
    }

    /// Forgets a system: calls under way end, later ones are refused.
    pub fn forget(&self, system: &System) {
        self.ways.write().unwrap_or_else(PoisonError::into_inner).remove(system);
    }

    /// Sends a request, completed with its address and credential, and reads the whole answer. Nothing is sent
    /// twice, and no redirect is followed: a 3xx is an answer like others.
    ///
    /// # Errors
    /// A [`Failure`] that says how far it reached.
    pub async fn send(&self, system: &System, request: Request) -> Result<Response, Failure> {
        match self.way(system)? {
            Way::Http(line) => line.send(request, None).await,
            Way::Database(database) => database.send(&request).await,
        }
    }

    /// Whether each request of the system is signed (OAuth 1.0, a keyed hash): then [`Self::send_signed`] takes it.
    #[must_use]
    pub fn signs(&self, system: &System) -> bool {
        self.line(system).is_ok_and(|line| line.signs())
    }

    /// The same as [`Self::send`], with the time and the nonce of the signature: no two requests of a system may have the
    /// same `entropy`.
    ///
    /// # Errors
    /// A [`Failure`] that says how far it reached.
    pub async fn send_signed(
        &self,
        system: &System,
        request: Request,
        now: Wall,
        entropy: u128,
    ) -> Result<Response, Failure> {
        self.line(system)?.send(request, Some(Moment { now, entropy })).await
    }

    /// Gets a token. Callers that come while an attempt is under way share its result; a token that was got and not
    /// yet adopted is given again. It is never tried again in here, and goes on when the caller goes away, so that
    /// a refresh token that was spent is not lost.
    ///
    /// `now` and `entropy` become part of a signed assertion.
    ///
    /// # Errors
    /// [`AuthoriseError`].
    pub async fn authorise(
        &self,
        system: &System,
        now: Wall,
        entropy: u128,
    ) -> Result<Authorised, AuthoriseError> {
        let line = self.line(system).map_err(AuthoriseError::Failed)?;
        let seen = line.state().attempts;
        let permit = Arc::clone(&line.flight).lock_owned().await;
        {
            let state = line.state();
            if let Some(pending) = &state.pending {
                return Ok(pending.clone());
            }
            if let Some(last) = state.last.as_ref().filter(|_| state.attempts != seen) {
                return last.clone();
            }
        }
        let attempt = tokio::spawn(async move {
            let result = line.attempt(Moment { now, entropy }).await;
            let mut state = line.state();
            state.attempts += 1;
            state.last = Some(result.clone());
            drop(state);
            drop(permit);
            result
        });
        attempt.await.unwrap_or_else(|error| {
            let detail = format!("system {system}: the token request broke off: {error}");
            let (reached, kind) = (Reached::MaybeSent, FailureKind::Reset);
            Err(AuthoriseError::Failed(Failure { reached, kind, detail, wait: None }))
        })
    }

    /// Puts a token to use. Where it [rotated](Authorised::rotated), its refresh token must be durable before.
    pub fn adopt(&self, system: &System, authorised: &Authorised) {
        if let Ok(line) = self.line(system) {
            line.adopt(authorised);
        }
    }

    /// What a person opens to give consent. `redirect` is an address that is registered at the vendor; `entropy` is used for
    /// nothing else.
    ///
    /// # Errors
    /// A text for people: the connector asks for no consent, or an address is none.
    pub fn ask_consent(
        &self,
        system: &System,
        redirect: &str,
        entropy: [[u8; 32]; 2],
    ) -> Result<Asked, String> {
        self.line(system).map_err(|failure| failure.detail)?.ask_consent(redirect, entropy)
    }

    /// Makes the code of a consent a refresh token, which is the caller's to keep: nothing in here uses it.
    ///
    /// # Errors
    /// [`AuthoriseError`].
    pub async fn exchange(
        &self,
        system: &System,
        asked: &Asked,
        code: &Secret,
        now: Wall,
    ) -> Result<Consented, AuthoriseError> {
        let line = self.line(system).map_err(AuthoriseError::Failed)?;
        line.exchange(asked, code, Moment { now, entropy: 0 }).await
    }

    /// The scopes of the token in use, as the answer to its request named them; `None` where none is in use, or the answer
    /// named none (it need not where all that were asked for are granted, RFC 6749 section 5.1).
    #[must_use]
    pub fn scopes(&self, system: &System) -> Option<Vec<String>> {
        self.line(system).ok()?.scopes()
    }

    fn way(&self, system: &System) -> Result<Way, Failure> {
        let ways = self.ways.read().unwrap_or_else(PoisonError::into_inner);
        ways.get(system)
            .cloned()
            .ok_or_else(|| self.unfit(system, "has no connection; add it under `systems/`"))
    }

    /// The way of a system that is spoken to by HTTP: others have no tokens and no signatures.
    fn line(&self, system: &System) -> Result<Arc<Line>, Failure> {
        match self.way(system)? {
            Way::Http(line) => Ok(line),
            Way::Database(_) => Err(self.unfit(system, "is a database, which has no token to ask for")),
        }
    }

    fn unfit(&self, system: &System, why: &str) -> Failure {
        let detail = format!("system {system} of tenant {} {why}", self.tenant);
        Failure { reached: Reached::NotSent, kind: FailureKind::Misconfigured, detail, wait: None }
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ways = self.ways.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Egress")
            .field("tenant", &self.tenant)
            .field("systems", &ways.keys())
            .finish_non_exhaustive()
    }
}
