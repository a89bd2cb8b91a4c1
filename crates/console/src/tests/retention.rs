//! What is kept, and a round that a person orders.

use super::*;

#[tokio::test]
async fn what_is_past_its_time_is_shown_and_goes_on_order() {
    let old = |number| Op::PutMessage(Message { received_at: canonical::Wall(1), ..make::message(number) });
    let bench = Bench::with(vec![old(1), old(2), Op::PutMessage(quarantined(3))]);
    let before = bench.until("/api/v1/retention", |sheet| sheet["kinds"][0]["rows"] == 3).await;
    let messages = &before["kinds"][0];
    assert_eq!((&messages["kind"], &messages["keeps"]), (&json!("messages"), &json!("30d, hashes 45d")));
    assert_eq!((&messages["past"], &messages["oldest"]), (&json!(2), &json!("1970-01-01T00:00:00.000001Z")));
    assert_eq!((&before["archive"], &before["removed"]), (&Value::Null, &json!({})));
    let (status, _) = bench.post("/api/v1/retention/run", &json!({})).await;
    assert_eq!(status, 400, "a reason is needed");
    // It is told when it is durable that it was ordered.
    let (status, sheet) = bench.post("/api/v1/retention/run", &json!({"reason": "space"})).await;
    assert_eq!(status, 200, "{sheet}");
    assert_eq!(sheet["orders"][0]["reason"], "operate: space");
    let after = bench.until("/api/v1/retention", |sheet| sheet["round"]["ended_at"].is_string()).await;
    assert_eq!(after["removed"], json!({"payload": 2, "message": 2}));
    assert_eq!(after["kinds"][0]["rows"], 1, "what needs a person stays: {after}");
    assert!(!all_text(&after).contains("raw"), "{after}");
}
