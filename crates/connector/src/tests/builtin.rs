//! The manifests that come with Concord.

use serde_json::json;

use crate::{AuthKind, Fixtures, Manifest, SignatureMethod};

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

#[test]
fn netsuite_signs_with_the_account_as_realm() {
    let manifest = Manifest::parse("netsuite", Manifest::builtin("netsuite").unwrap()).unwrap();
    let bind = |settings: &[(&str, &str)]| {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        manifest.with_parameters(&settings)
    };
    let connector = bind(&[("auth", "tba"), ("account", "1234567_SB1")]).unwrap();
    let AuthKind::Oauth1 { realm, signature, .. } = connector.auth() else { panic!("it signs") };
    assert_eq!((realm.as_deref(), *signature), (Some("1234567_SB1"), SignatureMethod::HmacSha256));
    assert_eq!(connector.auth().secrets(), ["consumer_key", "consumer_secret", "token_id", "token_secret"]);
    // Without the account there is no realm to name; the other ways need none.
    let errors = bind(&[("auth", "tba")]).err().unwrap();
    assert!(errors[0].to_string().contains("`{parameter.account}` needs a parameter"), "{}", errors[0]);
    assert!(bind(&[]).is_ok());
}
