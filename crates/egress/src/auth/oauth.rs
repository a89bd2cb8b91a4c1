//! OAuth 2.0: client credentials (RFC 6749 section 4.4, RFC 7523), refresh (section 6) and the JWT bearer grant (RFC 7523).

use std::time::Duration;

use connector::{AuthKind, ClientPlacement, Consent, Response};
use guard::{Secret, redact};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method};
use serde::Deserialize;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::assertion::Signer;
use super::{Asked, Grant, Moment, Secrets, TokenAnswer, TokenRequest, basic, header_value, refusal};

/// Client credentials with a secret or a signed assertion.
pub(crate) struct ClientCredentials {
    pub(crate) endpoint: String,
    pub(crate) life: Duration,
    client: Client,
    scopes: Vec<String>,
    audience: Option<String>,
}

/// A refresh token, which may be replaced with each use.
pub(crate) struct Refresh {
    pub(crate) endpoint: String,
    pub(crate) life: Duration,
    pub(crate) first: Secret,
    /// How a person's consent is asked for.
    pub(crate) consent: Option<Box<Consent>>,
    client: Client,
}

/// A signed JWT in the name of a user, as the grant itself.
pub(crate) struct JwtBearer {
    pub(crate) endpoint: String,
    pub(crate) life: Duration,
    signer: Signer,
    /// The client, and in whose name it acts.
    identity: String,
    scopes: Vec<String>,
}

/// How the client proves itself.
enum Client {
    Public { id: String },
    Secret { id: String, secret: Secret, placement: ClientPlacement },
    Signed(Box<Signer>),
}

impl ClientCredentials {
    pub(super) fn identity(&self) -> &str {
        self.client.id()
    }

    pub(super) fn read(auth: &AuthKind, secrets: &Secrets<'_>) -> Result<Self, String> {
        let AuthKind::Oauth2ClientCredentials {
            token,
            client_id,
            client_secret,
            placement,
            assertion,
            scopes,
            audience,
            life_s,
        } = auth
        else {
            return Err("it is not client credentials".to_owned());
        };
        let id = clean(&secrets.text(client_id)?);
        let client = match (client_secret, assertion) {
            (Some(secret), None) => {
                Client::Secret { id, secret: secrets.get(secret)?, placement: *placement }
            }
            (None, Some(assertion)) => Client::Signed(Box::new(Signer::read(id, None, assertion, secrets)?)),
            _ => {
                return Err("client credentials need `client_secret` or `assertion`, and not both".to_owned());
            }
        };
        let life = Duration::from_secs(*life_s);
        let endpoint = token.clone();
        Ok(Self { endpoint, life, client, scopes: scopes.clone(), audience: audience.clone() })
    }

    pub(super) fn request(&self, moment: Moment, endpoint_url: &str) -> Result<TokenRequest, String> {
        let mut form = vec![("grant_type", "client_credentials".to_owned())];
        let scopes_in_claims = matches!(&self.client, Client::Signed(signer) if signer.scope_claim);
        if !self.scopes.is_empty() && !scopes_in_claims {
            form.push(("scope", self.scopes.join(" ")));
        }
        if let Some(audience) = &self.audience {
            form.push(("audience", audience.clone()));
        }
        if let Client::Signed(signer) = &self.client {
            form.push((
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned(),
            ));
            form.push(("client_assertion", signer.sign(moment, endpoint_url, &self.scopes)?));
        }
        self.client.complete(form)
    }
}

impl Refresh {
    pub(crate) fn identity(&self) -> &str {
        self.client.id()
    }

    pub(super) fn read(auth: &AuthKind, secrets: &Secrets<'_>) -> Result<Self, String> {
        let AuthKind::Oauth2Refresh {
            token,
            client_id,
            client_secret,
            placement,
            refresh_token,
            life_s,
            consent,
            ..
        } = auth
        else {
            return Err("it is not a refresh token".to_owned());
        };
        let id = clean(&secrets.text(client_id)?);
        let client = match client_secret {
            Some(secret) => Client::Secret { id, secret: secrets.get(secret)?, placement: *placement },
            None => Client::Public { id },
        };
        let first = Secret::from(clean(&secrets.text(refresh_token)?));
        let life = Duration::from_secs(*life_s);
        Ok(Self { endpoint: token.clone(), life, first, consent: consent.clone(), client })
    }

    pub(super) fn request(&self, refresh: &Secret) -> Result<TokenRequest, String> {
        let token = refresh.expose_text().ok_or("the refresh token is not text")?;
        self.client
            .complete(vec![("grant_type", "refresh_token".to_owned()), ("refresh_token", token.to_owned())])
    }

    /// The request that makes a code of a person's consent a refresh token (RFC 6749 section 4.1.3).
    pub(crate) fn code_request(&self, asked: &Asked, code: &Secret) -> Result<TokenRequest, String> {
        let text = |secret: &Secret| secret.expose_text().map(str::to_owned).ok_or("the code is not text");
        let mut form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", text(code)?),
            ("redirect_uri", asked.redirect.clone()),
        ];
        if let Some(verifier) = &asked.verifier {
            form.push(("code_verifier", text(verifier)?));
        }
        self.client.complete(form)
    }

    /// The refresh token in the answer to that.
    pub(crate) fn read_code(&self, answer: &Response) -> TokenAnswer {
        // Nothing was spent: any token is a new one.
        read(answer, self.life, Some(&Secret::from("")))
    }
}

