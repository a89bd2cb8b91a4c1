//! Both systems of the beds test with the hub between them: made, changed, and compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::proxy::Proxy;
use crate::support::{Folder, Hub, request};
use crate::systems::{HERE, Installed, Stripe, TRYTON_PASSWORD, Tryton};

pub(crate) const WEBHOOK_SECRET: &str = "whsec_a_secret_of_the_beds_test";
/// Longest wait for a listing of localstripe: the folder says every 30 s.
pub(crate) const HEALED: Duration = Duration::from_secs(90);
/// Longest wait for what was on its way when Tryton died: an answer is only missed when the request could
/// have arrived
/// (60 s) and been worked on (60 s), by the manifest.
pub(crate) const DOUBT: Duration = Duration::from_secs(240);
/// Longest wait for anything else; machines are busy.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// The systems, the hub, and what was seen.
pub(crate) struct Beds {
    pub(crate) installed: Installed,
    pub(crate) stripe: Stripe,
    pub(crate) tryton: Tryton,
    /// Between the hub and Stripe, and between the hub and Tryton.
    pub(crate) to_stripe: Proxy,
    pub(crate) to_tryton: Proxy,
    /// What is where in Tryton's database: its ids.
    pub(crate) ids: BTreeMap<String, i64>,
    pub(crate) folder: Folder,
    pub(crate) hub: Hub,
    /// Customers made so far.
    pub(crate) made: usize,
    pub(crate) report: String,
}

/// A customer as Stripe's client shows it.
#[derive(Debug)]
pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) business_id: String,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) number: String,
}

/// A party as Tryton shows it.
#[derive(Debug)]
pub(crate) struct Party {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) code: String,
    pub(crate) active: bool,
}

#[allow(clippy::disallowed_methods, reason = "a test measures how long things take")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Copies the configuration, with ports and ids in it.
fn configure(folder: &Folder, from: &Path, words: &BTreeMap<String, i64>) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            configure(folder, &path, words);
            continue;
        }
        let mut text = fs::read_to_string(&path).unwrap();
        for (word, number) in words {
            text = text.replace(&format!("{{{{{word}}}}}"), &number.to_string());
        }
        let name = path.strip_prefix(format!("{HERE}/folder")).unwrap();
        folder.put(name.to_str().unwrap(), &text);
    }
}

/// The built-in connector for Stripe, but for what it says of keys: localstripe takes them and does not look at them. So a
/// create is looked for by its metadata first, and a change is sent again.
fn without_keys() -> String {
    let manifest =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../connectors/stripe.yaml")).unwrap();
    let keyed = "idempotency: {class: native_key, ttl_s: 86400, replayed: {header: idempotent-replayed, equals: \"true\"}}";
    let manifest =
        manifest.replace("idempotency: &keyed {", "idempotency: {").replace("idempotency: *keyed", keyed);
    let (before, create) = manifest.split_once("for: [create]").unwrap();
    let create = create.replacen(keyed, "idempotency: {class: search_first, index_lag_ms: 0}", 1);
    let changed = format!("{before}for: [create]{create}").replace(keyed, "idempotency: {class: upsert}");
    assert!(changed.contains("search_first") && !changed.contains("native_key, ttl"), "{changed}");
    changed.replacen("connector: stripe", "connector: localstripe", 1)
}

