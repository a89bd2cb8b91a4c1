//! Two CRMs, a HubSpot-shaped one and a Salesforce-shaped one, and the configuration that keeps them the same.

use std::collections::BTreeMap;

use connector::Manifest;
use sandbox::shelf::{Object, Values};
use sandbox::{Books, Edit, Handle, Kind, Limits, Options, Property, Sandbox, WebhookTarget};
use serde_json::{Value, json};

use crate::support::Folder;

/// What is changed in the shipped connectors, beside what parameters say: waits of minutes, which a test has no time for.
const QUICKER: [(&str, &[(&str, &str)]); 2] = [
    (
        "hubspot",
        &[
            ("burst: {size: 190, per: 10s", "burst: {size: 100000, per: 10s"),
            ("search: {size: 5, per: 1s", "search: {size: 10000, per: 1s"),
        ],
    ),
    (
        "salesforce",
        &[
            ("wait: {default: 30s, max: 10m}", "wait: {default: 1s, max: 10m}"),
            ("wait: {default: 15m, max: 6h}", "wait: {default: 4s, max: 6h}"),
        ],
    ),
];

/// Mapping, entity, system, object, rows.
const MAPPINGS: [(&str, &str, &str, &str, &[&str]); 4] = [
    (
        "account.crm",
        "Account",
        "crm",
        "companies",
        &["number, path: business_id", "name, path: name", "phone, path: phone"],
    ),
    (
        "account.sales",
        "Account",
        "sales",
        "Account",
        &["number, path: Business_Id__c", "name, path: Name", "phone, path: Phone"],
    ),
    (
        "contact.crm",
        "Contact",
        "crm",
        "contacts",
        &[
            "number, path: business_id",
            "email, path: email",
            "first_name, path: firstname",
            "last_name, path: lastname",
            "phone, path: phone",
            "account, path: associatedcompanyid, ref: {entity: Account, object: companies}",
        ],
    ),
    (
        "contact.sales",
        "Contact",
        "sales",
        "Contact",
        &[
            "number, path: Business_Id__c",
            "email, path: Email, equal: folded",
            "first_name, path: FirstName",
            "last_name, path: LastName",
            "phone, path: Phone",
            "account, path: AccountId, ref: {entity: Account, object: Account}",
        ],
    ),
];

/// The two systems.
pub(crate) struct Estate {
    pub(crate) crm: Handle,
    pub(crate) sales: Handle,
}

fn property(object: &str, name: &str, unique: bool) -> Property {
    Property {
        object_type: object.to_owned(),
        name: name.to_owned(),
        value_type: "string".to_owned(),
        has_unique_value: unique,
        options: Vec::new(),
    }
}

/// Fields and their values.
pub(crate) fn values(pairs: Value) -> Values {
    pairs.as_object().unwrap().clone().into_iter().collect()
}

impl Estate {
    pub(crate) async fn start(adjust: impl FnOnce(&mut Options)) -> Self {
        let mut hubspot = Options::of(Kind::HubSpot);
        hubspot.limits = Limits { burst: 0, search_per_second: 0, index_lag_ms: 0, ..hubspot.limits };
        hubspot.properties =
            vec![property("contacts", "concord_id", true), property("companies", "concord_id", false)];
        let mut salesforce = Options::of(Kind::Salesforce);
        salesforce.properties =
            ["Account", "Contact"].map(|object| property(object, "Concord_Id__c", true)).into();
        let business = ["Account", "Contact"].map(|object| property(object, "Business_Id__c", false));
        salesforce.properties.extend(business);
        salesforce.strict_properties = true;
        adjust(&mut salesforce);
        Self {
            crm: Sandbox::start(Kind::HubSpot, hubspot).await.unwrap(),
            sales: Sandbox::start(Kind::Salesforce, salesforce).await.unwrap(),
        }
    }

