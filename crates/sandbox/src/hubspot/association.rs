//! Associations between objects, kept in both directions and listed with their default type ids.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde_json::{Value, json};

use super::{HubSpot, Outcome, Refused, no_content, property, unrouted};
use crate::call::Call;
use crate::request::{Response, json as answer};
use crate::shelf::text;
use crate::system::{Desk, iso_ms};

/// Default (unlabelled) association type ids that the vendor defines.
const TYPES: [(&str, &str, u64); 10] = [
    ("contacts", "companies", 279),
    ("companies", "contacts", 280),
    ("deals", "contacts", 3),
    ("contacts", "deals", 4),
    ("deals", "companies", 341),
    ("companies", "deals", 342),
    ("contacts", "contacts", 449),
    ("companies", "companies", 450),
    ("leads", "contacts", 578),
    ("leads", "companies", 610),
];

type End = (String, String);

/// Links by (type, id) of one end.
#[derive(Debug, Default)]
pub(super) struct Associations(BTreeMap<End, BTreeSet<End>>);

impl Associations {
    /// Makes one; false where it is there already.
    pub(super) fn link(&mut self, from_kind: &str, from: &str, to_kind: &str, to: &str) -> bool {
        let (left, right) = ((from_kind.to_owned(), from.to_owned()), (to_kind.to_owned(), to.to_owned()));
        self.0.entry(left.clone()).or_default().insert(right.clone());
        self.0.entry(right).or_default().insert(left)
    }

    /// Takes one back; false where there is none.
    fn unlink(&mut self, from_kind: &str, from: &str, to_kind: &str, to: &str) -> bool {
        let (left, right) = ((from_kind.to_owned(), from.to_owned()), (to_kind.to_owned(), to.to_owned()));
        if let Some(links) = self.0.get_mut(&left) {
            links.remove(&right);
        }
        self.0.get_mut(&right).is_some_and(|links| links.remove(&left))
    }

    pub(super) fn forget(&mut self, kind: &str, id: &str) {
        let end = (kind.to_owned(), id.to_owned());
        for other in self.0.remove(&end).unwrap_or_default() {
            if let Some(links) = self.0.get_mut(&other) {
                links.remove(&end);
            }
        }
    }

    pub(super) fn move_all(&mut self, kind: &str, from: &str, to: &str) {
        let ends = self.0.get(&(kind.to_owned(), from.to_owned())).cloned().unwrap_or_default();
        self.forget(kind, from);
        for (other_kind, other) in ends {
            self.link(kind, to, &other_kind, &other);
        }
    }

    fn of(&self, kind: &str, id: &str, to_kind: &str) -> Vec<String> {
        let links = self.0.get(&(kind.to_owned(), id.to_owned()));
        links.into_iter().flatten().filter(|(kind, _)| kind == to_kind).map(|(_, id)| id.clone()).collect()
    }

    /// The `associations` block of a read that names types.
    pub(super) fn shown(&self, kind: &str, id: &str, kinds: &str) -> Value {
        let mut block = serde_json::Map::new();
        for to_kind in kinds.split(',').map(|name| property::plural(name.trim())) {
            let label = format!("{kind}_to_{to_kind}");
            let results: Vec<Value> =
                self.of(kind, id, to_kind).into_iter().map(|id| json!({"id": id, "type": label})).collect();
            if !results.is_empty() {
                block.insert(to_kind.to_owned(), json!({"results": results}));
            }
        }
        Value::Object(block)
    }

    /// The ends a create asks for: `associations: [{to: {id}, types: [{associationTypeId}]}]`.
    pub(super) fn wanted(&self, desk: &Desk, body: &Value) -> Outcome<Vec<End>> {
        let mut ends = Vec::new();
        for wanted in body.get("associations").and_then(Value::as_array).into_iter().flatten() {
            let id = wanted.pointer("/to/id").and_then(text);
            let number = wanted.pointer("/types/0/associationTypeId").and_then(Value::as_u64);
            let (Some(id), Some(number)) = (id, number) else {
                return Err(Refused::invalid("associations need to.id and types[0].associationTypeId"));
            };
            let kind = TYPES.iter().find(|(_, _, known)| *known == number).map(|(_, to, _)| *to);
            let Some(kind) = kind else {
                return Err(Refused::invalid(format!("association type {number} does not exist")));
            };
            if desk.shelf.live(kind, &id).is_none() {
                return Err(Refused::new(404, "OBJECT_NOT_FOUND", format!("No {kind} with ID {id} exists")));
            }
            ends.push((kind.to_owned(), id));
        }
        Ok(ends)
    }
}

