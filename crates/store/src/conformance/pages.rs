//! Lists for operators.

use intake::{DecisionKind, MessageState};
use ledger::{ObligationKey, State};

use super::Backend;
use super::make::*;
use crate::Op;
use crate::browse::{
    DecisionFilter, DeliveryFilter, EventFilter, LIST_ROWS_MAX, Look, MessageFilter, Page, RecordFilter,
    SHEET_ROWS_MAX, SystemCounts,
};
use crate::system::SystemState;

fn deliveries(backend: &Backend, filter: DeliveryFilter) -> Vec<(i64, ObligationKey)> {
    match backend.look(&acme(), Look::Deliveries(filter)) {
        Page::Deliveries(rows) => rows.into_iter().map(|(at, row)| (at, row.key)).collect(),
        other => panic!("not deliveries: {other:?}"),
    }
}

/// Each filter alone, all together, and pages from the newest.
pub fn deliveries_are_filtered_and_paged(backend: &Backend) {
    for number in 1..=6 {
        backend.apply(vec![Op::Raise(raise("r", number, 1))]);
    }
    backend.apply(vec![
        Op::Raise(intake::Raise { system: system("marketing"), ..raise("m", 1, 1) }),
        Op::Raise(notify("n", 1, 1)),
        settle(sync_key("r", 2), 1, State::Dead),
        settle(sync_key("r", 3), 1, State::Delivered),
        settle(sync_key("r", 4), 1, State::Retrying),
        settle(sync_key("r", 5), 1, State::Dead),
    ]);
    let all = || DeliveryFilter { limit: 99, ..DeliveryFilter::default() };
    let some = |filter| deliveries(backend, filter).into_iter().map(|(_, key)| key).collect::<Vec<_>>();
    assert_eq!(some(all()).len(), 8);
    assert_eq!(some(DeliveryFilter { system: Some(system("marketing")), ..all() }), [sync_key("m", 1)]);
    assert_eq!(some(DeliveryFilter { route: Some("n".to_owned()), ..all() }), [notify_key("n", 1)]);
    assert_eq!(some(DeliveryFilter { route: Some("unheard".to_owned()), ..all() }), []);
    let dead = [sync_key("r", 5), sync_key("r", 2)];
    assert_eq!(some(DeliveryFilter { states: vec![State::Dead], ..all() }), dead);
    let two = DeliveryFilter { states: vec![State::Delivered, State::Retrying], ..all() };
    assert_eq!(some(two), [sync_key("r", 4), sync_key("r", 3)]);
    let pending = DeliveryFilter { states: vec![State::Pending], system: Some(system("erp")), ..all() };
    assert_eq!(some(pending), [notify_key("n", 1), sync_key("r", 6), sync_key("r", 1)]);
    let of_record = DeliveryFilter { record: Some(rec(1)), ..all() };
    assert_eq!(some(of_record), [notify_key("n", 1), sync_key("m", 1), sync_key("r", 1)]);
    let group = DeliveryFilter { fingerprint: Some("fp1_a".to_owned()), ..all() };
    assert_eq!(some(group.clone()), [sync_key("r", 5), sync_key("r", 4), sync_key("r", 2)]);
    let both = DeliveryFilter { states: vec![State::Dead], record: Some(rec(2)), ..group };
    assert_eq!(some(both), [sync_key("r", 2)]);

    let everything = deliveries(backend, all());
    let mut paged = Vec::new();
    let mut before = None;
    loop {
        let page = deliveries(backend, DeliveryFilter { before, limit: 3, ..DeliveryFilter::default() });
        let Some((last, _)) = page.last() else { break };
        before = Some(*last);
        paged.extend(page);
    }
    assert_eq!(paged, everything);
    assert!(everything.is_sorted_by(|a, b| a.0 > b.0));
    assert_eq!(
        deliveries(backend, DeliveryFilter { limit: usize::MAX, ..all() }).len(),
        8.min(LIST_ROWS_MAX)
    );
    assert_eq!(deliveries(backend, DeliveryFilter::default()), []);
}

