//! Records that ended: which word is newer than the end, and what is known of the objects that stay.

use super::*;

fn gone(from: &str, id: &str, order: i64) -> Incoming {
    Incoming { deleted: true, matches: Vec::new(), ..said(from, id, order, json!({})) }
}

fn pushed(from: &str, id: &str, order: i64, values: Value) -> Incoming {
    Incoming { read: false, complete: false, ..said(from, id, order, values) }
}

/// A record of two creators that the CRM has deleted.
fn deleted() -> World {
    let mut world = World::new();
    world.accept(&said("crm", "1", 1, json!({"name": "Ada", "email": "a@x.org"})));
    world.accept(&said("erp", "9", 1, json!({"name": "Ada", "email": "a@x.org"})));
    world.remember("erp", "9", json!({"name": "Ada", "email": "a@x.org"}));
    world.accept(&gone("crm", "1", 5));
    assert!(matches!(world.only().alive, Alive::Deleted { .. }));
    world
}

fn lives(world: &World) -> bool {
    world.only().alive == Alive::Live
}

/// Restored where it was deleted: its place in that system's order tells, no clock has to. What was said to it meanwhile is
/// said again.
#[test]
fn what_is_restored_and_told_of_without_a_time_lives_again() {
    let mut world = deleted();
    let back = world.accept(&pushed("crm", "1", 6, json!({"name": "Ada", "email": "a@x.org"})));
    assert!(lives(&world) && raised(&back).contains(&"to-crm".to_owned()));
}

/// Another creator's word may be from before the end or after it: a look tells.
#[test]
fn a_word_that_has_no_place_beside_the_end_is_looked_at() {
    let mut world = deleted();
    let unclear = world.accept(&pushed("erp", "9", 7, json!({"note": "new"})));
    assert!(unclear.refetch && unclear.record.is_none() && !lives(&world));
    let before = Incoming { occurred_at: Some(Wall(4_000)), ..pushed("erp", "9", 7, json!({"note": "new"})) };
    assert!(!world.accept(&before).refetch && !lives(&world));
    world.accept(&said("erp", "9", 7, json!({"name": "Ada", "note": "new"})));
    assert!(lives(&world));
}

/// I3: that an object is still there which another system's deletion leaves, read once more, is no word of anybody.
#[test]
fn i3_an_object_that_was_kept_and_is_read_again_brings_nothing_back() {
    let mut world = deleted();
    let again = Incoming { stamped: true, ..said("erp", "9", 8, json!({"name": "Ada", "email": "a@x.org"})) };
    world.accept(&again);
    assert!(!lives(&world));
    // Nor is what we wrote there, of which nothing was told so far.
    let known = fields(json!({"note": "ours"}));
    world.accept(&Incoming { known, ..said("erp", "9", 9, json!({"note": "ours"})) });
    assert!(!lives(&world));
}

/// What somebody changes on a kept object is not heard, and is put right if the record comes back.
#[test]
fn what_changes_on_a_kept_object_is_not_known_any_more() {
    let mut world = deleted();
    world.schema.creators = vec![system("crm")];
    let unheard = world.accept(&pushed("erp", "9", 6, json!({"name": "Eve", "email": "a@x.org"})));
    let (shadow, _) = unheard.shadow.unwrap();
    assert_eq!(
        (shadow.unknown.into_iter().collect::<Vec<_>>(), lives(&world)),
        (vec!["name".to_owned()], false)
    );
}

/// A deletion that is told of after a newer word is an old one, also where words were only pushed.
#[test]
fn i4_a_deletion_from_before_a_newer_word_is_stale() {
    let mut world = World::new();
    world.accept(&pushed("crm", "1", 5, json!({"name": "Ada"})));
    let late = world.accept(&Incoming { read: false, ..gone("crm", "1", 4) });
    assert_eq!((late.decisions[0].kind, lives(&world)), (DecisionKind::Stale, true));
}

/// What ended with a record that another's word brought back does not end it once more, when a write finds it gone.
#[test]
fn an_end_that_was_known_before_is_no_second_one() {
    let mut world = deleted();
    world.remember("crm", "1", json!({"name": "Ada"}));
    world.accept(&said("erp", "9", 7, json!({"name": "Ada", "note": "new"})));
    let known = world.accept(&Incoming { order: None, ..gone("crm", "1", 9) });
    assert!(lives(&world) && known.unlink.is_some() && known.decisions.is_empty());
}

/// But what was restored and goes again has ended again.
#[test]
fn what_was_restored_and_goes_again_has_ended_again() {
    let mut world = deleted();
    world.remember("crm", "1", json!({"name": "Ada"}));
    world.accept(&said("crm", "1", 7, json!({"name": "Ada"})));
    assert!(lives(&world));
    world.accept(&Incoming { order: None, ..gone("crm", "1", 9) });
    assert!(!lives(&world));
}

/// I6: that a kept object was seen is known, so that the answer to a write that was on its way meanwhile does not make known what it
/// wrote. A late word of what is gone was not seen there.
#[test]
fn i6_a_kept_object_of_a_deleted_record_was_seen() {
    let sight = || pushed("erp", "9", 8, json!({"name": "Eve", "email": "a@x.org"}));
    let seen_at = |world: &mut World| world.accept(&sight()).shadow.unwrap().0.seen_at;
    let mut world = deleted();
    world.schema.creators = vec![system("crm")];
    let mut ended = deleted();
    ended.schema.creators = vec![system("crm")];
    assert_eq!(seen_at(&mut world), Some(Wall(8_000)));
    let grave = crate::Grave { at: Wall(7_000), order: None };
    ended.view.seen.insert((system("erp"), crate::Grave::name(&external("erp", "9"))), grave.bytes());
    assert_eq!(seen_at(&mut ended), None);
}
