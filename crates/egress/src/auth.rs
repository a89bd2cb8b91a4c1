//! How requests prove who sends them: from a connector's words and the secrets to headers and token requests.
//!
//! Everything here is pure: a flow makes a token request, and reads the answer to it. [`crate::Egress`] sends it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use canonical::Wall;
use connector::{AuthKind, Response};
use guard::Secret;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};

mod assertion;
mod consent;
mod hmac;
mod oauth;
mod oauth1;
mod query;
mod session;

pub use consent::{Asked, Consented};
pub(crate) use hmac::Signature;
pub(crate) use oauth::{ClientCredentials, JwtBearer, Refresh};
pub(crate) use oauth1::Oauth1;
pub(crate) use session::Session;

/// A way to prove who calls, with its secrets.
pub(crate) enum Prover {
    /// None.
    Nothing,
    /// The same header on every request.
    Fixed(HeaderName, HeaderValue),
    /// The same parameter in the query of every request.
    Query(query::Parameter),
    /// A signature over each request.
    Signed(Signer),
    /// A token that has to be asked for.
    Flow(Flow),
}

/// A way to sign a request.
pub(crate) enum Signer {
    Oauth1(Box<Oauth1>),
    Hmac(Box<Signature>),
}

impl Signer {
    /// The headers that a request gets, which is complete but for them.
    ///
    /// # Errors
    /// A text for people.
    pub(crate) fn headers(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
        moment: Moment,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
        match self {
            Self::Oauth1(client) => {
                Ok(vec![(AUTHORIZATION, client.authorization(method, uri, headers, body, moment)?)])
            }
            Self::Hmac(signature) => signature.headers(method, uri, body, moment),
        }
    }
}

/// A way to get a token.
pub(crate) enum Flow {
    ClientCredentials(ClientCredentials),
    Refresh(Refresh),
    JwtBearer(JwtBearer),
    Session(Box<Session>),
}

/// Time and entropy of an attempt; they come in from outside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Wall,
    pub(crate) entropy: u128,
}

/// A request for a token.
pub(crate) struct TokenRequest {
    pub(crate) method: Method,
    /// Whether its answer's cookies are wanted.
    pub(crate) cookies: bool,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// What the answer to a token request says.
pub(crate) enum TokenAnswer {
    /// A token.
    Granted(Grant),
    /// The credentials are wrong or revoked: asking again can only do harm.
    Refused(String),
    /// Not now: throttled, or down.
    Later(String),
}

/// A token as granted.
#[derive(Clone)]
pub(crate) struct Grant {
    /// The whole value of the header that carries it.
    pub(crate) authorization: HeaderValue,
    pub(crate) life: Duration,
    /// The refresh token that replaces the one used.
    pub(crate) rotated: Option<Secret>,
    /// The scopes that the answer names (RFC 6749 section 5.1); `None`: it names none.
    pub(crate) scopes: Option<Vec<String>>,
    /// What else each request carries.
    pub(crate) also: Vec<(HeaderName, HeaderValue)>,
    /// What of that nobody may see.
    pub(crate) hidden: Vec<Secret>,
}

impl Grant {
    /// A token that stands by itself in its header.
    pub(crate) const fn of(authorization: HeaderValue, life: Duration) -> Self {
        Self { authorization, life, rotated: None, scopes: None, also: Vec::new(), hidden: Vec::new() }
    }
}

/// A token that was got and is not yet in use: [`crate::Egress::adopt`] puts it to use.
///
/// Where [`Self::rotated`] is something, it must be durable before: the old refresh token is dead already.
#[derive(Clone)]
pub struct Authorised {
    pub(crate) number: u64,
    pub(crate) scope: i64,
    pub(crate) grant: Grant,
}

impl Authorised {
    /// Names who is authorised: the client or user at this address. It is the same for every token of the same
    /// client, also after a restart, and another when the client is replaced; idempotency keys are scoped by it.
    /// No secret goes into it.
    #[must_use]
    pub const fn scope(&self) -> i64 {
        self.scope
    }

