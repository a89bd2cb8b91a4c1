//! One system by itself, without a hub: for trying a connector. Of the store it only reads what a person's consent left there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use canonical::System;
use config::{Configuration, SystemConfig};
use connector::{AuthKind, Failure, FailureKind, Request, Response};
use egress::Egress;
use runtime::clock::Clock;
use runtime::{AuthoriseError, Network as _, Wire};

use super::consent::{self, Kept};
use super::secrets;
use super::tenant::reached;
use crate::exit::Exit;

/// A system that can be called.
pub(crate) struct Single {
    egress: Arc<Egress>,
    wire: Arc<Wire>,
    system: System,
    kept: Kept,
}

impl Single {
    /// Opens the way to one system of a configuration, by its own secrets alone.
    ///
    /// # Errors
    /// When a secret is missing, or its credential dies when it is used.
    pub(crate) async fn open(
        dir: &Path,
        configuration: &Configuration,
        settings: &SystemConfig,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let system = &settings.system;
        if let AuthKind::Oauth2Refresh { rotates: true, .. } = settings.connector.auth() {
            return Err(Exit::Failed.because(format!(
                "{system} replaces its refresh token each time: using it here would take it from the hub; \
                 give a system of its own another grant, and try that"
            )));
        }
        let mut values = BTreeMap::new();
        for (name, reference) in &settings.connection.secrets {
            let secret = secrets::resolve(dir, reference).map_err(|why| {
                Exit::Failed.because(format!("the secret `{name}` in {reference} of {system}: {why}"))
            })?;
            values.insert(name.clone(), secret);
        }
        let kept = consent::kept(dir, configuration, settings, &values).await;
        if let Kept::Token(name, token) = &kept {
            values.insert(name.clone(), token.clone());
        }
        let connection = reached(settings, values, 1);
        let egress = Egress::new(configuration.tenant.clone(), egress::Options::default())?;
        egress.register(system.clone(), &connection)?;
        // Nothing rotates here, so that nothing is sealed.
        let seal = Arc::new(|_: &System, _: &guard::Secret| Vec::new());
        let egress = Arc::new(egress);
        let wire = Arc::new(Wire::new(Arc::clone(&egress), clock, seal));
        Ok(Self { egress, wire, system: system.clone(), kept })
    }

    /// What was found of a person's consent. Where it is a token, that is used.
    pub(crate) const fn kept(&self) -> &Kept {
        &self.kept
    }

    /// The scopes that its token's answer named; `None`: it has no token, or the answer named none.
    pub(crate) fn scopes(&self) -> Option<Vec<String>> {
        self.egress.scopes(&self.system)
    }

    /// Sends one request, with a fresh token if one is needed.
    ///
    /// # Errors
    /// When no token is to be had. That the request got no answer is a result.
    pub(crate) async fn send(&self, request: Request) -> anyhow::Result<Result<Response, Failure>> {
        let sent = Arc::clone(&self.wire).send(self.system.clone(), request.clone()).await;
        if !sent.as_ref().is_err_and(|failure| failure.kind == FailureKind::NoToken) {
            return Ok(sent);
        }
        let fresh = match Arc::clone(&self.wire).authorise(self.system.clone()).await {
            Ok(fresh) => fresh,
            Err(AuthoriseError::Refused(why)) => {
                return Err(Exit::NotPermitted.because(format!("{} gives no token: {why}", self.system)));
            }
            Err(AuthoriseError::Failed(failure)) => {
                return Err(anyhow::Error::new(failure))
                    .context(format!("no token came from {}", self.system));
            }
        };
        (fresh.adopt)();
        Ok(Arc::clone(&self.wire).send(self.system.clone(), request).await)
    }
}
