//! Drain, stop, and what a failing machine does to the rest.

use hub::{Ack, Order};
use store::{Op, StoreError, Unit};

use super::*;
use crate::{Ended, NotReady};

/// A machine that is drained `after` its order to drain.
fn drains(after: Duration) -> Box<dyn Machine> {
    let due = Arc::new(Mutex::new(None));
    let wanted = Arc::clone(&due);
    Box::new(Script {
        handle: move |input: Input, turn: &mut Turn<'_>| match input {
            Input::Drain => *due.lock().expect("not poisoned") = Some(turn.now.mono + after),
            Input::Tick => {
                *due.lock().expect("not poisoned") = None;
                turn.effect(Effect::Drained);
            }
            _ => {}
        },
        wakeup: move |_| *wanted.lock().expect("not poisoned"),
    })
}

#[tokio::test(start_paused = true)]
async fn drain_waits_for_every_machine_and_takes_nothing_more() {
    let hub = Stage::default().start(vec![
        (MachineId::Intake, drains(Duration::from_secs(1))),
        (spoke(), drains(Duration::from_secs(3))),
    ]);
    let ended = tokio::spawn({
        let hub = hub.clone();
        async move { hub.ended().await }
    });
    let draining = tokio::spawn({
        let hub = hub.clone();
        async move { hub.drain(Duration::from_secs(10)).await }
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    let busy = hub.offer(&crm(), Vec::new(), 10).await.expect_err("draining");
    assert!(busy.why.contains("stopping"), "{busy:?}");
    assert_eq!(hub.ready().await, Err(NotReady::Stopping));
    let before = hub.now().mono;
    assert_eq!(draining.await.expect("no panic"), Ok(()));
    let waited = hub.now().mono.since(before);
    assert!(waited >= Duration::from_millis(2900) && waited < Duration::from_millis(3100), "{waited:?}");
    assert_eq!(ended.await.expect("no panic"), Ended::Drained);
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_takes_too_long_names_who_is_left() {
    let (hung, _told) = recorder(Vec::new());
    let hub = Stage::default().start(vec![(MachineId::Intake, drains(Duration::ZERO)), (spoke(), hung)]);
    let error = hub.drain(Duration::from_secs(2)).await.expect_err("one hangs");
    assert_eq!(error.left, [spoke()]);
    assert!(error.to_string().contains("crm"), "{error}");
    assert_eq!(hub.ended().await, Ended::Drained);
}

/// I2: after a broken disk nothing is acknowledged and nothing goes on.
#[tokio::test(start_paused = true)]
async fn stop_ends_everything_and_lets_callers_go_unacknowledged() {
    let intake = script(|input, turn| match input {
        Input::Offer(offer) => {
            let unit = Unit { require: Vec::new(), ops: Vec::<Op>::new() };
            turn.effect(Effect::Commit(offer.ticket, vec![unit]));
        }
        Input::Committed(ticket, Err(error @ StoreError::Broken { .. })) => {
            turn.effect(Effect::Stop(error.to_string()));
            // A machine that errs here must not be heard.
            turn.effect(Effect::Ack(ticket, Ack::Taken(Vec::new())));
        }
        _ => {}
    });
    let (other, mut told) = recorder(Vec::new());
    let stage = Stage::default();
    stage.store.refuse(Some(StoreError::Broken { detail: "fsync: input/output error".to_owned() }));
    let hub = stage.start(vec![(MachineId::Intake, intake), (spoke(), other)]);
    let busy = hub.offer(&crm(), Vec::new(), 10).await.expect_err("not acknowledged");
    assert!(busy.why.contains("stopping"), "{busy:?}");
    let Ended::Stopped(reason) = hub.ended().await else { panic!("not stopped") };
    assert!(reason.contains("fsync"), "{reason}");
    assert!(hub.offer(&crm(), Vec::new(), 10).await.is_err());
    assert!(hub.order(&spoke(), Order::Resume { reason: "ann: go".to_owned() }).await.is_err());
    told.recv().await.expect("it had started");
    let last = tokio::time::timeout(Duration::from_secs(5), told.recv()).await.expect("ended, not waiting");
    assert_eq!(last, None, "the other machine has ended too");
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_panics_ends_the_hub_with_a_reason() {
    let machine = script(|input, _| assert!(!matches!(input, Input::Drain), "a defect"));
    let hub = Stage::default().start(vec![(spoke(), machine)]);
    let drained = hub.drain(Duration::from_secs(1));
    let ended = hub.ended();
    let (_, how) = tokio::join!(drained, ended);
    let Ended::Stopped(reason) = how else { panic!("{how:?}") };
    assert!(reason.contains("a defect"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn ready_says_what_is_in_the_way() {
    let (commit, mut committed) = unbounded();
    let machine = script(move |input, turn| match input {
        Input::Told(_) => {
            let (tenant, source, event_id) = (tenant(), crm(), turn.now.mono.0.to_string());
            let seen = Op::Seen { tenant, source, event_id, hash: [0; 32], at: turn.now.wall };
            turn.effect(Effect::Commit(ticket(1), vec![Unit { require: Vec::new(), ops: vec![seen] }]));
            // An outcome is taken from the reserve, and does not mean that there is room.
            turn.effect(Effect::Commit(ticket(2), vec![Unit::default()]));
        }
        Input::Committed(ticket, _) if ticket == self::ticket(2) => commit.send(()).expect("heard"),
        _ => {}
    });
    let stage = Stage::default();
    let hub = stage.start(vec![(MachineId::Intake, machine)]);
    assert_eq!(hub.ready().await, Ok(()));
    let nudge = |hub: &Handle| {
        let hub = hub.clone();
        tokio::spawn(async move {
            hub.order(&MachineId::Intake, Order::Resume { reason: "ann: go".to_owned() }).await
        });
    };
    stage.store.refuse(Some(StoreError::Full { detail: "0 bytes".to_owned() }));
    nudge(&hub);
    committed.recv().await.expect("an answer");
    assert_eq!(hub.ready().await, Err(NotReady::Full));
    stage.store.refuse(None);
    nudge(&hub);
    committed.recv().await.expect("an answer");
    assert_eq!(hub.ready().await, Ok(()), "it heals by itself");

    stage.store.refuse(Some(StoreError::Full { detail: "0 bytes".to_owned() }));
    nudge(&hub);
    committed.recv().await.expect("an answer");
    assert_eq!(hub.ready().await, Err(NotReady::Full));
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(hub.ready().await, Ok(()), "somebody must try again, or nobody would ever find room");
}

#[tokio::test(start_paused = true)]
async fn a_machine_is_driven_once() {
    let (one, _told) = recorder(Vec::new());
    let (two, _told) = recorder(Vec::new());
    let stage = Stage::default();
    let options = Options {
        tenant: tenant(),
        machines: vec![(spoke(), one), (spoke(), two)],
        store: stage.store.clone(),
        network: stage.network.clone(),
        telemetry: Arc::new(telemetry::Registry::new(&tenant())),
        clock: Clock::starting_at(Wall(0)),
        limits: Limits::default(),
        crash: None,
        folder: ".".into(),
    };
    let error = Runtime::start(options).expect_err("refused").to_string();
    assert!(error.contains("twice"), "{error}");
}
