//! What is read of a description, what paths mean in it, and what of two is other.

use std::collections::BTreeMap;

use canonical::Object;
use serde_json::json;

use super::*;
use crate::Manifest;

const MANIFEST: &str = r#"
connector: desk
version: "1.0.0"
about: A test.
auth: {default: {bearer: {secret: token}}}
objects:
  people:
    shape: {id: id}
    describe:
      request: {method: GET, path: "/meta/{object}"}
      fields: fields
      name: name
      aliases: ["_*_value"]
      through: leads
      type: type
      types: {string: text, picklist: choice, lookup: reference, json: object}
      also: [Name, Made]
      required: [{path: must, equals: true}, {path: create, equals: true}]
      writable: [{path: create, equals: true}, {path: update, equals: true}]
      read_only: [{path: calculated, equals: true}]
      chars_max: length
      values: {at: options, value: value, closed: {path: closed, equals: true}}
      custom: {path: name, contains: [__c]}
"#;

fn connector(manifest: &str) -> Connector {
    Manifest::parse("desk.yaml", manifest).unwrap().with_parameters(&BTreeMap::new()).unwrap()
}

fn read(manifest: &str, body: &Value) -> Result<Described, Garbled> {
    let call = Call::Describe { object: Object::new("people").unwrap() };
    let response = Response { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() };
    connector(manifest).read_fields(&call, &response)
}

fn sample() -> Described {
    let body = json!({ "fields": [
        {"name": "Name", "type": "string", "must": true, "create": true, "length": 80, "calculated": false},
        {"name": "Level__c", "type": "picklist", "update": true, "length": 0, "closed": true,
         "options": [{"value": "gold"}, {"value": "basic"}]},
        {"name": "Tag", "type": "picklist", "closed": false, "options": [{"value": "x"}]},
        {"name": "Total", "type": "formula", "create": true, "calculated": true},
        {"name": "Boss", "type": "lookup", "update": true, "leads": "BossOf"},
        {"name": "Boss", "type": "string"},
        {"name": "more", "type": "json", "update": true},
    ]});
    read(MANIFEST, &body).unwrap()
}

#[test]
fn fields_are_read_with_what_the_vendor_says_of_them() {
    let described = sample();
    assert_eq!(
        described.paths().collect::<Vec<_>>(),
        ["Name", "Level__c", "Tag", "Total", "Boss", "more", "Made"]
    );
    let field = |path: &str| described.fields.iter().find(|field| field.path == path).unwrap();
    let name = field("Name");
    assert_eq!((name.kind, name.required, name.writable), (FieldKind::Text, Some(true), Some(true)));
    assert_eq!((name.chars_max, name.custom, name.values.as_deref()), (Some(80), Some(false), None));
    let level = field("Level__c");
    assert_eq!((level.kind, level.chars_max, level.custom), (FieldKind::Choice, None, Some(true)));
    assert_eq!(level.values.as_deref(), Some(&["gold".to_owned(), "basic".to_owned()][..]));
    // A list that is open refuses nothing; what is neither is what the vendor says it is.
    assert_eq!((field("Tag").values.as_deref(), field("Tag").writable), (None, Some(false)));
    let total = field("Total");
    assert_eq!(
        (total.kind, total.vendor_type.as_str(), total.writable),
        (FieldKind::Other, "formula", Some(false))
    );
}

#[test]
fn a_path_is_a_field_or_lies_beyond_one_or_is_none() {
    let described = sample();
    let found = |path: &str| match described.find(path) {
        Known::Field(field) => format!("is {}", field.path),
        Known::Beyond(field) => format!("beyond {}", field.path),
        Known::No => "no".to_owned(),
    };
    for (path, known) in [
        ("Name", "is Name"),
        ("_Boss_value", "is Boss"),
        ("BossOf.Name", "beyond Boss"),
        ("more.a.b", "beyond more"),
        ("Boss.0", "beyond Boss"),
        // A text has nothing inside.
        ("Name.first", "no"),
        ("name", "no"),
        ("BossOf", "no"),
    ] {
        assert_eq!(found(path), known, "{path}");
    }
}

