//! The ERP's behaviours, one by one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::fault::{Fault, FaultKind};
use crate::options::{Kind, Options};
use crate::person::Edit;
use crate::request::encode;
use crate::trial::{NOW, Said, Trial};

const RECORD: &str = "/services/rest/record/v1";
const TOKEN: &str = "/services/rest/auth/oauth2/v1/token";

fn assertion(change: impl FnOnce(&mut Value, &mut Value)) -> String {
    let now = NOW / 1000;
    let mut header = json!({"alg": "PS256", "typ": "JWT", "kid": "certificate-1"});
    let mut claims = json!({
        "iss": "sandbox-client", "scope": ["rest_webservices"], "iat": now, "exp": now + 600,
        "aud": format!("https://td2900001.suitetalk.api.netsuite.com{TOKEN}"),
    });
    change(&mut header, &mut claims);
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(&header), part(&claims), URL_SAFE_NO_PAD.encode([7; 64]))
}

fn ask(erp: &mut Trial, assertion: &str) -> Said {
    let form = format!(
        "grant_type=client_credentials&client_assertion_type={}&client_assertion={assertion}",
        encode("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
    );
    erp.raw("POST", TOKEN, form)
}

fn erp_with(adjust: impl FnOnce(&mut Options)) -> Trial {
    let mut erp = Trial::new(Kind::NetSuite, adjust);
    let token = ask(&mut erp, &assertion(|_, _| {})).is(200).text("/access_token").to_owned();
    erp.authorization = format!("Bearer {token}");
    erp
}

fn erp() -> Trial {
    erp_with(|_| {})
}

fn customer(erp: &mut Trial, external: &str) -> String {
    let said = erp
        .call("PUT", &format!("{RECORD}/customer/eid:{external}"), &json!({"companyName": external}))
        .is(204);
    said.header("location").unwrap().rsplit('/').next().unwrap().to_owned()
}

fn suiteql(erp: &mut Trial, sql: &str) -> Said {
    erp.headers = vec![("prefer", "transient".to_owned())];
    erp.call("POST", "/services/rest/query/v1/suiteql?limit=1000", &json!({"q": sql}))
}

fn ids(said: &Said) -> String {
    let all: Vec<&str> = said.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["externalid"].as_str().unwrap())
        .collect();
    all.join(" ")
}

#[test]
fn tokens_are_for_good_assertions_only() {
    let mut erp = Trial::new(Kind::NetSuite, |_| {});
    let said = ask(&mut erp, &assertion(|_, _| {})).is(200);
    assert_eq!(said.text("/expires_in"), "3600");
    type Spoil = fn(&mut Value, &mut Value);
    let spoils: [(&str, Spoil); 8] = [
        ("iss", |_, claims| claims["iss"] = json!("somebody")),
        ("aud", |_, claims| claims["aud"] = json!("https://elsewhere.test")),
        ("exp", |_, claims| claims["exp"] = Value::Null),
        ("not valid", |_, claims| claims["exp"] = json!(NOW / 1000 - 1)),
        ("hour", |_, claims| claims["exp"] = json!(NOW / 1000 + 3_601)),
        ("alg", |header, _| header["alg"] = json!("HS256")),
        ("kid", |header, _| header["kid"] = Value::Null),
        ("scope", |_, claims| claims["scope"] = Value::Null),
    ];
    for (named, spoil) in spoils {
        let said = ask(&mut erp, &assertion(spoil)).is(400);
        assert!(said.text("/error_description").contains(named), "{named}: {}", said.body);
    }
    ask(&mut erp, "garbage").is(400);
    erp.raw("POST", TOKEN, "grant_type=password").is(400);
}

