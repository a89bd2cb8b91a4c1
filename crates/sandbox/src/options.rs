//! What a sandbox is started with: its kind, its credentials, its limits, and where its webhooks go.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use crate::habit::Habit;

/// Which system is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A HubSpot-shaped CRM.
    HubSpot,
    /// A Salesforce-shaped CRM.
    Salesforce,
    /// A NetSuite-shaped ERP.
    NetSuite,
    /// A Mailchimp-shaped marketing system.
    Mailchimp,
    /// A plain JSON target with books per lane.
    Sink,
}

/// Everything a sandbox is started with. Begin with [`Options::of`] and change what matters.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address to listen on; loopback unless told otherwise.
    pub bind: IpAddr,
    /// Port to listen on; 0 takes a free one.
    pub port: u16,
    /// Seed of ids, tokens and fault draws.
    pub seed: u64,
    /// The instance's identity: HubSpot portal id (a number), Salesforce organisation, NetSuite account, Mailchimp
    /// account id.
    pub account: String,
    /// What callers must show: HubSpot bearer token, Salesforce consumer key and secret joined by a colon, NetSuite
    /// client id (the assertion's `iss`), Mailchimp API key, sink bearer token (empty: open).
    pub credential: String,
    /// Refresh token taken by the OAuth token endpoints of the CRMs and the sink.
    pub refresh_token: String,
    /// Whether each refresh also replaces the refresh token, and the old one dies.
    pub rotate_refresh: bool,
    /// Quotas, delays and lags.
    pub limits: Limits,
    /// Where webhooks go; none are sent without.
    pub webhook: Option<WebhookTarget>,
    /// Properties declared from the start (CRMs).
    pub properties: Vec<Property>,
    /// Whether a CRM refuses properties it was not told of (as the vendors do; Salesforce's standard fields are known).
    pub strict_properties: bool,
    /// What it makes of texts before it keeps them, beside what the vendor does anyway.
    pub habits: Vec<Habit>,
    /// Rules by which records count as the same (Salesforce).
    pub duplicate_rules: Vec<DuplicateRule>,
    /// Rows in one answer of a query, 2,000 at most; wide rows come in fewer (Salesforce).
    pub page_rows: usize,
    /// Audiences (marketing).
    pub lists: Vec<String>,
    /// Dotted path of the producer-given business id inside an object; two live objects with one value are
    /// duplicates.
    pub business_id: String,
    /// Dotted path of the producer-given version inside an object; it must not go backwards.
    pub version_property: String,
    /// Whether the sink keeps the last body per key.
    pub keep_bodies: bool,
    /// How long the sink honours an `Idempotency-Key`; 0 switches it off.
    pub idempotency_ttl_ms: u64,
}

/// Quotas, delays and lags. 0 means no limit or no delay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Calls per `burst_window_ms` (HubSpot).
    pub burst: u64,
    /// Length of the rolling window.
    pub burst_window_ms: u64,
    /// Calls per day (CRMs; Salesforce's day is the last 24 hours).
    pub daily: u64,
    /// Searches per rolling second (CRM).
    pub search_per_second: u64,
    /// How long a search stays blind to a write (CRM).
    pub index_lag_ms: u64,
    /// Requests in service at once (Salesforce, ERP: per account; marketing: connections).
    pub concurrency: u64,
    /// How long every request stays in service before its answer.
    pub service_ms: u64,
    /// How long a job takes after it was closed (Salesforce).
    #[serde(default)]
    pub job_ms: u64,
    /// Life of an issued access token.
    pub token_life_ms: u64,
    /// How long events are gathered before a webhook is sent.
    pub webhook_delay_ms: u64,
    /// First pause after a failed webhook; it doubles up to a minute.
    pub webhook_backoff_ms: u64,
    /// Attempts per webhook.
    pub webhook_attempts: u32,
}

/// Where webhooks go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookTarget {
    /// Absolute `http` URL, with the secret path segment where the vendor does not sign.
    pub url: String,
    /// Signing secret (HubSpot: the app's client secret); unused by vendors that do not sign.
    #[serde(default)]
    pub secret: String,
    /// Event types wanted, such as `contact.creation` or `profile`; empty means all.
    #[serde(default)]
    pub events: Vec<String>,
}

