//! The configuration of a running hub changes under load: nothing acknowledged is lost, nothing is doubled or goes
//! backwards (I1 to I4), nobody is refused, and the way back is the way there. Judged by the targets' own books.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::let_underscore_must_use,
    reason = "a test may end where it stands"
)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sandbox::{Kind, Options, Sandbox};
use serde_json::Value;
use support::command::{concord, json};
use support::{Folder, Said, Target, say};

const COMPANIES: u64 = 8;
const PRODUCERS: u64 = 3;

/// Runs a command that must end with this code; gives what it said on both streams.
fn ends(folder: &Folder, code: i32, arguments: &[&str]) -> String {
    let output = concord(folder, arguments);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}\n{}", folder.last_words());
    said
}

fn read(folder: &Folder, path: &str) -> String {
    std::fs::read_to_string(folder.path().join(path)).unwrap()
}

/// Puts another text in place of a part of a file, which must be there.
fn replace(folder: &Folder, path: &str, part: &str, by: &str) {
    let text = read(folder, path);
    assert!(text.contains(part), "{part} is not in {path}: {text}");
    folder.put(path, &text.replacen(part, by, 1));
}

/// Every file of the configuration, to be put back.
fn files(folder: &Folder) -> BTreeMap<String, String> {
    let mut files = BTreeMap::from([("concord.yaml".to_owned(), read(folder, "concord.yaml"))]);
    for part in ["model", "systems", "mappings", "routes"] {
        for entry in std::fs::read_dir(folder.path().join(part)).unwrap() {
            let path = format!("{part}/{}", entry.unwrap().file_name().to_string_lossy());
            files.insert(path.clone(), read(folder, &path));
        }
    }
    files
}

/// Puts a folder back as it was.
fn put_back(folder: &Folder, before: &BTreeMap<String, String>) {
    for path in files(folder).keys().filter(|path| !before.contains_key(*path)) {
        std::fs::remove_file(folder.path().join(path)).unwrap();
    }
    for (path, text) in before {
        folder.put(path, text);
    }
}

async fn sink() -> sandbox::Handle {
    let mut plain = Options::of(Kind::Sink);
    plain.business_id = "number".into();
    Sandbox::start(Kind::Sink, plain).await.unwrap()
}

const PLAIN: [&str; 3] = ["name", "number", "version"];

fn target<'a>(system: &'a str, connector: &'a str, address: std::net::SocketAddr) -> Target<'a> {
    Target {
        system,
        connector,
        object: system,
        address: address.to_string(),
        more: "limits: {concurrency: 4}\n",
        paths: PLAIN,
    }
}

fn folder(sink: &sandbox::Handle, crm: &sandbox::Handle) -> Folder {
    Folder::new(&[
        target("alpha", "http", sink.addr),
        target("beta", "http", sink.addr),
        Target {
            object: "companies",
            more: "  secrets: {token: {file: ./token.secret}}\nparameters: {processing_max_ms: 500, index_lag_ms: 300}\n",
            paths: ["name", "business_id", "version"],
            ..target("crm", "hubspot", crm.addr)
        },
    ])
}

/// Tells about its companies, one version after the other. Counts what was not acknowledged.
fn produce(port: u16, producer: u64, stop: &AtomicBool, refused: &AtomicU64) -> Said {
    let mut said = Said::new();
    let mut version = 0;
    while !stop.load(Ordering::Relaxed) {
        version += 1;
        for company in 0..COMPANIES {
            let number = format!("c{producer}-{company}");
            while !say(port, &number, version) {
                refused.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
            said.insert(number, version);
        }
        std::thread::sleep(Duration::from_millis(15));
    }
    said
}

/// Values of the live companies in the CRM, by their numbers.
fn in_crm(crm: &sandbox::Handle, property: &str) -> BTreeMap<String, Value> {
    let books = crm.lock().books();
    let companies = books.objects.get("companies").cloned().unwrap_or_default();
    let live = companies.values().filter(|object| object.archived_ms.is_none());
    live.filter_map(|object| {
        let number = object.values.get("business_id")?.as_str()?.to_owned();
        Some((number, object.values.get(property).cloned().unwrap_or(Value::Null)))
    })
    .collect()
}

/// What was acknowledged and has not arrived.
fn lacking(said: &Said, sink: &sandbox::Handle, crm: &sandbox::Handle) -> String {
    let lanes = sink.lock().books().lanes;
    let versions = in_crm(crm, "version");
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<u64>().ok()).or(value.as_u64());
    let mut lacking = Vec::new();
    for (name, version) in said {
        for lane in ["alpha", "beta"] {
            let held = lanes.get(lane).and_then(|lane| lane.records.get(name)).cloned().unwrap_or_default();
            let newest = held.values().flatten().filter_map(|held| held.parse::<u64>().ok()).max();
            if newest < Some(*version) {
                lacking.push(format!("{name} v{version} at {lane} (has {newest:?})"));
            }
        }
        if versions.get(name).and_then(number) < Some(*version) {
            lacking.push(format!("{name} v{version} at crm (has {:?})", versions.get(name)));
        }
    }
    lacking.truncate(5);
    lacking.join("; ")
}

