//! A YAML file as a tree of values that know where they stand.
//!
//! Read within budgets: a file of configuration is small and flat, so that anything large, deep or repeated by
//! aliases is a mistake or an attack, and is refused before it grows.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Number, Value};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::{AliasLimits, MergeKeyPolicy};
use serde_saphyr::{Location, MessageFormatter as _, Spanned, UserMessageFormatter};

/// Deepest nesting of a file.
const DEPTH_MAX: usize = 32;
/// Most values in a file.
const NODES_MAX: usize = 50_000;
/// Most anchors and most aliases in a file.
const ALIASES_MAX: usize = 100;
/// Most values that aliases may repeat, in all.
const REPLAYED_MAX: usize = 5_000;

/// Where something stands: line and column from 1, in characters, and how many characters are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Span {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) width: u32,
}

/// A value and its place.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: Yaml,
}

/// A value.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Yaml {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) span: Span,
    pub(crate) node: Node,
}

/// Why a text is no tree.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) span: Option<Span>,
    pub(crate) what: String,
    pub(crate) hint: String,
}

impl Node {
    /// Reads one YAML document.
    pub(crate) fn parse(text: &str) -> Result<Self, Unreadable> {
        let budget = serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_events: NODES_MAX * 3,
            max_anchors: ALIASES_MAX,
            max_aliases: ALIASES_MAX,
            max_recorded_anchor_events: REPLAYED_MAX * 2,
            max_documents: 1,
            max_buffered_comment_events: 1_000,
        };
        let mut aliases = AliasLimits::default();
        aliases.max_total_replayed_events = REPLAYED_MAX;
        aliases.max_replay_stack_depth = 8;
        let options = serde_saphyr::options! {
            budget: budget,
            alias_limits: aliases,
            merge_keys: MergeKeyPolicy::Error,
            strict_booleans: true,
            leading_zero_numbers_as_strings: true,
            underscored_numbers_as_strings: true,
            reject_unsupported_tags: true,
            emit_comments: false,
            with_snippet: false,
        };
        let root: Spanned<Yaml> =
            serde_saphyr::from_str_with_options(text, options).map_err(|error| unreadable(&error))?;
        Ok(Self::of(root))
    }

    fn of(spanned: Spanned<Yaml>) -> Self {
        Self { span: span_of(spanned.referenced), value: spanned.value }
    }

    /// The value under a key, or at a position.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Yaml::List(items) => key.parse::<usize>().ok().and_then(|position| items.get(position)),
            _ => self.entry(key).map(|entry| &entry.node),
        }
    }

    /// A key and its value.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Yaml::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The same without places.
    pub(crate) fn to_json(&self) -> Value {
        match &self.value {
            Yaml::Null => Value::Null,
            Yaml::Bool(truth) => Value::Bool(*truth),
            Yaml::Number(number) => Value::Number(number.clone()),
            Yaml::Text(text) => Value::String(text.clone()),
            Yaml::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Yaml::Map(entries) => {
                Value::Object(entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect())
            }
        }
    }

    /// What kind of value it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Yaml::Null => "nothing",
            Yaml::Bool(_) => "true or false",
            Yaml::Number(_) => "a number",
            Yaml::Text(_) => "a text",
            Yaml::List(_) => "a list",
            Yaml::Map(_) => "a table of keys",
        }
    }
}

fn span_of(at: Location) -> Span {
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Span { line: small(at.line()), column: small(at.column()), width: small(at.span().len()).max(1) }
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(YamlVisitor)
    }
}

struct YamlVisitor;

