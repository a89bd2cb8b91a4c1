//! A person's consent, kept where rotated credentials are: sealed, in the hub's own store.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use canonical::System;
use config::{Configuration, SystemConfig};
use connector::AuthKind;
use egress::{Asked, AuthoriseError, Egress};
use embedded::Embedded;
use guard::Secret;
use guard::seal::RootKey;
use runtime::clock::Clock;
use store::{Op, Query, Rows, Unit};

use super::ask::{commit, find};
use super::credential::Keeper;
use super::tenant::reached;
use super::{open, secrets};
use crate::exit::Exit;

/// What is kept of a person's consent, for whoever calls a system without a hub.
#[derive(Debug)]
pub(crate) enum Kept {
    /// Nothing: no consent is asked for there, none was given, or what is configured was changed since.
    Nothing,
    /// The refresh token that was authorised, and the name of the secret in whose place it stands.
    Token(String, Secret),
    /// It can't be read, for this reason.
    Unread(String),
}

/// Reads what is kept for one system. Nothing is made where there is no store yet, and the store is closed again.
pub(crate) async fn kept(
    dir: &Path,
    configuration: &Configuration,
    settings: &SystemConfig,
    secrets: &BTreeMap<String, Secret>,
) -> Kept {
    let AuthKind::Oauth2Refresh { refresh_token, consent: Some(_), .. } = settings.connector.auth() else {
        return Kept::Nothing;
    };
    let folder = dir.join(&configuration.settings.store.folder);
    let Some(configured) = secrets.get(refresh_token).filter(|_| folder.exists()) else {
        return Kept::Nothing;
    };
    match read(dir, configuration, &settings.system, configured).await {
        Ok(Some(token)) => Kept::Token(refresh_token.clone(), token),
        Ok(None) => Kept::Nothing,
        Err(error) if Exit::of(&error) == Exit::Conflict => {
            Kept::Unread("a hub runs on the store".to_owned())
        }
        Err(error) => Kept::Unread(format!("{error:#}")),
    }
}

async fn read(
    dir: &Path,
    configuration: &Configuration,
    system: &System,
    configured: &Secret,
) -> anyhow::Result<Option<Secret>> {
    let store = &configuration.settings.store;
    let reference = &store.root_key;
    let root = secrets::resolve(dir, reference)
        .map_err(|why| anyhow::anyhow!("the store's root key in {reference}: {why}"))?;
    let root = RootKey::parse(&root).context("the store's root key cannot be used")?;
    let store = open(&dir.join(&store.folder), root.clone(), None)?;
    let keeper = Keeper::new(configuration.tenant.clone(), root);
    let newest = keeper.newest(system, configured, &*store).await;
    store.close();
    newest
}

/// A system that consent is asked for. Its store is held until the end: no hub starts on it meanwhile.
pub(crate) struct Consenting {
    egress: Egress,
    system: System,
    store: Arc<Embedded>,
    keeper: Keeper,
    /// What stands in the configuration: what is kept descends from it.
    configured: Secret,
    clock: Clock,
}

impl Consenting {
    /// Opens the way to one system, and the store.
    ///
    /// # Errors
    /// When the connector asks for no consent, a secret is missing, or a hub runs on the store.
    pub(crate) fn open(
        dir: &Path,
        configuration: &Configuration,
        settings: &SystemConfig,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let system = &settings.system;
        let AuthKind::Oauth2Refresh { refresh_token, consent: Some(_), .. } = settings.connector.auth()
        else {
            return Err(Exit::NotFound.because(format!(
                "the connector `{}` asks nobody for consent here; look at its ways to authenticate (`auth`), and at `consent:` \
                 of its `oauth2_refresh`",
                settings.connector.name()
            )));
        };
        let mut values = BTreeMap::new();
        for (name, reference) in &settings.connection.secrets {
            let secret = secrets::resolve(dir, reference).map_err(|why| {
                Exit::Failed.because(format!("the secret `{name}` in {reference} of {system}: {why}"))
            })?;
            values.insert(name.clone(), secret);
        }
        let configured = values.get(refresh_token).cloned().with_context(|| {
            format!("{system} has no secret `{refresh_token}`; give it one with any word in it, which stands for the consent")
        })?;
        let reference = &configuration.settings.store.root_key;
        let root = secrets::resolve(dir, reference)
            .map_err(|why| Exit::Failed.because(format!("the store's root key in {reference}: {why}")))?;
        let root = RootKey::parse(&root).context("the store's root key cannot be used")?;
        let egress = Egress::new(configuration.tenant.clone(), egress::Options::default())?;
        egress.register(system.clone(), &reached(settings, values, 1))?;
        let store = open(&dir.join(&configuration.settings.store.folder), root.clone(), None)?;
        let keeper = Keeper::new(configuration.tenant.clone(), root);
        Ok(Self { egress, system: system.clone(), store, keeper, configured, clock })
    }

