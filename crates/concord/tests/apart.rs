//! Tenants apart, over the hub's own HTTP: what one tenant's sources, posters and operators do at random, with the ids and
//! the address of the other, changes nothing of that other and shows nothing of it.
//!
//! Each tenant acts by a script of its own from a seed, both at once, in one process. Everything that it was answered is
//! written down, and so is all that it can see in the end. Then each script runs again in a hub where the other tenant
//! is not there. What was written down must be the same, but for ids and times: so nothing of the other is in it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::let_underscore_must_use,
    reason = "a test may end where it stands"
)]
#![allow(dead_code, reason = "the support is shared, and not all of it is used here")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sandbox::{Fault, FaultKind, Kind, Options, Sandbox};
use serde_json::{Value, json};
use support::answers::{counted, plain, without_ids};
use support::load::Dice;
use support::tenants::Tenants;
use support::{Folder, SECRET, now_s, request, signed};

const NAMES: [(&str, &str); 2] = [("acme", "/acme"), ("globex", "/globex")];
const STEPS: u64 = 40;
const COMPANIES: u64 = 5;

/// Names of what is there: every tenant tells the other its own, to be tried.
#[derive(Clone, Default)]
struct Ids {
    record: String,
    event: String,
    delivery: String,
    letter: String,
    job: String,
}

/// Where a tenant's ids are left for the other.
type Board = Arc<Mutex<BTreeMap<&'static str, Ids>>>;

/// Ids of the right form of which nothing is known.
fn strangers() -> Ids {
    let uuid = "0198c0de00007000800000000000000c";
    Ids {
        record: format!("rec_{uuid}"),
        event: format!("evt_{uuid}"),
        delivery: format!("company.alpha~rec_{uuid}"),
        letter: format!("msg_{uuid}"),
        job: format!("job_{uuid}"),
    }
}

/// One tenant: whoever acts for it, and all that they were answered.
struct Actor {
    name: &'static str,
    path: &'static str,
    other: (&'static str, &'static str),
    folder: Arc<Tenants>,
    at: usize,
    token: String,
    sink: Arc<sandbox::Handle>,
    dice: Dice,
    versions: BTreeMap<String, u64>,
    mapping: u64,
    diary: Vec<String>,
    board: Board,
}

impl Actor {
    fn folder(&self) -> &Folder {
        &self.folder.tenants[self.at]
    }

