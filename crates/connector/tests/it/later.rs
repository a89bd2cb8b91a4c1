//! Vendors whose packs come later: that the format can say them, with the oddest parts of each as fixtures.
//!
//! These manifests are no packs. They were written from the vendors' documents, have no pages, and are not complete.

use std::path::Path;

use connector::{Fixtures, Manifest};

fn read(file: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/later");
    std::fs::read_to_string(folder.join(file)).unwrap()
}

fn hold(vendor: &str, cases: usize) {
    let manifest = match Manifest::parse(vendor, &read(&format!("{vendor}.yaml"))) {
        Ok(manifest) => manifest,
        Err(errors) => panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    };
    let file = format!("fixtures/{vendor}.yaml");
    let report = Fixtures::parse(&file, &read(&file)).unwrap().run(&manifest).unwrap();
    for case in &report.cases {
        assert!(case.problems.is_empty(), "{file}:{}: {}: {:#?}", case.line, case.name, case.problems);
    }
    assert_eq!(report.cases.len(), cases, "each case of {file} ran");
}

#[test]
fn sap_a_token_with_a_cookie_and_etags() {
    hold("sap", 3);
}

#[test]
fn xero_keys_of_minutes_slash_dates_and_refusals_inside_a_200() {
    hold("xero", 6);
}

#[test]
fn shopify_graphql_whose_throttles_are_200s() {
    hold("shopify", 4);
}

#[test]
fn zendesk_a_signed_text_of_time_and_a_comparison_of_times() {
    hold("zendesk", 5);
}

#[test]
fn customer_io_a_version_in_front_of_what_is_signed() {
    hold("customerio", 3);
}

#[test]
fn braze_errors_by_the_place_in_what_was_sent() {
    hold("braze", 3);
}
