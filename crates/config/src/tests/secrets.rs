//! Secrets: resolved at once, and never shown.

use std::cell::RefCell;

use canonical::System;
use guard::Secret;

use super::folder::{CRM, base, shown};
use crate::{SecretRef, load};

#[test]
fn every_reference_is_resolved_once_it_is_there() {
    let configuration = load(&base()).unwrap().configuration;
    let asked = RefCell::new(Vec::new());
    let secrets = configuration
        .resolve_secrets(&|reference| {
            asked.borrow_mut().push(reference.to_string());
            Ok(Secret::from(format!("of {reference}")))
        })
        .unwrap();
    assert_eq!(secrets.root_key.expose_text(), Some("of file ./root.key"));
    assert_eq!(secrets.clients["shop"].expose_text(), Some("of environment variable SHOP_TOKEN"));
    let crm = &secrets.systems[&System::new("crm").unwrap()];
    assert_eq!(crm.connection["token"].expose_text(), Some("of environment variable CRM_TOKEN"));
    assert_eq!(crm.webhook.len(), 1);
    assert_eq!(asked.borrow().len(), 5);
    assert!(!format!("{secrets:?}").contains("of "), "{secrets:?}");
}

#[test]
fn a_missing_secret_is_said_where_it_is_named() {
    let configuration = load(&base()).unwrap().configuration;
    let problems = configuration
        .resolve_secrets(&|reference| match reference {
            SecretRef::Env(name) if name == "CRM_TOKEN" => Err("it is not set".to_owned()),
            SecretRef::File(_) => Ok(Secret::from("")),
            SecretRef::Env(_) => Ok(Secret::from("x")),
        })
        .unwrap_err();
    assert_eq!(
        shown(&problems),
        "concord.yaml:5:3: error: the secret in file ./root.key cannot be used: it is empty\n  |\n\
         5 |   root_key: {file: ./root.key}\n  |   ^^^^^^^^\n  \
         = create ./root.key with the secret in it, readable by this user only\n\
         systems/crm.yaml:6:5: error: the secret in environment variable CRM_TOKEN cannot be used: it is not set\n  |\n\
         6 |     token: {env: CRM_TOKEN}\n  |     ^^^^^\n  = set CRM_TOKEN before starting\n\
         systems/erp.yaml:5:13: error: the secret in file secrets/erp.token cannot be used: it is empty\n  |\n\
         5 |   secrets: {token: {file: secrets/erp.token}}\n  |             ^^^^^\n  \
         = create secrets/erp.token with the secret in it, readable by this user only"
    );
}

#[test]
fn a_secret_written_out_is_refused_and_not_shown() {
    let mut files = base();
    files.put("systems/crm.yaml", CRM.replace("{env: CRM_TOKEN}", "pat-na1-4f8d0c66"));
    let problems = shown(&load(&files).unwrap_err());
    assert_eq!(
        problems,
        "systems/crm.yaml:6:12: error: expected a table of keys, found a text\n  |\n\
         6 |     token: [redacted]\n  |            ^^^^^^^^^^\n  = Where a secret is. Never the secret itself."
    );
    files.put("systems/crm.yaml", CRM.replace("{env: CRM_TOKEN}", "{env: pat-na1-4f8d0c66}"));
    let problems = shown(&load(&files).unwrap_err());
    assert_eq!(
        problems,
        "systems/crm.yaml:6:18: error: this does not have the right form\n  |\n\
         6 |     token: {env: [redacted]\n  |                  ^^^^^^^^^^\n  \
         = The environment variable that holds it: upper-case letters, digits and `_`. Not the secret itself."
    );
}
