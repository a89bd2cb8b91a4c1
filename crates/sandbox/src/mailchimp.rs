//! A Mailchimp-shaped marketing system: audiences of members addressed by the hash of their e-mail address, consent
//! that can't be taken back by a caller, ten connections, and unsigned webhooks.

mod hook;
mod members;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::call::Call;
use crate::options::WebhookTarget;
use crate::person::{Edit, EditError};
use crate::request::{Response, empty, json as answer, problem, with_header};
use crate::shelf::{Actor, Stamp};
use crate::system::{Desk, Refusal, System};
use crate::webhook::Batch;

/// The marketing system beside the shared desk.
#[derive(Debug, Default)]
pub(crate) struct Mailchimp {
    revoked: bool,
    /// Members deleted for good, by audience and hash; they can't be added again.
    forgotten: BTreeSet<(String, String)>,
}

/// An error in the vendor's words.
#[derive(Debug, Clone, PartialEq)]
struct Refused {
    status: u16,
    title: &'static str,
    detail: String,
    errors: Vec<(String, String)>,
}

type Outcome<T> = Result<T, Refused>;

impl Refused {
    fn new(status: u16, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, title, detail: detail.into(), errors: Vec::new() }
    }

    fn missing() -> Self {
        Self::new(404, "Resource Not Found", "The requested resource could not be found.")
    }

    fn field(field: &str, message: impl Into<String>) -> Self {
        let detail = "The resource submitted could not be validated. For field-specific details, see the 'errors' array.";
        Self {
            errors: vec![(field.to_owned(), message.into())],
            ..Self::new(400, "Invalid Resource", detail)
        }
    }

    fn unreadable(why: String) -> Self {
        Self::new(400, "JSON Parse Error", format!("We encountered an unspecified JSON parsing error: {why}"))
    }

    fn answer(&self, desk: &mut Desk) -> Response {
        let mut body = json!({
            "type": "https://mailchimp.com/developer/marketing/docs/errors/", "title": self.title,
            "status": self.status, "detail": self.detail, "instance": desk.entropy.uuid(),
        });
        if !self.errors.is_empty() {
            let errors =
                self.errors.iter().map(|(field, message)| json!({"field": field, "message": message}));
            body["errors"] = errors.collect();
        }
        problem(self.status, &body)
    }
}

impl Mailchimp {
    pub(crate) fn new(desk: &mut Desk) -> Self {
        for list in desk.options.lists.clone() {
            // An empty shelf has no clashes.
            drop(desk.shelf.declare_unique(&list, "unique_email_id"));
        }
        Self::default()
    }

    fn authorised(&self, desk: &Desk, call: &Call<'_>) -> bool {
        if self.revoked || call.expired {
            return false;
        }
        if let Some(token) = call.bearer() {
            return token == desk.options.credential;
        }
        let Some((scheme, encoded)) = call.header("authorization").and_then(|value| value.split_once(' '))
        else {
            return false;
        };
        let decoded = STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let key = decoded.as_deref().and_then(|pair| pair.split_once(':')).map(|(_, key)| key);
        scheme.eq_ignore_ascii_case("basic") && key == Some(desk.options.credential.as_str())
    }

