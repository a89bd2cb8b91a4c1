//! Requests that carry a keyed hash over their own parts, as the connector's manifest puts them together.
//!
//! The signature is made over the request as it goes on the wire, so that it is made last. Time and nonce come in from outside.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use canonical::{Wall, jiff};
use connector::{AuthKind, Phrase, Piece, SigningAlgorithm, SigningEncoding, SigningKey, SigningTime};
use http::header::{HeaderName, HeaderValue};
use http::{Method, Uri};
use ring::{digest, hmac};

use super::{Moment, Secrets, header_value};

/// Headers that the HTTP client writes itself.
const NOT_OURS: [&str; 5] = ["connection", "content-length", "host", "te", "transfer-encoding"];

/// A key, and what is signed with it.
pub(crate) struct Signature {
    key: hmac::Key,
    key_id: String,
    sign: Phrase,
    headers: Vec<(HeaderName, Phrase)>,
    encoding: SigningEncoding,
    time: SigningTime,
}

/// The parts of one request.
struct Parts<'a> {
    method: &'a Method,
    uri: &'a Uri,
    body: &'a [u8],
    timestamp: String,
    nonce: String,
}

impl Signature {
    pub(super) fn read(auth: &AuthKind, secrets: &Secrets<'_>) -> Result<Self, String> {
        let AuthKind::Hmac(signing) = auth else { return Err("it is not a signature".to_owned()) };
        let secret = secrets.text(&signing.secret)?;
        let secret = secret.trim_end_matches(['\n', '\r']);
        let unreadable = |form: &str| format!("secret `{}` is not {form}", signing.secret);
        let key = match signing.key {
            SigningKey::Text => secret.as_bytes().to_vec(),
            SigningKey::Base64 => STANDARD.decode(secret.trim()).map_err(|_| unreadable("base64"))?,
            SigningKey::Hex => unhex(secret.trim()).ok_or_else(|| unreadable("hexadecimal"))?,
        };
        if key.is_empty() {
            return Err(format!("secret `{}` is an empty key", signing.secret));
        }
        let algorithm = match signing.algorithm {
            SigningAlgorithm::HmacSha256 => hmac::HMAC_SHA256,
            SigningAlgorithm::HmacSha512 => hmac::HMAC_SHA512,
            SigningAlgorithm::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        };
        let mut headers = Vec::new();
        for (name, text) in &signing.headers {
            let header = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes())
                .map_err(|_| format!("{name:?} is not a header's name"))?;
            if NOT_OURS.contains(&header.as_str()) {
                return Err(format!("header `{name}` cannot carry a signature"));
            }
            headers.push((header, Phrase::parse(text).map_err(str::to_owned)?));
        }
        let key_id = signing.key_id.as_ref().map(|name| secrets.text(name)).transpose()?.unwrap_or_default();
        Ok(Self {
            key: hmac::Key::new(algorithm, &key),
            key_id: key_id.trim().to_owned(),
            sign: Phrase::parse(&signing.sign).map_err(str::to_owned)?,
            headers,
            encoding: signing.encoding,
            time: signing.timestamp,
        })
    }

    /// The headers that prove a request.
    ///
    /// # Errors
    /// A text for people.
    pub(crate) fn headers(
        &self,
        method: &Method,
        uri: &Uri,
        body: &[u8],
        moment: Moment,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
        let nonce = format!("{:032x}", moment.entropy);
        let parts = Parts { method, uri, body, timestamp: self.written(moment.now)?, nonce };
        let text = self.signed(&parts)?;
        let tag = hmac::sign(&self.key, &text);
        let signature = match self.encoding {
            SigningEncoding::Base64 => STANDARD.encode(tag),
            SigningEncoding::Base64Url => URL_SAFE_NO_PAD.encode(tag),
            SigningEncoding::Hex => hex(tag.as_ref()),
        };
        let one = |(header, phrase): &(HeaderName, Phrase)| {
            let value = phrase.fill(|name| match name {
                "signature" => Ok(signature.clone()),
                name => self.part(name, &parts),
            })?;
            Ok((header.clone(), header_value(&value, "key_id")?))
        };
        self.headers.iter().map(one).collect()
    }

    /// What is signed. A body goes in as its bytes, whatever they are.
    fn signed(&self, parts: &Parts<'_>) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::with_capacity(256);
        for piece in self.sign.pieces() {
            match piece {
                Piece::Fixed(text) => bytes.extend_from_slice(text.as_bytes()),
                Piece::Named(name) if name == "body" => bytes.extend_from_slice(parts.body),
                Piece::Named(name) => bytes.extend_from_slice(self.part(name, parts)?.as_bytes()),
            }
        }
        Ok(bytes)
    }

    fn part(&self, name: &str, parts: &Parts<'_>) -> Result<String, String> {
        let uri = parts.uri;
        let host = || uri.authority().map_or("", http::uri::Authority::as_str).to_ascii_lowercase();
        let whole = || uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let hash = || digest::digest(&digest::SHA256, parts.body);
        Ok(match name {
            "method" => parts.method.as_str().to_owned(),
            "path" => uri.path().to_owned(),
            "query" => uri.query().unwrap_or_default().to_owned(),
            "path_and_query" => whole().to_owned(),
            "host" => host(),
            "url" => format!("{}://{}{}", uri.scheme_str().unwrap_or("https"), host(), whole()),
            "timestamp" => parts.timestamp.clone(),
            "nonce" => parts.nonce.clone(),
            "key_id" => self.key_id.clone(),
            "body" => String::from_utf8_lossy(parts.body).into_owned(),
            "body_sha256_hex" => hex(hash().as_ref()),
            "body_sha256_base64" => STANDARD.encode(hash()),
            other => return Err(format!("there is no `{{{other}}}` to sign")),
        })
    }

    fn written(&self, now: Wall) -> Result<String, String> {
        let millis = now.millis();
        let whole = || {
            jiff::Timestamp::from_second(millis.div_euclid(1000)).map_err(|_| "the clock is off".to_owned())
        };
        Ok(match self.time {
            SigningTime::S => millis.div_euclid(1000).to_string(),
            SigningTime::Ms => millis.to_string(),
            SigningTime::Rfc3339 => whole()?.to_string(),
            SigningTime::Http => whole()?.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ok = write!(out, "{byte:02x}").is_ok();
        out
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() % 2 != 0 || !text.is_ascii() {
        return None;
    }
    let pairs = (0..text.len()).step_by(2).map(|at| text.get(at..at + 2));
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

#[cfg(test)]
mod tests;
