//! Pages by their number.
//!
//! A page cannot be asked for from one item earlier, as an offset can. So after each page but the first, the page before it
//! is looked at once more: if its last item is still the same, nothing moved over the edge between the two, and what was
//! read counts; if not, the listing starts again at its mark. What shares no mark needs no second page, and costs nothing.
//!
//! An event feed, newest first, only grows at its start: its items move to later pages and come twice, and none is lost.

use serde::{Deserialize, Serialize};

use super::{Held, Position, RESTARTS_MAX, is_more};
use crate::plan::{More, PollPlan};
use crate::source::Sorting;

/// What is kept between pages, in the place of a vendor's token.
#[derive(Serialize, Deserialize, Default)]
struct Place {
    /// The id of the last item of the last page that counts.
    last: String,
    /// What the page behind it held, while that one is looked at again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    then: Option<Behind>,
}

/// What a page held.
#[derive(Serialize, Deserialize)]
struct Behind {
    last: String,
    mark: Option<i64>,
    more: bool,
}

/// What becomes of the listing after a page.
pub(super) enum Step {
    /// Ask with this position.
    On(Position),
    /// The page counts, with this highest mark: ask for the one behind it.
    Passed(Position, Option<i64>),
    /// It is at its end.
    Ended,
    /// The vendor gives the same page under every number.
    Stuck,
}

/// The number to ask for.
pub(super) fn asked(position: Option<&Position>, first: u32) -> u64 {
    let Some(position) = position else { return first.into() };
    let again = place(position).then.is_some();
    let passed = u64::try_from(position.passed).unwrap_or(u64::MAX);
    u64::from(first).saturating_add(passed.saturating_sub(u64::from(again)))
}

fn place(position: &Position) -> Place {
    serde_json::from_str(&position.token).unwrap_or_default()
}

fn at(position: &Position, passed: usize, place: &Place) -> Position {
    // Texts and numbers: it does not fail.
    let token = serde_json::to_string(place).unwrap_or_default();
    Position { passed, token, ..position.clone() }
}

/// Decides how it goes on. `position.passed` counts pages.
pub(super) fn step(poll: &PollPlan, more: Option<&More>, position: &Position, held: &Held<'_>) -> Step {
    let mut kept = place(position);
    let behind = if let Some(behind) = kept.then.take() {
        let moved = held.last_id.as_deref().unwrap_or_default() != kept.last;
        if moved && position.restarts < RESTARTS_MAX {
            return Step::On(Position { restarts: position.restarts + 1, ..position.from(position.bound) });
        }
        behind
    } else {
        let last = held.last_id.clone().unwrap_or_default();
        let behind = Behind { last, mark: held.mark, more: is_more(more, poll, held) };
        if position.passed > 0 && poll.sorting != Sorting::Descending {
            return Step::On(at(position, position.passed, &Place { then: Some(behind), ..kept }));
        }
        behind
    };
    if !behind.more {
        return Step::Ended;
    }
    if position.passed > 0 && !behind.last.is_empty() && behind.last == kept.last {
        return Step::Stuck;
    }
    let mark = behind.mark;
    Step::Passed(
        at(position, position.passed.saturating_add(1), &Place { last: behind.last, then: None }),
        mark,
    )
}

/// Whether the vendor lists no further page at this bound.
pub(super) fn capped(poll: &PollPlan, position: &Position) -> bool {
    poll.cap.is_some_and(|cap| position.passed.saturating_add(1).saturating_mul(poll.size) > cap)
}
