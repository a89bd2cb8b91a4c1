//! Which record it is: what is gone, what was merged there, what comes back.

use super::*;

fn gone(from: &str, id: &str, order: i64) -> Incoming {
    Incoming { deleted: true, matches: Vec::new(), ..said(from, id, order, json!({})) }
}

fn pushed(from: &str, id: &str, order: i64, values: Value) -> Incoming {
    Incoming { read: false, complete: false, ..said(from, id, order, values) }
}

fn merged(from: &str, id: &str, into: &str) -> Incoming {
    Incoming {
        merged_into: Some(external(from, into)),
        matches: Vec::new(),
        ..pushed(from, id, 9, json!({}))
    }
}

/// I3: a deletion that overtakes the create leaves nothing to be made of it.
#[test]
fn i3_a_deletion_that_overtakes_its_create_makes_nothing() {
    let mut world = World::new();
    let end = world.accept(&gone("crm", "1", 5));
    assert!(end.buried.is_some() && end.record.is_none());
    let late = world.accept(&pushed("crm", "1", 4, json!({"name": "Ada"})));
    assert!(late.record.is_none() && late.link.is_none() && world.view.records.is_empty());
    // It was restored there.
    let again = world.accept(&pushed("crm", "1", 6, json!({"name": "Ada"})));
    assert!(again.record.is_some());
}

/// What has no place in the source's order is looked at; where that can't be, a person says.
#[test]
fn what_does_not_say_whether_it_is_from_before_the_end_is_looked_at() {
    let mut world = World::new();
    world.accept(&Incoming { order: None, ..gone("crm", "1", 5) });
    let unplaced = Incoming { stamped: true, ..pushed("crm", "1", 4, json!({"name": "Ada"})) };
    let doubt = world.accept(&unplaced);
    assert!(doubt.refetch && doubt.record.is_none());
    let Verdict::Quarantine(why) = world.decide(&Incoming { fetchable: false, ..unplaced.clone() }) else {
        panic!("not quarantined")
    };
    assert_eq!(why.class, "gone");
    let happened = Incoming { occurred_at: Some(Wall(6_000)), ..unplaced };
    assert!(world.accept(&happened).record.is_some());
    let read = World::new().accept(&said("crm", "1", 6, json!({"name": "Ada"})));
    assert!(read.record.is_some());
}

/// An object whose record stays when it goes is not linked again by what was said before.
#[test]
fn what_was_unlinked_is_not_linked_again_by_a_late_word() {
    let mut world = World::new();
    world.accept(&said("crm", "1", 1, json!({"email": "a@x.org"})));
    world.accept(&said("erp", "9", 1, json!({"email": "a@x.org"})));
    let end = world.accept(&gone("erp", "9", 6));
    assert!(end.unlink.is_some() && end.buried.is_some());
    let late = world.accept(&pushed("erp", "9", 5, json!({"email": "a@x.org", "hold": true})));
    assert!(late.link.is_none() && late.record.is_none());
}

/// A merge at a vendor moves the link: nothing is deleted, nothing archived.
#[test]
fn a_merge_there_moves_the_link() {
    let mut world = World::new();
    world.accept(&said("crm", "1", 1, json!({"name": "Ada", "email": "a@x.org"})));
    let moved = world.accept(&merged("crm", "1", "2"));
    assert!(moved.record.is_none() && moved.facts.is_empty());
    assert_eq!(moved.link.as_ref().unwrap().external_id, "2");
    assert_eq!(moved.unlink.as_ref().unwrap().external_id, "1");
    assert_eq!(moved.wanted, Some(external("crm", "2")));
    assert_eq!(moved.decisions[0].kind, DecisionKind::Repointed);
    // What is left there is told what the record says.
    assert_eq!(raised(&moved), ["to-crm"]);
    assert_eq!(world.only().alive, Alive::Live);
    // The object that is gone stays gone, and the one that stays is the record's.
    assert!(world.accept(&pushed("crm", "1", 8, json!({"name": "Late"}))).record.is_none());
    let next = world.accept(&said("crm", "2", 10, json!({"name": "Grace"})));
    assert_eq!(
        (next.record.unwrap().0.fields["name"].clone(), world.view.records.len()),
        (json!("Grace"), 1)
    );
    // Said again, it changes nothing.
    let again = world.accept(&merged("crm", "1", "2"));
    assert!(again.link.is_none() && again.unlink.is_none());
}

