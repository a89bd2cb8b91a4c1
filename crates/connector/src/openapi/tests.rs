//! Manifests made from documents: they pass as they are, and say what is not known.

mod said;

use serde_json::json;

use super::*;
use crate::{Fixtures, Manifest};

/// Two kinds of object, one behind an account; what is plain, wrapped, referred to, and left out.
fn document() -> Value {
    json!({
        "openapi": "3.0.3",
        "info": {"title": "The Acme REST API", "version": "2"},
        "externalDocs": {"url": "https://docs.example.test/"},
        "servers": [{"url": "https://api.example.test/v2/"}],
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "Bearer"},
                "oauth": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "https://login.example.test/token"}}},
                "mutual": {"type": "mutualTLS"},
            },
            "schemas": {
                "Contact": {"allOf": [
                    {"type": "object", "properties": {"id": {"type": "string", "readOnly": true}}},
                    {"type": "object", "properties": {
                        "email": {"type": "string", "format": "email"}, "vip": {"type": "boolean"},
                        "updated_at": {"type": "string", "format": "date-time"},
                    }},
                ]},
            },
        },
        "paths": {
            "/contacts": {
                "get": {
                    "parameters": [
                        {"name": "updated_since", "in": "query", "schema": {"type": "string", "format": "date-time"}},
                        {"name": "cursor", "in": "query", "schema": {"type": "string"}},
                        {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 250}},
                    ],
                    "responses": {"200": {"content": {"application/json": {"schema": {"type": "object", "properties": {
                        "data": {"type": "array", "items": {"$ref": "#/components/schemas/Contact"}},
                        "next_cursor": {"type": "string"},
                    }}}}}},
                },
                "post": {
                    "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Contact"}}}},
                    "responses": {"201": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Contact"}}}}},
                },
            },
            "/contacts/{contact_id}": {
                "get": {"responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Contact"}}}}}},
                "patch": {"responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Contact"}}}}}},
                "delete": {"responses": {"204": {}}},
            },
            "/accounts/{accountId}/orders/{orderId}": {
                "put": {"responses": {"200": {"content": {"application/json": {"schema": {"type": "object", "properties": {
                    "order": {"type": "object", "properties": {"number": {"type": "string"}, "total": {"type": "number"}}},
                }}}}}}},
            },
            "/accounts/{accountId}/orders": {
                "get": {"responses": {"200": {"content": {"application/json": {"schema": {"type": "array", "items": {}}}}}}},
            },
            "/search": {"post": {}},
        },
    })
}

#[test]
fn a_document_becomes_a_manifest_that_passes_with_fixtures_that_hold() {
    let made = scaffold(&document().to_string(), None, &[]).unwrap();
    assert_eq!((made.name.as_str(), made.base_url.as_deref()), ("acme", Some("https://api.example.test")));
    assert_eq!(
        made.objects,
        [
            ("contacts".to_owned(), vec!["list", "fetch", "create", "update", "delete"]),
            ("orders".to_owned(), vec!["update"]),
        ]
    );
    assert_eq!(made.left_out, ["/search"]);
    let manifest = Manifest::parse("acme.yaml", &made.manifest).unwrap();
    let report = Fixtures::parse("fixtures/acme.yaml", &made.fixtures).unwrap().run(&manifest).unwrap();
    assert!(report.holds(), "{report:#?}\n{}", made.fixtures);
    assert_eq!(report.unshown_operations, Vec::<String>::new());
    // What nobody knows is not claimed.
    assert_eq!(report.unshown_classes, ["rate_limited", "validation", "uncertain"]);
}

