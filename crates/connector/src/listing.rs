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
//! | ascending | each page asks anew from the highest mark seen, so that an object which changes while it is listed only moves to a later page and pushes none out of sight; offsets, numbers, ids, tokens and links only pass objects that share one mark. With offsets each page overlaps the last by one object, and starts again when that one has moved; with numbers the page before is looked at again ([`number`]); the vendor's cap on results is never reached otherwise. By id the vendor is asked for what has the bound's mark and a greater id, or a later mark: nothing moves under it. A cursor of the vendor's keeps the place by itself |
//! | descending | an event feed, newest first, by token, number, id or link |
//! | id | by id, for vendors that cannot sort by the mark |

use canonical::Wall;
use serde_json::Value;

use crate::call::Cursor;
use crate::exchange::Response;
use crate::moment::{Form, read_text};
use crate::plan::{CursorPlan, More, PagePlan, PollPlan};
use crate::source::Sorting;

mod link;
mod number;

pub(crate) use link::{address, lost};

/// How often offsets start again when objects move under them, before they go on regardless: a vendor that sorts
/// objects of one mark differently each time would never be read otherwise.
const RESTARTS_MAX: u8 = 5;

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
    pub(crate) response: &'a Response,
    /// Its body.
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

/// The vendor's token to ask for, how many items to pass, or the number of the page.
pub(crate) fn token(poll: &PollPlan, cursor: &Cursor) -> Option<String> {
    let position = cursor.page.as_deref().and_then(Position::read);
    match poll.page {
        // One item of the page before comes again: it shows whether the others kept their places.
        PagePlan::Offset { .. } => {
            Some(position.map_or(0, |position| position.passed.saturating_sub(1)).to_string())
        }
        PagePlan::Number { first, .. } => Some(number::asked(position.as_ref(), first).to_string()),
        PagePlan::Token(_)
        | PagePlan::LinkToken { .. }
        | PagePlan::AfterId { .. }
        | PagePlan::Link(_)
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
    let highest = |mark: Option<i64>, position: &Position| {
        let mark = mark.map(|mark| mark - mark.rem_euclid(poll.step));
        mark.filter(|mark| poll.sorting == Sorting::Ascending && *mark > position.bound)
    };
    // The same page again, because the vendor tells marks apart more finely than it shows them, say: it would never end.
    let leap = |position: &Position| {
        let leap = if form.is_time() { poll.step.max(1_000_000) } else { poll.step };
        on(&position.from(position.bound.saturating_add(leap)), Some(position.bound))
    };
    let end = |position: &Position, hidden| Next {
        cursor: Cursor { page: lasting(poll, position, held), ..ended(poll, cursor, position, seen) },
        more: false,
        hidden,
    };
    if let PagePlan::Number { more, .. } = &poll.page {
        return match number::step(poll, more.as_ref(), &position, held) {
            number::Step::Ended => end(&position, None),
            number::Step::On(next) => on(&next, None),
            number::Step::Stuck if poll.sorting == Sorting::Descending => {
                end(&position, Some(position.bound))
            }
            number::Step::Stuck => leap(&position),
            number::Step::Passed(next, mark) => match highest(mark, &position) {
                Some(bound) => on(&position.from(bound), None),
                None if poll.sorting == Sorting::Ascending && number::capped(poll, &next) => {
                    let past = position.bound.saturating_add(poll.step);
                    on(&position.from(past), Some(position.bound))
                }
                None => on(&next, None),
            },
        };
    }
    let offset = matches!(poll.page, PagePlan::Offset { .. });
    let overlapped = offset && position.passed > 0;
    if overlapped && position.restarts < RESTARTS_MAX && held.first_id.as_deref() != Some(&*position.token) {
        let restarts = position.restarts + 1;
        return on(&Position { restarts, ..position.from(position.bound) }, None);
    }
    let Some(token) = goes_on(poll, held, starting(poll, cursor).is_some()) else {
        return end(&position, None);
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
    if let Some(highest) = highest(held.mark, &position) {
        return on(&position.from(highest), None);
    }
    if poll.sorting == Sorting::Ascending && !offset && !token.is_empty() && token == position.token {
        return leap(&position);
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

/// Where the next listing goes on, where the vendor's cursor lasts.
fn lasting(poll: &PollPlan, position: &Position, held: &Held<'_>) -> Option<String> {
    let PagePlan::Cursor(plan) = &poll.page else { return None };
    let token = plan.token.text_at(held.body).filter(|_| plan.lasts)?;
    Some(Position { token, ..position.clone() }.write())
}

/// The token of the next page; `None` at the end of the listing.
fn goes_on(poll: &PollPlan, held: &Held<'_>, starting: bool) -> Option<String> {
    match &poll.page {
        PagePlan::None => None,
        PagePlan::Cursor(plan) => {
            let more = starting || plan.more.follows(held.body);
            plan.token.text_at(held.body).filter(|_| more)
        }
        PagePlan::Token(path) => path.text_at(held.body),
        PagePlan::LinkToken { path, parameter } => link::token(&path.text_at(held.body)?, parameter),
        PagePlan::Link(plan) => {
            link::named(plan, held.response, held.body).and_then(|text| address(&text, plan))
        }
        // It has its own way: see `number`.
        PagePlan::Number { .. } => None,
        PagePlan::Offset { more } => {
            is_more(more.as_ref(), poll, held).then(|| held.last_id.clone().unwrap_or_default())
        }
        PagePlan::AfterId { more } => held.last_id.clone().filter(|_| is_more(more.as_ref(), poll, held)),
    }
}

/// Whether more follows. An empty page is an end whatever the answer says.
fn is_more(more: Option<&More>, poll: &PollPlan, held: &Held<'_>) -> bool {
    match more {
        Some(more) => held.count > 0 && more.follows(held.body),
        None => held.count >= poll.size,
    }
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