impl JwtBearer {
    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    pub(super) fn read(auth: &AuthKind, secrets: &Secrets<'_>) -> Result<Self, String> {
        let AuthKind::Oauth2JwtBearer { token, client_id, subject, assertion, scopes, life_s } = auth else {
            return Err("it is not a JWT bearer grant".to_owned());
        };
        let (id, subject) = (clean(&secrets.text(client_id)?), clean(&secrets.text(subject)?));
        Ok(Self {
            endpoint: token.clone(),
            life: Duration::from_secs(*life_s),
            identity: format!("{id} {subject}"),
            signer: Signer::read(id, Some(subject), assertion, secrets)?,
            scopes: scopes.clone(),
        })
    }

    pub(super) fn request(&self, moment: Moment, endpoint_url: &str) -> Result<TokenRequest, String> {
        let mut form = vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()),
            ("assertion", self.signer.sign(moment, endpoint_url, &self.scopes)?),
        ];
        if !self.scopes.is_empty() && !self.signer.scope_claim {
            form.push(("scope", self.scopes.join(" ")));
        }
        // The JWT is the proof: RFC 7523 asks for no other.
        Ok(token_request(form, HeaderMap::new()))
    }
}

/// A form for a token endpoint.
fn token_request(form: Vec<(&'static str, String)>, mut headers: HeaderMap) -> TokenRequest {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let body = Serializer::new(String::new()).extend_pairs(form).finish().into_bytes();
    TokenRequest { method: Method::POST, cookies: false, headers, body }
}

impl Client {
    fn id(&self) -> &str {
        match self {
            Self::Public { id } | Self::Secret { id, .. } => id,
            Self::Signed(signer) => &signer.client_id,
        }
    }

    fn complete(&self, mut form: Vec<(&'static str, String)>) -> Result<TokenRequest, String> {
        let mut headers = HeaderMap::new();
        match self {
            Self::Public { id } => form.push(("client_id", id.clone())),
            Self::Secret { id, secret, placement } => {
                let secret = clean(secret.expose_text().ok_or("the client secret is not text")?);
                match placement {
                    ClientPlacement::Body => {
                        form.push(("client_id", id.clone()));
                        form.push(("client_secret", secret));
                    }
                    // RFC 6749 section 2.3.1: both are form-encoded before they are joined.
                    ClientPlacement::Basic => {
                        headers.insert(AUTHORIZATION, basic(&encoded(id), &encoded(&secret))?);
                    }
                }
            }
            Self::Signed(_) => {}
        }
        Ok(token_request(form, headers))
    }
}

fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

/// Without the end of line that a file leaves behind a secret.
fn clean(text: &str) -> String {
    text.trim_end_matches(['\n', '\r']).to_owned()
}

/// A token answer (RFC 6749 section 5.1), as lenient as vendors are: `expires_in` may be a text.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
    #[serde(default)]
    refresh_token: Option<String>,
    /// Scopes with spaces between them; some vendors give a list.
    #[serde(default)]
    scope: Option<serde_json::Value>,
}

/// An error answer (section 5.2).
#[derive(Deserialize)]
struct Denied {
    error: String,
    #[serde(default)]
    error_description: Option<String>,
}

/// Reads a token answer. `used` is the refresh token that was spent.
pub(super) fn read(answer: &Response, life: Duration, used: Option<&Secret>) -> TokenAnswer {
    if !(200..300).contains(&answer.status) {
        return refusal(answer, &said(&answer.body));
    }
    let Ok(granted) = serde_json::from_slice::<Granted>(&answer.body) else {
        // Some vendors say errors inside 200.
        let said = said(&answer.body);
        let what = if said.is_empty() { "without a token".to_owned() } else { said };
        return TokenAnswer::Refused(format!("it answers {} {what}; check the token address", answer.status));
    };
    if granted.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return TokenAnswer::Refused("it grants a token that is not a bearer token".to_owned());
    }
    let Ok(authorization) = header_value(&format!("Bearer {}", granted.access_token), "access_token") else {
        return TokenAnswer::Refused("it grants a token that no header can carry".to_owned());
    };
    let life = granted.expires_in.as_ref().and_then(seconds).unwrap_or(life);
    let rotated = granted.refresh_token.map(Secret::from).filter(|new| used.is_some_and(|used| used != new));
    let scopes = granted.scope.as_ref().and_then(scopes);
    TokenAnswer::Granted(Grant { rotated, scopes, ..Grant::of(authorization, life) })
}

/// Most scopes of a token that are kept.
const SCOPES_MAX: usize = 256;

fn scopes(value: &serde_json::Value) -> Option<Vec<String>> {
    let names: Vec<String> = match value {
        serde_json::Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        serde_json::Value::Array(items) => {
            items.iter().filter_map(serde_json::Value::as_str).map(str::to_owned).collect()
        }
        _ => return None,
    };
    (names.len() <= SCOPES_MAX).then_some(names)
}

pub(super) fn seconds(value: &serde_json::Value) -> Option<Duration> {
    let seconds = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    // Nobody's token lives longer than a year: a wild number must not overflow a timer.
    Some(Duration::from_secs(seconds.min(366 * 86_400)))
}

/// The error code, and the description without what could be personal.
fn said(body: &[u8]) -> String {
    match serde_json::from_slice::<Denied>(body) {
        Ok(denied) => {
            let description = denied.error_description.unwrap_or_default();
            let text = format!("{} {description}", denied.error);
            redact::text(text.trim(), 200)
        }
        Err(_) => String::new(),
    }
}
