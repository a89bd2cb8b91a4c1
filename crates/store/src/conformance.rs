//! One suite for every backend: what the port promises, told as cases, and random units whose answers two backends
//! must share. A backend's tests call [`crate::conformance_suite`]; [`random::agree`] compares two.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test suite: a broken promise ends the test")]
#![expect(clippy::cloned_ref_to_slice_refs, reason = "lists of one and of many compare alike")]

use std::any::Any;
use std::sync::{Arc, mpsc};

use canonical::Tenant;

use crate::browse::{Browse, Look, Page};
use crate::query::{Head, Query, Rows};
use crate::{Op, Receipt, Require, Store, StoreError, Unit};

pub mod aliases;
pub mod bulk;
pub mod commits;
pub mod epochs;
pub mod make;
pub mod obligations;
pub mod pages;
pub mod questions;
pub mod random;
pub mod retention;
pub mod views;

/// A backend under test, with whatever must live as long as it does (a folder, a server).
pub struct Backend {
    /// The backend.
    pub store: Arc<dyn Both>,
    /// Dropped after it.
    pub keep: Box<dyn Any>,
}

/// Both ports of a backend.
pub trait Both: Store + Browse {}
impl<T: Store + Browse> Both for T {}

/// Makes an empty backend.
pub type Make<'a> = &'a dyn Fn() -> Backend;
/// One promise.
pub type Case = fn(&Backend);

impl Backend {
    /// A backend that needs nothing besides itself.
    pub fn new(store: impl Store + Browse + 'static) -> Self {
        Self { store: Arc::new(store), keep: Box::new(()) }
    }

    /// Commits and waits for the answer.
    ///
    /// # Errors
    /// The backend's.
    pub fn try_commit(&self, units: Vec<Unit>) -> Result<Vec<Receipt>, StoreError> {
        let (send, receive) = mpsc::channel();
        self.store.commit(units, Box::new(move |answer| drop(send.send(answer))));
        receive.recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Commits units that must be answered.
    #[must_use]
    pub fn commit(&self, units: Vec<Unit>) -> Vec<Receipt> {
        self.try_commit(units).unwrap()
    }

    /// Applies operations that require nothing; gives the heads.
    pub fn apply(&self, ops: Vec<Op>) -> Vec<Head> {
        let mut receipts = self.commit(vec![Unit { require: vec![], ops }]);
        match (receipts.pop(), receipts.is_empty()) {
            (Some(Receipt::Done(heads)), true) => heads,
            other => panic!("expected one receipt that is done, found {other:?}"),
        }
    }

    /// Whether a unit with nothing but this requirement is applied.
    #[must_use]
    pub fn holds(&self, require: Require) -> bool {
        self.commit(vec![Unit { require: vec![require], ops: vec![] }]) == [Receipt::Done(vec![])]
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// The backend's.
    pub fn try_find(&self, query: Query) -> Result<Rows, StoreError> {
        let (send, receive) = mpsc::channel();
        self.store.find(query, Box::new(move |answer| drop(send.send(answer))));
        receive.recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Asks what must be answered.
    #[must_use]
    pub fn find(&self, query: Query) -> Rows {
        self.try_find(query).unwrap()
    }

    /// Looks as an operator of a tenant.
    #[must_use]
    pub fn look(&self, tenant: &Tenant, look: Look) -> Page {
        let (send, receive) = mpsc::channel();
        self.store.look(tenant.clone(), look, Box::new(move |answer| drop(send.send(answer))));
        receive.recv().unwrap().unwrap()
    }
}

/// Makes a `#[test]` of each case, for the backend that the named function beside it makes.
#[macro_export]
macro_rules! conformance_suite {
    ($make:ident) => {
        $crate::conformance_suite! { $make;
            commits: conflict_applies_nothing_and_harms_no_other_unit, seen_once, record_version_is_required,
                links_are_unique_both_ways, park_checks_its_link, shadow_revision_is_required,
                messages_move_on, facts_are_kept_once, a_commit_of_nothing_is_answered, quarantine_is_required,
                what_is_wanted_is_required;
            obligations: raises_fold_and_keep_their_turn, rest_opens_for_more_only, discarded_and_erased_stay,
                operator_parking_holds, operators_hold_and_release, held_notifies_keep_their_line, lanes_go_up_while_open,
                settling_an_older_level_puts_back, settling_nothing_is_harmless,
                links_wake_in_order, links_wake_the_dead, an_end_rouses_what_waits_for_it,
                hastening_is_for_what_is_open, notify_keeps_order, notify_reopened_goes_first,
                claims_page_through_in_order,
                claims_keep_lanes_systems_and_tenants_apart, claims_say_when_to_look_again,
                backlogs_are_counted_and_dated;
            questions: intents_keep_their_bytes, unfinished_intents_oldest_first, fetches_keep_the_newest_hint,
                systems_keep_state_and_cursors, systems_keep_a_journal, messages_wait_for_links_and_deadlines,
                links_make_quarantined_messages_ready, duplicates_wait_for_an_end, tenants_see_their_own_only;
            views: intake_sees_links_records_and_surroundings, intake_follows_aliases, intake_counts_open_creates,
                intake_finds_by_match_key, spoke_sees_everything_of_its_rows, spoke_follows_references_and_aliases,
                spoke_sees_what_brings_a_reference,
                nothing_is_found_in_an_empty_store;
            aliases: who_stands_for_itself, what_is_open_is_required, an_alias_is_linked_as_its_survivor,
                a_link_wakes_who_waits_for_an_alias, references_lead_to_the_survivor_first, a_record_is_seen_whole;
            epochs: the_newest_restore_counts, everything_linked_is_fetched;
            pages: deliveries_are_filtered_and_paged, a_delivery_with_its_intents_and_attempts, events_are_filtered,
                decisions_are_filtered,
                messages_are_filtered, a_record_sheet_holds_everything, systems_are_counted, applied_configurations_are_kept,
                versions_stay_as_they_were_applied,
                a_footprint_counts_what_hangs_on_a_part,
                records_are_walked_with_their_links;
            bulk: groups_count_as_deliveries_come_and_go, groups_are_told_apart, groups_count_messages,
                jobs_are_compared_and_set, decisions_of_jobs_are_about_what_is_dead, replays_raise_generations,
                walks_cover_what_fits;
            retention: messages_go_with_their_hashes, nameless_messages_go_at_once_and_the_newest_stays,
                histories_of_records_go_where_closed, what_moved_meanwhile_stays, attempts_stay_with_what_needs_a_person,
                groups_and_jobs_go_when_over, lines_hold_nothing_that_is_sealed, its_state_is_kept,
                what_has_gone_is_not_said_again, undecided_messages_are_told, a_record_that_does_not_fit_a_page_says_so,
                counts_are_ones_own;
        }
    };
    ($make:ident; $($room:ident: $($case:ident),+;)+) => {$(
        mod $room {
            $(#[test] fn $case() { $crate::conformance::$room::$case(&super::$make()); })+
        }
    )+};
}
