//! What of an entity's file decides what its records hold: its schema. Who owns a field and what becomes of a conflict
//! counts for the next message, and has no part in it.

use std::collections::{BTreeMap, BTreeSet};

use canonical::schema::{MatchKey, Normalise};
use canonical::{Condition, EntitySchema, Field, FieldSpec, FieldType, PiiClass};
use mapping::upcast::StepSource;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A version of an entity's schema.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct EntityMeaning {
    pub(crate) fields: BTreeMap<Field, FieldMeaning>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) required: BTreeSet<Field>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) match_keys: BTreeMap<String, KeyMeaning>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) retired: BTreeSet<Field>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) upcast: Vec<StepSource>,
}

/// What a field may hold, and how personal it is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct FieldMeaning {
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) email: bool,
    #[serde(default, rename = "enum", skip_serializing_if = "Option::is_none")]
    pub(crate) choices: Option<Vec<Value>>,
    #[serde(default, rename = "maxLength", skip_serializing_if = "Option::is_none")]
    pub(crate) chars_max: Option<usize>,
    pub(crate) pii: PiiClass,
}

/// A match key without its name.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct KeyMeaning {
    pub(crate) fields: Vec<Field>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) fold: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) normalise: Vec<Normalise>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) when: Vec<Condition>,
}

impl KeyMeaning {
    fn of(key: &MatchKey) -> Self {
        let MatchKey { name: _, fields, fold, normalise, when } = key.clone();
        Self { fields, fold, normalise, when }
    }
}

/// A field's type by its short name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Kind(pub(crate) FieldType);

impl From<Kind> for String {
    fn from(kind: Kind) -> Self {
        kind.0.word()
    }
}

impl TryFrom<String> for Kind {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        FieldType::from_word(&word).map(Self).ok_or_else(|| format!("there is no type `{word}`"))
    }
}

impl EntityMeaning {
    pub(crate) fn of(schema: &EntitySchema, upcast: &[StepSource]) -> Self {
        let keys = schema.match_keys.iter();
        let keys = keys.map(|key| (key.name.clone(), KeyMeaning::of(key)));
        Self {
            fields: schema.fields.iter().map(|(name, spec)| (name.clone(), FieldMeaning::of(spec))).collect(),
            required: schema.required.iter().cloned().collect(),
            match_keys: keys.collect(),
            retired: schema.retired.clone(),
            upcast: upcast.to_vec(),
        }
    }

    pub(crate) fn read(meaning: &Value) -> Option<Self> {
        serde_json::from_value(meaning.clone()).ok()
    }

    pub(crate) fn value(&self) -> Value {
        // Plain data with text keys always has a JSON form.
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl FieldMeaning {
    fn of(spec: &FieldSpec) -> Self {
        // The order in which choices are written says nothing.
        let mut choices = spec.choices.clone();
        if let Some(choices) = &mut choices {
            choices.sort_by_cached_key(Value::to_string);
            choices.dedup();
        }
        Self {
            kind: Kind(spec.kind.clone()),
            email: spec.email,
            choices,
            chars_max: spec.chars_max,
            pii: spec.pii,
        }
    }
}
