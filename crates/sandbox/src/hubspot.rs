//! A HubSpot-shaped CRM: bearer tokens, objects with string properties, batch upsert by unique property, a lagging
//! search, rolling quotas, and signed webhooks.

mod association;
mod batch;
mod notice;
mod objects;
mod property;
mod quota;
mod search;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::call::Call;
use crate::options::Property;
use crate::person::{Edit, EditError};
use crate::request::{Response, empty, json as answer};
use crate::shelf::{Actor, Stamp};
use crate::system::{Desk, Refusal, System};
use crate::token::Tokens;
use crate::webhook::Batch;

/// The CRM beside the shared desk.
#[derive(Debug)]
pub(crate) struct HubSpot {
    tokens: Tokens,
    quota: quota::Quota,
    properties: property::Properties,
    associations: association::Associations,
    /// Ids that went in a merge, by type, with the id that stands for them.
    aliases: BTreeMap<(String, String), String>,
    subscriptions: BTreeMap<String, u64>,
}

/// An error in the vendor's words.
#[derive(Debug, Clone, PartialEq)]
struct Refused {
    status: u16,
    category: &'static str,
    message: String,
    errors: Vec<Value>,
    context: Option<Value>,
}

type Outcome<T> = Result<T, Refused>;

impl Refused {
    fn new(status: u16, category: &'static str, message: impl Into<String>) -> Self {
        Self { status, category, message: message.into(), errors: Vec::new(), context: None }
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "VALIDATION_ERROR", message)
    }

    fn missing() -> Self {
        Self::new(404, "OBJECT_NOT_FOUND", "Object not found.  objectId are usually numeric.")
    }

    /// The body, as an answer of its own or as one of a batch's errors.
    fn body(&self) -> Value {
        let mut body = json!({"status": "error", "message": self.message, "category": self.category});
        if !self.errors.is_empty() {
            body["errors"] = Value::Array(self.errors.clone());
        }
        if let Some(context) = &self.context {
            body["context"] = context.clone();
        }
        body
    }

    fn answer(&self, desk: &mut Desk) -> Response {
        let mut body = self.body();
        body["correlationId"] = Value::String(desk.entropy.uuid());
        answer(self.status, &body)
    }
}

impl HubSpot {
    pub(crate) fn new(desk: &mut Desk) -> Self {
        let mut system = Self {
            tokens: Tokens::new(desk.options.refresh_token.clone()),
            quota: quota::Quota::default(),
            properties: property::Properties::standard(),
            associations: association::Associations::default(),
            aliases: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
        };
        let email = Property {
            object_type: "contacts".to_owned(),
            name: "email".to_owned(),
            value_type: "string".to_owned(),
            has_unique_value: true,
            options: Vec::new(),
        };
        // An empty shelf has no duplicates.
        drop(system.define(desk, email));
        system
    }

    fn authorised(&self, desk: &Desk, call: &Call<'_>) -> bool {
        let Some(token) = call.bearer() else { return false };
        let standing = token == desk.options.credential && !self.tokens.revoked() && !call.expired;
        standing || self.tokens.valid(token, call.now_ms)
    }

    fn route(&mut self, desk: &mut Desk, call: &Call<'_>) -> Outcome<Response> {
        let segments = call.segments();
        let path: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
        let method = call.request.method();
        match (method, path.as_slice()) {
            (&Method::GET, ["account-info", _, "details"]) => Ok(account(desk)),
            (_, ["crm", "v3", "properties", kind, rest @ ..]) => {
                self.properties_endpoint(desk, call, property::plural(kind), rest)
            }
            // The version segment comes after `objects` in the dated paths.
            (_, ["crm", "v3", "objects", kind, rest @ ..]) | (_, ["crm", "objects", _, kind, rest @ ..]) => {
                self.objects_endpoint(desk, call, property::plural(kind), rest)
            }
            (_, ["crm", "v4", "objects", from, id, "associations", rest @ ..]) => {
                self.associations_endpoint(desk, call, property::plural(from), id, rest)
            }
            (&Method::POST, ["crm", "v4", "associations", from, to, "batch", rest @ ..]) => {
                self.associations_batch(desk, call, property::plural(from), property::plural(to), rest)
            }
            _ => Err(unrouted(method, call.path())),
        }
    }

    fn objects_endpoint(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        kind: &str,
        rest: &[&str],
    ) -> Outcome<Response> {
        match (call.request.method(), rest) {
            (&Method::POST, []) => self.create_one(desk, call, kind),
            (&Method::GET, []) => self.list(desk, call, kind),
            (&Method::POST, ["search"]) => self.search(desk, call, kind),
            (&Method::POST, ["merge"]) => self.merge_two(desk, call, kind),
            (&Method::POST, ["batch", what]) => self.batch(desk, call, kind, what),
            (&Method::GET, [id]) => self.read_one(desk, call, kind, id),
            (&Method::PATCH, [id]) => self.update_one(desk, call, kind, id),
            (&Method::DELETE, [id]) => self.archive_one(desk, call, kind, id),
            (method, _) => Err(unrouted(method, call.path())),
        }
    }
}