    fn note(&mut self, what: &str, status: u16, body: &str) -> Value {
        let value: Value = serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()));
        let mut shown = value.clone();
        plain(&mut shown);
        self.diary.push(format!("{}: {status} {shown}", without_ids(what)));
        value
    }

    /// An operator's question or order.
    fn ask(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let (status, text) = self.call(method, path, body);
        let what = format!("{method} {path} {body}");
        (status, self.note(&what, status, &text))
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> (u16, String) {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        request(self.folder().operator, method, path, &headers, body.as_bytes()).unwrap()
    }

    fn get(&mut self, path: &str) -> Value {
        self.ask("GET", path, &Value::Null).1
    }

    /// A page, without a line in the diary.
    fn peek(&self, path: &str) -> Value {
        serde_json::from_str(&self.call("GET", path, &Value::Null).1).unwrap()
    }

    fn push(&mut self, path: &str, body: &str) {
        let headers = signed(body.as_bytes(), now_s(), SECRET);
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let to = format!("{path}/v1/webhooks/shop?object=companies");
        let (status, text) = request(self.folder().ingress, "POST", &to, &headers, body.as_bytes()).unwrap();
        self.note(&format!("push {body}"), status, &text);
    }

    /// Waits until nothing of this tenant is under way, and nothing is held that was released.
    fn settle(&self) {
        for _ in 0..600 {
            let open = self.peek("/api/v1/deliveries?state=pending,retrying,parked");
            let jobs = self.peek("/api/v1/jobs");
            let at_work =
                |job: &Value| job["state"] == "running" || job["under_way"].as_u64().unwrap_or(0) > 0;
            if open["items"].as_array().unwrap().is_empty()
                && !jobs["items"].as_array().unwrap().iter().any(at_work)
            {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{} never comes to rest: {}", self.name, self.folder.hub.last_words());
    }

    fn says(&mut self) {
        let number = format!("c{}", self.dice.below(COMPANIES));
        let version = self.versions.entry(number.clone()).or_insert(0);
        // Sometimes the same once more.
        *version += u64::from(*version == 0 || self.dice.below(4) > 0);
        let version = *version;
        let name = format!("{} of {} v{version}", number, self.name);
        let body = json!({"event_id": format!("{number}-{version}"), "id": number, "version": version, "name": name});
        let path = self.path;
        self.push(path, &body.to_string());
    }

    /// One thing that somebody of this tenant does.
    fn act(&mut self) {
        match self.dice.below(13) {
            0..=2 => self.says(),
            3 => {
                let path = self.path;
                let number = self.dice.below(3);
                self.push(
                    path,
                    &format!(
                        "{{\"event_id\":\"odd-{number}\",\"id\":\"c0\",\"version\":\"none\",\"name\":7}}"
                    ),
                );
            }
            4 => self.refused_there(),
            5 => self.decides(),
            6 => self.holds(),
            7 => self.replays(),
            8 => self.changes(),
            9 => {
                self.ask("POST", "/api/v1/retention/run", &json!({"reason": "a test"}));
                self.get("/api/v1/export");
            }
            10 => self.posts(),
            _ => self.tries(),
        }
        self.settle();
    }

    /// The target takes none of it.
    fn refused_there(&mut self) {
        self.sink.lock().add_fault(Fault::new(FaultKind::ErrorBefore { status: 422 }).on("PUT", "/"));
        self.says();
        self.settle();
        self.sink.lock().clear_faults();
        self.get("/api/v1/dead-letters/groups?closed=all");
    }

    fn decides(&mut self) {
        let letters = self.get("/api/v1/dead-letters");
        let keys: Vec<String> = letters["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["key"].as_str().unwrap().to_owned())
            .collect();
        let Some(key) = keys.first() else { return };
        let verb = ["retry", "discard"][usize::try_from(self.dice.below(2)).unwrap()];
        self.ask("POST", &format!("/api/v1/dead-letters/{key}/{verb}"), &json!({"reason": "a test"}));
    }

    fn holds(&mut self) {
        let parts = [json!({"reason": "a test"}), json!({"reason": "a test", "route": "company.alpha"})];
        let part = parts[usize::try_from(self.dice.below(2)).unwrap()].clone();
        self.ask("POST", "/api/v1/systems/alpha/pause", &part);
        self.says();
        self.ask("POST", "/api/v1/systems/alpha/resume", &part);
        self.settle();
        self.get("/api/v1/systems/alpha");
        for to in ["open", "auto"] {
            self.ask("POST", "/api/v1/systems/alpha/breaker", &json!({"to": to, "reason": "a test"}));
        }
    }

    fn replays(&mut self) {
        let plan = json!({"action": "replay", "scope": {"target": "alpha"}});
        let (_, plan) = self.ask("POST", "/api/v1/jobs", &plan);
        if let Some(id) = plan["id"].as_str() {
            let path = format!("/api/v1/jobs/{id}/apply");
            self.call("POST", &path, &json!({"reason": "a test", "pace": 1000}));
            self.settle();
            self.get(&format!("/api/v1/jobs/{id}"));
        }
    }

    /// Another version of the mapping, applied to the running hub.
    fn changes(&mut self) {
        self.mapping += 1;
        let path = "mappings/company.alpha.yaml";
        let text = fs::read_to_string(self.folder().path().join(path)).unwrap();
        let version = |n: u64| format!("version: {n}\n");
        let text = text.replacen(&version(self.mapping - 1), &version(self.mapping), 1);
        self.folder().put(path, &text);
        let mut files = serde_json::Map::new();
        for part in [
            "concord.yaml",
            "model/company.yaml",
            "mappings/company.shop.yaml",
            "mappings/company.portal.yaml",
            path,
            "routes/all.yaml",
        ] {
            files
                .insert(part.to_owned(), fs::read_to_string(self.folder().path().join(part)).unwrap().into());
        }
        for system in ["systems/shop.yaml", "systems/alpha.yaml", "systems/portal.yaml"] {
            files.insert(
                system.to_owned(),
                fs::read_to_string(self.folder().path().join(system)).unwrap().into(),
            );
        }
        let plan: Value = serde_json::from_str(
            &self.call("POST", "/api/v1/configuration/plan", &json!({ "files": files })).1,
        )
        .unwrap();
        let order = json!({"digest": plan["digest"], "reason": "a test"});
        let (status, text) = self.call("POST", "/api/v1/configuration/apply", &order);
        assert_eq!(status, 200, "{text}");
        self.note("apply", status, &text);
    }

    fn posts(&mut self) {
        let number = self.dice.below(COMPANIES);
        let event = json!({
            "specversion": "1.0", "id": format!("posted-{}", self.dice.below(3)), "source": "/shop",
            "type": "company.updated", "subject": format!("c{number}"), "data": {"name": self.name, "number": format!("c{number}")},
        });
        let bearer = format!("Bearer poster-of-{}", self.name.len());
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/cloudevents+json")];
        for path in [self.path, self.other.1] {
            let to = format!("{path}/v1/events");
            let (status, text) =
                request(self.folder().ingress, "POST", &to, &headers, event.to_string().as_bytes()).unwrap();
            self.note(&format!("post {to}"), status, &text);
        }
    }

    /// With the names of what the other has.
    fn tries(&mut self) {
        let ids = self.board.lock().unwrap().get(self.other.0).cloned().unwrap_or_else(strangers);
        let Ids { record, event, delivery, letter, job } = ids;
        let looks = [
            ("record", format!("/api/v1/records/{record}?unmask=true")),
            ("event", format!("/api/v1/events/{event}")),
            ("delivery", format!("/api/v1/deliveries/{delivery}")),
            ("letter", format!("/api/v1/dead-letters/{letter}")),
            ("job", format!("/api/v1/jobs/{job}")),
            ("its deliveries", format!("/api/v1/deliveries?record={record}")),
            ("its events", format!("/api/v1/events?record={record}")),
        ];
        for (what, path) in looks {
            let (status, text) = self.call("GET", &path, &Value::Null);
            self.note(&format!("tries to see a {what}"), status, &text);
        }
        let reason = json!({"reason": "a test"});
        let orders = [
            format!("/api/v1/dead-letters/{letter}/discard"),
            format!("/api/v1/dead-letters/{delivery}/retry"),
            format!("/api/v1/deliveries/{delivery}/skip"),
            format!("/api/v1/jobs/{job}/apply"),
            format!("/api/v1/jobs/{job}/cancel"),
            format!("{}/api/v1/retention/run", self.other.1),
        ];
        for path in orders {
            let (status, text) = self.call("POST", &path, &reason);
            assert!((400..500).contains(&status), "{path}: {status} {text}");
            self.note("tries to order", status, &text);
        }
        let plan = json!({"action": "replay", "scope": {"record": record, "target": "alpha"}});
        let (status, text) = self.call("POST", "/api/v1/jobs", &plan);
        self.note("tries to plan", status, &text);
        // Signed with a secret of its own: at the other's address it opens nothing.
        let body = json!({"event_id": "forged", "id": "c0", "version": 99, "name": "forged"}).to_string();
        let headers = signed(body.as_bytes(), now_s(), "another-secret-of-24-bytes-or-more");
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let to = format!("{}/v1/webhooks/shop?object=companies", self.other.1);
        let (status, _) = request(self.folder().ingress, "POST", &to, &headers, body.as_bytes()).unwrap();
        assert!(matches!(status, 401 | 404), "{status}");
    }

    /// Leaves the names of what it has for the other.
    fn leaves(&self) {
        let first = |page: &Value, name: &str| page["items"][0][name].as_str().map(str::to_owned);
        let (events, deliveries) = (self.peek("/api/v1/events"), self.peek("/api/v1/deliveries"));
        let (letters, jobs) = (self.peek("/api/v1/dead-letters"), self.peek("/api/v1/jobs"));
        let unknown = strangers();
        let ids = Ids {
            record: first(&events, "record").unwrap_or(unknown.record),
            event: first(&events, "id").unwrap_or(unknown.event),
            delivery: first(&deliveries, "key").unwrap_or(unknown.delivery),
            letter: first(&letters, "key").unwrap_or(unknown.letter),
            job: first(&jobs, "id").unwrap_or(unknown.job),
        };
        self.board.lock().unwrap().insert(self.name, ids);
    }

    /// All that can be seen in the end, page after page, and what the target has.
    fn sees(&mut self) {
        for list in [
            "events",
            "deliveries",
            "dead-letters",
            "dead-letters/groups?closed=all",
            "jobs",
            "journal",
            "configuration/history",
            "systems",
            "retention",
            "status",
        ] {
            let path = format!("/api/v1/{list}");
            let join = if list.contains('?') { '&' } else { '?' };
            let paged = !matches!(list, "systems" | "retention" | "status");
            let mut next = Value::Null;
            loop {
                let page = match (&next, paged) {
                    (_, false) => path.clone(),
                    (Value::Null, true) => format!("{path}{join}limit=7"),
                    (next, true) => format!("{path}{join}limit=7&before={next}"),
                };
                let (status, text) = self.call("GET", &page, &Value::Null);
                let seen = self.note(list, status, &text);
                next = seen["next"].clone();
                if next.is_null() {
                    break;
                }
            }
        }
        for number in 0..COMPANIES {
            self.get(&format!("/api/v1/records?system=shop&external_id=c{number}&unmask=true"));
        }
        let (_, metrics) = self.call("GET", "/metrics", &Value::Null);
        assert!(!metrics.contains(self.other.0), "{metrics}");
        self.diary.push(format!("metrics: {:?}", counted(&metrics)));
        let books = self.sink.lock().books();
        let lane = books.lanes.get("alpha").cloned().unwrap_or_default();
        self.diary.push(format!("target: {}", without_ids(&format!("{lane:?}"))));
    }
}

/// Runs the scripts of these tenants in one hub; gives what each was answered.
async fn run(seed: u64, which: &[usize]) -> BTreeMap<&'static str, Vec<String>> {
    let mut sinks = Vec::new();
    for _ in which {
        let mut options = Options::of(Kind::Sink);
        options.business_id = "number".into();
        sinks.push(Arc::new(Sandbox::start(Kind::Sink, options).await.unwrap()));
    }
    let named: Vec<_> = which.iter().zip(&sinks).map(|(at, sink)| (NAMES[*at], sink.addr)).collect();
    let folder = Arc::new(Tenants::new(&named));
    let board = Board::default();
    let mut hub = folder.hub.up(&[]);
    assert!(hub.ready(), "{}", folder.hub.last_words());
    let mut threads = Vec::new();
    for (at, (tenant, sink)) in which.iter().zip(&sinks).enumerate() {
        let (name, path) = NAMES[*tenant];
        let mut actor = Actor {
            name,
            path,
            other: NAMES[1 - *tenant],
            token: folder.tenants[at].token(),
            folder: Arc::clone(&folder),
            at,
            sink: Arc::clone(sink),
            dice: Dice(seed.wrapping_mul(7919) + *tenant as u64),
            versions: BTreeMap::new(),
            mapping: 1,
            diary: Vec::new(),
            board: Arc::clone(&board),
        };
        threads.push(tokio::task::spawn_blocking(move || {
            for _ in 0..STEPS {
                actor.act();
                actor.leaves();
            }
            actor.tries();
            actor.sees();
            (actor.name, actor.diary)
        }));
    }
    let mut diaries = BTreeMap::new();
    for thread in threads {
        let (name, diary) = thread.await.unwrap();
        diaries.insert(name, diary);
    }
    assert_eq!(hub.stop(), Some(0), "{}", folder.hub.last_words());
    diaries
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_one_tenant_does_neither_changes_nor_shows_anything_of_another() {
    for seed in 1..=2 {
        let together = run(seed, &[0, 1]).await;
        for (at, (name, _)) in NAMES.iter().enumerate() {
            let alone = run(seed, &[at]).await;
            let (one, other) = (&together[name], &alone[name]);
            let differs: Vec<String> = (0..)
                .zip(one.iter().zip(other))
                .filter(|(_, (beside, alone))| beside != alone)
                .map(|(line, (beside, alone)): (usize, _)| {
                    format!("line {line}\n  beside {beside}\n  alone  {alone}")
                })
                .take(8)
                .collect();
            assert!(differs.is_empty(), "seed {seed}, {name}:\n{}", differs.join("\n"));
            assert_eq!(one.len(), other.len(), "seed {seed}, {name}");
            assert!(one.len() > 100, "too little was done: {}", one.len());
        }
        let (acme, globex) = (together["acme"].join("\n"), together["globex"].join("\n"));
        assert!(acme.contains("of acme v") && !acme.contains("of globex v"));
        assert!(globex.contains("of globex v") && !globex.contains("of acme v"));
    }
}
