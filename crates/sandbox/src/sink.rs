//! A plain JSON target for benches and fault tests: `PUT /{lane}/{key}`, `POST /{lane}`, `GET /{lane}/{key}`.
//! Its books
//! say per lane what came twice and what came backwards. With a ttl it honours `Idempotency-Key` as payment vendors
//! do: the stored result, 500s included, for a known key; 409 while the first is in flight; 400 for other content.

mod idempotency;
mod peek;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use http::Method;
use serde_json::json;

use crate::books::{LaneBook, order};
use crate::call::Call;
use crate::person::{Edit, EditError};
use crate::request::{Response, empty, json as answer, typed, with_header};
use crate::system::{Desk, Refusal, Stay, System};
use crate::token::Tokens;
use crate::webhook::Batch;

/// The sink beside the shared desk.
#[derive(Debug)]
pub(crate) struct Sink {
    tokens: Tokens,
    lanes: BTreeMap<String, Lane>,
    keys: idempotency::Keys,
}

/// What a lane holds. Keys are only looked up, never walked, so their order can't show.
#[derive(Debug, Default)]
struct Lane {
    book: LaneBook,
    held: HashMap<String, Held>,
}

#[derive(Debug, Default)]
struct Held {
    id: Option<String>,
    version: Option<String>,
    body: Option<Bytes>,
}

impl Sink {
    pub(crate) fn new(desk: &Desk) -> Self {
        Self {
            tokens: Tokens::new(desk.options.refresh_token.clone()),
            lanes: BTreeMap::new(),
            keys: idempotency::Keys::default(),
        }
    }

    fn authorised(&self, desk: &Desk, call: &Call<'_>) -> bool {
        if call.expired || self.tokens.revoked() {
            return false;
        }
        if desk.options.credential.is_empty() {
            return true;
        }
        call.bearer()
            .is_some_and(|token| token == desk.options.credential || self.tokens.valid(token, call.now_ms))
    }

    fn write(&mut self, desk: &Desk, call: &Call<'_>, lane: &str, key: Option<&str>) -> Response {
        let peeked = match peek::fields(
            call.request.body(),
            &desk.options.business_id,
            &desk.options.version_property,
        ) {
            Ok(peeked) => peeked,
            Err(error) => {
                return answer(400, &json!({"error": format!("the body is no JSON object: {error}")}));
            }
        };
        let Some(key) = key.or(peeked.id.as_deref()) else {
            let error = format!("the body lacks {:?}, the id of the record", desk.options.business_id);
            return answer(422, &json!({ "error": error }));
        };
        if !self.lanes.contains_key(lane) {
            self.lanes.insert(lane.to_owned(), Lane::default());
        }
        // The entry was made just above.
        let Some(held) = self.lanes.get_mut(lane) else { return empty(500) };
        let create = call.request.method() == Method::POST;
        let created = held.put(
            key,
            (peeked.id.clone(), peeked.version),
            create,
            desk.options.keep_bodies.then(|| call.request.body().clone()),
        );
        typed(if created { 201 } else { 200 }, "application/json", Bytes::from_static(b"{\"ok\":true}"))
    }

    fn read(&self, lane: &str, key: &str) -> Response {
        match self.lanes.get(lane).and_then(|lane| lane.held.get(key)) {
            Some(Held { body: Some(body), .. }) => typed(200, "application/json", body.clone()),
            Some(Held { version, .. }) => answer(200, &json!({"version": version})),
            None => answer(404, &json!({"error": format!("lane {lane} holds no {key}")})),
        }
    }
}

impl Lane {
    /// Books one write; true when the key is new.
    fn put(
        &mut self,
        key: &str,
        (id, version): (Option<String>, Option<String>),
        create: bool,
        body: Option<Bytes>,
    ) -> bool {
        self.book.received += 1;
        let Some(held) = self.held.get_mut(key) else {
            self.book.unique += 1;
            self.held.insert(key.to_owned(), Held { id, version, body });
            return true;
        };
        let order = match (&version, &held.version) {
            (Some(new), Some(old)) => Some(order(new, old)),
            _ => None,
        };
        if create || order.is_some_and(|order| order.is_eq()) {
            self.book.duplicates += 1;
        }
        if order.is_some_and(|order| order.is_lt()) {
            // The high-water mark stays, so that each overtaken write counts once.
            self.book.backwards += 1;
        } else {
            held.version = version;
        }
        held.body = body;
        false
    }
}

