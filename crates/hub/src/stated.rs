//! States that come back from an export: in canonical values, by the rules of whatever a source says. They carry state
//! and fire no facts: what they tell has happened before.

use canonical::{ExternalRef, Fields, OrderToken, RecordId, Wall};
use serde::{Deserialize, Serialize};

/// What one system had said of one record when it was exported.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Stated {
    /// The object of that system.
    pub about: ExternalRef,
    /// Canonical values in normal form.
    pub fields: Fields,
    /// The version of the entity's schema that they are of.
    pub schema: u32,
    /// What only that system knows.
    pub extensions: Fields,
    /// The source's order of it.
    pub order: Option<OrderToken>,
    /// When it was known, where the source has no order.
    pub as_of: Wall,
    /// The record that it was exported from: names it, with what it says, so that it is taken in once (I16).
    pub record: RecordId,
    /// That record's version.
    pub version: i64,
}

impl Stated {
    /// By what it is known again. The hash is part of it: exported once more, the same version of a record may say
    /// something else, since what moves no value makes no version.
    #[must_use]
    pub fn name(&self, hash: [u8; 32]) -> String {
        let hex = blake3::Hash::from_bytes(hash).to_hex();
        format!("import/{}/{}/{}/{}", self.record, self.version, self.about.object, &hex[..16])
    }

    /// As it is kept in a message that counts as read.
    #[must_use]
    pub fn to_kept(&self) -> Vec<u8> {
        serde_json::to_vec(&Kept { stated: self.clone() }).unwrap_or_default()
    }

    /// Reads what was kept so. No source can forge it: only what this hub wrote itself counts as read, and what it
    /// writes of a source is an observation, which has no such field. Bytes as they came and ids of a source say nothing.
    #[must_use]
    pub fn from_kept(message: &intake::Message) -> Option<Self> {
        let kept = message.read.then(|| serde_json::from_slice::<Kept>(&message.raw).ok());
        kept.flatten().map(|kept| kept.stated)
    }
}

/// Tells it from an observation.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    stated: Stated,
}