#[test]
fn a_merge_of_an_object_that_nobody_has_only_looks_at_what_is_left() {
    let mut world = World::new();
    let accepted = world.accept(&merged("crm", "1", "2"));
    assert_eq!((accepted.wanted, accepted.about), (Some(external("crm", "2")), None));
    assert!(world.accept(&pushed("crm", "1", 8, json!({"name": "Late"}))).record.is_none());
}

#[test]
fn a_merge_of_two_that_stand_for_two_records_needs_a_person() {
    let mut world = World::new();
    world.accept(&said("crm", "1", 1, json!({"email": "a@x.org"})));
    world.accept(&said("crm", "2", 1, json!({"email": "b@x.org"})));
    let Verdict::Quarantine(why) = world.decide(&merged("crm", "1", "2")) else { panic!("not quarantined") };
    assert_eq!(why.class, "merged_there");
    for id in world.view.records.keys() {
        assert!(why.message.contains(&id.to_string()), "{}", why.message);
    }
    assert_eq!(world.view.links.len(), 2);
}

/// What is pushed may be about an object that is gone: only one that is there is a duplicate.
#[test]
fn a_second_object_of_a_record_is_looked_at_before_it_is_a_duplicate() {
    let mut world = World::new();
    world.accept(&said("crm", "1", 1, json!({"email": "a@x.org"})));
    world.accept(&said("erp", "9", 1, json!({"email": "a@x.org"})));
    let late = world.accept(&pushed("erp", "8", 2, json!({"email": "a@x.org"})));
    assert!(late.refetch && late.link.is_none());
    assert!(world.accept(&gone("erp", "8", 3)).buried.is_some());
    let Verdict::Duplicate { reason, .. } = world.decide(&said("erp", "7", 4, json!({"email": "a@x.org"})))
    else {
        panic!("not a duplicate")
    };
    assert_eq!(reason.class, "duplicate_there");
}

/// Two objects of one record: when the one that it had is gone, the other one goes on in its place, and is read, since what it
/// said is old. Nothing of that is merged.
#[test]
fn a_duplicate_goes_on_when_the_object_beside_it_is_gone() {
    let duplicate = said("erp", "10", 2, json!({"email": "a@x.org", "consent": "yes"}));
    let left_alone = || {
        let mut world = World::new();
        world.accept(&said("crm", "1", 1, json!({"name": "Ada", "email": "a@x.org"})));
        world.accept(&said("erp", "9", 1, json!({"email": "a@x.org"})));
        world.remember("erp", "9", json!({"email": "a@x.org"}));
        assert!(matches!(world.decide(&duplicate), Verdict::Duplicate { .. }));
        let unlinked = world.accept(&gone("erp", "9", 3)).unlink.unwrap();
        assert_eq!(unlinked.external_id, "9");
        // A write of ours there is younger than what the duplicate said.
        world.view.shadows.values_mut().for_each(|shadow| shadow.written_at = Some(Wall(9_000_000)));
        (world, unlinked.record)
    };
    let woken = Incoming { waited: true, fetchable: true, ..duplicate.clone() };
    let (mut world, record) = left_alone();
    let accepted = world.accept(&woken);
    let link = accepted.link.unwrap();
    assert_eq!((link.external_id.as_str(), link.record), ("10", record));
    assert_eq!(accepted.wanted.as_ref(), Some(&woken.about));
    assert_eq!(accepted.record.unwrap().0.fields.get("consent"), None);
    assert!(accepted.raises.iter().any(|raise| raise.system == system("erp") && raise.again), "it is told");
    // Where nothing can be read by its id, what it said is all there is.
    let (mut world, _) = left_alone();
    let accepted = world.accept(&Incoming { fetchable: false, ..woken });
    assert_eq!(accepted.record.unwrap().0.fields["consent"], "yes");
    assert_eq!(accepted.link.unwrap().external_id, "10");
}

