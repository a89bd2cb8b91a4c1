//! The Salesforce-shaped CRM's behaviours, one by one.

mod bulk;
mod reading;
mod writing;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::options::{Kind, Options, Property};
use crate::request::encode;
use crate::trial::{NOW, Said, Trial};

const DATA: &str = "/services/data/v66.0";
const TOKEN: &str = "/services/oauth2/token";

fn custom(object: &str, name: &str, unique: bool) -> Property {
    Property {
        object_type: object.to_owned(),
        name: name.to_owned(),
        value_type: "string".to_owned(),
        has_unique_value: unique,
        options: Vec::new(),
    }
}

fn org_with(adjust: impl FnOnce(&mut Options)) -> Trial {
    let mut org = Trial::new(Kind::Salesforce, |options| {
        options.properties =
            ["Account", "Contact", "Opportunity"].map(|kind| custom(kind, "Concord_Id__c", true)).into();
        options.properties.push(custom("Contact", "Old_Id__c", false));
        adjust(options);
    });
    log_in(&mut org);
    org
}

fn org() -> Trial {
    org_with(|_| {})
}

fn ask(org: &mut Trial, form: &str) -> Said {
    org.authorization.clear();
    org.raw("POST", TOKEN, form.to_owned())
}

fn log_in(org: &mut Trial) {
    let form = "grant_type=client_credentials&client_id=sandbox-key&client_secret=sandbox-secret";
    let token = ask(org, form).is(200).text("/access_token").to_owned();
    org.authorization = format!("Bearer {token}");
}

fn make(org: &mut Trial, kind: &str, values: Value) -> String {
    org.call("POST", &format!("{DATA}/sobjects/{kind}"), &values).is(201).text("/id").to_owned()
}

fn refused(org: &mut Trial, method: &str, path: &str, body: Value, status: u16, code: &str) -> Said {
    let said = org.call(method, &format!("{DATA}/{path}"), &body).is(status);
    assert_eq!(said.text("/0/errorCode"), code, "{}", said.body);
    said
}

fn query(org: &mut Trial, soql: &str) -> Said {
    org.get(&format!("{DATA}/queryAll?q={}", encode(soql)))
}

fn column(said: &Said, name: &str) -> Vec<String> {
    let rows = said.body["records"].as_array().unwrap_or_else(|| panic!("{}", said.body));
    rows.iter().map(|row| row[name].as_str().map_or_else(|| row[name].to_string(), str::to_owned)).collect()
}

fn assertion(change: impl FnOnce(&mut Value, &mut Value)) -> String {
    let mut header = json!({"alg": "RS256"});
    let mut claims = json!({"iss": "sandbox-key", "sub": "integration@sandbox.test", "aud": "https://login.salesforce.com",
                            "exp": NOW / 1000 + 180});
    change(&mut header, &mut claims);
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(&header), part(&claims), URL_SAFE_NO_PAD.encode([7; 256]))
}

#[test]
fn sessions_are_for_known_apps_only_and_say_where_the_org_is() {
    let mut org = Trial::new(Kind::Salesforce, |_| {});
    let form = "grant_type=client_credentials&client_id=sandbox-key&client_secret=sandbox-secret";
    let said = ask(&mut org, form).is(200);
    assert_eq!(said.text("/instance_url"), "http://vendor.test");
    assert!(said.text("/id").contains("/id/00D5e0000000001EAA/005"), "{}", said.body);
    assert_eq!(said.body.get("expires_in"), None, "nobody says how long a session lives");
    assert_eq!(said.body.get("refresh_token"), None);
    org.authorization = format!("Bearer {}", said.text("/access_token"));
    assert_eq!(org.get("/services/oauth2/userinfo").is(200).text("/organization_id"), "00D5e0000000001EAA");

    for (form, error) in [
        ("grant_type=client_credentials&client_id=other&client_secret=sandbox-secret", "invalid_client_id"),
        ("grant_type=client_credentials&client_id=sandbox-key&client_secret=x", "invalid_client"),
        ("grant_type=password&client_id=sandbox-key&client_secret=sandbox-secret", "unsupported_grant_type"),
        (
            "grant_type=refresh_token&client_id=sandbox-key&client_secret=sandbox-secret&refresh_token=x",
            "invalid_grant",
        ),
    ] {
        assert_eq!(ask(&mut org, form).is(400).text("/error"), error, "{form}");
    }
    // Key and secret may come as HTTP Basic.
    org.authorization = format!("Basic {}", STANDARD.encode("sandbox-key:sandbox-secret"));
    org.raw("POST", TOKEN, "grant_type=refresh_token&refresh_token=refresh-sandbox").is(200);
    org.world.revoke_credential(true);
    assert_eq!(ask(&mut org, form).is(400).text("/error"), "invalid_grant");
}

