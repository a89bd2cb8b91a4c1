//! What was written under older versions is read: names move with all that is known of them, new fields are made of old ones,
//! nothing is lost, and it comes out alike however often and in however many steps it is read.

use std::collections::BTreeMap;

use canonical::{
    Absorbed, Alive, Before, EventId, Field, FieldSpec, FieldType, JobId, Marks, Open, OpenKind, OrderToken,
    Provenance, Record, RecordId, System, Tenant, Wall,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::support::{fields, schema};
use crate::upcast::StepSource;
use crate::{UpcastError, Upcaster};

/// A version of a schema: fields by name and type, with the longest text of some.
fn version(number: u32, of: &[(&str, FieldType)]) -> canonical::EntitySchema {
    let spec = |(name, kind): &(&str, FieldType)| {
        let chars_max = (*name == "short").then_some(4);
        (Field::new(name).unwrap(), FieldSpec { chars_max, ..FieldSpec::of(kind.clone()) })
    };
    canonical::EntitySchema { version: number, fields: of.iter().map(spec).collect(), ..schema() }
}

/// Three versions: a name in two parts, then in one; a count that becomes exact; a tier that everybody has.
fn versions() -> [canonical::EntitySchema; 3] {
    use FieldType::{Decimal, Integer, Text};
    [
        version(1, &[("first", Text), ("last", Text), ("size", Integer), ("nick", Text)]),
        version(2, &[("name", Text), ("size", Decimal), ("nick", Text)]),
        version(
            3,
            &[
                ("name", Text),
                ("short", Text),
                ("size", Decimal),
                ("alias", Text),
                ("tier", Text),
                ("whole", Integer),
            ],
        ),
    ]
}

const STEPS: &str = "
- from: 1
  rows:
    - {field: name, expr: \"coalesce(record.first, '') + ' ' + coalesce(record.last, '')\"}
- from: 2
  rows:
    - {field: alias, was: nick}
    - {field: short, expr: record.name}
    - {field: tier, default: standard}
";

fn steps(text: &str) -> Vec<StepSource> {
    serde_saphyr::from_str(text).unwrap()
}

fn upcaster() -> Upcaster {
    let [one, two, three] = versions();
    Upcaster::compile(&steps(STEPS), &three, &[&one, &two]).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn read(written: u32, value: Value) -> Value {
    let mut read = fields(value);
    upcaster().fields(written, &mut read);
    json!(read)
}

#[test]
fn each_version_is_read_by_the_steps_that_follow_it() {
    assert_eq!(
        read(1, json!({"first": "Ada", "last": "L", "size": 7, "nick": "al", "odd": 1})),
        json!({
            "first": "Ada", "last": "L", "name": "Ada L", "size": "7", "alias": "al", "tier": "standard", "odd": 1
        }),
        "what is not named is kept, and what does not fit is not given"
    );
    assert_eq!(
        read(2, json!({"name": "Ada", "size": "7.5", "tier": null})),
        json!({"name": "Ada", "short": "Ada", "size": "7.5", "tier": "standard"})
    );
    assert_eq!(
        read(3, json!({"nick": "al", "size": 7})),
        json!({"nick": "al", "size": 7}),
        "it is of the newest"
    );
    assert_eq!(
        read(4, json!({"nick": "al"})),
        json!({"nick": "al"}),
        "or of a newer one that was taken back"
    );
}

/// What is kept under the values of a field is kept anew when a version makes other ones.
#[test]
fn a_field_says_in_which_version_it_was_made_last() {
    let of = |name: &str| upcaster().remade_in(&Field::new(name).unwrap());
    assert_eq!((of("name"), of("alias"), of("short"), of("tier")), (Some(2), Some(3), Some(3), Some(3)));
    assert_eq!((of("size"), of("nick"), of("whole")), (None, None, None));
}

#[test]
fn an_event_has_no_more_than_it_says() {
    let mut data = fields(json!({"first": "Ada", "nick": null}));
    upcaster().event(1, &mut data);
    assert_eq!(
        json!(data),
        json!({"first": "Ada", "alias": null}),
        "no half name, and no tier that nobody gave"
    );
    let mut whole = fields(json!({"first": "Ada", "last": "L"}));
    upcaster().event(1, &mut whole);
    assert_eq!(whole["name"], "Ada L");
}

fn record() -> Record {
    let field = |name: &str| Field::new(name).unwrap();
    let crm = System::new("crm").unwrap();
    let known = |mapping| Provenance {
        system: crm.clone(),
        event: EventId::from_parts(Wall(1), 1),
        at: Wall(1),
        mapping,
        changed: None,
    };
    let open = Open { kind: OpenKind::Conflict, system: crm.clone(), value: json!("x"), since: Wall(2) };
    Record {
        tenant: Tenant::new("acme").unwrap(),
        entity: schema().entity,
        id: RecordId::from_parts(Wall(1), 1),
        version: 5,
        schema: 1,
        alive: Alive::Live,
        fields: fields(json!({"first": "Ada", "last": "L", "nick": "al"})),
        provenance: BTreeMap::from([(field("first"), known(1)), (field("nick"), known(2))]),
        marks: BTreeMap::from([(
            crm,
            Marks { object: None, fields: BTreeMap::from([(field("nick"), OrderToken(9))]) },
        )]),
        extensions: BTreeMap::new(),
        counter_writes: BTreeMap::from([(field("nick"), (Wall(3), 2))]),
        open: BTreeMap::from([(field("nick"), open)]),
        occurrences: Default::default(),
        absorbed: Default::default(),
        created_at: Wall(1),
        updated_at: Wall(1),
    }
}

#[test]
fn what_is_known_of_a_field_goes_along_with_its_name() {
    let mut read = record();
    upcaster().record(&mut read);
    let alias = Field::new("alias").unwrap();
    assert_eq!(read.provenance.get(&alias).map(|from| from.mapping), Some(2));
    assert_eq!(
        read.provenance.get("name").map(|from| from.mapping),
        Some(1),
        "of the first that it is made of"
    );
    assert!(read.open.contains_key(&alias) && read.counter_writes.contains_key(&alias));
    assert_eq!(read.marks.values().next().unwrap().fields, BTreeMap::from([(alias, OrderToken(9))]));
    assert!(!read.provenance.contains_key("nick") && !read.open.contains_key("nick"));
    assert_eq!((read.version, read.schema), (5, 1), "it is not written by being read");
    let mut again = read.clone();
    upcaster().record(&mut again);
    assert_eq!(again, read);
    let heirs: Vec<String> =
        upcaster().heirs(1).map(|(was, is, gone)| format!("{was} {is} {gone}")).collect();
    assert_eq!(heirs, ["first name false", "nick alias true", "name short false"]);
    assert_eq!(upcaster().heirs(3).count(), 0);
}

/// What a survivor had before a merge comes back under names of today, also where the record itself was written since.
#[test]
fn what_a_record_had_before_a_merge_is_read_too() {
    for written in [1, 3] {
        let mut read = Record { schema: written, ..record() };
        let absorbed = Absorbed {
            at: Wall(1),
            version: 4,
            job: JobId::from_parts(Wall(1), 1),
            why: String::new(),
            objects: Vec::new(),
            aliases: Default::default(),
            hops: 1,
            before: Before::of(&record(), 1),
            ended: None,
        };
        read.absorbed.insert(RecordId::from_parts(Wall(1), 2), absorbed);
        upcaster().record(&mut read);
        let before = &read.absorbed.values().next().unwrap().before;
        let mut alone = record();
        upcaster().record(&mut alone);
        assert_eq!(before, &Before::of(&alone, 3));
        assert!(before.fields.contains_key("alias") && !before.fields.contains_key("nick"));
        let mut again = read.clone();
        upcaster().record(&mut again);
        assert_eq!(again, read);
    }
}

#[test]
fn a_word_of_the_newer_version_outlives_an_earlier_one_that_was_put_back() {
    // Version 2 counted, then 1 was put back and stored the record, and now 3 counts.
    let field = |name: &str| Field::new(name).unwrap();
    let said = |at| Provenance { at: Wall(at), ..record().provenance["first"].clone() };
    let mut stored = record();
    stored.fields.insert("name".to_owned(), json!("Countess"));
    let read = |mut stored: Record| {
        upcaster().record(&mut stored);
        let name = &stored.provenance[&field("name")];
        (stored.fields["name"].clone(), name.at)
    };
    for (first, last, name, wanted, at) in [
        (1, 1, 5, "Countess", 5),
        (5, 5, 5, "Countess", 5),
        // What it is made of was said later.
        (7, 1, 5, "Ada L", 7),
        (1, 7, 5, "Ada L", 1),
    ] {
        stored.provenance.extend([
            (field("first"), said(first)),
            (field("last"), said(last)),
            (field("name"), said(name)),
        ]);
        assert_eq!(read(stored.clone()), (json!(wanted), Wall(at)), "{first} {last} {name}");
    }
}

/// What is wrong, each with the keys that lead there.
fn wrong(text: &str) -> Vec<String> {
    let [one, two, three] = versions();
    let errors = Upcaster::compile(&steps(text), &three, &[&one, &two]).err().unwrap_or_default();
    errors.iter().map(UpcastError::to_string).collect()
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (text, said) in [
        ("- {from: 3}", "`upcast.0.from`: a step reads an older version, and this file is version 3"),
        ("- {from: 2}\n- {from: 1}", "`upcast.1.from`: it does not follow on the step before it"),
        (
            "- {from: 2, rows: [{field: nme, was: nick}]}",
            "`upcast.0.rows.0.field`: version 3 has no field `nme`; did you mean `name`?",
        ),
        (
            "- {from: 2, rows: [{field: alias, was: nik}]}",
            "`upcast.0.rows.0.was`: version 2 has no field `nik`; did you mean `nick`?",
        ),
        (
            "- {from: 2, rows: [{field: alias, was: name}]}",
            "version 3 still has the field `name`; make the other of it",
        ),
        (
            "- {from: 2, rows: [{field: name, was: nick}]}",
            "version 2 has a field `name`, too, whose values would be lost",
        ),
        (
            "- {from: 2, rows: [{field: whole, was: nick}]}",
            "`nick` holds a text, and the field is a whole number; make it of the older one with `expr`",
        ),
        ("- {from: 2, rows: [{field: alias}]}", "nothing is said of it; say where it comes from"),
        ("- {from: 2, rows: [{field: alias, was: nick, expr: record.nick}]}", "it stands beside `was`"),
        (
            "- {from: 2, rows: [{field: alias, was: nick}, {field: tier, was: nick}]}",
            "`nick` already goes to another field",
        ),
        (
            "- {from: 2, rows: [{field: tier, default: a}, {field: tier, default: b}]}",
            "`tier` is given by another row",
        ),
        (
            "- {from: 2, rows: [{field: tier, default: 7}]}",
            "`upcast.0.rows.0.default`: it does not fit: expected a text",
        ),
        ("- {from: 2, rows: [{field: tier, default: \" \"}]}", "it is empty"),
        ("- {from: 2, rows: [{field: short, default: longer}]}", "expected a text of at most 4 characters"),
        ("- {from: 2, rows: [{field: alias, expr: record.first}]}", "version 2 has no field `first`"),
        (
            "- {from: 2, rows: [{field: alias, expr: object.nick}]}",
            "there is no `object` here; write `record.nick`",
        ),
        ("- {from: 2, rows: [{field: alias, expr: record.size}]}", "`upcast.0.rows.0.expr`"),
        ("- {from: 2, rows: [{field: alias, expr: \"'x'\"}]}", "it reads nothing of the record"),
        (
            "- {from: 2, rows: [{field: alias, expr: \"lookup('t', 'a', 'b', record.nick)\"}]}",
            "an upcast looks nothing up",
        ),
        (
            "- {from: 2, examples: [{record: {nme: x}, gives: {}}]}",
            "`upcast.0.examples.0.record.nme`: version 2 has no field",
        ),
        ("- {from: 2, examples: [{record: {size: 7}, gives: {size: '7'}}]}", "version 2 would not hold this"),
        (
            "- {from: 2, examples: [{record: {name: A}, gives: {name: B}}]}",
            "`upcast.0.examples.0.gives.name`: the example does not come out: `name` is \"A\", not \"B\"",
        ),
        (
            "- {from: 2, examples: [{record: {name: A}, gives: {name: A, tier: x}}]}",
            "`tier` is nothing, not \"x\"",
        ),
    ] {
        let found = wrong(text);
        assert!(found.iter().any(|found| found.contains(said)), "{text}: {found:?}");
    }
    let [_, two, three] = versions();
    let errors = Upcaster::compile(&steps("- {from: 1}"), &three, &[&two]).unwrap_err();
    assert!(
        errors[0].to_string().contains("the folder has no version 1 of Contact; keep the file as it was"),
        "{errors:?}"
    );
    let good = format!(
        "{STEPS}  examples:\n    - {{record: {{name: Ada, nick: al}}, gives: {{name: Ada, short: Ada, alias: al, tier: standard}}}}\n"
    );
    assert_eq!(wrong(&good), Vec::<String>::new());
}

proptest! {
    /// In one go or version after version, once or twice: it comes out alike; and no value is lost.
    #[test]
    fn a_chain_of_steps_is_one_reading(
        first in prop::option::of("[a-z]{0,3}"),
        last in prop::option::of("[a-z]{0,3}"),
        nick in prop::option::of(prop::option::of("[a-z]{1,6}")),
        size in prop::option::of(-9_i64..9),
    ) {
        let [one, two, three] = versions();
        let (whole, all) = (steps(STEPS), upcaster());
        let to_two = Upcaster::compile(&whole[..1], &two, &[&one]).unwrap();
        let to_three = Upcaster::compile(&whole[1..], &three, &[&two]).unwrap();
        let mut record = canonical::Fields::new();
        record.extend(first.map(|first| ("first".to_owned(), json!(first))));
        record.extend(last.map(|last| ("last".to_owned(), json!(last))));
        record.extend(nick.map(|nick| ("nick".to_owned(), json!(nick))));
        record.extend(size.map(|size| ("size".to_owned(), json!(size))));
        let (mut once, mut steps) = (record.clone(), record.clone());
        all.fields(1, &mut once);
        to_two.fields(1, &mut steps);
        to_three.fields(2, &mut steps);
        prop_assert_eq!(&once, &steps);
        let mut twice = once.clone();
        all.fields(1, &mut twice);
        prop_assert_eq!(&once, &twice);
        for (name, value) in &record {
            let kept = once.values().any(|kept| kept == value || kept.as_str() == Some(&value.to_string()));
            prop_assert!(kept, "{} is lost", name);
        }
    }
}
