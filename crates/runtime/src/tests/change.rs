//! Machines join, are held, and leave, while the hub goes on.

use hub::Ack;

use super::*;
use crate::StartError;

/// A machine that is quiet a second after it is held, and says what it was given.
fn holds() -> (Box<dyn Machine>, mpsc::UnboundedReceiver<&'static str>) {
    let (tell, told) = unbounded();
    let due = Arc::new(Mutex::new(None));
    let wanted = Arc::clone(&due);
    let machine = Box::new(Script {
        handle: move |input: Input, turn: &mut Turn<'_>| {
            let seen = match input {
                Input::Start => "start",
                Input::Hold(outside) => {
                    *due.lock().expect("not poisoned") =
                        Some((turn.now.mono + Duration::from_secs(1), outside));
                    "hold"
                }
                Input::Tick => {
                    if let Some((_, outside)) = due.lock().expect("not poisoned").take() {
                        turn.effect(Effect::Ack(outside, Ack::Done));
                    }
                    "quiet"
                }
                Input::Drain => {
                    turn.effect(Effect::Drained);
                    "drain"
                }
                _ => "other",
            };
            let _gone = tell.send(seen).is_err();
        },
        wakeup: move |_: Now| wanted.lock().expect("not poisoned").as_ref().map(|(at, _)| *at),
    });
    (machine, told)
}

#[tokio::test(start_paused = true)]
async fn a_machine_joins_is_held_and_leaves_and_the_hub_goes_on() {
    let (intake, _intake_told) = holds();
    let hub = Stage::default().start(vec![(MachineId::Intake, intake)]);
    let (machine, mut told) = holds();
    hub.join(spoke(), machine).await.expect("joins");
    assert_eq!(told.recv().await, Some("start"));
    assert_eq!(hub.machines(), [MachineId::Intake, spoke()]);
    let (again, _) = holds();
    assert!(matches!(hub.join(spoke(), again).await, Err(StartError::Twice(_))));

    let before = hub.now().mono;
    hub.hold(&spoke()).await.expect("held");
    assert!(hub.now().mono.since(before) >= Duration::from_millis(990), "it was waited for");
    assert_eq!((told.recv().await, told.recv().await), (Some("hold"), Some("quiet")));

    hub.leave(&spoke());
    assert_eq!(told.recv().await, None, "its task has ended, and nothing more came");
    assert_eq!(hub.machines(), [MachineId::Intake]);
    assert!(hub.hold(&spoke()).await.is_err(), "nobody is there to be held");
    assert_eq!(hub.ready().await, Ok(()), "everything else goes on");
    let (back, mut told) = holds();
    hub.join(spoke(), back).await.expect("joins again");
    assert_eq!(told.recv().await, Some("start"));
    hub.drain(Duration::from_secs(5)).await.expect("both are drained");
    assert_eq!(told.recv().await, Some("drain"));
}
