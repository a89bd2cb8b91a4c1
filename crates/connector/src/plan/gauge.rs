//! Headers that say what is left of a limit.

use std::sync::Arc;

use super::WaitPlan;

/// A header that says how much of a limit is left.
#[derive(Debug)]
pub(crate) struct Gauge {
    pub(crate) bucket: Arc<str>,
    pub(crate) header: Box<str>,
    pub(crate) said: Left,
    pub(crate) reset: Option<WaitPlan>,
}

/// How a header says it.
#[derive(Debug)]
pub(crate) enum Left {
    /// It is the number that is left.
    Number,
    /// Its entry of that name says `used/limit`; of no name, it is that itself.
    Used(Box<str>),
    /// Its entry of that name says it: see [`item`].
    Item(Box<str>),
}

impl Gauge {
    /// How many calls are left. `api-usage=18/5000; per-app=…` is a list of entries that say `used/limit`; more used than
    /// there are leaves none.
    pub(crate) fn left(&self, header: &str) -> Option<u64> {
        match &self.said {
            Left::Number => header.trim().parse().ok(),
            Left::Item(name) => item(header, name)?.parse().ok(),
            Left::Used(name) if name.is_empty() => left_of(header),
            Left::Used(name) => header.split([';', ',']).find_map(|entry| {
                let (_, said) = entry.trim().split_once('=').filter(|(key, _)| *key == &**name)?;
                left_of(said)
            }),
        }
    }
}

/// `used/limit`.
fn left_of(said: &str) -> Option<u64> {
    let (used, limit) = said.split_once('/')?;
    Some(limit.trim().parse::<u64>().ok()?.saturating_sub(used.trim().parse().ok()?))
}

/// An entry of a header that is a list: `r` of `"default";r=50;t=30` (RFC 9651, as `RateLimit` is to be), `remaining` of
/// `limit=100, remaining=50`. `daily;r` is the entry of the list that is called `daily`.
pub(crate) fn item<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let (list, key) = name.split_once(';').map_or((None, name), |(list, key)| (Some(list), key));
    let is_named = |member: &&str| {
        let own = member.split(';').next().unwrap_or_default().trim().trim_matches('"');
        list.is_none_or(|list| own == list)
    };
    let mut entries = header.split(',').filter(is_named).flat_map(|member| member.split(';'));
    entries.find_map(|entry| {
        let (found, value) = entry.split_once('=')?;
        (found.trim() == key).then(|| value.trim().trim_matches('"'))
    })
}
