//! A simulated vendor: objects of a few kinds behind a small API, and everything that can go wrong before, during and
//! after a call. Keeps its own books: the oracle.

mod api;
mod batch;
mod ends;
pub(crate) mod habit;
mod jobs;
mod ties;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use connector::{Request, Response};
use serde_json::{Value, json};

use crate::driver::micros;
use crate::outside::response;
use crate::scenario::Class;

pub(crate) use self::habit::Habits;
pub use self::jobs::Moods;

/// How long a throttled vendor asks to be left alone, in microseconds.
const CLOSED_FOR: u64 = 1_000_000;
/// The header that says what is left.
pub(crate) const LEFT: &str = "x-left";
/// The longest a request and its answer travel, in microseconds.
const TRAVEL_MAX: u64 = 60_000;
/// Objects on one page of a listing.
pub(crate) const PAGE: usize = 20;

/// How likely each fault is, in thousandths of requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
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
    /// Of a request with a key that is new: 500 before the effect, kept under the key.
    pub keep_before: u64,
    /// The same after the effect.
    pub keep_after: u64,
    /// No answer, and the effect comes late.
    pub late: u64,
    /// 429 with Retry-After; now and then without, or a mere 403.
    pub throttle: u64,
    /// The answer takes almost as long as it may.
    pub slow: u64,
    /// Of a batch, some are done, some are not, and of some nothing is said.
    pub partial: u64,
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

/// An object.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Item {
    /// Its kind: the first part of its address.
    pub kind: String,
    /// The name it was given from outside.
    pub name: String,
    /// What it holds.
    pub fields: BTreeMap<String, Value>,
    /// When it was made, in virtual microseconds.
    pub created: u64,
    /// When it last changed, in virtual microseconds.
    pub changed: u64,
    /// Counts up over all changes of the vendor: the order of its states.
    pub revision: u64,
    /// Archived or deleted.
    pub gone: bool,
}

impl Item {
    /// Whether that is the key it was given at the source.
    pub(crate) fn name_is(&self, key: &str) -> bool {
        self.fields.get("key").and_then(Value::as_str) == Some(key)
    }
}

/// One effect, as the vendor saw it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Effect {
    /// The object.
    pub id: u64,
    /// Its kind.
    pub kind: String,
    /// The name it was given from outside.
    pub name: String,
    /// Whether it made the object.
    pub created: bool,
    /// What was written.
    pub fields: BTreeMap<String, Value>,
    /// When, in virtual microseconds.
    pub at: u64,
}

impl Effect {
    /// The number that names record and order.
    pub(crate) fn value(&self) -> Option<i64> {
        self.fields.get("value").and_then(Value::as_i64)
    }
}

/// A vendor and its books.
#[derive(Clone, Debug)]
pub struct Vendor {
    class: Class,
    next_id: u64,
    revision: u64,
    pub(crate) objects: BTreeMap<u64, Item>,
    /// Native keys: key → (since, body, answer).
    keys: BTreeMap<String, (u64, Vec<u8>, Response)>,
    /// How long it remembers a key.
    key_life: Option<u64>,
    /// Keys of requests that it has taken and not answered yet.
    in_flight: BTreeSet<String>,
    /// Whether the token that it is called with is over.
    expired: bool,
    /// The limit whose rest its answers tell: so many calls in so many microseconds.
    tells: Option<(u64, u64)>,
    /// Every effect in order.
    pub(crate) effects: Vec<Effect>,
    /// Requests by time, in virtual microseconds.
    pub(crate) calls: Vec<u64>,
    /// How many of them were about jobs.
    pub(crate) looks: usize,
    /// When it last asked to be left alone.
    closed_at: Option<u64>,
    /// Calls that came although it had asked to be left alone (I12).
    pub(crate) impatient: u64,
    /// When it last failed a call, in virtual microseconds.
    pub(crate) failed_at: Option<u64>,
    /// When it had asked for that.
    pub(crate) ignored: u64,
    /// Values of `key` that it does not take just now.
    pub(crate) refused: BTreeSet<String>,
    /// Values of `key` at which it breaks.
    pub(crate) broken: BTreeSet<String>,
    /// Whether it refuses a batch whole when one of it is invalid.
    strict: bool,
    /// Whether a second of one name is refused, with the id of the first.
    unique: bool,
    /// How the next batch goes.
    struck: Option<u64>,
    /// Of each intent that came in a batch: what it said.
    said: BTreeMap<String, Value>,
    /// Jobs that were begun.
    jobs: BTreeMap<u64, jobs::Job>,
    /// What becomes of jobs.
    moods: Moods,
    /// An intent said something else when it came again, or a key came with other bytes (I3).
    pub(crate) torn: u64,
    /// What it does to what it is given, and how it shows it.
    habits: Habits,
    /// Of each object, how it stood after each change, where that is remembered.
    pub(crate) past: BTreeMap<u64, Vec<Item>>,
    /// What each object that was merged away goes on as.
    merged: BTreeMap<u64, u64>,
    /// How a replica that lags answers the read that is under way.
    replica: Option<habit::Replica>,
    /// Writes whose answer said nothing, or something else than what was done.
    pub(crate) mishaps: u64,
}

