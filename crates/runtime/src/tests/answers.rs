//! Every effect's answer finds its machine and its ticket.

use connector::{FailureKind, Reached};
use hub::{Ack, Mark, Notice, Offer, Order, Origin};
use store::{Op, Query, Rows, Unit};

use super::*;
use crate::{CrashPoint, OrderError};

fn put_credential() -> Op {
    Op::PutCredential { tenant: tenant(), system: crm(), credential: None, generation: 1 }
}

fn unit(op: Op) -> Unit {
    Unit { require: Vec::new(), ops: vec![op] }
}

#[tokio::test(start_paused = true)]
async fn find_commit_send_come_back_with_their_tickets() {
    let query = Query::System { tenant: tenant(), system: crm() };
    let (machine, mut told) = recorder(vec![
        Effect::Find(ticket(1), query),
        Effect::Commit(ticket(2), vec![unit(put_credential())]),
        Effect::Send(ticket(3), request("upsert")),
    ]);
    let stage = Stage {
        network: Arc::new(Canned { delay: Duration::from_millis(40), ..Canned::default() }),
        ..Stage::default()
    };
    let _hub = stage.start(vec![(spoke(), machine)]);
    assert_eq!(told.recv().await.as_deref(), Some("Start"));
    assert_eq!(told.recv().await.as_deref(), Some("Found(Ticket(1), Ok(System(None, {}, None)))"));
    assert_eq!(told.recv().await.as_deref(), Some("Committed(Ticket(2), Ok([Done([])]))"));
    let answered = told.recv().await.expect("an answer");
    assert_eq!(answered, "Answered { ticket: Ticket(3), answer: Ok(Response(200, 0 bytes)), took: 40ms }");
}

#[tokio::test(start_paused = true)]
async fn machines_reach_each_other() {
    let (intake, mut intake_told) = recorder(vec![Effect::Tell(spoke(), Notice::FetchWanted)]);
    let offer = Offer {
        ticket: ticket(5),
        origin: Origin::Polled {
            object: canonical::Object::new("contacts").expect("a name"),
            cursor: String::new(),
        },
        source: crm(),
        as_of: Wall(3),
        arrivals: Vec::new(),
        watched: false,
        posted: false,
    };
    let nobody = MachineId::Spoke(System::new("gone").expect("a name"));
    let (machine, mut told) = recorder(vec![Effect::Tell(nobody, Notice::FetchWanted), Effect::Offer(offer)]);
    let _hub = Stage::default().start(vec![(MachineId::Intake, intake), (spoke(), machine)]);
    assert_eq!(told.recv().await.as_deref(), Some("Start"));
    assert_eq!(told.recv().await.as_deref(), Some("Told(FetchWanted)"));
    assert_eq!(intake_told.recv().await.as_deref(), Some("Start"));
    assert!(intake_told.recv().await.expect("the offer").starts_with("Offer(Offer { ticket: Ticket(5)"));
}

