//! kill -9 under load: nothing acknowledged is lost, nothing is applied twice, nothing goes backwards (I1 to I4),
//! judged by the targets' own books. `./test --long` kills 200 times, `./test` 20 times. And ends at awkward moments.

mod support;

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use sandbox::{Fault, FaultKind, Kind, Options, Sandbox};
use support::load::{Dice, Producers, crm, folder, lacking, wrong};
use support::{Folder, Target, say};

const PRODUCERS: u64 = 3;

fn kills() -> u64 {
    #[allow(clippy::disallowed_methods, reason = "the long variant is asked for by ./test --long")]
    let long = std::env::var("CONCORD_TEST_LONG").is_ok();
    if long { 200 } else { 20 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_nine_under_load_loses_nothing_and_doubles_nothing() {
    let mut plain = Options::of(Kind::Sink);
    plain.business_id = "number".into();
    let sink = Sandbox::start(Kind::Sink, plain).await.unwrap();
    let crm = crm(300).await;
    sink.lock().add_fault(Fault::new(FaultKind::LostAnswer).on("PUT", "/").chance(0.03));
    crm.lock()
        .add_fault(Fault::new(FaultKind::LostAnswer).on("POST", "/crm/v3/objects/companies").chance(0.1));

    let folder = Arc::new(folder(sink.addr, crm.addr, "number"));
    let producers = Producers::start(folder.ingress, PRODUCERS);

    let loop_folder = Arc::clone(&folder);
    let hits = tokio::task::spawn_blocking(move || kill_loop(&loop_folder)).await.unwrap();
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "the hub does not start again:\n{}", folder.last_words());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let acknowledged = producers.acknowledged();
    let said = producers.finish();
    assert!(acknowledged > 100, "too little was said: {said:?}\n{}", folder.last_words());
    sink.lock().clear_faults();
    crm.lock().clear_faults();

    let mut missing = String::new();
    for _ in 0..1_800 {
        missing = lacking(&said, &sink.lock().books().lanes, &crm.lock().books());
        if missing.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(missing, "", "lost (I1); hits {hits:?}\n{}", folder.last_words());
    let (sink_books, crm_books) = (sink.lock().books(), crm.lock().books());
    assert_eq!(wrong(&sink_books.lanes, &crm_books), "");
    // Every named point was hit, and at least 30 % of the kills found an intent open.
    assert!(hits.iter().all(|count| *count > 0), "not every point was hit: {hits:?}");
    let total: u64 = hits.iter().sum();
    assert!((hits[2] + hits[3]) * 10 >= total * 3, "too few kills with an open intent: {hits:?}");
    assert_eq!(hub.stop(), Some(0), "no clean stop:\n{}", folder.last_words());
}

/// Kills again and again: at a random moment, or at a named point. Counts hits: random, accept, intent, effect.
fn kill_loop(folder: &Folder) -> [u64; 4] {
    let points = ["", "accept_committed", "intent_committed", "effect_answered"];
    let mut dice = Dice(7);
    let mut hits = [0; 4];
    for round in 0..kills() {
        let which = (round % 4) as usize;
        let at = format!("{}:{}", points[which], 1 + dice.below(40));
        let more: Vec<&str> = if which == 0 { Vec::new() } else { vec!["--crash-at", &at] };
        let mut hub = folder.up(&more);
        assert!(
            hub.ready() || which != 0,
            "the hub does not start (round {round}):\n{}",
            folder.last_words()
        );
        let patience = if which == 0 { 100 + dice.below(600) } else { 6_000 };
        for _ in 0..patience / 10 {
            if hub.ended().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        hits[which] += u64::from(which == 0 || hub.ended().is_some());
        hub.kill();
    }
    hits
}

fn to_nobody() -> Folder {
    // Nothing listens there: the hub must come up all the same.
    Folder::new(&[Target {
        system: "alpha",
        connector: "http",
        object: "alpha",
        address: format!("127.0.0.1:{}", support::free_port()),
        more: "",
        paths: ["name", "number", "version"],
    }])
}

/// Whoever asks a hub to end that is not up yet is heard: it ends as one that was up.
#[test]
fn what_starts_ends_when_asked() {
    let folder = to_nobody();
    for _ in 0..5 {
        let mut hub = folder.up(&[]);
        // It listens before it opens its store.
        while TcpStream::connect(("127.0.0.1", folder.ingress)).is_err() {
            assert!(hub.ended().is_none(), "{}", folder.last_words());
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(hub.stop(), Some(0), "{}", folder.last_words());
    }
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    assert_eq!(hub.stop(), Some(0));
}

#[test]
fn a_crash_inside_a_migration_leaves_a_folder_that_opens() {
    let folder = to_nobody();
    let mut hub = folder.up(&["--crash-at", "migration"]);
    assert!(!hub.ready(), "it should have crashed");
    assert!(hub.ended().is_some());
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    assert!(say(folder.ingress, "c1", 1));
    assert_eq!(hub.stop(), Some(0));
}
