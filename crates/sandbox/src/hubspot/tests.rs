//! The CRM's behaviours, one by one.

use serde_json::{Value, json};

use crate::fault::{Fault, FaultKind};
use crate::options::{Kind, Property, WebhookTarget};
use crate::request::parameter;
use crate::trial::{NOW, Trial};

pub(super) const OBJECTS: &str = "/crm/v3/objects";

pub(super) fn crm() -> Trial {
    Trial::new(Kind::HubSpot, |options| {
        options.limits.index_lag_ms = 0;
        options.properties = vec![unique("companies", "business_id")];
        options.webhook = Some(WebhookTarget {
            url: "http://hub.test/in".to_owned(),
            secret: "s".to_owned(),
            events: vec![],
        });
    })
}

fn unique(kind: &str, name: &str) -> Property {
    Property {
        object_type: kind.to_owned(),
        name: name.to_owned(),
        value_type: "string".to_owned(),
        has_unique_value: true,
        options: vec![],
    }
}

pub(super) fn contact(crm: &mut Trial, email: &str) -> String {
    let said = crm.call("POST", "/crm/v3/objects/contacts", &json!({"properties": {"email": email}})).is(201);
    said.text("/id").to_owned()
}

/// Takes due webhooks, acknowledges them, and returns the events.
pub(super) fn events(crm: &mut Trial) -> Vec<Value> {
    let mut all = Vec::new();
    for delivery in crm.world.take_webhooks(crm.now + 1_000) {
        let events: Vec<Value> = serde_json::from_slice(delivery.request.body()).unwrap();
        all.extend(events);
        crm.world.webhook_answered(delivery.id, Some(204), crm.now + 1_000);
    }
    all
}

#[test]
fn wrong_or_missing_token_is_401() {
    let mut crm = crm();
    crm.authorization = "Bearer nope".to_owned();
    let said = crm.get("/account-info/v3/details").is(401);
    assert_eq!(said.text("/category"), "INVALID_AUTHENTICATION");
    crm.authorization.clear();
    crm.get("/crm/v3/objects/contacts").is(401);
}

#[test]
fn identity_names_the_portal() {
    let said = crm().get("/account-info/v3/details").is(200);
    assert_eq!(said.body["portalId"], 48_200_001);
}

#[test]
fn refreshed_tokens_work_until_they_expire() {
    let mut crm = crm();
    let form = "grant_type=refresh_token&refresh_token=refresh-sandbox&client_id=a&client_secret=b";
    let token = crm.raw("POST", "/oauth/v1/token", form).is(200).text("/access_token").to_owned();
    crm.authorization = format!("Bearer {token}");
    crm.get("/account-info/v3/details").is(200);
    crm.now += 1_800_000;
    assert_eq!(crm.get("/account-info/v3/details").is(401).text("/category"), "EXPIRED_AUTHENTICATION");
    crm.raw("POST", "/oauth/v1/token", "grant_type=refresh_token&refresh_token=wrong").is(400);
    crm.world.revoke_credential(true);
    assert_eq!(crm.raw("POST", "/oauth/v1/token", form).is(400).text("/error"), "invalid_grant");
}

#[test]
fn values_come_back_as_strings_and_empty_clears() {
    let mut crm = crm();
    let body = json!({"properties": {"name": "Acme", "numberofemployees": 12, "domain": "acme.test"}});
    let made = crm.call("POST", "/crm/v3/objects/companies", &body).is(201);
    assert_eq!(made.body["properties"]["numberofemployees"], "12");
    let path = format!("{OBJECTS}/companies/{}", made.text("/id"));
    crm.call("PATCH", &path, &json!({"properties": {"domain": ""}})).is(200);
    let read = crm.get(&format!("{path}?properties=domain,name,phone")).is(200);
    assert_eq!(read.body["properties"]["name"], "Acme");
    assert_eq!(read.body["properties"]["domain"], Value::Null);
    assert_eq!(read.body["properties"]["phone"], Value::Null);
    assert_eq!(read.text("/properties/hs_lastmodifieddate"), "2026-11-18T11:06:40.123Z");
    assert_eq!(read.body["properties"].get("numberofemployees"), None);
}

