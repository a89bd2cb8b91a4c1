//! What a spoke does with orders while it does not know yet what it knew, and with what it finds at a start.

use std::time::Duration;

use canonical::{Entity, Now, RouteId, System};
use store::{HeldPart, Hold, Rows, StandingOrders, SystemState};

use super::*;
use crate::sample::configuration;
use crate::turn::{Input, Order};

fn turn(spoke: &mut Spoke, input: Input) -> Vec<Effect> {
    let mut effects = Vec::new();
    spoke.handle(input, &mut Turn::new(Now::default(), 1, &mut effects));
    effects
}

fn asks(effects: &[Effect]) -> Ticket {
    let ticket = effects.iter().find_map(|effect| match effect {
        Effect::Find(ticket, _) => Some(*ticket),
        _ => None,
    });
    ticket.unwrap_or_else(|| panic!("asks nothing: {effects:?}"))
}

/// What was ordered before the last end is not written over by an order that comes before it is read: the order waits.
#[test]
fn orders_wait_until_what_was_ordered_before_is_known() {
    let config = configuration(None);
    let erp = System::new("erp").unwrap();
    let mut spoke = Spoke::new(Arc::clone(&config), erp.clone()).unwrap();
    let state = asks(&turn(&mut spoke, Input::Start));
    let reason = || "ann: an audit".to_owned();
    let contacts = HeldPart::Entity(Entity::new("Contact").unwrap());
    let orders = [
        Order::Hold { scope: contacts.clone(), reason: reason() },
        Order::Pause { reason: reason() },
        Order::Resume { reason: reason() },
    ];
    for (number, order) in (901..).zip(orders) {
        let said = turn(&mut spoke, Input::Told(Notice::Do(Ticket(number), order)));
        assert!(said.is_empty(), "{said:?}");
    }

    let before = Hold { scope: HeldPart::Route(RouteId::from("r")), why: "ben".to_owned(), since: Wall(1) };
    let known = SystemState {
        instance: Some("org-1".to_owned()),
        standing: StandingOrders { holds: vec![before.clone()], ..StandingOrders::default() },
        ..SystemState::blank(config.tenant.clone(), erp)
    };
    let read = Input::Found(state, Ok(Rows::System(Some(known), BTreeMap::new(), None)));
    let intents = asks(&turn(&mut spoke, read));
    let said = turn(&mut spoke, Input::Found(intents, Ok(Rows::Intents(Vec::new()))));
    assert!(said.iter().any(|effect| matches!(effect, Effect::Commit(..))), "{said:?}");
    let scopes: Vec<&HeldPart> = spoke.state.standing.holds.iter().map(|hold| &hold.scope).collect();
    assert_eq!(scopes, [&before.scope, &contacts]);
    assert_eq!((spoke.state.instance.as_deref(), spoke.state.paused.as_deref()), (Some("org-1"), None));
}

/// A spoke that is held stays still until it is configured, also when a former configuration was to count first.
#[test]
fn whoever_holds_a_spoke_configures_it() {
    let config = configuration(None);
    let mut spoke = Spoke::new(Arc::clone(&config), System::new("erp").unwrap()).unwrap();
    let state = asks(&turn(&mut spoke, Input::Start));
    let intents = asks(&turn(&mut spoke, Input::Found(state, Ok(Rows::System(None, BTreeMap::new(), None)))));
    let _connects = turn(&mut spoke, Input::Found(intents, Ok(Rows::Intents(Vec::new()))));
    // Something is on its way to the store.
    let pause = Order::Pause { reason: "ann".to_owned() };
    let said = turn(&mut spoke, Input::Told(Notice::Do(Ticket(900), pause)));
    let commits = said.iter().find_map(|effect| match effect {
        Effect::Commit(ticket, units) => Some((*ticket, units.len())),
        _ => None,
    });
    let (commit, units) = commits.unwrap();
    assert!(turn(&mut spoke, Input::Hold(Ticket(901))).is_empty());
    assert!(turn(&mut spoke, Input::Configure(Ticket(902), Arc::clone(&config))).is_empty());
    let said = turn(&mut spoke, Input::Hold(Ticket(903)));
    assert!(matches!(said.as_slice(), [Effect::Ack(Ticket(902), Ack::Refused(_))]), "{said:?}");

    let receipts = vec![store::Receipt::Done(Vec::new()); units];
    let said = turn(&mut spoke, Input::Committed(commit, Ok(receipts)));
    let told =
        |ticket| said.iter().any(|effect| matches!(effect, Effect::Ack(of, Ack::Done) if *of == ticket));
    assert!(told(Ticket(901)) && told(Ticket(903)), "{said:?}");
    assert!(!said.iter().any(|effect| matches!(effect, Effect::Find(..) | Effect::Send(..))), "{said:?}");
    let said = turn(&mut spoke, Input::Configure(Ticket(904), config));
    assert!(said.iter().any(|effect| matches!(effect, Effect::Find(_, Query::System { .. }))), "{said:?}");
}

