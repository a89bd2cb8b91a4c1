//! Where a listing stands and how it goes on.
//!
//! The mark is the vendor's own (never the local clock). Each listing starts `lookback` behind the last one's end,
//! because vendors commit late; what is read twice is recognised by its order token. The mark moves only when a
//! listing is at its end, and not past the server's clock (`Date`) at its first page: what changes while it is listed
//! may slip through, and is then read by the next listing. (Without `Date` the look-back must be longer than a
//! listing.)
//!
//! | sorting | within a listing |
//! |---|---|
//! | ascending | each page asks anew from the highest mark seen, so that an object which changes while it is listed only moves to a later page and pushes none out of sight; offsets, ids, tokens and links only pass objects that share one mark. With offsets each page overlaps the last by one object, and starts again when that one has moved; the vendor's cap on results is never reached otherwise. By id the vendor is asked for what has the bound's mark and a greater id, or a later mark: nothing moves under it. A cursor of the vendor's keeps the place by itself |
//! | descending | an event feed, newest first, by token, id or link |
//! | id | by id, for vendors that cannot sort by the mark |

use canonical::Wall;
use serde_json::Value;

use crate::call::Cursor;
use crate::moment::{Form, read_text};
use crate::path::Path;
use crate::plan::{CursorPlan, PagePlan, PollPlan};
use crate::source::Sorting;
use crate::template::percent;

/// How often offsets start again when objects move under them, before they go on regardless: a vendor that sorts
/// objects of one mark differently each time would never be read otherwise.
const RESTARTS_MAX: u8 = 5;

/// The longest address of a next page.
const ADDRESS_BYTES_MAX: usize = 8 * 1024;

/// What stands in a cursor's `page`: the position inside a listing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Position {
    /// The lower bound asked for.
    bound: i64,
    /// The server's clock at the first page.
    ceiling: Option<i64>,
    /// Items passed since the bound moved.
    passed: usize,
    /// How often the offsets had to start again at this bound.
    restarts: u8,
    /// The vendor's token, or the id of the last item.
    token: String,
}

impl Position {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '|');
        Some(Self {
            bound: parts.next()?.parse().ok()?,
            ceiling: parts.next()?.parse().ok(),
            passed: parts.next()?.parse().ok()?,
            restarts: parts.next()?.parse().ok()?,
            token: parts.next()?.to_owned(),
        })
    }

    fn write(&self) -> String {
        let ceiling = self.ceiling.map(|at| at.to_string()).unwrap_or_default();
        format!("{}|{ceiling}|{}|{}|{}", self.bound, self.passed, self.restarts, self.token)
    }

    /// The same listing from another bound.
    fn from(&self, bound: i64) -> Self {
        Self { bound, ceiling: self.ceiling, ..Self::default() }
    }
}

/// What a page held.
pub(crate) struct Held<'a> {
    /// Items in it.
    pub(crate) count: usize,
    /// The highest mark in it.
    pub(crate) mark: Option<i64>,
    /// The id of its first item.
    pub(crate) first_id: Option<String>,
    /// The id of its last item.
    pub(crate) last_id: Option<String>,
    /// The answer.
    pub(crate) body: &'a Value,
    /// The server's clock.
    pub(crate) date: Option<i64>,
}

/// How a listing goes on.
pub(crate) struct Next {
    pub(crate) cursor: Cursor,
    pub(crate) more: bool,
    /// The mark at which the vendor shows no more, so that objects stay unseen.
    pub(crate) hidden: Option<i64>,
}

/// The lower bound to ask for, as the vendor's filter wants it.
pub(crate) fn since(poll: &PollPlan, cursor: &Cursor, now: Wall) -> i64 {
    let bound = bound(poll, cursor, now);
    let asked = if poll.exclusive { bound.saturating_sub(poll.step) } else { bound };
    asked.max(0)
}

