//! When a spoke connects: not while its target is to be left alone, and not through a breaker that is open.

use std::time::Duration;

use dispatch::Forced;

use super::*;

/// A target that is asked whose account it is.
fn asked_for_account() -> Arc<Configuration> {
    let account = "identity:\n  request: {method: GET, path: /account}\n  path: id\nobjects:\n";
    let errors = "errors:\n  - {when: {status: [429]}, class: rate_limited}\n";
    let manifest = super::start::TARGET_OF_JOBS.replace("objects:\n", account) + errors;
    configuration(Some(("connectors/target.yaml", &manifest)))
}

fn erp() -> System {
    System::new("erp").unwrap()
}

/// A turn so many seconds after the start.
fn turn_at(spoke: &mut Spoke, seconds: u64, input: Input) -> Vec<Effect> {
    let (wall, mono) = (Wall(1_000_000_000) + Duration::from_secs(seconds), Mono(seconds * 1_000_000));
    let mut effects = Vec::new();
    spoke.handle(input, &mut Turn::new(Now { wall, mono }, 1, &mut effects));
    effects
}

fn wakeup(spoke: &Spoke, seconds: u64) -> Option<u64> {
    let now = Now { wall: Wall(1_000_000_000), mono: Mono(seconds * 1_000_000) };
    spoke.next_wakeup(now).map(|at| at.0 / 1_000_000)
}

fn sends(said: &[Effect]) -> Option<Ticket> {
    said.iter().find_map(|effect| match effect {
        Effect::Send(ticket, _) => Some(*ticket),
        _ => None,
    })
}

/// The state that is written down.
fn kept(said: &[Effect]) -> Option<SystemState> {
    said.iter().find_map(|effect| match effect {
        Effect::Commit(_, units) => units.iter().flat_map(|unit| &unit.ops).find_map(|op| match op {
            store::Op::PutSystem(state) => Some(state.clone()),
            _ => None,
        }),
        _ => None,
    })
}

/// A spoke that has read its state, and what it asked of its target by then.
fn start(config: &Arc<Configuration>, state: SystemState, seconds: u64) -> (Spoke, Option<Ticket>) {
    let mut spoke = Spoke::new(Arc::clone(config), erp()).unwrap();
    let ask = asks(&turn_at(&mut spoke, seconds, Input::Start));
    let read = Input::Found(ask, Ok(Rows::System(Some(state), BTreeMap::new(), None)));
    let intents = asks(&turn_at(&mut spoke, seconds, read));
    let said = turn_at(&mut spoke, seconds, Input::Found(intents, Ok(Rows::Intents(Vec::new()))));
    let asked = sends(&said);
    // The store holds no deliveries.
    for effect in said {
        if let Effect::Find(ticket, Query::Claim { .. }) = effect {
            let none = store::Claimed { heads: Vec::new(), next_due: None };
            turn_at(&mut spoke, seconds, Input::Found(ticket, Ok(Rows::Claim(none))));
        }
    }
    (spoke, asked)
}

fn answer(ticket: Ticket, status: u16, headers: Vec<(String, String)>, body: &str) -> Input {
    let answer = Ok(connector::Response { status, headers, body: body.as_bytes().to_vec() });
    Input::Answered { ticket, answer, took: Duration::ZERO }
}

fn order(spoke: &mut Spoke, seconds: u64, order: Order) -> Vec<Effect> {
    turn_at(spoke, seconds, Input::Told(Notice::Do(Ticket(900), order)))
}

fn reason() -> String {
    "ann".to_owned()
}

/// I12: a target that asked to be left alone is not even asked whose account it is, neither by the spoke that heard it nor by
/// the next one.
#[test]
fn i12_who_connects_leaves_the_target_alone_too() {
    let config = asked_for_account();
    let (mut spoke, asked) = start(&config, SystemState::blank(config.tenant.clone(), erp()), 0);
    let headers = vec![("retry-after".to_owned(), "90".to_owned())];
    let said = turn_at(&mut spoke, 1, answer(asked.unwrap(), 429, headers, ""));
    assert_eq!(sends(&turn_at(&mut spoke, 89, Input::Tick)), None);
    assert!(sends(&turn_at(&mut spoke, 92, Input::Tick)).is_some(), "and then it connects");
    let (mut next, asked) = start(&config, kept(&said).unwrap(), 20);
    assert_eq!(asked, None, "what the target asked for holds over a start");
    assert!(sends(&turn_at(&mut next, 95, Input::Tick)).is_some());
}

