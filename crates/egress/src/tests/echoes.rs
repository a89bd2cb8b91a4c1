//! Vendors that repeat a credential: nothing of it comes in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connector::{AuthKind, Response};

use super::auth::{SECRETS, refresh};
use super::server::{Server, json, with_headers};
use super::{NOW, connection, crm, egress, post};
use crate::AuthoriseError;

/// With characters that JSON, forms and addresses write in other ways.
const KEY: &str = "TOP/SECRET&KEY=1";

fn all(answer: &Response) -> String {
    format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.body))
}

fn key() -> AuthKind {
    AuthKind::Header { name: "x-api-key".into(), prefix: "Token ".into(), secret: "key".into() }
}

#[tokio::test]
async fn a_key_that_is_repeated_stays_outside() {
    let server = Server::start(|seen| {
        let key = seen.header("x-api-key").unwrap_or_default().trim_start_matches("Token ").to_owned();
        let basic = STANDARD.encode(format!("user:{key}"));
        let escaped = key.replace('/', "\\/").replace('&', "\\u0026");
        let encoded = key.replace('/', "%2F").replace('&', "%26").replace('=', "%3D");
        let body = format!(
            r#"{{"message": "{key} is not valid", "escaped": "{escaped}", "basic": "Basic {basic}", "link": "/x?k={encoded}", "user": "Ann"}}"#
        );
        let status = if seen.line.contains("/refused") { "422 No" } else { "200 OK" };
        with_headers(status, &format!("x-echo: {key}\r\n"), &body)
    })
    .await;
    let egress = egress();
    egress.register(crm(), &connection(&server.url(), key(), &[("key", KEY)])).unwrap();
    for path in ["/refused", "/done"] {
        let answer = post(&egress, path).await.unwrap();
        let said = all(&answer);
        assert!(!said.contains("TOP") && !said.contains("SECRET") && !said.contains("VE9QL1NF"), "{said}");
        assert!(said.contains("[redacted] is not valid") && said.contains("Ann"), "{said}");
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["link"], "/x?k=[redacted]");
    }
}

#[tokio::test]
async fn a_short_password_hides_in_refusals_and_changes_no_data() {
    let server = Server::start(|seen| {
        let status = if seen.line.contains("/refused") { "400 No" } else { "200 OK" };
        json(status, r#"{"message": "user integration may not, secret", "role": "secret"}"#)
    })
    .await;
    let egress = egress();
    let auth = AuthKind::Basic { user: None, user_secret: Some("user".into()), secret: "password".into() };
    let secrets = [("user", "integration"), ("password", "secret\n")];
    egress.register(crm(), &connection(&server.url(), auth, &secrets)).unwrap();
    let refused = all(&post(&egress, "/refused").await.unwrap());
    assert!(refused.contains("user [redacted] may not, [redacted]"), "{refused}");
    let data = all(&post(&egress, "/done").await.unwrap());
    assert!(data.contains(r#""role": "secret""#), "{data}");
}

#[tokio::test]
async fn tokens_that_were_got_stay_outside_too() {
    let server = Server::start(|seen| {
        if seen.line.contains("/oauth/token") {
            return json(
                "200 OK",
                r#"{"access_token": "access-token-1", "refresh_token": "refresh-token-1"}"#,
            );
        }
        let token = seen.header("authorization").unwrap_or_default().to_owned();
        json("403 No", &format!(r#"{{"message": "{token} expired, use refresh-token-1 or refresh-0"}}"#))
    })
    .await;
    let egress = egress();
    egress.register(crm(), &connection(&server.url(), refresh(), &SECRETS)).unwrap();
    let authorised = egress.authorise(&crm(), NOW, 1).await.unwrap();
    egress.adopt(&crm(), &authorised);
    let said = all(&post(&egress, "/x").await.unwrap());
    assert!(said.contains("Bearer [redacted] expired, use [redacted] or [redacted]"), "{said}");
}

#[tokio::test]
async fn a_token_endpoint_that_repeats_the_secret_says_it_to_nobody() {
    for status in ["400 No", "503 Down", "200 OK"] {
        let server = Server::start(move |_| {
            json(status, r#"{"error": "invalid", "error_description": "bad secret abc-def-ghi"}"#)
        })
        .await;
        let egress = egress();
        let secrets = [("id", "client 1"), ("secret", "abc-def-ghi"), ("refresh", "refresh-0")];
        egress.register(crm(), &connection(&server.url(), refresh(), &secrets)).unwrap();
        let why = match egress.authorise(&crm(), NOW, 1).await.unwrap_err() {
            AuthoriseError::Refused(why) => why,
            AuthoriseError::Failed(failure) => failure.detail,
        };
        assert!(why.contains("bad secret [redacted]"), "{why}");
    }
}
