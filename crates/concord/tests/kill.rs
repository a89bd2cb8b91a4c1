//! kill -9 under load: nothing acknowledged is lost, nothing is applied twice, nothing goes backwards (I1 to
//! I4), judged
//! by the targets' own books. `./test --long` kills 200 times, `./test` 20 times.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sandbox::{Fault, FaultKind, Kind, Options, Property, Sandbox};
use support::{Folder, Said, Target, say};

/// Companies each producer tells about.
const COMPANIES: u64 = 8;
const PRODUCERS: u64 = 3;

/// A small seeded generator: the same kills for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn kills() -> u64 {
    #[allow(clippy::disallowed_methods, reason = "the long variant is asked for by ./test --long")]
    let long = std::env::var("CONCORD_TEST_LONG").is_ok();
    if long { 200 } else { 20 }
}

fn folder(sink: &sandbox::Handle, crm: &sandbox::Handle) -> Folder {
    let plain = ["name", "number", "version"];
    let target = |system, connector, object, address: std::net::SocketAddr, more, paths| Target {
        system,
        connector,
        object,
        address: address.to_string(),
        more,
        paths,
    };
    Folder::new(&[
        target("alpha", "http", "alpha", sink.addr, "limits: {concurrency: 4}\n", plain),
        target("beta", "http", "beta", sink.addr, "limits: {concurrency: 4}\n", plain),
        target(
            "crm",
            "hubspot",
            "companies",
            crm.addr,
            "  secrets: {token: {file: ./token.secret}}\nparameters: {timeout_ms: 2000, processing_max_ms: 500, index_lag_ms: 600}\n",
            ["name", "business_id", "version"],
        ),
    ])
}

/// Tells about its companies, one version after the other, each until it is acknowledged.
fn produce(port: u16, producer: u64, stop: &AtomicBool, acknowledged: &AtomicU64) -> Said {
    let mut said = Said::new();
    let mut version = 0;
    while !stop.load(Ordering::Relaxed) {
        version += 1;
        for company in 0..COMPANIES {
            let number = format!("c{producer}-{company}");
            while !say(port, &number, version) {
                std::thread::sleep(Duration::from_millis(30));
                if stop.load(Ordering::Relaxed) {
                    // Not acknowledged: it may be anywhere, and nothing was promised.
                    return said;
                }
            }
            said.insert(number, version);
            acknowledged.fetch_add(1, Ordering::Relaxed);
        }
    }
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_nine_under_load_loses_nothing_and_doubles_nothing() {
    let mut plain = Options::of(Kind::Sink);
    plain.business_id = "number".into();
    let sink = Sandbox::start(Kind::Sink, plain).await.unwrap();
    let mut options = Options::of(Kind::HubSpot);
    options.limits.burst = 0;
    options.limits.search_per_second = 0;
    options.limits.index_lag_ms = 300;
    options.properties = vec![Property {
        object_type: "companies".into(),
        name: "business_id".into(),
        value_type: "string".into(),
        has_unique_value: false,
        options: Vec::new(),
    }];
    let crm = Sandbox::start(Kind::HubSpot, options).await.unwrap();
    sink.lock().add_fault(Fault::new(FaultKind::LostAnswer).on("PUT", "/").chance(0.03));
    crm.lock()
        .add_fault(Fault::new(FaultKind::LostAnswer).on("POST", "/crm/v3/objects/companies").chance(0.1));

    let folder = Arc::new(folder(&sink, &crm));
    let stop = Arc::new(AtomicBool::new(false));
    let acknowledged = Arc::new(AtomicU64::new(0));
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let (stop, acknowledged, port) = (Arc::clone(&stop), Arc::clone(&acknowledged), folder.ingress);
            std::thread::spawn(move || produce(port, producer, &stop, &acknowledged))
        })
        .collect();

    let loop_folder = Arc::clone(&folder);
    let hits = tokio::task::spawn_blocking(move || kill_loop(&loop_folder)).await.unwrap();
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "the hub does not start again:\n{}", folder.last_words());
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.store(true, Ordering::Relaxed);
    let mut said = Said::new();
    for producer in producers {
        said.extend(producer.join().unwrap());
    }
    assert!(
        acknowledged.load(Ordering::Relaxed) > 100,
        "too little was said: {said:?}\n{}",
        folder.last_words()
    );
    sink.lock().clear_faults();
    crm.lock().clear_faults();

    let mut missing = String::new();
    for _ in 0..1_800 {
        missing = lacking(&said, &sink, &crm);
        if missing.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(missing, "", "lost (I1); hits {hits:?}\n{}", folder.last_words());
    let (sink_books, crm_books) = (sink.lock().books(), crm.lock().books());
    assert!(crm_books.duplicates.is_empty(), "doubled (I3): {:?}", crm_books.duplicates);
    assert!(crm_books.backwards.is_empty(), "backwards (I4): {:?}", crm_books.backwards);
    for lane in ["alpha", "beta"] {
        assert_eq!(sink_books.lanes[lane].backwards, 0, "backwards (I4) in {lane}");
        let doubled = sink_books.lanes[lane].records.iter().filter(|(_, keys)| keys.len() > 1).count();
        assert_eq!(doubled, 0, "doubled (I3) in {lane}");
    }
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

/// What was acknowledged and has not arrived.
fn lacking(said: &Said, sink: &sandbox::Handle, crm: &sandbox::Handle) -> String {
    let mut lacking = Vec::new();
    let (lanes, crm_books) = (sink.lock().books().lanes, crm.lock().books());
    let companies = crm_books.objects.get("companies").cloned().unwrap_or_default();
    for (number, version) in said {
        for lane in ["alpha", "beta"] {
            let held = lanes.get(lane).and_then(|lane| lane.records.get(number)).cloned().unwrap_or_default();
            let newest = held.values().flatten().filter_map(|held| held.parse::<u64>().ok()).max();
            if newest < Some(*version) {
                lacking.push(format!("{number} v{version} at {lane} (has {newest:?})"));
            }
        }
        let newest = companies.values().filter(|object| object.archived_ms.is_none()).find_map(|object| {
            let text = |name: &str| object.values.get(name)?.as_str().map(str::to_owned);
            (text("business_id").as_deref() == Some(number)).then(|| text("version")).flatten()
        });
        if newest.as_deref().and_then(|held| held.parse::<u64>().ok()) < Some(*version) {
            lacking.push(format!("{number} v{version} at crm (has {newest:?})"));
        }
    }
    lacking.truncate(5);
    lacking.join("; ")
}

#[test]
fn a_crash_inside_a_migration_leaves_a_folder_that_opens() {
    // Nothing listens there: the hub must come up all the same.
    let nobody = Target {
        system: "alpha",
        connector: "http",
        object: "alpha",
        address: format!("127.0.0.1:{}", support::free_port()),
        more: "",
        paths: ["name", "number", "version"],
    };
    let folder = Folder::new(&[nobody]);
    let mut hub = folder.up(&["--crash-at", "migration"]);
    assert!(!hub.ready(), "it should have crashed");
    assert!(hub.ended().is_some());
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    assert!(say(folder.ingress, "c1", 1));
    assert_eq!(hub.stop(), Some(0));
}
