//! A batch endpoint: several inputs in one request. Some vendors refuse the whole for one of them, others do what they
//! can and answer for each; and some do not answer for all.

use std::collections::BTreeMap;

use connector::{Request, Response};
use serde_json::{Value, json};

use super::Vendor;
use crate::outside::response;

/// What a bad day does to an input.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    /// Not done, and said so.
    Failed,
    /// Done, and nothing said.
    Unsaid,
}

impl Vendor {
    /// It refuses a batch whole when one of it is invalid.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// It takes each name once.
    #[must_use]
    pub fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// The next batch goes as these dice say.
    pub(super) fn strike(&mut self, random: u64) {
        self.struck = Some(random);
    }

    pub(super) fn batch(&mut self, kind: &str, request: &Request, ordered: bool, now: u64) -> Response {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let inputs = body.get("inputs").and_then(Value::as_array).cloned().unwrap_or_default();
        let dice = self.struck.take();
        if inputs.is_empty() {
            return response(400, &json!({"error": "no inputs"}));
        }
        self.hear(&inputs);
        if self.strict && inputs.iter().any(|input| self.is_refused(input)) {
            return response(422, &json!({"error": "one of these is not valid here"}));
        }
        let (mut results, mut errors, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for (place, input) in inputs.iter().enumerate() {
            let fate = match dice.map(|dice| dice >> (place * 2 % 64) & 3) {
                Some(3) => Fate::Failed,
                Some(2) => Fate::Unsaid,
                _ => Fate::Done,
            };
            let trace = input.get("trace").cloned().unwrap_or_default();
            let answer = if fate == Fate::Failed {
                response(500, &json!({"error": "for this one"}))
            } else {
                self.one_of(kind, input, now)
            };
            let mut said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            if let Some(fields) = said.as_object_mut() {
                fields.insert("trace".to_owned(), trace);
                fields.insert("status".to_owned(), json!(answer.status));
            }
            match fate {
                Fate::Unsaid => all.push(json!({})),
                _ if answer.status < 300 => {
                    results.push(said.clone());
                    all.push(said);
                }
                _ => {
                    errors.push(said.clone());
                    all.push(said);
                }
            }
        }
        if ordered {
            return response(200, &json!({"items": all}));
        }
        // Nobody promised an order.
        results.reverse();
        let status = if errors.is_empty() { 200 } else { 207 };
        response(status, &json!({"results": results, "errors": errors}))
    }

    /// What goes again must say what it said.
    pub(super) fn hear(&mut self, inputs: &[Value]) {
        for input in inputs {
            let trace = input.get("trace").and_then(Value::as_str).unwrap_or_default();
            let before = self.said.insert(trace.to_owned(), input.clone());
            self.torn += u64::from(before.is_some_and(|before| before != *input));
        }
    }

    pub(super) fn is_refused(&self, input: &Value) -> bool {
        let key = input.get("fields").and_then(|fields| fields.get("key")).and_then(Value::as_str);
        key.is_some_and(|key| self.refused.contains(key))
    }

    pub(super) fn one_of(&mut self, kind: &str, input: &Value, now: u64) -> Response {
        if self.is_refused(input) {
            return response(422, &json!({"error": "not valid here"}));
        }
        let text = |name: &str| input.get(name).and_then(Value::as_str).unwrap_or_default();
        let fields: BTreeMap<String, Value> = input
            .get("fields")
            .cloned()
            .and_then(|fields| serde_json::from_value(fields).ok())
            .unwrap_or_default();
        match text("how") {
            "put" => self.upsert(kind, text("name"), fields, now),
            "create" => self.make(kind, fields, now),
            "patch" => self.patch(kind, text("name"), fields, now),
            _ => response(400, &json!({"error": "how?"})),
        }
    }
}
