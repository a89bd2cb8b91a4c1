//! What is past its time and closed may go, judged again as it goes; nothing else does.

use canonical::{EventId, Fact, Wall};
use intake::{DecisionKind, Message, MessageState, Raise};
use ledger::{Intent, IntentState, Obligation, State, Subject};

use super::Backend;
use super::make::*;
use crate::browse::{DeliveryFilter, EventFilter, JobFilter, Look, MessageFilter, Page, RecordSheet};
use crate::op::Attempt;
use crate::retention::{Horizons, OldAsk, OldRow, Part, Place, Retained};
use crate::{Op, Query, Require, Rows};

/// Everything from before second 500 is old; hashes from before second 400.
fn horizons() -> Horizons {
    let before = at(500);
    Horizons {
        messages: before,
        seen: at(400),
        events: before,
        deliveries: before,
        groups: before,
        jobs: before,
    }
}

fn ask(part: Part, after: Place, lines: bool) -> Query {
    Query::Old(OldAsk { tenant: acme(), part, after, horizons: horizons(), limit: 2, bytes: 1 << 20, lines })
}

/// Walks to the end, in the smallest pages.
fn walked(backend: &Backend, part: Part, lines: bool) -> Vec<(OldRow, String)> {
    let (mut place, mut found) = (Place::Start, Vec::new());
    for _ in 0..100 {
        let Rows::Old(page) = backend.find(ask(part, place, lines)) else { panic!("not what is old") };
        // A record whose rows do not fit a page is taken again, after those rows have gone.
        found.extend(page.rows.into_iter().filter(|row| !found.contains(row)).collect::<Vec<_>>());
        match page.next {
            Some(next) if next != place => place = next,
            Some(_) => {
                let rows: Vec<OldRow> = found.iter().map(|(row, _)| row.clone()).collect();
                forget(backend, &rows);
            }
            None => return found,
        }
    }
    panic!("the walk does not end");
}

fn forget(backend: &Backend, rows: &[OldRow]) {
    let forget =
        |row: &OldRow| Op::Forget { tenant: acme(), row: row.clone(), before: row.horizon(&horizons()) };
    backend.apply(rows.iter().map(forget).collect());
}

/// Takes away all that may go on a walk; gives what that was.
fn swept(backend: &Backend, part: Part) -> Vec<OldRow> {
    let rows: Vec<OldRow> = walked(backend, part, false).into_iter().map(|(row, _)| row).collect();
    forget(backend, &rows);
    rows
}

fn messages(backend: &Backend) -> Vec<Message> {
    match backend.look(&acme(), Look::Messages(MessageFilter { limit: 99, ..<_>::default() })) {
        Page::Messages(rows) => rows.into_iter().rev().map(|(_, message)| message).collect(),
        other => panic!("not messages: {other:?}"),
    }
}

fn deliveries(backend: &Backend) -> Vec<Obligation> {
    match backend.look(&acme(), Look::Deliveries(DeliveryFilter { limit: 99, ..<_>::default() })) {
        Page::Deliveries(rows) => rows.into_iter().rev().map(|(_, row)| row).collect(),
        other => panic!("not deliveries: {other:?}"),
    }
}

fn events(backend: &Backend) -> Vec<EventId> {
    match backend.look(&acme(), Look::Events(EventFilter { limit: 99, ..<_>::default() })) {
        Page::Events(rows) => rows.into_iter().rev().map(|(_, fact)| fact.id).collect(),
        other => panic!("not events: {other:?}"),
    }
}

fn sheet(backend: &Backend, number: u64) -> RecordSheet {
    match backend.look(&acme(), Look::Record(rec(number))) {
        Page::Record(Some(sheet)) => *sheet,
        other => panic!("not a record: {other:?}"),
    }
}

fn kept(number: u64, state: MessageState, received: i64) -> Op {
    Op::PutMessage(Message { state, received_at: at(received), ..message(number) })
}