/// A hold that is released while a delivery is being written down as held: no walk over what is held has seen that one, so
/// that another goes. It would stay held by nothing.
#[test]
fn what_was_held_too_late_is_let_go_too() {
    use store::conformance::make;
    let mut spoke = Spoke::new(configuration(None), System::new("erp").unwrap()).unwrap();
    let head = store::rules::head(&store::rules::first(&make::notify("once", 1, 1)));
    let route = HeldPart::Route(RouteId::from("once"));
    spoke.state.standing.holds = vec![Hold { scope: route, why: "ben".to_owned(), since: Wall(1) }];
    assert!(spoke.holds_back(&head, Wall(1)));
    spoke.held_back(&head);
    assert!(spoke.walk.is_none() && !spoke.state.standing.releasing, "it is held, as it should be");
    assert!(spoke.holds_back(&head, Wall(1)));
    spoke.state.standing.holds.clear();
    spoke.held_back(&head);
    assert!(spoke.walk.is_some() && spoke.state.standing.releasing && spoke.holding == 0);
}

/// As many edits as are kept, of deliveries that have gone since: the next one takes their place, and asks no second time.
#[test]
fn edits_of_deliveries_that_have_gone_make_room() {
    use canonical::RecordId;
    use store::conformance::make;
    let mut spoke = Spoke::new(configuration(None), System::new("erp").unwrap()).unwrap();
    let mut dead = store::rules::first(&make::notify("once", 99, 1));
    dead.state = ledger::State::Dead;
    let edits = (1..=8).map(|number| ledger::Edit {
        route: RouteId::from("once"),
        subject: ledger::Subject::Event(make::evt(number)),
        level: make::level(1),
        values: canonical::Fields::new(),
        before: canonical::Fields::new(),
        why: "ben".to_owned(),
        at: Wall(1),
    });
    let shadow = ledger::Shadow { edits: edits.collect(), ..make::shadow(1, "erp", "customer") };
    let blank = |obligation, shadow| store::SpokeRow {
        obligation,
        record: Some(Arc::new(make::record(1, 1))),
        fact: None,
        shadow,
        link: None,
        links: BTreeMap::<(RecordId, Object), String>::new(),
        bringers: Default::default(),
        intent: None,
    };
    let order = |spoke: &mut Spoke, rows| {
        let mut effects = Vec::new();
        let values = [("name".to_owned(), serde_json::json!("other"))].into_iter().collect();
        let mut turn = Turn::new(Now::default(), 1, &mut effects);
        spoke.edit(Ticket(900), values, "ann".to_owned(), rows, &mut turn);
        effects
    };
    let first = blank(Some(dead), Some(shadow));
    let said = order(&mut spoke, vec![first.clone()]);
    assert!(matches!(said.as_slice(), [Effect::Find(..)]), "it looks at those deliveries: {said:?}");
    let rows = std::iter::once(first).chain((0..8).map(|_| blank(None, None)));
    let said = order(&mut spoke, rows.collect());
    assert!(said.is_empty(), "{said:?}");
    let raised = |unit: &store::Unit| unit.ops.iter().any(|op| matches!(op, store::Op::Raise(_)));
    assert!(matches!(spoke.outbox.as_slice(), [(unit, _)] if raised(unit)), "{:?}", spoke.outbox);
}

