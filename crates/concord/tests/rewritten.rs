//! A CRM that trims, lowers and cuts what it is given, with a real hub that polls it: what we wrote is written once and is
//! nobody's edit, over lost answers and restarts, and what was cut there never comes back to its owner.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may end where it stands")]

mod support;

use std::time::Duration;

use connector::Manifest;
use sandbox::shelf::{Action, Actor};
use sandbox::{Deed, Edit, Fault, FaultKind, Habit, Handle, Kind, Options, Property, Sandbox};
use serde_json::{Value, json};
use support::command::{concord, json as told};
use support::{Folder, MODEL, SECRET, Target, now_s, request, signed};

const LONG: &str = "  Concord of Many Systems and a Very Long Name";
/// What the CRM makes of it: sixteen characters, and of those the last is a blank that nobody shows.
const KEPT: &str = "concord of many";

fn property(name: &str, unique: bool) -> Property {
    Property {
        object_type: "deals".into(),
        name: name.into(),
        value_type: "string".into(),
        has_unique_value: unique,
        options: Vec::new(),
    }
}

async fn crm() -> Handle {
    let mut options = Options::of(Kind::HubSpot);
    options.limits.burst = 0;
    options.limits.search_per_second = 0;
    options.limits.index_lag_ms = 0;
    options.properties = vec![property("concord_id", true), property("business_id", false)];
    options.habits = vec![
        Habit::new("deals", "*", Deed::Trim),
        Habit::new("deals", "dealname", Deed::Lower),
        Habit::new("deals", "dealname", Deed::Cut(16)),
        Habit::new("deals", "dealname", Deed::Trim),
    ];
    Sandbox::start(Kind::HubSpot, options).await.unwrap()
}

/// The shop owns all, the CRM is read as well, and its connector says what becomes of values there, or nothing.
fn folder(crm: &Handle, policy: &str, normalises: &str) -> Folder {
    let folder = Folder::new(&[Target {
        system: "crm",
        connector: "hubspot",
        object: "deals",
        address: crm.addr.to_string(),
        more: "",
        paths: ["dealname", "business_id", "version"],
    }]);
    let manifest = Manifest::builtin("hubspot").unwrap();
    let deals = "  deals:\n    kind: crm\n";
    assert!(manifest.contains(deals));
    let manifest = manifest.replace(deals, &format!("{deals}{normalises}"));
    folder.put("connectors/hubspot.yaml", &manifest);
    let address = crm.addr;
    folder.put(
        "systems/crm.yaml",
        &format!(
            "system: crm\nconnector: connectors/hubspot.yaml\nconnection:\n  base_url: http://{address}\n  \
             allow: [\"{address}\"]\n  secrets: {{token: {{file: ./token.secret}}}}\nparameters: {{timeout_ms: 2000, \
             processing_max_ms: 300, lookback_ms: 3000}}\npoll: {{deals: 1s}}\nlimits: {{concurrency: 1}}\n\
             retry: {{base: 100ms, cap: 1s, attempts_max: 20}}\nhistory: all\n"
        ),
    );
    let named = "name: {owner: shop, pii: none}";
    folder.put(
        "model/company.yaml",
        &MODEL.replace(named, &format!("name: {{owner: shop, {policy}pii: none}}")),
    );
    folder.put(
        "mappings/company.crm.yaml",
        "mapping: company.crm\nversion: 1\nentity: Company\nsystem: crm\nobject: deals\nfields:\n  \
         - {field: name, path: dealname}\n  - {field: number, path: business_id}\n  \
         - {field: revision, path: version, transform: [number]}\n",
    );
    folder
}

fn say(folder: &Folder, version: u64, name: &str) {
    let body = json!({"event_id": format!("c1-{version}"), "id": "c1", "version": version, "name": name});
    let body = body.to_string();
    let headers = signed(body.as_bytes(), now_s(), SECRET);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let path = "/v1/webhooks/shop?object=companies";
    let (status, answer) = request(folder.ingress, "POST", path, &headers, body.as_bytes()).unwrap();
    assert!((200..300).contains(&status), "{status} {answer}");
}

/// The deal as it stands there.
fn deal(crm: &Handle) -> Option<sandbox::shelf::Object> {
    let mut books = crm.lock().books();
    let mut deals = books.objects.remove("deals").unwrap_or_default().into_values();
    let deal = deals.next()?;
    assert!(deals.next().is_none(), "it was made twice");
    Some(deal)
}

fn stands(crm: &Handle, name: &str, version: &str) -> bool {
    deal(crm).is_some_and(|deal| {
        deal.values.get("dealname") == Some(&json!(name))
            && deal.values.get("version") == Some(&json!(version))
    })
}

