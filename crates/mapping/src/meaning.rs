//! What a mapping means, as plain data: to tell one version from another, and to make it again later.
//!
//! Rows are sorted, examples and the version left out: what does not change a result is no part of it. Its results also
//! hang on the fields of its entity; these have a version of their own.

use std::collections::{BTreeMap, BTreeSet};

use canonical::{EntitySchema, Field, FieldSpec};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::MappingError;
use crate::lookup::{Cells, Lookup};
use crate::mapping::Mapping;
use crate::source::MappingSource;

/// What a mapping's version stands for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Meaning {
    mapping: MappingSource,
    /// The tables that it looks up in.
    tables: BTreeMap<String, Cells>,
}

impl Meaning {
    pub(crate) fn of(source: &MappingSource, lookups: &BTreeMap<String, Lookup>) -> Self {
        let mut mapping = MappingSource { version: 0, examples: Vec::new(), ..source.clone() };
        mapping.fields.sort_by_cached_key(|row| serde_json::to_string(row).unwrap_or_default());
        mapping.extensions.sort();
        let tables = source.tables();
        let tables = tables.iter().filter_map(|name| lookups.get(name));
        Self { mapping, tables: tables.map(|table| (table.name().to_owned(), table.cells())).collect() }
    }

    pub(crate) fn value(&self) -> Value {
        // Plain data with text keys always has a JSON form.
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// A stored meaning in the form that this release writes, so that a key that came later makes no difference. `None`: it is
/// none.
#[must_use]
pub fn reread(meaning: &Value) -> Option<Value> {
    serde_json::from_value::<Meaning>(meaning.clone()).ok().map(|meaning| meaning.value())
}

/// The digest of all that decides results: the meaning, and the fields it is about. Keys of JSON objects are sorted, so that
/// it is the same on every machine.
pub(crate) fn digest(meaning: &Meaning, schema: &EntitySchema, used: &BTreeSet<&Field>) -> String {
    let fields = schema.fields.iter().filter(|(name, _)| used.contains(name));
    let fields: BTreeMap<&str, Value> = fields.map(|(name, spec)| (name.as_str(), field(spec))).collect();
    let all = json!({ "meaning": meaning.value(), "fields": fields });
    format!("blake3:{}", blake3::hash(all.to_string().as_bytes()).to_hex())
}

impl Mapping {
    /// What its version stands for, as plain data: rows and tables, but not the fields of its entity.
    #[must_use]
    pub fn meaning(&self) -> Value {
        self.inner.meaning.value()
    }

    /// Makes the mapping of an earlier version again, for the schema that counts now.
    ///
    /// # Errors
    /// When it does not fit that schema any more, or `meaning` is none.
    pub fn again(meaning: &Value, version: u32, schema: &EntitySchema) -> Result<Self, Vec<MappingError>> {
        let unreadable = |why: String| {
            vec![MappingError { row: None, key: String::new(), within: None, message: why, hint: None }]
        };
        let read: Meaning =
            serde_json::from_value(meaning.clone()).map_err(|error| unreadable(error.to_string()))?;
        let mut lookups = BTreeMap::new();
        for (name, cells) in read.tables {
            let lookup = Lookup::of(&name, cells).map_err(|error| unreadable(error.message))?;
            lookups.insert(name, lookup);
        }
        Self::compile(&MappingSource { version, ..read.mapping }, schema, &lookups)
    }
}

fn field(spec: &FieldSpec) -> Value {
    let mut out = json!({ "type": spec.kind.word() });
    if let Some(choices) = &spec.choices {
        out["enum"] = json!(choices);
    }
    if let Some(most) = spec.chars_max {
        out["maxLength"] = json!(most);
    }
    if spec.email {
        out["format"] = json!("email");
    }
    out
}