    /// The configuration that keeps them the same, with further parameters of the second one.
    pub(crate) fn folder(&self, more: &str) -> Folder {
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
        // Deletions are told by webhook only.
        folder.put("hook.secret", "hook-secret");
        let url = format!("http://127.0.0.1:{}/v1/webhooks/crm", folder.ingress);
        let events = vec!["contact.deletion".to_owned()];
        let target = WebhookTarget { url, secret: "hook-secret".to_owned(), events };
        self.crm.lock().set_webhook(Some(target), 0);
        folder.put("key.secret", "sandbox-key");
        folder.put("secret.secret", "sandbox-secret");
        folder.put("user.secret", "integration@sandbox.test");
        folder.put("jwt.pem", include_str!("../../src/demo/erp.demo-key.pem"));
        let system = |name: &str,
                      connector: &str,
                      address: std::net::SocketAddr,
                      secrets: &str,
                      poll: &str,
                      more: &str| {
            let text = format!(
                "system: {name}\nconnector: connectors/{connector}.yaml\n{more}connection:\n  base_url: http://{address}\n  \
                 allow: [\"{address}\"]\n  secrets: {{{secrets}}}\npoll: {{{poll}}}\n\
                 retry: {{base: 100ms, cap: 1s, attempts_max: 30}}\n"
            );
            folder.put(&format!("systems/{name}.yaml"), &text);
        };
        let quick = "parameters: {timeout_ms: 2000, processing_max_ms: 500, lookback_ms: 3000";
        system(
            "crm",
            "hubspot",
            self.crm.addr,
            "token: {file: ./token.secret}",
            "companies: 1s, contacts: 1s",
            &format!("{quick}}}\nwebhook: {{path: crm, secrets: [{{file: ./hook.secret}}]}}\n"),
        );
        system(
            "sales",
            "salesforce",
            self.sales.addr,
            if more.contains("auth: jwt") {
                "client_id: {file: ./key.secret}, username: {file: ./user.secret}, private_key: {file: ./jwt.pem}"
            } else {
                "client_id: {file: ./key.secret}, client_secret: {file: ./secret.secret}"
            },
            "Account: 1s, Contact: 1s",
            &format!("{}}}\nlimits: {{concurrency: 4}}\n", quick.replace('{', &format!("{{{more}"))),
        );
        let mut routes = "routes:\n".to_owned();
        for (name, entity, system, object, rows) in MAPPINGS {
            let rows: String = rows.iter().map(|row| format!("  - {{field: {row}}}\n")).collect();
            let text = format!(
                "mapping: {name}\nversion: 1\nentity: {entity}\nsystem: {system}\nobject: {object}\nfields:\n{rows}"
            );
            folder.put(&format!("mappings/{name}.yaml"), &text);
            let gone = if system == "sales" { "delete" } else { "archive" };
            routes.push_str(&format!(
                "  - {{route: {name}, kind: sync, entity: {entity}, system: {system}, object: {object}, mapping: {name}, \
                 on_delete: {gone}}}\n"
            ));
        }
        folder.put("routes/all.yaml", &routes);
        folder
    }

    /// People of the first CRM enter so many accounts with so many contacts each.
    pub(crate) fn enter(&self, accounts: usize, contacts: usize) {
        self.enter_from(0, accounts, contacts);
    }

    /// The same, beside those that are there.
    pub(crate) fn enter_more(&self, accounts: usize, contacts: usize) {
        self.enter_from(self.crm("companies").len(), accounts, contacts);
    }

    fn enter_from(&self, first: usize, accounts: usize, contacts: usize) {
        for account in first..first + accounts {
            let company = json!({"business_id": format!("A-{account}"), "name": format!("Account {account}"), "phone": "1"});
            let id = create(&self.crm, "companies", company);
            for contact in 0..contacts {
                let number = format!("C-{account}-{contact}");
                create(
                    &self.crm,
                    "contacts",
                    json!({"business_id": number, "email": format!("{}@x.example", number.to_lowercase()), "firstname": "Ann",
                           "lastname": format!("Of {number}"), "phone": "1", "associatedcompanyid": id}),
                );
            }
        }
    }