/// A person was asked to delete one of the two: that ends no record, whoever may delete. And where the other one is linked by
/// then, what it said is old.
#[test]
fn of_two_objects_of_a_record_one_may_go_and_the_record_stays() {
    let mut world = World::new();
    world.schema.deleters = [system("crm")].into();
    world.schema.on_delete = canonical::schema::OnDelete::Archive;
    world.accept(&said("crm", "1", 1, json!({"email": "a@x.org"})));
    let duplicate = said("crm", "2", 2, json!({"email": "a@x.org", "name": "Ada"}));
    assert!(matches!(world.decide(&duplicate), Verdict::Duplicate { .. }));
    world.view.beside.insert(external("crm", "1"));
    let gone = world.accept(&gone("crm", "1", 3));
    assert!(gone.record.is_none() && gone.unlink.is_some(), "{gone:?}");
    assert!(gone.decisions[0].rule.contains("one of two objects"), "{:?}", gone.decisions);
    let woken = Incoming { waited: true, fetchable: true, ..duplicate };
    assert!(world.accept(&woken).alone);
    let again = world.accept(&woken);
    assert!(again.refetch && again.record.is_none(), "{again:?}");
}

/// The record has another key by now: what an old word would make of it, a look tells better.
#[test]
fn a_duplicate_of_nothing_any_more_is_looked_at() {
    let mut world = World::new();
    world.accept(&said("crm", "1", 1, json!({"email": "a@x.org"})));
    world.accept(&said("erp", "9", 1, json!({"email": "a@x.org"})));
    let duplicate = said("erp", "10", 2, json!({"email": "a@x.org"}));
    assert!(matches!(world.decide(&duplicate), Verdict::Duplicate { .. }));
    world.accept(&said("crm", "1", 3, json!({"email": "b@x.org"})));
    let looked = world.accept(&Incoming { waited: true, fetchable: true, ..duplicate });
    assert!(looked.refetch && looked.link.is_none());
}

/// A record that comes back is found by its keys again.
#[test]
fn a_record_that_comes_back_has_its_match_keys_again() {
    let mut world = World::new();
    world.accept(&said("crm", "1", 1, json!({"email": "a@x.org"})));
    world.accept(&gone("crm", "1", 2));
    assert!(world.view.matches.values().all(Vec::is_empty));
    let back = world.accept(&said("crm", "1", 3, json!({"email": "a@x.org"})));
    assert_eq!(back.matches_added.len(), 1);
    let linked = world.accept(&said("erp", "9", 4, json!({"email": "a@x.org"})));
    assert!(linked.link.is_some() && world.view.records.len() == 1);
}

/// I4: what only a system knows is not written over by an older word of it.
#[test]
fn i4_an_older_word_does_not_write_over_extensions() {
    let mut world = World::new();
    let with = |order, tier: &str, read| Incoming {
        extensions: fields(json!({"tier": tier})),
        read,
        complete: read,
        ..said("crm", "1", order, json!({"name": "Ada"}))
    };
    world.accept(&with(5, "gold", true));
    assert!(world.accept(&with(4, "silver", false)).record.is_none());
    assert_eq!(world.only().extensions[&system("crm")]["tier"], "gold");
    world.accept(&with(6, "lead", false));
    assert_eq!(world.only().extensions[&system("crm")]["tier"], "lead");
}

/// Nothing is said to be reverted where nothing can write it back.
#[test]
fn an_edit_where_no_route_leads_is_refused_not_reverted() {
    let mut world = World::new();
    world.accept(&said("crm", "1", 1, json!({"email": "a@x.org"})));
    world.accept(&said("erp", "9", 1, json!({"email": "a@x.org"})));
    world.routes.retain(|route| route.system != system("erp"));
    let edit = world.accept(&said("erp", "9", 2, json!({"email": "b@x.org"})));
    assert_eq!(edit.decisions[0].kind, DecisionKind::Rejected);
    assert!(edit.raises.is_empty());
}

