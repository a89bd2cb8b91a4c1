//! Unsigned, form-encoded webhooks: whoever knows the URL can send them, so they are hints at most.

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use super::Mailchimp;
use crate::request::encode;
use crate::shelf::{Stamp, text};
use crate::system::{Desk, stamp as time};
use crate::webhook::Batch;

impl Mailchimp {
    /// Queues an event such as `profile` about a member.
    pub(super) fn notify(
        &mut self,
        desk: &mut Desk,
        list: &str,
        kind: &str,
        hash: &str,
        extra: &[(&str, Value)],
        stamp: &Stamp,
    ) {
        let Some(member) = desk.shelf.get(list, hash) else { return };
        let email = member.values.get("email_address").and_then(text).unwrap_or_default();
        let unique = member.values.get("unique_email_id").and_then(text).unwrap_or_default();
        let mut data = json!({
            "id": unique, "email": email, "email_type": "html", "list_id": list,
            "web_id": member.values.get("web_id").and_then(text).unwrap_or_default(),
        });
        let merges = member.values.get("merge_fields").and_then(Value::as_object).into_iter().flatten();
        data["merges[EMAIL]"] = json!(email);
        for (name, value) in merges {
            data[format!("merges[{name}]")] = json!(text(value).unwrap_or_default());
        }
        for (name, value) in extra {
            data[*name] = value.clone();
        }
        if kind == "upemail" {
            data["new_id"] = json!(unique);
        }
        let event = json!({"type": kind, "fired_at": time(stamp.now_ms, "%Y-%m-%d %H:%M:%S"), "data": data});
        let parcel = desk.faults.parcel(stamp.now_ms, &mut desk.entropy);
        let delay_ms = desk.options.limits.webhook_delay_ms;
        desk.outbox.emit(kind, &event, parcel, stamp.now_ms, delay_ms);
    }
}

pub(super) fn request(desk: &Desk, batch: &Batch) -> Result<Request<Bytes>, http::Error> {
    let url = desk.outbox.target().map_or("", |target| target.url.as_str());
    if batch.validation {
        return Request::get(url).header("user-agent", "MailChimp WebHook Validator").body(Bytes::new());
    }
    let mut form = String::new();
    for event in &batch.events {
        for name in ["type", "fired_at"] {
            push(&mut form, name, event.get(name));
        }
        for (name, value) in event.get("data").and_then(Value::as_object).into_iter().flatten() {
            let name = match name.split_once('[') {
                Some((outer, inner)) => format!("data[{outer}][{inner}"),
                None => format!("data[{name}]"),
            };
            push(&mut form, &name, Some(value));
        }
    }
    Request::post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("user-agent", "MailChimp")
        .body(Bytes::from(form))
}

fn push(form: &mut String, name: &str, value: Option<&Value>) {
    if !form.is_empty() {
        form.push('&');
    }
    form.push_str(&encode(name));
    form.push('=');
    form.push_str(&encode(&value.and_then(text).unwrap_or_default()));
}
