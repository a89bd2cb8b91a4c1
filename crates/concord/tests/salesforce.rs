//! The shipped `salesforce` connector, with a real hub between a HubSpot-shaped CRM and a Salesforce-shaped one: what people
//! do in the one reaches the other once, whatever happens on the way; what they do there comes back. The systems' own books
//! judge.

#![allow(clippy::unwrap_used, reason = "a test may end where it stands")]

#[path = "salesforce/beside.rs"]
mod beside;
#[path = "salesforce/estate.rs"]
mod estate;
mod support;

use std::time::Duration;

use estate::{Estate, create, values};
use sandbox::{Edit, Fault, FaultKind};
use serde_json::{Value, json};
use support::command::json as told;
use support::{Folder, now_s, request};

const ACCOUNTS: usize = 8;
const EACH: usize = 15;
/// What must have gone wrong.
const TROUBLE: [&str; 6] =
    ["lost_answer", "error_after", "error_before", "late_effect", "throttle", "expire_tokens"];

/// Waits until that is so, for a minute and a half at most.
#[allow(clippy::panic, reason = "a test may end where it stands")]
async fn until(folder: &Folder, what: &str, holds: impl Fn() -> bool) {
    for _ in 0..1_800 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never happened that {what}\n{}", folder.last_words());
}

/// So many accounts have arrived with their contacts, each with its account.
fn all_there(estate: &Estate, count: usize) -> bool {
    let (accounts, contacts) = (estate.live("Account"), estate.live("Contact"));
    let at_home = contacts.iter().filter(|(number, contact)| {
        let account = number.split('-').nth(1).and_then(|account| accounts.get(&format!("A-{account}")));
        account.is_some_and(|account| contact.values.get("AccountId") == Some(&json!(account.id)))
    });
    accounts.len() == count && at_home.count() == count * EACH
}

/// A session of another integration there.
fn session(estate: &Estate) -> String {
    let form = b"grant_type=client_credentials&client_id=sandbox-key&client_secret=sandbox-secret";
    let form_type = ("content-type", "application/x-www-form-urlencoded");
    let (_, body) =
        request(estate.sales.addr.port(), "POST", "/services/oauth2/token", &[form_type], form).unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    format!("Bearer {}", body["access_token"].as_str().unwrap())
}

/// What goes wrong with writes there, so likely and so often each.
fn trouble(estate: &Estate, path: &str, chance: f64, times: u64) {
    let mut world = estate.sales.lock();
    for kind in [
        FaultKind::LostAnswer,
        FaultKind::ErrorAfter { status: 503 },
        FaultKind::ErrorBefore { status: 503 },
        FaultKind::LateEffect { ms: 300, answer: false },
        FaultKind::Throttle { retry_after_s: None },
        // The others wait meanwhile, and go together.
        FaultKind::Slow { ms: 300 },
    ] {
        world.add_fault(Fault::new(kind).on("PATCH", path).chance(chance).times(times));
    }
    world.add_fault(Fault::new(FaultKind::PartialBatch { share: 0.3 }).times(3));
    // A session ends now and then. One that ended at once, again and again, would be a credential that is refused.
    for after_ms in [3_000, 8_000, 13_000] {
        let mut ends = Fault::new(FaultKind::ExpireTokens).times(1);
        ends.from_ms = Some(now_s() * 1_000 + after_ms);
        world.add_fault(ends);
    }
}