/// A contact that was deleted, and comes back: by its own object, or by another one that has its match key.
fn ended(on_recreate: OnRecreate) -> (World, RecordId) {
    let mut world = World::new();
    world.schema.on_recreate = on_recreate;
    world.accept(&said("crm", "1", 1, json!({"name": "Ada", "email": "a@x.org", "note": "old"})));
    world.accept(&gone("crm", "1", 2));
    let id = world.only().id;
    (world, id)
}

#[test]
fn an_object_that_is_there_again_brings_its_record_back_or_makes_a_new_one() {
    let back = said("crm", "1", 9, json!({"name": "Ada", "email": "a@x.org"}));
    for on_recreate in [OnRecreate::SameObject, OnRecreate::Revive] {
        let (mut world, id) = ended(on_recreate);
        let revived = world.accept(&back).record.unwrap().0;
        assert_eq!((revived.id, revived.version, &revived.alive), (id, 3, &Alive::Live));
        assert_eq!(revived.fields["note"], "old");
    }
    let (mut world, id) = ended(OnRecreate::New);
    // What is from before the end is late, and makes nothing.
    let late = world.accept(&Incoming { read: false, ..said("crm", "1", 1, json!({"name": "Eve"})) });
    assert!(late.record.is_none_or(|(record, _)| record.id == id));
    assert_eq!(world.view.records.len(), 1);
    let made = world.accept(&back);
    let (record, before) = made.record.clone().unwrap();
    assert_ne!(record.id, id);
    assert_eq!((before, record.version, made.facts[0].kind.as_str()), (0, 1, "contact.created"));
    assert!(!record.fields.contains_key("note"));
    assert_eq!(world.view.links[&external("crm", "1")].record, record.id);
    assert!(matches!(world.view.records[&id].alive, Alive::Deleted { .. }));
    // Its order goes on.
    let older = world.accept(&said("crm", "1", 8, json!({"name": "Eve"})));
    assert!(older.record.is_none_or(|(record, _)| record.fields["name"] == "Ada"));
}

/// One person makes one new record: which of its objects is there again first does not matter.
#[test]
fn of_the_objects_of_a_deleted_record_one_new_record_is_made() {
    let mut world = World::new();
    world.schema.on_recreate = OnRecreate::New;
    world.accept(&said("crm", "1", 1, json!({"name": "Ada", "email": "a@x.org"})));
    world.accept(&said("erp", "9", 1, json!({"email": "a@x.org"})));
    let ended = world.only().id;
    // The ERP's stays.
    world.accept(&gone("crm", "1", 2));
    world.accept(&said("crm", "1", 9, json!({"name": "Ada", "email": "a@x.org"})));
    let made = world.view.links[&external("crm", "1")].record;
    assert_ne!(made, ended);
    let edit = world.accept(&said("erp", "9", 10, json!({"email": "a@x.org", "hold": true})));
    assert_eq!((edit.about, world.view.records.len()), (Some(made), 2));
    assert_eq!(world.view.links[&external("erp", "9")].record, made);
    assert_eq!(world.view.records[&made].fields["hold"], json!(true));
    assert!(matches!(world.view.records[&ended].alive, Alive::Deleted { .. }));
    // Its order goes on.
    world.accept(&said("erp", "9", 8, json!({"email": "a@x.org", "hold": false})));
    assert_eq!(world.view.records[&made].fields["hold"], json!(true));
}