/// A delivery's own intents and attempts, newest first.
pub fn a_delivery_with_its_intents_and_attempts(backend: &Backend) {
    let of_event = |number| {
        let mut intent = intent(number, "n", 1);
        intent.obligation = notify_key("n", 1);
        intent
    };
    let mut attempt_of_event = attempt(9, "n", 1);
    attempt_of_event.obligation = notify_key("n", 1);
    backend.apply(vec![
        Op::Raise(raise("r", 1, 1)),
        Op::Raise(raise("q", 1, 1)),
        Op::Raise(notify("n", 1, 1)),
        Op::PutIntent(intent(1, "r", 1)),
        Op::PutIntent(intent(2, "q", 1)),
        Op::PutIntent(of_event(9)),
        Op::PutIntent(intent(3, "r", 1)),
        Op::PutAttempt(attempt(1, "r", 1)),
        Op::PutAttempt(attempt(2, "q", 1)),
        Op::PutAttempt(attempt_of_event.clone()),
        Op::PutAttempt(crate::Attempt { probe: true, ..attempt(1, "r", 1) }),
    ]);
    let delivery = |key| match backend.look(&acme(), Look::Delivery(key)) {
        Page::Delivery(found) => found,
        other => panic!("not a delivery: {other:?}"),
    };
    let (row, intents, attempts) = delivery(sync_key("r", 1)).unwrap();
    assert_eq!(row.key, sync_key("r", 1));
    assert_eq!(intents, [intent(3, "r", 1), intent(1, "r", 1)]);
    assert_eq!(attempts, [crate::Attempt { probe: true, ..attempt(1, "r", 1) }, attempt(1, "r", 1)]);
    let (_, intents, attempts) = delivery(notify_key("n", 1)).unwrap();
    assert_eq!((intents, attempts), (vec![of_event(9)], vec![attempt_of_event]));
    assert_eq!(delivery(sync_key("r", 2)), None);
}

/// Events by kind, entity, record, source, position, id.
pub fn events_are_filtered(backend: &Backend) {
    let lead = canonical::Fact { kind: "LeadConverted".to_owned(), entity: entity("Lead"), ..fact(2, 2) };
    let from_erp = canonical::Fact { source: system("erp"), ..fact(3, 1) };
    backend.apply([fact(1, 1), lead.clone(), from_erp.clone()].map(Op::PutFact).to_vec());
    let all = || EventFilter { limit: 9, ..EventFilter::default() };
    let some = |filter| match backend.look(&acme(), Look::Events(filter)) {
        Page::Events(rows) => rows,
        other => panic!("not events: {other:?}"),
    };
    let only = |filter| some(filter).into_iter().map(|(_, fact)| fact).collect::<Vec<_>>();
    assert_eq!(only(all()), [from_erp.clone(), lead.clone(), fact(1, 1)]);
    assert_eq!(only(EventFilter { kind: Some("LeadConverted".to_owned()), ..all() }), [lead.clone()]);
    assert_eq!(only(EventFilter { entity: Some(entity("Lead")), ..all() }), [lead.clone()]);
    assert_eq!(only(EventFilter { record: Some(rec(1)), ..all() }), [from_erp.clone(), fact(1, 1)]);
    assert_eq!(only(EventFilter { source: Some(system("erp")), ..all() }), [from_erp.clone()]);
    assert_eq!(only(EventFilter { kind: Some("unheard".to_owned()), ..all() }), []);
    let newest = some(EventFilter { limit: 1, ..all() });
    let older = EventFilter { before: Some(newest[0].0), record: Some(rec(1)), ..all() };
    assert_eq!(only(older), [fact(1, 1)]);
    let one = |number| match backend.look(&acme(), Look::Event(evt(number))) {
        Page::Events(rows) => rows.into_iter().map(|(_, fact)| fact).collect::<Vec<_>>(),
        other => panic!("not events: {other:?}"),
    };
    assert_eq!((one(2), one(4)), (vec![lead], vec![]));
}

/// Decisions of all records by kind, system and position.
pub fn decisions_are_filtered(backend: &Backend) {
    let of = |number, kind, from: &str| intake::Decision { system: system(from), ..decision(number, kind) };
    let made = [
        of(1, DecisionKind::Rejected, "crm"),
        of(2, DecisionKind::Frozen, "erp"),
        of(1, DecisionKind::Stale, "crm"),
    ];
    backend.apply(made.clone().map(Op::PutDecision).to_vec());
    let all = || DecisionFilter { limit: 9, ..DecisionFilter::default() };
    let some = |filter| match backend.look(&acme(), Look::Decisions(filter)) {
        Page::Decisions(rows) => rows,
        other => panic!("not decisions: {other:?}"),
    };
    let only = |filter| some(filter).into_iter().map(|(_, row)| row).collect::<Vec<_>>();
    let [first, second, third] = made;
    assert_eq!(only(all()), [third.clone(), second.clone(), first.clone()]);
    let kinds = vec![DecisionKind::Rejected, DecisionKind::Frozen];
    assert_eq!(only(DecisionFilter { kinds, ..all() }), [second.clone(), first.clone()]);
    assert_eq!(only(DecisionFilter { system: Some(system("erp")), ..all() }), [second]);
    assert_eq!(only(DecisionFilter { system: Some(system("unheard")), ..all() }), []);
    let newest = some(DecisionFilter { limit: 1, ..all() });
    assert_eq!(newest[0].1, third);
    let older = DecisionFilter { before: Some(newest[0].0), system: Some(system("crm")), ..all() };
    assert_eq!(only(older), [first]);
}

