//! The door to databases without a database: whom it dials, and how far a failure got. What a real one answers is tested in
//! `crates/concord/tests/postgresql`.

use std::time::Duration;

use connector::{AuthKind, Credential, Failure, FailureKind, Reached, Request};
use tokio::net::TcpListener;

use crate::Egress;
use crate::tests::{connection, crm, egress};

fn basic() -> AuthKind {
    AuthKind::Basic { user: Some("me".to_owned()), user_secret: None, secret: "password".to_owned() }
}

fn statement(body: &str) -> Request {
    Request {
        method: Request::SQL.to_owned(),
        path: "/".to_owned(),
        body: body.as_bytes().to_vec(),
        credential: Credential::Connection,
        operation: "test".to_owned(),
        timeout_ms: 400,
        cost: 1,
        ..Request::default()
    }
}

const ONE: &str = r#"{"statement": "SELECT 1", "binds": []}"#;

fn registered(base_url: &str) -> Egress {
    let egress = egress();
    egress.register(crm(), &connection(base_url, basic(), &[("password", "pw")])).unwrap();
    egress
}

async fn fails(egress: &Egress, request: Request) -> Failure {
    let asked = tokio::time::timeout(Duration::from_secs(3), egress.send(&crm(), request)).await;
    asked.expect("it ends by itself").unwrap_err()
}

#[tokio::test]
async fn nobody_there_or_nobody_who_speaks_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let silent = registered(&format!("postgres://127.0.0.1:{port}/x?sslmode=disable"));
    let failure = fails(&silent, statement(ONE)).await;
    assert_eq!(failure.reached, Reached::NotSent, "{failure}");
    assert!(matches!(failure.kind, FailureKind::Timeout | FailureKind::Connect), "{failure}");
    drop(listener);
    let failure = fails(&silent, statement(ONE)).await;
    assert_eq!((failure.kind, failure.reached), (FailureKind::Connect, Reached::NotSent), "{failure}");
    assert!(failure.detail.contains("system crm at 127.0.0.1:"), "{failure}");
    assert!(failure.detail.to_lowercase().contains("refused"), "{failure}");
}

#[tokio::test]
async fn the_guard_judges_databases_too() {
    for (address, kind) in [
        ("postgres://169.254.169.254/x", FailureKind::Blocked),
        ("postgres://10.0.0.1/x", FailureKind::Blocked),
        ("postgres://[::1]/x", FailureKind::Blocked),
        ("postgres://localhost:1/x", FailureKind::Connect),
    ] {
        let failure = fails(&registered(address), statement(ONE)).await;
        assert_eq!((failure.kind, failure.reached), (kind, Reached::NotSent), "{failure}");
    }
    // Without TLS only to those that are listed, whatever the internet says.
    let open = Egress::new(canonical::Tenant::new("acme").unwrap(), crate::Options::default()).unwrap();
    open.register(
        crm(),
        &connection("postgres://192.0.2.1/x?sslmode=disable", basic(), &[("password", "pw")]),
    )
    .unwrap();
    let failure = fails(&open, statement(ONE)).await;
    assert_eq!(failure.kind, FailureKind::Blocked, "{failure}");
}

#[tokio::test]
async fn what_is_no_statement_is_not_sent() {
    let database = registered("postgres://127.0.0.1:1/x");
    for body in [
        "",
        "SELECT 1",
        r#"{"statement": "SELECT 1"}"#,
        r#"{"statement": "SELECT $1", "binds": [{"type": "bytes", "value": 1}]}"#,
        r#"{"statement": "SELECT $1", "binds": [{"type": "text", "value": ["ann@example.test"]}]}"#,
        r#"{"statement": "SELECT 1", "binds": [], "more": 1}"#,
    ] {
        let failure = fails(&database, statement(body)).await;
        assert_eq!((failure.kind, failure.reached), (FailureKind::Misconfigured, Reached::NotSent), "{body}");
        assert!(!failure.detail.contains("ann@"), "{failure}");
    }
    let http = Request { method: "GET".to_owned(), ..statement(ONE) };
    let failure = fails(&database, http).await;
    assert_eq!((failure.kind, failure.reached), (FailureKind::Misconfigured, Reached::NotSent));
    // And the other way round.
    let web = registered("http://127.0.0.1:1");
    let failure = fails(&web, statement(ONE)).await;
    assert_eq!((failure.kind, failure.reached), (FailureKind::Misconfigured, Reached::NotSent));
    assert!(failure.detail.contains("postgres://"), "{failure}");
}

#[test]
fn what_cannot_be_a_connection_is_said() {
    for (base_url, auth, secrets, why) in [
        ("postgres://db.example.com", basic(), vec![("password", "pw")], "names no database"),
        ("postgres://db.example.com/x", basic(), vec![], "secret `password` is missing"),
        ("postgres://db.example.com/x", AuthKind::None, vec![], "`basic`"),
    ] {
        let error = egress().register(crm(), &connection(base_url, auth, &secrets)).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}
