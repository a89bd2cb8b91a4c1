//! After a restore: what is seen for the first time since is no edit.

use super::*;

/// `erp` 9 as its shadow has it from before the restore at time 50,000; `crm` 1 is the source.
fn restored() -> World {
    let mut world = World::new();
    world.accept(&said("crm", "1", 1, json!({"name": "A", "email": "a@x.org", "note": "old"})));
    world.accept(&said("erp", "9", 2, json!({"email": "a@x.org", "name": "A", "note": "old"})));
    world.remember("erp", "9", json!({"name": "A", "email": "a@x.org", "note": "old"}));
    world.view.restored_at = Some(Wall(50_000));
    world
}

fn first_sight(values: Value) -> Incoming {
    said("erp", "9", 60, values)
}

/// I6: what another owns may have been written by us after the backup: it is no edit, and its owner's value is told
/// again. Whatever was seen, is known from then on.
#[test]
fn i6_a_first_sight_is_no_edit() {
    let mut world = restored();
    let seen = world.accept(&first_sight(json!({"name": "B", "email": "b@x.org"})));
    assert!(seen.decisions.iter().all(|decision| decision.kind == DecisionKind::Stale));
    assert_eq!(seen.decisions.len(), 2, "it is recorded");
    assert!(seen.raises.iter().any(|raise| raise.system == system("erp") && raise.again));
    assert_eq!(seen.shadow.unwrap().0.fields["name"], "B");
    let edit = world.accept(&said("erp", "9", 61, json!({"name": "C"})));
    assert_eq!(edit.decisions[0].kind, DecisionKind::Rejected, "the second sight is one");
}

/// I5: an owner's value counts at a first sight, too.
#[test]
fn i5_an_owner_is_heard_at_a_first_sight() {
    let mut world = restored();
    let seen = world.accept(&first_sight(json!({"hold": true})));
    assert_eq!(seen.record.unwrap().0.fields["hold"], true);
}

/// Nobody owns the note: what was said since the restore counts more than a first sight; else the first sight is newer
/// than the backup.
#[test]
fn of_nobodys_field_what_was_said_since_counts_more() {
    let mut world = restored();
    let newer = world.accept(&first_sight(json!({"note": "theirs"})));
    assert_eq!(newer.record.unwrap().0.fields["note"], "theirs");
    let mut world = restored();
    world.accept(&said("crm", "1", 55, json!({"name": "A", "email": "a@x.org", "note": "new"})));
    let older = world.accept(&first_sight(json!({"note": "theirs"})));
    assert_eq!(older.decisions[0].kind, DecisionKind::Stale);
    assert_eq!(world.only().fields["note"], "new");
}

/// I6: what is pushed may have been said long ago, and is said again: what stands there is known by a read only, or the next
/// write would leave out what that old state happens to have, and the next sight of it would be an edit.
#[test]
fn i6_what_is_pushed_after_a_restore_is_not_what_stands_there() {
    let pushed = |values| Incoming { read: false, ..first_sight(values) };
    let mut world = restored();
    let old = world.accept(&pushed(json!({"name": "A", "email": "a@x.org", "note": "old"})));
    assert!(old.refetch && old.shadow.is_none());
    let read = world.accept(&said("erp", "9", 61, json!({"name": "B", "email": "a@x.org", "note": "old"})));
    assert!(read.decisions.iter().all(|decision| decision.kind == DecisionKind::Stale));
    assert_eq!(read.shadow.unwrap().0.fields["name"], "B");
    assert!(!world.accept(&Incoming { read: false, ..said("erp", "9", 62, json!({"name": "B"})) }).refetch);
    // The same of an object that is linked only now.
    let mut world = restored();
    world.view.links.remove(&external("erp", "9"));
    world.view.linked.retain(|(_, of, _), _| *of != system("erp"));
    world.view.shadows.clear();
    let linked = world.accept(&pushed(json!({"name": "A", "email": "a@x.org"})));
    assert!(linked.link.is_some() && linked.refetch && linked.shadow.is_none());
    // Where nobody can look, it is the best that there is.
    let blind = Incoming { fetchable: false, ..pushed(json!({"name": "A", "email": "a@x.org"})) };
    assert!(restored().accept(&blind).shadow.is_some());
}

