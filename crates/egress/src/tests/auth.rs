//! Tokens: asked for once, adopted after they are kept, never asked for again after a refusal in here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use connector::{Assertion, AuthKind, ClientPlacement, FailureKind, Reached};
use guard::Secret;

use super::server::{Reply, Seen, Server, json, with_headers};
use super::{NOW, connection, crm, egress, post};
use crate::AuthoriseError;

pub(super) const RSA_KEY: &str = include_str!("../../tests/data/rsa.test-key.pem");
pub(super) const EC_KEY: &str = include_str!("../../tests/data/ec.test-key.pem");

fn client_credentials(placement: ClientPlacement) -> AuthKind {
    AuthKind::Oauth2ClientCredentials {
        token: "/oauth/token".into(),
        client_id: "id".into(),
        client_secret: Some("secret".into()),
        placement,
        assertion: None,
        scopes: vec!["read".into(), "write".into()],
        audience: None,
        life_s: 600,
    }
}

pub(super) fn assertion(algorithm: &str, scope_claim: bool) -> AuthKind {
    AuthKind::Oauth2ClientCredentials {
        token: "/oauth/token".into(),
        client_id: "id".into(),
        client_secret: None,
        placement: ClientPlacement::Body,
        assertion: Some(Assertion {
            algorithm: algorithm.into(),
            private_key: "key".into(),
            key_id: Some("kid".into()),
            certificate: None,
            audience: None,
            scope_claim,
            life_s: 300,
        }),
        scopes: vec!["restlets".into(), "rest_webservices".into()],
        audience: None,
        life_s: 600,
    }
}

pub(super) fn refresh() -> AuthKind {
    AuthKind::Oauth2Refresh {
        token: "/oauth/token".into(),
        client_id: "id".into(),
        client_secret: Some("secret".into()),
        placement: ClientPlacement::Body,
        refresh_token: "refresh".into(),
        rotates: true,
        consent: None,
        life_s: 600,
    }
}

fn session() -> AuthKind {
    AuthKind::SessionJsonrpc {
        path: "/books/rpc/".into(),
        method: "common.db.login".into(),
        user: "id".into(),
        password: "secret".into(),
        language: "en".into(),
        life_s: 300,
    }
}

pub(super) const SECRETS: [(&str, &str); 3] =
    [("id", "client 1"), ("secret", "s&cret\n"), ("refresh", "refresh-0")];

/// The n-th token request is granted token n.
pub(super) fn granting() -> impl Fn(&Seen) -> Reply {
    let count = AtomicUsize::new(0);
    move |seen| {
        if !seen.line.contains("/oauth/token") {
            return json("200 OK", "{}");
        }
        let n = count.fetch_add(1, Ordering::SeqCst) + 1;
        let body = format!(r#"{{"access_token":"token-{n}","token_type":"bearer","expires_in":"3600"}}"#);
        json("200 OK", &body)
    }
}

pub(super) fn form(seen: &Seen) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(seen.body.as_bytes()).into_owned().collect()
}

