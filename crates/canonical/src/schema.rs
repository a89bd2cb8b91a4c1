//! Entities as the configuration declares them: fields with types, owners and policies; existence; facts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::name::{Entity, Field, System};

/// The type of a field, read from its JSON Schema.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FieldType {
    /// `type: string`.
    Text,
    /// `type: integer`.
    Integer,
    /// `type: string, format: decimal`: exact, for money and quantities.
    Decimal,
    /// `type: boolean`.
    Boolean,
    /// `type: string, format: date`.
    Date,
    /// `type: string, format: date-time`: always with a zone, kept in UTC.
    Time,
    /// `type: string, format: record, x-entity: Account`: another record.
    Reference(Entity),
    /// `type: array` of strings.
    List {
        /// `uniqueItems: true`: order does not matter.
        set: bool,
    },
    /// No `type`: any JSON, kept as it is.
    Any,
}

impl FieldType {
    /// Its short name, as digests and stored documents have it: never reworded.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Integer => "integer".to_owned(),
            Self::Decimal => "decimal".to_owned(),
            Self::Boolean => "boolean".to_owned(),
            Self::Date => "date".to_owned(),
            Self::Time => "time".to_owned(),
            Self::Reference(entity) => format!("reference {entity}"),
            Self::List { set: true } => "set".to_owned(),
            Self::List { set: false } => "list".to_owned(),
            Self::Any => "any".to_owned(),
        }
    }

    /// Whether every value of the other type has a normal form as this one, from which nothing is missing.
    #[must_use]
    pub fn reads(&self, wrote: &Self) -> bool {
        match (self, wrote) {
            (one, other) if one == other => true,
            (Self::Any, _) | (Self::Decimal, Self::Integer) => true,
            (Self::Text, Self::Decimal | Self::Date | Self::Time | Self::Reference(_)) => true,
            // A set is a list without an order of its own; a list as a set would lose order and repeats.
            (Self::List { set: false }, Self::List { set: true }) => true,
            _ => false,
        }
    }

    /// From its short name.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        if let Some(entity) = word.strip_prefix("reference ") {
            return Entity::new(entity).ok().map(Self::Reference);
        }
        let plain =
            [Self::Text, Self::Integer, Self::Decimal, Self::Boolean, Self::Date, Self::Time, Self::Any];
        let lists = [Self::List { set: true }, Self::List { set: false }];
        plain.into_iter().chain(lists).find(|kind| kind.word() == word)
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("a text"),
            Self::Integer => f.write_str("a whole number"),
            Self::Decimal => f.write_str("a decimal number (a text such as \"12.50\")"),
            Self::Boolean => f.write_str("true or false"),
            Self::Date => f.write_str("a date (2026-11-22)"),
            Self::Time => f.write_str("a time with a zone (2026-11-22T10:00:00Z)"),
            Self::Reference(entity) => write!(f, "a reference to {entity}"),
            Self::List { set: true } => f.write_str("a set of texts"),
            Self::List { set: false } => f.write_str("a list of texts"),
            Self::Any => f.write_str("any value"),
        }
    }
}

/// What becomes of an edit by another system than the owner; for the last four, of any two values that differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// The owner's value stands; the edit is recorded, and nothing is written back for it alone.
    #[default]
    Reject,
    /// The owner's value stands and is written back to the system that differs (bounded, then frozen).
    Revert,
    /// The owner's value stands, and the edit is written to the owner's system, which takes it or says otherwise.
    Propose,
    /// What changed last by the systems' own clocks counts. Within the clocks' skew the owner's value counts, then that of
    /// the first of `prefer`, else the one that is there; what cannot be told waits for a person.
    Latest,
    /// The smaller of the two counts. Where Concord writes to the owner's system, too, another word of the owner replaces it.
    Min,
    /// The greater of the two counts; likewise.
    Max,
    /// Both count: a set has what either has; likewise.
    Union,
}

impl OnConflict {
    /// Its name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Revert => "revert",
            Self::Propose => "propose",
            Self::Latest => "latest",
            Self::Min => "min",
            Self::Max => "max",
            Self::Union => "union",
        }
    }

    /// Whether two systems' values are brought together by a rule, so that the outcome is written to the owner, too.
    #[must_use]
    pub const fn merges(self) -> bool {
        matches!(self, Self::Latest | Self::Min | Self::Max | Self::Union)
    }

    /// Whether it says something of a field that nobody owns.
    #[must_use]
    pub const fn needs_no_owner(self) -> bool {
        self.merges()
    }
}

/// Whose value wins while a record is in some state.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ownership {
    /// The system.
    pub owner: System,
    /// All must hold of the record.
    pub when: Vec<Condition>,
}

