//! Real third-party systems: localstripe, told by the official Stripe client, and the Tryton ERP, by its own JSON-RPC,
//! with the hub between them. Nothing is lost through kills of Tryton and of the hub and through lost webhooks (I1),
//! nothing is made twice (I3), and nothing goes round in circles (I6), judged by what the two systems hold.
//!
//! `./test --beds` runs it; it installs from PyPI and takes some minutes. What was seen goes to
//! `target/beds/report.md`.
#![allow(
    clippy::unwrap_used,
    clippy::let_underscore_must_use,
    clippy::panic,
    clippy::print_stdout,
    clippy::use_debug,
    reason = "helpers of a test: failing is how they report"
)]

#[path = "beds/acts.rs"]
mod acts;
#[path = "beds/both.rs"]
mod both;
#[path = "beds/proxy.rs"]
mod proxy;
mod support;
#[path = "beds/systems.rs"]
mod systems;
#[path = "beds/trade.rs"]
mod trade;

use std::fs;
use std::time::Duration;

use both::{Beds, DOUBT, HEALED, SOON, WEBHOOK_SECRET, now, text};
use serde_json::{Value, json};
use support::{free_port, request};

/// Customers made with the official client become parties, by signed webhooks alone; their numbers come back.
fn webhooks_make_parties(beds: &mut Beds) {
    // Right after a listing there are 30 s without another: what arrives came by webhook.
    // The first listings are of all that is there, and then of events: they are over when none follows for some seconds.
    let mut quiet = (0, now());
    beds.until(SOON, |beds| {
        let listings = beds.listings();
        if listings != quiet.0 {
            quiet = (listings, now());
        }
        let over = listings > 0 && quiet.1.elapsed() > Duration::from_secs(4);
        if over { String::new() } else { "the first listings go on".to_owned() }
    });
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
        let events = beds.stripe.call(&json!({"on": "events", "do": "list"}));
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

/// This must not run unasked, and not pass unasked either.
fn asked() {
    #[allow(clippy::disallowed_methods, reason = "the one word of the environment that a test listens to")]
    let asked = std::env::var("CONCORD_TEST_BEDS").is_ok();
    assert!(asked, "this test installs and starts third-party systems: run it with ./test --beds");
}

#[test]
fn stripe_and_tryton_agree_through_kills_and_lost_webhooks() {
    asked();
    let start = now();
    let mut beds = Beds::start(false);
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

#[test]
fn what_stripe_bills_is_booked_in_tryton_through_every_fault() {
    asked();
    let start = now();
    let mut beds = Beds::start(true);
    acts::order_to_cash(&mut beds);
    acts::books_come_back(&mut beds);
    acts::somebody_else_writes(&mut beds);
    acts::posted_refuses(&mut beds);
    acts::answers_get_lost(&mut beds);
    acts::bad_weather(&mut beds);
    acts::both_die(&mut beds);
    acts::wrong_password(&mut beds);
    acts::it_is_quiet(&mut beds);
    assert_eq!(beds.hub.stop(), Some(0), "no clean stop:\n{}", beds.folder.last_words());
    beds.saw("SIGTERM", "the hub ended with 0; all of it", start);
    fs::write(beds.installed.root.join("trade.md"), &beds.report).unwrap();
}