/// What Concord wrote there, with what differed then.
fn written(crm: &Handle) -> usize {
    let history = deal(crm).map(|deal| deal.history).unwrap_or_default();
    history.iter().filter(|one| one.actor == Actor::Integration && one.action != Action::Archive).count()
}

async fn until(folder: &Folder, what: &str, holds: impl Fn() -> bool) {
    for _ in 0..600 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never happened that {what}\n{}", folder.last_words());
}

/// Two more polls have seen everything.
async fn two_polls(folder: &Folder, crm: &Handle) {
    let searches = || crm.lock().books().calls.by_operation.get("search").copied().unwrap_or_default();
    let before = searches();
    until(folder, "it is polled", || searches() >= before + 3).await;
}

fn violations(folder: &Folder) -> usize {
    told(folder, &["record", "violations"]).as_array().map_or(0, Vec::len)
}

fn name_of(folder: &Folder) -> Value {
    told(folder, &["record", "get", "shop:c1"])["record"]["fields"]["name"].clone()
}

const SAYS: &str = "    normalises: {\"*\": trim, dealname: [lower, {length: 16}]}\n";

async fn is_written_once(policy: &str, trouble: &[FaultKind]) {
    let crm = crm().await;
    for fault in trouble {
        crm.lock().add_fault(Fault::new(fault.clone()).on("POST", "/batch/upsert").times(1));
    }
    let folder = folder(&crm, policy, SAYS);
    let checked = concord(&folder, &["check"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());

    // (a) It is written once, its echo is nobody's edit, and no later cycle writes anything, over a restart too.
    say(&folder, 1, LONG);
    until(&folder, "it arrives", || stands(&crm, KEPT, "1")).await;
    let open = || told(&folder, &["delivery", "list", "--state", "pending,retrying,uncertain,parked"]);
    until(&folder, "it is known to have arrived", || open() == json!([])).await;
    two_polls(&folder, &crm).await;
    let once = written(&crm);
    // What was sent again after a lost answer made no difference, where it was sent at all: the poll may have been faster.
    assert!((1..=1 + trouble.len()).contains(&once), "{:?}", deal(&crm));
    assert_eq!(crm.lock().books().faults.len(), trouble.len(), "what was to go wrong did");
    assert_eq!(hub.stop(), Some(0), "no clean stop:\n{}", folder.last_words());
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    two_polls(&folder, &crm).await;
    assert_eq!((written(&crm), violations(&folder)), (once, 0), "{:?}\n{}", deal(&crm), folder.last_words());
    // (d) What was cut there has not come back.
    assert_eq!(name_of(&folder), json!(LONG));

    // What differs behind the cut is no difference there: the version alone is written.
    say(&folder, 2, "Concord of Many Ways to End");
    until(&folder, "the version arrives", || stands(&crm, KEPT, "2")).await;
    let last = deal(&crm).unwrap().history.pop().unwrap().changed;
    assert_eq!(last.keys().collect::<Vec<_>>(), ["version"]);
    two_polls(&folder, &crm).await;
    assert_eq!((written(&crm), violations(&folder)), (once + 1, 0), "{:?}", deal(&crm));

    // (b) Somebody's edit is one, (c) and is dealt with once.
    let id = deal(&crm).unwrap().id;
    let values = [("dealname".to_owned(), json!("Concord of More"))].into();
    crm.person(Edit::Update { object_type: "deals".into(), id, values }).unwrap();
    until(&folder, "it is somebody's edit", || violations(&folder) > 0).await;
    let reverts = policy.contains("revert");
    if reverts {
        until(&folder, "it is put back", || stands(&crm, KEPT, "2")).await;
    }
    two_polls(&folder, &crm).await;
    two_polls(&folder, &crm).await;
    let expected = once + 1 + usize::from(reverts);
    assert_eq!(
        (written(&crm), violations(&folder)),
        (expected, 1),
        "{:?}\n{}",
        deal(&crm),
        folder.last_words()
    );
    assert_eq!(name_of(&folder), json!("Concord of Many Ways to End"));
    assert_eq!(hub.stop(), Some(0), "no clean stop:\n{}", folder.last_words());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i5_what_a_crm_makes_of_a_value_is_nobodys_edit() {
    is_written_once("", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i5_what_is_put_back_there_is_put_back_once() {
    is_written_once("on_conflict: revert, ", &[FaultKind::LostAnswer]).await;
}

/// Without a word of the connector the same CRM seems to be full of people: that is what it is for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connector_that_does_not_say_so_takes_it_for_an_edit() {
    let crm = crm().await;
    let folder = folder(&crm, "", "");
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    say(&folder, 1, LONG);
    until(&folder, "it arrives", || stands(&crm, KEPT, "1")).await;
    until(&folder, "its echo is taken for an edit", || violations(&folder) > 0).await;
    assert_eq!(hub.stop(), Some(0), "no clean stop:\n{}", folder.last_words());
}
