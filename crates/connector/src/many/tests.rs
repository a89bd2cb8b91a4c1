//! What answers to a fetch of several say of each, and how many go in one.

use canonical::{Object, Wall};
use ledger::Class;
use serde_json::{Value, json};

use crate::{Call, Connector, Garbled, Manifest, Response, Seen};

const MANY: &str = "many: {records_max: 4, request: {method: POST, path: /people/read, json: {inputs: '{ids|keyed:id}'}},
        items: results, errors: {at: errors, ids: context.ids, rules: [{when: {body: {path: category, in: [NONE]}}, class: not_found}]}}";

fn connector(many: &str) -> Connector {
    let yaml = format!(
        "connector: toy\nversion: '1'\nabout: a toy\nerrors:\n  - {{when: {{status: [207], text: [none]}}, class: not_found}}\n\
         objects:\n  people:\n    shape: {{id: id, fields: properties, deleted: {{path: archived, equals: true}}}}\n    fetch:\n      \
         request: {{method: GET, path: '/people/{{id}}'}}\n      {many}\n"
    );
    Manifest::parse("toy.yaml", &yaml).and_then(|manifest| manifest.bind(&[].into(), &[].into())).unwrap()
}

fn people() -> Object {
    Object::new("people").unwrap()
}

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

fn read(connector: &Connector, asked: &[&str], status: u16, body: &Value) -> Result<Vec<String>, Garbled> {
    let call = Call::FetchMany { object: people(), ids: ids(asked) };
    let response = Response { status, headers: Vec::new(), body: body.to_string().into_bytes() };
    let each = connector.read_many(&call, &response)?;
    let shown = each.iter().zip(asked).map(|(seen, id)| match seen {
        None => "alone".to_owned(),
        Some(seen) => {
            assert_eq!(seen.external_id, *id);
            match &seen.seen {
                Seen::State { fields } => fields["name"].as_str().unwrap().to_owned(),
                Seen::Deleted => "gone".to_owned(),
                other => panic!("{other:?}"),
            }
        }
    });
    Ok(shown.collect())
}

fn one(id: &str, name: &str) -> Value {
    json!({"id": id, "properties": {"name": name}})
}

#[test]
fn each_id_has_its_own_answer() {
    let connector = connector(MANY);
    let none = |ids: Value| json!({"category": "NONE", "context": {"ids": ids}});
    let denied = json!({"category": "DENIED", "context": {"ids": "3"}});
    for (what, body, told) in [
        (
            "in another order",
            json!({"results": [one("3", "c"), one("1", "a"), one("2", "b")]}),
            ["a", "b", "c"],
        ),
        ("of one nothing", json!({"results": [one("3", "c"), one("1", "a")]}), ["a", "alone", "c"]),
        (
            "gone",
            json!({"results": [one("3", "c")], "errors": [none(json!(["1", "2"]))]}),
            ["gone", "gone", "c"],
        ),
        (
            "an id by itself",
            json!({"results": [one("3", "c")], "errors": [none(json!("1"))]}),
            ["gone", "alone", "c"],
        ),
        ("another error", json!({"results": [one("1", "a")], "errors": [denied]}), ["a", "alone", "alone"]),
        ("twice", json!({"results": [one("1", "a"), one("1", "z"), one("2", "b")]}), ["alone", "b", "alone"]),
        ("there and gone", json!({"results": [one("1", "a")], "errors": [none(json!(["1"]))]}), ["alone"; 3]),
        (
            "unreadable",
            json!({"results": [{"id": "1", "properties": 7}, one("2", "b")]}),
            ["alone", "b", "alone"],
        ),
        ("null", json!({"results": [null, one("2", "b"), null]}), ["alone", "b", "alone"]),
        ("archived", json!({"results": [{"id": "2", "archived": true}]}), ["alone", "gone", "alone"]),
        ("a stranger", json!({"results": [one("9", "z"), one("2", "b")]}), ["alone", "b", "alone"]),
    ] {
        assert_eq!(read(&connector, &["1", "2", "3"], 207, &body), Ok(ids(&told)), "{what}");
    }
    let garbled = read(&connector, &["1", "2"], 200, &json!({"message": "later"})).unwrap_err();
    assert_eq!(garbled.to_string(), "there is no list of objects at results");
}

/// What is missing is gone only where the manifest says so, and the answer holds what was asked for and nothing else.
#[test]
fn absence_proves_something_where_all_adds_up() {
    let connector = connector(&MANY.replace("items: results,", "items: results, absent: deleted,"));
    for (what, body, told) in [
        ("missing", json!({"results": [one("2", "b")]}), ["gone", "b"]),
        ("all missing", json!({"results": []}), ["gone", "gone"]),
        ("a stranger", json!({"results": [one("2", "b"), one("9", "z")]}), ["alone", "b"]),
        ("twice", json!({"results": [one("2", "b"), one("2", "b")]}), ["alone", "alone"]),
        ("no id", json!({"results": [one("2", "b"), {"properties": {"name": "z"}}]}), ["alone", "b"]),
        (
            "an error of nobody",
            json!({"results": [one("2", "b")], "errors": [{"category": "X"}]}),
            ["alone", "b"],
        ),
        (
            "an error",
            json!({"results": [one("2", "b")], "errors": [{"category": "X", "context": {"ids": "1"}}]}),
            ["alone", "b"],
        ),
    ] {
        assert_eq!(read(&connector, &["1", "2"], 200, &body), Ok(ids(&told)), "{what}");
    }
}

