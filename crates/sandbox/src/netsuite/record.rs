//! Records by internal id or `eid:`: writes with references and required fields checked, sublists that append.

use serde_json::{Map, Value, json};

use super::{NetSuite, Outcome, PLAIN_TYPE, Refused, body_object, located, query};
use crate::call::Call;
use crate::request::{Response, empty, typed};
use crate::shelf::{Actor, Object, Stamp, Values, text, text_of};
use crate::system::{Desk, stamp};

/// Set by the ERP itself; given values are ignored.
const OWN: [&str; 6] = ["id", "links", "createdDate", "lastModifiedDate", "refName", "recordType"];

/// Fields that refer to other records, and the types they may mean.
const REFERENCES: [(&str, &[&str]); 4] = [
    ("entity", &["customer", "vendor", "employee"]),
    ("company", &["customer", "vendor"]),
    ("parent", &["customer"]),
    ("createdFrom", &["salesOrder", "opportunity", "invoice"]),
];

const ITEM_TYPES: [&str; 3] = ["inventoryItem", "nonInventorySaleItem", "serviceSaleItem"];

impl NetSuite {
    /// The internal id of a live record, from an internal id or `eid:…`.
    pub(super) fn find(&self, desk: &Desk, kind: &str, id: &str) -> Outcome<String> {
        let found = match id.strip_prefix("eid:") {
            Some(external) => desk.shelf.holder(kind, "externalId", external).map(str::to_owned),
            None => desk.shelf.live(kind, id).map(|object| object.id.clone()),
        };
        found.ok_or_else(Refused::missing)
    }

    pub(super) fn create(
        &mut self,
        desk: &mut Desk,
        kind: &str,
        given: Values,
        stamp: &Stamp,
    ) -> Outcome<String> {
        let mut values = self.checked(desk, kind, given)?;
        values.retain(|_, value| !value.is_null());
        required(kind, &values)?;
        let id = desk.fresh_id();
        self.name(kind, &id, &mut values);
        desk.shelf.create(kind, &id, values, stamp).map_err(|_| already())?;
        if kind == "invoice" {
            let business_id = desk.business_id(kind, &id);
            desk.log.effect("invoice_numbers_used", &business_id);
        }
        Ok(id)
    }

    /// Writes given fields; a sublist's lines are added to those there are, unless it is named in `replace`.
    pub(super) fn update(
        &mut self,
        desk: &mut Desk,
        kind: &str,
        id: &str,
        given: Values,
        replace: &[String],
        stamp: &Stamp,
    ) -> Outcome<()> {
        let mut values = self.checked(desk, kind, given)?;
        let held = desk.shelf.live(kind, id).map(|object| object.values.clone()).unwrap_or_default();
        for (name, value) in &mut values {
            let lines = held.get(name).and_then(|sublist| sublist.get("items")).and_then(Value::as_array);
            if replace.contains(name) {
                continue;
            }
            if let (Some(lines), Some(added)) = (lines, value.get_mut("items").and_then(Value::as_array_mut))
            {
                let mut all = lines.clone();
                all.append(added);
                *added = all;
            }
        }
        let mut after = held;
        after.extend(values.clone());
        after.retain(|_, value| !value.is_null());
        required(kind, &after)?;
        desk.shelf.change(kind, id, values, stamp).map_err(|_| already())?;
        Ok(())
    }

    pub(super) fn post(&mut self, desk: &mut Desk, call: &Call<'_>, kind: &str) -> Outcome<Response> {
        let kind = self.spelt(desk, kind);
        let id = self.create(desk, &kind, body_object(call)?, &integration(call))?;
        Ok(located(call, &kind, &id))
    }

    pub(super) fn put(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        kind: &str,
        id: &str,
    ) -> Outcome<Response> {
        let Some(external) = id.strip_prefix("eid:") else {
            let detail = "PUT is an upsert and needs an external id: use /{type}/eid:{externalId}.";
            return Err(Refused::new(405, "METHOD_NOT_SUPPORTED", detail));
        };
        check_external(external)?;
        let kind = self.spelt(desk, kind);
        let mut given = body_object(call)?;
        let named = given.get("externalId").and_then(text);
        if named.is_some_and(|named| named != external) {
            let detail = "externalId in the body differs from the one in the URL.";
            return Err(Refused::invalid("INVALID_VALUE", detail, "externalId"));
        }
        given.insert("externalId".to_owned(), json!(external));
        let found = self.find(desk, &kind, id).ok();
        let id = match found {
            Some(found) => {
                self.update(desk, &kind, &found, given, &replaced(call), &integration(call))?;
                found
            }
            None => self.create(desk, &kind, given, &integration(call))?,
        };
        Ok(located(call, &kind, &id))
    }

