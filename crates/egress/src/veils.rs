//! What a vendor repeats of a connection's credentials stays here: it goes before anybody else reads the answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connector::{AuthKind, Failure, Response};
use guard::Secret;
use guard::veil::Veil;
use http::header::HeaderValue;

use crate::connection::Connection;

/// In refusals and failures, which go into logs and views, hardly anything is too short to be a credential.
const REFUSAL_BYTES_MIN: usize = 4;
/// A success holds data, which must not be changed because somebody chose a word as a password: a record with another value
/// in it is worse than a short credential that its own vendor repeats.
const ANSWER_BYTES_MIN: usize = 12;

/// The veils of one connection.
#[derive(Debug, Default)]
pub(crate) struct Veils {
    refusals: Veil,
    answers: Veil,
}

/// Of what they are made.
pub(crate) struct Credentials {
    secret: Vec<Secret>,
    /// Who calls: names that are kept like secrets, and stand in data for good reason (who changed a record last).
    names: Vec<Secret>,
}

impl Credentials {
    pub(crate) fn of(connection: &Connection) -> Self {
        let names = names(&connection.auth);
        let (names, secret): (Vec<_>, Vec<_>) =
            connection.secrets.iter().partition(|(name, _)| names.contains(&name.as_str()));
        let values =
            |all: Vec<(&String, &Secret)>| all.into_iter().map(|(_, secret)| secret.clone()).collect();
        Self { secret: values(secret), names: values(names) }
    }

    /// The veils over them, over what else is secret, and over what was got by them, as headers carry it.
    pub(crate) fn veils(&self, more: &[Secret], got: Option<&HeaderValue>) -> Veils {
        let of_header: Vec<String> = got.map(parts).unwrap_or_default();
        let secret = || {
            let texts = self.secret.iter().chain(more).filter_map(Secret::expose_text);
            texts.chain(of_header.iter().map(String::as_str))
        };
        let names = self.names.iter().filter_map(Secret::expose_text);
        let number = |text: &&str| !text.trim().bytes().all(|byte| byte.is_ascii_digit());
        Veils {
            refusals: Veil::over(secret().chain(names), REFUSAL_BYTES_MIN),
            // A number without quotes would leave something that is no JSON.
            answers: Veil::over(secret().filter(number), ANSWER_BYTES_MIN),
        }
    }
}

impl Veils {
    /// An answer without the connection's credentials.
    pub(crate) fn answer(&self, answer: Response) -> Response {
        over(if (200..300).contains(&answer.status) { &self.answers } else { &self.refusals }, answer)
    }

    /// What is said to people where a token is refused, whatever the status.
    pub(crate) fn refusal(&self, answer: Response) -> Response {
        over(&self.refusals, answer)
    }

    /// A failure without them.
    pub(crate) fn failure(&self, failure: Failure) -> Failure {
        Failure { detail: self.refusals.text(failure.detail), ..failure }
    }
}

/// An answer as it looks under a veil.
pub(crate) fn over(veil: &Veil, answer: Response) -> Response {
    let headers = answer.headers.into_iter().map(|(name, value)| (name, veil.text(value))).collect();
    Response { headers, body: veil.bytes(answer.body), ..answer }
}

/// The credential in a header's value, and what it is the base64 of.
fn parts(value: &HeaderValue) -> Vec<String> {
    let Some(credential) =
        value.to_str().ok().and_then(|text| text.split_whitespace().last()).map(str::to_owned)
    else {
        return Vec::new();
    };
    let decoded = STANDARD.decode(&credential).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    // `user:id:session`: the parts by themselves, of which short ones say nothing.
    let of_decoded = decoded.iter().flat_map(|text| text.split(':'));
    let mut parts: Vec<String> =
        of_decoded.filter(|part| part.len() >= ANSWER_BYTES_MIN).map(str::to_owned).collect();
    parts.push(credential);
    parts
}

/// The secrets that say who calls, and prove nothing.
fn names(auth: &AuthKind) -> Vec<&str> {
    match auth {
        AuthKind::None
        | AuthKind::Header { .. }
        | AuthKind::Query { .. }
        | AuthKind::Bearer { .. }
        | AuthKind::Oauth1 { .. } => Vec::new(),
        AuthKind::Basic { user_secret, .. } => user_secret.iter().map(String::as_str).collect(),
        AuthKind::Oauth2ClientCredentials { client_id, assertion, .. } => {
            let assertion = assertion.iter().flat_map(|one| one.key_id.iter().chain(&one.certificate));
            [client_id].into_iter().chain(assertion).map(String::as_str).collect()
        }
        AuthKind::Oauth2Refresh { client_id, .. } => vec![client_id],
        AuthKind::Oauth2JwtBearer { client_id, subject, assertion, .. } => {
            let assertion = assertion.key_id.iter().chain(&assertion.certificate);
            [client_id, subject].into_iter().chain(assertion).map(String::as_str).collect()
        }
        AuthKind::Hmac(signing) => signing.key_id.iter().map(String::as_str).collect(),
        AuthKind::Session(login) => vec![&login.user],
        AuthKind::SessionJsonrpc { user, .. } => vec![user],
    }
}
