//! How a vendor signs, as data: the part of a manifest that [`super::verify`] follows.

use serde::{Deserialize, Serialize};

use super::preset::Preset;
use super::template::{Part, Template};

/// How a source signs its webhooks.
///
/// In a manifest: `{preset: stripe}`, `{signed: {headers: […], template: "{body}"}}`, or
/// `{none: "why nothing is signed"}`. There is no default: that nothing is signed must be said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// Nothing is signed, for the reason given: what arrives is a hint, to be read from the source again.
    None(String),
    /// A vendor's or standard's scheme by name.
    Preset(Preset),
    /// Any other.
    Signed(Box<Signed>),
}

/// A signed scheme in all its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", deny_unknown_fields)]
pub struct Signed {
    /// The signature's header and its aliases; the first that is present counts.
    pub headers: Vec<String>,
    /// The keyed hash.
    pub algorithm: Algorithm,
    /// How the bytes are written.
    pub encoding: Encoding,
    /// How the header is built.
    pub form: Form,
    /// How the secret becomes a key.
    pub key: KeyForm,
    /// The text that is signed.
    pub template: Template,
    /// Where the time of signing stands, if it is signed.
    pub timestamp: Option<TimeSource>,
    /// The headers of the message's id, if it is signed; empty for none.
    pub id: Vec<String>,
}

/// The hash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// HMAC-SHA-256.
    #[default]
    HmacSha256,
    /// HMAC-SHA-512.
    HmacSha512,
    /// HMAC-SHA-1, for senders that know no other: as a keyed hash it is still sound.
    HmacSha1,
    /// A plain SHA-256 over a text that holds `{secret}` (`HubSpot` v1 and v2).
    Sha256,
}

/// How the signature is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Hexadecimal, in either case.
    #[default]
    Hex,
    /// Standard base64 with padding.
    Base64,
    /// Base64 with the alphabet of addresses (RFC 4648 section 5), with padding or without.
    Base64url,
}

/// How the signature header is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Form {
    /// One signature, behind a fixed prefix such as `sha256=` (may be empty).
    Plain {
        /// What stands before it.
        #[serde(default)]
        prefix: String,
    },
    /// Several, separated by spaces, each `prefix` + signature; others are skipped (`v1,…`).
    Spaced {
        /// What stands before each.
        prefix: String,
    },
    /// `name=value` pairs in a list; the signatures and the timestamp have names of their own.
    Pairs {
        /// The name of a signature, such as `v1`; it may occur several times.
        signature: String,
        /// The name of the timestamp, such as `t`.
        #[serde(default)]
        timestamp: Option<String>,
        /// What stands between them.
        #[serde(default)]
        separator: Separator,
    },
}

/// What stands between the pairs of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Separator {
    /// `t=1,v1=…`.
    #[default]
    #[serde(rename = ",")]
    Comma,
    /// `ts=1;h1=…`.
    #[serde(rename = ";")]
    Semicolon,
}

impl Separator {
    /// The character.
    pub(super) const fn char(self) -> char {
        match self {
            Self::Comma => ',',
            Self::Semicolon => ';',
        }
    }

    /// The same as text.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Comma => ",",
            Self::Semicolon => ";",
        }
    }
}

impl Algorithm {
    /// How long a signature is, in bytes.
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::HmacSha256 | Self::Sha256 => 32,
            Self::HmacSha512 => 64,
            Self::HmacSha1 => 20,
        }
    }
}

/// How a secret becomes a key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KeyForm {
    /// Its bytes as they are, prefix and all (Stripe's `whsec_…` is such a key).
    #[default]
    Raw,
    /// Base64, behind an optional prefix (Standard Webhooks' `whsec_…` is such a key).
    Base64 {
        /// Cut off where it stands.
        #[serde(default)]
        prefix: String,
    },
}

/// The time of signing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeSource {
    /// Its header and aliases; empty when it stands among the pairs of the signature header.
    #[serde(default)]
    pub headers: Vec<String>,
    /// How it is written.
    #[serde(default)]
    pub unit: TimeUnit,
    /// How far it may lie from now, in seconds, in both directions.
    #[serde(default = "tolerance_default")]
    pub tolerance_s: u64,
}

/// The unit of a timestamp.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Seconds since 1970.
    #[default]
    S,
    /// Milliseconds since 1970.
    Ms,
    /// ISO 8601 with an offset.
    Iso,
}