#[test]
fn a_jwt_counts_when_all_of_it_does() {
    let mut org = Trial::new(Kind::Salesforce, |_| {});
    let form = |assertion: &str| {
        format!("grant_type={}&assertion={assertion}", encode("urn:ietf:params:oauth:grant-type:jwt-bearer"))
    };
    ask(&mut org, &form(&assertion(|_, _| {}))).is(200);
    type Spoil = fn(&mut Value, &mut Value);
    let spoils: [Spoil; 7] = [
        |header, _| header["alg"] = json!("HS256"),
        |_, claims| claims["iss"] = json!("somebody"),
        |_, claims| claims["aud"] = json!("https://elsewhere.test"),
        |_, claims| claims["sub"] = json!(""),
        |_, claims| claims["exp"] = json!(NOW / 1000),
        |_, claims| claims["exp"] = json!(NOW / 1000 + 3_600),
        |_, claims| claims["exp"] = Value::Null,
    ];
    for spoil in spoils {
        ask(&mut org, &form(&assertion(spoil))).is(400);
    }
    ask(&mut org, &form("a.b")).is(400);
}

/// The verifier and the challenge are those of RFC 7636, appendix B.
#[test]
fn a_persons_consent_is_changed_into_a_session_once() {
    let mut org = Trial::new(Kind::Salesforce, |options| options.rotate_refresh = true);
    let back = "https://hub.test/v1/back?x=1";
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let consent = |org: &mut Trial, more: &str| {
        let query =
            format!("response_type=code&client_id=sandbox-key&redirect_uri={}&state=a%20b", encode(back));
        let said = org.get(&format!("/services/oauth2/authorize?{query}{more}")).is(302);
        let location = said.header("location").unwrap().to_owned();
        let (code, state) = location.strip_prefix(&format!("{back}&code=")).unwrap().split_once('&').unwrap();
        assert_eq!(state, "state=a%20b");
        code.to_owned()
    };
    let redeem = |code: &str, back: &str, more: &str| {
        format!(
            "grant_type=authorization_code&client_id=sandbox-key&client_secret=sandbox-secret&code={code}&redirect_uri={}{more}",
            encode(back)
        )
    };
    let challenge = "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
    let code = consent(&mut org, challenge);
    let said = ask(&mut org, &redeem(&code, back, &format!("&code_verifier={verifier}"))).is(200);
    let refresh = said.text("/refresh_token").to_owned();
    ask(&mut org, &redeem(&code, back, &format!("&code_verifier={verifier}"))).is(400);
    // Another verifier, another address, too late.
    let code = consent(&mut org, challenge);
    ask(&mut org, &redeem(&code, back, "&code_verifier=other")).is(400);
    let code = consent(&mut org, "");
    assert_eq!(
        ask(&mut org, &redeem(&code, "https://else.test", "")).is(400).text("/error"),
        "redirect_uri_mismatch"
    );
    let code = consent(&mut org, "");
    org.now += 15 * 60_000;
    ask(&mut org, &redeem(&code, back, "")).is(400);
    // What it gave goes on giving, and is another one each time.
    let form = |refresh: &str| {
        format!(
            "grant_type=refresh_token&client_id=sandbox-key&client_secret=sandbox-secret&refresh_token={refresh}"
        )
    };
    let next = ask(&mut org, &form(&refresh)).is(200).text("/refresh_token").to_owned();
    ask(&mut org, &form(&refresh)).is(400);
    ask(&mut org, &form(&next)).is(200);
    org.get(
        "/services/oauth2/authorize?response_type=code&client_id=other&redirect_uri=https%3A%2F%2Fhub.test",
    )
    .is(400);
}

