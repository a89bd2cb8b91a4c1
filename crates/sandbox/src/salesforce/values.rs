//! Values as they are written: checked field by field, and kept as the vendor keeps them.

use serde_json::{Map, Number, Value, json};

use super::schema::{Field, Holds, label};
use super::{Outcome, Refused, Salesforce, id};
use crate::shelf::{Values, text};
use crate::system::{Desk, parse_iso};

impl Salesforce {
    /// The fields of a body as the record keeps them; null clears.
    pub(super) fn checked(&self, desk: &Desk, kind: &str, given: &Map<String, Value>) -> Outcome<Values> {
        let mut values = Values::new();
        for (name, value) in given {
            if name == "attributes" {
                continue;
            }
            if let Value::Object(by) = value {
                let (field, id) = self.referred(desk, kind, name, by)?;
                values.insert(field, json!(id));
                continue;
            }
            let field = self.schema.field(kind, name).ok_or_else(|| {
                let message = format!("No such column '{name}' on sobject of type {kind}");
                Refused::new(400, "INVALID_FIELD", message)
            })?;
            if !field.writable || field.name == "Id" {
                let message = format!(
                    "Unable to create/update fields: {}. Please check the security settings of this field and verify \
                     that it is read/write for your profile or permission set.",
                    field.name
                );
                return Err(Refused::write("INVALID_FIELD_FOR_INSERT_UPDATE", message, &[&field.name]));
            }
            let kept = self.kept(desk, &field, value)?;
            values.insert(field.name, kept);
        }
        Ok(values)
    }

    fn kept(&self, desk: &Desk, field: &Field, value: &Value) -> Outcome<Value> {
        if value.is_null() {
            return Ok(Value::Null);
        }
        match &field.holds {
            Holds::Flag => match value {
                Value::Bool(_) => Ok(value.clone()),
                _ => match value.as_str() {
                    Some("true") => Ok(json!(true)),
                    Some("false") => Ok(json!(false)),
                    _ => Err(unreadable("boolean", value)),
                },
            },
            Holds::Number => {
                let number =
                    value.as_f64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
                let number = number.and_then(Number::from_f64).ok_or_else(|| unreadable("double", value))?;
                Ok(Value::Number(number))
            }
            _ => {
                // White space around a text goes, and an empty one is none [seen].
                let plain = text(value).ok_or_else(|| unreadable("string", value))?.trim().to_owned();
                if plain.is_empty() { Ok(Value::Null) } else { self.kept_text(desk, field, plain) }
            }
        }
    }

    fn kept_text(&self, desk: &Desk, field: &Field, plain: String) -> Outcome<Value> {
        let label = label(&field.name);
        let longest = match &field.holds {
            Holds::Text(longest) => *longest,
            Holds::Email => 80,
            _ => 255,
        };
        if plain.chars().count() > longest {
            let message = format!("{label}: data value too large: {plain} (max length={longest})");
            return Err(Refused::write("STRING_TOO_LONG", message, &[&field.name]));
        }
        match &field.holds {
            Holds::Email => {
                let whole =
                    plain.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
                if !whole || plain.contains(char::is_whitespace) {
                    let message = format!("{label}: invalid email address: {plain}");
                    return Err(Refused::write("INVALID_EMAIL_ADDRESS", message, &[&field.name]));
                }
            }
            Holds::Choice(options) if !options.is_empty() && !options.contains(&plain) => {
                let message = format!("{label}: bad value for restricted picklist field: {plain}");
                let code = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST";
                return Err(Refused::write(code, message, &[&field.name]));
            }
            Holds::Date => {
                let day: Result<jiff::civil::Date, _> = plain.parse();
                if plain.len() != 10 || day.is_err() {
                    return Err(unreadable("date", &json!(plain)));
                }
            }
            Holds::Moment => {
                let ms = parse_iso(&plain).ok_or_else(|| unreadable("datetime", &json!(plain)))?;
                return Ok(json!(super::moment(ms)));
            }
            Holds::Reference(kinds) => return self.reference(desk, field, kinds, &plain).map(Value::String),
            _ => {}
        }
        Ok(Value::String(plain))
    }

