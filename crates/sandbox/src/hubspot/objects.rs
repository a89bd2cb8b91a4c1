//! Single objects: create, read, update, archive, list, merge; and the writes that every way in shares.

use serde_json::{Map, Value, json};

use super::{HubSpot, Outcome, Refused, no_content, property};
use crate::call::Call;
use crate::request::{Response, json as answer};
use crate::shelf::{Actor, Clash, Object, Stamp, View};
use crate::system::{Desk, iso_ms};

/// Shown when a read names no properties.
const DEFAULT_SHOWN: [(&str, &[&str]); 4] = [
    ("contacts", &["email", "firstname", "lastname"]),
    ("companies", &["name", "domain"]),
    ("deals", &["dealname", "amount", "closedate", "dealstage", "pipeline"]),
    ("products", &["name", "price", "hs_sku", "description"]),
];

/// Which properties an answer shows.
#[derive(Debug, Clone)]
pub(super) enum Shown {
    All,
    Some(Vec<String>),
}

impl Shown {
    pub(super) fn query(call: &Call<'_>, kind: &str) -> Self {
        let names = call.query("properties").filter(|names| !names.is_empty());
        Self::named(kind, names.map(|names| names.split(',').map(|name| name.trim().to_owned()).collect()))
    }

    pub(super) fn body(kind: &str, body: &Value) -> Self {
        let names = body.get("properties").and_then(Value::as_array).filter(|names| !names.is_empty());
        Self::named(
            kind,
            names.map(|names| names.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        )
    }

    fn named(kind: &str, names: Option<Vec<String>>) -> Self {
        Self::Some(names.unwrap_or_else(|| {
            let known =
                DEFAULT_SHOWN.iter().find(|(name, _)| *name == kind).map_or(&[][..], |(_, names)| names);
            known.iter().map(|name| (*name).to_owned()).collect()
        }))
    }
}

/// A property as reads and searches see it: the CRM's own ones are computed.
pub(super) fn property_of(view: View<'_>, kind: &str, name: &str) -> Option<String> {
    match name {
        "hs_object_id" => Some(view.id.to_owned()),
        "createdate" | "hs_createdate" => Some(iso_ms(view.created_ms)),
        "lastmodifieddate" | "hs_lastmodifieddate" if name == property::modified(kind) => {
            Some(iso_ms(view.updated_ms))
        }
        _ => view.values.get(name).and_then(Value::as_str).map(str::to_owned),
    }
}

pub(super) fn show(view: View<'_>, kind: &str, shown: &Shown, archived_ms: Option<u64>) -> Value {
    let mut properties = Map::new();
    match shown {
        Shown::All => {
            properties.extend(view.values.iter().map(|(name, value)| (name.clone(), value.clone())))
        }
        Shown::Some(names) => {
            properties.extend(names.iter().map(|name| (name.clone(), json!(property_of(view, kind, name)))))
        }
    }
    for name in ["hs_object_id", "createdate", property::modified(kind)] {
        properties.insert(name.to_owned(), json!(property_of(view, kind, name)));
    }
    let mut object = json!({
        "id": view.id, "properties": properties, "createdAt": iso_ms(view.created_ms),
        "updatedAt": iso_ms(view.updated_ms), "archived": archived_ms.is_some(),
    });
    if let Some(archived_ms) = archived_ms {
        object["archivedAt"] = json!(iso_ms(archived_ms));
    }
    object
}

pub(super) fn show_object(object: &Object, kind: &str, shown: &Shown) -> Value {
    show(object.view(), kind, shown, object.archived_ms)
}

pub(super) fn integration(call: &Call<'_>, key: Option<String>) -> Stamp {
    Stamp { actor: Actor::Integration, now_ms: call.now_ms, key }
}

pub(super) fn properties_in(input: &Value) -> Outcome<&Map<String, Value>> {
    input
        .get("properties")
        .and_then(Value::as_object)
        .ok_or_else(|| Refused::invalid("Invalid input JSON: properties must be an object"))
}

fn trace(input: &Value) -> Option<String> {
    input.get("objectWriteTraceId").and_then(Value::as_str).map(str::to_owned)
}

impl HubSpot {
    /// The id an id stands for: itself, or what it was merged into. Only live objects are found.
    pub(super) fn resolve(&self, desk: &Desk, kind: &str, id: &str) -> Outcome<String> {
        let id = self.aliases.get(&(kind.to_owned(), id.to_owned())).map_or(id, String::as_str);
        desk.shelf.live(kind, id).map(|object| object.id.clone()).ok_or_else(Refused::missing)
    }

