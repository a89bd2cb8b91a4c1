//! What a spoke does with orders, also while it does not know yet what it knew; with the hours of its bulk
//! lane, and with what answers tell.

mod associate;
mod connect;
mod fill;
mod many;
mod rest;
mod silence;
mod snapshot;
mod start;
mod wait;

use std::time::Duration;

use canonical::{Entity, Now, RouteId, System, Wall};
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
        standing: Box::new(StandingOrders { holds: vec![before.clone()], ..StandingOrders::default() }),
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

/// What happened to a record is told although it was merged meanwhile; what it looks like is the survivor's to say.
#[test]
fn an_event_of_a_merged_record_is_told() {
    use store::Require;
    use store::conformance::make;
    let sync = make::intent(1, "r", 7);
    let needs = |intent: &ledger::Intent| write::needs(intent);
    assert!(matches!(needs(&sync).as_slice(), [Require::Stands { record }, ..] if *record == make::rec(7)));
    let mut told = sync;
    told.obligation = make::notify_key("n", 1);
    assert_eq!(needs(&told), []);
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
        next: None,
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

#[test]
fn who_logs_in_or_is_granted_a_token_needs_one_first() {
    let needs = |auth: &str| super::needs_token(&serde_json::from_str(auth).unwrap());
    assert!(needs(r#"{"session": {"path": "/in", "user": "u", "credential": "{answer.token}"}}"#));
    assert!(needs(r#"{"oauth2_refresh": {"token": "/t", "client_id": "i", "refresh_token": "r"}}"#));
    assert!(!needs(r#"{"hmac": {"secret": "s", "sign": "{body}", "headers": {"x": "{signature}"}}}"#));
    assert!(!needs(r#"{"bearer": {"secret": "s"}}"#));
}
