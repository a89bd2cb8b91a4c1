//! A hub as its operator meets it: up, looked into, held, decided about, and down again; each with its exit code.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::let_underscore_must_use,
    reason = "a test may end where it stands"
)]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use sandbox::{Fault, FaultKind, Kind, Options, Sandbox};
use serde_json::Value;
use support::command::{concord, json, until};
use support::{Folder, SECRET, Target, now_s, request, say, signed};

fn code(folder: &Folder, arguments: &[&str]) -> Option<i32> {
    concord(folder, arguments).status.code()
}

/// The system `alpha` as `system list` has it.
fn alpha(folder: &Folder) -> Value {
    let systems = json(folder, &["system", "list"]);
    let found = systems.as_array().unwrap().iter().find(|row| row["system"] == "alpha");
    found.unwrap_or_else(|| panic!("{systems:#}")).clone()
}

fn folder(sink: std::net::SocketAddr) -> Folder {
    Folder::new(&[Target {
        system: "alpha",
        connector: "http",
        object: "alpha",
        address: sink.to_string(),
        more: "",
        paths: ["name", "number", "version"],
    }])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_looks_holds_decides_and_ends() {
    let sink = Sandbox::start(Kind::Sink, Options::of(Kind::Sink)).await.unwrap();
    let folder = folder(sink.addr);
    assert_eq!(code(&folder, &["check"]), Some(0));
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    assert_eq!(code(&folder, &["up"]), Some(6), "the folder is in use");

    assert!(say(folder.ingress, "c1", 1));
    let delivered = || json(&folder, &["delivery", "list", "--state", "delivered"]);
    until("the company is delivered", || delivered().as_array().unwrap().len() == 1).await;
    looks(&folder, &delivered()[0]);
    let mut listener = Listener::of(&folder);
    holds(&folder, &delivered).await;
    let mut hears = |kind: &str| {
        let event = listener.next();
        assert_eq!((&event["type"], &event["subject"]), (&kind.into(), &"alpha".into()), "{event}");
    };
    hears("concord.system.paused");
    hears("concord.system.resumed");
    heard_without_waiting(&folder);
    decides(&folder).await;
    refuses_strangers(&folder);

    assert_eq!(hub.stop(), Some(0), "{}", folder.last_words());
    assert_eq!(code(&folder, &["system", "list"]), Some(7), "nobody is there any more");
    let mut again = folder.up(&[]);
    assert!(again.ready(), "it starts again without hand-work: {}", folder.last_words());
    assert_eq!(delivered().as_array().unwrap().len(), 2, "and knows what it knew");
    let forced = ["system", "breaker", "alpha", "open", "--reason", "they asked for it"];
    assert_eq!(code(&folder, &forced), Some(0));
    hears("concord.system.breaker_forced_open");
}

/// Whoever is told what changes about systems, also over a restart of the hub.
struct Listener {
    child: std::process::Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Listener {
    fn of(folder: &Folder) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_concord"));
        command.args(["system", "journal", "--follow", "--after", "0", "--output", "jsonl", "--dir"]);
        let mut child = command.arg(folder.path()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Lists, and everything by its id.
fn looks(folder: &Folder, delivery: &Value) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let events = json(folder, &["event", "list", "--kind", "company.created"]);
    let event = json(folder, &["event", "get", &text(&events[0]["id"])]);
    assert_eq!(event["type"], "concord.company.created");
    let file = json(folder, &["delivery", "get", &text(&delivery["key"])]);
    assert_eq!(file["state"], "delivered");
    let record = json(folder, &["record", "get", &text(&delivery["record"])]);
    assert_eq!(record["record"]["fields"]["number"], "c1");
    let link = &record["links"][0];
    let external = format!("{}:{}", text(&link["system"]), text(&link["id"]));
    let same = json(folder, &["record", "get", &external]);
    assert_eq!(same["record"]["id"], delivery["record"]);
    let shown = concord(folder, &["record", "get", &text(&delivery["record"])]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    for part in ["Company", "Links", "Shadows", "Deliveries", "Timeline"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    explains(folder, &text(&delivery["record"]), &external);
    assert_eq!(code(folder, &["event", "get", "evt_0198c0de00007000800000000000000b"]), Some(5));
    assert_eq!(code(folder, &["record", "get", "alpha:nobody"]), Some(5));
    assert_eq!(code(folder, &["delivery", "list", "--state", "sideways"]), Some(64));
}

/// Why a record is as it is, and that nothing is to be settled.
fn explains(folder: &Folder, record: &str, external: &str) {
    let why = json(folder, &["record", "explain", &format!("Company/{record}")]);
    assert_eq!(why, json(folder, &["record", "explain", external]), "by its id, or an object's");
    let fields = why["fields"].as_array().unwrap();
    let number = fields.iter().find(|field| field["field"] == "number").unwrap();
    assert_eq!((&number["value"], &number["source"]), (&"c1".into(), &"shop".into()));
    assert_eq!(number["systems"][0]["system"], "alpha");
    let shown = concord(folder, &["record", "explain", record, "--field", "number"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    for part in ["number  c1", "owner", "said by    shop", "What each system has", "alpha"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(code(folder, &["record", "explain", record, "--field", "nmber"]), Some(64));
    let settle = ["record", "settle", record, "--field", "number", "--take", "record", "--reason", "a test"];
    assert_eq!(code(folder, &settle), Some(6), "nothing is open");
    assert_eq!(json(folder, &["record", "violations"]), serde_json::json!([]));
    let object = external.replacen(':', ":alpha/", 1);
    let unlink = ["record", "unlink", record, "alpha/1", "--reason", "a test"];
    assert_eq!(code(folder, &unlink), Some(64), "not written like system:object/id");
    let unlinked = json(folder, &["record", "unlink", record, &object, "--reason", "a test"]);
    let linked = json(folder, &["record", "link", record, &object, "--reason", "a test"]);
    assert_eq!(unlinked["links"].as_array().unwrap().len() + 1, linked["links"].as_array().unwrap().len());
}

/// A paused system is told nothing, and everything afterwards.
async fn holds(folder: &Folder, delivered: &impl Fn() -> Value) {
    assert_eq!(code(folder, &["system", "pause", "alpha", "--reason", "moving house"]), Some(0));
    assert_eq!(alpha(folder)["state"], "paused");
    assert!(alpha(folder)["paused"].as_str().unwrap().contains("moving house"));
    assert!(say(folder.ingress, "c2", 1));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(delivered().as_array().unwrap().len(), 1, "held");
    assert_eq!(alpha(folder)["open"], 1);
    assert_eq!(code(folder, &["system", "resume", "alpha"]), Some(0));
    until("what was held goes out", || delivered().as_array().unwrap().len() == 2).await;
    assert_eq!(code(folder, &["system", "pause", "beta", "--reason", "a slip"]), Some(5));
    assert_eq!(code(folder, &["system", "resume", "alpha"]), Some(0), "twice is once");
}

/// A message that cannot be read waits for a person, who decides once.
async fn decides(folder: &Folder) {
    let body = br#"{"event_id": "c9-1", "id": "c9", "version": "not a number", "name": 7}"#;
    let headers = signed(body, now_s(), SECRET);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = request(folder.ingress, "POST", "/v1/webhooks/shop?object=companies", &headers, body);
    assert!(matches!(answer, Ok((200..=299, _))), "kept, so acknowledged: {answer:?}");
    let letters = || json(folder, &["dead-letter", "list"]);
    until("it waits for a person", || letters().as_array().unwrap().len() == 1).await;
    let key = letters()[0]["key"].as_str().unwrap().to_owned();
    assert_eq!(json(folder, &["dead-letter", "get", &key])["state"], "quarantined");
    assert_eq!(code(folder, &["dead-letter", "discard", &key]), Some(64), "without a reason");
    assert_eq!(code(folder, &["dead-letter", "discard", &key, "--reason", "a test"]), Some(0));
    assert_eq!(code(folder, &["dead-letter", "discard", &key, "--reason", "again"]), Some(6));
    let other = "msg_0198c0de00007000800000000000000c";
    assert_eq!(code(folder, &["dead-letter", "retry", other, "--reason", "who?"]), Some(5));
    assert!(letters().as_array().unwrap().is_empty());
}

/// I3: a target keeps a failure under the key. One replay shows that, and a person is told so at once; what they order
/// after their look is a new intent, which the target takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_a_failure_that_a_target_has_stored_is_a_persons_at_once() {
    let options = Options { idempotency_ttl_ms: 600_000, ..Options::of(Kind::Sink) };
    let sink = Sandbox::start(Kind::Sink, options).await.unwrap();
    let folder = Folder::new(&[Target {
        system: "alpha",
        connector: "connectors/keyed.yaml",
        object: "alpha",
        address: sink.addr.to_string(),
        more: "",
        paths: ["name", "number", "version"],
    }]);
    // The plain one, but things are made with a key; and a doubt is over within seconds.
    let keyed = include_str!("../../../connectors/http.yaml")
        .replace("connector: http", "connector: keyed")
        .replace("for: [create, update]", "for: [update]")
        .replace("for: [notify]", "for: [create]")
        .replace("processing_max: 10s", "processing_max: 200ms")
        .replace("          path: /{object}\n", "          path: /{object}\n          timeout: 500ms\n");
    folder.put("connectors/keyed.yaml", &keyed);
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    let book = || sink.lock().books().lanes.get("alpha").cloned().unwrap_or_default();
    assert!(say(folder.ingress, "c1", 1));
    until("what nobody keeps from it arrives", || book().received == 1).await;
    sink.lock().add_fault(Fault::new(FaultKind::ErrorBefore { status: 500 }).on("POST", "/alpha").times(1));
    assert!(say(folder.ingress, "c2", 1));
    let letters = || json(&folder, &["dead-letter", "list"]);
    until("it waits for a person", || letters().as_array().unwrap().len() == 1).await;
    assert_eq!((book().received, book().replayed), (1, 1), "asked for once more, and no oftener");
    let key = letters()[0]["key"].as_str().unwrap().to_owned();
    for what in ["dead-letter", "delivery"] {
        let shown = json(&folder, &[what, "get", &key]);
        assert_eq!(shown["state"], "uncertain", "{shown:#}");
        let why = shown["reason"].as_str().unwrap_or_else(|| panic!("{shown:#}"));
        assert!(why.contains("repeats the failure that it stored under the idempotency key"), "{why}");
        assert!(why.contains("if not, retry it, which uses a new key"), "{why}");
    }
    assert_eq!(code(&folder, &["dead-letter", "retry", &key, "--reason", "it is not there"]), Some(0));
    until("the new intent arrives", || book().received == 2).await;
    assert_eq!((book().replayed, book().duplicates), (1, 0), "under a key of its own");
    until("nobody has to look any more", || letters().as_array().unwrap().is_empty()).await;
}

/// Who does not wait is told all the same what is there already.
fn heard_without_waiting(folder: &Folder) {
    let token = std::fs::read_to_string(folder.path().join(".concord/operator.token")).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    let headers = [("authorization", bearer.as_str())];
    let (status, body) = request(folder.operator, "GET", "/api/v1/feed?after=0", &headers, b"").unwrap();
    assert_eq!(status, 200, "{body}");
    let feed: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(feed["events"][0]["type"], "concord.system.paused", "{feed}");
}

fn refuses_strangers(folder: &Folder) {
    let url = format!("http://127.0.0.1:{}", folder.operator);
    let asked = |token: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_concord"));
        command.args(["--url", &url, "system", "list"]).env_remove("CONCORD_TOKEN");
        if let Some(token) = token {
            command.env("CONCORD_TOKEN", token);
        }
        command.output().unwrap().status.code()
    };
    assert_eq!(asked(None), Some(4));
    assert_eq!(asked(Some("guessed")), Some(4));
    let token = std::fs::read_to_string(folder.path().join(".concord/operator.token")).unwrap();
    assert_eq!(asked(Some(token.trim())), Some(0));
}

/// I16: a job goes on after the process died in the middle of it, and raises nothing twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_survives_the_end_of_its_process() {
    let sink = Sandbox::start(Kind::Sink, Options::of(Kind::Sink)).await.unwrap();
    let folder = folder(sink.addr);
    let mut hub = folder.up(&["--crash-at", "page_committed:2"]);
    assert!(hub.ready(), "{}", folder.last_words());
    for number in 1..=4 {
        assert!(say(folder.ingress, &format!("c{number}"), 1));
    }
    let delivered = |level: &str| {
        let rows = json(&folder, &["delivery", "list", "--state", "delivered"]);
        rows.as_array().unwrap().iter().filter(|row| row["reached"] == level).count()
    };
    until("all is delivered", || delivered("v1") == 4).await;
    assert_eq!(code(&folder, &["replay", "plan"]), Some(64), "an empty filter");
    let plan = json(&folder, &["replay", "plan", "--target", "alpha"]);
    let id = plan["id"].as_str().unwrap().to_owned();
    assert_eq!((&plan["total"], &plan["state"]), (&Value::from(4), &Value::from("planned")));
    assert_eq!(code(&folder, &["replay", "apply", &id]), Some(64), "without a reason");
    // One a second: it dies after the second page.
    assert_eq!(code(&folder, &["replay", "apply", &id, "--reason", "a test", "--pace", "1"]), Some(0));
    for _ in 0..200 {
        if hub.ended().is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(hub.ended().is_some(), "it should have crashed");
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    until("the job is done", || json(&folder, &["job", "get", &id])["state"] == "done").await;
    until("all is said again, once", || delivered("v1+1") == 4).await;
    let job = json(&folder, &["job", "get", &id]);
    assert_eq!((&job["done"], &job["delivered"]), (&Value::from(4), &Value::from(4)), "{job:#}");
    assert_eq!(code(&folder, &["job", "apply", &id, "--reason", "again"]), Some(6), "a plan is applied once");
    assert_eq!(code(&folder, &["job", "get", "job_0198c0de00007000800000000000000c"]), Some(5));
    assert_eq!(json(&folder, &["job", "list"]).as_array().unwrap().len(), 1);
    assert!(json(&folder, &["dead-letter", "groups"]).as_array().unwrap().is_empty());
    assert_eq!(hub.stop(), Some(0), "{}", folder.last_words());
}

/// I16: a person plans to merge two records, applies it, and takes it back; the process dies in the middle of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_records_become_one_and_two_again() {
    let sink = Sandbox::start(Kind::Sink, Options::of(Kind::Sink)).await.unwrap();
    let folder = folder(sink.addr);
    let mut hub = folder.up(&["--crash-at", "page_committed:1"]);
    assert!(hub.ready(), "{}", folder.last_words());
    for number in ["c1", "c2"] {
        assert!(say(folder.ingress, number, 1));
    }
    let delivered = || json(&folder, &["delivery", "list", "--state", "delivered"]);
    until("both are delivered", || delivered().as_array().unwrap().len() == 2).await;
    let id = |number: &str| {
        let sheet = json(&folder, &["record", "get", &format!("shop:{number}")]);
        sheet["record"]["id"].as_str().unwrap().to_owned()
    };
    let (keep, gone) = (id("c1"), id("c2"));
    let shown = concord(&folder, &["record", "merge", &format!("Company/{keep}"), "shop:c2"]);
    let (shown, said) = (String::from_utf8(shown.stdout).unwrap(), String::from_utf8(shown.stderr).unwrap());
    for part in ["Objects", "duplicate_there", "For a person to do", "What nothing takes back"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(said.contains("concord job apply job_"), "{said}");
    assert_eq!(code(&folder, &["record", "merge", &keep, &keep]), Some(6), "into itself");
    assert_eq!(code(&folder, &["record", "merge", &keep, &gone, "--prefer", "name"]), Some(64));
    assert_eq!(code(&folder, &["record", "split", &gone]), Some(6), "it was not merged");
    let plan = json(&folder, &["record", "merge", &keep, &gone]);
    let job = plan["id"].as_str().unwrap().to_owned();
    assert_eq!(plan["reshape"]["objects"].as_array().unwrap().len(), 4);
    assert_eq!(code(&folder, &["job", "apply", &job]), Some(64), "without a reason");
    // It dies once the merge is durable, perhaps before whoever ordered it was told.
    let told = code(&folder, &["job", "apply", &job, "--reason", "one company"]);
    assert!(matches!(told, Some(0 | 7)), "{told:?}");
    for _ in 0..200 {
        if hub.ended().is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(hub.ended().is_some(), "it should have crashed");
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    until("the job is done", || json(&folder, &["job", "get", &job])["state"] == "done").await;
    let sheet = json(&folder, &["record", "get", &gone]);
    assert_eq!((&sheet["record"]["id"], &sheet["record"]["version"]), (&keep.as_str().into(), &2.into()));
    assert_eq!(
        (&sheet["asked_for"]["record"], &sheet["asked_for"]["into"]),
        (&gone.as_str().into(), &keep.as_str().into())
    );
    assert!(sheet["asked_for"]["why"].as_str().unwrap().contains("one company"));
    let explained = concord(&folder, &["record", "explain", &gone]);
    let explained = String::from_utf8(explained.stdout).unwrap();
    assert!(
        explained.contains(&format!("{gone} was merged into {keep}")) && explained.contains("absorbed"),
        "{explained}"
    );
    // What the duplicate says is nobody's word.
    assert!(say(folder.ingress, "c2", 2));
    let letters = || json(&folder, &["dead-letter", "list"]);
    until("a person is told of the duplicate", || letters().as_array().unwrap().len() == 1).await;
    assert!(letters()[0]["reason"].as_str().unwrap().contains("second object"), "{:#}", letters());
    let name =
        |number: &str| json(&folder, &["record", "get", &id(number)])["record"]["fields"]["name"].clone();
    assert_eq!(name("c1"), "Company c1 v1");
    // Back again: the message is taken in then.
    let plan = json(&folder, &["record", "split", &format!("Company/{gone}")]);
    let job = plan["id"].as_str().unwrap().to_owned();
    assert_eq!(code(&folder, &["job", "apply", &job, "--reason", "they are two"]), Some(0));
    until("the job is done", || json(&folder, &["job", "get", &job])["state"] == "done").await;
    assert_eq!((id("c1"), id("c2")), (keep.clone(), gone.clone()));
    let key = letters()[0]["key"].as_str().unwrap().to_owned();
    assert_eq!(code(&folder, &["dead-letter", "retry", &key, "--reason", "it is one of its own"]), Some(0));
    until("it goes through", || name("c2") == "Company c2 v2").await;
    assert_eq!(name("c1"), "Company c1 v1");
    assert_eq!(code(&folder, &["record", "split", &gone]), Some(6), "it is one already");
    assert_eq!(hub.stop(), Some(0), "{}", folder.last_words());
}

/// A source that falls silent is told of, wherever an operator looks, and once it is heard again that is told, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_falls_silent_is_told_of() {
    let sink = Sandbox::start(Kind::Sink, Options::of(Kind::Sink)).await.unwrap();
    let folder = folder(sink.addr);
    let shop = std::fs::read_to_string(folder.path().join("systems/shop.yaml")).unwrap();
    folder.put("systems/shop.yaml", &format!("{shop}heard_within: {{messages: 2s}}\n"));
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    let state = || {
        let systems = json(&folder, &["system", "list"]);
        let shop = systems.as_array().unwrap().iter().find(|row| row["system"] == "shop");
        shop.unwrap()["state"].as_str().unwrap().to_owned()
    };
    let journal = || {
        let events = json(&folder, &["system", "journal", "shop"]);
        let kinds = events.as_array().unwrap().iter().map(|event| event["what"].as_str().unwrap().to_owned());
        kinds.collect::<Vec<_>>()
    };
    until("the shop is missed", || state() == "silent").await;
    let shown = concord(&folder, &["system", "get", "shop"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("no message since") && shown.contains("expected every 2 s"), "{shown}");
    assert!(say(folder.ingress, "c1", 1));
    until("it is heard again", || state() == "running").await;
    let token = std::fs::read_to_string(folder.path().join(".concord/operator.token")).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    let (_, metrics) =
        request(folder.operator, "GET", "/metrics", &[("authorization", bearer.as_str())], b"").unwrap();
    assert!(
        metrics.contains(r#"concord_source_silent{tenant="acme",system="shop",of="messages"}"#),
        "{metrics}"
    );
    until("both are in its journal", || journal().iter().any(|kind| kind == "heard_again")).await;
    let journal = journal();
    assert!(journal.contains(&"silent".to_owned()), "{journal:?}");
    assert!(folder.last_words().contains("it is not heard, and should have been"));
    hub.stop();
}

#[test]
fn what_keeps_a_hub_from_starting_is_said() {
    let folder = folder(([127, 0, 0, 1], 1).into());
    let up = || {
        let output = concord(&folder, &["up"]);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    std::fs::remove_file(folder.path().join("shop.secret")).unwrap();
    let (code, said) = up();
    assert_eq!(code, Some(1));
    assert!(said.contains("systems/shop.yaml:") && said.contains("create ./shop.secret"), "{said}");
    folder.put("shop.secret", SECRET);
    folder.put("root.key", "abc\n");
    let (code, said) = up();
    assert!(code == Some(1) && said.contains("32 bytes"), "{said}");
    folder.put("model/company.yaml", "entity: Company\nversoin: 1\n");
    let (code, said) = up();
    assert!(code == Some(1) && said.contains("model/company.yaml:2:1") && said.contains("version"), "{said}");
}
