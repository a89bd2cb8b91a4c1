//! The sink's books and its idempotency keys.

use serde_json::json;

use super::peek::{Peeked, fields};
use crate::fault::{Fault, FaultKind};
use crate::options::Kind;
use crate::trial::Trial;

fn sink() -> Trial {
    let mut sink = Trial::new(Kind::Sink, |options| {
        options.keep_bodies = true;
        options.idempotency_ttl_ms = 60_000;
    });
    sink.authorization.clear();
    sink
}

fn keyed(sink: &mut Trial, key: &str) {
    sink.headers = vec![("idempotency-key", key.to_owned())];
}

#[test]
fn lanes_count_what_came_twice_and_what_came_backwards() {
    let mut sink = sink();
    for (key, version) in [("a", 1), ("a", 2), ("a", 2), ("b", 10), ("b", 9), ("b", 9), ("b", 10)] {
        sink.call("PUT", &format!("/erp/{key}"), &json!({"id": key, "version": version}));
    }
    sink.call("POST", "/mail", &json!({"id": "m-1"})).is(201);
    sink.call("POST", "/mail", &json!({"id": "m-1"})).is(200);
    sink.call("POST", "/mail", &json!({"id": 2})).is(201);
    let lanes = sink.world.books().lanes;
    let counts = |lane: &str| {
        let book = &lanes[lane];
        (book.received, book.unique, book.duplicates, book.backwards)
    };
    assert_eq!(counts("erp"), (7, 2, 2, 2));
    assert_eq!(counts("mail"), (3, 2, 1, 0));
    assert_eq!(sink.get("/erp/a").is(200).body, json!({"id": "a", "version": 2}));
    sink.get("/erp/none").is(404);
}

#[test]
fn bad_bodies_are_refused() {
    let mut sink = sink();
    sink.raw("PUT", "/erp/a", "{\"id\":").is(400);
    sink.raw("PUT", "/erp/a", "[1]").is(400);
    sink.raw("PUT", "/erp/a", "{} {}").is(400);
    sink.call("POST", "/mail", &json!({"name": "x"})).is(422);
    assert!(sink.world.books().lanes.values().all(|lane| lane.received == 0));
}

#[test]
fn peeking_follows_dotted_paths_and_skips_the_rest() {
    let body = br#"{"specversion":"1.0","data":{"x":[{"id":9}],"id":"d-1","seq":7},"id":"e-1"}"#;
    let peeked = |id: Option<&str>, version: Option<&str>| Peeked {
        id: id.map(str::to_owned),
        version: version.map(str::to_owned),
    };
    assert_eq!(fields(body, "id", "data.seq").unwrap(), peeked(Some("e-1"), Some("7")));
    assert_eq!(fields(body, "data.id", "version").unwrap(), peeked(Some("d-1"), None));
    assert_eq!(fields(body, "data.id", "data.seq").unwrap(), peeked(Some("d-1"), Some("7")));
    assert!(fields(body, "data", "version").is_err());
}

#[test]
fn a_known_key_replays_the_result_without_effect() {
    let mut sink = sink();
    keyed(&mut sink, "k-1");
    sink.call("POST", "/mail", &json!({"id": "m-1"})).is(201);
    // Quoted as in the draft, bare as vendors take it: one key.
    keyed(&mut sink, "\"k-1\"");
    let said = sink.call("POST", "/mail", &json!({"id": "m-1"})).is(201);
    assert_eq!(said.header("idempotent-replayed"), Some("true"));
    let book = &sink.world.books().lanes["mail"];
    assert_eq!((book.received, book.replayed, book.duplicates), (1, 1, 0));
    sink.call("POST", "/mail", &json!({"id": "m-2"})).is(400);
    sink.now += 60_000;
    sink.call("POST", "/mail", &json!({"id": "m-1"})).is(200);
    assert_eq!(sink.world.books().lanes["mail"].duplicates, 1);
}

#[test]
fn stored_results_include_500s_before_and_after_the_effect() {
    let mut sink = sink();
    for (key, kind) in
        [("k-1", FaultKind::ErrorBefore { status: 500 }), ("k-2", FaultKind::ErrorAfter { status: 503 })]
    {
        let status = if key == "k-1" { 500 } else { 503 };
        sink.world.add_fault(Fault::new(kind).times(1));
        keyed(&mut sink, key);
        for _ in 0..3 {
            sink.call("POST", "/mail", &json!({"id": key})).is(status);
        }
    }
    assert_eq!(sink.world.books().lanes["mail"].received, 1);
}

#[test]
fn a_key_in_flight_is_409_until_the_answer_or_the_caller_goes() {
    let mut sink = sink();
    keyed(&mut sink, "k-1");
    sink.world.add_fault(Fault::new(FaultKind::Slow { ms: 500 }).times(1));
    sink.call("POST", "/mail", &json!({"id": "m-1"})).is(201);
    sink.now += 499;
    sink.call("POST", "/mail", &json!({"id": "m-1"})).is(409);
    sink.now += 1;
    sink.call("POST", "/mail", &json!({"id": "m-1"})).is(201);
    keyed(&mut sink, "k-2");
    sink.world.add_fault(Fault::new(FaultKind::Hang { effect: true }).times(1));
    let hung = sink.call("POST", "/mail", &json!({"id": "m-2"}));
    assert!(!hung.seen());
    sink.call("POST", "/mail", &json!({"id": "m-2"})).is(409);
    sink.world.finished(hung.answer.ticket.unwrap(), sink.now);
    sink.call("POST", "/mail", &json!({"id": "m-2"})).is(201);
    assert_eq!(sink.world.books().lanes["mail"].duplicates, 0);
}

#[test]
fn throttled_and_unauthorised_requests_store_nothing() {
    let mut sink = Trial::new(Kind::Sink, |options| {
        options.credential = "t".to_owned();
        options.idempotency_ttl_ms = 60_000;
    });
    keyed(&mut sink, "k-1");
    sink.authorization.clear();
    sink.call("POST", "/mail", &json!({"id": "m-1"})).is(401);
    sink.authorization = "Bearer t".to_owned();
    sink.world.add_fault(Fault::new(FaultKind::Throttle { retry_after_s: Some(3) }).times(1));
    assert_eq!(sink.call("POST", "/mail", &json!({"id": "m-1"})).is(429).header("retry-after"), Some("3"));
    sink.call("POST", "/mail", &json!({"id": "m-1"})).is(201);
}

#[test]
fn a_rotating_refresh_token_works_once() {
    let mut sink = Trial::new(Kind::Sink, |options| {
        options.credential = "t".to_owned();
        options.rotate_refresh = true;
    });
    let form = |token: &str| format!("grant_type=refresh_token&refresh_token={token}");
    let first = sink.raw("POST", "/oauth/token", form("refresh-sandbox")).is(200);
    sink.raw("POST", "/oauth/token", form("refresh-sandbox")).is(400);
    sink.raw("POST", "/oauth/token", form(first.text("/refresh_token"))).is(200);
    sink.authorization = format!("Bearer {}", first.text("/access_token"));
    sink.call("POST", "/mail", &json!({"id": "m-1"})).is(201);
    assert!(sink.world.expire_tokens());
    sink.call("POST", "/mail", &json!({"id": "m-1"})).is(401);
}
