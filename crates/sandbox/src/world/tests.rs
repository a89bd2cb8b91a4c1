//! Faults, the admin API and the books, on any kind of world.

use serde_json::{Value, json};

use crate::books::Books;
use crate::fault::{Fault, FaultKind};
use crate::options::{Kind, WebhookTarget};
use crate::request::Manner;
use crate::trial::{NOW, Trial};

const DEALS: &str = "/crm/v3/objects/deals";

fn crm() -> Trial {
    Trial::new(Kind::HubSpot, |options| {
        options.limits.index_lag_ms = 0;
        options.limits.burst = 0;
        options.webhook = Some(WebhookTarget {
            url: "http://hub.test/in".to_owned(),
            secret: "s".to_owned(),
            events: vec![],
        });
    })
}

fn deal(name: &str) -> Value {
    json!({"properties": {"dealname": name, "business_id": name}})
}

fn held(crm: &Trial) -> usize {
    crm.world.books().objects.get("deals").map_or(0, std::collections::BTreeMap::len)
}

/// What one fault makes of one create: status, manner, objects held right after.
fn struck(kind: FaultKind) -> (u16, Manner, usize) {
    let mut crm = crm();
    let name = kind.name();
    crm.world.add_fault(Fault::new(kind).times(1));
    let said = crm.call("POST", DEALS, &deal("d-1"));
    let found = (said.status, said.answer.manner, held(&crm));
    assert_eq!(crm.world.books().faults[name], 1, "{name} is counted");
    assert!(crm.world.faults().is_empty(), "{name} is over");
    crm.call("POST", DEALS, &deal("d-2")).is(201);
    found
}

#[test]
fn each_fault_does_what_it_says() {
    let at_once = Manner::Whole { after_ms: 0 };
    let cut = Manner::Reset { after_ms: 0 };
    assert_eq!(struck(FaultKind::Slow { ms: 70 }), (201, Manner::Whole { after_ms: 70 }, 1));
    assert_eq!(
        struck(FaultKind::Drip { chunk: 0, every_ms: 9 }),
        (201, Manner::Drip { after_ms: 0, chunk: 1, every_ms: 9 }, 1)
    );
    assert_eq!(struck(FaultKind::Throttle { retry_after_s: None }), (429, at_once, 0));
    assert_eq!(struck(FaultKind::Overload), (403, at_once, 0));
    assert_eq!(struck(FaultKind::ErrorBefore { status: 500 }), (500, at_once, 0));
    assert_eq!(struck(FaultKind::ErrorAfter { status: 502 }), (502, at_once, 1));
    assert_eq!(struck(FaultKind::ExpireTokens), (401, at_once, 0));
    let (_, manner, held) = struck(FaultKind::Reset);
    assert_eq!((manner, held), (cut, 0));
    let (_, manner, held) = struck(FaultKind::LostAnswer);
    assert_eq!((manner, held), (cut, 1));
    let (_, manner, held) = struck(FaultKind::Hang { effect: false });
    assert_eq!((manner, held), (Manner::Never, 0));
    let (_, manner, held) = struck(FaultKind::Hang { effect: true });
    assert_eq!((manner, held), (Manner::Never, 1));
}

#[test]
fn a_late_effect_lands_after_a_newer_write() {
    let mut crm = crm();
    let id = crm.call("POST", DEALS, &deal("old")).is(201).text("/id").to_owned();
    let path = format!("{DEALS}/{id}");
    crm.world.add_fault(Fault::new(FaultKind::LateEffect { ms: 1_000, answer: false }).times(1));
    let cut = crm.call("PATCH", &path, &deal("late"));
    assert!(!cut.seen());
    assert_eq!(crm.world.next_wakeup(), Some(NOW + 10), "the creation's webhook comes first");
    crm.now += 500;
    crm.call("PATCH", &path, &deal("new")).is(200);
    crm.now += 499;
    assert_eq!(crm.get(&format!("{path}?properties=dealname")).text("/properties/dealname"), "new");
    crm.world.advance(NOW + 1_000);
    let object = crm.world.books().objects["deals"][&id].clone();
    assert_eq!(object.values["dealname"], "late");
    assert_eq!(object.history.last().unwrap().at_ms, NOW + 1_000);
    crm.world.add_fault(Fault::new(FaultKind::LateEffect { ms: 5, answer: true }).times(1));
    crm.call("PATCH", &path, &deal("again")).is(504);
    // Authentication was passed when it was sent.
    crm.world.revoke_credential(true);
    crm.world.advance(NOW + 5_000);
    assert_eq!(crm.world.books().objects["deals"][&id].values["dealname"], "again");
}

