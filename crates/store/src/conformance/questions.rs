//! Intents, fetches, systems, messages to be taken in again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use canonical::Tenant;
use intake::{Ask, Message, MessageState};
use ledger::{Class, Intent, IntentState, Shadow};

use super::Backend;
use super::make::*;
use crate::browse::{Look, Page};
use crate::op::Fetch;
use crate::standing::{CHANGES_KEPT, Change, ForcedBreaker, HeldPart, Hold, StandingOrders};
use crate::system::{FirstListing, SystemState};
use crate::{Op, Query, Rows, SpokeAsk};

fn unfinished(backend: &Backend, tenant: Tenant, name: &str) -> Vec<Intent> {
    match backend.find(Query::Intents { tenant, system: system(name) }) {
        Rows::Intents(found) => found,
        other => panic!("not intents: {other:?}"),
    }
}

/// What needed a person for want of a link does not any more when the link comes; what was given up stays so.
pub fn links_make_quarantined_messages_ready(backend: &Backend) {
    let waits = |number, state| Op::PutMessage(Message { state, ..parked(number, Some("a"), Some(50)) });
    let why = || Some(reason("fp1_q"));
    let quarantined = |number, id: Option<&str>| {
        Op::PutMessage(Message {
            state: MessageState::Quarantined,
            reason: why(),
            lacking: true,
            ..parked(number, id, Some(50))
        })
    };
    backend.apply(vec![
        quarantined(1, Some("a")),
        quarantined(2, Some("b")),
        quarantined(3, None),
        waits(4, MessageState::Discarded),
    ]);
    backend.apply(vec![Op::PutLink(link(9, "erp", "a"))]);
    let Rows::Ready(found, _) = backend.find(Query::Ready { tenant: acme(), now: at(100), limit: 9 }) else {
        panic!("not messages")
    };
    let found: Vec<_> = found.iter().map(|message| (message.id, message.lacking)).collect();
    assert_eq!(found, [(msg(1), true)]);
}

/// What is a duplicate beside an object waits until that is no record's any more; who would make another one there sees it.
pub fn duplicates_wait_for_an_end(backend: &Backend) {
    let first = || external("erp", "contacts", "a");
    let beside = |number, id: &str, state| {
        Op::PutMessage(Message {
            about: Some(external("erp", "contacts", id)),
            state,
            reason: Some(reason("fp1_q")),
            waiting: Some(first()),
            ..message(number)
        })
    };
    let next = || {
        let asks = vec![SpokeAsk { object: object("contacts"), ..spoke_ask("r", 1) }];
        let query = Query::Spoke { tenant: acme(), system: system("erp"), asks };
        let Rows::Spoke(mut rows) = backend.find(query) else { panic!("not rows of a spoke") };
        rows.remove(0).next
    };
    let ready = || {
        let Rows::Ready(found, _) = backend.find(Query::Ready { tenant: acme(), now: at(100), limit: 9 })
        else {
            panic!("not messages")
        };
        found.iter().map(|message| message.id).collect::<Vec<_>>()
    };
    let wake = |tenant, external| Op::WakeMessages { tenant, external, at: at(40) };
    let shadow = Shadow { external_id: Some("a".to_owned()), ..shadow(1, "erp", "contacts") };
    backend.apply(vec![
        Op::PutRecord(record(1, 1)),
        Op::PutLink(link(1, "erp", "a")),
        Op::PutShadow(shadow),
        beside(1, "b", MessageState::Discarded),
        beside(2, "c", MessageState::Quarantined),
        beside(4, "e", MessageState::Quarantined),
    ]);
    let asked = |id: &str| {
        let ending = Some(external("erp", "contacts", id));
        let query = Query::Intake { tenant: acme(), asks: vec![Ask { ending, ..Ask::default() }] };
        let Rows::Intake(view) = backend.find(query) else { panic!("not a view") };
        view.beside.len()
    };
    assert_eq!([asked("a"), asked("c")], [1, 0]);
    // One that refers to it, and whose link did not come in time, is none.
    let Op::PutMessage(refers) = beside(5, "b", MessageState::Quarantined) else { return };
    let waiting = Some(external("erp", "contacts", "m"));
    backend.apply(vec![Op::PutMessage(Message { waiting, deadline: Some(at(9)), ..refers })]);
    backend.apply(vec![wake(acme(), external("erp", "contacts", "m"))]);
    assert_eq!((asked("m"), ready()), (0, vec![]));
    assert_eq!((next(), ready()), (None, vec![]), "the record has it still");
    backend.apply(vec![Op::DropLink(link(1, "erp", "a")), Op::PutLink(link(2, "erp", "a"))]);
    assert_eq!(next(), None, "another one has it");
    backend.apply(vec![Op::MessageState {
        tenant: acme(),
        id: msg(2),
        state: MessageState::Quarantined,
        reason: Some(reason("fp1_q")),
        at: at(30),
    }]);
    backend.apply(vec![Op::DropLink(link(2, "erp", "a")), beside(3, "d", MessageState::Parked)]);
    assert_eq!(next().as_deref(), Some("c"));
    let other = canonical::Tenant::new("globex").unwrap();
    backend.apply(vec![wake(other, first()), wake(acme(), external("erp", "contacts", "z"))]);
    assert_eq!(next().as_deref(), Some("c"));
    backend.apply(vec![wake(acme(), first())]);
    assert_eq!((next().as_deref(), ready()), (Some("c"), vec![msg(2), msg(4)]), "it is not judged yet");
    let judged = |number| Op::MessageState {
        tenant: acme(),
        id: msg(number),
        state: MessageState::Accepted,
        reason: None,
        at: at(50),
    };
    backend.apply(vec![judged(2), judged(4)]);
    assert_eq!((next(), ready()), (None, vec![]));
}

