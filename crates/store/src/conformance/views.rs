//! What intake and spokes see of a batch.

use std::collections::BTreeMap;

use canonical::{Alive, Record, RecordId};
use intake::{Ask, Link, Raise, View};
use ledger::{Intent, Level, Shadow, State};
use serde_json::json;

use super::Backend;
use super::make::*;
use crate::{Op, Query, Rows, SpokeAsk, SpokeRow};

fn view(backend: &Backend, asks: Vec<Ask>) -> View {
    match backend.find(Query::Intake { tenant: acme(), asks }) {
        Rows::Intake(view) => *view,
        other => panic!("not a view: {other:?}"),
    }
}

fn spoke(backend: &Backend, asks: Vec<SpokeAsk>) -> Vec<SpokeRow> {
    match backend.find(Query::Spoke { tenant: acme(), system: system("erp"), asks }) {
        Rows::Spoke(rows) => rows,
        other => panic!("not a spoke's rows: {other:?}"),
    }
}

fn about(system_name: &str, ids: &[&str]) -> Ask {
    let objects = ids.iter().map(|id| external(system_name, "contacts", id)).collect();
    Ask { objects, ..Ask::default() }
}

fn kept(shadow: Shadow) -> Shadow {
    Shadow { revision: 1, ..shadow }
}

/// Nothing there is an answer too.
pub fn nothing_is_found_in_an_empty_store(backend: &Backend) {
    let ask = Ask {
        event: Some((system("crm"), "e1".to_owned())),
        matches: vec![(entity("Contact"), "email".to_owned(), "a@example.com".to_owned())],
        creating: Some((entity("Contact"), system("crm"), object("contacts"))),
        ..about("crm", &["1", "2"])
    };
    let nothing = View { tenant: Some(acme()), ..View::default() };
    assert_eq!(view(backend, vec![ask]), nothing);
    assert_eq!(view(backend, vec![]), nothing);
    assert_eq!(spoke(backend, vec![spoke_ask("r", 1)]), [SpokeRow::default()]);
    assert_eq!(spoke(backend, vec![]), []);
}

/// Links of the asked objects, their records, and what stands around those in the asked systems.
pub fn intake_sees_links_records_and_surroundings(backend: &Backend) {
    let in_erp = Link { object: object("customer"), ..link(1, "erp", "77") };
    let company = Link { object: object("companies"), external_id: "c".to_owned(), ..link(1, "crm", "c") };
    let own = Intent { system: system("crm"), object: object("contacts"), ..intent(1, "r", 1) };
    let newer = Intent { system: system("crm"), object: object("contacts"), ..intent(3, "r", 1) };
    backend.apply(vec![
        Op::PutRecord(record(1, 1)),
        Op::PutRecord(record(2, 5)),
        Op::PutRecord(record(3, 1)),
        Op::PutLink(link(1, "crm", "a")),
        Op::PutLink(link(2, "crm", "b")),
        Op::PutLink(in_erp),
        Op::PutLink(company),
        Op::PutShadow(shadow(1, "crm", "contacts")),
        Op::PutShadow(shadow(1, "erp", "customer")),
        Op::PutShadow(shadow(3, "crm", "contacts")),
        Op::PutIntent(own.clone()),
        Op::PutIntent(newer),
        Op::PutIntent(intent(2, "r", 1)),
    ]);
    let found = view(backend, vec![about("crm", &["a", "x"]), about("crm", &["b", "a"])]);
    let key = |number, kind: &str| (rec(number), system("crm"), object(kind));
    let expected = View {
        links: [
            (external("crm", "contacts", "a"), link(1, "crm", "a")),
            (external("crm", "contacts", "b"), link(2, "crm", "b")),
        ]
        .into(),
        records: [(rec(1), record(1, 1)), (rec(2), record(2, 5))].into(),
        linked: [
            (key(1, "contacts"), "a".to_owned()),
            (key(1, "companies"), "c".to_owned()),
            (key(2, "contacts"), "b".to_owned()),
        ]
        .into(),
        shadows: [(key(1, "contacts"), kept(shadow(1, "crm", "contacts")))].into(),
        intents: [(key(1, "contacts"), own)].into(),
        tenant: Some(acme()),
        ..View::default()
    };
    assert_eq!(found, expected);
}

fn merged(number: u64, into: u64) -> Record {
    Record { alive: Alive::Merged { into: rec(into) }, ..record(number, 4) }
}

