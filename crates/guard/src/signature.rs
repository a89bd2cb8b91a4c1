//! One verifier for webhook signatures, driven by data: how a vendor signs is a [`Scheme`] in its manifest.
//!
//! A signature is judged over the raw bytes as received. Every candidate is compared with every active secret in
//! constant time, so several secrets can be valid during a rotation. The age of a message is judged only after
//! its signature: what a [`Refusal`] says about time is said of an authentic message.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use canonical::Wall;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};
use zeroize::Zeroizing;

use crate::secret::Secret;

mod candidates;
mod preset;
mod scheme;
mod template;
mod time;

pub use preset::Preset;
pub use scheme::{
    Algorithm, Encoding, Form, KeyForm, Scheme, SchemeError, Separator, Signed, TimeSource, TimeUnit,
};
pub use template::{Part, Template, TemplateError};

use candidates::{Candidates, STAMPS_MAX};

/// The most signatures of one request that are looked at; more is no vendor's doing.
const CANDIDATES_MAX: usize = 32;

/// A request as it arrived. Nothing in it is decoded, trimmed or parsed.
#[derive(Debug, Clone, Copy)]
pub struct RawRequest<'a> {
    /// `POST`.
    pub method: &'a str,
    /// The public address the vendor called, with its query: built from the configured public base, because
    /// behind a proxy the request itself does not know it.
    pub uri: &'a str,
    /// Names and values as received; names are matched without case.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body's bytes.
    pub body: &'a [u8],
}

/// What a passed verification proves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Whether a signature was checked; false only under a scheme that states there is none.
    pub signed: bool,
    /// When the sender signed, if that is part of what was signed.
    pub timestamp: Option<Wall>,
    /// The sender's id of this message, if it is part of what was signed.
    pub id: Option<String>,
    /// Which of the secrets matched, counted from 0: an old one still in use shows that a rotation is open.
    pub secret: Option<usize>,
}

/// Why a request is refused. Says what to look at, and neither the secret nor the signature expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No signature, timestamp or id header.
    #[error("header `{header}` is missing; the sender signs with it, so this request is not from the sender")]
    MissingHeader {
        /// The first of the names looked for.
        header: String,
    },
    /// The header is there more than once, so it has no one meaning.
    #[error("header `{header}` is given more than once")]
    RepeatedHeader {
        /// Its name.
        header: String,
    },
    /// The header is there, but not in the form the scheme describes.
    #[error("header `{header}` is not {expected}")]
    Malformed {
        /// Its name.
        header: String,
        /// The form expected.
        expected: &'static str,
    },
    /// No secret reproduces any of the signatures.
    #[error(
        "no signature matches any of the {secrets} active secrets; compare the secret with the sender's, and the public address if it is signed"
    )]
    Mismatch {
        /// How many secrets were tried.
        secrets: usize,
    },
    /// Authentic, and older than the window.
    #[error(
        "the message was signed {age_s} s ago, at most {tolerance_s} s are accepted; it is a replay, or a clock is wrong"
    )]
    Stale {
        /// Its age in seconds.
        age_s: u64,
        /// The window.
        tolerance_s: u64,
    },
    /// Authentic, and from a time to come.
    #[error(
        "the message was signed {ahead_s} s in the future, at most {tolerance_s} s are accepted; a clock is wrong"
    )]
    Ahead {
        /// How far ahead, in seconds.
        ahead_s: u64,
        /// The window.
        tolerance_s: u64,
    },
    /// The scheme needs a secret and none is configured.
    #[error("no signing secret is configured for this source; add one under its `secrets`")]
    NoSecret,
    /// A secret is not in the form that the scheme states.
    #[error("signing secret number {number} is not {expected}; copy it again from the sender's settings")]
    BadSecret {
        /// Which, counted from 1.
        number: usize,
        /// The form expected.
        expected: &'static str,
    },
}

/// Checks a request against a scheme.
///
/// # Errors
/// A [`Refusal`] says why; the request must then change nothing.
pub fn verify(
    scheme: &Scheme,
    request: &RawRequest<'_>,
    secrets: &[Secret],
    now: Wall,
) -> Result<Verified, Refusal> {
    match scheme {
        Scheme::None(_) => Ok(Verified::default()),
        Scheme::Preset(preset) => verify_signed(preset.signed(), request, secrets, now),
        Scheme::Signed(signed) => verify_signed(signed, request, secrets, now),
    }
}

