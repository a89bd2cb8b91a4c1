//! Associations at a HubSpot-shaped CRM, with real processes: contacts are made and associated with their companies, moved
//! to others, and taken away; answers are lost at each step, and the hub is killed between them. Whoever looks at the CRM
//! sees each association made once and ended once, and in the end what the source says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may end where it stands")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sandbox::{Edit, Fault, FaultKind, Handle, Kind, Options, Property, Sandbox, WebhookTarget};
use serde_json::{Value, json};
use support::{Folder, SECRET, now_s, request, signed};

const CONTACTS: usize = 6;

const COMPANY: &str = "entity: Company
version: 1
schema: {type: object, properties: {name: {type: string}, number: {type: string}}}
fields: {name: {owner: shop, pii: none}, number: {owner: shop, pii: none}}
match_keys: [{name: number, fields: [number]}]
creators: [shop]
";

const CONTACT: &str = "entity: Contact
version: 1
schema:
  type: object
  properties:
    name: {type: string}
    number: {type: string}
    company: {type: string, format: record, x-entity: Company}
fields:
  name: {owner: shop, pii: none}
  number: {owner: shop, pii: none}
  company: {owner: shop, on_conflict: revert, pii: none}
match_keys: [{name: number, fields: [number]}]
creators: [shop]
";

fn property(object: &str, name: &str, unique: bool) -> Property {
    Property {
        object_type: object.to_owned(),
        name: name.to_owned(),
        value_type: "string".to_owned(),
        has_unique_value: unique,
        options: Vec::new(),
    }
}

async fn crm() -> Handle {
    let mut options = Options::of(Kind::HubSpot);
    options.limits.burst = 0;
    options.limits.search_per_second = 0;
    options.limits.index_lag_ms = 0;
    options.properties = vec![
        property("contacts", "concord_id", true),
        property("contacts", "business_id", false),
        property("companies", "concord_id", false),
        property("companies", "business_id", false),
    ];
    Sandbox::start(Kind::HubSpot, options).await.unwrap()
}

fn mapping(name: &str, entity: &str, system: &str, object: &str, rows: &[&str]) -> String {
    let rows: String = rows.iter().map(|row| format!("  - {{{row}}}\n")).collect();
    format!(
        "mapping: {name}\nversion: 1\nentity: {entity}\nsystem: {system}\nobject: {object}\nfields:\n{rows}"
    )
}

fn folder(crm: &Handle) -> Folder {
    let folder = Folder::new(&[]);
    let address = crm.addr;
    folder.put("hook.secret", "hook-secret");
    let url = format!("http://127.0.0.1:{}/v1/webhooks/crm", folder.ingress);
    let events = vec!["contact.propertyChange".to_owned()];
    crm.lock().set_webhook(Some(WebhookTarget { url, secret: "hook-secret".to_owned(), events }), 0);
    folder.put("model/company.yaml", COMPANY);
    folder.put("model/contact.yaml", CONTACT);
    folder.put(
        "systems/crm.yaml",
        &format!(
            "system: crm\nconnector: hubspot\nparameters: {{timeout_ms: 2000, processing_max_ms: 300, index_lag_ms: 100}}\n\
             connection:\n  base_url: http://{address}\n  allow: [\"{address}\"]\n  secrets: {{token: {{file: ./token.secret}}}}\n\
             webhook: {{path: crm, secrets: [{{file: ./hook.secret}}]}}\n\
             retry: {{base: 100ms, cap: 1s, attempts_max: 30}}\n"
        ),
    );
    for (name, entity, system, object, rows) in [
        (
            "company.shop",
            "Company",
            "shop",
            "companies",
            &["field: name, path: name, direction: in", "field: number, path: id, direction: in"][..],
        ),
        (
            "contact.shop",
            "Contact",
            "shop",
            "contacts",
            &[
                "field: name, path: name, direction: in",
                "field: number, path: id, direction: in",
                "field: company, path: company, direction: in, on_null: \"null\", ref: {entity: Company, object: companies}",
            ],
        ),
        (
            "company.crm",
            "Company",
            "crm",
            "companies",
            &["field: name, path: name, direction: out", "field: number, path: business_id"],
        ),
        (
            "contact.crm",
            "Contact",
            "crm",
            "contacts",
            &[
                "field: name, path: lastname, direction: out",
                "field: number, path: business_id",
                "field: company, path: associations.companies, on_null: \"null\", ref: {entity: Company, object: companies}",
            ],
        ),
    ] {
        folder.put(&format!("mappings/{name}.yaml"), &mapping(name, entity, system, object, rows));
    }
    folder.put(
        "routes/all.yaml",
        "routes:\n  - {route: company, kind: sync, entity: Company, system: crm, object: companies, mapping: company.crm}\n  \
         - {route: contact, kind: sync, entity: Contact, system: crm, object: contacts, mapping: contact.crm}\n",
    );
    folder
}

