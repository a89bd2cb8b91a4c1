//! Thin webhooks of a HubSpot-shaped CRM, with real processes: what changes by the thousand is read by the hundred, and
//! neither one id that is refused, nor lost answers, nor kills keep a deal from arriving as it is.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may end where it stands")]

mod support;

use std::time::Duration;

use sandbox::shelf::Values;
use sandbox::{Edit, Fault, FaultKind, Handle, Kind, Options, Property, Sandbox, WebhookTarget};
use serde_json::{Value, json};
use support::{Folder, Target, command, now_s};

const DEALS: usize = 1_000;
const SECRET: &str = "the-apps-own-client-secret";

fn property(name: &str) -> Property {
    Property {
        object_type: "deals".into(),
        name: name.into(),
        value_type: "string".into(),
        has_unique_value: name == "concord_id",
        options: Vec::new(),
    }
}

/// The CRM, and a folder in which its deals become companies of a sink.
async fn systems() -> (Handle, Handle, Folder) {
    let mut options = Options::of(Kind::HubSpot);
    options.limits.burst = 0;
    options.limits.search_per_second = 0;
    options.properties = ["concord_id", "business_id", "version"].map(property).to_vec();
    let crm = Sandbox::start(Kind::HubSpot, options).await.unwrap();
    let mut plain = Options::of(Kind::Sink);
    plain.business_id = "number".into();
    let sink = Sandbox::start(Kind::Sink, plain).await.unwrap();
    let folder = Folder::new(&[Target {
        system: "alpha",
        connector: "http",
        object: "alpha",
        address: sink.addr.to_string(),
        more: "",
        paths: ["name", "number", "version"],
    }]);
    // Nothing is listed: what arrives was hinted at, and read by its id.
    let unlisted = include_str!("../../../connectors/hubspot.yaml")
        .replace("connector: hubspot\n", "connector: unlisted\n")
        .replace("scope: custom}", "scope: custom, never: \"\"}")
        .replacen("    poll:\n", "    poll:\n      with: [never]\n", 1);
    folder.put("connectors/unlisted.yaml", &unlisted);
    folder.put("model/company.yaml", &support::MODEL.replace("shop", "crm"));
    folder.put("crm.secret", SECRET);
    let address = crm.addr;
    folder.put(
        "systems/crm.yaml",
        &format!(
            "system: crm\nconnector: connectors/unlisted.yaml\nconnection:\n  base_url: http://{address}\n  allow: [\"{address}\"]\n  \
             secrets: {{token: {{file: ./token.secret}}}}\nwebhook: {{secrets: [{{file: ./crm.secret}}]}}\n\
             parameters: {{timeout_ms: 2000}}\nlimits: {{concurrency: 2}}\n"
        ),
    );
    folder.put(
        "mappings/company.crm.yaml",
        "mapping: company.crm\nversion: 1\nentity: Company\nsystem: crm\nobject: deals\nfields:\n  \
         - {field: name, path: dealname, direction: in}\n  - {field: number, path: business_id, direction: in}\n  \
         - {field: revision, path: version, direction: in, transform: [number]}\n",
    );
    let url = format!("http://127.0.0.1:{}/v1/webhooks/crm", folder.ingress);
    let target = WebhookTarget { url, secret: SECRET.into(), events: Vec::new() };
    crm.lock().set_webhook(Some(target), now_s() * 1_000);
    (crm, sink, folder)
}

fn values(number: usize, version: u64) -> Values {
    let values = [
        ("dealname", json!(format!("Deal {number}"))),
        ("business_id", json!(format!("d{number}"))),
        ("version", json!(version.to_string())),
    ];
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Calls so far of one operation of the CRM.
fn calls(crm: &Handle, operation: &str) -> u64 {
    crm.lock().books_without_history().calls.by_operation.get(operation).copied().unwrap_or(0)
}

/// Deals that the sink has in that version.
fn arrived(sink: &Handle, version: u64) -> usize {
    let books = sink.lock().books_without_history();
    let of = |versions: &std::collections::BTreeMap<String, Option<String>>| {
        versions.len() == 1 && versions.values().all(|known| known.as_deref() == Some(&version.to_string()))
    };
    books.lanes.get("alpha").map_or(0, |lane| lane.records.values().filter(|one| of(one)).count())
}

async fn wait_for(sink: &Handle, version: u64, folder: &Folder) {
    for _ in 0..1_200 {
        if arrived(sink, version) == DEALS {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{} of {DEALS} arrived in version {version}\n{}", arrived(sink, version), folder.last_words());
}

/// Until the hub has heard of all that changed, which it does not read while it is paused.
async fn all_heard(crm: &Handle) {
    for _ in 0..600 {
        let book = crm.lock().books_without_history().webhooks;
        if book.pending == 0 && book.acked > 0 {
            return assert_eq!((book.given_up, book.unheard), (0, 0));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("webhooks still wait");
}

fn order(folder: &Folder, order: &str) {
    let output = command::concord(folder, &["system", order, "crm", "--reason", "an import"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_hints_are_ten_calls() {
    let (crm, sink, folder) = systems().await;
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    order(&folder, "pause");
    let ids: Vec<String> = {
        let mut world = crm.lock();
        let at = now_s() * 1_000;
        let make = |number| Edit::Create { object_type: "deals".into(), values: values(number, 1) };
        (0..DEALS).map(|number| world.person(make(number), at).unwrap()).collect()
    };
    all_heard(&crm).await;
    let before = calls(&crm, "batch_read");
    assert_eq!(before, 0, "it is paused");
    order(&folder, "resume");
    wait_for(&sink, 1, &folder).await;
    assert_eq!((calls(&crm, "batch_read"), calls(&crm, "read")), (10, 0));

    // One deal refuses every call that it is in, answers get lost, and the hub is killed in between.
    let bad = ids[666].clone();
    {
        let mut world = crm.lock();
        let refused = Fault::new(FaultKind::ErrorBefore { status: 400 }).on("POST", "/batch/read");
        world.add_fault(refused.holding(&format!("\"{bad}\"")));
        world.add_fault(Fault::new(FaultKind::LostAnswer).on("POST", "/batch/read").times(3));
        world.add_fault(Fault::new(FaultKind::Slow { ms: 300 }).on("POST", "/batch/read"));
        let at = now_s() * 1_000;
        for (number, id) in ids.iter().enumerate() {
            let change =
                Edit::Update { object_type: "deals".into(), id: id.clone(), values: values(number, 2) };
            world.person(change, at).unwrap();
        }
    }
    for kills in 1..=3 {
        let reached = 10 + kills * 4;
        command::until("it is read", || calls(&crm, "batch_read") >= reached || arrived(&sink, 2) > 0).await;
        hub.kill();
        hub = folder.up(&[]);
        assert!(hub.ready(), "{}", folder.last_words());
    }
    wait_for(&sink, 2, &folder).await;
    let (together, alone) = (calls(&crm, "batch_read") - 10, calls(&crm, "read"));
    assert!(
        alone >= 1 && together + alone < DEALS as u64 / 4,
        "{together} calls for several, {alone} for one"
    );
    let books = crm.lock().books();
    for fault in ["error_before", "lost_answer"] {
        assert!(books.faults.contains_key(fault), "{fault} never happened: {:?}", books.faults);
    }
    let lanes = sink.lock().books().lanes;
    let wrong: Value = json!([lanes["alpha"].backwards, lanes["alpha"].records.len()]);
    assert_eq!(wrong, json!([0, DEALS]), "backwards (I4), or doubled (I3)");
    assert_eq!(hub.stop(), Some(0), "no clean stop:\n{}", folder.last_words());
}
