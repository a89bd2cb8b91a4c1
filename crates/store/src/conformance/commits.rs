//! Commits: requirements, and the plain operations.

use intake::MessageState;
use ledger::State;

use super::Backend;
use super::make::*;
use crate::browse::{EventFilter, Look, MessageFilter, Page};
use crate::{Op, Query, Receipt, Require, Rows, Unit};

/// A unit that conflicts leaves nothing behind; the others of its commit are applied.
pub fn conflict_applies_nothing_and_harms_no_other_unit(backend: &Backend) {
    let at_version = |version| Require::RecordAt { record: rec(1), version };
    let receipts = backend.commit(vec![
        Unit {
            require: vec![at_version(0), at_version(1)],
            ops: vec![Op::PutRecord(record(1, 1)), Op::Raise(raise("r", 1, 1)), Op::PutFact(fact(1, 1))],
        },
        Unit { require: vec![at_version(0)], ops: vec![Op::PutRecord(record(2, 1))] },
    ]);
    assert_eq!(receipts, [Receipt::Conflict, Receipt::Done(vec![])]);
    assert!(backend.holds(at_version(0)));
    assert!(backend.holds(Require::RecordAt { record: rec(2), version: 1 }));
    assert_eq!(backend.look(&acme(), Look::Events(events())), Page::Events(vec![]));
    assert_eq!(backend.find(claim(1000, 10)), Rows::Claim(crate::Claimed::default()));
}

fn events() -> EventFilter {
    EventFilter { limit: 10, ..EventFilter::default() }
}

/// A commit without units, and a unit without operations, are answered.
pub fn a_commit_of_nothing_is_answered(backend: &Backend) {
    assert_eq!(backend.commit(vec![]), []);
    assert_eq!(backend.commit(vec![Unit::default()]), [Receipt::Done(vec![])]);
}

/// A message is seen once per source; the first hash stands, until its name is given up.
pub fn seen_once(backend: &Backend) {
    let unseen = |source: &str, event: &str| Require::Unseen {
        tenant: acme(),
        source: system(source),
        event_id: event.to_owned(),
    };
    let seen = |hash: u8| Op::Seen {
        tenant: acme(),
        source: system("crm"),
        event_id: "e1".to_owned(),
        hash: [hash; 32],
        at: at(1),
    };
    assert!(backend.holds(unseen("crm", "e1")));
    backend.apply(vec![seen(1)]);
    assert!(!backend.holds(unseen("crm", "e1")));
    assert!(backend.holds(unseen("crm", "e2")));
    assert!(backend.holds(unseen("erp", "e1")));
    backend.apply(vec![seen(2)]);
    let ask = intake::Ask { event: Some((system("crm"), "e1".to_owned())), ..intake::Ask::default() };
    let Rows::Intake(view) = backend.find(Query::Intake { tenant: acme(), asks: vec![ask] }) else {
        panic!("not a view")
    };
    assert_eq!(view.seen, [((system("crm"), "e1".to_owned()), [1; 32])].into());
    let unsee =
        |source: &str| Op::Unsee { tenant: acme(), source: system(source), event_id: "e1".to_owned() };
    backend.apply(vec![unsee("erp")]);
    assert!(!backend.holds(unseen("crm", "e1")), "another source's");
    backend.apply(vec![unsee("crm")]);
    assert!(backend.holds(unseen("crm", "e1")));
    backend.apply(vec![unsee("crm"), seen(3)]);
    assert!(!backend.holds(unseen("crm", "e1")));
}

/// The version of a record, 0 without one.
pub fn record_version_is_required(backend: &Backend) {
    let stands = |version| backend.holds(Require::RecordAt { record: rec(1), version });
    assert!(stands(0) && !stands(1));
    backend.apply(vec![Op::PutRecord(record(1, 1))]);
    assert!(!stands(0) && stands(1));
    backend.apply(vec![Op::PutRecord(record(1, 2))]);
    assert!(!stands(1) && stands(2));
}

/// An object has one record, a record one object per kind; putting a link replaces what stood in its way.
pub fn links_are_unique_both_ways(backend: &Backend) {
    let unlinked = |id: &str| {
        backend.holds(Require::Unlinked { tenant: acme(), external: external("crm", "contacts", id) })
    };
    let link_of = |number| match backend.look(&acme(), Look::Record(rec(number))) {
        Page::Record(Some(sheet)) => {
            sheet.links.iter().map(|link| link.external_id.clone()).collect::<Vec<_>>()
        }
        other => panic!("no sheet: {other:?}"),
    };
    assert!(unlinked("a"));
    backend.apply(vec![
        Op::PutRecord(record(1, 1)),
        Op::PutRecord(record(2, 1)),
        Op::PutLink(link(1, "crm", "a")),
    ]);
    assert!(!unlinked("a"));
    assert!(
        backend.holds(Require::Unlinked { tenant: other(), external: external("crm", "contacts", "a") }),
        "another tenant's object is another object"
    );
    backend.apply(vec![Op::PutLink(link(1, "crm", "b"))]);
    assert!(unlinked("a") && !unlinked("b"));
    assert_eq!(link_of(1), ["b"]);
    backend.apply(vec![Op::PutLink(link(2, "crm", "b"))]);
    assert_eq!((link_of(1), link_of(2)), (vec![], vec!["b".to_owned()]));
    backend.apply(vec![Op::DropLink(link(1, "crm", "b"))]);
    assert!(!unlinked("b"), "only the link that was named goes");
    backend.apply(vec![Op::DropLink(link(2, "crm", "b"))]);
    assert!(unlinked("b"));
}