impl System for HubSpot {
    fn operation(&self, call: &Call<'_>) -> &'static str {
        let path = call.path();
        match call.request.method().as_str() {
            _ if path.ends_with("/oauth/v1/token") => "token",
            "DELETE" if path.contains("/associations/") => "dissociate",
            _ if path.contains("/associations") => "associate",
            _ if path.contains("/properties/") => "properties",
            "POST" if path.ends_with("/search") => "search",
            "POST" if path.ends_with("/batch/upsert") => "batch_upsert",
            "POST" if path.ends_with("/batch/read") => "batch_read",
            "POST" if path.contains("/batch/") => "batch",
            "POST" if path.ends_with("/merge") => "merge",
            "POST" => "create",
            "PATCH" => "update",
            "DELETE" => "archive",
            _ if path.starts_with("/account-info/") => "identity",
            _ => "read",
        }
    }

    fn serve(&mut self, desk: &mut Desk, call: &Call<'_>) -> Response {
        if call.path() == "/oauth/v1/token" && call.request.method() == Method::POST {
            let (life_ms, rotate) = (desk.options.limits.token_life_ms, desk.options.rotate_refresh);
            return self.tokens.refresh(&call.form(), &mut desk.entropy, call.now_ms, life_ms, rotate);
        }
        let search = call.path().ends_with("/search");
        if !call.late {
            if !self.authorised(desk, call) {
                return self.unauthorised(desk, call);
            }
            if let Err(policy) = self.quota.take(&desk.options.limits, search, call.now_ms) {
                return too_many(desk, policy, None);
            }
        }
        let response = match self.route(desk, call) {
            Ok(response) => response,
            Err(refused) => refused.answer(desk),
        };
        if search { response } else { self.quota.headers(&desk.options.limits, response) }
    }

    fn refuse(&mut self, desk: &mut Desk, refusal: Refusal) -> Response {
        match refusal {
            Refusal::Throttled { retry_after_s } => too_many(desk, "TEN_SECONDLY_ROLLING", retry_after_s),
            Refusal::Crowded => too_many(desk, "CONCURRENT", None),
            Refusal::Broken(status) => Refused::new(status, "INTERNAL_ERROR", "internal error").answer(desk),
        }
    }

    fn edit(&mut self, desk: &mut Desk, edit: Edit, now_ms: u64) -> Result<String, EditError> {
        let stamp = Stamp { actor: Actor::Person, now_ms, key: None };
        match edit {
            Edit::Create { object_type, values } => {
                let kind = property::plural(&object_type);
                let said = |refused: Refused| EditError::refused(&object_type, refused.message);
                self.create(desk, kind, &values.into_iter().collect(), &stamp).map_err(said)
            }
            Edit::Update { object_type, id, values } => {
                let kind = property::plural(&object_type);
                let id = self.resolve(desk, kind, &id).map_err(|_| EditError::missing(&object_type, &id))?;
                let said = |refused: Refused| EditError::refused(&object_type, refused.message);
                self.update(desk, kind, &id, &values.into_iter().collect(), &stamp).map_err(said)?;
                Ok(id)
            }
            Edit::Delete { object_type, id } => {
                let kind = property::plural(&object_type);
                let id = self.resolve(desk, kind, &id).map_err(|_| EditError::missing(&object_type, &id))?;
                self.archive(desk, kind, &id, &stamp);
                Ok(id)
            }
            Edit::Merge { object_type, keep, gone } => {
                let said = |refused: Refused| EditError::refused(&object_type, refused.message);
                self.merge(desk, property::plural(&object_type), &keep, &gone, &stamp).map_err(said)
            }
        }
    }

    fn webhook(&self, desk: &Desk, batch: &Batch, now_ms: u64) -> Result<http::Request<Bytes>, http::Error> {
        notice::request(desk, batch, now_ms)
    }

    fn expire_tokens(&mut self) -> bool {
        self.tokens.expire_any()
    }

    fn revoke(&mut self, revoked: bool) {
        self.tokens.revoke(revoked);
    }

    fn define(&mut self, desk: &mut Desk, property: Property) -> Result<(), String> {
        self.properties.declare(&mut desk.shelf, property)
    }
}

impl HubSpot {
    fn unauthorised(&self, desk: &mut Desk, call: &Call<'_>) -> Response {
        let issued = call.bearer().is_some_and(|token| token.starts_with("sbx-")) || call.expired;
        let refused = if issued {
            let message = "The OAuth token used to make this call expired.";
            Refused::new(401, "EXPIRED_AUTHENTICATION", message)
        } else {
            let message = "Authentication credentials not found. This API supports OAuth 2.0 authentication and \
                           you can find more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview";
            Refused::new(401, "INVALID_AUTHENTICATION", message)
        };
        refused.answer(desk)
    }
}

fn account(desk: &Desk) -> Response {
    let portal = portal(desk);
    answer(
        200,
        &json!({
            "portalId": portal, "accountType": "STANDARD", "timeZone": "Europe/Dublin", "companyCurrency": "EUR",
            "additionalCurrencies": [], "utcOffset": "+00:00", "utcOffsetMilliseconds": 0,
            "uiDomain": "app.hubspot.com", "dataHostingLocation": "eu1",
        }),
    )
}

fn portal(desk: &Desk) -> u64 {
    desk.options.account.parse().unwrap_or(0)
}

fn unrouted(method: &Method, path: &str) -> Refused {
    Refused::new(404, "OBJECT_NOT_FOUND", format!("Unable to handle {method} {path} (resource not found)"))
}

fn too_many(desk: &mut Desk, policy: &'static str, retry_after_s: Option<u64>) -> Response {
    let message = match policy {
        "SECONDLY" => "You have reached your secondly limit.",
        "DAILY" => "You have reached your daily limit.",
        "CONCURRENT" => "You have reached your concurrent request limit.",
        _ => "You have reached your ten_secondly_rolling limit.",
    };
    let response = answer(
        429,
        &json!({
            "status": "error", "message": message, "errorType": "RATE_LIMIT", "category": "RATE_LIMITS",
            "policyName": policy, "correlationId": desk.entropy.uuid(),
        }),
    );
    match retry_after_s {
        Some(seconds) => crate::request::with_header(response, "retry-after", &seconds.to_string()),
        None => response,
    }
}

fn no_content() -> Response {
    empty(204)
}