/// Five minutes: what Standard Webhooks, Stripe, Svix and `HubSpot` use.
pub(super) const fn tolerance_default() -> u64 {
    300
}

/// Why a scheme does not hold together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemeError {
    /// No header.
    #[error("`headers` is empty; name the header that carries the signature")]
    NoHeader,
    /// A timestamp that is read and not signed, or the other way round.
    #[error(
        "`timestamp` and `{{timestamp}}` in the template go together: an unsigned timestamp proves nothing"
    )]
    Timestamp,
    /// The same of the id.
    #[error("`id` and `{{id}}` in the template go together: an unsigned id proves nothing")]
    Id,
    /// The same of the secret.
    #[error("`{{secret}}` belongs in the template of a `sha256` scheme, and only there")]
    Secret,
    /// The timestamp has no place.
    #[error("`timestamp` has no headers; name them, or name the pair that carries it under `form`")]
    TimestampPlace,
    /// A form that cannot find anything.
    #[error("`form` needs a name or prefix that is not empty")]
    EmptyForm,
    /// A window that is no window.
    #[error("`tolerance_s` is {0}; use 1 to 86400 seconds")]
    Tolerance(u64),
}

/// [`Signed`] as written, with its defaults; what it says is checked before it becomes one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    headers: Vec<String>,
    #[serde(default)]
    algorithm: Algorithm,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default)]
    form: Option<Form>,
    #[serde(default)]
    key: KeyForm,
    template: Template,
    #[serde(default)]
    timestamp: Option<TimeSource>,
    #[serde(default)]
    id: Vec<String>,
}

impl TryFrom<Written> for Signed {
    type Error = SchemeError;

    fn try_from(written: Written) -> Result<Self, SchemeError> {
        let signed = Self {
            headers: written.headers,
            algorithm: written.algorithm,
            encoding: written.encoding,
            form: written.form.unwrap_or_default(),
            key: written.key,
            template: written.template,
            timestamp: written.timestamp,
            id: written.id,
        };
        signed.check().map(|()| signed)
    }
}

impl Signed {
    fn check(&self) -> Result<(), SchemeError> {
        if self.headers.is_empty() {
            return Err(SchemeError::NoHeader);
        }
        if self.timestamp.is_some() != self.template.has(&Part::Timestamp) {
            return Err(SchemeError::Timestamp);
        }
        if self.id.is_empty() == self.template.has(&Part::Id) {
            return Err(SchemeError::Id);
        }
        if (self.algorithm == Algorithm::Sha256) != self.template.has(&Part::Secret) {
            return Err(SchemeError::Secret);
        }
        let in_pairs = matches!(&self.form, Form::Pairs { timestamp: Some(_), .. });
        if let Some(source) = &self.timestamp {
            if source.headers.is_empty() != in_pairs {
                return Err(SchemeError::TimestampPlace);
            }
            if !(1..=86_400).contains(&source.tolerance_s) {
                return Err(SchemeError::Tolerance(source.tolerance_s));
            }
        }
        match &self.form {
            Form::Spaced { prefix: text } | Form::Pairs { signature: text, .. } if text.is_empty() => {
                Err(SchemeError::EmptyForm)
            }
            _ => Ok(()),
        }
    }
}

impl Scheme {
    /// Whether messages are signed. What is not signed is only a hint.
    #[must_use]
    pub const fn is_signed(&self) -> bool {
        !matches!(self, Self::None(_))
    }

    /// How far a message's time may lie from now, in seconds; `None` when no time is signed, so that only
    /// deduplication keeps replays out.
    #[must_use]
    pub fn tolerance_s(&self) -> Option<u64> {
        let of = |signed: &Signed| signed.timestamp.as_ref().map(|source| source.tolerance_s);
        match self {
            Self::None(_) => None,
            Self::Preset(preset) => of(preset.signed()),
            Self::Signed(signed) => of(signed),
        }
    }
}

impl Default for Form {
    fn default() -> Self {
        Self::Plain { prefix: String::new() }
    }
}

impl Form {
    /// Whether one header can carry several signatures.
    pub(super) const fn holds_several(&self) -> bool {
        !matches!(self, Self::Plain { .. })
    }
}

impl TimeUnit {
    pub(super) const fn describe(self) -> &'static str {
        match self {
            Self::S => "seconds since 1970",
            Self::Ms => "milliseconds since 1970",
            Self::Iso => "an ISO 8601 time with an offset",
        }
    }
}