#[tokio::test(start_paused = true)]
async fn notes_reach_telemetry() {
    let (machine, mut told) = recorder(vec![Effect::Note(Mark::Throttled { system: crm() })]);
    let hub = Stage::default().start(vec![(spoke(), machine)]);
    told.recv().await.expect("started");
    tokio::task::yield_now().await;
    assert_eq!(hub.telemetry().snapshot().totals.throttles, 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_dies_still_answers_that_nothing_is_known() {
    let (machine, mut told) = recorder(vec![Effect::Send(ticket(9), request("panic"))]);
    let _hub = Stage::default().start(vec![(spoke(), machine)]);
    told.recv().await.expect("started");
    let answered = told.recv().await.expect("an answer");
    assert!(
        answered.starts_with("Answered { ticket: Ticket(9), answer: Err(Failure { reached: MaybeSent"),
        "{answered}"
    );
}

#[tokio::test(start_paused = true)]
async fn intake_cannot_send() {
    let (machine, mut told) =
        recorder(vec![Effect::Send(ticket(1), request("upsert")), Effect::Authorise(ticket(2))]);
    let _hub = Stage::default().start(vec![(MachineId::Intake, machine)]);
    told.recv().await.expect("started");
    assert!(told.recv().await.expect("an answer").contains("reached: NotSent"));
    assert!(told.recv().await.expect("an answer").contains("reached: NotSent"));
}

/// A rotated credential is durable before its token is used.
#[tokio::test(start_paused = true)]
async fn a_token_is_adopted_only_once_its_credential_is_durable() {
    let (machine, mut told) = recorder(vec![Effect::Authorise(ticket(1))]);
    let stage = Stage {
        store: Arc::new(Memory::holding()),
        network: Arc::new(Canned { rotated: Some(vec![42]), ..Canned::default() }),
        ..Stage::default()
    };
    let _hub = stage.start(vec![(spoke(), machine)]);
    told.recv().await.expect("started");
    while stage.store.held() == 0 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(stage.network.adopted.lock().expect("not poisoned").is_empty(), "used before it was durable");
    stage.store.sync();
    assert_eq!(told.recv().await.as_deref(), Some("Authorised { ticket: Ticket(1), result: Ok(Ok(7)) }"));
    assert_eq!(*stage.network.adopted.lock().expect("not poisoned"), [7]);
    let (tell, kept) = std::sync::mpsc::channel();
    let query = Query::System { tenant: tenant(), system: crm() };
    store::Store::find(stage.store.as_ref(), query, Box::new(move |rows| tell.send(rows).expect("heard")));
    let Ok(Rows::System(Some(state), ..)) = kept.recv().expect("an answer") else { panic!("no state") };
    assert_eq!((state.credential, state.credential_generation), (Some(vec![42]), 7));
}

#[tokio::test(start_paused = true)]
async fn a_refused_credential_is_said_so() {
    let (machine, mut told) = recorder(vec![Effect::Authorise(ticket(1))]);
    let refused = Some("client disabled".to_owned());
    let stage = Stage { network: Arc::new(Canned { refused, ..Canned::default() }), ..Stage::default() };
    let _hub = stage.start(vec![(spoke(), machine)]);
    told.recv().await.expect("started");
    let authorised = told.recv().await.expect("an answer");
    assert_eq!(authorised, r#"Authorised { ticket: Ticket(1), result: Ok(Err("client disabled")) }"#);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_cannot_be_kept_is_not_used() {
    let (machine, mut told) = recorder(vec![Effect::Authorise(ticket(1))]);
    let stage = Stage::default();
    stage.store.refuse(Some(store::StoreError::Closed));
    let _hub = stage.start(vec![(spoke(), machine)]);
    told.recv().await.expect("started");
    let authorised = told.recv().await.expect("an answer");
    assert!(authorised.contains("could not be kept"), "{authorised}");
    assert!(stage.network.adopted.lock().expect("not poisoned").is_empty());
}

#[tokio::test(start_paused = true)]
async fn orders_are_answered() {
    let machine = script(|input, turn| {
        if let Input::Told(Notice::Do(ticket, order)) = input {
            let ack = match order {
                Order::Resume { .. } => Ack::Done,
                _ => Ack::Refused("it is paused already".to_owned()),
            };
            turn.effect(Effect::Ack(ticket, ack));
        }
    });
    let hub = Stage::default().start(vec![(spoke(), machine)]);
    assert_eq!(hub.order(&spoke(), Order::Resume { reason: "ann: go".to_owned() }).await, Ok(()));
    let pause = Order::Pause { reason: "ann: too many errors".to_owned() };
    let refused = OrderError::Refused("it is paused already".to_owned());
    assert_eq!(hub.order(&spoke(), pause).await, Err(refused));
    let unknown = MachineId::Spoke(System::new("gone").expect("a name"));
    assert!(matches!(
        hub.order(&unknown, Order::Resume { reason: "ann: go".to_owned() }).await,
        Err(OrderError::Unknown(_))
    ));
}

/// The hook stands right after the point it names: the machine does not know yet.
#[tokio::test(start_paused = true)]
async fn crash_points_come_before_the_machine_hears() {
    let (tell, mut seen) = unbounded();
    let record = tell.clone();
    let hook: CrashHook =
        Arc::new(move |point: &CrashPoint| record.send(format!("{point:?}")).expect("heard"));
    let hash =
        Op::Seen { tenant: tenant(), source: crm(), event_id: "e1".to_owned(), hash: [0; 32], at: Wall(1) };
    let mut first = Some((hash, tell.clone()));
    let intake = script(move |input, turn| match input {
        Input::Start => {
            let (op, _) = first.take().expect("once");
            turn.effect(Effect::Commit(ticket(1), vec![unit(op)]));
            turn.effect(Effect::Commit(ticket(2), vec![unit(put_credential())]));
        }
        other => tell.send(format!("{other:?}")).expect("heard"),
    });
    let (sender, mut told) = recorder(vec![Effect::Send(ticket(3), request("upsert"))]);
    let stage = Stage { crash: Some(hook), ..Stage::default() };
    let _hub = stage.start(vec![(MachineId::Intake, intake), (spoke(), sender)]);
    let mut points = Vec::new();
    for _ in 0..4 {
        points.push(seen.recv().await.expect("a point"));
    }
    let at = |text: &str| points.iter().position(|point| point.starts_with(text)).expect("there");
    assert!(at("AcceptCommitted") < at("Committed(Ticket(1)"), "{points:?}");
    assert_eq!(
        points.iter().filter(|p| p.starts_with("AcceptCommitted")).count(),
        1,
        "only where a message was kept"
    );
    assert!(
        points.contains(&r#"EffectAnswered { system: crm, operation: "upsert" }"#.to_owned()),
        "{points:?}"
    );
    told.recv().await.expect("started");
    assert!(told.recv().await.expect("the answer").starts_with("Answered"));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_did_not_get_through_is_no_effect() {
    let failure = Failure {
        reached: Reached::NotSent,
        kind: FailureKind::Connect,
        detail: "refused".to_owned(),
        wait: None,
    };
    let hook: CrashHook = Arc::new(|point: &CrashPoint| panic!("{point:?} was not reached"));
    let network = Canned { answers: Mutex::new([Err(failure)].into()), ..Canned::default() };
    let stage = Stage { network: Arc::new(network), crash: Some(hook), ..Stage::default() };
    let (machine, mut told) = recorder(vec![Effect::Send(ticket(1), request("upsert"))]);
    let _hub = stage.start(vec![(spoke(), machine)]);
    told.recv().await.expect("started");
    assert!(told.recv().await.expect("the answer").contains("kind: Connect"));
}
