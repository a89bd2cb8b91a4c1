//! OAuth 1.0 (RFC 5849): each request carries a signature over its method, address and parameters.
//!
//! The signature is made over the address as it goes on the wire, so that it is made last. A body counts only when it is a
//! form (section 3.4.1.3.1); no vendor here signs others. Time and nonce come in from outside.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connector::{AuthKind, SignatureMethod};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Uri};
use ring::hmac;
use url::form_urlencoded;

use super::{Moment, Secrets, header_value};

/// A client with its token.
pub(crate) struct Oauth1 {
    realm: Option<String>,
    consumer_key: String,
    token: String,
    method: SignatureMethod,
    /// Of both secrets (section 3.4.2).
    key: hmac::Key,
}

impl Oauth1 {
    pub(super) fn read(auth: &AuthKind, secrets: &Secrets<'_>) -> Result<Self, String> {
        let AuthKind::Oauth1 { consumer_key, consumer_secret, token, token_secret, realm, signature } = auth
        else {
            return Err("it is not OAuth 1.0".to_owned());
        };
        let text = |name: &String| secrets.text(name).map(|text| text.trim().to_owned());
        let shared = format!("{}&{}", percent(&text(consumer_secret)?), percent(&text(token_secret)?));
        let algorithm = match signature {
            SignatureMethod::HmacSha256 => hmac::HMAC_SHA256,
            SignatureMethod::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        };
        if let Some(realm) = realm.as_ref().filter(|realm| !fits_quoted(realm)) {
            return Err(format!("realm {realm:?} holds a quote, a backslash or what is not printable ASCII"));
        }
        Ok(Self {
            realm: realm.clone(),
            consumer_key: text(consumer_key)?,
            token: text(token)?,
            method: *signature,
            key: hmac::Key::new(algorithm, shared.as_bytes()),
        })
    }

    /// The `Authorization` header of a request.
    ///
    /// # Errors
    /// A text for people.
    pub(crate) fn authorization(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
        moment: Moment,
    ) -> Result<HeaderValue, String> {
        let name = match self.method {
            SignatureMethod::HmacSha256 => "HMAC-SHA256",
            SignatureMethod::HmacSha1 => "HMAC-SHA1",
        };
        let nonce = format!("{:032x}", moment.entropy);
        let timestamp = moment.now.millis().div_euclid(1000).to_string();
        let protocol = [
            ("oauth_consumer_key", self.consumer_key.as_str()),
            ("oauth_token", &self.token),
            ("oauth_signature_method", name),
            ("oauth_timestamp", &timestamp),
            ("oauth_nonce", &nonce),
            ("oauth_version", "1.0"),
        ];
        let form = if is_form(headers) { body } else { &[] };
        let signature = self.sign(&base_string(method, uri, form, &protocol));
        let mut value = String::from("OAuth ");
        if let Some(realm) = &self.realm {
            // Writing to a String cannot fail.
            let _ok = write!(value, "realm=\"{realm}\", ").is_ok();
        }
        for (name, text) in protocol {
            let _ok = write!(value, "{name}=\"{}\", ", percent(text)).is_ok();
        }
        let _ok = write!(value, "oauth_signature=\"{}\"", percent(&signature)).is_ok();
        header_value(&value, "token")
    }

    /// Section 3.4.2.
    fn sign(&self, base: &str) -> String {
        STANDARD.encode(hmac::sign(&self.key, base.as_bytes()))
    }
}

/// What is signed (section 3.4.1): the method, the address without query, and all parameters in their order.
fn base_string(method: &Method, uri: &Uri, form: &[u8], protocol: &[(&str, &str)]) -> String {
    let scheme = uri.scheme_str().unwrap_or("https");
    // The authority has no default port any more, and its host is in lower case: the base address was read as an URL.
    let authority = uri.authority().map_or("", http::uri::Authority::as_str).to_ascii_lowercase();
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let own = protocol.iter().map(|(name, value)| (Cow::Borrowed(*name), Cow::Borrowed(*value)));
    let mut pairs: Vec<(String, String)> = query
        .chain(form_urlencoded::parse(form))
        .chain(own)
        .map(|(name, value)| (percent(&name), percent(&value)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let address = format!("{scheme}://{authority}{}", uri.path());
    format!("{}&{}&{}", method.as_str(), percent(&address), percent(&pairs.join("&")))
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Whether a text can stand in a quoted string as it is.
fn fits_quoted(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\')
}

/// Section 3.6: all but the unreserved characters of RFC 3986, in upper case.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ok = write!(out, "%{byte:02X}").is_ok();
        }
    }
    out
}

#[cfg(test)]
mod tests;
