//! How records look in each system, written down from the systems' own forms: for people's edits, and for the proof.
//! It shares nothing with the mappings under proof.

mod customers;
mod trades;

use sandbox::shelf::Values;
use serde_json::{Map, Value, json};

use super::diary::{Entry, Kind, Place};
use super::timeline::Read;

/// How records of a kind look in a system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    /// The vendor's object type.
    pub(crate) object: &'static str,
    /// Where the business id stands.
    pub(crate) id: &'static str,
    /// Field, its path there, and its form.
    pub(crate) fields: &'static [(&'static str, &'static str, Read)],
    /// Which records must be there: those whose field has one of these values (any, when none is named). Without:
    /// all of the kind.
    pub(crate) when: Option<(&'static str, &'static [&'static str])>,
}

/// Marketing's audience.
pub(crate) const AUDIENCE: &str = "57afe96172";

/// Every view.
pub(crate) fn all() -> Vec<View> {
    customers::VIEWS.into_iter().chain(trades::VIEWS).collect()
}

/// The view of a kind in a system.
pub(crate) fn of(views: &[View], kind: Kind, place: Place) -> Option<&View> {
    views.iter().find(|view| view.kind == kind && view.place == place)
}

impl View {
    /// The first moment from `at_ms` on at which a record must be there, as its diary says; `None`: never.
    pub(crate) fn applies_from(&self, entry: &Entry, at_ms: u64) -> Option<u64> {
        let Some((field, values)) = self.when else { return Some(at_ms) };
        let said = &entry.fields.get(field)?.said;
        let fits = |value: &Option<String>| {
            value.as_deref().is_some_and(|value| values.is_empty() || values.contains(&value))
        };
        if said.iter().rfind(|said| said.at_ms <= at_ms).is_some_and(|said| fits(&said.value)) {
            return Some(at_ms);
        }
        said.iter().find(|said| said.at_ms > at_ms && fits(&said.value)).map(|said| said.at_ms)
    }

    /// What a person types for a field there: the path, and the value in the vendor's form. `id` is the vendor's id
    /// of what the value refers to, for references.
    pub(crate) fn typed(&self, field: &str, value: Option<&str>, id: Option<&str>, into: &mut Values) {
        let Some((_, path, read)) = self.fields.iter().find(|(name, _, _)| *name == field) else { return };
        let value = match value {
            None => Value::Null,
            Some(value) => self.form(field, value, *read, id),
        };
        put(into, path, value);
    }

    fn form(&self, field: &str, value: &str, read: Read, id: Option<&str>) -> Value {
        let number = |text: &str| text.parse().map_or_else(|_| json!(text), Value::Number);
        let erp = self.place == Place::Erp;
        match read {
            Read::Ref(_) if erp => json!({ "id": id.unwrap_or_default() }),
            Read::Ref(_) => json!(id.unwrap_or_default()),
            Read::Amount if erp => number(value),
            Read::Truth if erp => json!(value == "true"),
            Read::Untruth => json!(value != "true"),
            Read::Word(words) => {
                json!(words.iter().find(|(_, ours)| *ours == value).map_or(value, |(theirs, _)| theirs))
            }
            Read::Behind(before) => json!(format!("{before}{value}")),
            _ if erp && field == "version" => number(value),
            _ => json!(value),
        }
    }
}

/// Puts a value at a dotted path, beside what is there.
fn put(into: &mut Values, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            into.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let held = into.entry(first.to_owned()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(map) = held {
                map.insert(rest.to_owned(), value);
            }
        }
    }
}

/// Puts a record's business id where the view has it.
pub(crate) fn put_id(view: &View, id: &str, into: &mut Values) {
    put(into, view.id, json!(id));
}