/// How personal a field is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PiiClass {
    /// Not personal: may be shown in logs.
    None,
    /// Personal: masked unless asked for. What is not classified is this.
    #[default]
    Basic,
    /// Personal and sensitive.
    Sensitive,
}

/// One field of an entity.
#[derive(Clone, PartialEq, Debug)]
pub struct FieldSpec {
    /// Its type.
    pub kind: FieldType,
    /// The system whose value wins, where none of `owners` says otherwise. `None`: any system that may write it, newest
    /// merged value wins.
    pub owner: Option<System>,
    /// Whose value wins while the record is in some state: the first whose conditions hold.
    pub owners: Vec<Ownership>,
    /// Of two values that changed at the same time, that of the first of these counts (`latest`).
    pub prefer: Vec<System>,
    /// What becomes of another system's edit.
    pub on_conflict: OnConflict,
    /// How personal it is.
    pub pii: PiiClass,
    /// The closed list of values, when the schema has `enum`.
    pub choices: Option<Vec<Value>>,
    /// Longest text, in characters, when the schema says so.
    pub chars_max: Option<usize>,
    /// An explicit `format: email`.
    pub email: bool,
}

impl FieldSpec {
    /// A field that nobody owns and that is not personal.
    #[must_use]
    pub const fn of(kind: FieldType) -> Self {
        Self {
            kind,
            owner: None,
            owners: Vec::new(),
            prefer: Vec::new(),
            on_conflict: OnConflict::Reject,
            pii: PiiClass::None,
            choices: None,
            chars_max: None,
            email: false,
        }
    }

    /// Whose value wins in a record with these fields.
    #[must_use]
    pub fn owner_in(&self, fields: &crate::value::Fields) -> Option<&System> {
        self.moved_to(fields).map(|ownership| &ownership.owner).or(self.owner.as_ref())
    }

    /// The rule that moves it away from its usual owner, in a record with these fields.
    #[must_use]
    pub fn moved_to(&self, fields: &crate::value::Fields) -> Option<&Ownership> {
        self.owners.iter().find(|rule| rule.when.iter().all(|condition| condition.holds(fields)))
    }

    /// All systems whose value may win at some time.
    pub fn possible_owners(&self) -> impl Iterator<Item = &System> {
        self.owners.iter().map(|rule| &rule.owner).chain(&self.owner)
    }
}

/// A key that finds a record no link points at.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchKey {
    /// Its name.
    pub name: String,
    /// The fields whose values together make it; all must be present.
    pub fields: Vec<Field>,
    /// Compare without case and surrounding white space.
    #[serde(default)]
    pub fold: bool,
    /// What else does not count when values are compared, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub normalise: Vec<Normalise>,
    /// Its scope: it is a key of records that meet all of these, and of no others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<Condition>,
}

impl MatchKey {
    /// Under what its values are kept: its name, and for a key with normalisers or a scope all that it says, so that values
    /// of another definition under that name are never found by it.
    #[must_use]
    pub fn kept_as(&self) -> String {
        if self.normalise.is_empty() && self.when.is_empty() { self.name.clone() } else { self.definition() }
    }

    /// All that it says: two keys with one definition find the same.
    #[must_use]
    pub fn definition(&self) -> String {
        let fields: Vec<&str> = self.fields.iter().map(Field::as_str).collect();
        let (normalise, when) = (word(&self.normalise), word(&self.when));
        format!("{}#{}#{}#{normalise}#{when}", self.name, fields.join(","), self.fold)
    }
}

/// A part of a definition. What it is made of is plain data: it always has a form.
fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// What does not count when the values of a match key are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// How much white space stands between words.
    Words,
    /// Everything but letters and digits: `DE 123.456` is `DE123456`.
    Alphanumeric,
    /// Everything but digits 0 to 9.
    Digits,
    /// Accents and other marks on letters, and forms that only look different (Unicode's compatibility forms, NFKD).
    Accents,
    /// Of an address of mail or of a page everything but its domain, without `www.` and without case.
    Domain,
}

/// A condition on one field, used by domain events and route filters.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct Condition {
    /// The field it looks at.
    pub field: Field,
    /// It has this value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
    /// It has one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<Value>>,
    /// It has another value than this (or none).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not: Option<Value>,
    /// It has any value that is not empty (`true`), or none (`false`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<bool>,
}

impl Condition {
    /// Whether `fields` meet it. An absent field counts as null.
    #[must_use]
    pub fn holds(&self, fields: &crate::value::Fields) -> bool {
        let value = fields.get(self.field.as_str()).unwrap_or(&Value::Null);
        self.equals.as_ref().is_none_or(|wanted| value == wanted)
            && self.one_of.as_ref().is_none_or(|list| list.contains(value))
            && self.not.as_ref().is_none_or(|unwanted| value != unwanted)
            && self.present.is_none_or(|wanted| wanted != crate::value::is_empty(value))
    }
}

