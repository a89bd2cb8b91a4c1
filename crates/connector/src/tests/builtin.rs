//! The manifests that come with Concord.

use crate::{Fixtures, Manifest};

#[test]
fn every_builtin_manifest_is_sound() {
    for name in Manifest::builtin_names() {
        match Manifest::parse(&format!("{name}.yaml"), Manifest::builtin(name).unwrap()) {
            Ok(manifest) => assert_eq!(manifest.name(), name),
            Err(errors) => {
                let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
                panic!("{}", shown.join("\n"));
            }
        }
    }
}

/// Its fixtures hold, and show every operation and every common class.
fn hold(name: &str) {
    let manifest = Manifest::parse(name, Manifest::builtin(name).unwrap()).unwrap();
    let file = format!("connectors/fixtures/{name}.yaml");
    let fixtures = Fixtures::parse(&file, Fixtures::builtin(name).unwrap()).unwrap();
    let report = fixtures.run(&manifest).unwrap();
    for case in &report.cases {
        assert!(case.problems.is_empty(), "{file}:{}: {}: {:#?}", case.line, case.name, case.problems);
    }
    assert!(
        report.is_complete(),
        "{file} shows no {:?} and no {:?}",
        report.unshown_operations,
        report.unshown_classes
    );
}

macro_rules! fixtures {
    ($($test:ident = $name:literal;)*) => {$(
        #[test]
        fn $test() {
            hold($name);
        }
    )*};
}

fixtures! {
    cloudevents_fixtures_hold = "cloudevents";
    dataverse_fixtures_hold = "dataverse";
    http_fixtures_hold = "http";
    hubspot_fixtures_hold = "hubspot";
    mailchimp_fixtures_hold = "mailchimp";
    marketo_fixtures_hold = "marketo";
    netsuite_fixtures_hold = "netsuite";
    salesforce_fixtures_hold = "salesforce";
    stripe_fixtures_hold = "stripe";
    tryton_fixtures_hold = "tryton";
    webhook_fixtures_hold = "webhook";
}
