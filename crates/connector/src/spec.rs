//! What a connector says of itself, as data: authentication, limits, webhooks, polls and write operations.
//!
//! The rooms that act on it (egress, dispatch, ingress, hub) turn these into their own types; no secret is held
//! here, secrets are only named.

use std::sync::Arc;
use std::time::Duration;

use guard::signature::Scheme;
use ledger::{IdempotencyClass, Lane};
use serde::{Deserialize, Serialize};

use crate::batch::Together;
use crate::handshake::Handshake;
use crate::proof::{Consent, Login, Signing};

/// How requests to the system prove who sends them. Secrets are named as in the system's `secrets`, never held.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AuthKind {
    /// Not at all.
    #[default]
    None,
    /// A header with a fixed key.
    Header {
        /// The header's name, in lower case.
        name: String,
        /// What stands before the secret, such as `Token `.
        #[serde(default)]
        prefix: String,
        /// Which secret.
        secret: String,
    },
    /// A parameter of each request's query, for vendors that know no header. Addresses end up in the logs of whoever stands
    /// between; a header is better where the vendor takes one.
    Query {
        /// The parameter's name, such as `api_key`.
        name: String,
        /// Which secret.
        secret: String,
    },
    /// `Authorization: Bearer <secret>`.
    Bearer {
        /// Which secret.
        secret: String,
    },
    /// `Authorization: Basic base64(user:password)`.
    Basic {
        /// The user's name, when it is no secret (Mailchimp takes any).
        #[serde(default)]
        user: Option<String>,
        /// The secret that holds the user's name, when `user` is not given.
        #[serde(default)]
        user_secret: Option<String>,
        /// Which secret is the password.
        secret: String,
    },
    /// OAuth 2 client credentials (RFC 6749 section 4.4).
    Oauth2ClientCredentials {
        /// The token endpoint: a path on the connection's base address (starts with `/`), or an absolute `https` URL.
        token: String,
        /// The secret that holds the client's id.
        client_id: String,
        /// The secret that holds the client's secret; absent when an assertion proves the client.
        #[serde(default)]
        client_secret: Option<String>,
        /// How id and secret are sent.
        #[serde(default)]
        placement: ClientPlacement,
        /// A signed JWT instead of a client secret (RFC 7523 section 2.2).
        #[serde(default)]
        assertion: Option<Assertion>,
        /// Scopes asked for.
        #[serde(default)]
        scopes: Vec<String>,
        /// The `audience` parameter, where the vendor wants one.
        #[serde(default)]
        audience: Option<String>,
        /// Life of a token when the answer has no `expires_in`, in seconds.
        #[serde(default = "token_life_default")]
        life_s: u64,
    },
    /// OAuth 2 refresh (RFC 6749 section 6). The newest refresh token is kept before the access token is used.
    Oauth2Refresh {
        /// The token endpoint: a path on the connection's base address (starts with `/`), or an absolute `https` URL.
        token: String,
        /// The secret that holds the client's id.
        client_id: String,
        /// The secret that holds the client's secret.
        #[serde(default)]
        client_secret: Option<String>,
        /// How id and secret are sent.
        #[serde(default)]
        placement: ClientPlacement,
        /// The secret that holds the first refresh token.
        refresh_token: String,
        /// Whether each refresh also replaces the refresh token, and the old one dies.
        #[serde(default)]
        rotates: bool,
        /// How a person's consent gives the first refresh token (`concord connector authorise`).
        #[serde(default)]
        consent: Option<Box<Consent>>,
        /// Life of a token when the answer has no `expires_in`, in seconds.
        #[serde(default = "token_life_default")]
        life_s: u64,
    },
    /// OAuth 2 JWT bearer grant (RFC 7523 section 2.1): a JWT that the client signs in the name of a user is the grant.
    Oauth2JwtBearer {
        /// The token endpoint: a path on the connection's base address (starts with `/`), or an absolute `https` URL.
        token: String,
        /// The secret that holds the client's id: the `iss` claim.
        client_id: String,
        /// The secret that holds the user in whose name it acts: the `sub` claim.
        subject: String,
        /// How the JWT is signed.
        assertion: Assertion,
        /// Scopes asked for.
        #[serde(default)]
        scopes: Vec<String>,
        /// Life of a token when the answer has no `expires_in`, in seconds.
        #[serde(default = "token_life_default")]
        life_s: u64,
    },
    /// OAuth 1.0 (RFC 5849) with a token that was given before: each request is signed by itself.
    Oauth1 {
        /// The secret that holds the client's key (`oauth_consumer_key`).
        consumer_key: String,
        /// The secret that holds the client's secret.
        consumer_secret: String,
        /// The secret that holds the token's id (`oauth_token`).
        token: String,
        /// The secret that holds the token's secret.
        token_secret: String,
        /// The `realm` of the header, which is not signed (`NetSuite`: the account's id).
        #[serde(default)]
        realm: Option<String>,
        /// How it is signed.
        #[serde(default)]
        signature: SignatureMethod,
    },
    /// A signature over each request.
    Hmac(Box<Signing>),
    /// A session that a log-in gives.
    Session(Box<Login>),
    /// A session of a JSON-RPC server (Tryton): log in, then `Authorization: Session base64(user:id:session)`.
    SessionJsonrpc {
        /// The path that takes the log-in, such as `/{database}/rpc/` with parameters filled in.
        path: String,
        /// The method, such as `common.db.login`.
        method: String,
        /// The secret that holds the user's name.
        user: String,
        /// The secret that holds the password.
        password: String,
        /// The language of the server's messages.
        #[serde(default = "language_default")]
        language: String,
        /// Life of a session unless the server ends it, in seconds.
        #[serde(default = "token_life_default")]
        life_s: u64,
    },
}

