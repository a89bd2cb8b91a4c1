//! A person's decisions, carried out by the real machines.

use super::*;

fn letter(record: u64) -> String {
    format!("/api/v1/dead-letters/{}", crate::keys::shown(&make::sync_key("r", record)))
}

fn message(number: u64) -> String {
    format!("/api/v1/dead-letters/{}", make::msg(number))
}

#[tokio::test]
async fn a_dead_delivery_is_tried_again_and_arrives() {
    let bench = Bench::new();
    let (status, answer) =
        bench.post(&format!("{}/retry", letter(1)), &json!({"reason": "mended there"})).await;
    assert_eq!(status, 200, "{answer}");
    let delivery = letter(1).replace("dead-letters", "deliveries");
    let now = bench.until(&delivery, |row| row["state"] == "delivered").await;
    assert_eq!(now["reached"], level(1).to_string());
    let sent = bench.targets.0.lock().expect("not poisoned").clone();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0].0.as_str(), "erp");
    let (status, problem) = bench.post(&format!("{}/retry", letter(1)), &json!({"reason": "again"})).await;
    assert_eq!(status, 409, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("the delivery is delivered"), "{problem}");
}

/// I1: given up by a named person with a reason.
#[tokio::test]
async fn a_delivery_in_doubt_is_given_up_with_who_and_why() {
    let bench = Bench::new();
    let (status, answer) =
        bench.post(&format!("{}/discard", letter(2)), &json!({"reason": " it is there "})).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!((&answer["state"], &answer["reason"]), (&json!("discarded"), &json!("operate: it is there")));
    let left = bench.get("/api/v1/dead-letters?kind=delivery").await;
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
    assert!(bench.targets.0.lock().expect("not poisoned").is_empty(), "nothing is sent");
}

#[tokio::test]
async fn a_quarantined_message_is_taken_in_again() {
    let bench = Bench::new();
    let (status, answer) =
        bench.post(&format!("{}/retry", message(2)), &json!({"reason": "mapping mended"})).await;
    assert_eq!(status, 200, "{answer}");
    let sheet = bench.until("/api/v1/events?kind=contact.created", |page| page["items"][0].is_object()).await;
    let record = sheet["items"][0]["record"].as_str().unwrap();
    let sheet = bench.get(&format!("/api/v1/records/{record}")).await;
    assert_eq!(sheet["record"]["fields"]["name"], "Nine");
    bench.until(&message(2), |row| row["state"] == "accepted").await;
    bench
        .until(&format!("/api/v1/deliveries?record={record}"), |page| {
            page["items"][0]["state"] == "delivered"
        })
        .await;
}

#[tokio::test]
async fn a_quarantined_message_is_given_up_with_who_and_why() {
    let bench = Bench::new();
    let (status, answer) = bench.post(&format!("{}/discard", message(3)), &json!({"reason": "spam"})).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!((&answer["state"], &answer["reason"]), (&json!("discarded"), &json!("operate: spam")));
    let (status, problem) =
        bench.post(&format!("{}/retry", message(3)), &json!({"reason": "no, wait"})).await;
    assert_eq!(status, 409, "{problem}");
    let (status, problem) = bench.post(&format!("{}/discard", message(1)), &json!({"reason": "x"})).await;
    assert_eq!(status, 409, "one that was accepted is no dead letter: {problem}");
}

#[tokio::test]
async fn a_delivery_that_is_done_is_not_decided_about() {
    let bench = Bench::new();
    for verb in ["retry", "discard"] {
        let (status, problem) =
            bench.post(&format!("{}/{verb}", letter(3)), &json!({"reason": "a test"})).await;
        assert_eq!(status, 409, "{problem}");
    }
    let row = bench.get(&letter(3).replace("dead-letters", "deliveries")).await;
    assert_eq!(row["state"], "delivered");
}

/// A paused system is sent nothing; what is for it waits, and goes when it goes on.
#[tokio::test]
async fn a_system_is_held_and_let_go() {
    let bench = Bench::new();
    let (status, answer) = bench.post("/api/v1/systems/erp/pause", &json!({"reason": "stocktaking"})).await;
    assert_eq!((status.as_u16(), &answer), (200, &json!({"system": "erp", "paused": true})));
    let page = bench.until("/api/v1/systems", |page| page["items"][1]["state"] == "paused").await;
    assert_eq!(page["items"][1]["paused"], "operate: stocktaking");
    bench.post(&format!("{}/retry", letter(1)), &json!({"reason": "later"})).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(bench.targets.0.lock().expect("not poisoned").is_empty(), "nothing is sent");
    let (status, answer) = bench.ask("POST", "/api/v1/systems/erp/resume", Some("t-operate"), "").await;
    assert_eq!((status.as_u16(), &answer), (200, &json!({"system": "erp", "paused": false})));
    bench.until("/api/v1/systems", |page| page["items"][1]["state"] == "running").await;
    let delivery = letter(1).replace("dead-letters", "deliveries");
    bench.until(&delivery, |row| row["state"] == "delivered").await;
}