/// Same key, same bytes: what is put again keeps its call and request, and its place in a batch; the bytes go with the
/// end.
pub fn intents_keep_their_bytes(backend: &Backend) {
    let member = || Intent { class: class_of(3), batch: Some(membership(1)), ..intent(1, "r", 1) };
    let first = Intent { fields: fields("not stored").into(), ..member() };
    backend.apply(vec![Op::Raise(raise("r", 1, 1)), Op::PutIntent(first)]);
    assert_eq!(unfinished(backend, acme(), "erp"), [member()]);
    let doubtful = Intent {
        state: IntentState::Doubtful,
        sends: 2,
        probes: 1,
        due: at(60),
        outcome: Some(Class::Uncertain),
        reason: Some(reason("fp1_u")),
        token: Some(canonical::OrderToken(8)),
        ..member()
    };
    let other_bytes =
        Intent { call: (*b"other").into(), request: Arc::default(), batch: None, ..doubtful.clone() };
    backend.apply(vec![Op::PutIntent(other_bytes)]);
    assert_eq!(unfinished(backend, acme(), "erp"), [doubtful.clone()]);
    let closed = Intent {
        state: IntentState::Closed,
        closed_at: Some(at(70)),
        outcome: Some(Class::Applied),
        ..doubtful
    };
    backend.apply(vec![Op::PutIntent(closed.clone())]);
    assert_eq!(unfinished(backend, acme(), "erp"), []);
    // It stays as it ended.
    let again = Intent { state: IntentState::Doubtful, closed_at: None, ..closed.clone() };
    backend.apply(vec![Op::PutIntent(again)]);
    assert_eq!(unfinished(backend, acme(), "erp"), []);
    let Page::Delivery(Some((_, intents, _))) = backend.look(&acme(), Look::Delivery(sync_key("r", 1)))
    else {
        panic!("no delivery")
    };
    assert_eq!(intents, [Intent { call: Arc::default(), request: Arc::default(), ..closed }]);
}

