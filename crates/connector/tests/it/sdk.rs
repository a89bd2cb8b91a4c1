//! Vendors' own SDKs: their types take the bodies of the fixtures, they sign and verify webhooks. What they put on the wire is
//! in `wire.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use canonical::Wall;
use connector::{Call, Fixtures, Manifest, Shown};
use guard::secret::Secret;
use guard::signature::{Outgoing, RawRequest, sign, verify};
use serde_json::{Value, json};

use crate::{form, python};

#[path = "../../../sandbox/tests/it/sdk.rs"]
mod npm;

/// Runs a script with what it is asked.
pub(crate) fn ask(script: &str, asked: &Value) -> Value {
    with_file(script, asked, |file| npm::run(script, file.to_str().unwrap()))
}

/// As [`ask`], a script in Python.
pub(crate) fn ask_python(script: &str, asked: &Value) -> Value {
    with_file(script, asked, |file| python::run(script, file))
}

fn with_file(script: &str, asked: &Value, run: impl Fn(&Path) -> Value) -> Value {
    let name = format!("{script}-{}.json", std::process::id());
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, asked.to_string()).unwrap();
    let said = run(&file);
    std::fs::remove_file(file).unwrap();
    said
}

pub(crate) fn shown(vendor: &str) -> Vec<Shown> {
    let manifest = Manifest::parse(vendor, Manifest::builtin(vendor).unwrap()).unwrap();
    let fixtures = Fixtures::parse(vendor, Fixtures::builtin(vendor).unwrap()).unwrap();
    let mut shown = fixtures.requests(&manifest).unwrap();
    shown.extend(fixtures.jobs(&manifest).unwrap());
    shown
}

pub(crate) fn header<'r>(one: &'r Shown, name: &str) -> Option<&'r str> {
    one.request.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// A request as the scripts take it.
pub(crate) fn asked(vendor: &str, one: &Shown) -> Value {
    let query = one.request.path.split_once('?').map_or("", |(_, query)| query);
    let flat: BTreeMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let headers: BTreeMap<_, _> = one.request.headers.iter().cloned().collect();
    let mut asked = json!({
        "vendor": vendor, "method": one.request.method, "path": one.request.path, "query": flat,
        "nested": form::nested(query.as_bytes()), "headers": headers,
    });
    match header(one, "content-type") {
        Some("application/x-www-form-urlencoded") => asked["form"] = form::nested(&one.request.body),
        Some("text/csv") => asked["text"] = json!(String::from_utf8_lossy(&one.request.body)),
        Some(_) => asked["json"] = serde_json::from_slice(&one.request.body).unwrap(),
        None => {}
    }
    asked
}

/// The type of the body of a call in the vendor's client, and whether only its names count. HubSpot's client types the sorting
/// of a search as texts, and its documents show objects: searches are judged on the wire alone.
fn type_of(vendor: &str, one: &Shown) -> Option<(String, bool)> {
    let path = one.request.path.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let name = match (vendor, one.request.method.as_str(), parts.as_slice()) {
        ("hubspot", "POST", ["crm", _, "objects", _, "batch", "upsert"]) => {
            "Second<typeof hubspot.crm.objects.batchApi.upsert>"
        }
        ("hubspot", "POST", ["crm", _, "objects", _, "batch", "update"]) => {
            "Second<typeof hubspot.crm.objects.batchApi.update>"
        }
        ("hubspot", "POST", ["crm", _, "objects", _]) => "Second<typeof hubspot.crm.objects.basicApi.create>",
        ("hubspot", "PATCH", ["crm", ..]) => "Third<typeof hubspot.crm.objects.basicApi.update>",
        ("hubspot", "POST", ["communication-preferences", _, call @ ("subscribe" | "unsubscribe")]) => {
            return Some((format!("First<typeof hubspot.communicationPreferences.statusApi.{call}>"), false));
        }
        ("hubspot", "POST", ["events", ..]) => "First<typeof hubspot.events.send.basicApi.send>",
        ("stripe", "POST", [_, kind]) => return Some((format!("First<typeof stripe.{kind}.create>"), true)),
        ("stripe", "POST", [_, kind, _]) => {
            return Some((format!("Second<typeof stripe.{kind}.update>"), true));
        }
        _ => return None,
    };
    Some((name.to_owned(), false))
}

