//! The vendor's API: what a request that arrives does to its objects, and the answer it would get.

use std::collections::BTreeMap;

use connector::{Request, Response};
use serde_json::{Value, json};

use super::{Effect, Item, PAGE, Vendor, key};
use crate::outside::response;
use crate::scenario::Class;

impl Vendor {
    /// What the request does, and the answer it would get.
    pub(crate) fn apply(&mut self, request: &Request, now: u64) -> Response {
        self.work(now);
        if let Some(key) = key(request) {
            self.in_flight.remove(key);
        }
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let mut parts = path.trim_matches('/').splitn(2, '/');
        let (kind, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let body: BTreeMap<String, Value> = serde_json::from_slice(&request.body).unwrap_or_default();
        let refused = body.get("key").and_then(Value::as_str).is_some_and(|key| self.refused.contains(key));
        if body.get("key").and_then(Value::as_str).is_some_and(|key| self.broken.contains(key)) {
            return response(503, &json!({"error": "that was too much"}));
        }
        // What a key has done already is answered from memory.
        if refused && !self.remembers(request, now) {
            return response(422, &json!({"error": "not valid here"}));
        }
        if let Some(answer) = self.tie(&request.method, name) {
            return answer;
        }
        let ordered = query.contains("ordered=");
        match (request.method.as_str(), self.class) {
            ("POST", Class::NativeKey) if name == "batch" => {
                self.keyed(request, now, |vendor| vendor.batch(kind, request, ordered, now))
            }
            ("POST", Class::NativeKey) if name == "jobs" => {
                self.keyed(request, now, |vendor| vendor.begin(kind, request, now))
            }
            ("POST", _) if name == "jobs" => self.begin(kind, request, now),
            ("GET", _) if name.starts_with("jobs/") => self.job(name, ordered, now),
            ("POST", _) if name == "batch" => self.batch(kind, request, ordered, now),
            ("GET", _) if kind == "account" => response(200, &json!({"id": "the one"})),
            ("GET", _) if name.is_empty() && query.contains("since=") => self.list(kind, query),
            ("GET", _) if name.is_empty() => self.search(kind, query, now),
            ("GET", _) => self.get(kind, name),
            ("PUT", Class::Upsert) => self.upsert(kind, name, body, now),
            ("POST", Class::NativeKey) => self.keyed(request, now, |vendor| vendor.make(kind, body, now)),
            ("PATCH", Class::NativeKey) => {
                self.keyed(request, now, |vendor| vendor.patch(kind, name, body, now))
            }
            ("POST", _) => self.make(kind, body, now),
            ("PATCH" | "PUT", _) => self.patch(kind, name, body, now),
            ("DELETE", _) => self.archive(kind, name, now),
            _ => response(405, &json!({"error": "no such method"})),
        }
    }

    pub(super) fn upsert(
        &mut self,
        kind: &str,
        name: &str,
        body: BTreeMap<String, Value>,
        now: u64,
    ) -> Response {
        let known =
            self.objects.iter().find(|(_, item)| item.kind == kind && item.name == name && !item.gone);
        match known.map(|(id, _)| *id) {
            Some(id) => self.written(id, body, false, now, 200),
            None => match self.holder(kind, body.get("key").and_then(Value::as_str)) {
                Some(id) => response(409, &json!({"error": "it is there", "id": id.to_string()})),
                None => {
                    let id = self.insert(kind, name.to_owned(), now);
                    self.written(id, body, true, now, 201)
                }
            },
        }
    }

    pub(super) fn make(&mut self, kind: &str, body: BTreeMap<String, Value>, now: u64) -> Response {
        let name = body.get("key").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(id) = self.holder(kind, Some(&name)) {
            return response(409, &json!({"error": "it is there", "id": id.to_string()}));
        }
        let id = self.insert(kind, name, now);
        self.written(id, body, true, now, 201)
    }

    pub(super) fn patch(
        &mut self,
        kind: &str,
        name: &str,
        body: BTreeMap<String, Value>,
        now: u64,
    ) -> Response {
        match self.standing(kind, name) {
            Some(id) => self.written(id, body, false, now, 200),
            None => response(404, &json!({"error": "no such object"})),
        }
    }

    fn archive(&mut self, kind: &str, name: &str, now: u64) -> Response {
        let Some(id) = self.standing(kind, name) else {
            return response(404, &json!({"error": "no such object"}));
        };
        let answer = self.written(id, BTreeMap::new(), false, now, 200);
        if let Some(item) = self.objects.get_mut(&id) {
            item.gone = true;
        }
        answer
    }

    fn standing(&self, kind: &str, name: &str) -> Option<u64> {
        let id = name.parse().ok()?;
        self.objects.get(&id).filter(|item| item.kind == kind && !item.gone).map(|_| id)
    }

    pub(crate) fn insert(&mut self, kind: &str, name: String, now: u64) -> u64 {
        self.next_id += 1;
        let item = Item {
            kind: kind.to_owned(),
            name,
            fields: BTreeMap::new(),
            created: now,
            changed: now,
            revision: 0,
            gone: false,
        };
        self.objects.insert(self.next_id, item);
        self.next_id
    }

    fn written(
        &mut self,
        id: u64,
        fields: BTreeMap<String, Value>,
        created: bool,
        now: u64,
        status: u16,
    ) -> Response {
        self.change(id, &self.habits.dressed(&fields), now);
        let mut answer = json!({"id": id.to_string(), "revision": self.revision});
        if let Some(item) = self.objects.get(&id) {
            self.habits.stamp(item, &mut answer);
            let (kind, name) = (item.kind.clone(), item.name.clone());
            self.effects.push(Effect { id, kind, name, created, fields, at: now });
        }
        response(status, &answer)
    }

    fn get(&self, kind: &str, name: &str) -> Response {
        let asked = name.parse().ok().and_then(|id| self.merged.get(&id)).map(u64::to_string);
        let name = asked.as_deref().unwrap_or(name);
        match self.standing(kind, name).and_then(|id| self.lagging(id).or_else(|| self.shown(id))) {
            Some(shown) => response(200, &shown),
            None => response(404, &json!({"error": "no such object"})),
        }
    }

    /// Finds by key, or by a mark, what is old enough for the index.
    fn search(&self, kind: &str, query: &str, now: u64) -> Response {
        let (key, mark) = (parameter(query, "key"), parameter(query, "mark"));
        let lag = Class::INDEX_LAG_MS * 1_000;
        let is_it = |item: &Item| match mark {
            Some(mark) => item.fields.get("mark").and_then(Value::as_str) == Some(mark),
            None => key.is_some_and(|key| item.name == key || item.name_is(key)),
        };
        let seen = self
            .objects
            .iter()
            .filter(|(_, item)| item.kind == kind && is_it(item) && !item.gone && now >= item.created + lag);
        let items: Vec<Value> = seen.map(|(id, _)| json!({"id": id.to_string()})).collect();
        response(200, &json!({"items": items}))
    }

    /// What changed since, by id.
    fn list(&self, kind: &str, query: &str) -> Response {
        let number = |name: &str| parameter(query, name).and_then(|text| text.parse::<u64>().ok());
        let (since, page) = (number("since").unwrap_or(0), number("page").unwrap_or(0));
        let changed = self
            .objects
            .range(page + 1..)
            .filter(|(_, item)| item.kind == kind && item.changed / 1000 >= since);
        let items: Vec<Value> = changed.take(PAGE).filter_map(|(id, _)| self.shown(*id)).collect();
        response(200, &json!({"items": items}))
    }
}

fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}