/// One that may have reached its target, which would take it again.
fn intent_in_doubt(intent: ledger::Intent) -> ledger::Intent {
    let mut write = connector::Write {
        object: Object::new("customer").unwrap(),
        operation: "put".to_owned(),
        key: "k".to_owned(),
        external_id: None,
        fields: Arc::default(),
        whole: Arc::default(),
        known: Arc::default(),
        expected: None,
        intent: "i".to_owned(),
    };
    ledger::Intent {
        operation: "put".to_owned(),
        class: ledger::IdempotencyClass::Upsert,
        external_id: None,
        call: crate::written::keep(&mut write).into(),
        ..intent
    }
}

fn row_of(delivery: ledger::Obligation, intent: ledger::Intent) -> store::SpokeRow {
    store::SpokeRow {
        obligation: Some(delivery),
        record: Some(Arc::new(store::conformance::make::record(1, 1))),
        fact: None,
        shadow: None,
        link: None,
        links: BTreeMap::new(),
        bringers: Default::default(),
        intent: Some(intent),
    }
}

/// I10: an answer that was stored under a key says how the target was: however many come, no breaker opens. Fresh ones
/// open it.
#[test]
fn i10_replayed_failures_weigh_on_no_breaker() {
    use dispatch::{BreakerState, BucketSet, Wanted};
    use ledger::{Class, Lane, Outcome};
    let mut spoke = Spoke::new(configuration(None), System::new("erp").unwrap()).unwrap();
    let _asks = turn(&mut spoke, Input::Start);
    let answers = |spoke: &mut Spoke, outcome: &Outcome| {
        for number in 0..100 {
            let wanted = Wanted {
                token: Token::Intent(store::conformance::make::int(number)),
                lane: Lane::Standard,
                lock: None,
                due: canonical::Mono(0),
                seq: 0,
                operation: "notes".to_owned(),
                buckets: BucketSet::default(),
                cost: 1,
                safe: true,
                poison: false,
                party: None,
                serial: None,
            };
            let dispatcher = spoke.dispatcher.as_mut().unwrap();
            dispatcher.offer(wanted);
            let Some((_, permit)) = dispatcher.admit(canonical::Mono(0)) else { break };
            let mut effects = Vec::new();
            let mut turn = Turn::new(Now::default(), 1, &mut effects);
            spoke.learn(&permit, "post", outcome, std::time::Duration::ZERO, &mut turn);
            spoke.dispatcher.as_mut().unwrap().release(permit, canonical::Mono(0));
        }
        let shown = spoke.dispatcher.as_ref().unwrap().snapshot(canonical::Mono(0));
        shown.breakers.iter().find(|breaker| breaker.operation == "notes").map(|breaker| breaker.state)
    };
    let fresh = Outcome::of(Class::Uncertain);
    let stored = Outcome { replayed: true, ..fresh.clone() };
    assert_eq!(answers(&mut spoke, &stored), Some(BreakerState::Closed));
    assert!(matches!(answers(&mut spoke, &fresh), Some(BreakerState::Open { .. })));
}

