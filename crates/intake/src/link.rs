//! Links: record ↔ object in a system, pinned to the account the system had when it was connected.

use canonical::{Entity, ExternalRef, Object, RecordId, System, Tenant, Wall};
use serde::{Deserialize, Serialize};

/// One link. Unique both ways: per (tenant, system, instance, object, external id), and per
/// (tenant, record, system, object).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Link {
    /// Whose.
    pub tenant: Tenant,
    /// The system.
    pub system: System,
    /// The account, org, realm or database it was connected to. Empty until probed.
    pub instance: String,
    /// The kind of object there.
    pub object: Object,
    /// Its id there.
    pub external_id: String,
    /// The record's type.
    pub entity: Entity,
    /// The record.
    pub record: RecordId,
    /// When it was made.
    pub created_at: Wall,
}

impl Link {
    /// The object it points at.
    #[must_use]
    pub fn external(&self) -> ExternalRef {
        ExternalRef { system: self.system.clone(), object: self.object.clone(), id: self.external_id.clone() }
    }
}