#[test]
fn what_is_not_known_is_left_safe_and_asked() {
    let made = scaffold(&document().to_string(), Some("shop"), &["contacts".to_owned()]).unwrap();
    let manifest = Manifest::parse("shop.yaml", &made.manifest).unwrap();
    assert_eq!(manifest.ways_to_authenticate(), ["default", "token"]);
    let connector = manifest.outline().unwrap();
    let contacts = canonical::Object::new("contacts").unwrap();
    assert_eq!(connector.operation("create", &contacts).unwrap().idempotency.name(), "none");
    assert!(made.manifest.contains("OPEN: what happens when it is sent twice?"), "{}", made.manifest);
    assert!(made.manifest.contains("`mutual` of the document is a way that is not known here"));
    assert!(!made.manifest.contains("orders"));
    for line in made.manifest.lines() {
        assert!(line.chars().count() <= 150, "{line}");
    }
}

#[test]
fn what_stands_around_an_item_and_before_its_path_is_kept() {
    let made = scaffold(&document().to_string(), None, &["orders".to_owned()]).unwrap();
    assert!(
        made.manifest.contains("path: \"/v2/accounts/{parameter.account_id}/orders/{id}\""),
        "{}",
        made.manifest
    );
    assert!(made.manifest.contains("account_id:\n"), "{}", made.manifest);
    // The document says nothing of an id, so that it asks.
    assert!(made.manifest.contains("OPEN: where the id stands"));
    assert!(made.manifest.contains("lists, and no parameter is known that asks for what changed since"));
}

#[test]
fn every_way_to_page_passes() {
    for (parameter, expected) in [
        ("cursor", "page: {token: \"next_cursor\"}"),
        ("starting_after", "page: {after_id: {}}"),
        ("offset", "page: {offset: {}}"),
        ("page", "page: {number: {first: 1}}"),
        ("other", "Only the first page is read."),
    ] {
        let mut document = document();
        document["paths"]["/contacts"]["get"]["parameters"][1]["name"] = json!(parameter);
        let made = scaffold(&document.to_string(), None, &[]).unwrap();
        assert!(made.manifest.contains(expected), "{parameter}: {}", made.manifest);
        let manifest = Manifest::parse("acme.yaml", &made.manifest).unwrap();
        let report = Fixtures::parse("acme.yaml", &made.fixtures).unwrap().run(&manifest).unwrap();
        assert!(report.holds(), "{parameter}: {report:#?}");
    }
}

#[test]
fn a_key_in_the_query_is_a_way_to_authenticate() {
    let mut document = document();
    let ways = &mut document["components"]["securitySchemes"];
    *ways = json!({"key": {"type": "apiKey", "in": "query", "name": "api_key"}});
    let made = scaffold(&document.to_string(), None, &[]).unwrap();
    assert!(made.manifest.contains("{query: {name: \"api_key\", secret: key}}"), "{}", made.manifest);
    Manifest::parse("acme.yaml", &made.manifest).unwrap();
}

#[test]
fn what_is_no_such_document_is_refused_in_words() {
    let refused = |text: &str| scaffold(text, None, &[]).unwrap_err().to_string();
    assert!(
        refused("swagger: \"2.0\"").contains("swagger 2.0")
            || refused("swagger: \"2.0\"").contains("\"2.0\"")
    );
    assert!(refused("{}").contains("no key `openapi`"));
    assert!(refused("{ not json").contains("neither JSON nor YAML"));
    assert!(refused(r#"{"openapi": "3.1.0", "paths": {"/a": {"get": {}}}}"#).contains("no path"));
    let unknown = scaffold(&document().to_string(), None, &["contact".to_owned()]).unwrap_err().to_string();
    assert!(unknown.contains("did you mean `contacts`?"), "{unknown}");
    // References in circles end.
    let circle = json!({
        "openapi": "3.1.0", "components": {"schemas": {"A": {"allOf": [{"$ref": "#/components/schemas/A"}]}}},
        "paths": {"/a/{id}": {"get": {"responses": {"200": {"content": {"application/json": {"schema": {
            "$ref": "#/components/schemas/A"}}}}}}}},
    });
    assert_eq!(scaffold(&circle.to_string(), None, &[]).unwrap().objects.len(), 1);
}
