//! What comes late: sights from before our own last write, states from before a deletion, another object's versions.

use super::*;

/// A world whose record `crm` 1 is linked to `erp` 9, where our last write left version 20 at time 20,000.
fn written() -> World {
    let mut world = World::new();
    world.accept(&said("crm", "1", 1, json!({"name": "New", "email": "a@x.org"})));
    world.accept(&said("erp", "9", 1, json!({"email": "a@x.org"})));
    world.remember("erp", "9", json!({"name": "New", "email": "a@x.org"}));
    for shadow in world.view.shadows.values_mut() {
        shadow.token = Some(OrderToken(20));
        shadow.written_at = Some(Wall(20_000));
    }
    world
}

fn pushed(order: i64, values: Value) -> Incoming {
    Incoming { read: false, complete: false, as_of: Wall(90_000), ..said("erp", "9", order, values) }
}

/// I6: one of our earlier writes comes back after a later one: nobody edited anything, and what stands there decides.
#[test]
fn i6_a_version_behind_our_last_write_is_no_edit() {
    let mut world = written();
    let late = world.accept(&pushed(15, json!({"name": "Old"})));
    assert!(late.decisions.is_empty() && late.refetch);
    // Beyond it is.
    let edit = world.accept(&pushed(21, json!({"name": "Edited"})));
    assert_eq!(edit.decisions[0].kind, DecisionKind::Rejected);
}

/// A reading that is behind our own write is not read again at once: a copy that lags would be asked for ever.
#[test]
fn a_reading_that_lags_is_not_read_again_at_once() {
    let mut world = written();
    let lagging = Incoming { as_of: Wall(30_000), ..said("erp", "9", 15, json!({"name": "Old"})) };
    let late = world.accept(&lagging);
    assert!(late.decisions.is_empty() && !late.refetch);
}

/// I6: a version that was read while our own write was on its way, and is behind it, may be an edit: the object is read again,
/// since nobody may tell of it a second time.
#[test]
fn i6_a_reading_that_crossed_our_write_is_read_again() {
    let mut world = written();
    let crossed = Incoming { as_of: Wall(19_999), ..said("erp", "9", 15, json!({"name": "Edited"})) };
    let late = world.accept(&crossed);
    assert!(late.decisions.is_empty() && late.refetch);
}

/// I6: without versions, a reading that began before our write was settled says nothing of edits.
#[test]
fn i6_a_reading_from_before_our_last_write_is_no_edit() {
    let mut world = written();
    let unversioned = |began| Incoming {
        order: Some(OrderToken(began)),
        stamped: true,
        as_of: Wall(began),
        ..said("erp", "9", 0, json!({"name": "Old"}))
    };
    let late = world.accept(&unversioned(19_999));
    assert!(late.decisions.is_empty() && late.refetch);
    let edit = world.accept(&unversioned(20_001));
    assert_eq!(edit.decisions[0].kind, DecisionKind::Rejected);
}

/// An owner is heard also when what he says is older than our last write there: that write had nothing of his.
#[test]
fn an_owner_is_heard_late() {
    let mut world = written();
    let owner = world.accept(&pushed(15, json!({"hold": true})));
    assert_eq!(owner.record.unwrap().0.fields["hold"], true);
}

/// Versions count per object: those of one that is gone do not make its successor late.
#[test]
fn another_objects_versions_say_nothing() {
    let mut world = written();
    let gone = Incoming { deleted: true, ..said("erp", "9", 21, json!({})) };
    assert!(world.accept(&gone).unlink.is_some());
    let next = world.accept(&said("erp", "10", 1, json!({"email": "a@x.org"})));
    assert_eq!(next.link.unwrap().external_id, "10");
    let (shadow, revision) = next.shadow.unwrap();
    assert_eq!((shadow.token, shadow.external_id.as_deref(), revision), (Some(OrderToken(1)), Some("10"), 0));
}

/// What was archived because its record left a filter is not linked again by a sight from before.
#[test]
fn a_late_sight_links_nothing_again() {
    let mut world = written();
    let link = world.view.links.remove(&external("erp", "9")).unwrap();
    world.view.linked.remove(&(link.record, link.system, link.object));
    let late = world.accept(&said("erp", "9", 15, json!({"email": "a@x.org"})));
    assert!(late.link.is_none() && late.about.is_none());
    let back = world.accept(&said("erp", "9", 25, json!({"email": "a@x.org"})));
    assert_eq!(back.link.unwrap().external_id, "9");
}

/// I3: a deletion that is said twice keeps its link, so that an older state finds the tombstone and makes nothing new.
#[test]
fn i3_what_was_said_before_a_deletion_makes_nothing_new() {
    let mut world = World::new();
    world.accept(&said("crm", "1", 5, json!({"name": "Ada", "email": "a@x.org"})));
    let gone = |order| Incoming { deleted: true, ..said("crm", "1", order, json!({})) };
    let deleted = world.accept(&gone(6));
    assert!(deleted.record.is_some() && deleted.unlink.is_none());
    let again = world.accept(&gone(6));
    assert!(again.record.is_none() && again.unlink.is_none() && again.decisions.is_empty());
    let older = Incoming { read: false, ..said("crm", "1", 5, json!({"name": "Ada", "email": "a@x.org"})) };
    let older = world.accept(&older);
    assert!(older.raises.is_empty() && older.link.is_none());
    assert!(matches!(world.only().alive, Alive::Deleted { .. }));
}

/// What persons ordered to be said there outlives the object that stood there.
#[test]
fn orders_outlive_another_object() {
    let mut world = written();
    let edit = ledger::Edit {
        route: RouteId::from("to-erp"),
        subject: ledger::Subject::Record(world.only().id),
        level: ledger::Level { version: 1, generation: 1 },
        values: fields(json!({"name": "Said"})),
        before: Fields::new(),
        why: "ann: a test".into(),
        at: Wall(1),
    };
    for shadow in world.view.shadows.values_mut() {
        shadow.external_id = Some("8".into());
        assert!(shadow.edit(edit.clone(), |_| false));
    }
    let seen = world.accept(&said("erp", "9", 30, json!({"email": "a@x.org"})));
    let (shadow, _) = seen.shadow.expect("another object is seen");
    assert_eq!((shadow.external_id.as_deref(), shadow.edits), (Some("9"), vec![edit]));
}

/// I6: a state as old as our own write, by a clock too coarse to tell which was first, is judged once: what it says is known
/// when it is read.
#[test]
fn i6_an_edit_at_the_token_of_our_own_write_is_judged_once() {
    let mut world = written();
    let edit = world.accept(&pushed(20, json!({"name": "Edited"})));
    assert!(edit.decisions[0].kind == DecisionKind::Rejected && edit.refetch);
    assert_eq!(edit.shadow.unwrap().0.fields["name"], "Edited");
    let known = fields(json!({"name": "Edited"}));
    let read = Incoming { known, as_of: Wall(30_000), ..said("erp", "9", 20, json!({"name": "Edited"})) };
    let read = world.accept(&read);
    assert!(read.decisions.is_empty() && !read.refetch);
}
