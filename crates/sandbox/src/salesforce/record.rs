//! Single records: create, read, change, upsert, delete, merge; and the writes that every way in shares.

use serde_json::{Map, Value, json};

use super::{LOCKED, Outcome, Refused, Salesforce, id, moment};
use crate::call::Call;
use crate::request::{Response, empty, json as answer, with_header};
use crate::shelf::{Actor, Object, Stamp, Values, text_of};
use crate::system::Desk;

/// What an upsert came to: the record, and whether it is new.
pub(super) type Written = (String, bool);

pub(super) fn integration(call: &Call<'_>) -> Stamp {
    Stamp { actor: Actor::Integration, now_ms: call.now_ms, key: None }
}

impl Salesforce {
    /// The live record of an id of either length.
    pub(super) fn find(&self, desk: &Desk, kind: &str, id: &str) -> Outcome<String> {
        // Whatever is no id of this object is taken for the name of a field [seen].
        let read = id::read(id).filter(|read| read.starts_with(self.schema.prefix(kind)));
        let id = read.ok_or_else(|| Refused::no_external_id(id))?;
        match desk.shelf.get(kind, &id) {
            Some(record) if record.live() => Ok(id),
            Some(_) => Err(Refused::deleted()),
            None => Err(Refused::missing()),
        }
    }

    pub(super) fn create(
        &mut self,
        desk: &mut Desk,
        kind: &str,
        given: &Map<String, Value>,
        stamp: &Stamp,
    ) -> Outcome<String> {
        let mut values = self.checked(desk, kind, given)?;
        values.retain(|_, value| !value.is_null());
        self.required(kind, &values)?;
        self.named(kind, &mut values);
        if self.schema.field(kind, "OwnerId").is_some() {
            values.entry("OwnerId".to_owned()).or_insert_with(|| json!(self.user));
        }
        self.hold(kind, None, &values, stamp)?;
        let id = id::write(self.schema.prefix(kind), desk.fresh_number());
        desk.shelf.create(kind, &id, values, stamp).map_err(|clash| Refused::clash(&clash))?;
        self.touched.insert(id.clone());
        let business_id = desk.business_id(kind, &id);
        desk.log.effect("flows_run", &business_id);
        if matches!(kind, "Contact" | "Lead") {
            // What the org's own automation does for somebody new.
            desk.log.effect("letters_sent", &business_id);
        }
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
        let mut patch = self.checked(desk, kind, given)?;
        let held = desk.shelf.live(kind, id).map(|record| record.values.clone()).unwrap_or_default();
        let mut after = held.clone();
        after.extend(patch.clone());
        after.retain(|_, value| !value.is_null());
        self.required(kind, &after)?;
        self.named(kind, &mut after);
        if let Some(name) = after.get("Name") {
            patch.insert("Name".to_owned(), name.clone());
        }
        self.hold(kind, Some(id), &held, stamp)?;
        self.hold(kind, Some(id), &after, stamp)?;
        let changed = desk.shelf.change(kind, id, patch, stamp).map_err(|clash| Refused::clash(&clash))?;
        if changed.is_empty() {
            // A save of what was there moves the stamps, too [seen].
            desk.shelf.touch(kind, id, stamp.now_ms);
        }
        let business_id = desk.business_id(kind, id);
        desk.log.effect("flows_run", &business_id);
        Ok(())
    }

    /// Into the recycle bin, with what is below it.
    pub(super) fn bin(&mut self, desk: &mut Desk, kind: &str, id: &str, stamp: &Stamp) {
        if !desk.shelf.archive(kind, id, stamp) {
            return;
        }
        self.touched.insert(id.to_owned());
        // With an account go its contacts, opportunities and cases [doc]; other references are only emptied.
        let below =
            |child: &str| kind == "Account" && matches!(child, "Contact" | "Opportunity" | "Case" | "Asset");
        for (child, field) in self.schema.children(kind) {
            for record in referring(desk, &child, &field, id) {
                if below(&child) {
                    self.bin(desk, &child, &record, stamp);
                } else {
                    let cleared = Values::from([(field.clone(), Value::Null)]);
                    // Clearing makes no value that another record could have.
                    drop(desk.shelf.change(&child, &record, cleared, stamp));
                }
            }
        }
    }

