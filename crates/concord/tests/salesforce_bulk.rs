//! The shipped `salesforce` connector and Bulk API 2.0, with a real hub between a HubSpot-shaped CRM and a Salesforce-shaped one:
//! a backfill goes by jobs, each record once and accounted for, whatever happens on the way. The systems' own books judge.

#![allow(clippy::unwrap_used, reason = "a test may end where it stands")]

#[allow(dead_code, reason = "each test uses a part of it")]
#[path = "salesforce/estate.rs"]
mod estate;
mod support;

use std::time::Duration;

use estate::Estate;
use sandbox::{Fault, FaultKind};
use serde_json::json;
use support::command::{concord, json as told};
use support::{Folder, Hub};

/// Waits until that is so, for some minutes at most.
#[allow(clippy::panic, reason = "a test may end where it stands")]
async fn until(folder: &Folder, what: &str, holds: impl Fn() -> bool) {
    for _ in 0..4_800 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never happened that {what}\n{}", folder.last_words());
}

/// A configuration in which contacts are a backfill there: they go on the bulk lane. `changes`: of the manifest.
fn folder(estate: &Estate, changes: &[(&str, &str)]) -> Folder {
    let folder = estate.folder("");
    let read = |path: &str| std::fs::read_to_string(folder.path().join(path)).unwrap();
    let routes = read("routes/all.yaml");
    let from = "mapping: contact.sales, ";
    assert!(routes.contains(from));
    folder.put("routes/all.yaml", &routes.replace(from, "mapping: contact.sales, lane: bulk, "));
    let mut manifest = read("connectors/salesforce.yaml");
    for (from, to) in changes {
        assert!(manifest.contains(from), "{from}");
        manifest = manifest.replace(from, to);
    }
    folder.put("connectors/salesforce.yaml", &manifest);
    // Where jobs are smaller than what waits, all of it is held in memory all the same, so that it can be counted.
    if changes.len() > QUICKLY.len() {
        let system = read("systems/sales.yaml");
        folder
            .put("systems/sales.yaml", &system.replace("{concurrency: 4}", "{concurrency: 4, window: 4000}"));
    }
    folder
}

/// What is asked of a job more often, so that a test need not wait.
const QUICKLY: [(&str, &str); 2] = [("every: 5s", "every: 200ms"), ("every_max: 2m", "every_max: 1s")];

fn calls(estate: &Estate, name: &str) -> u64 {
    estate.sold().calls.by_operation.get(name).copied().unwrap_or_default()
}

