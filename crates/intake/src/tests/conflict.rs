//! Policies: who counts where two systems say different things, and what waits for a person.

use canonical::schema::Ownership;
use canonical::{Open, OpenKind};

use super::*;
use crate::{Choice, settle};

/// A contact whose fields follow one policy each: `score` the smaller, `limit` the greater, `tags` both, `phone` the
/// latest, `title` is proposed to the CRM.
fn world() -> World {
    let mut world = World::new();
    let mut add = |name: &str, kind, owner, policy| {
        world.schema.fields.insert(field(name), spec(kind, owner, policy));
    };
    add("score", FieldType::Integer, None, OnConflict::Min);
    add("limit", FieldType::Decimal, Some("erp"), OnConflict::Max);
    add("tags", FieldType::List { set: true }, None, OnConflict::Union);
    add("phone", FieldType::Text, None, OnConflict::Latest);
    add("title", FieldType::Text, Some("crm"), OnConflict::Propose);
    world.accept(&said("crm", "1", 1, json!({"name": "Ada", "email": "a@x.org"})));
    world.accept(&said("erp", "9", 1, json!({"email": "a@x.org"})));
    world.accept(&said("marketing", "m", 1, json!({"email": "a@x.org"})));
    world
}

fn id(from: &str) -> &'static str {
    match from {
        "crm" => "1",
        "erp" => "9",
        _ => "m",
    }
}

fn says(from: &str, order: i64, values: Value) -> Incoming {
    said(from, id(from), order, values)
}

/// The same, changed there at that second by that system's clock.
fn changed(from: &str, order: i64, second: i64, values: Value) -> Incoming {
    let mut said = says(from, order, values);
    said.changed_at = Some(Wall(second * 1_000_000));
    said.as_of = Wall(1_000_000_000 + order);
    said
}

fn kinds(accepted: &Accepted) -> Vec<&'static str> {
    accepted.decisions.iter().map(|decision| decision.kind.name()).collect()
}

fn value(world: &World, name: &str) -> Value {
    world.only().fields.get(name).cloned().unwrap_or_default()
}

fn open(world: &World, name: &str) -> Option<Open> {
    world.only().open.get(&field(name)).cloned()
}

#[test]
fn the_smaller_the_greater_and_both_count_in_whatever_order() {
    let words = [
        ("crm", json!({"score": 5, "limit": "100", "tags": ["a", "b"]})),
        ("erp", json!({"score": 3, "limit": "20", "tags": ["b", "c"]})),
        ("marketing", json!({"score": 9, "limit": "300.5", "tags": []})),
    ];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2]] {
        let mut world = world();
        // The owner's own word replaces; here nobody but the others has a limit to say.
        world.schema.fields.get_mut(&field("limit")).unwrap().owner = None;
        for (turn, which) in order.into_iter().enumerate() {
            let (from, values) = &words[which];
            world.accept(&says(from, 10 + turn as i64, values.clone()));
        }
        assert_eq!(value(&world, "score"), 3, "{order:?}");
        assert_eq!(value(&world, "limit"), "300.5", "{order:?}");
        assert_eq!(value(&world, "tags"), json!(["a", "b", "c"]), "{order:?}");
    }
}

#[test]
fn who_says_less_is_told_and_an_owner_replaces() {
    let mut world = world();
    world.accept(&says("erp", 2, json!({"limit": "100"})));
    let less = world.accept(&says("crm", 2, json!({"limit": "40"})));
    assert_eq!(kinds(&less), ["merged"]);
    assert_eq!(raised(&less), ["to-crm"]);
    assert_eq!(value(&world, "limit"), "100");
    let more = world.accept(&says("crm", 3, json!({"limit": "140"})));
    assert!(raised(&more).contains(&"to-erp".to_owned()));
    assert_eq!(value(&world, "limit"), "140");
    let another =
        Incoming { known: fields(json!({"limit": "140"})), ..says("erp", 3, json!({"limit": "10"})) };
    world.accept(&another);
    assert_eq!(value(&world, "limit"), "10");
}