/// The shop says something, until it is acknowledged.
fn say(port: u16, object: &str, mut what: Value, version: u64) {
    what["version"] = json!(version);
    what["event_id"] = json!(format!("{}-{version}", what["id"]));
    let body = what.to_string();
    for _ in 0..200 {
        let headers = signed(body.as_bytes(), now_s(), SECRET);
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let path = format!("/v1/webhooks/shop?object={object}");
        if matches!(request(port, "POST", &path, &headers, body.as_bytes()), Ok((200..=299, _))) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{object} is not taken");
}

fn ask(crm: &Handle, method: &str, path: &str) -> Value {
    let headers = [("authorization", "Bearer pat-sandbox")];
    let (_, body) = request(crm.addr.port(), method, path, &headers, b"").unwrap();
    serde_json::from_str(&body).unwrap_or_default()
}

/// The vendor's id of each live object, by the shop's number.
fn ids(crm: &Handle, kind: &str) -> BTreeMap<String, String> {
    let objects = crm.lock().books().objects.remove(kind).unwrap_or_default();
    let number = |object: &sandbox::shelf::Object| object.values["business_id"].as_str().unwrap().to_owned();
    objects.into_values().map(|object| (number(&object), object.id)).collect()
}

/// Contact → companies that it is associated with, by the shop's numbers.
fn associated(crm: &Handle) -> BTreeMap<String, BTreeSet<String>> {
    let companies: BTreeMap<String, String> =
        ids(crm, "companies").into_iter().map(|(number, id)| (id, number)).collect();
    let of = |id: &String| {
        let read = ask(crm, "GET", &format!("/crm/v4/objects/contacts/{id}/associations/companies"));
        let ends = read["results"].as_array().cloned().unwrap_or_default();
        ends.iter().map(|end| companies[&end["toObjectId"].to_string().replace('"', "")].clone()).collect()
    };
    ids(crm, "contacts").iter().map(|(number, id)| (number.clone(), of(id))).collect()
}

fn wanted(company: impl Fn(usize) -> Option<&'static str>) -> BTreeMap<String, BTreeSet<String>> {
    let of = |number: usize| company(number).into_iter().map(str::to_owned).collect();
    (0..CONTACTS).map(|number| (format!("k{number}"), of(number))).collect()
}

async fn agree(crm: &Handle, wanted: &BTreeMap<String, BTreeSet<String>>, folder: &Folder) {
    for _ in 0..600 {
        if associated(crm) == *wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(associated(crm), *wanted, "{}", folder.last_words());
}

async fn fired(crm: &Handle, kind: &str, times: u64) {
    for _ in 0..600 {
        if crm.lock().books().faults.get(kind).copied() >= Some(times) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{kind} did not happen: {:?}", crm.lock().books().faults);
}

/// Waits until no delivery is open; how many have failed.
async fn at_rest(folder: &Folder) -> usize {
    let listed = |state: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_concord"))
            .arg("--dir")
            .arg(folder.path())
            .args(["delivery", "list", "--state", state, "--output", "json"])
            .output()
            .unwrap();
        let rows: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        rows.as_array().map_or(0, Vec::len)
    };
    for _ in 0..200 {
        if ["pending", "in_flight", "retrying", "parked"].iter().all(|state| listed(state) == 0) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ["pending", "retrying", "uncertain", "dead"].iter().map(|state| listed(state)).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_an_association_is_made_moved_and_taken_back_once_whatever_is_lost() {
    let crm = crm().await;
    let folder = folder(&crm);
    let port = folder.ingress;
    let contact = |number: usize, company: Option<&str>| json!({"id": format!("k{number}"), "name": format!("Contact {number}"), "company": company});
    let lost = |method: &str, part: &str| Fault::new(FaultKind::LostAnswer).on(method, part);

    // Made: the answer to a create is lost, then those to associations; and the hub is killed while one is under way.
    {
        let mut world = crm.lock();
        world.add_fault(lost("POST", "/contacts/batch/upsert").times(1));
        world.add_fault(lost("PUT", "/associations/").times(2));
        world.add_fault(Fault::new(FaultKind::Hang { effect: false }).on("PUT", "/associations/").times(2));
        world.add_fault(
            Fault::new(FaultKind::ErrorBefore { status: 503 }).on("PUT", "/associations/").times(1),
        );
    }
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    for (number, name) in ["c1", "c2", "c3"].iter().enumerate() {
        say(port, "companies", json!({"id": name, "name": format!("Company {number}")}), 1);
    }
    for number in 0..CONTACTS {
        say(port, "contacts", contact(number, Some("c1")), 1);
    }
    fired(&crm, "hang", 1).await;
    hub.kill();
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    agree(&crm, &wanted(|_| Some("c1")), &folder).await;
    assert_eq!(at_rest(&folder).await, 0, "{}", folder.last_words());

    // Moved: the old one ends, then the new one is made; killed in between.
    {
        let mut world = crm.lock();
        world.clear_faults();
        world.add_fault(lost("PUT", "/associations/").times(2));
        world.add_fault(lost("DELETE", "/associations/").times(2));
        world.add_fault(Fault::new(FaultKind::Hang { effect: true }).on("DELETE", "/associations/").times(1));
    }
    for number in 0..CONTACTS {
        say(port, "contacts", contact(number, Some(if number < 3 { "c2" } else { "c1" })), 2);
    }
    fired(&crm, "hang", 3).await;
    hub.kill();
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    agree(&crm, &wanted(|number| Some(if number < 3 { "c2" } else { "c1" })), &folder).await;
    assert_eq!(at_rest(&folder).await, 0, "{}", folder.last_words());

    // Taken back, of one of each.
    crm.lock().clear_faults();
    crm.lock().add_fault(lost("DELETE", "/associations/").times(1));
    for number in [0, 3] {
        say(port, "contacts", contact(number, None), 3);
    }
    let last = |number: usize| (!number.is_multiple_of(3)).then_some(if number < 3 { "c2" } else { "c1" });
    agree(&crm, &wanted(last), &folder).await;
    assert_eq!(at_rest(&folder).await, 0, "{}", folder.last_words());

    let faults = crm.lock().books().faults;
    assert_eq!((faults.get("lost_answer"), faults.get("hang")), (Some(&8), Some(&3)), "{faults:?}");
    let books = crm.lock().books();
    assert_eq!(books.objects["contacts"].len(), CONTACTS, "each was made once (I3)");
    let (made, ended) = (&books.effects["associations_made"], &books.effects["associations_ended"]);
    assert_eq!((made.len(), ended.len()), (CONTACTS + 3, 5), "{made:?} {ended:?}");
    assert!(made.values().chain(ended.values()).all(|times| *times == 1), "twice (I3): {made:?} {ended:?}");

    // Somebody moves one there: what is read back is an edit, which is reverted (I6).
    let (contacts, companies) = (ids(&crm, "contacts"), ids(&crm, "companies"));
    let (id, of) = (&contacts["k1"], |name: &str| &companies[name]);
    let path = format!("/crm/v4/objects/contacts/{id}/associations");
    ask(&crm, "PUT", &format!("{path}/default/companies/{}", of("c3")));
    ask(&crm, "DELETE", &format!("{path}/companies/{}", of("c2")));
    let values = [("phone".to_owned(), json!("1"))].into();
    crm.person(Edit::Update { object_type: "contacts".to_owned(), id: id.clone(), values }).unwrap();
    agree(&crm, &wanted(last), &folder).await;
    assert_eq!(at_rest(&folder).await, 0, "{}", folder.last_words());
    let calls = crm.lock().books().calls.by_operation;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let later = crm.lock().books().calls.by_operation;
    assert_eq!(
        (calls.get("associate"), calls.get("dissociate")),
        (later.get("associate"), later.get("dissociate")),
        "it is at rest"
    );
    assert_eq!(hub.stop(), Some(0), "no clean stop:\n{}", folder.last_words());
}
