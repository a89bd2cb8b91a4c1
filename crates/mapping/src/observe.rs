//! What a shadow keeps: an object's values at the written paths, flat; and what such a memory would read as.

use std::collections::BTreeMap;

use canonical::{Field, Fields};
use serde_json::Value;

use crate::mapping::Mapping;
use crate::path::Found;
use crate::row::Said;

impl Mapping {
    /// The values that an observed object has at the paths this mapping writes, flat, by path. What is not there,
    /// or cannot be reached, is left out.
    #[must_use]
    pub fn observe(&self, observed: &Fields) -> Fields {
        let constants = self.inner.constants.iter().map(|(path, _)| path);
        let mut seen = Fields::new();
        for path in self.inner.outs.iter().map(|row| &row.path).chain(constants) {
            if let Found::Value(value) = path.find(observed) {
                seen.insert(path.as_str().to_owned(), value.clone());
            }
        }
        seen
    }

    /// The canonical values that a flat memory of the object, path to value, would read as. Fields whose path it
    /// does not have or whose value does not fit are left out, and so are references to an object: see
    /// [`Self::recall_references`].
    #[must_use]
    pub fn recall(&self, memory: &Fields) -> Fields {
        let mut fields = Fields::new();
        for row in &self.inner.ins {
            if let Ok(Said::Value(value)) = row.recall(memory)
                && (row.reference.is_none() || value.is_null())
            {
                fields.insert(row.field.as_str().to_owned(), value);
            }
        }
        fields
    }

    /// The ids of objects there that such a memory refers to, by field.
    #[must_use]
    pub fn recall_references(&self, memory: &Fields) -> BTreeMap<Field, String> {
        let rows = self.inner.ins.iter().filter(|row| row.reference.is_some());
        let recalled = rows.filter_map(|row| match row.recall(memory) {
            Ok(Said::Value(Value::String(id))) => Some((row.field.clone(), id)),
            _ => None,
        });
        recalled.collect()
    }
}
