//! Listing all that is there, whenever it changed.

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{PageSource, RequestSource};

/// A listing of all objects of a kind as they are now, without a mark of time.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct SnapshotSource {
    /// Only for objects that have these constants, not empty.
    #[serde(default)]
    pub(crate) with: Vec<Spanned<String>>,
    pub(crate) request: RequestSource,
    /// Where the list stands in the answer; absent: it is the answer.
    #[serde(default)]
    pub(crate) items: Option<Spanned<String>>,
    /// What stands in an answer that found nothing and so has no list.
    #[serde(default)]
    pub(crate) empty: Option<Spanned<String>>,
    /// Where the object stands in an item; absent: it is the item.
    #[serde(default)]
    pub(crate) object: Option<Spanned<String>>,
    pub(crate) page: PageSource,
    /// Items in a full page.
    pub(crate) size: u32,
}