#[test]
fn a_session_that_ended_is_told_from_everything_else() {
    let mut org = org_with(|options| options.limits.token_life_ms = 1_000);
    let kind = "sobjects/Contact";
    org.get(&format!("{DATA}/{kind}/describe")).is(200);
    org.now += 1_000;
    refused(&mut org, "GET", &format!("{kind}/describe"), Value::Null, 401, "INVALID_SESSION_ID");
    log_in(&mut org);
    org.get(&format!("{DATA}/{kind}/describe")).is(200);
    assert!(org.world.expire_tokens());
    refused(&mut org, "GET", &format!("{kind}/describe"), Value::Null, 401, "INVALID_SESSION_ID");
}

#[test]
fn versions_that_are_served_are_listed() {
    let mut org = org();
    assert_eq!(org.get("/services/data").is(200).body.as_array().unwrap().last().unwrap()["version"], "66.0");
    assert_eq!(org.get("/services/data/v67.0/limits").is(404).text("/0/errorCode"), "NOT_FOUND");
    assert_eq!(
        org.get("/services/data/v21.0/limits").is(410).text("/0/errorCode"),
        "UNSUPPORTED_API_VERSION"
    );
    org.get("/services/data/latest/limits").is(404);
}

#[test]
fn the_day_is_the_last_twenty_four_hours() {
    let mut org = org_with(|options| options.limits.daily = 3);
    for used in 1..=3 {
        let said = org.get(&format!("{DATA}/limits")).is(200);
        assert_eq!(said.header("sforce-limit-info"), Some(format!("api-usage={used}/3").as_str()));
        assert_eq!(said.body["DailyApiRequests"]["Remaining"], 3 - used);
        org.now += 3_600_000;
        log_in(&mut org);
    }
    let said = refused(&mut org, "GET", "limits", Value::Null, 403, "REQUEST_LIMIT_EXCEEDED");
    assert!(said.text("/0/message").contains("TotalRequests"));
    assert_eq!(said.header("sforce-limit-info"), Some("api-usage=3/3"));
    // The first call leaves the window a day after it came.
    org.now = NOW + 86_400_000;
    log_in(&mut org);
    org.get(&format!("{DATA}/limits")).is(200);
    refused(&mut org, "GET", "limits", Value::Null, 403, "REQUEST_LIMIT_EXCEEDED");
}

#[test]
fn too_many_at_once_and_an_org_that_is_down_have_words_of_their_own() {
    use crate::fault::{Fault, FaultKind};
    let mut org = org();
    for (kind, status, code) in [
        (FaultKind::Throttle { retry_after_s: None }, 403, "REQUEST_LIMIT_EXCEEDED"),
        (FaultKind::ErrorBefore { status: 503 }, 503, "SERVER_UNAVAILABLE"),
        (FaultKind::ErrorBefore { status: 500 }, 500, "UNKNOWN_EXCEPTION"),
    ] {
        org.world.add_fault(Fault::new(kind).times(1));
        refused(&mut org, "GET", "limits", Value::Null, status, code);
    }
    org.world.add_fault(Fault::new(FaultKind::Throttle { retry_after_s: None }).times(1));
    let said = refused(&mut org, "GET", "limits", Value::Null, 403, "REQUEST_LIMIT_EXCEEDED");
    assert!(said.text("/0/message").contains("Concurrent"), "{}", said.body);
}

#[test]
fn the_org_describes_its_objects() {
    let mut org = org();
    let said = org.get(&format!("{DATA}/sobjects/contact/describe")).is(200);
    assert_eq!((said.text("/name"), said.text("/keyPrefix")), ("Contact", "003"));
    let fields = said.body["fields"].as_array().unwrap();
    let field = |name: &str| fields.iter().find(|field| field["name"] == name).unwrap();
    assert_eq!(field("LastName")["nillable"], false);
    assert_eq!(field("LastName")["length"], 80);
    assert_eq!(field("Name")["createable"], false);
    assert_eq!(field("AccountId")["referenceTo"], json!(["Account"]));
    assert_eq!(
        (&field("Concord_Id__c")["externalId"], &field("Concord_Id__c")["unique"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(
        (&field("Old_Id__c")["externalId"], &field("Old_Id__c")["unique"]),
        (&json!(true), &json!(false))
    );
    let names = org.get(&format!("{DATA}/sobjects")).is(200);
    assert!(names.body["sobjects"].as_array().unwrap().iter().any(|one| one["name"] == "Account"));
    refused(&mut org, "GET", "sobjects/Nothing/describe", Value::Null, 404, "NOT_FOUND");
}