#[tokio::test]
async fn every_order_needs_a_reason_that_can_be_read() {
    let bench = Bench::new();
    let orders = [
        format!("{}/retry", letter(1)),
        format!("{}/discard", message(2)),
        "/api/v1/systems/erp/pause".to_owned(),
    ];
    let long = json!({"reason": "x".repeat(501)}).to_string();
    for path in &orders {
        for body in [
            "",
            "{}",
            "{\"reason\": \"\"}",
            "{\"reason\": \"  \"}",
            "{\"reason\": null}",
            "{\"reason\": \"a\\nb\"}",
            &long,
        ] {
            let (status, problem) = bench.ask("POST", path, Some("t-operate"), body).await;
            assert_eq!(status, 400, "{path} {body}: {problem}");
            assert_eq!(problem["errors"][0]["pointer"], "/reason", "{path} {body}: {problem}");
        }
        for body in ["x", "[]", "{\"reason\": 1}", "{\"reason\": \"a\", \"force\": true}", "\u{0}"] {
            let (status, problem) = bench.ask("POST", path, Some("t-operate"), body).await;
            assert_eq!(
                (status.as_u16(), &problem["type"]),
                (400, &json!("/problems/malformed")),
                "{path} {body}"
            );
        }
        let (status, _) = bench.ask("POST", path, Some("t-operate"), &"x".repeat(17 * 1024)).await;
        assert_eq!(status, 413);
    }
    assert_eq!(bench.get(&letter(1)).await["state"], "dead", "nothing was done");
    assert_eq!(bench.get(&message(2)).await["state"], "quarantined");
}

/// A group says what differs from what gets through, and is closed when the last of it is through or given up.
#[tokio::test]
async fn a_group_is_compared_and_closed() {
    let bench = Bench::new();
    let group = "/api/v1/dead-letters/groups/fp1_a";
    let sheet = bench.get(group).await;
    assert_eq!(
        (&sheet["differs"]["failed"], &sheet["differs"]["delivered"]),
        (&json!(2), &json!(1)),
        "{sheet}"
    );
    let told: Vec<&str> = sheet["differs"]["what"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["what"].as_str().unwrap())
        .collect();
    // The third record, which got through, has no event and no row of its own.
    assert_eq!(told, ["last changed by crm", "not linked in erp yet"], "{sheet}");
    bench.post(&format!("{}/discard", letter(2)), &json!({"reason": "it is there"})).await;
    bench.post(&format!("{}/retry", letter(1)), &json!({"reason": "mended there"})).await;
    let closed = bench.until(group, |sheet| sheet["state"] == "closed").await;
    let counts =
        ["count", "retrying", "seen", "through", "discarded"].map(|name| closed[name].as_u64().unwrap());
    assert_eq!(counts, [0, 0, 2, 1, 1]);
    assert!(closed["closed_at"].is_string(), "{closed}");
    let (status, _) = bench.ask("GET", "/api/v1/dead-letters/groups/fp1_none", Some("t-read"), "").await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_hub_on_its_way_down_says_so() {
    let bench = Bench::new();
    bench.hub.drain(Duration::from_secs(5)).await.expect("in time");
    let (status, problem) = bench.post(&format!("{}/retry", letter(1)), &json!({"reason": "a test"})).await;
    assert_eq!((status.as_u16(), &problem["type"]), (503, &json!("/problems/busy")), "{problem}");
    let status = bench.get("/api/v1/status").await;
    assert_eq!((&status["ready"], &status["not_ready"]), (&json!(false), &json!("the hub is stopping")));
}

#[tokio::test]
async fn what_is_open_about_a_field_is_settled_once() {
    let bench = Bench::new();
    let path = format!("/api/v1/records/{}/settle", make::rec(1));
    let order = |take: &str, reason: &str| json!({"field": "name", "take": take, "reason": reason});
    let (status, problem) = bench.post(&path, &order("other", "")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
    let (status, _) = bench.post(&path, &order("theirs", "they asked us to")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, sheet) = bench.post(&path, &order("other", "they asked us to")).await;
    assert_eq!(status, StatusCode::OK, "{sheet}");
    assert_eq!(
        (&sheet["record"]["version"], &sheet["record"]["fields"]["name"]),
        (&json!(2), &json!("theirs"))
    );
    let why = bench.get(&format!("/api/v1/records/{}/explain?field=name", make::rec(1))).await;
    assert_eq!((&why["fields"][0]["open"], &why["fields"][0]["source"]), (&Value::Null, &json!("crm")));
    let decided = &why["fields"][0]["decisions"][0];
    assert_eq!(decided["kind"], "settled");
    assert!(decided["rule"].as_str().unwrap().ends_with("they asked us to"), "{decided}");
    let (status, _) = bench.post(&path, &order("record", "again")).await;
    assert_eq!(status, StatusCode::CONFLICT);
    // Everybody is told what counts now.
    let told = bench.get(&format!("/api/v1/deliveries?record={}", make::rec(1))).await;
    assert!(told["items"].as_array().unwrap().iter().any(|row| row["wanted"] == "v2"), "{told}");
}