    /// The live object of an id, or of a value of a unique property.
    pub(super) fn find(
        &self,
        desk: &Desk,
        kind: &str,
        id: &str,
        id_property: Option<&str>,
    ) -> Outcome<String> {
        match id_property.filter(|name| *name != "hs_object_id") {
            None => self.resolve(desk, kind, id),
            Some(name) => {
                self.check_unique(desk, kind, name)?;
                desk.shelf.holder(kind, name, id).map(str::to_owned).ok_or_else(Refused::missing)
            }
        }
    }

    pub(super) fn check_unique(&self, desk: &Desk, kind: &str, name: &str) -> Outcome<()> {
        if desk.shelf.is_unique(kind, name) {
            return Ok(());
        }
        Err(Refused::invalid(format!(
            "idProperty {name} is not a unique property of {kind}: Property is not unique."
        )))
    }

    pub(super) fn create(
        &mut self,
        desk: &mut Desk,
        kind: &str,
        given: &Map<String, Value>,
        stamp: &Stamp,
    ) -> Outcome<String> {
        let mut values = self.properties.patch(desk, kind, given)?;
        values.retain(|_, value| !value.is_null());
        let id = desk.fresh_id();
        desk.shelf.create(kind, &id, values, stamp).map_err(|clash| conflict(kind, &id, &clash))?;
        self.notify(desk, kind, "creation", &id, &[], stamp);
        Ok(id)
    }

    pub(super) fn update(
        &mut self,
        desk: &mut Desk,
        kind: &str,
        id: &str,
        given: &Map<String, Value>,
        stamp: &Stamp,
    ) -> Outcome<()> {
        let patch = self.properties.patch(desk, kind, given)?;
        let changed =
            desk.shelf.change(kind, id, patch, stamp).map_err(|clash| conflict(kind, id, &clash))?;
        for (name, value) in changed {
            let value = if value.is_null() { json!("") } else { value };
            let extra = [("propertyName", json!(name)), ("propertyValue", value)];
            self.notify(desk, kind, "propertyChange", id, &extra, stamp);
        }
        Ok(())
    }

    pub(super) fn archive(&mut self, desk: &mut Desk, kind: &str, id: &str, stamp: &Stamp) {
        if desk.shelf.archive(kind, id, stamp) {
            self.associations.forget(kind, id);
            self.notify(desk, kind, "deletion", id, &[], stamp);
        }
    }

    pub(super) fn merge(
        &mut self,
        desk: &mut Desk,
        kind: &str,
        keep: &str,
        gone: &str,
        stamp: &Stamp,
    ) -> Outcome<String> {
        let (keep, gone) = (self.resolve(desk, kind, keep)?, self.resolve(desk, kind, gone)?);
        if keep == gone {
            return Err(Refused::invalid("Cannot merge an object with itself."));
        }
        let kept = desk.shelf.live(kind, &keep).map(|object| object.values.clone()).unwrap_or_default();
        let mut moved = desk.shelf.live(kind, &gone).map(|object| object.values.clone()).unwrap_or_default();
        moved.retain(|name, _| !kept.contains_key(name));
        let count = moved.len();
        desk.shelf.archive(kind, &gone, stamp);
        desk.shelf.change(kind, &keep, moved, stamp).map_err(|clash| conflict(kind, &keep, &clash))?;
        self.associations.move_all(kind, &gone, &keep);
        for target in self.aliases.values_mut().filter(|target| **target == gone) {
            target.clone_from(&keep);
        }
        self.aliases.insert((kind.to_owned(), gone.clone()), keep.clone());
        let extra = [
            ("primaryObjectId", notice_id(&keep)),
            ("mergedObjectIds", json!([notice_id(&gone)])),
            ("newObjectId", notice_id(&keep)),
            ("numberOfPropertiesMoved", json!(count)),
        ];
        self.notify(desk, kind, "merge", &keep, &extra, stamp);
        Ok(keep)
    }

    pub(super) fn create_one(&mut self, desk: &mut Desk, call: &Call<'_>, kind: &str) -> Outcome<Response> {
        let body = call.body().map_err(Refused::invalid)?;
        let wanted = self.associations.wanted(desk, &body)?;
        let id = self.create(desk, kind, properties_in(&body)?, &integration(call, trace(&body)))?;
        for (to_kind, to_id) in wanted {
            self.associations.link(kind, &id, &to_kind, &to_id);
        }
        self.shown_whole(desk, kind, &id, 201)
    }

