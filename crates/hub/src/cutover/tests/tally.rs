//! What is counted, and as what.

use std::collections::BTreeMap;

use canonical::{ExternalRef, Fields, Marks, Provenance, Record};
use connector::{Observation, Seen};
use intake::{Link, Message, MessageState, View};
use ledger::{Reason, State, Waiting};
use serde_json::{Value, json};
use store::Op;
use store::conformance::make;

use super::configuration;
use crate::cutover::{Example, Report, Side, Tally, Told, Verdict};
use crate::spoke::Foreseen;

fn person(system: &str, id: &str) -> ExternalRef {
    make::external(system, "people", id)
}

fn told(about: ExternalRef, state: MessageState, says: Value, reason: Option<Reason>) -> Told {
    let fields: Fields = serde_json::from_value(says).unwrap();
    let observation = Observation {
        version: None,
        object: about.object.clone(),
        external_id: about.id.clone(),
        seen: Seen::State { fields },
        order: None,
        event_id: None,
        occurred_at: None,
        changed_at: None,
        trace: None,
    };
    let message = Message {
        id: make::msg(1),
        tenant: make::acme(),
        source: about.system.clone(),
        event_id: None,
        about: Some(about),
        state,
        raw: serde_json::to_vec(&observation).unwrap(),
        read: true,
        lacking: false,
        reason,
        waiting: None,
        deadline: None,
        received_at: make::at(1),
        as_of: make::at(1),
        trace: String::new(),
    };
    Told::of(&configuration(), message)
}

/// A person whose mail the CRM said, and whose name `named` said; both have it.
fn record(number: u64, systems: &[&str], named: &str) -> Record {
    let from = |system: &str| Provenance {
        system: make::system(system),
        event: make::evt(1),
        at: make::at(1),
        mapping: 1,
        changed: None,
    };
    let fields: Fields =
        serde_json::from_value(json!({"mail": format!("p{number}@x"), "name": "Ada"})).unwrap();
    Record {
        entity: make::entity("Person"),
        fields,
        provenance: [(make::field("mail"), from("crm")), (make::field("name"), from(named))].into(),
        marks: systems.iter().map(|system| (make::system(system), Marks::default())).collect(),
        ..make::record(number, 1)
    }
}

fn link(about: &ExternalRef, record: &Record) -> Link {
    Link {
        tenant: make::acme(),
        system: about.system.clone(),
        instance: String::new(),
        object: about.object.clone(),
        external_id: about.id.clone(),
        entity: record.entity.clone(),
        record: record.id,
        created_at: make::at(1),
    }
}

fn view(links: &[(&ExternalRef, &Record)]) -> View {
    let mut view = View::default();
    for (about, record) in links {
        view.links.insert((*about).clone(), link(about, record));
        view.records.insert(record.id, (*record).clone());
    }
    view
}

fn side(report: &Report, system: &str) -> Side {
    let sides = report.sides.iter();
    sides
        .clone()
        .find(|side| side.system.as_str() == system && side.object.as_str() == "people")
        .unwrap()
        .clone()
}

/// Both agree by the key, written otherwise or not; of values that differ it is said whose they are and whose counts, and an
/// object counts once, by what it said last.
#[test]
fn objects_are_matched_and_their_values_compared() {
    let mut tally = Tally::new(&configuration());
    let (crm, erp) = (person("crm", "1"), person("erp", "9"));
    let record = record(1, &["crm", "erp"], "crm");
    let view = view(&[(&crm, &record), (&erp, &record)]);
    let accepted = MessageState::Accepted;
    let newest = told(erp.clone(), accepted, json!({"mail": " P1@X ", "name": "Adah"}), None);
    let finding = tally.message(newest, &view).unwrap();
    assert_eq!(finding.kind, Verdict::Conflict);
    let wins: Vec<_> = finding.fields.iter().map(|(field, wins)| (field.as_str(), wins.clone())).collect();
    assert_eq!(wins, [("mail", Some(make::system("crm"))), ("name", Some(make::system("crm")))]);
    // An older word about the same object.
    let older = told(erp, accepted, json!({"mail": "p1@x", "name": "Eve"}), None);
    assert_eq!(tally.message(older, &view), None);
    let same = told(crm, accepted, json!({"mail": "p1@x", "name": "Ada"}), None);
    assert_eq!(tally.message(same, &view), None);
    let report = tally.report();
    for system in ["crm", "erp"] {
        let side = side(&report, system);
        assert_eq!((side.read, side.matched, side.alone), (1, 1, 0), "{system}");
    }
    let agreed: Vec<_> =
        report.agreed.iter().map(|row| (row.system.as_str(), row.key.as_deref(), row.count)).collect();
    assert_eq!(agreed, [("crm", Some("mail"), 1), ("erp", Some("mail"), 1)]);
    let clashes: Vec<_> =
        report.conflicts.iter().map(|row| (row.field.as_str(), row.records.count)).collect();
    assert_eq!(clashes, [("mail", 1), ("name", 1)]);
    assert!(!serde_json::to_string(&report).unwrap().contains("Adah"), "no values are kept");
}