/// Messages by source, state and position.
pub fn messages_are_filtered(backend: &Backend) {
    let quarantined = intake::Message {
        state: MessageState::Quarantined,
        reason: Some(reason("fp1_m")),
        event_id: None,
        about: None,
        read: false,
        ..message(2)
    };
    let from_erp = intake::Message { source: system("erp"), trace: "not hex".to_owned(), ..message(3) };
    backend.apply([message(1), quarantined.clone(), from_erp.clone()].map(Op::PutMessage).to_vec());
    let all = || MessageFilter { limit: 9, ..MessageFilter::default() };
    let some = |filter| match backend.look(&acme(), Look::Messages(filter)) {
        Page::Messages(rows) => rows,
        other => panic!("not messages: {other:?}"),
    };
    let only = |filter| some(filter).into_iter().map(|(_, message)| message).collect::<Vec<_>>();
    assert_eq!(only(all()), [from_erp.clone(), quarantined.clone(), message(1)]);
    assert_eq!(only(MessageFilter { source: Some(system("erp")), ..all() }), [from_erp]);
    let states = vec![MessageState::Quarantined, MessageState::Parked];
    assert_eq!(only(MessageFilter { states, ..all() }), [quarantined.clone()]);
    let newest = some(MessageFilter { limit: 1, ..all() });
    assert_eq!(only(MessageFilter { before: Some(newest[0].0), limit: 1, ..all() }), [quarantined]);
    let one = |tenant: &canonical::Tenant, number| backend.look(tenant, Look::Message(message(number).id));
    assert_eq!(one(&acme(), 3), Page::Messages(newest), "with its position");
    assert_eq!(one(&acme(), 9), Page::Messages(vec![]));
    assert_eq!(one(&other(), 3), Page::Messages(vec![]), "tenants see their own only");
}

/// Everything known of a record, by its id or by a link.
pub fn a_record_sheet_holds_everything(backend: &Backend) {
    let mut attempt_of_event = attempt(9, "n", 1);
    attempt_of_event.obligation = notify_key("n", 1);
    backend.apply(vec![
        Op::PutRecord(record(1, 1)),
        Op::PutRecord(record(2, 1)),
        Op::PutLink(link(1, "erp", "b")),
        Op::PutLink(link(1, "crm", "a")),
        Op::PutLink(link(2, "crm", "c")),
        Op::PutShadow(shadow(1, "erp", "customer")),
        Op::PutShadow(shadow(2, "erp", "customer")),
        Op::PutFact(fact(1, 1)),
        Op::PutFact(fact(2, 2)),
        Op::Raise(raise("r", 1, 1)),
        Op::Raise(notify("n", 1, 1)),
        Op::Raise(raise("r", 2, 1)),
        Op::PutIntent(intent(1, "r", 1)),
        Op::PutIntent(intent(2, "r", 2)),
        Op::PutAttempt(attempt(1, "r", 1)),
        Op::PutAttempt(attempt_of_event.clone()),
        Op::PutAttempt(attempt(2, "r", 2)),
        Op::PutDecision(decision(1, DecisionKind::Rejected)),
        Op::PutDecision(decision(2, DecisionKind::Stale)),
        Op::PutDecision(intake::Decision { field: None, ..decision(1, DecisionKind::Stale) }),
    ]);
    let sheet = |look| match backend.look(&acme(), look) {
        Page::Record(found) => found,
        other => panic!("not a sheet: {other:?}"),
    };
    let found = sheet(Look::Record(rec(1))).unwrap();
    assert_eq!(found.record, record(1, 1));
    assert_eq!(found.links, [link(1, "crm", "a"), link(1, "erp", "b")]);
    assert_eq!(found.shadows, [ledger::Shadow { revision: 1, ..shadow(1, "erp", "customer") }]);
    assert_eq!(found.facts, [fact(1, 1)]);
    let keys: Vec<_> = found.obligations.iter().map(|row| row.key.clone()).collect();
    assert_eq!(keys, [sync_key("r", 1), notify_key("n", 1)]);
    assert_eq!(found.intents, [intent(1, "r", 1)]);
    assert_eq!(found.attempts, [attempt_of_event, attempt(1, "r", 1)]);
    let stale = intake::Decision { field: None, ..decision(1, DecisionKind::Stale) };
    assert_eq!(found.decisions, [stale, decision(1, DecisionKind::Rejected)]);
    let by_link = |name: &str, id: &str| {
        sheet(Look::RecordByLink { system: system(name), object: None, external_id: id.to_owned() })
    };
    assert_eq!(by_link("erp", "b"), Some(found));
    assert_eq!(by_link("erp", "a"), None);
    assert_eq!(sheet(Look::Record(rec(3))), None);

    let many = 0..SHEET_ROWS_MAX as u64 + 5;
    backend.apply(many.map(|number| Op::PutFact(fact(100 + number, 1))).collect());
    let facts = sheet(Look::Record(rec(1))).unwrap().facts;
    assert_eq!(facts.len(), SHEET_ROWS_MAX);
    assert_eq!(facts[0], fact(104 + SHEET_ROWS_MAX as u64, 1));
}

