//! A Salesforce-shaped CRM: sessions by OAuth, records by id or external id, collections with a result for each record,
//! SOQL over what lives and what lies in the recycle bin, bulk jobs, merges, row locks, duplicate rules, and calls per day.
//!
//! Marks behind facts: [doc] read in the vendor's documents, [seen] seen in third-party code or notes that cite the
//! vendor, [unverified] from memory. What is simpler here than there: a row that somebody holds is refused at once and
//! not after ten seconds; a call's transaction ends when its answer is sent; `allOrNone: true` is not played.

mod bulk;
mod collection;
mod describe;
mod grant;
mod id;
mod query;
mod quota;
mod record;
mod replication;
mod schema;
mod soql;
#[cfg(test)]
mod tests;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::Method;
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::options::Property;
use crate::person::{Edit, EditError};
use crate::request::{Response, json as answer};
use crate::shelf::{Actor, Clash, Stamp};
use crate::system::{Desk, Refusal, Stay, System, stamp};
use crate::token::Tokens;
use crate::webhook::Batch;

/// Versions that are served: the newest [doc], and the oldest in which upserts answer with `created` [doc].
const VERSIONS: std::ops::RangeInclusive<u32> = 46..=66;
/// Versions up to this one are retired [seen].
const RETIRED: u32 = 30;
/// Somebody else is changing the row, or its parent's.
const LOCKED: &str = "UNABLE_TO_LOCK_ROW";

/// The CRM beside the shared desk.
#[derive(Debug)]
pub(crate) struct Salesforce {
    tokens: Tokens,
    codes: grant::Codes,
    schema: schema::Schema,
    quota: quota::Quota,
    cursors: query::Cursors,
    jobs: bulk::Jobs,
    /// Rows that a transaction holds, with its end; `None` while its caller waits for ever.
    locks: BTreeMap<String, Lock>,
    /// Rows that the request in hand has changed.
    touched: BTreeSet<String>,
    /// The user that integrations run as.
    user: String,
}

#[derive(Debug)]
struct Lock {
    ticket: u64,
    until_ms: Option<u64>,
}

/// An error in the vendor's words.
#[derive(Debug, Clone, PartialEq)]
struct Refused {
    status: u16,
    code: &'static str,
    message: String,
    /// Fields it is about; a refusal of a write has the list, even an empty one [doc].
    fields: Option<Vec<String>>,
    more: Option<(&'static str, Value)>,
}

type Outcome<T> = Result<T, Refused>;

impl Refused {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), fields: None, more: None }
    }

    /// A write that the record's own values forbid.
    fn write(code: &'static str, message: impl Into<String>, fields: &[&str]) -> Self {
        let fields = fields.iter().map(|name| (*name).to_owned()).collect();
        Self { fields: Some(fields), ..Self::new(400, code, message) }
    }

    fn missing() -> Self {
        Self::new(404, "NOT_FOUND", "The requested resource does not exist")
    }

    fn deleted() -> Self {
        Self { status: 404, ..Self::write("ENTITY_IS_DELETED", "entity is deleted", &[]) }
    }

    fn no_external_id(name: &str) -> Self {
        let message = format!("Provided external ID field does not exist or is not accessible: {name}");
        Self::new(404, "NOT_FOUND", message)
    }

    fn clash(clash: &Clash) -> Self {
        let message = format!(
            "duplicate value found: {} duplicates value on record with id: {}",
            clash.property, clash.holder
        );
        Self::write("DUPLICATE_VALUE", message, &[])
    }

    fn body(&self) -> Value {
        let mut body = json!({"message": self.message, "errorCode": self.code});
        if let Some(fields) = &self.fields {
            body["fields"] = json!(fields);
        }
        if let Some((name, value)) = &self.more {
            body[name] = value.clone();
        }
        body
    }

    /// The result of one record of a collection.
    fn result(&self) -> Value {
        let fields = self.fields.clone().unwrap_or_default();
        json!({"success": false, "errors": [{"statusCode": self.code, "message": self.message, "fields": fields}]})
    }

    fn answer(&self) -> Response {
        answer(self.status, &json!([self.body()]))
    }
}

