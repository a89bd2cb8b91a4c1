//! Trees of a manifest with the place of each of their parts.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Location, Spanned};

/// A tree, and where its parts are written.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Tree {
    pub(crate) value: Value,
    /// The places of what it holds, by their paths: keys and positions with dots between them.
    places: Vec<(String, Location)>,
}

impl Tree {
    /// Where a part stands; `None`: nothing is written there.
    pub(crate) fn place(&self, path: &str) -> Option<Location> {
        self.places.iter().find(|(known, _)| known == path).map(|(_, at)| *at)
    }

    fn take(&mut self, name: &str, part: Spanned<Self>) -> Value {
        self.places.push((name.to_owned(), part.referenced));
        let inside = part.value.places.into_iter();
        self.places.extend(inside.map(|(path, at)| (format!("{name}.{path}"), at)));
        part.value.value
    }
}

impl From<Value> for Tree {
    fn from(value: Value) -> Self {
        Self { value, places: Vec::new() }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Parts)
    }
}

struct Parts;

impl<'de> Visitor<'de> for Parts {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Tree, E> {
        Ok(Value::Bool(value).into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Tree, E> {
        Ok(Value::from(value).into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Tree, E> {
        Ok(Value::from(value).into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Tree, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number).into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Tree, E> {
        Ok(Value::from(value).into())
    }

    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        Ok(Value::Null.into())
    }

    fn visit_none<E: Error>(self) -> Result<Tree, E> {
        Ok(Value::Null.into())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Tree, A::Error> {
        let mut tree = Tree::default();
        let mut items = Vec::new();
        while let Some(part) = parts.next_element()? {
            let item = tree.take(&items.len().to_string(), part);
            items.push(item);
        }
        tree.value = Value::Array(items);
        Ok(tree)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut parts: A) -> Result<Tree, A::Error> {
        let mut tree = Tree::default();
        let mut entries = Map::new();
        while let Some(name) = parts.next_key::<String>()? {
            let part = parts.next_value()?;
            let value = tree.take(&name, part);
            entries.insert(name, value);
        }
        tree.value = Value::Object(entries);
        Ok(tree)
    }
}