impl Vendor {
    /// An empty vendor.
    #[must_use]
    pub fn new(class: Class) -> Self {
        Self {
            class,
            next_id: 0,
            revision: 0,
            objects: BTreeMap::new(),
            keys: BTreeMap::new(),
            key_life: None,
            in_flight: BTreeSet::new(),
            expired: false,
            tells: None,
            effects: Vec::new(),
            calls: Vec::new(),
            looks: 0,
            closed_at: None,
            impatient: 0,
            failed_at: None,
            ignored: 0,
            refused: BTreeSet::new(),
            broken: BTreeSet::new(),
            strict: false,
            unique: false,
            struck: None,
            said: BTreeMap::new(),
            jobs: BTreeMap::new(),
            moods: Moods::default(),
            torn: 0,
            habits: Habits::default(),
            past: BTreeMap::new(),
            merged: BTreeMap::new(),
            replica: None,
            mishaps: 0,
        }
    }

    /// It forgets idempotency keys after that time.
    #[must_use]
    pub fn forgetting_keys(mut self, after: Duration) -> Self {
        self.key_life = Some(micros(after));
        self
    }

    /// Each answer says what is left of that limit, as far as it is this caller's.
    pub(crate) const fn telling(mut self, size: u64, per: u64) -> Self {
        self.tells = Some((size, per));
        self
    }

    /// The token that it is called with is over, or a fresh one is there.
    pub(crate) const fn expire(&mut self, expired: bool) {
        self.expired = expired;
    }

    pub(crate) fn serve(&mut self, request: &Request, now: u64, random: u64, faults: &Faults) -> Reply {
        self.replica = self.habits.replica(request, now, random);
        let mut reply = self.answer(request, now, random, faults);
        if let (Reply::Answer(answer, _), Some((size, per))) = (&mut reply, self.tells) {
            let used = self.calls.iter().rev().take_while(|at| **at + per > now).count() as u64;
            let left = size.saturating_sub(used).to_string();
            answer.headers.push((LEFT.to_owned(), left));
        }
        let failed = match &reply {
            Reply::Answer(answer, after) => answer.status >= 500 || *after > request.timeout_ms * 1_000,
            Reply::Refused | Reply::Lost(_) | Reply::Late(_) => true,
        };
        if failed {
            self.failed_at = Some(now);
            self.mishaps += u64::from(request.method != "GET");
        }
        reply
    }