#[tokio::test]
async fn the_scopes_of_a_token_are_those_that_its_answer_names() {
    for (said, known) in [
        (r#","scope":"read write""#, Some(vec!["read".to_owned(), "write".to_owned()])),
        (r#","scope":["read"]"#, Some(vec!["read".to_owned()])),
        (r#","scope":7"#, None),
        ("", None),
    ] {
        let body = format!(r#"{{"access_token":"t"{said}}}"#);
        let server = Server::start(move |_: &Seen| json("200 OK", &body)).await;
        let egress = egress();
        let auth = client_credentials(ClientPlacement::Body);
        egress.register(crm(), &connection(&server.url(), auth, &SECRETS)).unwrap();
        let authorised = egress.authorise(&crm(), NOW, 1).await.unwrap();
        assert_eq!(egress.scopes(&crm()), None, "not in use yet");
        egress.adopt(&crm(), &authorised);
        assert_eq!(egress.scopes(&crm()), known);
    }
}

#[tokio::test]
async fn client_credentials_are_shown_in_body_or_header() {
    for placement in [ClientPlacement::Body, ClientPlacement::Basic] {
        let server = Server::start(granting()).await;
        let egress = egress();
        egress.register(crm(), &connection(&server.url(), client_credentials(placement), &SECRETS)).unwrap();

        let early = post(&egress, "/x").await.unwrap_err();
        assert_eq!((early.kind, early.reached), (FailureKind::NoToken, Reached::NotSent));

        let authorised = egress.authorise(&crm(), NOW, 1).await.unwrap();
        assert_eq!(authorised.life(), Duration::from_secs(3600));
        assert!(authorised.rotated().is_none());
        assert_eq!(
            post(&egress, "/x").await.unwrap_err().kind,
            FailureKind::NoToken,
            "not adopted: not used"
        );
        egress.adopt(&crm(), &authorised);
        post(&egress, "/x").await.unwrap();

        let seen = server.seen();
        assert_eq!(seen[0].header("content-type"), Some("application/x-www-form-urlencoded"));
        let form = form(&seen[0]);
        assert_eq!(form["grant_type"], "client_credentials");
        assert_eq!(form["scope"], "read write");
        match placement {
            ClientPlacement::Body => {
                assert_eq!(
                    (form["client_id"].as_str(), form["client_secret"].as_str()),
                    ("client 1", "s&cret")
                );
                assert_eq!(seen[0].header("authorization"), None);
            }
            ClientPlacement::Basic => {
                assert!(!form.contains_key("client_secret"));
                // base64 of `client+1:s%26cret`
                assert_eq!(seen[0].header("authorization"), Some("Basic Y2xpZW50KzE6cyUyNmNyZXQ="));
            }
        }
        assert_eq!(seen[1].header("authorization"), Some("Bearer token-1"));
    }
}

#[tokio::test]
async fn ten_at_once_make_one_token_request() {
    let server = Server::start(|_| {
        let Reply::Bytes(bytes) = json("200 OK", r#"{"access_token":"t"}"#) else { unreachable!() };
        Reply::After(Duration::from_millis(100), bytes)
    })
    .await;
    let egress = Arc::new(egress());
    egress
        .register(crm(), &connection(&server.url(), client_credentials(ClientPlacement::Body), &SECRETS))
        .unwrap();
    let calls: Vec<_> = (0..10)
        .map(|n| {
            let egress = egress.clone();
            tokio::spawn(async move { egress.authorise(&crm(), NOW, n).await })
        })
        .collect();
    for call in calls {
        let authorised = call.await.unwrap().unwrap();
        assert_eq!(authorised.number, 1);
        egress.adopt(&crm(), &authorised);
    }
    assert_eq!(server.seen().len(), 1);
    egress.authorise(&crm(), NOW, 0).await.unwrap();
    assert_eq!(server.seen().len(), 2, "once adopted, the next call asks anew");
}

#[tokio::test]
async fn ten_at_once_share_a_refusal_too() {
    let Reply::Bytes(bytes) = with_headers("401 Unauthorized", "", "") else { unreachable!() };
    let server = Server::start(move |_| Reply::After(Duration::from_millis(100), bytes.clone())).await;
    let egress = Arc::new(egress());
    egress.register(crm(), &connection(&server.url(), session(), &SECRETS)).unwrap();
    let calls: Vec<_> = (0..10)
        .map(|n| {
            let egress = egress.clone();
            tokio::spawn(async move { egress.authorise(&crm(), NOW, n).await })
        })
        .collect();
    for call in calls {
        assert!(matches!(call.await.unwrap(), Err(AuthoriseError::Refused(_))));
    }
    assert_eq!(server.seen().len(), 1, "each wrong log-in would lengthen the lock");
}

#[tokio::test]
async fn a_rotated_refresh_token_is_given_out_before_it_is_used() {
    let count = AtomicUsize::new(0);
    let server = Server::start(move |seen| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        // Each refresh token is good for one use.
        if form(seen)["refresh_token"] != format!("refresh-{n}") {
            return json("400 Bad Request", r#"{"error":"invalid_grant"}"#);
        }
        let next = n + 1;
        json(
            "200 OK",
            &format!(
                r#"{{"access_token":"token-{next}","expires_in":1800,"refresh_token":"refresh-{next}"}}"#
            ),
        )
    })
    .await;
    let egress = egress();
    egress.register(crm(), &connection(&server.url(), refresh(), &SECRETS)).unwrap();

    let first = egress.authorise(&crm(), NOW, 1).await.unwrap();
    assert_eq!(first.rotated(), Some(&Secret::from("refresh-1")));
    let again = egress.authorise(&crm(), NOW, 2).await.unwrap();
    assert_eq!(again.number, first.number, "not yet adopted: given again, the spent token is not sent twice");
    assert_eq!(server.seen().len(), 1);
    egress.adopt(&crm(), &first);
    let second = egress.authorise(&crm(), NOW, 3).await.unwrap();
    assert_eq!(second.rotated(), Some(&Secret::from("refresh-2")));
    assert_eq!(second.scope(), first.scope(), "the same client: idempotency keys stay good");
    egress.adopt(&crm(), &first);
    assert_eq!(
        egress.authorise(&crm(), NOW, 4).await.unwrap().number,
        second.number,
        "an old one adopts nothing"
    );

    // A restart begins with the refresh token that was kept.
    let restarted = super::egress();
    let secrets = [("id", "client 1"), ("secret", "s&cret"), ("refresh", "refresh-2")];
    restarted.register(crm(), &connection(&server.url(), refresh(), &secrets)).unwrap();
    let third = restarted.authorise(&crm(), NOW, 5).await.unwrap();
    assert_eq!(third.rotated(), Some(&Secret::from("refresh-3")));
    assert_eq!(third.scope(), first.scope());
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_lose_a_spent_refresh_token() {
    let Reply::Bytes(bytes) = json("200 OK", r#"{"access_token":"token-1","refresh_token":"refresh-1"}"#)
    else {
        unreachable!()
    };
    let server = Server::start(move |_| Reply::After(Duration::from_millis(150), bytes.clone())).await;
    let egress = egress();
    egress.register(crm(), &connection(&server.url(), refresh(), &SECRETS)).unwrap();
    let gone = tokio::time::timeout(Duration::from_millis(50), egress.authorise(&crm(), NOW, 1)).await;
    assert!(gone.is_err(), "the caller left while the request was under way");
    let authorised = egress.authorise(&crm(), NOW, 2).await.unwrap();
    assert_eq!(authorised.rotated(), Some(&Secret::from("refresh-1")));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn refusals_end_it_and_troubles_do_not() {
    let cases = [
        (
            json(
                "400 Bad Request",
                r#"{"error":"invalid_grant","error_description":"for anna@example.test"}"#,
            ),
            true,
        ),
        (json("401 Unauthorized", r#"{"error":"invalid_client"}"#), true),
        (json("403 Forbidden", "<html>"), true),
        (with_headers("302 Found", "location: /elsewhere\r\n", ""), true),
        (json("200 OK", "<html>"), true),
        (json("200 OK", r#"{"error":"invalid_client"}"#), true),
        (json("200 OK", r#"{"access_token":"t","token_type":"mac"}"#), true),
        (json("200 OK", r#"{"access_token":"a\nb"}"#), true),
        (with_headers("429 Too Many Requests", "retry-after: 7\r\n", ""), false),
        (json("503 Service Unavailable", ""), false),
        (Reply::Lost, false),
    ];
    for (reply, refused) in cases {
        let shown = format!("{reply:?}");
        let server = Server::start(move |_| reply.clone()).await;
        let egress = egress();
        let at = connection(&server.url(), client_credentials(ClientPlacement::Body), &SECRETS);
        egress.register(crm(), &at).unwrap();
        let error = egress.authorise(&crm(), NOW, 1).await.unwrap_err();
        assert_eq!(matches!(error, AuthoriseError::Refused(_)), refused, "{shown}: {error}");
        let text = format!("{error} {error:?}");
        assert!(text.contains("system crm"), "{text}");
        for hidden in ["anna", "s&cret", "client 1"] {
            assert!(!text.contains(hidden), "I15: {text}");
        }
        assert_eq!(server.seen().len(), 1, "never tried again in here");
    }
}

#[tokio::test]
async fn a_throttled_token_endpoint_says_until_when() {
    let server = Server::start(|_| with_headers("429 Too Many Requests", "retry-after: 7\r\n", "")).await;
    let egress = egress();
    let at = connection(&server.url(), client_credentials(ClientPlacement::Body), &SECRETS);
    egress.register(crm(), &at).unwrap();
    let Err(AuthoriseError::Failed(failure)) = egress.authorise(&crm(), NOW, 1).await else {
        panic!("it fails")
    };
    assert_eq!(failure.kind, FailureKind::NoToken);
    assert!(failure.detail.contains("429") && failure.detail.contains("retry after 7"), "{failure}");
    assert_eq!(failure.wait, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn tryton_logs_in_and_sends_its_session() {
    let server = Server::start(|seen| match seen.body.contains("common.db.login") {
        true => json("200 OK", r#"{"id":0,"result":[1,"f00d",null]}"#),
        false => json("200 OK", r#"{"id":1,"result":[]}"#),
    })
    .await;
    let egress = egress();
    let secrets = [("id", "admin\n"), ("secret", "pass word\n")];
    egress.register(crm(), &connection(&server.url(), session(), &secrets)).unwrap();
    let authorised = egress.authorise(&crm(), NOW, 1).await.unwrap();
    egress.adopt(&crm(), &authorised);
    post(&egress, "/books/rpc/").await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].line, "POST /books/rpc/ HTTP/1.1");
    let login: serde_json::Value = serde_json::from_str(&seen[0].body).unwrap();
    assert_eq!(login["params"], serde_json::json!(["admin", {"password": "pass word"}, "en"]));
    // base64 of `admin:1:f00d`
    assert_eq!(seen[1].header("authorization"), Some("Session YWRtaW46MTpmMDBk"));
    assert!(!format!("{authorised:?}").contains("YWRt"), "I15");
}

#[tokio::test]
async fn tryton_refuses_inside_and_outside_of_200() {
    for (reply, refused) in [
        (json("200 OK", r#"{"id":0,"result":null}"#), true),
        (json("200 OK", r#"{"id":0,"error":["LoginException",["password","x"]]}"#), true),
        (json("200 OK", r#"{"id":0,"result":[1,""]}"#), true),
        (json("200 OK", "nonsense"), true),
        (json("401 Unauthorized", ""), true),
        (json("404 Not Found", ""), true),
        (json("429 Too Many Requests", ""), false),
        (json("500 Internal Server Error", ""), false),
    ] {
        let shown = format!("{reply:?}");
        let server = Server::start(move |_| reply.clone()).await;
        let egress = egress();
        egress.register(crm(), &connection(&server.url(), session(), &SECRETS)).unwrap();
        let error = egress.authorise(&crm(), NOW, 1).await.unwrap_err();
        assert_eq!(matches!(error, AuthoriseError::Refused(_)), refused, "{shown}: {error}");
    }
}

#[tokio::test]
async fn keys_and_endpoints_are_checked_when_registered() {
    let egress = egress();
    let base = "https://api.example.test";
    let secrets = |key: &'static str| [("id", "client-1"), ("key", key), ("kid", "7")];
    for (auth, key, said) in [
        (assertion("PS256", true), "not a key", "is not a private key; give an RSA private key"),
        (assertion("PS256", true), EC_KEY, "cannot sign PS256; give an RSA private key"),
        (assertion("ES256", true), RSA_KEY, "cannot sign ES256; give an EC private key on P-256"),
        (assertion("none", true), RSA_KEY, "use PS256, RS256 or ES256"),
        (assertion("HS256", true), RSA_KEY, "use PS256, RS256 or ES256"),
    ] {
        let refused = egress.register(crm(), &connection(base, auth, &secrets(key))).unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
        assert!(!refused.contains("BEGIN PRIVATE"), "I15: {refused}");
    }
    for endpoint in ["http://login.example.test/token", "login.example.test/token", "ftp://x/y"] {
        let AuthKind::Oauth2Refresh { client_id, refresh_token, .. } = refresh() else { unreachable!() };
        let auth = AuthKind::Oauth2Refresh {
            token: endpoint.to_owned(),
            client_id,
            client_secret: None,
            placement: ClientPlacement::Body,
            refresh_token,
            rotates: false,
            consent: None,
            life_s: 60,
        };
        let refused = egress.register(crm(), &connection(base, auth, &SECRETS)).unwrap_err().to_string();
        assert!(refused.contains("neither a path"), "{refused}");
    }
}

#[tokio::test]
async fn the_token_endpoint_is_guarded_too() {
    let egress = egress();
    let AuthKind::Oauth2Refresh { client_id, refresh_token, .. } = refresh() else { unreachable!() };
    let auth = AuthKind::Oauth2Refresh {
        token: "https://169.254.169.254/token".to_owned(),
        client_id,
        client_secret: None,
        placement: ClientPlacement::Body,
        refresh_token,
        rotates: false,
        consent: None,
        life_s: 60,
    };
    egress.register(crm(), &connection("https://api.example.test", auth, &SECRETS)).unwrap();
    let Err(AuthoriseError::Failed(failure)) = egress.authorise(&crm(), NOW, 1).await else {
        panic!("it fails")
    };
    assert_eq!((failure.kind, failure.reached), (FailureKind::Blocked, Reached::NotSent));
    assert!(failure.detail.contains("token endpoint") && failure.detail.contains("metadata"), "{failure}");
}

#[tokio::test]
async fn a_hanging_token_endpoint_ends_by_itself() {
    let server = Server::start(|_| Reply::Hang).await;
    let egress = egress();
    let mut at = connection(&server.url(), client_credentials(ClientPlacement::Body), &SECRETS);
    at.timeouts.total = Duration::from_millis(200);
    egress.register(crm(), &at).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(2), egress.authorise(&crm(), NOW, 1)).await;
    let Err(AuthoriseError::Failed(failure)) = ended.expect("it ends by itself") else { panic!("it fails") };
    assert_eq!(failure.kind, FailureKind::Timeout);
}