    pub(super) fn patch(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        kind: &str,
        id: &str,
    ) -> Outcome<Response> {
        let kind = self.spelt(desk, kind);
        let found = self.find(desk, &kind, id)?;
        self.update(desk, &kind, &found, body_object(call)?, &replaced(call), &integration(call))?;
        Ok(located(call, &kind, &found))
    }

    pub(super) fn read(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        kind: &str,
        id: &str,
    ) -> Outcome<Response> {
        let kind = self.spelt(desk, kind);
        let found = self.find(desk, &kind, id)?;
        let object = desk.shelf.live(&kind, &found).ok_or_else(Refused::missing)?;
        Ok(typed(200, PLAIN_TYPE, shown(call, &kind, object).to_string()))
    }

    pub(super) fn delete(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        kind: &str,
        id: &str,
    ) -> Outcome<Response> {
        let kind = self.spelt(desk, kind);
        let found = self.find(desk, &kind, id)?;
        desk.shelf.archive(&kind, &found, &integration(call));
        Ok(empty(204))
    }

    pub(super) fn list(&mut self, desk: &mut Desk, call: &Call<'_>, kind: &str) -> Outcome<Response> {
        let kind = self.spelt(desk, kind);
        let wanted = call.query("q").map(|q| query::ListFilter::read(&q)).transpose()?;
        let found: Vec<String> = desk
            .shelf
            .all(&kind)
            .filter(|object| object.live() && wanted.as_ref().is_none_or(|wanted| wanted.holds(object)))
            .map(|object| object.id.clone())
            .collect();
        let item = |id: &String| {
            let link = format!("{}/services/rest/record/v1/{kind}/{id}", call.origin());
            json!({"id": id, "links": [{"rel": "self", "href": link}]})
        };
        query::page(call, found.len(), |range| {
            found.iter().skip(range.start).take(range.len()).map(item).collect()
        })
    }

    /// Gives a new record the names and numbers that the ERP assigns.
    fn name(&mut self, kind: &str, id: &str, values: &mut Values) {
        let prefix = match kind {
            "invoice" => "INV",
            "salesOrder" => "SO",
            "creditMemo" => "CM",
            "customer" | "contact" => {
                let name =
                    ["companyName", "lastName", "firstName"].iter().find_map(|name| text_of(values, name));
                values
                    .entry("entityId".to_owned())
                    .or_insert_with(|| json!(name.unwrap_or_else(|| id.to_owned())));
                return;
            }
            _ => return,
        };
        let number = self.numbers.entry(prefix).or_insert(1000);
        *number += 1;
        values.entry("tranId".to_owned()).or_insert_with(|| json!(format!("{prefix}{number}")));
    }

    fn checked(&self, desk: &Desk, kind: &str, given: Values) -> Outcome<Values> {
        let mut values = Values::new();
        for (name, value) in given {
            if OWN.contains(&name.as_str()) {
                continue;
            }
            let targets = REFERENCES.iter().find(|(field, _)| *field == name).map(|(_, kinds)| *kinds);
            let kept = match (targets, value) {
                (_, Value::Null) => Value::Null,
                (Some(kinds), value) => reference(desk, kinds, &name, &value)?,
                (None, Value::Object(map)) if name == "item" => lines(desk, map)?,
                (None, value) => value,
            };
            if name == "externalId" {
                check_external(kept.as_str().unwrap_or(""))?;
            }
            if name == "email" && kept.as_str().is_some_and(|email| !email.contains('@')) {
                return Err(Refused::invalid("INVALID_EMAIL", "Invalid email address.", "email"));
            }
            values.insert(name, kept);
        }
        if let Some(total) = values.get("total").and_then(text)
            && total.parse::<f64>().is_err()
        {
            let detail = format!("Invalid value for the resource or sub-resource field 'total' of {kind}.");
            return Err(Refused::invalid("INVALID_VALUE", detail, "total"));
        }
        Ok(values)
    }
}

