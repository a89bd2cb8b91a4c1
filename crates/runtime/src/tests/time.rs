//! Wake-ups, and one reading of the clocks per hand-over.

use hub::Notice;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_wakeup_ticks_when_its_time_has_come() {
    let (tell, mut told) = unbounded();
    let at = Mono(250_000);
    let ticked = Arc::new(Mutex::new(false));
    let seen = Arc::clone(&ticked);
    let machine = Box::new(Script {
        handle: move |input: Input, turn: &mut Turn<'_>| {
            if matches!(input, Input::Tick) {
                *ticked.lock().expect("not poisoned") = true;
                tell.send(turn.now).expect("heard");
            }
        },
        wakeup: move |_| (!*seen.lock().expect("not poisoned")).then_some(at),
    });
    let _hub = Stage::default().start(vec![(spoke(), machine)]);
    let now = told.recv().await.expect("a tick");
    assert!(now.mono >= at && now.mono <= at + Duration::from_millis(2), "{:?}", now.mono);
    assert_eq!(now.wall, Wall(1_000_000) + Duration::from_micros(now.mono.0));
    assert!(tokio::time::timeout(Duration::from_secs(60), told.recv()).await.is_err(), "one tick");
}

/// A flood of inputs does not hold a due wake-up back.
#[tokio::test(start_paused = true)]
async fn inputs_do_not_starve_the_tick() {
    let (tell, mut told) = unbounded();
    let machine = Box::new(Script {
        handle: move |input: Input, turn: &mut Turn<'_>| match input {
            // Each input makes the next one: the queue is never empty.
            Input::Start | Input::Told(_) => turn.effect(Effect::Tell(spoke(), Notice::FetchWanted)),
            Input::Tick => {
                tell.send(()).expect("heard");
                turn.effect(Effect::Stop("seen".to_owned()));
            }
            _ => {}
        },
        wakeup: |_| Some(Mono(0)),
    });
    let _hub = Stage::default().start(vec![(spoke(), machine)]);
    assert!(tokio::time::timeout(Duration::from_secs(5), told.recv()).await.expect("in time").is_some());
}

/// A machine that always wants to be woken in the past does not take a core.
#[tokio::test(start_paused = true)]
async fn ticks_have_a_shortest_distance() {
    let ticks = Arc::new(Mutex::new(0_u32));
    let count = Arc::clone(&ticks);
    let machine = Box::new(Script {
        handle: move |input: Input, _: &mut Turn<'_>| {
            if matches!(input, Input::Tick) {
                *count.lock().expect("not poisoned") += 1;
            }
        },
        wakeup: |_| Some(Mono(0)),
    });
    let _hub = Stage::default().start(vec![(spoke(), machine)]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let ticks = *ticks.lock().expect("not poisoned");
    assert!((400..=1001).contains(&ticks), "{ticks} ticks in a second");
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_is_handed_over_at_one_time() {
    let (tell, mut told) = unbounded();
    let receiver = script(move |input, turn| {
        if matches!(input, Input::Told(_)) {
            tell.send((turn.now, turn.entropy())).expect("heard");
        }
    });
    let (sender, _heard) =
        recorder((0..5).map(|_| Effect::Tell(MachineId::Intake, Notice::FetchWanted)).collect());
    let _hub = Stage::default().start(vec![(spoke(), sender), (MachineId::Intake, receiver)]);
    let mut turns = Vec::new();
    for _ in 0..5 {
        turns.push(told.recv().await.expect("told"));
    }
    assert!(turns.iter().all(|(now, _)| *now == turns[0].0), "{turns:?}");
    let mut seeds: Vec<u64> = turns.iter().map(|(_, entropy)| *entropy).collect();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 5, "each turn has its own entropy");
}