/// A session may end once more while the spoke connects with a fresh token: by the same count as elsewhere that is no credential
/// that is refused. One that is refused a third time within a minute is.
#[test]
fn a_session_that_ends_again_while_it_connects_is_renewed_again() {
    let parts = "identity:\n  request: {method: GET, path: /account}\n  path: id\nauth:\n  default: {oauth2_client_credentials: \
                 {token: \"https://erp.example.com/token\", client_id: id, client_secret: secret}}\nobjects:\n";
    let manifest = super::start::TARGET_OF_JOBS.replace("objects:\n", parts);
    let system = "system: erp\nconnector: connectors/target.yaml\nconnection:\n  base_url: \"https://erp.example.com\"\n  \
                  secrets: {id: {env: ID}, secret: {env: SECRET}}\n";
    let config = crate::sample::configuration_with(&[
        ("connectors/target.yaml", &manifest),
        ("systems/erp.yaml", system),
    ]);
    let (mut spoke, _) = start(&config, SystemState::blank(config.tenant.clone(), erp()), 0);
    let granted = |spoke: &mut Spoke, seconds: u64, said: &[Effect]| {
        let asked = said.iter().find_map(|effect| match effect {
            Effect::Authorise(ticket) => Some(*ticket),
            _ => None,
        });
        let ticket = asked.unwrap_or_else(|| panic!("no token is asked for: {said:?}"));
        sends(&turn_at(spoke, seconds, Input::Authorised { ticket, result: Ok(Ok(1)) })).unwrap()
    };
    let first = turn_at(&mut spoke, 1, Input::Tick);
    let ticket =
        spoke.awaiting.iter().find(|(_, what)| matches!(what, Await::Token)).map(|(ticket, _)| *ticket);
    assert!(sends(&first).is_none());
    let token = Input::Authorised { ticket: ticket.unwrap(), result: Ok(Ok(1)) };
    let account = sends(&turn_at(&mut spoke, 1, token)).unwrap();
    turn_at(&mut spoke, 2, answer(account, 200, Vec::new(), r#"{"id": "one"}"#));
    assert_eq!(spoke.phase, Phase::Running);

    // A read meets the end of the session; its successor ends before it was used.
    let mut effects = Vec::new();
    let now = Now { wall: Wall(1_000_000_000), mono: Mono(20_000_000) };
    spoke.auth_trouble(ledger::Class::AuthExpired, &mut Turn::new(now, 1, &mut effects));
    let account = granted(&mut spoke, 20, &effects);
    let said = turn_at(&mut spoke, 21, answer(account, 401, Vec::new(), ""));
    assert_eq!(spoke.state.paused, None);
    let account = granted(&mut spoke, 22, &said);
    let said = turn_at(&mut spoke, 23, answer(account, 401, Vec::new(), ""));
    assert!(
        spoke.state.paused.as_ref().is_some_and(|why| why.contains("its credential is refused")),
        "{said:?}"
    );
}

/// I12: while the breaker of reads is open, nothing asks whose account it is: not after a pause, and not after a start, where an
/// operator keeps it open. It connects when the breaker lets a call go, by time or by a word.
#[test]
fn i12_who_connects_keeps_to_the_breaker_of_reads() {
    let config = asked_for_account();
    let (mut spoke, asked) = start(&config, SystemState::blank(config.tenant.clone(), erp()), 0);
    turn_at(&mut spoke, 1, answer(asked.unwrap(), 200, Vec::new(), r#"{"id": "one"}"#));
    assert_eq!(spoke.phase, Phase::Running);
    order(&mut spoke, 2, Order::Pause { reason: reason() });
    order(&mut spoke, 3, Order::Force { operation: None, forced: Some(Forced::Open), reason: reason() });
    let said = order(&mut spoke, 4, Order::Resume { reason: reason() });
    assert_eq!((sends(&said), spoke.phase, wakeup(&spoke, 4)), (None, Phase::Shut, None));
    assert!(spoke.trouble.is_some(), "who looks is told why nothing goes");
    assert_eq!(sends(&turn_at(&mut spoke, 500, Input::Tick)), None, "however long");

    let said = order(&mut spoke, 501, Order::Force { operation: None, forced: None, reason: reason() });
    let asked = sends(&said).expect("the word is taken back: it connects");
    turn_at(&mut spoke, 502, answer(asked, 200, Vec::new(), r#"{"id": "one"}"#));
    assert_eq!((spoke.phase, spoke.trouble.clone()), (Phase::Running, None));

    let forced = Some(Forced::Open);
    let said = order(&mut spoke, 503, Order::Force { operation: None, forced, reason: reason() });
    let (mut next, asked) = start(&config, kept(&said).unwrap(), 510);
    assert_eq!((asked, next.phase), (None, Phase::Shut), "the word holds over a start");
    let said = order(&mut next, 511, Order::Pause { reason: reason() });
    assert_eq!(sends(&said), None);
    order(&mut next, 512, Order::Force { operation: None, forced: None, reason: reason() });
    assert!(sends(&order(&mut next, 513, Order::Resume { reason: reason() })).is_some());
}

/// I12: where reads fell ill by themselves, it connects as soon as their breaker tries them out.
#[test]
fn i12_who_connects_waits_until_reads_are_tried_out() {
    use dispatch::{BucketSet, Wanted};
    let config = asked_for_account();
    let (mut spoke, asked) = start(&config, SystemState::blank(config.tenant.clone(), erp()), 0);
    turn_at(&mut spoke, 1, answer(asked.unwrap(), 200, Vec::new(), r#"{"id": "one"}"#));
    let now = Mono(2_000_000);
    for number in 0..100 {
        let wanted = Wanted {
            token: Token::Intent(store::conformance::make::int(number)),
            lane: ledger::Lane::Standard,
            lock: None,
            due: now,
            seq: 0,
            operation: READ.to_owned(),
            buckets: BucketSet::default(),
            cost: 1,
            safe: true,
            poison: false,
            party: None,
            serial: None,
        };
        let dispatcher = spoke.dispatcher.as_mut().unwrap();
        dispatcher.offer(wanted.clone());
        let Some((_, permit)) = dispatcher.admit(now) else {
            dispatcher.withdraw(&wanted.token);
            break;
        };
        dispatcher.learn(&permit, ledger::Class::Uncertain, None, None, Duration::ZERO, now);
        dispatcher.release(permit, now);
    }
    let said = order(&mut spoke, 2, Order::Resume { reason: reason() });
    assert_eq!((sends(&said), spoke.phase), (None, Phase::Shut));
    let opens = wakeup(&spoke, 2).expect("by time");
    assert!(opens > 2);
    assert_eq!(sends(&turn_at(&mut spoke, opens - 1, Input::Tick)), None);
    assert!(sends(&turn_at(&mut spoke, opens, Input::Tick)).is_some());
}

/// I12: when the disk was full, the next commit tells whether there is room: before, nothing is asked of the target, whose word
/// to be left alone could not be kept.
#[test]
fn i12_after_a_full_disk_nothing_goes_before_a_commit_did() {
    use store::conformance::make;
    let (full, done) =
        (store::StoreError::Full { detail: "no room".to_owned() }, store::Receipt::Done(Vec::new()));
    let config = configuration(None);
    let (mut spoke, _) = start(&config, SystemState::blank(config.tenant.clone(), erp()), 0);
    let commits = |said: &[Effect]| {
        said.iter().find_map(|effect| match effect {
            Effect::Commit(ticket, units) => Some((*ticket, units.len())),
            _ => None,
        })
    };
    let judges =
        |said: &[Effect]| said.iter().any(|effect| matches!(effect, Effect::Find(_, Query::Spoke { .. })));
    let other = HeldPart::Route(RouteId::from("another"));
    let said = order(&mut spoke, 1, Order::Hold { scope: other, reason: reason() });
    let (commit, _) = commits(&said).unwrap();
    turn_at(&mut spoke, 2, Input::Committed(commit, Err(full.clone())));
    let raise = intake::Raise { due: Wall(0), ..make::raise("r", 1, 1) };
    let head = store::rules::head(&store::rules::first(&raise));
    let said = turn_at(&mut spoke, 2, Input::Told(Notice::Raised(vec![head])));
    assert!(!judges(&said) && commits(&said).is_none());
    assert_eq!(wakeup(&spoke, 2), Some(4));

    let said = turn_at(&mut spoke, 4, Input::Tick);
    let (commit, _) = commits(&said).expect("it tries");
    assert!(!judges(&said), "and nothing else: {said:?}");
    assert_eq!(wakeup(&spoke, 4), None, "it waits for the answer");
    turn_at(&mut spoke, 5, Input::Committed(commit, Err(full)));
    assert_eq!(wakeup(&spoke, 5), Some(7));
    let (commit, units) = commits(&turn_at(&mut spoke, 7, Input::Tick)).unwrap();
    let said = turn_at(&mut spoke, 8, Input::Committed(commit, Ok(vec![done; units])));
    assert!(judges(&said), "there is room: {said:?}");
}

/// I12: nor is an object read, which an answer says is there already or no more, while reads are held back: its write waits.
#[test]
fn i12_what_an_answer_named_is_not_read_through_an_open_breaker() {
    let config = configuration(None);
    let (mut spoke, _) = start(&config, SystemState::blank(config.tenant.clone(), erp()), 0);
    let object = Object::new("customer").unwrap();
    let call = connector::Call::Fetch { object, external_id: "7".to_owned() };
    let until = |spoke: &Spoke, seconds: u64| {
        let until = spoke.unreadable_until(&call, Mono(seconds * 1_000_000));
        until.map(|until| until.0 / 1_000_000)
    };
    assert_eq!(until(&spoke, 1), None);
    order(&mut spoke, 1, Order::Force { operation: None, forced: Some(Forced::Open), reason: reason() });
    assert_eq!(until(&spoke, 1), Some(31), "it is looked again, however long that lasts");
    spoke.dispatcher.as_mut().unwrap().close_until(None, Mono(90_000_000));
    assert_eq!(until(&spoke, 1), Some(90), "it asked for longer");
    order(&mut spoke, 91, Order::Force { operation: None, forced: None, reason: reason() });
    assert_eq!(until(&spoke, 91), None);
}
