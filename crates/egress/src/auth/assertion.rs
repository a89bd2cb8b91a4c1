//! A client's signed assertion (RFC 7523): a JWT that proves the client without a shared secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use connector::Assertion;
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::json;

use super::{Moment, Secrets};

/// The longest life vendors accept.
const LIFE_S_MAX: u64 = 3600;

/// Key and claims of a client.
pub(crate) struct Signer {
    pub(super) scope_claim: bool,
    pub(super) client_id: String,
    algorithm: Algorithm,
    key: EncodingKey,
    key_id: String,
    audience: Option<String>,
    life_s: u64,
}

impl Signer {
    pub(super) fn read(client_id: String, of: &Assertion, secrets: &Secrets<'_>) -> Result<Self, String> {
        let pem = secrets.get(&of.private_key)?;
        let unreadable = |what: &str| {
            format!("secret `{}` is not {what}; give the private key as PEM (`-----BEGIN …`)", of.private_key)
        };
        let (algorithm, key) = match of.algorithm.as_str() {
            "PS256" | "RS256" => {
                let algorithm = if of.algorithm == "PS256" { Algorithm::PS256 } else { Algorithm::RS256 };
                let key =
                    EncodingKey::from_rsa_pem(pem.expose()).map_err(|_| unreadable("an RSA private key"))?;
                (algorithm, key)
            }
            "ES256" => {
                let key =
                    EncodingKey::from_ec_pem(pem.expose()).map_err(|_| unreadable("an EC private key"))?;
                (Algorithm::ES256, key)
            }
            other => return Err(format!("algorithm {other:?} is not known; use PS256, RS256 or ES256")),
        };
        // A key that is readable but of another curve or size shows only when it signs.
        (DEFAULT_PROVIDER.signer_factory)(&algorithm, &key)
            .map_err(|error| format!("secret `{}` cannot sign {}: {error}", of.private_key, of.algorithm))?;
        if !(1..=LIFE_S_MAX).contains(&of.life_s) {
            return Err(format!("`life_s` of the assertion is {}; use 1 to {LIFE_S_MAX} seconds", of.life_s));
        }
        Ok(Self {
            scope_claim: of.scope_claim,
            client_id,
            algorithm,
            key,
            key_id: secrets.text(&of.key_id)?.trim().to_owned(),
            audience: of.audience.clone(),
            life_s: of.life_s,
        })
    }

    /// The assertion of this moment.
    pub(super) fn sign(
        &self,
        moment: Moment,
        endpoint_url: &str,
        scopes: &[String],
    ) -> Result<String, String> {
        let issued_at = moment.now.millis().div_euclid(1000);
        let life = i64::try_from(self.life_s).unwrap_or_default();
        let mut claims = json!({
            "iss": self.client_id,
            "aud": self.audience.as_deref().unwrap_or(endpoint_url),
            "iat": issued_at,
            "exp": issued_at + life,
        });
        if let Some(claims) = claims.as_object_mut() {
            if self.scope_claim {
                claims.insert("scope".to_owned(), json!(scopes));
            } else {
                // RFC 7523 asks for these; NetSuite's own form, the one with a scope claim, does not name them.
                claims.insert("sub".to_owned(), json!(self.client_id));
                claims.insert("jti".to_owned(), json!(format!("{:032x}", moment.entropy)));
            }
        }
        let header = json!({ "typ": "JWT", "alg": format!("{:?}", self.algorithm), "kid": self.key_id });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(&claims));
        let signature = (DEFAULT_PROVIDER.signer_factory)(&self.algorithm, &self.key)
            .map_err(|error| error.to_string())?
            .try_sign(message.as_bytes())
            .map_err(|error| format!("the assertion cannot be signed: {error}"))?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