fn verify_signed(
    signed: &Signed,
    request: &RawRequest<'_>,
    secrets: &[Secret],
    now: Wall,
) -> Result<Verified, Refusal> {
    if secrets.is_empty() {
        return Err(Refusal::NoSecret);
    }
    let candidates = Candidates::read(signed, request)?;
    let id = signed_id(signed, request)?;
    let stamps = stamps(signed, request, &candidates)?;
    let mut matched = None;
    for (index, secret) in secrets.iter().enumerate() {
        let key = signed
            .key
            .bytes(secret)
            .map_err(|expected| Refusal::BadSecret { number: index + 1, expected })?;
        for reading in signed.template.readings(request.uri) {
            let expected = signed.compute(&key, &Inputs { request, uri: &reading, stamp: stamps, id });
            let mut equal = Choice::from(0);
            for candidate in candidates.digests() {
                equal |= candidate.ct_eq(expected.as_slice());
            }
            // All secrets are tried whatever matched before: the time taken says nothing of which it was.
            if bool::from(equal) && matched.is_none() {
                matched = Some(index);
            }
        }
    }
    let Some(secret) = matched else { return Err(Refusal::Mismatch { secrets: secrets.len() }) };
    let timestamp = match &signed.timestamp {
        Some(source) => Some(judge_age(source, stamps.unwrap_or_default(), now)?),
        None => None,
    };
    Ok(Verified { signed: true, timestamp, id: id.map(str::to_owned), secret: Some(secret) })
}

/// The text of the timestamp, from its header or from the pairs of the signature header.
fn stamps<'a>(
    signed: &Signed,
    request: &RawRequest<'a>,
    candidates: &Candidates<'a>,
) -> Result<Option<&'a str>, Refusal> {
    let Some(source) = &signed.timestamp else { return Ok(None) };
    let text = if source.headers.is_empty() {
        candidates.stamp().ok_or_else(|| Refusal::Malformed {
            header: signed.first_header(),
            expected: "a list with a timestamp",
        })?
    } else {
        single(request, &source.headers)?
    };
    let header = source.headers.first().cloned().unwrap_or_else(|| signed.first_header());
    if text.len() > STAMPS_MAX || time::read(text, source.unit).is_none() {
        return Err(Refusal::Malformed { header, expected: source.unit.describe() });
    }
    signed.template.check_value(Part::Timestamp, text, &header)?;
    Ok(Some(text))
}

fn signed_id<'a>(signed: &Signed, request: &RawRequest<'a>) -> Result<Option<&'a str>, Refusal> {
    if signed.id.is_empty() {
        return Ok(None);
    }
    let id = single(request, &signed.id)?;
    let header = signed.id.first().cloned().unwrap_or_default();
    if id.is_empty() || id.len() > 256 {
        return Err(Refusal::Malformed { header, expected: "an id of 1 to 256 bytes" });
    }
    signed.template.check_value(Part::Id, id, &header)?;
    Ok(Some(id))
}

/// The one value of the first alias that is present.
fn single<'a>(request: &RawRequest<'a>, aliases: &[String]) -> Result<&'a str, Refusal> {
    for alias in aliases {
        let mut values = request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(alias));
        let Some((_, value)) = values.next() else { continue };
        if values.next().is_some() {
            return Err(Refusal::RepeatedHeader { header: alias.clone() });
        }
        return std::str::from_utf8(value)
            .map(str::trim)
            .map_err(|_| Refusal::Malformed { header: alias.clone(), expected: "text" });
    }
    Err(Refusal::MissingHeader { header: aliases.first().cloned().unwrap_or_default() })
}

fn judge_age(source: &TimeSource, text: &str, now: Wall) -> Result<Wall, Refusal> {
    let at = time::read(text, source.unit).unwrap_or_default();
    let tolerance = Duration::from_secs(source.tolerance_s);
    let (age, ahead) = (now.since(at), at.since(now));
    if age > tolerance {
        return Err(Refusal::Stale { age_s: age.as_secs(), tolerance_s: source.tolerance_s });
    }
    if ahead > tolerance {
        return Err(Refusal::Ahead { ahead_s: ahead.as_secs(), tolerance_s: source.tolerance_s });
    }
    Ok(at)
}