    /// Two become one: the loser is deleted and says which one it went into; what referred to it refers to the other [doc].
    pub(super) fn merge(
        &mut self,
        desk: &mut Desk,
        kind: &str,
        keep: &str,
        gone: &str,
        stamp: &Stamp,
    ) -> Outcome<()> {
        if !self.schema.mergeable(kind) || keep == gone {
            return Err(Refused::new(400, "INVALID_OPERATION", format!("{kind} records can't be merged so")));
        }
        let kept = desk.shelf.live(kind, keep).map(|record| record.values.clone()).unwrap_or_default();
        let mut moved = desk.shelf.live(kind, gone).map(|record| record.values.clone()).unwrap_or_default();
        // Where the master has nothing, the loser's value is taken. Its keys stay with it.
        moved.retain(|name, _| {
            let field = self.schema.field(kind, name);
            !kept.contains_key(name) && field.is_some_and(|field| field.writable && !field.external_id)
        });
        let master = Values::from([("MasterRecordId".to_owned(), json!(keep))]);
        // No field of these is unique.
        drop(desk.shelf.change(kind, gone, master, stamp));
        for (child, field) in self.schema.children(kind) {
            for record in referring(desk, &child, &field, gone) {
                let parent = Values::from([(field.clone(), json!(keep))]);
                drop(desk.shelf.change(&child, &record, parent, stamp));
            }
        }
        desk.shelf.archive(kind, gone, stamp);
        desk.shelf.change(kind, keep, moved, stamp).map_err(|clash| Refused::clash(&clash))?;
        desk.shelf.touch(kind, keep, stamp.now_ms);
        self.touched.extend([keep.to_owned(), gone.to_owned()]);
        Ok(())
    }

    /// Checks that nobody else holds the record's row or its parent's, and takes both until the request is answered.
    /// A person's save waits for them.
    fn hold(&mut self, kind: &str, id: Option<&str>, values: &Values, stamp: &Stamp) -> Outcome<()> {
        let mut rows: Vec<String> = id.map(str::to_owned).into_iter().collect();
        rows.extend(self.schema.parents(kind).iter().filter_map(|parent| text_of(values, parent)));
        self.locks.retain(|_, lock| lock.until_ms.is_none_or(|until_ms| until_ms > stamp.now_ms));
        let held = rows.iter().find(|row| self.locks.contains_key(*row));
        if let (Some(row), Actor::Integration) = (held, stamp.actor) {
            return Err(locked(row));
        }
        if stamp.actor == Actor::Integration {
            self.touched.extend(rows);
        }
        Ok(())
    }