/// The hours of a system's folder hold back its bulk lane, and no other: what is on it goes when they begin, and stays when
/// they are over.
#[test]
fn the_bulk_lane_keeps_to_its_hours() {
    use ledger::Lane;
    use store::conformance::make;
    let erp = "system: erp\nconnector: connectors/target.yaml\nconnection: {base_url: \"https://erp.example.com\"}\n\
               bulk_window: {zone: UTC, open: [{from: \"22:00\", to: \"06:00\"}]}\n";
    let config = configuration(Some(("systems/erp.yaml", erp)));
    let head = |record: u64, lane: Lane| {
        let raise = intake::Raise { lane, due: Wall(0), ..make::raise("r", record, 1) };
        store::rules::head(&store::rules::first(&raise))
    };
    // What of a standard and a bulk delivery is judged so many seconds after noon, and what after so many more.
    let goes = |seconds: i64, more: i64| {
        let mut spoke = Spoke::new(Arc::clone(&config), System::new("erp").unwrap()).unwrap();
        let mut judged = Vec::new();
        let mut at = |seconds: i64, input: Input| {
            let (noon, since) = (Wall(12 * 3_600_000_000), Duration::from_secs(seconds.unsigned_abs()));
            let now = Now { mono: canonical::Mono(0) + since, wall: noon + since };
            let (mut all, mut inputs) = (Vec::new(), vec![input]);
            while let Some(input) = inputs.pop() {
                let mut effects = Vec::new();
                spoke.handle(input, &mut Turn::new(now, 1, &mut effects));
                for effect in &effects {
                    match effect {
                        // The store holds nothing more.
                        Effect::Find(ticket, Query::Claim { .. }) => {
                            let none = store::Claimed { heads: Vec::new(), next_due: None };
                            inputs.push(Input::Found(*ticket, Ok(Rows::Claim(none))));
                        }
                        Effect::Find(_, Query::Spoke { asks, .. }) => {
                            judged.extend(asks.iter().map(|ask| ask.record));
                        }
                        _ => {}
                    }
                }
                all.append(&mut effects);
            }
            all
        };
        let state = asks(&at(seconds, Input::Start));
        let intents = asks(&at(seconds, Input::Found(state, Ok(Rows::System(None, BTreeMap::new(), None)))));
        at(seconds, Input::Found(intents, Ok(Rows::Intents(Vec::new()))));
        at(seconds, Input::Told(Notice::Raised(vec![head(1, Lane::Standard), head(2, Lane::Bulk)])));
        at(seconds + more, Input::Tick);
        judged.sort();
        judged
    };
    let (standard, both) = (vec![make::rec(1)], vec![make::rec(1), make::rec(2)]);
    for (seconds, more, expected) in [
        (0, 60, &standard),
        (10 * 3_600 - 61, 60, &standard),
        (10 * 3_600 - 61, 61, &both),
        (10 * 3_600, 0, &both),
        (18 * 3_600 - 1, 0, &both),
        (18 * 3_600, 60, &standard),
    ] {
        assert_eq!(goes(seconds, more), *expected, "{seconds} seconds after noon, and {more} more");
    }
}