fn seen(number: u64) -> Op {
    let event_id = format!("e{number}");
    Op::Seen { tenant: acme(), source: system("crm"), event_id, hash: [1; 32], at: at(1) }
}

fn is_unseen(backend: &Backend, number: u64) -> bool {
    let event_id = format!("e{number}");
    backend.holds(Require::Unseen { tenant: acme(), source: system("crm"), event_id })
}

/// I1: what needs a person, and what waits, stays whatever its age. What is closed loses what it said first, then goes
/// with its hash, so that a repetition is told for longer than a message can be taken in again (I16).
pub fn messages_go_with_their_hashes(backend: &Backend) {
    let states = [MessageState::Accepted, MessageState::Quarantined, MessageState::Parked];
    let states = [states.as_slice(), &[MessageState::Ready, MessageState::Discarded]].concat();
    let mut ops: Vec<Op> =
        (1..).zip(&states).flat_map(|(number, state)| [seen(number), kept(number, *state, 10)]).collect();
    ops.extend([
        seen(6),
        kept(6, MessageState::Accepted, 450),
        seen(7),
        kept(7, MessageState::Accepted, 600),
    ]);
    ops.push(Op::PutMessage(Message { event_id: None, received_at: at(20), ..message(8) }));
    ops.push(Op::PutMessage(Message { received_at: at(700), ..message(9) }));
    for op in ops {
        backend.apply(vec![op]);
    }
    let rows = swept(backend, Part::Payloads);
    // In the order of positions, the walk ends at the first that is young.
    assert_eq!(rows, [1, 5, 6].map(|number| OldRow::Payload(msg(number))));
    let after = messages(backend);
    assert_eq!(after.len(), 9, "the rows stay");
    let said = |number: u64| after.iter().any(|message| message.id == msg(number) && !message.raw.is_empty());
    assert_eq!([1, 2, 3, 4, 5, 6, 7].map(said), [false, true, true, true, false, false, true]);
    assert!(!is_unseen(backend, 1) && !is_unseen(backend, 5), "hashes outlive what was said");
    // Once more: nothing is left.
    assert_eq!(swept(backend, Part::Payloads), []);
    let rows = swept(backend, Part::Messages);
    assert_eq!(rows, [1, 5].map(|number| OldRow::Message(msg(number))));
    assert!(is_unseen(backend, 1) && is_unseen(backend, 5));
    assert!(!is_unseen(backend, 2) && !is_unseen(backend, 6), "of what is kept, the hash is");
    let left: Vec<_> = messages(backend).into_iter().map(|message| message.id).collect();
    assert_eq!(left, [2, 3, 4, 6, 7, 8, 9].map(msg));
}

/// What has no id at its source is told by nothing: it goes at once. The newest stays, so that its position is not
/// given again.
pub fn nameless_messages_go_at_once_and_the_newest_stays(backend: &Backend) {
    for number in 1..=3 {
        let nameless = Message { event_id: None, received_at: at(10), ..message(number) };
        backend.apply(vec![Op::PutMessage(nameless)]);
    }
    assert_eq!(swept(backend, Part::Payloads), [1, 2].map(|number| OldRow::Payload(msg(number))));
    assert_eq!(messages(backend).iter().map(|message| message.id).collect::<Vec<_>>(), [msg(3)]);
    assert_eq!(swept(backend, Part::Messages), []);
}

fn closed(number: u64, route: &str, record: u64, seconds: i64) -> Intent {
    let state = IntentState::Closed;
    Intent { state, closed_at: Some(at(seconds)), ..intent(number, route, record) }
}