/// What is said to be empty is no other value where nothing counts, and is named as empty where something does.
#[test]
fn empty_is_told_from_other() {
    let mut tally = Tally::new(&configuration());
    let erp = person("erp", "9");
    let mut record = record(1, &["crm", "erp"], "crm");
    record.fields.remove("name");
    let view = view(&[(&erp, &record)]);
    let empty = told(erp, MessageState::Accepted, json!({"mail": "", "name": ""}), None);
    tally.message(empty, &view);
    let conflicts = tally.report().conflicts;
    let got: Vec<_> = conflicts.iter().map(|row| (row.field.as_str(), row.empty)).collect();
    assert_eq!(got, [("mail", true)], "{conflicts:?}");
}

/// Every class of what is not taken in, and where it is counted.
#[test]
fn what_needs_a_person_is_counted_by_why() {
    type Count = fn(&Side) -> u64;
    let cases: [(&str, Verdict, Count); 5] = [
        ("ambiguous_match", Verdict::Ambiguous, |side| side.ambiguous),
        ("duplicate_there", Verdict::Duplicate, |side| side.duplicates),
        ("not_a_creator", Verdict::Refused, |side| side.refused),
        ("missing_link", Verdict::Waiting, |side| side.waiting),
        ("misfit", Verdict::Unreadable, |side| side.unreadable),
    ];
    for (class, kind, count) in cases {
        let mut tally = Tally::new(&configuration());
        let candidates = vec![make::rec(1), make::rec(2)];
        let reason = Reason { class: class.to_owned(), candidates, ..Reason::default() };
        let state = MessageState::Quarantined;
        let finding =
            tally.message(told(person("erp", "9"), state, json!({}), Some(reason)), &View::default());
        let finding = finding.unwrap();
        assert_eq!((finding.kind, finding.candidates.len()), (kind, 2), "{class}");
        let report = tally.report();
        let side = side(&report, "erp");
        assert_eq!((count(&side), side.read, side.matched), (1, 1, 0), "{class}");
        assert_eq!((report.held[0].class.as_str(), report.held[0].objects.count), (class, 1));
        assert!(report.has_open_items());
    }
}

/// A record is where it is linked; what is deleted is nowhere.
#[test]
fn records_are_counted_by_where_they_are() {
    let mut tally = Tally::new(&configuration());
    let (both, one) = (record(1, &["crm", "erp"], "crm"), record(2, &["crm"], "crm"));
    let (crm, erp) = (person("crm", "1"), person("erp", "1"));
    assert_eq!(tally.record(&both, &[link(&crm, &both), link(&erp, &both)]), None);
    let finding = tally.record(&one, &[link(&person("crm", "2"), &one)]).unwrap();
    let shown = serde_json::to_value(&finding).unwrap();
    assert_eq!(shown["record"], json!(one.id.to_string()), "as everywhere: {shown}");
    let kept: Example = serde_json::from_value(shown["record"].clone()).unwrap();
    assert_eq!(kept, Example::Record(finding.record.unwrap()));
    assert_eq!(
        (finding.kind, finding.objects.as_slice()),
        (Verdict::Missing, ["crm:people/2".to_owned()].as_slice())
    );
    assert_eq!(
        finding.systems,
        [make::system("erp")].into(),
        "the shop cannot be read, so nothing is missing there"
    );
    let alive = canonical::Alive::Deleted { by: make::system("crm"), at: make::at(2) };
    assert_eq!(tally.record(&Record { alive, ..record(3, &["crm"], "crm") }, &[]), None);
    let report = tally.report();
    let spread: Vec<_> = report.spread.iter().map(|row| (row.systems.len(), row.count)).collect();
    assert_eq!(spread, [(1, 1), (2, 1)]);
    assert_eq!((report.missing.len(), report.missing[0].records.count), (1, 1));
}

