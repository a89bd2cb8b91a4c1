//! From the tree to typed values, by serde: what does not fit is said with its place.

use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};

use crate::tree::{Entry, Node, Span, Yaml};
use mapping::suggest;

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) span: Option<Span>,
    pub(crate) what: String,
    pub(crate) hint: Option<String>,
}

/// Reads a typed value.
pub(crate) fn read<'a, T: Deserialize<'a>>(node: &'a Node) -> Result<T, Fault> {
    T::deserialize(At(node))
}

impl Fault {
    fn new(what: impl Into<String>, hint: Option<String>) -> Self {
        Self { span: None, what: what.into(), hint }
    }

    /// The innermost place wins.
    fn or_at(mut self, span: Span) -> Self {
        self.span.get_or_insert(span);
        self
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}
impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        let text = message.to_string();
        // Other crates put their hint behind a semicolon.
        for mark in ["; did you mean ", "; use one of: "] {
            if let Some(at) = text.rfind(mark) {
                return Self::new(&text[..at], Some(text[at + 2..].to_owned()));
            }
        }
        Self::new(text, None)
    }
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}, found {}", kind(&found)), None)
    }
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}, found another value ({})", kind(&found)), None)
    }
    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}, found {length} items"), None)
    }
    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("unknown word `{variant}`"), Some(suggest::hint(variant, expected.iter().copied())))
    }
    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("unknown key `{field}`"), Some(suggest::hint(field, expected.iter().copied())))
    }
    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("the key `{field}` is missing"), Some(format!("add `{field}:` here")))
    }
    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("the key `{field}` stands here twice"), Some("keep one of them".to_owned()))
    }
}

/// Names a kind without its content, which may be secret.
fn kind(found: &Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "true or false",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
        Unexpected::Char(_) | Unexpected::Str(_) => "a text",
        Unexpected::Unit | Unexpected::Option => "nothing",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a table of keys",
        _ => "something else",
    }
}

/// A node as serde reads it.
#[derive(Clone, Copy)]
struct At<'a>(&'a Node);

impl<'a> At<'a> {
    /// Texts may be written as bare words, which YAML takes for numbers or booleans: not here.
    fn any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        let result = match &self.0.value {
            Yaml::Null => visitor.visit_unit(),
            Yaml::Bool(truth) => visitor.visit_bool(*truth),
            Yaml::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), ..) => visitor.visit_u64(number),
                (_, Some(number), _) => visitor.visit_i64(number),
                (.., Some(number)) => visitor.visit_f64(number),
                _ => Err(Fault::new("the number is out of range", None)),
            },
            Yaml::Text(text) => visitor.visit_borrowed_str(text),
            Yaml::List(items) => visitor.visit_seq(Items { items: items.iter() }),
            Yaml::Map(entries) => visitor.visit_map(Keys { entries: entries.iter(), current: None }),
        };
        result.map_err(|fault| fault.or_at(self.0.span))
    }
}

impl<'de> Deserializer<'de> for At<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.0.value {
            Yaml::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
        .map_err(|fault| fault.or_at(self.0.span))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self).map_err(|fault| fault.or_at(self.0.span))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let result = match &self.0.value {
            Yaml::Text(text) => visitor.visit_enum(Choice { word: text, span: self.0.span, content: None }),
            Yaml::Map(entries) => match entries.as_slice() {
                [entry] => visitor.visit_enum(Choice {
                    word: &entry.key,
                    span: entry.span,
                    content: Some(&entry.node),
                }),
                _ => Err(Fault::new(
                    format!("expected exactly one key, found {}", entries.len()),
                    Some(format!("use one of: {}", variants.join(", "))),
                )),
            },
            _ => Err(Fault::new(
                format!("expected one of: {}; found {}", variants.join(", "), self.0.kind()),
                None,
            )),
        };
        result.map_err(|fault| fault.or_at(self.0.span))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'a> {
    items: std::slice::Iter<'a, Node>,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        self.items.next().map(|node| seed.deserialize(At(node)).map_err(|f| f.or_at(node.span))).transpose()
    }
    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Keys<'a> {
    entries: std::slice::Iter<'a, Entry>,
    current: Option<&'a Entry>,
}

impl<'de> MapAccess<'de> for Keys<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.current = self.entries.next();
        let Some(entry) = self.current else { return Ok(None) };
        let key: StrDeserializer<'_, Fault> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|fault| fault.or_at(entry.span))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        let Some(entry) = self.current else { return Err(Fault::new("a value without a key", None)) };
        seed.deserialize(At(&entry.node)).map_err(|fault| fault.or_at(entry.node.span))
    }
}

/// A choice: a bare word, or one key with what belongs to it.
struct Choice<'a> {
    word: &'a str,
    span: Span,
    content: Option<&'a Node>,
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Fault> {
        let word: StrDeserializer<'_, Fault> = self.word.into_deserializer();
        let variant = seed.deserialize(word).map_err(|fault| fault.or_at(self.span))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Choice<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.content {
            None => Ok(()),
            Some(_) => Err(Fault::new(format!("`{}` takes nothing: write only the word", self.word), None)),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        match self.content {
            Some(node) => seed.deserialize(At(node)),
            None => Err(Fault::new(
                format!("`{}` needs a value", self.word),
                Some(format!("write `{{{}: …}}`", self.word)),
            )),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.struct_variant(&[], visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.content {
            Some(node) => At(node).any(visitor),
            None => Err(Fault::new(
                format!("`{}` needs its keys", self.word),
                Some(format!("write `{{{}: {{…}}}}`", self.word)),
            )),
        }
    }
}