#[test]
fn what_changed_last_counts_whenever_it_arrives() {
    for late in [false, true] {
        let mut world = world();
        let early = changed("crm", 10, 100, json!({"phone": "old"}));
        let newer = changed("erp", 10, 120, json!({"phone": "new"}));
        let (first, second) = if late { (newer, early) } else { (early, newer) };
        world.accept(&first);
        let last = world.accept(&second);
        assert_eq!(value(&world, "phone"), "new");
        assert_eq!(kinds(&last), [if late { "stale" } else { "merged" }]);
        // Who has the older one is told.
        assert!(raised(&last).contains(&"to-crm".to_owned()));
    }
}

#[test]
fn within_the_clocks_skew_the_owner_counts_then_the_preferred_then_the_first() {
    let both = |world: &mut World| {
        world.accept(&changed("crm", 10, 100, json!({"phone": "crm"})));
        world.accept(&changed("erp", 10, 105, json!({"phone": "erp"})));
        value(world, "phone")
    };
    assert_eq!(both(&mut world()), "crm");
    let mut preferred = world();
    preferred.schema.fields.get_mut(&field("phone")).unwrap().prefer = vec![system("erp"), system("crm")];
    assert_eq!(both(&mut preferred), "erp");
    preferred.schema.fields.get_mut(&field("phone")).unwrap().owner = Some(system("crm"));
    let mut owned = preferred;
    owned.view = world().view;
    assert_eq!(both(&mut owned), "crm");
    // One microsecond beyond, the clocks tell.
    let mut beyond = world();
    beyond.accept(&changed("crm", 10, 100, json!({"phone": "crm"})));
    let mut later = changed("erp", 10, 105, json!({"phone": "erp"}));
    later.changed_at = Some(Wall(105_000_001));
    beyond.accept(&later);
    assert_eq!(value(&beyond, "phone"), "erp");
}

#[test]
fn what_no_clock_can_tell_waits_for_a_person_and_nothing_moves() {
    let mut world = world();
    world.accept(&changed("crm", 10, 100, json!({"phone": "crm"})));
    let silent = world.accept(&says("erp", 10, json!({"phone": "erp"})));
    assert_eq!((kinds(&silent), raised(&silent)), (vec!["conflict"], vec![]));
    assert_eq!(value(&world, "phone"), "crm");
    let waits = open(&world, "phone").unwrap();
    assert_eq!((waits.kind, waits.system, waits.value), (OpenKind::Conflict, system("erp"), json!("erp")));
    // Said again, it is the same conflict.
    assert!(world.accept(&says("erp", 11, json!({"phone": "erp"}))).decisions.is_empty());
    let mut ahead = changed("erp", 12, 0, json!({"phone": "mine"}));
    ahead.changed_at = Some(Wall(ahead.as_of.0 + 3_600_000_000));
    assert_eq!(kinds(&world.accept(&ahead)), ["conflict"]);
    // A newer word settles it.
    assert_eq!(kinds(&world.accept(&changed("crm", 13, 900, json!({"phone": "crm 2"})))), ["settled"]);
    assert_eq!((value(&world, "phone"), open(&world, "phone")), (json!("crm 2"), None));
}

