//! Sessions: client credentials, a JWT in a user's name, a person's consent, a refresh token; and who a session belongs to.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Salesforce, id};
use crate::call::Call;
use crate::request::{Response, decode, empty, encode, json as answer, parameter, typed, with_header};
use crate::system::Desk;

const TOKEN: &str = "/services/oauth2/token";
const CONSENT: &str = "/services/oauth2/authorize";
const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// Who a JWT may be meant for: the log-in hosts [doc].
const AUDIENCES: [&str; 2] = ["https://login.salesforce.com", "https://test.salesforce.com"];
/// How long a JWT may live: "within minutes" [doc]; five are taken [seen].
const JWT_LIFE_S: u64 = 300;

/// How long a code may be changed into a session [seen].
const CODE_LIFE_MS: u64 = 15 * 60_000;
/// Codes that nobody has asked about yet; more are forgotten.
const CODES_MAX: usize = 100;

/// Codes that people's consents have given.
#[derive(Debug, Default)]
pub(super) struct Codes(BTreeMap<String, Code>);

#[derive(Debug)]
struct Code {
    redirect_uri: String,
    /// Of the verifier (RFC 7636), where there was one.
    challenge: Option<String>,
    until_ms: u64,
}

/// What is wrong with a request for a session: `error` and `error_description`.
type Wrong = (&'static str, &'static str);

impl Salesforce {
    /// Answers what needs no session, or is about one.
    pub(super) fn grant(&mut self, desk: &mut Desk, call: &Call<'_>) -> Option<Response> {
        let path = call.path();
        if path == TOKEN && call.request.method() == Method::POST {
            return Some(self.token(desk, call));
        }
        if path == CONSENT && call.request.method() == Method::GET {
            return Some(self.consent(desk, call));
        }
        if path != "/services/oauth2/userinfo" && !path.starts_with("/id/") {
            return None;
        }
        // Some clients put the session into the address [seen].
        let token = call.bearer().map(str::to_owned).or_else(|| call.query("oauth_token"));
        if !token.is_some_and(|token| self.tokens.valid(&token, call.now_ms)) {
            // In words of its own, without JSON [seen].
            return Some(typed(403, "text/html", "Bad_OAuth_Token"));
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

    /// A person is asked, and says yes at once.
    fn consent(&mut self, desk: &mut Desk, call: &Call<'_>) -> Response {
        let asked = |name: &str| call.query(name).unwrap_or_default();
        let known = asked("client_id") == client(desk).0 && asked("response_type") == "code";
        let redirect_uri = asked("redirect_uri");
        if !known || redirect_uri.is_empty() {
            return typed(400, "text/html", "client identifier invalid");
        }
        if self.codes.0.len() >= CODES_MAX {
            self.codes.0.pop_first();
        }
        let code = desk.entropy.hex();
        let joint = if redirect_uri.contains('?') { '&' } else { '?' };
        let back = format!("{redirect_uri}{joint}code={code}&state={}", encode(&asked("state")));
        let challenge = call.query("code_challenge");
        let until_ms = call.now_ms + CODE_LIFE_MS;
        self.codes.0.insert(code, Code { redirect_uri, challenge, until_ms });
        with_header(empty(302), "location", &back)
    }

    /// A code is changed into a session once, by whoever had asked for it.
    fn redeem(&mut self, form: &str, now_ms: u64) -> Result<(), Wrong> {
        let field = |name| parameter(form, name).unwrap_or_default();
        let code = self.codes.0.remove(&field("code")).filter(|code| code.until_ms > now_ms);
        let code = code.ok_or(("invalid_grant", "expired authorization code"))?;
        if code.redirect_uri != field("redirect_uri") {
            return Err(("redirect_uri_mismatch", "redirect_uri must match configuration"));
        }
        let shown = URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier").as_bytes()));
        if code.challenge.is_some_and(|challenge| challenge != shown) {
            return Err(("invalid_grant", "invalid code verifier"));
        }
        Ok(())
    }

    fn token(&mut self, desk: &mut Desk, call: &Call<'_>) -> Response {
        let form = call.form();
        let checked = match parameter(&form, "grant_type").as_deref() {
            Some("client_credentials") => credentials(desk, call, &form),
            Some("authorization_code") => {
                credentials(desk, call, &form).and_then(|()| self.redeem(&form, call.now_ms))
            }
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
        let refresh = match parameter(&form, "grant_type").as_deref() {
            Some("authorization_code") => Some(self.tokens.refresh_token().to_owned()),
            _ => rotated.then(|| self.tokens.rotate(&mut desk.entropy)),
        };
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