/// A park is refused when the link has come meanwhile.
pub fn park_checks_its_link(backend: &Backend) {
    let not_yet =
        |kind: &str| Require::NotYetLinked { record: rec(1), system: system("crm"), object: object(kind) };
    assert!(backend.holds(not_yet("contacts")));
    backend.apply(vec![Op::PutLink(link(1, "crm", "a"))]);
    assert!(!backend.holds(not_yet("contacts")));
    assert!(backend.holds(not_yet("companies")));
}

/// A shadow's revision counts up by itself, and can be required.
pub fn shadow_revision_is_required(backend: &Backend) {
    let stands = |revision| {
        backend.holds(Require::ShadowAt {
            record: rec(1),
            system: system("erp"),
            object: object("customer"),
            revision,
        })
    };
    assert!(stands(0));
    for revision in 1..4 {
        backend.apply(vec![Op::PutShadow(shadow(1, "erp", "customer"))]);
        assert!(stands(revision) && !stands(revision - 1));
    }
}

/// A message keeps its place and its bytes when its state changes.
pub fn messages_move_on(backend: &Backend) {
    backend.apply(vec![Op::PutMessage(message(1)), Op::PutMessage(message(2))]);
    backend.apply(vec![
        Op::MessageState {
            tenant: acme(),
            id: msg(1),
            state: MessageState::Quarantined,
            reason: Some(reason("fp1_q")),
            at: at(5),
        },
        Op::MessageState {
            tenant: acme(),
            id: msg(9),
            state: MessageState::Discarded,
            reason: None,
            at: at(5),
        },
    ]);
    let Page::Messages(found) =
        backend.look(&acme(), Look::Messages(MessageFilter { limit: 9, ..<_>::default() }))
    else {
        panic!("not messages")
    };
    let found: Vec<_> = found.into_iter().map(|(_, message)| message).collect();
    let moved =
        intake::Message { state: MessageState::Quarantined, reason: Some(reason("fp1_q")), ..message(1) };
    assert_eq!(found, [message(2), moved]);
}

/// An event is immutable: the first of an id stands.
pub fn facts_are_kept_once(backend: &Backend) {
    backend.apply(vec![Op::PutFact(fact(1, 1))]);
    backend.apply(vec![Op::PutFact(canonical::Fact {
        version: 9,
        occurrence: Some("1".into()),
        ..fact(1, 1)
    })]);
    let occurred = canonical::Fact { occurrence: Some("2026".into()), ..fact(2, 1) };
    backend.apply(vec![Op::PutFact(occurred.clone())]);
    let Page::Events(found) = backend.look(&acme(), Look::Events(events())) else { panic!("not events") };
    let found: Vec<_> = found.into_iter().map(|(_, fact)| fact).collect();
    assert_eq!(found, [occurred, fact(1, 1)]);
}

/// A correction takes the place of a message that still needs a person.
pub fn quarantine_is_required(backend: &Backend) {
    let needs = |number, tenant| Require::Quarantined { tenant, message: msg(number) };
    let quarantined = intake::Message { state: intake::MessageState::Quarantined, ..message(1) };
    backend.apply(vec![Op::PutMessage(quarantined), Op::PutMessage(message(2))]);
    assert!(backend.holds(needs(1, acme())));
    assert!(!backend.holds(needs(2, acme())) && !backend.holds(needs(3, acme())));
    assert!(!backend.holds(needs(1, other())));
}

/// An edit is for a level: what moves on meanwhile is not edited.
pub fn what_is_wanted_is_required(backend: &Backend) {
    let key = sync_key("r", 1);
    let needs = |level, state| Require::Wanted { key: key.clone(), level, state };
    assert!(!backend.holds(needs(level(1), State::Pending)), "it is not there");
    backend.apply(vec![Op::Raise(raise("r", 1, 1)), settle(key.clone(), 1, State::Dead)]);
    assert!(backend.holds(needs(level(1), State::Dead)));
    assert!(!backend.holds(needs(level(1), State::Pending)) && !backend.holds(needs(level(2), State::Dead)));
    backend.apply(vec![Op::Raise(raise("r", 1, 2))]);
    assert!(!backend.holds(needs(level(1), State::Dead)));
    assert!(backend.holds(needs(level(2), State::Pending)));
}