#[test]
fn expired_and_revoked_tokens_are_invalid_logins() {
    let mut erp = erp();
    erp.get(&format!("{RECORD}/")).is(200);
    erp.now += 3_600_000;
    let said = erp.get(&format!("{RECORD}/")).is(401);
    assert_eq!(said.text("/o:errorDetails/0/o:errorCode"), "INVALID_LOGIN");
    erp.now = NOW;
    let mut erp = self::erp();
    assert!(erp.world.expire_tokens());
    erp.get(&format!("{RECORD}/")).is(401);
    erp.world.revoke_credential(true);
    ask(&mut erp, &assertion(|_, _| {})).is(401);
    erp.world.revoke_credential(false);
    ask(&mut erp, &assertion(|_, _| {})).is(200);
}

#[test]
fn identity_names_the_account() {
    let mut erp = erp();
    assert_eq!(erp.get("/services/rest/whoami").is(200).text("/accountId"), "TD2900001");
}

#[test]
fn put_by_external_id_creates_then_updates() {
    let mut erp = erp();
    let first = customer(&mut erp, "c-1");
    let body = json!({"companyName": "Two", "email": "a@b.test"});
    let said = erp.call("PUT", &format!("{RECORD}/customer/eid:c-1"), &body).is(204);
    assert!(said.answer.response.body().is_empty());
    assert_eq!(
        said.header("location"),
        Some(format!("http://vendor.test{RECORD}/customer/{first}").as_str())
    );
    let read = erp.get(&format!("{RECORD}/customer/eid:c-1")).is(200);
    assert_eq!((read.text("/id"), read.text("/companyName")), (first.as_str(), "Two"));
    assert_eq!(read.text("/lastModifiedDate"), "2026-11-18T11:06:40Z");
    erp.call("PUT", &format!("{RECORD}/customer/{first}"), &body).is(405);
    erp.call("PUT", &format!("{RECORD}/customer/eid:a|b"), &body).is(400);
    erp.call("PUT", &format!("{RECORD}/customer/eid:c-2"), &json!({"companyName": "x", "externalId": "c-3"}))
        .is(400);
}

#[test]
fn post_makes_a_new_record_and_refuses_a_taken_external_id() {
    let mut erp = erp();
    let body = json!({"companyName": "A", "externalId": "c-1"});
    let said = erp.call("POST", &format!("{RECORD}/customer"), &body).is(204);
    assert!(said.header("location").unwrap().contains("/customer/"));
    let said = erp.call("POST", &format!("{RECORD}/customer"), &body).is(400);
    assert_eq!(said.text("/o:errorDetails/0/o:errorCode"), "DUP_RCRD");
    // Without an external id nothing keeps the ERP from a second one.
    erp.call("POST", &format!("{RECORD}/customer"), &json!({"companyName": "A"})).is(204);
    erp.call("POST", &format!("{RECORD}/customer"), &json!({"companyName": "A"})).is(204);
    assert_eq!(erp.world.books().objects["customer"].len(), 3);
}

#[test]
fn errors_name_the_field() {
    let mut erp = erp();
    let said = erp.call("POST", &format!("{RECORD}/invoice"), &json!({})).is(400);
    assert_eq!(said.text("/title"), "Bad Request");
    assert_eq!(said.text("/o:errorDetails/0/o:errorPath"), "entity");
    let said = erp.call("POST", &format!("{RECORD}/invoice"), &json!({"entity": {"id": "77"}})).is(400);
    assert_eq!(said.text("/o:errorDetails/0/o:errorCode"), "INVALID_KEY_OR_REF");
    let said = erp.get(&format!("{RECORD}/customer/eid:none")).is(404);
    assert_eq!(said.text("/o:errorDetails/0/o:errorCode"), "NONEXISTENT_ID");
    erp.raw("POST", &format!("{RECORD}/customer"), "[1]").is(400);
    erp.call("PATCH", &format!("{RECORD}/customer/1"), &json!({})).is(404);
    erp.get("/nothing/here").is(404);
}

