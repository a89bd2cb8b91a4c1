//! What the vendor makes of values, as it is written: one word for a path, or several in a list.

use std::fmt;

use canonical::Rewrite;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};

/// What happens to the values at one path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RewritesSource(pub(crate) Vec<Rewrite>);

impl<'de> Deserialize<'de> for RewritesSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Words)
    }
}

struct Words;

impl<'de> Visitor<'de> for Words {
    type Value = RewritesSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word, or a list of words")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<RewritesSource, E> {
        Rewrite::deserialize(word.into_deserializer()).map(|one| RewritesSource(vec![one]))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RewritesSource, A::Error> {
        Rewrite::deserialize(MapAccessDeserializer::new(map)).map(|one| RewritesSource(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RewritesSource, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = list.next_element()? {
            all.push(one);
        }
        Ok(RewritesSource(all))
    }
}