#[test]
fn bodies_are_of_the_types_of_the_clients() {
    let mut names = Vec::new();
    let mut bodies = Vec::new();
    for vendor in ["hubspot", "stripe"] {
        for one in shown(vendor) {
            let Some((kind, loose)) = type_of(vendor, &one) else { continue };
            let mut asked = asked(vendor, &one);
            let value = if loose { form::lists(asked["form"].take()) } else { asked["json"].take() };
            names.push(format!("{vendor}: {}", one.name));
            bodies.push(json!({"type": kind, "value": value, "loose": loose}));
        }
    }
    let right = bodies.len();
    assert!(right > 10, "hardly anything is judged");
    // What the compiler must refuse, so that it is known to look.
    bodies.extend([
        json!({"type": "First<typeof stripe.customers.create>", "value": {"nmae": "x"}, "loose": true}),
        json!({"type": "First<typeof stripe.subscriptions.create>", "value": {"items": [{"prize": "x"}]}, "loose": true}),
        json!({"type": "Second<typeof hubspot.crm.objects.batchApi.upsert>", "value": {"inputs": [{"id": 7, "properties": {}}]}, "loose": false}),
    ]);
    let said = ask("types.cjs", &json!(bodies));
    assert_eq!(said["other"], json!([]), "the types of the clients are not what the test takes them for");
    let said = said["said"].as_array().unwrap();
    for (name, told) in names.iter().zip(said) {
        assert_eq!(*told, json!([]), "{name}");
    }
    for told in &said[right..] {
        assert_ne!(*told, json!([]), "the compiler takes anything");
    }
}

/// Texts that are easily changed on the way.
const BODIES: [&str; 6] = [
    r#"{"id":"evt_1","type":"contact.updated","object":"event","data":{"object":{"id":"1"}}}"#,
    "{\"name\":\"\u{c5}rhus \u{1f600}\",\"object\":\"event\"}",
    "{\r\n\t\"a\": [1, 2.50, null],\r\n\t\"object\": \"event\"\r\n}\r\n",
    r#"{"slash":"\/\u00e9","quote":"\"'","object":"event"}"#,
    "{}",
    r#"[{"eventId":1,"subscriptionType":"contact.creation","objectId":1}]"#,
];

const URL: &str = "https://hub.example.test/v1/webhooks/crm?tenant=1";