#[test]
fn faults_keep_to_their_scope_time_and_count() {
    let mut crm = crm();
    let throttle = || FaultKind::Throttle { retry_after_s: Some(7) };
    crm.world.add_fault(Fault::new(throttle()).on("POST", "/objects/deals").times(2));
    crm.get(DEALS).is(200);
    crm.call("POST", "/crm/v3/objects/products", &json!({"properties": {}})).is(201);
    assert_eq!(crm.call("POST", DEALS, &deal("a")).is(429).header("retry-after"), Some("7"));
    crm.call("POST", DEALS, &deal("a")).is(429);
    crm.call("POST", DEALS, &deal("a")).is(201);
    crm.world.add_fault(Fault::new(throttle()).until(NOW + 1_000));
    crm.get(DEALS).is(429);
    crm.now += 1_000;
    crm.get(DEALS).is(200);
    let mut later = Fault::new(throttle());
    later.from_ms = Some(crm.now + 50);
    let id = crm.world.add_fault(later);
    crm.get(DEALS).is(200);
    crm.now += 50;
    crm.get(DEALS).is(429);
    assert!(crm.world.remove_fault(id));
    crm.get(DEALS).is(200);
    assert_eq!(crm.world.books().faults["throttle"], 4);
}

#[test]
fn i18_the_same_seed_strikes_the_same_requests() {
    let run = |seed: u64| {
        let mut crm = Trial::new(Kind::HubSpot, |options| {
            options.seed = seed;
            options.limits.burst = 0;
        });
        crm.world.add_fault(Fault::new(FaultKind::ErrorAfter { status: 500 }).chance(0.3));
        let said: Vec<u16> =
            (0..100).map(|n| crm.call("POST", DEALS, &deal(&format!("d{n}"))).status).collect();
        (said, serde_json::to_string(&crm.world.books()).unwrap())
    };
    let (said, books) = run(7);
    assert_eq!((said.clone(), books), run(7));
    assert_ne!(said, run(8).0);
    let struck = said.iter().filter(|status| **status == 500).count();
    assert!((15..=45).contains(&struck), "{struck} of 100 at a chance of 0.3");
}

#[test]
fn part_of_a_batch_fails_and_the_rest_stands() {
    let mut crm = crm();
    crm.world.add_fault(Fault::new(FaultKind::PartialBatch { share: 0.5 }).times(1));
    // A request that is no batch does not use it up.
    crm.call("POST", DEALS, &deal("single")).is(201);
    let inputs: Vec<Value> = (0..40).map(|n| deal(&format!("d{n}"))).collect();
    let said = crm.call("POST", &format!("{DEALS}/batch/create"), &json!({"inputs": inputs})).is(207);
    let (made, failed) =
        (said.body["results"].as_array().unwrap().len(), said.body["numErrors"].as_u64().unwrap());
    assert_eq!(made as u64 + failed, 40);
    assert!(made > 0 && failed > 0);
    assert_eq!(held(&crm), made + 1);
}

#[test]
fn webhook_faults_drop_double_and_reorder_events() {
    let mut crm = crm();
    crm.world.add_fault(Fault::new(FaultKind::WebhookReorder { ms: 1_000 }).times(1));
    crm.call("POST", DEALS, &deal("held")).is(201);
    crm.world.add_fault(Fault::new(FaultKind::WebhookDuplicate { ms: 0 }).times(1));
    crm.call("POST", DEALS, &deal("twice")).is(201);
    crm.world.add_fault(Fault::new(FaultKind::WebhookDrop).times(1));
    crm.call("POST", DEALS, &deal("dropped")).is(201);
    let mut told = Vec::new();
    for at in [NOW + 10, NOW + 1_010] {
        for sent in crm.world.take_webhooks(at) {
            let events: Vec<Value> = serde_json::from_slice(sent.request.body()).unwrap();
            told.extend(events.iter().map(|event| event["objectId"].as_u64().unwrap() - 50_000_000_001));
        }
    }
    assert_eq!(told, [1, 1, 0]);
    let books = crm.world.books();
    assert_eq!(books.webhooks.given_up, 1);
    assert_eq!(
        (books.faults["webhook_reorder"], books.faults["webhook_duplicate"], books.faults["webhook_drop"]),
        (1, 1, 1)
    );
}

