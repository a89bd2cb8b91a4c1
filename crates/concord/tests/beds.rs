//! Real third-party systems: localstripe, told by the official Stripe client, and the Tryton ERP, by its own JSON-RPC,
//! with the hub between them. Nothing is lost through kills of Tryton and of the hub and through lost webhooks (I1),
//! nothing is made twice (I3), and nothing goes round in circles (I6), judged by what the two systems hold.
//!
//! `./test --beds` runs it; it installs from PyPI and takes some minutes. What was seen goes to
//! `target/beds/report.md`.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::let_underscore_must_use,
    clippy::panic,
    clippy::print_stdout,
    clippy::use_debug,
    reason = "helpers of a test: failing is how they report"
)]

mod support;
#[path = "beds/systems.rs"]
mod systems;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Folder, Hub, free_port, request};
use systems::{HERE, Installed, Stripe, TRYTON_PASSWORD, Tryton};

const WEBHOOK_SECRET: &str = "whsec_a_secret_of_the_beds_test";
/// Longest wait for a listing of localstripe: the folder says every 30 s.
const HEALED: Duration = Duration::from_secs(90);
/// Longest wait for what was on its way when Tryton died: an answer is only missed when the request could
/// have arrived
/// (60 s) and been worked on (60 s), by the manifest.
const DOUBT: Duration = Duration::from_secs(240);
/// Longest wait for anything else; machines are busy.
const SOON: Duration = Duration::from_secs(60);

/// The systems, the hub, and what was seen.
struct Beds {
    installed: Installed,
    stripe: Stripe,
    tryton: Tryton,
    folder: Folder,
    hub: Hub,
    /// Customers made so far.
    made: usize,
    report: String,
}

/// A customer as Stripe's client shows it.
#[derive(Debug)]
struct Customer {
    id: String,
    business_id: String,
    name: String,
    email: String,
    number: String,
}

/// A party as Tryton shows it.
#[derive(Debug)]
struct Party {
    id: i64,
    name: String,
    email: String,
    code: String,
    active: bool,
}

#[allow(clippy::disallowed_methods, reason = "a test measures how long things take")]
fn now() -> Instant {
    Instant::now()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Copies the configuration, with ports in it.
fn configure(folder: &Folder, from: &Path, words: &BTreeMap<&str, u16>) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            configure(folder, &path, words);
            continue;
        }
        let mut text = fs::read_to_string(&path).unwrap();
        for (word, port) in words {
            text = text.replace(&format!("{{{{{word}}}}}"), &port.to_string());
        }
        let name = path.strip_prefix(format!("{HERE}/folder")).unwrap();
        folder.put(name.to_str().unwrap(), &text);
    }
}

impl Beds {
    fn start() -> Self {
        let installed = Installed::new();
        let folder =
            Folder { dir: tempfile::tempdir().unwrap(), ingress: free_port(), operator: free_port() };
        let stripe = Stripe::start(&installed, folder.path());
        let tryton = Tryton::start(&installed, folder.path());
        let words = BTreeMap::from([
            ("ingress", folder.ingress),
            ("operator", folder.operator),
            ("stripe", stripe.port),
            ("tryton", tryton.port),
        ]);
        configure(&folder, &Path::new(HERE).join("folder"), &words);
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
        Self { installed, stripe, tryton, folder, hub, made: 0, report }
    }

    /// Another line of the report.
    fn saw(&mut self, act: &str, seen: &str, since: Instant) {
        let line = format!("| {act} | {seen} | {:.1} |\n", since.elapsed().as_secs_f64());
        print!("{line}");
        self.report.push_str(&line);
    }

    /// Waits until nothing is wrong, and says what is.
    fn until(&mut self, longest: Duration, mut wrong: impl FnMut(&mut Self) -> String) {
        let start = now();
        loop {
            let what = wrong(self);
            if what.is_empty() {
                return;
            }
            assert!(start.elapsed() < longest, "{what}\n{}\n{}", self.open(), self.folder.last_words());
            std::thread::sleep(Duration::from_millis(250));
        }
    }