    fn reference(&self, desk: &Desk, field: &Field, kinds: &[&str], given: &str) -> Outcome<String> {
        let label = label(&field.name);
        let of = |id: &String| kinds.iter().find(|kind| id.starts_with(self.schema.prefix(kind)));
        let read = id::read(given);
        let Some((id, kind)) = read.as_ref().and_then(|id| Some((id, of(id)?))) else {
            let message = format!("{label}: id value of incorrect type: {given}");
            return Err(Refused::write("MALFORMED_ID", message, &[&field.name]));
        };
        match desk.shelf.get(kind, id) {
            Some(record) if record.live() => Ok(id.clone()),
            Some(_) => Err(Refused::write("ENTITY_IS_DELETED", "entity is deleted", &[])),
            None => {
                let message = format!("{label}: invalid cross reference id");
                Err(Refused::write("INVALID_CROSS_REFERENCE_KEY", message, &[&field.name]))
            }
        }
    }

    /// A parent by its own external id: `{"Account": {"Concord_Id__c": "…"}}` [doc].
    fn referred(
        &self,
        desk: &Desk,
        kind: &str,
        name: &str,
        by: &Map<String, Value>,
    ) -> Outcome<(String, String)> {
        let no_relation = || {
            let message = format!("No such column '{name}' on sobject of type {kind}");
            Refused::new(400, "INVALID_FIELD", message)
        };
        // A relation of the org's own leads to the standard object of that name, or to a custom one.
        let (field, target) = match name.strip_suffix("__r") {
            Some(stem) => {
                let custom = format!("{stem}__c");
                let target =
                    self.schema.known(stem).or_else(|| self.schema.known(&custom)).ok_or_else(no_relation)?;
                (custom, target)
            }
            None => {
                let (field, target) = self.schema.relation(kind, name).ok_or_else(no_relation)?;
                (field.name, target)
            }
        };
        let (key, value) = by.iter().find(|(key, _)| *key != "attributes").ok_or_else(no_relation)?;
        let wanted = text(value).unwrap_or_default();
        let found = self.holders(desk, target, key, &wanted)?;
        match found.as_slice() {
            [one] => Ok((field, one.clone())),
            [] => {
                let message =
                    format!("Foreign key external ID: {wanted} not found for field {key} in entity {target}");
                Err(Refused::write("INVALID_FIELD", message, &[]))
            }
            _ => {
                let message = format!("{key}: more than one record found for external id field: {found:?}");
                Err(Refused::write("DUPLICATE_EXTERNAL_ID", message, &[]))
            }
        }
    }

    /// Live records that have a value in an external id, whatever its case [seen].
    pub(super) fn holders(&self, desk: &Desk, kind: &str, name: &str, value: &str) -> Outcome<Vec<String>> {
        let field = self.schema.field(kind, name).filter(|field| field.external_id);
        let field = field.ok_or_else(|| Refused::no_external_id(name))?;
        if field.unique {
            return Ok(desk.shelf.holder(kind, &field.name, value).map(str::to_owned).into_iter().collect());
        }
        let same = |held: &Value| text(held).is_some_and(|held| held.eq_ignore_ascii_case(value));
        let live = desk.shelf.all(kind).filter(|record| record.live());
        Ok(live
            .filter(|record| record.values.get(&field.name).is_some_and(same))
            .map(|r| r.id.clone())
            .collect())
    }
}

/// What the parser says about a value of another type [seen].
fn unreadable(wanted: &str, value: &Value) -> Refused {
    let kind = match value {
        Value::String(_) => "STRING",
        Value::Number(_) => "NUMBER_INT",
        Value::Bool(_) => "TRUE",
        Value::Array(_) => "START_ARRAY",
        _ => "START_OBJECT",
    };
    let shown = text(value).unwrap_or_default();
    let message = format!(
        "Cannot deserialize instance of {wanted} from VALUE_{kind} value {shown} or request may be missing a required \
         field at [line:1, column:1]"
    );
    Refused::new(400, "JSON_PARSER_ERROR", message)
}
