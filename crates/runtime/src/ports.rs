//! What the driver needs from outside: a store with lists, and a network.
//!
//! [`Wire`] is the network of a real hub; tests bring their own.

use std::pin::Pin;
use std::sync::Arc;

use canonical::System;
use connector::{Failure, FailureKind, Reached, Request, Response};
use egress::Egress;
use guard::Secret;

use crate::clock::Clock;
use crate::entropy;

/// A future that may move between threads.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A store that also answers operators.
pub trait Storage: store::Store + store::Browse {
    /// The same as a store.
    fn as_store(&self) -> &dyn store::Store;
    /// The same as lists.
    fn as_browse(&self) -> &dyn store::Browse;
}

impl<T: store::Store + store::Browse> Storage for T {
    fn as_store(&self) -> &dyn store::Store {
        self
    }
    fn as_browse(&self) -> &dyn store::Browse {
        self
    }
}

/// A fresh token, not in use yet.
pub struct Fresh {
    /// Names who is authorised: the scope of idempotency keys. Stored as the credential's generation.
    pub scope: i64,
    /// A rotated credential, sealed: it must be durable before the token is used.
    pub rotated: Option<Vec<u8>>,
    /// Puts the token to use.
    pub adopt: Box<dyn FnOnce() + Send>,
}

/// Why there is no fresh token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AuthoriseError {
    /// Refused for good, with the reason for people.
    Refused(String),
    /// Not now.
    Failed(Failure),
}

/// Whatever carries requests: egress, or a test's own.
pub trait Network: Send + Sync + 'static {
    /// Completes a request with its credential, sends it, gives the whole answer.
    fn send(self: Arc<Self>, system: System, request: Request) -> BoxFuture<Result<Response, Failure>>;
    /// Gets a fresh token and puts it aside.
    fn authorise(self: Arc<Self>, system: System) -> BoxFuture<Result<Fresh, AuthoriseError>>;
}

/// How a rotated credential is sealed before it goes into the store.
pub type Seal = Arc<dyn Fn(&System, &Secret) -> Vec<u8> + Send + Sync>;

/// The network of a real hub: egress.
pub struct Wire {
    egress: Arc<Egress>,
    clock: Clock,
    seal: Seal,
}

impl Wire {
    /// Carries requests through `egress`; `seal` is for credentials that rotate.
    #[must_use]
    pub fn new(egress: Arc<Egress>, clock: Clock, seal: Seal) -> Self {
        Self { egress, clock, seal }
    }
}

impl Network for Wire {
    fn send(self: Arc<Self>, system: System, request: Request) -> BoxFuture<Result<Response, Failure>> {
        Box::pin(async move {
            if !self.egress.signs(&system) {
                return self.egress.send(&system, request).await;
            }
            let entropy = entropy::wide().map_err(|none| unready(&none))?;
            self.egress.send_signed(&system, request, self.clock.others_wall(), entropy).await
        })
    }

    fn authorise(self: Arc<Self>, system: System) -> BoxFuture<Result<Fresh, AuthoriseError>> {
        Box::pin(async move {
            let entropy = entropy::wide().map_err(|none| AuthoriseError::Failed(unready(&none)))?;
            let now = self.clock.others_wall();
            let authorised = match self.egress.authorise(&system, now, entropy).await {
                Ok(authorised) => authorised,
                Err(egress::AuthoriseError::Refused(why)) => return Err(AuthoriseError::Refused(why)),
                Err(egress::AuthoriseError::Failed(failure)) => return Err(AuthoriseError::Failed(failure)),
            };
            let scope = authorised.scope();
            let rotated = authorised.rotated().map(|secret| (self.seal)(&system, secret));
            let adopt = Box::new(move || self.egress.adopt(&system, &authorised));
            Ok(Fresh { scope, rotated, adopt })
        })
    }
}

/// Nothing was sent: there is no randomness.
fn unready(none: &entropy::NoEntropy) -> Failure {
    let (reached, kind) = (Reached::NotSent, FailureKind::Misconfigured);
    Failure { reached, kind, detail: none.to_string(), wait: None }
}
