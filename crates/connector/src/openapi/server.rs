//! Where the server is: an origin, and what every path begins with. What varies in the origin is filled with its default, what
//! varies in the path becomes a parameter.

use super::document::Document;
use super::text::word;

/// The first server of a document.
#[derive(Debug, Default)]
pub(super) struct Server {
    /// Its origin; `None`: the document does not say it.
    pub(super) origin: Option<String>,
    /// What every path begins with, as a template.
    pub(super) prefix: String,
    /// The parameters in it, each with its default.
    pub(super) parameters: Vec<(String, Option<String>)>,
    /// What varies in the origin, with the default that stands there.
    pub(super) varies: Vec<String>,
}

impl Server {
    pub(super) fn of(document: &Document) -> Self {
        let server = document.server();
        let default = |name: &str| server["variables"][name]["default"].as_str().map(str::to_owned);
        let text = server["url"].as_str().unwrap_or_default();
        let text = text.split(['?', '#']).next().unwrap_or_default();
        let (origin, path) = match text.split_once("://") {
            Some((scheme, rest)) => {
                let at = rest.find('/').unwrap_or(rest.len());
                let (host, path) = rest.split_at(at);
                (format!("{scheme}://{host}"), path)
            }
            // A server that is only a path.
            None if text.starts_with('/') => (String::new(), text),
            None => (String::new(), ""),
        };
        let mut made = Self::default();
        let mut unknown = false;
        let origin = filled(&origin, |name| {
            let found = default(name);
            unknown |= found.is_none();
            made.varies.push(format!("{name}: {}", found.as_deref().unwrap_or("unknown")));
            found.unwrap_or_default()
        });
        let parsed = url::Url::parse(&origin).ok().filter(|url| url.has_host() && !unknown);
        made.origin = parsed.map(|url| url.origin().ascii_serialization());
        let mut parameters = Vec::new();
        made.prefix = filled(path.trim_end_matches('/'), |name| {
            let found = default(name);
            let several = found.as_ref().is_some_and(|text| text.contains('/'));
            parameters.push((word(name), found));
            format!("{{parameter.{}{}}}", word(name), if several { "|segments" } else { "" })
        });
        made.parameters = parameters;
        made
    }
}

/// A text with something in place of each `{NAME}`.
fn filled(text: &str, mut with: impl FnMut(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        let Some((name, after)) = behind.split_once('}') else { break };
        out.push_str(before);
        out.push_str(&with(name));
        rest = after;
    }
    out.push_str(&rest.replace(['{', '}'], ""));
    out
}
