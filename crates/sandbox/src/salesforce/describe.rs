//! What the org says about its objects: `describe`, a part of it.

use serde_json::{Value, json};

use super::Salesforce;
use super::schema::{Field, Holds, label};
use crate::request::{Response, json as answer};

impl Salesforce {
    pub(super) fn describe_all(&self) -> Response {
        let one = |(name, prefix): (&str, &str)| {
            json!({"name": name, "label": label(name), "keyPrefix": prefix, "custom": name.ends_with("__c"),
                   "createable": true, "updateable": true, "queryable": true})
        };
        let objects: Vec<Value> = self.schema.objects().map(one).collect();
        answer(200, &json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects}))
    }

    pub(super) fn describe(&self, kind: &str) -> Response {
        let id = json!({
            "name": "Id", "label": "Record ID", "type": "id", "length": 18, "nillable": false, "createable": false,
            "updateable": false, "custom": false, "externalId": false, "unique": false, "idLookup": true,
            "calculated": false, "referenceTo": [], "relationshipName": null, "picklistValues": [],
        });
        let fields: Vec<Value> =
            [id].into_iter().chain(self.schema.fields(kind).iter().map(described)).collect();
        answer(
            200,
            &json!({
                "name": kind, "label": label(kind), "keyPrefix": self.schema.prefix(kind),
                "custom": kind.ends_with("__c"), "mergeable": self.schema.mergeable(kind), "undeletable": true,
                "createable": true, "updateable": true, "deletable": true, "queryable": true, "fields": fields,
            }),
        )
    }
}

fn described(field: &Field) -> Value {
    let (kind, length) = match &field.holds {
        Holds::Text(length) if *length > 255 => ("textarea", *length),
        Holds::Text(length) => ("string", *length),
        Holds::Email => ("email", 80),
        Holds::Choice(_) => ("picklist", 255),
        Holds::Number => ("double", 0),
        Holds::Date => ("date", 0),
        Holds::Moment => ("datetime", 0),
        Holds::Flag => ("boolean", 0),
        Holds::Reference(_) => ("reference", 18),
    };
    let targets: &[&str] = if let Holds::Reference(kinds) = &field.holds { kinds } else { &[] };
    let options: &[String] = if let Holds::Choice(options) = &field.holds { options } else { &[] };
    // The name under which a query reaches the record that is referred to.
    let relation = (!targets.is_empty()).then(|| field.name.strip_suffix("Id").unwrap_or(&field.name));
    let option =
        |value: &String| json!({"value": value, "label": value, "active": true, "defaultValue": false});
    json!({
        "name": field.name, "label": label(&field.name), "type": kind, "length": length,
        // A flag is never empty, and set to false where nothing is said.
        "nillable": !field.required && field.holds != Holds::Flag, "defaultedOnCreate": field.holds == Holds::Flag,
        "createable": field.writable, "updateable": field.writable, "custom": field.name.ends_with("__c"),
        "externalId": field.external_id, "unique": field.unique, "idLookup": field.external_id,
        "calculated": false, "referenceTo": targets, "relationshipName": relation, "restrictedPicklist": !options.is_empty(),
        "picklistValues": options.iter().map(option).collect::<Vec<_>>(),
    })
}
