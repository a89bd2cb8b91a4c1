//! The published JSON Schemas of the files, and the first check of every file against its own.
//!
//! Editors use the same documents, so that what an editor accepts, the loader reads. The schema names everything
//! that is wrong with a file at once; what it can say only vaguely is left to the types.

use std::sync::LazyLock;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use crate::tree::{Node, Span};
use crate::typed::Fault;
use mapping::suggest;

/// A kind of file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    Concord,
    Entity,
    Mapping,
    Routes,
    System,
    Connector,
    Fixtures,
}

/// Something the schema refuses.
pub(crate) struct Found {
    /// Whether the message says what is wrong; else the types may say it better.
    pub(crate) clear: bool,
    pub(crate) fault: Fault,
}

/// In the order of [`Shape`]. Manifests and fixtures have readers of their own, in the room of connectors.
const TEXTS: [(&str, &str); 7] = [
    ("concord", include_str!("../../../schemas/concord.schema.json")),
    ("entity", include_str!("../../../schemas/entity.schema.json")),
    ("mapping", include_str!("../../../schemas/mapping.schema.json")),
    ("routes", include_str!("../../../schemas/routes.schema.json")),
    ("system", include_str!("../../../schemas/system.schema.json")),
    ("connector", include_str!("../../../schemas/connector.schema.json")),
    ("fixtures", include_str!("../../../schemas/fixtures.schema.json")),
];

/// The published JSON Schemas of the files, by their names: `concord`, `entity`, `mapping`, `routes`, `system`,
/// `connector`, `fixtures`.
#[must_use]
pub fn schemas() -> &'static [(&'static str, &'static str)] {
    &TEXTS
}

struct Compiled {
    document: Value,
    validator: Validator,
}

static COMPILED: LazyLock<Vec<Compiled>> =
    LazyLock::new(|| TEXTS.iter().take(Shape::Connector as usize).map(|(_, text)| compile(text)).collect());

/// Those of manifests and fixtures, which are large, and needed only where something is wrong.
static SELDOM: LazyLock<Vec<Compiled>> =
    LazyLock::new(|| TEXTS.iter().skip(Shape::Connector as usize).map(|(_, text)| compile(text)).collect());

#[expect(clippy::expect_used, reason = "part of the program; a test compiles each")]
fn compile(text: &str) -> Compiled {
    let document: Value = serde_json::from_str(text).expect("a published schema is JSON");
    let validator = jsonschema::draft202012::new(&document).expect("a published schema is a JSON Schema");
    Compiled { document, validator }
}

impl Shape {
    /// Everything that the schema refuses, in the order of the file.
    pub(crate) fn faults(self, root: &Node) -> Vec<Found> {
        let of = |all: &'static [Compiled], first: Self| all.get(self as usize - first as usize);
        let compiled = match self {
            Self::Connector | Self::Fixtures => of(&SELDOM, Self::Connector),
            _ => of(&COMPILED, Self::Concord),
        };
        let Some(compiled) = compiled else { return Vec::new() };
        let instance = root.to_json();
        let mut found: Vec<Found> = Vec::new();
        for error in compiled.validator.iter_errors(&instance) {
            let path = segments(error.instance_path().as_str());
            let place = segments(error.schema_path().as_str());
            found.extend(describe(error.kind(), root, &path, schema_of(&compiled.document, &place)));
        }
        // A misspelt key is missing, too: said once.
        let misspelt: Vec<String> = found.iter().filter_map(|found| meant(&found.fault)).collect();
        found.retain(|found| !misspelt.iter().any(|key| found.fault.what == missing(key)));
        found.sort_by_key(|found| found.fault.span.map(|span| (span.line, span.column)));
        found
    }
}

fn missing(key: &str) -> String {
    format!("the key `{key}` is missing")
}

/// The key that a misspelt one was meant to be.
fn meant(fault: &Fault) -> Option<String> {
    let hint = fault.hint.as_deref().filter(|_| fault.what.starts_with("unknown key "))?;
    Some(hint.strip_prefix("did you mean `")?.strip_suffix("`?")?.to_owned())
}

/// Splits a JSON pointer.
fn segments(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
}

/// The schema that a failing keyword belongs to.
fn schema_of<'a>(document: &'a Value, keyword: &[String]) -> &'a Value {
    let mut at = document;
    for part in keyword.iter().take(keyword.len().saturating_sub(1)) {
        let next = match at {
            Value::Array(items) => part.parse::<usize>().ok().and_then(|index| items.get(index)),
            other => other.get(part),
        };
        let Some(next) = next else { return &Value::Null };
        at = match next.as_str().filter(|_| part == "$ref").and_then(|target| target.strip_prefix('#')) {
            Some(pointer) => document.pointer(pointer).unwrap_or(&Value::Null),
            None => next,
        };
    }
    at
}