/// A rule by which a record counts as the same as another one (Salesforce).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DuplicateRule {
    /// Object type, such as `Contact`.
    pub object_type: String,
    /// The field whose equal value makes two records the same.
    pub field: String,
    /// Whether the rule blocks. One that only alerts lets pass who says that it knows.
    pub blocks: bool,
}

/// A declared property of a CRM object type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Property {
    /// Object type: HubSpot's in the plural, such as `companies`; Salesforce's API name, such as `Account`.
    pub object_type: String,
    /// Internal name: HubSpot's in lower case, Salesforce's ending in `__c`.
    pub name: String,
    /// `string`, `number`, `date`, `datetime`, `bool` or `enumeration`.
    #[serde(rename = "type", default = "string_type")]
    pub value_type: String,
    /// Whether two live objects may not share a value; such a property serves as `idProperty`. Any declared text or
    /// number is an external id at Salesforce, whether it is unique or not.
    #[serde(default)]
    pub has_unique_value: bool,
    /// Allowed values of an enumeration; empty allows all.
    #[serde(default)]
    pub options: Vec<String>,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::HubSpot, Self::Salesforce, Self::NetSuite, Self::Mailchimp, Self::Sink];

    /// The lower-case name used in URLs, options and read-outs.
    pub fn name(self) -> &'static str {
        match self {
            Self::HubSpot => "hubspot",
            Self::Salesforce => "salesforce",
            Self::NetSuite => "netsuite",
            Self::Mailchimp => "mailchimp",
            Self::Sink => "sink",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Options {
    /// The defaults of a kind, true to the vendor where the vendor states a number.
    pub fn of(kind: Kind) -> Self {
        let (account, credential, business_id) = match kind {
            Kind::HubSpot => ("48200001", "pat-sandbox", "business_id"),
            Kind::Salesforce => ("00D5e0000000001EAA", "sandbox-key:sandbox-secret", "Business_Id__c"),
            Kind::NetSuite => ("TD2900001", "sandbox-client", "externalId"),
            Kind::Mailchimp => ("8d3a3db4d97663a9074efcc16", "sandbox-us1", "merge_fields.BUSINESSID"),
            Kind::Sink => ("sink", "", "id"),
        };
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            seed: 1,
            account: account.to_owned(),
            credential: credential.to_owned(),
            refresh_token: "refresh-sandbox".to_owned(),
            rotate_refresh: false,
            limits: Limits::of(kind),
            webhook: None,
            properties: Vec::new(),
            strict_properties: false,
            habits: Vec::new(),
            duplicate_rules: Vec::new(),
            page_rows: 2_000,
            lists: vec!["57afe96172".to_owned()],
            business_id: business_id.to_owned(),
            version_property: "version".to_owned(),
            keep_bodies: false,
            idempotency_ttl_ms: 0,
        }
    }
}

impl Limits {
    /// The vendor's numbers for a kind.
    pub fn of(kind: Kind) -> Self {
        let none = Self {
            burst: 0,
            burst_window_ms: 10_000,
            daily: 0,
            search_per_second: 0,
            index_lag_ms: 0,
            concurrency: 0,
            service_ms: 0,
            job_ms: 0,
            token_life_ms: 3_600_000,
            webhook_delay_ms: 0,
            webhook_backoff_ms: 500,
            webhook_attempts: 10,
        };
        match kind {
            Kind::HubSpot => Self {
                burst: 190,
                daily: 625_000,
                search_per_second: 5,
                index_lag_ms: 1_000,
                token_life_ms: 1_800_000,
                webhook_delay_ms: 10,
                ..none
            },
            // The day of a small Enterprise edition, and a session of two hours [seen].
            Kind::Salesforce => Self {
                daily: 100_000,
                concurrency: 25,
                service_ms: 20,
                job_ms: 1_000,
                token_life_ms: 7_200_000,
                ..none
            },
            Kind::NetSuite => Self { concurrency: 5, service_ms: 10, ..none },
            Kind::Mailchimp => Self { concurrency: 10, ..none },
            Kind::Sink => none,
        }
    }
}

fn string_type() -> String {
    "string".to_owned()
}
