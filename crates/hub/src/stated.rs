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
    /// What only that system knows.
    pub extensions: Fields,
    /// The source's order of it.
    pub order: Option<OrderToken>,
    /// When it was known, where the source has no order.
    pub as_of: Wall,
    /// The record that it was exported from: names it, so that it is taken in once (I16).
    pub record: RecordId,
    /// That record's version.
    pub version: i64,
}

impl Stated {
    /// By what it is known again.
    #[must_use]
    pub fn name(&self) -> String {
        format!("import/{}/{}/{}", self.record, self.version, self.about.object)
    }
}
