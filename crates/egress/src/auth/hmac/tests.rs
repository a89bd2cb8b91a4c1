//! What is signed, against vectors that others published, and against a vendor-shaped scheme by hand.

use std::collections::BTreeMap;

use canonical::Wall;
use connector::Signing;
use guard::Secret;
use http::{Method, Uri};
use ring::hmac;

use super::*;

fn signature(signing: &Signing, secrets: &[(&str, &str)]) -> Result<Signature, String> {
    let secrets: BTreeMap<String, Secret> =
        secrets.iter().map(|(name, value)| ((*name).to_owned(), Secret::from(*value))).collect();
    Signature::read(&AuthKind::Hmac(Box::new(signing.clone())), &Secrets(&secrets))
}

fn signing(sign: &str, headers: &[(&str, &str)]) -> Signing {
    Signing {
        secret: "key".to_owned(),
        key_id: Some("id".to_owned()),
        sign: sign.to_owned(),
        headers: headers.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
        algorithm: SigningAlgorithm::default(),
        encoding: SigningEncoding::Hex,
        key: SigningKey::default(),
        timestamp: SigningTime::default(),
    }
}

const SECRETS: [(&str, &str); 2] = [("key", "Jefe\n"), ("id", "app-1")];
/// 2026-11-22T12:00:00.250Z.
const MOMENT: Moment = Moment { now: Wall(1_795_348_800_250_000), entropy: 10 };

fn shown(signing: &Signing, body: &[u8]) -> BTreeMap<String, String> {
    let uri: Uri = "https://API.example.test:8443/base/x%20y?b=1&a=2".parse().unwrap();
    let headers = signature(signing, &SECRETS).unwrap().headers(&Method::POST, &uri, body, MOMENT).unwrap();
    headers.into_iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
}

#[test]
fn the_hash_is_that_of_the_rfc() {
    // RFC 4231, test case 2: the key `Jefe`.
    let text = b"what do ya want for nothing?";
    let of = |algorithm, encoding| {
        let signing = Signing { algorithm, encoding, ..signing("{body}", &[("x-signature", "{signature}")]) };
        shown(&signing, text)["x-signature"].clone()
    };
    assert_eq!(
        of(SigningAlgorithm::HmacSha256, SigningEncoding::Hex),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    assert!(
        of(SigningAlgorithm::HmacSha512, SigningEncoding::Hex)
            .starts_with("164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd6")
    );
    // RFC 2202, test case 2.
    assert_eq!(
        of(SigningAlgorithm::HmacSha1, SigningEncoding::Hex),
        "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
    );
    assert_eq!(of(SigningAlgorithm::HmacSha1, SigningEncoding::Base64), "7/zfauXrL6LSdBbV8YTfnCWafHk=");
    assert_eq!(of(SigningAlgorithm::HmacSha1, SigningEncoding::Base64Url), "7_zfauXrL6LSdBbV8YTfnCWafHk");
}

#[test]
fn every_part_is_as_it_goes_on_the_wire() {
    let names = "{method} {path} {query} {path_and_query} {host} {url} {timestamp} {nonce} {key_id} {body_sha256_hex} \
                 {body_sha256_base64}";
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let text = format!(
        "POST /base/x%20y b=1&a=2 /base/x%20y?b=1&a=2 api.example.test:8443 \
         https://api.example.test:8443/base/x%20y?b=1&a=2 1795348800 0000000000000000000000000000000a app-1 {empty} \
         47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
    let found = shown(
        &signing(
            names,
            &[
                ("Authorization", "HMAC {key_id}:{signature}"),
                ("x-time", "{timestamp}"),
                ("x-nonce", "{nonce}"),
            ],
        ),
        b"",
    );
    assert_eq!(
        found["authorization"],
        format!("HMAC app-1:{}", hex(hmac::sign(&key, text.as_bytes()).as_ref()))
    );
    assert_eq!(
        (found["x-time"].as_str(), found["x-nonce"].as_str()),
        ("1795348800", "0000000000000000000000000000000a")
    );
}

#[test]
fn a_body_is_signed_as_its_bytes() {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
    let found = shown(&signing("{body}\n", &[("x-signature", "{signature}")]), &[0xff, 0, b'\n']);
    assert_eq!(found["x-signature"], hex(hmac::sign(&key, &[0xff, 0, b'\n', b'\n']).as_ref()));
}

#[test]
fn times_are_written_as_vendors_read_them() {
    for (timestamp, written) in [
        (SigningTime::S, "1795348800"),
        (SigningTime::Ms, "1795348800250"),
        (SigningTime::Rfc3339, "2026-11-22T12:00:00Z"),
        (SigningTime::Http, "Sun, 22 Nov 2026 12:00:00 GMT"),
    ] {
        let headers = [("x-signature", "{signature}"), ("x-time", "{timestamp}")];
        let signing = Signing { timestamp, ..signing("{timestamp}", &headers) };
        assert_eq!(shown(&signing, b"")["x-time"], written);
    }
}

#[test]
fn keys_are_read_in_their_form_and_what_cannot_be_used_is_told() {
    let of = |key, secret: &str| {
        let signing = Signing { key, ..signing("x", &[("x-signature", "{signature}")]) };
        let signature = signature(&signing, &[("key", secret), ("id", "a")])?;
        let uri: Uri = "https://a.test/".parse().unwrap();
        let headers = signature.headers(&Method::GET, &uri, b"", MOMENT)?;
        Ok::<_, String>(headers[0].1.to_str().unwrap().to_owned())
    };
    let plain = of(SigningKey::Text, "Jefe").unwrap();
    assert_eq!(of(SigningKey::Base64, "SmVmZQ==\n"), Ok(plain.clone()));
    assert_eq!(of(SigningKey::Hex, "4a656665"), Ok(plain));
    assert_eq!(of(SigningKey::Hex, "4a6"), Err("secret `key` is not hexadecimal".to_owned()));
    assert_eq!(of(SigningKey::Base64, "%"), Err("secret `key` is not base64".to_owned()));
    let refused =
        |headers: &[(&str, &str)]| signature(&signing("x", headers), &SECRETS).map(|_| ()).unwrap_err();
    assert_eq!(refused(&[("host", "{signature}")]), "header `host` cannot carry a signature");
    assert_eq!(refused(&[("a b", "{signature}")]), "\"a b\" is not a header's name");
    // An id with an end of line in it would be another header.
    let signing = signing("x", &[("x-signature", "{key_id}:{signature}")]);
    let signature = signature(&signing, &[("key", "k"), ("id", "a\r\nb: c")]).unwrap();
    let uri: Uri = "https://a.test/".parse().unwrap();
    assert!(signature.headers(&Method::GET, &uri, b"", MOMENT).is_err());
}