/// What the shadow had said is looked at again, though nothing differs: from then on it is known.
#[test]
fn a_first_sight_makes_the_shadow_known() {
    let mut world = restored();
    let seen = world.accept(&first_sight(json!({"name": "A", "email": "a@x.org", "note": "old"})));
    let (shadow, _) = seen.shadow.unwrap();
    assert_eq!(shadow.seen_at, Some(Wall(60_000)));
    assert!(!crate::unverified(&shadow, Some(Wall(50_000))));
    assert!(seen.decisions.is_empty());
}

/// A source that has moved and shows what the backup had may have shown something else in between, and others heard it.
#[test]
fn a_newer_state_like_the_backups_is_told_again() {
    let mut world = restored();
    let same = world.accept(&said("crm", "1", 55, json!({"name": "A", "email": "a@x.org", "note": "old"})));
    assert_eq!(raised(&same), ["to-erp", "to-marketing"]);
    assert!(same.facts.is_empty());
    let mut before = restored();
    before.view.restored_at = None;
    let same = before.accept(&said("crm", "1", 55, json!({"name": "A", "email": "a@x.org", "note": "old"})));
    assert_eq!(raised(&same), [""; 0]);
}

/// I8: a record that is new, or heard of for the first time, and outside a filter may have been within it after the backup
/// was taken: whoever would have to take it out again is asked.
#[test]
fn i8_what_has_left_a_filter_meanwhile_is_not_forgotten() {
    let outside: canonical::Condition =
        serde_json::from_value(json!({"field": "name", "equals": "B"})).unwrap();
    let told = |restored_at: Option<i64>, on_exit| {
        let mut world = World::new();
        for route in &mut world.routes {
            (route.filter, route.on_exit) = (vec![outside.clone()], on_exit);
        }
        world.view.restored_at = restored_at.map(Wall);
        raised(&world.accept(&said("crm", "1", 60, json!({"name": "A", "email": "a@x.org"})))).len()
    };
    assert_eq!(told(Some(50_000), OnExit::Archive), 2);
    assert_eq!(told(Some(50_000), OnExit::Keep), 0, "it may stay where it is");
    assert_eq!(told(None, OnExit::Archive), 0);
}

/// I8: the object that the backup knows is gone. Another one may have been made in its place since, so that nothing says any
/// more that this one is the record's; but it is known to be gone, and what comes late of it makes nothing new.
#[test]
fn i8_of_a_deleted_record_an_object_that_went_after_the_backup_may_have_been_replaced() {
    let gone = |from: &str, id: &str, order| Incoming {
        deleted: true,
        matches: Vec::new(),
        ..said(from, id, order, json!({}))
    };
    let ended = |mut world: World| {
        world.accept(&gone("crm", "1", 60));
        world
    };
    let mut world = ended(restored());
    let lost = world.accept(&gone("erp", "9", 61));
    assert_eq!(lost.unlink.unwrap().external_id, "9");
    assert!(lost.buried.is_some() && lost.record.is_none());
    assert!(
        world.accept(&Incoming { order: None, ..first_sight(json!({"email": "a@x.org"})) }).link.is_none()
    );
    let mut seen = restored();
    seen.accept(&said("erp", "9", 55, json!({"name": "A", "email": "a@x.org", "note": "old"})));
    assert_eq!(ended(seen).accept(&gone("erp", "9", 61)).unlink, None, "it was there since: it is the one");
    let mut seen = ended(restored());
    seen.schema.creators = vec![system("crm")];
    let unheard = seen.accept(&said("erp", "9", 61, json!({"name": "B", "email": "a@x.org"})));
    let (shadow, _) = unheard.shadow.unwrap();
    assert!(shadow.unknown.contains("name") && shadow.seen_at == Some(Wall(61_000)));
    assert_eq!(seen.accept(&gone("erp", "9", 62)).unlink, None, "it was there since, though nobody listened");
    let mut pushed = ended(restored());
    pushed.schema.creators = vec![system("crm")];
    pushed.accept(&Incoming { read: false, ..said("erp", "9", 61, json!({"name": "B"})) });
    assert!(pushed.accept(&gone("erp", "9", 62)).unlink.is_some(), "that may have been said before");
    let mut never = restored();
    never.view.restored_at = None;
    assert_eq!(ended(never).accept(&gone("erp", "9", 61)).unlink, None);
}