#[test]
fn a_proposal_is_told_to_the_owner_who_takes_it_or_not() {
    let mut world = world();
    world.schema.counter_writes_max = 3;
    world.accept(&says("crm", 2, json!({"title": "Dr"})));
    let proposed = world.accept(&says("erp", 2, json!({"title": "Prof"})));
    assert_eq!((kinds(&proposed), raised(&proposed)), (vec!["proposed"], vec!["to-crm".to_owned()]));
    assert!(proposed.facts.is_empty() && value(&world, "title") == "Dr");
    let schema = world.schema.clone();
    assert_eq!(world.only().said_to(&system("crm"), &schema)["title"], "Prof");
    assert_eq!(world.only().said_to(&system("erp"), &schema)["title"], "Dr");
    assert_eq!(world.only().held_at(&system("erp")).count(), 1);
    // The owner's old state is no answer.
    assert!(world.accept(&says("crm", 3, json!({"title": "Dr"}))).decisions.is_empty());
    let taken = world.accept(&says("crm", 4, json!({"title": "Prof"})));
    assert_eq!((kinds(&taken), open(&world, "title")), (vec!["accepted"], None));
    assert_eq!(value(&world, "title"), "Prof");

    world.accept(&says("erp", 5, json!({"title": "King"})));
    let declined = world.accept(&says("crm", 6, json!({"title": "Dr"})));
    assert_eq!((kinds(&declined), open(&world, "title")), (vec!["declined"], None));
    assert!(raised(&declined).contains(&"to-erp".to_owned()));

    // It had what was proposed, and has its own again.
    world.accept(&says("erp", 7, json!({"title": "Queen"})));
    let back =
        Incoming { known: fields(json!({"title": "Queen"})), ..says("crm", 8, json!({"title": "Dr"})) };
    let declined = world.accept(&back);
    assert_eq!((kinds(&declined), raised(&declined)), (vec!["declined"], vec!["to-erp".to_owned()]));
}

#[test]
fn a_proposal_without_a_way_to_the_owner_is_refused() {
    let mut world = world();
    world.accept(&says("crm", 2, json!({"title": "Dr"})));
    world.routes.retain(|route| route.system != system("crm"));
    let refused = world.accept(&says("erp", 2, json!({"title": "Prof"})));
    assert_eq!((kinds(&refused), open(&world, "title")), (vec!["rejected"], None));
}

/// Whoever keeps changing it is left alone until a person has settled it, however long that takes.
#[test]
fn what_is_frozen_stays_so_until_it_is_settled() {
    let mut world = world();
    let hour = 3_600_000_000;
    let edit = |world: &mut World, turn: i64, at: i64| {
        let mut said = says("erp", turn, json!({"email": format!("{turn}@x.org")}));
        said.as_of = Wall(at);
        let accepted = world.accept(&said);
        (kinds(&accepted), raised(&accepted))
    };
    for turn in 2..4 {
        assert_eq!(edit(&mut world, turn, turn), (vec!["reverted"], vec!["to-erp".to_owned()]));
    }
    assert_eq!(edit(&mut world, 4, 4), (vec!["frozen"], vec![]));
    assert_eq!(edit(&mut world, 5, 3 * hour), (vec!["rejected"], vec![]));
    assert_eq!(open(&world, "email").unwrap().value, "5@x.org");
    // The owner's next value does not thaw it.
    world.accept(&says("crm", 9, json!({"email": "new@x.org"})));
    assert_eq!(open(&world, "email").unwrap().kind, OpenKind::Frozen);
    let version = world.only().version;
    let kept = settles(
        &mut World {
            schema: world.schema.clone(),
            routes: world.routes.clone(),
            view: world.view.clone(),
            turn: 99,
        },
        "email",
        Choice::Record,
    )
    .unwrap();
    let (settled, before) = kept.record.clone().unwrap();
    assert_eq!((settled.version, before, settled.open.len()), (version, version, 0));
    assert_eq!((kinds(&kept), raised(&kept)), (vec!["settled"], vec!["to-erp".to_owned()]));
    // The CRM owns it: it is told, and its word is the answer.
    let other = settles(&mut world, "email", Choice::Other).unwrap();
    assert_eq!((kinds(&other), raised(&other)), (vec!["settled"], vec!["to-crm".to_owned()]));
    assert_eq!(open(&world, "email").unwrap().kind, OpenKind::Proposed);
    let schema = world.schema.clone();
    assert_eq!(world.only().said_to(&system("crm"), &schema)["email"], "5@x.org");
    assert!(settles(&mut world, "email", Choice::Other).unwrap_err().contains("crm owns email"));
    let taken = world.accept(&says("crm", 10, json!({"email": "5@x.org"})));
    assert_eq!((kinds(&taken), open(&world, "email")), (vec!["accepted"], None));
    assert!(settles(&mut world, "name", Choice::Record).is_err());
}