impl Salesforce {
    pub(crate) fn new(desk: &mut Desk) -> Self {
        let schema = schema::Schema::standard(desk.options.strict_properties);
        let organisation = id::read(&desk.options.account).unwrap_or_else(|| desk.options.account.clone());
        let stamp = Stamp { actor: Actor::Person, now_ms: 0, key: None };
        let user = id::write(schema.prefix("User"), desk.fresh_number());
        let integration = [
            ("LastName", json!("Integration")),
            ("Name", json!("Integration")),
            ("Username", json!("integration@sandbox.test")),
            ("Email", json!("integration@sandbox.test")),
            ("IsActive", json!(true)),
        ];
        let company = [("Name", json!("Sandbox Subscriptions Ltd")), ("IsSandbox", json!(true))];
        let values = |pairs: &[(&str, Value)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
        };
        // An empty shelf has no clashes.
        drop(desk.shelf.create("User", &user, values(&integration), &stamp));
        drop(desk.shelf.create("Organization", &organisation, values(&company), &stamp));
        Self {
            tokens: Tokens::new(desk.options.refresh_token.clone()),
            codes: grant::Codes::default(),
            schema,
            quota: quota::Quota::default(),
            cursors: query::Cursors::default(),
            jobs: bulk::Jobs::default(),
            locks: BTreeMap::new(),
            touched: BTreeSet::new(),
            user,
        }
    }

    fn route(&mut self, desk: &mut Desk, call: &Call<'_>) -> Outcome<Response> {
        let segments = call.segments();
        let path: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
        let method = call.request.method();
        let rest = match path.as_slice() {
            ["services", "data"] => return Ok(versions()),
            ["services", "data", version, rest @ ..] => {
                served(version)?;
                rest
            }
            _ => return Err(Refused::missing()),
        };
        match (method, rest) {
            (&Method::GET, ["query"]) => self.query(desk, call, false),
            (&Method::GET, ["queryAll"]) => self.query(desk, call, true),
            (&Method::GET, ["query" | "queryAll", locator]) => self.next_page(desk, call, locator),
            (&Method::GET, ["limits"]) => Ok(self.quota.resource(&desk.options.limits)),
            (&Method::GET, ["sobjects"]) => Ok(self.describe_all()),
            (_, ["sobjects", kind, rest @ ..]) => {
                let kind = self.object(kind)?;
                self.sobject(desk, call, &kind, rest)
            }
            (_, ["composite", "sobjects", rest @ ..]) => self.collection(desk, call, rest),
            (_, ["jobs", "ingest", rest @ ..]) => self.bulk(desk, call, rest),
            _ => Err(Refused::missing()),
        }
    }

    fn sobject(&mut self, desk: &mut Desk, call: &Call<'_>, kind: &str, rest: &[&str]) -> Outcome<Response> {
        match (call.request.method(), rest) {
            (&Method::GET, ["describe"]) => Ok(self.describe(kind)),
            (&Method::GET, ["deleted"]) => self.deleted(desk, call, kind),
            (&Method::GET, ["updated"]) => self.updated(desk, call, kind),
            (&Method::POST, []) => self.post(desk, call, kind),
            (&Method::GET, [id]) => self.read(desk, call, kind, id),
            (&Method::PATCH, [id]) => self.patch(desk, call, kind, id),
            (&Method::DELETE, [id]) => self.delete(desk, call, kind, id),
            (&Method::GET, [field, value]) => self.read_by(desk, call, kind, field, value),
            (&Method::PATCH, [field, value]) => self.upsert(desk, call, kind, field, value),
            (method, _) => {
                let message =
                    format!("HTTP Method '{method}' not allowed. Allowed are HEAD,GET,PATCH,DELETE");
                Err(Refused::new(405, "METHOD_NOT_ALLOWED", message))
            }
        }
    }

    fn object(&mut self, name: &str) -> Outcome<String> {
        self.schema.object(name).ok_or_else(Refused::missing)
    }
}

