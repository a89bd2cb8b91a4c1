//! The configuration of three systems that hold accounts and contacts already.

use connector::Manifest;

use crate::estate::{Estate, LIST};
use crate::support::Folder;

const KEY: &str = include_str!("../../src/demo/erp.demo-key.pem");

/// What is changed in the connectors: no waiting for the vendors' own limits.
const QUICKER: [(&str, &[(&str, &str)]); 3] = [
    (
        "hubspot",
        &[
            ("burst: {size: 190, per: 10s", "burst: {size: 100000, per: 10s"),
            ("search: {size: 5, per: 1s", "search: {size: 10000, per: 1s"),
            ("lookback: 2m", "lookback: 2s"),
            ("processing_max: 30s", "processing_max: 1s"),
        ],
    ),
    ("netsuite", &[("concurrency: 3", "concurrency: 16"), ("lookback: 1m", "lookback: 2s")]),
    ("mailchimp", &[("lookback: 1m", "lookback: 2s")]),
];

const ACCOUNT: &str = "entity: Account
version: 1
schema:
  type: object
  required: [name]
  properties:
    number: {type: string}
    name: {type: string}
fields:
  number: {owner: crm, pii: none}
  name: {owner: crm, pii: basic}
match_keys:
  - {name: number, fields: [number]}
creators: [crm, erp]
";

const CONTACT: &str = "entity: Contact
version: 1
schema:
  type: object
  required: [email]
  properties:
    code: {type: string}
    email: {type: string}
    first_name: {type: string}
    last_name: {type: string}
    phone: {type: string}
    account: {type: string, format: record, x-entity: Account}
fields:
  code: {owner: crm, pii: none}
  email: {owner: crm, pii: basic}
  first_name: {owner: crm, pii: basic}
  last_name: {owner: crm, pii: basic}
  phone: {owner: erp, pii: basic}
  account: {owner: crm, pii: none}
match_keys:
  - {name: code, fields: [code]}
  - {name: email, fields: [email], fold: true}
creators: [crm, erp]
";

/// Mapping, entity, system, object, rows.
const MAPPINGS: [(&str, &str, &str, &str, &[&str]); 5] = [
    ("account.crm", "Account", "crm", "companies", &["number, path: number", "name, path: name"]),
    (
        "account.erp",
        "Account",
        "erp",
        "customer",
        &["number, path: custentity_number", "name, path: companyName"],
    ),
    (
        "contact.crm",
        "Contact",
        "crm",
        "contacts",
        &[
            "code, path: code",
            "email, path: email",
            "first_name, path: firstname",
            "last_name, path: lastname",
            "phone, path: phone",
            "account, path: associatedcompanyid, ref: {entity: Account, object: companies}",
        ],
    ),
    (
        "contact.erp",
        "Contact",
        "erp",
        "contact",
        &[
            "code, path: custentity_code",
            "email, path: email",
            "first_name, path: firstName",
            "last_name, path: lastName",
            "phone, path: phone",
            "account, path: company.id, ref: {entity: Account, object: customer}",
        ],
    ),
    (
        "contact.marketing",
        "Contact",
        "marketing",
        "members",
        &[
            "email, path: email_address",
            "first_name, path: merge_fields.FNAME",
            "last_name, path: merge_fields.LNAME",
        ],
    ),
];

/// The folder.
pub(crate) fn of(estate: &Estate) -> Folder {
    let folder = Folder::new(&[]);
    // What that one is about.
    for path in ["systems/shop.yaml", "mappings/company.shop.yaml", "model/company.yaml"] {
        std::fs::remove_file(folder.path().join(path)).unwrap();
    }
    for (name, changes) in QUICKER {
        let mut text = Manifest::builtin(name).unwrap().to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "{name}: {from}");
            text = text.replace(from, to);
        }
        folder.put(&format!("connectors/{name}.yaml"), &text);
    }
    folder.put("model/account.yaml", ACCOUNT);
    folder.put("model/contact.yaml", CONTACT);
    folder.put("erp.pem", KEY);
    for (name, text) in [("token", "pat-sandbox"), ("client", "sandbox-client"), ("key", "sandbox-us1")] {
        folder.put(&format!("{name}.secret"), text);
    }
    folder.put("cert.secret", "certificate");
    system(
        &folder,
        "crm",
        "hubspot",
        estate.crm.addr,
        "    token: {file: ./token.secret}\n",
        "companies: 1s, contacts: 1s",
        "",
    );
    system(
        &folder,
        "erp",
        "netsuite",
        estate.erp.addr,
        "    client_id: {file: ./client.secret}\n    certificate_id: {file: ./cert.secret}\n    \
         private_key: {file: ./erp.pem}\n",
        "customer: 1s, contact: 1s",
        "",
    );
    let list = format!("parameters: {{list: {LIST}, status_if_new: subscribed}}\n");
    system(
        &folder,
        "marketing",
        "mailchimp",
        estate.marketing.addr,
        "    api_key: {file: ./key.secret}\n",
        "members: 1s",
        &list,
    );
    let mut routes = "routes:\n".to_owned();
    for (name, entity, system, object, rows) in MAPPINGS {
        let rows: String = rows.iter().map(|row| format!("  - {{field: {row}}}\n")).collect();
        let text = format!(
            "mapping: {name}\nversion: 1\nentity: {entity}\nsystem: {system}\nobject: {object}\nfields:\n{rows}"
        );
        folder.put(&format!("mappings/{name}.yaml"), &text);
        routes.push_str(&format!(
            "  - {{route: {name}, kind: sync, entity: {entity}, system: {system}, object: {object}, mapping: {name}}}\n"
        ));
    }
    folder.put("routes/all.yaml", &routes);
    folder
}

fn system(
    folder: &Folder,
    name: &str,
    connector: &str,
    address: std::net::SocketAddr,
    secrets: &str,
    poll: &str,
    more: &str,
) {
    let text = format!(
        "system: {name}\nconnector: connectors/{connector}.yaml\n{more}connection:\n  base_url: http://{address}\n  \
         allow: [\"{address}\"]\n  secrets:\n{secrets}poll: {{{poll}}}\nlimits: {{concurrency: 8}}\n"
    );
    folder.put(&format!("systems/{name}.yaml"), &text);
}
