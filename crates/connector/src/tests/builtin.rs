//! The manifests that come with Concord.

use crate::Manifest;

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

macro_rules! fixtures {
    ($($test:ident = $name:literal;)*) => {$(
        #[test]
        fn $test() {
            super::fixture::run(
                $name,
                include_str!(concat!("../../../../connectors/fixtures/", $name, ".yaml")),
            );
        }
    )*};
}

fixtures! {
    cloudevents_fixtures_hold = "cloudevents";
    http_fixtures_hold = "http";
    hubspot_fixtures_hold = "hubspot";
    klaviyo_fixtures_hold = "klaviyo";
    mailchimp_fixtures_hold = "mailchimp";
    netsuite_fixtures_hold = "netsuite";
    stripe_fixtures_hold = "stripe";
    tryton_fixtures_hold = "tryton";
    webhook_fixtures_hold = "webhook";
}