/// A record with a history: events 1 to 4 told by a route, 1 delivered, 2 dead, 3 delivered lately, 4 given up; event 5
/// told to nobody; and what was sent for its state.
fn history() -> Vec<Op> {
    let mut ops = vec![Op::PutRecord(record(1, 1)), Op::PutRecord(record(2, 1))];
    for number in 1..=5 {
        ops.push(Op::PutFact(fact(number, 1)));
    }
    for number in 1..=4 {
        ops.push(Op::Raise(notify("n", number, 1)));
    }
    let states = [State::Delivered, State::Dead, State::Delivered, State::Discarded];
    for (number, state) in (1..).zip(states) {
        ops.push(settle(notify_key("n", number), 1, state));
    }
    // It was replayed meanwhile, and is young again.
    let replay = Some(intake::Replay { job: job(1), anew: false });
    ops.push(Op::Raise(Raise { again: true, at: at(600), due: at(600), replay, ..notify("n", 3, 1) }));
    ops.push(Op::Raise(raise("r", 1, 1)));
    ops.push(settle(sync_key("r", 1), 1, State::Delivered));
    ops.push(Op::Raise(raise("s", 1, 1)));
    ops.push(settle(sync_key("s", 1), 1, State::Uncertain));
    ops.push(Op::PutIntent(closed(1, "r", 1, 100)));
    ops.push(Op::PutIntent(closed(2, "r", 1, 600)));
    ops.push(Op::PutIntent(closed(3, "s", 1, 100)));
    ops.push(Op::PutIntent(intent(4, "r", 1)));
    ops.push(Op::PutDecision(decision(1, DecisionKind::Rejected)));
    ops.push(Op::PutDecision(intake::Decision { at: at(600), ..decision(1, DecisionKind::Stale) }));
    // The newest of each table stays: these are of another record.
    ops.push(Op::PutFact(Fact { record: rec(2), ..fact(9, 2) }));
    ops.push(Op::Raise(notify("n", 9, 2)));
    ops
}

/// I1, I8: of a record's history goes what is closed; deliveries of its state, what is open, and what needs a person
/// stay with what tells about them.
pub fn histories_of_records_go_where_closed(backend: &Backend) {
    backend.apply(history());
    let gone = swept(backend, Part::Records);
    let kinds = |kind: &str| gone.iter().filter(|row| row.kind() == kind).count();
    assert_eq!((kinds("delivery"), kinds("intent"), kinds("decision")), (2, 1, 1), "{gone:?}");
    assert!(gone.contains(&OldRow::Delivery(notify_key("n", 1))));
    assert!(gone.contains(&OldRow::Delivery(notify_key("n", 4))));
    assert!(gone.contains(&OldRow::Intent(rec(1), int(1))));
    // An event goes after its deliveries: at the latest in the next round.
    swept(backend, Part::Records);
    assert_eq!(events(backend), [2, 3, 9].map(evt));
    assert_eq!(swept(backend, Part::Records), []);
    let left: Vec<_> = deliveries(backend).into_iter().map(|row| row.key).collect();
    let stays =
        [notify_key("n", 2), notify_key("n", 3), sync_key("r", 1), sync_key("s", 1), notify_key("n", 9)];
    assert_eq!(left, stays);
    let sheet = sheet(backend, 1);
    let intents: Vec<_> = sheet.intents.iter().map(|intent| intent.id).collect();
    assert_eq!(intents, [4, 3, 2].map(int), "the open one, the one in doubt, and the young one");
    assert_eq!(sheet.decisions.len(), 1);
    let Page::Systems(systems) = backend.look(&acme(), Look::Systems) else { panic!("not systems") };
    let counts = &systems.first().unwrap().1;
    assert_eq!((counts.open, counts.dead, counts.uncertain), (2, 1, 1), "counts stay right");
}

