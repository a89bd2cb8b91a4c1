//! Sealing at rest: XChaCha20-Poly1305 under three layers of keys.
//!
//! The root key wraps one key per tenant; a tenant's key wraps its data keys (one per subject, one per day of
//! raw messages, one for hashing match keys). Erasure is the deletion of a wrapped data key: what it sealed is
//! then unreadable wherever copies are. Nonces and new keys are made of entropy that the caller brings.
//!
//! A sealed value is `version (1) | key id (16) | nonce (24) | ciphertext and tag`. Version and key id are
//! authenticated together with the place that the caller names, so that a value cannot be moved to another row.

use std::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

mod keyring;
mod root;

pub use keyring::{DataKey, Keyring, KeyringError};
pub use root::{RootKey, RootKeyError, canary};

/// The layout's version, first byte of every sealed value.
const VERSION: u8 = 1;
/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a nonce. Random nonces of this size do not repeat.
pub const NONCE_BYTES: usize = 24;
const ID_BYTES: usize = 16;
const HEAD_BYTES: usize = 1 + ID_BYTES;
const TAG_BYTES: usize = 16;
/// What sealing adds to a value's size.
pub const OVERHEAD_BYTES: usize = HEAD_BYTES + NONCE_BYTES + TAG_BYTES;

/// Names a key: sixteen bytes, unique over all layers. It is not secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub [u8; ID_BYTES]);

/// A key: wiped when dropped, never printed.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; KEY_BYTES]>);

/// Where a sealed value stands; it opens only there.
///
/// Each part is written with its length, so that `("ab", "c")` and `("a", "bc")` are different places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(Vec<u8>);

/// A data key as it is stored: sealed by the tenant's key. Deleting it erases what it sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrappedKey {
    /// The key inside.
    pub id: KeyId,
    /// The sealed key.
    pub bytes: Vec<u8>,
}

/// Why a sealed value does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Too short, or of a version that this build does not know.
    #[error("the sealed value is cut off or of an unknown version ({bytes} bytes); restore it from a backup")]
    Garbled {
        /// Its size.
        bytes: usize,
    },
    /// Sealed under another key than the one given.
    #[error("the value is sealed under key {needed}, not under {given}")]
    OtherKey {
        /// The key it names.
        needed: KeyId,
        /// The key tried.
        given: KeyId,
    },
    /// Changed, moved to another place, or sealed under another key of the same id.
    #[error(
        "the sealed value does not authenticate: it was changed, or stands in another place than it was sealed for"
    )]
    Tampered,
}

impl KeyId {
    /// Reads the id of the key that a sealed value needs.
    ///
    /// # Errors
    /// [`SealError::Garbled`] when it is no sealed value.
    pub fn of(sealed: &[u8]) -> Result<Self, SealError> {
        let garbled = || SealError::Garbled { bytes: sealed.len() };
        match sealed {
            [VERSION, rest @ ..] if sealed.len() >= OVERHEAD_BYTES => {
                rest.first_chunk().copied().map(Self).ok_or_else(garbled)
            }
            _ => Err(garbled()),
        }
    }
}
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Key {
    /// A key of 32 bytes of entropy.
    #[must_use]
    pub fn from_entropy(entropy: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(entropy))
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::secret::REDACTED)
    }
}

impl Place {
    /// A place named by its parts, from the widest to the narrowest: tenant, table, row, column.
    #[must_use]
    pub fn new(parts: &[&[u8]]) -> Self {
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        Self(bytes)
    }

    fn bound_to(&self, head: &[u8]) -> Vec<u8> {
        [head, self.0.as_slice()].concat()
    }
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedKey({})", self.id)
    }
}

/// Seals `plain` for `place`. A nonce must be new for every value.
#[must_use]
pub fn seal(id: KeyId, key: &Key, nonce: [u8; NONCE_BYTES], place: &Place, plain: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(plain.len() + OVERHEAD_BYTES);
    sealed.push(VERSION);
    sealed.extend_from_slice(&id.0);
    let aad = place.bound_to(&sealed);
    sealed.extend_from_slice(&nonce);
    let body = sealed.len();
    sealed.extend_from_slice(plain);
    let (key, nonce) = of_nonce(key, &nonce);
    #[expect(clippy::expect_used, reason = "it fails only beyond 256 GiB, which no value in memory reaches")]
    let tag = key
        .seal_in_place_separate_tag(nonce, Aad::from(&aad), &mut sealed[body..])
        .expect("shorter than the cipher's bound");
    sealed.extend_from_slice(tag.as_ref());
    sealed
}

