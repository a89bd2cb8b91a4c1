//! The CRM's webhooks: what they say, how they are signed, batched and sent again.

use serde_json::{Value, json};

use super::{signature_v1, signature_v3};
use crate::hubspot::tests::{OBJECTS, contact, crm, events};
use crate::person::Edit;
use crate::trial::NOW;

#[test]
fn events_are_thin_and_tell_people_from_integrations() {
    let mut crm = crm();
    let id = contact(&mut crm, "e@x.test");
    crm.call("PATCH", &format!("{OBJECTS}/contacts/{id}"), &json!({"properties": {"firstname": "A"}}))
        .is(200);
    let values = [("firstname".to_owned(), json!("B"))].into();
    crm.world
        .person(Edit::Update { object_type: "contacts".to_owned(), id: id.clone(), values }, crm.now)
        .unwrap();
    crm.world.person(Edit::Delete { object_type: "contacts".to_owned(), id: id.clone() }, crm.now).unwrap();
    let told: Vec<String> = events(&mut crm)
        .iter()
        .map(|event| {
            assert_eq!(event["objectId"].to_string(), id);
            assert_eq!(event["portalId"], 48_200_001);
            assert_eq!(event["occurredAt"], NOW);
            let word = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
            format!(
                "{} {}={} {}",
                word("subscriptionType"),
                word("propertyName"),
                word("propertyValue"),
                word("changeSource")
            )
        })
        .collect();
    let wanted = [
        "contact.creation -=- INTEGRATION",
        "contact.propertyChange firstname=A INTEGRATION",
        "contact.propertyChange firstname=B CRM_UI",
        "contact.deletion -=- CRM_UI",
    ];
    assert_eq!(told, wanted);
}

#[test]
fn a_write_of_what_is_there_fires_nothing_and_moves_no_date() {
    let mut crm = crm();
    let id = contact(&mut crm, "same@x.test");
    events(&mut crm);
    crm.now += 5_000;
    let path = format!("{OBJECTS}/contacts/{id}");
    let said = crm.call("PATCH", &path, &json!({"properties": {"email": "same@x.test"}})).is(200);
    assert_eq!(said.text("/updatedAt"), "2026-11-18T11:06:40.123Z");
    assert!(events(&mut crm).is_empty());
    assert_eq!(crm.world.books().objects["contacts"][&id].history.len(), 2);
}

#[test]
fn webhooks_are_batched_to_a_hundred_and_retried() {
    let mut crm = crm();
    for n in 0..150 {
        contact(&mut crm, &format!("w{n}@x.test"));
    }
    let sent = crm.world.take_webhooks(NOW + 10);
    let sizes: Vec<usize> = sent
        .iter()
        .map(|one| serde_json::from_slice::<Vec<Value>>(one.request.body()).unwrap().len())
        .collect();
    assert_eq!(sizes, [100, 50]);
    crm.world.webhook_answered(sent[0].id, Some(200), NOW + 20);
    crm.world.webhook_answered(sent[1].id, Some(500), NOW + 20);
    assert!(crm.world.take_webhooks(NOW + 519).is_empty());
    let again = crm.world.take_webhooks(NOW + 520 + 125);
    let events: Vec<Value> = serde_json::from_slice(again[0].request.body()).unwrap();
    assert_eq!((events.len(), events[0]["attemptNumber"].as_u64()), (50, Some(1)));
    for attempt in 0..20 {
        let due = crm.world.take_webhooks(NOW + 100_000 * (attempt + 1));
        for delivery in due {
            crm.world.webhook_answered(delivery.id, None, NOW + 100_000 * (attempt + 1));
        }
    }
    // One answer is still owed for `again`.
    crm.world.webhook_answered(again[0].id, None, NOW + 3_000_000);
    for round in 31..60 {
        for delivery in crm.world.take_webhooks(NOW + 100_000 * round) {
            crm.world.webhook_answered(delivery.id, None, NOW + 100_000 * round);
        }
    }
    let book = crm.world.books().webhooks;
    assert_eq!((book.events, book.acked, book.given_up, book.pending), (150, 1, 50, 0));
    assert_eq!(book.sent, 11);
}

#[test]
fn signatures_match_the_reference_vectors() {
    let (secret, body) = ("concord-test-secret-0001", r#"{"id":"evt_1","type":"contact.updated"}"#);
    let url = "https://hub.example.test/in/hubspot?x=a%20b";
    assert_eq!(
        signature_v3(secret, "POST", url, body, 1_700_000_000_000),
        "0xovl9iBTHtqaVFPmg7Aty665gmZnXZCwUN67/OHXD0="
    );
    assert_eq!(
        signature_v1(secret, body),
        "56455f4da7819e62bb05a9b75b1d232ff8ec5d3386aa6367a2d9f32c1d49a220"
    );
}

#[test]
fn webhook_requests_carry_the_signature_of_this_attempt() {
    let mut crm = crm();
    contact(&mut crm, "sig@x.test");
    let sent = crm.world.take_webhooks(NOW + 77);
    let request = &sent[0].request;
    let header = |name: &str| request.headers()[name].to_str().unwrap();
    assert_eq!(header("x-hubspot-request-timestamp"), (NOW + 77).to_string());
    let body = std::str::from_utf8(request.body()).unwrap();
    assert_eq!(
        header("x-hubspot-signature-v3"),
        signature_v3("s", "POST", "http://hub.test/in", body, NOW + 77)
    );
    assert_eq!(request.uri(), "http://hub.test/in");
}

#[test]
fn custom_types_share_the_generic_event_and_carry_their_type_id() {
    let mut crm = crm();
    crm.call("POST", "/crm/v3/objects/leads", &json!({"properties": {"hs_lead_name": "L"}})).is(201);
    crm.call("POST", "/crm/v3/objects/p48200001_plan", &json!({"properties": {"name": "P"}})).is(201);
    let told = events(&mut crm);
    assert_eq!(
        (&told[0]["subscriptionType"], &told[0]["objectTypeId"]),
        (&json!("lead.creation"), &json!("0-136"))
    );
    assert_eq!(
        (&told[1]["subscriptionType"], &told[1]["objectTypeId"]),
        (&json!("object.creation"), &json!("p48200001_plan"))
    );
}
