//! Log-in to a JSON-RPC server for a session (Tryton): the session then stands in the `Authorization` header.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connector::{AuthKind, Response};
use guard::Secret;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use serde_json::json;

use super::{Grant, Secrets, TokenAnswer, TokenRequest, header_value, refusal};

/// User and password, and where to log in.
pub(crate) struct Session {
    pub(crate) path: String,
    method: String,
    user: String,
    password: Secret,
    language: String,
    life: Duration,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    result: Option<serde_json::Value>,
    #[serde(default)]
    error: Option<serde_json::Value>,
}

impl Session {
    pub(super) fn identity(&self) -> &str {
        &self.user
    }

    pub(super) fn read(auth: &AuthKind, secrets: &Secrets<'_>) -> Result<Self, String> {
        let AuthKind::SessionJsonrpc { path, method, user, password, language, life_s } = auth else {
            return Err("it is not a session".to_owned());
        };
        Ok(Self {
            path: path.clone(),
            method: method.clone(),
            user: secrets.text(user)?.trim().to_owned(),
            password: Secret::from(secrets.text(password)?.trim_end_matches(['\n', '\r'])),
            language: language.clone(),
            life: Duration::from_secs(*life_s),
        })
    }

    pub(super) fn request(&self) -> TokenRequest {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let password = self.password.expose_text().unwrap_or_default();
        let body = json!({
            "id": 0,
            "method": self.method,
            "params": [self.user, { "password": password }, self.language],
        });
        TokenRequest { headers, body: body.to_string().into_bytes() }
    }

    /// Errors come inside 200, too. Each further try with wrong credentials lengthens the server's lock, so only
    /// 429 and server errors are worth another one.
    pub(super) fn read_answer(&self, answer: &Response) -> TokenAnswer {
        if answer.status != 200 {
            return refusal(answer, "");
        }
        let Ok(read) = serde_json::from_slice::<Answer>(&answer.body) else {
            return TokenAnswer::Refused(
                "its log-in answers something that is not JSON-RPC; check the path".to_owned(),
            );
        };
        if let Some(error) = read.error.filter(|error| !error.is_null()) {
            let kind = error.get(0).and_then(serde_json::Value::as_str).unwrap_or("an unknown kind");
            let kind: String = kind.chars().filter(|c| c.is_ascii_alphanumeric()).take(60).collect();
            return TokenAnswer::Refused(format!(
                "its log-in answers an error ({kind}); check user and password"
            ));
        }
        let result = read.result.unwrap_or_default();
        let id = result.get(0).and_then(serde_json::Value::as_i64);
        let key = result.get(1).and_then(serde_json::Value::as_str).filter(|key| !key.is_empty());
        let (Some(id), Some(key)) = (id, key) else {
            return TokenAnswer::Refused("its log-in grants no session; check user and password".to_owned());
        };
        let session = STANDARD.encode(format!("{}:{id}:{key}", self.user));
        match header_value(&format!("Session {session}"), "session") {
            Ok(authorization) => {
                TokenAnswer::Granted(Grant { authorization, life: self.life, rotated: None, scopes: None })
            }
            Err(why) => TokenAnswer::Refused(why),
        }
    }
}