/// An alias is present with the record that stands for it, over several hops.
pub fn intake_follows_aliases(backend: &Backend) {
    backend.apply(vec![
        Op::PutRecord(merged(1, 2)),
        Op::PutRecord(merged(2, 3)),
        Op::PutRecord(record(3, 7)),
        Op::PutRecord(merged(4, 99)),
        Op::PutLink(link(1, "crm", "a")),
        Op::PutLink(link(4, "crm", "d")),
        Op::PutLink(link(3, "crm", "c")),
        Op::PutShadow(shadow(3, "crm", "contacts")),
    ]);
    let found = view(backend, vec![about("crm", &["a", "d"])]);
    let records: BTreeMap<RecordId, Record> =
        [(rec(1), merged(1, 2)), (rec(2), merged(2, 3)), (rec(3), record(3, 7)), (rec(4), merged(4, 99))]
            .into();
    assert_eq!(found.records, records);
    assert_eq!(found.linked.get(&(rec(3), system("crm"), object("contacts"))), Some(&"c".to_owned()));
    assert!(found.shadows.contains_key(&(rec(3), system("crm"), object("contacts"))));
}

/// Creates not yet closed are counted per entity, system and object.
pub fn intake_counts_open_creates(backend: &Backend) {
    let create = |number, record| Intent { external_id: None, ..intent(number, "r", record) };
    let asks = |entity_name: &str, system_name: &str| {
        let creating = Some((entity(entity_name), system(system_name), object("customer")));
        vec![Ask { creating, ..Ask::default() }]
    };
    let raises = (1..=5).map(|number| Op::Raise(raise("r", number, 1)));
    backend.apply(raises.collect());
    let lead = intake::Raise { entity: entity("Lead"), ..raise("r", 6, 1) };
    backend.apply(vec![
        Op::Raise(lead),
        Op::PutIntent(create(1, 1)),
        Op::PutIntent(create(2, 2)),
        Op::PutIntent(intent(3, "r", 3)),
        Op::PutIntent(Intent { system: system("crm"), ..create(4, 4) }),
        Op::PutIntent(create(6, 6)),
        Op::PutIntent(create(7, 77)),
    ]);
    let count = |entity_name: &str, system_name: &str| {
        let found = view(backend, asks(entity_name, system_name)).creates_open;
        found.get(&(entity(entity_name), system(system_name), object("customer"))).copied()
    };
    assert_eq!((count("Contact", "erp"), count("Lead", "erp")), (Some(2), Some(1)));
    assert_eq!((count("Contact", "crm"), count("Lead", "crm")), (Some(1), None));
    let closed = Intent { state: ledger::IntentState::Closed, external_id: Some("9".into()), ..create(1, 1) };
    backend.apply(vec![Op::PutIntent(closed)]);
    assert_eq!(count("Contact", "erp"), Some(1));
}

/// Match keys lead to the records that have them.
pub fn intake_finds_by_match_key(backend: &Backend) {
    let put = |number, value: &str| Op::PutMatch {
        tenant: acme(),
        entity: entity("Contact"),
        key: "email".to_owned(),
        value: value.to_owned(),
        record: rec(number),
    };
    let ask = |value: &str| (entity("Contact"), "email".to_owned(), value.to_owned());
    backend.apply(vec![
        Op::PutRecord(record(1, 1)),
        put(2, "a@x"),
        put(1, "a@x"),
        put(3, "b@x"),
        put(1, "a@x"),
    ]);
    let found = view(backend, vec![Ask { matches: vec![ask("a@x"), ask("c@x")], ..Ask::default() }]);
    assert_eq!(found.matches, [(ask("a@x"), vec![rec(1), rec(2)])].into());
    assert_eq!(found.records, [(rec(1), record(1, 1))].into(), "what is not stored is not shown");
}

/// A spoke gets everything about each of its rows, in the order of its asks.
pub fn spoke_sees_everything_of_its_rows(backend: &Backend) {
    backend.apply(vec![
        Op::PutRecord(record(1, 2)),
        Op::PutFact(fact(5, 1)),
        Op::Raise(raise("r", 1, 2)),
        Op::Raise(notify("n", 5, 1)),
        Op::PutShadow(shadow(1, "erp", "customer")),
        Op::PutLink(Link { object: object("customer"), ..link(1, "erp", "77") }),
        Op::PutIntent(intent(1, "r", 1)),
    ]);
    let by_event = SpokeAsk { key: notify_key("n", 5), ..spoke_ask("r", 1) };
    let rows = spoke(backend, vec![spoke_ask("r", 2), spoke_ask("r", 1), by_event]);
    assert_eq!(rows[0], SpokeRow::default());
    let row = &rows[1];
    assert_eq!(
        row.obligation.as_ref().map(|row| (row.key.clone(), row.wanted)),
        Some((sync_key("r", 1), level(2)))
    );
    assert_eq!((row.record.as_deref(), row.fact.clone()), (Some(&record(1, 2)), None));
    assert_eq!(row.shadow, Some(kept(shadow(1, "erp", "customer"))));
    assert_eq!((row.link.as_deref(), row.intent.clone()), (Some("77"), Some(intent(1, "r", 1))));
    assert_eq!(rows[2].fact, Some(fact(5, 1)));
    assert_eq!(rows[2].obligation.as_ref().map(|row| row.key.clone()), Some(notify_key("n", 5)));
}

