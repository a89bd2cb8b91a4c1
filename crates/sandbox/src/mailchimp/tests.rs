//! The marketing system's behaviours, one by one.

use serde_json::{Value, json};

use super::members::hash_of;
use crate::fault::{Fault, FaultKind};
use crate::options::Kind;
use crate::person::Edit;
use crate::request::{Manner, parameter};
use crate::trial::{NOW, Said, Trial};

const LIST: &str = "57afe96172";

fn chimp() -> Trial {
    Trial::new(Kind::Mailchimp, |_| {})
}

fn path(who: &str) -> String {
    format!("/3.0/lists/{LIST}/members/{who}")
}

fn put(chimp: &mut Trial, email: &str, fields: Value) -> Said {
    let mut body = json!({"email_address": email, "status_if_new": "subscribed"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    chimp.call("PUT", &path(&hash_of(email)), &body)
}

#[test]
fn the_key_may_come_as_basic_or_bearer() {
    let mut chimp = chimp();
    assert_eq!(chimp.get("/3.0/").is(200).text("/account_id"), "8d3a3db4d97663a9074efcc16");
    chimp.authorization = "Bearer sandbox-us1".to_owned();
    chimp.get("/3.0/ping").is(200);
    chimp.authorization = "Basic YW55Ondyb25n".to_owned();
    let said = chimp.get("/3.0/").is(401);
    assert_eq!((said.text("/title"), said.body["status"].as_u64()), ("API Key Invalid", Some(401)));
    assert!(said.body["instance"].is_string());
}

#[test]
fn the_hash_is_md5_of_the_lower_case_address() {
    assert_eq!(hash_of("Urist.McVankab@freddiesjokes.com"), "62eeb292278cc15f5817cb78f7790b08");
}

#[test]
fn put_creates_with_status_if_new_and_then_merges_fields() {
    let mut chimp = chimp();
    let said = put(&mut chimp, "A@b.test", json!({"merge_fields": {"FNAME": "A", "LNAME": "B"}})).is(200);
    assert_eq!((said.text("/id"), said.text("/status")), (hash_of("a@b.test").as_str(), "subscribed"));
    assert_eq!(said.text("/last_changed"), "2026-11-18T11:06:40+00:00");
    chimp.now += 5_000;
    let said =
        put(&mut chimp, "a@b.test", json!({"merge_fields": {"FNAME": "Z"}, "status_if_new": "pending"}))
            .is(200);
    assert_eq!(said.body["merge_fields"], json!({"FNAME": "Z", "LNAME": "B"}));
    assert_eq!(said.text("/status"), "subscribed");
    let said = chimp.call("PUT", &path(&hash_of("n@b.test")), &json!({"email_address": "n@b.test"})).is(400);
    assert_eq!(said.text("/errors/0/field"), "status_if_new");
}

#[test]
fn a_hash_of_another_address_is_refused_for_new_members() {
    let mut chimp = chimp();
    let body = json!({"email_address": "a@b.test", "status_if_new": "subscribed"});
    let said = chimp.call("PUT", &path(&hash_of("other@b.test")), &body).is(400);
    assert_eq!((said.text("/title"), said.text("/errors/0/field")), ("Invalid Resource", "email_address"));
}

#[test]
fn a_new_address_on_the_old_hash_moves_the_member() {
    let mut chimp = chimp();
    put(&mut chimp, "old@b.test", json!({"merge_fields": {"FNAME": "A"}})).is(200);
    let said =
        chimp.call("PUT", &path(&hash_of("old@b.test")), &json!({"email_address": "new@b.test"})).is(200);
    assert_eq!(said.text("/id"), hash_of("new@b.test"));
    chimp.get(&path(&hash_of("old@b.test"))).is(404);
    assert_eq!(chimp.get(&path("new@b.test")).is(200).text("/merge_fields/FNAME"), "A");
    put(&mut chimp, "third@b.test", json!({})).is(200);
    let said = chimp.call("PUT", &path("new@b.test"), &json!({"email_address": "third@b.test"})).is(400);
    assert_eq!(said.text("/title"), "Member Exists");
}

#[test]
fn post_refuses_a_known_member() {
    let mut chimp = chimp();
    let body = json!({"email_address": "a@b.test", "status": "subscribed"});
    let to = format!("/3.0/lists/{LIST}/members");
    chimp.call("POST", &to, &body).is(200);
    assert_eq!(chimp.call("POST", &to, &body).is(400).text("/title"), "Member Exists");
    chimp.call("POST", &to, &json!({"email_address": "x"})).is(400);
    chimp.call("POST", "/3.0/lists/unknown/members", &body).is(404);
}

#[test]
fn no_caller_resubscribes_one_who_left_but_the_member_can() {
    let mut chimp = chimp();
    put(&mut chimp, "a@b.test", json!({})).is(200);
    let who = path("a@b.test");
    chimp.call("PATCH", &who, &json!({"status": "unsubscribed"})).is(200);
    let said = chimp.call("PATCH", &who, &json!({"status": "subscribed"})).is(400);
    assert_eq!(said.text("/title"), "Member In Compliance State");
    chimp.call("PUT", &who, &json!({"status": "subscribed"})).is(400);
    // Neither does archiving in between.
    chimp.call("DELETE", &who, &Value::Null).is(204);
    put(&mut chimp, "a@b.test", json!({})).is(400);
    put(&mut chimp, "a@b.test", json!({"status_if_new": "pending"})).is(200);
    // status_if_new alone never touches a known member's consent.
    chimp.call("PATCH", &who, &json!({"status": "unsubscribed"})).is(200);
    assert_eq!(put(&mut chimp, "a@b.test", json!({})).is(200).text("/status"), "unsubscribed");
    let values = [("status".to_owned(), json!("subscribed"))].into();
    let edit = Edit::Update { object_type: LIST.to_owned(), id: "a@b.test".to_owned(), values };
    chimp.world.person(edit, NOW).unwrap();
    assert_eq!(chimp.get(&who).is(200).text("/status"), "subscribed");
}

#[test]
fn archived_members_are_seen_only_when_asked_for() {
    let mut chimp = chimp();
    put(&mut chimp, "a@b.test", json!({})).is(200);
    chimp.call("DELETE", &path("a@b.test"), &Value::Null).is(204);
    chimp.call("DELETE", &path("a@b.test"), &Value::Null).is(405);
    assert_eq!(chimp.get(&path("a@b.test")).is(200).text("/status"), "archived");
    let list = format!("/3.0/lists/{LIST}/members");
    assert_eq!(chimp.get(&list).is(200).body["total_items"], 0);
    assert_eq!(chimp.get(&format!("{list}?status=archived")).is(200).body["total_items"], 1);
    put(&mut chimp, "a@b.test", json!({})).is(200);
    chimp.call("POST", &format!("{}/actions/delete-permanent", path("a@b.test")), &Value::Null).is(204);
    assert_eq!(
        put(&mut chimp, "a@b.test", json!({})).is(400).text("/title"),
        "Forgotten Email Not Subscribed"
    );
}

#[test]
fn lists_by_last_change_count_whole_seconds_and_exclude_the_bound() {
    let mut chimp = chimp();
    for (email, at) in [("a@b.test", 0), ("b@b.test", 400), ("c@b.test", 2_000)] {
        chimp.now = NOW + at;
        put(&mut chimp, email, json!({})).is(200);
    }
    let list = format!("/3.0/lists/{LIST}/members?sort_field=last_changed&count=1000");
    let emails = |said: Said| {
        said.body["members"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["email_address"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        emails(chimp.get(&format!("{list}&since_last_changed=2026-11-18T11:06:39Z"))),
        "a@b.test b@b.test c@b.test"
    );
    assert_eq!(
        emails(chimp.get(&format!("{list}&since_last_changed=2026-11-18T11:06:40%2B00:00"))),
        "c@b.test"
    );
    assert_eq!(emails(chimp.get(&format!("{list}&offset=1"))), "b@b.test c@b.test");
    chimp.get(&format!("/3.0/lists/{LIST}/members?count=1001")).is(400);
    chimp.get(&format!("/3.0/lists/{LIST}/members?since_last_changed=yesterday")).is(400);
}

#[test]
fn an_event_sends_one_mail_while_the_member_may_be_written_to() {
    let mut chimp = chimp();
    put(&mut chimp, "a@b.test", json!({})).is(200);
    let to = format!("{}/events", path("a@b.test"));
    let event = json!({"name": "invoice_overdue", "properties": {"business_id": "i-1"}});
    chimp.call("POST", &to, &event).is(204);
    chimp.call("POST", &to, &event).is(204);
    chimp.call("PATCH", &path("a@b.test"), &json!({"status": "unsubscribed"})).is(200);
    chimp.call("POST", &to, &json!({"name": "won", "properties": {"business_id": "d-1"}})).is(204);
    let effects = chimp.world.books().effects;
    assert_eq!(effects["mails_sent"], [("i-1".to_owned(), 2)].into());
    assert_eq!(effects["events_received"]["d-1"], 1);
    // Other events of the same name are other mails; the same properties are the same event.
    chimp
        .world
        .person(
            Edit::Update {
                object_type: LIST.to_owned(),
                id: "a@b.test".to_owned(),
                values: [("status".to_owned(), json!("subscribed"))].into(),
            },
            NOW,
        )
        .unwrap();
    for key in ["e-1", "e-2", "e-2"] {
        chimp.call("POST", &to, &json!({"name": "won", "properties": {"key": key}})).is(204);
    }
    let sent = chimp.world.books().effects.remove("mails_sent").unwrap();
    let mut counts: Vec<u64> = sent.into_values().collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2, 2]);
    chimp.call("POST", &to, &json!({"name": "x"})).is(400);
    chimp.call("POST", &to, &json!({"name": "won", "properties": {"n": 1}})).is(400);
    chimp.call("POST", &format!("{}/events", path("nobody@b.test")), &event).is(404);
}

#[test]
fn tags_are_switched_on_and_off() {
    let mut chimp = chimp();
    put(&mut chimp, "a@b.test", json!({})).is(200);
    let to = format!("{}/tags", path("a@b.test"));
    chimp
        .call(
            "POST",
            &to,
            &json!({"tags": [{"name": "gold", "status": "active"}, {"name": "new", "status": "active"}]}),
        )
        .is(204);
    chimp.call("POST", &to, &json!({"tags": [{"name": "new", "status": "inactive"}]})).is(204);
    let said = chimp.get(&to).is(200);
    assert_eq!((said.body["total_items"].as_u64(), said.text("/tags/0/name")), (Some(1), "gold"));
}

#[test]
fn wrong_types_are_named_field_by_field() {
    let mut chimp = chimp();
    let said = put(&mut chimp, "a@b.test", json!({"merge_fields": {"FNAME": ["x"], "AGE": true}})).is(400);
    assert_eq!(said.body["errors"].as_array().unwrap().len(), 2);
    assert_eq!(
        put(&mut chimp, "a@b.test", json!({"status_if_new": "maybe"})).is(400).text("/errors/0/field"),
        "status"
    );
    chimp.raw("PUT", &path("a@b.test"), "{").is(400);
}

#[test]
fn the_eleventh_connection_is_too_many() {
    let mut chimp = Trial::new(Kind::Mailchimp, |options| options.limits.service_ms = 1_000);
    for _ in 0..10 {
        chimp.get("/3.0/ping").is(200);
    }
    let said = chimp.get("/3.0/ping").is(429);
    assert!(said.text("/detail").contains("10 simultaneous connections"));
    assert_eq!(said.header("retry-after"), None);
}

#[test]
fn overload_is_a_bare_403() {
    let mut chimp = chimp();
    chimp.world.add_fault(Fault::new(FaultKind::Overload).times(1));
    let said = chimp.get("/3.0/ping").is(403);
    assert_eq!((said.header("content-type"), &said.body), (Some("text/html"), &Value::Null));
    chimp.get("/3.0/ping").is(200);
}

#[test]
fn webhooks_need_a_url_that_answers_and_are_unsigned_forms() {
    let mut chimp = chimp();
    let target =
        json!({"url": "http://hub.test/in/secret-path", "events": {"profile": true, "subscribe": true}});
    chimp.call("POST", &format!("/3.0/lists/{LIST}/webhooks"), &target).is(200);
    put(&mut chimp, "too@early.test", json!({})).is(200);
    let validation = chimp.world.take_webhooks(NOW);
    assert_eq!((validation.len(), validation[0].request.method().as_str()), (1, "GET"));
    chimp.world.webhook_answered(validation[0].id, Some(404), NOW);
    assert!(chimp.world.take_webhooks(NOW).is_empty());
    let again = chimp.world.take_webhooks(NOW + 1_000);
    chimp.world.webhook_answered(again[0].id, Some(200), NOW + 1_000);
    put(&mut chimp, "a@b.test", json!({"merge_fields": {"FNAME": "Ä & co"}})).is(200);
    chimp.call("PATCH", &path("a@b.test"), &json!({"status": "unsubscribed"})).is(200);
    let sent = chimp.world.take_webhooks(NOW + 1_000);
    // One request per event, and unsubscribe was not asked for.
    assert_eq!(sent.len(), 1);
    let request = &sent[0].request;
    assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
    assert!(request.headers().keys().all(|name| !name.as_str().contains("signature")));
    let form = std::str::from_utf8(request.body()).unwrap();
    let field = |name: &str| parameter(form, name).unwrap();
    assert_eq!(
        (field("type"), field("fired_at")),
        ("subscribe".to_owned(), "2026-11-18 11:06:40".to_owned())
    );
    assert_eq!((field("data[email]"), field("data[list_id]")), ("a@b.test".to_owned(), LIST.to_owned()));
    assert_eq!(field("data[merges][FNAME]"), "Ä & co");
    assert_eq!(field("data[id]"), hash_of("a@b.test")[..10]);
    let book = chimp.world.books().webhooks;
    assert_eq!((book.events, book.unheard), (3, 2));
}

#[test]
fn an_answer_comes_at_once_without_service_time() {
    let mut chimp = chimp();
    assert_eq!(chimp.get("/3.0/ping").answer.manner, Manner::Whole { after_ms: 0 });
}
