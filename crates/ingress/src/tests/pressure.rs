//! Rates, a full disk, an end: refused in words that say when to come again, and nothing half taken.

use std::time::Duration;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_source_over_its_rate_waits_and_others_do_not() {
    let stage = Stage::with(|limits| (limits.rate_per_second, limits.burst) = (1, 3));
    let mut statuses = Vec::new();
    for n in 0..5 {
        statuses.push(stage.webhook(&contact(&format!("e{n}"), "7", n, 1)).await.status.as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    let answer = stage.webhook(&contact("e9", "7", 9, 1)).await;
    assert_eq!(answer.headers["retry-after"], "1");
    assert!(
        answer.body["detail"].as_str().expect("text").contains("`crm` may send 1 requests per second"),
        "{answer:?}"
    );
    assert!(stage.counted("rate_limited"));
    let event = cloud_event("1", "a", 1).to_string();
    let other = stage.event(&[("content-type", "application/cloudevents+json")], event).await;
    assert_eq!(other.status, 202, "another source has its own rate");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.webhook(&contact("e9", "7", 9, 2)).await.status, 200, "after the wait that was named");
}

/// I2: on a full disk intake stops with 503 and Retry-After, and goes on by itself.
#[tokio::test(start_paused = true)]
async fn a_full_disk_refuses_and_heals() {
    let stage = Stage::new();
    stage.store.refuse(Some(store::StoreError::Full { detail: "0 bytes left".to_owned() }));
    let answer = stage.webhook(&contact("e1", "7", 1, 1)).await;
    assert_eq!((answer.status.as_u16(), &answer.body["type"]), (503, &json!("/problems/busy")), "{answer:?}");
    assert!(answer.headers.contains_key("retry-after"));
    assert!(stage.counted("busy"));
    let ready = || stage.ask(Request::get("/readyz").body(Body::empty()).expect("a request"));
    let answer = ready().await;
    assert_eq!(answer.status, 503);
    assert!(answer.body["detail"].as_str().expect("text").contains("full"), "{answer:?}");
    let alive = stage.ask(Request::get("/healthz").body(Body::empty()).expect("a request")).await;
    assert_eq!(alive.status, 200, "the process is well");
    stage.store.refuse(None);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(stage.webhook(&contact("e1", "7", 1, 1)).await.status, 200);
    assert_eq!(stage.facts().await, 1, "and the refused one was not half taken");
    assert_eq!(ready().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn while_stopping_nothing_is_taken() {
    let stage = Stage::new();
    stage.hub.drain(Duration::from_secs(5)).await.expect("drained");
    let answer = stage.webhook(&contact("e1", "7", 1, 1)).await;
    assert_eq!(answer.status, 503);
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(stage.ask(Request::get("/readyz").body(Body::empty()).expect("a request")).await.status, 503);
}