impl System for Salesforce {
    fn operation(&self, call: &Call<'_>) -> &'static str {
        let path = call.path();
        let method = call.request.method().as_str();
        let depth = path.trim_matches('/').split('/').count();
        match method {
            _ if path.starts_with("/services/oauth2/") || path.starts_with("/id/") => "token",
            _ if path.contains("/query") => "query",
            "POST" if path.contains("/jobs/") => "job",
            "PUT" if path.contains("/jobs/") => "job_upload",
            "PATCH" if path.contains("/jobs/") => "job_change",
            _ if path.contains("/jobs/") => "job_read",
            "PATCH" if path.contains("/composite/sobjects/") => "collection_upsert",
            "PATCH" if path.contains("/composite/") => "collection_update",
            _ if path.contains("/composite/") => "collection",
            "POST" => "create",
            "PATCH" if depth > 6 => "upsert",
            "PATCH" => "update",
            "DELETE" => "delete",
            _ => "read",
        }
    }

    fn serve(&mut self, desk: &mut Desk, call: &Call<'_>) -> Response {
        self.touched.clear();
        if let Some(response) = self.grant(desk, call) {
            return response;
        }
        if !call.late {
            if !call.bearer().is_some_and(|token| self.tokens.valid(token, call.now_ms)) {
                return Refused::new(401, "INVALID_SESSION_ID", "Session expired or invalid").answer();
            }
            if !self.quota.take(&desk.options.limits, call.now_ms) {
                let message = "TotalRequests Limit exceeded.";
                let refused = Refused::new(403, "REQUEST_LIMIT_EXCEEDED", message).answer();
                return self.quota.header(&desk.options.limits, refused);
            }
        }
        let response = self.route(desk, call).unwrap_or_else(|refused| {
            if refused.code == LOCKED {
                desk.faults.note("row_locked");
            }
            refused.answer()
        });
        self.quota.header(&desk.options.limits, response)
    }

    fn refuse(&mut self, desk: &mut Desk, refusal: Refusal) -> Response {
        let refused = match refusal {
            // Of calls that take long only so many may run at once: the day's code, in other words [seen].
            Refusal::Throttled { .. } | Refusal::Crowded => {
                Refused::new(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.")
            }
            Refusal::Broken(status @ (502..=504)) => {
                Refused::new(status, "SERVER_UNAVAILABLE", "The service is not available. Try again later.")
            }
            Refusal::Broken(status) => {
                let message = "An unexpected error occurred. Please include this ErrorId if you contact support: sandbox";
                Refused::new(status, "UNKNOWN_EXCEPTION", message)
            }
        };
        self.quota.header(&desk.options.limits, refused.answer())
    }

    fn edit(&mut self, desk: &mut Desk, edit: Edit, now_ms: u64) -> Result<String, EditError> {
        let stamp = Stamp { actor: Actor::Person, now_ms, key: None };
        let (Edit::Create { object_type, .. }
        | Edit::Update { object_type, .. }
        | Edit::Delete { object_type, .. }
        | Edit::Merge { object_type, .. }) = &edit;
        let object_type = object_type.clone();
        let missing = |id: &str| EditError::missing(&object_type, id);
        let said = |refused: Refused| EditError::refused(&object_type, refused.message);
        let kind = self.schema.object(&object_type).ok_or_else(|| missing(""))?;
        match edit {
            Edit::Create { values, .. } => {
                let given: Map<String, Value> = values.into_iter().collect();
                self.create(desk, &kind, &given, &stamp).map_err(said)
            }
            Edit::Update { id, values, .. } => {
                let given: Map<String, Value> = values.into_iter().collect();
                let id = self.find(desk, &kind, &id).map_err(|_| missing(&id))?;
                self.update(desk, &kind, &id, &given, &stamp).map_err(said)?;
                Ok(id)
            }
            Edit::Delete { id, .. } => {
                let id = self.find(desk, &kind, &id).map_err(|_| missing(&id))?;
                self.bin(desk, &kind, &id, &stamp);
                Ok(id)
            }
            Edit::Merge { keep, gone, .. } => {
                let keep = self.find(desk, &kind, &keep).map_err(|_| missing(&keep))?;
                let gone = self.find(desk, &kind, &gone).map_err(|_| missing(&gone))?;
                self.merge(desk, &kind, &keep, &gone, &stamp).map_err(said)?;
                Ok(keep)
            }
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
        // Every credential is an issued session, so this can always be done.
        self.tokens.expire_any();
        true
    }

    fn revoke(&mut self, revoked: bool) {
        self.tokens.revoke(revoked);
    }

    fn define(&mut self, desk: &mut Desk, property: Property) -> Result<(), String> {
        self.schema.declare(&mut desk.shelf, &property)
    }

    /// What a request has changed stays locked until it is answered.
    fn after(&mut self, _desk: &mut Desk, _call: &Call<'_>, _response: &Response, stay: Option<Stay>) {
        let rows = std::mem::take(&mut self.touched);
        let Some(Stay { ticket, until_ms }) = stay else { return };
        self.locks.extend(rows.into_iter().map(|row| (row, Lock { ticket, until_ms })));
    }

    fn finished(&mut self, ticket: u64, _now_ms: u64) {
        self.locks.retain(|_, lock| lock.ticket != ticket);
    }
}

/// The versions, as they are listed for anybody.
fn versions() -> Response {
    let one = |version: u32| {
        let label = format!("Release {version}");
        json!({"label": label, "url": format!("/services/data/v{version}.0"), "version": format!("{version}.0")})
    };
    answer(200, &VERSIONS.map(one).collect())
}

fn served(version: &str) -> Outcome<()> {
    let number =
        version.strip_prefix('v').and_then(|rest| rest.strip_suffix(".0")).and_then(|text| text.parse().ok());
    match number {
        Some(number) if VERSIONS.contains(&number) => Ok(()),
        // What a retired version answers is [unverified].
        Some(number @ 1..) if number <= RETIRED => {
            Err(Refused::new(410, "UNSUPPORTED_API_VERSION", "The requested API version is retired."))
        }
        _ => Err(Refused::missing()),
    }
}

/// A time as records show it: in whole seconds, with milliseconds that are always 0 [seen].
fn moment(ms: u64) -> String {
    stamp(ms, "%Y-%m-%dT%H:%M:%S.000+0000")
}