    pub(super) fn read_one(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        kind: &str,
        id: &str,
    ) -> Outcome<Response> {
        let shown = Shown::query(call, kind);
        let archived = call.query("archived").as_deref() == Some("true");
        let object = if archived {
            desk.shelf.get(kind, id).filter(|object| !object.live()).ok_or_else(Refused::missing)?
        } else {
            let id = self.find(desk, kind, id, call.query("idProperty").as_deref())?;
            desk.shelf.live(kind, &id).ok_or_else(Refused::missing)?
        };
        let mut body = show_object(object, kind, &shown);
        if let Some(kinds) = call.query("associations") {
            body["associations"] = self.associations.shown(kind, &object.id, &kinds);
        }
        Ok(answer(200, &body))
    }

    pub(super) fn update_one(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        kind: &str,
        id: &str,
    ) -> Outcome<Response> {
        let body = call.body().map_err(Refused::invalid)?;
        let id = self.find(desk, kind, id, call.query("idProperty").as_deref())?;
        self.update(desk, kind, &id, properties_in(&body)?, &integration(call, trace(&body)))?;
        self.shown_whole(desk, kind, &id, 200)
    }

    pub(super) fn archive_one(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        kind: &str,
        id: &str,
    ) -> Outcome<Response> {
        if desk.shelf.get(kind, id).is_none() {
            return Err(Refused::missing());
        }
        self.archive(desk, kind, id, &integration(call, None));
        Ok(no_content())
    }

    pub(super) fn merge_two(&mut self, desk: &mut Desk, call: &Call<'_>, kind: &str) -> Outcome<Response> {
        let body = call.body().map_err(Refused::invalid)?;
        let named = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(keep), Some(gone)) = (named("primaryObjectId"), named("objectIdToMerge")) else {
            return Err(Refused::invalid("primaryObjectId and objectIdToMerge are required"));
        };
        let id = self.merge(desk, kind, &keep, &gone, &integration(call, None))?;
        self.shown_whole(desk, kind, &id, 200)
    }

    pub(super) fn list(&mut self, desk: &mut Desk, call: &Call<'_>, kind: &str) -> Outcome<Response> {
        let limit = call.count("limit", 10, 100).map_err(Refused::invalid)?;
        let limit = usize::try_from(limit.max(1)).unwrap_or(100);
        let archived = call.query("archived").as_deref() == Some("true");
        let shown = Shown::query(call, kind);
        let after = call.query("after").unwrap_or_default();
        let mut page: Vec<&Object> = desk
            .shelf
            .after(kind, &after)
            .filter(|object| object.live() != archived)
            .take(limit + 1)
            .collect();
        let more = page.len() > limit;
        page.truncate(limit);
        let results: Vec<Value> = page.iter().map(|object| show_object(object, kind, &shown)).collect();
        let mut body = json!({"results": results});
        if let Some(last) = page.last().filter(|_| more) {
            let link = format!("{}{}?limit={limit}&after={}", call.origin(), call.path(), last.id);
            body["paging"] = json!({"next": {"after": last.id, "link": link}});
        }
        Ok(answer(200, &body))
    }

    fn shown_whole(&self, desk: &Desk, kind: &str, id: &str, status: u16) -> Outcome<Response> {
        let object = desk.shelf.get(kind, id).ok_or_else(Refused::missing)?;
        Ok(answer(status, &show_object(object, kind, &Shown::All)))
    }
}

/// An object id as webhooks carry it: a number.
pub(super) fn notice_id(id: &str) -> Value {
    id.parse::<u64>().map_or_else(|_| json!(id), |id| json!(id))
}

fn conflict(kind: &str, id: &str, clash: &Clash) -> Refused {
    if kind == "contacts" && clash.property == "email" {
        return Refused::new(
            409,
            "CONFLICT",
            format!("Contact already exists. Existing ID: {}", clash.holder),
        );
    }
    let message = format!(
        "Cannot set PropertyValueCoordinates{{objectType={kind}, propertyName={}, value={}}} on {id}. {} already has \
         that value.",
        clash.property, clash.value, clash.holder
    );
    let mut refused = Refused::invalid(format!("Property values were not valid: {message}"));
    refused.errors = vec![json!({
        "message": message, "code": "CONFLICTING_UNIQUE_VALUE", "context": {"propertyName": [clash.property]},
    })];
    refused
}
