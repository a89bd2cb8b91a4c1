//! Whose value counts when two records become one: the owner's, else by the field's policy, else the newest.

use std::cmp::Ordering;

use canonical::value::is_empty;
use canonical::{
    Field, FieldSpec, FieldType, Fields, OnConflict, Provenance, Record, RecordId, System, Wall,
};
use ledger::{FieldLine, Side};
use serde_json::Value;

use super::{Order, speaker};
use crate::conflict::bring;
use crate::verdict::Context;

/// What a field comes to.
struct Choice {
    takes: Option<Side>,
    value: Value,
    why: String,
}

/// Brings the values of both together in `after`, which is the survivor. Gives a line for each field of which both had
/// something to say.
pub(super) fn merge(
    context: Context<'_>,
    order: Order<'_>,
    after: &mut Record,
) -> Result<Vec<FieldLine>, String> {
    if let Some(field) = order.prefer.keys().find(|field| !context.schema.fields.contains_key(*field)) {
        return Err(format!("a {} has no field {field}: see its model", context.schema.entity));
    }
    let mut lines = Vec::new();
    for (field, spec) in in_order(context, order) {
        let (keep, gone) = (value(order, Side::Keep, &field, spec), value(order, Side::Gone, &field, spec));
        let choice = match (keep, gone) {
            (None, None) => {
                // What refers to one of the two would refer to itself.
                let own = spec.is_some_and(|spec| matches!(spec.kind, FieldType::Reference(_)));
                if own && after.fields.get(field.as_str()).is_some_and(|value| !is_empty(value)) {
                    after.fields.insert(field.as_str().to_owned(), Value::Null);
                }
                continue;
            }
            (Some(_), None) => continue,
            (None, Some(value)) => Choice {
                takes: Some(Side::Gone),
                value: value.clone(),
                why: "only this one has a value".to_owned(),
            },
            (Some(one), Some(other)) if one == other => continue,
            (Some(one), Some(other)) => between(order, &field, spec, &after.fields, (one, other))?,
        };
        take(order, &field, &choice, after);
        lines.push(FieldLine { record: after.id, field, takes: choice.takes, why: choice.why });
    }
    Ok(lines)
}

/// The fields of either, those whose owner depends on the record's state last: whose they are follows from the rest.
fn in_order<'a>(context: Context<'a>, order: Order<'_>) -> Vec<(Field, Option<&'a FieldSpec>)> {
    let names = order.keep.record.fields.keys().chain(order.gone.record.fields.keys());
    let names: std::collections::BTreeSet<&String> = names.collect();
    let fields = names.into_iter().filter_map(|name| Field::new(name).ok());
    let with_spec = fields.map(|field| {
        let spec = context.schema.fields.get(&field);
        (field, spec)
    });
    let (mut first, then): (Vec<_>, Vec<_>) =
        with_spec.partition(|(_, spec)| spec.is_none_or(|spec| spec.owners.is_empty()));
    first.extend(then);
    first
}

/// What a record says of a field: not blank, and no reference to one of the two.
fn value<'a>(order: Order<'a>, side: Side, field: &Field, spec: Option<&FieldSpec>) -> Option<&'a Value> {
    let record = record(order, side);
    let value = record.fields.get(field.as_str()).filter(|value| !is_empty(value))?;
    let refers = spec.is_some_and(|spec| matches!(spec.kind, FieldType::Reference(_)));
    let named: Option<RecordId> = value.as_str().filter(|_| refers).and_then(|text| text.parse().ok());
    let own = |id: RecordId| order.keep.record.stands_for(id) || order.gone.record.stands_for(id);
    (!named.is_some_and(own)).then_some(value)
}

const fn record<'a>(order: Order<'a>, side: Side) -> &'a Record {
    match side {
        Side::Keep => &order.keep.record,
        Side::Gone => &order.gone.record,
    }
}

fn provenance<'a>(order: Order<'a>, side: Side, field: &Field) -> Option<&'a Provenance> {
    record(order, side).provenance.get(field)
}