/// Nothing goes because it was found: it is judged again as it goes.
pub fn what_moved_meanwhile_stays(backend: &Backend) {
    backend.apply(history());
    backend.apply(vec![kept(1, MessageState::Discarded, 10), kept(2, MessageState::Accepted, 10)]);
    let mut found = walked(backend, Part::Payloads, false);
    found.extend([
        (OldRow::Delivery(notify_key("n", 1)), String::new()),
        (OldRow::Event(evt(1)), String::new()),
    ]);
    let ready = Op::MessageState {
        tenant: acme(),
        id: msg(1),
        state: MessageState::Ready,
        reason: None,
        at: at(600),
    };
    let replay = Some(intake::Replay { job: job(1), anew: true });
    let again = Raise { again: true, at: at(600), due: at(600), replay, ..notify("n", 1, 1) };
    backend.apply(vec![ready, Op::Raise(again)]);
    forget(backend, &found.iter().map(|(row, _)| row.clone()).collect::<Vec<_>>());
    let said = messages(backend).into_iter().find(|message| message.id == msg(1)).unwrap();
    assert!(!said.raw.is_empty());
    assert!(deliveries(backend).iter().any(|row| row.key == notify_key("n", 1)));
    assert!(events(backend).contains(&evt(1)));
    // Another tenant's order takes nothing of ours.
    let (tenant, before) = (other(), at(900));
    backend.apply(vec![kept(3, MessageState::Accepted, 10)]);
    let rows = [OldRow::Payload(msg(3)), OldRow::Event(evt(5)), OldRow::Delivery(notify_key("n", 4))];
    backend.apply(rows.into_iter().map(|row| Op::Forget { tenant: tenant.clone(), row, before }).collect());
    backend.apply(vec![Op::PutAttempt(Attempt { at: at(40), ..attempt(1, "r", 1) })]);
    backend.apply(vec![Op::PutAttempt(Attempt { at: at(41), ..attempt(1, "r", 1) })]);
    let rest = [OldRow::Intent(rec(1), int(1)), OldRow::Decision(rec(1), 1), OldRow::Attempt(1)];
    let stands = |backend: &Backend| {
        let sheet = sheet(backend, 1);
        (sheet.intents.len(), sheet.decisions.len(), sheet.attempts.len())
    };
    let all = stands(backend);
    let order = |tenant: &canonical::Tenant, row: &OldRow| Op::Forget {
        tenant: tenant.clone(),
        row: row.clone(),
        before,
    };
    backend.apply(rest.iter().map(|row| order(&tenant, row)).collect());
    assert_eq!(stands(backend), all);
    backend.apply(rest.iter().map(|row| order(&acme(), row)).collect());
    assert_eq!(stands(backend), (all.0 - 1, all.1 - 1, all.2 - 1), "our own order takes each");
    let said = |message: &Message| message.id == msg(3) && !message.raw.is_empty();
    assert!(messages(backend).iter().any(said));
    assert!(events(backend).contains(&evt(5)));
    assert!(deliveries(backend).iter().any(|row| row.key == notify_key("n", 4)));
}

/// Attempts stay as long as somebody may ask why.
pub fn attempts_stay_with_what_needs_a_person(backend: &Backend) {
    backend.apply(history());
    let failed = |route: &str, seconds| Op::PutAttempt(Attempt { at: at(seconds), ..attempt(1, route, 1) });
    backend.apply(vec![
        failed("r", 40),
        failed("s", 41),
        failed("r", 42),
        failed("r", 600),
        failed("r", 601),
    ]);
    assert_eq!(swept(backend, Part::Attempts).len(), 2);
    let left: Vec<Wall> = sheet(backend, 1).attempts.iter().map(|attempt| attempt.at).collect();
    assert_eq!(left, [601, 600, 41].map(at));
}

