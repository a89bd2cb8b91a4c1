//! States of an export as messages: who may say them, and how they are told again.

use canonical::{ExternalRef, Fields, Mono, Now, Object, OrderToken, Wall};
use connector::{Observation, Seen};
use store::conformance::make;

use super::item::{Item, Task};
use super::prepare;
use crate::sample::{configuration, configuration_with};
use crate::stated::Stated;
use crate::turn::{Arrival, Effect, Origin, Turn};

fn stated() -> Stated {
    let about = make::external("crm", "contacts", "1");
    let fields: Fields = [("name".to_owned(), "Ada".into())].into_iter().collect();
    let (record, order) = (make::rec(1), Some(OrderToken(5)));
    Stated {
        about,
        fields,
        schema: 2,
        extensions: Fields::new(),
        order,
        as_of: make::at(5),
        record,
        version: 1,
    }
}

fn with_turn<T>(then: impl FnOnce(&mut Turn<'_>) -> T) -> T {
    let mut effects: Vec<Effect> = Vec::new();
    then(&mut Turn::new(Now { mono: Mono(1), wall: make::at(1000) }, 7, &mut effects))
}

fn prepared(source: &str, arrival: Arrival) -> Item {
    let (config, source) = (configuration(None), make::system(source));
    with_turn(|turn| {
        prepare::prepare(&config, "", &source, &Origin::Pushed, make::at(9), 1, 0, arrival, turn)
    })
}

fn again(message: intake::Message) -> Item {
    with_turn(|turn| prepare::again(&configuration(None), "", message, turn))
}

fn class(item: &Item) -> &str {
    match &item.task {
        Task::Quarantine(why) => &why.class,
        other => panic!("it is taken: {other:?}"),
    }
}

/// I5: bytes that look like a state of an export, under an id that looks like its name, are what their source sent.
#[test]
fn i5_a_source_speaks_for_itself_only() {
    let id = Some("import/rec_1/1/contacts".to_owned());
    let forms = [serde_json::to_vec(&stated()).unwrap(), stated().to_kept()];
    for (source, raw) in ["crm", "erp"].into_iter().flat_map(|source| forms.clone().map(|raw| (source, raw)))
    {
        let why = connector::Garbled { what: "no object".to_owned(), place: "$".to_owned() };
        let arrival = Arrival::Garbled { why, raw, event_id: id.clone() };
        let item = prepared(source, arrival);
        assert_eq!(class(&item), "garbled");
        assert_eq!(class(&again(item.message)), "garbled", "{source}");
    }
    let about = ExternalRef { system: make::system("crm"), ..stated().about };
    let other = prepared("erp", Arrival::Stated(Box::new(Stated { about, ..stated() })));
    assert_eq!(class(&other), "foreign");
    assert_eq!(class(&again(other.message)), "foreign");
}

/// Exported again, a version that says something else is another message; what waits for a person can be retried, with
/// its name or without.
#[test]
fn a_state_is_named_by_what_it_says_and_read_again() {
    let first = prepared("crm", Arrival::Stated(Box::new(stated())));
    let same = prepared("crm", Arrival::Stated(Box::new(stated())));
    let moved = Stated { order: Some(OrderToken(6)), ..stated() };
    let other = prepared("crm", Arrival::Stated(Box::new(moved)));
    assert!(matches!(first.task, Task::Merge(_)));
    assert_eq!(first.message.event_id, same.message.event_id);
    assert_ne!(first.message.event_id, other.message.event_id);
    let unnamed = intake::Message { event_id: None, ..first.message };
    let item = again(unnamed);
    let Task::Merge(merge) = &item.task else { panic!("not taken: {:?}", item.task) };
    assert!(merge.incoming.silent);
    assert_eq!(merge.incoming.fields, stated().fields);
}

/// I1: what was read and waits for a person is read when it is tried again, too: to be told to read it once more would lead to
/// the same read, which is a repetition and tells nothing. What was pushed stays pushed, whatever its id looks like.
#[test]
fn i1_what_was_read_is_read_when_it_is_tried_again() {
    let seen = |event_id: Option<&str>| connector::Observation {
        version: None,
        object: make::object("contacts"),
        external_id: "1".to_owned(),
        seen: connector::Seen::State { fields: [("name".to_owned(), "Ada".into())].into_iter().collect() },
        order: Some(OrderToken(5)),
        event_id: event_id.map(str::to_owned),
        occurred_at: None,
        changed_at: None,
        trace: None,
    };
    let taken = |origin: &Origin, observation| {
        let (config, source) = (configuration(None), make::system("crm"));
        let arrival = Arrival::Read(observation);
        with_turn(|turn| prepare::prepare(&config, "", &source, origin, make::at(9), 1, 0, arrival, turn))
    };
    let is_read = |item: &Item| match &item.task {
        Task::Merge(merge) => merge.incoming.read,
        other => panic!("not taken: {other:?}"),
    };
    let external = make::external("crm", "contacts", "1");
    let read = taken(&Origin::Fetched { external }, seen(None));
    assert!(is_read(&read));
    // As it is kept for a person: by the name of what was read.
    let kept = intake::Message { event_id: read.read_key.clone(), ..read.message };
    assert!(is_read(&again(kept)));
    let pushed = taken(&Origin::Pushed, seen(Some("read/contacts/1/0123456789abcdef")));
    assert!(!is_read(&pushed) && !is_read(&again(pushed.message)));
}

/// A state without an order of its own is placed by when it was read, in the form of what that system's messages are
/// ordered by: a message of the same second then is a tie, and one of the next second is newer.
#[test]
fn a_state_without_an_order_is_placed_among_messages() {
    let connector = "connector: source\nversion: \"1\"\nabout: A source.\nwebhook:\n  scheme: {preset: hmac}\n  id: [id]\n  \
                     kind: kind\n  object_id: object.id\n  fields: object\n  order: {path: at, form: s, unit: UNIT}\n  \
                     rules: [{match: \"*\", object: contacts, seen: state}]\nobjects: {contacts: {shape: {id: id}}}\n";
    for (unit, expected) in [("us", 1_795_348_800_000_000), ("ms", 1_795_348_800_000), ("s", 1_795_348_800)] {
        let config = configuration_with(&[("connectors/source.yaml", &connector.replace("UNIT", unit))]);
        let seen = Observation {
            version: None,
            object: Object::new("contacts").unwrap(),
            external_id: "1".to_owned(),
            seen: Seen::State { fields: stated().fields },
            order: None,
            event_id: None,
            occurred_at: None,
            changed_at: None,
            trace: None,
        };
        let (source, at) = (make::system("crm"), Wall(1_795_348_800_700_001));
        let item = with_turn(|turn| {
            prepare::prepare(&config, "", &source, &Origin::Pushed, at, 1, 0, Arrival::Read(seen), turn)
        });
        let Task::Merge(merge) = &item.task else { panic!("it is not taken: {:?}", item.task) };
        assert_eq!(merge.incoming.order, Some(OrderToken(expected)), "{unit}");
        assert!(merge.incoming.stamped);
    }
}

/// What a create made whose answer was lost is seen before anybody has looked for it: it waits for as long as that can take.
#[test]
fn what_is_overtaken_waits_longer_than_a_create_can_be_in_doubt() {
    let config = configuration(None);
    let waits = |system: &str, object: &str| {
        prepare::patience(&config, &make::system(system), &Object::new(object).unwrap()).as_secs()
    };
    // The request may take a second, and be worked on for another one.
    assert_eq!(waits("erp", "customer"), 62);
    // Nothing is made there.
    assert_eq!(waits("crm", "contacts"), 60);
}
