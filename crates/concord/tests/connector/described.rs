//! `concord connector describe`: what a real system says of its fields, and what of the mappings does not fit it.

use std::fs;

use serde_json::{Value, json};

use super::{change, concord, data, desk, folder_of, talk};

const DESCRIBED: &str = "\
connector: desk
version: '1'
about: A desk.
auth: {default: {bearer: {secret: id}}}
objects:
  people:
    shape: {id: id}
    fetch: {request: {method: GET, path: '/people/{id}'}}
    writes:
      put:
        for: [create, update]
        idempotency: {class: upsert}
        request: {method: PUT, path: '/people/{key}', json: '{fields}'}
        answer: {id: {path: id}}
    describe:
      request: {method: GET, path: '/meta/{object}'}
      fields: fields
      name: name
      type: type
      types: {string: text, list: choice, number: decimal}
      writable: [{path: open, equals: true}]
      chars_max: size
      values: {at: values}
";

/// A folder whose mapping names fields of a desk that describes itself as `fields`.
fn described(fields: &Value) -> tempfile::TempDir {
    let body = json!({ "fields": fields }).to_string();
    let address = desk::serve(move |asked| match asked.line.as_str() {
        "GET /meta/people" => (200, body.clone()),
        _ => (404, "{}".to_owned()),
    });
    let folder = folder_of(DESCRIBED, &address, "id: {file: secret.txt}");
    let write = |file: &str, text: &str| {
        let file = folder.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    write(
        "model/person.yaml",
        "entity: Person\nversion: 1\nschema:\n  type: object\n  properties:\n    name: {type: string, maxLength: 80}\n    \
         level: {type: string, enum: [gold]}\nfields: {}\ncreators: [desk]\n",
    );
    write(
        "mappings/person.desk.yaml",
        "mapping: person.desk\nversion: 1\nentity: Person\nsystem: desk\nobject: people\nfields:\n  - {field: name, path: \
         name}\n  - {field: level, path: level}\n",
    );
    folder
}

#[test]
fn what_of_the_mappings_does_not_fit_a_real_system_has_its_place() {
    let name = json!({"name": "name", "type": "string", "open": true, "size": 100});
    let fits = described(&json!([name, {"name": "level", "type": "list", "open": true, "values": ["gold"]}]));
    let ran = concord(fits.path(), &["connector", "describe", "desk", "people"], "");
    assert!(ran.status.success(), "{}", talk(&ran));
    let table = String::from_utf8(ran.stdout).unwrap();
    let line = table.lines().find(|line| line.starts_with("level")).unwrap_or_else(|| panic!("{table}"));
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words, ["level", "choice", "list", "-", "true", "-", "gold", "person.desk"], "{table}");

    let breaks = described(&json!([
        {"name": "name", "type": "string", "open": false, "size": 40}, {"name": "levl", "type": "string", "open": true}
    ]));
    let ran = concord(breaks.path(), &["connector", "describe", "desk", "people", "-o", "json"], "");
    assert_eq!(ran.status.code(), Some(1), "{}", talk(&ran));
    let problems = data(&ran)["problems"].clone();
    let told: Vec<String> = problems
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            format!("{}:{}:{} {} {}", one["file"], one["line"], one["column"], one["severity"], one["what"])
        })
        .map(|text| text.replace('"', ""))
        .collect();
    assert_eq!(
        told,
        [
            "mappings/person.desk.yaml:7:25 error `name` cannot be written there",
            "mappings/person.desk.yaml:7:25 warning `name` takes 40 characters, and the field may have 80",
            "mappings/person.desk.yaml:8:26 error `people` of `desk` has no field `level`",
        ]
    );
    // The folder may be named, and a doubt alone ends well unless that is asked for.
    let doubted = described(&json!([
        {"name": "name", "type": "string", "open": true, "size": 40}, {"name": "level", "type": "string", "open": true}
    ]));
    let folder = doubted.path().to_str().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let call = ["connector", "describe", "desk", "people", folder];
    let ran = concord(elsewhere.path(), &call, "");
    assert_eq!(ran.status.code(), Some(0), "{}", talk(&ran));
    assert!(
        talk(&ran).contains("person.desk.yaml:7:25: warning:") && talk(&ran).contains("^^^^"),
        "{}",
        talk(&ran)
    );
    let ran = concord(elsewhere.path(), &[&call[..], &["--detailed-exit-code"]].concat(), "");
    assert_eq!(ran.status.code(), Some(2), "{}", talk(&ran));
}

#[test]
fn what_cannot_be_described_says_why() {
    let folder = described(&json!("none"));
    let ran = concord(folder.path(), &["connector", "describe", "desk", "people"], "");
    assert_eq!(ran.status.code(), Some(1));
    assert!(talk(&ran).contains("a success without the content asked for"), "{}", talk(&ran));
    let ran = concord(folder.path(), &["connector", "describe", "desk", "poeple"], "");
    assert!(ran.status.code() == Some(5) && talk(&ran).contains("did you mean `people`?"), "{}", talk(&ran));
    change(&folder.path().join("connectors/desk.yaml"), "'/meta/{object}'", "/nowhere");
    let ran = concord(folder.path(), &["connector", "describe", "desk", "people"], "");
    assert!(ran.status.code() == Some(1) && talk(&ran).contains("desk answers 404"), "{}", talk(&ran));
    let text = fs::read_to_string(folder.path().join("connectors/desk.yaml")).unwrap();
    let (without, _) = text.split_once("    describe:").unwrap();
    fs::write(folder.path().join("connectors/desk.yaml"), without).unwrap();
    let ran = concord(folder.path(), &["connector", "describe", "desk", "people"], "");
    assert!(
        ran.status.code() == Some(5) && talk(&ran).contains("add `describe:` to its manifest"),
        "{}",
        talk(&ran)
    );
}
