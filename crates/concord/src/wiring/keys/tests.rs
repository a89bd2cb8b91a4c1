//! A hub that starts with other match keys finds the records that it had.

use std::path::{Path, PathBuf};

use canonical::{Alive, Entity, Fields, Record};
use runtime::clock::Clock;
use serde_json::json;
use store::{Memory, Query, Rows, Store};

use super::*;
use crate::wiring::change::note_start;

fn configuration(change: impl Fn(&str) -> String) -> Configuration {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/subscription-business");
    let mut files = config::Files::read(&dir).unwrap_or_else(|problems| panic!("{problems:?}"));
    let contact = change(files.get("model/contact.yaml").unwrap());
    files.put("model/contact.yaml", contact);
    config::load(&files).unwrap_or_else(|problems| panic!("{problems:?}")).configuration
}

fn record(configuration: &Configuration, number: u128, fields: &serde_json::Value) -> Record {
    let mut fields_of = Fields::new();
    for (name, value) in fields.as_object().unwrap() {
        fields_of.insert(name.clone(), value.clone());
    }
    Record {
        tenant: configuration.tenant.clone(),
        entity: Entity::new("Contact").unwrap(),
        id: RecordId::from_parts(
            canonical::Wall(0),
            number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
        ),
        version: 1,
        schema: 1,
        alive: Alive::Live,
        fields: fields_of,
        provenance: Default::default(),
        marks: Default::default(),
        extensions: Default::default(),
        counter_writes: Default::default(),
        open: Default::default(),
        occurrences: Default::default(),
        absorbed: Default::default(),
        created_at: canonical::Wall(0),
        updated_at: canonical::Wall(0),
    }
}

/// The records that are found by a name.
async fn found(store: &Memory, configuration: &Configuration, email: &str) -> usize {
    let schema = &configuration.entities[&Entity::new("Contact").unwrap()];
    let mut fields = Fields::new();
    fields.insert("email".to_owned(), json!(email));
    let matches = intake::match_values(schema, &fields);
    let matches = matches.into_iter().map(|(key, value)| (schema.entity.clone(), key, value)).collect();
    let asks = vec![intake::Ask { matches, ..intake::Ask::default() }];
    let (tell, told) = tokio::sync::oneshot::channel();
    let query = Query::Intake { tenant: configuration.tenant.clone(), asks };
    store.find(query, Box::new(move |rows| drop(tell.send(rows))));
    match told.await.unwrap().unwrap() {
        Rows::Intake(view) => view.matches.values().map(Vec::len).sum(),
        other => panic!("not a view: {other:?}"),
    }
}

#[tokio::test]
async fn records_are_found_by_keys_that_changed() {
    let store = Memory::new();
    let before = configuration(str::to_owned);
    note_start(&store, Clock::system(), Path::new(""), &before, &[]).await.unwrap();
    let named = |number| record(&before, number, &json!({"email": format!("P{number}@mail.example.com")}));
    let mut many: Vec<Op> = (1..2500).map(|number| Op::PutRecord(named(number))).collect();
    // An alias keeps its own for ever.
    many.push(Op::PutRecord(Record { alive: Alive::Merged { into: named(1).id }, ..named(2500) }));
    commit(&store, many).await.unwrap();
    assert_eq!(found(&store, &before, "p7@mail.example.com").await, 0, "put without their keys");

    let after = configuration(|text| {
        text.replace("fields: [email], fold: true", "fields: [email], fold: true, normalise: [domain]")
    });
    assert_ne!(of(&before), of(&after), "the example has such a key");
    note_start(&store, Clock::system(), Path::new(""), &after, &[]).await.unwrap();
    assert_eq!(found(&store, &after, "anybody@mail.example.com").await, 2500);
    // A start that finds all as it should be does not go through them again.
    commit(&store, vec![Op::DropMatches(after.tenant.clone())]).await.unwrap();
    note_start(&store, Clock::system(), Path::new(""), &after, &[]).await.unwrap();
    assert_eq!(found(&store, &after, "anybody@mail.example.com").await, 0);
    // One that broke off does.
    let broke_off = store::Applied {
        tenant: after.tenant.clone(),
        digest: after.digest.clone(),
        at: canonical::Wall(0),
        reason: "it broke off".to_owned(),
        changes: Vec::new(),
        findable: BTreeSet::new(),
    };
    commit(&store, vec![Op::PutApplied(broke_off)]).await.unwrap();
    note_start(&store, Clock::system(), Path::new(""), &after, &[]).await.unwrap();
    assert_eq!(found(&store, &after, "anybody@mail.example.com").await, 2500);
}