/// What the SDKs take for the present.
#[expect(clippy::disallowed_methods, reason = "others verify what is signed, by the time of day")]
fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[test]
fn signatures_hold_both_ways() {
    let now = now_ms();
    let secret = |scheme: &str, word: &str| match scheme {
        "standard" | "svix" => {
            use base64::Engine as _;
            format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(word))
        }
        _ => word.to_owned(),
    };
    let mut messages = Vec::new();
    for (scheme, connector) in
        [("stripe", "stripe"), ("hubspot", "hubspot"), ("standard", "cloudevents"), ("svix", "cloudevents")]
    {
        let manifest = Manifest::parse(connector, Manifest::builtin(connector).unwrap()).unwrap();
        let webhook = manifest.outline().unwrap().webhook().unwrap().scheme.clone();
        for body in BODIES {
            messages.push((scheme, webhook.clone(), body));
        }
    }
    let asked: Vec<Value> = messages
        .iter()
        .map(|(scheme, webhook, body)| {
            let secrets = [Secret::new(secret(scheme, "concord-test-secret-0001"))];
            let message =
                Outgoing { method: "POST", uri: URL, id: "msg_1", at: Wall::from_millis(now), body: body.as_bytes() };
            let headers: BTreeMap<_, _> = sign(webhook, &message, &secrets).unwrap().into_iter().collect();
            json!({
                "scheme": scheme, "secret": secret(scheme, "concord-test-secret-0001"), "id": "msg_1", "at": now, "url": URL,
                "other": secret(scheme, "concord-test-secret-0002"), "body": body, "headers": headers,
            })
        })
        .collect();
    let said = ask("signatures.cjs", &json!(asked));
    for ((scheme, webhook, body), said) in messages.iter().zip(said.as_array().unwrap()) {
        let told = [&said["verified"], &said["tampered"], &said["stranger"]];
        assert_eq!(told, [&json!(true), &json!(false), &json!(false)], "{scheme}: {body}");
        let signed: Vec<(String, String)> =
            serde_json::from_value::<BTreeMap<String, String>>(said["signed"].clone())
                .unwrap()
                .into_iter()
                .collect();
        let headers: Vec<(&str, &[u8])> =
            signed.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let judge = |body: &str, word: &str, at: i64| {
            let request = RawRequest { method: "POST", uri: URL, headers: &headers, body: body.as_bytes() };
            verify(webhook, &request, &[Secret::new(secret(scheme, word))], Wall::from_millis(at))
        };
        let verified = judge(body, "concord-test-secret-0001", now);
        assert!(verified.as_ref().is_ok_and(|it| it.signed), "{scheme}: {body}: {verified:?}");
        assert!(judge(&format!("{body} "), "concord-test-secret-0001", now).is_err(), "{scheme}: {body}");
        assert!(judge(body, "concord-test-secret-0002", now).is_err(), "{scheme}: {body}");
        assert!(
            judge(body, "concord-test-secret-0001", now + 310_000).is_err(),
            "{scheme}: {body}: a replay"
        );
    }
}

#[test]
fn events_are_read_by_the_sdk_of_cloudevents_and_its_own_by_concord() {
    let shown = shown("cloudevents");
    let asked: Vec<Value> = shown
        .iter()
        .map(|one| {
            let headers: BTreeMap<_, _> = one.request.headers.iter().cloned().collect();
            json!({"headers": headers, "body": String::from_utf8_lossy(&one.request.body)})
        })
        .collect();
    assert!(asked.len() >= 3);
    let said = ask("cloudevents.cjs", &json!(asked));
    for (one, read) in shown.iter().zip(said["read"].as_array().unwrap()) {
        let sent: Value = serde_json::from_slice(&one.request.body).unwrap();
        for name in ["id", "source", "type", "subject", "data"] {
            assert_eq!(read[name], sent.get(name).cloned().unwrap_or_default(), "{}: {name}", one.name);
        }
        let Call::Write(write) = &one.call else { panic!("{} writes nothing", one.name) };
        assert_eq!(sent["id"] == json!(write.intent), write.operation != "event");
    }
    assert_eq!(
        said["written"]["type"].as_str().unwrap().split(';').next(),
        Some("application/cloudevents+json")
    );
    let manifest = Manifest::parse("cloudevents", Manifest::builtin("cloudevents").unwrap()).unwrap();
    let connector = manifest.with_parameters(&BTreeMap::new()).unwrap();
    let event = serde_json::from_str(said["written"]["body"].as_str().unwrap()).unwrap();
    let event = canonical::CloudEvent::from_json(event).unwrap();
    let seen = connector.read_cloud_event(&event).unwrap();
    assert_eq!((seen.object.as_str(), seen.external_id.as_str()), ("contact", "C-1"));
    let connector::Seen::State { fields } = &seen.seen else { panic!("{seen:?}") };
    assert_eq!(
        serde_json::to_value(fields).unwrap(),
        json!({"email": "ann@example.test", "tags": ["a", "ø"]})
    );
}
