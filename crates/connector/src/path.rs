//! Paths: keys with dots between them, into answers (walking) and into bodies to be built (nesting).
//!
//! `properties.email` is the key `email` under `properties`; a key of digits is also a position in a list. A dot
//! inside a key is written `\.`, a backslash `\\`: the same form as a mapping's paths.

use canonical::Fields;
use serde_json::Value;

/// Deepest path.
const SEGMENTS_MAX: usize = 32;

/// What a list of XML is that has no element.
static NOTHING: Value = Value::Array(Vec::new());

/// A path, split once. The empty path is the whole.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Path {
    keys: Box<[Key]>,
    text: Box<str>,
    /// What it leads through may have been XML: everything is a text there, and one thing is no list.
    xml: bool,
    /// It ends in elements that are a list even if there is none of them.
    list: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Key {
    text: Box<str>,
    position: Option<usize>,
}

impl Key {
    /// One step of the way. In XML, where nobody sees whether one element is a list, the first of one is itself.
    fn step<'a>(&self, at: &'a Value, xml: bool) -> Option<&'a Value> {
        match at {
            _ if self.is_itself(at, xml) => Some(at),
            Value::Object(map) => map.get(&*self.text),
            Value::Array(items) => items.get(self.position?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        }
    }

    fn is_itself(&self, at: &Value, xml: bool) -> bool {
        xml && self.position == Some(0)
            && match at {
                Value::Object(map) => !map.contains_key(&*self.text),
                other => other.is_string(),
            }
    }
}

impl Path {
    /// Splits a path; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let keys = split(text)?;
        let keys = keys.into_iter().map(|key| Key { position: position(&key), text: key.into() }).collect();
        Ok(Self { keys, text: text.into(), xml: false, list: false })
    }

    /// The same into answers that are XML, where the elements of these names are lists.
    pub(crate) fn in_xml(mut self, lists: &[String]) -> Self {
        let last = self.keys.last().filter(|_| self.keys.len() > 1);
        self.list = last.is_some_and(|last| lists.iter().any(|list| **list == *last.text));
        self.xml = true;
        self
    }

    /// Its keys, in their order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| &*key.text)
    }

    /// As it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands there; `None` also when something on the way is missing, null or holds no keys.
    pub(crate) fn find<'a>(&self, mut at: &'a Value) -> Option<&'a Value> {
        for key in &self.keys {
            at = key.step(at, self.xml)?;
        }
        Some(at)
    }

    /// The list that stands there. In XML the one around it must be there, which may hold nothing.
    pub(crate) fn find_list<'a>(&self, at: &'a Value) -> Option<&'a Value> {
        self.find(at).or_else(|| {
            let (_, way) = self.keys.split_last().filter(|_| self.list)?;
            let around = way.iter().try_fold(at, |at, key| key.step(at, true))?;
            let holds = around.is_object() || around.as_str().is_some_and(|text| text.trim().is_empty());
            holds.then_some(&NOTHING)
        })
    }

    /// The yes or no that stands there; in XML also as its texts (XML Schema, part 2, section 3.2.2).
    pub(crate) fn flag(&self, at: &Value) -> Option<bool> {
        match self.find(at)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) if self.xml => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// Takes what stands there out of `at`; null stays in its place.
    pub(crate) fn take(&self, mut at: Value) -> Option<Value> {
        let mut place = &mut at;
        for key in &self.keys {
            if key.is_itself(place, self.xml) {
                continue;
            }
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

/// Two target paths that cannot both hold a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Clash {
    pub(crate) one: String,
    pub(crate) other: String,
}

/// Builds the nested object of flat target paths.
///
/// # Errors
/// When one path lies inside another, so that both cannot hold a value, or a path is malformed.
pub(crate) fn nest<'a>(fields: impl IntoIterator<Item = (&'a String, Value)>) -> Result<Fields, Clash> {
    let mut root = Fields::new();
    for (path, value) in fields {
        let contradiction = |other: &str| Clash { one: path.clone(), other: other.to_owned() };
        let keys = split(path).map_err(contradiction)?;
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