/// Unfinished intents of one system of one tenant, by their ids, which are made in the order of time.
pub fn unfinished_intents_oldest_first(backend: &Backend) {
    let elsewhere = Intent { system: system("marketing"), ..intent(3, "r", 3) };
    let closed = Intent { state: IntentState::Closed, request: Arc::default(), ..intent(4, "r", 4) };
    let mut foreign = intent(5, "r", 5);
    foreign.obligation.tenant = other();
    let puts = [intent(2, "r", 2), intent(1, "r", 1), elsewhere.clone(), closed, foreign.clone()];
    backend.apply(puts.into_iter().map(Op::PutIntent).collect());
    let doubtful = Intent { state: IntentState::Doubtful, ..intent(2, "r", 2) };
    backend.apply(vec![Op::PutIntent(doubtful.clone())]);
    assert_eq!(unfinished(backend, acme(), "erp"), [intent(1, "r", 1), doubtful]);
    assert_eq!(unfinished(backend, acme(), "marketing"), [elsewhere]);
    assert_eq!(unfinished(backend, other(), "erp"), [foreign]);
}

/// A fetch waits once per object; a hint that came after the fetch began keeps it waiting.
pub fn fetches_keep_the_newest_hint(backend: &Backend) {
    let due = |due_by, limit| match backend.find(Query::Fetches {
        tenant: acme(),
        system: system("crm"),
        due_by: at(due_by),
        limit,
    }) {
        Rows::Fetches(found, later) => (found, later),
        other => panic!("not fetches: {other:?}"),
    };
    let done = |id: &str, started| Op::DoneFetch {
        tenant: acme(),
        external: external("crm", "contacts", id),
        started: at(started),
        lag: Duration::ZERO,
    };
    backend.apply(vec![Op::WantFetch(fetch("a", 10, 12)), Op::WantFetch(fetch("b", 11, 11))]);
    assert_eq!(due(5, 9), (vec![], Some(at(11))));
    assert_eq!(due(11, 9), (vec![fetch("b", 11, 11)], Some(at(12))));
    assert_eq!(due(20, 9), (vec![fetch("b", 11, 11), fetch("a", 10, 12)], None));
    assert_eq!(due(20, 1).0, [fetch("b", 11, 11)]);

    backend.apply(vec![Op::WantFetch(Fetch { trace: trace(4), ..fetch("a", 20, 15) })]);
    backend.apply(vec![Op::WantFetch(Fetch { trace: trace(5), ..fetch("a", 9, 5) })]);
    let newest = Fetch { hinted_at: at(20), due: at(5), trace: trace(4), ..fetch("a", 10, 12) };
    assert_eq!(due(10, 9).0, [newest.clone()]);
    backend.apply(vec![done("a", 19), done("b", 11), done("c", 1)]);
    assert_eq!(due(30, 9), (vec![Fetch { due: at(20), ..newest.clone() }], None));

    let external = newest.external.clone();
    backend.apply(vec![Op::DelayFetch { tenant: acme(), external, due: at(100), attempts: 2 }]);
    backend.apply(vec![Op::WantFetch(fetch("a", 40, 40))]);
    assert_eq!(due(99, 9), (vec![], Some(at(100))), "a hint does not end a back-off");
    backend.apply(vec![done("a", 45)]);
    assert_eq!(due(999, 9), (vec![], None));

    // Answers may be behind: what they may not show yet is read once more, when they must.
    let behind = |started| match done("a", started) {
        Op::DoneFetch { tenant, external, started, .. } => {
            Op::DoneFetch { tenant, external, started, lag: Duration::from_secs(20) }
        }
        other => other,
    };
    backend.apply(vec![Op::WantFetch(fetch("a", 50, 50))]);
    backend.apply(vec![behind(51)]);
    assert_eq!(due(69, 9), (vec![], Some(at(70))));
    assert_eq!(due(70, 9).0, [fetch("a", 50, 70)]);
    backend.apply(vec![behind(49)]);
    assert_eq!(due(50, 9).0, [fetch("a", 50, 50)], "the hint came while it was read");
    backend.apply(vec![behind(70)]);
    assert_eq!(due(999, 9), (vec![], None));
}

