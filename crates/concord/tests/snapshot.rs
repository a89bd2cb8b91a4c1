//! A hub that was down for longer than the vendor keeps its events, with real processes and a Stripe-shaped service: all that is
//! there is listed, over a kill in the middle, and nothing is written that did not change.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may end where it stands")]

#[allow(dead_code, reason = "each test binary uses a part")]
#[path = "support/desk.rs"]
mod desk;
mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sandbox::{Handle, Kind, Options, Sandbox};
use serde_json::{Value, json};
use support::{Folder, Target, command, now_s};

const CUSTOMERS: usize = 150;
/// Seconds for which the service keeps events: so long that a running hub misses none.
const KEPT_S: u64 = 8;

/// What the service holds, and what it was asked.
#[derive(Default)]
struct Billing {
    /// Versions, by number.
    customers: Vec<u64>,
    /// When, and which customer.
    events: Vec<(u64, usize)>,
    asked: Vec<String>,
}

fn id(number: usize) -> String {
    format!("cus_{number:04}")
}

impl Billing {
    fn customer(&self, number: usize) -> Value {
        let version = self.customers[number].to_string();
        json!({"id": id(number), "name": format!("Customer {number}"), "metadata": {"number": format!("c{number}"), "version": version}})
    }

    fn change(&mut self, number: usize) {
        self.customers[number] += 1;
        self.events.push((now_s(), number));
    }

    fn answer(&mut self, line: &str) -> Value {
        self.asked.push(line.to_owned());
        if line.contains("/v1/account") {
            return json!({"id": "acct_1"});
        }
        let (_, query) = line.split_once('?').unwrap_or_default();
        if line.contains("/v1/events") {
            let since: u64 = query
                .split('&')
                .find_map(|pair| pair.strip_prefix("created%5Bgte%5D="))
                .unwrap()
                .parse()
                .unwrap();
            let kept = since.max(now_s() - KEPT_S);
            let events = self.events.iter().enumerate().rev().filter(|(_, (at, _))| *at >= kept);
            let shown = events.map(|(event, (at, number))| {
                let data = json!({"object": self.customer(*number)});
                json!({"id": format!("evt_{event}"), "created": at, "type": "customer.updated", "data": data})
            });
            return json!({"data": shown.collect::<Vec<_>>(), "has_more": false});
        }
        // Newest first, as Stripe does.
        let after = query.split('&').find_map(|pair| pair.strip_prefix("starting_after=cus_"));
        let end: usize = after.map_or(CUSTOMERS, |after| after.parse().unwrap());
        let page: Vec<Value> = (0..end).rev().take(100).map(|number| self.customer(number)).collect();
        json!({"has_more": end > 100, "data": page})
    }

    /// How often the first page of all customers was asked for, and the second.
    fn pages(&self) -> (usize, usize) {
        let asked = self.asked.iter().filter(|line| line.contains("/v1/customers"));
        let (second, first): (Vec<_>, Vec<_>) = asked.partition(|line| line.contains("starting_after"));
        (first.len(), second.len())
    }
}

fn folder(billing: &str, sink: &Handle) -> Folder {
    let folder = Folder::new(&[Target {
        system: "alpha",
        connector: "http",
        object: "alpha",
        address: sink.addr.to_string(),
        more: "",
        paths: ["name", "number", "version"],
    }]);
    let quick = include_str!("../../../connectors/stripe.yaml")
        .replace("connector: stripe", "connector: quick")
        .replace("every: 5m", "every: 1s")
        .replace("lookback: 1m", "lookback: 2s")
        .replace("keeps: 29d", &format!("keeps: {}s", KEPT_S - 2))
        // How long the first page may take, at most, is in the mark.
        .replace(
            "        path: /v1/{object}\n        scopes: [\"{object}: read\"]\n        query: {limit",
            "        path: /v1/{object}\n        timeout: 2s\n        query: {limit",
        );
    assert!(quick.contains("timeout: 2s"), "the manifest is written otherwise now");
    folder.put("connectors/quick.yaml", &quick);
    folder.put("model/company.yaml", &support::MODEL.replace("shop", "billing"));
    folder.put(
        "systems/billing.yaml",
        &format!(
            "system: billing\nconnector: connectors/quick.yaml\nhistory: all\nconnection:\n  base_url: http://{billing}\n  \
             allow: [\"{billing}\"]\n  secrets: {{api_key: {{file: ./token.secret}}}}\n"
        ),
    );
    folder.put(
        "mappings/company.billing.yaml",
        "mapping: company.billing\nversion: 1\nentity: Company\nsystem: billing\nobject: customers\nfields:\n  \
         - {field: name, path: name, direction: in}\n  - {field: number, path: metadata.number, direction: in}\n  \
         - {field: revision, path: metadata.version, direction: in, transform: [number]}\n",
    );
    folder
}