    fn required(&self, kind: &str, values: &Values) -> Outcome<()> {
        let lacks = |name: &str| !values.contains_key(name);
        let fields = self.schema.fields(kind).iter().filter(|field| field.required && lacks(&field.name));
        let missing: Vec<&str> = fields.map(|field| field.name.as_str()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let message = format!("Required fields are missing: [{}]", missing.join(", "));
        Err(Refused::write("REQUIRED_FIELD_MISSING", message, &missing))
    }

    /// The name of a person is made of its parts.
    fn named(&self, kind: &str, values: &mut Values) {
        if self.schema.field(kind, "Name").is_none_or(|field| field.writable) {
            return;
        }
        let parts = ["FirstName", "LastName"].map(|name| text_of(values, name));
        let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        if !name.is_empty() {
            values.insert("Name".to_owned(), json!(name));
        }
    }

    /// What the org's own rules say about a record, before it is saved.
    pub(super) fn judged(
        &self,
        desk: &Desk,
        call: &Call<'_>,
        kind: &str,
        id: Option<&str>,
        given: &Map<String, Value>,
    ) -> Outcome<()> {
        let body = Value::Object(given.clone()).to_string();
        if let Some(rule) =
            call.rules.iter().find(|rule| !rule.holds.is_empty() && body.contains(&rule.holds))
        {
            return Err(Refused::write("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule.message.clone(), &[]));
        }
        let header = call.header("sforce-duplicate-rule-header").unwrap_or_default();
        let saves = header.to_lowercase().replace(' ', "").contains("allowsave=true");
        for rule in desk.options.duplicate_rules.iter().filter(|rule| rule.object_type == kind) {
            let Some(wanted) = given.get(&rule.field).and_then(Value::as_str).filter(|text| !text.is_empty())
            else {
                continue;
            };
            let same = |record: &&Object| {
                let held = text_of(&record.values, &rule.field).unwrap_or_default();
                record.live() && Some(record.id.as_str()) != id && held.eq_ignore_ascii_case(wanted)
            };
            let Some(other) = desk.shelf.all(kind).find(same).filter(|_| rule.blocks || !saves) else {
                continue;
            };
            let message =
                "You're creating a duplicate record. We recommend you use an existing record instead.";
            let mut refused = Refused::write("DUPLICATES_DETECTED", message, &[]);
            // Written so by the vendor [seen].
            refused.more = Some((
                "duplicateResut",
                json!({"allowSave": !rule.blocks, "duplicateRule": format!("{kind}_{}", rule.field), "matchResults": [
                    {"entityType": kind, "matchRecords": [{"record": {"Id": other.id}}]}]}),
            ));
            return Err(refused);
        }
        Ok(())
    }

    pub(super) fn post(&mut self, desk: &mut Desk, call: &Call<'_>, kind: &str) -> Outcome<Response> {
        let given = body_object(call)?;
        self.judged(desk, call, kind, None, &given)?;
        let id = self.create(desk, kind, &given, &integration(call))?;
        Ok(made(call, kind, &id, &json!({"id": id, "success": true, "errors": []})))
    }

    pub(super) fn patch(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        kind: &str,
        id: &str,
    ) -> Outcome<Response> {
        let id = self.find(desk, kind, id)?;
        let given = body_object(call)?;
        self.judged(desk, call, kind, Some(&id), &given)?;
        self.update(desk, kind, &id, &given, &integration(call))?;
        Ok(empty(204))
    }

    pub(super) fn delete(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        kind: &str,
        id: &str,
    ) -> Outcome<Response> {
        let id = self.find(desk, kind, id)?;
        self.remove(desk, call, kind, &id)?;
        Ok(empty(204))
    }

    /// Into the recycle bin, unless somebody holds its row.
    pub(super) fn remove(&mut self, desk: &mut Desk, call: &Call<'_>, kind: &str, id: &str) -> Outcome<()> {
        let held = desk.shelf.live(kind, id).map(|record| record.values.clone()).unwrap_or_default();
        self.hold(kind, Some(id), &held, &integration(call))?;
        self.bin(desk, kind, id, &integration(call));
        Ok(())
    }

    pub(super) fn upsert(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        kind: &str,
        field: &str,
        value: &str,
    ) -> Outcome<Response> {
        let given = body_object(call)?;
        for name in ["Id", field] {
            if given.keys().any(|given| given.eq_ignore_ascii_case(name)) {
                let message = format!("The {name} field should not be specified in the sobject data.");
                return Err(Refused::new(400, "INVALID_FIELD", message));
            }
        }
        match self.upsert_one(desk, call, kind, field, value, given) {
            Ok((id, created)) => {
                let body = json!({"id": id, "success": true, "errors": [], "created": created});
                Ok(if created { made(call, kind, &id, &body) } else { answer(200, &body) })
            }
            Err(refused) if refused.code == "DUPLICATE_EXTERNAL_ID" => {
                let found = self.holders(desk, kind, field, value)?;
                let version = call.segments().get(2).map(ToString::to_string).unwrap_or_default();
                let link = |id: &String| json!(format!("/services/data/{version}/sobjects/{kind}/{id}"));
                Ok(answer(300, &found.iter().map(link).collect()))
            }
            Err(refused) => Err(refused),
        }
    }

    /// Makes the record of an external id, or changes it. What lies in the recycle bin is not found [unverified].
    pub(super) fn upsert_one(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        kind: &str,
        field: &str,
        value: &str,
        mut given: Map<String, Value>,
    ) -> Outcome<Written> {
        let found = self.holders(desk, kind, field, value)?;
        match found.as_slice() {
            [] => {
                self.judged(desk, call, kind, None, &given)?;
                given.insert(field.to_owned(), json!(value));
                self.create(desk, kind, &given, &integration(call)).map(|id| (id, true))
            }
            [id] => {
                self.judged(desk, call, kind, Some(id), &given)?;
                self.update(desk, kind, id, &given, &integration(call))?;
                Ok((id.clone(), false))
            }
            _ => {
                let message = format!("{field}: more than one record found for external id field: {found:?}");
                Err(Refused::write("DUPLICATE_EXTERNAL_ID", message, &[]))
            }
        }
    }

    pub(super) fn read(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        kind: &str,
        id: &str,
    ) -> Outcome<Response> {
        // What a read by id says of a deleted record is [unverified].
        let id = self.find(desk, kind, id)?;
        let record = desk.shelf.live(kind, &id).ok_or_else(Refused::missing)?;
        let fields =
            call.query("fields").map(|names| names.split(',').map(|n| n.trim().to_owned()).collect());
        self.shown(desk, call, kind, record, fields).map(|body| answer(200, &body))
    }

    pub(super) fn read_by(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        kind: &str,
        field: &str,
        value: &str,
    ) -> Outcome<Response> {
        let found = self.holders(desk, kind, field, value)?;
        match found.as_slice() {
            [id] => self.read(desk, call, kind, id),
            [] => Err(Refused::missing()),
            many => Ok(answer(300, &json!(many))),
        }
    }

    /// A record with the fields that are asked for, or all.
    pub(super) fn shown(
        &self,
        desk: &Desk,
        call: &Call<'_>,
        kind: &str,
        record: &Object,
        fields: Option<Vec<String>>,
    ) -> Outcome<Value> {
        let names = fields.unwrap_or_else(|| {
            let known = self.schema.fields(kind).iter().map(|field| field.name.clone());
            let kept = record.values.keys().cloned();
            known.chain(kept).chain(["Id".to_owned()]).collect()
        });
        let version = call.segments().get(2).map(ToString::to_string).unwrap_or_default();
        let mut body = Map::new();
        let url = format!("/services/data/{version}/sobjects/{kind}/{}", record.id);
        body.insert("attributes".to_owned(), json!({"type": kind, "url": url}));
        for name in names {
            let (name, value) = self.column(desk, kind, record, &name)?;
            body.insert(name, value);
        }
        Ok(Value::Object(body))
    }

    /// A column of a record: its name as the org spells it, and the value.
    pub(super) fn column(
        &self,
        desk: &Desk,
        kind: &str,
        record: &Object,
        name: &str,
    ) -> Outcome<(String, Value)> {
        let own = |name: &str, value: Value| Ok((name.to_owned(), value));
        match name.to_lowercase().as_str() {
            "id" => return own("Id", json!(record.id)),
            "systemmodstamp" => return own("SystemModstamp", json!(moment(record.updated_ms))),
            "lastmodifieddate" => return own("LastModifiedDate", json!(moment(record.updated_ms))),
            "createddate" => return own("CreatedDate", json!(moment(record.created_ms))),
            "createdbyid" => return own("CreatedById", json!(self.user)),
            "lastmodifiedbyid" => return own("LastModifiedById", json!(self.user)),
            _ => {}
        }
        let field = self.schema.field(kind, name).ok_or_else(|| {
            let message = format!(
                "No such column '{name}' on entity '{kind}'. If you are attempting to use a custom field, be sure to \
                 append the '__c' after the custom field name. Please reference your WSDL or the describe call for the \
                 appropriate names."
            );
            Refused::new(400, "INVALID_FIELD", message)
        })?;
        if field.name == "IsDeleted" {
            return own("IsDeleted", json!(!record.live()));
        }
        let value = record.values.get(&field.name).cloned();
        let value = value.unwrap_or(match field.holds {
            super::schema::Holds::Flag => json!(false),
            _ => Value::Null,
        });
        // A parent that is gone is none.
        let value = match (&field.holds, value.as_str()) {
            (super::schema::Holds::Reference(kinds), Some(id))
                if kinds.iter().all(|kind| desk.shelf.live(kind, id).is_none()) && record.live() =>
            {
                Value::Null
            }
            _ => value,
        };
        Ok((field.name, value))
    }
}

/// Live records whose field refers to an id.
fn referring(desk: &Desk, kind: &str, field: &str, id: &str) -> Vec<String> {
    let refers = |record: &&Object| record.live() && record.values.get(field).is_some_and(|held| held == id);
    desk.shelf.all(kind).filter(refers).map(|record| record.id.clone()).collect()
}

pub(super) fn locked(row: &str) -> Refused {
    // The row is named by its short id [seen].
    let short = row.get(..15).unwrap_or(row);
    let message = format!("unable to obtain exclusive access to this record or 1 records: {short}");
    Refused::write(LOCKED, message, &[])
}

/// 201 with the address of the record.
fn made(call: &Call<'_>, kind: &str, id: &str, body: &Value) -> Response {
    let version = call.segments().get(2).map(ToString::to_string).unwrap_or_default();
    let location = format!("/services/data/{version}/sobjects/{kind}/{id}");
    with_header(answer(201, body), "location", &location)
}

pub(super) fn body_object(call: &Call<'_>) -> Outcome<Map<String, Value>> {
    match call.body() {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Refused::new(400, "JSON_PARSER_ERROR", "The HTTP entity body must be a JSON object")),
        Err(why) => Err(Refused::new(400, "JSON_PARSER_ERROR", why)),
    }
}