fn describe(kind: &ValidationErrorKind, root: &Node, path: &[String], schema: &Value) -> Vec<Found> {
    let Some(node) = path.iter().try_fold(root, |node, key| node.get(key)) else { return Vec::new() };
    // A table is meant by its key, not by its first content.
    let span = match path.split_last() {
        Some((last, above)) if matches!(node.kind(), "a table of keys" | "nothing") => {
            let parent = above.iter().try_fold(root, |node, key| node.get(key));
            parent.and_then(|parent| parent.entry(last)).map_or(node.span, |entry| entry.span)
        }
        _ => node.span,
    };
    let clear = |what: String, hint: Option<String>| vec![found(true, span, what, hint)];
    let about = || schema.get("description").and_then(Value::as_str).map(str::to_owned);
    match kind {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = schema.get("properties").and_then(Value::as_object);
            let known: Vec<&str> = known.into_iter().flat_map(|map| map.keys().map(String::as_str)).collect();
            let one = |key: &String| {
                let span = node.entry(key).map_or(span, |entry| entry.span);
                let hint = suggest::hint(key, known.iter().copied());
                found(true, span, format!("unknown key `{key}`"), Some(hint))
            };
            unexpected.iter().map(one).collect()
        }
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            clear(missing(key), Some(format!("add `{key}:` here")))
        }
        ValidationErrorKind::Type { kind } => {
            clear(format!("expected {}, found {}", types(kind), node.kind()), about())
        }
        ValidationErrorKind::Enum { options } => {
            let words: Vec<&str> =
                options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            match &node.value {
                crate::tree::Yaml::Text(word) => {
                    clear(format!("unknown word `{word}`"), Some(suggest::hint(word, words.iter().copied())))
                }
                _ => clear(format!("expected one of: {}; found {}", words.join(", "), node.kind()), None),
            }
        }
        ValidationErrorKind::Minimum { limit } => clear(format!("the number is below {limit}"), None),
        ValidationErrorKind::Maximum { limit } => clear(format!("the number is above {limit}"), None),
        ValidationErrorKind::MinItems { limit } => {
            clear(format!("the list needs at least {limit} items"), None)
        }
        ValidationErrorKind::MaxItems { limit } => {
            clear(format!("the list has more than {limit} items"), None)
        }
        ValidationErrorKind::MaxLength { limit } => {
            clear(format!("the text has more than {limit} characters"), about())
        }
        ValidationErrorKind::MinLength { .. } => clear("the text is empty".to_owned(), None),
        ValidationErrorKind::MinProperties { .. } => clear("the table is empty".to_owned(), None),
        ValidationErrorKind::UniqueItems => clear("the list holds something twice".to_owned(), None),
        ValidationErrorKind::AnyOf { context } => any_of(context, root, path).unwrap_or_else(|| {
            vec![found(false, span, "this does not have the right form".to_owned(), about())]
        }),
        _ => vec![found(false, span, "this does not have the right form".to_owned(), about())],
    }
}

/// What is wrong with the one form that was meant: the one whose type fits. The types may say it better.
fn any_of(context: &[Vec<ValidationError<'_>>], root: &Node, path: &[String]) -> Option<Vec<Found>> {
    let inner = |error: &ValidationError<'_>| segments(error.instance_path().as_str());
    let fits = |errors: &&Vec<ValidationError<'_>>| {
        !errors.iter().any(|e| inner(e) == path && matches!(e.kind(), ValidationErrorKind::Type { .. }))
    };
    let errors = context.iter().find(fits)?;
    let found = errors.iter().flat_map(|error| describe(error.kind(), root, &inner(error), &Value::Null));
    Some(found.map(|found| Found { clear: false, ..found }).collect())
}

fn found(clear: bool, span: Span, what: String, hint: Option<String>) -> Found {
    Found { clear, fault: Fault { span: Some(span), what, hint } }
}

fn types(kind: &TypeKind) -> String {
    let name = |kind: &jsonschema::JsonType| match kind {
        jsonschema::JsonType::Array => "a list",
        jsonschema::JsonType::Boolean => "true or false",
        jsonschema::JsonType::Integer => "a whole number",
        jsonschema::JsonType::Null => "nothing",
        jsonschema::JsonType::Number => "a number",
        jsonschema::JsonType::Object => "a table of keys",
        jsonschema::JsonType::String => "a text",
    };
    match kind {
        TypeKind::Single(kind) => name(kind).to_owned(),
        TypeKind::Multiple(kinds) => {
            let names: Vec<&str> = kinds.iter().map(|kind| name(&kind)).collect();
            names.join(" or ")
        }
    }
}