/// Writes that the sink took, and how many customers it has in the version that the service has.
fn arrived(sink: &Handle, billing: &Mutex<Billing>) -> (u64, usize) {
    let lanes = sink.lock().books_without_history().lanes;
    let Some(lane) = lanes.get("alpha") else { return (0, 0) };
    let billing = billing.lock().unwrap();
    let same = billing.customers.iter().enumerate().filter(|(number, version)| {
        let held = lane.records.get(&format!("c{number}"));
        held.is_some_and(|keys| {
            keys.len() == 1 && keys.values().all(|known| known.as_deref() == Some(&version.to_string()))
        })
    });
    (lane.received, same.count())
}

async fn agree(sink: &Handle, billing: &Mutex<Billing>, folder: &Folder) -> u64 {
    for _ in 0..600 {
        if arrived(sink, billing).1 == CUSTOMERS {
            return arrived(sink, billing).0;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{:?}\n{}", arrived(sink, billing), folder.last_words());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_was_down_for_too_long_agrees_by_a_snapshot() {
    let billing = Arc::new(Mutex::new(Billing { customers: vec![1; CUSTOMERS], ..Billing::default() }));
    // The second page comes while this says so.
    let open = Arc::new(AtomicBool::new(true));
    let address = {
        let (billing, open) = (Arc::clone(&billing), Arc::clone(&open));
        desk::serve(move |asked| {
            let answer = billing.lock().unwrap().answer(&asked.line);
            if asked.line.contains("starting_after") && !open.load(Ordering::SeqCst) {
                return (503, "{}".to_owned());
            }
            (200, answer.to_string())
        })
    };
    let mut plain = Options::of(Kind::Sink);
    plain.business_id = "number".into();
    let sink = Sandbox::start(Kind::Sink, plain).await.unwrap();
    let folder = folder(&address, &sink);

    // What is there from before is listed, since the events do not reach back to it; what changes then comes by events.
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    assert_eq!(agree(&sink, &billing, &folder).await, CUSTOMERS as u64);
    assert_eq!(billing.lock().unwrap().pages(), (1, 1));
    billing.lock().unwrap().change(7);
    assert_eq!(agree(&sink, &billing, &folder).await, CUSTOMERS as u64 + 1);
    assert_eq!(billing.lock().unwrap().pages(), (1, 1), "by its event");
    // Its mark is durable: it was listed to its end at least once more.
    let events = || billing.lock().unwrap().asked.iter().filter(|line| line.contains("/v1/events")).count();
    let before = events();
    command::until("it lists once more", || events() > before + 1).await;
    hub.kill();

    // Down for longer than events are kept.
    [3, 60, 149].into_iter().for_each(|number| billing.lock().unwrap().change(number));
    tokio::time::sleep(Duration::from_secs(KEPT_S + 3)).await;
    open.store(false, Ordering::SeqCst);
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    command::until("the second page is asked for", || billing.lock().unwrap().pages().1 > 1).await;
    let sheet = command::json(&folder, &["system", "get", "billing"]);
    assert_eq!(sheet["snapshots"], json!(["customers"]), "{sheet}");
    hub.kill();
    open.store(true, Ordering::SeqCst);
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    // What changed meanwhile is written, and nothing else.
    assert_eq!(agree(&sink, &billing, &folder).await, CUSTOMERS as u64 + 4);
    assert_eq!(billing.lock().unwrap().pages().0, 2, "the page that was taken in is not asked for again");
    let began = |row: &Value| row["what"] == "snapshot_began" && row["about"] == "customers";
    let journal = command::json(&folder, &["system", "journal", "billing"]);
    assert_eq!(
        journal.as_array().map(|rows| rows.iter().filter(|row| began(row)).count()),
        Some(2),
        "{journal}"
    );
    // Then by events again.
    billing.lock().unwrap().change(8);
    assert_eq!(agree(&sink, &billing, &folder).await, CUSTOMERS as u64 + 5);
    assert_eq!(billing.lock().unwrap().pages().0, 2);
    assert_eq!(hub.stop(), Some(0), "no clean stop:\n{}", folder.last_words());
}