fn settles(world: &mut World, name: &str, choice: Choice) -> Result<Accepted, String> {
    let tenant = Tenant::new("acme").unwrap();
    let routes: Vec<&Route> = world.routes.iter().collect();
    let context = Context {
        tenant: &tenant,
        schema: &world.schema,
        routes: &routes,
        now: Wall(4 * 3_600_000_000),
        event: EventId::from_parts(Wall(1), 1),
        fresh: RecordId::from_parts(Wall(1), 1),
        restored_at: None,
    };
    let record = *world.view.records.keys().next().unwrap();
    settle(context, &mut world.view, record, &field(name), &choice, "ann: it was a script", "t")
}

/// What a person takes from the other system is the record's as if it had been said: it is found by it, and told of.
#[test]
fn what_a_person_takes_is_said_like_anything_else() {
    let mut world = world();
    let key = MatchKey {
        name: "phone".into(),
        fields: vec![field("phone")],
        fold: false,
        normalise: vec![],
        when: vec![],
    };
    world.schema.match_keys.push(key);
    world.accept(&changed("crm", 10, 100, json!({"phone": "1"})));
    world.accept(&says("erp", 10, json!({"phone": "2"})));
    let taken = settles(&mut world, "phone", Choice::Other).unwrap();
    assert_eq!(taken.matches_added, [("phone".to_owned(), "2\u{1f}".to_owned())]);
    assert_eq!(taken.facts[0].kind, "contact.updated");
    assert_eq!(raised(&taken), ["to-crm", "to-erp", "to-marketing"]);
    assert_eq!((value(&world, "phone"), open(&world, "phone")), (json!("2"), None));
}

/// The same again is no other word: what others brought in stays.
#[test]
fn an_owner_that_repeats_itself_takes_nothing_away() {
    let mut world = world();
    world.schema.fields.get_mut(&field("tags")).unwrap().owner = Some(system("crm"));
    world.accept(&says("crm", 2, json!({"tags": ["a"]})));
    world.accept(&says("erp", 2, json!({"tags": ["vip"]})));
    let known = fields(json!({"tags": ["a"]}));
    let again = Incoming { known: known.clone(), ..says("crm", 3, json!({"tags": ["a"], "title": "Dr"})) };
    world.accept(&again);
    assert_eq!(value(&world, "tags"), json!(["a", "vip"]));
    world.accept(&Incoming { known, ..says("crm", 4, json!({"tags": ["b"]})) });
    assert_eq!(value(&world, "tags"), json!(["b"]));
    // Where nothing tells what it said before, it is one of all.
    world.accept(&says("crm", 5, json!({"tags": ["c"]})));
    assert_eq!(value(&world, "tags"), json!(["b", "c"]));
}

#[test]
fn what_is_open_about_one_system_is_not_lost_to_another() {
    let mut world = world();
    world.accept(&changed("crm", 10, 100, json!({"phone": "crm"})));
    world.accept(&says("erp", 10, json!({"phone": "erp"})));
    let second = world.accept(&says("marketing", 10, json!({"phone": "m"})));
    assert_eq!(kinds(&second), ["rejected"]);
    assert_eq!(open(&world, "phone").unwrap().system, system("erp"));
    world.schema.counter_writes_max = 5;
    world.accept(&says("crm", 20, json!({"title": "Dr"})));
    world.accept(&says("erp", 20, json!({"title": "Prof"})));
    let later = world.accept(&says("marketing", 20, json!({"title": "Sir"})));
    assert_eq!(
        (kinds(&later), open(&world, "title").unwrap().system),
        (vec!["declined", "proposed"], system("marketing"))
    );
    assert_eq!(raised(&later), ["to-crm", "to-erp"]);
}

/// A clock that is ahead does not win until that time has come.
#[test]
fn a_clock_that_is_ahead_wins_nothing() {
    let mut world = world();
    let mut ahead = changed("crm", 10, 0, json!({"phone": "crm"}));
    ahead.changed_at = Some(Wall(ahead.as_of.0 + 3_600_000_000));
    world.accept(&ahead);
    assert_eq!(kinds(&world.accept(&changed("erp", 10, 100, json!({"phone": "erp"})))), ["conflict"]);
}

