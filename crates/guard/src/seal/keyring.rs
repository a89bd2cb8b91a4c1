//! The keys in memory: the root, the tenants', and a bounded number of data keys, unwrapped.

use std::collections::BTreeMap;

use canonical::Tenant;

use super::{
    Key, KeyId, NONCE_BYTES, Place, RootKey, SealError, WrappedKey, match_hash, open, seal, unwrap, wrap,
};

/// A data key ready for use.
#[derive(Debug, Clone)]
pub struct DataKey {
    /// Its id.
    pub id: KeyId,
    key: Key,
}

/// Why the keyring cannot serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// The tenant's key was not loaded.
    #[error(
        "no key of tenant {0} is loaded; its row is missing in the store, or the tenant is not configured"
    )]
    UnknownTenant(Tenant),
    /// It does not open.
    #[error("a key of tenant {tenant} does not open: {source}")]
    Unreadable {
        /// Whose.
        tenant: Tenant,
        /// Why.
        source: SealError,
    },
}

/// Unwrapped keys. Data keys are kept up to a bound (I19) and unwrapped again when they were dropped.
#[derive(Debug)]
pub struct Keyring {
    root: RootKey,
    tenants: BTreeMap<Tenant, TenantKeys>,
    // Two generations: when the young one is full it becomes the old one, and the old one is dropped. A key that
    // is used again moves to the young one, so the keys in use survive.
    young: BTreeMap<KeyId, Key>,
    old: BTreeMap<KeyId, Key>,
    generation_keys_max: usize,
}

#[derive(Debug)]
struct TenantKeys {
    id: KeyId,
    key: Key,
    hashing: Key,
}

impl Keyring {
    /// A keyring that holds at most `data_keys_max` unwrapped data keys.
    #[must_use]
    pub fn new(root: RootKey, data_keys_max: usize) -> Self {
        Self {
            root,
            tenants: BTreeMap::new(),
            young: BTreeMap::new(),
            old: BTreeMap::new(),
            generation_keys_max: (data_keys_max / 2).max(1),
        }
    }

    /// Makes the two keys of a new tenant: the one that wraps its data keys, and the one that hashes its match
    /// keys. Both are to be stored as returned before anything uses them, then given to [`Self::load_tenant`].
    #[must_use]
    pub fn new_tenant(&self, fresh: [(KeyId, Key); 2], nonces: [[u8; NONCE_BYTES]; 2]) -> [WrappedKey; 2] {
        let [(id, key), (hashing_id, hashing)] = fresh;
        let [nonce, hashing_nonce] = nonces;
        [wrap(self.root.pair(), id, &key, nonce), wrap((id, &key), hashing_id, &hashing, hashing_nonce)]
    }

    /// Unwraps and keeps a tenant's two keys, as [`Self::new_tenant`] made them.
    ///
    /// # Errors
    /// [`KeyringError::Unreadable`].
    pub fn load_tenant(&mut self, tenant: Tenant, wrapped: &[WrappedKey; 2]) -> Result<(), KeyringError> {
        let [key, hashing] = wrapped;
        let unreadable = |source| KeyringError::Unreadable { tenant: tenant.clone(), source };
        let id = key.id;
        let key = unwrap(self.root.pair(), key).map_err(unreadable)?;
        let hashing = unwrap((id, &key), hashing).map_err(unreadable)?;
        self.tenants.insert(tenant, TenantKeys { id, key, hashing });
        Ok(())
    }

    /// Wraps a new data key for storing. It seals nothing until its row is durable.
    ///
    /// # Errors
    /// [`KeyringError::UnknownTenant`].
    pub fn wrap_data(
        &self,
        tenant: &Tenant,
        id: KeyId,
        key: &Key,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<WrappedKey, KeyringError> {
        let keys = self.tenant(tenant)?;
        Ok(wrap((keys.id, &keys.key), id, key, nonce))
    }

    /// Unwraps a data key, or takes it from memory.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn data(&mut self, tenant: &Tenant, wrapped: &WrappedKey) -> Result<DataKey, KeyringError> {
        if let Some(known) = self.known(wrapped.id) {
            return Ok(known);
        }
        let keys = self.tenant(tenant)?;
        let key = unwrap((keys.id, &keys.key), wrapped)
            .map_err(|source| KeyringError::Unreadable { tenant: tenant.clone(), source })?;
        self.keep(wrapped.id, key.clone());
        Ok(DataKey { id: wrapped.id, key })
    }

    /// Keeps a data key that was made here, once its wrapped form is durable.
    pub fn adopt(&mut self, key: DataKey) {
        self.keep(key.id, key.key);
    }

    /// A data key that is in memory; `None` when its wrapped form must be read first.
    pub fn known(&mut self, id: KeyId) -> Option<DataKey> {
        if let Some(key) = self.young.get(&id) {
            return Some(DataKey { id, key: key.clone() });
        }
        let key = self.old.remove(&id)?;
        self.keep(id, key.clone());
        Some(DataKey { id, key })
    }

    /// Forgets a data key. With its stored row deleted, what it sealed is erased.
    pub fn erase(&mut self, id: KeyId) {
        self.young.remove(&id);
        self.old.remove(&id);
    }

    /// The hash under which a tenant stores a match key; see [`match_hash`].
    ///
    /// # Errors
    /// [`KeyringError::UnknownTenant`].
    pub fn match_hash(&self, tenant: &Tenant, kind: &[&str], value: &[u8]) -> Result<[u8; 32], KeyringError> {
        Ok(match_hash(&self.tenant(tenant)?.hashing, kind, value))
    }

    /// How many data keys are in memory.
    #[must_use]
    pub fn data_keys(&self) -> usize {
        self.young.len() + self.old.len()
    }

    fn tenant(&self, tenant: &Tenant) -> Result<&TenantKeys, KeyringError> {
        self.tenants.get(tenant).ok_or_else(|| KeyringError::UnknownTenant(tenant.clone()))
    }

    fn keep(&mut self, id: KeyId, key: Key) {
        if self.young.len() >= self.generation_keys_max {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id, key);
    }
}

impl DataKey {
    /// A data key made new, before or after its wrapped form is stored.
    #[must_use]
    pub const fn new(id: KeyId, key: Key) -> Self {
        Self { id, key }
    }

    /// Seals a value; see [`seal`].
    #[must_use]
    pub fn seal(&self, nonce: [u8; NONCE_BYTES], place: &Place, plain: &[u8]) -> Vec<u8> {
        seal(self.id, &self.key, nonce, place, plain)
    }

    /// Opens a value; see [`open`].
    ///
    /// # Errors
    /// As [`open`].
    pub fn open(&self, place: &Place, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        open(self.id, &self.key, place, sealed)
    }
}
