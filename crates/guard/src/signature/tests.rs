//! The vectors, and the ways to be refused.

mod vectors;

use super::*;
use vectors::vectors;

const KEY: &str = "concord-test-secret-0001";
const BODY: &[u8] = br#"{"id":"evt_1","type":"contact.updated"}"#;
const URI: &str = "https://hub.example.test/in/hubspot?x=a b";
const AT: Wall = Wall::from_millis(1_700_000_000_000);

fn scheme(json: &str) -> Scheme {
    serde_json::from_str(json).unwrap()
}

fn preset(preset: Preset) -> Scheme {
    Scheme::Preset(preset)
}

fn check_body(
    scheme: &Scheme,
    headers: &[(&str, &str)],
    body: &[u8],
    secret: &[&str],
    now: Wall,
) -> Result<Verified, Refusal> {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let secrets: Vec<_> = secret.iter().map(|text| Secret::from(*text)).collect();
    verify(scheme, &RawRequest { method: "POST", uri: URI, headers: &headers, body }, &secrets, now)
}

fn check(scheme: &Scheme, headers: &[(&str, &str)], secret: &str) -> Result<Verified, Refusal> {
    check_body(scheme, headers, BODY, &[secret], AT)
}

#[test]
fn every_vector_passes() {
    for (name, scheme, secret, headers) in vectors() {
        let verified = check(&scheme, &headers, secret).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        assert!(verified.signed, "{name}");
        assert_eq!(verified.secret, Some(0), "{name}");
        assert_eq!(verified.timestamp, scheme.tolerance_s().map(|_| AT), "{name}");
    }
}

#[test]
fn presets_stand_in_their_own_place() {
    for preset in Preset::ALL {
        let name = serde_json::to_string(&preset).unwrap();
        let vendor = name.trim_matches('"').split('_').next().unwrap();
        let header = &preset.signed().headers[0];
        let expected = match vendor {
            "standard" => "webhook",
            "github" => "x-hub-signature-256",
            "hmac" => "x-signature",
            other => other,
        };
        assert!(header.contains(expected), "{name} reads {header}");
        let written = serde_json::to_string(preset.signed()).unwrap();
        assert!(serde_json::from_str::<Signed>(&written).is_ok(), "{name} does not hold together");
    }
}

#[test]
fn frappe_signs_a_body_dumped_with_spaces() {
    let scheme = scheme(
        r#"{"signed":{"headers":["x-frappe-webhook-signature"],"encoding":"base64","template":"{body}"}}"#,
    );
    let headers = [("X-Frappe-Webhook-Signature", "+oFYGxDlbpnKRkVLsF8HchinlS4PwUjsHuewX+7cRBI=")];
    let spaced = br#"{"id": "evt_1", "type": "contact.updated"}"#;
    assert!(check_body(&scheme, &headers, spaced, &[KEY], AT).is_ok());
    assert_eq!(
        check(&scheme, &headers, KEY),
        Err(Refusal::Mismatch { secrets: 1 }),
        "another dump of the same JSON"
    );
}

#[test]
fn a_signature_of_another_length_or_alphabet_is_none() {
    let sha1 = "68e28fa75d2cadf1e0705511f18d4d29bf3c8eb7";
    for (algorithm, encoding, value) in [
        ("hmac_sha256", "hex", sha1),
        ("hmac_sha512", "hex", sha1),
        ("hmac_sha1", "hex", "68e28fa75d2cadf1e0705511f18d4d29bf3c8eb"),
        ("hmac_sha1", "hex", "68e28fa75d2cadf1e0705511f18d4d29bf3c8eb700"),
        ("hmac_sha1", "hex", "g8e28fa75d2cadf1e0705511f18d4d29bf3c8eb7"),
        ("hmac_sha256", "base64url", "8VR+bCREltZCLZLn+THh0RLjGIQzcIIFiZNyiFFRNoI"),
        ("hmac_sha256", "base64", "8VR-bCREltZCLZLn-THh0RLjGIQzcIIFiZNyiFFRNoI="),
        ("hmac_sha256", "base64", "8VR+bCREltZCLZLn+THh0RLjGIQzcIIFiZNyiFFRNoI"),
    ] {
        let scheme = scheme(&format!(
            r#"{{"signed":{{"headers":["x"],"algorithm":"{algorithm}","encoding":"{encoding}","template":"{{body}}"}}}}"#
        ));
        let refused = check(&scheme, &[("x", value)], KEY);
        assert!(
            matches!(refused, Err(Refusal::Malformed { .. })),
            "{algorithm} {encoding} {value}: {refused:?}"
        );
    }
    let semicolons = r#"{"signed":{"headers":["x"],"form":{"pairs":{"signature":"h1","separator":":"}},"template":"{body}"}}"#;
    assert!(serde_json::from_str::<Scheme>(semicolons).is_err());
}

