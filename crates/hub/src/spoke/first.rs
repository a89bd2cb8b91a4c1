//! The first listing of a kind of object: what a system held before nobody has asked for, unless a plan was applied or a
//! person says so (`history: plan`, docs/cutover.md).
//!
//! Which first listings are not over is kept with the system's state, with the time from which each was to be read, so that
//! whoever starts again judges as before. While one is not over nothing is delivered there: only its answer tells whether
//! the system holds what a delivery would make a second time.

use std::collections::BTreeMap;

use canonical::Object;
use config::History;
use connector::{Cursor, Page};
use store::{FirstListing, SystemState};

use crate::mark::Mark;
use crate::spoke::Spoke;
use crate::turn::Turn;

/// How the reason begins for which a system waits for a plan.
const UNPLANNED: &str = "it holds already";

/// Whether a system is paused because nobody has planned for what it holds.
pub(crate) fn waits_for_plan(state: &SystemState) -> bool {
    state.paused.as_ref().is_some_and(|why| why.starts_with(UNPLANNED))
}

/// Whether a listing was at its end once.
const fn is_over(cursor: &Cursor) -> bool {
    cursor.page.is_none() || cursor.since.is_some()
}

impl Spoke {
    /// At a start: which first listings are still to be read. After a restore everything is read again before anything is
    /// delivered; what was listed since the backup is not known then.
    pub(crate) fn learn_of_first_listings(
        &mut self,
        cursors: &BTreeMap<Object, Cursor>,
        turn: &mut Turn<'_>,
    ) {
        let before = self.state.first_listings.clone();
        let polled = &self.settings.poll;
        let ends = |object: &Object| !polled.contains_key(object) || cursors.get(object).is_some_and(is_over);
        self.state.first_listings.retain(|object, _| !ends(object));
        let restored = self.is_unread_since_restore();
        if self.settings.history == History::Plan && !restored {
            for object in self.settings.poll.keys().filter(|object| !cursors.contains_key(*object)) {
                let first = FirstListing { since: turn.now.wall, approved: false };
                self.state.first_listings.entry(object.clone()).or_insert(first);
            }
        }
        if self.settings.history == History::All && waits_for_plan(&self.state) && !self.reads_only {
            self.state.paused = None;
            self.changed("resumed", String::new(), "history: all".to_owned(), turn.now);
            self.keep_state(None);
        } else if self.state.first_listings != before && !self.reads_only {
            self.keep_state(None);
        }
        let waits: Vec<Object> = self.awaited_first().cloned().collect();
        for object in waits {
            turn.note(Mark::FirstListing {
                system: self.system.clone(),
                object,
                step: "waits",
                why: String::new(),
            });
        }
    }

    /// Kinds of objects whose first listing is waited for by everything that is to be delivered.
    pub(crate) fn awaited_first(&self) -> impl Iterator<Item = &Object> {
        let first = self.state.first_listings.keys();
        first.filter(|object| self.is_first(object))
    }

    /// Whether a kind of object is listed for the first time, and nobody has said that all of it is taken in.
    pub(crate) fn is_first(&self, object: &Object) -> bool {
        let planned = self.settings.history == History::Plan && !self.reads_only;
        planned && self.state.first_listings.get(object).is_some_and(|first| !first.approved)
    }

    /// Whether nothing is delivered yet: what is there already is not known.
    pub(crate) fn waits_to_deliver(&self) -> bool {
        self.is_rereading() || self.awaited_first().next().is_some()
    }

    /// Whether a page of a first listing shows what was there before.
    pub(crate) fn is_unplanned(&self, object: &Object, page: &Page) -> bool {
        if !self.is_first(object) {
            return false;
        }
        let Some(first) = self.state.first_listings.get(object) else { return false };
        let lookback = self.connector.poll(object).map_or_else(Default::default, |spec| spec.lookback);
        // As new as the first start, but for clocks that differ.
        let before = page.oldest.is_none_or(|oldest| oldest + lookback < first.since);
        before && !(page.observations.is_empty() && page.garbled.is_empty())
    }

    /// Nothing of it is taken in, and nothing is written there: whatever it holds would become a second one.
    pub(crate) fn wait_for_plan(&mut self, object: &Object, turn: &mut Turn<'_>) {
        if let Some(poll) = self.polls.get_mut(object) {
            poll.set_back(turn.now.mono);
        }
        let why = format!(
            "{UNPLANNED} {object}, and no plan says what they are: stop the hub, and read what `concord link plan` says \
             (docs/cutover.md). Or resume it, or write `history: all` in its file: then all it holds is taken in as if it \
             had just changed, with its events"
        );
        self.pause(why, turn);
    }

    /// An operator lets the system go on: what it holds is taken in, where that was the question. A system that paused for
    /// another reason goes on with that question open.
    pub(crate) fn approve_first(&mut self) {
        if self.state.paused.is_none() || waits_for_plan(&self.state) {
            self.state.first_listings.values_mut().for_each(|first| first.approved = true);
        }
    }

    /// A listing is at its end, durably.
    pub(crate) fn first_listing_over(&mut self, object: &Object, turn: &mut Turn<'_>) {
        if self.state.first_listings.remove(object).is_none() {
            return;
        }
        self.keep_state(None);
        let (system, object) = (self.system.clone(), object.clone());
        turn.note(Mark::FirstListing { system, object, step: "over", why: String::new() });
    }

    /// Whoever waits for a first listing is told why it does not come.
    pub(crate) fn first_listing_failed(&self, object: &Object, why: &str, turn: &mut Turn<'_>) {
        if self.is_first(object) {
            let (system, object) = (self.system.clone(), object.clone());
            turn.note(Mark::FirstListing { system, object, step: "fails", why: why.to_owned() });
        }
    }
}
