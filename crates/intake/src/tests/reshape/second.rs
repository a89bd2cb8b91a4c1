//! Second objects of one system: nobody's word, and in the first one's place when that goes.

use super::*;

/// I6: what a second object says is nobody's word, and a person is told; how it stood says nothing.
#[test]
fn a_second_object_changes_nothing() {
    let (mut world, keep, gone) = two();
    world.merge((keep, gone));
    let stood = said("crm", "2", 4, json!({"name": "Ada B.", "email": "ada@y.org", "note": "second"}));
    let nothing = world.accept(&stood);
    assert!(nothing.record.is_none() && nothing.raises.is_empty());
    let pushed = Incoming { read: false, ..said("crm", "2", 5, json!({"name": "Ida"})) };
    assert!(world.accept(&pushed).refetch, "a late word is looked at first");
    let Verdict::Quarantine(why) = world.decide(&said("crm", "2", 6, json!({"name": "Ida"}))) else {
        panic!("not quarantined")
    };
    assert_eq!((why.class.as_str(), why.candidates), ("duplicate_there", vec![keep]));
    assert!(why.message.contains("crm:people/2") && why.message.contains("people/1"), "{}", why.message);
    // The vendor merges them: then it goes through.
    let end = world.accept(&merged_there("crm", "2", "1", 7));
    assert_eq!(end.unlink.as_ref().map(|link| link.external_id.as_str()), Some("2"));
    assert!(world.record(keep).second_objects(&system("crm"), &object("people")).next().is_none());
    let late = world.accept(&said("crm", "2", 6, json!({"name": "Ida"})));
    assert!(late.record.is_none() && late.link.is_none());
}

/// The first one is deleted there, or merged into the second: the second is the record's own, and the record stands.
#[test]
fn a_second_object_takes_over() {
    for end in [gone("crm", "1", 8), merged_there("crm", "1", "2", 8)] {
        let (mut world, keep, gone) = two();
        world.remember("crm", "2", json!({"name": "Ada B.", "note": "second"}));
        world.merge((keep, gone));
        let over = world.accept(&end);
        let (shadow, _) = over.shadow.clone().unwrap();
        assert_eq!(
            (shadow.record, &shadow.fields["note"]),
            (keep, &json!("second")),
            "it is known as before"
        );
        assert_eq!((world.id("crm", "2"), &world.record(keep).alive), (keep, &Alive::Live));
        assert!(!world.view.links.contains_key(&external("crm", "1")));
        assert_eq!(over.wanted, Some(external("crm", "2")));
        assert!(raised(&over).contains(&"to-crm".to_owned()));
        // By its own order, whatever the other's was.
        world.accept(&said("crm", "2", 5, json!({"name": "Ada Byron"})));
        assert_eq!(world.record(keep).fields["name"], "Ada Byron");
        // And then it is the last.
        world.accept(&self::gone("crm", "2", 9));
        assert!(matches!(world.record(keep).alive, Alive::Deleted { .. }));
    }
}

/// A has two objects in the CRM, one of them since B was merged into it; K has none there.
fn three() -> (World, [RecordId; 3]) {
    let mut world = World::new();
    world.accept(&said("erp", "9", 1, json!({"hold": true})));
    world.accept(&said("crm", "2", 2, json!({"name": "Ada"})));
    world.accept(&said("crm", "3", 3, json!({"name": "Ada B."})));
    let all = [world.id("erp", "9"), world.id("crm", "2"), world.id("crm", "3")];
    world.merge((all[1], all[2]));
    world.merge((all[0], all[1]));
    (world, all)
}

/// A second object is one of whoever its record is merged into next: it goes on in place of the first one there, too.
#[test]
fn a_second_object_is_one_of_the_next_survivor() {
    let stands = |world: &World, id| world.record(id).alive == Alive::Live;
    let (mut world, [k, a, b]) = three();
    assert_eq!((world.id("crm", "2"), world.id("crm", "3")), (k, b));
    world.accept(&gone("crm", "2", 8));
    assert!(stands(&world, k), "crm/3 stands");
    assert_eq!(world.id("crm", "3"), k);
    // It is a second one of the other record again, and goes on in place of that one's.
    let out = world.reshape(split, (k, a), &Prefer::new()).unwrap();
    assert_eq!((stands(&world, k), stands(&world, a)), (true, true));
    assert_eq!(world.id("crm", "3"), a);
    assert!(out.shown.objects.iter().any(|line| line.fate == Fate::Returns), "{:?}", out.shown.objects);
    world.reshape(split, (a, b), &Prefer::new()).unwrap();
    assert_eq!((stands(&world, a), stands(&world, b)), (false, true), "crm/2 was deleted");
    assert_eq!(world.id("crm", "3"), b);

    // The last of both takes the record along, and neither of those that had none.
    let (mut world, [k, a, _]) = three();
    world.accept(&gone("crm", "2", 8));
    world.accept(&gone("crm", "3", 9));
    assert!(!stands(&world, k));
    world.reshape(split, (k, a), &Prefer::new()).unwrap();
    assert_eq!((stands(&world, k), stands(&world, a)), (true, false));

    // As long as both stand, nothing of them is lost by two splits.
    let (mut world, [k, a, b]) = three();
    let out = world.reshape(split, (k, a), &Prefer::new()).unwrap();
    assert!(out.shown.objects.iter().all(|line| line.fate != Fate::Lost), "{:?}", out.shown.objects);
    let second = external("crm", "3");
    let (crm, people) = (system("crm"), object("people"));
    assert_eq!(world.record(a).second_objects(&crm, &people).collect::<Vec<_>>(), [&second]);
    world.accept(&gone("crm", "3", 9));
    world.reshape(split, (a, b), &Prefer::new()).unwrap();
    assert_eq!((stands(&world, a), stands(&world, b)), (true, false));
}

/// I6: what was left as a second object is the record's own once the first one there has left a filter. What is known of it is
/// known still, or what was written to it by its former record were somebody's edit; and it is told what the record says.
#[test]
fn i6_a_second_object_comes_home_with_what_is_known_of_it() {
    let (mut world, keep, gone) = two();
    world.accept(&said("erp", "8", 4, json!({"email": "ada@x.org", "hold": true})));
    assert_eq!(world.id("erp", "8"), keep);
    world.remember("erp", "8", json!({"email": "ada@x.org", "name": "Ada"}));
    world.remember("erp", "9", json!({"email": "ada@y.org", "name": "Ada B.", "note": "second"}));
    let about = external("erp", "9");
    world.merge((keep, gone));
    // The first one was archived: it left its filter.
    world.view.links.remove(&external("erp", "8"));
    world.view.linked.remove(&(keep, system("erp"), object("people")));
    assert_eq!(world.view.shadow_of(keep, &about).map(|shadow| shadow.record), Some(gone));
    let home = world.accept(&said("erp", "9", 9, json!({"email": "ada@y.org", "name": "Ada B."})));
    assert_eq!((world.id("erp", "9"), raised(&home)), (keep, vec!["to-erp".to_owned()]));
    let (shadow, _) = home.shadow.unwrap();
    assert_eq!((shadow.record, shadow.external_id.as_deref()), (keep, Some("9")));
    assert_eq!(shadow.fields["note"], "second", "what it did not say is known, too");
}
