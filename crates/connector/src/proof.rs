//! Two ways to prove a request that are data in all their parts: a signature over it, and a session that a log-in gives.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::phrase::Phrase;

/// What may stand in [`Signing::sign`].
const SIGNED: [&str; 12] = [
    "method",
    "path",
    "query",
    "path_and_query",
    "host",
    "url",
    "timestamp",
    "nonce",
    "key_id",
    "body",
    "body_sha256_hex",
    "body_sha256_base64",
];

/// A keyed hash over parts of each request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signing {
    /// The secret that is the key.
    pub secret: String,
    /// The secret that holds the key's id, where the vendor tells keys by one.
    #[serde(default)]
    pub key_id: Option<String>,
    /// The text that is signed, of `{method}`, `{path}`, `{query}`, `{path_and_query}`, `{host}`, `{url}`, `{timestamp}`, `{nonce}`,
    /// `{key_id}`, `{body}`, `{body_sha256_hex}`, `{body_sha256_base64}`: each as it goes on the wire.
    pub sign: String,
    /// The headers that carry it: `{signature}`, and whatever of `{timestamp}`, `{nonce}`, `{key_id}` and the body's hashes the
    /// vendor must know.
    pub headers: BTreeMap<String, String>,
    /// The keyed hash.
    #[serde(default)]
    pub algorithm: SigningAlgorithm,
    /// How the signature is written.
    #[serde(default)]
    pub encoding: SigningEncoding,
    /// How the secret becomes the key.
    #[serde(default)]
    pub key: SigningKey,
    /// How the time is written.
    #[serde(default)]
    pub timestamp: SigningTime,
}

/// A keyed hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SigningAlgorithm {
    /// HMAC-SHA-256.
    #[default]
    HmacSha256,
    /// HMAC-SHA-512.
    HmacSha512,
    /// HMAC-SHA-1, for vendors that know no other.
    HmacSha1,
}

/// How a signature is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SigningEncoding {
    /// Standard base64 with padding.
    #[default]
    Base64,
    /// Base64 for addresses, without padding.
    Base64Url,
    /// Hexadecimal in lower case.
    Hex,
}

/// How a secret becomes a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SigningKey {
    /// Its bytes.
    #[default]
    Text,
    /// What it is the base64 of.
    Base64,
    /// What it is the hexadecimal form of.
    Hex,
}

/// How a time is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SigningTime {
    /// Whole seconds since 1970.
    #[default]
    S,
    /// Whole milliseconds since 1970.
    Ms,
    /// `2026-11-22T12:00:00Z`.
    Rfc3339,
    /// `Sun, 22 Nov 2026 12:00:00 GMT`.
    Http,
}

impl Signing {
    /// What is wrong with it, and what would be right.
    #[must_use]
    pub fn flaw(&self) -> Option<(String, String)> {
        let signed: Vec<String> = match Phrase::parse(&self.sign) {
            Ok(phrase) => phrase.names().map(str::to_owned).collect(),
            Err(why) => return Some((format!("sign: {why}"), String::new())),
        };
        let mut shown = Vec::new();
        for (name, text) in &self.headers {
            match Phrase::parse(text) {
                Ok(phrase) => shown.extend(phrase.names().map(str::to_owned)),
                Err(why) => return Some((format!("headers.{name}: {why}"), String::new())),
            }
        }
        let known = |name: &&String, more: &str| !SIGNED.contains(&name.as_str()) && name.as_str() != more;
        if let Some(name) = signed.iter().find(|name| known(name, "")) {
            let hint = canonical::suggest::hint(name, SIGNED);
            return Some((format!("sign: there is no `{{{name}}}` here"), hint));
        }
        if let Some(name) = shown.iter().find(|name| known(name, "signature")) {
            let hint = canonical::suggest::hint(name, SIGNED.into_iter().chain(["signature"]));
            return Some((format!("headers: there is no `{{{name}}}` here"), hint));
        }
        let has = |list: &[String], name: &str| list.iter().any(|one| one == name);
        if !has(&shown, "signature") {
            let hint = "add a header with `{signature}`, such as `x-signature: \"{signature}\"`";
            return Some(("headers: none of them carries the signature".to_owned(), hint.to_owned()));
        }
        if (has(&signed, "key_id") || has(&shown, "key_id")) && self.key_id.is_none() {
            return Some((
                "`{key_id}` is used, and not given".to_owned(),
                "add `key_id: NAME` of a secret".to_owned(),
            ));
        }
        let unsigned =
            ["timestamp", "nonce"].into_iter().find(|name| has(&signed, name) != has(&shown, name));
        unsigned.map(|name| {
            let what = format!("`{{{name}}}` must be both signed and in a header");
            (what, "what is not sent cannot be checked, and what is not signed proves nothing".to_owned())
        })
    }
}

/// How a person's consent is asked for (RFC 6749 section 4.1).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// Where it is given: a path on the connection's base address (starts with `/`), or an absolute `https` address.
    pub address: String,
    /// Scopes asked for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Whether the vendor takes PKCE (RFC 7636); most do, and ignore it where they do not.
    #[serde(default = "yes")]
    pub pkce: bool,
    /// Further parameters of the address, such as `access_type: offline`.
    #[serde(default)]
    pub more: BTreeMap<String, String>,
}

const fn yes() -> bool {
    true
}

