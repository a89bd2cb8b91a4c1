//! Hostile input: no value breaks out of its place, and no bytes bring the reader down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use canonical::{Fields, Object, Wall};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::connector;
use crate::{
    Call, Connector, Cursor, Failure, FailureKind, Manifest, Reached, RenderError, Request, Response, Write,
};

fn all() -> &'static [Connector] {
    static ALL: LazyLock<Vec<Connector>> = LazyLock::new(bind);
    &ALL
}

fn bind() -> Vec<Connector> {
    Manifest::builtin_names()
        .map(|name| {
            let parameters = match name {
                "dataverse" => BTreeMap::from([
                    ("tenant".to_owned(), json!("contoso.test")),
                    ("environment".to_owned(), json!("https://contoso.test")),
                ]),
                "quickbooks" => BTreeMap::from([("realm".to_owned(), json!("9130000000000000"))]),
                "mailchimp" => BTreeMap::from([("list".to_owned(), json!("57afe96172"))]),
                "postgresql" => {
                    BTreeMap::from([("tables".to_owned(), json!({"things": {"deleted": "gone"}}))])
                }
                "outbox" => BTreeMap::from([("aggregates".to_owned(), json!({"things": {}}))]),
                "tryton" => BTreeMap::from([("database".to_owned(), json!("bed"))]),
                _ => BTreeMap::new(),
            };
            connector(name, &parameters, &BTreeMap::new())
        })
        .collect()
}

fn object(name: &str) -> Object {
    Object::new(name).unwrap()
}

/// Every operation of a connector, as a write and as a probe.
fn calls(connector: &Connector, write: &Write) -> Vec<Call> {
    let mut calls = vec![Call::Identity];
    // Objects of one kind have the same operations: one of each is enough.
    let mut kinds = BTreeSet::new();
    for name in connector.objects().cloned().chain([object("things")]) {
        if !kinds.insert(connector.operations(&name).collect::<Vec<_>>()) {
            continue;
        }
        for operation in connector.operations(&name) {
            let write = Write { object: name.clone(), operation: operation.to_owned(), ..write.clone() };
            calls.push(Call::Probe(write.clone()));
            calls.push(Call::Write(write));
        }
        let external_id = write.external_id.clone().unwrap_or_default();
        calls.push(Call::FetchMany { object: name.clone(), ids: vec![external_id.clone(), "18".to_owned()] });
        calls.push(Call::Fetch { object: name.clone(), external_id });
        calls.push(Call::List { object: name, cursor: Cursor::default(), now: Wall(1_795_348_800_000_000) });
    }
    calls
}

fn write(key: &str, id: &str, text: &str) -> Write {
    let fields: Fields = [
        ("email_address", json!(text)),
        ("name", json!(text)),
        ("status", json!(text)),
        ("merge_fields.FNAME", json!(text)),
        ("metadata.note", json!(text)),
        ("properties.note", json!(text)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let association = ledger::Association {
        path: "things".to_owned(),
        to: object("things"),
        other: text.to_owned(),
        step: ledger::Step::Associate,
        moving: ledger::Moving::default(),
    };
    Write {
        version: None,
        association: Some(association.into()),
        object: object("things"),
        operation: String::new(),
        key: key.to_owned(),
        external_id: Some(id.to_owned()),
        whole: fields.clone().into(),
        known: Fields::new().into(),
        fields: fields.into(),
        expected: None,
        intent: "int_1".to_owned(),
    }
}

/// The request's outline: what must not depend on the values in it.
fn outline(request: &Request) -> (String, usize, Vec<String>, Vec<String>) {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default().to_owned()).collect();
    let headers = request.headers.iter().map(|(name, _)| name.clone()).collect();
    (request.method.clone(), path.split('/').count(), names, headers)
}

/// The shape of a JSON body, its texts and numbers left out.
fn shape(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
        Value::String(_) => json!("text"),
        Value::Number(_) => json!("number"),
        other => other.clone(),
    }
}