#[test]
fn a_flipped_bit_anywhere_is_refused() {
    for (name, scheme, secret, headers) in vectors() {
        for at in 0..BODY.len() {
            let mut body = BODY.to_vec();
            body[at] ^= 1;
            let refused = check_body(&scheme, &headers, &body, &[secret], AT);
            assert_eq!(refused, Err(Refusal::Mismatch { secrets: 1 }), "{name} byte {at}");
        }
        let reserialised =
            serde_json::to_vec_pretty(&serde_json::from_slice::<serde_json::Value>(BODY).unwrap());
        assert!(check_body(&scheme, &headers, &reserialised.unwrap(), &[secret], AT).is_err(), "{name}");
    }
}

#[test]
fn a_changed_signed_header_is_refused() {
    for (name, scheme, secret, headers) in vectors() {
        for changed in 0..headers.len() {
            let (_, value) = headers[changed];
            let other =
                value.replace("1700000000", "1700000001").replace("msg_1", "msg_2").replace(":20Z", ":21Z");
            if other == value {
                continue;
            }
            let mut headers = headers.clone();
            headers[changed].1 = &other;
            assert_eq!(check(&scheme, &headers, secret), Err(Refusal::Mismatch { secrets: 1 }), "{name}");
        }
    }
}

#[test]
fn a_wrong_secret_is_refused_and_none_is_said() {
    for (name, scheme, secret, headers) in vectors() {
        let other = if secret.contains("Y29u") { "whsec_AAAA" } else { "concord-test-secret-0002" };
        assert_eq!(check(&scheme, &headers, other), Err(Refusal::Mismatch { secrets: 1 }), "{name}");
        assert_eq!(check_body(&scheme, &headers, BODY, &[], AT), Err(Refusal::NoSecret), "{name}");
        let rotated = check_body(&scheme, &headers, BODY, &[other, secret], AT).unwrap();
        assert_eq!(rotated.secret, Some(1), "{name}: the older of two secrets still counts");
        let text = check(&scheme, &headers, other).unwrap_err().to_string();
        assert!(!text.contains(secret) && !text.contains(other), "{name}: {text}");
    }
    let (_, standard, _, headers) = vectors().remove(0);
    for bad in ["whsec_!!!", "whsec_", ""] {
        assert!(
            matches!(check(&standard, &headers, bad), Err(Refusal::BadSecret { number: 1, .. })),
            "{bad}"
        );
    }
}

#[test]
fn the_window_closes_on_both_sides() {
    for (name, scheme, secret, headers) in vectors() {
        let Some(tolerance_s) = scheme.tolerance_s() else { continue };
        let window = Duration::from_secs(tolerance_s);
        let second = Duration::from_secs(1);
        let at = |now| check_body(&scheme, &headers, BODY, &[secret], now);
        assert!(at(AT + window).is_ok(), "{name}");
        assert!(at(AT - window).is_ok(), "{name}");
        assert_eq!(
            at(AT + window + second),
            Err(Refusal::Stale { age_s: tolerance_s + 1, tolerance_s }),
            "{name}"
        );
        assert_eq!(
            at(AT - window - second),
            Err(Refusal::Ahead { ahead_s: tolerance_s + 1, tolerance_s }),
            "{name}"
        );
        let forged = check_body(&scheme, &headers, b"{}", &[secret], AT + window + second);
        assert_eq!(
            forged,
            Err(Refusal::Mismatch { secrets: 1 }),
            "{name}: age is said of authentic messages only"
        );
    }
}