#[test]
fn a_refused_port_sees_no_request() {
    let mut crm = crm();
    crm.world.add_fault(Fault::new(FaultKind::Refuse).until(NOW + 100));
    assert!(crm.world.refusing(NOW + 99));
    assert_eq!(crm.call("POST", DEALS, &deal("a")).answer.manner, Manner::Refused);
    assert_eq!(crm.world.books().calls.total, 0);
    assert!(!crm.world.refusing(NOW + 100));
    crm.now += 100;
    crm.call("POST", DEALS, &deal("a")).is(201);
}

#[test]
fn the_oracle_sees_duplicates_and_versions_that_go_back() {
    let mut crm = crm();
    let body = |version: u64| json!({"properties": {"business_id": "b-1", "version": version}});
    let id = crm.call("POST", DEALS, &body(9)).is(201).text("/id").to_owned();
    assert!(crm.world.books().duplicates.is_empty());
    let other = crm.call("POST", DEALS, &body(1)).is(201).text("/id").to_owned();
    crm.call("PATCH", &format!("{DEALS}/{id}"), &body(10)).is(200);
    crm.call("PATCH", &format!("{DEALS}/{id}"), &body(9)).is(200);
    let books = crm.world.books();
    assert_eq!(books.duplicates[0].ids, [id.clone(), other.clone()]);
    assert_eq!(books.duplicates[0].business_id, "b-1");
    let back = &books.backwards[0];
    assert_eq!((back.id.as_str(), back.had.as_str(), back.got.as_str()), (id.as_str(), "10", "9"));
    crm.call("DELETE", &format!("{DEALS}/{other}"), &Value::Null).is(204);
    assert!(crm.world.books().duplicates.is_empty());
}

#[test]
fn i9_windows_are_counted_from_the_calls_themselves() {
    let mut crm = crm();
    for at in [0, 10, 900, 1_000, 1_009, 1_010] {
        crm.now = NOW + at;
        crm.get(DEALS).is(200);
    }
    crm.call("POST", "/crm/v3/objects/deals/search", &json!({})).is(200);
    assert_eq!(crm.world.busiest(1_000, Some("read")), 4);
    assert_eq!(crm.world.busiest(1_000, None), 5);
    assert_eq!(crm.world.busiest(10, None), 3);
    let calls = crm.world.books().calls;
    assert_eq!((calls.total, calls.by_operation["search"], calls.by_status[&200]), (7, 1, 7));
}

#[test]
fn the_admin_api_needs_no_credentials_and_is_not_counted() {
    let mut crm = crm();
    crm.authorization.clear();
    crm.world.add_fault(Fault::new(FaultKind::Hang { effect: false }));
    let edit = json!({"edit": "create", "object_type": "deals", "values": {"dealname": "x"}});
    let id = crm.call("POST", "/_admin/edits", &edit).is(200).text("/id").to_owned();
    let books: Books = serde_json::from_value(crm.get("/_admin/books").is(200).body).unwrap();
    assert_eq!(books.objects["deals"][&id].values["dealname"], "x");
    assert_eq!(books.calls.total, 0);
    assert_eq!(books, serde_json::from_str(&serde_json::to_string(&crm.world.books()).unwrap()).unwrap());
    let bare = crm.get("/_admin/books?history=0").is(200);
    assert_eq!(bare.body["objects"]["deals"][&id]["history"], json!([]));
    crm.call("POST", "/_admin/edits", &json!({"edit": "delete", "object_type": "deals", "id": "1"})).is(404);
    crm.call("POST", "/_admin/edits", &json!({"edit": "destroy"})).is(400);
    crm.get("/_admin/nothing").is(404);
}

