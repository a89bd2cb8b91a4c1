//! The root key: how it is read, and how a wrong one is noticed before anything is written under it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{KEY_BYTES, Key, KeyId, NONCE_BYTES, Place, SealError, open, seal};
use crate::secret::Secret;

const CANARY_TEXT: &[u8] = b"this store opens under this root key";

/// The key over all tenants' keys. It is kept outside the store and its backups.
#[derive(Clone)]
pub struct RootKey {
    id: KeyId,
    key: Key,
}

/// Why there is no usable root key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootKeyError {
    /// Not 32 bytes in any of the forms.
    #[error("the root key is not 32 bytes in hexadecimal or base64; make one with `openssl rand -base64 32`")]
    Form,
    /// All bytes equal: a placeholder, not a key.
    #[error("the root key is one byte repeated; make a real one with `openssl rand -base64 32`")]
    Weak,
    /// The store was written under another root key.
    #[error(
        "the root key {given} is not the one this store was written under ({needed}); give that one, nothing was changed"
    )]
    Wrong {
        /// The key that the store names.
        needed: KeyId,
        /// The key that was given.
        given: KeyId,
    },
    /// The canary itself is damaged.
    #[error("the store's key check does not open: {0}")]
    Canary(SealError),
}

impl RootKey {
    /// Reads a root key as people write it: 64 hexadecimal digits, or base64 of 32 bytes.
    ///
    /// # Errors
    /// [`RootKeyError::Form`] and [`RootKeyError::Weak`].
    pub fn parse(text: &Secret) -> Result<Self, RootKeyError> {
        let text = text.expose().trim_ascii();
        let bytes = Zeroizing::new(from_hex(text).or_else(|| STANDARD.decode(text).ok()).unwrap_or_default());
        let key: [u8; KEY_BYTES] = bytes.as_slice().try_into().map_err(|_| RootKeyError::Form)?;
        Self::new(key)
    }

    /// A root key of 32 bytes of entropy.
    ///
    /// # Errors
    /// [`RootKeyError::Weak`] when all bytes are equal.
    pub fn new(entropy: [u8; KEY_BYTES]) -> Result<Self, RootKeyError> {
        if entropy.iter().all(|byte| *byte == entropy[0]) {
            return Err(RootKeyError::Weak);
        }
        let key = Key::from_entropy(entropy);
        // The id is of the key itself: two keys cannot share one, and the id gives nothing away.
        let digest = blake3::derive_key("concord root key id v1", key.bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Ok(Self { id: KeyId(id), key })
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Id and key, as the functions of [`super`] take them.
    #[must_use]
    pub const fn pair(&self) -> (KeyId, &Key) {
        (self.id, &self.key)
    }

    /// Checks a [`canary`] that a store holds: to be done before anything else is read or written.
    ///
    /// # Errors
    /// [`RootKeyError::Wrong`] names both keys; [`RootKeyError::Canary`] when it is damaged.
    pub fn check(&self, canary: &[u8]) -> Result<(), RootKeyError> {
        match open(self.id, &self.key, &canary_place(), canary) {
            Ok(_) => Ok(()),
            Err(SealError::OtherKey { needed, given }) => Err(RootKeyError::Wrong { needed, given }),
            Err(other) => Err(RootKeyError::Canary(other)),
        }
    }
}
impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKey({})", self.id)
    }
}

/// The value a new store keeps to recognise its root key by.
#[must_use]
pub fn canary(root: &RootKey, nonce: [u8; NONCE_BYTES]) -> Vec<u8> {
    seal(root.id, &root.key, nonce, &canary_place(), CANARY_TEXT)
}

fn canary_place() -> Place {
    Place::new(&[b"canary"])
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() != 2 * KEY_BYTES {
        return None;
    }
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    text.chunks_exact(2)
        .map(|pair| match pair {
            &[high, low] => Some(digit(high)? * 16 + digit(low)?),
            _ => None,
        })
        .collect()
}