#[test]
fn a_missing_or_doubled_header_is_refused() {
    for (name, scheme, secret, headers) in vectors() {
        for gone in 0..headers.len() {
            let mut rest = headers.clone();
            let (header, value) = rest.remove(gone);
            let refused = check(&scheme, &rest, secret);
            assert!(
                matches!(refused, Err(Refusal::MissingHeader { .. })),
                "{name} without {header}: {refused:?}"
            );
            let mut doubled = headers.clone();
            doubled.push((header, value));
            let refused = check(&scheme, &doubled, secret);
            assert!(
                matches!(refused, Err(Refusal::RepeatedHeader { .. })),
                "{name} twice {header}: {refused:?}"
            );
        }
    }
}

#[test]
fn one_valid_signature_of_several_is_enough() {
    let good = "1676c46683069f46d37cc942af83eb49ad89bdf9ff71dc2503558f7766779887";
    let bad = "0".repeat(64);
    let stripe = preset(Preset::Stripe);
    for header in [
        format!("t=1700000000,v1={bad},v1={good},v0={bad}"),
        format!(" t=1700000000 , v1={good}"),
        format!("v1={good},t=1700000000"),
        format!("t=1700000000,v1=short,v1={}", good.to_uppercase()),
    ] {
        assert!(check(&stripe, &[("stripe-signature", &header)], KEY).is_ok(), "{header}");
    }
    let (_, standard, secret, headers) = vectors().remove(0);
    let listed = format!("v1a,xyz {} v1,AAAA", headers[2].1);
    assert!(check(&standard, &[headers[0], headers[1], (headers[2].0, &listed)], secret).is_ok());
    for header in [
        format!("t=1700000000,v0={good}"),
        format!("v1={good}"),
        format!("t=1,t=1700000000,v1={good}"),
        format!("t=+1700000000,v1={good}"),
        format!("t=99999999999999999999,v1={good}"),
        "t=1700000000".to_owned(),
        String::new(),
    ] {
        let refused = check(&stripe, &[("stripe-signature", &header)], KEY);
        assert!(matches!(refused, Err(Refusal::Malformed { .. })), "{header}: {refused:?}");
    }
    let buried = format!("t=1700000000{},v1={good}", ",v1=0".repeat(40));
    assert!(check(&stripe, &[("stripe-signature", &buried)], KEY).is_err(), "only so many are looked at");
}

#[test]
fn an_id_cannot_borrow_from_the_timestamp() {
    let (_, standard, secret, headers) = vectors().remove(0);
    // Signed: `msg_1.1700000000.{body}`. The same text cut elsewhere must not pass.
    let shifted = [("webhook-id", "msg_1.1700000000"), headers[1], headers[2]];
    assert!(matches!(check(&standard, &shifted, secret), Err(Refusal::Malformed { .. })));
}

#[test]
fn hubspot_signs_the_decoded_address() {
    let secrets = [Secret::from(KEY)];
    let hubspot = preset(Preset::HubspotV3);
    let called = "https://hub.example.test/in?to=a%40b.test&q=a%20b";
    for signed_as in
        ["https://hub.example.test/in?to=a@b.test&q=a%20b", "https://hub.example.test/in?to=a@b.test&q=a b"]
    {
        let message = Outgoing { method: "POST", uri: signed_as, id: "", at: AT, body: BODY };
        // A scheme that signs the text as given stands for the vendor's signer.
        let mut vendor = Preset::HubspotV3.signed().clone();
        vendor.template = "{method}{uri}{body}{timestamp}".parse().unwrap();
        let headers = sign(&Scheme::Signed(Box::new(vendor)), &message, &secrets).unwrap();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let request = |uri| RawRequest { method: "POST", uri, headers: &headers, body: BODY };
        assert!(verify(&hubspot, &request(called), &secrets, AT).is_ok(), "{signed_as}");
        let other = "https://hub.example.test/in?to=c%40b.test&q=a%20b";
        assert!(verify(&hubspot, &request(other), &secrets, AT).is_err());
    }
}