    pub(crate) fn sold(&self) -> Books {
        self.sales.lock().books()
    }

    /// The live records of an object there, by their business id.
    pub(crate) fn live(&self, kind: &str) -> BTreeMap<String, Object> {
        live(&self.sales, kind, "Business_Id__c")
    }

    /// The live objects of a kind in the first CRM, by their business id.
    pub(crate) fn crm(&self, kind: &str) -> BTreeMap<String, Object> {
        live(&self.crm, kind, "business_id")
    }

    /// Somebody in the second CRM changes a record.
    pub(crate) fn change(&self, kind: &str, number: &str, pairs: Value) {
        let id = self.live(kind)[number].id.clone();
        self.sales.person(Edit::Update { object_type: kind.to_owned(), id, values: values(pairs) }).unwrap();
    }

    /// Everything is there once, as its own books say: no two with one number or one key, and nobody was welcomed twice.
    pub(crate) fn expect_once_each(&self, accounts: usize, contacts: usize) {
        let books = self.sold();
        assert!(books.duplicates.is_empty(), "doubled (I3): {:?}", books.duplicates);
        for (kind, count) in [("Account", accounts), ("Contact", contacts)] {
            let records = &books.objects[kind];
            assert_eq!(records.len(), count, "{kind}: what was ever made there");
            let mut keys: Vec<&Value> =
                records.values().map(|record| &record.values["Concord_Id__c"]).collect();
            keys.sort_by_key(|key| key.to_string());
            keys.dedup();
            assert_eq!(keys.len(), count, "{kind}: each has a key of its own");
        }
        let letters = &books.effects["letters_sent"];
        assert_eq!((letters.len(), letters.values().max()), (contacts, Some(&1)), "{letters:?}");
    }
}

/// Somebody enters an object.
pub(crate) fn create(system: &Handle, kind: &str, pairs: Value) -> String {
    system.person(Edit::Create { object_type: kind.to_owned(), values: values(pairs) }).unwrap()
}

fn live(system: &Handle, kind: &str, by: &str) -> BTreeMap<String, Object> {
    let objects = system.lock().books().objects.remove(kind).unwrap_or_default().into_values();
    let number =
        |object: &Object| object.values.get(by).and_then(Value::as_str).unwrap_or(&object.id).to_owned();
    objects.filter(|object| object.archived_ms.is_none()).map(|object| (number(&object), object)).collect()
}

/// Where both change something within seconds, the one counts that the tests change it in.
const ACCOUNT: &str = "entity: Account
version: 1
schema:
  type: object
  required: [name]
  properties:
    number: {type: string}
    name: {type: string}
    phone: {type: string}
fields:
  number: {owner: crm, pii: none}
  name: {on_conflict: latest, prefer: [sales], pii: basic}
  phone: {on_conflict: latest, prefer: [sales], pii: basic}
match_keys:
  - {name: number, fields: [number]}
creators: [crm, sales]
deleters: [crm, sales]
";

const CONTACT: &str = "entity: Contact
version: 1
schema:
  type: object
  required: [last_name]
  properties:
    number: {type: string}
    email: {type: string}
    first_name: {type: string}
    last_name: {type: string}
    phone: {type: string}
    account: {type: string, format: record, x-entity: Account}
fields:
  number: {owner: crm, pii: none}
  email: {on_conflict: latest, prefer: [crm], pii: basic}
  first_name: {on_conflict: latest, prefer: [crm], pii: basic}
  last_name: {on_conflict: latest, prefer: [crm], pii: basic}
  phone: {on_conflict: latest, prefer: [sales], pii: basic}
  account: {on_conflict: latest, prefer: [crm], pii: none}
match_keys:
  - {name: number, fields: [number]}
  - {name: email, fields: [email], fold: true}
creators: [crm, sales]
deleters: [crm, sales]
";
