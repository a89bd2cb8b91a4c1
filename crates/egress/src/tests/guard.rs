//! The guard against reaching inwards: by address, by name, in every spelling.

use connector::{AuthKind, FailureKind, Reached};
use guard::address::AllowList;

use super::server::{Server, json};
use super::{connection, crm, egress, post};

fn allow(entries: &[&str]) -> AllowList {
    serde_json::from_str(&serde_json::to_string(entries).unwrap()).unwrap()
}

async fn outcome(base: &str, entries: &[&str]) -> Result<u16, (FailureKind, Reached, String)> {
    let egress = egress();
    let mut at = connection(base, AuthKind::None, &[]);
    at.allow = allow(entries);
    egress.register(crm(), &at).unwrap();
    post(&egress, "/").await.map(|a| a.status).map_err(|f| (f.kind, f.reached, f.detail))
}

#[tokio::test]
async fn loopback_is_blocked_unless_listed() {
    let server = Server::start(|_| json("200 OK", "{}")).await;
    let port = server.port;
    for base in [
        format!("http://127.0.0.1:{port}"),
        format!("http://localhost:{port}"),
        format!("http://2130706433:{port}"),
        format!("http://0x7f.1:{port}"),
        format!("http://0177.0.0.1:{port}"),
        format!("http://127.1:{port}"),
        format!("http://[::ffff:127.0.0.1]:{port}"),
        format!("http://[::ffff:7f00:1]:{port}"),
    ] {
        let (kind, reached, detail) = outcome(&base, &[]).await.unwrap_err();
        assert_eq!((kind, reached), (FailureKind::Blocked, Reached::NotSent), "{base}: {detail}");
        assert!(detail.contains("system crm") && detail.contains("loopback"), "{base}: {detail}");
    }
    assert!(server.seen().is_empty());
    assert_eq!(server.connections(), 0, "not even a connection is made");

    let listed = format!("127.0.0.1:{port}");
    for base in [
        format!("http://127.0.0.1:{port}"),
        format!("http://localhost:{port}"),
        format!("http://127.1:{port}"),
    ] {
        assert_eq!(outcome(&base, &[&listed]).await, Ok(200), "{base}");
    }
}

#[tokio::test]
async fn a_listed_address_opens_itself_only() {
    let server = Server::start(|_| json("200 OK", "{}")).await;
    let base = format!("http://127.0.0.1:{}", server.port);
    for other in ["127.0.0.2", "127.0.0.1:1", "10.0.0.0/8", "::1"] {
        let (kind, ..) = outcome(&base, &[other]).await.unwrap_err();
        assert_eq!(kind, FailureKind::Blocked, "{other}");
    }
    let (kind, _, detail) = outcome("http://10.0.0.1", &["127.0.0.0/8"]).await.unwrap_err();
    assert_eq!(kind, FailureKind::Blocked);
    assert!(detail.contains("private"), "{detail}");
}

#[tokio::test]
async fn metadata_and_other_inner_addresses_are_blocked() {
    for (base, class) in [
        ("http://169.254.169.254/latest", "cloud metadata"),
        ("https://[fe80::1]", "link-local"),
        ("https://[fd00::1]", "unique local"),
        ("https://[64:ff9b::a9fe:a9fe]", "NAT64"),
        ("https://[2002:7f00:1::]", "6to4"),
        ("https://0.0.0.0", "unspecified"),
        ("https://192.168.1.1", "private"),
        ("https://100.64.0.1", "carrier-grade NAT"),
    ] {
        let (kind, reached, detail) = outcome(base, &[]).await.unwrap_err();
        assert_eq!((kind, reached), (FailureKind::Blocked, Reached::NotSent), "{base}");
        assert!(detail.contains(class), "{base}: {detail}");
    }
}

#[tokio::test]
async fn plain_http_is_for_listed_addresses() {
    let (kind, reached, detail) = outcome("http://8.8.8.8", &["127.0.0.1"]).await.unwrap_err();
    assert_eq!((kind, reached), (FailureKind::Blocked, Reached::NotSent));
    assert!(detail.contains("use https"), "{detail}");
}

#[tokio::test]
async fn a_redirect_or_path_cannot_lead_inwards() {
    let inner = Server::start(|_| json("200 OK", "{}")).await;
    let target = inner.url();
    let outer = Server::start(move |_| {
        super::server::with_headers("302 Found", &format!("location: {target}/secret\r\n"), "")
    })
    .await;
    let listed = format!("127.0.0.1:{}", outer.port);
    assert_eq!(outcome(&outer.url(), &[&listed]).await, Ok(302));
    assert!(inner.seen().is_empty());
}
