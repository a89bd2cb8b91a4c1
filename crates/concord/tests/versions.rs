//! What was applied under a version stays what it was, over stops and starts; what was written under an older schema is read
//! under the newest; and events are told by the mapping that they were raised for.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::let_underscore_must_use,
    reason = "a test may end where it stands"
)]

mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use sandbox::{Kind, Options, Sandbox};
use serde_json::{Value, json};
use support::command::{concord, json, until};
use support::{Folder, Target, say};

async fn sink() -> sandbox::Handle {
    let mut plain = Options::of(Kind::Sink);
    plain.business_id = "number".into();
    Sandbox::start(Kind::Sink, plain).await.unwrap()
}

fn folder(sink: &sandbox::Handle) -> Folder {
    Folder::new(&[Target {
        system: "alpha",
        connector: "http",
        object: "alpha",
        address: sink.addr.to_string(),
        more: "",
        paths: ["name", "number", "version"],
    }])
}

/// Runs a command that must end with this code; gives what it said on both streams.
fn ends(folder: &Folder, code: i32, arguments: &[&str]) -> String {
    let output = concord(folder, arguments);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}\n{}", folder.last_words());
    said
}

/// Puts another text in place of a part of a file, which must be there.
fn replace(folder: &Folder, path: &str, part: &str, by: &str) {
    let text = std::fs::read_to_string(folder.path().join(path)).unwrap();
    assert!(text.contains(part), "{part} is not in {path}: {text}");
    folder.put(path, &text.replacen(part, by, 1));
}

fn up(folder: &Folder) -> support::Hub {
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    hub
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_applied_stays_what_it_was_over_a_restart() {
    let sink = sink().await;
    let folder = folder(&sink);
    let mut hub = up(&folder);
    assert_eq!(hub.stop(), Some(0), "{}", folder.last_words());

    // What decides nothing may change.
    replace(
        &folder,
        "model/company.yaml",
        "name: {type: string}",
        "name: {description: Its name., type: string}",
    );
    ends(&folder, 0, &["check"]);
    let mut hub = up(&folder);
    assert_eq!(hub.stop(), Some(0), "{}", folder.last_words());

    replace(&folder, "model/company.yaml", "    number:", "    city: {type: string}\n    number:");
    replace(&folder, "mappings/company.alpha.yaml", "path: name", "path: label");
    let places = [
        "model/company.yaml:2:10: error: the entity `Company` changed and still says `version: 1`: + fields.city",
        "= write `version: 2`: records and events name the version they were written under",
        "mappings/company.alpha.yaml:2:10: error: the mapping `company.alpha` changed and still says `version: 1`: ",
        "+ mapping.fields[name, label]",
    ];
    let all = |said: &str| places.iter().for_each(|place| assert!(said.contains(place), "{place}: {said}"));
    all(&ends(&folder, 1, &["check"]));
    let refused = ends(&folder, 1, &["up"]);
    all(&refused);
    assert!(
        refused.contains("the folder is not what was applied under the same versions (2 errors)"),
        "{refused}"
    );

    // With other versions it is what counts from now on.
    replace(&folder, "model/company.yaml", "version: 1", "version: 2");
    replace(&folder, "mappings/company.alpha.yaml", "version: 1", "version: 2");
    folder.put(
        "mappings/company.alpha.yaml",
        &(std::fs::read_to_string(folder.path().join("mappings/company.alpha.yaml")).unwrap()
            + "removed: {name: leave}\n"),
    );
    ends(&folder, 0, &["check"]);
    let mut hub = up(&folder);
    // While the hub runs, too.
    ends(&folder, 0, &["check"]);
    replace(&folder, "mappings/company.alpha.yaml", "path: label", "path: title");
    let said = ends(&folder, 1, &["check"]);
    assert!(said.contains("= write `version: 3`"), "{said}");
    let said = ends(&folder, 6, &["plan"]);
    assert!(said.contains("mappings/company.alpha.yaml:2:10: error:"), "{said}");

    // The way back is what it was.
    replace(&folder, "mappings/company.alpha.yaml", "path: title", "path: name");
    replace(&folder, "mappings/company.alpha.yaml", "version: 2", "version: 1");
    replace(&folder, "mappings/company.alpha.yaml", "removed: {name: leave}\n", "");
    ends(&folder, 0, &["apply", "--reason", "names as they were"]);
    // A number that was passed over is not one of what counted.
    assert_eq!(hub.stop(), Some(0), "{}", folder.last_words());
    let mut hub = up(&folder);
    let history = json(&folder, &["config", "history"]);
    assert_eq!(history.as_array().unwrap().len(), 4, "{history:#}");
    assert_eq!(hub.stop(), Some(0), "{}", folder.last_words());
}

/// A target that takes everything, and remembers what was posted and put there.
struct Recorder {
    address: SocketAddr,
    bodies: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Recorder {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let recorder = Self { address: listener.local_addr().unwrap(), bodies: Arc::default() };
        let bodies = Arc::clone(&recorder.bodies);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (mut taken, mut part) = (Vec::new(), [0; 4096]);
                let (head, body) = loop {
                    let read = stream.read(&mut part).unwrap_or(0);
                    taken.extend_from_slice(&part[..read]);
                    let text = String::from_utf8_lossy(&taken).into_owned();
                    let length = text.lines().find_map(|line| {
                        line.to_ascii_lowercase()
                            .strip_prefix("content-length: ")?
                            .trim()
                            .parse::<usize>()
                            .ok()
                    });
                    if let Some((head, body)) = text.split_once("\r\n\r\n")
                        && body.len() >= length.unwrap_or(0)
                    {
                        break (head.to_owned(), body.to_owned());
                    }
                    if read == 0 {
                        break (String::new(), String::new());
                    }
                };
                if let Ok(body) = serde_json::from_str(&body) {
                    let path = head.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
                    bodies.lock().unwrap().push((path, body));
                }
                let answer = r#"{"account": "one"}"#;
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{answer}",
                    answer.len()
                );
            }
        });
        recorder
    }

    fn target(&self) -> Target<'static> {
        Target {
            system: "alpha",
            connector: "http",
            object: "alpha",
            address: self.address.to_string(),
            more: "",
            paths: ["name", "number", "version"],
        }
    }

    /// What was posted, without the ids of deliveries.
    fn posted(&self) -> Vec<Value> {
        let bodies = self.bodies.lock().unwrap();
        let posted = bodies.iter().filter(|(path, _)| path.starts_with("POST"));
        let mut posted: Vec<Value> = posted.map(|(_, body)| body.clone()).collect();
        posted.iter_mut().for_each(|body| drop(body.as_object_mut().unwrap().remove("id")));
        posted
    }

    /// What was put last of a company.
    fn put(&self, number: &str) -> Option<Value> {
        let bodies = self.bodies.lock().unwrap();
        let of = |(path, body): &&(String, Value)| path.starts_with("PUT") && body["number"] == number;
        let mut body = bodies.iter().rev().find(of)?.1.clone();
        body.as_object_mut()?.remove("id");
        Some(body)
    }
}