    fn route(&mut self, desk: &mut Desk, call: &Call<'_>) -> Outcome<Response> {
        let segments = call.segments();
        let path: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
        let ["3.0", path @ ..] = path.as_slice() else { return Err(Refused::missing()) };
        if let ["lists", list, ..] = path
            && !desk.options.lists.iter().any(|known| known == list)
        {
            return Err(Refused::missing());
        }
        match (call.request.method(), path) {
            (&Method::GET, []) => Ok(account(desk)),
            (&Method::GET, ["ping"]) => Ok(answer(200, &json!({"health_status": "Everything's Chimpy!"}))),
            (&Method::GET, ["lists"]) => {
                let lists: Vec<Value> = desk.options.lists.iter().map(|list| audience(desk, list)).collect();
                Ok(answer(200, &json!({"lists": lists, "total_items": lists.len()})))
            }
            (&Method::GET, ["lists", list]) => Ok(answer(200, &audience(desk, list))),
            (_, ["lists", list, "webhooks", rest @ ..]) => self.webhooks(desk, call, list, rest),
            (&Method::GET, ["lists", list, "members"]) => self.list(desk, call, list),
            (&Method::POST, ["lists", list, "members"]) => self.post(desk, call, list),
            (&Method::GET, ["lists", list, "members", who]) => self.read(desk, list, who),
            (&Method::PUT, ["lists", list, "members", who]) => self.put(desk, call, list, who),
            (&Method::PATCH, ["lists", list, "members", who]) => self.patch(desk, call, list, who),
            (&Method::DELETE, ["lists", list, "members", who]) => self.archive(desk, call, list, who),
            (&Method::POST, ["lists", list, "members", who, "actions", "delete-permanent"]) => {
                self.forget(desk, call, list, who)
            }
            (&Method::POST, ["lists", list, "members", who, "events"]) => self.event(desk, call, list, who),
            (&Method::POST, ["lists", list, "members", who, "tags"]) => self.tag(desk, call, list, who),
            (&Method::GET, ["lists", list, "members", who, "tags"]) => self.tags(desk, list, who),
            _ => Err(Refused::missing()),
        }
    }

    fn webhooks(&mut self, desk: &mut Desk, call: &Call<'_>, list: &str, rest: &[&str]) -> Outcome<Response> {
        let shown = |target: &WebhookTarget| {
            json!({
                "id": "e1b2c3d4f5", "url": target.url, "events": target.events, "list_id": list,
                "sources": {"user": true, "admin": true, "api": true},
            })
        };
        match (call.request.method(), rest) {
            (&Method::GET, []) => {
                let all: Vec<Value> = desk.outbox.target().map(shown).into_iter().collect();
                Ok(answer(200, &json!({"webhooks": all, "list_id": list, "total_items": all.len()})))
            }
            (&Method::POST, []) => {
                let body = call.body().map_err(Refused::unreadable)?;
                let url = body.get("url").and_then(Value::as_str).filter(|url| url.starts_with("http"));
                let url = url.ok_or_else(|| Refused::field("url", "This value should be a valid URL."))?;
                let wanted = body.get("events").and_then(Value::as_object).into_iter().flatten();
                let events =
                    wanted.filter(|(_, on)| **on == json!(true)).map(|(name, _)| name.clone()).collect();
                let target = WebhookTarget { url: url.to_owned(), secret: String::new(), events };
                let body = shown(&target);
                // The vendor looks the URL up within this call; here the look-up follows, and events wait for it.
                desk.outbox.aim(Some(target), true, call.now_ms);
                Ok(answer(200, &body))
            }
            (&Method::DELETE, [_]) => {
                desk.outbox.aim(None, true, call.now_ms);
                Ok(empty(204))
            }
            _ => Err(Refused::missing()),
        }
    }
}