/// The vendor's token to ask for, or how many items to pass.
pub(crate) fn token(poll: &PollPlan, cursor: &Cursor) -> Option<String> {
    let position = cursor.page.as_deref().and_then(Position::read);
    match poll.page {
        // One item of the page before comes again: it shows whether the others kept their places.
        PagePlan::Offset { .. } => {
            Some(position.map_or(0, |position| position.passed.saturating_sub(1)).to_string())
        }
        PagePlan::Token(_)
        | PagePlan::LinkToken { .. }
        | PagePlan::AfterId { .. }
        | PagePlan::Link { .. }
        | PagePlan::Cursor(_) => position.map(|position| position.token).filter(|token| !token.is_empty()),
        PagePlan::None => None,
    }
}

/// The cursor whose first token this call is to ask for; `None` when it has one, or the listing needs none.
pub(crate) fn starting<'a>(poll: &'a PollPlan, cursor: &Cursor) -> Option<&'a CursorPlan> {
    match &poll.page {
        PagePlan::Cursor(plan) if token(poll, cursor).is_none() => Some(plan),
        _ => None,
    }
}

fn bound(poll: &PollPlan, cursor: &Cursor, now: Wall) -> i64 {
    if let Some(position) = cursor.page.as_deref().and_then(Position::read) {
        return position.bound;
    }
    match cursor.since.as_deref().and_then(|text| read_mark(poll.mark.form, text)) {
        Some(since) => since.saturating_sub(poll.lookback).max(0),
        None => poll.first.map_or(0, |first| now.micros().saturating_sub(first).max(0)),
    }
}

/// Marks are kept as people read them: times in RFC 3339, numbers as they are.
fn read_mark(form: Form, text: &str) -> Option<i64> {
    if form.is_time() { read_text(text) } else { text.parse().ok() }
}

fn write_mark(form: Form, mark: i64) -> String {
    if form.is_time() { Wall(mark).to_string() } else { mark.to_string() }
}

/// Decides how a listing goes on after a page.
pub(crate) fn next(poll: &PollPlan, cursor: &Cursor, now: Wall, held: &Held<'_>) -> Next {
    let form = poll.mark.form;
    let mut position = cursor.page.as_deref().and_then(Position::read).unwrap_or_else(|| Position {
        bound: bound(poll, cursor, now),
        ceiling: held.date.filter(|_| poll.mark.form.is_time() && poll.sorting != Sorting::Descending),
        ..Position::default()
    });
    let seen = cursor.seen.as_deref().and_then(|text| read_mark(form, text)).max(held.mark);
    let on = |position: &Position, hidden| Next {
        cursor: Cursor {
            since: cursor.since.clone(),
            page: Some(position.write()),
            seen: seen.map(|mark| write_mark(form, mark)),
        },
        more: true,
        hidden,
    };
    let offset = matches!(poll.page, PagePlan::Offset { .. });
    let overlapped = offset && position.passed > 0;
    if overlapped && position.restarts < RESTARTS_MAX && held.first_id.as_deref() != Some(&*position.token) {
        let restarts = position.restarts + 1;
        return on(&Position { restarts, ..position.from(position.bound) }, None);
    }
    let Some(token) = goes_on(poll, held, starting(poll, cursor).is_some()) else {
        return Next { cursor: ended(poll, cursor, &position, seen), more: false, hidden: None };
    };
    if matches!(poll.page, PagePlan::Cursor(_)) {
        if token == position.token {
            // A cursor that stands still would never end; the next listing begins anew at the same mark.
            let cursor = Cursor { since: cursor.since.clone(), page: None, seen: None };
            return Next { cursor, more: false, hidden: Some(position.bound) };
        }
        position.passed = position.passed.saturating_add(held.count);
        position.token = token;
        return on(&position, None);
    }
    let highest = held.mark.map(|mark| mark - mark.rem_euclid(poll.step));
    if let Some(highest) = highest.filter(|mark| poll.sorting == Sorting::Ascending && *mark > position.bound)
    {
        return on(&position.from(highest), None);
    }
    if poll.sorting == Sorting::Ascending && !offset && !token.is_empty() && token == position.token {
        // The same page again, because the vendor tells marks apart more finely than it shows them, say: it would never end.
        let leap = if form.is_time() { poll.step.max(1_000_000) } else { poll.step };
        let hidden = Some(position.bound);
        return on(&position.from(position.bound.saturating_add(leap)), hidden);
    }
    position.passed = position.passed.saturating_add(held.count).saturating_sub(usize::from(overlapped));
    position.token = token;
    let capped = poll.cap.is_some_and(|cap| position.passed.saturating_add(poll.size) > cap);
    if poll.sorting == Sorting::Ascending && capped {
        let hidden = Some(position.bound);
        return on(&position.from(position.bound.saturating_add(poll.step)), hidden);
    }
    on(&position, None)
}