    /// How long it will be good for, counted from the answer.
    #[must_use]
    pub const fn life(&self) -> Duration {
        self.grant.life
    }

    /// The new refresh token, to be kept in place of the one used.
    #[must_use]
    pub const fn rotated(&self) -> Option<&Secret> {
        self.grant.rotated.as_ref()
    }
}

impl fmt::Debug for Authorised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorised")
            .field("number", &self.number)
            .field("life", &self.grant.life)
            .field("rotated", &self.grant.rotated)
            .finish_non_exhaustive()
    }
}

/// Secrets by name, with an error that says which is missing.
pub(crate) struct Secrets<'a>(pub(crate) &'a BTreeMap<String, Secret>);

impl Secrets<'_> {
    pub(crate) fn get(&self, name: &str) -> Result<Secret, String> {
        match self.0.get(name) {
            Some(secret) if !secret.is_empty() => Ok(secret.clone()),
            Some(_) => Err(format!("secret `{name}` is empty; set it where `secrets` refers to")),
            None => Err(format!("secret `{name}` is missing; add it under `secrets` of this system")),
        }
    }

    pub(crate) fn text(&self, name: &str) -> Result<String, String> {
        let secret = self.get(name)?;
        secret.expose_text().map(str::to_owned).ok_or_else(|| format!("secret `{name}` is not text"))
    }
}

impl Prover {
    /// Builds it of a connector's words.
    ///
    /// # Errors
    /// A text for people: which secret is missing or unusable.
    pub(crate) fn read(auth: &AuthKind, secrets: &Secrets<'_>) -> Result<Self, String> {
        let fixed = |name: HeaderName, value: Result<HeaderValue, String>| Ok(Self::Fixed(name, value?));
        match auth {
            AuthKind::None => Ok(Self::Nothing),
            AuthKind::Header { name, prefix, secret } => {
                let header = HeaderName::from_bytes(name.as_bytes())
                    .map_err(|_| format!("{name:?} is not a header's name"))?;
                fixed(header, header_value(&format!("{prefix}{}", secrets.text(secret)?), secret))
            }
            AuthKind::Query { name, secret } => {
                Ok(Self::Query(query::Parameter::new(name, &secrets.text(secret)?)))
            }
            AuthKind::Bearer { secret } => {
                fixed(AUTHORIZATION, header_value(&format!("Bearer {}", secrets.text(secret)?), secret))
            }
            AuthKind::Basic { user, user_secret, secret } => {
                let user = match (user, user_secret) {
                    (Some(user), _) => user.clone(),
                    (None, Some(name)) => secrets.text(name)?,
                    (None, None) => {
                        return Err("basic authentication needs `user` or `user_secret`".to_owned());
                    }
                };
                fixed(AUTHORIZATION, basic(&user, &secrets.text(secret)?))
            }
            AuthKind::Oauth2ClientCredentials { .. } => {
                ClientCredentials::read(auth, secrets).map(|flow| Self::Flow(Flow::ClientCredentials(flow)))
            }
            AuthKind::Oauth2Refresh { .. } => {
                Refresh::read(auth, secrets).map(|flow| Self::Flow(Flow::Refresh(flow)))
            }
            AuthKind::Oauth2JwtBearer { .. } => {
                JwtBearer::read(auth, secrets).map(|flow| Self::Flow(Flow::JwtBearer(flow)))
            }
            AuthKind::Oauth1 { .. } => {
                Oauth1::read(auth, secrets).map(|client| Self::Signed(Signer::Oauth1(Box::new(client))))
            }
            AuthKind::Hmac(_) => {
                Signature::read(auth, secrets).map(|signed| Self::Signed(Signer::Hmac(Box::new(signed))))
            }
            AuthKind::Session(_) | AuthKind::SessionJsonrpc { .. } => {
                Session::read(auth, secrets).map(|flow| Self::Flow(Flow::Session(Box::new(flow))))
            }
        }
    }
}

