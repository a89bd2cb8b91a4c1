//! Batches against a HubSpot-shaped CRM, with real processes: what waits goes together, answers come in part or not at
//! all, one record is refused and with it every batch that it is in; and all others arrive once.

#![allow(clippy::unwrap_used, reason = "a test may end where it stands")]

mod support;

use std::process::Command;
use std::time::Duration;

use sandbox::{Fault, FaultKind, Handle, Kind, Options, Property, Sandbox};
use support::{Folder, Target, say};

const DEALS: usize = 120;
/// Refused there.
const POISON: &str = "c66";

fn property(name: &str, unique: bool) -> Property {
    Property {
        object_type: "deals".into(),
        name: name.into(),
        value_type: "string".into(),
        has_unique_value: unique,
        options: Vec::new(),
    }
}

/// Deals whose version is the wanted one.
fn arrived(crm: &Handle, version: &str) -> usize {
    let books = crm.lock().books();
    let versions = books.objects.get("deals").into_iter().flat_map(|deals| deals.values());
    versions.filter(|deal| deal.values.get("version").is_some_and(|value| value == version)).count()
}

async fn wait_for(crm: &Handle, version: &str, count: usize) -> usize {
    for _ in 0..1_200 {
        if arrived(crm, version) == count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    arrived(crm, version)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i10_a_poison_record_and_a_bad_line_keep_no_other_from_a_crm_that_takes_batches() {
    let mut options = Options::of(Kind::HubSpot);
    options.limits.burst = 0;
    options.limits.search_per_second = 0;
    options.properties = vec![property("concord_id", true), property("business_id", false)];
    let crm = Sandbox::start(Kind::HubSpot, options).await.unwrap();
    {
        let mut world = crm.lock();
        // The first call is slow, so that the others wait for it and go together.
        world.add_fault(Fault::new(FaultKind::Slow { ms: 700 }).on("POST", "/batch/").times(1));
        let refused = Fault::new(FaultKind::ErrorBefore { status: 400 }).on("POST", "/batch/");
        world.add_fault(refused.holding(&format!("Company {POISON} v1")));
        world.add_fault(Fault::new(FaultKind::PartialBatch { share: 0.3 }).times(6));
        world.add_fault(Fault::new(FaultKind::LostAnswer).on("POST", "/batch/").times(2));
    }
    let folder = Folder::new(&[Target {
        system: "crm",
        connector: "hubspot",
        object: "deals",
        address: crm.addr.to_string(),
        more: "  secrets: {token: {file: ./token.secret}}\nparameters: {timeout_ms: 2000, processing_max_ms: 300}\n\
               limits: {concurrency: 1}\nretry: {base: 100ms, cap: 1s, attempts_max: 20}\n",
        paths: ["dealname", "business_id", "version"],
    }]);
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    let port = folder.ingress;
    let tell = move |version: u64| {
        tokio::task::spawn_blocking(move || {
            (0..DEALS).all(|number| say(port, &format!("c{number}"), version))
        })
    };
    assert!(tell(1).await.unwrap(), "{}", folder.last_words());
    assert_eq!(wait_for(&crm, "1", DEALS - 1).await, DEALS - 1, "{}", folder.last_words());

    // It is a dead letter by itself.
    let mut dead = serde_json::Value::Null;
    for _ in 0..200 {
        let output = Command::new(env!("CARGO_BIN_EXE_concord"))
            .arg("--dir")
            .arg(folder.path())
            .args(["delivery", "list", "--state", "dead", "--output", "json"])
            .output()
            .unwrap();
        dead = serde_json::from_slice(&output.stdout).unwrap_or_default();
        if dead.as_array().is_some_and(|rows| !rows.is_empty()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(dead.as_array().map_or(0, Vec::len), 1, "{dead}");

    let calls = crm.lock().books().calls.total;
    assert!(calls < DEALS as u64 * 3 / 4, "{calls} calls for {DEALS} deals: they did not go together");

    // All is linked now: they are updated together, too.
    assert!(tell(2).await.unwrap(), "{}", folder.last_words());
    assert_eq!(wait_for(&crm, "2", DEALS).await, DEALS, "{}", folder.last_words());
    let books = crm.lock().books();
    assert!(books.duplicates.is_empty(), "doubled (I3): {:?}", books.duplicates);
    assert!(books.backwards.is_empty(), "backwards (I4): {:?}", books.backwards);
    for fault in ["partial_batch", "lost_answer", "error_before"] {
        assert!(books.faults.contains_key(fault), "{fault} never happened: {:?}", books.faults);
    }
    assert_eq!(hub.stop(), Some(0), "no clean stop:\n{}", folder.last_words());
}
