//! I4, I5 and I6 with generated tables and histories, and the bugs that only they show.

use planted::Bug;

use crate::ownership::{self, existence, merging};

/// Seeds that are run.
const SEEDS: u64 = 250;

/// I4, I5, I6: whatever people do where, each field is in the end what the ownership table says, everywhere; each violation
/// is recorded, and none that nobody committed; no field is written more often than people edit.
#[test]
fn i5_owners_prevail_whatever_people_edit_anywhere() {
    for seed in 1..=SEEDS {
        let (run, found) = ownership::ran(seed);
        if let Some(found) = found {
            panic!("seed {seed}: {} {}\n{}", found.invariant, found.what, run.shared_timeline(&found.about));
        }
    }
}

#[test]
fn planted_bugs_about_owners_are_caught_as_what_they_are() {
    let bugs = [
        Bug::EditIsEcho,
        Bug::OwnersEchoIsWord,
        Bug::CrossingWriteStands,
        Bug::NewOwnerIsNotAsked,
        Bug::LostIsReplaced,
        Bug::MergedLinkStays,
        Bug::AbsorbedIsNew,
        Bug::SecondObjectSpeaks,
        Bug::SecondStaysSecond,
        Bug::TwinIsForgotten,
    ];
    for bug in bugs {
        let hunt = crate::hunt(bug);
        assert!(hunt.caught(), "{bug} should break {}: {hunt:?}", bug.invariant());
    }
}

/// I18: the same seed does the same.
#[test]
fn i18_the_same_seed_makes_the_same_table_and_history() {
    let trace = |seed| ownership::ran(seed).0.trace();
    assert_eq!(trace(3), trace(3));
    assert_ne!(trace(3), trace(4));
}

/// Seeds of owners that depend on the record's state.
const MOVING_SEEDS: u64 = 250;

/// I5: whoever owns a field in the end, by the record's state, said what it is, or had it when it became the owner.
#[test]
fn i5_owners_that_depend_on_the_record_prevail() {
    for seed in 1..=MOVING_SEEDS {
        let (run, found) = ownership::moved(seed);
        if let Some(found) = found {
            panic!("seed {seed}: {} {}\n{}", found.invariant, found.what, run.shared_timeline(&found.about));
        }
    }
}

/// Seeds of what there is at all.
const EXISTENCE_SEEDS: u64 = 150;

/// I3, I5: whoever creates, deletes and merges what, in the end each thing is where the rules say, once, and is one record.
#[test]
fn i3_what_is_created_deleted_and_merged_anywhere_is_where_the_rules_say() {
    for seed in 1..=EXISTENCE_SEEDS {
        let (run, found) = existence::ran(seed);
        if let Some(found) = found {
            panic!(
                "seed {seed}: {} {}\n{}",
                found.invariant,
                found.what,
                run.existence_timeline(&found.about)
            );
        }
    }
}

/// Seeds of records that turn out to be one.
const MERGING_SEEDS: u64 = 250;

/// I3, I5, I6: two known records are merged, at a vendor or here, and split, while both are edited: in the end there is one
/// record, or there are two, each with its own objects, and each field is what its owner has, everywhere.
#[test]
fn i5_owners_prevail_over_two_records_that_are_one() {
    for seed in 1..=MERGING_SEEDS {
        let (run, found) = merging::ran(seed);
        if let Some(found) = found {
            panic!("seed {seed}: {} {}\n{}", found.invariant, found.what, run.merging_timeline(&found.about));
        }
    }
}
