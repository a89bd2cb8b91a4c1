//! The signatures a request offers, read out of its header.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD, URL_SAFE_NO_PAD};

use super::scheme::{Algorithm, Encoding, Form, Signed};
use super::{CANDIDATES_MAX, RawRequest, Refusal, single};

/// The longest timestamp text.
pub(super) const STAMPS_MAX: usize = 40;

/// Reads base64url with padding or without.
const FOR_ADDRESSES: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What the signature header holds.
pub(super) struct Candidates<'a> {
    digests: Vec<Vec<u8>>,
    stamp: Option<&'a str>,
}

impl<'a> Candidates<'a> {
    /// Reads the header. Parts of an unknown kind are skipped; without one readable signature it is malformed.
    pub(super) fn read(signed: &Signed, request: &RawRequest<'a>) -> Result<Self, Refusal> {
        let text = single(request, &signed.headers)?;
        let mut found = Self { digests: Vec::new(), stamp: None };
        match &signed.form {
            Form::Plain { prefix } => found.take(signed, text.strip_prefix(prefix.as_str())),
            Form::Spaced { prefix } => {
                for word in text.split(' ').take(CANDIDATES_MAX) {
                    found.take(signed, word.strip_prefix(prefix.as_str()));
                }
            }
            Form::Pairs { signature, timestamp, separator } => {
                for pair in text.split(separator.char()).take(CANDIDATES_MAX) {
                    let Some((name, value)) = pair.split_once('=') else { continue };
                    let name = name.trim();
                    if name == signature {
                        found.take(signed, Some(value.trim()));
                    } else if Some(name) == timestamp.as_deref()
                        && found.stamp.replace(value.trim()).is_some()
                    {
                        return Err(malformed(signed, "a list with one timestamp"));
                    }
                }
            }
        }
        if found.digests.is_empty() { Err(malformed(signed, expected(signed))) } else { Ok(found) }
    }

    fn take(&mut self, signed: &Signed, text: Option<&str>) {
        let digest = text.and_then(|text| match signed.encoding {
            Encoding::Hex => from_hex(text),
            Encoding::Base64 => STANDARD.decode(text).ok(),
            Encoding::Base64url => FOR_ADDRESSES.decode(text).ok(),
        });
        self.digests.extend(digest.filter(|digest| digest.len() == signed.algorithm.bytes()));
    }

    /// The signatures.
    pub(super) fn digests(&self) -> impl Iterator<Item = &[u8]> {
        self.digests.iter().map(Vec::as_slice)
    }

    /// The timestamp among the pairs.
    pub(super) const fn stamp(&self) -> Option<&'a str> {
        self.stamp
    }
}

/// The header's value for these signatures: the inverse of [`Candidates::read`].
pub(super) fn write(signed: &Signed, digests: &[Vec<u8>], stamp: Option<&str>) -> String {
    let encode = |digest: &Vec<u8>| match signed.encoding {
        Encoding::Hex => digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        Encoding::Base64 => STANDARD.encode(digest),
        Encoding::Base64url => URL_SAFE_NO_PAD.encode(digest),
    };
    match &signed.form {
        Form::Plain { prefix } => {
            digests.first().map(|d| format!("{prefix}{}", encode(d))).unwrap_or_default()
        }
        Form::Spaced { prefix } => {
            digests.iter().map(|d| format!("{prefix}{}", encode(d))).collect::<Vec<_>>().join(" ")
        }
        Form::Pairs { signature, timestamp, separator } => {
            let stamp = timestamp.as_ref().zip(stamp).map(|(name, stamp)| format!("{name}={stamp}"));
            let digests = digests.iter().map(|d| format!("{signature}={}", encode(d)));
            stamp.into_iter().chain(digests).collect::<Vec<_>>().join(separator.text())
        }
    }
}

const fn expected(signed: &Signed) -> &'static str {
    use Algorithm::{HmacSha1, HmacSha256, HmacSha512, Sha256};
    match (signed.algorithm, signed.encoding) {
        (HmacSha256 | Sha256, Encoding::Hex) => {
            "a SHA-256 signature in hexadecimal, in the form of this scheme"
        }
        (HmacSha256 | Sha256, Encoding::Base64) => {
            "a SHA-256 signature in base64, in the form of this scheme"
        }
        (HmacSha256 | Sha256, Encoding::Base64url) => {
            "a SHA-256 signature in base64url, in the form of this scheme"
        }
        (HmacSha512, Encoding::Hex) => "a SHA-512 signature in hexadecimal, in the form of this scheme",
        (HmacSha512, Encoding::Base64) => "a SHA-512 signature in base64, in the form of this scheme",
        (HmacSha512, Encoding::Base64url) => "a SHA-512 signature in base64url, in the form of this scheme",
        (HmacSha1, Encoding::Hex) => "a SHA-1 signature in hexadecimal, in the form of this scheme",
        (HmacSha1, Encoding::Base64) => "a SHA-1 signature in base64, in the form of this scheme",
        (HmacSha1, Encoding::Base64url) => "a SHA-1 signature in base64url, in the form of this scheme",
    }
}

fn malformed(signed: &Signed, expected: &'static str) -> Refusal {
    Refusal::Malformed { header: signed.first_header(), expected }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let &[high, low] = pair else { return None };
            Some(digit(high)? * 16 + digit(low)?)
        })
        .collect()
}