impl Flow {
    /// Where tokens are asked for: a path on the base address, or an absolute address.
    pub(crate) fn endpoint(&self) -> &str {
        match self {
            Self::ClientCredentials(flow) => &flow.endpoint,
            Self::Refresh(flow) => &flow.endpoint,
            Self::JwtBearer(flow) => &flow.endpoint,
            Self::Session(flow) => &flow.path,
        }
    }

    /// The header that carries what is got.
    pub(crate) fn header(&self) -> HeaderName {
        match self {
            Self::Session(flow) => flow.header.clone(),
            Self::ClientCredentials(_) | Self::Refresh(_) | Self::JwtBearer(_) => AUTHORIZATION,
        }
    }

    /// The client or user that asks: a name, not a secret.
    pub(crate) fn identity(&self) -> &str {
        match self {
            Self::ClientCredentials(flow) => flow.identity(),
            Self::Refresh(flow) => flow.identity(),
            Self::JwtBearer(flow) => flow.identity(),
            Self::Session(flow) => flow.identity(),
        }
    }

    /// The refresh token it starts with.
    pub(crate) fn first_refresh(&self) -> Option<Secret> {
        match self {
            Self::Refresh(flow) => Some(flow.first.clone()),
            Self::ClientCredentials(_) | Self::JwtBearer(_) | Self::Session(_) => None,
        }
    }

    /// The request for a token. `refresh` is the newest refresh token.
    pub(crate) fn request(
        &self,
        moment: Moment,
        refresh: Option<&Secret>,
        endpoint_url: &str,
    ) -> Result<TokenRequest, String> {
        match self {
            Self::ClientCredentials(flow) => flow.request(moment, endpoint_url),
            Self::Refresh(flow) => flow.request(refresh.unwrap_or(&flow.first)),
            Self::JwtBearer(flow) => flow.request(moment, endpoint_url),
            Self::Session(flow) => flow.request(),
        }
    }

    /// Reads the answer to [`Self::request`].
    pub(crate) fn read(&self, refresh: Option<&Secret>, answer: &Response) -> TokenAnswer {
        match self {
            Self::ClientCredentials(flow) => oauth::read(answer, flow.life, None),
            Self::Refresh(flow) => oauth::read(answer, flow.life, refresh),
            Self::JwtBearer(flow) => oauth::read(answer, flow.life, None),
            Self::Session(flow) => flow.read_answer(answer),
        }
    }
}

/// A header value that does not print.
pub(crate) fn header_value(text: &str, of: &str) -> Result<HeaderValue, String> {
    // An end of line behind a secret is what most editors leave in a file.
    let mut value = HeaderValue::from_str(text.trim_end_matches(['\n', '\r']))
        .map_err(|_| format!("secret `{of}` holds characters that no header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// `Basic base64(user:password)`.
pub(crate) fn basic(user: &str, password: &str) -> Result<HeaderValue, String> {
    if user.contains(':') {
        return Err("the user's name holds a `:`, which basic authentication cannot carry".to_owned());
    }
    let pair = format!("{user}:{}", password.trim_end_matches(['\n', '\r']));
    header_value(&format!("Basic {}", STANDARD.encode(pair)), "password")
}

/// A token endpoint's answer without a token, by its status.
pub(crate) fn refusal(answer: &Response, said: &str) -> TokenAnswer {
    let said = if said.is_empty() { String::new() } else { format!(" ({said})") };
    let status = answer.status;
    if matches!(status, 408 | 425 | 429 | 500..=599) {
        let after = answer.header("retry-after").filter(|text| text.len() <= 40);
        let after = after.map(|text| format!(", retry after {text}")).unwrap_or_default();
        TokenAnswer::Later(format!("it answers {status}{said}{after}"))
    } else {
        TokenAnswer::Refused(format!("it answers {status}{said}; check the credentials in the system's file"))
    }
}