#[test]
fn faults_are_set_listed_and_cleared_over_http() {
    let mut crm = crm();
    let fault = json!({"kind": "throttle", "retry_after_s": 2, "path": "/deals", "for_ms": 500});
    let id = crm.call("POST", "/_admin/faults", &fault).is(200).body["id"].clone();
    crm.get(DEALS).is(429);
    assert_eq!(crm.get("/_admin/faults").is(200).body[id.to_string()]["until_ms"], NOW + 500);
    crm.call("DELETE", &format!("/_admin/faults/{id}"), &Value::Null).is(204);
    crm.call("DELETE", &format!("/_admin/faults/{id}"), &Value::Null).is(404);
    crm.get(DEALS).is(200);
    for (wrong, why) in [
        (json!({"kind": "throttle", "chnace": 0.1}), "chnace"),
        (json!({"kind": "slow"}), "ms"),
        (json!({"kind": "meltdown"}), "meltdown"),
        (json!({"kind": "reset", "chance": 2}), "between 0 and 1"),
        (json!({"kind": "refuse"}), "for_ms"),
        (json!({"kind": "reset", "for_ms": "1s"}), "whole number"),
    ] {
        let said = crm.call("POST", "/_admin/faults", &wrong).is(400);
        assert!(said.text("/error").contains(why), "{}", said.body);
    }
    assert!(crm.world.faults().is_empty());
    crm.call("POST", "/_admin/faults", &json!({"kind": "lost_answer"})).is(200);
    crm.call("DELETE", "/_admin/faults", &Value::Null).is(204);
    assert!(crm.world.faults().is_empty());
}

#[test]
fn every_fault_kind_survives_json() {
    let kinds = [
        FaultKind::Refuse,
        FaultKind::Reset,
        FaultKind::Slow { ms: 1 },
        FaultKind::Hang { effect: true },
        FaultKind::Drip { chunk: 1, every_ms: 2 },
        FaultKind::Throttle { retry_after_s: None },
        FaultKind::Overload,
        FaultKind::ErrorBefore { status: 500 },
        FaultKind::ErrorAfter { status: 500 },
        FaultKind::LostAnswer,
        FaultKind::LateEffect { ms: 3, answer: true },
        FaultKind::PartialBatch { share: 0.5 },
        FaultKind::ExpireTokens,
        FaultKind::WebhookDuplicate { ms: 1 },
        FaultKind::WebhookReorder { ms: 1 },
        FaultKind::WebhookDrop,
    ];
    for kind in kinds {
        let fault = Fault::new(kind.clone()).on("PUT", "/x").chance(0.25);
        let text = serde_json::to_value(&fault).unwrap();
        assert_eq!(text["kind"], kind.name());
        assert_eq!(serde_json::from_value::<Fault>(text).unwrap(), fault);
    }
}

#[test]
fn limits_tokens_webhook_and_properties_change_over_http() {
    let mut crm = crm();
    crm.call("PATCH", "/_admin/limits", &json!({"burst": 1})).is(200);
    crm.get(DEALS).is(200);
    crm.get(DEALS).is(429);
    crm.call("PATCH", "/_admin/limits", &json!({"brust": 1})).is(400);
    crm.call("PATCH", "/_admin/limits", &json!({"burst": 0})).is(200);
    crm.call("POST", "/_admin/tokens", &json!({"do": "expire"})).is(409);
    crm.call("POST", "/_admin/tokens", &json!({"do": "revoke"})).is(204);
    crm.get(DEALS).is(401);
    crm.call("POST", "/_admin/tokens", &json!({"do": "restore"})).is(204);
    crm.get(DEALS).is(200);
    crm.call("PUT", "/_admin/webhook", &json!({"url": "http://other.test/", "events": ["deal.creation"]}))
        .is(204);
    crm.call("POST", DEALS, &deal("x")).is(201);
    assert_eq!(crm.world.take_webhooks(NOW + 10)[0].request.uri().host(), Some("other.test"));
    crm.call("DELETE", "/_admin/webhook", &Value::Null).is(204);
    crm.call("POST", DEALS, &deal("y")).is(201);
    assert!(crm.world.take_webhooks(NOW + 20).is_empty());
    let property = json!({"objectType": "deals", "name": "code", "hasUniqueValue": true});
    crm.call("POST", "/_admin/properties", &property).is(204);
    for code in ["a", "b"] {
        crm.call("POST", DEALS, &json!({"properties": {"code": code, "same": "s"}})).is(201);
    }
    crm.call("POST", DEALS, &json!({"properties": {"code": "a"}})).is(400);
    let clash = crm
        .call(
            "POST",
            "/_admin/properties",
            &json!({"objectType": "deals", "name": "same", "hasUniqueValue": true}),
        )
        .is(409);
    assert!(clash.text("/error").contains("can't be unique"));
}
