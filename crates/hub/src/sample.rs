//! A small configuration for the tests of machines: contacts from a CRM to an ERP.

use std::sync::Arc;

use config::{Configuration, Files};

const FILES: [(&str, &str); 9] = [
    (
        "concord.yaml",
        "tenant: acme\npublic_url: https://hub.example.com/\nstore: {folder: ./data, root_key: {file: ./root.key}}\n\
         listeners: {ingress: \"127.0.0.1:4000\", operator: \"127.0.0.1:4001\"}\n",
    ),
    (
        "model/contact.yaml",
        "entity: Contact\nversion: 1\nschema: {type: object, properties: {name: {type: string}}}\n\
         fields: {name: {owner: crm, pii: none}}\ncreators: [crm]\n",
    ),
    (
        "connectors/source.yaml",
        "connector: source\nversion: \"1\"\nabout: A source.\nwebhook:\n  scheme: {preset: hmac}\n  id: [id]\n  \
         kind: kind\n  object_id: object.id\n  fields: object\n  rules: [{match: \"*\", object: contacts, seen: state}]\n\
         objects: {contacts: {shape: {id: id, order: {path: order}}}}\n",
    ),
    (
        "connectors/target.yaml",
        "connector: target\nversion: \"1\"\nabout: A target.\nlimits: {concurrency: 4}\nobjects:\n  customer:\n    \
         shape: {id: id}\n    writes:\n      put:\n        for: [create, update]\n        \
         idempotency: {class: upsert}\n        processing_max: 1s\n        \
         request: {method: PUT, path: \"/customer/{key}\", json: \"{fields}\", timeout: 1s}\n        \
         answer: {id: {path: id}}\n      post:\n        for: [notify]\n        \
         idempotency: {class: native_key, ttl_s: 600}\n        processing_max: 1s\n        \
         request: {method: POST, path: /notes, headers: {idempotency-key: \"{intent}\"}, json: \"{fields}\", timeout: 1s}\n        \
         answer: {id: {path: id}}\n",
    ),
    (
        "systems/crm.yaml",
        "system: crm\nconnector: connectors/source.yaml\nconnection: {base_url: \"https://crm.example.com\"}\n\
         webhook: {secrets: [{env: CRM}]}\n",
    ),
    (
        "systems/erp.yaml",
        "system: erp\nconnector: connectors/target.yaml\nconnection: {base_url: \"https://erp.example.com\"}\n",
    ),
    (
        "mappings/contact.crm.yaml",
        "mapping: contact.crm\nversion: 1\nentity: Contact\nsystem: crm\nobject: contacts\nfields:\n  \
         - {field: name, path: name, direction: in}\n",
    ),
    (
        "mappings/contact.erp.yaml",
        "mapping: contact.erp\nversion: 1\nentity: Contact\nsystem: erp\nobject: customer\nfields:\n  \
         - {field: name, path: name, direction: out}\n",
    ),
    (
        "routes/all.yaml",
        "routes:\n  - {route: r, kind: sync, entity: Contact, system: erp, object: customer, mapping: contact.erp}\n  \
         - {route: once, kind: notify, entity: Contact, events: [contact.updated], system: erp, object: customer, \
         mapping: contact.erp, operation: post}\n  \
         - {route: told, kind: notify, entity: Contact, events: [contact.updated], system: erp, object: customer, \
         mapping: contact.erp, operation: put}\n",
    ),
];

/// The configuration, with a file more.
pub(crate) fn configuration(more: Option<(&str, &str)>) -> Arc<Configuration> {
    configuration_with(more.as_slice())
}

/// The configuration, with files more, or others.
pub(crate) fn configuration_with(more: &[(&str, &str)]) -> Arc<Configuration> {
    let mut files = Files::new();
    for (path, text) in FILES.into_iter().chain(more.iter().copied()) {
        files.put(path, text);
    }
    let shown = |problems: Vec<config::Problem>| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    Arc::new(config::load(&files).unwrap_or_else(|problems| panic!("{}", shown(problems))).configuration)
}