/// How an OAuth 2 client shows id and secret (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientPlacement {
    /// As form fields of the body.
    #[default]
    Body,
    /// As `Authorization: Basic`.
    Basic,
}

/// How an OAuth 1.0 client signs (RFC 5849 section 3.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureMethod {
    /// `HMAC-SHA256`: not in the RFC, and what vendors ask for today.
    #[default]
    HmacSha256,
    /// `HMAC-SHA1`, for vendors that know no other.
    HmacSha1,
}

/// A JWT that the client signs (RFC 7523).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// `PS256`, `RS256` or `ES256`.
    pub algorithm: String,
    /// The secret that holds the private key (PEM).
    pub private_key: String,
    /// The secret or plain setting that holds the key's id (`kid` of the header); absent: the header has none.
    #[serde(default)]
    pub key_id: Option<String>,
    /// The secret that holds the key's certificate (PEM), for vendors that tell keys by its thumbprint: `x5t#S256` of the
    /// header, with an `nbf` claim (Entra ID).
    #[serde(default)]
    pub certificate: Option<String>,
    /// The `aud` claim; absent: the token endpoint's absolute URL.
    #[serde(default)]
    pub audience: Option<String>,
    /// Whether the scopes also stand in the claims, as a list (`NetSuite`).
    #[serde(default)]
    pub scope_claim: bool,
    /// Life of the assertion in seconds, at most 3600.
    #[serde(default = "assertion_life_default")]
    pub life_s: u64,
}

const fn token_life_default() -> u64 {
    1800
}
const fn assertion_life_default() -> u64 {
    300
}
fn language_default() -> String {
    "en".to_owned()
}

impl AuthKind {
    /// The names of the secrets it needs.
    #[must_use]
    pub fn secrets(&self) -> Vec<&str> {
        fn push<'a>(names: &mut Vec<&'a str>, more: impl IntoIterator<Item = &'a String>) {
            names.extend(more.into_iter().map(String::as_str));
        }
        let mut names = Vec::new();
        match self {
            Self::None => {}
            Self::Header { secret, .. } | Self::Query { secret, .. } | Self::Bearer { secret } => {
                push(&mut names, [secret]);
            }
            Self::Basic { user_secret, secret, .. } => push(&mut names, user_secret.iter().chain([secret])),
            Self::Oauth2ClientCredentials { client_id, client_secret, assertion, .. } => {
                push(&mut names, [client_id].into_iter().chain(client_secret));
                push(&mut names, assertion.iter().flat_map(Assertion::secrets));
            }
            Self::Oauth2Refresh { client_id, client_secret, refresh_token, .. } => {
                push(&mut names, [client_id].into_iter().chain(client_secret).chain([refresh_token]));
            }
            Self::Oauth2JwtBearer { client_id, subject, assertion, .. } => {
                push(&mut names, [client_id, subject].into_iter().chain(assertion.secrets()));
            }
            Self::Oauth1 { consumer_key, consumer_secret, token, token_secret, .. } => {
                push(&mut names, [consumer_key, consumer_secret, token, token_secret]);
            }
            Self::Hmac(signing) => push(&mut names, [&signing.secret].into_iter().chain(&signing.key_id)),
            Self::Session(login) => names.extend(login.secrets()),
            Self::SessionJsonrpc { user, password, .. } => push(&mut names, [user, password]),
        }
        names
    }
}

impl Assertion {
    /// The names of the secrets it needs.
    fn secrets(&self) -> impl Iterator<Item = &String> {
        [&self.private_key].into_iter().chain(&self.key_id).chain(&self.certificate)
    }
}

/// What the vendor allows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    /// Calls at once, over everything that uses the same account; `None`: not limited by the vendor.
    pub concurrency: Option<u32>,
    /// Windows and quotas.
    pub buckets: Vec<Bucket>,
}