#[test]
fn bad_values_are_named() {
    let mut crm = crm();
    let said =
        crm.call("POST", "/crm/v3/objects/contacts", &json!({"properties": {"email": "not one"}})).is(400);
    assert_eq!(said.text("/errors/0/code"), "INVALID_EMAIL");
    assert_eq!(said.text("/errors/0/context/propertyName/0"), "email");
    let said = crm.call("POST", "/crm/v3/objects/deals", &json!({"properties": {"amount": "lots"}})).is(400);
    assert_eq!(said.text("/category"), "VALIDATION_ERROR");
    let said = crm.call("POST", "/crm/v3/objects/deals", &json!({"properties": {"createdate": "1"}})).is(400);
    assert_eq!(said.text("/errors/0/code"), "READ_ONLY_VALUE");
    crm.raw("POST", "/crm/v3/objects/deals", "{nope").is(400);
}

#[test]
fn strict_worlds_refuse_unknown_properties() {
    let mut crm = Trial::new(Kind::HubSpot, |options| options.strict_properties = true);
    let body = json!({"properties": {"concord_id": "c-1"}});
    let said = crm.call("POST", "/crm/v3/objects/companies", &body).is(400);
    assert_eq!(said.text("/errors/0/code"), "PROPERTY_DOESNT_EXIST");
    let property = json!({"name": "concord_id", "label": "x", "type": "string", "fieldType": "text", "groupName": "g", "hasUniqueValue": true});
    crm.call("POST", "/crm/v3/properties/companies", &property).is(201);
    crm.call("POST", "/crm/v3/properties/companies", &property).is(409);
    assert_eq!(crm.get("/crm/v3/properties/companies/concord_id").is(200).body["hasUniqueValue"], true);
    crm.call("POST", "/crm/v3/objects/companies", &body).is(201);
}

#[test]
fn a_second_contact_with_the_address_is_409_with_the_first_ones_id() {
    let mut crm = crm();
    let id = contact(&mut crm, "a@b.test");
    let said =
        crm.call("POST", "/crm/v3/objects/contacts", &json!({"properties": {"email": "A@B.test"}})).is(409);
    assert_eq!(said.text("/message"), format!("Contact already exists. Existing ID: {id}"));
    assert_eq!(said.text("/category"), "CONFLICT");
    // An archived one frees its address.
    crm.call("DELETE", &format!("{OBJECTS}/contacts/{id}"), &Value::Null).is(204);
    contact(&mut crm, "a@b.test");
}

#[test]
fn a_taken_unique_value_is_refused_with_its_holder() {
    let mut crm = crm();
    let body = json!({"properties": {"name": "A", "business_id": "b-1"}});
    let first = crm.call("POST", "/crm/v3/objects/companies", &body).is(201).text("/id").to_owned();
    let said = crm.call("POST", "/crm/v3/objects/companies", &body).is(400);
    assert_eq!(said.text("/errors/0/code"), "CONFLICTING_UNIQUE_VALUE");
    assert!(said.text("/message").contains(&format!("{first} already has that value")), "{}", said.body);
}

#[test]
fn objects_are_read_by_id_property_and_archived_ones_apart() {
    let mut crm = crm();
    let id = contact(&mut crm, "x@y.test");
    let read = crm.get("/crm/v3/objects/contacts/x%40y.test?idProperty=email").is(200);
    assert_eq!(read.text("/id"), id);
    crm.get("/crm/v3/objects/contacts/x?idProperty=firstname").is(400);
    crm.call("DELETE", &format!("{OBJECTS}/contacts/{id}"), &Value::Null).is(204);
    assert_eq!(crm.get(&format!("{OBJECTS}/contacts/{id}")).is(404).text("/category"), "OBJECT_NOT_FOUND");
    assert_eq!(crm.get(&format!("{OBJECTS}/contacts/{id}?archived=true")).is(200).body["archived"], true);
    let listed = crm.get("/crm/v3/objects/contacts?archived=true").is(200);
    assert_eq!(listed.body["results"].as_array().unwrap().len(), 1);
    assert!(listed.body["results"][0]["archivedAt"].is_string());
    crm.call("DELETE", "/crm/v3/objects/contacts/999", &Value::Null).is(404);
}

#[test]
fn lists_page_by_id() {
    let mut crm = crm();
    let ids: Vec<String> = (0..5).map(|n| contact(&mut crm, &format!("p{n}@q.test"))).collect();
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = crm.get(&format!("/crm/v3/objects/contacts?limit=2&after={after}")).is(200);
        seen.extend(
            page.body["results"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()),
        );
        match page.body.pointer("/paging/next/after") {
            Some(next) => after = next.as_str().unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ids);
    crm.get("/crm/v3/objects/contacts?limit=101").is(400);
}