/// Everything a template may draw from.
struct Inputs<'a> {
    request: &'a RawRequest<'a>,
    uri: &'a str,
    stamp: Option<&'a str>,
    id: Option<&'a str>,
}

impl Signed {
    /// The signature's bytes, streamed: the body is not copied.
    fn compute(&self, key: &[u8], inputs: &Inputs<'_>) -> Vec<u8> {
        use ring::hmac::{Context, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA512, Key};
        let by = |algorithm| {
            let mut context = Context::with_key(&Key::new(algorithm, key));
            self.template.feed(key, inputs, |bytes| context.update(bytes));
            context.sign().as_ref().to_vec()
        };
        match self.algorithm {
            Algorithm::HmacSha512 => by(HMAC_SHA512),
            Algorithm::HmacSha1 => by(HMAC_SHA1_FOR_LEGACY_USE_ONLY),
            Algorithm::HmacSha256 => {
                #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
                let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
                self.template.feed(key, inputs, |bytes| mac.update(bytes));
                mac.finalize().into_bytes().to_vec()
            }
            Algorithm::Sha256 => {
                let mut hash = Sha256::new();
                self.template.feed(key, inputs, |bytes| hash.update(bytes));
                hash.finalize().to_vec()
            }
        }
    }

    fn first_header(&self) -> String {
        self.headers.first().cloned().unwrap_or_default()
    }
}

impl KeyForm {
    /// The key's bytes of a secret as people copy it.
    fn bytes(&self, secret: &Secret) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        let key = match self {
            Self::Raw => Zeroizing::new(secret.expose().to_vec()),
            Self::Base64 { prefix } => {
                let text = secret.expose();
                let text = text.strip_prefix(prefix.as_bytes()).unwrap_or(text);
                Zeroizing::new(STANDARD.decode(text).map_err(|_| "base64")?)
            }
        };
        if key.is_empty() { Err("there (it is empty)") } else { Ok(key) }
    }
}

/// What is to be signed, when Concord is the sender.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// `POST`.
    pub method: &'a str,
    /// The address called.
    pub uri: &'a str,
    /// The message's id, stable over retries.
    pub id: &'a str,
    /// When it is sent: of this attempt.
    pub at: Wall,
    /// The body's bytes.
    pub body: &'a [u8],
}

/// The headers that make `message` verifiable: signed with every secret where the form holds a list (so that a
/// receiver can rotate), otherwise with the first.
///
/// # Errors
/// [`Refusal::NoSecret`] and [`Refusal::BadSecret`]; [`Refusal::Malformed`] when the id cannot be part of what
/// is signed. A scheme without signatures gives no headers.
pub fn sign(
    scheme: &Scheme,
    message: &Outgoing<'_>,
    secrets: &[Secret],
) -> Result<Vec<(String, String)>, Refusal> {
    let signed = match scheme {
        Scheme::None(_) => return Ok(Vec::new()),
        Scheme::Preset(preset) => preset.signed(),
        Scheme::Signed(signed) => signed.as_ref(),
    };
    let first = secrets.first().ok_or(Refusal::NoSecret)?;
    let used = if signed.form.holds_several() { secrets } else { std::slice::from_ref(first) };
    let stamp = signed.timestamp.as_ref().map(|source| time::write(message.at, source.unit));
    let id = (!signed.id.is_empty()).then_some(message.id);
    if let (Some(id), Some(header)) = (id, signed.id.first()) {
        signed.template.check_value(Part::Id, id, header)?;
    }
    let request = RawRequest { method: message.method, uri: message.uri, headers: &[], body: message.body };
    let mut digests = Vec::with_capacity(used.len());
    for (index, secret) in used.iter().enumerate() {
        let key = signed
            .key
            .bytes(secret)
            .map_err(|expected| Refusal::BadSecret { number: index + 1, expected })?;
        let uri = signed.template.readings(message.uri).next().unwrap_or_default();
        digests.push(
            signed.compute(&key, &Inputs { request: &request, uri: &uri, stamp: stamp.as_deref(), id }),
        );
    }
    let mut headers = vec![(signed.first_header(), candidates::write(signed, &digests, stamp.as_deref()))];
    if let (Some(source), Some(stamp)) = (&signed.timestamp, stamp)
        && let Some(header) = source.headers.first()
    {
        headers.push((header.clone(), stamp));
    }
    if let (Some(id), Some(header)) = (id, signed.id.first()) {
        headers.push((header.clone(), id.to_owned()));
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
