//! A log-in whose session is a token and a cookie, as SAP's gateway has it: a GET hands both to whoever shows a password.

use connector::AuthKind;
use serde_json::json;

use super::server::{Reply, Seen, Server, with_headers};
use super::{NOW, connection, crm, egress, post};

fn auth(also: &serde_json::Value) -> AuthKind {
    let session = json!({"session": {
        "path": "/sap/opu/",
        "method": "get",
        "headers": {"x-csrf-token": "fetch", "authorization": "Basic {basic.user.password}"},
        "header": "x-csrf-token",
        "credential": "{header.x-csrf-token}",
        "also": also,
        "user": "user",
    }});
    serde_json::from_value(session).unwrap()
}

fn gateway(seen: &Seen) -> Reply {
    // base64 of `ann:pass word`
    let known = seen.header("authorization") == Some("Basic YW5uOnBhc3Mgd29yZA==");
    match (known, seen.header("x-csrf-token")) {
        (false, _) => with_headers("401 Unauthorized", "", "{}"),
        (true, Some("fetch")) => {
            let headers = "X-CSRF-Token: t0ken==\r\nset-cookie: SAP_SESSIONID=s3ss10n-v4lue; path=/; secure; HttpOnly\r\n\
                           Set-Cookie: sap-usercontext=client=100\r\nset-cookie: old=; expires=Thu, 01 Jan 1970 00:00:00 GMT\r\n";
            with_headers("200 OK", headers, "")
        }
        (true, Some("t0ken==")) => {
            let cookie = seen.header("cookie").unwrap_or_default();
            with_headers("400 Bad Request", "", &format!(r#"{{"text": "{cookie}"}}"#))
        }
        (true, _) => with_headers("403 Forbidden", "x-csrf-token: Required\r\n", "{}"),
    }
}

const SECRETS: [(&str, &str); 2] = [("user", "ann\n"), ("password", "pass word\n")];

#[tokio::test]
async fn a_session_is_a_token_and_a_cookie() {
    let server = Server::start(gateway).await;
    let egress = egress();
    let auth = auth(&json!({"cookie": "{cookies}", "authorization": "Basic {basic.user.password}"}));
    egress.register(crm(), &connection(&server.url(), auth, &SECRETS)).unwrap();
    let authorised = egress.authorise(&crm(), NOW, 1).await.unwrap();
    assert!(!format!("{authorised:?}").contains("s3ss"), "I15");
    egress.adopt(&crm(), &authorised);
    let answer = post(&egress, "/sap/opu/things").await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].line, "GET /sap/opu/ HTTP/1.1");
    assert_eq!(seen[0].body, "");
    // Attributes stay here, and what is taken away is not sent.
    assert_eq!(seen[1].header("cookie"), Some("SAP_SESSIONID=s3ss10n-v4lue; sap-usercontext=client=100"));
    let text = String::from_utf8(answer.body).unwrap();
    assert!(!text.contains("s3ss10n-v4lue"), "what a vendor repeats of it goes no further: {text}");
}

#[tokio::test]
async fn a_log_in_without_the_cookie_that_is_wanted_grants_nothing() {
    let server = Server::start(|_| with_headers("200 OK", "x-csrf-token: t\r\n", "")).await;
    let egress = egress();
    let auth = auth(&json!({"cookie": "{cookies}"}));
    egress.register(crm(), &connection(&server.url(), auth, &SECRETS)).unwrap();
    let refused = egress.authorise(&crm(), NOW, 1).await.unwrap_err().to_string();
    assert!(refused.contains("grants no session"), "{refused}");
}
