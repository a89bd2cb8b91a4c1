//! Addresses of next pages: where an answer names them, and what of them is asked.
//!
//! Nothing that an answer says leads to another host: only path and query count, and only below where the manifest says.

use serde_json::Value;

use crate::exchange::Response;
use crate::plan::{LinkAt, LinkPlan, PagePlan, PollPlan};
use crate::template::percent;

/// The longest address of a next page.
const ADDRESS_BYTES_MAX: usize = 8 * 1024;

/// The address that an answer names.
pub(super) fn named(plan: &LinkPlan, response: &Response, body: &Value) -> Option<String> {
    match &plan.at {
        LinkAt::Body(path) => path.text_at(body),
        LinkAt::Header(name) => {
            let mut values = response.headers.iter().filter(|(found, _)| *found == **name);
            values.find_map(|(_, value)| next_of(value)).map(str::to_owned)
        }
    }
}

/// The target of the link with `rel="next"` in a `Link` header (RFC 8288 section 3).
pub(super) fn next_of(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        let (_, after) = rest.split_once('<')?;
        let (target, after) = after.split_once('>')?;
        let (parameters, behind) = member(after);
        if parameters.iter().any(|parameter| is_next(parameter)) {
            return Some(target);
        }
        rest = behind;
    }
}

/// The parameters of a link, and what stands behind the comma after them. Quoted texts may hold both of their separators.
fn member(text: &str) -> (Vec<&str>, &str) {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' | ',' if !quoted => {
                parts.push(text.get(start..index).unwrap_or_default());
                start = index + 1;
                if c == ',' {
                    return (parts, text.get(start..).unwrap_or_default());
                }
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    (parts, "")
}

/// Whether a parameter is `rel` and names `next` among its relations, in whatever case.
fn is_next(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, value)| {
        let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
        name.trim().eq_ignore_ascii_case("rel") && relations.any(|one| one.eq_ignore_ascii_case("next"))
    })
}

/// The parameter of an address that is the token; absolute or not, only its query is looked at.
pub(super) fn token(link: &str, parameter: &str) -> Option<String> {
    let query = link.split('#').next()?.split_once('?')?.1;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, value)| name == parameter && !value.is_empty()).map(|(_, value)| value.into_owned())
}

/// What is wrong with the next page that an answer names, and where: to stop there would leave the rest unread.
pub(crate) fn lost(poll: &PollPlan, response: &Response, body: &Value) -> Option<(String, String)> {
    match &poll.page {
        PagePlan::LinkToken { path, parameter } => {
            let lost = token(&path.text_at(body)?, parameter).is_none();
            let what = format!("the address of the next page has no parameter `{parameter}`");
            lost.then(|| (what, "the next page".to_owned()))
        }
        PagePlan::Link(plan) => {
            let lost = address(&named(plan, response, body)?, plan).is_none();
            let what = format!("the next page's address does not lie below {}", plan.start);
            let place = match &plan.at {
                LinkAt::Body(path) => path.as_str().to_owned(),
                LinkAt::Header(name) => format!("header `{name}`"),
            };
            lost.then_some((what, place))
        }
        _ => None,
    }
}

/// The path and query of the address that an answer names for its next page: as they are, if they lie below `start`. Nothing
/// of it leads to another host: what stands before the path is left away. What no address can carry is escaped.
pub(crate) fn address(text: &str, plan: &LinkPlan) -> Option<String> {
    let start = &*plan.start;
    let path = match text.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?']) => rest.find('/').map(|at| &rest[at..])?,
        _ => text,
    };
    let (before, _) = path.split_once('?').unwrap_or((path, ""));
    let climbs = before.split('/').any(|part| matches!(part, "." | "..")) || before.contains(['%', '\\']);
    let fits = path.len() <= ADDRESS_BYTES_MAX && !path.bytes().any(|b| b.is_ascii_control() || b == b'#');
    if climbs || !fits || start.is_empty() || !path.starts_with(start) {
        return None;
    }
    let mut address = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '!'..='~' => address.push(c),
            other => percent(other.encode_utf8(&mut [0; 4]), &mut address),
        }
    }
    Some(match &plan.credential {
        Some(name) => without(&address, name),
        None => address,
    })
}

/// The address without one parameter of its query.
fn without(address: &str, name: &str) -> String {
    let Some((path, query)) = address.split_once('?') else { return address.to_owned() };
    let names = |pair: &str| url::form_urlencoded::parse(pair.as_bytes()).any(|(found, _)| found == *name);
    let kept: Vec<&str> = query.split('&').filter(|pair| !names(pair)).collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}
