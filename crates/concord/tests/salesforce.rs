//! The shipped `salesforce` connector, with a real hub between a HubSpot-shaped CRM and a Salesforce-shaped one: what people
//! do in the one reaches the other once, whatever happens on the way; what they do there comes back. The systems' own books
//! judge.

#![allow(clippy::unwrap_used, reason = "a test may end where it stands")]

#[path = "salesforce/estate.rs"]
mod estate;
mod support;

use std::time::Duration;

use estate::{Estate, create, values};
use sandbox::{Edit, Fault, FaultKind};
use serde_json::{Value, json};
use support::command::json as told;
use support::{Folder, request};

const ACCOUNTS: usize = 8;
const EACH: usize = 15;
const CONTACTS: usize = ACCOUNTS * EACH;

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

/// All of them have arrived, each with its account.
fn all_there(estate: &Estate) -> bool {
    let (accounts, contacts) = (estate.live("Account"), estate.live("Contact"));
    let at_home = contacts.iter().filter(|(number, contact)| {
        let account = number.split('-').nth(1).and_then(|account| accounts.get(&format!("A-{account}")));
        account.is_some_and(|account| contact.values.get("AccountId") == Some(&json!(account.id)))
    });
    accounts.len() == ACCOUNTS && at_home.count() == CONTACTS
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_what_one_crm_has_reaches_the_other_once_each_whatever_happens_on_the_way() {
    let estate = Estate::start().await;
    {
        let mut world = estate.sales.lock();
        let faults = [
            Fault::new(FaultKind::LostAnswer).on("PATCH", "/Concord_Id__c/").times(4),
            Fault::new(FaultKind::LostAnswer).on("PATCH", "/composite/").times(3),
            Fault::new(FaultKind::ErrorAfter { status: 503 }).on("PATCH", "/Concord_Id__c").times(3),
            Fault::new(FaultKind::ErrorBefore { status: 503 }).on("PATCH", "/Concord_Id__c").times(3),
            Fault::new(FaultKind::LateEffect { ms: 300, answer: false })
                .on("PATCH", "/Concord_Id__c")
                .times(2),
            Fault::new(FaultKind::Throttle { retry_after_s: None })
                .on("PATCH", "/Concord_Id__c")
                .chance(0.3)
                .times(4),
            Fault::new(FaultKind::PartialBatch { share: 0.3 }).times(6),
            Fault::new(FaultKind::Slow { ms: 300 }).on("PATCH", "/Concord_Id__c").times(8),
            Fault::new(FaultKind::ExpireTokens).on("PATCH", "/Concord_Id__c").chance(0.2).times(3),
        ];
        for fault in faults {
            world.add_fault(fault);
        }
    }
    let folder = estate.folder();
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    estate.enter(ACCOUNTS, EACH);
    until(&folder, "a third has arrived", || estate.live("Contact").len() > CONTACTS / 3).await;
    hub.kill();
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    until(&folder, "all have arrived", || all_there(&estate)).await;
    estate.expect_once_each(ACCOUNTS, CONTACTS);
    let books = estate.sold();
    let calls = &books.calls.by_operation;
    assert!(calls.contains_key("upsert") && calls.contains_key("collection_upsert"), "{calls:?}");
    for fault in
        ["lost_answer", "error_after", "error_before", "late_effect", "partial_batch", "expire_tokens"]
    {
        assert!(books.faults.contains_key(fault), "{fault} never happened: {:?}", books.faults);
    }
    let writes: u64 = ["upsert", "collection_upsert", "update", "collection_update"]
        .iter()
        .filter_map(|name| calls.get(*name))
        .sum();
    assert!(writes < CONTACTS as u64, "{writes} calls: they did not go together ({calls:?})");
    assert_eq!(hub.stop(), Some(0), "no clean stop:\n{}", folder.last_words());
}