fn texts(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| texts(item, out)),
        Value::Object(map) => map.values().for_each(|item| texts(item, out)),
        Value::String(text) => out.push(text.clone()),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_value_escapes_its_place(text in "\\PC{1,24}|[ -~\r\n\t\u{0}\"'\\\\/?#%&=.{}|]{1,24}", id in "[ -~]{1,12}|\\.{1,3}|\\PC{1,8}") {
        for connector in all() {
            let plain = calls(connector, &write("rec_1", "17", "plain"));
            let hostile = calls(connector, &write("rec_1", &id, &text));
            for (plain, hostile) in plain.iter().zip(&hostile) {
                let (Ok(plain), Ok(hostile)) = (connector.render(plain), connector.render(hostile)) else { continue };
                prop_assert_eq!(outline(&plain), outline(&hostile));
                prop_assert!(hostile.path.bytes().all(|b| (0x21..0x7f).contains(&b) && !b"\"<>\\^`{|}#".contains(&b)), "{}", hostile.path);
                // What an HTTP library makes of the address is what was meant.
                let url = url::Url::parse("https://x.test").unwrap().join(&hostile.path).unwrap();
                let sent = format!("{}{}", url.path(), url.query().map(|q| format!("?{q}")).unwrap_or_default());
                prop_assert_eq!(sent.replace("%27", "'"), hostile.path.replace("%27", "'"));
                for (_, value) in &hostile.headers {
                    prop_assert!(value.bytes().all(|b| (0x20..0x7f).contains(&b)));
                }
                let form = hostile.headers.iter().any(|(_, value)| value.contains("form-urlencoded"));
                if form {
                    let names = |body: &[u8]| url::form_urlencoded::parse(body).map(|(name, _)| name.into_owned()).collect::<Vec<_>>();
                    prop_assert_eq!(names(&plain.body), names(&hostile.body));
                    let held = url::form_urlencoded::parse(&hostile.body).any(|(_, value)| value == text);
                    let plain_held = url::form_urlencoded::parse(&plain.body).any(|(_, value)| value == "plain");
                    prop_assert_eq!(held, plain_held);
                } else if !hostile.body.is_empty() {
                    let body: Value = serde_json::from_slice(&hostile.body).unwrap();
                    let plain_body: Value = serde_json::from_slice(&plain.body).unwrap();
                    prop_assert_eq!(shape(&body), shape(&plain_body));
                    let (mut found, mut expected) = (Vec::new(), Vec::new());
                    texts(&body, &mut found);
                    texts(&plain_body, &mut expected);
                    for (found, expected) in found.iter().zip(&expected) {
                        prop_assert!(expected != "plain" || *found == text, "{found:?} for {text:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn no_value_reaches_a_statement(text in "\\PC{0,24}|[ -~]{0,24}", name in "[ -~]{1,24}|\\PC{1,8}") {
        let tables = json!({"things": {"deleted": "gone", "compare": "yes"}});
        let database = connector("postgresql", &BTreeMap::from([("tables".to_owned(), tables)]), &BTreeMap::new());
        let statement = |call: &Call| -> Option<String> {
            let body: Value = serde_json::from_slice(&database.render(call).ok()?.body).unwrap();
            Some(body["statement"].as_str().unwrap().to_owned())
        };
        let flat = |name: &str, text: &str| {
            let fields: Fields = [(name.to_owned(), json!(text))].into_iter().collect();
            Write { fields: fields.clone().into(), whole: fields.into(), ..write(text, text, text) }
        };
        let name = name.replace(['.', '\\'], "_");
        let plain = calls(&database, &flat("plain", "1"));
        for (plain, hostile) in plain.iter().zip(calls(&database, &flat(&name, &text))) {
            let (Some(plain), Some(hostile)) = (statement(plain), statement(&hostile)) else { continue };
            // The same statement, with the one name quoted in the other's place.
            let quoted = format!("\"{}\"", name.replace('"', "\"\""));
            prop_assert_eq!(plain.replace("\"plain\"", &quoted), hostile);
        }
    }

    #[test]
    fn a_key_of_other_characters_never_reaches_an_external_id(key in "[ -~]{1,16}") {
        let netsuite = connector("netsuite", &BTreeMap::new(), &BTreeMap::new());
        let call = Call::Write(Write { object: object("customer"), operation: "upsert".to_owned(), ..write(&key, "1", "x") });
        let plain = key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') && !key.contains("--");
        match netsuite.render(&call) {
            Ok(request) => {
                let end = format!("eid:{key}");
                prop_assert!(plain && request.path.ends_with(&end));
            }
            Err(RenderError::Unfit { .. }) => prop_assert!(!plain),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn no_bytes_bring_the_reader_down(
        status in 0_u16..1000,
        body in prop_oneof![proptest::collection::vec(any::<u8>(), 0..64), json_like()],
        header in "\\PC{0,20}",
        page in "\\PC{0,20}|[0-9]{1,20}\\|[0-9]{0,20}\\|[0-9]{1,20}\\|.{0,5}",
        since in "\\PC{0,12}|-?[0-9]{1,20}|9999-12-31T23:59:59Z",
    ) {
        let headers = ["retry-after", "location", "date", "x-hubspot-ratelimit-remaining"];
        let response = Response {
            status,
            headers: headers.map(|name| (name.to_owned(), header.clone())).to_vec(),
            body: body.clone(),
        };
        for connector in all() {
            for mut call in calls(connector, &write("rec_1", "17", "zq-secret-value")) {
                if let Call::List { cursor, .. } = &mut call {
                    *cursor = Cursor { since: Some(since.clone()), page: Some(page.clone()), seen: Some(since.clone()), snapshot: None };
                }
                let _rendered = connector.render(&call).is_ok();
                let outcome = connector.classify(&call, &Ok(response.clone()), Wall(1_795_348_800_000_000));
                prop_assert!(outcome.refusal.message.chars().count() <= 500);
                if let Some(ledger::Wait::For(wait)) = outcome.wait {
                    prop_assert!(wait.as_secs() <= 6 * 3600);
                }
                let _page = connector.read_page(&call, &response).is_ok();
                let _object = connector.read_object(&call, &response).is_ok();
            }
            let _identity = connector.identity(&response).is_ok();
            let _messages = connector.read_webhook(Some(&header), &header, &body).is_ok();
        }
    }

    #[test]
    fn refusals_show_no_values_and_stay_short(secret in "zq[a-z]{4,12} [a-z]{3,8}", around in "[ -~]{0,600}") {
        let said = format!("{secret} is wrong: {around} {secret}");
        let bodies = [
            json!({"message": said, "detail": said, "title": said, "error": {"message": said, "code": said, "param": said}}),
            json!({"errors": [{"message": said, "field": said}], "category": said, "o:errorDetails": [{"detail": said}]}),
            json!({"error": [said, [said]]}),
        ];
        for connector in all() {
            for call in calls(connector, &write("rec_1", "17", &secret)) {
                if !matches!(call, Call::Write(_) | Call::Probe(_)) {
                    continue;
                }
                for body in &bodies {
                    let response = Response { status: 400, headers: Vec::new(), body: body.to_string().into_bytes() };
                    let refusal = connector.classify(&call, &Ok(response), Wall(0)).refusal;
                    prop_assert!(refusal.message.chars().count() <= 500);
                    let shown = format!("{} {:?} {:?}", refusal.message, refusal.code, refusal.field);
                    prop_assert!(!shown.contains(&secret), "{shown}");
                }
                let failure = Failure { reached: Reached::NotSent, kind: FailureKind::Connect, detail: said.clone(), wait: None };
                let refusal = connector.classify(&call, &Err(failure), Wall(0)).refusal;
                prop_assert!(refusal.message.chars().count() <= 500 && !refusal.message.contains(&secret));
            }
        }
    }
}

/// JSON that looks like a vendor's, with anything in it.
fn json_like() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!({"__class__": "datetime", "year": 99999, "month": 13})),
        Just(json!({"__class__": "Decimal", "decimal": "1e9999"})),
        Just(json!("2026-11-22T12:00:00Z")),
    ];
    let keys = "id|results|errors|items|members|data|object|result|error|properties|updatedAt|type|created|paging|next|after|has_more|subscriptionType|objectId|write_date|last_changed|specversion|source|subject|changed|archived|status|new|[a-z]{1,4}";
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(keys, inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
    .prop_map(|value| value.to_string().into_bytes())
}