/// Systems that have a state or deliveries, with counts that follow every move.
pub fn systems_are_counted(backend: &Backend) {
    let systems = || match backend.look(&acme(), Look::Systems) {
        Page::Systems(found) => found,
        other => panic!("not systems: {other:?}"),
    };
    assert_eq!(systems(), []);
    backend.apply(vec![Op::PutSystem(system_state("crm"))]);
    assert_eq!(systems(), [(system_state("crm"), SystemCounts::default())]);
    for number in 1..=6 {
        let at = at(10 + i64::try_from(number).unwrap());
        backend.apply(vec![Op::Raise(intake::Raise { at, ..raise("r", number, 1) })]);
    }
    backend.apply(vec![
        settle(sync_key("r", 1), 1, State::Delivered),
        settle(sync_key("r", 2), 1, State::Dead),
        settle(sync_key("r", 3), 1, State::Uncertain),
        settle(sync_key("r", 4), 1, State::Retrying),
        settle(sync_key("r", 5), 1, State::Parked),
    ]);
    let counts = SystemCounts { open: 3, dead: 1, uncertain: 1, parked: 1, oldest: Some(at(14)) };
    let erp = SystemState::blank(acme(), system("erp"));
    let expected = [(system_state("crm"), SystemCounts::default()), (erp.clone(), counts.clone())];
    assert_eq!(systems(), expected);
    let refused = backend.commit(vec![crate::Unit {
        require: vec![crate::Require::RecordAt { record: rec(1), version: 9 }],
        ops: vec![Op::Raise(raise("r", 9, 1))],
    }]);
    assert_eq!((refused, systems()), (vec![crate::Receipt::Conflict], expected.to_vec()));
    let moves = (2..=6).map(|number| settle(sync_key("r", number), 1, State::Discarded)).collect();
    backend.apply(moves);
    assert_eq!(systems()[1], (erp, SystemCounts::default()));
}

/// The history of configurations: newest first, paged, and each tenant's own.
pub fn applied_configurations_are_kept(backend: &Backend) {
    let applied = |number: i64| crate::Applied {
        tenant: acme(),
        digest: format!("digest {number}"),
        at: at(number),
        reason: "anna: more fields".to_owned(),
        findable: std::collections::BTreeSet::new(),
        changes: vec!["~ mapping contact.erp".to_owned()],
    };
    let history = |tenant: &canonical::Tenant, before, limit| match backend
        .look(tenant, Look::Applied { before, limit })
    {
        Page::Applied(rows) => rows,
        other => panic!("not a history: {other:?}"),
    };
    assert_eq!(history(&acme(), None, 10), []);
    backend.apply((1..=3).map(|number| Op::PutApplied(applied(number))).collect());
    let rows = history(&acme(), None, 2);
    assert_eq!(rows.iter().map(|(_, row)| row.clone()).collect::<Vec<_>>(), [applied(3), applied(2)]);
    let rest = history(&acme(), Some(rows[1].0), 10);
    assert_eq!(rest.iter().map(|(_, row)| row.clone()).collect::<Vec<_>>(), [applied(1)]);
    assert_eq!(history(&canonical::Tenant::new("other").unwrap(), None, 10), []);
}

