//! The manifests that come with Concord.

use std::collections::BTreeMap;

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
    assert!(report.is_complete(), "{file}: {:#?}", report.lacking());
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
    erpnext_fixtures_hold = "erpnext";
    http_fixtures_hold = "http";
    hubspot_fixtures_hold = "hubspot";
    klaviyo_fixtures_hold = "klaviyo";
    mailchimp_fixtures_hold = "mailchimp";
    marketo_fixtures_hold = "marketo";
    netsuite_fixtures_hold = "netsuite";
    odoo_fixtures_hold = "odoo";
    outbox_fixtures_hold = "outbox";
    postgresql_fixtures_hold = "postgresql";
    quickbooks_fixtures_hold = "quickbooks";
    salesforce_fixtures_hold = "salesforce";
    stripe_fixtures_hold = "stripe";
    tryton_fixtures_hold = "tryton";
    webhook_fixtures_hold = "webhook";
}

/// How a manifest says that messages are signed, against signatures that were computed elsewhere.
#[test]
fn signatures_of_the_vendors_are_taken() {
    let signed = |name: &str, headers: &[(&str, &[u8])], body: &str| {
        let none = BTreeMap::new();
        let realm = BTreeMap::from([("realm".to_owned(), serde_json::json!("9130000000000000"))]);
        let parameters = if name == "quickbooks" { &realm } else { &none };
        let connector = super::connector(name, parameters, &BTreeMap::new());
        let request = guard::signature::RawRequest {
            method: "POST",
            uri: "https://hub.example.test/v1/webhooks/x",
            headers,
            body: body.as_bytes(),
        };
        let secret = guard::secret::Secret::new("concord-test-secret-0001".to_owned());
        let scheme = &connector.webhook().unwrap().scheme;
        guard::signature::verify(scheme, &request, &[secret], canonical::Wall(0)).is_ok_and(|it| it.signed)
    };
    // Python's `json.dumps` puts spaces behind colons and commas; what is signed is what is sent.
    let body = r#"{"event": "on_update", "object": "Customer", "name": "CUST-0001", "modified": "2026-11-22 11:20:05.123456"}"#;
    let header: (&str, &[u8]) =
        ("X-Frappe-Webhook-Signature", b"Q9zS0uBHUDfcNt4Ids1k4n/1KCkdmaf3E+tQkXI3LM8=");
    assert!(signed("erpnext", &[header], body));
    assert!(!signed("erpnext", &[header], &body.replace(": ", ":")));
    assert!(!signed("erpnext", &[], body));
    let body = r#"{"id":"evt_1","type":"contact.updated"}"#;
    let header: (&str, &[u8]) = ("intuit-signature", b"8VR+bCREltZCLZLn+THh0RLjGIQzcIIFiZNyiFFRNoI=");
    assert!(signed("quickbooks", &[header], body));
    assert!(!signed("quickbooks", &[header], &body.replace("evt_1", "evt_2")));
    assert!(!signed("quickbooks", &[], body));
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

/// What is read without an order of its own stands in one line with what is told: Stripe's events have whole seconds.
#[test]
fn a_read_is_stamped_as_messages_are_ordered() {
    let bound = |name: &str, parameters: &[(&str, &str)]| {
        let manifest = Manifest::parse(name, Manifest::builtin(name).unwrap()).unwrap();
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        manifest.bind(&parameters, &BTreeMap::new()).unwrap()
    };
    let at = canonical::Wall(1_795_348_800_700_001);
    assert_eq!(bound("stripe", &[]).stamp(at).0, 1_795_348_800_000_000);
    assert_eq!(bound("hubspot", &[]).stamp(at).0, 1_795_348_800_700);
    assert_eq!(bound("tryton", &[("database", "acme")]).stamp(at).0, 1_795_348_800_700_001);
}
