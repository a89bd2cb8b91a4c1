//! A split gives both back, with what each one's objects said since.

use super::*;

/// What was said since goes to whom it belongs.
#[test]
fn a_split_gives_both_what_their_own_objects_said() {
    let (mut world, keep, gone) = two();
    world.merge((keep, gone));
    world.accept(&said("erp", "9", 20, json!({"hold": false, "note": "from erp"})));
    world.accept(&said("crm", "1", 21, json!({"name": "Ada L."})));
    let at = (world.record(keep).version, world.record(gone).version);
    let out = world.reshape(split, (keep, gone), &Prefer::new()).unwrap();
    let (one, other) = (world.record(keep), world.record(gone));
    assert_eq!((one.version, other.version), (at.0 + 1, at.0.max(at.1) + 1));
    assert_eq!(other.alive, Alive::Live);
    assert_eq!((&other.fields["hold"], &other.fields["note"]), (&json!(false), &json!("from erp")));
    assert_eq!((&other.fields["name"], &other.fields["email"]), (&json!("Ada B."), &json!("ada@y.org")));
    assert_eq!((&one.fields["name"], &one.fields["note"]), (&json!("Ada L."), &json!("first")));
    assert!(!one.fields.contains_key("hold") && one.absorbed.is_empty());
    assert_eq!((world.id("erp", "9"), world.id("crm", "2")), (gone, gone));
    // Whoever was a duplicate may have said something that nobody heard.
    assert!(out.wanted.contains(&external("crm", "2")) && out.wanted.contains(&external("erp", "9")));
    let kinds: Vec<&str> = out.facts.iter().map(|fact| fact.kind.as_str()).collect();
    assert_eq!(kinds, ["contact.updated", "contact.split", "contact.updated"]);
    let ids: BTreeSet<_> = out.facts.iter().map(|fact| fact.id).collect();
    assert_eq!(ids.len(), 3);
}

/// An alias is found by its match keys, and so is the record that comes back, whatever became of its keys meanwhile.
#[test]
fn an_alias_keeps_its_match_keys() {
    let (mut world, keep, gone) = two();
    world.merge((keep, gone));
    let keys = crate::kept_keys(&world.schema, world.record(gone));
    assert_eq!(keys, match_values(&world.schema, &fields(json!({"email": "ada@y.org"}))));
    world.view.matches.clear();
    world.reshape(split, (keep, gone), &Prefer::new()).unwrap();
    world.accept(&said("marketing", "m", 4, json!({"email": "ada@y.org", "consent": "no"})));
    assert_eq!(world.id("marketing", "m"), gone);
}

/// What came with a record that was merged later is nobody else's: the last one is split first.
#[test]
fn what_was_merged_last_is_split_first() {
    let mut world = World::new();
    for (order, (from, id, note)) in
        [("crm", "1", "one's"), ("erp", "2", "two's"), ("marketing", "3", "three's")].into_iter().enumerate()
    {
        world.schema.creators = vec![system(from)];
        world.accept(&said(from, id, order as i64 + 1, json!({"note": note})));
    }
    let [one, two, three] =
        [("crm", "1"), ("erp", "2"), ("marketing", "3")].map(|(from, id)| world.id(from, id));
    world.merge((one, two));
    world.merge((one, three));
    let refused = world.reshape(split, (one, two), &Prefer::new()).unwrap_err();
    assert!(
        refused.contains(&format!("split that one first (concord record split Contact/{three})")),
        "{refused}"
    );
    for gone in [three, two] {
        world.reshape(split, (one, gone), &Prefer::new()).unwrap();
    }
    let notes = [one, two, three].map(|id| world.record(id).fields["note"].clone());
    assert_eq!(notes, ["one's", "two's", "three's"]);
}

