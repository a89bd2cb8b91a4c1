//! The schemes that many sources share, by name.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::scheme::{
    Algorithm, Encoding, Form, KeyForm, Separator, Signed, TimeSource, TimeUnit, tolerance_default,
};
use super::template::{Part, Template};

/// A scheme by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Stripe: `Stripe-Signature: t=…,v1=…`, hex over `{timestamp}.{body}`, the whole `whsec_…` is the key.
    Stripe,
    /// `HubSpot` v3: base64 over method, decoded address, body and milliseconds.
    HubspotV3,
    /// `HubSpot` v1: hex of a plain hash of secret and body; no protection against replays.
    HubspotV1,
    /// Standard Webhooks and Svix: base64 over `{id}.{timestamp}.{body}`, the key is base64 after `whsec_`.
    StandardWebhooks,
    /// Shopify: base64 over the body; no protection against replays but deduplication.
    Shopify,
    /// `GitHub`: `sha256=` and hex over the body.
    Github,
    /// For sources of one's own: `X-Signature` in hex over `{timestamp}.{body}`, `X-Timestamp` in seconds.
    Hmac,
}

impl Preset {
    /// All presets, in the order of their declaration.
    pub const ALL: [Self; 7] = [
        Self::Stripe,
        Self::HubspotV3,
        Self::HubspotV1,
        Self::StandardWebhooks,
        Self::Shopify,
        Self::Github,
        Self::Hmac,
    ];

    /// The scheme in all its parts. Built once: every inbound message asks for it.
    #[must_use]
    pub fn signed(self) -> &'static Signed {
        static BUILT: LazyLock<[Signed; 7]> = LazyLock::new(|| Preset::ALL.map(Preset::build));
        &BUILT[self as usize]
    }

    fn build(self) -> Signed {
        match self {
            Self::Stripe => Signed {
                form: Form::Pairs {
                    signature: "v1".into(),
                    timestamp: Some("t".into()),
                    separator: Separator::Comma,
                },
                template: Template::of(vec![Part::Timestamp, literal("."), Part::Body]),
                timestamp: Some(time(&[], TimeUnit::S)),
                ..body_only(&["stripe-signature"])
            },
            Self::HubspotV3 => Signed {
                encoding: Encoding::Base64,
                template: Template::of(vec![Part::Method, Part::DecodedUri, Part::Body, Part::Timestamp]),
                timestamp: Some(time(&["x-hubspot-request-timestamp"], TimeUnit::Ms)),
                ..body_only(&["x-hubspot-signature-v3"])
            },
            Self::HubspotV1 => Signed {
                algorithm: Algorithm::Sha256,
                template: Template::of(vec![Part::Secret, Part::Body]),
                ..body_only(&["x-hubspot-signature"])
            },
            Self::StandardWebhooks => Signed {
                encoding: Encoding::Base64,
                form: Form::Spaced { prefix: "v1,".into() },
                key: KeyForm::Base64 { prefix: "whsec_".into() },
                template: Template::of(vec![
                    Part::Id,
                    literal("."),
                    Part::Timestamp,
                    literal("."),
                    Part::Body,
                ]),
                timestamp: Some(time(&["webhook-timestamp", "svix-timestamp"], TimeUnit::S)),
                id: names(&["webhook-id", "svix-id"]),
                ..body_only(&["webhook-signature", "svix-signature"])
            },
            Self::Shopify => Signed {
                encoding: Encoding::Base64,
                ..body_only(&["x-shopify-hmac-sha256", "shopify-hmac-sha256"])
            },
            Self::Github => Signed {
                form: Form::Plain { prefix: "sha256=".into() },
                ..body_only(&["x-hub-signature-256"])
            },
            Self::Hmac => Signed {
                template: Template::of(vec![Part::Timestamp, literal("."), Part::Body]),
                timestamp: Some(time(&["x-timestamp"], TimeUnit::S)),
                ..body_only(&["x-signature"])
            },
        }
    }
}

fn body_only(headers: &[&str]) -> Signed {
    Signed {
        headers: names(headers),
        algorithm: Algorithm::HmacSha256,
        encoding: Encoding::Hex,
        form: Form::default(),
        key: KeyForm::Raw,
        template: Template::of(vec![Part::Body]),
        timestamp: None,
        id: Vec::new(),
    }
}

fn names(of: &[&str]) -> Vec<String> {
    of.iter().map(|name| (*name).to_owned()).collect()
}

fn literal(text: &str) -> Part {
    Part::Literal(text.to_owned())
}

fn time(headers: &[&str], unit: TimeUnit) -> TimeSource {
    TimeSource { headers: names(headers), unit, tolerance_s: tolerance_default() }
}
