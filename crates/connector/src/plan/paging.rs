//! How a listing goes on, resolved.

use serde_json::Value;

use super::RequestPlan;
use crate::path::Path;

#[derive(Debug)]
pub(crate) enum PagePlan {
    Token(Path),
    /// `parameter`: what the address holds the token in.
    LinkToken {
        path: Path,
        parameter: Box<str>,
    },
    Offset {
        more: Option<More>,
    },
    AfterId {
        more: Option<More>,
    },
    /// `first`: the number of the first page.
    Number {
        first: u32,
        more: Option<More>,
    },
    /// The address of the next page.
    Link(LinkPlan),
    Cursor(Box<CursorPlan>),
    None,
}

/// An address that an answer names.
#[derive(Debug)]
pub(crate) struct LinkPlan {
    pub(crate) at: LinkAt,
    /// What its path must begin with.
    pub(crate) start: Box<str>,
    /// The parameter that the credential goes in: vendors repeat it, and it is neither kept nor sent twice.
    pub(crate) credential: Option<Box<str>>,
}

/// Where an address stands.
#[derive(Debug)]
pub(crate) enum LinkAt {
    Body(Path),
    Header(Box<str>),
}

/// How an answer says whether more follows.
#[derive(Debug)]
pub(crate) enum More {
    /// While something stands there.
    While(Path),
    /// Until something does.
    Until(Path),
}

impl More {
    pub(crate) fn follows(&self, body: &Value) -> bool {
        match self {
            Self::While(path) => said(path, body),
            Self::Until(path) => !said(path, body),
        }
    }
}

/// Whether something (but not `false`) stands there.
fn said(path: &Path, body: &Value) -> bool {
    path.find_filled(body).is_some() && path.flag(body) != Some(false)
}

/// A cursor of the vendor's.
#[derive(Debug)]
pub(crate) struct CursorPlan {
    /// Gives the first token.
    pub(crate) start: RequestPlan,
    pub(crate) token: Path,
    pub(crate) more: More,
    /// Whether the last page's token begins the next listing.
    pub(crate) lasts: bool,
}
