//! Reading: from a system's object to canonical fields.

use std::collections::BTreeMap;

use canonical::{Entity, Field, Fields, Object};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::flaw::Misfit;
use crate::mapping::Mapping;
use crate::path::Found;
use crate::row::Said;
use crate::source::RefUse;

/// What one observed object says about a record.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Patch {
    /// Values in normal form. An absent field was not said; null is said to be empty.
    pub fields: Fields,
    /// References by the system's own ids: to be resolved by links. A reference said to be empty is a null in
    /// `fields`.
    pub references: BTreeMap<Field, UnresolvedRef>,
    /// Values that only this system knows, by path.
    pub extensions: Fields,
}

/// Another object of the same system, not yet resolved to a record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UnresolvedRef {
    /// The type of the record it is linked to.
    pub entity: Entity,
    /// Its kind in the system.
    pub object: Object,
    /// Its id there.
    pub external_id: String,
    /// The record is taken in without it while it is not linked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
}

impl Mapping {
    /// Brings an object, as the connector read it, into canonical form.
    ///
    /// # Errors
    /// With the first row whose value does not fit. Nothing of the object is taken then.
    pub fn normalise(&self, observed: &Fields) -> Result<Patch, Misfit> {
        let mut patch = Patch::default();
        for row in &self.inner.ins {
            let said = row.take(observed).map_err(|flaw| flaw.reading(row.path.as_str(), &row.field))?;
            match (said, &row.reference) {
                (Said::Keep, _) => {}
                (Said::Value(Value::String(external_id)), Some(used)) => {
                    let RefUse { entity, object, late } = used.clone();
                    let target = UnresolvedRef { entity, object, external_id, late };
                    patch.references.insert(row.field.clone(), target);
                }
                (Said::Value(value), _) => {
                    patch.fields.insert(row.field.as_str().to_owned(), value);
                }
            }
        }
        for path in &self.inner.extensions {
            if let Found::Value(value) = path.find(observed) {
                patch.extensions.insert(path.as_str().to_owned(), value.clone());
            }
        }
        Ok(patch)
    }
}
