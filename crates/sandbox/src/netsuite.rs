//! A NetSuite-shaped ERP: tokens for signed assertions, records by internal id or `eid:`, SuiteQL, and one limit that
//! counts: requests in service for the whole account. It sends no webhooks, and names no quota.

mod grant;
mod query;
mod record;
mod suiteql;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::call::Call;
use crate::person::{Edit, EditError};
use crate::request::{Response, empty, typed, with_header};
use crate::shelf::{Actor, Stamp};
use crate::system::{Desk, Refusal, System};
use crate::token::Tokens;
use crate::webhook::Batch;

const ERROR_TYPE: &str = "application/vnd.oracle.resource+json; type=error";
const PLAIN_TYPE: &str = "application/vnd.oracle.resource+json; type=singular";

/// Record types as REST spells them; others are kept as first spelt.
const KNOWN: [&str; 17] = [
    "account",
    "contact",
    "creditMemo",
    "currency",
    "customer",
    "customerPayment",
    "employee",
    "inventoryItem",
    "invoice",
    "nonInventorySaleItem",
    "opportunity",
    "salesOrder",
    "serviceSaleItem",
    "subscription",
    "subsidiary",
    "term",
    "vendor",
];

/// The ERP beside the shared desk.
#[derive(Debug)]
pub(crate) struct NetSuite {
    tokens: Tokens,
    /// Spelling of record types by their lower case.
    spelling: BTreeMap<String, String>,
    /// Last document number by prefix.
    numbers: BTreeMap<&'static str, u64>,
}

/// An error in the vendor's words.
#[derive(Debug, Clone, PartialEq)]
struct Refused {
    status: u16,
    code: &'static str,
    detail: String,
    path: Option<String>,
}

type Outcome<T> = Result<T, Refused>;

impl Refused {
    fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), path: None }
    }

    fn invalid(code: &'static str, detail: impl std::fmt::Display, path: &str) -> Self {
        let detail = format!("Error while accessing a resource. {detail}");
        Self { status: 400, code, detail, path: (!path.is_empty()).then(|| path.to_owned()) }
    }

    fn missing() -> Self {
        let detail = "The record instance does not exist. Provide a valid record instance ID.";
        Self::new(404, "NONEXISTENT_ID", detail)
    }

    fn answer(&self) -> Response {
        let (title, section) = match self.status {
            400 => ("Bad Request", "15.5.1"),
            401 => ("Unauthorized", "15.5.2"),
            404 => ("Not Found", "15.5.5"),
            405 => ("Method Not Allowed", "15.5.6"),
            429 => ("Too Many Requests", "15.5.30"),
            504 => ("Gateway Timeout", "15.6.5"),
            _ => ("Internal Server Error", "15.6.1"),
        };
        let mut detail = json!({"detail": self.detail, "o:errorCode": self.code});
        if let Some(path) = &self.path {
            detail["o:errorPath"] = json!(path);
        }
        let body = json!({
            "type": format!("https://www.rfc-editor.org/rfc/rfc9110.html#section-{section}"),
            "title": title, "status": self.status, "o:errorDetails": [detail],
        });
        typed(self.status, ERROR_TYPE, body.to_string())
    }
}

impl NetSuite {
    pub(crate) fn new(desk: &mut Desk) -> Self {
        let spelling = KNOWN.iter().map(|name| (name.to_lowercase(), (*name).to_owned())).collect();
        for name in KNOWN {
            // An empty shelf has no clashes.
            drop(desk.shelf.declare_unique(name, "externalId"));
        }
        Self { tokens: Tokens::new(String::new()), spelling, numbers: BTreeMap::new() }
    }

    /// The spelling a record type is kept under; a new type is learnt.
    fn spelt(&mut self, desk: &mut Desk, kind: &str) -> String {
        let folded = kind.to_lowercase();
        if let Some(known) = self.spelling.get(&folded) {
            return known.clone();
        }
        drop(desk.shelf.declare_unique(kind, "externalId"));
        self.spelling.insert(folded, kind.to_owned());
        kind.to_owned()
    }

    fn route(&mut self, desk: &mut Desk, call: &Call<'_>) -> Outcome<Response> {
        let segments = call.segments();
        let path: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
        let ["services", "rest", rest @ ..] = path.as_slice() else { return Err(unrouted(call)) };
        match (call.request.method(), rest) {
            (&Method::GET, ["record", "v1"] | ["whoami"]) => Ok(identity(desk)),
            (&Method::POST, ["query", "v1", "suiteql"]) => self.query(desk, call),
            (&Method::GET, ["record", "v1", kind]) => self.list(desk, call, kind),
            (&Method::POST, ["record", "v1", kind]) => self.post(desk, call, kind),
            (&Method::GET, ["record", "v1", kind, id]) => self.read(desk, call, kind, id),
            (&Method::PUT, ["record", "v1", kind, id]) => self.put(desk, call, kind, id),
            (&Method::PATCH, ["record", "v1", kind, id]) => self.patch(desk, call, kind, id),
            (&Method::DELETE, ["record", "v1", kind, id]) => self.delete(desk, call, kind, id),
            _ => Err(unrouted(call)),
        }
    }
}

