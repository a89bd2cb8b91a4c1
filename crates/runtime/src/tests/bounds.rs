//! I19: what is taken from outside is bounded, and comes free again.

use hub::{Ack, Busy, Taken, TakenAs};

use super::*;

fn taken() -> Vec<Taken> {
    vec![Taken { message: None, how: TakenAs::Accepted, raised: Vec::new() }]
}

/// An intake that keeps its offers' tickets until it is told to answer.
fn keeper() -> (Box<dyn Machine>, Arc<Mutex<Vec<Ticket>>>) {
    let tickets = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&tickets);
    let machine = script(move |input, turn| match input {
        Input::Offer(offer) => kept.lock().expect("not poisoned").push(offer.ticket),
        // Any notice: answer the oldest.
        Input::Told(_) => {
            let ticket = kept.lock().expect("not poisoned").remove(0);
            turn.effect(Effect::Ack(ticket, Ack::Taken(taken())));
        }
        _ => {}
    });
    (machine, tickets)
}

/// A machine outside intake that makes it answer one offer for each order.
fn prompter() -> (MachineId, Box<dyn Machine>) {
    let machine = script(|input, turn| {
        if let Input::Told(hub::Notice::Do(ticket, _)) = input {
            turn.effect(Effect::Tell(MachineId::Intake, hub::Notice::Linked));
            turn.effect(Effect::Ack(ticket, Ack::Done));
        }
    });
    (spoke(), machine)
}

fn limits(offers_max: usize, offer_bytes_max: usize) -> Limits {
    Limits { offers_max, offer_bytes_max, offer_wait: Duration::from_millis(100) }
}

async fn prompt(hub: &Handle) {
    hub.order(&spoke(), hub::Order::Resume { reason: "ann: go".to_owned() }).await.expect("prompted");
    tokio::task::yield_now().await;
}

async fn until(tickets: &Mutex<Vec<Ticket>>, count: usize) {
    while tickets.lock().expect("not poisoned").len() < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_offer_is_acknowledged() {
    let (intake, tickets) = keeper();
    let hub = Stage::default().start(vec![(MachineId::Intake, intake), prompter()]);
    let offering = tokio::spawn({
        let hub = hub.clone();
        async move { hub.offer(&crm(), Vec::new(), 10).await }
    });
    until(&tickets, 1).await;
    prompt(&hub).await;
    assert_eq!(offering.await.expect("no panic"), Ok(taken()));
}

#[tokio::test(start_paused = true)]
async fn too_many_offers_are_refused_until_one_is_acknowledged() {
    let (intake, tickets) = keeper();
    let stage = Stage { limits: limits(2, 1 << 20), ..Stage::default() };
    let hub = stage.start(vec![(MachineId::Intake, intake), prompter()]);
    for _ in 0..2 {
        let hub = hub.clone();
        tokio::spawn(async move { hub.offer(&crm(), Vec::new(), 10).await });
    }
    until(&tickets, 2).await;
    let busy: Busy = hub.offer(&crm(), Vec::new(), 10).await.expect_err("no room");
    assert!(busy.why.contains("too many") && busy.retry_after > Duration::ZERO, "{busy:?}");
    assert_eq!(hub.telemetry().snapshot().totals.refused, 1);
    assert_eq!(tickets.lock().expect("not poisoned").len(), 2, "it never reached the machine");

    prompt(&hub).await;
    let third = tokio::spawn({
        let hub = hub.clone();
        async move { hub.offer(&crm(), Vec::new(), 10).await }
    });
    until(&tickets, 2).await;
    prompt(&hub).await;
    prompt(&hub).await;
    assert_eq!(third.await.expect("no panic"), Ok(taken()));
}

#[tokio::test(start_paused = true)]
async fn bytes_are_bounded_too_and_a_giant_takes_all_room() {
    let (intake, tickets) = keeper();
    let stage = Stage { limits: limits(100, 64 * 1024), ..Stage::default() };
    let hub = stage.start(vec![(MachineId::Intake, intake), prompter()]);
    let giant = tokio::spawn({
        let hub = hub.clone();
        async move { hub.offer(&crm(), Vec::new(), 10 << 20).await }
    });
    until(&tickets, 1).await;
    hub.offer(&crm(), Vec::new(), 1).await.expect_err("no bytes left");
    prompt(&hub).await;
    assert_eq!(giant.await.expect("no panic"), Ok(taken()), "larger than all room is still taken, alone");
}

/// A caller that goes away does not free the room before the machine has let go of the message.
#[tokio::test(start_paused = true)]
async fn room_is_kept_until_the_acknowledgement_not_until_the_caller_leaves() {
    let (intake, tickets) = keeper();
    let stage = Stage { limits: limits(1, 1 << 20), ..Stage::default() };
    let hub = stage.start(vec![(MachineId::Intake, intake), prompter()]);
    let caller = tokio::spawn({
        let hub = hub.clone();
        async move { hub.offer(&crm(), Vec::new(), 10).await }
    });
    until(&tickets, 1).await;
    caller.abort();
    assert!(caller.await.expect_err("aborted").is_cancelled());
    hub.offer(&crm(), Vec::new(), 10).await.expect_err("the first is still under way");
    prompt(&hub).await;
    let next = tokio::spawn({
        let hub = hub.clone();
        async move { hub.offer(&crm(), Vec::new(), 10).await }
    });
    until(&tickets, 1).await;
    prompt(&hub).await;
    assert_eq!(next.await.expect("no panic"), Ok(taken()));
}

#[tokio::test(start_paused = true)]
async fn a_machines_own_refusal_reaches_the_caller() {
    let busy =
        Busy { why: "the disk is full".to_owned(), retry_after: Duration::from_secs(9), backlog: false };
    let say = busy.clone();
    let intake = script(move |input, turn| {
        if let Input::Offer(offer) = input {
            turn.effect(Effect::Ack(offer.ticket, Ack::Busy(say.clone())));
        }
    });
    let hub = Stage::default().start(vec![(MachineId::Intake, intake)]);
    assert_eq!(hub.offer(&crm(), Vec::new(), 10).await, Err(busy));
}
