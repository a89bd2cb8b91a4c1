//! What is past its time goes, after the archive has it; records leave and come back. On a real hub, with its own store.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::let_underscore_must_use,
    reason = "a test may end where it stands"
)]
#![allow(dead_code, reason = "the support is shared, and not all of it is used here")]

mod support;

use std::fs;
use std::io::Read as _;
use std::time::Duration;

use sandbox::{Kind, Options, Sandbox};
use serde_json::Value;
use support::command::{concord, json, until};
use support::{Folder, Target, say};

fn unpacked(file: &std::path::Path) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    text
}

async fn hub(retention: &str) -> (Folder, support::Hub, sandbox::Handle) {
    let sink = Sandbox::start(Kind::Sink, Options::of(Kind::Sink)).await.unwrap();
    let folder = Folder::new(&[Target {
        system: "alpha",
        connector: "http",
        object: "alpha",
        address: sink.addr.to_string(),
        more: "",
        paths: ["name", "number", "version"],
    }]);
    let settings = fs::read_to_string(folder.path().join("concord.yaml")).unwrap();
    folder.put("concord.yaml", &format!("{settings}\n{retention}"));
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    for (number, version) in [("c1", 1), ("c1", 2), ("c2", 1), ("c3", 1)] {
        assert!(say(folder.ingress, number, version));
        let delivered = || json(&folder, &["delivery", "list", "--state", "delivered"]);
        let count = match number {
            "c1" => 1,
            "c2" => 2,
            _ => 3,
        };
        until("it is delivered", || delivered().as_array().unwrap().len() == count).await;
    }
    (folder, hub, sink)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histories_go_to_the_archive_and_are_gone() {
    let (folder, mut hub, _sink) = hub(
        "retention: {messages: 1s, seen: 1s, events: 1s, deliveries: 1s, groups: 1s, jobs: 1s, archive: ./kept}\n",
    )
    .await;
    let record = json(&folder, &["event", "list"])[0]["record"].as_str().unwrap().to_owned();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let refused = concord(&folder, &["retention", "run"]);
    assert_eq!(refused.status.code(), Some(64), "a reason is needed");
    assert!(concord(&folder, &["retention", "run", "--reason", "a test"]).status.success());
    let sheet = || json(&folder, &["retention", "get"]);
    until("messages and events have gone", || {
        let removed = sheet()["removed"].clone();
        removed["message"].as_u64() >= Some(3) && removed["event"].as_u64() >= Some(3)
    })
    .await;
    // The newest of each stays; records and what targets have stay whatever their age.
    assert_eq!(json(&folder, &["event", "list"]).as_array().unwrap().len(), 1);
    assert_eq!(json(&folder, &["delivery", "list", "--state", "delivered"]).as_array().unwrap().len(), 3);
    let kept = json(&folder, &["record", "get", &record]);
    assert_eq!(kept["links"].as_array().unwrap().len(), 2, "{kept:#}");
    let mut kinds = std::collections::BTreeSet::new();
    for file in fs::read_dir(folder.path().join("kept")).unwrap() {
        let path = file.unwrap().path();
        assert!(path.to_string_lossy().ends_with(".jsonl.gz"), "{path:?}");
        let text = unpacked(&path);
        for line in text.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let kind = row["kind"].as_str().unwrap().to_owned();
            let sealed = matches!(kind.as_str(), "message" | "event");
            assert_eq!(row["sealed"].is_string(), sealed, "{line}");
            assert!(!line.contains("\"name\""), "a value is readable: {line}");
            kinds.insert(kind);
        }
    }
    assert!(["event", "intent", "message"].iter().all(|kind| kinds.contains(*kind)), "{kinds:?}");
    assert_eq!(hub.stop(), Some(0), "{}", folder.last_words());
    let mut again = folder.up(&[]);
    assert!(again.ready(), "{}", folder.last_words());
    assert_eq!(sheet()["orders"][0]["reason"], "operator: a test");
}

/// I16: what left comes back once, and changes nothing that is known.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i16_records_leave_and_come_back() {
    let (folder, _hub, _sink) = hub("").await;
    let file = folder.path().join("records.jsonl.gz");
    let name = file.to_str().unwrap();
    let wrote = concord(&folder, &["export", name, "--unmask"]);
    assert!(wrote.status.success(), "{}", String::from_utf8_lossy(&wrote.stderr));
    assert_eq!(concord(&folder, &["export", name]).status.code(), Some(6), "never in place of another");
    let text = unpacked(&file);
    assert_eq!(text.lines().count(), 3);
    let events = json(&folder, &["event", "list"]).as_array().unwrap().len();
    for _ in 0..2 {
        let back = concord(&folder, &["import", name, "--reason", "a test"]);
        assert!(back.status.success(), "{}", String::from_utf8_lossy(&back.stderr));
    }
    assert_eq!(json(&folder, &["event", "list"]).as_array().unwrap().len(), events, "no event is made");
    let record = json(&folder, &["record", "get", "shop:c1"]);
    assert_eq!(record["record"]["version"], 2);
    // Hidden values are none: the file is refused where that shows, once.
    let hidden = folder.path().join("hidden.jsonl.gz");
    assert!(concord(&folder, &["export", hidden.to_str().unwrap()]).status.success());
    let refused = concord(&folder, &["import", hidden.to_str().unwrap(), "--reason", "a test"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("line 1") && said.contains("--unmask"), "{said}");
    // A broken line is named, and keeps no other from being taken.
    let plain = folder.path().join("broken.jsonl");
    fs::write(&plain, format!("{}not json\n", text)).unwrap();
    let partly = concord(&folder, &["import", plain.to_str().unwrap(), "--reason", "a test"]);
    assert!(!partly.status.success());
    let shown = String::from_utf8_lossy(&partly.stdout).into_owned();
    assert!(shown.contains('4') && shown.contains("refused"), "{shown}");
    let said = String::from_utf8_lossy(&partly.stderr).into_owned();
    assert!(said.contains("1 refused") && said.contains("3 repeated"), "{said}");
}
