//! Collections: up to 200 records in one call, each with a result of its own, in the order of the request [doc].

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Map, Value, json};

use super::record::{integration, locked};
use super::{LOCKED, Outcome, Refused, Salesforce};
use crate::call::Call;
use crate::request::{Response, json as answer};
use crate::shelf::text;
use crate::system::Desk;

/// Records a collection may have [doc].
const MOST: usize = 200;

impl Salesforce {
    pub(super) fn collection(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        rest: &[&str],
    ) -> Outcome<Response> {
        match (call.request.method(), rest) {
            (&Method::POST, []) => self.each(desk, call, |system, desk, record| {
                let (kind, given) = system.typed(record)?;
                system.judged(desk, call, &kind, None, &given)?;
                let id = system.create(desk, &kind, &given, &integration(call))?;
                Ok(json!({"id": id, "success": true, "errors": []}))
            }),
            (&Method::PATCH, []) => self.each(desk, call, |system, desk, record| {
                let (kind, mut given) = system.typed(record)?;
                let name = given.keys().find(|name| name.eq_ignore_ascii_case("id")).cloned();
                let id =
                    name.and_then(|name| given.remove(&name)).and_then(|id| text(&id)).unwrap_or_default();
                let id = system.member(desk, &kind, &id)?;
                system.judged(desk, call, &kind, Some(&id), &given)?;
                system.update(desk, &kind, &id, &given, &integration(call))?;
                Ok(json!({"id": id, "success": true, "errors": []}))
            }),
            (&Method::PATCH, [kind, field]) => {
                let kind = self.object(kind)?;
                // An external id that is not there is refused as a whole.
                self.holders(desk, &kind, field, "")?;
                let mut seen = BTreeSet::new();
                self.each(desk, call, |system, desk, record| {
                    system.upsert_member(desk, call, (&kind, field), record, &mut seen)
                })
            }
            (&Method::DELETE, []) => {
                let ids = call.query("ids").unwrap_or_default();
                let ids: Vec<Value> =
                    ids.split(',').filter(|id| !id.is_empty()).map(|id| json!(id)).collect();
                self.all(desk, call, &ids, |system, desk, id| {
                    let id = text(id).unwrap_or_default();
                    let kind = system.schema.objects().find(|(_, prefix)| id.starts_with(prefix));
                    let kind = kind.map(|(name, _)| name.to_owned()).unwrap_or_default();
                    let id = system.member(desk, &kind, &id)?;
                    system.bin(desk, &kind, &id, &integration(call));
                    Ok(json!({"id": id, "success": true, "errors": []}))
                })
            }
            (&Method::GET, [kind]) => {
                let kind = self.object(kind)?;
                let names = |name: &str| call.query(name).unwrap_or_default();
                let fields: Vec<String> =
                    names("fields").split(',').map(|name| name.trim().to_owned()).collect();
                let one = |id: &str| match self.find(desk, &kind, id) {
                    Ok(id) => match desk.shelf.live(&kind, &id) {
                        Some(record) => self.shown(desk, call, &kind, record, Some(fields.clone())),
                        None => Ok(Value::Null),
                    },
                    // Whoever is not there is null in its place [doc].
                    Err(_) => Ok(Value::Null),
                };
                let found: Outcome<Vec<Value>> = names("ids").split(',').map(|id| one(id.trim())).collect();
                Ok(answer(200, &Value::Array(found?)))
            }
            _ => Err(Refused::missing()),
        }
    }

    /// Handles the records of a body one by one.
    fn each(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        one: impl FnMut(&mut Self, &mut Desk, &Value) -> Outcome<Value>,
    ) -> Outcome<Response> {
        let wrong = |why: String| Refused::new(400, "JSON_PARSER_ERROR", why);
        let body = call.body().map_err(wrong)?;
        let records = body.get("records").and_then(Value::as_array);
        let records = records.ok_or_else(|| wrong("Missing required field: records".to_owned()))?;
        if body.get("allOrNone") == Some(&json!(true)) {
            return Err(wrong("this sandbox plays allOrNone: false only".to_owned()));
        }
        if let Some(record) = records.iter().find(|record| record.pointer("/attributes/type").is_none()) {
            let shown = record.get("id").and_then(text).unwrap_or_default();
            let message = format!("Each record must have attributes with a type: {shown}");
            return Err(Refused::new(400, "INVALID_INPUT", message));
        }
        self.all(desk, call, records, one)
    }

    fn all(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        records: &[Value],
        mut one: impl FnMut(&mut Self, &mut Desk, &Value) -> Outcome<Value>,
    ) -> Outcome<Response> {
        if records.len() > MOST {
            let message =
                format!("record limit reached. cannot submit more than {MOST} records into this call");
            return Err(Refused::new(400, "EXCEEDED_ID_LIMIT", message));
        }
        let mut results = Vec::new();
        for record in records {
            // Some records of a collection meet rows that others hold.
            let struck = call.partial.is_some_and(|share| desk.entropy.chance(share));
            let result = if struck { Err(locked("001000000000000")) } else { one(self, desk, record) };
            if result.as_ref().is_err_and(|refused| refused.code == LOCKED) {
                desk.faults.note("row_locked");
            }
            results.push(result.unwrap_or_else(|refused| refused.result()));
        }
        Ok(answer(200, &Value::Array(results)))
    }

    fn upsert_member(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        (kind, field): (&str, &str),
        record: &Value,
        seen: &mut BTreeSet<String>,
    ) -> Outcome<Value> {
        let (of, mut given) = self.typed(record)?;
        if of != kind {
            let message = format!("The records must all be of type {kind}");
            return Err(Refused::write("INVALID_TYPE", message, &[]));
        }
        let name = given.keys().find(|name| name.eq_ignore_ascii_case(field)).cloned();
        let value =
            name.and_then(|name| given.remove(&name)).and_then(|value| text(&value)).unwrap_or_default();
        if value.is_empty() {
            return Err(Refused::write("MISSING_ARGUMENT", format!("{field} not specified"), &[]));
        }
        // One key twice in a call is refused the second time [seen].
        if !seen.insert(value.to_lowercase()) {
            let message = format!("Duplicate external id specified: {value}");
            return Err(Refused::write("DUPLICATE_VALUE", message, &[field]));
        }
        let (id, created) = self.upsert_one(desk, call, kind, field, &value, given)?;
        Ok(json!({"id": id, "success": true, "errors": [], "created": created}))
    }

    /// A record's type and fields.
    fn typed(&mut self, record: &Value) -> Outcome<(String, Map<String, Value>)> {
        let kind = record.pointer("/attributes/type").and_then(text).unwrap_or_default();
        let found = self.schema.object(&kind);
        let kind = found.ok_or_else(|| {
            Refused::write("INVALID_TYPE", format!("sObject type '{kind}' is not supported."), &[])
        })?;
        Ok((kind, record.as_object().cloned().unwrap_or_default()))
    }

    /// The live record of an id, in the words of a result.
    pub(super) fn member(&self, desk: &Desk, kind: &str, id: &str) -> Outcome<String> {
        self.find(desk, kind, id).map_err(|refused| match refused.code {
            "ENTITY_IS_DELETED" => refused,
            _ if super::id::read(id).is_none() => {
                Refused::write("MALFORMED_ID", format!("malformed id {id}"), &["Id"])
            }
            _ => Refused::write("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", &[]),
        })
    }
}