impl Lane {
    fn read_out(&self) -> LaneBook {
        let mut book = self.book.clone();
        for (key, held) in &self.held {
            if let Some(id) = &held.id {
                book.records.entry(id.clone()).or_default().insert(key.clone(), held.version.clone());
            }
        }
        book
    }
}

impl System for Sink {
    fn operation(&self, call: &Call<'_>) -> &'static str {
        match call.request.method().as_str() {
            "PUT" => "put",
            "POST" if call.path() == "/oauth/token" => "token",
            "POST" => "post",
            _ => "read",
        }
    }

    fn serve(&mut self, desk: &mut Desk, call: &Call<'_>) -> Response {
        let method = call.request.method();
        if call.path() == "/oauth/token" && method == Method::POST {
            let (life_ms, rotate) = (desk.options.limits.token_life_ms, desk.options.rotate_refresh);
            return self.tokens.refresh(&call.form(), &mut desk.entropy, call.now_ms, life_ms, rotate);
        }
        if !call.late && !self.authorised(desk, call) {
            let answer = answer(401, &json!({"error": "the bearer token is missing, unknown or expired"}));
            return with_header(answer, "www-authenticate", "Bearer");
        }
        let segments = call.segments();
        match (method, segments.as_slice()) {
            (&Method::GET, []) => answer(200, &json!({"account": desk.options.account})),
            (&Method::PUT, [lane, key]) => self.write(desk, call, lane, Some(key)),
            (&Method::POST, [lane]) => self.write(desk, call, lane, None),
            (&Method::GET, [lane, key]) => self.read(lane, key),
            _ => answer(404, &json!({"error": "use PUT /{lane}/{key}, POST /{lane} or GET /{lane}/{key}"})),
        }
    }

    fn refuse(&mut self, _desk: &mut Desk, refusal: Refusal) -> Response {
        match refusal {
            Refusal::Throttled { retry_after_s } => {
                let answer = answer(429, &json!({"error": "too many requests"}));
                match retry_after_s {
                    Some(seconds) => with_header(answer, "retry-after", &seconds.to_string()),
                    None => answer,
                }
            }
            Refusal::Crowded => answer(429, &json!({"error": "too many requests at once"})),
            Refusal::Broken(status) => answer(status, &json!({"error": "internal error"})),
        }
    }

    fn edit(&mut self, _desk: &mut Desk, edit: Edit, _now_ms: u64) -> Result<String, EditError> {
        let edit = match edit {
            Edit::Create { .. } => "create",
            Edit::Update { .. } => "update",
            Edit::Delete { .. } => "delete",
            Edit::Merge { .. } => "merge",
        };
        Err(EditError::Unsupported { edit })
    }

    fn webhook(
        &self,
        _desk: &Desk,
        _batch: &Batch,
        _now_ms: u64,
    ) -> Result<http::Request<Bytes>, http::Error> {
        // Nothing is ever emitted.
        http::Request::post("").body(Bytes::new())
    }

    fn expire_tokens(&mut self) -> bool {
        self.tokens.expire_any()
    }

    fn revoke(&mut self, revoked: bool) {
        self.tokens.revoke(revoked);
    }

    fn before(&mut self, desk: &mut Desk, call: &Call<'_>) -> Option<Response> {
        if desk.options.idempotency_ttl_ms == 0 || !self.authorised(desk, call) {
            return None;
        }
        let known = self.keys.look_up(call)?;
        if let Some(lane) = call.segments().first().and_then(|lane| self.lanes.get_mut(lane.as_ref())) {
            lane.book.replayed += u64::from(known.replayed);
        }
        Some(known.response)
    }

    fn after(&mut self, desk: &mut Desk, call: &Call<'_>, response: &Response, stay: Option<Stay>) {
        let ttl_ms = desk.options.idempotency_ttl_ms;
        // A request that was turned away before it ran leaves no result.
        if ttl_ms > 0 && response.status() != 401 {
            self.keys.store(call, response, stay, ttl_ms);
        }
    }

    fn finished(&mut self, ticket: u64, now_ms: u64) {
        self.keys.finished(ticket, now_ms);
    }

    fn lanes(&self) -> BTreeMap<String, LaneBook> {
        self.lanes.iter().map(|(name, lane)| (name.clone(), lane.read_out())).collect()
    }
}