/// A log-in that gives a session, which then stands in a header of each request.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The path that takes the log-in, from the base address on; or an absolute `https` address.
    pub path: String,
    /// How it is asked for.
    #[serde(default)]
    pub method: LoginMethod,
    /// Headers of the log-in; `{secret.NAME}` may stand in them, and `{basic.USER.PASSWORD}` of two secrets: base64 of the two
    /// with a colon between.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Its body as JSON; `{secret.NAME}` may stand in its texts.
    #[serde(default)]
    pub json: Option<Value>,
    /// Its body as a form, likewise.
    #[serde(default)]
    pub form: Option<BTreeMap<String, String>>,
    /// The header that carries the session.
    #[serde(default = "authorization")]
    pub header: String,
    /// What stands in it before the credential, such as `Session `.
    #[serde(default)]
    pub prefix: String,
    /// The credential, of `{answer.PATH}` (of the log-in's JSON), `{header.NAME}` (of its answer) and `{secret.NAME}`.
    pub credential: String,
    /// How that is written.
    #[serde(default)]
    pub encode: LoginEncoding,
    /// Further headers of each request, of the same and of `{cookies}`: the cookies of the log-in's answer, as they are given back.
    #[serde(default)]
    pub also: BTreeMap<String, String>,
    /// Where the answer says how many seconds it lives.
    #[serde(default)]
    pub expires_in: Option<String>,
    /// How long it lives otherwise, in seconds.
    #[serde(default = "life")]
    pub life_s: u64,
    /// Where a 2xx says that the log-in was refused: something stands there that is neither null nor false.
    #[serde(default)]
    pub error: Option<String>,
    /// The secret that holds the user's name: whose session it is.
    pub user: String,
}

/// How a log-in is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginMethod {
    /// With POST.
    #[default]
    Post,
    /// With GET, without a body: for servers that hand a token to whoever shows a credential.
    Get,
}

/// How a credential is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginEncoding {
    /// As it is.
    #[default]
    Plain,
    /// Standard base64 with padding.
    Base64,
}

fn authorization() -> String {
    "authorization".to_owned()
}

const fn life() -> u64 {
    1800
}

impl Login {
    /// Its phrases, each with its place.
    pub(crate) fn phrases(&self) -> Vec<(String, &str)> {
        fn walk<'v>(at: &str, value: &'v Value, found: &mut Vec<(String, &'v str)>) {
            match value {
                Value::String(text) => found.push((at.to_owned(), text)),
                Value::Array(items) => {
                    items
                        .iter()
                        .enumerate()
                        .for_each(|(index, item)| walk(&format!("{at}.{index}"), item, found));
                }
                Value::Object(map) => {
                    map.iter().for_each(|(key, item)| walk(&format!("{at}.{key}"), item, found))
                }
                Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
        }
        let mut found = vec![("credential".to_owned(), self.credential.as_str())];
        found.extend(self.headers.iter().map(|(name, text)| (format!("headers.{name}"), text.as_str())));
        found.extend(self.also.iter().map(|(name, text)| (format!("also.{name}"), text.as_str())));
        let form = self.form.iter().flatten();
        found.extend(form.map(|(name, text)| (format!("form.{name}"), text.as_str())));
        self.json.iter().for_each(|json| walk("json", json, &mut found));
        found
    }

    /// The names of the secrets in it.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        let mut names = vec![self.user.as_str()];
        for (_, text) in self.phrases() {
            let named = text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0.trim()));
            for name in named {
                match name.split_once('.') {
                    Some(("secret", secret)) => names.push(secret.trim()),
                    Some(("basic", both)) => names.extend(both.split('.')),
                    _ => {}
                }
            }
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// What is wrong with it, and what would be right.
    #[must_use]
    pub fn flaw(&self) -> Option<(String, String)> {
        for (place, text) in self.phrases() {
            let phrase = match Phrase::parse(text) {
                Ok(phrase) => phrase,
                Err(why) => return Some((format!("{place}: {why}"), String::new())),
            };
            for name in phrase.names() {
                let (kind, rest) = name.split_once('.').unwrap_or((name, ""));
                let (also, header) = (place.starts_with("also."), place.starts_with("headers."));
                let fits = match kind {
                    "secret" => !rest.is_empty(),
                    "basic" => {
                        (also || header) && rest.split('.').filter(|part| !part.is_empty()).count() == 2
                    }
                    "answer" | "header" => !rest.is_empty() && (also || place == "credential"),
                    "cookies" => rest.is_empty() && also,
                    _ => false,
                };
                if !fits {
                    let known: &[&str] = match place.as_str() {
                        "credential" => &["answer.PATH", "header.NAME", "secret.NAME"],
                        _ if also => {
                            &["cookies", "answer.PATH", "header.NAME", "secret.NAME", "basic.USER.PASSWORD"]
                        }
                        _ if header => &["secret.NAME", "basic.USER.PASSWORD", "parameter.NAME"],
                        _ => &["secret.NAME", "parameter.NAME"],
                    };
                    let hint = canonical::suggest::hint(name, known.iter().copied());
                    return Some((format!("{place}: there is no `{{{name}}}` here"), hint));
                }
            }
        }
        let answers = Phrase::parse(&self.credential).ok()?;
        let mut names = answers.names();
        if !names.any(|name| name.starts_with("answer.") || name.starts_with("header.")) {
            let hint = "name where the answer holds the session: `{answer.token}` or `{header.x-session}`";
            return Some(("credential: nothing of the log-in's answer is in it".to_owned(), hint.to_owned()));
        }
        if self.method == LoginMethod::Get && (self.json.is_some() || self.form.is_some()) {
            let hint = "leave `method` out, or the body".to_owned();
            return Some(("a log-in by GET has no body".to_owned(), hint));
        }
        (self.json.is_some() && self.form.is_some())
            .then(|| ("a log-in has one body: `json` or `form`".to_owned(), "remove one".to_owned()))
    }
}

#[cfg(test)]
mod tests;