impl System for NetSuite {
    fn operation(&self, call: &Call<'_>) -> &'static str {
        let path = call.path();
        match call.request.method().as_str() {
            "POST" if path.contains("/auth/oauth2/") => "token",
            "POST" if path.contains("/query/") => "query",
            "POST" => "create",
            "PUT" => "upsert",
            "PATCH" => "update",
            "DELETE" => "delete",
            _ => "read",
        }
    }

    fn serve(&mut self, desk: &mut Desk, call: &Call<'_>) -> Response {
        if call.path() == grant::PATH && call.request.method() == Method::POST {
            return self.grant(desk, call);
        }
        let authorised = call.bearer().is_some_and(|token| self.tokens.valid(token, call.now_ms));
        if !authorised && !call.late {
            let detail = "Invalid login attempt. For more details, see the Login Audit Trail in the NetSuite UI at \
                          Setup > Users/Roles > User Management > View Login Audit Trail.";
            let answer = Refused::new(401, "INVALID_LOGIN", detail).answer();
            let challenge = format!(
                "Bearer realm=\"{}\", error=\"invalid_token\", error_description=\"expired or revoked\"",
                desk.options.account
            );
            return with_header(answer, "www-authenticate", &challenge);
        }
        self.route(desk, call).unwrap_or_else(|refused| refused.answer())
    }

    fn refuse(&mut self, _desk: &mut Desk, refusal: Refusal) -> Response {
        match refusal {
            Refusal::Throttled { retry_after_s } => {
                let answer = crowded();
                match retry_after_s {
                    Some(seconds) => with_header(answer, "retry-after", &seconds.to_string()),
                    None => answer,
                }
            }
            Refusal::Crowded => crowded(),
            Refusal::Broken(status) => {
                let detail = "An unexpected error occurred. Error ID: sandbox";
                Refused::new(status, "UNEXPECTED_ERROR", detail).answer()
            }
        }
    }

    fn edit(&mut self, desk: &mut Desk, edit: Edit, now_ms: u64) -> Result<String, EditError> {
        let stamp = Stamp { actor: Actor::Person, now_ms, key: None };
        match edit {
            Edit::Create { object_type, values } => {
                let kind = self.spelt(desk, &object_type);
                let said = |refused: Refused| EditError::refused(&object_type, refused.detail);
                self.create(desk, &kind, values, &stamp).map_err(said)
            }
            Edit::Update { object_type, id, values } => {
                let kind = self.spelt(desk, &object_type);
                let found = self.find(desk, &kind, &id).map_err(|_| EditError::missing(&object_type, &id))?;
                let said = |refused: Refused| EditError::refused(&object_type, refused.detail);
                self.update(desk, &kind, &found, values, &[], &stamp).map_err(said)?;
                Ok(found)
            }
            Edit::Delete { object_type, id } => {
                let kind = self.spelt(desk, &object_type);
                let found = self.find(desk, &kind, &id).map_err(|_| EditError::missing(&object_type, &id))?;
                desk.shelf.archive(&kind, &found, &stamp);
                Ok(found)
            }
            Edit::Merge { .. } => Err(EditError::Unsupported { edit: "merge" }),
        }
    }

    fn webhook(
        &self,
        _desk: &Desk,
        _batch: &Batch,
        _now_ms: u64,
    ) -> Result<http::Request<Bytes>, http::Error> {
        // Nothing is ever emitted; an unparsable URI keeps this honest should that change.
        http::Request::post("").body(Bytes::new())
    }

    fn expire_tokens(&mut self) -> bool {
        // Every credential is an issued token, so this can always be done.
        self.tokens.expire_any();
        true
    }

    fn revoke(&mut self, revoked: bool) {
        self.tokens.revoke(revoked);
    }
}

fn identity(desk: &Desk) -> Response {
    let body = json!({
        "accountId": desk.options.account, "companyName": "Sandbox Subscriptions Ltd", "roleId": "3",
        "links": [],
    });
    typed(200, PLAIN_TYPE, body.to_string())
}

fn crowded() -> Response {
    let detail = "Concurrent request limit exceeded. Request blocked.";
    Refused::new(429, "CONCURRENCY_LIMIT_EXCEEDED", detail).answer()
}

fn unrouted(call: &Call<'_>) -> Refused {
    let detail = format!("Invalid URL or method: {} {}", call.request.method(), call.path());
    Refused::new(404, "INVALID_URL", detail)
}

/// 204 with the address of the record.
fn located(call: &Call<'_>, kind: &str, id: &str) -> Response {
    let location = format!("{}/services/rest/record/v1/{kind}/{id}", call.origin());
    with_header(empty(204), "location", &location)
}

fn body_object(call: &Call<'_>) -> Outcome<BTreeMap<String, Value>> {
    let wrong = |why: String| {
        Refused::invalid("INVALID_CONTENT", format!("Invalid content in the request body: {why}."), "")
    };
    match call.body().map_err(wrong)? {
        Value::Object(map) => Ok(map.into_iter().collect()),
        _ => Err(wrong("it must be an object".to_owned())),
    }
}