#[test]
fn an_invoice_uses_its_number_once_per_creation() {
    let mut erp = erp();
    let id = customer(&mut erp, "c-1");
    let body = json!({"entity": {"externalId": "c-1"}, "total": "12.50"});
    for _ in 0..2 {
        erp.call("PUT", &format!("{RECORD}/invoice/eid:i-1"), &body).is(204);
    }
    let read = erp.get(&format!("{RECORD}/invoice/eid:i-1")).is(200);
    assert_eq!((read.text("/tranId"), read.text("/entity/id")), ("INV1001", id.as_str()));
    erp.call("POST", &format!("{RECORD}/invoice"), &json!({"entity": {"id": id}})).is(204);
    let books = erp.world.books();
    let used = &books.effects["invoice_numbers_used"];
    assert_eq!(used["i-1"], 1);
    assert_eq!(used.values().sum::<u64>(), 2);
}

#[test]
fn a_deleted_and_recreated_invoice_used_two_numbers() {
    let mut erp = erp();
    customer(&mut erp, "c-1");
    let body = json!({"entity": {"externalId": "c-1"}});
    erp.call("PUT", &format!("{RECORD}/invoice/eid:i-1"), &body).is(204);
    erp.call("DELETE", &format!("{RECORD}/invoice/eid:i-1"), &Value::Null).is(204);
    erp.call("PUT", &format!("{RECORD}/invoice/eid:i-1"), &body).is(204);
    assert_eq!(erp.world.books().effects["invoice_numbers_used"]["i-1"], 2);
}

#[test]
fn sublists_append_unless_replaced() {
    let mut erp = erp();
    customer(&mut erp, "c-1");
    erp.call("PUT", &format!("{RECORD}/inventoryItem/eid:p-1"), &json!({"itemId": "P"})).is(204);
    let body = json!({"entity": {"externalId": "c-1"}, "item": {"items": [{"item": {"externalId": "p-1"}, "quantity": 1}]}});
    let path = format!("{RECORD}/salesOrder/eid:o-1");
    let lines = |erp: &mut Trial| {
        erp.get(&format!("{path}?expandSubResources=true")).is(200).body["item"]["items"]
            .as_array()
            .unwrap()
            .len()
    };
    erp.call("PUT", &path, &body).is(204);
    erp.call("PUT", &path, &body).is(204);
    assert_eq!(lines(&mut erp), 2);
    erp.call("PUT", &format!("{path}?replace=item"), &body).is(204);
    assert_eq!(lines(&mut erp), 1);
    assert!(erp.get(&path).is(200).text("/item/links/0/href").ends_with("/item"));
    let wrong = json!({"item": {"items": [{"item": {"id": "0"}}]}});
    assert!(
        erp.call("PATCH", &path, &wrong)
            .is(400)
            .text("/o:errorDetails/0/o:errorPath")
            .contains("item.items[0]")
    );
}

#[test]
fn record_types_are_one_whatever_their_case() {
    let mut erp = erp();
    customer(&mut erp, "c-1");
    erp.get(&format!("{RECORD}/Customer/eid:c-1")).is(200);
    erp.call("PUT", &format!("{RECORD}/customrecord_sub/eid:s-1"), &json!({"custrecord_plan": "gold"}))
        .is(204);
    let read = erp.get(&format!("{RECORD}/CUSTOMRECORD_SUB/eid:s-1")).is(200);
    assert_eq!(read.text("/lastModified"), "2026-11-18T11:06:40Z");
}

