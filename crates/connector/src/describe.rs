//! Descriptions: which fields an object of a live system has, as its vendor says it.
//!
//! A description is compared with what mappings read and write (`config::fits`), and with an earlier one
//! ([`Described::drift`]). All of this is pure.

mod drift;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::Call;
use crate::connector::Connector;
use crate::exchange::Response;
use crate::observation::Garbled;
use crate::path::{Path, text_of};
use crate::plan::{Pattern, RequestPlan, Test};
use crate::read::{garbled, place};

pub use drift::Drift;

/// Most fields of an object that are read.
const FIELDS_MAX: usize = 20_000;
/// Most values of a choice that are kept.
const VALUES_MAX: usize = 2_000;

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// A text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Decimal,
    /// True or false.
    Boolean,
    /// A day.
    Date,
    /// A moment.
    Time,
    /// One of a list of texts.
    Choice,
    /// The id of another object.
    Reference,
    /// Several of something.
    List,
    /// Something with fields of its own.
    Object,
    /// What the manifest does not say: it fits anything.
    #[default]
    Other,
}

impl FieldKind {
    /// Its name, as in manifests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Time => "time",
            Self::Choice => "choice",
            Self::Reference => "reference",
            Self::List => "list",
            Self::Object => "object",
            Self::Other => "other",
        }
    }
}

/// One field, as the vendor describes it. What it does not say is `None`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldSeen {
    /// The path by which mappings name it.
    pub path: String,
    /// What it holds.
    pub kind: FieldKind,
    /// The same in the vendor's word.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vendor_type: String,
    /// Whether a new object must have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// Whether it can be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writable: Option<bool>,
    /// Longest text, in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chars_max: Option<u64>,
    /// The values that there are, when others are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<String>>,
    /// Whether somebody added it to the vendor's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<bool>,
    /// Other paths that stand for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The name by which paths lead on to another object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
}

/// What is known of a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known<'a> {
    /// It is this field.
    Field(&'a FieldSeen),
    /// It lies inside or behind this field, of which no more is described.
    Beyond(&'a FieldSeen),
    /// There is no such field.
    No,
}

/// The fields of an object, in the vendor's order.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Described {
    /// Each once.
    pub fields: Vec<FieldSeen>,
}

impl Described {
    /// What is known of a mapping's path. The object's name of a field is looked for whole, then its first keys.
    #[must_use]
    pub fn find(&self, path: &str) -> Known<'_> {
        let named = |name: &str| {
            self.fields
                .iter()
                .find(|field| field.path == name || field.aliases.iter().any(|alias| alias == name))
        };
        if let Some(field) = named(path) {
            return Known::Field(field);
        }
        let ends = path.match_indices('.').map(|(at, _)| at).collect::<Vec<_>>();
        for end in ends.into_iter().rev() {
            let Some(start) = path.get(..end) else { continue };
            let leads = self.fields.iter().find(|field| field.through.as_deref() == Some(start));
            let holds = |field: &&FieldSeen| {
                matches!(
                    field.kind,
                    FieldKind::Object | FieldKind::List | FieldKind::Reference | FieldKind::Other
                )
            };
            if let Some(field) = leads.or_else(|| named(start).filter(holds)) {
                return Known::Beyond(field);
            }
        }
        Known::No
    }

    /// The paths of all fields.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| field.path.as_str())
    }
}

/// How descriptions are read.
#[derive(Debug)]
pub(crate) struct DescribePlan {
    pub(crate) request: RequestPlan,
    pub(crate) fields: Path,
    pub(crate) name: Option<Path>,
    pub(crate) aliases: Vec<Pattern>,
    pub(crate) through: Option<Path>,
    pub(crate) kind: Option<Path>,
    pub(crate) types: BTreeMap<String, FieldKind>,
    pub(crate) also: Vec<String>,
    pub(crate) required: Vec<Test>,
    pub(crate) writable: Vec<Test>,
    pub(crate) read_only: Vec<Test>,
    pub(crate) chars_max: Option<Path>,
    pub(crate) values: Option<ValuesPlan>,
    pub(crate) custom: Option<Test>,
}

#[derive(Debug)]
pub(crate) struct ValuesPlan {
    pub(crate) at: Path,
    pub(crate) value: Path,
    pub(crate) lines: bool,
    pub(crate) closed: Option<Test>,
}

impl Connector {
    /// Whether the fields of such objects can be asked for.
    #[must_use]
    pub fn can_describe(&self, object: &canonical::Object) -> bool {
        self.object(object).is_some_and(|plan| plan.describe.is_some())
    }

