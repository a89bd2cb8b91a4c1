//! Simulated targets: a tiny system per idempotency class, that can refuse, lose answers, apply late, fail before or
//! after the effect, and throttle. Keeps its own books: the oracle.

use std::collections::BTreeMap;

use connector::{Request, Response};
use serde_json::{Value, json};

use crate::driver::response;
use crate::scenario::Class;

/// How long a throttled target asks to be left alone, in microseconds.
const CLOSED_FOR: u64 = 1_000_000;
/// The longest a request and its answer travel, in microseconds.
const TRAVEL_MAX: u64 = 60_000;

/// How likely each fault is, in thousandths of requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Connection refused: certainly no effect.
    pub refuse: u64,
    /// The effect happens, the answer is lost.
    pub lose: u64,
    /// The request is lost on its way, and nobody can know.
    pub vanish: u64,
    /// 500 before the effect.
    pub fail_before: u64,
    /// 500 after the effect.
    pub fail_after: u64,
    /// No answer, and the effect comes late.
    pub late: u64,
    /// 429 with Retry-After.
    pub throttle: u64,
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Reply {
    /// An answer, after so many microseconds.
    Answer(Response, u64),
    /// Never arrived.
    Refused,
    /// Applied or not; the connection breaks after so many microseconds.
    Lost(u64),
    /// Not applied yet: it will be after so many microseconds; no answer.
    Late(u64),
}

/// One effect, as the target saw it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Effect {
    /// The object.
    pub id: u64,
    /// The key it was given from outside.
    pub key: String,
    /// The value written.
    pub value: i64,
    /// When, in virtual microseconds.
    pub at: u64,
}

/// A target and its books.
#[derive(Clone, Debug)]
pub struct Target {
    class: Class,
    next_id: u64,
    /// id → (key, value, created at).
    pub(crate) objects: BTreeMap<u64, (String, i64, u64)>,
    /// What the target itself owns of an object: written by integrations or by its people.
    pub(crate) notes: BTreeMap<u64, String>,
    /// The source's own key of each object, as its body says.
    pub(crate) labels: BTreeMap<u64, String>,
    /// Native keys: key → (body, answer).
    keys: BTreeMap<String, (Vec<u8>, Response)>,
    /// Every effect in order.
    pub(crate) effects: Vec<Effect>,
    /// Requests by time, in virtual microseconds.
    pub(crate) calls: Vec<u64>,
    /// When it last asked to be left alone.
    closed_at: Option<u64>,
    /// Calls that came although it had asked to be left alone (I12).
    pub(crate) impatient: u64,
}

impl Target {
    /// An empty target.
    #[must_use]
    pub fn new(class: Class) -> Self {
        Self {
            class,
            next_id: 0,
            objects: BTreeMap::new(),
            notes: BTreeMap::new(),
            labels: BTreeMap::new(),
            keys: BTreeMap::new(),
            effects: Vec::new(),
            calls: Vec::new(),
            closed_at: None,
            impatient: 0,
        }
    }

    pub(crate) fn serve(&mut self, request: &Request, now: u64, random: u64, faults: &Faults) -> Reply {
        self.calls.push(now);
        let takes = 500 + random % 8_000;
        let mut dice = (random >> 20) % 1000;
        let mut hit = |share: u64| {
            let hit = dice < share;
            dice = dice.wrapping_sub(if hit { 0 } else { share });
            hit
        };
        if hit(faults.refuse) {
            return Reply::Refused;
        }
        if hit(faults.vanish) {
            return Reply::Lost(takes);
        }
        // What was under way when it said so does not count.
        if self.closed_at.is_some_and(|at| now > at + TRAVEL_MAX && now < at + CLOSED_FOR) {
            self.impatient += 1;
        }
        if hit(faults.throttle) {
            self.closed_at = Some(now);
            let mut answer = response(429, &json!({"error": "slow down"}));
            answer.headers.push(("retry-after".to_owned(), "1".to_owned()));
            return Reply::Answer(answer, takes);
        }
        if hit(faults.fail_before) {
            return Reply::Answer(response(500, &json!({"error": "before"})), takes);
        }
        if request.method != "GET" && hit(faults.late) {
            return Reply::Late(takes + random % 900_000);
        }
        let answer = self.apply(request, now);
        if hit(faults.fail_after) {
            return Reply::Answer(response(500, &json!({"error": "after"})), takes);
        }
        if hit(faults.lose) {
            return Reply::Lost(takes);
        }
        Reply::Answer(answer, takes)
    }