const TARGET_OF_JOBS: &str = "connector: target
version: \"1\"
about: A target that takes jobs.
objects:
  customer:
    shape: {id: id}
    writes:
      put:
        for: [create, update, notify]
        idempotency: {class: upsert}
        request: {method: PUT, path: \"/customer/{key}\", json: \"{fields}\"}
        answer: {id: {path: id}}
        batch:
          records_max: 100
          request: {method: POST, path: /jobs, json: {all: \"{records}\"}}
          record: {key: \"{key}\"}
          results: all
          correlate: position
          answer: {id: {path: id}}
          job:
            id: id
            lasts_max: 1h
            status: {request: {method: GET, path: \"/jobs/{job}\"}, state: state, done: [done]}
      post:
        for: [notify]
        idempotency: {class: none}
        request: {method: POST, path: /notes, json: \"{fields}\"}
";

/// I12: a target that asked to be left alone is not even asked whose account it is, neither by the spoke that heard it nor by
/// the next one.
#[test]
fn i12_who_connects_leaves_the_target_alone_too() {
    let account = "identity:\n  request: {method: GET, path: /account}\n  path: id\nobjects:\n";
    let errors = "errors:\n  - {when: {status: [429]}, class: rate_limited}\n";
    let manifest = TARGET_OF_JOBS.replace("objects:\n", account) + errors;
    let config = configuration(Some(("connectors/target.yaml", &manifest)));
    let erp = System::new("erp").unwrap();
    let later = |seconds: u64| Now {
        wall: Wall(1_000_000_000) + std::time::Duration::from_secs(seconds),
        mono: Mono(seconds * 1_000_000),
    };
    let turn_at = |spoke: &mut Spoke, at: u64, input| {
        let mut effects = Vec::new();
        spoke.handle(input, &mut Turn::new(later(at), 1, &mut effects));
        effects
    };
    let sends = |said: &[Effect]| {
        said.iter().find_map(|effect| match effect {
            Effect::Send(ticket, _) => Some(*ticket),
            _ => None,
        })
    };
    let start = |state: SystemState, at: u64| {
        let mut spoke = Spoke::new(Arc::clone(&config), erp.clone()).unwrap();
        let ask = asks(&turn_at(&mut spoke, at, Input::Start));
        let read = Input::Found(ask, Ok(Rows::System(Some(state), BTreeMap::new(), None)));
        let intents = asks(&turn_at(&mut spoke, at, read));
        let said = turn_at(&mut spoke, at, Input::Found(intents, Ok(Rows::Intents(Vec::new()))));
        (spoke, sends(&said))
    };
    let (mut spoke, asked) = start(SystemState::blank(config.tenant.clone(), erp.clone()), 0);
    let throttled = connector::Response {
        status: 429,
        headers: vec![("retry-after".to_owned(), "90".to_owned())],
        body: Vec::new(),
    };
    let answer =
        Input::Answered { ticket: asked.unwrap(), answer: Ok(throttled), took: std::time::Duration::ZERO };
    let said = turn_at(&mut spoke, 1, answer);
    let kept = said.iter().find_map(|effect| match effect {
        Effect::Commit(_, units) => units.iter().flat_map(|unit| &unit.ops).find_map(|op| match op {
            store::Op::PutSystem(state) => Some(state.clone()),
            _ => None,
        }),
        _ => None,
    });
    assert_eq!(sends(&turn_at(&mut spoke, 89, Input::Tick)), None);
    assert!(sends(&turn_at(&mut spoke, 92, Input::Tick)).is_some(), "and then it connects");
    let (mut next, asked) = start(kept.unwrap(), 20);
    assert_eq!(asked, None, "what the target asked for holds over a start");
    assert!(sends(&turn_at(&mut next, 95, Input::Tick)).is_some());
}

/// An intent that is found open goes on with the attempts that its delivery has spent (I10), and what was raised since is not
/// forgotten when it ends (I1). One whose delivery wants nothing any more has none; what a person was asked about stays with
/// him, and its record is free.
#[test]
fn i10_attempts_are_counted_on_after_a_start() {
    use store::conformance::make;
    let config = configuration(Some(("connectors/target.yaml", TARGET_OF_JOBS)));
    let mut spoke = Spoke::new(config, System::new("erp").unwrap()).unwrap();
    let state = asks(&turn(&mut spoke, Input::Start));
    let intents = asks(&turn(&mut spoke, Input::Found(state, Ok(Rows::System(None, BTreeMap::new(), None)))));
    let found: Vec<_> = (1..=300).map(|number| intent_in_doubt(make::intent(number, "r", number))).collect();
    let mut ask = asks(&turn(&mut spoke, Input::Found(intents, Ok(Rows::Intents(found.clone())))));
    let row = |number: usize| {
        let mut delivery = store::rules::first(&make::raise("r", number as u64 + 1, 1));
        delivery.attempts = 4;
        delivery.wanted = found[number].level;
        match number {
            1 => delivery.wanted.version += 1,
            2 => delivery.state = ledger::State::Delivered,
            3 => delivery.state = ledger::State::Uncertain,
            _ => {}
        }
        row_of(delivery, found[number].clone())
    };
    // Asked about in pages, from behind.
    for page in [44..300, 0..44] {
        let said = turn(&mut spoke, Input::Found(ask, Ok(Rows::Spoke(page.clone().map(row).collect()))));
        if page.start > 0 {
            ask = asks(&said);
        }
    }
    let attempts =
        |number: usize| Some(spoke.doubts.get(&found[number].id)?.head.as_ref().map(|head| head.attempts));
    assert_eq!(
        [0, 1, 2, 3, 299].map(attempts),
        [Some(Some(4)), Some(Some(4)), Some(None), None, Some(Some(4))]
    );
    let of = |number: usize| &found[number].obligation;
    let busy = [0, 1, 2, 3].map(|number| spoke.active.contains(of(number)));
    assert_eq!(busy, [true, true, false, false]);
    let again = [0, 1, 2, 3].map(|number| spoke.raised_again.contains(of(number)));
    assert_eq!(again, [false, true, false, false]);
    let free = |number: usize| {
        let token = Token::Intent(found[number].id);
        !spoke.dispatcher.as_ref().unwrap().holds(&token)
    };
    assert!(!free(0) && free(3), "a person has it: nothing of it goes by itself");
}

/// What is in doubt and waits for its next try can be passed over; the record is free then.
#[test]
fn what_waits_in_doubt_can_be_skipped() {
    use store::conformance::make;
    let mut spoke = Spoke::new(configuration(None), System::new("erp").unwrap()).unwrap();
    let state = asks(&turn(&mut spoke, Input::Start));
    let intents = asks(&turn(&mut spoke, Input::Found(state, Ok(Rows::System(None, BTreeMap::new(), None)))));
    let intent = intent_in_doubt(make::intent(1, "r", 1));
    let ask = asks(&turn(&mut spoke, Input::Found(intents, Ok(Rows::Intents(vec![intent.clone()])))));
    let row = row_of(store::rules::first(&make::raise("r", 1, 1)), intent.clone());
    turn(&mut spoke, Input::Found(ask, Ok(Rows::Spoke(vec![row.clone()]))));
    assert!(spoke.doubts.contains_key(&intent.id));
    let delivery = crate::turn::Delivery {
        key: intent.obligation.clone(),
        record: intent.record,
        object: intent.object.clone(),
    };
    for (ticket, order) in [
        (900, Order::Retry { delivery: delivery.clone(), reason: "ann".to_owned() }),
        (901, Order::Skip { delivery, reason: "ann".to_owned() }),
    ] {
        let ask = asks(&turn(&mut spoke, Input::Told(Notice::Do(Ticket(ticket), order))));
        let said = turn(&mut spoke, Input::Found(ask, Ok(Rows::Spoke(vec![row.clone()]))));
        let refused = said.iter().any(|effect| matches!(effect, Effect::Ack(_, Ack::Refused(_))));
        assert_eq!(refused, ticket == 900, "{said:?}");
    }
    assert!(spoke.doubts.is_empty());
    assert!(!spoke.dispatcher.as_ref().unwrap().holds(&Token::Intent(intent.id)));
}

/// A job that ran before the last end is looked at and shown; nothing of it is sent again (I3), and who would decide about
/// what it holds is told to wait. One that holds nothing is forgotten.
#[test]
fn i3_a_job_found_at_a_start_is_looked_at_and_shown() {
    use store::conformance::make;
    let config = configuration(Some(("connectors/target.yaml", TARGET_OF_JOBS)));
    let erp = System::new("erp").unwrap();
    let object = Object::new("customer").unwrap();
    let job = |batch, job: &str| store::BulkJob {
        batch: make::int(batch),
        object: object.clone(),
        operation: "put".to_owned(),
        ..make::bulk_job(job, Vec::new())
    };
    let intent = ledger::Intent {
        batch: Some(ledger::Membership { id: make::int(1), place: 1, of: 2 }),
        ..intent_in_doubt(make::intent(5, "r", 1))
    };
    let mut spoke = Spoke::new(Arc::clone(&config), erp.clone()).unwrap();
    let state = asks(&turn(&mut spoke, Input::Start));
    let known = SystemState {
        jobs: vec![job(1, "77"), job(9, "78")],
        ..SystemState::blank(config.tenant.clone(), erp)
    };
    let read = Input::Found(state, Ok(Rows::System(Some(known), BTreeMap::new(), None)));
    let intents = asks(&turn(&mut spoke, read));
    let ask = asks(&turn(&mut spoke, Input::Found(intents, Ok(Rows::Intents(vec![intent.clone()])))));
    let mut delivery = store::rules::first(&make::raise("r", 1, 1));
    delivery.attempts = 3;
    let row = row_of(delivery, intent.clone());
    let said = turn(&mut spoke, Input::Found(ask, Ok(Rows::Spoke(vec![row.clone()]))));
    let members = spoke.bulks.values().flat_map(|bulk| bulk.members.values());
    let attempts: Vec<_> = members.filter_map(|doubt| Some(doubt.head.as_ref()?.attempts)).collect();
    assert_eq!(attempts, [3], "they are counted on");
    let sent: Vec<_> = said
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send(ticket, request) => Some((*ticket, request.method.as_str(), request.path.as_str())),
            _ => None,
        })
        .collect();
    let [(look, "GET", "/jobs/77")] = sent.as_slice() else { panic!("{said:?}") };
    assert_eq!(spoke.state.jobs, [job(1, "77")]);
    assert!(spoke.doubts.is_empty());

    let answer =
        connector::Response { status: 200, headers: Vec::new(), body: br#"{"state": "busy"}"#.to_vec() };
    let took = std::time::Duration::ZERO;
    let said = turn(&mut spoke, Input::Answered { ticket: *look, answer: Ok(answer), took });
    assert!(!said.iter().any(|effect| matches!(effect, Effect::Send(..))), "{said:?}");
    let describe = Order::Describe { forecast: None };
    let said = turn(&mut spoke, Input::Told(Notice::Do(Ticket(900), describe)));
    let shown = said.iter().find_map(|effect| match effect {
        Effect::Ack(_, Ack::Described(description)) => Some(description.jobs.clone()),
        _ => None,
    });
    let [shown] = shown.as_deref().unwrap_or_default() else { panic!("{said:?}") };
    assert_eq!((shown.job.as_str(), shown.records, shown.state.as_str()), ("77", 1, "busy"));

    let delivery = crate::turn::Delivery { key: intent.obligation.clone(), record: intent.record, object };
    let skip = Order::Skip { delivery, reason: "ann".to_owned() };
    let ask = asks(&turn(&mut spoke, Input::Told(Notice::Do(Ticket(901), skip))));
    let said = turn(&mut spoke, Input::Found(ask, Ok(Rows::Spoke(vec![row]))));
    let refused = |effect: &Effect| matches!(effect, Effect::Ack(Ticket(901), Ack::Refused(why)) if why.contains("right now"));
    assert!(said.iter().any(refused), "{said:?}");
}

/// I6: what was seen while a write was on its way may be from before it or after it: then it is read again.
#[test]
fn i6_what_was_seen_during_a_write_is_not_taken_for_settled() {
    use canonical::OrderToken;
    use store::conformance::make;
    let overwritten = crate::spoke::settle::may_be_overwritten;
    let mut intent = make::intent(1, "r", 1);
    intent.class = ledger::IdempotencyClass::Upsert;
    intent.created_at = Wall(100);
    let mut shadow = make::shadow(1, "erp", "customer");
    let of = |shadow: &ledger::Shadow, token: Option<i64>| {
        overwritten(&intent, token.map(OrderToken), Some(shadow))
    };
    shadow.seen_at = Some(Wall(99));
    shadow.token = Some(OrderToken(20));
    assert!(!of(&shadow, Some(20)) && !of(&shadow, Some(21)) && !of(&shadow, None));
    assert!(of(&shadow, Some(19)), "it was seen at a newer version than the write's");
    shadow.seen_at = Some(Wall(100));
    assert!(of(&shadow, None), "it was seen, and nothing tells whether before or after");
    assert!(!of(&shadow, Some(20)), "versions tell");
}
