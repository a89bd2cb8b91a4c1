//! What a vendor must permit: scopes of a key or token, permissions of a role.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;

/// What holds for all scopes of a vendor. What an operation needs stands with its request.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScopesSource {
    /// Where at the vendor they are given, for whoever has to: the way through its menus.
    pub(crate) given: String,
    /// What every request needs, besides its own.
    #[serde(default)]
    pub(crate) always: Vec<Spanned<String>>,
    /// Which ones a wider one stands for. One `*` in its name is the same text in theirs.
    #[serde(default)]
    pub(crate) covers: BTreeMap<String, Vec<String>>,
    /// What may be granted beside what operations need, and is no surplus. May hold one `*`.
    #[serde(default)]
    pub(crate) beside: Vec<Spanned<String>>,
    /// Which ones the vendor tells in a token's answer or with the identity, so that one which is not told is not granted.
    /// May hold one `*`. Absent: it tells none.
    #[serde(default)]
    pub(crate) told: Vec<Spanned<String>>,
}
