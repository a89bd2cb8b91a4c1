//! Sessions: client credentials, a JWT in a user's name, a refresh token; and who a session belongs to.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use serde_json::{Value, json};

use super::{Salesforce, id};
use crate::call::Call;
use crate::request::{Response, decode, json as answer, parameter};
use crate::system::Desk;

const TOKEN: &str = "/services/oauth2/token";
const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// Who a JWT may be meant for: the log-in hosts [doc].
const AUDIENCES: [&str; 2] = ["https://login.salesforce.com", "https://test.salesforce.com"];
/// How long a JWT may live: "within minutes" [doc]; five are taken [seen].
const JWT_LIFE_S: u64 = 300;

/// What is wrong with a request for a session: `error` and `error_description`.
type Wrong = (&'static str, &'static str);

impl Salesforce {
    /// Answers what needs no session, or is about one.
    pub(super) fn grant(&mut self, desk: &mut Desk, call: &Call<'_>) -> Option<Response> {
        let path = call.path();
        if path == TOKEN && call.request.method() == Method::POST {
            return Some(self.token(desk, call));
        }
        if path != "/services/oauth2/userinfo" && !path.starts_with("/id/") {
            return None;
        }
        // Some clients put the session into the address [seen].
        let token = call.bearer().map(str::to_owned).or_else(|| call.query("oauth_token"));
        if !token.is_some_and(|token| self.tokens.valid(&token, call.now_ms)) {
            // In words of its own, without JSON [seen].
            return Some(crate::request::typed(403, "text/html", "Bad_OAuth_Token"));
        }
        let organisation = id::read(&desk.options.account).unwrap_or_default();
        let body = json!({
            "sub": format!("{}/id/{organisation}/{}", call.origin(), self.user), "user_id": self.user,
            "organization_id": organisation, "preferred_username": "integration@sandbox.test",
            "name": "Integration", "active": true, "user_type": "STANDARD",
            "urls": {"rest": format!("{}/services/data/v{{version}}/", call.origin())},
        });
        Some(answer(200, &body))
    }

    fn token(&mut self, desk: &mut Desk, call: &Call<'_>) -> Response {
        let form = call.form();
        let checked = match parameter(&form, "grant_type").as_deref() {
            Some("client_credentials") => credentials(desk, call, &form),
            Some(BEARER) => {
                let assertion = parameter(&form, "assertion").unwrap_or_default();
                signed(&assertion, client(desk).0, call.now_ms / 1000)
            }
            Some("refresh_token") => credentials(desk, call, &form).and_then(|()| {
                let given = parameter(&form, "refresh_token");
                self.tokens
                    .takes(given.as_deref().unwrap_or_default())
                    .then_some(())
                    .ok_or(("invalid_grant", "expired access/refresh token"))
            }),
            _ => Err(("unsupported_grant_type", "grant type not supported")),
        };
        let checked = checked.and_then(|()| {
            if self.tokens.revoked() {
                Err(("invalid_grant", "user is inactive or the app is blocked"))
            } else {
                Ok(())
            }
        });
        if let Err((error, why)) = checked {
            return answer(400, &json!({"error": error, "error_description": why}));
        }
        let rotated =
            parameter(&form, "grant_type").as_deref() == Some("refresh_token") && desk.options.rotate_refresh;
        let refresh = rotated.then(|| self.tokens.rotate(&mut desk.entropy));
        let token = self.tokens.issue(&mut desk.entropy, call.now_ms, desk.options.limits.token_life_ms);
        let organisation = id::read(&desk.options.account).unwrap_or_default();
        // No `expires_in` [seen], and times as text.
        let mut body = json!({
            "access_token": token, "instance_url": call.origin(), "token_type": "Bearer", "scope": "api",
            "id": format!("{}/id/{organisation}/{}", call.origin(), self.user),
            "issued_at": call.now_ms.to_string(), "signature": STANDARD.encode(organisation.as_bytes()),
        });
        if let Some(refresh) = refresh {
            body["refresh_token"] = json!(refresh);
        }
        answer(200, &body)
    }
}

/// The app's consumer key and secret.
fn client(desk: &Desk) -> (&str, &str) {
    desk.options.credential.split_once(':').unwrap_or((&desk.options.credential, ""))
}

/// Key and secret, in the form or as HTTP Basic [doc].
fn credentials(desk: &Desk, call: &Call<'_>, form: &str) -> Result<(), Wrong> {
    let basic =
        call.header("authorization").and_then(|value| value.strip_prefix("Basic ")).and_then(|encoded| {
            let plain = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
            let (key, secret) = plain.split_once(':')?;
            Some((decode(key, true), decode(secret, true)))
        });
    let (key, secret) = basic.unwrap_or_else(|| {
        let field = |name| parameter(form, name).unwrap_or_default();
        (field("client_id"), field("client_secret"))
    });
    let (known, wanted) = client(desk);
    if key != known {
        return Err(("invalid_client_id", "client identifier invalid"));
    }
    if secret != wanted { Err(("invalid_client", "invalid client credentials")) } else { Ok(()) }
}

/// Checks everything of an assertion but its signature, whose certificate the sandbox does not hold.
fn signed(assertion: &str, client: &str, now_s: u64) -> Result<(), Wrong> {
    let invalid = ("invalid_grant", "invalid assertion");
    let parts: Vec<&str> = assertion.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else { return Err(invalid) };
    let part = |encoded: &str| -> Option<Value> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
    };
    let (Some(header), Some(claims)) = (part(header), part(claims)) else { return Err(invalid) };
    let bytes = URL_SAFE_NO_PAD.decode(signature).map_or(0, |bytes| bytes.len());
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    if header.get("alg").and_then(Value::as_str) != Some("RS256") || bytes < 128 {
        return Err(invalid);
    }
    if text("iss") != client {
        return Err(("invalid_client_id", "client identifier invalid"));
    }
    if !AUDIENCES.contains(&text("aud")) {
        return Err(("invalid_grant", "audience is invalid"));
    }
    // Nobody approved the app for this user.
    if !text("sub").contains('@') {
        return Err(("invalid_grant", "user hasn't approved this consumer"));
    }
    match claims.get("exp").and_then(Value::as_u64) {
        Some(until_s) if until_s > now_s && until_s <= now_s + JWT_LIFE_S => Ok(()),
        _ => Err(("invalid_grant", "assertion is expired or not valid for long enough")),
    }
}
