//! The events API: modes, tokens, results, idempotency keys.

use super::*;

const STRUCTURED: (&str, &str) = ("content-type", "application/cloudevents+json");
const BATCH: (&str, &str) = ("content-type", "application/cloudevents-batch+json");

#[tokio::test(start_paused = true)]
async fn every_mode_is_taken_in_and_told_per_event() {
    let stage = Stage::new();
    let answer = stage.event(&[STRUCTURED], cloud_event("1", "a", 1).to_string()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let result = &answer.body["results"][0];
    assert_eq!((&result["id"], &result["outcome"]), (&json!("1"), &json!("accepted")));
    assert!(result["message_id"].as_str().expect("kept").starts_with("msg_"), "{result}");
    assert_eq!(answer.body["request_id"].as_str(), answer.headers["x-request-id"].to_str().ok());

    let binary = [
        ("ce-specversion", "1.0"),
        ("ce-id", "2"),
        ("ce-source", "/shop"),
        ("ce-type", "contact.updated"),
        ("ce-subject", "b"),
        ("ce-sequence", "7"),
        ("content-type", "application/json"),
    ];
    let answer = stage.event(&binary, r#"{"email":"b@example.com","score":7}"#).await;
    assert_eq!((answer.status.as_u16(), &answer.body["results"][0]["outcome"]), (202, &json!("accepted")));

    let odd =
        json!({"specversion": "1.0", "id": "4", "source": "/shop", "type": "contact.updated", "data": {}});
    let batch = json!([cloud_event("1", "a", 1), cloud_event("3", "c", 1), odd]);
    let answer = stage.event(&[BATCH], batch.to_string()).await;
    let outcomes: Vec<&Value> =
        answer.body["results"].as_array().expect("a list").iter().map(|r| &r["outcome"]).collect();
    assert_eq!(outcomes, ["duplicate", "accepted", "quarantined"], "{answer:?}");
    let quarantined = &answer.body["results"][2];
    assert!(quarantined["message"].as_str().expect("why").contains("subject"), "{quarantined}");
    assert!(quarantined["message_id"].as_str().expect("kept").starts_with("msg_"), "{quarantined}");
    assert_eq!(stage.facts().await, 3);
}

#[tokio::test(start_paused = true)]
async fn an_empty_batch_is_fine() {
    let answer = Stage::new().event(&[BATCH], "[]").await;
    assert_eq!((answer.status.as_u16(), &answer.body["results"]), (202, &json!([])));
}

#[tokio::test(start_paused = true)]
async fn without_a_token_nothing_is_read() {
    let stage = Stage::new();
    let event = cloud_event("1", "a", 1).to_string();
    for (token, status) in [(None, 401), (Some("Bearer wrong"), 401), (Some("Bearer crm-secret"), 401)] {
        let mut request = Request::post("/v1/events").header(STRUCTURED.0, STRUCTURED.1);
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        let answer = stage.ask(request.body(Body::from(event.clone())).expect("a request")).await;
        assert_eq!(answer.status, status, "{token:?}");
    }
    assert!(stage.counted("unauthorised"));
    // A client of a system whose connector reads no CloudEvents.
    let request = Request::post("/v1/events")
        .header("authorization", "Bearer mute-token")
        .header(STRUCTURED.0, STRUCTURED.1);
    let answer = stage.ask(request.body(Body::from(event)).expect("a request")).await;
    assert_eq!(answer.status, 403);
    assert!(answer.body["detail"].as_str().expect("text").contains("mailchimp"), "{answer:?}");
    assert_eq!(stage.facts().await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_event_is_refused_whole() {
    let stage = Stage::new();
    let mut bad = cloud_event("2", "b", 1);
    bad["specversion"] = json!("0.3");
    let answer = stage.event(&[BATCH], json!([cloud_event("1", "a", 1), bad]).to_string()).await;
    assert_eq!((answer.status.as_u16(), &answer.body["type"]), (400, &json!("/problems/malformed")));
    assert_eq!(answer.body["errors"][0]["pointer"], "/1");
    for (body, headers, status) in [
        ("{", STRUCTURED, 400),
        ("{}", ("content-type", "application/json"), 400),
        ("x", ("content-type", "text/plain"), 400),
        ("{}", ("content-type", "application/cloudevents+xml"), 415),
    ] {
        assert_eq!(stage.event(&[headers], body).await.status, status, "{body} as {headers:?}");
    }
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let answer = stage.event(&[STRUCTURED], deep).await;
    assert!(answer.body["detail"].as_str().expect("text").contains("nested deeper"), "{answer:?}");
    assert_eq!(stage.facts().await, 0, "nothing of a refused batch was taken in");
    assert!(stage.counted("malformed"));
}

#[tokio::test(start_paused = true)]
async fn a_key_replays_its_answer_and_is_bound_to_its_content() {
    let stage = Stage::new();
    let key = ("idempotency-key", "\"order-17\"");
    let event = cloud_event("1", "a", 1).to_string();
    let first = stage.event(&[STRUCTURED, key], event.clone()).await;
    assert_eq!(first.body["results"][0]["outcome"], "accepted");
    let again = stage.event(&[STRUCTURED, ("idempotency-key", "order-17")], event.clone()).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body), "byte for byte");
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert!(!first.headers.contains_key("idempotent-replayed"));
    let other = stage.event(&[STRUCTURED, key], cloud_event("2", "a", 2).to_string()).await;
    assert_eq!((other.status.as_u16(), &other.body["type"]), (422, &json!("/problems/key-reused")));
    let wrong = stage.event(&[STRUCTURED, ("idempotency-key", "\"open")], event).await;
    assert_eq!(wrong.status, 400);
    assert_eq!(stage.facts().await, 1);
    assert!(stage.counted("key_reused"));
}

/// A restart empties the table of keys; the event's own id still holds.
#[tokio::test(start_paused = true)]
async fn without_its_key_a_repeated_event_is_a_duplicate() {
    let stage = Stage::new();
    let event = cloud_event("1", "a", 1).to_string();
    stage.event(&[STRUCTURED, ("idempotency-key", "k")], event.clone()).await;
    let again = stage.event(&[STRUCTURED], event).await;
    assert_eq!(again.body["results"][0]["outcome"], "duplicate");
    assert_eq!(stage.facts().await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_refused_keeps_no_key() {
    let stage = Stage::new();
    let key = ("idempotency-key", "k");
    assert_eq!(stage.event(&[STRUCTURED, key], "{").await.status, 400);
    stage.store.refuse(Some(store::StoreError::Full { detail: "0 bytes".to_owned() }));
    let event = cloud_event("1", "a", 1).to_string();
    assert_eq!(stage.event(&[STRUCTURED, key], event.clone()).await.status, 503);
    stage.store.refuse(None);
    tokio::time::sleep(std::time::Duration::from_secs(30)).await;
    assert_eq!(stage.event(&[STRUCTURED, key], event).await.body["results"][0]["outcome"], "accepted");
}

#[tokio::test(start_paused = true)]
async fn an_event_of_one_source_is_not_another_sources() {
    let stage = Stage::new();
    let mut other = cloud_event("1", "b", 1);
    other["source"] = json!("/kiosk");
    for event in [cloud_event("1", "a", 1), other] {
        let answer = stage.event(&[STRUCTURED], event.to_string()).await;
        assert_eq!(answer.body["results"][0]["outcome"], "accepted", "id is unique within source only");
    }
}