#[test]
fn what_agrees_again_is_settled() {
    let mut world = world();
    world.accept(&changed("crm", 10, 100, json!({"phone": "crm"})));
    world.accept(&says("erp", 10, json!({"phone": "erp"})));
    let version = world.only().version;
    let agreed = world.accept(&says("erp", 11, json!({"phone": "crm"})));
    assert_eq!((kinds(&agreed), open(&world, "phone")), (vec!["settled"], None));
    assert_eq!(agreed.record.unwrap().0.version, version);
}

/// A lead belongs to the CRM until an order exists.
fn leads() -> World {
    let mut world = world();
    let stage = spec(FieldType::Text, Some("crm"), OnConflict::Reject);
    world.schema.fields.insert(field("stage"), stage);
    let mut address = spec(FieldType::Text, Some("crm"), OnConflict::Reject);
    let ordered =
        Condition { field: field("hold"), equals: Some(json!(true)), one_of: None, not: None, present: None };
    address.owners = vec![Ownership { owner: system("erp"), when: vec![ordered] }];
    world.schema.fields.insert(field("address"), address);
    world
}

/// I5: what its former owner said is being written there while it makes the field its own: what stands there then is its word,
/// and it is asked for it.
#[test]
fn i5_who_takes_over_what_is_being_written_there_is_asked_again() {
    let asked = |writing| {
        let mut world = leads();
        world.accept(&says("crm", 2, json!({"address": "Here 1"})));
        let moves = Incoming {
            writing: fields(writing),
            known: fields(json!({"address": "Here 1"})),
            ..says("erp", 3, json!({"address": "There 3", "hold": true}))
        };
        world.accept(&moves).reread.contains(&system("erp"))
    };
    assert!(asked(json!({"address": "Here 1"})) && !asked(json!({})));
}

#[test]
fn ownership_moves_with_the_record() {
    let mut world = leads();
    world.accept(&says("crm", 2, json!({"address": "Here 1"})));
    assert_eq!(kinds(&world.accept(&says("erp", 2, json!({"address": "There 2"})))), ["rejected"]);
    // One message that moves it and uses it: what it says of itself counts first, in whatever order its fields stand.
    let moves = world.accept(&says("erp", 3, json!({"address": "There 3", "hold": true})));
    assert_eq!(kinds(&moves), ["moved"]);
    assert_eq!(value(&world, "address"), "There 3");
    assert_eq!(kinds(&world.accept(&says("crm", 3, json!({"address": "Here 4"})))), ["rejected"]);
    // And back: its owner is asked for its word.
    let back = world.accept(&says("erp", 4, json!({"hold": false})));
    assert_eq!(kinds(&back), ["moved"]);
    assert_eq!(back.reread.into_iter().collect::<Vec<_>>(), [system("crm")]);
    world.accept(&says("crm", 5, json!({"address": "Here 5"})));
    assert_eq!(value(&world, "address"), "Here 5");
    // Whose own message moves it is asked, too, where that message says nothing of the field.
    let part = Incoming { complete: false, read: false, ..says("erp", 6, json!({"hold": true})) };
    assert!(world.accept(&part).reread.contains(&system("erp")));
}

#[test]
fn a_blank_owner_value_takes_the_first_and_says_so() {
    let mut world = world();
    let filled = world.accept(&says("erp", 2, json!({"title": "Dr"})));
    assert_eq!((kinds(&filled), value(&world, "title")), (vec!["filled"], json!("Dr")));
}

