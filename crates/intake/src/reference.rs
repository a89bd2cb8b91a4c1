//! Reference data: a value that must be one of a table's, or the key of a record that is known, is looked up before the
//! message is taken in. What is not known is a person's, in a class of its own: they add it, and retry all of the class.

use canonical::schema::{ReferenceRule, Wants};
use canonical::{Entity, EntitySchema, Fields, Record};
use ledger::Reason;
use serde_json::Value;

use crate::identity::survivor;
use crate::key::comparing;
use crate::verdict::Incoming;
use crate::view::View;

/// The match keys by which records must be known: entity, key, value in comparing form.
#[must_use]
pub fn referenced(schema: &EntitySchema, fields: &Fields) -> Vec<(Entity, String, String)> {
    let mut out = Vec::new();
    for rule in &schema.rules {
        if let Wants::Record { entity, key, fold, normalise } = &rule.wants {
            let values = texts(fields.get(rule.field.as_str()));
            let values = values.filter_map(|text| comparing(text, *fold, normalise));
            out.extend(values.map(|value| (entity.clone(), key.clone(), value)));
        }
    }
    out
}

/// The first rule that a message breaks. What the record has already is not asked about again.
pub(crate) fn broken(
    schema: &EntitySchema,
    view: &View,
    incoming: &Incoming,
    record: Option<&Record>,
) -> Option<Reason> {
    let rule = schema.rules.iter().find(|rule| {
        let name = rule.field.as_str();
        let value = incoming.fields.get(name);
        let known = record.is_some_and(|record| record.fields.get(name) == value);
        !known
            && counts(schema, incoming, record, &rule.field)
            && texts(value).any(|text| !is_known(rule, view, text))
    })?;
    let wanted = match &rule.wants {
        Wants::OneOf { table, .. } => format!("no row of the table {table} has its value: add it there"),
        Wants::Record { entity, key, .. } => {
            format!("no {entity} is known that has it as {}: see why", name_of(key))
        }
    };
    Some(Reason {
        class: "reference_data".to_owned(),
        code: Some(rule.name.clone()),
        field: Some(rule.field.to_string()),
        message: format!(
            "{}: {} is not known ({}): {wanted}, then retry",
            incoming.about, rule.field, rule.name
        ),
        ..Reason::default()
    })
}

/// Whether the message's word on the field could count: it is not older than what is known, and nobody else owns it.
fn counts(
    schema: &EntitySchema,
    incoming: &Incoming,
    record: Option<&Record>,
    field: &canonical::Field,
) -> bool {
    let Some(record) = record else { return true };
    let source = &incoming.about.system;
    let mark = record.marks.get(source).and_then(|marks| marks.of(field));
    let older = matches!((incoming.order, mark), (Some(order), Some(mark)) if order < mark);
    let spec = schema.fields.get(field);
    let blank = record.fields.get(field.as_str()).is_none_or(canonical::value::is_empty);
    let others =
        spec.filter(|spec| !spec.on_conflict.merges()).and_then(|spec| spec.owner_in(&record.fields));
    !older && (blank || others.is_none_or(|owner| owner == source))
}

fn is_known(rule: &ReferenceRule, view: &View, text: &str) -> bool {
    match &rule.wants {
        Wants::OneOf { values, .. } => values.contains(text),
        Wants::Record { entity, key, fold, normalise } => {
            // One that was deleted may still be found by its key, or by that of one that was merged into it.
            let stands = |id: &canonical::RecordId| {
                let alive = view.records.get(&survivor(view, *id)).map(|record| &record.alive);
                !matches!(alive, Some(canonical::Alive::Deleted { .. }))
            };
            comparing(text, *fold, normalise).is_some_and(|value| {
                let key = (entity.clone(), key.clone(), value);
                view.matches.get(&key).is_some_and(|records| records.iter().any(stands))
            })
        }
    }
}

/// A key's name, of what it is kept as.
fn name_of(key: &str) -> &str {
    key.split('#').next().unwrap_or(key)
}

/// The texts of a value that is one, or a list of some.
fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let one = value.and_then(Value::as_str).into_iter();
    let many = value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    one.chain(many).filter(|text| !text.trim().is_empty())
}
