//! Properties: which exist, which are unique, and what a value must look like. Every value is kept as a string.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Map, Value, json};

use super::{HubSpot, Outcome, Refused, unrouted};
use crate::call::Call;
use crate::options::Property;
use crate::request::{Response, json as answer};
use crate::shelf::{Shelf, Values, text};
use crate::system::{Desk, iso_ms, parse_iso, stamp};

/// Set by the CRM itself.
const READ_ONLY: [&str; 4] = ["hs_object_id", "createdate", "lastmodifieddate", "hs_lastmodifieddate"];

const STANDARD: [(&str, &[&str]); 4] = [
    (
        "contacts",
        &[
            "firstname",
            "lastname",
            "phone",
            "mobilephone",
            "company",
            "jobtitle",
            "website",
            "address",
            "city",
            "state",
            "zip",
            "country",
            "lifecyclestage",
            "hs_lead_status",
            "hs_email_optout",
            "hubspot_owner_id",
        ],
    ),
    (
        "companies",
        &[
            "name",
            "domain",
            "phone",
            "website",
            "address",
            "city",
            "state",
            "zip",
            "country",
            "industry",
            "description",
            "lifecyclestage",
            "type",
            "numberofemployees:number",
            "annualrevenue:number",
            "hubspot_owner_id",
        ],
    ),
    (
        "deals",
        &[
            "dealname",
            "amount:number",
            "dealstage",
            "pipeline",
            "closedate:datetime",
            "dealtype",
            "description",
            "deal_currency_code",
            "hubspot_owner_id",
        ],
    ),
    (
        "products",
        &[
            "name",
            "price:number",
            "hs_sku",
            "description",
            "hs_recurring_billing_period",
            "recurringbillingfrequency",
        ],
    ),
];

/// Declared properties by type and name.
#[derive(Debug, Default)]
pub(super) struct Properties(BTreeMap<String, BTreeMap<String, Property>>);

/// The plural a type is kept under, from a plural, a singular or a type id.
pub(super) fn plural(kind: &str) -> &str {
    match kind {
        "0-1" | "contact" => "contacts",
        "0-2" | "company" => "companies",
        "0-3" | "deal" => "deals",
        "0-7" | "product" => "products",
        "0-69" | "subscription" => "subscriptions",
        "0-136" | "lead" => "leads",
        "0-123" | "order" => "orders",
        "0-53" | "invoice" => "invoices",
        other => other,
    }
}

/// The type id of a type, as webhooks of today name it.
pub(super) fn type_id(kind: &str) -> &str {
    match kind {
        "contacts" => "0-1",
        "companies" => "0-2",
        "deals" => "0-3",
        "products" => "0-7",
        "subscriptions" => "0-69",
        "leads" => "0-136",
        "orders" => "0-123",
        "invoices" => "0-53",
        other => other,
    }
}

/// The property that moves with every change of an object.
pub(super) fn modified(kind: &str) -> &'static str {
    if kind == "contacts" { "lastmodifieddate" } else { "hs_lastmodifieddate" }
}

impl Properties {
    pub(super) fn standard() -> Self {
        let mut all = Self::default();
        for (kind, names) in STANDARD {
            for name in names {
                let (name, value_type) = name.split_once(':').unwrap_or((name, "string"));
                let property = Property {
                    object_type: kind.to_owned(),
                    name: name.to_owned(),
                    value_type: value_type.to_owned(),
                    has_unique_value: false,
                    options: Vec::new(),
                };
                all.0.entry(kind.to_owned()).or_default().insert(name.to_owned(), property);
            }
        }
        all
    }

    pub(super) fn get(&self, kind: &str, name: &str) -> Option<&Property> {
        self.0.get(kind)?.get(name)
    }

    pub(super) fn declare(&mut self, shelf: &mut Shelf, mut property: Property) -> Result<(), String> {
        property.object_type = plural(&property.object_type).to_owned();
        let kind = property.object_type.clone();
        let unique =
            self.0.get(&kind).map_or(0, |all| all.values().filter(|known| known.has_unique_value).count());
        if property.has_unique_value && !shelf.is_unique(&kind, &property.name) {
            if unique >= 10 {
                return Err(format!("{kind} has ten unique properties already, the most it can have"));
            }
            shelf.declare_unique(&kind, &property.name).map_err(|clash| {
                format!(
                    "{kind}.{} can't be unique: object {} shares {:?}",
                    clash.property, clash.holder, clash.value
                )
            })?;
        }
        self.0.entry(kind).or_default().insert(property.name.clone(), property);
        Ok(())
    }

    /// Turns given properties into a patch of strings; null where a property is cleared.
    pub(super) fn patch(&self, desk: &Desk, kind: &str, given: &Map<String, Value>) -> Outcome<Values> {
        let mut patch = Values::new();
        let mut faults = Vec::new();
        for (name, value) in given {
            match self.value(desk, kind, name, value) {
                Ok(value) => {
                    patch.insert(name.clone(), value);
                }
                Err((code, message)) => faults.push((name, code, message)),
            }
        }
        if faults.is_empty() {
            return Ok(patch);
        }
        let listed: Vec<Value> = faults
            .iter()
            .map(|(name, code, message)| json!({"isValid": false, "message": message, "error": code, "name": name}))
            .collect();
        let mut refused =
            Refused::invalid(format!("Property values were not valid: {}", Value::Array(listed)));
        refused.errors = faults
            .iter()
            .map(|(name, code, message)| {
                json!({"message": message, "code": code, "context": {"propertyName": [name]}})
            })
            .collect();
        Err(refused)
    }