impl HubSpot {
    pub(super) fn associations_endpoint(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        from: &str,
        id: &str,
        rest: &[&str],
    ) -> Outcome<Response> {
        let id = self.resolve(desk, from, id)?;
        match (call.request.method(), rest) {
            (&Method::PUT, ["default", to, to_id]) | (&Method::PUT, [to, to_id]) => {
                let to = property::plural(to);
                let to_id = self.resolve(desk, to, to_id)?;
                if self.associations.link(from, &id, to, &to_id) {
                    desk.log.effect("associations_made", &pair(from, &id, to, &to_id));
                }
                let there =
                    json!({"from": {"id": id}, "to": {"id": to_id}, "associationSpec": spec(from, to)});
                let back =
                    json!({"from": {"id": to_id}, "to": {"id": id}, "associationSpec": spec(to, from)});
                let now = iso_ms(call.now_ms);
                Ok(answer(
                    200,
                    &json!({"status": "COMPLETE", "results": [there, back], "startedAt": now, "completedAt": now}),
                ))
            }
            (&Method::DELETE, [to, to_id]) => {
                let to = property::plural(to);
                if self.associations.unlink(from, &id, to, to_id) {
                    desk.log.effect("associations_ended", &pair(from, &id, to, to_id));
                }
                Ok(no_content())
            }
            (&Method::GET, [to]) => {
                let to = property::plural(to);
                let results = self.associations.of(from, &id, to);
                let results: Vec<Value> = results.iter().map(|to_id| listed(from, to, to_id)).collect();
                Ok(answer(200, &json!({"results": results})))
            }
            (method, _) => Err(unrouted(method, call.path())),
        }
    }

    pub(super) fn associations_batch(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        from: &str,
        to: &str,
        rest: &[&str],
    ) -> Outcome<Response> {
        let body = call.body().map_err(Refused::invalid)?;
        let inputs = body.get("inputs").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut results = Vec::new();
        for input in &inputs {
            match rest {
                ["associate", "default"] | ["create"] => {
                    let end = |name: &str| input.pointer(name).and_then(text).ok_or_else(Refused::missing);
                    let left = self.resolve(desk, from, &end("/from/id")?)?;
                    let right = self.resolve(desk, to, &end("/to/id")?)?;
                    self.associations.link(from, &left, to, &right);
                    results.push(json!({
                        "from": {"id": left}, "to": {"id": right}, "associationSpec": spec(from, to),
                    }));
                }
                ["read"] => {
                    let id = input.get("id").and_then(text).ok_or_else(Refused::missing)?;
                    let ends: Vec<Value> = self
                        .associations
                        .of(from, &id, to)
                        .iter()
                        .map(|to_id| listed(from, to, to_id))
                        .collect();
                    results.push(json!({"from": {"id": id}, "to": ends}));
                }
                _ => return Err(unrouted(call.request.method(), call.path())),
            }
        }
        Ok(answer(200, &json!({"status": "COMPLETE", "results": results})))
    }
}

/// Who is associated with whom, for the books.
fn pair(from: &str, id: &str, to: &str, to_id: &str) -> String {
    format!("{from}/{id} {to}/{to_id}")
}

fn type_of(from: &str, to: &str) -> u64 {
    TYPES.iter().find(|(left, right, _)| *left == from && *right == to).map_or(1, |(_, _, number)| *number)
}

fn spec(from: &str, to: &str) -> Value {
    json!({"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_of(from, to)})
}

fn listed(from: &str, to: &str, id: &str) -> Value {
    json!({
        "toObjectId": super::objects::notice_id(id),
        "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": type_of(from, to), "label": null}],
    })
}