/// A hub that is killed in the middle, with all that trouble.
async fn reaches(batch: bool) {
    let estate = Estate::start(|_| {}).await;
    // More at once would open the breaker, and rightly so.
    let (path, chance, times) = if batch { ("/composite/", 1.0, 1) } else { ("/Concord_Id__c/", 0.06, 4) };
    trouble(&estate, path, chance, times);
    let folder = estate.folder(if batch { "" } else { "batch: false, auth: jwt, " });
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    estate.enter(ACCOUNTS, EACH);
    until(&folder, "some have arrived", || estate.live("Contact").len() > 10).await;
    hub.kill();
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    until(&folder, "all have arrived", || all_there(&estate, ACCOUNTS)).await;
    // Where they went in fewer calls than there is trouble, more of them meet the rest of it.
    let met = |estate: &Estate| TROUBLE.iter().all(|fault| estate.sold().faults.contains_key(*fault));
    let mut accounts = ACCOUNTS;
    while !met(&estate) && accounts < 2 * ACCOUNTS {
        accounts += 1;
        estate.enter_more(1, EACH);
        until(&folder, "more have arrived", || all_there(&estate, accounts)).await;
    }
    let contacts = accounts * EACH;
    // What is in doubt still goes again, and changes nothing.
    tokio::time::sleep(Duration::from_secs(2)).await;
    estate.expect_once_each(accounts, contacts);
    let books = estate.sold();
    let calls = |name: &str| books.calls.by_operation.get(name).copied().unwrap_or_default();
    for fault in TROUBLE {
        assert!(books.faults.contains_key(fault), "{fault} never happened: {:?}", books.faults);
    }
    assert!(calls("token") > 2, "ended sessions were renewed: {:?}", books.calls);
    if batch {
        assert!(books.faults.contains_key("row_locked"), "{:?}", books.faults);
        assert!(
            calls("collection_upsert") < contacts as u64 / 3,
            "they did not go together: {:?}",
            books.calls
        );
    } else {
        assert_eq!(calls("collection_upsert"), 0);
        assert!(calls("upsert") >= (accounts + contacts) as u64, "{:?}", books.calls);
    }
    assert_eq!(hub.stop(), Some(0), "no clean stop:\n{}", folder.last_words());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_what_one_crm_has_reaches_the_other_once_each_by_single_calls() {
    reaches(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_what_one_crm_has_reaches_the_other_once_each_by_collections() {
    reaches(true).await;
}

/// A hub beside both, with so much in them.
async fn started(estate: &Estate, more: &str, accounts: usize, contacts: usize) -> (Folder, support::Hub) {
    let folder = estate.folder(more);
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    estate.enter(accounts, contacts);
    until(&folder, "all have arrived", || {
        (estate.live("Account").len(), estate.live("Contact").len()) == (accounts, accounts * contacts)
    })
    .await;
    (folder, hub)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_change_there_comes_back() {
    // Changes of one second are more than a page.
    let estate = Estate::start(|options| options.page_rows = 5).await;
    let (folder, mut hub) = started(&estate, "", 3, 6).await;
    let phones = |number: &str| estate.crm("contacts")[number].values["phone"].clone();

    // The session ends meanwhile.
    assert!(estate.sales.lock().expire_tokens());
    for number in estate.live("Contact").keys().filter(|number| *number != "C-2-5") {
        estate.change("Contact", number, json!({"Phone": format!("+49 {number}")}));
    }
    estate.change("Account", "A-1", json!({"Name": "Renamed there"}));
    until(&folder, "the first CRM has heard of each change", || {
        let contacts = estate.crm("contacts");
        let heard =
            contacts.iter().filter(|(number, held)| held.values["phone"] == json!(format!("+49 {number}")));
        heard.count() == 17 && estate.crm("companies")["A-1"].values["name"] == "Renamed there"
    })
    .await;
    assert_eq!(phones("C-2-5"), "1", "nobody changed it");
    assert!(estate.sold().calls.by_status[&401] >= 1);

    // Somebody new, and of an account that both have.
    let account = estate.live("Account")["A-0"].id.clone();
    let fresh = json!({"LastName": "O'Hara", "Email": "ohara@x.example", "AccountId": account});
    create(&estate.sales, "Contact", fresh);
    let by_mail = |mail: &str| estate.crm("contacts").into_values().find(|held| held.values["email"] == mail);
    until(&folder, "who is new there is new here", || by_mail("ohara@x.example").is_some()).await;
    let company = estate.crm("companies")["A-0"].id.clone();
    let here = by_mail("ohara@x.example").unwrap();
    assert_eq!(
        (&here.values["lastname"], &here.values["associatedcompanyid"]),
        (&json!("O'Hara"), &json!(company))
    );

    // A deletion.
    let gone = estate.live("Contact")["C-0-0"].id.clone();
    estate.sales.person(Edit::Delete { object_type: "Contact".into(), id: gone }).unwrap();
    until(&folder, "who was deleted there is archived here", || {
        !estate.crm("contacts").contains_key("C-0-0")
    })
    .await;

    // And the other way; that its answer is lost, and it is done again, is nobody's business.
    estate
        .sales
        .lock()
        .add_fault(Fault::new(FaultKind::LostAnswer).on("DELETE", "/sobjects/Contact/").times(1));
    let gone = estate.crm("contacts")["C-0-2"].id.clone();
    estate.crm.person(Edit::Delete { object_type: "contacts".into(), id: gone }).unwrap();
    until(&folder, "who was archived here is deleted there", || {
        !estate.live("Contact").contains_key("C-0-2")
    })
    .await;
    until(&folder, "the deletion was sent again", || estate.sold().calls.by_operation["delete"] == 2).await;

    // Somebody who is there twice, the newer one stays: it is the same person here.
    let old = estate.live("Contact")["C-0-1"].id.clone();
    let keep = create(&estate.sales, "Contact", json!({"LastName": "Of C-0-1", "Phone": "+49 merged"}));
    let merge = Edit::Merge { object_type: "Contact".into(), keep: keep.clone(), gone: old };
    estate.sales.person(merge).unwrap();
    until(&folder, "the link follows to the one that is left", || phones("C-0-1") == "+49 merged").await;
    estate
        .sales
        .person(Edit::Update {
            object_type: "Contact".into(),
            id: keep,
            values: values(json!({"Phone": "+49 later"})),
        })
        .unwrap();
    until(&folder, "what is left goes on speaking", || phones("C-0-1") == "+49 later").await;
    assert_eq!(estate.crm("contacts").len(), 17, "18 and one new, two gone");
    assert!(estate.crm.lock().books().duplicates.is_empty());
    let dead = told(&folder, &["dead-letter", "list"]);
    assert_eq!(dead, json!([]), "nothing was left lying");
    assert_eq!(hub.stop(), Some(0), "no clean stop:\n{}", folder.last_words());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_become_one_there_are_a_persons_and_nothing_is_made_anew() {
    let estate = Estate::start(|_| {}).await;
    let (folder, mut hub) = started(&estate, "", 1, 3).await;
    let id = |number: &str| estate.live("Contact")[number].id.clone();
    let merge = Edit::Merge { object_type: "Contact".into(), keep: id("C-0-0"), gone: id("C-0-1") };
    estate.sales.person(merge).unwrap();
    let letters = || told(&folder, &["dead-letter", "list"]).to_string();
    until(&folder, "a person is asked", || letters().contains("merged_there")).await;
    // What the first CRM says of both goes on: of the one it arrives, of the other it waits.
    for number in ["C-0-0", "C-0-1", "C-0-2"] {
        let id = estate.crm("contacts")[number].id.clone();
        let changed = values(json!({"lastname": format!("Changed {number}")}));
        estate.crm.person(Edit::Update { object_type: "contacts".into(), id, values: changed }).unwrap();
    }
    let arrived = |number: &str| {
        estate.live("Contact")[number].values["LastName"] == json!(format!("Changed {number}"))
    };
    until(&folder, "the others are as before", || arrived("C-0-0") && arrived("C-0-2")).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    estate.expect_once_each(1, 3);
    assert_eq!((estate.live("Contact").len(), estate.crm("contacts").len()), (2, 3));
    assert_eq!(hub.stop(), Some(0), "no clean stop:\n{}", folder.last_words());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_others_hold_are_waited_for_and_the_hub_holds_none_against_itself() {
    // Each call holds its rows for a while.
    let estate = Estate::start(|options| options.limits.service_ms = 150).await;
    let (folder, mut hub) = started(&estate, "batch: false, ", 2, 12).await;
    assert_eq!(estate.sold().faults.get("row_locked"), None, "no two calls at once for one account");
    let session = session(&estate);
    let accounts: Vec<String> = estate.live("Account").into_values().map(|account| account.id).collect();
    let port = estate.sales.addr.port();
    estate.sales.lock().add_fault(Fault::new(FaultKind::Slow { ms: 3_000 }).holding("nightly"));
    let others: Vec<_> = accounts
        .into_iter()
        .map(|id| {
            let session = session.clone();
            tokio::task::spawn_blocking(move || {
                let headers = [("authorization", session.as_str()), ("content-type", "application/json")];
                let path = format!("/services/data/v66.0/sobjects/Account/{id}");
                request(port, "PATCH", &path, &headers, br#"{"Description": "nightly job"}"#).unwrap().0
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    for (number, contact) in estate.crm("contacts") {
        let changed = values(json!({"phone": format!("+49 {number}")}));
        estate
            .crm
            .person(Edit::Update { object_type: "contacts".into(), id: contact.id, values: changed })
            .unwrap();
    }
    until(&folder, "all changes have arrived", || {
        estate
            .live("Contact")
            .iter()
            .all(|(number, contact)| contact.values["Phone"] == json!(format!("+49 {number}")))
    })
    .await;
    for other in others {
        assert_eq!(other.await.unwrap(), 204, "the other one's work went on");
    }
    assert!(estate.sold().faults["row_locked"] >= 1);
    estate.expect_once_each(2, 24);
    assert_eq!(told(&folder, &["dead-letter", "list"]), json!([]));
    assert_eq!(hub.stop(), Some(0), "no clean stop:\n{}", folder.last_words());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_refuses_is_a_dead_letter_in_its_own_words_and_without_values() {
    let estate = Estate::start(|_| {}).await;
    let (folder, mut hub) = started(&estate, "", 1, 2).await;
    let rule = FaultKind::Rule { message: "Machines are nobody's customers.".into() };
    estate.sales.lock().add_fault(Fault::new(rule).holding("Robot"));
    let long = format!("Verylong{}", "x".repeat(80));
    for (number, name) in
        [("C-9-0", "Fine"), ("C-9-1", "Robot"), ("C-9-2", long.as_str()), ("C-9-3", "Fine too")]
    {
        let email = format!("{}@x.example", number.to_lowercase());
        create(&estate.crm, "contacts", json!({"business_id": number, "lastname": name, "email": email}));
    }
    until(&folder, "the others have arrived", || {
        let there = estate.live("Contact");
        there.contains_key("C-9-0") && there.contains_key("C-9-3")
    })
    .await;
    let letters = || told(&folder, &["dead-letter", "list"]);
    until(&folder, "two are a person's", || letters().as_array().map_or(0, Vec::len) == 2).await;
    let mut words = String::new();
    for letter in letters().as_array().unwrap() {
        words.push_str(&told(&folder, &["dead-letter", "get", letter["key"].as_str().unwrap()]).to_string());
    }
    for said in [
        "Machines are nobody's customers.",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        "STRING_TOO_LONG",
        "Last Name: data value too large: ",
    ] {
        assert!(words.contains(said), "{said} is not in {words}");
    }
    assert!(!words.contains("Verylong"), "no value is shown (I15): {words}");
    assert_eq!(estate.live("Contact").len(), 4);
    assert_eq!(hub.stop(), Some(0), "no clean stop:\n{}", folder.last_words());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_that_is_used_up_is_waited_for() {
    let estate = Estate::start(|_| {}).await;
    let (folder, mut hub) = started(&estate, "", 1, 2).await;
    let daily = |calls: u64| {
        let mut world = estate.sales.lock();
        let limits = sandbox::Limits { daily: calls, ..world.limits().clone() };
        world.set_limits(limits);
    };
    daily(1);
    estate.enter_more(1, 10);
    let refused = || estate.sold().calls.by_status.get(&403).copied().unwrap_or_default();
    until(&folder, "it is said that no calls are left", || refused() > 0).await;
    let (before, calls) = (refused(), estate.sold().calls.total);
    tokio::time::sleep(Duration::from_secs(9)).await;
    let (after, later) = (refused(), estate.sold().calls.total);
    // Every four seconds one looks whether there are any again, and what was on its way ends.
    assert!(after - before <= 6, "{} refused calls in 9 s", after - before);
    assert!(later - calls <= 8, "{} calls in 9 s", later - calls);
    assert_eq!(estate.live("Contact").len(), 2);
    daily(100_000);
    until(&folder, "it goes on", || estate.live("Contact").len() == 12).await;
    estate.expect_once_each(2, 12);
    assert_eq!(told(&folder, &["dead-letter", "list"]), json!([]));
    assert_eq!(hub.stop(), Some(0), "no clean stop:\n{}", folder.last_words());
}