impl<'de> Visitor<'de> for YamlVisitor {
    type Value = Yaml;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }
    fn visit_none<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Yaml, D::Error> {
        Yaml::deserialize(deserializer)
    }
    fn visit_bool<E>(self, truth: bool) -> Result<Yaml, E> {
        Ok(Yaml::Bool(truth))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Yaml, E> {
        Ok(Yaml::Number(number.into()))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Yaml, E> {
        Ok(Yaml::Number(number.into()))
    }
    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Yaml, E> {
        Number::from_f64(number).map(Yaml::Number).ok_or_else(|| E::custom("the number is not finite"))
    }
    fn visit_str<E>(self, text: &str) -> Result<Yaml, E> {
        Ok(Yaml::Text(text.to_owned()))
    }
    fn visit_string<E>(self, text: String) -> Result<Yaml, E> {
        Ok(Yaml::Text(text))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Yaml, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element::<Spanned<Yaml>>()? {
            items.push(Node::of(item));
        }
        Ok(Yaml::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Yaml, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<Spanned<String>, Spanned<Yaml>>()? {
            entries.push(Entry { key: key.value, span: span_of(key.referenced), node: Node::of(value) });
        }
        Ok(Yaml::Map(entries))
    }
}

fn unreadable(error: &serde_saphyr::Error) -> Unreadable {
    use serde_saphyr::Error;
    let error = match error.without_snippet() {
        Error::AliasError { error: inner, .. } => {
            return Unreadable { span: place(error), ..unreadable(inner) };
        }
        other => other,
    };
    let (what, hint) = match error {
        Error::Budget { breach, .. } => over_budget(breach),
        // The parser counts brackets before anybody else does.
        Error::ExternalMessage { msg, .. } if msg.contains("recursion limit") => {
            over_budget(&BudgetBreach::Depth { depth: DEPTH_MAX })
        }
        Error::AliasReplayLimitExceeded { .. } | Error::AliasReplayStackDepthExceeded { .. } => {
            over_budget(&BudgetBreach::Aliases { aliases: ALIASES_MAX })
        }
        Error::MultipleDocuments { .. } => (
            "the file holds more than one document".to_owned(),
            "one file, one thing: make it two files".to_owned(),
        ),
        Error::MergeKeyNotAllowed { .. } => (
            "merge keys (`<<`) are not taken".to_owned(),
            "write the keys out: what a file says must be readable where it stands".to_owned(),
        ),
        Error::DuplicateMappingKey { key, .. } => (
            match key {
                Some(key) => format!("the key `{key}` stands here twice"),
                None => "a key stands here twice".to_owned(),
            },
            "keep one of them".to_owned(),
        ),
        Error::UnsupportedTag { tag, .. } => {
            (format!("the tag `{tag}` is not known"), "write the plain value".to_owned())
        }
        Error::UnknownAnchor { .. } => {
            ("this alias names no anchor".to_owned(), "define it before its use: `&name`".to_owned())
        }
        Error::NonFiniteFloat { .. } => {
            ("the number is not finite".to_owned(), "write a finite number".to_owned())
        }
        Error::Eof { .. } => ("the file is empty".to_owned(), "fill it, or remove it".to_owned()),
        other => (
            format!("it is not YAML: {}", UserMessageFormatter.format_message(other)),
            "check indentation, quotes and colons around here".to_owned(),
        ),
    };
    Unreadable { span: place(error), what, hint }
}

fn place(error: &serde_saphyr::Error) -> Option<Span> {
    error.location().map(span_of).filter(|span| span.line > 0)
}

fn over_budget(breach: &BudgetBreach) -> (String, String) {
    let (what, hint) = match breach {
        BudgetBreach::Depth { .. } => {
            (format!("it is nested deeper than {DEPTH_MAX} levels"), "make it flatter")
        }
        BudgetBreach::Aliases { .. }
        | BudgetBreach::Anchors { .. }
        | BudgetBreach::AliasAnchorRatio { .. }
        | BudgetBreach::RecordedAnchorEvents { .. } => (
            format!("it repeats too much by aliases (at most {ALIASES_MAX}, and {REPLAYED_MAX} values)"),
            "write it out",
        ),
        BudgetBreach::Documents { .. } => {
            ("the file holds more than one document".to_owned(), "make it two files")
        }
        _ => (
            format!("it holds more than {NODES_MAX} values"),
            "split the file, or keep data in lookups/*.csv",
        ),
    };
    (what, hint.to_owned())
}
