//! How a listing goes on from one page to the next.

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::RequestSource;

/// How a listing goes on.
#[derive(Deserialize, Debug, Clone)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum PageSource {
    /// The answer holds a token.
    Token(Spanned<String>),
    /// The answer holds the address of the next page, and a parameter of that is the token.
    LinkToken { path: Spanned<String>, parameter: Spanned<String> },
    /// Items to pass.
    Offset(EndSource),
    /// The id of the last item.
    AfterId(EndSource),
    /// The number of the page.
    Number(NumberSource),
    /// The answer holds the address of the next page, absolute or from the host on. Its path and query are asked as they are;
    /// it must lie below what stands before the first slot of the request's path.
    Link(Spanned<String>),
    /// A `Link` header holds that address (RFC 8288, `rel="next"`).
    LinkHeader(LinkHeaderSource),
    /// The vendor's own cursor, which a first request gives for the bound and each page then carries on. It keeps the place
    /// by itself: no page asks anew.
    Cursor(Box<CursorSource>),
    /// One page is all there is.
    None,
}

/// How an answer says whether more follows: by one of the two, or by a full page where neither is named.
#[derive(Deserialize, Debug, Clone, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndSource {
    /// More follows while something (but not `false`) stands there.
    #[serde(default)]
    pub(crate) more: Option<Spanned<String>>,
    /// The listing is at its end when something (but not `false`) stands there.
    #[serde(default)]
    pub(crate) done: Option<Spanned<String>>,
}

/// Pages by their number.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct NumberSource {
    /// The number of the first page.
    #[serde(default = "first_default")]
    pub(crate) first: u32,
    #[serde(default)]
    pub(crate) more: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) done: Option<Spanned<String>>,
}

const fn first_default() -> u32 {
    1
}

/// A header with the address of the next page.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkHeaderSource {
    /// The header's name.
    #[serde(default = "link_default")]
    pub(crate) header: String,
    /// What the address' path must begin with, where it is not what stands before the first slot of the request's path
    /// (GitHub asks below `/repos/` and names addresses below `/repositories/`).
    #[serde(default)]
    pub(crate) below: Option<Spanned<String>>,
}

fn link_default() -> String {
    "link".to_owned()
}

/// A cursor of the vendor's. One of `more` and `done` says whether more follows, even behind an empty page.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct CursorSource {
    /// The request that gives the first token.
    pub(crate) start: RequestSource,
    /// Where the token stands, in its answer and in each page.
    pub(crate) token: Spanned<String>,
    #[serde(default)]
    pub(crate) more: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) done: Option<Spanned<String>>,
    /// The last page's token begins the next listing: the first request is made once.
    #[serde(default)]
    pub(crate) lasts: bool,
}
