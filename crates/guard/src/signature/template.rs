//! The text that is signed, as a template: `{timestamp}.{body}`, `{method}{uri}{body}{timestamp}`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Inputs, Refusal};

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// `{method}`: as received, in capitals.
    Method,
    /// `{uri}`: the public address as called.
    Uri,
    /// `{decoded_uri}`: the address with percent-encoded characters decoded (`HubSpot`).
    DecodedUri,
    /// `{timestamp}`: as text, as received.
    Timestamp,
    /// `{id}`: the id header.
    Id,
    /// `{body}`: the raw bytes.
    Body,
    /// `{secret}`: the key itself; only with a plain hash.
    Secret,
    /// Text between the others.
    Literal(String),
}

/// A template; written and shown as one line of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template(Vec<Part>);

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A name in braces that is not known.
    #[error("`{{{name}}}` is not a part; use method, uri, decoded_uri, timestamp, id, body or secret")]
    UnknownPart {
        /// What was written.
        name: String,
    },
    /// A brace without its partner.
    #[error("a brace is not closed in {text:?}")]
    OpenBrace {
        /// The whole template.
        text: String,
    },
    /// The body is not signed, so anybody could change it.
    #[error(
        "the template {text:?} lacks `{{body}}`: a signature that does not cover the body proves nothing"
    )]
    NoBody {
        /// The whole template.
        text: String,
    },
}

const NAMES: [(&str, Part); 7] = [
    ("method", Part::Method),
    ("uri", Part::Uri),
    ("decoded_uri", Part::DecodedUri),
    ("timestamp", Part::Timestamp),
    ("id", Part::Id),
    ("body", Part::Body),
    ("secret", Part::Secret),
];

impl Template {
    /// A template of parts; for presets.
    pub(super) const fn of(parts: Vec<Part>) -> Self {
        Self(parts)
    }

    /// Whether a part occurs.
    #[must_use]
    pub fn has(&self, part: &Part) -> bool {
        self.0.contains(part)
    }

    /// The pieces in order, given to `sink` without copying.
    pub(super) fn feed(&self, key: &[u8], inputs: &Inputs<'_>, mut sink: impl FnMut(&[u8])) {
        for part in &self.0 {
            match part {
                Part::Method => sink(inputs.request.method.as_bytes()),
                Part::Uri | Part::DecodedUri => sink(inputs.uri.as_bytes()),
                Part::Timestamp => sink(inputs.stamp.unwrap_or_default().as_bytes()),
                Part::Id => sink(inputs.id.unwrap_or_default().as_bytes()),
                Part::Body => sink(inputs.request.body),
                Part::Secret => sink(key),
                Part::Literal(text) => sink(text.as_bytes()),
            }
        }
    }

    /// The ways the address may have been written when it was signed: one, or two where it is decoded.
    ///
    /// `HubSpot` documents twelve characters that are decoded, and its own client signs the address as given to
    /// it, decoded throughout. Both are authentic readings of the same address.
    pub(super) fn readings<'a>(&self, uri: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
        let (first, second) = if self.has(&Part::DecodedUri) && uri.contains('%') {
            let some = decode(uri, |byte| b":/?@!$'()*,;".contains(&byte));
            let all = decode(uri, |_| true);
            let second = (some != all).then_some(all).map(Cow::Owned);
            (Cow::Owned(some), second)
        } else {
            (Cow::Borrowed(uri), None)
        };
        std::iter::once(first).chain(second)
    }

    /// Refuses a value that holds the literal behind its place: `a.b` + `c` must not read as `a` + `b.c`.
    pub(super) fn check_value(&self, part: Part, value: &str, header: &str) -> Result<(), Refusal> {
        for pair in self.0.windows(2) {
            if let [before, Part::Literal(text)] = pair
                && *before == part
                && value.contains(text.as_str())
            {
                return Err(Refusal::Malformed {
                    header: header.to_owned(),
                    expected: "free of the character that separates it from the body",
                });
            }
        }
        Ok(())
    }
}

/// Percent-decodes the bytes that `wanted` names; what does not become UTF-8 stays encoded.
fn decode(uri: &str, wanted: impl Fn(u8) -> bool) -> String {
    let bytes = uri.as_bytes();
    let hex = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if *byte == b'%'
            && let (Some(high), Some(low)) = (hex(at + 1), hex(at + 2))
            && let Ok(decoded) = u8::try_from(high * 16 + low)
            && wanted(decoded)
        {
            out.push(decoded);
            at += 3;
        } else {
            out.push(*byte);
            at += 1;
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| uri.to_owned())
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let open_brace = || TemplateError::OpenBrace { text: text.to_owned() };
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (literal, behind) = rest.split_once('{').unwrap_or((rest, ""));
            if literal.contains('}') {
                return Err(open_brace());
            }
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            if literal.len() == rest.len() {
                break;
            }
            let (name, behind) = behind.split_once('}').ok_or_else(open_brace)?;
            let part = NAMES.iter().find(|(known, _)| *known == name).map(|(_, part)| part.clone());
            parts.push(part.ok_or_else(|| TemplateError::UnknownPart { name: name.to_owned() })?);
            rest = behind;
        }
        let template = Self(parts);
        if template.has(&Part::Body) {
            Ok(template)
        } else {
            Err(TemplateError::NoBody { text: text.to_owned() })
        }
    }
}
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match NAMES.iter().find(|(_, known)| known == part) {
                Some((name, _)) => write!(f, "{{{name}}}")?,
                None => {
                    if let Part::Literal(text) = part {
                        f.write_str(text)?;
                    }
                }
            }
        }
        Ok(())
    }
}
impl TryFrom<String> for Template {
    type Error = TemplateError;
    fn try_from(text: String) -> Result<Self, TemplateError> {
        text.parse()
    }
}
impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.to_string()
    }
}