/// A mapping by which events are told.
fn told(folder: &Folder, version: u32, path: &str, more: &str) {
    folder.put(
        "mappings/told.alpha.yaml",
        &format!(
            "mapping: told.alpha
version: {version}
entity: Company
system: alpha
object: events
fields:
  - {{field: name, path: {path}, direction: out}}
  - {{field: number, path: number, direction: out}}
{more}"
        ),
    );
}

/// New companies are told to alpha.
fn tells(folder: &Folder) {
    told(folder, 1, "title", "");
    let routes = "  - {route: told, kind: notify, entity: Company, events: [company.created], system: alpha, object: events, mapping: told.alpha, operation: post}\n";
    let before = std::fs::read_to_string(folder.path().join("routes/all.yaml")).unwrap();
    folder.put("routes/all.yaml", &(before + routes));
}

fn pause(folder: &Folder, what: &str) {
    ends(folder, 0, &["system", what, "alpha", "--reason", "a test"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_told_by_the_mapping_that_it_was_raised_for() {
    let target = Recorder::start();
    let folder = Folder::new(&[target.target()]);
    tells(&folder);
    let mut hub = up(&folder);
    pause(&folder, "pause");
    assert!(say(folder.ingress, "c1", 1));

    // The event of c1 waits while the mapping becomes another one; so does that of c2 while the hub starts again.
    told(&folder, 2, "label", "removed: {title: leave}\n");
    let plan = json(&folder, &["plan"]);
    let effects = plan["effects"].to_string();
    assert!(
        effects.contains(
            "route told: events that were raised so far are told by version 1 of told.alpha, those from now on by version 2"
        ),
        "{effects}"
    );
    ends(&folder, 0, &["apply", "--reason", "labels"]);
    assert!(say(folder.ingress, "c2", 1));
    assert_eq!(hub.stop(), Some(0), "{}", folder.last_words());
    told(&folder, 3, "called", "removed: {label: leave}\n");
    let mut hub = up(&folder);
    assert!(say(folder.ingress, "c3", 1));
    assert_eq!(target.posted(), Vec::<Value>::new(), "nothing has gone yet");
    pause(&folder, "resume");
    until("all three are told", || target.posted().len() == 3).await;
    let mut posted = target.posted();
    posted.sort_by_key(|body| body["number"].to_string());
    assert_eq!(
        posted,
        [
            json!({"number": "c1", "title": "Company c1 v1"}),
            json!({"number": "c2", "label": "Company c2 v1"}),
            json!({"number": "c3", "called": "Company c3 v1"}),
        ]
    );
    assert_eq!(hub.stop(), Some(0), "{}", folder.last_words());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_under_an_older_schema_is_read_under_the_newest() {
    let target = Recorder::start();
    let folder = Folder::new(&[target.target()]);
    tells(&folder);
    let mut hub = up(&folder);
    assert!(say(folder.ingress, "c1", 1));
    until("it is there", || target.put("c1").is_some()).await;
    assert!(say(folder.ingress, "c0", 1));
    until("the other is there", || target.put("c0").is_some()).await;
    let event = json(&folder, &["event", "list"])[1]["id"].as_str().unwrap().to_owned();
    let record = json(&folder, &["event", "list"])[1]["record"].as_str().unwrap().to_owned();
    let shown = |what: &str, id: &str| json(&folder, &[what, "get", id, "--unmask"]);
    let record_of = |id: &str| shown("record", id)["record"].clone();
    assert_eq!(shown("event", &event)["dataschema"], "urn:concord:acme:Company:1");
    let dump = folder.path().join("export.jsonl.gz");
    ends(&folder, 0, &["export", dump.to_str().unwrap(), "--unmask"]);
    assert_eq!(hub.stop(), Some(0), "{}", folder.last_words());

    // `name` becomes `label`, and everybody has a tier.
    let one = std::fs::read_to_string(folder.path().join("model/company.yaml")).unwrap();
    replace(&folder, "model/company.yaml", "version: 1", "version: 2");
    replace(
        &folder,
        "model/company.yaml",
        "    name: {type: string}\n",
        "    label: {type: string}\n    tier: {type: string}\n",
    );
    replace(
        &folder,
        "model/company.yaml",
        "  name: {owner: shop, pii: none}\n",
        "  label: {owner: shop, pii: none}\n  tier: {pii: none}\n",
    );
    for mapping in ["shop", "alpha"] {
        let path = format!("mappings/company.{mapping}.yaml");
        replace(&folder, &path, "version: 1", "version: 2");
        replace(&folder, &path, "field: name", "field: label");
    }
    replace(&folder, "mappings/told.alpha.yaml", "version: 1", "version: 2");
    replace(&folder, "mappings/told.alpha.yaml", "field: name", "field: label");
    let path = "mappings/company.alpha.yaml";
    folder.put(
        path,
        &(std::fs::read_to_string(folder.path().join(path)).unwrap()
            + "  - {field: tier, path: tier, direction: out}\n"),
    );
    let said = ends(&folder, 1, &["check"]);
    assert!(said.contains("the field `name` of version 1 is gone, and its name is not retired"), "{said}");
    let steps = "retired: [name]
upcast:
  - from: 1
    rows:
      - {field: label, was: name}
      - {field: tier, default: standard}
    examples:
      - {record: {name: Ada Ltd}, gives: {label: Ada Ltd, tier: standard}}
";
    let two = std::fs::read_to_string(folder.path().join("model/company.yaml")).unwrap() + steps;
    folder.put("model/company.yaml", &two);
    let said = ends(&folder, 1, &["check"]);
    assert!(said.contains("the folder has no version 1 of Company"), "{said}");
    folder.put("model/company@1.yaml", &one);
    let said = ends(&folder, 0, &["check"]);
    let unkept =
        "version 1 of `told.alpha`, by which events were told, does not fit the schema of Company any more";
    assert!(said.contains(&format!("warning: {unkept}")), "{said}");
    let mut hub = up(&folder);
    let log = std::fs::read_to_string(folder.log()).unwrap();
    assert!(log.contains(unkept) && log.contains("version_not_kept"), "{log}");

    // Read, it is what it would be; an event has what it had.
    let read = record_of(&record);
    assert_eq!(read["fields"]["label"], "Company c1 v1", "{read:#}");
    assert_eq!((&read["fields"]["tier"], &read["schema"]), (&json!("standard"), &json!(2)), "{read:#}");
    assert!(read["fields"].get("name").is_none(), "{read:#}");
    let old = shown("event", &event);
    assert_eq!(old["data"]["label"], "Company c1 v1", "{old:#}");
    assert!(old["data"].get("tier").is_none(), "{old:#}");
    assert_eq!(old["dataschema"], "urn:concord:acme:Company:2");

    // Its next change is merged into what it is by now, and goes on.
    assert!(say(folder.ingress, "c1", 2));
    let wanted = json!({"name": "Company c1 v2", "number": "c1", "version": 2, "tier": "standard"});
    until("the change is there", || target.put("c1").as_ref() == Some(&wanted)).await;
    let events = json(&folder, &["event", "list", "--limit", "1"]);
    assert_eq!(
        events[0]["changed"],
        json!(["label", "revision"]),
        "what was only read anew has not changed: {events:#}"
    );

    // One that never changed again is said anew as it is read.
    let plan = json(&folder, &["replay", "plan", "--route", "company.alpha"]);
    ends(&folder, 0, &["replay", "apply", plan["id"].as_str().unwrap(), "--reason", "a test"]);
    let wanted = json!({"name": "Company c0 v1", "number": "c0", "version": 1, "tier": "standard"});
    until("it is said anew", || target.put("c0").as_ref() == Some(&wanted)).await;

    // What an older export says is taken in under the newest schema.
    let said = ends(&folder, 0, &["import", dump.to_str().unwrap(), "--reason", "a test"]);
    assert!(!said.contains("quarantined") || said.contains("0 quarantined"), "{said}");
    assert_eq!(record_of(&record)["fields"]["label"], "Company c1 v2");
    assert_eq!(hub.stop(), Some(0), "{}", folder.last_words());
}