/// A hub that has read all of the first CRM, and delivers nothing to the second one yet.
#[allow(clippy::panic, reason = "a test may end where it stands")]
async fn read_all(estate: &Estate, folder: &Folder, accounts: usize, contacts: usize) -> Hub {
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    estate.enter(accounts, 0);
    until(folder, "the accounts have arrived", || estate.live("Account").len() == accounts).await;
    let paused = concord(folder, &["system", "pause", "sales", "--reason", "a backfill"]);
    assert!(paused.status.success(), "{paused:?}");
    for (number, company) in estate.crm("companies") {
        let account = number.trim_start_matches("A-").to_owned();
        for contact in 0..contacts / accounts {
            let number = format!("C-{account}-{contact}");
            estate::create(
                &estate.crm,
                "contacts",
                json!({"business_id": number, "email": format!("{}@x.example", number.to_lowercase()),
                       "firstname": "Ann", "lastname": format!("Of \"{number}\",\n=1+1"), "phone": "1",
                       "associatedcompanyid": company.id}),
            );
        }
    }
    for _ in 0..480 {
        let sheet = told(folder, &["system", "get", "sales"]);
        let bulk =
            sheet["lanes"].as_array().and_then(|lanes| lanes.iter().find(|lane| lane["lane"] == "bulk"));
        let ready = bulk.and_then(|lane| lane["ready"].as_u64()).unwrap_or(0);
        if ready >= contacts as u64 {
            return hub;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("not all of them wait\n{}", folder.last_words());
}

fn resume(folder: &Folder) {
    let resumed = concord(folder, &["system", "resume", "sales", "--reason", "go"]);
    assert!(resumed.status.success(), "{resumed:?}");
}

/// What each one's values are there.
fn expect_values(estate: &Estate, count: usize) {
    let (accounts, contacts) = (estate.live("Account"), estate.live("Contact"));
    assert_eq!(contacts.len(), count);
    for (number, contact) in &contacts {
        let account = number.split('-').nth(1).unwrap();
        assert_eq!(contact.values["LastName"], json!(format!("Of \"{number}\",\n=1+1")));
        assert_eq!(contact.values["AccountId"], json!(accounts[&format!("A-{account}")].id));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn some_thousand_go_in_a_job_and_the_day_has_calls_left() {
    const ACCOUNTS: usize = 3;
    const CONTACTS: usize = 3_000;
    let estate = Estate::start(|options| options.limits.job_ms = 500).await;
    let folder = folder(&estate, &QUICKLY);
    let mut hub = read_all(&estate, &folder, ACCOUNTS, CONTACTS).await;
    let before = ["upsert", "collection_upsert"].map(|name| calls(&estate, name));
    resume(&folder);
    until(&folder, "all have arrived", || estate.live("Contact").len() == CONTACTS).await;
    until(&folder, "nothing runs any more", || {
        told(&folder, &["system", "get", "sales"])["jobs"].as_array().is_none_or(Vec::is_empty)
    })
    .await;
    estate.expect_once_each(ACCOUNTS, CONTACTS);
    expect_values(&estate, CONTACTS);
    let after = ["upsert", "collection_upsert"].map(|name| calls(&estate, name));
    let jobs: u64 =
        ["job", "job_upload", "job_change", "job_read"].map(|name| calls(&estate, name)).iter().sum();
    let others = after[0] - before[0] + after[1] - before[1];
    assert_eq!(calls(&estate, "job"), 1, "{:?}", estate.sold().calls);
    assert!(jobs + others < CONTACTS as u64 / 200, "{jobs} and {others} calls: {:?}", estate.sold().calls);
    assert_eq!(told(&folder, &["dead-letter", "list"]), json!([]));
    assert_eq!(hub.stop(), Some(0), "no clean stop:\n{}", folder.last_words());
}

/// Smaller jobs, so that there are several.
const SMALLER: [(&str, &str); 2] =
    [("records_max: 5000", "records_max: 300"), ("records_min: 2000", "records_min: 100")];

fn changes() -> Vec<(&'static str, &'static str)> {
    QUICKLY.into_iter().chain(SMALLER).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_jobs_survive_kills_at_each_step_and_answers_that_are_lost_at_each() {
    const ACCOUNTS: usize = 3;
    const CONTACTS: usize = 1_500;
    let estate = Estate::start(|options| options.limits.job_ms = 1_500).await;
    let folder = folder(&estate, &changes());
    let mut hub = read_all(&estate, &folder, ACCOUNTS, CONTACTS).await;
    {
        let mut world = estate.sales.lock();
        let ingest = "/jobs/ingest";
        for (method, kind) in [
            ("POST", FaultKind::LostAnswer),
            ("PUT", FaultKind::LostAnswer),
            ("PATCH", FaultKind::LostAnswer),
            ("PATCH", FaultKind::ErrorBefore { status: 503 }),
            ("POST", FaultKind::ErrorAfter { status: 503 }),
            ("GET", FaultKind::LostAnswer),
        ] {
            world.add_fault(Fault::new(kind).on(method, ingest).chance(0.5).times(1));
        }
        // Each step takes a while: there the kill falls.
        for method in ["POST", "PUT", "PATCH"] {
            world.add_fault(Fault::new(FaultKind::Slow { ms: 400 }).on(method, ingest));
        }
        world.add_fault(Fault::new(FaultKind::PartialBatch { share: 0.1 }).on("PUT", ingest).times(6));
    }
    resume(&folder);
    for step in ["job", "job_upload", "job_change", "job_read"] {
        let so_far = calls(&estate, step);
        until(&folder, step, || calls(&estate, step) > so_far || estate.live("Contact").len() == CONTACTS)
            .await;
        hub.kill();
        hub = folder.up(&[]);
        assert!(hub.ready(), "{}", folder.last_words());
    }
    until(&folder, "all have arrived", || estate.live("Contact").len() == CONTACTS).await;
    until(&folder, "nothing runs any more", || {
        told(&folder, &["system", "get", "sales"])["jobs"].as_array().is_none_or(Vec::is_empty)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    estate.expect_once_each(ACCOUNTS, CONTACTS);
    expect_values(&estate, CONTACTS);
    let books = estate.sold();
    for fault in ["lost_answer", "error_before", "row_locked"] {
        assert!(books.faults.contains_key(fault), "{fault} never happened: {:?}", books.faults);
    }
    assert!(calls(&estate, "job") >= 3, "{:?}", books.calls);
    // No row was written more often than its lost answers and kills explain: most once.
    let runs = &books.effects["flows_run"];
    let twice = runs.iter().filter(|(number, times)| number.starts_with("C-") && **times > 1).count();
    assert!(twice <= CONTACTS / 2, "{twice} were written again");
    assert_eq!(told(&folder, &["dead-letter", "list"]), json!([]));
    assert_eq!(hub.stop(), Some(0), "no clean stop:\n{}", folder.last_words());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_job_did_not_come_to_goes_in_collections_and_what_is_refused_is_a_dead_letter() {
    const ACCOUNTS: usize = 2;
    const CONTACTS: usize = 400;
    let estate = Estate::start(|options| options.limits.job_ms = 300).await;
    let folder = folder(&estate, &changes());
    let mut hub = read_all(&estate, &folder, ACCOUNTS, CONTACTS).await;
    {
        let mut world = estate.sales.lock();
        world.add_fault(Fault::new(FaultKind::FailedJob { share: 0.4 }).times(1));
        let rule = FaultKind::Rule { message: "Machines are nobody's customers.".into() };
        world.add_fault(Fault::new(rule).holding("c-0-7@x.example"));
    }
    resume(&folder);
    until(&folder, "all but one have arrived", || estate.live("Contact").len() == CONTACTS - 1).await;
    let letters = || told(&folder, &["dead-letter", "list"]);
    until(&folder, "one is a person's", || letters().as_array().map_or(0, Vec::len) == 1).await;
    let key = letters()[0]["key"].as_str().unwrap().to_owned();
    let words = told(&folder, &["dead-letter", "get", &key]).to_string();
    assert!(words.contains("Machines are nobody's customers."), "{words}");
    assert!(!words.contains("c-0-7@x.example"), "no value is shown (I15): {words}");
    estate.expect_once_each(ACCOUNTS, CONTACTS - 1);
    let books = estate.sold();
    assert_eq!(books.faults["failed_job"], 1);
    assert!(calls(&estate, "collection_upsert") > 0, "{:?}", books.calls);
    assert_eq!(hub.stop(), Some(0), "no clean stop:\n{}", folder.last_words());
}
