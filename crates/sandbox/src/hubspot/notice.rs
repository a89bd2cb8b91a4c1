//! Thin webhook events and the signed request that carries a batch of them.

#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::Request;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::objects::notice_id;
use super::{HubSpot, portal, property};
use crate::request::{decode, hex};
use crate::shelf::{Actor, Stamp};
use crate::system::Desk;
use crate::webhook::Batch;

const APP_ID: u64 = 4_100_001;

impl HubSpot {
    /// Queues an event such as `contact.propertyChange`.
    pub(super) fn notify(
        &mut self,
        desk: &mut Desk,
        kind: &str,
        what: &str,
        id: &str,
        extra: &[(&str, Value)],
        stamp: &Stamp,
    ) {
        let subscription = format!("{}.{what}", singular(kind));
        let next = 900_001 + self.subscriptions.len() as u64;
        let number = *self.subscriptions.entry(subscription.clone()).or_insert(next);
        let (source, source_id) = match stamp.actor {
            Actor::Integration => ("INTEGRATION", APP_ID.to_string()),
            Actor::Person => ("CRM_UI", "userId:7001".to_owned()),
        };
        let mut event = json!({
            "eventId": desk.entropy.below(1 << 32), "subscriptionId": number, "portalId": portal(desk), "appId": APP_ID,
            "occurredAt": stamp.now_ms, "subscriptionType": subscription, "attemptNumber": 0,
            "objectId": notice_id(id), "objectTypeId": property::type_id(kind), "changeSource": source,
            "sourceId": source_id,
        });
        for (name, value) in extra {
            event[*name] = value.clone();
        }
        let flag = match what {
            "creation" => Some("CREATED"),
            "deletion" => Some("DELETED"),
            "merge" => Some("MERGED"),
            _ => None,
        };
        if let Some(flag) = flag {
            event["changeFlag"] = json!(flag);
        }
        let parcel = desk.faults.parcel(stamp.now_ms, &mut desk.entropy);
        let delay_ms = desk.options.limits.webhook_delay_ms;
        desk.outbox.emit(&subscription, &event, parcel, stamp.now_ms, delay_ms);
    }
}

pub(super) fn request(desk: &Desk, batch: &Batch, now_ms: u64) -> Result<Request<Bytes>, http::Error> {
    let (url, secret) = match desk.outbox.target() {
        Some(target) => (target.url.as_str(), target.secret.as_str()),
        None => ("", ""),
    };
    let mut events = batch.events.clone();
    for event in &mut events {
        event["attemptNumber"] = json!(batch.attempt);
    }
    let body = Value::Array(events).to_string();
    Request::post(url)
        .header("content-type", "application/json")
        .header("user-agent", "HubSpot Connect 2.0 (http://dev.hubspot.com/) - WebHooks")
        .header("x-hubspot-signature-version", "v1")
        .header("x-hubspot-signature", signature_v1(secret, &body))
        .header("x-hubspot-request-timestamp", now_ms.to_string())
        .header("x-hubspot-signature-v3", signature_v3(secret, "POST", url, &body, now_ms))
        .body(Bytes::from(body))
}

/// Hex SHA-256 of secret and body: still sent to CRM object subscriptions, without replay protection.
pub(super) fn signature_v1(secret: &str, body: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(secret);
    hash.update(body);
    hex(&hash.finalize())
}

/// Base64 HMAC-SHA256 of method, decoded URI, body and timestamp.
pub(super) fn signature_v3(secret: &str, method: &str, url: &str, body: &str, now_ms: u64) -> String {
    // HMAC takes keys of any length; the empty result can't verify anywhere.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(method.as_bytes());
    mac.update(decode(url, false).as_bytes());
    mac.update(body.as_bytes());
    mac.update(now_ms.to_string().as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The name events carry: the vendor's own types have one each, all others share `object` and go by their type id.
fn singular(kind: &str) -> &'static str {
    match kind {
        "contacts" => "contact",
        "companies" => "company",
        "deals" => "deal",
        "products" => "product",
        "leads" => "lead",
        "orders" => "order",
        "invoices" => "invoice",
        "subscriptions" => "subscription",
        _ => "object",
    }
}