/// Groups with nothing left in them, and jobs that have ended.
pub fn groups_and_jobs_go_when_over(backend: &Backend) {
    let fails = |number: u64, state, name: &str| {
        vec![
            Op::Raise(raise("r", number, 1)),
            Op::Settle {
                key: sync_key("r", number),
                level: level(1),
                reached: false,
                state,
                attempts: 1,
                due: at(100),
                waiting: None,
                reason: Some(reason(name)),
                at: at(100),
            },
        ]
    };
    backend.apply(fails(1, State::Dead, "fp1_a"));
    backend.apply(fails(1, State::Discarded, "fp1_a"));
    backend.apply(fails(2, State::Dead, "fp1_b"));
    backend.apply(fails(3, State::Dead, "fp1_c"));
    let done = |number: u64, ended: Option<i64>| {
        let state = if ended.is_some() { ledger::JobState::Done } else { ledger::JobState::Running };
        Op::PutJob(ledger::Job { state, ended_at: ended.map(at), ..super::bulk::plan(number) })
    };
    backend.apply(vec![done(1, Some(100)), done(2, None), done(3, Some(600)), done(4, Some(100))]);
    let groups = swept(backend, Part::Groups);
    assert_eq!(groups.iter().map(OldRow::kind).collect::<Vec<_>>(), ["group"]);
    assert_eq!(swept(backend, Part::Groups), []);
    assert_eq!(swept(backend, Part::Jobs), [OldRow::Job(job(1))]);
    assert_eq!(swept(backend, Part::Jobs), []);
}

/// Lines for an archive: one for each row that says something, and nothing readable that is sealed (I15).
pub fn lines_hold_nothing_that_is_sealed(backend: &Backend) {
    backend.apply(history());
    for number in 1..=3 {
        backend.apply(vec![kept(number, MessageState::Accepted, 10)]);
    }
    let mut all = Vec::new();
    for part in [Part::Payloads, Part::Records, Part::Attempts, Part::Groups, Part::Jobs] {
        for (row, line) in walked(backend, part, true) {
            let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
            let kind = if row.kind() == "payload" { "message" } else { row.kind() };
            assert_eq!(parsed["kind"], kind, "{line}");
            all.push(line);
        }
    }
    assert!(all.len() >= 6, "{all:?}");
    for line in all {
        for secret in ["example.com", "raw 1", "\"raw\":[114", "fact@", "call 1", "request 1"] {
            assert!(!line.contains(secret), "{line} shows {secret}");
        }
    }
}

/// How far it has come is kept, and what there is can be told.
pub fn its_state_is_kept(backend: &Backend) {
    let Rows::Retained(blank) = backend.find(Query::Retained { tenant: acme() }) else { panic!("not it") };
    assert_eq!(blank, Retained::default());
    let mut state = Retained { part: Some(Part::Records), place: Place::Record(rec(1)), ..blank };
    state.removed.insert("event".to_owned(), 7);
    state.ordered(at(1), "ann: space".to_owned());
    backend.apply(vec![Op::PutRetained(acme(), Retained::default()), Op::PutRetained(acme(), state.clone())]);
    assert_eq!(backend.find(Query::Retained { tenant: acme() }), Rows::Retained(state.clone()));
    assert_eq!(backend.find(Query::Retained { tenant: other() }), Rows::Retained(Retained::default()));
    for (number, received) in [(1, 10), (2, 20), (3, 600)] {
        backend.apply(vec![kept(number, MessageState::Accepted, received)]);
    }
    backend.apply(history());
    let Page::Retention(kept, told) = backend.look(&acme(), Look::Retention(horizons())) else {
        panic!("not what is kept")
    };
    assert_eq!(told, state);
    let of = |kind: &str| kept.iter().find(|kept| kept.kind == kind).unwrap();
    let messages = of("messages");
    assert_eq!((messages.rows, messages.oldest, messages.past), (Some(3), Some(at(10)), Some(2)));
    assert_eq!(of("events").rows, Some(6));
    // One of them was raised again.
    let resting = deliveries(backend).iter().filter(|row| crate::retention::rests(row.state)).count();
    assert_eq!(of("deliveries").rows, Some(resting as u64));
    let subjects = deliveries(backend).into_iter().filter(|row| matches!(row.key.subject, Subject::Event(_)));
    assert_eq!(subjects.count(), 5);
}