#[test]
fn upserts_say_what_is_new_and_echo_trace_ids_in_no_order() {
    let mut crm = crm();
    let input = |id: &str, trace: &str| json!({"id": id, "idProperty": "business_id", "objectWriteTraceId": trace, "properties": {"name": id}});
    let said = crm
        .call("POST", "/crm/v3/objects/companies/batch/upsert", &json!({"inputs": [input("b-1", "t1")]}))
        .is(200);
    assert_eq!(said.body["results"][0]["new"], true);
    assert_eq!(said.body["results"][0]["properties"]["business_id"], "b-1");
    let both = json!({"inputs": [input("b-1", "t2"), input("b-2", "t3")]});
    let said = crm.call("POST", "/crm/v3/objects/companies/batch/upsert", &both).is(200);
    let by_trace = |trace: &str| {
        let found =
            said.body["results"].as_array().unwrap().iter().find(|one| one["objectWriteTraceId"] == trace);
        found.unwrap()["new"].as_bool().unwrap()
    };
    assert!(!by_trace("t2"));
    assert!(by_trace("t3"));
    let books = crm.world.books();
    assert_eq!(books.objects["companies"].len(), 2);
    let keys: Vec<_> = books.objects["companies"]
        .values()
        .flat_map(|one| &one.history)
        .map(|one| one.key.clone().unwrap())
        .collect();
    assert_eq!(keys, ["t1", "t2", "t3"]);
}

#[test]
fn dated_paths_serve_the_same_objects() {
    let mut crm = crm();
    let id = contact(&mut crm, "dated@x.test");
    assert_eq!(crm.get(&format!("/crm/objects/2026-03/contacts/{id}")).is(200).text("/id"), id);
    assert_eq!(crm.get(&format!("/crm/objects/2026-09/0-1/{id}")).is(200).text("/id"), id);
}

#[test]
fn a_batch_fails_in_part_with_207() {
    let mut crm = crm();
    let inputs = json!({"inputs": [
        {"id": "ok@x.test", "idProperty": "email", "properties": {"firstname": "A"}, "objectWriteTraceId": "t1"},
        {"id": "bad", "idProperty": "email", "properties": {"firstname": "B"}, "objectWriteTraceId": "t2"},
    ]});
    let said = crm.call("POST", "/crm/v3/objects/contacts/batch/upsert", &inputs).is(207);
    assert_eq!(said.body["numErrors"], 1);
    assert_eq!(said.body["results"].as_array().unwrap().len(), 1);
    assert_eq!(said.text("/errors/0/context/objectWriteTraceId/0"), "t2");
    assert_eq!(said.text("/errors/0/category"), "VALIDATION_ERROR");
}

#[test]
fn whole_batches_are_refused_for_what_concerns_all() {
    let mut crm = crm();
    let many: Vec<Value> = (0..101).map(|n| json!({"id": n.to_string(), "properties": {}})).collect();
    crm.call("POST", "/crm/v3/objects/contacts/batch/upsert", &json!({"inputs": many})).is(400);
    let twice = json!({"id": "a@x.test", "idProperty": "email", "properties": {}});
    crm.call("POST", "/crm/v3/objects/contacts/batch/upsert", &json!({"inputs": [twice, twice]})).is(400);
    let no_key = json!({"inputs": [{"id": "acme.test", "idProperty": "domain", "properties": {}}]});
    let said = crm.call("POST", "/crm/v3/objects/companies/batch/upsert", &no_key).is(400);
    assert!(said.text("/message").contains("not unique"));
    crm.call("POST", "/crm/v3/objects/contacts/batch/upsert", &json!({})).is(400);
}

#[test]
fn a_poison_record_fails_every_batch_that_it_is_in() {
    let mut crm = crm();
    let poison =
        Fault::new(FaultKind::ErrorBefore { status: 400 }).on("POST", "/batch/").holding("\"bad@x.test\"");
    crm.world.add_fault(poison);
    let input = |id: &str| json!({"id": id, "idProperty": "email", "properties": {}});
    let path = "/crm/v3/objects/contacts/batch/upsert";
    crm.call("POST", path, &json!({"inputs": [input("ok@x.test"), input("bad@x.test")]})).is(400);
    crm.call("POST", path, &json!({"inputs": [input("bad@x.test")]})).is(400);
    let said = crm.call("POST", path, &json!({"inputs": [input("ok@x.test")]})).is(200);
    assert_eq!(said.body["results"][0]["new"], true, "nothing of the refused batch was done");
}

#[test]
fn batch_read_names_the_missing() {
    let mut crm = crm();
    let id = contact(&mut crm, "r@x.test");
    let body = json!({"inputs": [{"id": id}, {"id": "1"}], "properties": ["email"]});
    let said = crm.call("POST", "/crm/v3/objects/contacts/batch/read", &body).is(207);
    assert_eq!(said.text("/results/0/properties/email"), "r@x.test");
    assert_eq!(said.body["errors"][0]["context"]["ids"], json!(["1"]));
}

