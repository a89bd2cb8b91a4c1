//! How a write can be repeated, as it is written.

use ledger::IdempotencyClass;
use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

/// How an operation can be repeated without a second effect; see [`IdempotencyClass`].
#[derive(Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdempotencySource {
    pub(crate) class: Spanned<ClassName>,
    /// `native_key`: seconds a key lives there.
    #[serde(default)]
    pub(crate) ttl_s: Option<Spanned<u64>>,
    /// `native_key`: how an answer says that it is given again; absent: it does not say.
    #[serde(default)]
    pub(crate) replayed: Option<Spanned<ReplayedSource>>,
    /// `search_first` and `marker_field`: milliseconds until the target's search sees a write.
    #[serde(default)]
    pub(crate) index_lag_ms: Option<Spanned<u64>>,
}

/// The name of a class.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClassName {
    /// The target gives the first answer again for the same key.
    NativeKey,
    /// Repeating it is harmless.
    Upsert,
    /// Look first.
    SearchFirst,
    /// Look when in doubt.
    MarkerField,
    /// Nothing helps.
    None,
}

/// What is wrong with its keys: where, what, and what would be right.
pub(crate) type KeyFault = (Location, String, &'static str);

impl IdempotencySource {
    /// The class, as all rooms know it.
    pub(crate) fn class(&self) -> IdempotencyClass {
        let number = |given: &Option<Spanned<u64>>| given.as_ref().map_or(0, |given| given.value);
        match self.class.value {
            ClassName::NativeKey => IdempotencyClass::NativeKey { ttl_s: number(&self.ttl_s) },
            ClassName::Upsert => IdempotencyClass::Upsert,
            ClassName::SearchFirst => {
                IdempotencyClass::SearchFirst { index_lag_ms: number(&self.index_lag_ms) }
            }
            ClassName::MarkerField => {
                IdempotencyClass::MarkerField { index_lag_ms: number(&self.index_lag_ms) }
            }
            ClassName::None => IdempotencyClass::None,
        }
    }

    /// How an answer says that it is given again.
    pub(crate) fn replayed(&self) -> Option<&ReplayedSource> {
        self.replayed.as_ref().map(|replayed| &replayed.value)
    }

    /// The keys that are missing for its class, or belong to another.
    pub(crate) fn faults(&self) -> Vec<KeyFault> {
        let keyed = self.class.value == ClassName::NativeKey;
        let looks = matches!(self.class.value, ClassName::SearchFirst | ClassName::MarkerField);
        let given = |at: Option<Location>| at.unwrap_or(Location::UNKNOWN);
        let ttl = self.ttl_s.as_ref().map(|ttl| ttl.referenced);
        let lag = self.index_lag_ms.as_ref().map(|lag| lag.referenced);
        let replayed = self.replayed.as_ref().map(|replayed| replayed.referenced);
        let class = self.class.value.name();
        let mut faults = Vec::new();
        for (name, at, takes, needs) in [
            ("ttl_s", ttl, keyed, Some("say for how many seconds the vendor keeps a key")),
            ("replayed", replayed, keyed, None),
            ("index_lag_ms", lag, looks, Some("say how many milliseconds the vendor's search is behind")),
        ] {
            match (at.is_some(), takes, needs) {
                (true, false, _) => {
                    let hint = "remove it, or choose the class that it belongs to";
                    faults.push((given(at), format!("`{class}` takes no `{name}`"), hint));
                }
                (false, true, Some(hint)) => {
                    faults.push((self.class.referenced, format!("`{class}` needs `{name}`"), hint));
                }
                _ => {}
            }
        }
        faults
    }
}

impl ClassName {
    /// Its name, as in manifests.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::NativeKey => "native_key",
            Self::Upsert => "upsert",
            Self::SearchFirst => "search_first",
            Self::MarkerField => "marker_field",
            Self::None => "none",
        }
    }
}

/// The header of an answer that the target had stored under the key; without `equals` it must only be there.
#[derive(Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayedSource {
    pub(crate) header: String,
    #[serde(default)]
    pub(crate) equals: Option<String>,
}
