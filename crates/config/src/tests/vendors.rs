//! `docs/connectors/*.md`: what a page tells to write is a configuration that loads.

use super::folder::{CONCORD, shown};
use crate::{Files, load};

const ACCOUNT: &str = "\
entity: Account
version: 1
schema:
  type: object
  properties: {name: {type: string}, website: {type: string}}
fields: {name: {owner: crm}, website: {owner: crm}}
creators: [crm]
";

const CONTACT: &str = "\
entity: Contact
version: 1
schema:
  type: object
  properties:
    first_name: {type: string}
    last_name: {type: string}
    email: {type: string, format: email}
    account: {type: string, format: record, x-entity: Account}
fields: {email: {owner: crm}}
creators: [crm]
";

const ROUTES: &str = "\
routes:
  - {route: account.crm, kind: sync, entity: Account, system: crm, mapping: account.crm, on_delete: delete}
  - {route: contact.crm, kind: sync, entity: Contact, system: crm, mapping: contact.crm, on_delete: delete}
";

/// The files that a page shows: blocks of YAML whose first line is a comment with their path.
fn files_of(page: &str) -> Vec<(&str, &str)> {
    let blocks = page.split("```yaml\n# ").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0));
    blocks.filter_map(|block| block.split_once('\n')).collect()
}

#[test]
fn what_the_pages_tell_to_write_loads() {
    for (name, page) in [
        ("dataverse", include_str!("../../../../docs/connectors/dataverse.md")),
        ("salesforce", include_str!("../../../../docs/connectors/salesforce.md")),
    ] {
        let mut files = Files::new();
        let own = [
            ("concord.yaml", CONCORD),
            ("model/account.yaml", ACCOUNT),
            ("model/contact.yaml", CONTACT),
            ("routes/sales.yaml", ROUTES),
        ];
        let shows = files_of(page);
        let paths: Vec<&str> = shows.iter().map(|(path, _)| *path).collect();
        assert_eq!(
            paths,
            ["systems/crm.yaml", "mappings/account.crm.yaml", "mappings/contact.crm.yaml"],
            "{name}"
        );
        for (path, text) in own.into_iter().chain(shows) {
            files.put(path, text);
        }
        let checked = load(&files).unwrap_or_else(|problems| panic!("{name}: {}", shown(&problems)));
        assert_eq!(shown(&checked.warnings), "", "{name}");
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
    assert!(ways > 0 && shows.len() == ways + 1, "{name} shows {shows:?}");
    for way in 0..ways {
        let mut files = Files::new();
        files.put("concord.yaml", CONCORD.replace("system: crm", &format!("system: {system}")));
        files
            .put("model/account.yaml", model("Account", "name phone city business_id customer_number email"));
        files.put("model/contact.yaml", model("Contact", "first_name last_name email"));
        if writes {
            files.put("routes/all.yaml", &route);
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