#[test]
fn search_lags_behind_writes_and_shows_the_old_value_meanwhile() {
    let mut crm = Trial::new(Kind::HubSpot, |options| options.limits.index_lag_ms = 3_000);
    let id = contact(&mut crm, "lag@x.test");
    let find = json!({"filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ", "value": "lag@x.test"}]}], "properties": ["firstname"]});
    assert_eq!(crm.call("POST", "/crm/v3/objects/contacts/search", &find).is(200).body["total"], 0);
    crm.now += 3_000;
    assert_eq!(crm.call("POST", "/crm/v3/objects/contacts/search", &find).is(200).body["total"], 1);
    crm.call("PATCH", &format!("{OBJECTS}/contacts/{id}"), &json!({"properties": {"firstname": "New"}}))
        .is(200);
    crm.now += 2_999;
    let said = crm.call("POST", "/crm/v3/objects/contacts/search", &find).is(200);
    assert_eq!(said.body["results"][0]["properties"]["firstname"], Value::Null);
    crm.now += 1;
    let said = crm.call("POST", "/crm/v3/objects/contacts/search", &find).is(200);
    assert_eq!(said.text("/results/0/properties/firstname"), "New");
    // A read by id never lags, and an archived object is never found.
    crm.call("DELETE", &format!("{OBJECTS}/contacts/{id}"), &Value::Null).is(204);
    assert_eq!(crm.call("POST", "/crm/v3/objects/contacts/search", &find).is(200).body["total"], 0);
}