    fn value(
        &self,
        desk: &Desk,
        kind: &str,
        name: &str,
        value: &Value,
    ) -> Result<Value, (&'static str, String)> {
        if READ_ONLY.contains(&name) {
            return Err((
                "READ_ONLY_VALUE",
                format!("\"{name}\" is a read only property; its value cannot be set."),
            ));
        }
        let property = self.get(kind, name);
        if property.is_none() && desk.options.strict_properties {
            return Err(("PROPERTY_DOESNT_EXIST", format!("Property \"{name}\" does not exist")));
        }
        let text = match value {
            Value::Null => return Ok(Value::Null),
            other => text(other).ok_or(("INVALID_FORMAT", format!("{name} must be a string")))?,
        };
        if text.is_empty() {
            return Ok(Value::Null);
        }
        if kind == "contacts" && name == "email" && !plausible_email(&text) {
            return Err(("INVALID_EMAIL", format!("Email address {text} is invalid")));
        }
        let kept = match property {
            Some(property) => typed(property, &text)?,
            None => text,
        };
        // Contacts' addresses are kept in lower case.
        let kept = if kind == "contacts" && name == "email" { kept.to_lowercase() } else { kept };
        Ok(Value::String(kept))
    }
}

fn plausible_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let plain = text.chars().all(|letter| !letter.is_whitespace() && !letter.is_control());
    plain
        && !local.is_empty()
        && domain.contains('.')
        && !domain.contains('@')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
}

fn typed(property: &Property, text: &str) -> Result<String, (&'static str, String)> {
    let wrong = |code, what: &str| Err((code, format!("{text} was not a valid {what}.")));
    match property.value_type.as_str() {
        "number" if text.parse::<f64>().is_err() => wrong("INVALID_LONG", "number"),
        "bool" if !matches!(text, "true" | "false") => wrong("INVALID_BOOLEAN", "boolean"),
        "date" => match moment(text) {
            Some(ms) => Ok(stamp(ms, "%Y-%m-%d")),
            None => wrong("INVALID_DATE", "date"),
        },
        "datetime" => match moment(text) {
            Some(ms) if ms % 1000 == 0 => Ok(stamp(ms, "%Y-%m-%dT%H:%M:%SZ")),
            Some(ms) => Ok(iso_ms(ms)),
            None => wrong("INVALID_DATE", "datetime"),
        },
        "enumeration"
            if !property.options.is_empty() && !property.options.iter().any(|option| option == text) =>
        {
            Err((
                "INVALID_OPTION",
                format!("{text} was not one of the allowed options: {:?}", property.options),
            ))
        }
        _ => Ok(text.to_owned()),
    }
}

/// Milliseconds of an epoch number, a day, or an ISO 8601 time.
pub(super) fn moment(text: &str) -> Option<u64> {
    if let Ok(ms) = text.parse::<u64>() {
        return Some(ms);
    }
    if text.len() == 10 { parse_iso(&format!("{text}T00:00:00Z")) } else { parse_iso(text) }
}

impl HubSpot {
    pub(super) fn properties_endpoint(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        kind: &str,
        rest: &[&str],
    ) -> Outcome<Response> {
        match (call.request.method(), rest) {
            (&Method::GET, []) => {
                let all: Vec<Value> =
                    self.properties.0.get(kind).into_iter().flatten().map(|(_, it)| shown(it)).collect();
                Ok(answer(200, &json!({"results": all})))
            }
            (&Method::GET, [name]) => match self.properties.get(kind, name) {
                Some(property) => Ok(answer(200, &shown(property))),
                None => {
                    Err(Refused::new(404, "OBJECT_NOT_FOUND", format!("Property {name} does not exist.")))
                }
            },
            (&Method::POST, []) => {
                let mut given = call.body().map_err(Refused::invalid)?;
                given["objectType"] = json!(kind);
                // The vendor's options are objects; their values are what counts.
                if let Some(options) = given.get_mut("options").and_then(Value::as_array_mut) {
                    for option in options {
                        *option = option.get("value").cloned().unwrap_or_else(|| option.clone());
                    }
                }
                let property: Property = serde_json::from_value(given)
                    .map_err(|error| Refused::invalid(format!("Invalid input JSON: {error}")))?;
                if self.properties.get(kind, &property.name).is_some() {
                    let message = format!("A property named '{}' already exists.", property.name);
                    return Err(Refused::new(409, "OBJECT_ALREADY_EXISTS", message));
                }
                self.properties.declare(&mut desk.shelf, property.clone()).map_err(Refused::invalid)?;
                Ok(answer(201, &shown(&property)))
            }
            (method, _) => Err(unrouted(method, call.path())),
        }
    }
}

fn shown(property: &Property) -> Value {
    json!({
        "name": property.name, "label": property.name, "type": property.value_type, "fieldType": "text",
        "groupName": "information", "description": "", "hasUniqueValue": property.has_unique_value, "hidden": false,
        "options": property.options.iter().map(|value| json!({"label": value, "value": value, "hidden": false})).collect::<Vec<_>>(),
        "archived": false,
    })
}
