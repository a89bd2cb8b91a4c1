//! A credential in the query: where a vendor takes its key as a parameter of the address.
//!
//! The address with the key is made right before it is sent and is kept nowhere. What comes back is cleaned of the key:
//! vendors repeat the address that was asked, in links to next pages above all.

use connector::Response;
use guard::Secret;
use url::form_urlencoded::byte_serialize;

/// What stands where the key stood.
const REDACTED: &str = "[redacted]";

/// A shorter key could stand anywhere in an answer by chance, and is left there.
const KEY_BYTES_MIN: usize = 8;

/// A parameter with its key.
pub(crate) struct Parameter {
    /// `name=key`, escaped.
    pair: Secret,
    /// The forms in which the key may come back.
    forms: Vec<Secret>,
}

impl Parameter {
    pub(crate) fn new(name: &str, key: &str) -> Self {
        // An end of line behind a secret is what most editors leave in a file.
        let key = key.trim_end_matches(['\n', '\r']);
        let plus: String = byte_serialize(key.as_bytes()).collect();
        let percent = plus.replace('+', "%20");
        let name: String = byte_serialize(name.as_bytes()).collect();
        let mut forms = vec![key.to_owned(), key.replace('/', "\\/"), plus, percent.clone()];
        forms.sort();
        forms.dedup();
        let forms = forms.into_iter().filter(|form| form.len() >= KEY_BYTES_MIN);
        Self {
            pair: Secret::from(format!("{}={percent}", name.replace('+', "%20"))),
            forms: forms.map(Secret::from).collect(),
        }
    }

    /// The path and query with it.
    pub(crate) fn put(&self, path: &str) -> String {
        let pair = self.pair.expose_text().unwrap_or_default();
        let separator = match path.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some(_) => "&",
        };
        format!("{path}{separator}{pair}")
    }

    /// An answer without the key.
    pub(crate) fn clean(&self, mut answer: Response) -> Response {
        for form in &self.forms {
            let Some(text) = form.expose_text() else { continue };
            for (_, value) in &mut answer.headers {
                if value.contains(text) {
                    *value = value.replace(text, REDACTED);
                }
            }
            answer.body = without(answer.body, text.as_bytes());
        }
        answer
    }
}

fn without(body: Vec<u8>, key: &[u8]) -> Vec<u8> {
    let (mut kept, mut rest) = (Vec::new(), body.as_slice());
    while let Some(place) = rest.windows(key.len()).position(|bytes| bytes == key) {
        kept.extend_from_slice(rest.get(..place).unwrap_or_default());
        kept.extend_from_slice(REDACTED.as_bytes());
        rest = rest.get(place + key.len()..).unwrap_or_default();
    }
    if kept.is_empty() {
        return body;
    }
    kept.extend_from_slice(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_goes_last_and_escaped() {
        let parameter = Parameter::new("api key", "a&b=c d/e\n");
        for (path, expected) in [
            ("/v1", "/v1?api%20key=a%26b%3Dc%20d%2Fe"),
            ("/v1?", "/v1?api%20key=a%26b%3Dc%20d%2Fe"),
            ("/v1?x=1", "/v1?x=1&api%20key=a%26b%3Dc%20d%2Fe"),
        ] {
            assert_eq!(parameter.put(path), expected);
        }
    }

    #[test]
    fn no_form_of_the_key_comes_back() {
        let parameter = Parameter::new("key", "top secret/7");
        let answer = Response {
            status: 200,
            headers: vec![("link".to_owned(), "</v1?page=2&key=top%20secret%2F7>; rel=\"next\"".to_owned())],
            body: br#"{"a":"/v1?key=top+secret%2F7","b":"top secret/7","c":"top secret\/7","d":"top"}"#
                .to_vec(),
        };
        let cleaned = parameter.clean(answer);
        assert_eq!(cleaned.headers[0].1, "</v1?page=2&key=[redacted]>; rel=\"next\"");
        let body = String::from_utf8(cleaned.body).unwrap();
        assert_eq!(body, r#"{"a":"/v1?key=[redacted]","b":"[redacted]","c":"[redacted]","d":"top"}"#);
    }

    #[test]
    fn a_key_too_short_to_tell_from_chance_is_left() {
        let answer = Response { status: 200, headers: Vec::new(), body: b"12345".to_vec() };
        assert_eq!(Parameter::new("key", "123").clean(answer).body, b"12345");
    }
}
