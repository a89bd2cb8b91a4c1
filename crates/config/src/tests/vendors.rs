//! `docs/connectors/*.md`: what a page tells to write is a configuration that loads.

use super::folder::{CONCORD, shown};
use crate::{Files, load};

/// A page, the files that it tells to write, what its mappings speak of, and the routes that lead to them.
struct Page {
    name: &'static str,
    text: &'static str,
    system: &'static str,
    shows: &'static [&'static str],
    model: &'static [(&'static str, &'static str)],
    routes: &'static str,
}

const PAGES: [Page; 6] = [
    Page {
        name: "dataverse",
        text: include_str!("../../../../docs/connectors/dataverse.md"),
        system: "crm",
        shows: &["systems/crm.yaml", "mappings/account.crm.yaml", "mappings/contact.crm.yaml"],
        model: &[ACCOUNT, CONTACT],
        routes: ACCOUNT_AND_CONTACT_ROUTES,
    },
    Page {
        name: "erpnext",
        text: include_str!("../../../../docs/connectors/erpnext.md"),
        system: "erp",
        shows: &["systems/erp.yaml", "mappings/account.erp.yaml"],
        model: &[ACCOUNT],
        routes: ACCOUNT_ROUTES,
    },
    Page {
        name: "klaviyo",
        text: include_str!("../../../../docs/connectors/klaviyo.md"),
        system: "marketing",
        shows: &[
            "systems/marketing.yaml",
            "mappings/contact.marketing.yaml",
            "mappings/subscription.marketing.yaml",
        ],
        model: &[SUBSCRIBER, SUBSCRIPTION],
        routes: CONTACT_AND_EVENTS_ROUTES,
    },
    Page {
        name: "odoo",
        text: include_str!("../../../../docs/connectors/odoo.md"),
        system: "erp",
        shows: &["systems/erp.yaml", "mappings/account.erp.yaml"],
        model: &[ACCOUNT],
        routes: ACCOUNT_ROUTES,
    },
    Page {
        name: "quickbooks",
        text: include_str!("../../../../docs/connectors/quickbooks.md"),
        system: "books",
        shows: &["systems/books.yaml", "mappings/account.books.yaml"],
        model: &[ACCOUNT],
        routes: ACCOUNT_ROUTES,
    },
    Page {
        name: "salesforce",
        text: include_str!("../../../../docs/connectors/salesforce.md"),
        system: "crm",
        shows: &["systems/crm.yaml", "mappings/account.crm.yaml", "mappings/contact.crm.yaml"],
        model: &[ACCOUNT, CONTACT],
        routes: ACCOUNT_AND_CONTACT_ROUTES,
    },
];

/// What the pages' mappings speak of. `SYSTEM` stands for the page's own.
const ACCOUNT: (&str, &str) = (
    "model/account.yaml",
    "\
entity: Account
version: 1
schema:
  type: object
  properties:
    name: {type: string}
    website: {type: string}
    legal_name: {type: string}
    email: {type: string, format: email}
    phone: {type: string}
    tax_id: {type: string}
    vat: {type: string}
    group: {type: string}
fields: {name: {owner: SYSTEM}}
creators: [SYSTEM]
",
);

const CONTACT: (&str, &str) = (
    "model/contact.yaml",
    "\
entity: Contact
version: 1
schema:
  type: object
  properties:
    first_name: {type: string}
    last_name: {type: string}
    email: {type: string, format: email}
    account: {type: string, format: record, x-entity: Account}
fields: {email: {owner: SYSTEM}}
creators: [SYSTEM]
",
);

const SUBSCRIBER: (&str, &str) = (
    "model/contact.yaml",
    "\
entity: Contact
version: 1
schema:
  type: object
  properties:
    first_name: {type: string}
    last_name: {type: string}
    email: {type: string, format: email}
    plan: {type: string}
fields: {email: {owner: SYSTEM}}
creators: [SYSTEM]
",
);

const SUBSCRIPTION: (&str, &str) = (
    "model/subscription.yaml",
    "\
entity: Subscription
version: 1
schema:
  type: object
  properties:
    billing_email: {type: string, format: email}
    plan: {type: string}
events:
  - {event: PlanChanged, when: [{field: plan, equals: gold}], occurrence: [plan], carries: [billing_email, plan]}
",
);

const ACCOUNT_ROUTES: &str = "\
routes:
  - {route: account, kind: sync, entity: Account, system: SYSTEM, mapping: account.SYSTEM, on_delete: delete}
";

const ACCOUNT_AND_CONTACT_ROUTES: &str = "\
routes:
  - {route: account, kind: sync, entity: Account, system: SYSTEM, mapping: account.SYSTEM, on_delete: delete}
  - {route: contact, kind: sync, entity: Contact, system: SYSTEM, mapping: contact.SYSTEM, on_delete: delete}
";

const CONTACT_AND_EVENTS_ROUTES: &str = "\
routes:
  - {route: contact, kind: sync, entity: Contact, system: SYSTEM, mapping: contact.SYSTEM, on_delete: delete}
  - {route: plan, kind: notify, entity: Subscription, events: [PlanChanged], system: SYSTEM,
     mapping: subscription.SYSTEM, operation: event}
";

/// The files that a page shows: blocks of YAML whose first line is a comment with their path.
fn files_of(page: &str) -> Vec<(&str, &str)> {
    let blocks = page.split("```yaml\n# ").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0));
    blocks.filter_map(|block| block.split_once('\n')).collect()
}

#[test]
fn what_the_pages_tell_to_write_loads() {
    for page in PAGES {
        let shows = files_of(page.text);
        let paths: Vec<&str> = shows.iter().map(|(path, _)| *path).collect();
        assert_eq!(paths, page.shows, "{}", page.name);
        let mut files = Files::new();
        files.put("concord.yaml", CONCORD.replace("system: crm", &format!("system: {}", page.system)));
        for (path, text) in page.model.iter().copied().chain([("routes/all.yaml", page.routes)]) {
            files.put(path, text.replace("SYSTEM", page.system));
        }
        for (path, text) in shows {
            files.put(path, text);
        }
        let checked = load(&files).unwrap_or_else(|problems| panic!("{}: {}", page.name, shown(&problems)));
        assert_eq!(shown(&checked.warnings), "", "{}", page.name);
    }
}
