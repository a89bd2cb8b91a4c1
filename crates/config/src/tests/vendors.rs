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