/// The token of the next page; `None` at the end of the listing.
fn goes_on(poll: &PollPlan, held: &Held<'_>, starting: bool) -> Option<String> {
    match &poll.page {
        PagePlan::None => None,
        PagePlan::Cursor(plan) => {
            let more = starting || said(&plan.more, held.body);
            plan.token.text_at(held.body).filter(|_| more)
        }
        PagePlan::Token(path) => path.text_at(held.body),
        PagePlan::LinkToken { path, parameter } => of_link(&path.text_at(held.body)?, parameter),
        PagePlan::Link { path, start } => path.text_at(held.body).and_then(|text| address(&text, start)),
        PagePlan::Offset { more } => {
            is_more(more.as_ref(), poll, held).then(|| held.last_id.clone().unwrap_or_default())
        }
        PagePlan::AfterId { more } => held.last_id.clone().filter(|_| is_more(more.as_ref(), poll, held)),
    }
}

/// The parameter of an address that is the token; absolute or not, only its query is looked at.
fn of_link(link: &str, parameter: &str) -> Option<String> {
    let query = link.split('#').next()?.split_once('?')?.1;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, value)| name == parameter && !value.is_empty()).map(|(_, value)| value.into_owned())
}

/// What is missing in an answer that names a next page without its token: to stop there would leave the rest unread.
pub(crate) fn lost_token(poll: &PollPlan, body: &Value) -> Option<String> {
    let PagePlan::LinkToken { path, parameter } = &poll.page else { return None };
    let link = path.text_at(body)?;
    of_link(&link, parameter)
        .is_none()
        .then(|| format!("the address of the next page has no parameter `{parameter}`"))
}

/// The path and query of the address that an answer names for its next page: as they are, if they lie below `start`. Nothing
/// of it leads to another host: what stands before the path is left away. What no address can carry is escaped.
pub(crate) fn address(text: &str, start: &str) -> Option<String> {
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
    Some(address)
}

/// Whether more follows. An empty page is an end whatever the answer says.
fn is_more(more: Option<&Path>, poll: &PollPlan, held: &Held<'_>) -> bool {
    match more {
        Some(path) => held.count > 0 && said(path, held.body),
        None => held.count >= poll.size,
    }
}

/// Whether something (but not `false`) stands there.
fn said(path: &Path, body: &Value) -> bool {
    path.find_filled(body).is_some() && path.flag(body) != Some(false)
}

/// The cursor at the end of a listing: the mark moves, and never backwards.
fn ended(poll: &PollPlan, cursor: &Cursor, position: &Position, seen: Option<i64>) -> Cursor {
    let form = poll.mark.form;
    let reached = match (seen, position.ceiling) {
        (Some(seen), Some(ceiling)) => Some(seen.min(ceiling)),
        (seen, _) => seen,
    };
    let before = cursor.since.as_deref().and_then(|text| read_mark(form, text));
    Cursor { since: before.max(reached).map(|mark| write_mark(form, mark)), page: None, seen: None }
}

#[cfg(test)]
mod tests;
