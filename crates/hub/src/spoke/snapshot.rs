//! Snapshots: where the changes since a listing's mark are not all to be had, all that is there is listed, page by page as
//! changes are, and then the changes since that began.
//!
//! The cursor says which of the two is under way; it is durable with each page, so that whoever starts again goes on with the
//! page after it. What was listed in vain (nothing changed) changes nothing: it is merged like any state that is read.

use canonical::{Now, Object};
use connector::{Anew, Connector, Cursor};

use crate::mark::Mark;
use crate::spoke::Spoke;
use crate::turn::Turn;

impl Spoke {
    /// Listings that are due begin anew, where the changes since their mark are not all to be had.
    pub(super) fn look_at_marks(&mut self, turn: &mut Turn<'_>) {
        // While it is paused nothing begins: then it is looked at when it goes.
        if self.state.paused.is_some() {
            return;
        }
        let now = turn.now;
        let due = self.polls.iter().filter(|(_, poll)| poll.wakeup().is_some_and(|due| due <= now.mono));
        let due: Vec<Object> = due.map(|(object, _)| object.clone()).collect();
        for object in due {
            self.begins_anew(&object, turn);
        }
    }

    /// Whether a listing begins anew, since too much time has passed.
    pub(super) fn begins_anew(&mut self, object: &Object, turn: &mut Turn<'_>) -> bool {
        let Some(poll) = self.polls.get(object) else { return false };
        let why = self.connector.anew(object, poll.cursor(), turn.now.wall);
        why.is_some_and(|why| {
            self.snapshot(object, why, turn);
            true
        })
    }

    /// All that is there is listed from now on.
    pub(super) fn snapshot(&mut self, object: &Object, why: Anew, turn: &mut Turn<'_>) {
        let Some(poll) = self.polls.get_mut(object) else { return };
        let since = poll.cursor().since.clone();
        let cursor = Connector::begin_anew(poll.cursor());
        poll.walk(cursor);
        let told = told(why, since.as_deref());
        self.changed("snapshot_began", object.to_string(), told.clone(), turn.now);
        let (system, object) = (self.system.clone(), object.clone());
        turn.note(Mark::Snapshot { system, object, step: "began", why: told });
    }

    /// A page is durable; it may have been the last one.
    pub(super) fn snapshot_over(
        &mut self,
        object: &Object,
        before: &Cursor,
        after: &Cursor,
        turn: &mut Turn<'_>,
    ) {
        if before.snapshot.is_none() || after.snapshot.is_some() {
            return;
        }
        let since = after.since.as_deref().unwrap_or_default();
        let why = format!("all that is there was listed; from now on what changed since {since}");
        let now: Now = turn.now;
        self.changed("snapshot_over", object.to_string(), why.clone(), now);
        let (system, object) = (self.system.clone(), object.clone());
        turn.note(Mark::Snapshot { system, object, step: "over", why });
    }

    /// Kinds of objects of which all that is there is being listed.
    pub(super) fn snapshots(&self) -> Vec<Object> {
        let walking = self.polls.iter().filter(|(_, poll)| poll.cursor().snapshot.is_some());
        walking.map(|(object, _)| object.clone()).collect()
    }
}

/// For people.
fn told(why: Anew, since: Option<&str>) -> String {
    let since = since.unwrap_or("the beginning");
    match why {
        Anew::First => {
            "the changes do not reach back to the beginning: all that is there is listed first".to_owned()
        }
        Anew::TooOld { keeps } => format!(
            "changes were read up to {since}, and the system keeps them for {} hours: some may be gone, so all that is there is listed",
            keeps.as_secs() / 3600
        ),
        Anew::Refused => format!(
            "changes were read up to {since}, and the system lists none from there any more: all that is there is listed"
        ),
    }
}
