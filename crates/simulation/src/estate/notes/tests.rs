//! What counts as the owner's word, before and after a restore.

use super::*;

fn noted(order: i64, note: &str, at: u64) -> Notes {
    let mut notes = Notes::default();
    notes.acknowledged(7, note, Some(OrderToken(order)), at);
    notes
}

#[test]
fn i5_the_newest_word_stands_whenever_it_comes() {
    let mut notes = noted(5, "person 2", 100);
    notes.acknowledged(7, "person 1", Some(OrderToken(4)), 200);
    assert_eq!(notes.stands(7, false), Some(("person 2", 100)));
    notes.acknowledged(7, "person 2", Some(OrderToken(6)), 300);
    assert_eq!(notes.stands(7, false), Some(("person 2", 100)));
    notes.acknowledged(7, "person 3", Some(OrderToken(7)), 400);
    assert_eq!(notes.stands(7, false), Some(("person 3", 400)));
    assert_eq!(notes.stands(8, false), None);
}

/// The store knows it: what is made in place of an object that was thrown away has to say it, too.
#[test]
fn i5_a_word_outlives_its_object() {
    assert_eq!(noted(5, "person", 100).stands(7, true), Some(("person", 100)));
    let mut notes = noted(5, "person", 100);
    notes.restored(100);
    assert_eq!(notes.stands(7, true), Some(("person", 100)), "the backup has it");
}

#[test]
fn i5_a_word_that_the_store_forgot_stands_as_long_as_its_object_says_it() {
    let mut notes = noted(5, "person", 100);
    notes.restored(99);
    assert_eq!(notes.stands(7, false), Some(("person", 100)));
    assert_eq!(notes.stands(7, true), None);
}

/// It was said again since: the store has it now, and a backup of before that does not.
#[test]
fn i5_a_word_that_was_said_again_is_forgotten_no_more() {
    let mut notes = noted(5, "person", 100);
    notes.restored(50);
    notes.acknowledged(7, "person", Some(OrderToken(5)), 200);
    assert_eq!(notes.stands(7, true), Some(("person", 100)));
    notes.restored(200);
    assert_eq!(notes.stands(7, true), Some(("person", 100)));
    notes.restored(150);
    assert_eq!(notes.stands(7, true), None);
}
