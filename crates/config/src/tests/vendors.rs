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

const PAGES: [Page; 7] = [
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
            "mappings/consent.marketing.yaml",
        ],
        model: &[SUBSCRIBER, SUBSCRIPTION, CONSENT],
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
        name: "outbox",
        text: include_str!("../../../../docs/connectors/outbox.md"),
        system: "shop_app",
        shows: &["systems/shop_app.yaml", "mappings/order.shop_app.yaml"],
        model: &[ORDER],
        routes: "",
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

const CONSENT: (&str, &str) = (
    "model/consent.yaml",
    "\
entity: Consent
version: 1
schema:
  type: object
  properties:
    email: {type: string, format: email}
    list: {type: string}
    given_at: {type: string, format: date-time}
events:
  - {event: ConsentGiven, when: [{field: given_at, present: true}], occurrence: [given_at], carries: [email, list, given_at]}
",
);

const ORDER: (&str, &str) = (
    "model/order.yaml",
    "\
entity: Order
version: 1
schema:
  type: object
  properties:
    number: {type: string}
    state: {type: string}
    total: {type: string, format: decimal}
creators: [SYSTEM]
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
  - {route: consent, kind: notify, entity: Consent, events: [ConsentGiven], system: SYSTEM,
     mapping: consent.SYSTEM, operation: subscribe}
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
        let routes = Some(("routes/all.yaml", page.routes)).filter(|(_, routes)| !routes.is_empty());
        for (path, text) in page.model.iter().copied().chain(routes) {
            files.put(path, text.replace("SYSTEM", page.system));
        }
        for (path, text) in shows {
            files.put(path, text);
        }
        let checked = load(&files).unwrap_or_else(|problems| panic!("{}: {}", page.name, shown(&problems)));
        // A page of a mere source has nobody to tell.
        let nobody =
            "warning: the folder has no routes files\n  = add routes/*.yaml, or remove what refers to it";
        let expected = if page.routes.is_empty() { nobody } else { "" };
        assert_eq!(shown(&checked.warnings), expected, "{}", page.name);
    }
}

/// Where the records of the other pages come from.
const DESK: [(&str, &str); 3] = [
    (
        "systems/desk.yaml",
        "\
system: desk
connector: webhook
connection: {base_url: https://desk.example.com}
webhook: {secrets: [{env: DESK_SECRET}]}
",
    ),
    (
        "mappings/account.desk.yaml",
        "\
mapping: account.desk
version: 1
entity: Account
system: desk
object: accounts
fields: [{field: name, path: name, direction: in}]
",
    ),
    (
        "mappings/contact.desk.yaml",
        "\
mapping: contact.desk
version: 1
entity: Contact
system: desk
object: contacts
fields: [{field: last_name, path: last_name, direction: in}]
",
    ),
];

/// Loads a page's files beside a desk; a file that is shown twice is shown in two ways, each of which must load.
fn page_loads(name: &str, page: &str, system: &str, entity: &str, writes: bool) {
    let model = |entity: &str, fields: &str| {
        let properties = fields.split(' ').map(|field| format!("    {field}: {{type: string}}\n"));
        let decimal = "    credit_limit: {type: string, format: decimal}\n".to_owned();
        let properties: String = properties.chain([decimal]).collect();
        format!(
            "entity: {entity}\nversion: 1\nschema:\n  type: object\n  properties:\n{properties}fields: {{}}\n\
             creators: [desk]\n"
        )
    };
    let mapping = format!("{}.{system}", entity.to_lowercase());
    let route = format!(
        "routes:\n  - {{route: {mapping}, kind: sync, entity: {entity}, system: {system}, mapping: {mapping}, on_delete: \
         delete}}\n"
    );
    let shows = files_of(page);
    let ways = shows.iter().filter(|(path, _)| path.starts_with("systems/")).count();
    let consents = shows.iter().filter(|(path, _)| path.starts_with("mappings/consent.")).count();
    assert!(ways > 0 && shows.len() == ways + 1 + consents, "{name} shows {shows:?}");
    for way in 0..ways {
        let mut files = Files::new();
        files.put("concord.yaml", CONCORD.replace("system: crm", &format!("system: {system}")));
        files
            .put("model/account.yaml", model("Account", "name phone city business_id customer_number email"));
        files.put("model/contact.yaml", model("Contact", "first_name last_name email"));
        let consent = format!(
            "  - {{route: consent, kind: notify, entity: Consent, events: [ConsentGiven], system: {system}, mapping: \
             consent.{system}, operation: subscribe}}\n"
        );
        if consents > 0 {
            files.put(CONSENT.0, CONSENT.1);
        }
        if writes {
            let more = if consents > 0 { consent.as_str() } else { "" };
            files.put("routes/all.yaml", format!("{route}{more}"));
        }
        let systems = shows.iter().filter(|(path, _)| path.starts_with("systems/")).skip(way).take(1);
        let mappings = shows.iter().filter(|(path, _)| path.starts_with("mappings/"));
        for (path, text) in DESK.iter().chain(systems).chain(mappings) {
            files.put(path, *text);
        }
        let checked = load(&files).unwrap_or_else(|problems| panic!("{name}: {}", shown(&problems)));
        let warnings = shown(&checked.warnings);
        assert!(warnings.is_empty() || !writes, "{name}: {warnings}");
    }
}

#[test]
fn what_the_other_pages_tell_to_write_loads_in_each_way_that_they_show() {
    macro_rules! page {
        ($name:literal, $system:literal, $entity:literal, $writes:literal) => {
            page_loads(
                $name,
                include_str!(concat!("../../../../docs/connectors/", $name, ".md")),
                $system,
                $entity,
                $writes,
            )
        };
    }
    page!("cloudevents", "portal", "Contact", true);
    page!("http", "portal", "Account", true);
    page!("hubspot", "crm", "Contact", true);
    page!("mailchimp", "marketing", "Contact", true);
    page!("marketo", "marketing", "Contact", true);
    page!("netsuite", "erp", "Account", true);
    page!("stripe", "billing", "Account", true);
    page!("tryton", "erp", "Account", true);
    page!("webhook", "shop", "Account", false);
}