fn integration(call: &Call<'_>) -> Stamp {
    let key = call.header("x-netsuite-idempotency-key").map(str::to_owned);
    Stamp { actor: Actor::Integration, now_ms: call.now_ms, key }
}

fn replaced(call: &Call<'_>) -> Vec<String> {
    call.query("replace")
        .map(|names| names.split(',').map(|name| name.trim().to_owned()).collect())
        .unwrap_or_default()
}

fn required(kind: &str, values: &Values) -> Outcome<()> {
    let needed: &[&str] = match kind {
        "customer" => &["companyName", "lastName", "entityId"],
        "contact" => &["entityId", "firstName", "lastName"],
        "salesOrder" | "invoice" | "creditMemo" => &["entity"],
        _ => return Ok(()),
    };
    // One of them is enough: a company has a name, a person a last name.
    if needed.iter().any(|name| values.contains_key(*name)) {
        return Ok(());
    }
    let first = needed.first().copied().unwrap_or_default();
    Err(Refused::invalid("USER_ERROR", format!("Please enter value(s) for: {first}."), first))
}

/// A reference as the ERP keeps it: the internal id of a live record.
fn reference(desk: &Desk, kinds: &[&str], name: &str, value: &Value) -> Outcome<Value> {
    let id = text(value).or_else(|| value.get("id").and_then(text));
    let external = value.get("externalId").and_then(text);
    let found = kinds.iter().find_map(|kind| match (&id, &external) {
        (Some(id), _) => desk.shelf.live(kind, id).map(|object| object.id.clone()),
        (None, Some(external)) => desk.shelf.holder(kind, "externalId", external).map(str::to_owned),
        (None, None) => None,
    });
    match found {
        Some(id) => Ok(json!({ "id": id })),
        None => {
            let key = id.or(external).unwrap_or_else(|| value.to_string());
            let detail = format!("Invalid Field Value {key} for the following field: {name}.");
            Err(Refused::invalid("INVALID_KEY_OR_REF", detail, name))
        }
    }
}

fn lines(desk: &Desk, mut sublist: Map<String, Value>) -> Outcome<Value> {
    if let Some(items) = sublist.get_mut("items").and_then(Value::as_array_mut) {
        for (at, line) in items.iter_mut().enumerate() {
            if let Some(item) = line.get("item").filter(|item| !item.is_null()).cloned() {
                line["item"] = reference(desk, &ITEM_TYPES, &format!("item.items[{at}].item"), &item)?;
            }
        }
    }
    Ok(Value::Object(sublist))
}

fn check_external(external: &str) -> Outcome<()> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    if !external.is_empty() && external.chars().all(plain) {
        return Ok(());
    }
    let detail = format!("Invalid external ID {external:?}: letters, digits, underscores and hyphens only.");
    Err(Refused::invalid("INVALID_EXTERNAL_ID", detail, "externalId"))
}

fn already() -> Refused {
    Refused::invalid("DUP_RCRD", "This record already exists.", "externalId")
}

fn shown(call: &Call<'_>, kind: &str, object: &Object) -> Value {
    let link = format!("{}/services/rest/record/v1/{kind}/{}", call.origin(), object.id);
    let mut body: Map<String, Value> = object.values.clone().into_iter().collect();
    if call.query("expandSubResources").as_deref() != Some("true") {
        // Lines are a resource of their own: without being asked for, only their address is shown.
        for (name, value) in
            body.iter_mut().filter(|(_, value)| value.get("items").is_some_and(Value::is_array))
        {
            *value = json!({"links": [{"rel": "self", "href": format!("{link}/{name}")}]});
        }
    }
    let second = |ms| json!(stamp(ms, "%Y-%m-%dT%H:%M:%SZ"));
    let (created, changed) = if kind.starts_with("customrecord") {
        ("created", "lastModified")
    } else {
        ("createdDate", "lastModifiedDate")
    };
    body.insert(created.to_owned(), second(object.created_ms));
    body.insert(changed.to_owned(), second(object.updated_ms));
    body.insert("id".to_owned(), json!(object.id));
    body.insert("links".to_owned(), json!([{"rel": "self", "href": link}]));
    Value::Object(body)
}