/// What was applied as a version stays that; each tenant has its own, page after page.
pub fn versions_stay_as_they_were_applied(backend: &Backend) {
    let after = |tenant: &canonical::Tenant, after| match backend.look(tenant, Look::Versions { after }) {
        Page::Versions(rows) => rows,
        other => panic!("not versions: {other:?}"),
    };
    assert_eq!(after(&acme(), None), []);
    let numbers = 1..=u32::try_from(crate::VERSIONS_PAGE_MAX).unwrap();
    let mut all: Vec<_> = numbers.map(|number| version("mapping", "contact.erp", number)).collect();
    all.insert(0, version("entity", "Contact", 2));
    backend.apply(all.iter().rev().cloned().map(Op::PutVersion).collect());
    let other = crate::Version { digest: "other".to_owned(), ..all[0].clone() };
    backend.apply(vec![Op::PutVersion(other)]);
    let first = after(&acme(), None);
    assert_eq!(first, all[..crate::VERSIONS_PAGE_MAX], "in order, and the first word stands");
    assert_eq!(after(&acme(), first.last().map(|last| last.key.clone())), all[crate::VERSIONS_PAGE_MAX..]);
    assert_eq!(after(&canonical::Tenant::new("other").unwrap(), None), []);
}

/// Records by type, and open obligations by route, of what was asked for only.
pub fn a_footprint_counts_what_hangs_on_a_part(backend: &Backend) {
    let footprint = |entities: &[&str], systems: &[&str]| {
        let entities = entities.iter().map(|name| canonical::Entity::new(name).unwrap()).collect();
        let systems = systems.iter().map(|name| system(name)).collect();
        match backend.look(&acme(), Look::Footprint { entities, systems }) {
            Page::Footprint(found) => found,
            other => panic!("not a footprint: {other:?}"),
        }
    };
    assert_eq!(footprint(&["Contact"], &["erp"]), crate::browse::Footprint::default());
    backend.apply((1..=3).map(|number| Op::PutRecord(record(number, 1))).collect());
    backend.apply(vec![Op::PutRecord(record(1, 2))]);
    for number in 1..=4 {
        backend.apply(vec![Op::Raise(raise("r", number, 1))]);
    }
    backend.apply(vec![Op::Raise(raise("s", 1, 1)), settle(sync_key("r", 4), 1, State::Delivered)]);
    backend.apply(vec![settle(sync_key("r", 3), 1, State::Parked)]);
    let entity = record(1, 1).entity;
    let found = footprint(&[entity.as_str()], &["erp"]);
    assert_eq!(found.records, [(entity, 3)].into());
    assert_eq!(found.open, [("r".into(), 3), ("s".into(), 1)].into());
    assert_eq!(footprint(&["Nothing"], &["crm"]), crate::browse::Footprint::default());
}

/// An export walks all records in the order of their ids, with their links.
pub fn records_are_walked_with_their_links(backend: &Backend) {
    for number in 1..=5 {
        backend.apply(vec![Op::PutRecord(record(number, i64::try_from(number).unwrap()))]);
    }
    let foreign = canonical::Record { tenant: other(), ..record(9, 1) };
    backend.apply(vec![
        Op::PutRecord(foreign),
        Op::PutLink(link(2, "crm", "a")),
        Op::PutLink(link(2, "erp", "b")),
    ]);
    let page = |filter| match backend.look(&acme(), Look::Records(filter)) {
        Page::Records(rows, next) => (rows, next),
        other => panic!("not records: {other:?}"),
    };
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let (rows, next) = page(RecordFilter { after, limit: 2, ..<_>::default() });
        found.extend(rows);
        match next {
            Some(_) => after = next,
            None => break,
        }
    }
    let ids: Vec<_> = found.iter().map(|(record, _)| record.id).collect();
    assert_eq!(ids, [1, 2, 3, 4, 5].map(rec));
    assert_eq!(found[1], (record(2, 2), vec![link(2, "crm", "a"), link(2, "erp", "b")]));
    let (from, until) = (Some(at(2)), Some(at(4)));
    let (rows, next) = page(RecordFilter { from, until, limit: 9, ..<_>::default() });
    assert_eq!(rows.iter().map(|(record, _)| record.version).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(next, None);
    let entity = Some(entity("Order"));
    assert_eq!(page(RecordFilter { entity, limit: 2, ..<_>::default() }), (vec![], Some(rec(2))));
}
