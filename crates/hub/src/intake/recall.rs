//! What a message means beside what is known: by which keys its record is found, and which of its values Concord wrote itself.

use canonical::Wall;
use intake::{Incoming, View};
use planted::Bug;

use super::item::Item;

/// A match key may name the record that a field refers to, which only the view tells. Says whether the store has to be
/// asked who has such a key.
pub(super) fn names_referred(
    view: &View,
    schema: &canonical::EntitySchema,
    incoming: &mut Incoming,
    item: &mut Item,
) -> bool {
    let refers = |field: &canonical::Field| {
        let kind = schema.fields.get(field).map(|spec| &spec.kind);
        matches!(kind, Some(canonical::FieldType::Reference(_)))
    };
    let by_reference = schema.match_keys.iter().any(|key| key.fields.iter().any(refers));
    if !by_reference || incoming.references.is_empty() || view.links.contains_key(&incoming.about) {
        return false;
    }
    let names = |object: &canonical::ExternalRef| {
        let record = intake::referred(view, object)?;
        let known = view.records.get(&record).map(|known| known.names().collect());
        Some(known.unwrap_or_else(|| vec![record]))
    };
    let keyed = |field: &canonical::Field| schema.match_keys.iter().any(|key| key.fields.contains(field));
    let references = incoming.references.iter().filter(|(field, _)| keyed(field));
    let references = references.filter_map(|(field, object)| Some((field.clone(), names(object)?)));
    let references: Vec<_> = references.collect();
    incoming.matches = intake::match_values_named(schema, &incoming.fields, &references);
    let entity = &schema.entity;
    let asked = incoming.matches.iter().map(|(key, value)| (entity.clone(), key.clone(), value.clone()));
    let lacking: Vec<_> = asked.filter(|key| !item.ask.matches.contains(key)).collect();
    item.ask.matches.extend(lacking.iter().cloned());
    !lacking.is_empty()
}

/// Where an object is gone that its record has a second one of, that one goes on in its place: what is known of it is needed,
/// too. Says whether the store has to be asked.
pub(super) fn second_goes_on(
    view: &View,
    schema: &canonical::EntitySchema,
    incoming: &Incoming,
    item: &mut Item,
) -> bool {
    let record = intake::subject(schema, view, incoming).filter(|_| incoming.deleted);
    let Some(record) = record.and_then(|id| view.records.get(&id)) else { return false };
    let seconds = record.second_objects(&incoming.about.system, &incoming.about.object);
    let lacking: Vec<_> = seconds.filter(|next| !item.ask.objects.contains(next)).cloned().collect();
    item.ask.objects.extend(lacking.iter().cloned());
    !lacking.is_empty()
}

