//! Associations as they are written.

use canonical::Object;
use ledger::Moving;
use serde::Deserialize;
use serde_saphyr::Spanned;

/// A relation to other objects that is no field: it is made and taken back by calls of its own. Its key is the path that
/// mappings know it by.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssociationSource {
    /// The kind of the other object.
    pub(crate) to: Spanned<Object>,
    /// How it goes from one object to another.
    #[serde(default)]
    pub(crate) moving: Moving,
    /// Where the answer to a fetch lists the others.
    #[serde(default)]
    pub(crate) seen: Option<AssociationSeen>,
}

/// Where the others stand in an object as it is read.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssociationSeen {
    /// The list of them. Where nothing stands there is none of them.
    pub(crate) at: Spanned<String>,
    /// The id in one of the list; absent: each is its id.
    #[serde(default)]
    pub(crate) id: Option<Spanned<String>>,
}
