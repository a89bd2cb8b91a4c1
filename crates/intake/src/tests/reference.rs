//! Reference data: what is not known waits for a person, in a class of its own.

use canonical::schema::{ReferenceRule, Wants};

use super::*;

fn world() -> World {
    let mut world = World::new();
    world.schema.fields.insert(field("currency"), spec(FieldType::Text, Some("crm"), OnConflict::Reject));
    world
        .schema
        .fields
        .insert(field("referrers"), spec(FieldType::List { set: true }, Some("crm"), OnConflict::Reject));
    let values = ["EUR", "CHF"].map(str::to_owned).into();
    let one_of = Wants::OneOf { table: "currencies".into(), values };
    let record =
        Wants::Record { entity: schema().entity, key: "email".into(), fold: true, normalise: vec![] };
    world.schema.rules = vec![
        ReferenceRule { name: "currency".into(), field: field("currency"), wants: one_of },
        ReferenceRule { name: "referrer".into(), field: field("referrers"), wants: record },
    ];
    world
}

fn refused(verdict: Verdict) -> (String, Option<String>, Option<String>) {
    let Verdict::Quarantine(why) = verdict else { panic!("it was taken in: {verdict:?}") };
    assert!(!why.message.contains("XXX") && !why.message.contains("nobody@"), "{}", why.message);
    (why.class, why.code, why.field)
}

#[test]
fn a_value_that_no_row_has_waits_for_a_person() {
    let mut world = world();
    assert!(world.accept(&said("crm", "1", 1, json!({"name": "Ada", "currency": "EUR"}))).record.is_some());
    let wrong = said("crm", "1", 2, json!({"name": "Ada", "currency": "XXX"}));
    let why = ("reference_data".to_owned(), Some("currency".to_owned()), Some("currency".to_owned()));
    assert_eq!(refused(world.decide(&wrong)), why);
    assert_eq!(world.only().fields["currency"], "EUR");
    // Nothing is nothing wrong, and what is there already is not asked about again.
    world.accept(&said("crm", "2", 1, json!({"name": "Bea", "currency": null})));
    world.schema.rules[0].wants =
        Wants::OneOf { table: "currencies".into(), values: ["CHF".to_owned()].into() };
    assert!(world.accept(&said("crm", "1", 3, json!({"name": "Eve", "currency": "EUR"}))).record.is_some());
    assert!(matches!(world.decide(&said("crm", "3", 1, json!({"currency": "EUR"}))), Verdict::Quarantine(_)));
}

#[test]
fn a_record_that_is_named_must_be_known() {
    let mut world = world();
    world.accept(&said("crm", "1", 1, json!({"email": "ada@x.org"})));
    let named = |order, whom: Value| said("crm", "2", order, json!({"email": "b@x.org", "referrers": whom}));
    let asks = crate::referenced(&world.schema, &named(1, json!(["ADA@x.org"])).fields);
    assert_eq!(asks, [(schema().entity, "email".to_owned(), "ada@x.org\u{1f}".to_owned())]);
    let (_, rule, _) = refused(world.decide(&named(1, json!(["ada@x.org", "nobody@x.org"]))));
    assert_eq!(rule.as_deref(), Some("referrer"));
    assert!(world.accept(&named(2, json!([" Ada@x.org "]))).record.is_some());
}
