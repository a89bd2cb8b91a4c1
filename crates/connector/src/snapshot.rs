//! Snapshots: all that is there, listed where the changes since a mark are not all to be had.
//!
//! | the cursor | is walked on by |
//! |---|---|
//! | none yet, and the poll does not reach back to the beginning (`first`, `keeps`) | a snapshot |
//! | a mark older than the vendor keeps changes (`keeps`), or refused as too old (`expired`) | a snapshot |
//! | a snapshot that is not at its end | the next page of it |
//! | a snapshot at its end | the changes since it began |
//! | any other | the changes |
//!
//! A snapshot begins at the vendor's own time: by the `Date` of its first answer, less the longest time that call may have taken, so
//! that nothing changes between the two that neither of them shows. What has gone meanwhile it does not show: whoever
//! looks for that compares sets of ids.

use std::time::Duration;

use canonical::{Object, Wall};

use crate::call::{Call, Cursor};
use crate::connector::Connector;
use crate::exchange::Response;
use crate::listing::{bound, read_mark, write_mark};
use crate::plan::{PagePlan, PollPlan};

#[cfg(test)]
mod tests;

/// Why all that is there is listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Anew {
    /// It was never listed, and the changes do not reach back to the beginning.
    First,
    /// The mark is older than the vendor keeps changes.
    TooOld {
        /// How long it keeps them.
        keeps: Duration,
    },
    /// The vendor refused the mark or the page as too old.
    Refused,
}

impl Connector {
    /// Whether all such objects can be listed, whenever they changed.
    #[must_use]
    pub fn has_snapshot(&self, object: &Object) -> bool {
        self.object(object).is_some_and(|plan| plan.snapshot.is_some())
    }

    /// Why the changes since a cursor are not all to be had at `now`, so that all that is there is listed instead; `None`: they
    /// are, or that is under way already.
    #[must_use]
    pub fn anew(&self, object: &Object, cursor: &Cursor, now: Wall) -> Option<Anew> {
        let plan = self.object(object)?;
        let poll = plan.poll.as_ref().filter(|_| plan.snapshot.is_some() && cursor.snapshot.is_none())?;
        if !poll.mark.form.is_time() {
            return None;
        }
        if *cursor == Cursor::default() {
            return (poll.first.is_some() || poll.spec.keeps.is_some()).then_some(Anew::First);
        }
        let keeps = poll.spec.keeps?;
        // Of a listing under way the mark that it asks from counts; a cursor that lasts over listings moves no such mark.
        let lasts = matches!(&poll.page, PagePlan::Cursor(plan) if plan.lasts);
        let mark = match &cursor.since {
            Some(since) if cursor.page.is_none() || lasts => read_mark(poll.mark.form, since)?,
            _ => bound(poll, cursor, now),
        };
        (Wall(mark) + keeps < now).then_some(Anew::TooOld { keeps })
    }

    /// The cursor with which all that is there is listed. Where changes were read to is kept, until it is over.
    #[must_use]
    pub fn begin_anew(cursor: &Cursor) -> Cursor {
        Cursor { since: cursor.since.clone(), page: None, seen: None, snapshot: Some(String::new()) }
    }

    /// Whether an answer to a listing of changes says that its cursor is too old to go on from.
    #[must_use]
    pub fn is_expired(&self, call: &Call, response: &Response) -> bool {
        let Call::List { object, cursor, .. } = call else { return false };
        let plan = self.object(object).filter(|plan| plan.snapshot.is_some() && cursor.snapshot.is_none());
        let answer = self.answer(response);
        plan.and_then(|plan| plan.poll.as_ref())
            .is_some_and(|poll| poll.expired.iter().any(|rule| rule.matches(&answer)))
    }
}

/// The cursor after a page of a snapshot. `poll`: the changes that are read when it is over.
pub(crate) fn after(poll: &PollPlan, before: &Cursor, next: Cursor, more: bool, began: i64) -> Cursor {
    let began = match before.snapshot.as_deref() {
        Some("") | None => write_mark(poll.mark.form, began - began.rem_euclid(poll.step)),
        Some(began) => began.to_owned(),
    };
    if more {
        return Cursor { since: before.since.clone(), page: next.page, seen: None, snapshot: Some(began) };
    }
    Cursor { since: Some(began), ..Cursor::default() }
}