impl Beds {
    /// Starts all three; with `faults`, the hub reaches both systems through proxies.
    pub(crate) fn start(faults: bool) -> Self {
        let installed = Installed::new();
        let folder = Folder::empty();
        let stripe = Stripe::start(&installed, folder.path());
        let tryton = Tryton::start(&installed, folder.path());
        let (to_stripe, to_tryton) = (Proxy::start(stripe.port), Proxy::start(tryton.port));
        // Where nothing is to go wrong on the way, nothing stands in it.
        let ports = if faults { [to_stripe.port, to_tryton.port] } else { [stripe.port, tryton.port] };
        let ids = installed.ids();
        let mut words = ids.clone();
        let named = ["ingress", "operator", "stripe", "tryton"];
        let numbers = [folder.ingress, folder.operator, ports[0], ports[1]];
        words.extend(named.into_iter().map(str::to_owned).zip(numbers.map(i64::from)));
        configure(&folder, &Path::new(HERE).join("folder"), &words);
        folder.put("connectors/localstripe.yaml", &without_keys());
        folder.put("secrets/root.key", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n");
        folder.put("secrets/stripe.key", "sk_test_12345");
        folder.put("secrets/stripe.webhook", WEBHOOK_SECRET);
        folder.put("secrets/tryton.user", "admin");
        folder.put("secrets/tryton.password", TRYTON_PASSWORD);
        stripe.send_webhooks_to(
            &format!("http://127.0.0.1:{}/v1/webhooks/billing", folder.ingress),
            WEBHOOK_SECRET,
        );
        let mut hub = folder.up(&[]);
        assert!(hub.ready(), "the hub does not start:\n{}", folder.last_words());
        let packages = installed.packages.trim().replace('\n', ", ");
        let report = format!(
            "Packages: {packages}; client: {}.\n\n| act | seen | seconds |\n|---|---|---|\n",
            stripe.client
        );
        Self { installed, stripe, tryton, to_stripe, to_tryton, ids, folder, hub, made: 0, report }
    }

    /// Another line of the report.
    pub(crate) fn saw(&mut self, act: &str, seen: &str, since: Instant) {
        let line = format!("| {act} | {seen} | {:.1} |\n", since.elapsed().as_secs_f64());
        print!("{line}");
        self.report.push_str(&line);
    }

    /// Waits until nothing is wrong, and says what is.
    pub(crate) fn until(&mut self, longest: Duration, mut wrong: impl FnMut(&mut Self) -> String) {
        let start = now();
        loop {
            let what = wrong(self);
            if what.is_empty() {
                return;
            }
            if start.elapsed() >= longest {
                println!("{what}");
                self.keep();
                panic!("{what}\n{}\n{}", self.open(), self.folder.last_words());
            }
            std::thread::sleep(Duration::from_millis(250));
        }
    }

    pub(crate) fn create(&mut self) -> String {
        self.made += 1;
        let (number, name) =
            (self.made, ["Müller & Söhne", "Łódź Trade", "O'Neill <Ltd>", "東京商会"][self.made % 4]);
        let params = json!({
            "name": format!("{name} {number}"),
            "email": format!("office{number}@example.com"),
            "metadata": {"business_id": format!("A-{number}")},
        });
        text(&self.stripe.call(&json!({"do": "create", "params": params}))["id"])
    }

    pub(crate) fn customers(&mut self) -> Vec<Customer> {
        let all = self.stripe.call(&json!({"do": "list"}));
        let customers = all.as_array().unwrap().iter().map(|one| Customer {
            id: text(&one["id"]),
            business_id: text(&one["metadata"]["business_id"]),
            name: text(&one["name"]),
            email: text(&one["email"]),
            number: text(&one["metadata"]["customer_number"]),
        });
        customers.collect()
    }

    pub(crate) fn parties(&self) -> Vec<Party> {
        let fields = json!(["name", "email", "code", "active"]);
        let all = self.tryton.call(
            "model.party.party.search_read",
            json!([[], 0, null, [["id", "ASC"]], fields, {"active_test": false}]),
        );
        let parties = all.as_array().unwrap().iter().map(|one| Party {
            id: one["id"].as_i64().unwrap(),
            name: text(&one["name"]),
            email: text(&one["email"]),
            code: text(&one["code"]),
            // SQLite has no booleans.
            active: one["active"] == json!(true) || one["active"] == json!(1),
        });
        parties.collect()
    }

    /// Where the two systems differ: each customer is one party, with the same name and address, and knows
    /// its number.
    pub(crate) fn disagreement(&mut self) -> String {
        let customers = self.customers();
        let parties: Vec<Party> = self.parties().into_iter().filter(|party| party.active).collect();
        let mut wrong = Vec::new();
        for Customer { id, business_id, name, email, number } in &customers {
            let party = parties.iter().find(|party| party.code == *number);
            match party {
                None => {
                    wrong.push(format!("{id} {business_id} {name:?}: no party has its number {number:?}"))
                }
                Some(party) if party.name != *name => {
                    wrong.push(format!("{business_id}: {name:?}, but {party:?}"))
                }
                Some(party) if party.email != *email => {
                    wrong.push(format!("{business_id}: {email:?}, but {party:?}"))
                }
                Some(_) => {}
            }
        }
        let numbers: BTreeSet<&String> = customers.iter().map(|customer| &customer.number).collect();
        if numbers.len() != customers.len() || customers.len() != parties.len() {
            wrong.push(format!(
                "{} customers, {} numbers, {} parties",
                customers.len(),
                numbers.len(),
                parties.len()
            ));
        }
        wrong.truncate(4);
        wrong.join("; ")
    }

    pub(crate) fn agree(&mut self, longest: Duration) {
        self.until(longest, Self::disagreement);
    }

    pub(crate) fn rename_party(&self, code: &str, name: &str) {
        let party = self.parties().into_iter().find(|party| party.code == code).unwrap();
        self.tryton.call("model.party.party.write", json!([[party.id], {"name": name}, {}]));
    }

    pub(crate) fn update(&mut self, id: &str, params: Value) {
        self.stripe.call(&json!({"do": "update", "id": id, "params": params}));
    }

    /// A series of the hub's metrics; 0 when it is not there.
    pub(crate) fn metric(&self, series: &str) -> u64 {
        let token = fs::read_to_string(self.folder.path().join(".concord/operator.token")).unwrap();
        let bearer = format!("Bearer {}", token.trim());
        let (status, body) =
            request(self.folder.operator, "GET", "/metrics", &[("authorization", &bearer)], b"").unwrap();
        assert_eq!(status, 200, "{body}");
        let line = body.lines().find_map(|line| line.strip_prefix(series));
        line.and_then(|rest| rest.trim().parse::<f64>().ok()).map_or(0, |value| value as u64)
    }

    pub(crate) fn listings(&self) -> u64 {
        self.metric(r#"concord_requests_sent_total{tenant="beds",system="billing",operation="list"}"#)
    }

    pub(crate) fn webhooks(&self) -> u64 {
        self.metric(r#"concord_http_requests_total{tenant="beds",route="/v1/webhooks/{path}",status="200"}"#)
    }

    /// Keeps the folder of a run that failed.
    fn keep(&self) {
        let kept = self.installed.root.join("failed");
        let _ = fs::remove_dir_all(&kept);
        let _ = Command::new("cp").arg("-r").arg(self.folder.path()).arg(&kept).status();
        println!("the folder is kept in {}", kept.display());
    }

    /// The command line on this folder: whether it did, and what it said.
    fn run(&self, words: &[&str]) -> (bool, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_concord"));
        let output = command.arg("--dir").arg(self.folder.path()).args(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return (true, said);
        }
        (false, said + &String::from_utf8_lossy(&output.stderr))
    }

    /// The command line on this folder.
    pub(crate) fn concord(&self, words: &[&str]) -> String {
        let (did, said) = self.run(words);
        assert!(did, "concord {words:?}: {said}");
        said
    }

    pub(crate) fn dead_letters(&self) -> Vec<Value> {
        let answer: Value =
            serde_json::from_str(&self.concord(&["dead-letter", "list", "--output", "json"])).unwrap();
        answer.as_array().or_else(|| answer["items"].as_array()).cloned().unwrap_or_default()
    }

    /// What the hub holds open, for failure messages.
    pub(crate) fn open(&self) -> String {
        let lists =
            [&["system", "list"][..], &["delivery", "list", "--limit", "20"], &["dead-letter", "list"]];
        lists.iter().map(|words| self.run(words).1).collect()
    }
}
