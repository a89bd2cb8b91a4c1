//! Signatures against the RFC's own examples, and what goes into them.

use std::collections::BTreeMap;

use canonical::Wall;
use connector::{AuthKind, SignatureMethod};
use guard::Secret;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Uri};

use super::{Oauth1, base_string};
use crate::auth::{Moment, Secrets};

fn client(signature: SignatureMethod, realm: Option<&str>, texts: [&str; 4]) -> Result<Oauth1, String> {
    let names = ["consumer_key", "consumer_secret", "token", "token_secret"];
    let secrets: BTreeMap<String, Secret> =
        names.iter().zip(texts).map(|(name, text)| ((*name).to_owned(), Secret::from(text))).collect();
    let [consumer_key, consumer_secret, token, token_secret] = names.map(str::to_owned);
    let realm = realm.map(str::to_owned);
    let auth = AuthKind::Oauth1 { consumer_key, consumer_secret, token, token_secret, realm, signature };
    Oauth1::read(&auth, &Secrets(&secrets))
}

#[test]
fn the_rfc_s_request_has_the_rfc_s_signature() {
    // RFC 5849 section 1.2: the photograph. It sends no `oauth_version`.
    let texts = ["dpf43f3p2l4k3l03", "kd94hf93k423kf44", "nnch734d00sl2jdk", "pfkkdhi9sl3r4s00"];
    let client = client(SignatureMethod::HmacSha1, Some("Photos"), texts).unwrap();
    let protocol = [
        ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
        ("oauth_token", "nnch734d00sl2jdk"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131202"),
        ("oauth_nonce", "chapoH"),
    ];
    let uri = Uri::from_static("http://photos.example.net/photos?file=vacation.jpg&size=original");
    let base = base_string(&Method::GET, &uri, b"", &protocol);
    assert_eq!(client.sign(&base), "MdpQcU8iPSUjWoN/UDMsK2sui9I=");
}

#[test]
fn the_rfc_s_parameters_make_the_rfc_s_base_string() {
    // RFC 5849 section 3.4.1.1: names twice, an empty value, escapes of both kinds, a form as body.
    let protocol = [
        ("oauth_consumer_key", "9djdj82h48djs9d2"),
        ("oauth_token", "kkk9d7dh3k39sjv7"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131201"),
        ("oauth_nonce", "7d8f3e4a"),
    ];
    let uri = Uri::from_static("http://EXAMPLE.COM/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b");
    let base = base_string(&Method::POST, &uri, b"c2&a3=2+q", &protocol);
    assert_eq!(
        base,
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26\
         c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26\
         oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    );
}

#[test]
fn a_header_shows_all_that_was_signed_and_no_secret() {
    let client =
        client(SignatureMethod::HmacSha256, Some("1234567_SB1"), ["ck", "c&s", "tk", "t s\n"]).unwrap();
    let uri =
        Uri::from_static("https://1234567-sb1.suitetalk.example.test/services/rest/query/v1/suiteql?limit=5");
    let moment = Moment { now: Wall::from_millis(1_700_000_000_999), entropy: 0xabc };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let sign = |method: Method, headers: &HeaderMap, body: &[u8]| {
        let value = client.authorization(&method, &uri, headers, body, moment).unwrap();
        assert!(value.is_sensitive(), "I15");
        value.to_str().unwrap().to_owned()
    };
    let shown = sign(Method::POST, &headers, b"{}");
    let (start, signature) = shown.split_once("oauth_signature=").unwrap();
    assert_eq!(
        start,
        "OAuth realm=\"1234567_SB1\", oauth_consumer_key=\"ck\", oauth_token=\"tk\", \
         oauth_signature_method=\"HMAC-SHA256\", oauth_timestamp=\"1700000000\", \
         oauth_nonce=\"00000000000000000000000000000abc\", oauth_version=\"1.0\", "
    );
    // Computed with Python's hmac over section 3.4.1's base string, keyed `c%26s&t%20s`.
    assert_eq!(signature, "\"v4ogYJc9iM%2FzUOqoymN4zu8vR8kSDTPrmIxq6rqZ07c%3D\"");
    // A JSON body is not signed, a form is; the method is.
    assert_eq!(sign(Method::POST, &headers, b"{\"q\": 1}"), shown);
    assert_ne!(sign(Method::PUT, &headers, b"{}"), shown);
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");
    headers.insert(CONTENT_TYPE, kind);
    assert_ne!(sign(Method::POST, &headers, b"a=1"), sign(Method::POST, &headers, b"a=2"));
}

#[test]
fn what_cannot_be_sent_is_refused_when_it_is_registered() {
    let refused = |realm: &str| client(SignatureMethod::HmacSha256, Some(realm), ["a", "b", "c", "d"]).err();
    assert!(refused("12\"3").unwrap().contains("quote"));
    assert!(refused("12\n3").is_some());
    assert_eq!(refused("TSTDRV 1"), None);
    let empty = client(SignatureMethod::HmacSha256, None, ["a", "", "c", "d"]).err().unwrap();
    assert!(empty.contains("secret `consumer_secret` is empty"), "{empty}");
}