/// What our last writes there, and the one on its way, would read as.
pub(super) fn recall(
    view: &View,
    schema: &canonical::EntitySchema,
    (mapping, writer): (&mapping::Mapping, Option<&mapping::Mapping>),
    incoming: &mut Incoming,
    now: Wall,
) {
    let Some(id) = intake::subject(schema, view, incoming) else { return };
    let key = (id, incoming.about.system.clone(), incoming.about.object.clone());
    let shadow = view.shadow_of(id, &incoming.about);
    let known = shadow.map(|shadow| mapping.recall(&shadow.fields)).unwrap_or_default();
    let writing = view.intents.get(&key).map(|intent| mapping.recall(&intent.fields)).unwrap_or_default();
    // A value that only looks different there (case, rounding) says nothing new: not to the record, nor to what is proposed
    // or written there.
    let record = view.records.get(&id);
    for (name, value) in &mut incoming.fields {
        let Ok(field) = canonical::Field::new(name) else { continue };
        // What we wrote, as the system keeps it: it is what we wrote.
        if let (Some(shadow), Some(known)) = (shadow, known.get(name))
            && mapping.said_alike(&field, &shadow.fields, &incoming.seen_paths)
        {
            value.clone_from(known);
        }
        let proposed = record.and_then(|record| record.open.get(&field)).map(|open| &open.value);
        let held = record.and_then(|record| record.fields.get(name)).into_iter().chain(proposed);
        let mut held = held.chain(known.get(name)).chain(writing.get(name));
        if let Some(held) = held.find(|held| mapping.equal_on(&field, value, held)) {
            value.clone_from(held);
        }
    }
    if let Some(shadow) = shadow {
        incoming.known = recalled(view, mapping, incoming, &shadow.fields, known);
        // What it was told is what the record has, however it writes it.
        for (name, known) in &mut incoming.known {
            let Ok(field) = canonical::Field::new(name.as_str()) else { continue };
            let held = record.and_then(|record| record.fields.get(name));
            if let Some(held) = held.filter(|_| incoming.fields.get(name) != Some(known))
                && mapping.equal_on(&field, known, held)
            {
                known.clone_from(held);
            }
            // Nor is what is proposed to it, where it means what it has: it has what it was told, and says its own.
            let proposed = record.and_then(|record| record.open.get(&field)).map(|open| &open.value);
            if let Some(proposed) = proposed.filter(|_| held.is_some() && incoming.fields.get(name) == held)
                && mapping.equal_on(&field, known, proposed)
            {
                known.clone_from(proposed);
            }
        }
        // Shown again in the version in which it was judged, it is no other word. In a later one it may be an edit back to it.
        if incoming.version().is_some() && incoming.version() == shadow.token {
            incoming.judged.clone_from(&shadow.meanwhile);
        }
        let open = view.intents.get(&key);
        // What is read is there now. Where nothing certain is known, it is ours if we wrote it lately; where another
        // value was certain, somebody has put it back.
        let may_be_ours = |path: &str| {
            let certain = shadow.fields.contains_key(path) && !shadow.unknown.contains(path);
            !incoming.read
                || !certain
                || planted::is(Bug::EditIsEcho)
                || open.is_some_and(|intent| intent.fields.contains_key(path))
        };
        let lately = incoming.seen_paths.iter().filter(|(path, value)| {
            may_be_ours(path)
                && shadow.fields.get(*path) != Some(*value)
                && writer.is_some_and(|writer| shadow.wrote_lately(path, &writer.form(path, value), now))
        });
        let lately = lately.map(|(path, value)| (path.clone(), value.clone())).collect();
        incoming.lately = recalled(view, mapping, incoming, &lately, mapping.recall(&lately));
        if !incoming.read {
            incoming.lately_paths = lately.into_iter().map(|(path, _)| path).collect();
        }
    }
    if let Some(intent) = view.intents.get(&key) {
        incoming.writing = recalled(view, mapping, incoming, &intent.fields, writing);
        if planted::is(Bug::WritingIsForgotten) {
            incoming.writing.clear();
        }
    }
}

/// What a memory of the object reads as, whose plain `fields` are read already. Of its references those that the message
/// has too: they are the same record.
fn recalled(
    view: &View,
    mapping: &mapping::Mapping,
    incoming: &Incoming,
    memory: &canonical::Fields,
    mut fields: canonical::Fields,
) -> canonical::Fields {
    // What only looks different from what is remembered is what is remembered.
    for (name, known) in &mut fields {
        if let (Some(value), Ok(field)) = (incoming.fields.get(name), canonical::Field::new(name.as_str()))
            && value != known
            && mapping.equal_on(&field, value, known)
        {
            known.clone_from(value);
        }
    }
    if incoming.references.is_empty() {
        return fields;
    }
    let referred = mapping.recall_references(memory);
    for (field, object) in &incoming.references {
        if referred.get(field) == Some(&object.id)
            && let Some(record) = intake::referred(view, object)
        {
            fields.insert(field.as_str().to_owned(), record.to_string().into());
        }
    }
    fields
}
