//! Keys in memory, shared by the writer and the readers; opening of sealed values.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use canonical::Tenant;
use guard::seal::{DataKey, KeyId, Keyring, KeyringError, Place, RootKey, WrappedKey};
use rusqlite::{Connection, OptionalExtension as _};

use crate::fault::{Fault, Outcome};
use crate::recent::Recent;

/// What this process holds in plain form: unwrapped keys, and the records written lately.
pub(crate) struct Vault {
    ring: Mutex<Keyring>,
    recent: Mutex<Recent>,
}

impl Vault {
    pub(crate) fn new(root: RootKey, data_keys_max: usize) -> Self {
        Self { ring: Mutex::new(Keyring::new(root, data_keys_max)), recent: Mutex::default() }
    }

    pub(crate) fn ring(&self) -> MutexGuard<'_, Keyring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hash a match key is stored under.
    pub(crate) fn match_hash(
        &self,
        tenant: &Tenant,
        kind: [&str; 2],
        value: &str,
    ) -> Result<[u8; 16], KeyringError> {
        let hash = self.ring().match_hash(tenant, &kind, value.as_bytes())?;
        let mut short = [0; 16];
        short.copy_from_slice(&hash[..16]);
        Ok(short)
    }
}

/// Opens sealed values for one connection.
pub(crate) struct Keys<'c> {
    connection: &'c Connection,
    pub(crate) vault: Arc<Vault>,
}

impl<'c> Keys<'c> {
    pub(crate) const fn new(connection: &'c Connection, vault: Arc<Vault>) -> Self {
        Self { connection, vault }
    }

    /// The key of that id, from memory or from its row.
    pub(crate) fn data_key(&self, tenant: &Tenant, id: KeyId) -> Outcome<Option<DataKey>> {
        if let Some(known) = self.vault.ring().known(id) {
            return Ok(Some(known));
        }
        let mut statement = self.connection.prepare_cached("SELECT wrapped FROM data_key WHERE id = ?1")?;
        let bytes: Option<Vec<u8>> = statement.query_row([id.0], |row| row.get(0)).optional()?;
        let Some(bytes) = bytes else { return Ok(None) };
        Ok(Some(self.vault.ring().data(tenant, &WrappedKey { id, bytes })?))
    }

    /// Opens a value that stands in that place.
    pub(crate) fn open(&self, tenant: &Tenant, place: &Place, sealed: &[u8]) -> Outcome<Vec<u8>> {
        let id = KeyId::of(sealed)?;
        let key = self
            .data_key(tenant, id)?
            .ok_or_else(|| Fault::corrupt(&format!("key {id}"), "is gone: the row was erased, or cut off"))?;
        Ok(key.open(place, sealed)?)
    }
}