/// One of the vendor's limits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bucket {
    /// Its name, as operations use it.
    pub name: Arc<str>,
    /// Most calls in one burst.
    pub size: u64,
    /// Calls given back per `per_ms`.
    pub refill: u64,
    /// Milliseconds.
    pub per_ms: u64,
    /// Whether others draw from it too, so that the target's own word counts more than our count.
    pub shared: bool,
    /// Whether its header counts the whole window for everybody, so that it says what was spent before a start.
    pub told: bool,
    /// Whether calls that name no limit of their own draw from it: the account's, not one of single operations.
    pub every_call: bool,
}

/// What one call costs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Charge {
    /// The buckets it draws from.
    pub buckets: Vec<Arc<str>>,
    /// How much it draws from each.
    pub cost: u32,
}

/// How the system pushes its changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebhookSpec {
    /// How messages are signed.
    pub scheme: Scheme,
    /// How the address is confirmed.
    pub handshake: Handshake,
    /// The status that says "durable".
    pub ack: u16,
    /// Whether every message is only a hint: the object is fetched before anything of it is believed.
    pub hint: bool,
    /// What it never reports; poll or snapshot covers it.
    pub blind: Vec<String>,
}

/// How an object's changes are read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PollSpec {
    /// How often, unless the configuration says otherwise.
    pub every: Duration,
    /// How far each listing reaches behind the last one's end, for changes that were committed late.
    pub lookback: Duration,
    /// Whether deletions show in it.
    pub deletes: Deletes,
    /// Whether items are only hints: each is fetched.
    pub hint: bool,
    /// What it never shows.
    pub blind: Vec<String>,
    /// How long the vendor keeps what it lists: a mark older than that shows only a part of what changed since.
    pub keeps: Option<Duration>,
}

/// Where deletions are seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deletes {
    /// Nowhere: only comparing whole sets of ids finds them.
    #[default]
    None,
    /// As marked items of the listing.
    Listed,
}

/// A write operation of an object.
#[derive(Clone, PartialEq, Debug)]
pub struct WriteSpec {
    /// Its name in the manifest.
    pub name: Arc<str>,
    /// How it can be repeated without a second effect.
    pub idempotency: IdempotencyClass,
    /// Whether it may carry only the difference.
    pub partial: bool,
    /// Whether [`crate::Call::Probe`] can look for its effect.
    pub probe: bool,
    /// Whether it cannot be rendered without the vendor's id.
    pub linked: bool,
    /// Whether it is sent with the opaque version that was last shown (`If-Match`): without one the object is read first.
    pub versioned: bool,
    /// Whether its answer names the object, alone and in a batch: what was made is linked by that.
    pub names: bool,
    /// How long the target may go on working after the request's last possible arrival.
    pub processing_max: Duration,
    /// Longest the whole exchange may take.
    pub timeout: Duration,
    /// What it costs.
    pub charge: Charge,
    /// Whether Concord's own id is what a target tells its effect from another by: it stands in the request, or in the
    /// look for it. Under another id the same object would be made once more.
    pub by_key: bool,
    /// Whether it may be the first call of a breaker that tries again: repeating it does no harm.
    pub safe: bool,
    /// How several records go in one request; `None`: they don't.
    pub batch: Option<BatchSpec>,
    /// How very many go, in a job; `None`: they don't.
    pub bulk: Option<BatchSpec>,
    /// The target path whose value no two calls may have at once: the parent, where the vendor locks its row.
    pub serial_by: Option<Arc<str>>,
}

impl WriteSpec {
    /// How several of its records go together in that form.
    #[must_use]
    pub fn form(&self, form: Together) -> Option<&BatchSpec> {
        match form {
            // What went in a batch before the operation had two forms is of the one that it has.
            Together::Batch => self.batch.as_ref().or(self.bulk.as_ref()),
            Together::Bulk => self.bulk.as_ref(),
        }
    }
}

/// Several records of an operation in one request.
#[derive(Clone, PartialEq, Debug)]
pub struct BatchSpec {
    /// Most records in one request, from 2 on.
    pub records_max: usize,
    /// Most bytes of the body.
    pub bytes_max: usize,
    /// What the request costs, whatever it holds.
    pub charge: Charge,
    /// Of `bulk`: the request only begins a job.
    pub job: Option<JobSpec>,
}

/// A job that a batch's request begins: the vendor works on it for minutes, and it is asked how it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobSpec {
    /// Fewer records go in batches, or each alone; from 2 on.
    pub records_min: usize,
    /// Only what is on these lanes goes this way.
    pub lanes: Vec<Lane>,
    /// Whether its records go into it by a request of their own. Before it is closed, nothing of it is worked on.
    pub filled: bool,
    /// Between the begin and the first look.
    pub every: Duration,
    /// Longest between two looks: the time doubles from one to the next.
    pub every_max: Duration,
    /// Fewest calls that one takes, from its begin to what came of its records.
    pub calls_min: u64,
    /// No job works longer than that after it was begun.
    pub lasts_max: Duration,
    /// Most jobs of the operation at once, from 1 on.
    pub at_once: usize,
}