#[test]
fn another_object_with_its_key_makes_a_new_record_or_brings_it_back() {
    let other = said("crm", "2", 1, json!({"name": "Ada B.", "email": "a@x.org"}));
    let other = Incoming { as_of: Wall(9_000), ..other };
    for on_recreate in [OnRecreate::SameObject, OnRecreate::New] {
        let (mut world, id) = ended(on_recreate);
        assert_ne!(world.accept(&other).record.unwrap().0.id, id);
    }
    let (mut world, id) = ended(OnRecreate::Revive);
    assert!(world.accept(&Incoming { read: false, ..other.clone() }).refetch, "a late word looks the same");
    let stranger = Incoming { about: external("marketing", "7"), ..other.clone() };
    let Verdict::Quarantine(why) = world.decide(&stranger) else { panic!("not quarantined") };
    assert_eq!(why.class, "not_a_creator");
    let accepted = world.accept(&other);
    let revived = accepted.record.clone().unwrap().0;
    assert_eq!((revived.id, revived.version, &revived.alive), (id, 3, &Alive::Live));
    assert_eq!((&revived.fields["name"], &revived.fields["note"]), (&json!("Ada B."), &json!("old")));
    assert_eq!(raised(&accepted), ["to-erp", "to-marketing"]);
    let (former, _) = accepted.replaced.unwrap();
    assert_eq!(former, external("crm", "1"));
    // What was said of its former object before the end comes late, and makes nothing.
    let late = world.accept(&Incoming { read: false, ..said("crm", "1", 1, json!({"email": "a@x.org"})) });
    assert!(late.record.is_none() && late.link.is_none());
    // And it can end again.
    world.accept(&gone("crm", "2", 11));
    assert!(matches!(world.view.records[&id].alive, Alive::Deleted { .. }));
}

/// One that was deleted is not one that is known, even if it may be found.
#[test]
fn a_deleted_record_is_no_reference_data() {
    let (mut world, id) = ended(OnRecreate::Revive);
    world.schema.rules = vec![canonical::schema::ReferenceRule {
        name: "known".into(),
        field: field("note"),
        wants: canonical::schema::Wants::Record {
            entity: world.schema.entity.clone(),
            key: "email".into(),
            fold: true,
            normalise: Vec::new(),
        },
    }];
    let refers = said("crm", "5", 4, json!({"name": "Eve", "note": "a@x.org"}));
    let Verdict::Quarantine(why) = world.decide(&refers) else { panic!("not quarantined") };
    assert_eq!(why.class, "reference_data");
    // Nor by the key of an alias, whose record is the one that was deleted.
    let known =
        world.accept(&said("crm", "2", 3, json!({"name": "Ada B.", "email": "b@x.org"}))).about.unwrap();
    let refers = said("crm", "6", 5, json!({"name": "Eve", "note": "b@x.org"}));
    let alias = world.view.records.get_mut(&known).unwrap();
    alias.alive = Alive::Merged { into: id };
    let Verdict::Quarantine(why) = world.decide(&refers) else { panic!("not quarantined") };
    assert_eq!(why.class, "reference_data");
}

/// Another schema may have had other keys: with the first change under it, a record is found by those that count now, and no
/// longer by what it is not.
#[test]
fn a_record_of_an_older_schema_gets_the_keys_of_the_newer_one() {
    let mut world = World::new();
    world.accept(&said("crm", "1", 1, json!({"name": "Ada", "email": "ada@example.com"})));
    world.schema.version = 2;
    let same = world.accept(&said("crm", "1", 2, json!({"name": "Ada L", "email": "ada@example.com"})));
    assert_eq!(same.matches_added, [("email".to_owned(), "ada@example.com\u{1f}".to_owned())]);
    assert_eq!((same.matches_dropped.len(), world.only().schema), (0, 2));
    let next = world.accept(&said("crm", "1", 3, json!({"name": "Ada", "email": "ada@example.com"})));
    assert_eq!((next.matches_added.len(), next.matches_dropped.len()), (0, 0), "they stand");
    assert_eq!(next.facts.first().map(|fact| fact.schema), Some(2));
    world.schema.version = 3;
    let moved = world.accept(&said("crm", "1", 4, json!({"name": "Ada", "email": "al@example.com"})));
    assert_eq!(moved.matches_dropped, [("email".to_owned(), "ada@example.com\u{1f}".to_owned())]);
}