    fn answer(&mut self, request: &Request, now: u64, random: u64, faults: &Faults) -> Reply {
        self.calls.push(now);
        self.looks += usize::from(request.method == "GET" && request.path.contains("/jobs/"));
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
            self.ignored = self.closed_at.unwrap_or(0);
        }
        if hit(faults.throttle) {
            return Reply::Answer(self.throttled(now, random), takes);
        }
        if self.expired {
            return Reply::Answer(response(401, &json!({"error": "that token is over"})), takes);
        }
        if key(request).is_some_and(|key| self.in_flight.contains(key)) {
            return Reply::Answer(response(409, &json!({"error": "in flight"})), takes);
        }
        if hit(faults.fail_before) {
            return Reply::Answer(response(500, &json!({"error": "before"})), takes);
        }
        if request.method != "GET" && hit(faults.late) {
            self.in_flight.extend(key(request).filter(|_| self.class == Class::NativeKey).map(str::to_owned));
            return Reply::Late(takes + random % 900_000);
        }
        if self.is_new_key(request, now) {
            let before = hit(faults.keep_before);
            if before || hit(faults.keep_after) {
                return Reply::Answer(self.keep_failure(request, !before, now), takes);
            }
        }
        if is_batch(request) && hit(faults.partial) {
            self.strike(random >> 8);
        }
        let answer = self.apply(request, now);
        if hit(faults.fail_after) {
            return Reply::Answer(response(500, &json!({"error": "after"})), takes);
        }
        if hit(faults.lose) {
            return Reply::Lost(takes);
        }
        let takes = if hit(faults.slow) { takes + random % 900_000 } else { takes };
        Reply::Answer(answer, takes)
    }

    fn throttled(&mut self, now: u64, random: u64) -> Response {
        match random >> 40 & 7 {
            0 => response(403, &json!({"error": "too many"})),
            1 => response(429, &json!({"error": "slow down"})),
            _ => {
                self.closed_at = Some(now);
                let mut answer = response(429, &json!({"error": "slow down"}));
                answer.headers.push(("retry-after".to_owned(), "1".to_owned()));
                answer
            }
        }
    }

    fn is_new_key(&self, request: &Request, now: u64) -> bool {
        self.class == Class::NativeKey && key(request).is_some() && !self.remembers(request, now)
    }

    /// Fails, with or without the effect, and keeps that answer under the request's key.
    fn keep_failure(&mut self, request: &Request, effect: bool, now: u64) -> Response {
        if effect {
            self.apply(request, now);
        }
        let answer = response(500, &json!({"error": "kept"}));
        if let Some(key) = key(request) {
            self.keys.insert(key.to_owned(), (now, request.body.clone(), answer.clone()));
        }
        answer
    }

    fn remembers(&self, request: &Request, now: u64) -> bool {
        let known = key(request).and_then(|key| self.keys.get(key));
        known.is_some_and(|(since, ..)| self.key_life.is_none_or(|life| now < since + life))
    }

    /// The same key gets the same answer, and no second effect, as long as it is remembered.
    fn keyed(&mut self, request: &Request, now: u64, effect: impl FnOnce(&mut Self) -> Response) -> Response {
        let Some(key) = key(request).map(str::to_owned) else {
            return response(400, &json!({"error": "no key"}));
        };
        let known = self.remembers(request, now);
        if let Some((_, body, answer)) = self.keys.get(&key).filter(|_| known) {
            return if *body == request.body {
                let mut answer = answer.clone();
                answer.headers.push(("idempotent-replayed".to_owned(), "true".to_owned()));
                answer
            } else {
                self.torn += 1;
                response(422, &json!({"error": "same key, other body"}))
            };
        }
        let answer = effect(self);
        self.keys.insert(key, (now, request.body.clone(), answer.clone()));
        answer
    }

    /// Changes an object, whoever does.
    pub(crate) fn change(&mut self, id: u64, fields: &BTreeMap<String, Value>, now: u64) {
        self.revision += 1;
        if let Some(item) = self.objects.get_mut(&id) {
            item.revision = self.revision;
            item.changed = now;
            item.fields.extend(fields.iter().map(|(name, value)| (name.clone(), value.clone())));
            if self.habits.remembers {
                self.past.entry(id).or_default().push(item.clone());
            }
        }
    }

    /// The object as it is shown.
    pub(crate) fn shown(&self, id: u64) -> Option<Value> {
        self.objects.get(&id).map(|item| self.seen(id, item))
    }

    /// How the object looks as it stood then.
    fn seen(&self, id: u64, item: &Item) -> Value {
        let mut shown = json!(item.fields);
        self.habits.stamp(item, &mut shown);
        if let Some(fields) = shown.as_object_mut() {
            fields.insert("id".to_owned(), json!(id.to_string()));
            fields.insert("revision".to_owned(), json!(item.revision));
            fields.insert("at".to_owned(), json!(item.changed / 1000));
            fields.insert("gone".to_owned(), json!(item.gone));
        }
        shown
    }
}

/// The idempotency key that a request carries.
fn key(request: &Request) -> Option<&str> {
    let mut keys = request.headers.iter().filter(|(name, _)| name == "idempotency-key");
    keys.next().map(|(_, key)| key.as_str())
}

fn is_batch(request: &Request) -> bool {
    request.path.split('?').next().is_some_and(|path| path.ends_with("/batch") || path.ends_with("/jobs"))
}
