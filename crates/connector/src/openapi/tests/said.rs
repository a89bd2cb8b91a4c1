//! What a document does say is taken over, and what it says in a way that is not known is asked, not guessed.

use serde_json::json;

use super::super::*;
use crate::{Fixtures, Manifest};

const ZOO: &str = include_str!("zoo.yaml");

/// What is made of the zoo, which passes and whose fixtures hold.
fn zoo(change: impl Fn(&str) -> String) -> Scaffold {
    let made = scaffold(&change(ZOO), None, &[]).unwrap();
    let manifest = Manifest::parse("zoo.yaml", &made.manifest).unwrap();
    let report = Fixtures::parse("fixtures/zoo.yaml", &made.fixtures).unwrap().run(&manifest).unwrap();
    assert!(report.holds(), "{report:#?}\n{}\n{}", made.manifest, made.fixtures);
    for line in made.manifest.lines() {
        assert!(line.chars().count() <= 150, "{line}");
    }
    made
}

#[track_caller]
fn has(text: &str, part: &str) {
    assert!(text.contains(part), "no {part:?} in\n{text}");
}

#[test]
fn a_server_that_varies_is_filled_or_asked_for() {
    let made = zoo(str::to_owned);
    assert_eq!(made.base_url.as_deref(), Some("https://demo.zoo.test:8443"));
    has(&made.manifest, "# OPEN: the server's address varies (tenant: demo, port: 8443)");
    has(
        &made.manifest,
        "  base:\n    about: \"OPEN: a part of every path; what it is\"\n    kind: text\n    default: \"api\"\n",
    );
    has(&made.manifest, "path: \"/{parameter.base}/v2/animals/{id}\"");
    let unknown = zoo(|text| text.replace("tenant: {default: demo}", "other: {default: demo}"));
    assert_eq!(unknown.base_url, None);
    has(&unknown.manifest, "(tenant: unknown, port: 8443)");
    let path_only = zoo(|text| text.replace("https://{tenant}.zoo.test:{port}/{base}/v2/", "/v2"));
    has(&path_only.manifest, "path: \"/v2/animals/{id}\"");
    assert_eq!(path_only.base_url, None);
}

#[test]
fn bodies_are_written_as_the_document_takes_them() {
    let made = zoo(str::to_owned).manifest;
    has(
        &made,
        "method: PATCH, path: \"/{parameter.base}/v2/animals/{id}\", json: \"{fields}\", content_type: \"application/merge-patch+json\"",
    );
    has(&made, "path: \"/{parameter.base}/v2/feedings\", form: {\"...\": \"{fields}\"}");
    has(&made, "# OPEN: how the form writes what is nested, and lists.");
    has(&made, "path: \"/{parameter.base}/v2/keepers/\", xml: {\"Keeper\": {\"...\": \"{fields}\"}}");
    has(&made, "# OPEN: the XML's namespace and the order of its elements;");
    let patch =
        zoo(|text| text.replace("application/merge-patch+json", "application/json-patch+json")).manifest;
    has(
        &patch,
        "# OPEN: the document takes `application/json-patch+json`, which is not known here: JSON is a guess.",
    );
}

#[test]
fn what_is_of_its_own_kind_is_no_envelope() {
    let made = zoo(str::to_owned).manifest;
    assert!(!made.contains("boss\"\n") && !made.contains("at: \"boss\""), "{made}");
    // `{keeper.id}` is its `keeperId`.
    has(&made, "  keepers:\n    shape:\n      id: \"keeperId\"\n");
    // A collection with a slash at its end is that of its items.
    assert_eq!(zoo(str::to_owned).left_out, ["/animals/search", "/me"]);
    // What stands alone, or beside what is about the answer, is one.
    let wrapped = zoo(|text| {
        text.replace("boss: {$ref: '#/components/schemas/Keeper'}", "x: {type: string}").replace(
        "KeeperAnswer: {$ref: '#/components/schemas/Keeper'}",
        "KeeperAnswer: {type: object, properties: {meta: {type: object}, keeper: {$ref: '#/components/schemas/Keeper'}}}",
    )
    });
    has(&wrapped.manifest, "at: \"keeper\"");
}