/// A system's state is kept whole; cursors are kept per object.
pub fn systems_keep_state_and_cursors(backend: &Backend) {
    let cursor = |kind: &str, text: &str| Op::PutCursor {
        tenant: acme(),
        system: system("crm"),
        object: object(kind),
        cursor: text.to_owned(),
        at: at(1),
    };
    let now = || backend.find(Query::System { tenant: acme(), system: system("crm") });
    assert_eq!(now(), Rows::System(None, BTreeMap::new(), None));
    backend.apply(vec![cursor("contacts", "1"), cursor("companies", "2"), cursor("contacts", "3")]);
    let cursors =
        BTreeMap::from([(object("companies"), "2".to_owned()), (object("contacts"), "3".to_owned())]);
    assert_eq!(now(), Rows::System(None, cursors.clone(), None));
    backend.apply(vec![Op::PutSystem(system_state("crm"))]);
    assert_eq!(now(), Rows::System(Some(system_state("crm")), cursors.clone(), None));
    let paused = SystemState { paused: Some("by anna".to_owned()), ..system_state("crm") };
    let stale = SystemState { credential: None, credential_generation: 0, ..paused.clone() };
    backend.apply(vec![Op::PutSystem(stale)]);
    assert_eq!(
        now(),
        Rows::System(Some(paused.clone()), cursors.clone(), None),
        "the credential is another hand's"
    );

    let put = |credential: Option<Vec<u8>>, generation| Op::PutCredential {
        tenant: acme(),
        system: system("crm"),
        credential,
        generation,
    };
    backend.apply(vec![put(Some(vec![9]), 5)]);
    let rotated = SystemState { credential: Some(vec![9]), credential_generation: 5, ..paused };
    assert_eq!(now(), Rows::System(Some(rotated.clone()), cursors.clone(), None));
    backend.apply(vec![put(None, 6)]);
    let standing = Box::new(StandingOrders {
        holds: vec![Hold {
            scope: HeldPart::Route(sync_key("r", 1).route),
            why: "anna".to_owned(),
            since: at(1),
        }],
        releasing: true,
        forced: vec![ForcedBreaker { operation: None, open: true, why: "ben".to_owned(), since: at(2) }],
    });
    let jobs = vec![bulk_job("7", vec![]), bulk_job("8", vec![2, 5])];
    let first = FirstListing { since: at(3), approved: true };
    let first_listings = BTreeMap::from([(object("contacts"), first)]);
    let ordered = SystemState { credential_generation: 6, standing, jobs, first_listings, ..rotated };
    backend.apply(vec![Op::PutSystem(ordered.clone())]);
    assert_eq!(now(), Rows::System(Some(ordered.clone()), cursors.clone(), None));
    // One that is over goes; the others stay.
    let first_listings = BTreeMap::new();
    let over = SystemState { jobs: vec![bulk_job("8", vec![2, 5])], first_listings, ..ordered };
    backend.apply(vec![Op::PutSystem(over.clone())]);
    assert_eq!(now(), Rows::System(Some(over), cursors, None));
}