/// References give the links of the records they name, through aliases; a merged record its survivor.
pub fn spoke_follows_references_and_aliases(backend: &Backend) {
    let mut referring = record(1, 2);
    for (name, number) in [("account", 5), ("parent", 6), ("gone", 7)] {
        referring.fields.insert(name.to_owned(), json!(rec(number).to_string()));
    }
    let mut event = fact(9, 1);
    event.data.insert("account".to_owned(), json!(rec(8).to_string()));
    let in_erp =
        |number, id: &str| Op::PutLink(Link { object: object("customer"), ..link(number, "erp", id) });
    backend.apply(vec![
        Op::PutRecord(merged(4, 1)),
        Op::PutRecord(referring.clone()),
        Op::PutRecord(record(5, 1)),
        Op::PutRecord(merged(6, 5)),
        Op::PutFact(event),
        in_erp(5, "five"),
        in_erp(8, "eight"),
    ]);
    let references =
        ["account", "parent", "gone", "name"].map(|name| (field(name), object("customer"))).to_vec();
    let by_record = SpokeAsk { references: references.clone(), ..spoke_ask("r", 4) };
    let by_event = SpokeAsk { key: notify_key("n", 9), references, ..spoke_ask("r", 1) };
    let rows = spoke(backend, vec![by_record, by_event]);
    assert_eq!(rows[0].record, Some(std::sync::Arc::new(referring)));
    let key = |number| (rec(number), object("customer"));
    let of_record = BTreeMap::from([(key(5), "five".to_owned()), (key(6), "five".to_owned())]);
    assert_eq!(rows[0].links, of_record);
    let mut of_both = of_record;
    of_both.insert(key(8), "eight".to_owned());
    assert_eq!(rows[1].links, of_both);
}

/// Of what is not linked there the row tells what brings it: what is still worked at before what rests.
pub fn spoke_sees_what_brings_a_reference(backend: &Backend) {
    let mut referring = record(1, 2);
    for (name, number) in [("account", 5), ("parent", 6), ("gone", 7)] {
        referring.fields.insert(name.to_owned(), json!(rec(number).to_string()));
    }
    let elsewhere = Raise { system: system("crm"), ..raise("crm", 7, 1) };
    backend.apply(vec![
        Op::PutRecord(referring),
        Op::PutRecord(merged(6, 4)),
        Op::PutRecord(record(4, 1)),
        Op::PutFact(fact(9, 1)),
        Op::PutLink(Link { object: object("customer"), ..link(5, "erp", "five") }),
        Op::Raise(raise("a", 5, 1)),
        Op::Raise(raise("a", 4, 1)),
        Op::Raise(raise("b", 6, 1)),
        Op::Raise(raise("own", 1, 1)),
        Op::Raise(elsewhere),
        settle_dead("b", 6),
    ]);
    let references = ["account", "parent", "gone"].map(|name| (field(name), object("customer"))).to_vec();
    let by_record = SpokeAsk { references, ..spoke_ask("own", 1) };
    let by_event = SpokeAsk { key: notify_key("n", 9), ..spoke_ask("own", 1) };
    let rows = spoke(backend, vec![by_record, by_event]);
    let found = |row: &SpokeRow| -> Vec<_> {
        let rows = row.bringers.iter();
        rows.map(|((record, _), row)| (*record, row.key.clone())).collect()
    };
    assert_eq!(found(&rows[0]), [(rec(6), sync_key("a", 4))], "of what it was merged into");
    assert_eq!(found(&rows[1]), [(rec(1), sync_key("own", 1))], "its own");
    backend.apply(vec![Op::Raise(raise("c", 7, 1)), Op::Raise(raise("d", 7, 1)), settle_dead("d", 7)]);
    let asks =
        vec![SpokeAsk { references: vec![(field("gone"), object("customer"))], ..spoke_ask("own", 1) }];
    assert_eq!(found(&spoke(backend, asks)[0]), [(rec(7), sync_key("c", 7))], "the one that is open");
}

fn settle_dead(route: &str, record: u64) -> Op {
    Op::Settle {
        key: sync_key(route, record),
        level: Level { version: 1, generation: 0 },
        reached: false,
        state: State::Dead,
        attempts: 1,
        due: at(20),
        waiting: None,
        reason: None,
        at: at(20),
    }
}