/// Opens what [`seal`] made.
///
/// # Errors
/// [`SealError`]: garbled, another key, or not authentic at this place.
pub fn open(id: KeyId, key: &Key, place: &Place, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    let needed = KeyId::of(sealed)?;
    if needed != id {
        return Err(SealError::OtherKey { needed, given: id });
    }
    let (head, rest) = sealed.split_at(HEAD_BYTES);
    let (nonce, body) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Tampered)?;
    let (key, nonce) = of_nonce(key, nonce);
    let mut opened = body.to_vec();
    let plain = key.open_in_place(nonce, Aad::from(place.bound_to(head)), &mut opened);
    let length = plain.map_err(|_| SealError::Tampered)?.len();
    opened.truncate(length);
    Ok(opened)
}

/// The extended nonce, as XChaCha20 uses it (draft-irtf-cfrg-xchacha-03, section 2): its first sixteen bytes make a key
/// of their own out of the key, the rest is the nonce under that.
fn of_nonce(key: &Key, nonce: &[u8; NONCE_BYTES]) -> (LessSafeKey, Nonce) {
    let (mut first, mut last) = ([0; 16], [0; 12]);
    first.copy_from_slice(&nonce[..16]);
    last[4..].copy_from_slice(&nonce[16..]);
    let own: [u8; KEY_BYTES] = chacha20::hchacha::<chacha20::R20>(key.bytes().into(), &first.into()).into();
    let own = Zeroizing::new(own);
    #[expect(clippy::expect_used, reason = "a key of 32 bytes is what the cipher takes")]
    let own = UnboundKey::new(&CHACHA20_POLY1305, own.as_slice()).expect("32 bytes");
    (LessSafeKey::new(own), Nonce::assume_unique_for_key(last))
}

/// Seals a key under another: the root's over a tenant's, a tenant's over a data key.
#[must_use]
pub fn wrap(by: (KeyId, &Key), id: KeyId, key: &Key, nonce: [u8; NONCE_BYTES]) -> WrappedKey {
    WrappedKey { id, bytes: seal(by.0, by.1, nonce, &key_place(id), key.bytes()) }
}

/// Opens what [`wrap`] made.
///
/// # Errors
/// As [`open`].
pub fn unwrap(by: (KeyId, &Key), wrapped: &WrappedKey) -> Result<Key, SealError> {
    let plain = Zeroizing::new(open(by.0, by.1, &key_place(wrapped.id), &wrapped.bytes)?);
    let bytes: [u8; KEY_BYTES] =
        plain.as_slice().try_into().map_err(|_| SealError::Garbled { bytes: wrapped.bytes.len() })?;
    Ok(Key::from_entropy(bytes))
}

/// The same key, wrapped by a newer one: how a root or tenant key is rotated without touching sealed values.
///
/// # Errors
/// As [`open`], of the old wrapping.
pub fn rewrap(
    old: (KeyId, &Key),
    new: (KeyId, &Key),
    wrapped: &WrappedKey,
    nonce: [u8; NONCE_BYTES],
) -> Result<WrappedKey, SealError> {
    Ok(wrap(new, wrapped.id, &unwrap(old, wrapped)?, nonce))
}

fn key_place(id: KeyId) -> Place {
    Place::new(&[b"key", &id.0])
}

/// The keyed hash under which a match key (an address, a tax number) is stored and looked up.
///
/// Equal values of one kind and tenant have equal hashes, so it can be searched; without the key it cannot be
/// guessed by trying values. `kind` keeps values of different fields apart (`Contact`, `email`).
#[must_use]
pub fn match_hash(key: &Key, kind: &[&str], value: &[u8]) -> [u8; 32] {
    let parts: Vec<&[u8]> = kind.iter().map(|part| part.as_bytes()).chain([value]).collect();
    *blake3::keyed_hash(key.bytes(), &Place::new(&parts).0).as_bytes()
}

#[cfg(test)]
mod tests;