#[test]
fn tables_of_fields_and_values_in_lines_are_read_too() {
    let manifest =
        MANIFEST.replace("      fields: fields\n      name: name\n", "      fields: result\n").replace(
            "values: {at: options, value: value, closed: {path: closed, equals: true}}",
            "values: {at: options, lines: true}",
        );
    let body = json!({ "result": { "b": {"type": "picklist", "options": "x\ny"}, "a": {"type": "string"} } });
    let described = read(&manifest, &body).unwrap();
    let field = |path: &str| described.fields.iter().find(|field| field.path == path).unwrap();
    assert_eq!(field("b").values.as_deref(), Some(&["x".to_owned(), "y".to_owned()][..]));
    assert_eq!(field("a").kind, FieldKind::Text);
    let pairs = MANIFEST.replace("value: value, closed: {path: closed, equals: true}", "value: \"0\"");
    let body =
        json!({ "fields": [{"name": "a", "type": "picklist", "options": [["x", "The x"], ["y", "The y"]]}] });
    let values = read(&pairs, &body).unwrap().fields[0].values.clone();
    assert_eq!(values, Some(vec!["x".to_owned(), "y".to_owned()]));
}

#[test]
fn an_answer_without_fields_is_none() {
    let said = |body: Value| read(MANIFEST, &body).unwrap_err().to_string();
    assert_eq!(said(json!({"fields": "no"})), "there is no list and no table of fields at fields");
    assert_eq!(said(json!({"fields": [{"type": "string"}]})), "there is a field without a name at fields.0");
    let many: Vec<Value> = (0..=FIELDS_MAX).map(|n| json!({ "name": n.to_string() })).collect();
    assert_eq!(
        said(json!({ "fields": many })),
        "there are 20001 fields, and at most 20000 are read at fields"
    );
}

#[test]
fn what_is_other_than_it_was_is_told() {
    let was = sample();
    assert_eq!(was.drift(&was), []);
    let mut is = was.clone();
    // Neither the order of fields nor that of values is a difference.
    is.fields.reverse();
    is.fields.iter_mut().for_each(|field| field.values.iter_mut().for_each(|values| values.reverse()));
    assert_eq!(is.drift(&was), []);
    is.fields.retain(|field| field.path != "Tag");
    for field in &mut is.fields {
        match field.path.as_str() {
            "Name" => (field.chars_max, field.required) = (Some(40), Some(false)),
            "Level__c" => field.values = Some(vec!["gold".to_owned(), "silver".to_owned()]),
            _ => {}
        }
    }
    is.fields.push(FieldSeen { path: "New".to_owned(), kind: FieldKind::Date, ..FieldSeen::default() });
    let told: Vec<String> = is.drift(&was).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "Level__c: without `basic`; with `silver`",
            "Name: required true → false; characters 80 → 40",
            "New is new (date)",
            "Tag is gone",
        ]
    );
}

#[test]
fn what_is_wrong_has_a_place_and_a_way_out() {
    let wrong = |from: &str, to: &str| -> Vec<String> {
        assert!(MANIFEST.contains(from), "{from}");
        let errors = Manifest::parse("desk.yaml", &MANIFEST.replacen(from, to, 1)).map(|_| ()).unwrap_err();
        errors.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        wrong("\"_*_value\"", "value"),
        [
            "desk.yaml:13:17: the alias `value` needs one `*`; the field's name stands in its place, such as `_*_value`"
        ]
    );
    assert_eq!(
        wrong("string: text", "string: txt"),
        ["desk.yaml:16:23: unknown word `txt`; did you mean `text`?"]
    );
    assert_eq!(
        wrong("{object}", "{objct}"),
        ["desk.yaml:10:36: there is no `{objct}` here; did you mean `object`?"]
    );
    assert_eq!(
        wrong("chars_max:", "char_max:"),
        ["desk.yaml:21:7: unknown key `char_max`; did you mean `chars_max`?"]
    );
}