/// A value that came since the merge, of which nobody knows who said it, stays with the survivor.
#[test]
fn a_value_of_unknown_origin_is_not_taken_for_an_older_one() {
    let (mut world, keep, gone) = two();
    world.merge((keep, gone));
    let record = world.view.records.get_mut(&keep).unwrap();
    assert!(!record.provenance.contains_key("consent"));
    record.fields.insert("consent".to_owned(), json!("no"));
    world.reshape(split, (keep, gone), &Prefer::new()).unwrap();
    assert_eq!(world.record(keep).fields.get("consent"), Some(&json!("no")));
    assert!(!world.record(gone).fields.contains_key("consent"));
}

/// Whose object was deleted while the records were one is deleted once they are two, and nobody else is.
#[test]
fn a_split_knows_whose_object_was_deleted() {
    let stands = |world: &World, id| world.record(id).alive == Alive::Live;
    // The second one, the first one, and the only one that there is of the two.
    for (object, survives) in [("2", true), ("1", false)] {
        let (mut world, keep, gone) = two();
        world.merge((keep, gone));
        world.accept(&self::gone("crm", object, 8));
        assert!(stands(&world, keep), "one object is left");
        let out = world.reshape(split, (keep, gone), &Prefer::new()).unwrap();
        assert_eq!((stands(&world, keep), stands(&world, gone)), (survives, !survives), "{object}");
        assert!(out.shown.irreversible.iter().any(|line| line.contains("is deleted")), "{object}");
    }
    let mut world = World::new();
    world.accept(&said("erp", "9", 1, json!({"hold": true})));
    world.accept(&said("crm", "2", 2, json!({"name": "Ada"})));
    let (keep, gone) = (world.id("erp", "9"), world.id("crm", "2"));
    world.merge((keep, gone));
    world.accept(&self::gone("crm", "2", 8));
    assert!(!stands(&world, keep));
    world.reshape(split, (keep, gone), &Prefer::new()).unwrap();
    assert_eq!((stands(&world, keep), stands(&world, gone)), (true, false));
}

/// I8: the record had left a filter and was still to be taken out there when it was merged: that delivery made way. Split again, it
/// is raised anew; what had reached its object, or is raised in any case, is not.
#[test]
fn i8_what_made_way_for_a_merge_is_owed_again_after_the_split() {
    use ledger::{Aside, Level, Obligation, ObligationKey, State, Subject};
    let raised = |state: State, passes: bool| {
        let (mut world, keep, gone) = two();
        let name = if passes { "Ada B." } else { "somebody else" };
        let condition = json!({"field": "name", "equals": name});
        for route in world.routes.iter_mut().filter(|route| route.id == "to-erp".into()) {
            route.filter = vec![serde_json::from_value(condition.clone()).unwrap()];
            route.on_exit = OnExit::Archive;
        }
        world.merge((keep, gone));
        let row = |context: Context<'_>| Obligation {
            key: ObligationKey {
                tenant: context.tenant.clone(),
                route: "to-erp".into(),
                subject: Subject::Record(gone),
            },
            seq: 1,
            system: system("erp"),
            object: object("people"),
            entity: context.schema.entity.clone(),
            record: gone,
            lane: ledger::Lane::Standard,
            wanted: Level::default(),
            reached: Level::default(),
            state,
            attempts: 0,
            due: Wall(1),
            raised_at: Wall(1),
            folded: 0,
            waiting: None,
            reason: None,
            trace: String::new(),
            aside: Aside::default(),
        };
        let out = world.reshape(
            |context, order, carried| {
                let theirs = Whole { obligations: vec![row(context)], ..order.gone.clone() };
                split(context, Order { gone: &theirs, ..order }, carried)
            },
            (keep, gone),
            &Prefer::new(),
        );
        let raises = out.unwrap().raises;
        raises.iter().filter(|raise| raise.record == gone && raise.key.route == "to-erp".into()).count()
    };
    assert_eq!(raised(State::Superseded, false), 1);
    assert_eq!(raised(State::Superseded, true), 1);
    assert_eq!(raised(State::Delivered, false), 0);
}