    /// Reads the answer to [`Call::Describe`].
    ///
    /// # Errors
    /// When the call is none, or the answer holds no fields, one without a name, or too many.
    pub fn read_fields(&self, call: &Call, response: &Response) -> Result<Described, Garbled> {
        let Call::Describe { object } = call else {
            return Err(garbled("the call asks for no fields", "the call"));
        };
        let Some(plan) = self.object(object).and_then(|plan| plan.describe.as_ref()) else {
            return Err(garbled(format!("the fields of `{object}` cannot be asked for"), "the call"));
        };
        plan.read(&self.success(response)?)
    }
}

impl DescribePlan {
    /// Whether an answer holds fields at all.
    pub(crate) fn holds(&self, body: &Value) -> bool {
        self.fields.find(body).is_some_and(|found| found.is_array() || found.is_object())
    }

    fn read(&self, body: &Value) -> Result<Described, Garbled> {
        let named: Vec<(Option<&str>, &Value)> = match self.fields.find(body) {
            Some(Value::Array(items)) => items.iter().map(|item| (None, item)).collect(),
            Some(Value::Object(map)) => map.iter().map(|(key, item)| (Some(key.as_str()), item)).collect(),
            _ => return Err(garbled("there is no list and no table of fields", place(&self.fields))),
        };
        if named.len() > FIELDS_MAX {
            let what = format!("there are {} fields, and at most {FIELDS_MAX} are read", named.len());
            return Err(garbled(what, place(&self.fields)));
        }
        let mut described = Described::default();
        let mut seen = std::collections::BTreeSet::new();
        for (index, (key, field)) in named.into_iter().enumerate() {
            let own = self.name.as_ref().and_then(|name| name.text_at(field));
            let Some(name) = own.or_else(|| key.filter(|_| self.name.is_none()).map(str::to_owned)) else {
                return Err(garbled(
                    "there is a field without a name",
                    format!("{}.{index}", place(&self.fields)),
                ));
            };
            if seen.insert(name.clone()) {
                described.fields.push(self.field(name, field));
            }
        }
        let more = self.also.iter().filter(|name| !seen.contains(*name));
        let more = more.map(|name| FieldSeen { path: name.clone(), ..FieldSeen::default() });
        described.fields.extend(more.collect::<Vec<_>>());
        Ok(described)
    }

    fn field(&self, name: String, field: &Value) -> FieldSeen {
        let vendor_type = self.kind.as_ref().and_then(|path| path.text_at(field)).unwrap_or_default();
        let kind = self.types.get(&vendor_type).copied().unwrap_or_default();
        let said = !self.writable.is_empty() || !self.read_only.is_empty();
        let open = self.writable.is_empty() || self.writable.iter().any(|test| test.holds(field));
        let shut = self.read_only.iter().any(|test| test.holds(field));
        let chars_max = self.chars_max.as_ref().and_then(|path| path.text_at(field));
        let with = |pattern: &Pattern| {
            format!("{}{name}{}", pattern.before, pattern.after.as_deref().unwrap_or_default())
        };
        FieldSeen {
            kind,
            vendor_type,
            required: (!self.required.is_empty()).then(|| self.required.iter().all(|test| test.holds(field))),
            writable: said.then_some(open && !shut),
            chars_max: chars_max.and_then(|text| text.parse().ok()).filter(|chars| *chars > 0),
            values: self
                .values
                .as_ref()
                .filter(|_| kind == FieldKind::Choice)
                .and_then(|plan| plan.read(field)),
            custom: self.custom.as_ref().map(|test| test.holds(field)),
            aliases: self.aliases.iter().map(with).collect(),
            through: self.through.as_ref().and_then(|path| path.text_at(field)),
            path: name,
        }
    }
}

impl ValuesPlan {
    /// The values, when they are all that is taken.
    fn read(&self, field: &Value) -> Option<Vec<String>> {
        if self.closed.as_ref().is_some_and(|test| !test.holds(field)) {
            return None;
        }
        let found = self.at.find(field)?;
        let values: Vec<String> = match found {
            Value::String(text) if self.lines => text.lines().map(str::to_owned).collect(),
            Value::Array(items) => items.iter().filter_map(|item| text_of(self.value.find(item)?)).collect(),
            _ => return None,
        };
        (values.len() <= VALUES_MAX).then_some(values)
    }
}

#[cfg(test)]
mod tests;