/// I3: a delivery that went while a replay was under way is not made anew: nothing would know that it was delivered. The
/// state of a record may be said again where it never was.
pub fn what_has_gone_is_not_said_again(backend: &Backend) {
    backend.apply(history());
    let old = walked(backend, Part::Records, false);
    let key = notify_key("n", 1);
    assert!(old.iter().any(|(row, _)| *row == OldRow::Delivery(key.clone())));
    forget(backend, &[OldRow::Delivery(key.clone())]);
    for (again, anew) in [(true, Some(false)), (true, Some(true)), (true, None)] {
        let replay = anew.map(|anew| intake::Replay { job: job(1), anew });
        let said = Raise { again, at: at(600), due: at(600), replay, ..notify("n", 1, 1) };
        assert_eq!(backend.apply(vec![Op::Raise(said)]), [], "{anew:?}");
    }
    let replay = Some(intake::Replay { job: job(1), anew: true });
    assert_eq!(backend.apply(vec![Op::Raise(Raise { again: true, replay, ..raise("never", 1, 1) })]), []);
    // For the job, each of these has come to nothing.
    backend.apply(vec![Op::PutJob(super::bulk::plan(1))]);
    let Page::Jobs(jobs) = backend.look(&acme(), Look::Jobs(JobFilter { limit: 9, ..<_>::default() })) else {
        panic!("not jobs")
    };
    assert_eq!(jobs.first().map(|(_, _, tally)| tally.other), Some(3));
    let left = deliveries(backend);
    assert!(left.iter().all(|row| row.key != key && row.key.route.as_str() != "never"), "{left:?}");
    let told = backend.apply(vec![Op::Raise(Raise { again: true, ..raise("never", 1, 1) })]);
    assert_eq!(told.len(), 1);
}

/// Asked about again before its rows have gone, such a record would give the same ones.
pub fn a_record_that_does_not_fit_a_page_says_so(backend: &Backend) {
    backend.apply(history());
    let page = |after| match backend.find(ask(Part::Records, after, false)) {
        Rows::Old(page) => page,
        other => panic!("not what is old: {other:?}"),
    };
    let first = page(Place::Start);
    assert_eq!((first.rows.len(), first.next, first.cut), (2, Some(Place::Start), true));
    forget(backend, &first.rows.into_iter().map(|(row, _)| row).collect::<Vec<_>>());
    // Now the rest fits.
    let mut rest = page(Place::Start);
    while rest.cut {
        forget(backend, &rest.rows.into_iter().map(|(row, _)| row).collect::<Vec<_>>());
        rest = page(rest.next.unwrap());
    }
    assert!(rest.rows.len() <= 2);
}

/// What nobody has decided is passed over, and where that was is told.
pub fn undecided_messages_are_told(backend: &Backend) {
    for number in 1..=4 {
        let open = if number % 2 == 0 { MessageState::Quarantined } else { MessageState::Accepted };
        backend.apply(vec![kept(number, open, 10)]);
    }
    let page = |place| match backend.find(ask(Part::Payloads, place, false)) {
        Rows::Old(page) => page,
        other => panic!("not what is old: {other:?}"),
    };
    let first = page(Place::Start);
    let Some(second) = first.open else { panic!("not told: {first:?}") };
    assert_eq!(first.rows.len(), 1);
    assert_eq!(first.next, Some(Place::Position(second)));
    let later = page(Place::Position(second));
    assert!(later.open.is_some_and(|at| at > second), "{later:?}");
}

/// What is counted of one tenant does not grow with another's rows; what cannot be told apart is not told.
pub fn counts_are_ones_own(backend: &Backend) {
    backend.apply(vec![Op::PutMessage(message(1)), Op::PutFact(fact(1, 1))]);
    let theirs = (2..9).map(|number| Op::PutMessage(Message { tenant: other(), ..message(number) }));
    backend.apply(theirs.collect());
    let Page::Retention(kept, _) = backend.look(&acme(), Look::Retention(horizons())) else {
        panic!("not what is kept")
    };
    for kept in kept {
        let least = [kept.rows, kept.past].into_iter().flatten().max();
        assert!(least.is_none_or(|count| count <= 1), "{kept:?}");
    }
}