/// I6: what is brought together is written to the owner, too. Until it has it, what it had before is not its word against it.
#[test]
fn i6_an_owner_that_has_what_it_had_says_nothing_new() {
    let mut world = world();
    world.accept(&says("erp", 2, json!({"limit": "100"})));
    world.accept(&says("crm", 2, json!({"limit": "140"})));
    let mut before = says("erp", 3, json!({"limit": "100", "name": "Ada"}));
    before.known = fields(json!({"limit": "100"}));
    world.accept(&before);
    assert_eq!(value(&world, "limit"), "140");
    // Nor is what may be older than our own write there: it is read again.
    world.remember("erp", "9", json!({"limit": "140"}));
    world.view.shadows.values_mut().for_each(|shadow| shadow.token = Some(OrderToken(20)));
    let known = fields(json!({"limit": "140"}));
    let pushed =
        |order| Incoming { read: false, known: known.clone(), ..says("erp", order, json!({"limit": "120"})) };
    let behind = world.accept(&pushed(15));
    assert!(behind.refetch && value(&world, "limit") == "140");
    // Where nobody can read it, it counts, and is said there again.
    let blind = world.accept(&Incoming { fetchable: false, ..pushed(16) });
    assert!(raised(&blind).contains(&"to-erp".to_owned()) && value(&world, "limit") == "120");
}

/// I6: an owner that has its own value still, as it stood before the proposal was written there, declines nothing.
#[test]
fn i6_a_sight_from_before_a_proposal_was_written_declines_nothing() {
    let mut world = world();
    world.accept(&says("crm", 2, json!({"title": "Dr"})));
    world.accept(&says("erp", 2, json!({"title": "Prof"})));
    world.remember("crm", "1", json!({"title": "Prof"}));
    world.view.shadows.values_mut().for_each(|shadow| shadow.token = Some(OrderToken(20)));
    let owner = |order| Incoming {
        known: fields(json!({"title": "Prof"})),
        ..says("crm", order, json!({"title": "Dr"}))
    };
    let lagging = world.accept(&owner(15));
    assert!(lagging.decisions.is_empty() && open(&world, "title").is_some());
    assert_eq!(kinds(&world.accept(&owner(21))), ["declined"]);
}

/// I5: a write that crosses what is said there may come after it: what counts is said there again.
#[test]
fn i5_what_crosses_a_write_is_said_there_again() {
    let mut world = world();
    world.accept(&says("crm", 2, json!({"score": 5})));
    let crossing = |order, score| Incoming {
        writing: fields(json!({"score": 5})),
        ..says("erp", order, json!({"score": score}))
    };
    let crossed = world.accept(&crossing(3, 3));
    assert!(value(&world, "score") == 3 && raised(&crossed).contains(&"to-erp".to_owned()));
    // What nothing crosses is not.
    let known = |score| fields(json!({"score": score}));
    let plain = world.accept(&Incoming { known: known(3), ..says("erp", 4, json!({"score": 2})) });
    assert!(value(&world, "score") == 2 && !raised(&plain).contains(&"to-erp".to_owned()));
    // An object that was just adopted is written to, and nobody knows yet what it has.
    let adopted = world.accept(&says("erp", 5, json!({"score": 1})));
    assert!(value(&world, "score") == 1 && raised(&adopted).contains(&"to-erp".to_owned()));
}

/// A field that is read there and never written is not told there again: nothing is on its way to it.
#[test]
fn what_is_never_written_there_crosses_nothing() {
    let mut world = world();
    world.accept(&says("crm", 2, json!({"score": 5})));
    world.accept(&says("erp", 3, json!({"name": "Ada"})));
    let read_only = Incoming { written: Arc::default(), ..says("erp", 4, json!({"score": 2})) };
    let plain = world.accept(&read_only);
    assert!(value(&world, "score") == 2 && !raised(&plain).contains(&"to-erp".to_owned()), "{plain:?}");
}

/// I5: an object that has just become the record's own is about to be told what the record has: what it says meanwhile is
/// told it again, or that write would stand there alone.
#[test]
fn i5_an_object_that_came_home_is_told_again() {
    let mut world = world();
    world.accept(&says("crm", 2, json!({"score": 5})));
    world.accept(&says("erp", 3, json!({"score": 5})));
    for shadow in world.view.shadows.values_mut().filter(|shadow| shadow.system == system("erp")) {
        // Another object stood there until now.
        shadow.external_id = Some("other".to_owned());
    }
    let said = world.accept(&says("erp", 4, json!({"score": 2})));
    assert!(value(&world, "score") == 2 && raised(&said).contains(&"to-erp".to_owned()), "{said:?}");
}
