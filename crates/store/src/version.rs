//! What was applied under which version: an entity's schema and a mapping stay what they were once they counted.

use canonical::{Tenant, Wall};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// At most so many versions on one page: each holds a whole document.
pub const VERSIONS_PAGE_MAX: usize = 100;

/// A version of an entity's schema or of a mapping that counts, or once did. It is written once and never changed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Version {
    /// Whose.
    pub tenant: Tenant,
    /// Which.
    pub key: VersionKey,
    /// The digest of its meaning.
    pub digest: String,
    /// What of the file decides what is stored and said: no comments, examples or words for people.
    pub meaning: Value,
    /// When it was applied first.
    pub at: Wall,
}

/// What a version is of, and its number; they are listed in this order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct VersionKey {
    /// `entity` or `mapping`.
    pub kind: String,
    /// The entity's or mapping's name.
    pub name: String,
    /// Counts up.
    pub number: u32,
}