impl System for Mailchimp {
    fn operation(&self, call: &Call<'_>) -> &'static str {
        let path = call.path();
        match call.request.method().as_str() {
            "POST" if path.ends_with("/events") => "event",
            _ if path.ends_with("/tags") => "tags",
            "PUT" => "upsert",
            "PATCH" => "update",
            "POST" => "create",
            "DELETE" => "archive",
            _ if path.ends_with("/members") => "list",
            _ => "read",
        }
    }

    fn serve(&mut self, desk: &mut Desk, call: &Call<'_>) -> Response {
        if !call.late && !self.authorised(desk, call) {
            let detail = "Your API key may be invalid, or you've attempted to access the wrong datacenter.";
            return Refused::new(401, "API Key Invalid", detail).answer(desk);
        }
        self.route(desk, call).unwrap_or_else(|refused| refused.answer(desk))
    }

    fn refuse(&mut self, desk: &mut Desk, refusal: Refusal) -> Response {
        let (refused, retry_after_s) = match refusal {
            Refusal::Throttled { retry_after_s } => (crowded(desk), retry_after_s),
            Refusal::Crowded => (crowded(desk), None),
            Refusal::Broken(status) => {
                let detail =
                    "An unexpected internal error has occurred. Please contact Support for more information.";
                (Refused::new(status, "InternalServerError", detail), None)
            }
        };
        let response = refused.answer(desk);
        match retry_after_s {
            Some(seconds) => with_header(response, "retry-after", &seconds.to_string()),
            None => response,
        }
    }

    fn edit(&mut self, desk: &mut Desk, edit: Edit, now_ms: u64) -> Result<String, EditError> {
        let stamp = Stamp { actor: Actor::Person, now_ms, key: None };
        let (list, who, values) = match edit {
            Edit::Create { object_type, values } => (object_type, None, Some(values)),
            Edit::Update { object_type, id, values } => (object_type, Some(id), Some(values)),
            Edit::Delete { object_type, id } => (object_type, Some(id), None),
            Edit::Merge { .. } => return Err(EditError::Unsupported { edit: "merge" }),
        };
        if !desk.options.lists.contains(&list) {
            return Err(EditError::refused(
                &list,
                format!("no such audience: there is {:?}", desk.options.lists),
            ));
        }
        let said = |refused: Refused| {
            let reasons: Vec<String> =
                refused.errors.iter().map(|(field, why)| format!("{field}: {why}")).collect();
            EditError::refused(&list, format!("{} {}", refused.detail, reasons.join("; ")))
        };
        let found = match &who {
            None => None,
            Some(id) => {
                let hash = members::hash_of(id);
                if desk.shelf.live(&list, &hash).is_none() {
                    return Err(EditError::missing(&list, id));
                }
                Some(hash)
            }
        };
        match (found, values) {
            (None, values) => self.add(desk, &list, values.unwrap_or_default(), &stamp).map_err(said),
            (Some(hash), Some(values)) => self.change(desk, &list, &hash, values, &stamp).map_err(said),
            (Some(hash), None) => {
                self.remove(desk, &list, &hash, &stamp);
                Ok(hash)
            }
        }
    }

    fn webhook(&self, desk: &Desk, batch: &Batch, _now_ms: u64) -> Result<http::Request<Bytes>, http::Error> {
        hook::request(desk, batch)
    }

    fn expire_tokens(&mut self) -> bool {
        false
    }

    fn revoke(&mut self, revoked: bool) {
        self.revoked = revoked;
    }
}

fn account(desk: &Desk) -> Response {
    let total: usize = desk
        .options
        .lists
        .iter()
        .map(|list| desk.shelf.all(list).filter(|member| member.live()).count())
        .sum();
    answer(
        200,
        &json!({
            "account_id": desk.options.account, "login_id": "1100", "account_name": "Sandbox Subscriptions Ltd",
            "email": "owner@example.test", "role": "owner", "total_subscribers": total,
        }),
    )
}

fn audience(desk: &Desk, list: &str) -> Value {
    let live = desk.shelf.all(list).filter(|member| member.live());
    let (mut members, mut unsubscribed) = (0, 0);
    for member in live {
        match member.values.get("status").and_then(Value::as_str) {
            Some("subscribed") => members += 1,
            Some("unsubscribed") => unsubscribed += 1,
            _ => {}
        }
    }
    json!({"id": list, "name": list, "stats": {"member_count": members, "unsubscribe_count": unsubscribed}})
}

fn crowded(desk: &Desk) -> Refused {
    let most = desk.options.limits.concurrency;
    let detail = format!("You have exceeded the limit of {most} simultaneous connections.");
    Refused::new(429, "Too Many Requests", detail)
}
