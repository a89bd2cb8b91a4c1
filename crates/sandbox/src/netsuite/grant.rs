//! The token endpoint: OAuth 2.0 client credentials with an assertion signed by a certificate's key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::NetSuite;
use crate::call::Call;
use crate::request::{Response, json as answer, parameter};
use crate::system::Desk;

pub(super) const PATH: &str = "/services/rest/auth/oauth2/v1/token";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ALGORITHMS: [&str; 7] = ["PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "RS256"];

impl NetSuite {
    pub(super) fn grant(&mut self, desk: &mut Desk, call: &Call<'_>) -> Response {
        let refuse = |status, error: &str, why: &str| {
            answer(status, &json!({"error": error, "error_description": why}))
        };
        let form = call.form();
        if parameter(&form, "grant_type").as_deref() != Some("client_credentials") {
            return refuse(400, "unsupported_grant_type", "grant_type must be client_credentials");
        }
        if parameter(&form, "client_assertion_type").as_deref() != Some(ASSERTION_TYPE) {
            return refuse(400, "invalid_request", "client_assertion_type must be the jwt-bearer URN");
        }
        let assertion = parameter(&form, "client_assertion").unwrap_or_default();
        if self.tokens.revoked() {
            return refuse(401, "invalid_client", "the integration is disabled");
        }
        if let Err(why) = check(&assertion, &desk.options.credential, call.now_ms / 1000) {
            return refuse(400, "invalid_grant", &why);
        }
        let life_ms = desk.options.limits.token_life_ms;
        let token = self.tokens.issue(&mut desk.entropy, call.now_ms, life_ms);
        // The vendor sends the seconds as text.
        let seconds = (life_ms / 1000).to_string();
        answer(200, &json!({"access_token": token, "expires_in": seconds, "token_type": "bearer"}))
    }
}

/// Checks everything of an assertion but its signature, whose certificate the sandbox does not hold.
fn check(assertion: &str, client: &str, now_s: u64) -> Result<(), String> {
    let parts: Vec<&str> = assertion.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else {
        return Err("client_assertion must be a JWT of three parts".to_owned());
    };
    let (header, claims) = (part(header, "header")?, part(claims, "claims")?);
    if URL_SAFE_NO_PAD.decode(signature).map_or(0, |bytes| bytes.len()) < 32 {
        return Err("the JWT carries no signature".to_owned());
    }
    let algorithm = header.get("alg").and_then(Value::as_str).unwrap_or("none");
    if !ALGORITHMS.contains(&algorithm) {
        return Err(format!("alg {algorithm} is not accepted: use PS256 or ES256"));
    }
    if header.get("kid").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err("the JWT header lacks kid, the id of the certificate".to_owned());
    }
    if claims.get("iss").and_then(Value::as_str) != Some(client) {
        return Err("iss is not the client id of a known integration".to_owned());
    }
    let audience = match claims.get("aud") {
        Some(Value::Array(many)) => many.first().and_then(Value::as_str),
        Some(one) => one.as_str(),
        None => None,
    };
    if !audience.is_some_and(|audience| audience.ends_with(PATH)) {
        return Err(format!("aud must be the token endpoint, ending in {PATH}"));
    }
    let scope = claims.get("scope").map(Value::to_string).unwrap_or_default();
    if !scope.contains("rest_webservices") {
        return Err("scope must contain rest_webservices".to_owned());
    }
    let second =
        |name: &str| claims.get(name).and_then(Value::as_u64).ok_or_else(|| format!("{name} is missing"));
    let (issued, expires) = (second("iat")?, second("exp")?);
    if expires <= now_s || issued > now_s + 300 {
        return Err(format!("the JWT is not valid now: iat {issued}, exp {expires}, now {now_s}"));
    }
    if expires > issued + 3600 {
        return Err("exp must lie within an hour of iat".to_owned());
    }
    Ok(())
}

fn part(encoded: &str, name: &str) -> Result<Value, String> {
    let bytes = URL_SAFE_NO_PAD
        .decode(encoded)
        .map_err(|error| format!("the JWT's {name} is no base64url: {error}"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("the JWT's {name} is no JSON: {error}"))
}