#[test]
fn what_the_document_asks_for_is_what_is_used() {
    let made = zoo(str::to_owned).manifest;
    // It asks for a key in a cookie, which is not known: nothing else is put in its place.
    has(&made, "# OPEN: the document asks for `key`, which is not known here.\n  default: none\n");
    has(&made, "  basic: {basic: ");
    let chosen =
        zoo(|text| text.replace("security: [{key: []}]", "security: [{key: []}, {oa: []}]")).manifest;
    has(&chosen, "default: {oauth2_refresh: {token: \"https://auth.zoo.test/token\"");
    has(
        &chosen,
        "consent: {address: \"https://auth.zoo.test/authorize\", scopes: [\"animals:read\", \"animals:write\"]}",
    );
    has(&chosen, "scopes: {given: \"OPEN: where at the vendor they are granted\"}");
    has(&chosen, "path: \"/{parameter.base}/v2/animals/{id}\", scopes: [\"animals:read\"]}");
    has(&chosen, "          json: \"{fields}\",\n          scopes: [\"animals:write\"]}");
    let both = zoo(|text| text.replace("security: [{key: []}]", "security: [{hdr: [], basic: []}]")).manifest;
    has(&both, "the document asks for `basic` and `hdr`, which is not known here.");
    let unsaid = zoo(|text| text.replace("security: [{key: []}]", "")).manifest;
    // Operations say it themselves.
    has(&unsaid, "default: {oauth2_refresh:");
}

#[test]
fn what_makes_a_create_safe_and_orders_states_is_taken() {
    let made = zoo(str::to_owned).manifest;
    // How long a key is kept is no guess's business: a second send after its end would make a second object.
    has(&made, "# OPEN: how long does the vendor keep a key under the header `idempotency-key`?");
    assert!(!made.contains("class: native_key, ttl_s: 3"), "{made}");
    has(&made, "headers: {\"idempotency-key\": \"{intent}\"}");
    has(&made, "# OPEN: the header `x-trace` must be there;");
    has(&made, "order: {path: \"version\", form: number}");
    has(&made, "page: {token: \"paging.next_cursor\"}");
    has(&made, "\"filter[updated][gte]?\": \"{since|rfc3339}\"");
    has(&made, "# OPEN: its success is 202: it is accepted, and done later.");
    has(&made, "answer: {id: {header: location}, created: {status: 201}}");
    has(&made, "# The document names the message `animal.changed`.");
}

#[test]
fn a_document_without_a_title_is_named_by_its_server() {
    let made = zoo(|text| text.replace("title: \"The Zoo\"", "title: \"\""));
    assert_eq!(made.name, "zoo");
    has(&made.manifest, "about: \"OPEN: what it is; the document says 2024-01-01\"");
}

#[test]
fn schemas_that_lead_back_to_themselves_end() {
    let own = json!({"$ref": "#/components/schemas/A"});
    let bomb = json!({
        "openapi": "3.0.0", "info": {"title": "bomb", "version": "1"},
        "paths": {"/a/{id}": {"get": {"responses": {"200": {"content": {"application/json": {"schema": own}}}}}}},
        "components": {"schemas": {"A": {
            "type": "object", "properties": {"id": {"type": "string"}}, "allOf": [own, own, own, own],
            "oneOf": [{"allOf": [own, own]}, {"anyOf": [own, own]}],
        }}},
    });
    // Also where each of many names all the others.
    let names: Vec<String> = (0..24).map(|number| format!("S{number}")).collect();
    let all: Vec<Value> =
        names.iter().map(|name| json!({"$ref": format!("#/components/schemas/{name}")})).collect();
    let mut web = bomb.clone();
    web["components"]["schemas"] = names.iter().map(|name| (name.clone(), json!({"allOf": all}))).collect();
    web["components"]["schemas"]["A"] = json!({"allOf": all, "properties": {"id": {"type": "string"}}});
    // Each of them took longer than anybody waits: that this ends is the test.
    for document in [bomb, web] {
        assert_eq!(scaffold(&document.to_string(), None, &[]).unwrap().objects.len(), 1);
    }
}
