//! Log-ins, signed requests and a person's consent: what is sent for them, and what is taken.

use std::time::Duration;

use connector::{AuthKind, Reached};
use guard::Secret;

use super::auth::{SECRETS, form, refresh};
use super::server::{Seen, Server, json};
use super::{NOW, connection, crm, egress, post};
use crate::AuthoriseError;

fn login(more: &str) -> AuthKind {
    let text = format!(
        "{{\"session\": {{\"path\": \"/login\", \"user\": \"id\", \"header\": \"x-session\", \"credential\": \
         \"{{answer.data.token}}\", \"error\": \"failed\", \"expires_in\": \"data.ttl\", {more}}}}}"
    );
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn a_log_in_gives_a_session_that_stands_in_its_header() {
    for (body, sent) in [
        (
            r#""json": {"who": ["{secret.id}"], "pass": "{secret.secret}", "n": 1}"#,
            r#"{"n":1,"pass":"s&cret","who":["client 1"]}"#,
        ),
        (r#""form": {"who": "{secret.id}", "pass": "{secret.secret}"}"#, "pass=s%26cret&who=client+1"),
    ] {
        let server = Server::start(|seen: &Seen| match seen.line.contains("/login") {
            true => json("200 OK", r#"{"failed": false, "data": {"token": "t-1", "ttl": "120"}}"#),
            false => json("200 OK", "{}"),
        })
        .await;
        let egress = egress();
        egress.register(crm(), &connection(&server.url(), login(body), &SECRETS)).unwrap();
        let authorised = egress.authorise(&crm(), NOW, 1).await.unwrap();
        assert_eq!(authorised.life(), Duration::from_secs(120));
        egress.adopt(&crm(), &authorised);
        post(&egress, "/x").await.unwrap();
        let seen = server.seen();
        assert_eq!(seen[0].body, sent);
        assert_eq!((seen[1].header("x-session"), seen[1].header("authorization")), (Some("t-1"), None));
    }
}

#[tokio::test]
async fn a_log_in_that_is_refused_is_not_tried_again_here() {
    for (status, said, why) in [
        ("200 OK", r#"{"failed": "BadPassword: ann@acme.test"}"#, "an error (BadPasswordannacmetest)"),
        ("200 OK", r#"{"failed": null, "data": {"token": ""}}"#, "grants no session"),
        ("200 OK", "<html>", "not JSON"),
        ("401 Unauthorized", "{}", "it answers 401"),
    ] {
        let server = Server::start(move |_: &Seen| json(status, said)).await;
        let egress = egress();
        let auth = login(r#""form": {"pass": "{secret.secret}"}"#);
        egress.register(crm(), &connection(&server.url(), auth, &SECRETS)).unwrap();
        let refused = egress.authorise(&crm(), NOW, 1).await.unwrap_err();
        assert!(matches!(&refused, AuthoriseError::Refused(text) if text.contains(why)), "{refused}");
        assert_eq!(server.seen().len(), 1, "each wrong log-in would bring the lock nearer");
    }
    let server = Server::start(|_: &Seen| json("503 Service Unavailable", "{}")).await;
    let egress = egress();
    egress.register(crm(), &connection(&server.url(), login(r#""json": {}"#), &SECRETS)).unwrap();
    assert!(matches!(egress.authorise(&crm(), NOW, 1).await, Err(AuthoriseError::Failed(_))));
}

#[tokio::test]
async fn a_signed_request_carries_what_its_connector_says() {
    let auth = serde_json::from_str(
        r#"{"hmac": {"secret": "secret", "key_id": "id", "sign": "{method}|{path}|{timestamp}|{nonce}|{body}",
            "headers": {"authorization": "HMAC {key_id} {signature}", "x-time": "{timestamp}", "x-nonce": "{nonce}"}}}"#,
    )
    .unwrap();
    let server = Server::start(|_: &Seen| json("200 OK", "{}")).await;
    let egress = egress();
    egress.register(crm(), &connection(&server.url(), auth, &[("id", "k1"), ("secret", "s")])).unwrap();
    assert!(egress.signs(&crm()));
    // Without time and nonce it does not go.
    assert_eq!(post(&egress, "/x").await.unwrap_err().reached, Reached::NotSent);
    let request = connector::Request {
        method: "POST".to_owned(),
        path: "/x?a=1".to_owned(),
        body: b"{}".to_vec(),
        timeout_ms: 1_000,
        ..connector::Request::default()
    };
    egress.send_signed(&crm(), request, NOW, 11).await.unwrap();
    let seen = server.seen();
    let time = NOW.millis().div_euclid(1000);
    let nonce = format!("{:032x}", 11);
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"s");
    let tag = ring::hmac::sign(&key, format!("POST|/x|{time}|{nonce}|{{}}").as_bytes());
    let expected =
        format!("HMAC k1 {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, tag));
    assert_eq!(seen[0].header("authorization"), Some(expected.as_str()));
    assert_eq!(seen[0].header("x-nonce"), Some(nonce.as_str()));
}

fn consenting() -> AuthKind {
    let AuthKind::Oauth2Refresh {
        token,
        client_id,
        client_secret,
        placement,
        refresh_token,
        rotates,
        life_s,
        ..
    } = refresh()
    else {
        unreachable!()
    };
    let consent = serde_json::from_str(r#"{"address": "/authorize", "scopes": ["read"]}"#).unwrap();
    AuthKind::Oauth2Refresh {
        token,
        client_id,
        client_secret,
        placement,
        refresh_token,
        rotates,
        consent: Some(consent),
        life_s,
    }
}

#[tokio::test]
async fn a_consent_becomes_a_refresh_token() {
    let body = r#"{"access_token": "t", "refresh_token": "refresh-1", "scope": "read"}"#;
    let server = Server::start(move |_: &Seen| json("200 OK", body)).await;
    let egress = egress();
    egress.register(crm(), &connection(&server.url(), consenting(), &SECRETS)).unwrap();
    let asked = egress.ask_consent(&crm(), "https://hub.example.test/", [[1; 32], [2; 32]]).unwrap();
    assert!(asked.address.starts_with(&format!("{}/authorize?", server.url())), "{asked:?}");
    let code = asked.code_in("the-code").unwrap();
    let consented = egress.exchange(&crm(), &asked, &code, NOW).await.unwrap();
    assert_eq!(consented.refresh.expose_text(), Some("refresh-1"));
    assert_eq!(consented.scopes, Some(vec!["read".to_owned()]));
    let form = form(&server.seen()[0]);
    assert_eq!((form["grant_type"].as_str(), form["code"].as_str()), ("authorization_code", "the-code"));
    assert_eq!(form["redirect_uri"], "https://hub.example.test/");
    assert_eq!(form["code_verifier"].len(), 43);
    assert_eq!((form["client_id"].as_str(), form["client_secret"].as_str()), ("client 1", "s&cret"));
}

#[tokio::test]
async fn a_consent_that_gives_nothing_to_keep_is_refused() {
    for (status, body, why) in [
        ("200 OK", r#"{"access_token": "t"}"#, "grants no refresh token"),
        ("400 Bad Request", r#"{"error": "invalid_grant"}"#, "invalid_grant"),
    ] {
        let server = Server::start(move |_: &Seen| json(status, body)).await;
        let egress = egress();
        egress.register(crm(), &connection(&server.url(), consenting(), &SECRETS)).unwrap();
        let asked = egress.ask_consent(&crm(), "https://hub.example.test/", [[1; 32], [2; 32]]).unwrap();
        let refused = egress.exchange(&crm(), &asked, &Secret::from("c"), NOW).await.unwrap_err();
        assert!(matches!(&refused, AuthoriseError::Refused(text) if text.contains(why)), "{refused}");
    }
    let egress = egress();
    egress.register(crm(), &connection("https://api.example.test", refresh(), &SECRETS)).unwrap();
    let why = egress.ask_consent(&crm(), "https://hub.example.test/", [[1; 32], [2; 32]]).unwrap_err();
    assert!(why.contains("does not say where consent is given"), "{why}");
}
