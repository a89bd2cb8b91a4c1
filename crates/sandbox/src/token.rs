//! Access tokens a system issued, and the refresh grant that several vendors share.

use std::collections::BTreeMap;

use serde_json::json;

use crate::entropy::Entropy;
use crate::request::{Response, json, parameter};

/// Issued tokens and whether the credential behind them is still honoured.
#[derive(Debug)]
pub(crate) struct Tokens {
    issued: BTreeMap<String, u64>,
    refresh: String,
    revoked: bool,
}

impl Tokens {
    pub(crate) fn new(refresh: String) -> Self {
        Self { issued: BTreeMap::new(), refresh, revoked: false }
    }

    pub(crate) fn issue(&mut self, entropy: &mut Entropy, now_ms: u64, life_ms: u64) -> String {
        self.issued.retain(|_, expires_ms| *expires_ms > now_ms);
        let token = format!("sbx-{}", entropy.hex());
        self.issued.insert(token.clone(), now_ms.saturating_add(life_ms));
        token
    }

    pub(crate) fn valid(&self, token: &str, now_ms: u64) -> bool {
        !self.revoked && self.issued.get(token).is_some_and(|expires_ms| *expires_ms > now_ms)
    }

    /// Issued tokens die; a refresh brings new ones. False when none were issued.
    pub(crate) fn expire_any(&mut self) -> bool {
        let any = !self.issued.is_empty();
        self.issued.clear();
        any
    }

    /// The credential itself is refused (true) or honoured again (false).
    pub(crate) fn revoke(&mut self, revoked: bool) {
        self.revoked = revoked;
        if revoked {
            self.issued.clear();
        }
    }

    pub(crate) fn revoked(&self) -> bool {
        self.revoked
    }

    /// The refresh token that counts.
    pub(crate) fn refresh_token(&self) -> &str {
        &self.refresh
    }

    /// Whether this is the refresh token that counts.
    pub(crate) fn takes(&self, refresh: &str) -> bool {
        self.refresh == refresh
    }

    /// Another refresh token in place of the one that counted.
    pub(crate) fn rotate(&mut self, entropy: &mut Entropy) -> String {
        self.refresh = format!("refresh-{}", entropy.hex());
        self.refresh.clone()
    }

    /// `grant_type=refresh_token` (RFC 6749 section 6) over a form body.
    pub(crate) fn refresh(
        &mut self,
        form: &str,
        entropy: &mut Entropy,
        now_ms: u64,
        life_ms: u64,
        rotate: bool,
    ) -> Response {
        let refuse = |error: &str, why: &str| json(400, &json!({"error": error, "error_description": why}));
        if parameter(form, "grant_type").as_deref() != Some("refresh_token") {
            return refuse("unsupported_grant_type", "grant_type must be refresh_token");
        }
        if self.revoked || parameter(form, "refresh_token").as_deref() != Some(self.refresh.as_str()) {
            return refuse("invalid_grant", "missing or unknown refresh token");
        }
        if rotate {
            self.rotate(entropy);
        }
        let token = self.issue(entropy, now_ms, life_ms);
        json(
            200,
            &json!({
                "access_token": token,
                "refresh_token": self.refresh,
                "expires_in": life_ms / 1000,
                "token_type": "bearer",
            }),
        )
    }
}