#[test]
fn suiteql_polls_by_second_with_a_tie_break() {
    let mut erp = erp();
    // c-1 and c-2 change within one second; their ids break the tie.
    for (external, at) in [("c-1", NOW), ("c-2", NOW + 500), ("c-3", NOW + 5_000)] {
        erp.now = at;
        customer(&mut erp, external);
    }
    let poll = |erp: &mut Trial, tail: &str| {
        ids(&suiteql(erp, &format!("SELECT * FROM customer WHERE {tail} ORDER BY lastmodifieddate, id"))
            .is(200))
    };
    let stamp = "TO_TIMESTAMP('2026-11-18 11:06:40', 'YYYY-MM-DD HH24:MI:SS')";
    assert_eq!(poll(&mut erp, &format!("lastmodifieddate >= {stamp}")), "c-1 c-2 c-3");
    assert_eq!(poll(&mut erp, &format!("lastmodifieddate > {stamp}")), "c-3");
    let first = erp.get(&format!("{RECORD}/customer/eid:c-1")).text("/id").to_owned();
    let cursor = format!("(lastmodifieddate > {stamp} OR (lastmodifieddate = {stamp} AND id > {first}))");
    assert_eq!(poll(&mut erp, &cursor), "c-2 c-3");
    assert_eq!(poll(&mut erp, &format!("lastmodifieddate >= {stamp} AND id > {first}")), "c-2 c-3");
    assert_eq!(poll(&mut erp, "externalid = 'c-2'"), "c-2");
    assert_eq!(poll(&mut erp, "externalid IN ('c-3', 'c-1') AND email IS NULL"), "c-1 c-3");
    assert_eq!(poll(&mut erp, "lastmodifieddate >= TO_TIMESTAMP('2026-11-18T11:06:45Z')"), "c-3");
}

#[test]
fn suiteql_selects_formats_and_pages() {
    let mut erp = erp();
    for n in 0..5 {
        customer(&mut erp, &format!("c-{n}"));
    }
    let sql = "SELECT id, externalid, TO_CHAR(lastmodifieddate, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS stamp, isperson FROM customer ORDER BY id DESC";
    let said = suiteql(&mut erp, sql).is(200);
    assert_eq!(said.text("/items/0/stamp"), "2026-11-18T11:06:40Z");
    assert_eq!(said.text("/items/0/externalid"), "c-4");
    assert_eq!(said.body["items"][0].get("isperson"), None);
    assert_eq!((&said.body["totalResults"], &said.body["hasMore"]), (&json!(5), &json!(false)));
    let page =
        erp.call("POST", "/services/rest/query/v1/suiteql?limit=2&offset=2", &json!({"q": sql})).is(200);
    assert_eq!(
        (&page.body["count"], &page.body["hasMore"], &page.body["offset"]),
        (&json!(2), &json!(true), &json!(2))
    );
    assert!(page.body["links"].as_array().unwrap().iter().any(|link| link["rel"] == "next"));
    erp.call("POST", "/services/rest/query/v1/suiteql?limit=1001", &json!({"q": sql})).is(400);
    erp.headers.clear();
    erp.call("POST", "/services/rest/query/v1/suiteql", &json!({"q": sql})).is(400);
}

#[test]
fn suiteql_refuses_what_it_does_not_know() {
    let mut erp = erp();
    for sql in [
        "",
        "DELETE FROM customer",
        "SELECT id FROM",
        "SELECT id FROM nowhere",
        "SELECT id FROM customer WHERE id",
        "SELECT id FROM customer WHERE lastmodifieddate > TO_DATE('x', 'YYYY-MM-DD')",
        "SELECT id FROM customer LIMIT 5",
        "SELECT id FROM customer WHERE companyname = 'open",
    ] {
        let said = suiteql(&mut erp, sql).is(400);
        assert_eq!(said.text("/o:errorDetails/0/o:errorCode"), "INVALID_PARAMETER", "{sql}");
    }
    // Quotes are doubled, never a way out.
    let said = suiteql(
        &mut erp,
        "SELECT id FROM customer WHERE companyname = 'O''Hara' OR companyname = ''' OR 1=1'",
    )
    .is(200);
    assert_eq!(said.body["totalResults"], 0);
    suiteql(&mut erp, "SELECT id FROM customrecord_unseen").is(200);
}

