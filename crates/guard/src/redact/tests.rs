//! I15: nothing of a person or a credential is left in what may be shown.

use super::*;

#[test]
fn i15_only_known_harmless_headers_are_shown() {
    assert!(SHOWN_HEADERS.is_sorted(), "binary search needs order");
    for name in ["Authorization", "Cookie", "Set-Cookie", "X-Api-Key", "Stripe-Signature", "X-New-Token"] {
        assert_eq!(header(name, "marker"), REDACTED, "{name}");
    }
    for name in ["Content-Type", "RETRY-AFTER", "X-RateLimit-Remaining", "x-hubspot-ratelimit-max"] {
        assert_eq!(header(name, "7"), "7", "{name}");
    }
}

#[test]
fn i15_json_keeps_its_shape_and_loses_its_values() {
    let body = br#"{"id":12345,"props":{"email":"marker@x.test","ok":true,"none":null,"list":["marker",1]},
        "access_token":{"value":"marker"},"marker@x.test":1,"4915112345":"x","clientSecret":"marker"}"#;
    assert_eq!(
        json(body),
        r#"{"[key]":"[text 1]","access_token":"[redacted]","clientSecret":"[redacted]","id":"[number]","[key]":"[number]","props":{"email":"[text 13]","list":["[text 6]","[number]"],"none":null,"ok":true}}"#
    );
    assert_eq!(json(b"<html>marker"), "[12 bytes, not JSON]");
    assert_eq!(json(&vec![b'1'; 70_000]), "[70000 bytes, too long to show]");
}

#[test]
fn i15_error_texts_lose_addresses_tokens_and_long_numbers() {
    let raw = "Contact already exists. Existing ID: 90210455 for anna@example.test, \
               Authorization: Bearer abc token=qwe client_secret: s3cret pat-na1-0a1b2c3d4e5f6071 code 409";
    let shown = text(raw, 400);
    for gone in ["90210455", "anna", " abc", "qwe", "pat-na1"] {
        assert!(!shown.contains(gone), "{gone} in {shown}");
    }
    for kept in ["Contact already exists. Existing ID:", "code 409"] {
        assert!(shown.contains(kept), "{kept} not in {shown}");
    }
    assert_eq!(text("äöü abc", 4), "äöü …");
}

proptest::proptest! {
    #[test]
    fn i15_no_value_survives(secret in "[a-z]{6,20}", key in "[a-z]{1,8}") {
        let marker = format!("zq{secret}qz");
        let body = serde_json::json!({ &key: marker, "list": [{ &key: marker }], "n": { "t": marker } });
        let shown = json(&serde_json::to_vec(&body).unwrap());
        proptest::prop_assert!(!shown.contains(&marker));
    }
}