/// Asks again until it holds.
async fn until(what: &str, folder: &Folder, holds: impl Fn() -> bool) {
    for _ in 0..400 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never happened that {what}\n{}", folder.last_words());
}

/// The CRM also gets a domain from now on, and is called less at once; a third lane of the sink joins; beta's limits
/// change.
fn put_forward(folder: &Folder, sink: &sandbox::Handle) {
    replace(folder, "mappings/company.crm.yaml", "version: 1", "version: 2");
    let more = "  - {field: number, path: domain, direction: out}\n";
    folder.put("mappings/company.crm.yaml", &(read(folder, "mappings/company.crm.yaml") + more));
    replace(folder, "systems/beta.yaml", "concurrency: 4", "concurrency: 2");
    let gamma = Folder::new(&[target("gamma", "http", sink.addr)]);
    for path in ["systems/gamma.yaml", "mappings/company.gamma.yaml"] {
        folder.put(path, &read(&gamma, path));
    }
    let route = read(&gamma, "routes/all.yaml").replace("routes:\n", "");
    folder.put("routes/all.yaml", &(read(folder, "routes/all.yaml") + &route));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_under_load_loses_nothing_and_doubles_nothing_there_and_back() {
    let (sink, crm) = (sink().await, support::load::crm(100).await);
    let folder = Arc::new(folder(&sink, &crm));
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    let before = files(&folder);
    let (stop, refused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let (stop, refused, port) = (Arc::clone(&stop), Arc::clone(&refused), folder.ingress);
            std::thread::spawn(move || produce(port, producer, &stop, &refused))
        })
        .collect();
    until("companies are in the CRM", &folder, || in_crm(&crm, "version").len() > 10).await;
    assert!(in_crm(&crm, "domain").values().all(Value::is_null));

    for _ in 0..3 {
        put_forward(&folder, &sink);
        let plan = json(&folder, &["plan"]);
        assert_eq!(plan["connected"], serde_json::json!(["gamma"]), "{plan:#}");
        assert_eq!(plan["renewed"], serde_json::json!(["beta"]), "{plan:#}");
        let id = plan["plan"].as_str().unwrap();
        ends(&folder, 0, &["apply", "--plan", id, "--reason", "domains for the CRM"]);
        let newer = || in_crm(&crm, "domain").values().any(|domain| !domain.is_null());
        until("the CRM gets domains", &folder, newer).await;
        let gamma = || sink.lock().books().lanes.get("gamma").is_some_and(|lane| !lane.records.is_empty());
        until("gamma gets companies", &folder, gamma).await;

        // Back: routes first, so that nothing leads to the system that leaves.
        let all = files(&folder);
        put_back(&folder, &before);
        for path in ["systems/gamma.yaml", "mappings/company.gamma.yaml"] {
            folder.put(path, &all[path]);
        }
        ends(&folder, 0, &["apply", "--reason", "back, gamma's route first"]);
        put_back(&folder, &before);
        let leaves = || concord(&folder, &["apply", "--reason", "back"]).status.success();
        until("gamma has come to rest and leaves", &folder, leaves).await;
    }

    stop.store(true, Ordering::Relaxed);
    let mut said = Said::new();
    for producer in producers {
        said.extend(producer.join().unwrap());
    }
    assert_eq!(refused.load(Ordering::Relaxed), 0, "listeners stay\n{}", folder.last_words());
    until("everything acknowledged has arrived (I1)", &folder, || lacking(&said, &sink, &crm).is_empty())
        .await;
    let (sink_books, crm_books) = (sink.lock().books(), crm.lock().books());
    assert!(crm_books.duplicates.is_empty(), "doubled (I3): {:?}", crm_books.duplicates);
    assert!(crm_books.backwards.is_empty(), "backwards (I4): {:?}", crm_books.backwards);
    for (name, lane) in &sink_books.lanes {
        assert_eq!(lane.backwards, 0, "backwards (I4) in {name}");
        assert!(lane.records.values().all(|keys| keys.len() == 1), "doubled (I3) in {name}");
    }
    assert_eq!(json(&folder, &["dead-letter", "list"]), serde_json::json!([]));
    let history = json(&folder, &["config", "history"]);
    assert_eq!(history.as_array().unwrap().len(), 10, "the start and nine changes: {history:#}");
    assert_eq!(history[0]["reason"], "operator: back");
    assert_eq!(history[0]["digest"], history[9]["digest"], "back is where it began");
    assert_eq!(hub.stop(), Some(0), "{}", folder.last_words());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_applied_changes_nothing_and_says_why() {
    let (sink, crm) = (sink().await, support::load::crm(100).await);
    let folder = folder(&sink, &crm);
    ends(&folder, 7, &["plan"]);
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    let before = files(&folder);
    let runs = json(&folder, &["config", "get"])["digest"].clone();
    assert!(ends(&folder, 0, &["plan", "--detailed-exit-code"]).contains("no changes"));
    assert!(ends(&folder, 0, &["apply", "--reason", "nothing new"]).contains("no changes"));
    ends(&folder, 64, &["apply"]);

    // A folder with an error: its place is said, and the hub works on.
    replace(&folder, "mappings/company.alpha.yaml", "field: revision", "field: revison");
    for arguments in [["plan", "--verbose", "--verbose"], ["apply", "--reason", "a slip"]] {
        let said = ends(&folder, 1, &arguments);
        assert!(
            said.contains("mappings/company.alpha.yaml:9:13: error:") && said.contains("revision"),
            "{said}"
        );
    }
    assert!(say(folder.ingress, "c1", 1), "it goes on with what it has");
    put_back(&folder, &before);

    // A change that a running hub cannot take.
    replace(&folder, "concord.yaml", "folder: ./data", "folder: ./other");
    replace(&folder, "mappings/company.beta.yaml", "  - {field: name, path: name, direction: out}\n", "");
    for arguments in [vec!["plan"], vec!["apply", "--reason", "a try"]] {
        let said = ends(&folder, 6, &arguments);
        for place in [
            "concord.yaml:3:17: error: the store is open where it is",
            "mappings/company.beta.yaml:2:10: error: the mapping `company.beta` changed and still says `version: 1`",
            "mappings/company.beta.yaml:6:1: error: `name` is not written any more",
        ] {
            assert!(said.contains(place), "{place}: {said}");
        }
    }
    put_back(&folder, &before);

    // A system that routes lead to, with its records.
    std::fs::remove_file(folder.path().join("systems/beta.yaml")).unwrap();
    std::fs::remove_file(folder.path().join("mappings/company.beta.yaml")).unwrap();
    let routes: Vec<&str> = before["routes/all.yaml"].lines().filter(|line| !line.contains("beta")).collect();
    folder.put("routes/all.yaml", &(routes.join("\n") + "\n"));
    let said = ends(&folder, 6, &["plan"]);
    assert!(said.contains("routes lead to the system `beta`: company.beta"), "{said}");
    put_back(&folder, &before);

    // A plan is of what ran when it was made, and of the folder as it was.
    replace(&folder, "systems/alpha.yaml", "concurrency: 4", "concurrency: 3");
    let said = ends(&folder, 2, &["plan", "--detailed-exit-code"]);
    assert!(said.contains("concurrency: 4 → 3"), "{said}");
    let plan = json(&folder, &["plan"])["plan"].as_str().unwrap().to_owned();
    replace(&folder, "systems/alpha.yaml", "concurrency: 3", "concurrency: 2");
    assert!(ends(&folder, 6, &["apply", "--plan", &plan, "--reason", "late"]).contains("stale"));

    // Another folder can be planned; only the hub's own is applied.
    let elsewhere = tempfile::tempdir().unwrap();
    for (path, text) in &before {
        let path = elsewhere.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let other = elsewhere.path().to_str().unwrap();
    assert!(ends(&folder, 0, &["plan", other]).contains("no changes"));
    assert!(ends(&folder, 6, &["apply", other, "--reason", "from there"]).contains("other files"));
    assert_eq!(json(&folder, &["config", "get"])["digest"], runs, "nothing of it counted");
    assert_eq!(json(&folder, &["config", "history"]).as_array().unwrap().len(), 1);

    // A secret that was replaced counts with the next apply, without a change of any file.
    put_back(&folder, &before);
    folder.put("token.secret", "pat-sandbox\n\n");
    assert!(ends(&folder, 0, &["apply", "--reason", "same token"]).contains("no changes"), "the same secret");
    folder.put("token.secret", "another");
    let said = ends(&folder, 0, &["apply", "--reason", "a new token"]);
    assert!(said.contains("started again: crm"), "{said}");
    std::fs::remove_file(folder.path().join("token.secret")).unwrap();
    let said = ends(&folder, 1, &["apply", "--reason", "no token"]);
    assert!(said.contains("systems/crm.yaml:") && said.contains("token.secret"), "{said}");
    assert_eq!(hub.stop(), Some(0), "{}", folder.last_words());
}