/// A part that failed makes no failure of the whole, whatever rules say of such an answer to a write; without the list it is
/// judged as any answer.
#[test]
fn a_success_in_part_is_a_success() {
    let connector = connector(MANY);
    let call = Call::FetchMany { object: people(), ids: ids(&["1", "2"]) };
    let class = |status: u16, body: Value| {
        let body = body.to_string().into_bytes();
        connector.classify(&call, &Ok(Response { status, headers: Vec::new(), body }), Wall(0)).class
    };
    let part = json!({"results": [], "errors": [{"category": "none"}]});
    assert_eq!(class(207, part.clone()), Class::Applied);
    assert_eq!(class(207, json!({"errors": [{"category": "none"}]})), Class::NotFound);
    assert_eq!(class(200, json!({})), Class::Retryable);
    assert_eq!(class(400, part), Class::Validation);
}

#[test]
fn as_many_go_as_fit() {
    let three = ids(&["1", "2", "3"]);
    let render = |many: &str, ids: &[String]| connector(many).render_many(&people(), ids);
    let body = |request: &crate::Request| serde_json::from_slice::<Value>(&request.body).unwrap();
    let (call, request) = render(MANY, &three).unwrap().unwrap();
    assert_eq!(call, Call::FetchMany { object: people(), ids: three.clone() });
    assert_eq!(body(&request), json!({"inputs": [{"id": "1"}, {"id": "2"}, {"id": "3"}]}));
    assert_eq!(
        (request.operation.as_str(), connector(MANY).many(&people()).unwrap().records_max),
        ("fetch.many", 4)
    );

    let five = ids(&["1", "2", "3", "4", "5"]);
    let taken = |many: &str, ids: &[String]| match render(many, ids).unwrap() {
        Some((Call::FetchMany { ids, .. }, _)) => ids.len(),
        _ => 0,
    };
    assert_eq!(taken(MANY, &five), 4);
    assert_eq!(taken(MANY, &five[..1]), 0);
    let whole = r#"{"inputs":[{"id":"1"},{"id":"2"},{"id":"3"},{"id":"4"}]}"#.len();
    for (bytes_max, fit) in [(whole, 4), (whole - 1, 2), (20, 0)] {
        assert_eq!(
            taken(&MANY.replace("4,", &format!("4, bytes_max: {bytes_max},")), &five),
            fit,
            "{bytes_max}"
        );
    }
    let listed = "many: {records_max: 4, address_max: MAX, request: {method: GET, path: /people, query: {ids: '{ids|comma}'}}}";
    let whole = "/people?ids=1%2C2%2C3%2C4".len();
    for (most, fit) in [(whole, 4), (whole - 1, 2), (10, 0)] {
        assert_eq!(taken(&listed.replace("MAX", &most.to_string()), &five), fit, "{most}");
    }
    let listed = listed.replace("MAX", "999");
    assert!(render(&listed, &ids(&["1", "2,3"])).is_err(), "two ids of one");
    assert!(connector("").render_many(&people(), &three).unwrap().is_none());
}

/// A statement holds the ids as values, each made safe for its language.
#[test]
fn ids_stand_in_statements_one_by_one() {
    let query = |text: &str| {
        let many =
            format!("many: {{records_max: 4, request: {{method: GET, path: /q, query: {{q: '{text}'}}}}}}");
        let (_, request) = connector(&many).render_many(&people(), &ids(&["a1", "b''2"])).unwrap().unwrap();
        request.path
    };
    assert_eq!(query("soql: IN ({ids|soql|comma})"), "/q?q=IN%20%28%27a1%27%2C%27b%5C%27%5C%272%27%29");
    let refused = |text: &str| {
        let yaml = format!(
            "connector: toy\nversion: '1'\nabout: a toy\nobjects:\n  people:\n    shape: {{id: id}}\n    fetch:\n      \
             request: {{method: GET, path: '/p/{{id}}'}}\n      many: {{records_max: 4, request: {{method: GET, path: /q, \
             query: {{q: '{text}'}}}}}}\n"
        );
        Manifest::parse("toy.yaml", &yaml).map(|_| ()).unwrap_err()[0].to_string()
    };
    for text in ["soql: IN ({ids|comma})", "soql: IN ({ids|soql})", "soql: IN ({ids|text|comma})"] {
        assert!(refused(text).contains("has no encoder that keeps its value in place"), "{}", refused(text));
    }
}

/// A read of several tells of no associations: where they are mapped, what changed about them would not be seen.
#[test]
fn whose_associations_are_mapped_is_read_alone() {
    for (paths, together) in [(vec!["email"], true), (vec!["email", "associations.companies"], false)] {
        let contacts = Object::new("contacts").unwrap();
        let paths = [(contacts.clone(), paths.into_iter().map(str::to_owned).collect())].into();
        let manifest = Manifest::parse("hubspot", Manifest::builtin("hubspot").unwrap()).unwrap();
        let hubspot = manifest.bind(&[].into(), &paths).unwrap();
        assert_eq!(hubspot.render_many(&contacts, &ids(&["1", "2"])).unwrap().is_some(), together);
    }
}