/// A domain event: derived when a record passes from not meeting `when` to meeting it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactRule {
    /// Its kind, such as `OpportunityWon`.
    pub event: String,
    /// All must hold after the change, and not all before it.
    pub when: Vec<Condition>,
    /// Fields whose values, with the record's id, name one occurrence. Empty: once per record.
    #[serde(default)]
    pub occurrence: Vec<Field>,
    /// Fields the event carries. Empty: all that are set.
    #[serde(default)]
    pub carries: Vec<Field>,
}

/// What a source's proven deletion does to the record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// The record becomes a tombstone; targets archive it.
    #[default]
    Archive,
    /// The link goes, the record stays.
    Unlink,
}

/// What becomes of a deleted record when an object for it is there again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnRecreate {
    /// The object that it had brings it back; another one that has its match key makes a new record.
    #[default]
    SameObject,
    /// Whatever comes makes a new record; the deleted one stays as it is.
    New,
    /// The object that it had brings it back, and so does another one that has its match key.
    Revive,
}

/// Between which versions of a schema what one wrote is read by the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compatibility {
    /// The newer version reads what the older one wrote.
    #[default]
    Backward,
    /// The older version reads what the newer one writes.
    Forward,
    /// Both.
    Full,
    /// Neither is asked for.
    None,
}

impl Compatibility {
    /// Whether the newer version must read what the older one wrote.
    #[must_use]
    pub const fn is_backward(self) -> bool {
        matches!(self, Self::Backward | Self::Full)
    }

    /// Whether the older version must read what the newer one writes.
    #[must_use]
    pub const fn is_forward(self) -> bool {
        matches!(self, Self::Forward | Self::Full)
    }
}

/// Reference data: what a value must be one of before it is taken in. An empty value always is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReferenceRule {
    /// Its name, for people.
    pub name: String,
    /// The field.
    pub field: Field,
    /// What it must be one of.
    pub wants: Wants,
}

/// What a value must be one of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wants {
    /// A table's column.
    OneOf {
        /// The table.
        table: String,
        /// The column's values.
        values: BTreeSet<String>,
    },
    /// The records of a type, by a match key of one field.
    Record {
        /// The type.
        entity: Entity,
        /// The key, as its values are kept.
        key: String,
        /// It is compared without case.
        fold: bool,
        /// What else does not count.
        normalise: Vec<Normalise>,
    },
}

/// A canonical type, checked.
#[derive(Clone, PartialEq, Debug)]
pub struct EntitySchema {
    /// Its name.
    pub entity: Entity,
    /// Its version; counts up.
    pub version: u32,
    /// Its fields.
    pub fields: BTreeMap<Field, FieldSpec>,
    /// Fields a record needs before it is sent anywhere (JSON Schema `required`).
    pub required: Vec<Field>,
    /// What is asked of this version by the one before it.
    pub compatibility: Compatibility,
    /// Names of fields that there were and that never come back with another meaning.
    pub retired: BTreeSet<Field>,
    /// Keys that find an unlinked record. Where they find several, a person says which it is.
    pub match_keys: Vec<MatchKey>,
    /// What values must be one of, in the order of the file.
    pub rules: Vec<ReferenceRule>,
    /// Systems whose objects may create a record. Empty: any.
    pub creators: Vec<System>,
    /// Systems whose deletions count. Empty: none.
    pub deleters: Vec<System>,
    /// What such a deletion does.
    pub on_delete: OnDelete,
    /// What becomes of the deleted record when an object for it is there again.
    pub on_recreate: OnRecreate,
    /// Domain events.
    pub facts: Vec<FactRule>,
    /// The JSON Schema 2020-12 document as written.
    pub document: Value,
    /// How many automatic counter-writes a field bears per `counter_write_window` before it freezes.
    pub counter_writes_max: u32,
    /// By how much the clocks of two systems may differ: changes closer than that have no order (`latest`).
    pub clock_skew: Duration,
}

impl EntitySchema {
    /// Whether anything about it is personal: then what is at rest is sealed under a key of its own.
    #[must_use]
    pub fn is_personal(&self) -> bool {
        self.fields.values().any(|field| field.pii > PiiClass::None)
    }

    /// The prefix of its generic events: `Contact` → `contact`, `SalesOrder` → `sales_order`.
    #[must_use]
    pub fn event_prefix(&self) -> String {
        let mut out = String::new();
        for (i, c) in self.entity.as_str().chars().enumerate() {
            if c.is_ascii_uppercase() && i > 0 {
                out.push('_');
            }
            out.push(c.to_ascii_lowercase());
        }
        out
    }
}