#[test]
fn search_filters_sorts_and_pages() {
    let mut crm = crm();
    for n in 0..5 {
        crm.now = NOW + n * 1000;
        let body = json!({"properties": {"dealname": format!("d{n}"), "amount": n * 10, "dealstage": if n % 2 == 0 { "won" } else { "lost" }}});
        crm.call("POST", "/crm/v3/objects/deals", &body).is(201);
    }
    let mut found = |filters: Value| {
        crm.now += 1_000;
        let body = json!({"filterGroups": [{"filters": filters}], "sorts": [{"propertyName": "amount", "direction": "DESCENDING"}], "limit": 200});
        let said = crm.call("POST", "/crm/v3/objects/deals/search", &body).is(200);
        said.body["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["properties"]["dealname"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let filter = |property: &str, operator: &str, value: Value| json!({"propertyName": property, "operator": operator, "value": value});
    assert_eq!(found(json!([filter("amount", "GTE", json!("20"))])), "d4 d3 d2");
    assert_eq!(
        found(json!([filter("amount", "GT", json!("20")), filter("dealstage", "EQ", json!("WON"))])),
        "d4"
    );
    assert_eq!(found(json!([filter("amount", "LT", json!(10))])), "d0");
    assert_eq!(
        found(json!([{"propertyName": "dealname", "operator": "IN", "values": ["d1", "d3"]}])),
        "d3 d1"
    );
    assert_eq!(found(json!([filter("pipeline", "HAS_PROPERTY", Value::Null)])), "");
    assert_eq!(
        found(json!([filter("hs_lastmodifieddate", "GTE", json!((NOW + 3000).to_string()))])),
        "d4 d3"
    );
    assert_eq!(found(json!([filter("hs_lastmodifieddate", "GT", json!("2026-11-18T11:06:43.123Z"))])), "d4");
    crm.now += 1_000;
    let page = crm.call("POST", "/crm/v3/objects/deals/search", &json!({"limit": 2, "after": "2"})).is(200);
    assert_eq!(page.text("/paging/next/after"), "4");
    assert_eq!(page.body["total"], 5);
}

#[test]
fn search_has_its_own_limits() {
    let mut crm = crm();
    let beyond =
        crm.call("POST", "/crm/v3/objects/deals/search", &json!({"limit": 200, "after": "9801"})).is(400);
    assert!(beyond.text("/message").contains("10000"), "{}", beyond.body);
    crm.call("POST", "/crm/v3/objects/deals/search", &json!({"limit": 201})).is(400);
    let sorts = json!({"sorts": [{"propertyName": "a"}, {"propertyName": "b"}]});
    crm.call("POST", "/crm/v3/objects/deals/search", &sorts).is(400);
    crm.call("POST", "/crm/v3/objects/deals/search", &json!({"limit": 200, "after": "9800"})).is(200);
    crm.call("POST", "/crm/v3/objects/deals/search", &json!({})).is(200);
    let said = crm.call("POST", "/crm/v3/objects/deals/search", &json!({})).is(429);
    assert_eq!(said.text("/policyName"), "SECONDLY");
    assert_eq!(said.header("x-hubspot-ratelimit-max"), None);
    crm.now += 1_000;
    crm.call("POST", "/crm/v3/objects/deals/search", &json!({})).is(200);
}

#[test]
fn the_rolling_window_is_announced_and_enforced() {
    let mut crm = Trial::new(Kind::HubSpot, |options| options.limits.burst = 3);
    for left in ["2", "1", "0"] {
        let said = crm.get("/account-info/v3/details").is(200);
        assert_eq!(said.header("x-hubspot-ratelimit-remaining"), Some(left));
        assert_eq!(said.header("x-hubspot-ratelimit-interval-milliseconds"), Some("10000"));
        crm.now += 1_000;
    }
    let said = crm.get("/account-info/v3/details").is(429);
    assert_eq!(said.text("/category"), "RATE_LIMITS");
    assert_eq!(said.text("/errorType"), "RATE_LIMIT");
    assert_eq!(said.text("/policyName"), "TEN_SECONDLY_ROLLING");
    assert_eq!(said.header("retry-after"), None);
    // The first call leaves the window ten seconds after it came.
    crm.now = NOW + 10_000;
    crm.get("/account-info/v3/details").is(200);
    crm.get("/account-info/v3/details").is(429);
}

#[test]
fn the_day_has_a_quota_too() {
    let mut crm = Trial::new(Kind::HubSpot, |options| options.limits.daily = 1);
    crm.get("/account-info/v3/details").is(200);
    assert_eq!(crm.get("/account-info/v3/details").is(429).text("/policyName"), "DAILY");
    crm.now += 86_400_000;
    crm.get("/account-info/v3/details").is(200);
}

#[test]
fn associations_go_both_ways() {
    let mut crm = crm();
    let person = contact(&mut crm, "as@x.test");
    let company = crm
        .call("POST", "/crm/v3/objects/companies", &json!({"properties": {"name": "C"}}))
        .is(201)
        .text("/id")
        .to_owned();
    crm.call(
        "PUT",
        &format!("/crm/v4/objects/contacts/{person}/associations/default/companies/{company}"),
        &Value::Null,
    )
    .is(200);
    let said = crm.get(&format!("/crm/v4/objects/companies/{company}/associations/contacts")).is(200);
    assert_eq!(said.body["results"][0]["toObjectId"].to_string(), person);
    let read = crm.get(&format!("{OBJECTS}/contacts/{person}?associations=companies")).is(200);
    assert_eq!(read.text("/associations/companies/results/0/id"), company);
    crm.call(
        "PUT",
        &format!("/crm/v4/objects/contacts/{person}/associations/default/companies/1"),
        &Value::Null,
    )
    .is(404);
    let body = json!({"properties": {"dealname": "D"}, "associations": [{"to": {"id": company}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 341}]}]});
    let deal = crm.call("POST", "/crm/v3/objects/deals", &body).is(201).text("/id").to_owned();
    let said = crm.get(&format!("/crm/v4/objects/deals/{deal}/associations/companies")).is(200);
    assert_eq!(said.body["results"][0]["associationTypes"][0]["typeId"], 341);
}

#[test]
fn merging_leaves_an_alias_and_archives_the_other() {
    let mut crm = crm();
    let (keep, gone) = (contact(&mut crm, "keep@x.test"), contact(&mut crm, "gone@x.test"));
    let body = json!({"primaryObjectId": keep, "objectIdToMerge": gone});
    crm.call("POST", "/crm/v3/objects/contacts/merge", &body).is(200);
    assert_eq!(crm.get(&format!("{OBJECTS}/contacts/{gone}")).is(200).text("/id"), keep);
    let merge =
        events(&mut crm).into_iter().find(|event| event["subscriptionType"] == "contact.merge").unwrap();
    assert_eq!(merge["mergedObjectIds"][0].to_string(), gone);
    assert_eq!(merge["primaryObjectId"].to_string(), keep);
    assert!(crm.world.books().objects["contacts"][&gone].archived_ms.is_some());
}

#[test]
fn dates_are_kept_in_the_vendors_form() {
    let mut crm = crm();
    let body = json!({"properties": {"dealname": "D", "closedate": "2026-12-01"}});
    let said = crm.call("POST", "/crm/v3/objects/deals", &body).is(201);
    assert_eq!(said.text("/properties/closedate"), "2026-12-01T00:00:00Z");
    assert_eq!(parameter("a=1&b=%20x", "b").as_deref(), Some(" x"));
}