    fn create(&mut self) -> String {
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

    fn customers(&mut self) -> Vec<Customer> {
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

    fn parties(&self) -> Vec<Party> {
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
    fn disagreement(&mut self) -> String {
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

    fn agree(&mut self, longest: Duration) {
        self.until(longest, Self::disagreement);
    }

    fn rename_party(&self, code: &str, name: &str) {
        let party = self.parties().into_iter().find(|party| party.code == code).unwrap();
        self.tryton.call("model.party.party.write", json!([[party.id], {"name": name}, {}]));
    }

    fn update(&mut self, id: &str, params: Value) {
        self.stripe.call(&json!({"do": "update", "id": id, "params": params}));
    }

    /// A series of the hub's metrics; 0 when it is not there.
    fn metric(&self, series: &str) -> u64 {
        let token = fs::read_to_string(self.folder.path().join(".concord/operator.token")).unwrap();
        let bearer = format!("Bearer {}", token.trim());
        let (status, body) =
            request(self.folder.operator, "GET", "/metrics", &[("authorization", &bearer)], b"").unwrap();
        assert_eq!(status, 200, "{body}");
        let line = body.lines().find_map(|line| line.strip_prefix(series));
        line.and_then(|rest| rest.trim().parse::<f64>().ok()).map_or(0, |value| value as u64)
    }

    fn listings(&self) -> u64 {
        self.metric(r#"concord_requests_sent_total{tenant="beds",system="billing",operation="list"}"#)
    }

    fn webhooks(&self) -> u64 {
        self.metric(r#"concord_http_requests_total{tenant="beds",route="/v1/webhooks/{path}",status="200"}"#)
    }

    /// The command line on this folder.
    fn concord(&self, words: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_concord"));
        let output = command.arg("--dir").arg(self.folder.path()).args(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let talk = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "concord {words:?}: {said}{talk}");
        said
    }

    fn dead_letters(&self) -> Vec<Value> {
        let answer: Value =
            serde_json::from_str(&self.concord(&["dead-letter", "list", "--output", "json"])).unwrap();
        answer.as_array().or_else(|| answer["items"].as_array()).cloned().unwrap_or_default()
    }

    /// What the hub holds open, for failure messages.
    fn open(&self) -> String {
        let lists =
            [&["system", "list"][..], &["delivery", "list", "--limit", "20"], &["dead-letter", "list"]];
        lists.iter().map(|words| self.concord(words)).collect()
    }
}

/// Customers made with the official client become parties, by signed webhooks alone; their numbers come back.
fn webhooks_make_parties(beds: &mut Beds) {
    // Right after a listing there are 30 s without another: what arrives came by webhook.
    beds.until(SOON, |beds| if beds.listings() > 0 { String::new() } else { "no listing".to_owned() });
    let (listings, start) = (beds.listings(), now());
    for _ in 0..12 {
        beds.create();
    }
    beds.agree(SOON);
    assert_eq!(beds.listings(), listings, "a listing may have brought them");
    assert!(beds.webhooks() >= 12, "{} webhooks", beds.webhooks());
    let seen =
        "12 parties in Tryton; their numbers stand in Stripe's metadata; no listing of events in between";
    beds.saw("12 customers made with the Stripe client", seen, start);
}

/// A forged webhook is refused.
fn forged(beds: &mut Beds) {
    let start = now();
    let body = br#"{"id":"evt_forged","object":"event","type":"customer.created","created":1,
        "data":{"object":{"id":"cus_forged","object":"customer","name":"Forged"}}}"#;
    let signature = format!("t={},v1={}", support::now_s(), "0".repeat(64));
    let headers = [("stripe-signature", signature.as_str()), ("content-type", "application/json")];
    let (status, _) = request(beds.folder.ingress, "POST", "/v1/webhooks/billing", &headers, body).unwrap();
    assert!(status == 401 || status == 403 || status == 400, "a forged webhook was answered with {status}");
    beds.saw("a webhook with a forged signature", &format!("refused with {status}; no party"), start);
}

/// A party edited in Tryton is polled and comes back; one made there becomes a customer; the other way round, too.
fn edits_come_back(beds: &mut Beds) {
    let start = now();
    for code in ["1", "2", "3"] {
        beds.rename_party(code, &format!("Renamed in Tryton {code} GmbH"));
    }
    beds.agree(SOON);
    let renamed =
        beds.customers().iter().filter(|customer| customer.name.starts_with("Renamed in Tryton")).count();
    assert_eq!(renamed, 3);
    beds.saw("3 parties renamed in Tryton", "polled; 3 customers renamed in Stripe", start);

    let start = now();
    let party = json!({"name": "Made in Tryton Ltd", "addresses": []});
    beds.tryton.call("model.party.party.create", json!([[party], {}]));
    beds.until(SOON, |beds| {
        let made = beds.customers().iter().filter(|customer| customer.name == "Made in Tryton Ltd").count();
        if made == 1 { String::new() } else { format!("{made} customers of the party made in Tryton") }
    });
    beds.agree(SOON);
    beds.saw("a party made in Tryton", "polled; 1 customer in Stripe, with its number", start);

    let start = now();
    let id = beds.customers().swap_remove(0).id;
    beds.update(&id, json!({"name": "Renamed in Stripe AG"}));
    beds.until(SOON, |beds| {
        let there = beds.parties().iter().any(|party| party.name == "Renamed in Stripe AG");
        if there { String::new() } else { "the party keeps its old name".to_owned() }
    });
    beds.agree(SOON);
    beds.saw("that customer renamed in Stripe", "its party has the new name, and keeps it", start);
}

/// Tryton is killed while parties are made, and comes back.
fn tryton_dies(beds: &mut Beds) {
    let before = beds.parties().len();
    let start = now();
    for _ in 0..10 {
        beds.create();
    }
    // The first of them are being made now: kill it in between.
    beds.until(
        SOON,
        |beds| if beds.parties().len() > before { String::new() } else { "none yet".to_owned() },
    );
    let reached = beds.parties().len() - before;
    beds.tryton.kill();
    let accepted = beds.webhooks();
    for _ in 0..10 {
        beds.create();
    }
    let id = beds.customers().swap_remove(4).id;
    beds.update(&id, json!({"name": "Renamed while Tryton was dead"}));
    beds.until(SOON, |beds| {
        let webhooks = beds.webhooks() - accepted;
        if webhooks >= 11 { String::new() } else { format!("{webhooks} webhooks acknowledged") }
    });
    std::thread::sleep(Duration::from_secs(3));
    let systems = beds.concord(&["system", "list"]);
    let breaker = systems.lines().find(|line| line.starts_with("erp")).unwrap_or_default().to_owned();
    assert!(breaker.contains("open") || breaker.contains("half"), "{systems}");
    beds.tryton.up(&beds.installed);
    // What was not on its way comes at once; what may have reached Tryton is looked for, and waits until
    // that can be told.
    let start_again = now();
    beds.until(SOON, |beds| {
        let there = beds.parties().len() - before;
        if there >= 16 { String::new() } else { format!("{there} of 20 parties") }
    });
    let most = start_again.elapsed().as_secs();
    beds.agree(DOUBT);
    let found = beds.metric(r#"concord_doubts_resolved_total{tenant="beds",system="erp",how="found"}"#);
    let seen = format!(
        "killed when {reached} of the first 10 parties were there; 11 more webhooks acknowledged meanwhile, breaker \
         open; within {most} s of the restart those that had not been on their way were there, the rest when it was \
         certain that they had not arrived ({found} had); none twice"
    );
    beds.saw("Tryton killed -9 and started again, 20 customers made around it", &seen, start);
}

/// The hub is killed; localstripe sends its webhooks once, to nobody; the listing of events has them.
fn hub_dies(beds: &mut Beds) {
    let start = now();
    beds.hub.kill();
    for _ in 0..5 {
        beds.create();
    }
    let customers = beds.customers();
    let (one, other) = (customers[5].id.clone(), customers[6].number.clone());
    beds.update(&one, json!({"name": "Renamed while the hub was dead"}));
    beds.rename_party(&other, "Renamed in Tryton while the hub was dead");
    // Webhooks go out after one second.
    std::thread::sleep(Duration::from_secs(3));
    beds.hub = beds.folder.up(&[]);
    assert!(beds.hub.ready(), "the hub does not start again:\n{}", beds.folder.last_words());
    assert_eq!(beds.webhooks(), 0, "localstripe sent again");
    beds.agree(HEALED);
    let renamed =
        beds.customers().iter().filter(|customer| customer.name.contains("the hub was dead")).count();
    assert_eq!(renamed, 2);
    let seen = "nothing was sent again; the first listing of /v1/events brought all 6, the first poll of Tryton its one";
    beds.saw(
        "the hub killed -9; 5 customers made, 1 customer and 1 party renamed; the hub started again",
        seen,
        start,
    );
}

/// Webhooks get lost while the hub runs.
fn webhooks_get_lost(beds: &mut Beds) {
    let (start, webhooks) = (now(), beds.webhooks());
    beds.stripe.send_webhooks_to(&format!("http://127.0.0.1:{}/nowhere", free_port()), WEBHOOK_SECRET);
    for _ in 0..3 {
        beds.create();
    }
    let id = beds.customers().swap_remove(7).id;
    beds.update(&id, json!({"name": "Renamed behind the hub's back"}));
    beds.agree(HEALED);
    assert_eq!(beds.webhooks(), webhooks, "a webhook came after all");
    beds.stripe.send_webhooks_to(
        &format!("http://127.0.0.1:{}/v1/webhooks/billing", beds.folder.ingress),
        WEBHOOK_SECRET,
    );
    let seen = "no webhook came; the next listing of /v1/events (every 30 s) brought all 4";
    beds.saw("webhooks sent to a dead port; 3 customers made, 1 renamed", seen, start);
}

/// A refusal of Tryton, inside an HTTP 200, becomes a dead letter in its words, and stops nobody else.
fn tryton_refuses(beds: &mut Beds) {
    let start = now();
    let refused = beds.customers().swap_remove(8);
    beds.update(&refused.id, json!({"email": "another@example.com"}));
    beds.until(SOON, |beds| match beds.dead_letters().len() {
        1 => String::new(),
        count => format!("{count} dead letters"),
    });
    let letter = beds.dead_letters().swap_remove(0);
    let reason = text(&letter["reason"]);
    assert!(letter.to_string().contains("contact mechanism"), "Tryton's words are not there: {letter}");
    let id = beds.customers().swap_remove(9).id;
    beds.update(&id, json!({"name": "Not held up by the refusal"}));
    beds.until(SOON, |beds| {
        let there = beds.parties().iter().any(|party| party.name == "Not held up by the refusal");
        if there { String::new() } else { "another customer is held up".to_owned() }
    });
    // A person mends it at its place, and asks for another try.
    let party = beds.parties().into_iter().find(|party| party.code == refused.number).unwrap();
    let found = beds.tryton.call(
        "model.party.contact_mechanism.search",
        json!([[["party", "=", party.id], ["type", "=", "email"]], 0, null, null, {}]),
    );
    beds.tryton.call("model.party.contact_mechanism.delete", json!([found, {}]));
    beds.concord(&[
        "dead-letter",
        "retry",
        &text(&letter["key"]),
        "--reason",
        "the old address was removed in Tryton",
    ]);
    beds.agree(SOON);
    assert!(beds.dead_letters().is_empty(), "{:?}", beds.dead_letters());
    let seen =
        format!("1 dead letter: {reason:?}; other customers go on; removed there and retried: delivered");
    beds.saw("an e-mail address changed in Stripe, which Tryton refuses to overwrite", &seen, start);
}

/// A customer that is deleted leaves an archived party.
fn deleted(beds: &mut Beds) {
    let start = now();
    let customer = beds.customers().swap_remove(10);
    beds.stripe.call(&json!({"do": "delete", "id": customer.id}));
    beds.until(SOON, |beds| {
        let active = beds.parties().iter().any(|party| party.code == customer.number && party.active);
        if active { "the party of a deleted customer is still active".to_owned() } else { String::new() }
    });
    beds.agree(SOON);
    beds.saw("a customer deleted in Stripe", "its party is archived (active = false), not deleted", start);
}

/// When nobody changes anything, nothing is written (I6).
fn it_is_quiet(beds: &mut Beds) {
    let start = now();
    let state = |beds: &mut Beds| {
        let dates = json!(["create_date", "write_date"]);
        let params = json!([[], 0, null, [["id", "ASC"]], dates, {"active_test": false}]);
        let parties = beds.tryton.call("model.party.party.search_read", params);
        let events = beds.stripe.call(&json!({"do": "events"}));
        (events.as_array().cloned().unwrap_or_default(), parties)
    };
    let (before, listings) = (state(beds), beds.listings());
    beds.until(
        HEALED,
        |beds| if beds.listings() > listings + 1 { String::new() } else { "no listing".to_owned() },
    );
    let (events, parties) = state(beds);
    let more: Vec<&Value> = events.iter().filter(|event| !before.0.contains(event)).collect();
    assert!(more.is_empty(), "somebody wrote to Stripe (I6): {more:?}\n{}", beds.folder.last_words());
    assert_eq!(parties, before.1, "somebody wrote to Tryton (I6)");
    beds.agree(SOON);
    let (customers, events) = (beds.customers().len(), events.len());
    let seen = format!(
        "over two listings no event in Stripe (there are {events}) and no write in Tryton; {customers} customers, each \
         one party with the same name, address and number"
    );
    beds.saw("nobody changes anything", &seen, start);
}

#[test]
fn stripe_and_tryton_agree_through_kills_and_lost_webhooks() {
    #[allow(clippy::disallowed_methods, reason = "it must not run unasked, and not pass unasked either")]
    let asked = std::env::var("CONCORD_TEST_BEDS").is_ok();
    assert!(asked, "this test installs and starts third-party systems: run it with ./test --beds");
    let start = now();
    let mut beds = Beds::start();
    webhooks_make_parties(&mut beds);
    forged(&mut beds);
    edits_come_back(&mut beds);
    tryton_dies(&mut beds);
    hub_dies(&mut beds);
    webhooks_get_lost(&mut beds);
    tryton_refuses(&mut beds);
    deleted(&mut beds);
    it_is_quiet(&mut beds);
    assert_eq!(beds.hub.stop(), Some(0), "no clean stop:\n{}", beds.folder.last_words());
    beds.saw("SIGTERM", "the hub ended with 0; all of it", start);
    fs::write(beds.installed.root.join("report.md"), &beds.report).unwrap();
}