#[test]
fn unsigned_is_only_what_says_so() {
    let none = scheme(r#"{"none":"the vendor signs nothing; objects are read again"}"#);
    let verified = check(&none, &[], KEY).unwrap();
    assert_eq!(verified, Verified::default());
    assert!(!verified.signed && !none.is_signed() && none.tolerance_s().is_none());
    assert!(serde_json::from_str::<Scheme>("{}").is_err(), "silence is not `none`");
    assert!(serde_json::from_str::<Scheme>("null").is_err());
}

#[test]
fn schemes_that_prove_nothing_are_refused_when_read() {
    for (json, said) in [
        (r#"{"signed":{"headers":[],"template":"{body}"}}"#, "`headers` is empty"),
        (r#"{"signed":{"headers":["x"],"template":"{timestamp}"}}"#, "lacks `{body}`"),
        (r#"{"signed":{"headers":["x"],"template":"{bdy}"}}"#, "is not a part"),
        (r#"{"signed":{"headers":["x"],"template":"{body"}}"#, "not closed"),
        (r#"{"signed":{"headers":["x"],"template":"}{body}"}}"#, "not closed"),
        (r#"{"signed":{"headers":["x"],"template":"{body}","timestamp":{"headers":["t"]}}}"#, "go together"),
        (r#"{"signed":{"headers":["x"],"template":"{timestamp}{body}"}}"#, "go together"),
        (r#"{"signed":{"headers":["x"],"template":"{timestamp}{body}","timestamp":{}}}"#, "no headers"),
        (r#"{"signed":{"headers":["x"],"template":"{body}","id":["i"]}}"#, "unsigned id"),
        (r#"{"signed":{"headers":["x"],"template":"{secret}{body}"}}"#, "`sha256`"),
        (r#"{"signed":{"headers":["x"],"algorithm":"sha256","template":"{body}"}}"#, "`sha256`"),
        (r#"{"signed":{"headers":["x"],"form":{"spaced":{"prefix":""}},"template":"{body}"}}"#, "not empty"),
        (
            r#"{"signed":{"headers":["x"],"template":"{timestamp}{body}","timestamp":{"headers":["t"],"tolerance_s":0}}}"#,
            "1 to 86400",
        ),
        (r#"{"signed":{"headers":["x"],"template":"{body}","tolerance":5}}"#, "unknown field `tolerance`"),
        (r#"{"preset":"stripes"}"#, "unknown variant `stripes`"),
    ] {
        let error = serde_json::from_str::<Scheme>(json).unwrap_err().to_string();
        assert!(error.contains(said), "{json}: {error}");
    }
}

#[test]
fn a_scheme_survives_being_written_and_read() {
    for (name, scheme, _, _) in vectors() {
        let written = serde_json::to_string(&scheme).unwrap();
        assert_eq!(serde_json::from_str::<Scheme>(&written).unwrap(), scheme, "{name}: {written}");
        if let Scheme::Preset(preset) = scheme {
            let whole = Scheme::Signed(Box::new(preset.signed().clone()));
            let written = serde_json::to_string(&whole).unwrap();
            assert_eq!(serde_json::from_str::<Scheme>(&written).unwrap(), whole, "{name}: {written}");
        }
    }
}

proptest::proptest! {
    /// What is signed passes; with another body, secret or address it does not, whatever the bytes are.
    #[test]
    fn signed_bodies_pass_and_others_do_not(
        body in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
        other in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
        which in 0_usize..7,
    ) {
        let all = Preset::ALL;
        let scheme = preset(all[which]);
        let secrets = [Secret::from("d2Fybg=="), Secret::from("Y29sZA==")];
        let message = Outgoing { method: "POST", uri: URI, id: "msg_1", at: AT, body: &body };
        let headers = sign(&scheme, &message, &secrets).unwrap();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let request = RawRequest { method: "POST", uri: URI, headers: &headers, body: &body };
        proptest::prop_assert!(verify(&scheme, &request, &secrets[..1], AT).is_ok());
        proptest::prop_assert!(verify(&scheme, &request, &[Secret::from("b3RoZXI=")], AT).is_err());
        if other != body {
            let request = RawRequest { body: &other, ..request };
            proptest::prop_assert!(verify(&scheme, &request, &secrets, AT).is_err());
        }
    }

    /// Arbitrary headers never panic and never pass.
    #[test]
    fn noise_is_refused(value in ".{0,80}", which in 0_usize..5) {
        let all = [Preset::Stripe, Preset::HubspotV3, Preset::StandardWebhooks, Preset::Shopify, Preset::Github];
        let names = ["stripe-signature", "x-hubspot-signature-v3", "x-hubspot-request-timestamp", "webhook-signature",
            "webhook-id", "webhook-timestamp", "x-shopify-hmac-sha256", "x-hub-signature-256"];
        let headers: Vec<_> = names.iter().map(|name| (*name, value.as_str())).collect();
        proptest::prop_assert!(check(&preset(all[which]), &headers, "d2Fybg==").is_err());
    }
}
