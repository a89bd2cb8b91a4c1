//! Reads two fields of a JSON object without building the rest: the sink must stay cheap per request.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::shelf::text;

/// The record's id and version, where the body has them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Peeked {
    pub(super) id: Option<String>,
    pub(super) version: Option<String>,
}

/// Looks for two dotted paths; an empty one is looked for no more.
struct Paths<'p> {
    id: &'p str,
    version: &'p str,
}

pub(super) fn fields(body: &[u8], id: &str, version: &str) -> Result<Peeked, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let peeked = Paths { id, version }.deserialize(&mut json)?;
    json.end()?;
    Ok(peeked)
}

impl<'de> DeserializeSeed<'de> for Paths<'_> {
    type Value = Peeked;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Peeked, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Paths<'_> {
    type Value = Peeked;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Peeked, A::Error> {
        let mut peeked = Peeked::default();
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            let below = |path: &str| {
                let rest = path.strip_prefix(key.as_ref())?;
                if rest.is_empty() { Some(String::new()) } else { rest.strip_prefix('.').map(str::to_owned) }
            };
            let (id, version) = (below(self.id), below(self.version));
            if id.is_none() && version.is_none() {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value: Value = map.next_value()?;
            for (path, slot) in [(id, &mut peeked.id), (version, &mut peeked.version)] {
                let Some(path) = path else { continue };
                let found = path
                    .split('.')
                    .filter(|part| !part.is_empty())
                    .try_fold(&value, |value, part| value.get(part));
                let Some(found) = found else { continue };
                *slot = Some(
                    text(found).ok_or_else(|| A::Error::custom("id and version must be text or numbers"))?,
                );
            }
        }
        Ok(peeked)
    }
}
