//! Paths: keys with dots between them, into answers (walking) and into bodies to be built (nesting).
//!
//! `properties.email` is the key `email` under `properties`; a key of digits is also a position in a list. A dot
//! inside a key is written `\.`, a backslash `\\`: the same form as a mapping's paths.

use canonical::Fields;
use serde_json::Value;

/// Deepest path.
const SEGMENTS_MAX: usize = 32;

/// A path, split once. The empty path is the whole.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Path {
    keys: Box<[Key]>,
    text: Box<str>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Key {
    text: Box<str>,
    position: Option<usize>,
}

impl Path {
    /// Splits a path; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let keys = split(text)?;
        let keys = keys.into_iter().map(|key| Key { position: position(&key), text: key.into() }).collect();
        Ok(Self { keys, text: text.into() })
    }

    /// As it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands there; `None` also when something on the way is missing, null or holds no keys.
    pub(crate) fn find<'a>(&self, mut at: &'a Value) -> Option<&'a Value> {
        for key in &self.keys {
            at = match at {
                Value::Object(map) => map.get(&*key.text)?,
                Value::Array(items) => items.get(key.position?)?,
                _ => return None,
            };
        }
        Some(at)
    }

    /// Takes what stands there out of `at`; null stays in its place.
    pub(crate) fn take(&self, mut at: Value) -> Option<Value> {
        let mut place = &mut at;
        for key in &self.keys {
            place = match place {
                Value::Object(map) => map.get_mut(&*key.text)?,
                Value::Array(items) => items.get_mut(key.position?)?,
                _ => return None,
            };
        }
        Some(place.take())
    }

    /// The same, without what counts as nothing: null and the empty text.
    pub(crate) fn find_filled<'a>(&self, at: &'a Value) -> Option<&'a Value> {
        self.find(at).filter(|value| !value.is_null() && value.as_str() != Some(""))
    }

    /// The text or number that stands there, as text.
    pub(crate) fn text_at(&self, at: &Value) -> Option<String> {
        text_of(self.find_filled(at)?)
    }
}

/// What stands at a path of an answer; `None` also when the path is none.
#[must_use]
pub fn value_at<'a>(path: &str, at: &'a Value) -> Option<&'a Value> {
    Path::parse(path).ok()?.find(at)
}

/// A scalar as text; `None` for null, lists and objects.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The first key of a path; `None` when it is none.
pub(crate) fn first(text: &str) -> Option<String> {
    split(text).ok()?.into_iter().next()
}

fn split(text: &str) -> Result<Vec<String>, &'static str> {
    let mut keys = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let Some(key) = keys.last_mut() else { break };
        match c {
            '.' => keys.push(String::new()),
            '\\' => match chars.next() {
                Some(escaped @ ('.' | '\\')) => key.push(escaped),
                _ => return Err("a backslash in a path must stand before a dot or another backslash"),
            },
            other => key.push(other),
        }
    }
    if keys.iter().any(String::is_empty) {
        return Err("a path must not hold an empty key: two dots meet, or one stands at its start or end");
    }
    if keys.len() > SEGMENTS_MAX {
        return Err("a path must not be deeper than 32 keys");
    }
    Ok(keys)
}

fn position(key: &str) -> Option<usize> {
    key.bytes().all(|b| b.is_ascii_digit()).then(|| key.parse().ok()).flatten()
}

/// Whether flat target paths need no nesting: then the map is the body as it stands.
pub(crate) fn is_flat(fields: &Fields) -> bool {
    fields.keys().all(|key| !key.bytes().any(|b| matches!(b, b'.' | b'\\')))
}

/// Why target paths make no object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Clash {
    /// Two that cannot both hold a value.
    Inside { one: String, other: String },
    /// One that is no path.
    NoPath { path: String, why: &'static str },
}

/// Builds the nested object of flat target paths.
///
/// # Errors
/// When one path lies inside another, so that both cannot hold a value, or a path is malformed.
pub(crate) fn nest<'a>(fields: impl IntoIterator<Item = (&'a String, Value)>) -> Result<Fields, Clash> {
    let mut root = Fields::new();
    for (path, value) in fields {
        let contradiction = |other: &str| Clash::Inside { one: path.clone(), other: other.to_owned() };
        let keys = split(path).map_err(|why| Clash::NoPath { path: path.clone(), why })?;
        let Some((last, way)) = keys.split_last() else { continue };
        let mut at = &mut root;
        for key in way {
            let next = at.entry(key.as_str()).or_insert_with(|| Value::Object(Fields::new()));
            at = next.as_object_mut().ok_or_else(|| contradiction(key))?;
        }
        if at.insert(last.clone(), value).is_some() {
            return Err(contradiction(last));
        }
    }
    Ok(root)
}

/// The part of flat target paths that lies under `path`: its own value, or the nested object of what is below.
pub(crate) fn under(fields: &Fields, path: &str) -> Option<Value> {
    if let Some(value) = fields.get(path) {
        return Some(value.clone());
    }
    let below: Vec<(String, Value)> = fields
        .iter()
        .filter_map(|(key, value)| {
            let rest = key.strip_prefix(path)?.strip_prefix('.')?;
            Some((rest.to_owned(), value.clone()))
        })
        .collect();
    if below.is_empty() {
        return None;
    }
    nest(below.iter().map(|(key, value)| (key, value.clone()))).ok().map(Value::Object)
}

#[cfg(test)]
mod tests;