#[test]
fn one_table_holds_all_items_and_one_all_transactions() {
    let mut erp = erp();
    customer(&mut erp, "c-1");
    for (kind, external) in [("inventoryItem", "p-1"), ("serviceSaleItem", "p-2")] {
        erp.call("PUT", &format!("{RECORD}/{kind}/eid:{external}"), &json!({"itemId": external})).is(204);
    }
    for (kind, external) in [("invoice", "t-1"), ("salesOrder", "t-2")] {
        let body = json!({"entity": {"externalId": "c-1"}});
        erp.call("PUT", &format!("{RECORD}/{kind}/eid:{external}"), &body).is(204);
    }
    let mut found =
        |tail: &str| ids(&suiteql(&mut erp, &format!("SELECT externalid FROM {tail} ORDER BY id")).is(200));
    assert_eq!(found("item"), "p-1 p-2");
    assert_eq!(found("item WHERE itemtype = 'InvtPart'"), "p-1");
    assert_eq!(found("transaction WHERE recordtype = 'salesorder'"), "t-2");
    assert_eq!(found("transaction WHERE recordtype IN ('salesorder', 'invoice')"), "t-1 t-2");
}

#[test]
fn lists_take_a_simple_q() {
    let mut erp = erp();
    customer(&mut erp, "c-1");
    let id = customer(&mut erp, "c-2");
    let said = erp.get(&format!("{RECORD}/customer?q={}", encode("externalId IS \"c-2\""))).is(200);
    assert_eq!((said.body["count"].as_u64(), said.text("/items/0/id")), (Some(1), id.as_str()));
    erp.get(&format!("{RECORD}/customer?q=nonsense")).is(400);
}

#[test]
fn requests_in_service_are_counted_over_the_account() {
    let mut erp = erp_with(|options| {
        options.limits.concurrency = 2;
        options.limits.service_ms = 100;
    });
    erp.now += 100;
    erp.get("/services/rest/whoami").is(200);
    erp.get("/services/rest/whoami").is(200);
    let said = erp.get("/services/rest/whoami").is(429);
    assert_eq!(said.text("/o:errorDetails/0/o:errorCode"), "CONCURRENCY_LIMIT_EXCEEDED");
    assert!(
        said.answer
            .response
            .headers()
            .iter()
            .all(|(name, _)| !name.as_str().contains("limit") && name != "retry-after")
    );
    erp.now += 100;
    erp.get("/services/rest/whoami").is(200);
    assert_eq!(erp.world.books().calls.peak_concurrency, 2);
}

#[test]
fn a_hung_request_holds_its_place_until_the_caller_goes() {
    let mut erp = erp_with(|options| options.limits.concurrency = 1);
    erp.world.add_fault(Fault::new(FaultKind::Hang { effect: false }).times(1));
    let hung = erp.get("/services/rest/whoami");
    assert!(!hung.seen());
    erp.now += 3_600_000 - 1;
    erp.get("/services/rest/whoami").is(429);
    erp.world.finished(hung.answer.ticket.unwrap(), erp.now);
    erp.get("/services/rest/whoami").is(200);
}

#[test]
fn people_edit_without_a_token_and_send_nothing() {
    let mut erp = Trial::new(Kind::NetSuite, |_| {});
    let values =
        [("companyName".to_owned(), json!("By hand")), ("externalId".to_owned(), json!("c-9"))].into();
    let id = erp.world.person(Edit::Create { object_type: "customer".to_owned(), values }, NOW).unwrap();
    let values = [("creditHold".to_owned(), json!(true))].into();
    erp.world
        .person(
            Edit::Update { object_type: "customer".to_owned(), id: "eid:c-9".to_owned(), values },
            NOW + 1,
        )
        .unwrap();
    let books = erp.world.books();
    let actors: Vec<_> =
        books.objects["customer"][&id].history.iter().map(|one| format!("{:?}", one.actor)).collect();
    assert_eq!(actors, ["Person", "Person"]);
    assert!(erp.world.take_webhooks(NOW + 100).is_empty());
    let edit = Edit::Delete { object_type: "customer".to_owned(), id: "1".to_owned() };
    assert!(erp.world.person(edit, NOW).unwrap_err().to_string().contains("no live customer"));
}
