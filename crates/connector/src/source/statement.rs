//! SQL statements: a fixed text, and values that are bound to it.

use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

use super::Tree;

/// A statement for a database.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct SqlSource {
    /// Its text. Slots in it are names only: each ends in `|identifier` or `|each:TEXT`.
    pub(crate) statement: Spanned<String>,
    /// The values of `$1`, `$2`, …
    #[serde(default)]
    pub(crate) binds: Vec<BindSource>,
}

/// A value that is bound, and never stands in the text.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct BindSource {
    /// Its type in the database.
    #[serde(rename = "type")]
    pub(crate) kind: BindType,
    /// What it is: as in a JSON body.
    pub(crate) value: Spanned<Tree>,
    /// When it is missing it is null, and the request goes all the same.
    #[serde(default)]
    pub(crate) optional: bool,
}

/// The type of a value that is bound.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BindType {
    /// What its place in the statement needs: beside a column, the column's.
    Any,
    /// `text`.
    Text,
    /// `bigint`.
    Bigint,
    /// `timestamptz`.
    Timestamptz,
    /// `json`: a whole object or list.
    Json,
}

impl BindType {
    /// Its name, as in manifests and in requests.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Text => "text",
            Self::Bigint => "bigint",
            Self::Timestamptz => "timestamptz",
            Self::Json => "json",
        }
    }
}

/// The path of a request that says none.
pub(super) fn no_path() -> Spanned<String> {
    Spanned::new("/".to_owned(), Location::UNKNOWN, Location::UNKNOWN)
}
