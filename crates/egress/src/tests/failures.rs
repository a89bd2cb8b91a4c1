//! How far a request got, for every way to fail.

use std::time::Duration;

use connector::{AuthKind, FailureKind, Reached};
use tokio::net::TcpListener;

use super::server::{Reply, Server, json};
use super::{connection, crm, egress, post, request};

#[tokio::test]
async fn refused_is_not_sent() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let egress = egress();
    egress.register(crm(), &connection(&format!("http://127.0.0.1:{port}"), AuthKind::None, &[])).unwrap();
    let failure = post(&egress, "/").await.unwrap_err();
    assert_eq!((failure.kind, failure.reached), (FailureKind::Connect, Reached::NotSent), "{failure}");
    assert!(failure.detail.contains("system crm at 127.0.0.1:"), "{failure}");
    assert!(failure.detail.to_lowercase().contains("refused"), "{failure}");
}

#[tokio::test]
async fn a_lost_answer_may_have_been_sent() {
    let server = Server::start(|_| Reply::Lost).await;
    let egress = egress();
    egress.register(crm(), &connection(&server.url(), AuthKind::None, &[])).unwrap();
    let failure = post(&egress, "/").await.unwrap_err();
    assert_eq!((failure.kind, failure.reached), (FailureKind::Reset, Reached::MaybeSent), "{failure}");
    assert_eq!(server.seen().len(), 1, "a lost answer is never tried again in here");
}

#[tokio::test]
async fn half_an_answer_may_have_been_sent() {
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec();
    let server = Server::start(move |seen| match seen.line.contains("next") {
        true => Reply::Lost,
        false => Reply::Bytes(cut.clone()),
    })
    .await;
    let egress = egress();
    egress.register(crm(), &connection(&server.url(), AuthKind::None, &[])).unwrap();
    let mut slow = request("POST", "/", "{}");
    slow.timeout_ms = 200;
    let failure = egress.send(&crm(), slow).await.unwrap_err();
    assert_eq!((failure.kind, failure.reached), (FailureKind::Timeout, Reached::MaybeSent), "{failure}");
}

#[tokio::test]
async fn a_hang_and_a_drip_end_at_the_total_timeout() {
    for reply in [Reply::Hang, Reply::Drip] {
        let server = Server::start(move |_| reply.clone()).await;
        let egress = egress();
        egress.register(crm(), &connection(&server.url(), AuthKind::None, &[])).unwrap();
        let mut sent = request("POST", "/", "{}");
        sent.timeout_ms = 300;
        let ended = tokio::time::timeout(Duration::from_secs(2), egress.send(&crm(), sent)).await;
        let failure = ended.expect("it ends by itself").unwrap_err();
        assert_eq!((failure.kind, failure.reached), (FailureKind::Timeout, Reached::MaybeSent), "{failure}");
        assert!(failure.detail.contains("within 300 ms"), "{failure}");
    }
}

#[tokio::test]
async fn the_connections_own_total_bounds_a_generous_request() {
    let server = Server::start(|_| Reply::Hang).await;
    let egress = egress();
    let mut at = connection(&server.url(), AuthKind::None, &[]);
    at.timeouts.total = Duration::from_millis(200);
    egress.register(crm(), &at).unwrap();
    for timeout_ms in [0, 3_600_000] {
        let mut sent = request("POST", "/", "{}");
        sent.timeout_ms = timeout_ms;
        let ended = tokio::time::timeout(Duration::from_secs(2), egress.send(&crm(), sent)).await;
        assert_eq!(ended.expect("it ends by itself").unwrap_err().kind, FailureKind::Timeout);
    }
}

/// A listener that takes connections and says nothing: TCP stands, TLS never does.
async fn silent() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn a_hang_in_the_handshake_is_not_sent() {
    let (_listener, port) = silent().await;
    let egress = egress();
    // Once the connection's own limit is the shorter one, once the request's.
    for (connect_ms, timeout_ms, kind) in
        [(200, 2000, FailureKind::Connect), (5000, 200, FailureKind::Timeout)]
    {
        let mut at = connection(&format!("https://127.0.0.1:{port}"), AuthKind::None, &[]);
        at.timeouts.connect = Duration::from_millis(connect_ms);
        egress.register(crm(), &at).unwrap();
        let mut sent = request("POST", "/", "{}");
        sent.timeout_ms = timeout_ms;
        let ended = tokio::time::timeout(Duration::from_secs(1), egress.send(&crm(), sent)).await;
        let failure = ended.expect("it ends by itself").unwrap_err();
        assert_eq!((failure.kind, failure.reached), (kind, Reached::NotSent), "{failure}");
    }
}

#[tokio::test]
async fn without_a_body_a_time_out_is_never_called_unsent() {
    let (_listener, port) = silent().await;
    let egress = egress();
    let mut at = connection(&format!("https://127.0.0.1:{port}"), AuthKind::None, &[]);
    at.timeouts.connect = Duration::from_secs(5);
    egress.register(crm(), &at).unwrap();
    let mut sent = request("DELETE", "/1", "");
    sent.timeout_ms = 100;
    let failure = egress.send(&crm(), sent).await.unwrap_err();
    assert_eq!(failure.reached, Reached::MaybeSent, "nothing tells when a bare head left: the doubt is kept");
}

#[tokio::test]
async fn i10_a_hanging_system_delays_no_other() {
    let hanging = Server::start(|_| Reply::Hang).await;
    let healthy = Server::start(|_| json("200 OK", "{}")).await;
    let egress = std::sync::Arc::new(egress());
    let erp = canonical::System::new("erp").unwrap();
    egress.register(crm(), &connection(&hanging.url(), AuthKind::None, &[])).unwrap();
    egress.register(erp.clone(), &connection(&healthy.url(), AuthKind::None, &[])).unwrap();
    let stuck: Vec<_> = (0..64)
        .map(|_| {
            let egress = egress.clone();
            tokio::spawn(async move { post(&egress, "/").await })
        })
        .collect();
    while hanging.seen().len() < 64 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for _ in 0..50 {
        let sent = egress.send(&erp, request("POST", "/", "{}"));
        tokio::time::timeout(Duration::from_millis(500), sent).await.expect("not delayed").unwrap();
    }
    for call in stuck {
        assert_eq!(call.await.unwrap().unwrap_err().kind, FailureKind::Timeout);
    }
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_not_sent() {
    let egress = egress();
    egress.register(crm(), &connection("https://nowhere.invalid", AuthKind::None, &[])).unwrap();
    let mut sent = request("POST", "/", "{}");
    sent.timeout_ms = 9000;
    let failure = egress.send(&crm(), sent).await.unwrap_err();
    assert_eq!(failure.reached, Reached::NotSent, "{failure}");
    assert!(matches!(failure.kind, FailureKind::Dns | FailureKind::Connect), "{failure:?}");
}
