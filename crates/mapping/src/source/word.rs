//! Words that may look like null: `on_null: null` must mean the word in YAML, too.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::OnUnmapped;
use crate::suggest;

/// Reads a key that is there, so that `constant: null` differs from no constant.
pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Takes one of `words`, a plain null standing for `null`.
pub(crate) struct Word {
    pub(crate) words: &'static [&'static str],
}

impl<'de> DeserializeSeed<'de> for Word {
    type Value = &'static str;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Word {
    type Value = &'static str;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of: {}", self.words.join(", "))
    }
    fn visit_unit<E: Error>(self) -> Result<&'static str, E> {
        self.visit_str("null")
    }
    fn visit_none<E: Error>(self) -> Result<&'static str, E> {
        self.visit_str("null")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<&'static str, E> {
        unknown(text, self.words)
    }
}

/// The word of `words` that `text` is.
pub(super) fn unknown<E: Error>(text: &str, words: &'static [&'static str]) -> Result<&'static str, E> {
    words.iter().find(|word| **word == text).copied().ok_or_else(|| {
        E::custom(format_args!("unknown word `{text}`; {}", suggest::hint(text, words.iter().copied())))
    })
}

/// Serde for an enum of words, one of which may be `null`.
macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),* }) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use serde::de::DeserializeSeed;
                let word = $crate::source::word::Word { words: &[$($word),*] }.deserialize(deserializer)?;
                Ok(match word {
                    $($word => Self::$variant,)*
                    _ => Self::default(),
                })
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(match self { $(Self::$variant => $word),* })
            }
        }
    };
}
pub(super) use words;

const UNMAPPED: &[&str] = &["fail", "pass", "null", "default"];

struct UnmappedVisitor;

impl<'de> Visitor<'de> for UnmappedVisitor {
    type Value = OnUnmapped;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`fail`, `pass`, `null` or `{default: value}`")
    }
    fn visit_unit<E: Error>(self) -> Result<OnUnmapped, E> {
        Ok(OnUnmapped::Null)
    }
    fn visit_none<E: Error>(self) -> Result<OnUnmapped, E> {
        Ok(OnUnmapped::Null)
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<OnUnmapped, E> {
        match unknown(text, UNMAPPED)? {
            "pass" => Ok(OnUnmapped::Pass),
            "null" => Ok(OnUnmapped::Null),
            "default" => Err(E::custom("`default` needs its value here: write `{default: value}`")),
            _ => Ok(OnUnmapped::Fail),
        }
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OnUnmapped, A::Error> {
        let key = map.next_key::<String>()?;
        if key.as_deref() != Some("default") {
            return Err(A::Error::custom("only `{default: value}` takes a value here"));
        }
        let value = map.next_value::<Value>()?;
        match map.next_key::<String>()? {
            None => Ok(OnUnmapped::Default(value)),
            Some(_) => {
                Err(A::Error::custom("only `{default: value}` takes a value here, and nothing beside it"))
            }
        }
    }
}

impl<'de> Deserialize<'de> for OnUnmapped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UnmappedVisitor)
    }
}

impl Serialize for OnUnmapped {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fail => serializer.serialize_str("fail"),
            Self::Pass => serializer.serialize_str("pass"),
            Self::Null => serializer.serialize_str("null"),
            Self::Default(value) => serializer.collect_map([("default", value)]),
        }
    }
}