/// No second object is made where one may be there already: that waits for a person, and so for the link. Whatever changes an
/// object that is linked goes on.
#[test]
fn nothing_is_made_where_it_may_be_already() {
    let mut tally = Tally::new(&configuration());
    let reason =
        Reason { class: "ambiguous_match".to_owned(), candidates: vec![make::rec(1)], ..Reason::default() };
    let mut view = View::default();
    // One that waits fits by its key, and nothing names it.
    let key = (make::entity("Person"), "mail".to_owned(), "p2@x\u{1f}".to_owned());
    view.matches.insert(key.clone(), vec![make::rec(2)]);
    tally.message(told(person("erp", "8"), MessageState::Quarantined, json!({}), Some(reason)), &view);
    let waits = told(person("erp", "9"), MessageState::Parked, json!({"mail": "P2@x"}), None);
    assert_eq!(waits.ask().matches, [key], "it is asked for");
    tally.message(waits, &view);
    let delivery = |number| {
        let raise = intake::Raise {
            record: make::rec(number),
            entity: make::entity("Person"),
            system: make::system("erp"),
            object: make::object("people"),
            ..make::raise("person.erp", number, 1)
        };
        store::rules::first(&raise)
    };
    for (number, foreseen, held) in [
        (1, Foreseen::Create, true),
        (2, Foreseen::Waits { on: make::entity("Team"), creates: true }, true),
        (1, Foreseen::Update(["name".to_owned()].into()), false),
        (3, Foreseen::Create, false),
    ] {
        let (_, op) = tally.delivery(&delivery(number), foreseen, make::at(5));
        assert_eq!(op.is_some(), held, "{number}");
        if let Some(Op::Settle { state, waiting, due, level, .. }) = op {
            assert_eq!(state, State::Parked);
            assert_eq!(level, delivery(number).wanted);
            assert!(due > make::at(300 * 86_400), "no claim comes upon it");
            let Some(Waiting::Link { record, object, .. }) = waiting else { panic!("{waiting:?}") };
            assert_eq!(
                (record, object),
                (make::rec(number), make::object("people")),
                "its own link wakes it"
            );
        }
    }
    let report = tally.report();
    let sync = &report.first_sync[0];
    assert_eq!((sync.creates, sync.updates, sync.held), (1, 1, 2));
}

/// Everything that a delivery may come to has its place in the counts.
#[test]
fn deliveries_are_counted_by_what_they_come_to() {
    let mut tally = Tally::new(&configuration());
    let obligation = store::rules::first(&make::raise("person.erp", 1, 1));
    let paths = |names: &[&str]| Foreseen::Update(names.iter().map(|name| (*name).to_owned()).collect());
    for foreseen in [
        Foreseen::Create,
        Foreseen::Waits { on: make::entity("Team"), creates: false },
        paths(&["a", "b"]),
        paths(&["b"]),
        Foreseen::Nothing("no_change".to_owned()),
        Foreseen::Leave(ledger::OnExit::Archive),
    ] {
        assert_eq!(tally.delivery(&obligation, foreseen, make::at(5)), (None, None));
    }
    let fails = Foreseen::Fails("misfit".to_owned(), Some("name".to_owned()));
    let (finding, _) = tally.delivery(&obligation, fails, make::at(5));
    assert_eq!(finding.unwrap().kind, Verdict::Fails);
    let load = &tally.loads()[&obligation.system][0];
    assert_eq!((load.creates, load.updates), (1, 4), "what leaves is a call, too");
    let report = tally.report();
    let sync = &report.first_sync[0];
    assert_eq!((sync.creates, sync.updates, sync.waits, sync.leaves), (1, 3, 1, 1));
    assert_eq!(sync.nothing, BTreeMap::from([("no_change".to_owned(), 1)]));
    assert_eq!(sync.fails, BTreeMap::from([("misfit (name)".to_owned(), 1)]));
    let counts: Vec<_> = sync.paths.iter().map(|path| (path.path.as_str(), path.count)).collect();
    assert_eq!(counts, [("a", 1), ("b", 2)]);
}