    /// What the person opens.
    ///
    /// # Errors
    /// When an address is none, or the operating system gives no randomness.
    pub(crate) fn ask(&self, redirect: &str) -> anyhow::Result<Asked> {
        let mut entropy = [[0; 32]; 2];
        for bytes in &mut entropy {
            getrandom::fill(bytes).map_err(|error| {
                Exit::Failed.because(format!("the operating system gives no randomness: {error}"))
            })?;
        }
        self.egress
            .ask_consent(&self.system, redirect, entropy)
            .map_err(|why| Exit::Failed.because(format!("{}: {why}", self.system)))
    }

    /// Makes what was pasted a refresh token, and keeps that. Gives the scopes, where the vendor names them.
    ///
    /// # Errors
    /// When it is not the answer to `asked`, the vendor refuses, or nothing could be kept.
    pub(crate) async fn keep(&self, asked: &Asked, pasted: &str) -> anyhow::Result<Option<Vec<String>>> {
        let code = asked.code_in(pasted).map_err(|why| Exit::NotPermitted.because(why))?;
        let now = self.clock.others_wall();
        let consented = self.egress.exchange(&self.system, asked, &code, now).await;
        let consented = consented.map_err(|error| match error {
            AuthoriseError::Refused(why) => {
                Exit::NotPermitted.because(format!("{} gives no token: {why}", self.system))
            }
            AuthoriseError::Failed(failure) => {
                Exit::Unreachable.because(format!("no token came from {}: {failure}", self.system))
            }
        })?;
        self.put(&consented.refresh).await?;
        Ok(consented.scopes)
    }

    async fn put(&self, refresh: &Secret) -> anyhow::Result<()> {
        // From here on, what is sealed descends from what is configured.
        self.keeper.newest(&self.system, &self.configured, &*self.store).await?;
        let sealed = self.keeper.sealer()(&self.system, refresh);
        if sealed.is_empty() {
            return Err(Exit::Failed.because("the token could not be sealed; ask for consent again"));
        }
        let tenant = self.keeper.tenant().clone();
        let query = Query::System { tenant: tenant.clone(), system: self.system.clone() };
        let generation = match find(&*self.store, query).await? {
            Rows::System(Some(state), ..) => state.credential_generation,
            _ => 0,
        };
        let put =
            Op::PutCredential { tenant, system: self.system.clone(), credential: Some(sealed), generation };
        commit(&*self.store, vec![Unit { require: Vec::new(), ops: vec![put] }]).await
    }
}

impl Drop for Consenting {
    fn drop(&mut self) {
        self.store.close();
    }
}

#[cfg(test)]
mod tests {
    //! What is kept is what a hub then uses.

    use super::*;

    #[tokio::test]
    async fn a_token_that_was_kept_is_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let root = RootKey::parse(&Secret::from(crate::commands::key::fresh().unwrap())).unwrap();
        let tenant = canonical::Tenant::new("acme").unwrap();
        let consenting = Consenting {
            egress: Egress::new(tenant.clone(), egress::Options::default()).unwrap(),
            system: System::new("books").unwrap(),
            store: open(folder.path(), root.clone(), None).unwrap(),
            keeper: Keeper::new(tenant.clone(), root.clone()),
            configured: Secret::from("a word"),
            clock: Clock::system(),
        };
        consenting.put(&Secret::from("refresh-1")).await.unwrap();
        let hub = Keeper::new(tenant, root);
        let (same, other) = (Secret::from("a word"), Secret::from("another"));
        let kept = hub.newest(&consenting.system, &same, &*consenting.store).await.unwrap();
        assert_eq!(kept, Some(Secret::from("refresh-1")));
        let replaced = hub.newest(&consenting.system, &other, &*consenting.store).await.unwrap();
        assert_eq!(replaced, None, "a person replaced the word");
    }
}
