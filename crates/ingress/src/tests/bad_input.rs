//! Bad input, row by row: a clear answer each, nothing lost, nothing crashed; after each a good one is still taken.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;

use super::*;

/// What an authentic webhook that can't be used must lead to: an acknowledgement, and a message kept for a person.
async fn quarantined(what: &str, body: &[u8], class: &str) {
    let stage = Stage::new();
    let answer = stage.webhook(body).await;
    assert_eq!(answer.status, 200, "{what}: {answer:?}");
    let messages = stage.messages().await;
    assert_eq!(messages.len(), 1, "{what}");
    let reason = messages[0].reason.clone().expect("a reason");
    assert_eq!(reason.class, class, "{what}: {}", reason.message);
    assert!(!reason.message.contains("@example.com"), "{what}: no values: {}", reason.message);
    assert_eq!(stage.facts().await, 0, "{what}");
    assert_eq!(stage.hub.telemetry().snapshot().totals.quarantined, 1, "{what}");
    assert_eq!(stage.webhook(&contact("good", "1", 1, 1)).await.status, 200, "{what}: the next one is fine");
    assert_eq!(stage.facts().await, 1, "{what}");
}

#[tokio::test(start_paused = true)]
async fn authentic_but_unreadable_is_kept_and_acknowledged() {
    quarantined("malformed JSON", b"{\"event_id\": \"e1\", ", "garbled").await;
    quarantined("not JSON at all", b"id=1", "garbled").await;
    quarantined("nothing", b"", "garbled").await;
    quarantined("invalid UTF-8", b"{\"event_id\":\"e1\",\"id\":\"7\",\"email\":\"\xff\xfe\"}", "garbled")
        .await;
    let deep = format!("{{\"id\":\"7\",\"x\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    quarantined("deep nesting", deep.as_bytes(), "garbled").await;
    let bomb = "[".repeat(900_000);
    quarantined("a bomb of brackets", bomb.as_bytes(), "garbled").await;
    quarantined("no id", br#"{"event_id":"e1","version":1,"email":"a@example.com"}"#, "garbled").await;
    quarantined("wrong schema", &contact("e1", "7", 1, "many"), "misfit").await;
    quarantined("wrong shape", &contact("e1", "7", 1, json!({"a": 1})), "misfit").await;
}

#[tokio::test(start_paused = true)]
async fn raw_bytes_are_kept_as_they_came() {
    let stage = Stage::new();
    let body = b"{\"event_id\":\"e1\",\"email\":\"\xff\xfe\"}";
    stage.webhook(body).await;
    assert_eq!(stage.messages().await[0].raw, body, "replayable once the mapping is right");
}

#[tokio::test(start_paused = true)]
async fn an_object_without_mapping_is_kept() {
    let stage = Stage::new();
    let body = contact("e1", "7", 1, 1);
    let answer = stage.ask(signed("/v1/webhooks/crm?object=deals", &body, START, "crm-secret")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(stage.messages().await[0].reason.as_ref().expect("a reason").class, "no_mapping");
    let answer = stage.ask(signed("/v1/webhooks/crm", &body, START, "crm-secret")).await;
    assert_eq!(answer.status, 200, "no object named");
    assert_eq!(stage.messages().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn unknown_fields_change_nothing() {
    let stage = Stage::new();
    let body = br#"{"event_id":"e1","id":"7","version":1,"email":"a@example.com","score":1,"shoe_size":44}"#;
    assert_eq!(stage.webhook(body).await.status, 200);
    assert_eq!(stage.facts().await, 1);
    assert_eq!(stage.hub.telemetry().snapshot().totals.quarantined, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_authentic_changes_nothing() {
    let stage = Stage::new();
    let body = contact("e1", "7", 1, 5);
    let path = "/v1/webhooks/crm?object=contacts";
    let forged = stage.ask(signed(path, &body, START, "another-secret")).await;
    assert_eq!(forged.status, 401);
    assert_eq!(forged.body["type"], "/problems/forged-signature");
    assert!(!forged.body.to_string().contains("crm-secret"), "{forged:?}");

    let unsigned = Request::post(path).body(Body::from(body.clone())).expect("a request");
    let unsigned = stage.ask(unsigned).await;
    assert_eq!(unsigned.status, 401);
    assert!(unsigned.body["detail"].as_str().expect("text").contains("missing"), "{unsigned:?}");

    let mut changed = signed(path, &body, START, "crm-secret");
    *changed.body_mut() = Body::from(contact("e1", "7", 1, 6));
    assert_eq!(stage.ask(changed).await.status, 401, "one byte more or less");

    for (at, why) in [(-301, "stale"), (301, "from the future")] {
        let at = Wall(START.0 + at * 1_000_000);
        let answer = stage.ask(signed(path, &body, at, "crm-secret")).await;
        assert_eq!(answer.status, 401, "{why}");
        assert_eq!(answer.body["type"], "/problems/stale-timestamp", "{why}");
    }
    assert!(stage.counted("forged") && stage.counted("stale"));
    assert_eq!(stage.messages().await, []);
    assert_eq!(stage.facts().await, 0);
    assert_eq!(stage.webhook(&body).await.status, 200, "the real one is not taken for a repetition");
    assert_eq!(stage.facts().await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_replayed_delivery_is_acknowledged_and_changes_nothing() {
    let stage = Stage::new();
    let body = contact("e1", "7", 1, 5);
    for _ in 0..3 {
        assert_eq!(stage.webhook(&body).await.status, 200);
    }
    assert_eq!(stage.facts().await, 1);
    assert_eq!(stage.hub.telemetry().snapshot().totals.duplicates, 2);
    let other = stage.webhook(&contact("e1", "7", 2, 6)).await;
    assert_eq!(other.status, 200);
    let kept = stage.messages().await;
    let reason = kept.last().and_then(|message| message.reason.clone()).expect("kept with a reason");
    assert!(reason.message.contains("same id") || reason.class.contains("id"), "{reason:?}");
    assert_eq!(stage.facts().await, 1, "the same id with other content is for a person");
}

#[tokio::test(start_paused = true)]
async fn unknown_sources_and_addresses_are_not_found() {
    let stage = Stage::new();
    let unknown = stage.ask(signed("/v1/webhooks/nobody", b"{}", START, "crm-secret")).await;
    assert_eq!((unknown.status.as_u16(), &unknown.body["type"]), (404, &json!("/problems/unknown-source")));
    assert!(stage.counted("unknown_source"));
    // What is no text is no source's.
    for path in ["/v1/webhooks/%FF", "/v1/webhooks/%FF/%FF", "/v1/webhooks/crm/%FF"] {
        for method in ["GET", "POST"] {
            let request = Request::builder().method(method).uri(path).body(Body::empty());
            let answer = stage.ask(request.expect("a request")).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.body["detail"]),
                (404, &unknown.body["detail"]),
                "{method} {path}"
            );
        }
    }
    // `feed` is a system, but has no webhook.
    assert_eq!(stage.ask(signed("/v1/webhooks/feed", b"{}", START, "crm-secret")).await.status, 404);
    for path in
        ["/", "/v1", "/v1/webhooks", "/v1/webhooks/", "/v1/webhooks/crm/a/b", "/api/v1/systems", "/metrics"]
    {
        let answer = stage.ask(Request::post(path).body(Body::empty()).expect("a request")).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["type"]),
            (404, &json!("/problems/not-found")),
            "{path}"
        );
    }
    let answer = stage.ask(Request::get("/v1/events").body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.status, 405);
}

/// A body that counts how much of it was asked for.
struct Flood {
    left: usize,
    given: Arc<AtomicUsize>,
}

impl http_body::Body for Flood {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let chunk = self.left.min(64 * 1024);
        self.left -= chunk;
        self.given.fetch_add(chunk, Ordering::Relaxed);
        Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from(vec![b' '; chunk])))))
    }
}

