//! Paths into a system's object: keys with dots between them.
//!
//! `properties.email` is the key `email` in the object under `properties`. A key of digits only also counts as
//! a position in a list (`lines.0.price`), from zero. A dot inside a key is written `\.`, a backslash `\\`.

use std::fmt;

use canonical::Fields;
use canonical::value::kind_of;
use serde_json::Value;

/// Deepest path.
const SEGMENTS_MAX: usize = 32;

/// A path, split once.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Path {
    text: String,
    first: String,
    rest: Box<[Segment]>,
}

#[derive(Clone, PartialEq, Eq)]
struct Segment {
    key: String,
    position: Option<usize>,
}

/// Why a text is not a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathError {
    #[error("a path must not be empty")]
    Empty,
    #[error("a path must not hold an empty key: two dots meet, or one stands at its start or end")]
    EmptyKey,
    #[error("a backslash in a path must stand before a dot or another backslash")]
    Escape,
    #[error("a path must not be deeper than {SEGMENTS_MAX} keys")]
    Deep,
}

/// What stands at a path.
pub(crate) enum Found<'a> {
    /// Nothing: a key on the way, or the last one, is not there.
    Missing,
    /// The value there; `null` also when something on the way is null.
    Value(&'a Value),
    /// Something on the way is neither an object nor a list.
    Blocked {
        /// What it is.
        found: &'static str,
    },
}

impl Path {
    /// Splits a path.
    pub(crate) fn parse(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        let mut keys = vec![String::new()];
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            let Some(key) = keys.last_mut() else { return Err(PathError::Empty) };
            match c {
                '.' => keys.push(String::new()),
                '\\' => match chars.next() {
                    Some(escaped @ ('.' | '\\')) => key.push(escaped),
                    _ => return Err(PathError::Escape),
                },
                other => key.push(other),
            }
        }
        if keys.iter().any(String::is_empty) {
            return Err(PathError::EmptyKey);
        }
        if keys.len() > SEGMENTS_MAX {
            return Err(PathError::Deep);
        }
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or(PathError::Empty)?;
        let rest = keys.map(|key| Segment { position: position(&key), key }).collect();
        Ok(Self { text: text.to_owned(), first, rest })
    }

    /// As it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Keys as they are written as one path.
    pub(crate) fn written(keys: &[String]) -> String {
        let escaped = keys.iter().map(|key| key.replace('\\', r"\\").replace('.', r"\."));
        escaped.collect::<Vec<_>>().join(".")
    }

    /// Its keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.first.as_str()).chain(self.rest.iter().map(|segment| segment.key.as_str()))
    }

    /// What stands there.
    #[inline]
    pub(crate) fn find<'a>(&self, object: &'a Fields) -> Found<'a> {
        let Some(mut at) = object.get(&self.first) else { return Found::Missing };
        for segment in &self.rest {
            let next = match at {
                Value::Object(map) => map.get(&segment.key),
                Value::Array(items) => match segment.position {
                    Some(position) => items.get(position),
                    None => return Found::Blocked { found: kind_of(at) },
                },
                Value::Null => return Found::Value(at),
                other => return Found::Blocked { found: kind_of(other) },
            };
            match next {
                Some(value) => at = value,
                None => return Found::Missing,
            }
        }
        Found::Value(at)
    }
}

/// The position a key of digits stands for.
fn position(key: &str) -> Option<usize> {
    key.bytes().all(|b| b.is_ascii_digit()).then(|| key.parse().ok()).flatten()
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.text)
    }
}

#[cfg(test)]
mod tests {
    //! Splitting and walking.
    use super::{Found, Path, PathError};
    use serde_json::{Value, json};

    fn keys(text: &str) -> Vec<String> {
        Path::parse(text).unwrap().keys().map(str::to_owned).collect()
    }

    #[test]
    fn paths_split_at_dots_that_are_not_escaped() {
        assert_eq!(keys("email"), ["email"]);
        assert_eq!(keys("properties.email"), ["properties", "email"]);
        assert_eq!(keys(r"a\.b.c\\d.ü 1"), ["a.b", r"c\d", "ü 1"]);
        assert_eq!(Path::written(&keys(r"a\.b.c\\d.ü 1")), r"a\.b.c\\d.ü 1");
    }

    #[test]
    fn what_is_not_a_path_says_why() {
        assert_eq!(Path::parse(""), Err(PathError::Empty));
        for text in [".", "a..b", ".a", "a."] {
            assert_eq!(Path::parse(text), Err(PathError::EmptyKey), "{text}");
        }
        for text in [r"a\", r"a\b"] {
            assert_eq!(Path::parse(text), Err(PathError::Escape), "{text}");
        }
        assert_eq!(Path::parse(&vec!["a"; 33].join(".")), Err(PathError::Deep));
        assert!(Path::parse(&vec!["a"; 32].join(".")).is_ok());
    }

    #[test]
    fn walking_tells_missing_null_and_blocked_apart() {
        let Value::Object(object) = json!({
            "a": {"b": 1, "0": "key"}, "n": null, "t": "text", "l": [{"x": 2}, null], "dot.ted": true
        }) else {
            unreachable!()
        };
        let show = |text: &str| match Path::parse(text).unwrap().find(&object) {
            Found::Missing => "missing".to_owned(),
            Found::Value(value) => value.to_string(),
            Found::Blocked { found } => format!("blocked by {found}"),
        };
        for (path, expected) in [
            ("a.b", "1"),
            ("a.0", "\"key\""),
            ("a.c", "missing"),
            ("a.c.d", "missing"),
            ("z.z.z", "missing"),
            ("n", "null"),
            ("n.x.y", "null"),
            ("t.x", "blocked by a text"),
            ("a.b.c", "blocked by a number"),
            ("l.0.x", "2"),
            ("l.1.x", "null"),
            ("l.2.x", "missing"),
            ("l.99999999999999999999999", "blocked by a list"),
            ("l.x", "blocked by a list"),
            (r"dot\.ted", "true"),
        ] {
            assert_eq!(show(path), expected, "{path}");
        }
    }
}
