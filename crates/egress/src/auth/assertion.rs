//! A client's signed assertion (RFC 7523): a JWT that proves the client without a shared secret.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use connector::Assertion;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{InconsistentKeys, SignatureScheme};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Moment, Secrets};

/// The longest life vendors accept.
const LIFE_S_MAX: u64 = 3600;

/// Key and claims of a client.
pub(crate) struct Signer {
    pub(super) scope_claim: bool,
    pub(super) client_id: String,
    /// In whose name: a user, or the client itself.
    subject: Option<String>,
    algorithm: Algorithm,
    key: Arc<dyn SigningKey>,
    key_id: Option<String>,
    /// The certificate's SHA-256, as the header shows it.
    thumbprint: Option<String>,
    audience: Option<String>,
    life_s: u64,
}

impl Signer {
    /// A client's key and claims; `subject` is the user in whose name it acts, if not its own.
    pub(super) fn read(
        client_id: String,
        subject: Option<String>,
        of: &Assertion,
        secrets: &Secrets<'_>,
    ) -> Result<Self, String> {
        let algorithm = Algorithm::named(&of.algorithm)
            .ok_or_else(|| format!("algorithm {:?} is not known; use PS256, RS256 or ES256", of.algorithm))?;
        let pem = secrets.get(&of.private_key)?;
        let unfit = |what: &str| {
            let wanted = algorithm.wanted();
            format!("secret `{}` {what}; give {wanted} as PEM (`-----BEGIN …`)", of.private_key)
        };
        let der = PrivateKeyDer::from_pem_slice(pem.expose()).map_err(|_| unfit("is not a private key"))?;
        let key = any_supported_type(&der).map_err(|_| unfit("can't be used"))?;
        // A key that is readable but of another kind, curve or size can't sign this way.
        if key.choose_scheme(&[algorithm.scheme()]).is_none() {
            return Err(unfit(&format!("cannot sign {}", of.algorithm)));
        }
        let thumbprint = match &of.certificate {
            Some(name) => Some(thumbprint(name, &of.private_key, &key, secrets)?),
            None => None,
        };
        if !(1..=LIFE_S_MAX).contains(&of.life_s) {
            return Err(format!("`life_s` of the assertion is {}; use 1 to {LIFE_S_MAX} seconds", of.life_s));
        }
        Ok(Self {
            scope_claim: of.scope_claim,
            client_id,
            subject,
            algorithm,
            key,
            key_id: match &of.key_id {
                Some(name) => Some(secrets.text(name)?.trim().to_owned()),
                None => None,
            },
            thumbprint,
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
            }
            // RFC 7523 asks for these; NetSuite's own form, the one with a scope claim, does not name them.
            if !self.scope_claim || self.subject.is_some() {
                let subject = self.subject.as_ref().unwrap_or(&self.client_id);
                claims.insert("sub".to_owned(), json!(subject));
                claims.insert("jti".to_owned(), json!(format!("{:032x}", moment.entropy)));
            }
        }
        if let (Some(claims), true) = (claims.as_object_mut(), self.thumbprint.is_some()) {
            claims.insert("nbf".to_owned(), json!(issued_at));
        }
        let mut header = json!({ "typ": "JWT", "alg": self.algorithm.name() });
        for (name, value) in [("kid", &self.key_id), ("x5t#S256", &self.thumbprint)] {
            if let (Some(header), Some(value)) = (header.as_object_mut(), value) {
                header.insert(name.to_owned(), json!(value));
            }
        }
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(&claims));
        let signer =
            self.key.choose_scheme(&[self.algorithm.scheme()]).ok_or("the key does not sign this way")?;
        let signature = signer
            .sign(message.as_bytes())
            .map_err(|error| format!("the assertion cannot be signed: {error}"))?;
        let signature = match self.algorithm {
            Algorithm::Es256 => {
                fixed(&signature).ok_or("the signature is not of the form it should be")?.to_vec()
            }
            Algorithm::Ps256 | Algorithm::Rs256 => signature,
        };
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// The SHA-256 of a certificate's DER form, in base64url (RFC 7515 section 4.1.8). That it is another key's is told here:
/// the vendor would only say that it does not know the client.
fn thumbprint(
    name: &str,
    private_key: &str,
    key: &Arc<dyn SigningKey>,
    secrets: &Secrets<'_>,
) -> Result<String, String> {
    let pem = secrets.get(name)?;
    let certificate = CertificateDer::from_pem_slice(pem.expose()).map_err(|_| {
        format!("secret `{name}` is not a certificate; give it as PEM (`-----BEGIN CERTIFICATE-----`)")
    })?;
    let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate));
    match CertifiedKey::new(vec![certificate], Arc::clone(key)).keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(digest),
        Err(_) => Err(format!(
            "secret `{name}` is not the certificate of the key in `{private_key}`; give the two that belong together"
        )),
    }
}

/// How assertions are signed (RFC 7518 section 3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Algorithm {
    Ps256,
    Rs256,
    Es256,
}

impl Algorithm {
    fn named(name: &str) -> Option<Self> {
        [Self::Ps256, Self::Rs256, Self::Es256].into_iter().find(|one| one.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }

    const fn scheme(self) -> SignatureScheme {
        match self {
            Self::Ps256 => SignatureScheme::RSA_PSS_SHA256,
            Self::Rs256 => SignatureScheme::RSA_PKCS1_SHA256,
            Self::Es256 => SignatureScheme::ECDSA_NISTP256_SHA256,
        }
    }

    const fn wanted(self) -> &'static str {
        match self {
            Self::Ps256 | Self::Rs256 => "an RSA private key of at least 2048 bits",
            Self::Es256 => "an EC private key on P-256",
        }
    }
}

/// An ECDSA signature as JWS wants it (RFC 7518 section 3.4: r and s, 32 bytes each), from its DER form.
fn fixed(der: &[u8]) -> Option<[u8; 64]> {
    let body = der.strip_prefix(&[0x30])?;
    let (_length, mut rest) = body.split_first()?;
    let mut both = [0; 64];
    for half in both.chunks_exact_mut(32) {
        let (length, number) = rest.strip_prefix(&[0x02])?.split_first()?;
        let (number, after) = number.split_at_checked(usize::from(*length))?;
        rest = after;
        // A leading zero only says that the number is positive.
        let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
        let digits = &number[start..];
        half.get_mut(32_usize.checked_sub(digits.len())?..)?.copy_from_slice(digits);
    }
    rest.is_empty().then_some(both)
}
