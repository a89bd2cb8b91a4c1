//! Credentials that rotate: sealed before they go into the store, opened when a connection is made.
//!
//! Each is kept with a digest of the configured one that it descends from: where the configured one is another now, a
//! person has replaced it, and it counts.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Context as _;
use canonical::{System, Tenant};
use guard::Secret;
use guard::seal::{self, NONCE_BYTES, Place, RootKey};
use runtime::{Seal, Storage};
use store::{Query, Rows};

use super::ask;

/// A digest of a configured credential.
type Origin = [u8; 32];

/// Keeps rotating credentials.
#[derive(Clone)]
pub(super) struct Keeper {
    tenant: Tenant,
    root: RootKey,
    /// What the credentials in use descend from.
    origins: Arc<RwLock<BTreeMap<System, Origin>>>,
}

impl Keeper {
    pub(super) fn new(tenant: Tenant, root: RootKey) -> Self {
        Self { tenant, root, origins: Arc::default() }
    }

    /// Whose they are.
    pub(super) const fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    fn place(&self, system: &System) -> Place {
        let tenant = self.tenant.as_str().as_bytes();
        Place::new(&[tenant, b"systems", system.as_str().as_bytes(), b"credential"])
    }

    /// What seals a credential before it is stored.
    pub(super) fn sealer(&self) -> Seal {
        let keeper = self.clone();
        Arc::new(move |system: &System, secret: &Secret| keeper.seal(system, secret).unwrap_or_default())
    }

    /// `None` is found unreadable at the next start, and the configured credential is used.
    fn seal(&self, system: &System, secret: &Secret) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).ok()?;
        let origin = *self.origins.read().unwrap_or_else(PoisonError::into_inner).get(system)?;
        let plain = [origin.as_slice(), secret.expose()].concat();
        let (id, key) = self.root.pair();
        Some(seal::seal(id, key, nonce, &self.place(system), &plain))
    }

    /// The newest credential that was kept for a system, if one rotated since it was `configured`. From now on, what is
    /// sealed for the system descends from that.
    pub(super) async fn newest(
        &self,
        system: &System,
        configured: &Secret,
        store: &dyn Storage,
    ) -> anyhow::Result<Option<Secret>> {
        let origin: Origin = *blake3::hash(configured.expose()).as_bytes();
        self.origins.write().unwrap_or_else(PoisonError::into_inner).insert(system.clone(), origin);
        let query = Query::System { tenant: self.tenant.clone(), system: system.clone() };
        let Rows::System(Some(state), ..) = ask::find(store, query).await? else { return Ok(None) };
        let Some(sealed) = state.credential.filter(|sealed| !sealed.is_empty()) else { return Ok(None) };
        let (id, key) = self.root.pair();
        let plain = seal::open(id, key, &self.place(system), &sealed).with_context(|| {
            format!("the kept credential of {system} does not open; connect the system again")
        })?;
        Ok(plain.strip_prefix(origin.as_slice()).map(|secret| Secret::new(secret.to_vec())))
    }
}

#[cfg(test)]
mod tests;