/// I19
#[tokio::test(start_paused = true)]
async fn fifty_megabytes_are_refused_and_never_held() {
    let stage = Stage::new();
    for announced in [true, false] {
        let given = Arc::new(AtomicUsize::new(0));
        let flood = Flood { left: 50 * 1024 * 1024, given: Arc::clone(&given) };
        let mut request = Request::post("/v1/webhooks/crm");
        if announced {
            request = request.header("content-length", 50 * 1024 * 1024);
        }
        let answer = stage.ask(request.body(Body::new(flood)).expect("a request")).await;
        assert_eq!((answer.status.as_u16(), &answer.body["type"]), (413, &json!("/problems/too-large")));
        let read = given.load(Ordering::Relaxed);
        let most = if announced { 0 } else { 1024 * 1024 + 64 * 1024 };
        assert!(read <= most, "{read} bytes were read");
    }
    assert!(stage.counted("too_large"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_given_up() {
    let stage = Stage::new();
    struct Never;
    impl http_body::Body for Never {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }
    let before = stage.hub.now().mono;
    let answer =
        stage.ask(Request::post("/v1/webhooks/crm").body(Body::new(Never)).expect("a request")).await;
    assert_eq!((answer.status.as_u16(), &answer.body["type"]), (408, &json!("/problems/slow-body")));
    assert!(stage.hub.now().mono.since(before) < Duration::from_secs(11));
    assert!(stage.counted("slow"));
}
