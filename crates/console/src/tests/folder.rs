//! A small folder: contacts from a CRM to an ERP.

use std::sync::Arc;

use config::{Configuration, Files};

const CONCORD: &str = "\
tenant: acme
public_url: https://hub.example.com/
store:
  folder: ./data
  root_key: {file: ./root.key}
listeners:
  ingress: 127.0.0.1:4000
  operator: 127.0.0.1:4001
";

const CONTACT: &str = "\
entity: Contact
version: 2
schema:
  type: object
  properties:
    name: {type: string}
    email: {type: string, format: email}
    tags: {type: array, items: {type: string}}
fields:
  name: {owner: crm, pii: none}
  email: {owner: crm, pii: sensitive}
creators: [crm]
";

const CONTACT_CRM: &str = "\
mapping: contact.crm
version: 1
entity: Contact
system: crm
object: contacts
fields:
  - {field: name, path: name, direction: in}
  - {field: email, path: mail, direction: in}
";

/// The paths are those of the shadows that the tests put.
const CONTACT_ERP: &str = "\
mapping: contact.erp
version: 1
entity: Contact
system: erp
object: customer
fields:
  - {field: name, path: name, direction: out}
  - {field: email, path: email, direction: out}
";

const ROUTES: &str = "\
routes:
  - {route: r, kind: sync, entity: Contact, system: erp, object: customer, mapping: contact.erp}
";

const SOURCE: &str = "\
connector: source
version: \"1\"
about: A source.
webhook:
  scheme: {preset: hmac}
  id: [id]
  kind: kind
  object_id: object.id
  fields: object
  rules:
    - {match: \"*\", object: contacts, seen: state}
objects:
  contacts:
    shape: {id: id, order: {path: order}}
    fetch: {request: {method: GET, path: \"/contacts/{id}\", timeout: 1s}}
";

const TARGET: &str = "\
connector: target
version: \"1\"
about: A target.
limits: {concurrency: 4}
scopes: {given: Settings}
objects:
  customer:
    shape: {id: id}
    writes:
      put:
        for: [create, update]
        idempotency: {class: upsert}
        processing_max: 1s
        request: {method: PUT, path: \"/customer/{key}\", json: \"{fields}\", timeout: 1s, scopes: [\"customers:write\"]}
        answer: {id: {path: id}}
errors:
  - {when: {status: [400, 422]}, class: validation}
";

/// The folder.
pub(super) fn files() -> Files {
    let mut files = Files::new();
    for (path, text) in [
        ("concord.yaml", CONCORD),
        ("connectors/source.yaml", SOURCE),
        ("connectors/target.yaml", TARGET),
        ("mappings/contact.crm.yaml", CONTACT_CRM),
        ("mappings/contact.erp.yaml", CONTACT_ERP),
        ("model/contact.yaml", CONTACT),
        ("routes/all.yaml", ROUTES),
        (
            "systems/crm.yaml",
            "system: crm\nconnector: connectors/source.yaml\n\
             connection: {base_url: \"https://crm.example.com\"}\nwebhook: {secrets: [{env: CRM}]}\n",
        ),
        (
            "systems/erp.yaml",
            "system: erp\nconnector: connectors/target.yaml\nconnection: {base_url: \"https://erp.example.com\", scopes: [spare]}\n",
        ),
    ] {
        files.put(path, text);
    }
    files
}

/// The same, checked.
pub(super) fn configuration() -> Arc<Configuration> {
    checked(&files())
}

/// Another folder, checked.
pub(super) fn checked(files: &Files) -> Arc<Configuration> {
    let shown = |problems: Vec<config::Problem>| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    Arc::new(config::load(files).unwrap_or_else(|problems| panic!("{}", shown(problems))).configuration)
}
