//! What leaves, and what comes back.

use connector::{AuthKind, Credential, FailureKind, Reached, SignatureMethod};

use super::server::{Reply, Server, json, with_headers};
use super::{connection, crm, egress, post, request};

fn basic(user: &str) -> AuthKind {
    AuthKind::Basic { user: Some(user.to_owned()), user_secret: None, secret: "key".to_owned() }
}

#[tokio::test]
async fn a_request_is_completed_with_address_and_credential() {
    let server =
        Server::start(|_| with_headers("201 Created", "X-Some: Thing\r\nset-cookie: s=marker\r\n", "[1]"))
            .await;
    let cases = [
        (AuthKind::None, None),
        (AuthKind::Bearer { secret: "key".to_owned() }, Some(("authorization", "Bearer marker"))),
        (basic("any"), Some(("authorization", "Basic YW55Om1hcmtlcg=="))),
        (
            AuthKind::Header { name: "x-api-key".into(), prefix: "Token ".into(), secret: "key".into() },
            Some(("x-api-key", "Token marker")),
        ),
    ];
    for (auth, expected) in cases {
        let egress = egress();
        // An end of line behind a secret comes from the file it was read of.
        let at = connection(&format!("{}/prefix/", server.url()), auth, &[("key", "marker\n")]);
        egress.register(crm(), &at).unwrap();
        let mut sent = request("PATCH", "/v1/things/a%20b?x=1", r#"{"a":"ü"}"#);
        sent.headers.push(("idempotency-key".to_owned(), "int_1".to_owned()));
        let answer = egress.send(&crm(), sent).await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (201, b"[1]".as_slice()));
        assert_eq!(answer.header("x-some"), Some("Thing"));
        assert_eq!(answer.header("set-cookie"), None, "cookies are credentials");

        let seen = server.seen().pop().unwrap();
        assert_eq!(seen.line, "PATCH /prefix/v1/things/a%20b?x=1 HTTP/1.1");
        assert_eq!(seen.body, r#"{"a":"ü"}"#);
        assert_eq!(seen.header("content-length"), Some("10"), "the gate keeps the body's length");
        assert_eq!(seen.header("transfer-encoding"), None);
        assert_eq!(seen.header("idempotency-key"), Some("int_1"));
        assert_eq!(seen.header("user-agent"), Some("concord"));
        match expected {
            Some((name, value)) => assert_eq!(seen.header(name), Some(value)),
            None => assert_eq!(seen.header("authorization"), None),
        }
    }
}

#[tokio::test]
async fn an_anonymous_request_carries_no_credential() {
    let server = Server::start(|_| json("200 OK", "{}")).await;
    let egress = egress();
    egress.register(crm(), &connection(&server.url(), basic("any"), &[("key", "marker")])).unwrap();
    let mut anonymous = request("GET", "/", "");
    anonymous.credential = Credential::Anonymous;
    egress.send(&crm(), anonymous).await.unwrap();
    let seen = server.seen().pop().unwrap();
    assert_eq!(seen.header("authorization"), None);
    assert_eq!(seen.body, "");
}

#[tokio::test]
async fn a_key_goes_in_the_query_and_comes_back_from_nowhere() {
    let server = Server::start(|seen| {
        let line = seen.line.clone();
        with_headers(
            "200 OK",
            &format!("Link: <{line}>; rel=\"next\"\r\n"),
            &format!("{{\"asked\":\"{line}\"}}"),
        )
    })
    .await;
    let egress = egress();
    let auth = AuthKind::Query { name: "api_key".to_owned(), secret: "key".to_owned() };
    egress.register(crm(), &connection(&server.url(), auth, &[("key", "marker-0815\n")])).unwrap();
    let answer = egress.send(&crm(), request("GET", "/v1/things?x=1", "")).await.unwrap();
    assert_eq!(server.seen().pop().unwrap().line, "GET /v1/things?x=1&api_key=marker-0815 HTTP/1.1");
    assert!(!String::from_utf8_lossy(&answer.body).contains("marker"), "{answer:?}");
    assert!(!format!("{:?}", answer.headers).contains("marker"), "{:?}", answer.headers);
    let mut anonymous = request("GET", "/v1/open", "");
    anonymous.credential = Credential::Anonymous;
    egress.send(&crm(), anonymous).await.unwrap();
    assert_eq!(server.seen().pop().unwrap().line, "GET /v1/open HTTP/1.1");
    // What cannot be sent, and what does not answer, is told without it.
    for bad in ["no-slash", "/a#b"] {
        let failure = egress.send(&crm(), request("GET", bad, "")).await.unwrap_err();
        assert!(!format!("{failure:?}").contains("marker"), "{failure:?}");
    }
    let url = server.url();
    drop(server);
    let auth = AuthKind::Query { name: "api_key".to_owned(), secret: "key".to_owned() };
    egress.register(crm(), &connection(&url, auth, &[("key", "marker-0815")])).unwrap();
    if let Err(failure) = egress.send(&crm(), request("GET", "/v1", "")).await {
        assert!(!format!("{failure:?}").contains("marker"), "{failure:?}");
    }
}

#[tokio::test]
async fn connections_are_kept() {
    let server = Server::start(|_| json("200 OK", "{}")).await;
    let egress = egress();
    egress.register(crm(), &connection(&server.url(), AuthKind::None, &[])).unwrap();
    for _ in 0..20 {
        post(&egress, "/").await.unwrap();
    }
    assert_eq!((server.seen().len(), server.connections()), (20, 1));
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_not_used_again() {
    let Reply::Bytes(bytes) = json("200 OK", "{}") else { unreachable!() };
    let server = Server::start(move |_| Reply::Last(bytes.clone())).await;
    let egress = egress();
    egress.register(crm(), &connection(&server.url(), AuthKind::None, &[])).unwrap();
    for _ in 0..20 {
        post(&egress, "/").await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!((server.seen().len(), server.connections()), (20, 20));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let server = Server::start(|seen| match seen.line.contains("/there") {
        true => json("200 OK", "{}"),
        false => with_headers("307 Temporary Redirect", "location: /there\r\n", ""),
    })
    .await;
    let egress = egress();
    egress.register(crm(), &connection(&server.url(), AuthKind::None, &[])).unwrap();
    let answer = post(&egress, "/here").await.unwrap();
    assert_eq!((answer.status, answer.header("location")), (307, Some("/there")));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_path_stays_below_the_base_address() {
    let server = Server::start(|_| json("200 OK", "{}")).await;
    let egress = egress();
    let base = format!("{}/tenant-a", server.url());
    egress.register(crm(), &connection(&base, AuthKind::None, &[])).unwrap();
    for path in [
        "/../tenant-b",
        "/%2e%2e/tenant-b",
        "/.%2E/x",
        "/a/../../b",
        "x",
        "",
        "/a#b",
        "@evil.test/",
        "/..//evil",
    ] {
        let refused = post(&egress, path).await.unwrap_err();
        assert_eq!((refused.kind, refused.reached), (FailureKind::Misconfigured, Reached::NotSent), "{path}");
    }
    for path in ["/a/../b", "//evil.test/x", "/@evil.test", "/a?u=http://evil.test"] {
        post(&egress, path).await.unwrap();
        assert!(server.seen().pop().unwrap().line.starts_with("POST /tenant-a/"), "{path}");
    }
}

#[tokio::test]
async fn headers_that_smuggle_or_impersonate_are_refused() {
    let server = Server::start(|_| json("200 OK", "{}")).await;
    let egress = egress();
    egress.register(crm(), &connection(&server.url(), AuthKind::None, &[])).unwrap();
    for (name, value) in [
        ("authorization", "Bearer other"),
        ("Host", "evil.test"),
        ("content-length", "0"),
        ("transfer-encoding", "chunked"),
        ("cookie", "a=b"),
        ("bad name", "x"),
        ("x-ok", "a\r\nx-injected: 1"),
    ] {
        let mut sent = request("POST", "/", "{}");
        sent.headers.push((name.to_owned(), value.to_owned()));
        let refused = egress.send(&crm(), sent).await.unwrap_err();
        assert_eq!((refused.kind, refused.reached), (FailureKind::Misconfigured, Reached::NotSent), "{name}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn an_answer_is_bounded_announced_or_not() {
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let server = Server::start(move |seen| {
        if seen.line.contains("/announced") {
            return Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".to_vec());
        }
        let mut bytes = chunked.clone();
        for _ in 0..if seen.line.contains("/fits") { 10 } else { 11 } {
            bytes.extend_from_slice(b"64\r\n");
            bytes.extend_from_slice(&[b'x'; 100]);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        Reply::Bytes(bytes)
    })
    .await;
    let egress = super::egress_with(crate::Options { answer_bytes_max: 1000, ..crate::Options::default() });
    egress.register(crm(), &connection(&server.url(), AuthKind::None, &[])).unwrap();
    assert_eq!(post(&egress, "/fits").await.unwrap().body.len(), 1000);
    for path in ["/announced", "/streamed"] {
        let refused = post(&egress, path).await.unwrap_err();
        assert_eq!((refused.kind, refused.reached), (FailureKind::TooLarge, Reached::MaybeSent), "{path}");
        assert!(refused.detail.contains("larger than 1000 bytes"), "{}", refused.detail);
    }
}

#[tokio::test]
async fn an_unknown_system_and_a_wrong_connection_are_named() {
    let egress = egress();
    let unknown = post(&egress, "/").await.unwrap_err();
    assert_eq!((unknown.kind, unknown.reached), (FailureKind::Misconfigured, Reached::NotSent));
    assert!(unknown.detail.contains("system crm of tenant acme"), "{}", unknown.detail);
    for (base, auth, said) in [
        ("ftp://host.test", AuthKind::None, "not an https address"),
        ("host.test", AuthKind::None, "is no address"),
        ("https://user:marker@host.test", AuthKind::None, "under `secrets`"),
        ("https://host.test/?a=1", AuthKind::None, "has a `?`"),
        ("https://host.test", AuthKind::Bearer { secret: "gone".into() }, "secret `gone` is missing"),
        ("https://host.test", AuthKind::Bearer { secret: "none".into() }, "secret `none` is empty"),
        ("https://host.test", AuthKind::Bearer { secret: "bad".into() }, "no header can carry"),
        ("https://host.test", basic("a:b"), "holds a `:`"),
    ] {
        let at = connection(base, auth, &[("key", "marker"), ("none", ""), ("bad", "mar\u{1}ker")]);
        let refused = egress.register(crm(), &at).unwrap_err().to_string();
        assert!(refused.contains("system crm") && refused.contains(said), "{base}: {refused}");
        assert!(!refused.contains("marker"), "I15: {refused}");
    }
}

#[tokio::test]
async fn i15_nothing_that_prints_shows_a_secret() {
    let server = Server::start(|_| Reply::Lost).await;
    let egress = egress();
    let at = connection(&server.url(), AuthKind::Bearer { secret: "key".into() }, &[("key", "marker")]);
    egress.register(crm(), &at).unwrap();
    let failure = post(&egress, "/path?email=marker").await.unwrap_err();
    let shown = format!("{at:?} {egress:?} {failure:?} {failure}");
    assert!(!shown.contains("marker"), "{shown}");
}

#[tokio::test]
async fn a_system_with_signatures_signs_each_request_over_its_address() {
    let server = Server::start(|_| json("200 OK", "{}")).await;
    let egress = egress();
    let [consumer_key, consumer_secret, token, token_secret] = ["ck", "cs", "tk", "ts"].map(str::to_owned);
    let (realm, signature) = (Some("ACME".to_owned()), SignatureMethod::HmacSha256);
    let auth = AuthKind::Oauth1 { consumer_key, consumer_secret, token, token_secret, realm, signature };
    let secrets = [("ck", "client"), ("cs", "s&cret"), ("tk", "token"), ("ts", "hidden")];
    egress.register(crm(), &connection(&server.url(), auth, &secrets)).unwrap();
    assert!(egress.signs(&crm()));

    let unsigned = egress.send(&crm(), request("GET", "/x", "")).await.unwrap_err();
    assert_eq!(unsigned.kind, FailureKind::Misconfigured);
    assert!(unsigned.detail.contains("is signed"), "{unsigned}");
    let mut anonymous = request("GET", "/x", "");
    anonymous.credential = Credential::Anonymous;
    for (n, sent) in
        [request("GET", "/x?a=1", ""), request("GET", "/x?a=2", ""), anonymous].into_iter().enumerate()
    {
        let nonce = u128::try_from(n).unwrap() + 1;
        egress.send_signed(&crm(), sent, super::NOW, nonce).await.unwrap();
    }
    let seen = server.seen();
    let shown = |n: usize| seen[n].header("authorization").map(str::to_owned);
    let first = shown(0).unwrap();
    assert!(first.starts_with("OAuth realm=\"ACME\", oauth_consumer_key=\"client\", "), "{first}");
    assert!(
        first.contains("oauth_timestamp=\"1700000000\", oauth_nonce=\"00000000000000000000000000000001\"")
    );
    assert!(!first.contains("cret") && !first.contains("hidden"), "I15");
    assert_ne!(
        first.split_once("signature=").unwrap().1,
        shown(1).unwrap().split_once("signature=").unwrap().1
    );
    assert_eq!((seen.len(), shown(2)), (3, None));
}