/// Of each system the newest changes stay, and are listed newest first.
pub fn systems_keep_a_journal(backend: &Backend) {
    let change = |name: &str, i: i64| Change {
        tenant: acme(),
        system: system(name),
        at: at(i),
        what: "paused".to_owned(),
        about: String::new(),
        why: "anna: an audit".to_owned(),
    };
    let listed = |name: Option<&str>, before, limit| {
        let look = Look::Changes { system: name.map(system), before, limit };
        match backend.look(&acme(), look) {
            Page::Changes(rows) => rows,
            other => panic!("{other:?}"),
        }
    };
    backend.apply(vec![Op::PutChange(change("crm", 1)), Op::PutChange(change("erp", 2))]);
    backend.apply(vec![Op::PutChange(change("crm", 3))]);
    let times = |rows: Vec<(i64, Change)>| rows.into_iter().map(|(_, row)| row.at).collect::<Vec<_>>();
    assert_eq!(times(listed(None, None, 9)), [at(3), at(2), at(1)]);
    assert_eq!(times(listed(Some("crm"), None, 9)), [at(3), at(1)]);
    let newest = listed(Some("crm"), None, 1);
    assert_eq!(times(listed(Some("crm"), Some(newest[0].0), 1)), [at(1)]);
    assert_eq!(listed(Some("none"), None, 9), []);
    let after = |name: Option<&str>, after, limit| match backend
        .look(&acme(), Look::ChangesAfter { system: name.map(system), after, limit })
    {
        Page::Changes(rows) => rows,
        other => panic!("{other:?}"),
    };
    assert_eq!(times(after(None, None, 2)), [at(1), at(2)]);
    let oldest = after(Some("crm"), None, 1);
    assert_eq!(times(after(Some("crm"), Some(oldest[0].0), 9)), [at(3)]);
    assert_eq!(times(after(None, Some(oldest[0].0), 9)), [at(2), at(3)]);
    assert_eq!(after(None, Some(newest[0].0), 9), []);
    assert_eq!(after(Some("none"), None, 9), []);
    backend.apply((0..CHANGES_KEPT).map(|i| Op::PutChange(change("crm", 10 + i))).collect());
    let all = listed(Some("crm"), None, 1);
    let oldest = listed(Some("crm"), Some(all[0].0 - (CHANGES_KEPT - 2)), 9);
    assert_eq!(times(oldest), [at(10)], "none older is left");
    assert_eq!(times(listed(Some("erp"), None, 9)), [at(2)]);
}

fn parked(number: u64, on: Option<&str>, deadline: Option<i64>) -> Message {
    Message {
        state: MessageState::Parked,
        waiting: on.map(|id| external("erp", "contacts", id)),
        deadline: deadline.map(at),
        ..message(number)
    }
}

/// Messages whose link came are ready at once; the others when their deadline passes.
pub fn messages_wait_for_links_and_deadlines(backend: &Backend) {
    let ready = |now, limit| match backend.find(Query::Ready { tenant: acme(), now: at(now), limit }) {
        Rows::Ready(found, later) => (found.iter().map(|message| message.id).collect::<Vec<_>>(), later),
        other => panic!("not messages: {other:?}"),
    };
    let messages = [
        parked(1, Some("a"), Some(500)),
        parked(2, Some("a"), None),
        parked(3, Some("b"), Some(400)),
        parked(4, None, Some(300)),
        message(5),
    ];
    backend.apply(messages.into_iter().map(Op::PutMessage).collect());
    assert_eq!(ready(100, 9), (vec![], Some(at(300))));
    assert_eq!(ready(400, 9), (vec![msg(4), msg(3)], Some(at(500))));
    backend.apply(vec![Op::PutLink(link(9, "crm", "a"))]);
    assert_eq!(ready(100, 9), (vec![], Some(at(300))), "another system's object");
    backend.apply(vec![Op::PutLink(link(9, "erp", "a"))]);
    assert_eq!(ready(100, 9), (vec![msg(1), msg(2)], Some(at(300))));
    assert_eq!(ready(400, 3), (vec![msg(1), msg(2), msg(4)], None));
    let Rows::Ready(found, _) = backend.find(Query::Ready { tenant: acme(), now: at(0), limit: 1 }) else {
        panic!("not messages")
    };
    assert_eq!(found, [Message { state: MessageState::Ready, ..parked(1, Some("a"), Some(500)) }]);
    backend.apply(vec![
        Op::MessageState {
            tenant: acme(),
            id: msg(1),
            state: MessageState::Accepted,
            reason: None,
            at: at(5),
        },
        Op::MessageState {
            tenant: acme(),
            id: msg(4),
            state: MessageState::Quarantined,
            reason: Some(reason("fp1_q")),
            at: at(5),
        },
    ]);
    assert_eq!(ready(1000, 9), (vec![msg(2), msg(3)], None));
}