    /// What the request does, and the answer it would get.
    pub(crate) fn apply(&mut self, request: &Request, now: u64) -> Response {
        let path = request.path.split('?').next().unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        let key = body.get("key").and_then(Value::as_str).unwrap_or(&name).to_owned();
        let value = body.get("value").and_then(Value::as_i64);
        let note = body.get("note").and_then(Value::as_str).map(str::to_owned);
        let answer = self.act(request, &name, &key, value, now);
        let id = serde_json::from_slice::<Value>(&answer.body).ok();
        let id = id.as_ref().and_then(|body| body.get("id")?.as_str()?.parse().ok());
        if let (Some(id), Some(note)) = (id, note) {
            self.notes.insert(id, note);
        }
        if let (Some(id), Some(label)) = (id, body.get("key").and_then(Value::as_str)) {
            self.labels.insert(id, label.to_owned());
        }
        answer
    }

    fn act(&mut self, request: &Request, name: &str, key: &str, value: Option<i64>, now: u64) -> Response {
        match (request.method.as_str(), self.class) {
            ("GET", _) => self.search(request, now),
            ("PUT", Class::Upsert) => {
                let id = self.objects.iter().find(|(_, (known, ..))| known == name).map(|(id, _)| *id);
                let created = id.is_none();
                let id = id.unwrap_or_else(|| self.create(name, now));
                self.write(id, value, now);
                response(if created { 201 } else { 200 }, &json!({"id": id.to_string()}))
            }
            ("POST", Class::NativeKey) => self.keyed(request, |target| {
                let id = target.create(key, now);
                target.write(id, value, now);
                response(201, &json!({"id": id.to_string()}))
            }),
            ("PATCH", Class::NativeKey) => self.keyed(request, |target| target.patch(name, value, now)),
            ("POST", _) => {
                let id = self.create(key, now);
                self.write(id, value, now);
                response(201, &json!({"id": id.to_string()}))
            }
            ("PATCH" | "PUT", _) => self.patch(name, value, now),
            _ => response(405, &json!({"error": "no such method"})),
        }
    }

    /// The same key gets the same answer, and no second effect.
    fn keyed(&mut self, request: &Request, effect: impl FnOnce(&mut Self) -> Response) -> Response {
        let key =
            request.headers.iter().find(|(name, _)| name == "idempotency-key").map(|(_, key)| key.clone());
        let Some(key) = key else { return response(400, &json!({"error": "no key"})) };
        if let Some((body, answer)) = self.keys.get(&key) {
            return if *body == request.body {
                answer.clone()
            } else {
                response(422, &json!({"error": "same key, other body"}))
            };
        }
        let answer = effect(self);
        self.keys.insert(key, (request.body.clone(), answer.clone()));
        answer
    }

    fn patch(&mut self, name: &str, value: Option<i64>, now: u64) -> Response {
        match name.parse().ok().filter(|id| self.objects.contains_key(id)) {
            Some(id) => {
                self.write(id, value, now);
                response(200, &json!({"id": id.to_string()}))
            }
            None => response(404, &json!({"error": "no such object"})),
        }
    }

    fn create(&mut self, key: &str, now: u64) -> u64 {
        self.next_id += 1;
        self.objects.insert(self.next_id, (key.to_owned(), i64::MIN, now));
        self.next_id
    }

    fn write(&mut self, id: u64, value: Option<i64>, now: u64) {
        if let (Some(object), Some(value)) = (self.objects.get_mut(&id), value) {
            object.1 = value;
            self.effects.push(Effect { id, key: object.0.clone(), value, at: now });
        }
    }

    /// Finds by key what is old enough for the index.
    fn search(&self, request: &Request, now: u64) -> Response {
        let key = request.path.split("key=").nth(1).unwrap_or_default().split('&').next().unwrap_or_default();
        let seen = self
            .objects
            .iter()
            .filter(|(_, (known, _, created))| known == key && now >= created + Class::INDEX_LAG_MS * 1_000);
        let items: Vec<Value> = seen.map(|(id, _)| json!({"id": id.to_string()})).collect();
        response(200, &json!({"items": items}))
    }
}
