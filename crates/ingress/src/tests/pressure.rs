//! Rates, a full disk, an end: refused in words that say when to come again, and nothing half taken.

use std::time::Duration;

use ledger::State;
use store::browse::DeliveryFilter;
use store::{Op, Store as _, Unit};

use super::waiting::with_target;
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

/// What waits is at its end: the targets have it.
async fn everything_arrives(stage: &Stage) {
    let filter = DeliveryFilter { limit: 100, ..DeliveryFilter::default() };
    let Ok(Page::Deliveries(rows)) = stage.hub.look(Look::Deliveries(filter)).await else {
        panic!("no deliveries")
    };
    let ops = rows.into_iter().map(|(_, row)| Op::Settle {
        key: row.key,
        level: row.wanted,
        reached: true,
        state: State::Delivered,
        attempts: 0,
        due: row.due,
        waiting: None,
        reason: None,
        at: row.due,
    });
    let (told, done) = std::sync::mpsc::channel();
    let units = vec![Unit { require: Vec::new(), ops: ops.collect() }];
    stage.store.commit(units, Box::new(move |receipts| drop(told.send(receipts))));
    done.recv().expect("answered").expect("taken");
}

/// I1, I19: before more waits for a target than may, what is posted is refused, then what is pushed, in words that say
/// why and for how long; it goes on by itself.
#[tokio::test(start_paused = true)]
async fn a_backlog_refuses_what_is_posted_then_what_is_pushed_and_heals() {
    let configuration = with_target(|files| {
        let main = format!("{}  backlog: {{open_max: 20}}\n", FILES[0].1);
        files.put("concord.yaml", main);
    });
    // Nobody delivers.
    let stage = Stage::of(configuration, |_| {});
    let push = async |n: u64| stage.webhook(&contact(&format!("e{n}"), &format!("c{n}"), 1, n)).await;
    let post = async |n: u64| {
        let event = cloud_event(&n.to_string(), &format!("p{n}"), 1).to_string();
        stage.event(&[("content-type", "application/cloudevents+json")], event).await
    };
    let settles = || tokio::time::sleep(Duration::from_secs(6));
    for n in 0..17 {
        assert_eq!(push(n).await.status, 200);
    }
    settles().await;
    let answer = post(1).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["type"]),
        (503, &json!("/problems/backlog")),
        "{answer:?}"
    );
    assert_eq!(answer.headers["retry-after"], "30");
    let detail = answer.body["detail"].as_str().expect("text");
    assert!(
        detail.starts_with("17 deliveries to `erp` wait, of 20 that may (`intake.backlog.open_max`)"),
        "{detail}"
    );
    assert_eq!(stage.facts().await, 17, "it was not half taken");
    assert_eq!(push(17).await.status, 200, "vendors' messages are refused last");
    settles().await;
    let answer = push(18).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["type"]),
        (503, &json!("/problems/backlog")),
        "{answer:?}"
    );
    assert_eq!(answer.headers["retry-after"], "30");
    assert!(stage.counted("backlog"));
    let figures = stage.hub.telemetry().text();
    for source in ["crm", "feed"] {
        let refused = figures.lines().find(|line| {
            line.starts_with("concord_offers_refused_total") && line.contains(&format!("source=\"{source}\""))
        });
        assert!(
            refused.is_some_and(|line| line.contains("cause=\"backlog\"") && line.ends_with(" 1")),
            "{refused:?}"
        );
    }
    // What can't be read sets nothing going: it is kept for a person as ever.
    assert_eq!(stage.webhook(b"{").await.status, 200);
    everything_arrives(&stage).await;
    settles().await;
    assert_eq!((push(18).await.status.as_u16(), post(1).await.status.as_u16()), (200, 202));
}