/// Nothing of one tenant is found by another.
pub fn tenants_see_their_own_only(backend: &Backend) {
    backend.apply(vec![
        Op::PutRecord(record(1, 1)),
        Op::PutLink(link(1, "crm", "a")),
        Op::PutFact(fact(1, 1)),
        Op::Raise(raise("r", 1, 1)),
        Op::PutIntent(intent(1, "r", 1)),
        Op::PutMessage(parked(1, None, Some(1))),
        Op::PutMessage(Message { state: MessageState::Quarantined, ..message(2) }),
        Op::PutShadow(shadow(1, "erp", "customer")),
        Op::WantFetch(fetch("a", 1, 1)),
        Op::PutSystem(system_state("crm")),
    ]);
    let empty = |look| match backend.look(&other(), look) {
        Page::Deliveries(rows) => rows.is_empty(),
        Page::Delivery(row) => row.is_none(),
        Page::Events(rows) => rows.is_empty(),
        Page::Decisions(rows) => rows.is_empty(),
        Page::Messages(rows) => rows.is_empty(),
        Page::Record(sheet) => sheet.is_none(),
        Page::Changes(rows) => rows.is_empty(),
        Page::Systems(rows) => rows.is_empty(),
        Page::Groups(rows) => rows.is_empty(),
        Page::Jobs(rows) => rows.is_empty(),
        Page::Applied(rows) => rows.is_empty(),
        Page::Versions(rows) => rows.is_empty(),
        Page::Footprint(found) => found == crate::browse::Footprint::default(),
        Page::Records(rows, _) => rows.is_empty(),
        Page::Retention(kept, _) => kept.iter().all(|kept| kept.rows.unwrap_or(0) == 0),
    };
    let filter = crate::browse::DeliveryFilter { limit: 9, ..<_>::default() };
    assert!(empty(Look::Deliveries(filter)));
    assert!(empty(Look::Delivery(sync_key("r", 1))));
    assert!(empty(Look::Event(evt(1))));
    assert!(empty(Look::Record(rec(1))));
    assert!(empty(Look::RecordByLink { system: system("crm"), object: None, external_id: "a".to_owned() }));
    assert!(empty(Look::Changes { system: None, before: None, limit: 9 }));
    assert!(empty(Look::ChangesAfter { system: None, after: None, limit: 9 }));
    assert!(empty(Look::Systems));
    assert!(empty(Look::Footprint { entities: vec![record(1, 1).entity], systems: vec![system("erp")] }));
    assert_eq!(unfinished(backend, other(), "erp"), []);
    let ready = Query::Ready { tenant: other(), now: at(1000), limit: 9 };
    assert_eq!(backend.find(ready), Rows::Ready(vec![], None));
    let fetches = Query::Fetches { tenant: other(), system: system("crm"), due_by: at(1000), limit: 9 };
    assert_eq!(backend.find(fetches), Rows::Fetches(vec![], None));
    // Whoever knows an id of another tenant learns nothing by it, and moves nothing.
    let ask = Query::Spoke { tenant: other(), system: system("erp"), asks: vec![spoke_ask("r", 1)] };
    assert_eq!(backend.find(ask), Rows::Spoke(vec![crate::SpokeRow::default()]));
    let kept = backend.look(&acme(), Look::Message(msg(2)));
    backend.apply(vec![
        Op::MessageState {
            tenant: other(),
            id: msg(2),
            state: MessageState::Discarded,
            reason: None,
            at: at(9),
        },
        Op::DecideMessage {
            tenant: other(),
            id: msg(2),
            decided: crate::Decided {
                again: false,
                job: job(1),
                reason: reason(""),
                failed_by: at(99),
                at: at(9),
            },
        },
    ]);
    assert_eq!(backend.look(&acme(), Look::Message(msg(2))), kept);
    assert!(empty(Look::Message(msg(2))));
}