/// Both have a value, and not the same one.
fn between(
    order: Order<'_>,
    field: &Field,
    spec: Option<&FieldSpec>,
    known: &Fields,
    (keep, gone): (&Value, &Value),
) -> Result<Choice, String> {
    let of = |side: Side| if side == Side::Keep { keep.clone() } else { gone.clone() };
    let ruled = spec.and_then(|spec| by_rule(order, field, spec, known, (keep, gone)));
    let preferred = order.prefer.get(field).copied();
    match (ruled, preferred) {
        (Some(ruled), Some(side)) if ruled.takes != Some(side) => {
            Err(format!("{field} can't be preferred: {}; say it there, or change the model", ruled.why))
        }
        (Some(ruled), _) => Ok(ruled),
        (None, Some(side)) => Ok(Choice {
            takes: Some(side),
            value: of(side),
            why: "preferred by whoever planned it".to_owned(),
        }),
        (None, None) => {
            let side = newest(order, field);
            let other = if side == Side::Keep { Side::Gone } else { Side::Keep };
            let tie = said_at(order, side, field) == said_at(order, other, field);
            let why = if tie { "none is newer: the record that stays" } else { "it was said last" };
            Ok(Choice { takes: Some(side), value: of(side), why: why.to_owned() })
        }
    }
}

/// What ownership and policy say. `None`: nothing.
fn by_rule(
    order: Order<'_>,
    field: &Field,
    spec: &FieldSpec,
    known: &Fields,
    (keep, gone): (&Value, &Value),
) -> Option<Choice> {
    let owner = spec.owner_in(known);
    let of = |side: Side| if side == Side::Keep { keep.clone() } else { gone.clone() };
    if matches!(spec.on_conflict, OnConflict::Min | OnConflict::Max | OnConflict::Union) {
        let value = bring(spec, keep, gone)?;
        let takes = if value == *keep {
            Some(Side::Keep)
        } else if value == *gone {
            Some(Side::Gone)
        } else {
            None
        };
        return Some(Choice { takes, value, why: format!("on_conflict {}", spec.on_conflict.name()) });
    }
    if spec.on_conflict == OnConflict::Latest {
        let side = newest(order, field);
        let why = "on_conflict latest: it changed last".to_owned();
        return Some(Choice { takes: Some(side), value: of(side), why });
    }
    let owner = owner?;
    let said = |side: Side| provenance(order, side, field).is_some_and(|from| from.system == *owner);
    let speaker = speaker(order, owner);
    let side =
        match (speaker.filter(|side| has(order, *side, owner, field)), said(Side::Keep), said(Side::Gone)) {
            // Its word is that of the object that goes on speaking for it. Whoever said first what stands there: it is not
            // written there, and counts whenever it is seen.
            (Some(side), ..) => side,
            (None, true, true) => speaker.unwrap_or_else(|| newest(order, field)),
            (None, true, false) => Side::Keep,
            (None, false, true) => Side::Gone,
            (None, false, false) => return None,
        };
    Some(Choice { takes: Some(side), value: of(side), why: owners(owner, field, side) })
}

/// Whether a record's object in a system is known to have a value there.
fn has(order: Order<'_>, side: Side, system: &System, field: &Field) -> bool {
    let [keep, gone] = order.there;
    let there = if side == Side::Keep { keep } else { gone };
    let value = there.get(system).and_then(|fields| fields.get(field.as_str()));
    value.is_some_and(|value| !is_empty(value))
}

fn owners(owner: &System, field: &Field, side: Side) -> String {
    match side {
        Side::Keep => format!("{owner} owns {field}, and its word is that of the record that stays"),
        Side::Gone => format!("{owner} owns {field}, and its word is that of the record that is merged"),
    }
}

/// Whose value changed last, by its system's clock where that tells it.
fn newest(order: Order<'_>, field: &Field) -> Side {
    match said_at(order, Side::Keep, field).cmp(&said_at(order, Side::Gone, field)) {
        Ordering::Less => Side::Gone,
        Ordering::Equal | Ordering::Greater => Side::Keep,
    }
}

fn said_at(order: Order<'_>, side: Side, field: &Field) -> Option<Wall> {
    provenance(order, side, field).map(|from| from.changed.unwrap_or(from.at))
}

fn take(order: Order<'_>, field: &Field, choice: &Choice, after: &mut Record) {
    if choice.takes == Some(Side::Keep) {
        return;
    }
    after.fields.insert(field.as_str().to_owned(), choice.value.clone());
    let newer = if choice.takes.is_none() { newest(order, field) } else { Side::Gone };
    match provenance(order, newer, field) {
        Some(from) => drop(after.provenance.insert(field.clone(), from.clone())),
        None => drop(after.provenance.remove(field)),
    }
}
